/*
 * pifutex.c: priority inheritance: FUTEX_LOCK_PI and its family, and glibc's PTHREAD_PRIO_INHERIT on it.
 *
 * A boost is seen in /proc/self/task/TID/stat, field 18: -1 - rt_priority.  Nothing is measured in time.
 */
#include "t.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static long futex(void *u, int op, unsigned v, const void *t, void *u2, unsigned v3)
{
	return syscall(SYS_futex, u, op, v, t, u2, v3);
}

static pid_t tid(void) { return (pid_t)syscall(SYS_gettid); }

static int set_fifo(pid_t t, int prio)
{
	struct sched_param p = { .sched_priority = prio };

	return sched_setscheduler(t, prio ? SCHED_FIFO : SCHED_OTHER, &p);
}

/* The test itself is more urgent than all that it looks at. */
static void be_urgent(void)
{
	if (set_fifo(0, 90))
		SKIP("SCHED_FIFO is not allowed: %s", strerror(errno));
}

static char stat_of(pid_t t, int *prio)
{
	char path[64], buf[1024], *p, state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", t);
	f = fopen(path, "r");
	CHECK(f && fgets(buf, sizeof(buf), f));
	fclose(f);
	p = strrchr(buf, ')') + 2;
	state = *p;
	for (int i = 3; i < 18; i++)
		p = strchr(p, ' ') + 1;
	*prio = atoi(p);
	return state;
}

static int prio_of(pid_t t)
{
	int prio;

	stat_of(t, &prio);
	return prio;
}

static void until_asleep(volatile pid_t *t)
{
	int prio;

	while (!*t)
		t_sleep_ms(1);
	while (stat_of(*t, &prio) != 'S')
		t_sleep_ms(1);
}

/* True when t's priority comes to be that: what follows a wake-up may take its time. */
static bool comes_to(pid_t t, int prio)
{
	for (int i = 0; i < 5000 && prio_of(t) != prio; i++)
		t_sleep_ms(1);
	return prio_of(t) == prio;
}

#define RT(p) (-1 - (p))

/* ---- a thread that does as it is told ---- */

struct puppet {
	pthread_t	th;
	volatile pid_t	tid;
	int		prio;			/* 0: an ordinary one, of this nice value */
	int		nice;
	pthread_mutex_t	*first, *then;		/* locks these */
	int		timeout_ms;		/* for `then` */
	volatile int	err;			/* of the last lock */
	volatile int	stage;			/* 1: has the first, 2: tried the other */
	volatile int	go_on;			/* lets go of what it has when this is 1 */
};

static void *puppet(void *arg)
{
	struct puppet *p = arg;
	struct timespec ts;

	set_fifo(0, p->prio);
	if (p->nice)
		setpriority(PRIO_PROCESS, (id_t)tid(), p->nice);
	if (p->first) {
		p->err = pthread_mutex_lock(p->first);
		p->stage = 1;
	}
	p->tid = tid();
	if (p->then) {
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_sec += p->timeout_ms / 1000;
		ts.tv_nsec += p->timeout_ms % 1000 * 1000000;
		if (ts.tv_nsec >= 1000000000)
			ts.tv_sec++, ts.tv_nsec -= 1000000000;
		p->err = p->timeout_ms ? pthread_mutex_timedlock(p->then, &ts) : pthread_mutex_lock(p->then);
		p->stage = 2;
	}
	while (!p->go_on)
		usleep(1000);
	if (p->then && !p->err)
		pthread_mutex_unlock(p->then);
	if (p->first)
		pthread_mutex_unlock(p->first);
	return NULL;
}

static void start(struct puppet *p, int prio, pthread_mutex_t *first, pthread_mutex_t *then)
{
	p->prio = prio;
	p->first = first;
	p->then = then;
	CHECK_EQ(pthread_create(&p->th, NULL, puppet, p), 0);
	if (then) {
		until_asleep(&p->tid);
		return;
	}
	while (p->stage != 1 || !p->tid)
		t_sleep_ms(1);
}

static void end(struct puppet *p)
{
	p->go_on = 1;
	pthread_join(p->th, NULL);
}

static void pi_mutex(pthread_mutex_t *m, int robust, int shared)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	CHECK_EQ(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), 0);
	pthread_mutexattr_setrobust(&a, robust);
	pthread_mutexattr_setpshared(&a, shared);
	CHECK_EQ(pthread_mutex_init(m, &a), 0);
}

