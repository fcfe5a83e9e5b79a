/*
 * rseq.h: hooks of restartable sequences.  Each marks the task, and the way back to user mode does the work.
 */
#ifndef WEFT_RSEQ_H
#define WEFT_RSEQ_H

#include <weft/sched.h>

struct pt_regs;
struct ksignal;

/* The task was preempted or moved to another CPU: its critical section, if it is in one, must be restarted. */
static inline void rseq_preempt(struct task_struct *t)
{
	if (t->rseq)
		set_tsk_thread_flag(t, TIF_NOTIFY_RESUME);
}
static inline void rseq_migrate(struct task_struct *t) { rseq_preempt(t); }

/* With ksig: before its frame is built, so that the handler returns to the abort address.  May sleep. */
void __rseq_handle_notify_resume(struct ksignal *ksig, struct pt_regs *regs);
static inline void rseq_handle_notify_resume(struct ksignal *ksig, struct pt_regs *regs)
{
	if (current->rseq)
		__rseq_handle_notify_resume(ksig, regs);
}
static inline void rseq_signal_deliver(struct ksignal *ksig, struct pt_regs *regs)
{
	rseq_handle_notify_resume(ksig, regs);
}
/* fork: a thread starts unregistered; a process inherits with the memory, where the parent's CPU number still stands. */
static inline void rseq_fork(struct task_struct *t, unsigned long clone_vm)
{
	if (clone_vm) {
		t->rseq = NULL;
		t->rseq_len = t->rseq_sig = 0;
	}
	rseq_preempt(t);
}
static inline void rseq_execve(struct task_struct *t)
{
	t->rseq = NULL;
	t->rseq_len = t->rseq_sig = 0;
}

#endif
