/*
 * msr.c: model-specific registers that may not exist: -EIO instead of a general-protection fault.
 *
 * See:     asm/msr.h
 */
#include <weft/errno.h>
#include <asm/asm.h>
#include <asm/msr.h>

int rdmsrl_safe(u32 msr, u64 *val)
{
	u32 lo, hi;

	asm goto("1: rdmsr\n" _ASM_EXTABLE(1b, %l[fault]) : "=a" (lo), "=d" (hi) : "c" (msr) : : fault);
	*val = lo | (u64)hi << 32;
	return 0;
fault:
	return -EIO;
}

int wrmsrl_safe(u32 msr, u64 val)
{
	asm goto("1: wrmsr\n" _ASM_EXTABLE(1b, %l[fault])
		 : : "c" (msr), "a" ((u32)val), "d" ((u32)(val >> 32)) : "memory" : fault);
	return 0;
fault:
	return -EIO;
}
