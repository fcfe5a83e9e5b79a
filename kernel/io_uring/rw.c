/*
 * rw.c: READ, WRITE, READV, WRITEV, READ_FIXED, WRITE_FIXED.
 *
 * Idea:    from the submitter with IOCB_NOWAIT, if the file understands that (FMODE_NOWAIT, or O_NONBLOCK); otherwise a poll
 *          or a worker has to come in between.  Regular files that take writes without waiting say FMODE_BUF_WASYNC.
 *          O_DIRECT goes on by itself: the end of the last piece of I/O queues the request's end for its task.
 *          A vector is copied when the entry is read, so the program may reuse it.  What went through before the file would
 *          have waited is kept in req->done and the rest is tried later: a short result means the end or an error.
 * Locking: f_pos_lock when the file's own position is used (offset -1).
 */
#include "ops.h"
#include <weft/file.h>
#include <weft/compat.h>
#include <weft/ioprio.h>
#include <weft/slab.h>
#include <weft/uaccess.h>

static bool is_write(const struct io_kiocb *req)
{
	return req->opcode == IORING_OP_WRITE || req->opcode == IORING_OP_WRITEV || req->opcode == IORING_OP_WRITE_FIXED;
}

static int direction(const struct io_kiocb *req)
{
	return is_write(req) ? ITER_SOURCE : ITER_DEST;
}

int io_rw_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	u16 ioprio = READ_ONCE(sqe->ioprio);		/* nothing acts on it, as on a task's */

	req->rw.pos = READ_ONCE(sqe->off);
	req->rw.addr = READ_ONCE(sqe->addr);
	req->rw.len = READ_ONCE(sqe->len);
	req->rw.rwf = READ_ONCE(sqe->op_flags);
	req->rw.iov = NULL;
	if (is_write(req) && req->flags & REQ_F_BUFFER_SELECT)
		return -EOPNOTSUPP;
	return ioprio ? ioprio_check_cap(ioprio) : 0;
}

void io_rw_cleanup(struct io_kiocb *req)
{
	kfree(req->rw.iov);
	req->rw.iov = NULL;
}

/* A provided buffer's vector has one entry, of which only the length counts. */
static int prep_selected_vec(struct io_kiocb *req)
{
	struct iovec v;

	if (req->rw.len != 1)
		return -EINVAL;
	if (copy_from_user(&v, (void __user *)req->rw.addr, sizeof(v)))
		return -EFAULT;
	req->rw.len = (u32)min_t(size_t, v.iov_len, MAX_RW_COUNT);
	return 0;
}

int io_rwv_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	struct iov_iter iter;
	struct iovec *iov = NULL;
	ssize_t total;

	int err = io_rw_prep(req, sqe);

	if (err)
		return err;
	if (req->flags & REQ_F_BUFFER_SELECT)
		return prep_selected_vec(req);
	if (req->rw.len > UIO_MAXIOV)
		return -EINVAL;
	total = import_iovec(direction(req), (const struct iovec __user *)req->rw.addr, req->rw.len, 0, &iov, &iter);
	if (total < 0)
		return (int)total;
	req->rw.iov = iov;
	req->rw.total = total;
	req->flags |= REQ_F_CLEANUP;
	return 0;
}

/* What is left to do, as an iterator. */
static int make_iter(struct io_kiocb *req, struct iov_iter *iter, unsigned int issue_flags)
{
	u64 addr = req->rw.addr;
	u32 len = req->rw.len;
	int err = 0;

	if (req->rw.iov) {
		iov_iter_init(iter, direction(req), req->rw.iov, req->rw.len, req->rw.total);
	} else if (io_ops[req->opcode].fixed_buffer) {
		err = io_get_fixed_buffer(req, issue_flags);
		if (!err)
			err = io_fixed_iter(req->fixed, direction(req), addr, len, iter);
	} else {
		if (req->flags & REQ_F_BUFFER_SELECT)
			err = io_select_buffer(req, &len, &addr, issue_flags);
		if (!err)
			err = import_ubuf(direction(req), (void __user *)addr, len, iter);
	}
	if (!err)
		iov_iter_advance(iter, req->done);
	return err;
}

/* May the file be tried here, told not to wait? */
static bool understands_nowait(const struct io_kiocb *req)
{
	const struct file *file = req->file;

	if (file->f_flags & O_NONBLOCK)
		return true;
	if (is_write(req) && (S_ISREG(file_inode(file)->i_mode) || S_ISBLK(file_inode(file)->i_mode)) &&
	    !(file->f_flags & O_DIRECT))
		return file->f_mode & FMODE_BUF_WASYNC;
	return file->f_mode & FMODE_NOWAIT;
}

static int check_rwf(const struct io_kiocb *req)
{
	if (req->ctx->flags & IORING_SETUP_IOPOLL)
		return -EOPNOTSUPP;		/* no driver has queues without interrupts */
	if (req->rw.rwf & ~RWF_SUPPORTED)
		return -EOPNOTSUPP;
	return req->rw.rwf & RWF_NOWAIT && !(req->file->f_mode & FMODE_NOWAIT) ? -EOPNOTSUPP : 0;
}

