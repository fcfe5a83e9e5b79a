/*
 * futex_pi.c: futexes whose word names the owner: FUTEX_LOCK_PI and its family.
 *
 * What:    the word is 0 (free) or the owner's thread id, with FUTEX_WAITERS when somebody sleeps in the kernel, and
 *          FUTEX_OWNER_DIED when an owner died holding it.  Free -> owned and back is done in user mode with a compare and
 *          exchange; everything else here.
 * Idea:    the unlocker hands the futex to the first waiter (highest real-time priority, then longest wait): it writes
 *          that thread's id into the word and marks the waiter `granted`.  No third one can come in between.  For as long
 *          as anybody waits, a futex_pi_state hangs in the owner's list, so that the owner's death hands the futex on.
 *          In it is an rt_mutex: the owner runs at the priority of its most urgent waiter (kernel/locking/rtmutex.c).
 * States:  of a waiter: queued -> granted -> unqueued by itself, under the bucket's lock.  A granted waiter stays in the
 *          chain until it has run, so that a third one, who meets the word of a dead owner, finds the state there.
 * Locking: bucket lock -> rt_mutex.wait_lock -> task->pi_lock.  Owner and waiters change under the bucket's lock only; their
 *          priorities may change at any time.
 *
 *      owner in do_exit                                another in FUTEX_LOCK_PI
 *      futex_exit_mutex; futex_state = EXITING         word names the owner; finds its task
 *      hands on what is in pi_state_list               pi_lock: EXITING: its list will not be looked at again
 *      futex_state = DEAD; mutex released              waits for the mutex, begins again: the word has changed,
 *                                                      or the owner died without the robust list: -ESRCH
 * See:     futex(2) "Priority-inheritance futexes"
 */
#include <weft/kernel.h>
#include <weft/pid.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <asm/futex.h>
#include "futex.h"

/* ---- the state of a contended futex ---- */

/* One is kept ready, because under the bucket's lock there is no allocating. */
int futex_refill_pi_state(void)
{
	if (current->pi_state_cache)
		return 0;
	current->pi_state_cache = kzalloc(sizeof(struct futex_pi_state), GFP_KERNEL);
	return current->pi_state_cache ? 0 : -ENOMEM;
}

static void into_list_of(struct task_struct *owner, struct futex_pi_state *state)
{
	spin_lock_irq(&owner->pi_lock);
	list_add(&state->list, &owner->pi_state_list);
	spin_unlock_irq(&owner->pi_lock);
}

static void out_of_list_of(struct task_struct *owner, struct futex_pi_state *state)
{
	spin_lock_irq(&owner->pi_lock);
	list_del_init(&state->list);
	spin_unlock_irq(&owner->pi_lock);
}

/* Any waiter of the futex, also a granted one: all have the same pi_state. */
static struct futex_q *find_waiter(struct futex_hash_bucket *hb, const struct futex_key *key)
{
	struct futex_q *q;

	list_for_each_entry(q, &hb->chain, list)
		if (futex_match(&q->key, key))
			return q;
	return NULL;
}

void futex_put_pi_state(struct futex_q *q)
{
	struct futex_pi_state *state = q->pi_state;

	q->pi_state = NULL;
	if (--state->waiters)
		return;
	out_of_list_of(state->lock.owner, state);
	kfree(state);
}

/* ---- lock ---- */

/*
 * The owner of the word gets a pi_state.  *exiting: the owner is on its way out; wait for its futex_exit_mutex and try
 * again (-EBUSY), with a reference.  -ESRCH: nobody has that id.  -EPERM: it is no program's thread.
 */
static int attach_to_owner(u32 uval, const struct futex_key *key, struct futex_pi_state **ps, struct task_struct **exiting)
{
	struct futex_pi_state *state = current->pi_state_cache;
	struct task_struct *p = find_get_task_by_vpid(uval & FUTEX_TID_MASK);
	int err = 0;

	if (!p)
		return -ESRCH;
	spin_lock_irq(&p->pi_lock);
	if (p->flags & PF_KTHREAD) {
		err = -EPERM;
	} else if (p->futex_state != FUTEX_STATE_OK) {
		err = p->futex_state == FUTEX_STATE_DEAD ? -ESRCH : -EBUSY;
	} else {
		current->pi_state_cache = NULL;
		state->key = *key;
		rt_mutex_init(&state->lock, p);
		list_add(&state->list, &p->pi_state_list);
		*ps = state;
	}
	spin_unlock_irq(&p->pi_lock);
	if (err == -EBUSY)
		*exiting = p;
	else
		put_task_struct(p);
	return err;
}

