/*
 * itimer.c: getitimer, setitimer, alarm: the three old interval timers of a process.
 *
 * Idea:    ITIMER_REAL is an hrtimer whose function sends SIGALRM; one with an interval goes on when the signal is taken
 *          (dequeue_signal()).  ITIMER_VIRTUAL and ITIMER_PROF count CPU time and are looked at by the tick
 *          (posix-cpu-timers.c).
 * Locking: siglock.  it_real_fn() takes it too, so that cancelling waits outside of it.
 * See:     setitimer(2), alarm(2)
 */
#include <weft/hrtimer.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/posix-timers.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

/* What is left until it fires; at least 1 us when it is on. */
static struct timespec64 real_left(struct hrtimer *timer)
{
	ktime_t rem = __hrtimer_get_remaining(timer, true);

	if (!hrtimer_active(timer))
		return (struct timespec64){ 0 };
	return ktime_to_timespec64(max_t(s64, rem, NSEC_PER_USEC));
}

static void get_cpu_itimer(unsigned int clock_id, struct itimerspec64 *value)
{
	struct cpu_itimer *it = &current->signal->it[clock_id];
	struct task_cputime t;
	u64 left = it->expires, now;

	if (left) {
		thread_group_cputime(current, &t);
		now = clock_id == CPUCLOCK_PROF ? t.utime + t.stime : t.utime;
		left = left > now ? left - now : TICK_NSEC;
	}
	value->it_value = ns_to_timespec64((s64)left);
	value->it_interval = ns_to_timespec64((s64)it->incr);
}

int do_getitimer(int which, struct itimerspec64 *value)
{
	struct signal_struct *sig = current->signal;

	spin_lock_irq(&current->sighand->siglock);
	switch (which) {
	case ITIMER_REAL:
		value->it_value = real_left(&sig->real_timer);
		value->it_interval = ktime_to_timespec64(sig->it_real_incr);
		break;
	case ITIMER_VIRTUAL:
		get_cpu_itimer(CPUCLOCK_VIRT, value);
		break;
	case ITIMER_PROF:
		get_cpu_itimer(CPUCLOCK_PROF, value);
		break;
	default:
		spin_unlock_irq(&current->sighand->siglock);
		return -EINVAL;
	}
	spin_unlock_irq(&current->sighand->siglock);
	return 0;
}

/* The timer was stopped by exec or exit before its process can go: sig, and its leader's pid, are there. */
enum hrtimer_restart it_real_fn(struct hrtimer *timer)
{
	struct signal_struct *sig = container_of(timer, struct signal_struct, real_timer);

