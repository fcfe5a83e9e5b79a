/*
 * rtc.c: the battery clock (MC146818, "CMOS"): the time at start-up, and /dev/rtc0.
 *
 * Idea:    the chip is read twice until both readings agree and no update was under way, since its registers change one by
 *          one.  It holds UTC, in BCD or binary, 12 or 24 hours, as its status register B says.
 * Locking: cmos_lock (irq-safe): the index/data port pair.
 * See:     spec.md §6 "real-time clock"; rtc(4); Motorola MC146818 data sheet
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/io.h>
#include <weft/fs.h>
#include <weft/spinlock.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/device.h>
#include <weft/cdev.h>
#include <uapi/rtc.h>

#define CMOS_INDEX	0x70
#define CMOS_DATA	0x71
#define REG_SECONDS	0
#define REG_MINUTES	2
#define REG_HOURS	4
#define REG_DAY		7
#define REG_MONTH	8
#define REG_YEAR	9
#define REG_A		10
#define   A_UPDATING	0x80
#define REG_B		11
#define   B_SET		0x80	/* holds the clock still */
#define   B_BINARY	0x04
#define   B_24H		0x02
#define RTC_MAJOR	250

static DEFINE_SPINLOCK(cmos_lock);

static u8 cmos_read(u8 reg)
{
	outb(reg, CMOS_INDEX);
	return inb(CMOS_DATA);
}

static void cmos_write(u8 reg, u8 value)
{
	outb(reg, CMOS_INDEX);
	outb(value, CMOS_DATA);
}

static int from_bcd(u8 v) { return (v >> 4) * 10 + (v & 15); }
static u8 to_bcd(int v) { return v / 10 << 4 | v % 10; }

struct cmos_time { u8 sec, min, hour, day, mon, year; };

