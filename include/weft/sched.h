/*
 * sched.h: task_struct, the one structure behind every flow of execution (process, thread, kernel thread, idle task).
 *
 * What:    the task itself and the parts that a thread group shares: signal_struct (the group), sighand_struct
 *          (the handlers).  files_struct, fs_struct, mm_struct and cred have headers of their own.
 * Idea:    a process is a thread group: tasks with one tgid, which share ->signal.  Whatever fork may copy or share is
 *          behind a pointer with a count; copy_process() copies or shares each by its CLONE_ flag.
 * Locking: keys as in doc/locking.md:  [I] set before publication  [a] atomic  [c] this CPU, preemption off
 *          [o] only the owner task  [r:x] read under RCU, written under x  [x] a named lock that sits elsewhere
 *          [-] racy on purpose, and why.
 *          tasklist_lock (rwlock) guards the family tree and the pid links; a task's pi_lock guards its scheduling
 *          policy and wake-up; its run queue's lock guards on_rq, cpu and the sched entities.
 *          Order: tasklist_lock -> sighand->siglock -> pi_lock -> rq->lock.
 * See:     spec.md §3, §5, §7; doc/tasks.md
 */
#ifndef WEFT_SCHED_H
#define WEFT_SCHED_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/refcount.h>
#include <weft/list.h>
#include <weft/rculist.h>
#include <weft/llist.h>
#include <weft/llist.h>
#include <weft/rbtree.h>
#include <weft/spinlock.h>
#include <weft/rcu.h>
#include <weft/cpumask.h>
#include <weft/percpu.h>
#include <weft/smp.h>
#include <weft/preempt.h>
#include <weft/wait.h>
#include <weft/completion.h>
#include <weft/seqlock.h>
#include <weft/hrtimer.h>
#include <weft/mutex.h>
#include <weft/signal_types.h>
#include <weft/pid.h>
#include <weft/resource.h>
#include <weft/arch.h>
#include <uapi/sched.h>

struct mm_struct;
struct fs_struct;
struct files_struct;
struct cred;
struct sched_class;
struct cfs_rq;
struct rq;
struct robust_list_head;
struct futex_pi_state;
struct rt_mutex_waiter;
struct bio_list;
struct reclaim_state;
struct sem_undo_list;
struct nsproxy;
struct mempolicy;

#define TASK_COMM_LEN		16

/* task->__state: what the task waits for.  0 is running or ready; the run queue tells which. */
#define TASK_RUNNING		0x0000
#define TASK_INTERRUPTIBLE	0x0001
#define TASK_UNINTERRUPTIBLE	0x0002
#define __TASK_STOPPED		0x0004
#define __TASK_TRACED		0x0008
#define TASK_PARKED		0x0040
#define TASK_DEAD		0x0080	/* left the processor for the last time: finish_task_switch() frees it */
#define TASK_WAKEKILL		0x0100	/* a fatal signal wakes it */
#define TASK_WAKING		0x0200	/* being woken: off every queue, owned by the waker */
#define TASK_NOLOAD		0x0400	/* uninterruptible but not counted as load (idle kernel threads) */
#define TASK_NEW		0x0800

#define TASK_KILLABLE		(TASK_WAKEKILL | TASK_UNINTERRUPTIBLE)
#define TASK_STOPPED		(TASK_WAKEKILL | __TASK_STOPPED)
#define TASK_TRACED		__TASK_TRACED	/* SIGKILL wakes it by name, but not while its tracer works on it */
#define TASK_IDLE		(TASK_UNINTERRUPTIBLE | TASK_NOLOAD)
#define TASK_NORMAL		(TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)

/* task->exit_state */
#define EXIT_DEAD		0x0010
#define EXIT_ZOMBIE		0x0020
#define EXIT_TRACE		(EXIT_ZOMBIE | EXIT_DEAD)	/* its tracer has reaped it, its parent not yet */

