/*
 * sync.c: bringing what is in memory to where it lasts: sync(2), fsync(2), sync_file_range(2).
 *
 * Idea:    first start all, then wait for all.  For file systems that live in memory alone there is nothing to do.
 * See:     sync(2), fsync(2)
 */
#include <weft/kernel.h>
#include <weft/blk_plug.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/writeback.h>
#include <weft/syscalls.h>
#include "internal.h"

#define VALID_FLAGS (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

/* Pages and attributes of one inode.  May sleep.  0 or -errno. */
int sync_inode_metadata(struct inode *inode, int wait)
{
	struct writeback_control wbc = { .sync_mode = wait ? WB_SYNC_ALL : WB_SYNC_NONE, .nr_to_write = 0 };
	const struct super_operations *op = inode->i_sb->s_op;
	unsigned long dirty;

	spin_lock(&inode->i_lock);
	dirty = inode->i_state & (I_DIRTY_ALL & ~I_DIRTY_PAGES);	/* pages: who writes them clears that before */
	inode->i_state &= ~dirty;
	spin_unlock(&inode->i_lock);
	smp_mb();		/* pairs with __mark_inode_dirty() */
	return dirty && op->write_inode ? op->write_inode(inode, &wbc) : 0;
}

static int sync_one(struct inode *inode, int wait)
{
	int err, err2;

	spin_lock(&inode->i_lock);
	inode->i_state &= ~(unsigned long)I_DIRTY_PAGES;
	spin_unlock(&inode->i_lock);
	smp_mb();		/* the clear before the look for pages: pairs with __mark_inode_dirty() */
	err = wait ? filemap_write_and_wait(inode->i_mapping) : filemap_flush(inode->i_mapping);
	err2 = sync_inode_metadata(inode, wait);
	return err ? err : err2;
}

/* All inodes of the file system.  An inode is held while the list's lock is dropped; so it stays in the list. */
static int sync_inodes(struct super_block *sb, int wait)
{
	struct inode *inode, *held = NULL;
	struct blk_plug plug;
	int ret = 0, err;

	if (!sb->s_op->write_inode)
		return 0;		/* nothing behind it */
	blk_start_plug(&plug);
	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		spin_lock(&inode->i_lock);
		if (inode->i_state & (I_FREEING | I_WILL_FREE | I_NEW) ||
		    (!(inode->i_state & I_DIRTY_ALL) && mapping_empty(inode->i_mapping))) {
			spin_unlock(&inode->i_lock);
			continue;
		}
		atomic_inc(&inode->i_count);
		spin_unlock(&inode->i_lock);
		spin_unlock(&sb->s_inode_list_lock);
		iput(held);
		held = inode;
		err = sync_one(inode, wait);
		ret = ret ? ret : err;
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	blk_finish_plug(&plug);
	iput(held);
	return ret;
}

/* s_umount held. */
int sync_filesystem(struct super_block *sb)
{
	int err;

	if (sb_rdonly(sb))
		return 0;
	for (int wait = 0; wait <= 1; wait++) {
		err = sync_inodes(sb, wait);
		if (sb->s_op->sync_fs) {
			int err2 = sb->s_op->sync_fs(sb, wait);

			err = err ? err : err2;
		}
	}
	return err;
}

static void sync_one_sb(struct super_block *sb, void *arg)
{
	sync_filesystem(sb);
}

void ksys_sync(void)
{
	iterate_supers(sync_one_sb, NULL);
}

long sys_sync(void)
{
	ksys_sync();
	return 0;
}

/* What went wrong since this opener called last is told, too, whoever wrote it back. */
long sys_syncfs(int fd)
{
	struct fd f = fdget(fd);
	struct super_block *sb;
	int err, err2;

	if (!f.file)
		return -EBADF;
	sb = f.file->f_path.dentry->d_sb;
	down_read(&sb->s_umount);
	err = sync_filesystem(sb);
	up_read(&sb->s_umount);
	spin_lock(&f.file->f_lock);
	err2 = errseq_check_and_advance(&sb->s_wb_err, &f.file->f_sb_err);
	spin_unlock(&f.file->f_lock);
	fdput(f);
	return err ? err : err2;
}

int vfs_fsync_range(struct file *file, loff_t start, loff_t end, int datasync)
{
	return file->f_op->fsync ? file->f_op->fsync(file, start, end, datasync) : -EINVAL;
}

int vfs_fsync(struct file *file, int datasync)
{
	return vfs_fsync_range(file, 0, MAX_LFS_FILESIZE, datasync);
}

/* After a write of `count` bytes up to ki_pos: O_SYNC and O_DSYNC want them on the disk.  count or -errno. */
ssize_t generic_write_sync(struct kiocb *iocb, ssize_t count)
{
	int err;

	if (!(iocb->ki_flags & (IOCB_DSYNC | IOCB_SYNC)) || count <= 0)
		return count;
	if (!iocb->ki_filp->f_op->fsync)
		return count;
	err = vfs_fsync_range(iocb->ki_filp, iocb->ki_pos - count, iocb->ki_pos - 1, !(iocb->ki_flags & IOCB_SYNC));
	return err ? err : count;
}

static long do_fsync(unsigned int fd, int datasync)
{
	struct fd f = fdget(fd);
	int err = -EBADF;

	if (f.file) {
		err = vfs_fsync(f.file, datasync);
		fdput(f);
	}
	return err;
}

long sys_fsync(unsigned int fd)
{
	return do_fsync(fd, 0);
}

long sys_fdatasync(unsigned int fd)
{
	return do_fsync(fd, 1);
}

static int sync_range(struct file *file, loff_t offset, loff_t end, unsigned int flags)
{
	struct address_space *mapping = file->f_mapping;
	umode_t mode = file_inode(file)->i_mode;
	int err = 0;

	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return -ESPIPE;
	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		err = file_fdatawait_range(file, offset, end);
	if (!err && flags & SYNC_FILE_RANGE_WRITE)
		err = filemap_fdatawrite_range(mapping, offset, end);
	if (!err && flags & SYNC_FILE_RANGE_WAIT_AFTER)
		err = file_fdatawait_range(file, offset, end);
	return err;
}

int vfs_sync_file_range(struct file *file, loff_t offset, loff_t nbytes, unsigned int flags)
{
	loff_t end;

	if (flags & ~VALID_FLAGS || offset < 0 || nbytes < 0 || __builtin_add_overflow(offset, nbytes, &end))
		return -EINVAL;
	return sync_range(file, offset, nbytes ? end - 1 : MAX_LFS_FILESIZE, flags);
}

long sys_sync_file_range(int fd, loff_t offset, loff_t nbytes, unsigned int flags)
{
	struct fd f = fdget(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = vfs_sync_file_range(f.file, offset, nbytes, flags);
	fdput(f);
	return err;
}
