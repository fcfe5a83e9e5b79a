/*
 * stacktrace.h: the return addresses on a kernel stack.
 * See:     kernel/arch/x86/kernel/dumpstack.c
 */
#ifndef WEFT_STACKTRACE_H
#define WEFT_STACKTRACE_H

struct task_struct;

/* Fill at most `size` return addresses, newest first, and return how many.  Of a task that runs elsewhere: none. */
unsigned int stack_trace_save_tsk(struct task_struct *tsk, unsigned long *store, unsigned int size, unsigned int skip);
void show_stack(struct task_struct *task);	/* prints it; NULL is the running task */
void dump_stack(void);

#endif
