/*
 * crc32.c: cyclic redundancy checks, bit-reversed, without inversion before or after.
 *
 * Idea:    four tables of 256 entries take four bytes in one step ("slicing by four"); they are made at first use, which
 *          costs some microseconds and saves 8 KiB of image.  Two CPUs that make them at once write the same values.
 *          CRC-32C, which every change of ext4's metadata needs, is left to the processor if it can do it.
 * See:     asm/crc32.h
 */
#include <weft/crc32.h>
#include <weft/barrier.h>
#include <weft/unaligned.h>
#include <asm/crc32.h>

#define CRC32_POLY	0xedb88320u	/* Ethernet, gzip */
#define CRC32C_POLY	0x82f63b78u	/* Castagnoli */

struct crc_tables {
	u32	poly;
	bool	ready;			/* [a] the tables are complete */
	u32	t[4][256];
};

static struct crc_tables crc32_tables = { .poly = CRC32_POLY };
static struct crc_tables crc32c_tables = { .poly = CRC32C_POLY };

static void make_tables(struct crc_tables *c)
{
	for (u32 i = 0; i < 256; i++) {
		u32 crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ c->poly : crc >> 1;
		c->t[0][i] = crc;
	}
	for (u32 i = 0; i < 256; i++)
		for (int k = 1; k < 4; k++)
			c->t[k][i] = c->t[k - 1][i] >> 8 ^ c->t[0][c->t[k - 1][i] & 0xff];
	smp_store_release(&c->ready, true);
}

static u32 crc_update(struct crc_tables *c, u32 crc, const u8 *p, size_t len)
{
	if (!smp_load_acquire(&c->ready))
		make_tables(c);
	for (; len >= 4; p += 4, len -= 4) {
		crc ^= get_unaligned_le32(p);
		crc = c->t[3][crc & 0xff] ^ c->t[2][crc >> 8 & 0xff] ^ c->t[1][crc >> 16 & 0xff] ^ c->t[0][crc >> 24];
	}
	for (; len; p++, len--)
		crc = crc >> 8 ^ c->t[0][(crc ^ *p) & 0xff];
	return crc;
}

u32 crc32_le(u32 crc, const void *data, size_t len)
{
	return crc_update(&crc32_tables, crc, data, len);
}

u32 crc32c(u32 crc, const void *data, size_t len)
{
	return arch_has_crc32c() ? arch_crc32c(crc, data, len) : crc_update(&crc32c_tables, crc, data, len);
}
