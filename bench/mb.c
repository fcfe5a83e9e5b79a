// Micro-benchmarks of the system calls and kernel paths that programs lean on.
// Static binary; prints "mb NAME VALUE UNIT" (median of 7 repeats of >= 40 ms each).
// With arguments: only the figures named.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEATS 7
#define MIN_NS 40000000ull

static unsigned long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static int cmp(const void *a, const void *b)
{
	double x = *(double *)a, y = *(double *)b;
	return (x > y) - (x < y);
}
static char **only;
static int wanted(const char *name)
{
	for (char **o = only; *o; o++)
		if (!strcmp(*o, name))
			return 1;
	return !*only;
}
// f(n) does n operations; 'per' scales one op (e.g. pages per op)
static void bench(const char *name, void (*f)(long), double per, const char *unit)
{
	double r[REPEATS];
	long n = 1;
	unsigned long long t;
	if (!wanted(name))
		return;
	for (;;) {
		t = now();
		f(n);
		t = now() - t;
		if (t >= MIN_NS || n > 100000000)
			break;
		n = t < 1000000 ? n * 8 : (long)(n * 1.3 * MIN_NS / t) + 1;
	}
	for (int i = 0; i < REPEATS; i++) {
		t = now();
		f(n);
		r[i] = (double)(now() - t) / n / per;
	}
	qsort(r, REPEATS, sizeof *r, cmp);
	double v = r[REPEATS / 2];
	if (!strcmp(unit, "us"))
		v /= 1000;
	printf("mb %s %.3f %s\n", name, v, unit);
	fflush(stdout);
}

static volatile long sink;
static void b_getppid(long n) { while (n--) syscall(SYS_getppid); }
static void b_clock(long n) { struct timespec t; while (n--) { clock_gettime(CLOCK_MONOTONIC, &t); sink += t.tv_nsec; } }
static void b_fork(long n) { while (n--) { pid_t p = fork(); if (!p) _exit(0); waitpid(p, 0, 0); } }
static const char *self;
static void b_exec(long n)
{
	while (n--) {
		pid_t p = vfork();
		if (!p) { execl(self, self, "exit", (char *)0); _exit(1); }
		waitpid(p, 0, 0);
	}
}
static char *forkmem;
static void b_fork16(long n) { while (n--) { pid_t p = fork(); if (!p) _exit(0); waitpid(p, 0, 0); } }
static void *nop(void *a) { return a; }
static void b_pthread(long n) { while (n--) { pthread_t t; pthread_create(&t, 0, nop, 0); pthread_join(t, 0); } }

static int fa[2], fb[2];
static void pingpong_proc(long n, int r1, int w1, int r2, int w2)
{
	char c = 0;
	pid_t p = fork();
	if (!p) {
		for (long i = 0; i < n; i++) { if (read(r1, &c, 1) != 1 || write(w2, &c, 1) != 1) _exit(1); }
		_exit(0);
	}
	for (long i = 0; i < n; i++) { if (write(w1, &c, 1) != 1 || read(r2, &c, 1) != 1) exit(1); }
	waitpid(p, 0, 0);
}
static void b_pipe(long n) { pingpong_proc(n, fa[0], fa[1], fb[0], fb[1]); }
static int sv[2];
static void b_unix(long n) { pingpong_proc(n, sv[1], sv[0], sv[0], sv[1]); }

