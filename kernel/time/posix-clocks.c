/*
 * posix-clocks.c: clock_gettime and its family: which clock a number means, and what each clock can do.
 *
 * Idea:    a clock is a table of functions (struct k_clock).  Small numbers index an array; negative ones are CPU-time
 *          clocks of some process or thread (posix-cpu-timers.c).  NULL in a table: -EOPNOTSUPP or -EINVAL as POSIX says.
 * See:     clock_gettime(2), clock_nanosleep(2); posix-timers.c for the timers on them
 */
#include <weft/time_namespace.h>
#include <weft/hrtimer.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/posix-timers.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- reading ---- */

static int get_realtime(clockid_t which, struct timespec64 *ts)
{
	ktime_get_real_ts64(ts);
	return 0;
}

static int get_monotonic(clockid_t which, struct timespec64 *ts)
{
	ktime_get_ts64(ts);
	time_ns_add(which, ts);
	return 0;
}

static int get_raw(clockid_t which, struct timespec64 *ts)
{
	ktime_get_raw_ts64(ts);
	time_ns_add(which, ts);
	return 0;
}

static int get_boottime(clockid_t which, struct timespec64 *ts)
{
	ktime_get_boottime_ts64(ts);
	time_ns_add(which, ts);
	return 0;
}

static int get_tai(clockid_t which, struct timespec64 *ts)
{
	ktime_get_clocktai_ts64(ts);
	return 0;
}

static int get_realtime_coarse(clockid_t which, struct timespec64 *ts)
{
	ktime_get_coarse_real_ts64(ts);
	return 0;
}

static int get_monotonic_coarse(clockid_t which, struct timespec64 *ts)
{
	ktime_get_coarse_ts64(ts);
	time_ns_add(which, ts);
	return 0;
}

static int res_fine(clockid_t which, struct timespec64 *ts)
{
	*ts = (struct timespec64){ .tv_nsec = 1 };
	return 0;
}

static int res_coarse(clockid_t which, struct timespec64 *ts)
{
	*ts = (struct timespec64){ .tv_nsec = TICK_NSEC };
	return 0;
}

static int set_realtime(clockid_t which, const struct timespec64 *ts)
{
	return do_sys_settimeofday64(ts, NULL);
}

static int nsleep_common(clockid_t which, int flags, const struct timespec64 *rqtp)
{
	ktime_t t = timespec64_to_ktime(*rqtp);

	if (flags & TIMER_ABSTIME)
		return (int)hrtimer_nanosleep(time_ns_to_host(which, t), HRTIMER_MODE_ABS, which);
	return (int)hrtimer_nanosleep(t, HRTIMER_MODE_REL, which);
}

#define TIMER_OPS .timer_create = hr_timer_create, .timer_set = hr_timer_set, .timer_del = hr_timer_del,	\
	.timer_get = hr_timer_get, .timer_rearm = hr_timer_rearm, .nsleep = nsleep_common

static const struct k_clock clock_realtime = {
	.clock_getres = res_fine, .clock_get = get_realtime, .clock_set = set_realtime, TIMER_OPS };
static const struct k_clock clock_monotonic = { .clock_getres = res_fine, .clock_get = get_monotonic, TIMER_OPS };
static const struct k_clock clock_boottime = { .clock_getres = res_fine, .clock_get = get_boottime, TIMER_OPS };
static const struct k_clock clock_tai = { .clock_getres = res_fine, .clock_get = get_tai, TIMER_OPS };
static const struct k_clock clock_raw = { .clock_getres = res_fine, .clock_get = get_raw };
static const struct k_clock clock_realtime_coarse = { .clock_getres = res_coarse, .clock_get = get_realtime_coarse };
static const struct k_clock clock_monotonic_coarse = { .clock_getres = res_coarse, .clock_get = get_monotonic_coarse };

static const struct k_clock *const posix_clocks[] = {
	[CLOCK_REALTIME]		= &clock_realtime,
	[CLOCK_MONOTONIC]		= &clock_monotonic,
	[CLOCK_PROCESS_CPUTIME_ID]	= &clock_process,
	[CLOCK_THREAD_CPUTIME_ID]	= &clock_thread,
	[CLOCK_MONOTONIC_RAW]		= &clock_raw,
	[CLOCK_REALTIME_COARSE]		= &clock_realtime_coarse,
	[CLOCK_MONOTONIC_COARSE]	= &clock_monotonic_coarse,
	[CLOCK_BOOTTIME]		= &clock_boottime,
	[CLOCK_REALTIME_ALARM]		= &clock_realtime,
	[CLOCK_BOOTTIME_ALARM]		= &clock_boottime,
	[CLOCK_TAI]			= &clock_tai,
};

const struct k_clock *clockid_to_kclock(clockid_t id)
{
	if (id < 0)
		return &clock_posix_cpu;
	return id < (clockid_t)ARRAY_SIZE(posix_clocks) ? posix_clocks[id] : NULL;
}

/* ---- system calls ---- */

long sys_clock_gettime(clockid_t which_clock, struct __kernel_timespec __user *tp)
{
	const struct k_clock *kc = clockid_to_kclock(which_clock);
	struct timespec64 ts;
	int err;

	if (!kc)
		return -EINVAL;
	err = kc->clock_get(which_clock, &ts);
	return err ? err : put_timespec64(&ts, tp);
}

long sys_clock_settime(clockid_t which_clock, const struct __kernel_timespec __user *tp)
{
	const struct k_clock *kc = clockid_to_kclock(which_clock);
	struct timespec64 ts;

	if (!kc || !kc->clock_set)
		return -EINVAL;
	if (get_timespec64(&ts, tp))
		return -EFAULT;
	return kc->clock_set(which_clock, &ts);
}

long sys_clock_getres(clockid_t which_clock, struct __kernel_timespec __user *tp)
{
	const struct k_clock *kc = clockid_to_kclock(which_clock);
	struct timespec64 ts;
	int err;

	if (!kc)
		return -EINVAL;
	err = kc->clock_getres(which_clock, &ts);
	return err || !tp ? err : put_timespec64(&ts, tp);
}

long sys_clock_adjtime(clockid_t which_clock, struct __kernel_timex __user *utx)
{
	struct __kernel_timex txc;
	long ret;

	if (!clockid_to_kclock(which_clock))
		return -EINVAL;
	if (which_clock != CLOCK_REALTIME)
		return -EOPNOTSUPP;
	if (get_timex(&txc, utx))
		return -EFAULT;
	ret = do_adjtimex(&txc);
	if (ret >= 0 && put_timex(&txc, utx))
		return -EFAULT;
	return ret;
}

long sys_clock_nanosleep(clockid_t which_clock, int flags, const struct __kernel_timespec __user *rqtp,
			 struct __kernel_timespec __user *rmtp)
{
	const struct k_clock *kc = clockid_to_kclock(which_clock);
	struct timespec64 t;

	if (!kc)
		return -EINVAL;
	if (!kc->nsleep)
		return -EOPNOTSUPP;
	if (get_timespec64(&t, rqtp))
		return -EFAULT;
	if (!timespec64_valid(&t))
		return -EINVAL;
	/* An absolute sleep has no rest to tell: called again it goes on until the same time. */
	if (flags & TIMER_ABSTIME)
		rmtp = NULL;
	current->restart_block.fn = do_no_restart_syscall;
	current->restart_block.nanosleep.type = rmtp ? TT_NATIVE : TT_NONE;
	current->restart_block.nanosleep.rmtp = rmtp;
	return kc->nsleep(which_clock, flags, &t);
}