static ssize_t do_rw(struct io_kiocb *req, struct iov_iter *iter, loff_t *pos, bool nowait)
{
	int flags = req->rw.rwf | (nowait ? IOCB_NOWAIT : 0);

	if (req->rw.rwf & RWF_SYNC)
		flags |= IOCB_DSYNC;
	return is_write(req) ? vfs_iter_write(req->file, iter, pos, flags) : vfs_iter_read(req->file, iter, pos, flags);
}

static int finish(struct io_kiocb *req, ssize_t n, size_t wanted)
{
	if (n < 0 && !req->done)
		return (int)n;
	if (n > 0)
		req->done += n;
	req->res = (int)req->done;
	if (req->done < wanted)
		io_set_fail(req);	/* a short transfer breaks a chain */
	return 0;
}

/* ---- O_DIRECT: under way without anybody who waits ---- */

static void direct_done(struct io_kiocb *req)
{
	int err = finish(req, req->res, req->rw.wanted);

	io_req_done(req, err < 0 ? err : req->res);
}

/* Any context. */
static void direct_complete(struct kiocb *kiocb, long res)
{
	struct io_kiocb *req = container_of(kiocb, struct io_kiocb, rw.kiocb);

	req->res = (s32)res;
	io_req_task_work(req, direct_done);
}

/* -EIOCBQUEUED: the request belongs to its end. */
static ssize_t start_direct(struct io_kiocb *req, struct iov_iter *iter)
{
	struct kiocb *kiocb = &req->rw.kiocb;

	req->rw.wanted = req->done + iov_iter_count(iter);
	init_sync_kiocb(kiocb, req->file);
	kiocb->ki_flags |= req->rw.rwf | IOCB_NOWAIT | (req->rw.rwf & RWF_SYNC ? IOCB_DSYNC : 0);
	kiocb->ki_pos = req->rw.pos + (loff_t)req->done;
	kiocb->ki_complete = direct_complete;
	return vfs_iocb_iter(kiocb, iter, direction(req));
}

static bool goes_direct(const struct io_kiocb *req)
{
	return req->file->f_flags & O_DIRECT && req->rw.pos != -1 && req->file->f_mode & FMODE_NOWAIT &&
	       !(req->file->f_mode & FMODE_STREAM);
}

/* ---- the common part ---- */

/* At the given position, or at the file's own; streams have none. */
static ssize_t rw_at(struct io_kiocb *req, struct iov_iter *iter, bool nowait)
{
	struct file *file = req->file;
	loff_t pos = req->rw.pos;
	ssize_t n;

	if (file->f_mode & FMODE_STREAM)
		return do_rw(req, iter, NULL, nowait);
	if (pos == -1) {
		if (!nowait)
			mutex_lock(&file->f_pos_lock);
		else if (!mutex_trylock(&file->f_pos_lock))
			return -EAGAIN;
		pos = file->f_pos;
		n = do_rw(req, iter, &pos, nowait);
		if (n >= 0)
			file->f_pos = pos;
		mutex_unlock(&file->f_pos_lock);
		return n;
	}
	if (!(file->f_mode & (is_write(req) ? FMODE_PWRITE : FMODE_PREAD)) && pos)
		return -ESPIPE;
	pos += req->done;
	return do_rw(req, iter, &pos, nowait);
}

/* A regular file of which only a part was at hand: the rest by waiting. */
static bool more_to_read(const struct io_kiocb *req, ssize_t n)
{
	const struct inode *inode = file_inode(req->file);

	return !is_write(req) && S_ISREG(inode->i_mode) && !(req->flags & REQ_F_NOWAIT) && req->rw.pos != -1 &&
	       req->rw.pos + (loff_t)req->done + n < i_size_read(inode);
}

static int io_rw_common(struct io_kiocb *req, unsigned int issue_flags)
{
	bool nowait = issue_flags & IO_URING_F_NONBLOCK;
	struct iov_iter iter;
	size_t wanted;
	ssize_t n;
	int err;

	err = check_rwf(req);
	if (err)
		return err;
	/* O_NONBLOCK is for files that cannot be waited for otherwise. */
	if (req->rw.rwf & RWF_NOWAIT || (req->file->f_flags & O_NONBLOCK && !(req->file->f_mode & FMODE_NOWAIT)))
		req->flags |= REQ_F_NOWAIT;
	if (nowait && !understands_nowait(req))
		return -EAGAIN;
	err = make_iter(req, &iter, issue_flags);
	if (err)
		return err;
	wanted = req->done + iov_iter_count(&iter);
	n = nowait && goes_direct(req) ? start_direct(req, &iter) : rw_at(req, &iter, nowait);
	if (n == -EIOCBQUEUED)
		return IOU_LATER;
	if (n == -EAGAIN && !(req->flags & REQ_F_NOWAIT)) {
		io_return_buffer(req, issue_flags);
		return -EAGAIN;
	}
	if (nowait && n > 0 && req->done + n < wanted && more_to_read(req, n)) {
		req->done += n;
		return -EAGAIN;
	}
	return finish(req, n, wanted);
}

int io_rw_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return io_rw_common(req, issue_flags);
}

int io_rwv_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return io_rw_common(req, issue_flags);
}
