/* times.c: clocks, sleeping, timers, and the vDSO (spec §1 "interrupts and time"). */
#include "t.h"
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>

static long long ns_of(clockid_t c)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(c, &ts));
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

TEST(monotonic_never_goes_back)
{
	long long last = 0;

	for (int i = 0; i < 200000; i++) {
		long long t = ns_of(CLOCK_MONOTONIC);
		CHECK(t >= last);
		last = t;
	}
}

static void *watch_clock(void *arg)
{
	(void)arg;
	test_monotonic_never_goes_back();
	return NULL;
}

static volatile long long shared_now;
static void *race_clock(void *arg)
{
	for (int i = 0; i < 100000; i++) {
		long long seen = __atomic_load_n(&shared_now, __ATOMIC_ACQUIRE), t = ns_of(CLOCK_MONOTONIC);
		if (t < seen)
			return (void *)1;
		__atomic_store_n(&shared_now, t, __ATOMIC_RELEASE);
	}
	return arg;
}

TEST(monotonic_agrees_between_processors)
{
	pthread_t t[4];
	void *bad = NULL;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, race_clock, NULL);
	for (int i = 0; i < 4; i++) {
		void *r;
		pthread_join(t[i], &r);
		bad = r ? r : bad;
	}
	CHECK(!bad);
	watch_clock(NULL);
}

TEST(vdso_and_system_call_agree)
{
	struct timespec a, b, c;

	CHECK(getauxval(AT_SYSINFO_EHDR) || sizeof(long) == 4);	/* 32-bit programs have none on Weft */
	for (int i = 0; i < 1000; i++) {
		CHECK_OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &a));
		CHECK_OK(clock_gettime(CLOCK_REALTIME, &b));
		CHECK_OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &c));
		CHECK(a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec));
		CHECK(b.tv_sec < c.tv_sec || (b.tv_sec == c.tv_sec && b.tv_nsec <= c.tv_nsec));
	}
	struct timeval tv;
	CHECK_OK(gettimeofday(&tv, NULL));
	CHECK(tv.tv_sec - c.tv_sec <= 60);
	CHECK(time(NULL) >= c.tv_sec);
	CHECK(c.tv_sec > 1600000000);
}

TEST(clock_errors_and_resolution)
{
	struct timespec ts;

	CHECK_ERR(syscall(SYS_clock_gettime, 77, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8), EFAULT);
	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &ts));
	CHECK_EQ(ts.tv_sec, 0);
	CHECK_EQ(ts.tv_nsec, 1);
	ts.tv_nsec = 1000000000;
	CHECK_ERR(syscall(SYS_nanosleep, &ts, NULL), EINVAL);
	ts.tv_nsec = -1;
	CHECK_ERR(syscall(SYS_nanosleep, &ts, NULL), EINVAL);
}

TEST(sleep_is_never_short)
{
	for (int ms = 1; ms < 40; ms += 7) {
		long long t = ns_of(CLOCK_MONOTONIC);
		t_sleep_ms(ms);
		CHECK(ns_of(CLOCK_MONOTONIC) - t >= ms * 1000000LL);
	}
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec++;
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK(ns_of(CLOCK_MONOTONIC) >= ts.tv_sec * 1000000000LL + ts.tv_nsec);
}

static volatile sig_atomic_t hits, overrun;
static void on_alarm(int sig) { (void)sig; hits++; }
static void on_timer(int sig, siginfo_t *si, void *uc) { (void)sig; (void)uc; hits++; overrun += si->si_overrun; }

TEST(alarm_and_itimer)
{
	signal(SIGALRM, on_alarm);
	alarm(0);
	struct itimerval it = { .it_value = { 0, 10000 }, .it_interval = { 0, 10000 } }, cur;
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (hits < 3)
		pause();
	CHECK_OK(getitimer(ITIMER_REAL, &cur));
	CHECK_EQ(cur.it_interval.tv_usec, 10000);
	CHECK_EQ(alarm(100), 1);
	CHECK_EQ(alarm(0), 100);
	CHECK_ERR(setitimer(7, &it, NULL), EINVAL);
}

TEST(itimer_virtual_counts_user_time)
{
	signal(SIGVTALRM, on_alarm);
	struct itimerval it = { .it_value = { 0, 20000 } };
	CHECK_OK(setitimer(ITIMER_VIRTUAL, &it, NULL));
	while (!hits)
		;
}

TEST(posix_timer_with_signal)
{
	timer_t id;
	struct sigaction sa = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec its = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };

	sigaction(SIGRTMIN, &sa, NULL);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &id));
	CHECK_OK(timer_settime(id, 0, &its, NULL));
	while (hits < 3)
		pause();
	CHECK_OK(timer_gettime(id, &its));
	CHECK_EQ(its.it_interval.tv_nsec, 5000000);
	CHECK_OK(timer_delete(id));
	CHECK_ERR(syscall(SYS_timer_delete, 999), EINVAL);
}

TEST(process_and_thread_cpu_clocks)
{
	long long p = ns_of(CLOCK_PROCESS_CPUTIME_ID), t = ns_of(CLOCK_THREAD_CPUTIME_ID), spin = t + 50000000;

	while (ns_of(CLOCK_THREAD_CPUTIME_ID) < spin)
		;
	CHECK(ns_of(CLOCK_PROCESS_CPUTIME_ID) - p >= 50000000);
	long long s = ns_of(CLOCK_THREAD_CPUTIME_ID);
	t_sleep_ms(100);
	CHECK(ns_of(CLOCK_THREAD_CPUTIME_ID) - s < 90000000);
	struct tms tms;
	CHECK(times(&tms) != (clock_t)-1);
	struct rusage ru;
	CHECK_OK(getrusage(RUSAGE_SELF, &ru));
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec > 20000);
}