/* task->flags [o] */
#define PF_IDLE			0x00000002	/* an idle task */
#define PF_EXITING		0x00000004	/* in do_exit() */
#define PF_IO_WORKER		0x00000010	/* a thread of io_uring: part of its process, never in user mode */
#define PF_WQ_WORKER		0x00000020	/* a workqueue worker: tell the pool when it sleeps */
#define PF_FORKNOEXEC		0x00000040
#define PF_SUPERPRIV		0x00000100
#define PF_DUMPCORE		0x00000200	/* writes, or is part of, a core file */
#define PF_SIGNALED		0x00000400	/* killed by a signal */
#define PF_MEMALLOC		0x00000800	/* may use the last reserves: it frees memory */
#define PF_NPROC_EXCEEDED	0x00001000	/* setuid went over RLIMIT_NPROC: execve must fail */
#define PF_KSWAPD		0x00020000
#define PF_KTHREAD		0x00200000	/* a kernel thread: mm == NULL for good */
#define PF_NO_SETAFFINITY	0x04000000

#define MAX_NICE	19
#define MIN_NICE	(-20)
#define MAX_RT_PRIO	100
#define MAX_PRIO	140
#define DEFAULT_PRIO	120
#define NICE_TO_PRIO(nice)	((nice) + DEFAULT_PRIO)
#define PRIO_TO_NICE(prio)	((prio) - DEFAULT_PRIO)

struct load_weight {
	unsigned long	weight;
	u32		inv_weight;		/* 2^32 / weight, so that dividing is multiplying */
};

/* A task's place in the fair class (EEVDF).  [rq->lock] */
struct sched_entity {
	struct load_weight	load;
	struct rb_node		run_node;	/* in cfs_rq->tasks, by deadline, augmented with min_vruntime */
	u64			deadline;	/* virtual time by which the current request should be served */
	u64			min_vruntime;	/* of this subtree */
	u64			exec_start;	/* rq clock, ns, of the last accounting */
	u64			sum_exec_runtime;	/* ns, ever */
	u64			prev_sum_exec_runtime;	/* ... when it was last picked */
	u64			vruntime;	/* ns of nice-0 time received */
	s64			vlag;		/* what it was owed when it was dequeued */
	u64			slice;		/* ns per request */
	u64			exec_at_sleep;	/* sum_exec_runtime when it last went to sleep */
	struct list_head	request_node;	/* in cfs_rq->requests */
	u64			requested;	/* rq clock, when it made its request */
	u64			nr_migrations;
	bool			on_rq;
	struct sched_entity	*parent;	/* of the task group in whose queue it is; NULL: in the CPU's own */
	struct cfs_rq		*my_q;		/* [I] it stands for a task group with this queue; NULL: for a task */
};

/* A task's place in the real-time classes.  [rq->lock] */
struct sched_rt_entity {
	struct list_head	run_list;
	unsigned int		time_slice;	/* ticks left, SCHED_RR */
	bool			on_list;
};

/* A task's place in the deadline class (SCHED_DEADLINE).  [rq->lock] */
struct sched_dl_entity {
	struct rb_node		rb_node;
	u64			dl_runtime, dl_deadline, dl_period;	/* ns, as asked for */
	s64			runtime;	/* ns left in this period */
	u64			deadline;	/* absolute, rq clock */
	struct hrtimer		dl_timer;	/* replenishes */
	u64			dl_bw;		/* [dl_bw_lock] what was promised: runtime / period */
	u32			dl_flags;	/* SCHED_FLAG_RECLAIM, as asked for */
	bool			dl_throttled;
	bool			dl_yielded;	/* done for this period */
	bool			on_tree;
};

/* The handlers, shared by CLONE_SIGHAND. */
struct sighand_struct {
	spinlock_t		siglock;	/* guards action[], every thread's pending and blocked, the group's pending */
	refcount_t		count;		/* one for each task that points here */
	struct wait_queue_head	signalfd_wqh;
	struct k_sigaction	action[_NSIG];	/* [siglock] */
	struct rcu_head		rcu;
};

