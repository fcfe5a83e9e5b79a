/*
 * pshared.c: the C library's locks between processes: shared and robust mutexes, condition variables, barriers, semaphores
 * (spec §8).  tests/run.py builds it with glibc and with musl, whose use of futexes and of the robust list is another.
 */
#include "t.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

#define PROCESSES 4
#define ROUNDS 200

/* What the processes share. */
static struct shared {
	pthread_mutex_t m, other;
	pthread_cond_t c;
	pthread_barrier_t b;
	pthread_rwlock_t rw;
	sem_t s;
	volatile int n, turn, held;
	volatile int phase[PROCESSES];
} *sh;

static void share(int robust, int protocol, int type)
{
	pthread_mutexattr_t a;
	pthread_condattr_t ca;
	pthread_barrierattr_t ba;
	pthread_rwlockattr_t ra;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	CHECK_EQ(pthread_mutexattr_init(&a), 0);
	CHECK_EQ(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&a, robust), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&a, protocol), 0);
	CHECK_EQ(pthread_mutexattr_settype(&a, type), 0);
	CHECK_EQ(pthread_mutex_init(&sh->m, &a), 0);
	CHECK_EQ(pthread_mutex_init(&sh->other, &a), 0);
	CHECK_EQ(pthread_condattr_init(&ca), 0);
	CHECK_EQ(pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_cond_init(&sh->c, &ca), 0);
	CHECK_EQ(pthread_barrierattr_init(&ba), 0);
	CHECK_EQ(pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_barrier_init(&sh->b, &ba, PROCESSES), 0);
	CHECK_EQ(pthread_rwlockattr_init(&ra), 0);
	CHECK_EQ(pthread_rwlockattr_setpshared(&ra, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_rwlock_init(&sh->rw, &ra), 0);
	CHECK_OK(sem_init(&sh->s, 1, 0));
}

/* Runs fn in each of the processes; its result is the exit status, and 0 is well. */
static void in_processes(int (*fn)(int me))
{
	pid_t pid[PROCESSES];

	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = CHECK_OK(fork());
		if (!pid[i])
			_exit(fn(i));
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK_EQ(t_wait(pid[i]), 0);
}

/* A child that takes what `take` takes, and dies by SIGKILL while it holds it. */
static void die_holding(void (*take)(void))
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		take();
		sh->held = 1;
		for (;;)
			pause();
	}
	while (!sh->held)
		t_sleep_ms(1);
	kill(pid, SIGKILL);
	int st = t_wait(pid);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	sh->held = 0;
}

/* ---- all go on ---- */

static int count(int me)
{
	(void)me;
	for (int i = 0; i < ROUNDS; i++) {
		if (pthread_mutex_lock(&sh->m))
			return 1;
		sh->n++;
		if (i % 16 == 0)
			usleep(10);		/* so that others wait in the kernel */
		if (pthread_mutex_unlock(&sh->m))
			return 2;
	}
	return 0;
}

static void count_with(int robust, int protocol)
{
	share(robust, protocol, PTHREAD_MUTEX_NORMAL);
	in_processes(count);
	CHECK_EQ(sh->n, PROCESSES * ROUNDS);
}

TEST(shared_mutex) { count_with(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE); }
TEST(shared_robust_mutex) { count_with(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE); }
TEST(shared_pi_mutex) { count_with(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT); }
TEST(shared_robust_pi_mutex) { count_with(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT); }

static int take_turns(int me)
{
	for (int i = 0; i < ROUNDS / 4; i++) {
		pthread_mutex_lock(&sh->m);
		while (sh->turn % PROCESSES != me)
			pthread_cond_wait(&sh->c, &sh->m);
		sh->turn++;
		pthread_cond_broadcast(&sh->c);
		pthread_mutex_unlock(&sh->m);
	}
	return 0;
}

