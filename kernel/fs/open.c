/*
 * open.c: opening and closing files; truncation, preallocation, access checks, directories of the task, modes and owners.
 *
 * Idea:    namei.c finds the name and says whether the caller may; here a struct file is filled in and given its number.
 *          Changes of an inode (size, mode, owner) go through notify_change() with i_rwsem held and, by path, write access
 *          to the mount (mnt_want_write()), so that a read-only remount waits for them.  access(2) asks with credentials of
 *          its own, in which the real IDs stand for the effective ones.
 * Locking: i_rwsem of the inode that is changed; nothing is held while a file is opened or closed.
 * See: open(2), close(2), truncate(2), fallocate(2), access(2), chdir(2), chmod(2), chown(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/fs_struct.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/filelock.h>
#include <weft/fcntl.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/pagemap.h>
#include <weft/fsnotify.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/tty.h>
#include <uapi/falloc.h>
#include "internal.h"

/* ---- the file behind a path ---- */

/* Write access to the inode and the mount, for regular files and the like: not what a device or FIFO is written through. */
static int get_file_write_access(struct file *f, struct inode *inode)
{
	int err = get_write_access(inode);

	if (unlikely(err))
		return err;
	err = mnt_get_write_access(f->f_path.mnt);
	if (unlikely(err)) {
		put_write_access(inode);
		return err;
	}
	f->f_mode |= FMODE_WRITER;
	return 0;
}

static const struct file_operations empty_fops;

/* f->f_path is set and its references belong to f: on failure they are dropped.  0 or -errno. */
int do_dentry_open(struct file *f, int (*open)(struct inode *, struct file *))
{
	struct inode *inode = d_inode(f->f_path.dentry);
	umode_t mode = inode->i_mode;
	int err;

	f->f_inode = inode;
	f->f_mapping = inode->i_mapping;
	if (unlikely(f->f_flags & O_PATH)) {
		f->f_mode = FMODE_PATH | FMODE_OPENED;
		f->f_op = &empty_fops;
		return 0;
	}
	if (f->f_mode & FMODE_WRITE && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode))) {
		err = get_file_write_access(f, inode);
		if (unlikely(err))
			goto fail;
	}
	err = landlock_open(f);
	if (unlikely(err))
		goto fail;
	if (S_ISREG(mode) && (f->f_mode & (FMODE_READ | FMODE_WRITE)) == FMODE_READ) {
		atomic_inc(&inode->i_readcount);
		f->f_mode |= FMODE_READER;
	}
	err = break_lease(inode, f->f_flags);
	if (unlikely(err))
		goto fail;
	if (S_ISREG(mode) || S_ISDIR(mode))
		f->f_mode |= FMODE_ATOMIC_POS;
	f->f_op = inode->i_fop;
	f->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
	if (!open)
		open = f->f_op->open;
	if (open) {
		err = open(inode, f);
		if (err)
			goto fail;
	}
	f->f_mode |= FMODE_OPENED | f->f_op->fop_mode;
	f->f_wb_err = errseq_sample(&f->f_mapping->wb_err);	/* open() may have set another mapping */
	f->f_sb_err = errseq_sample(&inode->i_sb->s_wb_err);
	if (f->f_mode & FMODE_READ && likely(f->f_op->read_iter))
		f->f_mode |= FMODE_CAN_READ;
	if (f->f_mode & FMODE_WRITE && likely(f->f_op->write_iter))
		f->f_mode |= FMODE_CAN_WRITE;
	if (f->f_mode & FMODE_LSEEK && !f->f_op->llseek)
		f->f_mode &= ~FMODE_LSEEK;
	f->f_flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	file_ra_state_init(&f->f_ra, f->f_mapping->host->i_mapping);
	if (unlikely(f->f_flags & O_DIRECT) && !f->f_mapping->a_ops->direct_IO) {
		err = -EINVAL;
		goto release;
	}
	fsnotify_open(f);
	return 0;

release:
	if (f->f_op->release)
		f->f_op->release(inode, f);
	f->f_mode &= ~FMODE_OPENED;
fail:
	if (f->f_mode & FMODE_WRITER)
		file_put_write_access(f);
	else if (f->f_mode & FMODE_READER)
		atomic_dec(&inode->i_readcount);
	path_put(&f->f_path);
	f->f_path = (struct path){ };
	f->f_inode = NULL;
	return err;
}

