/*
 * unit_test.c: every call of the interface, on whichever model WEFT_MODEL names; run once for each.
 *
 * What:  small cases of one function each; a case that must end the process runs in a child (in_child).
 * Idea:  the expectations are the same for all three models, since the interface is; what only one model promises (order
 *        by priority, preemption, replacement of blocked workers) asks weft_model() first.
 * Time:  no expectation is shorter than PATIENCE where something may be late: a test machine is a busy machine.
 * Output: a line for each failure, and "N passed, N failed".  unit_test NAME runs one case.
 * See:   sim_test.c for races, model_test.c for properties.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/thread.h>

enum { PATIENCE = 120 };		/* seconds: what is later than this hangs */

static const char *current;
static int failed_checks;

static void check(int ok, int line, const char *what)
{
	if (!ok) {
		__atomic_add_fetch(&failed_checks, 1, __ATOMIC_RELAXED);
		printf("  %s, line %d: %s\n", current, line, what);
	}
}
#define CHECK(c)	check(!!(c), __LINE__, #c)
#define SPAWN(t, f, a)	CHECK(weft_spawn(&(t), NULL, f, (void *)(intptr_t)(a)) == 0)
#define JOIN(t)		CHECK(weft_join(t, NULL) == 0)

static int one_kernel_task(void) { return weft_model() == WEFT_N_1; }

