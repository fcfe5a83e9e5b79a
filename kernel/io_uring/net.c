/*
 * net.c: sockets: SENDMSG, RECVMSG, SEND, RECV, ACCEPT, CONNECT, SHUTDOWN, SOCKET.
 *
 * Idea:    from the submitter with MSG_DONTWAIT; -EAGAIN arms a poll.  Headers, vectors and addresses are copied when the
 *          entry is read.  A multishot request posts a completion for each connection or message and stays.
 */
#include "ops.h"
#include <weft/file.h>
#include <weft/net.h>
#include <weft/slab.h>
#include <weft/socket.h>
#include <weft/uaccess.h>

static struct socket *socket_of(struct io_kiocb *req)
{
	return sock_from_file(req->file);
}

static unsigned int msg_flags(struct io_kiocb *req, unsigned int issue_flags)
{
	if (req->net.flags & MSG_DONTWAIT)
		req->flags |= REQ_F_NOWAIT;
	return req->net.flags | (issue_flags & IO_URING_F_NONBLOCK || req->flags & REQ_F_NOWAIT ? MSG_DONTWAIT : 0);
}

/* IORING_RECVSEND_POLL_FIRST: the program knows that nothing is there. */
static bool poll_first(const struct io_kiocb *req, unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_NONBLOCK && req->net.how & IORING_RECVSEND_POLL_FIRST && !(req->flags & REQ_F_POLLED);
}

/* ---- SEND, RECV ---- */

static int common_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe, unsigned int allowed)
{
	if (sqe->splice_fd_in)
		return -EINVAL;
	req->net.addr = READ_ONCE(sqe->addr);
	req->net.len = READ_ONCE(sqe->len);
	req->net.flags = READ_ONCE(sqe->op_flags);
	req->net.how = READ_ONCE(sqe->ioprio);
	return req->net.how & ~allowed || req->net.flags & MSG_CMSG_COMPAT ? -EINVAL : 0;
}

int io_send_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	bool recv = req->opcode == IORING_OP_RECV;
	int err = common_prep(req, sqe, IORING_RECVSEND_POLL_FIRST | (recv ? IORING_RECV_MULTISHOT : 0));

	if (err || !(req->net.how & IORING_RECV_MULTISHOT))
		return err;
	if (!(req->flags & REQ_F_BUFFER_SELECT) || req->net.flags & MSG_WAITALL)
		return -EINVAL;
	req->flags |= REQ_F_MULTISHOT;
	return 0;
}

/* MSG_WAITALL and some of it done: the rest later.  Otherwise the result. */
static int partial(struct io_kiocb *req, ssize_t n, size_t wanted, unsigned int issue_flags)
{
	if (n > 0)
		req->done += n;
	if (n > 0 && req->done < wanted && req->net.flags & MSG_WAITALL && issue_flags & IO_URING_F_NONBLOCK &&
	    !(req->flags & REQ_F_NOWAIT)) {
		req->flags |= REQ_F_PARTIAL;
		return -EAGAIN;
	}
	if (n < 0 && !req->done)
		return (int)n;
	if (req->net.flags & MSG_WAITALL && req->done < wanted)
		io_set_fail(req);
	req->res = (int)req->done;
	return 0;
}

int io_send_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct socket *sock = socket_of(req);
	struct msghdr msg = { 0 };
	ssize_t n;

	if (!sock)
		return -ENOTSOCK;
	if (poll_first(req, issue_flags))
		return -EAGAIN;
	msg.msg_flags = msg_flags(req, issue_flags);
	n = import_ubuf(ITER_SOURCE, (void __user *)req->net.addr + req->done, req->net.len - req->done, &msg.msg_iter);
	if (n)
		return (int)n;
	n = sock->ops->sendmsg(sock, &msg, iov_iter_count(&msg.msg_iter));
	if (n == -EAGAIN && !(req->flags & REQ_F_NOWAIT))
		return -EAGAIN;
	return partial(req, n, req->net.len, issue_flags);
}

static ssize_t recv_once(struct io_kiocb *req, u32 *len, unsigned int issue_flags)
{
	struct msghdr msg = { 0 };
	struct socket *sock = socket_of(req);
	unsigned int flags = msg_flags(req, issue_flags);
	u64 addr = req->net.addr;
	ssize_t n = 0;

	*len = req->net.len;
	if (req->flags & REQ_F_BUFFER_SELECT)
		n = io_select_buffer(req, len, &addr, issue_flags);
	if (!n)
		n = import_ubuf(ITER_DEST, (void __user *)addr + req->done, *len - min_t(size_t, req->done, *len),
				&msg.msg_iter);
	if (!n)
		n = sock->ops->recvmsg(sock, &msg, iov_iter_count(&msg.msg_iter), flags);
	if (n == -EAGAIN && !(req->flags & REQ_F_NOWAIT))
		io_return_buffer(req, issue_flags);
	return n;
}

