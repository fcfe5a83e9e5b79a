/*
 * entry_64.S: every way into the kernel and back out: system calls, exceptions, interrupts, new tasks, task switches.
 *
 * Idea:    each entry leaves a struct pt_regs on the task's kernel stack and goes on in C; each exit looks at
 *          thread_info->flags with interrupts off, so that nothing can be missed between the look and the return.
 *          A system call has a short path (no work flagged): about fifty instructions around the call itself.
 * GS:      user mode has the program's GS base; swapgs exchanges it with the per-CPU base.  Every normal entry from user
 *          mode swaps exactly once.  #DB, NMI, #DF and #MC may hit between an entry and its swapgs, so they look at what
 *          is loaded (paranoid_entry) and run on stacks of their own when they interrupt the kernel.
 * Stack:   TSS.sp0 is the top of the current task's kernel stack, both for the processor and for `syscall`, which does
 *          not switch stacks itself.  sp2, which no hardware uses, holds the user stack pointer for four instructions.
 * Frames:  rbp = pt_regs address + 1 at each entry: the back trace recognises the odd value and goes on from there.
 * See:     spec.md §2; common.c for the C side
 */
#include <asm/asm.h>
#include <asm/ptrace.h>
#include <asm/thread_info.h>
#include <asm/segment.h>
#include <asm/msr.h>
#include <asm/uaccess.h>
#include <generated/nr_syscalls.h>

#define TSS_sp0		4
#define TSS_sp2		20
#define EFLAGS_IF	0x200
#define EFLAGS_RF_TF	0x10100
#define ENOSYS		38

/* thread_info->flags when %rsp points to the pt_regs at the top of the stack. */
#define TOP_FLAGS	(TI_flags + PT_SIZE - THREAD_SIZE)(%rsp)

	.section .entry.text, "ax"
	.code64

.macro PUSH_REGS_AFTER_RDI rax=%rax
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	\rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro POP_REGS
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
.endm

/* The six arguments of a system call, as the program passed them.  The fourth goes to rcx for a C function. */
.macro LOAD_ARGS fourth=%r10
	movq	PT_RDI(%rsp), %rdi
	movq	PT_RSI(%rsp), %rsi
	movq	PT_RDX(%rsp), %rdx
	movq	PT_R10(%rsp), \fourth
	movq	PT_R8(%rsp), %r8
	movq	PT_R9(%rsp), %r9
.endm

/*
 * System call.  rcx: user rip, r11: user flags, rsp: still the user's; interrupts off by MSR_SYSCALL_MASK.
 * The arguments stay in their registers all the way to the C function.
 */
ENTRY(entry_SYSCALL_64)
	swapgs
	movq	%rsp, %gs:cpu_tss + TSS_sp2
	movq	%gs:cpu_tss + TSS_sp0, %rsp
	pushq	$__USER_DS
	pushq	%gs:cpu_tss + TSS_sp2
	pushq	%r11
	pushq	$__USER_CS
	pushq	%rcx
	pushq	%rax
	pushq	%rdi
	PUSH_REGS_AFTER_RDI rax=$-ENOSYS
	leaq	1(%rsp), %rbp
	sti
	testl	$_TIF_SYSCALL_WORK, TOP_FLAGS
	jnz	syscall_enter_work
.Ldispatch:
	cmpl	$NR_syscalls, %eax
	jae	syscall_bad
	movl	%eax, %eax
	movq	%r10, %rcx
	call	*sys_call_table(, %rax, 8)

	/* Nothing to do on the way out, and the callee preserved rbx, r12-r15: give back only what C may have changed. */
	cli
	testl	$(_TIF_SYSCALL_EXIT_WORK | _TIF_EXIT_WORK), TOP_FLAGS
	jnz	syscall_exit_work
	movq	PT_RBP(%rsp), %rbp
	LOAD_ARGS
	movq	PT_RIP(%rsp), %rcx
	movq	PT_EFLAGS(%rsp), %r11
	movq	PT_RSP(%rsp), %rsp
	swapgs
	sysretq

syscall_bad:
	call	sys_unimplemented
	jmp	syscall_store_result

/* A sandbox that lets the call pass leaves everything as it was: back to the short path. */
syscall_enter_work:
	testl	$_TIF_SYSCALL_WATCHED, TOP_FLAGS
	jnz	syscall_traced
	movq	%rsp, %rdi
	call	seccomp_passes
	testb	%al, %al
	jz	syscall_traced
	movl	PT_ORIG_RAX(%rsp), %eax
	LOAD_ARGS
	jmp	.Ldispatch

syscall_traced:
	movq	%rsp, %rdi
	call	syscall_trace_enter
	cmpl	$NR_syscalls, %eax
	jae	syscall_return
	movl	%eax, %eax
	LOAD_ARGS fourth=%rcx
	call	*sys_call_table(, %rax, 8)
