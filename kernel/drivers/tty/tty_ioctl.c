/*
 * tty_ioctl.c: the ioctls of terminals: settings (termios), window size, flow, breaks, modem lines, the rest.
 *
 * What:    tty_ioctl() is the entry: what the core does itself, then the driver's ioctl, then the discipline's, which ends
 *          in tty_mode_ioctl().  On a pty's master, settings mean the slave's.
 * Locking: termios_rwsem over a change, so that driver and discipline see the changes in one order; winsize_mutex.
 * See:     spec.md §10; ioctl_tty(2), termios(3)
 */
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/jiffies.h>
#include <weft/poll.h>
#include <weft/fs.h>
#include <uapi/ioctls.h>
#include <uapi/tty.h>
#include "internal.h"

/* ---- what the driver can do, or nothing ---- */

unsigned int tty_chars_in_buffer(struct tty_struct *tty)
{
	return tty->ops->chars_in_buffer ? tty->ops->chars_in_buffer(tty) : 0;
}

unsigned int tty_write_room(struct tty_struct *tty)
{
	return tty->ops->write_room ? tty->ops->write_room(tty) : 2048;
}

void tty_driver_flush_buffer(struct tty_struct *tty)
{
	if (tty->ops->flush_buffer)
		tty->ops->flush_buffer(tty);
}

/* The discipline has room again: whoever holds bytes back for it goes on. */
void tty_unthrottle(struct tty_struct *tty)
{
	if (tty->port)
		tty_port_restart(tty->port);
	if (tty->ops->unthrottle)
		tty->ops->unthrottle(tty);
}

void tty_throttle(struct tty_struct *tty)
{
	if (tty->ops->throttle)
		tty->ops->throttle(tty);
}

/* Until all output is sent, for at most timeout jiffies (0: no limit), or a signal comes. */
void tty_wait_until_sent(struct tty_struct *tty, long timeout)
{
	if (!timeout)
		timeout = MAX_SCHEDULE_TIMEOUT;
	timeout = wait_event_interruptible_timeout(tty->write_wait, !tty_chars_in_buffer(tty), timeout);
	if (timeout <= 0)
		return;
	if (tty->ops->wait_until_sent)
		tty->ops->wait_until_sent(tty, timeout);
}

/* ---- speeds ---- */

static const struct { tcflag_t code; speed_t baud; } speeds[] = {
	{ B0, 0 }, { B50, 50 }, { B75, 75 }, { B110, 110 }, { B134, 134 }, { B150, 150 }, { B200, 200 }, { B300, 300 },
	{ B600, 600 }, { B1200, 1200 }, { B1800, 1800 }, { B2400, 2400 }, { B4800, 4800 }, { B9600, 9600 }, { B19200, 19200 },
	{ B38400, 38400 }, { B57600, 57600 }, { B115200, 115200 }, { B230400, 230400 }, { B460800, 460800 },
};

static speed_t baud_of(tcflag_t code, speed_t other)
{
	if (code == BOTHER)
		return other;
	for (size_t i = 0; i < ARRAY_SIZE(speeds); i++)
		if (speeds[i].code == code)
			return speeds[i].baud;
	return 9600;
}

speed_t tty_termios_baud_rate(const struct ktermios *t)
{
	return baud_of(t->c_cflag & CBAUD, t->c_ospeed);
}

speed_t tty_get_baud_rate(struct tty_struct *tty)
{
	return tty_termios_baud_rate(&tty->termios);
}

static void fill_in_speeds(struct ktermios *t)
{
	tcflag_t in = (t->c_cflag & CIBAUD) >> IBSHIFT;

	t->c_ospeed = tty_termios_baud_rate(t);
	t->c_ispeed = in ? baud_of(in, t->c_ispeed) : t->c_ospeed;
}

/* ---- settings ---- */

/* Puts new settings in force.  0.  May sleep. */
int tty_set_termios(struct tty_struct *tty, const struct ktermios *new_termios)
{
	struct ktermios old;

	down_write(&tty->termios_rwsem);
	old = tty->termios;
	tty->termios = *new_termios;
	tty->termios.c_line = N_TTY;
	fill_in_speeds(&tty->termios);
	if (tty->ops->set_termios)
		tty->ops->set_termios(tty, &old);
	tty->ldisc->set_termios(tty, &old);
	up_write(&tty->termios_rwsem);
	return 0;
}

