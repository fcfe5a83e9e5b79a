/*
 * coredump.h: core files, as the rest of the kernel sees them: kernel/task/coredump.c.
 */
#ifndef WEFT_COREDUMP_H
#define WEFT_COREDUMP_H

#include <weft/types.h>

struct task_struct;
struct kernel_siginfo;
struct user_regs_struct;

/* The running task dies of info->si_signo: stops its group and writes the file.  May sleep.  True: there is a core. */
bool do_coredump(const struct kernel_siginfo *info);
/* In do_exit(), before anything is given back: waits while another thread of the group dumps.  siglock held, may drop it. */
void coredump_task_exit(struct task_struct *tsk);
/* arch: of current, or a task that does not run */
void get_user_regs(struct task_struct *tsk, struct user_regs_struct *u);

#endif
