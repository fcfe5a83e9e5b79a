/*
 * serial8250.c: the PC's serial ports, up to the 16550A: ttyS0 .. ttyS3, and the console on them.
 *
 * What:    probing at the four PC addresses, interrupts, sending from a ring, line settings, modem lines; console= with
 *          polled output from any context.
 * Idea:    output goes into a ring; the "transmitter empty" interrupt moves up to 16 bytes at a time into the FIFO.  Input
 *          goes to the tty_port.  Until the first interrupt has been seen, a timer looks at the port as well: a machine
 *          whose interrupt does not come (wrong routing) still has a console.
 * Locking: up->lock (irq-safe): registers, xmit ring, ier.  The console takes it with trylock when oops_in_progress.
 *          up->lock is innermost but for port->lock.
 * See:     spec.md §1 "serial"; National PC16550D data sheet; serial_reg.h
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/string.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/io.h>
#include <weft/irq.h>
#include <weft/interrupt.h>
#include <weft/timer.h>
#include <weft/jiffies.h>
#include <weft/console.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/serial_reg.h>
#include <weft/uaccess.h>
#include <weft/main.h>
#include <uapi/ioctls.h>
#include "internal.h"
#include "serial8250.h"

#define NR_PORTS	4
#define XMIT_SIZE	4096
#define POLL_PERIOD	max(HZ / 50, 1)

struct uart_port {
	u16		base;		/* [I] first I/O port */
	u8		irq;		/* [I] */
	bool		present;	/* [I] */
	spinlock_t	lock;		/* class: uart; guards the rest */
	u8		ier, lcr, mcr;	/* what the registers hold */
	u8		x_char;		/* goes before the ring; 0: none */
	bool		stopped;	/* Ctrl-S */
	bool		irq_on;		/* [tty_lock] the line is requested */
	unsigned int	head, tail;	/* of xmit, free running */
	unsigned long	interrupts;	/* seen */
	struct timer_list timer;	/* stands in for interrupts until the first is seen */
	struct tty_struct *tty;		/* NULL while closed */
	struct tty_port	port;
	u8		xmit[XMIT_SIZE];
};

static struct uart_port uarts[NR_PORTS] = {
	{ .base = 0x3f8, .irq = 4 }, { .base = 0x2f8, .irq = 3 }, { .base = 0x3e8, .irq = 4 }, { .base = 0x2e8, .irq = 3 },
};

static u8 reg_in(const struct uart_port *up, int reg) { return inb(up->base + reg); }
static void reg_out(const struct uart_port *up, int reg, u8 value) { outb(value, up->base + reg); }
static unsigned int xmit_used(const struct uart_port *up) { return up->head - up->tail; }

static void set_ier(struct uart_port *up, u8 ier)
{
	if (up->ier != ier) {
		up->ier = ier;
		reg_out(up, UART_IER, ier);
	}
}

/* ---- sending and receiving: up->lock held ---- */

/* The transmitter is empty: fills its FIFO, or tells it to be quiet.  True: there is room for writers again. */
static bool send_chars(struct uart_port *up)
{
	int n = UART_FIFO_SIZE;

	lockdep_assert_held(&up->lock);
	if (up->x_char) {
		reg_out(up, UART_TX, up->x_char);
		up->x_char = 0;
		return false;
	}
	if (up->stopped || !xmit_used(up)) {
		set_ier(up, up->ier & ~UART_IER_THRI);
		return true;
	}
	while (n-- && xmit_used(up))
		reg_out(up, UART_TX, up->xmit[up->tail++ % XMIT_SIZE]);
	if (!xmit_used(up))
		set_ier(up, up->ier & ~UART_IER_THRI);
	return xmit_used(up) < XMIT_SIZE / 4;
}

