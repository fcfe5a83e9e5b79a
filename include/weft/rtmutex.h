/*
 * rtmutex.h: the heart of locks with priority inheritance: who waits for whom, and whose urgency that is.
 *
 * What:    an owner, and its waiters in order of priority.  Who really has the lock, and sleeping and waking, is the
 *          business of the lock built on it (kernel/task/futex_pi.c): here is only the knowledge of who waits.
 * Idea:    a task runs at the priority of the most urgent one that waits for it; kernel/locking/rtmutex.c tells how.
 * Locking: the user's lock (a futex bucket's) keeps owner and waiters from changing between two calls.
 *          Order: user's lock -> wait_lock -> task->pi_lock -> rq->lock; never two wait_locks, never two pi_locks.
 */
#ifndef WEFT_RTMUTEX_H
#define WEFT_RTMUTEX_H

#include <weft/rbtree.h>
#include <weft/spinlock.h>
#include <weft/types.h>

struct task_struct;

struct rt_mutex {
	spinlock_t		wait_lock;	/* interrupts off */
	struct rb_root_cached	waiters;	/* [wait_lock] real-time ones by prio, then the rest, by arrival */
	struct task_struct	*owner;		/* [wait_lock] lives on while there are waiters */
};

/* A task that waits; on its stack, and in no tree before rt_mutex_enqueue() and after dequeue or hand-over. */
struct rt_mutex_waiter {
	struct rb_node		node;		/* in lock->waiters [wait_lock] */
	struct rb_node		pi_node;	/* the first of the lock: in owner->pi_waiters [owner->pi_lock] */
	struct task_struct	*task;		/* [I] */
	struct rt_mutex		*lock;		/* [I] */
	int			prio;		/* [wait_lock] task's; MAX_PRIO: it has nothing to lend (SCHED_IDLE) */
	int			best;		/* [wait_lock] of those below it in the tree */
	int			lends;		/* [owner->pi_lock] the first of the lock: the best of all there */
};

/* Where a walk along "waits for the lock of" has to go on.  Holds a reference of the task. */
struct rt_mutex_chain {
	struct task_struct	*task;		/* NULL: it is at its end */
	struct rt_mutex		*lock;		/* what it waits for; only compared */
};

#define rt_mutex_init(lock, own) do { \
	spin_lock_init(&(lock)->wait_lock); \
	(lock)->waiters = RB_ROOT_CACHED; \
	(lock)->owner = (own); \
} while (0)

/*
 * The three that change who waits.  The first two lend or take back priority of the lock's owner only: call rt_mutex_walk()
 * for the rest of the chain.  The task is the caller, or one that the user's lock keeps asleep.
 */
void rt_mutex_enqueue(struct rt_mutex *lock, struct rt_mutex_waiter *w, struct task_struct *task,
		      struct rt_mutex_chain *chain);
void rt_mutex_dequeue(struct rt_mutex_waiter *w, struct rt_mutex_chain *chain);
/* w becomes the owner.  Preemption is off until the caller has woken it: the old owner may be less urgent from now on. */
void rt_mutex_hand_over(struct rt_mutex *lock, struct rt_mutex_waiter *w);
/* The most urgent waiter of now: priorities may change at any time.  NULL: nobody waits. */
struct rt_mutex_waiter *rt_mutex_top_waiter(struct rt_mutex *lock);

/* 0, or -EDEADLK: `enqueued`, if not NULL, waits for its own task, or the chain is longer than a thousand links. */
int rt_mutex_walk(struct rt_mutex_chain *chain, const struct rt_mutex_waiter *enqueued);
/* The scheduler's: p's own priority has changed; those that it waits for may have to change theirs. */
void rt_mutex_adjust_pi(struct task_struct *p);
/* The priority of the most urgent one that waits for p, MAX_PRIO: nobody that has any.  p->pi_lock held. */
int rt_mutex_top_prio(const struct task_struct *p);
/* sched/policy.c: p runs at the better one of its own priority and that of rt_mutex_top_prio().  p->pi_lock held. */
void rt_mutex_setprio(struct task_struct *p);

#endif
