/*
 * futex_sys.c: futex(2) and futex_waitv(2): decoding of operations and times, and waiting on several futexes at once.
 *
 * Idea:    futex_waitv() queues itself on one futex after the other, each under its bucket's lock after a look at the value.
 *          A wake-up may come from the first while the last is being queued: the task state is set before the first look, and
 *          whoever finds a value changed takes itself out again and sees whether it was woken meanwhile.
 * Locking: one bucket lock at a time; q.lock_ptr is NULL once a waker has taken the entry out.
 * See:     futex(2); futex.c for how it works
 */
#include <weft/time_namespace.h>
#include <weft/kernel.h>
#include <weft/hrtimer.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include "futex.h"

long do_futex(u32 __user *uaddr, int op, u32 val, ktime_t *timeout, u32 __user *uaddr2, u32 val2, u32 val3)
{
	unsigned int flags = op & FUTEX_PRIVATE_FLAG ? 0 : FLAGS_SHARED;
	int cmd = op & FUTEX_CMD_MASK;

	if (op & FUTEX_CLOCK_REALTIME) {
		if (cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2 && cmd != FUTEX_WAIT_REQUEUE_PI)
			return -ENOSYS;
		flags |= FLAGS_CLOCKRT;
	}
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait(uaddr, flags, val, timeout, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, flags, val, timeout, val3);
	case FUTEX_WAKE:
		return futex_wake(uaddr, flags, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, flags, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, flags, uaddr2, (int)val, (int)val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, flags, uaddr2, (int)val, (int)val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, flags, uaddr2, (int)val, (int)val2, val3);
	case FUTEX_LOCK_PI:
		flags |= FLAGS_CLOCKRT;
		fallthrough;
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(uaddr, flags, timeout, false);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(uaddr, flags);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(uaddr, flags, NULL, true);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(uaddr, flags, val, timeout, uaddr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(uaddr, flags, uaddr2, (int)val, (int)val2, val3);
	default:
		return -ENOSYS;
	}
}

static bool has_timeout(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_BITSET ||
	       cmd == FUTEX_WAIT_REQUEUE_PI;
}

/* utime is a time for the waiting operations and a number for the others. */
long sys_futex(u32 __user *uaddr, int op, u32 val, const struct __kernel_timespec __user *utime, u32 __user *uaddr2,
	       u32 val3)
{
	int cmd = op & FUTEX_CMD_MASK;
	struct timespec64 ts;
	ktime_t t;

	if (!utime || !has_timeout(cmd))
		return do_futex(uaddr, op, val, NULL, uaddr2, (u32)(unsigned long)utime, val3);
	if (get_timespec64(&ts, utime))
		return -EFAULT;
	if (!timespec64_valid(&ts))
		return -EINVAL;
	t = timespec64_to_ns(&ts);
	if (cmd == FUTEX_WAIT)
		t = ktime_add_safe(ktime_get(), t);
	else if (cmd != FUTEX_LOCK_PI && !(op & FUTEX_CLOCK_REALTIME))
		t = time_ns_to_host(CLOCK_MONOTONIC, t);
	return do_futex(uaddr, op, val, &t, uaddr2, 0, val3);
}

/* ---- futex_waitv ---- */

struct vector_entry {
	struct futex_q	q;
	u32 __user	*uaddr;
	u32		val;
	unsigned int	flags;
};