/* A completion for each message until there is none; then armed again.  The last one says that no more come. */
static int recv_many(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_ring_ctx *ctx = req->ctx;
	ssize_t n;
	u32 len;

	lockdep_assert_held(&ctx->uring_lock);
	io_flush_done(ctx);
	for (;;) {
		n = recv_once(req, &len, issue_flags);
		if (n == -EAGAIN)
			return IOU_AGAIN_POLL;
		if (n <= 0)
			break;
		req->cflags = 0;
		io_keep_buffer(req);
		if (!io_post_cqe(req->ctx, req->user_data, (s32)n, req->cflags | IORING_CQE_F_MORE)) {
			n = -ECANCELED;
			break;
		}
		req->cflags = 0;
	}
	if (n < 0)
		return (int)n;
	req->res = 0;
	return 0;
}

int io_recv_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	ssize_t n;
	u32 len;

	if (!socket_of(req))
		return -ENOTSOCK;
	if (poll_first(req, issue_flags))
		return -EAGAIN;
	if (req->flags & REQ_F_MULTISHOT && issue_flags & IO_URING_F_NONBLOCK)
		return recv_many(req, issue_flags);
	n = recv_once(req, &len, issue_flags);
	if (n == -EAGAIN && !(req->flags & REQ_F_NOWAIT))
		return -EAGAIN;
	return partial(req, n, len, issue_flags);
}

/* ---- SENDMSG, RECVMSG ---- */

struct message {
	struct user_msghdr	uh;
	struct iov_iter		iter;		/* over all of it */
	struct iovec		iov[];		/* what uh.msg_iov pointed to */
};

/* The header and its vector, copied. */
int io_sendmsg_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	int dir = req->opcode == IORING_OP_SENDMSG ? ITER_SOURCE : ITER_DEST;
	struct iovec fast[UIO_FASTIOV], *iov = fast;
	struct msghdr msg = { 0 };
	struct user_msghdr uh;
	struct message *m;
	int err = common_prep(req, sqe, IORING_RECVSEND_POLL_FIRST);

	if (err)
		return err;
	if (req->flags & REQ_F_BUFFER_SELECT)
		return -EOPNOTSUPP;
	if (get_header(&uh, (const struct user_msghdr __user *)req->net.addr))
		return -EFAULT;
	err = copy_header(&uh, &msg, dir, &iov);
	if (err)
		return err;
	m = kmalloc(sizeof(*m) + uh.msg_iovlen * sizeof(*iov), GFP_KERNEL);
	if (!m) {
		kfree(iov);
		return -ENOMEM;
	}
	m->uh = uh;
	if (uh.msg_iovlen)
		memcpy(m->iov, iov ? iov : fast, uh.msg_iovlen * sizeof(*iov));
	iov_iter_init(&m->iter, dir, m->iov, uh.msg_iovlen, iov_iter_count(&msg.msg_iter));
	kfree(iov);
	req->flags |= REQ_F_PARTS;
	req->data = m;
	return 0;
}

static int do_message(struct io_kiocb *req, unsigned int issue_flags, bool recv)
{
	struct socket *sock = socket_of(req);
	struct message *m = req->data;
	struct msghdr msg = { .msg_iter = m->iter };
	struct user_msghdr uh = m->uh;
	unsigned int flags;
	long n;

	if (!sock)
		return -ENOTSOCK;
	if (poll_first(req, issue_flags))
		return -EAGAIN;
	flags = msg_flags(req, issue_flags);
	n = recv ? sock_recv_header(sock, &uh, (struct user_msghdr __user *)req->net.addr, &msg, flags) :
		   sock_send_header(sock, &uh, &msg, flags);
	if (n < 0)
		return (int)n;
	req->res = (int)n;
	return 0;
}

int io_sendmsg_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return do_message(req, issue_flags, false);
}

int io_recvmsg_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return do_message(req, issue_flags, true);
}

/* ---- files for descriptors or slots ---- */

static int give_file(struct io_kiocb *req, struct file *file, unsigned int issue_flags)
{
	int fd;

	if (req->net.file_slot)
		return io_install_fixed(req, file, req->net.file_slot, issue_flags);
	fd = get_unused_fd_flags(req->net.flags & O_CLOEXEC);
	if (fd < 0)
		fput(file);
	else
		fd_install(fd, file);
	return fd;
}

/* ---- ACCEPT ---- */

