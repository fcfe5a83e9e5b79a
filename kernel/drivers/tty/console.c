/*
 * console.c: which terminal is the console, and the first program's descriptors.
 *
 * What:    console_init() registers the early consoles' drivers; console_device() says what /dev/console means;
 *          console_on_rootfs() opens it as descriptors 0, 1 and 2 of pid 1; /proc/consoles.
 * Locking: consoles are only ever added: readers walk without a lock.
 * See:     include/weft/console.h; kernel/lib/printk.c
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/sysfs.h>
#include <weft/console.h>
#include <weft/device.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/seq_file.h>
#include <weft/printk.h>
#include <weft/main.h>
#include "internal.h"
#include "serial8250.h"

void __init console_init(void)
{
	serial8250_console_init();
}

/* The console that was named last ("consdev") comes first; without one, the first that has a terminal. */
struct tty_driver *console_device(int *index)
{
	struct tty_driver *driver = NULL;
	struct console *con;

	for_each_console(con) {
		int i;
		struct tty_driver *d = con->device ? con->device(con, &i) : NULL;

		if (!d || (driver && !(con->flags & CON_CONSDEV)))
			continue;
		driver = d;
		*index = i;
	}
	return driver;
}

/* "ttyS0                -W- (EC p  )    4:64" */
int proc_consoles_show(struct seq_file *m, void *v)
{
	struct console *con;

	for_each_console(con) {
		int index = con->index;
		struct tty_driver *driver = con->device ? con->device(con, &index) : NULL;
		char name[24];

		if (!(con->flags & CON_ENABLED))
			continue;
		snprintf(name, sizeof(name), "%s%d", con->name, con->index);
		seq_printf(m, "%-21s-%c- (%c%c%c )", name, con->write ? 'W' : '-', con->flags & CON_ENABLED ? 'E' : ' ',
			   con->flags & CON_CONSDEV ? 'C' : ' ', con->flags & CON_BOOT ? 'B' : ' ');
		if (driver)
			seq_printf(m, " %4d:%d", driver->major, driver->minor_start + index);
		seq_putc(m, '\n');
	}
	return 0;
}

/* /sys/class/tty/console/active: the terminals behind /dev/console, the one that answers last. */
static ssize_t active_show(void *data, char *buf)
{
	int index, n = 0;
	struct console *con;
	struct tty_driver *last = console_device(&index), *driver;
	int i;

	for_each_console(con) {
		driver = con->device ? con->device(con, &i) : NULL;
		if (driver && (driver != last || i != index))
			n += sysfs_emit(buf + n, "%s%d ", con->name, con->index);
	}
	if (last)
		n += sysfs_emit(buf + n, "%s%d\n", last->name, index + last->name_base);
	return n;
}

static int __init console_sysfs_init(void)
{
	static const struct sysfs_attr active = { "active", 0444, active_show };
	struct dentry *dir = sysfs_mkdir(NULL, "devices/virtual/tty/console");

	return IS_ERR(dir) ? PTR_ERR(dir) : sysfs_create_file(dir, &active, NULL);
}
late_initcall(console_sysfs_init);

/* Failure leaves the first program without descriptors, which is said and is no reason to stop. */
void __init console_on_rootfs(void)
{
	struct file *file;

	devtmpfs_mount();
	file = filp_open("/dev/console", O_RDWR, 0);
	if (IS_ERR(file)) {
		printk(KERN_ERR "console: cannot open /dev/console (error %ld): init starts without one\n", PTR_ERR(file));
		return;
	}
	for (int i = 0; i < 3; i++) {
		int fd = get_unused_fd_flags(0);

		if (fd >= 0)
			fd_install(fd, get_file(file));
	}
	fput(file);
}