	rcu_read_lock();
	kill_pid_info(SIGALRM, SEND_SIG_PRIV, sig->pids[PIDTYPE_TGID]);
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

static void set_real(struct itimerspec64 *value, struct itimerspec64 *ovalue)
{
	struct signal_struct *sig = current->signal;
	struct hrtimer *timer = &sig->real_timer;
	ktime_t expires;

	for (;;) {
		spin_lock_irq(&current->sighand->siglock);
		if (ovalue) {
			ovalue->it_value = real_left(timer);
			ovalue->it_interval = ktime_to_timespec64(sig->it_real_incr);
		}
		if (hrtimer_try_to_cancel(timer) >= 0)
			break;
		/* it_real_fn() runs, and may wait for siglock. */
		spin_unlock_irq(&current->sighand->siglock);
		hrtimer_cancel_wait_running(timer);
	}
	expires = timespec64_to_ktime(value->it_value);
	if (expires) {
		sig->it_real_incr = timespec64_to_ktime(value->it_interval);
		hrtimer_start(timer, expires, HRTIMER_MODE_REL);
	} else {
		sig->it_real_incr = 0;
	}
	spin_unlock_irq(&current->sighand->siglock);
}

static void set_cpu_itimer(unsigned int clock_id, struct itimerspec64 *value, struct itimerspec64 *ovalue)
{
	struct cpu_itimer *it = &current->signal->it[clock_id];
	u64 expires = (u64)timespec64_to_ns(&value->it_value), incr = (u64)timespec64_to_ns(&value->it_interval);
	u64 old_expires, old_incr;

	spin_lock_irq(&current->sighand->siglock);
	old_expires = it->expires;
	old_incr = it->incr;
	if (old_expires || expires)
		set_process_cpu_timer(current, clock_id, &expires, &old_expires);
	it->expires = expires;
	it->incr = incr;
	spin_unlock_irq(&current->sighand->siglock);
	if (ovalue) {
		ovalue->it_value = ns_to_timespec64((s64)old_expires);
		ovalue->it_interval = ns_to_timespec64((s64)old_incr);
	}
}

int do_setitimer(int which, struct itimerspec64 *value, struct itimerspec64 *ovalue)
{
	switch (which) {
	case ITIMER_REAL:
		set_real(value, ovalue);
		return 0;
	case ITIMER_VIRTUAL:
		set_cpu_itimer(CPUCLOCK_VIRT, value, ovalue);
		return 0;
	case ITIMER_PROF:
		set_cpu_itimer(CPUCLOCK_PROF, value, ovalue);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- system calls ---- */

static bool timeval_valid(const struct __kernel_old_timeval *tv)
{
	return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < USEC_PER_SEC;
}

static int get_itimerval(struct itimerspec64 *o, const struct __kernel_old_itimerval __user *i)
{
	struct __kernel_old_itimerval v;

	if (get_old_timeval(&v.it_interval, &i->it_interval) ||
	    get_old_timeval(&v.it_value, second_timeval(&i->it_interval)))
		return -EFAULT;
	if (!timeval_valid(&v.it_value) || !timeval_valid(&v.it_interval))
		return -EINVAL;
	o->it_interval = (struct timespec64){ v.it_interval.tv_sec, v.it_interval.tv_usec * NSEC_PER_USEC };
	o->it_value = (struct timespec64){ v.it_value.tv_sec, v.it_value.tv_usec * NSEC_PER_USEC };
	return 0;
}

static int put_itimerval(struct __kernel_old_itimerval __user *o, const struct itimerspec64 *i)
{
	struct __kernel_old_itimerval v = {
		.it_interval = { i->it_interval.tv_sec, i->it_interval.tv_nsec / NSEC_PER_USEC },
		.it_value = { i->it_value.tv_sec, i->it_value.tv_nsec / NSEC_PER_USEC },
	};

	return put_old_timeval(&v.it_interval, &o->it_interval) ||
	       put_old_timeval(&v.it_value, second_timeval(&o->it_interval)) ? -EFAULT : 0;
}

long sys_getitimer(int which, struct __kernel_old_itimerval __user *value)
{
	struct itimerspec64 cur;
	int err = do_getitimer(which, &cur);

	return err ? err : put_itimerval(value, &cur);
}

long sys_setitimer(int which, struct __kernel_old_itimerval __user *value, struct __kernel_old_itimerval __user *ovalue)
{
	struct itimerspec64 new = { 0 }, old;
	int err = value ? get_itimerval(&new, value) : 0;	/* NULL: off, an old habit */

	if (!err)
		err = do_setitimer(which, &new, ovalue ? &old : NULL);
	if (err || !ovalue)
		return err;
	return put_itimerval(ovalue, &old);
}

long sys_alarm(unsigned int seconds)
{
	struct itimerspec64 new = { .it_value.tv_sec = min_t(unsigned int, seconds, INT_MAX) }, old;

	do_setitimer(ITIMER_REAL, &new, &old);
	/* Rounded, but never to "there was none". */
	if ((!old.it_value.tv_sec && old.it_value.tv_nsec) || old.it_value.tv_nsec >= NSEC_PER_SEC / 2)
		old.it_value.tv_sec++;
	return (long)old.it_value.tv_sec;
}
