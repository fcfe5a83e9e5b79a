/*
 * register.c: io_uring_register(2): what is set up once for a ring.
 *
 * Locking: all under uring_lock, except what concerns only the calling task.
 * See:     io_uring_register(2)
 */
#include "ops.h"
#include <weft/cred.h>
#include <weft/eventfd.h>
#include <weft/file.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

static int set_eventfd(struct io_ring_ctx *ctx, const s32 __user *arg, bool async_only)
{
	struct eventfd_ctx *evfd;
	struct file *file;
	s32 fd;

	if (ctx->evfd)
		return -EBUSY;
	if (get_user(fd, arg))
		return -EFAULT;
	file = eventfd_fget(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	evfd = eventfd_ctx_fileget(file);
	fput(file);
	if (IS_ERR(evfd))
		return PTR_ERR(evfd);
	spin_lock(&ctx->completion_lock);
	ctx->evfd = evfd;
	ctx->evfd_async_only = async_only;
	spin_unlock(&ctx->completion_lock);
	return 0;
}

static int unset_eventfd(struct io_ring_ctx *ctx)
{
	struct eventfd_ctx *evfd;

	spin_lock(&ctx->completion_lock);
	evfd = ctx->evfd;
	ctx->evfd = NULL;
	spin_unlock(&ctx->completion_lock);
	if (!evfd)
		return -ENXIO;
	eventfd_ctx_put(evfd);
	return 0;
}

static int probe(void __user *arg, unsigned int nr_args)
{
	unsigned int nr = min_t(unsigned int, nr_args, IORING_OP_LAST);
	size_t size = sizeof(struct io_uring_probe) + nr * sizeof(struct io_uring_probe_op);
	struct io_uring_probe *p;
	int err = 0;

	if (nr_args > 256)
		return -EINVAL;
	p = memdup_user(arg, size);
	if (IS_ERR(p))
		return PTR_ERR(p);
	for (size_t i = 0; i < size && !err; i++)
		err = ((u8 *)p)[i] ? -EINVAL : 0;
	if (!err) {
		p->last_op = IORING_OP_LAST - 1;
		p->ops_len = (u8)nr;
		for (unsigned int i = 0; i < nr; i++) {
			p->ops[i].op = (u8)i;
			p->ops[i].flags = io_ops[i].issue ? IO_URING_OP_SUPPORTED : 0;
		}
		err = copy_to_user(arg, p, size) ? -EFAULT : 0;
	}
	kfree(p);
	return err;
}

static int add_personality(struct io_ring_ctx *ctx)
{
	const struct cred *cred = get_current_cred();
	int id = idr_alloc_cyclic(&ctx->personalities, (void *)cred, 1, 65536, GFP_KERNEL);

	if (id < 0)
		put_cred(cred);
	return id;
}

static int remove_personality(struct io_ring_ctx *ctx, unsigned int id)
{
	const struct cred *cred = idr_remove(&ctx->personalities, id);

	if (!cred)
		return -EINVAL;
	put_cred(cred);
	return 0;
}

static int add_restriction(struct io_restrictions *r, const struct io_uring_restriction *u)
{
	switch (u->opcode) {
	case IORING_RESTRICTION_REGISTER_OP:
		if (u->arg >= IORING_REGISTER_LAST)
			return -EINVAL;
		r->register_ops |= 1ULL << u->arg;
		return 0;
	case IORING_RESTRICTION_SQE_OP:
		if (u->arg >= IORING_OP_LAST)
			return -EINVAL;
		r->sqe_ops |= 1ULL << u->arg;
		return 0;
	case IORING_RESTRICTION_SQE_FLAGS_ALLOWED:
		r->sqe_flags_allowed = u->arg;
		return 0;
	case IORING_RESTRICTION_SQE_FLAGS_REQUIRED:
		r->sqe_flags_required = u->arg;
		return 0;
	}
	return -EINVAL;
}

/* Once, on a ring that has not begun: afterwards only what is named is allowed. */
static int set_restrictions(struct io_ring_ctx *ctx, const struct io_uring_restriction __user *arg, unsigned int nr)
{
	struct io_restrictions r = { .registered = true };
	struct io_uring_restriction u;
	int err;

	if (!(ctx->flags & IORING_SETUP_R_DISABLED))
		return -EBADFD;
	if (ctx->restrictions.registered)
		return -EBUSY;
	if (nr > 256)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++) {
		if (copy_from_user(&u, &arg[i], sizeof(u)))
			return -EFAULT;
		err = add_restriction(&r, &u);
		if (err)
			return err;
	}
	ctx->restrictions = r;
	ctx->strict = true;
	return 0;
}

