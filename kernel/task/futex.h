/*
 * futex.h: between the files futex*.c.  What others may use is in weft/futex.h.
 */
#ifndef TASK_FUTEX_H
#define TASK_FUTEX_H

#include <weft/atomic.h>
#include <weft/futex.h>
#include <weft/hrtimer.h>
#include <weft/list.h>
#include <weft/rtmutex.h>
#include <weft/sched.h>
#include <weft/spinlock.h>
#include <weft/uaccess.h>

/*
 * What makes two addresses the same futex.  Private: the address in this mm.  Shared: the place in the file, or, if no file
 * is shared there, again the address, but apart from private ones.
 */
struct futex_key {
	const void	*object;	/* struct mm_struct or struct inode; only compared, never followed */
	unsigned long	id;		/* inode number: an inode's memory may be reused while somebody still waits */
	unsigned long	page;		/* page address, or page index in the file */
	unsigned int	offset;		/* in the page; FUT_OFF_* in the two low bits */
};
#define FUT_OFF_INODE		1
#define FUT_OFF_MMSHARED	2

struct futex_hash_bucket {
	atomic_t		waiters;	/* who is in the chain or about to be: a waker need not lock for 0 */
	spinlock_t		lock;		/* class: futex_hash */
	struct list_head	chain;		/* [lock] struct futex_q, real-time waiters by priority, then by arrival */
} ____cacheline_aligned;

/* A contended PI futex.  One reference for each waiter in the chain; at 0 it leaves the owner's list and is freed. */
struct futex_pi_state {
	struct list_head	list;		/* in lock.owner->pi_state_list [its pi_lock] */
	struct rt_mutex		lock;		/* who has the futex and who wants it [bucket lock + wait_lock] */
	unsigned int		waiters;	/* [bucket lock] */
	bool			word_stale;	/* [bucket lock] an owner died: the word is still the dead one's */
	struct futex_key	key;		/* [I] */
};

/* One waiter, on its stack. */
struct futex_q {
	struct list_head	list;		/* [*lock_ptr] */
	struct task_struct	*task;		/* [I] */
	spinlock_t		*lock_ptr;	/* of the bucket it is in; changes by requeue; NULL: was woken */
	struct futex_key	key;		/* [*lock_ptr] */
	u32			bitset;		/* [I] */
	int			prio;		/* [I] */
	struct futex_pi_state	*pi_state;	/* [*lock_ptr] of a PI waiter */
	struct rt_mutex_waiter	waiter;		/* [*lock_ptr] its place in pi_state->lock until it is granted */
	const struct futex_key	*requeue_key;	/* [I] FUTEX_WAIT_REQUEUE_PI: the PI futex that it may be moved to, else NULL */
	bool			granted;	/* [*lock_ptr] the PI futex is ours now */
};

/* Where a call's flags go: from op and from futex_waitv's. */
#define FLAGS_SHARED	0x01
#define FLAGS_CLOCKRT	0x02

/* Tasks to wake once the bucket is unlocked. */
struct wake_batch {
	struct task_struct	*first;
	struct task_struct	**last;
};
#define DEFINE_WAKE_BATCH(name) struct wake_batch name = { .first = WAKE_BATCH_END, .last = &name.first }
#define WAKE_BATCH_END	((struct task_struct *)1)
void wake_batch_add(struct wake_batch *batch, struct task_struct *task);
void wake_batch_run(struct wake_batch *batch);

