/*
 * storm.c: storms that look for races in the kernel.  storm SECONDS [NAME...]
 *
 * Each storm runs for its share of the time with a few processes or threads that do the same few things in every order.
 * A storm checks what must stay true (a counter, a byte pattern, the number of children); most faults that it is after
 * show up as a kernel report or a hang.  Exit status 0: everything held.  Runs on Linux as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static double deadline;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool time_left(void) { return now() < deadline; }

static unsigned int rnd(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

/* Runs fn(i) in n processes and waits: all must exit with 0. */
static void in_processes(int n, void (*fn)(int))
{
	int status, bad = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid) {
			fn(i);
			_exit(0);
		}
	}
	for (int i = 0; i < n; i++) {
		if (wait(&status) < 0)
			die("wait: %s", strerror(errno));
		bad |= status;
	}
	if (bad)
		die("a process of the storm ended with status %#x", bad);
}

/* ---- fork, exec, exit ---- */

static void *exit_thread(void *arg)
{
	if (arg)
		usleep(1);
	return NULL;
}

static void fork_one(int i)
{
	unsigned int seed = i + 1;

	while (time_left()) {
		unsigned int what = rnd(&seed) % 5;
		pid_t pid = what == 1 ? vfork() : fork();
		int status;

		if (pid < 0) {
			if (errno != EAGAIN && errno != ENOMEM)
				die("fork: %s", strerror(errno));
			continue;
		}
		if (!pid) {
			if (what <= 1) {
				execl("/proc/self/exe", "storm", "0", (char *)NULL);
				_exit(1);
			}
			if (what == 2) {
				for (int t = 0; t < 3; t++) {
					pthread_t th;

					pthread_create(&th, NULL, exit_thread, t ? (void *)1 : NULL);
				}
				if (rnd(&seed) % 2)
					execl("/proc/self/exe", "storm", "0", (char *)NULL);	/* kills the others */
			}
			if (what == 3 && !fork())		/* an orphan */
				_exit(7);
			_exit(0);
		}
		if (what == 4)
			kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid: %s", strerror(errno));
		if (what != 4 && (!WIFEXITED(status) || WEXITSTATUS(status)))
			die("child ended with %#x (kind %u)", status, what);
	}
}

static void storm_fork(void) { in_processes(4, fork_one); }

/* ---- mmap, munmap, mprotect, fault, from several threads ---- */

#define AREA (64 << 12)
static char *area;

static void *mmap_thread(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (time_left()) {
		size_t off = (rnd(&seed) % 60) << 12, len = (1 + rnd(&seed) % 4) << 12;

		switch (rnd(&seed) % 7) {
		case 0:
			mmap(area + off, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 1:
			mprotect(area + off, len, rnd(&seed) % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
			break;
		case 2:
			madvise(area + off, len, MADV_DONTNEED);
			break;
		case 3: {
			char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (p == MAP_FAILED)
				break;
			for (size_t i = 0; i < len; i += 4096) {
				if (p[i])
					die("fresh memory is not zero");
				p[i] = 1;
			}
			p = mremap(p, len, len * 2, MREMAP_MAYMOVE);
			if (p != MAP_FAILED && (!p[0] || p[len]))
				die("mremap lost or made up data");
			if (p != MAP_FAILED)
				munmap(p, len * 2);
			break;
		}
		default: {
			/* through the kernel, so that a page that is gone or read-only is an error and no signal */
			int fd[2];
			char c = 1;

			if (pipe(fd))
				break;
			if (write(fd[1], area + off, 1) == 1 && read(fd[0], area + off + 1, 1) < 0 && errno != EFAULT)
				die("read into the area: %s", strerror(errno));
			(void)!write(fd[1], &c, 1);
			(void)!read(fd[0], area + off, 1);
			close(fd[0]);
			close(fd[1]);
		}
		}
	}
	return NULL;
}

static void mmap_one(int i)
{
	pthread_t t[4];

	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int k = 0; k < 4; k++)
		pthread_create(&t[k], NULL, mmap_thread, (void *)(uintptr_t)(i * 10 + k + 1));
	while (time_left()) {			/* and forks of the whole, so that pages are shared */
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		usleep(1000);
	}
	for (int k = 0; k < 4; k++)
		pthread_join(t[k], NULL);
}

static void storm_mmap(void) { in_processes(2, mmap_one); }

/* A page's writers on several CPUs and a fork that makes it read-only under them: no write may be lost. */
static volatile unsigned long *cow_words;
static volatile bool cow_stop;

static void *cow_thread(void *arg)
{
	volatile unsigned long *word = cow_words + (uintptr_t)arg;
	unsigned long n = 0;

	while (!cow_stop) {
		*word = ++n;
		if (*word != n)
			die("copy on write lost a store: %lu is %lu", n, *word);
	}
	return NULL;
}

static void storm_cow(void)
{
	pthread_t t[3];

	cow_words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (uintptr_t k = 0; k < 3; k++)
		pthread_create(&t[k], NULL, cow_thread, (void *)k);
	while (time_left()) {
		pid_t pid = fork();

		if (!pid) {
			unsigned long a = cow_words[0];

			sched_yield();
			_exit(a == cow_words[0] ? 0 : 1);	/* the child's copy stands still */
		}
		if (pid > 0) {
			int status;

			waitpid(pid, &status, 0);
			if (status)
				die("the child saw the parent's writes");
		}
	}
	cow_stop = true;
	for (int k = 0; k < 3; k++)
		pthread_join(t[k], NULL);
}

/* ---- signals ---- */

static volatile int got_signals;
static void count_signal(int sig) { got_signals++; }

static void signal_one(int i)
{
	pid_t kids[3];
	unsigned int seed = i + 1;

	signal(SIGUSR1, count_signal);
	signal(SIGRTMIN, count_signal);
	for (int k = 0; k < 3; k++) {
		kids[k] = fork();
		if (!kids[k]) {
			while (time_left())
				if (rnd(&seed) % 4 == 0)
					usleep(10);
				else
					getppid();
			_exit(0);
		}
	}
	while (time_left()) {
		pid_t pid = kids[rnd(&seed) % 3];

		switch (rnd(&seed) % 5) {
		case 0: kill(pid, SIGSTOP); kill(pid, SIGCONT); break;
		case 1: sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = 1 }); break;
		default: kill(pid, SIGUSR1);
		}
	}
	for (int k = 0; k < 3; k++) {
		int status;

		kill(kids[k], SIGCONT);
		if (waitpid(kids[k], &status, 0) != kids[k] || status)
			die("a child that handles its signals died: %#x", status);
	}
}

