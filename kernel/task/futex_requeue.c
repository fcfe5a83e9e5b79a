/*
 * futex_requeue.c: the operations on two futexes: moving waiters from one to the other, and changing one while waking both.
 *
 * Idea:    pthread_cond_broadcast() would wake all waiters only for them to queue up at the mutex; requeue moves them there
 *          without waking.  FUTEX_WAKE_OP: unlock one and wake another in one call.
 * Locking: both buckets, in the order of their addresses.
 * See:     futex(2) FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP
 */
#include <weft/kernel.h>
#include <weft/signal.h>
#include <asm/futex.h>
#include "futex.h"

void double_lock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2) __no_context_analysis	/* may be one */
{
	if (hb1 > hb2)
		swap(hb1, hb2);
	spin_lock(&hb1->lock);
	if (hb1 != hb2)
		spin_lock_nested(&hb2->lock, SINGLE_DEPTH_NESTING);
}

void double_unlock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2) __no_context_analysis	/* as above */
{
	spin_unlock(&hb1->lock);
	if (hb1 != hb2)
		spin_unlock(&hb2->lock);
}

/* Both buckets locked. */
void futex_move(struct futex_q *q, struct futex_hash_bucket *from, struct futex_hash_bucket *to, const struct futex_key *key)
{
	q->key = *key;
	/* In one chain it stays where it is: a real-time waiter put behind its equals would be met again, for ever. */
	if (from == to)
		return;
	atomic_dec(&from->waiters);
	atomic_inc(&to->waiters);
	q->lock_ptr = &to->lock;
	list_del(&q->list);
	__futex_queue(q, to);
}

int futex_get_two_keys(u32 __user *uaddr1, u32 __user *uaddr2, unsigned int flags, struct futex_key *key1,
		       struct futex_key *key2)
{
	int ret = get_futex_key(uaddr1, flags & FLAGS_SHARED, key1);

	return ret ? ret : get_futex_key(uaddr2, flags & FLAGS_SHARED, key2);
}

static int requeue_locked(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2, const struct futex_key *key1,
			  const struct futex_key *key2, int nr_wake, int nr_requeue, struct wake_batch *batch)
{
	struct futex_q *this, *next;
	int done = 0;

	list_for_each_entry_safe(this, next, &hb1->chain, list) {
		if (done - nr_wake >= nr_requeue)
			break;
		if (!futex_match(&this->key, key1))
			continue;
		if (futex_q_is_pi(this))
			return -EINVAL;
		if (done++ < nr_wake)
			futex_wake_mark(batch, this);
		else
			futex_move(this, hb1, hb2, key2);
	}
	return done;
}

/*
 * Wakes nr_wake waiters of uaddr1 and moves nr_requeue others to uaddr2, if *uaddr1 == *cmpval (cmpval NULL: in any case).
 * How many were woken or moved, or -EAGAIN: another value.
 */
int futex_requeue(u32 __user *uaddr1, unsigned int flags, u32 __user *uaddr2, int nr_wake, int nr_requeue,
		  const u32 *cmpval)
{
	struct futex_hash_bucket *hb1, *hb2;
	struct futex_key key1, key2;
	DEFINE_WAKE_BATCH(batch);
	u32 curval;
	int ret;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	for (;;) {
		ret = futex_get_two_keys(uaddr1, uaddr2, flags, &key1, &key2);
		if (ret)
			return ret;
		hb1 = futex_hash(&key1);
		hb2 = futex_hash(&key2);
		/* Counted before we look, so that a waker at uaddr2 does not overlook those that are about to arrive. */
		atomic_inc(&hb2->waiters);
		double_lock_hb(hb1, hb2);
		if (!cmpval || !futex_get_value_locked(&curval, uaddr1))
			break;
		double_unlock_hb(hb1, hb2);
		atomic_dec(&hb2->waiters);
		ret = get_user(curval, uaddr1);
		if (ret)
			return ret;
	}
	ret = -EAGAIN;
	if (!cmpval || curval == *cmpval)
		ret = requeue_locked(hb1, hb2, &key1, &key2, nr_wake, nr_requeue, &batch);
	double_unlock_hb(hb1, hb2);
	atomic_dec(&hb2->waiters);
	wake_batch_run(&batch);
	return ret;
}

/* ---- FUTEX_WAKE_OP ---- */

/* 1 if the old value compares as asked, 0 if not, -EFAULT, -ENOSYS. */
static int atomic_op_inuser(u32 encoded, u32 __user *uaddr)
{
	unsigned int op = encoded >> 28 & 0x7, cmp = encoded >> 24 & 0xf;
	int oparg = (int)(encoded << 8) >> 20, cmparg = (int)(encoded << 20) >> 20, oldval, ret;

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT) {
		if (oparg < 0 || oparg > 31)
			oparg &= 31;
		oparg = (int)(1U << oparg);
	}
	pagefault_disable();
	ret = arch_futex_atomic_op_inuser((int)op, oparg, &oldval, uaddr);
	pagefault_enable();
	if (ret)
		return ret;
	switch (cmp) {
	case FUTEX_OP_CMP_EQ:
		return oldval == cmparg;
	case FUTEX_OP_CMP_NE:
		return oldval != cmparg;
	case FUTEX_OP_CMP_LT:
		return oldval < cmparg;
	case FUTEX_OP_CMP_GE:
		return oldval >= cmparg;
	case FUTEX_OP_CMP_LE:
		return oldval <= cmparg;
	case FUTEX_OP_CMP_GT:
		return oldval > cmparg;
	default:
		return -ENOSYS;
	}
}

static int wake_some(struct futex_hash_bucket *hb, const struct futex_key *key, int nr, struct wake_batch *batch)
{
	struct futex_q *this, *next;
	int woken = 0;

	list_for_each_entry_safe(this, next, &hb->chain, list) {
		if (!futex_match(&this->key, key))
			continue;
		if (futex_q_is_pi(this))
			return -EINVAL;
		futex_wake_mark(batch, this);
		if (++woken >= nr)
			break;
	}
	return woken;
}

/* Changes *uaddr2 as op says, wakes nr_wake at uaddr1, and nr_wake2 at uaddr2 if its old value compares as op says. */
int futex_wake_op(u32 __user *uaddr1, unsigned int flags, u32 __user *uaddr2, int nr_wake, int nr_wake2, u32 op)
{
	struct futex_hash_bucket *hb1, *hb2;
	struct futex_key key1, key2;
	DEFINE_WAKE_BATCH(batch);
	int ret, compared, more;

	for (;;) {
		ret = futex_get_two_keys(uaddr1, uaddr2, flags, &key1, &key2);
		if (ret)
			return ret;
		hb1 = futex_hash(&key1);
		hb2 = futex_hash(&key2);
		double_lock_hb(hb1, hb2);
		compared = atomic_op_inuser(op, uaddr2);
		if (compared != -EFAULT && compared != -EAGAIN)
			break;
		double_unlock_hb(hb1, hb2);
		if (compared == -EFAULT) {
			ret = fault_in_user_writeable(uaddr2);
			if (ret)
				return ret;
		}
		cond_resched();
	}
	ret = compared;
	if (compared >= 0)
		ret = wake_some(hb1, &key1, nr_wake, &batch);
	if (ret >= 0 && compared > 0) {
		more = wake_some(hb2, &key2, nr_wake2, &batch);
		ret = more < 0 ? more : ret + more;
	}
	double_unlock_hb(hb1, hb2);
	wake_batch_run(&batch);
	return ret;
}
