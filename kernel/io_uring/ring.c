/*
 * ring.c: a ring as a file: io_uring_setup(2), io_uring_enter(2), mmap, poll, and its end.
 *
 * Idea:    both rings and the entries lie in memory of the vmalloc area that mmap() maps.  The file owns the ring: at its
 *          last close, work on a kernel thread cancels what is left, waits until the last request has gone, and frees all.
 *          It cannot wait at the close itself: what it waits for may be that very task's work.
 * See:     io_uring_setup(2), io_uring_enter(2)
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/anon_inodes.h>
#include <weft/cred.h>
#include <weft/eventfd.h>
#include <weft/file.h>
#include <weft/log2.h>
#include <weft/mm.h>
#include <weft/poll.h>
#include <weft/seq_file.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include <weft/vmalloc.h>

#define MAX_ENTRIES	32768
#define MAX_CQ_ENTRIES	(2 * MAX_ENTRIES)
#define SETUP_FLAGS	(IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE | \
			 IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | \
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | IORING_SETUP_SINGLE_ISSUER)
#define FEATURES	(IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RW_CUR_POS | \
			 IORING_FEAT_CUR_PERSONALITY | IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS | \
			 IORING_FEAT_SQPOLL_NONFIXED | IORING_FEAT_EXT_ARG | IORING_FEAT_NATIVE_WORKERS | \
			 IORING_FEAT_CQE_SKIP | IORING_FEAT_LINKED_FILE)

/* ---- the end ---- */

static void free_overflow(struct io_ring_ctx *ctx)
{
	struct io_overflow *o, *next;

	list_for_each_entry_safe(o, next, &ctx->overflow, list)
		kfree(o);
}

static int put_personality(int id, void *cred, void *data)
{
	put_cred(cred);
	return 0;
}

static void free_ctx(struct io_ring_ctx *ctx)
{
	io_unregister_files(ctx);
	io_unregister_buffers(ctx);
	io_destroy_groups(ctx);
	idr_for_each(&ctx->personalities, put_personality, NULL);
	idr_destroy(&ctx->personalities);
	if (ctx->evfd)
		eventfd_ctx_put(ctx->evfd);
	free_overflow(ctx);
	io_free_req_cache(ctx);
	vfree(ctx->rings);
	vfree(ctx->sqes);
	free_uid(ctx->user);
	kfree(ctx);
}

static void exit_work(struct work_struct *work)
{
	struct io_ring_ctx *ctx = container_of(work, struct io_ring_ctx, exit_work);

	io_sq_thread_stop(ctx);
	io_ctx_put(ctx);		/* the file's */
	do {
		mutex_lock(&io_tctx_mutex);
		io_cancel_all(ctx, NULL);
		mutex_unlock(&io_tctx_mutex);
	} while (!wait_for_completion_timeout(&ctx->no_refs, HZ / 20));
	/* Whoever dropped the last reference under the lock has released it now. */
	mutex_lock(&ctx->uring_lock);
	mutex_unlock(&ctx->uring_lock);
	io_uring_forget_tasks(ctx);
	free_ctx(ctx);
}

static int ring_release(struct inode *inode, struct file *file)
{
	struct io_ring_ctx *ctx = file->private_data;

	INIT_WORK(&ctx->exit_work, exit_work);
	queue_work(system_unbound_wq, &ctx->exit_work);
	return 0;
}

/* ---- the file ---- */

static int ring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct io_ring_ctx *ctx = file->private_data;

	switch ((u64)vma->vm_pgoff << PAGE_SHIFT) {
	case IORING_OFF_SQ_RING:
	case IORING_OFF_CQ_RING:
		return remap_vmalloc_range(vma, ctx->rings, 0);
	case IORING_OFF_SQES:
		return remap_vmalloc_range(vma, ctx->sqes, 0);
	}
	return -EINVAL;
}

