/*
 * clockevents.c: the devices that interrupt at a given time: nanoseconds into their ticks.
 *
 * Idea:    one one-shot device a CPU.  A time in the past is asked for as the shortest time that the device can do; one too
 *          far away as the longest: then the interrupt comes early, hrtimer_interrupt() finds nothing due and asks again.
 * Locking: each device belongs to its CPU; interrupts off.
 * See:     clockchips.h
 */
#include <weft/clockchips.h>
#include <weft/clocksource.h>
#include <weft/kernel.h>
#include <weft/math64.h>
#include <weft/sched.h>
#include <weft/tick.h>
#include <weft/timekeeping.h>

static u64 ticks_to_ns(u64 ticks, const struct clock_event_device *dev)
{
	return mul_u64_u64_div_u64(ticks, 1ULL << dev->shift, dev->mult);
}

int clockevents_program_event(struct clock_event_device *dev, ktime_t expires, bool force)
{
	s64 delta;

	if (expires < 0)
		expires = 0;
	dev->next_event = expires;
	if (dev->features & CLOCK_EVT_FEAT_KTIME)
		return dev->set_next_ktime(expires, dev);

	delta = ktime_sub(expires, ktime_get());
	if (delta <= 0 && !force)
		return -ETIME;
	delta = clamp_t(s64, delta, (s64)dev->min_delta_ns, (s64)dev->max_delta_ns);
	return dev->set_next_event((unsigned long)mul_u64_u32_shr((u64)delta, dev->mult, dev->shift), dev);
}

void clockevents_register_device(struct clock_event_device *dev)
{
	lockdep_assert_irqs_disabled();
	if (dev->set_state_oneshot)
		dev->set_state_oneshot(dev);
	tick_setup_device(dev);
}

void clockevents_config_and_register(struct clock_event_device *dev, u32 freq, unsigned long min_delta,
				     unsigned long max_delta)
{
	u64 max_seconds = max_delta / freq + 1;

	dev->min_delta_ticks = min_delta;
	dev->max_delta_ticks = max_delta;
	clocks_calc_mult_shift(&dev->mult, &dev->shift, NSEC_PER_SEC, freq, (u32)min_t(u64, max_seconds, 600));
	/* Rounding must not make a tick too few of the smallest delta. */
	dev->min_delta_ns = max_t(u64, ticks_to_ns(min_delta, dev) + 1, 1000);
	dev->max_delta_ns = ticks_to_ns(max_delta, dev);
	clockevents_register_device(dev);
}
