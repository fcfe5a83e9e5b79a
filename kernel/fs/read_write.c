/*
 * read_write.c: read(2), write(2), lseek(2) and their relatives.
 *
 * Idea:    every call becomes an iov_iter and a kiocb; the file's read_iter or write_iter does the rest.  The position is
 *          taken from the file under f_pos_lock (fdget_pos) unless the call brings one or the file has none.
 * See:     read(2), preadv2(2), lseek(2); doc/files.md
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/uio.h>
#include <weft/mount.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/resource.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include <weft/fsnotify.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include "internal.h"

const struct file_operations generic_ro_fops = {
	.llseek = generic_file_llseek, .read_iter = generic_file_read_iter, .mmap = generic_file_readonly_mmap,
};

/* ---- seeking ---- */

static inline bool unsigned_offsets(struct file *file)
{
	return file->f_mode & FMODE_UNSIGNED_OFFSET;
}

loff_t vfs_setpos(struct file *file, loff_t offset, loff_t maxsize)
{
	if ((offset < 0 && !unsigned_offsets(file)) || offset > maxsize)
		return -EINVAL;
	if (offset != file->f_pos) {
		file->f_pos = offset;
		file->f_version = 0;
	}
	return offset;
}

loff_t generic_file_llseek_size(struct file *file, loff_t offset, int whence, loff_t maxsize, loff_t eof)
{
	switch (whence) {
	case SEEK_END:
		offset += eof;
		break;
	case SEEK_CUR:
		/* A mere question must not change what another thread just set: f_pos is read once. */
		if (offset == 0)
			return file->f_pos;
		spin_lock(&file->f_lock);
		offset = vfs_setpos(file, file->f_pos + offset, maxsize);
		spin_unlock(&file->f_lock);
		return offset;
	case SEEK_DATA:
		if ((u64)offset >= (u64)eof)
			return -ENXIO;
		break;		/* all of it is data */
	case SEEK_HOLE:
		if ((u64)offset >= (u64)eof)
			return -ENXIO;
		offset = eof;
		break;
	}
	return vfs_setpos(file, offset, maxsize);
}

loff_t generic_file_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file->f_mapping->host;

	return generic_file_llseek_size(file, offset, whence, inode->i_sb->s_maxbytes, i_size_read(inode));
}

loff_t fixed_size_llseek(struct file *file, loff_t offset, int whence, loff_t size)
{
	if (whence > SEEK_END)
		return -EINVAL;
	return generic_file_llseek_size(file, offset, whence, size, size);
}

loff_t no_llseek(struct file *file, loff_t offset, int whence)
{
	return -ESPIPE;
}

loff_t noop_llseek(struct file *file, loff_t offset, int whence)
{
	return file->f_pos;
}

loff_t default_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t res;

	inode_lock(inode);
	res = generic_file_llseek_size(file, offset, whence, MAX_LFS_FILESIZE, i_size_read(inode));
	inode_unlock(inode);
	return res;
}

loff_t vfs_llseek(struct file *file, loff_t offset, int whence)
{
	if (!(file->f_mode & FMODE_LSEEK))
		return -ESPIPE;
	return file->f_op->llseek(file, offset, whence);
}

long sys_lseek(unsigned int fd, off_t offset, unsigned int whence)
{
	struct fd f = fdget_pos(fd);
	loff_t res = -EINVAL;

	if (!f.file)
		return -EBADF;
	if (whence <= SEEK_MAX)
		res = vfs_llseek(f.file, offset, whence);
	fdput_pos(f);
	return res;
}

/* ---- checks ---- */

/* 0, or -EINVAL, -EOVERFLOW: does [*ppos, +count) make sense? */
int rw_verify_area(int read_write, struct file *file, const loff_t *ppos, size_t count)
{
	if (unlikely((ssize_t)count < 0))
		return -EINVAL;
	if (ppos) {
		loff_t pos = *ppos;

		if (unlikely(pos < 0)) {
			if (!unsigned_offsets(file))
				return -EINVAL;
			if (count >= (size_t)-pos)	/* wraps around */
				return -EOVERFLOW;
		} else if (unlikely((loff_t)(pos + count) < 0) && !unsigned_offsets(file)) {
			return -EINVAL;
		}
	}
	return 0;
}

