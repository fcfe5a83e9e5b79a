/*
 * fs.c: cgroup2, the file system: groups as folders.
 *
 * What:    mount, look up, list, mkdir, rmdir, chown and chmod, extended attributes.
 * Idea:    the tree of groups is the truth, and names are only cached: an inode says which group and which file it is, and a
 *          name is looked at again each time (d_revalidate), because files come and go with controllers.  Owner and mode of a
 *          group's folder are in the group; its files have the same owner until chown or chmod note something else (attrs).
 *          There is one super block, mounted by the kernel for good; a mount from within a cgroup namespace begins at the
 *          namespace's root.
 * Locking: i_rwsem of the folder -> cgroup_mutex.
 * See:     file.c (what is in the files); <weft/cgroup.h>; cgroups(7)
 */
#include <weft/kernel.h>
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fsnotify.h>
#include <weft/init.h>
#include <weft/magic.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/sysfs.h>
#include <asm/page.h>
#include "cgroup.h"
#include "inode.h"

bool cgroup_nsdelegate;				/* [-] set by a mount in the first namespace */
static struct vfsmount *cgroup_mnt;		/* [I] */
static const struct inode_operations cgroup_dir_inode_operations, cgroup_file_inode_operations;
static const struct file_operations cgroup_dir_operations;

/* ---- inodes ---- */

static struct cgroup_file_attr *find_attr(const struct cgroup *cgrp, unsigned int file)
{
	struct cgroup_file_attr *attr;

	list_for_each_entry(attr, &cgrp->attrs, node)
		if (attr->file == file)
			return attr;
	return NULL;
}

static umode_t default_mode(const struct cftype *cft)
{
	return S_IFREG | (cft->show ? 0444 : 0) | (cft->write ? 0200 : 0);
}

/* cgroup_mutex held. */
static void fill_file(struct inode *inode, struct cgroup *cgrp, unsigned int number)
{
	const struct cgroup_file_attr *attr = find_attr(cgrp, number);
	int controller;

	inode->i_mode = attr ? attr->mode : default_mode(cgroup_cftype(number, &controller));
	inode->i_uid = attr ? attr->uid : cgrp->uid;
	inode->i_gid = attr ? attr->gid : cgrp->gid;
	inode->i_op = &cgroup_file_inode_operations;
	inode->i_fop = &cgroup_file_operations;
}

static void fill_dir(struct inode *inode, struct cgroup *cgrp)
{
	inode->i_mode = cgrp->mode;
	inode->i_uid = cgrp->uid;
	inode->i_gid = cgrp->gid;
	inode->i_op = &cgroup_dir_inode_operations;
	inode->i_fop = &cgroup_dir_operations;
	set_nlink(inode, 2);
}

/* file -1: the folder.  + reference; NULL: no memory.  cgroup_mutex held. */
static struct inode *get_inode(struct super_block *sb, struct cgroup *cgrp, int file)
{
	struct inode *inode = iget_locked(sb, cgroup_ino(cgrp, file));

	if (!inode || !(inode->i_state & I_NEW))
		return inode;
	cgroup_get(cgrp);
	inode->i_private = cgrp;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	if (file < 0)
		fill_dir(inode, cgrp);
	else
		fill_file(inode, cgrp, (unsigned int)file);
	unlock_new_inode(inode);
	return inode;
}

static void cgroup_evict_inode(struct inode *inode)
{
	clear_inode(inode);
	if (inode->i_private)
		cgroup_put(inode->i_private);
}

static int note_file_attr(struct cgroup *cgrp, unsigned int file, const struct inode *inode)
{
	struct cgroup_file_attr *attr = find_attr(cgrp, file);

	if (!attr) {
		attr = kmalloc(sizeof(*attr), GFP_KERNEL);
		if (!attr)
			return -ENOMEM;
		attr->file = file;
		list_add(&attr->node, &cgrp->attrs);
	}
	attr->mode = inode->i_mode;
	attr->uid = inode->i_uid;
	attr->gid = inode->i_gid;
	return 0;
}

