/*
 * xarray.h: an array of pointers indexed by unsigned long, sparse, with three marks for each entry.
 *
 * What:    a radix tree of 64-way nodes.  Entries are pointers, or small numbers made by xa_mk_value(); NULL is "absent".
 *          Marks 0-2 are kept for each entry and, or-ed, for each subtree, so marked entries are found fast.
 * Locking: look-ups (xa_load, xa_find, xa_for_each, xa_get_mark) need no lock, they use RCU; changes take xa_lock, the
 *          plain functions themselves, the __xa_ ones the caller.  __xa_store() and friends may drop the lock to allocate
 *          if gfp allows sleeping.  Use the _irq or _bh forms where the lock is taken in interrupts.
 * Cost:    O(log64 of the largest index).
 * See:     kernel/lib/xarray.c
 */
#ifndef WEFT_XARRAY_H
#define WEFT_XARRAY_H

#include <weft/types.h>
#include <weft/bug.h>
#include <weft/err.h>
#include <weft/spinlock.h>
#include <weft/limits.h>

typedef unsigned int xa_mark_t;
#define XA_MARK_0		0u
#define XA_MARK_1		1u
#define XA_MARK_2		2u
#define XA_PRESENT		8u		/* as a filter: any entry */
#define XA_MAX_MARKS		3
#define XA_FREE_MARK		XA_MARK_0	/* unused name kept for readers of Linux */

#define XA_FLAGS_LOCK_IRQ	1u		/* the lock is taken with interrupts off when memory is allocated */
#define XA_FLAGS_LOCK_BH	2u
#define XA_FLAGS_ALLOC		4u		/* xa_alloc() will be used, from 0 */
#define XA_FLAGS_ALLOC1		8u		/* ... from 1 */
#define XA_FLAGS_ACCOUNT	16u

struct xarray {
	spinlock_t	xa_lock;
	gfp_t		xa_flags;	/* XA_FLAGS_*; marks of the whole array in the top bits [xa_lock] */
	void		*xa_head;	/* [r:xa_lock] the entry at index 0, or the root node */
};

#define XARRAY_INIT(name, flags)	{ .xa_lock = __SPIN_LOCK_UNLOCKED(name.xa_lock), .xa_flags = (flags), .xa_head = NULL }
#define DEFINE_XARRAY_FLAGS(name, flags) struct xarray name = XARRAY_INIT(name, flags)
#define DEFINE_XARRAY(name)		DEFINE_XARRAY_FLAGS(name, 0)
#define DEFINE_XARRAY_ALLOC(name)	DEFINE_XARRAY_FLAGS(name, XA_FLAGS_ALLOC)
#define DEFINE_XARRAY_ALLOC1(name)	DEFINE_XARRAY_FLAGS(name, XA_FLAGS_ALLOC | XA_FLAGS_ALLOC1)
#define xa_init_flags(xa, flags) \
	do { spin_lock_init(&(xa)->xa_lock); (xa)->xa_flags = (flags); (xa)->xa_head = NULL; } while (0)
#define xa_init(xa)			xa_init_flags(xa, 0)

#define xa_trylock(xa)			spin_trylock(&(xa)->xa_lock)
#define xa_lock(xa)			spin_lock(&(xa)->xa_lock)
#define xa_unlock(xa)			spin_unlock(&(xa)->xa_lock)
#define xa_lock_bh(xa)			spin_lock_bh(&(xa)->xa_lock)
#define xa_unlock_bh(xa)		spin_unlock_bh(&(xa)->xa_lock)
#define xa_lock_irq(xa)			spin_lock_irq(&(xa)->xa_lock)
#define xa_unlock_irq(xa)		spin_unlock_irq(&(xa)->xa_lock)
#define xa_lock_irqsave(xa, flags)	spin_lock_irqsave(&(xa)->xa_lock, flags)
#define xa_unlock_irqrestore(xa, flags)	spin_unlock_irqrestore(&(xa)->xa_lock, flags)

/* Numbers as entries: bit 0 set.  Pointers to be stored must be 4-byte aligned. */
static inline void *xa_mk_value(unsigned long v) { return (void *)((v << 1) | 1); }
static inline unsigned long xa_to_value(const void *entry) { return (unsigned long)entry >> 1; }
static inline bool xa_is_value(const void *entry) { return (unsigned long)entry & 1; }
/* Errors as results of xa_store(): internal entries with the number in the upper bits. */
static inline void *xa_mk_err(long err) { return (void *)((unsigned long)(err << 2) | 2); }
static inline bool xa_is_err(const void *entry)
{
	return ((unsigned long)entry & 3) == 2 && (unsigned long)entry >= (unsigned long)xa_mk_err(-MAX_ERRNO);
}
static inline int xa_err(void *entry) { return xa_is_err(entry) ? (int)((long)entry >> 2) : 0; }
#define XA_ZERO_ENTRY	((void *)(unsigned long)((257u << 2) | 2))	/* reserved: xa_load() shows NULL */
static inline bool xa_is_zero(const void *entry) { return entry == XA_ZERO_ENTRY; }

