/*
 * time64.h: struct timespec64 (seconds and nanoseconds, normalised: 0 <= tv_nsec < 10^9) and its arithmetic.
 */
#ifndef WEFT_TIME64_H
#define WEFT_TIME64_H

#include <weft/types.h>
#include <weft/math64.h>
#include <uapi/time.h>

typedef u64 timeu64_t;

struct timespec64 {
	time64_t	tv_sec;
	long		tv_nsec;
};

struct itimerspec64 {
	struct timespec64 it_interval;
	struct timespec64 it_value;
};

#define MSEC_PER_SEC	1000L
#define USEC_PER_MSEC	1000L
#define NSEC_PER_USEC	1000L
#define NSEC_PER_MSEC	1000000L
#define USEC_PER_SEC	1000000L
#define NSEC_PER_SEC	1000000000L
#define PSEC_PER_NSEC	1000L
#define FSEC_PER_SEC	1000000000000000LL

#define TIME64_MAX		((s64)~((u64)1 << 63))
#define TIME64_MIN		(-TIME64_MAX - 1)
#define TIME_UPTIME_SEC_MAX	(30LL * 365 * 24 * 3600)
#define TIME_SETTOD_SEC_MAX	(TIME64_MAX / NSEC_PER_SEC - TIME_UPTIME_SEC_MAX)	/* leaves room for 30 years of uptime */

static inline bool timespec64_equal(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static inline int timespec64_compare(const struct timespec64 *a, const struct timespec64 *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

/* Not before 1970, nanoseconds in range: what a system call may be given as an interval. */
static inline bool timespec64_valid(const struct timespec64 *ts)
{
	return ts->tv_sec >= 0 && (unsigned long)ts->tv_nsec < NSEC_PER_SEC;
}

static inline bool timespec64_valid_strict(const struct timespec64 *ts)
{
	return timespec64_valid(ts) && ts->tv_sec < TIME64_MAX / NSEC_PER_SEC;
}

static inline bool timespec64_valid_settod(const struct timespec64 *ts)
{
	return timespec64_valid(ts) && ts->tv_sec < TIME_SETTOD_SEC_MAX;
}

/* Saturates at the ends of s64. */
static inline s64 timespec64_to_ns(const struct timespec64 *ts)
{
	if (ts->tv_sec >= TIME64_MAX / NSEC_PER_SEC)
		return TIME64_MAX;
	if (ts->tv_sec <= TIME64_MIN / NSEC_PER_SEC)
		return TIME64_MIN;
	return ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}

static inline void set_normalized_timespec64(struct timespec64 *ts, time64_t sec, s64 nsec)
{
	sec += nsec / NSEC_PER_SEC;
	nsec %= NSEC_PER_SEC;
	if (nsec < 0) {
		nsec += NSEC_PER_SEC;
		sec--;
	}
	ts->tv_sec = sec;
	ts->tv_nsec = nsec;
}

static inline struct timespec64 ns_to_timespec64(s64 nsec)
{
	struct timespec64 ts;

	set_normalized_timespec64(&ts, 0, nsec);
	return ts;
}

static inline struct timespec64 timespec64_add(struct timespec64 a, struct timespec64 b)
{
	struct timespec64 ts;

	set_normalized_timespec64(&ts, a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec);
	return ts;
}

static inline struct timespec64 timespec64_sub(struct timespec64 a, struct timespec64 b)
{
	struct timespec64 ts;

	set_normalized_timespec64(&ts, a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec);
	return ts;
}

static inline void timespec64_add_ns(struct timespec64 *ts, u64 ns)
{
	set_normalized_timespec64(ts, ts->tv_sec + ns / NSEC_PER_SEC, ts->tv_nsec + ns % NSEC_PER_SEC);
}

struct timespec64 timespec64_add_safe(struct timespec64 a, struct timespec64 b);	/* stops at TIME64_MAX seconds */

/* To and from user space: 0 or -EFAULT. */
int get_timespec64(struct timespec64 *ts, const struct __kernel_timespec __user *uts);
int put_timespec64(const struct timespec64 *ts, struct __kernel_timespec __user *uts);
int get_itimerspec64(struct itimerspec64 *it, const struct __kernel_itimerspec __user *uit);
int put_itimerspec64(const struct itimerspec64 *it, struct __kernel_itimerspec __user *uit);
int get_old_timeval(struct __kernel_old_timeval *tv, const struct __kernel_old_timeval __user *utv);
int put_old_timeval(const struct __kernel_old_timeval *tv, struct __kernel_old_timeval __user *utv);
int get_timex(struct __kernel_timex *txc, const struct __kernel_timex __user *utxc);
int put_timex(const struct __kernel_timex *txc, struct __kernel_timex __user *utxc);
/* The element behind *first of an array in user memory. */
struct __kernel_timespec __user *second_timespec(const struct __kernel_timespec __user *first);
struct __kernel_old_timeval __user *second_timeval(const struct __kernel_old_timeval __user *first);

struct __kernel_old_timeval ns_to_kernel_old_timeval(s64 nsec);
/* Civil date (month 1..12) to seconds since 1970, UTC. */
time64_t mktime64(unsigned int year, unsigned int mon, unsigned int day, unsigned int hour, unsigned int min, unsigned int sec);
struct tm {
	int tm_sec, tm_min, tm_hour, tm_mday, tm_mon;
	long tm_year;
	int tm_wday, tm_yday;
};
void time64_to_tm(time64_t totalsecs, int offset, struct tm *result);

#endif
