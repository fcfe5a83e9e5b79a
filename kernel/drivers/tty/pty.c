/*
 * pty.c: pseudo-terminals: two tty_structs whose drivers hand the bytes to each other.
 *
 * What:    /dev/ptmx makes a pair: the file is the master; the slave's name is /dev/pts/N.  Lock (unlockpt), packet mode,
 *          TIOCGPTPEER, signals from the master, hang-up of the slave when the master closes.
 * Idea:    write() of one end is receive_buf() of the other, in the writer's context, so there is no buffer and no work
 *          between them.  When the reader's discipline is full, the writer waits in write_wait until pty_unthrottle().
 * Locking: tty_lock of the master, then of its slave (two lock classes).  Packet mode and its status: the slave's ctrl_lock.
 * Counts:  the slave's count holds one for its master: the pair is taken apart together (tty_release).
 * See:     tty.h, devpts.c; spec.md §10; pty(7), pts(4), ioctl_tty(2); doc/terminals.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/namei.h>
#include <weft/poll.h>
#include <weft/device.h>
#include <uapi/ioctls.h>
#include "internal.h"
#include "pty.h"

static struct tty_driver ptm_driver, pts_driver;

/* ---- bytes ---- */

static int pty_write(struct tty_struct *tty, const u8 *buf, int count)
{
	struct tty_struct *to = tty->link;

	if (READ_ONCE(tty->stopped) || !count)
		return 0;
	return to->ldisc->receive_buf(to, buf, NULL, count);
}

static unsigned int pty_write_room(struct tty_struct *tty)
{
	if (READ_ONCE(tty->stopped))
		return 0;
	return tty->link->ldisc->receive_room(tty->link);
}

/* This end has room again: the other end's writers go on. */
static void pty_unthrottle(struct tty_struct *tty)
{
	tty_wakeup(tty->link);
}

/* ---- packet mode ---- */

/* Something happened at this slave: the master reads it as a status byte, when it is in packet mode. */
static void note_status(struct tty_struct *tty, u8 clear, u8 set)
{
	unsigned long flags;
	bool wake = false;

	if (is_pty_master(tty))
		return;
	spin_lock_irqsave(&tty->ctrl_lock, flags);
	if (tty->link->packet) {
		tty->pktstatus = (tty->pktstatus & ~clear) | set;
		wake = true;
	}
	spin_unlock_irqrestore(&tty->ctrl_lock, flags);
	if (wake)
		wake_up_interruptible_poll(&tty->link->read_wait, EPOLLIN | EPOLLPRI);
}

static void pty_stop(struct tty_struct *tty) { note_status(tty, TIOCPKT_START, TIOCPKT_STOP); }
static void pty_start(struct tty_struct *tty) { note_status(tty, TIOCPKT_STOP, TIOCPKT_START); }
/* What was written is in the other discipline already and stays there; only the master is told. */
static void pty_flush_buffer(struct tty_struct *tty) { note_status(tty, 0, TIOCPKT_FLUSHWRITE); }

static bool flow_is_usual(const struct ktermios *t)
{
	return (t->c_iflag & IXON) && t->c_cc[VSTOP] == 19 && t->c_cc[VSTART] == 17;
}

