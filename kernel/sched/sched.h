/*
 * sched/sched.h: the inside of the scheduler: run queues, scheduling classes, and what the files of this folder share.
 *
 * Idea:    one struct rq for each CPU.  A runnable task is in exactly one of them, in the queue of its class.  Classes
 *          stand in a fixed order: stop > dl > rt > fair > idle; the first that has a task supplies the next one.
 * Locking: rq->lock guards all of struct rq unless a field says otherwise, and the scheduling fields of every task whose
 *          ->cpu is this rq and whose ->on_rq is set.  A task's own pi_lock is taken first.  Two run queues are locked
 *          in address order (double_rq_lock).  Interrupts are off under both.
 * See:     core.c tells the story.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include <weft/sched.h>
#include <weft/kernel.h>
#include <weft/kernel_stat.h>
#include <weft/smp.h>
#include <weft/cpumask.h>
#include <weft/llist.h>
#include <weft/lockdep.h>
#include <weft/rbtree_augmented.h>
#include <weft/bitmap.h>
#include <weft/stop_machine.h>
#include <weft/timekeeping.h>
#include <weft/jiffies.h>
#include <weft/math64.h>
#include <weft/bug.h>
#include <weft/trace.h>

/* task->on_rq */
#define TASK_ON_RQ_QUEUED	1
#define TASK_ON_RQ_MIGRATING	2		/* between two run queues: spin on ->cpu */

#define SCHED_FIXEDPOINT_SHIFT	10
#define NICE_0_LOAD		1024UL
#define WEIGHT_IDLEPRIO		3
#define WMULT_IDLEPRIO		1431655765

/* flags of enqueue, dequeue, wake-up */
#define DEQUEUE_SLEEP		0x01
#define DEQUEUE_SAVE		0x02		/* out and in again for a change of policy, affinity */
#define DEQUEUE_MOVE		0x04
#define ENQUEUE_WAKEUP		0x01
#define ENQUEUE_RESTORE		0x02
#define ENQUEUE_MOVE		0x04
#define ENQUEUE_HEAD		0x08
#define ENQUEUE_INITIAL		0x10		/* a new task */

#define WF_TTWU			0x01
#define WF_FORK			0x02
#define WF_EXEC			0x04
#define WF_SYNC			0x08		/* the waker is about to sleep */
#define WF_ON_CPU		0x20

/* The fair class' queue.  All virtual times are relative to nothing but each other: compare by signed difference. */
struct cfs_rq {
	struct load_weight	load;		/* sum over all entities, the running one included */
	unsigned int		nr_running;	/* tasks, those in groups below included */
	s64			avg_vruntime;	/* sum of (vruntime - min_vruntime) * weight over those in the tree */
	u64			avg_load;	/* sum of their weights */
	u64			min_vruntime;	/* never goes back */
	struct rb_root_cached	tasks_timeline;	/* by deadline; the running entity is not in it */
	struct sched_entity	*curr;
	struct list_head	requests;	/* all entities, the running one too, by the time of their requests */
	struct sched_entity	*aged;		/* the first of them, while it is served because of its age */
	u64			aged_rest;	/* rq clock: until then nobody else is */

	/* Of a task group only */
	struct task_group	*tg;		/* [I] NULL: the CPU's own queue */
	struct list_head	on_cpu;		/* in rq->group_queues while anything is in it */
	s64			runtime_left;	/* ns of its bandwidth that are its already; negative: what it owes */
	bool			throttled;	/* nothing left: no user mode.  Read without the lock, too */
};

struct rt_rq {
	DECLARE_BITMAP(bitmap, MAX_RT_PRIO + 1);	/* which lists are not empty; the last bit is always set */
	struct list_head	queue[MAX_RT_PRIO];
	unsigned int		nr_running;
	u64			period_start;	/* rq clock: of the running period of the throttle */
	u64			rt_time;	/* ns used in this period */
	bool			throttled;
};

struct dl_rq {
	struct rb_root_cached	root;		/* by deadline; the running task stays in it */
	unsigned int		nr_running;
};