static int enable_rings(struct io_ring_ctx *ctx)
{
	if (!(ctx->flags & IORING_SETUP_R_DISABLED))
		return -EBADFD;
	if (ctx->flags & IORING_SETUP_SINGLE_ISSUER && !ctx->submitter)
		ctx->submitter = current;
	WRITE_ONCE(ctx->flags, ctx->flags & ~IORING_SETUP_R_DISABLED);
	if (ctx->sq)
		io_sq_thread_wake(ctx);
	return 0;
}

static int update_files(struct io_ring_ctx *ctx, const void __user *arg, unsigned int nr)
{
	struct io_uring_rsrc_update u;

	if (!nr)
		return -EINVAL;
	if (copy_from_user(&u, arg, sizeof(u)))
		return -EFAULT;
	return u.resv ? -EINVAL : io_update_files(ctx, u.offset, (const s32 __user *)u.data, nr);
}

#define IORING_RSRC_REGISTER_SPARSE	1U

struct rsrc_register {
	u32	nr, flags;
	u64	resv2, data, tags;
};
struct rsrc_update2 {
	u32	offset, resv;
	u64	data, tags;
	u32	nr, resv2;
};

/* The newer forms.  Tags, which would tell when a resource is not used any more, are refused. */
static int register_rsrc(struct io_ring_ctx *ctx, const void __user *arg, unsigned int size, bool files)
{
	struct rsrc_register rr;

	if (size != sizeof(rr))
		return -EINVAL;
	if (copy_from_user(&rr, arg, sizeof(rr)))
		return -EFAULT;
	if (!rr.nr || rr.resv2 || rr.flags & ~IORING_RSRC_REGISTER_SPARSE || rr.tags)
		return -EINVAL;
	if (rr.flags & IORING_RSRC_REGISTER_SPARSE ? rr.data != 0 : rr.data == 0)
		return rr.data ? -EINVAL : -EFAULT;
	return files ? io_register_files(ctx, (void __user *)rr.data, rr.nr) :
		       io_register_buffers(ctx, (const struct iovec __user *)rr.data, rr.nr);
}

static int update_rsrc(struct io_ring_ctx *ctx, const void __user *arg, unsigned int size, bool files)
{
	struct rsrc_update2 u;

	if (size != sizeof(u))
		return -EINVAL;
	if (copy_from_user(&u, arg, sizeof(u)))
		return -EFAULT;
	if (!u.nr || u.resv || u.resv2 || u.tags)
		return -EINVAL;
	return files ? io_update_files(ctx, u.offset, (const s32 __user *)u.data, u.nr) :
		       io_update_buffers(ctx, u.offset, (const struct iovec __user *)u.data, u.nr);
}

static int max_workers(void __user *arg)
{
	u32 counts[2];
	int err;

	if (copy_from_user(counts, arg, sizeof(counts)))
		return -EFAULT;
	err = io_wq_max_workers(current->io_uring, counts);
	return err ? err : copy_to_user(arg, counts, sizeof(counts)) ? -EFAULT : 0;
}

/* arg and nr: those that need them have them. */
static bool arguments_fit(unsigned int op, const void __user *arg, unsigned int nr)
{
	switch (op) {
	case IORING_UNREGISTER_BUFFERS: case IORING_UNREGISTER_FILES: case IORING_UNREGISTER_EVENTFD:
	case IORING_REGISTER_ENABLE_RINGS: case IORING_REGISTER_PERSONALITY:
		return !arg && !nr;
	case IORING_UNREGISTER_PERSONALITY:
		return !arg;
	case IORING_REGISTER_EVENTFD: case IORING_REGISTER_EVENTFD_ASYNC: case IORING_REGISTER_PBUF_RING:
	case IORING_UNREGISTER_PBUF_RING: case IORING_REGISTER_SYNC_CANCEL:
		return arg && nr == 1;
	case IORING_REGISTER_IOWQ_MAX_WORKERS:
		return arg && nr == 2;
	case IORING_REGISTER_FILE_ALLOC_RANGE:
		return arg && !nr;
	case IORING_REGISTER_BUFFERS: case IORING_REGISTER_PROBE:
		return arg && nr;
	}
	return true;
}