struct xa_limit { u32 max, min; };
#define XA_LIMIT(_min, _max)	((struct xa_limit){ .min = (_min), .max = (_max) })
#define xa_limit_32b		XA_LIMIT(0, UINT_MAX)
#define xa_limit_31b		XA_LIMIT(0, INT_MAX)
#define xa_limit_16b		XA_LIMIT(0, USHRT_MAX)

void *xa_load(struct xarray *xa, unsigned long index);
/* Stores and returns what was there, or an xa_err() entry: -ENOMEM, -EINVAL.  Storing NULL erases. */
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
/* Stores only if old is there; returns what was there. */
void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp);
int __must_check xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);	/* 0, -EBUSY, -ENOMEM */
int xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp);		/* room for a later store that cannot fail */
void xa_release(struct xarray *xa, unsigned long index);
/* Stores at the lowest free index within the limits.  0, -ENOMEM, or -EBUSY when there is none. */
int __must_check xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp);
/* ... from *next on, going round; then 1.  *next is kept for the next call. */
int __must_check xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp);
bool xa_get_mark(struct xarray *xa, unsigned long index, xa_mark_t mark);
void xa_set_mark(struct xarray *xa, unsigned long index, xa_mark_t mark);
void xa_clear_mark(struct xarray *xa, unsigned long index, xa_mark_t mark);
/* The first entry at or after *index (xa_find_after: after) and not beyond max that the filter takes; *index says where. */
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, xa_mark_t filter);
void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max, xa_mark_t filter);
/* Copies up to n entries from start on; returns how many. */
unsigned int xa_extract(struct xarray *xa, void **dst, unsigned long start, unsigned long max, unsigned int n,
			xa_mark_t filter);
void xa_destroy(struct xarray *xa);			/* forgets all entries, frees all nodes */
/* The first index >= index without an entry (for read-ahead); max + 1 when all within max are there. */
unsigned long xa_next_gap(struct xarray *xa, unsigned long index, unsigned long max);

/* The same with xa_lock held by the caller. */
void *__xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp) __must_hold(&xa->xa_lock);
void *__xa_erase(struct xarray *xa, unsigned long index) __must_hold(&xa->xa_lock);
void *__xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp) __must_hold(&xa->xa_lock);
int __must_check __xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp) __must_hold(&xa->xa_lock);
int __must_check __xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
	__must_hold(&xa->xa_lock);
int __must_check __xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp)
	__must_hold(&xa->xa_lock);
void __xa_set_mark(struct xarray *xa, unsigned long index, xa_mark_t mark) __must_hold(&xa->xa_lock);
void __xa_clear_mark(struct xarray *xa, unsigned long index, xa_mark_t mark) __must_hold(&xa->xa_lock);

void *xa_store_irq(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase_irq(struct xarray *xa, unsigned long index);
int __must_check xa_insert_irq(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int __must_check xa_alloc_irq(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp);
int __must_check xa_alloc_cyclic_irq(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp);

static inline bool xa_empty(const struct xarray *xa) { return READ_ONCE(xa->xa_head) == NULL; }
bool xa_marked(const struct xarray *xa, xa_mark_t mark);	/* has any entry this mark? */

#define xa_for_each_range(xa, index, entry, start, last)		\
	for (index = start, entry = xa_find(xa, &index, last, XA_PRESENT); entry; \
	     entry = xa_find_after(xa, &index, last, XA_PRESENT))
#define xa_for_each_start(xa, index, entry, start)	xa_for_each_range(xa, index, entry, start, ULONG_MAX)
#define xa_for_each(xa, index, entry)			xa_for_each_start(xa, index, entry, 0)
#define xa_for_each_marked(xa, index, entry, filter)			\
	for (index = 0, entry = xa_find(xa, &index, ULONG_MAX, filter); entry; \
	     entry = xa_find_after(xa, &index, ULONG_MAX, filter))

void xarray_init(void);			/* makes the slab cache of nodes; after mm_core_init() */

#endif
