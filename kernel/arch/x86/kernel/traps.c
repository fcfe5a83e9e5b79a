/*
 * traps.c: exceptions: the right signal for a program, the exception table or the end for the kernel.
 *
 * Idea:    all handlers have one shape: from user mode, note trap number and error code for the signal frame, then
 *          force_sig_fault() with the siginfo that Linux documents; from the kernel, try the exception table, then die.
 * Locking: entered with interrupts off; user-mode faults turn them on again before signals take locks.
 * See:     spec.md §2, issue 2 "every exception"; sigaction(2) for the si_code values; mm/fault.c has the page fault
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/irq.h>
#include <weft/hardirq.h>
#include <asm/entry.h>
#include <asm/extable.h>
#include <asm/fpu.h>
#include <asm/ioport.h>
#include <asm/traps.h>

#define DR6_STEP	(1 << 14)	/* single step */
#define DR6_TRAPS	0xfUL		/* which of the four break points */
#define DR6_RESERVED	0xffff0ff0UL

/* SI_KERNEL-style faults pass code SI_KERNEL and no address. */
static void do_trap(int trapnr, const char *what, struct pt_regs *regs, long error_code, int signr, int code,
		    void __user *addr)
{
	struct task_struct *tsk = current;

	if (!user_mode(regs)) {
		if (!fixup_exception(regs))
			die(what, regs, error_code);
		return;
	}
	cond_local_irq_enable(regs);
	tsk->thread.error_code = error_code;
	tsk->thread.trap_nr = trapnr;
	if (code == SI_KERNEL)
		force_sig(signr);
	else
		force_sig_fault(signr, code, addr);
}

static void __user *fault_ip(const struct pt_regs *regs)
{
	return (void __user *)regs->ip;
}

void exc_divide_error(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_DE, "divide error", regs, 0, SIGFPE, FPE_INTDIV, fault_ip(regs));
}

void exc_overflow(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_OF, "overflow", regs, 0, SIGSEGV, SI_KERNEL, NULL);
}

void exc_bounds(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_BR, "bounds", regs, 0, SIGSEGV, SI_KERNEL, NULL);
}

void exc_invalid_op(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_UD, "invalid opcode", regs, 0, SIGILL, ILL_ILLOPN, fault_ip(regs));
}

void exc_device_not_available(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_NM, "FPU not available", regs, 0, SIGILL, ILL_COPROC, fault_ip(regs));
}

void exc_invalid_tss(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_TS, "invalid TSS", regs, (long)error_code, SIGSEGV, SI_KERNEL, NULL);
}

void exc_segment_not_present(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_NP, "segment not present", regs, (long)error_code, SIGBUS, SI_KERNEL, NULL);
}

void exc_stack_segment(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_SS, "stack segment", regs, (long)error_code, SIGBUS, SI_KERNEL, NULL);
}

void exc_general_protection(struct pt_regs *regs, unsigned long error_code)
{
	if (user_mode(regs) && current->thread.iopl) {
		cond_local_irq_enable(regs);
		if (fixup_iopl_exception(regs))
			return;
	}
	do_trap(X86_TRAP_GP, "general protection fault", regs, (long)error_code, SIGSEGV, SI_KERNEL, NULL);
}

void exc_alignment_check(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_AC, "alignment check", regs, (long)error_code, SIGBUS, BUS_ADRALN, NULL);
}

void exc_reserved(struct pt_regs *regs, unsigned long error_code)
{
	die("reserved exception", regs, (long)error_code);
}

void exc_int3(struct pt_regs *regs, unsigned long error_code)
{
	do_trap(X86_TRAP_BP, "int3", regs, 0, SIGTRAP, SI_KERNEL, NULL);
}

/* An execution break point is a fault: without RF the instruction would hit it again. */
static void step_over_breakpoint(struct pt_regs *regs, unsigned long dr6, unsigned long dr7)
{
	for (int i = 0; i < 4; i++)
		if ((dr6 & (1UL << i)) && !(dr7 >> (16 + 4 * i) & 3))
			regs->flags |= X86_EFLAGS_RF;
}

