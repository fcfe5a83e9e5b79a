/*
 * trampoline.S: the first instructions of every CPU but the first: real mode, 32-bit mode, 64-bit mode.
 *
 * Idea:    the code between trampoline_start and trampoline_end is copied to TRAMPOLINE_ADDR, where the start-up interrupt
 *          lets the CPU begin (CS = TRAMPOLINE_ADDR / 16, IP = 0); addresses in it are therefore given relative to its
 *          start.  It uses the boot processor's early page tables, which map the first 4 GiB one to one, this page
 *          included, and the kernel where it is linked.
 * See:     kernel/arch/x86/kernel/smpboot.c
 */
#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/smpboot.h>

#define KERNEL_MAP	0xffffffff80000000
#define here(label)	(TRAMPOLINE_ADDR + (label) - trampoline_start)

	.section .rodata, "a"
	.balign 16
	.globl trampoline_start, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	here(trampoline_gdt_ptr)
	movl	%cr0, %eax
	orl	$X86_CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$__KERNEL32_CS, $here(trampoline_32)

	.code32
trampoline_32:
	movl	$__KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%cr4, %eax
	orl	$(X86_CR4_PAE | X86_CR4_PGE), %eax
	movl	%eax, %cr4
	movl	$(early_top_pgt - KERNEL_MAP), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_SCE), %eax
	wrmsr
	movl	$(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP), %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$__KERNEL_CS, $here(trampoline_64)

	.code64
trampoline_64:
	movq	$secondary_startup_64, %rax
	jmp	*%rax

	.balign 8
trampoline_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
trampoline_gdt_end:
trampoline_gdt_ptr:
	.word trampoline_gdt_end - trampoline_gdt - 1
	.long here(trampoline_gdt)
trampoline_end:

	.text
ENTRY(secondary_startup_64)
	movl	$1, smp_boot_data + SMP_BOOT_ENTERED(%rip)
	/* The stack is in the vmalloc area: the real page tables, whose no-execute bits EFER must allow first. */
	movl	$MSR_EFER, %ecx
	movl	smp_boot_data + SMP_BOOT_EFER(%rip), %eax
	xorl	%edx, %edx
	wrmsr
	movq	$(swapper_pg_dir - KERNEL_MAP), %rax
	movq	%rax, %cr3
	movq	smp_boot_data + SMP_BOOT_STACK(%rip), %rsp
	xorl	%ebp, %ebp
	call	start_secondary
	ud2
END(secondary_startup_64)

	.section .note.GNU-stack, "", @progbits