static __poll_t ring_poll(struct file *file, struct poll_table_struct *pt)
{
	struct io_ring_ctx *ctx = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &ctx->poll_wait, pt);
	smp_rmb();
	/* What has been taken makes room, although the head is published with the last of a submission: we may be one of it. */
	if (READ_ONCE(ctx->rings->sq.tail) - READ_ONCE(ctx->cached_sq_head) < ctx->sq_entries)
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (io_cqes_ready(ctx) || !list_empty_careful(&ctx->overflow))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static void ring_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct io_ring_ctx *ctx = file->private_data;
	struct io_rings *r = ctx->rings;

	seq_printf(m, "SqMask:\t0x%x\nSqHead:\t%u\nSqTail:\t%u\nCachedSqHead:\t%u\n", ctx->sq_entries - 1,
		   READ_ONCE(r->sq.head), READ_ONCE(r->sq.tail), READ_ONCE(ctx->cached_sq_head));
	seq_printf(m, "CqMask:\t0x%x\nCqHead:\t%u\nCqTail:\t%u\nCachedCqTail:\t%u\n", ctx->cq_entries - 1,
		   READ_ONCE(r->cq.head), READ_ONCE(r->cq.tail), READ_ONCE(ctx->cached_cq_tail));
	seq_printf(m, "UserFiles:\t%u\nUserBufs:\t%u\n", READ_ONCE(ctx->files.nr), READ_ONCE(ctx->nr_bufs));
}

const struct file_operations io_uring_fops = {
	.release	= ring_release,
	.mmap		= ring_mmap,
	.poll		= ring_poll,
	.show_fdinfo	= ring_show_fdinfo,
};

bool file_is_io_uring(const struct file *file)
{
	return file->f_op == &io_uring_fops;
}

/* ---- io_uring_setup ---- */

static int check_params(struct io_uring_params *p, u32 entries)
{
	u32 f = p->flags;

	for (unsigned int i = 0; i < ARRAY_SIZE(p->resv); i++)
		if (p->resv[i])
			return -EINVAL;
	if (f & ~SETUP_FLAGS || !entries)
		return -EINVAL;
	if (f & IORING_SETUP_SQ_AFF && !(f & IORING_SETUP_SQPOLL))
		return -EINVAL;
	if (f & IORING_SETUP_SQPOLL && f & (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG))
		return -EINVAL;
	if (f & IORING_SETUP_TASKRUN_FLAG && !(f & IORING_SETUP_COOP_TASKRUN))
		return -EINVAL;
	return 0;
}

/* Powers of two; more than there may be is refused, or cut down if the program says so. */
static int set_sizes(struct io_uring_params *p, u32 entries)
{
	bool clamp = p->flags & IORING_SETUP_CLAMP;

	if (entries > MAX_ENTRIES) {
		if (!clamp)
			return -EINVAL;
		entries = MAX_ENTRIES;
	}
	p->sq_entries = roundup_pow_of_two(entries);
	if (!(p->flags & IORING_SETUP_CQSIZE)) {
		p->cq_entries = 2 * p->sq_entries;
		return 0;
	}
	if (!p->cq_entries)
		return -EINVAL;
	if (p->cq_entries > MAX_CQ_ENTRIES) {
		if (!clamp)
			return -EINVAL;
		p->cq_entries = MAX_CQ_ENTRIES;
	}
	p->cq_entries = roundup_pow_of_two(p->cq_entries);
	return p->cq_entries < p->sq_entries ? -EINVAL : 0;
}

static int alloc_rings(struct io_ring_ctx *ctx)
{
	size_t array = sizeof(struct io_rings) + ((size_t)ctx->cq_entries << ctx->cqe_shift);
	struct io_rings *rings = vmalloc_user(PAGE_ALIGN(array + ctx->sq_entries * sizeof(u32)));

	ctx->sqes = vmalloc_user(PAGE_ALIGN((size_t)ctx->sq_entries << ctx->sqe_shift));
	ctx->rings = rings;
	if (!rings || !ctx->sqes)
		return -ENOMEM;
	ctx->sq_array = (void *)rings + array;
	rings->sq_ring_mask = ctx->sq_entries - 1;
	rings->cq_ring_mask = ctx->cq_entries - 1;
	rings->sq_ring_entries = ctx->sq_entries;
	rings->cq_ring_entries = ctx->cq_entries;
	return 0;
}

