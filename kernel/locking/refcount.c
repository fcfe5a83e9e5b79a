/*
 * refcount.c: the rare sides of reference counts: what is wrong, and giving up the last one under a lock.
 *
 * Idea:    a count that was misused is set to a large negative value, from which it does not come back: the object is never
 *          freed, which is a leak, instead of being used after it was freed.
 * See:     include/weft/refcount.h
 */
#include <weft/refcount.h>
#include <weft/bug.h>
#include <weft/mutex.h>
#include <weft/spinlock.h>

void refcount_warn_saturate(refcount_t *r, enum refcount_fault t)
{
	static const char *const what[] = {
		[REFCOUNT_ADD_OVF] = "too many references",
		[REFCOUNT_ADD_UAF] = "a reference to an object that has none left",
		[REFCOUNT_SUB_UAF] = "a reference given up that was not there",
		[REFCOUNT_DEC_LEAK] = "the last reference was given up by one who said it was not the last",
	};

	refcount_set(r, REFCOUNT_SATURATED);
	WARN(1, "refcount: %s\n", what[t]);
}

bool refcount_dec_not_one(refcount_t *r)
{
	int old = atomic_read(&r->refs);

	do {
		if (old == 1)
			return false;
		if (unlikely(old <= 0)) {
			refcount_warn_saturate(r, REFCOUNT_SUB_UAF);
			return true;
		}
	} while (!atomic_try_cmpxchg_release(&r->refs, &old, old - 1));
	return true;
}

bool refcount_dec_and_lock_irqsave(refcount_t *r, struct spinlock *lock, unsigned long *flags)
	__no_context_analysis	/* as above */
{
	unsigned long f;

	if (refcount_dec_not_one(r))
		return false;
	spin_lock_irqsave(lock, f);
	if (refcount_dec_and_test(r)) {
		*flags = f;
		return true;
	}
	spin_unlock_irqrestore(lock, f);
	return false;
}