int finish_open(struct file *file, struct dentry *dentry, int (*open)(struct inode *, struct file *))
{
	BUG_ON(file->f_mode & FMODE_OPENED);
	file->f_path.dentry = dentry;
	path_get(&file->f_path);
	return do_dentry_open(file, open);
}

/* The file system looked the name up but did not open it. */
int finish_no_open(struct file *file, struct dentry *dentry)
{
	file->f_path.dentry = dentry;
	return 0;
}

int vfs_open(const struct path *path, struct file *file)
{
	file->f_path = *path;
	path_get(path);
	return do_dentry_open(file, NULL);
}

struct file *dentry_open(const struct path *path, int flags, const struct cred *cred)
{
	struct file *f = alloc_empty_file(flags, cred);
	int err;

	if (IS_ERR(f))
		return f;
	err = vfs_open(path, f);
	if (err) {
		fput(f);
		f = ERR_PTR(err);
	}
	return f;
}

/* ---- open(2) ---- */

struct open_how build_open_how(int flags, umode_t mode)
{
	struct open_how how = { .flags = flags & VALID_OPEN_FLAGS, .mode = mode & S_IALLUGO };

	/* What openat2() refuses, open() has always ignored. */
	if (how.flags & O_PATH)
		how.flags &= O_PATH_FLAGS;
	if (!(how.flags & (O_CREAT | __O_TMPFILE)))
		how.mode = 0;
	return how;
}

struct file *file_open_name(struct filename *name, int flags, umode_t mode)
{
	struct open_how how = build_open_how(flags, mode);
	struct open_flags op;
	int err = build_open_flags(&how, &op);

	return err ? ERR_PTR(err) : do_filp_open(AT_FDCWD, name, &op);
}

struct file *filp_open(const char *filename, int flags, umode_t mode)
{
	struct filename *name = getname_kernel(filename);
	struct file *file = ERR_CAST(name);

	if (!IS_ERR(name)) {
		file = file_open_name(name, flags, mode);
		putname(name);
	}
	return file;
}

static long do_sys_openat2(int dfd, const char __user *filename, struct open_how *how)
{
	struct short_name room;
	struct filename *name;
	struct open_flags op;
	struct file *file;
	int fd;

	if (!(how->flags & O_PATH) && !in_compat_syscall())
		how->flags |= O_LARGEFILE;	/* as F_GETFL shows it on 64 bits */
	fd = build_open_flags(how, &op);
	if (unlikely(fd))
		return fd;
	name = getname_short(filename, 0, &room);
	if (IS_ERR(name))
		return PTR_ERR(name);
	fd = get_unused_fd_flags(how->flags);
	if (likely(fd >= 0)) {
		file = do_filp_open(dfd, name, &op);
		if (IS_ERR(file)) {
			put_unused_fd(fd);
			fd = PTR_ERR(file);
		} else {
			fd_install(fd, file);
		}
	}
	putname(name);
	return fd;
}

long sys_openat(int dfd, const char __user *filename, int flags, umode_t mode)
{
	struct open_how how = build_open_how(flags, mode);

	return do_sys_openat2(dfd, filename, &how);
}

long sys_open(const char __user *filename, int flags, umode_t mode)
{
	return sys_openat(AT_FDCWD, filename, flags, mode);
}

