/*
 * sim_test.c: lost wake-ups and cancellation races, on the simulated machine.
 *
 * What:  sim_test [FIRST [COUNT]] runs COUNT schedules from seed FIRST.  The seed chooses model, number of workers, the
 *        scenario, its sizes, deadlines and cancellations, and each interleaving step.
 * Idea:  every scenario ends with a conservation law that a lost, doubled or misdirected wake-up breaks: tokens posted =
 *        tokens taken + tokens left, messages sent = received, never two owners, nobody left waiting.
 * Output: one line "sim: N schedules, ... switches" and "1 passed, 0 failed"; a failure prints its seed.
 * See:   sim.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"

enum { MAX_T = 5, NSCEN = 13 };

static int nt;			/* threads in this schedule */
static weft_t th[MAX_T];

static weft_time_t some_deadline(void)
{
	return sim_random(2) ? WEFT_FOREVER : weft_after(sim_random(60000));
}

static int expected(int r)
{
	return r == 0 || r == ETIMEDOUT || r == ECANCELED;
}

static void start(void *(*fn)(void *))
{
	int i;

	nt = 2 + sim_random(MAX_T - 1);
	for (i = 0; i < nt; i++) {
		weft_attr a = WEFT_ATTR_INIT;

		a.flags = sim_random(4) ? 0 : WEFT_PINNED;
		a.priority = sim_random(NLEVELS);
		CHECK(weft_spawn(&th[i], &a, fn, (void *)(intptr_t)i) == 0);
	}
}

static void cancel_some(void)
{
	for (int n = sim_random(3); n > 0; n--) {
		if (sim_random(2))
			weft_yield();
		weft_cancel(th[sim_random(nt)]);
	}
}

static void join_all(void)
{
	for (int i = 0; i < nt; i++)
		CHECK(weft_join(th[i], NULL) == 0);
}

/* ---- mutex ---- */
static weft_mutex mu;
static int inside, got, shared;

static void *mutex_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++) {
		int r = sim_random(2) ? weft_mutex_lock(&mu) : weft_mutex_lock_until(&mu, some_deadline());

		CHECK(expected(r));
		if (r)
			continue;
		CHECK(inside++ == 0);
		got++;
		shared++;
		if (sim_random(3) == 0)
			weft_yield();
		CHECK(--inside == 0);
		CHECK(weft_mutex_unlock(&mu) == 0);
	}
	return NULL;
}

static void scen_mutex(void)
{
	weft_mutex_init(&mu, sim_random(2) ? WEFT_RECURSIVE : 0);
	inside = got = shared = 0;
	start(mutex_thread);
	cancel_some();
	join_all();
	CHECK(got == shared);
	CHECK(weft_mutex_destroy(&mu) == 0);
}

/* ---- semaphore ---- */
static weft_sem se;
static int posted, taken;

