/*
 * signal.h: sending, taking and waiting for signals; job control.
 *
 * Idea:    a signal is a bit in a set: the thread's own (task->pending) or the group's (signal->shared_pending), with an
 *          optional sigqueue for its details.  Sending sets the bit, picks a thread that may take it, marks it with
 *          TIF_SIGPENDING and wakes it; the thread takes it on its way to user mode (get_signal()).
 * Locking: sighand->siglock (interrupts off) guards all of it; lock_task_sighand() for another task.
 * See:     kernel/task/signal.c (send), signal_take.c (take, stop), signal_sys.c (system calls)
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/types.h>
#include <weft/sched.h>
#include <weft/signal_types.h>
#include <weft/errno.h>

struct file;

/* signal_struct.flags [siglock] */
#define SIGNAL_STOP_STOPPED	0x01	/* the group stop is complete */
#define SIGNAL_STOP_CONTINUED	0x02	/* SIGCONT came: wait4 may report it */
#define SIGNAL_GROUP_EXIT	0x04	/* all threads go: exit_group or a fatal signal */
#define SIGNAL_CLD_STOPPED	0x10	/* the parent has still to be told of the stop ... */
#define SIGNAL_CLD_CONTINUED	0x20	/* ... or of the continuation */
#define SIGNAL_CLD_MASK		(SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED)
#define SIGNAL_UNKILLABLE	0x40	/* init: signals without a handler are dropped */
#define SIGNAL_STOP_MASK	(SIGNAL_CLD_MASK | SIGNAL_STOP_STOPPED | SIGNAL_STOP_CONTINUED)

/* task_struct.jobctl [siglock] */
#define JOBCTL_STOP_SIGMASK	0xffff		/* signal that began the stop */
#define JOBCTL_STOP_DEQUEUED	(1UL << 16)	/* a stop signal was taken; SIGCONT clears it */
#define JOBCTL_STOP_PENDING	(1UL << 17)	/* has to stop for the group stop */
#define JOBCTL_STOP_CONSUME	(1UL << 18)	/* counted in group_stop_count until it stops */
#define JOBCTL_TRAP_STOP	(1UL << 19)	/* has to stop for its tracer */
#define JOBCTL_TRAP_NOTIFY	(1UL << 20)	/* ... because the group stop began or ended */
#define JOBCTL_TRAPPING_BIT	21
#define JOBCTL_TRAPPING		(1UL << JOBCTL_TRAPPING_BIT)	/* from stopped to traced: PTRACE_ATTACH waits for it */
#define JOBCTL_LISTENING	(1UL << 22)	/* PTRACE_LISTEN: traced, but events of the group wake it */
#define JOBCTL_PTRACE_FROZEN	(1UL << 23)	/* the tracer works on it: not even SIGKILL wakes it */
#define JOBCTL_TRAP_FREEZE	(1UL << 24)	/* its control group is to be frozen */
#define JOBCTL_TRAP_MASK	(JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY)
#define JOBCTL_PENDING_MASK	(JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK)

/* What may stand for the details of a signal instead of a pointer to them. */
#define SEND_SIG_NOINFO		((struct kernel_siginfo *)0)	/* SI_USER from the running task */
#define SEND_SIG_PRIV		((struct kernel_siginfo *)1)	/* SI_KERNEL */
static inline bool is_si_special(const struct kernel_siginfo *info) { return (unsigned long)info <= 1; }

