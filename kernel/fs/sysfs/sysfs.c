/*
 * sysfs.c: /sys: one value a file.
 *
 * Idea:    the tree is the dentry cache itself: each folder and file is a dentry that is pinned when it is made, until it is
 *          removed (only partitions are).  A file's inode points to its sysfs_node: the two functions and the datum.
 *          The file system is mounted once by the kernel; mount(2) shows the same tree again.
 * Locking: making entries is serialised by the folder's i_rwsem; an entry is complete before its dentry is hashed.
 * See:     include/weft/sysfs.h; who fills it: cpu.c, the drivers
 */
#include <weft/kernel.h>
#include <asm/page.h>
#include <weft/init.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/stdarg.h>
#include <weft/fs.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/magic.h>
#include <weft/uio.h>
#include <weft/sysfs.h>

struct sysfs_node {
	const struct sysfs_attr	*attr;
	void			*data;
};

static struct vfsmount *sysfs_mnt;

int sysfs_emit(char *buf, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vscnprintf(buf, PAGE_SIZE, fmt, ap);
	va_end(ap);
	return n;
}

static ssize_t sysfs_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct sysfs_node *node = file_inode(iocb->ki_filp)->i_private;
	char *buf;
	ssize_t n;

	if (!node->attr->show)
		return -EIO;
	buf = (char *)__get_free_page(GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	n = node->attr->show(node->data, buf);
	if (n > iocb->ki_pos) {
		size_t want = min((size_t)(n - iocb->ki_pos), iov_iter_count(to));

		n = copy_to_iter(buf + iocb->ki_pos, want, to);
		iocb->ki_pos += n;
		if (!n && want)
			n = -EFAULT;
	} else if (n > 0) {
		n = 0;
	}
	free_page((unsigned long)buf);
	return n;
}

static ssize_t sysfs_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct sysfs_node *node = file_inode(iocb->ki_filp)->i_private;
	size_t len = iov_iter_count(from);
	char *buf;
	ssize_t n = -EFAULT;

	if (!node->attr->store)
		return -EIO;
	if (len >= PAGE_SIZE)
		return -EINVAL;
	buf = (char *)__get_free_page(GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	if (copy_from_iter(buf, len, from) == len) {
		buf[len] = 0;
		n = node->attr->store(node->data, buf, len);
	}
	free_page((unsigned long)buf);
	return n;
}

static const struct file_operations sysfs_file_operations = {
	.read_iter = sysfs_read, .write_iter = sysfs_write, .llseek = default_llseek,
};
static void sysfs_free_inode(struct inode *inode)
{
	kfree(inode->i_private);
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	free_inode_nonrcu(inode);
}

static const struct super_operations sysfs_ops = {
	.statfs = simple_statfs, .drop_inode = generic_delete_inode, .free_inode = sysfs_free_inode,
};
static const struct inode_operations sysfs_file_inode_operations = { .setattr = simple_setattr };

static struct inode *sysfs_inode(struct super_block *sb, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = mode;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	if (S_ISDIR(mode)) {
		inode->i_op = &simple_dir_inode_operations;
		inode->i_fop = &simple_dir_operations;
		set_nlink(inode, 2);
	}
	return inode;
}

static int sysfs_fill_super(struct super_block *sb, void *data, int silent)
{
	struct inode *root;

	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = SYSFS_MAGIC;
	sb->s_op = &sysfs_ops;
	sb->s_time_gran = 1;
	sb->s_iflags |= SB_I_USERNS_VISIBLE;
	root = sysfs_inode(sb, S_IFDIR | 0755);
	if (!root)
		return -ENOMEM;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static struct dentry *sysfs_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_single(type, flags, data, sysfs_fill_super);
}

static struct file_system_type sysfs_fs_type = {
	.name = "sysfs", .mount = sysfs_mount, .kill_sb = kill_litter_super, .fs_flags = FS_USERNS_MOUNT,
};

static struct dentry *dir_or_root(struct dentry *dir)
{
	return dir ? dir : sysfs_mnt->mnt_root;
}