static struct io_ring_ctx *alloc_ctx(const struct io_uring_params *p)
{
	struct io_ring_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return NULL;
	ctx->flags = p->flags;
	ctx->sq_entries = p->sq_entries;
	ctx->cq_entries = p->cq_entries;
	ctx->sqe_shift = p->flags & IORING_SETUP_SQE128 ? 7 : 6;
	ctx->cqe_shift = p->flags & IORING_SETUP_CQE32 ? 5 : 4;
	ctx->user = get_uid(current_user());
	ctx->done_last = &ctx->done_first;
	ctx->strict = p->flags & IORING_SETUP_IOPOLL;
	atomic_long_set(&ctx->refs, 1);
	mutex_init(&ctx->uring_lock);
	spin_lock_init(&ctx->completion_lock);
	spin_lock_init(&ctx->cancel_lock);
	spin_lock_init(&ctx->timeout_lock);
	init_waitqueue_head(&ctx->cq_wait);
	init_waitqueue_head(&ctx->poll_wait);
	init_completion(&ctx->no_refs);
	INIT_LIST_HEAD(&ctx->tctxs);
	INIT_LIST_HEAD(&ctx->overflow);
	INIT_LIST_HEAD(&ctx->deferred);
	INIT_LIST_HEAD(&ctx->timeouts);
	INIT_LIST_HEAD(&ctx->link_timeouts);
	xa_init(&ctx->groups);
	idr_init(&ctx->personalities);
	if (!alloc_rings(ctx))
		return ctx;
	free_ctx(ctx);
	return NULL;
}

static void tell_offsets(const struct io_ring_ctx *ctx, struct io_uring_params *p)
{
	p->sq_off = (struct io_sqring_offsets){
		.head = offsetof(struct io_rings, sq.head), .tail = offsetof(struct io_rings, sq.tail),
		.ring_mask = offsetof(struct io_rings, sq_ring_mask),
		.ring_entries = offsetof(struct io_rings, sq_ring_entries),
		.flags = offsetof(struct io_rings, sq_flags), .dropped = offsetof(struct io_rings, sq_dropped),
		.array = (u32)((void *)ctx->sq_array - (void *)ctx->rings),
	};
	p->cq_off = (struct io_cqring_offsets){
		.head = offsetof(struct io_rings, cq.head), .tail = offsetof(struct io_rings, cq.tail),
		.ring_mask = offsetof(struct io_rings, cq_ring_mask),
		.ring_entries = offsetof(struct io_rings, cq_ring_entries),
		.overflow = offsetof(struct io_rings, cq_overflow), .cqes = offsetof(struct io_rings, cqes),
		.flags = offsetof(struct io_rings, cq_flags),
	};
	p->features = FEATURES;
}

