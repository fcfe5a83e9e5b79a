/*
 * ptrace.c: the tracer's side of ptrace: becoming a tracer, working on a stopped tracee, letting it go.
 *
 * What:    ptrace(2) with the requests that do not depend on the processor.
 * Idea:    the tracer becomes ->parent of the tracee (->real_parent stays), so that wait4 and SIGCHLD go to it.  Requests
 *          work on a task that is off its processor in TASK_TRACED, and that nothing wakes until they are done:
 *
 *          running --ptrace_stop()--> TRACED --request--> TRACED|FROZEN --done--> TRACED --CONT, DETACH, SIGKILL--> running
 *
 * Locking: tasklist_lock for writing to link and unlink; siglock of the tracee inside it.  ptrace_check_attach() freezes
 *          under siglock; a SIGKILL that comes meanwhile is pending, and unfreeze_traced() wakes for it.
 *          cred_guard_mutex of the tracee: no attach in the middle of an execve that gains rights.
 * See:     ptrace_stop.c; arch/x86/kernel/ptrace.c; ptrace(2)
 */
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/capability.h>
#include <weft/landlock.h>
#include <weft/cred.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/seccomp.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/wait_bit.h>
#include <uapi/uio.h>
#include <asm/syscall.h>
#include "internal.h"

/* ---- the link ---- */

void ptrace_link(struct task_struct *child, struct task_struct *tracer, const struct cred *cred)
{
	list_add(&child->ptrace_entry, &tracer->ptraced);
	child->parent = tracer;
	child->ptracer_cred = get_cred(cred);
}

/*
 * A tracee that becomes privileged (a set-uid program) gives its tracer that privilege, so it may only if the tracer could
 * have traced such a program anyway; and memory that became private is read by such a tracer only.
 */
bool ptracer_capable(struct task_struct *tsk, const struct user_namespace *ns)
{
	bool capable = true;

	read_lock(&tasklist_lock);
	if (tsk->ptracer_cred)
		capable = cap_over(tsk->ptracer_cred, ns, CAP_SYS_PTRACE);
	read_unlock(&tasklist_lock);
	return capable;
}

void __ptrace_unlink(struct task_struct *child)
{
	clear_tsk_thread_flag(child, TIF_SYSCALL_TRACE);
	clear_tsk_thread_flag(child, TIF_SYSCALL_EMU);
	child->parent = child->real_parent;
	list_del_init(&child->ptrace_entry);
	put_cred(child->ptracer_cred);
	child->ptracer_cred = NULL;

	spin_lock(&child->sighand->siglock);
	child->ptrace = 0;
	task_clear_jobctl_pending(child, JOBCTL_TRAP_MASK);
	task_clear_jobctl_trapping(child);
	/* The group is stopped, or about to: from traced to stopped, like the other threads. */
	if (!(child->flags & PF_EXITING) &&
	    ((child->signal->flags & SIGNAL_STOP_STOPPED) || child->signal->group_stop_count)) {
		child->jobctl |= JOBCTL_STOP_PENDING;
		if (!(child->jobctl & JOBCTL_STOP_SIGMASK))
			child->jobctl |= SIGSTOP;
	}
	if ((child->jobctl & JOBCTL_STOP_PENDING) || task_is_traced(child))
		ptrace_signal_wake_up(child, true);
	spin_unlock(&child->sighand->siglock);
}

static bool ignores_children(struct task_struct *t)
{
	struct sigaction *sa = &t->sighand->action[SIGCHLD - 1].sa;

	return sa->sa_handler == SIG_IGN || (sa->sa_flags & SA_NOCLDWAIT);
}

/* True: p was a zombie that waited for its tracer only, and the caller must release it. */
static bool detach_zombie(struct task_struct *tracer, struct task_struct *p)
{
	bool dead;

	__ptrace_unlink(p);
	if (p->exit_state != EXIT_ZOMBIE)
		return false;
	dead = !thread_group_leader(p);
	if (!dead && thread_group_empty(p)) {
		if (!same_thread_group(p->real_parent, tracer)) {
			dead = do_notify_parent(p, p->exit_signal);
		} else if (ignores_children(tracer)) {
			__wake_up_parent(p, tracer);
			dead = true;
		}
	}
	if (dead)
		p->exit_state = EXIT_DEAD;
	return dead;
}

void exit_ptrace(struct task_struct *tracer, struct list_head *dead)
{
	struct task_struct *p, *n;

	list_for_each_entry_safe(p, n, &tracer->ptraced, ptrace_entry) {
		if (p->ptrace & PT_EXITKILL)
			send_sig_info(SIGKILL, SEND_SIG_PRIV, p);
		if (detach_zombie(tracer, p))
			list_add(&p->ptrace_entry, dead);
	}
}