static pthread_mutex_t m1, m2, m3;

static void three_mutexes(void)
{
	pi_mutex(&m1, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	pi_mutex(&m2, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	pi_mutex(&m3, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
}

/* ---- boosts ---- */

TEST(owner_runs_at_waiters_priority)
{
	static struct puppet l, h;

	be_urgent();
	three_mutexes();
	start(&l, 0, &m1, NULL);
	CHECK_EQ(prio_of(l.tid), 20);
	start(&h, 30, NULL, &m1);
	CHECK_EQ(prio_of(l.tid), RT(30));
	CHECK_EQ(sched_getscheduler(l.tid), SCHED_OTHER);
	l.go_on = 1;
	pthread_join(l.th, NULL);
	CHECK(comes_to(h.tid, RT(30)));
	end(&h);
	CHECK_EQ(h.err, 0);
}

/* "se.load.weight" of /proc/PID/sched; 0: not told. */
static long weight_of(pid_t t)
{
	char path[64], line[256];
	long weight = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/sched", t);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "se.load.weight : %ld", &weight) == 1)
			break;
	if (f)
		fclose(f);
	return weight;
}

TEST(nice_value_is_inherited)
{
	static struct puppet l, h;

	/* Among ordinary threads: the owner of nice 10 is as urgent as the waiter of nice 0, and by the same weight. */
	be_urgent();
	three_mutexes();
	l.nice = 10;
	start(&l, 0, &m1, NULL);
	CHECK_EQ(prio_of(l.tid), 30);
	start(&h, 0, NULL, &m1);
	CHECK(comes_to(l.tid, 20));
	CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)l.tid), 10);
	if (!access("/proc/weft", F_OK))
		CHECK_EQ(weight_of(l.tid), weight_of(h.tid));	/* Linux lends the number alone */
	end(&l);
	end(&h);
	CHECK_EQ(h.err, 0);
}

TEST(nice_value_of_the_second_waiter)
{
	static struct puppet l, m, h;

	if (access("/proc/weft", F_OK))
		SKIP("Linux lends every ordinary waiter's priority as that of nice 0");
	/* The waiter of nice 0 does not overtake that of nice 5, but what it lends counts; so does a change of it. */
	be_urgent();
	three_mutexes();
	l.nice = 10;
	m.nice = 5;
	start(&l, 0, &m1, NULL);
	start(&m, 0, NULL, &m1);
	CHECK_EQ(prio_of(l.tid), 25);
	start(&h, 0, NULL, &m1);
	CHECK_EQ(prio_of(l.tid), 20);
	CHECK_OK(setpriority(PRIO_PROCESS, (id_t)h.tid, 7));
	CHECK_EQ(prio_of(l.tid), 25);
	CHECK_OK(setpriority(PRIO_PROCESS, (id_t)h.tid, 2));
	CHECK_EQ(prio_of(l.tid), 22);
	l.go_on = 1;
	pthread_join(l.th, NULL);
	while (m.stage != 2)
		t_sleep_ms(1);
	CHECK_EQ(h.stage, 0);
	CHECK(comes_to(m.tid, 22));
	end(&m);
	end(&h);
	CHECK_EQ(m.err, 0);
	CHECK_EQ(h.err, 0);
}

TEST(boost_ends_with_timeout)
{
	static struct puppet l, m, h;

	be_urgent();
	three_mutexes();
	start(&l, 5, &m1, NULL);
	start(&m, 20, NULL, &m1);
	CHECK_EQ(prio_of(l.tid), RT(20));
	h.timeout_ms = 300;
	start(&h, 30, NULL, &m1);
	CHECK_EQ(prio_of(l.tid), RT(30));
	while (h.stage != 2)
		t_sleep_ms(5);
	CHECK_EQ(h.err, ETIMEDOUT);
	CHECK(comes_to(l.tid, RT(20)));
	end(&l);
	end(&m);
	end(&h);
}

