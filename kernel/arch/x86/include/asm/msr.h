/*
 * msr.h: model-specific registers and the time-stamp counter.
 */
#ifndef ASM_MSR_H
#define ASM_MSR_H

#define MSR_IA32_TSC		0x10
#define MSR_IA32_APICBASE	0x1b
#define MSR_IA32_PAT		0x277
#define MSR_IA32_SYSENTER_CS	0x174
#define MSR_IA32_MISC_ENABLE	0x1a0
#define MSR_IA32_XSS		0xda0
#define MSR_IA32_TSC_DEADLINE	0x6e0
#define MSR_X2APIC_BASE		0x800
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SYSCALL_MASK	0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103

#define EFER_SCE		(1 << 0)
#define EFER_LME		(1 << 8)
#define EFER_LMA		(1 << 10)
#define EFER_NX			(1 << 11)

#ifndef __ASSEMBLY__
#include <weft/types.h>
#include <weft/compiler.h>

static __always_inline u64 rdmsrl_val(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr));
	return lo | (u64)hi << 32;
}
#define rdmsrl(msr, val) ((val) = rdmsrl_val(msr))
static __always_inline void wrmsrl(u32 msr, u64 val)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)val), "d" ((u32)(val >> 32)) : "memory");
}
/* The same, but a register that does not exist gives -EIO (through the exception table) instead of an oops. */
int rdmsrl_safe(u32 msr, u64 *val);
int wrmsrl_safe(u32 msr, u64 val);

static __always_inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (u64)hi << 32;
}
/* Not before the loads that come first in the program: what clock reads need. */
static __always_inline u64 rdtsc_ordered(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc" : "=a" (lo), "=d" (hi) : : "memory");
	return lo | (u64)hi << 32;
}

#endif
#endif
