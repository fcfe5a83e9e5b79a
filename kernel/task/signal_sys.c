/*
 * signal_sys.c: the system calls of signals: masks, actions, alternate stack, sending, waiting.
 *
 * Idea:    a thread's mask is its own: it reads it without a lock and changes it under siglock.  A call that waits with
 *          another mask (sigsuspend, ppoll) keeps the old one in saved_sigmask with TIF_RESTORE_SIGMASK; it is put back
 *          on the way out unless a handler's frame takes it along.
 * See:     sigaction(2), sigprocmask(2), sigaltstack(2), kill(2), sigqueue(3), sigtimedwait(2), pidfd_send_signal(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/hrtimer.h>
#include <weft/pid.h>
#include <weft/proc_fs.h>
#include <weft/pid_namespace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- masks ---- */

static void __set_task_blocked(struct task_struct *tsk, const sigset_t *newset)
{
	/* What we block from now on and others do not: they should look whether it is pending for the group. */
	if (task_sigpending(tsk) && !thread_group_empty(tsk)) {
		sigset_t newblocked;

		sigandnsets(&newblocked, newset, &tsk->blocked);
		retarget_shared_pending(tsk, &newblocked);
	}
	tsk->blocked = *newset;
	recalc_sigpending();
}

void __set_current_blocked(const sigset_t *set)
{
	struct task_struct *tsk = current;

	if (sigequalsets(&tsk->blocked, set))
		return;
	spin_lock_irq(&tsk->sighand->siglock);
	__set_task_blocked(tsk, set);
	spin_unlock_irq(&tsk->sighand->siglock);
}

void set_current_blocked(sigset_t *set)
{
	sigdelsetmask(set, SIG_KERNEL_ONLY_MASK);
	__set_current_blocked(set);
}

int sigprocmask(int how, sigset_t *set, sigset_t *oldset)
{
	sigset_t newset;

	if (oldset)
		*oldset = current->blocked;
	switch (how) {
	case SIG_BLOCK:
		sigorsets(&newset, &current->blocked, set);
		break;
	case SIG_UNBLOCK:
		sigandnsets(&newset, &current->blocked, set);
		break;
	case SIG_SETMASK:
		newset = *set;
		break;
	default:
		return -EINVAL;
	}
	__set_current_blocked(&newset);
	return 0;
}

int set_user_sigmask(const sigset_t __user *umask, size_t sigsetsize)
{
	sigset_t kmask;

	if (!umask)
		return 0;
	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (copy_from_user(&kmask, umask, sizeof(kmask)))
		return -EFAULT;
	set_restore_sigmask();
	current->saved_sigmask = current->blocked;
	set_current_blocked(&kmask);
	return 0;
}

/* interrupted: a handler is about to run, and its frame takes the saved mask along. */
void restore_saved_sigmask_unless(bool interrupted)
{
	if (!interrupted)
		restore_saved_sigmask();
}

long sys_rt_sigprocmask(int how, sigset_t __user *nset, sigset_t __user *oset, size_t sigsetsize)
{
	sigset_t old = current->blocked, new;
	int err;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (nset) {
		if (copy_from_user(&new, nset, sizeof(new)))
			return -EFAULT;
		sigdelsetmask(&new, SIG_KERNEL_ONLY_MASK);
		err = sigprocmask(how, &new, NULL);
		if (err)
			return err;
	}
	return oset && copy_to_user(oset, &old, sizeof(old)) ? -EFAULT : 0;
}

/* What waits to be unblocked, for this thread and for all. */
void do_sigpending(sigset_t *set)
{
	spin_lock_irq(&current->sighand->siglock);
	sigorsets(set, &current->pending.signal, &current->signal->shared_pending.signal);
	spin_unlock_irq(&current->sighand->siglock);
	sigandsets(set, &current->blocked, set);
}