/* ---- becoming a tracer ---- */

/* Not by who has restricted himself more than we have. */
static bool may_be_traced_by(struct task_struct *parent)
{
	bool may;

	rcu_read_lock();
	may = landlock_may_ptrace(__task_cred(parent), current_cred());
	rcu_read_unlock();
	return may;
}

static long ptrace_traceme(void)
{
	struct task_struct *me = current;
	long ret = -EPERM;

	write_lock_irq(&tasklist_lock);
	if (!me->ptrace && may_be_traced_by(me->real_parent)) {
		ret = 0;
		/* A parent that exits has let go of its tracees already. */
		if (!(me->real_parent->flags & PF_EXITING)) {
			me->ptrace = PT_PTRACED;
			ptrace_link(me, me->real_parent, current_cred());	/* ours: the parent may have more */
		}
	}
	write_unlock_irq(&tasklist_lock);
	return ret;
}

/* tasklist_lock held for writing. */
static long link_attached(struct task_struct *task, unsigned int flags)
{
	if (task->exit_state || task->ptrace)
		return -EPERM;
	task->ptrace = flags;
	ptrace_link(task, current, current_cred());
	if (!(flags & PT_SEIZED))
		send_sig_info(SIGSTOP, SEND_SIG_PRIV, task);
	spin_lock(&task->sighand->siglock);
	/* It is stopped: it wakes and stops again as a tracee, and the caller waits for that. */
	if (task_is_stopped(task) && task_set_jobctl_pending(task, JOBCTL_TRAP_STOP | JOBCTL_TRAPPING))
		signal_wake_up_state(task, __TASK_STOPPED);
	spin_unlock(&task->sighand->siglock);
	return 0;
}

/* Who checkpoints a program may let it make calls that its filters would not; not who is filtered itself. */
static long check_suspend_seccomp(unsigned long options)
{
	if (!(options & PTRACE_O_SUSPEND_SECCOMP))
		return 0;
	return capable(CAP_SYS_ADMIN) && !current->seccomp_mode && !(current->ptrace & PT_SUSPEND_SECCOMP) ? 0 : -EPERM;
}

static long ptrace_attach(struct task_struct *task, bool seize, unsigned long addr, unsigned long options)
{
	unsigned int flags = PT_PTRACED;
	long ret;

	if (seize) {
		if (addr || (options & ~(unsigned long)PTRACE_O_MASK))
			return -EIO;
		ret = check_suspend_seccomp(options);
		if (ret)
			return ret;
		flags |= PT_SEIZED | (unsigned int)options << PT_OPT_SHIFT;
	}
	if ((task->flags & PF_KTHREAD) || same_thread_group(task, current))
		return -EPERM;
	if (mutex_lock_interruptible(&task->signal->cred_guard_mutex))
		return -ERESTARTNOINTR;
	ret = ptrace_may_access(task, PTRACE_MODE_ATTACH_REALCREDS) ? 0 : -EPERM;
	if (!ret) {
		write_lock_irq(&tasklist_lock);
		ret = link_attached(task, flags);
		write_unlock_irq(&tasklist_lock);
	}
	mutex_unlock(&task->signal->cred_guard_mutex);
	if (!ret)
		wait_on_bit(&task->jobctl, JOBCTL_TRAPPING_BIT, TASK_KILLABLE);
	return ret;
}

/* ---- holding a tracee still ---- */

static bool freeze_traced(struct task_struct *child)
{
	bool frozen = false;

	spin_lock_irq(&child->sighand->siglock);
	if (task_is_traced(child) && !(child->jobctl & JOBCTL_LISTENING) && !__fatal_signal_pending(child)) {
		child->jobctl |= JOBCTL_PTRACE_FROZEN;
		frozen = true;
	}
	spin_unlock_irq(&child->sighand->siglock);
	return frozen;
}

static void unfreeze_traced(struct task_struct *child)
{
	unsigned long flags;

	if (!lock_task_sighand(child, &flags))
		return;
	if (child->jobctl & JOBCTL_PTRACE_FROZEN) {
		child->jobctl &= ~JOBCTL_PTRACE_FROZEN;
		if (__fatal_signal_pending(child))
			wake_up_state(child, __TASK_TRACED);
	}
	unlock_task_sighand(child, &flags);
}

