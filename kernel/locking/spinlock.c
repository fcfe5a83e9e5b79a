/*
 * spinlock.c: waiting for a spinlock, and the checks of debug builds.
 *
 * What:    the slow path of spin_lock(), and in debug builds the checked versions of lock, trylock and unlock.
 * Idea:    the lock itself is one byte.  Who finds it taken draws a ticket from `tail` and spins until `head` shows it; only
 *          the one at the head fights for the byte, so waiting is in order and one cache line moves once per hand-over.
 *          There are 256 tickets and at most one waiter for each CPU and context, so they cannot run out.
 * Locking: this is where it is made.  See spinlock.h for the rules.
 * See:     spec.md §7; doc/locking.md
 */
#include <weft/spinlock.h>
#include <weft/smp.h>
#include <weft/printk.h>
#include <weft/bug.h>
#include <asm/processor.h>

/*
 * Waits for the lock and takes it.  Any context, preemption off.
 *
 * A newcomer may still take the byte between the holder's release and our exchange; it costs us one more round and
 * saves the free lock's fast path from looking at the queue.
 */
void __no_sanitize spin_lock_slow(spinlock_t *lock)
{
	u8 ticket = __atomic_fetch_add(&lock->tail, 1, __ATOMIC_RELAXED);

	while (READ_ONCE(lock->head) != ticket)
		cpu_relax();
	while (READ_ONCE(lock->locked) || __atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	WRITE_ONCE(lock->head, ticket + 1);
}

/* Takes one off *atomic; true, with the lock held, when it became 0.  Only the last one pays for the lock. */
bool _atomic_dec_and_lock(atomic_t *atomic, spinlock_t *lock) __no_context_analysis	/* held or not, by the value */
{
	if (atomic_add_unless(atomic, -1, 1))
		return false;
	spin_lock(lock);
	if (atomic_dec_and_test(atomic))
		return true;
	spin_unlock(lock);
	return false;
}

#ifdef CONFIG_DEBUG
void __spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key)
{
	lock->val = 0;
	lock->owner_cpu = 0;
	lockdep_init_map(&lock->dep_map, name, key, 0);
}

static void spin_bug(spinlock_t *lock, const char *what)
{
	if (debug_locks_off())
		WARN(1, "spinlock %s (%px): %s; owner cpu %d, here cpu %d", lock->dep_map.name, lock, what,
		     (int)lock->owner_cpu - 1, raw_smp_processor_id());
}

/* preemption is off; nest: a held lock under which several of this class may be taken in any order */
void do_raw_spin_lock(spinlock_t *lock, unsigned int subclass, struct lockdep_map *nest, unsigned long ip)
{
	u32 me = raw_smp_processor_id() + 1;

	if (unlikely(READ_ONCE(lock->owner_cpu) == me && debug_locks))
		spin_bug(lock, "locked again by its holder");
	spin_acquire_nest(&lock->dep_map, subclass, 0, nest, ip);
	arch_spin_lock(lock);
	WRITE_ONCE(lock->owner_cpu, me);
}

bool do_raw_spin_trylock(spinlock_t *lock, unsigned long ip)
{
	if (!arch_spin_trylock(lock))
		return false;
	WRITE_ONCE(lock->owner_cpu, raw_smp_processor_id() + 1);
	spin_acquire(&lock->dep_map, 0, 1, ip);
	return true;
}

void do_raw_spin_unlock(spinlock_t *lock, unsigned long ip)
{
	if (unlikely(READ_ONCE(lock->owner_cpu) != (u32)raw_smp_processor_id() + 1 && debug_locks))
		spin_bug(lock, "unlocked by a stranger");
	spin_release(&lock->dep_map, ip);
	WRITE_ONCE(lock->owner_cpu, 0);
	arch_spin_unlock(lock);
}
#endif