TEST(rlimit_cpu_ends_a_hog)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		struct rlimit r = { 1, 2 };
		setrlimit(RLIMIT_CPU, &r);
		for (;;)
			;
	}
	int st = t_wait(pid);
	CHECK(WIFSIGNALED(st));
	CHECK(WTERMSIG(st) == SIGXCPU || WTERMSIG(st) == SIGKILL);
}

/* ---- adjtimex ---- */

/* Only where the clock is ours: elsewhere a daemon may be steering it. */
static void own_clock(void)
{
	struct utsname u;

	CHECK_OK(uname(&u));
	if (!strstr(u.release, "weft"))
		SKIP("not with the host's clock");
}

static int adjust(struct timex *t)
{
	return CHECK_OK(syscall(SYS_adjtimex, t));
}

TEST(adjtimex_reads_and_refuses)
{
	struct timex t = {};
	int state = adjust(&t);

	CHECK(state >= TIME_OK && state <= TIME_ERROR);
	CHECK_EQ(state == TIME_ERROR, (t.status & (STA_UNSYNC | STA_CLOCKERR)) != 0);
	CHECK_EQ(t.tick, 10000);
	CHECK_EQ(t.tolerance, 500 << 16);
	CHECK(t.constant >= 0 && t.constant <= 10);
	t = (struct timex){ .modes = ADJ_TICK, .tick = 1 };
	CHECK(syscall(SYS_adjtimex, &t) == -1 && (errno == EINVAL || errno == EPERM));
	t = (struct timex){ .modes = 0x8000 };		/* ADJ_ADJTIME without ADJ_OFFSET_SINGLESHOT */
	CHECK_ERR(syscall(SYS_adjtimex, &t), EINVAL);
	CHECK_ERR(syscall(SYS_adjtimex, 8), EFAULT);
}

/* The loop takes the offset off, a quarter of what is left each second, and learns the frequency from updates. */
TEST(adjtimex_loop)
{
	struct timex t = { .modes = ADJ_STATUS | ADJ_NANO | ADJ_TIMECONST | ADJ_FREQUENCY | ADJ_MAXERROR, .status = STA_PLL };
	long long left;

	own_clock();
	CHECK_EQ(adjust(&t), TIME_OK);
	CHECK_EQ(t.status & (STA_PLL | STA_NANO | STA_UNSYNC), STA_PLL | STA_NANO);
	CHECK_EQ(t.constant, 0);
	t = (struct timex){ .modes = ADJ_OFFSET, .offset = 40000000 };
	adjust(&t);
	CHECK_EQ(t.offset, 40000000);
	do {
		t_sleep_ms(200);
		t = (struct timex){};
		adjust(&t);
		left = t.offset;
	} while (left == 40000000);
	CHECK(left <= 30000000);
	CHECK(t.maxerror >= 500);
	t_sleep_ms(2000);
	t = (struct timex){ .modes = ADJ_OFFSET, .offset = 1000000 };		/* still 1 ms off after 2 s or more: too slow */
	adjust(&t);
	CHECK(t.freq > 0 && t.freq <= 500 << 16);
	t = (struct timex){ .modes = ADJ_OFFSET | ADJ_FREQUENCY };
	adjust(&t);
	CHECK_EQ(t.offset, 0);
	t = (struct timex){ .modes = ADJ_STATUS, .status = STA_UNSYNC };
	CHECK_EQ(adjust(&t), TIME_ERROR);
	CHECK_EQ(t.status, STA_UNSYNC);
	t = (struct timex){ .modes = ADJ_OFFSET | ADJ_FREQUENCY, .offset = 1000 };	/* without the loop nobody follows */
	adjust(&t);
	CHECK_EQ(t.offset, 0);
	CHECK_EQ(t.freq, 0);
}

/* 23:59:60: the second before midnight comes twice, and TAI goes on. */
TEST(adjtimex_leap_second)
{
	struct timespec before, tai, after, was, set = { 1924991997, 0 };	/* 2030-12-31 23:59:57 */
	struct timex t = { .modes = ADJ_TAI, .constant = 37 };
	long long start = t_now_ns();
	int state;

	own_clock();
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &was));
	adjust(&t);
	CHECK_OK(clock_settime(CLOCK_REALTIME, &set));
	t = (struct timex){ .modes = ADJ_STATUS | ADJ_MAXERROR, .status = STA_INS };	/* setting the clock has unset them */
	adjust(&t);
	do {
		t_sleep_ms(100);
		t = (struct timex){};
		state = adjust(&t);
	} while (state != TIME_OOP && state != TIME_WAIT);
	CHECK_EQ(t.tai, 38);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &before));
	CHECK_OK(clock_gettime(CLOCK_TAI, &tai));
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &after));
	CHECK((tai.tv_sec - before.tv_sec) * 1000000000LL + tai.tv_nsec - before.tv_nsec >= 38000000000LL);
	CHECK((tai.tv_sec - after.tv_sec) * 1000000000LL + tai.tv_nsec - after.tv_nsec <= 38000000000LL);
	t = (struct timex){ .modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_TAI };
	while (adjust(&t) != TIME_OK) {
		t_sleep_ms(100);
		t = (struct timex){};
	}
	was.tv_sec += (t_now_ns() - start) / 1000000000;
	CHECK_OK(clock_settime(CLOCK_REALTIME, &was));
}
