/*
 * idr.h: small numbers for pointers (idr), and small numbers alone (ida).
 *
 * What:    idr is an xarray seen as "give me the lowest free number for this pointer".  The caller locks idr_alloc and
 *          idr_remove against each other, or not at all: the xarray's own lock suffices for consistency.
 *          ida locks itself.
 */
#ifndef WEFT_IDR_H
#define WEFT_IDR_H

#include <weft/xarray.h>

struct idr {
	struct xarray	idr_rt;
	unsigned int	idr_next;	/* [-] hint of idr_alloc_cyclic */
};

#define IDR_INIT(name)		{ .idr_rt = XARRAY_INIT(name, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ) }
#define DEFINE_IDR(name)	struct idr name = IDR_INIT(name)
#define idr_init(idr) do {							\
	xa_init_flags(&(idr)->idr_rt, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ);	\
	(idr)->idr_next = 0;							\
} while (0)

/* end <= 0: no limit; otherwise the number is below it.  The number, -ENOMEM or -ENOSPC. */
int idr_alloc(struct idr *idr, void *ptr, int start, int end, gfp_t gfp);
int idr_alloc_cyclic(struct idr *idr, void *ptr, int start, int end, gfp_t gfp);
void *idr_remove(struct idr *idr, unsigned long id);
void *idr_find(struct idr *idr, unsigned long id);		/* under RCU or a lock */
void *idr_replace(struct idr *idr, void *ptr, unsigned long id);	/* the old one, or ERR_PTR(-ENOENT) */
void *idr_get_next(struct idr *idr, int *nextid);
int idr_for_each(struct idr *idr, int (*fn)(int id, void *p, void *data), void *data);
static inline void idr_destroy(struct idr *idr) { xa_destroy(&idr->idr_rt); }
static inline bool idr_is_empty(const struct idr *idr) { return xa_empty(&idr->idr_rt); }
/* Memory for the next idr_alloc() with GFP_NOWAIT: nothing to do, nodes come from a slab cache with reserves. */
static inline void idr_preload(gfp_t gfp) { (void)gfp; preempt_disable(); }
static inline void idr_preload_end(void) { preempt_enable(); }
static inline unsigned int idr_get_cursor(const struct idr *idr) { return READ_ONCE(idr->idr_next); }
static inline void idr_set_cursor(struct idr *idr, unsigned int val) { WRITE_ONCE(idr->idr_next, val); }

#define idr_for_each_entry(idr, entry, id) \
	for (id = 0; ((entry) = idr_get_next(idr, &(id))) != NULL; id += 1U)
#define idr_for_each_entry_continue(idr, entry, id) \
	for ((entry) = idr_get_next((idr), &(id)); entry; ++id, (entry) = idr_get_next((idr), &(id)))

struct ida {
	struct xarray xa;
};
#define IDA_INIT(name)		{ .xa = XARRAY_INIT(name, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ) }
#define DEFINE_IDA(name)	struct ida name = IDA_INIT(name)
#define ida_init(ida)		xa_init_flags(&(ida)->xa, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ)
/* The lowest free number of [min, max]; -ENOMEM or -ENOSPC. */
int ida_alloc_range(struct ida *ida, unsigned int min, unsigned int max, gfp_t gfp);
void ida_free(struct ida *ida, unsigned int id);
static inline int ida_alloc(struct ida *ida, gfp_t gfp) { return ida_alloc_range(ida, 0, ~0u >> 1, gfp); }
static inline int ida_alloc_min(struct ida *ida, unsigned int min, gfp_t gfp)
{
	return ida_alloc_range(ida, min, ~0u >> 1, gfp);
}
static inline int ida_alloc_max(struct ida *ida, unsigned int max, gfp_t gfp) { return ida_alloc_range(ida, 0, max, gfp); }
static inline void ida_destroy(struct ida *ida) { xa_destroy(&ida->xa); }

#endif
