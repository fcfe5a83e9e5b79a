/*
 * posix-timers.c: timer_create(2) and what belongs to it, and the timers on clocks that hrtimers have.
 *
 * Idea:    a timer is found by (process, id) in a hash table.  When it fires it queues its own preallocated signal.  One
 *          with an interval is not started again at that moment but when the program takes the signal
 *          (posixtimer_rearm(), from dequeue_signal()): a program that is not scheduled is not flooded, and what it
 *          missed is counted as overrun.  it_requeue_pending tells whether the signal taken is still the timer's latest.
 * Life:    made by timer_create; found under RCU, then held by it_lock with it_signal still set; freed after a grace period.
 * Locking: it_lock (irq) guards the timer; order it_lock -> siglock, it_lock -> hrtimer base.  hash_lock guards the table.
 *          The timer's function, an interrupt, takes it_lock: so cancelling may find it running (TIMER_RETRY): let go
 *          of it_lock, wait, look the timer up again.
 * See:     spec.md §6 "timers"; timer_create(2), timer_settime(2), timer_getoverrun(2); doc/time.md
 */
#include <weft/time_namespace.h>
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/hashtable.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/posix-timers.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include "internal.h"

#define REQUEUE_PENDING	1

static struct kmem_cache *timer_cache;
static DEFINE_HASHTABLE(timer_hash, 9);		/* [r:hash_lock] */
static DEFINE_SPINLOCK(hash_lock);

/* ---- names ---- */

static u64 timer_key(const struct signal_struct *sig, int id)
{
	return (u64)sig ^ (u64)(unsigned int)id << 32;
}

/* RCU or hash_lock. */
static struct k_itimer *find_timer(struct signal_struct *sig, int id)
{
	struct k_itimer *timr;

	hash_for_each_possible_rcu(timer_hash, timr, hash, timer_key(sig, id))
		if (READ_ONCE(timr->it_signal) == sig && timr->it_id == id)
			return timr;
	return NULL;
}

/* The caller's timer, locked; NULL: there is none. */
static struct k_itimer *lock_timer(int id, unsigned long *flags) __no_context_analysis	/* the lock is found first */
{
	struct k_itimer *timr;

	rcu_read_lock();
	timr = find_timer(current->signal, id);
	if (timr) {
		spin_lock_irqsave(&timr->it_lock, *flags);
		if (timr->it_signal != current->signal) {
			spin_unlock_irqrestore(&timr->it_lock, *flags);
			timr = NULL;
		}
	}
	rcu_read_unlock();
	return timr;
}

static void unlock_timer(struct k_itimer *timr, unsigned long flags)
{
	lockdep_assert_held(&timr->it_lock);
	spin_unlock_irqrestore(&timr->it_lock, flags);
}

/* Gives it a number and makes it known.  Numbers only go up, until they wrap: an old one is not soon another's. */
static int hash_timer(struct k_itimer *timr)
{
	struct signal_struct *sig = current->signal;
	int ret = -EAGAIN;

	spin_lock(&hash_lock);
	for (unsigned int i = 0; i <= INT_MAX; i++) {
		int id = sig->next_posix_timer_id;

		sig->next_posix_timer_id = (id + 1) & INT_MAX;
		if (find_timer(sig, id))
			continue;
		timr->it_id = id;
		hash_add_rcu(timer_hash, &timr->hash, timer_key(sig, id));
		ret = 0;
		break;
	}
	spin_unlock(&hash_lock);
	return ret;
}

/* ---- the signal ---- */

/* Queues the timer's signal; it_lock held.  > 0: it is ignored. */
int posix_timer_event(struct k_itimer *timr, int si_private)
{
	enum pid_type type = (timr->it_sigev_notify & SIGEV_THREAD_ID) ? PIDTYPE_PID : PIDTYPE_TGID;

	timr->sigq->info.si_sys_private = si_private;
	return send_sigqueue(timr->sigq, timr->it_pid, type) > 0;
}

void posixtimer_rearm(struct kernel_siginfo *info)
{
	struct k_itimer *timr;
	unsigned long flags;

	timr = lock_timer(info->si_tid, &flags);
	if (!timr)
		return;
	if (timr->it_interval && timr->it_requeue_pending == info->si_sys_private) {
		timr->kclock->timer_rearm(timr);
		timr->it_active = true;
		timr->it_overrun_last = timr->it_overrun;
		timr->it_overrun = -1;
		timr->it_requeue_pending++;
		info->si_overrun = (int)clamp_t(s64, timr->it_overrun_last + info->si_overrun, 0, INT_MAX);
	}
	unlock_timer(timr, flags);
}

