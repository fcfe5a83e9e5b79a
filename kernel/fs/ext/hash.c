/*
 * hash.c: the hashes by which directories are indexed: a reduced MD4, TEA, or the first one of all.
 *
 * What:    each over the bytes of a name, as signed or unsigned numbers: file systems were made on machines of both kinds,
 *          and the super block says which.  The lowest bit of the result is kept free: it marks, in the index, a hash that
 *          goes on in the next block.
 * Locking: none: pure functions.
 * See:     htree.c; the kernel.org wiki "Ext4 Disk Layout", "Directory hash"
 */
#include <weft/bitops.h>
#include <weft/string.h>
#include "ext.h"

#define HASH_EOF	0xfffffffeu		/* never a name's: readdir ends there */

static int byte_at(const char *p, size_t i, bool is_unsigned)
{
	return is_unsigned ? (int)(u8)p[i] : (int)(s8)p[i];
}

/* `words` numbers of four bytes each; what is missing is filled with the length. */
static void name_to_words(const char *p, size_t len, u32 *out, int words, bool is_unsigned)
{
	u32 pad = (u32)(len | len << 8), val;
	size_t used = min(len, (size_t)words * 4);

	pad |= pad << 16;
	val = pad;
	for (size_t i = 0; i < used; i++) {
		val = (u32)byte_at(p, i, is_unsigned) + (val << 8);
		if (i % 4 == 3) {
			*out++ = val;
			val = pad;
			words--;
		}
	}
	for (int i = 0; i < words; i++)
		*out++ = i ? pad : val;
}

/* ---- reduced MD4: three rounds of eight steps ---- */

static u32 choose(u32 x, u32 y, u32 z) { return z ^ (x & (y ^ z)); }
static u32 majority(u32 x, u32 y, u32 z) { return (x & y) + ((x ^ y) & z); }
static u32 parity(u32 x, u32 y, u32 z) { return x ^ y ^ z; }

static void md4_round(u32 v[4], const u32 *in, const u8 order[8], const u8 shift[4], u32 add, u32 (*f)(u32, u32, u32))
{
	for (int i = 0; i < 8; i++) {
		int a = -i & 3;			/* the roles turn: a, d, c, b */

		v[a] += f(v[(a + 1) & 3], v[(a + 2) & 3], v[(a + 3) & 3]) + in[order[i]] + add;
		v[a] = rol32(v[a], shift[i & 3]);
	}
}

static void half_md4(u32 state[4], const u32 in[8])
{
	static const u8 order[3][8] = { { 0, 1, 2, 3, 4, 5, 6, 7 }, { 1, 3, 5, 7, 0, 2, 4, 6 }, { 3, 7, 2, 6, 1, 5, 0, 4 } };
	static const u8 shift[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
	u32 v[4];

	memcpy(v, state, sizeof(v));
	md4_round(v, in, order[0], shift[0], 0, choose);
	md4_round(v, in, order[1], shift[1], 0x5a827999, majority);
	md4_round(v, in, order[2], shift[2], 0x6ed9eba1, parity);
	for (int i = 0; i < 4; i++)
		state[i] += v[i];
}

/* ---- the Tiny Encryption Algorithm ---- */

static void tea(u32 state[4], const u32 in[4])
{
	u32 sum = 0, x = state[0], y = state[1];

	for (int i = 0; i < 16; i++) {
		sum += 0x9e3779b9;
		x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
		y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
	}
	state[0] += x;
	state[1] += y;
}

static u32 legacy(const char *p, size_t len, bool is_unsigned)
{
	u32 h0 = 0x12a3fe2d, h1 = 0x37abe8f9;

	for (size_t i = 0; i < len; i++) {
		u32 h = h1 + (h0 ^ (u32)(byte_at(p, i, is_unsigned) * 7152373));

		if (h & 0x80000000)
			h -= 0x7fffffff;
		h1 = h0;
		h0 = h;
	}
	return h0 << 1;
}

/* 0 or -EINVAL: a hash we do not know. */
int ext_dirhash(const struct ext_fs *fs, u8 version, const char *name, size_t len, struct ext_hash *hash)
{
	u32 state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, in[8];
	bool is_unsigned = version >= DX_HASH_UNSIGNED;
	u8 kind = is_unsigned ? version - DX_HASH_UNSIGNED : version;

	if (fs->hash_seed[0] | fs->hash_seed[1] | fs->hash_seed[2] | fs->hash_seed[3])
		memcpy(state, fs->hash_seed, sizeof(state));
	hash->minor = 0;
	switch (kind) {
	case DX_HASH_LEGACY:
		hash->major = legacy(name, len, is_unsigned);
		break;
	case DX_HASH_HALF_MD4:
		for (ssize_t left = (ssize_t)len; left > 0; left -= 32, name += 32) {
			name_to_words(name, (size_t)left, in, 8, is_unsigned);
			half_md4(state, in);
		}
		hash->major = state[1];
		hash->minor = state[2];
		break;
	case DX_HASH_TEA:
		for (ssize_t left = (ssize_t)len; left > 0; left -= 16, name += 16) {
			name_to_words(name, (size_t)left, in, 4, is_unsigned);
			tea(state, in);
		}
		hash->major = state[0];
		hash->minor = state[1];
		break;
	default:
		return -EINVAL;
	}
	hash->major &= ~1u;
	if (hash->major == HASH_EOF)
		hash->major = HASH_EOF - 2;
	return 0;
}
