/*
 * kbuf.c: provided buffers: the kernel picks one from a group when there is data, not when the request is made.
 *
 * Idea:    a group is either a list, filled by PROVIDE_BUFFERS, or a ring in the program's memory that it fills itself
 *          (REGISTER_PBUF_RING), whose pages are held like those of a fixed buffer.  The ring's tail is the program's: it only
 *          says how many entries may be read, at most as many as there are; the head is ours.
 * Locking: uring_lock.
 */
#include "ops.h"
#include <weft/log2.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <weft/vmalloc.h>

#define MAX_RING	32768

struct buffer {
	struct list_head	list;
	u64			addr;
	u32			len;
	u16			bid;
};

struct group {
	struct list_head	list;		/* struct buffer */
	struct io_uring_buf	*ring;		/* or this, mapped by vmap() */
	struct page		**pages;
	unsigned int		nr_pages, entries;
	u16			head;
};

static struct group *group_of(struct io_ring_ctx *ctx, unsigned int id)
{
	return xa_load(&ctx->groups, id);
}

static struct group *make_group(struct io_ring_ctx *ctx, unsigned int id)
{
	struct group *g = kzalloc(sizeof(*g), GFP_KERNEL);

	if (!g)
		return NULL;
	INIT_LIST_HEAD(&g->list);
	if (xa_err(xa_store(&ctx->groups, id, g, GFP_KERNEL))) {
		kfree(g);
		return NULL;
	}
	return g;
}

static unsigned int drop_buffers(struct group *g, unsigned int nr)
{
	unsigned int n = 0;

	while (n < nr && !list_empty(&g->list)) {
		struct buffer *b = list_first_entry(&g->list, struct buffer, list);

		list_del(&b->list);
		kfree(b);
		n++;
	}
	return n;
}

static void free_ring_of(struct group *g)
{
	if (g->ring)
		vunmap((void *)((unsigned long)g->ring & PAGE_MASK));
	for (unsigned int i = 0; i < g->nr_pages; i++)
		put_page(g->pages[i]);
	kvfree(g->pages);
}

static void free_group(struct group *g)
{
	drop_buffers(g, UINT_MAX);
	free_ring_of(g);
	kfree(g);
}

void io_destroy_groups(struct io_ring_ctx *ctx)
{
	unsigned long id;
	struct group *g;

	xa_for_each(&ctx->groups, id, g)
		free_group(g);
	xa_destroy(&ctx->groups);
}

/* ---- taking one ---- */

static bool take_from_list(struct group *g, struct io_kiocb *req)
{
	struct buffer *b = list_first_entry_or_null(&g->list, struct buffer, list);

	if (!b)
		return false;
	req->buf = (struct io_selected){ .addr = b->addr, .len = b->len, .bid = b->bid };
	list_del(&b->list);
	kfree(b);
	return true;
}

static bool take_from_ring(struct group *g, struct io_kiocb *req)
{
	u16 tail = smp_load_acquire(&g->ring[0].resv);
	struct io_uring_buf *b = &g->ring[g->head & (g->entries - 1)];

	if (tail == g->head)
		return false;
	req->buf = (struct io_selected){ .addr = READ_ONCE(b->addr), .len = READ_ONCE(b->len), .bid = READ_ONCE(b->bid) };
	req->flags |= REQ_F_BUFFER_RING;
	g->head++;
	return true;
}

/* A buffer of the request's group, cut to *len (0: all of it).  0, -ENOBUFS. */
int io_select_buffer(struct io_kiocb *req, u32 *len, u64 *addr, unsigned int issue_flags)
{
	struct group *g;
	bool got = true;

	if (!(req->flags & REQ_F_BUFFER_SELECTED)) {
		io_lock_unless_inline(req->ctx, issue_flags);
		g = group_of(req->ctx, req->buf_index);
		got = g && (g->ring ? take_from_ring(g, req) : take_from_list(g, req));
		io_unlock_unless_inline(req->ctx, issue_flags);
	}
	if (!got)
		return -ENOBUFS;
	req->flags |= REQ_F_BUFFER_SELECTED;
	req->buf.bgid = req->buf_index;
	*addr = req->buf.addr;
	if (!*len || *len > req->buf.len)
		*len = req->buf.len;
	return 0;
}

void io_keep_buffer(struct io_kiocb *req)
{
	req->cflags |= IORING_CQE_F_BUFFER | (u32)req->buf.bid << IORING_CQE_BUFFER_SHIFT;
	req->flags &= ~(REQ_F_BUFFER_SELECTED | REQ_F_BUFFER_RING);
}

/* The request waits: others may have the buffer meanwhile. */
void io_return_buffer(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_ring_ctx *ctx = req->ctx;
	struct buffer *b;
	struct group *g;

	if (!(req->flags & REQ_F_BUFFER_SELECTED))
		return;
	io_lock_unless_inline(ctx, issue_flags);
	g = group_of(ctx, req->buf.bgid);
	if (g && g->ring && req->flags & REQ_F_BUFFER_RING) {
		g->head--;
	} else if (g && !g->ring && (b = kmalloc(sizeof(*b), GFP_KERNEL)) != NULL) {
		*b = (struct buffer){ .addr = req->buf.addr, .len = req->buf.len, .bid = req->buf.bid };
		list_add(&b->list, &g->list);
	}
	io_unlock_unless_inline(ctx, issue_flags);
	req->flags &= ~(REQ_F_BUFFER_SELECTED | REQ_F_BUFFER_RING);
}

