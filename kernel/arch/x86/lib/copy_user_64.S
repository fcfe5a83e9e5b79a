/*
 * copy_user_64.S: copying between kernel and user memory, and zeroing user memory, with a way out of a fault anywhere.
 *
 * Idea:    words first: a loop for little, string instructions for much; then single bytes.  When a word faults, the byte
 *          loop goes on from there, so that everything up to the first bad byte is copied, and its own fault returns how
 *          much is left.  Either side may be the user's.
 * Context: may fault and sleep; preemption is on or faults are disabled, the caller's choice.
 * See:     usercopy.c, asm/uaccess.h
 */
#include <asm/asm.h>
#include <asm/uaccess.h>

#define STRING_MINIMUM	64

	.text

/* rdi = to, rsi = from, rdx = length; returns the number of bytes not copied. */
ENTRY(copy_user_generic)
	ASM_STAC
	movq	%rdx, %rcx
	andl	$7, %edx
	cmpq	$STRING_MINIMUM, %rcx
	jae	copy_long
	shrl	$3, %ecx
	jz	copy_tail
1:	movq	(%rsi), %rax
2:	movq	%rax, (%rdi)
	addq	$8, %rsi
	addq	$8, %rdi
	decl	%ecx
	jnz	1b
copy_tail:
	movl	%edx, %ecx
copy_bytes:
	testq	%rcx, %rcx
	jz	copy_end
4:	movb	(%rsi), %al
5:	movb	%al, (%rdi)
	incq	%rsi
	incq	%rdi
	decq	%rcx
	jnz	4b
copy_end:
	movq	%rcx, %rax
	ASM_CLAC
	ret
copy_long:
	shrq	$3, %rcx
3:	rep movsq
	testl	%edx, %edx
	jnz	copy_tail
	jmp	copy_end
copy_word_fault:			/* rcx words and edx bytes are left */
	leaq	(%rdx, %rcx, 8), %rcx
	jmp	copy_bytes
	_ASM_EXTABLE(1b, copy_word_fault)
	_ASM_EXTABLE(2b, copy_word_fault)
	_ASM_EXTABLE(3b, copy_word_fault)
	_ASM_EXTABLE(4b, copy_end)
	_ASM_EXTABLE(5b, copy_end)
END(copy_user_generic)

/* rdi = to, rsi = length; returns the number of bytes not zeroed. */
ENTRY(clear_user_asm)
	ASM_STAC
	xorl	%eax, %eax
	movq	%rsi, %rcx
	andl	$7, %esi
	shrq	$3, %rcx
6:	rep stosq
	movl	%esi, %ecx
clear_bytes:
	testq	%rcx, %rcx
	jz	clear_end
7:	movb	%al, (%rdi)
	incq	%rdi
	decq	%rcx
	jnz	7b
clear_end:
	movq	%rcx, %rax
	ASM_CLAC
	ret
clear_word_fault:
	leaq	(%rsi, %rcx, 8), %rcx
	jmp	clear_bytes
	_ASM_EXTABLE(6b, clear_word_fault)
	_ASM_EXTABLE(7b, clear_end)
END(clear_user_asm)

	.section .note.GNU-stack, "", @progbits