static inline int read_allowed(const struct file *file)
{
	if (unlikely(!(file->f_mode & FMODE_CAN_READ)))
		return file->f_mode & FMODE_READ ? -EINVAL : -EBADF;
	return 0;
}

static inline int write_allowed(const struct file *file)
{
	if (unlikely(!(file->f_mode & FMODE_CAN_WRITE)))
		return file->f_mode & FMODE_WRITE ? -EINVAL : -EBADF;
	return 0;
}

/* How much may be written at ki_pos; RLIMIT_FSIZE and the file system's limit cut it. */
ssize_t generic_write_checks(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file->f_mapping->host;
	unsigned long limit = rlimit(RLIMIT_FSIZE);
	loff_t max;

	if (IS_SWAPFILE(inode))
		return -ETXTBSY;
	if (!iov_iter_count(from))
		return 0;
	if (iocb->ki_flags & IOCB_APPEND)
		iocb->ki_pos = i_size_read(inode);
	if (iocb->ki_flags & IOCB_NOWAIT && !(iocb->ki_flags & IOCB_DIRECT) && !(file->f_mode & FMODE_BUF_WASYNC))
		return -EINVAL;
	if (limit != RLIM_INFINITY) {
		if ((unsigned long)iocb->ki_pos >= limit) {
			send_sig(SIGXFSZ, current, 0);
			return -EFBIG;
		}
		iov_iter_truncate(from, limit - iocb->ki_pos);
	}
	max = inode->i_sb->s_maxbytes;
	if (unlikely(iocb->ki_pos >= max))
		return -EFBIG;
	iov_iter_truncate(from, max - iocb->ki_pos);
	return iov_iter_count(from);
}

/* ---- the two operations, on an iterator.  *ppos NULL: the file has no position ---- */

/* The file's own operation; no checks. */
static ssize_t call_iter_op(struct kiocb *iocb, struct iov_iter *iter, int type)
{
	if (type == ITER_DEST)
		return iocb->ki_filp->f_op->read_iter(iocb, iter);
	iocb->ki_flags |= IOCB_WRITE;
	return iocb->ki_filp->f_op->write_iter(iocb, iter);
}

static ssize_t do_iter_op(struct file *file, struct iov_iter *iter, loff_t *ppos, int type, int extra_flags)
{
	struct kiocb kiocb;
	ssize_t ret;

	init_sync_kiocb(&kiocb, file);
	kiocb.ki_flags |= extra_flags;
	kiocb.ki_pos = ppos ? *ppos : 0;
	ret = call_iter_op(&kiocb, iter, type);
	if (ppos)
		*ppos = kiocb.ki_pos;
	return ret;
}

/* Rights, position and length.  > 0: go on; else that is the answer. */
static ssize_t check_iter(struct file *file, struct iov_iter *iter, loff_t *pos, int type)
{
	ssize_t ret = type == ITER_DEST ? read_allowed(file) : write_allowed(file);

	if (ret)
		return ret;
	if (!iov_iter_count(iter))
		return 0;
	ret = rw_verify_area(type, file, pos, iov_iter_count(iter));
	return ret ? ret : 1;
}

static void notify_rw(struct file *file, int type)
{
	if (type == ITER_DEST)
		fsnotify_access(file);
	else
		fsnotify_modify(file);
}

static ssize_t do_iter(struct file *file, struct iov_iter *iter, loff_t *pos, int type, int flags)
{
	ssize_t ret = check_iter(file, iter, pos, type);

	if (ret <= 0)
		return ret;
	ret = do_iter_op(file, iter, pos, type, flags);
	if (ret > 0)
		notify_rw(file, type);
	return ret;
}

/* With a kiocb of the caller's: -EIOCBQUEUED, it is under way. */
ssize_t vfs_iocb_iter(struct kiocb *iocb, struct iov_iter *iter, int type)
{
	struct file *file = iocb->ki_filp;
	ssize_t ret = check_iter(file, iter, file->f_mode & FMODE_STREAM ? NULL : &iocb->ki_pos, type);

	if (ret <= 0)
		return ret;
	ret = call_iter_op(iocb, iter, type);
	if (ret > 0 || ret == -EIOCBQUEUED)
		notify_rw(file, type);
	return ret;
}

