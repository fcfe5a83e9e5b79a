/*
 * lost_update: ++i is three steps, and another thread can come in between.
 *
 * Seeds:  003 "races and atomic operations": read i into a register, add, store; two threads that do so at once lose an update.
 *         "The operation of one instruction is atomic": inc with a lock; for more than one variable, a lock.
 * Expect: (1) the seed's own table, its steps forced into that order: i = 1, one thread does ++i, the other --i, and i is 0.
 *         (2) Two threads that each add 1 a million times, unlocked: the sum is too small (tried until it happens).
 *         (3) The same with an atomic instruction, and with a mutex: not one is missing.
 * On one processor an update is lost when the time slice ends between load and store.
 */
#include "lesson.h"
#include <semaphore.h>

#define TIMES 1000000

static volatile long sum;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t go;

/* ---- 1: the table of the seed ---- */

static volatile int i;
static sem_t second_may_read, first_may_store, second_may_store;

static void *first(void *arg)
{
	int x1 = i;				/* X1 = 1 */

	(void)arg;
	x1++;					/* X1 = 2 */
	sem_post(&second_may_read);
	sem_wait(&first_may_store);
	i = x1;					/* i = 2 */
	sem_post(&second_may_store);
	return NULL;
}

static void *second(void *arg)
{
	int x2;

	(void)arg;
	sem_wait(&second_may_read);
	x2 = i;					/* X2 = 1: the other has not stored yet */
	x2--;					/* X2 = 0 */
	sem_post(&first_may_store);
	sem_wait(&second_may_store);
	i = x2;					/* i = 0 */
	return NULL;
}

static void the_table(void)
{
	pthread_t t[2];

	sem_init(&second_may_read, 0, 0);
	sem_init(&first_may_store, 0, 0);
	sem_init(&second_may_store, 0, 0);
	i = 1;
	pok(pthread_create(&t[0], NULL, first, NULL));
	pok(pthread_create(&t[1], NULL, second, NULL));
	pok(pthread_join(t[0], NULL));
	pok(pthread_join(t[1], NULL));
	printf("i = 1; one thread ++i, another --i, in the order of the table: i = %d, not 1\n", i);
	must(i == 0, "i is %d, the table says 0", i);
}

/* ---- 2 and 3: without force ---- */

/* A function of its own: an emulator, too, must be able to stop between the load and the store. */
static __attribute__((noinline)) long plus_one(long x)
{
	asm volatile("");
	return x + 1;
}

static void *unlocked(void *arg)
{
	pthread_barrier_wait(&go);
	for (long n = 0; n < TIMES; n++)
		sum = plus_one(sum);		/* load, add, store */
	return arg;
}

static void *atomic(void *arg)
{
	pthread_barrier_wait(&go);
	for (long n = 0; n < TIMES; n++)
		asm volatile("lock incq %0" : "+m" (sum));
	return arg;
}

static void *locked(void *arg)
{
	pthread_barrier_wait(&go);
	for (long n = 0; n < TIMES; n++) {
		pthread_mutex_lock(&mutex);
		sum = plus_one(sum);
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static long two_threads(void *(*fn)(void *))
{
	pthread_t t[2];

	sum = 0;
	pok(pthread_barrier_init(&go, NULL, 2));
	for (int n = 0; n < 2; n++)
		pok(pthread_create(&t[n], NULL, fn, NULL));
	for (int n = 0; n < 2; n++)
		pok(pthread_join(t[n], NULL));
	pthread_barrier_destroy(&go);
	return sum;
}

int main(void)
{
	double start = clock_s(CLOCK_MONOTONIC);
	long got, tries = 0;

	the_table();
	do {
		got = two_threads(unlocked);
		tries++;
	} while (got == 2 * TIMES && patience(start));
	printf("two threads, %d times x++ each, no lock: x = %ld, %ld lost (at the %ld. try)\n", TIMES, got,
	       2 * TIMES - got, tries);
	must(got < 2 * TIMES, "no update was lost in %ld tries", tries);

	for (int n = 0; n < 3; n++) {
		got = two_threads(atomic);
		must(got == 2 * TIMES, "the atomic instruction lost %ld", 2 * TIMES - got);
	}
	printf("the same with lock inc:                  x = %ld, none lost\n", got);
	got = two_threads(locked);
	printf("the same with a mutex:                   x = %ld, none lost\n", got);
	must(got == 2 * TIMES, "the mutex lost %ld", 2 * TIMES - got);
	shown();
}
