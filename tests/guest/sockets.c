/* sockets.c: Unix-domain sockets: stream, datagram, seqpacket, ancillary data (spec §10). */
#include "t.h"
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct sockaddr_un addr(const char *path, socklen_t *len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path + 1) + 1;

	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = 0;
	*len = offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '@' ? 0 : 1);
	return a;
}

TEST(socketpair_stream)
{
	int s[2];
	char buf[100];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(write(s[0], "world", 5), 5);
	CHECK_EQ(recv(s[1], buf, 3, MSG_PEEK), 3);
	CHECK_EQ(read(s[1], buf, 100), 10);		/* no message borders */
	CHECK_ERR(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(read(s[1], buf, 1), 0);
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[0], buf, 100), 4);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(s[0], "x", 1), EPIPE);
	close(s[1]);
	CHECK_EQ(read(s[0], buf, 1), 0);
	CHECK_ERR(socketpair(AF_UNIX, 4, 0, s), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
}

TEST(listen_connect_accept)
{
	socklen_t len, got = sizeof(struct sockaddr_un);
	struct sockaddr_un a = addr("/tmp/t-sock", &len), peer;
	int l = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	char buf[10];

	unlink("/tmp/t-sock");
	CHECK_ERR(connect(c, (void *)&a, len), ENOENT);
	CHECK_OK(bind(l, (void *)&a, len));
	struct stat st;
	CHECK_OK(stat("/tmp/t-sock", &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_ERR(connect(c, (void *)&a, len), ECONNREFUSED);
	CHECK_OK(listen(l, 5));
	CHECK_ERR(bind(c, (void *)&a, len), EADDRINUSE);
	CHECK_OK(connect(c, (void *)&a, len));
	CHECK_ERR(connect(c, (void *)&a, len), EISCONN);
	int s = CHECK_OK(accept4(l, (void *)&peer, &got, SOCK_NONBLOCK));
	CHECK(fcntl(s, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(got, 2);
	CHECK_EQ(write(c, "hi", 2), 2);
	CHECK_EQ(read(s, buf, 10), 2);
	got = sizeof(peer);
	CHECK_OK(getpeername(c, (void *)&peer, &got));
	CHECK_STR(peer.sun_path, "/tmp/t-sock");
	struct ucred uc;
	got = sizeof(uc);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &uc, &got));
	CHECK_EQ(uc.pid, getpid());
	CHECK_ERR(accept(c, NULL, NULL), EINVAL);
	CHECK_ERR(open("/tmp/t-sock", O_RDWR), ENXIO);
	unlink("/tmp/t-sock");
}

TEST(abstract_names)
{
	socklen_t len;
	struct sockaddr_un a = addr("@weft-test", &len);
	int l = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK_OK(bind(l, (void *)&a, len));
	CHECK_OK(listen(l, 1));
	CHECK_OK(connect(c, (void *)&a, len));
	close(l);
	close(c);
	int d = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERR(connect(d, (void *)&a, len), ECONNREFUSED);
}

TEST(datagrams_keep_borders)
{
	int s[2];
	char buf[100];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK_EQ(send(s[0], "one", 3, 0), 3);
	CHECK_EQ(send(s[0], "", 0, 0), 0);
	CHECK_EQ(send(s[0], "three", 5, 0), 5);
	CHECK_EQ(recv(s[1], buf, 2, MSG_TRUNC), 3);
	CHECK_EQ(recv(s[1], buf, 100, 0), 0);
	struct iovec v = { buf, 2 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	CHECK_EQ(recvmsg(s[1], &h, 0), 2);
	CHECK(h.msg_flags & MSG_TRUNC);
}

TEST(seqpacket)
{
	int s[2];
	char buf[10];

	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	CHECK_EQ(send(s[0], "abc", 3, 0), 3);
	CHECK_EQ(send(s[0], "de", 2, 0), 2);
	CHECK_EQ(recv(s[1], buf, 10, 0), 3);
	CHECK_EQ(recv(s[1], buf, 10, 0), 2);
	close(s[0]);
	CHECK_EQ(recv(s[1], buf, 10, 0), 0);
}

static int send_fd(int s, int fd)
{
	char c = 'f', ctl[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &c, 1 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&h);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	return sendmsg(s, &h, 0);
}

TEST(scm_rights_passes_an_open_file)
{
	int s[2], p[2], got = -1;
	char c, ctl[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &c, 1 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_OK(pipe(p));
	CHECK_EQ(send_fd(s[0], p[1]), 1);
	close(p[1]);
	CHECK_EQ(recvmsg(s[1], &h, MSG_CMSG_CLOEXEC), 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(int));
	CHECK(fcntl(got, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(write(got, "x", 1), 1);
	close(got);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 0);
	CHECK_ERR(send_fd(s[0], 999), EBADF);
	/* a socket in its own queue: must not leak for ever */
	for (int i = 0; i < 100; i++) {
		int q[2];
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
		CHECK_EQ(send_fd(q[0], q[1]), 1);
		close(q[0]);
		close(q[1]);
	}
}

TEST(scm_credentials)
{
	int s[2], on = 1;
	char c, ctl[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = { &c, 1 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(recvmsg(s[1], &h, 0), 1);
	struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
	CHECK(cm && cm->cmsg_type == SCM_CREDENTIALS);
	struct ucred uc;
	memcpy(&uc, CMSG_DATA(cm), sizeof(uc));
	CHECK_EQ(uc.pid, getpid());
}

TEST(poll_and_buffer_limits)
{
	int s[2];
	static char big[1 << 20];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	struct pollfd f = { s[0], POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(f.revents, POLLOUT);
	ssize_t n, total = 0;
	while ((n = write(s[0], big, sizeof(big))) > 0)
		total += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(total > 10000);
	CHECK_EQ(poll(&f, 1, 0), 0);
	while ((n = read(s[1], big, sizeof(big))) > 0)
		total -= n;
	CHECK_EQ(total, 0);
	CHECK_EQ(poll(&f, 1, 1000), 1);
	close(s[1]);
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK(f.revents & POLLHUP);
	int t = 0;
	socklen_t l = sizeof(t);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &t, &l));
	CHECK_EQ(t, SOCK_STREAM);
	struct timeval tv = { 0, 50000 };
	int q[2];
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, q));
	CHECK_OK(setsockopt(q[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_ERR(read(q[0], big, 1), EAGAIN);
}

static volatile sig_atomic_t sigio_told, sigio_bands;

static void on_sigio(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	sigio_told++;
	sigio_bands |= si->si_band;
}

/* O_ASYNC: a signal of F_SETSIG for each message that comes, and for the end. */
TEST(sigio_tells_of_messages)
{
	struct sigaction sa = { .sa_sigaction = on_sigio, .sa_flags = SA_SIGINFO };
	int s[2], on = 1, off = 0;
	char buf[10];

	CHECK_OK(sigaction(SIGRTMIN, &sa, NULL));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_OK(fcntl(s[0], F_SETOWN, getpid()));
	CHECK_OK(fcntl(s[0], F_SETSIG, SIGRTMIN));
	CHECK_OK(ioctl(s[0], FIOASYNC, &on));
	CHECK(fcntl(s[0], F_GETFL) & O_ASYNC);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(sigio_told, 1);
	CHECK(sigio_bands & POLLIN);
	CHECK_OK(ioctl(s[0], FIOASYNC, &off));
	CHECK_EQ(write(s[1], "y", 1), 1);
	CHECK_EQ(sigio_told, 1);
	CHECK_EQ(read(s[0], buf, 10), 2);
	CHECK_OK(fcntl(s[0], F_SETFL, O_RDWR | O_ASYNC));
	CHECK_OK(close(s[1]));
	CHECK(sigio_told > 1);
	CHECK(sigio_bands & POLLHUP);
}