/* ---- timers on hrtimers ---- */

static enum hrtimer_restart posix_timer_fn(struct hrtimer *timer)
{
	struct k_itimer *timr = container_of(timer, struct k_itimer, it.real.timer);
	enum hrtimer_restart ret = HRTIMER_NORESTART;
	unsigned long flags;
	int si_private = 0;

	spin_lock_irqsave(&timr->it_lock, flags);
	timr->it_active = false;
	if (timr->it_interval)
		si_private = ++timr->it_requeue_pending;
	if (posix_timer_event(timr, si_private) && timr->it_interval) {
		/* Nobody will take it and rearm.  Not more often than the tick: it may stop being ignored, that is all. */
		ktime_t now = hrtimer_cb_get_time(timer);

		if (timr->it_interval < TICK_NSEC)
			now = ktime_add(now, TICK_NSEC);
		timr->it_overrun += (s64)hrtimer_forward(timer, now, timr->it_interval);
		timr->it_requeue_pending++;
		timr->it_active = true;
		ret = HRTIMER_RESTART;
	}
	spin_unlock_irqrestore(&timr->it_lock, flags);
	return ret;
}

int hr_timer_create(struct k_itimer *timr)
{
	hrtimer_init(&timr->it.real.timer, timr->it_clock, HRTIMER_MODE_ABS);
	timr->it.real.timer.function = posix_timer_fn;
	return 0;
}

void hr_timer_rearm(struct k_itimer *timr)
{
	struct hrtimer *timer = &timr->it.real.timer;

	timr->it_overrun += (s64)hrtimer_forward_now(timer, timr->it_interval);
	hrtimer_restart(timer);
}

void hr_timer_get(struct k_itimer *timr, struct itimerspec64 *cur)
{
	struct hrtimer *timer = &timr->it.real.timer;
	bool sig_none = timr->it_sigev_notify == SIGEV_NONE;
	ktime_t now = hrtimer_cb_get_time(timer), remaining;

	if (timr->it_interval)
		cur->it_interval = ktime_to_timespec64(timr->it_interval);
	else if (!timr->it_active && !sig_none)
		return;
	/* It fired and waits for its signal to be taken, or never sends one: as if it had gone on. */
	if (timr->it_interval && ((timr->it_requeue_pending & REQUEUE_PENDING) || sig_none) && !hrtimer_is_queued(timer))
		timr->it_overrun += (s64)hrtimer_forward(timer, now, timr->it_interval);
	remaining = ktime_sub(hrtimer_get_expires(timer), now);
	if (remaining > 0)
		cur->it_value = ktime_to_timespec64(remaining);
	else if (!sig_none)
		cur->it_value.tv_nsec = 1;	/* due at this moment: 0 would mean that it is off */
}

int hr_timer_set(struct k_itimer *timr, int flags, struct itimerspec64 *new, struct itimerspec64 *old)
{
	struct hrtimer *timer = &timr->it.real.timer;
	bool relative = !(flags & TIMER_ABSTIME);
	ktime_t expires;

	if (old)
		hr_timer_get(timr, old);
	if (hrtimer_try_to_cancel(timer) < 0)
		return TIMER_RETRY;
	timr->it_active = false;
	timr->it_requeue_pending = (timr->it_requeue_pending + 2) & ~REQUEUE_PENDING;
	timr->it_overrun = -1;
	timr->it_overrun_last = 0;
	timr->it_interval = timespec64_to_ktime(new->it_interval);
	if (!new->it_value.tv_sec && !new->it_value.tv_nsec)
		return 0;

	/* An interval does not change when somebody sets the clock. */
	hrtimer_init(timer, relative && timr->it_clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : timr->it_clock,
		     HRTIMER_MODE_ABS);
	timer->function = posix_timer_fn;
	expires = timespec64_to_ktime(new->it_value);
	if (relative)
		expires = ktime_add_safe(hrtimer_cb_get_time(timer), expires);
	else
		expires = time_ns_to_host(timr->it_clock, expires);
	hrtimer_set_expires(timer, expires);
	if (timr->it_sigev_notify != SIGEV_NONE) {
		hrtimer_start_expires(timer, HRTIMER_MODE_ABS);
		timr->it_active = true;
	}
	return 0;
}