long sys_openat2(int dfd, const char __user *filename, struct open_how __user *how, size_t usize)
{
	struct open_how tmp;
	int err;

	if (usize < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (usize > PAGE_SIZE)		/* what is unknown to us is looked through for zeroes: not for hours */
		return -E2BIG;
	err = copy_struct_from_user(&tmp, sizeof(tmp), how, usize);
	if (err)
		return err;
	return do_sys_openat2(dfd, filename, &tmp);
}

long sys_creat(const char __user *pathname, umode_t mode)
{
	return sys_openat(AT_FDCWD, pathname, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- close(2) ---- */

static int filp_flush(struct file *filp, fl_owner_t id)
{
	int ret = 0;

	if (WARN_ON(!file_count(filp)))
		return 0;
	if (filp->f_op->flush)
		ret = filp->f_op->flush(filp, id);
	if (likely(!(filp->f_mode & FMODE_PATH))) {
		dnotify_flush(filp, id);
		locks_remove_posix(filp, id);
	}
	return ret;
}

/* One descriptor of the file goes.  What flush() said. */
int filp_close(struct file *filp, fl_owner_t id)
{
	int ret = filp_flush(filp, id);

	fput(filp);
	return ret;
}

long sys_close(unsigned int fd)
{
	struct file *file = close_fd_get_file(fd);
	int ret;

	if (!file)
		return -EBADF;
	ret = filp_flush(file, current->files);
	__fput_sync(file);	/* nothing is held here: no detour through the return to user mode */
	/* The descriptor is gone: a restarted close() would close somebody else's. */
	if (unlikely(ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND || ret == -ERESTART_RESTARTBLOCK))
		ret = -EINTR;
	return ret;
}

int generic_file_open(struct inode *inode, struct file *filp)
{
	/* Without O_LARGEFILE, which 64-bit programs always have, the offsets of a program cannot reach the end. */
	return !(filp->f_flags & O_LARGEFILE) && i_size_read(inode) > MAX_NON_LFS ? -EOVERFLOW : 0;
}

int nonseekable_open(struct inode *inode, struct file *filp)
{
	filp->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE);
	return 0;
}

int stream_open(struct inode *inode, struct file *filp)
{
	filp->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS);
	filp->f_mode |= FMODE_STREAM;
	return 0;
}

/* ---- truncate(2) ---- */

int do_truncate(struct dentry *dentry, loff_t length, unsigned int time_attrs, struct file *filp)
{
	struct iattr attr = { .ia_size = length, .ia_valid = ATTR_SIZE | time_attrs };
	int err;

	if (length < 0)
		return -EINVAL;
	if (filp) {
		attr.ia_file = filp;
		attr.ia_valid |= ATTR_FILE;
	}
	attr.ia_valid |= should_remove_suid(dentry);
	if (attr.ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		attr.ia_valid |= ATTR_FORCE;
	inode_lock(d_inode(dentry));
	err = notify_change(dentry, &attr);
	inode_unlock(d_inode(dentry));
	return err;
}

int vfs_truncate(const struct path *path, loff_t length)
{
	struct inode *inode = d_inode(path->dentry);
	int err;

	if (S_ISDIR(inode->i_mode))
		return -EISDIR;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	err = mnt_want_write(path->mnt);
	if (err)
		return err;
	err = inode_permission(inode, MAY_WRITE);
	if (err)
		goto drop;
	err = IS_APPEND(inode) ? -EPERM : get_write_access(inode);
	if (err)
		goto drop;
	err = break_lease(inode, O_WRONLY);
	if (!err)
		err = do_truncate(path->dentry, length, 0, NULL);
	put_write_access(inode);
drop:
	mnt_drop_write(path->mnt);
	return err;
}

long sys_truncate(const char __user *path, long length)
{
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	err = user_path_at(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	err = vfs_truncate(&p, length);
	path_put(&p);
	return err;
}

long sys_ftruncate(unsigned int fd, unsigned long length)
{
	struct inode *inode;
	struct fd f;
	int err = -EINVAL;

	if ((long)length < 0)
		return -EINVAL;
	f = fdget(fd);
	if (!f.file)
		return -EBADF;
	inode = file_inode(f.file);
	if (S_ISREG(inode->i_mode) && f.file->f_mode & FMODE_WRITE) {
		err = IS_APPEND(inode) ? -EPERM : mnt_want_write_file(f.file);
		if (!err) {
			err = do_truncate(file_dentry(f.file), length, ATTR_MTIME | ATTR_CTIME, f.file);
			mnt_drop_write_file(f.file);
		}
	}
	fdput(f);
	return err;
}

/* ---- fallocate(2) ---- */

#define FALLOC_KNOWN	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE | \
			 FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE)

static int check_falloc_mode(int mode)
{
	if (mode & ~FALLOC_KNOWN)
		return -EOPNOTSUPP;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_COLLAPSE_RANGE && mode & ~FALLOC_FL_COLLAPSE_RANGE)
		return -EINVAL;
	if (mode & FALLOC_FL_INSERT_RANGE && mode & ~FALLOC_FL_INSERT_RANGE)
		return -EINVAL;
	return 0;
}

int vfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err;

	if (offset < 0 || len <= 0)
		return -EINVAL;
	err = check_falloc_mode(mode);
	if (err)
		return err;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if ((mode & ~FALLOC_FL_KEEP_SIZE && IS_APPEND(inode)) || IS_IMMUTABLE(inode))
		return -EPERM;
	if (S_ISFIFO(inode->i_mode))
		return -ESPIPE;
	if (S_ISDIR(inode->i_mode))
		return -EISDIR;
	if (!S_ISREG(inode->i_mode))
		return -ENODEV;
	if (len > inode->i_sb->s_maxbytes - offset)
		return -EFBIG;
	if (!file->f_op->fallocate)
		return -EOPNOTSUPP;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = file->f_op->fallocate(file, mode, offset, len);
	if (!err)
		fsnotify_modify(file);
	mnt_drop_write_file(file);
	return err;
}