/* ---- sets ---- */
#define sigmask(sig)		(1UL << ((sig) - 1))
static inline void sigaddset(sigset_t *set, int sig) { set->sig[0] |= sigmask(sig); }
static inline void sigdelset(sigset_t *set, int sig) { set->sig[0] &= ~sigmask(sig); }
static inline int sigismember(const sigset_t *set, int sig) { return (int)(set->sig[0] >> (sig - 1)) & 1; }
static inline bool sigisemptyset(const sigset_t *set) { return set->sig[0] == 0; }
static inline void sigemptyset(sigset_t *set) { set->sig[0] = 0; }
static inline void sigfillset(sigset_t *set) { set->sig[0] = ~0UL; }
static inline void sigorsets(sigset_t *r, const sigset_t *a, const sigset_t *b) { r->sig[0] = a->sig[0] | b->sig[0]; }
static inline void sigandsets(sigset_t *r, const sigset_t *a, const sigset_t *b) { r->sig[0] = a->sig[0] & b->sig[0]; }
static inline void sigandnsets(sigset_t *r, const sigset_t *a, const sigset_t *b) { r->sig[0] = a->sig[0] & ~b->sig[0]; }
static inline bool sigequalsets(const sigset_t *a, const sigset_t *b) { return a->sig[0] == b->sig[0]; }
static inline void signotset(sigset_t *set) { set->sig[0] = ~set->sig[0]; }
static inline void sigaddsetmask(sigset_t *set, unsigned long mask) { set->sig[0] |= mask; }
static inline void sigdelsetmask(sigset_t *set, unsigned long mask) { set->sig[0] &= ~mask; }
static inline void siginitset(sigset_t *set, unsigned long mask) { set->sig[0] = mask; }
static inline void siginitsetinv(sigset_t *set, unsigned long mask) { set->sig[0] = ~mask; }
static inline bool valid_signal(unsigned long sig) { return sig <= _NSIG; }

/* What the default action of a signal is. */
#define SIG_KERNEL_ONLY_MASK	(sigmask(SIGKILL) | sigmask(SIGSTOP))
#define SIG_KERNEL_STOP_MASK	(sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define SIG_KERNEL_COREDUMP_MASK (sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) | \
	sigmask(SIGFPE) | sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGSYS) | sigmask(SIGXCPU) | sigmask(SIGXFSZ))
#define SIG_KERNEL_IGNORE_MASK	(sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG))
#define SYNCHRONOUS_MASK	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) | \
	sigmask(SIGFPE) | sigmask(SIGSYS))
#define sig_in(sig, mask)	((sigmask(sig) & (mask)) != 0)
#define sig_kernel_only(sig)	sig_in(sig, SIG_KERNEL_ONLY_MASK)
#define sig_kernel_stop(sig)	sig_in(sig, SIG_KERNEL_STOP_MASK)
#define sig_kernel_coredump(sig) sig_in(sig, SIG_KERNEL_COREDUMP_MASK)
#define sig_kernel_ignore(sig)	sig_in(sig, SIG_KERNEL_IGNORE_MASK)
static inline bool sig_fatal(struct task_struct *t, int sig)
{
	return !sig_in(sig, SIG_KERNEL_IGNORE_MASK | SIG_KERNEL_STOP_MASK) &&
	       t->sighand->action[sig - 1].sa.sa_handler == SIG_DFL;
}

static inline void init_sigpending(struct sigpending *sig)
{
	sigemptyset(&sig->signal);
	INIT_LIST_HEAD(&sig->list);
}
static inline void clear_siginfo(kernel_siginfo_t *info) { *info = (kernel_siginfo_t){ 0 }; }

/* ---- is there something for me?  Any context ---- */
static inline bool task_sigpending(struct task_struct *p) { return test_tsk_thread_flag(p, TIF_SIGPENDING); }
static inline bool signal_pending(struct task_struct *p)
{
	return (READ_ONCE(task_thread_info(p)->flags) & (_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL)) != 0;
}
static inline bool __fatal_signal_pending(struct task_struct *p) { return sigismember(&p->pending.signal, SIGKILL); }
static inline bool fatal_signal_pending(struct task_struct *p) { return task_sigpending(p) && __fatal_signal_pending(p); }
static inline bool signal_pending_state(unsigned int state, struct task_struct *p)
{
	if (!(state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL)))
		return false;
	if (!signal_pending(p))
		return false;
	return (state & TASK_INTERRUPTIBLE) || __fatal_signal_pending(p);
}
void recalc_sigpending(void);			/* siglock held */
void recalc_sigpending_and_wake(struct task_struct *t);
void calculate_sigpending(void);
unsigned long task_sigpending_count(struct task_struct *p);	/* queued for p's user: "SigQ" */

/* The other task's siglock, if it still has signals: NULL and nothing locked for a task past exit. */
struct sighand_struct *lock_task_sighand(struct task_struct *task, unsigned long *flags)
	__cond_acquires(true, &task->sighand->siglock);
