/*
 * balloc.c: giving out blocks, and taking them back.
 *
 * Idea:    each group that is used has a second bitmap in memory.  A block is marked there when it is claimed, before its
 *          data are written; and stays marked after it was freed, until the transaction that freed it has committed: a crash
 *          before that brings the old file back, whose data must then still be there.  The bitmap on disk changes as part of
 *          a handle.  A claim asks for many blocks at once and takes a run near the goal: what is free at the goal itself,
 *          or else the first run that is long enough, or the longest, in this group and then in the next ones.
 * Counts:  free_blocks counts zeroes of the maps in memory, delayed_blocks what was promised to dirty pages, freed_blocks
 *          what waits for a commit.
 * Locking: the group's lock, one at a time.
 * See:     bitmap.c; ext.h for the order of things
 */
#include <weft/bitmap.h>
#include <weft/cred.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "ext.h"

/* ---- counts ---- */

/* Kept back for root. */
u64 ext_root_reserve(const struct ext_fs *fs)
{
	return make64(has_incompat(fs, INCOMPAT_64BIT) ? fs->es->s_r_blocks_count_hi : 0, fs->es->s_r_blocks_count_lo);
}

/* Kept back for the blocks that maps and directories need when delayed data are written. */
static u64 metadata_reserve(const struct ext_fs *fs)
{
	return min(fs->blocks_count / 50, (u64)4096);
}

static bool may_use_reserve(const struct ext_fs *fs)
{
	return uid_eq(current_fsuid(), fs->es->s_def_resuid) || capable(CAP_SYS_RESOURCE);
}

/* Are `blocks` to be had, over what is promised? */
bool ext_has_free(struct ext_fs *fs, u32 blocks)
{
	s64 free = atomic64_read(&fs->free_blocks) - atomic64_read(&fs->delayed_blocks);
	u64 kept = metadata_reserve(fs) + (may_use_reserve(fs) ? 0 : ext_root_reserve(fs));

	return free >= 0 && (u64)free >= blocks + kept;
}

int ext_reserve(struct ext_fs *fs, u32 blocks)
{
	if (!ext_has_free(fs, blocks) && atomic64_read(&fs->freed_blocks))
		ext_force_commit(fs->sb);	/* what was deleted just now becomes free */
	if (!ext_has_free(fs, blocks))
		return -ENOSPC;
	atomic64_add(blocks, &fs->delayed_blocks);
	return 0;
}

void ext_unreserve(struct ext_fs *fs, u32 blocks)
{
	atomic64_sub(blocks, &fs->delayed_blocks);
}

/* ---- the map in memory ---- */

/* Group lock held.  0 or -errno. */
int ext_load_map(struct ext_fs *fs, u32 group)
{
	struct ext_group *g = &fs->groups[group];
	struct buffer_head *bh;

	if (g->map)
		return 0;
	bh = ext_read_block_bitmap(fs, group);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	g->map = kvmalloc(fs->sb->s_blocksize, GFP_NOFS);
	if (g->map) {
		u32 size = ext_blocks_in_group(fs, group), free;

		memcpy(g->map, bh->b_data, fs->sb->s_blocksize);
		free = size - bitmap_weight(g->map, size);
		if (free != g->free)
			pr_warn("ext: %s: group %u: %u blocks free, not %u as the descriptor says\n", fs->sb->s_id, group,
				free, g->free);
		atomic64_add((s64)free - g->free, &fs->free_blocks);
		g->free = free;
	}
	brelse(bh);
	return g->map ? 0 : -ENOMEM;
}

/* A run of zeroes of [from, size): the first of at least `want`, or the longest.  Its length, 0: none. */
static u32 find_run(const unsigned long *map, u32 size, u32 from, u32 want, u32 *start)
{
	u32 best = 0;

	while (from < size && best < want) {
		u32 lo = (u32)find_next_zero_bit(map, size, from), hi;

		if (lo >= size)
			break;
		hi = (u32)find_next_bit(map, min(size, lo + want), lo);
		if (hi - lo > best) {
			best = hi - lo;
			*start = lo;
		}
		from = hi;
	}
	return best;
}

