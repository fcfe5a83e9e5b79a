/*
 * clockchips.h: a device that interrupts at a given time: one for each CPU (the local APIC timer), one-shot.
 *
 * The driver fills in name, features, set_next_event (or set_next_ktime) and cpumask, registers the device on its own
 * CPU with interrupts off, and calls evt->event_handler(evt) from its interrupt (irq_enter'ed, interrupts off).
 */
#ifndef WEFT_CLOCKCHIPS_H
#define WEFT_CLOCKCHIPS_H

#include <weft/types.h>
#include <weft/ktime.h>
#include <weft/cpumask.h>

#define CLOCK_EVT_FEAT_PERIODIC	0x01
#define CLOCK_EVT_FEAT_ONESHOT	0x02
#define CLOCK_EVT_FEAT_KTIME	0x04	/* set_next_ktime takes the absolute monotonic time */

struct clock_event_device {
	void		(*event_handler)(struct clock_event_device *evt);
	int		(*set_next_event)(unsigned long delta, struct clock_event_device *evt);	/* device ticks from now */
	int		(*set_next_ktime)(ktime_t expires, struct clock_event_device *evt);
	int		(*set_state_shutdown)(struct clock_event_device *evt);	/* optional */
	int		(*set_state_oneshot)(struct clock_event_device *evt);	/* optional: called once at registration */
	ktime_t		next_event;
	u64		max_delta_ns, min_delta_ns;
	u32		mult;			/* device ticks = ns * mult >> shift */
	u32		shift;
	unsigned int	features;
	unsigned long	min_delta_ticks, max_delta_ticks;
	const char	*name;
	int		rating;
	int		irq;
	const struct cpumask *cpumask;
};

/* On the CPU that the device belongs to, interrupts off: from here on this CPU has timers. */
void clockevents_config_and_register(struct clock_event_device *dev, u32 freq, unsigned long min_delta,
				     unsigned long max_delta);
void clockevents_register_device(struct clock_event_device *dev);
/* Programs the next interrupt; a time in the past means as soon as possible.  Interrupts off. */
int clockevents_program_event(struct clock_event_device *dev, ktime_t expires, bool force);
static inline u64 div_sc(unsigned long ticks, unsigned long nsec, int shift) { return ((u64)ticks << shift) / nsec; }

#endif