/* True: something came. */
static bool receive_chars(struct uart_port *up, u8 lsr)
{
	int limit = 256;
	bool any = false;

	lockdep_assert_held(&up->lock);
	while ((lsr & (UART_LSR_DR | UART_LSR_BI)) && limit--) {
		u8 ch = reg_in(up, UART_RX), flag = TTY_NORMAL;

		if (lsr & UART_LSR_BI)
			flag = TTY_BREAK;
		else if (lsr & UART_LSR_PE)
			flag = TTY_PARITY;
		else if (lsr & UART_LSR_FE)
			flag = TTY_FRAME;
		tty_insert_flip_char(&up->port, ch, flag);
		any = true;
		lsr = reg_in(up, UART_LSR);
	}
	return any;
}

/* All that the port wants now.  True: it wanted something. */
static bool service(struct uart_port *up)
{
	bool received, wake = false, sent = false;
	struct tty_struct *tty;
	unsigned long flags;
	u8 lsr;

	spin_lock_irqsave(&up->lock, flags);
	lsr = reg_in(up, UART_LSR);
	received = receive_chars(up, lsr);
	reg_in(up, UART_MSR);
	if ((lsr & UART_LSR_THRE) && (up->ier & UART_IER_THRI)) {
		wake = send_chars(up);
		sent = true;
	}
	tty = wake ? tty_kref_get(up->tty) : NULL;
	spin_unlock_irqrestore(&up->lock, flags);
	if (received)
		tty_flip_buffer_push(&up->port);
	if (tty) {
		tty_wakeup(tty);
		tty_kref_put(tty);
	}
	return received || sent;
}

static irqreturn_t serial8250_interrupt(int irq, void *dev)
{
	struct uart_port *up = dev;
	irqreturn_t ret = IRQ_NONE;

	add_interrupt_randomness(irq);
	for (int pass = 0; pass < 16 && !(reg_in(up, UART_IIR) & UART_IIR_NO_INT); pass++) {
		up->interrupts++;
		service(up);
		ret = IRQ_HANDLED;
	}
	return ret;
}

static void serial8250_poll(struct timer_list *t)
{
	struct uart_port *up = from_timer(up, t, timer);

	if (READ_ONCE(up->interrupts))
		return;			/* they come: no further need of the timer */
	service(up);
	mod_timer(&up->timer, jiffies + POLL_PERIOD);
}

/* ---- line settings ---- */

static void set_line(struct uart_port *up, const struct ktermios *t)
{
	speed_t baud = tty_termios_baud_rate(t);
	unsigned int divisor = baud ? DIV_ROUND_CLOSEST(UART_BASE_BAUD, baud) : 0;
	u8 lcr = UART_LCR_WLEN5 + ((t->c_cflag & CSIZE) >> 4);
	unsigned long flags;

	if (t->c_cflag & CSTOPB)
		lcr |= UART_LCR_STOP;
	if (t->c_cflag & PARENB)
		lcr |= UART_LCR_PARITY | (t->c_cflag & PARODD ? 0 : UART_LCR_EPAR);
	spin_lock_irqsave(&up->lock, flags);
	up->lcr = lcr;
	if (divisor) {
		reg_out(up, UART_LCR, lcr | UART_LCR_DLAB);
		reg_out(up, UART_DLL, divisor & 0xff);
		reg_out(up, UART_DLM, divisor >> 8);
	}
	reg_out(up, UART_LCR, lcr);
	up->mcr = baud ? up->mcr | UART_MCR_DTR | UART_MCR_RTS : up->mcr & ~(UART_MCR_DTR | UART_MCR_RTS);
	reg_out(up, UART_MCR, up->mcr);
	spin_unlock_irqrestore(&up->lock, flags);
}

/* ---- tty operations ---- */

static struct uart_port *uart_of(struct tty_struct *tty) { return tty->driver_data; }

static int serial_install(struct tty_driver *driver, struct tty_struct *tty)
{
	struct uart_port *up = &uarts[tty->index];
	int err;

	if (!up->present)
		return -EIO;
	err = tty_init_termios(tty);
	if (err)
		return err;
	tty->driver_data = up;
	tty->port = &up->port;
	tty->count++;
	driver->ttys[tty->index] = tty;
	return 0;
}

