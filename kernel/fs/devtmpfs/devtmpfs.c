/*
 * devtmpfs.c: /dev: a tmpfs whose device nodes the kernel makes.
 *
 * Idea:    the kernel mounts one instance for itself at start-up and makes nodes in it as devices appear; mount -t devtmpfs
 *          shows that same instance.  Nodes belong to root until user space changes them, which it may.
 * Locking: ordinary path operations on a private mount, so the VFS's own.
 * See:     include/weft/device.h; drivers/base/core.c
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/shmem_fs.h>
#include <weft/device.h>

static struct vfsmount *dev_mnt;	/* [I] once devtmpfs_init() is through */

/* Unlike a tmpfs of its own, /dev is not for everybody to write to. */
static int devtmpfs_fill_super(struct super_block *sb, void *data, int silent)
{
	char options[] = "mode=755";

	return shmem_fill_super(sb, options, silent);
}

static struct dentry *devtmpfs_mount_fs(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_single(type, flags, data, devtmpfs_fill_super);
}

static struct file_system_type devtmpfs_type = {
	.name = "devtmpfs", .mount = devtmpfs_mount_fs, .kill_sb = kill_litter_super,
};

/* The folder or name `name` of length len in dir, made by mk when it is missing.  A reference, or ERR_PTR. */
static struct dentry *make_entry(struct dentry *dir, const char *name, int len, umode_t mode, dev_t devt)
{
	struct inode *parent = d_inode(dir);
	struct dentry *dentry;
	int err = 0;

	inode_lock(parent);
	dentry = lookup_one_len(name, dir, len);
	if (!IS_ERR(dentry) && d_really_is_negative(dentry)) {
		if (S_ISDIR(mode))
			err = vfs_mkdir(parent, dentry, mode & 07777);
		else
			err = vfs_mknod(parent, dentry, mode, devt);
	}
	inode_unlock(parent);
	if (err) {
		dput(dentry);
		return ERR_PTR(err);
	}
	return dentry;
}

int devtmpfs_create_node(const char *name, umode_t mode, dev_t devt)
{
	struct dentry *dir, *next;
	const char *slash;

	if (!dev_mnt)
		return 0;
	dir = dget(dev_mnt->mnt_root);
	while ((slash = strchr(name, '/'))) {
		next = make_entry(dir, name, slash - name, S_IFDIR | 0755, 0);
		dput(dir);
		if (IS_ERR(next))
			return PTR_ERR(next);
		dir = next;
		name = slash + 1;
	}
	next = make_entry(dir, name, strlen(name), mode, devt);
	dput(dir);
	if (IS_ERR(next))
		return PTR_ERR(next);
	/* The umask of whoever happens to run does not count for what the kernel makes. */
	d_inode(next)->i_mode = mode;
	dput(next);
	return 0;
}

void devtmpfs_delete_node(const char *name)
{
	struct dentry *root, *dentry;

	if (!dev_mnt)
		return;
	root = dev_mnt->mnt_root;
	inode_lock_nested(d_inode(root), I_MUTEX_PARENT);
	dentry = lookup_one_len(name, root, strlen(name));
	if (!IS_ERR(dentry)) {
		if (d_really_is_positive(dentry))
			vfs_unlink(d_inode(root), dentry);
		dput(dentry);
	}
	inode_unlock(d_inode(root));
}

static int create_known(struct device *dev, void *unused)
{
	return devtmpfs_create_node(dev->name, dev->mode, dev->devt);
}

/* The folders that user space mounts on, and the links that programs count on. */
static int __init devtmpfs_init(void)
{
	static const char *const links[][2] = {
		{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" },
	};
	struct dentry *dentry, *root;
	int err = register_filesystem(&devtmpfs_type);

	if (err)
		return err;
	dev_mnt = kern_mount(&devtmpfs_type);
	if (IS_ERR(dev_mnt))
		return PTR_ERR(dev_mnt);
	root = dev_mnt->mnt_root;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		inode_lock(d_inode(root));
		dentry = lookup_one_len(links[i][0], root, strlen(links[i][0]));
		if (!IS_ERR(dentry)) {
			if (d_really_is_negative(dentry))
				vfs_symlink(d_inode(root), dentry, links[i][1]);
			dput(dentry);
		}
		inode_unlock(d_inode(root));
	}
	dput(make_entry(root, "pts", 3, S_IFDIR | 0755, 0));
	dput(make_entry(root, "shm", 3, S_IFDIR | 01777, 0));
	return device_for_each(create_known, NULL);
}
fs_initcall(devtmpfs_init);

/* Mounts /dev for the first program when the root file system has such a folder: it may have no node to talk through. */
int devtmpfs_mount(void)
{
	int err = init_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);

	if (!err)
		printk(KERN_INFO "devtmpfs: mounted on /dev\n");
	return err;
}
