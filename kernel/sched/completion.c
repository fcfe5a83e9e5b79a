/*
 * completion.c: waiting until something is done.
 *
 * Idea:    `done` counts what was completed and not yet waited for.  Each waiter takes one, unless complete_all() made it
 *          UINT_MAX: that is never used up.  All under wait.lock, and complete() holds it to the very end, so that a
 *          waiter that comes out may free the structure: it had to take the lock after complete() let go of it.
 * Locking: x->wait.lock, interrupts off.
 * See:     completion.h; spec.md §8; doc/synchronisation.md
 */
#include <weft/completion.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>

void complete(struct completion *x)
{
	unsigned long flags;

	spin_lock_irqsave(&x->wait.lock, flags);
	if (x->done != UINT_MAX)
		x->done++;
	__wake_up_locked(&x->wait, TASK_NORMAL, 1);
	spin_unlock_irqrestore(&x->wait.lock, flags);
}

void complete_all(struct completion *x)
{
	unsigned long flags;

	spin_lock_irqsave(&x->wait.lock, flags);
	x->done = UINT_MAX;
	__wake_up_locked(&x->wait, TASK_NORMAL, 0);
	spin_unlock_irqrestore(&x->wait.lock, flags);
}

/* The queue's lock is held and dropped while asleep.  What is left of the timeout, 0, or -ERESTARTSYS. */
static long wait_locked(struct completion *x, long (*action)(long), long timeout, unsigned int state)
	__must_hold(&x->wait.lock)
{
	DEFINE_WAIT(wait);

	if (x->done)
		goto take;
	wait.flags |= WQ_FLAG_EXCLUSIVE;
	do {
		if (signal_pending_state(state, current)) {
			timeout = -ERESTARTSYS;
			break;
		}
		if (list_empty(&wait.entry))
			__add_wait_queue_entry_tail(&x->wait, &wait);
		__set_current_state(state);
		spin_unlock_irq(&x->wait.lock);
		timeout = action(timeout);
		spin_lock_irq(&x->wait.lock);
	} while (!x->done && timeout);
	__set_current_state(TASK_RUNNING);
	list_del_init(&wait.entry);
	if (!x->done)
		return timeout;
take:
	if (x->done != UINT_MAX)
		x->done--;
	return timeout ? timeout : 1;
}

static long wait_common(struct completion *x, long (*action)(long), long timeout, unsigned int state)
{
	might_sleep();
	spin_lock_irq(&x->wait.lock);
	timeout = wait_locked(x, action, timeout, state);
	spin_unlock_irq(&x->wait.lock);
	return timeout;
}

void wait_for_completion(struct completion *x)
{
	wait_common(x, schedule_timeout, MAX_SCHEDULE_TIMEOUT, TASK_UNINTERRUPTIBLE);
}

void wait_for_completion_io(struct completion *x)
{
	wait_common(x, io_schedule_timeout, MAX_SCHEDULE_TIMEOUT, TASK_UNINTERRUPTIBLE);
}

unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout)
{
	return (unsigned long)wait_common(x, schedule_timeout, (long)timeout, TASK_UNINTERRUPTIBLE);
}

int wait_for_completion_state(struct completion *x, unsigned int state)
{
	long left = wait_common(x, schedule_timeout, MAX_SCHEDULE_TIMEOUT, state);

	return left == -ERESTARTSYS ? -ERESTARTSYS : 0;
}

int wait_for_completion_interruptible(struct completion *x)
{
	return wait_for_completion_state(x, TASK_INTERRUPTIBLE);
}

int wait_for_completion_killable(struct completion *x)
{
	return wait_for_completion_state(x, TASK_KILLABLE);
}

long wait_for_completion_interruptible_timeout(struct completion *x, unsigned long timeout)
{
	return wait_common(x, schedule_timeout, (long)timeout, TASK_INTERRUPTIBLE);
}

long wait_for_completion_killable_timeout(struct completion *x, unsigned long timeout)
{
	return wait_common(x, schedule_timeout, (long)timeout, TASK_KILLABLE);
}

bool try_wait_for_completion(struct completion *x)
{
	unsigned long flags;
	bool taken;

	if (!READ_ONCE(x->done))
		return false;
	spin_lock_irqsave(&x->wait.lock, flags);
	taken = x->done != 0;
	if (taken && x->done != UINT_MAX)
		x->done--;
	spin_unlock_irqrestore(&x->wait.lock, flags);
	return taken;
}

/* True: nobody waits, and complete() has let go of it. */
bool completion_done(struct completion *x)
{
	unsigned long flags;

	if (!READ_ONCE(x->done))
		return false;
	spin_lock_irqsave(&x->wait.lock, flags);
	spin_unlock_irqrestore(&x->wait.lock, flags);
	return true;
}
