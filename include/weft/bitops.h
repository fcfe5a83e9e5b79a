/*
 * bitops.h: bits of words and of arrays of words.
 */
#ifndef WEFT_BITOPS_H
#define WEFT_BITOPS_H

#include <weft/types.h>
#include <weft/bits.h>
#include <asm/bitops.h>

#define assign_bit(nr, addr, value)	((value) ? set_bit(nr, addr) : clear_bit(nr, addr))
#define __assign_bit(nr, addr, value)	((value) ? __set_bit(nr, addr) : __clear_bit(nr, addr))

/*
 * Number of bits set.  Spelt out, because gcc turns __builtin_popcount into a call of its library when it may not
 * assume the instruction.
 */
static inline unsigned int hweight64(u64 w)
{
	w -= (w >> 1) & 0x5555555555555555ull;
	w = (w & 0x3333333333333333ull) + ((w >> 2) & 0x3333333333333333ull);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (w * 0x0101010101010101ull) >> 56;
}
#define hweight32(w)	hweight64((u32)(w))
#define hweight16(w)	hweight64((u16)(w))
#define hweight8(w)	hweight64((u8)(w))
#define hweight_long(w)	hweight64(w)

static inline u64 rol64(u64 w, unsigned int s) { return (w << (s & 63)) | (w >> (-s & 63)); }
static inline u64 ror64(u64 w, unsigned int s) { return (w >> (s & 63)) | (w << (-s & 63)); }
static inline u32 rol32(u32 w, unsigned int s) { return (w << (s & 31)) | (w >> (-s & 31)); }
static inline u32 ror32(u32 w, unsigned int s) { return (w >> (s & 31)) | (w << (-s & 31)); }
static inline u16 rol16(u16 w, unsigned int s) { return (u16)((w << (s & 15)) | (w >> (-s & 15))); }
static inline u8 rol8(u8 w, unsigned int s) { return (u8)((w << (s & 7)) | (w >> (-s & 7))); }
static inline s64 sign_extend64(u64 v, int index) { return (s64)(v << (63 - index)) >> (63 - index); }
static inline s32 sign_extend32(u32 v, int index) { return (s32)(v << (31 - index)) >> (31 - index); }

/* lib/bitmap.c: the first such bit at or after `from`, or size when there is none. */
unsigned long find_next_bit(const unsigned long *addr, unsigned long size, unsigned long from);
unsigned long find_next_zero_bit(const unsigned long *addr, unsigned long size, unsigned long from);
unsigned long find_last_bit(const unsigned long *addr, unsigned long size);
unsigned long find_next_and_bit(const unsigned long *a, const unsigned long *b, unsigned long size, unsigned long from);
#define find_first_bit(addr, size)	find_next_bit(addr, size, 0)
#define find_first_zero_bit(addr, size)	find_next_zero_bit(addr, size, 0)
#define find_first_and_bit(a, b, size)	find_next_and_bit(a, b, size, 0)

#define for_each_set_bit(bit, addr, size) \
	for ((bit) = find_next_bit(addr, size, 0); (bit) < (size); (bit) = find_next_bit(addr, size, (bit) + 1))
#define for_each_set_bit_from(bit, addr, size) \
	for ((bit) = find_next_bit(addr, size, bit); (bit) < (size); (bit) = find_next_bit(addr, size, (bit) + 1))
#define for_each_clear_bit(bit, addr, size) \
	for ((bit) = find_next_zero_bit(addr, size, 0); (bit) < (size); (bit) = find_next_zero_bit(addr, size, (bit) + 1))

/* Sets or clears the bits of mask in *ptr with one compare-and-swap. */
#define set_mask_bits(ptr, mask, bits) ({						\
	__value_typeof(*(ptr)) __mb_old = READ_ONCE(*(ptr));				\
	while (!__atomic_compare_exchange_n(ptr, &__mb_old, (__mb_old & ~(mask)) | (bits), 0, \
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))	\
		;									\
	__mb_old; })

#endif