struct rq {
	spinlock_t		lock;		/* class: rq; after task->pi_lock */
	unsigned int		nr_running;
	u64			nr_switches;
	u64			nr_migrations;	/* [c] tasks that this CPU sent to another run queue */
	struct task_struct __rcu *curr;		/* [r:lock] */
	struct task_struct	*idle;		/* [I] */
	struct task_struct	*stop;		/* [I] migration/N */
	struct mm_struct	*prev_mm;	/* what finish_task_switch() must mmdrop() */
	u64			clock;		/* ns; update_rq_clock() */
	u64			clock_idle;	/* when the idle task was switched to; 0: it does not run */
	int			cpu;		/* [I] */
	bool			online;		/* [I] */

	struct cfs_rq		cfs;
	struct list_head	group_queues;	/* cfs_rq->on_cpu: those of groups that have tasks here */
	struct rt_rq		rt;
	struct dl_rq		dl;

	unsigned long		nr_uninterruptible;	/* sleepers minus wakers: only the sum over all CPUs counts */
	atomic_t		nr_iowait;	/* [a] */
	struct llist_head	wake_list;	/* [a] tasks that other CPUs woke for us: sched_ttwu_pending() */

	/* balancing */
	unsigned long		next_balance;	/* jiffies */
	unsigned int		nr_balance_failed;
	u64			avg_idle;	/* ns, decaying: how long this CPU idles; short: do not search for work */
	bool			active_balance;	/* the stopper pushes the running task away */
	int			push_cpu;
	struct cpu_stop_work	active_balance_work;
	bool			nohz_kick;	/* [-] this idle CPU was asked to balance */

	/* statistics for /proc/schedstat and /proc/sched_debug */
	unsigned int		yld_count, sched_goidle, ttwu_count;
	u64			run_delay;	/* ns that tasks waited here, ready */
	unsigned long		pcount;
} ____cacheline_aligned;

DECLARE_PER_CPU(struct rq, runqueues);
#define cpu_rq(cpu)	(&per_cpu(runqueues, (cpu)))
#define this_rq()	this_cpu_ptr(&runqueues)
#define task_rq(p)	cpu_rq(task_cpu(p))
#define cpu_curr(cpu)	(cpu_rq(cpu)->curr)
static inline int cpu_of(const struct rq *rq) { return rq->cpu; }
static inline u64 rq_clock(const struct rq *rq) { return rq->clock; }
#define rq_clock_task(rq) rq_clock(rq)

/* Once for each time the lock is held, before anything is charged. */
static inline void update_rq_clock(struct rq *rq)
{
	u64 now = sched_clock();

	if ((s64)(now - rq->clock) > 0)
		rq->clock = now;
}

/*
 * What a class of tasks must be able to do.  All under rq->lock, but select_task_rq and task_fork (p->pi_lock).
 */
struct sched_class {
	int rank;				/* higher runs first */
	void (*enqueue_task)(struct rq *rq, struct task_struct *p, int flags);
	void (*dequeue_task)(struct rq *rq, struct task_struct *p, int flags);
	void (*yield_task)(struct rq *rq);
	void (*check_preempt_curr)(struct rq *rq, struct task_struct *p, int flags);	/* p of the same class */
	struct task_struct *(*pick_next_task)(struct rq *rq);	/* and set_next_task() it; NULL: none */
	void (*put_prev_task)(struct rq *rq, struct task_struct *p);
	void (*set_next_task)(struct rq *rq, struct task_struct *p);	/* p, queued, is the running task from now on */
	int (*select_task_rq)(struct task_struct *p, int cpu, int wake_flags);
	void (*task_tick)(struct rq *rq, struct task_struct *p);
	void (*task_fork)(struct task_struct *p);
	void (*switched_from)(struct rq *rq, struct task_struct *p);
	void (*switched_to)(struct rq *rq, struct task_struct *p);
	void (*prio_changed)(struct rq *rq, struct task_struct *p, int oldprio);
	void (*update_curr)(struct rq *rq);	/* charge the running task up to rq->clock */
	unsigned int (*get_rr_interval)(struct rq *rq, struct task_struct *p);	/* ns */
};

extern const struct sched_class stop_sched_class, dl_sched_class, rt_sched_class, fair_sched_class, idle_sched_class;
static inline bool sched_class_above(const struct sched_class *a, const struct sched_class *b) { return a->rank > b->rank; }

