/*
 * dgram.c: messages with borders: SOCK_DGRAM and SOCK_SEQPACKET.
 *
 * Idea:    a message is one buffer in the receiver's queue.  Reading takes it whole; what does not fit is lost (MSG_TRUNC).
 *          A sender whose receiver is full waits in the receiver's peer_wait.
 * Locking: the receiver's state lock while the message is queued: a dead or shut receiver gets none.  u->iolock is not
 *          needed: taking a message out of the queue is one step.
 * See:     af_unix.c; unix(7), recv(2)
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uio.h>
#include "af_unix.h"

/* ---- sending ---- */

/* Does other take messages from sk?  other->lock held. */
static bool may_send(struct sock *sk, struct sock *other)
{
	return !unix_sk(other)->peer || unix_sk(other)->peer == sk;
}

/* The peer was closed: sk is not connected any more.  -ECONNREFUSED, or 0 when other was not sk's peer. */
static int forget_dead_peer(struct sock *sk, struct sock *other)
{
	spin_lock(&sk->lock);
	if (unix_sk(sk)->peer != other) {
		spin_unlock(&sk->lock);
		return 0;
	}
	unix_sk(sk)->peer = NULL;
	if (sk->type == SOCK_DGRAM)
		sk->state = SK_CLOSE;
	unix_peer_wake_disconnect(sk, other);
	spin_unlock(&sk->lock);
	unix_dgram_disconnected(sk, other);
	sock_put(other);
	return -ECONNREFUSED;
}

/*
 * Puts skb into other's queue.  0: done.  -EAGAIN: full, with *timeo left to wait, and other has been waited for if
 * there was time.  1: try again.
 */
static int deliver(struct sock *sk, struct sock *other, struct sk_buff *skb, long *timeo)
{
	int err = 0;

	spin_lock(&other->lock);
	if (!may_send(sk, other))
		err = -EPERM;
	else if (other->dead)
		err = -ECONNRESET;
	else if (other->shutdown & RCV_SHUTDOWN)
		err = -EPIPE;
	if (err)
		goto unlock;
	if (other != sk && unix_sk(other)->peer != sk && unix_recvq_full(other)) {
		if (*timeo) {
			long had = *timeo;

			*timeo = unix_wait_for_peer(other, *timeo);	/* unlocks */
			return signal_pending(current) ? sock_intr_errno(had) : 1;
		}
		err = -EAGAIN;
		goto unlock;
	}
	unix_add_creds(skb, sk, other);
	skb_queue_tail(&other->receive_queue, skb);
unlock:
	spin_unlock(&other->lock);
	return err;
}

/* Where the message goes: the address it names, else the peer.  With a reference; ERR_PTR. */
static struct sock *destination(struct sock *sk, struct msghdr *msg)
{
	struct sock *other;

	if (msg->msg_namelen)
		return unix_find_other(sk->net, msg->msg_name, msg->msg_namelen, sk->type);
	other = unix_peer_get(sk);
	return other ? other : ERR_PTR(-ENOTCONN);
}

/* A full receiver: this socket's pollers are told when it has room.  True: it has some now. */
static bool room_after_all(struct sock *sk, struct sock *other)
{
	bool full = true;

	spin_lock(&sk->lock);
	if (unix_sk(sk)->peer == other)
		full = unix_peer_wake_me(sk, other);
	spin_unlock(&sk->lock);
	return !full;
}

static int send_skb(struct sock *sk, struct msghdr *msg, struct sk_buff *skb)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	struct sock *other = destination(sk, msg);
	int err;

	for (;;) {
		if (IS_ERR(other))
			return PTR_ERR(other);
		err = deliver(sk, other, skb, &timeo);
		if (err == 1 || (err == -EAGAIN && room_after_all(sk, other)))
			continue;
		if (err != -ECONNRESET)
			break;
		if (sk->type == SOCK_SEQPACKET) {
			err = -EPIPE;
			break;
		}
		/* Closed between finding and locking: a name may have a new owner by now. */
		err = forget_dead_peer(sk, other);
		if (err || !msg->msg_namelen) {
			err = err ? err : -ECONNRESET;
			break;
		}
		sock_put(other);
		other = destination(sk, msg);
	}
	if (!err)
		sock_data_ready(other);
	sock_put(other);
	return err;
}

ssize_t unix_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	struct scm_cookie scm;
	struct sk_buff *skb;
	int err;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (msg->msg_namelen) {
		err = unix_validate_addr(msg->msg_name, msg->msg_namelen);
		if (err)
			return err;
	}
	if (READ_ONCE(sk->passcred) && !smp_load_acquire(&unix_sk(sk)->addr)) {
		err = unix_autobind(sk);
		if (err)
			return err;
	}
	if (len > (size_t)READ_ONCE(sk->sndbuf) - 32)
		return -EMSGSIZE;
	unix_wait_for_gc();
	err = scm_send(msg, &scm);
	if (err)
		return err;
	skb = sock_alloc_send_skb(sk, len, msg->msg_flags & MSG_DONTWAIT);
	if (IS_ERR(skb)) {
		err = PTR_ERR(skb);
		goto out;
	}
	err = unix_scm_to_skb(&scm, skb, true);
	if (!err && copy_from_iter(skb->data, len, &msg->msg_iter) != len)
		err = -EFAULT;
	if (!err)
		err = send_skb(sk, msg, skb);
	if (err)
		kfree_skb(skb);
out:
	scm_destroy(&scm);
	return err ? err : (ssize_t)len;
}