TEST(boost_travels_along_a_chain)
{
	static struct puppet a, b, c, d;

	be_urgent();
	three_mutexes();
	start(&a, 0, &m1, NULL);
	start(&b, 10, &m2, &m1);
	start(&c, 20, &m3, &m2);
	CHECK_EQ(prio_of(a.tid), RT(20));
	CHECK_EQ(prio_of(b.tid), RT(20));
	d.timeout_ms = 500;
	start(&d, 40, NULL, &m3);
	CHECK_EQ(prio_of(a.tid), RT(40));
	CHECK_EQ(prio_of(b.tid), RT(40));
	CHECK_EQ(prio_of(c.tid), RT(40));
	while (d.stage != 2)
		t_sleep_ms(5);
	CHECK_EQ(d.err, ETIMEDOUT);
	CHECK(comes_to(a.tid, RT(20)) && comes_to(b.tid, RT(20)) && comes_to(c.tid, RT(20)));
	end(&a);
	CHECK(comes_to(b.tid, RT(20)));
	end(&b);
	end(&c);
	end(&d);
}

TEST(change_of_a_waiter_travels)
{
	static struct puppet a, b, c;

	be_urgent();
	three_mutexes();
	start(&a, 0, &m1, NULL);
	start(&b, 0, &m2, &m1);
	start(&c, 0, NULL, &m2);
	CHECK_EQ(prio_of(a.tid), 20);
	CHECK_OK(set_fifo(c.tid, 50));
	CHECK_EQ(prio_of(a.tid), RT(50));
	CHECK_EQ(prio_of(b.tid), RT(50));
	CHECK_OK(set_fifo(c.tid, 7));
	CHECK_EQ(prio_of(a.tid), RT(7));
	CHECK_OK(set_fifo(b.tid, 12));
	CHECK_EQ(prio_of(a.tid), RT(12));
	CHECK_OK(set_fifo(c.tid, 0));
	CHECK_OK(set_fifo(b.tid, 0));
	CHECK_EQ(prio_of(a.tid), 20);
	end(&a);
	end(&b);
	end(&c);
}

TEST(own_change_keeps_the_boost)
{
	static struct puppet l, h;

	be_urgent();
	three_mutexes();
	start(&l, 0, &m1, NULL);
	start(&h, 30, NULL, &m1);
	CHECK_OK(setpriority(PRIO_PROCESS, l.tid, 5));
	CHECK_EQ(prio_of(l.tid), RT(30));
	CHECK_OK(set_fifo(l.tid, 10));
	CHECK_EQ(prio_of(l.tid), RT(30));
	CHECK_OK(set_fifo(l.tid, 35));
	CHECK_EQ(prio_of(l.tid), RT(35));
	CHECK_OK(set_fifo(l.tid, 0));
	CHECK_EQ(prio_of(l.tid), RT(30));
	CHECK_OK(set_fifo(h.tid, 0));
	CHECK(prio_of(l.tid) >= 20);		/* Linux shows the better nice value of the two, without effect */
	end(&l);
	end(&h);
}

/* The lock goes to the most urgent, whoever came first. */
static volatile int turns[4], turn;
static void *in_turn(void *arg)
{
	struct puppet *p = arg;

	set_fifo(0, p->prio);
	p->tid = tid();
	pthread_mutex_lock(&m1);
	turns[turn++] = p->prio;
	pthread_mutex_unlock(&m1);
	return NULL;
}

TEST(most_urgent_gets_it_first)
{
	static struct puppet w[4];
	const int prios[4] = { 10, 30, 0, 20 };

	be_urgent();
	three_mutexes();
	pthread_mutex_lock(&m1);
	for (int i = 0; i < 4; i++) {
		w[i].prio = prios[i];
		pthread_create(&w[i].th, NULL, in_turn, &w[i]);
		until_asleep(&w[i].tid);
	}
	/* Raised while it waits: it overtakes. */
	CHECK_OK(set_fifo(w[0].tid, 25));
	pthread_mutex_unlock(&m1);
	for (int i = 0; i < 4; i++)
		pthread_join(w[i].th, NULL);
	CHECK_EQ(turns[0], 30);
	CHECK_EQ(turns[1], 10);
	CHECK_EQ(turns[2], 20);
	CHECK_EQ(turns[3], 0);
}

TEST(child_does_not_inherit_the_boost)
{
	static struct puppet h;
	pid_t pid;

	be_urgent();
	three_mutexes();
	pthread_mutex_lock(&m1);
	CHECK_OK(set_fifo(0, 0));
	CHECK_EQ(pthread_create(&h.th, NULL, puppet, (h.prio = 30, h.then = &m1, &h)), 0);
	until_asleep(&h.tid);
	CHECK_EQ(prio_of(tid()), RT(30));
	pid = CHECK_OK(fork());
	if (!pid)
		_exit(prio_of(tid()) == 20 && sched_getscheduler(0) == SCHED_OTHER ? 0 : 1);
	CHECK_EQ(t_wait(pid), 0);
	pthread_mutex_unlock(&m1);
	CHECK_EQ(prio_of(tid()), 20);
	end(&h);
}

