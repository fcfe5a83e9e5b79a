/*
 * timerfd.c: timerfd_create(2): a timer whose expirations are read from a file.
 *
 * Idea:    an hrtimer that counts.  A periodic timer fires once and stops; the reader catches up with
 *          hrtimer_forward_now(), which tells how many periods went by, and starts it again: a timer that nobody reads
 *          costs one interrupt.
 *          TFD_TIMER_CANCEL_ON_SET timers on the realtime clock are in cancel_list; a jump of that clock marks them.
 * Locking: ctx->wqh.lock (interrupts off) guards the count; settime calls are serialised by ctx->mutex.
 */
#include <weft/time_namespace.h>
#include <weft/anon_inodes.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/hrtimer.h>
#include <weft/timekeeping.h>
#include <weft/slab.h>
#include <weft/mutex.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include <weft/rculist.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <uapi/timerfd.h>
#include <uapi/time.h>

struct timerfd_ctx {
	struct hrtimer		tmr;
	ktime_t			interval;	/* [wqh.lock] 0: once */
	struct wait_queue_head	wqh;
	u64			ticks;		/* [wqh.lock] expirations since the last read */
	int			clockid;	/* [I] */
	bool			expired;	/* [wqh.lock] fired, and a periodic one waits to be started again */
	bool			cancelled;	/* [wqh.lock] the clock was set: read says ECANCELED */
	int			settime_flags;	/* [mutex] */
	struct mutex		mutex;
	struct list_head	clist;		/* [r:cancel_lock] */
	bool			might_cancel;	/* [cancel_lock] in cancel_list */
	struct rcu_head		rcu;
};

static LIST_HEAD(cancel_list);			/* [r:cancel_lock] */
static DEFINE_SPINLOCK(cancel_lock);
static const struct file_operations timerfd_fops;

static enum hrtimer_restart timerfd_tmrproc(struct hrtimer *tmr)
{
	struct timerfd_ctx *ctx = container_of(tmr, struct timerfd_ctx, tmr);
	unsigned long flags;

	spin_lock_irqsave(&ctx->wqh.lock, flags);
	ctx->expired = true;
	ctx->ticks++;
	wake_up_locked_poll(&ctx->wqh, EPOLLIN);
	spin_unlock_irqrestore(&ctx->wqh.lock, flags);
	return HRTIMER_NORESTART;
}

/* The realtime clock jumped. */
void timerfd_clock_was_set(void)
{
	struct timerfd_ctx *ctx;
	unsigned long flags;

	rcu_read_lock();
	list_for_each_entry_rcu(ctx, &cancel_list, clist) {
		spin_lock_irqsave(&ctx->wqh.lock, flags);
		ctx->cancelled = true;
		ctx->ticks++;
		wake_up_locked_poll(&ctx->wqh, EPOLLIN);
		spin_unlock_irqrestore(&ctx->wqh.lock, flags);
	}
	rcu_read_unlock();
}

/* [ctx->mutex, or the last user] */
static void set_might_cancel(struct timerfd_ctx *ctx, bool on)
{
	spin_lock(&cancel_lock);
	if (on && !ctx->might_cancel)
		list_add_rcu(&ctx->clist, &cancel_list);
	else if (!on && ctx->might_cancel)
		list_del_rcu(&ctx->clist);
	ctx->might_cancel = on;
	spin_unlock(&cancel_lock);
}

/* [wqh.lock] A periodic timer that fired goes on; how many more periods went by. */
static u64 rearm(struct timerfd_ctx *ctx)
{
	u64 more;

	if (!ctx->expired || !ctx->interval)
		return 0;
	ctx->expired = false;
	more = hrtimer_forward_now(&ctx->tmr, ctx->interval) - 1;
	hrtimer_restart(&ctx->tmr);
	return more;
}

static int timerfd_release(struct inode *inode, struct file *file)
{
	struct timerfd_ctx *ctx = file->private_data;

	set_might_cancel(ctx, false);
	hrtimer_cancel(&ctx->tmr);
	kfree_rcu(ctx, rcu);
	return 0;
}

static __poll_t timerfd_poll(struct file *file, poll_table *wait)
{
	struct timerfd_ctx *ctx = file->private_data;

	poll_wait(file, &ctx->wqh, wait);
	return READ_ONCE(ctx->ticks) ? EPOLLIN : 0;
}

static ssize_t timerfd_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct timerfd_ctx *ctx = iocb->ki_filp->private_data;
	bool nonblock = iocb->ki_filp->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT;
	u64 ticks = 0;
	int err = 0;

	if (iov_iter_count(to) < sizeof(ticks))
		return -EINVAL;
	spin_lock_irq(&ctx->wqh.lock);
	while (!ctx->ticks) {
		spin_unlock_irq(&ctx->wqh.lock);
		err = nonblock ? -EAGAIN : wait_event_interruptible(ctx->wqh, READ_ONCE(ctx->ticks));
		if (err)
			return err;
		spin_lock_irq(&ctx->wqh.lock);
	}
	if (ctx->cancelled) {
		ctx->cancelled = false;
		ctx->ticks = 0;
		spin_unlock_irq(&ctx->wqh.lock);
		return -ECANCELED;
	}
	ticks = ctx->ticks + rearm(ctx);
	ctx->ticks = 0;
	spin_unlock_irq(&ctx->wqh.lock);
	return copy_to_iter(&ticks, sizeof(ticks), to) == sizeof(ticks) ? (ssize_t)sizeof(ticks) : -EFAULT;
}

