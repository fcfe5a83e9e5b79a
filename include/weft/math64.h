/*
 * math64.h: 64-bit division and products that pass through 128 bits.
 */
#ifndef WEFT_MATH64_H
#define WEFT_MATH64_H

#include <weft/types.h>

static inline u64 div64_u64(u64 n, u64 d) { return n / d; }
static inline s64 div64_s64(s64 n, s64 d) { return n / d; }
static inline u64 div_u64(u64 n, u32 d) { return n / d; }
static inline s64 div_s64(s64 n, s32 d) { return n / d; }
static inline u64 div_u64_rem(u64 n, u32 d, u32 *rem) { *rem = (u32)(n % d); return n / d; }
static inline s64 div_s64_rem(s64 n, s32 d, s32 *rem) { *rem = (s32)(n % d); return n / d; }
static inline u64 div64_u64_rem(u64 n, u64 d, u64 *rem) { *rem = n % d; return n / d; }
#define div64_ul(n, d)		div64_u64(n, d)
#define do_div(n, base) ({ u32 __rem = (u32)((u64)(n) % (u32)(base)); (n) = (u64)(n) / (u32)(base); __rem; })

static inline u64 mul_u32_u32(u32 a, u32 b) { return (u64)a * b; }
static inline u64 mul_u64_u32_shr(u64 a, u32 mul, unsigned int shift) { return (u64)(((u128)a * mul) >> shift); }
static inline u64 mul_u64_u64_shr(u64 a, u64 mul, unsigned int shift) { return (u64)(((u128)a * mul) >> shift); }

/* a * mul / div.  The quotient must fit 64 bits: the processor's own 128-by-64 division, for gcc would call a library. */
static inline u64 mul_u64_u64_div_u64(u64 a, u64 mul, u64 div)
{
	u64 quot, rem;

	__asm__("mulq %3; divq %4" : "=&a"(quot), "=&d"(rem) : "0"(a), "rm"(mul), "rm"(div));
	return quot;
}
static inline u64 mul_u64_u32_div(u64 a, u32 mul, u32 div) { return mul_u64_u64_div_u64(a, mul, div); }

#endif
