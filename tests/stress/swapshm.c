/*
 * swapshm.c: shared memory beyond RAM: swapshm PERCENT [area]
 * Guest: mem=144M append=ramswap=56 args="160" long="170"
 *
 * PERCENT of the free memory, as far as memory and swap together have that, in equal parts as a file of tmpfs, a memfd, a
 * System V segment and a shared anonymous mapping.  Fills all with words that depend on part, page and round, checks them by
 * mapping and by read(2), in this process and in a child, punches holes and truncates parts that are in swap (free slots
 * must come back), and turns swap off, which must bring every page back.  Exit status 0: all was as written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "number_in.h"

#define PAGE	4096ul
#define PARTS	4

struct part {
	const char	*name;
	char		*mem;
	int		fd;			/* -1: none */
	unsigned long	pages;
} parts[PARTS];
static unsigned long bad;

static void expect(int ok, const char *what)
{
	if (!ok) {
		printf("not so: %s (%s)\n", what, strerror(errno));
		bad++;
	}
}

static unsigned long word(int part, unsigned long page, unsigned long round)
{
	return (page + 1) * 0x9e3779b97f4a7c15ul + round * 8 + (unsigned long)part;
}

static void fill(int part, unsigned long step, unsigned long round)
{
	for (unsigned long i = 0; i < parts[part].pages; i += step) {
		unsigned long *p = (unsigned long *)(parts[part].mem + i * PAGE);

		p[0] = p[511] = word(part, i, round);
	}
}

static void check_words(int part, unsigned long page, const unsigned long *p, unsigned long want, const char *when)
{
	if ((p[0] != want || p[511] != want) && bad++ < 5)
		printf("%s: %s page %lu: %lx %lx, not %lx\n", when, parts[part].name, page, p[0], p[511], want);
}

static void check(int part, unsigned long even, unsigned long odd, const char *when)
{
	for (unsigned long i = 0; i < parts[part].pages; i++)
		check_words(part, i, (unsigned long *)(parts[part].mem + i * PAGE), word(part, i, i % 2 ? odd : even), when);
}

/* The same by read(2), where there is a descriptor. */
static void check_read(int part, unsigned long even, unsigned long odd)
{
	static unsigned long buf[512];

	for (unsigned long i = 0; parts[part].fd >= 0 && i < parts[part].pages; i++) {
		expect(pread(parts[part].fd, buf, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE, "pread");
		check_words(part, i, buf, word(part, i, i % 2 ? odd : even), "read");
	}
}

static void make_parts(unsigned long pages)
{
	unsigned long size = pages / PARTS * PAGE;
	int shm = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600), rw = PROT_READ | PROT_WRITE;

	parts[0] = (struct part){ .name = "file", .fd = open("/tmp/swapshm", O_RDWR | O_CREAT | O_TRUNC, 0600) };
	parts[1] = (struct part){ .name = "memfd", .fd = memfd_create("m", 0) };
	parts[2] = (struct part){ .name = "segment", .fd = -1, .mem = shmat(shm, NULL, 0) };
	shmctl(shm, IPC_RMID, NULL);
	parts[3] = (struct part){ .name = "anonymous", .fd = -1,
				  .mem = mmap(NULL, size, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) };
	unlink("/tmp/swapshm");
	for (int i = 0; i < PARTS; i++) {
		parts[i].pages = pages / PARTS;
		if (parts[i].fd >= 0) {
			expect(!ftruncate(parts[i].fd, (off_t)size), "ftruncate");
			parts[i].mem = mmap(NULL, size, rw, MAP_SHARED, parts[i].fd, 0);
		}
		expect(parts[i].mem && parts[i].mem != MAP_FAILED, parts[i].name);
	}
}

/* Pages of the part that mincore says are not in memory. */
static void count_swapped(int part)
{
	static unsigned char vec[1 << 20];
	unsigned long out = 0;

	expect(!mincore(parts[part].mem, parts[part].pages * PAGE, vec), "mincore");
	for (unsigned long i = 0; i < parts[part].pages; i++)
		out += !(vec[i] & 1);
	printf("%s: %lu pages, %lu not in memory\n", parts[part].name, parts[part].pages, out);
}

static unsigned long free_swap(void)
{
	struct sysinfo si;

	sysinfo(&si);
	return si.freeswap * si.mem_unit;
}

/* A part that was given up frees its slots, wherever its pages are. */
static void give_up(int part)
{
	unsigned long before = free_swap(), half = parts[part].pages / 2;
	struct stat st;

	expect(!fallocate(parts[part].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)(half * PAGE)), "punch");
	for (unsigned long i = 0; i < half; i++)
		expect(!*(unsigned long *)(parts[part].mem + i * PAGE), "a hole reads as zeroes");
	expect(!ftruncate(parts[part].fd, 0), "truncate to nothing");
	expect(!fstat(parts[part].fd, &st) && !st.st_blocks, "no blocks are left");
	expect(free_swap() > before, "slots come free");
	printf("%s: given up, %lu pages of swap came free\n", parts[part].name, (free_swap() - before) / PAGE);
	parts[part].pages = 0;
}

static void child_checks(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		bad = 0;
		for (int i = 0; i < PARTS; i++) {
			check(i, 1, 1, "child");
			fill(i, 2, 2);
		}
		_exit(bad != 0);
	}
	waitpid(pid, &status, 0);
	expect(status == 0, "the child finds everything");
}

int main(int argc, char **argv)
{
	const char *area = argc > 2 ? argv[2] : "/dev/ramswap";
	unsigned long percent = argc > 1 ? strtoul(argv[1], 0, 0) : 150, pages, most;
	struct sysinfo si;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (swapon(area, 0)) {
		printf("swapon: %s\n", strerror(errno));
		return 77;
	}
	sysinfo(&si);
	pages = si.freeram * si.mem_unit / PAGE * percent / 100;
	most = (si.freeram + si.freeswap) * si.mem_unit / PAGE * 8 / 10;
	make_parts(pages < most ? pages : most);
	for (int i = 0; i < PARTS; i++)
		fill(i, 1, 1);
	for (int i = 0; i < PARTS; i++)
		count_swapped(i);
	printf("%lu MiB, %lu kB of swap free, Shmem %lu kB\n", pages >> 8, free_swap() >> 10, number_in("/proc/meminfo", "Shmem:"));
	expect(number_in("/proc/vmstat", "pswpout ") > 100, "pages went to swap");
	child_checks();
	for (int i = 0; i < PARTS; i++) {
		check(i, 2, 1, "parent");
		check_read(i, 2, 1);
	}
	give_up(0);
	fill(1, 2, 3);
	munmap(parts[3].mem, parts[3].pages * PAGE);
	parts[3].pages = 0;
	expect(!swapoff(area), "swapoff");
	check(1, 3, 1, "after swapoff");
	check(2, 2, 1, "after swapoff");
	printf("swapshm: %lu bad\n", bad);
	return bad != 0;
}