ssize_t vfs_iter_read(struct file *file, struct iov_iter *iter, loff_t *ppos, int flags)
{
	return do_iter(file, iter, ppos, ITER_DEST, flags);
}

ssize_t vfs_iter_write(struct file *file, struct iov_iter *iter, loff_t *ppos, int flags)
{
	return do_iter(file, iter, ppos, ITER_SOURCE, flags);
}

ssize_t vfs_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct iov_iter iter;
	ssize_t ret = read_allowed(file);

	if (ret)
		return ret;
	if (unlikely(!access_ok(buf, count)))
		return -EFAULT;
	ret = rw_verify_area(ITER_DEST, file, pos, count);
	if (ret)
		return ret;
	iov_iter_ubuf(&iter, ITER_DEST, buf, min(count, (size_t)MAX_RW_COUNT));
	ret = do_iter_op(file, &iter, pos, ITER_DEST, 0);
	if (ret > 0)
		fsnotify_access(file);
	return ret;
}

ssize_t vfs_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct iov_iter iter;
	ssize_t ret = write_allowed(file);

	if (ret)
		return ret;
	if (unlikely(!access_ok(buf, count)))
		return -EFAULT;
	ret = rw_verify_area(ITER_SOURCE, file, pos, count);
	if (ret)
		return ret;
	iov_iter_ubuf(&iter, ITER_SOURCE, (void __user *)buf, min(count, (size_t)MAX_RW_COUNT));
	ret = do_iter_op(file, &iter, pos, ITER_SOURCE, 0);
	if (ret > 0)
		fsnotify_modify(file);
	return ret;
}

ssize_t kernel_read(struct file *file, void *buf, size_t count, loff_t *pos)
{
	struct kvec vec = { .iov_base = buf, .iov_len = min(count, (size_t)MAX_RW_COUNT) };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, vec.iov_len);
	return do_iter(file, &iter, pos, ITER_DEST, 0);
}

ssize_t kernel_write(struct file *file, const void *buf, size_t count, loff_t *pos)
{
	struct kvec vec = { .iov_base = (void *)buf, .iov_len = min(count, (size_t)MAX_RW_COUNT) };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	return do_iter(file, &iter, pos, ITER_SOURCE, 0);
}

/* ---- read(2), write(2) ---- */

static inline loff_t *file_ppos(struct file *file)
{
	return file->f_mode & FMODE_STREAM ? NULL : &file->f_pos;
}

ssize_t ksys_read(unsigned int fd, char __user *buf, size_t count)
{
	struct fd f = fdget_pos(fd);
	loff_t pos, *ppos;
	ssize_t ret;

	if (unlikely(!f.file))
		return -EBADF;
	ppos = file_ppos(f.file);
	if (ppos) {
		pos = *ppos;
		ppos = &pos;
	}
	ret = vfs_read(f.file, buf, count, ppos);
	if (ret >= 0 && ppos)
		f.file->f_pos = pos;
	fdput_pos(f);
	return ret;
}

ssize_t ksys_write(unsigned int fd, const char __user *buf, size_t count)
{
	struct fd f = fdget_pos(fd);
	loff_t pos, *ppos;
	ssize_t ret;

	if (unlikely(!f.file))
		return -EBADF;
	ppos = file_ppos(f.file);
	if (ppos) {
		pos = *ppos;
		ppos = &pos;
	}
	ret = vfs_write(f.file, buf, count, ppos);
	if (ret >= 0 && ppos)
		f.file->f_pos = pos;
	fdput_pos(f);
	return ret;
}

long sys_read(unsigned int fd, char __user *buf, size_t count)
{
	return ksys_read(fd, buf, count);
}

long sys_write(unsigned int fd, const char __user *buf, size_t count)
{
	return ksys_write(fd, buf, count);
}

long sys_pread64(unsigned int fd, char __user *buf, size_t count, loff_t pos)
{
	struct fd f;
	ssize_t ret = -ESPIPE;

	if (pos < 0)
		return -EINVAL;
	f = fdget(fd);
	if (!f.file)
		return -EBADF;
	if (f.file->f_mode & FMODE_PREAD)
		ret = vfs_read(f.file, buf, count, &pos);
	fdput(f);
	return ret;
}

