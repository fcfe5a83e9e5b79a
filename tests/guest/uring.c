/* uring.c: io_uring: submission and completion, reads and writes, polls, time-outs, chains, cancelling (io_uring(7)). */
#include "uring.h"

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

/* Fewer than asked for are enough when the time is up, or when a timeout ends. */
TEST(waits_that_end_early)
{
	struct ring r = open_ring(8, 0);
	struct __kernel_timespec t = ms(30);
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&t };

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	submit(&r, 0);
	CHECK_EQ(enter_fd(r.fd, 0, 2, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)), 0);
	expect(&r, 1, 0);
	sqe(&r, IORING_OP_TIMEOUT, -1, &t, 1, 0, 2);
	CHECK_EQ(submit(&r, 4), 1);
	expect(&r, 2, -ETIME);
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

TEST(link_timeout_of_a_broken_chain)
{
	struct ring r = open_ring(8, 0);
	struct __kernel_timespec t = ms(100000);
	char buf[8];
	int res[4];

	sqe(&r, IORING_OP_READ, 999, buf, 1, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &t, 1, 0, 2)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	submit(&r, 4);
	reap_all(&r, 4, res);
	CHECK_EQ(res[0], -EBADF);
	for (int i = 1; i < 4; i++)
		CHECK_EQ(res[i], -ECANCELED);
	close_ring(&r);
}

TEST(refused_entry_breaks_hard_links)
{
	struct ring r = open_ring(8, 0);
	int res[3];

	for (int bad = 0; bad < 3; bad++) {
		for (int i = 0; i < 3; i++)
			sqe(&r, i == bad ? 200 : IORING_OP_NOP, -1, NULL, 0, 0, i)->flags = i < 2 ? IOSQE_IO_HARDLINK : 0;
		submit(&r, 3);
		reap_all(&r, 3, res);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(res[i], i == bad ? -EINVAL : -ECANCELED);
	}
	close_ring(&r);
}

/* A timeout that was not needed says nothing when it was told to be quiet. */
TEST(quiet_link_timeout)
{
	struct ring r = open_ring(8, 0);
	struct __kernel_timespec t = ms(100000);

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &t, 1, 0, 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(&r, 1);
	expect(&r, 0, 0);
	expect_none(&r);
	close_ring(&r);
}

/* Nor does one that fired: what it ended tells of it. */
TEST(quiet_link_timeout_fires)
{
	struct ring r = open_ring(8, 0);
	struct __kernel_timespec t = ms(10);
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], &c, 1, 0, 0)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &t, 1, 0, 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(&r, 1);
	struct io_uring_cqe e = reap(&r);
	CHECK_EQ(e.user_data, 0);
	CHECK(e.res == -ECANCELED || e.res == -EINTR);
	t_sleep_ms(50);
	expect_none(&r);
	close_ring(&r);
}

TEST(priorities)
{
	struct ring r = open_ring(8, 0);
	int fd = temp_file();
	char buf[8];

	CHECK_EQ(write(fd, "abcdefgh", 8), 8);
	sqe(&r, IORING_OP_READ, fd, buf, 8, 0, 1)->ioprio = 2 << 13 | 4;	/* best effort */
	submit(&r, 1);
	expect(&r, 1, 8);
	sqe(&r, IORING_OP_READ, fd, buf, 8, 0, 2)->ioprio = 0xffff;		/* no such class */
	submit(&r, 1);
	expect(&r, 2, -EINVAL);
	sqe(&r, IORING_OP_FSYNC, fd, NULL, 0, 0, 3)->ioprio = 2 << 13 | 4;
	submit(&r, 1);
	expect(&r, 3, -EINVAL);
	close_ring(&r);
	close(fd);
}

/* What is not read or written has no place on a ring that polls for its completions. */
TEST(ring_without_interrupts)
{
	struct ring r = open_ring(8, IORING_SETUP_IOPOLL);
	int fd = temp_file();
	char buf[8];

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	submit(&r, 0);
	expect(&r, 1, 0);
	sqe(&r, IORING_OP_FSYNC, fd, NULL, 0, 0, 2);
	submit(&r, 0);
	expect(&r, 2, -EINVAL);
	sqe(&r, IORING_OP_READ, fd, buf, 8, 0, 3);		/* buffered: cannot be polled */
	submit(&r, 0);
	expect(&r, 3, -EOPNOTSUPP);
	close_ring(&r);
	close(fd);
}