static inline void unlock_task_sighand(struct task_struct *task, unsigned long *flags)
	__releases(&task->sighand->siglock)
{
	spin_unlock_irqrestore(&task->sighand->siglock, *flags);
}

/* ---- sending.  Any context that may take siglock (not under rq or pi locks).  0 or -errno ---- */
int send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *p);
int send_sig(int sig, struct task_struct *p, int priv);		/* to the thread */
int do_send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *p, enum pid_type type);
int send_signal_locked(int sig, struct kernel_siginfo *info, struct task_struct *t, enum pid_type type);	/* siglock */
/* checks rights */
int group_send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *p, enum pid_type type);
int kill_pid_info(int sig, struct kernel_siginfo *info, struct pid *pid);
int kill_pid(struct pid *pid, int sig, int priv);
int kill_pgrp(struct pid *pgrp, int sig, int priv);
int __kill_pgrp_info(int sig, struct kernel_siginfo *info, struct pid *pgrp);	/* tasklist_lock held */
/* From a fault: cannot be blocked or ignored.  Running task unless said. */
void force_sig(int sig);
void force_fatal_sig(int sig);
void force_exit_sig(int sig);
void force_sigsegv(int sig);			/* the frame of `sig` could not be made */
int force_sig_fault(int sig, int code, void __user *addr);
int force_sig_fault_to_task(int sig, int code, void __user *addr, struct task_struct *t);
int send_sig_fault(int sig, int code, void __user *addr, struct task_struct *t);
int force_sig_info(struct kernel_siginfo *info);
int force_fatal_sig_info(struct kernel_siginfo *info);	/* no handler may take it */
int zap_other_threads(struct task_struct *p);	/* siglock: SIGKILL to all threads of the group but p; how many */
struct sigqueue *sigqueue_alloc(void);		/* for a timer; may sleep; NULL */
void sigqueue_free(struct sigqueue *q);
int send_sigqueue(struct sigqueue *q, struct pid *pid, enum pid_type type);	/* 1: it was queued already or ignored */
void flush_sigqueue(struct sigpending *queue);
void flush_signals(struct task_struct *t);
void flush_signal_handlers(struct task_struct *t, int force_default);
void flush_itimer_signals(void);
void ignore_signals(struct task_struct *t);
bool unhandled_signal(struct task_struct *tsk, int sig);
bool sig_task_ignored(struct task_struct *t, int sig, bool force);
void signal_wake_up_state(struct task_struct *t, unsigned int state);	/* siglock */
static inline void signal_wake_up(struct task_struct *t, bool fatal)
{
	signal_wake_up_state(t, !fatal ? 0 : t->jobctl & JOBCTL_PTRACE_FROZEN ? TASK_WAKEKILL :
				TASK_WAKEKILL | __TASK_TRACED);
}
void signalfd_notify(struct task_struct *tsk, int sig);	/* wakes sighand->signalfd_wqh */
void signalfd_cleanup(struct sighand_struct *sighand);	/* the handlers go: pollers must let go of the queue head */

/* ---- taking ---- */
/* siglock held.  The next signal not in mask, 0 if none.  *type tells from which queue. */
int dequeue_signal(struct task_struct *tsk, sigset_t *mask, kernel_siginfo_t *info, enum pid_type *type);
bool get_signal(struct ksignal *ksig);		/* on the way to user mode; true: run a handler.  May not return */
void signal_setup_done(int failed, struct ksignal *ksig, int stepping);
bool is_current_pgrp_orphaned(void);		/* task/exit.c: nobody could continue the running group if it stopped */
void exit_signals(struct task_struct *tsk);	/* PF_EXITING: signals for the group go to others from now on */
bool do_notify_parent(struct task_struct *tsk, int sig);	/* tasklist_lock for writing; true: nobody will wait */
void do_notify_parent_cldstop(struct task_struct *tsk, bool for_ptracer, int why);
void __wake_up_parent(struct task_struct *p, struct task_struct *parent);
void task_clear_jobctl_pending(struct task_struct *task, unsigned long mask);
bool task_set_jobctl_pending(struct task_struct *task, unsigned long mask);
void task_clear_jobctl_trapping(struct task_struct *task);
void set_special_state(unsigned int state);
void task_join_group_stop(struct task_struct *task);	/* a new thread of a group that stops */