/* First open: clears the FIFOs, asks for the interrupt line, lets the port interrupt. */
static void startup(struct uart_port *up, struct tty_struct *tty)
{
	int err = request_irq(up->irq, serial8250_interrupt, IRQF_SHARED, "ttyS", up);

	if (err)
		printk(KERN_WARNING "ttyS%d: no interrupt %d (error %d): polling\n", tty->index, up->irq, err);
	up->irq_on = !err;
	set_line(up, &tty->termios);
	spin_lock_irq(&up->lock);
	reg_out(up, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT | UART_FCR_TRIGGER_8);
	up->tty = tty;
	up->stopped = false;
	up->head = up->tail = 0;
	up->mcr |= UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2;
	reg_out(up, UART_MCR, up->mcr);
	set_ier(up, UART_IER_RDI | UART_IER_RLSI | UART_IER_THRI);
	spin_unlock_irq(&up->lock);
	if (!READ_ONCE(up->interrupts))
		mod_timer(&up->timer, jiffies + POLL_PERIOD);
}

static int serial_open(struct tty_struct *tty, struct file *file)
{
	struct uart_port *up = uart_of(tty);

	if (!up->tty)
		startup(up, tty);
	return 0;
}

static void serial_wait_until_sent(struct tty_struct *tty, long timeout)
{
	struct uart_port *up = uart_of(tty);
	unsigned long end = jiffies + min(timeout, (long)HZ);

	while (!(reg_in(up, UART_LSR) & UART_LSR_TEMT) && time_before(jiffies, end)) {
		schedule_timeout_interruptible(1);
		if (signal_pending(current))
			return;
	}
}

/* Last close: what is in the ring is still sent, for at most two seconds. */
static void serial_close(struct tty_struct *tty, struct file *file)
{
	struct uart_port *up = uart_of(tty);

	if (tty->count > 1 || !up || !up->tty)
		return;
	if (!tty_hung_up_p(file))
		tty_wait_until_sent(tty, 2 * HZ);
	spin_lock_irq(&up->lock);
	set_ier(up, 0);
	up->tty = NULL;
	up->head = up->tail = 0;
	spin_unlock_irq(&up->lock);
	if (up->irq_on)
		free_irq(up->irq, up);
	up->irq_on = false;
	del_timer_sync(&up->timer);
}

static int serial_write(struct tty_struct *tty, const u8 *buf, int count)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;
	int n;

	spin_lock_irqsave(&up->lock, flags);
	n = min_t(int, count, XMIT_SIZE - xmit_used(up));
	for (int i = 0; i < n; i++)
		up->xmit[up->head++ % XMIT_SIZE] = buf[i];
	if (xmit_used(up) && !up->stopped) {
		if (up->ier & UART_IER_THRI)
			;		/* under way: the next interrupt takes it along */
		else if (reg_in(up, UART_LSR) & UART_LSR_THRE) {
			set_ier(up, up->ier | UART_IER_THRI);
			send_chars(up);
		} else {
			set_ier(up, up->ier | UART_IER_THRI);
		}
	}
	spin_unlock_irqrestore(&up->lock, flags);
	return n;
}

static unsigned int serial_write_room(struct tty_struct *tty) { return XMIT_SIZE - xmit_used(uart_of(tty)); }
static unsigned int serial_chars_in_buffer(struct tty_struct *tty) { return xmit_used(uart_of(tty)); }

static void serial_flush_buffer(struct tty_struct *tty)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;

	spin_lock_irqsave(&up->lock, flags);
	up->tail = up->head;
	spin_unlock_irqrestore(&up->lock, flags);
	tty_wakeup(tty);
}

static void serial_stop(struct tty_struct *tty)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;

	spin_lock_irqsave(&up->lock, flags);
	up->stopped = true;
	set_ier(up, up->ier & ~UART_IER_THRI);
	spin_unlock_irqrestore(&up->lock, flags);
}

