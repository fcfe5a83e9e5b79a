/*
 * sigcontext.h: the registers in a signal frame, x86-64.
 * See:     sigreturn(2); uapi/ucontext.h
 */
#ifndef UAPI_SIGCONTEXT_H
#define UAPI_SIGCONTEXT_H

#include <weft/types.h>

struct sigcontext {
	u64	r8, r9, r10, r11, r12, r13, r14, r15;
	u64	di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	u16	cs, gs, fs, ss;		/* ss: valid with UC_SIGCONTEXT_SS */
	u64	err, trapno;		/* of the fault, if it was one */
	u64	oldmask;
	u64	cr2;
	u64	fpstate;		/* user address of the XSAVE image, or 0 */
	u64	reserved1[8];
};
_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext ABI");

#endif
