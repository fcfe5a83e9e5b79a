/*
 * seccomp.h: what the rest of the kernel knows of seccomp: the look at each system call, fork, exit, prctl.
 *
 * Idea:    TIF_SECCOMP sends a task's system calls through the slow path of entry, so that other tasks pay nothing.
 * See:     seccomp(2); kernel/seccomp/
 */
#ifndef WEFT_SECCOMP_H
#define WEFT_SECCOMP_H

#include <weft/types.h>
#include <weft/sched.h>

struct pt_regs;
struct task_struct;

/* From entry, before the call of regs->orig_ax.  False: it is not to be made, ax holds the result; or the task dies. */
bool __secure_computing(struct pt_regs *regs);
bool seccomp_passes(struct pt_regs *regs);	/* entry_64.S: true: the call may be made, and that is all there is to it */
static inline bool secure_computing(struct pt_regs *regs)
{
	return likely(!test_thread_flag(TIF_SECCOMP)) || __secure_computing(regs);
}

void copy_seccomp(struct task_struct *p);	/* fork: p gets what current has.  siglock of current; cannot fail */
void exit_seccomp(struct task_struct *tsk);	/* tsk makes no call any more.  May sleep */
/* ptrace(2): a task's filters, counted from the oldest. */
long seccomp_get_filter(struct task_struct *task, unsigned long nr, void __user *to);	/* instructions; -errno */
long seccomp_get_metadata(struct task_struct *task, unsigned long size, void __user *data);
long prctl_set_seccomp(unsigned long mode, void __user *filter);

#endif