/* The word had uval.  A dead owner's word that has not changed meanwhile stays the dead one's. */
static int dead_owner(u32 __user *uaddr, u32 uval)
{
	u32 now;

	if (futex_get_value_locked(&now, uaddr))
		return -EFAULT;
	return now != uval ? -EAGAIN : -ESRCH;
}

/* May task, too, wait there?  Only if the word says what the state says, or it has just lost its owner. */
static int check_state(const struct futex_pi_state *state, u32 uval, const struct task_struct *task)
{
	u32 tid = uval & FUTEX_TID_MASK;

	if (!state)
		return -EINVAL;		/* somebody uses it as a plain futex */
	if (state->lock.owner == task)
		return -EDEADLK;
	if (state->word_stale || tid == futex_tid(state->lock.owner))
		return 0;
	return !tid && (uval & FUTEX_OWNER_DIED) ? 0 : -EINVAL;
}

/*
 * For q->task.  Bucket locked.  1: taken.  0: q->pi_state is set, the word has FUTEX_WAITERS: queue and sleep.  -EAGAIN: the
 * word changed under our hands; -EFAULT: bring the page in; -EBUSY: see attach_to_owner(), and for all three call
 * futex_retry_pi().  Other errors are the caller's.
 */
int futex_try_lock_pi(u32 __user *uaddr, struct futex_hash_bucket *hb, const struct futex_key *key, struct futex_q *q,
		      bool trylock, struct task_struct **exiting)
{
	u32 uval, curval, me = futex_tid(q->task);
	struct futex_q *other = find_waiter(hb, key);
	int err;

	if (futex_get_value_locked(&uval, uaddr))
		return -EFAULT;
	if ((uval & FUTEX_TID_MASK) == me)
		return -EDEADLK;
	err = other ? check_state(other->pi_state, uval, q->task) : 0;
	if (err)
		return err;
	if (!other && !(uval & FUTEX_TID_MASK)) {
		err = futex_cmpxchg_value_locked(&curval, uaddr, uval, (uval & FUTEX_OWNER_DIED) | me);
		if (err)
			return err;
		return curval == uval ? 1 : -EAGAIN;
	}
	if (trylock)
		return -EWOULDBLOCK;
	if (!(uval & FUTEX_WAITERS)) {
		err = futex_cmpxchg_value_locked(&curval, uaddr, uval, uval | FUTEX_WAITERS);
		if (err)
			return err;
		if (curval != uval)
			return -EAGAIN;
		uval |= FUTEX_WAITERS;
	}
	if (other) {
		q->pi_state = other->pi_state;
	} else {
		err = attach_to_owner(uval, key, &q->pi_state, exiting);
		if (err)
			return err == -ESRCH ? dead_owner(uaddr, uval) : err;
	}
	q->pi_state->waiters++;
	return 0;
}

/* q is queued.  Until granted, a signal (-ERESTARTNOINTR), or the time is up. */
int futex_sleep_for_grant(struct futex_q *q, struct hrtimer_sleeper *to)
{
	int ret = 0;

	if (to)
		hrtimer_sleeper_start_expires(to, HRTIMER_MODE_ABS);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(q->granted))
			break;
		if (to && !to->task)
			ret = -ETIMEDOUT;
		else if (signal_pending(current))
			ret = -ERESTARTNOINTR;
		if (ret)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return ret;
}

