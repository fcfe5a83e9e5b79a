/*
 * file.c: open files of an overlay: everything goes to the file behind.
 *
 * Idea:    the real file is opened with the mounter's rights and kept.  Who opened a lower file for reading and reads on after
 *          it was copied up gets the upper one from then on: it is opened at that moment and kept as `later`.
 *          A mapping is the real file's altogether: pages, faults and write-back never see the overlay.
 * Locking: i_rwsem over writes, because set-id bits go and the size changes with them; `later` is set once.
 */
#include <weft/err.h>
#include <weft/file.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/uio.h>
#include "overlayfs.h"

#define SETFL_MASK	(O_APPEND | O_NONBLOCK | O_NDELAY | O_DIRECT | O_NOATIME)	/* what fcntl(F_SETFL) changes */

struct ovl_file {
	struct file	*first;		/* [I] what the opening found */
	struct file	*later;		/* [a] the upper one, if that was a lower one */
};

static struct file *open_real(const struct file *file)
{
	unsigned int flags = (file->f_flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY)) | O_LARGEFILE;
	const struct cred *old = ovl_override_creds(file_inode(file)->i_sb);
	struct path path;
	struct file *real;

	ovl_real_path(file_inode(file), &path);
	real = dentry_open(&path, flags, current_cred());
	revert_creds(old);
	return real;
}

/* The file to work on, borrowed from `file`; ERR_PTR. */
static struct file *real_of(struct file *file)
{
	struct ovl_file *of = file->private_data;
	struct file *real = READ_ONCE(of->later) ?: of->first, *later;

	if (unlikely(file_inode(real) != d_inode(ovl_real(file_inode(file))))) {
		later = open_real(file);
		if (IS_ERR(later))
			return later;
		real = later;
		if (cmpxchg(&of->later, NULL, later)) {
			fput(later);
			real = of->later;	/* somebody was faster */
		}
	}
	if (unlikely((real->f_flags ^ file->f_flags) & SETFL_MASK)) {
		spin_lock(&real->f_lock);
		real->f_flags = (real->f_flags & ~SETFL_MASK) | (file->f_flags & SETFL_MASK);
		spin_unlock(&real->f_lock);
	}
	return real;
}

static int ovl_open(struct inode *inode, struct file *file)
{
	struct ovl_file *of;
	int err = 0;

	if (file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC)
		err = ovl_copy_up(file->f_path.dentry, !(file->f_flags & O_TRUNC));
	if (err)
		return err;
	of = kzalloc(sizeof(*of), GFP_KERNEL);
	if (!of)
		return -ENOMEM;
	of->first = open_real(file);
	if (IS_ERR(of->first)) {
		err = PTR_ERR(of->first);
		kfree(of);
		return err;
	}
	file->private_data = of;
	file->f_mapping = of->first->f_mapping;		/* for advice, and for errors of write-back */
	return 0;
}

static int ovl_release(struct inode *inode, struct file *file)
{
	struct ovl_file *of = file->private_data;

	if (of->later)
		fput(of->later);
	fput(of->first);
	kfree(of);
	return 0;
}

static int ovl_flush(struct file *file, fl_owner_t id)
{
	struct file *real = real_of(file);

	if (IS_ERR(real))
		return PTR_ERR(real);
	return real->f_op->flush ? real->f_op->flush(real, id) : 0;
}

static loff_t ovl_llseek(struct file *file, loff_t offset, int whence)
{
	struct file *real = real_of(file);
	loff_t pos;

	if (IS_ERR(real))
		return PTR_ERR(real);
	if (whence == SEEK_SET || whence == SEEK_CUR)
		return generic_file_llseek_size(file, offset, whence, file_inode(real)->i_sb->s_maxbytes, 0);
	pos = vfs_llseek(real, offset, whence);
	return pos < 0 ? pos : vfs_setpos(file, pos, file_inode(real)->i_sb->s_maxbytes);
}

static int rw_flags(const struct kiocb *iocb)
{
	return iocb->ki_flags & (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND);
}

static ssize_t ovl_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *real = real_of(iocb->ki_filp);

	if (IS_ERR(real))
		return PTR_ERR(real);
	return iov_iter_count(to) ? vfs_iter_read(real, to, &iocb->ki_pos, rw_flags(iocb)) : 0;
}

static ssize_t ovl_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct file *real = real_of(iocb->ki_filp);
	const struct cred *old;
	ssize_t res;

	if (IS_ERR(real))
		return PTR_ERR(real);
	if (!iov_iter_count(from))
		return 0;
	inode_lock(inode);
	ovl_copyattr(inode);
	res = file_remove_privs(iocb->ki_filp);		/* with the writer's rights; the mounter's would keep them */
	if (!res) {
		old = ovl_override_creds(inode->i_sb);
		res = vfs_iter_write(real, from, &iocb->ki_pos, rw_flags(iocb));
		revert_creds(old);
		ovl_copyattr(inode);
	}
	inode_unlock(inode);
	return res;
}

static int ovl_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct file *real = real_of(file);

	if (IS_ERR(real))
		return PTR_ERR(real);
	/* A lower file has nothing to write. */
	return ovl_upper(file_inode(file)) ? vfs_fsync_range(real, start, end, datasync) : 0;
}

/* The area belongs to the real file from here on. */
static int ovl_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct file *real = real_of(file);
	int err;

	if (IS_ERR(real))
		return PTR_ERR(real);
	if (!real->f_op->mmap)
		return -ENODEV;
	vma->vm_file = get_file(real);
	err = real->f_op->mmap(real, vma);
	if (err)
		vma->vm_file = file;
	fput(err ? real : file);
	return err;
}

static long ovl_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct file *real = real_of(file);
	const struct cred *old;
	long err;

	if (IS_ERR(real))
		return PTR_ERR(real);
	inode_lock(inode);
	ovl_copyattr(inode);
	err = file_remove_privs(file);
	if (!err) {
		old = ovl_override_creds(inode->i_sb);
		err = vfs_fallocate(real, mode, offset, len);
		revert_creds(old);
		ovl_copyattr(inode);
	}
	inode_unlock(inode);
	return err;
}

const struct file_operations ovl_file_operations = {
	.open		= ovl_open,
	.release	= ovl_release,
	.flush		= ovl_flush,
	.llseek		= ovl_llseek,
	.read_iter	= ovl_read_iter,
	.write_iter	= ovl_write_iter,
	.fsync		= ovl_fsync,
	.mmap		= ovl_mmap,
	.fallocate	= ovl_fallocate,
};
