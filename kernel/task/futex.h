/*
 * futex.h: between the files futex*.c.  What others may use is in weft/futex.h.
 */
#ifndef TASK_FUTEX_H
#define TASK_FUTEX_H

#include <weft/atomic.h>
#include <weft/futex.h>
#include <weft/hrtimer.h>
#include <weft/list.h>
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
	struct list_head	list;		/* in owner->pi_state_list [owner->pi_lock] */
	struct task_struct	*owner;		/* [bucket lock] */
	unsigned int		waiters;	/* [bucket lock] */
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
	bool			granted;	/* [*lock_ptr] the futex is ours now (PI) */
	bool			owner_died;	/* ... because its owner died: the word is still the dead one's */
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
void futex_q_init(struct futex_q *q, u32 bitset);
struct futex_hash_bucket *futex_q_lock(struct futex_q *q);	/* the bucket of q->key, counted and locked */
void futex_q_unlock(struct futex_hash_bucket *hb);		/* without having queued */
void __futex_queue(struct futex_q *q, struct futex_hash_bucket *hb);
void __futex_unqueue(struct futex_q *q);
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

/* futex_pi.c */
int futex_lock_pi(u32 __user *uaddr, unsigned int flags, ktime_t *time, bool trylock);
int futex_unlock_pi(u32 __user *uaddr, unsigned int flags);
void exit_pi_state_list(struct task_struct *tsk);
#define FUTEX_STATE_OK		0	/* task->futex_state [pi_lock] */
#define FUTEX_STATE_EXITING	1
#define FUTEX_STATE_DEAD	2

#endif
