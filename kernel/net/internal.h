/*
 * internal.h: struct sock, message buffers and control messages: what protocols and the socket layer share.
 *
 * What:    struct sock is a protocol's half of a socket.  It outlives its file while messages or peers point to it.
 * Counts:  sock: its struct socket, each peer that points to it, each sk_buff charged to it, each look-up under way.
 *          The last sock_put() calls sk->destruct and frees; any context.
 *          sk_buff: its queue, and a reader that copies without the queue's lock.
 * Locking: sk->lock: the protocol's state (shutdown, state, dead, the protocol's own fields).  queue.lock: the messages.
 *          Order: sk->lock -> another sk's lock (by address) -> queue.lock -> wait queues.
 * See:     include/weft/net.h; kernel/net/unix
 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include <weft/types.h>
#include <weft/refcount.h>
#include <weft/atomic.h>
#include <weft/spinlock.h>
#include <weft/list.h>
#include <weft/wait.h>
#include <weft/sched.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/errno.h>
#include <weft/net.h>

struct net;
struct scm_cookie;

/* ---- messages ---- */

#define SCM_MAX_FD	253

/* The files of one SCM_RIGHTS message: a reference on each. */
struct scm_fp_list {
	short			count;
	struct user_struct	*user;		/* charged for them while in flight; a reference */
	struct file		*fp[SCM_MAX_FD];
};

struct sk_buff {
	struct list_head	list;		/* [queue.lock] */
	refcount_t		users;
	struct sock		*sk;		/* [I] charged for it; a reference.  In a listener's queue: the new socket */
	unsigned int		len;		/* [I] bytes in data */
	unsigned int		consumed;	/* [reader] bytes read by stream readers */
	struct scm_fp_list	*fp;		/* [queue.lock or reader] files in flight */
	struct pid		*pid;		/* [I] sender's credentials; pid NULL: none */
	kuid_t			uid;
	kgid_t			gid;
	void			(*destructor)(struct sk_buff *skb);	/* gives back what fp counts */
	u8			data[];
};

struct sk_buff_head {
	spinlock_t		lock;
	struct list_head	head;		/* [lock] */
	unsigned int		qlen;		/* [lock]; read racily for limits */
};

/* A buffer of len bytes, charged to nobody.  NULL without memory. */
struct sk_buff *alloc_skb(size_t len);
void kfree_skb(struct sk_buff *skb);		/* drops a reference; may sleep for the last (files) */
static inline struct sk_buff *skb_get(struct sk_buff *skb) { refcount_inc(&skb->users); return skb; }
#define skb_queue_head_init(q) do { \
	spin_lock_init(&(q)->lock); INIT_LIST_HEAD(&(q)->head); (q)->qlen = 0; \
} while (0)
static inline bool skb_queue_empty(const struct sk_buff_head *q) { return list_empty(&q->head); }
void skb_queue_tail(struct sk_buff_head *q, struct sk_buff *skb);
void __skb_unlink(struct sk_buff *skb, struct sk_buff_head *q);		/* q->lock held */
void skb_unlink(struct sk_buff *skb, struct sk_buff_head *q);
struct sk_buff *skb_peek(struct sk_buff_head *q);			/* q->lock held; NULL */
struct sk_buff *skb_dequeue(struct sk_buff_head *q);

/* ---- sock ---- */

#define RCV_SHUTDOWN	1
#define SEND_SHUTDOWN	2
#define SHUTDOWN_MASK	3

enum sock_state { SK_CLOSE, SK_LISTEN, SK_ESTABLISHED };

