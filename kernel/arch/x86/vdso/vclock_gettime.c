/*
 * vclock_gettime.c: telling the time and the CPU without entering the kernel.  This is user code.
 *
 * Idea:    the kernel keeps one page of numbers (struct vdso_data) up to date; a reader takes them between two looks at
 *          a sequence count, adds what the TSC advanced since, and starts anew when the kernel wrote meanwhile.  Whatever
 *          cannot be answered so is asked of the kernel.
 *          Programs call this more often than anything else.  So the way that is nearly always taken is straight: one try,
 *          one branch for each thing that may be otherwise (no such clock and no TSC are one), and all else out of line.
 * See:     include/weft/vdso_data.h; vdso.lds; kernel/time/vsyscall.c; doc/time.md
 */
#include <weft/types.h>
#include <weft/vdso_data.h>
#include <uapi/time.h>
#include <asm/segment.h>
#include <generated/nr_syscalls.h>

#define NSEC_PER_SEC	1000000000ULL
#define REALTIME_COARSE	5
#define MONOTONIC_COARSE 6
#define EXPORT		__attribute__((visibility("default")))
#define ALIAS(name)	__attribute__((visibility("default"), weak, alias(#name)))

/* Not const: the compiler may assume that a const object never changes and read it outside of the sequence. */
extern struct vdso_data vvar_page __attribute__((visibility("hidden")));
extern struct vdso_data vvar_clocks __attribute__((visibility("hidden")));	/* ... in a time namespace, too */

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

static __always_inline u32 read_seq(const struct vdso_data *vd)
{
	u32 seq = *(const volatile u32 *)&vd->seq;

	asm volatile("" : : : "memory");
	return seq;
}

static __always_inline bool read_retry(const struct vdso_data *vd, u32 seq)
{
	asm volatile("" : : : "memory");
	return *(const volatile u32 *)&vd->seq != seq;
}

/* The fence: the processor must not read the counter before it has read seq. */
static __always_inline u64 read_tsc(void)
{
	u64 low, high;			/* the upper halves of both registers become 0 */

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | high << 32;
}

enum outcome {
	TIME_READ, TRY_AGAIN, ASK_KERNEL
};

/* One try.  ASK_KERNEL: the TSC does not tell this clock's time. */
static __always_inline enum outcome try_time(const struct vdso_data *vd, unsigned int clock, u64 *sec, u64 *nsec)
{
	const struct vdso_clock *c = &vd->clocks[clock];
	u32 seq = read_seq(vd), mult = c->mult;
	s64 delta;
	u64 ns;

	if (unlikely(!mult))
		return ASK_KERNEL;
	if (unlikely(seq & 1))
		return TRY_AGAIN;
	delta = (s64)(read_tsc() - vd->cycle_last);
	/* Another CPU's TSC, which wrote cycle_last, may be a few cycles ahead. */
	if (unlikely(delta < 0))
		delta = 0;
	ns = (c->nsec + (u64)delta * mult) >> c->shift;
	*sec = c->sec;
	if (unlikely(read_retry(vd, seq)))
		return TRY_AGAIN;
	/* Rarely more than once: the kernel comes by every few milliseconds. */
	while (unlikely(ns >= NSEC_PER_SEC)) {
		ns -= NSEC_PER_SEC;
		asm("" : "+r" (ns));
		++*sec;
	}
	*nsec = ns;
	return TIME_READ;
}

static enum outcome coarse_time(const struct vdso_data *vd, unsigned int clock, u64 *sec, u64 *nsec)
{
	u32 seq;

	do {
		seq = read_seq(vd) & ~1U;
		*sec = vd->clocks[clock].sec;
		*nsec = vd->clocks[clock].nsec;
	} while (read_retry(vd, seq));
	return TIME_READ;
}

/* The two longs that the caller's structure is, the first of them first: a bad pointer faults where it points to. */
static __always_inline void store_pair(void *to, u64 first, u64 second)
{
	volatile u64 *p = to;

	p[0] = first;
	p[1] = second;
}

/* What a time namespace adds. */
static void add_offset(unsigned int clock, u64 *sec, u64 *nsec)
{
	*sec += vvar_page.clocks[clock].sec;
	*nsec += vvar_page.clocks[clock].nsec;
	if (*nsec >= NSEC_PER_SEC) {
		*nsec -= NSEC_PER_SEC;
		++*sec;
	}
}

/* All that is not the straight way. */
static noinline int other_gettime(clockid_t clock, struct __kernel_timespec *ts)
{
	enum outcome outcome = ASK_KERNEL;
	u64 sec, nsec;

	if (clock == REALTIME_COARSE || clock == MONOTONIC_COARSE)
		outcome = coarse_time(&vvar_clocks, (unsigned int)clock, &sec, &nsec);
	else if ((unsigned int)clock < VDSO_CLOCKS)
		while ((outcome = try_time(&vvar_clocks, (unsigned int)clock, &sec, &nsec)) == TRY_AGAIN)
			asm volatile("pause");
	if (outcome == ASK_KERNEL)
		return (int)syscall2(__NR_clock_gettime, clock, (long)ts);
	if (vvar_page.offsets)
		add_offset((unsigned int)clock, &sec, &nsec);
	store_pair(ts, sec, nsec);
	return 0;
}

EXPORT int __vdso_clock_gettime(clockid_t clock, struct __kernel_timespec *ts)
{
	u64 sec, nsec;

	if (unlikely((unsigned int)clock >= VDSO_CLOCKS ||
		     try_time(&vvar_page, (unsigned int)clock, &sec, &nsec) != TIME_READ))
		return other_gettime(clock, ts);
	store_pair(ts, sec, nsec);
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
	struct __kernel_timespec now;

	if (tv) {
		if (__vdso_clock_gettime(0, &now))
			return (int)syscall2(__NR_gettimeofday, (long)tv, (long)tz);
		store_pair(tv, (u64)now.tv_sec, (u64)now.tv_nsec / 1000);
	}
	if (tz) {
		tz->tz_minuteswest = vvar_clocks.tz_minuteswest;
		tz->tz_dsttime = vvar_clocks.tz_dsttime;
	}
	return 0;
}
int gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz) ALIAS(__vdso_gettimeofday);

EXPORT long __vdso_time(long *t)
{
	long now = (long)*(const volatile u64 *)&vvar_clocks.clocks[0].sec;

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
