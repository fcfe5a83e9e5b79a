/*
 * model_test.c: property tests: random operations on each primitive against a model of a few lines.
 *
 * What:  model_test [SEED [ROUNDS]].  Puppet threads carry out single operations that the controller (main) hands them;
 *        after each one everybody who can run has run, and the real state (who is blocked, who came back with what) must
 *        be what the model says.
 * Idea:  in N:1 with a controller that yields until nothing changes, the interleaving is known, so the primitives'
 *        promised order (first come, first served; direct handing over) is fully determined and can be checked exactly.
 *        The model keeps the blocked operations in one list in order of arrival and knows nothing of queues and locks.
 * Output: the seed and the history of the last operations at the first difference; "N passed, N failed" in the end.
 * See:   sim_test.c for interleavings inside the operations.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/thread.h>

enum { P = 5, OPS = 40, PENDING = -1000 };
enum { LOCK, TRYLOCK, UNLOCK, NLOCKOPS };
enum { WAIT, TRYWAIT, POST, NSEMOPS };
enum { RD, WR, TRYRD, TRYWR, RWUNLOCK, NRWOPS };
enum { SEND, RECV, TRYSEND, TRYRECV, CLOSE, NCHANOPS };
enum { ARRIVE, NBAROPS };
enum { ADD, DONE, WGWAIT, NWGOPS };

struct puppet { weft_t t; weft_sem go; int op, value, result, quit; };
static struct puppet pup[P];
static int expect_result[P], expect_value[P];	/* the model's view; PENDING: blocked */
static int line[P], nline;			/* the model: blocked puppets in order of arrival */
static uint64_t rnd;
static char history[OPS * 24];

static weft_mutex mu;
static weft_sem se;
static weft_rwlock rw;
static weft_chan *ch;
static weft_barrier ba;
static weft_wg wg;
static int kind;

static int roll(int n)
{
	rnd = rnd * 6364136223846793005ull + 1442695040888963407ull;
	return (rnd >> 33) % n;
}

/* ---- the real thing ---- */

static int real_op(struct puppet *p)
{
	switch (kind) {
	case 0: return p->op == LOCK ? weft_mutex_lock_until(&mu, WEFT_FOREVER) : p->op == TRYLOCK ? weft_mutex_trylock(&mu) : weft_mutex_unlock(&mu);
	case 1: return p->op == WAIT ? weft_sem_wait(&se) : p->op == TRYWAIT ? weft_sem_trywait(&se) : weft_sem_post(&se);
	case 2: return p->op == RD ? weft_rwlock_rdlock_until(&rw, WEFT_FOREVER) : p->op == WR ? weft_rwlock_wrlock_until(&rw, WEFT_FOREVER) : p->op == TRYRD ?
		       weft_rwlock_tryrdlock(&rw) : p->op == TRYWR ? weft_rwlock_trywrlock(&rw) : weft_rwlock_unlock(&rw);
	case 3: return p->op == SEND ? weft_chan_send(ch, &p->value) : p->op == RECV ? weft_chan_recv(ch, &p->value) : p->op == TRYSEND ?
		       weft_chan_trysend(ch, &p->value) : p->op == TRYRECV ? weft_chan_tryrecv(ch, &p->value) : weft_chan_close(ch);
	case 4: return weft_barrier_wait(&ba);
	default: return p->op == ADD ? weft_wg_add(&wg, 1) : p->op == DONE ? weft_wg_done(&wg) : weft_wg_wait(&wg);
	}
}

static void *puppet_main(void *arg)
{
	struct puppet *p = arg;

	for (;;) {
		weft_sem_wait(&p->go);
		if (p->quit)
			return NULL;
		p->result = real_op(p);
	}
}

/* ---- the models ---- */

static int owner, value, readers, closed, count, buf[8], nbuf, cap;

static void block(int i) { expect_result[i] = PENDING; line[nline++] = i; }
static void finish(int i, int r) { expect_result[i] = r; }

static int leave_line(int at)
{
	int i = line[at];

	memmove(&line[at], &line[at + 1], (--nline - at) * sizeof *line);
	return i;
}

static void model_mutex(int i, int op)
{
	if (op == LOCK && owner == i) finish(i, EDEADLK);
	else if (op != UNLOCK && owner < 0) { owner = i; finish(i, 0); }
	else if (op == LOCK) block(i);
	else if (op == TRYLOCK) finish(i, EBUSY);
	else if (owner != i) finish(i, EPERM);
	else {
		finish(i, 0);
		owner = nline ? leave_line(0) : -1;
		if (owner >= 0)
			finish(owner, 0);
	}
}

static void model_sem(int i, int op)
{
	if (op == POST) {
		finish(i, 0);
		if (nline) finish(leave_line(0), 0);
		else if (value == 3) finish(i, EOVERFLOW);
		else value++;
	} else if (value) { value--; finish(i, 0); }
	else if (op == WAIT) block(i);
	else finish(i, EAGAIN);
}

static void model_rw(int i, int op)
{
	if (op == RWUNLOCK) {
		if (owner >= 0 ? owner != i : !readers) { finish(i, EPERM); return; }
		finish(i, 0);
		if (owner >= 0) owner = -1; else readers--;
		while (nline && owner < 0 && !(pup[line[0]].op == WR && readers)) {
			int n = leave_line(0);

			if (pup[n].op == WR) owner = n; else readers++;
			finish(n, 0);
		}
	} else if ((op == RD || op == WR) && owner == i) finish(i, EDEADLK);
	else if (op == RD || op == TRYRD) {
		if (owner < 0 && !nline) { readers++; finish(i, 0); }
		else if (op == RD) block(i); else finish(i, EBUSY);
	} else if (owner < 0 && !readers && !nline) { owner = i; finish(i, 0); }
	else if (op == WR) block(i); else finish(i, EBUSY);
}