/* Runs this program anew as "NAME" and collects what it writes to stderr; returns its status. */
static int in_child(const char *name, const char *env, char *out, int size)
{
	int p[2], status, n = 0, r;
	pid_t pid;

	CHECK(pipe(p) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 2);
		close(p[0]);
		close(p[1]);
		if (env)
			putenv((char *)env);
		alarm(PATIENCE);
		execl("/proc/self/exe", "unit_test", name, (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	while (n < size - 1 && (r = read(p[0], out + n, size - 1 - n)) > 0)
		n += r;
	out[n] = 0;
	close(p[0]);
	waitpid(pid, &status, 0);
	return status;
}

/* ---- threads ---- */

static void *plus_one(void *a) { return (char *)a + 1; }

static void t_spawn_join(void)
{
	weft_t t[50];
	void *r;

	for (int i = 0; i < 50; i++)
		SPAWN(t[i], plus_one, i);
	for (int i = 0; i < 50; i++)
		CHECK(weft_join(t[i], &r) == 0 && r == (void *)(intptr_t)(i + 1));
	CHECK(weft_join(t[0], NULL) == ESRCH);
	CHECK(weft_join(WEFT_NONE, NULL) == ESRCH);
	CHECK(weft_join(weft_self(), NULL) == EDEADLK);
	CHECK(weft_spawn(&t[0], NULL, NULL, NULL) == EINVAL);
}

static weft_sem done_sem = WEFT_SEM_INIT(0);
static void *post_done(void *a) { weft_sem_post(&done_sem); return a; }

static void t_detach(void)
{
	weft_attr a = { "gone", 0, 4, WEFT_DETACHED };
	weft_t t;

	CHECK(weft_spawn(&t, &a, post_done, NULL) == 0);
	CHECK(weft_sem_wait(&done_sem) == 0);
	SPAWN(t, post_done, 0);
	CHECK(weft_detach(t) == 0);
	CHECK(weft_sem_wait(&done_sem) == 0);
	for (int i = 0, r = 0; i < PATIENCE * 1000 && r != ESRCH; i++) {	/* it has posted, and is on its way out */
		weft_sleep(WEFT_MS(1));
		r = weft_detach(t);
		CHECK(r == ESRCH || r == EINVAL);
	}
	CHECK(weft_detach(t) == ESRCH);
}

#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static void *deep_exit(void *a) { if ((intptr_t)a == 0) weft_exit("bottom"); return deep_exit((void *)((intptr_t)a - 1)); }

static void t_exit(void)
{
	weft_t t;
	void *r;

	SPAWN(t, deep_exit, 10);
	CHECK(weft_join(t, &r) == 0 && !strcmp(r, "bottom"));
}

static void *sleep_long(void *a) { int r = weft_sleep(WEFT_MS(PATIENCE * 1000)); (void)a; return (void *)(intptr_t)r; }

static void t_join_deadline_cancel(void)
{
	weft_t t;
	void *r;

	SPAWN(t, sleep_long, 0);
	CHECK(weft_join_until(t, NULL, weft_after(WEFT_MS(5))) == ETIMEDOUT);
	CHECK(weft_cancel(t) == 0);
	CHECK(weft_join(t, &r) == 0 && (intptr_t)r == ECANCELED);
	CHECK(weft_cancel(t) == ESRCH);
}

static void t_sleep(void)
{
	weft_time_t t = weft_now();

	CHECK(weft_sleep(WEFT_MS(20)) == 0);
	CHECK(weft_now() - t >= WEFT_MS(20) && weft_now() - t < WEFT_MS(PATIENCE * 1000));
	CHECK(weft_after(WEFT_FOREVER) == WEFT_FOREVER);
}

static void t_names(void)
{
	char b[WEFT_NAME_MAX];

	CHECK(weft_set_name(WEFT_NONE, "a name that is far too long for the space") == 0);
	CHECK(weft_get_name(WEFT_NONE, b, sizeof b) == 0 && strlen(b) == WEFT_NAME_MAX - 1);
	CHECK(weft_get_name(WEFT_NONE, b, 3) == ERANGE);
	CHECK(weft_set_name(WEFT_NONE, "main") == 0);
	CHECK(weft_set_priority(WEFT_NONE, 9) == EINVAL && weft_get_priority(WEFT_NONE) == 4);
}

static weft_key_t key;
static int destroyed;
static void key_gone(void *v) { __atomic_add_fetch(&destroyed, (int)(intptr_t)v, __ATOMIC_RELAXED); }
static void *use_key(void *a)
{
	CHECK(weft_getspecific(key) == NULL);
	CHECK(weft_setspecific(key, a) == 0);
	weft_yield();
	CHECK(weft_getspecific(key) == a);
	return NULL;
}

static void t_keys(void)
{
	weft_t a, b;

	destroyed = 0;
	CHECK(weft_key_create(&key, key_gone) == 0);
	SPAWN(a, use_key, 1);
	SPAWN(b, use_key, 2);
	JOIN(a);
	JOIN(b);
	CHECK(destroyed == 3);
	CHECK(weft_key_delete(key) == 0 && weft_key_delete(key) == EINVAL && weft_setspecific(key, NULL) == EINVAL);
}

static char order[64];
static int waiting;
static const int prio[] = { 6, 2, 5 };
static void *note(void *a) { order[strlen(order)] = (char)(intptr_t)a; return NULL; }
static void *note_later(void *a) { waiting++; weft_sem_wait(&done_sem); return note(a); }

static void spawned_with_priorities(weft_t *t)
{
	for (int i = 0; i < 3; i++) {
		weft_attr a = { NULL, 0, prio[i], 0 };

		CHECK(weft_spawn(&t[i], &a, note, (void *)(intptr_t)('0' + prio[i])) == 0);
	}
}

/* Somebody else's priority counts when it is woken the next time. */
static void given_priorities(weft_t *t)
{
	waiting = 0;
	for (int i = 0; i < 3; i++)
		SPAWN(t[i], note_later, '0' + prio[i]);
	while (waiting < 3)
		weft_yield();
	for (int i = 0; i < 3; i++)
		CHECK(weft_set_priority(t[i], prio[i]) == 0 && weft_get_priority(t[i]) == prio[i]);
	for (int i = 0; i < 3; i++)
		weft_sem_post(&done_sem);
}

/* Two tries: every 64th pick takes the lowest priority first, so that it does not starve, but not two so close together. */
static int run_by_priority(void (*start)(weft_t *))
{
	weft_t t[3];

	for (int try = 0; try < 2; try++) {
		memset(order, 0, sizeof order);
		start(t);
		for (int i = 0; i < 3; i++)
			JOIN(t[i]);
		CHECK(weft_set_priority(t[0], 1) == ESRCH);
		if (!strcmp(order, "256"))
			return 1;
	}
	return 0;
}

static void t_priority(void)
{
	if (one_kernel_task()) {
		CHECK(run_by_priority(spawned_with_priorities));
		CHECK(run_by_priority(given_priorities));
	}
}

static void *nice_here(void *a) { (void)a; return (void *)(intptr_t)getpriority(PRIO_PROCESS, 0); }

/* 1:1: the kernel weighs the threads. */
static void t_priority_nice(void)
{
	weft_attr a = { NULL, 0, 6, 0 };
	int base = getpriority(PRIO_PROCESS, 0), lower = base + 10 > 19 ? 19 : base + 10;
	weft_t t;
	void *r;

	if (weft_model() != WEFT_1_1)
		return;
	CHECK(weft_spawn(&t, &a, nice_here, NULL) == 0 && weft_join(t, &r) == 0 && (intptr_t)r == lower);
	SPAWN(t, nice_here, 0);
	CHECK(weft_join(t, &r) == 0 && (intptr_t)r == base);
	SPAWN(t, sleep_long, 0);
	CHECK(weft_set_priority(t, 7) == 0 && weft_get_priority(t) == 7);
	CHECK(weft_cancel(t) == 0);
	JOIN(t);
}

static volatile int starved_ran;
static void *low(void *a) { __atomic_store_n(&starved_ran, 1, __ATOMIC_RELAXED); return a; }
static void *hog(void *a)
{
	weft_time_t end = weft_after(WEFT_MS(PATIENCE * 1000));

	while (!__atomic_load_n(&starved_ran, __ATOMIC_RELAXED) && weft_now() < end)
		weft_yield();
	return a;
}

/* Two urgent threads that never wait; the third gets its turn all the same. */
static void t_no_starvation(void)
{
	weft_attr hi = { NULL, 0, 0, 0 }, lo = { NULL, 0, 7, 0 };
	weft_t t[3];

	starved_ran = 0;
	CHECK(weft_spawn(&t[0], &lo, low, NULL) == 0);
	CHECK(weft_spawn(&t[1], &hi, hog, NULL) == 0);
	CHECK(weft_spawn(&t[2], &hi, hog, NULL) == 0);
	for (int i = 1; i < 3; i++)
		JOIN(t[i]);
	CHECK(__atomic_load_n(&starved_ran, __ATOMIC_RELAXED));
	JOIN(t[0]);
}

static void *recurse(void *a)
{
	volatile char frame[512];

	frame[0] = (char)(intptr_t)a;
	return (intptr_t)a <= 0 ? NULL : (char *)recurse((char *)a - 1) + frame[0] * 0;
}

static void t_big_stack(void)
{
	weft_attr a = { "big", 4 << 20, 4, 0 };
	weft_t t;

	CHECK(weft_spawn(&t, &a, recurse, (void *)4000) == 0);
	JOIN(t);
}

static void overflow(void)
{
	weft_attr a = { "deep-one", 65536, 4, 0 };
	weft_t t;

	weft_spawn(&t, &a, recurse, (void *)100000);
	weft_join(t, NULL);
}

static void t_stack_overflow(void)
{
	char out[4096];
	int status;

	if (weft_model() == WEFT_1_1 || getenv("WEFT_NO_CRASH_TESTS"))
		return;
	status = in_child("child-overflow", NULL, out, sizeof out);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status));	/* AddressSanitizer turns the signal into an exit */
	CHECK(strstr(out, "stack overflow in thread") && strstr(out, "deep-one"));
}

static weft_mutex dm[2] = { WEFT_MUTEX_INIT, WEFT_MUTEX_INIT };
static weft_barrier both_have_one;
static void *cross(void *a)
{
	int i = (int)(intptr_t)a;

	weft_mutex_lock(&dm[i]);
	weft_barrier_wait(&both_have_one);
	weft_mutex_lock(&dm[!i]);
	return NULL;
}

static void dead(void)
{
	weft_attr x = { "philosopher-x", 0, 4, 0 }, y = { "philosopher-y", 0, 4, 0 };
	weft_t a, b;

	weft_barrier_init(&both_have_one, 2);
	weft_spawn(&a, &x, cross, (void *)0);
	weft_spawn(&b, &y, cross, (void *)1);
	weft_join(a, NULL);
}

