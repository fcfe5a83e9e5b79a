/*
 * chacha.c: the ChaCha20 block function.
 *
 * Idea:    64 bytes from 16 words: ten times the four columns, then the four diagonals; at last the input is added.
 * Locking: none: the state is the caller's.
 * See:     RFC 8439
 */
#include <weft/bitops.h>
#include <weft/string.h>
#include "chacha.h"

static __always_inline void quarter(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b; *d = rol32(*d ^ *a, 16);
	*c += *d; *b = rol32(*b ^ *c, 12);
	*a += *b; *d = rol32(*d ^ *a, 8);
	*c += *d; *b = rol32(*b ^ *c, 7);
}

void chacha_permute(u32 state[16])
{
	u32 x[16];

	memcpy(x, state, sizeof(x));
	for (int i = 0; i < 10; i++) {
		quarter(&x[0], &x[4], &x[8], &x[12]);
		quarter(&x[1], &x[5], &x[9], &x[13]);
		quarter(&x[2], &x[6], &x[10], &x[14]);
		quarter(&x[3], &x[7], &x[11], &x[15]);
		quarter(&x[0], &x[5], &x[10], &x[15]);
		quarter(&x[1], &x[6], &x[11], &x[12]);
		quarter(&x[2], &x[7], &x[8], &x[13]);
		quarter(&x[3], &x[4], &x[9], &x[14]);
	}
	memcpy(state, x, sizeof(x));
}

void chacha_block(u32 state[16], u8 out[CHACHA_BLOCK_BYTES])
{
	u32 x[16];

	memcpy(x, state, sizeof(x));
	chacha_permute(x);
	for (int i = 0; i < 16; i++)
		x[i] += state[i];
	memcpy(out, x, sizeof(x));
	if (!++state[12])
		state[13]++;
}

void chacha_init(u32 state[16], const u8 key[CHACHA_KEY_BYTES])
{
	static const char constant[16] __nonstring = "expand 32-byte k";

	memcpy(state, constant, sizeof(constant));
	memcpy(state + 4, key, CHACHA_KEY_BYTES);
	memset(state + 12, 0, 16);
}
