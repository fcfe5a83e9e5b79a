/*
 * uring.c: io_uring by its system calls: files, pipes, polls, time-outs, chains, sockets, workers, limits, nonsense
 * (io_uring(7)).  A little library of its own, so that every index that a program may write can also be written wrong.
 */
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

TEST(setup_errors)
{
	struct io_uring_params p = { 0 };

	int fd = setup(1, &p);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		SKIP("no io_uring");
	CHECK(fd >= 0);
	CHECK_EQ(p.sq_entries, 1);
	CHECK_EQ(p.cq_entries, 2);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	memset(&p, 0, sizeof(p));
	CHECK_ERR(setup(0, &p), EINVAL);
	CHECK_ERR(setup(1u << 20, &p), EINVAL);
	CHECK_ERR(setup(4, NULL), EFAULT);
	p.flags = 1u << 31;
	CHECK_ERR(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .resv = { 0, 1 } };
	CHECK_ERR(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = 2 };
	CHECK_ERR(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_CLAMP };
	fd = CHECK_OK(setup(1u << 20, &p));
	CHECK_EQ(p.sq_entries, 32768);
	CHECK_ERR(enter_fd(fd, 0, 0, 1u << 30, NULL, 0), EINVAL);
	CHECK_ERR(enter_fd(0, 0, 0, 0, NULL, 0), EOPNOTSUPP);
	CHECK_ERR(enter_fd(-1, 0, 0, 0, NULL, 0), EBADF);
	CHECK_ERR(syscall(SYS_io_uring_register, fd, 1000, NULL, 0), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x20000000) == MAP_FAILED);
	close(fd);
}

TEST(nops)
{
	struct ring r = open_ring(8, 0);

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 8; i++)
			sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, round * 8 + i);
		CHECK_EQ(submit(&r, 8), 8);
		for (int i = 0; i < 8; i++)
			expect(&r, round * 8 + i, 0);
	}
	sqe(&r, 200, -1, NULL, 0, 0, 1);
	CHECK_EQ(submit(&r, 0), 1);
	expect(&r, 1, -EINVAL);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = 0x80;
	CHECK_EQ(submit(&r, 0), 1);
	expect(&r, 2, -EINVAL);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3)->flags = IOSQE_ASYNC;
	CHECK_EQ(submit(&r, 0), 1);
	expect(&r, 3, 0);
	close_ring(&r);
}

TEST(overflow_is_kept)
{
	struct ring r = open_ring_sized(4, 0, 4);

	for (int i = 0; i < 20; i += 4) {
		for (int j = 0; j < 4; j++)
			sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i + j);
		CHECK_EQ(submit(&r, 0), 4);
	}
	CHECK(*r.sq_flags & IORING_SQ_CQ_OVERFLOW);
	for (int i = 0; i < 20; i++)
		expect(&r, i, 0);
	expect_none(&r);
	CHECK_EQ(*r.cq_overflow, 0);
	CHECK(!(*r.sq_flags & IORING_SQ_CQ_OVERFLOW));
	close_ring(&r);
}

TEST(bad_indices)
{
	struct ring r = open_ring(4, 0);
	unsigned dropped = *r.sq_dropped;

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	r.array[*r.sq_tail & r.sq_mask] = 0x40000000;
	submit(&r, 0);
	CHECK_EQ(*r.sq_dropped, dropped + 1);
	*r.sq_tail += 0x7fffffff;		/* more than there are: no more than a ring full is looked at */
	for (int i = 0; i < 4; i++)
		r.array[i] = 0x123456 + i;
	for (int i = 0; i < 10; i++)
		enter_fd(r.fd, 1000, 0, 0, NULL, 0);
	close_ring(&r);
	r = open_ring(4, 0);
	*r.cq_head = 0x55555555;		/* any value: only our own completions suffer */
	for (int i = 0; i < 4; i++)
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
	submit(&r, 0);
	close_ring(&r);
}

