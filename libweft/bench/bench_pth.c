/*
 * bench_pth.c: the same rows by GNU Pth.
 *
 * What:  prints "row<TAB>nanoseconds" for yield and create + join.
 * Idea:  the classic N:1 library; its scheduler is a thread of its own and asks select() each time.
 * See:   bench_weft.c for what the rows mean.
 */
#include <pth.h>
#include <stdio.h>
#include <time.h>

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static void *yielder(void *p) { for (long i = 0; i < (long)p; i++) pth_yield(NULL); return p; }
static void *nothing(void *p) { return p; }
int main(void)
{
	long n = 50000, i;
	double t;
	pth_t a, b;
	pth_init();
	t = now();
	a = pth_spawn(PTH_ATTR_DEFAULT, yielder, (void *)n);
	b = pth_spawn(PTH_ATTR_DEFAULT, yielder, (void *)n);
	pth_join(a, NULL);
	pth_join(b, NULL);
	printf("yield\t%.2f\n", (now() - t) / (2 * n));
	t = now();
	for (i = 0; i < n / 5; i++) pth_join(pth_spawn(PTH_ATTR_DEFAULT, nothing, NULL), NULL);
	printf("create\t%.2f\n", (now() - t) / (n / 5));
	return 0;
}