static int cgroup_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct cgroup *cgrp = cgroup_of_inode(inode);
	int err = setattr_prepare(dentry, attr);

	if (err)
		return err;
	mutex_lock(&cgroup_mutex);
	attr->ia_valid &= ~(unsigned int)ATTR_SIZE;	/* O_TRUNC means nothing here */
	setattr_copy(inode, attr);
	if (!S_ISDIR(inode->i_mode)) {
		err = note_file_attr(cgrp, file_number(inode), inode);
	} else {
		cgrp->mode = inode->i_mode;
		cgrp->uid = inode->i_uid;
		cgrp->gid = inode->i_gid;
	}
	mutex_unlock(&cgroup_mutex);
	return err;
}

/* ---- names ---- */

static int cgroup_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode;
	int valid = 0;

	rcu_read_lock();
	inode = d_inode_rcu(dentry);
	if (inode && S_ISDIR(inode->i_mode))
		valid = !READ_ONCE(cgroup_of_inode(inode)->dead);
	else if (inode)
		valid = cgroup_file_visible(cgroup_of_inode(inode), file_number(inode));
	rcu_read_unlock();
	return !inode && (flags & LOOKUP_RCU) ? -ECHILD : valid;
}

/* A name that is not there may be tomorrow. */
static int cgroup_d_delete(const struct dentry *dentry)
{
	return d_really_is_negative(dentry);
}

static const struct dentry_operations cgroup_dentry_operations = {
	.d_revalidate = cgroup_revalidate, .d_delete = cgroup_d_delete,
};

static struct dentry *cgroup_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	const char *name = (const char *)dentry->d_name.name;
	struct cgroup *cgrp = cgroup_of_inode(dir), *child;
	struct inode *inode = NULL;
	bool found = false;
	int file;

	mutex_lock(&cgroup_mutex);
	child = cgroup_find_child(cgrp, name, dentry->d_name.len);
	file = child ? -1 : cgroup_find_file(name, dentry->d_name.len);
	if (child || (file >= 0 && cgroup_file_visible(cgrp, (unsigned int)file))) {
		found = true;
		inode = get_inode(dir->i_sb, child ? child : cgrp, file);
	}
	mutex_unlock(&cgroup_mutex);
	if (found && !inode)
		return ERR_PTR(-ENOMEM);
	return d_splice_alias(inode, dentry);
}

static int cgroup_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	const char *name = (const char *)dentry->d_name.name;
	struct cgroup *parent = cgroup_of_inode(dir), *cgrp;
	struct inode *inode = NULL;
	int err;

	if (strchr(name, '\n'))
		return -EINVAL;			/* /proc/PID/cgroup has a line for each */
	if (cgroup_find_file(name, dentry->d_name.len) >= 0)
		return -EEXIST;
	err = cgroup_lock_live(parent);
	if (err)
		return err;
	cgrp = cgroup_create(parent, name, mode);
	err = PTR_ERR_OR_ZERO(cgrp);
	if (!err) {
		inode = get_inode(dir->i_sb, cgrp, -1);
		if (!inode) {
			cgroup_remove(cgrp);
			err = -ENOMEM;
		}
	}
	mutex_unlock(&cgroup_mutex);
	if (err)
		return err;
	d_instantiate(dentry, inode);
	inc_nlink(dir);
	return 0;
}

static int cgroup_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct cgroup *cgrp = cgroup_of_inode(d_inode(dentry));
	int err = cgroup_lock_live(cgrp);

	if (err)
		return err;
	err = cgroup_remove(cgrp);
	mutex_unlock(&cgroup_mutex);
	if (err)
		return err;
	clear_nlink(d_inode(dentry));
	drop_nlink(dir);
	return 0;
}

void cgroup_fs_removed(struct cgroup *cgrp)
{
	struct inode *inode;
	int controller;

	if (fsnotify_idle())
		return;
	for (unsigned int i = 0; cgroup_cftype(i, &controller); i++) {
		inode = ilookup(cgroup_mnt->mnt_sb, cgroup_ino(cgrp, (int)i));
		if (!inode)
			continue;
		fsnotify_inoderemove(inode);
		iput(inode);
	}
}

