/*
 * rsrc.c: files and buffers registered with a ring, so that requests need not look them up or map them each time.
 *
 * Idea:    a table of file references, indexed by slot; a request that uses one takes its own reference.
 *          A fixed buffer's pages are held (get_user_pages) and described as a vector of kernel addresses in the direct
 *          map, so a request copies to them from any context.
 * Known:   a fork lets the pages of a private mapping be copied on the next write by the program, as for everything that holds
 *          pages of others; the buffer then is the child's copy.
 * Locking: uring_lock.  A buffer that is unregistered lives until the requests that use it have ended.
 * See:     io_uring_register(2)
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <weft/capability.h>

#define MAX_FILES	(1U << 15)
#define MAX_BUFS	(1U << 14)
#define MAX_BUF_SIZE	(1UL << 30)

/* ---- files ---- */

struct file *io_fixed_file(struct io_ring_ctx *ctx, unsigned int slot)
{
	struct file *file = slot < ctx->files.nr ? ctx->files.files[slot] : NULL;

	return file ? get_file(file) : NULL;
}

int io_unregister_files(struct io_ring_ctx *ctx)
{
	struct io_file_table *t = &ctx->files;

	if (!t->files)
		return -ENXIO;
	for (unsigned int i = 0; i < t->nr; i++)
		if (t->files[i])
			fput(t->files[i]);
	kvfree(t->files);
	*t = (struct io_file_table){ 0 };
	return 0;
}

int io_remove_fixed(struct io_ring_ctx *ctx, unsigned int slot)
{
	struct io_file_table *t = &ctx->files;

	if (!t->files)
		return -ENXIO;
	if (slot >= t->nr)
		return -EINVAL;
	if (!t->files[slot])
		return -EBADF;
	fput(t->files[slot]);
	t->files[slot] = NULL;
	return 0;
}

/* fd -1: leave or make the slot empty. */
static int set_slot(struct io_file_table *t, unsigned int slot, s32 fd)
{
	struct file *file = NULL;

	if (fd == IORING_REGISTER_FILES_SKIP)
		return 0;
	if (fd != -1) {
		file = fget(fd);
		if (!file)
			return -EBADF;
		if (file_is_io_uring(file)) {	/* a ring that holds itself would never go */
			fput(file);
			return -EBADF;
		}
	}
	if (t->files[slot])
		fput(t->files[slot]);
	t->files[slot] = file;
	return 0;
}

/* How many were set, or -errno if none. */
int io_update_files(struct io_ring_ctx *ctx, u32 offset, const s32 __user *fds, unsigned int nr)
{
	struct io_file_table *t = &ctx->files;
	unsigned int i;
	int err = 0;
	s32 fd;

	if (!t->files)
		return -ENXIO;
	if (offset > t->nr || nr > t->nr - offset)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		err = get_user(fd, &fds[i]) ? -EFAULT : set_slot(t, offset + i, fd);
		if (err)
			break;
	}
	return i ? (int)i : err;
}

/* fds NULL: all slots empty. */
int io_register_files(struct io_ring_ctx *ctx, const void __user *fds, unsigned int nr)
{
	struct io_file_table *t = &ctx->files;
	int done;

	if (t->files)
		return -EBUSY;
	if (!nr)
		return -EINVAL;
	if (nr > MAX_FILES || nr > rlimit(RLIMIT_NOFILE))
		return -EMFILE;
	t->files = kvcalloc(nr, sizeof(*t->files), GFP_KERNEL);
	if (!t->files)
		return -ENOMEM;
	t->nr = t->alloc_end = nr;
	for (unsigned int i = 0; fds && i < nr; i++) {
		s32 fd;

		done = get_user(fd, (const s32 __user *)fds + i) ? -EFAULT : set_slot(t, i, fd);
		if (done) {
			io_unregister_files(ctx);
			return done;
		}
	}
	return 0;
}

static int free_slot(struct io_file_table *t)
{
	unsigned int room = t->alloc_end - t->alloc_start;

	for (unsigned int n = 0; n < room; n++) {
		unsigned int slot = t->alloc_start + (t->alloc_hint + n) % room;

		if (!t->files[slot]) {
			t->alloc_hint = (slot - t->alloc_start + 1) % room;
			return (int)slot;
		}
	}
	return -ENFILE;
}

