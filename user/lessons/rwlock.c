/*
 * rwlock: many may read at once, one may write alone.
 *
 * Seeds:  003 "synchronisation and locks", the table of the read-write lock: free: shared and exclusive succeed; shared: shared
 *         succeeds, exclusive waits; exclusive: both wait.
 * Expect: each of the six squares of the table, asked with the try calls from another thread; three readers inside at the same
 *         time (each leaves only when all have come in); a writer that waits until the last of them has left; and two
 *         variables that a writer changes one after the other, which no reader ever sees different.
 */
#include "lesson.h"

#define READERS	3
#define CHANGES	20000

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

/* ---- the table ---- */

static void *try_shared(void *arg)
{
	int e = pthread_rwlock_tryrdlock(&lock);

	if (!e)
		pthread_rwlock_unlock(&lock);
	*(int *)arg = e;
	return NULL;
}

static void *try_exclusive(void *arg)
{
	int e = pthread_rwlock_trywrlock(&lock);

	if (!e)
		pthread_rwlock_unlock(&lock);
	*(int *)arg = e;
	return NULL;
}

static int ask(void *(*fn)(void *))
{
	int answer = -1;
	pthread_t t;

	pok(pthread_create(&t, NULL, fn, &answer));
	pok(pthread_join(t, NULL));
	return answer;
}

static void row(const char *state, int want_shared, int want_exclusive)
{
	int s = ask(try_shared), e = ask(try_exclusive);

	printf("  %-10s  %-10s  %s\n", state, s ? "must wait" : "succeeds", e ? "must wait" : "succeeds");
	must(s == want_shared && e == want_exclusive, "the row '%s' is not as in the table", state);
}

static void the_table(void)
{
	printf("  state       shared      exclusive\n");
	row("free", 0, 0);
	pok(pthread_rwlock_rdlock(&lock));
	row("shared", 0, EBUSY);
	pok(pthread_rwlock_unlock(&lock));
	pok(pthread_rwlock_wrlock(&lock));
	row("exclusive", EBUSY, EBUSY);
	pok(pthread_rwlock_unlock(&lock));
}

/* ---- together, and alone ---- */

static pthread_barrier_t all_inside, may_leave;
static int inside, left, left_when_written = -1;

static void *reader(void *arg)
{
	pok(pthread_rwlock_rdlock(&lock));
	__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&all_inside);	/* would wait for ever if only one could be inside */
	pthread_barrier_wait(&may_leave);
	__atomic_add_fetch(&left, 1, __ATOMIC_SEQ_CST);
	pok(pthread_rwlock_unlock(&lock));
	return arg;
}

static void *writer(void *arg)
{
	pok(pthread_rwlock_wrlock(&lock));
	left_when_written = __atomic_load_n(&left, __ATOMIC_SEQ_CST);
	pok(pthread_rwlock_unlock(&lock));
	return arg;
}

static void together_and_alone(void)
{
	pthread_t r[READERS], w;

	pok(pthread_barrier_init(&all_inside, NULL, READERS + 1));
	pok(pthread_barrier_init(&may_leave, NULL, READERS + 1));
	for (int i = 0; i < READERS; i++)
		pok(pthread_create(&r[i], NULL, reader, NULL));
	pthread_barrier_wait(&all_inside);
	printf("%d readers are inside at the same time\n", inside);
	pok(pthread_create(&w, NULL, writer, NULL));
	sleep_ms(20);				/* time to do wrong */
	must(__atomic_load_n(&left_when_written, __ATOMIC_SEQ_CST) == -1, "the writer came in among the readers");
	pthread_barrier_wait(&may_leave);
	for (int i = 0; i < READERS; i++)
		pok(pthread_join(r[i], NULL));
	pok(pthread_join(w, NULL));
	printf("the writer came in when %d of them had left\n", left_when_written);
	must(left_when_written == READERS, "the writer did not wait for all readers");
}

/* ---- what it is good for ---- */

static volatile long a, b;
static volatile bool done;
static long looks, torn;

static void *watcher(void *arg)
{
	long n = 0, bad = 0;

	while (!done || !n) {
		pthread_rwlock_rdlock(&lock);
		bad += a != b;
		n++;
		pthread_rwlock_unlock(&lock);
	}
	__atomic_add_fetch(&looks, n, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&torn, bad, __ATOMIC_SEQ_CST);
	return arg;
}

static void *changer(void *arg)
{
	double start = clock_s(CLOCK_MONOTONIC);

	for (long n = 1; n <= CHANGES && (n % 64 || patience(start)); n++) {
		pthread_rwlock_wrlock(&lock);
		a = n;
		if (n % 100 == 0)
			sched_yield();
		b = n;
		pthread_rwlock_unlock(&lock);
	}
	done = true;
	return arg;
}

static void no_torn_pair(void)
{
	pthread_rwlockattr_t attr;
	pthread_t r[READERS], w;

	/* The C library's usual lock lets new readers pass a waiting writer, who may then starve. */
	pok(pthread_rwlock_destroy(&lock));
	pok(pthread_rwlockattr_init(&attr));
	pok(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
	pok(pthread_rwlock_init(&lock, &attr));
	for (int i = 0; i < READERS; i++)
		pok(pthread_create(&r[i], NULL, watcher, NULL));
	pok(pthread_create(&w, NULL, changer, NULL));
	pok(pthread_join(w, NULL));
	for (int i = 0; i < READERS; i++)
		pok(pthread_join(r[i], NULL));
	printf("a pair was changed %ld times and looked at %ld times: never seen half changed\n", a, looks);
	must(torn == 0 && a == b && a > 0, "a reader saw the pair half changed, %ld times", torn);
}

int main(void)
{
	the_table();
	together_and_alone();
	no_torn_pair();
	shown();
}
