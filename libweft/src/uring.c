/*
 * uring.c: file reads and writes through io_uring, where the kernel has it.
 *
 * What:  uring_do(op) submits one operation and stops the calling thread until it is complete.
 * Idea:  epoll says nothing useful about regular files; io_uring does them asynchronously without a helper thread.  One
 *        ring for the runtime; its completions ring an eventfd that the poller watches, so that a sleeping worker needs
 *        to wait in one place only.  Sockets and pipes stay with epoll: with edge-triggered registration they cost no
 *        more system calls, and bench-threads has not found the ring faster there.
 * Race:  the caller holds ring.lock until it is parked and published, and the reaper takes ring.lock, so a completion
 *        cannot be looked at before its thread can be claimed.
 * Locking: ring.lock (an object lock) guards the submission side and the completion side alike.
 * See:   io_uring(7).  No liburing: three system calls and two shared rings.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

enum { ENTRIES = 256 };

static struct {
	uint32_t		lock;
	int			fd, state;	/* state: 0 not tried, 1 there, -1 not there */
	uint32_t		*sq_head, *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe	*sqe;
	struct io_uring_cqe	*cqe;
	unsigned int		inflight;	/* under lock; never above ENTRIES, so neither ring can overflow */
} ring;
static weft_sem room = WEFT_SEM_INIT(ENTRIES);

static void *map(int fd, size_t size, off_t at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	return p == MAP_FAILED ? NULL : p;
}

static void reap(void)
{
	uint32_t head;

	spin_lock(&ring.lock);
	while ((head = *ring.cq_head) != a_load(ring.cq_tail)) {
		struct io_uring_cqe *c = &ring.cqe[head & *ring.cq_mask];
		struct file_op *op = (struct file_op *)(uintptr_t)c->user_data;

		op->result = c->res;
		a_store(ring.cq_head, head + 1);
		ring.inflight--;
		/* Always ours to win: the wait has no deadline and no cancellation. */
		if (claim(op->t, W_SIGNALLED))
			ready(op->t);
	}
	spin_unlock(&ring.lock);
}

static int set_up(void)
{
	struct io_uring_params p;
	char *sq, *cq;
	int fd, ev;

	memset(&p, 0, sizeof p);
	fd = syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (fd < 0)
		return -1;
	sq = map(fd, p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
	cq = map(fd, p.cq_off.cqes + p.cq_entries * sizeof *ring.cqe, IORING_OFF_CQ_RING);
	ring.sqe = map(fd, p.sq_entries * sizeof *ring.sqe, IORING_OFF_SQES);
	ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!sq || !cq || !ring.sqe || ev < 0 || syscall(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, &ev, 1) < 0 ||
	    poller_watch(ev, reap)) {
		close(fd);
		return -1;
	}
	ring.sq_head = (void *)(sq + p.sq_off.head);
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqe = (void *)(cq + p.cq_off.cqes);
	ring.fd = fd;
	return 1;
}

int uring_available(void)
{
	if (rt.io_mode || rt.model == WEFT_1_1)
		return 0;
	if (a_load(&ring.state) == 0) {
		spin_lock(&ring.lock);
		if (ring.state == 0)
			a_store(&ring.state, set_up());
		spin_unlock(&ring.lock);
	}
	return a_load(&ring.state) > 0;
}

int uring_do(struct file_op *op)
{
	static const uint8_t code[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_READV, IORING_OP_WRITEV };
	uint32_t *lock = &ring.lock, tail, i;
	struct io_uring_sqe *s;
	struct worker *w;
	int r, error;

	weft_cancel_disable();
	weft_sem_wait(&room);
	op->t = this_thread();
	w = this_worker();
	a_store(&w->io_begun, w->io_begun + 1);
	spin_lock(&ring.lock);
	tail = *ring.sq_tail;
	i = tail & *ring.sq_mask;
	s = &ring.sqe[i];
	memset(s, 0, sizeof *s);
	s->opcode = code[op->op];
	s->fd = op->fd;
	s->addr = (uintptr_t)op->buf;
	s->len = op->n;
	s->off = op->offset;
	s->user_data = (uintptr_t)op;
	ring.sq_array[i] = i;
	a_store(ring.sq_tail, tail + 1);
	do {
		r = syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0);
		error = r < 0 ? os_errno() : 0;
	} while (error == EINTR || error == EAGAIN || error == EBUSY);
	if (r == 1) {
		ring.inflight++;
		park(&lock, 1, WEFT_FOREVER, PARK_NOCANCEL | PARK_NOPACK, "file", op);
	} else {
		a_store(ring.sq_tail, tail);	/* the kernel has not taken it */
		op->result = -error;
		spin_unlock(&ring.lock);
	}
	w = this_worker();
	a_store(&w->io_ended, w->io_ended + 1);
	weft_sem_post(&room);
	weft_cancel_enable();
	return op->result;
}
