/*
 * namei_open.c: the last step of open(2): find or create the file, check, open.
 *
 * Idea:    the walk of namei.c up to the last component, then that one with the intent to open: an existing file is reached
 *          without a lock, a new one is made under the directory's i_rwsem, so that O_CREAT | O_EXCL is atomic.  The file
 *          structure is made first, once: after it nothing can fail but the opening itself.
 * See:     open(2), openat2(2); open.c
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/posix_acl.h>
#include <weft/fs_struct.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/fsnotify.h>
#include "internal.h"
#include "nameidata.h"

/* ---- flags ---- */

static int resolve_flags(u64 resolve)
{
	int res = 0;

	res |= resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0;
	res |= resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0;
	res |= resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0;
	res |= resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0;
	res |= resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0;
	res |= resolve & RESOLVE_CACHED ? LOOKUP_CACHED : 0;
	return res;
}

/* What the user asks into what the walk needs.  0 or -EINVAL, -EAGAIN. */
int build_open_flags(const struct open_how *how, struct open_flags *op)
{
	static const u8 acc_modes[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE };
	u64 flags = how->flags & ~(u64)O_CLOEXEC;	/* the descriptor's, not the file's */
	int acc_mode = acc_modes[flags & O_ACCMODE], lookup = 0;

	if (flags & ~(u64)VALID_OPEN_FLAGS || how->resolve & ~(u64)VALID_RESOLVE_FLAGS)
		return -EINVAL;
	if ((how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) == (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if (flags & (O_CREAT | __O_TMPFILE)) {
		if (how->mode & ~(u64)S_IALLUGO)
			return -EINVAL;
		op->mode = how->mode | S_IFREG;
	} else {
		if (how->mode)
			return -EINVAL;
		op->mode = 0;
	}
	if (flags & __O_TMPFILE) {
		if ((flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE || !(acc_mode & MAY_WRITE))
			return -EINVAL;
	}
	if (flags & O_PATH) {
		if (flags & ~(u64)O_PATH_FLAGS)
			return -EINVAL;
		acc_mode = 0;
	}
	if (flags & __O_SYNC)
		flags |= O_DSYNC;
	if (flags & O_TRUNC)
		acc_mode |= MAY_WRITE;
	if (flags & O_APPEND)
		acc_mode |= MAY_APPEND;
	if (how->resolve & RESOLVE_CACHED && flags & (O_TRUNC | O_CREAT | __O_TMPFILE))
		return -EAGAIN;		/* these must be able to sleep */
	op->open_flag = flags;
	op->acc_mode = acc_mode;
	op->intent = flags & O_PATH ? 0 : LOOKUP_OPEN;
	if (flags & O_CREAT) {
		op->intent |= LOOKUP_CREATE;
		if (flags & O_EXCL) {
			op->intent |= LOOKUP_EXCL;
			flags |= O_NOFOLLOW;
		}
	}
	lookup |= flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0;
	lookup |= flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	op->lookup_flags = lookup | resolve_flags(how->resolve);
	return 0;
}

/* ---- may it be opened? ---- */

static bool may_open_dev(const struct path *path)
{
	return !(path->mnt->mnt_flags & MNT_NODEV) && !(path->mnt->mnt_sb->s_iflags & SB_I_NODEV);
}

static int may_open(const struct path *path, int acc_mode, int flag)
{
	struct inode *inode = d_inode(path->dentry);
	int err;

	if (!inode)
		return -ENOENT;
	switch (inode->i_mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (acc_mode & MAY_WRITE)
			return -EISDIR;
		if (acc_mode & MAY_EXEC)
			return -EACCES;
		break;
	case S_IFBLK:
	case S_IFCHR:
		if (!may_open_dev(path))
			return -EACCES;
		fallthrough;
	case S_IFIFO:
	case S_IFSOCK:
		if (acc_mode & MAY_EXEC)
			return -EACCES;
		flag &= ~O_TRUNC;
		break;
	case S_IFREG:
		if (acc_mode & MAY_EXEC && path_noexec(path))
			return -EACCES;
		break;
	}
	err = inode_permission(inode, MAY_OPEN | acc_mode);
	if (err)
		return err;
	if (IS_APPEND(inode) && (((flag & O_ACCMODE) != O_RDONLY && !(flag & O_APPEND)) || flag & O_TRUNC))
		return -EPERM;
	return flag & O_NOATIME && !inode_owner_or_capable(inode) ? -EPERM : 0;
}

/* O_CREAT on an existing FIFO or file of somebody else in a sticky directory: see proc_sys_fs(5) "protected_fifos". */
static int may_create_in_sticky(struct nameidata *nd, const struct inode *inode)
{
	umode_t dir_mode = nd->dir_mode;
	int fifos = sysctl_protected_fifos, regular = sysctl_protected_regular;

	if (likely(!(dir_mode & S_ISVTX)) || (!fifos && S_ISFIFO(inode->i_mode)) || (!regular && S_ISREG(inode->i_mode)))
		return 0;
	if (uid_eq(inode->i_uid, nd->dir_uid) || uid_eq(current_fsuid(), inode->i_uid))
		return 0;
	if (dir_mode & 0002 || (dir_mode & 0020 && ((fifos >= 2 && S_ISFIFO(inode->i_mode)) ||
						    (regular >= 2 && S_ISREG(inode->i_mode)))))
		return -EACCES;
	return 0;
}

/* ---- the last component ---- */

static int create_file(struct nameidata *nd, struct dentry *dentry, struct file *file, const struct open_flags *op)
{
	struct inode *dir = d_inode(nd->path.dentry);
	umode_t mode = mode_strip_umask(dir, op->mode);
	int err;

	err = may_create(dir, dentry);
	if (err)
		return err;
	if (!dir->i_op->create)
		return -EACCES;
	err = landlock_make(&nd->path, S_IFREG);
	if (err)
		return err;
	err = dir->i_op->create(dir, dentry, mode, op->open_flag & O_EXCL);
	if (err)
		return err;
	file->f_mode |= FMODE_CREATED;
	fsnotify_create(dir, dentry);
	return 0;
}

/* O_CREAT, under the directory's lock: from the cache or the file system, or made.  + reference. */
static struct dentry *lookup_create(struct nameidata *nd, struct file *file, const struct open_flags *op, bool writable)
{
	struct dentry *dir = nd->path.dentry;
	struct dentry *dentry = lookup_one_qstr(&nd->last, dir, nd->flags);
	int err;

	if (IS_ERR(dentry) || dentry->d_inode)
		return dentry;
	err = writable ? create_file(nd, dentry, file, op) : -EROFS;
	if (err) {
		dput(dentry);
		return ERR_PTR(err);
	}
	return dentry;
}

/* What the cache does not have.  + reference, perhaps negative. */
static struct dentry *lookup_or_create(struct nameidata *nd, struct file *file, const struct open_flags *op)
{
	struct inode *dir = d_inode(nd->path.dentry);
	struct dentry *dentry;
	bool writable;

	if (!(op->open_flag & O_CREAT))
		return lookup_slow(&nd->last, nd->path.dentry, nd->flags);
	writable = !mnt_want_write(nd->path.mnt);	/* what fails then tells: an existing file need not fail */
	inode_lock_nested(dir, I_MUTEX_PARENT);
	dentry = lookup_create(nd, file, op, writable);
	inode_unlock(dir);
	if (writable)
		mnt_drop_write(nd->path.mnt);
	return dentry;
}

/* NULL: the position is the file.  A link's text to be walked first, or ERR_PTR. */
static const char *open_last_lookups(struct nameidata *nd, struct file *file, const struct open_flags *op)
{
	bool create = op->open_flag & O_CREAT;
	struct dentry *dentry;
	unsigned int seq = 0;
	const char *res;

	nd->flags |= op->intent;
	if (unlikely(nd->last_type != LAST_NORM)) {
		if (nd->depth)
			put_link(nd);
		return handle_dots(nd, nd->last_type);
	}
	if (unlikely(nd->last.name[nd->last.len])) {	/* a slash behind it */
		if (create)
			return ERR_PTR(-EISDIR);
		nd->flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
	}
	/* Also with O_CREAT: mostly the file is there, and then the directory need not be locked. */
	dentry = lookup_fast(nd, &seq);
	if (IS_ERR(dentry))
		return ERR_CAST(dentry);
	if (dentry && create && !READ_ONCE(dentry->d_inode)) {
		if (nd->flags & LOOKUP_RCU) {
			if (!try_to_unlazy(nd))
				return ERR_PTR(-ECHILD);
		} else {
			dput(dentry);
		}
		dentry = NULL;
	}
	if (!dentry) {
		dentry = lookup_or_create(nd, file, op);
		if (IS_ERR(dentry))
			return ERR_CAST(dentry);
		if (file->f_mode & FMODE_CREATED) {
			dput(nd->path.dentry);
			nd->path.dentry = dentry;
			nd->inode = d_inode(dentry);
			return NULL;
		}
	}
	if (nd->depth)
		put_link(nd);
	res = step_into(nd, WALK_TRAILING, dentry, seq);
	if (unlikely(res))
		nd->flags &= ~(LOOKUP_OPEN | LOOKUP_CREATE | LOOKUP_EXCL);
	return res;
}

static int handle_truncate(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err = get_write_access(inode);

	if (err)
		return err;
	err = do_truncate(file->f_path.dentry, 0, ATTR_MTIME | ATTR_CTIME | ATTR_OPEN, file);
	put_write_access(inode);
	return err;
}

/* The position becomes the open file: its references move over. */
static int do_open(struct nameidata *nd, struct file *file, const struct open_flags *op)
{
	int open_flag = op->open_flag, acc_mode = op->acc_mode, err;
	struct vfsmount *mnt = NULL;

	if (!(file->f_mode & FMODE_CREATED)) {
		err = complete_walk(nd);
		if (err)
			return err;
	}
	if (open_flag & O_CREAT) {
		if (open_flag & O_EXCL && !(file->f_mode & FMODE_CREATED))
			return -EEXIST;
		if (d_is_dir(nd->path.dentry))
			return -EISDIR;
		err = may_create_in_sticky(nd, d_inode(nd->path.dentry));
		if (unlikely(err))
			return err;
	}
	if (nd->flags & LOOKUP_DIRECTORY && !d_can_lookup(nd->path.dentry))
		return -ENOTDIR;
	if (file->f_mode & FMODE_CREATED) {
		open_flag &= ~O_TRUNC;		/* it is empty, and its mode may forbid what the maker may do all the same */
		acc_mode = 0;
	} else if (open_flag & O_TRUNC && d_is_reg(nd->path.dentry)) {
		err = mnt_want_write(nd->path.mnt);
		if (err)
			return err;
		mnt = nd->path.mnt;
	}
	err = may_open(&nd->path, acc_mode, open_flag);
	if (!err) {
		file->f_path = nd->path;
		if (mnt)
			mntget(mnt);		/* for mnt_drop_write() below, should the opening fail */
		nd->path = (struct path){ };
		err = do_dentry_open(file, NULL);
		if (!err && mnt)
			err = handle_truncate(file);
		if (mnt) {
			mnt_drop_write(mnt);
			mntput(mnt);
		}
		return err;
	}
	if (mnt)
		mnt_drop_write(mnt);
	return err;
}

/* ---- O_TMPFILE, O_PATH ---- */

static int make_tmpfile(const struct path *dir_path, struct file *file, const struct open_flags *op)
{
	struct inode *dir = d_inode(dir_path->dentry), *inode;
	struct dentry *child;
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if (!dir->i_op->tmpfile)
		return -EOPNOTSUPP;
	child = d_alloc(dir_path->dentry, &slash_name);
	if (!child)
		return -ENOMEM;
	file->f_path = (struct path){ .mnt = dir_path->mnt, .dentry = child };
	err = dir->i_op->tmpfile(dir, file, mode_strip_umask(dir, op->mode));
	dput(child);
	if (err)
		return err;
	err = may_open(&file->f_path, 0, file->f_flags);
	if (err)
		return err;
	inode = file_inode(file);
	if (!(op->open_flag & O_EXCL)) {
		spin_lock(&inode->i_lock);
		inode->i_state |= I_LINKABLE;
		spin_unlock(&inode->i_lock);
	}
	return 0;
}

static int do_tmpfile(struct nameidata *nd, unsigned int flags, const struct open_flags *op, struct file *file)
{
	struct path path;
	int err = filename_lookup(nd->dfd, nd->name, (flags & ~LOOKUP_RCU) | LOOKUP_DIRECTORY, &path,
				  nd->state & ND_ROOT_PRESET ? &nd->root : NULL);

	if (err)
		return err;
	err = mnt_want_write(path.mnt);
	if (!err) {
		err = make_tmpfile(&path, file, op);
		mnt_drop_write(path.mnt);
	}
	path_put(&path);
	return err;
}

static int do_o_path(struct nameidata *nd, unsigned int flags, struct file *file)
{
	struct path path;
	int err = filename_lookup(nd->dfd, nd->name, flags & ~LOOKUP_RCU, &path,
				  nd->state & ND_ROOT_PRESET ? &nd->root : NULL);

	if (err)
		return err;
	file->f_path = path;
	return do_dentry_open(file, NULL);
}

/* ---- all of it ---- */

static int path_openat(struct nameidata *nd, const struct open_flags *op, unsigned int flags, struct file *file)
{
	const char *s;
	int err;

	if (unlikely(op->open_flag & __O_TMPFILE))
		return do_tmpfile(nd, flags, op, file);
	if (unlikely(op->open_flag & O_PATH))
		return do_o_path(nd, flags, file);
	s = path_init(nd, flags);
	while (!(err = link_path_walk(s, nd)) && (s = open_last_lookups(nd, file, op)) != NULL)
		;
	if (!err)
		err = do_open(nd, file, op);
	terminate_walk(nd);
	return err;
}

static struct file *open_with_retries(struct nameidata *nd, const struct open_flags *op)
{
	struct file *file = alloc_empty_file(op->open_flag, current_cred());
	int flags = op->lookup_flags, err;

	if (IS_ERR(file))
		return file;
	err = path_openat(nd, op, flags | LOOKUP_RCU, file);
	if (unlikely(err == -ECHILD))
		err = path_openat(nd, op, flags, file);
	if (unlikely(err == -ESTALE))
		err = path_openat(nd, op, flags | LOOKUP_REVAL, file);
	if (likely(!err))
		return file;
	fput(file);
	return ERR_PTR(err);
}

struct file *do_filp_open(int dfd, struct filename *name, const struct open_flags *op)
{
	struct nameidata nd;
	struct file *file;

	set_nameidata(&nd, dfd, name, NULL);
	file = open_with_retries(&nd, op);
	restore_nameidata();
	return file;
}

/* Relative to `root`, which is also "/" meanwhile. */
struct file *do_file_open_root(const struct path *root, const char *name, const struct open_flags *op)
{
	struct filename *filename;
	struct nameidata nd;
	struct file *file;

	if (d_is_symlink(root->dentry) && op->intent & LOOKUP_OPEN)
		return ERR_PTR(-ELOOP);
	filename = getname_kernel(name);
	if (IS_ERR(filename))
		return ERR_CAST(filename);
	set_nameidata(&nd, -1, filename, root);
	file = open_with_retries(&nd, op);
	restore_nameidata();
	putname(filename);
	return file;
}
