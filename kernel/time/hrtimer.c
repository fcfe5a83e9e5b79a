/*
 * hrtimer.c: timers of nanosecond resolution, and sleeping on them.
 *
 * Idea:    each CPU has four trees, one a clock, ordered by expiry.  The earliest of the four, in monotonic time, is what the
 *          CPU's timer device is set to.  Its interrupt runs what has expired and sets it again.  The bases keep the
 *          offsets of their clocks to monotonic time; when a clock is set all CPUs read the offsets again.
 * States:  queued: in a tree.  running: base->running is it: its function is being called, without a lock.  Both at once, if
 *          the function or somebody else started it again meanwhile.
 * Locking: cpu_base->lock (irq).  timer->base says whose, and changes only under the old base's lock (to migration_base
 *          and from there to the new): so take that lock and look again.  A timer whose function runs stays on its base:
 *
 *              CPU 0: function runs                    CPU 1: hrtimer_start()
 *              (base 0 -> running = timer)             lock base 0: running: keep base 0, queue it there
 *              function returns, lock base 0           (the interrupt on CPU 0 sets its device when it is done)
 *
 *          Order: callers' locks -> base lock -> nothing.
 * See:     hrtimer.h; spec.md §1; doc/time.md
 */
#include <weft/arch.h>
#include <weft/clockchips.h>
#include <weft/hrtimer.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/percpu.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/spinlock.h>
#include <weft/tick.h>
#include <weft/trace.h>
#include "internal.h"

enum { BASE_MONOTONIC, BASE_REALTIME, BASE_BOOTTIME, BASE_TAI, NR_BASES };

struct hrtimer_cpu_base;

struct hrtimer_clock_base {
	struct hrtimer_cpu_base	*cpu_base;	/* [I] */
	clockid_t		clockid;	/* [I] */
	struct rb_root_cached	active;		/* [cpu_base->lock] */
	struct hrtimer		*running;	/* [cpu_base->lock] */
	ktime_t			offset;		/* [cpu_base->lock] this clock minus monotonic */
};

struct hrtimer_cpu_base {
	spinlock_t		lock;		/* class: hrtimer base */
	unsigned int		set_seq;	/* [lock] of the offsets: timekeeper's count */
	bool			in_interrupt;	/* [lock] hrtimer_interrupt() will set the device when it is done */
	ktime_t			expires_next;	/* [lock] what the device is set to, monotonic */
	struct hrtimer_clock_base base[NR_BASES];
};

static DEFINE_PER_CPU(struct hrtimer_cpu_base, hrtimer_bases);

static int clockid_to_base(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		return BASE_REALTIME;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return BASE_BOOTTIME;
	case CLOCK_TAI:
		return BASE_TAI;
	default:
		return BASE_MONOTONIC;
	}
}

/* ---- base and lock of a timer ---- */

static struct hrtimer_clock_base migration_base;	/* of a timer between two bases: never locked, wait until it is over */

static struct hrtimer_clock_base *lock_base(const struct hrtimer *timer, unsigned long *flags)
	__no_context_analysis		/* which lock is known only when it is held */
{
	for (;;) {
		struct hrtimer_clock_base *base = READ_ONCE(timer->base);

		if (likely(base != &migration_base)) {
			spin_lock_irqsave(&base->cpu_base->lock, *flags);
			if (likely(base == timer->base))
				return base;
			spin_unlock_irqrestore(&base->cpu_base->lock, *flags);
		}
		cpu_relax();
	}
}

static void unlock_base(struct hrtimer_clock_base *base, unsigned long flags)
{
	lockdep_assert_held(&base->cpu_base->lock);
	spin_unlock_irqrestore(&base->cpu_base->lock, flags);
}

/*
 * To this CPU, unless its function runs on the other.  Not queued; the old lock is held, the result's on return.  While no
 * lock is held migration_base keeps everybody else out.
 */
static struct hrtimer_clock_base *switch_base(struct hrtimer *timer, struct hrtimer_clock_base *old)
	__no_context_analysis		/* from one CPU's lock to another's */
{
	struct hrtimer_cpu_base *here = this_cpu_ptr(&hrtimer_bases);
	struct hrtimer_clock_base *new = &here->base[old - old->cpu_base->base];

	if (old == new || old->running == timer)
		return old;
	WRITE_ONCE(timer->base, &migration_base);
	spin_unlock(&old->cpu_base->lock);
	spin_lock(&new->cpu_base->lock);
	smp_store_release(&timer->base, new);
	return new;
}

