/*
 * hugemix.c: huge mappings made, split, shared, moved, collapsed and swapped out at random, compared with a model.
 *
 * Guest: mem=144M append=ramswap=96 args="3 2" long="240 4"
 *
 * What:    hugemix SECONDS PROCESSES: each process has an area of some huge ranges.  The model is one word for each small page:
 *          what its two stamped words must hold (0: the page must be zero).  Steps: write, read, fork (the child checks, writes,
 *          sometimes forks itself, checks again), mprotect, madvise (DONTNEED, COLD, PAGEOUT, FREE of pages that are then
 *          rewritten, HUGEPAGE, NOHUGEPAGE, COLLAPSE), mremap to and fro, munmap and mmap, process_vm_readv, mlock.
 * Ends:    0, or says which page of which process held what.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PG 4096UL
#define HUGE (2UL << 20)
#define RANGES 6
#define PAGES (RANGES * HUGE / PG)
#define MADV_COLD_ 20
#define MADV_PAGEOUT_ 21
#define MADV_COLLAPSE_ 25

static char *area, *other;		/* where it is, and where mremap may bring it */
static unsigned model[PAGES];		/* stamp of each page; 0: zeroes */
static unsigned long rng;
static unsigned long steps[16];

static unsigned long rnd(unsigned long n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % n;
}

static void die(const char *what, size_t page, unsigned got)
{
	printf("hugemix: %d: %s: page %zu holds %#x, not %#x (errno %d)\n", getpid(), what, page, got, page < PAGES ? model[page] : 0, errno);
	fflush(stdout);
	_exit(1);
}

static void must(int ok, const char *what) { if (!ok) die(what, PAGES, 0); }

static void check(size_t first, size_t n, const char *what)
{
	for (size_t i = first; i < first + n; i++) {
		volatile unsigned *p = (volatile unsigned *)(area + i * PG);

		if (p[0] != model[i])
			die(what, i, p[0]);
		if (p[1021] != model[i])
			die(what, i, p[1021]);
	}
}

static void stamp(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		volatile unsigned *p = (volatile unsigned *)(area + i * PG);

		model[i] = (unsigned)rnd(1UL << 32) | 1;
		p[0] = p[1021] = model[i];
	}
}

/* Some pages; one time in four whole huge ranges. */
static void pick(size_t *first, size_t *n)
{
	if (!rnd(4)) {
		*first = rnd(RANGES) * (HUGE / PG);
		*n = (1 + rnd(RANGES - *first / (HUGE / PG))) * (HUGE / PG);
	} else {
		*first = rnd(PAGES);
		*n = 1 + rnd(PAGES - *first > 100 ? 100 : PAGES - *first);
	}
}

static void forget(size_t first, size_t n)
{
	memset(model + first, 0, n * sizeof(model[0]));
}

static void map_at(char *at, size_t len)
{
	must(mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at, "mmap");
	if (rnd(4))
		madvise(at, len, MADV_HUGEPAGE);
}

static void step(int depth);

static void fork_step(int depth)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		rng ^= (unsigned long)getpid() << 20;
		for (int i = 0; i < 6; i++)
			step(depth + 1);
		check(0, PAGES, "child at its end");
		_exit(0);
	}
	if (pid < 0)
		return;				/* no memory: as it may be */
	for (int i = 0; i < 4; i++)
		step(depth + 1);
	must(waitpid(pid, &status, 0) == pid, "wait");
	if (WIFEXITED(status) && WEXITSTATUS(status))
		_exit(1);
}