/* At the goal if that is free, else from there on, else from the group's begin. */
static u32 pick_run(const struct ext_group *g, u32 size, u32 goal, u32 want, u32 *start)
{
	u32 n, m, other;

	if (goal < size && !test_bit(goal, g->map)) {
		*start = goal;
		return (u32)find_next_bit(g->map, min(size, goal + want), goal) - goal;
	}
	n = find_run(g->map, size, goal, want, start);
	if (n >= want || !goal)
		return n;
	m = find_run(g->map, goal, 0, want, &other);
	if (m > n)
		*start = other;
	return max(m, n);
}

/* Up to *len blocks of one group.  The first, 0: none; *err. */
static ext_pblk_t claim_in_group(struct ext_fs *fs, u32 group, u32 goal, u32 *len, int *err)
{
	struct ext_group *g = &fs->groups[group];
	u32 start = 0, n = 0;

	if (!READ_ONCE(g->free) || g->bad)
		return 0;
	mutex_lock(&g->lock);
	*err = ext_load_map(fs, group);
	if (!*err)
		n = pick_run(g, ext_blocks_in_group(fs, group), goal, *len, &start);
	if (n) {
		bitmap_set(g->map, start, n);
		g->free -= n;
		atomic64_sub(n, &fs->free_blocks);
		*len = n;
	}
	mutex_unlock(&g->lock);
	return n ? ext_group_first(fs, group) + start : 0;
}

static ext_pblk_t claim_anywhere(struct ext_fs *fs, ext_pblk_t goal, u32 *len, int *err)
{
	u32 first = ext_group_of(fs, goal), offset = (u32)(goal - ext_group_first(fs, first));

	*err = -ENOSPC;
	for (u32 i = 0; i < fs->groups_count; i++) {
		u32 group = (first + i) % fs->groups_count;
		int group_err = 0;
		ext_pblk_t block = claim_in_group(fs, group, i ? 0 : offset, len, &group_err);

		if (block)
			return block;
		if (group_err)
			*err = group_err == -EUCLEAN ? *err : group_err;
		cond_resched();
	}
	return 0;
}

ext_pblk_t ext_claim_blocks(struct ext_fs *fs, ext_pblk_t goal, u32 *len, bool reserved, int *err)
{
	ext_pblk_t block;
	u32 asked;

	*len = min(*len, fs->blocks_per_group);
	if (!reserved) {
		*err = ext_reserve(fs, *len);
		while (*err == -ENOSPC && *len > 1) {	/* block by block, the last group's worth would take long */
			*len /= 2;
			*err = ext_reserve(fs, *len);
		}
		if (*err)
			return 0;
	}
	if (!ext_blocks_valid(fs, goal, 1))
		goal = fs->first_data_block + 1;
	asked = *len;
	block = claim_anywhere(fs, goal, len, err);
	if (block || !reserved)			/* the promise is kept, or given back */
		ext_unreserve(fs, reserved ? *len : asked);
	return block;
}

/* Back into the map in memory. */
static void release(struct ext_fs *fs, ext_pblk_t block, u32 len)
{
	while (len) {
		u32 group = ext_group_of(fs, block), at = (u32)(block - ext_group_first(fs, group));
		u32 n = min(len, ext_blocks_in_group(fs, group) - at);
		struct ext_group *g = &fs->groups[group];

		mutex_lock(&g->lock);
		if (g->map)
			bitmap_clear(g->map, at, n);
		g->free += n;
		mutex_unlock(&g->lock);
		atomic64_add(n, &fs->free_blocks);
		block += n;
		len -= n;
	}
}

void ext_unclaim_blocks(struct ext_fs *fs, ext_pblk_t block, u32 len)
{
	release(fs, block, len);
}

/* The transaction that freed them has committed. */
void ext_blocks_reusable(void *data, u64 block, u32 len)
{
	struct ext_fs *fs = data;

	if (fs->opt.discard)
		ext_discard_blocks(fs, block, len);	/* only a hint: errors do not matter */
	release(fs, block, len);
	atomic64_sub(len, &fs->freed_blocks);
}

/* ---- the bitmap on disk ---- */

/* All bits of [at, at + n) have this value? */
static bool all_bits(const unsigned long *map, u32 at, u32 n, bool value)
{
	return (value ? find_next_zero_bit(map, at + n, at) : find_next_bit(map, at + n, at)) >= at + n;
}