/* ---- the trees ---- */

static bool timer_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct hrtimer, node)->expires < rb_entry(b, struct hrtimer, node)->expires;
}

/* True if it is now the first of its tree. */
static bool enqueue(struct hrtimer *timer, struct hrtimer_clock_base *base)
{
	WRITE_ONCE(timer->queued, true);
	return rb_add_cached(&timer->node, &base->active, timer_less) != NULL;
}

static void dequeue(struct hrtimer *timer, struct hrtimer_clock_base *base)
{
	rb_erase_cached(&timer->node, &base->active);
	WRITE_ONCE(timer->queued, false);
}

static struct hrtimer *first_timer(struct hrtimer_clock_base *base)
{
	return rb_entry_safe(rb_first_cached(&base->active), struct hrtimer, node);
}

static ktime_t mono_expiry(const struct hrtimer *timer, const struct hrtimer_clock_base *base)
{
	ktime_t t = timer->expires;

	if (t == KTIME_MAX)
		return t;
	/* An absolute time that a clock that was set back, or never got there, makes negative: that is now. */
	return max_t(s64, ktime_sub(t, base->offset), 0);
}

/* The earliest expiry of the CPU, leaving out one timer. */
static ktime_t next_event(struct hrtimer_cpu_base *cpu_base, const struct hrtimer *exclude)
{
	ktime_t next = KTIME_MAX;

	for (int i = 0; i < NR_BASES; i++) {
		struct hrtimer_clock_base *base = &cpu_base->base[i];
		struct hrtimer *timer = first_timer(base);

		if (timer && timer == exclude)
			timer = rb_entry_safe(rb_next(&timer->node), struct hrtimer, node);
		if (timer)
			next = min(next, mono_expiry(timer, base));
	}
	return next;
}

/* Now, and the offsets as the timekeeper has them. */
static ktime_t update_offsets(struct hrtimer_cpu_base *cpu_base)
{
	return ktime_get_update_offsets_now(&cpu_base->set_seq, &cpu_base->base[BASE_REALTIME].offset,
					    &cpu_base->base[BASE_BOOTTIME].offset, &cpu_base->base[BASE_TAI].offset);
}

/* This CPU's device.  KTIME_MAX: it may stay as it is, an interrupt for nothing does no harm. */
static void set_device(struct hrtimer_cpu_base *cpu_base, ktime_t expires)
{
	cpu_base->expires_next = expires;
	if (expires != KTIME_MAX)
		tick_program_event(expires, 1);
}

/* ---- starting and cancelling ---- */

void hrtimer_init(struct hrtimer *timer, clockid_t clock, enum hrtimer_mode mode)
{
	*timer = (struct hrtimer){ .base = &raw_cpu_ptr(&hrtimer_bases)->base[clockid_to_base(clock)] };
	RB_CLEAR_NODE(&timer->node);
}

void hrtimer_start_range_ns(struct hrtimer *timer, ktime_t tim, u64 delta_ns, enum hrtimer_mode mode)
	__no_context_analysis		/* one lock is given for another */
{
	struct hrtimer_clock_base *base;
	unsigned long flags;
	bool first;

	base = lock_base(timer, &flags);
	if (timer->queued)
		dequeue(timer, base);
	base = switch_base(timer, base);
	timer->is_rel = mode & HRTIMER_MODE_REL;
	if (mode & HRTIMER_MODE_REL)
		tim = ktime_add_safe(tim, hrtimer_cb_get_time(timer));
	timer->expires = tim;
	first = enqueue(timer, base);
	trace_hrtimer_start((u64)timer, (u64)timer->function, (u64)tim);

	if (first && base->cpu_base == this_cpu_ptr(&hrtimer_bases) && !base->cpu_base->in_interrupt) {
		ktime_t expires = mono_expiry(timer, base);

		if (expires < base->cpu_base->expires_next)
			set_device(base->cpu_base, expires);
	}
	unlock_base(base, flags);
}

