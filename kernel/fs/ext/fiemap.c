/*
 * fiemap.c: where a file's runs of blocks lie, for ioctl(FS_IOC_FIEMAP).
 *
 * Idea:    delayed data get their places first, so that the map knows all.  Each run is given when the next one is found, or
 *          there is none: then it is the last.
 * Locking: i_rwsem for reading, so that nobody shortens the file meanwhile.
 * See:     kernel/fs/fiemap.c; map.c
 */
#include <weft/err.h>
#include <weft/fiemap.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include "inline.h"

/* The first run in [*lblk, end), which becomes the block behind it.  1, 0: there is none, or -errno. */
static int next_run(struct inode *inode, u64 *lblk, u64 end, struct ext_map *map)
{
	while (*lblk < end) {
		int err;

		*map = (struct ext_map){ .lblk = (ext_lblk_t)*lblk, .len = (u32)min(end - *lblk, (u64)UINT_MAX) };
		err = ext_map_lookup(inode, map);
		if (err)
			return err == -EFBIG ? 0 : err;
		*lblk += map->len;
		if (map->flags)
			return 1;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int give(struct inode *inode, struct fiemap_extent_info *info, const struct ext_map *map, bool last)
{
	unsigned int bits = inode->i_blkbits;
	u32 flags = (map->flags & EXT_MAP_UNWRITTEN ? FIEMAP_EXTENT_UNWRITTEN : 0) |
		    (is_extents(inode) ? 0 : FIEMAP_EXTENT_MERGED) | (last ? FIEMAP_EXTENT_LAST : 0);

	return fiemap_fill_next_extent(info, (u64)map->lblk << bits, map->pblk << bits, (u64)map->len << bits, flags);
}

static int give_runs(struct inode *inode, struct fiemap_extent_info *info, u64 lblk, u64 end)
{
	struct ext_map map, next;
	int more = next_run(inode, &lblk, end, &map);

	while (more > 0) {
		int err;

		more = next_run(inode, &lblk, end, &next);
		err = more < 0 ? more : give(inode, info, &map, !more);
		if (err)
			return min(err, 0);
		map = next;
	}
	return more;
}

int ext_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len)
{
	u64 end;
	int err = fiemap_prep(inode, info, start, &len, 0);

	if (!err)
		err = filemap_write_and_wait(inode->i_mapping);
	if (err)
		return err;
	inode_lock_shared(inode);
	if (ext_has_inline(inode)) {
		err = start < (u64)inode->i_size ? ext_inline_fiemap(inode, info) : 0;
		goto out;
	}
	end = min(blocks_of(inode->i_sb, start + len), EXT_MAX_LBLK);
	if (!is_extents(inode))			/* there is nothing behind the end */
		end = min(end, blocks_of(inode->i_sb, (u64)inode->i_size));
	err = give_runs(inode, info, start >> inode->i_blkbits, end);
out:
	inode_unlock_shared(inode);
	return err;
}
