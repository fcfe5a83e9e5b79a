/*
 * futex.c: "sleep if this word still has this value", and waking who sleeps there.
 *
 * Idea:    a lock is a word in the program's memory; the kernel comes in only when somebody must sleep or be woken.  Who
 *          waits is found by a key (what is really behind the address) in a hash table of buckets.
 *
 *          waiter                                          waker
 *          hb->waiters++                                   *uaddr = new value (in user mode)
 *          full barrier                                    full barrier
 *          lock hb; *uaddr == val?  no: -EAGAIN            hb->waiters == 0?  nobody to wake
 *          queue; unlock; schedule                         lock hb; unqueue and wake
 *          Either the waiter sees the new value, or the waker sees the count and, under the lock, the waiter.
 * Locking: a bucket's lock, at most two of them, in the order of their addresses.  User memory is read under it with page
 *          faults off; on a fault everything is dropped, the page brought in, and the call begins again.
 * Cost:    a wait or wake O(waiters in the bucket).
 * See:     futex(2), futex(7); futex_requeue.c, futex_pi.c, futex_robust.c, futex_sys.c; doc/synchronisation.md
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/hash.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/trace.h>
#include <asm/futex.h>
#include "futex.h"

static struct futex_hash_bucket *buckets;	/* [I] */
static unsigned int bucket_bits;		/* [I] */

static int __init futex_init(void)
{
	bucket_bits = (unsigned int)ilog2(roundup_pow_of_two(256UL * num_possible_cpus()));
	buckets = kvmalloc_array(1UL << bucket_bits, sizeof(*buckets), GFP_KERNEL);
	if (!buckets)
		panic("futex: no memory for the hash table");
	for (unsigned long i = 0; i < 1UL << bucket_bits; i++) {
		atomic_set(&buckets[i].waiters, 0);
		INIT_LIST_HEAD(&buckets[i].chain);
		spin_lock_init(&buckets[i].lock);
	}
	return 0;
}
core_initcall(futex_init);

/* ---- keys ---- */

struct futex_hash_bucket *futex_hash(const struct futex_key *key)
{
	unsigned long mix = (unsigned long)key->object ^ key->id * GOLDEN_RATIO_64;

	return &buckets[hash_64((mix + key->page) * GOLDEN_RATIO_64 + key->offset, bucket_bits)];
}

/* The place in a file that is shared there, else the address itself. */
static int shared_key(unsigned long address, struct futex_key *key)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int err = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, address);
	if (!vma)
		goto out;
	err = 0;
	if ((vma->vm_flags & VM_MAYSHARE) && vma->vm_file) {
		struct inode *inode = file_inode(vma->vm_file);

		key->object = inode;
		key->id = inode->i_ino;
		key->page = linear_page_index(vma, address);
		key->offset |= FUT_OFF_INODE;
	} else {
		key->offset |= FUT_OFF_MMSHARED;
	}
out:
	mmap_read_unlock(mm);
	return err;
}

int get_futex_key(u32 __user *uaddr, bool shared, struct futex_key *key)
{
	unsigned long address = (unsigned long)uaddr;

	if (address % sizeof(u32))
		return -EINVAL;
	if (!access_ok(uaddr, sizeof(u32)) || !current->mm)
		return -EFAULT;
	key->object = current->mm;
	key->id = 0;
	key->page = address & PAGE_MASK;
	key->offset = address & ~PAGE_MASK;
	return shared ? shared_key(address, key) : 0;
}

/* ---- user memory under a bucket's lock ---- */

int futex_get_value_locked(u32 *dest, u32 __user *from)
{
	int ret;

	pagefault_disable();
	ret = get_user(*dest, from);
	pagefault_enable();
	return ret;
}

int futex_cmpxchg_value_locked(u32 *curval, u32 __user *uaddr, u32 uval, u32 newval)
{
	int ret;

	pagefault_disable();
	ret = futex_atomic_cmpxchg_inatomic(curval, uaddr, uval, newval);
	pagefault_enable();
	return ret;
}

int fault_in_user_writeable(u32 __user *uaddr)
{
	struct mm_struct *mm = current->mm;
	int ret;

	mmap_read_lock(mm);
	ret = fixup_user_fault(mm, (unsigned long)uaddr, FAULT_FLAG_WRITE, NULL);
	mmap_read_unlock(mm);
	return ret < 0 ? ret : 0;
}

/* ---- waking ---- */

