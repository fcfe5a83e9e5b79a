/*
 * asm/syscall.h: the system-call table and its view of pt_regs.
 */
#ifndef ASM_SYSCALL_H
#define ASM_SYSCALL_H

#include <asm/ptrace.h>
#include <uapi/ptrace.h>

typedef long (*sys_call_ptr_t)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);

/* Made by tools/gen_syscalls.py from entry/syscall_64.tbl.  Holes hold sys_unimplemented. */
extern const sys_call_ptr_t sys_call_table[];
extern const char *const syscall_names[];		/* NULL for a hole */
extern const unsigned int nr_syscalls;

static inline int syscall_get_nr(const struct pt_regs *regs) { return (int)regs->orig_ax; }
/* Whose numbers and registers the call of the running task follows, as audit and seccomp name it. */
static inline u32 syscall_get_arch(void) { return AUDIT_ARCH_X86_64; }
static inline void syscall_set_return_value(struct pt_regs *regs, long err, long val)
{
	regs->ax = (unsigned long)(err ? err : val);
}
static inline void syscall_get_arguments(const struct pt_regs *regs, unsigned long *args)
{
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* Sends all tasks through syscall_trace_enter() and trace_sys_exit(), or no longer. */
void syscall_trace_switch(bool on);

/* How often each missing call was made, for /proc/weft/unimplemented: index = number, the last = all above. */
unsigned long unimplemented_count(unsigned int nr);

#endif