static int parse_waitv(struct vector_entry *vec, const struct futex_waitv __user *uwaitv, unsigned int nr)
{
	struct futex_waitv aux;

	for (unsigned int i = 0; i < nr; i++) {
		if (copy_from_user(&aux, &uwaitv[i], sizeof(aux)))
			return -EFAULT;
		if ((aux.flags & ~(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || aux.__reserved || !(aux.flags & FUTEX_32))
			return -EINVAL;
		vec[i].flags = aux.flags & FUTEX_PRIVATE_FLAG ? 0 : FLAGS_SHARED;
		vec[i].val = (u32)aux.val;
		vec[i].uaddr = u64_to_user_ptr(aux.uaddr);
		futex_q_init(&vec[i].q, FUTEX_BITSET_MATCH_ANY);
	}
	return 0;
}

/* Takes the first n out again.  The last index that was woken meanwhile, or -1. */
static int unqueue_multiple(struct vector_entry *vec, int n)
{
	int woken = -1;

	for (int i = 0; i < n; i++)
		if (!futex_unqueue(&vec[i].q))
			woken = i;
	return woken;
}

/*
 * Queues at all.  0: done, and the task's state is TASK_INTERRUPTIBLE.  1: one was woken while we were at it, *woken.
 * -EAGAIN: a word has another value; -EFAULT.
 */
static int setup_multiple(struct vector_entry *vec, unsigned int nr, int *woken)
{
	struct futex_hash_bucket *hb;
	u32 uval;
	int ret;

	for (unsigned int i = 0; i < nr; i++) {
		ret = get_futex_key(vec[i].uaddr, vec[i].flags & FLAGS_SHARED, &vec[i].q.key);
		if (ret)
			return ret;
	}
again:
	set_current_state(TASK_INTERRUPTIBLE);
	for (unsigned int i = 0; i < nr; i++) {
		hb = futex_q_lock(&vec[i].q);
		lockdep_assert_held(&hb->lock);
		ret = futex_get_value_locked(&uval, vec[i].uaddr);
		if (!ret && uval == vec[i].val) {
			__futex_queue(&vec[i].q, hb);
			spin_unlock(&hb->lock);
			continue;
		}
		futex_q_unlock(hb);
		__set_current_state(TASK_RUNNING);
		*woken = unqueue_multiple(vec, (int)i);
		if (*woken >= 0)
			return 1;
		if (!ret)
			return -EWOULDBLOCK;
		if (get_user(uval, vec[i].uaddr))
			return -EFAULT;
		goto again;
	}
	return 0;
}

static void sleep_multiple(struct vector_entry *vec, unsigned int nr, struct hrtimer_sleeper *to)
{
	if (to && !to->task)
		return;
	for (unsigned int i = 0; i < nr; i++)
		if (!READ_ONCE(vec[i].q.lock_ptr))
			return;
	schedule();
}

static int wait_multiple(struct vector_entry *vec, unsigned int nr, struct hrtimer_sleeper *to)
{
	int ret, woken;

	if (to)
		hrtimer_sleeper_start_expires(to, HRTIMER_MODE_ABS);
	for (;;) {
		ret = setup_multiple(vec, nr, &woken);
		if (ret)
			return ret > 0 ? woken : ret;
		sleep_multiple(vec, nr, to);
		__set_current_state(TASK_RUNNING);
		woken = unqueue_multiple(vec, (int)nr);
		if (woken >= 0)
			return woken;
		if (to && !to->task)
			return -ETIMEDOUT;
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
}

static int waitv_timeout(const struct __kernel_timespec __user *utime, clockid_t clockid, ktime_t *t)
{
	struct timespec64 ts;

	if (clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC)
		return -EINVAL;
	if (get_timespec64(&ts, utime))
		return -EFAULT;
	if (!timespec64_valid(&ts))
		return -EINVAL;
	*t = time_ns_to_host(clockid, timespec64_to_ns(&ts));
	return 0;
}

/* The index of one futex that was woken.  The timeout is absolute. */
long sys_futex_waitv(struct futex_waitv __user *waiters, unsigned int nr, unsigned int flags,
		     struct __kernel_timespec __user *utime, clockid_t clockid)
{
	struct hrtimer_sleeper timeout, *to = NULL;
	struct vector_entry *vec;
	ktime_t t;
	int ret;

	if (flags || !nr || nr > FUTEX_WAITV_MAX || !waiters)
		return -EINVAL;
	if (utime) {
		ret = waitv_timeout(utime, clockid, &t);
		if (ret)
			return ret;
		to = futex_setup_timer(&t, &timeout, clockid == CLOCK_REALTIME ? FLAGS_CLOCKRT : 0);
	}
	vec = kcalloc(nr, sizeof(*vec), GFP_KERNEL);
	ret = vec ? parse_waitv(vec, waiters, nr) : -ENOMEM;
	if (!ret)
		ret = wait_multiple(vec, nr, to);
	kfree(vec);
	futex_cancel_timer(to);
	return ret;
}