syscall_store_result:
	cli
syscall_exit_work:
	movq	%rax, PT_RAX(%rsp)
syscall_return:
	cli
	movq	%rsp, %rdi
	call	syscall_exit_to_user_mode
	/* sysret where it can express the return: rcx, r11 as the program left them, plain code segment, canonical rip. */
	movq	PT_RIP(%rsp), %rcx
	cmpq	%rcx, PT_RCX(%rsp)
	jne	restore_user_regs_and_iret
	movq	PT_EFLAGS(%rsp), %r11
	cmpq	%r11, PT_R11(%rsp)
	jne	restore_user_regs_and_iret
	movq	%rcx, %rax
	shrq	$47, %rax
	jnz	restore_user_regs_and_iret
	testl	$EFLAGS_RF_TF, %r11d
	jnz	restore_user_regs_and_iret
	cmpw	$__USER_CS, PT_CS(%rsp)
	jne	restore_user_regs_and_iret
	cmpw	$__USER_DS, PT_SS(%rsp)
	jne	restore_user_regs_and_iret
	POP_REGS
	movq	PT_RSP - PT_ORIG_RAX(%rsp), %rsp
	swapgs
	sysretq
END(entry_SYSCALL_64)

/*
 * `syscall` from a 32-bit code segment, which any program can far-jump to: AMD's processors (and QEMU's) come here, with
 * the user's stack and GS base.  There are no 32-bit calls; without this entry they would go on at address 0 in ring 0.
 */
ENTRY(entry_SYSCALL_compat)
	movl	$-ENOSYS, %eax
	sysretl
END(entry_SYSCALL_compat)

/*
 * Calls that change their own pt_regs (the table's flag "regs"): they leave through the full path, which reloads all
 * registers.  The return address into entry_SYSCALL_64 is dropped.
 */
.macro STUB name
ENTRY(stub_\name)
	addq	$8, %rsp
	call	sys_\name
	jmp	syscall_store_result
END(stub_\name)
.endm
STUB rt_sigreturn
STUB execve
STUB execveat

/* The first instructions of a new task: rax = the task we came from, rbx = kernel thread's function or 0, r12 = its argument. */
ENTRY(ret_from_fork_asm)
	movq	%rax, %rdi
	call	schedule_tail
	testq	%rbx, %rbx
	jz	syscall_return
	movq	%r12, %rdi
	call	*%rbx
	/* A kernel thread's function only returns when execve() made it a user program. */
	movq	$0, PT_RAX(%rsp)
	jmp	syscall_return
END(ret_from_fork_asm)

/* See asm/switch_to.h: rdi = prev, rsi = next, rdx = where prev's stack pointer goes, rcx = next's stack pointer. */
ENTRY(__switch_to_asm)
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdx)
	movq	%rcx, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	jmp	__switch_to
END(__switch_to_asm)

/*
 * `int 0x80`: the system calls of 32-bit programs, which 64-bit ones may make, too.  The arguments stay in pt_regs: the
 * gate is slow anyway, and the halves of the registers must be cut out.  Always returns by iret.
 */
ENTRY(entry_INT80_compat)
	ASM_CLAC
	cld
	movl	%eax, %eax
	pushq	%rax
	pushq	%rdi
	PUSH_REGS_AFTER_RDI rax=$-ENOSYS
	swapgs
	leaq	1(%rsp), %rbp
	movq	%rsp, %rdi
	call	do_int80_syscall
	jmp	restore_user_regs_and_iret
END(entry_INT80_compat)

/*
 * Exceptions and interrupts.  On the stack: rdi, error code (in orig_rax's place), the processor's five words.
 * rdi = the C function: f(regs, error code).
 */
ENTRY(common_entry)
	PUSH_REGS_AFTER_RDI
	movq	%rdi, %r12
	testb	$3, PT_CS(%rsp)
	jz	entry_from_kernel
	swapgs
entry_from_user:
	leaq	1(%rsp), %rbp
	movq	PT_ORIG_RAX(%rsp), %rsi
	movq	$-1, PT_ORIG_RAX(%rsp)
	movq	%rsp, %rdi
	call	*%r12
return_to_user:
	cli
	testl	$_TIF_EXIT_WORK, TOP_FLAGS
	jz	restore_user_regs_and_iret
	movq	%rsp, %rdi
	call	exit_to_user_mode
restore_user_regs_and_iret:
	POP_REGS
	addq	$8, %rsp
	swapgs
	.globl user_iret
user_iret:
	iretq

