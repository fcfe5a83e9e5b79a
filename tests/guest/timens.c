/*
 * timens.c: time namespaces (spec §8; man 7 time_namespaces).
 *
 * What:    /proc/PID/timens_offsets and its rules; clocks by system call and by vDSO; absolute sleeps and timers; uptime and the
 *          start time in /proc; setns and who may not go over.
 */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <pthread.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define DAY 86400LL

static int set_offsets(const char *text)
{
	int fd = open("/proc/self/timens_offsets", O_WRONLY), err;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

static void new_ns(void)
{
	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWTIME))
		SKIP("no time namespaces: %s", strerror(errno));
}

static long long by_libc(clockid_t clock)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(clock, &ts));
	return ts.tv_sec;
}

static long long by_call(clockid_t clock)
{
	struct timespec ts;

	CHECK_OK(syscall(SYS_clock_gettime, clock, &ts));
	return ts.tv_sec;
}

/* Runs fn in a child and expects it to return. */
static void in_child(void (*fn)(void))
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		fn();
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
}

static long long outside[12];
static const clockid_t mono[] = { CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE };

static void look_around(void)
{
	for (int i = 0; i < 3; i++) {
		CHECK(by_libc(mono[i]) >= outside[mono[i]] + 10 * DAY);
		CHECK(by_libc(mono[i]) < outside[mono[i]] + 11 * DAY);
		CHECK(by_call(mono[i]) >= outside[mono[i]] + 10 * DAY);
	}
	CHECK(by_libc(CLOCK_BOOTTIME) >= outside[CLOCK_BOOTTIME] + 20 * DAY);
	CHECK(by_call(CLOCK_BOOTTIME) >= outside[CLOCK_BOOTTIME] + 20 * DAY);
	CHECK(by_libc(CLOCK_REALTIME) < outside[CLOCK_REALTIME] + DAY);
	CHECK(by_call(CLOCK_REALTIME) < outside[CLOCK_REALTIME] + DAY);
	CHECK(time(NULL) - outside[CLOCK_REALTIME] < DAY);
}

TEST(clocks)
{
	new_ns();
	for (clockid_t c = 0; c < 8; c++)
		if (c < 2 || c > 3)
			outside[c] = by_libc(c);
	CHECK_OK(set_offsets("monotonic 864000 0\nboottime 1728000 500000000\n"));
	CHECK(by_libc(CLOCK_MONOTONIC) < outside[CLOCK_MONOTONIC] + DAY);	/* ours stays */
	in_child(look_around);
}

TEST(offsets)
{
	char buf[200];
	int fd;

	new_ns();
	CHECK_ERR(set_offsets("nosuch 1 0\n"), EINVAL);
	CHECK_ERR(set_offsets("monotonic 1\n"), EINVAL);
	CHECK_ERR(set_offsets("monotonic 1 1000000000\n"), EINVAL);
	CHECK_ERR(set_offsets("monotonic -1000000000 0\n"), ERANGE);
	CHECK_ERR(set_offsets("monotonic 9223372036 0\n"), ERANGE);
	CHECK_OK(set_offsets("1 5 6\n"));
	CHECK_OK(set_offsets("boottime -1 7\n"));
	fd = CHECK_OK(open("/proc/self/timens_offsets", O_RDONLY));
	memset(buf, 0, sizeof(buf));
	CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	CHECK(strstr(buf, "monotonic "));
	CHECK(strstr(buf, " 5         6\n"));
	CHECK(strstr(buf, " -1         7\n"));
	in_child(sync);
	CHECK_ERR(set_offsets("monotonic 9 0\n"), EACCES);	/* a child has been in it */
}

static void sleep_and_timers(void)
{
	struct itimerspec it = { 0 };
	struct timespec ts;
	long long start;
	uint64_t n;
	int fd;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	start = ts.tv_sec;
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK(by_libc(CLOCK_MONOTONIC) - start < 60);
	/* What lies before the namespace's now is due, although the machine's clock has not got there. */
	ts.tv_sec -= 5;
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	fd = CHECK_OK(timerfd_create(CLOCK_BOOTTIME, 0));
	CHECK_OK(clock_gettime(CLOCK_BOOTTIME, &it.it_value));
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL));
	CHECK_EQ(read(fd, &n, 8), 8);
}

TEST(absolute_times)
{
	new_ns();
	CHECK_OK(set_offsets("monotonic 864000 0\nboottime 1728000 0\n"));
	in_child(sleep_and_timers);
}

static long long proc_uptime(void)
{
	char buf[100] = { 0 };
	int fd = CHECK_OK(open("/proc/uptime", O_RDONLY));

	CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	close(fd);
	return atoll(buf);
}

static long long start_ticks(void)
{
	char buf[1000] = { 0 }, *p;
	int fd = CHECK_OK(open("/proc/self/stat", O_RDONLY));

	CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	close(fd);
	p = strrchr(buf, ')');
	for (int i = 0; i < 20; i++)
		p = strchr(p + 1, ' ');
	return atoll(p);
}

static void uptime_inside(void)
{
	struct sysinfo si;

	CHECK_OK(sysinfo(&si));
	CHECK(si.uptime >= 20 * DAY);
	CHECK(proc_uptime() >= 20 * DAY);
	CHECK(start_ticks() >= 20 * DAY * sysconf(_SC_CLK_TCK));
	CHECK(start_ticks() <= (proc_uptime() + 2) * sysconf(_SC_CLK_TCK));
}

TEST(uptime)
{
	new_ns();
	CHECK_OK(set_offsets("boottime 1728000 0\n"));
	in_child(uptime_inside);
}

static void *nothing(void *arg)
{
	pause();
	return arg;
}

TEST(setns)
{
	struct stat a, b;
	pthread_t t;
	int fd, old;

	if (getuid())
		SKIP("not root");
	old = CHECK_OK(open("/proc/self/ns/time", O_RDONLY));
	new_ns();
	CHECK_OK(stat("/proc/self/ns/time", &a));
	CHECK_OK(stat("/proc/self/ns/time_for_children", &b));
	CHECK(a.st_ino != b.st_ino);
	CHECK_OK(set_offsets("monotonic 864000 0\n"));
	outside[1] = by_libc(CLOCK_MONOTONIC);
	fd = CHECK_OK(open("/proc/self/ns/time_for_children", O_RDONLY));
	CHECK_OK(setns(fd, CLONE_NEWTIME));
	CHECK(by_libc(CLOCK_MONOTONIC) >= outside[1] + 10 * DAY);
	CHECK(by_call(CLOCK_MONOTONIC) >= outside[1] + 10 * DAY);
	CHECK_OK(stat("/proc/self/ns/time", &a));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(setns(old, 0));
	CHECK(by_libc(CLOCK_MONOTONIC) < outside[1] + DAY);
	CHECK_EQ(pthread_create(&t, NULL, nothing, NULL), 0);
	CHECK_ERR(setns(fd, CLONE_NEWTIME), EUSERS);
}
