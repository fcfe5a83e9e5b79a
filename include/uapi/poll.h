/*
 * poll.h: poll(2)'s events and its structure: the Linux x86-64 ABI.
 */
#ifndef UAPI_POLL_H
#define UAPI_POLL_H

#include <weft/types.h>

typedef unsigned int __poll_t;

#define POLLIN		0x0001
#define POLLPRI		0x0002
#define POLLOUT		0x0004
#define POLLERR		0x0008
#define POLLHUP		0x0010
#define POLLNVAL	0x0020
#define POLLRDNORM	0x0040
#define POLLRDBAND	0x0080
#define POLLWRNORM	0x0100
#define POLLWRBAND	0x0200
#define POLLMSG		0x0400
#define POLLREMOVE	0x1000
#define POLLRDHUP	0x2000
#define POLLFREE	0x4000	/* kernel only: the wait queue head goes away */
#define POLL_BUSY_LOOP	0x8000

struct pollfd {
	int	fd;
	short	events;
	short	revents;
};
_Static_assert(sizeof(struct pollfd) == 8, "struct pollfd");

/* select(2): one bit a descriptor. */
#define __FD_SETSIZE	1024
typedef struct {
	unsigned long fds_bits[__FD_SETSIZE / (8 * sizeof(long))];
} fd_set;

#endif