/* futex.c */
int get_futex_key(u32 __user *uaddr, bool shared, struct futex_key *key);	/* 0, -EINVAL, -EFAULT; may sleep */
struct futex_hash_bucket *futex_hash(const struct futex_key *key);
static inline bool futex_match(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->id == b->id && a->page == b->page && a->offset == b->offset;
}
/* Has to do with a PI futex: its word is the kernel's business, and the plain operations do not fit. */
static inline bool futex_q_is_pi(const struct futex_q *q) { return q->pi_state || q->requeue_key; }
void futex_q_init(struct futex_q *q, u32 bitset);
struct futex_hash_bucket *futex_q_lock(struct futex_q *q);	/* the bucket of q->key, counted and locked */
void futex_q_unlock(struct futex_hash_bucket *hb);		/* without having queued */
void __futex_queue(struct futex_q *q, struct futex_hash_bucket *hb);
void __futex_unqueue(struct futex_q *q);
/* 0: the word has the value and *hb is locked.  -EWOULDBLOCK: it has another; -EFAULT, -EINVAL. */
int futex_wait_setup(u32 __user *uaddr, u32 val, unsigned int flags, struct futex_q *q, struct futex_hash_bucket **hb);
bool futex_unqueue(struct futex_q *q);				/* false: it was woken */
void futex_wake_mark(struct wake_batch *batch, struct futex_q *q);
int futex_get_value_locked(u32 *dest, u32 __user *from);	/* -EFAULT: unlock, fault in, try again */
int futex_cmpxchg_value_locked(u32 *curval, u32 __user *uaddr, u32 uval, u32 newval);
int fault_in_user_writeable(u32 __user *uaddr);
struct hrtimer_sleeper *futex_setup_timer(ktime_t *time, struct hrtimer_sleeper *timeout, unsigned int flags);
void futex_cancel_timer(struct hrtimer_sleeper *to);
int futex_wait(u32 __user *uaddr, unsigned int flags, u32 val, ktime_t *abs_time, u32 bitset);
int futex_wake(u32 __user *uaddr, unsigned int flags, int nr_wake, u32 bitset);

/* futex_requeue.c */
int futex_requeue(u32 __user *uaddr1, unsigned int flags, u32 __user *uaddr2, int nr_wake, int nr_requeue, const u32 *cmpval);
int futex_wake_op(u32 __user *uaddr1, unsigned int flags, u32 __user *uaddr2, int nr_wake, int nr_wake2, u32 op);
void double_lock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2);
void double_unlock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2);
int futex_get_two_keys(u32 __user *uaddr1, u32 __user *uaddr2, unsigned int flags, struct futex_key *key1,
		       struct futex_key *key2);
void futex_move(struct futex_q *q, struct futex_hash_bucket *from, struct futex_hash_bucket *to, const struct futex_key *key);

/* futex_pi.c */
int futex_lock_pi(u32 __user *uaddr, unsigned int flags, ktime_t *time, bool trylock);
int futex_unlock_pi(u32 __user *uaddr, unsigned int flags);
void exit_pi_state_list(struct task_struct *tsk);
int futex_refill_pi_state(void);		/* before the bucket's lock is taken: 0, -ENOMEM */
void futex_put_pi_state(struct futex_q *q);	/* q, which does not wait there, lets go of it.  Bucket locked */
int futex_try_lock_pi(u32 __user *uaddr, struct futex_hash_bucket *hb, const struct futex_key *key, struct futex_q *q,
		      bool trylock, struct task_struct **exiting);
int futex_retry_pi(u32 __user *uaddr, int err, struct task_struct *exiting);
int futex_sleep_for_grant(struct futex_q *q, struct hrtimer_sleeper *to);
struct futex_hash_bucket *futex_lock_bucket_of(struct futex_q *q);
int futex_finish_lock_pi(u32 __user *uaddr, struct futex_hash_bucket *hb, struct futex_q *q, int ret);
#define FUTEX_STATE_OK		0	/* task->futex_state [pi_lock] */
#define FUTEX_STATE_EXITING	1
#define FUTEX_STATE_DEAD	2

/* futex_requeue_pi.c */
int futex_wait_requeue_pi(u32 __user *uaddr, unsigned int flags, u32 val, ktime_t *abs_time, u32 __user *uaddr2);
int futex_cmp_requeue_pi(u32 __user *uaddr1, unsigned int flags, u32 __user *uaddr2, int nr_wake, int nr_requeue,
			 u32 cmpval);

/* What a lock's word says of its owner: its number in its own pid namespace. */
static inline u32 futex_tid(const struct task_struct *t) { return (u32)t->vpid; }

#endif