TEST(files)
{
	struct ring r = open_ring(8, 0);
	int fd = temp_file();
	char a[16] = "hello, ", b[16] = "world", buf[32] = "";
	struct iovec w[2] = { { a, 7 }, { b, 5 } }, rd[2] = { { buf, 4 }, { buf + 4, 20 } };

	sqe(&r, IORING_OP_WRITEV, fd, w, 2, 0, 1);
	CHECK_EQ(submit(&r, 1), 1);
	memset(w, 0xff, sizeof(w));		/* the entry has been read: nobody needs this any more */
	expect(&r, 1, 12);
	sqe(&r, IORING_OP_READV, fd, rd, 2, 0, 2);
	submit(&r, 1);
	expect(&r, 2, 12);
	CHECK_STR(buf, "hello, world");
	sqe(&r, IORING_OP_WRITE, fd, "W", 1, 7, 3);
	submit(&r, 1);
	expect(&r, 3, 1);
	sqe(&r, IORING_OP_FSYNC, fd, NULL, 0, 0, 4);
	submit(&r, 1);
	expect(&r, 4, 0);
	memset(buf, 0, sizeof(buf));
	sqe(&r, IORING_OP_READ, fd, buf, 5, 7, 5);
	submit(&r, 1);
	expect(&r, 5, 5);
	CHECK_STR(buf, "World");
	sqe(&r, IORING_OP_READ, fd, buf, 5, -1, 6);	/* the file's own position */
	sqe(&r, IORING_OP_READ, fd, buf, 20, 100, 7);
	sqe(&r, IORING_OP_READ, fd, NULL, 5, 0, 8);
	sqe(&r, IORING_OP_READ, 999, buf, 5, 0, 9);
	submit(&r, 4);
	for (int i = 0; i < 4; i++) {
		struct io_uring_cqe c = reap(&r);

		CHECK_EQ(c.res, c.user_data == 6 ? 5 : c.user_data == 7 ? 0 : c.user_data == 8 ? -EFAULT : -EBADF);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	sqe(&r, IORING_OP_FALLOCATE, fd, (void *)(intptr_t)8192, 0, 0, 10);
	submit(&r, 1);
	expect(&r, 10, 0);
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	close_ring(&r);
}

TEST(fixed_buffers)
{
	struct ring r = open_ring(8, 0);
	size_t size = 3 * 4096;
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = { { mem + 100, 8000 }, { mem + 9000, 100 } };
	int fd = temp_file();

	CHECK_ERR(reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0), ENXIO);
	CHECK_OK(reg(&r, IORING_REGISTER_BUFFERS, iov, 2));
	CHECK_ERR(reg(&r, IORING_REGISTER_BUFFERS, iov, 2), EBUSY);
	for (int i = 0; i < 8000; i++)
		mem[100 + i] = i % 251;
	sqe(&r, IORING_OP_WRITE_FIXED, fd, mem + 100, 8000, 0, 1)->buf_index = 0;
	submit(&r, 1);
	expect(&r, 1, 8000);
	sqe(&r, IORING_OP_READ_FIXED, fd, mem + 9000, 50, 5000, 2)->buf_index = 1;
	submit(&r, 1);
	expect(&r, 2, 50);
	for (int i = 0; i < 50; i++)
		CHECK_EQ((unsigned char)mem[9000 + i], (5000 + i) % 251);
	sqe(&r, IORING_OP_READ_FIXED, fd, mem + 9000, 101, 0, 3)->buf_index = 1;
	submit(&r, 1);
	expect(&r, 3, -EFAULT);
	sqe(&r, IORING_OP_READ_FIXED, fd, mem, 10, 0, 4)->buf_index = 0;
	submit(&r, 1);
	expect(&r, 4, -EFAULT);
	sqe(&r, IORING_OP_READ_FIXED, fd, mem, 10, 0, 5)->buf_index = 7;
	submit(&r, 1);
	expect(&r, 5, -EFAULT);
	CHECK_OK(reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0));
	iov[0].iov_base = (void *)8;
	CHECK_ERR(reg(&r, IORING_REGISTER_BUFFERS, iov, 1), EFAULT);
	close_ring(&r);
}

TEST(fixed_files)
{
	struct ring r = open_ring(8, 0);
	int p[2], fds[3], fd2;
	char buf[8] = "";

	CHECK_OK(pipe(p));
	fds[0] = p[0];
	fds[1] = p[1];
	fds[2] = -1;
	CHECK_OK(reg(&r, IORING_REGISTER_FILES, fds, 3));
	CHECK_ERR(reg(&r, IORING_REGISTER_FILES, fds, 3), EBUSY);
	close(p[0]);
	close(p[1]);
	sqe(&r, IORING_OP_WRITE, 1, "abc", 3, 0, 1)->flags = IOSQE_FIXED_FILE;
	submit(&r, 1);
	expect(&r, 1, 3);
	sqe(&r, IORING_OP_READ, 0, buf, 8, 0, 2)->flags = IOSQE_FIXED_FILE;
	submit(&r, 1);
	expect(&r, 2, 3);
	CHECK_STR(buf, "abc");
	sqe(&r, IORING_OP_READ, 2, buf, 8, 0, 3)->flags = IOSQE_FIXED_FILE;
	submit(&r, 1);
	expect(&r, 3, -EBADF);
	fd2 = temp_file();
	struct io_uring_rsrc_update u = { .offset = 2, .data = (uintptr_t)&fd2 };
	CHECK_EQ(reg(&r, IORING_REGISTER_FILES_UPDATE, &u, 1), 1);
	u.offset = 3;
	CHECK_ERR(reg(&r, IORING_REGISTER_FILES_UPDATE, &u, 1), EINVAL);
	sqe(&r, IORING_OP_WRITE, 2, "xyz", 3, 0, 4)->flags = IOSQE_FIXED_FILE;
	submit(&r, 1);
	expect(&r, 4, 3);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "/proc/self/stat", 0, 0, 5);
	s->open_flags = O_RDONLY;
	s->file_index = 1;
	s->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_READ, 0, buf, 1, 0, 6)->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	s = sqe(&r, IORING_OP_CLOSE, 0, NULL, 0, 0, 7);
	s->file_index = 1;
	submit(&r, 3);
	expect(&r, 5, 0);
	expect(&r, 6, 1);
	expect(&r, 7, 0);
	CHECK_OK(reg(&r, IORING_UNREGISTER_FILES, NULL, 0));
	CHECK_ERR(reg(&r, IORING_UNREGISTER_FILES, NULL, 0), ENXIO);
	close_ring(&r);
}

TEST(pipe_waits)
{
	struct ring r = open_ring(8, 0);
	char buf[8] = "";
	int p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], buf, 8, 0, 1);
	CHECK_EQ(submit(&r, 0), 1);
	expect_none(&r);
	CHECK_EQ(write(p[1], "hi", 2), 2);
	expect(&r, 1, 2);
	CHECK_STR(buf, "hi");
	sqe(&r, IORING_OP_READ, p[0], buf, 8, 0, 2);
	submit(&r, 0);
	close(p[1]);
	expect(&r, 2, 0);
	/* O_NONBLOCK does not mean anything for those who can wait otherwise */
	CHECK_OK(pipe2(p, O_NONBLOCK));
	sqe(&r, IORING_OP_READ, p[0], buf, 8, 0, 3);
	submit(&r, 0);
	expect_none(&r);
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect(&r, 3, 1);
	close_ring(&r);
}

