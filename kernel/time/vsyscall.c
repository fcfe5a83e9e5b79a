/*
 * vsyscall.c: writes the page from which programs tell the time (vdso_data.h).
 *
 * Locking: timekeeper_lock: one writer; readers in user space look at seq.
 * See:     kernel/arch/x86/vdso/vclock_gettime.c
 */
#include <weft/hrtimer.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/timekeeping.h>
#include <weft/vdso_data.h>
#include "internal.h"

/* ns and a fraction of it as seconds and shifted nanoseconds. */
static void set_fine(struct vdso_timestamp *ts, u64 ns, u64 frac, u32 shift)
{
	ts->sec = ns / NSEC_PER_SEC;
	ts->nsec = ((ns % NSEC_PER_SEC) << shift) + frac;
}

static void set_coarse(struct vdso_timestamp *ts, u64 ns)
{
	ts->sec = ns / NSEC_PER_SEC;
	ts->nsec = ns % NSEC_PER_SEC;
}

void update_vsyscall(const struct timekeeper *tk)
{
	struct vdso_data *vd = vdso_data;

	if (!vd)
		return;			/* start-up has not got there */
	vdso_write_begin(vd);
	vd->clock_mode = tk->clock->vdso_clock_mode;
	vd->cycle_last = tk->cycle_last;
	vd->rate[0] = (struct vdso_rate) { .mult = tk->mult, .shift = tk->shift };
	vd->rate[1] = (struct vdso_rate) { .mult = tk->clock->mult, .shift = tk->clock->shift };
	vd->hrtimer_res = 1;
	set_fine(&vd->basetime[CLOCK_MONOTONIC], tk->mono_ns, tk->frac, tk->shift);
	set_fine(&vd->basetime[CLOCK_REALTIME], tk->mono_ns + tk->offs[TK_OFFS_REAL], tk->frac, tk->shift);
	set_fine(&vd->basetime[CLOCK_BOOTTIME], tk->mono_ns + tk->offs[TK_OFFS_BOOT], tk->frac, tk->shift);
	set_fine(&vd->basetime[CLOCK_TAI], tk->mono_ns + tk->offs[TK_OFFS_TAI], tk->frac, tk->shift);
	set_fine(&vd->basetime[CLOCK_MONOTONIC_RAW], tk->raw_ns, tk->raw_frac, tk->clock->shift);
	set_coarse(&vd->basetime[CLOCK_REALTIME_COARSE], tk->mono_ns + tk->offs[TK_OFFS_REAL]);
	set_coarse(&vd->basetime[CLOCK_MONOTONIC_COARSE], tk->mono_ns);
	vdso_write_end(vd);
}

void update_vsyscall_tz(void)
{
	if (!vdso_data)
		return;
	vdso_data->tz_minuteswest = sys_tz.tz_minuteswest;
	vdso_data->tz_dsttime = sys_tz.tz_dsttime;
}
