/*
 * timer.c: the timer wheel: timeouts in ticks.
 *
 * Idea:    nine levels of 64 buckets.  A bucket of level n covers 8^n ticks, and the buckets of a level reach 63 times
 *          that far: level 0 is exact, level 1 good to 8 ticks and used from 63 on, ...: a timer is late by at most an eighth
 *          of its length.  It is put where it belongs once and never moved again ("cascaded"): adding, removing and
 *          expiring are O(1).  A bitmap of buckets in use makes "when is the next one due" cheap, which an idle CPU asks
 *          before it stops its tick.
 * Context: functions run in TIMER_SOFTIRQ of the CPU that holds the timer, without the lock.
 * Locking: base->lock (irq) guards the wheel.  timer->flags names the CPU, whose base's lock must be held to change it;
 *          TIMER_MIGRATING says that it is on its way between two.
 * See:     timer.h; G. Varghese, T. Lauck: Hashed and Hierarchical Timing Wheels (1987); doc/time.md
 */
#include <weft/bitmap.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/percpu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/smp.h>
#include <weft/softirq.h>
#include <weft/spinlock.h>
#include <weft/tick.h>
#include <weft/timer.h>
#include <weft/trace.h>
#include "internal.h"

#define LEVELS		9
#define BUCKETS		64			/* of a level */
#define CLK_SHIFT	3			/* each level is 8 times coarser */
#define CLK_MASK	((1UL << CLK_SHIFT) - 1)
#define WHEEL_SIZE	(LEVELS * BUCKETS)
#define LEVEL_SHIFT(n)	((n) * CLK_SHIFT)
#define GRANULARITY(n)	(1UL << LEVEL_SHIFT(n))
#define LEVEL_START(n)	((BUCKETS - 1UL) << (((n) - 1) * CLK_SHIFT))	/* the first distance that level n is for */
#define FARTHEST	(LEVEL_START(LEVELS) - GRANULARITY(LEVELS - 1))

struct timer_base {
	spinlock_t		lock;		/* class: timer base */
	struct timer_list	*running;	/* [lock] its function is being called */
	unsigned long		clk;		/* [lock] jiffies up to which buckets were looked at */
	unsigned long		next_expiry;	/* [lock] nothing is due before; [-] the tick peeks */
	unsigned int		nr;		/* [lock] timers in the wheel */
	DECLARE_BITMAP(pending, WHEEL_SIZE);	/* [lock] buckets that may be not empty */
	struct hlist_head	wheel[WHEEL_SIZE];
};

static DEFINE_PER_CPU(struct timer_base, timer_bases);

static inline struct timer_base *base_of(u32 flags)
{
	return per_cpu_ptr(&timer_bases, flags & TIMER_CPUMASK);
}

/* ---- the wheel: base->lock held ---- */

/* Which bucket, and when that is due.  One granule is added: a timer must not fire early, and the tick may be just over. */
static unsigned int find_bucket(unsigned long expires, unsigned long clk, unsigned long *due)
{
	long delta = (long)(expires - clk);
	unsigned int level;

	if (delta < 0) {
		*due = clk;
		return clk & (BUCKETS - 1);
	}
	if ((unsigned long)delta > FARTHEST) {
		expires = clk + FARTHEST;
		delta = FARTHEST;
	}
	for (level = 0; level < LEVELS - 1; level++)
		if ((unsigned long)delta < LEVEL_START(level + 1))
			break;
	expires = (expires + GRANULARITY(level)) >> LEVEL_SHIFT(level);
	*due = expires << LEVEL_SHIFT(level);
	return level * BUCKETS + (expires & (BUCKETS - 1));
}

static void enqueue(struct timer_base *base, struct timer_list *timer)
{
	unsigned long due;
	unsigned int i = find_bucket(timer->expires, base->clk, &due);

	hlist_add_head(&timer->entry, &base->wheel[i]);
	__set_bit(i, base->pending);
	timer->flags = (timer->flags & ~TIMER_ARRAYMASK) | (i << TIMER_ARRAYSHIFT);
	base->nr++;
	if (time_before(due, base->next_expiry) || base->nr == 1)
		WRITE_ONCE(base->next_expiry, due);
}

static void detach(struct timer_list *timer)
{
	__hlist_del(&timer->entry);
	timer->entry.pprev = NULL;
}

