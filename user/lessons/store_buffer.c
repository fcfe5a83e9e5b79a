/*
 * store_buffer: x = 1; r1 = y beside y = 1; r2 = x, and both read 0.
 *
 * Seeds:  003 "over-optimisation": "r1 and r2 cannot both be 0, it seems ... but r1 = r2 = 0 can happen": the processor reorders.
 *         "volatile cannot stop the processor from changing the order"; "a barrier is like a dam".
 * Expect: on two processors, r1 = r2 = 0 is seen sooner or later although x and y are volatile: each store still waits in its
 *         processor's store buffer while the load behind it is done.  With mfence between the two: never.
 * The processor may do so, it need not: where it is never seen the lesson is skipped.  It cannot be seen on one processor.
 */
#include "lesson.h"

#define MAX_ROUNDS 3000000l

/* Each on a cache line of its own. */
struct line { volatile long v; } __attribute__((aligned(128)));

static struct line x, y, r1, r2, arrived[2];
static bool barrier;
static long rounds, both_zero, neither_zero;
static volatile bool enough;
static double deadline;

/* Both leave at nearly the same time.  Spins, but not for ever on a processor that the other may need. */
static void meet(int me, long when)
{
	long spins = 0;

	__atomic_store_n(&arrived[me].v, when, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&arrived[!me].v, __ATOMIC_SEQ_CST) < when)
		if (++spins % 20000 == 0)
			sched_yield();
}

static void *one(void *arg)
{
	bool until_seen = *(bool *)arg;

	pin(0, nth_cpu(0));
	for (long n = 0; !enough; n++) {
		x.v = y.v = 0;
		meet(0, 3 * n + 1);
		x.v = 1;
		if (barrier)
			asm volatile("mfence" ::: "memory");
		r1.v = y.v;
		meet(0, 3 * n + 2);
		both_zero += !r1.v && !r2.v;
		neither_zero += r1.v && r2.v;
		rounds = n + 1;
		if ((until_seen && both_zero) || rounds == MAX_ROUNDS ||
		    (rounds % 256 == 0 && clock_s(CLOCK_MONOTONIC) > deadline))
			enough = true;
		meet(0, 3 * n + 3);
	}
	return NULL;
}

static void *other(void *arg)
{
	pin(0, nth_cpu(1));
	for (long n = 0; !enough; n++) {
		meet(1, 3 * n + 1);
		y.v = 1;
		if (barrier)
			asm volatile("mfence" ::: "memory");
		r2.v = x.v;
		meet(1, 3 * n + 2);
		meet(1, 3 * n + 3);
	}
	return arg;
}

static void run(bool with_barrier, double seconds)
{
	bool until_seen = !with_barrier;
	pthread_t t[2];

	barrier = with_barrier;
	rounds = both_zero = neither_zero = 0;
	enough = false;
	arrived[0].v = arrived[1].v = 0;
	deadline = clock_s(CLOCK_MONOTONIC) + seconds;
	pok(pthread_create(&t[0], NULL, one, &until_seen));
	pok(pthread_create(&t[1], NULL, other, NULL));
	pok(pthread_join(t[0], NULL));
	pok(pthread_join(t[1], NULL));
	printf("%s: %ld rounds, r1 = r2 = 0 in %ld, r1 = r2 = 1 in %ld\n", with_barrier ? "with mfence    " : "without barrier",
	       rounds, both_zero, neither_zero);
}

int main(void)
{
	long needed;

	if (cpus() < 2)
		skip("needs two processors");
	nth_cpu(1);				/* before anybody is pinned */
	run(false, PATIENCE_SECONDS);
	needed = rounds;
	if (!both_zero)
		skip("this machine did not reorder once in %ld rounds; it may, it need not", needed);
	run(true, 8);
	must(both_zero == 0, "r1 = r2 = 0 in spite of the barrier");
	must(rounds >= 256, "only %ld rounds with the barrier", rounds);
	shown();
}
