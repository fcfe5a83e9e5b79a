/*
 * tty_io.c: terminals as files: open, release, read, write, poll.
 *
 * What:    the file_operations behind every terminal's device node, /dev/tty and /dev/console.
 * Idea:    user memory is touched here only; the line discipline sees kernel buffers.  A hang-up gives every open file
 *          other functions (hung_up_tty_fops), so a file that was hung up can do nothing any more but be closed.
 * Locking: see tty.h.  Open and release race for the last count:
 *
 *              open                                    release
 *              tty_mutex: find tty, kref               tty_lock
 *              tty_lock  (waits) .....................  --count == 0
 *                                                      tty_unlock
 *              count == 0: too late, -EAGAIN, again    release_tty(): out of the table under tty_mutex
 *
 * See:     spec.md §10; tty(4), console(4); doc/terminals.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/poll.h>
#include <weft/device.h>
#include <weft/console.h>
#include <weft/proc_fs.h>
#include <uapi/ioctls.h>
#include "internal.h"

#define TTY_WRITE_CHUNK	2048	/* most that goes to the discipline at once */
#define TTY_READ_MAX	16384

/* ---- locks ---- */

void tty_lock(struct tty_struct *tty)
{
	tty_kref_get(tty);
	mutex_lock(&tty->legacy_mutex);
}

int tty_lock_interruptible(struct tty_struct *tty) __no_context_analysis	/* conditional: see tty.h */
{
	int err;

	tty_kref_get(tty);
	err = mutex_lock_interruptible(&tty->legacy_mutex);
	if (err)
		tty_kref_put(tty);
	return err ? -ERESTARTSYS : 0;
}

void tty_unlock(struct tty_struct *tty)
{
	mutex_unlock(&tty->legacy_mutex);
	tty_kref_put(tty);
}

void tty_lock_slave(struct tty_struct *tty) __no_context_analysis	/* there may be none */
{
	if (tty) {
		tty_kref_get(tty);
		mutex_lock(&tty->legacy_mutex);	/* a class of its own: see pty.c */
	}
}

void tty_unlock_slave(struct tty_struct *tty) __no_context_analysis	/* as above */
{
	if (tty)
		tty_unlock(tty);
}

/* ---- file <-> terminal ---- */

struct tty_struct *file_tty(struct file *file)
{
	return ((struct tty_file_private *)file->private_data)->tty;
}

bool tty_hung_up_p(struct file *file)
{
	return file && READ_ONCE(file->f_op) == &hung_up_tty_fops;
}

bool tty_is_console_file(struct file *file)
{
	return file && READ_ONCE(file->f_op) == &console_fops;
}

int tty_alloc_file(struct file *file)
{
	struct tty_file_private *priv = kzalloc(sizeof(*priv), GFP_KERNEL);

	if (!priv)
		return -ENOMEM;
	INIT_LIST_HEAD(&priv->list);
	priv->file = file;
	file->private_data = priv;
	return 0;
}

void tty_add_file(struct tty_struct *tty, struct file *file)
{
	struct tty_file_private *priv = file->private_data;

	priv->tty = tty;
	spin_lock(&tty->files_lock);
	list_add(&priv->list, &tty->tty_files);
	spin_unlock(&tty->files_lock);
}

void tty_free_file(struct file *file)
{
	kfree(file->private_data);
	file->private_data = NULL;
}

static void tty_del_file(struct file *file)
{
	struct tty_file_private *priv = file->private_data;

	spin_lock(&priv->tty->files_lock);
	list_del(&priv->list);
	spin_unlock(&priv->tty->files_lock);
	tty_free_file(file);
}

dev_t tty_devnum(struct tty_struct *tty)
{
	return MKDEV(tty->driver->major, tty->driver->minor_start) + tty->index;
}

/* ---- reading and writing ---- */

static ssize_t tty_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct tty_struct *tty = file_tty(iocb->ki_filp);
	size_t count = min_t(size_t, iov_iter_count(to), TTY_READ_MAX);
	u8 small[128], *buf = small;
	ssize_t n;

	if (test_bit(TTY_IO_ERROR, &tty->flags))
		return -EIO;
	if (count > sizeof(small)) {
		buf = kmalloc(count, GFP_KERNEL);
		if (!buf)
			return -ENOMEM;
	}
	n = tty->ldisc->read(tty, iocb->ki_filp, buf, count);
	if (n > 0 && copy_to_iter(buf, n, to) != (size_t)n)
		n = -EFAULT;
	memset(buf, 0, n > 0 ? n : 0);		/* it may have been a password */
	if (buf != small)
		kfree(buf);
	return n;
}

