/*
 * signal_take.c: taking signals, stopping and continuing, telling the parent.
 *
 * What:    dequeue_signal() takes the next pending signal; get_signal(), on the way to user mode, carries out default
 *          actions (stop, kill, ignore) until there is one with a handler; do_notify_parent() sends SIGCHLD.
 * Group stop: the thread that takes a stop signal marks all threads (JOBCTL_STOP_PENDING, counted in group_stop_count);
 *          each goes to TASK_STOPPED in do_signal_stop(); the last one completes the stop and tells the parent.
 *
 *          running --SIGSTOP taken--> all threads marked --each stops--> STOP_STOPPED, parent told CLD_STOPPED
 *             ^                                                                |
 *             +---- SIGCONT sent: marks cleared, all woken, parent told CLD_CONTINUED by the first to get here
 *
 *          A SIGCONT between the taking and the stopping wins: it clears JOBCTL_STOP_DEQUEUED under siglock.
 * Locking: siglock; TASK_STOPPED is set under it, and SIGCONT wakes under it, so no stop is missed or left behind.
 * See:     signal.c (sending); signal(7); waitpid(2); doc/tasks.md
 */
#include <weft/cgroup.h>
#include <weft/kernel.h>
#include <weft/coredump.h>
#include <weft/cred.h>
#include <weft/hrtimer.h>
#include <weft/jiffies.h>
#include <weft/posix-timers.h>
#include <weft/ptrace.h>
#include <weft/pid_namespace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/task_work.h>
#include <weft/trace.h>
#include <weft/wait_bit.h>
#include "internal.h"

/* ---- dequeueing ---- */

/* The next signal of the set that is not in mask: those that a fault of our own caused come first. */
int next_signal(const struct sigpending *pending, const sigset_t *mask)
{
	unsigned long x = pending->signal.sig[0] & ~mask->sig[0];

	if (!x)
		return 0;
	if (x & SYNCHRONOUS_MASK)
		x &= SYNCHRONOUS_MASK;
	return __builtin_ctzl(x) + 1;
}

