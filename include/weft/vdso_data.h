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

/*
 * A clock's value at cycle_last: seconds, and nanoseconds shifted left by `shift`; since then cycles * mult >> shift ns went
 * by.  All that a reader needs of a clock lies in half a cache line.
 */
struct vdso_clock {
	u64	sec;
	u64	nsec;
	u32	mult;		/* 0: no such clock, a coarse one (nsec are plain nanoseconds), or the TSC is not what counts */
	u32	shift;
	u64	unused;
};

/* CLOCK_REALTIME 0, MONOTONIC 1, MONOTONIC_RAW 4, REALTIME_COARSE 5, MONOTONIC_COARSE 6, BOOTTIME 7, TAI 11. */
#define VDSO_CLOCKS	12

struct vdso_data {
	u32	seq;			/* odd: being written */
	s32	tz_minuteswest;
	s32	tz_dsttime;
	u32	offsets;		/* not 0: a time namespace's page, whose clocks are offsets to those on the next page */
	u64	cycle_last;
	u64	unused2;
	struct vdso_clock clocks[VDSO_CLOCKS];
};

#ifndef __VDSO__
extern struct vdso_data *vdso_data;

#define vdso_write_begin(vd) do { WRITE_ONCE((vd)->seq, (vd)->seq + 1); smp_wmb(); } while (0)
#define vdso_write_end(vd) do { smp_wmb(); WRITE_ONCE((vd)->seq, (vd)->seq + 1); } while (0)
#endif

#endif
