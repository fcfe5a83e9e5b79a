/*
 * workqueue.h: what workqueue.c (items, workers, queues) and workqueue_wait.c (flush, cancel) share.
 *
 * Idea:    work->data is an item's state: PENDING (somebody owns the right to queue it), and either PWQ and a pointer (it
 *          sits on that queue) or the id of the pool where it last ran, which is where it may still be running.
 * Locking: pool->lock (interrupts off), see workqueue.c.
 */
#ifndef WEFT_TASK_WORKQUEUE_H
#define WEFT_TASK_WORKQUEUE_H

#include <weft/workqueue.h>
#include <weft/sched.h>
#include <weft/mutex.h>
#include <weft/wait.h>
#include <weft/barrier.h>

#define WORK_INACTIVE		(1UL << 1)	/* waits in pwq->inactive for max_active */
#define WORK_PWQ		(1UL << 2)	/* the upper bits are a pool_workqueue */
#define WORK_LINKED		(1UL << 3)	/* the next item belongs to this one: a barrier */
#define WORK_COLOR_SHIFT	4
#define WORK_COLOR		(1UL << WORK_COLOR_SHIFT)
#define WORK_FLAG_BITS		5
#define WORK_FLAGS		((1UL << WORK_FLAG_BITS) - 1)
#define PWQ_ALIGN		(1UL << WORK_FLAG_BITS)

struct worker_pool {
	spinlock_t		lock;		/* irq */
	int			id;		/* [I] from 1 */
	int			cpu;		/* [I] -1: unbound */
	int			nice;		/* [I] */
	struct list_head	worklist;	/* [lock] work to be started */
	struct list_head	workers;	/* [lock] all */
	struct list_head	idle_list;	/* [lock] */
	int			nr_workers, nr_idle;	/* [lock] */
	int			nr_running;	/* [lock] workers that run and count: see worker_counts() */
	bool			wants_worker;	/* [lock] the manager has been asked */
};

struct worker {
	struct list_head	node;		/* [pool->lock] in pool->workers */
	struct list_head	entry;		/* [pool->lock] in pool->idle_list */
	struct list_head	scheduled;	/* [pool->lock] items taken, to be run in order */
	struct task_struct	*task;
	struct worker_pool	*pool;
	struct work_struct	*current_work;	/* [pool->lock] what runs now */
	work_func_t		current_func;
	struct pool_workqueue	*current_pwq;
	bool			idle, sleeping, cpu_intensive, rescuer;	/* [pool->lock] */
};

/* A queue's share in one pool. */
struct pool_workqueue {
	struct worker_pool	*pool;
	struct workqueue_struct	*wq;
	int			color;		/* [pool->lock] of what is queued now */
	int			nr_in_flight[2];	/* [pool->lock] by colour: queued or running */
	int			nr_active;	/* [pool->lock] of them in the pool's hands */
	int			max_active;
	struct list_head	inactive;	/* [pool->lock] above max_active */
	bool			mayday;		/* [pool->lock] wants the rescuer */
} __aligned(PWQ_ALIGN);

struct workqueue_struct {
	unsigned int		flags;
	struct pool_workqueue	*pwqs[NR_CPUS];	/* [I] by CPU; unbound: [0] only */
	struct mutex		mutex;		/* one flush at a time */
	struct wait_queue_head	flush_wait;	/* some colour of some pwq became empty */
	struct worker		*rescuer;
	char			name[24];
};

/* From 1 on. */
struct worker_pool *worker_pool_by_id(int id);

/* ---- the data word ---- */

static inline struct pool_workqueue *work_pwq(struct work_struct *work)
{
	unsigned long data = atomic_long_read(&work->data);

	return data & WORK_PWQ ? (struct pool_workqueue *)(data & ~WORK_FLAGS) : NULL;
}

/* Where it sits or last ran; NULL: never queued. */
static inline struct worker_pool *work_pool(struct work_struct *work)
{
	unsigned long data = atomic_long_read(&work->data);

	if (data & WORK_PWQ)
		return ((struct pool_workqueue *)(data & ~WORK_FLAGS))->pool;
	return data >> WORK_FLAG_BITS ? worker_pool_by_id(data >> WORK_FLAG_BITS) : NULL;
}

static inline void set_work_pwq(struct work_struct *work, struct pool_workqueue *pwq, unsigned long flags)
{
	atomic_long_set(&work->data, (unsigned long)pwq | WORK_STRUCT_PENDING | WORK_PWQ | flags);
}

/* Off the queue; full barrier: what was written before queueing is seen by the function. */
static inline void set_work_pool(struct work_struct *work, struct worker_pool *pool, unsigned long pending)
{
	smp_wmb();
	atomic_long_set(&work->data, ((unsigned long)(pool ? pool->id : 0) << WORK_FLAG_BITS) | pending);
	smp_mb();
}

static inline bool set_pending(struct work_struct *work)
{
	return !(atomic_long_fetch_or(WORK_STRUCT_PENDING, &work->data) & WORK_STRUCT_PENDING);
}

/* ---- workqueue.c; all but queue_pending_work under pool->lock ---- */
struct worker *find_worker_running(struct worker_pool *pool, struct work_struct *work);
void insert_work(struct pool_workqueue *pwq, struct work_struct *work, struct list_head *before, unsigned long flags);
void activate_first_inactive(struct pool_workqueue *pwq);
void pwq_dec_in_flight(struct pool_workqueue *pwq, unsigned long data);

/* The caller owns PENDING, interrupts are off. */
void queue_pending_work(int cpu, struct workqueue_struct *wq, struct work_struct *work);
void queue_pending_delayed_work(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay);

#endif
