/*
 * frag.c: is there a block of 2 MiB when memory is in pieces?  It is /init of a guest of its own (frag.sh).
 *
 * What:    fills nearly all memory with small pages, gives back SHARE percent of them at random, and asks for as many huge pages
 *          nine tenths of the free memory could hold: how many come, and how many pages moved for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define HUGE (2UL << 20)
#define PG 4096UL

static unsigned long read_stat(const char *name)
{
	char line[128], word[64];
	unsigned long value, found = 0;
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu", word, &value) == 2 && !strcmp(word, name))
			found = value;
	if (f)
		fclose(f);
	return found;
}

static void round_of(int share)
{
	struct sysinfo si;
	size_t pages, want, got = 0;
	unsigned long before = read_stat("thp_fault_alloc"), moved = read_stat("pgmigrate_success");
	char *p, *h;

	sysinfo(&si);
	pages = si.freeram * si.mem_unit / 100 * 88 / PG;
	p = mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, pages * PG, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		p[i * PG] = 1;
	srand(42);
	for (size_t i = 0; i < pages; i++)
		if (rand() % 100 < share)
			madvise(p + i * PG, PG, MADV_DONTNEED);
	sysinfo(&si);
	want = si.freeram * si.mem_unit / HUGE;
	h = mmap(NULL, (want + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	h = (char *)(((unsigned long)h + HUGE - 1) & ~(HUGE - 1));
	madvise(h, want * HUGE, MADV_HUGEPAGE);
	for (size_t i = 0; i < want * 9 / 10; i++)
		h[i * HUGE] = 1;
	got = read_stat("thp_fault_alloc") - before;
	printf("frag free %d%%: %zu of %zu huge pages, %lu pages moved\n", share, got, want * 9 / 10,
	       read_stat("pgmigrate_success") - moved);
	munmap(h, want * HUGE);
	munmap(p, pages * PG);
}

int main(void)
{
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	for (int share = 15; share <= 75; share += 15)
		round_of(share);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 0;
}