struct cpu_itimer {
	u64	expires;			/* ns of CPU time; 0: off */
	u64	incr;
};

/* The thread group: what all threads of a process have in common. */
struct signal_struct {
	refcount_t		sigcnt;		/* one for each task_struct that points here, until it is freed */
	atomic_t		live;		/* threads that have not passed exit_signals */
	int			nr_threads;	/* [siglock] */
	int			quick_threads;	/* [siglock] threads not yet in do_exit's group accounting */
	struct list_head	thread_head;	/* [r:siglock+tasklist_lock] task->thread_node */
	struct wait_queue_head	wait_chldexit;	/* wait4 sleeps here */

	struct task_struct	*curr_target;	/* [siglock] where the last shared signal went */
	struct sigpending	shared_pending;	/* [siglock] */
	struct hlist_head	multiprocess;	/* [siglock] forks under way that a signal must reach */

	/* group exit and exec [siglock] */
	int			group_exit_code;
	int			notify_count;
	struct task_struct	*group_exec_task;
	int			group_stop_count;
	struct core_state	*core_state;	/* a dump is under way: task/coredump.c */
	unsigned int		flags;		/* SIGNAL_* in signal.h */

	bool			is_child_subreaper;	/* [tasklist_lock] */
	bool			has_child_subreaper;

	/* timers [siglock] */
	struct list_head	posix_timers;
	int			next_posix_timer_id;
	struct hrtimer		real_timer;	/* ITIMER_REAL */
	ktime_t			it_real_incr;
	struct cpu_itimer	it[2];		/* ITIMER_PROF, ITIMER_VIRTUAL */
	struct list_head	cpu_timers[3];	/* armed timers on the group's CPU clocks: posix-cpu-timers.c */
	bool			cpu_timers_active;	/* some of the three above, or RLIMIT_CPU: the tick must look */

	struct pid		*pids[PIDTYPE_MAX];	/* [r:tasklist_lock] TGID, PGID, SID */
	struct pid		*tty_old_pgrp;
	bool			leader;		/* session leader [tasklist_lock] */
	struct tty_struct	*tty;		/* controlling terminal [siglock] */

	/* sums over threads that have gone [stats_lock] */
	seqlock_t		stats_lock;
	u64			utime, stime, cutime, cstime;	/* ns */
	u64			sum_sched_runtime;
	u64			prev_utime, prev_stime;	/* [cputime_lock] as in task_struct, for the group */
	unsigned long		nvcsw, nivcsw, cnvcsw, cnivcsw;
	unsigned long		min_flt, maj_flt, cmin_flt, cmaj_flt;
	unsigned long		inblock, oublock, cinblock, coublock;
	unsigned long		maxrss, cmaxrss;

	struct rlimit64		rlim[RLIM_NLIMITS];	/* [task_lock(group_leader)], racy reads of one word are meant */

	short			oom_score_adj;	/* [-] one word */
	short			oom_score_adj_min;
	struct mm_struct	*oom_mm;
	struct mutex		cred_guard_mutex;	/* held over exec: credentials and mm change together */
	struct rcu_head		rcu;
};

#define DEFAULT_TIMER_SLACK	50000ul		/* ns */

struct task_struct {
	/* Read and written at every switch. */
	unsigned int		__state;	/* [pi_lock + rq->lock to leave sleep], own writes by set_current_state() */
	unsigned int		flags;		/* [o] PF_* */
	void			*stack;		/* [I] low end: struct thread_info */
	int			on_cpu;		/* [rq->lock] 1 while a processor runs on its stack */
	int			on_rq;		/* [rq->lock] TASK_ON_RQ_* */
	int			cpu;		/* [rq->lock] whose run queue */
	int			recent_used_cpu;
	struct mm_struct	*mm;		/* user address space, NULL for a kernel thread [task_lock; own reads free] */
	struct mm_struct	*active_mm;	/* the mm whose page tables are loaded while it runs; a kernel thread borrows */
	struct thread_struct	thread;		/* what the processor needs: arch */