/* 0: child is our tracee and, unless any_state, frozen until unfreeze_traced().  -ESRCH. */
static long ptrace_check_attach(struct task_struct *child, bool any_state)
{
	long ret = -ESRCH;

	read_lock(&tasklist_lock);
	if (child->ptrace && child->parent == current && (any_state || freeze_traced(child)))
		ret = 0;
	read_unlock(&tasklist_lock);
	if (!ret && !any_state)
		wait_task_inactive(child, __TASK_TRACED);
	return ret;
}

/* ---- letting it go on ---- */

static void set_flag_to(struct task_struct *child, int flag, bool on)
{
	if (on)
		set_tsk_thread_flag(child, flag);
	else
		clear_tsk_thread_flag(child, flag);
}

static long ptrace_resume(struct task_struct *child, long request, unsigned long data)
{
	if (!valid_signal(data))
		return -EIO;
	set_flag_to(child, TIF_SYSCALL_TRACE, request == PTRACE_SYSCALL);
	set_flag_to(child, TIF_SYSCALL_EMU, request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP);
	if (request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP)
		user_enable_single_step(child);
	else
		user_disable_single_step(child);
	spin_lock_irq(&child->sighand->siglock);
	child->exit_code = (int)data;
	child->jobctl &= ~JOBCTL_PTRACE_FROZEN;
	wake_up_state(child, __TASK_TRACED);
	spin_unlock_irq(&child->sighand->siglock);
	return 0;
}

static long ptrace_detach(struct task_struct *child, unsigned long data)
{
	if (!valid_signal(data))
		return -EIO;
	ptrace_disable(child);
	write_lock_irq(&tasklist_lock);
	/* Frozen, so neither gone nor another's: the signal is what it goes on with. */
	child->exit_code = (int)data;
	detach_zombie(current, child);
	write_unlock_irq(&tasklist_lock);
	return 0;
}

/* ---- requests ---- */

/* The caller's word: 4 bytes for a 32-bit tracer. */
static int word_size(void)
{
	return in_compat_syscall() ? sizeof(u32) : sizeof(unsigned long);
}

static int put_word(unsigned long word, void __user *to)
{
	return copy_to_user(to, &word, (size_t)word_size()) ? -EFAULT : 0;
}

/* The word at addr, there or from there.  The program may be another one than when we attached, and not for us to see. */
static bool access_word(struct task_struct *child, unsigned long addr, unsigned long *word, unsigned int flags)
{
	struct mm_struct *mm = get_task_mm(child);
	bool ok;

	if (!mm)
		return false;
	ok = (get_dumpable(mm) == SUID_DUMP_USER || ptracer_capable(child, mm->user_ns)) &&
	     access_remote_vm(mm, addr, word, word_size(), FOLL_FORCE | flags) == word_size();
	mmput(mm);
	return ok;
}

static long ptrace_peek(struct task_struct *child, unsigned long addr, void __user *data)
{
	unsigned long word;

	return access_word(child, addr, &word, 0) ? put_word(word, data) : -EIO;
}

static long ptrace_setoptions(struct task_struct *child, unsigned long data)
{
	long ret;

	if (data & ~(unsigned long)PTRACE_O_MASK)
		return -EINVAL;
	ret = check_suspend_seccomp(data);
	if (ret)
		return ret;
	spin_lock_irq(&child->sighand->siglock);
	child->ptrace = (child->ptrace & ~((unsigned int)PTRACE_O_MASK << PT_OPT_SHIFT)) | (unsigned int)data << PT_OPT_SHIFT;
	spin_unlock_irq(&child->sighand->siglock);
	return 0;
}

/* One of the two, *info with what the stop is about.  -EINVAL: it has none (group stop). */
static long exchange_siginfo(struct task_struct *child, kernel_siginfo_t *info, bool set)
{
	unsigned long flags;
	long ret = -EINVAL;

	if (!lock_task_sighand(child, &flags))
		return -ESRCH;
	if (child->last_siginfo) {
		if (set)
			*child->last_siginfo = *info;
		else
			*info = *child->last_siginfo;
		ret = 0;
	}
	unlock_task_sighand(child, &flags);
	return ret;
}

static long ptrace_getsiginfo(struct task_struct *child, siginfo_t __user *to)
{
	kernel_siginfo_t info;
	long ret = exchange_siginfo(child, &info, false);

	return ret ? ret : copy_siginfo_to_user(to, &info);
}

static long ptrace_setsiginfo(struct task_struct *child, const siginfo_t __user *from)
{
	kernel_siginfo_t info;
	long ret = copy_siginfo_from_user(&info, from);

	return ret ? ret : exchange_siginfo(child, &info, true);
}

