/* uringops.c: io_uring: operations by name, sockets, buffers, splices, registration; and what happens at close, exit and exec. */
#include "uring.h"
#include <linux/magic.h>
#include <sys/vfs.h>

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

/* The rings are memory of the file: a child has them too, and may use them. */
TEST(ring_after_fork)
{
	struct ring r = open_ring(8, 0);
	pid_t pid;

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	submit(&r, 1);
	pid = CHECK_OK(fork());
	if (!pid) {
		expect(&r, 1, 0);
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
		submit(&r, 1);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	expect(&r, 2, 0);
	close_ring(&r);
}

TEST(buffers_of_disk_files)
{
	struct ring r = open_ring(8, 0);
	int memory = temp_file();
	struct iovec v = { .iov_len = 4096 };
	struct statfs fs;

	CHECK_OK(ftruncate(memory, 4096));
	v.iov_base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	CHECK(v.iov_base != MAP_FAILED);
	CHECK_OK(fstatfs(memory, &fs));
	if (fs.f_type == TMPFS_MAGIC) {
		CHECK_OK(reg(&r, IORING_REGISTER_BUFFERS, &v, 1));
		CHECK_OK(reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0));
	} else {
		CHECK_EQ(reg(&r, IORING_REGISTER_BUFFERS, &v, 1), -1);
		CHECK(errno == EOPNOTSUPP || errno == EFAULT);		/* 6.1, and later */
	}
	close_ring(&r);
	close(memory);
}
