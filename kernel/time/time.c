/*
 * time.c: the plain calls about time (time, gettimeofday, times, adjtimex), and conversions.
 *
 * Idea:    inside the kernel a time is a struct timespec64 or nanoseconds; 32-bit and microsecond forms exist at the edge only.
 * Locking: none of its own: timekeeping.c's.
 * See:     gettimeofday(2), times(2), adjtimex(2)
 */
#include <weft/jiffies.h>
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>

/* ---- conversions ---- */

struct timespec64 timespec64_add_safe(struct timespec64 a, struct timespec64 b)
{
	struct timespec64 sum;
	time64_t sec;

	if (__builtin_add_overflow(a.tv_sec, b.tv_sec, &sec) || sec >= TIME64_MAX - 1)
		return (struct timespec64){ .tv_sec = TIME64_MAX };
	set_normalized_timespec64(&sum, sec, a.tv_nsec + b.tv_nsec);
	return sum;
}

static int get_timespec32(struct timespec64 *ts, const void __user *uts)
{
	struct old_timespec32 t32;

	if (copy_from_user(&t32, uts, sizeof(t32)))
		return -EFAULT;
	*ts = (struct timespec64){ t32.tv_sec, t32.tv_nsec };
	return 0;
}

static int put_timespec32(const struct timespec64 *ts, void __user *uts)
{
	struct old_timespec32 t32 = { (s32)ts->tv_sec, (s32)ts->tv_nsec };

	return copy_to_user(uts, &t32, sizeof(t32)) ? -EFAULT : 0;
}

int get_timespec64(struct timespec64 *ts, const struct __kernel_timespec __user *uts)
{
	struct __kernel_timespec kts;

	if (in_time32_syscall())
		return get_timespec32(ts, uts);
	if (copy_from_user(&kts, uts, sizeof(kts)))
		return -EFAULT;
	ts->tv_sec = kts.tv_sec;
	/* A 32-bit program fills only half of the field. */
	ts->tv_nsec = in_compat_syscall() ? (u32)kts.tv_nsec : kts.tv_nsec;
	return 0;
}

int put_timespec64(const struct timespec64 *ts, struct __kernel_timespec __user *uts)
{
	struct __kernel_timespec kts = { .tv_sec = ts->tv_sec, .tv_nsec = ts->tv_nsec };

	if (in_time32_syscall())
		return put_timespec32(ts, uts);
	return copy_to_user(uts, &kts, sizeof(kts)) ? -EFAULT : 0;
}

struct __kernel_timespec __user *second_timespec(const struct __kernel_timespec __user *first)
{
	size_t size = in_time32_syscall() ? sizeof(struct old_timespec32) : sizeof(*first);

	return (void __user *)((char __user *)first + size);
}

int get_itimerspec64(struct itimerspec64 *it, const struct __kernel_itimerspec __user *uit)
{
	int err = get_timespec64(&it->it_interval, &uit->it_interval);

	return err ? err : get_timespec64(&it->it_value, second_timespec(&uit->it_interval));
}

int put_itimerspec64(const struct itimerspec64 *it, struct __kernel_itimerspec __user *uit)
{
	int err = put_timespec64(&it->it_interval, &uit->it_interval);

	return err ? err : put_timespec64(&it->it_value, second_timespec(&uit->it_interval));
}

int get_old_timeval(struct __kernel_old_timeval *tv, const struct __kernel_old_timeval __user *utv)
{
	struct old_timeval32 t32;

	if (!in_compat_syscall())
		return copy_from_user(tv, utv, sizeof(*tv)) ? -EFAULT : 0;
	if (copy_from_user(&t32, utv, sizeof(t32)))
		return -EFAULT;
	*tv = (struct __kernel_old_timeval){ t32.tv_sec, t32.tv_usec };
	return 0;
}

int put_old_timeval(const struct __kernel_old_timeval *tv, struct __kernel_old_timeval __user *utv)
{
	struct old_timeval32 t32 = { (s32)tv->tv_sec, (s32)tv->tv_usec };

	if (!in_compat_syscall())
		return copy_to_user(utv, tv, sizeof(*tv)) ? -EFAULT : 0;
	return copy_to_user(utv, &t32, sizeof(t32)) ? -EFAULT : 0;
}

