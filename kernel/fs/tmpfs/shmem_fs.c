/*
 * shmem_fs.c: tmpfs as a file system: inodes, names, attributes, mounts; also the root file system and devtmpfs' store.
 *
 * Idea:    a name is nothing but its dentry: each is pinned by one more reference (dget) from creation to unlink, and the
 *          directory is the list of its children, which libfs reads.  An inode lives while it has names or users.
 * Counts:  size= limits pages (used_blocks), nr_inodes= limits inodes; every further link counts as one, since it holds a
 *          dentry in memory that no limit else knows.
 * Locking: i_rwsem of the directories, held by the VFS; stat_lock for the limits.
 * See:     spec.md §10 "memory file systems"; shmem.c has the contents; tmpfs(5)
 */
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/magic.h>
#include <weft/mman.h>
#include <weft/mount.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/shmem_fs.h>
#include <weft/slab.h>
#include <weft/statfs.h>
#include <weft/vmstat.h>
#include <weft/xattr.h>

#define BOGO_DIRENT_SIZE	20		/* what a name adds to its directory's st_size */
#define NAME_LEN		255

static struct kmem_cache *shmem_inode_cachep;	/* [I] */
static struct vfsmount *shm_mnt;		/* [I] for files without a name */

static const struct inode_operations shmem_inode_operations, shmem_dir_inode_operations, shmem_symlink_inode_operations,
				     shmem_special_inode_operations;

/* ---- inodes ---- */

static int reserve_inode(struct super_block *sb)
{
	struct shmem_sb_info *sbinfo = SHMEM_SB(sb);
	int err = 0;

	spin_lock(&sbinfo->stat_lock);
	if (sbinfo->max_inodes) {
		if (sbinfo->free_inodes)
			sbinfo->free_inodes--;
		else
			err = -ENOSPC;
	}
	spin_unlock(&sbinfo->stat_lock);
	return err;
}

static void unreserve_inode(struct super_block *sb)
{
	struct shmem_sb_info *sbinfo = SHMEM_SB(sb);

	spin_lock(&sbinfo->stat_lock);
	if (sbinfo->max_inodes)
		sbinfo->free_inodes++;
	spin_unlock(&sbinfo->stat_lock);
}

static void init_by_type(struct inode *inode, umode_t mode, dev_t dev)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		inode->i_mapping->a_ops = &shmem_aops;
		inode->i_op = &shmem_inode_operations;
		inode->i_fop = &shmem_file_operations;
		break;
	case S_IFDIR:
		inc_nlink(inode);		/* "." */
		inode->i_size = 2 * BOGO_DIRENT_SIZE;
		inode->i_op = &shmem_dir_inode_operations;
		inode->i_fop = &simple_dir_operations;
		break;
	case S_IFLNK:
		inode->i_op = &shmem_symlink_inode_operations;
		break;
	default:
		inode->i_op = &shmem_special_inode_operations;
		init_special_inode(inode, mode, dev);
	}
}

/* A new inode with one link; flags: VM_NORESERVE or 0.  ERR_PTR(-ENOSPC, -ENOMEM). */
static struct inode *shmem_get_inode(struct super_block *sb, const struct inode *dir, umode_t mode, dev_t dev,
				     unsigned long flags)
{
	struct inode *inode;
	int err = reserve_inode(sb);

	if (err)
		return ERR_PTR(err);
	inode = new_inode(sb);
	if (!inode) {
		unreserve_inode(sb);
		return ERR_PTR(-ENOMEM);
	}
	inode->i_ino = get_next_ino();
	inode_init_owner(inode, dir, mode);
	inode->i_blocks = 0;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	SHMEM_I(inode)->seals = F_SEAL_SEAL;
	SHMEM_I(inode)->flags = flags & VM_NORESERVE;
	SHMEM_I(inode)->alloced = 0;
	SHMEM_I(inode)->swapped = 0;
	SHMEM_I(inode)->swap_ra = (struct swap_readahead){ };
	simple_xattrs_init(&SHMEM_I(inode)->xattrs);
	init_by_type(inode, mode, dev);
	return inode;
}