static void t_deadlock(void)
{
	char out[8192];
	int status;

	if (weft_model() == WEFT_1_1 || getenv("WEFT_NO_CRASH_TESTS"))
		return;		/* there nobody sees that all tasks sleep; t_find_deadlock covers the cycle */
	status = in_child("child-deadlock", NULL, out, sizeof out);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(strstr(out, "deadlock: ") && strstr(out, "\"philosopher-x\" waits for mutex") && strstr(out, "held by"));
}

static void *cross_until(void *a)
{
	int i = (int)(intptr_t)a;

	weft_mutex_lock(&dm[i]);
	weft_barrier_wait(&both_have_one);
	if (!weft_mutex_lock_until(&dm[!i], WEFT_FOREVER))
		weft_mutex_unlock(&dm[!i]);
	weft_mutex_unlock(&dm[i]);
	return NULL;
}

static void t_find_deadlock(void)
{
	char report[1024];
	int i, n = 0;
	weft_t a, b;

	weft_barrier_init(&both_have_one, 2);
	CHECK(weft_find_deadlock(report, sizeof report) == 0);
	SPAWN(a, cross_until, 0);
	SPAWN(b, cross_until, 1);
	for (i = 0; i < PATIENCE * 200 && n == 0; i++) {
		weft_sleep(WEFT_MS(5));
		n = weft_find_deadlock(report, sizeof report);
	}
	CHECK(n == 2 && strstr(report, "held by"));
	weft_cancel(a);		/* and the way out of it: the cycle is broken, b gets its lock */
	JOIN(a);
	JOIN(b);
}

/* ---- primitives: what the simulation does not look at ---- */

static weft_mutex um = WEFT_MUTEX_INIT;
static void *unlock_others(void *a) { CHECK(weft_mutex_unlock(&um) == EPERM); CHECK(weft_mutex_trylock(&um) == EBUSY); return a; }

static void t_mutex_misuse(void)
{
	weft_mutex r = WEFT_RECURSIVE_MUTEX_INIT;
	weft_t t;

	CHECK(weft_mutex_lock(&um) == 0);
	CHECK(weft_mutex_lock(&um) == EDEADLK);
	SPAWN(t, unlock_others, 0);
	JOIN(t);
	CHECK(weft_mutex_destroy(&um) == EBUSY);
	CHECK(weft_mutex_unlock(&um) == 0 && weft_mutex_unlock(&um) == EPERM && weft_mutex_destroy(&um) == 0);
	CHECK(weft_mutex_lock(&r) == 0 && weft_mutex_lock(&r) == 0 && weft_mutex_trylock(&r) == 0);
	CHECK(weft_mutex_unlock(&r) == 0 && weft_mutex_unlock(&r) == 0 && weft_mutex_destroy(&r) == EBUSY);
	CHECK(weft_mutex_unlock(&r) == 0 && weft_mutex_destroy(&r) == 0);
	CHECK(weft_mutex_init(&r, 77) == EINVAL);
}

static long counter;
static void *add_many(void *a)
{
	for (int i = 0; i < 2000; i++) {
		weft_mutex_lock(&um);
		counter++;
		weft_mutex_unlock(&um);
		if (i % 100 == 0)
			weft_yield();
	}
	return a;
}

static void t_mutex_count(void)
{
	weft_t t[8];

	counter = 0;
	for (int i = 0; i < 8; i++)
		SPAWN(t[i], add_many, 0);
	for (int i = 0; i < 8; i++)
		JOIN(t[i]);
	CHECK(counter == 16000);
}

static void t_small_ones(void)
{
	weft_sem b = WEFT_BINARY_SEM_INIT(1);
	weft_rwlock rw = WEFT_RWLOCK_INIT;
	weft_cond c = WEFT_COND_INIT;
	weft_wg w = WEFT_WG_INIT;
	weft_barrier ba;
	long v = 5;
	weft_chan *ch = weft_chan_create(sizeof v, 1);
	struct weft_case cs = { ch, &v, 0, 0 };

	CHECK(weft_sem_post(&b) == EOVERFLOW && weft_sem_trywait(&b) == 0 && weft_sem_trywait(&b) == EAGAIN);
	CHECK(weft_sem_wait_until(&b, weft_after(WEFT_MS(2))) == ETIMEDOUT && weft_sem_init(&b, 3, 2) == EINVAL);
	CHECK(weft_rwlock_tryrdlock(&rw) == 0 && weft_rwlock_trywrlock(&rw) == EBUSY && weft_rwlock_unlock(&rw) == 0);
	CHECK(weft_rwlock_unlock(&rw) == EPERM && weft_rwlock_wrlock(&rw) == 0 && weft_rwlock_rdlock(&rw) == EDEADLK);
	CHECK(weft_rwlock_destroy(&rw) == EBUSY && weft_rwlock_unlock(&rw) == 0 && weft_rwlock_destroy(&rw) == 0);
	CHECK(weft_cond_wait(&c, &um) == EPERM && weft_cond_signal(&c) == 0 && weft_cond_destroy(&c) == 0);
	CHECK(weft_wg_done(&w) == EINVAL && weft_wg_wait(&w) == 0 && weft_barrier_init(&ba, 0) == EINVAL);
	CHECK(weft_barrier_init(&ba, 1) == 0 && weft_barrier_wait(&ba) == WEFT_BARRIER_SERIAL);
	CHECK(weft_chan_trysend(ch, &v) == 0 && weft_chan_trysend(ch, &v) == EAGAIN && weft_chan_len(ch) == 1);
	CHECK(weft_select(&cs, 1, 0) == 0 && cs.result == 0 && v == 5 && weft_select(&cs, 1, 0) == -EAGAIN);
	CHECK(weft_select(&cs, 1, weft_after(WEFT_MS(2))) == -ETIMEDOUT && weft_select(&cs, 0, 0) == -EINVAL);
	CHECK(weft_chan_send(ch, &v) == 0 && weft_chan_close(ch) == 0 && weft_chan_close(ch) == EPIPE);
	CHECK(weft_chan_send(ch, &v) == EPIPE && weft_chan_recv(ch, &v) == 0 && weft_chan_recv(ch, &v) == EPIPE);
	CHECK(weft_chan_free(ch) == 0);
}

static weft_chan *pc;
static void *packed_recv(void *a)
{
	char local[900];
	long v = 0;

	memset(local, (int)(intptr_t)a, sizeof local);
	CHECK(weft_chan_recv(pc, &v) == 0);
	for (size_t i = 0; i < sizeof local; i++)
		if (local[i] != (char)(intptr_t)a)
			return NULL;
	return (void *)v;
}

