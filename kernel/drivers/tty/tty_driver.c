/*
 * tty_driver.c: drivers of terminals, and the birth and end of a tty_struct.
 *
 * What:    tty_register_driver(); a driver's table of open terminals; alloc_tty_struct() .. release_tty(); /proc/tty/drivers.
 * Idea:    a tty_struct is made at the first open and taken apart when the last file (of both ends, for a pty) has gone.
 *          Memory goes later, with the last reference: a session may still name it as its controlling terminal, but
 *          with count 0 it can neither be opened nor does it touch its discipline.
 * Locking: tty_mutex: drivers, their tables and saved settings.  Taking a terminal apart needs no tty_lock: nobody opens a
 *          terminal with count 0 (tty_reopen).
 * See:     tty.h; spec.md §10
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/err.h>
#include <weft/device.h>
#include <weft/seq_file.h>
#include <weft/proc_fs.h>
#include <weft/init.h>
#include <uapi/tty.h>
#include "internal.h"

DEFINE_MUTEX(tty_mutex);
LIST_HEAD(tty_drivers);

struct ktermios tty_std_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = {
		[VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19,
		[VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
	},
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

/* ---- drivers ---- */

struct tty_driver *find_tty_driver(dev_t dev, int *index)
{
	struct tty_driver *driver;

	lockdep_assert_held(&tty_mutex);
	list_for_each_entry(driver, &tty_drivers, tty_drivers) {
		dev_t base = MKDEV(driver->major, driver->minor_start);

		if (dev >= base && dev < base + driver->num) {
			*index = dev - base;
			return driver;
		}
	}
	return NULL;
}

static int make_nodes(struct tty_driver *driver)
{
	for (unsigned int i = 0; i < driver->num; i++) {
		dev_t dev = MKDEV(driver->major, driver->minor_start + i);
		char name[24];
		struct device *d;

		snprintf(name, sizeof(name), "%s%u", driver->name, i + driver->name_base);
		d = device_create(&tty_class, dev, name, S_IFCHR | 0620);
		if (IS_ERR(d))
			return PTR_ERR(d);
	}
	return 0;
}

int tty_register_driver(struct tty_driver *driver)
{
	dev_t base = MKDEV(driver->major, driver->minor_start);
	int err = -ENOMEM;

	if (!(driver->flags & TTY_DRIVER_DEVPTS_MEM)) {
		driver->ttys = kcalloc(driver->num, sizeof(*driver->ttys), GFP_KERNEL);
		driver->termios = kcalloc(driver->num, sizeof(*driver->termios), GFP_KERNEL);
		if (!driver->ttys || !driver->termios)
			goto free;
	}
	cdev_init(&driver->cdev, &tty_fops);
	err = register_chrdev_region(base, driver->num, driver->name);
	if (err)
		goto free;
	err = cdev_add(&driver->cdev, base, driver->num);
	if (err)
		goto unregister;
	mutex_lock(&tty_mutex);
	list_add_tail(&driver->tty_drivers, &tty_drivers);
	mutex_unlock(&tty_mutex);
	return driver->flags & TTY_DRIVER_DYNAMIC_DEV ? 0 : make_nodes(driver);

unregister:
	unregister_chrdev_region(base, driver->num);
free:
	kfree(driver->ttys);
	kfree(driver->termios);
	return err;
}

/* ---- settings over a close ---- */

int tty_init_termios(struct tty_struct *tty)
{
	struct tty_driver *driver = tty->driver;
	struct ktermios *saved = driver->termios ? driver->termios[tty->index] : NULL;

	tty->termios = saved && !(driver->flags & TTY_DRIVER_RESET_TERMIOS) ? *saved : driver->init_termios;
	tty->termios.c_line = N_TTY;
	return 0;
}

void tty_save_termios(struct tty_struct *tty)
{
	struct tty_driver *driver = tty->driver;
	struct ktermios **saved;

	lockdep_assert_held(&tty_mutex);
	if ((driver->flags & TTY_DRIVER_RESET_TERMIOS) || !driver->termios)
		return;
	saved = &driver->termios[tty->index];
	if (!*saved)
		*saved = kmalloc(sizeof(**saved), GFP_KERNEL);
	if (*saved)
		**saved = tty->termios;		/* without memory the next open starts from the driver's */
}

/* ---- a tty_struct's life ---- */

struct tty_struct *alloc_tty_struct(struct tty_driver *driver, int index)
{
	struct tty_struct *tty = kzalloc(sizeof(*tty), GFP_KERNEL);

	if (!tty)
		return ERR_PTR(-ENOMEM);
	refcount_set(&tty->kref, 1);
	tty->index = index;
	tty->driver = driver;
	tty->ops = driver->ops;
	tty->ldisc = &n_tty_ops;
	snprintf(tty->name, sizeof(tty->name), "%s%d", driver->name, index + driver->name_base);
	mutex_init(&tty->legacy_mutex);
	init_rwsem(&tty->termios_rwsem);
	mutex_init(&tty->winsize_mutex);
	mutex_init(&tty->atomic_write_lock);
	spin_lock_init(&tty->flow_lock);
	spin_lock_init(&tty->ctrl_lock);
	spin_lock_init(&tty->files_lock);
	init_waitqueue_head(&tty->write_wait);
	init_waitqueue_head(&tty->read_wait);
	INIT_LIST_HEAD(&tty->tty_files);
	INIT_WORK(&tty->hangup_work, do_tty_hangup);
	return tty;
}

