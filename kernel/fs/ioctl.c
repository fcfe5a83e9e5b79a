/*
 * ioctl.c: ioctl(2): what every file understands, then the file's own.
 *
 * Idea:    file attributes have two interfaces, FS_IOC_GETFLAGS (all that the file system knows, in its own numbers) and
 *          FS_IOC_FSGETXATTR (those that all know); the second is translated to the first.
 * Locking: i_rwsem while attributes change.
 * See:     ioctl(2), ioctl_iflags(2), ioctl_xfs_fsgetxattr(2); fiemap.c
 */
#include <weft/kernel.h>
#include <weft/fiemap.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/mount.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <uapi/ioctls.h>
#include "internal.h"

long vfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	long err = -ENOTTY;

	if (file->f_op->unlocked_ioctl) {
		err = file->f_op->unlocked_ioctl(file, cmd, arg);
		if (err == -ENOIOCTLCMD)
			err = -ENOTTY;
	}
	return err;
}

static int set_nonblock(struct file *file, int __user *argp)
{
	int on;

	if (get_user(on, argp))
		return -EFAULT;
	spin_lock(&file->f_lock);
	if (on)
		file->f_flags |= O_NONBLOCK;
	else
		file->f_flags &= ~O_NONBLOCK;
	spin_unlock(&file->f_lock);
	return 0;
}

static int set_fasync(unsigned int fd, struct file *file, int __user *argp)
{
	int on, err;

	if (get_user(on, argp))
		return -EFAULT;
	if (!on == !(file->f_flags & FASYNC))
		return 0;
	if (!file->f_op->fasync)
		return -ENOTTY;
	err = file->f_op->fasync(fd, file, on);	/* changes FASYNC in f_flags itself */
	return err < 0 ? err : 0;
}

static int get_flags(struct file *file, int __user *argp)
{
	const struct inode_operations *op = file_inode(file)->i_op;
	u32 flags = 0;
	int err = op->fileattr_get ? op->fileattr_get(file_dentry(file), &flags) : -ENOTTY;

	return err ? err : put_user((int)flags, argp);
}

/* Of those in `mask` the file gets `flags`. */
static int change_flags(struct file *file, u32 flags, u32 mask)
{
	struct inode *inode = file_inode(file);
	u32 old = 0;
	int err;

	if (!inode->i_op->fileattr_set || !inode->i_op->fileattr_get)
		return -ENOTTY;
	if (!inode_owner_or_capable(inode))
		return -EPERM;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	inode_lock(inode);
	err = inode->i_op->fileattr_get(file_dentry(file), &old);
	flags |= old & ~mask;
	if (!err && (flags ^ old) & (FS_APPEND_FL | FS_IMMUTABLE_FL) && !capable(CAP_LINUX_IMMUTABLE))
		err = -EPERM;
	if (!err)
		err = inode->i_op->fileattr_set(file_dentry(file), flags);
	inode_unlock(inode);
	mnt_drop_write_file(file);
	return err;
}

static int set_flags(struct file *file, u32 __user *argp)
{
	u32 flags;

	return get_user(flags, argp) ? -EFAULT : change_flags(file, flags, ~0u);
}

/* ---- the same, as XFS says it ---- */

static const struct {
	u32	flag, xflag;
} xflags[] = {
	{ FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE }, { FS_APPEND_FL, FS_XFLAG_APPEND }, { FS_SYNC_FL, FS_XFLAG_SYNC },
	{ FS_NOATIME_FL, FS_XFLAG_NOATIME }, { FS_NODUMP_FL, FS_XFLAG_NODUMP },
};

static int get_xattr_flags(struct file *file, struct fsxattr __user *argp)
{
	const struct inode_operations *op = file_inode(file)->i_op;
	struct fsxattr fsx = { };
	u32 flags = 0;
	int err = op->fileattr_get ? op->fileattr_get(file_dentry(file), &flags) : -ENOTTY;

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(xflags); i++)
		fsx.fsx_xflags |= flags & xflags[i].flag ? xflags[i].xflag : 0;
	return copy_to_user(argp, &fsx, sizeof(fsx)) ? -EFAULT : 0;
}

/* Projects and hints about sizes are not there. */
static int set_xattr_flags(struct file *file, const struct fsxattr __user *argp)
{
	struct fsxattr fsx;
	u32 flags = 0, mask = 0, known = 0;

	if (copy_from_user(&fsx, argp, sizeof(fsx)))
		return -EFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(xflags); i++) {
		flags |= fsx.fsx_xflags & xflags[i].xflag ? xflags[i].flag : 0;
		mask |= xflags[i].flag;
		known |= xflags[i].xflag;
	}
	if (fsx.fsx_xflags & ~known || fsx.fsx_extsize || fsx.fsx_projid || fsx.fsx_cowextsize)
		return -EOPNOTSUPP;
	return change_flags(file, flags, mask);
}

static int regular_ioctl(struct file *file, unsigned int cmd, void __user *argp)
{
	struct inode *inode = file_inode(file);

	if (cmd == FIONREAD)
		return put_user((int)(i_size_read(inode) - file->f_pos), (int __user *)argp);
	if (cmd == FIBMAP)
		return ioctl_fibmap(file, argp);
	return vfs_ioctl(file, cmd, (unsigned long)argp);
}

/* -ENOTTY: neither the VFS nor the file knows it. */
int do_vfs_ioctl(struct file *file, unsigned int fd, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct inode *inode = file_inode(file);

	switch (cmd) {
	case FIOCLEX:
		set_close_on_exec(fd, 1);
		return 0;
	case FIONCLEX:
		set_close_on_exec(fd, 0);
		return 0;
	case FIONBIO:
		return set_nonblock(file, argp);
	case FIOASYNC:
		return set_fasync(fd, file, argp);
	case FIOQSIZE:
		if (S_ISDIR(inode->i_mode) || S_ISREG(inode->i_mode) || S_ISLNK(inode->i_mode)) {
			loff_t size = inode_get_bytes(inode);

			return copy_to_user(argp, &size, sizeof(size)) ? -EFAULT : 0;
		}
		return -ENOTTY;
	case FIGETBSZ:
		return inode->i_sb->s_blocksize ? put_user((int)inode->i_sb->s_blocksize, (int __user *)argp) : -EINVAL;
	case FS_IOC_GETFLAGS:
		return get_flags(file, argp);
	case FS_IOC_SETFLAGS:
		return set_flags(file, argp);
	case FS_IOC_FSGETXATTR:
		return get_xattr_flags(file, argp);
	case FS_IOC_FSSETXATTR:
		return set_xattr_flags(file, argp);
	case FS_IOC_FIEMAP:
		return ioctl_fiemap(file, argp);
	}
	if (S_ISREG(inode->i_mode))
		return regular_ioctl(file, cmd, argp);
	return vfs_ioctl(file, cmd, arg);
}

long sys_ioctl(unsigned int fd, unsigned int cmd, unsigned long arg)
{
	struct fd f = fdget(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = do_vfs_ioctl(f.file, fd, cmd, arg);
	fdput(f);
	return err;
}