TEST(many_readers)
{
	struct ring r = open_ring(64, 0);
	char buf[64];
	int p[2], got = 0;

	CHECK_OK(pipe(p));
	for (int i = 0; i < 64; i++)
		sqe(&r, IORING_OP_READ, p[0], buf + i, 1, 0, i);
	CHECK_EQ(submit(&r, 0), 64);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 64; i++) {
		struct io_uring_cqe c = reap(&r);

		got += c.res;
	}
	CHECK_EQ(got, 64);
	close_ring(&r);
}

TEST(polls)
{
	struct ring r = open_ring(8, 0);
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 1)->poll32_events = POLLIN;
	sqe(&r, IORING_OP_POLL_ADD, p[1], NULL, 0, 0, 2)->poll32_events = POLLOUT;
	submit(&r, 1);
	expect(&r, 2, POLLOUT);
	expect_none(&r);
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect(&r, 1, POLLIN);
	CHECK_EQ(read(p[0], &c, 1), 1);
	sqe(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 3)->poll32_events = POLLIN;
	submit(&r, 0);
	sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)3, 0, 0, 4);
	submit(&r, 2);
	int res[5] = { 0 };
	for (int i = 0; i < 2; i++) {
		struct io_uring_cqe e = reap(&r);

		res[e.user_data] = e.res;
	}
	CHECK_EQ(res[3], -ECANCELED);
	CHECK_EQ(res[4], 0);
	sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)99, 0, 0, 5);
	submit(&r, 1);
	expect(&r, 5, -ENOENT);
	close(p[1]);
	sqe(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 6)->poll32_events = POLLIN;
	submit(&r, 1);
	expect(&r, 6, POLLHUP);
	close_ring(&r);
}

TEST(poll_multishot)
{
	struct ring r = open_ring(8, 0);
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	struct io_uring_sqe *s = sqe(&r, IORING_OP_POLL_ADD, p[0], NULL, IORING_POLL_ADD_MULTI, 0, 1);
	s->poll32_events = POLLIN;
	submit(&r, 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(write(p[1], "x", 1), 1);
		struct io_uring_cqe e = reap(&r);
		CHECK_EQ(e.res, POLLIN);
		CHECK(e.flags & IORING_CQE_F_MORE);
		CHECK_EQ(read(p[0], &c, 1), 1);
	}
	s = sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)1, IORING_POLL_UPDATE_USER_DATA, 7, 2);
	submit(&r, 1);
	expect(&r, 2, 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect(&r, 7, POLLIN);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)7, 0, 0, 3);
	submit(&r, 2);
	for (int i = 0; i < 2; i++) {
		struct io_uring_cqe e = reap(&r);
		CHECK_EQ(e.res, e.user_data == 7 ? -ECANCELED : 0);
		CHECK(!(e.flags & IORING_CQE_F_MORE));
	}
	close_ring(&r);
}

TEST(timeouts)
{
	struct ring r = open_ring(8, 0);
	struct __kernel_timespec t = ms(50), lng = ms(100000);
	long long start = t_now_ns();
	int res[8];

	sqe(&r, IORING_OP_TIMEOUT, -1, &t, 1, 0, 1);
	submit(&r, 1);
	expect(&r, 1, -ETIME);
	CHECK(t_now_ns() - start >= 50000000);
	/* after one completion */
	sqe(&r, IORING_OP_TIMEOUT, -1, &lng, 1, 1, 0);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], 0);
	CHECK_EQ(res[1], 0);
	/* removed */
	sqe(&r, IORING_OP_TIMEOUT, -1, &lng, 1, 0, 0);
	submit(&r, 0);
	sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)0, 0, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], -ECANCELED);
	CHECK_EQ(res[1], 0);
	sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)77, 0, 0, 2);
	submit(&r, 1);
	expect(&r, 2, -ENOENT);
	/* changed */
	sqe(&r, IORING_OP_TIMEOUT, -1, &lng, 1, 0, 0);
	submit(&r, 0);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)0, 0, (uintptr_t)&t, 1);
	s->timeout_flags = IORING_TIMEOUT_UPDATE;
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], -ETIME);
	CHECK_EQ(res[1], 0);
	/* absolute, in the past */
	t = ms(1);
	sqe(&r, IORING_OP_TIMEOUT, -1, &t, 1, 0, 3)->timeout_flags = IORING_TIMEOUT_ABS;
	submit(&r, 1);
	expect(&r, 3, -ETIME);
	sqe(&r, IORING_OP_TIMEOUT, -1, &t, 2, 0, 4);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 9);
	submit(&r, 0);
	expect(&r, 4, -EINVAL);
	/* a refused entry ends the batch: the NOP is still there */
	CHECK_EQ(enter_fd(r.fd, 1, 0, 0, NULL, 0), 1);
	expect(&r, 9, 0);
	close_ring(&r);
}

TEST(enter_timeout)
{
	struct ring r = open_ring(4, 0);
	struct __kernel_timespec t = ms(30);
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&t };
	long long start = t_now_ns();

	CHECK_ERR(enter_fd(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)), ETIME);
	CHECK(t_now_ns() - start >= 30000000);
	CHECK_ERR(enter_fd(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, 3), EINVAL);
	CHECK_ERR(enter_fd(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)8, sizeof(arg)), EFAULT);
	CHECK_EQ(enter_fd(r.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0), 0);
	close_ring(&r);
}