static void timerfd_value(struct timerfd_ctx *ctx, struct itimerspec64 *it)
{
	ktime_t left;

	spin_lock_irq(&ctx->wqh.lock);
	ctx->ticks += rearm(ctx);
	left = ctx->expired ? 0 : hrtimer_get_remaining(&ctx->tmr);
	it->it_value = ktime_to_timespec64(hrtimer_is_queued(&ctx->tmr) && left <= 0 ? 1 : left > 0 ? left : 0);
	it->it_interval = ktime_to_timespec64(ctx->interval);
	spin_unlock_irq(&ctx->wqh.lock);
}

static void timerfd_show(struct seq_file *m, struct file *file)
{
	struct timerfd_ctx *ctx = file->private_data;
	struct itimerspec64 it;

	timerfd_value(ctx, &it);
	seq_printf(m, "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
		   ctx->clockid, (unsigned long long)ctx->ticks, ctx->settime_flags,
		   (unsigned long long)it.it_value.tv_sec, (unsigned long long)it.it_value.tv_nsec,
		   (unsigned long long)it.it_interval.tv_sec, (unsigned long long)it.it_interval.tv_nsec);
}

static const struct file_operations timerfd_fops = {
	.fop_mode	= FMODE_NOWAIT,
	.release	= timerfd_release,
	.poll		= timerfd_poll,
	.read_iter	= timerfd_read,
	.llseek		= noop_llseek,
	.show_fdinfo	= timerfd_show,
};

long sys_timerfd_create(int clockid, int flags)
{
	struct timerfd_ctx *ctx;
	int fd;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	switch (clockid) {
	case CLOCK_MONOTONIC:
	case CLOCK_REALTIME:
	case CLOCK_BOOTTIME:
		break;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		if (!capable(CAP_WAKE_ALARM))
			return -EPERM;
		break;
	default:
		return -EINVAL;
	}
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	init_waitqueue_head(&ctx->wqh);
	mutex_init(&ctx->mutex);
	ctx->clockid = clockid;
	/* nothing here ever suspends, so an alarm clock is its plain one */
	hrtimer_init(&ctx->tmr, clockid == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME :
		     clockid == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : clockid, HRTIMER_MODE_ABS);
	ctx->tmr.function = timerfd_tmrproc;
	fd = anon_inode_getfd("[timerfd]", &timerfd_fops, ctx, O_RDWR | (flags & (O_CLOEXEC | O_NONBLOCK)));
	if (fd < 0)
		kfree(ctx);
	return fd;
}

static int timerfd_fget(int fd, struct fd *p)
{
	*p = fdget(fd);
	if (!p->file)
		return -EBADF;
	if (p->file->f_op != &timerfd_fops) {
		fdput(*p);
		return -EINVAL;
	}
	return 0;
}

static void timerfd_setup(struct timerfd_ctx *ctx, int flags, const struct itimerspec64 *new)
{
	enum hrtimer_mode mode = flags & TFD_TIMER_ABSTIME ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL;
	ktime_t value = timespec64_to_ktime(new->it_value);

	if (value && mode == HRTIMER_MODE_ABS)
		value = max_t(ktime_t, time_ns_to_host(ctx->clockid, value), 1);
	hrtimer_cancel(&ctx->tmr);
	spin_lock_irq(&ctx->wqh.lock);
	ctx->expired = false;
	ctx->cancelled = false;
	ctx->ticks = 0;
	ctx->interval = timespec64_to_ktime(new->it_interval);
	ctx->tmr.function = timerfd_tmrproc;
	if (value)
		hrtimer_start(&ctx->tmr, value, mode);
	spin_unlock_irq(&ctx->wqh.lock);
	ctx->settime_flags = flags;
}

long sys_timerfd_settime(int ufd, int flags, const struct __kernel_itimerspec __user *utmr,
			 struct __kernel_itimerspec __user *otmr)
{
	struct itimerspec64 new, old;
	struct timerfd_ctx *ctx;
	struct fd f;
	int err;

	if (get_itimerspec64(&new, utmr))
		return -EFAULT;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
	    !timespec64_valid(&new.it_value) || !timespec64_valid(&new.it_interval))
		return -EINVAL;
	err = timerfd_fget(ufd, &f);
	if (err)
		return err;
	ctx = f.file->private_data;
	mutex_lock(&ctx->mutex);
	timerfd_value(ctx, &old);
	set_might_cancel(ctx, (ctx->clockid == CLOCK_REALTIME || ctx->clockid == CLOCK_REALTIME_ALARM) &&
			 (flags & TFD_TIMER_ABSTIME) && (flags & TFD_TIMER_CANCEL_ON_SET));
	timerfd_setup(ctx, flags, &new);
	mutex_unlock(&ctx->mutex);
	fdput(f);
	return otmr && put_itimerspec64(&old, otmr) ? -EFAULT : 0;
}

long sys_timerfd_gettime(int ufd, struct __kernel_itimerspec __user *otmr)
{
	struct itimerspec64 cur;
	struct fd f;
	int err = timerfd_fget(ufd, &f);

	if (err)
		return err;
	timerfd_value(f.file->private_data, &cur);
	fdput(f);
	return put_itimerspec64(&cur, otmr) ? -EFAULT : 0;
}
