/*
 * swapcow.c: fork, swap and copy on write against a model, while swap goes on and off: swapcow PROCESSES STEPS [area]
 * Guest: mem=192M append=ramswap=64 args="40 300" long="200 4000"
 *
 * Up to PROCESSES processes at once, each of STEPS steps: writes pages, reads them, gives some up, sends ranges out, forks,
 * ends.  A process knows for each page of its memory what must be there: `model` has the number of the write, which a child
 * inherits as it inherits the page.  Shared pages, which all write, carry words that are whole or not there.  Meanwhile the
 * first process turns swap off and on again.  Exit status 0: every page read was as its reader's model has it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096ul
#define PAGES	128u			/* private ones of a process */
#define SHARED	512u

/* What all see. */
struct board {
	int	processes, bad, forks, checks, rounds;
	int	stop;
};
static struct board *board;
static char *mem, *shared;
static unsigned int model[PAGES];	/* 0: never written, or given up: zeroes */
static unsigned int seed, writes;

static unsigned int rnd(unsigned int below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static unsigned long word(unsigned int page, unsigned int write)
{
	return write ? (page + 1) * 0x9e3779b97f4a7c15ul ^ (unsigned long)write << 20 : 0;
}

static void complain(const char *what, unsigned int page, unsigned long is, unsigned long want)
{
	if (__atomic_fetch_add(&board->bad, 1, __ATOMIC_RELAXED) < 10)
		printf("%d: %s page %u: %lx, not %lx\n", getpid(), what, page, is, want);
}

static void write_page(unsigned int page)
{
	unsigned long *p = (unsigned long *)(mem + page * PAGE);

	model[page] = ++writes << 10 | (getpid() & 1023);
	p[0] = p[200] = p[511] = word(page, model[page]);
}

static void check_page(unsigned int page)
{
	const unsigned long *p = (unsigned long *)(mem + page * PAGE);
	unsigned long want = word(page, model[page]);

	__atomic_fetch_add(&board->checks, 1, __ATOMIC_RELAXED);
	if (p[0] != want || p[200] != want || p[511] != want)
		complain("private", page, p[0] != want ? p[0] : p[200] != want ? p[200] : p[511], want);
}

/* A shared page holds the number of the page in its upper half, and in the lower one anything, twice. */
static void use_shared(unsigned int page)
{
	unsigned long *p = (unsigned long *)(shared + page * PAGE), was = __atomic_load_n(p, __ATOMIC_RELAXED);

	if (was && was >> 32 != page + 1)
		complain("shared", page, was >> 32, page + 1);
	__atomic_store_n(p, (unsigned long)(page + 1) << 32 | rnd(1u << 30), __ATOMIC_RELAXED);
}

static void give_up(unsigned int page, unsigned int n)
{
	madvise(mem + page * PAGE, n * PAGE, MADV_DONTNEED);
	memset(model + page, 0, n * sizeof(*model));
}

static void run(int limit, int steps);

/* The child goes on with what the parent had; the parent does not wait. */
static void split(int limit, int steps)
{
	if (__atomic_fetch_add(&board->processes, 1, __ATOMIC_SEQ_CST) < limit) {
		pid_t pid = fork();

		if (!pid) {
			seed ^= (unsigned int)getpid() * 2654435761u;
			run(limit, steps / 2);
		}
		if (pid > 0) {
			__atomic_fetch_add(&board->forks, 1, __ATOMIC_RELAXED);
			return;
		}
	}
	__atomic_fetch_sub(&board->processes, 1, __ATOMIC_SEQ_CST);
}

static void run(int limit, int steps)
{
	while (steps-- > 0 && !board->stop) {
		unsigned int page = rnd(PAGES), n = 1 + rnd(16);

		n = page + n > PAGES ? PAGES - page : n;
		switch (rnd(8)) {
		case 0: case 1:
			write_page(page);
			break;
		case 2:
			for (unsigned int i = page; i < page + n; i++)
				check_page(i);
			break;
		case 3:
			madvise(mem + page * PAGE, n * PAGE, MADV_PAGEOUT);
			break;
		case 4:
			if (!rnd(4))
				give_up(page, n);
			break;
		case 5:
			use_shared(rnd(SHARED));
			break;
		case 6:
			madvise(shared + rnd(SHARED - 16) * PAGE, 16 * PAGE, MADV_PAGEOUT);
			break;
		case 7:
			if (!rnd(4))
				split(limit, steps);
			break;
		}
	}
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(i);
	__atomic_fetch_sub(&board->processes, 1, __ATOMIC_SEQ_CST);
	_exit(0);
}

/* swapoff may fail for want of memory, or be in the way of nobody: both are fine. */
static void switch_swap(const char *area)
{
	if (!swapoff(area))
		board->rounds++;
	else if (errno != ENOMEM)
		printf("swapoff: %s\n", strerror(errno));
	usleep(20000);
	if (swapon(area, 0) && errno != EBUSY)
		printf("swapon: %s\n", strerror(errno));
	usleep(100000);
}

int main(int argc, char **argv)
{
	int limit = argc > 1 ? atoi(argv[1]) : 40, steps = argc > 2 ? atoi(argv[2]) : 400;
	const char *area = argc > 3 ? argv[3] : "/dev/ramswap";

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGCHLD, SIG_IGN);
	if (swapon(area, 0)) {
		printf("swapon: %s\n", strerror(errno));
		return 77;
	}
	board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, SHARED * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		write_page(i);
	for (int i = 0; i < limit; i++) {
		seed = (unsigned int)i;
		board->processes++;
		if (!fork())
			run(limit, steps);
	}
	while (__atomic_load_n(&board->processes, __ATOMIC_SEQ_CST) > 0)
		switch_swap(area);
	while (waitpid(-1, NULL, 0) > 0)
		;
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(i);
	if (swapoff(area)) {
		printf("swapoff at the end: %s\n", strerror(errno));
		board->bad++;
	}
	printf("swapcow: %d forks, %d pages checked, swap off %d times, %d bad\n", board->forks, board->checks, board->rounds, board->bad);
	return board->bad != 0;
}