/* True if it was in the wheel. */
static bool dequeue(struct timer_base *base, struct timer_list *timer)
{
	unsigned int i = timer->flags >> TIMER_ARRAYSHIFT;

	if (!timer_pending(timer))
		return false;
	detach(timer);
	/* It may be in the list of expired ones already: then its bucket's bit is clear, and stays so. */
	if (hlist_empty(&base->wheel[i]))
		__clear_bit(i, base->pending);
	base->nr--;
	return true;
}

/*
 * When the next bucket is due.  Level n turns when all lower digits of the clock are 0, so its own digit, as seen from a
 * clock between two turns, is the next one: that is the carry.
 */
static unsigned long next_due(struct timer_base *base)
{
	unsigned long clk = base->clk, next = base->clk + FARTHEST;

	for (unsigned int level = 0; level < LEVELS; level++) {
		unsigned int start = level * BUCKETS, from = start + (clk & (BUCKETS - 1));
		unsigned long i = find_next_bit(base->pending, start + BUCKETS, from), steps;

		if (i < start + BUCKETS) {
			steps = i - from;
		} else {
			i = find_next_bit(base->pending, from, start);
			steps = i < from ? i + BUCKETS - from : BUCKETS;
		}
		if (steps < BUCKETS && time_before((clk + steps) << LEVEL_SHIFT(level), next))
			next = (clk + steps) << LEVEL_SHIFT(level);
		clk = (clk >> CLK_SHIFT) + ((clk & CLK_MASK) != 0);
	}
	return next;
}

/* After a long time without timers the wheel's clock is old, and distances from it would be too large. */
static void forward(struct timer_base *base)
{
	unsigned long now = READ_ONCE(jiffies);

	if (time_before_eq(now, base->clk))
		return;
	if (!base->nr || time_after(base->next_expiry, now))
		base->clk = now;
	else if (time_after(base->next_expiry, base->clk))
		base->clk = base->next_expiry;
}

/* ---- base and lock of a timer ---- */

static struct timer_base *lock_base(struct timer_list *timer, unsigned long *flags)
	__no_context_analysis		/* which lock is known only when it is held */
{
	for (;;) {
		u32 tf = READ_ONCE(timer->flags);

		if (!(tf & TIMER_MIGRATING)) {
			struct timer_base *base = base_of(tf);

			spin_lock_irqsave(&base->lock, *flags);
			if ((timer->flags & (TIMER_CPUMASK | TIMER_MIGRATING)) == (tf & (TIMER_CPUMASK | TIMER_MIGRATING)))
				return base;
			spin_unlock_irqrestore(&base->lock, *flags);
		}
		cpu_relax();
	}
}

/* The timer, not in the wheel, shall be cpu's.  One whose function runs stays: del_timer_sync() looks there. */
static struct timer_base *switch_base(struct timer_list *timer, struct timer_base *base, int cpu)
	__no_context_analysis		/* one lock is given for another */
{
	struct timer_base *new = per_cpu_ptr(&timer_bases, cpu);

	if (base == new || base->running == timer)
		return base;
	WRITE_ONCE(timer->flags, timer->flags | TIMER_MIGRATING);
	spin_unlock(&base->lock);
	spin_lock(&new->lock);
	smp_store_release(&timer->flags, (timer->flags & ~(TIMER_CPUMASK | TIMER_MIGRATING)) | (u32)cpu);
	return new;
}

/* ---- adding and removing ---- */

void timer_setup(struct timer_list *timer, void (*func)(struct timer_list *), unsigned int flags)
{
	timer->entry.next = NULL;
	timer->entry.pprev = NULL;
	timer->function = func;
	timer->flags = flags | (u32)raw_smp_processor_id();
}

static void add_locked(struct timer_base *base, struct timer_list *timer, unsigned long expires)
{
	forward(base);
	timer->expires = expires;
	enqueue(base, timer);
	trace_timer_start((u64)timer, (u64)timer->function, expires);
}

static int do_mod_timer(struct timer_list *timer, unsigned long expires, bool only_pending, bool only_earlier)
	__no_context_analysis		/* lock_base() */
{
	struct timer_base *base;
	unsigned long flags;
	bool pending;

	/* The same again is what callers with one timeout for many events ask for, over and over. */
	if (timer_pending(timer) && timer->expires == expires)
		return 1;
	base = lock_base(timer, &flags);
	pending = timer_pending(timer);
	if ((only_pending && !pending) || (only_earlier && pending && time_before_eq(timer->expires, expires)))
		goto out;
	dequeue(base, timer);
	if (!(timer->flags & TIMER_PINNED))
		base = switch_base(timer, base, smp_processor_id());
	add_locked(base, timer, expires);
out:
	spin_unlock_irqrestore(&base->lock, flags);
	return pending;
}

