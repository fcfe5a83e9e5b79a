/*
 * hash.h: spreading numbers, pointers and byte strings over a table of 2^bits buckets.
 *
 * Idea:    multiply by 2^64 over the golden ratio; the high bits are the well mixed ones.
 */
#ifndef WEFT_HASH_H
#define WEFT_HASH_H

#include <weft/types.h>
#include <weft/bitops.h>

#define GOLDEN_RATIO_32		0x61c88647u
#define GOLDEN_RATIO_64		0x61c8864680b583ebull
#define GOLDEN_RATIO_PRIME	GOLDEN_RATIO_64

static inline u32 hash_64(u64 v, unsigned int bits) { return (u32)((v * GOLDEN_RATIO_64) >> (64 - bits)); }
static inline u32 __hash_32(u32 v) { return v * GOLDEN_RATIO_32; }
static inline u32 hash_32(u32 v, unsigned int bits) { return __hash_32(v) >> (32 - bits); }
static inline u32 hash_long(unsigned long v, unsigned int bits) { return hash_64(v, bits); }
static inline u32 hash_ptr(const void *p, unsigned int bits) { return hash_64((unsigned long)p, bits); }
static inline u32 hash32_ptr(const void *p) { return (u32)(unsigned long)p ^ (u32)((unsigned long)p >> 32); }

/* lib/hash.c: names of files, salted with the parent directory. */
u32 jhash(const void *key, u32 length, u32 initval);
u32 jhash2(const u32 *k, u32 length, u32 initval);
static inline u32 jhash_3words(u32 a, u32 b, u32 c, u32 initval)
{
	u32 k[3] = { a, b, c };

	return jhash2(k, 3, initval);
}
static inline u32 jhash_2words(u32 a, u32 b, u32 initval) { return jhash_3words(a, b, 0, initval); }
static inline u32 jhash_1word(u32 a, u32 initval) { return jhash_3words(a, 0, 0, initval); }
u64 siphash(const void *data, size_t len, const u64 key[2]);	/* cannot be guessed without the key */

#endif