/* Events of one file: to who watches it and to who watches the folder. */
static void notify_file(struct cgroup *cgrp, unsigned int number, const struct cftype *cft)
{
	struct inode *inode = ilookup(cgroup_mnt->mnt_sb, cgroup_ino(cgrp, (int)number));
	struct qstr name = QSTR(cft->name);

	if (inode && inode->i_fsnotify_mask)
		__fsnotify(inode, IN_MODIFY, NULL, 0);
	iput(inode);
	inode = ilookup(cgroup_mnt->mnt_sb, cgroup_ino(cgrp, -1));
	if (inode && inode->i_fsnotify_mask)
		__fsnotify(inode, IN_MODIFY, &name, 0);
	iput(inode);
}

void cgroup_fs_notify(struct cgroup *cgrp, unsigned int events)
{
	const struct cftype *cft;
	int controller;

	if (fsnotify_idle())
		return;
	for (unsigned int i = 0; (cft = cgroup_cftype(i, &controller)); i++)
		if (cft->event && events & (1U << cft->event))
			notify_file(cgrp, i, cft);
}

/* ---- listing ---- */

#define CHILD_POS	1024			/* positions: ".", "..", files, and from here on children by id */

static bool emit_files(struct cgroup *cgrp, struct dir_context *ctx)
{
	const struct cftype *cft;
	int controller;

	for (; (cft = cgroup_cftype((unsigned int)ctx->pos - 2, &controller)); ctx->pos++) {
		int number = (int)ctx->pos - 2;

		if (cgroup_file_visible(cgrp, (unsigned int)number) &&
		    !dir_emit(ctx, cft->name, (int)strlen(cft->name), cgroup_ino(cgrp, number), DT_REG))
			return false;
	}
	ctx->pos = CHILD_POS;
	return true;
}

/* The first child from this id on, + reference; prev: where to begin, or NULL. */
static struct cgroup *child_from(struct cgroup *cgrp, struct cgroup *prev, u64 id)
{
	struct cgroup *child = NULL, *found = NULL;

	mutex_lock(&cgroup_mutex);
	if (prev && !prev->dead)
		child = prev;
	child = list_prepare_entry(child, &cgrp->children, sibling);
	list_for_each_entry_continue(child, &cgrp->children, sibling) {
		if (child->id < id)
			continue;
		cgroup_get(child);
		found = child;
		break;
	}
	mutex_unlock(&cgroup_mutex);
	if (prev)
		cgroup_put(prev);
	return found;
}

static int cgroup_iterate(struct file *file, struct dir_context *ctx)
{
	struct cgroup *cgrp = cgroup_of_inode(file_inode(file)), *child = NULL;

	if (cgrp->dead || !dir_emit_dots(file, ctx))
		return 0;
	if (ctx->pos < CHILD_POS && !emit_files(cgrp, ctx))
		return 0;
	while ((child = child_from(cgrp, child, (u64)ctx->pos - CHILD_POS))) {
		if (!dir_emit(ctx, child->name, (int)strlen(child->name), cgroup_ino(child, -1), DT_DIR)) {
			cgroup_put(child);
			break;
		}
		ctx->pos = (loff_t)child->id + CHILD_POS + 1;
	}
	return 0;
}

static const struct file_operations cgroup_dir_operations = {
	.iterate_shared = cgroup_iterate, .llseek = default_llseek,
};

/* ---- extended attributes: of folders ---- */

static const char *full_name(const struct xattr_handler *handler, const char *name)
{
	return name - strlen(handler->prefix);
}

static int cgroup_xattr_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
			    const char *name, void *buffer, size_t size)
{
	if (!S_ISDIR(inode->i_mode))
		return -EOPNOTSUPP;
	return simple_xattr_get(&cgroup_of_inode(inode)->xattrs, full_name(handler, name), buffer, size);
}