/* The ring's file; it owns ctx.  ERR_PTR. */
static struct file *make_ring(struct io_uring_params *p)
{
	struct io_ring_ctx *ctx = alloc_ctx(p);
	struct file *file;
	int err;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	tell_offsets(ctx, p);
	file = anon_inode_getfile("[io_uring]", &io_uring_fops, ctx, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		free_ctx(ctx);
		return file;
	}
	err = io_uring_add_task(ctx);
	if (!err && p->flags & IORING_SETUP_SINGLE_ISSUER && !(p->flags & IORING_SETUP_R_DISABLED))
		ctx->submitter = current;
	if (!err && p->flags & IORING_SETUP_SQPOLL)
		err = io_sq_thread_start(ctx, p);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

long sys_io_uring_setup(u32 entries, struct io_uring_params __user *params)
{
	struct io_uring_params p;
	struct file *file;
	int fd, err;

	if (copy_from_user(&p, params, sizeof(p)))
		return -EFAULT;
	err = check_params(&p, entries);
	if (!err)
		err = set_sizes(&p, entries);
	if (err)
		return err;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = make_ring(&p);
	if (!IS_ERR(file) && copy_to_user(params, &p, sizeof(p))) {
		fput(file);
		file = ERR_PTR(-EFAULT);
	}
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/* ---- io_uring_enter ---- */

/* What the fifth and sixth argument mean: a signal mask, or a structure with one and a time. */
struct wait_args {
	const sigset_t __user	*mask;
	size_t			mask_size;
	ktime_t			deadline;
	bool			timed;
};

static int get_wait_args(unsigned int flags, const void __user *argp, size_t argsz, struct wait_args *w)
{
	struct io_uring_getevents_arg arg;
	struct timespec64 ts;

	*w = (struct wait_args){ .mask = argp, .mask_size = argsz };
	if (!(flags & IORING_ENTER_EXT_ARG))
		return 0;
	if (argsz != sizeof(arg))
		return -EINVAL;
	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.pad)
		return -EINVAL;
	w->mask = (const sigset_t __user *)arg.sigmask;
	w->mask_size = arg.sigmask_sz;
	if (!arg.ts)
		return 0;
	if (get_timespec64(&ts, (const struct __kernel_timespec __user *)arg.ts))
		return -EFAULT;
	w->timed = true;
	w->deadline = ktime_add_safe(timespec64_to_ktime(ts), ktime_get());
	return 0;
}

static int wait_for_events(struct io_ring_ctx *ctx, u32 min, unsigned int flags, const void __user *argp, size_t argsz)
{
	struct wait_args w;
	int err = get_wait_args(flags, argp, argsz, &w);

	if (err)
		return err;
	if (io_cqes_ready(ctx) >= min(min, ctx->cq_entries) && list_empty_careful(&ctx->overflow))
		return 0;
	if (w.mask) {
		err = set_user_sigmask(w.mask, w.mask_size);
		if (err)
			return err;
	}
	err = io_wait_cqes(ctx, min, w.timed ? &w.deadline : NULL);
	if (w.mask)
		restore_saved_sigmask_unless(err == -EINTR);
	return err;
}

static int submit(struct io_ring_ctx *ctx, u32 to_submit)
{
	int ret = io_uring_add_task(ctx);

	if (ret)
		return ret;
	if (ctx->submitter && ctx->submitter != current)
		return -EEXIST;
	mutex_lock(&ctx->uring_lock);
	ret = io_submit_sqes(ctx, to_submit);
	mutex_unlock(&ctx->uring_lock);
	return ret;
}

static long enter(struct io_ring_ctx *ctx, u32 to_submit, u32 min_complete, u32 flags, const void __user *argp, size_t argsz)
{
	int done = 0, err = 0;

	if (unlikely(ctx->flags & IORING_SETUP_R_DISABLED))
		return -EBADFD;
	if (ctx->flags & IORING_SETUP_SQPOLL) {
		if (flags & IORING_ENTER_SQ_WAKEUP)
			io_sq_thread_wake(ctx);
		if (flags & IORING_ENTER_SQ_WAIT)
			err = io_sq_wait(ctx);
		done = err ? err : (int)to_submit;
	} else if (to_submit) {
		done = submit(ctx, to_submit);
	}
	if (done < 0 || (done != (int)to_submit && !(ctx->flags & IORING_SETUP_SQPOLL)))
		return done;
	if (!(flags & IORING_ENTER_GETEVENTS))
		return done;
	err = wait_for_events(ctx, min_complete, flags, argp, argsz);
	return done ? done : err;
}

int io_ring_get(unsigned int fd, bool registered, struct fd *ring)
{
	struct io_uring_task *tctx = current->io_uring;
	struct fd f = { 0 };

	if (registered) {
		if (!tctx || fd >= IO_RINGFD_MAX)
			return -EINVAL;
		f.file = tctx->registered[fd];
	} else {
		f = fdget(fd);
	}
	if (!f.file)
		return -EBADF;
	*ring = f;
	if (likely(f.file->f_op == &io_uring_fops))
		return 0;
	fdput(f);
	return -EOPNOTSUPP;
}

long sys_io_uring_enter(unsigned int fd, u32 to_submit, u32 min_complete, u32 flags, const void __user *argp, size_t argsz)
{
	struct fd ring;
	long ret;

	if (unlikely(flags & ~(IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP | IORING_ENTER_SQ_WAIT | IORING_ENTER_EXT_ARG |
			       IORING_ENTER_REGISTERED_RING)))
		return -EINVAL;
	io_run_task_work();
	ret = io_ring_get(fd, flags & IORING_ENTER_REGISTERED_RING, &ring);
	if (ret)
		return ret;
	ret = enter(ring.file->private_data, to_submit, min_complete, flags, argp, argsz);
	fdput(ring);
	return ret;
}
