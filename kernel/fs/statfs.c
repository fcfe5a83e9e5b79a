/*
 * statfs.c: statfs(2), fstatfs(2): how full a file system is.
 *
 * Idea:    the file system fills in a struct kstatfs; what differs between the calls is only how it is copied out.
 * Locking: none: the path or the file keeps the super block.
 * See:     statfs(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/statfs.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include "internal.h"

static long mount_flags(const struct vfsmount *mnt)
{
	int f = mnt->mnt_flags;
	long res = ST_VALID;

	res |= f & MNT_READONLY || sb_rdonly(mnt->mnt_sb) ? ST_RDONLY : 0;
	res |= f & MNT_NOSUID ? ST_NOSUID : 0;
	res |= f & MNT_NODEV ? ST_NODEV : 0;
	res |= f & MNT_NOEXEC ? ST_NOEXEC : 0;
	res |= f & MNT_NOATIME ? ST_NOATIME : 0;
	res |= f & MNT_NODIRATIME ? ST_NODIRATIME : 0;
	res |= f & MNT_RELATIME ? ST_RELATIME : 0;
	res |= f & MNT_NOSYMFOLLOW ? ST_NOSYMFOLLOW : 0;
	res |= mnt->mnt_sb->s_flags & SB_SYNCHRONOUS ? ST_SYNCHRONOUS : 0;
	return res;
}

int vfs_statfs(const struct path *path, struct kstatfs *buf)
{
	const struct super_operations *op = path->dentry->d_sb->s_op;
	int err;

	if (!op->statfs)
		return -ENOSYS;
	memset(buf, 0, sizeof(*buf));
	err = op->statfs(path->dentry, buf);
	if (err)
		return err;
	if (!buf->f_frsize)
		buf->f_frsize = buf->f_bsize;
	buf->f_flags = mount_flags(path->mnt);
	return 0;
}

/* statfs, fstatfs of 32-bit programs: what does not fit is an error. */
static int put_compat_statfs(const struct kstatfs *st, void __user *p)
{
	struct compat_statfs buf = {
		.f_type = (u32)st->f_type, .f_bsize = (u32)st->f_bsize, .f_blocks = (u32)st->f_blocks,
		.f_bfree = (u32)st->f_bfree, .f_bavail = (u32)st->f_bavail, .f_files = (u32)st->f_files,
		.f_ffree = (u32)st->f_ffree, .f_fsid = { st->f_fsid.val[0], st->f_fsid.val[1] },
		.f_namelen = (u32)st->f_namelen, .f_frsize = (u32)st->f_frsize, .f_flags = (u32)st->f_flags,
	};

	if ((st->f_blocks | st->f_bfree | st->f_bavail) >> 32)
		return -EOVERFLOW;
	return copy_to_user(p, &buf, sizeof(buf)) ? -EFAULT : 0;
}

/* statfs64, fstatfs64. */
int put_compat_statfs64(const struct kstatfs *st, void __user *p)
{
	struct compat_statfs64 buf = {
		.f_type = (u32)st->f_type, .f_bsize = (u32)st->f_bsize, .f_blocks = st->f_blocks,
		.f_bfree = st->f_bfree, .f_bavail = st->f_bavail, .f_files = st->f_files, .f_ffree = st->f_ffree,
		.f_fsid = { st->f_fsid.val[0], st->f_fsid.val[1] }, .f_namelen = (u32)st->f_namelen,
		.f_frsize = (u32)st->f_frsize, .f_flags = (u32)st->f_flags,
	};

	return copy_to_user(p, &buf, sizeof(buf)) ? -EFAULT : 0;
}

static int do_statfs(const struct path *path, struct statfs __user *p)
{
	struct kstatfs st;
	struct statfs buf;
	int err = vfs_statfs(path, &st);

	if (err)
		return err;
	if (in_compat_syscall())
		return put_compat_statfs(&st, p);
	buf = (struct statfs){
		.f_type = st.f_type, .f_bsize = st.f_bsize, .f_blocks = st.f_blocks, .f_bfree = st.f_bfree,
		.f_bavail = st.f_bavail, .f_files = st.f_files, .f_ffree = st.f_ffree, .f_fsid = st.f_fsid,
		.f_namelen = st.f_namelen, .f_frsize = st.f_frsize, .f_flags = st.f_flags,
	};
	return copy_to_user(p, &buf, sizeof(buf)) ? -EFAULT : 0;
}

/* ---- ustat(2) ---- */

struct ustat {
	s32		f_tfree;		/* blocks */
	unsigned long	f_tinode;
	char		f_fname[6], f_fpack[6];	/* empty */
};

struct compat_ustat {
	s32		f_tfree;
	u32		f_tinode;
	char		f_fname[6], f_fpack[6];
};

struct ustat_search {
	dev_t		dev;
	struct kstatfs	st;
	int		err;
};

static void ustat_one(struct super_block *sb, void *arg)
{
	struct ustat_search *s = arg;

	if (sb->s_dev == s->dev && sb->s_op->statfs)
		s->err = sb->s_op->statfs(sb->s_root, &s->st);
}

/* The file system on that device: what it has left. */
long sys_ustat(unsigned int dev, struct ustat __user *ubuf)
{
	struct ustat_search s = { .dev = new_decode_dev(dev), .err = -EINVAL };
	struct compat_ustat small = { };
	struct ustat buf = { };

	iterate_supers(ustat_one, &s);
	if (s.err)
		return s.err;
	buf.f_tfree = small.f_tfree = (s32)s.st.f_bfree;
	buf.f_tinode = s.st.f_ffree;
	small.f_tinode = (u32)s.st.f_ffree;
	if (in_compat_syscall())
		return copy_to_user(ubuf, &small, sizeof(small)) ? -EFAULT : 0;
	return copy_to_user(ubuf, &buf, sizeof(buf)) ? -EFAULT : 0;
}

/* ---- statfs(2) ---- */

long sys_statfs(const char __user *pathname, struct statfs __user *buf)
{
	struct path path;
	int err = user_path_at(AT_FDCWD, pathname, LOOKUP_FOLLOW, &path);

	if (err)
		return err;
	err = do_statfs(&path, buf);
	path_put(&path);
	return err;
}

long sys_fstatfs(unsigned int fd, struct statfs __user *buf)
{
	struct fd f = fdget_raw(fd);
	int err = -EBADF;

	if (f.file) {
		err = do_statfs(&f.file->f_path, buf);
		fdput(f);
	}
	return err;
}
