/*
 * wait.h: wait queues: tasks that sleep until a condition holds, and the wake-up that makes them look again.
 *
 * Idea:    the sleeper enters itself in the queue and sets its state BEFORE it tests the condition; the waker makes the
 *          condition true BEFORE it looks at the queue.  Whatever the order in time, one of the two sees the other:
 *
 *              sleeper                                 waker
 *              add to queue (wq->lock)                 condition = true
 *              state = TASK_INTERRUPTIBLE  (full mb)   wq->lock (full mb when a task is woken)
 *              if (!condition)                         for each entry: entry->func()
 *                      schedule()                              -> try_to_wake_up(): state = TASK_RUNNING
 *
 * Locking: wq->lock (irq-safe: interrupts wake) guards the list.  Lock order: wq->lock -> pi_lock -> rq->lock.
 * Exclusive waiters stand at the tail; a wake-up runs all others and at most nr of them: no thundering herd.
 * See:     spec.md §8; doc/synchronisation.md
 */
#ifndef WEFT_WAIT_H
#define WEFT_WAIT_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/kernel.h>
#include <uapi/wait.h>

struct task_struct;
struct wait_queue_entry;

/* Returns > 0 when it woke somebody, 0 when not, < 0 to stop the walk.  Called under wq->lock. */
typedef int (*wait_queue_func_t)(struct wait_queue_entry *wq_entry, unsigned int mode, int flags, void *key);

int default_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int flags, void *key);
int autoremove_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int flags, void *key);
int woken_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int flags, void *key);

#define WQ_FLAG_EXCLUSIVE	0x01	/* counts against nr of a wake-up */
#define WQ_FLAG_WOKEN		0x02	/* wait_woken(): the wake-up came */
#define WQ_FLAG_CUSTOM		0x04
#define WQ_FLAG_DONE		0x08
#define WQ_FLAG_PRIORITY	0x10	/* at the head, before all others */

struct wait_queue_entry {
	unsigned int		flags;
	void			*private;	/* the task, for the functions above */
	wait_queue_func_t	func;
	struct list_head	entry;		/* [wq->lock] */
};
typedef struct wait_queue_entry wait_queue_entry_t;

struct wait_queue_head {
	spinlock_t		lock;		/* class: one for each site of init_waitqueue_head() */
	struct list_head	head;		/* [lock] */
};
typedef struct wait_queue_head wait_queue_head_t;

#define __WAITQUEUE_INITIALIZER(name, tsk) {						\
	.private = (tsk), .func = default_wake_function, .entry = { NULL, NULL } }
#define DECLARE_WAITQUEUE(name, tsk) struct wait_queue_entry name = __WAITQUEUE_INITIALIZER(name, tsk)

#define __WAIT_QUEUE_HEAD_INITIALIZER(name) {						\
	.lock = __SPIN_LOCK_UNLOCKED(name.lock), .head = LIST_HEAD_INIT((name).head) }
#define DECLARE_WAIT_QUEUE_HEAD(name) struct wait_queue_head name = __WAIT_QUEUE_HEAD_INITIALIZER(name)

#define init_waitqueue_head(wq_head) do {						\
	spin_lock_init(&(wq_head)->lock);						\
	INIT_LIST_HEAD(&(wq_head)->head);						\
} while (0)
#define DECLARE_WAIT_QUEUE_HEAD_ONSTACK(name)						\
	struct wait_queue_head name; init_waitqueue_head(&name)

static inline void init_waitqueue_entry(struct wait_queue_entry *e, struct task_struct *p)
{
	e->flags = 0;
	e->private = p;
	e->func = default_wake_function;
}

static inline void init_waitqueue_func_entry(struct wait_queue_entry *e, wait_queue_func_t func)
{
	e->flags = 0;
	e->private = NULL;
	e->func = func;
}

/* Racy on purpose: the caller's own ordering decides, see the picture above; a waker uses wq_has_sleeper(). */
static inline int waitqueue_active(struct wait_queue_head *wq_head)
{
	return !list_empty(&wq_head->head);
}

static inline bool wq_has_single_sleeper(struct wait_queue_head *wq_head)
{
	return list_is_singular(&wq_head->head);
}

/* The barrier pairs with the one in set_current_state(): condition written before, queue read after. */
static inline bool wq_has_sleeper(struct wait_queue_head *wq_head)
{
	smp_mb();
	return waitqueue_active(wq_head);
}

void add_wait_queue(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry);
void add_wait_queue_exclusive(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry);
void remove_wait_queue(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry);

/* wq_head->lock held. */
static inline void __add_wait_queue(struct wait_queue_head *wq_head, struct wait_queue_entry *e)
{
	list_add(&e->entry, &wq_head->head);
}

static inline void __add_wait_queue_exclusive(struct wait_queue_head *wq_head, struct wait_queue_entry *e)
{
	e->flags |= WQ_FLAG_EXCLUSIVE;
	__add_wait_queue(wq_head, e);
}

