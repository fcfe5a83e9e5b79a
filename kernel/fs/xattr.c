/*
 * xattr.c: extended attributes: names and values beside a file's data.
 *
 * What:    the twelve system calls, the rules of the name spaces (user., trusted., security., system.), and simple_xattrs, an
 *          in-memory store for file systems without a disk.
 * Idea:    sb->s_xattr lists handlers by prefix; the handler gets the rest of the name.  Listing is the inode's
 *          ->listxattr().
 * Locking: i_rwsem for writing around set and remove; simple_xattrs has its own spinlock, allocation happens outside.
 * See:     spec.md §10; xattr(7)
 */
#include <weft/xattr.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/fsnotify.h>
#include <weft/capability.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/err.h>
#include <uapi/fcntl.h>

/* ---- name spaces ---- */

/* May the caller do this to the attribute?  0, or what xattr(7) says. */
static int xattr_permission(struct inode *inode, const char *name, int mask)
{
	if (mask & MAY_WRITE && (IS_IMMUTABLE(inode) || IS_APPEND(inode)))
		return -EPERM;
	if (!strncmp(name, XATTR_SECURITY_PREFIX, strlen(XATTR_SECURITY_PREFIX)))
		return mask & MAY_WRITE && !capable(CAP_SYS_ADMIN) ? -EPERM : 0;
	if (!strncmp(name, XATTR_SYSTEM_PREFIX, strlen(XATTR_SYSTEM_PREFIX)))
		return 0;
	if (!strncmp(name, XATTR_TRUSTED_PREFIX, strlen(XATTR_TRUSTED_PREFIX))) {
		if (capable(CAP_SYS_ADMIN))
			return 0;
		return mask & MAY_WRITE ? -EPERM : -ENODATA;
	}
	if (!strncmp(name, XATTR_USER_PREFIX, strlen(XATTR_USER_PREFIX))) {
		if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode))
			return mask & MAY_WRITE ? -EPERM : -ENODATA;
		if (S_ISDIR(inode->i_mode) && inode->i_mode & S_ISVTX && mask & MAY_WRITE && !inode_owner_or_capable(inode))
			return -EPERM;
	}
	return inode_permission(inode, mask);
}

/* The handler for *name, which becomes the part behind the prefix; ERR_PTR(-EOPNOTSUPP). */
static const struct xattr_handler *find_handler(struct inode *inode, const char **name)
{
	const struct xattr_handler **h = inode->i_sb->s_xattr;

	for (; h && *h; h++) {
		const char *pre = (*h)->name ?: (*h)->prefix;
		size_t len = strlen(pre);

		if (strncmp(*name, pre, len) || ((*h)->name && (*name)[len]))
			continue;
		if (!(*h)->name && !(*name)[len])
			return ERR_PTR(-EINVAL);	/* a prefix alone */
		*name += len;
		return *h;
	}
	return ERR_PTR(-EOPNOTSUPP);
}

ssize_t vfs_getxattr(struct dentry *dentry, const char *name, void *value, size_t size)
{
	struct inode *inode = d_inode(dentry);
	const struct xattr_handler *handler;
	int err = xattr_permission(inode, name, MAY_READ);

	if (err)
		return err;
	handler = find_handler(inode, &name);
	if (IS_ERR(handler))
		return PTR_ERR(handler);
	return handler->get ? handler->get(handler, dentry, inode, name, value, size) : -EOPNOTSUPP;
}

/* value NULL: remove. */
static int change_xattr(struct dentry *dentry, const char *name, const void *value, size_t size, int flags)
{
	struct inode *inode = d_inode(dentry);
	const struct xattr_handler *handler;
	int err = xattr_permission(inode, name, MAY_WRITE);

	if (err)
		return err;
	handler = find_handler(inode, &name);
	if (IS_ERR(handler))
		return PTR_ERR(handler);
	if (!handler->set)
		return -EOPNOTSUPP;
	inode_lock(inode);
	err = handler->set(handler, dentry, inode, name, value, size, flags);
	inode_unlock(inode);
	if (!err)
		fsnotify_dentry(dentry, IN_ATTRIB);
	return err;
}

int vfs_setxattr(struct dentry *dentry, const char *name, const void *value, size_t size, int flags)
{
	return change_xattr(dentry, name, size ? value : "", size, flags);
}

int vfs_removexattr(struct dentry *dentry, const char *name)
{
	return change_xattr(dentry, name, NULL, 0, XATTR_REPLACE);
}

ssize_t vfs_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct inode *inode = d_inode(dentry);

	return inode->i_op->listxattr ? inode->i_op->listxattr(dentry, list, size) : -EOPNOTSUPP;
}

/* ---- simple_xattrs ---- */

struct simple_xattr {
	struct list_head	list;
	char			*name;
	size_t			size;
	char			value[];
};