static void on_alarm(int sig)
{
}

TEST(signal_ends_wait)
{
	struct ring r = open_ring(4, 0);
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerspec its = { .it_value = { 0, 20000000 }, .it_interval = { 0, 20000000 } };
	timer_t timer;

	sigaction(SIGUSR1, &sa, NULL);
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	CHECK_OK(timer_settime(timer, 0, &its, NULL));
	CHECK_ERR(enter_fd(r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0), EINTR);
	timer_delete(timer);
	close_ring(&r);
}

TEST(chains)
{
	struct ring r = open_ring(16, 0);
	int p[2], res[8];
	char buf[8];

	CHECK_OK(pipe(p));
	/* in order, across a wait */
	sqe(&r, IORING_OP_READ, p[0], buf, 2, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	submit(&r, 0);
	expect_none(&r);
	CHECK_EQ(write(p[1], "ab", 2), 2);
	expect(&r, 1, 2);
	expect(&r, 2, 0);
	expect(&r, 3, 0);
	/* broken by an error */
	sqe(&r, IORING_OP_READ, 999, buf, 2, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	submit(&r, 4);
	reap_all(&r, 4, res);
	CHECK_EQ(res[0], -EBADF);
	CHECK_EQ(res[1], -ECANCELED);
	CHECK_EQ(res[2], -ECANCELED);
	CHECK_EQ(res[3], 0);
	/* a hard link is not */
	sqe(&r, IORING_OP_READ, 999, buf, 2, 0, 1)->flags = IOSQE_IO_HARDLINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	submit(&r, 2);
	expect(&r, 1, -EBADF);
	expect(&r, 2, 0);
	/* a refused entry breaks all of its chain */
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, 200, -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	submit(&r, 3);
	reap_all(&r, 3, res);
	CHECK_EQ(res[0], -ECANCELED);
	CHECK_EQ(res[1], -EINVAL);
	CHECK_EQ(res[2], -ECANCELED);
	/* no completion for what went well */
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	submit(&r, 1);
	expect(&r, 2, 0);
	expect_none(&r);
	close_ring(&r);
}

TEST(long_chain)
{
	struct ring r = open_ring(512, 0);
	struct __kernel_timespec t = ms(1);
	struct io_uring_sqe *s = NULL;

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 512; i++) {
			s = i % 8 == 7 ? sqe(&r, IORING_OP_TIMEOUT, -1, &t, 1, 0, i) : sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
			s->timeout_flags = i % 8 == 7 ? IORING_TIMEOUT_ETIME_SUCCESS : 0;
			s->flags = IOSQE_IO_LINK;
		}
		s->flags = 0;
		CHECK_EQ(submit(&r, 512), 512);
		for (int i = 0; i < 512; i++)
			expect(&r, i, i % 8 == 7 ? -ETIME : 0);
	}
	close_ring(&r);
}

TEST(link_timeout)
{
	struct ring r = open_ring(8, 0);
	struct __kernel_timespec t = ms(30), lng = ms(100000);
	int p[2], res[3];
	char buf[8];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &t, 1, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], -ECANCELED);
	CHECK_EQ(res[1], -ETIME);
	sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &lng, 1, 0, 1);
	submit(&r, 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], 1);
	CHECK_EQ(res[1], -ECANCELED);
	/* at once done; and one that goes on after the timeout */
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &lng, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	submit(&r, 3);
	reap_all(&r, 3, res);
	CHECK_EQ(res[0], 0);
	CHECK_EQ(res[1], -ECANCELED);
	CHECK_EQ(res[2], 0);
	/* in a worker */
	sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, 0)->flags = IOSQE_IO_LINK | IOSQE_ASYNC;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &t, 1, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK(res[0] == -ECANCELED || res[0] == -EINTR);
	CHECK(res[1] == -ETIME || res[1] == -EALREADY);
	/* alone it is nothing */
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &lng, 1, 0, 5);
	submit(&r, 1);
	expect(&r, 5, -EINVAL);
	close_ring(&r);
}

TEST(drain)
{
	struct ring r = open_ring(8, 0);
	char buf[8];
	int p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, 1);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3)->flags = IOSQE_IO_DRAIN;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 4);
	submit(&r, 1);
	expect(&r, 2, 0);
	expect_none(&r);
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect(&r, 1, 1);
	expect(&r, 3, 0);
	expect(&r, 4, 0);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 5)->flags = IOSQE_IO_DRAIN;
	submit(&r, 1);
	expect(&r, 5, 0);
	close_ring(&r);
}

TEST(cancel)
{
	struct ring r = open_ring(16, 0);
	struct __kernel_timespec lng = ms(100000);
	int p[2], res[8];
	char buf[8];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, 0);
	submit(&r, 0);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)0, 0, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], -ECANCELED);
	CHECK_EQ(res[1], 0);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)55, 0, 0, 1);
	submit(&r, 1);
	expect(&r, 1, -ENOENT);
	/* under way in a worker */
	sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, 0)->flags = IOSQE_ASYNC;
	submit(&r, 0);
	for (;;) {	/* until it is found running, or caught before */
		t_sleep_ms(10);
		sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)0, 0, 0, 1);
		submit(&r, 2);
		reap_all(&r, 2, res);
		break;
	}
	CHECK(res[0] == -ECANCELED || res[0] == -EINTR);
	CHECK(res[1] == 0 || res[1] == -EALREADY);
	/* all of a descriptor; a timeout */
	for (int i = 0; i < 3; i++)
		sqe(&r, IORING_OP_READ, p[0], buf, 1, 0, i);
	submit(&r, 0);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_ASYNC_CANCEL, p[0], NULL, 0, 0, 3);
	s->cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
	submit(&r, 4);
	reap_all(&r, 4, res);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(res[i], -ECANCELED);
	CHECK_EQ(res[3], 3);
	sqe(&r, IORING_OP_TIMEOUT, -1, &lng, 1, 0, 0);
	submit(&r, 0);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)0, 0, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], -ECANCELED);
	CHECK_EQ(res[1], 0);
	close_ring(&r);
}

