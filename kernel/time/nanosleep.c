/*
 * nanosleep.c: sleeping for an interval, and going on after a signal.
 *
 * Idea:    interrupted by a signal without handler (stop and continue), the sleep shall go on to the same end: the absolute
 *          end is left in restart_block, and the call returns -ERESTART_RESTARTBLOCK, on which the signal code makes the
 *          program call restart_syscall(2).  With a handler it becomes -EINTR, and what is left was written to *rmtp.
 * See:     nanosleep(2), restart_syscall(2)
 */
#include <weft/hrtimer.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

/* Writes what is left to where the program wants it.  -ERESTART_RESTARTBLOCK or -EFAULT. */
int nanosleep_copyout(struct restart_block *restart, struct timespec64 *ts)
{
	if (restart->nanosleep.type == TT_NATIVE &&
	    put_timespec64(ts, (struct __kernel_timespec __user *)restart->nanosleep.rmtp))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

/* 0: the time is up; otherwise what interrupted it. */
static int do_nanosleep(struct hrtimer_sleeper *t, enum hrtimer_mode mode)
{
	struct restart_block *restart = &current->restart_block;
	struct timespec64 ts;
	ktime_t rem;

	do {
		set_current_state(TASK_INTERRUPTIBLE);
		hrtimer_sleeper_start_expires(t, mode);
		if (likely(READ_ONCE(t->task)))
			schedule();
		hrtimer_cancel(&t->timer);
		mode = HRTIMER_MODE_ABS;
	} while (READ_ONCE(t->task) && !signal_pending(current));
	__set_current_state(TASK_RUNNING);
	if (!t->task)
		return 0;

	rem = hrtimer_expires_remaining(&t->timer);
	if (rem <= 0)
		return 0;
	ts = ktime_to_timespec64(rem);
	return restart->nanosleep.type == TT_NONE ? -ERESTART_RESTARTBLOCK : nanosleep_copyout(restart, &ts);
}

static long hrtimer_nanosleep_restart(struct restart_block *restart)
{
	struct hrtimer_sleeper t;

	hrtimer_init_sleeper_on_stack(&t, restart->nanosleep.clockid, HRTIMER_MODE_ABS);
	hrtimer_set_expires(&t.timer, (ktime_t)restart->nanosleep.expires);
	return do_nanosleep(&t, HRTIMER_MODE_ABS);
}

long hrtimer_nanosleep(ktime_t rqtp, enum hrtimer_mode mode, clockid_t clockid)
{
	struct restart_block *restart = &current->restart_block;
	struct hrtimer_sleeper t;
	int ret;

	/* An interval does not change when somebody sets the clock. */
	if ((mode & HRTIMER_MODE_REL) && clockid == CLOCK_REALTIME)
		clockid = CLOCK_MONOTONIC;
	hrtimer_init_sleeper_on_stack(&t, clockid, mode);
	hrtimer_set_expires(&t.timer, rqtp);
	ret = do_nanosleep(&t, mode);
	if (ret != -ERESTART_RESTARTBLOCK)
		return ret;
	if (!(mode & HRTIMER_MODE_REL))
		return -ERESTARTNOHAND;
	restart->nanosleep.clockid = clockid;
	restart->nanosleep.expires = (u64)hrtimer_get_expires_ns(&t.timer);
	return set_restart_fn(restart, hrtimer_nanosleep_restart);
}

long sys_nanosleep(struct __kernel_timespec __user *rqtp, struct __kernel_timespec __user *rmtp)
{
	struct timespec64 tu;

	if (get_timespec64(&tu, rqtp))
		return -EFAULT;
	if (!timespec64_valid(&tu))
		return -EINVAL;
	current->restart_block.fn = do_no_restart_syscall;
	current->restart_block.nanosleep.type = rmtp ? TT_NATIVE : TT_NONE;
	current->restart_block.nanosleep.rmtp = rmtp;
	return hrtimer_nanosleep(timespec64_to_ktime(tu), HRTIMER_MODE_REL, CLOCK_MONOTONIC);
}
