/*
 * hash.c: hashes of byte strings.
 *
 * What:    jhash(): Bob Jenkins' lookup3,
 *          for keys of several words; siphash(): SipHash-2-4, for what strangers must not be able to make collide.
 * See:     burtleburtle.net/bob/hash/doobs.html; "SipHash: a fast short-input PRF" (Aumasson, Bernstein)
 */
#include <weft/hash.h>
#include <weft/string.h>
#include <weft/unaligned.h>

/* The bytes of the last, incomplete word. */
static u64 tail_bytes(const u8 *p, unsigned int n)
{
	u64 v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

#define JHASH_INITVAL	0xdeadbeef

struct jhash_state { u32 a, b, c; };

static __always_inline void jhash_mix(struct jhash_state *s)
{
	s->a -= s->c; s->a ^= rol32(s->c, 4);  s->c += s->b;
	s->b -= s->a; s->b ^= rol32(s->a, 6);  s->a += s->c;
	s->c -= s->b; s->c ^= rol32(s->b, 8);  s->b += s->a;
	s->a -= s->c; s->a ^= rol32(s->c, 16); s->c += s->b;
	s->b -= s->a; s->b ^= rol32(s->a, 19); s->a += s->c;
	s->c -= s->b; s->c ^= rol32(s->b, 4);  s->b += s->a;
}

static __always_inline u32 jhash_final(struct jhash_state *s)
{
	s->c ^= s->b; s->c -= rol32(s->b, 14);
	s->a ^= s->c; s->a -= rol32(s->c, 11);
	s->b ^= s->a; s->b -= rol32(s->a, 25);
	s->c ^= s->b; s->c -= rol32(s->b, 16);
	s->a ^= s->c; s->a -= rol32(s->c, 4);
	s->b ^= s->a; s->b -= rol32(s->a, 14);
	s->c ^= s->b; s->c -= rol32(s->b, 24);
	return s->c;
}

u32 jhash(const void *key, u32 length, u32 initval)
{
	u32 start = JHASH_INITVAL + length + initval;
	struct jhash_state s = { start, start, start };
	const u8 *k = key;
	u8 last[12] = { 0 };

	for (; length > 12; k += 12, length -= 12) {
		s.a += get_unaligned_le32(k);
		s.b += get_unaligned_le32(k + 4);
		s.c += get_unaligned_le32(k + 8);
		jhash_mix(&s);
	}
	if (!length)
		return s.c;
	memcpy(last, k, length);
	s.a += get_unaligned_le32(last);
	s.b += get_unaligned_le32(last + 4);
	s.c += get_unaligned_le32(last + 8);
	return jhash_final(&s);
}

u32 jhash2(const u32 *k, u32 length, u32 initval)
{
	u32 start = JHASH_INITVAL + (length << 2) + initval;
	struct jhash_state s = { start, start, start };

	for (; length > 3; k += 3, length -= 3) {
		s.a += k[0];
		s.b += k[1];
		s.c += k[2];
		jhash_mix(&s);
	}
	if (!length)
		return s.c;
	s.a += k[0];
	s.b += length > 1 ? k[1] : 0;
	s.c += length > 2 ? k[2] : 0;
	return jhash_final(&s);
}

static __always_inline void sip_round(u64 v[4])
{
	v[0] += v[1]; v[1] = rol64(v[1], 13); v[1] ^= v[0]; v[0] = rol64(v[0], 32);
	v[2] += v[3]; v[3] = rol64(v[3], 16); v[3] ^= v[2];
	v[0] += v[3]; v[3] = rol64(v[3], 21); v[3] ^= v[0];
	v[2] += v[1]; v[1] = rol64(v[1], 17); v[1] ^= v[2]; v[2] = rol64(v[2], 32);
}

static __always_inline void sip_absorb(u64 v[4], u64 word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

u64 siphash(const void *data, size_t len, const u64 key[2])
{
	u64 v[4] = { key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
		     key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull };
	const u8 *p = data;
	size_t left = len;

	for (; left >= 8; p += 8, left -= 8)
		sip_absorb(v, get_unaligned_le64(p));
	sip_absorb(v, tail_bytes(p, left) | (u64)len << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
