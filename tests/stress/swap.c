/*
 * swap.c: memory beyond RAM: swap PERCENT [children [area]]
 * Guest: mem=160M append=ramswap=80 args="150 3" long="250 24"
 *
 * PERCENT of the free memory, as far as memory and swap together have that.
 * Turns swap on (the area, or /dev/ramswap; boot with ramswap=N), fills anonymous memory with words that depend on page and round, forks
 * children that check what they inherited and write half of it, checks everything again, turns swap off (which must bring
 * every page back) and checks once more.  Exit status 0: all was as written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "number_in.h"

#define PAGE 4096ul

static unsigned long word(unsigned long page, unsigned long round) { return (page + 1) * 0x9e3779b97f4a7c15ul + round; }

static void fill(char *mem, unsigned long pages, unsigned long step, unsigned long round)
{
	for (unsigned long i = 0; i < pages; i += step) {
		unsigned long *p = (unsigned long *)(mem + i * PAGE);

		p[0] = p[511] = word(i, round);
	}
}

static unsigned long check(const char *mem, unsigned long pages, unsigned long even, unsigned long odd, const char *when)
{
	unsigned long bad = 0;

	for (unsigned long i = 0; i < pages; i++) {
		const unsigned long *p = (const unsigned long *)(mem + i * PAGE);
		unsigned long want = word(i, i % 2 ? odd : even);

		if ((p[0] != want || p[511] != want) && bad++ < 3)
			printf("%s: page %lu: %lx %lx, not %lx\n", when, i, p[0], p[511], want);
	}
	return bad;
}

static void show(const char *file, const char *word1)
{
	char line[256];
	FILE *f = fopen(file, "r");

	while (f && fgets(line, sizeof(line), f))
		if (!word1 || strstr(line, word1))
			fputs(line, stdout);
	if (f)
		fclose(f);
}

/* What advice does under pressure: a page that was given up is as it was or zero, one that is cold loses nothing. */
static unsigned long advise(unsigned long pages)
{
	char *lazy = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *cold = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long bad = 0, kept = 0;

	fill(lazy, pages, 1, 5);
	fill(cold, pages, 1, 6);
	bad += madvise(lazy, pages * PAGE, MADV_FREE) != 0;
	bad += madvise(cold, pages * PAGE, MADV_PAGEOUT) != 0;
	bad += check(cold, pages, 6, 6, "paged out");
	fill(lazy, pages, 2, 7);
	madvise(lazy, pages * PAGE, MADV_PAGEOUT);
	for (unsigned long i = 0; i < pages; i++) {
		unsigned long *p = (unsigned long *)(lazy + i * PAGE), want = i % 2 ? word(i, 5) : word(i, 7);

		kept += p[0] == want;
		bad += p[0] != p[511] || (p[0] != want && (p[0] || !(i % 2)));
	}
	printf("advice: %lu of %lu kept, %lu bad\n", kept, pages, bad);
	munmap(lazy, pages * PAGE);
	munmap(cold, pages * PAGE);
	return bad;
}

/* Pages that mlock keeps are counted, stay in memory whatever is wanted, and are like others afterwards. */
#define LOCKED	1000ul
static char *lock_pages(void)
{
	unsigned long before = number_in("/proc/meminfo", "Mlocked:");
	char *mem = mmap(NULL, LOCKED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fill(mem, LOCKED / 2, 1, 8);		/* half is there, half comes by mlock itself */
	if (mlock(mem, LOCKED * PAGE)) {
		perror("mlock");
		exit(2);
	}
	fill(mem, LOCKED, 1, 8);
	if (number_in("/proc/meminfo", "Mlocked:") != before + LOCKED * 4 || number_in("/proc/meminfo", "Unevictable:") < LOCKED * 4) {
		show("/proc/meminfo", "ocked");
		exit(2);
	}
	return mem;
}

static unsigned long check_locked(char *mem)
{
	static unsigned char vec[LOCKED];
	unsigned long out = 0, before = number_in("/proc/meminfo", "Mlocked:");

	mincore(mem, LOCKED * PAGE, vec);
	for (unsigned long i = 0; i < LOCKED; i++)
		out += !(vec[i] & 1);
	munlock(mem, LOCKED / 2 * PAGE);
	munmap(mem + LOCKED / 2 * PAGE, LOCKED / 2 * PAGE);
	printf("locked: %lu not in memory, Mlocked %lu then %lu kB\n", out, before, number_in("/proc/meminfo", "Mlocked:"));
	out += check(mem, LOCKED / 2, 8, 8, "locked") + (before - number_in("/proc/meminfo", "Mlocked:") != LOCKED * 4);
	munmap(mem, LOCKED / 2 * PAGE);
	return out;
}

/* How much to use: the percentage of free memory; the children will copy half of it. */
static unsigned long pages_for(unsigned long percent)
{
	struct sysinfo si;
	unsigned long ram, swap, want, most;

	sysinfo(&si);
	ram = si.freeram * si.mem_unit / PAGE;
	swap = si.freeswap * si.mem_unit / PAGE;
	want = ram * percent / 100;
	most = (ram + swap) * 11 / 20;
	return want < most ? want : most;
}

int main(int argc, char **argv)
{
	unsigned long pages, bad = 0;
	int children = argc > 2 ? atoi(argv[2]) : 2, status;
	const char *area = argc > 3 ? argv[3] : "/dev/ramswap";
	char *mem, *locked;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (swapon(area, 0)) {
		printf("swapon: %s\n", strerror(errno));
		return 77;
	}
	bad += advise(2000);
	locked = lock_pages();
	pages = pages_for(argc > 1 ? strtoul(argv[1], 0, 0) : 150);
	printf("%lu MiB\n", pages >> 8);
	mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return 2;
	fill(mem, pages, 1, 0);
	bad += check(mem, pages, 0, 0, "filled");
	show("/proc/swaps", NULL);
	bad += check_locked(locked);
	printf("filled: %lu bad\n", bad);
	for (int c = 1; c <= children; c++) {
		if (!fork()) {
			unsigned long b = check(mem, pages / children, 0, 0, "inherited");

			fill(mem, pages / children, 2, c);
			b += check(mem, pages / children, c, 0, "child");
			_exit(b != 0);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	bad += check(mem, pages, 0, 0, "after children");
	printf("children: %lu bad\n", bad);
	munmap(mem + pages / 6 * PAGE, (pages - pages / 6) * PAGE);
	pages /= 6;
	fill(mem, pages, 2, 9);
	if (swapoff(area)) {
		printf("swapoff: %s\n", strerror(errno));
		bad++;
	}
	bad += check(mem, pages, 9, 0, "after swapoff");
	show("/proc/swaps", NULL);
	show("/proc/vmstat", "pswp");
	show("/proc/vmstat", "swpout");
	show("/proc/vmstat", "kswapd");
	show("/proc/vmstat", "nr_swap");
	printf("swap: %lu bad\n", bad);
	return bad != 0;
}
