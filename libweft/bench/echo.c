/*
 * echo.c: echo servers and the load for them.
 *
 * What:  echo weft PORT | echo epoll PORT: servers that print "ready".  echo load CONNECTIONS SLICE_MS ROUNDS PORT...: for each
 *        server a line: requests a second (median of its slices), and its ratio to the first server (median of the rounds).
 * Idea:  the epoll server is the hand-written limit: level-triggered, one read and one write an event, no more.
 *        The load has a process for each server, with its connections; they take turns of a slice each, in another order each
 *        round, so that a machine that is slower for a while is slower for all.  One 64-byte message is under way on each
 *        connection, and the load never sleeps: else the server that is a little slower would also pay for waking it.
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
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <weft/thread.h>

static struct sockaddr_in addr;

static int listening(void)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(l, (void *)&addr, sizeof addr) || listen(l, 4096))
		exit(1);
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

static void weft_server(void)
{
	weft_attr a = { NULL, 0, 4, WEFT_DETACHED };
	int l, c;

	weft_init(NULL);
	l = listening();
	while ((c = weft_accept(l, NULL, NULL)) >= 0)
		weft_spawn(NULL, &a, serve, (void *)(long)c);
}

static void epoll_server(void)
{
	int l = listening(), ep = epoll_create1(0), i, n;
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

enum { SERVERS = 8, ROUNDS = 1000, MESSAGE = 64 };

struct turns { int go[2], done[2], alive; };

static int *connect_all(int connections, int ep)
{
	int *fd = malloc(connections * sizeof *fd), i, one = 1;
	struct epoll_event ev = { .events = EPOLLIN };
	struct timeval patience = { 10, 0 };

	for (i = 0; i < connections; i++) {
		ev.data.fd = fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		setsockopt(fd[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);	/* for connect */
		if (connect(fd[i], (void *)&addr, sizeof addr)) {
			perror("connect");
			exit(1);
		}
		epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev);
	}
	return fd;
}

/* One slice: a quarter to get going, the rest counts, and then what is under way comes home. */
static double slice(const int *fd, int connections, int ep, double seconds)
{
	char b[MESSAGE] = "an echo of sixty-four bytes";
	double begun = 0, end = now() + seconds / 4, rate = 0;
	struct epoll_event e[256];
	int i, n, under_way, phase = 0;
	long count = 0;

	for (under_way = 0; under_way < connections; under_way++)
		(void)!send(fd[under_way], b, sizeof b, 0);
	while (under_way) {
		n = epoll_wait(ep, e, 256, 0);
		for (i = 0; i < n; i++) {
			if (recv(e[i].data.fd, b, sizeof b, 0) != sizeof b)
				exit(1);
			count++;
			if (phase < 2)
				(void)!send(e[i].data.fd, b, sizeof b, 0);
			else
				under_way--;
		}
		if (phase < 2 && now() > end) {
			if (phase++ == 1)
				rate = count / (now() - begun);
			begun = now();
			end = begun + seconds * 3 / 4;
			count = 0;
		}
	}
	return rate;
}

static void one_server(struct turns *t, int connections, double seconds)
{
	int ep = epoll_create1(0), *fd = connect_all(connections, ep);
	double rate = 0;
	char c;

	/* ready, then a slice for each turn, until the parent has gone */
	while (write(t->done[1], &rate, sizeof rate) == sizeof rate && read(t->go[0], &c, 1) == 1)
		rate = slice(fd, connections, ep, seconds);
	exit(0);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, n, sizeof *v, by_size);
	return v[n / 2];
}

/* Starts server i's process; one whose server refuses that many connections is left out. */
static void start(struct turns *t, int i, int port, int connections, double seconds)
{
	double d;
	int k;

	if (pipe(t[i].go) || pipe(t[i].done))
		exit(1);
	if (fork() == 0) {
		addr.sin_port = htons(port);
		for (k = 0; k <= i; k++)
			close(t[k].go[1]);	/* so that the end of the parent is seen */
		one_server(&t[i], connections, seconds);
	}
	close(t[i].done[1]);
	t[i].alive = read(t[i].done[0], &d, sizeof d) == sizeof d;
}

static void load(int connections, double seconds, int rounds, char **port, int n)
{
	static double rate[SERVERS][ROUNDS], ratio[SERVERS][ROUNDS];
	struct turns t[SERVERS];
	int i, k, r;

	for (i = 0; i < n; i++)
		start(t, i, atoi(port[i]), connections, seconds);
	for (r = -1; r < rounds; r++)		/* the first round warms up */
		for (i = 0; i < n; i++) {
			k = (i + r + n) % n;
			if (t[k].alive && (write(t[k].go[1], "g", 1) != 1 ||
			    read(t[k].done[0], &rate[k][r < 0 ? 0 : r], sizeof **rate) != sizeof **rate))
				t[k].alive = 0;
		}
	for (i = n - 1; i >= 0; i--)
		for (r = 0; r < rounds; r++)
			ratio[i][r] = rate[i][r] / rate[0][r];
	for (i = 0; i < n; i++)
		if (t[i].alive)
			printf("%d\t%.0f\t%.4f\n", i, median(rate[i], rounds), median(ratio[i], rounds));
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	addr.sin_family = AF_INET;
	addr.sin_port = htons(atoi(argv[2]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(argv[1], "weft"))
		weft_server();
	else if (!strcmp(argv[1], "epoll"))
		epoll_server();
	else if (argc > 5 && argc - 5 <= SERVERS && atoi(argv[4]) <= ROUNDS)
		load(atoi(argv[2]), atof(argv[3]) / 1000, atoi(argv[4]), argv + 5, argc - 5);
	return 0;
}
