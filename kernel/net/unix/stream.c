/*
 * stream.c: SOCK_STREAM: bytes without borders.
 *
 * Idea:    the writer cuts its data into buffers of at most a few pages; the reader copies from the first buffer and drops
 *          it when it is used up.  Files and credentials stay at the byte they were sent with: a read does not go past
 *          a buffer with files, nor mix bytes of two senders when it reports credentials.
 * Locking: u->iolock: one reader at a time, so the first buffer stays the first while it is copied from without the queue's
 *          lock.  The receiver's state lock while a buffer is queued.
 * See:     af_unix.c; unix(7), recv(2)
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uio.h>
#include "af_unix.h"

#define CHUNK_MAX	(32768 - 256)	/* data in one buffer: with its header it fills eight pages */

/* ---- sending ---- */

/* Queues skb at other, if that still takes anything. */
static int deliver(struct sock *sk, struct sock *other, struct sk_buff *skb)
{
	int err = 0;

	spin_lock(&other->lock);
	if (other->dead || (other->shutdown & RCV_SHUTDOWN)) {
		err = -EPIPE;
	} else {
		unix_add_creds(skb, sk, other);
		skb_queue_tail(&other->receive_queue, skb);
	}
	spin_unlock(&other->lock);
	return err;
}

/* One buffer of at most len bytes: bytes sent or -errno.  Files go with the first. */
static ssize_t send_chunk(struct sock *sk, struct sock *other, struct msghdr *msg, size_t len,
			  struct scm_cookie *scm, bool first)
{
	size_t size = min3(len, (size_t)(READ_ONCE(sk->sndbuf) >> 1) - 64, (size_t)CHUNK_MAX);
	struct sk_buff *skb = sock_alloc_send_skb(sk, size, msg->msg_flags & MSG_DONTWAIT);
	int err;

	if (IS_ERR(skb))
		return PTR_ERR(skb);
	err = unix_scm_to_skb(scm, skb, first);
	if (!err && copy_from_iter(skb->data, size, &msg->msg_iter) != size)
		err = -EFAULT;
	if (!err)
		err = deliver(sk, other, skb);
	if (err) {
		kfree_skb(skb);
		return err;
	}
	sock_data_ready(other);
	return size;
}

/* The other end, with a reference, or ERR_PTR. */
static struct sock *stream_peer(struct sock *sk, const struct msghdr *msg)
{
	struct sock *other;

	if (msg->msg_flags & MSG_OOB)
		return ERR_PTR(-EOPNOTSUPP);
	if (msg->msg_namelen)
		return ERR_PTR(sk->state == SK_ESTABLISHED ? -EISCONN : -EOPNOTSUPP);
	other = unix_peer_get(sk);
	return other ? other : ERR_PTR(-ENOTCONN);
}

ssize_t unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk, *other;
	struct scm_cookie scm;
	size_t sent = 0;
	ssize_t n = 0;
	int err;

	unix_wait_for_gc();
	err = scm_send(msg, &scm);
	if (err)
		return err;
	other = stream_peer(sk, msg);
	if (IS_ERR(other)) {
		n = PTR_ERR(other);
		goto destroy;
	}
	if (READ_ONCE(sk->shutdown) & SEND_SHUTDOWN)
		n = -EPIPE;
	while (sent < len && n >= 0) {
		n = send_chunk(sk, other, msg, len - sent, &scm, sent == 0);
		if (n > 0)
			sent += n;
	}
	sock_put(other);
