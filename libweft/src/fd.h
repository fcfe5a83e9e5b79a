/*
 * fd.h: what libweft knows of a descriptor.
 *
 * What:  struct fdent, one for each descriptor that a thread has waited for, and the way from the number to it.
 * Idea:  all that an exchange touches is in one cache line: between two requests the kernel's work throws out everything,
 *        so lines touched are what a request costs.  The first thread that waits for a direction needs no queue, only a
 *        pointer; further ones queue behind it.
 * Locking: lock is an object lock in the sense of internal.h; [w] under it.  ready, drained and hup are also read without: what
 *        they say is checked again under the lock before anybody waits.
 * See:   poller.c, io.c.
 */
#ifndef WEFT_FD_H
#define WEFT_FD_H
#include "internal.h"

enum { DIR_IN, DIR_OUT };
enum { FD_BLOCK = 1024, FD_BLOCKS = 1024 };

struct fdent {
	uint32_t		lock;
	uint8_t			registered, stream;	/* [w] */
	uint8_t			trusted;	/* [w] made by us, so its number cannot have changed hands behind our back */
	uint8_t			hup;		/* [w] no use in waiting: the other end has hung up */
	uint8_t			ready[2];	/* [w] an event came and nobody waited */
	uint8_t			drained;	/* [-] input known empty since the last try */
	uint8_t			error;		/* [w] closed under its waiters: an errno */
	int			fd;		/* [w] for dumps */
	struct weft_thread	*first[2];	/* [w] who waits, */
	struct weft_waitq	q[2];		/* [w] and who else */
} __attribute__((aligned(64)));

extern HIDDEN struct fdent *fd_table[FD_BLOCKS];

/* NULL when nobody has waited for it yet. */
static inline struct fdent *fd_entry(int fd)
{
	struct fdent *b;

	if (unlikely((unsigned int)fd >= FD_BLOCK * FD_BLOCKS))
		return NULL;
	b = a_load(&fd_table[(unsigned int)fd / FD_BLOCK]);
	return likely(b != NULL) ? b + (unsigned int)fd % FD_BLOCK : NULL;
}

/* Not 0 when a try to read would be in vain. */
static inline int fd_quiet(struct fdent *e)
{
	return e && a_peek(&e->drained) && !a_peek(&e->ready[DIR_IN]) && !a_peek(&e->hup);
}

/* After a read that got less than it asked for: a stream is empty then (epoll(7)), and its next event is an edge. */
static inline void fd_drained(struct fdent *e)
{
	if (e && a_peek(&e->registered) && a_peek(&e->stream))
		a_set(&e->drained, 1);
}

/* Threads claimed, to be made ready in this order. */
struct chain { struct weft_thread *first, **tail; };

static inline void chain_add(struct chain *c, struct weft_thread *t)
{
	*c->tail = t;
	c->tail = &t->next;
}

/* One operation for the ring; it lies on the stack of the thread that waits for it, unless apart. */
enum { RING_READ, RING_WRITE, RING_FSYNC, RING_READV, RING_WRITEV, RING_POLL, RING_RECV, RING_SEND };
struct ring_op {
	uint8_t			kind, dir;	/* dir: of e */
	uint8_t			done;		/* under ring.lock */
	uint8_t			apart;
	int			fd, result;
	uint32_t		flags;		/* of recv and send, or the events of a poll */
	void			*buf;
	size_t			n;
	off_t			offset;		/* -1: the file's own */
	struct fdent		*e;		/* NULL: a regular file, which needs no looking after */
	struct weft_thread	*t;
};

/* uring.c */
HIDDEN ssize_t uring_do(struct ring_op *op, weft_time_t deadline);
HIDDEN int uring_poll(struct fdent *e, int fd, int dir, weft_time_t deadline);
HIDDEN void uring_forget(struct fdent *e, int error);
HIDDEN int uring_wait(struct worker *w, weft_time_t timeout);
HIDDEN int uring_reap(struct chain *c);
HIDDEN void uring_kick(void);
/* poller.c */
HIDDEN struct fdent *fd_make_entry(int fd);
HIDDEN int fd_wait(int fd, int dir, weft_time_t deadline);
HIDDEN void fd_reset(int fd, int error);
#endif