static int write_lock_tty(struct tty_struct *tty, bool nonblock) __cond_acquires(0, &tty->atomic_write_lock)
	__no_context_analysis	/* by trylock or by lock */
{
	if (mutex_trylock(&tty->atomic_write_lock))
		return 0;
	if (nonblock)
		return -EAGAIN;
	return mutex_lock_interruptible(&tty->atomic_write_lock) ? -ERESTARTSYS : 0;
}

/* Brings the data to the discipline piece by piece.  atomic_write_lock held. */
static ssize_t write_pieces(struct tty_struct *tty, struct file *file, struct iov_iter *from)
{
	size_t written = 0;
	ssize_t ret = 0;

	while (iov_iter_count(from)) {
		size_t size = min_t(size_t, iov_iter_count(from), TTY_WRITE_CHUNK);

		ret = -EFAULT;
		if (copy_from_iter(tty->write_buf, size, from) != size)
			break;
		ret = tty->ldisc->write(tty, file, tty->write_buf, size);
		if (ret <= 0)
			break;
		written += ret;
		if ((size_t)ret != size)
			iov_iter_revert(from, size - ret);
		if (iov_iter_count(from) && signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
	}
	return written ? (ssize_t)written : ret;
}

static ssize_t tty_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct tty_struct *tty = file_tty(file);
	ssize_t ret;

	if (test_bit(TTY_IO_ERROR, &tty->flags))
		return -EIO;
	ret = write_lock_tty(tty, file->f_flags & O_NONBLOCK);
	if (ret)
		return ret;
	if (!tty->write_buf)
		tty->write_buf = kmalloc(TTY_WRITE_CHUNK, GFP_KERNEL);
	ret = tty->write_buf ? write_pieces(tty, file, from) : -ENOMEM;
	mutex_unlock(&tty->atomic_write_lock);
	wake_up_interruptible_poll(&tty->write_wait, EPOLLOUT);
	return ret;
}

/* A flow-control character, before all that waits to be sent. */
int tty_send_xchar(struct tty_struct *tty, u8 ch)
{
	bool was_stopped = tty->stopped;

	if (tty->ops->send_xchar) {
		tty->ops->send_xchar(tty, ch);
		return 0;
	}
	if (write_lock_tty(tty, false))
		return -ERESTARTSYS;
	if (was_stopped)
		start_tty(tty);
	tty->ops->write(tty, &ch, 1);
	if (was_stopped)
		stop_tty(tty);
	mutex_unlock(&tty->atomic_write_lock);
	return 0;
}

static __poll_t tty_poll(struct file *file, struct poll_table_struct *wait)
{
	struct tty_struct *tty = file_tty(file);

	return tty->ldisc->poll(tty, file, wait);
}

/* Until somebody says otherwise, input is told to the foreground group. */
static int tty_fasync(int fd, struct file *file, int on)
{
	struct tty_struct *tty = file_tty(file);
	int ret = fasync_helper(fd, file, on, &tty->fasync);
	struct pid *pgrp;

	if (ret <= 0 || !on)
		return ret;
	spin_lock_irq(&tty->ctrl_lock);
	pgrp = get_pid(tty->pgrp);
	spin_unlock_irq(&tty->ctrl_lock);
	if (pgrp)
		__f_setown(file, pgrp, PIDTYPE_PGID, 0);
	else
		__f_setown(file, task_tgid(current), PIDTYPE_TGID, 0);
	put_pid(pgrp);
	return ret;
}

void tty_wakeup(struct tty_struct *tty)
{
	if (tty->disc_data)
		tty->ldisc->write_wakeup(tty);
	wake_up_interruptible_poll(&tty->write_wait, EPOLLOUT);
}

/* ---- after a hang-up ---- */

static ssize_t hung_up_read(struct kiocb *iocb, struct iov_iter *to) { return 0; }
static ssize_t hung_up_write(struct kiocb *iocb, struct iov_iter *from) { return -EIO; }
static __poll_t hung_up_poll(struct file *file, struct poll_table_struct *wait)
{
	return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
}
static int hung_up_fasync(int fd, struct file *file, int on)
{
	return on ? -ENOTTY : tty_fasync(fd, file, 0);
}
static long hung_up_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
}

