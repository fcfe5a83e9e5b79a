/*
 * workqueue.h: work that is to be done soon, in a context that may sleep.
 *
 * Idea:    a work item is a function call waiting in a list.  Kernel threads ("kworker/...") take items; each CPU has a
 *          pool of them, which keeps one running: when the running worker blocks, another is woken or made.
 *          Unbound queues are served by one pool for all CPUs; an ordered queue runs one item at a time, in order.
 * Rules:   an item runs on at most one CPU at a time; if it is queued again while it runs, it runs once more after.  The
 *          function may free its item.
 * See:     spec.md §4 "workqueues"; kernel/task/workqueue.c
 */
#ifndef WEFT_WORKQUEUE_H
#define WEFT_WORKQUEUE_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/list.h>
#include <weft/timer.h>
#include <weft/cpumask.h>

struct workqueue_struct;
struct work_struct;
struct task_struct;
typedef void (*work_func_t)(struct work_struct *work);

/*
 * data: bit 0 (PENDING): queued and not yet started; other bits: the pool_workqueue it is queued on or last ran on.
 */
struct work_struct {
	atomic_long_t		data;		/* [a] */
	struct list_head	entry;		/* [pool->lock] */
	work_func_t		func;
};
#define WORK_STRUCT_PENDING_BIT	0
#define WORK_STRUCT_PENDING	1UL

struct delayed_work {
	struct work_struct	work;
	struct timer_list	timer;
	struct workqueue_struct	*wq;		/* where the timer queues it */
	int			cpu;
};

#define WORK_CPU_UNBOUND	NR_CPUS		/* "any CPU": the local one for per-CPU queues */

void delayed_work_timer_fn(struct timer_list *t);

#define __WORK_INITIALIZER(n, f) { .data = ATOMIC_LONG_INIT(0), .entry = { &(n).entry, &(n).entry }, .func = (f) }
#define DECLARE_WORK(n, f)	struct work_struct n = __WORK_INITIALIZER(n, f)
#define __DELAYED_WORK_INITIALIZER(n, f) { .work = __WORK_INITIALIZER((n).work, (f)), \
	.timer = __TIMER_INITIALIZER(delayed_work_timer_fn, TIMER_IRQSAFE) }
#define DECLARE_DELAYED_WORK(n, f) struct delayed_work n = __DELAYED_WORK_INITIALIZER(n, f)
#define INIT_WORK(w, f) do {								\
	atomic_long_set(&(w)->data, 0);							\
	INIT_LIST_HEAD(&(w)->entry);							\
	(w)->func = (f);								\
} while (0)
#define INIT_WORK_ONSTACK(w, f)	INIT_WORK(w, f)
#define destroy_work_on_stack(w) do { } while (0)
#define INIT_DELAYED_WORK(w, f) do {							\
	INIT_WORK(&(w)->work, (f));							\
	timer_setup(&(w)->timer, delayed_work_timer_fn, TIMER_IRQSAFE);			\
} while (0)
#define INIT_DEFERRABLE_WORK(w, f) INIT_DELAYED_WORK(w, f)
static inline struct delayed_work *to_delayed_work(struct work_struct *work)
{
	return container_of(work, struct delayed_work, work);
}
#define work_pending(w)		((atomic_long_read(&(w)->data) & WORK_STRUCT_PENDING) != 0)
#define delayed_work_pending(w)	work_pending(&(w)->work)

enum {
	WQ_UNBOUND		= 1 << 1,	/* any CPU; for long or rare work */
	WQ_FREEZABLE		= 1 << 2,	/* accepted, without meaning: nothing is suspended */
	WQ_MEM_RECLAIM		= 1 << 3,	/* has a rescuer: goes on even when no worker can be made */
	WQ_HIGHPRI		= 1 << 4,	/* before others in the pool */
	WQ_CPU_INTENSIVE	= 1 << 5,	/* does not keep the pool from starting others */
	WQ_SYSFS		= 1 << 6,
	WQ_POWER_EFFICIENT	= 1 << 7,
	__WQ_ORDERED		= 1 << 17,
	WQ_MAX_ACTIVE		= 512,
	WQ_DFL_ACTIVE		= WQ_MAX_ACTIVE / 2,
};

extern struct workqueue_struct *system_wq, *system_highpri_wq, *system_long_wq, *system_unbound_wq;
#define system_freezable_wq system_wq
#define system_power_efficient_wq system_wq

void workqueue_init(void);
/* max_active: items of this queue that run at once on each CPU, 0: default.  NULL when out of memory.  May sleep. */
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max_active, ...) __printf(1, 4);
#define alloc_ordered_workqueue(fmt, flags, args...) \
	alloc_workqueue(fmt, WQ_UNBOUND | __WQ_ORDERED | (flags), 1, ##args)
#define create_workqueue(name)	alloc_workqueue("%s", WQ_MEM_RECLAIM, 1, (name))
#define create_singlethread_workqueue(name) alloc_ordered_workqueue("%s", WQ_MEM_RECLAIM, name)
void destroy_workqueue(struct workqueue_struct *wq);	/* runs what is queued first; may sleep */

/* Any context.  False: it was queued already. */
bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work);
bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay);
/* (Re)starts the delay; true: it was pending. */
bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay);
static inline bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	return queue_work_on(WORK_CPU_UNBOUND, wq, work);
}
static inline bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	return queue_delayed_work_on(WORK_CPU_UNBOUND, wq, dwork, delay);
}
static inline bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	return mod_delayed_work_on(WORK_CPU_UNBOUND, wq, dwork, delay);
}
static inline bool schedule_work(struct work_struct *work) { return queue_work(system_wq, work); }
static inline bool schedule_work_on(int cpu, struct work_struct *work) { return queue_work_on(cpu, system_wq, work); }
static inline bool schedule_delayed_work(struct delayed_work *dwork, unsigned long delay)
{
	return queue_delayed_work(system_wq, dwork, delay);
}

/* These wait, so they may sleep and must not be called from the work itself. */
bool flush_work(struct work_struct *work);	/* true: there was something to wait for */
bool flush_delayed_work(struct delayed_work *dwork);
void flush_workqueue(struct workqueue_struct *wq);	/* all that was queued before the call */
void drain_workqueue(struct workqueue_struct *wq);	/* also what those items queue */
bool cancel_work_sync(struct work_struct *work);	/* neither queued nor running after; true: was pending */
bool cancel_delayed_work_sync(struct delayed_work *dwork);
/* These do not wait for a running function.  Any context. */
bool cancel_work(struct work_struct *work);
bool cancel_delayed_work(struct delayed_work *dwork);
#define flush_scheduled_work()	flush_workqueue(system_wq)
unsigned int work_busy(struct work_struct *work);
#define WORK_BUSY_PENDING	1
#define WORK_BUSY_RUNNING	2
struct work_struct *current_work(void);
extern bool workqueue_no_new_workers;		/* for selftest/workqueue.c: as if there were no memory for another worker */

/* sched/core.c calls these for a task with PF_WQ_WORKER: about to block [preemption off, no rq lock], running again. */
void wq_worker_sleeping(struct task_struct *task);
void wq_worker_running(struct task_struct *task);

#endif