static void serial_start(struct tty_struct *tty)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;

	spin_lock_irqsave(&up->lock, flags);
	up->stopped = false;
	if (xmit_used(up))
		set_ier(up, up->ier | UART_IER_THRI);
	spin_unlock_irqrestore(&up->lock, flags);
}

static void serial_send_xchar(struct tty_struct *tty, u8 ch)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;

	spin_lock_irqsave(&up->lock, flags);
	up->x_char = ch;
	set_ier(up, up->ier | UART_IER_THRI);
	spin_unlock_irqrestore(&up->lock, flags);
}

static void serial_set_termios(struct tty_struct *tty, const struct ktermios *old)
{
	set_line(uart_of(tty), &tty->termios);
}

static void serial_hangup(struct tty_struct *tty)
{
	serial_flush_buffer(tty);
}

static int serial_break_ctl(struct tty_struct *tty, int state)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;

	spin_lock_irqsave(&up->lock, flags);
	up->lcr = state ? up->lcr | UART_LCR_SBC : up->lcr & ~UART_LCR_SBC;
	reg_out(up, UART_LCR, up->lcr);
	spin_unlock_irqrestore(&up->lock, flags);
	return 0;
}

static int serial_tiocmget(struct tty_struct *tty)
{
	struct uart_port *up = uart_of(tty);
	u8 msr = reg_in(up, UART_MSR), mcr = READ_ONCE(up->mcr);

	return (mcr & UART_MCR_DTR ? TIOCM_DTR : 0) | (mcr & UART_MCR_RTS ? TIOCM_RTS : 0) |
	       (mcr & UART_MCR_LOOP ? TIOCM_LOOP : 0) | (msr & UART_MSR_CTS ? TIOCM_CTS : 0) |
	       (msr & UART_MSR_DCD ? TIOCM_CD : 0) | (msr & UART_MSR_RI ? TIOCM_RNG : 0) | (msr & UART_MSR_DSR ? TIOCM_DSR : 0);
}

static u8 mcr_bits(unsigned int tiocm)
{
	return (tiocm & TIOCM_DTR ? UART_MCR_DTR : 0) | (tiocm & TIOCM_RTS ? UART_MCR_RTS : 0) |
	       (tiocm & TIOCM_LOOP ? UART_MCR_LOOP : 0);
}

static int serial_tiocmset(struct tty_struct *tty, unsigned int set, unsigned int clear)
{
	struct uart_port *up = uart_of(tty);
	unsigned long flags;

	spin_lock_irqsave(&up->lock, flags);
	up->mcr = (up->mcr & ~mcr_bits(clear)) | mcr_bits(set);
	reg_out(up, UART_MCR, up->mcr);
	spin_unlock_irqrestore(&up->lock, flags);
	return 0;
}

static const struct tty_operations serial_ops = {
	.install = serial_install, .open = serial_open, .close = serial_close, .write = serial_write,
	.write_room = serial_write_room, .chars_in_buffer = serial_chars_in_buffer, .flush_buffer = serial_flush_buffer,
	.stop = serial_stop, .start = serial_start, .send_xchar = serial_send_xchar, .set_termios = serial_set_termios,
	.hangup = serial_hangup, .break_ctl = serial_break_ctl, .tiocmget = serial_tiocmget, .tiocmset = serial_tiocmset,
	.wait_until_sent = serial_wait_until_sent,
};

static struct tty_driver serial_driver = {
	.driver_name = "serial", .name = "ttyS", .major = TTY_MAJOR, .minor_start = 64, .num = NR_PORTS,
	.type = TTY_DRIVER_TYPE_SERIAL, .flags = TTY_DRIVER_REAL_RAW, .ops = &serial_ops,
};

/* ---- console ---- */

static void put_polled(struct uart_port *up, u8 c)
{
	for (int spin = 0; spin < 100000 && !(reg_in(up, UART_LSR) & UART_LSR_THRE); spin++)
		cpu_relax();
	reg_out(up, UART_TX, c);
}