static struct cmos_time read_registers(void)
{
	return (struct cmos_time){ cmos_read(REG_SECONDS), cmos_read(REG_MINUTES), cmos_read(REG_HOURS), cmos_read(REG_DAY),
				   cmos_read(REG_MONTH), cmos_read(REG_YEAR) };
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; mon from 1. */
static s64 days_from_civil(int year, int mon, int day)
{
	int y = year - (mon <= 2);
	int era = y / 400, yoe = y - era * 400;
	int doy = (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (s64)era * 146097 + doe - 719468;
}

static void civil_from_days(s64 days, int *year, int *mon, int *day)
{
	s64 z = days + 719468;
	int era = z / 146097, doe = z - (s64)era * 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*mon = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*mon <= 2);
}

/* Seconds since 1970, or -EIO when there is no clock that makes sense. */
static s64 read_cmos_seconds(void)
{
	struct cmos_time t, again;
	unsigned long flags;
	int hour, year;
	u8 b;

	spin_lock_irqsave(&cmos_lock, flags);
	b = cmos_read(REG_B);
	for (int tries = 0; ; tries++) {
		for (int spin = 0; spin < 10000 && (cmos_read(REG_A) & A_UPDATING); spin++)
			;
		t = read_registers();
		again = read_registers();
		if (!memcmp(&t, &again, sizeof(t)) || tries > 10)
			break;
	}
	spin_unlock_irqrestore(&cmos_lock, flags);
	hour = t.hour & 0x7f;
	if (!(b & B_BINARY)) {
		t.sec = from_bcd(t.sec);
		t.min = from_bcd(t.min);
		hour = from_bcd(hour);
		t.day = from_bcd(t.day);
		t.mon = from_bcd(t.mon);
		t.year = from_bcd(t.year);
	}
	if (!(b & B_24H))
		hour = hour % 12 + (t.hour & 0x80 ? 12 : 0);
	if (t.sec > 60 || t.min > 59 || hour > 23 || !t.day || t.day > 31 || !t.mon || t.mon > 12 || t.year > 99)
		return -EIO;
	year = t.year + (t.year < 70 ? 2000 : 1900);
	return days_from_civil(year, t.mon, t.day) * 86400 + hour * 3600 + t.min * 60 + t.sec;
}

/* The time of day at start-up, 0 without a clock.  Any context. */
void read_persistent_clock64(struct timespec64 *ts)
{
	s64 sec = read_cmos_seconds();

	ts->tv_sec = max(sec, 0LL);
	ts->tv_nsec = 0;
}

/* ---- /dev/rtc0 ---- */

static void to_rtc_time(s64 sec, struct rtc_time *t)
{
	s64 days = sec / 86400;
	int rest = sec % 86400;

	*t = (struct rtc_time){ .tm_hour = rest / 3600, .tm_min = rest / 60 % 60, .tm_sec = rest % 60 };
	civil_from_days(days, &t->tm_year, &t->tm_mon, &t->tm_mday);
	t->tm_yday = days - days_from_civil(t->tm_year, 1, 1);
	t->tm_wday = (days + 4) % 7;
	t->tm_year -= 1900;
	t->tm_mon -= 1;
}

static bool valid(const struct rtc_time *t)
{
	static const u8 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = t->tm_year + 1900;
	bool leap;

	if (t->tm_year < 70 || t->tm_year > 169 || t->tm_mon < 0 || t->tm_mon > 11)
		return false;
	leap = t->tm_mon == 1 && year % 4 == 0 && (year % 100 || year % 400 == 0);
	return t->tm_mday >= 1 && t->tm_mday <= days[t->tm_mon] + leap && t->tm_hour >= 0 && t->tm_hour < 24 &&
	       t->tm_min >= 0 && t->tm_min < 60 && t->tm_sec >= 0 && t->tm_sec < 60;
}

static void write_cmos(const struct rtc_time *t)
{
	const int regs[6] = { REG_SECONDS, REG_MINUTES, REG_HOURS, REG_DAY, REG_MONTH, REG_YEAR };
	const int vals[6] = { t->tm_sec, t->tm_min, t->tm_hour, t->tm_mday, t->tm_mon + 1, (t->tm_year + 1900) % 100 };
	unsigned long flags;
	u8 b;

	spin_lock_irqsave(&cmos_lock, flags);
	b = cmos_read(REG_B) | B_24H;
	cmos_write(REG_B, b | B_SET);
	for (int i = 0; i < 6; i++)
		cmos_write(regs[i], b & B_BINARY ? vals[i] : to_bcd(vals[i]));
	cmos_write(REG_B, b);
	spin_unlock_irqrestore(&cmos_lock, flags);
}

static long rtc_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;
	struct rtc_time t;
	s64 sec;

	switch (cmd) {
	case RTC_RD_TIME:
		sec = read_cmos_seconds();
		if (sec < 0)
			return sec;
		to_rtc_time(sec, &t);
		return copy_to_user(p, &t, sizeof(t)) ? -EFAULT : 0;
	case RTC_SET_TIME:
		if (!capable(CAP_SYS_TIME))
			return -EACCES;
		if (copy_from_user(&t, p, sizeof(t)))
			return -EFAULT;
		if (!valid(&t))
			return -EINVAL;
		write_cmos(&t);
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations rtc_fops = { .unlocked_ioctl = rtc_ioctl, .compat_ioctl = rtc_ioctl, .llseek = no_llseek };

static int __init rtc_init(void)
{
	static struct cdev cdev;
	dev_t dev = MKDEV(RTC_MAJOR, 0);
	int err;

	if (read_cmos_seconds() < 0)
		return 0;
	cdev_init(&cdev, &rtc_fops);
	err = register_chrdev_region(dev, 1, "rtc");
	if (!err)
		err = cdev_add(&cdev, dev, 1);
	return err ? err : PTR_ERR_OR_ZERO(device_create(&rtc_class, dev, "rtc0", S_IFCHR | 0600));
}
device_initcall(rtc_init);
