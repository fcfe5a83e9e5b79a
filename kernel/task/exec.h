/*
 * exec.h: between exec.c and exec_args.c.
 */
#ifndef TASK_EXEC_H
#define TASK_EXEC_H

#include <weft/types.h>
#include <weft/compiler.h>

struct linux_binprm;
struct file;

/* argv or envp, ended by NULL: strings of a program, or (kernel_execve) of the kernel; the one that is not NULL. */
struct arg_list {
	const char __user *const __user *user;
	const char *const *kernel;
};

int bprm_mm_init(struct linux_binprm *bprm);	/* a new address space with one stack area; 0 or -ENOMEM */
/* Counts and copies name, environment and arguments to the new stack.  0, -E2BIG, -EFAULT, -ENOMEM, -ERESTARTNOHAND. */
int copy_args(struct linux_binprm *bprm, struct arg_list argv, struct arg_list envp);
void exec_file_put(struct file *file);		/* of open_exec(); NULL is fine */

#endif
