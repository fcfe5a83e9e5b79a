/*
 * concurrent_parallel: on one processor two threads take turns; on two they run at the same time.
 *
 * Seeds:  000 §6 and §7: "several threads on one core run concurrently, by time slices; on several cores in parallel".  003: on
 *         one processor "concurrency is a simulated state".
 * Expect: two threads hand a ball to and fro, spinning, never giving up the processor.  On one processor each hand-over needs a
 *         switch of threads: never more hand-overs than switches.  On two processors nobody needs to be switched: many
 *         hand-overs for each switch, which is possible only if both run at once.
 */
#include "lesson.h"

static volatile int turn;
static int throws;
static pthread_barrier_t go;

struct player { int me, cpu; long switches; };

static long my_switches(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw + u.ru_nivcsw;
}

static void *play(void *arg)
{
	struct player *p = arg;
	long before;

	pin(0, p->cpu);
	pthread_barrier_wait(&go);
	before = my_switches();
	for (int i = 0; i < throws; i++) {
		while (turn != p->me)
			;
		turn = !p->me;
	}
	p->switches = my_switches() - before;
	return NULL;
}

/* n throws each; returns the switches of both threads. */
static long match(int n, int cpu0, int cpu1)
{
	struct player p[2] = { { .me = 0, .cpu = cpu0 }, { .me = 1, .cpu = cpu1 } };
	pthread_t t[2];

	throws = n;
	turn = 0;
	pok(pthread_barrier_init(&go, NULL, 2));
	for (int i = 0; i < 2; i++)
		pok(pthread_create(&t[i], NULL, play, &p[i]));
	for (int i = 0; i < 2; i++)
		pok(pthread_join(t[i], NULL));
	pthread_barrier_destroy(&go);
	printf("CPU %d and CPU %d: %d hand-overs, %ld switches of threads\n", cpu0, cpu1, 2 * n,
	       p[0].switches + p[1].switches);
	return p[0].switches + p[1].switches;
}

int main(void)
{
	int n = cpus(), first = nth_cpu(0), second = n > 1 ? nth_cpu(1) : -1;
	double start = clock_s(CLOCK_MONOTONIC);

	/* The first and the last throw of each player may come free of charge. */
	must(match(40, first, first) >= 2 * 40 - 4, "one processor handed over more often than it switched: it ran two at once?");
	if (n < 2)
		skip("to run in parallel needs two processors, here is one (concurrency was shown)");
	do
		if (match(20000, first, second) < 2 * 20000 / 20)
			shown();
	while (patience(start));
	not_shown("two processors never ran two threads at the same time");
}