struct __kernel_old_timeval __user *second_timeval(const struct __kernel_old_timeval __user *first)
{
	size_t size = in_compat_syscall() ? sizeof(struct old_timeval32) : sizeof(*first);

	return (void __user *)((char __user *)first + size);
}

struct __kernel_old_timeval ns_to_kernel_old_timeval(s64 nsec)
{
	struct timespec64 ts = ns_to_timespec64(nsec);

	return (struct __kernel_old_timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / NSEC_PER_USEC };
}

/*
 * Days are counted from 1 March, so that the leap day is the last of the year: then the months before it have the fixed
 * lengths 31 30 31 30 31 | 31 30 31 30 31 | 31, which (153 * m + 2) / 5 adds up.
 */
#define DAYS_TO_1970	719468			/* from 1 March of the year 0 */

time64_t mktime64(unsigned int year, unsigned int mon, unsigned int day, unsigned int hour, unsigned int min, unsigned int sec)
{
	time64_t y = mon <= 2 ? (time64_t)year - 1 : year;
	unsigned int m = mon <= 2 ? mon + 9 : mon - 3;
	time64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - DAYS_TO_1970;

	return ((days * 24 + hour) * 60 + min) * 60 + sec;
}

static s64 floor_div(s64 a, s64 b)
{
	return a / b - (a % b < 0);
}

/* offset: seconds to add for the zone. */
void time64_to_tm(time64_t totalsecs, int offset, struct tm *result)
{
	s64 secs = totalsecs + offset, days = floor_div(secs, 86400), rest = secs - days * 86400;
	s64 era, doe, yoe, doy, mp;

	days += DAYS_TO_1970;
	era = floor_div(days, 146097);			/* 400 years */
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);	/* since 1 March */
	mp = (5 * doy + 2) / 153;

	result->tm_sec = (int)(rest % 60);
	result->tm_min = (int)(rest / 60 % 60);
	result->tm_hour = (int)(rest / 3600);
	result->tm_mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	result->tm_mon = (int)(mp < 10 ? mp + 2 : mp - 10);
	result->tm_year = (long)(yoe + era * 400 + (result->tm_mon <= 1) - 1900);
	result->tm_wday = (int)((days + 3) % 7);	/* day 0 was a Wednesday */
	if (result->tm_wday < 0)
		result->tm_wday += 7;
	result->tm_yday = (int)((mktime64((unsigned int)result->tm_year + 1900, (unsigned int)result->tm_mon + 1,
					  (unsigned int)result->tm_mday, 0, 0, 0) -
				 mktime64((unsigned int)result->tm_year + 1900, 1, 1, 0, 0, 0)) / 86400);
}

/* ---- system calls ---- */

long sys_time(long __user *tloc)
{
	long now = ktime_get_real_seconds();

	if (!tloc)
		return now;
	if (in_compat_syscall())
		return put_user((s32)now, (s32 __user *)tloc) ? -EFAULT : now;
	return put_user(now, tloc) ? -EFAULT : now;
}

long sys_gettimeofday(struct __kernel_old_timeval __user *tv, struct timezone __user *tz)
{
	if (tv) {
		struct __kernel_old_timeval now = ns_to_kernel_old_timeval(ktime_get_real());

		if (put_old_timeval(&now, tv))
			return -EFAULT;
	}
	if (tz && copy_to_user(tz, &sys_tz, sizeof(sys_tz)))
		return -EFAULT;
	return 0;
}

long sys_settimeofday(struct __kernel_old_timeval __user *tv, struct timezone __user *tz)
{
	struct __kernel_old_timeval utv;
	struct timespec64 ts;
	struct timezone zone;

	if (tv) {
		if (get_old_timeval(&utv, tv))
			return -EFAULT;
		if (utv.tv_usec < 0 || utv.tv_usec >= USEC_PER_SEC)
			return -EINVAL;
		ts.tv_sec = utv.tv_sec;
		ts.tv_nsec = utv.tv_usec * NSEC_PER_USEC;
	}
	if (tz && copy_from_user(&zone, tz, sizeof(zone)))
		return -EFAULT;
	return do_sys_settimeofday64(tv ? &ts : NULL, tz ? &zone : NULL);
}

