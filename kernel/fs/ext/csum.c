/*
 * csum.c: checksums over everything that is not file data.
 *
 * Idea:    metadata_csum: crc32c, begun with the file system's seed (of its UUID, or kept in the super block), then with the
 *          number of what is summed up (inode and generation, group), so that a block in a wrong place is noticed too.
 *          The older gdt_csum sums up group descriptors only, by crc16.  The place of the sum itself counts as zero.
 * Locking: the buffer's or the group's, which the caller holds to change what is summed up.
 * See:     ext_disk.h; the kernel.org wiki "Ext4 Metadata Checksums"
 */
#include <weft/crc32.h>
#include <weft/string.h>
#include "ext.h"

u32 ext_csum(u32 crc, const void *data, size_t len)
{
	return crc32c(crc, data, len);
}

static u16 crc16(u16 crc, const void *data, size_t len)
{
	for (const u8 *p = data; len--; p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
	}
	return crc;
}

/* ---- inodes ---- */

u32 ext_inode_seed(const struct ext_fs *fs, u32 ino, u32 generation)
{
	return ext_csum(ext_csum(fs->csum_seed, &ino, 4), &generation, 4);
}

static bool has_csum_hi(const struct ext_fs *fs, const struct ext_raw_inode *raw)
{
	return fs->inode_size > EXT_GOOD_OLD_INODE_SIZE && raw->i_extra_isize >= 4;
}

/* raw is changed and restored: its sums count as zero. */
static u32 inode_csum(const struct ext_fs *fs, u32 ino, const struct ext_raw_inode *raw)
{
	const u8 *p = (const u8 *)raw;
	u32 crc = ext_inode_seed(fs, ino, raw->i_generation);
	const u16 zero = 0;
	size_t lo = offsetof(struct ext_raw_inode, i_checksum_lo), hi = offsetof(struct ext_raw_inode, i_checksum_hi);

	crc = ext_csum(crc, p, lo);
	crc = ext_csum(crc, &zero, 2);
	crc = ext_csum(crc, p + lo + 2, EXT_GOOD_OLD_INODE_SIZE - lo - 2);
	if (fs->inode_size == EXT_GOOD_OLD_INODE_SIZE)
		return crc;
	if (!has_csum_hi(fs, raw))
		return ext_csum(crc, p + EXT_GOOD_OLD_INODE_SIZE, fs->inode_size - EXT_GOOD_OLD_INODE_SIZE);
	crc = ext_csum(crc, p + EXT_GOOD_OLD_INODE_SIZE, hi - EXT_GOOD_OLD_INODE_SIZE);
	crc = ext_csum(crc, &zero, 2);
	return ext_csum(crc, p + hi + 2, fs->inode_size - hi - 2);
}

bool ext_inode_csum_ok(const struct ext_fs *fs, u32 ino, const struct ext_raw_inode *raw)
{
	u32 crc;

	if (!has_metadata_csum(fs))
		return true;
	crc = inode_csum(fs, ino, raw);
	if (!has_csum_hi(fs, raw))
		return raw->i_checksum_lo == (u16)crc;
	return make64(0, (u32)raw->i_checksum_hi << 16 | raw->i_checksum_lo) == crc;
}

void ext_inode_csum_set(const struct ext_fs *fs, u32 ino, struct ext_raw_inode *raw)
{
	u32 crc;

	if (!has_metadata_csum(fs))
		return;
	crc = inode_csum(fs, ino, raw);
	raw->i_checksum_lo = (u16)crc;
	if (has_csum_hi(fs, raw))
		raw->i_checksum_hi = (u16)(crc >> 16);
}

/* ---- super block and groups ---- */

static u32 super_csum(const struct ext_super_block *es)
{
	return ext_csum(~0u, es, offsetof(struct ext_super_block, s_checksum));
}

bool ext_super_csum_ok(const struct ext_super_block *es)
{
	return !(es->s_feature_ro_compat & RO_COMPAT_METADATA_CSUM) || super_csum(es) == es->s_checksum;
}

void ext_super_csum_set(struct ext_super_block *es)
{
	if (es->s_feature_ro_compat & RO_COMPAT_METADATA_CSUM)
		es->s_checksum = super_csum(es);
}

static u16 group_csum(const struct ext_fs *fs, u32 group, const struct ext_group_desc *gd)
{
	size_t at = offsetof(struct ext_group_desc, bg_checksum);
	const u8 *p = (const u8 *)gd;
	const u16 zero = 0;
	u16 crc;

	if (has_metadata_csum(fs)) {
		u32 c = ext_csum(ext_csum(fs->csum_seed, &group, 4), p, at);

		c = ext_csum(c, &zero, 2);
		return (u16)ext_csum(c, p + at + 2, fs->desc_size - at - 2);
	}
	crc = crc16(0xffff, fs->es->s_uuid, sizeof(fs->es->s_uuid));
	crc = crc16(crc, &group, 4);
	crc = crc16(crc, p, at);
	return fs->desc_size > at + 2 ? crc16(crc, p + at + 2, fs->desc_size - at - 2) : crc;
}

bool ext_group_csum_ok(const struct ext_fs *fs, u32 group, const struct ext_group_desc *gd)
{
	return !has_group_csum(fs) || group_csum(fs, group, gd) == gd->bg_checksum;
}

void ext_group_csum_set(const struct ext_fs *fs, u32 group, struct ext_group_desc *gd)
{
	if (has_group_csum(fs))
		gd->bg_checksum = group_csum(fs, group, gd);
}

static size_t bitmap_bytes(const struct ext_fs *fs, bool inodes)
{
	return (inodes ? fs->inodes_per_group : fs->blocks_per_group) / 8;
}

