/*
 * syslog.c: syslog(2): the log of the kernel for dmesg and klogd.
 *
 * What:    actions 0-10.  READ_ALL gives the last records that fit, as "<level>[time] text" lines; READ gives what nobody
 *          has read through it before, and waits; /dev/kmsg (drivers/char) reads the same ring by records.
 * Locking: syslog_lock for READ's position, a mutex, because it is held while copying to user space.
 * See:     syslog(2)
 */
#include <weft/capability.h>
#include <weft/kernel.h>
#include <weft/mutex.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/uaccess.h>
#include <weft/wait.h>

enum {
	SYSLOG_ACTION_CLOSE, SYSLOG_ACTION_OPEN, SYSLOG_ACTION_READ, SYSLOG_ACTION_READ_ALL, SYSLOG_ACTION_READ_CLEAR,
	SYSLOG_ACTION_CLEAR, SYSLOG_ACTION_CONSOLE_OFF, SYSLOG_ACTION_CONSOLE_ON, SYSLOG_ACTION_CONSOLE_LEVEL,
	SYSLOG_ACTION_SIZE_UNREAD, SYSLOG_ACTION_SIZE_BUFFER,
};

#define LINE_MAX	2048		/* one record as text */
#define LOG_BYTES	(64 << 10)	/* what SIZE_BUFFER tells */

static DEFINE_MUTEX(syslog_lock);
static u64 syslog_seq;			/* [syslog_lock] READ: the next record */
static size_t syslog_done;		/* [syslog_lock] ... and how much of its text has been read */
static int saved_loglevel = -1;		/* [syslog_lock] CONSOLE_OFF's, for CONSOLE_ON */

/* A record as lines "<6>[    1.234567] text\n" into buf[LINE_MAX]; its length, or -ENOENT. */
static int format_record(u64 seq, struct printk_info *info, char *buf)
{
	char *text = kmalloc(LINE_MAX / 2, GFP_KERNEL), *line, *rest;
	int n, len = 0;

	if (!text)
		return -ENOMEM;
	n = printk_read(seq, info, text, LINE_MAX / 2 - 1);
	if (n < 0) {
		kfree(text);
		return n;
	}
	text[n] = '\0';
	rest = text;
	while ((line = strsep(&rest, "\n")))
		len += scnprintf(buf + len, LINE_MAX - len, "<%u>[%5llu.%06llu] %s\n", info->facility << 3 | info->level,
				 info->ts_nsec / NSEC_PER_SEC, info->ts_nsec % NSEC_PER_SEC / NSEC_PER_USEC, line);
	kfree(text);
	return len;
}

/* Bytes of the records [seq, end) as text. */
static long text_size(u64 seq, char *line)
{
	struct printk_info info;
	long total = 0;
	int n;

	for (; (n = format_record(seq, &info, line)) > 0; seq = info.seq + 1)
		total += n;
	return n < 0 && n != -ENOENT ? n : total;
}

static long read_all(char __user *buf, long size, bool clear, char *line)
{
	u64 seq = max(printk_clear_seq(), printk_first_seq()), end = printk_next_seq();
	long total = text_size(seq, line), copied = 0;
	struct printk_info info;
	int n;

	if (total < 0)
		return total;
	/* The oldest give way until the rest fits. */
	for (; total > size && (n = format_record(seq, &info, line)) > 0; seq = info.seq + 1)
		total -= n;
	for (; seq < end && (n = format_record(seq, &info, line)) > 0 && copied + n <= size; seq = info.seq + 1) {
		if (copy_to_user(buf + copied, line, (size_t)n))
			return -EFAULT;
		copied += n;
		cond_resched();
	}
	if (clear)
		printk_set_clear_seq(end);
	return copied;
}

/* What has not been read yet, as much as fits; waits for the first byte. */
static long read_new(char __user *buf, long size, char *line)
{
	long copied = 0;
	int err;

	err = wait_event_interruptible(log_wait, READ_ONCE(syslog_seq) < printk_next_seq());
	if (err)
		return err;
	mutex_lock(&syslog_lock);
	while (copied < size) {
		struct printk_info info;
		int n = format_record(syslog_seq, &info, line);
		size_t part;

		if (n < 0)
			break;
		if (info.seq != syslog_seq)
			syslog_done = 0;
		part = min((size_t)n - syslog_done, (size_t)(size - copied));
		if (copy_to_user(buf + copied, line + syslog_done, part)) {
			copied = copied ? copied : -EFAULT;
			break;
		}
		copied += part;
		syslog_done += part;
		syslog_seq = info.seq;
		if (syslog_done == (size_t)n) {
			syslog_seq++;
			syslog_done = 0;
		}
	}
	mutex_unlock(&syslog_lock);
	return copied;
}

static long console_switch(int type, int level)
{
	mutex_lock(&syslog_lock);
	if (type == SYSLOG_ACTION_CONSOLE_OFF) {
		if (saved_loglevel < 0)
			saved_loglevel = console_loglevel;
		console_loglevel = console_printk[2];
	} else if (type == SYSLOG_ACTION_CONSOLE_ON) {
		if (saved_loglevel >= 0)
			console_loglevel = saved_loglevel;
		saved_loglevel = -1;
	} else {
		console_loglevel = max(level, console_printk[2]);
		saved_loglevel = -1;
	}
	mutex_unlock(&syslog_lock);
	return 0;
}

static long read_action(int type, char __user *buf, int len, char *line)
{
	switch (type) {
	case SYSLOG_ACTION_READ:
		return read_new(buf, len, line);
	case SYSLOG_ACTION_SIZE_UNREAD:
		return text_size(syslog_seq, line) - (long)syslog_done;
	default:
		return read_all(buf, len, type == SYSLOG_ACTION_READ_CLEAR, line);
	}
}

static long do_syslog(int type, char __user *buf, int len)
{
	bool reads = type == SYSLOG_ACTION_READ || type == SYSLOG_ACTION_READ_ALL || type == SYSLOG_ACTION_READ_CLEAR;
	char *line;
	long ret;

	if (reads) {
		if (!buf || len < 0)
			return -EINVAL;
		if (!len)
			return 0;
		if (!access_ok(buf, len))
			return -EFAULT;
	}
	if (reads || type == SYSLOG_ACTION_SIZE_UNREAD) {
		line = kmalloc(LINE_MAX, GFP_KERNEL);
		if (!line)
			return -ENOMEM;
		ret = read_action(type, buf, len, line);
		kfree(line);
		return ret;
	}
	switch (type) {
	case SYSLOG_ACTION_CLOSE:
	case SYSLOG_ACTION_OPEN:
		return 0;
	case SYSLOG_ACTION_CLEAR:
		printk_set_clear_seq(printk_next_seq());
		return 0;
	case SYSLOG_ACTION_CONSOLE_LEVEL:
		if (len < 1 || len > 8)
			return -EINVAL;
		fallthrough;
	case SYSLOG_ACTION_CONSOLE_OFF:
	case SYSLOG_ACTION_CONSOLE_ON:
		return console_switch(type, len);
	case SYSLOG_ACTION_SIZE_BUFFER:
		return LOG_BYTES;
	default:
		return -EINVAL;
	}
}

long sys_syslog(int type, char __user *buf, int len)
{
	if (type != SYSLOG_ACTION_READ_ALL && type != SYSLOG_ACTION_SIZE_BUFFER && !capable(CAP_SYSLOG))
		return -EPERM;
	return do_syslog(type, buf, len);
}
