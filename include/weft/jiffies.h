/*
 * jiffies.h: the coarse clock, HZ ticks a second, for timeouts that may be late by a tick.
 *
 * jiffies is written under jiffies_lock (kernel/time/tick.c) by whichever CPU sees first that a tick has passed, and
 * read everywhere without a lock.  Compare by time_after() and friends: it starts near its wrap to find who forgets.
 */
#ifndef WEFT_JIFFIES_H
#define WEFT_JIFFIES_H

#include <weft/types.h>
#include <weft/time64.h>
#include <weft/limits.h>

#define HZ		250
#define USER_HZ		100
#define CLOCKS_PER_SEC	USER_HZ
#define TICK_NSEC	(NSEC_PER_SEC / HZ)
#define TICK_USEC	(USEC_PER_SEC / HZ)

extern volatile unsigned long jiffies;		/* [-] one word; a reader may be a tick late */
#define jiffies_64	((u64)jiffies)
static inline u64 get_jiffies_64(void) { return jiffies; }

#define INITIAL_JIFFIES	((unsigned long)(unsigned int)(-300 * HZ))
#define MAX_JIFFY_OFFSET ((LONG_MAX >> 1) - 1)

#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)
#define time_before_eq(a, b)	time_after_eq(b, a)
#define time_in_range(a, b, c)	(time_after_eq(a, b) && time_before_eq(a, c))
#define time_after64(a, b)	((s64)((b) - (a)) < 0)
#define time_before64(a, b)	time_after64(b, a)
#define time_is_before_jiffies(a) time_after(jiffies, a)
#define time_is_after_jiffies(a) time_before(jiffies, a)

/* Rounded up: a timeout is never short. */
static inline unsigned long msecs_to_jiffies(unsigned int m)
{
	return (int)m < 0 ? MAX_JIFFY_OFFSET : ((unsigned long)m * HZ + MSEC_PER_SEC - 1) / MSEC_PER_SEC;
}

static inline unsigned long usecs_to_jiffies(unsigned int u)
{
	return ((unsigned long)u * HZ + USEC_PER_SEC - 1) / USEC_PER_SEC;
}
static inline unsigned long nsecs_to_jiffies(u64 n) { return n / TICK_NSEC; }
static inline u64 nsecs_to_jiffies64(u64 n) { return n / TICK_NSEC; }
static inline unsigned int jiffies_to_msecs(unsigned long j) { return j * (MSEC_PER_SEC / HZ); }
static inline unsigned int jiffies_to_usecs(unsigned long j) { return j * (USEC_PER_SEC / HZ); }
static inline u64 jiffies_to_nsecs(unsigned long j) { return (u64)j * TICK_NSEC; }

static inline unsigned long timespec64_to_jiffies(const struct timespec64 *ts)
{
	if (ts->tv_sec >= (time64_t)(MAX_JIFFY_OFFSET / HZ))
		return MAX_JIFFY_OFFSET;
	return ts->tv_sec * HZ + (ts->tv_nsec + TICK_NSEC - 1) / TICK_NSEC;
}

/* USER_HZ: what times(2) and /proc show. */
typedef long clock_user_t;
static inline u64 nsec_to_clock_t(u64 ns) { return ns / (NSEC_PER_SEC / USER_HZ); }
static inline u64 jiffies_to_clock_t(unsigned long j) { return (u64)j * TICK_NSEC / (NSEC_PER_SEC / USER_HZ); }
static inline u64 jiffies_64_to_clock_t(u64 j) { return jiffies_to_clock_t(j); }
static inline unsigned long clock_t_to_jiffies(unsigned long x) { return x * (NSEC_PER_SEC / USER_HZ) / TICK_NSEC; }

static inline unsigned long round_jiffies_up(unsigned long j) { return (j + HZ - 1) / HZ * HZ; }

#endif
