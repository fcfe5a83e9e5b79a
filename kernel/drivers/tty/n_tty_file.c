/*
 * n_tty_file.c: the line discipline, second half: what programs read from a terminal and write to it.
 *
 * What:    read: whole lines in canonical mode; what VMIN and VTIME say in raw mode; the packet byte first on a pty master
 *          in packet mode.  write: output processing.  poll, FIONREAD, and the ioctls that belong to a discipline.
 * Idea:    a reader sleeps on tty->read_wait with the test after the entry into the queue (the picture in wait.h), copies
 *          under ld->lock into the caller's kernel buffer, and tells a driver that was told "full" when room is there again.
 * Locking: ld->read_lock: one read at a time, so that lines stay whole.  atomic_write_lock (tty_io.c): one write at a time.
 *          ld->output_lock over driver->write; ld->lock inside both.
 * See:     n_tty.c, n_tty.h; spec.md §10; termios(3)
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/string.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uaccess.h>
#include <weft/jiffies.h>
#include <weft/fs.h>
#include <uapi/ioctls.h>
#include "n_tty.h"

/* ---- Reading ---- */

/* Bytes a read may take now; min: how many raw mode waits for. */
static bool input_available(struct n_tty_data *ld, size_t min)
{
	bool yes;

	spin_lock(&ld->lock);
	yes = ld->icanon ? ld->canon_head != ld->tail : ld->head - ld->tail >= max_t(size_t, min, 1);
	spin_unlock(&ld->lock);
	return yes;
}

/* Takes at most nr bytes of one line; the mark of an end of file is swallowed.  *done: the line is over. */
static size_t copy_line(struct n_tty_data *ld, u8 *buf, size_t nr, bool *done)
{
	size_t n = 0;

	lockdep_assert_held(&ld->lock);
	while (ld->tail != ld->canon_head) {
		bool end = n_tty_is_end(ld, ld->tail);
		u8 c = n_tty_at(ld, ld->tail);
		bool eof = end && c == 0 && !(ld->push && ld->tail + 1 == ld->canon_head);

		if (eof) {
			/* "abc^D" with a buffer of exactly three: the mark is taken along, so the next read is not empty. */
			__clear_bit(ld->tail & (ld->size - 1), ld->line_ends);
			ld->tail++;
			*done = true;
			break;
		}
		if (n == nr)
			break;
		buf[n++] = c;
		if (end) {
			__clear_bit(ld->tail & (ld->size - 1), ld->line_ends);
			if (ld->tail + 1 == ld->canon_head)
				ld->push = false;
			ld->tail++;
			*done = true;
			break;
		}
		ld->tail++;
	}
	return n;
}

static size_t copy_raw(struct n_tty_data *ld, u8 *buf, size_t nr)
{
	size_t done = 0;

	lockdep_assert_held(&ld->lock);
	while (done < nr && ld->tail != ld->head) {
		size_t pos = ld->tail & (ld->size - 1);
		size_t n = min3(nr - done, ld->head - ld->tail, ld->size - pos);

		memcpy(buf + done, ld->buf + pos, n);
		ld->tail += n;
		done += n;
	}
	ld->canon_head = ld->tail;
	return done;
}

/* After something was read: whoever was told "full" may go on when a good part is free. */
static void check_unthrottle(struct n_tty_data *ld)
{
	bool restart;

	spin_lock(&ld->lock);
	restart = ld->full && n_tty_used(ld) <= ld->size / 2;
	if (restart)
		ld->full = false;
	spin_unlock(&ld->lock);
	if (restart)
		tty_unthrottle(ld->tty);
}

/* Packet mode: what happened at the slave since the last read, as one byte.  0: nothing, read data. */
static u8 take_packet_status(struct tty_struct *tty)
{
	u8 status = 0;

	if (!READ_ONCE(tty->packet))
		return 0;
	spin_lock_irq(&tty->link->ctrl_lock);
	if (tty->packet)
		swap(status, tty->link->pktstatus);
	spin_unlock_irq(&tty->link->ctrl_lock);
	return status;
}

static bool packet_pending(struct tty_struct *tty)
{
	return READ_ONCE(tty->packet) && READ_ONCE(tty->link->pktstatus);
}

/* VMIN and VTIME of raw mode: see "noncanonical mode" in termios(3). */
struct read_terms {
	size_t	minimum;	/* bytes to wait for; 0: return with what is there when the time is up */
	long	first;		/* jiffies to wait for the first byte */
	long	between;	/* ... for each next one */
};

static struct read_terms read_terms(struct n_tty_data *ld, size_t nr)
{
	struct read_terms t = { .minimum = 1, .first = MAX_SCHEDULE_TIMEOUT, .between = MAX_SCHEDULE_TIMEOUT };
	long time;