TEST(names)
{
	struct ring r = open_ring(8, 0);
	char dir[] = "/tmp/uring-XXXXXX", a[64], b[64], c[64];
	struct io_uring_sqe *s;
	struct statx stx;
	struct stat st;

	CHECK(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	snprintf(c, sizeof(c), "%s/c", dir);
	s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, a, 0600, 0, 1);
	s->open_flags = O_CREAT | O_RDWR | O_EXCL;
	submit(&r, 1);
	struct io_uring_cqe e = reap(&r);
	CHECK(e.res >= 0);
	CHECK_EQ(write(e.res, "12345", 5), 5);
	sqe(&r, IORING_OP_STATX, AT_FDCWD, a, STATX_SIZE, (uintptr_t)&stx, 2);
	submit(&r, 1);
	expect(&r, 2, 0);
	CHECK_EQ(stx.stx_size, 5);
	sqe(&r, IORING_OP_CLOSE, e.res, NULL, 0, 0, 3);
	submit(&r, 1);
	expect(&r, 3, 0);
	CHECK_ERR(fcntl(e.res, F_GETFD), EBADF);
	sqe(&r, IORING_OP_LINKAT, AT_FDCWD, a, AT_FDCWD, (uintptr_t)b, 4);
	submit(&r, 1);
	expect(&r, 4, 0);
	CHECK_OK(stat(b, &st));
	CHECK_EQ(st.st_nlink, 2);
	sqe(&r, IORING_OP_RENAMEAT, AT_FDCWD, b, AT_FDCWD, (uintptr_t)c, 5);
	submit(&r, 1);
	expect(&r, 5, 0);
	sqe(&r, IORING_OP_UNLINKAT, AT_FDCWD, c, 0, 0, 6);
	submit(&r, 1);
	expect(&r, 6, 0);
	sqe(&r, IORING_OP_SYMLINKAT, AT_FDCWD, a, 0, (uintptr_t)c, 7);
	submit(&r, 1);
	expect(&r, 7, 0);
	CHECK_OK(lstat(c, &st));
	CHECK(S_ISLNK(st.st_mode));
	sqe(&r, IORING_OP_MKDIRAT, AT_FDCWD, b, 0700, 0, 8);
	submit(&r, 1);
	expect(&r, 8, 0);
	sqe(&r, IORING_OP_UNLINKAT, AT_FDCWD, b, 0, 0, 9)->unlink_flags = AT_REMOVEDIR;
	submit(&r, 1);
	expect(&r, 9, 0);
	sqe(&r, IORING_OP_UNLINKAT, AT_FDCWD, b, 0, 0, 10);
	submit(&r, 1);
	expect(&r, 10, -ENOENT);
	sqe(&r, IORING_OP_OPENAT, AT_FDCWD, (void *)8, 0, 0, 11);
	submit(&r, 1);
	expect(&r, 11, -EFAULT);
	sqe(&r, IORING_OP_CLOSE, r.fd, NULL, 0, 0, 12);
	submit(&r, 1);
	expect(&r, 12, -EBADF);
	unlink(a);
	unlink(c);
	rmdir(dir);
	close_ring(&r);
}