TEST(shared_condition)
{
	share(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	in_processes(take_turns);
	CHECK_EQ(sh->turn, PROCESSES * (ROUNDS / 4));
}

TEST(condition_with_robust_mutex)
{
	share(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	in_processes(take_turns);
	CHECK_EQ(sh->turn, PROCESSES * (ROUNDS / 4));
}

TEST(condition_times_out)
{
	struct timespec ts;

	share(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	clock_gettime(CLOCK_REALTIME, &ts);
	pthread_mutex_lock(&sh->m);
	CHECK_EQ(pthread_cond_timedwait(&sh->c, &sh->m, &ts), ETIMEDOUT);
	CHECK_EQ(pthread_mutex_unlock(&sh->m), 0);
}

static int march(int me)
{
	int firsts = 0;

	for (int i = 1; i <= ROUNDS / 4; i++) {
		sh->phase[me] = i;
		int r = pthread_barrier_wait(&sh->b);
		if (r && r != PTHREAD_BARRIER_SERIAL_THREAD)
			return 1;
		if (r)
			__sync_fetch_and_add(&sh->n, 1);
		for (int k = 0; k < PROCESSES; k++)
			if (sh->phase[k] < i)
				return 2;
		pthread_barrier_wait(&sh->b);
		firsts += r != 0;
	}
	return firsts > ROUNDS / 4;
}

TEST(shared_barrier)
{
	share(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	in_processes(march);
	CHECK_EQ(sh->n, ROUNDS / 4);			/* each time just one is told that it was the last */
}

static int read_and_write(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		if ((i + me) % 4) {
			pthread_rwlock_rdlock(&sh->rw);
			if (sh->turn)
				return 1;
		} else {
			pthread_rwlock_wrlock(&sh->rw);
			sh->turn = 1;
			sh->n++;
			if (i % 16 == 0)
				usleep(10);
			sh->turn = 0;
		}
		pthread_rwlock_unlock(&sh->rw);
	}
	return 0;
}

TEST(shared_rwlock)
{
	share(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	in_processes(read_and_write);
	CHECK_EQ(sh->n, PROCESSES * ROUNDS / 4);
}

static int post_or_wait(int me)
{
	for (int i = 0; i < ROUNDS; i++)
		if (me % 2 ? sem_post(&sh->s) : sem_wait(&sh->s))
			return 1;
	return 0;
}

TEST(shared_semaphore)
{
	share(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	in_processes(post_or_wait);
	CHECK_ERR(sem_trywait(&sh->s), EAGAIN);
}

/* ---- one is killed ---- */

static void take_one(void) { pthread_mutex_lock(&sh->m); }
static void take_both(void) { pthread_mutex_lock(&sh->m); pthread_mutex_lock(&sh->other); }

static void owner_dead(int protocol, int type)
{
	share(PTHREAD_MUTEX_ROBUST, protocol, type);
	die_holding(take_both);
	CHECK_EQ(pthread_mutex_lock(&sh->m), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&sh->m), 0);
	CHECK_EQ(pthread_mutex_trylock(&sh->other), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_unlock(&sh->other), 0);		/* not mended: nobody gets it any more */
	CHECK_EQ(pthread_mutex_lock(&sh->other), ENOTRECOVERABLE);
	CHECK_EQ(pthread_mutex_unlock(&sh->m), 0);
	CHECK_EQ(pthread_mutex_lock(&sh->m), 0);
	CHECK_EQ(pthread_mutex_unlock(&sh->m), 0);
}

TEST(killed_owner) { owner_dead(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL); }
TEST(killed_owner_recursive) { owner_dead(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_RECURSIVE); }
TEST(killed_owner_pi) { owner_dead(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_NORMAL); }

static int wait_for_dead(int me)
{
	int r;

	(void)me;
	__sync_fetch_and_add(&sh->n, 1);
	r = pthread_mutex_lock(&sh->m);
	if (r == EOWNERDEAD) {
		__sync_fetch_and_add(&sh->turn, 1);
		r = pthread_mutex_consistent(&sh->m);
	}
	return r ? r : pthread_mutex_unlock(&sh->m);
}

/* Waiters in the kernel when the owner dies: one of them hears of it, and all get the lock. */
static void dead_with_waiters(int protocol)
{
	pid_t pid;

	share(PTHREAD_MUTEX_ROBUST, protocol, PTHREAD_MUTEX_NORMAL);
	pid = CHECK_OK(fork());
	if (!pid) {
		pthread_mutex_lock(&sh->m);
		sh->held = 1;
		while (sh->n < PROCESSES)
			usleep(1000);
		usleep(20000);
		raise(SIGKILL);
	}
	while (!sh->held)
		t_sleep_ms(1);
	in_processes(wait_for_dead);
	CHECK_EQ(sh->turn, 1);
	t_wait(pid);
}

TEST(killed_owner_with_waiters) { dead_with_waiters(PTHREAD_PRIO_NONE); }
TEST(killed_owner_with_waiters_pi) { dead_with_waiters(PTHREAD_PRIO_INHERIT); }

/* Without robustness the lock of the dead stays locked. */
TEST(killed_owner_of_plain_mutex)
{
	share(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	die_holding(take_one);
	CHECK_EQ(pthread_mutex_trylock(&sh->m), EBUSY);
}

/* Killed while it waits in pthread_cond_wait: it holds nothing. */
static void wait_on_condition(void)
{
	pthread_mutex_lock(&sh->m);
	sh->held = 1;
	for (;;)
		pthread_cond_wait(&sh->c, &sh->m);
}

TEST(killed_waiter_holds_nothing)
{
	struct timespec ts;
	int r;

	share(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		wait_on_condition();
	while (!sh->held)
		t_sleep_ms(1);
	CHECK_EQ(pthread_mutex_lock(&sh->m), 0);	/* it has let go: it waits */
	CHECK_EQ(pthread_mutex_unlock(&sh->m), 0);
	kill(pid, SIGKILL);
	t_wait(pid);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 100;
	r = pthread_mutex_timedlock(&sh->m, &ts);
	CHECK_EQ(r, 0);
	CHECK_EQ(pthread_mutex_unlock(&sh->m), 0);
}
