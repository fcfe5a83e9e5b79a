/*
 * netlink.h: messages of AF_NETLINK sockets, and those of NETLINK_ROUTE about interfaces and addresses.
 */
#ifndef UAPI_NETLINK_H
#define UAPI_NETLINK_H

#include <weft/types.h>

#define NETLINK_ROUTE	0

struct sockaddr_nl {
	u16	nl_family;
	u16	nl_pad;
	u32	nl_pid;
	u32	nl_groups;
};

struct nlmsghdr {
	u32	nlmsg_len;			/* with this header */
	u16	nlmsg_type;
	u16	nlmsg_flags;
	u32	nlmsg_seq;
	u32	nlmsg_pid;
};
#define NLM_F_REQUEST	0x01
#define NLM_F_MULTI	0x02
#define NLM_F_ACK	0x04
#define NLM_F_DUMP	0x300
#define NLM_F_EXCL	0x200
#define NLMSG_ERROR	2
#define NLMSG_DONE	3
#define NLMSG_ALIGN(n)	(((n) + 3) & ~3U)

struct nlmsgerr {
	s32		error;
	struct nlmsghdr	msg;
};

struct nlattr {
	u16	nla_len;			/* with this header */
	u16	nla_type;
};

#define RTM_NEWLINK	16
#define RTM_GETLINK	18
#define RTM_SETLINK	19
#define RTM_NEWADDR	20
#define RTM_DELADDR	21
#define RTM_GETADDR	22

struct ifinfomsg {
	u8	ifi_family, pad;
	u16	ifi_type;
	s32	ifi_index;
	u32	ifi_flags, ifi_change;
};
struct ifaddrmsg {
	u8	ifa_family, ifa_prefixlen, ifa_flags, ifa_scope;
	u32	ifa_index;
};
#define IFLA_ADDRESS	1
#define IFLA_IFNAME	3
#define IFLA_MTU	4
#define IFA_ADDRESS	1
#define IFA_LOCAL	2
#define IFA_LABEL	3

#define IFF_UP		0x1
#define IFF_LOOPBACK	0x8
#define IFF_RUNNING	0x40
#define ARPHRD_LOOPBACK	772

#define SIOCGIFNAME	0x8910
#define SIOCGIFFLAGS	0x8913
#define SIOCGIFINDEX	0x8933
struct ifreq {
	char	ifr_name[16];
	union {
		s32	ifr_ifindex;
		s16	ifr_flags;
		u8	ifr_pad[24];
	};
};

#endif