static struct inode *shmem_alloc_inode(struct super_block *sb)
{
	struct shmem_inode_info *info = kmem_cache_alloc(shmem_inode_cachep, GFP_KERNEL);

	return info ? &info->vfs_inode : NULL;
}

/* A grace period after the last use: a path walk may have been reading the link's text. */
static void shmem_free_inode(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(shmem_inode_cachep, SHMEM_I(inode));
}

static void shmem_init_once(void *p)
{
	struct shmem_inode_info *info = p;

	inode_init_once(&info->vfs_inode);
	INIT_LIST_HEAD(&info->swaplist);
}

static void shmem_evict_inode(struct inode *inode)
{
	if (shmem_mapping(inode->i_mapping)) {
		shmem_unacct_size(SHMEM_I(inode)->flags, inode->i_size);
		inode->i_size = 0;
		set_bit(AS_EXITING, &inode->i_mapping->flags);
		shmem_truncate_range(inode, 0, -1);
		shmem_leave_swaplist(inode);
		WARN_ON_ONCE(inode->i_blocks);
	}
	simple_xattrs_free(&SHMEM_I(inode)->xattrs);
	unreserve_inode(inode->i_sb);
	clear_inode(inode);
}

/* ---- attributes ---- */

/* i_rwsem held.  0, -EPERM (sealed), -ENOMEM. */
static int shmem_setsize(struct inode *inode, loff_t newsize)
{
	struct shmem_inode_info *info = SHMEM_I(inode);
	loff_t oldsize = inode->i_size, holebegin = round_up(newsize, PAGE_SIZE);
	int err;

	if ((newsize < oldsize && (info->seals & F_SEAL_SHRINK)) || (newsize > oldsize && (info->seals & F_SEAL_GROW)))
		return -EPERM;
	if (newsize == oldsize)
		return 0;
	err = shmem_reacct_size(info->flags, oldsize, newsize);
	if (err)
		return err;
	i_size_write(inode, newsize);
	inode->i_ctime = inode->i_mtime = current_time(inode);
	if (newsize < oldsize) {
		unmap_mapping_range(inode->i_mapping, holebegin, 0, 1);
		shmem_truncate_range(inode, newsize, -1);
		unmap_mapping_range(inode->i_mapping, holebegin, 0, 1);	/* private copies made meanwhile */
	}
	return 0;
}

static int shmem_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err = setattr_prepare(dentry, attr);

	if (!err && S_ISREG(inode->i_mode) && (attr->ia_valid & ATTR_SIZE))
		err = shmem_setsize(inode, attr->ia_size);
	if (!err)
		setattr_copy(inode, attr);
	return err;
}

static const char *full_name(const struct xattr_handler *handler, const char *name)
{
	return name - strlen(handler->prefix);	/* what we are given is its rest */
}

static int shmem_xattr_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
			   const char *name, void *buffer, size_t size)
{
	return simple_xattr_get(&SHMEM_I(inode)->xattrs, full_name(handler, name), buffer, size);
}

static int shmem_xattr_set(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
			   const char *name, const void *value, size_t size, int flags)
{
	int err = simple_xattr_set(&SHMEM_I(inode)->xattrs, full_name(handler, name), value, size, flags, NULL);

	if (!err)
		inode->i_ctime = current_time(inode);
	return err;
}

static ssize_t shmem_listxattr(struct dentry *dentry, char *buffer, size_t size)
{
	return simple_xattr_list(d_inode(dentry), &SHMEM_I(d_inode(dentry))->xattrs, buffer, size);
}

static const struct xattr_handler user_handler = {
	.prefix = XATTR_USER_PREFIX, .get = shmem_xattr_get, .set = shmem_xattr_set,
};
static const struct xattr_handler trusted_handler = {
	.prefix = XATTR_TRUSTED_PREFIX, .get = shmem_xattr_get, .set = shmem_xattr_set,
};
static const struct xattr_handler security_handler = {
	.prefix = XATTR_SECURITY_PREFIX, .get = shmem_xattr_get, .set = shmem_xattr_set,
};
static const struct xattr_handler *shmem_xattr_handlers[] = { &user_handler, &trusted_handler, &security_handler, NULL };

