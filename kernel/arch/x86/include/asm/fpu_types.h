/*
 * fpu_types.h: a task's floating-point and vector registers while they are not in the processor.
 *
 * Idea:    the XSAVE image has the size that CPUID tells for the features the kernel enabled, so it comes from a slab
 *          cache of that size and thread_struct only points to it.  Kernel threads have none.
 * See:     kernel/arch/x86/kernel/fpu.c
 */
#ifndef ASM_FPU_TYPES_H
#define ASM_FPU_TYPES_H

#include <weft/types.h>

/* The legacy part: FXSAVE's 512 bytes, also what signal frames show first. */
struct fxregs_state {
	u16 cwd, swd, twd, fop;
	u64 rip, rdp;
	u32 mxcsr, mxcsr_mask;
	u32 st_space[32];
	u32 xmm_space[64];
	u32 padding[12];
	u32 sw_reserved[12];
};

struct xstate_header {
	u64 xfeatures;
	u64 xcomp_bv;
	u64 reserved[6];
};

struct xregs_state {
	struct fxregs_state	i387;
	struct xstate_header	header;
	u8			extended_state_area[];
} __attribute__((packed, aligned(64)));

struct fpu {
	struct xregs_state	*state;		/* [o] NULL: never was a user task */
	int			last_cpu;	/* [o] whose registers may still hold it, -1 none */
};

#endif
