/*
 * thread_info.h: the small structure at the low end of every kernel stack.
 *
 * What:    thread_info (task, flags, cpu) and the TIF_* flags, the only part of a task that the entry code reads.
 * Idea:    a kernel stack is THREAD_SIZE bytes, aligned to its size, so masking the stack pointer gives the thread_info.
 *          Interrupts and exceptions run on the stack of the task they interrupt; only #DF, NMI and #MC have stacks of
 *          their own, and their handlers must use task_thread_info(current).
 * Locking: flags are atomic bits: any CPU may set one; the owner looks at them with interrupts off on its way out.
 * See:     spec.md §3 "thread_info and kernel stack"; kernel/arch/x86/entry/entry_64.S
 */
#ifndef ASM_THREAD_INFO_H
#define ASM_THREAD_INFO_H

#ifdef CONFIG_DEBUG
#define THREAD_SIZE_ORDER	3
#else
#define THREAD_SIZE_ORDER	2
#endif
#define THREAD_SIZE		(4096 << THREAD_SIZE_ORDER)

/* Bit numbers in thread_info->flags. */
#define TIF_SYSCALL_TRACE	0	/* ptrace wants to see system calls */
#define TIF_NOTIFY_RESUME	1	/* task_work and rseq before going back to user mode */
#define TIF_SIGPENDING		2	/* a signal may be deliverable */
#define TIF_NEED_RESCHED	3	/* schedule() before going on */
#define TIF_SINGLESTEP		4
#define TIF_NOTIFY_SIGNAL	5	/* like a signal: breaks waits, but only task_work is run */
#define TIF_UPROBE		6
#define TIF_MEMDIE		7	/* chosen by the OOM killer */
#define TIF_RESTORE_SIGMASK	8	/* put saved_sigmask back when no handler ran */
#define TIF_NEED_FPU_LOAD	9	/* the FPU registers are not this task's: load them before user mode */
#define TIF_SECCOMP		10
#define TIF_ADDR32		11	/* a 32-bit program: 4 GiB of address space */
#define TIF_POLLING_NRFLAG	12	/* the idle loop looks at TIF_NEED_RESCHED itself: no interrupt needed */
#define TIF_SYSCALL_TRACEPOINT	13	/* the syscall trace events are on */
#define TIF_NOTSC		14
#define TIF_FORCED_TF		15	/* the trap flag is the tracer's, not the program's */
#define TIF_SYSCALL_EMU		16	/* ptrace: report system calls but do not make them */

/* thread_info->status: of the running system call. */
#define TS_COMPAT		1	/* it came by int 0x80: in_compat_syscall() */
#define TS_TIME32		2	/* its times have 32 bits: in_time32_syscall() */

#define _TIF_SYSCALL_TRACE	(1 << TIF_SYSCALL_TRACE)
#define _TIF_NOTIFY_RESUME	(1 << TIF_NOTIFY_RESUME)
#define _TIF_SIGPENDING		(1 << TIF_SIGPENDING)
#define _TIF_NEED_RESCHED	(1 << TIF_NEED_RESCHED)
#define _TIF_SINGLESTEP		(1 << TIF_SINGLESTEP)
#define _TIF_NOTIFY_SIGNAL	(1 << TIF_NOTIFY_SIGNAL)
#define _TIF_NEED_FPU_LOAD	(1 << TIF_NEED_FPU_LOAD)
#define _TIF_SECCOMP		(1 << TIF_SECCOMP)
#define _TIF_POLLING_NRFLAG	(1 << TIF_POLLING_NRFLAG)
#define _TIF_SYSCALL_TRACEPOINT	(1 << TIF_SYSCALL_TRACEPOINT)
#define _TIF_SYSCALL_EMU	(1 << TIF_SYSCALL_EMU)