static int cgroup_xattr_set(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
			    const char *name, const void *value, size_t size, int flags)
{
	if (!S_ISDIR(inode->i_mode))
		return -EOPNOTSUPP;
	return simple_xattr_set(&cgroup_of_inode(inode)->xattrs, full_name(handler, name), value, size, flags, NULL);
}

static ssize_t cgroup_listxattr(struct dentry *dentry, char *buffer, size_t size)
{
	return simple_xattr_list(d_inode(dentry), &cgroup_of_inode(d_inode(dentry))->xattrs, buffer, size);
}

static const struct xattr_handler
	user_handler = { .prefix = XATTR_USER_PREFIX, .get = cgroup_xattr_get, .set = cgroup_xattr_set },
	trusted_handler = { .prefix = XATTR_TRUSTED_PREFIX, .get = cgroup_xattr_get, .set = cgroup_xattr_set },
	security_handler = { .prefix = XATTR_SECURITY_PREFIX, .get = cgroup_xattr_get, .set = cgroup_xattr_set };
static const struct xattr_handler *cgroup_xattr_handlers[] = {
	&user_handler, &trusted_handler, &security_handler, NULL,
};

static const struct inode_operations cgroup_dir_inode_operations = {
	.lookup = cgroup_lookup, .mkdir = cgroup_mkdir, .rmdir = cgroup_rmdir, .setattr = cgroup_setattr,
	.listxattr = cgroup_listxattr,
};
static const struct inode_operations cgroup_file_inode_operations = { .setattr = cgroup_setattr };

/* ---- what attach.c asks ---- */

struct cgroup *cgroup_of_file(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (inode->i_sb != cgroup_mnt->mnt_sb || !S_ISDIR(inode->i_mode))
		return ERR_PTR(-EBADF);
	return cgroup_of_inode(inode);
}

int cgroup_may_write_procs(struct cgroup *cgrp)
{
	int file = cgroup_find_file("cgroup.procs", strlen("cgroup.procs")), err;
	struct inode *inode = get_inode(cgroup_mnt->mnt_sb, cgrp, file);

	if (!inode)
		return -ENOMEM;
	err = inode_permission(inode, MAY_WRITE);
	iput(inode);
	return err;
}

/* ---- mounting ---- */

static int parse_options(char *text, bool *nsdelegate)
{
	static const char *const known[] = { "memory_recursiveprot", "memory_localevents", "favordynmods" };
	char *word;
	size_t i;

	while (text && (word = strsep(&text, ","))) {
		if (!*word)
			continue;
		if (!strcmp(word, "nsdelegate")) {
			*nsdelegate = true;
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(known) && strcmp(word, known[i]); i++)
			;
		if (i == ARRAY_SIZE(known))
			return -EINVAL;
	}
	return 0;
}

/* Options are the hierarchy's, not the mount's: only the first namespace has a say. */
static int apply_options(char *text)
{
	bool nsdelegate = false;
	int err = parse_options(text, &nsdelegate);

	if (!err && current->nsproxy->cgroup == &init_cgroup_ns)
		cgroup_nsdelegate = nsdelegate;
	return err;
}

static int cgroup_remount(struct super_block *sb, int *flags, char *data)
{
	return apply_options(data);
}

static int cgroup_show_options(struct seq_file *m, struct dentry *root)
{
	if (cgroup_nsdelegate)
		seq_puts(m, ",nsdelegate");
	return 0;
}

/* The root of a mount, as the reader's namespace names it. */
static int cgroup_show_path(struct seq_file *m, struct dentry *root)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	int len;

	if (!buf)
		return -ENOMEM;
	len = cgroup_path_ns(cgroup_of_inode(d_inode(root)), current->nsproxy->cgroup->root, buf, PATH_MAX);
	if (len >= 0)
		seq_escape(m, buf, " \t\n\\");
	kfree(buf);
	return len < 0 ? len : 0;
}

