/*
 * n_tty.c: the line discipline, first half: what a terminal receives.
 *
 * What:    receive_buf() takes bytes from the driver, edits lines (ERASE, KILL, WERASE, LNEXT, REPRINT), turns Ctrl-C and
 *          its like into signals and Ctrl-S/Ctrl-Q into flow control, echoes, and leaves the rest to be read.
 * Idea:    one spinlock guards the whole state, so one byte is one short critical section without a branch for races.
 *          What cannot be done under it (sending a signal, starting the output, writing the echo) is noted in a
 *          struct n_tty_todo and done right after; a byte with such an effect ends the locked run, so effects keep
 *          their place among the bytes.
 *          Echo is put through output processing when it is made and waits in a ring until the driver takes it.
 * Locking: ld->lock as above.  ld->output_lock (mutex) is held over driver->write, so that echoes and output do not cut
 *          into each other.  A pty's driver->write is the other side's receive_buf(): a slave's output_lock comes before
 *          its master's ld->lock; a master never echoes, so there is no way back.
 *          Order: atomic_write_lock -> output_lock -> (the other end's) ld->lock -> wait queues.
 * Context: process context only (tty_port.c brings interrupts' bytes here by work).
 * Cost:    constant for a byte; erasing a tab or a word looks back over the line.
 * See:     spec.md §10; termios(3); doc/terminals.md
 */
#include <weft/kernel.h>
#include <weft/ctype.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include <weft/string.h>
#include <weft/bitmap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/err.h>
#include <weft/trace.h>
#include <uapi/ioctls.h>
#include "n_tty.h"

#define DISABLED_CHAR	'\0'	/* a c_cc that is switched off; also what stands for an end of file */

/* What one locked run asks to be done after the lock. */
struct n_tty_todo {
	int	sig;		/* send it to the foreground group */
	bool	flush;		/* ... and forget output that has not been sent */
	bool	stop, start;	/* flow control */
};

