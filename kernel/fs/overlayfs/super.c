/*
 * super.c: mount -t overlay -o lowerdir=A:B:...[,upperdir=U,workdir=W].
 *
 * Idea:    each layer is seen through a private mount of its own, so that its directory may be unmounted, moved or mounted over
 *          without the overlay's noticing.  Without an upper layer the overlay is read-only.
 * Locking: s_umount while it is made; afterwards nothing here changes.
 * Not as Linux: the upper file system cannot be mounted anew read-only while it is in use (EBUSY); options whose default is
 *          "off" are taken only with that value.
 * See:     overlayfs.h; doc/overlay.md
 */
#include <weft/err.h>
#include <weft/init.h>
#include <weft/magic.h>
#include <weft/namei.h>
#include <weft/rcu.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/statfs.h>
#include <weft/string.h>
#include "overlayfs.h"

static struct kmem_cache *ovl_inode_cachep;	/* [I] */
static struct lock_class_key ovl_rename_key[OVL_MAX_DEPTH + 1];

/* ---- inodes ---- */

static struct inode *ovl_alloc_inode(struct super_block *sb)
{
	struct ovl_inode *oi = kmem_cache_alloc(ovl_inode_cachep, GFP_KERNEL);

	if (!oi)
		return NULL;
	mutex_init(&oi->lock);
	oi->upper = NULL;
	oi->lower = NULL;
	oi->nr_lower = 0;
	oi->key = NULL;
	return &oi->vfs_inode;
}

/* May sleep; the inode is in nobody's hands any more. */
static void ovl_destroy_inode(struct inode *inode)
{
	struct ovl_inode *oi = OVL_I(inode);

	dput(oi->upper);
	for (unsigned int i = 0; i < oi->nr_lower; i++)
		dput(oi->lower[i].dentry);
	kfree(oi->lower);
}

static void ovl_free_inode(struct inode *inode)
{
	kmem_cache_free(ovl_inode_cachep, OVL_I(inode));
}

static void ovl_init_once(void *p)
{
	inode_init_once(&((struct ovl_inode *)p)->vfs_inode);
}

/* ---- options ---- */

static int take_string(char **place, const char *value)
{
	kfree(*place);
	*place = kstrdup(value, GFP_KERNEL);
	return *place ? 0 : -ENOMEM;
}

static int parse_option(struct ovl_fs *ofs, const char *key, const char *value)
{
	static const char *const off_only[] = { "index", "nfs_export", "metacopy", "redirect_dir", "xino" };

	if (!value)
		return -EINVAL;
	if (!strcmp(key, "lowerdir"))
		return take_string(&ofs->lowerdir, value);
	if (!strcmp(key, "upperdir"))
		return take_string(&ofs->upperdir, value);
	if (!strcmp(key, "workdir"))
		return take_string(&ofs->workdir_name, value);
	for (size_t i = 0; i < ARRAY_SIZE(off_only); i++)
		if (!strcmp(key, off_only[i]) && !strcmp(value, "off"))
			return 0;
	return -EINVAL;
}

static int parse_options(struct ovl_fs *ofs, char *text)
{
	char *key;
	int err;

	while (text && (key = strsep(&text, ","))) {
		char *value = strchr(key, '=');

		if (!*key)
			continue;
		if (value)
			*value++ = 0;
		err = parse_option(ofs, key, value);
		if (err) {
			pr_err("overlayfs: bad option '%s%s%s'\n", key, value ? "=" : "", value ? value : "");
			return err;
		}
	}
	return ofs->lowerdir && (!ofs->upperdir || ofs->workdir_name) ? 0 : -EINVAL;
}

static int ovl_show_options(struct seq_file *m, struct dentry *root)
{
	struct ovl_fs *ofs = OVL_FS(root->d_sb);

	seq_printf(m, ",lowerdir=%s", ofs->lowerdir);
	if (ofs->upperdir)
		seq_printf(m, ",upperdir=%s,workdir=%s", ofs->upperdir, ofs->workdir_name);
	return 0;
}

/* ---- layers ---- */