/* The owner died and left the futex to us: the word must say so.  Bucket locked; may drop it to bring the page in. */
static int inherit_word(u32 __user *uaddr, struct futex_hash_bucket *hb, struct futex_pi_state *state)
	__must_hold(&hb->lock)
{
	u32 uval, curval, me = futex_tid(current);
	int err;

	for (;;) {
		err = futex_get_value_locked(&uval, uaddr);
		while (!err) {
			err = futex_cmpxchg_value_locked(&curval, uaddr, uval, me | FUTEX_OWNER_DIED | FUTEX_WAITERS);
			if (!err && curval == uval) {
				state->word_stale = false;
				return 0;
			}
			uval = curval;
		}
		spin_unlock(&hb->lock);
		err = err == -EFAULT ? fault_in_user_writeable(uaddr) : 0;
		spin_lock(&hb->lock);
		if (err)
			return err;
	}
}

/* The bucket that q is in, or was last, locked.  A requeue may move q between our look and our lock. */
struct futex_hash_bucket *futex_lock_bucket_of(struct futex_q *q) __no_context_analysis	/* locks what it returns */
{
	for (;;) {
		spinlock_t *lock = READ_ONCE(q->lock_ptr);

		spin_lock(lock);
		if (lock == q->lock_ptr)
			return container_of(lock, struct futex_hash_bucket, lock);
		spin_unlock(lock);
	}
}

/*
 * After the sleep: ours, or not.  A grant that came with the signal or the end of the time counts.  Bucket locked on entry,
 * not on return.
 */
int futex_finish_lock_pi(u32 __user *uaddr, struct futex_hash_bucket *hb, struct futex_q *q, int ret)
{
	struct rt_mutex_chain chain = { .task = NULL };

	lockdep_assert_held(&hb->lock);
	if (!q->granted)
		rt_mutex_dequeue(&q->waiter, &chain);
	else
		ret = q->pi_state->word_stale ? inherit_word(uaddr, hb, q->pi_state) : 0;
	__futex_unqueue(q);
	futex_put_pi_state(q);
	spin_unlock(&hb->lock);
	rt_mutex_walk(&chain, NULL);
	return ret;
}

static void wait_for_owner_exit(struct task_struct *exiting)
{
	mutex_lock(&exiting->futex_exit_mutex);
	mutex_unlock(&exiting->futex_exit_mutex);
	put_task_struct(exiting);
}

/* Nothing is locked.  Does what the three errors of futex_try_lock_pi() ask for; then -EAGAIN, or the error. */
int futex_retry_pi(u32 __user *uaddr, int err, struct task_struct *exiting)
{
	switch (err) {
	case -EFAULT:
		err = fault_in_user_writeable(uaddr);
		return err ? err : -EAGAIN;
	case -EBUSY:
		wait_for_owner_exit(exiting);
		return -EAGAIN;
	default:
		return err;
	}
}

/* One attempt.  -EAGAIN: try again. */
static int lock_pi_once(u32 __user *uaddr, unsigned int flags, struct hrtimer_sleeper *to, bool trylock)
{
	struct task_struct *exiting = NULL;
	struct futex_hash_bucket *hb;
	struct rt_mutex_chain chain;
	struct futex_q q;
	int ret;

	if (futex_refill_pi_state())
		return -ENOMEM;
	futex_q_init(&q, FUTEX_BITSET_MATCH_ANY);
	ret = get_futex_key(uaddr, flags & FLAGS_SHARED, &q.key);
	if (ret)
		return ret;
	hb = futex_q_lock(&q);
	ret = futex_try_lock_pi(uaddr, hb, &q.key, &q, trylock, &exiting);
	if (ret) {
		futex_q_unlock(hb);
		return ret == 1 ? 0 : futex_retry_pi(uaddr, ret, exiting);
	}
	lockdep_assert_held(&hb->lock);
	__futex_queue(&q, hb);
	rt_mutex_enqueue(&q.pi_state->lock, &q.waiter, current, &chain);
	spin_unlock(&hb->lock);
	ret = rt_mutex_walk(&chain, &q.waiter);
	if (!ret)
		ret = futex_sleep_for_grant(&q, to);
	return futex_finish_lock_pi(uaddr, futex_lock_bucket_of(&q), &q, ret);
}

int futex_lock_pi(u32 __user *uaddr, unsigned int flags, ktime_t *time, bool trylock)
{
	struct hrtimer_sleeper timeout, *to = futex_setup_timer(time, &timeout, flags);
	int ret;

	do {
		ret = lock_pi_once(uaddr, flags, to, trylock);
		cond_resched();
	} while (ret == -EAGAIN && !trylock && !fatal_signal_pending(current));
	futex_cancel_timer(to);
	return ret;
}