static int do_register(struct io_ring_ctx *ctx, unsigned int op, void __user *arg, unsigned int nr)
	__must_hold(&ctx->uring_lock)
{
	switch (op) {
	case IORING_REGISTER_BUFFERS:		return io_register_buffers(ctx, arg, nr);
	case IORING_UNREGISTER_BUFFERS:		return io_unregister_buffers(ctx);
	case IORING_REGISTER_FILES:		return arg ? io_register_files(ctx, arg, nr) : -EFAULT;
	case IORING_UNREGISTER_FILES:		return io_unregister_files(ctx);
	case IORING_REGISTER_FILES_UPDATE:	return update_files(ctx, arg, nr);
	case IORING_REGISTER_EVENTFD:		return set_eventfd(ctx, arg, false);
	case IORING_REGISTER_EVENTFD_ASYNC:	return set_eventfd(ctx, arg, true);
	case IORING_UNREGISTER_EVENTFD:		return unset_eventfd(ctx);
	case IORING_REGISTER_PROBE:		return probe(arg, nr);
	case IORING_REGISTER_PERSONALITY:	return add_personality(ctx);
	case IORING_UNREGISTER_PERSONALITY:	return remove_personality(ctx, nr);
	case IORING_REGISTER_RESTRICTIONS:	return set_restrictions(ctx, arg, nr);
	case IORING_REGISTER_ENABLE_RINGS:	return enable_rings(ctx);
	case IORING_REGISTER_FILES2:		return register_rsrc(ctx, arg, nr, true);
	case IORING_REGISTER_FILES_UPDATE2:	return update_rsrc(ctx, arg, nr, true);
	case IORING_REGISTER_BUFFERS2:		return register_rsrc(ctx, arg, nr, false);
	case IORING_REGISTER_BUFFERS_UPDATE:	return update_rsrc(ctx, arg, nr, false);
	case IORING_REGISTER_IOWQ_MAX_WORKERS:	return max_workers(arg);
	case IORING_REGISTER_RING_FDS:		return io_register_ring_fds(ctx, arg, nr);
	case IORING_UNREGISTER_RING_FDS:	return io_unregister_ring_fds(arg, nr);
	case IORING_REGISTER_PBUF_RING:		return io_register_buffer_ring(ctx, arg);
	case IORING_UNREGISTER_PBUF_RING:	return io_unregister_buffer_ring(ctx, arg);
	case IORING_REGISTER_SYNC_CANCEL:	return io_sync_cancel(ctx, arg);
	case IORING_REGISTER_FILE_ALLOC_RANGE:	return io_file_alloc_range(ctx, arg);
	}
	return -EINVAL;
}

long sys_io_uring_register(unsigned int fd, unsigned int op, void __user *arg, unsigned int nr_args)
{
	struct io_ring_ctx *ctx;
	struct fd ring;
	long ret;

	if (op >= IORING_REGISTER_LAST)
		return -EINVAL;
	ret = io_ring_get(fd, false, &ring);
	if (ret)
		return ret;
	ctx = ring.file->private_data;
	ret = io_uring_add_task(ctx);
	if (ret)
		goto out;
	mutex_lock(&ctx->uring_lock);
	if (ctx->submitter && ctx->submitter != current)
		ret = -EEXIST;
	else if (ctx->restrictions.registered && !(ctx->flags & IORING_SETUP_R_DISABLED) &&
		 !(ctx->restrictions.register_ops & 1ULL << op))
		ret = -EACCES;
	else
		ret = arguments_fit(op, arg, nr_args) ? do_register(ctx, op, arg, nr_args) : -EINVAL;
	mutex_unlock(&ctx->uring_lock);
out:
	fdput(ring);
	return ret;
}
