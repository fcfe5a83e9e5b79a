/*
 * ioport.h: bitmaps of ports that threads may use.
 *
 * See:     kernel/arch/x86/kernel/ioport.c
 */
#ifndef ASM_IOPORT_H
#define ASM_IOPORT_H

#include <weft/types.h>

struct pt_regs;
struct task_struct;
struct thread_struct;

void load_io_bitmap(const struct thread_struct *t);	/* interrupts off: of the thread that runs here from now on */
void io_bitmap_share(struct task_struct *p);		/* p, a new thread, has what current has */
void io_bitmap_exit(struct task_struct *p);		/* p: current, or a thread that never ran */
bool fixup_iopl_exception(struct pt_regs *regs);	/* true: it was cli or sti, and is done */

#endif