/* ---- unlock ---- */

/*
 * The most urgent waiter owns it now.  Bucket locked, and preemption off until the batch was run: we may be less urgent from
 * here on, and another would get the processor instead of him.  The word is written by the caller, or, if the owner died,
 * by the new one.
 */
static void grant(struct futex_pi_state *state, struct rt_mutex_waiter *to, bool owner_died, struct wake_batch *batch)
{
	struct futex_q *q = container_of(to, struct futex_q, waiter);

	out_of_list_of(state->lock.owner, state);
	rt_mutex_hand_over(&state->lock, to);
	into_list_of(q->task, state);
	state->word_stale = owner_died;
	wake_batch_add(batch, q->task);
	smp_store_release(&q->granted, true);
}

/* Bucket locked; the word was uval, with our id.  0, -EFAULT, -EAGAIN. */
static int hand_over(u32 __user *uaddr, struct futex_hash_bucket *hb, const struct futex_key *key, u32 uval,
		     struct wake_batch *batch)
{
	struct futex_q *other = find_waiter(hb, key);
	struct futex_pi_state *state = other ? other->pi_state : NULL;
	struct rt_mutex_waiter *top = NULL;
	u32 curval, newval = 0;
	int err;

	if (other) {
		if (!state || state->lock.owner != current)
			return -EINVAL;
		top = rt_mutex_top_waiter(&state->lock);
	}
	if (top)
		newval = futex_tid(top->task) | FUTEX_WAITERS;
	err = futex_cmpxchg_value_locked(&curval, uaddr, uval, newval);
	if (err)
		return err;
	if (curval != uval)
		return -EAGAIN;
	if (top)
		grant(state, top, false, batch);
	return 0;
}

int futex_unlock_pi(u32 __user *uaddr, unsigned int flags)
{
	struct futex_hash_bucket *hb;
	struct futex_key key;
	int ret;
	u32 uval;

	do {
		DEFINE_WAKE_BATCH(batch);

		if (get_user(uval, uaddr))
			return -EFAULT;
		if ((uval & FUTEX_TID_MASK) != futex_tid(current))
			return -EPERM;
		ret = get_futex_key(uaddr, flags & FLAGS_SHARED, &key);
		if (ret)
			return ret;
		hb = futex_hash(&key);
		preempt_disable();
		spin_lock(&hb->lock);
		ret = hand_over(uaddr, hb, &key, uval, &batch);
		spin_unlock(&hb->lock);
		wake_batch_run(&batch);
		preempt_enable();
		if (ret == -EFAULT) {
			ret = fault_in_user_writeable(uaddr);
			if (ret)
				return ret;
			ret = -EAGAIN;
		}
		cond_resched();
	} while (ret == -EAGAIN);
	return ret;
}

/* ---- the owner dies ---- */

/* The first of tsk's states; false when there is none.  Only its key: it may go as soon as pi_lock is released. */
static bool first_state_key(struct task_struct *tsk, struct futex_key *key)
{
	struct futex_pi_state *state;

	spin_lock_irq(&tsk->pi_lock);
	state = list_first_entry_or_null(&tsk->pi_state_list, struct futex_pi_state, list);
	if (state)
		*key = state->key;
	spin_unlock_irq(&tsk->pi_lock);
	return state != NULL;
}

/* Everything that tsk owns and others wait for goes to the most urgent of them.  futex_state is EXITING: nothing is added. */
void exit_pi_state_list(struct task_struct *tsk)
{
	struct futex_key key;

	while (first_state_key(tsk, &key)) {
		struct futex_hash_bucket *hb = futex_hash(&key);
		struct futex_q *other;
		DEFINE_WAKE_BATCH(batch);

		preempt_disable();
		spin_lock(&hb->lock);
		other = find_waiter(hb, &key);
		if (other && other->pi_state && other->pi_state->lock.owner == tsk)
			grant(other->pi_state, rt_mutex_top_waiter(&other->pi_state->lock), true, &batch);
		spin_unlock(&hb->lock);
		wake_batch_run(&batch);
		preempt_enable();
		cond_resched();
	}
}