/* ---- PROVIDE_BUFFERS, REMOVE_BUFFERS ---- */

int io_provide_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	u64 bid = READ_ONCE(sqe->off);

	if (sqe->op_flags || sqe->splice_fd_in)
		return -EINVAL;
	req->kbuf.nr = READ_ONCE(sqe->fd);
	if (req->kbuf.nr <= 0 || req->kbuf.nr > USHRT_MAX)
		return -E2BIG;
	req->kbuf.addr = READ_ONCE(sqe->addr);
	req->kbuf.len = READ_ONCE(sqe->len);
	if (bid > USHRT_MAX)
		return -E2BIG;
	if (bid + req->kbuf.nr > USHRT_MAX)
		return -EINVAL;
	req->kbuf.bid = (u16)bid;
	return access_ok((void __user *)req->kbuf.addr, (u64)req->kbuf.nr * req->kbuf.len) ? 0 : -EFAULT;
}

int io_provide_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct group *g = group_of(req->ctx, req->buf_index);
	struct buffer *b;
	int i;

	if (!g)
		g = make_group(req->ctx, req->buf_index);
	if (!g)
		return -ENOMEM;
	if (g->ring)
		return -EINVAL;
	for (i = 0; i < req->kbuf.nr; i++) {
		b = kmalloc(sizeof(*b), GFP_KERNEL);
		if (!b)
			break;
		*b = (struct buffer){ .addr = req->kbuf.addr + (u64)i * req->kbuf.len, .bid = req->kbuf.bid + i,
				      .len = min(req->kbuf.len, (u32)MAX_RW_COUNT) };
		list_add_tail(&b->list, &g->list);
	}
	return i ? 0 : -ENOMEM;
}

int io_remove_buffers_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->op_flags || sqe->addr || sqe->len || sqe->off || sqe->splice_fd_in)
		return -EINVAL;
	req->kbuf.nr = READ_ONCE(sqe->fd);
	return req->kbuf.nr > 0 && req->kbuf.nr <= USHRT_MAX ? 0 : -EINVAL;
}

int io_remove_buffers_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct group *g = group_of(req->ctx, req->buf_index);

	if (!g)
		return -ENOENT;
	if (g->ring)
		return -EINVAL;
	req->res = (int)drop_buffers(g, req->kbuf.nr);
	return 0;
}

/* ---- rings of buffers ---- */

static int map_ring(struct group *g, u64 addr, unsigned int entries)
{
	unsigned int nr = PAGE_ALIGN(entries * sizeof(struct io_uring_buf)) >> PAGE_SHIFT;
	int got;

	g->pages = kvcalloc(nr, sizeof(*g->pages), GFP_KERNEL);
	if (!g->pages)
		return -ENOMEM;
	while (g->nr_pages < nr) {
		got = get_user_pages_fast(addr + ((u64)g->nr_pages << PAGE_SHIFT), (int)(nr - g->nr_pages), FOLL_WRITE,
					  g->pages + g->nr_pages);
		if (got <= 0)
			return got ? got : -EFAULT;
		g->nr_pages += got;
	}
	g->ring = vmap(g->pages, nr, VM_MAP, PAGE_KERNEL);
	g->entries = entries;
	return g->ring ? 0 : -ENOMEM;
}

int io_register_buffer_ring(struct io_ring_ctx *ctx, const void __user *arg)
{
	struct io_uring_buf_reg reg;
	struct group *g, *old;
	int err;

	if (copy_from_user(&reg, arg, sizeof(reg)))
		return -EFAULT;
	if (reg.pad || reg.resv[0] | reg.resv[1] | reg.resv[2] || !is_power_of_2(reg.ring_entries))
		return -EINVAL;
	if (!reg.ring_addr || reg.ring_addr & ~PAGE_MASK)
		return reg.ring_addr ? -EINVAL : -EFAULT;
	if (reg.ring_entries > MAX_RING)
		return -EINVAL;
	old = group_of(ctx, reg.bgid);
	if (old && (old->ring || !list_empty(&old->list)))
		return -EEXIST;
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	INIT_LIST_HEAD(&g->list);
	err = map_ring(g, reg.ring_addr, reg.ring_entries);
	if (!err)
		err = xa_err(xa_store(&ctx->groups, reg.bgid, g, GFP_KERNEL));
	if (err)
		free_group(g);
	else if (old)
		free_group(old);
	return err;
}

int io_unregister_buffer_ring(struct io_ring_ctx *ctx, const void __user *arg)
{
	struct io_uring_buf_reg reg;
	struct group *g;

	if (copy_from_user(&reg, arg, sizeof(reg)))
		return -EFAULT;
	if (reg.pad || reg.resv[0] | reg.resv[1] | reg.resv[2])
		return -EINVAL;
	g = group_of(ctx, reg.bgid);
	if (!g)
		return -ENOENT;
	if (!g->ring)
		return -EINVAL;
	xa_erase(&ctx->groups, reg.bgid);
	free_group(g);
	return 0;
}