static void *sem_thread(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 4; i++) {
		if (me & 1) {
			CHECK(weft_sem_post(&se) == 0);
			__atomic_add_fetch(&posted, 1, __ATOMIC_RELAXED);
		} else {
			int r = weft_sem_wait_until(&se, weft_after(sim_random(80000)));

			CHECK(expected(r));
			if (!r)
				__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void scen_sem(void)
{
	posted = taken = 0;
	weft_sem_init(&se, 0, 0);
	start(sem_thread);
	cancel_some();
	join_all();
	CHECK(posted == taken + (int)weft_sem_value(&se));
	CHECK(weft_sem_destroy(&se) == 0);
}

/* Waits without deadline that must all end: n tokens for n takers. */
static void *sem_taker(void *arg)
{
	(void)arg;
	CHECK(weft_sem_wait(&se) == 0);
	return NULL;
}

static void scen_sem_exact(void)
{
	weft_sem_init(&se, 0, 0);
	start(sem_taker);
	for (int i = 0; i < nt; i++)
		CHECK(weft_sem_post(&se) == 0);
	join_all();
	CHECK(weft_sem_value(&se) == 0);
}

/* ---- condition variable: a buffer of one ---- */
static weft_cond not_empty, not_full;
static int full, produced, consumed, closing;

static void *cond_thread(void *arg)
{
	int me = (int)(intptr_t)arg, r;

	for (int i = 0; i < 3; i++) {
		weft_mutex_lock(&mu);
		r = 0;
		if (me == 0) {
			while (full)
				CHECK(expected(weft_cond_wait(&not_full, &mu)) || closing);
			full = 1;
			produced++;
			if (sim_random(2))
				weft_cond_signal(&not_empty);
			else
				weft_cond_broadcast(&not_empty);
		} else {
			while (!full && !r && !closing)
				r = weft_cond_wait_until(&not_empty, &mu, some_deadline());
			CHECK(expected(r));
			if (full) {
				full = 0;
				consumed++;
				weft_cond_signal(&not_full);
			}
		}
		CHECK(mu.owner == this_thread());
		weft_mutex_unlock(&mu);
	}
	return NULL;
}

static void *cond_drain(void *arg)
{
	(void)arg;
	weft_mutex_lock(&mu);
	for (;;) {
		while (!full && !closing)
			weft_cond_wait(&not_empty, &mu);
		if (!full)
			break;
		full = 0;
		consumed++;
		weft_cond_signal(&not_full);
	}
	weft_mutex_unlock(&mu);
	return NULL;
}

static void scen_cond(void)
{
	weft_t drain;

	weft_mutex_init(&mu, 0);
	weft_cond_init(&not_empty);
	weft_cond_init(&not_full);
	full = produced = consumed = closing = 0;
	CHECK(weft_spawn(&drain, NULL, cond_drain, NULL) == 0);
	start(cond_thread);
	CHECK(weft_join(th[0], NULL) == 0);
	weft_mutex_lock(&mu);
	closing = 1;
	weft_cond_broadcast(&not_empty);
	weft_mutex_unlock(&mu);
	for (int i = 1; i < nt; i++)
		CHECK(weft_join(th[i], NULL) == 0);
	CHECK(weft_join(drain, NULL) == 0);
	CHECK(produced == 3 && consumed == produced - full);
}

/* ---- channels ---- */
static weft_chan *ch[2];
static long sent_sum, recv_sum;

static void *chan_thread(void *arg)
{
	int me = (int)(intptr_t)arg, r;

	for (long i = 1; i <= 4; i++) {
		long v = me * 100 + i;

		if (me & 1) {
			r = weft_chan_send_until(ch[0], &v, some_deadline());
			if (!r)
				__atomic_add_fetch(&sent_sum, v, __ATOMIC_RELAXED);
		} else {
			r = weft_chan_recv_until(ch[0], &v, weft_after(sim_random(90000)));
			if (!r)
				__atomic_add_fetch(&recv_sum, v, __ATOMIC_RELAXED);
		}
		CHECK(expected(r) || r == EPIPE);
	}
	return NULL;
}

static void drain_and_free(int n)
{
	long v;

	for (int i = 0; i < n; i++) {
		while (weft_chan_tryrecv(ch[i], &v) == 0)
			recv_sum += v;
		CHECK(weft_chan_free(ch[i]) == 0);
	}
	CHECK(sent_sum == recv_sum);
}

static void scen_chan(void)
{
	sent_sum = recv_sum = 0;
	ch[0] = weft_chan_create(sizeof(long), sim_random(3));
	start(chan_thread);
	cancel_some();
	weft_sleep(sim_random(100000));
	weft_chan_close(ch[0]);
	join_all();
	drain_and_free(1);
}

static void *select_thread(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (long i = 1; i <= 4; i++) {
		long v[2] = { me * 100 + i, me * 100 + i + 50 };
		struct weft_case c[2] = { { ch[0], &v[0], me & 1, 0 }, { ch[1], &v[1], sim_random(2) ? me & 1 : !(me & 1), 0 } };
		int r = weft_select(c, 2, sim_random(8) ? weft_after(sim_random(90000)) : 0);

		CHECK(r == 0 || r == 1 || r == -ETIMEDOUT || r == -ECANCELED || r == -EAGAIN);
		if (r >= 0 && c[r].result == 0)
			__atomic_add_fetch(c[r].send ? &sent_sum : &recv_sum, v[r], __ATOMIC_RELAXED);
	}
	return NULL;
}

static void scen_select(void)
{
	sent_sum = recv_sum = 0;
	ch[0] = weft_chan_create(sizeof(long), sim_random(2));
	ch[1] = weft_chan_create(sizeof(long), sim_random(2));
	start(select_thread);
	cancel_some();
	if (sim_random(2)) {
		weft_sleep(sim_random(100000));
		weft_chan_close(ch[sim_random(2)]);
	}
	join_all();
	drain_and_free(2);
}

/* As many messages as receivers that wait without a deadline: each must end. */
static void *select_taker(void *arg)
{
	long v[2];
	struct weft_case c[2] = { { ch[0], &v[0], 0, 0 }, { ch[1], &v[1], 0, 0 } };
	int r = weft_select(c, 2, WEFT_FOREVER);

	(void)arg;
	CHECK((r == 0 || r == 1) && c[r].result == 0);
	__atomic_add_fetch(&recv_sum, v[r], __ATOMIC_RELAXED);
	return NULL;
}

static void scen_select_exact(void)
{
	sent_sum = recv_sum = 0;
	ch[0] = weft_chan_create(sizeof(long), 0);
	ch[1] = weft_chan_create(sizeof(long), 0);
	start(select_taker);
	for (long i = 0; i < nt; i++) {
		CHECK(weft_chan_send(ch[sim_random(2)], &i) == 0);
		sent_sum += i;
	}
	join_all();
	drain_and_free(2);
}

/* ---- rw-lock ---- */
static weft_rwlock rw;
static int readers, writers;

static void *rw_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++) {
		int w = sim_random(2), r = w ? weft_rwlock_wrlock_until(&rw, some_deadline()) : weft_rwlock_rdlock_until(&rw, some_deadline());

		CHECK(expected(r));
		if (r)
			continue;
		if (w)
			CHECK(__atomic_add_fetch(&writers, 1, __ATOMIC_RELAXED) == 1 && readers == 0);
		else
			CHECK((__atomic_add_fetch(&readers, 1, __ATOMIC_RELAXED), writers == 0));
		if (sim_random(2))
			weft_yield();
		__atomic_add_fetch(w ? &writers : &readers, -1, __ATOMIC_RELAXED);
		CHECK(weft_rwlock_unlock(&rw) == 0);
	}
	return NULL;
}

