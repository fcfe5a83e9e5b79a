/*
 * timekeeping.c: what time is it.
 *
 * Idea:    one structure says: at cycle_last of the counter, monotonic time was mono_ns (and a fraction), and it runs at
 *          mult >> shift.  Readers add what the counter has gone since.  The other clocks are monotonic time plus an offset,
 *          so setting the time of day changes one number and no monotonic timer.
 *          update_wall_time(), from the tick, moves cycle_last forward before the product could overflow, and there the
 *          rate may change without a jump.
 * Locking: timekeeper_lock (irq) for writers; tk_seq for readers, who may be anywhere, in interrupts too: so writers have
 *          interrupts off.
 * See:     spec.md §1 "interrupts and time"; clock_gettime(2), adjtimex(2); doc/time.md
 */
#include <weft/capability.h>
#include <weft/clocksource.h>
#include <weft/hrtimer.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/seqlock.h>
#include <weft/timekeeping.h>
#include <weft/workqueue.h>
#include <uapi/time.h>
#include "internal.h"

static DEFINE_SPINLOCK(timekeeper_lock);
static seqcount_t tk_seq;
static struct timekeeper tk = { .clock = &clocksource_jiffies };	/* until timekeeping_init() it is always 0 */
static u64 next_second;				/* mono_ns at which a second of real time ends and ntp_second() is due */

struct timezone sys_tz;

/* ---- reading ---- */

/* Cycles since cycle_last.  Another CPU's counter may be a few behind the one that wrote it: that is 0, not 2^64. */
static inline u64 cycles_since(const struct timekeeper *t)
{
	u64 delta = (t->clock->read(t->clock) - t->cycle_last) & t->clock->mask;

	return delta > t->clock->mask >> 1 ? 0 : delta;
}

static inline u64 mono_now(const struct timekeeper *t)
{
	return t->mono_ns + ((cycles_since(t) * t->mult + t->frac) >> t->shift);
}

ktime_t ktime_get(void)
{
	unsigned int seq;
	ktime_t now;

	do {
		seq = read_seqcount_begin(&tk_seq);
		now = (ktime_t)mono_now(&tk);
	} while (read_seqcount_retry(&tk_seq, seq));
	return now;
}

ktime_t ktime_get_with_offset(enum tk_offsets offs)
{
	unsigned int seq;
	ktime_t now;

	do {
		seq = read_seqcount_begin(&tk_seq);
		now = (ktime_t)mono_now(&tk) + tk.offs[offs];
	} while (read_seqcount_retry(&tk_seq, seq));
	return now;
}

ktime_t ktime_get_raw(void)
{
	unsigned int seq;
	ktime_t now;

	do {
		seq = read_seqcount_begin(&tk_seq);
		now = (ktime_t)(tk.raw_ns + ((cycles_since(&tk) * tk.clock->mult + tk.raw_frac) >> tk.clock->shift));
	} while (read_seqcount_retry(&tk_seq, seq));
	return now;
}

ktime_t ktime_get_coarse(void)
{
	return (ktime_t)READ_ONCE(tk.mono_ns);
}

ktime_t ktime_get_coarse_with_offset(enum tk_offsets offs)
{
	unsigned int seq;
	ktime_t now;

	do {
		seq = read_seqcount_begin(&tk_seq);
		now = (ktime_t)tk.mono_ns + tk.offs[offs];
	} while (read_seqcount_retry(&tk_seq, seq));
	return now;
}

time64_t ktime_get_seconds(void)
{
	return ktime_get_coarse() / NSEC_PER_SEC;
}

time64_t ktime_get_real_seconds(void)
{
	return ktime_get_coarse_real() / NSEC_PER_SEC;
}

void ktime_get_coarse_real_ts64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(ktime_get_coarse_real());
}

void ktime_get_coarse_ts64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(ktime_get_coarse());
}

ktime_t ktime_mono_to_any(ktime_t tmono, enum tk_offsets offs)
{
	unsigned int seq;
	ktime_t t;

	do {
		seq = read_seqcount_begin(&tk_seq);
		t = tmono + tk.offs[offs];
	} while (read_seqcount_retry(&tk_seq, seq));
	return t;
}

