/*
 * semaphore.c: the counting semaphore.
 *
 * Idea:    up() does not raise the count when somebody waits: it takes the first waiter out of the list and marks it as
 *          served.  So units go first come, first served, and a waiter that wakes need not compete.
 * Locking: sem->lock, interrupts off; held while the waiter is woken, so that it cannot be gone.
 * See:     semaphore.h; spec.md §8
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/semaphore.h>
#include <weft/signal.h>

struct semaphore_waiter {
	struct list_head	list;
	struct task_struct	*task;
	bool			up;		/* [sem->lock] it has its unit */
};

/* sem->lock held, dropped while asleep. */
static int down_slow(struct semaphore *sem, unsigned int state, long timeout) __must_hold(&sem->lock)
{
	struct semaphore_waiter waiter = { .task = current };
	int err;

	list_add_tail(&waiter.list, &sem->wait_list);
	for (;;) {
		if (signal_pending_state(state, current)) {
			err = -EINTR;
			break;
		}
		if (timeout <= 0) {
			err = -ETIME;
			break;
		}
		__set_current_state(state);
		spin_unlock_irq(&sem->lock);
		timeout = schedule_timeout(timeout);
		spin_lock_irq(&sem->lock);
		if (waiter.up)
			return 0;
	}
	list_del(&waiter.list);
	return err;
}

static int down_common(struct semaphore *sem, unsigned int state, long timeout)
{
	unsigned long flags;
	int err = 0;

	might_sleep();
	spin_lock_irqsave(&sem->lock, flags);
	if (likely(sem->count > 0))
		sem->count--;
	else
		err = down_slow(sem, state, timeout);
	spin_unlock_irqrestore(&sem->lock, flags);
	return err;
}

void down(struct semaphore *sem)
{
	down_common(sem, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
}

int down_interruptible(struct semaphore *sem)
{
	return down_common(sem, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
}

int down_killable(struct semaphore *sem)
{
	return down_common(sem, TASK_KILLABLE, MAX_SCHEDULE_TIMEOUT);
}

int down_timeout(struct semaphore *sem, long timeout)
{
	return down_common(sem, TASK_UNINTERRUPTIBLE, timeout);
}

int down_trylock(struct semaphore *sem)
{
	unsigned long flags;
	bool taken;

	spin_lock_irqsave(&sem->lock, flags);
	taken = sem->count > 0;
	if (taken)
		sem->count--;
	spin_unlock_irqrestore(&sem->lock, flags);
	return !taken;
}

void up(struct semaphore *sem)
{
	struct semaphore_waiter *first;
	unsigned long flags;

	spin_lock_irqsave(&sem->lock, flags);
	first = list_first_entry_or_null(&sem->wait_list, struct semaphore_waiter, list);
	if (first) {
		list_del(&first->list);
		first->up = true;
		wake_up_process(first->task);
	} else {
		sem->count++;
	}
	spin_unlock_irqrestore(&sem->lock, flags);
}
