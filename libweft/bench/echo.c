/*
 * echo.c: echo servers and the load for them.
 *
 * What:  echo weft PORT | echo epoll PORT: servers that print "ready"; echo load PORT CONNECTIONS SECONDS: prints requests
 *        a second.  The load keeps one 64-byte message under way on each connection, and never sleeps: else the server that
 *        is a little slower would also pay for waking it.
 * Idea:  the epoll server is the hand-written limit: level-triggered, one read and one write an event, no more.
 * See:   run.py; bench_go.go and bench_st.c for the peers' servers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weft/thread.h>

static struct sockaddr_in addr;

static int listening(int port)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(l, (void *)&addr, sizeof addr) || listen(l, 4096))
		exit(1);
	(void)port;
	puts("ready");
	fflush(stdout);
	return l;
}

static void *serve(void *a)
{
	int fd = (int)(long)a;
	char b[4096];
	ssize_t n;

	while ((n = weft_recv(fd, b, sizeof b, 0)) > 0)
		weft_send(fd, b, n, 0);
	weft_close(fd);
	return NULL;
}

static void weft_server(int port)
{
	weft_attr a = { NULL, 0, 4, WEFT_DETACHED };
	int l, c;

	weft_init(NULL);
	l = listening(port);
	while ((c = weft_accept(l, NULL, NULL)) >= 0)
		weft_spawn(NULL, &a, serve, (void *)(long)c);
}

static void epoll_server(int port)
{
	int l = listening(port), ep = epoll_create1(0), i, n;
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = l }, e[256];
	char b[4096];

	fcntl(l, F_SETFL, O_NONBLOCK);
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	while ((n = epoll_wait(ep, e, 256, -1)) >= 0)
		for (i = 0; i < n; i++) {
			int fd = e[i].data.fd;
			ssize_t r;

			if (fd == l) {
				while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					ev.data.fd = fd;
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				}
				continue;
			}
			r = recv(fd, b, sizeof b, 0);
			if (r > 0)
				(void)!send(fd, b, r, 0);
			else
				close(fd);
		}
}

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }

static void load(int connections, double seconds)
{
	int ep = epoll_create1(0), i, n, warm = 1;
	struct epoll_event ev = { .events = EPOLLIN }, e[256];
	char b[64] = "an echo of sixty-four bytes";
	double start, end;
	long count = 0;

	for (i = 0; i < connections; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (connect(s, (void *)&addr, sizeof addr)) {
			perror("connect");
			exit(1);
		}
		ev.data.fd = s;
		epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
		(void)!send(s, b, sizeof b, 0);
	}
	start = now();
	end = start + seconds / 4;
	while ((n = epoll_wait(ep, e, 256, 0)) >= 0) {
		for (i = 0; i < n; i++)
			if (recv(e[i].data.fd, b, sizeof b, 0) == sizeof b) {
				count++;
				(void)!send(e[i].data.fd, b, sizeof b, 0);
			}
		if (now() > end) {
			if (!warm)
				break;
			warm = 0;
			count = 0;
			start = now();
			end = start + seconds;
		}
	}
	printf("requests\t%.0f\n", count / (now() - start));
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	addr.sin_family = AF_INET;
	addr.sin_port = htons(atoi(argv[2]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(argv[1], "weft"))
		weft_server(atoi(argv[2]));
	else if (!strcmp(argv[1], "epoll"))
		epoll_server(atoi(argv[2]));
	else
		load(atoi(argv[3]), atof(argv[4]));
	return 0;
}
