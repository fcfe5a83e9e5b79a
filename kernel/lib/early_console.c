/*
 * early_console.c: the serial port at 0x3f8 from the first instruction on.
 *
 * Idea:    the boot loader or QEMU leaves the port usable; setting speed and format again costs five port writes.  When
 *          the transmitter is empty, its FIFO takes 16 bytes without looking again: port accesses are what early output
 *          costs under emulation.  Where there is no such port, its registers read as 0xff and nothing is written.
 *          "earlyprintk=off" silences it.
 * Locking: the console lock, or nothing in a panic.
 * See:     console.c; PC16550D data sheet
 */
#include <weft/console.h>
#include <weft/init.h>
#include <weft/io.h>
#include <weft/serial_reg.h>
#include <weft/string.h>
#include "printk_internal.h"

#define PORT		0x3f8
#define FIFO_BYTES	16
#define MAX_POLLS	100000

/* False when there is no port, or it does not get rid of its bytes. */
static bool wait_for_room(void)
{
	for (int i = 0; i < MAX_POLLS; i++) {
		u8 lsr = inb(PORT + UART_LSR);

		if (lsr == 0xff)
			return false;
		if (lsr & UART_LSR_THRE)
			return true;
	}
	return false;
}

static void set_up_port(void)
{
	outb(UART_LCR_DLAB, PORT + UART_LCR);
	outb(1, PORT + UART_DLL);			/* 115200 */
	outb(0, PORT + UART_DLM);
	outb(UART_LCR_WLEN8, PORT + UART_LCR);
	outb(UART_FCR_ENABLE, PORT + UART_FCR);
}

static void early_serial_write(struct console *con, const char *s, unsigned int count)
{
	static bool ready;			/* [console lock] */
	unsigned int room = 0;
	bool carriage_return = false;

	if (!ready) {
		set_up_port();
		ready = true;
	}
	while (count) {
		if (!room) {
			if (!wait_for_room())
				return;
			room = FIFO_BYTES;
		}
		if (*s == '\n' && !carriage_return) {
			outb('\r', PORT + UART_TX);
			carriage_return = true;
		} else {
			outb((u8)*s++, PORT + UART_TX);
			carriage_return = false;
			count--;
		}
		room--;
	}
}

struct console early_serial_console = {
	.name = "earlyser",
	.write = early_serial_write,
	.flags = CON_PRINTBUFFER | CON_ENABLED | CON_BOOT,
};

static int __init earlyprintk_setup(char *value)
{
	if (!strcmp(value, "off"))
		early_serial_console.flags &= ~CON_ENABLED;
	return 0;
}
early_param("earlyprintk", earlyprintk_setup);
