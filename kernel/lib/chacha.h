/* chacha.h: the ChaCha20 block function (RFC 8439), for random.c. */
#ifndef LIB_CHACHA_H
#define LIB_CHACHA_H

#include <weft/types.h>

#define CHACHA_KEY_BYTES	32
#define CHACHA_BLOCK_BYTES	64

/* Twenty rounds over state, in place: a permutation of 64 bytes. */
void chacha_permute(u32 state[16]);
/* One block of key stream; counts state[12..13] up. */
void chacha_block(u32 state[16], u8 out[CHACHA_BLOCK_BYTES]);
/* Constants, key, counter and nonce 0. */
void chacha_init(u32 state[16], const u8 key[CHACHA_KEY_BYTES]);

#endif
