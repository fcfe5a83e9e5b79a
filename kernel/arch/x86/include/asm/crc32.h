/*
 * crc32.h: CRC-32C by the processor's own instruction (SSE4.2).
 *
 * Idea:    `crc32` works on general registers, so the kernel may use it anywhere: no vector state has to be saved.
 * See:     kernel/lib/crc32.c
 */
#ifndef ASM_CRC32_H
#define ASM_CRC32_H

#include <weft/types.h>
#include <weft/unaligned.h>
#include <asm/cpufeature.h>

#define X86_FEATURE_XMM4_2	X86_FEATURE(CPUID_1_ECX, 20)

static inline bool arch_has_crc32c(void)
{
	return boot_cpu_has(X86_FEATURE_XMM4_2);
}

static __always_inline u64 crc32c_8(u64 crc, const u8 *p)
{
	asm("crc32q %1, %0" : "+r" (crc) : "rm" (get_unaligned_le64(p)));
	return crc;
}

/* Only if arch_has_crc32c(). */
static inline u32 arch_crc32c(u32 seed, const u8 *p, size_t len)
{
	u64 crc = seed;

	for (; len >= 64; p += 64, len -= 64) {
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			crc = crc32c_8(crc, p + 8 * i);
	}
	for (; len >= 8; p += 8, len -= 8)
		crc = crc32c_8(crc, p);
	for (; len; p++, len--)
		asm("crc32b %1, %k0" : "+r" (crc) : "rm" (*p));
	return (u32)crc;
}

#endif
