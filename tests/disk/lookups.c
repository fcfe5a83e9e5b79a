/*
 * lookups.c FOLDER: several processes look for the same name at the same moment, when the cache does not have it.
 *
 * Idea:    all open the file, then one removes it.  Had two of them made an entry of the cache each, only one entry would know:
 *          the name would still be found, or a file that is open would not be "(deleted)".  Other names stay all the time,
 *          and must be what they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES		24
#define LOOKERS		4

static struct {
	atomic_int	arrived;	/* how often anybody came to a meeting */
	atomic_int	failed;		/* somebody will not come any more */
} *shared;

static void fail(const char *what, int i)
{
	printf("not ok lookups/all: %s %d: %s\n", what, i, strerror(errno));
	fflush(stdout);
	if (shared)
		atomic_store(&shared->failed, 1);
	_exit(1);
}

static void make(const char *kind, int i)
{
	char name[32];
	int fd;

	sprintf(name, "%s%d", kind, i);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || write(fd, &i, sizeof(i)) != sizeof(i))
		fail("cannot make", i);
	close(fd);
}

/* Entries of the cache that nobody uses; twice, for the first time may only notice that they have been used. */
static void empty_cache(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

		if (fd >= 0 && write(fd, "2", 1) != 1)
			fail("drop_caches", 0);
		close(fd);
	}
}

/* All have come as often as I: spinning, so that they go on at the same moment. */
static void meet(void)
{
	static int times;

	times++;
	atomic_fetch_add(&shared->arrived, 1);
	for (int spins = 0; atomic_load(&shared->arrived) < times * LOOKERS; spins++) {
		if (atomic_load(&shared->failed))
			_exit(1);
		if (spins > 1000)
			sched_yield();
	}
}

static int open_and_check(const char *name, int i)
{
	int fd = open(name, O_RDONLY), got = -1;

	if (fd < 0 || read(fd, &got, sizeof(got)) != sizeof(got) || got != i)
		fail("lost, or another file:", i);
	return fd;
}

static void look(int me)
{
	char name[32], link[64], text[4200];

	for (int i = 0; i < NAMES; i++) {
		int fd;
		ssize_t n;

		sprintf(name, "stay%d", (i * 7 + me * 3) % NAMES);
		close(open_and_check(name, (i * 7 + me * 3) % NAMES));
		sprintf(name, "pass%d", i);
		meet();
		fd = open_and_check(name, i);
		meet();
		if (me == i % LOOKERS && unlink(name))
			fail("cannot remove", i);
		meet();
		if (!access(name, F_OK) || errno != ENOENT)
			fail("there after it was removed:", i);
		sprintf(link, "/proc/self/fd/%d", fd);
		n = readlink(link, text, sizeof(text));
		if (n < 10 || memcmp(text + n - 10, " (deleted)", 10))
			fail("open and removed, but not deleted:", i);
		close(fd);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	int status, bad = 0;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	if (argc < 2 || mkdir(argv[1], 0700) || chdir(argv[1]))
		fail("no folder", 0);
	for (int i = 0; i < NAMES; i++) {
		make("stay", i);
		make("pass", i);
	}
	empty_cache();
	for (int i = 0; i < LOOKERS; i++)
		if (!fork())
			look(i);
	while (wait(&status) > 0)
		bad |= status;
	if (!bad)
		printf("ok lookups/all\n");
	return bad != 0;
}
