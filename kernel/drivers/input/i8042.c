/*
 * i8042.c: the PC's keyboard controller, its first port.
 *
 * Idea:    the controller translates to scan code set 1; each byte interrupts line 1.  Setting the lights is a conversation
 *          (command, acknowledge, value, acknowledge), so it is work; acknowledgements are told from keys by their value.
 * Locking: i8042_lock (irq-safe): the ports.
 * See:     tty/vt/keyboard.c; IBM PS/2 technical reference, "keyboard and auxiliary device controller"
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/io.h>
#include <weft/interrupt.h>
#include <weft/spinlock.h>
#include <weft/workqueue.h>
#include <weft/random.h>
#include <weft/printk.h>
#include "../tty/vt/vt.h"

#define DATA_PORT	0x60
#define STATUS_PORT	0x64
#define   STATUS_FULL	0x01	/* a byte for us */
#define   STATUS_BUSY	0x02	/* our last byte has not been taken yet */
#define   STATUS_AUX	0x20	/* ... from the mouse */
#define CMD_READ_CONFIG	0x20
#define CMD_WRITE_CONFIG 0x60
#define CMD_SELF_TEST	0xaa
#define   SELF_TEST_OK	0x55
#define CMD_DISABLE_AUX	0xa7
#define CMD_DISABLE_KBD	0xad
#define CMD_ENABLE_KBD	0xae
#define CONFIG_KBD_IRQ	0x01
#define CONFIG_AUX_IRQ	0x02
#define CONFIG_KBD_OFF	0x10
#define CONFIG_TRANSLATE 0x40
#define KBD_SET_LEDS	0xed
#define KBD_ENABLE	0xf4
#define KBD_ACK		0xfa
#define KBD_RESEND	0xfe
#define KBD_IRQ		1
#define SPIN		100000

static DEFINE_SPINLOCK(i8042_lock);
static bool present;			/* [I] */
static unsigned int wanted_leds;	/* [-] one word */

static bool wait_status(u8 mask, u8 value)
{
	for (int i = 0; i < SPIN; i++)
		if ((inb(STATUS_PORT) & mask) == value)
			return true;
	return false;
}

static bool write_data(u8 byte)
{
	if (!wait_status(STATUS_BUSY, 0))
		return false;
	outb(byte, DATA_PORT);
	return true;
}

static bool command(u8 byte)
{
	if (!wait_status(STATUS_BUSY, 0))
		return false;
	outb(byte, STATUS_PORT);
	return true;
}

static int read_data(void)
{
	return wait_status(STATUS_FULL, STATUS_FULL) ? inb(DATA_PORT) : -1;
}

static void drain(void)
{
	for (int i = 0; i < 32 && (inb(STATUS_PORT) & STATUS_FULL); i++)
		inb(DATA_PORT);
}

static irqreturn_t i8042_interrupt(int irq, void *dev)
{
	irqreturn_t ret = IRQ_NONE;
	unsigned long flags;

	add_interrupt_randomness(irq);
	for (int i = 0; i < 16; i++) {
		u8 status, byte = 0;

		spin_lock_irqsave(&i8042_lock, flags);
		status = inb(STATUS_PORT);
		if (status & STATUS_FULL)
			byte = inb(DATA_PORT);
		spin_unlock_irqrestore(&i8042_lock, flags);
		if (!(status & STATUS_FULL))
			break;
		ret = IRQ_HANDLED;
		if (!(status & STATUS_AUX) && byte != KBD_ACK && byte != KBD_RESEND)
			keyboard_scancode(byte);
	}
	return ret;
}

static void leds_work_fn(struct work_struct *work)
{
	u8 bytes[2] = { KBD_SET_LEDS, READ_ONCE(wanted_leds) & 7 };

	for (int i = 0; i < 2; i++) {
		spin_lock_irq(&i8042_lock);
		write_data(bytes[i]);
		spin_unlock_irq(&i8042_lock);
		usleep_range(2000, 5000);	/* the acknowledgement comes as an interrupt and is dropped there */
	}
}
static DECLARE_WORK(leds_work, leds_work_fn);

void i8042_set_leds(unsigned int leds)
{
	WRITE_ONCE(wanted_leds, leds);
	if (present)
		schedule_work(&leds_work);
}

/* Quiet, tested, translating, interrupting.  False: there is no such controller. */
static bool __init set_up_controller(void)
{
	int config;

	if (inb(STATUS_PORT) == 0xff)
		return false;
	if (!command(CMD_DISABLE_KBD) || !command(CMD_DISABLE_AUX))
		return false;
	drain();
	if (!command(CMD_SELF_TEST) || read_data() != SELF_TEST_OK)
		return false;
	command(CMD_READ_CONFIG);
	config = read_data();
	if (config < 0)
		return false;
	config = (config | CONFIG_TRANSLATE | CONFIG_KBD_IRQ) & ~(CONFIG_AUX_IRQ | CONFIG_KBD_OFF);
	command(CMD_WRITE_CONFIG);
	write_data(config);
	command(CMD_ENABLE_KBD);
	write_data(KBD_ENABLE);
	read_data();		/* acknowledged, or no keyboard is plugged in: one may be later */
	return true;
}

static int __init i8042_init(void)
{
	int err;

	if (!set_up_controller())
		return 0;
	err = request_irq(KBD_IRQ, i8042_interrupt, 0, "i8042", &present);
	if (err)
		return err;
	present = true;
	printk(KERN_INFO "i8042: keyboard\n");
	drain();
	return 0;
}
late_initcall(i8042_init);