/* ---- the word ---- */

static unsigned int word, word2, cond;

TEST(word_protocol)
{
	unsigned int me = (unsigned)tid();

	CHECK_OK(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(word, me);
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERR(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(word, 0);
	CHECK_ERR(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
	CHECK_OK(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(word, me);
	CHECK_OK(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	word = 0x3ffffff0;			/* nobody has that id */
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), ESRCH);
	word = FUTEX_OWNER_DIED;
	CHECK_OK(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(word, FUTEX_OWNER_DIED | me);
	CHECK_ERR(futex((char *)&word + 2, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((void *)8, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((void *)8, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EFAULT);
}

struct raw {
	pthread_t	th;
	volatile pid_t	tid;
	int		op, err, prio;
	unsigned int	*word, val;
	unsigned int	*first;
	struct timespec	*ts;
	bool		keep;
};

static void *raw(void *arg)
{
	struct raw *r = arg;

	if (r->prio)
		set_fifo(0, r->prio);
	if (r->first)
		futex(r->first, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	r->tid = tid();
	r->err = futex(r->word, r->op, r->val, r->ts, &word2, 0) ? errno : 0;
	if (!r->err && !r->keep)
		futex(r->op == FUTEX_LOCK_PI_PRIVATE ? r->word : &word2, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	if (r->first)
		futex(r->first, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void start_raw(struct raw *r, int op, unsigned int *w)
{
	r->op = op;
	r->word = w;
	CHECK_EQ(pthread_create(&r->th, NULL, raw, r), 0);
	until_asleep(&r->tid);
}

TEST(handed_over_with_the_word)
{
	static struct raw a, b;

	CHECK_OK(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	start_raw(&a, FUTEX_LOCK_PI_PRIVATE, &word);
	CHECK_EQ(word, FUTEX_WAITERS | (unsigned)tid());
	start_raw(&b, FUTEX_LOCK_PI_PRIVATE, &word);
	CHECK_ERR(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_OK(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	pthread_join(a.th, NULL);
	pthread_join(b.th, NULL);
	CHECK_EQ(a.err, 0);
	CHECK_EQ(b.err, 0);
	CHECK_EQ(word & FUTEX_TID_MASK, 0);
}

TEST(circle_is_refused)
{
	static struct raw a;
	unsigned int mine = 0;

	CHECK_OK(futex(&mine, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	a.first = &word;
	start_raw(&a, FUTEX_LOCK_PI_PRIVATE, &mine);
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(futex(&mine, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	pthread_join(a.th, NULL);
	CHECK_EQ(a.err, 0);
}

TEST(timeouts)
{
	struct timespec real, mono, bad = { 0, 2000000000 };
	static struct puppet owner;
	unsigned int *w = (unsigned int *)&m1;		/* glibc keeps the word first */

	three_mutexes();
	start(&owner, 0, &m1, NULL);
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	CHECK_ERR(futex(w, FUTEX_LOCK_PI_PRIVATE, 0, &real, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(w, 13 /* LOCK_PI2 */ | FUTEX_PRIVATE_FLAG, 0, &mono, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(w, 13 | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0, &real, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(w, FUTEX_LOCK_PI_PRIVATE, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex(w, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(w, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
	end(&owner);
}

static volatile int signals;
static void on_signal(int sig) { signals++; }

TEST(signal_does_not_end_the_wait)
{
	static struct raw a;
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	CHECK_OK(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	start_raw(&a, FUTEX_LOCK_PI_PRIVATE, &word);
	for (int i = 0; i < 5; i++) {
		pthread_kill(a.th, SIGUSR1);
		while (signals <= i)
			t_sleep_ms(1);
		until_asleep(&a.tid);
	}
	CHECK_OK(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	pthread_join(a.th, NULL);
	CHECK_EQ(a.err, 0);
}

/* ---- owners that die ---- */

static volatile int die_now;
static void *lock_and_die(void *arg)
{
	pthread_mutex_lock(arg);
	while (!die_now)
		usleep(1000);
	return NULL;
}

TEST(robust_owner_dies)
{
	static struct puppet w;
	pthread_t t;

	pi_mutex(&m1, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
	pthread_create(&t, NULL, lock_and_die, &m1);
	while (!(*(volatile unsigned int *)&m1 & FUTEX_TID_MASK))
		t_sleep_ms(1);
	start(&w, 0, NULL, &m1);
	die_now = 1;
	pthread_join(t, NULL);
	while (w.stage != 2)
		t_sleep_ms(1);
	CHECK_EQ(w.err, EOWNERDEAD);
	/* It dies too without having made it consistent; now nobody waits. */
	end(&w);
	CHECK_EQ(pthread_mutex_lock(&m1), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&m1), 0);
	CHECK_EQ(pthread_mutex_unlock(&m1), 0);
	CHECK_EQ(pthread_mutex_lock(&m1), 0);
	CHECK_EQ(pthread_mutex_unlock(&m1), 0);
}

static void *raw_lock_and_die(void *arg)
{
	futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (!die_now)
		usleep(1000);
	return arg;
}

TEST(plain_owner_dies)
{
	static struct raw a, b;
	pthread_t t;

	pthread_create(&t, NULL, raw_lock_and_die, NULL);
	while (!*(volatile unsigned int *)&word)
		t_sleep_ms(1);
	a.keep = true;
	start_raw(&a, FUTEX_LOCK_PI_PRIVATE, &word);
	start_raw(&b, FUTEX_LOCK_PI_PRIVATE, &word);
	die_now = 1;
	/* a gets it and dies with it, then b */
	pthread_join(t, NULL);
	pthread_join(a.th, NULL);
	pthread_join(b.th, NULL);
	CHECK_EQ(a.err, 0);
	CHECK_EQ(b.err, 0);
}

TEST(killed_process_leaves_its_mutex)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *have = (volatile int *)(m + 1);
	pid_t pid;

	pi_mutex(m, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	pid = CHECK_OK(fork());
	if (!pid) {
		pthread_mutex_lock(m);
		*have = 1;
		for (;;)
			pause();
	}
	while (!*have)
		t_sleep_ms(1);
	if (!CHECK_OK(fork())) {
		t_sleep_ms(300);
		kill(pid, SIGKILL);
		_exit(0);
	}
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(m), 0);
	CHECK_EQ(pthread_mutex_unlock(m), 0);
}

/* ---- requeue ---- */

#define WAIT_PI		(FUTEX_WAIT_REQUEUE_PI_PRIVATE)
#define REQUEUE(n)	futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)(long)(n), &word2, cond)

TEST(requeue_to_a_free_futex)
{
	static struct raw a, b, c;

	a.keep = true;
	start_raw(&a, WAIT_PI, &cond);
	start_raw(&b, WAIT_PI, &cond);
	start_raw(&c, WAIT_PI, &cond);
	CHECK_ERR(futex(&cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &word2, cond + 1), EAGAIN);
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, (void *)1, &word2, cond), EINVAL);
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &word, cond), EINVAL);
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &cond, cond), EINVAL);
	CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &word2, cond), EINVAL);
	/* All three: the first has it and dies with it, so the second gets it, and the third from that one. */
	CHECK_EQ(REQUEUE(5), 3);
	pthread_join(a.th, NULL);
	pthread_join(b.th, NULL);
	pthread_join(c.th, NULL);
	CHECK_EQ(a.err, 0);
	CHECK_EQ(b.err, 0);
	CHECK_EQ(c.err, 0);
	CHECK_EQ(REQUEUE(5), 0);
}

TEST(requeue_to_an_owned_futex)
{
	static struct raw a, b;

	be_urgent();
	CHECK_OK(futex(&word2, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	a.prio = 91;
	b.prio = 95;
	start_raw(&a, WAIT_PI, &cond);
	start_raw(&b, WAIT_PI, &cond);
	CHECK_EQ(REQUEUE(0), 1);			/* the more urgent one */
	CHECK_EQ(word2, FUTEX_WAITERS | (unsigned)tid());
	CHECK_EQ(prio_of(tid()), RT(95));
	CHECK_EQ(REQUEUE(5), 1);
	CHECK_OK(futex(&word2, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(prio_of(tid()), RT(90));
	pthread_join(a.th, NULL);
	pthread_join(b.th, NULL);
	CHECK_EQ(a.err, 0);
	CHECK_EQ(b.err, 0);
	CHECK_EQ(word2 & FUTEX_TID_MASK, 0);
}

TEST(requeue_refuses_a_circle)
{
	static struct raw a;

	a.first = &word;
	CHECK_OK(futex(&word2, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	start_raw(&a, WAIT_PI, &cond);
	static struct raw b;
	CHECK_EQ(REQUEUE(0), 1);
	/* a waits for word2, ours: we must not wait for its word */
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(futex(&word2, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	pthread_join(a.th, NULL);
	CHECK_EQ(a.err, 0);
	/* who owns the target cannot be moved there */
	b.first = &word2;
	start_raw(&b, WAIT_PI, &cond);
	CHECK_ERR(REQUEUE(0), EDEADLK);
	pthread_kill(b.th, 0);
	_exit(0);
}

TEST(requeue_timeouts)
{
	static struct raw a;
	static struct timespec ts;
	unsigned int v = cond;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	CHECK_ERR(futex(&cond, WAIT_PI, v, &ts, &word2, 0), ETIMEDOUT);
	CHECK_ERR(futex(&cond, WAIT_PI, v + 1, &ts, &word2, 0), EAGAIN);
	CHECK_ERR(futex(&cond, WAIT_PI, v, &ts, &cond, 0), EINVAL);
	/* after the move */
	CHECK_OK(futex(&word2, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	ts.tv_sec += 1;
	a.ts = &ts;
	start_raw(&a, WAIT_PI, &cond);
	CHECK_EQ(REQUEUE(0), 1);
	pthread_join(a.th, NULL);
	CHECK_EQ(a.err, ETIMEDOUT);
	CHECK_OK(futex(&word2, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(word2 & FUTEX_TID_MASK, 0);
}

TEST(requeue_and_signals)
{
	static struct raw a;
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	CHECK_OK(futex(&word2, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	start_raw(&a, WAIT_PI, &cond);
	pthread_kill(a.th, SIGUSR1);			/* before the move: it goes on waiting */
	while (!signals)
		t_sleep_ms(1);
	until_asleep(&a.tid);
	CHECK_EQ(REQUEUE(0), 1);
	pthread_kill(a.th, SIGUSR1);			/* after it: the caller shall look again */
	pthread_join(a.th, NULL);
	CHECK_EQ(a.err, EAGAIN);
	CHECK_OK(futex(&word2, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

/* ---- many ---- */

#define CROWD	12
#define LOCKS	4
static pthread_mutex_t crowd_lock[LOCKS];
static long guarded[LOCKS];
static long done[CROWD];
static pthread_cond_t crowd_cond = PTHREAD_COND_INITIALIZER;

static void *crowd(void *arg)
{
	long me = (long)arg;
	unsigned int seed = (unsigned)me + 1;
	struct timespec ts;

	set_fifo(0, (int)(me % 4) * 5);
	for (int i = 0; i < 300; i++) {
		int from = (seed = seed * 1103515245 + 12345) >> 8 & 3, got;

		/* in the order of their numbers: no circles */
		for (got = from; got < LOCKS; got++) {
			clock_gettime(CLOCK_REALTIME, &ts);
			ts.tv_nsec += 500000;
			if (ts.tv_nsec >= 1000000000)
				ts.tv_sec++, ts.tv_nsec -= 1000000000;
			if (i % 3 || got == from)
				pthread_mutex_lock(&crowd_lock[got]);
			else if (pthread_mutex_timedlock(&crowd_lock[got], &ts))
				break;
			guarded[got]++;
			done[me]++;
		}
		if (got == LOCKS && i % 7 == 0) {
			clock_gettime(CLOCK_REALTIME, &ts);
			pthread_cond_timedwait(&crowd_cond, &crowd_lock[LOCKS - 1], &ts);
		}
		pthread_cond_broadcast(&crowd_cond);
		if (i % 11 == 0)
			set_fifo(0, (int)(seed >> 16) % 20);
		while (got-- > from)
			pthread_mutex_unlock(&crowd_lock[got]);
	}
	set_fifo(0, 0);
	if (prio_of(tid()) != 20)
		done[me] = -1000000;
	return NULL;
}

TEST(crowd_of_threads)
{
	pthread_t t[CROWD];
	long sum = 0, counted = 0;

	for (int i = 0; i < LOCKS; i++)
		pi_mutex(&crowd_lock[i], PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	for (long i = 0; i < CROWD; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, crowd, (void *)i), 0);
	for (int i = 0; i < CROWD; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < CROWD; i++)
		sum += done[i];
	for (int i = 0; i < LOCKS; i++)
		counted += guarded[i];
	CHECK_EQ(sum, counted);
}
