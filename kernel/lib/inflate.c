/*
 * inflate.c: the deflate decompressor.
 *
 * What:    gzip members (the initramfs) and bare deflate streams, from memory to a sink.
 * Idea:    deflate is literals and copies of earlier output, in Huffman codes.  A code table has 2^FAST_BITS entries
 *          indexed by the next bits of input; an entry says symbol and length at once.  Longer codes, which are rare, are
 *          decoded bit by bit: canonical codes of one length are consecutive numbers, so counting per length is enough.
 *          Output goes into a window of twice the 32 KiB that a copy can reach back.  When it is nearly full the new part
 *          goes to the sink and the last 32 KiB move to the front, so copies never wrap around and may run over by a word.
 *          Input behind the end reads as zeros and is noticed before anything more is put out, so no step checks for it.
 * Locking: none; all state is in one allocation.
 * See:     RFC 1951, RFC 1952
 */
#include <weft/inflate.h>
#include <weft/crc32.h>
#include <weft/errno.h>
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/unaligned.h>

#define WINDOW		(32u << 10)
#define LONGEST_COPY	258
#define WORD		sizeof(u64)
#define FULL		(2 * WINDOW - LONGEST_COPY)	/* a position up to here has room for any symbol */
#define FAST_BITS	10
#define MAX_BITS	15
#define MAX_LITERALS	288
#define MAX_DISTANCES	32
#define END_OF_BLOCK	256

struct huffman {
	u16	fast[1 << FAST_BITS];		/* symbol << 4 | length; 0: longer than FAST_BITS, or no code */
	u16	count[MAX_BITS + 1];		/* codes of each length */
	u16	symbol[MAX_LITERALS];		/* in the order of their codes */
};

struct bit_reader {
	const u8	*in, *in_end;
	u64		bits;			/* input not used yet, lowest bit first; above nr_bits anything */
	unsigned int	nr_bits;
	unsigned int	overrun;		/* bytes read behind the end */
};

struct inflate_state {
	struct bit_reader r;
	unsigned int	pos;			/* in the window */
	unsigned int	given;			/* what lies before this the sink has */
	u64		total;			/* bytes put out */
	u32		crc;
	inflate_sink	sink;
	void		*arg;
	struct huffman	literals, distances;
	u8		lengths[MAX_LITERALS + MAX_DISTANCES];
	u8		window[2 * WINDOW + WORD];
};

/* ---- bits ---- */

static void refill_at_end(struct bit_reader *r)
{
	for (; r->nr_bits < 56; r->nr_bits += 8) {
		if (r->in < r->in_end)
			r->bits |= (u64)*r->in++ << r->nr_bits;
		else
			r->overrun++;
	}
}

/*
 * At least 48 bits afterwards, enough for a literal or a whole copy.  A word brings up to seven bits more than are counted;
 * the next word brings the same ones again.
 */
static __always_inline void refill(struct bit_reader *r)
{
	if (r->nr_bits >= 48)
		return;
	if (likely(r->in_end - r->in >= (long)WORD)) {
		r->bits |= get_unaligned_le64(r->in) << r->nr_bits;
		r->in += (63 - r->nr_bits) / 8;
		r->nr_bits |= 56;
	} else {
		struct bit_reader end = *r;	/* the address of *r itself would keep it out of registers */

		refill_at_end(&end);
		*r = end;
	}
}

static __always_inline u32 take(struct bit_reader *r, unsigned int n)
{
	u32 v = (u32)(r->bits & ((1ull << n) - 1));

	r->bits >>= n;
	r->nr_bits -= n;
	return v;
}

static u32 get_bits(struct inflate_state *s, unsigned int n)
{
	refill(&s->r);
	return take(&s->r, n);
}

/* Bytes that were read ahead go back; bits of a started byte are dropped. */
static void align_to_byte(struct bit_reader *r)
{
	unsigned int ahead = r->nr_bits / 8, real = ahead > r->overrun ? ahead - r->overrun : 0;

	r->in -= real;
	r->overrun -= ahead - real;
	r->bits = 0;
	r->nr_bits = 0;
}