/* Takes sig out of *list with its details.  *resched_timer: a timer of ours must be rearmed once siglock is free. */
void collect_signal(int sig, struct sigpending *list, kernel_siginfo_t *info, bool *resched_timer)
{
	struct sigqueue *q, *first = NULL;
	bool more = false;

	list_for_each_entry(q, &list->list, list) {
		if (q->info.si_signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (!more)
		sigdelset(&list->signal, sig);
	if (!first) {
		/* Sent without memory for the details. */
		clear_siginfo(info);
		info->si_signo = sig;
		info->si_code = SI_USER;
		return;
	}
	list_del_init(&first->list);
	*info = first->info;
	*resched_timer = (first->flags & SIGQUEUE_PREALLOC) && info->si_code == SI_TIMER && info->si_sys_private;
	__sigqueue_free(first);
}

static int take_from(struct sigpending *pending, const sigset_t *mask, kernel_siginfo_t *info, bool *resched_timer)
{
	int sig = next_signal(pending, mask);

	if (sig)
		collect_signal(sig, pending, info, resched_timer);
	return sig;
}

/* ITIMER_REAL goes on only after its signal was taken: a program that blocks SIGALRM costs no interrupts. */
static void restart_real_timer(struct signal_struct *sig)
{
	struct hrtimer *timer = &sig->real_timer;

	if (!hrtimer_is_queued(timer) && sig->it_real_incr) {
		hrtimer_forward_now(timer, sig->it_real_incr);
		hrtimer_restart(timer);
	}
}

int dequeue_signal(struct task_struct *tsk, sigset_t *mask, kernel_siginfo_t *info, enum pid_type *type)
	__must_hold(&tsk->sighand->siglock)
{
	bool resched_timer = false;
	int sig;

	*type = PIDTYPE_PID;
	sig = take_from(&tsk->pending, mask, info, &resched_timer);
	if (!sig) {
		*type = PIDTYPE_TGID;
		sig = take_from(&tsk->signal->shared_pending, mask, info, &resched_timer);
		if (sig == SIGALRM)
			restart_real_timer(tsk->signal);
	}
	recalc_sigpending();
	if (!sig)
		return 0;
	/* A SIGCONT that comes before we really stop takes this mark away, and with it the stop. */
	if (sig_kernel_stop(sig))
		current->jobctl |= JOBCTL_STOP_DEQUEUED;
	if (resched_timer) {
		spin_unlock(&tsk->sighand->siglock);
		posixtimer_rearm(info);
		spin_lock(&tsk->sighand->siglock);
		info->si_sys_private = 0;	/* not for user space */
	}
	return sig;
}

/*
 * The signal of a fault before all others: the frame of another signal's handler would be built first, and the fault's
 * handler would then see the wrong registers.
 */
static int dequeue_synchronous_signal(kernel_siginfo_t *info)
{
	struct sigpending *pending = &current->pending;
	struct sigqueue *q;

	if (!(pending->signal.sig[0] & ~current->blocked.sig[0] & SYNCHRONOUS_MASK))
		return 0;
	list_for_each_entry(q, &pending->list, list) {
		bool unused = false;
		int sig = q->info.si_signo;

		if (q->info.si_code <= SI_USER || !sig_in(sig, SYNCHRONOUS_MASK))
			continue;
		collect_signal(sig, pending, info, &unused);
		recalc_sigpending();
		return sig;
	}
	return 0;
}

/* ---- job control ---- */

void task_clear_jobctl_pending(struct task_struct *task, unsigned long mask)
{
	if (mask & JOBCTL_STOP_PENDING)
		mask |= JOBCTL_STOP_CONSUME | JOBCTL_STOP_DEQUEUED;
	task->jobctl &= ~mask;
	if (!(task->jobctl & JOBCTL_PENDING_MASK))
		task_clear_jobctl_trapping(task);
}

/* It is traced by now, or never will stop: PTRACE_ATTACH need not wait any more. */
void task_clear_jobctl_trapping(struct task_struct *task)
{
	if (unlikely(task->jobctl & JOBCTL_TRAPPING)) {
		task->jobctl &= ~JOBCTL_TRAPPING;
		smp_mb();
		wake_up_bit(&task->jobctl, JOBCTL_TRAPPING_BIT);
	}
}

/* False: the task is on its way out and will not stop. */
bool task_set_jobctl_pending(struct task_struct *task, unsigned long mask)
{
	if (fatal_signal_pending(task) || (task->flags & PF_EXITING))
		return false;
	if (mask & JOBCTL_STOP_SIGMASK)
		task->jobctl &= ~JOBCTL_STOP_SIGMASK;
	task->jobctl |= mask;
	return true;
}

/* The task has stopped, or never will: one less to wait for.  True: that was the last, the group stop is complete. */
bool task_participate_group_stop(struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	bool consume = task->jobctl & JOBCTL_STOP_CONSUME;

	task_clear_jobctl_pending(task, JOBCTL_STOP_PENDING);
	if (!consume)
		return false;
	if (!WARN_ON_ONCE(sig->group_stop_count == 0))
		sig->group_stop_count--;
	if (sig->group_stop_count || (sig->flags & SIGNAL_STOP_STOPPED))
		return false;
	sig->flags = (sig->flags & ~SIGNAL_STOP_MASK) | SIGNAL_STOP_STOPPED;
	return true;
}

/* A thread born into a group that stops or has stopped stops as well. */
void task_join_group_stop(struct task_struct *task)
{
	unsigned long mask = current->jobctl & JOBCTL_STOP_SIGMASK;
	struct signal_struct *sig = current->signal;

	if (sig->group_stop_count) {
		sig->group_stop_count++;
		mask |= JOBCTL_STOP_CONSUME;
	} else if (!(sig->flags & SIGNAL_STOP_STOPPED)) {
		return;
	}
	if (task_set_jobctl_pending(task, mask | JOBCTL_STOP_PENDING))
		set_tsk_thread_flag(task, TIF_SIGPENDING);
}

/* Marks all threads.  False: there is nothing to begin any more. */
static bool begin_group_stop(int signr)
{
	unsigned long gstop = JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME | (unsigned long)signr;
	struct signal_struct *sig = current->signal;
	struct task_struct *t;

	if (!(current->jobctl & JOBCTL_STOP_DEQUEUED) || (sig->flags & SIGNAL_GROUP_EXIT) || sig->group_exec_task)
		return false;
	if (!(sig->flags & SIGNAL_STOP_STOPPED))
		sig->group_exit_code = signr;
	sig->group_stop_count = 0;
	for_each_thread(current, t) {
		if (t != current && task_is_stopped(t))
			continue;
		if (!task_set_jobctl_pending(t, gstop))
			continue;
		sig->group_stop_count++;
		if (t == current)
			continue;
		if (likely(!(t->ptrace & PT_SEIZED)))
			signal_wake_up(t, false);
		else
			ptrace_trap_notify(t);
	}
	return true;
}

/*
 * pi_lock: a wake-up for something else that saw us asleep earlier must not turn this state into TASK_RUNNING; the wait
 * loops that may see a stray wake-up look at their condition again, this one has none.
 */
void set_special_state(unsigned int state)
{
	spin_lock(&current->pi_lock);
	WRITE_ONCE(current->__state, state);
	spin_unlock(&current->pi_lock);
}

/* signr: of a stop signal just taken, or 0: another thread began.  True: we slept, and siglock is released. */
static bool do_signal_stop(int signr)
	__no_context_analysis	/* its result says whether siglock was dropped */
{
	bool complete;

	if (!(current->jobctl & JOBCTL_STOP_PENDING) && !begin_group_stop(signr))
		return false;
	/* A tracee stops for its tracer, in do_jobctl_trap(), and takes part in the stop there. */
	if (unlikely(current->ptrace)) {
		task_set_jobctl_pending(current, JOBCTL_TRAP_STOP);
		return false;
	}
	complete = task_participate_group_stop(current);
	set_special_state(TASK_STOPPED);
	spin_unlock_irq(&current->sighand->siglock);
	if (complete) {
		read_lock(&tasklist_lock);
		do_notify_parent_cldstop(current, false, CLD_STOPPED);
		read_unlock(&tasklist_lock);
	}
	cgroup_enter_frozen();
	schedule();
	cgroup_leave_frozen(false);
	return true;
}

/* ---- get_signal ---- */

/* A stop or continue that the parent has not been told of.  True: siglock was dropped. */
static bool report_pending_cld(struct signal_struct *signal, spinlock_t *siglock)
	__no_context_analysis	/* its result says whether siglock was dropped */
{
	int why;

	if (!(signal->flags & SIGNAL_CLD_MASK))
		return false;
	why = signal->flags & SIGNAL_CLD_CONTINUED ? CLD_CONTINUED : CLD_STOPPED;
	signal->flags &= ~SIGNAL_CLD_MASK;
	spin_unlock_irq(siglock);
	read_lock(&tasklist_lock);
	do_notify_parent_cldstop(current, false, why);
	/* A tracer that is not the parent is told as well: it waits for the whole group in the leader. */
	if (ptrace_reparented(current->group_leader))
		do_notify_parent_cldstop(current->group_leader, true, why);
	read_unlock(&tasklist_lock);
	return true;
}

enum verdict { TAKE_NEXT, RUN_HANDLER, KILL, SIGLOCK_DROPPED };

/* What is to be done about signr, which was just taken. */
static enum verdict judge(int signr, struct ksignal *ksig)
	__no_context_analysis	/* its result says whether siglock was dropped */
{
	struct k_sigaction *ka = &current->sighand->action[signr - 1];
	struct signal_struct *signal = current->signal;

	if (ka->sa.sa_handler == SIG_IGN)
		return TAKE_NEXT;
	if (ka->sa.sa_handler != SIG_DFL) {
		ksig->ka = *ka;
		if (ka->sa.sa_flags & SA_ONESHOT)
			ka->sa.sa_handler = SIG_DFL;
		return RUN_HANDLER;
	}
	if (sig_kernel_ignore(signr))
		return TAKE_NEXT;
	if ((signal->flags & SIGNAL_UNKILLABLE) && !sig_kernel_only(signr))
		return TAKE_NEXT;
	if (!sig_kernel_stop(signr))
		return KILL;
	/* In an orphaned group nobody could continue us: only SIGSTOP stops there. */
	if (signr != SIGSTOP) {
		bool orphaned;

		spin_unlock_irq(&current->sighand->siglock);
		orphaned = is_current_pgrp_orphaned();
		if (orphaned)
			return SIGLOCK_DROPPED;
		spin_lock_irq(&current->sighand->siglock);
	}
	return do_signal_stop(signr) ? SIGLOCK_DROPPED : TAKE_NEXT;
}

/* 0: nothing pending; -1: there was one, but the tracer ate it. */
static int take_signal(struct ksignal *ksig) __must_hold(&current->sighand->siglock)
{
	enum pid_type type = PIDTYPE_PID;
	int signr = dequeue_synchronous_signal(&ksig->info);

	if (!signr)
		signr = dequeue_signal(current, &current->blocked, &ksig->info, &type);
	if (unlikely(current->ptrace) && signr && signr != SIGKILL) {
		signr = ptrace_signal(signr, &ksig->info, type);
		return signr ? signr : -1;
	}
	return signr;
}

static void __noreturn die_of(int signr, const kernel_siginfo_t *info)
{
	current->flags |= PF_SIGNALED;
	if (sig_kernel_coredump(signr) && signr != SIGQUIT && signr != SIGABRT)
		printk(KERN_DEBUG "%s[%d]: signal %d at %lx\n", current->comm, current->pid, signr,
		       instruction_pointer(current_pt_regs()));
	if (sig_kernel_coredump(signr) && info && do_coredump(info))
		signr |= 0x80;
	do_group_exit(signr);
}

bool get_signal(struct ksignal *ksig)
	__no_context_analysis	/* the three above */
{
	struct sighand_struct *sighand = current->sighand;
	struct signal_struct *signal = current->signal;
	enum verdict verdict;
	int signr;

	clear_thread_flag(TIF_NOTIFY_SIGNAL);
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(current->task_works)))
		task_work_run();
	if (!task_sigpending(current))
		return false;
relock:
	spin_lock_irq(&sighand->siglock);
	if (report_pending_cld(signal, &sighand->siglock))
		goto relock;
	do {
		/* The whole group goes, or all threads but the one in execve: whatever else is pending does not matter. */
		if ((signal->flags & SIGNAL_GROUP_EXIT) || signal->group_exec_task) {
			sigdelset(&current->pending.signal, SIGKILL);
			recalc_sigpending();
			spin_unlock_irq(&sighand->siglock);
			die_of(SIGKILL, NULL);
		}
		if ((current->jobctl & JOBCTL_STOP_PENDING) && do_signal_stop(0))
			goto relock;
		if (unlikely(current->jobctl & JOBCTL_TRAP_MASK)) {
			do_jobctl_trap();
			spin_unlock_irq(&sighand->siglock);
			goto relock;
		}
		if (unlikely(current->jobctl & JOBCTL_TRAP_FREEZE)) {
			cgroup_freezer_trap();
			goto relock;
		}
		if (unlikely(current->cgroup_frozen)) {
			spin_unlock_irq(&sighand->siglock);
			cgroup_leave_frozen(true);
			goto relock;
		}
		signr = take_signal(ksig);
		if (!signr)
			break;
		verdict = TAKE_NEXT;
		if (signr < 0)
			continue;
		trace_signal_deliver(signr, current->pid,
				     (unsigned long)sighand->action[signr - 1].sa.sa_handler);
		verdict = judge(signr, ksig);
		if (verdict == SIGLOCK_DROPPED)
			goto relock;
	} while (verdict == TAKE_NEXT);
	spin_unlock_irq(&sighand->siglock);

	if (signr && verdict == KILL)
		die_of(signr, &ksig->info);
	ksig->sig = signr;
	return signr > 0;
}

