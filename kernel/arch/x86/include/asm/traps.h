/*
 * traps.h: the C side of the exception gates.
 *
 * Idea:    every gate enters with interrupts off and calls exc_NAME(regs, error_code).  A handler that may sleep or take
 *          long turns interrupts on when the interrupted code had them on.
 */
#ifndef ASM_TRAPS_H
#define ASM_TRAPS_H

#include <asm/ptrace.h>
#include <asm/irqflags.h>
#include <asm/irq_vectors.h>

/* Bits of a page fault's error code. */
#define X86_PF_PROT	(1 << 0)	/* the page is there, the right is not */
#define X86_PF_WRITE	(1 << 1)
#define X86_PF_USER	(1 << 2)
#define X86_PF_RSVD	(1 << 3)
#define X86_PF_INSTR	(1 << 4)
#define X86_PF_PK	(1 << 5)

/* mm/fault.c.  Interrupts are off and CR2 is still valid on entry. */
void exc_page_fault(struct pt_regs *regs, unsigned long error_code);

/* dumpstack.c: the end of a kernel that broke one of its own rules.  `signr` is for the task, if it survives. */
void die(const char *what, struct pt_regs *regs, long error_code) __attribute__((noreturn));
void show_regs(struct pt_regs *regs);

static inline void cond_local_irq_enable(struct pt_regs *regs)
{
	if (regs->flags & X86_EFLAGS_IF)
		local_irq_enable();
}
static inline void cond_local_irq_disable(struct pt_regs *regs)
{
	if (regs->flags & X86_EFLAGS_IF)
		local_irq_disable();
}

void trap_init_early(void);	/* IDT for the boot processor */

/* smp.c: another CPU wants all to halt (panic, power-off); halts for good. */
bool cpu_must_stop(void);
void stop_this_cpu(void) __attribute__((noreturn));

#endif
