/*
 * trim.c: telling the device which blocks hold nothing: ioctl(FITRIM), and mount option `discard` when blocks are freed.
 *
 * Idea:    the map in memory knows what may be used: blocks whose transaction has not committed yet are still marked there,
 *          so nothing is discarded that a crash could bring back.
 * Locking: the group's lock, so that nobody takes a block while it is discarded.
 * See:     fstrim(8); balloc.c
 */
#include <weft/bitmap.h>
#include <weft/blkdev.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uaccess.h>
#include <uapi/fs.h>
#include "ext.h"

int ext_discard_blocks(struct ext_fs *fs, u64 block, u64 len)
{
	unsigned int shift = fs->sb->s_blocksize_bits - SECTOR_SHIFT;

	return blkdev_issue_discard(fs->sb->s_bdev, block << shift, len << shift);
}

/* Free runs of at least `least` blocks in [from, to) of a group.  Blocks discarded, or -errno. */
static s64 trim_group(struct ext_fs *fs, u32 group, u32 from, u32 to, u32 least)
{
	struct ext_group *g = &fs->groups[group];
	s64 done = 0;
	int err;

	mutex_lock(&g->lock);
	err = ext_load_map(fs, group);
	while (!err && from < to) {
		u32 first = (u32)find_next_zero_bit(g->map, to, from);

		if (first >= to)
			break;
		from = (u32)find_next_bit(g->map, to, first);
		if (from - first < least)
			continue;
		err = ext_discard_blocks(fs, ext_group_first(fs, group) + first, from - first);
		done += err ? 0 : from - first;
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	mutex_unlock(&g->lock);
	return err && err != -EUCLEAN ? err : done;	/* a group whose bitmap is broken has no free blocks */
}

/* Blocks [first, end).  How many were discarded, or -errno. */
static s64 trim_range(struct ext_fs *fs, u64 first, u64 end, u32 least)
{
	s64 done = 0;

	first = max_t(u64, first, fs->first_data_block);
	while (first < end) {
		u32 group = ext_group_of(fs, first);
		u64 base = ext_group_first(fs, group), next = min(end, base + ext_blocks_in_group(fs, group));
		s64 n = trim_group(fs, group, (u32)(first - base), (u32)(next - base), least);

		if (n < 0)
			return n;
		done += n;
		first = next;
		cond_resched();
	}
	return done;
}

long ext_ioctl_trim(struct super_block *sb, struct fstrim_range __user *arg)
{
	struct ext_fs *fs = EXT_FS(sb);
	unsigned int bits = sb->s_blocksize_bits;
	struct fstrim_range range;
	u64 first, end;
	s64 done;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!bdev_get_queue(sb->s_bdev)->limits.max_discard_sectors)
		return -EOPNOTSUPP;
	if (sb_rdonly(sb))
		return -EROFS;
	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	first = range.start >> bits;
	if (first >= fs->blocks_count || range.len < sb->s_blocksize || range.minlen >> bits > fs->blocks_per_group)
		return -EINVAL;
	end = first + min(range.len >> bits, fs->blocks_count - first);
	done = trim_range(fs, first, end, max((u32)(range.minlen >> bits), 1u));
	if (done < 0)
		return done;
	range.len = (u64)done << bits;
	return copy_to_user(arg, &range, sizeof(range)) ? -EFAULT : 0;
}
