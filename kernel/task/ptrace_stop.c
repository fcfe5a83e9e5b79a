/*
 * ptrace_stop.c: the tracee's side of ptrace: it stops itself and tells its tracer.
 *
 * What:    ptrace_stop(), through which every stop goes; the stops for signals, for the group's stop, for events (fork,
 *          exec, exit) and for system calls; what a new task inherits of being traced.
 * Race:    the stop is told only after the state is set, and both happen so that neither side misses the other:
 *
 *      tracee                                          tracer
 *      siglock: state = TRACED, exit_code = why        wait4: adds itself to wait_chldexit
 *      siglock released                                looks: not traced yet; sleeps
 *      tasklist_lock (read): SIGCHLD, wakes            wakes, looks: traced, exit_code
 *      schedule()                                      PTRACE_*: waits until the tracee is off its CPU
 *
 *          A tracer that ends meanwhile takes tasklist_lock for writing and wakes the tracee under siglock: it either
 *          sees TRACED and wakes, or has cleared ->ptrace before we look.
 * Locking: siglock for the state and jobctl; tasklist_lock (read) to tell the tracer.
 * See:     ptrace.c; signal_take.c; ptrace(2) "Stopped states"
 */
#include <weft/cgroup.h>
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/pid_namespace.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/task_work.h>
#include "internal.h"

int ptrace_stop(int exit_code, int why, unsigned long message, kernel_siginfo_t *info)
	__no_context_analysis	/* drops siglock in the middle */
{
	struct task_struct *me = current;
	bool gstop_done = false;

	/* Killed, or let go: no stop any more.  From here to the schedule() nobody but the tracer and SIGKILL wakes us. */
	if (!me->ptrace || __fatal_signal_pending(me))
		return exit_code;
	set_special_state(TASK_TRACED);
	me->ptrace_message = message;
	me->last_siginfo = info;
	me->exit_code = exit_code;
	if (why == CLD_STOPPED && (me->jobctl & JOBCTL_STOP_PENDING))
		gstop_done = task_participate_group_stop(me);
	task_clear_jobctl_pending(me, JOBCTL_TRAP_STOP);
	if (info && info->si_code >> 8 == PTRACE_EVENT_STOP)
		task_clear_jobctl_pending(me, JOBCTL_TRAP_NOTIFY);
	task_clear_jobctl_trapping(me);
	spin_unlock_irq(&me->sighand->siglock);

	read_lock(&tasklist_lock);
	if (me->ptrace)
		do_notify_parent_cldstop(me, true, why);
	/* The real parent is told of the group's stop, too, if it is not the tracer that was just told. */
	if (gstop_done && (!me->ptrace || ptrace_reparented(me)))
		do_notify_parent_cldstop(me, false, CLD_STOPPED);
	read_unlock(&tasklist_lock);
	cgroup_enter_frozen();
	schedule();
	cgroup_leave_frozen(true);

	/* The tracer may have changed registers that the short way out of a system call does not reload. */
	set_thread_flag(TIF_NOTIFY_RESUME);
	spin_lock_irq(&me->sighand->siglock);
	exit_code = me->exit_code;
	me->last_siginfo = NULL;
	me->ptrace_message = 0;
	me->exit_code = 0;
	me->jobctl &= ~(JOBCTL_LISTENING | JOBCTL_PTRACE_FROZEN);
	recalc_sigpending_tsk(me);
	return exit_code;
}

static int do_notify(int signr, int exit_code, int why, unsigned long message)
{
	kernel_siginfo_t info;

	clear_siginfo(&info);
	info.si_signo = signr;
	info.si_code = exit_code;
	rcu_read_lock();
	info.si_pid = task_pid_nr_ns(current, task_active_pid_ns(current->parent));
	rcu_read_unlock();
	info.si_uid = from_kuid_munged(current_user_ns(), current_uid());
	return ptrace_stop(exit_code, why, message, &info);
}

int ptrace_notify(int exit_code, unsigned long message)
{
	int signr;

	if (unlikely(READ_ONCE(current->task_works)))
		task_work_run();
	spin_lock_irq(&current->sighand->siglock);
	signr = do_notify(SIGTRAP, exit_code, CLD_TRAPPED, message);
	spin_unlock_irq(&current->sighand->siglock);
	return signr;
}

