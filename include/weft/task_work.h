/*
 * task_work.h: "do this on my way back to user mode", for work that must not be done where it arises (the last fput()
 * under a lock) but before the program can notice.
 *
 * Context: task_work_add(): any, also for another task.  The functions run in the task's own context, without locks,
 *          and may sleep.
 */
#ifndef WEFT_TASK_WORK_H
#define WEFT_TASK_WORK_H

#include <weft/types.h>

struct task_struct;
struct pt_regs;

typedef void (*task_work_func_t)(struct callback_head *);

enum task_work_notify_mode {
	TWA_NONE,		/* whenever it goes to user mode for another reason */
	TWA_RESUME,		/* at the next return to user mode */
	TWA_SIGNAL,		/* and break interruptible waits */
};

static inline void init_task_work(struct callback_head *twork, task_work_func_t func)
{
	twork->func = func;
}
/* 0, or -ESRCH when the task exits and will run nothing more. */
int task_work_add(struct task_struct *task, struct callback_head *twork, enum task_work_notify_mode mode);
void task_work_run(void);
void exit_task_work(struct task_struct *task);

/* From the entry code, interrupts on: TIF_NOTIFY_RESUME was set. */
void resume_user_mode_work(struct pt_regs *regs);

#endif
