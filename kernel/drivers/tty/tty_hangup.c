/*
 * tty_hangup.c: the line goes dead: every file of a terminal loses it, its session is told.
 *
 * What:    tty_hangup() (any context, by work), tty_vhangup() (now), vhangup(2).
 * Idea:    each open file gets hung_up_tty_fops.  Who is inside a read or write with the old functions sleeps on the
 *          terminal's queues, is woken, sees tty_hung_up_p() and leaves; its tty_struct stays until its file is closed.
 * Locking: under tty_lock; tasklist_lock -> siglock -> ctrl_lock for the session (tty_jobctrl.c).
 *
 *              reader                                  hang-up
 *              enters itself in read_wait              file->f_op = hung up
 *              state = INTERRUPTIBLE (full barrier)    wake_up(read_wait)
 *              sees hung_up_p: leaves                  ... or is woken here and then sees it
 *
 * See:     spec.md §10; vhangup(2); doc/terminals.md
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/cred.h>
#include <weft/errno.h>
#include <weft/poll.h>
#include <weft/trace.h>
#include <weft/syscalls.h>
#include "internal.h"

/* Takes the terminal away from its files; returns how many.  Files of /dev/console keep it. */
static int hang_up_files(struct tty_struct *tty)
{
	struct tty_file_private *priv;
	int n = 0;

	spin_lock(&tty->files_lock);
	list_for_each_entry(priv, &tty->tty_files, list) {
		const struct file_operations *fops = priv->file->f_op;

		if (fops == &console_fops || fops == &hung_up_tty_fops)
			continue;
		n++;
		WRITE_ONCE(priv->file->f_op, &hung_up_tty_fops);
	}
	spin_unlock(&tty->files_lock);
	return n;
}

static void forget_session(struct tty_struct *tty)
{
	spin_lock_irq(&tty->ctrl_lock);
	clear_bit(TTY_THROTTLED, &tty->flags);
	put_pid(tty->session);
	put_pid(tty->pgrp);
	tty->session = NULL;
	tty->pgrp = NULL;
	tty->pktstatus = 0;
	spin_unlock_irq(&tty->ctrl_lock);
}

/* What was received and not read, and what waits to be sent, is gone; settings go back to the driver's. */
static void reset_line(struct tty_struct *tty)
{
	struct ktermios t = tty->driver->init_termios;

	tty->ldisc->flush_buffer(tty);
	tty_driver_flush_buffer(tty);
	wake_up_interruptible_poll(&tty->write_wait, EPOLLOUT);
	wake_up_interruptible_poll(&tty->read_wait, EPOLLIN);
	if (tty->driver->flags & TTY_DRIVER_RESET_TERMIOS)
		tty_set_termios(tty, &t);
}

static void __tty_hangup(struct tty_struct *tty, int exit_session)
{
	int refs;

	tty_lock(tty);
	if (test_bit(TTY_HUPPED, &tty->flags)) {
		tty_unlock(tty);
		return;
	}
	trace_tty_hangup(MAJOR(tty_devnum(tty)), MINOR(tty_devnum(tty)));
	set_bit(TTY_HUPPING, &tty->flags);
	hang_up_files(tty);
	refs = tty_signal_session_leader(tty, exit_session);
	while (refs--)
		tty_kref_put(tty);
	/* With count 0 the discipline may be going already (release_tty), and nobody is inside it. */
	if (tty->count)
		reset_line(tty);
	forget_session(tty);
	if (tty->count && tty->ops->hangup)
		tty->ops->hangup(tty);
	set_bit(TTY_HUPPED, &tty->flags);
	clear_bit(TTY_HUPPING, &tty->flags);
	wake_up_interruptible_poll(&tty->write_wait, EPOLLOUT | EPOLLHUP);
	wake_up_interruptible_poll(&tty->read_wait, EPOLLIN | EPOLLHUP);
	tty_unlock(tty);
}

void do_tty_hangup(struct work_struct *work)
{
	struct tty_struct *tty = container_of(work, struct tty_struct, hangup_work);

	__tty_hangup(tty, 0);
	tty_kref_put(tty);
}

void tty_hangup(struct tty_struct *tty)
{
	tty_kref_get(tty);
	if (!schedule_work(&tty->hangup_work))
		tty_kref_put(tty);
}

void tty_vhangup(struct tty_struct *tty)
{
	__tty_hangup(tty, 0);
}

/* The session leader exits: its whole foreground group gets SIGHUP too. */
void tty_vhangup_session(struct tty_struct *tty)
{
	__tty_hangup(tty, 1);
}

void tty_vhangup_self(void)
{
	struct tty_struct *tty = get_current_tty();

	if (tty) {
		tty_vhangup(tty);
		tty_kref_put(tty);
	}
}

long sys_vhangup(void)
{
	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_vhangup_self();
	return 0;
}
