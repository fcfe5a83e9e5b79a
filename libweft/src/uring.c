/*
 * uring.c: input and output through io_uring, where the kernel has it.
 *
 * What:  uring_do(op, deadline) gives the kernel one operation and stops the calling thread until it is complete.  Regular files
 *        go this way by default; with WEFT_IO=io_uring sockets, pipes and all other waits do, and the ring is what idle workers
 *        sleep in (uring_wait) instead of epoll.
 * Idea:  in N:1 a thread that waits only writes its entry into the ring; the next look of the scheduler, which comes when no
 *        thread is ready or 64 have run, submits what they all have written and takes what is complete in one system call.  In
 *        M:N an entry is submitted at once: another worker could have the time for what its own has not.
 *        As a guest beside epoll (the default: files only) completions ring an eventfd that the poller watches.
 * Giving up: the kernel writes into the caller's memory until the operation is complete.  So whoever stops waiting (deadline,
 *        cancellation, weft_close by another) asks the kernel to cancel it, and the thread waits for the completion all the same.
 * Race:  the caller holds ring.lock until it is parked and published, and the reaper takes ring.lock, so a completion
 *        cannot be looked at before its thread can be claimed.
 * Locking: ring.lock (an object lock) guards the submission side, the completion side and the queues of struct fdent.
 * See:   io_uring(7).  No liburing: three system calls and two shared rings.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "fd.h"
#include "runq.h"

enum { ENTRIES = 512, COMPLETIONS = 4096, AHEAD = 6 };
enum { UD_KICK = 1, UD_NOTHING = 2 };		/* user_data that is no operation */

static struct {
	uint32_t		lock;
	int			fd, kickfd, state;	/* state: 0 not tried, 1 there, -1 not there */
	uint32_t		entries;	/* [I] */
	uint32_t		pending;	/* [w] entries written and not submitted */
	uint32_t		*sq_head, *sq_tail, *sq_mask, *sq_array, *sq_flags, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe	*sqe;
	struct io_uring_cqe	*cqe;
	struct chain		late;		/* [w] claimed, and not made ready yet */
} ring;

static const uint8_t code[] = {
	[RING_READ] = IORING_OP_READ, [RING_WRITE] = IORING_OP_WRITE, [RING_FSYNC] = IORING_OP_FSYNC, [RING_READV] = IORING_OP_READV,
	[RING_WRITEV] = IORING_OP_WRITEV, [RING_POLL] = IORING_OP_POLL_ADD, [RING_RECV] = IORING_OP_RECV, [RING_SEND] = IORING_OP_SEND,
};

/* Submitted by the scheduler in its own time; else at once. */
static inline int in_batches(void)
{
	return rt.io_mode == IO_URING && !rt.smp;
}

static int enter(uint32_t submit, uint32_t complete, uint32_t flags, weft_time_t timeout)
{
	struct timespec ts = { timeout / 1000000000, timeout % 1000000000 };
	struct io_uring_getevents_arg arg = { .ts = timeout > 0 ? (uintptr_t)&ts : 0 };

	if (complete)
		return arch_syscall6(SYS_io_uring_enter, ring.fd, submit, complete, flags | IORING_ENTER_EXT_ARG, (long)&arg, sizeof arg);
	return arch_syscall6(SYS_io_uring_enter, ring.fd, submit, 0, flags, 0, 0);
}

/* ring.lock held.  Everything written, to the kernel. */
static void submit(void)
{
	int r;

	while (ring.pending) {
		r = enter(ring.pending, 0, 0, 0);
		if (r > 0)
			ring.pending -= r;
		else if (r == -EBUSY || r == -EAGAIN)
			uring_reap(&ring.late);		/* no room for more completions, or no memory: make some */
		else if (r != -EINTR)
			die("io_uring_enter: error %d", -r);
	}
}

/* ring.lock held.  An empty entry; written() when it is full. */
static struct io_uring_sqe *next_entry(void)
{
	struct io_uring_sqe *s;
	uint32_t i;

	if (ring.pending == ring.entries)
		submit();
	i = *ring.sq_tail & *ring.sq_mask;
	s = &ring.sqe[i];
	memset(s, 0, sizeof *s);
	ring.sq_array[i] = i;
	return s;
}