/* The frame is on the stack: mask what the handler wants masked.  failed: it is not, and that is fatal. */
void signal_setup_done(int failed, struct ksignal *ksig, int stepping)
{
	sigset_t blocked;

	if (failed) {
		force_sigsegv(ksig->sig);
		return;
	}
	clear_restore_sigmask();
	sigorsets(&blocked, &current->blocked, &ksig->ka.sa.sa_mask);
	if (!(ksig->ka.sa.sa_flags & SA_NODEFER))
		sigaddset(&blocked, ksig->sig);
	set_current_blocked(&blocked);
	if (current->sas_ss_flags & SS_AUTODISARM)
		sas_ss_reset(current);
}

/* ---- leaving ---- */

/* Signals of the group that tsk would have taken: wake others that may.  siglock held. */
void retarget_shared_pending(struct task_struct *tsk, const sigset_t *which)
{
	sigset_t retarget;
	struct task_struct *t;

	sigandsets(&retarget, &tsk->signal->shared_pending.signal, which);
	if (sigisemptyset(&retarget))
		return;
	for (t = next_thread(tsk); t != tsk; t = next_thread(t)) {
		if ((t->flags & PF_EXITING) || !(retarget.sig[0] & ~t->blocked.sig[0]))
			continue;
		/* What t can take it will; the rest looks for another. */
		sigandsets(&retarget, &retarget, &t->blocked);
		if (!task_sigpending(t))
			signal_wake_up(t, false);
		if (sigisemptyset(&retarget))
			break;
	}
}

