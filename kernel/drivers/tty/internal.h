/*
 * internal.h: what the files of the terminal core share among themselves.
 */
#ifndef TTY_INTERNAL_H
#define TTY_INTERNAL_H

#include <weft/tty.h>

/* ---- tty_driver.c ---- */
extern struct list_head tty_drivers;		/* [tty_mutex] */
struct tty_driver *find_tty_driver(dev_t dev, int *index);	/* tty_mutex held; NULL */
int tty_init_termios(struct tty_struct *tty);	/* what the last close left, or the driver's; -ENOMEM */
void tty_save_termios(struct tty_struct *tty);	/* tty_mutex held */
/* The terminal and, for a pty, its other end: made, in the driver's table, locked.  tty_mutex held; ERR_PTR. */
struct tty_struct *tty_init_dev(struct tty_driver *driver, int index);
void release_tty(struct tty_struct *tty);	/* nobody has it (or its other end) open any more; may sleep */

/* ---- tty_io.c ---- */
extern const struct file_operations console_fops;	/* /dev/console: as tty_fops, but survives a hang-up */
extern const struct file_operations hung_up_tty_fops;
void tty_lock_slave(struct tty_struct *tty);	/* NULL is fine */
void tty_unlock_slave(struct tty_struct *tty);

/* ---- tty_hangup.c ---- */
void do_tty_hangup(struct work_struct *work);

/* ---- vt ---- */
struct tty_driver *vt_console_driver(int *index);	/* behind /dev/tty0; NULL without a screen */

static inline bool is_pty_master(const struct tty_struct *tty)
{
	return tty->driver->type == TTY_DRIVER_TYPE_PTY && tty->driver->subtype == PTY_TYPE_MASTER;
}

#endif
