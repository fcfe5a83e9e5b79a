/*
 * refcount.h: a count of holders.  It never comes back from 0, and one that overflows or is used after 0 sticks at a
 * large value and warns: a leak instead of a use after free.
 *
 * Idea:    negative values are the saturated state; the sign of the old value tells, at no cost on the good path.
 */
#ifndef WEFT_REFCOUNT_H
#define WEFT_REFCOUNT_H

#include <weft/atomic.h>
#include <weft/compiler.h>

struct spinlock;
struct mutex;

typedef struct refcount_struct { atomic_t refs; } refcount_t;

#define REFCOUNT_INIT(n)	{ .refs = ATOMIC_INIT(n) }
#define REFCOUNT_SATURATED	(-0x40000000)

enum refcount_fault { REFCOUNT_ADD_OVF, REFCOUNT_ADD_UAF, REFCOUNT_SUB_UAF, REFCOUNT_DEC_LEAK };
void refcount_warn_saturate(refcount_t *r, enum refcount_fault t) __cold;	/* locking/refcount.c */

static inline void refcount_set(refcount_t *r, int n) { atomic_set(&r->refs, n); }
static inline unsigned int refcount_read(const refcount_t *r) { return atomic_read(&r->refs); }

static inline void refcount_add(int i, refcount_t *r)
{
	int old = atomic_fetch_add_relaxed(i, &r->refs);

	if (unlikely(old <= 0))
		refcount_warn_saturate(r, REFCOUNT_ADD_UAF);
	else if (unlikely(old > 0x7fffffff - i))
		refcount_warn_saturate(r, REFCOUNT_ADD_OVF);
}
static inline void refcount_inc(refcount_t *r) { refcount_add(1, r); }

/* For objects that are found under RCU: false when the last holder has gone already. */
static inline bool __must_check refcount_add_not_zero(int i, refcount_t *r)
{
	int old = atomic_read(&r->refs);

	do {
		if (!old)
			return false;
	} while (!atomic_try_cmpxchg_relaxed(&r->refs, &old, old + i));
	if (unlikely(old < 0 || old > 0x7fffffff - i))
		refcount_warn_saturate(r, REFCOUNT_ADD_OVF);
	return true;
}
static inline bool __must_check refcount_inc_not_zero(refcount_t *r) { return refcount_add_not_zero(1, r); }

/* True for the caller who gave up the last one: what it did before is seen by whoever frees. */
static inline bool __must_check refcount_sub_and_test(int i, refcount_t *r)
{
	int old = atomic_fetch_sub_release(i, &r->refs);

	if (old == i) {
		smp_acquire__after_ctrl_dep();
		return true;
	}
	if (unlikely(old < 0 || old < i))
		refcount_warn_saturate(r, REFCOUNT_SUB_UAF);
	return false;
}
static inline bool __must_check refcount_dec_and_test(refcount_t *r) { return refcount_sub_and_test(1, r); }

/* When the caller knows that others remain. */
static inline void refcount_dec(refcount_t *r)
{
	if (unlikely(atomic_fetch_sub_release(1, &r->refs) <= 1))
		refcount_warn_saturate(r, REFCOUNT_DEC_LEAK);
}

/* locking/refcount.c */
bool refcount_dec_not_one(refcount_t *r);	/* takes one off unless it is the last */
/* Takes one off; when it was the last, returns true with the lock held. */
bool refcount_dec_and_lock_irqsave(refcount_t *r, struct spinlock *lock, unsigned long *flags) __cond_acquires(true, lock);

#endif
