/*
 * reentrancy: a function that is entered again before it has finished.
 *
 * Seeds:  003 "reentrant and thread-safe": a function is re-entered because several threads run it, or because it calls itself;
 *         it is reentrant if it uses no static or global variables, returns no pointer to them, depends on its arguments alone,
 *         on no lock of a single resource, and calls no function that is not reentrant.  sqr(x) is one.
 * Expect: text() with a static buffer loses its result when another thread, it itself (through a level between) or a signal
 *         handler enters it; text_r(), which gets its buffer from the caller, and sqr() do not.  A function that takes a lock is
 *         thread-safe, and yet not reentrant: it meets itself (EDEADLK).  strtok() and strtok_r() of the C library likewise.
 *         All interleavings are forced: nothing is left to luck.
 */
#include "lesson.h"
#include <semaphore.h>

static int sqr(int x)
{
	return x * x;
}

/* Not reentrant: a static variable, and a pointer to it. */
static char *text(int n)
{
	static char buf[32];

	snprintf(buf, sizeof(buf), "number %d", n);
	return buf;
}

/* Reentrant. */
static char *text_r(int n, char *buf, size_t size)
{
	snprintf(buf, size, "number %d", n);
	return buf;
}

static void compare(const char *how, const char *bad, const char *good)
{
	printf("%s asked for \"number 1\": text() gave \"%s\", text_r() \"%s\"\n", how, bad, good);
	must(strcmp(bad, "number 1"), "text() was not disturbed");
	must(!strcmp(good, "number 1"), "text_r() was disturbed");
}

/* ---- several threads ---- */

static void *another_thread(void *arg)
{
	char own[32];

	text(2);
	text_r(2, own, sizeof(own));
	return arg;
}

static void threads(void)
{
	char own[32], *bad = text(1), *good = text_r(1, own, sizeof(own));
	pthread_t t;

	pok(pthread_create(&t, NULL, another_thread, NULL));	/* enters before we have used our result */
	pok(pthread_join(t, NULL));
	compare("another thread came: ", bad, good);
}

/* ---- itself ---- */

static void countdown(int n, char **bad, char **good, char buf[][32])
{
	*bad = text(n);
	*good = text_r(n, buf[n], 32);
	if (n < 3) {
		char *b, *g;

		countdown(n + 1, &b, &g, buf);
	}
}

static void itself(void)
{
	char buf[4][32], *bad, *good;

	countdown(1, &bad, &good, buf);
	compare("it called itself:    ", bad, good);
}

/* ---- a signal handler ---- */

static void handler(int sig)
{
	char own[32];

	(void)sig;
	text(3);				/* not allowed, and here one sees why */
	text_r(3, own, sizeof(own));
}

static void by_a_signal(void)
{
	char own[32], *bad = text(1), *good = text_r(1, own, sizeof(own));

	signal(SIGUSR1, handler);
	ok(raise(SIGUSR1));
	compare("a signal interrupted:", bad, good);
}

/* ---- a lock: thread-safe, but not reentrant ---- */

static pthread_mutex_t mutex;

static int locked_sum(int n)
{
	int e = pthread_mutex_lock(&mutex), sum;

	if (e)
		return -e;
	sum = n ? locked_sum(n - 1) : 0;
	pthread_mutex_unlock(&mutex);
	return sum < 0 ? sum : sum + n;
}

static void with_a_lock(void)
{
	pthread_mutexattr_t a;
	int sum;

	pok(pthread_mutexattr_init(&a));
	pok(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK));	/* says so, instead of waiting for itself for ever */
	pok(pthread_mutex_init(&mutex, &a));
	sum = locked_sum(2);
	printf("a function that locks and calls itself: %s\n", sum < 0 ? strerrorname_np(-sum) : "went well");
	must(sum == -EDEADLK, "it did not meet itself");
}

/* ---- the C library's own pair ---- */

static int words(char *line, bool reentrant)
{
	int n = 0;
	char *save, *save2;

	for (char *w = reentrant ? strtok_r(line, " ", &save) : strtok(line, " "); w;
	     w = reentrant ? strtok_r(NULL, " ", &save) : strtok(NULL, " ")) {
		if (reentrant)
			strtok_r(w, "-", &save2);
		else
			strtok(w, "-");		/* forgets the line */
		n++;
	}
	return n;
}

static void the_c_library(void)
{
	char a[] = "one-1 two-2 three-3", b[] = "one-1 two-2 three-3";
	int bad = words(a, false), good = words(b, true);

	printf("words of a line, each split again: strtok() finds %d, strtok_r() %d\n", bad, good);
	must(bad != 3 && good == 3, "strtok() was not disturbed, or strtok_r() was");
}

int main(void)
{
	threads();
	itself();
	by_a_signal();
	with_a_lock();
	the_c_library();
	must(sqr(sqr(3)) == 81, "sqr");
	shown();
}
