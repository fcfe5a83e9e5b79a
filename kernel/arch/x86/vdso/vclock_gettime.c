/*
 * vclock_gettime.c: telling the time and the CPU without entering the kernel.  This is user code.
 *
 * Idea:    the kernel keeps one page of numbers (struct vdso_data) up to date; a reader takes them between two looks at
 *          a sequence count, adds what the TSC advanced since, and starts anew when the kernel wrote meanwhile.  Whatever
 *          cannot be answered so is asked of the kernel.
 * See:     include/weft/vdso_data.h; vdso.lds; kernel/time/vsyscall.c
 */
#include <weft/types.h>
#include <weft/vdso_data.h>
#include <uapi/time.h>
#include <asm/segment.h>
#include <generated/nr_syscalls.h>

#define NSEC_PER_SEC	1000000000ULL
#define HIGH_RES	(1u << 0 | 1u << 1 | 1u << 4 | 1u << 7 | 1u << 11)
#define COARSE		(1u << 5 | 1u << 6)
#define RAW_CLOCK	4
#define EXPORT		__attribute__((visibility("default")))
#define ALIAS(name)	__attribute__((visibility("default"), weak, alias(#name)))

/* Not const: the compiler may assume that a const object never changes and read it outside of the sequence. */
extern struct vdso_data vvar_page __attribute__((visibility("hidden")));

int __vdso_clock_gettime(clockid_t clock, struct __kernel_timespec *ts);
int __vdso_clock_getres(clockid_t clock, struct __kernel_timespec *res);
int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
long __vdso_time(long *t);
long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused);

static long syscall2(long nr, long a, long b)
{
	long ret;

	asm volatile("syscall" : "=a" (ret) : "0" (nr), "D" (a), "S" (b) : "rcx", "r11", "memory");
	return ret;
}

/* Waits until the kernel does not write; the number to compare with at the end. */
static __always_inline u32 read_begin(const struct vdso_data *vd)
{
	u32 seq;

	while (unlikely((seq = *(const volatile u32 *)&vd->seq) & 1))
		asm volatile("pause");
	asm volatile("" : : : "memory");
	return seq;
}

static bool read_retry(const struct vdso_data *vd, u32 seq)
{
	asm volatile("" : : : "memory");
	return *(const volatile u32 *)&vd->seq != seq;
}

static u64 read_tsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | (u64)high << 32;
}

/* False when the kernel's clock is no TSC. */
static __always_inline bool high_res_time(const struct vdso_data *vd, unsigned int clock, u64 *sec, u64 *nsec)
{
	const struct vdso_timestamp *base = &vd->basetime[clock];
	const struct vdso_rate *rate = &vd->rate[clock == RAW_CLOCK];
	u64 delta, ns;
	u32 seq;

	do {
		seq = read_begin(vd);
		if (unlikely(vd->clock_mode != VDSO_CLOCKMODE_TSC))
			return false;
		delta = read_tsc() - vd->cycle_last;
		/* Another CPU's TSC, which wrote cycle_last, may be a few cycles ahead. */
		if (unlikely((s64)delta < 0))
			delta = 0;
		ns = (base->nsec + delta * rate->mult) >> rate->shift;
		*sec = base->sec;
	} while (unlikely(read_retry(vd, seq)));
	/* Rarely more than once: the kernel comes by every few milliseconds. */
	while (unlikely(ns >= NSEC_PER_SEC)) {
		ns -= NSEC_PER_SEC;
		asm("" : "+r" (ns));
		++*sec;
	}
	*nsec = ns;
	return true;
}

static void coarse_time(const struct vdso_data *vd, unsigned int clock, u64 *sec, u64 *nsec)
{
	u32 seq;

	do {
		seq = read_begin(vd);
		*sec = vd->basetime[clock].sec;
		*nsec = vd->basetime[clock].nsec;
	} while (read_retry(vd, seq));
}

EXPORT int __vdso_clock_gettime(clockid_t clock, struct __kernel_timespec *ts)
{
	u32 bit = (unsigned int)clock < VDSO_BASES ? 1u << clock : 0;
	u64 sec, nsec;

	if (unlikely(!(bit & HIGH_RES) || !high_res_time(&vvar_page, (unsigned int)clock, &sec, &nsec))) {
		if (!(bit & COARSE))
			return (int)syscall2(__NR_clock_gettime, clock, (long)ts);
		coarse_time(&vvar_page, (unsigned int)clock, &sec, &nsec);
	}
	ts->tv_sec = (long)sec;
	ts->tv_nsec = (long)nsec;
	return 0;
}
int clock_gettime(clockid_t clock, struct __kernel_timespec *ts) ALIAS(__vdso_clock_gettime);

EXPORT int __vdso_clock_getres(clockid_t clock, struct __kernel_timespec *res)
{
	return (int)syscall2(__NR_clock_getres, clock, (long)res);
}
int clock_getres(clockid_t clock, struct __kernel_timespec *res) ALIAS(__vdso_clock_getres);

EXPORT int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	u64 sec, nsec;

	if (tv) {
		if (!high_res_time(&vvar_page, 0, &sec, &nsec))
			return (int)syscall2(__NR_gettimeofday, (long)tv, (long)tz);
		tv->tv_sec = (long)sec;
		tv->tv_usec = (long)(nsec / 1000);
	}
	if (tz) {
		tz->tz_minuteswest = vvar_page.tz_minuteswest;
		tz->tz_dsttime = vvar_page.tz_dsttime;
	}
	return 0;
}
int gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz) ALIAS(__vdso_gettimeofday);

EXPORT long __vdso_time(long *t)
{
	long now = (long)*(const volatile u64 *)&vvar_page.basetime[0].sec;

	if (t)
		*t = now;
	return now;
}
long time(long *t) ALIAS(__vdso_time);

/* The limit of a segment that the kernel made for this holds the CPU's number. */
EXPORT long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
	unsigned int limit;

	asm("lsl %1, %0" : "=r" (limit) : "r" (__CPUNODE_SEG));
	if (cpu)
		*cpu = limit & 0xfff;
	if (node)
		*node = limit >> 12;
	return 0;
}
long getcpu(unsigned int *cpu, unsigned int *node, void *unused) ALIAS(__vdso_getcpu);
