/*
 * huge.c: what huge pages cost and spare: ns a call or a page, by the guest's clock.  It is /init of a guest of its own.
 *
 * One line a figure: "huge NAME VALUE ns".  See huge.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE (2UL << 20)
#define PG 4096UL
#define N 16UL

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static char *map(int advice)
{
	char *p = mmap(NULL, (N + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p = (char *)(((unsigned long)p + HUGE - 1) & ~(HUGE - 1));
	madvise(p, N * HUGE, advice);
	return p;
}

static double touch(char *p, size_t step)
{
	double start = now();

	for (size_t i = 0; i < N * HUGE; i += step)
		p[i] = 1;
	return now() - start;
}

static void say(const char *name, double ns, double per) { printf("huge %s %.1f ns\n", name, ns / per); }

static void forks(const char *name, char *p, int rounds)
{
	double start = now();

	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	say(name, now() - start, rounds);
}

int main(void)
{
	char *p, *small;
	double start;
	pid_t pid;
	int fd[2];
	char c;

	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	p = map(MADV_HUGEPAGE);
	touch(p, HUGE);				/* once, so that memory has been used before */
	munmap(p, N * HUGE);
	p = map(MADV_HUGEPAGE);
	say("fault_2M", touch(p, HUGE), N);
	small = map(MADV_NOHUGEPAGE);
	say("fault_512x4K", touch(small, PG), N);
	forks("fork_exit_32M_huge", p, 20);
	start = now();
	munmap(small, N * HUGE);
	say("munmap_512x4K", now() - start, N);
	start = now();
	mprotect(p, N * HUGE, PROT_READ);
	say("mprotect_2M", now() - start, N);
	mprotect(p, N * HUGE, PROT_READ | PROT_WRITE);
	say("write_again_2M", touch(p, HUGE), N);
	/* a child holds the pages: each write copies one small page out of a huge one */
	if (pipe(fd))
		return 1;
	pid = fork();
	if (!pid) {
		if (read(fd[0], &c, 1))
			_exit(0);
	}
	say("cow_first_write_2M", touch(p, HUGE), N);
	if (write(fd[1], "x", 1) != 1)
		return 1;
	waitpid(pid, NULL, 0);
	munmap(p, N * HUGE);
	p = map(MADV_HUGEPAGE);
	touch(p, HUGE);
	start = now();
	munmap(p, N * HUGE);
	say("munmap_2M", now() - start, N);
	p = map(MADV_NOHUGEPAGE);
	touch(p, PG);
	madvise(p, N * HUGE, MADV_HUGEPAGE);
	start = now();
	if (!madvise(p, N * HUGE, 25))
		say("collapse_2M", now() - start, N);
	start = now();
	for (size_t i = 0; i < N; i++)
		mprotect(p + i * HUGE + 64 * PG, PG, PROT_READ);
	say("split_by_mprotect", now() - start, N);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 0;
}
