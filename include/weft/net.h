/*
 * net.h: a socket as the file layer sees it, and the operations that a protocol family gives.
 *
 * What:    struct socket is the half of a socket that belongs to its file; struct sock (kernel/net/internal.h) is the
 *          half that belongs to the protocol and may outlive the file while data or peers still point to it.
 * See:     kernel/net/socket.c
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <weft/types.h>
#include <weft/fs.h>
#include <weft/poll.h>
#include <weft/socket.h>

struct sock;
struct socket;
struct file;

typedef enum {
	SS_FREE = 0,
	SS_UNCONNECTED,
	SS_CONNECTING,
	SS_CONNECTED,
	SS_DISCONNECTING
} socket_state;

/* Addresses are kernel copies.  All return 0 (or bytes) or -errno and may sleep, unless said. */
struct proto_ops {
	int		family;
	int		(*release)(struct socket *sock);
	int		(*bind)(struct socket *sock, struct sockaddr *addr, int addr_len);
	int		(*connect)(struct socket *sock, struct sockaddr *addr, int addr_len, int flags);
	int		(*socketpair)(struct socket *sock1, struct socket *sock2);
	int		(*accept)(struct socket *sock, struct socket *newsock, int flags);
	int		(*getname)(struct socket *sock, struct sockaddr_storage *addr, int peer);	/* length */
	__poll_t	(*poll)(struct file *file, struct socket *sock, struct poll_table_struct *wait);
	int		(*ioctl)(struct socket *sock, unsigned int cmd, unsigned long arg);
	int		(*listen)(struct socket *sock, int backlog);
	int		(*shutdown)(struct socket *sock, int how);
	ssize_t		(*sendmsg)(struct socket *sock, struct msghdr *msg, size_t len);
	ssize_t		(*recvmsg)(struct socket *sock, struct msghdr *msg, size_t len, int flags);
	int		(*set_peek_off)(struct sock *sk, int val);
};

struct socket {
	socket_state		state;		/* [protocol's lock] */
	short			type;		/* [I] SOCK_* */
	struct file		*file;		/* [I] after sock_alloc_file(); no reference */
	struct sock		*sk;		/* [I] a reference, until release */
	const struct proto_ops	*ops;		/* [I] */
};

struct net_proto_family {
	int	family;
	int	(*create)(struct socket *sock, int protocol);	/* sets ops and sk; may sleep */
};

int sock_register(const struct net_proto_family *ops);		/* start-up; 0, -EEXIST */
int sock_create(int family, int type, int protocol, struct socket **res);
void sock_release(struct socket *sock);
struct socket *sock_from_file(struct file *file);		/* NULL when file is no socket */
struct socket *SOCKET_I(struct inode *inode);
struct inode *SOCK_INODE(struct socket *sock);

/* The halves of the system calls that io_uring shares with them: kernel/net/socket_sys.c. */
struct file *sock_alloc_file(struct socket *sock, int flags);	/* takes sock over; ERR_PTR */
struct file *sock_do_accept(struct socket *sock, int file_flags, int flags, struct sockaddr __user *uaddr, int __user *ulen);
int copy_addr_in(const void __user *uaddr, int len, struct sockaddr_storage *addr);
int get_header(struct user_msghdr *uh, const struct user_msghdr __user *umsg);
int copy_header(struct user_msghdr *uh, struct msghdr *msg, int direction, struct iovec **iov);
long sock_send_header(struct socket *sock, struct user_msghdr *uh, struct msghdr *msg, unsigned int flags);
long sock_recv_header(struct socket *sock, struct user_msghdr *uh, struct user_msghdr __user *umsg, struct msghdr *msg,
		      unsigned int flags);

#endif