void getboottime64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(ktime_mono_to_real(0));
}

ktime_t ktime_get_update_offsets_now(unsigned int *cwsseq, ktime_t *offs_real, ktime_t *offs_boot, ktime_t *offs_tai)
{
	unsigned int seq;
	ktime_t now;

	do {
		seq = read_seqcount_begin(&tk_seq);
		now = (ktime_t)mono_now(&tk);
		*cwsseq = tk.set_seq;
		*offs_real = tk.offs[TK_OFFS_REAL];
		*offs_boot = tk.offs[TK_OFFS_BOOT];
		*offs_tai = tk.offs[TK_OFFS_TAI];
	} while (read_seqcount_retry(&tk_seq, seq));
	return now;
}

/* ---- writing: timekeeper_lock held, inside a write section ---- */

/* Moves cycle_last to now. */
static void forward_now(void)
{
	u64 delta = cycles_since(&tk), shifted;

	tk.cycle_last = (tk.cycle_last + delta) & tk.clock->mask;
	shifted = delta * tk.mult + tk.frac;
	tk.mono_ns += shifted >> tk.shift;
	tk.frac = shifted & ((1ULL << tk.shift) - 1);
	shifted = delta * tk.clock->mult + tk.raw_frac;
	tk.raw_ns += shifted >> tk.clock->shift;
	tk.raw_frac = shifted & ((1ULL << tk.clock->shift) - 1);
}

static void set_rate(void)
{
	tk.mult = (u32)(tk.clock->mult + (((s64)tk.clock->mult * ntp_rate()) >> 32));
}

static u64 end_of_second(void)
{
	return tk.mono_ns + NSEC_PER_SEC - ((u64)tk.offs[TK_OFFS_REAL] + tk.mono_ns) % NSEC_PER_SEC;
}

static void set_realtime_offset(ktime_t offs)
{
	tk.offs[TK_OFFS_REAL] = offs;
	tk.offs[TK_OFFS_TAI] = offs + (s64)tk.tai_offset * NSEC_PER_SEC;
	tk.set_seq++;
	next_second = end_of_second();
}

static void use_clock(struct clocksource *cs)
{
	tk.clock = cs;
	tk.shift = cs->shift;
	tk.frac = tk.raw_frac = 0;
	tk.cycle_last = cs->read(cs) & cs->mask;
	set_rate();
}

static unsigned long write_begin(void) __acquires(&timekeeper_lock)
{
	unsigned long flags;

	spin_lock_irqsave(&timekeeper_lock, flags);
	raw_write_seqcount_begin(&tk_seq);
	return flags;
}

static void write_end(unsigned long flags) __releases(&timekeeper_lock)
{
	update_vsyscall(&tk);
	raw_write_seqcount_end(&tk_seq);
	spin_unlock_irqrestore(&timekeeper_lock, flags);
}

static void tell_clock_was_set(struct work_struct *unused)
{
	clock_was_set();
}
static DECLARE_WORK(clock_set_work, tell_clock_was_set);

/* A second has ended, or several while all processors were idle.  True: the clock was set, for a leap second. */
static bool new_second(void)
{
	const s64 seconds = 1 + (s64)(tk.mono_ns - next_second) / NSEC_PER_SEC;
	const int leap = ntp_second(((s64)tk.mono_ns + tk.offs[TK_OFFS_REAL]) / NSEC_PER_SEC, seconds);

	set_rate();
	next_second = end_of_second();
	if (!leap)
		return false;
	tk.tai_offset -= leap;
	set_realtime_offset(tk.offs[TK_OFFS_REAL] + leap * NSEC_PER_SEC);
	return true;
}

void update_wall_time(void)
{
	unsigned long flags = write_begin();
	bool was_set = false;

	forward_now();
	if (tk.mono_ns >= next_second)
		was_set = new_second();
	write_end(flags);
	if (was_set)
		schedule_work(&clock_set_work);		/* it waits for other processors: not in an interrupt */
}

void timekeeping_notify(struct clocksource *cs)
{
	unsigned long flags = write_begin();

	forward_now();
	use_clock(cs);
	write_end(flags);
	pr_info("clocksource: %s\n", cs->name);
}

