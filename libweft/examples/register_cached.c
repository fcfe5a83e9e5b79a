/*
 * register_cached.c: seed 003's variable that a compiler keeps in a register although a lock is held.
 *
 * What:  the seed's example done by hand: each thread reads x once, increments its own copy under the lock, and writes
 *        back at the end; the sum is wrong though every increment was locked.  Then the same with the variable itself.
 * Lesson: a lock protects what happens between lock and unlock, so the value must be read and written there.  libweft's
 *        lock and unlock are functions with acquire and release order, so a compiler may not do this to correct code.
 * See:   seed 003 "over-optimisation", first example.
 */
#include <stdio.h>
#include <weft/thread.h>

enum { N = 1000 };
static long x;
static weft_mutex m = WEFT_MUTEX_INIT;

static void *cached(void *a)
{
	long r = x;		/* the register */

	for (int i = 0; i < N; i++) {
		weft_mutex_lock(&m);
		r++;
		weft_mutex_unlock(&m);
		weft_yield();
	}
	x = r;			/* written back much later */
	return a;
}

static void *honest(void *a)
{
	for (int i = 0; i < N; i++) {
		weft_mutex_lock(&m);
		x++;
		weft_mutex_unlock(&m);
		weft_yield();
	}
	return a;
}

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
	long wrong = both(cached), right = both(honest);

	printf("2 x %d locked increments: %ld with the value kept in a register, %ld in memory\n", N, wrong, right);
	return !(wrong < 2 * N && right == 2 * N);
}