long sys_pwrite64(unsigned int fd, const char __user *buf, size_t count, loff_t pos)
{
	struct fd f;
	ssize_t ret = -ESPIPE;

	if (pos < 0)
		return -EINVAL;
	f = fdget(fd);
	if (!f.file)
		return -EBADF;
	if (f.file->f_mode & FMODE_PWRITE)
		ret = vfs_write(f.file, buf, count, &pos);
	fdput(f);
	return ret;
}

/* ---- readv(2) and all the others with several buffers ---- */

/* The RWF_* of preadv2() as IOCB_*; -EOPNOTSUPP for what is unknown or impossible. */
static int rwf_to_iocb(const struct file *file, int flags)
{
	if (likely(!flags))
		return 0;
	if (flags & ~RWF_SUPPORTED || (flags & RWF_NOWAIT && !(file->f_mode & FMODE_NOWAIT)))
		return -EOPNOTSUPP;
	return flags & RWF_SYNC ? flags | RWF_DSYNC : flags;
}

static ssize_t vfs_rwv(struct file *file, int type, const struct iovec __user *vec, unsigned long vlen, loff_t *pos, int flags)
{
	struct iovec stack[UIO_FASTIOV], *iov = stack;
	struct iov_iter iter;
	ssize_t ret = rwf_to_iocb(file, flags);
	int iocb_extra = ret;

	if (ret < 0)
		return ret;
	if (vlen > UIO_MAXIOV)
		return -EINVAL;
	ret = import_iovec(type, vec, vlen, ARRAY_SIZE(stack), &iov, &iter);
	if (ret < 0)
		return ret;
	ret = do_iter(file, &iter, pos, type, iocb_extra);
	kfree(iov);
	return ret;
}

static ssize_t do_rwv(unsigned long fd, int type, const struct iovec __user *vec, unsigned long vlen, int flags)
{
	struct fd f = fdget_pos(fd);
	loff_t pos, *ppos;
	ssize_t ret;

	if (!f.file)
		return -EBADF;
	ppos = file_ppos(f.file);
	if (ppos) {
		pos = *ppos;
		ppos = &pos;
	}
	ret = vfs_rwv(f.file, type, vec, vlen, ppos, flags);
	if (ret >= 0 && ppos)
		f.file->f_pos = pos;
	fdput_pos(f);
	return ret;
}

static ssize_t do_prwv(unsigned long fd, int type, const struct iovec __user *vec, unsigned long vlen, loff_t pos, int flags)
{
	struct fd f;
	ssize_t ret = -ESPIPE;

	if (pos < 0)
		return -EINVAL;
	f = fdget(fd);
	if (!f.file)
		return -EBADF;
	if (f.file->f_mode & (type == ITER_DEST ? FMODE_PREAD : FMODE_PWRITE))
		ret = vfs_rwv(f.file, type, vec, vlen, &pos, flags);
	fdput(f);
	return ret;
}

long sys_readv(unsigned long fd, const struct iovec __user *vec, unsigned long vlen)
{
	return do_rwv(fd, ITER_DEST, vec, vlen, 0);
}

long sys_writev(unsigned long fd, const struct iovec __user *vec, unsigned long vlen)
{
	return do_rwv(fd, ITER_SOURCE, vec, vlen, 0);
}

/* On 64 bits the low half of the position holds all of it. */
long sys_preadv(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h)
{
	return do_prwv(fd, ITER_DEST, vec, vlen, pos_l, 0);
}

long sys_pwritev(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h)
{
	return do_prwv(fd, ITER_SOURCE, vec, vlen, pos_l, 0);
}

long sys_preadv2(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h,
		 int flags)
{
	if ((loff_t)pos_l == -1)
		return do_rwv(fd, ITER_DEST, vec, vlen, flags);
	return do_prwv(fd, ITER_DEST, vec, vlen, pos_l, flags);
}

long sys_pwritev2(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, unsigned long pos_l,
		  unsigned long pos_h, int flags)
{
	if ((loff_t)pos_l == -1)
		return do_rwv(fd, ITER_SOURCE, vec, vlen, flags);
	return do_prwv(fd, ITER_SOURCE, vec, vlen, pos_l, flags);
}