static inline bool is_continuation(const struct n_tty_data *ld, u8 c)
{
	return (ld->t.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* ---- Output processing ---- */

static int emit(u8 *out, int space, const char *s, int n)
{
	if (n > space)
		return -1;
	memcpy(out, s, n);
	return n;
}

/*
 * What c becomes on its way out (OPOST): bytes written to out, or -1 when they do not fit, with nothing changed.
 */
int n_tty_output_char(struct n_tty_data *ld, u8 c, u8 *out, int space)
{
	tcflag_t oflag = ld->t.c_oflag;
	int spaces;

	if (space < 1)
		return -1;
	if (!(oflag & OPOST))
		return emit(out, space, (const char *)&c, 1);
	switch (c) {
	case '\n':
		if (oflag & ONLCR) {
			if (space < 2)
				return -1;
			ld->canon_column = ld->column = 0;
			return emit(out, space, "\r\n", 2);
		}
		if (oflag & ONLRET)
			ld->column = 0;
		ld->canon_column = ld->column;
		break;
	case '\r':
		if ((oflag & ONOCR) && ld->column == 0)
			return 0;
		if (oflag & OCRNL) {
			c = '\n';
			if (!(oflag & ONLRET))
				break;
		}
		ld->canon_column = ld->column = 0;
		break;
	case '\t':
		spaces = 8 - (ld->column & 7);
		if ((oflag & TABDLY) == XTABS && spaces > space)
			return -1;
		ld->column += spaces;
		if ((oflag & TABDLY) == XTABS)
			return emit(out, space, "        ", spaces);
		break;
	case '\b':
		if (ld->column > 0)
			ld->column--;
		break;
	default:
		if (!iscntrl(c)) {
			if (oflag & OLCUC)
				c = toupper(c);
			if (!is_continuation(ld, c))
				ld->column++;
		}
		break;
	}
	return emit(out, space, (const char *)&c, 1);
}

/* ---- Echo ---- */

static void echo_put(struct n_tty_data *ld, const u8 *s, int n)
{
	if (N_TTY_ECHO_SIZE - (ld->echo_head - ld->echo_tail) < (unsigned int)n)
		return;		/* nobody takes the output: the echo is lost, as on every Unix */
	while (n--)
		ld->echo[ld->echo_head++ % N_TTY_ECHO_SIZE] = *s++;
}

/* Echoes c as it would be printed. */
static void echo_char_raw(struct n_tty_data *ld, u8 c) __must_hold(&ld->lock)
{
	u8 out[8];
	int n = n_tty_output_char(ld, c, out, sizeof(out));

	echo_put(ld, out, n);
}

/* Echoes c so that it can be seen: control characters as ^X. */
static void echo_char(struct n_tty_data *ld, u8 c) __must_hold(&ld->lock)
{
	if ((ld->t.c_lflag & ECHOCTL) && iscntrl(c) && c != '\t') {
		echo_char_raw(ld, '^');
		c ^= 0x40;
	}
	echo_char_raw(ld, c);
}

static void echo_string(struct n_tty_data *ld, const char *s) __must_hold(&ld->lock)
{
	while (*s)
		echo_char_raw(ld, *s++);
}

/* Bytes that the driver had room for and then had not: first in the line of what waits. */
void n_tty_push_output(struct n_tty_data *ld, const u8 *buf, size_t n)
{
	spin_lock(&ld->lock);
	echo_put(ld, buf, n);
	spin_unlock(&ld->lock);
}

/* Gives the driver as much of the waiting output as it takes. */
void __n_tty_flush_echoes(struct n_tty_data *ld)
{
	struct tty_struct *tty = ld->tty;
	u8 chunk[64];

	for (;;) {
		unsigned int n = min_t(unsigned int, sizeof(chunk), tty_write_room(tty)), i;
		int sent;

		spin_lock(&ld->lock);
		n = min(n, ld->echo_head - ld->echo_tail);
		for (i = 0; i < n; i++)
			chunk[i] = ld->echo[(ld->echo_tail + i) % N_TTY_ECHO_SIZE];
		spin_unlock(&ld->lock);
		if (!n)
			return;
		sent = tty->ops->write(tty, chunk, n);
		if (sent <= 0)
			return;
		spin_lock(&ld->lock);
		/* A flush in between may have emptied the ring: never step past its head. */
		ld->echo_tail += min_t(unsigned int, sent, ld->echo_head - ld->echo_tail);
		spin_unlock(&ld->lock);
	}
}

void n_tty_flush_echoes(struct n_tty_data *ld)
{
	if (READ_ONCE(ld->echo_head) == READ_ONCE(ld->echo_tail))
		return;
	mutex_lock(&ld->output_lock);
	__n_tty_flush_echoes(ld);
	mutex_unlock(&ld->output_lock);
}

static void n_tty_echo_work(struct work_struct *work)
{
	n_tty_flush_echoes(container_of(work, struct n_tty_data, echo_work));
}

/* The driver has room again; any context. */
static void n_tty_write_wakeup(struct tty_struct *tty)
{
	struct n_tty_data *ld = tty->disc_data;

	if (READ_ONCE(ld->echo_head) != READ_ONCE(ld->echo_tail))
		queue_work(system_wq, &ld->echo_work);
}

/* ---- Editing ---- */

static void put_char(struct n_tty_data *ld, u8 c)
{
	size_t pos = ld->head++ & (ld->size - 1);

	ld->buf[pos] = c;
	__clear_bit(pos, ld->line_ends);
}

static void finish_erasing(struct n_tty_data *ld) __must_hold(&ld->lock)
{
	if (ld->erasing) {
		echo_char_raw(ld, '/');
		ld->erasing = false;
	}
}

/* Columns from the end of the line back to the last tab, or to where the line began. */
static unsigned int columns_since_tab(const struct n_tty_data *ld)
{
	unsigned int cols = 0;
	size_t pos = ld->head;

	while (pos != ld->canon_head) {
		u8 c = n_tty_at(ld, --pos);

		if (c == '\t')
			return cols;
		if (iscntrl(c))
			cols += ld->t.c_lflag & ECHOCTL ? 2 : 0;
		else if (!is_continuation(ld, c))
			cols++;
	}
	return cols + ld->canon_column;
}

/* Takes character c, which stood at head, off the screen. */
static void echo_erase(struct n_tty_data *ld, u8 c) __must_hold(&ld->lock)
{
	tcflag_t lflag = ld->t.c_lflag;
	unsigned int n;

	if (c == '\t') {
		for (n = 8 - (columns_since_tab(ld) & 7); n > 0; n--)
			echo_char_raw(ld, '\b');
		return;
	}
	if (iscntrl(c) && (lflag & ECHOCTL))
		echo_string(ld, "\b \b");
	if (!iscntrl(c) || (lflag & ECHOCTL))
		echo_string(ld, "\b \b");
}

/* ECHOPRT, for paper: shows what is rubbed out between \ and /. */
static void echo_printed_erase(struct n_tty_data *ld, size_t from, size_t end) __must_hold(&ld->lock)
{
	if (!ld->erasing) {
		echo_char_raw(ld, '\\');
		ld->erasing = true;
	}
	echo_char(ld, n_tty_at(ld, from));
	while (++from < end)
		echo_char_raw(ld, n_tty_at(ld, from));
}

enum erase_kind { ERASE_CHAR, ERASE_WORD, ERASE_LINE };

/* ERASE, WERASE or KILL was typed. */
static void eraser(struct n_tty_data *ld, u8 key, enum erase_kind kind) __must_hold(&ld->lock)
{
	tcflag_t lflag = ld->t.c_lflag;
	bool seen_word = false;

	if (kind == ERASE_LINE && (!(lflag & ECHO) || (lflag & (ECHOK | ECHOKE | ECHOE)) != (ECHOK | ECHOKE | ECHOE))) {
		if (ld->head == ld->canon_head)
			return;
		ld->head = ld->canon_head;
		if (lflag & ECHO) {
			finish_erasing(ld);
			echo_char(ld, key);
			if (lflag & ECHOK)
				echo_char_raw(ld, '\n');
		}
		return;
	}
	while (ld->head != ld->canon_head) {
		size_t start = ld->head, end = ld->head;
		u8 c;

		do {
			c = n_tty_at(ld, --start);
		} while (is_continuation(ld, c) && start != ld->canon_head);
		if (is_continuation(ld, c))
			break;		/* only part of a character is here */
		if (kind == ERASE_WORD) {
			if (isalnum(c) || c == '_')
				seen_word = true;
			else if (seen_word)
				break;
		}
		ld->head = start;
		if (lflag & ECHO) {
			if (lflag & ECHOPRT)
				echo_printed_erase(ld, start, end);
			else if (kind == ERASE_CHAR && !(lflag & ECHOE))
				echo_char(ld, key);
			else
				echo_erase(ld, c);
		}
		if (kind == ERASE_CHAR)
			break;
	}
	if (ld->head == ld->canon_head && (lflag & ECHO))
		finish_erasing(ld);
}

static void reprint_line(struct n_tty_data *ld, u8 key) __must_hold(&ld->lock)
{
	finish_erasing(ld);
	echo_char(ld, key);
	echo_char_raw(ld, '\n');
	for (size_t pos = ld->canon_head; pos != ld->head; pos++)
		echo_char(ld, n_tty_at(ld, pos));
}

/* c ends the line: what was edited can be read. */
static void end_line(struct n_tty_data *ld, u8 c)
{
	size_t pos = ld->head & (ld->size - 1);

	put_char(ld, c);
	__set_bit(pos, ld->line_ends);
	ld->canon_head = ld->head;
}

/* One byte of the ring stays free for the end of the line: without it a full line could never be read. */
static bool ring_full(const struct n_tty_data *ld)
{
	return n_tty_used(ld) >= ld->size - 1;
}

/* A full ring that holds no whole line: nobody can make room but the line's end. */
static bool line_overflows(const struct n_tty_data *ld)
{
	return ld->icanon && ld->canon_head == ld->tail;
}

/* An ordinary byte. */
static void receive_plain(struct n_tty_data *ld, u8 c) __must_hold(&ld->lock)
{
	tcflag_t lflag = ld->t.c_lflag;

	if (ring_full(ld)) {
		if (ld->t.c_iflag & IMAXBEL)
			echo_char_raw(ld, '\a');
		return;
	}
	if (lflag & ECHO) {
		finish_erasing(ld);
		if (c == '\n') {
			echo_char_raw(ld, '\n');
		} else {
			if (ld->canon_head == ld->head)
				ld->canon_column = ld->column;
			echo_char(ld, c);
		}
	}
	if ((ld->t.c_iflag & PARMRK) && c == 0xff)
		put_char(ld, c);	/* doubled, so that it is no mark */
	put_char(ld, c);
}

/* Forgets all input; the positions move together, so a reader sees an empty ring. */
static void reset_input(struct n_tty_data *ld)
{
	ld->tail = ld->canon_head = ld->head;
	bitmap_zero(ld->line_ends, ld->size);
	ld->lnext = ld->erasing = ld->push = false;
}

static void receive_signal_char(struct n_tty_data *ld, int sig, u8 c, struct n_tty_todo *todo) __must_hold(&ld->lock)
{
	tcflag_t lflag = ld->t.c_lflag;

	todo->sig = sig;
	if (!(lflag & NOFLSH)) {
		todo->flush = true;
		reset_input(ld);
		ld->echo_tail = ld->echo_head;
	}
	if (ld->t.c_iflag & IXON)
		todo->start = true;
	if (lflag & ECHO)
		echo_char(ld, c);
}

/* Editing keys of a line.  True when c was one. */
static bool receive_canon_char(struct n_tty_data *ld, u8 c) __must_hold(&ld->lock)
{
	const cc_t *cc = ld->t.c_cc;
	tcflag_t lflag = ld->t.c_lflag;
	bool iexten = lflag & IEXTEN;

	if (c == cc[VERASE]) {
		eraser(ld, c, ERASE_CHAR);
	} else if (c == cc[VKILL]) {
		eraser(ld, c, ERASE_LINE);
	} else if (c == cc[VWERASE] && iexten) {
		eraser(ld, c, ERASE_WORD);
	} else if (c == cc[VLNEXT] && iexten) {
		ld->lnext = true;
		if (lflag & ECHO) {
			finish_erasing(ld);
			if (lflag & ECHOCTL)
				echo_string(ld, "^\b");
		}
	} else if (c == cc[VREPRINT] && (lflag & ECHO) && iexten) {
		reprint_line(ld, c);
	} else if (c == '\n') {
		if (lflag & (ECHO | ECHONL))
			echo_char_raw(ld, '\n');
		end_line(ld, c);
	} else if (c == cc[VEOF]) {
		end_line(ld, DISABLED_CHAR);
	} else if (c == cc[VEOL] || (c == cc[VEOL2] && iexten)) {
		if (lflag & ECHO) {
			if (ld->canon_head == ld->head)
				ld->canon_column = ld->column;
			echo_char(ld, c);
		}
		end_line(ld, c);
	} else {
		return false;
	}
	return true;
}

/* A byte that may mean something: flow control, signals, line ends, editing. */
static void receive_special(struct n_tty_data *ld, u8 c, struct n_tty_todo *todo) __must_hold(&ld->lock)
{
	const cc_t *cc = ld->t.c_cc;
	tcflag_t iflag = ld->t.c_iflag, lflag = ld->t.c_lflag;

	if ((iflag & IXON) && (c == cc[VSTART] || c == cc[VSTOP])) {
		todo->start = c == cc[VSTART];
		todo->stop = !todo->start;
		return;
	}
	if (lflag & ISIG) {
		int sig = c == cc[VINTR] ? SIGINT : c == cc[VQUIT] ? SIGQUIT : c == cc[VSUSP] ? SIGTSTP : 0;

		if (sig) {
			receive_signal_char(ld, sig, c, todo);
			return;
		}
	}
	if (c == '\r') {
		if (iflag & IGNCR)
			return;
		if (iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & INLCR)) {
		c = '\r';
	}
	if (ld->icanon && receive_canon_char(ld, c))
		return;
	receive_plain(ld, c);
}

/* A byte with a line error, or a break. */
static void receive_flagged(struct n_tty_data *ld, u8 c, u8 flag, struct n_tty_todo *todo)
{
	tcflag_t iflag = ld->t.c_iflag;

	if (flag == TTY_OVERRUN)
		return;
	if (flag == TTY_BREAK) {
		if (iflag & IGNBRK)
			return;
		if (iflag & BRKINT) {
			todo->sig = SIGINT;
			if (!(ld->t.c_lflag & NOFLSH)) {
				todo->flush = true;
				reset_input(ld);
			}
			return;
		}
		c = 0;
	} else if (iflag & INPCK) {
		if (iflag & IGNPAR)
			return;
		if (!(iflag & PARMRK))
			c = 0;
	} else {
		flag = TTY_NORMAL;
	}
	if (ld->size - n_tty_used(ld) < 4)
		return;
	if (flag != TTY_NORMAL && (iflag & PARMRK)) {
		put_char(ld, 0xff);
		put_char(ld, 0);
	}
	put_char(ld, c);
}

static void receive_char(struct n_tty_data *ld, u8 c, u8 flag, struct n_tty_todo *todo) __must_hold(&ld->lock)
{
	tcflag_t iflag = ld->t.c_iflag, lflag = ld->t.c_lflag;

	if (flag != TTY_NORMAL) {
		receive_flagged(ld, c, flag, todo);
		return;
	}
	if (iflag & ISTRIP)
		c &= 0x7f;
	if ((iflag & IUCLC) && (lflag & IEXTEN))
		c = tolower(c);
	if (lflag & EXTPROC) {
		put_char(ld, c);
		return;
	}
	if (ld->lnext) {
		ld->lnext = false;
		receive_plain(ld, c);
		return;
	}
	if ((iflag & (IXON | IXANY)) == (IXON | IXANY) && READ_ONCE(ld->tty->stopped))
		todo->start = true;
	if (test_bit(c, ld->special))
		receive_special(ld, c, todo);
	else
		receive_plain(ld, c);
}

/* Takes bytes until they are gone, the ring is full, or one asks for something outside the lock. */
static size_t receive_run(struct n_tty_data *ld, const u8 *buf, const u8 *flags, size_t count, struct n_tty_todo *todo)
{
	size_t i = 0;

	lockdep_assert_held(&ld->lock);
	if (ld->plain && !flags) {
		count = min(count, ld->size - 1 - n_tty_used(ld));
		while (i < count) {
			size_t pos = ld->head & (ld->size - 1), n = min(count - i, ld->size - pos);

			memcpy(ld->buf + pos, buf + i, n);
			ld->head += n;
			i += n;
		}
		return i;
	}
	while (i < count && !todo->sig && !todo->stop && !todo->start) {
		if (ring_full(ld) && !line_overflows(ld))
			break;
		receive_char(ld, buf[i], flags ? flags[i] : TTY_NORMAL, todo);
		i++;
	}
	return i;
}

static void run_todo(struct tty_struct *tty, const struct n_tty_todo *todo)
{
	if (todo->sig) {
		struct pid *pgrp = tty_get_pgrp(tty);

		if (todo->flush)
			tty_driver_flush_buffer(tty);
		trace_tty_signal(todo->sig, pid_nr(pgrp));
		if (pgrp) {
			kill_pgrp(pgrp, todo->sig, 1);
			put_pid(pgrp);
		}
	}
	if (todo->stop)
		stop_tty(tty);
	if (todo->start)
		start_tty(tty);
}

static bool readable(const struct n_tty_data *ld)
{
	return ld->icanon ? ld->canon_head != ld->tail : ld->head != ld->tail;
}

/*
 * Bytes from the driver (or from the other end of a pty).  Returns how many were taken: less than count only when the
 * ring is full, and then tty_unthrottle() follows as soon as there is room.
 */
size_t n_tty_receive_buf(struct tty_struct *tty, const u8 *buf, const u8 *flags, size_t count)
{
	struct n_tty_data *ld = tty->disc_data;
	size_t taken = 0, n;
	bool wake;

	do {
		struct n_tty_todo todo = { 0 };

		spin_lock(&ld->lock);
		n = receive_run(ld, buf + taken, flags ? flags + taken : NULL, count - taken, &todo);
		taken += n;
		if (!n)
			ld->full = true;
		wake = readable(ld);
		spin_unlock(&ld->lock);

		run_todo(tty, &todo);
		n_tty_flush_echoes(ld);
		if (wake) {
			kill_fasync(&tty->fasync, SIGIO, POLL_IN);
			wake_up_interruptible_poll(&tty->read_wait, EPOLLIN | EPOLLRDNORM);
		}
	} while (n && taken < count);
	return taken;
}

size_t n_tty_receive_room(struct tty_struct *tty)
{
	struct n_tty_data *ld = tty->disc_data;
	size_t room;

	spin_lock(&ld->lock);
	room = ld->size - 1 - min(n_tty_used(ld), ld->size - 1);
	if (!room && line_overflows(ld))
		room = 1;
	if (!room)
		ld->full = true;	/* whoever asked waits for tty_unthrottle() */
	spin_unlock(&ld->lock);
	return room;
}

/* ---- Settings, life ---- */

void n_tty_flush_buffer(struct tty_struct *tty)
{
	struct n_tty_data *ld = tty->disc_data;

	spin_lock(&ld->lock);
	reset_input(ld);
	ld->echo_tail = ld->echo_head;
	spin_unlock(&ld->lock);
	tty_unthrottle(tty);

	if (tty->link) {
		spin_lock_irq(&tty->ctrl_lock);
		if (tty->link->packet) {
			tty->pktstatus |= TIOCPKT_FLUSHREAD;
			wake_up_interruptible(&tty->link->read_wait);
		}
		spin_unlock_irq(&tty->ctrl_lock);
	}
}

static void note_special(struct n_tty_data *ld)
{
	tcflag_t iflag = ld->t.c_iflag, lflag = ld->t.c_lflag;
	static const u8 canon_keys[] = { VERASE, VKILL, VEOF, VEOL, VWERASE, VLNEXT, VREPRINT, VEOL2 };
	static const u8 signal_keys[] = { VINTR, VQUIT, VSUSP };
	const cc_t *cc = ld->t.c_cc;

	bitmap_zero(ld->special, 256);
	if (iflag & (IGNCR | ICRNL))
		__set_bit('\r', ld->special);
	if (iflag & INLCR)
		__set_bit('\n', ld->special);
	if (lflag & ICANON) {
		__set_bit('\n', ld->special);
		for (size_t i = 0; i < ARRAY_SIZE(canon_keys); i++)
			__set_bit(cc[canon_keys[i]], ld->special);
	}
	if (iflag & IXON) {
		__set_bit(cc[VSTART], ld->special);
		__set_bit(cc[VSTOP], ld->special);
	}
	if (lflag & ISIG)
		for (size_t i = 0; i < ARRAY_SIZE(signal_keys); i++)
			__set_bit(cc[signal_keys[i]], ld->special);
	__clear_bit(DISABLED_CHAR, ld->special);
}

/* tty->termios has changed; what was typed before stays readable under the new rules. */
void n_tty_set_termios(struct tty_struct *tty, const struct ktermios *old)
{
	struct n_tty_data *ld = tty->disc_data;
	struct ktermios *t = &tty->termios;
	bool was_stopped;

	spin_lock(&ld->lock);
	if (!old || ((old->c_lflag ^ t->c_lflag) & (ICANON | EXTPROC))) {
		bool canon = t->c_lflag & ICANON;

		bitmap_zero(ld->line_ends, ld->size);
		ld->canon_head = ld->tail;
		ld->push = canon && n_tty_used(ld);
		if (ld->push) {
			__set_bit((ld->head - 1) & (ld->size - 1), ld->line_ends);
			ld->canon_head = ld->head;
		}
		ld->erasing = ld->lnext = false;
	}
	ld->t = *t;
	ld->icanon = (t->c_lflag & (ICANON | EXTPROC)) == ICANON;
	ld->plain = !(t->c_iflag & (IGNBRK | BRKINT | IGNCR | ICRNL | INLCR | IUCLC | ISTRIP | IXON | PARMRK | INPCK)) &&
		    !(t->c_lflag & (ICANON | ISIG | ECHO | EXTPROC));
	note_special(ld);
	spin_unlock(&ld->lock);

	was_stopped = READ_ONCE(tty->stopped) && !READ_ONCE(tty->tco_stopped);
	if (old && (old->c_iflag & IXON) && !(t->c_iflag & IXON) && was_stopped)
		start_tty(tty);
	wake_up_interruptible(&tty->write_wait);
	wake_up_interruptible(&tty->read_wait);
}

static bool is_pty_master(const struct tty_struct *tty)
{
	return tty->driver->type == TTY_DRIVER_TYPE_PTY && tty->driver->subtype == PTY_TYPE_MASTER;
}

static int n_tty_open(struct tty_struct *tty)
{
	struct n_tty_data *ld = kvzalloc(sizeof(*ld), GFP_KERNEL);

	if (!ld)
		return -ENOMEM;
	ld->size = is_pty_master(tty) ? N_TTY_MASTER_SIZE : N_TTY_LINE_SIZE;
	ld->buf = kvmalloc(ld->size, GFP_KERNEL);
	ld->line_ends = kcalloc(BITS_TO_LONGS(ld->size), sizeof(long), GFP_KERNEL);
	if (!ld->buf || !ld->line_ends) {
		kvfree(ld->buf);
		kfree(ld->line_ends);
		kvfree(ld);
		return -ENOMEM;
	}
	ld->tty = tty;
	spin_lock_init(&ld->lock);
	/* Two classes for the lock checker: a write to a master makes its slave echo, under both; never the other way. */
	if (is_pty_master(tty))
		mutex_init(&ld->output_lock);
	else
		mutex_init(&ld->output_lock);
	mutex_init(&ld->read_lock);
	INIT_WORK(&ld->echo_work, n_tty_echo_work);
	tty->disc_data = ld;
	n_tty_set_termios(tty, NULL);
	return 0;
}

static void n_tty_shutdown(struct tty_struct *tty)
{
	struct n_tty_data *ld = tty->disc_data;

	if (ld)
		cancel_work_sync(&ld->echo_work);
}

static void n_tty_close(struct tty_struct *tty)
{
	struct n_tty_data *ld = tty->disc_data;

	if (!ld)
		return;
	kvfree(ld->buf);
	kfree(ld->line_ends);
	kvfree(ld);
	tty->disc_data = NULL;
}

const struct tty_ldisc_ops n_tty_ops = {
	.open		= n_tty_open,
	.shutdown	= n_tty_shutdown,
	.close		= n_tty_close,
	.flush_buffer	= n_tty_flush_buffer,
	.read		= n_tty_read,
	.write		= n_tty_write,
	.ioctl		= n_tty_ioctl,
	.set_termios	= n_tty_set_termios,
	.poll		= n_tty_poll,
	.receive_buf	= n_tty_receive_buf,
	.receive_room	= n_tty_receive_room,
	.write_wakeup	= n_tty_write_wakeup,
};