static void storm_signal(void) { in_processes(2, signal_one); }

/* ---- futex ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long long counter, done_by_threads;
static int turn;

static void *futex_thread(void *arg)
{
	long long mine = 0;

	while (time_left()) {
		pthread_mutex_lock(&mutex);
		counter++;
		if (mine % 64 == 0) {
			turn++;
			pthread_cond_broadcast(&cond);
			if (turn % 3 == 0) {
				struct timespec ts;

				clock_gettime(CLOCK_REALTIME, &ts);
				ts.tv_nsec = (ts.tv_nsec + 1000000) % 1000000000;
				pthread_cond_timedwait(&cond, &mutex, &ts);
			}
		}
		pthread_mutex_unlock(&mutex);
		mine++;
	}
	__atomic_add_fetch(&done_by_threads, mine, __ATOMIC_SEQ_CST);
	return NULL;
}

static void storm_futex(void)
{
	pthread_t t[6];

	counter = done_by_threads = 0;
	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, futex_thread, NULL);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	if (counter != done_by_threads)
		die("a mutex let two in: %lld counted, %lld done", counter, done_by_threads);
}

/* ---- futexes with priority inheritance ---- */

#define PI_LOCKS	4
static pthread_mutex_t pi_lock[PI_LOCKS];
static long pi_inside[PI_LOCKS];
static unsigned int pi_cond, pi_target;		/* words of the requeue */

static struct timespec in_us(clockid_t clock, long us)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += us * 1000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static int pi_take(int i, bool impatient)
{
	struct timespec ts = in_us(CLOCK_REALTIME, 300);
	int err = impatient ? pthread_mutex_timedlock(&pi_lock[i], &ts) : pthread_mutex_lock(&pi_lock[i]);

	if (err == EOWNERDEAD) {
		__atomic_store_n(&pi_inside[i], 0, __ATOMIC_SEQ_CST);	/* died inside */
		pthread_mutex_consistent(&pi_lock[i]);
		err = 0;
	}
	if (err && err != ETIMEDOUT && err != EDEADLK)
		die("a lock with inheritance gave %s", strerror(err));
	if (!err && __atomic_fetch_add(&pi_inside[i], 1, __ATOMIC_SEQ_CST))
		die("a lock with inheritance let two in");
	return err;
}

static void pi_give(int i)
{
	__atomic_fetch_sub(&pi_inside[i], 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&pi_lock[i]);
}