void tty_free(struct tty_struct *tty)
{
	if (tty->ops->cleanup)
		tty->ops->cleanup(tty);
	put_pid(tty->pgrp);
	put_pid(tty->session);
	kfree(tty->write_buf);
	kfree(tty);
}

static void free_by_work(struct work_struct *work)
{
	tty_free(container_of(work, struct tty_struct, hangup_work));
}

/* The last reference may go in an interrupt or under siglock; a queued hang-up holds one, so the work item is free. */
void tty_kref_put(struct tty_struct *tty)
{
	if (tty && refcount_dec_and_test(&tty->kref)) {
		INIT_WORK(&tty->hangup_work, free_by_work);
		schedule_work(&tty->hangup_work);
	}
}

static int install(struct tty_driver *driver, struct tty_struct *tty)
{
	int err;

	if (driver->ops->install)
		return driver->ops->install(driver, tty);
	err = tty_init_termios(tty);
	if (err)
		return err;
	tty->count++;
	driver->ttys[tty->index] = tty;
	return 0;
}

static int open_discipline(struct tty_struct *tty)
{
	int err = tty->ldisc->open(tty);

	if (!err && tty->link) {
		err = tty->link->ldisc->open(tty->link);
		if (err)
			tty->ldisc->close(tty);
	}
	return err;
}

static void uninstall(struct tty_struct *tty)
{
	struct tty_driver *driver = tty->driver;

	if (driver->ops->remove)
		driver->ops->remove(driver, tty);
	else
		driver->ttys[tty->index] = NULL;
}

struct tty_struct *tty_init_dev(struct tty_driver *driver, int index) __no_context_analysis	/* locks what it returns */
{
	struct tty_struct *tty = alloc_tty_struct(driver, index);
	int err;

	if (IS_ERR(tty))
		return tty;
	tty_lock(tty);
	err = install(driver, tty);
	if (err)
		goto free;
	err = open_discipline(tty);
	if (err)
		goto remove;
	if (tty->port)
		tty_port_set(tty->port, tty);
	return tty;

remove:
	uninstall(tty);
	if (tty->link)
		tty_free(tty->link);
free:
	tty_unlock(tty);
	tty_free(tty);
	return ERR_PTR(err);
}

/*
 * Takes a terminal (a pair) apart whose last file has gone.  Both ends are made quiet before either discipline is freed:
 * the echo work of one writes into the other.
 */
void release_tty(struct tty_struct *tty)
{
	struct tty_struct *ends[2] = { tty, tty->link };

	for (int i = 0; i < 2 && ends[i]; i++) {
		if (ends[i]->port)
			tty_port_set(ends[i]->port, NULL);
		ends[i]->ldisc->flush_buffer(ends[i]);
	}
	for (int i = 0; i < 2 && ends[i]; i++)
		ends[i]->ldisc->shutdown(ends[i]);
	for (int i = 0; i < 2 && ends[i]; i++)
		ends[i]->ldisc->close(ends[i]);

	mutex_lock(&tty_mutex);
	tty_save_termios(tty);
	uninstall(tty);
	if (tty->link)
		uninstall(tty->link);
	mutex_unlock(&tty_mutex);

	tty_kref_put(tty->link);
	tty_kref_put(tty);
}

/* ---- /proc/tty/drivers ---- */

static const char *type_name(const struct tty_driver *driver)
{
	switch (driver->type) {
	case TTY_DRIVER_TYPE_SYSTEM:	return "system";
	case TTY_DRIVER_TYPE_CONSOLE:	return "console";
	case TTY_DRIVER_TYPE_SERIAL:	return "serial";
	case TTY_DRIVER_TYPE_PTY:	return driver->subtype == PTY_TYPE_MASTER ? "pty:master" : "pty:slave";
	default:			return "unknown";
	}
}

int proc_tty_drivers_show(struct seq_file *m, void *v)
{
	struct tty_driver *driver;

	seq_puts(m, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n");
	seq_puts(m, "/dev/console         /dev/console    5       1 system:console\n");
	seq_puts(m, "/dev/ptmx            /dev/ptmx       5       2 system\n");
	mutex_lock(&tty_mutex);
	list_for_each_entry(driver, &tty_drivers, tty_drivers) {
		char range[24];

		if (driver->num > 1)
			snprintf(range, sizeof(range), "%d-%d", driver->minor_start,
				 driver->minor_start + (int)driver->num - 1);
		else
			snprintf(range, sizeof(range), "%d", driver->minor_start);
		seq_printf(m, "%-20s /dev/%-8s %3d %7s %s\n", driver->driver_name, driver->name, driver->major, range,
			   type_name(driver));
	}
	mutex_unlock(&tty_mutex);
	return 0;
}
