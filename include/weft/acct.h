/*
 * acct.h: process accounting, as do_exit() calls it: kernel/task/acct.c.
 */
#ifndef WEFT_ACCT_H
#define WEFT_ACCT_H

#include <weft/types.h>
#include <weft/compiler.h>

struct file;
struct task_struct;

extern struct file *acct_file;
void __acct_process(struct task_struct *tsk, long exitcode);

/* The last thread of a process exits; it still has its memory.  exitcode: as wait(2) gives it.  May sleep. */
static inline void acct_process(struct task_struct *tsk, long exitcode)
{
	if (unlikely(READ_ONCE(acct_file)))
		__acct_process(tsk, exitcode);
}

#endif