int hr_timer_del(struct k_itimer *timr)
{
	if (hrtimer_try_to_cancel(&timr->it.real.timer) < 0)
		return TIMER_RETRY;
	timr->it_active = false;
	return 0;
}

/* ---- life ---- */

static struct k_itimer *alloc_timer(void)
{
	struct k_itimer *timr = kmem_cache_zalloc(timer_cache, GFP_KERNEL);

	if (!timr)
		return NULL;
	timr->sigq = sigqueue_alloc();
	if (!timr->sigq) {
		kmem_cache_free(timer_cache, timr);
		return NULL;
	}
	clear_siginfo(&timr->sigq->info);
	spin_lock_init(&timr->it_lock);
	INIT_LIST_HEAD(&timr->list);
	INIT_HLIST_NODE(&timr->hash);
	return timr;
}

static void free_timer_rcu(struct rcu_head *head)
{
	kmem_cache_free(timer_cache, container_of(head, struct k_itimer, rcu));
}

static void release_timer(struct k_itimer *timr)
{
	spin_lock(&hash_lock);
	if (hash_hashed(&timr->hash))
		hash_del_rcu(&timr->hash);
	spin_unlock(&hash_lock);
	put_pid(timr->it_pid);
	if (timr->kclock == &clock_posix_cpu)
		put_pid(timr->it.cpu.pid);
	sigqueue_free(timr->sigq);
	call_rcu(&timr->rcu, free_timer_rcu);
}

/* Whom to signal, with a reference; NULL: what the program asks for cannot be. */
static struct pid *signal_target(const sigevent_t *event)
{
	struct task_struct *task;
	struct pid *pid;

	switch (event->sigev_notify) {
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		pid = find_vpid(event->sigev_notify_thread_id);
		task = pid ? pid_task(pid, PIDTYPE_PID) : NULL;
		if (!task || !same_thread_group(task, current))
			return NULL;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		pid = task_tgid(current);
		break;
	case SIGEV_NONE:
		return get_pid(task_tgid(current));
	default:
		return NULL;
	}
	if (event->sigev_signo <= 0 || event->sigev_signo > _NSIG)
		return NULL;
	return get_pid(pid);
}

static int set_event(struct k_itimer *timr, const sigevent_t *event)
{
	struct kernel_siginfo *info = &timr->sigq->info;

	rcu_read_lock();
	timr->it_pid = signal_target(event);
	rcu_read_unlock();
	if (!timr->it_pid)
		return -EINVAL;
	timr->it_sigev_notify = event->sigev_notify;
	info->si_signo = event->sigev_signo;
	info->si_value = event->sigev_value;
	info->si_code = SI_TIMER;
	info->si_tid = timr->it_id;
	return 0;
}

static int do_timer_create(clockid_t which_clock, const sigevent_t *event, timer_t __user *created_timer_id)
{
	const struct k_clock *kc = clockid_to_kclock(which_clock);
	sigevent_t dflt = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct k_itimer *timr;
	int err;

	if (!kc)
		return -EINVAL;
	if (!kc->timer_create)
		return -EOPNOTSUPP;
	timr = alloc_timer();
	if (!timr)
		return -EAGAIN;
	timr->it_overrun = -1;
	timr->it_clock = which_clock;
	err = hash_timer(timr);
	if (err)
		goto free;
	dflt.sigev_value.sival_int = timr->it_id;
	err = set_event(timr, event ? event : &dflt);
	if (err)
		goto free;
	if (put_user(timr->it_id, created_timer_id)) {
		err = -EFAULT;
		goto free;
	}
	timr->kclock = kc;
	err = kc->timer_create(timr);
	if (err)
		goto free;

	spin_lock_irq(&current->sighand->siglock);
	list_add(&timr->list, &current->signal->posix_timers);
	/* From here on lock_timer() finds it. */
	WRITE_ONCE(timr->it_signal, current->signal);
	spin_unlock_irq(&current->sighand->siglock);
	return 0;
free:
	release_timer(timr);
	return err;
}

int get_sigevent(sigevent_t *event, const struct sigevent __user *uevent)
{
	struct compat_sigevent c;

	if (!in_compat_syscall())
		return copy_from_user(event, uevent, sizeof(*event)) ? -EFAULT : 0;
	if (copy_from_user(&c, uevent, sizeof(c)))
		return -EFAULT;
	*event = (sigevent_t){ .sigev_value.sival_ptr = compat_ptr(c.sigev_value), .sigev_signo = c.sigev_signo,
			       .sigev_notify = c.sigev_notify, .sigev_notify_thread_id = c._tid };
	return 0;
}