void exit_signals(struct task_struct *tsk)
{
	bool stop_complete = false;
	sigset_t unblocked;

	if (thread_group_empty(tsk) || (READ_ONCE(tsk->signal->flags) & SIGNAL_GROUP_EXIT)) {
		tsk->flags |= PF_EXITING;
		return;
	}
	spin_lock_irq(&tsk->sighand->siglock);
	tsk->flags |= PF_EXITING;	/* from now on nobody chooses us */
	if (task_sigpending(tsk)) {
		unblocked = tsk->blocked;
		signotset(&unblocked);
		retarget_shared_pending(tsk, &unblocked);
		if (tsk->jobctl & JOBCTL_STOP_PENDING)
			stop_complete = task_participate_group_stop(tsk);
	}
	spin_unlock_irq(&tsk->sighand->siglock);
	if (stop_complete) {
		read_lock(&tasklist_lock);
		do_notify_parent_cldstop(tsk, false, CLD_STOPPED);
		read_unlock(&tasklist_lock);
	}
}

/* ---- telling the parent ---- */

static void child_info(kernel_siginfo_t *info, struct task_struct *tsk, struct task_struct *parent, int sig)
{
	clear_siginfo(info);
	info->si_signo = sig;
	rcu_read_lock();
	info->si_pid = task_pid_nr_ns(tsk, task_active_pid_ns(parent));
	info->si_uid = from_kuid_munged(__task_cred(parent)->user_ns, task_uid(tsk));
	rcu_read_unlock();
	info->_sifields._sigchld._utime = (long)nsec_to_clock_t(tsk->utime + tsk->signal->utime);
	info->_sifields._sigchld._stime = (long)nsec_to_clock_t(tsk->stime + tsk->signal->stime);
}