entry_from_kernel:
	/* An iretq to user mode that faulted (a signal handler made up its registers): GS is the user's already. */
	cmpq	$user_iret, PT_RIP(%rsp)
	je	bad_user_iret
	leaq	1(%rsp), %rbp
	movq	PT_ORIG_RAX(%rsp), %rsi
	movq	$-1, PT_ORIG_RAX(%rsp)
	movq	%rsp, %rdi
	call	*%r12
	cli
	/* Preempt the kernel: interrupts were on, and the count says that it may and should. */
	testl	$EFLAGS_IF, PT_EFLAGS(%rsp)
	jz	restore_kernel_regs
	cmpl	$0, %gs:__preempt_count
	jne	restore_kernel_regs
	call	preempt_schedule_irq
restore_kernel_regs:
	POP_REGS
	addq	$8, %rsp
	iretq

bad_user_iret:
	swapgs
	movq	%rsp, %rdi
	call	fixup_bad_iret
	movq	%rax, %rsp
	jmp	entry_from_user
END(common_entry)

/* A gate whose exception has an error code (1) or not (0). */
.macro GATE name has_error
ENTRY(asm_\name)
	ASM_CLAC
	cld
	.if \has_error == 0
	pushq	$0
	.endif
	pushq	%rdi
	movq	$\name, %rdi
	jmp	common_entry
END(asm_\name)
.endm

GATE exc_divide_error 0
GATE exc_int3 0
GATE exc_overflow 0
GATE exc_bounds 0
GATE exc_invalid_op 0
GATE exc_device_not_available 0
GATE exc_invalid_tss 1
GATE exc_segment_not_present 1
GATE exc_stack_segment 1
GATE exc_general_protection 1
GATE exc_page_fault 1
GATE exc_coprocessor_error 0
GATE exc_alignment_check 1
GATE exc_simd_coprocessor_error 0
GATE exc_reserved 0

/* External interrupts, vectors 0x20-0xff: 8 bytes each; the pushed byte is vector - 0x80, to fit. */
	.balign 16
	.globl irq_entries_start
irq_entries_start:
	vector = 0x20
	.rept 0x100 - 0x20
	pushq	$(vector - 0x80)
	jmp	common_irq
	.balign 8, 0xcc
	vector = vector + 1
	.endr

ENTRY(common_irq)
	ASM_CLAC
	cld
	pushq	%rdi
	movq	$handle_vector, %rdi
	jmp	common_entry
END(common_irq)

/*
 * Gates with a stack of their own.  From user mode they go over to the task's stack and are like all others.  From the
 * kernel, the GS base in force is saved in r14, the right one loaded (found by the CPU number in a segment limit), and
 * put back; without FSGSBASE no program can have loaded a kernel-like base, so its sign tells.
 */
.macro IST_GATE name has_error
ENTRY(asm_\name)
	ASM_CLAC
	cld
	.if \has_error == 0
	pushq	$0
	.endif
	pushq	%rdi
	movq	$\name, %rdi
	jmp	paranoid_entry
END(asm_\name)
.endm

IST_GATE exc_debug 0
IST_GATE exc_nmi 0
IST_GATE exc_double_fault 1
IST_GATE exc_machine_check 0

ENTRY(paranoid_entry)
	PUSH_REGS_AFTER_RDI
	movq	%rdi, %r12
	testb	$3, PT_CS(%rsp)
	jnz	paranoid_from_user
	leaq	1(%rsp), %rbp
	xorl	%r13d, %r13d
	cmpb	$0, fsgsbase_enabled(%rip)
	je	1f
	rdgsbase %r14
	movl	$__CPUNODE_SEG, %eax
	lsl	%eax, %eax
	andl	$0xfff, %eax
	movq	__per_cpu_offset(, %rax, 8), %rax
	wrgsbase %rax
	jmp	2f
1:	movl	$MSR_GS_BASE, %ecx
	rdmsr
	testl	%edx, %edx
	js	2f
	swapgs
	incl	%r13d
2:	movq	PT_ORIG_RAX(%rsp), %rsi
	movq	$-1, PT_ORIG_RAX(%rsp)
	movq	%rsp, %rdi
	call	*%r12
	cmpb	$0, fsgsbase_enabled(%rip)
	je	3f
	wrgsbase %r14
	jmp	restore_kernel_regs
3:	testl	%r13d, %r13d
	jz	restore_kernel_regs
	swapgs
	jmp	restore_kernel_regs

paranoid_from_user:
	swapgs
	movq	%rsp, %rsi
	movq	%gs:cpu_tss + TSS_sp0, %rsp
	subq	$PT_SIZE, %rsp
	movq	%rsp, %rdi
	movl	$(PT_SIZE / 8), %ecx
	rep movsq
	jmp	entry_from_user
END(paranoid_entry)

	.section .note.GNU-stack, "", @progbits
