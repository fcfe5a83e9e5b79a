/*
 * inode.c: procfs's inodes, and how a file of a registered entry reaches its proc_ops.
 *
 * Idea:    an inode is made at look-up and dies with its dentry; what it stands for (a registered entry, or a struct pid)
 *          lives elsewhere.  An entry lives for ever, so the methods below need no lock against its removal.
 * See:     generic.c, base.c
 */
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/slab.h>
#include <weft/fs.h>
#include <weft/poll.h>
#include <weft/statfs.h>
#include <weft/init.h>
#include "internal.h"

static struct kmem_cache *proc_inode_cachep;

static struct inode *proc_alloc_inode(struct super_block *sb)
{
	struct proc_inode *pi = kmem_cache_alloc(proc_inode_cachep, GFP_KERNEL);

	if (!pi)
		return NULL;
	pi->pid = NULL;
	pi->fd = 0;
	pi->thread = false;
	pi->op.get_link = NULL;
	pi->pde = NULL;
	return &pi->vfs_inode;
}

static void proc_free_inode(struct inode *inode)
{
	kmem_cache_free(proc_inode_cachep, PROC_I(inode));
}

static void proc_evict_inode(struct inode *inode)
{
	clear_inode(inode);
	put_pid(PROC_I(inode)->pid);
	PROC_I(inode)->pid = NULL;
}

const struct super_operations proc_sops = {
	.alloc_inode = proc_alloc_inode, .free_inode = proc_free_inode, .evict_inode = proc_evict_inode,
	.drop_inode = generic_delete_inode, .statfs = simple_statfs,
};

static void init_once(void *p)
{
	inode_init_once(&((struct proc_inode *)p)->vfs_inode);
}

void __init proc_init_kmemcache(void)
{
	proc_inode_cachep = kmem_cache_create("proc_inode_cache", sizeof(struct proc_inode), 0,
					       SLAB_RECLAIM_ACCOUNT, init_once);
}

static loff_t proc_reg_llseek(struct file *file, loff_t offset, int whence)
{
	const struct proc_ops *ops = PDE(file_inode(file))->ops;

	return ops->proc_lseek ? ops->proc_lseek(file, offset, whence) : no_llseek(file, offset, whence);
}

static ssize_t proc_reg_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	const struct proc_ops *ops = PDE(file_inode(iocb->ki_filp))->ops;

	return ops->proc_read_iter ? ops->proc_read_iter(iocb, to) : -EIO;
}

static ssize_t proc_reg_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	const struct proc_ops *ops = PDE(file_inode(iocb->ki_filp))->ops;

	return ops->proc_write_iter ? ops->proc_write_iter(iocb, from) : -EIO;
}

static __poll_t proc_reg_poll(struct file *file, struct poll_table_struct *pt)
{
	const struct proc_ops *ops = PDE(file_inode(file))->ops;

	return ops->proc_poll ? ops->proc_poll(file, pt) : DEFAULT_POLLMASK;
}

static long proc_reg_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct proc_ops *ops = PDE(file_inode(file))->ops;

	return ops->proc_ioctl ? ops->proc_ioctl(file, cmd, arg) : -ENOTTY;
}

static int proc_reg_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct proc_ops *ops = PDE(file_inode(file))->ops;

	return ops->proc_mmap ? ops->proc_mmap(file, vma) : -ENODEV;
}

static int proc_reg_open(struct inode *inode, struct file *file)
{
	const struct proc_ops *ops = PDE(inode)->ops;

	return ops->proc_open ? ops->proc_open(inode, file) : 0;
}

static int proc_reg_release(struct inode *inode, struct file *file)
{
	const struct proc_ops *ops = PDE(inode)->ops;

	return ops->proc_release ? ops->proc_release(inode, file) : 0;
}

static const struct file_operations proc_reg_file_ops = {
	.llseek = proc_reg_llseek, .read_iter = proc_reg_read_iter, .write_iter = proc_reg_write_iter,
	.poll = proc_reg_poll, .unlocked_ioctl = proc_reg_ioctl, .mmap = proc_reg_mmap,
	.open = proc_reg_open, .release = proc_reg_release,
};

static struct dentry *proc_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return proc_lookup_de(dir, dentry, PDE(dir));
}

static int proc_readdir(struct file *file, struct dir_context *ctx)
{
	return proc_readdir_de(file, ctx, PDE(file_inode(file)));
}

static const struct file_operations proc_dir_operations = {
	.llseek = generic_file_llseek, .iterate_shared = proc_readdir,
};
static const struct inode_operations proc_dir_inode_operations = { .lookup = proc_lookup };
static const struct inode_operations proc_file_inode_operations = { };

static const char *proc_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	return PDE(inode)->target;
}

static const struct inode_operations proc_link_inode_operations = { .get_link = proc_get_link };

/* A fresh inode for a registered entry.  May sleep; -ENOMEM as ERR_PTR. */
struct inode *proc_get_inode(struct super_block *sb, struct proc_dir_entry *de)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_ino = de->ino;
	inode->i_mode = de->mode;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	PROC_I(inode)->pde = de;
	set_nlink(inode, de->nlink);
	if (S_ISDIR(de->mode)) {
		inode->i_op = &proc_dir_inode_operations;
		inode->i_fop = &proc_dir_operations;
	} else if (S_ISLNK(de->mode)) {
		inode->i_size = strlen(de->target);
		inode->i_op = &proc_link_inode_operations;
	} else {
		inode->i_op = &proc_file_inode_operations;
		inode->i_fop = &proc_reg_file_ops;
	}
	return inode;
}
