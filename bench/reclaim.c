/*
 * reclaim.c: what memory costs beyond RAM: reclaim [MiB of swap area path]
 *
 * Working sets of anonymous memory larger than what is available, one word of a page read and written at each access: in
 * order, at random, by Zipf's law; what the first touch of such a set costs, by its size; what a page costs that is sent out
 * (MADV_PAGEOUT) and that comes back.  The area of swap is on already, and is memory, so that no disk's time is in it.
 * Prints "rc NAME VALUE UNIT".  Counts are those of /proc/vmstat, for 1000 accesses, or for 100 pages reclaimed.
 * Every page has words that are not zero: pages of zeroes would not be written by every kernel.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096ul
#define PAGEOUT_PAGES	4096ul

static unsigned long available;			/* pages, when the program began */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The sum of all lines of the file that begin with the word. */
static unsigned long number_in(const char *file, const char *word)
{
	char line[256];
	unsigned long sum = 0;
	FILE *f = fopen(file, "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			sum += strtoul(strpbrk(line, " \t"), 0, 0);
	if (f)
		fclose(f);
	return sum;
}

struct counts { unsigned long in, out, scan, steal; };

static struct counts counts(void)
{
	return (struct counts){
		.in = number_in("/proc/vmstat", "pswpin "), .out = number_in("/proc/vmstat", "pswpout "),
		.scan = number_in("/proc/vmstat", "pgscan_kswapd ") + number_in("/proc/vmstat", "pgscan_direct "),
		.steal = number_in("/proc/vmstat", "pgsteal_kswapd ") + number_in("/proc/vmstat", "pgsteal_direct "),
	};
}

static void show(const char *name, double value, const char *unit)
{
	printf("rc %s %.1f %s\n", name, value, unit);
	fflush(stdout);
}

static char *map(unsigned long pages)
{
	char *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		exit(1);
	madvise(mem, pages * PAGE, MADV_NOHUGEPAGE);
	return mem;
}

static void touch(char *mem, unsigned long page)
{
	unsigned long *word = (unsigned long *)(mem + page * PAGE);

	*word = *word * 3 + page + 1;
}

/* ---- in which order ---- */

static unsigned long random_state = 88172645463325252ul;

static unsigned long next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned long in_order(unsigned long i, unsigned long pages) { return i % pages; }
static unsigned long at_random(unsigned long i, unsigned long pages) { (void)i; return next_random() % pages; }

/* Rank r with probability 1/r, by the inverse of the sum; ranks are scattered over the pages. */
static unsigned long by_zipf(unsigned long i, unsigned long pages)
{
	double u = (next_random() >> 11) * 0x1p-53;
	unsigned long rank = (unsigned long)(exp(u * log((double)pages + 1)) - 1);

	(void)i;
	return rank * 2654435761ul % pages;
}

/* ---- what is measured ---- */

static void working_set(const char *name, unsigned long percent, unsigned long (*order)(unsigned long, unsigned long))
{
	unsigned long pages = available * percent / 100, accesses = pages * 2;
	char *mem = map(pages), figure[64];
	struct counts before, after;
	double start;

	for (unsigned long i = 0; i < pages; i++)
		touch(mem, i);
	for (unsigned long i = 0; i < pages; i++)	/* the lists get to know it */
		touch(mem, order(i, pages));
	before = counts();
	start = now();
	for (unsigned long i = 0; i < accesses; i++)
		touch(mem, order(i, pages));
	snprintf(figure, sizeof(figure), "set_%s", name);
	show(figure, (now() - start) / accesses, "ns/access");
	after = counts();
	snprintf(figure, sizeof(figure), "refault_%s", name);
	show(figure, (after.in - before.in) * 1000.0 / accesses, "in/1000");
	snprintf(figure, sizeof(figure), "written_%s", name);
	show(figure, (after.out - before.out) * 1000.0 / accesses, "out/1000");
	snprintf(figure, sizeof(figure), "scanned_%s", name);
	show(figure, (after.scan - before.scan) * 100.0 / (after.steal - before.steal + 1), "scan/100");
	munmap(mem, pages * PAGE);
}

/* The first touch of a set that does not fit. */
static void fill(unsigned long percent)
{
	unsigned long pages = available * percent / 100;
	char *mem = map(pages), figure[64];
	double start = now();

	for (unsigned long i = 0; i < pages; i++)
		touch(mem, i);
	snprintf(figure, sizeof(figure), "fill_%lu", percent);
	show(figure, (now() - start) / pages, "ns/page");
	munmap(mem, pages * PAGE);
}

/* Out with pages that nobody else needs the memory of, and back.  step: 1, or one that is no neighbour. */
static void out_and_in(const char *name, unsigned long step)
{
	char *mem = map(PAGEOUT_PAGES), figure[64];
	double start;

	for (unsigned long i = 0; i < PAGEOUT_PAGES; i++)
		touch(mem, i);
	start = now();
	madvise(mem, PAGEOUT_PAGES * PAGE, MADV_PAGEOUT);
	snprintf(figure, sizeof(figure), "pageout_%s", name);
	show(figure, (now() - start) / PAGEOUT_PAGES, "ns/page");
	start = now();
	for (unsigned long i = 0; i < PAGEOUT_PAGES; i++)
		touch(mem, i * step % PAGEOUT_PAGES);
	snprintf(figure, sizeof(figure), "pagein_%s", name);
	show(figure, (now() - start) / PAGEOUT_PAGES, "ns/page");
	munmap(mem, PAGEOUT_PAGES * PAGE);
}

int main(void)
{
	available = number_in("/proc/meminfo", "MemAvailable:") * 1024 / PAGE;
	printf("rc available %lu pages\n", available);
	out_and_in("order", 1);
	out_and_in("scattered", 1021);
	fill(80);
	fill(125);
	fill(150);
	fill(200);
	working_set("order", 150, in_order);
	working_set("random", 150, at_random);
	working_set("zipf", 150, by_zipf);
	return 0;
}
