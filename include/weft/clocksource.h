/*
 * clocksource.h: a free-running counter that time is kept by.  The best rated one wins; arch registers the TSC (300),
 * HPET or the ACPI timer as fallbacks.
 */
#ifndef WEFT_CLOCKSOURCE_H
#define WEFT_CLOCKSOURCE_H

#include <weft/types.h>
#include <weft/list.h>

#define CLOCKSOURCE_MASK(bits)	(~0ULL >> (64 - (bits)))
#define CLOCK_SOURCE_IS_CONTINUOUS	0x01
#define CLOCK_SOURCE_VALID_FOR_HRES	0x20

struct clocksource {
	u64		(*read)(struct clocksource *cs);	/* any context, no locks */
	u64		mask;
	u32		mult;			/* ns = cycles * mult >> shift */
	u32		shift;
	const char	*name;
	int		rating;			/* 1..499, higher is better */
	unsigned long	flags;
	int		vdso_clock_mode;	/* not 0: user space can read it (vdso_data.h) */
	struct list_head list;			/* [clocksource_lock] */
};

/* Works out mult and shift from the frequency and makes it the clock if it is the best.  0. */
int clocksource_register_khz(struct clocksource *cs, u32 khz);
void clocks_calc_mult_shift(u32 *mult, u32 *shift, u32 from, u32 to, u32 maxsec);
extern struct clocksource clocksource_jiffies;

#endif
