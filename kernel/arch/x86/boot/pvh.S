/*
 * pvh.S: from the loader's 32-bit protected mode to the first C function.
 *
 * What:    the PVH entry (the ELF note names it): the loader starts us in 32-bit protected mode without paging, %ebx =
 *          physical address of struct hvm_start_info.
 * Idea:    one set of early page tables maps the first 4 GiB with 2 MiB pages at two places at once: at 0 (where we run
 *          now) and at PAGE_OFFSET (the direct map); the first GiB also appears at 0xffffffff80000000 (where we are
 *          linked).  They are replaced by init_mem_mapping(); the tables at 0 stay as what other CPUs start on.
 * See:     spec.md §1 "boot"; startup.c goes on
 */
#include <asm/ptrace.h>
#include <asm/thread_info.h>
#include <asm/segment.h>
#include <asm/processor.h>
#include <asm/msr.h>

#define KERNEL_MAP		0xffffffff80000000
#define pa(x)			((x) - KERNEL_MAP)
#define DIRECT_MAP_INDEX	273		/* of PAGE_OFFSET 0xffff888000000000 in the pgd */
#define KERNEL_PUD_INDEX	510
#define PAGE_TABLE		0x63		/* present, writable, accessed, dirty */
#define PAGE_LARGE		0xe3		/* the same, 2 MiB */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18				/* name size, data size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad pa(pvh_start)

	.section .head.text, "ax"
	.code32
	.globl pvh_start
pvh_start:
	cli
	cld
	mov	%ebx, %ebp			/* keep the start info; the rest is ours */

	mov	$pa(__bss_start), %edi
	mov	$pa(__bss_stop), %ecx
	sub	%edi, %ecx
	shr	$2, %ecx
	xor	%eax, %eax
	rep stosl

	/* 4 GiB in 2 MiB pages: four pmd pages in a row. */
	mov	$pa(early_pmd), %edi
	mov	$PAGE_LARGE, %eax
	mov	$2048, %ecx
1:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	dec	%ecx
	jnz	1b

	movl	$pa(early_pmd) + PAGE_TABLE, pa(early_pud)
	movl	$pa(early_pmd) + 0x1000 + PAGE_TABLE, pa(early_pud) + 8
	movl	$pa(early_pmd) + 0x2000 + PAGE_TABLE, pa(early_pud) + 16
	movl	$pa(early_pmd) + 0x3000 + PAGE_TABLE, pa(early_pud) + 24
	movl	$pa(early_pmd) + PAGE_TABLE, pa(early_kernel_pud) + KERNEL_PUD_INDEX * 8
	movl	$pa(early_pud) + PAGE_TABLE, pa(early_top_pgt)
	movl	$pa(early_pud) + PAGE_TABLE, pa(early_top_pgt) + DIRECT_MAP_INDEX * 8
	movl	$pa(early_kernel_pud) + PAGE_TABLE, pa(early_top_pgt) + 511 * 8

	mov	%cr4, %eax
	or	$(X86_CR4_PAE | X86_CR4_PGE), %eax
	mov	%eax, %cr4
	mov	$pa(early_top_pgt), %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$(EFER_LME | EFER_SCE), %eax
	wrmsr
	mov	$(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP), %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0

	lgdt	pa(early_gdt_ptr32)
	ljmp	$__KERNEL_CS, $pa(start_64_low)

	.code64
start_64_low:
	mov	$start_64, %rax
	jmp	*%rax
start_64:
	lgdt	early_gdt_ptr(%rip)
	mov	$__KERNEL_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	/* GS base 0: until the per-CPU areas exist, the boot CPU runs on their template. */
	mov	$MSR_GS_BASE, %ecx
	xor	%edx, %edx
	wrmsr
	lea	init_stack + THREAD_SIZE - PT_SIZE(%rip), %rsp
	mov	%ebp, %edi
	xor	%ebp, %ebp
	call	x86_start_kernel
	ud2

	.section .init.data, "aw"
	.balign 16
early_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff		/* 32-bit kernel code, for starting CPUs */
	.quad 0x00af9b000000ffff		/* 64-bit kernel code */
	.quad 0x00cf93000000ffff		/* kernel data */
early_gdt_end:
early_gdt_ptr32:
	.word early_gdt_end - early_gdt - 1
	.long pa(early_gdt)
early_gdt_ptr:
	.word early_gdt_end - early_gdt - 1
	.quad early_gdt

	.section .data..init_stack, "aw"
	.balign THREAD_SIZE
	.globl init_stack
init_stack:
	.fill THREAD_SIZE, 1, 0

	.section .bss..page_aligned, "aw", @nobits
	.balign 4096
	.globl early_top_pgt, early_pud, early_pmd
early_top_pgt:
	.skip 4096
early_pud:
	.skip 4096
early_kernel_pud:
	.skip 4096
early_pmd:
	.skip 4 * 4096
	.section .note.GNU-stack, "", @progbits