/* ---- masks ---- */
void __set_current_blocked(const sigset_t *set);
void set_current_blocked(sigset_t *set);	/* SIGKILL and SIGSTOP are taken out */
int sigprocmask(int how, sigset_t *set, sigset_t *oldset);
/* For ppoll and its like: a mask for the time of the call.  0, -EFAULT, -EINVAL */
int set_user_sigmask(const sigset_t __user *umask, size_t sigsetsize);
void restore_saved_sigmask_unless(bool interrupted);
static inline void set_restore_sigmask(void) { set_thread_flag(TIF_RESTORE_SIGMASK); }
static inline void clear_restore_sigmask(void) { clear_thread_flag(TIF_RESTORE_SIGMASK); }
static inline bool test_restore_sigmask(void) { return test_thread_flag(TIF_RESTORE_SIGMASK); }
static inline bool test_and_clear_restore_sigmask(void) { return test_and_clear_thread_flag(TIF_RESTORE_SIGMASK); }
static inline void restore_saved_sigmask(void)
{
	if (test_and_clear_restore_sigmask())
		__set_current_blocked(&current->saved_sigmask);
}
static inline sigset_t *sigmask_to_save(void)
{
	return test_restore_sigmask() ? &current->saved_sigmask : &current->blocked;
}
int do_sigaction(int sig, struct k_sigaction *act, struct k_sigaction *oact);
void do_sigpending(sigset_t *set);
long sigsuspend(sigset_t *set);			/* -ERESTARTNOHAND, when a signal came */

/* ---- user memory.  0 or -EFAULT ---- */
int copy_siginfo_to_user(siginfo_t __user *to, const kernel_siginfo_t *from);
int copy_siginfo_from_user(kernel_siginfo_t *to, const siginfo_t __user *from);
int copy_siginfo_to_user64(siginfo_t __user *to, const kernel_siginfo_t *from);
struct compat_siginfo;
void siginfo_to_compat(struct compat_siginfo *to, const kernel_siginfo_t *from);
int copy_siginfo_to_user32(struct compat_siginfo __user *to, const kernel_siginfo_t *from);
int copy_siginfo_from_user32(kernel_siginfo_t *to, const struct compat_siginfo __user *from);
int restore_altstack(const stack_t __user *uss);
int __save_altstack(stack_t __user *uss, unsigned long sp);

/* ---- the alternate stack ---- */
static inline int __on_sig_stack(unsigned long sp)
{
	return sp > current->sas_ss_sp && sp - current->sas_ss_sp <= current->sas_ss_size;
}
static inline int on_sig_stack(unsigned long sp)
{
	return (current->sas_ss_flags & SS_AUTODISARM) ? 0 : __on_sig_stack(sp);
}
static inline int sas_ss_flags(unsigned long sp)
{
	if (!current->sas_ss_size)
		return SS_DISABLE;
	return on_sig_stack(sp) ? SS_ONSTACK : 0;
}
static inline void sas_ss_reset(struct task_struct *p)
{
	p->sas_ss_sp = 0;
	p->sas_ss_size = 0;
	p->sas_ss_flags = SS_DISABLE;
}
/* Where the handler's stack begins: sp, or the top of the alternate stack. */
static inline unsigned long sigsp(unsigned long sp, struct ksignal *ksig)
{
	if ((ksig->ka.sa.sa_flags & SA_ONSTACK) && !sas_ss_flags(sp))
		return current->sas_ss_sp + current->sas_ss_size;
	return sp;
}

/* ---- restart: fn runs when restart_syscall(2) is called ---- */
static inline long set_restart_fn(struct restart_block *restart, long (*fn)(struct restart_block *))
{
	restart->fn = fn;
	restart->arch_data = current_thread_info()->status;
	return -ERESTART_RESTARTBLOCK;
}
long do_no_restart_syscall(struct restart_block *param);	/* -EINTR */

extern struct signal_struct init_signals;
extern struct sighand_struct init_sighand;
void __cleanup_sighand(struct sighand_struct *sighand);
void signals_init(void);

#endif
