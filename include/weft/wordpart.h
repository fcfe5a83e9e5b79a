/*
 * wordpart.h: strings a word at a time: does a word hold a zero byte, and where.
 *
 * Idea:    (w - 0x01..01) & ~w & 0x80..80 has the top bit set in the first zero byte (and maybe in later ones).
 */
#ifndef WEFT_WORDPART_H
#define WEFT_WORDPART_H

#include <weft/types.h>

#define WORD_ONES	0x0101010101010101ul
#define WORD_HIGHS	0x8080808080808080ul

static inline unsigned long has_zero(unsigned long w) { return (w - WORD_ONES) & ~w & WORD_HIGHS; }
/* From has_zero()'s non-zero result: the number of bytes before the first zero byte. */
static inline unsigned int zero_byte_index(unsigned long mask) { return __builtin_ctzl(mask) >> 3; }
/* A word from an address of any alignment. */
static inline unsigned long load_unaligned_ulong(const void *p)
{
	struct { unsigned long v; } __packed const *u = p;

	return u->v;
}

#endif