static inline bool idle_policy(int policy) { return policy == SCHED_IDLE; }
static inline bool fair_policy(int policy) { return policy == SCHED_NORMAL || policy == SCHED_BATCH; }
static inline bool rt_policy(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }
static inline bool dl_policy(int policy) { return policy == SCHED_DEADLINE; }
static inline bool task_has_dl_policy(const struct task_struct *p) { return dl_policy(p->policy); }
static inline bool task_has_rt_policy(const struct task_struct *p) { return rt_policy(p->policy); }
static inline bool task_has_idle_policy(const struct task_struct *p) { return idle_policy(p->policy); }
static inline bool task_current(const struct rq *rq, const struct task_struct *p) { return rq->curr == p; }
static inline bool task_on_cpu(const struct rq *rq, const struct task_struct *p) { return READ_ONCE(p->on_cpu); }
static inline bool task_on_rq_queued(const struct task_struct *p) { return p->on_rq == TASK_ON_RQ_QUEUED; }
static inline bool task_on_rq_migrating(const struct task_struct *p) { return READ_ONCE(p->on_rq) == TASK_ON_RQ_MIGRATING; }
static inline struct task_struct *task_of(struct sched_entity *se) { return container_of(se, struct task_struct, se); }

/* ---- locks ---- */
struct rq_flags {
	unsigned long flags;
};
/*
 * p's run queue, locked, and p cannot leave it: with pi_lock (task_rq_lock) or given that the caller holds pi_lock.
 * Which rq->lock that is no annotation can say; the unlocking ones assert it.
 */
struct rq *task_rq_lock(struct task_struct *p, struct rq_flags *rf) __acquires(&p->pi_lock);
struct rq *__task_rq_lock(struct task_struct *p);
static inline void __task_rq_unlock(struct rq *rq)
{
	lockdep_assert_held(&rq->lock);
	spin_unlock(&rq->lock);
}
static inline void task_rq_unlock(struct rq *rq, struct task_struct *p, struct rq_flags *rf)
	__releases(&p->pi_lock)
{
	lockdep_assert_held(&rq->lock);
	spin_unlock(&rq->lock);
	spin_unlock_irqrestore(&p->pi_lock, rf->flags);
}
void double_rq_lock(struct rq *rq1, struct rq *rq2);
void double_rq_unlock(struct rq *rq1, struct rq *rq2);
/* Locks busiest while this_rq is held; may drop this_rq's lock for a moment: look again at what was decided. */
void double_lock_balance(struct rq *this_rq, struct rq *busiest);

/* ---- core.c ---- */
void resched_curr(struct rq *rq);
void check_preempt_curr(struct rq *rq, struct task_struct *p, int flags);
void enqueue_task(struct rq *rq, struct task_struct *p, int flags);
void dequeue_task(struct rq *rq, struct task_struct *p, int flags);
void activate_task(struct rq *rq, struct task_struct *p, int flags);
void deactivate_task(struct rq *rq, struct task_struct *p, int flags);
void sched_ttwu_pending(void);
int select_task_rq(struct task_struct *p, int cpu, int wake_flags);
void schedule_idle(void);
/* The run queue's lock changes hands with the CPU: the lock checker keeps its books by task. */
#ifdef CONFIG_DEBUG
#define lock_handed_to_next(lock)	spin_release(&(lock)->dep_map, _THIS_IP_)
#define lock_acquired_from_prev(lock)	spin_acquire(&(lock)->dep_map, 0, 0, _THIS_IP_)
/* A run queue's lock that was taken as the second of two, and will be held while another one is. */
#define lock_is_outer_again(lock) do { \
	spin_release(&(lock)->dep_map, _THIS_IP_); \
	spin_acquire(&(lock)->dep_map, 0, 1, _THIS_IP_); \
} while (0)
#else
#define lock_is_outer_again(lock)	do { } while (0)
#define lock_handed_to_next(lock)	do { } while (0)
#define lock_acquired_from_prev(lock)	do { } while (0)
#endif
static inline void add_nr_running(struct rq *rq, unsigned int n) { WRITE_ONCE(rq->nr_running, rq->nr_running + n); }
static inline void sub_nr_running(struct rq *rq, unsigned int n) { WRITE_ONCE(rq->nr_running, rq->nr_running - n); }