/* A task that another batch has already noted is left to that one: it has not woken it yet, and will. */
void wake_batch_add(struct wake_batch *batch, struct task_struct *task)
{
	get_task_struct(task);
	smp_mb__before_atomic();
	if (cmpxchg(&task->wake_next, NULL, WAKE_BATCH_END)) {
		put_task_struct(task);
		return;
	}
	*batch->last = task;
	batch->last = &task->wake_next;
}

void wake_batch_run(struct wake_batch *batch)
{
	struct task_struct *task = batch->first;

	while (task != WAKE_BATCH_END) {
		struct task_struct *next = task->wake_next;

		/* From here on it may be noted again. */
		smp_store_mb(task->wake_next, NULL);
		wake_up_process(task);
		put_task_struct(task);
		task = next;
	}
}

/* q is unqueued and its task noted.  The store of lock_ptr is the last use of q: it lies on the waiter's stack. */
void futex_wake_mark(struct wake_batch *batch, struct futex_q *q)
{
	struct task_struct *p = q->task;

	get_task_struct(p);
	__futex_unqueue(q);
	smp_store_release(&q->lock_ptr, NULL);
	wake_batch_add(batch, p);
	put_task_struct(p);
}

/* Wakes at most nr_wake waiters whose bitset meets `bitset`.  How many. */
int futex_wake(u32 __user *uaddr, unsigned int flags, int nr_wake, u32 bitset)
{
	struct futex_hash_bucket *hb;
	struct futex_q *this, *next;
	struct futex_key key;
	DEFINE_WAKE_BATCH(batch);
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = get_futex_key(uaddr, flags & FLAGS_SHARED, &key);
	if (ret)
		return ret;
	hb = futex_hash(&key);
	smp_mb();	/* pairs with futex_q_lock() */
	if (!atomic_read(&hb->waiters))
		return 0;
	spin_lock(&hb->lock);
	list_for_each_entry_safe(this, next, &hb->chain, list) {
		if (!futex_match(&this->key, &key))
			continue;
		if (futex_q_is_pi(this)) {
			ret = -EINVAL;
			break;
		}
		if (!(this->bitset & bitset))
			continue;
		futex_wake_mark(&batch, this);
		if (++ret >= nr_wake)
			break;
	}
	spin_unlock(&hb->lock);
	wake_batch_run(&batch);
	trace_futex_wake((unsigned long)uaddr, ret);
	return ret;
}

/* ---- queueing ---- */

void futex_q_init(struct futex_q *q, u32 bitset)
{
	*q = (struct futex_q){
		.list	= LIST_HEAD_INIT(q->list),
		.task	= current,
		.bitset	= bitset,
		.prio	= min(current->normal_prio, MAX_RT_PRIO),
	};
}

struct futex_hash_bucket *futex_q_lock(struct futex_q *q) __no_context_analysis	/* locks what it returns */
{
	struct futex_hash_bucket *hb = futex_hash(&q->key);

	atomic_inc(&hb->waiters);
	smp_mb__after_atomic();		/* pairs with futex_wake() */
	q->lock_ptr = &hb->lock;
	spin_lock(&hb->lock);
	return hb;
}

void futex_q_unlock(struct futex_hash_bucket *hb)
{
	lockdep_assert_held(&hb->lock);
	spin_unlock(&hb->lock);
	atomic_dec(&hb->waiters);
}

/* hb->lock held and its waiters counted already.  Real-time tasks by priority, before all others. */
void __futex_queue(struct futex_q *q, struct futex_hash_bucket *hb)
{
	struct list_head *before = &hb->chain;

	if (q->prio < MAX_RT_PRIO) {
		struct futex_q *other;

		list_for_each_entry(other, &hb->chain, list) {
			if (other->prio > q->prio) {
				before = &other->list;
				break;
			}
		}
	}
	list_add_tail(&q->list, before);
}

void __futex_unqueue(struct futex_q *q)
{
	struct futex_hash_bucket *hb = container_of(q->lock_ptr, struct futex_hash_bucket, lock);

	lockdep_assert_held(&hb->lock);
	list_del_init(&q->list);
	atomic_dec(&hb->waiters);
}

bool futex_unqueue(struct futex_q *q)
{
	spinlock_t *lock;

	/* A requeue may move q to another bucket between our look and our lock. */
	while ((lock = READ_ONCE(q->lock_ptr)) != NULL) {
		spin_lock(lock);
		if (lock == q->lock_ptr) {
			__futex_unqueue(q);
			spin_unlock(lock);
			return true;
		}
		spin_unlock(lock);
	}
	/* Our stack frame may go now: the waker is done with it. */
	smp_rmb();
	return false;
}