/* Any context; when the machine is dying the lock may be held by the dead, so then it is only tried for. */
static void serial_console_write(struct console *con, const char *s, unsigned int count)
	__no_context_analysis	/* a dying machine prints without the lock */
{
	struct uart_port *up = &uarts[con->index];
	bool locked = true;
	unsigned long flags;
	u8 ier;

	local_irq_save(flags);
	if (oops_in_progress)
		locked = spin_trylock(&up->lock);
	else
		spin_lock(&up->lock);
	ier = up->ier;
	set_ier(up, ier & ~UART_IER_THRI);
	/* Nothing else will send what programs wrote once the machine goes down. */
	while (system_state > SYSTEM_RUNNING && locked && xmit_used(up))
		put_polled(up, up->xmit[up->tail++ % XMIT_SIZE]);
	while (count--) {
		if (*s == '\n')
			put_polled(up, '\r');
		put_polled(up, *s++);
	}
	set_ier(up, ier);
	if (locked)
		spin_unlock(&up->lock);
	local_irq_restore(flags);
}

static struct tty_driver *serial_console_device(struct console *con, int *index)
{
	*index = con->index;
	return &serial_driver;
}

/* options: "115200n8". */
static int serial_console_setup(struct console *con, char *options)
{
	struct ktermios t = tty_std_termios;
	unsigned int baud = 115200;

	if (con->index < 0)
		con->index = 0;
	if (con->index >= NR_PORTS || !uarts[con->index].present)
		return -ENODEV;
	if (options && *options >= '0' && *options <= '9') {
		baud = 0;
		while (*options >= '0' && *options <= '9' && baud < 100000000)
			baud = baud * 10 + *options++ - '0';
	}
	t.c_cflag = (t.c_cflag & ~CBAUD) | BOTHER | CLOCAL;
	t.c_ospeed = t.c_ispeed = baud;
	uarts[con->index].mcr |= UART_MCR_DTR | UART_MCR_RTS;
	set_line(&uarts[con->index], &t);
	return 0;
}

static struct console serial_console = {
	.name = "ttyS", .write = serial_console_write, .device = serial_console_device, .setup = serial_console_setup,
	.flags = CON_PRINTBUFFER, .index = -1,
};

/* ---- finding the ports ---- */

/* IER keeps only its low four bits and the scratch register what is written: nobody else behaves like that. */
static bool probe(struct uart_port *up)
{
	u8 zero, ones;

	reg_out(up, UART_IER, 0);
	zero = reg_in(up, UART_IER) & 0x0f;
	reg_out(up, UART_IER, 0x0f);
	ones = reg_in(up, UART_IER);
	reg_out(up, UART_IER, 0);
	if (zero || (ones & 0x0f) != 0x0f || ones == 0xff)
		return false;
	reg_out(up, UART_SCR, 0x5a);
	return reg_in(up, UART_SCR) == 0x5a;
}

/* Early: before interrupts are routed, before there are terminals. */
void __init serial8250_console_init(void)
{
	for (int i = 0; i < NR_PORTS; i++) {
		struct uart_port *up = &uarts[i];

		spin_lock_init(&up->lock);
		tty_port_init(&up->port);
		timer_setup(&up->timer, serial8250_poll, 0);
		up->present = probe(up);
		if (up->present)
			reg_out(up, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	}
	for (int i = 0; i < NR_PORTS; i++) {
		if (uarts[i].present) {
			register_console(&serial_console);
			return;
		}
	}
}

static int __init serial8250_init(void)
{
	for (int i = 0; i < NR_PORTS; i++)
		if (uarts[i].present)
			printk(KERN_INFO "ttyS%d at I/O %#x (irq = %d) is a 16550A\n", i, uarts[i].base, uarts[i].irq);
	serial_driver.init_termios = tty_std_termios;
	serial_driver.init_termios.c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	serial_driver.init_termios.c_ispeed = serial_driver.init_termios.c_ospeed = 115200;
	return tty_register_driver(&serial_driver);
}
device_initcall(serial8250_init);
