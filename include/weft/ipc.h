/*
 * ipc.h: what kernel/ipc shows to the rest: the part of a task that System V semaphores need.
 */
#ifndef WEFT_IPC_H
#define WEFT_IPC_H

#include <weft/types.h>

struct task_struct;

/* clone: the new task shares the caller's list of SEM_UNDO adjustments (CLONE_SYSVSEM) or starts without.  0, -ENOMEM. */
int copy_semundo(u64 clone_flags, struct task_struct *tsk);
/* tsk leaves its list; the last one to leave has its adjustments applied.  tsk is the running or a half-made task. */
void exit_sem(struct task_struct *tsk);

#endif
