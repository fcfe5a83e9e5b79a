/*
 * fiemap.c: where the bytes of a file lie on its device: ioctl(FS_IOC_FIEMAP) and the older ioctl(FIBMAP).
 *
 * Idea:    the file system gives one run after the other (->fiemap()); they go straight to the program, as many as it has
 *          room for.
 * Locking: ->fiemap() takes what it needs.
 * See:     filefrag(8); include/weft/fiemap.h; kernel/fs/ext/fiemap.c
 */
#include <weft/capability.h>
#include <weft/fiemap.h>
#include <weft/fs.h>
#include <weft/kernel.h>
#include <weft/pagemap.h>
#include <weft/uaccess.h>
#include "internal.h"

int fiemap_fill_next_extent(struct fiemap_extent_info *info, u64 logical, u64 physical, u64 len, u32 flags)
{
	struct fiemap_extent e = { .fe_logical = logical, .fe_physical = physical, .fe_length = len, .fe_flags = flags };

	if (info->room) {
		if (info->mapped >= info->room)
			return 1;
		if (copy_to_user(info->start + info->mapped, &e, sizeof(e)))
			return -EFAULT;
	}
	info->mapped++;
	return flags & FIEMAP_EXTENT_LAST || (info->room && info->mapped == info->room);
}

int fiemap_prep(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 *len, u32 supported)
{
	u64 max = (u64)inode->i_sb->s_maxbytes;
	u32 unknown = info->flags & ~(supported | FIEMAP_FLAG_SYNC);

	if (!*len)
		return -EINVAL;
	if (start >= max)
		return -EFBIG;
	*len = min(*len, max - start);
	if (unknown) {
		info->flags = unknown;		/* the program is told which */
		return -EBADR;
	}
	return info->flags & FIEMAP_FLAG_SYNC ? filemap_write_and_wait(inode->i_mapping) : 0;
}

int ioctl_fiemap(struct file *file, struct fiemap __user *arg)
{
	struct inode *inode = file_inode(file);
	struct fiemap_extent_info info = { .start = arg->fm_extents };
	struct fiemap fm;
	int err;

	if (!inode->i_op->fiemap)
		return -EOPNOTSUPP;
	if (copy_from_user(&fm, arg, sizeof(fm)))
		return -EFAULT;
	if (fm.fm_extent_count > UINT_MAX / sizeof(struct fiemap_extent))
		return -EINVAL;
	info.flags = fm.fm_flags;
	info.room = fm.fm_extent_count;
	err = inode->i_op->fiemap(inode, &info, fm.fm_start, fm.fm_length);
	fm.fm_flags = info.flags;
	fm.fm_mapped_extents = info.mapped;
	return copy_to_user(arg, &fm, sizeof(fm)) ? -EFAULT : err;
}

int ioctl_fibmap(struct file *file, int __user *arg)
{
	struct address_space *mapping = file->f_mapping;
	sector_t block;
	int n;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (!mapping->a_ops->bmap)
		return -EINVAL;
	if (get_user(n, arg))
		return -EFAULT;
	if (n < 0)
		return -EINVAL;
	block = mapping->a_ops->bmap(mapping, (sector_t)n);
	if (block > INT_MAX)
		return -ERANGE;
	return put_user((int)block, arg);
}