static void scen_rwlock(void)
{
	weft_rwlock_init(&rw);
	readers = writers = 0;
	start(rw_thread);
	cancel_some();
	join_all();
	CHECK(weft_rwlock_destroy(&rw) == 0);
}

/* A reader behind a writer that gives up gets in while another reader still holds the lock. */
static void *late_writer(void *arg)
{
	int r = weft_rwlock_wrlock_until(&rw, weft_after(sim_random(30000)));

	CHECK(r == ETIMEDOUT || (r == 0 && weft_rwlock_unlock(&rw) == 0));	/* it may have come last */
	return arg;
}

static void *late_reader(void *arg)
{
	CHECK(weft_rwlock_rdlock(&rw) == 0);
	CHECK(weft_sem_post(&se) == 0);
	CHECK(weft_rwlock_unlock(&rw) == 0);
	return arg;
}

static void scen_rw_giveup(void)
{
	weft_t w, r;

	weft_rwlock_init(&rw);
	weft_sem_init(&se, 0, 0);
	CHECK(weft_rwlock_rdlock(&rw) == 0);
	CHECK(weft_spawn(&w, NULL, late_writer, NULL) == 0);
	weft_yield();
	CHECK(weft_spawn(&r, NULL, late_reader, NULL) == 0);
	CHECK(weft_sem_wait(&se) == 0);
	CHECK(weft_rwlock_unlock(&rw) == 0);
	CHECK(weft_join(w, NULL) == 0 && weft_join(r, NULL) == 0);
}

/* ---- barrier: who was let through came in groups of count ---- */
static weft_barrier ba;
static int through, serial;

static void *barrier_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		int r = weft_barrier_wait_until(&ba, weft_after(sim_random(100000)));

		CHECK(r == WEFT_BARRIER_SERIAL || expected(r));
		if (r == 0 || r == WEFT_BARRIER_SERIAL)
			__atomic_add_fetch(&through, 1, __ATOMIC_RELAXED);
		if (r == WEFT_BARRIER_SERIAL)
			__atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void scen_barrier(void)
{
	int count = 1 + sim_random(3);

	through = serial = 0;
	weft_barrier_init(&ba, count);
	start(barrier_thread);
	cancel_some();
	join_all();
	CHECK(through == serial * count);
	CHECK(weft_barrier_destroy(&ba) == 0);
}

