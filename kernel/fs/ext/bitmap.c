/*
 * bitmap.c: a group's bitmaps of blocks and inodes.
 *
 * Idea:    mke2fs may leave the bitmaps of untouched groups unwritten (BG_*_UNINIT): then they are what the layout says, and
 *          are made here when they are first asked for.  A bitmap from the disk is checked once.
 * Locking: the group's lock.
 * See:     group.c, balloc.c, ialloc.c
 */
#include <weft/bitmap.h>
#include <weft/err.h>
#include <weft/string.h>
#include "ext.h"

#define BH_Checked	(BH_PrivateStart + 6)

/* Bits of a bitmap that stand for nothing are set. */
static void pad(const struct ext_fs *fs, void *map, u32 used)
{
	bitmap_set(map, used, (u32)fs->sb->s_blocksize * 8 - used);
}

/* Sets those blocks of [first, first + len) that lie in the group. */
static void mark_used(const struct ext_fs *fs, u32 group, unsigned long *map, u64 first, u32 len)
{
	u64 base = ext_group_first(fs, group), lo = max(first, base);
	u64 hi = min(first + len, base + ext_blocks_in_group(fs, group));

	if (lo < hi)
		bitmap_set(map, (u32)(lo - base), (u32)(hi - lo));
}

/* A group that nobody has used: its copy of the super block, and what of its own tables lies in it. */
static void make_block_bitmap(const struct ext_fs *fs, u32 group, unsigned long *map)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);

	memset(map, 0, fs->sb->s_blocksize);
	mark_used(fs, group, map, ext_group_first(fs, group), ext_group_base_meta(fs, group));
	mark_used(fs, group, map, gd_block_bitmap(fs, gd), 1);
	mark_used(fs, group, map, gd_inode_bitmap(fs, gd), 1);
	mark_used(fs, group, map, gd_inode_table(fs, gd), fs->itable_blocks);
	pad(fs, map, ext_blocks_in_group(fs, group));
}

/* The tables of the group must be marked as used, or they would be given away. */
static bool block_bitmap_ok(const struct ext_fs *fs, u32 group, const unsigned long *map)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	u64 base = ext_group_first(fs, group), end = base + ext_blocks_in_group(fs, group);
	u64 own[] = { gd_block_bitmap(fs, gd), gd_inode_bitmap(fs, gd), gd_inode_table(fs, gd),
		      gd_inode_table(fs, gd) + fs->itable_blocks - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] >= base && own[i] < end && !test_bit((u32)(own[i] - base), map))
			return false;
	return true;
}

static struct buffer_head *bad_bitmap(struct ext_fs *fs, u32 group, struct buffer_head *bh, const char *what)
{
	fs->groups[group].bad = true;
	ext_error(fs->sb, "group %u: %s bitmap is broken", group, what);
	brelse(bh);
	return ERR_PTR(-EUCLEAN);
}

/* uninit: what is on the disk does not matter. */
static struct buffer_head *get_bitmap(struct ext_fs *fs, u64 block, bool uninit)
{
	return uninit ? sb_getblk(fs->sb, block) : sb_bread(fs->sb, block);
}

struct buffer_head *ext_read_block_bitmap(struct ext_fs *fs, u32 group)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	bool uninit = has_group_csum(fs) && gd->bg_flags & BG_BLOCK_UNINIT;
	struct buffer_head *bh = get_bitmap(fs, gd_block_bitmap(fs, gd), uninit);

	if (!bh)
		return ERR_PTR(-EIO);
	if (test_bit(BH_Checked, &bh->b_state))
		return bh;
	if (uninit) {
		make_block_bitmap(fs, group, (unsigned long *)bh->b_data);
		set_buffer_uptodate(bh);
	} else if (!ext_bitmap_csum_ok(fs, gd, bh->b_data, false) ||
		   !block_bitmap_ok(fs, group, (unsigned long *)bh->b_data)) {
		return bad_bitmap(fs, group, bh, "block");
	}
	set_bit(BH_Checked, &bh->b_state);
	return bh;
}

struct buffer_head *ext_read_inode_bitmap(struct ext_fs *fs, u32 group)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	bool uninit = has_group_csum(fs) && gd->bg_flags & BG_INODE_UNINIT;
	struct buffer_head *bh = get_bitmap(fs, gd_inode_bitmap(fs, gd), uninit);

	if (!bh)
		return ERR_PTR(-EIO);
	if (test_bit(BH_Checked, &bh->b_state))
		return bh;
	if (uninit) {
		memset(bh->b_data, 0, fs->sb->s_blocksize);
		pad(fs, bh->b_data, fs->inodes_per_group);
		set_buffer_uptodate(bh);
	} else if (!ext_bitmap_csum_ok(fs, gd, bh->b_data, true)) {
		return bad_bitmap(fs, group, bh, "inode");
	}
	set_bit(BH_Checked, &bh->b_state);
	return bh;
}