/* Hashes a new name with its inode, or finds the one that is there.  Consumes the inode. */
static struct dentry *add_entry(struct dentry *dir, const char *name, int len, struct inode *inode)
{
	struct inode *parent = d_inode(dir);
	struct dentry *dentry;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode_lock(parent);
	dentry = lookup_one_len(name, dir, len);
	if (IS_ERR(dentry)) {
		iput(inode);
	} else if (d_really_is_positive(dentry)) {
		iput(inode);
		dput(dentry);		/* it is pinned already */
	} else {
		d_instantiate(dentry, inode);
		if (S_ISDIR(inode->i_mode))
			inc_nlink(parent);
		/* the reference of lookup_one_len pins it for good */
	}
	inode_unlock(parent);
	return dentry;
}

struct dentry *sysfs_mkdir(struct dentry *parent, const char *path)
{
	struct dentry *dir = dir_or_root(parent);

	while (*path && !IS_ERR(dir)) {
		int len = strchrnul(path, '/') - path;

		dir = add_entry(dir, path, len, sysfs_inode(dir->d_sb, S_IFDIR | 0755));
		path += len + (path[len] == '/');
	}
	return dir;
}

int sysfs_create_file(struct dentry *dir, const struct sysfs_attr *attr, void *data)
{
	struct sysfs_node *node = kmalloc(sizeof(*node), GFP_KERNEL);
	struct dentry *dentry;
	struct inode *inode;

	if (!node)
		return -ENOMEM;
	dir = dir_or_root(dir);
	*node = (struct sysfs_node){ .attr = attr, .data = data };
	inode = sysfs_inode(dir->d_sb, S_IFREG | (attr->mode ? attr->mode : 0444));
	if (!inode) {
		kfree(node);
		return -ENOMEM;
	}
	inode->i_op = &sysfs_file_inode_operations;
	inode->i_fop = &sysfs_file_operations;
	inode->i_private = node;
	inode->i_size = PAGE_SIZE;
	dentry = add_entry(dir, attr->name, strlen(attr->name), inode);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);		/* the node went with the inode */
	return d_inode(dentry) == inode ? 0 : -EEXIST;
}

int sysfs_create_files(struct dentry *dir, const struct sysfs_attr *attrs, void *data)
{
	for (; attrs->name; attrs++) {
		int err = sysfs_create_file(dir, attrs, data);

		if (err)
			return err;
	}
	return 0;
}

int sysfs_create_link(struct dentry *dir, const char *name, const char *target)
{
	char *copy = kstrdup(target, GFP_KERNEL);
	struct inode *inode;

	if (!copy)
		return -ENOMEM;
	dir = dir_or_root(dir);
	inode = sysfs_inode(dir->d_sb, S_IFLNK | 0777);
	if (!inode) {
		kfree(copy);
		return -ENOMEM;
	}
	inode->i_op = &simple_symlink_inode_operations;
	inode->i_link = copy;
	inode->i_size = strlen(copy);
	return PTR_ERR_OR_ZERO(add_entry(dir, name, strlen(name), inode));
}

void sysfs_remove(struct dentry *dir, const char *name)
{
	struct dentry *dentry;
	struct inode *parent;

	dir = dir_or_root(dir);
	parent = d_inode(dir);
	inode_lock(parent);
	dentry = lookup_one_len(name, dir, strlen(name));
	if (IS_ERR(dentry)) {
		inode_unlock(parent);
		return;
	}
	if (d_really_is_positive(dentry)) {
		if (d_is_dir(dentry))
			drop_nlink(parent);
		d_genocide(dentry);		/* the pins below */
		d_invalidate(dentry);
		dput(dentry);			/* its own */
	}
	inode_unlock(parent);
	dput(dentry);
}

static int __init sysfs_init(void)
{
	static const char *const folders[] = { "devices/system", "bus", "class", "block", "fs", "kernel", "firmware", "module",
					       "power", "dev/char", "dev/block", "kernel/tracing", "kernel/debug" };
	int err = register_filesystem(&sysfs_fs_type);

	if (err)
		return err;
	sysfs_mnt = kern_mount(&sysfs_fs_type);
	if (IS_ERR(sysfs_mnt))
		return PTR_ERR(sysfs_mnt);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		sysfs_mkdir(NULL, folders[i]);
	return 0;
}
core_initcall(sysfs_init);