/* ---- waiting ---- */

struct hrtimer_sleeper *futex_setup_timer(ktime_t *time, struct hrtimer_sleeper *timeout, unsigned int flags)
{
	if (!time)
		return NULL;
	hrtimer_init_sleeper_on_stack(timeout, flags & FLAGS_CLOCKRT ? CLOCK_REALTIME : CLOCK_MONOTONIC,
				      HRTIMER_MODE_ABS);
	hrtimer_set_expires_range_ns(&timeout->timer, *time, current->timer_slack_ns);
	return timeout;
}

void futex_cancel_timer(struct hrtimer_sleeper *to)
{
	if (to) {
		hrtimer_cancel(&to->timer);
		destroy_hrtimer_on_stack(&to->timer);
	}
}

int futex_wait_setup(u32 __user *uaddr, u32 val, unsigned int flags, struct futex_q *q, struct futex_hash_bucket **hb)
{
	u32 uval;
	int ret;

	for (;;) {
		ret = get_futex_key(uaddr, flags & FLAGS_SHARED, &q->key);
		if (ret)
			return ret;
		*hb = futex_q_lock(q);
		ret = futex_get_value_locked(&uval, uaddr);
		if (!ret)
			break;
		futex_q_unlock(*hb);
		ret = get_user(uval, uaddr);
		if (ret)
			return ret;
	}
	if (uval == val)
		return 0;
	futex_q_unlock(*hb);
	return -EWOULDBLOCK;
}

/* Queues, unlocks, sleeps.  A wake-up between unlock and schedule() has made us TASK_RUNNING again. */
static void futex_wait_queue(struct futex_hash_bucket *hb, struct futex_q *q, struct hrtimer_sleeper *timeout)
{
	lockdep_assert_held(&hb->lock);
	set_current_state(TASK_INTERRUPTIBLE);
	__futex_queue(q, hb);
	spin_unlock(&hb->lock);
	if (timeout)
		hrtimer_sleeper_start_expires(timeout, HRTIMER_MODE_ABS);
	if (READ_ONCE(q->lock_ptr) && (!timeout || timeout->task))
		schedule();
	__set_current_state(TASK_RUNNING);
}

/* 0 woken, -ETIMEDOUT, -EINTR; else as futex_wait_setup(). */
static int wait_once(u32 __user *uaddr, unsigned int flags, u32 val, struct hrtimer_sleeper *to, u32 bitset)
{
	struct futex_hash_bucket *hb;
	struct futex_q q;
	int ret;

	futex_q_init(&q, bitset);
	do {
		ret = futex_wait_setup(uaddr, val, flags, &q, &hb);
		if (ret)
			return ret;
		futex_wait_queue(hb, &q, to);
		if (!futex_unqueue(&q))
			return 0;
		if (to && !to->task)
			return -ETIMEDOUT;
	} while (!signal_pending(current));
	return -EINTR;
}

static long futex_wait_restart(struct restart_block *restart)
{
	ktime_t t = (ktime_t)restart->futex.time, *tp = &t;

	restart->fn = do_no_restart_syscall;
	return futex_wait(restart->futex.uaddr, restart->futex.flags, restart->futex.val, tp, restart->futex.bitset);
}

int futex_wait(u32 __user *uaddr, unsigned int flags, u32 val, ktime_t *abs_time, u32 bitset)
{
	struct hrtimer_sleeper timeout, *to;
	struct restart_block *restart;
	int ret;

	if (!bitset)
		return -EINVAL;
	trace_futex_wait((unsigned long)uaddr, val);
	to = futex_setup_timer(abs_time, &timeout, flags);
	ret = wait_once(uaddr, flags, val, to, bitset);
	futex_cancel_timer(to);
	if (ret != -EINTR)
		return ret;
	if (!abs_time)
		return -ERESTARTSYS;
	/* A relative timeout must not begin again: go on with the absolute one. */
	restart = &current->restart_block;
	restart->futex.uaddr = uaddr;
	restart->futex.val = val;
	restart->futex.time = (u64)*abs_time;
	restart->futex.bitset = bitset;
	restart->futex.flags = flags;
	return (int)set_restart_fn(restart, futex_wait_restart);
}
