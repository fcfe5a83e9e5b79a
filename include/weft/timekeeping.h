/*
 * timekeeping.h: what time is it.  All readers are lock-free (a sequence count) and may be called from any context.
 *
 * CLOCK_MONOTONIC counts from boot; REALTIME = MONOTONIC + offs_real; BOOTTIME = MONOTONIC + offs_boot (the machine does
 * not suspend: 0); TAI = REALTIME + tai_offset; MONOTONIC_RAW is not disciplined by adjtimex.  Coarse readers give the
 * value at the last tick.
 */
#ifndef WEFT_TIMEKEEPING_H
#define WEFT_TIMEKEEPING_H

#include <weft/types.h>
#include <weft/ktime.h>

struct __kernel_timex;

enum tk_offsets { TK_OFFS_REAL, TK_OFFS_BOOT, TK_OFFS_TAI, TK_OFFS_MAX };

void timekeeping_init(void);
/* A better clocksource is there: called by clocksource_register_*(). */
struct clocksource;
void timekeeping_notify(struct clocksource *cs);

ktime_t ktime_get(void);				/* monotonic */
ktime_t ktime_get_with_offset(enum tk_offsets offs);
ktime_t ktime_get_raw(void);
ktime_t ktime_get_coarse(void);
ktime_t ktime_get_coarse_with_offset(enum tk_offsets offs);
time64_t ktime_get_seconds(void);			/* monotonic, coarse */
time64_t ktime_get_real_seconds(void);			/* coarse */
#define __ktime_get_real_seconds() ktime_get_real_seconds()
ktime_t ktime_mono_to_any(ktime_t tmono, enum tk_offsets offs);

static inline ktime_t ktime_get_real(void) { return ktime_get_with_offset(TK_OFFS_REAL); }
static inline ktime_t ktime_get_boottime(void) { return ktime_get_with_offset(TK_OFFS_BOOT); }
static inline ktime_t ktime_get_clocktai(void) { return ktime_get_with_offset(TK_OFFS_TAI); }
static inline u64 ktime_get_ns(void) { return ktime_get(); }
static inline u64 ktime_get_real_ns(void) { return ktime_get_real(); }
static inline u64 ktime_get_boottime_ns(void) { return ktime_get_boottime(); }
static inline u64 ktime_get_clocktai_ns(void) { return ktime_get_clocktai(); }
static inline u64 ktime_get_raw_ns(void) { return ktime_get_raw(); }
static inline ktime_t ktime_get_coarse_real(void) { return ktime_get_coarse_with_offset(TK_OFFS_REAL); }
static inline ktime_t ktime_get_coarse_boottime(void) { return ktime_get_coarse_with_offset(TK_OFFS_BOOT); }
static inline ktime_t ktime_mono_to_real(ktime_t mono) { return ktime_mono_to_any(mono, TK_OFFS_REAL); }

static inline void ktime_get_ts64(struct timespec64 *ts) { *ts = ns_to_timespec64(ktime_get()); }
static inline void ktime_get_real_ts64(struct timespec64 *ts) { *ts = ns_to_timespec64(ktime_get_real()); }
static inline void ktime_get_boottime_ts64(struct timespec64 *ts) { *ts = ns_to_timespec64(ktime_get_boottime()); }
static inline void ktime_get_clocktai_ts64(struct timespec64 *ts) { *ts = ns_to_timespec64(ktime_get_clocktai()); }
static inline void ktime_get_raw_ts64(struct timespec64 *ts) { *ts = ns_to_timespec64(ktime_get_raw()); }
void ktime_get_coarse_real_ts64(struct timespec64 *ts);
void ktime_get_coarse_ts64(struct timespec64 *ts);
static inline void ktime_get_coarse_boottime_ts64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(ktime_get_coarse_boottime());
}
void getboottime64(struct timespec64 *ts);		/* realtime when the machine started */

/* Now, the three offsets, and the count of clock settings: for the hrtimer bases. */
ktime_t ktime_get_update_offsets_now(unsigned int *cwsseq, ktime_t *offs_real, ktime_t *offs_boot, ktime_t *offs_tai);

int do_settimeofday64(const struct timespec64 *ts);	/* may sleep; -EINVAL */
int do_sys_settimeofday64(const struct timespec64 *tv, const struct timezone *tz);	/* -EPERM, -EINVAL */
int do_adjtimex(struct __kernel_timex *txc);
/* The battery clock, in UTC seconds; leaves *ts alone when there is none.  Start-up.  drivers/char/rtc.c */
void read_persistent_clock64(struct timespec64 *ts);
void update_wall_time(void);				/* from the tick */

/* Cheap monotonic ns for the scheduler, from the TSC of this CPU: any context, interrupts may be on. */
u64 sched_clock(void);
static inline u64 sched_clock_cpu(int cpu) { return sched_clock(); }
static inline u64 local_clock(void) { return sched_clock(); }
static inline u64 cpu_clock(int cpu) { return sched_clock(); }
extern struct timezone sys_tz;

#endif