static void move_step(size_t first, size_t n)
{
	size_t whole = rnd(2) ? PAGES : n;
	char *from = whole == PAGES ? area : area + first * PG, *to = other + (whole == PAGES && rnd(2) ? 0 : rnd(64) * PG);

	if (mremap(from, whole * PG, whole * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) {
		must(errno == EFAULT, "mremap there");	/* more than one area */
		return;
	}
	must(mremap(to, whole * PG, whole * PG, MREMAP_MAYMOVE | MREMAP_FIXED, from) == from, "mremap back");
}

static void read_by_call(size_t first)
{
	unsigned buf[PG / 4];
	struct iovec local = { buf, PG }, remote = { area + first * PG, PG };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)PG && (buf[0] != model[first] || buf[1021] != model[first]))
		die("process_vm_readv", first, buf[0]);
}

static void step(int depth)
{
	size_t first, n;
	unsigned op = (unsigned)rnd(depth > 2 ? 13 : 14);

	pick(&first, &n);
	steps[op]++;
	switch (op) {
	case 0:
	case 1:
		stamp(first, n);
		break;
	case 2:
		check(first, n, "read");
		break;
	case 3:
		must(!mprotect(area + first * PG, n * PG, PROT_READ), "mprotect");
		check(first, n, "read-only");
		must(!mprotect(area + first * PG, n * PG, rnd(2) ? PROT_NONE : PROT_READ | PROT_WRITE | PROT_EXEC), "mprotect 2");
		must(!mprotect(area + first * PG, n * PG, PROT_READ | PROT_WRITE), "mprotect 3");
		break;
	case 4:
		must(!madvise(area + first * PG, n * PG, MADV_DONTNEED), "DONTNEED");
		forget(first, n);
		break;
	case 5:
		madvise(area + first * PG, n * PG, MADV_COLD_);
		break;
	case 6:
		madvise(area + first * PG, n * PG, MADV_PAGEOUT_);
		break;
	case 7:
		madvise(area + first * PG, n * PG, rnd(2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		break;
	case 8:
	case 9:
		madvise(area, PAGES * PG, MADV_HUGEPAGE);
		madvise(area + first * PG, n * PG, MADV_COLLAPSE_);
		break;
	case 10:
		must(!munmap(area + first * PG, n * PG), "munmap");
		map_at(area + first * PG, n * PG);
		forget(first, n);
		break;
	case 11:
		move_step(first, n);
		break;
	case 12:
		if (rnd(3)) {
			read_by_call(first);
			break;
		}
		madvise(area + first * PG, n * PG, MADV_FREE);
		stamp(first, n);
		if (!mlock(area + first * PG, PG))
			munlock(area + first * PG, PG);
		break;
	default:
		fork_step(depth);
	}
}

static void worker(int seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned long total = 0;

	rng = 88172645463325252UL + (unsigned long)getpid() * 7919;
	area = mmap(NULL, (RANGES + 1) * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	other = mmap(NULL, (RANGES + 2) * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(area != MAP_FAILED && other != MAP_FAILED, "mmap");
	area = (char *)(((unsigned long)area + HUGE - 1) & ~(HUGE - 1));
	other = (char *)(((unsigned long)other + HUGE - 1) & ~(HUGE - 1));
	map_at(area, RANGES * HUGE);
	while (time(NULL) < end) {
		step(0);
		if (!rnd(10))
			check(0, PAGES, "all");
	}
	check(0, PAGES, "end");
	for (int i = 0; i < 16; i++)
		total += steps[i];
	printf("hugemix: %d: %lu steps\n", getpid(), total);
	fflush(stdout);
	_exit(0);
}

static void show(const char *file, const char *word)
{
	char line[256];
	FILE *f = fopen(file, "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, word))
			printf("%s", line);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 10, processes = argc > 2 ? atoi(argv[2]) : 2, bad = 0, status;
	if (swapon("/dev/ramswap", 0))
		printf("hugemix: no swap\n");
	fflush(stdout);
	for (int i = 0; i < processes; i++)
		if (!fork())
			worker(seconds);
	while (wait(&status) > 0)
		bad += status != 0;
	show("/proc/vmstat", "thp_");
	show("/proc/vmstat", "pswp");
	show("/proc/meminfo", "AnonHuge");
	return bad != 0;
}
