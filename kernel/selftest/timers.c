/*
 * timers.c: timers and hrtimers: in order, never early, gone after a cancel that waits.
 * See: time/timer.c, time/hrtimer.c; spec.md §1 "interrupts and time"
 */
#include <weft/hrtimer.h>
#include <weft/kernel.h>
#include <weft/ktime.h>
#include <weft/string.h>
#include <weft/timer.h>
#include "selftest.h"

#define N	16

static struct t {
	struct timer_list	timer;
	struct hrtimer		hr;
	int			number;
} ts[N];
static int fired, order[N], early;		/* [a] */
static int runs;				/* [a] */
static bool function_runs;

static void note(int number)
{
	order[__atomic_fetch_add(&fired, 1, __ATOMIC_SEQ_CST) % N] = number;
}

static void timer_note(struct timer_list *timer)
{
	if (time_before(jiffies, timer->expires))
		early++;
	note(container_of(timer, struct t, timer)->number);
}

static enum hrtimer_restart hr_note(struct hrtimer *hr)
{
	if (hrtimer_cb_get_time(hr) < hrtimer_get_expires(hr))
		early++;
	note(container_of(hr, struct t, hr)->number);
	return HRTIMER_NORESTART;
}

static void begin(void)
{
	memset(ts, 0, sizeof(ts));
	fired = early = runs = 0;
	function_runs = false;
}

/* Started in a mixed order on one processor, they fire by their expiry. */
SELFTEST(timers, wheel_order, 1)
{
	unsigned long base;

	begin();
	selftest_pin(0);
	base = jiffies + 5;
	for (int i = 0; i < N; i++) {
		int n = (i * 7) % N;

		ts[n].number = n;
		timer_setup(&ts[n].timer, timer_note, 0);
		ts[n].timer.expires = base + 2 * n;
		add_timer(&ts[n].timer);
	}
	EXPECT_SOON(READ_ONCE(fired) == N);
	for (int i = 0; i < N; i++)
		EXPECT_EQ(order[i], i);
	EXPECT_EQ(early, 0);
	selftest_unpin();
}

SELFTEST(timers, hrtimer_order, 1)
{
	ktime_t base;

	begin();
	selftest_pin(0);
	base = ktime_get() + 20 * NSEC_PER_MSEC;
	for (int i = 0; i < N; i++) {
		int n = (i * 7) % N;

		ts[n].number = n;
		hrtimer_init(&ts[n].hr, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
		ts[n].hr.function = hr_note;
		hrtimer_start(&ts[n].hr, base + n * 50 * NSEC_PER_USEC, HRTIMER_MODE_ABS);
	}
	EXPECT_SOON(READ_ONCE(fired) == N);
	for (int i = 0; i < N; i++)
		EXPECT_EQ(order[i], i);
	EXPECT_EQ(early, 0);
	selftest_unpin();
}

SELFTEST(timers, mod_and_delete, 1)
{
	struct timer_list *t = &ts[0].timer;
	unsigned long start;

	begin();
	timer_setup(t, timer_note, 0);
	EXPECT_EQ(mod_timer(t, jiffies + 1000 * HZ), 0);
	EXPECT(timer_pending(t));
	EXPECT_EQ(mod_timer(t, jiffies + 1000 * HZ + 1), 1);
	EXPECT_EQ(del_timer(t), 1);
	EXPECT_EQ(del_timer(t), 0);
	EXPECT_EQ(mod_timer_pending(t, jiffies + 1), 0);	/* not pending: stays so */
	EXPECT(!timer_pending(t));
	mod_timer(t, jiffies + 1000 * HZ);
	start = jiffies;
	mod_timer(t, start + 3);
	EXPECT_SOON(READ_ONCE(fired) == 1);
	EXPECT(time_after_eq(jiffies, start + 3));
	EXPECT_EQ(early, 0);
}

/* ---- cancel against the function ---- */

static void timer_slow(struct timer_list *timer)
{
	WRITE_ONCE(function_runs, true);
	for (int i = 0; i < 2000; i++)
		cpu_relax();
	__atomic_add_fetch(&runs, 1, __ATOMIC_SEQ_CST);
	WRITE_ONCE(function_runs, false);
	if (runs & 1)
		mod_timer(timer, jiffies + 1);	/* starts itself again: del_timer_sync() must win all the same */
}

SELFTEST(timers, cancel_races, 1)
{
	struct timer_list *t = &ts[0].timer;

	begin();
	timer_setup(t, timer_slow, 0);
	for (int i = 0; i < 100; i++) {
		mod_timer(t, jiffies + 1);
		while (i % 4 && timer_pending(t))
			cond_resched();
		if (i % 4 == 2)
			yield();
		del_timer_sync(t);
		if (!EXPECT(!READ_ONCE(function_runs) && !timer_pending(t)))
			break;
	}
	EXPECT(runs > 0);
	del_timer_sync(t);
}

static enum hrtimer_restart hr_slow(struct hrtimer *hr)
{
	WRITE_ONCE(function_runs, true);
	for (int i = 0; i < 500; i++)
		cpu_relax();
	__atomic_add_fetch(&runs, 1, __ATOMIC_SEQ_CST);
	WRITE_ONCE(function_runs, false);
	hrtimer_forward_now(hr, 100 * NSEC_PER_USEC);
	return HRTIMER_RESTART;
}

static struct hrtimer *busy;

static int starter(void *unused)
{
	while (!kthread_should_stop()) {
		if (!hrtimer_active(busy))
			hrtimer_start(busy, 50 * NSEC_PER_USEC, HRTIMER_MODE_REL);
		cond_resched();
	}
	return 0;
}

/* A periodic hrtimer, cancelled from another processor while it fires, and started again by a third party. */
SELFTEST(timers, hrtimer_cancel_races, 1)
{
	struct task_struct *k;

	begin();
	busy = &ts[0].hr;
	hrtimer_init(busy, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	busy->function = hr_slow;
	for (int i = 0; i < 100; i++) {
		hrtimer_start(busy, (i % 8) * 30 * NSEC_PER_USEC, HRTIMER_MODE_REL);
		for (int spin = 0; spin < i * 20; spin++)
			cpu_relax();
		if (i % 10 == 0)
			schedule_timeout_uninterruptible(1);
		hrtimer_cancel(busy);
		if (!EXPECT(!READ_ONCE(function_runs) && !hrtimer_active(busy)))
			break;
	}
	EXPECT(runs > 0);
	k = kthread_run(starter, NULL, "selftest_hr");
	if (!EXPECT(!IS_ERR(k)))
		return;
	for (int i = 0; i < 200; i++) {
		hrtimer_cancel(busy);
		cond_resched();
	}
	kthread_stop(k);
	hrtimer_cancel(busy);
	EXPECT(!hrtimer_active(busy));
}
