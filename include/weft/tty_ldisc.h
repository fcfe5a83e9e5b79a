/*
 * tty_ldisc.h: what a line discipline does between a terminal's driver and its files.  There is one, N_TTY (n_tty.c);
 * the table is the border between the two halves of the code.
 */
#ifndef WEFT_TTY_LDISC_H
#define WEFT_TTY_LDISC_H

#include <weft/types.h>
#include <weft/poll.h>

struct tty_struct;
struct file;
struct ktermios;

struct tty_ldisc_ops {
	int	(*open)(struct tty_struct *tty);	/* 0 or -ENOMEM */
	/* No work of it runs or starts any more; with a pty, both ends are quiet before either closes. */
	void	(*shutdown)(struct tty_struct *tty);
	void	(*close)(struct tty_struct *tty);	/* frees what open made */
	/* Forgets everything that was received and not read, or waits to be echoed. */
	void	(*flush_buffer)(struct tty_struct *tty);
	/* Kernel buffers; tty_io.c moves them to and from user memory.  Bytes moved, or -errno. */
	ssize_t	(*read)(struct tty_struct *tty, struct file *file, u8 *buf, size_t nr);
	ssize_t	(*write)(struct tty_struct *tty, struct file *file, const u8 *buf, size_t nr);
	int	(*ioctl)(struct tty_struct *tty, struct file *file, unsigned int cmd, unsigned long arg);
	void	(*set_termios)(struct tty_struct *tty, const struct ktermios *old);	/* termios_rwsem held */
	__poll_t (*poll)(struct tty_struct *tty, struct file *file, struct poll_table_struct *wait);
	/* From the driver: bytes taken, less than count when full.  flags may be NULL: all TTY_NORMAL.  Process context. */
	size_t	(*receive_buf)(struct tty_struct *tty, const u8 *buf, const u8 *flags, size_t count);
	size_t	(*receive_room)(struct tty_struct *tty);
	void	(*write_wakeup)(struct tty_struct *tty);	/* the driver has room again; any context */
};
extern const struct tty_ldisc_ops n_tty_ops;

#endif
