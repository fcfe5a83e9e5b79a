/*
 * tty_port.c: from an interrupt handler to the line discipline, which may sleep.
 *
 * Idea:    the handler puts bytes into the port's ring; work takes them out in runs and gives them to the discipline.  When
 *          that is full, the work stops (pushed_back) and the discipline's next unthrottle starts it again:
 *
 *              work                                    reader of the terminal
 *              receive_buf() takes less than all:
 *              the discipline notes "full"
 *              pushed_back = true  [lock]              takes bytes, sees "full": tty_port_restart()
 *              receive_room() again: 0?                pushed_back? [lock] queue work
 *
 *          The second look closes the window between the two.
 * Locking: port->lock (irq-safe).  The work is the only one that takes bytes out.
 * See:     tty.h; serial8250.c, vt/keyboard.c
 */
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/printk.h>
#include "internal.h"

#define RUN	256

static unsigned int used(const struct tty_port *port)
{
	return port->head - port->tail;
}

/* Copies the next run out without consuming it: port->lock held.  *flagged: one of its bytes is not TTY_NORMAL. */
static unsigned int peek_run(struct tty_port *port, u8 *buf, u8 *flags, bool *flagged)
{
	unsigned int n = min_t(unsigned int, used(port), RUN);

	*flagged = false;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int pos = (port->tail + i) % TTY_PORT_RING;

		buf[i] = port->ring[pos];
		flags[i] = port->flag[pos];
		if (flags[i] != TTY_NORMAL)
			*flagged = true;
	}
	return n;
}

/* One run to the discipline.  False: nothing is left, or it takes nothing more now. */
static bool push_run(struct tty_port *port)
{
	u8 buf[RUN], flags[RUN];
	struct tty_struct *tty;
	unsigned int n, start;
	bool flagged;
	size_t taken;

	spin_lock_irq(&port->lock);
	tty = port->tty;
	start = port->tail;
	n = tty ? peek_run(port, buf, flags, &flagged) : 0;
	spin_unlock_irq(&port->lock);
	if (!n)
		return false;
	/* tty stays: tty_port_set(NULL) waits for this work. */
	taken = tty->ldisc->receive_buf(tty, buf, flagged ? flags : NULL, n);
	spin_lock_irq(&port->lock);
	if (port->tail == start)		/* else a flush came between */
		port->tail += taken;
	port->pushed_back = taken < n;
	spin_unlock_irq(&port->lock);
	if (taken < n && tty->ldisc->receive_room(tty)) {
		tty_port_restart(port);
		return false;
	}
	return taken == n;
}

static void push_work(struct work_struct *work)
{
	struct tty_port *port = container_of(work, struct tty_port, work);

	while (push_run(port))
		;
}

void tty_port_init(struct tty_port *port)
{
	memset(port, 0, sizeof(*port));
	spin_lock_init(&port->lock);
	INIT_WORK(&port->work, push_work);
}

void tty_insert_flip_char(struct tty_port *port, u8 ch, u8 flag)
{
	unsigned long irq;

	spin_lock_irqsave(&port->lock, irq);
	if (port->tty && used(port) < TTY_PORT_RING) {
		unsigned int pos = port->head++ % TTY_PORT_RING;

		port->ring[pos] = ch;
		port->flag[pos] = flag;
	}
	spin_unlock_irqrestore(&port->lock, irq);
}

void tty_insert_flip_string(struct tty_port *port, const u8 *chars, size_t size)
{
	while (size--)
		tty_insert_flip_char(port, *chars++, TTY_NORMAL);
}

void tty_flip_buffer_push(struct tty_port *port)
{
	schedule_work(&port->work);
}

void tty_port_restart(struct tty_port *port)
{
	unsigned long irq;

	spin_lock_irqsave(&port->lock, irq);
	if (port->pushed_back && port->tty) {
		port->pushed_back = false;
		schedule_work(&port->work);
	}
	spin_unlock_irqrestore(&port->lock, irq);
}

/* NULL: nobody listens; the work neither runs nor will run for the old terminal after this.  May sleep. */
void tty_port_set(struct tty_port *port, struct tty_struct *tty)
{
	spin_lock_irq(&port->lock);
	port->tty = tty;
	port->tail = port->head;
	port->pushed_back = false;
	spin_unlock_irq(&port->lock);
	if (!tty)
		cancel_work_sync(&port->work);
}

void tty_port_flush(struct tty_port *port)
{
	spin_lock_irq(&port->lock);
	port->tail = port->head;
	port->pushed_back = false;
	spin_unlock_irq(&port->lock);
}