static void copy_termios(struct tty_struct *tty, struct ktermios *t)
{
	down_read(&tty->termios_rwsem);
	*t = tty->termios;
	up_read(&tty->termios_rwsem);
}

enum termios_form { FORM_TERMIOS, FORM_TERMIOS2, FORM_TERMIO };

/* The caller's settings over the present ones: what the old forms cannot say stays. */
static int read_termios(struct ktermios *t, const void __user *arg, enum termios_form form)
{
	struct termio small;

	if (form == FORM_TERMIOS2)
		return copy_from_user(t, arg, sizeof(struct termios2)) ? -EFAULT : 0;
	if (form == FORM_TERMIOS)
		return copy_from_user(t, arg, sizeof(struct termios)) ? -EFAULT : 0;
	if (copy_from_user(&small, arg, sizeof(small)))
		return -EFAULT;
	t->c_iflag = (t->c_iflag & 0xffff0000) | small.c_iflag;
	t->c_oflag = (t->c_oflag & 0xffff0000) | small.c_oflag;
	t->c_cflag = (t->c_cflag & 0xffff0000) | small.c_cflag;
	t->c_lflag = (t->c_lflag & 0xffff0000) | small.c_lflag;
	memcpy(t->c_cc, small.c_cc, NCC);
	return 0;
}

static int get_termios(struct tty_struct *tty, void __user *arg, enum termios_form form)
{
	struct termio small = { 0 };
	struct ktermios t;

	copy_termios(tty, &t);
	if (form != FORM_TERMIO)
		return copy_to_user(arg, &t, form == FORM_TERMIOS2 ? sizeof(struct termios2)
								   : sizeof(struct termios)) ? -EFAULT : 0;
	small.c_iflag = t.c_iflag;
	small.c_oflag = t.c_oflag;
	small.c_cflag = t.c_cflag;
	small.c_lflag = t.c_lflag;
	small.c_line = t.c_line;
	memcpy(small.c_cc, t.c_cc, NCC);
	return copy_to_user(arg, &small, sizeof(small)) ? -EFAULT : 0;
}

