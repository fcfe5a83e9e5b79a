/*
 * priority_inversion: an urgent task waits for a lock, and thereby for everybody more urgent than the lock's holder.
 *
 * Seeds:  003 "thread scheduling and priority" (a less urgent task cannot run while a more urgent one does) met with 003 "locks";
 *         spec §8 "the lessons".
 * Expect: one processor, SCHED_FIFO.  L (10) holds a mutex, H (30) waits for it, M (20) has nothing to do with it and computes.
 *         With a plain mutex M keeps L from finishing, so H, the most urgent, is last: M L H.  With PTHREAD_PRIO_INHERIT L runs
 *         as urgently as H until it unlocks: L H M.  The order is forced by priorities; no time is measured.
 */
#include "hogs.h"

static pthread_mutex_t mutex;
static char order[4];
static int cpu;
static volatile bool l_holds, h_comes, m_is_there;
static volatile pid_t h_tid;

static void note(char who)
{
	order[strlen(order)] = who;		/* one processor, and no equals: no lock needed */
}

static void begin(int priority)
{
	pin(0, cpu);
	must(set_fifo(0, priority), "SCHED_FIFO %d: %s", priority, strerror(errno));
}

static void compute(double seconds)
{
	double start = clock_s(CLOCK_THREAD_CPUTIME_ID);

	while (clock_s(CLOCK_THREAD_CPUTIME_ID) - start < seconds)
		;
}

static void *low(void *arg)
{
	begin(10);
	pok(pthread_mutex_lock(&mutex));
	l_holds = true;
	while (!m_is_there)
		;				/* its work under the lock is not done before M comes */
	compute(0.02);
	note('L');
	pok(pthread_mutex_unlock(&mutex));
	return arg;
}

static void *middle(void *arg)
{
	begin(20);
	compute(0.1);
	note('M');
	return arg;
}

static void *high(void *arg)
{
	begin(30);
	h_tid = tid_now();
	h_comes = true;
	pok(pthread_mutex_lock(&mutex));
	note('H');
	pok(pthread_mutex_unlock(&mutex));
	return arg;
}

static bool is_asleep(pid_t tid)
{
	char path[64], text[2048], *p;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	return slurp(path, text, sizeof(text)) && (p = strrchr(text, ')')) && p[2] == 'S';
}

static const char *play(int protocol)
{
	pthread_mutexattr_t a;
	pthread_t l, m, h;

	memset(order, 0, sizeof(order));
	l_holds = h_comes = m_is_there = false;
	pok(pthread_mutexattr_init(&a));
	pok(pthread_mutexattr_setprotocol(&a, protocol));
	pok(pthread_mutex_init(&mutex, &a));

	pok(pthread_create(&l, NULL, low, NULL));
	while (!l_holds)
		sleep_ms(1);
	pok(pthread_create(&h, NULL, high, NULL));
	while (!h_comes || !is_asleep(h_tid))
		sleep_ms(1);
	pok(pthread_create(&m, NULL, middle, NULL));
	m_is_there = true;
	pok(pthread_join(l, NULL));
	pok(pthread_join(m, NULL));
	pok(pthread_join(h, NULL));
	return order;
}

int main(void)
{
	const char *o;

	cpu = nth_cpu(0);
	pin(0, cpu);
	if (!set_fifo(0, 40))			/* so that who is created starts in full before the next step */
		skip("this program may not use SCHED_FIFO: %s", strerror(errno));
	o = play(PTHREAD_PRIO_NONE);
	printf("plain mutex:             %c, %c, %c: H (30) had to wait for M (20)\n", o[0], o[1], o[2]);
	must(!strcmp(o, "MLH"), "the order should be M, L, H");
	o = play(PTHREAD_PRIO_INHERIT);
	printf("with priority inherited: %c, %c, %c: H waited for no more than L's work under the lock\n", o[0], o[1], o[2]);
	must(!strcmp(o, "LHM"), "the order should be L, H, M");
	shown();
}
