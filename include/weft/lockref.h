/*
 * lockref.h: a count beside a spin lock, changed without taking the lock as long as nobody holds it.
 *
 * Idea:    lock and count lie in one 64-bit word; compare-and-exchange replaces the count while the lock half reads
 *          "free".  Whoever holds the lock may thus rely on the count standing still.  In debug builds, where a spin lock
 *          is larger, every operation simply takes the lock.
 * See:     kernel/fs/dcache.c; kernel/lib/lockref.c
 */
#ifndef WEFT_LOCKREF_H
#define WEFT_LOCKREF_H

#include <weft/spinlock.h>

struct lockref {
	union {
		u64 lock_count;
		struct {
			spinlock_t lock;
			int count;	/* [lock, or compare-and-exchange while it is free]; negative: dead */
		};
	};
};

void lockref_get(struct lockref *lockref);			/* the caller has a reference already */
bool lockref_get_not_zero(struct lockref *lockref);
bool lockref_get_not_dead(struct lockref *lockref);
/* false: it was the last; the lock is held, the count still 1 */
bool lockref_put_or_lock(struct lockref *lockref) __cond_acquires(false, &lockref->lock);
void lockref_mark_dead(struct lockref *lockref);		/* lock held */
static inline bool __lockref_is_dead(const struct lockref *l) { return l->count < 0; }

#endif
