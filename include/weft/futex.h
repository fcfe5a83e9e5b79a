/*
 * futex.h: what the life of a task has to do with futexes.  See kernel/task/futex.c, futex_robust.c.
 */
#ifndef WEFT_FUTEX_H
#define WEFT_FUTEX_H

#include <weft/types.h>
#include <weft/ktime.h>
#include <uapi/futex.h>

struct task_struct;

/* The kernel function behind futex(2).  timeout: absolute for the clock that op names, NULL for ever. */
long do_futex(u32 __user *uaddr, int op, u32 val, ktime_t *timeout, u32 __user *uaddr2, u32 val2, u32 val3);

void futex_init_task(struct task_struct *tsk);	/* fork: nothing is inherited */
void futex_exit_release(struct task_struct *tsk);	/* exit: robust futexes are marked and their waiters woken */
void futex_exec_release(struct task_struct *tsk);
void futex_exit_recursive(struct task_struct *tsk);	/* a fault during the above */

#endif
