/*
 * utimes.c: changing a file's times: utimensat and its elders.
 *
 * Idea:    every call becomes two timespec64 in which UTIME_NOW and UTIME_OMIT may stand, and notify_change() decides who
 *          may: anybody with write access may set both to now, only the owner may set anything else.
 * See:     utimensat(2)
 */
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <uapi/stat.h>
#include <uapi/time.h>
#include "internal.h"

struct utimbuf {
	long actime, modtime;		/* seconds: utime(2)'s ABI */
};

static bool nsec_valid(long nsec)
{
	return nsec == UTIME_OMIT || nsec == UTIME_NOW || (nsec >= 0 && nsec <= 999999999);
}

static void fill_attr(struct iattr *attr, const struct timespec64 *times)
{
	attr->ia_valid = ATTR_CTIME | ATTR_ATIME | ATTR_MTIME;
	if (!times) {
		attr->ia_valid |= ATTR_TOUCH;
		return;
	}
	if (times[0].tv_nsec == UTIME_OMIT)
		attr->ia_valid &= ~ATTR_ATIME;
	else if (times[0].tv_nsec != UTIME_NOW) {
		attr->ia_atime = times[0];
		attr->ia_valid |= ATTR_ATIME_SET;
	}
	if (times[1].tv_nsec == UTIME_OMIT)
		attr->ia_valid &= ~ATTR_MTIME;
	else if (times[1].tv_nsec != UTIME_NOW) {
		attr->ia_mtime = times[1];
		attr->ia_valid |= ATTR_MTIME_SET;
	}
	attr->ia_valid |= ATTR_TIMES_SET;	/* the owner's right is needed even for "now" in one of them */
}

/* times NULL: both to now. */
int vfs_utimes(const struct path *path, struct timespec64 *times)
{
	struct inode *inode = d_inode(path->dentry);
	struct iattr attr = { 0 };
	int err;

	if (times && (!nsec_valid(times[0].tv_nsec) || !nsec_valid(times[1].tv_nsec)))
		return -EINVAL;
	if (times && times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW)
		times = NULL;
	err = mnt_want_write(path->mnt);
	if (err)
		return err;
	fill_attr(&attr, times);
	inode_lock(inode);
	err = notify_change(path->dentry, &attr);
	inode_unlock(inode);
	mnt_drop_write(path->mnt);
	return err;
}

static long utimes_fd(int fd, struct timespec64 *times, int flags)
{
	struct fd f;
	long err;

	if (flags)
		return -EINVAL;
	f = fdget(fd);
	if (!f.file)
		return -EBADF;
	err = vfs_utimes(&f.file->f_path, times);
	fdput(f);
	return err;
}

static long do_utimes(int dfd, const char __user *filename, struct timespec64 *times, int flags)
{
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	long err;

	if (!filename && dfd != AT_FDCWD)
		return utimes_fd(dfd, times, flags);
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = user_path_at(dfd, filename, lookup, &path);
	if (err)
		return err;
	err = vfs_utimes(&path, times);
	path_put(&path);
	return err;
}

long sys_utimensat(int dfd, const char __user *filename, struct __kernel_timespec __user *utimes, int flags)
{
	struct timespec64 times[2];

	if (utimes) {
		if (get_timespec64(&times[0], &utimes[0]) || get_timespec64(&times[1], &utimes[1]))
			return -EFAULT;
		if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
			return 0;
	}
	return do_utimes(dfd, filename, utimes ? times : NULL, flags);
}

long sys_futimesat(int dfd, const char __user *filename, struct __kernel_old_timeval __user *utimes)
{
	struct __kernel_old_timeval tv[2];
	struct timespec64 times[2];

	if (!utimes)
		return do_utimes(dfd, filename, NULL, 0);
	if (copy_from_user(tv, utimes, sizeof(tv)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		/* checked here: microseconds that overflow must not become UTIME_NOW by accident */
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		times[i] = (struct timespec64){ .tv_sec = tv[i].tv_sec, .tv_nsec = tv[i].tv_usec * 1000 };
	}
	return do_utimes(dfd, filename, times, 0);
}

long sys_utimes(char __user *filename, struct __kernel_old_timeval __user *utimes)
{
	return sys_futimesat(AT_FDCWD, filename, utimes);
}

long sys_utime(char __user *filename, struct utimbuf __user *times)
{
	struct timespec64 ts[2] = { { 0 }, { 0 } };
	struct utimbuf buf;

	if (!times)
		return do_utimes(AT_FDCWD, filename, NULL, 0);
	if (copy_from_user(&buf, times, sizeof(buf)))
		return -EFAULT;
	ts[0].tv_sec = buf.actime;
	ts[1].tv_sec = buf.modtime;
	return do_utimes(AT_FDCWD, filename, ts, 0);
}
