/*
 * tty.h: a terminal: the line between a device and the programs that read and write it.
 *
 * What:    tty_struct, made at the first open of a device node, gone after the last close.  Three layers meet in it:
 *          the core (tty_io.c: files, hang-up, job control), the line discipline (n_tty.c: lines, echo, signals) and
 *          the driver (serial8250.c, vt/vt.c, pty.c).
 * Idea:    a driver hands received bytes to the line discipline and takes bytes to send from it; nothing else passes
 *          between them.  A pty is two tty_structs whose drivers hand the bytes to each other.
 * Locking: tty_mutex: which tty_struct stands behind a driver's index.
 *          legacy_mutex (tty_lock): open, close and hang-up of one terminal; a pty's slave after its master.
 *          termios_rwsem: termios.  atomic_write_lock: one write(2) at a time.  ctrl_lock: pgrp, session, packet mode.
 *          flow_lock: stopped.  files_lock: tty_files.
 *          Order: tty_mutex -> tty_lock -> termios_rwsem -> atomic_write_lock -> the discipline's locks;
 *          sighand->siglock -> ctrl_lock.
 * Counts:  count: open files; a pty's slave has one more while its master is open, so the pair goes together.
 *          kref: one for all open files together, one for each signal_struct that has it as controlling terminal, one
 *          for a queued hang-up.  The last tty_kref_put() frees, by work, so any context may call it.
 * See:     spec.md §10; tty(4); doc/terminals.md
 */
#ifndef WEFT_TTY_H
#define WEFT_TTY_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/refcount.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/mutex.h>
#include <weft/rwsem.h>
#include <weft/wait.h>
#include <weft/workqueue.h>
#include <uapi/termios.h>
#include <weft/tty_driver.h>
#include <weft/tty_ldisc.h>

struct pid;
struct file;
struct inode;
struct seq_file;
struct signal_struct;
struct task_struct;
struct n_tty_data;
struct tty_port;

struct tty_struct {
	refcount_t		kref;
	int			index;		/* [I] within the driver */
	struct tty_driver	*driver;	/* [I] */
	const struct tty_operations *ops;	/* [I] */
	const struct tty_ldisc_ops *ldisc;	/* [I] always N_TTY's */
	struct n_tty_data	*disc_data;	/* [I] the discipline's own */
	struct tty_struct	*link;		/* [I] the other end of a pty */
	struct tty_port		*port;		/* [I] where interrupts put what they receive; NULL for a pty */
	void			*driver_data;	/* [driver] */
	char			name[20];	/* [I] "tty1", "pts/3" */
	unsigned long		flags;		/* [a] TTY_* bits */

	struct mutex		legacy_mutex;	/* class: tty_lock */
	int			count;		/* [tty_lock] open files */

	struct rw_semaphore	termios_rwsem;
	struct ktermios		termios;	/* [termios_rwsem] */
	struct mutex		winsize_mutex;
	struct winsize		winsize;	/* [winsize_mutex] */

	struct mutex		atomic_write_lock;
	u8			*write_buf;	/* [atomic_write_lock] */

	spinlock_t		flow_lock;
	bool			stopped;	/* [flow_lock] Ctrl-S or tcflow(TCOOFF): the driver sends nothing */
	bool			tco_stopped;	/* [flow_lock] by tcflow: only tcflow starts it again */

	spinlock_t		ctrl_lock;
	struct pid		*pgrp;		/* [ctrl_lock] foreground process group, a reference */
	struct pid		*session;	/* [ctrl_lock] a reference */
	u8			pktstatus;	/* [ctrl_lock] of a slave: TIOCPKT_* that the master has not read */
	bool			packet;		/* [ctrl_lock] of a master: it is in packet mode */

	struct fasync_struct	*fasync;	/* whom SIGIO tells: fcntl.c */
	wait_queue_head_t	write_wait, read_wait;
	struct work_struct	hangup_work;	/* hang-up, and at the end the freeing */
	spinlock_t		files_lock;
	struct list_head	tty_files;	/* [files_lock] struct tty_file_private */
};

/* tty->flags: what is true when the bit is set */
#define TTY_THROTTLED		0	/* the driver was asked to receive no more */
#define TTY_IO_ERROR		1	/* the device is not there: reads and writes give EIO */
#define TTY_OTHER_CLOSED	2	/* the other end of the pty has been closed */
#define TTY_EXCLUSIVE		3	/* TIOCEXCL: no further open */
#define TTY_PTY_LOCK		16	/* the slave may not be opened yet (unlockpt) */
#define TTY_HUPPED		18	/* hung up; cleared by the next open */
#define TTY_HUPPING		19	/* a hang-up is under way */

/* What file->private_data points to. */
struct tty_file_private {
	struct tty_struct	*tty;		/* [I] a reference */
	struct file		*file;		/* [I] */
	struct list_head	list;		/* [tty->files_lock] */
};

/*
 * Bytes received in interrupts, on their way to the line discipline, which may sleep: a ring filled by the handler,
 * emptied by work.
 */
#define TTY_PORT_RING	4096
struct tty_port {
	struct tty_struct	*tty;		/* [lock] NULL while nobody has it open */
	spinlock_t		lock;		/* irq-safe; class: tty_port */
	unsigned int		head, tail;	/* [lock] free running */
	bool			pushed_back;	/* [lock] the discipline was full: tty_port_restart() goes on */
	struct work_struct	work;
	u8			ring[TTY_PORT_RING];	/* [lock] */
	u8			flag[TTY_PORT_RING];	/* [lock] TTY_NORMAL ... of each byte */
};
#define TTY_NORMAL	0
#define TTY_BREAK	1
#define TTY_FRAME	2
#define TTY_PARITY	3
#define TTY_OVERRUN	4

