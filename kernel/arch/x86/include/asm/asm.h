/*
 * asm.h: the exception table, and function brackets for assembly.
 *
 * Idea:    an instruction that may fault on purpose (access to user memory, a register that may not exist) leaves an
 *          entry (its address, where to go on) in __ex_table; the fault handlers look there before they complain.
 * See:     kernel/arch/x86/mm/extable.c
 */
#ifndef ASM_ASM_H
#define ASM_ASM_H

#ifdef __ASSEMBLY__
#define _ASM_EXTABLE(from, to) \
	.pushsection "__ex_table", "a"; \
	.balign 4; \
	.long (from) - .; \
	.long (to) - .; \
	.popsection
#define ENTRY(name)	.globl name; .type name, @function; .balign 16; name:
#define END(name)	.size name, . - name
#else
#define _ASM_EXTABLE(from, to) \
	".pushsection \"__ex_table\",\"a\"\n" \
	".balign 4\n" \
	".long (" #from ") - .\n" \
	".long (" #to ") - .\n" \
	".popsection\n"
#endif
#endif