long sys_rt_sigpending(sigset_t __user *uset, size_t sigsetsize)
{
	sigset_t set;

	if (sigsetsize > sizeof(set))
		return -EINVAL;
	do_sigpending(&set);
	return copy_to_user(uset, &set, sigsetsize) ? -EFAULT : 0;
}

/* Until a signal comes that runs a handler or kills.  The mask is in force meanwhile. */
long sigsuspend(sigset_t *set)
{
	current->saved_sigmask = current->blocked;
	set_current_blocked(set);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	set_restore_sigmask();
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(sigset_t __user *unewset, size_t sigsetsize)
{
	sigset_t newset;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (copy_from_user(&newset, unewset, sizeof(newset)))
		return -EFAULT;
	return sigsuspend(&newset);
}

long sys_pause(void)
{
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return -ERESTARTNOHAND;
}

/* ---- actions ---- */

int do_sigaction(int sig, struct k_sigaction *act, struct k_sigaction *oact)
{
	struct task_struct *p = current, *t;
	struct k_sigaction *k;
	sigset_t mask;

	if (!valid_signal((unsigned long)sig) || sig < 1 || (act && sig_kernel_only(sig)))
		return -EINVAL;
	k = &p->sighand->action[sig - 1];
	spin_lock_irq(&p->sighand->siglock);
	if (oact)
		*oact = *k;
	/* Programs find out which flags exist by setting all and reading back. */
	if (act)
		act->sa.sa_flags &= UAPI_SA_FLAGS;
	if (oact)
		oact->sa.sa_flags &= UAPI_SA_FLAGS;
	if (act) {
		if (in_compat_syscall())
			act->sa.sa_flags |= SA_IA32_ABI;
		sigdelsetmask(&act->sa.sa_mask, SIG_KERNEL_ONLY_MASK);
		*k = *act;
		/* POSIX: ignoring a signal throws away what is pending of it, even if it is blocked. */
		if (sig_task_ignored(p, sig, false)) {
			siginitset(&mask, sigmask(sig));
			flush_sigqueue_mask(&mask, &p->signal->shared_pending);
			for_each_thread(p, t)
				flush_sigqueue_mask(&mask, &t->pending);
		}
	}
	spin_unlock_irq(&p->sighand->siglock);
	return 0;
}

static int get_sigaction(struct sigaction *sa, const struct sigaction __user *usa)
{
	struct compat_sigaction c;

	if (!in_compat_syscall())
		return copy_from_user(sa, usa, sizeof(*sa)) ? -EFAULT : 0;
	if (copy_from_user(&c, usa, sizeof(c)))
		return -EFAULT;
	*sa = (struct sigaction){ .sa_handler = (__sighandler_t)compat_ptr(c.sa_handler), .sa_flags = c.sa_flags,
				  .sa_restorer = (__sigrestore_t)compat_ptr(c.sa_restorer), .sa_mask.sig[0] = c.sa_mask };
	return 0;
}

static int put_sigaction(const struct sigaction *sa, struct sigaction __user *usa)
{
	struct compat_sigaction c = {
		.sa_handler = (u32)(unsigned long)sa->sa_handler, .sa_flags = (u32)sa->sa_flags,
		.sa_restorer = (u32)(unsigned long)sa->sa_restorer, .sa_mask = sa->sa_mask.sig[0],
	};

	if (in_compat_syscall())
		return copy_to_user(usa, &c, sizeof(c)) ? -EFAULT : 0;
	return copy_to_user(usa, sa, sizeof(*sa)) ? -EFAULT : 0;
}

long sys_rt_sigaction(int sig, const struct sigaction __user *act, struct sigaction __user *oact, size_t sigsetsize)
{
	struct k_sigaction new, old;
	int err;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (act && get_sigaction(&new.sa, act))
		return -EFAULT;
	err = do_sigaction(sig, act ? &new : NULL, oact ? &old : NULL);
	if (err)
		return err;
	return oact ? put_sigaction(&old.sa, oact) : 0;
}

/* ---- alternate stack ---- */

static int do_sigaltstack(const stack_t *ss, stack_t *oss, unsigned long sp)
{
	struct task_struct *t = current;
	int mode;

	if (oss) {
		memset(oss, 0, sizeof(*oss));
		oss->ss_sp = (void __user *)t->sas_ss_sp;
		oss->ss_size = t->sas_ss_size;
		oss->ss_flags = sas_ss_flags(sp) | (int)(t->sas_ss_flags & SS_FLAG_BITS);
	}
	if (!ss)
		return 0;
	if (on_sig_stack(sp))
		return -EPERM;
	mode = ss->ss_flags & ~(int)SS_FLAG_BITS;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && ss->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	t->sas_ss_sp = mode == SS_DISABLE ? 0 : (unsigned long)ss->ss_sp;
	t->sas_ss_size = mode == SS_DISABLE ? 0 : ss->ss_size;
	t->sas_ss_flags = (unsigned int)ss->ss_flags;
	return 0;
}

static int get_stack(stack_t *ss, const stack_t __user *uss)
{
	struct compat_sigaltstack c;

	if (!in_compat_syscall())
		return copy_from_user(ss, uss, sizeof(*ss)) ? -EFAULT : 0;
	if (copy_from_user(&c, uss, sizeof(c)))
		return -EFAULT;
	*ss = (stack_t){ .ss_sp = compat_ptr(c.ss_sp), .ss_flags = c.ss_flags, .ss_size = c.ss_size };
	return 0;
}

static int put_stack(const stack_t *ss, stack_t __user *uss)
{
	struct compat_sigaltstack c = { ptr_to_compat(ss->ss_sp), ss->ss_flags, (u32)ss->ss_size };

	if (in_compat_syscall())
		return copy_to_user(uss, &c, sizeof(c)) ? -EFAULT : 0;
	return copy_to_user(uss, ss, sizeof(*ss)) ? -EFAULT : 0;
}

long sys_sigaltstack(const stack_t __user *uss, stack_t __user *uoss)
{
	stack_t new, old;
	int err;

	if (uss && get_stack(&new, uss))
		return -EFAULT;
	err = do_sigaltstack(uss ? &new : NULL, uoss ? &old : NULL, current_pt_regs()->sp);
	return err || !uoss ? err : put_stack(&old, uoss);
}

/* sigreturn: the frame's stack_t comes back in force.  What it refuses is ignored, a bad pointer is not. */
int restore_altstack(const stack_t __user *uss)
{
	stack_t new;

	if (get_stack(&new, uss))
		return -EFAULT;
	(void)do_sigaltstack(&new, NULL, current_pt_regs()->sp);
	return 0;
}

int __save_altstack(stack_t __user *uss, unsigned long sp)
{
	struct task_struct *t = current;

	return put_user((void __user *)t->sas_ss_sp, &uss->ss_sp) || put_user((int)t->sas_ss_flags, &uss->ss_flags) ||
	       put_user(t->sas_ss_size, &uss->ss_size) ? -EFAULT : 0;
}

/* ---- siginfo and user memory ---- */

int copy_siginfo_to_user(siginfo_t __user *to, const kernel_siginfo_t *from)
{
	if (in_compat_syscall())
		return copy_siginfo_to_user32((struct compat_siginfo __user *)to, from);
	return copy_siginfo_to_user64(to, from);
}

/* For the frame of a 64-bit handler, whatever call it interrupts. */
int copy_siginfo_to_user64(siginfo_t __user *to, const kernel_siginfo_t *from)
{
	if (copy_to_user(to, from, sizeof(*from)))
		return -EFAULT;
	return clear_user((char __user *)to + sizeof(*from), sizeof(*to) - sizeof(*from)) ? -EFAULT : 0;
}

/* What lies beyond the kernel's part must be zero: we could not keep it. */
int copy_siginfo_from_user(kernel_siginfo_t *to, const siginfo_t __user *from)
{
	int zero;

	if (in_compat_syscall())
		return copy_siginfo_from_user32(to, (const struct compat_siginfo __user *)from);
	if (copy_from_user(to, from, sizeof(*to)))
		return -EFAULT;
	zero = check_zeroed_user((const char __user *)from + sizeof(*to), sizeof(*from) - sizeof(*to));
	if (zero < 0)
		return zero;
	return zero ? 0 : -E2BIG;
}

/* ---- sending ---- */

void prepare_kill_siginfo(int sig, struct kernel_siginfo *info, enum pid_type type)
{
	clear_siginfo(info);
	info->si_signo = sig;
	info->si_code = type == PIDTYPE_PID ? SI_TKILL : SI_USER;
	info->si_pid = task_tgid_vnr(current);
	info->si_uid = from_kuid_munged(current_user_ns(), current_uid());
}

long sys_kill(pid_t pid, int sig)
{
	struct kernel_siginfo info;

	prepare_kill_siginfo(sig, &info, PIDTYPE_TGID);
	return kill_something_info(sig, &info, pid);
}

/* To one thread; tgid > 0: only if it belongs to that process (the number may have been reused). */
static int do_send_specific(pid_t tgid, pid_t pid, int sig, struct kernel_siginfo *info)
{
	struct task_struct *p;
	int err = -ESRCH;

	rcu_read_lock();
	p = find_task_by_vpid(pid);
	if (p && (tgid <= 0 || task_tgid_vnr(p) == tgid)) {
		err = check_kill_permission(sig, info, p);
		if (!err && sig) {
			err = do_send_sig_info(sig, info, p, PIDTYPE_PID);
			/* It is exiting: for the sender as if the signal had come just before the end. */
			if (err == -ESRCH)
				err = 0;
		}
	}
	rcu_read_unlock();
	return err;
}

long sys_tgkill(pid_t tgid, pid_t pid, int sig)
{
	struct kernel_siginfo info;

	if (pid <= 0 || tgid <= 0)
		return -EINVAL;
	prepare_kill_siginfo(sig, &info, PIDTYPE_PID);
	return do_send_specific(tgid, pid, sig, &info);
}

long sys_tkill(pid_t pid, int sig)
{
	struct kernel_siginfo info;

	if (pid <= 0)
		return -EINVAL;
	prepare_kill_siginfo(sig, &info, PIDTYPE_PID);
	return do_send_specific(0, pid, sig, &info);
}

/* A program must not pretend that its signal came from the kernel or from kill(), except to itself. */
static bool may_claim(const kernel_siginfo_t *info, pid_t target)
{
	return (info->si_code < 0 && info->si_code != SI_TKILL) || task_tgid_vnr(current) == target ||
	       task_pid_vnr(current) == target;
}

long sys_rt_sigqueueinfo(pid_t pid, int sig, siginfo_t __user *uinfo)
{
	kernel_siginfo_t info;
	int err = copy_siginfo_from_user(&info, uinfo);

	if (err)
		return err;
	if (!may_claim(&info, pid))
		return -EPERM;
	info.si_signo = sig;
	return pid > 0 ? kill_something_info(sig, &info, pid) : -ESRCH;
}

long sys_rt_tgsigqueueinfo(pid_t tgid, pid_t pid, int sig, siginfo_t __user *uinfo)
{
	kernel_siginfo_t info;
	int err = copy_siginfo_from_user(&info, uinfo);

	if (err)
		return err;
	if (pid <= 0 || tgid <= 0)
		return -EINVAL;
	if (!may_claim(&info, pid))
		return -EPERM;
	info.si_signo = sig;
	return do_send_specific(tgid, pid, sig, &info);
}

long sys_pidfd_send_signal(int pidfd, int sig, siginfo_t __user *uinfo, unsigned int flags)
{
	kernel_siginfo_t info;
	struct pid *pid;
	struct fd f;
	long err;

	if (flags)
		return -EINVAL;
	f = fdget(pidfd);
	if (!f.file)
		return -EBADF;
	/* An open /proc/PID stands for the process as well: psmisc's killall does it so. */
	pid = pidfd_pid(f.file);
	if (IS_ERR(pid))
		pid = tgid_pidfd_to_pid(f.file);
	err = PTR_ERR_OR_ZERO(pid);
	if (err)
		goto out;
	err = -EINVAL;
	if (!pidns_is_ancestor(ns_of_pid(pid), task_active_pid_ns(current)))
		goto out;		/* whose process we could not name */
	if (uinfo) {
		err = copy_siginfo_from_user(&info, uinfo);
		if (err)
			goto out;
		err = -EINVAL;
		if (info.si_signo != sig)
			goto out;
		err = -EPERM;
		if (!may_claim(&info, pid_vnr(pid)))
			goto out;
	} else {
		prepare_kill_siginfo(sig, &info, PIDTYPE_TGID);
	}
	err = kill_pid_info(sig, &info, pid);
out:
	fdput(f);
	return err;
}

/* ---- waiting ---- */

/* Sleeps until one of `which` (unblocked meanwhile) or another signal comes, or ts is over.  Signal, or -EAGAIN, -EINTR. */
static int do_sigtimedwait(const sigset_t *which, kernel_siginfo_t *info, const struct timespec64 *ts)
{
	ktime_t timeout = KTIME_MAX, *to = NULL;
	struct task_struct *tsk = current;
	sigset_t mask = *which;
	enum pid_type type;
	int sig, ret = 0;

	if (ts) {
		if (!timespec64_valid(ts))
			return -EINVAL;
		timeout = timespec64_to_ns(ts);
		to = &timeout;
	}
	sigdelsetmask(&mask, SIG_KERNEL_ONLY_MASK);
	signotset(&mask);	/* from "wanted" to "blocked" */

	spin_lock_irq(&tsk->sighand->siglock);
	sig = dequeue_signal(tsk, &mask, info, &type);
	if (!sig && timeout) {
		/* Those that we wait for must wake us although they are blocked: real_blocked says so to the sender. */
		tsk->real_blocked = tsk->blocked;
		sigandsets(&tsk->blocked, &tsk->blocked, &mask);
		recalc_sigpending();
		spin_unlock_irq(&tsk->sighand->siglock);

		__set_current_state(TASK_INTERRUPTIBLE);
		ret = schedule_hrtimeout_range(to, tsk->timer_slack_ns, HRTIMER_MODE_REL);

		spin_lock_irq(&tsk->sighand->siglock);
		__set_task_blocked(tsk, &tsk->real_blocked);
		sigemptyset(&tsk->real_blocked);
		sig = dequeue_signal(tsk, &mask, info, &type);
	}
	spin_unlock_irq(&tsk->sighand->siglock);
	if (sig)
		return sig;
	return ret ? -EINTR : -EAGAIN;
}

long sys_rt_sigtimedwait(const sigset_t __user *uthese, siginfo_t __user *uinfo,
			 const struct __kernel_timespec __user *uts, size_t sigsetsize)
{
	struct timespec64 ts;
	kernel_siginfo_t info;
	sigset_t these;
	int ret;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (copy_from_user(&these, uthese, sizeof(these)))
		return -EFAULT;
	if (uts && get_timespec64(&ts, uts))
		return -EFAULT;
	ret = do_sigtimedwait(&these, &info, uts ? &ts : NULL);
	if (ret > 0 && uinfo && copy_siginfo_to_user(uinfo, &info))
		ret = -EFAULT;
	return ret;
}

/* ---- restart ---- */

long sys_restart_syscall(void)
{
	struct restart_block *restart = &current->restart_block;

	current_thread_info()->status |= restart->arch_data & TS_TIME32;
	return restart->fn(restart);
}

long do_no_restart_syscall(struct restart_block *param)
{
	return -EINTR;
}
