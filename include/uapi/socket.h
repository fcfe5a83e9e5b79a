/*
 * uapi/socket.h: addresses, messages and options of sockets (Linux ABI, x86-64).  See socket(7).
 */
#ifndef UAPI_SOCKET_H
#define UAPI_SOCKET_H

#include <weft/types.h>
#include <weft/compiler.h>

typedef unsigned short sa_family_t;

#define _K_SS_MAXSIZE	128
struct sockaddr {
	sa_family_t	sa_family;
	char		sa_data[14];
};
struct sockaddr_storage {
	sa_family_t	ss_family;
	char		data[_K_SS_MAXSIZE - sizeof(unsigned short)];
} __aligned(8);

struct iovec;

/* What sendmsg(2) and recvmsg(2) are given. */
struct user_msghdr {
	void __user	*msg_name;
	int		msg_namelen;
	struct iovec __user *msg_iov;
	size_t		msg_iovlen;
	void __user	*msg_control;
	size_t		msg_controllen;
	unsigned int	msg_flags;
};
struct mmsghdr {
	struct user_msghdr	msg_hdr;
	unsigned int		msg_len;
};
struct cmsghdr {
	size_t	cmsg_len;	/* with this header */
	int	cmsg_level;
	int	cmsg_type;
};
struct ucred {
	u32	pid, uid, gid;
};
struct linger {
	int	l_onoff, l_linger;
};
_Static_assert(sizeof(struct user_msghdr) == 56 && sizeof(struct mmsghdr) == 64 && sizeof(struct cmsghdr) == 16, "ABI");
_Static_assert(sizeof(struct sockaddr_storage) == 128 && sizeof(struct ucred) == 12, "ABI");

#define CMSG_ALIGN(len)		(((len) + sizeof(long) - 1) & ~(sizeof(long) - 1))
#define CMSG_SPACE(len)		(sizeof(struct cmsghdr) + CMSG_ALIGN(len))
#define CMSG_LEN(len)		(sizeof(struct cmsghdr) + (len))

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS	2

#define SOCK_STREAM	1
#define SOCK_DGRAM	2
#define SOCK_RAW	3
#define SOCK_SEQPACKET	5
#define SOCK_TYPE_MASK	0xf
#define SOCK_CLOEXEC	02000000
#define SOCK_NONBLOCK	00004000

#define AF_UNSPEC	0
#define AF_UNIX		1
#define AF_INET		2
#define AF_INET6	10
#define AF_NETLINK	16
#define AF_MAX		46
#define PF_UNIX		AF_UNIX

#define SOMAXCONN	4096

#define MSG_OOB		0x1
#define MSG_PEEK	0x2
#define MSG_DONTROUTE	0x4
#define MSG_CTRUNC	0x8
#define MSG_TRUNC	0x20
#define MSG_DONTWAIT	0x40
#define MSG_EOR		0x80
#define MSG_WAITALL	0x100
#define MSG_ERRQUEUE	0x2000
#define MSG_NOSIGNAL	0x4000
#define MSG_MORE	0x8000
#define MSG_WAITFORONE	0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT	0x80000000

#define SHUT_RD		0
#define SHUT_WR		1
#define SHUT_RDWR	2

#define SOL_SOCKET	1

#define SO_DEBUG	1
#define SO_REUSEADDR	2
#define SO_TYPE		3
#define SO_ERROR	4
#define SO_DONTROUTE	5
#define SO_BROADCAST	6
#define SO_SNDBUF	7
#define SO_RCVBUF	8
#define SO_KEEPALIVE	9
#define SO_OOBINLINE	10
#define SO_PRIORITY	12
#define SO_LINGER	13
#define SO_REUSEPORT	15
#define SO_PASSCRED	16
#define SO_PEERCRED	17
#define SO_RCVLOWAT	18
#define SO_SNDLOWAT	19
#define SO_RCVTIMEO	20
#define SO_SNDTIMEO	21
#define SO_PEERNAME	28
#define SO_TIMESTAMP	29
#define SO_ACCEPTCONN	30
#define SO_SNDBUFFORCE	32
#define SO_RCVBUFFORCE	33
#define SO_PROTOCOL	38
#define SO_DOMAIN	39
#define SO_PEEK_OFF	42
#define SO_COOKIE	57
#define SO_PEERGROUPS	59

#endif
