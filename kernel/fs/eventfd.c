/*
 * eventfd.c: eventfd(2): a counter that is a file.
 *
 * Idea:    write adds, read takes all (or one, with EFD_SEMAPHORE), and both wait while they cannot.  The wait queue's own
 *          lock guards the counter, so testing it and going to sleep are one step.
 * Locking: ctx->wqh.lock (interrupts off: the kernel signals eventfds from interrupts).
 */
#include <weft/eventfd.h>
#include <weft/anon_inodes.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uio.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include <weft/err.h>

struct eventfd_ctx {
	refcount_t		refs;
	struct wait_queue_head	wqh;
	u64			count;		/* [wqh.lock] by write at most ULLONG_MAX - 1; ULLONG_MAX: the kernel's */
	unsigned int		flags;		/* [I] */
};

static const struct file_operations eventfd_fops;

static void eventfd_free(struct eventfd_ctx *ctx)
{
	kfree(ctx);
}

void eventfd_ctx_put(struct eventfd_ctx *ctx)
{
	if (refcount_dec_and_test(&ctx->refs))
		eventfd_free(ctx);
}

/* Adds n from inside the kernel, never waits; what fits is returned.  Any context. */
u64 eventfd_signal(struct eventfd_ctx *ctx, u64 n)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx->wqh.lock, flags);
	if (~0ULL - ctx->count < n)
		n = ~0ULL - ctx->count;
	ctx->count += n;
	if (waitqueue_active(&ctx->wqh))
		wake_up_locked_poll(&ctx->wqh, EPOLLIN);
	spin_unlock_irqrestore(&ctx->wqh.lock, flags);
	return n;
}

static int eventfd_release(struct inode *inode, struct file *file)
{
	struct eventfd_ctx *ctx = file->private_data;

	wake_up_poll(&ctx->wqh, EPOLLHUP);
	eventfd_ctx_put(ctx);
	return 0;
}

static __poll_t eventfd_poll(struct file *file, poll_table *wait)
{
	struct eventfd_ctx *ctx = file->private_data;
	__poll_t events = 0;
	u64 count;

	poll_wait(file, &ctx->wqh, wait);
	/*
	 * A plain read is enough: poll_wait() took and released wqh.lock, so a write that is not seen here comes after us
	 * in the queue and wakes us.
	 */
	count = READ_ONCE(ctx->count);
	if (count > 0)
		events |= EPOLLIN;
	if (count == ~0ULL)
		events |= EPOLLERR;
	if (~0ULL - 1 > count)
		events |= EPOLLOUT;
	return events;
}

/* [wqh.lock] */
static u64 eventfd_take(struct eventfd_ctx *ctx)
{
	u64 n = ctx->flags & EFD_SEMAPHORE && ctx->count ? 1 : ctx->count;

	ctx->count -= n;
	return n;
}

static ssize_t eventfd_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct eventfd_ctx *ctx = iocb->ki_filp->private_data;
	u64 n;
	int err;

	if (iov_iter_count(to) < sizeof(n))
		return -EINVAL;
	spin_lock_irq(&ctx->wqh.lock);
	if (!ctx->count) {
		if (iocb->ki_filp->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT) {
			spin_unlock_irq(&ctx->wqh.lock);
			return -EAGAIN;
		}
		/* prepare_to_wait takes the lock itself, so give it up and look again under it */
		do {
			spin_unlock_irq(&ctx->wqh.lock);
			err = wait_event_interruptible(ctx->wqh, READ_ONCE(ctx->count));
			if (err)
				return err;
			spin_lock_irq(&ctx->wqh.lock);
		} while (!ctx->count);
	}
	n = eventfd_take(ctx);
	if (waitqueue_active(&ctx->wqh))
		wake_up_locked_poll(&ctx->wqh, EPOLLOUT);
	spin_unlock_irq(&ctx->wqh.lock);
	return copy_to_iter(&n, sizeof(n), to) == sizeof(n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static bool eventfd_fits(const struct eventfd_ctx *ctx, u64 n)
{
	return ~0ULL - READ_ONCE(ctx->count) > n;
}

static ssize_t eventfd_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct eventfd_ctx *ctx = iocb->ki_filp->private_data;
	u64 n;
	int err;

	if (iov_iter_count(from) < sizeof(n))
		return -EINVAL;
	if (!copy_from_iter_full(&n, sizeof(n), from))
		return -EFAULT;
	if (n == ~0ULL)
		return -EINVAL;
	spin_lock_irq(&ctx->wqh.lock);
	while (!eventfd_fits(ctx, n)) {
		spin_unlock_irq(&ctx->wqh.lock);
		if (iocb->ki_filp->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		err = wait_event_interruptible(ctx->wqh, eventfd_fits(ctx, n));
		if (err)
			return err;
		spin_lock_irq(&ctx->wqh.lock);
	}
	ctx->count += n;
	if (waitqueue_active(&ctx->wqh))
		wake_up_locked_poll(&ctx->wqh, EPOLLIN);
	spin_unlock_irq(&ctx->wqh.lock);
	return sizeof(n);
}

static void eventfd_show_fdinfo(struct seq_file *m, struct file *f)
{
	struct eventfd_ctx *ctx = f->private_data;

	seq_printf(m, "eventfd-count: %16llx\n", (unsigned long long)READ_ONCE(ctx->count));
}

static const struct file_operations eventfd_fops = {
	.fop_mode	= FMODE_NOWAIT,
	.release	= eventfd_release,
	.poll		= eventfd_poll,
	.read_iter	= eventfd_read,
	.write_iter	= eventfd_write,
	.llseek		= noop_llseek,
	.show_fdinfo	= eventfd_show_fdinfo,
};

/* + a reference to the file, or ERR_PTR. */
struct file *eventfd_fget(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &eventfd_fops) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	return file;
}

struct eventfd_ctx *eventfd_ctx_fileget(struct file *file)
{
	struct eventfd_ctx *ctx = file->private_data;

	if (file->f_op != &eventfd_fops)
		return ERR_PTR(-EINVAL);
	refcount_inc(&ctx->refs);
	return ctx;
}

long sys_eventfd2(unsigned int count, int flags)
{
	struct eventfd_ctx *ctx;
	int fd;

	if (flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	refcount_set(&ctx->refs, 1);
	init_waitqueue_head(&ctx->wqh);
	ctx->count = count;
	ctx->flags = flags;
	fd = anon_inode_getfd("[eventfd]", &eventfd_fops, ctx, O_RDWR | (flags & (O_CLOEXEC | O_NONBLOCK)));
	if (fd < 0)
		eventfd_free(ctx);
	return fd;
}

long sys_eventfd(unsigned int count)
{
	return sys_eventfd2(count, 0);
}
