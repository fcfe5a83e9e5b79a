/*
 * group.c: group descriptors: where each group's bitmaps and inode table lie, and what is free there.
 *
 * Idea:    their blocks stay in memory while the file system is mounted.  They lie behind the super block, all of them; or,
 *          with meta_bg from some point on, one block in the first group of each that it describes.
 * Locking: the group's lock for the descriptor; which blocks it names never changes.
 * See:     ext_disk.h
 */
#include <weft/err.h>
#include <weft/slab.h>
#include "ext.h"

struct ext_group_desc *ext_gd(const struct ext_fs *fs, u32 group, struct buffer_head **bh)
{
	struct buffer_head *block = fs->gdt[group / fs->desc_per_block];

	if (bh)
		*bh = block;
	return (struct ext_group_desc *)(block->b_data + (group % fs->desc_per_block) * fs->desc_size);
}

static bool has_hi(const struct ext_fs *fs)
{
	return fs->desc_size >= sizeof(struct ext_group_desc);
}

#define GD_GET(fs, gd, field) \
	((gd)->bg_##field##_lo | (has_hi(fs) ? (u64)(gd)->bg_##field##_hi << 8 * sizeof((gd)->bg_##field##_lo) : 0))
#define GD_SET(fs, gd, field, n) do {						\
	(gd)->bg_##field##_lo = (u16)(n);					\
	if (has_hi(fs))								\
		(gd)->bg_##field##_hi = (u16)((n) >> 16);			\
} while (0)

u64 gd_block_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd) { return GD_GET(fs, gd, block_bitmap); }
u64 gd_inode_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd) { return GD_GET(fs, gd, inode_bitmap); }
u64 gd_inode_table(const struct ext_fs *fs, const struct ext_group_desc *gd) { return GD_GET(fs, gd, inode_table); }
u32 gd_free_blocks(const struct ext_fs *fs, const struct ext_group_desc *gd) { return (u32)GD_GET(fs, gd, free_blocks); }
u32 gd_free_inodes(const struct ext_fs *fs, const struct ext_group_desc *gd) { return (u32)GD_GET(fs, gd, free_inodes); }
u32 gd_used_dirs(const struct ext_fs *fs, const struct ext_group_desc *gd) { return (u32)GD_GET(fs, gd, used_dirs); }
u32 gd_itable_unused(const struct ext_fs *fs, const struct ext_group_desc *gd) { return (u32)GD_GET(fs, gd, itable_unused); }
void gd_set_free_blocks(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n) { GD_SET(fs, gd, free_blocks, n); }
void gd_set_free_inodes(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n) { GD_SET(fs, gd, free_inodes, n); }
void gd_set_used_dirs(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n) { GD_SET(fs, gd, used_dirs, n); }
void gd_set_itable_unused(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n) { GD_SET(fs, gd, itable_unused, n); }

/* ---- the layout ---- */

