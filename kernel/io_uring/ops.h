/*
 * ops.h: what the table of operations, the ring's system calls and registration know of the files that do them.
 *
 * Idea:    an operation is a pair: NAME_prep() reads the entry, once, and refuses what is wrong; NAME_issue() does it.
 * Locking: prep and registration run under uring_lock; issue says by its flags whether it does (see io_uring.h).
 * See:     opdef.c, register.c
 */
#ifndef IO_URING_OPS_H
#define IO_URING_OPS_H

#include "io_uring.h"

/* ---- rsrc.c ---- */
int io_register_files(struct io_ring_ctx *ctx, const void __user *arg, unsigned int nr);
int io_update_files(struct io_ring_ctx *ctx, u32 offset, const s32 __user *fds, unsigned int nr);
int io_unregister_files(struct io_ring_ctx *ctx);
int io_register_buffers(struct io_ring_ctx *ctx, const struct iovec __user *arg, unsigned int nr);
int io_update_buffers(struct io_ring_ctx *ctx, u32 offset, const struct iovec __user *iov, unsigned int nr);
int io_unregister_buffers(struct io_ring_ctx *ctx);
struct file *io_fixed_file(struct io_ring_ctx *ctx, unsigned int slot);	/* + reference; uring_lock held */
int io_install_fixed(struct io_kiocb *req, struct file *file, u32 slot, unsigned int issue_flags);
int io_remove_fixed(struct io_ring_ctx *ctx, unsigned int slot);
int io_get_fixed_buffer(struct io_kiocb *req, unsigned int issue_flags);
int io_fixed_iter(struct io_buf *b, int direction, u64 addr, size_t len, struct iov_iter *iter);
void io_put_fixed_buffer(struct io_buf *b);
int io_files_update_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_files_update_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_file_alloc_range(struct io_ring_ctx *ctx, const void __user *arg);

/* ---- kbuf.c ---- */
int io_select_buffer(struct io_kiocb *req, u32 *len, u64 *addr, unsigned int issue_flags);
void io_keep_buffer(struct io_kiocb *req);		/* it is used up: the CQE names it */
void io_return_buffer(struct io_kiocb *req, unsigned int issue_flags);	/* it was not used */
int io_provide_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_provide_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_remove_buffers_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_remove_buffers_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_register_buffer_ring(struct io_ring_ctx *ctx, const void __user *arg);
int io_unregister_buffer_ring(struct io_ring_ctx *ctx, const void __user *arg);
void io_destroy_groups(struct io_ring_ctx *ctx);

/* ---- the operations: rw.c, net.c, fs.c, misc.c ---- */
#define IO_OP(name) \
	int io_##name##_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe); \
	int io_##name##_issue(struct io_kiocb *req, unsigned int issue_flags)
IO_OP(rw); IO_OP(rwv);
IO_OP(sendmsg); IO_OP(send); IO_OP(accept); IO_OP(connect); IO_OP(shutdown); IO_OP(socket);
int io_recvmsg_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_recv_issue(struct io_kiocb *req, unsigned int issue_flags);
IO_OP(openat); IO_OP(openat2); IO_OP(close); IO_OP(statx); IO_OP(renameat); IO_OP(unlinkat); IO_OP(mkdirat);
IO_OP(symlinkat); IO_OP(linkat);
IO_OP(nop); IO_OP(fsync); IO_OP(sync_range); IO_OP(fallocate); IO_OP(fadvise); IO_OP(madvise); IO_OP(splice);
IO_OP(epoll_ctl); IO_OP(msg_ring);
int io_tee_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_tee_issue(struct io_kiocb *req, unsigned int issue_flags);
void io_rw_cleanup(struct io_kiocb *req);
void io_fs_cleanup(struct io_kiocb *req);
void io_splice_cleanup(struct io_kiocb *req);

/* ---- poll.c ---- */
int io_poll_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_poll_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_poll_remove_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_poll_remove_issue(struct io_kiocb *req, unsigned int issue_flags);

/* ---- cancel.c ---- */
int io_cancel_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_cancel_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_sync_cancel(struct io_ring_ctx *ctx, void __user *arg) __must_hold(&ctx->uring_lock);

/* ---- timeout.c ---- */
int io_timeout_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_link_timeout_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_timeout_issue(struct io_kiocb *req, unsigned int issue_flags);
int io_timeout_remove_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe);
int io_timeout_remove_issue(struct io_kiocb *req, unsigned int issue_flags);

/* ---- task.c ---- */
int io_register_ring_fds(struct io_ring_ctx *ctx, void __user *arg, unsigned int nr);
int io_unregister_ring_fds(void __user *arg, unsigned int nr);

/* ---- io-wq.c ---- */
int io_wq_max_workers(struct io_uring_task *tctx, u32 *counts);

/* ---- sqpoll.c ---- */
int io_sq_thread_start(struct io_ring_ctx *ctx, const struct io_uring_params *p);
void io_sq_thread_stop(struct io_ring_ctx *ctx);
void io_sq_thread_wake(struct io_ring_ctx *ctx);
int io_sq_wait(struct io_ring_ctx *ctx);

/* For what a worker does to registered things: the submitter has the lock already. */
static inline void io_lock_unless_inline(struct io_ring_ctx *ctx, unsigned int issue_flags) __no_context_analysis /* a flag */
{
	if (!(issue_flags & IO_URING_F_NONBLOCK))
		mutex_lock(&ctx->uring_lock);
}
static inline void io_unlock_unless_inline(struct io_ring_ctx *ctx, unsigned int issue_flags) __no_context_analysis /* a flag */
{
	if (!(issue_flags & IO_URING_F_NONBLOCK))
		mutex_unlock(&ctx->uring_lock);
}

#endif
