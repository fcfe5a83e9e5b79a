/*
 * asm/ptrace.h: struct pt_regs, the user (or interrupted) registers as the entry code leaves them on the stack.
 *
 * Idea:    the order is Linux's struct pt_regs, which ptrace and signal frames show to programs.  orig_ax is the number
 *          of the system call, or -1 when the frame comes from an interrupt or exception.
 * See:     kernel/arch/x86/entry/entry_64.S, which builds it
 */
#ifndef ASM_PTRACE_H
#define ASM_PTRACE_H

/* Offsets for assembly, asserted in kernel/arch/x86/kernel/process.c. */
#define PT_R15		0
#define PT_R14		8
#define PT_R13		16
#define PT_R12		24
#define PT_RBP		32
#define PT_RBX		40
#define PT_R11		48
#define PT_R10		56
#define PT_R9		64
#define PT_R8		72
#define PT_RAX		80
#define PT_RCX		88
#define PT_RDX		96
#define PT_RSI		104
#define PT_RDI		112
#define PT_ORIG_RAX	120
#define PT_RIP		128
#define PT_CS		136
#define PT_EFLAGS	144
#define PT_RSP		152
#define PT_SS		160
#define PT_SIZE		168

#ifndef __ASSEMBLY__
#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/segment.h>

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;	/* what C functions preserve */
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax;
	unsigned long ip, cs, flags, sp, ss;		/* what the processor pushes */
};

static __always_inline bool user_mode(const struct pt_regs *regs) { return (regs->cs & 3) != 0; }
static inline unsigned long instruction_pointer(const struct pt_regs *regs) { return regs->ip; }
static inline unsigned long user_stack_pointer(const struct pt_regs *regs) { return regs->sp; }
static inline unsigned long frame_pointer(const struct pt_regs *regs) { return regs->bp; }
static inline long regs_return_value(const struct pt_regs *regs) { return (long)regs->ax; }
static inline void instruction_pointer_set(struct pt_regs *regs, unsigned long ip) { regs->ip = ip; }
/* Only processors that flag errors apart from the value need it. */
#define force_successful_syscall_return()	do { } while (0)
/* -EFOO as system calls return it: -4095 .. -1. */
static inline bool is_syscall_success(const struct pt_regs *regs) { return regs->ax < -4095UL; }

#endif
#endif
