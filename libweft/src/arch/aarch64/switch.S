/*
 * switch.S (aarch64): first entry of a thread, and the bare coroutine switch.
 *
 * What:  weft__thread_entry is where a new thread's stack continues; weft__coro_switch(coro, value) exchanges the stack
 *        pointer with the first word of *coro; resume and yield are the same code.
 * Idea:  callee-saved registers x19..x30 and d8..d15 go to the stack (160 bytes); left by br, not ret, so that the
 *        return predictor is not asked about a stack that it does not know.
 * See:   AAPCS64 6.1; arch.h.
 */
	.text
	.globl	weft__thread_entry
	.hidden	weft__thread_entry
	.type	weft__thread_entry, %function
weft__thread_entry:
	.cfi_startproc
	.cfi_undefined x30
	ldr	x0, [sp], #16
	mov	x29, #0
	mov	x30, #0
	b	weft__thread_main
	.cfi_endproc
	.size	weft__thread_entry, .-weft__thread_entry

	.globl	weft__coro_switch
	.type	weft__coro_switch, %function
	.p2align 4
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	.globl	weft_coro_resume
	.globl	weft_coro_yield
	.type	weft_coro_resume, %function
	.type	weft_coro_yield, %function
weft_coro_resume:
weft_coro_yield:
#endif
weft__coro_switch:
	.cfi_startproc
	sub	sp, sp, #160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	ldr	x9, [x0]
	mov	x10, sp
	str	x10, [x0]
	mov	sp, x9
	mov	x0, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	br	x30
	.cfi_endproc
	.size	weft__coro_switch, .-weft__coro_switch

	/* First resume: x19 = coro, x0 = the value; never returns. */
	.globl	weft__coro_entry
	.hidden	weft__coro_entry
	.type	weft__coro_entry, %function
weft__coro_entry:
	.cfi_startproc
	.cfi_undefined x30
	mov	x1, x0
	mov	x0, x19
	mov	x29, #0
	bl	weft__coro_main
	brk	#1
	.cfi_endproc
	.size	weft__coro_entry, .-weft__coro_entry
	.section .note.GNU-stack,"",%progbits
