/* mqueue.c: POSIX message queues (spec §8; man 7 mq_overview). */
#include "t.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <limits.h>

static char name[32];

static mqd_t make(long max, long size, int flags)
{
	struct mq_attr a = { .mq_maxmsg = max, .mq_msgsize = size };

	snprintf(name, sizeof(name), "/weft-%d", getpid());
	mq_unlink(name);
	return CHECK_OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));
}

static void expect(mqd_t q, unsigned want_prio, const char *want)
{
	char buf[8192];
	unsigned prio;
	ssize_t n = CHECK_OK(mq_receive(q, buf, sizeof(buf), &prio));

	buf[n] = 0;
	CHECK_STR(buf, want);
	CHECK_EQ(prio, want_prio);
}

static void send_text(mqd_t q, unsigned prio, const char *s)
{
	CHECK_OK(mq_send(q, s, strlen(s), prio));
}

static struct timespec soon(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

TEST(open_errors)
{
	struct mq_attr a = { .mq_maxmsg = 0, .mq_msgsize = 10 };
	char longer[NAME_MAX + 3];

	CHECK_ERR(mq_open("/weft-none", O_RDWR), ENOENT);
	CHECK_ERR(mq_open("/weft-none", O_RDWR | O_CREAT, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 10, .mq_msgsize = -1 };
	CHECK_ERR(mq_open("/weft-none", O_RDWR | O_CREAT, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 65537, .mq_msgsize = 1 };
	CHECK_ERR(mq_open("/weft-none", O_RDWR | O_CREAT, 0600, &a), EINVAL);
	CHECK_ERR(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, (char *)8, O_RDWR, 0600, NULL), EFAULT);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	CHECK_ERR(syscall(SYS_mq_open, longer, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
	mqd_t q = make(2, 8, 0);
	CHECK_ERR(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
	CHECK_OK(mq_unlink(name));
	CHECK_ERR(mq_unlink(name), ENOENT);
	CHECK_OK(mq_close(q));
}

TEST(priorities)
{
	mqd_t q = make(8, 32, 0);

	send_text(q, 1, "one");
	send_text(q, 5, "five");
	send_text(q, 1, "uno");
	send_text(q, 32767, "top");
	send_text(q, 0, "");
	CHECK_ERR(mq_send(q, "x", 1, 32768), EINVAL);
	expect(q, 32767, "top");
	send_text(q, 5, "cinque");
	expect(q, 5, "five");
	expect(q, 5, "cinque");
	expect(q, 1, "one");
	expect(q, 1, "uno");
	expect(q, 0, "");
	mq_unlink(name);
}

TEST(errors)
{
	mqd_t q = make(1, 8, O_NONBLOCK);
	struct timespec bad = { 0, 1000000000 };
	char buf[8];

	CHECK_ERR(mq_receive(q, buf, 8, NULL), EAGAIN);
	CHECK_ERR(mq_receive(q, buf, 7, NULL), EMSGSIZE);
	CHECK_ERR(mq_send(q, "123456789", 9, 0), EMSGSIZE);
	send_text(q, 0, "x");
	CHECK_ERR(mq_send(q, "y", 1, 0), EAGAIN);
	CHECK_ERR(mq_timedsend(q, "y", 1, 0, &bad), EINVAL);
	CHECK_ERR(mq_send(0, "y", 1, 0), EBADF);
	CHECK_ERR(mq_send(-1, "y", 1, 0), EBADF);
	mqd_t r = CHECK_OK(mq_open(name, O_RDONLY)), w = CHECK_OK(mq_open(name, O_WRONLY));
	CHECK_ERR(mq_send(r, "y", 1, 0), EBADF);
	CHECK_ERR(mq_receive(w, buf, 8, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_timedreceive, r, (char *)8, 8UL, NULL, NULL), EFAULT);
	mq_unlink(name);
}

TEST(attributes)
{
	mqd_t q = make(3, 16, 0);
	struct mq_attr a = { .mq_flags = O_NONBLOCK, .mq_maxmsg = 99 }, old;

	send_text(q, 0, "x");
	CHECK_OK(mq_setattr(q, &a, &old));
	CHECK(old.mq_flags == 0 && old.mq_maxmsg == 3 && old.mq_msgsize == 16 && old.mq_curmsgs == 1);
	CHECK_OK(mq_getattr(q, &old));
	CHECK(old.mq_flags == O_NONBLOCK && old.mq_maxmsg == 3);
	a.mq_flags = O_APPEND;
	CHECK_ERR(mq_setattr(q, &a, NULL), EINVAL);
	mq_unlink(name);
	snprintf(name, sizeof(name), "/weft-%d", getpid());
	q = CHECK_OK(mq_open(name, O_CREAT | O_RDWR, 0600, NULL));
	CHECK_OK(mq_getattr(q, &old));
	CHECK(old.mq_maxmsg == 10 && old.mq_msgsize == 8192);
	mq_unlink(name);
}

TEST(timeouts)
{
	mqd_t q = make(1, 8, 0);
	struct timespec ts = soon(30), past = { 1, 0 };
	char buf[8];

	CHECK_ERR(mq_timedreceive(q, buf, 8, NULL, &past), ETIMEDOUT);
	CHECK_ERR(mq_timedreceive(q, buf, 8, NULL, &ts), ETIMEDOUT);
	CHECK_OK(mq_timedsend(q, "x", 1, 0, &past));	/* there is room: the time does not matter */
	ts = soon(30);
	CHECK_ERR(mq_timedsend(q, "x", 1, 0, &ts), ETIMEDOUT);
	mq_unlink(name);
}

TEST(waiting)
{
	mqd_t q = make(1, 8, 0);
	pid_t pid = CHECK_OK(fork());
	char buf[8];

	if (!pid) {
		if (mq_receive(q, buf, 8, NULL) != 1 || buf[0] != 'a')
			_exit(1);
		t_sleep_ms(50);
		for (char c = 'b'; c < 'f'; c++)
			if (mq_receive(q, buf, 8, NULL) != 1 || buf[0] != c)
				_exit(c);
		_exit(0);
	}
	t_sleep_ms(50);
	for (char c = 'a'; c < 'f'; c++)
		CHECK_OK(mq_send(q, &c, 1, 0));
	CHECK_EQ(t_wait(pid), 0);
	mq_unlink(name);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signal_ends_the_wait)
{
	mqd_t q = make(1, 8, 0);
	pid_t pid = CHECK_OK(fork());
	char buf[8];

	if (!pid) {
		sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = nothing }, NULL);
		_exit(mq_receive(q, buf, 8, NULL) != -1 || errno != EINTR);
	}
	t_sleep_ms(100);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EQ(t_wait(pid), 0);
	send_text(q, 0, "x");			/* nobody waits any more: it is queued */
	expect(q, 0, "x");
	mq_unlink(name);
}

TEST(polling)
{
	mqd_t q = make(1, 8, 0);
	struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT };

	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		t_sleep_ms(50);
		_exit(mq_send(q, "x", 1, 0) != 0);
	}
	p.events = POLLIN;
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(t_wait(pid), 0);
	p.events = POLLIN | POLLOUT;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	mq_unlink(name);
}

TEST(notify_by_signal)
{
	mqd_t q = make(4, 8, 0);
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42 };
	struct timespec second = { 5, 0 }, none = { 0, 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(mq_notify(q, &ev));
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(mq_notify(q, &ev) != -1 || errno != EBUSY || mq_send(q, "x", 1, 0));
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(sigtimedwait(&set, &info, &second), SIGRTMIN);
	CHECK_EQ(info.si_code, SI_MESGQ);
	CHECK_EQ(info.si_value.sival_int, 42);
	CHECK_EQ(info.si_pid, pid);
	CHECK_OK(mq_notify(q, &ev));		/* once only: asked for again; but the queue is not empty */
	send_text(q, 0, "y");
	CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
	CHECK_OK(mq_notify(q, NULL));
	expect(q, 0, "x");
	expect(q, 0, "y");
	send_text(q, 0, "z");
	CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
	expect(q, 0, "z");
	CHECK_OK(mq_notify(q, &ev));
	CHECK_OK(close(dup(q)));		/* any close of the queue ends it */
	send_text(q, 0, "z");
	CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
	ev.sigev_signo = 65;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_notify = 99;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	mq_unlink(name);
}

TEST(limit_of_the_user)
{
	struct rlimit r = { 20000, 20000 };
	struct mq_attr a = { .mq_maxmsg = 10, .mq_msgsize = 100 };

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
	CHECK_OK(setuid(23456));		/* a user with no queues */
	mqd_t q = make(10, 1024, 0);
	CHECK_ERR(mq_open("/weft-second", O_CREAT | O_RDWR, 0600, NULL), EMFILE);
	a.mq_maxmsg = 11;
	CHECK_ERR(mq_open("/weft-third", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	CHECK_OK(mq_unlink(name));
	CHECK_OK(mq_close(q));
	a.mq_maxmsg = 10;
	q = CHECK_OK(mq_open("/weft-second", O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(mq_unlink("/weft-second"));
}

TEST(rights)
{
	mqd_t q = make(1, 8, 0);

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(fchmod(q, 0604));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (setgid(12345) || setuid(12345))
			_exit(1);
		if (mq_open(name, O_RDWR) != -1 || errno != EACCES)
			_exit(2);
		if (mq_open(name, O_RDONLY) < 0)
			_exit(3);
		_exit(mq_unlink(name) != -1 || errno != EACCES ? 4 : 0);
	}
	int status = t_wait(pid);
	if (status && WEXITSTATUS(status) == 4)		/* sticky directory: EPERM as well */
		status = 0;
	CHECK_EQ(status, 0);
	mq_unlink(name);
}

TEST(as_files)
{
	char dir[] = "/tmp/mq-XXXXXX", path[64], buf[100];
	mqd_t q = make(4, 8, 0);
	struct stat st;

	if (geteuid() || !mkdtemp(dir) || mount("none", dir, "mqueue", 0, NULL))
		SKIP("cannot mount");
	snprintf(path, sizeof(path), "%s%s", dir, name);
	CHECK_OK(stat(dir, &st));
	CHECK_EQ(st.st_mode & 07777, 01777);
	CHECK_OK(stat(path, &st));
	CHECK(S_ISREG(st.st_mode) && st.st_size == 80);
	send_text(q, 0, "12345");
	int fd = CHECK_OK(open(path, O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	buf[n] = 0;
	CHECK_STR(buf, "QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	CHECK_EQ(read(fd, buf, sizeof(buf)), 0);
	CHECK_EQ(mq_receive(fd, buf, 8, NULL), 5);	/* a descriptor is a descriptor */
	close(fd);
	CHECK_OK(unlink(path));
	CHECK_ERR(mq_open(name, O_RDWR), ENOENT);
	fd = CHECK_OK(open(path, O_CREAT | O_RDWR, 0600));
	CHECK_OK(mq_send(fd, "x", 1, 0));
	close(fd);
	CHECK_OK(unlink(path));
	umount(dir);
	rmdir(dir);
}
