/*
 * workqueue_wait.c: waiting for work items (flush) and taking them back (cancel).
 *
 * Idea:    a flush is a work item of its own, a barrier, put directly behind the item that is waited for and LINKED to it,
 *          so the same worker runs it next.  A whole queue is flushed by colour: what is queued from then on gets the other
 *          colour, and the flush ends when nothing has the old one.  Who cancels takes PENDING, the right to queue.
 * Locking: pool->lock (interrupts off) for an item's place; wq->mutex: one flush of a queue at a time.
 *          Order: wq->mutex -> pool->lock.
 * See:     spec.md §4; workqueue.c; include/weft/workqueue.h
 */
#include <weft/workqueue.h>
#include <weft/completion.h>
#include <weft/irqflags.h>
#include <weft/kernel.h>
#include "workqueue.h"

struct wq_barrier {
	struct work_struct	work;
	struct completion	done;
};

/* ---- waiting ---- */

static void barrier_func(struct work_struct *work)
{
	complete(&container_of(work, struct wq_barrier, work)->done);
}

/* [pool->lock] Puts the barrier directly behind `target`, which runs on w or is queued. */
static void insert_barrier(struct pool_workqueue *pwq, struct wq_barrier *barrier, struct work_struct *target, struct worker *w)
{
	unsigned long linked = 0;
	struct list_head *before;

	INIT_WORK_ONSTACK(&barrier->work, barrier_func);
	init_completion(&barrier->done);
	if (w) {
		before = w->scheduled.next;
	} else {
		linked = atomic_long_read(&target->data) & WORK_LINKED;
		before = target->entry.next;
		atomic_long_or(WORK_LINKED, &target->data);
	}
	pwq->nr_in_flight[pwq->color]++;
	insert_work(pwq, &barrier->work, before,
		    linked | WORK_INACTIVE | (unsigned long)pwq->color << WORK_COLOR_SHIFT);
}

/* Puts a barrier behind the work if it is queued or runs.  False: there is nothing to wait for. */
static bool start_flush(struct work_struct *work, struct wq_barrier *barrier)
{
	struct worker_pool *pool = work_pool(work);
	struct pool_workqueue *pwq;
	struct worker *w = NULL;
	bool found = false;

	if (!pool)
		return false;
	spin_lock_irq(&pool->lock);
	pwq = work_pwq(work);
	if (pwq && pwq->pool == pool) {
		found = true;
	} else if (!pwq) {
		w = find_worker_running(pool, work);
		pwq = w ? w->current_pwq : NULL;
		found = w != NULL;
	}
	if (found)
		insert_barrier(pwq, barrier, work, w);
	spin_unlock_irq(&pool->lock);
	return found;
}

bool flush_work(struct work_struct *work)
{
	struct wq_barrier barrier;

	might_sleep();
	if (!start_flush(work, &barrier))
		return false;
	wait_for_completion(&barrier.done);
	return true;
}

bool flush_delayed_work(struct delayed_work *dwork)
{
	local_irq_disable();
	if (del_timer_sync(&dwork->timer))
		queue_pending_work(dwork->cpu, dwork->wq, &dwork->work);
	local_irq_enable();
	return flush_work(&dwork->work);
}

/*
 * Under the lock, although it is one word:
 *	last worker, pool->lock held		destroy_workqueue()
 *	--nr_in_flight == 0
 *						sees 0: drained; frees wq
 *	wake_up_all(&wq->flush_wait)		<- would touch freed memory
 */
static int in_flight(struct pool_workqueue *pwq, int color)
{
	int n;

	spin_lock_irq(&pwq->pool->lock);
	n = pwq->nr_in_flight[color];
	spin_unlock_irq(&pwq->pool->lock);
	return n;
}

static bool color_drained(struct workqueue_struct *wq, int color)
{
	for (int i = 0; i < NR_CPUS; i++)
		if (wq->pwqs[i] && in_flight(wq->pwqs[i], color))
			return false;
	return true;
}