static struct simple_xattr *simple_xattr_alloc(const char *name, const void *value, size_t size)
{
	struct simple_xattr *new = kvmalloc(sizeof(*new) + size, GFP_KERNEL);

	if (!new)
		return NULL;
	new->size = size;
	memcpy(new->value, value, size);
	new->name = kstrdup(name, GFP_KERNEL);
	if (!new->name) {
		kvfree(new);
		return NULL;
	}
	return new;
}

static void simple_xattr_free(struct simple_xattr *x)
{
	if (x) {
		kfree(x->name);
		kvfree(x);
	}
}

/* [xattrs->lock] */
static struct simple_xattr *simple_xattr_find(struct simple_xattrs *xattrs, const char *name)
{
	struct simple_xattr *x;

	list_for_each_entry(x, &xattrs->head, list)
		if (!strcmp(x->name, name))
			return x;
	return NULL;
}

/* name is the whole one.  The size; -ENODATA, -ERANGE. */
int simple_xattr_get(struct simple_xattrs *xattrs, const char *name, void *buffer, size_t size)
{
	struct simple_xattr *x;
	int ret = -ENODATA;

	spin_lock(&xattrs->lock);
	x = simple_xattr_find(xattrs, name);
	if (x) {
		ret = x->size;
		if (buffer && size < x->size)
			ret = -ERANGE;
		else if (buffer)
			memcpy(buffer, x->value, x->size);
	}
	spin_unlock(&xattrs->lock);
	return ret;
}

/* value NULL: remove.  *removed_size: bytes of what was there before, or -1. */
int simple_xattr_set(struct simple_xattrs *xattrs, const char *name, const void *value, size_t size, int flags,
		     ssize_t *removed_size)
{
	struct simple_xattr *new = NULL, *old;
	int err = 0;

	if (value) {
		new = simple_xattr_alloc(name, value, size);
		if (!new)
			return -ENOMEM;
	}
	spin_lock(&xattrs->lock);
	old = simple_xattr_find(xattrs, name);
	if (old && flags & XATTR_CREATE)
		err = -EEXIST;
	else if (!old && flags & XATTR_REPLACE)
		err = -ENODATA;
	if (err) {
		old = new;			/* what is freed below */
	} else {
		if (new)
			list_add(&new->list, &xattrs->head);
		if (old)
			list_del(&old->list);
		if (removed_size)
			*removed_size = old ? (ssize_t)old->size : -1;
	}
	spin_unlock(&xattrs->lock);
	simple_xattr_free(old);
	return err;
}

/* Names, each with its 0.  trusted. only for who may read it. */
ssize_t simple_xattr_list(struct inode *inode, struct simple_xattrs *xattrs, char *buffer, size_t size)
{
	bool trusted = capable(CAP_SYS_ADMIN);
	struct simple_xattr *x;
	ssize_t used = 0;

	spin_lock(&xattrs->lock);
	list_for_each_entry(x, &xattrs->head, list) {
		size_t len = strlen(x->name) + 1;

		if (!trusted && !strncmp(x->name, XATTR_TRUSTED_PREFIX, strlen(XATTR_TRUSTED_PREFIX)))
			continue;
		if (buffer && used + len > size) {
			used = -ERANGE;
			break;
		}
		if (buffer)
			memcpy(buffer + used, x->name, len);
		used += len;
	}
	spin_unlock(&xattrs->lock);
	return used;
}

void simple_xattrs_free(struct simple_xattrs *xattrs)
{
	struct simple_xattr *x, *next;

	list_for_each_entry_safe(x, next, &xattrs->head, list)
		simple_xattr_free(x);
	INIT_LIST_HEAD(&xattrs->head);
}

/* ---- system calls ---- */

/* The name into kname[XATTR_NAME_MAX + 1]. */
static int get_name(char *kname, const char __user *name)
{
	long len = strncpy_from_user(kname, name, XATTR_NAME_MAX + 1);

	if (len < 0)
		return len;
	return !len || len == XATTR_NAME_MAX + 1 ? -ERANGE : 0;
}

static long do_setxattr(struct dentry *dentry, const char __user *name, const void __user *value, size_t size, int flags)
{
	char kname[XATTR_NAME_MAX + 1];
	void *kvalue = NULL;
	int err;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = get_name(kname, name);
	if (err)
		return err;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (size) {
		kvalue = vmemdup_user(value, size);
		if (IS_ERR(kvalue))
			return PTR_ERR(kvalue);
	}
	err = vfs_setxattr(dentry, kname, kvalue, size, flags);
	kvfree(kvalue);
	return err;
}