/* when: TCSANOW, TCSADRAIN (after the output is sent), TCSAFLUSH (and input is forgotten). */
static int set_termios(struct tty_struct *tty, const void __user *arg, enum termios_form form, int when)
{
	struct ktermios t;
	int err = tty_check_change(tty);

	if (err)
		return err;
	copy_termios(tty, &t);
	err = read_termios(&t, arg, form);
	if (err)
		return err;
	if (when == TCSAFLUSH)
		tty->ldisc->flush_buffer(tty);
	if (when != TCSANOW) {
		tty_wait_until_sent(tty, 0);
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	return tty_set_termios(tty, &t);
}

static int set_soft_carrier(struct tty_struct *tty, bool on)
{
	struct ktermios t;

	copy_termios(tty, &t);
	t.c_cflag = on ? t.c_cflag | CLOCAL : t.c_cflag & ~CLOCAL;
	return tty_set_termios(tty, &t);
}

/* -ENOIOCTLCMD for what it does not know. */
int tty_mode_ioctl(struct tty_struct *tty, struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tty_struct *real = is_pty_master(tty) ? tty->link : tty;
	void __user *p = (void __user *)arg;
	int on;

	switch (cmd) {
	case TCGETS:	return get_termios(real, p, FORM_TERMIOS);
	case TCSETS:	return set_termios(real, p, FORM_TERMIOS, TCSANOW);
	case TCSETSW:	return set_termios(real, p, FORM_TERMIOS, TCSADRAIN);
	case TCSETSF:	return set_termios(real, p, FORM_TERMIOS, TCSAFLUSH);
	case TCGETS2:	return get_termios(real, p, FORM_TERMIOS2);
	case TCSETS2:	return set_termios(real, p, FORM_TERMIOS2, TCSANOW);
	case TCSETSW2:	return set_termios(real, p, FORM_TERMIOS2, TCSADRAIN);
	case TCSETSF2:	return set_termios(real, p, FORM_TERMIOS2, TCSAFLUSH);
	case TCGETA:	return get_termios(real, p, FORM_TERMIO);
	case TCSETA:	return set_termios(real, p, FORM_TERMIO, TCSANOW);
	case TCSETAW:	return set_termios(real, p, FORM_TERMIO, TCSADRAIN);
	case TCSETAF:	return set_termios(real, p, FORM_TERMIO, TCSAFLUSH);
	case TIOCGSOFTCAR:
		return put_user(C_FLAG(real, CLOCAL) ? 1 : 0, (int __user *)p);
	case TIOCSSOFTCAR:
		return get_user(on, (int __user *)p) ? -EFAULT : set_soft_carrier(real, on);
	default:
		return -ENOIOCTLCMD;
	}
}

/* ---- flow ---- */

/* Stops or starts the output (TCOOFF, TCOON), or sends the STOP or START character (TCIOFF, TCION). */
int tty_flow(struct tty_struct *tty, unsigned long arg)
{
	u8 c;

	switch (arg) {
	case TCOOFF:
	case TCOON:
		spin_lock_irq(&tty->flow_lock);
		if (arg == TCOOFF && !tty->tco_stopped) {
			tty->tco_stopped = true;
			__stop_tty(tty);
		} else if (arg == TCOON && tty->tco_stopped) {
			tty->tco_stopped = false;
			__start_tty(tty);
		}
		spin_unlock_irq(&tty->flow_lock);
		return 0;
	case TCIOFF:
	case TCION:
		down_read(&tty->termios_rwsem);
		c = tty->termios.c_cc[arg == TCIOFF ? VSTOP : VSTART];
		up_read(&tty->termios_rwsem);
		return c ? tty_send_xchar(tty, c) : 0;
	default:
		return -EINVAL;
	}
}

int tty_perform_flush(struct tty_struct *tty, unsigned long arg)
{
	if (arg != TCIFLUSH && arg != TCOFLUSH && arg != TCIOFLUSH)
		return -EINVAL;
	if (arg != TCOFLUSH) {
		if (tty->port)
			tty_port_flush(tty->port);
		tty->ldisc->flush_buffer(tty);
	}
	if (arg != TCIFLUSH)
		tty_driver_flush_buffer(tty);
	return 0;
}

/* ---- window size ---- */

static void signal_winch(struct tty_struct *tty)
{
	struct pid *pgrp = tty_get_pgrp(tty);

	if (pgrp) {
		kill_pgrp(pgrp, SIGWINCH, 1);
		put_pid(pgrp);
	}
}

/* Takes the new size; tells the foreground group when it is another. */
int tty_do_resize(struct tty_struct *tty, const struct winsize *ws)
{
	bool changed;

	mutex_lock(&tty->winsize_mutex);
	changed = memcmp(ws, &tty->winsize, sizeof(*ws)) != 0;
	tty->winsize = *ws;
	mutex_unlock(&tty->winsize_mutex);
	if (changed)
		signal_winch(tty);
	return 0;
}

static int tiocgwinsz(struct tty_struct *tty, struct winsize __user *arg)
{
	struct winsize ws;

	mutex_lock(&tty->winsize_mutex);
	ws = tty->winsize;
	mutex_unlock(&tty->winsize_mutex);
	return copy_to_user(arg, &ws, sizeof(ws)) ? -EFAULT : 0;
}

static int tiocswinsz(struct tty_struct *tty, const struct winsize __user *arg)
{
	struct winsize ws;

	if (copy_from_user(&ws, arg, sizeof(ws)))
		return -EFAULT;
	return tty->ops->resize ? tty->ops->resize(tty, &ws) : tty_do_resize(tty, &ws);
}

/* ---- breaks, modem lines, small things ---- */

static int send_break(struct tty_struct *tty, unsigned int ms)
{
	int ret;

	if (!tty->ops->break_ctl)
		return 0;
	ret = tty->ops->break_ctl(tty, -1);
	if (!ret)
		schedule_timeout_interruptible(msecs_to_jiffies(ms));
	tty->ops->break_ctl(tty, 0);
	return signal_pending(current) ? -EINTR : ret;
}

/* The commands that first wait until the output is sent. */
static int break_ioctl(struct tty_struct *tty, unsigned int cmd, unsigned long arg)
{
	int ret = tty_check_change(tty);

	if (ret)
		return ret;
	if (cmd != TIOCCBRK) {
		tty_wait_until_sent(tty, 0);
		if (signal_pending(current))
			return -EINTR;
	}
	switch (cmd) {
	case TIOCSBRK:
		return tty->ops->break_ctl ? tty->ops->break_ctl(tty, -1) : 0;
	case TIOCCBRK:
		return tty->ops->break_ctl ? tty->ops->break_ctl(tty, 0) : 0;
	case TCSBRK:
		return arg ? 0 : send_break(tty, 250);	/* with an argument it is tcdrain() */
	default:
		return send_break(tty, arg ? min(arg, 100UL) * 100 : 250);
	}
}

static int modem_ioctl(struct tty_struct *tty, unsigned int cmd, int __user *p)
{
	unsigned int set = 0, clear = 0, val;
	int ret;

	if (!tty->ops->tiocmget || !tty->ops->tiocmset)
		return -ENOTTY;
	if (cmd == TIOCMGET) {
		ret = tty->ops->tiocmget(tty);
		return ret < 0 ? ret : put_user(ret, p);
	}
	if (get_user(val, (unsigned int __user *)p))
		return -EFAULT;
	val &= TIOCM_DTR | TIOCM_RTS | TIOCM_OUT1 | TIOCM_OUT2 | TIOCM_LOOP;
	if (cmd != TIOCMBIC)
		set = val;
	if (cmd == TIOCMBIC)
		clear = val;
	else if (cmd == TIOCMSET)
		clear = ~val & (TIOCM_DTR | TIOCM_RTS | TIOCM_OUT1 | TIOCM_OUT2 | TIOCM_LOOP);
	return tty->ops->tiocmset(tty, set, clear);
}

/* TIOCSTI: as if the byte had been typed. */
static int tiocsti(struct tty_struct *tty, char __user *p)
{
	u8 c;

	if (current->signal->tty != tty && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, (u8 __user *)p))
		return -EFAULT;
	tty->ldisc->receive_buf(tty, &c, NULL, 1);
	return 0;
}