destroy:
	scm_destroy(&scm);
	if (n == -EPIPE && !sent && !(msg->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return sent ? (ssize_t)sent : n;
}

/* ---- receiving ---- */

/* One read under way. */
struct stream_read {
	struct scm_cookie	scm;
	bool			have_creds;	/* scm holds those of the bytes copied so far */
	bool			done;		/* nothing more, whatever there is room for */
	size_t			copied;
	unsigned int		skip;		/* SO_PEEK_OFF: bytes to pass over */
	unsigned int		seen;		/* buffers in the queue at the last look */
};

/* The first buffer with unread bytes beyond the peek offset, with a reference; NULL. */
static struct sk_buff *first_unread(struct sock *sk, struct stream_read *r, struct sk_buff *after)
{
	unsigned int skip = r->skip;
	struct sk_buff *skb;

	spin_lock(&sk->receive_queue.lock);
	r->seen = sk->receive_queue.qlen;
	skb = after ? list_next_entry(after, list) : skb_peek(&sk->receive_queue);
	if (skb && &skb->list == &sk->receive_queue.head)
		skb = NULL;
	while (skb && r->skip && r->skip >= skb->len - skb->consumed) {
		r->skip -= skb->len - skb->consumed;
		skb = list_is_last(&skb->list, &sk->receive_queue.head) ? NULL : list_next_entry(skb, list);
	}
	if (skb)
		skb_get(skb);
	else
		r->skip = skip;
	spin_unlock(&sk->receive_queue.lock);
	return skb;
}

static bool same_creds(const struct scm_cookie *scm, const struct sk_buff *skb)
{
	return scm->pid == skb->pid && scm->uid == skb->uid && scm->gid == skb->gid;
}

/* Until a buffer comes (or another reader takes one), an error, the end, or the time is up.  iolock not held. */
static long wait_for_data(struct sock *sk, unsigned int seen, long timeo)
{
	return wait_event_interruptible_timeout(sk->wait, READ_ONCE(sk->receive_queue.qlen) != seen || READ_ONCE(sk->err) ||
						(READ_ONCE(sk->shutdown) & RCV_SHUTDOWN), timeo);
}

/* May the copy go on into skb?  Not when the sender is another and the reader asks who it is. */
static bool may_join(struct sock *sk, struct stream_read *r, struct sk_buff *skb)
{
	if (r->have_creds)
		return !READ_ONCE(sk->passcred) || same_creds(&r->scm, skb);
	unix_skb_set_scm(&r->scm, skb);
	r->have_creds = true;
	return true;
}

/* Copies from skb and uses it up, or with MSG_PEEK leaves it.  0 or -EFAULT. */
static int read_skb(struct sock *sk, struct stream_read *r, struct sk_buff *skb, struct msghdr *msg, size_t size, int flags)
{
	unsigned int at = skb->consumed + r->skip;
	size_t chunk = min_t(size_t, skb->len - at, size);

	if (copy_to_iter(skb->data + at, chunk, &msg->msg_iter) != chunk)
		return -EFAULT;
	r->copied += chunk;
	r->skip = 0;
	if (flags & MSG_PEEK) {
		if (skb->fp) {
			unix_peek_fds(&r->scm, skb);
			r->done = true;
		}
		return 0;
	}
	skb->consumed += chunk;
	if (skb->fp) {
		unix_detach_fds(&r->scm, skb);
		r->done = true;
	}
	if (skb->consumed == skb->len) {
		skb_unlink(skb, &sk->receive_queue);
		kfree_skb(skb);		/* the queue's reference */
	}
	return 0;
}

/* Nothing is there: why the read ends, as -errno or 0 for the end of the stream; 1: something came. */
static int wait_or_end(struct sock *sk, struct stream_read *r, size_t target, long *timeo) __must_hold(&unix_sk(sk)->iolock)
{
	long had = *timeo;
	int err;

	if (r->copied >= target)
		return 0;
	err = sock_error(sk);
	if (err)
		return err;
	if (READ_ONCE(sk->shutdown) & RCV_SHUTDOWN) {
		smp_rmb();
		return READ_ONCE(sk->receive_queue.qlen) != r->seen;	/* the last bytes came before the shutdown */
	}
	if (!*timeo)
		return -EAGAIN;
	mutex_unlock(&unix_sk(sk)->iolock);
	*timeo = wait_for_data(sk, r->seen, *timeo);
	err = *timeo < 0 ? sock_intr_errno(had) : 1;
	mutex_lock(&unix_sk(sk)->iolock);
	return err;
}

/* iolock held. */
static int read_stream(struct sock *sk, struct stream_read *r, struct msghdr *msg, size_t size, int flags)
	__must_hold(&unix_sk(sk)->iolock)
{
	size_t target = flags & MSG_WAITALL ? size : min_t(size_t, READ_ONCE(sk->rcvlowat), size);
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	struct sk_buff *skb, *last = NULL;
	int err = 0;

	do {
		skb = first_unread(sk, r, last);
		if (!skb) {
			if (last)
				break;		/* a peek has seen all there is */
			err = wait_or_end(sk, r, target, &timeo);
			if (err <= 0)
				break;
			err = 0;
			continue;
		}
		if (!may_join(sk, r, skb)) {
			kfree_skb(skb);
			break;
		}
		if (msg->msg_name && !r->copied)
			unix_copy_name(msg, skb->sk);
		err = read_skb(sk, r, skb, msg, size - r->copied, flags);
		if (flags & MSG_PEEK)
			last = skb;		/* stays in the queue: iolock keeps other readers away */
		kfree_skb(skb);
	} while (!err && !r->done && r->copied < size);
	return err;
}

ssize_t unix_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	struct stream_read r = { .scm = { .uid = INVALID_UID, .gid = INVALID_GID } };
	struct sock *sk = sock->sk;
	int peek_off = READ_ONCE(sk->peek_off), err;

	if (READ_ONCE(sk->state) != SK_ESTABLISHED)
		return -EINVAL;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if ((flags & MSG_PEEK) && peek_off > 0)
		r.skip = peek_off;
	mutex_lock(&unix_sk(sk)->iolock);
	err = size ? read_stream(sk, &r, msg, size, flags) : 0;
	if (peek_off >= 0 && r.copied)
		WRITE_ONCE(sk->peek_off, flags & MSG_PEEK ? peek_off + (int)r.copied : max(peek_off - (int)r.copied, 0));
	mutex_unlock(&unix_sk(sk)->iolock);
	if (r.copied)
		scm_recv(sk, msg, &r.scm, flags);
	else
		scm_destroy(&r.scm);
	return r.copied ? (ssize_t)r.copied : err;
}
