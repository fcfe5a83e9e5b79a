/*
 * indirect.c: a file's blocks as ext2 and ext3 keep them: twelve numbers in the inode, then blocks full of numbers, and
 * blocks of numbers of such blocks, up to three deep.
 *
 * Idea:    offsets() turns a block of the file into the places to look at on the way down: at most four.  Freeing takes
 *          a few runs of one block of numbers at a time, so that it never needs a large transaction.
 * Locking: data_sem.
 * See:     map.c, which calls these for files without EXT_EXTENTS_FL
 */
#include <weft/err.h>
#include "ext.h"

#define LEVELS	4

/* The way to a block: where its number stands, and the numbers on the way. */
struct ind_path {
	int			depth;		/* numbers to look at */
	u32			offset[LEVELS];
	__le32			*slot[LEVELS];	/* NULL behind the first hole */
	struct buffer_head	*bh[LEVELS];	/* where slot[i] lies; NULL for the inode */
};

static u32 ptrs_bits(const struct inode *inode)
{
	return inode->i_sb->s_blocksize_bits - 2;
}

/* False: beyond what three levels reach. */
static bool offsets(const struct inode *inode, u64 lblk, struct ind_path *p)
{
	u32 bits = ptrs_bits(inode);
	u64 span = 1;

	if (lblk < EXT_NDIR) {
		p->depth = 1;
		p->offset[0] = (u32)lblk;
		return true;
	}
	lblk -= EXT_NDIR;
	for (int level = 1; level < LEVELS; level++) {
		span <<= bits;
		if (lblk >= span) {
			lblk -= span;
			continue;
		}
		p->depth = level + 1;
		p->offset[0] = EXT_NDIR + level - 1;
		for (int i = level; i > 0; i--, lblk >>= bits)
			p->offset[i] = lblk & ((1u << bits) - 1);
		return true;
	}
	return false;
}

static void put_path(struct ind_path *p)
{
	for (int i = 0; i < LEVELS; i++)
		brelse(p->bh[i]);
}

/* As far down as there are blocks.  The number of levels found, or -errno. */
static int walk(struct inode *inode, struct ind_path *p)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);

	p->slot[0] = &EXT_I(inode)->data[p->offset[0]];
	for (int i = 0;; i++) {
		if (!*p->slot[i])
			return i;
		if (!ext_blocks_valid(fs, *p->slot[i], 1)) {
			ext_error(inode->i_sb, "inode %lu: impossible block %u", inode->i_ino, *p->slot[i]);
			return -EUCLEAN;
		}
		if (i + 1 == p->depth)
			return p->depth;
		p->bh[i + 1] = sb_bread(inode->i_sb, *p->slot[i]);
		if (!p->bh[i + 1])
			return -EIO;
		p->slot[i + 1] = (__le32 *)p->bh[i + 1]->b_data + p->offset[i + 1];
	}
}

/* How many numbers from slot on, at most max, follow one another (or are all 0). */
static u32 run_length(const struct inode *inode, const struct ind_path *p, int found, u32 max)
{
	u32 last = p->depth == 1 ? EXT_NDIR : 1u << ptrs_bits(inode), at = p->offset[p->depth - 1], n = 1;
	const __le32 *slot = p->slot[p->depth - 1];
	u64 below = 1;

	if (found < p->depth - 1) {		/* a whole subtree is missing */
		for (int i = p->depth - 1; i > found; i--)
			below <<= ptrs_bits(inode);
		for (int i = p->depth - 1, shift = 0; i > found; i--, shift += (int)ptrs_bits(inode))
			below -= (u64)p->offset[i] << shift;
		return (u32)min((u64)max, below);
	}
	while (n < max && at + n < last && slot[n] == (*slot ? *slot + n : 0))
		n++;
	return n;
}

int ext_ind_lookup(struct inode *inode, struct ext_map *map)
{
	struct ind_path p = { };
	int found = -EFBIG;

	if (offsets(inode, map->lblk, &p))
		found = walk(inode, &p);
	if (found >= 0) {
		map->len = run_length(inode, &p, found, map->len);
		map->flags = found == p.depth ? EXT_MAP_MAPPED : 0;
		map->pblk = found == p.depth ? *p.slot[p.depth - 1] : 0;
	}
	put_path(&p);
	return min(found, 0);
}

/* ---- adding ---- */

static int set_slot(struct jbd_handle *handle, struct ind_path *p, int level, u32 value)
{
	int err = p->bh[level] ? ext_access(handle, p->bh[level]) : 0;

	if (err)
		return err;
	*p->slot[level] = value;
	return p->bh[level] ? ext_dirty(handle, p->bh[level]) : 0;
}

