/*
 * prctl.c: prctl(2): what a task may set about itself and that has no system call of its own.
 *
 * Idea:    one function a group of options; each checks that the arguments that it does not use are 0 where Linux does, so
 *          that a program can find out what exists.
 * Locking: the task's own fields; where another may look, the lock that the field names (sched.h).
 * See:     prctl(2), capabilities(7) "securebits", "ambient"
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/seccomp.h>
#include <weft/signal.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/prctl.h>
#include "internal.h"

/* ---- names ---- */

static long set_name(const char __user *name)
{
	char comm[TASK_COMM_LEN];

	comm[TASK_COMM_LEN - 1] = '\0';
	if (strncpy_from_user(comm, name, TASK_COMM_LEN - 1) < 0)
		return -EFAULT;
	__set_task_comm(current, comm, false);
	return 0;
}

static long get_name(char __user *name)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, current);
	return copy_to_user(name, comm, sizeof(comm)) ? -EFAULT : 0;
}

/* ---- capabilities ---- */

/* The bounding set only shrinks. */
static long drop_bounding(unsigned long cap)
{
	struct cred *new;

	if (!ns_capable(current_user_ns(), CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	new->cap_bset.val &= ~(1ULL << cap);
	return commit_creds(new);
}

/* A locked bit stays; a lock is never undone. */
static long set_securebits(unsigned long bits)
{
	unsigned int old = current_cred()->securebits;
	struct cred *new;

	if ((((old & SECURE_ALL_LOCKS) >> 1) & (old ^ bits)) || (old & SECURE_ALL_LOCKS & ~bits) ||
	    (bits & ~(unsigned long)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) || !ns_capable(current_user_ns(), CAP_SETPCAP))
		return -EPERM;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	new->securebits = (unsigned int)bits;
	return commit_creds(new);
}

static long set_keepcaps(unsigned long on)
{
	struct cred *new;

	if (on > 1)
		return -EINVAL;
	if (current_cred()->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (on)
		new->securebits |= SECBIT_KEEP_CAPS;
	else
		new->securebits &= ~SECBIT_KEEP_CAPS;
	return commit_creds(new);
}

static long change_ambient(unsigned long what, unsigned long cap)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (what == PR_CAP_AMBIENT_RAISE &&
	    (!cap_raised(old->cap_permitted, (int)cap) || !cap_raised(old->cap_inheritable, (int)cap) ||
	     (old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)))
		return -EPERM;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (what == PR_CAP_AMBIENT_CLEAR_ALL)
		new->cap_ambient.val = 0;
	else if (what == PR_CAP_AMBIENT_RAISE)
		new->cap_ambient.val |= 1ULL << cap;
	else
		new->cap_ambient.val &= ~(1ULL << cap);
	return commit_creds(new);
}

static long ambient(unsigned long what, unsigned long cap, unsigned long arg4, unsigned long arg5)
{
	if (arg4 || arg5)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : change_ambient(what, 0);
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_IS_SET)
		return cap_raised(current_cred()->cap_ambient, (int)cap);
	if (what != PR_CAP_AMBIENT_RAISE && what != PR_CAP_AMBIENT_LOWER)
		return -EINVAL;
	return change_ambient(what, cap);
}

/* *handled tells whether the option was one of these. */
static long cap_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5,
		      bool *handled)
{
	*handled = true;
	switch (option) {
	case PR_CAPBSET_READ:
		return arg2 > CAP_LAST_CAP ? -EINVAL : cap_raised(current_cred()->cap_bset, (int)arg2);
	case PR_CAPBSET_DROP:
		return drop_bounding(arg2);
	case PR_SET_SECUREBITS:
		return set_securebits(arg2);
	case PR_GET_SECUREBITS:
		return current_cred()->securebits;
	case PR_GET_KEEPCAPS:
		return !!(current_cred()->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return set_keepcaps(arg2);
	case PR_CAP_AMBIENT:
		return ambient(arg2, arg3, arg4, arg5);
	default:
		*handled = false;
		return -EINVAL;
	}
}

/* ---- family ---- */

/* Children that were there before look for a subreaper as well from now on. */
static long set_child_subreaper(bool on)
{
	struct task_struct *p, *up;

	write_lock_irq(&tasklist_lock);
	current->signal->is_child_subreaper = on;
	if (on) {
		for_each_process(p) {
			for (up = p->real_parent; up != &init_task; up = up->real_parent) {
				if (same_thread_group(up, current)) {
					p->signal->has_child_subreaper = true;
					break;
				}
			}
		}
	}
	write_unlock_irq(&tasklist_lock);
	return 0;
}

/* ---- PR_SET_MM: where a program that set itself up anew says its parts are ---- */

static long set_mm(unsigned long opt, unsigned long addr, unsigned long arg4, unsigned long arg5)
{
	struct mm_struct *mm = current->mm;
	unsigned long *const fields[] = {
		[PR_SET_MM_START_CODE]	= &mm->start_code,
		[PR_SET_MM_END_CODE]	= &mm->end_code,
		[PR_SET_MM_START_DATA]	= &mm->start_data,
		[PR_SET_MM_END_DATA]	= &mm->end_data,
		[PR_SET_MM_START_STACK]	= &mm->start_stack,
		[PR_SET_MM_START_BRK]	= &mm->start_brk,
		[PR_SET_MM_BRK]		= &mm->brk,
		[PR_SET_MM_ARG_START]	= &mm->arg_start,
		[PR_SET_MM_ARG_END]	= &mm->arg_end,
		[PR_SET_MM_ENV_START]	= &mm->env_start,
		[PR_SET_MM_ENV_END]	= &mm->env_end,
	};
	long err = 0;

	if (arg4 || arg5 || !opt || opt >= ARRAY_SIZE(fields))
		return -EINVAL;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (addr >= TASK_SIZE || addr < mmap_min_addr)
		return -EINVAL;
	mmap_write_lock(mm);
	if (find_vma(mm, addr))
		*fields[opt] = addr;
	else
		err = -EINVAL;
	mmap_write_unlock(mm);
	return err;
}

/* ---- the switch ---- */

static long set_pdeathsig(unsigned long sig)
{
	if (!valid_signal(sig))
		return -EINVAL;
	current->pdeath_signal = (int)sig;
	return 0;
}

static long set_dumpable_arg(unsigned long value)
{
	if (value != SUID_DUMP_DISABLE && value != SUID_DUMP_USER)
		return -EINVAL;
	set_dumpable(current->mm, (int)value);
	return 0;
}

static long set_timer_slack(long ns)
{
	current->timer_slack_ns = ns <= 0 ? DEFAULT_TIMER_SLACK : (unsigned long)ns;
	return 0;
}

/* Options that say what a register of the task is: only one answer is possible. */
static long fixed_prctl(int option, unsigned long arg2)
{
	switch (option) {
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return arg2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TSC:
		return put_user(PR_TSC_ENABLE, (int __user *)arg2);
	case PR_SET_TSC:
		return arg2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return 0;
	default:
		return -EINVAL;
	}
}

/* mmap_lock for writing: no fault is half-way through a huge page. */
static int set_thp_disable(bool disable)
{
	struct mm_struct *mm = current->mm;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (disable)
		set_bit(MMF_DISABLE_THP, &mm->flags);
	else
		clear_bit(MMF_DISABLE_THP, &mm->flags);
	mmap_write_unlock(mm);
	return 0;
}

long sys_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)
{
	struct task_struct *me = current;
	bool handled;
	long ret = cap_prctl(option, arg2, arg3, arg4, arg5, &handled);

	if (handled)
		return ret;
	switch (option) {
	case PR_SET_PDEATHSIG:
		return set_pdeathsig(arg2);
	case PR_GET_PDEATHSIG:
		return put_user(me->pdeath_signal, (int __user *)arg2);
	case PR_GET_DUMPABLE:
		return get_dumpable(me->mm);
	case PR_SET_DUMPABLE:
		return set_dumpable_arg(arg2);
	case PR_SET_NAME:
		return set_name((const char __user *)arg2);
	case PR_GET_NAME:
		return get_name((char __user *)arg2);
	case PR_SET_TIMERSLACK:
		return set_timer_slack((long)arg2);
	case PR_GET_TIMERSLACK:
		return (long)min(me->timer_slack_ns, (unsigned long)INT_MAX);
	case PR_SET_CHILD_SUBREAPER:
		return set_child_subreaper(arg2 != 0);
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)me->signal->is_child_subreaper, (int __user *)arg2);
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 || arg4 || arg5)
			return -EINVAL;
		me->no_new_privs = 1;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : me->no_new_privs;
	case PR_SET_SECCOMP:
		return prctl_set_seccomp(arg2, (void __user *)arg3);
	case PR_GET_SECCOMP:
		return (long)me->seccomp_mode;
	case PR_GET_TID_ADDRESS:
		return put_user(me->clear_child_tid, (int __user *__user *)arg2);
	case PR_SET_THP_DISABLE:
		return arg3 || arg4 || arg5 ? -EINVAL : set_thp_disable(arg2 != 0);
	case PR_GET_THP_DISABLE:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : test_bit(MMF_DISABLE_THP, &me->mm->flags);
	case PR_SET_MM:
		return set_mm(arg2, arg3, arg4, arg5);
	default:
		return fixed_prctl(option, arg2);
	}
}
