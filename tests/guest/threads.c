/* threads.c: glibc's threads and the futex below them (spec §8). */
#include "t.h"
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static long futex(volatile int *u, int op, int v, const struct timespec *t, volatile int *u2, int v3)
{
	return syscall(SYS_futex, u, op, v, t, u2, v3);
}

TEST(futex_errors)
{
	int f = 1;
	struct timespec ts = { 0, 1000000 }, bad = { 0, -5 };

	CHECK_ERR(futex(&f, FUTEX_WAIT, 2, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&f, FUTEX_WAIT, 1, &ts, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&f, FUTEX_WAIT, 1, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex((int *)((char *)&f + 1), FUTEX_WAIT, 1, &ts, NULL, 0), EINVAL);
	CHECK_ERR(futex((int *)8, FUTEX_WAIT, 1, &ts, NULL, 0), EFAULT);
	CHECK_ERR(futex(&f, FUTEX_WAIT_BITSET, 1, &ts, NULL, 0), EINVAL);
	CHECK_ERR(futex(&f, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_EQ(futex(&f, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

static volatile int word, word2;
static volatile int woken;
static void *waiter(void *arg)
{
	while (futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) && errno == EINTR)
		;
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return arg;
}

TEST(futex_wake_count_and_requeue)
{
	pthread_t t[6];

	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, waiter, NULL);
	t_sleep_ms(300);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	t_sleep_ms(200);
	CHECK_EQ(woken, 1);
	/* wake one, move the rest to word2 */
	CHECK_EQ(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)100, &word2, 0), 5);
	t_sleep_ms(200);
	CHECK_EQ(woken, 2);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 4);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)100, &word2, 5), EAGAIN);
}

TEST(futex_between_processes)
{
	volatile int *f = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		while (!*f)
			futex(f, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(5);
	}
	t_sleep_ms(200);
	*f = 1;
	futex(f, FUTEX_WAKE, 1, NULL, NULL, 0);
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 5);
}

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static void *add(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&m);
		counter++;
		pthread_mutex_unlock(&m);
	}
	return arg;
}

TEST(mutex_keeps_count)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, add, NULL), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(counter, 160000);
}

static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int items, consumed;
static void *consumer(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&m);
		while (!items)
			pthread_cond_wait(&c, &m);
		if (items < 0) {
			pthread_mutex_unlock(&m);
			return arg;
		}
		items--;
		consumed++;
		pthread_mutex_unlock(&m);
	}
}

TEST(condition_variable)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, consumer, NULL);
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&m);
		items++;
		pthread_cond_signal(&c);
		pthread_mutex_unlock(&m);
	}
	for (;;) {
		pthread_mutex_lock(&m);
		if (!items)
			break;
		pthread_mutex_unlock(&m);
		t_sleep_ms(1);
	}
	items = -1;
	pthread_cond_broadcast(&c);
	pthread_mutex_unlock(&m);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(consumed, 5000);
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	pthread_mutex_lock(&m);
	CHECK_EQ(pthread_cond_timedwait(&c, &m, &ts), ETIMEDOUT);
}

static __thread int tls = 3;
static void *use_tls(void *arg)
{
	if (tls != 3)
		return (void *)1;
	tls = (long)arg;
	for (int i = 0; i < 200; i++) {
		sched_yield();
		if (tls != (long)arg)
			return (void *)2;
	}
	return NULL;
}

TEST(thread_local_storage)
{
	pthread_t t[8];
	void *r;

	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, use_tls, (void *)(i + 10));
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &r);
		CHECK(!r);
	}
	CHECK_EQ(tls, 3);
}

TEST(many_threads_come_and_go)
{
	for (int round = 0; round < 20; round++) {
		pthread_t t[32];
		for (long i = 0; i < 32; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, use_tls, (void *)(i + 1)), 0);
		for (int i = 0; i < 32; i++)
			pthread_join(t[i], NULL);
	}
}

TEST(semaphores)
{
	sem_t *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK_OK(sem_init(s, 1, 0));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		for (int i = 0; i < 100; i++)
			sem_post(s);
		_exit(0);
	}
	for (int i = 0; i < 100; i++)
		CHECK_OK(sem_wait(s));
	CHECK_ERR(sem_trywait(s), EAGAIN);
	t_wait(pid);
}

static void *hold_and_die(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

TEST(robust_mutex_tells_owner_dead)
{
	pthread_mutexattr_t a;
	static pthread_mutex_t rm;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&rm, &a);
	pthread_create(&t, NULL, hold_and_die, &rm);
	pthread_join(t, NULL);
	CHECK_EQ(pthread_mutex_lock(&rm), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&rm), 0);
	CHECK_EQ(pthread_mutex_unlock(&rm), 0);
}

static pthread_barrier_t bar;
static volatile int phase[8];
static void *barrier_thread(void *arg)
{
	long me = (long)arg;

	for (int i = 1; i <= 50; i++) {
		phase[me] = i;
		pthread_barrier_wait(&bar);
		for (int k = 0; k < 8; k++)
			if (phase[k] < i)
				return (void *)1;
		pthread_barrier_wait(&bar);
	}
	return NULL;
}

TEST(barrier)
{
	pthread_t t[8];
	void *r;

	pthread_barrier_init(&bar, NULL, 8);
	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, barrier_thread, (void *)i);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &r);
		CHECK(!r);
	}
}