/* ---- receiving ---- */

/* The message to be read: the first, or with SO_PEEK_OFF the one that the offset falls into.  Queue lock held. */
static struct sk_buff *choose(struct sock *sk, int flags, int *offset)
{
	struct sk_buff *skb;

	if (!offset || *offset <= 0 || !(flags & MSG_PEEK)) {
		if (offset)
			*offset = 0;
		return skb_peek(&sk->receive_queue);
	}
	list_for_each_entry(skb, &sk->receive_queue.head, list) {
		if ((unsigned int)*offset < skb->len || (!skb->len && !*offset))
			return skb;
		*offset -= skb->len;
	}
	return NULL;
}

/* *seen: how many messages there were: another number means that it is worth looking again. */
static struct sk_buff *try_recv(struct sock *sk, int flags, int *offset, unsigned int *seen)
{
	struct sk_buff *skb;

	spin_lock(&sk->receive_queue.lock);
	skb = choose(sk, flags, offset);
	*seen = sk->receive_queue.qlen;
	if (skb) {
		if (flags & MSG_PEEK)
			skb_get(skb);
		else
			__skb_unlink(skb, &sk->receive_queue);
	}
	spin_unlock(&sk->receive_queue.lock);
	return skb;
}

/* -EPIPE stands for "shut down": nothing will come. */
struct sk_buff *unix_recv_skb(struct sock *sk, int flags, int *offset)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int start = offset ? *offset : 0;

	for (;;) {
		struct sk_buff *skb;
		unsigned int seen;
		long had = timeo;
		u8 shutdown = READ_ONCE(sk->shutdown);
		int err = sock_error(sk);

		if (err)
			return ERR_PTR(err);
		smp_rmb();		/* what was sent before the shutdown is seen after it */
		if (offset)
			*offset = start;
		skb = try_recv(sk, flags, offset, &seen);
		if (skb)
			return skb;
		if (shutdown & RCV_SHUTDOWN)
			return ERR_PTR(-EPIPE);
		if (!timeo)
			return ERR_PTR(-EAGAIN);
		timeo = wait_event_interruptible_timeout(sk->wait, READ_ONCE(sk->receive_queue.qlen) != seen ||
							 READ_ONCE(sk->err) || (READ_ONCE(sk->shutdown) & RCV_SHUTDOWN), timeo);
		if (timeo < 0)
			return ERR_PTR(sock_intr_errno(had));
	}
}

/*
 * Files and credentials of a message, as far as it is taken or only looked at.  One at a time:
 *
 *      recvmsg(MSG_PEEK)                               recvmsg()
 *      finds the message, + reference                  takes it out of the queue
 *      looks: it has files
 *                                                      detaches them, hands them out, frees the list
 *      copies the list: freed
 */
static void take_ancillary(struct sock *sk, struct sk_buff *skb, struct scm_cookie *scm, int flags)
{
	struct unix_sock *u = unix_sk(sk);

	unix_skb_set_scm(scm, skb);
	if (!READ_ONCE(skb->fp))
		return;
	mutex_lock(&u->iolock);
	if (skb->fp && flags & MSG_PEEK)
		unix_peek_fds(scm, skb);
	else if (skb->fp)
		unix_detach_fds(scm, skb);
	mutex_unlock(&u->iolock);
}

ssize_t unix_dgram_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	struct scm_cookie scm = { .uid = INVALID_UID, .gid = INVALID_GID };
	int peek_off = READ_ONCE(sock->sk->peek_off), skip = peek_off;
	struct sock *sk = sock->sk;
	struct sk_buff *skb;
	size_t n;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	skb = unix_recv_skb(sk, flags, &skip);
	if (IS_ERR(skb))
		return PTR_ERR(skb) == -EPIPE ? 0 : PTR_ERR(skb);
	if (!(flags & MSG_PEEK) && wq_has_sleeper(&unix_sk(sk)->peer_wait))
		wake_up_interruptible_sync_poll(&unix_sk(sk)->peer_wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	if (skb->sk)
		unix_copy_name(msg, skb->sk);
	n = min_t(size_t, size, skb->len - skip);
	if (n < skb->len - skip)
		msg->msg_flags |= MSG_TRUNC;
	if (copy_to_iter(skb->data + skip, n, &msg->msg_iter) != n) {
		kfree_skb(skb);
		return -EFAULT;
	}
	take_ancillary(sk, skb, &scm, flags);
	if (flags & MSG_PEEK) {
		if (peek_off >= 0)
			WRITE_ONCE(sk->peek_off, peek_off + n);
	} else if (peek_off > 0) {
		WRITE_ONCE(sk->peek_off, max_t(int, peek_off - (int)skb->len, 0));
	}
	if (flags & MSG_TRUNC)
		n = skb->len - skip;
	scm_recv(sk, msg, &scm, flags);
	kfree_skb(skb);
	return n;
}

/* ---- SOCK_SEQPACKET: a connection of messages ---- */

ssize_t unix_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	int err = sock_error(sock->sk);

	if (err)
		return err;
	if (READ_ONCE(sock->sk->state) != SK_ESTABLISHED)
		return -ENOTCONN;
	msg->msg_namelen = 0;
	return unix_dgram_sendmsg(sock, msg, len);
}

ssize_t unix_seqpacket_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	if (READ_ONCE(sock->sk->state) != SK_ESTABLISHED)
		return -ENOTCONN;
	return unix_dgram_recvmsg(sock, msg, size, flags);
}