/* A new file goes to slot (counted from 1, or "any").  Takes over the reference.  0, the slot that was chosen, or -errno. */
int io_install_fixed(struct io_kiocb *req, struct file *file, u32 slot, unsigned int issue_flags)
{
	struct io_file_table *t = &req->ctx->files;
	bool any = slot == IORING_FILE_INDEX_ALLOC;
	int ret;

	io_lock_unless_inline(req->ctx, issue_flags);
	if (file_is_io_uring(file))
		ret = -EBADF;
	else if (!t->files)
		ret = any ? -ENFILE : -ENXIO;
	else if (any)
		ret = free_slot(t);
	else
		ret = slot - 1 < t->nr ? (int)(slot - 1) : -EINVAL;
	if (ret >= 0) {
		if (t->files[ret])
			fput(t->files[ret]);
		t->files[ret] = file;
	}
	io_unlock_unless_inline(req->ctx, issue_flags);
	if (ret < 0)
		fput(file);
	return ret < 0 || any ? ret : 0;
}

int io_file_alloc_range(struct io_ring_ctx *ctx, const void __user *arg)
{
	struct { u32 off, len; u64 resv; } range;

	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	if (range.off + range.len < range.off)
		return -EOVERFLOW;
	if (range.resv || range.off + range.len > ctx->files.nr)
		return -EINVAL;
	ctx->files.alloc_start = range.off;
	ctx->files.alloc_end = range.off + range.len;
	ctx->files.alloc_hint = 0;
	return 0;
}

int io_files_update_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (req->flags & (REQ_F_FIXED_FILE | REQ_F_BUFFER_SELECT) || sqe->op_flags || sqe->splice_fd_in)
		return -EINVAL;
	req->files.offset = READ_ONCE(sqe->off);
	req->files.nr = READ_ONCE(sqe->len);
	req->files.addr = READ_ONCE(sqe->addr);
	return req->files.nr ? 0 : -EINVAL;
}

/* Offset "any": each file goes to a free slot, whose number replaces the descriptor. */
static int update_any(struct io_kiocb *req)
{
	s32 __user *fds = (s32 __user *)req->files.addr;
	struct io_file_table *t = &req->ctx->files;
	unsigned int i;
	int err = 0, slot;
	s32 fd;

	if (!t->files)
		return -ENXIO;
	for (i = 0; i < req->files.nr; i++) {
		slot = free_slot(t);
		err = slot < 0 ? slot : get_user(fd, &fds[i]) ? -EFAULT : fd < 0 ? -EBADF : set_slot(t, slot, fd);
		if (!err && put_user(slot, &fds[i])) {
			io_remove_fixed(req->ctx, slot);
			err = -EFAULT;
		}
		if (err)
			break;
	}
	return i ? (int)i : err;
}

int io_files_update_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int ret;

	if (req->files.offset == IORING_FILE_INDEX_ALLOC)
		ret = update_any(req);
	else
		ret = io_update_files(req->ctx, req->files.offset, (const s32 __user *)req->files.addr, req->files.nr);
	if (ret < 0)
		return ret;
	req->res = ret;
	return 0;
}

/* ---- buffers ---- */

void io_put_fixed_buffer(struct io_buf *b)
{
	if (!refcount_dec_and_test(&b->refs))
		return;
	for (unsigned int i = 0; i < b->nr_pages; i++)
		put_page(b->pages[i]);
	atomic_long_sub(b->charged, &b->user->locked_vm);
	kvfree(b->pages);
	kvfree(b);
}

/* Whoever may not lock at will has the pages counted against RLIMIT_MEMLOCK, over all rings of the user. */
static bool charge(struct io_buf *b, unsigned long nr)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (capable(CAP_IPC_LOCK))
		return true;
	b->charged = nr;
	return (unsigned long)atomic_long_add_return(nr, &b->user->locked_vm) <= limit;
}

/* Memory of a disk file would be changed behind the back of its write-back. */
static bool of_disk_file(const struct page *page)
{
	return !PageAnon(page) && !PageSwapBacked(page) && page->mapping;
}

/* The pages behind [addr, +len), held and described.  ERR_PTR. */
static struct io_buf *hold_buffer(struct io_ring_ctx *ctx, u64 addr, size_t len)
{
	unsigned long start = addr & PAGE_MASK, nr = (PAGE_ALIGN(addr + len) - start) >> PAGE_SHIFT;
	struct io_buf *b;
	size_t done = 0;
	int got;