TEST(sockets)
{
	struct ring r = open_ring(16, 0);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int sv[2], res[4];
	char buf[16] = "";

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	sqe(&r, IORING_OP_RECV, sv[0], buf, 16, 0, 0);
	submit(&r, 0);
	sqe(&r, IORING_OP_SEND, sv[1], "hello", 5, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], 5);
	CHECK_EQ(res[1], 5);
	CHECK_STR(buf, "hello");
	struct iovec iov = { buf, 16 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	sqe(&r, IORING_OP_RECVMSG, sv[0], &msg, 1, 0, 0);
	submit(&r, 0);
	iov.iov_base = NULL;			/* copied already */
	struct iovec out = { "again", 5 };
	struct msghdr omsg = { .msg_iov = &out, .msg_iovlen = 1 };
	sqe(&r, IORING_OP_SENDMSG, sv[1], &omsg, 1, 0, 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK_EQ(res[0], 5);
	CHECK_STR(buf, "again");
	sqe(&r, IORING_OP_SHUTDOWN, sv[1], NULL, SHUT_WR, 0, 1);
	submit(&r, 1);
	expect(&r, 1, 0);
	sqe(&r, IORING_OP_RECV, sv[0], buf, 16, 0, 2);
	submit(&r, 1);
	expect(&r, 2, 0);
	sqe(&r, IORING_OP_RECV, 0, buf, 16, 0, 3);
	submit(&r, 1);
	CHECK(reap(&r).res < 0);

	sqe(&r, IORING_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM, 1);
	submit(&r, 1);
	int l = reap(&r).res;
	CHECK(l >= 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/tmp/uring-sock-%d", getpid());
	unlink(sun.sun_path);
	CHECK_OK(bind(l, (void *)&sun, sizeof(sun)));
	CHECK_OK(listen(l, 5));
	sqe(&r, IORING_OP_ACCEPT, l, NULL, 0, 0, 0);
	submit(&r, 0);
	int c = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	sqe(&r, IORING_OP_CONNECT, c, &sun, 0, sizeof(sun), 1);
	submit(&r, 2);
	reap_all(&r, 2, res);
	CHECK(res[0] >= 0);
	CHECK_EQ(res[1], 0);
	CHECK_EQ(write(c, "z", 1), 1);
	CHECK_EQ(read(res[0], buf, 1), 1);
	/* accept again and again */
	sqe(&r, IORING_OP_ACCEPT, l, NULL, 0, 0, 7)->ioprio = IORING_ACCEPT_MULTISHOT;
	submit(&r, 0);
	for (int i = 0; i < 4; i++) {
		int s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

		CHECK_OK(connect(s, (void *)&sun, sizeof(sun)));
		struct io_uring_cqe e = reap(&r);
		CHECK_EQ(e.user_data, 7);
		CHECK(e.res >= 0 && e.flags & IORING_CQE_F_MORE);
		close(s);
		close(e.res);
	}
	unlink(sun.sun_path);
	close_ring(&r);
}

TEST(provided_buffers)
{
	struct ring r = open_ring(16, 0);
	char mem[4][64];
	int sv[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	struct io_uring_sqe *s = sqe(&r, IORING_OP_PROVIDE_BUFFERS, 4, mem, 64, 0, 1);
	s->buf_group = 3;
	submit(&r, 1);
	expect(&r, 1, 0);
	s = sqe(&r, IORING_OP_RECV, sv[0], NULL, 64, 0, 2);
	s->flags = IOSQE_BUFFER_SELECT;
	s->buf_group = 3;
	submit(&r, 0);
	CHECK_EQ(send(sv[1], "one", 3, 0), 3);
	struct io_uring_cqe e = reap(&r);
	CHECK_EQ(e.res, 3);
	CHECK(e.flags & IORING_CQE_F_BUFFER);
	CHECK(!memcmp(mem[e.flags >> 16], "one", 3));
	/* recv again and again until they are used up */
	s = sqe(&r, IORING_OP_RECV, sv[0], NULL, 0, 0, 5);
	s->flags = IOSQE_BUFFER_SELECT;
	s->buf_group = 3;
	s->ioprio = IORING_RECV_MULTISHOT;
	submit(&r, 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(send(sv[1], "abcd", 2 + i, 0), 2 + i);
		e = reap(&r);
		CHECK_EQ(e.res, 2 + i);
		CHECK((e.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE)) == (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
	}
	CHECK_EQ(send(sv[1], "x", 1, 0), 1);
	e = reap(&r);
	CHECK_EQ(e.res, -ENOBUFS);
	CHECK(!(e.flags & IORING_CQE_F_MORE));
	sqe(&r, IORING_OP_REMOVE_BUFFERS, 4, NULL, 0, 0, 6)->buf_group = 9;
	submit(&r, 1);
	expect(&r, 6, -ENOENT);
	close_ring(&r);
}

TEST(buffer_ring)
{
	struct ring r = open_ring(16, 0);
	struct io_uring_buf *br = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_buf_reg breg = { .ring_addr = (uintptr_t)br, .ring_entries = 4, .bgid = 1 };
	char mem[4][32], *p = (char *)br;
	int fds[2];

	CHECK_OK(reg(&r, IORING_REGISTER_PBUF_RING, &breg, 1));
	CHECK_ERR(reg(&r, IORING_REGISTER_PBUF_RING, &breg, 1), EEXIST);
	for (int i = 0; i < 4; i++) {
		br[i].addr = (uintptr_t)mem[i];
		br[i].len = 32;
		br[i].bid = 10 + i;
	}
	__atomic_store_n((uint16_t *)(p + 14), 4, __ATOMIC_RELEASE);
	CHECK_OK(pipe(fds));
	for (int i = 0; i < 4; i++) {
		struct io_uring_sqe *s = sqe(&r, IORING_OP_READ, fds[0], NULL, 32, 0, i);
		s->flags = IOSQE_BUFFER_SELECT;
		s->buf_group = 1;
		submit(&r, 0);
		CHECK_EQ(write(fds[1], "data", 4), 4);
		struct io_uring_cqe e = reap(&r);
		CHECK_EQ(e.res, 4);
		CHECK_EQ(e.flags >> 16, 10 + i);
		CHECK(!memcmp(mem[i], "data", 4));
	}
	breg.ring_addr = 0;
	CHECK_OK(reg(&r, IORING_UNREGISTER_PBUF_RING, &breg, 1));
	CHECK_ERR(reg(&r, IORING_UNREGISTER_PBUF_RING, &breg, 1), ENOENT);
	close_ring(&r);
}

TEST(splices)
{
	struct ring r = open_ring(8, 0);
	int a[2], b[2];
	char buf[8] = "";

	CHECK_OK(pipe(a));
	CHECK_OK(pipe(b));
	CHECK_EQ(write(a[1], "spliced", 7), 7);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_TEE, b[1], NULL, 3, 0, 1);
	s->splice_fd_in = a[0];
	submit(&r, 1);
	expect(&r, 1, 3);
	s = sqe(&r, IORING_OP_SPLICE, b[1], (void *)-1, 7, -1, 2);
	s->splice_fd_in = a[0];
	submit(&r, 1);
	expect(&r, 2, 7);
	CHECK_EQ(read(b[0], buf, 3), 3);
	CHECK_STR(buf, "spl");
	CHECK_EQ(read(b[0], buf, 7), 7);
	CHECK_STR(buf, "spliced");
	close_ring(&r);
}

TEST(eventfd_tells)
{
	struct ring r = open_ring(8, 0);
	int ev = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	uint64_t n;

	CHECK_OK(reg(&r, IORING_REGISTER_EVENTFD, &ev, 1));
	CHECK_ERR(reg(&r, IORING_REGISTER_EVENTFD, &ev, 1), EBUSY);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	submit(&r, 1);
	CHECK_EQ(read(ev, &n, 8), 8);
	expect(&r, 1, 0);
	CHECK_OK(reg(&r, IORING_UNREGISTER_EVENTFD, NULL, 0));
	CHECK_ERR(reg(&r, IORING_UNREGISTER_EVENTFD, NULL, 0), ENXIO);
	close_ring(&r);
}

TEST(ring_can_be_polled)
{
	struct ring r = open_ring(8, 0);
	struct pollfd pfd = { r.fd, POLLIN, 0 };
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	sqe(&r, IORING_OP_READ, p[0], &c, 1, 0, 1);
	submit(&r, 0);
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(poll(&pfd, 1, 60000), 1);
	CHECK_EQ(pfd.revents, POLLIN);
	expect(&r, 1, 1);
	int ep = CHECK_OK(epoll_create1(0));
	struct epoll_event ev = { .events = EPOLLIN };
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, r.fd, &ev));
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	submit(&r, 0);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 60000), 1);
	expect(&r, 2, 0);
	close_ring(&r);
}

