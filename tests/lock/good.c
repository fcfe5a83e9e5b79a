/* All in order: a guarded field, a function that wants the lock, a reader and a writer, a lock only its finder knows. */
#include <weft/spinlock.h>
#include <weft/rwsem.h>

static DEFINE_SPINLOCK(lock);
static DECLARE_RWSEM(sem);
static int counter __guarded_by(&lock);
static int table __guarded_by(&sem);

static void step(void) __must_hold(&lock)
{
	counter++;
}

void good(spinlock_t *found);
void good(spinlock_t *found)
{
	spin_lock(&lock);
	step();
	spin_unlock(&lock);
	down_read(&sem);
	if (table)
		good(found);
	up_read(&sem);
	lockdep_assert_held(found);
	spin_unlock(found);
}