	/* Scheduling [pi_lock + rq->lock] */
	int			prio;		/* what counts: normal_prio, or that of a more urgent one that waits for it */
	int			static_prio, normal_prio;	/* by nice value; by policy */
	unsigned int		rt_priority;
	unsigned int		policy;		/* SCHED_* */
	bool			sched_reset_on_fork;
	bool			sched_contributes_to_load;
	const struct sched_class *sched_class;
	struct sched_entity	se;
	struct sched_rt_entity	rt;
	struct sched_dl_entity	dl;
	cpumask_t		cpus_mask;
	int			nr_cpus_allowed;
	unsigned short		migration_disabled;
	struct task_struct	*wake_next;	/* wake_q */
	struct llist_node	wake_entry;	/* remote wake-up queue of another CPU */
	int			wake_cpu;

	/* Priority inheritance: locking/rtmutex.c */
	spinlock_t		pi_lock;
	struct rb_root_cached	pi_waiters;	/* [pi_lock] the first waiter of each lock that it owns */
	struct rt_mutex_waiter	*pi_blocked_on;	/* [pi_lock] the lock that it waits for */

	struct list_head	tasks;		/* [r:tasklist_lock] all thread group leaders, from init_task */
	refcount_t		usage;		/* 1 for rcu_users together, + get_task_struct */
	refcount_t		rcu_users;	/* 1 until release_task(), 1 until the last switch away */
	struct rcu_head		rcu;

	/* Exit */
	int			exit_state;	/* [tasklist_lock] EXIT_* */
	int			exit_code;
	int			exit_signal;	/* to the parent at the end of the group; -1 for a thread */
	int			pdeath_signal;
	unsigned long		jobctl;		/* [siglock] JOBCTL_* in signal.h */
	unsigned int		personality;
	u32			parent_exec_id, self_exec_id;	/* [-] counts execve: no exit signal to a new program */
	unsigned		in_execve:1;	/* [o] */
	unsigned		in_iowait:1;
	unsigned		vfork_done_set:1;
	bool			no_new_privs;	/* [siglock] a sibling's seccomp may set it: no bit of the word above */

	pid_t			pid;		/* [I] number in the first namespace */
	pid_t			tgid;		/* [I] */
	pid_t			vpid, vtgid;	/* [I] numbers in its own namespace: getpid, gettid */
	struct pid		*thread_pid;	/* [r:tasklist_lock] */
	struct hlist_node	pid_links[PIDTYPE_MAX];	/* [r:tasklist_lock] */
	struct list_head	thread_node;	/* [r:siglock+tasklist_lock] in signal->thread_head */

	/* Family [r:tasklist_lock] */
	struct task_struct	*real_parent;	/* who made it */
	struct task_struct	*parent;	/* who gets SIGCHLD and wait4: differs under ptrace */
	struct list_head	children;
	struct list_head	sibling;
	struct task_struct	*group_leader;
	struct list_head	ptraced;
	struct list_head	ptrace_entry;
	unsigned int		ptrace;		/* [siglock+tasklist_lock] PT_* */
	const struct cred	*ptracer_cred;	/* [tasklist_lock] of who attached, as they were then */
	unsigned long		ptrace_message;	/* [siglock] of the stop: PTRACE_GETEVENTMSG */

	struct completion	*vfork_done;	/* [task_lock] the parent sleeps here until mm_release() */
	int __user		*set_child_tid;	/* CLONE_CHILD_SETTID */
	int __user		*clear_child_tid;	/* CLONE_CHILD_CLEARTID */

