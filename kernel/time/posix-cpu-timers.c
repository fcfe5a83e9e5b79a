/*
 * posix-cpu-timers.c: clocks that count processor time of a thread or process, timers on them, and RLIMIT_CPU.
 *
 * Idea:    such a clock runs only while its owner does, so only the owner's own tick need look: run_posix_cpu_timers()
 *          compares the lists of armed timers with the times.  Most tasks have none: two tests tell.
 *          What has expired is marked `firing` and moved to a list of the interrupt's own under siglock; then each is
 *          fired under its it_lock alone, which comes before siglock in the order.
 * Locking: lists, `armed`, `expires`: the owner's siglock.  `firing` is set under siglock and cleared under it_lock; who
 *          wants to set or delete a firing timer comes again (TIMER_RETRY).
 * See:     clock_getcpuclockid(3), timer_create(2), setrlimit(2) RLIMIT_CPU, setitimer(2)
 */
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/pid.h>
#include <weft/posix-timers.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uaccess.h>
#include "internal.h"

#define NR_CPUCLOCKS	3			/* PROF, VIRT, SCHED */

/* ---- reading ---- */

static u64 pick(const struct task_cputime *t, clockid_t clock)
{
	switch (CPUCLOCK_WHICH(clock)) {
	case CPUCLOCK_PROF:
		return t->utime + t->stime;
	case CPUCLOCK_VIRT:
		return t->utime;
	default:
		return t->sum_exec_runtime;
	}
}

static void sample_thread(struct task_struct *p, struct task_cputime *t)
{
	t->utime = READ_ONCE(p->utime);
	t->stime = READ_ONCE(p->stime);
	t->sum_exec_runtime = task_sched_runtime(p);
}

static u64 sample(clockid_t clock, struct task_struct *p)
{
	struct task_cputime t;

	if (CPUCLOCK_PERTHREAD(clock))
		sample_thread(p, &t);
	else
		thread_group_cputime(p, &t);
	return pick(&t, clock);
}

static enum pid_type pid_type_of(clockid_t clock)
{
	return CPUCLOCK_PERTHREAD(clock) ? PIDTYPE_PID : PIDTYPE_TGID;
}

/*
 * Whose clock it is; RCU.  A thread's can only be named within its process.  A process' may be read by anybody (only_read),
 * but timers go on one's own.
 */
static struct pid *pid_for_clock(clockid_t clock, bool only_read)
{
	pid_t nr = CPUCLOCK_PID(clock);
	struct task_struct *p;
	struct pid *pid;

	if (CPUCLOCK_WHICH(clock) >= NR_CPUCLOCKS)
		return NULL;
	if (!nr)
		return CPUCLOCK_PERTHREAD(clock) ? task_pid(current) : task_tgid(current);
	pid = find_vpid(nr);
	if (!pid)
		return NULL;
	if (CPUCLOCK_PERTHREAD(clock)) {
		p = pid_task(pid, PIDTYPE_PID);
		return p && same_thread_group(p, current) ? pid : NULL;
	}
	/* A thread may name its process by its own number, to read. */
	if (only_read && pid == task_pid(current))
		return task_tgid(current);
	return pid_has_task(pid, PIDTYPE_TGID) ? pid : NULL;
}

