/*
 * idr.c: small numbers for pointers, and small numbers alone.
 *
 * Idea:    an idr is an xarray whose free indices are searched; an ida is the same with a fixed value as entry.  A NULL
 *          pointer is kept as a reserved entry, so that a number can be taken first and be given its pointer later
 *          (idr_replace) by a step that cannot fail.
 * Locking: the xarray's lock, with interrupts off because pids and timers are given back in interrupts.
 */
#include <weft/idr.h>
#include <weft/kernel.h>
#include <weft/gfp.h>

/* [start, end) as an xarray's limits; end <= 0 means none. */
static struct xa_limit idr_limit(int start, int end)
{
	return XA_LIMIT(start, end > 0 ? end - 1 : INT_MAX);
}

/*
 * A GFP_NOWAIT caller may hold spin locks with interrupts off, so the lock is taken with irqsave; when gfp allows sleeping,
 * interrupts were on, and the xarray may drop and retake the lock with plain irq.
 */
int idr_alloc(struct idr *idr, void *ptr, int start, int end, gfp_t gfp)
{
	u32 id;
	int err;

	if (WARN_ON_ONCE(start < 0) || (end > 0 && end <= start))
		return end > 0 && start >= 0 ? -ENOSPC : -EINVAL;
	err = xa_alloc(&idr->idr_rt, &id, ptr, idr_limit(start, end), gfp);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;
	return (int)id;
}

int idr_alloc_cyclic(struct idr *idr, void *ptr, int start, int end, gfp_t gfp)
{
	struct xa_limit limit = idr_limit(start, end);
	unsigned int next = READ_ONCE(idr->idr_next);
	int id = -ENOSPC;

	if (next > limit.min && next <= limit.max)
		id = idr_alloc(idr, ptr, (int)next, end, gfp);
	if (id == -ENOSPC)
		id = idr_alloc(idr, ptr, start, end, gfp);
	if (id >= 0)
		WRITE_ONCE(idr->idr_next, (unsigned int)id + 1);
	return id;
}

void *idr_remove(struct idr *idr, unsigned long id)
{
	return xa_erase(&idr->idr_rt, id);
}

void *idr_find(struct idr *idr, unsigned long id)
{
	return xa_load(&idr->idr_rt, id);
}

void *idr_replace(struct idr *idr, void *ptr, unsigned long id)
{
	struct xarray *xa = &idr->idr_rt;
	unsigned long flags;
	void *old;

	xa_lock_irqsave(xa, flags);
	/* Taken?  A reserved number shows as NULL to loads but cannot be inserted over. */
	if (__xa_insert(xa, id, NULL, GFP_NOWAIT) == -EBUSY) {
		old = __xa_store(xa, id, ptr ? ptr : XA_ZERO_ENTRY, GFP_NOWAIT);
	} else {
		__xa_erase(xa, id);
		old = ERR_PTR(-ENOENT);
	}
	xa_unlock_irqrestore(xa, flags);
	return old;
}

void *idr_get_next(struct idr *idr, int *nextid)
{
	unsigned long id = (unsigned int)*nextid;
	void *entry = xa_find(&idr->idr_rt, &id, INT_MAX, XA_PRESENT);

	if (entry)
		*nextid = (int)id;
	return entry;
}

int idr_for_each(struct idr *idr, int (*fn)(int id, void *p, void *data), void *data)
{
	unsigned long id;
	void *entry;

	xa_for_each(&idr->idr_rt, id, entry) {
		int ret = fn((int)id, entry, data);

		if (ret)
			return ret;
	}
	return 0;
}

int ida_alloc_range(struct ida *ida, unsigned int min, unsigned int max, gfp_t gfp)
{
	u32 id;
	int err;

	if ((int)min < 0)
		return -ENOSPC;
	err = xa_alloc(&ida->xa, &id, xa_mk_value(0), XA_LIMIT(min, min_t(unsigned int, max, INT_MAX)), gfp);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;
	return (int)id;
}

void ida_free(struct ida *ida, unsigned int id)
{
	WARN_ON(!xa_erase(&ida->xa, id));
}
