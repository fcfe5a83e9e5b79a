/* ipc.c: pipes, FIFOs, poll, select, epoll, eventfd, timerfd (spec §10). */
#include "t.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

TEST(pipe_basics)
{
	int p[2];
	char buf[100];

	CHECK_OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECK_ERR(read(p[0], buf, 1), EAGAIN);
	CHECK_EQ(write(p[1], "hello", 5), 5);
	int n;
	CHECK_OK(ioctl(p[0], FIONREAD, &n));
	CHECK_EQ(n, 5);
	CHECK_EQ(read(p[0], buf, 2), 2);
	CHECK_EQ(read(p[0], buf, 100), 3);
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(write(p[0], "x", 1), EBADF);
	close(p[1]);
	CHECK_EQ(read(p[0], buf, 1), 0);
	CHECK_ERR(pipe2(p, 0x40000000), EINVAL);
}

TEST(pipe_full_and_atomic)
{
	int p[2];
	static char big[70000];

	CHECK_OK(pipe2(p, O_NONBLOCK));
	ssize_t n = write(p[1], big, sizeof(big));
	CHECK_EQ(n, 65536);
	CHECK_ERR(write(p[1], big, 1), EAGAIN);
	CHECK_EQ(read(p[0], big, 100), 100);
	CHECK_ERR(write(p[1], big, 4096), EAGAIN);	/* at most PIPE_BUF: all or nothing */
	CHECK_EQ(read(p[0], big, 4096), 4096);
	CHECK_EQ(write(p[1], big, 4096), 4096);
	CHECK_EQ(fcntl(p[1], F_GETPIPE_SZ), 65536);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 131072), 131072);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
}

TEST(sigpipe_and_epipe)
{
	int p[2];

	CHECK_OK(pipe(p));
	close(p[0]);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (write(p[1], "x", 1)) {}
		_exit(0);
	}
	CHECK_EQ(WTERMSIG(t_wait(pid)), SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
}

TEST(big_transfer_is_whole)
{
	int p[2];
	unsigned sum = 0, want = 0;
	unsigned char buf[10007];

	CHECK_OK(pipe(p));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		close(p[0]);
		for (int i = 0; i < 300; i++) {
			for (size_t k = 0; k < sizeof(buf); k++)
				buf[k] = i * 7 + k;
			for (size_t off = 0; off < sizeof(buf); ) {
				ssize_t n = write(p[1], buf + off, sizeof(buf) - off);
				if (n <= 0)
					_exit(1);
				off += n;
			}
		}
		_exit(0);
	}
	close(p[1]);
	for (int i = 0; i < 300; i++)
		for (size_t k = 0; k < sizeof(buf); k++)
			want = want * 31 + (unsigned char)(i * 7 + k);
	ssize_t n;
	size_t total = 0;
	while ((n = read(p[0], buf, sizeof(buf))) > 0) {
		for (ssize_t k = 0; k < n; k++)
			sum = sum * 31 + buf[k];
		total += n;
	}
	CHECK_EQ(total, 300 * sizeof(buf));
	CHECK_EQ(sum, want);
	CHECK_EQ(t_wait(pid), 0);
}