static bool is_power_of(u32 n, u32 base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

/* Copies of the super block: in every group, or in 0, 1 and the powers of 3, 5 and 7, or in two that it names. */
bool ext_group_has_super(const struct ext_fs *fs, u32 group)
{
	if (!group)
		return true;
	if (has_compat(fs, COMPAT_SPARSE_SUPER2))
		return group == fs->es->s_backup_bgs[0] || group == fs->es->s_backup_bgs[1];
	if (!has_ro_compat(fs, RO_COMPAT_SPARSE_SUPER))
		return true;
	return group == 1 || is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

u32 ext_group_base_meta(const struct ext_fs *fs, u32 group)
{
	u32 first_meta = has_incompat(fs, INCOMPAT_META_BG) ? fs->es->s_first_meta_bg : ~0u;
	u32 super = ext_group_has_super(fs, group), in_meta;

	if (group / fs->desc_per_block < first_meta)
		return super ? 1 + min(fs->gdt_blocks, first_meta) + fs->es->s_reserved_gdt_blocks : 0;
	in_meta = group % fs->desc_per_block;		/* its first, second and last group have a copy of the block */
	return super + (in_meta <= 1 || in_meta == fs->desc_per_block - 1);
}

u32 ext_blocks_in_group(const struct ext_fs *fs, u32 group)
{
	return (u32)min((u64)fs->blocks_per_group, fs->blocks_count - ext_group_first(fs, group));
}

bool ext_blocks_valid(const struct ext_fs *fs, u64 block, u64 len)
{
	return block > fs->first_data_block && block + len >= block && block + len <= fs->blocks_count;
}

/* ---- loading ---- */

static u64 gdt_location(const struct ext_fs *fs, u32 nr)
{
	u32 group = nr * fs->desc_per_block;

	if (!has_incompat(fs, INCOMPAT_META_BG) || nr < fs->es->s_first_meta_bg)
		return (fs->sb->s_blocksize == 1024 ? 2 : 1) + (u64)nr;
	return ext_group_first(fs, group) + ext_group_has_super(fs, group);
}

/* A descriptor that points out of the file system, or whose sum is wrong. */
static int check_group(struct ext_fs *fs, u32 group)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);

	if (!ext_group_csum_ok(fs, group, gd)) {
		pr_err("ext: %s: descriptor of group %u: wrong checksum\n", fs->sb->s_id, group);
		return -EUCLEAN;
	}
	if (!ext_blocks_valid(fs, gd_block_bitmap(fs, gd), 1) || !ext_blocks_valid(fs, gd_inode_bitmap(fs, gd), 1) ||
	    !ext_blocks_valid(fs, gd_inode_table(fs, gd), fs->itable_blocks) ||
	    gd_free_blocks(fs, gd) > ext_blocks_in_group(fs, group) || gd_free_inodes(fs, gd) > fs->inodes_per_group ||
	    gd_itable_unused(fs, gd) > fs->inodes_per_group) {
		pr_err("ext: %s: descriptor of group %u: impossible\n", fs->sb->s_id, group);
		return -EUCLEAN;
	}
	return 0;
}

static void init_group(struct ext_fs *fs, u32 group)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	struct ext_group *g = &fs->groups[group];

	mutex_init(&g->lock);
	g->free = gd_free_blocks(fs, gd);
	atomic64_add(g->free, &fs->free_blocks);
	atomic64_add(gd_free_inodes(fs, gd), &fs->free_inodes);
	atomic64_add(gd_used_dirs(fs, gd), &fs->dirs);
	fs->overhead += ext_group_base_meta(fs, group) + 2 + fs->itable_blocks;
}

int ext_read_groups(struct ext_fs *fs)
{
	fs->gdt_blocks = DIV_ROUND_UP(fs->groups_count, fs->desc_per_block);
	fs->gdt = kvcalloc(fs->gdt_blocks, sizeof(*fs->gdt), GFP_KERNEL);
	fs->groups = kvcalloc(fs->groups_count, sizeof(*fs->groups), GFP_KERNEL);
	if (!fs->gdt || !fs->groups)
		return -ENOMEM;
	for (u32 i = 0; i < fs->gdt_blocks; i++) {
		fs->gdt[i] = sb_bread(fs->sb, gdt_location(fs, i));
		if (!fs->gdt[i]) {
			pr_err("ext: %s: cannot read group descriptors\n", fs->sb->s_id);
			return -EIO;
		}
	}
	return 0;
}

int ext_check_groups(struct ext_fs *fs)
{
	for (u32 group = 0; group < fs->groups_count; group++) {
		int err = check_group(fs, group);

		if (err)
			return err;
		init_group(fs, group);
	}
	return 0;
}

void ext_free_groups(struct ext_fs *fs)
{
	for (u32 i = 0; fs->groups && i < fs->groups_count; i++)
		kvfree(fs->groups[i].map);
	for (u32 i = 0; fs->gdt && i < fs->gdt_blocks; i++)
		brelse(fs->gdt[i]);
	kvfree(fs->groups);
	kvfree(fs->gdt);
}