int hrtimer_try_to_cancel(struct hrtimer *timer)
{
	struct hrtimer_clock_base *base;
	unsigned long flags;
	int ret = 0;

	if (!timer->base)
		return 0;			/* never initialised: a task copied before it had one */
	base = lock_base(timer, &flags);
	if (base->running == timer) {
		ret = -1;
	} else if (timer->queued) {
		/* The device stays as it is: at worst it interrupts for nothing. */
		dequeue(timer, base);
		ret = 1;
	}
	unlock_base(base, flags);
	return ret;
}

void hrtimer_cancel_wait_running(const struct hrtimer *timer)
{
	cpu_relax();
}

int hrtimer_cancel(struct hrtimer *timer)
{
	int ret;

	while ((ret = hrtimer_try_to_cancel(timer)) < 0)
		hrtimer_cancel_wait_running(timer);
	return ret;
}

/* ---- asking ---- */

ktime_t hrtimer_cb_get_time(const struct hrtimer *timer)
{
	switch (timer->base->clockid) {
	case CLOCK_REALTIME:
		return ktime_get_real();
	case CLOCK_BOOTTIME:
		return ktime_get_boottime();
	case CLOCK_TAI:
		return ktime_get_clocktai();
	default:
		return ktime_get();
	}
}

ktime_t __hrtimer_get_remaining(const struct hrtimer *timer, bool adjust)
{
	struct hrtimer_clock_base *base;
	unsigned long flags;
	ktime_t rem;

	base = lock_base(timer, &flags);
	rem = hrtimer_expires_remaining(timer);
	unlock_base(base, flags);
	return rem;
}

bool hrtimer_active(const struct hrtimer *timer)
{
	struct hrtimer_clock_base *base;
	unsigned long flags;
	bool active;

	if (!timer->base)
		return false;
	base = lock_base(timer, &flags);
	active = timer->queued || base->running == timer;
	unlock_base(base, flags);
	return active;
}

/* For its own function and those who hold a lock that the function takes. */
bool hrtimer_callback_running(struct hrtimer *timer)
{
	return READ_ONCE(READ_ONCE(timer->base)->running) == timer;
}

u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval)
{
	ktime_t behind = ktime_sub(now, timer->expires);
	u64 n;

	if (behind < 0 || WARN_ON(timer->queued) || interval <= 0)
		return 0;
	n = (u64)behind / (u64)interval + 1;
	timer->expires = ktime_add_safe(timer->expires, (s64)n * interval);
	return n;
}

u64 hrtimer_next_event_without(const struct hrtimer *exclude)
{
	struct hrtimer_cpu_base *cpu_base = this_cpu_ptr(&hrtimer_bases);
	unsigned long flags;
	ktime_t next;

	spin_lock_irqsave(&cpu_base->lock, flags);
	next = next_event(cpu_base, exclude);
	spin_unlock_irqrestore(&cpu_base->lock, flags);
	return (u64)next;
}

u64 hrtimer_get_next_event(void)
{
	return hrtimer_next_event_without(NULL);
}

/* ---- the interrupt ---- */

/* Lock held, dropped around the function. */
static void run_timer(struct hrtimer_cpu_base *cpu_base, struct hrtimer_clock_base *base, struct hrtimer *timer,
		      ktime_t now) __no_context_analysis		/* dropped and retaken */
{
	enum hrtimer_restart restart;

	base->running = timer;
	dequeue(timer, base);
	spin_unlock(&cpu_base->lock);
	trace_hrtimer_expire((u64)timer, (u64)timer->function, (u64)now);
	restart = timer->function(timer);
	spin_lock(&cpu_base->lock);
	/* Somebody may have started it meanwhile: then that is what counts. */
	if (restart == HRTIMER_RESTART && !timer->queued)
		enqueue(timer, base);
	base->running = NULL;
}

static void run_expired(struct hrtimer_cpu_base *cpu_base, ktime_t now)
{
	for (int i = 0; i < NR_BASES; i++) {
		struct hrtimer_clock_base *base = &cpu_base->base[i];
		struct hrtimer *timer;

		while ((timer = first_timer(base)) && mono_expiry(timer, base) <= now)
			run_timer(cpu_base, base, timer, now);
	}
}

#define MAX_ROUNDS	3			/* more would keep everything else from running */

