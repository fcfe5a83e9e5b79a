/*
 * uapi/time.h: Linux' time structures and clock numbers (x86-64 layouts).
 * Source: clock_gettime(2), setitimer(2), adjtimex(2), timer_create(2).
 */
#ifndef UAPI_TIME_H
#define UAPI_TIME_H

#include <weft/types.h>

struct __kernel_timespec {
	long long		tv_sec;
	long long		tv_nsec;
};
_Static_assert(sizeof(struct __kernel_timespec) == 16, "ABI");

struct __kernel_itimerspec {
	struct __kernel_timespec it_interval;
	struct __kernel_timespec it_value;
};
_Static_assert(sizeof(struct __kernel_itimerspec) == 32, "ABI");

struct __kernel_old_timeval {
	long			tv_sec;
	long			tv_usec;
};
struct __kernel_old_itimerval {
	struct __kernel_old_timeval it_interval;
	struct __kernel_old_timeval it_value;
};
_Static_assert(sizeof(struct __kernel_old_itimerval) == 32, "ABI");

struct __kernel_sock_timeval {
	long long		tv_sec;
	long long		tv_usec;
};

struct timezone {
	int			tz_minuteswest;
	int			tz_dsttime;
};

#define ITIMER_REAL		0
#define ITIMER_VIRTUAL		1
#define ITIMER_PROF		2

#define CLOCK_REALTIME			0
#define CLOCK_MONOTONIC			1
#define CLOCK_PROCESS_CPUTIME_ID	2
#define CLOCK_THREAD_CPUTIME_ID		3
#define CLOCK_MONOTONIC_RAW		4
#define CLOCK_REALTIME_COARSE		5
#define CLOCK_MONOTONIC_COARSE		6
#define CLOCK_BOOTTIME			7
#define CLOCK_REALTIME_ALARM		8
#define CLOCK_BOOTTIME_ALARM		9
#define CLOCK_TAI			11
#define MAX_CLOCKS			16

#define TIMER_ABSTIME		0x01

/* adjtimex(2) */
struct __kernel_timex_timeval {
	long long		tv_sec;
	long long		tv_usec;
};

struct __kernel_timex {
	unsigned int		modes;
	int			pad0;
	long long		offset;
	long long		freq;		/* parts per million, 16 bits of fraction */
	long long		maxerror;
	long long		esterror;
	int			status;
	int			pad1;
	long long		constant;
	long long		precision;
	long long		tolerance;
	struct __kernel_timex_timeval time;
	long long		tick;
	long long		ppsfreq;
	long long		jitter;
	int			shift;
	int			pad2;
	long long		stabil;
	long long		jitcnt;
	long long		calcnt;
	long long		errcnt;
	long long		stbcnt;
	int			tai;
	int			pad[11];
};
_Static_assert(sizeof(struct __kernel_timex) == 208, "ABI");

#define ADJ_OFFSET		0x0001
#define ADJ_FREQUENCY		0x0002
#define ADJ_MAXERROR		0x0004
#define ADJ_ESTERROR		0x0008
#define ADJ_STATUS		0x0010
#define ADJ_TIMECONST		0x0020
#define ADJ_TAI			0x0080
#define ADJ_SETOFFSET		0x0100
#define ADJ_MICRO		0x1000
#define ADJ_NANO		0x2000
#define ADJ_TICK		0x4000
#define ADJ_ADJTIME		0x8000		/* switch between adjtime/adjtimex modes */
#define ADJ_OFFSET_SINGLESHOT	0x0001		/* old-fashioned adjtime, with ADJ_ADJTIME */
#define ADJ_OFFSET_READONLY	0x2000

#define STA_PLL			0x0001
#define STA_FLL			0x0008
#define STA_INS			0x0010
#define STA_DEL			0x0020
#define STA_UNSYNC		0x0040
#define STA_FREQHOLD		0x0080
#define STA_CLOCKERR		0x1000
#define STA_NANO		0x2000
#define STA_MODE		0x4000
#define STA_RONLY		0xff00

#define TIME_OK			0
#define TIME_INS		1
#define TIME_DEL		2
#define TIME_OOP		3
#define TIME_WAIT		4
#define TIME_ERROR		5

/* times(2), in ticks of USER_HZ */
struct tms {
	long			tms_utime;
	long			tms_stime;
	long			tms_cutime;
	long			tms_cstime;
};
_Static_assert(sizeof(struct tms) == 32, "ABI");

#endif