#define I_FLAG(tty, f)	((tty)->termios.c_iflag & (f))
#define O_FLAG(tty, f)	((tty)->termios.c_oflag & (f))
#define C_FLAG(tty, f)	((tty)->termios.c_cflag & (f))
#define L_FLAG(tty, f)	((tty)->termios.c_lflag & (f))
#define C_BAUD(tty)	C_FLAG((tty), CBAUD)

/* ---- tty_io.c ---- */
extern struct mutex tty_mutex;
extern struct ktermios tty_std_termios;
extern const struct file_operations tty_fops;

static inline struct tty_struct *tty_kref_get(struct tty_struct *tty)
{
	if (tty)
		refcount_inc(&tty->kref);
	return tty;
}
void tty_kref_put(struct tty_struct *tty);	/* NULL is fine; any context */
struct tty_struct *file_tty(struct file *file);
bool tty_hung_up_p(struct file *file);
bool tty_is_console_file(struct file *file);	/* opened as /dev/console: no hang-up, no SIGTTOU */
/* A tty_struct for index of driver, not yet in the driver's table, or ERR_PTR(-ENOMEM). */
struct tty_struct *alloc_tty_struct(struct tty_driver *driver, int index);
void tty_free(struct tty_struct *tty);
/* file->private_data for a terminal: 0 or -ENOMEM; tty_add_file() then makes it one of tty's. */
int tty_alloc_file(struct file *file);
void tty_add_file(struct tty_struct *tty, struct file *file);
void tty_free_file(struct file *file);
int tty_release(struct inode *inode, struct file *file);
void tty_lock(struct tty_struct *tty) __acquires(&tty->legacy_mutex);
int tty_lock_interruptible(struct tty_struct *tty) __cond_acquires(0, &tty->legacy_mutex);
void tty_unlock(struct tty_struct *tty) __releases(&tty->legacy_mutex);
void tty_hangup(struct tty_struct *tty);	/* from any context: by work */
void tty_vhangup(struct tty_struct *tty);	/* at once; may sleep, no tty_lock held */
void tty_vhangup_session(struct tty_struct *tty);
void tty_vhangup_self(void);
void tty_wakeup(struct tty_struct *tty);	/* the driver has room again; any context */
void stop_tty(struct tty_struct *tty);
void start_tty(struct tty_struct *tty);
void __stop_tty(struct tty_struct *tty) __must_hold(&tty->flow_lock);
void __start_tty(struct tty_struct *tty) __must_hold(&tty->flow_lock);
int tty_do_resize(struct tty_struct *tty, const struct winsize *ws);
int tty_send_xchar(struct tty_struct *tty, u8 ch);
long tty_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
dev_t tty_devnum(struct tty_struct *tty);

/* ---- tty_port.c ---- */
void tty_port_init(struct tty_port *port);
/* From the interrupt handler; drops and counts what does not fit. */
void tty_insert_flip_char(struct tty_port *port, u8 ch, u8 flag);
void tty_insert_flip_string(struct tty_port *port, const u8 *chars, size_t size);
void tty_flip_buffer_push(struct tty_port *port);	/* lets the work hand it to the discipline */
void tty_port_restart(struct tty_port *port);		/* the discipline has room again */
void tty_port_set(struct tty_port *port, struct tty_struct *tty);
void tty_port_flush(struct tty_port *port);		/* forgets what was received */

/* ---- tty_ioctl.c ---- */
int tty_mode_ioctl(struct tty_struct *tty, struct file *file, unsigned int cmd, unsigned long arg);
int tty_set_termios(struct tty_struct *tty, const struct ktermios *new_termios);
void tty_wait_until_sent(struct tty_struct *tty, long timeout);
unsigned int tty_chars_in_buffer(struct tty_struct *tty);
unsigned int tty_write_room(struct tty_struct *tty);
void tty_driver_flush_buffer(struct tty_struct *tty);
int tty_perform_flush(struct tty_struct *tty, unsigned long arg);	/* tcflush(): TC?FLUSH */
int tty_flow(struct tty_struct *tty, unsigned long arg);		/* tcflow(): TCOOFF ... */
void tty_unthrottle(struct tty_struct *tty);
void tty_throttle(struct tty_struct *tty);
speed_t tty_termios_baud_rate(const struct ktermios *t);
speed_t tty_get_baud_rate(struct tty_struct *tty);

/* ---- tty_jobctrl.c ---- */
/* May current go on with what would send sig (SIGTTIN, SIGTTOU)?  0, -EIO, or -ERESTARTSYS when it was sent. */
int __tty_check_change(struct tty_struct *tty, int sig);
int tty_check_change(struct tty_struct *tty);
void proc_clear_tty(struct task_struct *p);
void tty_open_proc_set_tty(struct file *filp, struct tty_struct *tty);
struct tty_struct *get_current_tty(void);		/* with a reference, or NULL */
int tty_signal_session_leader(struct tty_struct *tty, int exit_session);
void session_clear_tty(struct pid *session);
/* A session leader exits, or TIOCNOTTY: the terminal is nobody's controlling terminal any more. */
void disassociate_ctty(int on_exit);
void no_tty(void);
struct pid *tty_get_pgrp(struct tty_struct *tty);	/* with a reference, or NULL */
long tty_jobctrl_ioctl(struct tty_struct *tty, struct tty_struct *real_tty, struct file *file,
		       unsigned int cmd, unsigned long arg);

/* For /proc/PID/stat: fields tty_nr and tpgid.  Under siglock of tsk. */

int tty_init(void);
/* /proc/tty/drivers */
int proc_tty_drivers_show(struct seq_file *m, void *v);

#endif