static void written(void)
{
	a_store(ring.sq_tail, *ring.sq_tail + 1);
	ring.pending++;
	if (!in_batches())
		submit();
}

/* ring.lock held.  One wake-up of whoever sleeps in the ring; asked for anew each time. */
static void watch_kicks(void)
{
	struct io_uring_sqe *s = next_entry();

	s->opcode = IORING_OP_POLL_ADD;
	s->fd = ring.kickfd;
	s->poll32_events = POLLIN;
	s->user_data = UD_KICK;
	written();
}

/* ring.lock held.  The operation completes soon, as cancelled if it was not already done. */
static void ask_to_cancel(struct ring_op *op)
{
	struct io_uring_sqe *s = next_entry();

	s->opcode = IORING_OP_ASYNC_CANCEL;
	s->fd = -1;
	s->addr = (uintptr_t)op;
	s->user_data = UD_NOTHING;
	written();
}

/* ring.lock held.  Not a moment earlier than here is op's memory its owner's again. */
static inline void complete(struct ring_op *op, int result, struct chain *c)
{
	struct weft_thread *t = op->t;

	if (op->e)
		wq_remove(&op->e->q[op->dir], &t->waiter);
	op->result = result;
	op->done = 1;
	if (claim(t, W_SIGNALLED))
		chain_add(c, t);
}

/* ring.lock held.  Takes what is complete; returns whether a kick was among it. */
int uring_reap(struct chain *c)
{
	uint32_t head = *ring.cq_head, tail = a_load(ring.cq_tail), mask = *ring.cq_mask;
	int kicked = 0;
	uint64_t n;

	for (; head != tail; head++) {
		struct io_uring_cqe *q = &ring.cqe[head & mask];
		uint64_t ahead = ring.cqe[(head + AHEAD) & mask].user_data, soon = ring.cqe[(head + AHEAD / 2) & mask].user_data;

		if (tail - head > AHEAD)
			__builtin_prefetch((void *)(uintptr_t)ahead, 1);
		if (tail - head > AHEAD / 2 && soon > UD_NOTHING)
			__builtin_prefetch(((struct ring_op *)(uintptr_t)soon)->t, 1);
		if (likely(q->user_data > UD_NOTHING)) {
			complete((struct ring_op *)(uintptr_t)q->user_data, q->res, c);
		} else if (q->user_data == UD_KICK) {
			kicked = 1;
			(void)!arch_syscall6(SYS_read, ring.kickfd, (long)&n, sizeof n, 0, 0, 0);
		}
	}
	a_store(ring.cq_head, head);
	return kicked;
}

static void make_ready(struct chain *c)
{
	*c->tail = NULL;
	if (c->first)
		ready_list(c->first);
}

/* ring.lock held: what submit() had to take. */
static struct chain take_late(void)
{
	struct chain c = { NULL, NULL };

	if (unlikely(ring.late.first != NULL)) {
		*ring.late.tail = NULL;
		c.first = ring.late.first;
	}
	ring.late = (struct chain){ NULL, &ring.late.first };
	return c;
}

/* As a guest of epoll: the eventfd has rung. */
static void bell_rings(void)
{
	struct chain c = { NULL, &c.first }, late;

	spin_lock(&ring.lock);
	late = take_late();
	uring_reap(&c);
	spin_unlock(&ring.lock);
	if (late.first)
		ready_list(late.first);
	make_ready(&c);
}

/* poller_wait when the ring is the poller; see there for what a kick means. */
int uring_wait(struct worker *w, weft_time_t timeout)
{
	struct chain c = { NULL, &c.first }, late;
	int r = 0, kicked;

	spin_lock(&ring.lock);
	if (timeout) {
		uint32_t pending = ring.pending;

		spin_unlock(&ring.lock);
		r = enter(pending, 1, IORING_ENTER_GETEVENTS, timeout);
		spin_lock(&ring.lock);
	} else if (ring.pending || (a_load(ring.sq_flags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))) {
		r = enter(ring.pending, 0, IORING_ENTER_GETEVENTS, 0);
	}
	if (r > 0)
		ring.pending -= r;
	late = take_late();
	kicked = uring_reap(&c);
	if (kicked)
		watch_kicks();
	spin_unlock(&ring.lock);
	if (timeout && (c.first || late.first))
		a_store(&w->sleeping, SLEEP_NO);
	if (unlikely(late.first != NULL))
		ready_list(late.first);
	make_ready(&c);
	if (kicked && !timeout && a_load(&rt.poll_lock))
		uring_kick();
	return r;
}