bool ext_bitmap_csum_ok(const struct ext_fs *fs, const struct ext_group_desc *gd, const void *map, bool inodes)
{
	u32 crc, lo = inodes ? gd->bg_inode_bitmap_csum_lo : gd->bg_block_bitmap_csum_lo;

	if (!has_metadata_csum(fs))
		return true;
	crc = ext_csum(fs->csum_seed, map, bitmap_bytes(fs, inodes));
	if (fs->desc_size < sizeof(*gd))
		return (u16)crc == lo;
	return crc == (lo | (u32)(inodes ? gd->bg_inode_bitmap_csum_hi : gd->bg_block_bitmap_csum_hi) << 16);
}

void ext_bitmap_csum_set(const struct ext_fs *fs, struct ext_group_desc *gd, const void *map, bool inodes)
{
	u32 crc;

	if (!has_metadata_csum(fs))
		return;
	crc = ext_csum(fs->csum_seed, map, bitmap_bytes(fs, inodes));
	if (inodes)
		gd->bg_inode_bitmap_csum_lo = (u16)crc;
	else
		gd->bg_block_bitmap_csum_lo = (u16)crc;
	if (fs->desc_size < sizeof(*gd))
		return;
	if (inodes)
		gd->bg_inode_bitmap_csum_hi = (u16)(crc >> 16);
	else
		gd->bg_block_bitmap_csum_hi = (u16)(crc >> 16);
}

/* ---- blocks of inodes: the sum lies behind what is summed up ---- */

static size_t extent_bytes(const void *block)
{
	const struct ext_extent_header *eh = block;

	return sizeof(*eh) + (size_t)eh->eh_max * sizeof(struct ext_extent);
}

bool ext_extent_csum_ok(const struct inode *inode, const void *block)
{
	size_t n = extent_bytes(block);

	if (!has_metadata_csum(EXT_FS(inode->i_sb)))
		return true;
	return n + 4 <= inode->i_sb->s_blocksize &&
	       ext_csum(EXT_I(inode)->csum_seed, block, n) == get_unaligned_le32((const u8 *)block + n);
}

void ext_extent_csum_set(const struct inode *inode, void *block)
{
	size_t n = extent_bytes(block);

	if (has_metadata_csum(EXT_FS(inode->i_sb)))
		put_unaligned_le32(ext_csum(EXT_I(inode)->csum_seed, block, n), (u8 *)block + n);
}

static struct ext_dirent_tail *dirent_tail(const struct inode *dir, const void *block)
{
	return (void *)((u8 *)block + dir->i_sb->s_blocksize - sizeof(struct ext_dirent_tail));
}

static u32 dirent_csum(const struct inode *dir, const void *block)
{
	return ext_csum(EXT_I(dir)->csum_seed, block, dir->i_sb->s_blocksize - sizeof(struct ext_dirent_tail));
}

bool ext_dirent_csum_ok(const struct inode *dir, const void *block)
{
	const struct ext_dirent_tail *t = dirent_tail(dir, block);

	if (!has_metadata_csum(EXT_FS(dir->i_sb)))
		return true;
	return !t->zero1 && t->rec_len == sizeof(*t) && !t->zero2 && t->fake_type == EXT_FT_DIR_CSUM &&
	       t->checksum == dirent_csum(dir, block);
}

void ext_dirent_csum_set(const struct inode *dir, void *block)
{
	struct ext_dirent_tail *t = dirent_tail(dir, block);

	if (!has_metadata_csum(EXT_FS(dir->i_sb)))
		return;
	*t = (struct ext_dirent_tail){ .rec_len = sizeof(*t), .fake_type = EXT_FT_DIR_CSUM };
	t->checksum = dirent_csum(dir, block);
}

/* Up to the last entry in use, then the tail, which lies behind the last that could be. */
static u32 dx_csum(const struct inode *dir, const void *block, const struct ext_dx_countlimit *cl,
		   const struct ext_dx_tail *tail)
{
	size_t used = (size_t)((const u8 *)cl - (const u8 *)block) + cl->count * sizeof(struct ext_dx_entry);
	const u32 zero = 0;
	u32 crc = ext_csum(EXT_I(dir)->csum_seed, block, used);

	return ext_csum(ext_csum(crc, &tail->reserved, 4), &zero, 4);
}

static struct ext_dx_tail *dx_tail(const struct ext_dx_countlimit *cl)
{
	return (struct ext_dx_tail *)((struct ext_dx_entry *)cl + cl->limit);
}

bool ext_dx_csum_ok(const struct inode *dir, const void *block, const struct ext_dx_countlimit *cl)
{
	const u8 *end = (const u8 *)block + dir->i_sb->s_blocksize;

	if (!has_metadata_csum(EXT_FS(dir->i_sb)))
		return true;
	return (const u8 *)(dx_tail(cl) + 1) <= end && cl->count <= cl->limit &&
	       dx_tail(cl)->checksum == dx_csum(dir, block, cl, dx_tail(cl));
}

void ext_dx_csum_set(const struct inode *dir, void *block, struct ext_dx_countlimit *cl)
{
	if (has_metadata_csum(EXT_FS(dir->i_sb)))
		dx_tail(cl)->checksum = dx_csum(dir, block, cl, dx_tail(cl));
}

u32 ext_xattr_csum(const struct inode *inode, u64 block, const struct ext_xattr_header *h)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);
	size_t at = offsetof(struct ext_xattr_header, h_checksum);
	const u32 zero = 0;
	u32 crc = ext_csum(fs->csum_seed, &block, 8);

	crc = ext_csum(crc, h, at);
	crc = ext_csum(crc, &zero, 4);
	return ext_csum(crc, (const u8 *)h + at + 4, inode->i_sb->s_blocksize - at - 4);
}
