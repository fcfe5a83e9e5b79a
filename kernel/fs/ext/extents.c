/*
 * extents.c: a file's blocks as ext4 keeps them: a tree of runs.
 *
 * Idea:    the root lies in the inode and has room for four entries; other nodes have a block each.  All leaves are at the
 *          same depth.  An entry of an inner node says at which block of the file its subtree begins.
 *          A node is checked once, when it comes from the disk; then its buffer is marked.
 * Locking: data_sem of the inode, taken by map.c: reading to look, writing to change.
 * See:     extents.h, extents_change.c; ext_disk.h
 */
#include <weft/err.h>
#include "extents.h"

#define BH_Checked	(BH_PrivateStart + 4)	/* what is in the buffer is a sound node */

u32 ext_node_capacity(const struct inode *inode)
{
	u32 room = (u32)inode->i_sb->s_blocksize - (u32)sizeof(struct ext_extent_header);

	return room / (u32)sizeof(struct ext_extent);	/* what is left over takes the checksum */
}

void ext_ext_init(struct inode *inode)
{
	struct ext_extent_header *eh = ext_root(inode);

	memset(EXT_I(inode)->data, 0, sizeof(EXT_I(inode)->data));
	eh->eh_magic = EXT_EXTENT_MAGIC;
	eh->eh_max = (sizeof(EXT_I(inode)->data) - sizeof(*eh)) / sizeof(struct ext_extent);
	EXT_I(inode)->flags |= EXT_EXTENTS_FL;
}

/* ---- checking ---- */

static bool leaf_ok(const struct ext_fs *fs, struct ext_extent_header *eh)
{
	u64 end = 0;

	for (int i = 0; i < eh->eh_entries; i++) {
		const struct ext_extent *ee = eh_extent(eh, i);

		if (!ee_len(ee) || ee->ee_block < end || ee_end(ee) > EXT_MAX_LBLK + 1 ||
		    !ext_blocks_valid(fs, ee_start(ee), ee_len(ee)))
			return false;
		end = ee_end(ee);
	}
	return true;
}

static bool inner_ok(const struct ext_fs *fs, struct ext_extent_header *eh)
{
	for (int i = 0; i < eh->eh_entries; i++)
		if ((i && eh_idx(eh, i)->ei_block <= eh_idx(eh, i - 1)->ei_block) ||
		    !ext_blocks_valid(fs, ei_leaf(eh_idx(eh, i)), 1))
			return false;
	return eh->eh_entries > 0;
}

static int check_node(struct inode *inode, struct ext_extent_header *eh, int depth, u32 capacity)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);

	if (eh->eh_magic == EXT_EXTENT_MAGIC && eh->eh_depth == depth && depth <= EXT_MAX_DEPTH && eh->eh_max &&
	    eh->eh_max <= capacity && eh->eh_entries <= eh->eh_max && (depth ? inner_ok(fs, eh) : leaf_ok(fs, eh)))
		return 0;
	ext_error(inode->i_sb, "inode %lu: broken extent tree", inode->i_ino);
	return -EUCLEAN;
}

/* A node of its own block, at this height over the leaves. */
static struct buffer_head *read_node(struct inode *inode, ext_pblk_t block, int depth)
{
	struct buffer_head *bh = sb_bread(inode->i_sb, block);
	int err = 0;

	if (!bh)
		return ERR_PTR(-EIO);
	if (test_bit(BH_Checked, &bh->b_state) && ((struct ext_extent_header *)bh->b_data)->eh_depth == depth)
		return bh;
	err = check_node(inode, (struct ext_extent_header *)bh->b_data, depth, ext_node_capacity(inode));
	if (!err && !ext_extent_csum_ok(inode, bh->b_data)) {
		ext_error(inode->i_sb, "inode %lu: extent block %llu: wrong checksum", inode->i_ino, block);
		err = -EUCLEAN;
	}
	if (err) {
		brelse(bh);
		return ERR_PTR(err);
	}
	set_bit(BH_Checked, &bh->b_state);
	return bh;
}

/* ---- the way down ---- */

/* The last entry that begins at or before lblk; -1: none. */
static int find_pos(const struct ext_extent_header *eh, ext_lblk_t lblk)
{
	int lo = 0, hi = eh->eh_entries;	/* both kinds of entries begin with the block */

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (eh_extent((struct ext_extent_header *)eh, mid)->ee_block <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

int ext_path_find(struct inode *inode, ext_lblk_t lblk, struct ext_path *path)
{
	struct ext_extent_header *eh = ext_root(inode);
	struct buffer_head *bh = NULL;
	int err;

	*path = (struct ext_path){ .depth = eh->eh_depth };
	err = check_node(inode, eh, path->depth, 4);
	if (err) {
		path->depth = 0;
		return err;
	}
	for (int level = 0;; level++) {
		int pos = find_pos(eh, lblk);

		if (level == path->depth) {
			path->node[level] = (struct ext_node){ bh, eh, pos };
			return 0;
		}
		pos = max(pos, 0);
		path->node[level] = (struct ext_node){ bh, eh, pos };
		bh = read_node(inode, ei_leaf(eh_idx(eh, pos)), path->depth - level - 1);
		if (IS_ERR(bh))
			return PTR_ERR(bh);
		eh = (struct ext_extent_header *)bh->b_data;
	}
}

void ext_path_put(struct ext_path *path)
{
	for (int i = 0; i <= path->depth; i++) {
		brelse(path->node[i].bh);
		path->node[i].bh = NULL;
	}
}

u64 ext_path_next(const struct ext_path *path)
{
	for (int level = path->depth; level >= 0; level--) {
		const struct ext_node *n = &path->node[level];

		if (n->pos + 1 < n->eh->eh_entries)
			return eh_extent(n->eh, n->pos + 1)->ee_block;
	}
	return EXT_MAX_LBLK + 1;
}

int ext_ext_lookup(struct inode *inode, struct ext_map *map)
{
	struct ext_path path;
	int err = ext_path_find(inode, map->lblk, &path);
	struct ext_node *leaf = path_leaf(&path);
	struct ext_extent *ee;

	if (err)
		goto out;
	map->flags = 0;
	ee = leaf->pos >= 0 ? eh_extent(leaf->eh, leaf->pos) : NULL;
	if (ee && map->lblk < ee_end(ee)) {
		map->flags = EXT_MAP_MAPPED | (ee_unwritten(ee) ? EXT_MAP_UNWRITTEN : 0);
		map->pblk = ee_start(ee) + (map->lblk - ee->ee_block);
		map->len = (u32)min((u64)map->len, ee_end(ee) - map->lblk);
	} else {
		map->len = (u32)min((u64)map->len, ext_path_next(&path) - map->lblk);
	}
out:
	ext_path_put(&path);
	return err;
}
