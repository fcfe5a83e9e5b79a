/*
 * groupmill.c: control groups made and removed while tasks in them move, fork, end, are frozen and killed; and afterwards as much
 * memory in the kernel's caches as before.
 *
 * What:    no_leak: ROUNDS rounds (10000), shared by WORKERS processes (4), each below a group of its own.
 * Idea:    a round makes two or three groups, some of them with controllers, lets a family of tasks fork in one of them, moves
 *          and freezes it meanwhile, kills it by cgroup.kill or lets it end, and removes all.  The first tenth warms caches up;
 *          what /proc/slabinfo counts after the rest may not have grown by more than a few per cent of the rounds.
 * See:     doc/cgroups.md; nsmill.c
 */
#define T_LIMIT 6000
#include "slabs.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define TOP "/sys/fs/cgroup"
#define WORKERS 4

static char base[100];
static unsigned int seed;
static int rounds = 10000;

static unsigned int dice(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static int put(const char *group, const char *file, const char *text)
{
	char path[300];
	int fd, err;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s/%s", base, group, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

static void make(const char *group)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", base, group);
	CHECK_OK(mkdir(path, 0755));
}

/* Who was killed may still be on his way out: rmdir() says EBUSY until then. */
static void drop(const char *group)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", base, group);
	for (int i = 0; rmdir(path); i++) {
		if (errno != EBUSY || i > 60000)
			FAIL("rmdir %s: %s", path, strerror(errno));
		put(group, "cgroup.kill", "1");
		t_sleep_ms(1);
	}
}

/* Forks, ends, forks again, until it is killed or has done enough. */
static void family(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid > 0 && dice(4))
			waitpid(pid, NULL, 0);
	}
	_exit(0);
}

static void round_of(int i)
{
	static const char *const places[] = { "a", "a/b", "c" };
	bool controlled = i & 1;
	char pid_text[20];
	pid_t pid;

	make("a");
	if (controlled)
		put("a", "cgroup.subtree_control", i & 2 ? "+pids" : "+pids +cpu");
	make("a/b");
	make("c");
	if (i % 5 == 0)
		put("a/b", "cpu.max", "5000 20000");
	pid = CHECK_OK(fork());
	if (!pid) {
		seed += (unsigned int)i;
		put(controlled ? "a/b" : places[dice(3)], "cgroup.procs", "0");
		family();
	}
	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	for (unsigned int n = dice(4); n; n--) {
		switch (dice(5)) {
		case 0:
			put("a", "cgroup.freeze", "1");
			break;
		case 1:
			put("a", "cgroup.freeze", "0");
			break;
		case 2:
			put(places[dice(3)], "cgroup.procs", pid_text);
			break;
		case 3:
			put("a", "cgroup.subtree_control", dice(2) ? "-pids -cpu" : "+pids");
			break;
		case 4:
			put("a/b", "pids.max", dice(2) ? "2" : "max");
			break;
		}
	}
	if (dice(2))
		put("a", "cgroup.freeze", "0");
	put("a", "cgroup.kill", "1");
	put("c", "cgroup.kill", "1");
	kill(pid, SIGKILL);			/* it may not have got into any of them yet */
	t_wait(pid);
	drop("a/b");
	drop("a");
	drop("c");
}

static void work(int rounds_each)
{
	pid_t pid[WORKERS];

	for (int w = 0; w < WORKERS; w++) {
		pid[w] = CHECK_OK(fork());
		if (pid[w])
			continue;
		seed = (unsigned int)w * 7919 + 1;
		snprintf(base, sizeof(base), TOP "/mill%d", w);
		CHECK_OK(mkdir(base, 0755));
		put(".", "cgroup.subtree_control", "+pids +cpu");
		for (int i = 0; i < rounds_each; i++)
			round_of(i);
		CHECK_OK(rmdir(base));
		_exit(0);
	}
	for (int w = 0; w < WORKERS; w++)
		CHECK_EQ(t_wait(pid[w]), 0);
}

TEST(no_leak)
{
	static struct slab_count before[SLABS_MAX];
	int n, fd;

	if (getuid())
		SKIP("not root");
	if (mount("none", TOP, "cgroup2", 0, NULL) && errno != EBUSY)
		SKIP("no cgroup2 here: %s", strerror(errno));
	fd = CHECK_OK(open(TOP "/cgroup.subtree_control", O_WRONLY));
	CHECK_OK(write(fd, "+pids", 5));
	if (write(fd, "+cpu", 4) != 4)
		printf("(no controller cpu)\n");
	close(fd);
	if (getenv("ROUNDS"))
		rounds = atoi(getenv("ROUNDS"));
	work(rounds / WORKERS / 10);
	sleep(3);				/* what waits for a grace period goes */
	n = read_slabs(before);
	work(rounds / WORKERS);
	sleep(3);
	check_slabs(before, n, rounds);
}