/* Group lock held, access got. */
static int set_bits(struct ext_fs *fs, u32 group, struct buffer_head *bh, u32 at, u32 n, bool used)
{
	struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	unsigned long *map = (unsigned long *)bh->b_data;

	if (!all_bits(map, at, n, !used)) {
		ext_error(fs->sb, "group %u: blocks %u to %u are %s already", group, at, at + n - 1, used ? "used" : "free");
		return -EUCLEAN;
	}
	if (used)
		bitmap_set(map, at, n);
	else
		bitmap_clear(map, at, n);
	gd->bg_flags &= ~BG_BLOCK_UNINIT;
	gd_set_free_blocks(fs, gd, used ? gd_free_blocks(fs, gd) - n : gd_free_blocks(fs, gd) + n);
	ext_bitmap_csum_set(fs, gd, map, false);
	ext_group_csum_set(fs, group, gd);
	return 0;
}

/* Blocks of one group. */
static int change_group(struct jbd_handle *handle, struct ext_fs *fs, u32 group, u32 at, u32 n, bool used)
{
	struct ext_group *g = &fs->groups[group];
	struct buffer_head *bh, *gd_bh;
	int err;

	ext_gd(fs, group, &gd_bh);
	mutex_lock(&g->lock);
	err = ext_load_map(fs, group);
	bh = err ? ERR_PTR(err) : ext_read_block_bitmap(fs, group);
	err = PTR_ERR_OR_ZERO(bh);
	if (!err)
		err = ext_access(handle, bh);
	if (!err)
		err = ext_access(handle, gd_bh);
	if (!err)
		err = set_bits(fs, group, bh, at, n, used);
	if (!err)
		err = ext_dirty(handle, bh);
	if (!err)
		err = ext_dirty(handle, gd_bh);
	mutex_unlock(&g->lock);
	if (!IS_ERR(bh))
		brelse(bh);
	return err;
}

static int change_blocks(struct jbd_handle *handle, struct ext_fs *fs, ext_pblk_t block, u32 len, bool used)
{
	int err = 0;

	while (len && !err) {
		u32 group = ext_group_of(fs, block), at = (u32)(block - ext_group_first(fs, group));
		u32 n = min(len, ext_blocks_in_group(fs, group) - at);

		err = change_group(handle, fs, group, at, n, used);
		block += n;
		len -= n;
	}
	return err;
}

int ext_commit_blocks(struct jbd_handle *handle, struct ext_fs *fs, ext_pblk_t block, u32 len)
{
	return change_blocks(handle, fs, block, len, true);
}

/* metadata: what the journal holds of them must never be replayed. */
int ext_free_blocks(struct jbd_handle *handle, struct inode *inode, ext_pblk_t block, u32 len, bool metadata)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	int err;

	if (!ext_blocks_valid(fs, block, len)) {
		ext_error(inode->i_sb, "inode %lu: frees impossible blocks %llu+%u", inode->i_ino, block, len);
		return -EUCLEAN;
	}
	for (u32 i = 0; i < len && metadata; i++)
		ext_forget(handle, inode->i_sb, block + i);
	err = change_blocks(handle, fs, block, len, false);
	if (err)
		return err;
	atomic64_add(len, &fs->freed_blocks);
	inode_sub_bytes(inode, (loff_t)len << inode->i_blkbits);
	return ext_after_commit(handle, fs, block, len);
}

ext_pblk_t ext_inode_goal(const struct inode *inode)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);
	u32 group = min(EXT_I(inode)->group, fs->groups_count - 1);

	return ext_group_first(fs, group) + (current->pid % 16) * (fs->blocks_per_group / 16);
}

struct buffer_head *ext_new_meta_block(struct jbd_handle *handle, struct inode *inode, ext_pblk_t goal)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct buffer_head *bh;
	int err;
	u32 one = 1;
	/* From the reserve: the data this is for have been promised their room. */
	ext_pblk_t block = claim_anywhere(fs, ext_blocks_valid(fs, goal, 1) ? goal : ext_inode_goal(inode), &one, &err);

	if (!block)
		return ERR_PTR(err);
	err = ext_commit_blocks(handle, fs, block, 1);
	bh = err ? NULL : sb_getblk(inode->i_sb, block);
	if (!bh)
		return ERR_PTR(err ?: -ENOMEM);
	err = ext_access_new(handle, bh);
	if (err) {
		brelse(bh);
		return ERR_PTR(err);
	}
	memset(bh->b_data, 0, bh->b_size);
	for (int bit = BH_PrivateStart; bit < BH_PrivateStart + 8; bit++)
		clear_bit(bit, &bh->b_state);	/* what was known of the old contents */
	inode_add_bytes(inode, i_blocksize(inode));
	return bh;
}
