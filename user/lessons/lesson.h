/*
 * lesson.h: the small frame around every lesson.
 *
 * A lesson is one program.  It says in plain words what it measures and ends with exactly one verdict, its last line:
 *     lesson NAME: shown               exit 0     the property was seen
 *     lesson NAME: NOT shown: why      exit 1     it should have been seen and was not
 *     lesson NAME: skip: why           exit 77    this machine or kernel cannot show it
 * NAME is the program's own name.  No verdict depends on how long something takes: an emulated processor may stop for
 * seconds.  What needs luck is repeated while patience() lasts; a lesson that hangs all the same is ended by alarm().
 */
#ifndef LESSON_H
#define LESSON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LESSON_SECONDS	110		/* then the lesson has failed */
#define PATIENCE_SECONDS 60		/* how long luck is waited for */
#define PAGE		4096ul

#define UNUSED __attribute__((unused))

UNUSED __attribute__((noreturn, format(printf, 3, 4)))
static void lesson_end(int code, const char *verdict, const char *fmt, ...)
{
	va_list ap;

	printf("lesson %s: %s", program_invocation_short_name, verdict);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(code);
}

#define shown()		lesson_end(0, "shown", "%s", "")
#define not_shown(...)	lesson_end(1, "NOT shown: ", __VA_ARGS__)
#define skip(...)	lesson_end(77, "skip: ", __VA_ARGS__)
/* What must hold for the lesson to be true. */
#define must(c, ...)	do { if (!(c)) not_shown(__VA_ARGS__); } while (0)
/* A system call that must succeed; its value. */
#define ok(call) ({ long r_ = (long)(call); if (r_ == -1) not_shown("%s: %s", #call, strerror(errno)); r_; })
/* A pthread call that must succeed. */
#define pok(call) do { int e_ = (call); if (e_) not_shown("%s: %s", #call, strerror(e_)); } while (0)

static void lesson_timeout(int sig)
{
	static const char a[] = "lesson ", b[] = ": NOT shown: no end within the time limit\n";
	const char *name = program_invocation_short_name;

	(void)sig;
	if (write(1, a, sizeof(a) - 1) < 0 || write(1, name, strlen(name)) < 0 || write(1, b, sizeof(b) - 1) < 0)
		_exit(2);
	_exit(1);
}

__attribute__((constructor)) static void lesson_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, lesson_timeout);
	alarm(LESSON_SECONDS);
}

/* fork() whose child dies with its parent, and cannot live for ever either. */
UNUSED static pid_t child(void)
{
	pid_t pid;

	fflush(stdout);
	pid = ok(fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGALRM, SIG_DFL);
		alarm(LESSON_SECONDS);
	}
	return pid;
}

/* Waits for a child: its exit code, or 128 + the signal that killed it. */
UNUSED static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		must(errno == EINTR, "waitpid: %s", strerror(errno));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

UNUSED static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

UNUSED static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

UNUSED static double clock_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* True while it is worth trying once more.  `start`: clock_s(CLOCK_MONOTONIC) of the first try. */
UNUSED static bool patience(double start)
{
	return clock_s(CLOCK_MONOTONIC) - start < PATIENCE_SECONDS;
}

/* Memory that parents and children really share. */
UNUSED static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "no shared memory: %s", strerror(errno));
	return memset(p, 0, bytes);
}

/* ---- processors ---- */

/* How many processors this program may use. */
UNUSED static int cpus(void)
{
	cpu_set_t set;

	ok(sched_getaffinity(0, sizeof(set), &set));
	return CPU_COUNT(&set);
}

/* The number of the n-th of them. */
UNUSED static int nth_cpu(int n)
{
	static cpu_set_t all;			/* as it was at the first call: later we may be pinned */
	static bool known;

	if (!known)
		ok(sched_getaffinity(0, sizeof(all), &all));
	known = true;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && !n--)
			return cpu;
	not_shown("there is no such processor");
}

/* Ties a task (0: the caller) to one processor. */
UNUSED static void pin(pid_t tid, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ok(sched_setaffinity(tid, sizeof(one), &one));
}

UNUSED static pid_t tid_now(void)
{
	return syscall(SYS_gettid);
}

/* ---- small files of /proc ---- */

/* A whole small file as a string in buf; false if it cannot be read. */
UNUSED static bool slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (got < size - 1 && (n = read(fd, buf + got, size - 1 - got)) > 0)
		got += n;
	close(fd);
	buf[got] = 0;
	return true;
}

/* The number after "NAME:" at the start of a line; -1 if there is none. */
UNUSED static long field(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, name, len) && p[len] == ':')
			return strtol(p + len + 1, NULL, 0);
	return -1;
}

#endif