/* The n-th of the queue.  False: there are not so many. */
static bool nth_pending(struct task_struct *child, bool shared, u64 n, kernel_siginfo_t *info)
{
	struct sigpending *pending = shared ? &child->signal->shared_pending : &child->pending;
	struct sigqueue *q;
	bool found = false;

	spin_lock_irq(&child->sighand->siglock);
	list_for_each_entry(q, &pending->list, list) {
		if (n--)
			continue;
		*info = q->info;
		found = true;
		break;
	}
	spin_unlock_irq(&child->sighand->siglock);
	return found;
}

static long ptrace_peeksiginfo(struct task_struct *child, const void __user *uarg, siginfo_t __user *to)
{
	struct ptrace_peeksiginfo_args arg;
	kernel_siginfo_t info;
	int n;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if ((arg.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED) || arg.nr < 0)
		return -EINVAL;
	for (n = 0; n < arg.nr; n++) {
		if (!nth_pending(child, arg.flags & PTRACE_PEEKSIGINFO_SHARED, arg.off + (u64)n, &info))
			break;
		if (copy_siginfo_to_user(to + n, &info))
			return n ? n : -EFAULT;
		if (signal_pending(current))
			return n + 1;
	}
	return n;
}

static long ptrace_sigmask(struct task_struct *child, bool set, unsigned long size, sigset_t __user *umask)
{
	sigset_t mask;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (!set) {
		mask = child->blocked;
		return copy_to_user(umask, &mask, sizeof(mask)) ? -EFAULT : 0;
	}
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	sigdelsetmask(&mask, sigmask(SIGKILL) | sigmask(SIGSTOP));
	spin_lock_irq(&child->sighand->siglock);
	child->blocked = mask;		/* it looks at what that means for pending signals when it goes on */
	spin_unlock_irq(&child->sighand->siglock);
	return 0;
}

static int get_iovec(struct iovec *iov, const void __user *uiov)
{
	struct compat_iovec c;

	if (!in_compat_syscall())
		return copy_from_user(iov, uiov, sizeof(*iov)) ? -EFAULT : 0;
	if (copy_from_user(&c, uiov, sizeof(c)))
		return -EFAULT;
	*iov = (struct iovec){ .iov_base = compat_ptr(c.iov_base), .iov_len = c.iov_len };
	return 0;
}

/* The length comes back behind the pointer, which is a word. */
static long ptrace_iovec_regset(struct task_struct *child, bool set, unsigned long type, void __user *uiov)
{
	struct iovec iov;
	size_t len;
	long ret;

	if (get_iovec(&iov, uiov))
		return -EFAULT;
	len = iov.iov_len;
	ret = ptrace_regset(child, set, type, iov.iov_base, &len);
	return ret ? ret : put_word(len, (char __user *)uiov + word_size());
}

/* Which kind of system-call stop it is in: PTRACE_SYSCALL_INFO_*. */
static u8 syscall_stop_kind(const struct task_struct *child)
{
	const kernel_siginfo_t *si = child->last_siginfo;

	if (si && si->si_code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		return PTRACE_SYSCALL_INFO_SECCOMP;
	if (!si || si->si_code != (SIGTRAP | 0x80))
		return PTRACE_SYSCALL_INFO_NONE;
	if (child->ptrace_message == PTRACE_EVENTMSG_SYSCALL_ENTRY)
		return PTRACE_SYSCALL_INFO_ENTRY;
	return child->ptrace_message == PTRACE_EVENTMSG_SYSCALL_EXIT ? PTRACE_SYSCALL_INFO_EXIT : PTRACE_SYSCALL_INFO_NONE;
}

/* Returns the size of what there is to say. */
static long ptrace_get_syscall_info(struct task_struct *child, unsigned long user_size, void __user *to)
{
	struct pt_regs *regs = task_pt_regs(child);
	struct ptrace_syscall_info info = {
		.op = syscall_stop_kind(child),
		.arch = syscall_get_arch(child),
		.instruction_pointer = regs->ip,
		.stack_pointer = regs->sp,
	};
	unsigned long args[6], size = offsetof(struct ptrace_syscall_info, entry);

	if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
		syscall_get_arguments(child, regs, args);
		info.entry.nr = (u64)(long)syscall_get_nr(regs);
		for (int i = 0; i < 6; i++)
			info.entry.args[i] = args[i];
		size += sizeof(info.entry);
		if (info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
			info.seccomp.ret_data = (u32)child->ptrace_message;
			size += sizeof(info.seccomp.ret_data);
		}
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		info.exit.is_error = !is_syscall_success(regs);
		info.exit.rval = (s64)regs->ax;
		size += offsetof(typeof(info.exit), is_error) + 1;
	}
	return copy_to_user(to, &info, min(size, user_size)) ? -EFAULT : (long)size;
}

