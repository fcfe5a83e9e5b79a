/*
 * wait.c: wait queues: entering one, leaving it, and waking who stands in it.  wait.h has the picture of the race.
 *
 * Idea:    a wake-up walks the list and calls each entry's function, which usually wakes a task and takes the entry out
 *          (autoremove).  Non-exclusive entries stand at the head and are all called; exclusive ones at the tail, and the
 *          walk ends after nr of them.
 * Locking: wq_head->lock, interrupts off; order wq_head->lock -> pi_lock -> rq->lock.
 * See:     spec.md §8 "wait queues"; doc/synchronisation.md
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/wait.h>
#include <uapi/poll.h>
#include "sched.h"

void add_wait_queue(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry)
{
	unsigned long flags;

	wq_entry->flags &= ~WQ_FLAG_EXCLUSIVE;
	spin_lock_irqsave(&wq_head->lock, flags);
	__add_wait_queue(wq_head, wq_entry);
	spin_unlock_irqrestore(&wq_head->lock, flags);
}

void add_wait_queue_exclusive(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry)
{
	unsigned long flags;

	wq_entry->flags |= WQ_FLAG_EXCLUSIVE;
	spin_lock_irqsave(&wq_head->lock, flags);
	__add_wait_queue_entry_tail(wq_head, wq_entry);
	spin_unlock_irqrestore(&wq_head->lock, flags);
}

void remove_wait_queue(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry)
{
	unsigned long flags;

	spin_lock_irqsave(&wq_head->lock, flags);
	__remove_wait_queue(wq_head, wq_entry);
	spin_unlock_irqrestore(&wq_head->lock, flags);
}

/* ---- waking ---- */

/* Returns how many exclusive wake-ups are still to be had.  wq_head->lock held. */
static int wake_up_common(struct wait_queue_head *wq_head, unsigned int mode, int nr_exclusive, int wake_flags, void *key)
{
	struct wait_queue_entry *curr, *next;

	lockdep_assert_held(&wq_head->lock);
	list_for_each_entry_safe(curr, next, &wq_head->head, entry) {
		unsigned int flags = curr->flags;
		int ret = curr->func(curr, mode, wake_flags, key);

		if (ret < 0)
			break;
		if (ret && (flags & WQ_FLAG_EXCLUSIVE) && !--nr_exclusive)
			break;
	}
	return nr_exclusive;
}

static int wake_up_lock(struct wait_queue_head *wq_head, unsigned int mode, int nr_exclusive, int wake_flags, void *key)
{
	unsigned long flags;
	int left;

	spin_lock_irqsave(&wq_head->lock, flags);
	left = wake_up_common(wq_head, mode, nr_exclusive, wake_flags, key);
	spin_unlock_irqrestore(&wq_head->lock, flags);
	return nr_exclusive - left;
}

/* Returns how many exclusive waiters were woken. */
int __wake_up(struct wait_queue_head *wq_head, unsigned int mode, int nr_exclusive, void *key)
{
	return wake_up_lock(wq_head, mode, nr_exclusive, 0, key);
}

void __wake_up_sync_key(struct wait_queue_head *wq_head, unsigned int mode, void *key)
{
	wake_up_lock(wq_head, mode, 1, WF_SYNC, key);
}

void __wake_up_sync(struct wait_queue_head *wq_head, unsigned int mode)
{
	wake_up_lock(wq_head, mode, 1, WF_SYNC, NULL);
}

void __wake_up_locked(struct wait_queue_head *wq_head, unsigned int mode, int nr_exclusive)
{
	wake_up_common(wq_head, mode, nr_exclusive, 0, NULL);
}

void __wake_up_locked_key(struct wait_queue_head *wq_head, unsigned int mode, void *key)
{
	wake_up_common(wq_head, mode, 1, 0, key);
}

void __wake_up_pollfree(struct wait_queue_head *wq_head)
{
	__wake_up(wq_head, TASK_NORMAL, 0, poll_to_key(POLLHUP | POLLFREE));
	WARN_ON_ONCE(waitqueue_active(wq_head));
}

/* ---- what an entry does when it is called ---- */

int default_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int wake_flags, void *key)
{
	return try_to_wake_up(wq_entry->private, mode, wake_flags);
}

