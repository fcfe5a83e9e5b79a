/*
 * cancel.c: finding a request wherever it waits, and ending it: ASYNC_CANCEL, and the end of a task or a ring.
 *
 * Idea:    a request waits in one of four places: a worker's queue, armed polls, timeouts, deferred ones.  Each place has its
 *          function that takes out what matches.  A request that is under way in a worker is interrupted like by a signal.
 *          With "all", the same request could be found again before its task work has run: each cancel has a number, and
 *          a request remembers the last that found it.
 * Locking: those of the places; io_tctx_mutex to reach other tasks' workers.
 */
#include "ops.h"
#include <weft/file.h>
#include <weft/signal.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>

#define CANCEL_FLAGS	(IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ANY | \
			 IORING_ASYNC_CANCEL_FD_FIXED)

bool io_cancel_matches(struct io_kiocb *req, struct io_cancel *cd)
{
	if (cd->req)
		return req == cd->req;
	if (cd->task && req->task != cd->task)
		return false;
	if (!(cd->flags & IORING_ASYNC_CANCEL_ANY)) {
		if (cd->flags & IORING_ASYNC_CANCEL_FD ? req->file != cd->file : req->user_data != cd->data)
			return false;
	}
	if (cd->flags & (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY)) {
		if (req->cancel_seq == cd->seq)
			return false;
		req->cancel_seq = cd->seq;
	}
	return true;
}

/* 0: it will end with -ECANCELED; -EALREADY: it is being done and has been interrupted; -ENOENT. */
int io_try_cancel(struct io_ring_ctx *ctx, struct io_uring_task *tctx, struct io_cancel *cd)
{
	int ret = tctx->wq ? io_wq_cancel(tctx->wq, ctx, cd) : -ENOENT;

	if (ret != -ENOENT)
		return ret;
	ret = io_poll_cancel(ctx, cd);
	if (ret != -ENOENT)
		return ret;
	return cd->flags & IORING_ASYNC_CANCEL_FD ? -ENOENT : io_timeout_cancel(ctx, cd);
}

/* The same with the workers of all tasks that use the ring. */
static int cancel_anywhere(struct io_ring_ctx *ctx, struct io_cancel *cd)
{
	struct io_tctx_node *node;
	int ret = io_try_cancel(ctx, current->io_uring, cd);

	if (ret != -ENOENT)
		return ret;
	mutex_lock(&io_tctx_mutex);
	list_for_each_entry(node, &ctx->tctxs, of_ring) {
		struct io_wq *wq = READ_ONCE(node->tctx->wq);

		ret = wq ? io_wq_cancel(wq, ctx, cd) : -ENOENT;
		if (ret != -ENOENT)
			break;
	}
	mutex_unlock(&io_tctx_mutex);
	return ret;
}

/* One request, or with ALL or ANY: how many there were. */
static int cancel_matching(struct io_ring_ctx *ctx, struct io_cancel *cd)
{
	bool all = cd->flags & (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY);
	int n = 0, ret;

	do {
		ret = cancel_anywhere(ctx, cd);
		if (!all || ret == -ENOENT)
			break;
		n++;
	} while (true);
	return all ? n : ret;
}

/* ---- ASYNC_CANCEL ---- */

int io_cancel_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (req->flags & REQ_F_BUFFER_SELECT || sqe->off || sqe->len || sqe->splice_fd_in)
		return -EINVAL;
	req->cancel.addr = READ_ONCE(sqe->addr);
	req->cancel.flags = READ_ONCE(sqe->op_flags);
	if (req->cancel.flags & ~CANCEL_FLAGS)
		return -EINVAL;
	if (req->cancel.flags & IORING_ASYNC_CANCEL_FD) {
		if (req->cancel.flags & IORING_ASYNC_CANCEL_ANY)
			return -EINVAL;
		req->cancel.fd = READ_ONCE(sqe->fd);
	}
	return 0;
}

static int cancel_by(struct io_ring_ctx *ctx, struct io_cancel *cd, int fd, bool fixed)
{
	int ret;

	cd->seq = ++ctx->cancel_seq;
	if (!(cd->flags & IORING_ASYNC_CANCEL_FD))
		return cancel_matching(ctx, cd);
	cd->file = fixed ? io_fixed_file(ctx, fd) : fget(fd);
	if (!cd->file)
		return -EBADF;
	ret = cancel_matching(ctx, cd);
	fput(cd->file);
	return ret;
}

int io_cancel_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_cancel cd = { .data = req->cancel.addr, .flags = req->cancel.flags };
	bool fixed = req->flags & REQ_F_FIXED_FILE || req->cancel.flags & IORING_ASYNC_CANCEL_FD_FIXED;
	int ret = cancel_by(req->ctx, &cd, req->cancel.fd, fixed);

	if (ret < 0)
		return ret;
	req->res = ret;
	return 0;
}

/* IORING_REGISTER_SYNC_CANCEL: cancel, and wait until nothing matches any more.  uring_lock held; dropped to wait. */
int io_sync_cancel(struct io_ring_ctx *ctx, void __user *arg)
{
	struct io_uring_sync_cancel_reg sc;
	ktime_t end = KTIME_MAX;
	struct io_cancel cd;
	int ret;

	if (copy_from_user(&sc, arg, sizeof(sc)))
		return -EFAULT;
	if (sc.flags & ~CANCEL_FLAGS || sc.pad[0] | sc.pad[1] | sc.pad[2] | sc.pad[3])
		return -EINVAL;
	if (sc.timeout.tv_sec != -1 || sc.timeout.tv_nsec != -1)
		end = ktime_add_safe(ktime_get(), ktime_set(sc.timeout.tv_sec, sc.timeout.tv_nsec));
	cd = (struct io_cancel){ .data = sc.addr, .flags = sc.flags };
	ret = cancel_by(ctx, &cd, sc.fd, sc.flags & IORING_ASYNC_CANCEL_FD_FIXED);
	while (ret == -EALREADY) {
		mutex_unlock(&ctx->uring_lock);
		io_run_task_work();
		schedule_timeout_interruptible(1);
		mutex_lock(&ctx->uring_lock);
		if (ktime_get() >= end)
			return -ETIME;
		if (task_sigpending(current))
			return -EINTR;
		ret = cancel_by(ctx, &cd, sc.fd, sc.flags & IORING_ASYNC_CANCEL_FD_FIXED);
		if (ret == -ENOENT)
			return 0;	/* it has ended meanwhile */
	}
	return ret > 0 ? 0 : ret;
}

/* ---- the end of a task, or (task NULL) of a ring ---- */

/* io_tctx_mutex held.  True if something was found: there may be more later, when chains go on. */
bool io_cancel_all(struct io_ring_ctx *ctx, struct task_struct *task)
{
	struct io_cancel cd = { .task = task, .flags = IORING_ASYNC_CANCEL_ANY };
	struct io_tctx_node *node;
	bool found = io_cancel_deferred(ctx, task);

	/* No number: what is found leaves its place at once, except polls, which mark themselves. */
	cd.seq = (u32)-1;
	list_for_each_entry(node, &ctx->tctxs, of_ring) {
		struct io_wq *wq = READ_ONCE(node->tctx->wq);

		while (wq && (!task || node->tctx->task == task) && io_wq_cancel(wq, ctx, &cd) != -ENOENT)
			found = true;
	}
	while (!io_poll_cancel(ctx, &cd))
		found = true;
	while (!io_timeout_cancel(ctx, &cd))
		found = true;
	return found;
}