/* ---- names ---- */

static void dir_changed(struct inode *dir, int names)
{
	dir->i_size += names * BOGO_DIRENT_SIZE;
	dir->i_mtime = dir->i_ctime = current_time(dir);
	inode_inc_iversion(dir);
}

/* The name keeps its dentry: nothing else in memory says that it exists. */
static void add_name(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	dir_changed(dir, 1);
	d_instantiate(dentry, inode);
	dget(dentry);
}

static int shmem_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev)
{
	struct inode *inode = shmem_get_inode(dir->i_sb, dir, mode, dev, VM_NORESERVE);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	add_name(dir, dentry, inode);
	return 0;
}

static int shmem_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool excl)
{
	return shmem_mknod(dir, dentry, mode | S_IFREG, 0);
}

static int shmem_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	int err = shmem_mknod(dir, dentry, mode | S_IFDIR, 0);

	if (!err)
		inc_nlink(dir);			/* its ".." */
	return err;
}

static int shmem_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	size_t len = strlen(target) + 1;
	struct inode *inode;
	char *copy;

	if (len > PAGE_SIZE)
		return -ENAMETOOLONG;
	copy = kmemdup(target, len, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	inode = shmem_get_inode(dir->i_sb, dir, S_IFLNK | 0777, 0, VM_NORESERVE);
	if (IS_ERR(inode)) {
		kfree(copy);
		return PTR_ERR(inode);
	}
	inode->i_link = copy;
	inode->i_size = len - 1;
	add_name(dir, dentry, inode);
	return 0;
}

static int shmem_tmpfile(struct inode *dir, struct file *file, umode_t mode)
{
	struct inode *inode = shmem_get_inode(dir->i_sb, dir, mode, 0, VM_NORESERVE);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_tmpfile(file, inode);
	return finish_open_simple(file, 0);
}

static int shmem_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	int err = 0;

	/* The first name of an O_TMPFILE file was counted when its inode was made. */
	if (inode->i_nlink)
		err = reserve_inode(inode->i_sb);
	if (err)
		return err;
	inode->i_ctime = current_time(inode);
	inc_nlink(inode);
	ihold(inode);
	add_name(dir, dentry, inode);
	return 0;
}

static int shmem_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	if (inode->i_nlink > 1 && !S_ISDIR(inode->i_mode))
		unreserve_inode(inode->i_sb);
	dir_changed(dir, -1);
	inode->i_ctime = dir->i_ctime;
	drop_nlink(inode);
	dput(dentry);				/* the name's own reference */
	return 0;
}

static int shmem_rmdir(struct inode *dir, struct dentry *dentry)
{
	if (!simple_empty(dentry))
		return -ENOTEMPTY;
	drop_nlink(d_inode(dentry));
	drop_nlink(dir);
	return shmem_unlink(dir, dentry);
}

/* RENAME_WHITEOUT: a character device 0:0 under the old name, for overlays. */
static int leave_whiteout(struct inode *dir, struct dentry *old)
{
	struct dentry *whiteout = d_alloc(old->d_parent, &old->d_name);
	int err;

	if (!whiteout)
		return -ENOMEM;
	err = shmem_mknod(dir, whiteout, S_IFCHR, 0);
	if (!err)
		d_rehash(whiteout);
	dput(whiteout);
	return err;
}

static int shmem_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new,
			unsigned int flags)
{
	struct inode *inode = d_inode(old);
	bool is_dir = S_ISDIR(inode->i_mode);
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_EXCHANGE)
		return simple_rename_exchange(old_dir, old, new_dir, new);
	if (!simple_empty(new))
		return -ENOTEMPTY;
	if (flags & RENAME_WHITEOUT) {
		err = leave_whiteout(old_dir, old);
		if (err)
			return err;
	}
	if (d_really_is_positive(new)) {
		shmem_unlink(new_dir, new);
		if (is_dir) {
			drop_nlink(d_inode(new));
			drop_nlink(old_dir);
		}
	} else if (is_dir) {
		drop_nlink(old_dir);
		inc_nlink(new_dir);
	}
	dir_changed(old_dir, -1);
	dir_changed(new_dir, 1);
	inode->i_ctime = new_dir->i_ctime;
	return 0;
}