static const struct super_operations cgroup_super_operations = {
	.statfs = simple_statfs, .drop_inode = generic_delete_inode, .evict_inode = cgroup_evict_inode,
	.remount_fs = cgroup_remount, .show_options = cgroup_show_options, .show_path = cgroup_show_path,
};

static int cgroup_fill_super(struct super_block *sb, void *data, int silent)
{
	struct inode *root;

	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = CGROUP2_SUPER_MAGIC;
	sb->s_op = &cgroup_super_operations;
	sb->s_d_op = &cgroup_dentry_operations;
	sb->s_xattr = cgroup_xattr_handlers;
	sb->s_time_gran = 1;
	mutex_lock(&cgroup_mutex);
	root = get_inode(sb, &cgroup_root, -1);
	mutex_unlock(&cgroup_mutex);
	if (!root)
		return -ENOMEM;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

/* From `dir` (a reference, consumed) down to the group.  A reference, or ERR_PTR. */
static struct dentry *walk_down(struct dentry *dir, const struct cgroup *to)
{
	const struct cgroup *from = cgroup_of_inode(d_inode(dir)), *step;
	struct dentry *next;

	while (from != to) {
		for (step = to; step->parent != from; step = step->parent)
			;
		inode_lock(d_inode(dir));
		next = lookup_one_len(step->name, dir, (int)strlen(step->name));
		inode_unlock(d_inode(dir));
		dput(dir);
		if (IS_ERR(next))
			return next;
		if (d_really_is_negative(next)) {
			dput(next);
			return ERR_PTR(-ENOENT);	/* the namespace's root was removed */
		}
		dir = next;
		from = step;
	}
	return dir;
}

static struct dentry *cgroup_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	int err = apply_options(data);
	struct dentry *root, *dir;

	if (err)
		return ERR_PTR(err);
	root = mount_single(type, flags, NULL, cgroup_fill_super);
	if (IS_ERR(root))
		return root;
	dir = walk_down(dget(root), current->nsproxy->cgroup->root);
	dput(root);
	if (IS_ERR(dir)) {
		lockdep_assert_held_write(&cgroup_mnt->mnt_sb->s_umount);
		deactivate_locked_super(cgroup_mnt->mnt_sb);
	}
	return dir;
}

static struct file_system_type cgroup_fs_type = {
	.name = "cgroup2", .mount = cgroup_mount, .kill_sb = kill_anon_super, .fs_flags = FS_USERNS_MOUNT,
};

/* ---- start-up: the mount that lasts, and where user space mounts it ---- */

static ssize_t features_show(void *data, char *buf)
{
	return sysfs_emit(buf, "nsdelegate\nfavordynmods\nmemory_localevents\nmemory_recursiveprot\n");
}

/* What one may give away with a group: systemd reads it. */
static ssize_t delegate_show(void *data, char *buf)
{
	const struct cftype *cft;
	int controller;
	size_t n = 0;

	for (unsigned int i = 0; (cft = cgroup_cftype(i, &controller)); i++)
		if (cft->flags & CFT_DELEGATED)
			n += (size_t)scnprintf(buf + n, PAGE_SIZE - n, "%s\n", cft->name);
	return (ssize_t)n;
}

static const struct sysfs_attr cgroup_sysfs_attrs[] = {
	{ .name = "features", .show = features_show }, { .name = "delegate", .show = delegate_show }, { }
};

static int __init cgroup_fs_init(void)
{
	struct dentry *dir;
	int err = register_filesystem(&cgroup_fs_type);

	if (err)
		return err;
	cgroup_mnt = kern_mount(&cgroup_fs_type);
	if (IS_ERR(cgroup_mnt))
		return PTR_ERR(cgroup_mnt);
	sysfs_mkdir(NULL, "fs/cgroup");
	dir = sysfs_mkdir(NULL, "kernel/cgroup");
	return IS_ERR(dir) ? PTR_ERR(dir) : sysfs_create_files(dir, cgroup_sysfs_attrs, NULL);
}
fs_initcall(cgroup_fs_init);
