/*
 * futex_requeue_pi.c: waiting at a plain futex for a PI futex: FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI.
 *
 * Idea:    a condition variable whose mutex inherits priority.  A waiter names both futexes from the start.  A signal of the
 *          condition moves waiters to the mutex without waking them, in order of priority; the first of them takes the mutex
 *          if it is free, and only that one is woken.  Whoever returns from the wait with 0 has the mutex.
 * States:  of a waiter, all under the lock of the bucket that it is in:
 *
 *            at uaddr1 --requeue, the PI futex is free--> granted, in no chain, no pi_state
 *                |
 *                +-------requeue, it is not-------------> at uaddr2, pi_state, in its rt_mutex --> granted (futex_pi.c)
 *
 *          A signal or the end of the time takes it out of whichever it is in.
 * Locking: requeue holds both buckets, then as futex_pi.c.
 * See:     futex(2)
 */
#include <weft/kernel.h>
#include <weft/signal.h>
#include "futex.h"

/* ---- the waiter ---- */

/* Of a signal after the move, the caller cannot be sent back to wait: *uaddr1 has changed.  It looks again itself. */
static int finish_wait_requeue(u32 __user *uaddr2, struct futex_q *q, int ret)
{
	struct futex_hash_bucket *hb = futex_lock_bucket_of(q);

	lockdep_assert_held(&hb->lock);
	if (q->pi_state)
		return futex_finish_lock_pi(uaddr2, hb, q, ret == -ERESTARTNOINTR ? -EWOULDBLOCK : ret);
	if (q->granted)
		ret = 0;
	else
		__futex_unqueue(q);
	spin_unlock(&hb->lock);
	return ret;
}

/* 0: moved to uaddr2, and it is ours.  -EWOULDBLOCK, -ETIMEDOUT, -EFAULT, -EINVAL; restarts after a signal. */
int futex_wait_requeue_pi(u32 __user *uaddr, unsigned int flags, u32 val, ktime_t *abs_time, u32 __user *uaddr2)
{
	struct hrtimer_sleeper timeout, *to;
	struct futex_hash_bucket *hb;
	struct futex_key key2;
	struct futex_q q;
	int ret;

	if (uaddr == uaddr2)
		return -EINVAL;
	ret = get_futex_key(uaddr2, flags & FLAGS_SHARED, &key2);
	if (ret)
		return ret;
	futex_q_init(&q, FUTEX_BITSET_MATCH_ANY);
	q.requeue_key = &key2;
	ret = futex_wait_setup(uaddr, val, flags, &q, &hb);
	if (ret)
		return ret;
	lockdep_assert_held(&hb->lock);
	if (futex_match(&q.key, &key2)) {
		futex_q_unlock(hb);
		return -EINVAL;
	}
	__futex_queue(&q, hb);
	spin_unlock(&hb->lock);
	to = futex_setup_timer(abs_time, &timeout, flags);
	ret = futex_sleep_for_grant(&q, to);
	futex_cancel_timer(to);
	return finish_wait_requeue(uaddr2, &q, ret);
}

/* ---- who moves them ---- */

struct requeue_pi {
	u32 __user			*uaddr2;
	struct futex_hash_bucket	*hb1, *hb2;
	struct futex_key		key1, key2;
	int				most, done;	/* waiters */
	struct task_struct		*exiting;	/* see futex_try_lock_pi() */
};

/* It has the futex without having waited there. */
static void grant_free(struct futex_q *q, struct wake_batch *batch)
{
	__futex_unqueue(q);
	wake_batch_add(batch, q->task);
	smp_store_release(&q->granted, true);
}

/* 0, -EDEADLK: the PI futex is, over some links, its own.  Then it stays where it was. */
static int move_to_pi(struct requeue_pi *r, struct futex_q *q)
{
	struct rt_mutex_chain chain;
	int ret;

	futex_move(q, r->hb1, r->hb2, &r->key2);
	rt_mutex_enqueue(&q->pi_state->lock, &q->waiter, q->task, &chain);
	ret = rt_mutex_walk(&chain, &q->waiter);
	if (ret) {
		rt_mutex_dequeue(&q->waiter, &chain);
		rt_mutex_walk(&chain, NULL);
		futex_move(q, r->hb2, r->hb1, &r->key1);
		futex_put_pi_state(q);
	}
	return ret;
}

static int requeue_locked(struct requeue_pi *r, struct wake_batch *batch)
{
	struct futex_q *this, *next;
	int ret;

	list_for_each_entry_safe(this, next, &r->hb1->chain, list) {
		if (r->done == r->most)
			break;
		if (!futex_match(&this->key, &r->key1))
			continue;
		if (!this->requeue_key || this->pi_state || !futex_match(this->requeue_key, &r->key2))
			return -EINVAL;
		ret = futex_try_lock_pi(r->uaddr2, r->hb2, &r->key2, this, false, &r->exiting);
		if (ret == 1)
			grant_free(this, batch);
		else if (!ret)
			ret = move_to_pi(r, this);
		if (ret < 0)
			return ret;
		r->done++;
	}
	return 0;
}

/* Locks, compares, moves.  -ECANCELED: *uaddr1 has another value; else as futex_try_lock_pi(), of uaddr2. */
static int requeue_once(struct requeue_pi *r, u32 __user *uaddr1, u32 cmpval)
{
	DEFINE_WAKE_BATCH(batch);
	u32 curval;
	int ret;

	atomic_inc(&r->hb2->waiters);		/* before we look: as in futex_requeue() */
	double_lock_hb(r->hb1, r->hb2);
	if (futex_get_value_locked(&curval, uaddr1))
		ret = -EAGAIN;
	else if (curval != cmpval)
		ret = -ECANCELED;
	else
		ret = requeue_locked(r, &batch);
	double_unlock_hb(r->hb1, r->hb2);
	atomic_dec(&r->hb2->waiters);
	wake_batch_run(&batch);
	return ret;
}

/*
 * Moves at most 1 + nr_requeue waiters of uaddr1 to the PI futex uaddr2, if *uaddr1 == cmpval.  How many, the one that got
 * it at once included; -EAGAIN: another value.
 */
int futex_cmp_requeue_pi(u32 __user *uaddr1, unsigned int flags, u32 __user *uaddr2, int nr_wake, int nr_requeue,
			 u32 cmpval)
{
	struct requeue_pi r = { .uaddr2 = uaddr2 };
	u32 now;
	int ret;

	/* More than one cannot be woken: it would have the futex. */
	if (nr_wake != 1 || nr_requeue < 0)
		return -EINVAL;
	r.most = nr_requeue == INT_MAX ? nr_requeue : nr_requeue + 1;
	ret = futex_get_two_keys(uaddr1, uaddr2, flags, &r.key1, &r.key2);
	if (ret)
		return ret;
	if (futex_match(&r.key1, &r.key2))
		return -EINVAL;
	r.hb1 = futex_hash(&r.key1);
	r.hb2 = futex_hash(&r.key2);
	for (;;) {
		if (futex_refill_pi_state())
			return -ENOMEM;
		if (get_user(now, uaddr1))		/* brings the page in */
			return -EFAULT;
		ret = now == cmpval ? requeue_once(&r, uaddr1, cmpval) : -ECANCELED;
		if (ret == -ECANCELED)			/* changed after we have moved some?  Those count. */
			return r.done ? r.done : -EAGAIN;
		if (ret == -EFAULT || ret == -EBUSY)
			ret = futex_retry_pi(uaddr2, ret, r.exiting);
		if (ret != -EAGAIN || fatal_signal_pending(current))
			return ret ? ret : r.done;
		cond_resched();
	}
}
