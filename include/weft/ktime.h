/*
 * ktime.h: ktime_t, signed nanoseconds, and its conversions.  Good for 292 years; KTIME_MAX stands for "never".
 */
#ifndef WEFT_KTIME_H
#define WEFT_KTIME_H

#include <weft/types.h>
#include <weft/time64.h>
#include <weft/math64.h>

typedef s64 ktime_t;

#define KTIME_MAX	((s64)~((u64)1 << 63))
#define KTIME_MIN	(-KTIME_MAX - 1)
#define KTIME_SEC_MAX	(KTIME_MAX / NSEC_PER_SEC)

static inline ktime_t ktime_set(s64 secs, unsigned long nsecs)
{
	if (unlikely(secs >= KTIME_SEC_MAX))
		return KTIME_MAX;
	return secs * NSEC_PER_SEC + (s64)nsecs;
}

#define ktime_sub(a, b)		((a) - (b))
#define ktime_add(a, b)		((a) + (b))
#define ktime_add_unsafe(a, b)	((u64)(a) + (b))
#define ktime_add_ns(a, ns)	((a) + (ns))
#define ktime_sub_ns(a, ns)	((a) - (ns))
#define ktime_to_ns(kt)		(kt)
#define ns_to_ktime(ns)		((ktime_t)(ns))
#define ktime_to_timespec64(kt)	ns_to_timespec64(kt)

/* A sum that stops at KTIME_MAX instead of going round. */
static inline ktime_t ktime_add_safe(ktime_t a, ktime_t b)
{
	s64 res;

	if (__builtin_add_overflow(a, b, &res))
		return KTIME_MAX;
	return res;
}

static inline ktime_t timespec64_to_ktime(struct timespec64 ts) { return ktime_set(ts.tv_sec, ts.tv_nsec); }
static inline int ktime_compare(ktime_t a, ktime_t b) { return a < b ? -1 : a > b; }
static inline bool ktime_after(ktime_t a, ktime_t b) { return a > b; }
static inline bool ktime_before(ktime_t a, ktime_t b) { return a < b; }
static inline s64 ktime_divns(ktime_t kt, s64 div) { return kt / div; }
static inline s64 ktime_to_us(ktime_t kt) { return kt / NSEC_PER_USEC; }
static inline s64 ktime_to_ms(ktime_t kt) { return kt / NSEC_PER_MSEC; }
static inline ktime_t us_to_ktime(u64 us) { return us * NSEC_PER_USEC; }
static inline ktime_t ms_to_ktime(u64 ms) { return ms * NSEC_PER_MSEC; }
static inline ktime_t ktime_add_us(ktime_t kt, u64 us) { return kt + us * NSEC_PER_USEC; }
static inline ktime_t ktime_add_ms(ktime_t kt, u64 ms) { return kt + ms * NSEC_PER_MSEC; }
static inline s64 ktime_us_delta(ktime_t later, ktime_t earlier) { return ktime_to_us(later - earlier); }
static inline s64 ktime_ms_delta(ktime_t later, ktime_t earlier) { return ktime_to_ms(later - earlier); }

#endif
