/*
 * asm/syscall.h: the system-call table and its view of pt_regs.
 */
#ifndef ASM_SYSCALL_H
#define ASM_SYSCALL_H

#include <weft/sched.h>
#include <asm/ptrace.h>
#include <asm/thread_info.h>
#include <uapi/ptrace.h>

typedef long (*sys_call_ptr_t)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);

/* Made by tools/gen_syscalls.py from entry/syscall_64.tbl.  Holes hold sys_unimplemented. */
extern const sys_call_ptr_t sys_call_table[];
extern const char *const syscall_names[];		/* NULL for a hole */
extern const unsigned int nr_syscalls;

static inline int syscall_get_nr(const struct pt_regs *regs) { return (int)regs->orig_ax; }
static inline void syscall_set_return_value(struct pt_regs *regs, long err, long val)
{
	regs->ax = (unsigned long)(err ? err : val);
}
/* Of the call that `task` is in: a 32-bit call has its arguments elsewhere, and narrower. */
static inline void syscall_get_arguments(const struct task_struct *task, const struct pt_regs *regs, unsigned long *args)
{
	if (task_thread_info(task)->status & TS_COMPAT) {
		args[0] = (u32)regs->bx;
		args[1] = (u32)regs->cx;
		args[2] = (u32)regs->dx;
		args[3] = (u32)regs->si;
		args[4] = (u32)regs->di;
		args[5] = (u32)regs->bp;
		return;
	}
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* Whose numbers and registers the task's call follows, as audit and seccomp name it. */
static inline u32 syscall_get_arch(const struct task_struct *task)
{
	return task_thread_info(task)->status & TS_COMPAT ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
}

/* Sends all tasks through syscall_trace_enter() and trace_sys_exit(), or no longer. */
void syscall_trace_switch(bool on);

/* How often each missing call was made, for /proc/weft/unimplemented: index = number, the last = all above. */
unsigned long unimplemented_count(unsigned int nr);

#endif