static int cpu_clock_get(clockid_t clock, struct timespec64 *ts)
{
	struct task_struct *p;
	struct pid *pid;
	int err = -EINVAL;

	rcu_read_lock();
	pid = pid_for_clock(clock, true);
	p = pid ? pid_task(pid, pid_type_of(clock)) : NULL;
	if (p) {
		*ts = ns_to_timespec64((s64)sample(clock, p));
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

static int cpu_clock_getres(clockid_t clock, struct timespec64 *ts)
{
	bool valid;

	rcu_read_lock();
	valid = pid_for_clock(clock, false) != NULL;
	rcu_read_unlock();
	if (!valid)
		return -EINVAL;
	*ts = (struct timespec64){ .tv_nsec = CPUCLOCK_WHICH(clock) == CPUCLOCK_SCHED ? 1 : TICK_NSEC };
	return 0;
}

static int cpu_clock_set(clockid_t clock, const struct timespec64 *ts)
{
	struct timespec64 unused;
	int err = cpu_clock_getres(clock, &unused);

	return err ? err : -EPERM;
}

/* ---- timers: it_lock held ---- */

static int cpu_timer_create(struct k_itimer *timr)
{
	struct pid *pid;

	rcu_read_lock();
	pid = get_pid(pid_for_clock(timr->it_clock, false));
	rcu_read_unlock();
	if (!pid)
		return -EINVAL;
	timr->kclock = &clock_posix_cpu;	/* process and thread clock are two names for one kind */
	timr->it.cpu.pid = pid;
	INIT_LIST_HEAD(&timr->it.cpu.entry);
	return 0;
}

static struct task_struct *timer_task(struct k_itimer *timr)
{
	return pid_task(timr->it.cpu.pid, pid_type_of(timr->it_clock));
}

/* siglock held. */
static void arm(struct k_itimer *timr, struct task_struct *p)
{
	unsigned int which = CPUCLOCK_WHICH(timr->it_clock);

	timr->it.cpu.armed = true;
	if (CPUCLOCK_PERTHREAD(timr->it_clock)) {
		list_add_tail(&timr->it.cpu.entry, &p->cpu_timers[which]);
	} else {
		list_add_tail(&timr->it.cpu.entry, &p->signal->cpu_timers[which]);
		WRITE_ONCE(p->signal->cpu_timers_active, true);
	}
}

static void disarm(struct k_itimer *timr)
{
	if (timr->it.cpu.armed)
		list_del_init(&timr->it.cpu.entry);
	timr->it.cpu.armed = false;
}

/* Moves an interval timer's expiry past now. */
static void bump(struct k_itimer *timr, u64 now)
{
	u64 interval = (u64)timr->it_interval, n;

	if (!interval || now < timr->it.cpu.expires)
		return;
	n = (now - timr->it.cpu.expires) / interval + 1;
	timr->it.cpu.expires += n * interval;
	timr->it_overrun += (s64)n;
}

static void cpu_timer_rearm(struct k_itimer *timr)
{
	struct task_struct *p;
	unsigned long flags;

	rcu_read_lock();
	p = timer_task(timr);
	if (p && lock_task_sighand(p, &flags)) {
		bump(timr, sample(timr->it_clock, p));
		if (!timr->it.cpu.armed)
			arm(timr, p);
		unlock_task_sighand(p, &flags);
	}
	rcu_read_unlock();
}

/* It has expired and is in no list. */
static void fire(struct k_itimer *timr)
{
	if (timr->it_sigev_notify == SIGEV_NONE) {
		timr->it.cpu.expires = 0;
	} else if (!timr->it_interval) {
		posix_timer_event(timr, 0);
		timr->it.cpu.expires = 0;
	} else if (posix_timer_event(timr, ++timr->it_requeue_pending)) {
		/* Ignored: nobody will take the signal and rearm. */
		cpu_timer_rearm(timr);
		timr->it_requeue_pending++;
	}
}

static void fill_old(struct k_itimer *timr, struct itimerspec64 *cur, u64 now)
{
	cur->it_interval = ktime_to_timespec64(timr->it_interval);
	if (!timr->it.cpu.expires)
		return;
	bump(timr, now);
	if (now < timr->it.cpu.expires)
		cur->it_value = ns_to_timespec64((s64)(timr->it.cpu.expires - now));
	else
		cur->it_value.tv_nsec = 1;
}

static int cpu_timer_set(struct k_itimer *timr, int flags, struct itimerspec64 *new, struct itimerspec64 *old)
{
	u64 expires = (u64)timespec64_to_ns(&new->it_value), now;
	struct task_struct *p;
	unsigned long irqflags;
	bool due = false;
	int ret = 0;

	rcu_read_lock();
	p = timer_task(timr);
	if (!p || !lock_task_sighand(p, &irqflags)) {
		rcu_read_unlock();
		return -ESRCH;
	}
	if (timr->it.cpu.firing) {
		ret = TIMER_RETRY;
		goto unlock;
	}
	disarm(timr);
	now = sample(timr->it_clock, p);
	if (old)
		fill_old(timr, old, now);
	if (expires && !(flags & TIMER_ABSTIME))
		expires += now;
	timr->it.cpu.expires = expires;
	timr->it_interval = timespec64_to_ktime(new->it_interval);
	timr->it_requeue_pending = (timr->it_requeue_pending + 2) & ~1;
	timr->it_overrun_last = 0;
	timr->it_overrun = -1;
	due = expires && expires <= now;
	if (expires && !due && timr->it_sigev_notify != SIGEV_NONE)
		arm(timr, p);
unlock:
	unlock_task_sighand(p, &irqflags);
	if (due)
		fire(timr);
	rcu_read_unlock();
	return ret;
}

static void cpu_timer_get(struct k_itimer *timr, struct itimerspec64 *cur)
{
	struct task_struct *p;

	rcu_read_lock();
	p = timer_task(timr);
	if (p)
		fill_old(timr, cur, sample(timr->it_clock, p));
	rcu_read_unlock();
}

static int cpu_timer_del(struct k_itimer *timr)
{
	struct task_struct *p;
	unsigned long flags;
	int ret = 0;

	rcu_read_lock();
	p = timer_task(timr);
	/* Without the task its lists were emptied by posix_cpu_timers_exit(). */
	if (p && lock_task_sighand(p, &flags)) {
		if (timr->it.cpu.firing)
			ret = TIMER_RETRY;
		else
			disarm(timr);
		unlock_task_sighand(p, &flags);
	} else if (READ_ONCE(timr->it.cpu.firing)) {
		ret = TIMER_RETRY;
	}
	rcu_read_unlock();
	return ret;
}

/* ---- the tick ---- */

static bool any_armed(const struct list_head *lists)
{
	return !list_empty(&lists[0]) || !list_empty(&lists[1]) || !list_empty(&lists[2]);
}

/* siglock held: what has expired goes to `firing`. */
static void collect(struct list_head *lists, const struct task_cputime *t, struct list_head *firing)
{
	struct k_itimer *timr, *next;

	for (int which = 0; which < NR_CPUCLOCKS; which++) {
		u64 now = pick(t, which);

		list_for_each_entry_safe(timr, next, &lists[which], it.cpu.entry) {
			if (now < timr->it.cpu.expires)
				continue;
			timr->it.cpu.armed = false;
			timr->it.cpu.firing = true;
			list_move_tail(&timr->it.cpu.entry, firing);
		}
	}
}

static void check_itimer(struct task_struct *p, struct cpu_itimer *it, u64 now, int sig)
{
	if (!it->expires || now < it->expires)
		return;
	it->expires = it->incr ? it->expires + it->incr : 0;
	send_signal_locked(sig, SEND_SIG_PRIV, p, PIDTYPE_TGID);
}

/* SIGXCPU each second beyond the soft limit, SIGKILL at the hard one. */
static void check_rlimit(struct task_struct *p, u64 now)
{
	struct rlimit64 *limit = &p->signal->rlim[RLIMIT_CPU];
	u64 soft = READ_ONCE(limit->rlim_cur), hard = READ_ONCE(limit->rlim_max), seconds = now / NSEC_PER_SEC;

	if (soft == RLIM64_INFINITY)
		return;
	if (hard != RLIM64_INFINITY && seconds >= hard) {
		send_signal_locked(SIGKILL, SEND_SIG_PRIV, p, PIDTYPE_TGID);
	} else if (seconds >= soft) {
		send_signal_locked(SIGXCPU, SEND_SIG_PRIV, p, PIDTYPE_TGID);
		WRITE_ONCE(limit->rlim_cur, seconds + 1);
	}
}

static void check_group(struct task_struct *p, struct list_head *firing)
{
	struct signal_struct *sig = p->signal;
	struct task_cputime t;

	thread_group_cputime(p, &t);
	collect(sig->cpu_timers, &t, firing);
	check_itimer(p, &sig->it[CPUCLOCK_PROF], pick(&t, CPUCLOCK_PROF), SIGPROF);
	check_itimer(p, &sig->it[CPUCLOCK_VIRT], pick(&t, CPUCLOCK_VIRT), SIGVTALRM);
	check_rlimit(p, pick(&t, CPUCLOCK_PROF));
	if (!any_armed(sig->cpu_timers) && !sig->it[0].expires && !sig->it[1].expires &&
	    READ_ONCE(sig->rlim[RLIMIT_CPU].rlim_cur) == RLIM64_INFINITY)
		WRITE_ONCE(sig->cpu_timers_active, false);
}

void run_posix_cpu_timers(void)
{
	struct task_struct *p = current;
	struct k_itimer *timr, *next;
	struct task_cputime t;
	unsigned long flags;
	LIST_HEAD(firing);

	if (p->flags & (PF_KTHREAD | PF_IDLE))
		return;
	if (likely(!READ_ONCE(p->signal->cpu_timers_active) && !any_armed(p->cpu_timers)))
		return;
	if (p->exit_state || !lock_task_sighand(p, &flags))
		return;
	if (any_armed(p->cpu_timers)) {
		sample_thread(p, &t);
		collect(p->cpu_timers, &t, &firing);
	}
	if (p->signal->cpu_timers_active)
		check_group(p, &firing);
	unlock_task_sighand(p, &flags);

	list_for_each_entry_safe(timr, next, &firing, it.cpu.entry) {
		spin_lock(&timr->it_lock);
		list_del_init(&timr->it.cpu.entry);
		WRITE_ONCE(timr->it.cpu.firing, false);
		fire(timr);
		spin_unlock(&timr->it_lock);
	}
}

/* ---- for itimers, limits, fork and exit ---- */

void set_process_cpu_timer(struct task_struct *tsk, unsigned int clockid, u64 *newval, u64 *oldval)
{
	struct task_cputime t;
	u64 now;

	lockdep_assert_held(&tsk->sighand->siglock);
	thread_group_cputime(tsk, &t);
	now = pick(&t, (clockid_t)clockid);
	if (oldval && *oldval)
		*oldval = *oldval <= now ? TICK_NSEC : *oldval - now;
	if (*newval)
		*newval += now;
	WRITE_ONCE(tsk->signal->cpu_timers_active, true);
}

int update_rlimit_cpu(struct task_struct *task, unsigned long rlim_new)
{
	WRITE_ONCE(task->signal->cpu_timers_active, true);
	return 0;
}

void posix_cputimers_init_group(struct signal_struct *sig)
{
	for (int i = 0; i < NR_CPUCLOCKS; i++)
		INIT_LIST_HEAD(&sig->cpu_timers[i]);
	sig->cpu_timers_active = sig->rlim[RLIMIT_CPU].rlim_cur != RLIM64_INFINITY;
}

void posix_cputimers_init_task(struct task_struct *p)
{
	for (int i = 0; i < NR_CPUCLOCKS; i++)
		INIT_LIST_HEAD(&p->cpu_timers[i]);
}

/* The owner goes; the timers themselves stay until they are deleted, and never fire. */
static void empty(struct list_head *lists)
{
	struct k_itimer *timr, *next;

	for (int i = 0; i < NR_CPUCLOCKS; i++)
		list_for_each_entry_safe(timr, next, &lists[i], it.cpu.entry)
			disarm(timr);
}

void posix_cpu_timers_exit(struct task_struct *tsk)
{
	empty(tsk->cpu_timers);
}

void posix_cpu_timers_exit_group(struct task_struct *tsk)
{
	empty(tsk->signal->cpu_timers);
}

/* ---- sleeping on a process' clock ---- */

/*
 * Nobody but the tick of the process' other threads knows how its clock runs; it runs at most as fast as there are CPUs.
 * So sleep for that part of what is left, and look again: a few rounds at most, each shorter.  0 or -ERESTART*.
 */
static int sleep_until(clockid_t clock, u64 expires)
{
	struct timespec64 ts;
	u64 now;

	for (;;) {
		int err = cpu_clock_get(clock, &ts);

		if (err)
			return err;
		now = (u64)timespec64_to_ns(&ts);
		if (now >= expires)
			return 0;
		schedule_timeout_interruptible((long)nsecs_to_jiffies((expires - now) / num_online_cpus()) + 1);
		if (!signal_pending(current))
			continue;
		ts = ns_to_timespec64((s64)(expires - now));
		return nanosleep_copyout(&current->restart_block, &ts);
	}
}

static long cpu_nsleep_restart(struct restart_block *restart)
{
	return sleep_until(restart->nanosleep.clockid, restart->nanosleep.expires);
}

static int cpu_nsleep(clockid_t clock, int flags, const struct timespec64 *rqtp)
{
	struct restart_block *restart = &current->restart_block;
	u64 expires = (u64)timespec64_to_ns(rqtp);
	struct timespec64 ts;
	int err;

	/* A thread that sleeps on its own clock would never wake. */
	if (CPUCLOCK_PERTHREAD(clock) && (!CPUCLOCK_PID(clock) || CPUCLOCK_PID(clock) == task_pid_vnr(current)))
		return -EINVAL;
	err = cpu_clock_get(clock, &ts);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		expires += (u64)timespec64_to_ns(&ts);
	err = sleep_until(clock, expires);
	if (err != -ERESTART_RESTARTBLOCK)
		return err;
	if (flags & TIMER_ABSTIME)
		return -ERESTARTNOHAND;
	restart->nanosleep.clockid = clock;
	restart->nanosleep.expires = expires;
	return (int)set_restart_fn(restart, cpu_nsleep_restart);
}

#define PROCESS_CLOCK	((~0 << 3) | CPUCLOCK_SCHED)
#define THREAD_CLOCK	((~0 << 3) | CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD_MASK)

static int process_get(clockid_t which, struct timespec64 *ts) { return cpu_clock_get(PROCESS_CLOCK, ts); }
static int process_getres(clockid_t which, struct timespec64 *ts) { return cpu_clock_getres(PROCESS_CLOCK, ts); }
static int thread_get(clockid_t which, struct timespec64 *ts) { return cpu_clock_get(THREAD_CLOCK, ts); }
static int thread_getres(clockid_t which, struct timespec64 *ts) { return cpu_clock_getres(THREAD_CLOCK, ts); }

static int process_timer_create(struct k_itimer *timr)
{
	timr->it_clock = PROCESS_CLOCK;
	return cpu_timer_create(timr);
}

static int thread_timer_create(struct k_itimer *timr)
{
	timr->it_clock = THREAD_CLOCK;
	return cpu_timer_create(timr);
}

static int process_nsleep(clockid_t which, int flags, const struct timespec64 *rqtp)
{
	return cpu_nsleep(PROCESS_CLOCK, flags, rqtp);
}

const struct k_clock clock_posix_cpu = {
	.clock_getres = cpu_clock_getres, .clock_set = cpu_clock_set, .clock_get = cpu_clock_get,
	.timer_create = cpu_timer_create, .nsleep = cpu_nsleep, .timer_set = cpu_timer_set, .timer_del = cpu_timer_del,
	.timer_get = cpu_timer_get, .timer_rearm = cpu_timer_rearm,
};
const struct k_clock clock_process = {
	.clock_getres = process_getres, .clock_get = process_get, .timer_create = process_timer_create,
	.nsleep = process_nsleep,
};
const struct k_clock clock_thread = {
	.clock_getres = thread_getres, .clock_get = thread_get, .timer_create = thread_timer_create,
};
