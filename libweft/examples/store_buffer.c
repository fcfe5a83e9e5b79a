/*
 * store_buffer.c: seed 003's x = 1; r1 = y || y = 1; r2 = x, where r1 = r2 = 0 happens, and with a barrier never.
 *
 * What:  two threads on two kernel tasks (1:1) meet again and again and count the outcomes; once without, once with a
 *        full barrier between store and load.
 * Lesson: each processor lets its later load overtake its own earlier store (the store buffer).  volatile keeps the
 *        compiler in order and cannot keep the processor in order; a barrier does.
 * Note:  on one processor, or when the machine is busy, the first count may be 0: only the second is asserted.
 * See:   seed 003 "over-optimisation".
 */
#include <stdio.h>
#include <weft/thread.h>

enum { ROUNDS = 300000 };
static volatile int x, y, r1, r2, fence;
static int go[2], done;

static void rendezvous(int me, int round)
{
	__atomic_store_n(&go[me], round, __ATOMIC_SEQ_CST);
	for (int n = 0; __atomic_load_n(&go[!me], __ATOMIC_SEQ_CST) < round; n++)
		if (n % 1000 == 999)
			weft_yield();
}

static void *side(void *a)
{
	int me = (int)(long)a, both_zero = 0;

	for (int i = 1; i <= ROUNDS; i++) {
		rendezvous(me, 3 * i);
		if (me == 0) { x = 1; if (fence) __atomic_thread_fence(__ATOMIC_SEQ_CST); r1 = y; }
		else { y = 1; if (fence) __atomic_thread_fence(__ATOMIC_SEQ_CST); r2 = x; }
		rendezvous(me, 3 * i + 1);
		if (me == 0) {
			both_zero += r1 == 0 && r2 == 0;
			x = y = 0;
		}
		rendezvous(me, 3 * i + 2);
	}
	if (me == 0)
		done = both_zero;
	return NULL;
}

static int count(int with_fence)
{
	weft_t a, b;

	fence = with_fence;
	go[0] = go[1] = 0;
	weft_spawn(&a, NULL, side, (void *)0);
	weft_spawn(&b, NULL, side, (void *)1);
	weft_join(a, NULL);
	weft_join(b, NULL);
	return done;
}

int main(void)
{
	struct weft_config c = { .model = WEFT_1_1 };
	int without, with;

	weft_init(&c);
	without = count(0);
	with = count(1);
	printf("r1 = r2 = 0 in %d rounds: %d times without a barrier, %d with\n", ROUNDS, without, with);
	return with != 0;
}