TEST(fifo_open_waits_for_the_other_end)
{
	unlink("/tmp/t-fifo");
	CHECK_OK(mkfifo("/tmp/t-fifo", 0600));
	CHECK_ERR(open("/tmp/t-fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		int w = open("/tmp/t-fifo", O_WRONLY);
		_exit(write(w, "via fifo", 8) == 8 ? 0 : 1);
	}
	char buf[20];
	int r = CHECK_OK(open("/tmp/t-fifo", O_RDONLY));
	CHECK_EQ(read(r, buf, 20), 8);
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(read(r, buf, 20), 0);
	unlink("/tmp/t-fifo");
}

TEST(poll_and_select)
{
	int p[2];
	fd_set r, w;

	CHECK_OK(pipe(p));
	struct pollfd f[3] = { { p[0], POLLIN, 0 }, { p[1], POLLOUT, 0 }, { -1, POLLIN, 0 } };
	CHECK_EQ(poll(f, 3, 0), 1);
	CHECK_EQ(f[1].revents, POLLOUT);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(poll(f, 3, -1), 2);
	CHECK_EQ(f[0].revents, POLLIN);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	struct timeval tv = { 5, 0 };
	CHECK_EQ(select(p[1] + 1, &r, &w, NULL, &tv), 2);
	close(p[1]);
	char c;
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(poll(f, 1, 1000), 1);
	CHECK(f[0].revents & POLLHUP);
	f[0].fd = 999;
	CHECK_EQ(poll(f, 1, 0), 1);
	CHECK_EQ(f[0].revents, POLLNVAL);
	FD_ZERO(&r);
	FD_SET(p[1], &r);		/* closed above */
	CHECK_ERR(select(p[1] + 1, &r, NULL, NULL, &tv), EBADF);
	long long t = t_now_ns();
	CHECK_EQ(poll(NULL, 0, 50), 0);
	CHECK(t_now_ns() - t >= 50000000);
}

static void *late_writer(void *arg)
{
	t_sleep_ms(100);
	if (write(*(int *)arg, "x", 1) != 1)
		abort();
	return NULL;
}

TEST(poll_wakes_up)
{
	int p[2];
	pthread_t t;

	CHECK_OK(pipe(p));
	pthread_create(&t, NULL, late_writer, &p[1]);
	struct pollfd f = { p[0], POLLIN, 0 };
	CHECK_EQ(poll(&f, 1, 60000), 1);
	pthread_join(t, NULL);
}

TEST(epoll_level_edge_oneshot)
{
	int p[2], ep = CHECK_OK(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 7 }, out[4];
	char c;

	CHECK_OK(pipe(p));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);
	CHECK_EQ(write(p[1], "ab", 2), 2);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(out[0].data.u64, 7);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);		/* level: again */
	e.events = EPOLLIN | EPOLLET;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);		/* edge: once */
	CHECK_EQ(write(p[1], "c", 1), 1);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	e.events = EPOLLIN | EPOLLONESHOT;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(write(p[1], "d", 1), 1);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);		/* disarmed */
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	close(p[1]);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, open("/tmp", O_RDONLY), &e), EPERM);
	CHECK_ERR(epoll_wait(ep, out, 0, 0), EINVAL);
}

TEST(epoll_forgets_closed_files_and_nests)
{
	int p[2], ep = CHECK_OK(epoll_create1(0)), outer = CHECK_OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN }, out[4];

	CHECK_OK(pipe(p));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	CHECK_OK(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e));
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e), ELOOP);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(outer, out, 4, 1000), 1);
	close(p[0]);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);
}

TEST(eventfd_counts)
{
	uint64_t v = 5;
	int fd = CHECK_OK(eventfd(3, EFD_NONBLOCK));

	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 8);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	v = ~0ULL;
	CHECK_ERR(write(fd, &v, 8), EINVAL);
	CHECK_ERR(read(fd, &v, 4), EINVAL);
	int s = CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	CHECK_EQ(read(s, &v, 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(read(s, &v, 8), 8);
	CHECK_ERR(read(s, &v, 8), EAGAIN);
}

TEST(timerfd_expires_and_repeats)
{
	uint64_t v;
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	struct itimerspec its = { .it_value = { 0, 20000000 }, .it_interval = { 0, 10000000 } }, cur;

	CHECK_OK(timerfd_settime(fd, 0, &its, NULL));
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK(v >= 1);
	t_sleep_ms(60);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK(v >= 4);
	CHECK_OK(timerfd_gettime(fd, &cur));
	CHECK_EQ(cur.it_interval.tv_nsec, 10000000);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	its.it_value.tv_nsec = 2000000000;
	CHECK_ERR(timerfd_settime(fd, 0, &its, NULL), EINVAL);
}