static void t_packed(void)
{
	weft_attr a = { "packed", 0, 4, WEFT_PACKED };
	weft_t t[20];
	void *r;
	long sum = 0;

	pc = weft_chan_create(sizeof(long), 0);
	for (int i = 0; i < 20; i++)
		CHECK(weft_spawn(&t[i], &a, packed_recv, (void *)(intptr_t)i) == 0);
	weft_sleep(WEFT_MS(10));
	for (long i = 1; i <= 20; i++)
		CHECK(weft_chan_send(pc, &i) == 0);
	for (int i = 0; i < 20; i++) {
		CHECK(weft_join(t[i], &r) == 0 && r);
		sum += (long)r;
	}
	CHECK(sum == 210);
	CHECK(weft_chan_free(pc) == 0);
}

static void *wait_done(void *a) { weft_sem_wait(&done_sem); return a; }

static void t_many(void)
{
	int n = weft_model() == WEFT_1_1 || getenv("WEFT_FEW") ? 200 : 20000;
	weft_t *t = malloc(n * sizeof *t);

	for (int i = 0; i < n; i++)
		SPAWN(t[i], wait_done, i);
	weft_yield();
	for (int i = 0; i < n; i++)
		weft_sem_post(&done_sem);
	for (int i = 0; i < n; i++)
		JOIN(t[i]);
	free(t);
}

/* ---- coroutines ---- */

static void *counting(weft_coro *self, void *first)
{
	long i = (long)first;
	double d = 1.5;

	while (i < 1000) {
		i = (long)weft_coro_yield(self, (void *)(i + 1));
		d *= 1.0;
	}
	return d == 1.5 ? "end" : "wrong";
}

static void *outer(weft_coro *self, void *v)
{
	weft_coro *in = weft_coro_create(counting, 0);

	while ((long)v < 1000)
		v = weft_coro_yield(self, weft_coro_resume(in, v));
	CHECK(weft_coro_free(self) == EBUSY);
	CHECK(weft_coro_free(in) == 0);
	return NULL;
}

static void t_coro(void)
{
	weft_coro *c = weft_coro_create(counting, 0), *o = weft_coro_create(outer, 0);
	long v = 0;

	while (v < 1000)
		v = (long)weft_coro_resume(c, (void *)v);
	CHECK(!weft_coro_done(c));
	CHECK(!strcmp(weft_coro_resume(c, (void *)v), "end") && weft_coro_done(c) && weft_coro_resume(c, NULL) == NULL);
	CHECK(weft_coro_free(c) == 0);
	for (v = 0; v < 1000;)
		v = (long)weft_coro_resume(o, (void *)v);
	weft_coro_resume(o, (void *)v);
	CHECK(weft_coro_done(o) && weft_coro_free(o) == 0);
	for (int i = 0; i < 1000; i++) {		/* stacks come back */
		c = weft_coro_create(counting, 0);
		weft_coro_resume(c, NULL);
		CHECK(weft_coro_free(c) == 0);
	}
}

/* ---- I/O ---- */

static int fds[2];
static void *read_one(void *a) { char c; ssize_t r = weft_read(fds[0], &c, 1); (void)a; return (void *)(intptr_t)(r == 1 ? c : r); }
static volatile int others;
static void *other(void *a) { while (!__atomic_load_n(&others, __ATOMIC_RELAXED)) weft_yield(); return a; }

static void t_pipe(void)
{
	char big[300000], back[4096];
	size_t sum = 0;
	weft_t t, o;
	void *r;

	CHECK(pipe(fds) == 0);
	others = 0;
	SPAWN(t, read_one, 0);
	SPAWN(o, other, 0);
	weft_sleep(WEFT_MS(5));		/* the reader waits, others go on */
	__atomic_store_n(&others, 1, __ATOMIC_RELAXED);
	JOIN(o);
	CHECK(weft_write(fds[1], "x", 1) == 1);
	CHECK(weft_join(t, &r) == 0 && (intptr_t)r == 'x');
	CHECK(weft_read_until(fds[0], back, 1, weft_after(WEFT_MS(5))) == -ETIMEDOUT);
	SPAWN(t, read_one, 0);
	weft_sleep(WEFT_MS(5));
	CHECK(weft_cancel(t) == 0 && weft_join(t, &r) == 0 && (intptr_t)r == -ECANCELED);
	if (fork() == 0) {
		memset(big, 'b', sizeof big);
		for (size_t n = 0; n < sizeof big;)
			n += write(fds[1], big + n, sizeof big - n);
		_exit(0);
	}
	while (sum < sizeof big) {
		ssize_t n = weft_read(fds[0], back, sizeof back);

		CHECK(n > 0);
		if (n <= 0)
			break;
		sum += n;
	}
	CHECK(weft_close(fds[1]) == 0);
	CHECK(weft_read(fds[0], back, 1) == 0);
	CHECK(weft_close(fds[0]) == 0 && weft_read(fds[0], back, 1) == -EBADF);
	CHECK(weft_waitpid(-1, NULL, 0) > 0);
}

static void *writer(void *a)
{
	static char big[1 << 20];

	(void)a;
	memset(big, 'w', sizeof big);
	return (void *)(weft_write(fds[1], big, sizeof big) == sizeof big ? NULL : "short");
}

static void t_pipe_write(void)
{
	char b[10000];
	size_t sum = 0;
	ssize_t n;
	weft_t t;
	void *r;

	CHECK(pipe(fds) == 0);
	SPAWN(t, writer, 0);
	while (sum < 1 << 20 && (n = weft_read(fds[0], b, sizeof b)) > 0)
		sum += n;
	CHECK(sum == 1 << 20);
	CHECK(weft_join(t, &r) == 0 && !r);
	weft_close(fds[0]);
	weft_close(fds[1]);
}

static int listener;
static struct sockaddr_storage where;
static socklen_t where_len;

static void *serve(void *a)
{
	char b[64];
	int c = (int)(intptr_t)a;
	ssize_t n;

	while ((n = weft_recv(c, b, sizeof b, 0)) > 0)
		CHECK(weft_send(c, b, n, 0) == n);
	CHECK(n == 0);
	weft_close(c);
	return NULL;
}