void ptrace_event(int event, unsigned long message)
{
	if (unlikely(ptrace_event_enabled(current, event)))
		ptrace_notify((event << 8) | SIGTRAP, message);
	else if (event == PTRACE_EVENT_EXEC && (current->ptrace & (PT_PTRACED | PT_SEIZED)) == PT_PTRACED)
		send_sig(SIGTRAP, current, 0);		/* as old debuggers expect it */
}

void ptrace_event_pid(int event, struct pid *pid)
{
	unsigned long nr;

	rcu_read_lock();
	nr = (unsigned long)pid_nr_ns(pid, task_active_pid_ns(rcu_dereference(current->parent)));
	rcu_read_unlock();
	ptrace_event(event, nr);
}

/* ---- signals and the group's stop ---- */

int ptrace_signal(int signr, kernel_siginfo_t *info, enum pid_type type)
{
	/* A stop signal that was taken before the tracer looked stops us after it, whatever came between. */
	current->jobctl |= JOBCTL_STOP_DEQUEUED;
	signr = ptrace_stop(signr, CLD_TRAPPED, 0, info);
	if (!signr)
		return 0;
	/* The tracer chose another signal: it is the tracer that sends it. */
	if (signr != info->si_signo) {
		clear_siginfo(info);
		info->si_signo = signr;
		info->si_code = SI_USER;
		rcu_read_lock();
		info->si_pid = task_tgid_vnr(current->parent);
		info->si_uid = from_kuid_munged(current_user_ns(), task_uid(current->parent));
		rcu_read_unlock();
	}
	/* Blocked, perhaps since the stop: it waits as others do. */
	if (sigismember(&current->blocked, signr) || __fatal_signal_pending(current)) {
		send_signal_locked(signr, info, current, type);
		return 0;
	}
	return signr;
}

void do_jobctl_trap(void)
{
	struct signal_struct *signal = current->signal;
	int signr = (int)(current->jobctl & JOBCTL_STOP_SIGMASK);

	if (current->ptrace & PT_SEIZED) {
		if (!signal->group_stop_count && !(signal->flags & SIGNAL_STOP_STOPPED))
			signr = SIGTRAP;
		do_notify(signr, signr | (PTRACE_EVENT_STOP << 8), CLD_STOPPED, 0);
	} else {
		ptrace_stop(signr, CLD_STOPPED, 0, NULL);
	}
}

void ptrace_signal_wake_up(struct task_struct *t, bool resume)
{
	signal_wake_up_state(t, resume ? __TASK_TRACED | __TASK_STOPPED : 0);
}

void ptrace_trap_notify(struct task_struct *t)
{
	task_set_jobctl_pending(t, JOBCTL_TRAP_NOTIFY);
	ptrace_signal_wake_up(t, (t->jobctl & JOBCTL_LISTENING) != 0);
}

/* ---- system calls ---- */

/* False: killed. */
static bool report_syscall(unsigned long message)
{
	int signr;

	if (!(current->ptrace & PT_PTRACED))
		return true;
	signr = ptrace_notify(SIGTRAP | (current->ptrace & PT_TRACESYSGOOD ? 0x80 : 0), message);
	if (signr)
		send_sig(signr, current, 1);
	return !fatal_signal_pending(current);
}

bool ptrace_syscall_enter(struct pt_regs *regs, unsigned long flags)
{
	if (!(flags & (_TIF_SYSCALL_TRACE | _TIF_SYSCALL_EMU)))
		return true;
	return report_syscall(PTRACE_EVENTMSG_SYSCALL_ENTRY) && !(flags & _TIF_SYSCALL_EMU);
}

void ptrace_syscall_exit(struct pt_regs *regs, unsigned long flags)
{
	if (flags & _TIF_SYSCALL_EMU)
		return;
	if (flags & _TIF_SINGLESTEP)
		force_sig_fault(SIGTRAP, TRAP_BRKPT, (void __user *)regs->ip);
	else if (flags & _TIF_SYSCALL_TRACE)
		report_syscall(PTRACE_EVENTMSG_SYSCALL_EXIT);
}

/* ---- fork ---- */

void ptrace_init_task(struct task_struct *child, bool trace)
{
	if (!trace || !current->ptrace)
		return;
	child->ptrace = current->ptrace;
	ptrace_link(child, current->parent, current->ptracer_cred);
	if (child->ptrace & PT_SEIZED)
		task_set_jobctl_pending(child, JOBCTL_TRAP_STOP);
	else
		sigaddset(&child->pending.signal, SIGSTOP);
	set_tsk_thread_flag(child, TIF_SIGPENDING);
}
