/*
 * uring.h: a little library for tests of io_uring by its system calls, so that every index that a program may write can
 * also be written wrong.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "t.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

struct ring {
	int fd;
	unsigned flags, *sq_head, *sq_tail, *sq_flags, *sq_dropped, *array, *cq_head, *cq_tail, *cq_overflow;
	unsigned sq_mask, cq_mask, sq_entries, cq_entries, queued;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	void *mem;
	size_t mem_size;
};

static int setup(unsigned entries, struct io_uring_params *p)
{
	return syscall(SYS_io_uring_setup, entries, p);
}

static int enter_fd(int fd, unsigned submit, unsigned min, unsigned flags, void *arg, size_t size)
{
	return syscall(SYS_io_uring_enter, fd, submit, min, flags, arg, size);
}

static int reg(struct ring *r, unsigned op, void *arg, unsigned nr)
{
	return syscall(SYS_io_uring_register, r->fd, op, arg, nr);
}

static struct ring open_ring_sized(unsigned entries, unsigned flags, unsigned cq)
{
	struct io_uring_params p = { .flags = flags | (cq ? IORING_SETUP_CQSIZE : 0), .cq_entries = cq };
	struct ring r = { .flags = flags };

	r.fd = setup(entries, &p);
	if (r.fd < 0 && (errno == ENOSYS || errno == EPERM))
		SKIP("no io_uring");
	if (r.fd < 0)
		FAIL("io_uring_setup: %s", strerror(errno));
	CHECK(p.features & IORING_FEAT_SINGLE_MMAP);
	r.mem_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (r.mem_size < p.sq_off.array + p.sq_entries * 4)
		r.mem_size = p.sq_off.array + p.sq_entries * 4;
	char *m = r.mem = mmap(NULL, r.mem_size, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, IORING_OFF_SQ_RING);
	CHECK(r.mem != MAP_FAILED);
	r.sqes = mmap(NULL, p.sq_entries * 64, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, IORING_OFF_SQES);
	CHECK(r.sqes != MAP_FAILED);
	r.sq_head = (void *)(m + p.sq_off.head);
	r.sq_tail = (void *)(m + p.sq_off.tail);
	r.sq_flags = (void *)(m + p.sq_off.flags);
	r.sq_dropped = (void *)(m + p.sq_off.dropped);
	r.array = (void *)(m + p.sq_off.array);
	r.cq_head = (void *)(m + p.cq_off.head);
	r.cq_tail = (void *)(m + p.cq_off.tail);
	r.cq_overflow = (void *)(m + p.cq_off.overflow);
	r.cqes = (void *)(m + p.cq_off.cqes);
	r.sq_entries = p.sq_entries;
	r.cq_entries = p.cq_entries;
	r.sq_mask = p.sq_entries - 1;
	r.cq_mask = p.cq_entries - 1;
	CHECK_EQ(*(unsigned *)(m + p.sq_off.ring_mask), r.sq_mask);
	CHECK_EQ(*(unsigned *)(m + p.cq_off.ring_entries), r.cq_entries);
	return r;
}

static struct ring open_ring(unsigned entries, unsigned flags)
{
	return open_ring_sized(entries, flags, 0);
}

static void close_ring(struct ring *r)
{
	munmap(r->mem, r->mem_size);
	munmap(r->sqes, r->sq_entries * 64);
	close(r->fd);
}

static struct io_uring_sqe *sqe(struct ring *r, int op, int fd, const void *addr, unsigned len, uint64_t off, uint64_t data)
{
	unsigned tail = *r->sq_tail + r->queued++, i = tail & r->sq_mask;
	struct io_uring_sqe *s = &r->sqes[i];

	memset(s, 0, sizeof(*s));
	r->array[i] = i;
	s->opcode = op;
	s->fd = fd;
	s->addr = (uintptr_t)addr;
	s->len = len;
	s->off = off;
	s->user_data = data;
	return s;
}

static int submit(struct ring *r, unsigned wait)
{
	unsigned n = r->queued;

	r->queued = 0;
	__atomic_store_n(r->sq_tail, *r->sq_tail + n, __ATOMIC_RELEASE);
	return enter_fd(r->fd, n, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

static bool peek(struct ring *r, struct io_uring_cqe *out)
{
	unsigned head = *r->cq_head;

	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*out = r->cqes[head & r->cq_mask];
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

/* The next completion, waited for. */
static struct io_uring_cqe reap(struct ring *r)
{
	struct io_uring_cqe c;

	while (!peek(r, &c))
		if (enter_fd(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
			FAIL("waiting: %s", strerror(errno));
	return c;
}

static void expect(struct ring *r, uint64_t data, int res)
{
	struct io_uring_cqe c = reap(r);

	if (c.user_data != data || c.res != res)
		FAIL("completion %llu with %d, not %llu with %d", (unsigned long long)c.user_data, c.res,
		     (unsigned long long)data, res);
}

/* In any order: completions[i] is the result of user_data i. */
static void reap_all(struct ring *r, int n, int *results)
{
	for (int i = 0; i < n; i++) {
		struct io_uring_cqe c = reap(r);

		if (c.user_data >= (uint64_t)n)
			FAIL("user_data %llu", (unsigned long long)c.user_data);
		results[c.user_data] = c.res;
	}
}

static void expect_none(struct ring *r)
{
	struct io_uring_cqe c;

	if (peek(r, &c))
		FAIL("completion %llu with %d came early", (unsigned long long)c.user_data, c.res);
}

static int temp_file(void)
{
	char name[] = "/tmp/uring-XXXXXX";
	int fd = CHECK_OK(mkstemp(name));

	unlink(name);
	return fd;
}

static struct __kernel_timespec ms(long n)
{
	return (struct __kernel_timespec){ n / 1000, n % 1000 * 1000000 };
}