long sys_fallocate(int fd, int mode, loff_t offset, loff_t len)
{
	struct fd f = fdget(fd);
	long err = -EBADF;

	if (f.file) {
		err = vfs_fallocate(f.file, mode, offset, len);
		fdput(f);
	}
	return err;
}

/* ---- access(2): with the real ids instead of the effective ones ---- */

static const struct cred *access_override_creds(void)
{
	const struct cred *cur = current_cred();
	struct cred *cred;

	/* Mostly the ids are the same, and root's capabilities as full as they can be: nothing to override. */
	if (uid_eq(cur->fsuid, cur->uid) && gid_eq(cur->fsgid, cur->gid) &&
	    (uid_eq(cur->uid, make_kuid(cur->user_ns, 0)) ? cap_issubset(cur->cap_permitted, cur->cap_effective) :
							    cap_isclear(cur->cap_effective)))
		return NULL;
	cred = prepare_creds();
	if (!cred)
		return ERR_PTR(-ENOMEM);
	cred->fsuid = cred->uid;
	cred->fsgid = cred->gid;
	if (!(cred->securebits & 0x4)) {	/* SECBIT_NO_SETUID_FIXUP */
		if (!uid_eq(cred->uid, make_kuid(cred->user_ns, 0)))
			cap_clear(cred->cap_effective);
		else
			cred->cap_effective = cred->cap_permitted;
	}
	return cred;
}

static int access_check(const struct path *path, struct inode *inode, bool rcu, void *data)
{
	int mode = *(int *)data, err;

	if (mode & MAY_EXEC && S_ISREG(inode->i_mode) && path_noexec(path))
		return -EACCES;
	err = inode_permission(inode, mode | MAY_ACCESS | (rcu ? MAY_NOT_BLOCK : 0));
	if (err || !(mode & MAY_WRITE))
		return err;
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode) || S_ISLNK(inode->i_mode))
		return __mnt_is_readonly(path->mnt) ? -EROFS : 0;
	return 0;
}

