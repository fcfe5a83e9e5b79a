/*
 * copy_up.c: before something of a lower layer is changed, it is copied to the upper one.
 *
 * Idea:    the copy is made under a name of its own in the work directory: contents, owner, mode, times, extended attributes.
 *          One rename puts it into its place, so that at no time half a file is seen, not even after a crash.  Its directories
 *          are copied up first, from the root on, each as an empty one that lies over the lower.
 * Locking: oi->lock over one copy; the work directory's and the target directory's i_rwsem for the rename.
 */
#include <weft/err.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/vmalloc.h>
#include <weft/xattr.h>
#include "overlayfs.h"

#define COPY_CHUNK	(64 << 10)

/* ---- things in the work directory ---- */

int ovl_make_real(struct dentry *dir, struct dentry *dentry, const struct ovl_kind *kind)
{
	struct inode *inode = d_inode(dir);

	lockdep_assert_held_write(&inode->i_rwsem);
	if (kind->hardlink)
		return vfs_link(kind->hardlink, inode, dentry);
	switch (kind->mode & S_IFMT) {
	case S_IFREG:
		return vfs_create(inode, dentry, kind->mode, true);
	case S_IFDIR:
		return vfs_mkdir(inode, dentry, kind->mode);
	case S_IFLNK:
		return vfs_symlink(inode, dentry, kind->target);
	default:
		return vfs_mknod(inode, dentry, kind->mode, kind->rdev);
	}
}

struct dentry *ovl_make_temp(struct ovl_fs *ofs, const struct ovl_kind *kind)
{
	struct inode *work = d_inode(ofs->workdir);
	struct dentry *d;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "#%x", (unsigned int)atomic_inc_return(&ofs->last_temp));
	inode_lock_nested(work, I_MUTEX_PARENT);
	d = lookup_one_len(name, ofs->workdir, strlen(name));
	if (!IS_ERR(d)) {
		err = d_is_negative(d) ? ovl_make_real(ofs->workdir, d, kind) : -EEXIST;
		if (err) {
			dput(d);
			d = ERR_PTR(err);
		}
	}
	inode_unlock(work);
	return d;
}

void ovl_drop_temp(struct ovl_fs *ofs, struct dentry *temp)
{
	struct inode *work = d_inode(ofs->workdir);

	if (d_is_dir(temp))
		ovl_remove_whiteouts(ofs->upper_mnt, temp);
	inode_lock_nested(work, I_MUTEX_PARENT);
	if (temp->d_parent == ofs->workdir && d_is_positive(temp)) {
		if (d_is_dir(temp))
			vfs_rmdir(work, temp);
		else
			vfs_unlink(work, temp);
	}
	inode_unlock(work);
	dput(temp);
}

int ovl_set_opaque(struct dentry *dir)
{
	return vfs_setxattr(dir, OVL_XATTR_OPAQUE, "y", 1, 0);
}

/* ---- filling the copy ---- */

/* From `pos` on to the next hole or the end: the position reached, or -errno. */
static loff_t copy_chunk(struct file *from, struct file *to, loff_t pos, void *buf)
{
	loff_t in = pos, out = pos;
	ssize_t n = kernel_read(from, buf, COPY_CHUNK, &in);

	if (n <= 0)
		return n ?: pos;
	while (out < pos + n) {
		ssize_t done = kernel_write(to, buf + (out - pos), pos + n - out, &out);

		if (done <= 0)
			return done ?: -EIO;
	}
	return in;
}

static int copy_contents(struct file *from, struct file *to, loff_t size)
{
	void *buf = kvmalloc(COPY_CHUNK, GFP_KERNEL);
	loff_t pos = 0, next;
	int err = buf ? 0 : -ENOMEM;

	while (!err && pos < size) {
		next = vfs_llseek(from, pos, SEEK_DATA);
		if (next == -ENXIO)
			break;			/* a hole to the end */
		pos = max(next, pos);
		next = copy_chunk(from, to, pos, buf);
		if (next == pos)
			break;			/* it has become shorter */
		err = min_t(loff_t, next, 0);
		pos = next;
	}
	kvfree(buf);
	return err;
}