static void pi_requeue(unsigned int what)
{
	struct timespec ts = in_us(CLOCK_MONOTONIC, 500);
	unsigned int val = __atomic_load_n(&pi_cond, __ATOMIC_SEQ_CST);

	if (what % 2) {
		__atomic_add_fetch(&pi_cond, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &pi_cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)(long)(what % 5), &pi_target, val + 1);
		return;
	}
	if (what % 4 == 0 && syscall(SYS_futex, &pi_target, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0))
		return;
	if (what % 4 == 2 && syscall(SYS_futex, &pi_cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, val, &ts, &pi_target, 0))
		return;
	syscall(SYS_futex, &pi_target, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static void *pi_thread(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (int n = 0; n < 200 && time_left(); n++) {
		unsigned int what = rnd(&seed);
		struct sched_param p = { .sched_priority = what % 8 };
		int from = (int)(what / 8 % PI_LOCKS), got = from;

		if (n % 16 == 0)		/* may be refused: then without */
			sched_setscheduler(0, p.sched_priority ? SCHED_FIFO : SCHED_OTHER, &p);
		while (got < PI_LOCKS && !pi_take(got, what % 3))
			got++;
		if (what % 97 == 0)
			return NULL;		/* and everything it holds is left to the others */
		while (got-- > from)
			pi_give(got);
		pi_requeue(rnd(&seed));
	}
	return NULL;
}

/* Threads that take locks in order, wait with time limits, change their priorities, and die holding them. */
static void storm_pi(void)
{
	pthread_mutexattr_t a;
	pthread_t t[8];
	int seed = 1;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < PI_LOCKS; i++)
		pthread_mutex_init(&pi_lock[i], &a);
	while (time_left()) {
		for (int i = 0; i < 8; i++)
			if (pthread_create(&t[i], NULL, pi_thread, (void *)(uintptr_t)seed++))
				die("pthread_create: %s", strerror(errno));
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
		/* nobody is left: every lock can be had */
		for (int i = 0; i < PI_LOCKS; i++) {
			if (pi_take(i, false))
				die("a lock with inheritance is lost");
			pi_give(i);
		}
	}
}

/* ---- pipes and sockets ---- */

static void stream(int from, int to)
{
	unsigned char buf[3000];
	unsigned int sum_in = 0, sum_out = 0, seed = 5;
	pid_t pid = fork();

	if (!pid) {
		close(from);
		while (time_left()) {
			size_t n = 1 + rnd(&seed) % sizeof(buf);

			for (size_t i = 0; i < n; i++)
				buf[i] = sum_out++;
			for (size_t at = 0; at < n; ) {
				ssize_t w = write(to, buf + at, n - at);

				if (w < 0)
					die("write: %s", strerror(errno));
				at += w;
			}
		}
		_exit(0);
	}
	close(to);
	for (;;) {
		ssize_t n = read(from, buf, 1 + rnd(&seed) % sizeof(buf));

		if (n < 0)
			die("read: %s", strerror(errno));
		if (!n)
			break;
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != (unsigned char)sum_in++)
				die("a byte of the stream is wrong");
	}
	waitpid(pid, NULL, 0);
	close(from);
}

static void pipe_one(int i)
{
	int fd[2];

	if (i % 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd))
		die("pipe: %s", strerror(errno));
	stream(fd[0], fd[1]);
}

static void storm_pipe(void) { in_processes(4, pipe_one); }

/* Descriptors over sockets, and sockets over themselves: garbage that only a collector finds. */
static void fd_pass_one(int i)
{
	while (time_left()) {
		int sv[2], n;
		char c = 'x', ctl[CMSG_SPACE(2 * sizeof(int))];
		struct iovec iov = { &c, 1 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
		struct cmsghdr *cm = CMSG_FIRSTHDR(&m);

		if (socketpair(AF_UNIX, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0, sv))
			die("socketpair: %s", strerror(errno));
		memset(ctl, 0, sizeof(ctl));
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(cm), sv, 2 * sizeof(int));
		n = sendmsg(sv[0], &m, 0);
		if (n < 0 && errno != ETOOMANYREFS)
			die("sendmsg: %s", strerror(errno));
		if (n > 0 && i < 2 && recvmsg(sv[1], &m, 0) == 1 && (cm = CMSG_FIRSTHDR(&m))) {
			int got[2];

			memcpy(got, CMSG_DATA(cm), sizeof(got));
			close(got[0]);
			close(got[1]);
		}
		close(sv[0]);
		close(sv[1]);
	}
}

static void storm_fdpass(void) { in_processes(4, fd_pass_one); }

/* ---- ptys ---- */