/* Blocks of numbers from level `found` down to the last. */
static int add_levels(struct jbd_handle *handle, struct inode *inode, struct ind_path *p, int found, ext_pblk_t goal)
{
	for (int i = found; i < p->depth - 1; i++) {
		struct buffer_head *bh = ext_new_meta_block(handle, inode, goal);
		int err;

		if (IS_ERR(bh))
			return PTR_ERR(bh);
		err = ext_dirty(handle, bh);
		if (!err)
			err = set_slot(handle, p, i, (u32)bh->b_blocknr);
		p->bh[i + 1] = bh;
		p->slot[i + 1] = (__le32 *)bh->b_data + p->offset[i + 1];
		if (err)
			return err;
	}
	return 0;
}

/* One block of numbers' worth.  How many, or -errno. */
static int insert_some(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map)
{
	struct ind_path p = { };
	int err = -EFBIG, last;
	u32 room, n = 0;

	if (!offsets(inode, map->lblk, &p))
		return err;
	last = p.depth - 1;
	room = (p.depth == 1 ? EXT_NDIR : 1u << ptrs_bits(inode)) - p.offset[last];
	err = walk(inode, &p);
	if (err >= 0)
		err = err == p.depth ? -EEXIST : add_levels(handle, inode, &p, err, map->pblk);
	if (!err && p.bh[last])
		err = ext_access(handle, p.bh[last]);
	if (!err) {
		for (; n < map->len && n < room; n++)
			p.slot[last][n] = (u32)(map->pblk + n);
		if (p.bh[last])
			err = ext_dirty(handle, p.bh[last]);
	}
	put_path(&p);
	return err ? err : (int)n;
}

int ext_ind_insert(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map)
{
	struct ext_map rest = *map;

	if (map->pblk + map->len > EXT_MAX_LBLK)
		return -EFBIG;
	while (rest.len) {
		int n = insert_some(handle, inode, &rest);

		if (n < 0)
			return n;
		rest.lblk += n;
		rest.pblk += n;
		rest.len -= n;
	}
	return 0;
}

/* ---- freeing ---- */

#define RUNS_AT_ONCE	8			/* of one handle */

/* Numbers [lo, hi) of a row, or the first of them. */
static int free_slots(struct jbd_handle *handle, struct inode *inode, __le32 *slot, u32 lo, u32 hi)
{
	int err = 0, runs = 0;

	while (lo < hi && !err && runs < RUNS_AT_ONCE) {
		u32 first = slot[lo], n = 1;

		if (!first) {
			lo++;
			continue;
		}
		while (lo + n < hi && slot[lo + n] == first + n)
			n++;
		memset(&slot[lo], 0, n * sizeof(*slot));
		err = ext_free_blocks(handle, inode, first, n, ext_blocks_are_logged(inode));
		lo += n;
		runs++;
	}
	return err;
}

static bool all_zero(const __le32 *slot, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (slot[i])
			return false;
	return true;
}

/* Blocks of numbers that are empty now are freed, from the last level up. */
static int free_empty_levels(struct jbd_handle *handle, struct inode *inode, struct ind_path *p)
{
	int err = 0;

	for (int i = p->depth - 1; i > 0 && !err; i--) {
		u32 block = *p->slot[i - 1];

		if (!all_zero((__le32 *)p->bh[i]->b_data, 1u << ptrs_bits(inode)))
			break;
		err = set_slot(handle, p, i - 1, 0);
		if (!err)
			err = ext_free_blocks(handle, inode, block, 1, true);
	}
	return err;
}

/* The first block in use in [from, to).  1, 0: none, or -errno. */
static int first_used(struct inode *inode, ext_lblk_t from, u64 to, ext_lblk_t *lblk)
{
	for (u64 at = from; at < to;) {
		struct ext_map map = { .lblk = (ext_lblk_t)at, .len = (u32)min(to - at, (u64)UINT_MAX) };
		int err = ext_ind_lookup(inode, &map);

		if (err)
			return err == -EFBIG ? 0 : err;
		if (map.flags) {
			*lblk = (ext_lblk_t)at;
			return 1;
		}
		at += map.len;
	}
	return 0;
}

int ext_ind_remove_some(struct jbd_handle *handle, struct inode *inode, ext_lblk_t from, u64 to)
{
	struct ind_path p = { };
	ext_lblk_t lblk = 0;
	u32 row, hi;
	int last, err = first_used(inode, from, to, &lblk);

	if (err <= 0)
		return err;
	offsets(inode, lblk, &p);
	last = p.depth - 1;
	err = walk(inode, &p);
	if (err < 0)
		goto out;
	row = p.depth == 1 ? EXT_NDIR : 1u << ptrs_bits(inode);
	hi = (u32)min((u64)row, p.offset[last] + (to - lblk));
	err = p.bh[last] ? ext_access(handle, p.bh[last]) : 0;
	if (!err)
		err = free_slots(handle, inode, p.slot[last] - p.offset[last], p.offset[last], hi);
	if (!err && p.bh[last])
		err = ext_dirty(handle, p.bh[last]);
	if (!err)
		err = free_empty_levels(handle, inode, &p);
out:
	put_path(&p);
	return err < 0 ? err : 1;
}
