/*
 * smpboot.h: what smpboot.c and trampoline.S share.
 */
#ifndef ASM_SMPBOOT_H
#define ASM_SMPBOOT_H

#define TRAMPOLINE_ADDR		0x8000	/* page aligned, below 640 KiB: the start-up interrupt can only name such a page */

/* Offsets for assembly, asserted below. */
#define SMP_BOOT_STACK		0
#define SMP_BOOT_ENTERED	12
#define SMP_BOOT_EFER		16

#ifndef __ASSEMBLY__
#include <weft/types.h>
#include <weft/compiler.h>

struct smp_boot_data {
	unsigned long	stack;
	int		cpu;
	u32		entered;	/* set by the trampoline: no second start-up interrupt is needed */
	u32		efer;		/* as on the boot CPU */
	bool		started;	/* online: the data is free for the next CPU */
};
static_assert(offsetof(struct smp_boot_data, stack) == SMP_BOOT_STACK);
static_assert(offsetof(struct smp_boot_data, entered) == SMP_BOOT_ENTERED);
static_assert(offsetof(struct smp_boot_data, efer) == SMP_BOOT_EFER);
extern struct smp_boot_data smp_boot_data;

extern char trampoline_start[], trampoline_end[];
void start_secondary(void) __noreturn;
#endif
#endif
