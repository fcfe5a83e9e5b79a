/*
 * bdev.c: the inode of a block device, and the file that programs see.
 *
 * What:    the pseudo file system "bdev" holds an inode for each device; a node like /dev/vda, wherever it lies, leads to
 *          it by its number, so all share one cache.  Reading, writing, mmap, fsync and the ioctls of block devices.
 * Locking: i_rwsem of the device's inode for writes.  bdev_mutex for opening.
 * See:     spec.md §10; kernel/fs/buffer.c for single blocks, kernel/fs/mpage.c for runs of pages
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/buffer_head.h>
#include <weft/capability.h>
#include <weft/direct_io.h>
#include <weft/file.h>
#include <weft/init.h>
#include <weft/log2.h>
#include <weft/mount.h>
#include <weft/mpage.h>
#include <weft/namei.h>
#include <weft/pagemap.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <weft/writeback.h>
#include <uapi/blk.h>
#include "blk.h"

#define BDEVFS_MAGIC	0x62646576		/* "bdev" */

static struct super_block *bdev_sb;		/* [I] */

struct block_device *I_BDEV(const struct inode *inode)
{
	return inode->i_private;
}

bool sb_is_blkdev_sb(const struct super_block *sb)
{
	return sb == bdev_sb;
}

static struct block_device *file_bdev(const struct file *file)
{
	return I_BDEV(file->f_mapping->host);
}

/* ---- pages ---- */

/* Block n of a device is its block n. */
static int blkdev_get_block(struct inode *inode, sector_t iblock, unsigned int max, struct block_map *map, bool create)
{
	*map = (struct block_map){ .bdev = I_BDEV(inode), .pblk = iblock, .len = max, .mapped = true };
	return 0;
}

static int blkdev_readpage(struct file *file, struct page *page)
{
	return PagePrivate(page) ? block_read_buffers(page) : mpage_readpage(page, blkdev_get_block);
}

static void blkdev_readahead(struct readahead_control *rac)
{
	mpage_readahead(rac, blkdev_get_block);
}

static int blkdev_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	return mpage_writepages(mapping, wbc, blkdev_get_block);
}

static int blkdev_write_begin(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			      struct page **pagep, void **fsdata)
{
	return mpage_write_begin(mapping, pos, len, pagep, blkdev_get_block);
}

static int blkdev_write_end(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			    unsigned int copied, struct page *page, void *fsdata)
{
	unsigned int from = offset_in_page(pos);

	if (PagePrivate(page) && (PageUptodate(page) || copied == PAGE_SIZE))
		block_dirty_range(page, from, from + copied);
	return mpage_write_end(mapping, pos, len, copied, page);
}

static int blkdev_releasepage(struct page *page, gfp_t gfp)
{
	return try_to_free_buffers(page);
}

static ssize_t blkdev_direct_IO(struct kiocb *iocb, struct iov_iter *iter)
{
	return generic_direct_IO(iocb, iter, blkdev_get_block, NULL);
}

static sector_t blkdev_bmap(struct address_space *mapping, sector_t block)
{
	return block;
}

const struct address_space_operations def_blk_aops = {
	.readpage = blkdev_readpage,
	.readahead = blkdev_readahead,
	.writepages = blkdev_writepages,
	.write_begin = blkdev_write_begin,
	.write_end = blkdev_write_end,
	.bmap = blkdev_bmap,
	.releasepage = blkdev_releasepage,
	.invalidatepage = block_invalidatepage,
	.direct_IO = blkdev_direct_IO,
};

int sync_blockdev(struct block_device *bdev)
{
	return filemap_write_and_wait(bdev->bd_inode->i_mapping);
}

/* ---- open files ---- */

static int blkdev_open(struct inode *inode, struct file *file)
{
	fmode_t mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	struct block_device *bdev;

	if (file->f_flags & O_EXCL)
		mode |= FMODE_EXCL;
	bdev = blkdev_get_by_dev(inode->i_rdev, mode, file);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	file->f_mapping = bdev->bd_inode->i_mapping;
	file->private_data = (void *)(unsigned long)mode;
	return 0;
}