int autoremove_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int wake_flags, void *key)
{
	int woken = default_wake_function(wq_entry, mode, wake_flags, key);

	/* "Careful": finish_wait() looks at the links without the lock. */
	if (woken)
		list_del_init_careful(&wq_entry->entry);
	return woken;
}

/* ---- the sleeper's side ---- */

void prepare_to_wait(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry, int state)
{
	unsigned long flags;

	wq_entry->flags &= ~WQ_FLAG_EXCLUSIVE;
	spin_lock_irqsave(&wq_head->lock, flags);
	if (list_empty(&wq_entry->entry))
		__add_wait_queue(wq_head, wq_entry);
	set_current_state(state);
	spin_unlock_irqrestore(&wq_head->lock, flags);
}

/* True if it is the first waiter. */
bool prepare_to_wait_exclusive(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry, int state)
{
	bool was_empty = false;
	unsigned long flags;

	wq_entry->flags |= WQ_FLAG_EXCLUSIVE;
	spin_lock_irqsave(&wq_head->lock, flags);
	if (list_empty(&wq_entry->entry)) {
		was_empty = list_empty(&wq_head->head);
		__add_wait_queue_entry_tail(wq_head, wq_entry);
	}
	set_current_state(state);
	spin_unlock_irqrestore(&wq_head->lock, flags);
	return was_empty;
}

void init_wait_entry(struct wait_queue_entry *wq_entry, int flags)
{
	wq_entry->flags = flags;
	wq_entry->private = current;
	wq_entry->func = autoremove_wake_function;
	INIT_LIST_HEAD(&wq_entry->entry);
}

/*
 * An exclusive waiter that gives up for a signal may have been given the one wake-up of an event.  The check is made under
 * the lock: a wake-up before it took the entry out and made the state TASK_RUNNING, and the caller's test of the
 * condition, which comes first, sees the event; one after it does not find the entry.
 */
long prepare_to_wait_event(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry, int state)
{
	unsigned long flags;
	long ret = 0;

	spin_lock_irqsave(&wq_head->lock, flags);
	if (signal_pending_state(state, current)) {
		list_del_init(&wq_entry->entry);
		ret = -ERESTARTSYS;
	} else {
		if (list_empty(&wq_entry->entry)) {
			if (wq_entry->flags & WQ_FLAG_EXCLUSIVE)
				__add_wait_queue_entry_tail(wq_head, wq_entry);
			else
				__add_wait_queue(wq_head, wq_entry);
		}
		set_current_state(state);
	}
	spin_unlock_irqrestore(&wq_head->lock, flags);
	return ret;
}

void finish_wait(struct wait_queue_head *wq_head, struct wait_queue_entry *wq_entry)
{
	unsigned long flags;

	__set_current_state(TASK_RUNNING);
	/*
	 * Usually the waker took the entry out.  If both links say so it is done with it, and the entry, which may lie on
	 * our stack, may go; otherwise the lock must be taken.
	 */
	if (!list_empty_careful(&wq_entry->entry)) {
		spin_lock_irqsave(&wq_head->lock, flags);
		list_del_init(&wq_entry->entry);
		spin_unlock_irqrestore(&wq_head->lock, flags);
	}
}

/*
 * For a condition whose test may itself sleep, so that the state cannot be set before it: the wake-up is remembered in
 * the entry.
 *
 *      add_wait_queue(&wq, &wait)              (wait.func = woken_wake_function)
 *      for (;;) {
 *              if (condition)                  condition = true
 *                      break;                  woken_wake_function():
 *              wait_woken(&wait, ...)                  flags |= WOKEN
 *                state = mode; mb                      mb; wake
 *                if (!(flags & WOKEN)) schedule
 *      }
 */
long wait_woken(struct wait_queue_entry *wq_entry, unsigned int mode, long timeout)
{
	set_current_state(mode);
	if (!(READ_ONCE(wq_entry->flags) & WQ_FLAG_WOKEN))
		timeout = schedule_timeout(timeout);
	__set_current_state(TASK_RUNNING);
	/* Before the caller's next test of the condition: a wake-up that we erase here happened before that test. */
	smp_store_mb(wq_entry->flags, wq_entry->flags & ~WQ_FLAG_WOKEN);
	return timeout;
}

int woken_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int wake_flags, void *key)
{
	smp_mb();
	WRITE_ONCE(wq_entry->flags, wq_entry->flags | WQ_FLAG_WOKEN);
	return default_wake_function(wq_entry, mode, wake_flags, key);
}
