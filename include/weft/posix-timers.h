/*
 * posix-timers.h: timer_create() timers and the clocks behind them (kernel/time/posix-timers.c,
 * posix-clocks.c, posix-cpu-timers.c).
 *
 * A clock number is either a small constant or, negative, made from a pid: ~pid << 3 | kind, with bit 2 for a thread
 * instead of a process (clock_getcpuclockid(3)), kind CPUCLOCK_PROF, VIRT or SCHED.
 */
#ifndef WEFT_POSIX_TIMERS_H
#define WEFT_POSIX_TIMERS_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/hrtimer.h>
#include <weft/rcu.h>
#include <weft/pid.h>

struct sigevent;

struct task_struct;
struct signal_struct;
struct sigqueue;
struct kernel_siginfo;
struct k_itimer;

#define CPUCLOCK_PERTHREAD_MASK	4
#define CPUCLOCK_CLOCK_MASK	3
#define CPUCLOCK_PROF		0
#define CPUCLOCK_VIRT		1
#define CPUCLOCK_SCHED		2
#define CPUCLOCK_PID(clock)	((pid_t)~((clock) >> 3))
#define CPUCLOCK_PERTHREAD(clock) (((clock) & (clockid_t)CPUCLOCK_PERTHREAD_MASK) != 0)
#define CPUCLOCK_WHICH(clock)	((clock) & (clockid_t)CPUCLOCK_CLOCK_MASK)

/* What a clock can do.  NULL: that call gives -EOPNOTSUPP or -EINVAL. */
struct k_clock {
	int	(*clock_getres)(clockid_t which, struct timespec64 *ts);
	int	(*clock_set)(clockid_t which, const struct timespec64 *ts);
	int	(*clock_get)(clockid_t which, struct timespec64 *ts);
	int	(*timer_create)(struct k_itimer *timr);
	int	(*nsleep)(clockid_t which, int flags, const struct timespec64 *rqtp);
	int	(*timer_set)(struct k_itimer *timr, int flags, struct itimerspec64 *new, struct itimerspec64 *old);
	int	(*timer_del)(struct k_itimer *timr);	/* TIMER_RETRY: the function runs, drop the lock and try again */
	void	(*timer_get)(struct k_itimer *timr, struct itimerspec64 *cur);
	void	(*timer_rearm)(struct k_itimer *timr);
};
#define TIMER_RETRY	1

/* One POSIX timer. */
struct k_itimer {
	struct list_head	list;		/* signal->posix_timers [siglock] */
	struct hlist_node	hash;		/* [r:hash lock] by (signal, id) */
	spinlock_t		it_lock;	/* class: k_itimer; before siglock */
	const struct k_clock	*kclock;	/* [I] */
	clockid_t		it_clock;	/* [I] */
	int			it_id;		/* [I] */
	bool			it_active;	/* [it_lock] armed */
	s64			it_overrun;	/* [it_lock] since the signal was queued */
	s64			it_overrun_last;	/* ... when it was delivered: timer_getoverrun() */
	int			it_requeue_pending;	/* [it_lock] odd: a queued signal rearms it; +2 at each setting */
	int			it_sigev_notify;	/* [I] */
	ktime_t			it_interval;
	struct signal_struct	*it_signal;	/* [I] NULL once deleted */
	struct pid		*it_pid;	/* whom to signal, with a reference */
	struct sigqueue		*sigq;
	union {
		struct {
			struct hrtimer	timer;
		} real;
		struct {			/* CPU-time clocks [siglock] */
			struct list_head entry;	/* in the task's or the group's list, by expiry */
			struct pid	*pid;	/* whose time, with a reference */
			u64		expires;
			bool		armed;
			bool		firing;
		} cpu;
	} it;
	struct rcu_head		rcu;
};

/* From user memory: 0 or -EFAULT. */
int get_sigevent(struct sigevent *event, const struct sigevent __user *uevent);
/* For task/: */
void exit_itimers(struct task_struct *tsk);		/* the last thread goes, or execve: all timers go; may sleep */
/* A queued timer signal is taken: rearm an interval timer, fill in the overrun.  From dequeue_signal(), siglock free. */
void posixtimer_rearm(struct kernel_siginfo *info);
enum hrtimer_restart it_real_fn(struct hrtimer *timer);	/* ITIMER_REAL fires */
void posix_cputimers_init_group(struct signal_struct *sig);
void posix_cputimers_init_task(struct task_struct *p);
void posix_cpu_timers_exit(struct task_struct *tsk);		/* a thread goes [siglock] */
void posix_cpu_timers_exit_group(struct task_struct *tsk);
/* RLIMIT_CPU was set for the task: the group must be checked from now on. */
int update_rlimit_cpu(struct task_struct *task, unsigned long rlim_new);
/* From the tick: something on this task's or its group's clocks may have expired. */
void run_posix_cpu_timers(void);

/* Arms a CPU-time itimer. [siglock] */
void set_process_cpu_timer(struct task_struct *tsk, unsigned int clockid, u64 *newval, u64 *oldval);

extern const struct k_clock clock_posix_cpu, clock_process, clock_thread;
const struct k_clock *clockid_to_kclock(clockid_t id);
int posix_timer_event(struct k_itimer *timr, int si_private);
int do_getitimer(int which, struct itimerspec64 *value);
int do_setitimer(int which, struct itimerspec64 *value, struct itimerspec64 *ovalue);

#endif
