/*
 * cpufeature.h: what this processor can do.
 *
 * What:    one flag a feature that the kernel itself uses or shows; boot_cpu_has() asks for the boot processor (all
 *          others are taken to be alike).  /proc/cpuinfo's "flags" line is made from the raw CPUID words and names.
 * Locking: [I] written once by identify_boot_cpu().
 */
#ifndef ASM_CPUFEATURE_H
#define ASM_CPUFEATURE_H

#include <weft/types.h>
#include <weft/compiler.h>

/* The CPUID words that are kept. */
enum cpuid_word {
	CPUID_1_EDX, CPUID_1_ECX, CPUID_7_EBX, CPUID_7_ECX, CPUID_7_EDX, CPUID_8000_0001_EDX, CPUID_8000_0001_ECX,
	CPUID_D_1_EAX, CPUID_6_EAX, CPUID_8000_0007_EDX, NCPUID_WORDS
};
#define X86_FEATURE(word, bit)	((word) * 32 + (bit))

#define X86_FEATURE_TSC		X86_FEATURE(CPUID_1_EDX, 4)
#define X86_FEATURE_APIC	X86_FEATURE(CPUID_1_EDX, 9)
#define X86_FEATURE_PGE		X86_FEATURE(CPUID_1_EDX, 13)
#define X86_FEATURE_PAT		X86_FEATURE(CPUID_1_EDX, 16)
#define X86_FEATURE_FXSR	X86_FEATURE(CPUID_1_EDX, 24)
#define X86_FEATURE_HT		X86_FEATURE(CPUID_1_EDX, 28)
#define X86_FEATURE_PCID	X86_FEATURE(CPUID_1_ECX, 17)
#define X86_FEATURE_X2APIC	X86_FEATURE(CPUID_1_ECX, 21)
#define X86_FEATURE_TSC_DEADLINE_TIMER X86_FEATURE(CPUID_1_ECX, 24)
#define X86_FEATURE_XSAVE	X86_FEATURE(CPUID_1_ECX, 26)
#define X86_FEATURE_AVX		X86_FEATURE(CPUID_1_ECX, 28)
#define X86_FEATURE_RDRAND	X86_FEATURE(CPUID_1_ECX, 30)
#define X86_FEATURE_HYPERVISOR	X86_FEATURE(CPUID_1_ECX, 31)
#define X86_FEATURE_FSGSBASE	X86_FEATURE(CPUID_7_EBX, 0)
#define X86_FEATURE_SMEP	X86_FEATURE(CPUID_7_EBX, 7)
#define X86_FEATURE_ERMS	X86_FEATURE(CPUID_7_EBX, 9)
#define X86_FEATURE_INVPCID	X86_FEATURE(CPUID_7_EBX, 10)
#define X86_FEATURE_RDSEED	X86_FEATURE(CPUID_7_EBX, 18)
#define X86_FEATURE_SMAP	X86_FEATURE(CPUID_7_EBX, 20)
#define X86_FEATURE_UMIP	X86_FEATURE(CPUID_7_ECX, 2)
#define X86_FEATURE_RDPID	X86_FEATURE(CPUID_7_ECX, 22)
#define X86_FEATURE_FSRM	X86_FEATURE(CPUID_7_EDX, 4)
#define X86_FEATURE_SYSCALL	X86_FEATURE(CPUID_8000_0001_EDX, 11)
#define X86_FEATURE_NX		X86_FEATURE(CPUID_8000_0001_EDX, 20)
#define X86_FEATURE_GBPAGES	X86_FEATURE(CPUID_8000_0001_EDX, 26)
#define X86_FEATURE_RDTSCP	X86_FEATURE(CPUID_8000_0001_EDX, 27)
#define X86_FEATURE_LM		X86_FEATURE(CPUID_8000_0001_EDX, 29)
#define X86_FEATURE_XSAVEOPT	X86_FEATURE(CPUID_D_1_EAX, 0)
#define X86_FEATURE_CONSTANT_TSC X86_FEATURE(CPUID_8000_0007_EDX, 8)

extern u32 boot_cpuid_words[NCPUID_WORDS];

static __always_inline bool boot_cpu_has(unsigned int feature)
{
	return (boot_cpuid_words[feature / 32] >> (feature % 32)) & 1;
}
extern bool fsgsbase_enabled;

#define static_cpu_has(f)	boot_cpu_has(f)
#define cpu_feature_enabled(f)	boot_cpu_has(f)

static __always_inline void cpuid_count(u32 leaf, u32 sub, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	asm volatile("cpuid" : "=a" (*eax), "=b" (*ebx), "=c" (*ecx), "=d" (*edx) : "a" (leaf), "c" (sub));
}
static __always_inline void cpuid(u32 leaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	cpuid_count(leaf, 0, eax, ebx, ecx, edx);
}

#endif
