/*
 * bench_libc.c: the same rows by glibc: ucontext for the bare switch, pthreads for the rest.
 *
 * What:  prints "row<TAB>nanoseconds" for what glibc offers.
 * Idea:  what 1:1 costs; ucontext saves the signal mask by a system call at each switch.
 * See:   bench_weft.c for what the rows mean, run.py for how they are put side by side.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static ucontext_t a, b;
static void other(void) { for (;;) swapcontext(&b, &a); }
static void *yielder(void *p) { for (long i = 0; i < (long)p; i++) sched_yield(); return p; }
static void *nothing(void *p) { return p; }
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int turn;
static void *side(void *p)
{
	int me = (long)p & 1;

	pthread_mutex_lock(&m);
	for (long i = 0; i < (long)p >> 1; i++) {
		while (turn != me) pthread_cond_wait(&c, &m);
		turn = !me;
		pthread_cond_signal(&c);
	}
	pthread_mutex_unlock(&m);
	return NULL;
}
static double two(void *(*f)(void *), long x, long y)
{
	double t = now();
	pthread_t p, q;

	pthread_create(&p, NULL, f, (void *)x);
	pthread_create(&q, NULL, f, (void *)y);
	pthread_join(p, NULL);
	pthread_join(q, NULL);
	return now() - t;
}

int main(void)
{
	long n = 300000, i;
	double t;
	pthread_t p;

	getcontext(&b);
	b.uc_stack.ss_sp = malloc(65536);
	b.uc_stack.ss_size = 65536;
	makecontext(&b, other, 0);
	t = now();
	for (i = 0; i < n; i++)
		swapcontext(&a, &b);
	printf("coroutine\t%.2f\n", (now() - t) / (2 * n));
	printf("yield\t%.2f\n", two(yielder, n, n) / (2 * n));
	t = now();
	for (i = 0; i < 5000; i++) {
		pthread_create(&p, NULL, nothing, NULL);
		pthread_join(p, NULL);
	}
	printf("create\t%.2f\n", (now() - t) / 5000);
	printf("cond\t%.2f\n", two(side, 40000, 40001) / 40000);
	return 0;
}
