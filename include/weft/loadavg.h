/*
 * loadavg.h: the load average: how many tasks were ready or in uninterruptible sleep, as exponential means over 1, 5 and
 * 15 minutes, in fixed point with 11 bits of fraction.  kernel/sched/loadavg.c
 */
#ifndef WEFT_LOADAVG_H
#define WEFT_LOADAVG_H

#define FSHIFT		11
#define FIXED_1		(1UL << FSHIFT)
#define LOAD_INT(x)	((x) >> FSHIFT)
#define LOAD_FRAC(x)	LOAD_INT(((x) & (FIXED_1 - 1)) * 100)

/* Whenever jiffies has advanced; callers are serialised by jiffies_lock. */
void calc_global_load(void);

#endif