	b = kvzalloc(sizeof(*b) + nr * sizeof(b->vec[0]), GFP_KERNEL);
	if (!b)
		return ERR_PTR(-ENOMEM);
	refcount_set(&b->refs, 1);
	b->addr = addr;
	b->len = len;
	b->user = ctx->user;
	b->pages = kvcalloc(nr, sizeof(*b->pages), GFP_KERNEL);
	if (!b->pages || !charge(b, nr)) {
		io_put_fixed_buffer(b);
		return ERR_PTR(-ENOMEM);
	}
	while (b->nr_pages < nr) {
		got = get_user_pages_fast(start + ((unsigned long)b->nr_pages << PAGE_SHIFT), (int)(nr - b->nr_pages),
					  FOLL_WRITE, b->pages + b->nr_pages);
		if (got <= 0) {
			io_put_fixed_buffer(b);
			return ERR_PTR(got ? got : -EFAULT);
		}
		b->nr_pages += got;
	}
	for (unsigned long i = 0; i < nr; i++) {
		size_t off = i ? 0 : addr - start, n = min(PAGE_SIZE - off, len - done);

		if (of_disk_file(b->pages[i])) {
			io_put_fixed_buffer(b);
			return ERR_PTR(-EOPNOTSUPP);
		}
		b->vec[i] = (struct kvec){ .iov_base = page_address(b->pages[i]) + off, .iov_len = n };
		done += n;
	}
	return b;
}

/* An empty entry is an empty slot: NULL. */
static struct io_buf *make_buffer(struct io_ring_ctx *ctx, const struct iovec *iov)
{
	u64 addr = (u64)iov->iov_base;

	if (!iov->iov_base)
		return iov->iov_len ? ERR_PTR(-EFAULT) : NULL;
	if (!iov->iov_len || iov->iov_len > MAX_BUF_SIZE)
		return ERR_PTR(-EFAULT);
	if (!access_ok((void __user *)addr, iov->iov_len))
		return ERR_PTR(-EFAULT);
	return hold_buffer(ctx, addr, iov->iov_len);
}

int io_unregister_buffers(struct io_ring_ctx *ctx)
{
	if (!ctx->bufs)
		return -ENXIO;
	for (unsigned int i = 0; i < ctx->nr_bufs; i++)
		if (ctx->bufs[i])
			io_put_fixed_buffer(ctx->bufs[i]);
	kvfree(ctx->bufs);
	ctx->bufs = NULL;
	ctx->nr_bufs = 0;
	return 0;
}

/* iov NULL: all slots empty. */
int io_register_buffers(struct io_ring_ctx *ctx, const struct iovec __user *iov, unsigned int nr)
{
	struct io_buf *b;
	struct iovec v;

	if (ctx->bufs)
		return -EBUSY;
	if (!nr || nr > MAX_BUFS)
		return -EINVAL;
	ctx->bufs = kvcalloc(nr, sizeof(*ctx->bufs), GFP_KERNEL);
	if (!ctx->bufs)
		return -ENOMEM;
	ctx->nr_bufs = nr;
	for (unsigned int i = 0; iov && i < nr; i++) {
		b = copy_from_user(&v, &iov[i], sizeof(v)) ? ERR_PTR(-EFAULT) : make_buffer(ctx, &v);
		if (IS_ERR(b)) {
			io_unregister_buffers(ctx);
			return PTR_ERR(b);
		}
		ctx->bufs[i] = b;
	}
	return 0;
}

int io_update_buffers(struct io_ring_ctx *ctx, u32 offset, const struct iovec __user *iov, unsigned int nr)
{
	struct io_buf *b;
	unsigned int i;
	struct iovec v;

	if (!ctx->bufs)
		return -ENXIO;
	if (offset > ctx->nr_bufs || nr > ctx->nr_bufs - offset)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		b = copy_from_user(&v, &iov[i], sizeof(v)) ? ERR_PTR(-EFAULT) : make_buffer(ctx, &v);
		if (IS_ERR(b))
			return i ? (int)i : PTR_ERR(b);
		if (ctx->bufs[offset + i])
			io_put_fixed_buffer(ctx->bufs[offset + i]);
		ctx->bufs[offset + i] = b;
	}
	return (int)i;
}

/* req->fixed: the buffer that it names, with a reference. */
int io_get_fixed_buffer(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_ring_ctx *ctx = req->ctx;

	if (req->fixed)
		return 0;
	io_lock_unless_inline(ctx, issue_flags);
	if (req->buf_index < ctx->nr_bufs && ctx->bufs[req->buf_index]) {
		req->flags |= REQ_F_PARTS;
		req->fixed = ctx->bufs[req->buf_index];
		refcount_inc(&req->fixed->refs);
	}
	io_unlock_unless_inline(ctx, issue_flags);
	return req->fixed ? 0 : -EFAULT;
}

/* [addr, +len) must lie in the buffer. */
int io_fixed_iter(struct io_buf *b, int direction, u64 addr, size_t len, struct iov_iter *iter)
{
	u64 off = addr - b->addr;

	if (addr < b->addr || off > b->len || len > b->len - off)
		return -EFAULT;
	iov_iter_kvec(iter, direction, b->vec, b->nr_pages, b->len);
	iov_iter_advance(iter, off);
	iov_iter_truncate(iter, len);
	return 0;
}