	/* Accounting [o] unless said */
	u64			utime, stime;	/* ns, from the tick; scaled to sum_exec_runtime when shown */
	u64			gtime;
	u64			prev_utime, prev_stime;	/* [cputime_lock] what was shown last: never shown smaller */
	unsigned long		nvcsw, nivcsw;	/* switches: voluntary, involuntary [rq->lock] */
	unsigned long		min_flt, maj_flt;
	unsigned long		inblock, oublock;
	u64			start_time;	/* [I] monotonic ns */
	u64			start_boottime;	/* [I] */
	u64			last_ran;
	u64			wait_sum, wait_start;	/* ns ready but not running: /proc/PID/schedstat */

	/* Credentials: objective (what others may do to it), subjective (what it may do) */
	const struct cred	*real_cred;	/* [r:own, cred_guard_mutex] */
	const struct cred	*cred;
	char			comm[TASK_COMM_LEN];	/* [task_lock] */
	kuid_t			loginuid;	/* [o] who logged in, or -1; children inherit it */
	unsigned int		sessionid;	/* [o] */
	struct mempolicy	*mempolicy;	/* [o, task_lock against others] where its memory comes from; NULL: near */
	unsigned int		interleave_turn;	/* [o] MPOL_INTERLEAVE: pages dealt out so far */
	unsigned short		ioprio;		/* IOPRIO_*, as ioprio_set said; handed down */

	spinlock_t		alloc_lock;	/* task_lock(): mm, files, fs, comm pointers against other tasks */
	struct fs_struct	*fs;
	struct files_struct	*files;
	int			link_count;	/* [o] symbolic links followed in this path walk */
	struct nameidata	*nameidata;	/* [o] */

	/* Signals */
	struct signal_struct	*signal;
	struct sighand_struct	*sighand;	/* [r:siglock+tasklist_lock], NULL after release */
	sigset_t		blocked;	/* [siglock], own reads free */
	sigset_t		real_blocked;
	sigset_t		saved_sigmask;	/* [o] restored when TIF_RESTORE_SIGMASK */
	struct sigpending	pending;	/* [siglock] */
	unsigned long		sas_ss_sp;	/* [o] sigaltstack */
	size_t			sas_ss_size;
	unsigned int		sas_ss_flags;
	struct restart_block	restart_block;	/* [o] */
	kernel_siginfo_t	*last_siginfo;

	/* Futex */
	struct robust_list_head __user *robust_list;	/* [o] */
	bool			robust_list_compat;	/* [o] ... of a 32-bit program */
	struct list_head	pi_state_list;
	struct futex_pi_state	*pi_state_cache;
	unsigned int		futex_state;
	struct mutex		futex_exit_mutex;	/* held while the exit walks the robust list */
	struct rseq __user	*rseq;
	u32			rseq_len, rseq_sig;

	/* Memory management context [o] */
	unsigned int		memalloc_flags;
	unsigned int		fault_disabled;	/* > 0: user-space faults fail instead of sleeping */
	unsigned long		timer_slack_ns;	/* how late its sleeps may end; inherited */
	struct reclaim_state	*reclaim_state;
	void			*journal_info;
	struct blk_plug		*plug;		/* [o] bios held back: kernel/block/blk-plug.c */

	/* POSIX CPU timers [siglock] */
	struct list_head	cpu_timers[3];

