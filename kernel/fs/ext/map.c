/*
 * map.c: where the blocks of a file lie, whichever way its inode keeps them.
 *
 * Locking: takes data_sem: reading for a look-up, writing for a change, which needs a handle besides.
 * See:     extents.c, indirect.c
 */
#include <weft/err.h>
#include <weft/sched.h>
#include "ext.h"

int ext_map_lookup(struct inode *inode, struct ext_map *map)
{
	int err;

	down_read(&EXT_I(inode)->data_sem);
	if (unlikely(ext_has_inline(inode))) {
		map->flags = 0;			/* no blocks, no map */
		err = 0;
	} else {
		err = is_extents(inode) ? ext_ext_lookup(inode, map) : ext_ind_lookup(inode, map);
	}
	up_read(&EXT_I(inode)->data_sem);
	return err;
}

int ext_map_insert(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map)
{
	int err;

	down_write(&EXT_I(inode)->data_sem);
	err = is_extents(inode) ? ext_ext_insert(handle, inode, map) : ext_ind_insert(handle, inode, map);
	up_write(&EXT_I(inode)->data_sem);
	if (!err)
		inode_add_bytes(inode, (loff_t)map->len << inode->i_blkbits);
	return err;
}

int ext_map_convert(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk, u32 len)
{
	int err;

	down_write(&EXT_I(inode)->data_sem);
	err = ext_ext_convert(handle, inode, lblk, len);
	up_write(&EXT_I(inode)->data_sem);
	return err;
}

/* A handle for each step: freeing a large file must not need a transaction larger than the journal. */
int ext_map_remove(struct inode *inode, ext_lblk_t from, u64 to)
{
	int more = from < to && !ext_has_inline(inode);

	while (more > 0) {
		struct jbd_handle *handle = ext_start(inode->i_sb, CREDITS_MAP);
		int err;

		if (IS_ERR(handle))
			return PTR_ERR(handle);
		down_write(&EXT_I(inode)->data_sem);
		more = is_extents(inode) ? ext_ext_remove_some(handle, inode, from, to) :
					   ext_ind_remove_some(handle, inode, from, to);
		atomic_inc(&EXT_I(inode)->map_seq);
		up_write(&EXT_I(inode)->data_sem);
		err = ext_write_inode_to(handle, inode);
		if (!err)
			err = ext_stop(inode->i_sb, handle);
		else
			ext_stop(inode->i_sb, handle);
		if (more >= 0 && err)
			more = err;
		cond_resched();
	}
	return more;
}

/* Behind the block before it, or in the inode's group. */
ext_pblk_t ext_map_goal(struct inode *inode, ext_lblk_t lblk)
{
	struct ext_map map = { .lblk = lblk - 1, .len = 1 };

	if (lblk && !ext_map_lookup(inode, &map) && map.flags)
		return map.pblk + 1;
	return ext_inode_goal(inode);
}

/* Bytes: what the map reaches, and what i_blocks can count. */
u64 ext_max_size(const struct inode *inode)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);

	return ext_max_size_of(fs, is_extents(inode) || (ext_has_inline(inode) && has_incompat(fs, INCOMPAT_EXTENTS)));
}

u64 ext_max_size_of(const struct ext_fs *fs, bool extents)
{
	unsigned int bits = fs->sb->s_blocksize_bits;
	u64 ptrs = 1ull << (bits - 2), blocks = EXT_NDIR + ptrs + ptrs * ptrs + ptrs * ptrs * ptrs;
	u64 sectors = has_ro_compat(fs, RO_COMPAT_HUGE_FILE) ? (1ull << 48) : (1ull << 32);

	if (extents)
		blocks = EXT_MAX_LBLK;
	blocks = min(blocks, EXT_MAX_LBLK);
	if (!extents)			/* the blocks of numbers count as well */
		blocks = min(blocks, (sectors >> (bits - 9)) * (ptrs - 2) / ptrs);
	return min(blocks << bits, (u64)MAX_LFS_FILESIZE);
}

struct buffer_head *ext_bread(struct inode *inode, ext_lblk_t lblk)
{
	struct ext_map map = { .lblk = lblk, .len = 1 };
	struct buffer_head *bh;
	int err = ext_map_lookup(inode, &map);

	if (err)
		return ERR_PTR(err);
	if (!map.flags)
		return NULL;
	bh = sb_bread(inode->i_sb, map.pblk);
	return bh ? bh : ERR_PTR(-EIO);
}

/* A new block, zeroed and with access got.  The size does not change. */
struct buffer_head *ext_append(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk)
{
	struct ext_map map = { .lblk = lblk, .len = 1, .flags = EXT_MAP_MAPPED };
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct buffer_head *bh;
	int err;

	if (!ext_has_free(fs, 1))		/* what is kept back is for maps alone */
		return ERR_PTR(-ENOSPC);
	bh = ext_new_meta_block(handle, inode, ext_map_goal(inode, lblk));
	if (IS_ERR(bh))
		return bh;
	inode_sub_bytes(inode, i_blocksize(inode));	/* counted again by the insertion */
	map.pblk = bh->b_blocknr;
	err = ext_map_insert(handle, inode, &map);
	if (!err)
		return bh;
	inode_add_bytes(inode, i_blocksize(inode));
	brelse(bh);
	ext_free_blocks(handle, inode, map.pblk, 1, true);
	return ERR_PTR(err);
}