static const struct inode_operations shmem_inode_operations = {
	.setattr	= shmem_setattr,
	.listxattr	= shmem_listxattr,
};

static const struct inode_operations shmem_dir_inode_operations = {
	.lookup		= simple_lookup,
	.create		= shmem_create,
	.link		= shmem_link,
	.unlink		= shmem_unlink,
	.symlink	= shmem_symlink,
	.mkdir		= shmem_mkdir,
	.rmdir		= shmem_rmdir,
	.mknod		= shmem_mknod,
	.rename		= shmem_rename,
	.tmpfile	= shmem_tmpfile,
	.setattr	= shmem_setattr,
	.listxattr	= shmem_listxattr,
};

static const struct inode_operations shmem_symlink_inode_operations = {
	.get_link	= simple_get_link,
	.listxattr	= shmem_listxattr,
};

static const struct inode_operations shmem_special_inode_operations = {
	.setattr	= shmem_setattr,
	.listxattr	= shmem_listxattr,
};

/* ---- mounts ---- */

struct shmem_options {
	unsigned long	blocks, inodes;
	umode_t		mode;
	kuid_t		uid;
	kgid_t		gid;
	bool		seen_blocks, seen_inodes, seen_mode, seen_uid, seen_gid;
};

/* "64k", "1G", "50%" (of memory): pages.  0 or -EINVAL. */
static int parse_size(const char *text, unsigned long *pages)
{
	char *end;
	u64 bytes = memparse(text, &end);

	if (*end == '%') {
		bytes = (u64)totalram_pages() * bytes / 100 << PAGE_SHIFT;
		end++;
	}
	if (end == text || *end)
		return -EINVAL;
	*pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	return 0;
}

static int parse_count(const char *text, unsigned long *count)
{
	char *end;

	*count = memparse(text, &end);
	return end == text || *end ? -EINVAL : 0;
}

