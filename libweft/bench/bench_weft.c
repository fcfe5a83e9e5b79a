/*
 * bench_weft.c: what libweft costs, one number a line: "row<TAB>value".
 *
 * What:  bench_weft [tree [WORKERS] | memory [packed]]: without an argument the small operations, on the model in WEFT_MODEL.
 * Idea:  the same rows as the peers' programs in this folder, so that run.py can put them side by side in one run.
 * Rows:  nanoseconds for one switch, one create with its join, one hand-over (half a round trip).
 * See:   run.py, RESULT.md.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/thread.h>

static void row(const char *name, weft_time_t t, long n) { printf("%s\t%.2f\n", name, (double)t / n); }
static void *echo(weft_coro *self, void *v) { for (;;) v = weft_coro_yield(self, v); }
static long yields, started;
static void count_start(void) { __atomic_add_fetch(&started, 1, __ATOMIC_RELAXED); }
static void *yielder(void *a) { count_start(); for (long i = 0; i < yields; i++) weft_yield(); return a; }
static void *nothing(void *a) { return a; }
static weft_chan *c1, *c2;
static weft_mutex m = WEFT_MUTEX_INIT;
static weft_cond cond = WEFT_COND_INIT;
static int turn;

static void *chan_pong(void *a) { long v; for (long i = 0; i < (long)a; i++) { weft_chan_recv(c1, &v); weft_chan_send(c2, &v); } return a; }
static void *hand_over(void *a) { for (long i = 0; i < (long)a; i++) { weft_mutex_lock(&m); weft_yield(); weft_mutex_unlock(&m); } return a; }

static void *cond_side(void *a)
{
	long n = (long)a >> 1;
	int me = (long)a & 1;

	weft_mutex_lock(&m);
	for (long i = 0; i < n; i++) {
		while (turn != me)
			weft_cond_wait(&cond, &m);
		turn = !me;
		weft_cond_signal(&cond);
	}
	weft_mutex_unlock(&m);
	return NULL;
}

static weft_time_t two(void *(*f)(void *), void *a, void *b)
{
	weft_time_t t = weft_now();
	weft_t x, y;

	weft_spawn(&x, NULL, f, a);
	weft_spawn(&y, NULL, f, b);
	weft_join(x, NULL);
	weft_join(y, NULL);
	return weft_now() - t;
}

static void yield_among(long threads, const char *name)
{
	weft_t *h = malloc(threads * sizeof *h);
	weft_time_t t;
	long i;

	yields = threads >= 1000000 ? 6 : threads >= 10000 ? 200 : 400000;
	started = 0;
	for (i = 0; i < threads; i++)
		if (weft_spawn(&h[i], NULL, yielder, NULL))
			exit(1);
	while (__atomic_load_n(&started, __ATOMIC_RELAXED) < threads)	/* every stack has been touched */
		weft_yield();
	t = weft_now();
	for (i = 0; i < threads; i++)
		weft_join(h[i], NULL);
	row(name, weft_now() - t, threads * yields);
	free(h);
}

static weft_chan *gate;
static void *parked(void *a) { long v; count_start(); weft_chan_recv(gate, &v); return a; }

static void create_join(long n, const char *name)
{
	weft_time_t t = weft_now();
	weft_t h;

	for (long i = 0; i < n; i++) {
		weft_spawn(&h, NULL, nothing, NULL);
		weft_join(h, NULL);
	}
	row(name, weft_now() - t, n);
}

/* Create and join while so many others live. */
static void create_among(long threads, const char *name)
{
	weft_t *h = malloc(threads * sizeof *h);
	long i;

	gate = weft_chan_create(sizeof i, 0);
	for (i = started = 0; i < threads; i++)
		if (weft_spawn(&h[i], NULL, parked, NULL))
			exit(1);
	while (__atomic_load_n(&started, __ATOMIC_RELAXED) < threads)
		weft_yield();
	create_join(300000, name);
	weft_chan_close(gate);
	for (i = 0; i < threads; i++)
		weft_join(h[i], NULL);
	free(h);
}