static int first_that(int op) { for (int k = 0; k < nline; k++) if (pup[line[k]].op == op) return k; return -1; }

static void model_chan(int i, int op)
{
	int k, n;

	if (op == CLOSE) {
		finish(i, closed ? EPIPE : 0);
		closed = 1;
		while (nline) finish(leave_line(0), EPIPE);
	} else if (op == SEND || op == TRYSEND) {
		if (closed) finish(i, EPIPE);
		else if ((k = first_that(RECV)) >= 0) { n = leave_line(k); expect_value[n] = pup[i].value; finish(n, 0); finish(i, 0); }
		else if (nbuf < cap) { buf[nbuf++] = pup[i].value; finish(i, 0); }
		else if (op == SEND) block(i); else finish(i, EAGAIN);
	} else {
		k = first_that(SEND);
		if (nbuf) {
			expect_value[i] = buf[0];
			memmove(buf, buf + 1, --nbuf * sizeof *buf);
			finish(i, 0);
			if (k >= 0) { n = leave_line(k); buf[nbuf++] = pup[n].value; finish(n, 0); }
		} else if (k >= 0) { n = leave_line(k); expect_value[i] = pup[n].value; finish(n, 0); finish(i, 0); }
		else if (closed) finish(i, EPIPE);
		else if (op == RECV) block(i); else finish(i, EAGAIN);
	}
}

static void model_barrier(int i, int op)
{
	(void)op;
	if (nline + 1 < 3) { block(i); return; }
	while (nline) finish(leave_line(0), 0);
	finish(i, WEFT_BARRIER_SERIAL);
}

static void model_wg(int i, int op)
{
	if (op == WGWAIT) { if (count) block(i); else finish(i, 0); return; }
	if (op == DONE && !count) { finish(i, EINVAL); return; }
	count += op == ADD ? 1 : -1;
	finish(i, 0);
	if (!count) while (nline) finish(leave_line(0), 0);
}

static const struct { const char *name; int nops; void (*model)(int, int); } prim[] = {
	{ "mutex", NLOCKOPS, model_mutex }, { "semaphore", NSEMOPS, model_sem }, { "rw-lock", NRWOPS, model_rw },
	{ "channel", NCHANOPS, model_chan }, { "barrier", NBAROPS, model_barrier }, { "wait group", NWGOPS, model_wg } };

/* ---- the controller ---- */

static void settle(void) { for (int i = 0; i < 3 * P; i++) weft_yield(); }

static int differs(void)
{
	for (int i = 0; i < P; i++)
		if (pup[i].result != expect_result[i] || (kind == 3 && pup[i].result == 0 && pup[i].value != expect_value[i]))
			return i + 1;
	return 0;
}

static void reset(void)
{
	weft_mutex_init(&mu, 0);
	weft_sem_init(&se, 1, 3);
	weft_rwlock_init(&rw);
	cap = roll(3);
	ch = weft_chan_create(sizeof(int), cap);
	weft_barrier_init(&ba, 3);
	weft_wg_init(&wg);
	owner = -1;
	value = 1;
	readers = closed = count = nbuf = nline = 0;
	history[0] = 0;
	for (int i = 0; i < P; i++) {
		memset(&pup[i], 0, sizeof pup[i]);
		expect_result[i] = expect_value[i] = 0;
		weft_spawn(&pup[i].t, NULL, puppet_main, &pup[i]);
	}
	settle();
}

/* Whoever is blocked is cancelled (hence the _until forms above, which can be). */
static void tear_down(void)
{
	for (int i = 0; i < P; i++) {
		pup[i].quit = 1;
		weft_sem_post(&pup[i].go);
		weft_cancel(pup[i].t);
	}
	for (int i = 0; i < P; i++)
		weft_join(pup[i].t, NULL);
	weft_chan_free(ch);
}

static int one_round(unsigned long seed)
{
	int n, i, bad = 0;

	rnd = seed * 0x9e3779b97f4a7c15ull + 99;
	kind = roll(6);
	reset();
	for (n = 0; n < OPS && !bad; n++) {
		i = roll(P);
		if (expect_result[i] == PENDING)
			continue;
		pup[i].op = roll(prim[kind].nops);
		if (kind == 3 && pup[i].op == CLOSE && roll(4))
			pup[i].op = SEND;
		pup[i].value = expect_value[i] = 100 + n;
		pup[i].result = PENDING;
		snprintf(history + strlen(history), 24, "%d:%d ", i, pup[i].op);
		prim[kind].model(i, pup[i].op);
		weft_sem_post(&pup[i].go);
		settle();
		bad = differs();
	}
	if (bad) {
		i = bad - 1;
		printf("seed %lu, %s: puppet %d: real result %d value %d, model %d value %d\n  puppet:operation %s\n", seed, prim[kind].name,
		       i, pup[i].result, pup[i].value, expect_result[i], expect_value[i], history);
		return 1;
	}
	tear_down();
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000, i;
	struct weft_config c = { .model = WEFT_N_1 };

	unsetenv("WEFT_MODEL");
	if (weft_init(&c))
		return 1;
	for (i = 0; i < rounds; i++)
		if (one_round(first + i)) {
			printf("0 passed, 1 failed\n");
			return 1;
		}
	printf("model: %lu rounds of %d operations from seed %lu\n1 passed, 0 failed\n", rounds, OPS, first);
	return 0;
}
