/*
 * vt.c: virtual consoles: tty1 .. tty6 on one screen, tty0 for the one in front, and the kernel's console on them.
 *
 * What:    the tty driver, switching, the console for printk.
 * Locking: see vt.h.  A switch asked for while the front console is in VT_PROCESS mode waits for its program's VT_RELDISP.
 * See:     spec.md §10; vt(4), console_ioctl(2); doc/terminals.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/console.h>
#include <weft/printk.h>
#include <weft/device.h>
#include <weft/signal.h>
#include <weft/fb.h>
#include "../internal.h"
#include "vt.h"

struct vt vts[NR_VTS];
DEFINE_SPINLOCK(vt_lock);
int vt_rows, vt_cols;
int fg_console;
static int requested = -1;		/* [vt_lock] for the work to do */
static int wanted = -1;			/* [vt_lock] switch under way: its program has been asked */
static bool have_screen;		/* [I] */
DECLARE_WAIT_QUEUE_HEAD(vt_activate_wait);

int vt_allocate(int index)
{
	struct vt *vt = &vts[index];
	unsigned long flags;
	cell_t *cells;

	if (!have_screen)
		return -ENODEV;
	if (READ_ONCE(vt->cells))
		return 0;
	cells = kvcalloc(vt_rows * vt_cols, sizeof(cell_t), GFP_KERNEL);
	if (!cells)
		return -ENOMEM;
	spin_lock_irqsave(&vt_lock, flags);
	if (!vt->cells) {
		vt->cells = cells;
		cells = NULL;
		vt->kbmode = K_UNICODE;
		vt_reset(vt);
	}
	spin_unlock_irqrestore(&vt_lock, flags);
	kvfree(cells);
	return 0;
}

bool vt_is_open(int index)
{
	return READ_ONCE(vts[index].port.tty) != NULL;
}

/* ---- switching ---- */

/* Puts the console in front; tells its program when that draws for itself. */
static void complete_and_tell(int index)
{
	struct pid *pid = NULL;
	int sig = 0;

	spin_lock_irq(&vt_lock);
	fg_console = index;
	wanted = -1;
	fbcon_invalidate();
	if (vts[index].mode.mode == VT_PROCESS) {
		pid = get_pid(vts[index].pid);
		sig = vts[index].mode.acqsig;
	}
	spin_unlock_irq(&vt_lock);
	if (pid)
		kill_pid(pid, sig, 1);
	put_pid(pid);
	wake_up_interruptible_all(&vt_activate_wait);
	fbcon_changed();
}

/* Signals cannot be sent under vt_lock, so a switch is work. */
static void switch_work_fn(struct work_struct *work)
{
	struct pid *pid = NULL;
	int index, sig = 0;

	spin_lock_irq(&vt_lock);
	index = requested;
	requested = -1;
	if (index == fg_console)
		index = -1;
	if (index >= 0 && vts[fg_console].mode.mode == VT_PROCESS) {
		pid = get_pid(vts[fg_console].pid);
		sig = vts[fg_console].mode.relsig;
		wanted = index;
	}
	spin_unlock_irq(&vt_lock);
	/* With a program that draws for itself the switch waits for its VT_RELDISP, unless it is gone. */
	if (index >= 0 && (!pid || kill_pid(pid, sig, 1)))
		complete_and_tell(index);
	put_pid(pid);
}
static DECLARE_WORK(switch_work, switch_work_fn);

int vt_switch(int index)
{
	unsigned long flags;
	int err = 0;

	if (index < 0 || index >= NR_VTS)
		return -ENXIO;
	spin_lock_irqsave(&vt_lock, flags);
	if (vts[index].cells)
		requested = index;
	else
		err = -ENXIO;
	spin_unlock_irqrestore(&vt_lock, flags);
	if (!err)
		schedule_work(&switch_work);
	return err;
}

/* The front console's program was asked to let go: it does, or it refuses. */
int vt_release(bool allowed)
{
	int index;

	spin_lock_irq(&vt_lock);
	index = wanted;
	wanted = -1;
	spin_unlock_irq(&vt_lock);
	if (index < 0)
		return -EINVAL;
	if (allowed)
		complete_and_tell(index);
	return 0;
}

/* ---- the terminals ---- */

static int vt_install(struct tty_driver *driver, struct tty_struct *tty)
{
	int err = vt_allocate(tty->index);

	if (err)
		return err;
	err = tty_init_termios(tty);
	if (err)
		return err;
	tty->driver_data = &vts[tty->index];
	tty->port = &vts[tty->index].port;
	tty->winsize = (struct winsize){ .ws_row = vt_rows, .ws_col = vt_cols };
	tty->count++;
	driver->ttys[tty->index] = tty;
	return 0;
}