static inline void __add_wait_queue_entry_tail(struct wait_queue_head *wq_head, struct wait_queue_entry *e)
{
	list_add_tail(&e->entry, &wq_head->head);
}

static inline void __add_wait_queue_entry_tail_exclusive(struct wait_queue_head *wq_head, struct wait_queue_entry *e)
{
	e->flags |= WQ_FLAG_EXCLUSIVE;
	__add_wait_queue_entry_tail(wq_head, e);
}

static inline void __remove_wait_queue(struct wait_queue_head *wq_head, struct wait_queue_entry *e)
{
	list_del(&e->entry);
}

/* Wakes all non-exclusive waiters in `mode` and nr_exclusive of the others (0: all).  Any context. */
int __wake_up(struct wait_queue_head *wq_head, unsigned int mode, int nr_exclusive, void *key);
void __wake_up_sync_key(struct wait_queue_head *wq_head, unsigned int mode, void *key);
void __wake_up_sync(struct wait_queue_head *wq_head, unsigned int mode);
/* The same with wq_head->lock held. */
void __wake_up_locked(struct wait_queue_head *wq_head, unsigned int mode, int nr_exclusive);
void __wake_up_locked_key(struct wait_queue_head *wq_head, unsigned int mode, void *key);
/* The queue's memory goes (RCU): everybody must let go of it (epoll). */
void __wake_up_pollfree(struct wait_queue_head *wq_head);

#define wake_up(x)			__wake_up(x, TASK_NORMAL, 1, NULL)
#define wake_up_nr(x, nr)		__wake_up(x, TASK_NORMAL, nr, NULL)
#define wake_up_all(x)			__wake_up(x, TASK_NORMAL, 0, NULL)
#define wake_up_locked(x)		__wake_up_locked(x, TASK_NORMAL, 1)
#define wake_up_all_locked(x)		__wake_up_locked(x, TASK_NORMAL, 0)
#define wake_up_interruptible(x)	__wake_up(x, TASK_INTERRUPTIBLE, 1, NULL)
#define wake_up_interruptible_nr(x, nr)	__wake_up(x, TASK_INTERRUPTIBLE, nr, NULL)
#define wake_up_interruptible_all(x)	__wake_up(x, TASK_INTERRUPTIBLE, 0, NULL)
#define wake_up_interruptible_sync(x)	__wake_up_sync(x, TASK_INTERRUPTIBLE)
#define wake_up_sync(x)			__wake_up_sync(x, TASK_NORMAL)

/* Wake-ups that say which poll events happened: poll and epoll filter by them. */
#define poll_to_key(m)			((void *)(uintptr_t)(u32)(m))
#define key_to_poll(m)			((u32)(uintptr_t)(void *)(m))
#define wake_up_poll(x, m)		__wake_up(x, TASK_NORMAL, 1, poll_to_key(m))
#define wake_up_poll_on_current_cpu(x, m) wake_up_poll(x, m)
#define wake_up_locked_poll(x, m)	__wake_up_locked_key((x), TASK_NORMAL, poll_to_key(m))
#define wake_up_interruptible_poll(x, m) __wake_up(x, TASK_INTERRUPTIBLE, 1, poll_to_key(m))
#define wake_up_interruptible_sync_poll(x, m) __wake_up_sync_key((x), TASK_INTERRUPTIBLE, poll_to_key(m))
#define wake_up_pollfree(x) do { if (waitqueue_active(x)) __wake_up_pollfree(x); } while (0)

void prepare_to_wait(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry, int state);
bool prepare_to_wait_exclusive(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry, int state);
/* 0, or -ERESTARTSYS when a signal that `state` cares for is pending (then it is not in the queue). */
long prepare_to_wait_event(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry, int state);
void finish_wait(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry);
long wait_woken(struct wait_queue_entry *wq_entry, unsigned int mode, long timeout);
void init_wait_entry(struct wait_queue_entry *wq_entry, int flags);

#define DEFINE_WAIT_FUNC(name, function) struct wait_queue_entry name = {		\
	.private = current, .func = function, .entry = LIST_HEAD_INIT((name).entry) }
#define DEFINE_WAIT(name) DEFINE_WAIT_FUNC(name, autoremove_wake_function)
#define init_wait(wait) do {								\
	(wait)->private = current;							\
	(wait)->func = autoremove_wake_function;					\
	INIT_LIST_HEAD(&(wait)->entry);							\
	(wait)->flags = 0;								\
} while (0)

/* ---- wait_event(): sleep until `condition`, which is evaluated again after every wake-up ---- */

#define ___wait_is_interruptible(state)							\
	((state) & (TASK_INTERRUPTIBLE | TASK_WAKEKILL))