/* Was more used than there is?  Bytes only looked at do not count. */
static bool ran_out(const struct bit_reader *r)
{
	return r->overrun > r->nr_bits / 8;
}

/* ---- output ---- */

static int flush_window(struct inflate_state *s)
{
	unsigned int n = s->pos - s->given;
	int err = 0;

	if (n) {
		s->crc = crc32_le(s->crc, s->window + s->given, n);
		s->total += n;
		err = s->sink(s->arg, s->window + s->given, n);
	}
	if (s->pos > WINDOW) {
		memmove(s->window, s->window + s->pos - WINDOW, WINDOW);
		s->pos = WINDOW;
	}
	s->given = s->pos;
	return err;
}

/* A copy that begins less than a word back repeats what it has just written. */
static __always_inline void copy_back(u8 *to, unsigned int distance, unsigned int len)
{
	const u8 *from = to - distance;

	if (likely(distance >= WORD)) {
		for (unsigned int done = 0; done < len; done += WORD)
			put_unaligned(get_unaligned((const u64 *)(from + done)), (u64 *)(to + done));
	} else {
		while (len--)
			*to++ = *from++;
	}
}

/* ---- codes ---- */

/* The lowest n bits of v the other way round: codes come with their highest bit first. */
static unsigned int reverse(unsigned int v, unsigned int n)
{
	unsigned int r = 0;

	while (n--) {
		r = r << 1 | (v & 1);
		v >>= 1;
	}
	return r;
}

static void fill_fast(struct huffman *h, unsigned int code, unsigned int len, unsigned int symbol)
{
	for (unsigned int i = reverse(code, len); i < 1u << FAST_BITS; i += 1u << len)
		h->fast[i] = (u16)(symbol << 4 | len);
}

/* From the length of each symbol's code.  -EINVAL when there are more codes than bits allow. */
static int build(struct huffman *h, const u8 *lengths, unsigned int n)
{
	unsigned int next_code[MAX_BITS + 2], next_slot[MAX_BITS + 2], code = 0, slot = 0;

	memset(h, 0, sizeof(*h));
	for (unsigned int i = 0; i < n; i++)
		h->count[lengths[i]]++;
	h->count[0] = 0;
	for (unsigned int len = 1; len <= MAX_BITS; len++) {
		next_code[len] = code;
		next_slot[len] = slot;
		code += h->count[len];
		slot += h->count[len];
		if (code > 1u << len)
			return -EINVAL;
		code <<= 1;
	}
	for (unsigned int i = 0; i < n; i++) {
		unsigned int len = lengths[i];

		if (!len)
			continue;
		h->symbol[next_slot[len]++] = (u16)i;
		if (len <= FAST_BITS)
			fill_fast(h, next_code[len], len, i);
		next_code[len]++;
	}
	return 0;
}

/* A code longer than FAST_BITS, as an entry of the fast table would give it; 0: there is no such code. */
static noinline unsigned int decode_slow(u64 bits, const struct huffman *h)
{
	int code = 0, first = 0, index = 0;

	for (unsigned int len = 1; len <= MAX_BITS; len++) {
		code |= (int)(bits >> (len - 1) & 1);
		if (code - h->count[len] < first)
			return (unsigned int)h->symbol[index + code - first] << 4 | len;
		index += h->count[len];
		first = (first + h->count[len]) << 1;
		code <<= 1;
	}
	return 0;
}

/* At least MAX_BITS bits must be there.  The symbol, or -EINVAL. */
static __always_inline int decode(struct bit_reader *r, const struct huffman *h)
{
	unsigned int entry = h->fast[r->bits & ((1 << FAST_BITS) - 1)];

	if (unlikely(!entry)) {
		entry = decode_slow(r->bits, h);
		if (!entry)
			return -EINVAL;
	}
	take(r, entry & 15);
	return (int)(entry >> 4);
}

/* ---- blocks ---- */

static const u16 length_base[29] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99,
				     115, 131, 163, 195, 227, 258 };
static const u8 length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
static const u16 distance_base[30] = { 1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025,
				       1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 };
static const u8 distance_extra[30] = { 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12,
				       12, 13, 13 };

