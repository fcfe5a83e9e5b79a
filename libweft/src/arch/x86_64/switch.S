/*
 * switch.S (x86-64): first entry of a thread, and the bare coroutine switch.
 *
 * What:  weft__thread_entry is where a new thread's stack continues; weft__coro_switch(coro, value) exchanges the stack
 *        pointer with the first word of *coro and passes value over; resume and yield are the same code, since that
 *        word always holds "the other side".
 * Idea:  leave by jmp through a register instead of ret: the return predictor of the processor remembers the call made
 *        on the stack that we just left, so a ret would be predicted wrong each time (about 3 ns).
 * See:   System V ABI AMD64 3.2.1; arch.h.
 */
	.text
	.globl	weft__thread_entry
	.hidden	weft__thread_entry
	.type	weft__thread_entry, @function
weft__thread_entry:
	.cfi_startproc
	.cfi_undefined rip
	popq	%rdi
	xorl	%ebp, %ebp
	pushq	$0
	jmp	weft__thread_main
	.cfi_endproc
	.size	weft__thread_entry, .-weft__thread_entry

	.globl	weft__coro_switch
	.type	weft__coro_switch, @function
	.p2align 4
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	.globl	weft_coro_resume
	.globl	weft_coro_yield
	.type	weft_coro_resume, @function
	.type	weft_coro_yield, @function
weft_coro_resume:
weft_coro_yield:
#endif
weft__coro_switch:
	.cfi_startproc
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	(%rdi), %rdx
	movq	%rsp, (%rdi)
	movq	%rdx, %rsp
	movq	%rsi, %rax
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	popq	%rcx
	jmp	*%rcx
	.cfi_endproc
	.size	weft__coro_switch, .-weft__coro_switch

	/* First resume: rbx = coro, rax = the value; never returns. */
	.globl	weft__coro_entry
	.hidden	weft__coro_entry
	.type	weft__coro_entry, @function
weft__coro_entry:
	.cfi_startproc
	.cfi_undefined rip
	movq	%rbx, %rdi
	movq	%rax, %rsi
	call	weft__coro_main@PLT
	ud2
	.cfi_endproc
	.size	weft__coro_entry, .-weft__coro_entry
	.section .note.GNU-stack,"",@progbits
