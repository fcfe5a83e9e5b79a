/*
 * futex_robust.c: what a thread that dies still holds.
 *
 * Idea:    a robust mutex is linked, in user memory, into its owner's list, whose head the thread registered.  At exit the
 *          kernel walks it, marks each word that still has our id with FUTEX_OWNER_DIED, and wakes a waiter, who gets
 *          EOWNERDEAD.  The memory may hold anything: every step is a checked read, and the walk ends after 2048.
 *          A mutex that is just being taken or released is named by list_op_pending, since it may be in neither state.
 * Locking: futex_exit_mutex is held for the time of it, so that who meets a dying owner (futex_pi.c) can wait.
 * See:     set_robust_list(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include "futex.h"

/* ---- system calls ---- */

long sys_set_robust_list(struct robust_list_head __user *head, size_t len)
{
	if (len != (in_compat_syscall() ? sizeof(struct compat_robust_list_head) : sizeof(*head)))
		return -EINVAL;
	current->robust_list = head;
	current->robust_list_compat = in_compat_syscall();
	return 0;
}

long sys_get_robust_list(int pid, struct robust_list_head __user *__user *head_ptr, size_t __user *len_ptr)
{
	struct robust_list_head __user *head = NULL;
	struct task_struct *p = current;
	long err = -ESRCH;

	rcu_read_lock();
	if (pid)
		p = find_task_by_vpid(pid);
	if (p) {
		err = ptrace_may_access(p, PTRACE_MODE_READ_REALCREDS) ? 0 : -EPERM;
		head = p->robust_list;
	}
	rcu_read_unlock();
	if (err)
		return err;
	if (in_compat_syscall())
		return put_user((u32)sizeof(struct compat_robust_list_head), (u32 __user *)len_ptr) ||
		       put_user(ptr_to_compat(head), (u32 __user *)head_ptr) ? -EFAULT : 0;
	return put_user(sizeof(*head), len_ptr) || put_user(head, head_ptr) ? -EFAULT : 0;
}

/* ---- at exit ---- */

/* One word that may still be ours.  pending: it comes from list_op_pending.  0, or -1: the memory is bad, stop. */
static int handle_futex_death(u32 __user *uaddr, struct task_struct *curr, bool pi, bool pending)
{
	u32 uval, curval;
	int err;

	if ((unsigned long)uaddr % sizeof(*uaddr))
		return -1;
	if (get_user(uval, uaddr))
		return -1;
	for (;;) {
		/*
		 * Unlocking, we wrote 0 and died before the wake-up: somebody may sleep whom nobody would ever wake.
		 * Likewise if another took it meanwhile, which the woken one will find out.
		 */
		if (pending && !pi && !uval) {
			futex_wake(uaddr, FLAGS_SHARED, 1, FUTEX_BITSET_MATCH_ANY);
			return 0;
		}
		if ((uval & FUTEX_TID_MASK) != futex_tid(curr))
			return 0;
		err = futex_cmpxchg_value_locked(&curval, uaddr, uval, (uval & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
		if (err == -EFAULT && fault_in_user_writeable(uaddr))
			return -1;
		if (!err && curval == uval)
			break;
		if (!err)
			uval = curval;
		cond_resched();
	}
	/* Waiters of a PI futex are served by exit_pi_state_list(). */
	if (!pi && (uval & FUTEX_WAITERS))
		futex_wake(uaddr, FLAGS_SHARED, 1, FUTEX_BITSET_MATCH_ANY);
	return 0;
}

/* A word of the list, of the program's size.  The thread dies, so the list tells the size, not the call. */
static int fetch_long(unsigned long *value, const void __user *from)
{
	u32 value32;

	if (!current->robust_list_compat)
		return get_user(*value, (const unsigned long __user *)from);
	if (get_user(value32, (const u32 __user *)from))
		return -EFAULT;
	*value = value32;
	return 0;
}

/* A pointer of the list: bit 0 says that the futex is a PI one. */
static int fetch_entry(struct robust_list __user **entry, const void __user *from, bool *pi)
{
	unsigned long uentry;

	if (fetch_long(&uentry, from))
		return -EFAULT;
	*entry = (struct robust_list __user *)(uentry & ~1UL);
	*pi = uentry & 1;
	return 0;
}

static u32 __user *futex_of(struct robust_list __user *entry, unsigned long offset)
{
	return (u32 __user *)((char __user *)entry + offset);
}

static void exit_robust_list(struct task_struct *curr)
{
	/* Three words: the list, the futex's distance from its entry, the entry in work. */
	char __user *head = (char __user *)curr->robust_list;
	size_t word = curr->robust_list_compat ? sizeof(u32) : sizeof(long);
	struct robust_list __user *entry, *next, *pending;
	unsigned int limit = ROBUST_LIST_LIMIT;
	bool pi, next_pi = false, pending_pi;
	unsigned long offset;
	int err;

	if (fetch_entry(&entry, head, &pi) || fetch_long(&offset, head + word) ||
	    fetch_entry(&pending, head + 2 * word, &pending_pi))
		return;
	if (curr->robust_list_compat)
		offset = (unsigned long)(long)(s32)offset;
	while (entry != (struct robust_list __user *)head && limit--) {
		/* The next pointer first: once woken, the waiter may free this entry. */
		err = fetch_entry(&next, entry, &next_pi);
		if (entry != pending && handle_futex_death(futex_of(entry, offset), curr, pi, false))
			return;
		if (err)
			return;
		entry = next;
		pi = next_pi;
		cond_resched();
	}
	if (pending)
		handle_futex_death(futex_of(pending, offset), curr, pending_pi, true);
}

static void set_futex_state(struct task_struct *tsk, unsigned int state)
{
	spin_lock_irq(&tsk->pi_lock);
	tsk->futex_state = state;
	spin_unlock_irq(&tsk->pi_lock);
}

static void futex_cleanup(struct task_struct *tsk, unsigned int state_after)
{
	mutex_lock(&tsk->futex_exit_mutex);
	set_futex_state(tsk, FUTEX_STATE_EXITING);
	if (tsk->robust_list) {
		exit_robust_list(tsk);
		tsk->robust_list = NULL;
	}
	exit_pi_state_list(tsk);
	set_futex_state(tsk, state_after);
	mutex_unlock(&tsk->futex_exit_mutex);
}

void futex_exit_release(struct task_struct *tsk)
{
	futex_cleanup(tsk, FUTEX_STATE_DEAD);
}

/* execve: the old program's locks are gone, the thread lives on. */
void futex_exec_release(struct task_struct *tsk)
{
	futex_cleanup(tsk, FUTEX_STATE_OK);
}

/* The walk itself faulted fatally: let go of those who wait for its end. */
void futex_exit_recursive(struct task_struct *tsk) __no_context_analysis	/* futex_state says that it is held */
{
	if (tsk->futex_state == FUTEX_STATE_EXITING)
		mutex_unlock(&tsk->futex_exit_mutex);
	tsk->futex_state = FUTEX_STATE_DEAD;
}

void futex_init_task(struct task_struct *tsk)
{
	tsk->robust_list = NULL;
	tsk->robust_list_compat = false;
	INIT_LIST_HEAD(&tsk->pi_state_list);
	tsk->pi_state_cache = NULL;
	tsk->futex_state = FUTEX_STATE_OK;
	mutex_init(&tsk->futex_exit_mutex);
}