void __init timekeeping_init(void)
{
	struct timespec64 wall = { 0 };
	unsigned long flags;

	read_persistent_clock64(&wall);
	flags = write_begin();
	use_clock(&clocksource_jiffies);
	if (timespec64_valid_settod(&wall))
		set_realtime_offset(timespec64_to_ktime(wall));
	write_end(flags);
}

/* ---- setting ---- */

int do_settimeofday64(const struct timespec64 *ts)
{
	unsigned long flags;
	ktime_t wall;

	if (!timespec64_valid_settod(ts))
		return -EINVAL;
	wall = timespec64_to_ktime(*ts);
	flags = write_begin();
	forward_now();
	/* Not before the machine started: then monotonic time would be later than real time. */
	if (wall < (ktime_t)tk.mono_ns) {
		write_end(flags);
		return -EINVAL;
	}
	set_realtime_offset(wall - (ktime_t)tk.mono_ns);
	ntp_clear();
	set_rate();
	write_end(flags);
	clock_was_set();
	return 0;
}

int do_sys_settimeofday64(const struct timespec64 *tv, const struct timezone *tz)
{
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tv && !timespec64_valid_settod(tv))
		return -EINVAL;
	if (tz) {
		if (tz->tz_minuteswest > 15 * 60 || tz->tz_minuteswest < -15 * 60)
			return -EINVAL;
		sys_tz = *tz;
		update_vsyscall_tz();
	}
	return tv ? do_settimeofday64(tv) : 0;
}

static int check_timex(const struct __kernel_timex *txc)
{
	bool read_only = txc->modes & ADJ_ADJTIME ? (txc->modes & ADJ_OFFSET_READONLY) != 0 : !txc->modes;

	if ((txc->modes & ADJ_ADJTIME) && !(txc->modes & ADJ_OFFSET_SINGLESHOT))
		return -EINVAL;
	if (!read_only && !capable(CAP_SYS_TIME))
		return -EPERM;
	if (!(txc->modes & ADJ_ADJTIME) && (txc->modes & ADJ_TICK) &&
	    (txc->tick < 900000 / USER_HZ || txc->tick > 1100000 / USER_HZ))
		return -EINVAL;
	if (txc->modes & ADJ_SETOFFSET) {
		long long limit = (txc->modes & ADJ_NANO) ? NSEC_PER_SEC : USEC_PER_SEC;

		if (txc->time.tv_usec < 0 || txc->time.tv_usec >= limit)
			return -EINVAL;
		if (txc->time.tv_sec > TIME_SETTOD_SEC_MAX || txc->time.tv_sec < -TIME_SETTOD_SEC_MAX)
			return -EINVAL;
	}
	return 0;
}

/* ADJ_SETOFFSET: a jump by an interval.  Inside a write section. */
static int jump(const struct __kernel_timex *txc)
{
	s64 ns = txc->time.tv_usec * ((txc->modes & ADJ_NANO) ? 1 : NSEC_PER_USEC);
	ktime_t offs = tk.offs[TK_OFFS_REAL];

	if (__builtin_add_overflow(offs, txc->time.tv_sec * NSEC_PER_SEC + ns, &offs) || offs < 0 ||
	    offs > TIME_SETTOD_SEC_MAX * NSEC_PER_SEC)
		return -EINVAL;
	set_realtime_offset(offs);
	return 0;
}

int do_adjtimex(struct __kernel_timex *txc)
{
	struct timespec64 now;
	unsigned long flags;
	int ret = check_timex(txc);
	s32 tai;

	if (ret)
		return ret;
	flags = write_begin();
	forward_now();
	if (txc->modes & ADJ_SETOFFSET)
		ret = jump(txc);
	if (!ret) {
		now = ns_to_timespec64((ktime_t)tk.mono_ns + tk.offs[TK_OFFS_REAL]);
		tai = tk.tai_offset;
		ret = ntp_adjust(txc, &now, &tai);
		if (tai != tk.tai_offset) {
			tk.tai_offset = tai;
			set_realtime_offset(tk.offs[TK_OFFS_REAL]);
		}
		set_rate();
	}
	write_end(flags);
	if (txc->modes & (ADJ_SETOFFSET | ADJ_TAI))
		clock_was_set();
	return ret;
}
