/*
 * spinlock_types.h: what a spinlock and a reader-writer spinlock look like.  4 bytes in a release build.
 */
#ifndef WEFT_SPINLOCK_TYPES_H
#define WEFT_SPINLOCK_TYPES_H

#include <weft/types.h>
#include <weft/lockdep.h>

/*
 * locked is the lock; head and tail are the tickets of those who found it taken and wait in line (spinlock.c).
 * Debug builds also know the CPU that holds it and the class.
 */
typedef struct context_lock_struct(spinlock) spinlock {
	union {
		u32	val;
		struct {
			u8	locked;		/* [a] 1: taken */
			u8	pad;
			u8	head;		/* [a] whose turn it is among the waiting */
			u8	tail;		/* [a] the next ticket */
		};
	};
#ifdef CONFIG_DEBUG
	u32		owner_cpu;		/* [o] the holder's CPU + 1 */
#endif
	DEP_MAP_FIELD
} spinlock_t;
CONTEXT_LOCK_ASSERTS(spinlock_t)
typedef spinlock_t raw_spinlock_t;
typedef spinlock_t arch_spinlock_t;

#define __SPIN_LOCK_UNLOCKED(lockname)	{ { .val = 0 }, DEP_MAP_INIT(lockname) }
#define __RAW_SPIN_LOCK_UNLOCKED(lockname) __SPIN_LOCK_UNLOCKED(lockname)
#define __ARCH_SPIN_LOCK_UNLOCKED	{ { .val = 0 } }
#define DEFINE_SPINLOCK(x)		spinlock_t x = __SPIN_LOCK_UNLOCKED(x)
#define DEFINE_RAW_SPINLOCK(x)		DEFINE_SPINLOCK(x)

/* cnts: bits 0-7 a writer (waiting 1, holding 0xff), from bit 9 the number of readers. */
typedef struct context_lock_struct(rwlock) rwlock {
	u32		cnts;			/* [a] */
	spinlock_t	wait_lock;		/* the queue of those who must wait: writers, and readers in task context */
	DEP_MAP_FIELD
} rwlock_t;
CONTEXT_LOCK_ASSERTS(rwlock_t)

#define __RW_LOCK_UNLOCKED(lockname)	{ .wait_lock = { { .val = 0 } }, DEP_MAP_INIT(lockname) }
#define DEFINE_RWLOCK(x)		rwlock_t x = __RW_LOCK_UNLOCKED(x)

#endif
