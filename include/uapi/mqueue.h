/*
 * uapi/mqueue.h: POSIX message queues.  Source: mq_overview(7), mq_getattr(3).
 */
#ifndef UAPI_MQUEUE_H
#define UAPI_MQUEUE_H

#define MQ_PRIO_MAX	32768

struct mq_attr {
	long	mq_flags;	/* O_NONBLOCK or 0 */
	long	mq_maxmsg, mq_msgsize, mq_curmsgs;
	long	__reserved[4];
};
_Static_assert(sizeof(struct mq_attr) == 64, "ABI");

#endif