/* A copy whose length symbol has been read: appended at window + pos.  Its length, or -EINVAL. */
static __always_inline int copy_match(struct inflate_state *s, struct bit_reader *r, int symbol, unsigned int pos)
{
	unsigned int len, distance;

	symbol -= END_OF_BLOCK + 1;
	if (symbol >= (int)ARRAY_SIZE(length_base))
		return -EINVAL;
	len = length_base[symbol] + take(r, length_extra[symbol]);
	symbol = decode(r, &s->distances);
	if (symbol < 0 || symbol >= (int)ARRAY_SIZE(distance_base))
		return -EINVAL;
	distance = distance_base[symbol] + take(r, distance_extra[symbol]);
	if (distance > pos)
		return -EINVAL;		/* before the beginning; later, the window reaches back far enough for any */
	copy_back(s->window + pos, distance, len);
	return (int)len;
}

/* As many symbols as fit into the window.  1: it is full; 0: the block is complete; or -EINVAL. */
static int fill_window(struct inflate_state *s)
{
	struct bit_reader r = s->r;
	unsigned int pos = s->pos;
	int ret = 1;

	while (pos <= FULL) {
		int symbol;

		refill(&r);
		symbol = decode(&r, &s->literals);
		if (symbol < 0 || symbol == END_OF_BLOCK) {
			ret = symbol < 0 ? symbol : 0;
			break;
		}
		if (symbol < END_OF_BLOCK) {
			s->window[pos++] = (u8)symbol;
			continue;
		}
		symbol = copy_match(s, &r, symbol, pos);
		if (symbol < 0) {
			ret = symbol;
			break;
		}
		pos += (unsigned int)symbol;
	}
	s->r = r;
	s->pos = pos;
	return ran_out(&r) ? -EINVAL : ret;
}

static int compressed_block(struct inflate_state *s)
{
	int ret;

	while ((ret = fill_window(s)) > 0) {
		int err = flush_window(s);

		if (err)
			return err;
	}
	return ret;
}

static int stored_block(struct inflate_state *s)
{
	struct bit_reader *r = &s->r;
	unsigned int len;

	align_to_byte(r);
	if (r->in_end - r->in < 4)
		return -EINVAL;
	len = get_unaligned_le16(r->in);
	if ((len ^ get_unaligned_le16(r->in + 2)) != 0xffff)
		return -EINVAL;
	r->in += 4;
	if ((size_t)(r->in_end - r->in) < len)
		return -EINVAL;
	while (len) {
		unsigned int n = min(len, 2 * WINDOW - s->pos);
		int err = 0;

		memcpy(s->window + s->pos, r->in, n);
		r->in += n;
		s->pos += n;
		len -= n;
		if (s->pos > FULL)
			err = flush_window(s);
		if (err)
			return err;
	}
	return 0;
}

static int fixed_block(struct inflate_state *s)
{
	u8 *l = s->lengths;

	memset(l, 8, 144);
	memset(l + 144, 9, 112);
	memset(l + 256, 7, 24);
	memset(l + 280, 8, 8);
	memset(l + 288, 5, 30);
	build(&s->literals, l, 288);
	build(&s->distances, l + 288, 30);
	return compressed_block(s);
}

/* The code lengths of a dynamic block, themselves in a Huffman code with run lengths. */
static int read_lengths(struct inflate_state *s, unsigned int n)
{
	unsigned int i = 0;

	while (i < n) {
		unsigned int repeat = 1;
		int symbol;
		u8 value = 0;

		refill(&s->r);
		symbol = decode(&s->r, &s->literals);
		if (symbol < 0 || ran_out(&s->r))
			return -EINVAL;
		if (symbol < 16) {
			value = (u8)symbol;
		} else if (symbol == 16) {
			if (!i)
				return -EINVAL;
			value = s->lengths[i - 1];
			repeat = 3 + take(&s->r, 2);
		} else {
			repeat = symbol == 17 ? 3 + take(&s->r, 3) : 11 + take(&s->r, 7);
		}
		if (i + repeat > n)
			return -EINVAL;
		memset(s->lengths + i, value, repeat);
		i += repeat;
	}
	return 0;
}

