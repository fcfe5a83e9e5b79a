/*
 * bitmap.c: arrays of bits: search, combination, and their text.
 *
 * Idea:    whole words first, then the last word under a mask, so that what lies in the unused bits does not matter.
 *          Searches read each word once (READ_ONCE): the map may change under them, and then either answer was true.
 * See:     include/weft/bitmap.h, bitops.h
 */
#include <weft/bitmap.h>
#include <weft/ctype.h>
#include <weft/kernel.h>
#include <weft/slab.h>

/* The first set bit of (a & b) ^ flip at or after `from`; b may be NULL for all ones. */
static __always_inline unsigned long find_next(const unsigned long *a, const unsigned long *b, unsigned long flip,
					       unsigned long size, unsigned long from)
{
	unsigned long mask = BITMAP_FIRST_WORD_MASK(from);

	for (unsigned long i = from / BITS_PER_LONG; i * BITS_PER_LONG < size; i++, mask = ~0UL) {
		unsigned long word = (READ_ONCE(a[i]) & (b ? READ_ONCE(b[i]) : ~0UL)) ^ flip;

		word &= mask;
		if (word)
			return min(i * BITS_PER_LONG + __ffs(word), size);
	}
	return size;
}

unsigned long find_next_bit(const unsigned long *addr, unsigned long size, unsigned long from)
{
	return find_next(addr, NULL, 0, size, from);
}

unsigned long find_next_zero_bit(const unsigned long *addr, unsigned long size, unsigned long from)
{
	return find_next(addr, NULL, ~0UL, size, from);
}

unsigned long find_next_and_bit(const unsigned long *a, const unsigned long *b, unsigned long size, unsigned long from)
{
	return find_next(a, b, 0, size, from);
}

unsigned long find_last_bit(const unsigned long *addr, unsigned long size)
{
	unsigned long mask = BITMAP_LAST_WORD_MASK(size);

	for (unsigned long i = BITS_TO_LONGS(size); i-- > 0; mask = ~0UL) {
		unsigned long word = READ_ONCE(addr[i]) & mask;

		if (word)
			return i * BITS_PER_LONG + __fls(word);
	}
	return size;
}

/* dst = a op b, in words; the value is whether any bit below nbits is left. */
#define BITMAP_OP(expr)								\
	unsigned long any = 0;							\
	unsigned int words = BITS_TO_LONGS(nbits);				\
										\
	for (unsigned int i = 0; i < words; i++) {				\
		dst[i] = (expr);						\
		any |= i == words - 1 ? dst[i] & BITMAP_LAST_WORD_MASK(nbits) : dst[i]; \
	}

bool bitmap_and(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_OP(a[i] & b[i])
	return any;
}

bool bitmap_andnot(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_OP(a[i] & ~b[i])
	return any;
}

void bitmap_or(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_OP(a[i] | b[i])
	(void)any;
}

void bitmap_xor(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_OP(a[i] ^ b[i])
	(void)any;
}

void bitmap_complement(unsigned long *dst, const unsigned long *src, unsigned int nbits)
{
	BITMAP_OP(~src[i])
	(void)any;
}

/* Is expr zero in all bits below nbits? */
#define BITMAP_NONE(expr)							\
	unsigned int words = BITS_TO_LONGS(nbits);				\
										\
	for (unsigned int i = 0; i < words; i++)				\
		if ((expr) & (i == words - 1 ? BITMAP_LAST_WORD_MASK(nbits) : ~0UL)) \
			return false;						\
	return true;

bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_NONE(a[i] ^ b[i])
}

bool bitmap_subset(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_NONE(a[i] & ~b[i])
}

static bool bitmap_disjoint(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	BITMAP_NONE(a[i] & b[i])
}

bool bitmap_intersects(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	return !bitmap_disjoint(a, b, nbits);
}

bool bitmap_empty(const unsigned long *src, unsigned int nbits)
{
	return find_first_bit(src, nbits) == nbits;
}

bool bitmap_full(const unsigned long *src, unsigned int nbits)
{
	return find_first_zero_bit(src, nbits) == nbits;
}

unsigned int bitmap_weight(const unsigned long *src, unsigned int nbits)
{
	unsigned int words = BITS_TO_LONGS(nbits), n = 0;

	for (unsigned int i = 0; i < words; i++)
		n += hweight_long(src[i] & (i == words - 1 ? BITMAP_LAST_WORD_MASK(nbits) : ~0UL));
	return n;
}