static int put_tms(const struct tms *tms, struct tms __user *tbuf)
{
	struct compat_tms t32 = {
		(s32)tms->tms_utime, (s32)tms->tms_stime, (s32)tms->tms_cutime, (s32)tms->tms_cstime,
	};

	if (in_compat_syscall())
		return copy_to_user(tbuf, &t32, sizeof(t32)) ? -EFAULT : 0;
	return copy_to_user(tbuf, tms, sizeof(*tms)) ? -EFAULT : 0;
}

long sys_times(struct tms __user *tbuf)
{
	if (tbuf) {
		u64 utime, stime;
		struct tms tms;

		thread_group_cputime_adjusted(current, &utime, &stime);
		tms.tms_utime = (long)nsec_to_clock_t(utime);
		tms.tms_stime = (long)nsec_to_clock_t(stime);
		spin_lock_irq(&current->sighand->siglock);
		tms.tms_cutime = (long)nsec_to_clock_t(current->signal->cutime);
		tms.tms_cstime = (long)nsec_to_clock_t(current->signal->cstime);
		spin_unlock_irq(&current->sighand->siglock);
		if (put_tms(&tms, tbuf))
			return -EFAULT;
	}
	return (long)jiffies_64_to_clock_t(get_jiffies_64());
}

int get_timex(struct __kernel_timex *txc, const struct __kernel_timex __user *utxc)
{
	struct old_timex32 t;

	if (!in_time32_syscall())
		return copy_from_user(txc, utxc, sizeof(*txc)) ? -EFAULT : 0;
	if (copy_from_user(&t, utxc, sizeof(t)))
		return -EFAULT;
	*txc = (struct __kernel_timex){
		.modes = t.modes, .offset = t.offset, .freq = t.freq, .maxerror = t.maxerror, .esterror = t.esterror,
		.status = t.status, .constant = t.constant, .precision = t.precision, .tolerance = t.tolerance,
		.time = { t.time.tv_sec, t.time.tv_usec }, .tick = t.tick, .ppsfreq = t.ppsfreq, .jitter = t.jitter,
		.shift = t.shift, .stabil = t.stabil, .jitcnt = t.jitcnt, .calcnt = t.calcnt, .errcnt = t.errcnt,
		.stbcnt = t.stbcnt, .tai = t.tai,
	};
	return 0;
}

int put_timex(const struct __kernel_timex *txc, struct __kernel_timex __user *utxc)
{
	struct old_timex32 t = {
		.modes = txc->modes, .offset = (s32)txc->offset, .freq = (s32)txc->freq, .maxerror = (s32)txc->maxerror,
		.esterror = (s32)txc->esterror, .status = txc->status, .constant = (s32)txc->constant,
		.precision = (s32)txc->precision, .tolerance = (s32)txc->tolerance,
		.time = { (s32)txc->time.tv_sec, (s32)txc->time.tv_usec }, .tick = (s32)txc->tick,
		.ppsfreq = (s32)txc->ppsfreq, .jitter = (s32)txc->jitter, .shift = txc->shift, .stabil = (s32)txc->stabil,
		.jitcnt = (s32)txc->jitcnt, .calcnt = (s32)txc->calcnt, .errcnt = (s32)txc->errcnt,
		.stbcnt = (s32)txc->stbcnt, .tai = txc->tai,
	};

	if (!in_time32_syscall())
		return copy_to_user(utxc, txc, sizeof(*txc)) ? -EFAULT : 0;
	return copy_to_user(utxc, &t, sizeof(t)) ? -EFAULT : 0;
}

long sys_adjtimex(struct __kernel_timex __user *txc_p)
{
	struct __kernel_timex txc;
	long ret;

	if (get_timex(&txc, txc_p))
		return -EFAULT;
	ret = do_adjtimex(&txc);
	return put_timex(&txc, txc_p) ? -EFAULT : ret;
}
