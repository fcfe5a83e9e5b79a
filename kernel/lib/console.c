/*
 * console.c: from the log's records to what a person sees.
 *
 * What:    register_console(), the words "console=" of the command line, and the loop that shows records.
 * Idea:    each console knows the number of the next record it has to show.  Whoever has just logged something tries to
 *          become the one who shows; if another CPU is at it already, that one will find the new record before it stops:
 *
 *              CPU 0 (showing)                         CPU 1
 *              shows the last record
 *                                                      logs record n
 *                                                      console_lock: busy, goes on with its work
 *              gives console_lock back
 *              looks again: there is n, takes the lock, shows n
 *
 *          Until a real console comes, the early serial console shows everything (early_console.c); it goes then.
 * Locking: console_lock: a bare lock, taken by trylock only, with interrupts off for one record at a time.  In a panic it
 *          is broken.  The list is written under register_lock; entries are never taken out, only disabled, so readers
 *          need nothing.
 * See:     include/weft/console.h; kernel/drivers/tty/console.c (console_init, which terminal /dev/console is)
 */
#include <weft/console.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/printk.h>
#include <weft/smp.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <weft/time64.h>
#include "printk_internal.h"

#define MAX_PREFERRED	8

/* [I] the words "console=ttyS0,115200", in their order */
static struct preferred {
	char	name[16];
	short	index;
	char	*options;
} preferred[MAX_PREFERRED];
static int nr_preferred;

struct console *console_drivers = &early_serial_console;
static DEFINE_SPINLOCK(register_lock);
static arch_spinlock_t console_lock = __ARCH_SPIN_LOCK_UNLOCKED;
static bool lock_broken;		/* [-] set once, in a panic */

/* ---- showing ---- */

/* "[    1.234567] " */
static int print_time(char *buf, size_t size, u64 ts_nsec)
{
	u64 us = ts_nsec / NSEC_PER_USEC;

	return scnprintf(buf, size, "[%5llu.%06llu] ", us / USEC_PER_SEC, us % USEC_PER_SEC);
}

/* One record to one console: every line of it gets the time in front and a newline behind. */
static void show_record(struct console *con, const struct printk_info *info, const char *text, int len)
{
	char prefix[32];
	int prefix_len = print_time(prefix, sizeof(prefix), info->ts_nsec);

	while (len >= 0) {
		const char *newline = memchr(text, '\n', (size_t)len);
		int line = newline ? (int)(newline - text) : len;

		con->write(con, prefix, (unsigned int)prefix_len);
		con->write(con, text, (unsigned int)line);
		con->write(con, "\n", 1);
		text += line + 1;
		len -= line + 1;
	}
}

/* The next record for this console.  False when it has seen all. */
static bool show_next(struct console *con)
{
	static char text[1024];			/* [console_lock] */
	struct printk_info info;
	int len = printk_read(con->seq, &info, text, sizeof(text));

	if (len < 0)
		return false;
	con->seq = info.seq + 1;
	if (info.level < console_loglevel || oops_in_progress)
		show_record(con, &info, text, len);
	return true;
}

static bool console_trylock(void)
{
	return READ_ONCE(lock_broken) || arch_spin_trylock(&console_lock);
}

static void console_unlock(void)
{
	if (!READ_ONCE(lock_broken))
		arch_spin_unlock(&console_lock);
}

static bool all_shown(void)
{
	struct console *con;

	for_each_console(con)
		if ((con->flags & CON_ENABLED) && READ_ONCE(con->seq) < printk_next_seq())
			return false;
	return true;
}

void console_flush_all(void)
{
	unsigned long flags;
	struct console *con;
	bool more;

	/* One record at a time with interrupts off, so that a long backlog does not keep them off for long. */
	while (!all_shown()) {
		raw_local_irq_save(flags);
		if (!console_trylock()) {
			raw_local_irq_restore(flags);
			return;
		}
		more = false;
		for_each_console(con)
			if (con->flags & CON_ENABLED)
				more |= show_next(con);
		console_unlock();
		raw_local_irq_restore(flags);
		if (!more)
			return;
	}
}

void console_write_direct(const char *text, unsigned int len)
{
	struct console *con;

	for_each_console(con)
		if (con->flags & CON_ENABLED)
			con->write(con, text, len);
}

void console_break_lock(void)
{
	WRITE_ONCE(lock_broken, true);
}

/* ---- registering ---- */

/* "ttyS0,115200n8": a name, a number, options. */
static int __init console_setup(char *value)
{
	struct preferred *p = &preferred[nr_preferred];
	char *options = strchr(value, ',');
	size_t n;

	if (nr_preferred == MAX_PREFERRED)
		return 0;
	if (options)
		*options++ = '\0';
	n = strcspn(value, "0123456789");
	if (!n || n >= sizeof(p->name))
		return 0;
	memcpy(p->name, value, n);
	p->index = (short)simple_strtoul(value + n, NULL, 10);
	p->options = options;
	nr_preferred++;
	return 1;
}
__setup("console=", console_setup);

/* Does the command line ask for it?  Sets it up; 0, -ENOENT when not asked for, or setup()'s error. */
static int set_up_preferred(struct console *con)
{
	for (int i = 0; i < nr_preferred; i++) {
		const struct preferred *p = &preferred[i];
		int err;

		if (strcmp(p->name, con->name) || (con->index >= 0 && con->index != p->index))
			continue;
		con->index = p->index;
		err = con->setup ? con->setup(con, p->options) : 0;
		if (err)
			return err;
		con->flags |= CON_ENABLED;
		if (i == nr_preferred - 1)
			con->flags |= CON_CONSDEV;
		return 0;
	}
	return -ENOENT;
}

/* The command line asks for none: the first that comes is taken. */
static int set_up_default(struct console *con)
{
	struct console *other;
	int err;

	for_each_console(other)
		if ((other->flags & CON_ENABLED) && !(other->flags & CON_BOOT))
			return -ENOENT;
	if (con->index < 0)
		con->index = 0;
	err = con->setup ? con->setup(con, NULL) : 0;
	if (!err)
		con->flags |= CON_ENABLED | CON_CONSDEV;
	return err;
}

void register_console(struct console *con)
{
	struct console *boot = &early_serial_console;
	bool replaces_boot = (boot->flags & CON_ENABLED) && !strcmp(con->name, "ttyS");
	unsigned long flags;

	if ((nr_preferred ? set_up_preferred(con) : set_up_default(con)) != 0)
		return;
	console_flush_all();
	spin_lock_irqsave(&register_lock, flags);
	con->seq = replaces_boot ? boot->seq :
		   con->flags & CON_PRINTBUFFER ? printk_first_seq() : printk_next_seq();
	con->next = console_drivers;
	smp_store_release(&console_drivers, con);
	boot->flags &= ~CON_ENABLED;
	spin_unlock_irqrestore(&register_lock, flags);
	pr_info("console [%s%d] enabled\n", con->name, con->index);
}