bool do_notify_parent(struct task_struct *tsk, int sig)
{
	struct task_struct *parent = tsk->parent;
	struct sighand_struct *psig = parent->sighand;
	bool autoreap = false;
	kernel_siginfo_t info;
	unsigned long flags;

	WARN_ON_ONCE(sig == -1 || (!tsk->ptrace && (tsk->group_leader != tsk || !thread_group_empty(tsk))));
	do_notify_pidfd(tsk);
	/* The program that chose the signal may have become another one by execve: that gets the usual. */
	if (sig != SIGCHLD && tsk->parent_exec_id != READ_ONCE(parent->self_exec_id))
		sig = SIGCHLD;

	child_info(&info, tsk, parent, sig);
	info.si_status = tsk->exit_code & 0x7f;
	if (tsk->exit_code & 0x80)
		info.si_code = CLD_DUMPED;
	else if (tsk->exit_code & 0x7f)
		info.si_code = CLD_KILLED;
	else {
		info.si_code = CLD_EXITED;
		info.si_status = tsk->exit_code >> 8;
	}

	spin_lock_irqsave(&psig->siglock, flags);
	if (!tsk->ptrace && sig == SIGCHLD) {
		struct sigaction *sa = &psig->action[SIGCHLD - 1].sa;

		/* POSIX: whoever ignores SIGCHLD, or says so, has no zombies; its wait4 ends when the last child has. */
		autoreap = sa->sa_handler == SIG_IGN || (sa->sa_flags & SA_NOCLDWAIT);
		if (sa->sa_handler == SIG_IGN)
			sig = 0;
	}
	if (valid_signal((unsigned long)sig) && sig)
		__send_signal_locked(sig, &info, parent, PIDTYPE_TGID, false);
	__wake_up_parent(tsk, parent);
	spin_unlock_irqrestore(&psig->siglock, flags);
	return autoreap;
}

/* why: CLD_STOPPED, CLD_CONTINUED, CLD_TRAPPED.  The tracer is told of tsk, the parent of its group.  tasklist_lock held. */
void do_notify_parent_cldstop(struct task_struct *tsk, bool for_ptracer, int why)
{
	struct task_struct *whom = for_ptracer ? tsk : tsk->group_leader;
	struct task_struct *parent = for_ptracer ? tsk->parent : whom->real_parent;
	struct sighand_struct *sighand = parent->sighand;
	kernel_siginfo_t info;
	unsigned long flags;

	child_info(&info, whom, parent, SIGCHLD);
	info.si_code = why;
	info.si_status = why == CLD_CONTINUED ? SIGCONT :
			 (why == CLD_TRAPPED ? whom->exit_code : whom->signal->group_exit_code) & 0x7f;

	spin_lock_irqsave(&sighand->siglock, flags);
	if (sighand->action[SIGCHLD - 1].sa.sa_handler != SIG_IGN &&
	    !(sighand->action[SIGCHLD - 1].sa.sa_flags & SA_NOCLDSTOP))
		send_signal_locked(SIGCHLD, &info, parent, PIDTYPE_TGID);
	/* wait4 wants to know even when the signal is not wanted. */
	__wake_up_parent(whom, parent);
	spin_unlock_irqrestore(&sighand->siglock, flags);
}
