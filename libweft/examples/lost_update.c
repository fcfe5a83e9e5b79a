/*
 * lost_update.c: seed 003's x++ without and with a lock.
 *
 * What:  two threads add to one variable: first as "read, (others run), write", as the seed's table of ++i in three steps
 *        draws it; then with the same steps inside a mutex; then as one atomic instruction.
 * Lesson: without exclusion updates are lost, in every model (N:1 too: between the steps somebody else may run); a lock
 *        or an atomic operation makes the three steps one.
 * See:   seed 003 "competition and atomic operations".
 */
#include <stdio.h>
#include <weft/thread.h>

enum { N = 10000 };
static volatile long x;
static long y;
static weft_mutex m = WEFT_MUTEX_INIT;

static void three_steps(void)
{
	long r = x;		/* 1: read into a register */

	weft_yield();		/* here the other thread may do all its three steps */
	x = r + 1;		/* 2, 3: add, write back */
}

static void *bare(void *a) { for (int i = 0; i < N; i++) three_steps(); return a; }
static void *locked(void *a) { for (int i = 0; i < N; i++) { weft_mutex_lock(&m); three_steps(); weft_mutex_unlock(&m); } return a; }
static void *atomic(void *a) { for (int i = 0; i < N; i++) { __atomic_add_fetch(&y, 1, __ATOMIC_RELAXED); weft_yield(); } return a; }

static long both(void *(*fn)(void *))
{
	weft_t a, b;

	x = 0;
	weft_spawn(&a, NULL, fn, NULL);
	weft_spawn(&b, NULL, fn, NULL);
	weft_join(a, NULL);
	weft_join(b, NULL);
	return x;
}

int main(void)
{
	long lost = both(bare), right = both(locked);

	both(atomic);
	printf("2 x %d increments: without a lock %ld, with a mutex %ld, atomic %ld\n", N, lost, right, y);
	return !(lost < 2 * N && right == 2 * N && y == 2 * N);
}