/* What sends a system call through the slow path, on the way in and out. */
#define _TIF_SYSCALL_WATCHED	(_TIF_SYSCALL_TRACE | _TIF_SYSCALL_TRACEPOINT | _TIF_SYSCALL_EMU)
/* ... on the way in: a sandbox has its say there and not again. */
#define _TIF_SYSCALL_WORK	(_TIF_SYSCALL_WATCHED | _TIF_SECCOMP)
/* ... and on the way out: a step over `syscall` ends there. */
#define _TIF_SYSCALL_EXIT_WORK	(_TIF_SYSCALL_WATCHED | _TIF_SINGLESTEP)
/* What must be done, with interrupts on, before user mode. */
#define _TIF_USER_WORK		(_TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME)
/* All that keeps the entry code from returning at once. */
#define _TIF_EXIT_WORK		(_TIF_USER_WORK | _TIF_NEED_FPU_LOAD)

/* Offsets for assembly, asserted in kernel/arch/x86/kernel/process.c. */
#define TI_flags		8

#ifndef __ASSEMBLY__
#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/barrier.h>
#include <asm/bitops.h>

struct task_struct;

struct thread_info {
	struct task_struct	*task;		/* [I] whose stack this is */
	unsigned long		flags;		/* [a] TIF_* */
	u32			status;		/* [o] TS_* */
	u32			cpu;		/* [c] on which it last ran */
	unsigned long		canary;		/* STACK_END_MAGIC: a stack that ran over is seen at the next switch */
};

#define STACK_END_MAGIC		0x57ef57ac57ac57efUL

/* The boot processor's first stack, later that of its idle task (pid 0). */
extern unsigned char init_stack[THREAD_SIZE];

/* Only on the task's own stack (not in #DF, NMI, #MC): see above. */
static __always_inline struct thread_info *current_thread_info(void)
{
	unsigned long sp;

	asm("mov %%rsp, %0" : "=r" (sp));
	return (struct thread_info *)(sp & ~(THREAD_SIZE - 1UL));
}

#define task_thread_info(t)	((struct thread_info *)(t)->stack)
#define task_stack_page(t)	((void *)(t)->stack)
#define end_of_stack(t)		(&task_thread_info(t)->canary)

static __always_inline void set_ti_thread_flag(struct thread_info *ti, int flag) { set_bit(flag, &ti->flags); }
static __always_inline void clear_ti_thread_flag(struct thread_info *ti, int flag) { clear_bit(flag, &ti->flags); }
static __always_inline bool test_ti_thread_flag(struct thread_info *ti, int flag)
{
	return (*(volatile unsigned long *)&ti->flags >> flag) & 1;
}
static __always_inline bool test_and_set_ti_thread_flag(struct thread_info *ti, int flag)
{
	return test_and_set_bit(flag, &ti->flags);
}
static __always_inline bool test_and_clear_ti_thread_flag(struct thread_info *ti, int flag)
{
	return test_and_clear_bit(flag, &ti->flags);
}

#define read_thread_flags()		(*(volatile unsigned long *)&current_thread_info()->flags)
#define set_thread_flag(f)		set_ti_thread_flag(current_thread_info(), f)
#define clear_thread_flag(f)		clear_ti_thread_flag(current_thread_info(), f)
#define test_thread_flag(f)		test_ti_thread_flag(current_thread_info(), f)
#define test_and_set_thread_flag(f)	test_and_set_ti_thread_flag(current_thread_info(), f)
#define test_and_clear_thread_flag(f)	test_and_clear_ti_thread_flag(current_thread_info(), f)
#define set_tsk_thread_flag(t, f)	set_ti_thread_flag(task_thread_info(t), f)
#define clear_tsk_thread_flag(t, f)	clear_ti_thread_flag(task_thread_info(t), f)
#define test_tsk_thread_flag(t, f)	test_ti_thread_flag(task_thread_info(t), f)
#define test_and_set_tsk_thread_flag(t, f)	test_and_set_ti_thread_flag(task_thread_info(t), f)
#define test_and_clear_tsk_thread_flag(t, f)	test_and_clear_ti_thread_flag(task_thread_info(t), f)

#endif /* __ASSEMBLY__ */
#endif
