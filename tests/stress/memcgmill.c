/*
 * memcgmill.c: groups with memory limits are made, filled, pressed, left and removed; afterwards nothing is charged or leaked.
 *
 * Guest: mem=192M append=ramswap=48 args="3 4" long="300 4"
 *
 * What:    memcgmill [ROUNDS [WORKERS [AREA]]].  Each worker makes groups, sets limits that are often too low, puts children
 *          into them that fill anonymous and shared memory with words they know, fork, move to other workers' groups, and
 *          look whether the words are still there; some are killed for want of memory.  The groups are removed, some while
 *          pages of theirs are still in use.  One process meanwhile reclaims, changes limits, turns swap off and on.
 * Idea:    what is charged is known at the end: nothing.  The upper group's memory.current and memory.swap.current must come
 *          down to 0 give or take what CPUs keep in stock, no group may be left dying, and free memory must be what it was
 *          after a first, smaller turn.
 * See:     doc/cgroups.md; tests/guest/memcg.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT	"/tmp/cgroup"
#define BASE	ROOT "/mill"
#define PAGE	4096
#define STOCKS	(4L * 64 * PAGE)		/* that four CPUs may keep */

static int workers = 4;
static const char *area = "/dev/ramswap";
static unsigned int seed;

static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

static void die(const char *what)
{
	printf("memcgmill: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int put(const char *dir, const char *file, const char *text)
{
	char path[300];
	int fd, ok;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	ok = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return ok;
}

static int put_kib(const char *dir, const char *file, unsigned int kib)
{
	char text[20];

	snprintf(text, sizeof(text), "%uK", kib);
	return put(dir, file, text);
}

static long get(const char *dir, const char *file)
{
	char path[300], text[30] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die(path);
	close(fd);
	return atol(text);
}

/* ---- children ---- */

static void fill(unsigned long *p, size_t pages, unsigned long key)
{
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE / sizeof(*p)] = key + i;
}

/* Ends with status 3 if a word is not what it was. */
static void check(const unsigned long *p, size_t pages, unsigned long key)
{
	for (size_t i = 0; i < pages; i++)
		if (p[i * PAGE / sizeof(*p)] != key + i) {
			printf("memcgmill: page %zu of %zu is %#lx, not %#lx\n", i, pages, p[i * PAGE / sizeof(*p)], key + i);
			_exit(3);
		}
}

static void move_somewhere(void)
{
	char dir[200];

	snprintf(dir, sizeof(dir), BASE "/w%u/g", rnd((unsigned int)workers));
	put(dir, "cgroup.procs", "0");		/* it may not be there just now */
}

/* Memory of both kinds, used, copied by fork, given back in part. */
static void live(const char *dir, unsigned long key)
{
	size_t pages = 100 + rnd(700);
	unsigned long *a, *s;
	int status = 0;
	pid_t pid;

	if (put(dir, "cgroup.procs", "0"))
		_exit(0);
	a = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	s = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a == MAP_FAILED || s == MAP_FAILED)
		_exit(0);
	for (int turn = 0; turn < 4; turn++, key += 1000000) {
		fill(a, pages, key);
		fill(s, pages, key + 1);
		if (!rnd(3))
			move_somewhere();
		pid = rnd(2) ? fork() : -1;
		if (!pid) {
			check(a, pages, key);
			fill(a, pages / 2, key + 7);
			check(s, pages, key + 1);
			check(a, pages / 2, key + 7);
			_exit(0);
		}
		check(a, pages, key);
		check(s, pages, key + 1);
		if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3)
			_exit(3);
		if (!rnd(2))
			madvise(a, pages / 2 * PAGE, MADV_DONTNEED);
	}
	_exit(0);
}

/* ---- workers ---- */

static void random_limits(const char *dir)
{
	if (rnd(2))
		put_kib(dir, "memory.max", 1500 + rnd(6000));
	else if (!rnd(3))
		put_kib(dir, "memory.high", 5000 + rnd(4000));	/* who is far above sleeps long */
	if (!rnd(3))
		put_kib(dir, "memory.swap.max", rnd(3000));
	if (!rnd(4))
		put(dir, "memory.oom.group", "1");
	if (!rnd(4))
		put_kib(dir, "memory.low", rnd(3000));
}

/* Whoever moved here from elsewhere goes soon. */
static void remove_group(const char *dir)
{
	for (int i = 0; i < 6000; i++) {
		if (!rmdir(dir))
			return;
		if (errno != EBUSY)
			break;
		put(dir, "cgroup.kill", "1");
		usleep(10000);
	}
	die(dir);
}

