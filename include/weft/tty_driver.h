/*
 * tty_driver.h: what a terminal driver gives the core: its device numbers and its operations.
 * See:     kernel/drivers/tty/tty_io.c
 */
#ifndef WEFT_TTY_DRIVER_H
#define WEFT_TTY_DRIVER_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/cdev.h>
#include <uapi/termios.h>

struct tty_struct;
struct tty_driver;
struct file;
struct seq_file;

/* Called with the terminal open.  What is NULL does nothing.  "[nosleep]": under a spinlock. */
struct tty_operations {
	/* The terminal behind index, found another way than by the driver's table (devpts); no reference. */
	struct tty_struct *(*lookup)(struct tty_driver *driver, struct file *file, int idx);
	int	(*install)(struct tty_driver *driver, struct tty_struct *tty);
	void	(*remove)(struct tty_driver *driver, struct tty_struct *tty);
	int	(*open)(struct tty_struct *tty, struct file *file);	/* each open, under tty_lock */
	void	(*close)(struct tty_struct *tty, struct file *file);	/* each close, under tty_lock */
	void	(*cleanup)(struct tty_struct *tty);			/* before it is freed */
	int	(*write)(struct tty_struct *tty, const u8 *buf, int count);	/* bytes taken; never waits for room */
	unsigned int (*write_room)(struct tty_struct *tty);		/* bytes that write() would take now */
	unsigned int (*chars_in_buffer)(struct tty_struct *tty);	/* taken but not sent */
	int	(*ioctl)(struct tty_struct *tty, unsigned int cmd, unsigned long arg);	/* -ENOIOCTLCMD: not mine */
	void	(*set_termios)(struct tty_struct *tty, const struct ktermios *old);	/* under termios_rwsem */
	void	(*throttle)(struct tty_struct *tty);
	void	(*unthrottle)(struct tty_struct *tty);
	void	(*stop)(struct tty_struct *tty);			/* [nosleep] */
	void	(*start)(struct tty_struct *tty);			/* [nosleep] */
	void	(*hangup)(struct tty_struct *tty);
	int	(*break_ctl)(struct tty_struct *tty, int state);	/* -1 on, 0 off */
	void	(*flush_buffer)(struct tty_struct *tty);
	void	(*wait_until_sent)(struct tty_struct *tty, long timeout);
	void	(*send_xchar)(struct tty_struct *tty, u8 ch);
	int	(*tiocmget)(struct tty_struct *tty);
	int	(*tiocmset)(struct tty_struct *tty, unsigned int set, unsigned int clear);
	int	(*resize)(struct tty_struct *tty, const struct winsize *ws);
};

struct tty_driver {
	const char	*driver_name;	/* in /proc/tty/drivers */
	const char	*name;		/* of the device nodes, before the number: "ttyS" */
	int		name_base;	/* added to the index in the name */
	int		major, minor_start;
	unsigned int	num;		/* terminals */
	u8		type, subtype;
	u16		flags;		/* TTY_DRIVER_* */
	struct ktermios	init_termios;
	struct tty_struct **ttys;	/* [tty_mutex] by index; NULL entries are closed */
	struct ktermios	**termios;	/* [tty_mutex] kept from the last close */
	struct tty_driver *other;	/* of a pty: the other kind */
	const struct tty_operations *ops;
	struct cdev	cdev;
	struct list_head tty_drivers;	/* [tty_mutex] */
};

#define TTY_DRIVER_RESET_TERMIOS	0x0002	/* settings are not kept over close and hang-up */
#define TTY_DRIVER_REAL_RAW		0x0004
#define TTY_DRIVER_DYNAMIC_DEV		0x0008	/* no device nodes at registration */
#define TTY_DRIVER_DEVPTS_MEM		0x0010	/* devpts keeps the table */

#define TTY_DRIVER_TYPE_SYSTEM	1
#define TTY_DRIVER_TYPE_CONSOLE	2
#define TTY_DRIVER_TYPE_SERIAL	3
#define TTY_DRIVER_TYPE_PTY	4
#define PTY_TYPE_MASTER		1
#define PTY_TYPE_SLAVE		2

#define TTYAUX_MAJOR		5
#define TTY_MAJOR		4
#define UNIX98_PTY_MASTER_MAJOR	128
#define UNIX98_PTY_SLAVE_MAJOR	136

/* Fills in ttys and termios, takes the device numbers, makes the nodes.  0 or -errno.  May sleep; start-up only. */
int tty_register_driver(struct tty_driver *driver);

#endif
