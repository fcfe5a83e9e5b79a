/*
 * tick.c: the periodic part of time, HZ times a second on each CPU that has something to do.
 *
 * Idea:    the tick is an hrtimer like any other; the CPU's device is one-shot.  An idle CPU stops it and sleeps until its
 *          next timer is due, be it in the wheel or an hrtimer.  jiffies is brought up to now by whichever CPU sees first
 *          that a tick has passed: nobody has the duty, so everybody may sleep.  The CPUs' ticks are spread over the
 *          period, or all would want the same locks at the same moment.
 * Idle:    tick_nohz_idle_enter()
 *            tick_nohz_idle_update()    before each halt: stop the tick, or set it for the wheel's next timer
 *            irq_enter() -> tick_irq_enter(): jiffies is old, the handler must not see that
 *          tick_nohz_idle_exit()        the tick goes on
 * Locking: jiffies_lock (irq) and jiffies_seq for jiffies; struct tick_sched is its CPU's, interrupts off.
 * See:     tick.h; spec.md §1 "tickless one-shot timers"; doc/time.md
 */
#include <weft/arch.h>
#include <weft/clockchips.h>
#include <weft/hrtimer.h>
#include <weft/irq.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/kernel_stat.h>
#include <weft/loadavg.h>
#include <weft/percpu.h>
#include <weft/posix-timers.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/seqlock.h>
#include <weft/smp.h>
#include <weft/softirq.h>
#include <weft/tick.h>
#include <weft/timer.h>
#include <weft/trace.h>
#include "internal.h"

volatile unsigned long jiffies = INITIAL_JIFFIES;

static DEFINE_SPINLOCK(jiffies_lock);
seqcount_t jiffies_seq;
ktime_t last_jiffies_update;			/* [jiffies_lock, jiffies_seq] */
static ktime_t next_jiffies_update = TICK_NSEC;	/* [jiffies_lock] [-] peeked at: 8 bytes are read at once */

struct tick_sched {
	struct clock_event_device *dev;		/* [I] NULL: this CPU has no timer yet */
	struct hrtimer		timer;
	bool			in_idle;	/* between tick_nohz_idle_enter() and _exit() */
	bool			stopped;	/* [-] other CPUs peek */
};

static DEFINE_PER_CPU(struct tick_sched, tick_sched);

/* ---- jiffies ---- */

void tick_update_jiffies(ktime_t now)
{
	unsigned long ticks;
	unsigned long flags;

	if (now < READ_ONCE(next_jiffies_update))
		return;
	spin_lock_irqsave(&jiffies_lock, flags);
	if (now < next_jiffies_update) {
		spin_unlock_irqrestore(&jiffies_lock, flags);
		return;
	}
	ticks = (unsigned long)((now - last_jiffies_update) / TICK_NSEC);
	raw_write_seqcount_begin(&jiffies_seq);
	last_jiffies_update += (ktime_t)ticks * TICK_NSEC;
	WRITE_ONCE(next_jiffies_update, last_jiffies_update + TICK_NSEC);
	jiffies = jiffies + ticks;
	raw_write_seqcount_end(&jiffies_seq);
	calc_global_load();
	spin_unlock_irqrestore(&jiffies_lock, flags);
	update_wall_time();
}

/* ---- the tick ---- */

static void update_process_times(bool user)
{
	account_process_tick(current, user);
	run_local_timers();
	rcu_sched_clock_irq(user);
	sched_tick();
	run_posix_cpu_timers();
	printk_tick();
}

static enum hrtimer_restart tick_timer_fn(struct hrtimer *timer)
{
	struct tick_sched *ts = container_of(timer, struct tick_sched, timer);
	struct pt_regs *regs = get_irq_regs();
	ktime_t now = ktime_get();

	tick_update_jiffies(now);
	update_process_times(regs && user_mode(regs));
	/* Idle: tick_nohz_idle_update(), which comes next, decides when to be called again. */
	if (ts->stopped)
		return HRTIMER_NORESTART;
	hrtimer_forward(timer, now, TICK_NSEC);
	return HRTIMER_RESTART;
}

int tick_program_event(ktime_t expires, int force)
{
	struct clock_event_device *dev = this_cpu_read(tick_sched.dev);

	return dev ? clockevents_program_event(dev, expires, force) : 0;
}

/* The next tick of this CPU: a multiple of the period, shifted by its share of it. */
static void start_tick(struct tick_sched *ts)
{
	ktime_t offset = TICK_NSEC / (ktime_t)nr_cpu_ids * raw_smp_processor_id();
	ktime_t now = ktime_get();
	ktime_t expires = (now / TICK_NSEC + 1) * TICK_NSEC + offset;

	if (expires - now > TICK_NSEC)
		expires -= TICK_NSEC;
	hrtimer_start(&ts->timer, expires, HRTIMER_MODE_ABS_PINNED_HARD);
}

void tick_setup_device(struct clock_event_device *dev)
{
	struct tick_sched *ts = this_cpu_ptr(&tick_sched);

	dev->event_handler = hrtimer_interrupt;
	ts->dev = dev;
	hrtimer_init(&ts->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	ts->timer.function = tick_timer_fn;
	start_tick(ts);
	hrtimers_reprogram();
}

/* ---- idle ---- */

void tick_nohz_idle_enter(void)
{
	this_cpu_write(tick_sched.in_idle, true);
}

static void jiffies_at(unsigned long *basej, u64 *basem)
{
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&jiffies_seq);
		*basem = (u64)last_jiffies_update;
		*basej = jiffies;
	} while (read_seqcount_retry(&jiffies_seq, seq));
}

/* Something here needs the tick itself, not just the time to pass. */
static bool tick_is_needed(void)
{
	return rcu_needs_cpu() || local_softirq_pending();
}

void tick_nohz_idle_update(void)
{
	struct tick_sched *ts = this_cpu_ptr(&tick_sched);
	unsigned long basej;
	u64 basem, next;

	if (!ts->dev)
		return;
	if (tick_is_needed()) {
		if (ts->stopped) {
			ts->stopped = false;
			start_tick(ts);
		}
		return;
	}
	jiffies_at(&basej, &basem);
	next = get_next_timer_interrupt(basej, basem);
	if (!ts->stopped) {
		/* Not worth it for the tick that comes anyway. */
		if (next <= basem + TICK_NSEC)
			return;
		WRITE_ONCE(ts->stopped, true);
		trace_tick_stop(raw_smp_processor_id(), next);
	}
	if (next == KTIME_MAX)
		hrtimer_try_to_cancel(&ts->timer);
	else if (!ts->timer.queued || ts->timer.expires != (ktime_t)next)
		hrtimer_start(&ts->timer, (ktime_t)next, HRTIMER_MODE_ABS_PINNED_HARD);
}

void tick_nohz_idle_exit(void)
{
	struct tick_sched *ts = this_cpu_ptr(&tick_sched);

	ts->in_idle = false;
	if (!ts->stopped)
		return;
	WRITE_ONCE(ts->stopped, false);
	tick_update_jiffies(ktime_get());
	start_tick(ts);
}

void tick_irq_enter(void)
{
	struct tick_sched *ts = this_cpu_ptr(&tick_sched);

	if (ts->in_idle && ts->stopped)
		tick_update_jiffies(ktime_get());
}

bool tick_nohz_tick_stopped(void)
{
	return this_cpu_read(tick_sched.stopped);
}

bool tick_nohz_tick_stopped_cpu(int cpu)
{
	return READ_ONCE(per_cpu(tick_sched, cpu).stopped);
}
