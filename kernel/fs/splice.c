/*
 * splice.c: moving data between files inside the kernel: splice, tee, vmsplice, sendfile, copy_file_range.
 *
 * Idea:    a pipe's slots are pages, so between two pipes they change hands without a copy.  A file is read into fresh pages
 *          that are put into the pipe; pages leave a pipe for a file through its write_iter.  sendfile and copy_file_range
 *          go through a few pages of their own, without a pipe.
 * Locking: pipe->mutex, of two pipes by pipe_double_lock().  The mutex is not held while a file is read (which may be slow):
 *          room is looked for again afterwards; only this caller can be surprised, by getting less room.
 * See:     splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2); pipe.c
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/minmax.h>
#include <weft/mm.h>
#include <weft/pipe_fs_i.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/splice.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/uio.h>

#define BATCH		16			/* pages moved at a time */
#define BATCH_BYTES	(BATCH * PAGE_SIZE)

/* ---- batches of kernel pages ---- */

struct batch {
	struct page	*pages[BATCH];
	struct kvec	vec[BATCH];
	unsigned int	nr;
};

static void free_batch(struct batch *b)
{
	while (b->nr)
		put_page(b->pages[--b->nr]);
}

/* Pages for len bytes, or fewer when memory is short.  -ENOMEM: none at all. */
static int alloc_batch(struct batch *b, size_t len)
{
	b->nr = 0;
	while (b->nr < BATCH && (size_t)b->nr * PAGE_SIZE < len) {
		struct page *page = alloc_page(GFP_USER);

		if (!page)
			break;
		b->pages[b->nr] = page;
		b->vec[b->nr].iov_base = page_address(page);
		b->vec[b->nr].iov_len = PAGE_SIZE;
		b->nr++;
	}
	return b->nr ? 0 : -ENOMEM;
}

static ssize_t read_batch(struct file *in, loff_t *pos, struct batch *b, size_t len)
{
	struct iov_iter iter;

	len = min(len, (size_t)b->nr * PAGE_SIZE);
	iov_iter_kvec(&iter, ITER_DEST, b->vec, b->nr, len);
	return vfs_iter_read(in, &iter, pos, 0);
}