TEST(probe_and_registration)
{
	struct ring r = open_ring(8, 0);
	struct io_uring_probe *p = calloc(1, sizeof(*p) + 64 * sizeof(p->ops[0]));

	CHECK_OK(reg(&r, IORING_REGISTER_PROBE, p, 64));
	CHECK(p->last_op >= IORING_OP_LINKAT);
	for (int i = 0; i <= IORING_OP_LINKAT; i++)
		CHECK_EQ(p->ops[i].flags & IO_URING_OP_SUPPORTED, IO_URING_OP_SUPPORTED);
	int id = CHECK_OK(reg(&r, IORING_REGISTER_PERSONALITY, NULL, 0));
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->personality = id;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->personality = id + 5;
	submit(&r, 0);
	expect(&r, 1, 0);
	expect(&r, 2, -EINVAL);
	CHECK_OK(reg(&r, IORING_UNREGISTER_PERSONALITY, NULL, id));
	CHECK_ERR(reg(&r, IORING_UNREGISTER_PERSONALITY, NULL, id), EINVAL);
	unsigned counts[2] = { 0, 0 };
	CHECK_OK(reg(&r, IORING_REGISTER_IOWQ_MAX_WORKERS, counts, 2));
	CHECK(counts[0] > 0 && counts[1] > 0);
	close_ring(&r);

	r = open_ring(8, IORING_SETUP_R_DISABLED);
	struct io_uring_restriction res[2] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_ENABLE_RINGS },
	};
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	CHECK_ERR(enter_fd(r.fd, 1, 0, 0, NULL, 0), EBADFD);
	r.queued = 0;
	CHECK_OK(reg(&r, IORING_REGISTER_RESTRICTIONS, res, 2));
	CHECK_OK(reg(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	CHECK_ERR(reg(&r, IORING_REGISTER_PERSONALITY, NULL, 0), EACCES);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	sqe(&r, IORING_OP_FSYNC, 0, NULL, 0, 0, 2);
	submit(&r, 0);
	expect(&r, 1, 0);
	expect(&r, 2, -EACCES);
	close_ring(&r);
}

TEST(ring_in_flight_at_close)
{
	char c[4];
	int p[2];

	for (int i = 0; i < 20; i++) {
		struct ring r = open_ring(8, 0);
		struct __kernel_timespec lng = ms(100000);

		CHECK_OK(pipe(p));
		sqe(&r, IORING_OP_READ, p[0], c, 1, 0, 1);
		sqe(&r, IORING_OP_READ, p[0], c + 1, 1, 0, 2)->flags = IOSQE_ASYNC;
		sqe(&r, IORING_OP_TIMEOUT, -1, &lng, 1, 0, 3);
		sqe(&r, IORING_OP_POLL_ADD, r.fd, NULL, 0, 0, 4)->poll32_events = POLLPRI;
		submit(&r, 0);
		close_ring(&r);
		close(p[0]);
		close(p[1]);
	}
}

TEST(exit_and_exec_in_flight)
{
	for (int i = 0; i < 12; i++) {
		pid_t pid = fork();

		if (!pid) {
			struct ring r = open_ring(8, 0);
			char c[4];
			int p[2];

			if (pipe(p))
				_exit(1);
			sqe(&r, IORING_OP_READ, p[0], c, 1, 0, 1);
			sqe(&r, IORING_OP_READ, p[0], c, 1, 0, 2)->flags = IOSQE_ASYNC;
			sqe(&r, IORING_OP_POLL_ADD, r.fd, NULL, 0, 0, 3)->poll32_events = POLLIN;
			submit(&r, 0);
			if (i % 3 == 0)
				execl("/proc/self/exe", "uring", "nothing", NULL);
			if (i % 3 == 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		int st = t_wait(pid);
		CHECK(i % 3 == 1 ? WIFSIGNALED(st) : WIFEXITED(st) && !WEXITSTATUS(st));
	}
}

static struct ring shared;

static void *submitter(void *arg)
{
	static char c;

	sqe(&shared, IORING_OP_READ, (int)(intptr_t)arg, &c, 1, 0, 1);
	submit(&shared, 0);
	return NULL;
}

TEST(thread_leaves_its_requests)
{
	pthread_t t;
	int p[2];

	shared = open_ring(8, 0);
	CHECK_OK(pipe(p));
	pthread_create(&t, NULL, submitter, (void *)(intptr_t)p[0]);
	pthread_join(t, NULL);
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect(&shared, 1, -ECANCELED);		/* it goes with its thread */
	close_ring(&shared);
}

TEST(workers_open_a_fifo)
{
	struct ring r = open_ring(8, 0);
	char name[64];

	snprintf(name, sizeof(name), "/tmp/uring-fifo-%d", getpid());
	unlink(name);
	CHECK_OK(mkfifo(name, 0600));
	struct io_uring_sqe *s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, name, 0, 0, 1);
	s->open_flags = O_RDONLY;
	s->flags = IOSQE_ASYNC;			/* or Linux opens it with O_NONBLOCK */
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	submit(&r, 1);
	expect(&r, 2, 0);
	int w = CHECK_OK(open(name, O_WRONLY));
	struct io_uring_cqe e = reap(&r);
	CHECK(e.user_data == 1 && e.res >= 0);
	close(w);
	unlink(name);
	close_ring(&r);
}

TEST(stopped_and_continued)
{
	int p[2], st;

	CHECK_OK(pipe(p));
	pid_t pid = fork();
	if (!pid) {
		struct ring r = open_ring(8, 0);
		char c = 0;

		sqe(&r, IORING_OP_READ, p[0], &c, 1, 0, 1)->flags = IOSQE_ASYNC;
		submit(&r, 0);
		t_sleep_ms(20);
		kill(getpid(), SIGSTOP);
		expect(&r, 1, 1);
		_exit(c);
	}
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK(WIFSTOPPED(st));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(write(p[1], "\7", 1), 1);
	st = t_wait(pid);
	CHECK(WIFEXITED(st));
}

TEST(sqpoll)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 20 };
	int fd = setup(8, &p);

	if (fd < 0)
		SKIP("no SQPOLL");
	close(fd);
	struct ring r = open_ring(8, IORING_SETUP_SQPOLL);
	for (int i = 0; i < 20; i++) {
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
		__atomic_store_n(r.sq_tail, *r.sq_tail + 1, __ATOMIC_SEQ_CST);
		r.queued = 0;
		if (i == 10)
			t_sleep_ms(100);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(r.sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
			enter_fd(r.fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
		expect(&r, i, 0);
	}
	int pp[2];
	char c = 0;
	CHECK_OK(pipe(pp));
	sqe(&r, IORING_OP_READ, pp[0], &c, 1, 0, 99);
	__atomic_store_n(r.sq_tail, *r.sq_tail + 1, __ATOMIC_SEQ_CST);
	r.queued = 0;
	enter_fd(r.fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
	CHECK_EQ(write(pp[1], "y", 1), 1);
	expect(&r, 99, 1);
	CHECK_EQ(c, 'y');
	close_ring(&r);
}

/* Entries of noise: nothing may happen but results. */
TEST(noise)
{
	struct ring r = open_ring(32, 0);
	unsigned seed = getpid();
	struct io_uring_cqe c;
	char mem[4096];
	int p[2], keep;

	CHECK_OK(pipe(p));
	keep = p[0] > p[1] ? p[0] : p[1];
	for (int round = 0; round < 150; round++) {
		for (int i = 0; i < 32; i++) {
			struct io_uring_sqe *s = sqe(&r, rand_r(&seed) % 48, 0, NULL, 0, 0, i);
			uint64_t *w = (uint64_t *)s;

			for (int j = 1; j < 8; j++)
				if (rand_r(&seed) % 3 == 0)
					w[j] = rand_r(&seed) % 4 ? (uint64_t)rand_r(&seed) << (rand_r(&seed) % 33) : 0;
			s->flags = rand_r(&seed) % 3 ? 0 : rand_r(&seed) & 0x7f & ~IOSQE_ASYNC;
			s->fd = rand_r(&seed) % 2 ? p[rand_r(&seed) % 2] : (int)(rand_r(&seed) % 3) - 1 + keep;
			if (rand_r(&seed) % 2)
				s->addr = (uintptr_t)mem;
			/* not what would wait for ever, or touch names, memory and the test's own pipe */
			if (s->opcode == IORING_OP_CLOSE || s->opcode == IORING_OP_MADVISE || s->opcode == IORING_OP_SPLICE ||
			    s->opcode == IORING_OP_TEE || s->opcode == IORING_OP_SHUTDOWN)
				s->opcode = IORING_OP_NOP;
			if (s->opcode != IORING_OP_READ)
				s->len %= sizeof(mem);
			else
				s->len = 1;
		}
		__atomic_store_n(r.sq_tail, *r.sq_tail + 32, __ATOMIC_RELEASE);
		r.queued = 0;
		for (int left = 32, n; left > 0; left -= n) {
			n = enter_fd(r.fd, left, 0, 0, NULL, 0);
			if (n <= 0)
				break;
		}
		enter_fd(r.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		while (peek(&r, &c))
			;
		if (round % 50 == 49) {
			close_ring(&r);
			r = open_ring(32, 0);
		}
	}
	close_ring(&r);
}