static void *acceptor(void *a)
{
	weft_scope s;

	weft_scope_open(&s, 0, 0);
	for (int i = 0; i < (int)(intptr_t)a; i++) {
		int c = weft_accept(listener, NULL, NULL);

		CHECK(c >= 0);
		CHECK(weft_scope_spawn(&s, NULL, serve, (void *)(intptr_t)c) == 0);
	}
	CHECK(weft_scope_close(&s, NULL) == 0);
	return NULL;
}

static void *client(void *a)
{
	int s = socket(where.ss_family, SOCK_STREAM, 0);
	char b[64], c[64];

	CHECK(weft_connect(s, (struct sockaddr *)&where, where_len) == 0);
	CHECK(!(fcntl(s, F_GETFL) & O_NONBLOCK));
	for (int i = 0; i < 50; i++) {
		int n = snprintf(b, sizeof b, "client %ld message %d", (long)(intptr_t)a, i);

		CHECK(weft_write(s, b, n) == n);
		CHECK(weft_recv(s, c, n, MSG_WAITALL) == n && !memcmp(b, c, n));
	}
	weft_close(s);
	return NULL;
}

/* Ten clients and a thread for each at the server's end (a Unix one has no room for all at once); then nobody listens any more. */
static void t_file(void);
static void echo_server(void)
{
	weft_t acc, t[10];
	int s;

	CHECK(bind(listener, (struct sockaddr *)&where, where_len) == 0 && listen(listener, where.ss_family == AF_UNIX ? 1 : 64) == 0);
	where_len = sizeof where;
	CHECK(getsockname(listener, (struct sockaddr *)&where, &where_len) == 0);
	SPAWN(acc, acceptor, 10);
	for (int i = 0; i < 10; i++)
		SPAWN(t[i], client, i);
	for (int i = 0; i < 10; i++)
		JOIN(t[i]);
	JOIN(acc);
	weft_close(listener);
	s = socket(where.ss_family, SOCK_STREAM, 0);
	CHECK(weft_connect(s, (struct sockaddr *)&where, where_len) == -ECONNREFUSED);
	weft_close(s);
}

static void t_tcp(void)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&where;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 && errno == EAFNOSUPPORT)
		return;		/* a kernel without a network: t_unix does the same */
	memset(&where, 0, sizeof where);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	where_len = sizeof *in;
	echo_server();
}

static void t_unix(void)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&where;

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	memset(&where, 0, sizeof where);
	un->sun_family = AF_UNIX;
	where_len = offsetof(struct sockaddr_un, sun_path) + 1 +	/* an abstract name: leaves nothing behind */
		    snprintf(un->sun_path + 1, sizeof un->sun_path - 1, "weft-unit-%d", getpid());
	echo_server();
}

static void *cancelled_recv(void *a) { char c; return (void *)(intptr_t)weft_recv((int)(intptr_t)a, &c, 1, 0); }
static void *cancelled_accept(void *a) { (void)a; return (void *)(intptr_t)weft_accept(listener, NULL, NULL); }

/* Whatever waits for a descriptor ends at its deadline, and early when the thread is cancelled. */
static void t_io_deadlines(void)
{
	void *(*const waits[])(void *) = { cancelled_recv, cancelled_accept };
	weft_time_t soon = weft_after(WEFT_MS(3));
	struct sockaddr_un un = { AF_UNIX, "" };
	struct iovec v = { &un, 1 };
	char big[4096] = "";
	int pair[2], status;
	pid_t pid;
	ssize_t n;
	weft_t t;
	void *r;

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&un, sizeof un.sun_family) == 0 && listen(listener, 8) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(fds) == 0);
	CHECK(weft_accept_until(listener, NULL, NULL, soon) == -ETIMEDOUT);
	CHECK(weft_recv_until(pair[0], big, 1, 0, soon) == -ETIMEDOUT);
	CHECK(weft_recv_until(pair[0], big, 1, MSG_WAITALL, soon) == -ETIMEDOUT);
	CHECK(weft_readv_until(fds[0], &v, 1, soon) == -ETIMEDOUT);
	while ((n = weft_send_until(pair[0], big, sizeof big, 0, soon)) > 0)
		;
	CHECK(n == -ETIMEDOUT);
	v = (struct iovec){ big, sizeof big };
	while ((n = weft_writev_until(fds[1], &v, 1, soon)) > 0)
		;
	CHECK(n == -ETIMEDOUT);
	for (int i = 0; i < 2; i++) {
		SPAWN(t, waits[i], pair[0]);
		weft_sleep(WEFT_MS(3));
		CHECK(weft_cancel(t) == 0 && weft_join(t, &r) == 0 && (intptr_t)r == -ECANCELED);
	}
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK(weft_waitpid_until(pid, &status, 0, weft_after(WEFT_MS(3))) == -ETIMEDOUT);
	CHECK(weft_waitpid_until(-1, &status, 0, weft_after(WEFT_MS(3))) == -ETIMEDOUT);
	kill(pid, SIGKILL);
	CHECK(weft_waitpid_until(-1, &status, 0, weft_after(WEFT_MS(PATIENCE * 1000))) == pid && WIFSIGNALED(status));
	for (int i = 0; i < 2; i++) {
		weft_close(pair[i]);
		weft_close(fds[i]);
	}
	weft_close(listener);
}

static void *blocked_recv(void *a) { char b[64]; return (void *)(intptr_t)weft_recv((int)(intptr_t)a, b, sizeof b, 0); }
static void *blocked_read(void *a) { char b[64]; return (void *)(intptr_t)weft_read((int)(intptr_t)a, b, sizeof b); }

/* Who waits on a descriptor that another thread closes learns of it, and the other end of the line as well. */
static void t_close_waiting(void)
{
	weft_t t[4];
	int pair[2];
	char c;
	void *r;

	if (weft_model() == WEFT_1_1)
		return;			/* there it is as with close(2) and poll(2) */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(fds) == 0);
	for (int i = 0; i < 2; i++) {
		SPAWN(t[i], blocked_recv, pair[0]);
		SPAWN(t[2 + i], blocked_read, fds[0]);
	}
	weft_sleep(WEFT_MS(5));
	CHECK(weft_close(pair[0]) == 0 && weft_close(fds[0]) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(weft_join(t[i], &r) == 0 && (intptr_t)r == -EBADF);
	CHECK(weft_recv_until(pair[1], &c, 1, 0, weft_after(WEFT_MS(PATIENCE * 1000))) == 0);
	CHECK(weft_close(pair[1]) == 0 && weft_close(fds[1]) == 0);
}