static int blkdev_release(struct inode *inode, struct file *file)
{
	blkdev_put(file_bdev(file), (fmode_t)(unsigned long)file->private_data);
	return 0;
}

static loff_t blkdev_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, i_size_read(file->f_mapping->host));
}

/* A device does not grow: what would go behind its end is cut off. */
static ssize_t blkdev_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = iocb->ki_filp->f_mapping->host;
	loff_t size = i_size_read(inode);
	ssize_t ret;

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		inode_lock(inode);
	else if (!inode_trylock(inode))
		return -EAGAIN;
	ret = generic_write_checks(iocb, from);
	if (ret > 0 && iocb->ki_pos >= size)
		ret = -ENOSPC;
	if (ret > 0) {
		iov_iter_truncate(from, size - iocb->ki_pos);
		ret = __generic_file_write_iter(iocb, from);
	}
	inode_unlock(inode);
	return generic_write_sync(iocb, ret);
}

static int blkdev_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	int err = file_write_and_wait_range(file, start, end);

	return err ? err : blkdev_issue_flush(file_bdev(file));
}

/* A range of bytes from user space, in whole blocks, whose pages in the cache have gone. */
static int get_range(struct file *file, u64 __user *arg, u64 range[2])
{
	struct block_device *bdev = file_bdev(file);
	u64 size = (u64)i_size_read(bdev->bd_inode), mask = bdev_logical_block_size(bdev) - 1;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (copy_from_user(range, arg, 2 * sizeof(u64)))
		return -EFAULT;
	if ((range[0] | range[1]) & mask || range[1] > size || range[0] > size - range[1])
		return -EINVAL;
	truncate_inode_pages_range(file->f_mapping, (loff_t)range[0], (loff_t)(range[0] + range[1]) - 1);
	return 0;
}

static int blkdev_discard(struct file *file, u64 __user *arg)
{
	u64 range[2];
	int err = get_range(file, arg, range);

	return err ? err : blkdev_issue_discard(file_bdev(file), range[0] >> SECTOR_SHIFT, range[1] >> SECTOR_SHIFT);
}

static int blkdev_zeroout(struct file *file, u64 __user *arg)
{
	u64 range[2];
	int err = get_range(file, arg, range);

	return err ? err : blkdev_issue_zeroout(file_bdev(file), range[0] >> SECTOR_SHIFT, range[1] >> SECTOR_SHIFT);
}

static int set_read_only(struct block_device *bdev, const int __user *arg)
{
	int ro;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (get_user(ro, arg))
		return -EFAULT;
	bdev->bd_read_only = ro || bdev->bd_disk->read_only;
	return 0;
}

static int reread_partitions(struct block_device *bdev)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	return bdev->bd_partno ? -EINVAL : disk_rescan(bdev->bd_disk);
}

static int flush_buffers(struct block_device *bdev)
{
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	err = sync_blockdev(bdev);
	invalidate_mapping_pages(bdev->bd_inode->i_mapping, 0, ULONG_MAX);
	return err;
}