static int parse_option(struct shmem_options *o, const char *key, const char *value)
{
	unsigned int n;
	int err;

	if (!value)
		return !strcmp(key, "inode32") || !strcmp(key, "inode64") || !strcmp(key, "noswap") ? 0 : -EINVAL;
	if (!strcmp(key, "size")) {
		o->seen_blocks = true;
		return parse_size(value, &o->blocks);
	}
	if (!strcmp(key, "nr_blocks")) {
		o->seen_blocks = true;
		return parse_count(value, &o->blocks);
	}
	if (!strcmp(key, "nr_inodes")) {
		o->seen_inodes = true;
		return parse_count(value, &o->inodes);
	}
	if (!strcmp(key, "huge") || !strcmp(key, "mpol"))
		return 0;			/* hints that change nothing here */
	err = kstrtouint(value, strcmp(key, "mode") ? 0 : 8, &n);
	if (err)
		return -EINVAL;
	if (!strcmp(key, "mode")) {
		o->seen_mode = true;
		o->mode = n & 07777;
	} else if (!strcmp(key, "uid") && n != (unsigned int)-1) {
		o->seen_uid = true;
		o->uid = make_kuid(current_user_ns(), n);
		if (!uid_valid(o->uid))
			return -EINVAL;
	} else if (!strcmp(key, "gid") && n != (unsigned int)-1) {
		o->seen_gid = true;
		o->gid = make_kgid(current_user_ns(), n);
		if (!gid_valid(o->gid))
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* Writes into the text.  0 or -EINVAL. */
static int parse_options(struct shmem_options *o, char *text)
{
	char *key;
	int err;

	while (text && (key = strsep(&text, ","))) {
		char *value = strchr(key, '=');

		if (!*key)
			continue;
		if (value)
			*value++ = 0;
		err = parse_option(o, key, value);
		if (err) {
			pr_err("tmpfs: bad option '%s%s%s'\n", key, value ? "=" : "", value ? value : "");
			return err;
		}
	}
	return 0;
}

/* A limit may be moved, but not below what is in use, and not be set where there was none. */
static int shmem_remount(struct super_block *sb, int *flags, char *data)
{
	struct shmem_sb_info *sbinfo = SHMEM_SB(sb);
	struct shmem_options o = { };
	unsigned long used;
	int err = parse_options(&o, data);

	if (err)
		return err;
	err = -EINVAL;
	spin_lock(&sbinfo->stat_lock);
	used = sbinfo->max_inodes - sbinfo->free_inodes;
	if (o.seen_blocks && o.blocks &&
	    (!sbinfo->max_blocks || (unsigned long)atomic_long_read(&sbinfo->used_blocks) > o.blocks))
		goto out;
	if (o.seen_inodes && o.inodes && (!sbinfo->max_inodes || used > o.inodes))
		goto out;
	if (o.seen_blocks)
		sbinfo->max_blocks = o.blocks;
	if (o.seen_inodes) {
		sbinfo->max_inodes = o.inodes;
		sbinfo->free_inodes = o.inodes ? o.inodes - used : 0;
	}
	err = 0;
out:
	spin_unlock(&sbinfo->stat_lock);
	return err;
}

static int shmem_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct shmem_sb_info *sbinfo = SHMEM_SB(dentry->d_sb);

	buf->f_type = TMPFS_MAGIC;
	buf->f_bsize = PAGE_SIZE;
	buf->f_namelen = NAME_LEN;
	if (sbinfo->max_blocks) {
		long used = atomic_long_read(&sbinfo->used_blocks);

		buf->f_blocks = sbinfo->max_blocks;
		buf->f_bfree = buf->f_bavail = used < (long)sbinfo->max_blocks ? sbinfo->max_blocks - used : 0;
	}
	if (sbinfo->max_inodes) {
		buf->f_files = sbinfo->max_inodes;
		buf->f_ffree = sbinfo->free_inodes;
	}
	buf->f_fsid = u64_to_fsid(dentry->d_sb->s_dev);
	return 0;
}

static unsigned long default_limit(void)
{
	return totalram_pages() / 2;
}

static int shmem_show_options(struct seq_file *m, struct dentry *root)
{
	struct shmem_sb_info *sbinfo = SHMEM_SB(root->d_sb);

	if (sbinfo->max_blocks && sbinfo->max_blocks != default_limit())
		seq_printf(m, ",size=%luk", sbinfo->max_blocks << (PAGE_SHIFT - 10));
	if (sbinfo->max_inodes && sbinfo->max_inodes != default_limit())
		seq_printf(m, ",nr_inodes=%lu", sbinfo->max_inodes);
	if (sbinfo->mode != 01777)
		seq_printf(m, ",mode=%03ho", sbinfo->mode);
	if (sbinfo->uid)
		seq_printf(m, ",uid=%u", from_kuid_munged(seq_user_ns(m), sbinfo->uid));
	if (sbinfo->gid)
		seq_printf(m, ",gid=%u", from_kgid_munged(seq_user_ns(m), sbinfo->gid));
	return 0;
}

static void shmem_put_super(struct super_block *sb)
{
	kfree(sb->s_fs_info);
	sb->s_fs_info = NULL;
}

static struct inode *shmem_inode_by_handle(struct super_block *sb, u64 ino, u32 generation)
{
	struct inode *inode = ilookup(sb, ino);

	if (inode && inode->i_generation == generation && inode->i_nlink)
		return inode;
	iput(inode);
	return ERR_PTR(-ESTALE);
}

static const struct super_operations shmem_ops = {
	.alloc_inode	= shmem_alloc_inode,
	.free_inode	= shmem_free_inode,
	.drop_inode	= generic_delete_inode,
	.evict_inode	= shmem_evict_inode,
	.put_super	= shmem_put_super,
	.statfs		= shmem_statfs,
	.remount_fs	= shmem_remount,
	.show_options	= shmem_show_options,
	.inode_by_handle = shmem_inode_by_handle,
};

/* Limits and the root's attributes: by option, or half of memory; the kernel's own mount has no limits. */
static struct shmem_sb_info *make_sb_info(struct super_block *sb, char *data)
{
	unsigned long limit = (sb->s_flags & SB_KERNMOUNT) ? 0 : default_limit();
	struct shmem_options o = {
		.blocks = limit, .inodes = limit, .mode = 01777, .uid = current_fsuid(), .gid = current_fsgid(),
	};
	struct shmem_sb_info *sbinfo;
	int err = parse_options(&o, data);

	if (err)
		return ERR_PTR(err);
	sbinfo = kzalloc(sizeof(*sbinfo), GFP_KERNEL);
	if (!sbinfo)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&sbinfo->stat_lock);
	sbinfo->max_blocks = o.blocks;
	sbinfo->max_inodes = sbinfo->free_inodes = o.inodes;
	sbinfo->mode = o.mode;
	sbinfo->uid = o.uid;
	sbinfo->gid = o.gid;
	return sbinfo;
}

