/*
 * console.h: where printk's text is shown, and which terminal /dev/console is.
 *
 * Idea:    a console writes from any context, even from a panic, so it never sleeps and takes its driver's irq-safe
 *          lock with trylock when oops_in_progress.  "console=ttyS0,115200" and "console=tty0" may both stand on the
 *          command line: all get the text, the last is /dev/console.
 * See:     kernel/lib/printk.c: register_console(), console_drivers, the words "console=" (arch helper writes these);
 *          kernel/drivers/tty/console.c: console_init(), console_device(), proc_consoles_show()
 */
#ifndef WEFT_CONSOLE_H
#define WEFT_CONSOLE_H

#include <weft/types.h>
#include <weft/compiler.h>

struct tty_driver;
struct seq_file;

struct console {
	char	name[16];		/* "ttyS", "tty" */
	void	(*write)(struct console *con, const char *s, unsigned int count);	/* any context */
	struct tty_driver *(*device)(struct console *con, int *index);	/* the terminal behind it */
	int	(*setup)(struct console *con, char *options);		/* 0 or -errno */
	short	flags;			/* CON_* */
	short	index;			/* -1 until chosen by console= */
	u64	seq;			/* printk: next record to show */
	struct console *next;		/* [r: written under console_list_lock, entries never go] */
};
#define CON_PRINTBUFFER	1	/* show what was printed before it was registered */
#define CON_CONSDEV	2	/* this one is /dev/console */
#define CON_ENABLED	4
#define CON_BOOT	8	/* early console: goes when a real one comes */

/*
 * Adds con if the command line asks for it, or if it is the first and the command line asks for none.  Start-up, any
 * time after memory is up; safe against printk on other processors.
 */
void register_console(struct console *con);
extern struct console *console_drivers;
#define for_each_console(con) for (con = READ_ONCE(console_drivers); con; con = READ_ONCE(con->next))

/* The terminal that /dev/console means, or NULL. */
struct tty_driver *console_device(int *index);
/* Early: serial and framebuffer consoles for printk, before any terminal exists. */
void console_init(void);
int proc_consoles_show(struct seq_file *m, void *v);

#endif