const struct file_operations hung_up_tty_fops = {
	.llseek = no_llseek, .read_iter = hung_up_read, .write_iter = hung_up_write, .poll = hung_up_poll,
	.unlocked_ioctl = hung_up_ioctl, .compat_ioctl = hung_up_ioctl, .release = tty_release,
	.fasync = hung_up_fasync,
};

/* ---- stop and go ---- */

void __stop_tty(struct tty_struct *tty)
{
	lockdep_assert_held(&tty->flow_lock);
	if (tty->stopped)
		return;
	tty->stopped = true;
	if (tty->ops->stop)
		tty->ops->stop(tty);
}

void stop_tty(struct tty_struct *tty)
{
	unsigned long flags;

	spin_lock_irqsave(&tty->flow_lock, flags);
	__stop_tty(tty);
	spin_unlock_irqrestore(&tty->flow_lock, flags);
}

void __start_tty(struct tty_struct *tty)
{
	lockdep_assert_held(&tty->flow_lock);
	if (!tty->stopped || tty->tco_stopped)
		return;
	tty->stopped = false;
	if (tty->ops->start)
		tty->ops->start(tty);
	tty_wakeup(tty);
}

void start_tty(struct tty_struct *tty)
{
	unsigned long flags;

	spin_lock_irqsave(&tty->flow_lock, flags);
	__start_tty(tty);
	spin_unlock_irqrestore(&tty->flow_lock, flags);
}

/* ---- open ---- */

/* Which driver and index a device number means.  tty_mutex held. */
static struct tty_driver *lookup_driver(dev_t dev, int *index)
{
	if (dev == MKDEV(TTY_MAJOR, 0))
		return vt_console_driver(index);
	if (dev == MKDEV(TTYAUX_MAJOR, 1))
		return console_device(index);
	return find_tty_driver(dev, index);
}

/* One more open of a terminal that is open already.  tty_lock held. */
static int tty_reopen(struct tty_struct *tty)
{
	if (is_pty_master(tty))
		return -EIO;
	if (!tty->count)
		return -EAGAIN;
	if (test_bit(TTY_EXCLUSIVE, &tty->flags) && !capable(CAP_SYS_ADMIN))
		return -EBUSY;
	tty->count++;
	return 0;
}

/* Locks tty, on which the caller has a reference that this consumes, and counts one more open. */
static struct tty_struct *lock_and_reopen(struct tty_struct *tty) __no_context_analysis	/* locks what it returns */
{
	int err = tty_lock_interruptible(tty);

	tty_kref_put(tty);
	if (err)
		return ERR_PTR(err);
	err = tty_reopen(tty);
	if (err) {
		tty_unlock(tty);
		return ERR_PTR(err);
	}
	return tty;
}

static struct tty_struct *open_by_driver(dev_t dev, struct file *file)
{
	struct tty_driver *driver;
	struct tty_struct *tty;
	int index = -1;

	mutex_lock(&tty_mutex);
	driver = lookup_driver(dev, &index);
	if (!driver) {
		tty = ERR_PTR(-ENODEV);
		goto unlock;
	}
	tty = driver->ops->lookup ? driver->ops->lookup(driver, file, index) : driver->ttys[index];
	if (IS_ERR(tty))
		goto unlock;
	if (!tty) {
		tty = tty_init_dev(driver, index);
		goto unlock;
	}
	tty_kref_get(tty);
	mutex_unlock(&tty_mutex);
	return lock_and_reopen(tty);
unlock:
	mutex_unlock(&tty_mutex);
	return tty;
}

/* The terminal behind dev, locked and counted; or ERR_PTR. */
static struct tty_struct *get_tty(dev_t dev, struct file *file)
{
	struct tty_struct *tty;

	if (dev != MKDEV(TTYAUX_MAJOR, 0))
		return open_by_driver(dev, file);
	tty = get_current_tty();
	return tty ? lock_and_reopen(tty) : ERR_PTR(-ENXIO);
}

