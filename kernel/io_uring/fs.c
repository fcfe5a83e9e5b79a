/*
 * fs.c: names: OPENAT, OPENAT2, CLOSE, STATX, RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT.
 *
 * Idea:    a walk may wait for a disk, and an open for the other end of a FIFO, so all of these but CLOSE go to a worker.
 *          Names are copied when the entry is read.
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/fdtable.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/uaccess.h>

static int must_wait(unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_NONBLOCK ? -EAGAIN : 0;
}

void io_fs_cleanup(struct io_kiocb *req)
{
	if (req->fs.from)
		putname(req->fs.from);
	if (req->fs.to)
		putname(req->fs.to);
}

static int take_name(struct filename **to, u64 addr, int flags)
{
	struct filename *name = getname_flags((const char __user *)addr, flags, NULL);

	if (IS_ERR(name))
		return PTR_ERR(name);
	*to = name;
	return 0;
}

/* One name at sqe->addr, relative to sqe->fd. */
static int name_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe, int name_flags)
{
	if (req->flags & REQ_F_FIXED_FILE)
		return -EBADF;
	req->fs.from = req->fs.to = NULL;
	req->flags |= REQ_F_CLEANUP;
	req->fs.dfd = req->fd;
	return take_name(&req->fs.from, READ_ONCE(sqe->addr), name_flags);
}

/* And a second one at sqe->off. */
static int names_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe, int name_flags)
{
	int err = name_prep(req, sqe, name_flags);

	return err ? err : take_name(&req->fs.to, READ_ONCE(sqe->off), 0);
}

/* ---- OPENAT, OPENAT2 ---- */

static int open_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe, const struct open_how *how)
{
	int err;

	if (sqe->buf_index)
		return -EINVAL;
	err = name_prep(req, sqe, 0);
	if (err)
		return err;
	req->fs.file_slot = READ_ONCE(sqe->file_index);
	if (req->fs.file_slot && how->flags & O_CLOEXEC)
		return -EINVAL;
	req->flags |= REQ_F_PARTS;
	req->data = kmemdup(how, sizeof(*how), GFP_KERNEL);
	return req->data ? 0 : -ENOMEM;
}

int io_openat_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	struct open_how how = build_open_how((int)READ_ONCE(sqe->op_flags), (umode_t)READ_ONCE(sqe->len));

	return open_prep(req, sqe, &how);
}

int io_openat2_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	size_t size = READ_ONCE(sqe->len);
	struct open_how how;
	int err;

	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&how, sizeof(how), (void __user *)READ_ONCE(sqe->off), size);
	return err ? err : open_prep(req, sqe, &how);
}

int io_openat_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct open_how *how = req->data;
	struct open_flags op;
	struct file *file;
	int err = must_wait(issue_flags);

	if (err)
		return err;
	if (!(how->flags & O_PATH))
		how->flags |= O_LARGEFILE;
	err = build_open_flags(how, &op);
	if (err)
		return err;
	file = do_filp_open(req->fs.dfd, req->fs.from, &op);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (req->fs.file_slot) {
		req->res = io_install_fixed(req, file, req->fs.file_slot, issue_flags);
		return min(req->res, 0);
	}
	req->res = get_unused_fd_flags(how->flags);
	if (req->res < 0)
		fput(file);
	else
		fd_install(req->res, file);
	return min(req->res, 0);
}

int io_openat2_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return io_openat_issue(req, issue_flags);
}

/* ---- CLOSE ---- */

int io_close_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->len || sqe->op_flags || sqe->buf_index)
		return -EINVAL;
	if (req->flags & REQ_F_FIXED_FILE)
		return -EBADF;
	req->fs.file_slot = READ_ONCE(sqe->file_index);
	return req->fs.file_slot && req->fd ? -EINVAL : 0;
}

int io_close_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct file *file;
	bool busy;
	int ret;

	if (req->fs.file_slot) {
		io_lock_unless_inline(req->ctx, issue_flags);
		ret = io_remove_fixed(req->ctx, req->fs.file_slot - 1);
		io_unlock_unless_inline(req->ctx, issue_flags);
		return ret;
	}
	file = fget_raw(req->fd);
	if (!file)
		return -EBADF;
	busy = file->f_op->flush && issue_flags & IO_URING_F_NONBLOCK;	/* which may wait */
	ret = file_is_io_uring(file) ? -EBADF : 0;
	fput(file);
	if (ret)
		return ret;
	return busy ? -EAGAIN : close_fd(req->fd);
}

/* ---- STATX ---- */

int io_statx_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	int flags = (int)READ_ONCE(sqe->op_flags);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->fs.mask = READ_ONCE(sqe->len);
	req->fs.flags = flags;
	req->fs.addr = READ_ONCE(sqe->off);
	return name_prep(req, sqe, flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

int io_statx_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct statx __user *buffer = (struct statx __user *)req->fs.addr;
	int err = must_wait(issue_flags);

	return err ? err : do_statx(req->fs.dfd, req->fs.from, req->fs.flags, req->fs.mask, buffer);
}

/* ---- names that come and go ---- */

int io_renameat_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->fs.dfd2 = (int)READ_ONCE(sqe->len);
	req->fs.flags = (int)READ_ONCE(sqe->op_flags);
	return names_prep(req, sqe, 0);
}

int io_renameat_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : do_renameat2(req->fs.dfd, req->fs.from, req->fs.dfd2, req->fs.to, (unsigned int)req->fs.flags);
}

int io_unlinkat_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	req->fs.flags = (int)READ_ONCE(sqe->op_flags);
	if (sqe->off || sqe->len || sqe->buf_index || sqe->splice_fd_in || req->fs.flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return name_prep(req, sqe, 0);
}

int io_unlinkat_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	if (err)
		return err;
	return req->fs.flags & AT_REMOVEDIR ? do_rmdir(req->fs.dfd, req->fs.from) : do_unlinkat(req->fs.dfd, req->fs.from);
}

int io_mkdirat_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->off || sqe->op_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->fs.mode = (umode_t)READ_ONCE(sqe->len);
	return name_prep(req, sqe, 0);
}

int io_mkdirat_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : do_mkdirat(req->fs.dfd, req->fs.from, req->fs.mode);
}

int io_symlinkat_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->len || sqe->op_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	return names_prep(req, sqe, 0);
}

int io_symlinkat_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : do_symlinkat(req->fs.from, req->fs.dfd, req->fs.to);
}

int io_linkat_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	int flags = (int)READ_ONCE(sqe->op_flags);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->fs.dfd2 = (int)READ_ONCE(sqe->len);
	req->fs.flags = flags;
	return names_prep(req, sqe, flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

int io_linkat_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int err = must_wait(issue_flags);

	return err ? err : do_linkat(req->fs.dfd, req->fs.from, req->fs.dfd2, req->fs.to, req->fs.flags);
}
