/*
 * bench_st.c: the same rows by State Threads, and its echo server.
 *
 * What:  bench_st prints "row<TAB>nanoseconds"; bench_st echo PORT serves.
 * Idea:  N:1 with its own epoll; it has no yield, so st_usleep(0) stands for it.
 * See:   bench_weft.c for what the rows mean, echo.c for the load.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <st.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static void *yielder(void *p) { for (long i = 0; i < (long)p; i++) st_usleep(0); return p; }
static void *nothing(void *p) { return p; }
static st_mutex_t m;
static void *hand(void *p) { for (long i = 0; i < (long)p; i++) { st_mutex_lock(m); st_usleep(0); st_mutex_unlock(m); } return p; }
static st_cond_t c;
static int turn;
static void *side(void *p)
{
	int me = (long)p & 1;
	for (long i = 0; i < (long)p >> 1; i++) { while (turn != me) st_cond_wait(c); turn = !me; st_cond_signal(c); }
	return p;
}
static double two(void *(*f)(void *), long x, long y)
{
	double t = now();
	st_thread_t p = st_thread_create(f, (void *)x, 1, 0), q = st_thread_create(f, (void *)y, 1, 0);
	st_thread_join(p, NULL);
	st_thread_join(q, NULL);
	return now() - t;
}
static void *serve(void *p)
{
	char b[4096];
	st_netfd_t f = p;
	ssize_t n;
	while ((n = st_read(f, b, sizeof b, ST_UTIME_NO_TIMEOUT)) > 0) st_write(f, b, n, ST_UTIME_NO_TIMEOUT);
	st_netfd_close(f);
	return NULL;
}
static void echo(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	st_netfd_t f;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(l, (void *)&a, sizeof a) || listen(l, 4096)) exit(1);
	f = st_netfd_open_socket(l);
	puts("ready");
	fflush(stdout);
	for (;;) st_thread_create(serve, st_accept(f, NULL, NULL, ST_UTIME_NO_TIMEOUT), 0, 32768);
}
int main(int argc, char **argv)
{
	long n = 200000, i;
	double t;
	st_set_eventsys(ST_EVENTSYS_ALT);
	st_init();
	if (argc > 2) echo(atoi(argv[2]));
	m = st_mutex_new();
	c = st_cond_new();
	printf("yield\t%.2f\n", two(yielder, n, n) / (2 * n));
	t = now();
	for (i = 0; i < n; i++) st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL);
	printf("create\t%.2f\n", (now() - t) / n);
	printf("mutex\t%.2f\n", two(hand, n, n) / (2 * n));
	printf("cond\t%.2f\n", two(side, n * 2, n * 2 + 1) / (2 * n));
	return 0;
}
