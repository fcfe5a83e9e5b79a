/*
 * misc.c: NOP, FSYNC, SYNC_FILE_RANGE, FALLOCATE, FADVISE, MADVISE, SPLICE, TEE, EPOLL_CTL, MSG_RING.
 *
 * Idea:    what may wait and cannot be polled answers -EAGAIN to the submitter's try, so that a worker does it.
 * Locking: MSG_RING posts under the other ring's completion_lock only; SPLICE finds a fixed file as a worker, under uring_lock.
 * See:     io_uring.h for prep and issue; io_uring_enter(2)
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/eventpoll.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/splice.h>
#include <weft/uaccess.h>

static int must_wait(unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_NONBLOCK ? -EAGAIN : 0;
}

int io_nop_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	return 0;
}

int io_nop_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return 0;
}

/* ---- files ---- */

int io_fsync_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->addr || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.flags = (int)READ_ONCE(sqe->op_flags);
	req->sync.off = READ_ONCE(sqe->off);
	req->sync.len = READ_ONCE(sqe->len);
	return req->sync.flags & ~IORING_FSYNC_DATASYNC ? -EINVAL : 0;
}

int io_fsync_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	loff_t end = req->sync.off + req->sync.len;
	int err = must_wait(issue_flags);

	if (err)
		return err;
	return vfs_fsync_range(req->file, req->sync.off, end > 0 ? end : LLONG_MAX, req->sync.flags & IORING_FSYNC_DATASYNC);
}

int io_sync_range_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->addr || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.off = READ_ONCE(sqe->off);
	req->sync.len = READ_ONCE(sqe->len);
	req->sync.flags = (int)READ_ONCE(sqe->op_flags);
	return 0;
}

int io_sync_range_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : vfs_sync_file_range(req->file, req->sync.off, req->sync.len, (unsigned int)req->sync.flags);
}

int io_fallocate_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->buf_index || sqe->op_flags || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.off = READ_ONCE(sqe->off);
	req->sync.len = READ_ONCE(sqe->addr);
	req->sync.flags = (int)READ_ONCE(sqe->len);
	return 0;
}

int io_fallocate_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : vfs_fallocate(req->file, req->sync.flags, req->sync.off, req->sync.len);
}

int io_fadvise_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->buf_index || sqe->addr || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.off = READ_ONCE(sqe->off);
	req->sync.len = READ_ONCE(sqe->len);
	req->sync.flags = (int)READ_ONCE(sqe->op_flags);
	return 0;
}

int io_fadvise_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : (int)vfs_fadvise(req->file, req->sync.off, req->sync.len, req->sync.flags);
}

int io_madvise_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->buf_index || sqe->off || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.addr = READ_ONCE(sqe->addr);
	req->sync.len = READ_ONCE(sqe->len);
	req->sync.flags = (int)READ_ONCE(sqe->op_flags);
	return 0;
}

int io_madvise_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : do_madvise(current->mm, req->sync.addr, (size_t)req->sync.len, req->sync.flags);
}

/* ---- SPLICE, TEE ---- */

int io_splice_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	req->splice.fd_in = READ_ONCE(sqe->splice_fd_in);
	req->splice.len = READ_ONCE(sqe->len);
	req->splice.flags = READ_ONCE(sqe->op_flags);
	req->splice.off_in = READ_ONCE(sqe->splice_off_in);
	req->splice.off_out = READ_ONCE(sqe->off);
	req->splice.in = NULL;
	return req->splice.flags & ~(SPLICE_F_FD_IN_FIXED | SPLICE_F_ALL) ? -EINVAL : 0;
}

int io_tee_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (READ_ONCE(sqe->splice_off_in) || READ_ONCE(sqe->off))
		return -EINVAL;
	return io_splice_prep(req, sqe);
}

static struct file *get_input(struct io_kiocb *req)
{
	struct file *in;

	if (!(req->splice.flags & SPLICE_F_FD_IN_FIXED))
		return fget(req->splice.fd_in);
	mutex_lock(&req->ctx->uring_lock);
	in = io_fixed_file(req->ctx, req->splice.fd_in);
	mutex_unlock(&req->ctx->uring_lock);
	return in;
}

static int splice_or_tee(struct io_kiocb *req, unsigned int issue_flags, bool tee)
{
	loff_t *off_in = req->splice.off_in == -1 ? NULL : &req->splice.off_in;
	loff_t *off_out = req->splice.off_out == -1 ? NULL : &req->splice.off_out;
	unsigned int flags = req->splice.flags & ~SPLICE_F_FD_IN_FIXED;
	struct file *in;
	ssize_t n = 0;

	if (must_wait(issue_flags))
		return -EAGAIN;
	in = get_input(req);
	if (!in)
		return -EBADF;
	if (req->splice.len)
		n = tee ? do_tee(in, req->file, req->splice.len, flags) :
			  do_splice(in, off_in, req->file, off_out, req->splice.len, flags);
	fput(in);
	if (n < 0)
		return (int)n;
	req->res = (int)n;
	if ((u64)n != req->splice.len)
		io_set_fail(req);
	return 0;
}

int io_splice_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return splice_or_tee(req, issue_flags, false);
}

int io_tee_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return splice_or_tee(req, issue_flags, true);
}

/* ---- EPOLL_CTL ---- */

int io_epoll_ctl_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->epoll.op = (int)READ_ONCE(sqe->len);
	req->epoll.fd = (int)READ_ONCE(sqe->off);
	if (req->epoll.op == EPOLL_CTL_DEL)
		return 0;
	return copy_from_user(&req->epoll.event, (void __user *)READ_ONCE(sqe->addr), sizeof(req->epoll.event)) ? -EFAULT : 0;
}

int io_epoll_ctl_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct fd target = fdget(req->epoll.fd);
	int err = -EBADF;

	if (target.file) {
		err = do_epoll_ctl(req->file, req->epoll.op, target.file, req->epoll.fd, &req->epoll.event);
		fdput(target);
	}
	return err;
}

/* ---- MSG_RING: a completion in another ring ---- */

int io_msg_ring_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->buf_index || sqe->personality || sqe->addr || sqe->op_flags)
		return -EINVAL;		/* addr: only data can be sent, no descriptors */
	req->msg.user_data = READ_ONCE(sqe->off);
	req->msg.len = READ_ONCE(sqe->len);
	return 0;
}

int io_msg_ring_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_ring_ctx *target;

	if (!file_is_io_uring(req->file))
		return -EBADFD;
	target = req->file->private_data;
	if (target->flags & IORING_SETUP_R_DISABLED)
		return -EBADFD;
	return io_post_cqe(target, req->msg.user_data, (s32)req->msg.len, 0) ? 0 : -EOVERFLOW;
}