static int copy_data(const struct path *lower, const struct path *upper)
{
	struct file *from = dentry_open(lower, O_RDONLY | O_LARGEFILE | O_NOATIME, current_cred()), *to;
	loff_t size = i_size_read(d_inode(lower->dentry));
	int err;

	if (IS_ERR(from))
		return PTR_ERR(from);
	to = dentry_open(upper, O_WRONLY | O_LARGEFILE, current_cred());
	if (IS_ERR(to)) {
		fput(from);
		return PTR_ERR(to);
	}
	err = copy_contents(from, to, size);
	if (!err)
		err = do_truncate(upper->dentry, size, 0, to);	/* a hole at the end */
	if (!err)
		err = vfs_fsync(to, 0);
	fput(to);
	fput(from);
	return err;
}

static int copy_one_xattr(struct dentry *from, struct dentry *to, const char *name)
{
	ssize_t size = vfs_getxattr(from, name, NULL, 0);
	void *value;
	int err;

	if (size < 0)
		return size;
	value = kvmalloc(size + 1, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	size = vfs_getxattr(from, name, value, size);
	err = size < 0 ? size : vfs_setxattr(to, name, value, size, 0);
	kvfree(value);
	return err;
}

static int copy_xattrs(struct dentry *from, struct dentry *to)
{
	ssize_t size = vfs_listxattr(from, NULL, 0);
	char *list;
	int err = 0;

	if (size <= 0)
		return size == -EOPNOTSUPP ? 0 : size;
	list = kvmalloc(size, GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	size = vfs_listxattr(from, list, size);
	for (char *name = list; name < list + size && !err; name += strlen(name) + 1)
		if (strncmp(name, OVL_XATTR_PREFIX, strlen(OVL_XATTR_PREFIX)))
			err = copy_one_xattr(from, to, name);
	kvfree(list);
	/* The other file system may not keep attributes of this kind. */
	return err == -EOPNOTSUPP ? 0 : err ?: min_t(ssize_t, size, 0);
}

static int set_times(struct dentry *to, struct timespec64 atime, struct timespec64 mtime)
{
	struct iattr attr = {
		.ia_valid = ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_SET | ATTR_MTIME_SET, .ia_atime = atime, .ia_mtime = mtime,
	};
	int err;

	inode_lock(d_inode(to));
	err = notify_change(to, &attr);
	inode_unlock(d_inode(to));
	return err;
}

static int copy_attributes(const struct inode *from, struct dentry *to)
{
	struct iattr attr = { .ia_valid = ATTR_UID | ATTR_GID, .ia_uid = from->i_uid, .ia_gid = from->i_gid };
	int err;

	inode_lock(d_inode(to));
	err = notify_change(to, &attr);
	if (!err && !S_ISLNK(from->i_mode)) {
		/* After the owner, whose change takes the set-id bits. */
		attr = (struct iattr){ .ia_valid = ATTR_MODE, .ia_mode = from->i_mode };
		err = notify_change(to, &attr);
	}
	inode_unlock(d_inode(to));
	return err ?: set_times(to, from->i_atime, from->i_mtime);
}

static int fill_copy(struct ovl_fs *ofs, const struct path *lower, struct dentry *temp, bool with_data)
{
	struct path upper = { .mnt = ofs->upper_mnt, .dentry = temp };
	int err = 0;

	if (d_is_reg(temp) && with_data)
		err = copy_data(lower, &upper);
	if (!err)
		err = copy_xattrs(lower->dentry, temp);
	return err ?: copy_attributes(d_inode(lower->dentry), temp);
}

/* A file's number does not change; that of one of several links does, because they will be several files. */
static int keep_number(struct dentry *temp, const struct path *lower, u64 number)
{
	int err;

	if (d_is_dir(temp) || d_inode(lower->dentry)->i_nlink != 1)
		return 0;
	err = vfs_setxattr(temp, OVL_XATTR_NUMBER, &number, sizeof(number), 0);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* A whole copy in the work directory, + reference.  number: the overlay's inode number. */
static struct dentry *make_copy(struct ovl_fs *ofs, const struct path *lower, bool with_data, u64 number)
{
	struct inode *inode = d_inode(lower->dentry);
	struct ovl_kind kind = { .mode = inode->i_mode, .rdev = inode->i_rdev };
	struct delayed_call done = { };
	struct dentry *temp;
	int err;

	if (S_ISLNK(inode->i_mode)) {
		kind.target = vfs_get_link(lower->dentry, &done);
		if (IS_ERR(kind.target))
			return ERR_CAST(kind.target);
	}
	temp = ovl_make_temp(ofs, &kind);
	do_delayed_call(&done);
	if (IS_ERR(temp))
		return temp;
	err = fill_copy(ofs, lower, temp, with_data) ?: keep_number(temp, lower, number);
	if (err) {
		ovl_drop_temp(ofs, temp);
		return ERR_PTR(err);
	}
	return temp;
}

/* ---- putting it in place ---- */

static int move_into_place(struct ovl_fs *ofs, struct dentry *temp, struct dentry *dir, const struct qstr *name)
{
	struct timespec64 atime = d_inode(dir)->i_atime, mtime = d_inode(dir)->i_mtime;
	struct dentry *target;
	int err;

	lock_rename(ofs->workdir, dir);
	target = lookup_one_len((const char *)name->name, dir, name->len);
	if (IS_ERR(target)) {
		err = PTR_ERR(target);
	} else {
		/* Removed meanwhile: there is a whiteout. */
		err = d_is_positive(target) ? -ENOENT : vfs_rename(d_inode(ofs->workdir), temp, d_inode(dir), target, 0);
		dput(target);
	}
	unlock_rename(ofs->workdir, dir);
	if (!err)
		set_times(dir, atime, mtime);	/* for the user nothing has happened in this directory */
	return err;
}

/* oi->lock held.  A file without a name is written to, too: its copy has none either. */
static int copy_up_locked(struct ovl_fs *ofs, struct dentry *dentry, struct dentry *parent, bool with_data)
{
	struct inode *inode = d_inode(dentry);
	struct dentry *temp = make_copy(ofs, &OVL_I(inode)->lower[0], with_data, inode->i_ino);
	struct name_snapshot name;
	int err = 0;

	if (IS_ERR(temp))
		return PTR_ERR(temp);
	if (d_unlinked(dentry)) {
		ovl_drop_temp(ofs, dget(temp));
	} else {
		take_dentry_name_snapshot(&name, dentry);
		err = move_into_place(ofs, temp, ovl_upper(d_inode(parent)), &name.name);
		release_dentry_name_snapshot(&name);
	}
	if (err)
		ovl_drop_temp(ofs, temp);
	else
		ovl_set_upper(inode, temp);
	return err;
}

static int copy_up_one(struct dentry *dentry, struct dentry *parent, bool with_data)
{
	struct ovl_inode *oi = OVL_I(d_inode(dentry));
	const struct cred *old = ovl_override_creds(dentry->d_sb);
	int err = 0;

	mutex_lock(&oi->lock);
	if (!oi->upper)
		err = copy_up_locked(OVL_FS(dentry->d_sb), dentry, parent, with_data);
	mutex_unlock(&oi->lock);
	revert_creds(old);
	return err;
}

int ovl_copy_up(struct dentry *dentry, bool with_data)
{
	int err = 0;

	if (ovl_upper(d_inode(dentry)))
		return 0;
	if (!OVL_FS(dentry->d_sb)->upper_mnt)
		return -EROFS;
	while (!err && !ovl_upper(d_inode(dentry))) {
		struct dentry *next = dget(dentry), *parent = dget_parent(next);

		/* The uppermost that is not there yet; the root always is. */
		while (!ovl_upper(d_inode(parent))) {
			dput(next);
			next = parent;
			parent = dget_parent(next);
		}
		err = copy_up_one(next, parent, with_data || next != dentry);
		dput(parent);
		dput(next);
	}
	return err;
}