static long blkdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct block_device *bdev = file_bdev(file);
	const struct queue_limits *lim = &bdev_get_queue(bdev)->limits;
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case BLKROGET:
		return put_user((int)bdev->bd_read_only, (int __user *)p);
	case BLKGETSIZE:
		return put_user((unsigned long)bdev->bd_nr_sectors, (unsigned long __user *)p);
	case BLKGETSIZE64:
		return put_user((u64)bdev->bd_nr_sectors << SECTOR_SHIFT, (u64 __user *)p);
	case BLKFLSBUF:
		return flush_buffers(bdev);
	case BLKRAGET:
		return put_user((long)file->f_ra.ra_pages << (PAGE_SHIFT - SECTOR_SHIFT), (long __user *)p);
	case BLKSSZGET:
		return put_user((int)lim->logical_block_size, (int __user *)p);
	case BLKBSZGET:
		return put_user((int)PAGE_SIZE, (int __user *)p);
	case BLKPBSZGET:
	case BLKIOMIN:
		return put_user(lim->physical_block_size, (unsigned int __user *)p);
	case BLKIOOPT:
	case BLKALIGNOFF:
		return put_user(0, (int __user *)p);
	case BLKROTATIONAL:
		return put_user((unsigned short)0, (unsigned short __user *)p);
	case BLKDISCARD:
		return blkdev_discard(file, p);
	case BLKZEROOUT:
		return blkdev_zeroout(file, p);
	case BLKROSET:
		return set_read_only(bdev, p);
	case BLKRRPART:
		return reread_partitions(bdev);
	case BLKRASET:
		if (!capable(CAP_SYS_ADMIN))
			return -EACCES;
		file->f_ra.ra_pages = min(arg, 65536ul) >> (PAGE_SHIFT - SECTOR_SHIFT);
		return 0;
	}
	return -ENOTTY;
}

const struct file_operations def_blk_fops = {
	.fop_mode = FMODE_NOWAIT,
	.open = blkdev_open,
	.release = blkdev_release,
	.llseek = blkdev_llseek,
	.read_iter = generic_file_read_iter,
	.write_iter = blkdev_write_iter,
	.mmap = generic_file_mmap,
	.fsync = blkdev_fsync,
	.unlocked_ioctl = blkdev_ioctl,
};

/* ---- from a path, for mount ---- */

struct block_device *blkdev_get_by_path(const char *name, fmode_t mode, void *holder)
{
	struct block_device *bdev;
	struct inode *inode;
	struct path path;
	int err = kern_path(name, LOOKUP_FOLLOW, &path);

	if (err)
		return ERR_PTR(err);
	inode = d_backing_inode(path.dentry);
	if (!S_ISBLK(inode->i_mode))
		bdev = ERR_PTR(-ENOTBLK);
	else if (path.mnt->mnt_flags & MNT_NODEV)
		bdev = ERR_PTR(-EACCES);
	else
		bdev = blkdev_get_by_dev(inode->i_rdev, mode, holder);
	path_put(&path);
	return bdev;
}

/* ---- the inodes ---- */

int bdev_new_inode(struct block_device *bdev)
{
	struct inode *inode = new_inode(bdev_sb);

	if (!inode)
		return -ENOMEM;
	inode->i_mode = S_IFBLK;
	inode->i_ino = bdev->bd_dev;
	inode->i_rdev = bdev->bd_dev;
	inode->i_private = bdev;
	inode->i_data.a_ops = &def_blk_aops;
	/* A page of the cache may be filled while memory is freed by writing to this very device. */
	mapping_set_gfp_mask(&inode->i_data, GFP_USER);
	inode->i_blkbits = (u8)ilog2(bdev_logical_block_size(bdev));
	i_size_write(inode, (loff_t)bdev->bd_nr_sectors << SECTOR_SHIFT);
	bdev->bd_inode = inode;
	return 0;
}

/* The node is nothing; its pages are all: sync(2) writes them like those of a file. */
static int bdev_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	return 0;
}

static const struct super_operations bdev_sops = { .statfs = simple_statfs, .write_inode = bdev_write_inode };

static struct dentry *bdev_mount(struct file_system_type *type, int flags, const char *name, void *data)
{
	return mount_pseudo(type, "bdev:", &bdev_sops, NULL, BDEVFS_MAGIC);
}

static struct file_system_type bdev_type = { .name = "bdev", .mount = bdev_mount, .kill_sb = kill_anon_super };

static int __init bdev_init(void)
{
	struct vfsmount *mnt;
	int err = register_filesystem(&bdev_type);

	if (err)
		return err;
	mnt = kern_mount(&bdev_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	bdev_sb = mnt->mnt_sb;
	return 0;
}
subsys_initcall(bdev_init);