/* All len bytes, unless the file takes no more.  Bytes or -errno. */
static ssize_t write_batch(struct file *out, loff_t *pos, struct batch *b, size_t len)
{
	struct iov_iter iter;
	ssize_t done = 0, n;

	iov_iter_kvec(&iter, ITER_SOURCE, b->vec, b->nr, len);
	while (iov_iter_count(&iter)) {
		n = vfs_iter_write(out, &iter, pos, 0);
		if (n <= 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

/* ---- file to file ---- */

/*
 * Moves up to len bytes from *ppos to *opos, which both move.  What was read but not written is not lost: *ppos tells how
 * far the writing came.  Bytes, 0 at the end of the input, or -errno.
 */
ssize_t do_splice_direct(struct file *in, loff_t *ppos, struct file *out, loff_t *opos, size_t len, unsigned int flags)
{
	struct batch *b;
	ssize_t done = 0, ret;

	if (!(out->f_mode & FMODE_WRITE))
		return -EBADF;
	if (out->f_flags & O_APPEND)
		return -EINVAL;
	if (!len)
		return 0;
	b = kmalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	ret = alloc_batch(b, min(len, BATCH_BYTES));
	while (!ret && len) {
		loff_t from = *ppos;
		ssize_t n = read_batch(in, &from, b, len), m;

		if (n <= 0) {
			ret = n;
			break;
		}
		m = write_batch(out, opos, b, n);
		if (m > 0) {
			*ppos += m;
			done += m;
			len -= m;
		}
		if (m < n) {
			ret = min(m, (ssize_t)0);
			break;
		}
		if (signal_pending(current))
			break;
		cond_resched();
	}
	free_batch(b);
	kfree(b);
	return done ? done : ret;
}

/* sendfile's checks.  The input must have positions; the output may be anything that can be written. */
static ssize_t sendfile_files(struct file *in, loff_t *ppos, struct file *out, size_t count, bool own_pos)
{
	loff_t pos = own_pos ? in->f_pos : *ppos, out_pos = out->f_pos;
	ssize_t ret;

	if (!(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!own_pos && !(in->f_mode & FMODE_PREAD))
		return -ESPIPE;
	if (!S_ISREG(file_inode(in)->i_mode) && !S_ISBLK(file_inode(in)->i_mode) && !(in->f_mode & FMODE_PREAD))
		return -EINVAL;
	ret = rw_verify_area(0, in, &pos, count);
	if (ret >= 0)
		ret = rw_verify_area(1, out, &out_pos, count);
	if (ret < 0)
		return ret;
	count = min_t(size_t, count, MAX_RW_COUNT);
	ret = do_splice_direct(in, &pos, out, &out_pos, count, 0);
	if (ret > 0) {
		*ppos = pos;
		if (own_pos)
			in->f_pos = pos;
		if (!(out->f_mode & FMODE_STREAM))
			out->f_pos = out_pos;
	}
	return ret;
}

/* From *pos on, which moves on; pos NULL: from the file's own position.  Bytes or -errno. */
ssize_t do_sendfile(int out_fd, int in_fd, loff_t *pos, size_t count)
{
	struct fd in = fdget(in_fd), out = fdget(out_fd);
	ssize_t ret = -EBADF;
	loff_t own = 0;

	if (in.file && out.file)
		ret = sendfile_files(in.file, pos ? pos : &own, out.file, count, !pos);
	if (in.file)
		fdput(in);
	if (out.file)
		fdput(out);
	return ret;
}

long sys_sendfile64(int out_fd, int in_fd, loff_t __user *offset, size_t count)
{
	ssize_t ret;
	loff_t pos;

	if (!offset)
		return do_sendfile(out_fd, in_fd, NULL, count);
	if (copy_from_user(&pos, offset, sizeof(pos)))
		return -EFAULT;
	ret = do_sendfile(out_fd, in_fd, &pos, count);
	return ret >= 0 && put_user(pos, offset) ? -EFAULT : ret;
}

/* Regular files only; overlapping ranges of one file are refused.  Bytes or -errno. */
ssize_t vfs_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags)
{
	struct inode *from = file_inode(in), *to = file_inode(out);
	ssize_t ret;

	if (flags)
		return -EINVAL;
	if (S_ISDIR(from->i_mode) || S_ISDIR(to->i_mode))
		return -EISDIR;
	if (!S_ISREG(from->i_mode) || !S_ISREG(to->i_mode))
		return -EINVAL;
	if (!(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE) || (out->f_flags & O_APPEND))
		return -EBADF;
	if (IS_IMMUTABLE(to))
		return -EPERM;
	if (IS_SWAPFILE(from) || IS_SWAPFILE(to))
		return -ETXTBSY;
	if (pos_in < 0 || pos_out < 0)
		return -EINVAL;
	if ((u64)pos_in + len < (u64)pos_in || (u64)pos_out + len > (u64)LLONG_MAX)
		return -EOVERFLOW;
	len = pos_in >= i_size_read(from) ? 0 : min_t(u64, len, i_size_read(from) - pos_in);
	if (from == to && pos_out + len > (u64)pos_in && pos_out < pos_in + (loff_t)len)
		return -EINVAL;
	ret = rw_verify_area(0, in, &pos_in, len);
	if (ret >= 0)
		ret = rw_verify_area(1, out, &pos_out, len);
	if (ret < 0 || !len)
		return min(ret, (ssize_t)0);
	if (out->f_op->copy_file_range && out->f_op->copy_file_range == in->f_op->copy_file_range) {
		ret = out->f_op->copy_file_range(in, pos_in, out, pos_out, len, flags);
		if (ret != -EOPNOTSUPP && ret != -EXDEV)
			return ret;
	}
	return do_splice_direct(in, &pos_in, out, &pos_out, min_t(size_t, len, MAX_RW_COUNT), 0);
}

/* A position from user memory, or the file's own.  0 or -EFAULT. */
static int get_pos(struct file *file, loff_t __user *upos, loff_t *pos)
{
	if (!upos) {
		*pos = file->f_pos;
		return 0;
	}
	return copy_from_user(pos, upos, sizeof(*pos)) ? -EFAULT : 0;
}

static int put_pos(struct file *file, loff_t __user *upos, loff_t pos)
{
	if (upos)
		return copy_to_user(upos, &pos, sizeof(pos)) ? -EFAULT : 0;
	file->f_pos = pos;
	return 0;
}

long sys_copy_file_range(int fd_in, loff_t __user *off_in, int fd_out, loff_t __user *off_out, size_t len,
			 unsigned int flags)
{
	struct fd in = fdget(fd_in), out = fdget(fd_out);
	loff_t pos_in, pos_out;
	ssize_t ret = -EBADF;

	if (!in.file || !out.file)
		goto out;
	ret = get_pos(in.file, off_in, &pos_in);
	if (!ret)
		ret = get_pos(out.file, off_out, &pos_out);
	if (ret)
		goto out;
	ret = vfs_copy_file_range(in.file, pos_in, out.file, pos_out, len, flags);
	if (ret > 0 && (put_pos(in.file, off_in, pos_in + ret) || put_pos(out.file, off_out, pos_out + ret)))
		ret = -EFAULT;
out:
	if (in.file)
		fdput(in);
	if (out.file)
		fdput(out);
	return ret;
}

/* ---- file to pipe ---- */

/* Waits until the pipe has a free slot.  mutex held.  Free slots, or -EAGAIN, -ERESTARTSYS, -EPIPE with SIGPIPE. */
static int wait_for_slots(struct pipe_inode_info *pipe, bool nonblock) __must_hold(&pipe->mutex)
{
	for (;;) {
		if (!pipe->readers) {
			send_sig(SIGPIPE, current, 0);
			return -EPIPE;
		}
		if (!pipe_full(pipe->head, pipe->tail, pipe->max_usage))
			return pipe->max_usage - pipe_occupancy(pipe->head, pipe->tail);
		if (nonblock)
			return -EAGAIN;
		if (signal_pending(current))
			return -ERESTARTSYS;
		pipe_wait_writable(pipe);
	}
}

/* Waits until there is something to take.  mutex held.  1, 0: no writer will come, or -EAGAIN, -ERESTARTSYS. */
static int wait_for_data(struct pipe_inode_info *pipe, bool nonblock) __must_hold(&pipe->mutex)
{
	for (;;) {
		if (!pipe_empty(pipe->head, pipe->tail))
			return 1;
		if (!pipe->writers)
			return 0;
		if (nonblock)
			return -EAGAIN;
		if (signal_pending(current))
			return -ERESTARTSYS;
		pipe_wait_readable(pipe);
	}
}

/* After slots were filled or emptied; the mutex is dropped. */
static void wake_pipe_readers(struct pipe_inode_info *pipe)
{
	wake_up_interruptible_poll(&pipe->rd_wait, EPOLLIN | EPOLLRDNORM);
	kill_fasync(&pipe->fasync_readers, SIGIO, POLL_IN);
}

static void wake_pipe_writers(struct pipe_inode_info *pipe)
{
	wake_up_interruptible_poll(&pipe->wr_wait, EPOLLOUT | EPOLLWRNORM);
	kill_fasync(&pipe->fasync_writers, SIGIO, POLL_OUT);
}

/* Puts a page, whose reference goes with it, into the next free slot. */
static void push_page(struct pipe_inode_info *pipe, struct page *page, unsigned int offset, unsigned int len)
{
	*pipe_buf(pipe, pipe->head) = (struct pipe_buffer){
		.page = page, .offset = offset, .len = len, .ops = &nosteal_pipe_buf_ops,
	};
	WRITE_ONCE(pipe->head, pipe->head + 1);
}

/* Up to len bytes of the batch become slots; the pages that were used leave the batch.  mutex held.  Bytes. */
static size_t push_batch(struct pipe_inode_info *pipe, struct batch *b, size_t len)
{
	unsigned int used = 0;
	size_t done = 0;

	while (done < len && !pipe_full(pipe->head, pipe->tail, pipe->max_usage)) {
		size_t n = min(len - done, PAGE_SIZE);

		push_page(pipe, b->pages[used++], 0, n);
		done += n;
	}
	memmove(b->pages, b->pages + used, (b->nr - used) * sizeof(b->pages[0]));
	b->nr -= used;
	return done;
}

/*
 * Reads from a file into fresh pages and puts them into the pipe.  mutex held on entry and exit, dropped meanwhile: if other
 * writers took room, the position goes back to what found a place.  Bytes, 0 at the end, or -errno.
 */
ssize_t generic_file_splice_read(struct file *in, loff_t *ppos, struct pipe_inode_info *pipe, size_t len, unsigned int flags)
	__must_hold(&pipe->mutex)
{
	size_t room = (size_t)(pipe->max_usage - pipe_occupancy(pipe->head, pipe->tail)) << PAGE_SHIFT, pushed;
	struct batch *b = kmalloc(sizeof(*b), GFP_KERNEL);
	loff_t pos = *ppos;
	ssize_t n;

	if (!b)
		return -ENOMEM;
	len = min3(len, room, (size_t)BATCH_BYTES);
	pipe_unlock(pipe);
	n = alloc_batch(b, len);
	if (!n)
		n = read_batch(in, &pos, b, len);
	pipe_lock(pipe);
	if (n > 0) {
		pushed = push_batch(pipe, b, n);
		*ppos += pushed;
		n = pushed ? (ssize_t)pushed : -EAGAIN;
	}
	free_batch(b);
	kfree(b);
	return n;
}

static ssize_t splice_file_to_pipe(struct file *in, struct pipe_inode_info *pipe, loff_t *pos, size_t len,
				   unsigned int flags)
{
	ssize_t ret;

	if (!in->f_op->read_iter && !in->f_op->splice_read)
		return -EINVAL;
	pipe_lock(pipe);
	ret = wait_for_slots(pipe, flags & SPLICE_F_NONBLOCK);
	if (ret > 0) {
		ret = in->f_op->splice_read ? in->f_op->splice_read(in, pos, pipe, len, flags) :
					      generic_file_splice_read(in, pos, pipe, len, flags);
	}
	pipe_unlock(pipe);
	if (ret > 0)
		wake_pipe_readers(pipe);
	return ret;
}

/* ---- pipe to file ---- */

/* n bytes of the oldest slot are done with. */
static void consume(struct pipe_inode_info *pipe, size_t n)
{
	struct pipe_buffer *buf = pipe_buf(pipe, pipe->tail);

	buf->offset += n;
	buf->len -= n;
	if (!buf->len) {
		pipe_buf_release(pipe, buf);
		WRITE_ONCE(pipe->tail, pipe->tail + 1);
	}
}

/* Writes the oldest slot, at most len bytes.  mutex held.  Bytes or -errno. */
static ssize_t write_slot(struct pipe_inode_info *pipe, struct file *out, loff_t *ppos, size_t len)
{
	struct pipe_buffer *buf = pipe_buf(pipe, pipe->tail);
	struct kvec vec = { .iov_len = min_t(size_t, buf->len, len) };
	struct iov_iter iter;
	ssize_t n = pipe_buf_confirm(pipe, buf);

	if (n)
		return n;
	vec.iov_base = page_address(buf->page) + buf->offset;
	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	n = vfs_iter_write(out, &iter, ppos, 0);
	if (n > 0)
		consume(pipe, n);
	return n;
}

/* Empties the pipe into a file; waits for data only as long as nothing was moved.  Bytes, 0: no writers left, -errno. */
ssize_t iter_file_splice_write(struct pipe_inode_info *pipe, struct file *out, loff_t *ppos, size_t len, unsigned int flags)
{
	ssize_t done = 0, ret = 0;

	pipe_lock(pipe);
	while (len) {
		if (done && pipe_empty(pipe->head, pipe->tail))
			break;
		ret = wait_for_data(pipe, flags & SPLICE_F_NONBLOCK);
		if (ret > 0)
			ret = write_slot(pipe, out, ppos, len);
		if (ret <= 0)
			break;
		done += ret;
		len -= ret;
	}
	pipe_unlock(pipe);
	if (done)
		wake_pipe_writers(pipe);
	return done ? done : ret;
}

static ssize_t splice_pipe_to_file(struct pipe_inode_info *pipe, struct file *out, loff_t *pos, size_t len,
				   unsigned int flags)
{
	if (out->f_flags & O_APPEND)
		return -EINVAL;
	if (!out->f_op->write_iter && !out->f_op->splice_write)
		return -EINVAL;
	if (out->f_op->splice_write)
		return out->f_op->splice_write(pipe, out, pos, len, flags);
	return iter_file_splice_write(pipe, out, pos, len, flags);
}

/* ---- pipe to pipe ---- */

/* One slot, or a part of it, goes over (move) or is shared (tee).  Both mutexes held.  Bytes or -EFAULT. */
static ssize_t pass_slot(struct pipe_inode_info *from, unsigned int slot, struct pipe_inode_info *to, size_t len, bool move)
{
	struct pipe_buffer *ibuf = pipe_buf(from, slot), *obuf = pipe_buf(to, to->head);

	if (move && len >= ibuf->len) {
		*obuf = *ibuf;
		ibuf->ops = NULL;
		WRITE_ONCE(from->tail, from->tail + 1);
	} else {
		if (!pipe_buf_get(from, ibuf))
			return -EFAULT;
		*obuf = *ibuf;
		obuf->flags &= ~(PIPE_BUF_FLAG_GIFT | PIPE_BUF_FLAG_CAN_MERGE);	/* two pipes have it: nobody adds */
		ibuf->flags &= ~PIPE_BUF_FLAG_CAN_MERGE;
		if (obuf->len > len)
			obuf->len = len;
		if (move)
			consume(from, obuf->len);
	}
	WRITE_ONCE(to->head, to->head + 1);
	return obuf->len;
}

/* As much as goes at once. */
static ssize_t pass_slots(struct pipe_inode_info *from, struct pipe_inode_info *to, size_t len, bool move)
{
	unsigned int slot = from->tail;
	ssize_t done = 0, n;

	while (len && slot != from->head && !pipe_full(to->head, to->tail, to->max_usage)) {
		n = pass_slot(from, slot, to, len, move);
		if (n < 0)
			return done ? done : n;
		done += n;
		len -= n;
		slot = move ? from->tail : slot + 1;
	}
	return done;
}

/* Waits on one pipe at a time, then takes both and sees whether something can be done. */
static ssize_t pipe_to_pipe(struct pipe_inode_info *from, struct pipe_inode_info *to, size_t len, unsigned int flags,
			    bool move)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
	ssize_t ret;

	for (;;) {
		pipe_lock(from);
		ret = wait_for_data(from, nonblock);
		pipe_unlock(from);
		if (ret <= 0)
			return ret;
		pipe_lock(to);
		ret = wait_for_slots(to, nonblock);
		pipe_unlock(to);
		if (ret <= 0)
			return ret;

		pipe_double_lock(from, to);
		if (!to->readers) {
			send_sig(SIGPIPE, current, 0);
			ret = -EPIPE;
		} else {
			ret = pass_slots(from, to, len, move);
		}
		pipe_unlock(from);
		pipe_unlock(to);
		if (ret)
			break;
	}
	if (ret > 0) {
		wake_pipe_readers(to);
		if (move)
			wake_pipe_writers(from);
	}
	return ret;
}

/* ---- splice, tee ---- */

static bool either_nonblock(struct file *a, struct file *b)
{
	return (a->f_flags | b->f_flags) & O_NONBLOCK;
}

/* The side that is not a pipe: its position is given, or its own. */
static ssize_t splice_with_file(struct file *file, loff_t *off, struct pipe_inode_info *pipe, size_t len, unsigned int flags,
				bool to_file)
{
	loff_t pos = off ? *off : file->f_pos;
	ssize_t ret;

	if (off && !(file->f_mode & (to_file ? FMODE_PWRITE : FMODE_PREAD)))
		return -EINVAL;
	ret = rw_verify_area(to_file, file, &pos, len);
	if (ret < 0)
		return ret;
	ret = to_file ? splice_pipe_to_file(pipe, file, &pos, len, flags) :
			splice_file_to_pipe(file, pipe, &pos, len, flags);
	if (ret > 0)
		*(off ? off : &file->f_pos) = pos;
	return ret;
}

ssize_t do_splice(struct file *in, loff_t *off_in, struct file *out, loff_t *off_out, size_t len, unsigned int flags)
{
	struct pipe_inode_info *ipipe = get_pipe_info(in, true), *opipe = get_pipe_info(out, true);

	if (!(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE))
		return -EBADF;
	if ((ipipe && off_in) || (opipe && off_out))
		return -ESPIPE;
	len = min_t(size_t, len, MAX_RW_COUNT);
	if (ipipe && opipe) {
		if (ipipe == opipe)
			return -EINVAL;
		if (either_nonblock(in, out))
			flags |= SPLICE_F_NONBLOCK;
		return pipe_to_pipe(ipipe, opipe, len, flags, true);
	}
	if (ipipe) {
		if (in->f_flags & O_NONBLOCK)
			flags |= SPLICE_F_NONBLOCK;
		return splice_with_file(out, off_out, ipipe, len, flags, true);
	}
	if (opipe) {
		if (out->f_flags & O_NONBLOCK)
			flags |= SPLICE_F_NONBLOCK;
		return splice_with_file(in, off_in, opipe, len, flags, false);
	}
	return -EINVAL;
}

/* With positions in user memory. */
static ssize_t splice_user(struct file *in, loff_t __user *off_in, struct file *out, loff_t __user *off_out, size_t len,
			   unsigned int flags)
{
	loff_t pos_in, pos_out;
	ssize_t ret;

	if ((get_pipe_info(in, true) && off_in) || (get_pipe_info(out, true) && off_out))
		return -ESPIPE;
	if ((off_in && copy_from_user(&pos_in, off_in, sizeof(pos_in))) ||
	    (off_out && copy_from_user(&pos_out, off_out, sizeof(pos_out))))
		return -EFAULT;
	ret = do_splice(in, off_in ? &pos_in : NULL, out, off_out ? &pos_out : NULL, len, flags);
	if (ret > 0 && ((off_in && copy_to_user(off_in, &pos_in, sizeof(pos_in))) ||
			(off_out && copy_to_user(off_out, &pos_out, sizeof(pos_out)))))
		return -EFAULT;
	return ret;
}

long sys_splice(int fd_in, loff_t __user *off_in, int fd_out, loff_t __user *off_out, size_t len, unsigned int flags)
{
	struct fd in, out;
	ssize_t ret = -EBADF;

	if (!len)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	in = fdget(fd_in);
	out = fdget(fd_out);
	if (in.file && out.file)
		ret = splice_user(in.file, off_in, out.file, off_out, len, flags);
	if (in.file)
		fdput(in);
	if (out.file)
		fdput(out);
	return ret;
}

ssize_t do_tee(struct file *in, struct file *out, size_t len, unsigned int flags)
{
	struct pipe_inode_info *ipipe = get_pipe_info(in, true), *opipe = get_pipe_info(out, true);

	if (!(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!ipipe || !opipe || ipipe == opipe)
		return -EINVAL;
	if (either_nonblock(in, out))
		flags |= SPLICE_F_NONBLOCK;
	return pipe_to_pipe(ipipe, opipe, min_t(size_t, len, MAX_RW_COUNT), flags, false);
}

long sys_tee(int fdin, int fdout, size_t len, unsigned int flags)
{
	struct fd in, out;
	ssize_t ret = -EBADF;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!len)
		return 0;
	in = fdget(fdin);
	out = fdget(fdout);
	if (in.file && out.file)
		ret = do_tee(in.file, out.file, len, flags);
	if (in.file)
		fdput(in);
	if (out.file)
		fdput(out);
	return ret;
}

/* ---- vmsplice ---- */

/* User memory into the pipe.  The pages are copied: what the program does with its own afterwards is not seen. */
static ssize_t vmsplice_to_pipe(struct file *file, struct iov_iter *from, unsigned int flags)
{
	struct pipe_inode_info *pipe = get_pipe_info(file, true);
	ssize_t done = 0, ret = 0;

	pipe_lock(pipe);
	while (iov_iter_count(from)) {
		size_t n = min(iov_iter_count(from), PAGE_SIZE);
		struct page *page;

		ret = wait_for_slots(pipe, done || (flags & SPLICE_F_NONBLOCK) || (file->f_flags & O_NONBLOCK));
		if (ret < 0)
			break;
		page = alloc_page(GFP_USER);
		ret = page ? 0 : -ENOMEM;
		if (page && copy_page_from_iter(page, 0, n, from) < n) {
			put_page(page);
			ret = -EFAULT;
		}
		if (ret)
			break;
		push_page(pipe, page, 0, n);
		done += n;
	}
	pipe_unlock(pipe);
	if (done)
		wake_pipe_readers(pipe);
	return done ? done : ret;
}

static ssize_t vmsplice_from_pipe(struct file *file, struct iov_iter *to, unsigned int flags)
{
	struct kiocb kiocb;

	init_sync_kiocb(&kiocb, file);
	if (flags & SPLICE_F_NONBLOCK)
		kiocb.ki_flags |= IOCB_NOWAIT;
	return file->f_op->read_iter(&kiocb, to);
}

long sys_vmsplice(int fd, const struct iovec __user *uiov, unsigned long nr_segs, unsigned int flags)
{
	struct iovec fast[8], *iov = fast;
	struct fd f = fdget(fd);
	struct iov_iter iter;
	ssize_t ret = -EBADF;
	bool write;

	if (!f.file)
		return ret;
	write = f.file->f_mode & FMODE_WRITE;
	if (flags & ~SPLICE_F_ALL) {
		ret = -EINVAL;
		goto out;
	}
	if (!get_pipe_info(f.file, true))
		goto out;
	ret = import_iovec(write ? ITER_SOURCE : ITER_DEST, uiov, nr_segs, ARRAY_SIZE(fast), &iov, &iter);
	if (ret < 0)
		goto out;
	if (!iov_iter_count(&iter))
		ret = 0;
	else
		ret = write ? vmsplice_to_pipe(f.file, &iter, flags) : vmsplice_from_pipe(f.file, &iter, flags);
	kfree(iov);
out:
	fdput(f);
	return ret;
}