static void small(void)
{
	int kernel = weft_model() == WEFT_1_1;
	long n = kernel ? 20000 : 3000000, i, v = 0;
	weft_coro *co = weft_coro_create(echo, 0);
	weft_time_t t = weft_now();
	weft_t h;

	for (i = 0; i < 5000000; i++)
		weft_coro_resume(co, (void *)i);
	row("coroutine", weft_now() - t, 2 * 5000000);
	yields = n;
	row("yield", two(yielder, NULL, NULL), 2 * n);
	create_join(n / 3, "create");
	c1 = weft_chan_create(8, 0);
	c2 = weft_chan_create(8, 0);
	t = weft_now();
	weft_spawn(&h, NULL, chan_pong, (void *)(n / 3));
	for (i = 0; i < n / 3; i++) {
		weft_chan_send(c1, &v);
		weft_chan_recv(c2, &v);
	}
	weft_join(h, NULL);
	row("channel", weft_now() - t, 2 * (n / 3));
	row("mutex", two(hand_over, (void *)(n / 3), (void *)(n / 3)), 2 * (n / 3));
	row("cond", two(cond_side, (void *)(n / 3 * 2), (void *)(n / 3 * 2 + 1)), 2 * (n / 3));
	if (!kernel) {
		yield_among(10, "yield10");
		yield_among(10000, "yield10k");
		yield_among(1000000, "yield1M");
		create_among(10, "create10");
		create_among(10000, "create10k");
		create_among(1000000, "create1M");
	}
}

static int fib_plain(int n) { return n < 2 ? n : fib_plain(n - 1) + fib_plain(n - 2); }
static void *fib(void *a)
{
	long n = (long)a;
	void *r;
	weft_t h;

	if (n < 12)
		return (void *)(long)fib_plain(n);
	if (weft_spawn(&h, NULL, fib, (void *)(n - 1)))
		exit(1);
	n = (long)fib((void *)(n - 2));
	weft_join(h, &r);
	return (void *)(n + (long)r);
}

static void *tree(void *a)
{
	weft_time_t best = WEFT_FOREVER;

	for (int i = 0; i < 40; i++) {
		weft_time_t t = weft_now();

		if ((long)fib((void *)32) != 2178309)
			exit(1);
		t = weft_now() - t;
		if (t < best)
			best = t;
	}
	row("tree_ms", best, 1000000);
	return a;
}

static long resident(void)
{
	char line[256];
	long kb = 0, pt = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof line, f)) {
		sscanf(line, "VmRSS: %ld", &kb);
		sscanf(line, "VmPTE: %ld", &pt);
	}
	fclose(f);
	return kb + (getenv("WITH_PTE") ? pt : 0);
}

static void memory(unsigned int flags)
{
	weft_attr a = { NULL, 0, 4, flags };
	long n = 1000000, before, i;
	weft_t h;

	gate = weft_chan_create(8, 0);
	before = resident();
	for (i = 0; i < n; i++) {
		if (weft_spawn(&h, &a, parked, NULL))
			exit(1);
		while (__atomic_load_n(&started, __ATOMIC_RELAXED) < i - 1000)
			weft_yield();
	}
	while (__atomic_load_n(&started, __ATOMIC_RELAXED) < n)
		weft_yield();
	row("parked_bytes", (resident() - before) * 1024, n);
	setenv("WITH_PTE", "1", 1);
	row("parked_bytes_with_page_tables", (resident() - before) * 1024, n);
}

int main(int argc, char **argv)
{
	weft_t h;

	weft_init(NULL);
	if (argc > 1 && !strcmp(argv[1], "tree")) {
		weft_spawn(&h, NULL, tree, NULL);
		weft_join(h, NULL);
	} else if (argc > 1) {
		memory(argc > 2 ? WEFT_PACKED : 0);
		fflush(stdout);
		_exit(0);
	} else {
		small();
	}
	return 0;
}