	struct pipe_inode_info	*splice_pipe;
	void			*kthread_data;	/* struct kthread of a kernel thread */
	void			*worker;	/* struct worker of a workqueue worker */
	struct io_uring_task	*io_uring;	/* [o] rings that it uses: kernel/io_uring/task.c */
	struct io_worker	*io_worker;	/* [o] of a PF_IO_WORKER: one of these two */
	struct io_sq_thread	*io_sq;
	struct rcu_head		*task_works;	/* [a] what to do on the way to user mode: task_work.h */
	struct cgroup __rcu	*cgroup;	/* [r:tasklist_lock + cgroup_task_lock] + reference, but on the root */
	struct list_head	cgroup_node;	/* [cgroup_task_lock] in cgroup->tasks, but not in the root's */
	u64			cgroup_since[2];	/* [cgroup_task_lock] utime, stime when it came there */
	struct task_group	*task_group;	/* [pi_lock + rq->lock] of whose share of the CPU it has a part; NULL: all */
	unsigned int		memcg_over_high;	/* [o] pages charged above memory.high: to be reclaimed or slept for */
	bool			memcg_nomem;	/* [o] its group's limit made a charge fail */
	bool			cgroup_frozen;	/* [cgroup_task_lock] counted in cgroup->nr_frozen; own reads free */
	struct nsproxy		*nsproxy;	/* [task_lock] [o] never NULL for current until it exits */
	struct seccomp_filter	*seccomp_filter;	/* [siglock] the newest of its chain */
	unsigned int		seccomp_mode;	/* [siglock] SECCOMP_MODE_* */
	unsigned int		seccomp_count;	/* [siglock] filters in the chain */
	struct sem_undo_list	*sysvsem_undo;
	struct perf_task	*perf;		/* [perf_mutex] counters of perf_event_open(2); NULL: none */
	unsigned int		trace_recursion;

#ifdef CONFIG_DEBUG
	/* Lock checker [o] */
	struct held_lock	held_locks[LOCKDEP_MAX_HELD];
	int			lockdep_depth;
	int			lockdep_recursion;
#endif
};

extern struct task_struct init_task;
extern int nr_threads, max_threads;		/* nr_threads [tasklist_lock] */
extern unsigned long total_forks;		/* [tasklist_lock] since boot */
extern rwlock_t tasklist_lock;			/* class: tasklist */
DECLARE_PER_CPU(struct task_struct *, current_task);

/* The running task.  Valid from the first C instruction: the boot CPU starts as init_task. */
static __always_inline struct task_struct *get_current(void)
{
	return this_cpu_read_stable(current_task);
}
#define current get_current()

#define set_current_state(s)	smp_store_mb(current->__state, (s))
#define __set_current_state(s)	WRITE_ONCE(current->__state, (s))
#define task_is_running(t)	(READ_ONCE((t)->__state) == TASK_RUNNING)

