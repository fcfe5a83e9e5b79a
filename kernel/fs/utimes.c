/*
 * utimes.c: setting access and modification times.
 *
 * Idea:    all calls become one change of attributes.  Both times "now" needs the right to write; any other time, the owner.
 * Locking: i_rwsem around notify_change().
 * See: utimensat(2), utime(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/time64.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <uapi/time.h>
#include "internal.h"

struct utimbuf {
	long	actime;
	long	modtime;
};

static bool nsec_valid(long nsec)
{
	return nsec == UTIME_NOW || nsec == UTIME_OMIT || (nsec >= 0 && nsec < NSEC_PER_SEC);
}

/* times NULL: both become now, for which write permission is enough. */
int vfs_utimes(const struct path *path, struct timespec64 *times)
{
	struct iattr attr = { .ia_valid = ATTR_CTIME | ATTR_MTIME | ATTR_ATIME };
	struct inode *inode = d_inode(path->dentry);
	int err;

	if (times) {
		if (!nsec_valid(times[0].tv_nsec) || !nsec_valid(times[1].tv_nsec))
			return -EINVAL;
		if (times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW)
			times = NULL;
	}
	err = mnt_want_write(path->mnt);
	if (err)
		return err;
	if (!times) {
		attr.ia_valid |= ATTR_TOUCH;
	} else {
		if (times[0].tv_nsec == UTIME_OMIT) {
			attr.ia_valid &= ~ATTR_ATIME;
		} else if (times[0].tv_nsec != UTIME_NOW) {
			attr.ia_atime = times[0];
			attr.ia_valid |= ATTR_ATIME_SET;
		}
		if (times[1].tv_nsec == UTIME_OMIT) {
			attr.ia_valid &= ~ATTR_MTIME;
		} else if (times[1].tv_nsec != UTIME_NOW) {
			attr.ia_mtime = times[1];
			attr.ia_valid |= ATTR_MTIME_SET;
		}
		attr.ia_valid |= ATTR_TIMES_SET;	/* even "now" for one of the two needs the owner */
	}
	inode_lock(inode);
	err = notify_change(path->dentry, &attr);
	inode_unlock(inode);
	mnt_drop_write(path->mnt);
	return err;
}

static long do_utimes(int dfd, const char __user *filename, struct timespec64 *times, int flags)
{
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	struct fd f;
	int err;

	if (!filename && dfd != AT_FDCWD) {
		if (flags)
			return -EINVAL;
		f = fdget(dfd);
		if (!f.file)
			return -EBADF;
		err = vfs_utimes(&f.file->f_path, times);
		fdput(f);
		return err;
	}
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_at(dfd, filename, lookup | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &path);
	if (err)
		return err;
	err = vfs_utimes(&path, times);
	path_put(&path);
	return err;
}

long sys_utimensat(int dfd, const char __user *filename, struct __kernel_timespec __user *utimes, int flags)
{
	struct timespec64 times[2];

	if (!utimes)
		return do_utimes(dfd, filename, NULL, flags);
	if (get_timespec64(&times[0], utimes) || get_timespec64(&times[1], second_timespec(utimes)))
		return -EFAULT;
	if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0;		/* nothing to do, whatever the name says */
	return do_utimes(dfd, filename, times, flags);
}

long sys_futimesat(int dfd, const char __user *filename, struct __kernel_old_timeval __user *utimes)
{
	struct __kernel_old_timeval tv[2];
	struct timespec64 times[2];

	if (!utimes)
		return do_utimes(dfd, filename, NULL, 0);
	if (get_old_timeval(&tv[0], utimes) || get_old_timeval(&tv[1], second_timeval(utimes)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= USEC_PER_SEC)
			return -EINVAL;
		times[i] = (struct timespec64){ .tv_sec = tv[i].tv_sec, .tv_nsec = tv[i].tv_usec * NSEC_PER_USEC };
	}
	return do_utimes(dfd, filename, times, 0);
}

long sys_utimes(char __user *filename, struct __kernel_old_timeval __user *utimes)
{
	return sys_futimesat(AT_FDCWD, filename, utimes);
}

static int get_utimbuf(struct utimbuf *buf, const struct utimbuf __user *ubuf)
{
	struct old_utimbuf32 t32;

	if (!in_compat_syscall())
		return copy_from_user(buf, ubuf, sizeof(*buf)) ? -EFAULT : 0;
	if (copy_from_user(&t32, ubuf, sizeof(t32)))
		return -EFAULT;
	*buf = (struct utimbuf){ t32.actime, t32.modtime };
	return 0;
}

long sys_utime(char __user *filename, struct utimbuf __user *utimes)
{
	struct timespec64 times[2] = { };
	struct utimbuf buf;

	if (!utimes)
		return do_utimes(AT_FDCWD, filename, NULL, 0);
	if (get_utimbuf(&buf, utimes))
		return -EFAULT;
	times[0].tv_sec = buf.actime;
	times[1].tv_sec = buf.modtime;
	return do_utimes(AT_FDCWD, filename, times, 0);
}