/* ---- policy.c ---- */
extern const int sched_prio_to_weight[40];
extern const u32 sched_prio_to_wmult[40];
void set_load_weight(struct task_struct *p);
/* user: check the caller's rights.  0, -EINVAL, -EPERM. */
int __sched_setscheduler(struct task_struct *p, const struct sched_attr *attr, bool user);
/*
 * Calls fn for each task that (which: PRIO_*, who) names, under tasklist_lock; `acc` is handed from one to the next and
 * returned at last, unchanged when there was none.
 */
typedef int (*prio_fn)(struct task_struct *p, int arg, int acc);
int sched_for_named(int which, int who, prio_fn fn, int arg, int acc);
bool check_same_owner(struct task_struct *p);	/* does the running task's euid own p? */
/* p is off its queue (and not the running one) between these, so that what orders it may change.  rq->lock held. */
struct sched_change {
	bool queued, running;
};
struct sched_change sched_change_begin(struct rq *rq, struct task_struct *p);
void sched_change_end(struct rq *rq, struct task_struct *p, struct sched_change c, int enqueue_flags);

/* ---- affinity.c ---- */
struct rq *move_queued_task(struct rq *rq, struct task_struct *p, int new_cpu);
int select_fallback_rq(struct task_struct *p);
void sched_set_stop_task(int cpu, struct task_struct *stop);
static inline bool is_cpu_allowed(const struct task_struct *p, int cpu)
{
	return cpumask_test_cpu(cpu, &p->cpus_mask) && cpu_online(cpu);
}

/* ---- fair.c, rt.c ---- */
void init_cfs_rq(struct cfs_rq *cfs_rq);
void init_rt_rq(struct rt_rq *rt_rq);
/* No other class has anything: the next task, which may be prev (fair or idle) or the idle task.  Does put and set. */
struct task_struct *fair_pick_fast(struct rq *rq, struct task_struct *prev);
u64 avg_vruntime(struct cfs_rq *cfs_rq);
void sched_rt_tick(struct rq *rq);		/* ends the period of the throttle; from every tick */
/* gives waiting RT tasks to CPUs that run less urgent work; drops and retakes lock */
void sched_rt_push(struct rq *rq);
void sched_rt_pull(struct rq *rq);		/* takes a waiting RT task of another CPU; the same */
#define RR_TIMESLICE	(100 * HZ / 1000)
#define SCHED_SLICE_NS	3000000ULL

/* ---- group.c: rq->lock held ---- */
void sched_group_load(struct cfs_rq *cfs, long delta);	/* so much more weight is queued in the group */
unsigned long sched_group_weight(const struct cfs_rq *cfs);	/* of the group's entity on this CPU */
void sched_group_charge(struct rq *rq, struct cfs_rq *cfs, u64 delta);	/* ns against the group's bandwidth */
void sched_group_check_throttled(struct rq *rq, struct task_struct *p);
void set_task_group_queue(struct task_struct *p, int cpu);
unsigned long task_h_load(const struct task_struct *p);

/* ---- deadline.c ---- */
#define DL_PRIO	(-1)				/* before all of the real-time priorities */
void init_dl_rq(struct dl_rq *dl);
void sched_dl_push(struct rq *rq);		/* gives a waiting task to a CPU that can take it; drops and retakes lock */
int dl_check_attr(const struct sched_attr *attr);
/* Promises p this bandwidth instead of what it had; attr NULL: none.  0 or -EBUSY.  pi_lock held. */
int dl_admit(struct task_struct *p, const struct sched_attr *attr);
void dl_set_params(struct task_struct *p, const struct sched_attr *attr);
void dl_get_params(const struct task_struct *p, struct sched_attr *attr);
void dl_exit(struct task_struct *p);		/* may sleep */
bool dl_fits_limits(int runtime_us, int period_us);

/* ---- balance.c ---- */
extern cpumask_t idle_cpus_mask;		/* [a] CPUs that run their idle task */
bool available_idle_cpu(int cpu);		/* idle, and nothing is on its way there */
int select_idle_cpu_near(struct task_struct *p, int target);
int select_cpu_fork(struct task_struct *p, int cpu);
void newidle_balance(struct rq *this_rq);	/* may drop and retake the lock */
void trigger_load_balance(struct rq *rq);	/* from the tick */
void nohz_balance_kicked(struct rq *rq);	/* from the reschedule interrupt */
void init_balance(void);

/* ---- cputime.c ---- */
void account_idle_span(struct rq *rq, u64 ns);

#endif