/*
 * Single steps, and break and watch points of a tracer (debug registers).  In the kernel TF is cleared on every entry, so
 * a step there is left over; and a watch point hit by the kernel's copying is not the program's.
 */
void exc_debug(struct pt_regs *regs, unsigned long error_code)
{
	struct thread_struct *t = &current->thread;
	unsigned long dr6;
	int code = TRAP_BRKPT;

	asm volatile("mov %%db6, %0" : "=r" (dr6));
	asm volatile("mov %0, %%db6" : : "r" (DR6_RESERVED));
	if (!user_mode(regs)) {
		regs->flags &= ~X86_EFLAGS_TF;
		return;
	}
	dr6 &= DR6_STEP | DR6_TRAPS;
	t->virtual_dr6 = dr6;
	step_over_breakpoint(regs, dr6, t->dr7);
	if (dr6 & DR6_STEP)
		code = TRAP_TRACE;
	else if (dr6 & DR6_TRAPS)
		code = TRAP_HWBKPT;
	do_trap(X86_TRAP_DB, "debug", regs, 0, SIGTRAP, code, fault_ip(regs));
}

/* x87 (MF) or SSE (XF) arithmetic: si_code from the status word's unmasked exceptions. */
static int fpu_exception_code(int trapnr)
{
	struct fpu *fpu = &current->thread.fpu;
	unsigned int err;

	fpregs_lock();
	if (!test_thread_flag(TIF_NEED_FPU_LOAD))
		fpu_save_registers(fpu);
	fpregs_unlock();
	if (trapnr == X86_TRAP_MF) {
		err = fpu->state->i387.swd & ~fpu->state->i387.cwd;
	} else {
		unsigned int mxcsr = fpu->state->i387.mxcsr;

		err = ~(mxcsr >> 7) & mxcsr;
	}
	if (err & 0x01)
		return FPE_FLTINV;
	if (err & 0x04)
		return FPE_FLTDIV;
	if (err & 0x08)
		return FPE_FLTOVF;
	if (err & 0x12)
		return FPE_FLTUND;	/* denormal counts as underflow */
	if (err & 0x20)
		return FPE_FLTRES;
	return 0;
}

static void math_error(struct pt_regs *regs, int trapnr, const char *what)
{
	int code = 0;

	if (user_mode(regs)) {
		code = fpu_exception_code(trapnr);
		if (!code)
			return;		/* cleared before we came to look */
	}
	do_trap(trapnr, what, regs, 0, SIGFPE, code, fault_ip(regs));
}

void exc_coprocessor_error(struct pt_regs *regs, unsigned long error_code)
{
	math_error(regs, X86_TRAP_MF, "x87 error");
}

void exc_simd_coprocessor_error(struct pt_regs *regs, unsigned long error_code)
{
	math_error(regs, X86_TRAP_XF, "SIMD error");
}

/* On its own stack: most often a kernel stack that ran into its guard page. */
void exc_double_fault(struct pt_regs *regs, unsigned long error_code)
{
	unsigned long cr2 = read_cr2();
	unsigned long low = (unsigned long)task_stack_page(current);

	oops_in_progress = true;
	if (cr2 < low && cr2 >= low - 4096)
		printk(KERN_EMERG "kernel stack overflow: %s/%d, stack at %#lx, access to %#lx\n",
		       current->comm, current->pid, low, cr2);
	die("double fault", regs, (long)error_code);
}

void exc_nmi(struct pt_regs *regs, unsigned long error_code)
{
	preempt_count_add(NMI_OFFSET + HARDIRQ_OFFSET);
	this_cpu_inc(irq_stat.nmi);
	/* Another CPU panicked and this one did not answer the ordinary interrupt. */
	if (oops_in_progress && cpu_must_stop())
		stop_this_cpu();
	preempt_count_sub(NMI_OFFSET + HARDIRQ_OFFSET);
}

void exc_machine_check(struct pt_regs *regs, unsigned long error_code)
{
	die("machine check", regs, 0);
}