/* From the timer device, in hard interrupt context. */
void hrtimer_interrupt(struct clock_event_device *dev)
{
	struct hrtimer_cpu_base *cpu_base = this_cpu_ptr(&hrtimer_bases);
	ktime_t next;

	spin_lock(&cpu_base->lock);
	cpu_base->in_interrupt = true;
	for (int i = 0; i < MAX_ROUNDS; i++) {
		ktime_t now = update_offsets(cpu_base);

		run_expired(cpu_base, now);
		next = next_event(cpu_base, NULL);
		if (next > now)
			break;
	}
	cpu_base->in_interrupt = false;
	set_device(cpu_base, next);
	spin_unlock(&cpu_base->lock);
}

void hrtimers_reprogram(void)
{
	struct hrtimer_cpu_base *cpu_base = this_cpu_ptr(&hrtimer_bases);
	unsigned long flags;

	spin_lock_irqsave(&cpu_base->lock, flags);
	update_offsets(cpu_base);
	if (!cpu_base->in_interrupt)
		set_device(cpu_base, next_event(cpu_base, NULL));
	spin_unlock_irqrestore(&cpu_base->lock, flags);
}

static void reprogram_this_cpu(void *unused)
{
	hrtimers_reprogram();
}

void clock_was_set(void)
{
	on_each_cpu(reprogram_this_cpu, NULL, 1);
	timerfd_clock_was_set();
}

/* ---- sleeping ---- */

static enum hrtimer_restart hrtimer_wakeup(struct hrtimer *timer)
{
	struct hrtimer_sleeper *sl = container_of(timer, struct hrtimer_sleeper, timer);
	struct task_struct *task = sl->task;

	/* The task may return, and *sl be gone, as soon as it sees NULL; its task_struct lives while we are in an interrupt. */
	smp_store_release(&sl->task, NULL);
	if (task)
		wake_up_process(task);
	return HRTIMER_NORESTART;
}

void hrtimer_init_sleeper(struct hrtimer_sleeper *sl, clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(&sl->timer, clock, mode);
	sl->timer.function = hrtimer_wakeup;
	sl->task = current;
}

void hrtimer_sleeper_start_expires(struct hrtimer_sleeper *sl, enum hrtimer_mode mode)
{
	hrtimer_start(&sl->timer, sl->timer.expires, mode);
}

int schedule_hrtimeout_range_clock(ktime_t *expires, u64 delta, const enum hrtimer_mode mode, clockid_t clock_id)
{
	struct hrtimer_sleeper t;

	if (expires && *expires == 0) {
		__set_current_state(TASK_RUNNING);
		return 0;
	}
	if (!expires) {
		schedule();
		return -EINTR;
	}
	hrtimer_init_sleeper_on_stack(&t, clock_id, mode);
	hrtimer_set_expires(&t.timer, *expires);
	hrtimer_sleeper_start_expires(&t, mode);
	if (likely(READ_ONCE(t.task)))
		schedule();
	hrtimer_cancel(&t.timer);
	__set_current_state(TASK_RUNNING);
	return t.task ? -EINTR : 0;
}

int schedule_hrtimeout_range(ktime_t *expires, u64 delta, const enum hrtimer_mode mode)
{
	return schedule_hrtimeout_range_clock(expires, delta, mode, CLOCK_MONOTONIC);
}

int schedule_hrtimeout(ktime_t *expires, const enum hrtimer_mode mode)
{
	return schedule_hrtimeout_range(expires, 0, mode);
}

/* ---- start-up ---- */

int hrtimers_prepare_cpu(unsigned int cpu)
{
	static const clockid_t clocks[NR_BASES] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI };
	struct hrtimer_cpu_base *cpu_base = per_cpu_ptr(&hrtimer_bases, cpu);

	spin_lock_init(&cpu_base->lock);
	cpu_base->expires_next = KTIME_MAX;
	for (int i = 0; i < NR_BASES; i++) {
		cpu_base->base[i].cpu_base = cpu_base;
		cpu_base->base[i].clockid = clocks[i];
		cpu_base->base[i].active = RB_ROOT_CACHED;
	}
	update_offsets(cpu_base);
	return 0;
}

/* All CPUs that may ever come: a timer may be started on one before anybody thinks of preparing it. */
void __init hrtimers_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimers_prepare_cpu((unsigned int)cpu);
}
