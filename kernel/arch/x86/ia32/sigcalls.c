/*
 * sigcalls.c: i386's older signal calls, with masks of 32 signals, and siginfo as 32-bit programs have it.
 *
 * Locking: none of its own: do_sigaction() and the mask's functions take siglock.
 * See:     sigaction(2) "C library/kernel differences", signal(2), sgetmask(2); kernel/task/signal_sys.c
 */
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

/* ---- siginfo ---- */

enum layout { SIL_KILL, SIL_TIMER, SIL_RT, SIL_CHLD, SIL_FAULT, SIL_POLL, SIL_SYS };

/* Which fields have a meaning: by the code, and for the kernel's own codes by the signal. */
static enum layout siginfo_layout(int sig, int code)
{
	if (code == SI_TIMER)
		return SIL_TIMER;
	if (code == SI_SIGIO)
		return SIL_POLL;
	if (code < 0 && code != SI_TKILL)
		return SIL_RT;
	if (code <= SI_USER || code >= SI_KERNEL)
		return SIL_KILL;
	switch (sig) {
	case SIGILL: case SIGFPE: case SIGSEGV: case SIGBUS: case SIGTRAP:
		return SIL_FAULT;
	case SIGCHLD:
		return SIL_CHLD;
	case SIGSYS:
		return SIL_SYS;
	}
	return SIL_POLL;	/* SIGIO, or what F_SETSIG chose in its place */
}

void siginfo_to_compat(struct compat_siginfo *to, const kernel_siginfo_t *from)
{
	*to = (struct compat_siginfo){ .si_signo = from->si_signo, .si_errno = from->si_errno, .si_code = from->si_code };

	switch (siginfo_layout(from->si_signo, from->si_code)) {
	case SIL_KILL:
		to->_kill._pid = from->si_pid;
		to->_kill._uid = from->si_uid;
		break;
	case SIL_TIMER:
		to->_timer._tid = from->si_tid;
		to->_timer._overrun = from->si_overrun;
		to->_timer._sigval = ptr_to_compat(from->_sifields._timer._sigval.sival_ptr);
		to->_timer._sys_private = from->si_sys_private;
		break;
	case SIL_RT:
		to->_rt._pid = from->si_pid;
		to->_rt._uid = from->si_uid;
		to->_rt._sigval = ptr_to_compat(from->si_ptr);
		break;
	case SIL_CHLD:
		to->_sigchld._pid = from->si_pid;
		to->_sigchld._uid = from->si_uid;
		to->_sigchld._status = from->si_status;
		to->_sigchld._utime = (s32)from->si_utime;
		to->_sigchld._stime = (s32)from->si_stime;
		break;
	case SIL_FAULT:
		to->_sigfault._addr = ptr_to_compat(from->si_addr);
		to->_sigfault._addr_lsb = from->si_addr_lsb;
		break;
	case SIL_POLL:
		to->_sigpoll._band = (s32)from->si_band;
		to->_sigpoll._fd = from->si_fd;
		break;
	case SIL_SYS:
		to->_sigsys._call_addr = ptr_to_compat(from->si_call_addr);
		to->_sigsys._syscall = from->si_syscall;
		to->_sigsys._arch = from->si_arch;
		break;
	}
}

int copy_siginfo_to_user32(struct compat_siginfo __user *to, const kernel_siginfo_t *from)
{
	struct compat_siginfo c;

	siginfo_to_compat(&c, from);
	return copy_to_user(to, &c, sizeof(c)) ? -EFAULT : 0;
}

/* Only what a program can send: user codes. */
int copy_siginfo_from_user32(kernel_siginfo_t *to, const struct compat_siginfo __user *from)
{
	struct compat_siginfo c;

	if (copy_from_user(&c, from, sizeof(c)))
		return -EFAULT;
	clear_siginfo(to);
	to->si_signo = c.si_signo;
	to->si_errno = c.si_errno;
	to->si_code = c.si_code;
	to->si_pid = c._rt._pid;
	to->si_uid = c._rt._uid;
	to->si_ptr = compat_ptr(c._rt._sigval);
	return 0;
}

/* ---- sigaction, signal ---- */

long compat_sys_sigaction(int sig, const struct compat_old_sigaction __user *act, struct compat_old_sigaction __user *oact)
{
	struct compat_old_sigaction c;
	struct k_sigaction new, old;
	int err;

	if (act) {
		if (copy_from_user(&c, act, sizeof(c)))
			return -EFAULT;
		new.sa = (struct sigaction){ .sa_handler = (__sighandler_t)compat_ptr(c.sa_handler), .sa_flags = c.sa_flags,
					     .sa_restorer = (__sigrestore_t)compat_ptr(c.sa_restorer),
					     .sa_mask.sig[0] = c.sa_mask };
	}
	err = do_sigaction(sig, act ? &new : NULL, oact ? &old : NULL);
	if (err || !oact)
		return err;
	c = (struct compat_old_sigaction){
		.sa_handler = (u32)(unsigned long)old.sa.sa_handler, .sa_mask = (u32)old.sa.sa_mask.sig[0],
		.sa_flags = (u32)old.sa.sa_flags, .sa_restorer = (u32)(unsigned long)old.sa.sa_restorer,
	};
	return copy_to_user(oact, &c, sizeof(c)) ? -EFAULT : 0;
}

/* System V's: the handler runs once, with nothing blocked. */
long compat_sys_signal(int sig, compat_uptr_t handler)
{
	struct k_sigaction new = { .sa = { .sa_handler = (__sighandler_t)compat_ptr(handler),
					   .sa_flags = SA_ONESHOT | SA_NOMASK } }, old;
	int err = do_sigaction(sig, &new, &old);

	return err ? err : (long)(u32)(unsigned long)old.sa.sa_handler;
}

/* ---- masks of 32 signals: the others are left as they are ---- */

static void set_low_mask(u32 low)
{
	sigset_t set = current->blocked;

	set.sig[0] = (set.sig[0] & ~0xffffffffUL) | low;
	set_current_blocked(&set);
}

long compat_sys_sgetmask(void)
{
	return (u32)current->blocked.sig[0];
}

long compat_sys_ssetmask(u32 mask)
{
	u32 old = (u32)current->blocked.sig[0];

	set_low_mask(mask);
	return old;
}

long compat_sys_sigprocmask(int how, const u32 __user *nset, u32 __user *oset)
{
	u32 old = (u32)current->blocked.sig[0], set;

	if (nset) {
		if (get_user(set, nset))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			set_low_mask(old | set);
			break;
		case SIG_UNBLOCK:
			set_low_mask(old & ~set);
			break;
		case SIG_SETMASK:
			set_low_mask(set);
			break;
		default:
			return -EINVAL;
		}
	}
	return oset && put_user(old, oset) ? -EFAULT : 0;
}

long compat_sys_sigpending(u32 __user *set)
{
	sigset_t pending;

	do_sigpending(&pending);
	return put_user((u32)pending.sig[0], set) ? -EFAULT : 0;
}

long compat_sys_sigsuspend(int unused1, int unused2, u32 mask)
{
	sigset_t blocked = { .sig = { mask } };

	return sigsuspend(&blocked);
}