/* A private mount of a directory that may be a layer. */
static struct vfsmount *get_layer(const char *name)
{
	struct vfsmount *mnt;
	struct path path;
	int err = kern_path(name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (err)
		return ERR_PTR(err);
	/* Names that change by themselves, or are not compared byte by byte, make no layer. */
	if (path.dentry->d_flags & (DCACHE_OP_HASH | DCACHE_OP_COMPARE | DCACHE_OP_REVALIDATE))
		mnt = ERR_PTR(-EINVAL);
	else
		mnt = clone_private_mount(&path);
	path_put(&path);
	return mnt;
}

static int get_lowers(struct ovl_fs *ofs)
{
	char *names = kstrdup(ofs->lowerdir, GFP_KERNEL), *rest = names, *name;
	int err = names ? 0 : -ENOMEM;

	while (!err && rest && (name = strsep(&rest, ":"))) {
		struct vfsmount *mnt = ofs->nr_lower < OVL_MAX_LOWER ? get_layer(name) : ERR_PTR(-EINVAL);

		if (IS_ERR(mnt))
			err = PTR_ERR(mnt);
		else
			ofs->lower_mnt[ofs->nr_lower++] = mnt;
	}
	kfree(names);
	return err;
}

/* The directory work/ in workdir=, emptied. */
static int get_work(struct ovl_fs *ofs, struct dentry *base)
{
	struct dentry *d;
	int err;

	inode_lock_nested(d_inode(base), I_MUTEX_PARENT);
	d = lookup_one_len("work", base, strlen("work"));
	err = PTR_ERR_OR_ZERO(d);
	if (!err && d_is_negative(d))
		err = vfs_mkdir(d_inode(base), d, 0);
	inode_unlock(d_inode(base));
	if (err)
		return err;
	ofs->workdir = d;
	return d_is_dir(d) ? ovl_clean_workdir(ofs->upper_mnt, d) : -EEXIST;
}

static int get_upper(struct ovl_fs *ofs)
{
	struct vfsmount *mnt = get_layer(ofs->upperdir);
	struct path work;
	int err;

	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	err = mnt_want_write(mnt);		/* until it is unmounted */
	if (err) {
		kern_unmount(mnt);
		return err;
	}
	ofs->upper_mnt = mnt;
	err = kern_path(ofs->workdir_name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &work);
	if (err)
		return err;
	err = -EINVAL;				/* one file system, neither in the other: renames lead from here to there */
	if (work.mnt->mnt_sb == mnt->mnt_sb && !is_subdir(work.dentry, mnt->mnt_root) && !is_subdir(mnt->mnt_root, work.dentry))
		err = get_work(ofs, work.dentry);
	path_put(&work);
	return err;
}

static void free_fs(struct ovl_fs *ofs)
{
	dput(ofs->workdir);
	if (ofs->upper_mnt) {
		mnt_drop_write(ofs->upper_mnt);
		kern_unmount(ofs->upper_mnt);
	}
	for (unsigned int i = 0; i < ofs->nr_lower; i++)
		kern_unmount(ofs->lower_mnt[i]);
	put_cred(ofs->creds);
	kfree(ofs->lowerdir);
	kfree(ofs->upperdir);
	kfree(ofs->workdir_name);
	kfree(ofs);
}

/* ---- the whole ---- */

static int ovl_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct path real;
	int err;

	ovl_real_path(d_inode(dentry->d_sb->s_root), &real);
	err = vfs_statfs(&real, buf);
	buf->f_type = OVERLAYFS_SUPER_MAGIC;
	return err;
}

static int ovl_sync_fs(struct super_block *sb, int wait)
{
	struct super_block *upper = OVL_FS(sb)->upper_mnt ? OVL_FS(sb)->upper_mnt->mnt_sb : NULL;
	int err;

	if (!upper || !wait)
		return 0;
	down_read_nested(&upper->s_umount, sb->s_stack_depth);	/* that of the overlay is held */
	err = sync_filesystem(upper);
	up_read(&upper->s_umount);
	return err;
}