/* ---- sched/core.c ---- */
/* Gives the processor to the next task.  May be called with any ->__state set; the caller holds no spinlock. */
void schedule(void);
void schedule_preempt_disabled(void);
void preempt_schedule(void);			/* the kernel was asked to give way and preemption is on again */
void preempt_schedule_irq(void);		/* the same from the end of an interrupt, interrupts off */
#define MAX_SCHEDULE_TIMEOUT	((long)(~0UL >> 1))
long schedule_timeout(long jiffies);		/* returns the jiffies left; state must be set before */
long schedule_timeout_interruptible(long jiffies);
long schedule_timeout_uninterruptible(long jiffies);
long schedule_timeout_killable(long jiffies);
void io_schedule(void);
long io_schedule_timeout(long jiffies);
/* Wakes p if its state is in `state`.  Any context.  Returns 1 if it woke, 0 if it ran already. */
int try_to_wake_up(struct task_struct *p, unsigned int state, int wake_flags);
int wake_up_process(struct task_struct *p);
int wake_up_state(struct task_struct *p, unsigned int state);
void wake_up_new_task(struct task_struct *p);
void sched_init(void);
void sched_init_smp(void);
int sched_fork(unsigned long clone_flags, struct task_struct *p);
void sched_post_fork(struct task_struct *p);
void sched_exit(struct task_struct *p);
void sched_exec(void);				/* execve: nothing in the cache is worth keeping, the best moment to move */
void sched_tick(void);				/* from the timer interrupt, interrupts off */
void schedule_tail(struct task_struct *prev);	/* first C function of a new task */
void init_idle(struct task_struct *idle, int cpu);
void cpu_startup_entry(void) __noreturn;	/* the idle loop */
void resched_cpu(int cpu);
void scheduler_ipi(void);			/* the reschedule interrupt */
int set_cpus_allowed_ptr(struct task_struct *p, const cpumask_t *mask);	/* may sleep; 0 or -EINVAL */
void set_task_cpu(struct task_struct *p, unsigned int cpu);
void kick_process(struct task_struct *p);	/* make its CPU enter the kernel, to see a signal */
void wait_task_inactive(struct task_struct *p, unsigned int match_state);
void set_user_nice(struct task_struct *p, long nice);
int task_nice(const struct task_struct *p);
int task_prio(const struct task_struct *p);
int can_nice(const struct task_struct *p, int nice);
bool task_curr(const struct task_struct *p);
int idle_cpu(int cpu);
bool sched_cpu_borrows_mm(int cpu, const struct mm_struct *mm);
void sched_set_fifo(struct task_struct *p);
extern int sysctl_sched_rt_runtime, sysctl_sched_rt_period;	/* us: the share of real-time tasks; -1: no limit */
int sched_rt_limits_ok(void);			/* 0, -EINVAL, -EBUSY */
void yield(void);
void do_sched_yield(void);
void do_task_dead(void) __noreturn;		/* the end of do_exit() */
int __cond_resched(void);
unsigned long nr_running(void);
unsigned long nr_iowait(void);
unsigned long long nr_context_switches(void);
u64 nr_context_switches_cpu(int cpu);
u64 nr_migrations_cpu(int cpu);
void get_avenrun(unsigned long *loads, unsigned long offset, int shift);
u64 task_sched_runtime(struct task_struct *p);	/* ns on a processor, up to now */
struct task_cputime {
	u64 utime, stime, sum_exec_runtime;	/* ns */
};
/* Sums over all threads of p's group, those that have gone included.  Any context; siglock may be held. */
void thread_group_cputime(struct task_struct *p, struct task_cputime *sum);
void task_cputime_adjusted(struct task_struct *p, u64 *ut, u64 *st);
void thread_group_cputime_adjusted(struct task_struct *p, u64 *ut, u64 *st);
const char *task_state_name(const struct task_struct *p);	/* "R (running)" ... as /proc/PID/status */
char task_state_char(const struct task_struct *p);
void sched_show_task(struct task_struct *p);
struct seq_file;
void proc_sched_show_task(struct task_struct *p, struct seq_file *m);	/* /proc/PID/sched */
unsigned long get_wchan(struct task_struct *p);	/* where a sleeping task waits; 0: it does not */
void show_state(void);				/* all tasks, for SysRq-like dumps and panics */

#define cond_resched() ({ __might_sleep_here(); __cond_resched(); })
static inline bool need_resched(void) { return test_thread_flag(TIF_NEED_RESCHED); }
static inline bool test_tsk_need_resched(struct task_struct *p) { return unlikely(test_tsk_thread_flag(p, TIF_NEED_RESCHED)); }
static inline void set_tsk_need_resched(struct task_struct *p) { set_tsk_thread_flag(p, TIF_NEED_RESCHED); }
static inline void clear_tsk_need_resched(struct task_struct *p) { clear_tsk_thread_flag(p, TIF_NEED_RESCHED); }
static inline unsigned int task_cpu(const struct task_struct *p) { return READ_ONCE(p->cpu); }
static inline bool rt_prio(int prio) { return prio < MAX_RT_PRIO; }
static inline bool rt_task(const struct task_struct *p) { return rt_prio(p->prio); }

