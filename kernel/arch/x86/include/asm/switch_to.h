/*
 * switch_to.h: from one task's kernel stack to another's.
 *
 * Idea:    __switch_to_asm pushes what C functions preserve, exchanges the stack pointers and jumps to __switch_to(),
 *          which returns on the new stack, to where the next task once called switch_to(), or to ret_from_fork.
 *          `last` is the task we come from when this task runs again: not the prev of the call.
 */
#ifndef ASM_SWITCH_TO_H
#define ASM_SWITCH_TO_H

struct task_struct;

struct inactive_task_frame {			/* what lies at thread.sp of a task that does not run */
	unsigned long r15, r14, r13, r12, bx, bp;
	unsigned long ret_addr;
};

struct task_struct *__switch_to_asm(struct task_struct *prev, struct task_struct *next,
				    unsigned long *prev_sp, unsigned long next_sp);
struct task_struct *__switch_to(struct task_struct *prev, struct task_struct *next);

/* Interrupts off, the run queue's lock held. */
#define switch_to(prev, next, last) \
	((last) = __switch_to_asm((prev), (next), &(prev)->thread.sp, (next)->thread.sp))

#endif