static void pty_set_termios(struct tty_struct *tty, const struct ktermios *old)
{
	bool flow = flow_is_usual(&tty->termios);

	if (flow != flow_is_usual(old))
		note_status(tty, TIOCPKT_DOSTOP | TIOCPKT_NOSTOP, flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
	if ((old->c_lflag | tty->termios.c_lflag) & EXTPROC)
		note_status(tty, 0, TIOCPKT_IOCTL);
	tty->termios.c_cflag = (tty->termios.c_cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
}

static int set_packet_mode(struct tty_struct *master, int __user *arg)
{
	struct tty_struct *slave = master->link;
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	spin_lock_irq(&slave->ctrl_lock);
	if (on && !master->packet)
		slave->pktstatus = 0;
	master->packet = on;
	spin_unlock_irq(&slave->ctrl_lock);
	return 0;
}

/* ---- the pair's life ---- */

static int pty_install(struct tty_driver *driver, struct tty_struct *master)
{
	struct tty_struct *slave = alloc_tty_struct(driver->other, master->index);

	if (IS_ERR(slave))
		return PTR_ERR(slave);
	/* A lock class of its own: the slave's tty_lock is taken under the master's. */
	mutex_init(&slave->legacy_mutex);
	tty_init_termios(master);
	tty_init_termios(slave);
	slave->link = master;
	master->link = slave;
	master->count++;
	slave->count++;
	return 0;
}

/* The number is the pair's own once ptmx_open() has said so in driver_data. */
static void ptm_remove(struct tty_driver *driver, struct tty_struct *master)
{
	if (master->driver_data)
		devpts_kill_index(master->index);
}

static void pts_remove(struct tty_driver *driver, struct tty_struct *slave) { }

static struct tty_struct *ptm_lookup(struct tty_driver *driver, struct file *file, int idx)
{
	return ERR_PTR(-EIO);		/* a master is only ever made */
}

static struct tty_struct *pts_lookup(struct tty_driver *driver, struct file *file, int idx)
{
	struct tty_struct *tty = devpts_get_tty(file);

	return tty ? tty : ERR_PTR(-EIO);
}

static int pts_open(struct tty_struct *tty, struct file *file)
{
	if (test_bit(TTY_OTHER_CLOSED, &tty->flags) || test_bit(TTY_PTY_LOCK, &tty->link->flags) || tty->link->count != 1)
		return -EIO;
	clear_bit(TTY_IO_ERROR, &tty->flags);
	clear_bit(TTY_OTHER_CLOSED, &tty->link->flags);
	return 0;
}

static void wake_both(struct tty_struct *tty, __poll_t in)
{
	wake_up_interruptible_poll(&tty->read_wait, EPOLLIN | in);
	wake_up_interruptible_poll(&tty->write_wait, EPOLLOUT | in);
}

/* The last file of the slave: the master reads EIO once it has read the rest, until the slave is opened again. */
static void pts_close(struct tty_struct *tty, struct file *file)
{
	if (tty->count > 2 || test_bit(TTY_OTHER_CLOSED, &tty->flags))
		return;
	set_bit(TTY_OTHER_CLOSED, &tty->link->flags);
	wake_both(tty, 0);
	wake_both(tty->link, EPOLLHUP);
}

/* The master's only file: the name goes and the slave is hung up. */
static void ptm_close(struct tty_struct *tty, struct file *file)
{
	struct tty_struct *slave = tty->link;

	set_bit(TTY_IO_ERROR, &tty->flags);
	spin_lock_irq(&slave->ctrl_lock);
	tty->packet = false;
	spin_unlock_irq(&slave->ctrl_lock);
	set_bit(TTY_OTHER_CLOSED, &slave->flags);
	wake_both(tty, 0);
	wake_both(slave, EPOLLHUP);
	if (slave->driver_data) {
		devpts_pty_kill(slave->driver_data);
		slave->driver_data = NULL;
	}
	tty_vhangup(slave);
}

/* ---- ioctls of the master ---- */

static int set_lock(struct tty_struct *master, int __user *arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	if (on)
		set_bit(TTY_PTY_LOCK, &master->flags);
	else
		clear_bit(TTY_PTY_LOCK, &master->flags);
	return 0;
}

static int signal_slave(struct tty_struct *master, int sig)
{
	struct pid *pgrp;

	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	pgrp = tty_get_pgrp(master->link);
	if (pgrp)
		kill_pgrp(pgrp, sig, 1);
	put_pid(pgrp);
	return 0;
}

/* TIOCGPTPEER: a descriptor of the slave, even where /dev/pts of another name space hides it. */
static int open_peer(struct tty_struct *master, int flags)
{
	struct file *file;
	struct path path;
	int fd, err;

	err = devpts_get_path(master->link->driver_data, &path);
	if (err)
		return err;
	fd = get_unused_fd_flags(flags & O_CLOEXEC);
	if (fd < 0)
		goto out;
	file = dentry_open(&path, flags & (O_ACCMODE | O_NOCTTY | O_NONBLOCK), current_cred());
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto out;
	}
	fd_install(fd, file);
out:
	path_put(&path);
	return fd;
}

static int ptm_ioctl(struct tty_struct *tty, unsigned int cmd, unsigned long arg)
{
	int __user *p = (int __user *)arg;

	switch (cmd) {
	case TIOCSPTLCK:
		return set_lock(tty, p);
	case TIOCGPTLCK:
		return put_user((int)test_bit(TTY_PTY_LOCK, &tty->flags), p);
	case TIOCPKT:
		return set_packet_mode(tty, p);
	case TIOCGPKT:
		return put_user((int)READ_ONCE(tty->packet), p);
	case TIOCGPTN:
		return put_user((unsigned int)tty->index, (unsigned int __user *)arg);
	case TIOCSIG:
		return signal_slave(tty, arg);
	case TIOCGPTPEER:
		return open_peer(tty, arg);
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct tty_operations ptm_ops = {
	.lookup = ptm_lookup, .install = pty_install, .remove = ptm_remove, .close = ptm_close,
	.write = pty_write, .write_room = pty_write_room, .unthrottle = pty_unthrottle, .ioctl = ptm_ioctl,
};

static const struct tty_operations pts_ops = {
	.lookup = pts_lookup, .install = pty_install, .remove = pts_remove, .open = pts_open, .close = pts_close,
	.write = pty_write, .write_room = pty_write_room, .unthrottle = pty_unthrottle, .stop = pty_stop, .start = pty_start,
	.flush_buffer = pty_flush_buffer, .set_termios = pty_set_termios,
};

static struct tty_driver ptm_driver = {
	.driver_name = "pty_master", .name = "ptm", .major = UNIX98_PTY_MASTER_MAJOR, .num = 1U << MINORBITS,
	.type = TTY_DRIVER_TYPE_PTY, .subtype = PTY_TYPE_MASTER,
	.flags = TTY_DRIVER_RESET_TERMIOS | TTY_DRIVER_REAL_RAW | TTY_DRIVER_DYNAMIC_DEV | TTY_DRIVER_DEVPTS_MEM,
	.other = &pts_driver, .ops = &ptm_ops,
};

static struct tty_driver pts_driver = {
	.driver_name = "pty_slave", .name = "pts/", .major = UNIX98_PTY_SLAVE_MAJOR, .num = 1U << MINORBITS,
	.type = TTY_DRIVER_TYPE_PTY, .subtype = PTY_TYPE_SLAVE,
	.flags = TTY_DRIVER_RESET_TERMIOS | TTY_DRIVER_REAL_RAW | TTY_DRIVER_DYNAMIC_DEV | TTY_DRIVER_DEVPTS_MEM,
	.other = &ptm_driver, .ops = &pts_ops,
};

/* ---- /dev/ptmx ---- */

static int ptmx_open(struct inode *inode, struct file *file)
{
	struct tty_struct *tty;
	struct dentry *dentry;
	int index, err;

	stream_open(inode, file);
	err = tty_alloc_file(file);
	if (err)
		return err;
	index = devpts_new_index();
	if (index < 0) {
		err = index;
		goto free_file;
	}
	mutex_lock(&tty_mutex);
	tty = tty_init_dev(&ptm_driver, index);
	mutex_unlock(&tty_mutex);
	if (IS_ERR(tty)) {
		devpts_kill_index(index);
		err = PTR_ERR(tty);
		goto free_file;
	}
	lockdep_assert_held(&tty->legacy_mutex);
	tty->driver_data = tty;
	set_bit(TTY_PTY_LOCK, &tty->flags);
	tty_add_file(tty, file);
	dentry = devpts_pty_new(index, tty->link);
	if (IS_ERR(dentry)) {
		tty_unlock(tty);
		tty_release(inode, file);
		return PTR_ERR(dentry);
	}
	tty->link->driver_data = dentry;
	tty_unlock(tty);
	replace_fops(file, &tty_fops);
	return 0;

free_file:
	tty_free_file(file);
	return err;
}

static const struct file_operations ptmx_fops = { .llseek = no_llseek, .open = ptmx_open };

static int __init pty_init(void)
{
	static struct cdev ptmx_cdev;
	struct device *d;
	int err;

	ptm_driver.init_termios = (struct ktermios){ .c_cflag = B38400 | CS8 | CREAD, .c_ispeed = 38400, .c_ospeed = 38400 };
	memcpy(ptm_driver.init_termios.c_cc, tty_std_termios.c_cc, sizeof(tty_std_termios.c_cc));
	pts_driver.init_termios = tty_std_termios;
	pts_driver.init_termios.c_cflag = B38400 | CS8 | CREAD;
	err = tty_register_driver(&ptm_driver);
	if (!err)
		err = tty_register_driver(&pts_driver);
	if (err)
		return err;
	cdev_init(&ptmx_cdev, &ptmx_fops);
	err = register_chrdev_region(MKDEV(TTYAUX_MAJOR, 2), 1, "ptmx");
	if (!err)
		err = cdev_add(&ptmx_cdev, MKDEV(TTYAUX_MAJOR, 2), 1);
	if (err)
		return err;
	d = device_create(&tty_class, MKDEV(TTYAUX_MAJOR, 2), "ptmx", S_IFCHR | 0666);
	return IS_ERR(d) ? PTR_ERR(d) : 0;
}
device_initcall(pty_init);