int mod_timer(struct timer_list *timer, unsigned long expires)
{
	return do_mod_timer(timer, expires, false, false);
}

int mod_timer_pending(struct timer_list *timer, unsigned long expires)
{
	return do_mod_timer(timer, expires, true, false);
}

/* Makes it fire at `expires` unless it will earlier. */
int timer_reduce(struct timer_list *timer, unsigned long expires)
{
	return do_mod_timer(timer, expires, false, true);
}

void add_timer(struct timer_list *timer)
{
	BUG_ON(timer_pending(timer));
	mod_timer(timer, timer->expires);
}

void add_timer_on(struct timer_list *timer, int cpu) __no_context_analysis	/* lock_base() */
{
	struct timer_base *base;
	unsigned long flags;

	BUG_ON(timer_pending(timer));
	base = lock_base(timer, &flags);
	base = switch_base(timer, base, cpu);
	add_locked(base, timer, timer->expires);
	spin_unlock_irqrestore(&base->lock, flags);
	/* An idle CPU looked at its wheel before it stopped its tick. */
	if (cpu != raw_smp_processor_id() && tick_nohz_tick_stopped_cpu(cpu))
		smp_send_reschedule(cpu);
}

int del_timer(struct timer_list *timer) __no_context_analysis		/* lock_base() */
{
	struct timer_base *base;
	unsigned long flags;
	int ret;

	if (!timer_pending(timer))
		return 0;
	base = lock_base(timer, &flags);
	ret = dequeue(base, timer);
	spin_unlock_irqrestore(&base->lock, flags);
	return ret;
}

int try_to_del_timer_sync(struct timer_list *timer) __no_context_analysis	/* lock_base() */
{
	struct timer_base *base;
	unsigned long flags;
	int ret = -1;

	base = lock_base(timer, &flags);
	if (base->running != timer)
		ret = dequeue(base, timer);
	spin_unlock_irqrestore(&base->lock, flags);
	return ret;
}

int del_timer_sync(struct timer_list *timer)
{
	int ret;

	WARN_ON(in_hardirq() && !(timer->flags & TIMER_IRQSAFE));
	/* Functions run with preemption off: the CPU that runs this one is not waiting for us. */
	while ((ret = try_to_del_timer_sync(timer)) < 0)
		cpu_relax();
	return ret;
}

/* ---- expiring ---- */

static void call_timer(struct timer_list *timer, void (*fn)(struct timer_list *))
{
	int count = preempt_count();

	trace_timer_expire((u64)timer, (u64)fn);
	fn(timer);
	if (unlikely(count != preempt_count())) {
		pr_err("timer %pS: preempt_count %08x became %08x\n", fn, count, preempt_count());
		preempt_count_set(count);
	}
}

static void expire_list(struct timer_base *base, struct hlist_head *list)
	__no_context_analysis		/* the lock is dropped around each function */
{
	while (!hlist_empty(list)) {
		struct timer_list *timer = hlist_entry(list->first, struct timer_list, entry);
		void (*fn)(struct timer_list *) = timer->function;

		base->running = timer;
		detach(timer);
		base->nr--;
		if (timer->flags & TIMER_IRQSAFE) {
			spin_unlock(&base->lock);
			call_timer(timer, fn);
			spin_lock(&base->lock);
		} else {
			spin_unlock_irq(&base->lock);
			call_timer(timer, fn);
			spin_lock_irq(&base->lock);
		}
		/* *timer may be gone. */
		base->running = NULL;
	}
}

/* Takes the buckets that are due at base->clk out of the wheel; how many lists. */
static int collect(struct timer_base *base, struct hlist_head *lists)
{
	unsigned long clk = base->clk;
	int n = 0;

	for (unsigned int level = 0; level < LEVELS; level++) {
		unsigned int i = level * BUCKETS + (clk & (BUCKETS - 1));

		if (__test_and_clear_bit(i, base->pending))
			hlist_move_list(&base->wheel[i], &lists[n++]);
		if (clk & CLK_MASK)
			break;
		clk >>= CLK_SHIFT;
	}
	return n;
}