static int set_discipline(int __user *p)
{
	int disc;

	if (get_user(disc, p))
		return -EFAULT;
	return disc == N_TTY ? 0 : -EINVAL;
}

/* What the core itself knows.  -ENOIOCTLCMD: ask on. */
static long core_ioctl(struct tty_struct *tty, struct tty_struct *real, struct file *file, unsigned int cmd, unsigned long arg)
{
	int __user *p = (int __user *)arg;

	switch (cmd) {
	case TIOCSTI:
		return tiocsti(tty, (char __user *)arg);
	case TIOCGWINSZ:
		return tiocgwinsz(real, (struct winsize __user *)arg);
	case TIOCSWINSZ:
		return tiocswinsz(real, (struct winsize __user *)arg);
	case TIOCEXCL:
		set_bit(TTY_EXCLUSIVE, &tty->flags);
		return 0;
	case TIOCNXCL:
		clear_bit(TTY_EXCLUSIVE, &tty->flags);
		return 0;
	case TIOCGEXCL:
		return put_user((int)test_bit(TTY_EXCLUSIVE, &tty->flags), p);
	case TIOCGETD:
		return put_user(N_TTY, p);
	case TIOCSETD:
		return set_discipline(p);
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_vhangup(tty);
		return 0;
	case TIOCGDEV:
		return put_user(new_encode_dev(tty_devnum(real)), (unsigned int __user *)arg);
	case TIOCSBRK:
	case TIOCCBRK:
	case TCSBRK:
	case TCSBRKP:
		return break_ioctl(tty, cmd, arg);
	case TIOCMGET:
	case TIOCMSET:
	case TIOCMBIC:
	case TIOCMBIS:
		return modem_ioctl(tty, cmd, p);
	default:
		return tty_jobctrl_ioctl(tty, real, file, cmd, arg);
	}
}

long tty_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tty_struct *tty = file_tty(file);
	struct tty_struct *real = is_pty_master(tty) ? tty->link : tty;
	long ret = core_ioctl(tty, real, file, cmd, arg);

	if (ret == -ENOIOCTLCMD && tty->ops->ioctl)
		ret = tty->ops->ioctl(tty, cmd, arg);
	if (ret == -ENOIOCTLCMD)
		ret = tty->ldisc->ioctl(tty, file, cmd, arg);
	return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
}
