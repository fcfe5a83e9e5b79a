/*
 * double_checked: a singleton that is looked at without the lock must be finished before its address is stored.
 *
 * Seeds:  003 "over-optimisation": pInst = new T is (1) allocate, (2) construct, (3) store the address; (2) and (3) may change
 *         places, and then another GetInstance() returns an object "that is not yet constructed".  The cure: temp = new T;
 *         barrier(); pInst = temp.
 * Expect: (1) the order that the seed warns of, written down: (3) before (2): a second thread gets an unfinished object.
 *         (2) With the barrier: in as many rounds never, though the constructor is just as slow, and each round constructs
 *         exactly one object (that is what the second look under the lock is for).
 * On x86 the processor keeps the order of two stores, so there it is the compiler that the barrier holds back.
 */
#include "lesson.h"

#define FIELDS	64
#define ROUNDS	2000
#define THREADS	3

struct object { volatile long field[FIELDS]; };

static struct object *volatile instance;
static struct object storage[THREADS * 2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start_round, end_round;
static volatile bool no_more, wrong_order;
static long constructed, unfinished;

static void construct(struct object *o)
{
	for (int i = 0; i < FIELDS; i++) {
		o->field[i] = i + 1;
		if (i == FIELDS / 2)
			sched_yield();		/* a long constructor, on one processor too */
	}
}

static struct object *new_object(void)
{
	struct object *o = &storage[__atomic_fetch_add(&constructed, 1, __ATOMIC_SEQ_CST) % (THREADS * 2)];

	for (int i = 0; i < FIELDS; i++)
		o->field[i] = 0;
	return o;
}

static struct object *get_instance(void)
{
	if (!instance) {
		pthread_mutex_lock(&lock);
		if (!instance) {
			struct object *temp = new_object();

			if (wrong_order) {
				instance = temp;		/* (3) */
				construct(temp);		/* (2) */
			} else {
				construct(temp);		/* (2) */
				__atomic_thread_fence(__ATOMIC_RELEASE);	/* the dam */
				instance = temp;		/* (3) */
			}
		}
		pthread_mutex_unlock(&lock);
	}
	return instance;
}

static void *user(void *arg)
{
	for (;;) {
		struct object *o;

		pthread_barrier_wait(&start_round);
		if (no_more)
			return arg;
		o = get_instance();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		for (int i = FIELDS - 1; i >= 0; i--)
			if (o->field[i] != i + 1) {
				__atomic_fetch_add(&unfinished, 1, __ATOMIC_SEQ_CST);
				break;
			}
		pthread_barrier_wait(&end_round);
	}
}

/* Rounds until an unfinished object is seen, or `most`.  Returns how many rounds there were. */
static long play(bool wrong, long most)
{
	double start = clock_s(CLOCK_MONOTONIC);
	pthread_t t[THREADS];
	long rounds;

	wrong_order = wrong;
	no_more = false;
	unfinished = 0;
	for (int i = 0; i < THREADS; i++)
		pok(pthread_create(&t[i], NULL, user, NULL));
	for (rounds = 0; rounds < most && !unfinished && patience(start); rounds++) {
		instance = NULL;
		constructed = 0;
		pthread_barrier_wait(&start_round);
		pthread_barrier_wait(&end_round);
		must(constructed == 1, "%ld objects were constructed", constructed);
	}
	no_more = true;
	pthread_barrier_wait(&start_round);
	for (int i = 0; i < THREADS; i++)
		pok(pthread_join(t[i], NULL));
	return rounds;
}

int main(void)
{
	long rounds, again;

	pok(pthread_barrier_init(&start_round, NULL, THREADS + 1));
	pok(pthread_barrier_init(&end_round, NULL, THREADS + 1));
	rounds = play(true, 1000000);
	printf("address stored before the constructor ran: an unfinished object was used %ld times, in round %ld\n", unfinished,
	       rounds);
	must(unfinished, "no unfinished object was seen in %ld rounds", rounds);
	again = play(false, rounds > ROUNDS ? rounds : ROUNDS);
	printf("constructor, barrier, address:             %ld rounds, %ld unfinished objects, one object made in each\n", again,
	       unfinished);
	must(!unfinished, "an unfinished object was seen in spite of the barrier");
	shown();
}
