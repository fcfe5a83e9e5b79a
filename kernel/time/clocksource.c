/*
 * clocksource.c: the counters that time can be kept by, the best of which timekeeping.c uses.
 *
 * Idea:    ns = cycles * mult >> shift.  The larger shift, the finer; but the product must not overflow for as long as the
 *          machine may sleep without looking at the clock (ten minutes are allowed for).
 * Locking: clocksource_lock guards the list; registration is rare.
 * See:     spec.md §1 "interrupts and time"
 */
#include <weft/clocksource.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/mutex.h>
#include <weft/sched.h>
#include <weft/timekeeping.h>
#include <weft/vdso_data.h>

#define MAX_SLEEP_SECONDS	600

static DEFINE_SPINLOCK(clocksource_lock);
static LIST_HEAD(clocksource_list);		/* [clocksource_lock] best first */

/* to/from as mult >> shift, good for counts of `from` that last maxsec seconds. */
void clocks_calc_mult_shift(u32 *mult, u32 *shift, u32 from, u32 to, u32 maxsec)
{
	u64 largest = (u64)maxsec * from >> 32, m = 0;
	u32 room = 32, s;

	/* How many bits mult may have: what the count needs above 32 is lost to it. */
	for (; largest; largest >>= 1)
		room--;
	for (s = 32; s > 0; s--) {
		m = (((u64)to << s) + from / 2) / from;
		if (m >> room == 0)
			break;
	}
	*mult = (u32)m;
	*shift = s;
}

static void enqueue_clocksource(struct clocksource *cs)
{
	struct clocksource *other;
	struct list_head *before = &clocksource_list;

	list_for_each_entry(other, &clocksource_list, list) {
		if (other->rating < cs->rating)
			break;
		before = &other->list;
	}
	list_add(&cs->list, before);
}

static int clocksource_register(struct clocksource *cs)
{
	unsigned long flags;
	bool best;

	spin_lock_irqsave(&clocksource_lock, flags);
	enqueue_clocksource(cs);
	best = list_first_entry(&clocksource_list, struct clocksource, list) == cs;
	spin_unlock_irqrestore(&clocksource_lock, flags);
	if (best)
		timekeeping_notify(cs);
	return 0;
}

int clocksource_register_khz(struct clocksource *cs, u32 khz)
{
	/* The same ratio with both sides divided by 1000: khz * 1000 may not fit 32 bits. */
	clocks_calc_mult_shift(&cs->mult, &cs->shift, khz, NSEC_PER_SEC / MSEC_PER_SEC, MAX_SLEEP_SECONDS * MSEC_PER_SEC);
	return clocksource_register(cs);
}

/* ---- the last resort, and the first: jiffies itself ---- */

#define JIFFIES_SHIFT	8

static u64 jiffies_read(struct clocksource *cs)
{
	return jiffies;
}

struct clocksource clocksource_jiffies = {
	.name	= "jiffies",
	.rating	= 1,
	.read	= jiffies_read,
	.mask	= CLOCKSOURCE_MASK(32),
	.mult	= TICK_NSEC << JIFFIES_SHIFT,
	.shift	= JIFFIES_SHIFT,
	.vdso_clock_mode = VDSO_CLOCKMODE_NONE,
};