static long ptrace_get_rseq(struct task_struct *child, unsigned long user_size, void __user *to)
{
	struct ptrace_rseq_configuration conf = {
		.rseq_abi_pointer = (u64)child->rseq, .rseq_abi_size = child->rseq_len, .signature = child->rseq_sig,
	};

	return copy_to_user(to, &conf, min(user_size, sizeof(conf))) ? -EFAULT : (long)sizeof(conf);
}

/* For seized tracees, in any state. */
static long ptrace_interrupt(struct task_struct *child)
{
	unsigned long flags;

	if (!(child->ptrace & PT_SEIZED))
		return -EIO;
	if (!lock_task_sighand(child, &flags))
		return -ESRCH;
	if (task_set_jobctl_pending(child, JOBCTL_TRAP_STOP))
		ptrace_signal_wake_up(child, (child->jobctl & JOBCTL_LISTENING) != 0);
	unlock_task_sighand(child, &flags);
	return 0;
}

/* It stays stopped with its group, and tells when that changes. */
static long ptrace_listen(struct task_struct *child)
{
	long ret = -EIO;

	if (!(child->ptrace & PT_SEIZED))
		return -EIO;
	spin_lock_irq(&child->sighand->siglock);
	if (child->last_siginfo && child->last_siginfo->si_code >> 8 == PTRACE_EVENT_STOP) {
		child->jobctl |= JOBCTL_LISTENING;
		if (child->jobctl & JOBCTL_TRAP_NOTIFY)
			ptrace_signal_wake_up(child, true);
		ret = 0;
	}
	spin_unlock_irq(&child->sighand->siglock);
	return ret;
}

static long ptrace_request(struct task_struct *child, long request, unsigned long addr, unsigned long data)
{
	void __user *udata = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return ptrace_peek(child, addr, udata);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return access_word(child, addr, &data, FOLL_WRITE) ? 0 : -EIO;
	case PTRACE_OLDSETOPTIONS:
	case PTRACE_SETOPTIONS:
		return ptrace_setoptions(child, data);
	case PTRACE_GETEVENTMSG:
		return put_word(child->ptrace_message, udata);
	case PTRACE_GETSIGINFO:
		return ptrace_getsiginfo(child, udata);
	case PTRACE_SETSIGINFO:
		return ptrace_setsiginfo(child, udata);
	case PTRACE_PEEKSIGINFO:
		return ptrace_peeksiginfo(child, (const void __user *)addr, udata);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return ptrace_sigmask(child, request == PTRACE_SETSIGMASK, addr, udata);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return ptrace_iovec_regset(child, request == PTRACE_SETREGSET, addr, udata);
	case PTRACE_SECCOMP_GET_FILTER:
		return seccomp_get_filter(child, addr, udata);
	case PTRACE_SECCOMP_GET_METADATA:
		return seccomp_get_metadata(child, addr, udata);
	case PTRACE_GET_SYSCALL_INFO:
		return ptrace_get_syscall_info(child, addr, udata);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return ptrace_get_rseq(child, addr, udata);
	case PTRACE_INTERRUPT:
		return ptrace_interrupt(child);
	case PTRACE_LISTEN:
		return ptrace_listen(child);
	case PTRACE_DETACH:
		return ptrace_detach(child, data);
	case PTRACE_KILL:
		send_sig_info(SIGKILL, SEND_SIG_NOINFO, child);
		return 0;
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_SYSEMU:
	case PTRACE_SYSEMU_SINGLESTEP:
		return ptrace_resume(child, request, data);
	default:
		return in_compat_syscall() ? compat_arch_ptrace(child, request, addr, data) :
					     arch_ptrace(child, request, addr, data);
	}
}

long sys_ptrace(long request, long pid, unsigned long addr, unsigned long data)
{
	struct task_struct *child;
	long ret;

	if (request == PTRACE_TRACEME)
		return ptrace_traceme();
	child = find_get_task_by_vpid((pid_t)pid);
	if (!child)
		return -ESRCH;
	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE) {
		ret = ptrace_attach(child, request == PTRACE_SEIZE, addr, data);
		goto out;
	}
	ret = ptrace_check_attach(child, request == PTRACE_KILL || request == PTRACE_INTERRUPT);
	if (ret)
		goto out;
	ret = ptrace_request(child, request, addr, data);
	/* Detached it is no longer ours: another tracer may have frozen it by now. */
	if (ret || request != PTRACE_DETACH)
		unfreeze_traced(child);
out:
	put_task_struct(child);
	return ret;
}
