/*
 * vdso_data.h: the page that the kernel writes and every program reads, to tell the time without a system call.
 *
 * Idea:    time = base + ((tsc - cycle_last) * mult >> shift), the same arithmetic as the kernel's own; seq is odd while
 *          the kernel writes (kernel/time/vsyscall.c, under the timekeeper's lock), and a reader starts anew when it changed.
 * Locking: seq; the page is written by the timekeeper only.
 * See:     kernel/arch/x86/vdso/vclock_gettime.c
 */
#ifndef WEFT_VDSO_DATA_H
#define WEFT_VDSO_DATA_H

#ifndef __VDSO__
#include <weft/types.h>
#endif

enum vdso_clock_mode {
	VDSO_CLOCKMODE_NONE,	/* the clock is no TSC: make the system call */
	VDSO_CLOCKMODE_TSC,
};

/* A clock's value at cycle_last: seconds, and nanoseconds shifted left by `shift`. */
struct vdso_timestamp {
	u64	sec;
	u64	nsec;
};

/* ns = cycles * mult >> shift */
struct vdso_rate {
	u32	mult;
	u32	shift;
};

/* CLOCK_REALTIME 0, MONOTONIC 1, MONOTONIC_RAW 4, REALTIME_COARSE 5, MONOTONIC_COARSE 6, BOOTTIME 7, TAI 11.
 * Coarse clocks' nsec are plain nanoseconds. */
#define VDSO_BASES	12

struct vdso_data {
	u32	seq;			/* odd: being written */
	s32	clock_mode;		/* enum vdso_clock_mode */
	u64	cycle_last;
	struct vdso_rate rate[2];	/* [1]: MONOTONIC_RAW's, [0]: all others' */
	struct vdso_timestamp basetime[VDSO_BASES];
	s32	tz_minuteswest;
	s32	tz_dsttime;
	u32	hrtimer_res;		/* ns, for clock_getres */
};

#ifndef __VDSO__
extern struct vdso_data *vdso_data;

#define vdso_write_begin(vd) do { WRITE_ONCE((vd)->seq, (vd)->seq + 1); smp_wmb(); } while (0)
#define vdso_write_end(vd) do { smp_wmb(); WRITE_ONCE((vd)->seq, (vd)->seq + 1); } while (0)
#endif

#endif