static void pty_one(int i)
{
	unsigned int seed = i + 1;

	while (time_left()) {
		int m = posix_openpt(O_RDWR | O_NOCTTY);
		char buf[100];
		pid_t pid;

		if (m < 0)
			continue;
		if (grantpt(m) || unlockpt(m))
			die("unlockpt: %s", strerror(errno));
		pid = fork();
		if (!pid) {
			int s;

			setsid();
			s = open(ptsname(m), O_RDWR);
			close(m);
			if (s < 0)
				_exit(0);
			for (int k = 0; k < 20; k++)
				if (write(s, "hello\n", 6) < 0)
					break;
			(void)!read(s, buf, sizeof(buf));
			_exit(0);
		}
		for (unsigned int k = 0; k < rnd(&seed) % 8; k++) {
			struct pollfd p = { m, POLLIN, 0 };

			poll(&p, 1, 1);
			if (p.revents & POLLIN)
				(void)!read(m, buf, sizeof(buf));
			(void)!write(m, "x\003\n", rnd(&seed) % 4);
		}
		close(m);				/* hang-up */
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void storm_pty(void) { in_processes(3, pty_one); }

/* ---- files: truncation against mappings, renames, links ---- */

static char file_name[64];

static void truncate_one(int i)
{
	unsigned int seed = i + 1;
	int fd = open(file_name, O_RDWR);

	if (fd < 0)
		die("open %s: %s", file_name, strerror(errno));
	while (time_left()) {
		off_t off = (rnd(&seed) % 16) << 12;
		char buf[4096];

		switch (rnd(&seed) % 5) {
		case 0:
			(void)!ftruncate(fd, off);
			break;
		case 1: {
			memset(buf, 'a', sizeof(buf));
			if (pwrite(fd, buf, sizeof(buf), off) < 0 && errno != ENOSPC)
				die("pwrite: %s", strerror(errno));
			break;
		}
		case 2: {
			ssize_t n = pread(fd, buf, sizeof(buf), off);

			for (ssize_t k = 0; k < n; k++)
				if (buf[k] != 'a' && buf[k] != 0)
					die("foreign byte %#x in the file", buf[k]);
			break;
		}
		default: {
			char *p = mmap(NULL, 16 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			int null = open("/dev/null", O_WRONLY);

			if (p != MAP_FAILED) {
				(void)!write(null, p + off, 1);		/* EFAULT behind the end instead of SIGBUS */
				munmap(p, 16 << 12);
			}
			close(null);
		}
		}
	}
	close(fd);
}

static void storm_truncate(void)
{
	snprintf(file_name, sizeof(file_name), "/tmp/storm.%d", getpid());
	close(open(file_name, O_CREAT | O_RDWR, 0600));
	in_processes(3, truncate_one);
	unlink(file_name);
}

static void names_one(int i)
{
	unsigned int seed = i + 1;
	char a[64], b[64];

	while (time_left()) {
		snprintf(a, sizeof(a), "%s/%u", file_name, rnd(&seed) % 8);
		snprintf(b, sizeof(b), "%s/%u", file_name, rnd(&seed) % 8);
		switch (rnd(&seed) % 8) {
		case 0: close(open(a, O_CREAT | O_RDWR, 0600)); break;
		case 1: unlink(a); break;
		case 2: rename(a, b); break;
		case 3: link(a, b); break;
		case 4: mkdir(a, 0700); break;
		case 5: rmdir(a); break;
		case 6: symlink(a, b); break;
		default: {
			struct stat st;

			stat(a, &st);
		}
		}
	}
}

static void storm_names(void)
{
	char cmd[100];

	snprintf(file_name, sizeof(file_name), "/tmp/storm.%d", getpid());
	mkdir(file_name, 0700);
	in_processes(4, names_one);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", file_name);
	if (system(cmd))
		die("%s failed", cmd);
}

static const struct { const char *name; void (*fn)(void); } storms[] = {
	{ "fork", storm_fork }, { "mmap", storm_mmap }, { "cow", storm_cow }, { "signal", storm_signal },
	{ "futex", storm_futex }, { "pi", storm_pi }, { "pipe", storm_pipe }, { "fdpass", storm_fdpass }, { "pty", storm_pty },
	{ "truncate", storm_truncate }, { "names", storm_names },
};
#define NR_STORMS ((int)(sizeof(storms) / sizeof(storms[0])))

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 10;
	int wanted = argc > 2 ? argc - 2 : NR_STORMS;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!seconds)
		return 0;			/* what the fork storm execs */
	for (int i = 0; i < NR_STORMS; i++) {
		bool run = argc < 3;
		int status;
		pid_t pid;

		for (int a = 2; a < argc; a++)
			run |= !strcmp(argv[a], storms[i].name);
		if (!run)
			continue;
		pid = fork();
		if (!pid) {
			deadline = now() + seconds / wanted;
			storms[i].fn();
			_exit(0);
		}
		waitpid(pid, &status, 0);
		printf("storm %s: %s\n", storms[i].name, status ? "FAILED" : "held");
		if (status)
			return 1;
	}
	return 0;
}