static int tty_open(struct inode *inode, struct file *file)
{
	dev_t dev = inode->i_rdev;
	struct tty_struct *tty;
	bool noctty;
	int err;

	stream_open(inode, file);
	for (;;) {
		err = tty_alloc_file(file);
		if (err)
			return err;
		tty = get_tty(dev, file);
		if (!IS_ERR(tty))
			break;
		tty_free_file(file);
		if (PTR_ERR(tty) != -EAGAIN || signal_pending(current))
			return PTR_ERR(tty) == -EAGAIN ? -ERESTARTSYS : PTR_ERR(tty);
		schedule_timeout_interruptible(1);	/* it is being taken apart */
	}
	lockdep_assert_held(&tty->legacy_mutex);
	tty_add_file(tty, file);
	err = tty->ops->open ? tty->ops->open(tty, file) : 0;
	if (err) {
		tty_unlock(tty);
		tty_release(inode, file);
		return err;
	}
	clear_bit(TTY_HUPPED, &tty->flags);
	noctty = (file->f_flags & O_NOCTTY) || dev == MKDEV(TTYAUX_MAJOR, 1) || dev == MKDEV(TTY_MAJOR, 0) ||
		 is_pty_master(tty);
	if (!noctty)
		tty_open_proc_set_tty(file, tty);
	tty_unlock(tty);
	return 0;
}

/* ---- release ---- */

/* Wakes who sleeps in a terminal that nobody has open but the files being closed. */
static void wake_sleepers(struct tty_struct *tty)
{
	if (tty && tty->count <= 1) {
		wake_up_poll(&tty->read_wait, EPOLLIN | EPOLLHUP);
		wake_up_poll(&tty->write_wait, EPOLLOUT | EPOLLHUP);
	}
}

int tty_release(struct inode *inode, struct file *file)
{
	struct tty_struct *tty = file_tty(file), *other;
	bool last;

	tty_lock(tty);
	if (tty->ops->close)
		tty->ops->close(tty, file);
	other = is_pty_master(tty) ? tty->link : NULL;
	tty_lock_slave(other);
	wake_sleepers(tty);
	wake_sleepers(other);
	if (other)
		other->count--;		/* the master's share in its slave: see tty.h */
	tty->count--;
	tty_del_file(file);
	if (!tty->count) {
		read_lock(&tasklist_lock);
		session_clear_tty(tty->session);
		if (other)
			session_clear_tty(other->session);
		read_unlock(&tasklist_lock);
	}
	last = !tty->count && !(tty->link && tty->link->count);
	tty_unlock_slave(other);
	tty_unlock(tty);
	if (last)
		release_tty(tty);
	return 0;
}

const struct file_operations tty_fops = {
	.llseek = no_llseek, .read_iter = tty_read, .write_iter = tty_write, .poll = tty_poll,
	.unlocked_ioctl = tty_ioctl, .compat_ioctl = tty_ioctl, .open = tty_open, .release = tty_release,
	.fasync = tty_fasync,
};

const struct file_operations console_fops = {
	.llseek = no_llseek, .read_iter = tty_read, .write_iter = tty_write, .poll = tty_poll,
	.unlocked_ioctl = tty_ioctl, .compat_ioctl = tty_ioctl, .open = tty_open, .release = tty_release,
	.fasync = tty_fasync,
};

/* ---- /dev/tty, /dev/console, /dev/tty0 ---- */

static int make_special(struct cdev *cdev, const struct file_operations *fops, dev_t dev, const char *name, umode_t mode)
{
	struct device *d;
	int err;

	cdev_init(cdev, fops);
	err = register_chrdev_region(dev, 1, name);
	if (!err)
		err = cdev_add(cdev, dev, 1);
	if (err)
		return err;
	d = device_create(&tty_class, dev, name, S_IFCHR | mode);
	return IS_ERR(d) ? PTR_ERR(d) : 0;
}

int __init tty_init(void)
{
	static struct cdev tty_cdev, console_cdev;
	int err = make_special(&tty_cdev, &tty_fops, MKDEV(TTYAUX_MAJOR, 0), "tty", 0666);

	proc_create_single("tty/drivers", 0, NULL, proc_tty_drivers_show);
	proc_create_single("consoles", 0, NULL, proc_consoles_show);
	return err ? err : make_special(&console_cdev, &console_fops, MKDEV(TTYAUX_MAJOR, 1), "console", 0600);
}
fs_initcall(tty_init);