static int turn;
static void fwait(int v) { while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != v) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !v, 0, 0, 0); }
static void fpost(int v) { __atomic_store_n(&turn, v, __ATOMIC_RELEASE); syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0); }
static void *fpeer(void *a) { long n = (long)a; while (n--) { fwait(1); fpost(0); } return 0; }
static void b_futex(long n)
{
	pthread_t t;
	turn = 0;
	pthread_create(&t, 0, fpeer, (void *)n);
	while (n--) { fpost(1); fwait(0); }
	pthread_join(t, 0);
}
static void b_yield(long n)
{
	pid_t p = fork();
	if (!p) { for (;;) sched_yield(); }
	while (n--) sched_yield();
	kill(p, SIGKILL);
	waitpid(p, 0, 0);
}
#define PF_PAGES 1024
static void b_fault(long n)
{
	while (n--) {
		char *m = mmap(0, PF_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		madvise(m, PF_PAGES * 4096, MADV_NOHUGEPAGE);
		for (int i = 0; i < PF_PAGES; i++) m[i * 4096] = 1;
		munmap(m, PF_PAGES * 4096);
	}
}
static void b_cow(long n)
{
	char *m = mmap(0, PF_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(m, PF_PAGES * 4096, MADV_NOHUGEPAGE);
	memset(m, 1, PF_PAGES * 4096);
	while (n--) {
		pid_t p = fork();
		if (!p) { for (int i = 0; i < PF_PAGES; i++) m[i * 4096] = 2; _exit(0); }
		waitpid(p, 0, 0);
	}
	munmap(m, PF_PAGES * 4096);
}
static void b_mmap(long n) { while (n--) { char *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); munmap(m, 4096); } }
static void b_populate(long n)
{
	while (n--) {
		char *m = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		munmap(m, 16 << 20);
	}
}
static void onsig(int s) { (void)s; sink++; }
static void b_sig(long n) { while (n--) raise(SIGUSR1); }
static void b_open(long n) { while (n--) close(open("/tmp/mbfile", O_RDONLY)); }
static void b_stat(long n) { struct stat s; while (n--) stat("/tmp/mbfile", &s); }
static int ffd;
static char buf[65536];
static void b_read4k(long n) { while (n--) if (pread(ffd, buf, 4096, 0) != 4096) exit(1); }
static void b_write4k(long n) { while (n--) if (pwrite(ffd, buf, 4096, 0) != 4096) exit(1); }
static void b_create(long n) { while (n--) { close(open("/tmp/mbnew", O_CREAT | O_RDWR, 0600)); unlink("/tmp/mbnew"); } }
static int ep;
static void b_epoll(long n) { struct epoll_event e; while (n--) epoll_wait(ep, &e, 1, 0); }
static void b_pipebw(long n)
{
	int p[2];
	if (pipe(p)) exit(1);
	pid_t c = fork();
	if (!c) { close(p[0]); for (long i = 0; i < n; i++) if (write(p[1], buf, 65536) != 65536) _exit(1); _exit(0); }
	close(p[1]);
	while (read(p[0], buf, 65536) > 0) ;
	close(p[0]);
	waitpid(c, 0, 0);
}
static void b_user(long n) { unsigned long x = 1; for (n *= 1000; n--; ) x = x * 6364136223846793005ul + 1; sink += x; }

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 0;
	only = argv + 1;
	self = "/proc/self/exe";
	if (argv[0][0] == '/') self = argv[0];
	if (pipe(fa) || pipe(fb) || socketpair(AF_UNIX, SOCK_STREAM, 0, sv)) return 1;
	ffd = open("/tmp/mbfile", O_CREAT | O_RDWR | O_TRUNC, 0644);
	if (ffd < 0 || write(ffd, buf, 65536) != 65536) return 1;
	ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLOUT };
	epoll_ctl(ep, EPOLL_CTL_ADD, fa[1], &e);
	signal(SIGUSR1, onsig);

	bench("user_loop_1000", b_user, 1, "ns");
	bench("getppid", b_getppid, 1, "ns");
	bench("clock_gettime", b_clock, 1, "ns");
	bench("signal_deliver", b_sig, 1, "ns");
	bench("open_close", b_open, 1, "ns");
	bench("stat", b_stat, 1, "ns");
	bench("read_4k", b_read4k, 1, "ns");
	bench("write_4k", b_write4k, 1, "ns");
	bench("epoll_wait_ready", b_epoll, 1, "ns");
	bench("mmap_munmap_4k", b_mmap, 1, "ns");
	bench("anon_fault", b_fault, PF_PAGES, "ns");
	bench("populate_page", b_populate, 4096, "ns");
	bench("create_unlink", b_create, 1, "us");
	bench("fork_exit_wait", b_fork, 1, "us");
	bench("vfork_exec_wait", b_exec, 1, "us");
	bench("fork_cow_1024_pages", b_cow, 1, "us");
	forkmem = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(forkmem, 16 << 20, MADV_NOHUGEPAGE);
	memset(forkmem, 1, 16 << 20);
	bench("fork_with_16MB", b_fork16, 1, "us");
	munmap(forkmem, 16 << 20);
	bench("pthread_create_join", b_pthread, 1, "us");
	bench("pipe_pingpong", b_pipe, 1, "us");
	bench("unix_pingpong", b_unix, 1, "us");
	bench("futex_pingpong", b_futex, 1, "us");
	bench("sched_yield_pair", b_yield, 1, "us");
	bench("pipe_64k", b_pipebw, 1, "us");
	printf("mb done 1 ok\n");
	return 0;
}
