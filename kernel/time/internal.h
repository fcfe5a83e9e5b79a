/*
 * internal.h: what the files of kernel/time share and nobody else sees.
 */
#ifndef KERNEL_TIME_INTERNAL_H
#define KERNEL_TIME_INTERNAL_H

#include <weft/types.h>
#include <weft/ktime.h>
#include <weft/timekeeping.h>
#include <weft/clocksource.h>
#include <weft/seqlock.h>

/*
 * The clock: monotonic time is mono_ns + ((cycles - cycle_last) * mult + frac >> shift).  [timekeeper_lock, seq]
 */
struct timekeeper {
	struct clocksource	*clock;
	u64			cycle_last;	/* of the clocksource, at the last update */
	u64			mono_ns;	/* at cycle_last */
	u64			frac;		/* ns << shift, less than one ns */
	u64			raw_ns;		/* CLOCK_MONOTONIC_RAW at cycle_last */
	u64			raw_frac;
	u32			mult;		/* the clocksource's, bent by adjtimex */
	u32			shift;
	ktime_t			offs[TK_OFFS_MAX];	/* from monotonic to the others */
	s32			tai_offset;	/* seconds: TAI - UTC */
	unsigned int		set_seq;	/* how often a clock was set */
};

/* ---- vsyscall.c: the vDSO's copy.  timekeeper_lock held ---- */
void update_vsyscall(const struct timekeeper *tk);
void update_vsyscall_tz(void);

/* ---- ntp.c.  timekeeper_lock held ---- */
/* By how much time shall run faster: parts per 2^32. */
s64 ntp_rate(void);
void ntp_clear(void);
/*
 * Second `now` of real time begins, `seconds` after the last call: the next part of what is to be slewed.  Returns by how
 * many seconds the clock is to jump for a leap second: -1, 0, 1.
 */
int ntp_second(s64 now, s64 seconds);
int ntp_adjust(struct __kernel_timex *txc, const struct timespec64 *now, s32 *tai_offset);

/* ---- hrtimer.c ---- */
/* This CPU's timers are due when they are due, whatever its device was set to: it is new, or a clock was set. */
void hrtimers_reprogram(void);

/* ---- posix-timers.c: timers on the clocks that hrtimers have.  timr->it_lock held but for create ---- */
struct k_itimer;
struct itimerspec64;
int hr_timer_create(struct k_itimer *timr);
int hr_timer_set(struct k_itimer *timr, int flags, struct itimerspec64 *new, struct itimerspec64 *old);
int hr_timer_del(struct k_itimer *timr);
void hr_timer_get(struct k_itimer *timr, struct itimerspec64 *cur);
void hr_timer_rearm(struct k_itimer *timr);

/* ---- tick.c ---- */
extern seqcount_t jiffies_seq;			/* jiffies and last_jiffies_update belong together */
extern ktime_t last_jiffies_update;		/* monotonic time at which jiffies got its value */

#endif
