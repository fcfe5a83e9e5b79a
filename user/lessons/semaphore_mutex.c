/*
 * semaphore_mutex: anybody may release a binary semaphore; a mutex belongs to who took it.
 *
 * Seeds:  003 "synchronisation and locks": "a semaphore can be taken by one thread and released by another; a mutex must be
 *         released by the thread that took it, another's release has no effect"; a semaphore is visible in other processes.
 * Expect: (1) main takes a semaphore of value 1, another thread, and then another process, posts it: it is free.  (2) Main locks a
 *         mutex: another thread's unlock is EPERM, and it stays locked.  (3) The kernel itself knows owners: FUTEX_UNLOCK_PI of a
 *         lock that another thread holds is EPERM.  (4) An owner that dies is noticed (EOWNERDEAD); a semaphore's taker is not.
 */
#include "lesson.h"
#include <linux/futex.h>
#include <semaphore.h>

static sem_t *semaphore;			/* in memory shared with children */
static pthread_mutex_t mutex;
static uint32_t pi_word;
static int result;

static void in_a_thread(void *(*fn)(void *))
{
	pthread_t t;

	pok(pthread_create(&t, NULL, fn, NULL));
	pok(pthread_join(t, NULL));
}

static long futex(int op)
{
	return syscall(SYS_futex, &pi_word, op, 0, NULL, NULL, 0) ? errno : 0;
}

static void *post(void *arg)	{ result = sem_post(semaphore); return arg; }
static void *unlock(void *arg)	{ result = pthread_mutex_unlock(&mutex); return arg; }
static void *try(void *arg)	{ result = pthread_mutex_trylock(&mutex); return arg; }
static void *lock_and_die(void *arg) { result = pthread_mutex_lock(&mutex); return arg; }
static void *wait_and_die(void *arg) { result = sem_wait(semaphore); return arg; }
static void *unlock_pi(void *arg) { result = futex(FUTEX_UNLOCK_PI); return arg; }

static const char *is(int error)
{
	return error ? strerrorname_np(error) : "success";
}

static void the_semaphore(void)
{
	pid_t pid;

	semaphore = shared(PAGE);
	ok(sem_init(semaphore, 1, 1));
	ok(sem_wait(semaphore));
	must(sem_trywait(semaphore) == -1 && errno == EAGAIN, "a taken binary semaphore could be taken");
	in_a_thread(post);
	printf("semaphore: taken by main, posted by another thread: %s\n", is(result));
	must(result == 0 && sem_trywait(semaphore) == 0, "the other thread's post did not free it");
	pid = child();
	if (!pid)
		_exit(sem_post(semaphore));
	must(reap(pid) == 0 && sem_trywait(semaphore) == 0, "another process's post did not free it");
	printf("semaphore: taken by main, posted by another process: success\n");
	ok(sem_post(semaphore));
}

static void the_mutex(void)
{
	pthread_mutexattr_t a;

	pok(pthread_mutexattr_init(&a));
	pok(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK));
	pok(pthread_mutex_init(&mutex, &a));
	pok(pthread_mutex_lock(&mutex));
	in_a_thread(unlock);
	printf("mutex:     locked by main, unlocked by another thread: %s\n", is(result));
	must(result == EPERM, "another thread's unlock was not refused");
	in_a_thread(try);
	must(result == EBUSY, "after another's unlock the mutex is free");
	printf("mutex:     and it is still locked (%s)\n", is(result));
	pok(pthread_mutex_unlock(&mutex));
	in_a_thread(try);			/* free now; it ends as the owner of a plain mutex: nobody notices */
	must(result == 0, "the owner's unlock did not free it");
}

static void the_kernel(void)
{
	int e = futex(FUTEX_LOCK_PI);

	if (e == ENOSYS) {
		printf("futex:     this kernel has no PI futexes\n");
		return;
	}
	must(e == 0 && (pi_word & FUTEX_TID_MASK) == (uint32_t)tid_now(), "FUTEX_LOCK_PI: %s", is(e));
	pi_word |= FUTEX_WAITERS;		/* so that nobody may settle it without the kernel */
	in_a_thread(unlock_pi);
	printf("futex:     locked by main, FUTEX_UNLOCK_PI by another thread: %s, from the kernel\n", is(result));
	must(result == EPERM, "the kernel let another thread unlock");
	e = futex(FUTEX_UNLOCK_PI);
	must(e == 0 && !(pi_word & FUTEX_TID_MASK), "the owner's FUTEX_UNLOCK_PI: %s", is(e));
}

static void a_dead_owner(void)
{
	pthread_mutexattr_t a;

	pok(pthread_mutexattr_init(&a));
	pok(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
	pok(pthread_mutex_init(&mutex, &a));
	in_a_thread(lock_and_die);
	must(result == 0, "lock: %s", is(result));
	result = pthread_mutex_lock(&mutex);
	printf("mutex:     its owner ended without unlocking: the next lock says %s\n", is(result));
	must(result == EOWNERDEAD, "a dead owner was not noticed");
	pok(pthread_mutex_consistent(&mutex));
	pok(pthread_mutex_unlock(&mutex));

	in_a_thread(wait_and_die);
	must(sem_trywait(semaphore) == -1 && errno == EAGAIN, "a semaphore noticed that its taker is gone");
	printf("semaphore: its taker ended without posting: it stays taken, it has no owner\n");
}

int main(void)
{
	the_semaphore();
	the_mutex();
	the_kernel();
	a_dead_owner();
	shown();
}