/* A packed thread's stack is away while it waits, its buffer with it. */
static void t_packed_io(void)
{
	weft_attr a = { NULL, 0, 4, WEFT_PACKED };
	int pair[2];
	weft_t t;
	void *r;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(weft_spawn(&t, &a, blocked_recv, (void *)(intptr_t)pair[0]) == 0);
	weft_sleep(WEFT_MS(3));
	CHECK(weft_send(pair[1], "hello", 5, 0) == 5 && weft_join(t, &r) == 0 && (intptr_t)r == 5);
	CHECK(weft_spawn(&t, &a, blocked_recv, (void *)(intptr_t)pair[0]) == 0);
	weft_sleep(WEFT_MS(3));
	CHECK(weft_cancel(t) == 0 && weft_join(t, &r) == 0 && (intptr_t)r == -ECANCELED);
	CHECK(weft_close(pair[0]) == 0 && weft_close(pair[1]) == 0);
}

enum { LINES = 12, BYTES = 300 };
static int line[LINES][2];
static void *dribble(void *a)
{
	int fd = line[(intptr_t)a][1];

	for (int i = 0; i < BYTES; i++) {
		char c = (char)i;

		CHECK(weft_send(fd, &c, 1, 0) == 1);
		if (i % 7 == 0)
			weft_sleep((i % 13) * 5000);
	}
	return NULL;
}

/* Reads with deadlines that pass as the bytes come, and with cancellation under way: none may be lost or come twice. */
static void *impatient(void *a)
{
	int fd = line[(intptr_t)a][0], n = 0;
	char c;

	while (n < BYTES) {
		ssize_t r = weft_recv_until(fd, &c, 1, 0, weft_after((n % 11) * 3000));

		CHECK(r == 1 || r == -ETIMEDOUT);
		if (r != 1 && r != -ETIMEDOUT)
			break;
		if (r == 1)
			CHECK(c == (char)n++);
		else
			weft_yield();		/* a deadline that has passed already lets nobody else run */
	}
	return NULL;
}

static void t_deadline_race(void)
{
	weft_t t[2 * LINES];

	for (int i = 0; i < LINES; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, line[i]) == 0);
		SPAWN(t[i], impatient, i);
		SPAWN(t[LINES + i], dribble, i);
	}
	for (int i = 0; i < 2 * LINES; i++)
		JOIN(t[i]);
	for (int i = 0; i < 2 * LINES; i++)
		weft_close(line[i / 2][i % 2]);
}