int io_accept_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->len || sqe->buf_index)
		return -EINVAL;
	req->net.addr = READ_ONCE(sqe->addr);
	req->net.addr_len = READ_ONCE(sqe->off);
	req->net.flags = READ_ONCE(sqe->op_flags);
	req->net.how = READ_ONCE(sqe->ioprio);
	req->net.file_slot = READ_ONCE(sqe->file_index);
	if (req->net.how & ~IORING_ACCEPT_MULTISHOT || req->net.flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (req->net.file_slot && req->net.flags & SOCK_CLOEXEC)
		return -EINVAL;
	if (req->net.how & IORING_ACCEPT_MULTISHOT) {
		if (req->net.file_slot && req->net.file_slot != IORING_FILE_INDEX_ALLOC)
			return -EINVAL;
		req->flags |= REQ_F_MULTISHOT;
	}
	return 0;
}

static int accept_once(struct io_kiocb *req, unsigned int issue_flags)
{
	unsigned int nonblock = issue_flags & IO_URING_F_NONBLOCK ? O_NONBLOCK : 0;
	struct socket *sock = socket_of(req);
	struct file *file;

	if (!sock)
		return -ENOTSOCK;
	file = sock_do_accept(sock, (int)((req->file->f_flags & ~O_NONBLOCK) | nonblock), req->net.flags,
			      (void __user *)req->net.addr, (int __user *)req->net.addr_len);
	return IS_ERR(file) ? PTR_ERR(file) : give_file(req, file, issue_flags);
}

int io_accept_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	bool many = req->flags & REQ_F_MULTISHOT && issue_flags & IO_URING_F_NONBLOCK;
	struct io_ring_ctx *ctx = req->ctx;
	int ret;

	if (many) {
		lockdep_assert_held(&ctx->uring_lock);
		io_flush_done(ctx);
	}
	for (;;) {
		ret = accept_once(req, issue_flags);
		if (many && ret == -EAGAIN)
			return IOU_AGAIN_POLL;
		if (ret < 0)
			return ret;
		if (!many)
			break;
		if (!io_post_cqe(req->ctx, req->user_data, ret, IORING_CQE_F_MORE))
			return -ECANCELED;
	}
	req->res = ret;
	return 0;
}

/* ---- CONNECT, SHUTDOWN, SOCKET ---- */

struct address {
	struct sockaddr_storage	addr;
	int			len;
};

int io_connect_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	struct address *a;

	if (sqe->len || sqe->buf_index || sqe->op_flags || sqe->splice_fd_in)
		return -EINVAL;
	a = kmalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	req->flags |= REQ_F_PARTS;
	req->data = a;
	a->len = (int)READ_ONCE(sqe->off);
	return copy_addr_in((void __user *)READ_ONCE(sqe->addr), a->len, &a->addr);
}

int io_connect_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	unsigned int nonblock = issue_flags & IO_URING_F_NONBLOCK ? O_NONBLOCK : 0;
	struct socket *sock = socket_of(req);
	struct address *a = req->data;
	int ret;

	if (!sock)
		return -ENOTSOCK;
	ret = sock->ops->connect(sock, (struct sockaddr *)&a->addr, a->len, (int)(req->file->f_flags | nonblock));
	if (ret == -EINPROGRESS && nonblock && !(req->file->f_flags & O_NONBLOCK))
		return -EAGAIN;
	return ret;
}

int io_shutdown_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->op_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->net.how = READ_ONCE(sqe->len);
	return 0;
}

int io_shutdown_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct socket *sock = socket_of(req);

	return sock ? sock->ops->shutdown(sock, req->net.how) : -ENOTSOCK;
}

int io_socket_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	if (sqe->addr || sqe->op_flags || sqe->buf_index)
		return -EINVAL;
	req->net.how = READ_ONCE(sqe->fd);		/* the family */
	req->net.addr = READ_ONCE(sqe->off);		/* the type */
	req->net.len = READ_ONCE(sqe->len);		/* the protocol */
	req->net.file_slot = READ_ONCE(sqe->file_index);
	req->net.flags = (int)req->net.addr & ~SOCK_TYPE_MASK;
	if (req->net.flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || (req->net.file_slot && req->net.flags & SOCK_CLOEXEC))
		return -EINVAL;
	return 0;
}

int io_socket_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct socket *sock;
	struct file *file;
	int ret = sock_create(req->net.how, (int)req->net.addr & SOCK_TYPE_MASK, (int)req->net.len, &sock);

	if (ret)
		return ret;
	file = sock_alloc_file(sock, req->net.flags);
	if (IS_ERR(file))
		return PTR_ERR(file);
	req->res = give_file(req, file, issue_flags);
	return min(req->res, 0);
}