static int dynamic_block(struct inflate_state *s)
{
	static const u8 order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	unsigned int nr_literals = 257 + get_bits(s, 5), nr_distances = 1 + get_bits(s, 5), nr_codes = 4 + get_bits(s, 4);
	u8 code_lengths[19] = { 0 };
	int err;

	if (nr_literals > 286 || nr_distances > 30)
		return -EINVAL;
	for (unsigned int i = 0; i < nr_codes; i++)
		code_lengths[order[i]] = (u8)get_bits(s, 3);
	err = build(&s->literals, code_lengths, 19);
	if (!err)
		err = read_lengths(s, nr_literals + nr_distances);
	if (!err && !s->lengths[END_OF_BLOCK])
		err = -EINVAL;
	if (!err)
		err = build(&s->distances, s->lengths + nr_literals, nr_distances);
	if (!err)
		err = build(&s->literals, s->lengths, nr_literals);
	return err ? err : compressed_block(s);
}

static int all_blocks(struct inflate_state *s)
{
	bool last;
	int err;

	do {
		unsigned int kind;

		last = get_bits(s, 1);
		kind = get_bits(s, 2);
		err = kind == 0 ? stored_block(s) : kind == 1 ? fixed_block(s) : kind == 2 ? dynamic_block(s) : -EINVAL;
		if (!err && ran_out(&s->r))
			err = -EINVAL;
	} while (!err && !last);
	if (!err)
		err = flush_window(s);
	align_to_byte(&s->r);
	return err;
}

static struct inflate_state *new_state(const u8 *in, size_t len, inflate_sink sink, void *arg)
{
	struct inflate_state *s = kvmalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	memset(s, 0, offsetof(struct inflate_state, window));
	s->r.in = in;
	s->r.in_end = in + len;
	s->crc = ~0u;
	s->sink = sink;
	s->arg = arg;
	return s;
}

int inflate(const u8 *in, size_t len, inflate_sink sink, void *arg, size_t *used)
{
	struct inflate_state *s = new_state(in, len, sink, arg);
	int err;

	if (!s)
		return -ENOMEM;
	err = all_blocks(s);
	*used = (size_t)(s->r.in - in);
	kvfree(s);
	return err;
}

/* ---- gzip ---- */

#define GZIP_HEADER	10
#define FLAG_HCRC	0x02
#define FLAG_EXTRA	0x04
#define FLAG_NAME	0x08
#define FLAG_COMMENT	0x10

bool is_gzip(const u8 *in, size_t len)
{
	return len > GZIP_HEADER && in[0] == 0x1f && in[1] == 0x8b && in[2] == 8;
}

/* The length of a member's header, or 0 when it is damaged. */
static size_t gzip_header(const u8 *in, size_t len)
{
	size_t n = GZIP_HEADER;
	u8 flags;

	if (!is_gzip(in, len))
		return 0;
	flags = in[3];
	if (flags & FLAG_EXTRA) {
		if (n + 2 > len)
			return 0;
		n += 2 + get_unaligned_le16(in + n);
	}
	for (u8 text = FLAG_NAME; text <= FLAG_COMMENT; text <<= 1) {
		const u8 *end;

		if (!(flags & text))
			continue;
		end = n < len ? memchr(in + n, 0, len - n) : NULL;
		if (!end)
			return 0;
		n = (size_t)(end - in) + 1;
	}
	if (flags & FLAG_HCRC)
		n += 2;
	return n < len ? n : 0;
}

int gunzip(const u8 *in, size_t len, inflate_sink sink, void *arg, size_t *used)
{
	size_t header = gzip_header(in, len);
	struct inflate_state *s;
	int err;

	*used = 0;
	if (!header)
		return -EINVAL;
	s = new_state(in + header, len - header, sink, arg);
	if (!s)
		return -ENOMEM;
	err = all_blocks(s);
	if (!err && (s->r.in_end - s->r.in < 8 || get_unaligned_le32(s->r.in) != ~s->crc ||
		     get_unaligned_le32(s->r.in + 4) != (u32)s->total))
		err = -EINVAL;
	*used = (size_t)(s->r.in - in) + (err ? 0 : 8);
	kvfree(s);
	return err;
}