/* The common loop.  `ret` is the first value of __ret; `cmd` gives the processor away. */
#define ___wait_event(wq_head, condition, state, exclusive, ret, cmd) ({		\
	__label__ __out;								\
	struct wait_queue_entry __wq_entry;						\
	long __ret = (ret);								\
	init_wait_entry(&__wq_entry, (exclusive) ? WQ_FLAG_EXCLUSIVE : 0);		\
	for (;;) {									\
		long __int = prepare_to_wait_event(&(wq_head), &__wq_entry, (state));	\
		if (condition)								\
			break;								\
		if (___wait_is_interruptible(state) && __int) {				\
			__ret = __int;							\
			goto __out;							\
		}									\
		cmd;									\
	}										\
	finish_wait(&(wq_head), &__wq_entry);						\
__out:	__ret;										\
})

/* True when the wait is over: it holds (then at least 1 jiffy is left over) or the time is up. */
#define ___wait_cond_timeout(condition, left) ({					\
	bool __cond = (condition);							\
	if (__cond && !(left))								\
		(left) = 1;								\
	__cond || !(left);								\
})

#define __wait_event(wq_head, condition, state, exclusive)				\
	___wait_event(wq_head, condition, state, exclusive, 0, schedule())

#define wait_event(wq_head, condition) do {						\
	might_sleep();									\
	if (!(condition))								\
		(void)__wait_event(wq_head, condition, TASK_UNINTERRUPTIBLE, 0);	\
} while (0)
#define io_wait_event(wq_head, condition) do {						\
	might_sleep();									\
	if (!(condition))								\
		(void)___wait_event(wq_head, condition, TASK_UNINTERRUPTIBLE, 0, 0, io_schedule()); \
} while (0)
#define wait_event_idle(wq_head, condition) do {					\
	might_sleep();									\
	if (!(condition))								\
		(void)__wait_event(wq_head, condition, TASK_IDLE, 0);			\
} while (0)

/* 0, or -ERESTARTSYS on a signal. */
#define __wait_event_ret(wq_head, condition, state, exclusive) ({			\
	long __r = 0;									\
	might_sleep();									\
	if (!(condition))								\
		__r = __wait_event(wq_head, condition, state, exclusive);		\
	(int)__r;									\
})
#define wait_event_interruptible(wq_head, condition)	__wait_event_ret(wq_head, condition, TASK_INTERRUPTIBLE, 0)
#define wait_event_killable(wq_head, condition)		__wait_event_ret(wq_head, condition, TASK_KILLABLE, 0)
#define wait_event_interruptible_exclusive(wq_head, condition) \
	__wait_event_ret(wq_head, condition, TASK_INTERRUPTIBLE, 1)
#define wait_event_killable_exclusive(wq_head, condition) \
	__wait_event_ret(wq_head, condition, TASK_KILLABLE, 1)
#define wait_event_freezable(wq_head, condition)	wait_event_interruptible(wq_head, condition)

/* Timeouts in jiffies: 0 = time is up, else what is left (at least 1 when the condition holds), -ERESTARTSYS. */
#define __wait_event_timeout(wq_head, condition, timeout, state) ({			\
	long __left = (timeout);							\
	might_sleep();									\
	if (!___wait_cond_timeout(condition, __left))					\
		__left = ___wait_event(wq_head, ___wait_cond_timeout(condition, __ret), state, 0, \
				       __left, __ret = schedule_timeout(__ret));	\
	__left;										\
})
#define wait_event_timeout(wq_head, condition, timeout) \
	__wait_event_timeout(wq_head, condition, timeout, TASK_UNINTERRUPTIBLE)
#define wait_event_idle_timeout(wq_head, condition, timeout) \
	__wait_event_timeout(wq_head, condition, timeout, TASK_IDLE)
#define wait_event_interruptible_timeout(wq_head, condition, timeout) \
	__wait_event_timeout(wq_head, condition, timeout, TASK_INTERRUPTIBLE)
#define wait_event_killable_timeout(wq_head, condition, timeout) \
	__wait_event_timeout(wq_head, condition, timeout, TASK_KILLABLE)

/* With `lock` held around the condition; dropped while asleep. */
#define __wait_event_lock(wq_head, condition, lk, unlock, lock, state) ({		\
	long __r = 0;									\
	if (!(condition))								\
		__r = ___wait_event(wq_head, condition, state, 0, 0,			\
				    unlock(lk); schedule(); lock(lk));			\
	(int)__r;									\
})
#define wait_event_lock_irq(wq_head, condition, lk) \
	(void)__wait_event_lock(wq_head, condition, &(lk), spin_unlock_irq, spin_lock_irq, TASK_UNINTERRUPTIBLE)
#define wait_event_interruptible_lock_irq(wq_head, condition, lk) \
	__wait_event_lock(wq_head, condition, &(lk), spin_unlock_irq, spin_lock_irq, TASK_INTERRUPTIBLE)

#endif