/* ---- wait group, detach, exit, join with deadline ---- */
static weft_wg wg;

static void *wg_thread(void *arg)
{
	if (sim_random(2))
		weft_sleep(sim_random(50000));
	weft_wg_done(&wg);
	return arg;
}

static void scen_wg(void)
{
	void *res;
	int r;

	weft_wg_init(&wg);
	CHECK(weft_wg_add(&wg, MAX_T) == 0);
	start(wg_thread);
	CHECK(weft_wg_add(&wg, nt - MAX_T) == 0);
	cancel_some();
	CHECK(weft_wg_wait(&wg) == 0);
	for (int i = 0; i < nt; i++) {
		if (sim_random(3) == 0) {
			CHECK(weft_detach(th[i]) == 0);
			CHECK((r = weft_join(th[i], NULL)) == EINVAL || r == ESRCH);
			continue;
		}
		while ((r = weft_join_until(th[i], &res, weft_after(sim_random(3000)))) == ETIMEDOUT)
			;
		CHECK(r == 0 && res == (void *)(intptr_t)i);
		CHECK(weft_join(th[i], NULL) == ESRCH);
	}
}

/* ---- sleep and cancel: the sleep is an hour, so only the cancellation can end it ---- */
static void *sleeper(void *arg)
{
	(void)arg;
	CHECK(weft_sleep(3600ll * 1000000000) == ECANCELED);
	CHECK(weft_cancelled());
	weft_cancel_disable();
	CHECK(weft_sleep(1000) == 0);
	weft_cancel_enable();
	CHECK(weft_sleep(1000) == ECANCELED);
	return NULL;
}

static void scen_cancel(void)
{
	weft_time_t t = weft_now();

	start(sleeper);
	for (int i = 0; i < nt; i++)
		CHECK(weft_cancel(th[i]) == 0);
	join_all();
	CHECK(weft_now() - t < 3600ll * 1000000000);
}

/* ---- once and scope ---- */
static weft_once on;
static int ran, ended;

static void once_fn(void)
{
	CHECK(++ran == 1);
	weft_yield();
	ended = 1;
}

static void *scope_child(void *arg)
{
	weft_once_do(&on, once_fn);
	CHECK(ended);
	if ((intptr_t)arg == 1)
		return "failed";
	weft_sleep((intptr_t)arg ? 1000 : 3600ll * 1000000000);	/* the first only ends by cancellation */
	return NULL;
}

static void scen_scope(void)
{
	weft_scope s;
	void *failure = NULL;
	int i, n = 2 + sim_random(3), started = 0, r;

	memset(&on, 0, sizeof on);
	ran = ended = 0;
	weft_scope_open(&s, WEFT_SCOPE_FAIL_FAST, sim_random(2) ? weft_after(sim_random(50000)) : 0);
	for (i = 0; i < n; i++) {
		r = weft_scope_spawn(&s, NULL, scope_child, (void *)(intptr_t)i);
		CHECK(r == 0 || r == ECANCELED);
		started += r == 0;
	}
	r = weft_scope_close(&s, &failure);
	CHECK(r == 0 || r == ETIMEDOUT);
	CHECK(failure || started < 2);
	CHECK(ran == 1 && s.running == 0);
}

static void (*const scenario[NSCEN])(void) = { scen_mutex, scen_sem, scen_sem_exact, scen_cond, scen_chan, scen_select, scen_rwlock,
					       scen_barrier, scen_wg, scen_cancel, scen_scope, scen_select_exact, scen_rw_giveup };

static void deadlocked(const char *report)
{
	sim_fail("reported as a %s", report);
}

static void *body(void *arg)
{
	struct weft_config c = { .model = sim_random(8) ? WEFT_M_N : sim_random(3) ? WEFT_1_1 : WEFT_N_1, .workers = 1 + sim_random(3),
				 .on_deadlock = deadlocked };

	(void)arg;
	CHECK(weft_init(&c) == 0);
	scenario[sim_random(NSCEN)]();
	CHECK(weft_fini() == 0);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000, i;

	for (i = 0; i < count; i++)
		sim_run(first + i, body, NULL);
	printf("sim: %lu schedules from seed %lu, %lu task switches\n1 passed, 0 failed\n", count, first, sim_switches);
	return 0;
}
