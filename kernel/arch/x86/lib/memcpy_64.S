/*
 * memcpy_64.S: memcpy, memmove and memset.
 *
 * Idea:    up to 32 bytes in at most four moves that may overlap each other; above that, string instructions in words of
 *          eight and one last word that ends where the area ends.  Everything that may be overwritten is loaded before
 *          the first store, so the forward copy is right for any overlap in which dst lies below src: memmove only adds
 *          the copy from the end.
 * Names:   __memcpy and so on are the plain ones; in debug builds memcpy.c puts a check of the addresses before them.
 * See:     include/weft/string.h
 */
#include <asm/asm.h>

	.text

/* Both names where nothing stands between. */
.macro STRING_ENTRY name
	.globl __\name
	.type __\name, @function
#ifndef CONFIG_DEBUG
	.globl \name
	.type \name, @function
#endif
	.balign 16
__\name:
#ifndef CONFIG_DEBUG
\name:
#endif
.endm

/* rdi = dst, rsi = src, rdx = length; returns dst. */
STRING_ENTRY memcpy
	movq	%rdi, %rax
copy_forward:
	cmpq	$16, %rdx
	jb	copy_below_16
	cmpq	$32, %rdx
	ja	copy_words
	movq	(%rsi), %rcx
	movq	8(%rsi), %r8
	movq	-16(%rsi, %rdx), %r9
	movq	-8(%rsi, %rdx), %r10
	movq	%rcx, (%rdi)
	movq	%r8, 8(%rdi)
	movq	%r9, -16(%rdi, %rdx)
	movq	%r10, -8(%rdi, %rdx)
	ret
copy_words:
	movq	-8(%rsi, %rdx), %r8
	leaq	-8(%rdi, %rdx), %r9
	movq	%rdx, %rcx
	shrq	$3, %rcx
	rep movsq
	movq	%r8, (%r9)
	ret
copy_below_16:
	cmpl	$8, %edx
	jb	1f
	movq	(%rsi), %rcx
	movq	-8(%rsi, %rdx), %r8
	movq	%rcx, (%rdi)
	movq	%r8, -8(%rdi, %rdx)
	ret
1:	cmpl	$4, %edx
	jb	2f
	movl	(%rsi), %ecx
	movl	-4(%rsi, %rdx), %r8d
	movl	%ecx, (%rdi)
	movl	%r8d, -4(%rdi, %rdx)
	ret
2:	cmpl	$1, %edx
	jb	4f
	je	3f
	movzwl	(%rsi), %ecx
	movzwl	-2(%rsi, %rdx), %r8d
	movw	%cx, (%rdi)
	movw	%r8w, -2(%rdi, %rdx)
	ret
3:	movzbl	(%rsi), %ecx
	movb	%cl, (%rdi)
4:	ret
	.size __memcpy, . - __memcpy

STRING_ENTRY memmove
	movq	%rdi, %rax
	movq	%rdi, %rcx
	subq	%rsi, %rcx
	cmpq	%rdx, %rcx
	jae	copy_forward		/* dst below src, or behind its end */
	cmpq	$32, %rdx
	jbe	copy_forward
	/* From the end; the first word, which the last step may have overwritten, was loaded before. */
	movq	(%rsi), %r8
5:	movq	-8(%rsi, %rdx), %rcx
	movq	%rcx, -8(%rdi, %rdx)
	subq	$8, %rdx
	cmpq	$8, %rdx
	ja	5b
	movq	%r8, (%rdi)
	ret
	.size __memmove, . - __memmove

/* rdi = dst, esi = byte, rdx = length; returns dst. */
STRING_ENTRY memset
	movq	%rdi, %r9
	movzbl	%sil, %eax
	movabsq	$0x0101010101010101, %rcx
	imulq	%rcx, %rax
	cmpq	$16, %rdx
	jb	6f
	movq	%rax, -8(%rdi, %rdx)
	movq	%rdx, %rcx
	shrq	$3, %rcx
	rep stosq
	movq	%r9, %rax
	ret
6:	cmpl	$8, %edx
	jb	7f
	movq	%rax, (%rdi)
	movq	%rax, -8(%rdi, %rdx)
	movq	%r9, %rax
	ret
7:	cmpl	$4, %edx
	jb	8f
	movl	%eax, (%rdi)
	movl	%eax, -4(%rdi, %rdx)
	movq	%r9, %rax
	ret
8:	testl	%edx, %edx
	jz	9f
	movb	%al, (%rdi)
	movb	%al, -1(%rdi, %rdx)
	shrl	$1, %edx
	movb	%al, (%rdi, %rdx)
9:	movq	%r9, %rax
	ret
	.size __memset, . - __memset

	.section .note.GNU-stack, "", @progbits