static int ovl_remount(struct super_block *sb, int *flags, char *data)
{
	return !(*flags & SB_RDONLY) && !OVL_FS(sb)->upper_mnt ? -EROFS : 0;
}

static void ovl_put_super(struct super_block *sb)
{
	free_fs(OVL_FS(sb));
	sb->s_fs_info = NULL;
}

static const struct super_operations ovl_super_operations = {
	.alloc_inode	= ovl_alloc_inode,
	.destroy_inode	= ovl_destroy_inode,
	.free_inode	= ovl_free_inode,
	.drop_inode	= generic_delete_inode,
	.put_super	= ovl_put_super,
	.sync_fs	= ovl_sync_fs,
	.statfs		= ovl_statfs,
	.remount_fs	= ovl_remount,
	.show_options	= ovl_show_options,
};

/* How many overlays lie upon each other, this one with them. */
static unsigned int depth_of(const struct ovl_fs *ofs)
{
	unsigned int depth = ofs->upper_mnt ? ofs->upper_mnt->mnt_sb->s_stack_depth : 0;

	for (unsigned int i = 0; i < ofs->nr_lower; i++)
		depth = max(depth, ofs->lower_mnt[i]->mnt_sb->s_stack_depth);
	return depth + 1;
}

/* The root shows all layers' roots. */
static struct inode *get_root(struct super_block *sb)
{
	struct ovl_fs *ofs = OVL_FS(sb);
	struct ovl_found found = { };

	found.lower = kcalloc(ofs->nr_lower, sizeof(*found.lower), GFP_KERNEL);
	if (!found.lower)
		return ERR_PTR(-ENOMEM);
	if (ofs->upper_mnt)
		found.upper = dget(ofs->upper_mnt->mnt_root);
	for (unsigned int i = 0; i < ofs->nr_lower; i++)
		found.lower[found.nr_lower++] = (struct path){
			.mnt = ofs->lower_mnt[i], .dentry = dget(ofs->lower_mnt[i]->mnt_root),
		};
	return ovl_get_inode(sb, &found);
}

static int ovl_fill_super(struct super_block *sb, void *data, int silent)
{
	struct ovl_fs *ofs = kzalloc(sizeof(*ofs), GFP_KERNEL);
	struct inode *root;
	int err;

	if (!ofs)
		return -ENOMEM;
	ofs->creds = get_current_cred();
	err = parse_options(ofs, data);
	if (!err)
		err = get_lowers(ofs);
	if (!err && ofs->upperdir)
		err = get_upper(ofs);
	if (!err && depth_of(ofs) > OVL_MAX_DEPTH)
		err = -EINVAL;
	if (err) {
		free_fs(ofs);
		return err;
	}
	sb->s_stack_depth = depth_of(ofs);
	lockdep_set_class(&sb->s_vfs_rename_mutex, &ovl_rename_key[sb->s_stack_depth]);
	sb->s_fs_info = ofs;
	sb->s_op = &ovl_super_operations;
	sb->s_magic = OVERLAYFS_SUPER_MAGIC;
	sb->s_xattr = ovl_xattr_handlers;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_time_gran = 1;
	if (!ofs->upper_mnt)
		sb->s_flags |= SB_RDONLY;
	root = get_root(sb);
	if (IS_ERR(root))
		return PTR_ERR(root);		/* put_super() is not called without a root: see ovl_kill_sb() */
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static struct dentry *ovl_mount(struct file_system_type *type, int flags, const char *name, void *data)
{
	return mount_nodev(type, flags, data, ovl_fill_super);
}

static void ovl_kill_sb(struct super_block *sb)
{
	kill_anon_super(sb);
	if (sb->s_fs_info)
		ovl_put_super(sb);
}

static struct file_system_type ovl_fs_type = {
	.name		= "overlay",
	.mount		= ovl_mount,
	.kill_sb	= ovl_kill_sb,
};

static int __init ovl_init(void)
{
	ovl_inode_cachep = kmem_cache_create("ovl_inode", sizeof(struct ovl_inode), 0, SLAB_PANIC, ovl_init_once);
	return register_filesystem(&ovl_fs_type);
}
fs_initcall(ovl_init);