/* A file in memory whose pages outlive the group: the descriptor. */
static int leave_pages(const char *dir)
{
	int fd = memfd_create("mill", 0);
	pid_t pid = fork();

	if (fd < 0 || pid < 0)
		die("memfd, fork");
	if (!pid) {
		static char page[PAGE];

		put(dir, "cgroup.procs", "0");
		for (int i = 0; i < 50 && write(fd, page, PAGE) == PAGE; i++)
			;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return fd;
}

static void one_group(const char *dir, int left[], int round)
{
	int children = 1 + (int)rnd(3), bad = 0, status;

	if (mkdir(dir, 0755))
		die(dir);
	random_limits(dir);
	for (int i = 0; i < children; i++) {
		pid_t pid = fork();

		seed += 77;
		if (pid < 0)
			die("fork");
		if (!pid)
			live(dir, (unsigned long)getpid() << 32);
	}
	close(left[round % 4]);
	left[round % 4] = leave_pages(dir);
	while (children-- && wait(&status) > 0)
		bad |= WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) != SIGKILL;
	if (bad)
		exit(3);
	remove_group(dir);
}

static void work(int number, int rounds)
{
	char dir[100];
	int left[4] = { -1, -1, -1, -1 };

	seed = (unsigned int)number * 7919 + 1;
	snprintf(dir, sizeof(dir), BASE "/w%d", number);
	if (mkdir(dir, 0755) || put(dir, "cgroup.subtree_control", "+memory"))
		die(dir);
	strcat(dir, "/g");
	for (int i = 0; i < rounds; i++)
		one_group(dir, left, i);
	*strrchr(dir, '/') = 0;
	remove_group(dir);
	_exit(0);
}

static void disturb(void)
{
	char dir[100];

	seed = 4711;
	for (;;) {
		snprintf(dir, sizeof(dir), BASE "/w%u/g", rnd((unsigned int)workers));
		switch (rnd(6)) {
		case 0: put(BASE, "memory.reclaim", "2M"); break;
		case 1: put_kib(dir, "memory.max", 1000 + rnd(8000)); break;
		case 2: put(dir, "memory.reclaim", "512K"); break;
		case 3: put("/proc/sys/vm", "drop_caches", "1"); break;
		case 4: if (!swapoff(area)) swapon(area, 0); break;
		default: put(dir, "memory.high", "max"); break;
		}
		usleep(20000);
	}
}

/* All workers' rounds.  0, or what went wrong. */
static int turn(int rounds)
{
	pid_t disturber = fork();
	int bad = 0, status;

	if (!disturber)
		disturb();
	for (int i = 0; i < workers; i++)
		if (!fork())
			work(i, rounds);
	for (int i = 0; i < workers; i++)
		if (wait(&status) < 0 || status)
			bad = 1;
	kill(disturber, SIGKILL);
	while (wait(&status) > 0)
		;
	if (swapon(area, 0) && errno != EBUSY)
		die("swapon");
	return bad;
}

/* ---- the account ---- */

static long free_kib(void)
{
	char line[200];
	long n = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* What may take a while: deferred frees, pages on their way. */
static long wait_for(long (*now)(void), long most)
{
	for (int i = 0; i < 600 && now() > most; i++) {
		put("/proc/sys/vm", "drop_caches", "3");
		usleep(100000);
	}
	return now();
}

static long charged(void) { return get(BASE, "memory.current") + get(BASE, "memory.swap.current"); }
static long used_kib(void) { return -free_kib(); }

static long dying(void)
{
	char text[200] = "", *p;
	int fd = open(ROOT "/cgroup.stat", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0 || !(p = strstr(text, "nr_dying_descendants ")))
		die("cgroup.stat");
	close(fd);
	return atol(p + strlen("nr_dying_descendants "));
}

static int account(long free_before)
{
	int bad = 0;

	if (wait_for(charged, STOCKS) > STOCKS)
		bad = printf("memcgmill: %ld bytes are still charged\n", charged());
	if (wait_for(dying, 0))
		bad = printf("memcgmill: %ld groups are still dying\n", dying());
	if (free_before && wait_for(used_kib, -free_before + 2048) > -free_before + 2048)
		bad = printf("memcgmill: %ld KiB free, %ld before\n", free_kib(), free_before);
	return bad;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3, bad;
	long free_before;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2)
		workers = atoi(argv[2]);
	if (argc > 3)
		area = argv[3];
	if (swapon(area, 0))
		die(area);
	mkdir(ROOT, 0755);
	if (mount("none", ROOT, "cgroup2", 0, NULL) || put(ROOT, "cgroup.subtree_control", "+memory"))
		die("cgroup2 with the controller memory");
	if (mkdir(BASE, 0755) || put(BASE, "cgroup.subtree_control", "+memory"))
		die(BASE);
	bad = turn(rounds / 5 + 1) || account(0);
	free_before = free_kib();
	bad = bad || turn(rounds) || account(free_before);
	printf("memcgmill: %d rounds of %d workers, %ld bytes at most, %ld KiB free before, %ld after\n", rounds, workers,
	       get(BASE, "memory.peak"), free_before, free_kib());
	remove_group(BASE);
	return bad ? 1 : 0;
}