	spin_lock(&ld->lock);
	if (!ld->icanon) {
		time = (HZ / 10) * (long)ld->t.c_cc[VTIME];
		t.minimum = min_t(size_t, ld->t.c_cc[VMIN], nr);
		if (ld->t.c_cc[VMIN]) {
			if (time)
				t.between = time;
		} else {
			t.first = time;
		}
	}
	spin_unlock(&ld->lock);
	return t;
}

/* Why a reader that found nothing must not sleep: 1 = the end (or hung up), -errno, 0 = it may sleep. */
static int cannot_wait(struct tty_struct *tty, struct file *file)
{
	if (test_bit(TTY_OTHER_CLOSED, &tty->flags))
		return -EIO;
	if (tty_hung_up_p(file))
		return 1;
	if (file->f_flags & O_NONBLOCK)
		return -EAGAIN;
	return signal_pending(current) ? -ERESTARTSYS : 0;
}

/* Sleeps until there is something to read.  1: there is; 0: time up, the end; -errno. */
static int wait_for_input(struct tty_struct *tty, struct file *file, size_t min, long *timeout)
{
	DECLARE_WAITQUEUE(wait, current);
	struct n_tty_data *ld = tty->disc_data;
	int ret;

	add_wait_queue(&tty->read_wait, &wait);
	for (;;) {
		bool last_look = test_bit(TTY_OTHER_CLOSED, &tty->flags);	/* before the test: its bytes came first */

		set_current_state(TASK_INTERRUPTIBLE);
		ret = input_available(ld, min) || packet_pending(tty);
		if (ret)
			break;
		if (!*timeout && !test_bit(TTY_OTHER_CLOSED, &tty->flags))
			break;
		ret = cannot_wait(tty, file);
		if (ret == -EIO && !last_look)
			continue;
		if (ret) {
			if (ret > 0)
				ret = 0;
			break;
		}
		*timeout = schedule_timeout(*timeout);
	}
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(&tty->read_wait, &wait);
	return ret;
}

/* One turn of a read: what is there, at most nr bytes.  *done: the call is over whatever was asked for. */
static size_t take_input(struct n_tty_data *ld, u8 *buf, size_t nr, bool *done)
{
	size_t n;

	spin_lock(&ld->lock);
	n = ld->icanon ? copy_line(ld, buf, nr, done) : copy_raw(ld, buf, nr);
	if (ld->icanon && n == nr)
		*done = true;
	spin_unlock(&ld->lock);
	check_unthrottle(ld);
	return n;
}

static ssize_t read_locked(struct tty_struct *tty, struct file *file, u8 *buf, size_t nr)
{
	struct n_tty_data *ld = tty->disc_data;
	struct read_terms terms = read_terms(ld, nr);
	long timeout = terms.first;
	size_t got = 0;
	bool done = false;
	int ret = 0;

	while (got < nr && !done) {
		u8 status = got ? 0 : take_packet_status(tty);

		if (status) {
			*buf = status;
			return 1;
		}
		ret = wait_for_input(tty, file, 1, &timeout);
		if (ret <= 0)
			break;
		if (packet_pending(tty)) {
			if (got)
				break;
			continue;
		}
		if (!got && READ_ONCE(tty->packet)) {
			buf[got++] = TIOCPKT_DATA;
			if (nr == 1)
				break;
		}
		got += take_input(ld, buf + got, nr - got, &done);
		if (READ_ONCE(tty->packet) || got >= terms.minimum)
			break;
		timeout = terms.between;
	}
	return got ? (ssize_t)got : min(ret, 0);
}

/*
 * At most nr bytes into the kernel buffer buf.  0 at the end of file, after a hang-up and when VTIME is over.
 * -EIO: a background group that cannot be stopped, or the other end of the pty is gone; -EAGAIN, -ERESTARTSYS.
 */
ssize_t n_tty_read(struct tty_struct *tty, struct file *file, u8 *buf, size_t nr)
{
	struct n_tty_data *ld = tty->disc_data;
	ssize_t ret;

	if (!nr)
		return 0;
	ret = __tty_check_change(tty, SIGTTIN);
	if (ret)
		return ret;
	if (file->f_flags & O_NONBLOCK) {
		if (!mutex_trylock(&ld->read_lock))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&ld->read_lock)) {
		return -ERESTARTSYS;
	}
	ret = read_locked(tty, file, buf, nr);
	mutex_unlock(&ld->read_lock);
	return ret;
}

/* ---- Writing ---- */

/*
 * OPOST: makes a chunk of what goes out from at most nr bytes of buf.  Returns the bytes used up; *len is the length of
 * the chunk.  A byte whose result does not fit stays for the next turn.
 */
static size_t process_output(struct n_tty_data *ld, const u8 *buf, size_t nr, u8 *out, int room, int *len)
{
	size_t i;

	*len = 0;
	spin_lock(&ld->lock);
	for (i = 0; i < nr; i++) {
		int n = n_tty_output_char(ld, buf[i], out + *len, room - *len);

		if (n < 0)
			break;
		*len += n;
	}
	spin_unlock(&ld->lock);
	return i;
}

