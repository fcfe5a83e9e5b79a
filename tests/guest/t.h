/*
 * t.h: the small frame around every guest test.
 *
 * A test program is one topic; each TEST(name) in it is one case.  Each case runs in a process group of its own with a
 * time limit, so that a case that hangs, dies or leaves children behind fails alone.  The same static binary must pass
 * on the host's Linux before it may fail on Weft.
 *
 * Output, a line a case:  "ok TOPIC/NAME", "not ok TOPIC/NAME: what", "skip TOPIC/NAME: why".
 */
#ifndef T_H
#define T_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef T_LIMIT
#define T_LIMIT 120			/* seconds a case may take: an emulated processor can stop for long */
#endif
#define T_MAX 400

struct t_case { const char *name; void (*fn)(void); };
static struct t_case t_cases[T_MAX];
static int t_count;
static int t_report = -1;		/* pipe on which a case says why it failed */

#define TEST(n) \
	static void test_##n(void); \
	__attribute__((constructor)) static void t_reg_##n(void) \
	{ t_cases[t_count].name = #n; t_cases[t_count++].fn = test_##n; } \
	static void test_##n(void)

__attribute__((unused, noreturn, format(printf, 2, 3)))
static void t_end(int code, const char *fmt, ...)
{
	char buf[500];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(buf))
		n = sizeof(buf) - 1;
	if (write(t_report, buf, n) != n)
		_exit(99);
	_exit(code);
}

#define FAIL(...)	t_end(1, __VA_ARGS__)
#define SKIP(...)	t_end(77, __VA_ARGS__)
#define CHECK(c)	do { if (!(c)) FAIL("line %d: %s (errno %d %s)", __LINE__, #c, errno, strerror(errno)); } while (0)
#define CHECK_EQ(a, b)	do { long long a_ = (long long)(a), b_ = (long long)(b); \
	if (a_ != b_) FAIL("line %d: %s is %lld, not %lld (errno %d)", __LINE__, #a, a_, b_, errno); } while (0)
#define CHECK_STR(a, b)	do { const char *a_ = (a), *b_ = (b); \
	if (strcmp(a_, b_)) FAIL("line %d: %s is \"%.200s\", not \"%.200s\"", __LINE__, #a, a_, b_); } while (0)
/* The call must return -1 with this errno. */
#define CHECK_ERR(call, e)	do { errno = 0; long long r_ = (long long)(call); int e_ = errno; \
	if (r_ != -1 || e_ != (e)) FAIL("line %d: %s is %lld errno %d (%s), not errno %d", __LINE__, #call, r_, e_, strerror(e_), (e)); } while (0)
#define CHECK_OK(call)	({ errno = 0; long long r_ = (long long)(call); \
	if (r_ < 0) { FAIL("line %d: %s: %lld errno %d (%s)", __LINE__, #call, r_, errno, strerror(errno)); } \
	r_; })

/* Waits for a child and returns its wait status. */
__attribute__((unused)) static int t_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			FAIL("waitpid(%d): %s", pid, strerror(errno));
	return status;
}

__attribute__((unused)) static void t_sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

__attribute__((unused)) static long long t_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int t_run_case(const char *topic, struct t_case *c)
{
	char msg[512];
	int p[2], status = 0;
	ssize_t n, got = 0;
	pid_t pid;

	fflush(stdout);
	if (pipe(p) || (pid = fork()) < 0) {
		printf("not ok %s/%s: cannot start: %s\n", topic, c->name, strerror(errno));
		return 1;
	}
	if (!pid) {
		setpgid(0, 0);
		close(p[0]);
		t_report = p[1] < 100 ? dup2(p[1], 199) : p[1];
		if (t_report != p[1])
			close(p[1]);
		alarm(T_LIMIT);
		c->fn();
		_exit(0);
	}
	setpgid(pid, pid);
	close(p[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	kill(-pid, SIGKILL);
	while (got < (ssize_t)sizeof(msg) - 1 && (n = read(p[0], msg + got, sizeof(msg) - 1 - got)) > 0)
		got += n;
	close(p[0]);
	msg[got] = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		printf("ok %s/%s\n", topic, c->name);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skip %s/%s: %s\n", topic, c->name, msg);
	} else if (WIFSIGNALED(status)) {
		printf("not ok %s/%s: killed by signal %d%s %s\n", topic, c->name, WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? " (time limit)" : "", msg);
		return 1;
	} else {
		printf("not ok %s/%s: %s (status %#x)\n", topic, c->name, msg, status);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *topic = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, SIG_DFL);		/* whoever started the tests in the background may have had them ignored */
	signal(SIGQUIT, SIG_DFL);
	for (int i = 0; i < t_count; i++) {
		bool wanted = argc < 2;

		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], t_cases[i].name);
		if (wanted)
			failed += t_run_case(topic, &t_cases[i]);
	}
	fflush(stdout);
	return failed ? 1 : 0;
}

#endif