/* Calls out each word that the run [start, start + len) touches, with the bits of the run in it. */
#define FOR_EACH_WORD_OF_RUN(word, mask, start, len)				\
	for (unsigned int __bit = (start), __end = (start) + (len), word, __dummy = 1; __bit < __end && __dummy; \
	     __bit = (word + 1) * BITS_PER_LONG)				\
		for (unsigned long mask = (word = __bit / BITS_PER_LONG,	\
		     BITMAP_FIRST_WORD_MASK(__bit) &				\
		     (__end >= (word + 1) * BITS_PER_LONG ? ~0UL : BITMAP_LAST_WORD_MASK(__end))); mask; mask = 0)

void bitmap_set(unsigned long *map, unsigned int start, unsigned int len)
{
	FOR_EACH_WORD_OF_RUN(word, mask, start, len)
		map[word] |= mask;
}

void bitmap_clear(unsigned long *map, unsigned int start, unsigned int len)
{
	FOR_EACH_WORD_OF_RUN(word, mask, start, len)
		map[word] &= ~mask;
}

unsigned long bitmap_find_next_zero_area(unsigned long *map, unsigned long size, unsigned long start,
					 unsigned int nr, unsigned long align_mask)
{
	for (;;) {
		unsigned long end, taken;

		start = find_next_zero_bit(map, size, start);
		start = __ALIGN_MASK(start, align_mask);
		end = start + nr;
		if (end > size)
			return end;
		taken = find_next_bit(map, end, start);
		if (taken >= end)
			return start;
		start = taken + 1;
	}
}

unsigned long *bitmap_alloc(unsigned int nbits, gfp_t flags)
{
	return kmalloc_array(BITS_TO_LONGS(nbits), sizeof(unsigned long), flags);
}

unsigned long *bitmap_zalloc(unsigned int nbits, gfp_t flags)
{
	return bitmap_alloc(nbits, flags | __GFP_ZERO);
}

void bitmap_free(const unsigned long *bitmap)
{
	kfree(bitmap);
}

int bitmap_print_list(char *buf, size_t size, const unsigned long *map, unsigned int nbits)
{
	unsigned int start, end;
	int len = 0;

	if (size)
		buf[0] = '\0';
	for (start = find_first_bit(map, nbits); start < nbits; start = find_next_bit(map, nbits, end + 1)) {
		end = find_next_zero_bit(map, nbits, start) - 1;
		len += scnprintf(buf + len, size - len, end > start ? "%s%u-%u" : "%s%u", len ? "," : "", start, end);
	}
	return len;
}

int bitmap_print_mask(char *buf, size_t size, const unsigned long *map, unsigned int nbits)
{
	unsigned int chunks = DIV_ROUND_UP(nbits, 32);
	int len = 0;

	for (unsigned int i = chunks; i-- > 0;) {
		unsigned int bits = i == chunks - 1 && nbits % 32 ? nbits % 32 : 32;
		u32 value = (u32)(map[i / 2] >> (i % 2 * 32)) & (u32)(~0UL >> (64 - bits));

		len += scnprintf(buf + len, size - len, "%s%0*x", len ? "," : "", (int)DIV_ROUND_UP(bits, 4), value);
	}
	return len;
}

/* One "N" or "N-M" of a list.  Moves *s behind it. */
static int parse_range(const char **s, unsigned int *first, unsigned int *last, unsigned int nbits)
{
	char *end;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	*first = *last = simple_strtoul(*s, &end, 10);
	if (*end == '-') {
		*s = end + 1;
		if (!isdigit((unsigned char)**s))
			return -EINVAL;
		*last = simple_strtoul(*s, &end, 10);
	}
	*s = end;
	if (*last < *first)
		return -EINVAL;
	return *last < nbits ? 0 : -ERANGE;
}

int bitmap_parselist(const char *buf, unsigned long *map, unsigned int nbits)
{
	unsigned int first, last;

	bitmap_zero(map, nbits);
	for (;;) {
		int err;

		while (isspace((unsigned char)*buf) || *buf == ',')
			buf++;
		if (!*buf)
			return 0;
		err = parse_range(&buf, &first, &last, nbits);
		if (err)
			return err;
		bitmap_set(map, first, last - first + 1);
		if (*buf && *buf != ',' && !isspace((unsigned char)*buf))
			return -EINVAL;
	}
}