struct sock {
	refcount_t		refcnt;
	u16			family, type;	/* [I] */
	struct net		*net;		/* [I] the namespace in which it was made, + reference */
	spinlock_t		lock;		/* class: sock */
	u8			shutdown;	/* [lock] RCV_SHUTDOWN, SEND_SHUTDOWN */
	u8			state;		/* [lock] enum sock_state; read racily */
	bool			dead;		/* [lock] its file is gone */
	struct socket		*socket;	/* [lock] NULL when dead or not accepted yet */
	wait_queue_head_t	wait;		/* its readers, writers and pollers */
	struct fasync_struct	*fasync_list;	/* whom SIGIO tells: fcntl.c */
	struct sk_buff_head	receive_queue;
	atomic_t		wmem_alloc;	/* [a] bytes sent that nobody has read */
	int			err;		/* [a] to be reported once */
	int			sndbuf, rcvbuf;	/* [-] limits, one word each */
	long			rcvtimeo, sndtimeo;	/* [-] jiffies */
	int			rcvlowat;	/* [-] */
	int			peek_off;	/* [-] where MSG_PEEK starts; -1: off */
	unsigned int		max_ack_backlog;	/* [lock] */
	bool			passcred;	/* [-] SO_PASSCRED */
	spinlock_t		peer_lock;	/* peer_pid, peer_cred */
	struct pid		*peer_pid;	/* [peer_lock] references */
	const struct cred	*peer_cred;
	unsigned int		sockopt_flags;	/* [-] options that are only remembered: bit = SO_* number */
	int			linger;		/* [-] seconds, -1 off */
	u64			cookie;		/* [I] */
	void			(*destruct)(struct sock *sk);	/* [I] frees it, by the last put */
};

extern int sysctl_wmem_max, sysctl_rmem_max, sysctl_wmem_default, sysctl_rmem_default, sysctl_optmem_max;

void sock_init_data(struct socket *sock, struct sock *sk, int family, int type);
static inline void sock_hold(struct sock *sk) { refcount_inc(&sk->refcnt); }
void sock_put(struct sock *sk);
void sock_graft(struct sock *sk, struct socket *parent);
int sock_error(struct sock *sk);		/* the pending error, negative, which is then forgotten; 0 */
/* A message of len bytes charged to sk; waits for room unless noblock.  ERR_PTR. */
struct sk_buff *sock_alloc_send_skb(struct sock *sk, size_t len, bool noblock);
void skb_charge(struct sk_buff *skb, struct sock *sk);
bool sock_writeable(struct sock *sk);
void sock_data_ready(struct sock *sk);		/* something to read */
void sock_write_space(struct sock *sk);		/* room to write */
void sock_state_change(struct sock *sk);	/* connected, shut down, ... */
int sock_setsockopt(struct socket *sock, int level, int optname, char __user *optval, int optlen);
int sock_getsockopt(struct socket *sock, int level, int optname, char __user *optval, int __user *optlen);
static inline long sock_rcvtimeo(const struct sock *sk, bool noblock) { return noblock ? 0 : READ_ONCE(sk->rcvtimeo); }
static inline long sock_sndtimeo(const struct sock *sk, bool noblock) { return noblock ? 0 : READ_ONCE(sk->sndtimeo); }
static inline int sock_intr_errno(long timeo) { return timeo == MAX_SCHEDULE_TIMEOUT ? -ERESTARTSYS : -EINTR; }

/* ---- rtnetlink.c ---- */
int netdev_ioctl(struct net *net, unsigned int cmd, void __user *arg);	/* 0, -ENODEV, -EFAULT, -ENOTTY: none of these */

/* ---- socket.c ---- */
struct socket *sock_alloc(void);		/* NULL without memory */
struct file *sock_alloc_file(struct socket *sock, int flags);	/* takes sock over, also in failure; ERR_PTR */

/* ---- control messages ---- */

struct scm_cookie {
	struct pid		*pid;		/* a reference, or NULL */
	kuid_t			uid;
	kgid_t			gid;
	struct scm_fp_list	*fp;		/* owned */
};

int scm_send(struct msghdr *msg, struct scm_cookie *scm);	/* parses; 0 or -errno, nothing held then */
void scm_destroy(struct scm_cookie *scm);
void scm_recv(struct sock *sk, struct msghdr *msg, struct scm_cookie *scm, int flags);	/* hands out; empties scm */
void scm_fp_free(struct scm_fp_list *fpl);
struct scm_fp_list *scm_fp_dup(struct scm_fp_list *fpl);	/* new references; NULL without memory */
/* A 32-bit program's control messages, widened, into msg: 0, -EINVAL, -EFAULT, -ENOMEM. */
int cmsg_from_compat(void __user *control, size_t len, struct msghdr *msg);
int put_cmsg(struct msghdr *msg, int level, int type, int len, const void *data);

#endif