/* ---- task/ ---- */
static inline struct task_struct *get_task_struct(struct task_struct *t) { refcount_inc(&t->usage); return t; }
void __put_task_struct(struct task_struct *t);
static inline void put_task_struct(struct task_struct *t)
{
	if (refcount_dec_and_test(&t->usage))
		__put_task_struct(t);
}
void put_task_struct_rcu_user(struct task_struct *t);
void release_task(struct task_struct *p);
void do_exit(long code) __noreturn;
void do_group_exit(int code) __noreturn;
void exit_mm_release(struct task_struct *tsk, struct mm_struct *mm);
void exec_mm_release(struct task_struct *tsk, struct mm_struct *mm);
void free_task(struct task_struct *tsk);
void fork_init(void);
void __set_task_comm(struct task_struct *t, const char *comm, bool exec);
char *get_task_comm(char *buf, struct task_struct *t);	/* buf of TASK_COMM_LEN */

struct kernel_clone_args {
	u64		flags;
	int __user	*pidfd;
	int __user	*child_tid;
	int __user	*parent_tid;
	int		exit_signal;
	unsigned long	stack;
	unsigned long	stack_size;
	unsigned long	tls;
	pid_t		*set_tid;
	size_t		set_tid_size;
	int		cgroup;
	int		idle;
	int		kthread;		/* a kernel thread: run fn(fn_arg) */
	int		io_thread;		/* a thread of the process that stays in the kernel: the same */
	int		(*fn)(void *);
	void		*fn_arg;
};
/* The one way to a new task.  Returns its pid number or -errno.  May sleep. */
pid_t kernel_clone(struct kernel_clone_args *args);
struct task_struct *copy_process(struct pid *pid, int trace, int node, struct kernel_clone_args *args);
/* A thread of current's process that runs fn(arg), which must not return; wake_up_new_task() it.  ERR_PTR.  May sleep. */
struct task_struct *create_io_thread(int (*fn)(void *), void *arg);
/* The old way to a kernel thread, for init and kthreadd only; everybody else uses kthread_create(). */
pid_t kernel_thread(int (*fn)(void *), void *arg, unsigned long flags);
struct task_struct *fork_idle(int cpu);
int kernel_execve(const char *filename, const char *const *argv, const char *const *envp);

/* A limit of the running process, or of another: one word, read without a lock. */
static inline unsigned long task_rlimit(const struct task_struct *t, unsigned int limit)
{
	return READ_ONCE(t->signal->rlim[limit].rlim_cur);
}
static inline unsigned long task_rlimit_max(const struct task_struct *t, unsigned int limit)
{
	return READ_ONCE(t->signal->rlim[limit].rlim_max);
}
static inline unsigned long rlimit(unsigned int limit) { return task_rlimit(current, limit); }
static inline unsigned long rlimit_max(unsigned int limit) { return task_rlimit_max(current, limit); }

static inline void task_lock(struct task_struct *p) __acquires(&p->alloc_lock) { spin_lock(&p->alloc_lock); }
static inline void task_unlock(struct task_struct *p) __releases(&p->alloc_lock) { spin_unlock(&p->alloc_lock); }
static inline pid_t task_pid_nr(const struct task_struct *t) { return t->pid; }
static inline pid_t task_tgid_nr(const struct task_struct *t) { return t->tgid; }
static inline bool thread_group_leader(const struct task_struct *p) { return p->exit_signal >= 0; }
static inline bool same_thread_group(const struct task_struct *a, const struct task_struct *b)
{
	return a->signal == b->signal;
}
static inline bool thread_group_empty(struct task_struct *p)
{
	return p->signal->nr_threads <= 1;
}

#define next_task(p)	list_entry_rcu((p)->tasks.next, struct task_struct, tasks)
/* All processes (group leaders): under rcu_read_lock or tasklist_lock. */
#define for_each_process(p) for (p = &init_task; (p = next_task(p)) != &init_task; )
#define for_each_thread(p, t) list_for_each_entry_rcu(t, &(p)->signal->thread_head, thread_node)
#define for_each_process_thread(p, t) for_each_process(p) for_each_thread(p, t)

#endif