static int vt_write(struct tty_struct *tty, const u8 *buf, int count)
{
	unsigned long flags;

	if (READ_ONCE(tty->stopped))
		return 0;
	spin_lock_irqsave(&vt_lock, flags);
	vt_emulate(tty->driver_data, buf, count);
	spin_unlock_irqrestore(&vt_lock, flags);
	fbcon_changed();
	return count;
}

static unsigned int vt_write_room(struct tty_struct *tty)
{
	return READ_ONCE(tty->stopped) ? 0 : 32768;
}

static void vt_hangup(struct tty_struct *tty)
{
	struct vt *vt = tty->driver_data;
	unsigned long flags;

	spin_lock_irqsave(&vt_lock, flags);
	vt->kdmode = KD_TEXT;
	vt->kbmode = K_UNICODE;
	vt->mode = (struct vt_mode){ .mode = VT_AUTO };
	vt_reset(vt);
	spin_unlock_irqrestore(&vt_lock, flags);
	fbcon_changed();
}

static const struct tty_operations vt_ops = {
	.install = vt_install, .write = vt_write, .write_room = vt_write_room, .ioctl = vt_ioctl, .hangup = vt_hangup,
};

static struct tty_driver vt_driver = {
	.driver_name = "unknown", .name = "tty", .name_base = 1, .major = TTY_MAJOR, .minor_start = 1, .num = NR_VTS,
	.type = TTY_DRIVER_TYPE_CONSOLE, .flags = TTY_DRIVER_REAL_RAW | TTY_DRIVER_RESET_TERMIOS, .ops = &vt_ops,
};

struct tty_driver *vt_console_driver(int *index)
{
	if (!have_screen)
		return NULL;
	*index = READ_ONCE(fg_console);
	return &vt_driver;
}

/* ---- the kernel's console ---- */

/* Interrupts off.  False: the machine is dying, and the dead hold it. */
static bool lock_for_console(void) __cond_acquires(true, &vt_lock) __no_context_analysis	/* by trylock or by lock */
{
	if (oops_in_progress)
		return spin_trylock(&vt_lock);
	spin_lock(&vt_lock);
	return true;
}

/* [vt_lock] Lines of the kernel end with a bare line feed. */
static void emulate_kernel_text(struct vt *vt, const u8 *s, unsigned int count) __must_hold(&vt_lock)
{
	bool newline = vt->newline_mode;

	vt->newline_mode = true;
	vt_emulate(vt, s, count);
	vt->newline_mode = newline;
}

/* console=tty0: on the one in front; console=ttyN: there. */
static void vt_console_write(struct console *con, const char *s, unsigned int count)
{
	unsigned long flags;
	struct vt *vt;

	local_irq_save(flags);
	if (lock_for_console()) {
		vt = &vts[con->index > 0 && con->index <= NR_VTS ? con->index - 1 : fg_console];
		if (vt->cells)
			emulate_kernel_text(vt, (const u8 *)s, count);
		spin_unlock(&vt_lock);
	}
	local_irq_restore(flags);
	fbcon_logged();
}

static struct tty_driver *vt_console_device(struct console *con, int *index)
{
	*index = con->index > 0 ? con->index - 1 : READ_ONCE(fg_console);
	return &vt_driver;
}

static int vt_console_setup(struct console *con, char *options)
{
	if (con->index < 0)
		con->index = 0;
	return con->index <= NR_VTS ? vt_allocate(con->index ? con->index - 1 : 0) : -ENODEV;
}

static struct console vt_console = {
	.name = "tty", .write = vt_console_write, .device = vt_console_device, .setup = vt_console_setup,
	.flags = CON_PRINTBUFFER, .index = -1,
};

/* ---- start ---- */

static int register_tty0(void)
{
	static struct cdev cdev;
	dev_t dev = MKDEV(TTY_MAJOR, 0);
	int err;

	cdev_init(&cdev, &tty_fops);
	err = register_chrdev_region(dev, 1, "tty0");
	if (!err)
		err = cdev_add(&cdev, dev, 1);
	return err ? err : PTR_ERR_OR_ZERO(device_create(&tty_class, dev, "tty0", S_IFCHR | 0620));
}

int vt_init_screen(struct fb_info *info)
{
	int err = fbcon_init(info);

	if (err)
		return err;
	for (int i = 0; i < NR_VTS; i++) {
		vts[i].index = i;
		tty_port_init(&vts[i].port);
	}
	have_screen = true;
	/* All at once: switching happens in interrupts, where nothing can be allocated any more. */
	for (int i = 0; i < NR_VTS && !err; i++)
		err = vt_allocate(i);
	if (err)
		return err;
	vt_driver.init_termios = tty_std_termios;
	vt_driver.init_termios.c_iflag |= IUTF8;
	err = tty_register_driver(&vt_driver);
	if (!err)
		err = register_tty0();
	if (!err)
		register_console(&vt_console);
	return err;
}