static long do_faccessat(int dfd, const char __user *filename, int mode, int flags)
{
	const struct cred *override = NULL, *old = NULL;
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct short_name room;
	struct filename *name;
	int err;

	if (mode & ~S_IRWXO || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	name = getname_short(filename, lookup, &room);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (!(flags & AT_EACCESS)) {
		override = access_override_creds();
		err = PTR_ERR(override);
		if (IS_ERR(override))
			goto out;
		if (override)
			old = override_creds(override);
	}
	err = filename_peek(dfd, name, lookup, access_check, &mode);
	if (override) {
		revert_creds(old);
		put_cred(override);
	}
out:
	putname(name);
	return err;
}

long sys_faccessat2(int dfd, const char __user *filename, int mode, int flags)
{
	return do_faccessat(dfd, filename, mode, flags);
}

long sys_faccessat(int dfd, const char __user *filename, int mode)
{
	return do_faccessat(dfd, filename, mode, 0);
}

long sys_access(const char __user *filename, int mode)
{
	return do_faccessat(AT_FDCWD, filename, mode, 0);
}

/* ---- chdir(2), chroot(2) ---- */

long sys_chdir(const char __user *filename)
{
	struct path path;
	int err = user_path_at(AT_FDCWD, filename, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (err)
		return err;
	err = path_permission(&path, MAY_EXEC | MAY_CHDIR);
	if (!err)
		set_fs_pwd(current->fs, &path);
	path_put(&path);
	return err;
}

long sys_fchdir(unsigned int fd)
{
	struct fd f = fdget_raw(fd);
	int err = -ENOTDIR;

	if (!f.file)
		return -EBADF;
	if (d_can_lookup(f.file->f_path.dentry)) {
		err = file_permission(f.file, MAY_EXEC | MAY_CHDIR);
		if (!err)
			set_fs_pwd(current->fs, &f.file->f_path);
	}
	fdput(f);
	return err;
}

long sys_chroot(const char __user *filename)
{
	struct path path;
	int err = user_path_at(AT_FDCWD, filename, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (err)
		return err;
	err = path_permission(&path, MAY_EXEC | MAY_CHDIR);
	if (!err && !ns_capable(current_user_ns(), CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		set_fs_root(current->fs, &path);
	path_put(&path);
	return err;
}

/* ---- chmod(2), chown(2) ---- */

int chmod_common(const struct path *path, umode_t mode)
{
	struct inode *inode = d_inode(path->dentry);
	struct iattr attr;
	int err = mnt_want_write(path->mnt);

	if (err)
		return err;
	inode_lock(inode);
	attr.ia_mode = (mode & S_IALLUGO) | (inode->i_mode & ~S_IALLUGO);
	attr.ia_valid = ATTR_MODE | ATTR_CTIME;
	err = notify_change(path->dentry, &attr);
	inode_unlock(inode);
	mnt_drop_write(path->mnt);
	return err;
}

long sys_fchmod(unsigned int fd, umode_t mode)
{
	struct fd f = fdget(fd);
	int err = -EBADF;

	if (f.file) {
		err = chmod_common(&f.file->f_path, mode);
		fdput(f);
	}
	return err;
}

static long do_fchmodat(int dfd, const char __user *filename, umode_t mode, unsigned int flags)
{
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_at(dfd, filename, lookup | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &path);
	if (err)
		return err;
	err = d_is_symlink(path.dentry) ? -EOPNOTSUPP : chmod_common(&path, mode);
	path_put(&path);
	return err;
}

long sys_fchmodat(int dfd, const char __user *filename, umode_t mode)
{
	return do_fchmodat(dfd, filename, mode, 0);
}

long sys_chmod(const char __user *filename, umode_t mode)
{
	return do_fchmodat(AT_FDCWD, filename, mode, 0);
}

/* -1 leaves an id as it is. */
int chown_common(const struct path *path, uid_t user, gid_t group)
{
	struct inode *inode = d_inode(path->dentry);
	struct iattr attr = { .ia_valid = ATTR_CTIME };
	int err;

	if (user != (uid_t)-1) {
		attr.ia_valid |= ATTR_UID;
		attr.ia_uid = make_kuid(current_user_ns(), user);
		if (!uid_valid(attr.ia_uid))
			return -EINVAL;
	}
	if (group != (gid_t)-1) {
		attr.ia_valid |= ATTR_GID;
		attr.ia_gid = make_kgid(current_user_ns(), group);
		if (!gid_valid(attr.ia_gid))
			return -EINVAL;
	}
	inode_lock(inode);
	if (!S_ISDIR(inode->i_mode))
		attr.ia_valid |= ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_KILL_PRIV;
	err = notify_change(path->dentry, &attr);
	inode_unlock(inode);
	return err;
}

long sys_fchownat(int dfd, const char __user *filename, uid_t user, gid_t group, int flag)
{
	unsigned int lookup = flag & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	int err;

	if (flag & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_at(dfd, filename, lookup | (flag & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &path);
	if (err)
		return err;
	err = mnt_want_write(path.mnt);
	if (!err) {
		err = chown_common(&path, user, group);
		mnt_drop_write(path.mnt);
	}
	path_put(&path);
	return err;
}

long sys_chown(const char __user *filename, uid_t user, gid_t group)
{
	return sys_fchownat(AT_FDCWD, filename, user, group, 0);
}

long sys_lchown(const char __user *filename, uid_t user, gid_t group)
{
	return sys_fchownat(AT_FDCWD, filename, user, group, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(unsigned int fd, uid_t user, gid_t group)
{
	struct fd f = fdget(fd);
	int err = -EBADF;

	if (!f.file)
		return err;
	err = mnt_want_write_file(f.file);
	if (!err) {
		err = chown_common(&f.file->f_path, user, group);
		mnt_drop_write_file(f.file);
	}
	fdput(f);
	return err;
}
