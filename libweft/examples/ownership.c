/*
 * ownership.c: binary semaphore against mutex, and reentrancy, as seed 003 tells them apart.
 *
 * What:  one thread takes and another gives: allowed for the semaphore, refused (EPERM) for the mutex.  A function that
 *        calls itself under a plain mutex is told EDEADLK; under a recursive one it works.
 * Lesson: a semaphore counts, a mutex belongs to somebody; being safe for threads is not yet being reentrant.
 * See:   seed 003 "synchronisation and locks", "reentrant".
 */
#include <errno.h>
#include <stdio.h>
#include <weft/thread.h>

static weft_sem s = WEFT_BINARY_SEM_INIT(1);
static weft_mutex plain = WEFT_MUTEX_INIT, recursive = WEFT_RECURSIVE_MUTEX_INIT;
static int sem_given, mutex_given;

static void *giver(void *a)
{
	sem_given = weft_sem_post(&s);
	mutex_given = weft_mutex_unlock(&plain);
	return a;
}

static int factorial(weft_mutex *m, int n, int *error)
{
	int r;

	if ((*error = weft_mutex_lock(m)))
		return 0;
	r = n <= 1 ? 1 : n * factorial(m, n - 1, error);
	weft_mutex_unlock(m);
	return r;
}

int main(void)
{
	int e1, e2, f;
	weft_t t;

	weft_sem_wait(&s);
	weft_mutex_lock(&plain);
	weft_spawn(&t, NULL, giver, NULL);
	weft_join(t, NULL);
	weft_mutex_unlock(&plain);
	printf("another thread gives the semaphore: %s; unlocks the mutex: %s\n", sem_given ? "refused" : "allowed",
	       mutex_given == EPERM ? "refused, EPERM" : "allowed?");
	factorial(&plain, 5, &e1);
	f = factorial(&recursive, 5, &e2);
	printf("5! under a plain mutex: %s; under a recursive one: %d\n", e1 == EDEADLK ? "EDEADLK" : "?", f);
	return sem_given || mutex_given != EPERM || e1 != EDEADLK || e2 || f != 120;
}