static void run_timers(struct softirq_action *unused) __no_context_analysis	/* expire_list() */
{
	struct timer_base *base = this_cpu_ptr(&timer_bases);
	struct hlist_head lists[LEVELS];

	spin_lock_irq(&base->lock);
	while (base->nr && time_after_eq(jiffies, base->clk) && time_after_eq(jiffies, base->next_expiry)) {
		int n;

		if (time_after(base->next_expiry, base->clk))
			base->clk = base->next_expiry;
		n = collect(base, lists);
		base->clk++;
		WRITE_ONCE(base->next_expiry, next_due(base));
		while (n--)
			expire_list(base, &lists[n]);
	}
	spin_unlock_irq(&base->lock);
}

void run_local_timers(void)
{
	struct timer_base *base = this_cpu_ptr(&timer_bases);

	if (READ_ONCE(base->nr) && time_after_eq(jiffies, READ_ONCE(base->next_expiry)))
		raise_softirq_irqoff(TIMER_SOFTIRQ);
}

/* For an idle CPU: the monotonic time at which the wheel must be looked at, given that at basem it was jiffy basej. */
u64 get_next_timer_interrupt(unsigned long basej, u64 basem)
{
	struct timer_base *base = this_cpu_ptr(&timer_bases);
	u64 expires = KTIME_MAX;

	spin_lock(&base->lock);
	if (base->nr) {
		unsigned long next = next_due(base);

		WRITE_ONCE(base->next_expiry, next);
		expires = basem;
		if (time_after(next, basej))
			expires += (u64)(next - basej) * TICK_NSEC;
	}
	spin_unlock(&base->lock);
	return expires;
}

void __init timers_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct timer_base *base = per_cpu_ptr(&timer_bases, cpu);

		spin_lock_init(&base->lock);
		base->clk = jiffies;
		base->next_expiry = jiffies + FARTHEST;
	}
	open_softirq(TIMER_SOFTIRQ, run_timers);
}

/* ---- sleeping ---- */

struct process_timer {
	struct timer_list	timer;
	struct task_struct	*task;
};

static void process_timeout(struct timer_list *t)
{
	struct process_timer *timeout = from_timer(timeout, t, timer);

	wake_up_process(timeout->task);
}

long schedule_timeout(long timeout)
{
	struct process_timer timer = { .task = current };
	unsigned long expire;

	if (timeout == MAX_SCHEDULE_TIMEOUT) {
		schedule();
		return timeout;
	}
	if (timeout < 0) {
		pr_err("schedule_timeout: negative timeout %ld\n", timeout);
		dump_stack();
		__set_current_state(TASK_RUNNING);
		return 0;
	}
	expire = (unsigned long)timeout + jiffies;
	timer_setup_on_stack(&timer.timer, process_timeout, 0);
	mod_timer(&timer.timer, expire);
	schedule();
	del_timer_sync(&timer.timer);
	timeout = (long)(expire - jiffies);
	return timeout < 0 ? 0 : timeout;
}

long schedule_timeout_interruptible(long timeout)
{
	__set_current_state(TASK_INTERRUPTIBLE);
	return schedule_timeout(timeout);
}

long schedule_timeout_uninterruptible(long timeout)
{
	__set_current_state(TASK_UNINTERRUPTIBLE);
	return schedule_timeout(timeout);
}

long schedule_timeout_killable(long timeout)
{
	__set_current_state(TASK_KILLABLE);
	return schedule_timeout(timeout);
}

void msleep(unsigned int msecs)
{
	long timeout = (long)msecs_to_jiffies(msecs);

	while (timeout)
		timeout = schedule_timeout_uninterruptible(timeout);
}

/* Milliseconds left when a signal came, or 0. */
unsigned long msleep_interruptible(unsigned int msecs)
{
	long timeout = (long)msecs_to_jiffies(msecs);

	while (timeout && !signal_pending(current))
		timeout = schedule_timeout_interruptible(timeout);
	return jiffies_to_msecs((unsigned long)timeout);
}

void usleep_range(unsigned long min_us, unsigned long max_us)
{
	ktime_t expires = ktime_add_us(ktime_get(), min_us);

	do
		__set_current_state(TASK_UNINTERRUPTIBLE);
	while (schedule_hrtimeout_range(&expires, 0, HRTIMER_MODE_ABS));
}
