/*
 * preload_prog.c: plain read, usleep and close from libweft's threads; with libweft-preload.so they stop one thread only.
 *
 * What:  preload_prog [plain]: status 0 when each call stopped its own thread only; with "plain", run without the preload
 *        library in N:1, status 3 says that nobody else ran during the nap.
 * Idea:  a thread that naps until another has run naps in vain when the nap is plain; a plain read of a pipe that another
 *        thread fills would hang for ever.  No clock is asked, so a busy machine changes nothing.
 * See:   src/preload.c; preload_test.sh.
 */
#include <errno.h>
#include <unistd.h>
#include <weft/thread.h>

static int p[2], ran, naps = 50000;

static void *nap(void *a)
{
	for (int i = 0; i < naps && !__atomic_load_n(&ran, __ATOMIC_RELAXED); i++)
		usleep(2000);
	return __atomic_load_n(&ran, __ATOMIC_RELAXED) ? a : NULL;
}
static void *run(void *a) { __atomic_store_n(&ran, 1, __ATOMIC_RELAXED); return a; }
static void *get(void *a) { char c = 0; return read(p[0], &c, 1) == 1 && c == 'z' ? a : NULL; }
static void *put(void *a) { return write(p[1], "z", 1) == 1 ? a : NULL; }

/* Both results must be arg.  The last one spawned runs first. */
static int both(void *(*second)(void *), void *(*first)(void *), void *arg)
{
	void *r1, *r2;
	weft_t t1, t2;

	if (weft_spawn(&t2, NULL, second, arg) || weft_spawn(&t1, NULL, first, arg) || weft_join(t2, &r2) || weft_join(t1, &r1))
		return 0;
	return r1 == arg && r2 == arg;
}

int main(int argc, char **argv)
{
	int n;

	(void)argv;
	if (argc > 1)
		naps = 50;		/* they will be in vain */
	if (weft_init(NULL) || pipe(p))
		return 1;
	if (!both(run, nap, p))
		return 3;
	if (!both(put, get, p))
		return 4;
	return !(close(p[0]) == 0 && read(p[0], &n, 1) == -1 && errno == EBADF);
}