static long do_getxattr(struct dentry *dentry, const char __user *name, void __user *value, size_t size)
{
	char kname[XATTR_NAME_MAX + 1];
	void *kvalue = NULL;
	ssize_t ret = get_name(kname, name);

	if (ret)
		return ret;
	size = min_t(size_t, size, XATTR_SIZE_MAX);
	if (size) {
		kvalue = kvmalloc(size, GFP_KERNEL);
		if (!kvalue)
			return -ENOMEM;
	}
	ret = vfs_getxattr(dentry, kname, kvalue, size);
	if (ret > 0 && size && copy_to_user(value, kvalue, ret))
		ret = -EFAULT;
	kvfree(kvalue);
	return ret;
}

static long do_listxattr(struct dentry *dentry, char __user *list, size_t size)
{
	char *klist = NULL;
	ssize_t ret;

	size = min_t(size_t, size, XATTR_LIST_MAX);
	if (size) {
		klist = kvmalloc(size, GFP_KERNEL);
		if (!klist)
			return -ENOMEM;
	}
	ret = vfs_listxattr(dentry, klist, size);
	if (ret > 0 && size && copy_to_user(list, klist, ret))
		ret = -EFAULT;
	kvfree(klist);
	return ret;
}

static long do_removexattr(struct dentry *dentry, const char __user *name)
{
	char kname[XATTR_NAME_MAX + 1];
	int err = get_name(kname, name);

	return err ?: vfs_removexattr(dentry, kname);
}

static long path_setxattr(const char __user *pathname, const char __user *name, const void __user *value, size_t size,
			  int flags, unsigned int lookup)
{
	struct path path;
	long err = user_path_at(AT_FDCWD, pathname, lookup, &path);

	if (err)
		return err;
	err = mnt_want_write(path.mnt);
	if (!err) {
		err = do_setxattr(path.dentry, name, value, size, flags);
		mnt_drop_write(path.mnt);
	}
	path_put(&path);
	return err;
}

long sys_setxattr(const char __user *path, const char __user *name, const void __user *value, size_t size, int flags)
{
	return path_setxattr(path, name, value, size, flags, LOOKUP_FOLLOW);
}

long sys_lsetxattr(const char __user *path, const char __user *name, const void __user *value, size_t size, int flags)
{
	return path_setxattr(path, name, value, size, flags, 0);
}

long sys_fsetxattr(int fd, const char __user *name, const void __user *value, size_t size, int flags)
{
	struct fd f = fdget(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = mnt_want_write_file(f.file);
	if (!err) {
		err = do_setxattr(f.file->f_path.dentry, name, value, size, flags);
		mnt_drop_write_file(f.file);
	}
	fdput(f);
	return err;
}

static long path_getxattr(const char __user *pathname, const char __user *name, void __user *value, size_t size,
			  unsigned int lookup)
{
	struct path path;
	long ret = user_path_at(AT_FDCWD, pathname, lookup, &path);

	if (ret)
		return ret;
	ret = do_getxattr(path.dentry, name, value, size);
	path_put(&path);
	return ret;
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return path_getxattr(path, name, value, size, LOOKUP_FOLLOW);
}

long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return path_getxattr(path, name, value, size, 0);
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t size)
{
	struct fd f = fdget(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = do_getxattr(f.file->f_path.dentry, name, value, size);
	fdput(f);
	return ret;
}

static long path_listxattr(const char __user *pathname, char __user *list, size_t size, unsigned int lookup)
{
	struct path path;
	long ret = user_path_at(AT_FDCWD, pathname, lookup, &path);

	if (ret)
		return ret;
	ret = do_listxattr(path.dentry, list, size);
	path_put(&path);
	return ret;
}

long sys_listxattr(const char __user *path, char __user *list, size_t size)
{
	return path_listxattr(path, list, size, LOOKUP_FOLLOW);
}

long sys_llistxattr(const char __user *path, char __user *list, size_t size)
{
	return path_listxattr(path, list, size, 0);
}

long sys_flistxattr(int fd, char __user *list, size_t size)
{
	struct fd f = fdget(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = do_listxattr(f.file->f_path.dentry, list, size);
	fdput(f);
	return ret;
}

static long path_removexattr(const char __user *pathname, const char __user *name, unsigned int lookup)
{
	struct path path;
	long err = user_path_at(AT_FDCWD, pathname, lookup, &path);

	if (err)
		return err;
	err = mnt_want_write(path.mnt);
	if (!err) {
		err = do_removexattr(path.dentry, name);
		mnt_drop_write(path.mnt);
	}
	path_put(&path);
	return err;
}

long sys_removexattr(const char __user *path, const char __user *name)
{
	return path_removexattr(path, name, LOOKUP_FOLLOW);
}

long sys_lremovexattr(const char __user *path, const char __user *name)
{
	return path_removexattr(path, name, 0);
}

long sys_fremovexattr(int fd, const char __user *name)
{
	struct fd f = fdget(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = mnt_want_write_file(f.file);
	if (!err) {
		err = do_removexattr(f.file->f_path.dentry, name);
		mnt_drop_write_file(f.file);
	}
	fdput(f);
	return err;
}
