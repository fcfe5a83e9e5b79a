/*
 * lockref.c: counts that change by compare-and-exchange while the spin lock beside them is free.
 *
 * Idea:    see lockref.h.  LOCKREF_TRY reads the 64-bit word; while its lock half says "free" it tries to replace the word
 *          by one with the new count.  When the lock is taken, or spin locks are too large to share the word (debug
 *          builds), the caller goes on with the lock.
 * Locking: the operations may be called from any context in which the lock itself may be taken.
 */
#include <weft/lockref.h>
#include <weft/compiler.h>
#include <weft/bug.h>
#include <weft/atomic.h>
#include <weft/arch.h>

#define LOCKREF_FITS	(sizeof(spinlock_t) == 4)

union lockref_word {
	u64 word;
	struct {
		u32 lock;
		int count;
	};
};

/* With `old` the count read: `next` computes the new count or leaves by break; `done` runs when it was stored. */
#define LOCKREF_TRY(lockref, cur, next, done) do {					\
	union lockref_word cur;								\
	if (!LOCKREF_FITS)								\
		break;									\
	cur.word = READ_ONCE((lockref)->lock_count);					\
	while (likely(!cur.lock)) {							\
		union lockref_word old = cur;						\
		next									\
		if (likely(__atomic_compare_exchange_n(&(lockref)->lock_count, &old.word, cur.word, false, \
						       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))) {	\
			done								\
		}									\
		cur = old;								\
		cpu_relax();								\
	}										\
} while (0)

void lockref_get(struct lockref *lockref)
{
	LOCKREF_TRY(lockref, cur, cur.count++;, return;);

	spin_lock(&lockref->lock);
	lockref->count++;
	spin_unlock(&lockref->lock);
}

/* One more reference if there is at least one. */
bool lockref_get_not_zero(struct lockref *lockref)
{
	bool got = false;

	LOCKREF_TRY(lockref, cur, if (cur.count <= 0) return false; cur.count++;, return true;);

	spin_lock(&lockref->lock);
	if (lockref->count > 0) {
		lockref->count++;
		got = true;
	}
	spin_unlock(&lockref->lock);
	return got;
}

/* One more reference unless the object is dead; zero is fine. */
bool lockref_get_not_dead(struct lockref *lockref)
{
	bool got = false;

	LOCKREF_TRY(lockref, cur, if (cur.count < 0) return false; cur.count++;, return true;);

	spin_lock(&lockref->lock);
	if (lockref->count >= 0) {
		lockref->count++;
		got = true;
	}
	spin_unlock(&lockref->lock);
	return got;
}

/* Drops a reference when others are left: true.  Otherwise false with the lock held and the reference kept. */
bool lockref_put_or_lock(struct lockref *lockref)
{
	LOCKREF_TRY(lockref, cur, if (cur.count <= 1) break; cur.count--;, return true;);

	spin_lock(&lockref->lock);
	if (lockref->count <= 1)
		return false;
	lockref->count--;
	spin_unlock(&lockref->lock);
	return true;
}

/* No new references from now on.  lock held, count 0. */
void lockref_mark_dead(struct lockref *lockref)
{
	lockdep_assert_held(&lockref->lock);
	lockref->count = -128;
}
