/*
 * register_cached: what the compiler keeps in a register, no other thread sees, and it sees no other thread.
 *
 * Seeds:  003 "over-optimisation": "the compiler puts x into a register to be faster ... thread 1 does not write it back for now",
 *         so that two threads miss each other's x++.  "volatile stops it from caching a variable in a register".
 * Expect: a thread counts in `count` until `stop` is set.  With plain variables gcc -O2 reads `stop` once and keeps `count` in a
 *         register: main sets stop, the thread computes on, and in memory count is still 0.  With volatile ones main sees count
 *         grow, and the thread ends.  That it never ends is told by the thread's own processor time: it used 200 ms more after
 *         stop was set, seen in many pieces, where one look at `stop` would have ended it.
 * The endless thread lives in a child process, which is killed.
 */
#include "lesson.h"

static bool stop;
static long count;
static volatile bool volatile_stop;
static volatile long volatile_count;

static void *plain(void *arg)
{
	while (!stop)
		count++;
	return arg;
}

static void *with_volatile(void *arg)
{
	while (!volatile_stop)
		volatile_count++;
	return arg;
}

/*
 * Waits until the thread has computed for `s` seconds more; false: it has ended.  A look every 5 ms counts 10 ms at most: what
 * a stopped machine adds to the clock at one go does not show that the thread ran.
 */
static bool let_it_compute(pthread_t t, double s)
{
	double last, now, sum = 0;
	clockid_t clock;

	if (pthread_getcpuclockid(t, &clock))
		return false;
	last = clock_s(clock);
	while (sum < s) {
		sleep_ms(5);
		if (pthread_tryjoin_np(t, NULL) == 0)
			return false;
		now = clock_s(clock);
		sum += now - last < 0.01 ? now - last : 0.01;
		last = now;
	}
	return true;
}

/* In a child, as the thread may be endless.  Exit code: bit 0 the thread went on after stop, bit 1 count was seen to grow. */
static int play(void *(*fn)(void *), bool *stop_it, long *counter, double seconds)
{
	pid_t pid = child();

	if (!pid) {
		pthread_t t;
		bool on, grew;

		pok(pthread_create(&t, NULL, fn, NULL));
		must(let_it_compute(t, 0.05), "the thread ended by itself");
		grew = __atomic_load_n(counter, __ATOMIC_SEQ_CST) > 0;
		__atomic_store_n(stop_it, true, __ATOMIC_SEQ_CST);
		on = let_it_compute(t, seconds);
		printf("  in memory, after 50 ms of counting: count = %s; after stop = true: the thread %s\n",
		       grew ? "much" : "0", on ? "computes on and on" : "ends");
		fflush(stdout);
		_exit(on | grew << 1);
	}
	return reap(pid);
}

int main(void)
{
	int seen;

	printf("plain variables, gcc -O2:\n");
	seen = play(plain, &stop, &count, 0.2);
	must(seen == 1, "the compiler did not keep the variables in registers (result %d)", seen);
	printf("volatile variables:\n");
	seen = play(with_volatile, (bool *)&volatile_stop, (long *)&volatile_count, 20);
	must(seen == 2, "volatile did not help (result %d)", seen);
	shown();
}
