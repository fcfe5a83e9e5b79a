/*
 * extable.h: looking up faulting instructions; layout in asm.h.
 */
#ifndef ASM_EXTABLE_H
#define ASM_EXTABLE_H

#include <weft/types.h>

struct pt_regs;

struct exception_table_entry {
	int insn, fixup;	/* relative to their own addresses; sorted by insn at start-up */
};

/* If regs->ip is an instruction that may fault: moves regs->ip to its fixup and returns true.  Any context. */
bool fixup_exception(struct pt_regs *regs);
const struct exception_table_entry *search_exception_tables(unsigned long ip);
void sort_main_extable(void);

#endif
