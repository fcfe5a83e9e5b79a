/*
 * sync.c: bringing what was written to where it lasts: sync, syncfs, fsync, fdatasync, sync_file_range.
 *
 * Idea:    a file's own ->fsync() knows best; without one there is nothing behind the file that could lose data (tmpfs,
 *          pipes), and fsync(2) says EINVAL, as Linux does.
 * See:     spec.md §10; fsync(2), sync_file_range(2)
 */
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/pagemap.h>
#include <weft/syscalls.h>
#include <weft/kernel.h>

#define SYNC_FILE_RANGE_WAIT_BEFORE	1
#define SYNC_FILE_RANGE_WRITE		2
#define SYNC_FILE_RANGE_WAIT_AFTER	4

/* s_umount is held for reading or writing. */
int sync_filesystem(struct super_block *sb)
{
	if (sb_rdonly(sb) || !sb->s_op->sync_fs)
		return 0;
	return sb->s_op->sync_fs(sb, 0) ?: sb->s_op->sync_fs(sb, 1);
}

static void sync_one(struct super_block *sb, void *wait)
{
	if (!sb_rdonly(sb) && sb->s_op->sync_fs)
		sb->s_op->sync_fs(sb, wait != NULL);
}

long sys_sync(void)
{
	iterate_supers(sync_one, NULL);
	iterate_supers(sync_one, (void *)1);
	return 0;
}

long sys_syncfs(int fd)
{
	struct fd f = fdget(fd);
	struct super_block *sb;
	long err;

	if (!f.file)
		return -EBADF;
	sb = file_inode(f.file)->i_sb;
	down_read(&sb->s_umount);
	err = sync_filesystem(sb);
	up_read(&sb->s_umount);
	fdput(f);
	return err;
}

/* Writes an inode's attributes, if its file system keeps them anywhere. */
int sync_inode_metadata(struct inode *inode, int wait)
{
	return inode->i_sb->s_op->write_inode ? inode->i_sb->s_op->write_inode(inode, NULL) : 0;
}

int vfs_fsync_range(struct file *file, loff_t start, loff_t end, int datasync)
{
	if (!file->f_op->fsync)
		return -EINVAL;
	return file->f_op->fsync(file, start, end, datasync);
}

int vfs_fsync(struct file *file, int datasync)
{
	return vfs_fsync_range(file, 0, MAX_LFS_FILESIZE, datasync);
}

/* After a write through O_SYNC or O_DSYNC; count is what it returned. */
ssize_t generic_write_sync(struct kiocb *iocb, ssize_t count)
{
	int err;

	if (count <= 0 || !(iocb->ki_flags & IOCB_DSYNC))
		return count;
	err = vfs_fsync_range(iocb->ki_filp, iocb->ki_pos - count, iocb->ki_pos - 1, !(iocb->ki_flags & IOCB_SYNC));
	return err ?: count;
}

static long do_fsync(unsigned int fd, int datasync)
{
	struct fd f = fdget(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = vfs_fsync(f.file, datasync);
	fdput(f);
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

long sys_sync_file_range(int fd, loff_t offset, loff_t nbytes, unsigned int flags)
{
	loff_t end = nbytes ? offset + nbytes - 1 : MAX_LFS_FILESIZE;
	struct inode *inode;
	struct fd f;
	long err = 0;

	if (flags & ~(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	if (offset < 0 || nbytes < 0 || end < offset - 1)
		return -EINVAL;
	f = fdget(fd);
	if (!f.file)
		return -EBADF;
	inode = file_inode(f.file);
	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode) && !S_ISDIR(inode->i_mode) && !S_ISLNK(inode->i_mode))
		err = -ESPIPE;
	else if (flags)
		err = filemap_write_and_wait_range(f.file->f_mapping, offset, end);
	fdput(f);
	return err;
}
