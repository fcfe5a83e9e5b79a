/*
 * kmsg.c: /dev/kmsg: the kernel's messages as records, one a read; a write adds one.
 *
 * What:    a record reads "PRIO,SEQ,MICROSECONDS,-;TEXT\n", with bytes that are not printable as \xHH.  A reader that is
 *          overtaken by the ring gets EPIPE once and goes on with the oldest record.
 * Locking: reader->lock: one read at a time of one open file.
 * See:     kernel/lib/printk.c; printk.h
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/ctype.h>
#include <weft/mutex.h>
#include <weft/fs.h>
#include <weft/uio.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/printk.h>
#include "internal.h"

#define KMSG_TEXT	1024		/* most of a record's text */
#define KMSG_WRITE_MAX	992

struct kmsg_reader {
	struct mutex	lock;
	u64		seq;			/* [lock] next to read */
	char		text[KMSG_TEXT];	/* [lock] */
	char		line[4 * KMSG_TEXT + 64];
};

static size_t format_record(struct kmsg_reader *r, const struct printk_info *info, size_t len)
{
	size_t n = scnprintf(r->line, sizeof(r->line), "%u,%llu,%llu,-;", info->facility * 8 + info->level, info->seq,
			     info->ts_nsec / 1000);

	for (size_t i = 0; i < len; i++) {
		u8 c = r->text[i];

		if (c < ' ' || c >= 127 || c == '\\')
			n += scnprintf(r->line + n, sizeof(r->line) - n, "\\x%02x", c);
		else
			r->line[n++] = c;
	}
	r->line[n++] = '\n';
	return n;
}

/* Waits for the next record and copies it to r->text; its length or -errno. */
static int next_record(struct kmsg_reader *r, struct printk_info *info, bool nonblock)
{
	int len;

	while ((len = printk_read(r->seq, info, r->text, sizeof(r->text))) == -ENOENT) {
		if (nonblock)
			return -EAGAIN;
		len = wait_event_interruptible(log_wait, printk_next_seq() > r->seq);
		if (len)
			return len;
	}
	if (info->seq > r->seq) {
		r->seq = info->seq;
		return -EPIPE;
	}
	return len;
}

static ssize_t kmsg_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct kmsg_reader *r = iocb->ki_filp->private_data;
	struct printk_info info;
	ssize_t ret;
	size_t n;

	ret = mutex_lock_interruptible(&r->lock);
	if (ret)
		return ret;
	ret = next_record(r, &info, iocb->ki_filp->f_flags & O_NONBLOCK);
	if (ret < 0)
		goto out;
	n = format_record(r, &info, min_t(size_t, ret, sizeof(r->text)));
	if (n > iov_iter_count(to)) {
		ret = -EINVAL;
		goto out;
	}
	r->seq = info.seq + 1;
	ret = copy_to_iter(r->line, n, to) == n ? (ssize_t)n : -EFAULT;
out:
	mutex_unlock(&r->lock);
	return ret;
}

/* "<PRIO>text": without a priority it is a user's message of the default level; the kernel's facility is not for users. */
static ssize_t kmsg_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t len = iov_iter_count(from), skip = 0;
	int prio = 8 + default_message_loglevel;
	char *buf;

	if (len > KMSG_WRITE_MAX)
		return -EINVAL;
	buf = kmalloc(len + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	if (copy_from_iter(buf, len, from) != len) {
		kfree(buf);
		return -EFAULT;
	}
	buf[len] = 0;
	if (buf[0] == '<') {
		char *end;
		unsigned long n = simple_strtoul(buf + 1, &end, 10);

		if (end > buf + 1 && *end == '>') {
			prio = (n & 7) | (n >> 3 ? n & ~7UL & 0x7f8 : 8);
			skip = end + 1 - buf;
		}
	}
	printk_emit(prio, buf + skip, len - skip);
	kfree(buf);
	return len;
}

/* To the first record (SEEK_SET), behind the last clear (SEEK_DATA), behind the last record (SEEK_END). */
static loff_t kmsg_llseek(struct file *file, loff_t offset, int whence)
{
	struct kmsg_reader *r = file->private_data;

	if (offset)
		return -ESPIPE;
	if (whence != SEEK_SET && whence != SEEK_DATA && whence != SEEK_END)
		return -EINVAL;
	if (mutex_lock_interruptible(&r->lock))	/* a reader waits for news with it */
		return -EINTR;
	r->seq = whence == SEEK_SET ? printk_first_seq() : whence == SEEK_DATA ? printk_clear_seq() : printk_next_seq();
	mutex_unlock(&r->lock);
	return 0;
}

static __poll_t kmsg_poll(struct file *file, struct poll_table_struct *wait)
{
	struct kmsg_reader *r = file->private_data;
	u64 seq = READ_ONCE(r->seq);

	poll_wait(file, &log_wait, wait);
	if (seq < printk_first_seq())
		return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLPRI;
	return seq < printk_next_seq() ? EPOLLIN | EPOLLRDNORM : 0;
}

static int kmsg_open(struct inode *inode, struct file *file)
{
	struct kmsg_reader *r;

	if ((file->f_flags & O_ACCMODE) == O_WRONLY)
		return 0;
	r = kvzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock);
	r->seq = printk_first_seq();
	file->private_data = r;
	return 0;
}

static int kmsg_release(struct inode *inode, struct file *file)
{
	kvfree(file->private_data);
	return 0;
}

static __poll_t kmsg_poll_any(struct file *file, struct poll_table_struct *wait)
{
	return file->private_data ? kmsg_poll(file, wait) : EPOLLOUT | EPOLLWRNORM;
}

static loff_t kmsg_llseek_any(struct file *file, loff_t offset, int whence)
{
	return file->private_data ? kmsg_llseek(file, offset, whence) : -EBADF;
}

const struct file_operations kmsg_fops = {
	.open = kmsg_open, .read_iter = kmsg_read, .write_iter = kmsg_write, .llseek = kmsg_llseek_any,
	.poll = kmsg_poll_any, .release = kmsg_release,
};