long sys_timer_create(clockid_t which_clock, struct sigevent __user *timer_event_spec, timer_t __user *created_timer_id)
{
	sigevent_t event;

	if (timer_event_spec && get_sigevent(&event, timer_event_spec))
		return -EFAULT;
	return do_timer_create(which_clock, timer_event_spec ? &event : NULL, created_timer_id);
}

long sys_timer_delete(timer_t timer_id)
{
	struct k_itimer *timr;
	unsigned long flags;

	for (;;) {
		timr = lock_timer(timer_id, &flags);
		if (!timr)
			return -EINVAL;
		if (timr->kclock->timer_del(timr) != TIMER_RETRY)
			break;
		unlock_timer(timr, flags);
		cpu_relax();
	}
	spin_lock(&current->sighand->siglock);
	list_del(&timr->list);
	spin_unlock(&current->sighand->siglock);
	WRITE_ONCE(timr->it_signal, NULL);
	unlock_timer(timr, flags);
	release_timer(timr);
	return 0;
}

/* Nobody else can name these timers any more, or the caller is the only thread. */
void exit_itimers(struct task_struct *tsk)
{
	struct k_itimer *timr, *next;
	LIST_HEAD(timers);

	spin_lock_irq(&tsk->sighand->siglock);
	list_splice_init(&tsk->signal->posix_timers, &timers);
	spin_unlock_irq(&tsk->sighand->siglock);

	list_for_each_entry_safe(timr, next, &timers, list) {
		spin_lock_irq(&timr->it_lock);
		while (timr->kclock->timer_del(timr) == TIMER_RETRY) {
			spin_unlock_irq(&timr->it_lock);
			cpu_relax();
			spin_lock_irq(&timr->it_lock);
		}
		list_del(&timr->list);
		WRITE_ONCE(timr->it_signal, NULL);
		spin_unlock_irq(&timr->it_lock);
		release_timer(timr);
	}
}

/* ---- setting and asking ---- */

static int do_timer_settime(timer_t timer_id, int tmr_flags, struct itimerspec64 *new, struct itimerspec64 *old)
{
	struct k_itimer *timr;
	unsigned long flags;
	int err;

	if (!timespec64_valid(&new->it_interval) || !timespec64_valid(&new->it_value))
		return -EINVAL;
	for (;;) {
		if (old)
			*old = (struct itimerspec64){ 0 };
		timr = lock_timer(timer_id, &flags);
		if (!timr)
			return -EINVAL;
		err = timr->kclock->timer_set(timr, tmr_flags, new, old);
		unlock_timer(timr, flags);
		if (err != TIMER_RETRY)
			return err;
		cpu_relax();
	}
}

long sys_timer_settime(timer_t timer_id, int flags, const struct __kernel_itimerspec __user *new_setting,
		       struct __kernel_itimerspec __user *old_setting)
{
	struct itimerspec64 new, old;
	int err;

	if (!new_setting)
		return -EINVAL;
	if (get_itimerspec64(&new, new_setting))
		return -EFAULT;
	err = do_timer_settime(timer_id, flags, &new, old_setting ? &old : NULL);
	if (!err && old_setting && put_itimerspec64(&old, old_setting))
		return -EFAULT;
	return err;
}

long sys_timer_gettime(timer_t timer_id, struct __kernel_itimerspec __user *setting)
{
	struct itimerspec64 cur = { 0 };
	struct k_itimer *timr;
	unsigned long flags;

	timr = lock_timer(timer_id, &flags);
	if (!timr)
		return -EINVAL;
	timr->kclock->timer_get(timr, &cur);
	unlock_timer(timr, flags);
	return put_itimerspec64(&cur, setting);
}

long sys_timer_getoverrun(timer_t timer_id)
{
	struct k_itimer *timr;
	unsigned long flags;
	long overrun;

	timr = lock_timer(timer_id, &flags);
	if (!timr)
		return -EINVAL;
	overrun = clamp_t(s64, timr->it_overrun_last, 0, INT_MAX);
	unlock_timer(timr, flags);
	return overrun;
}

static int __init init_posix_timers(void)
{
	timer_cache = KMEM_CACHE(k_itimer, SLAB_PANIC);
	return 0;
}
core_initcall(init_posix_timers);