/* On error the VFS shuts the super block down, which calls put_super only if there is a root. */
int shmem_fill_super(struct super_block *sb, void *data, int silent)
{
	struct shmem_sb_info *sbinfo = make_sb_info(sb, data);
	struct inode *inode;

	if (IS_ERR(sbinfo))
		return PTR_ERR(sbinfo);
	sb->s_fs_info = sbinfo;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = TMPFS_MAGIC;
	sb->s_op = &shmem_ops;
	sb->s_time_gran = 1;
	sb->s_xattr = shmem_xattr_handlers;

	inode = shmem_get_inode(sb, NULL, S_IFDIR | sbinfo->mode, 0, VM_NORESERVE);
	if (IS_ERR(inode)) {
		shmem_put_super(sb);
		return PTR_ERR(inode);
	}
	inode->i_uid = sbinfo->uid;
	inode->i_gid = sbinfo->gid;
	sb->s_root = d_make_root(inode);
	if (!sb->s_root) {
		shmem_put_super(sb);
		return -ENOMEM;
	}
	return 0;
}

static struct dentry *shmem_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_nodev(type, flags, data, shmem_fill_super);
}

struct file_system_type shmem_fs_type = {
	.name = "tmpfs", .mount = shmem_mount, .kill_sb = kill_litter_super, .fs_flags = FS_USERNS_MOUNT,
};
/* The first file system of all, into which the initramfs is unpacked. */
struct file_system_type rootfs_fs_type_shmem = {
	.name = "rootfs", .mount = shmem_mount, .kill_sb = kill_litter_super,
};

int __init shmem_init(void)
{
	int err;

	shmem_inode_cachep = kmem_cache_create("shmem_inode_cache", sizeof(struct shmem_inode_info), 0, SLAB_PANIC,
					       shmem_init_once);
	err = register_filesystem(&shmem_fs_type);
	if (err)
		return err;
	shm_mnt = kern_mount(&shmem_fs_type);
	return PTR_ERR_OR_ZERO(shm_mnt);
}

/* ---- files without a name ---- */

static struct file *setup_file(const char *name, loff_t size, unsigned long flags, unsigned int i_flags)
{
	struct inode *inode;
	struct file *file;

	if (size < 0 || size > MAX_LFS_FILESIZE)
		return ERR_PTR(-EINVAL);
	if (shmem_acct_size(flags, size))
		return ERR_PTR(-ENOMEM);
	inode = shmem_get_inode(shm_mnt->mnt_sb, NULL, S_IFREG | 0777, 0, flags);
	if (IS_ERR(inode)) {
		shmem_unacct_size(flags, size);
		return ERR_CAST(inode);
	}
	inode->i_flags |= i_flags;
	inode->i_size = size;			/* from here on the inode gives the promise back */
	clear_nlink(inode);
	file = alloc_file_pseudo(inode, shm_mnt, name, O_RDWR, &shmem_file_operations);
	if (IS_ERR(file))
		iput(inode);
	return file;
}

struct file *shmem_file_setup(const char *name, loff_t size, unsigned long flags)
{
	return setup_file(name, size, flags, 0);
}

/* The same, of which no security policy has an opinion. */
struct file *shmem_kernel_file_setup(const char *name, loff_t size, unsigned long flags)
{
	return setup_file(name, size, flags, S_PRIVATE);
}