void uring_kick(void)
{
	uint64_t one = 1;

	(void)!arch_syscall6(SYS_write, ring.kickfd, (long)&one, sizeof one, 0, 0, 0);
}

/* ---- setting up ---- */

static void *map(int fd, size_t size, off_t at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	return p == MAP_FAILED ? NULL : p;
}

/* Has the kernel all of these operations? */
static int has_operations(int fd)
{
	union { struct io_uring_probe p; char room[sizeof(struct io_uring_probe) + 64 * sizeof(struct io_uring_probe_op)]; } u;
	unsigned int i;

	memset(&u, 0, sizeof u);
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, &u.p, 64) < 0)
		return 0;
	for (i = 0; i < sizeof code; i++)
		if (code[i] > u.p.last_op || !(u.p.ops[code[i]].flags & IO_URING_OP_SUPPORTED))
			return 0;
	return u.p.last_op >= IORING_OP_ASYNC_CANCEL && (u.p.ops[IORING_OP_ASYNC_CANCEL].flags & IO_URING_OP_SUPPORTED);
}

/* The newest way that this kernel knows: all completions are worked on when we ask, by the task that asks. */
static int open_ring(struct io_uring_params *p)
{
	static const uint32_t ways[] = {
		IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_CQSIZE, 0,
	};
	unsigned int i;
	int fd = -1;

	for (i = in_batches() ? 0 : 2; i < sizeof ways / sizeof *ways && fd < 0; i++) {
		memset(p, 0, sizeof *p);
		p->flags = ways[i];
		p->cq_entries = ways[i] ? COMPLETIONS : 0;
		fd = syscall(SYS_io_uring_setup, ENTRIES, p);
	}
	return fd;
}

static int set_up(void)
{
	const uint32_t wanted = IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS | (rt.io_mode == IO_URING ? IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL : 0);
	struct io_uring_params p;
	char *sq, *cq;
	int fd = open_ring(&p), ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0 || ev < 0 || (p.features & wanted) != wanted || !has_operations(fd))
		goto none;
	sq = map(fd, p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
	cq = map(fd, p.cq_off.cqes + p.cq_entries * sizeof *ring.cqe, IORING_OFF_CQ_RING);
	ring.sqe = map(fd, p.sq_entries * sizeof *ring.sqe, IORING_OFF_SQES);
	if (!sq || !cq || !ring.sqe)
		goto none;
	if (rt.io_mode != IO_URING && (syscall(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, &ev, 1) < 0 || poller_watch(ev, bell_rings)))
		goto none;
	ring.sq_head = (void *)(sq + p.sq_off.head);
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_flags = (void *)(sq + p.sq_off.flags);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqe = (void *)(cq + p.cq_off.cqes);
	ring.late.tail = &ring.late.first;
	ring.entries = p.sq_entries;
	ring.fd = fd;
	ring.kickfd = ev;
	if (rt.io_mode == IO_URING)
		watch_kicks();
	return 1;
none:
	if (fd >= 0)
		close(fd);
	if (ev >= 0)
		close(ev);
	return -1;
}

int uring_available(void)
{
	if (rt.io_mode == IO_EPOLL || rt.model == WEFT_1_1)
		return 0;
	if (unlikely(a_load(&ring.state) == 0)) {
		spin_lock(&ring.lock);
		if (ring.state == 0)
			a_store(&ring.state, set_up());
		spin_unlock(&ring.lock);
	}
	return a_load(&ring.state) > 0;
}

/* Before the first thread: the ring as the poller, or epoll without a word. */
void uring_start(void)
{
	if (rt.io_mode == IO_URING && !uring_available())
		rt.io_mode = IO_EPOLL;
}

