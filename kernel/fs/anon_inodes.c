/*
 * anon_inodes.c: files that need no name and no inode of their own: epoll, eventfd, timerfd, signalfd, pidfd ...
 *
 * Idea:    all of them share one inode of a file system that is never in the tree; what makes them different is f_op and
 *          private_data.  /proc/PID/fd shows "anon_inode:NAME".
 * See:     spec.md §10
 */
#include <weft/anon_inodes.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/mount.h>
#include <weft/dcache.h>
#include <weft/magic.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/kernel.h>

static struct vfsmount *anon_inode_mnt;		/* [I] */
static struct inode *anon_inode_inode;		/* [I] */

static char *anon_inodefs_dname(struct dentry *dentry, char *buffer, int buflen)
{
	return dynamic_dname(buffer, buflen, "anon_inode:%s", dentry->d_name.name);
}

static const struct dentry_operations anon_inodefs_dentry_operations = {
	.d_dname = anon_inodefs_dname,
};

static struct dentry *anon_inodefs_mount(struct file_system_type *type, int flags, const char *name, void *data)
{
	return mount_pseudo(type, "anon_inode:", NULL, &anon_inodefs_dentry_operations, ANON_INODE_FS_MAGIC);
}

static struct file_system_type anon_inode_fs_type = {
	.name		= "anon_inodefs",
	.mount		= anon_inodefs_mount,
	.kill_sb	= kill_anon_super,
};

struct file *anon_inode_getfile(const char *name, const struct file_operations *fops, void *priv, int flags)
{
	struct file *file;

	ihold(anon_inode_inode);
	file = alloc_file_pseudo(anon_inode_inode, anon_inode_mnt, name, flags & (O_ACCMODE | O_NONBLOCK), fops);
	if (IS_ERR(file)) {
		iput(anon_inode_inode);
		return file;
	}
	file->f_mapping = anon_inode_inode->i_mapping;
	file->private_data = priv;
	return file;
}

int anon_inode_getfd(const char *name, const struct file_operations *fops, void *priv, int flags)
{
	struct file *file;
	int fd = get_unused_fd_flags(flags);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, priv, flags);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static int __init anon_inode_init(void)
{
	anon_inode_mnt = kern_mount(&anon_inode_fs_type);
	if (IS_ERR(anon_inode_mnt))
		return PTR_ERR(anon_inode_mnt);
	anon_inode_inode = alloc_anon_inode(anon_inode_mnt->mnt_sb);
	return PTR_ERR_OR_ZERO(anon_inode_inode);
}
fs_initcall(anon_inode_init);