/* Hands the driver as much of buf as it takes now.  Bytes used up, or -errno. */
static ssize_t output_some(struct tty_struct *tty, const u8 *buf, size_t nr)
{
	struct n_tty_data *ld = tty->disc_data;
	u8 chunk[128];
	ssize_t used;
	int len, sent;

	mutex_lock(&ld->output_lock);
	__n_tty_flush_echoes(ld);
	if (!O_FLAG(tty, OPOST)) {
		used = tty->ops->write(tty, buf, min_t(size_t, nr, INT_MAX));
		goto out;
	}
	used = process_output(ld, buf, nr, chunk, min_t(unsigned int, sizeof(chunk), tty_write_room(tty)), &len);
	if (len) {
		sent = tty->ops->write(tty, chunk, len);
		if (sent < 0)
			used = sent;
		else if (sent < len)
			n_tty_push_output(ld, chunk + sent, len - sent);
	}
out:
	mutex_unlock(&ld->output_lock);
	return used;
}

/* nr bytes of the kernel buffer buf.  Bytes written, or -errno: -EIO after a hang-up, -EAGAIN, -ERESTARTSYS. */
ssize_t n_tty_write(struct tty_struct *tty, struct file *file, const u8 *buf, size_t nr)
{
	DECLARE_WAITQUEUE(wait, current);
	size_t written = 0;
	ssize_t ret = 0;

	if (L_FLAG(tty, TOSTOP) && !tty_is_console_file(file)) {
		ret = tty_check_change(tty);
		if (ret)
			return ret;
	}
	add_wait_queue(&tty->write_wait, &wait);
	while (written < nr) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (tty_hung_up_p(file) || (tty->link && !READ_ONCE(tty->link->count))) {
			ret = -EIO;
			break;
		}
		/* The state stays "interruptible" over this test only; what may sleep comes after. */
		if (!tty_write_room(tty) || READ_ONCE(tty->stopped)) {
			if (file->f_flags & O_NONBLOCK) {
				ret = -EAGAIN;
				break;
			}
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		ret = output_some(tty, buf + written, nr - written);
		if (ret < 0)
			break;
		written += ret;
		if (!ret && (file->f_flags & O_NONBLOCK)) {
			ret = -EAGAIN;
			break;
		}
		if (!ret)
			schedule_timeout_interruptible(1);	/* room for less than one processed byte */
	}
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(&tty->write_wait, &wait);
	return written ? (ssize_t)written : ret;
}

/* ---- poll, ioctl ---- */

__poll_t n_tty_poll(struct tty_struct *tty, struct file *file, struct poll_table_struct *wait)
{
	struct n_tty_data *ld = tty->disc_data;
	__poll_t mask = 0;
	size_t min = 1;

	poll_wait(file, &tty->read_wait, wait);
	poll_wait(file, &tty->write_wait, wait);
	if (!ld->icanon && !ld->t.c_cc[VTIME] && ld->t.c_cc[VMIN])
		min = ld->t.c_cc[VMIN];
	if (input_available(ld, min))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (packet_pending(tty))
		mask |= EPOLLPRI | EPOLLIN | EPOLLRDNORM;
	if (test_bit(TTY_OTHER_CLOSED, &tty->flags))
		mask |= EPOLLHUP;
	if (tty_hung_up_p(file))
		mask |= EPOLLHUP;
	if (!READ_ONCE(tty->stopped) && tty_write_room(tty) > 0)
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* Bytes that reads would return now; marks of an end of file are none. */
static int readable_bytes(struct n_tty_data *ld)
{
	size_t n, pos;

	spin_lock(&ld->lock);
	if (!ld->icanon) {
		n = ld->head - ld->tail;
	} else {
		n = ld->canon_head - ld->tail;
		for (pos = ld->tail; pos != ld->canon_head; pos++)
			if (n_tty_is_end(ld, pos) && n_tty_at(ld, pos) == 0)
				n--;
	}
	spin_unlock(&ld->lock);
	return n;
}

int n_tty_ioctl(struct tty_struct *tty, struct file *file, unsigned int cmd, unsigned long arg)
{
	int retval;

	switch (cmd) {
	case TIOCOUTQ:
		return put_user((int)tty_chars_in_buffer(tty), (int __user *)arg);
	case FIONREAD:
		return put_user(readable_bytes(tty->disc_data), (int __user *)arg);
	case TCXONC:
		retval = tty_check_change(tty);
		return retval ? retval : tty_flow(tty, arg);
	case TCFLSH:
		retval = tty_check_change(tty);
		return retval ? retval : tty_perform_flush(tty, arg);
	default:
		return tty_mode_ioctl(tty, file, cmd, arg);
	}
}