/* A ring belongs to one model, and the next weft_init may choose another. */
void uring_stop(void)
{
	if (rt.io_mode != IO_URING)
		return;
	close(ring.fd);
	close(ring.kickfd);
	ring.pending = 0;
	ring.state = 0;
}

/* ---- operations ---- */

static void write_entry(const struct ring_op *op)
{
	struct io_uring_sqe *s = next_entry();

	s->opcode = code[op->kind];
	s->fd = op->fd;
	s->addr = (uintptr_t)op->buf;
	s->len = op->n;
	s->off = op->kind == RING_RECV || op->kind == RING_SEND ? 0 : op->offset;
	s->rw_flags = op->flags;	/* a union: of a poll the events, of recv and send their flags */
	s->user_data = (uintptr_t)op;
	written();
}

/*
 * Waits for op's completion; not before that does it return.  e, dir: the descriptor's entry, when others may close it meanwhile.
 * Returns the kernel's result, or -ETIMEDOUT, -ECANCELED, -EBADF (closed) when that ended it.
 */
ssize_t uring_do(struct ring_op *op, weft_time_t deadline)
{
	struct weft_thread *t = this_thread();
	uint32_t *lock = &ring.lock;
	struct worker *w = this_worker();
	int flags = PARK_IO | (op->apart ? 0 : PARK_NOPACK), why;

	op->t = t;
	op->done = 0;
	a_store(&w->io_begun, w->io_begun + 1);
	spin_lock(&ring.lock);
	if (op->e) {
		op->e->fd = op->fd;
		t->waiter.data = op;
		wq_append(&op->e->q[op->dir], &t->waiter);
	}
	write_entry(op);
	why = do_park(&lock, 1, deadline, flags, op->e ? op->dir ? "output" : "input" : "file", op->e);
	if (unlikely(why != W_SIGNALLED)) {
		spin_lock(&ring.lock);
		if (!op->done) {
			ask_to_cancel(op);
			park(&lock, 1, WEFT_FOREVER, flags | PARK_NOCANCEL, "cancelled I/O", op->e);
		} else {
			spin_unlock(&ring.lock);
		}
	}
	w = this_worker();
	a_store(&w->io_ended, w->io_ended + 1);
	if (op->result > 0 && (op->kind == RING_READ || op->kind == RING_RECV))
		san_written(&(struct iovec){ op->buf, op->n }, 1, op->result);
	else if (op->result > 0 && op->kind == RING_READV)
		san_written(op->buf, op->n, op->result);
	if (likely(op->result != -ECANCELED && op->result != -EINTR))
		return op->result;
	return why == W_TIMEDOUT ? -ETIMEDOUT : why == W_CANCELLED ? -ECANCELED : op->e && op->e->error ? -op->e->error : op->result;
}

/* fd_wait when the ring is the poller.  A packed thread's stack goes away while it waits, so its operation lies elsewhere. */
int uring_poll(struct fdent *e, int fd, int dir, weft_time_t deadline)
{
	struct ring_op op = { .kind = RING_POLL, .fd = fd, .flags = dir == DIR_IN ? POLLIN | POLLRDHUP : POLLOUT, .e = e, .dir = dir }, *copy;
	ssize_t r;

	if (!(this_thread()->flags & TF_PACKED)) {
		r = uring_do(&op, deadline);
	} else {
		copy = malloc(sizeof op);
		if (!copy)
			return -ENOMEM;
		*copy = op;
		copy->apart = 1;
		r = uring_do(copy, deadline);
		free(copy);
	}
	return r < 0 ? r : 0;
}

/* fd_reset: whoever waits for e's old file gets error. */
void uring_forget(struct fdent *e, int error)
{
	struct weft_waiter *n;
	int dir, any = 0;

	spin_lock(&ring.lock);
	e->error = error;
	for (dir = DIR_IN; dir <= DIR_OUT; dir++)
		for (n = e->q[dir].first; n; n = n->next, any = 1)
			ask_to_cancel(n->data);
	if (any)
		submit();
	spin_unlock(&ring.lock);
}
