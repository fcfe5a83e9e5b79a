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
static void set_fine(struct vdso_clock *c, u64 ns, u64 frac, u32 mult, u32 shift)
{
	c->sec = ns / NSEC_PER_SEC;
	c->nsec = ((ns % NSEC_PER_SEC) << shift) + frac;
	c->mult = mult;
	c->shift = shift;
}

static void set_coarse(struct vdso_clock *c, u64 ns)
{
	c->sec = ns / NSEC_PER_SEC;
	c->nsec = ns % NSEC_PER_SEC;
}

void update_vsyscall(const struct timekeeper *tk)
{
	struct vdso_data *vd = vdso_data;
	bool tsc = tk->clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC;
	u32 mult = tsc ? tk->mult : 0, raw_mult = tsc ? tk->clock->mult : 0;

	if (!vd)
		return;			/* start-up has not got there */
	vdso_write_begin(vd);
	vd->cycle_last = tk->cycle_last;
	set_fine(&vd->clocks[CLOCK_MONOTONIC], tk->mono_ns, tk->frac, mult, tk->shift);
	set_fine(&vd->clocks[CLOCK_REALTIME], tk->mono_ns + tk->offs[TK_OFFS_REAL], tk->frac, mult, tk->shift);
	set_fine(&vd->clocks[CLOCK_BOOTTIME], tk->mono_ns + tk->offs[TK_OFFS_BOOT], tk->frac, mult, tk->shift);
	set_fine(&vd->clocks[CLOCK_TAI], tk->mono_ns + tk->offs[TK_OFFS_TAI], tk->frac, mult, tk->shift);
	set_fine(&vd->clocks[CLOCK_MONOTONIC_RAW], tk->raw_ns, tk->raw_frac, raw_mult, tk->clock->shift);
	set_coarse(&vd->clocks[CLOCK_REALTIME_COARSE], tk->mono_ns + tk->offs[TK_OFFS_REAL]);
	set_coarse(&vd->clocks[CLOCK_MONOTONIC_COARSE], tk->mono_ns);
	vdso_write_end(vd);
}

void update_vsyscall_tz(void)
{
	if (!vdso_data)
		return;
	vdso_data->tz_minuteswest = sys_tz.tz_minuteswest;
	vdso_data->tz_dsttime = sys_tz.tz_dsttime;
}