/* A kernel without io_uring: asked for all the same, and everything works. */
static void no_ring_body(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { sizeof f / sizeof *f, f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
		_exit(0);		/* a kernel without seccomp */
	if (weft_init(NULL) || !strcmp(weft_io(), "io_uring"))
		_exit(1);
	t_pipe();
	t_unix();
	t_file();
	_exit(failed_checks != 0);
}

static void t_file(void)
{
	char name[] = "/tmp/weft-unit-XXXXXX", b[4096], c[4096];
	int fd = mkstemp(name);
	struct iovec v[2] = { { b, 100 }, { b + 100, 3996 } };

	memset(b, 'f', sizeof b);
	CHECK(weft_pwrite(fd, b, sizeof b, 8192) == sizeof b && weft_fsync(fd) == 0);
	CHECK(weft_pread(fd, c, sizeof c, 8192) == sizeof c && !memcmp(b, c, sizeof b));
	CHECK(weft_pread(fd, c, sizeof c, 0) == sizeof c && c[0] == 0 && weft_pread(fd, c, 1, 1 << 20) == 0);
	CHECK(weft_writev(fd, v, 2) == sizeof b && lseek(fd, 0, SEEK_CUR) == sizeof b && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(weft_read(fd, c, sizeof c) == sizeof c && c[0] == 'f');
	CHECK(weft_close(fd) == 0 && weft_pread(fd, c, 1, 0) == -EBADF);
	unlink(name);
}

static void *ring_bell(void *a) { weft_sleep(WEFT_MS(10)); CHECK(weft_write(fds[1], "!", 1) == 1); return a; }

static void t_poll(void)
{
	struct pollfd p[2];
	weft_t t;
	char c;
	int q[2];

	CHECK(pipe(fds) == 0 && pipe(q) == 0);
	p[0] = (struct pollfd){ q[0], POLLIN, 0 };
	p[1] = (struct pollfd){ fds[0], POLLIN, 0 };
	CHECK(weft_poll(p, 2, 5) == 0);
	SPAWN(t, ring_bell, 0);
	CHECK(weft_poll(p, 2, PATIENCE * 1000) == 1 && p[1].revents == POLLIN);
	CHECK(weft_wait_fd(fds[0], POLLIN, weft_after(WEFT_MS(PATIENCE * 1000))) == 0);
	CHECK(weft_read(fds[0], &c, 1) == 1 && c == '!');
	JOIN(t);
	/* closed behind the library's back, the number used again */
	close(fds[0]);
	close(fds[1]);
	CHECK(pipe(fds) == 0);
	SPAWN(t, ring_bell, 0);
	CHECK(weft_read(fds[0], &c, 1) == 1);
	JOIN(t);
	for (int i = 0; i < 2; i++) {
		weft_close(fds[i]);
		weft_close(q[i]);
	}
}

static void *slow(void *a) { usleep(20000); return (char *)a + 1; }
static void *run_blocking(void *a) { return weft_blocking(slow, a); }

static void t_blocking(void)
{
	struct addrinfo *ai = NULL;
	weft_t t[4];
	void *r;
	pid_t pid;
	int status;

	for (int i = 0; i < 4; i++)
		SPAWN(t[i], run_blocking, i);
	for (int i = 0; i < 4; i++)
		CHECK(weft_join(t[i], &r) == 0 && (intptr_t)r == i + 1);
	CHECK(weft_getaddrinfo("127.0.0.1", "80", NULL, &ai) == 0 && ai);
	freeaddrinfo(ai);
	pid = fork();
	if (pid == 0) {
		usleep(10000);
		_exit(7);
	}
	CHECK(weft_waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	CHECK(weft_waitpid(pid, &status, 0) == -ECHILD);
}

static int bell[2];
static volatile long disposed;
static volatile int answering;
static void *answer(void *a)
{
	char c;

	__atomic_store_n(&answering, 1, __ATOMIC_RELEASE);
	(void)!read(bell[0], &c, 1);		/* plain read: stops its kernel thread */
	return a;
}
static void dispose(void *r) { __atomic_store_n(&disposed, (long)(intptr_t)r, __ATOMIC_RELEASE); }
static void *cancelled_call(void *a) { (void)a; return (void *)(intptr_t)weft_blocking_until(answer, (void *)2, NULL, dispose, WEFT_FOREVER); }
static void *cancelled_wait(void *a) { (void)a; return (void *)(intptr_t)weft_waitpid(-1, NULL, 0); }

static void disposes_of(long r)
{
	CHECK(write(bell[1], "!", 1) == 1);
	for (int i = 0; i < PATIENCE * 1000 && __atomic_load_n(&disposed, __ATOMIC_ACQUIRE) != r; i++)
		weft_sleep(WEFT_MS(1));
	CHECK(__atomic_load_n(&disposed, __ATOMIC_ACQUIRE) == r);
}

/* Calls on helper threads end at a deadline and when the thread is cancelled, and clean up behind their callers. */
static void t_blocking_until(void)
{
	struct addrinfo *ai = NULL;
	pid_t pid;
	weft_t t;
	void *r;
	int e;

	CHECK(pipe(bell) == 0);
	CHECK(weft_blocking_until(plus_one, (void *)1, &r, dispose, WEFT_FOREVER) == 0 && r == (void *)2);
	CHECK(weft_blocking_until(plus_one, (void *)2, &r, NULL, weft_after(WEFT_MS(PATIENCE * 1000))) == 0 && r == (void *)3);
	CHECK(weft_blocking_until(answer, (void *)1, &r, dispose, weft_after(WEFT_MS(5))) == ETIMEDOUT && disposed == 0);
	disposes_of(1);
	__atomic_store_n(&answering, 0, __ATOMIC_RELEASE);
	SPAWN(t, cancelled_call, 0);
	while (!__atomic_load_n(&answering, __ATOMIC_ACQUIRE))
		weft_sleep(WEFT_MS(1));
	CHECK(weft_cancel(t) == 0 && weft_join(t, &r) == 0 && (intptr_t)r == ECANCELED);
	disposes_of(2);
	e = weft_getaddrinfo_until("127.0.0.1", "80", NULL, &ai, weft_now());
	CHECK(e == -ETIMEDOUT || e == 0);	/* it may be faster than the clock */
	if (e == 0)
		freeaddrinfo(ai);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	SPAWN(t, cancelled_wait, 0);
	weft_sleep(WEFT_MS(3));
	CHECK(weft_cancel(t) == 0 && weft_join(t, &r) == 0 && (intptr_t)r == -ECANCELED);
	kill(pid, SIGKILL);
	CHECK(weft_waitpid(-1, NULL, 0) == pid && weft_waitpid(-1, NULL, 0) == -ECHILD);
	close(bell[0]);
	close(bell[1]);
}

static void *cancelled_already(void *a)
{
	struct addrinfo *ai;
	int fd = (int)(intptr_t)a;
	void *r;

	CHECK(weft_cancel(weft_self()) == 0);
	CHECK(weft_getaddrinfo("127.0.0.1", "80", NULL, &ai) == -ECANCELED);
	CHECK(weft_blocking_until(plus_one, NULL, &r, NULL, WEFT_FOREVER) == ECANCELED);
	CHECK(weft_fsync(fd) == -ECANCELED && weft_pwrite(fd, "x", 1, 0) == -ECANCELED);
	return NULL;
}

static void t_file_deadlines(void)
{
	char name[] = "/tmp/weft-unit-XXXXXX", b[4096] = "y", c[4096];
	int fd = mkstemp(name);
	struct iovec v = { b, sizeof b };
	weft_time_t later = weft_after(WEFT_MS(PATIENCE * 1000));
	weft_t t;

	CHECK(weft_pwrite_until(fd, b, sizeof b, 0, 1) == -ETIMEDOUT && weft_fsync_until(fd, 1) == -ETIMEDOUT);
	CHECK(lseek(fd, 0, SEEK_END) == 0);
	CHECK(weft_pwrite_until(fd, b, sizeof b, 100, later) == sizeof b && weft_fsync_until(fd, later) == 0);
	CHECK(weft_pread_until(fd, c, sizeof c, 100, later) == sizeof c && !memcmp(b, c, sizeof b));
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && weft_writev_until(fd, &v, 1, later) == sizeof b && lseek(fd, 0, SEEK_CUR) == sizeof b);
	CHECK(weft_read_until(fd, c, sizeof c, later) == 100 && weft_read_until(fd, c, sizeof c, later) == 0);
	SPAWN(t, cancelled_already, fd);
	JOIN(t);
	weft_close(fd);
	unlink(name);
}

/* ---- a worker that is stuck or computes ---- */

static volatile int released;
static void *stuck_reader(void *a) { char c; (void)a; return (void *)read(fds[0], &c, 1); }	/* plain read: not jacketed */
static void *releaser(void *a) { released = 1; CHECK(write(fds[1], "x", 1) == 1); return a; }

static void stuck_body(void)
{
	struct weft_config c = { .model = WEFT_M_N, .workers = 1 };
	weft_t a, b;
	struct weft_stats s;

	unsetenv("WEFT_MODEL");
	unsetenv("WEFT_WORKERS");
	if (pipe(fds) || weft_init(&c))
		_exit(1);
	weft_spawn(&b, NULL, releaser, NULL);
	weft_spawn(&a, NULL, stuck_reader, NULL);	/* last in first out: runs first, and blocks the only worker */
	weft_join(a, NULL);
	weft_join(b, NULL);
	weft_get_stats(&s);
	_exit(released && s.replaced >= 1 ? 0 : 2);
}

static void *compute(void *a) { while (!released) ; return a; }
static void *set_released(void *a) { released = 1; return a; }

/* Refused, as documented, where the library's code cannot be told from the program's: sanitizer builds, static ones. */
static int no_preemption(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 1;
#else
	return getauxval(AT_BASE) == 0;		/* the kernel loaded no dynamic linker */
#endif
}

static void preempt_body(void)
{
	struct weft_config c = { .model = getenv("PREEMPT_M_N") ? WEFT_M_N : WEFT_N_1, .workers = 1, .preempt_us = 2000 };
	weft_t a, b;
	struct weft_stats s = { 0 };
	int r, i;

	unsetenv("WEFT_MODEL");
	unsetenv("WEFT_WORKERS");
	if ((r = weft_init(&c)))
		_exit(r != ENOTSUP || !no_preemption());
	/* Once more when b got another way to run: a worker whose page fault waits for the disk is replaced. */
	for (i = 0; i < 100 && !s.preemptions; i++) {
		released = 0;
		weft_spawn(&b, NULL, set_released, NULL);
		weft_spawn(&a, NULL, compute, NULL);
		weft_join(a, NULL);
		weft_join(b, NULL);
		weft_get_stats(&s);
	}
	_exit(s.preemptions ? 0 : 2);
}

static void exits_0(const char *name, const char *env)
{
	char out[4096];
	int status = in_child(name, env, out, sizeof out);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (status)
		printf("  %s: wait status %#x\n", name, status);
	if (failed_checks && out[0])
		printf("  %s said: %s", name, out);
}

static void t_no_ring(void)
{
	if (!getenv("WEFT_NO_CRASH_TESTS"))
		exits_0("child-no-ring", "WEFT_IO=io_uring");
}

static void t_stuck_worker(void)
{
	if (!getenv("WEFT_NO_CRASH_TESTS"))
		exits_0("child-stuck", NULL);
}

static void t_preempt(void)
{
	if (getenv("WEFT_NO_CRASH_TESTS"))
		return;
	exits_0("child-preempt", NULL);
	exits_0("child-preempt", "PREEMPT_M_N=1");
}

/* ---- seeing ---- */

/* What weft_dump writes, in b. */
static void read_dump(char *b, int size)
{
	int p[2], n = 0, r;

	CHECK(pipe(p) == 0);
	weft_dump(p[1]);
	close(p[1]);
	while ((r = read(p[0], b + n, size - 1 - n)) > 0)
		n += r;
	b[n] = 0;
	close(p[0]);
}

static void t_dump(void)
{
	weft_attr a = { "sleeper-in-dump", 0, 4, 0 };
	static char b[65536];
	weft_t t;

	CHECK(weft_spawn(&t, &a, sleep_long, NULL) == 0);
	for (int i = 0; i < PATIENCE * 100 && !strstr(b, "waits for sleep"); i++) {
		weft_sleep(WEFT_MS(10));
		read_dump(b, sizeof b);
	}
	CHECK(strstr(b, "\"sleeper-in-dump\"") && strstr(b, "waits for sleep") && strstr(b, "weft: model"));
	weft_cancel(t);
	JOIN(t);
}

static void dump_body(void)
{
	weft_attr a = { "seen-by-signal", 0, 4, 0 };
	weft_mutex mine = WEFT_MUTEX_INIT;
	weft_t t;

	weft_spawn(&t, &a, sleep_long, NULL);
	weft_sleep(WEFT_MS(10));
	raise(SIGQUIT);
	weft_mutex_unlock(&mine);	/* with WEFT_DEBUG this says so */
	_exit(0);
}

static void t_signal_and_misuse(void)
{
	char out[16384];
	int status;

	if (getenv("WEFT_NO_CRASH_TESTS"))
		return;
	putenv("WEFT_DEBUG=1");
	status = in_child("child-dump", "WEFT_DUMP=1", out, sizeof out);
	unsetenv("WEFT_DEBUG");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(strstr(out, "seen-by-signal") && strstr(out, "misuse: weft_mutex_unlock by a thread that is not the owner"));
}

static const struct { const char *name; void (*fn)(void); } test[] = {
#define T(n) { #n, t_##n }
	T(coro), T(spawn_join), T(detach), T(exit), T(join_deadline_cancel), T(sleep), T(names), T(keys), T(priority), T(priority_nice),
	T(no_starvation), T(big_stack), T(mutex_misuse), T(mutex_count), T(small_ones), T(packed), T(many), T(pipe), T(pipe_write),
	T(tcp), T(unix), T(io_deadlines), T(close_waiting), T(packed_io), T(deadline_race), T(no_ring), T(file), T(file_deadlines), T(poll), T(blocking), T(blocking_until), T(find_deadlock), T(dump), T(stack_overflow), T(deadlock), T(stuck_worker), T(preempt), T(signal_and_misuse),
};

int main(int argc, char **argv)
{
	size_t i;
	int passed = 0, failed = 0, before;

	if (argc > 1 && !strcmp(argv[1], "child-stuck"))
		stuck_body();
	if (argc > 1 && !strcmp(argv[1], "child-preempt"))
		preempt_body();
	if (argc > 1 && !strcmp(argv[1], "child-overflow"))
		overflow();
	if (argc > 1 && !strcmp(argv[1], "child-deadlock"))
		dead();
	if (argc > 1 && !strcmp(argv[1], "child-dump"))
		dump_body();
	if (argc > 1 && !strcmp(argv[1], "child-no-ring"))
		no_ring_body();
	setlinebuf(stdout);
	signal(SIGPIPE, SIG_IGN);
	alarm(10 * PATIENCE);
	if (weft_init(NULL)) {
		printf("weft_init failed\n0 passed, 1 failed\n");
		return 1;
	}
	if (getenv("V"))
		printf("waits by %s\n", weft_io());
	for (i = 0; i < sizeof test / sizeof *test; i++) {
		if (argc > 1 && strcmp(argv[1], test[i].name))
			continue;
		before = failed_checks;
		current = test[i].name;
		if (getenv("V"))
			printf("%s\n", current);
		test[i].fn();
		if (failed_checks == before)
			passed++;
		else
			failed++;
	}
	CHECK(weft_fini() == 0);
	printf("%d passed, %d failed\n", passed, failed + (failed_checks && !failed));
	return failed_checks != 0;
}