/* What is queued from now on gets the other colour; then wait until nothing has the old one. */
void flush_workqueue(struct workqueue_struct *wq)
{
	int old = 0;

	might_sleep();
	mutex_lock(&wq->mutex);
	for (int i = 0; i < NR_CPUS; i++) {
		struct pool_workqueue *pwq = wq->pwqs[i];

		if (!pwq)
			continue;
		spin_lock_irq(&pwq->pool->lock);
		old = pwq->color;
		pwq->color = !old;
		spin_unlock_irq(&pwq->pool->lock);
	}
	wait_event(wq->flush_wait, color_drained(wq, old));
	mutex_unlock(&wq->mutex);
}

void drain_workqueue(struct workqueue_struct *wq)
{
	do
		flush_workqueue(wq);
	while (!color_drained(wq, 0) || !color_drained(wq, 1));
}

/* ---- taking back ---- */

/*
 * Tries to own PENDING.  1: it was queued and is not any more; 0: it was idle; -EAGAIN: somebody is just about to
 * queue it.  Interrupts are off on return unless -EAGAIN.
 */
static int try_to_grab_pending(struct work_struct *work, bool delayed, unsigned long *flags)
{
	struct worker_pool *pool;
	struct pool_workqueue *pwq;

	local_irq_save(*flags);
	if (delayed && del_timer(&to_delayed_work(work)->timer))
		return 1;
	if (set_pending(work))
		return 0;
	pool = work_pool(work);
	if (pool) {
		spin_lock(&pool->lock);
		pwq = work_pwq(work);
		if (pwq && pwq->pool == pool && !list_empty(&work->entry)) {
			unsigned long data = atomic_long_read(&work->data);

			if (data & WORK_INACTIVE) {	/* barriers linked to it must go where they will run */
				activate_first_inactive(pwq);
				data = atomic_long_read(&work->data);
			}
			if (!(data & WORK_INACTIVE)) {
				list_del_init(&work->entry);
				set_work_pool(work, pool, WORK_STRUCT_PENDING);
				pwq_dec_in_flight(pwq, data);
				spin_unlock(&pool->lock);
				return 1;
			}
		}
		spin_unlock(&pool->lock);
	}
	local_irq_restore(*flags);
	cpu_relax();
	return -EAGAIN;
}

static bool __cancel_work(struct work_struct *work, bool delayed, bool sync)
{
	unsigned long flags;
	int ret;

	do
		ret = try_to_grab_pending(work, delayed, &flags);
	while (ret == -EAGAIN);
	local_irq_restore(flags);
	if (sync)
		flush_work(work);		/* it may still be running; we own PENDING, so nobody queues it again */
	set_work_pool(work, work_pool(work), 0);
	return ret;
}

bool cancel_work_sync(struct work_struct *work) { return __cancel_work(work, false, true); }
bool cancel_delayed_work_sync(struct delayed_work *dwork) { return __cancel_work(&dwork->work, true, true); }
bool cancel_work(struct work_struct *work) { return __cancel_work(work, false, false); }
bool cancel_delayed_work(struct delayed_work *dwork) { return __cancel_work(&dwork->work, true, false); }

bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	unsigned long flags;
	int ret;

	do
		ret = try_to_grab_pending(&dwork->work, true, &flags);
	while (ret == -EAGAIN);
	queue_pending_delayed_work(cpu, wq, dwork, delay);
	local_irq_restore(flags);
	return ret;
}

unsigned int work_busy(struct work_struct *work)
{
	struct worker_pool *pool = work_pool(work);
	unsigned int busy = work_pending(work) ? WORK_BUSY_PENDING : 0;
	unsigned long flags;

	if (!pool)
		return busy;
	spin_lock_irqsave(&pool->lock, flags);
	if (find_worker_running(pool, work))
		busy |= WORK_BUSY_RUNNING;
	spin_unlock_irqrestore(&pool->lock, flags);
	return busy;
}
