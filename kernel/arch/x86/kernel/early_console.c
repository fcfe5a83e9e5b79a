/*
 * early_console.c: the first serial port as a console from the first instruction on, until its driver takes over.
 *
 * What:    a boot console on port 0x3f8, if something answers there, and the command line names ttyS0 or nothing.
 * Locking: none: one byte at a time, any context; lines of two CPUs may mix, as in a panic.
 * See:     kernel/drivers/tty/serial has the driver
 */
#include <weft/console.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/serial_reg.h>
#include <weft/string.h>
#include <asm/io.h>
#include <asm/setup.h>

#define COM1		0x3f8
#define MAX_WAIT	100000

static void put_byte(char c)
{
	for (int i = 0; i < MAX_WAIT && !(inb(COM1 + UART_LSR) & UART_LSR_THRE); i++)
		;
	outb((u8)c, COM1);
}

static void early_serial_write(struct console *con, const char *s, unsigned int count)
{
	for (; count; count--, s++) {
		if (*s == '\n')
			put_byte('\r');
		put_byte(*s);
	}
}

static struct console early_serial_console = {
	.name = "early",
	.write = early_serial_write,
	.flags = CON_PRINTBUFFER | CON_BOOT | CON_ENABLED,
	.index = -1,
};

/* No port reads as all ones. */
static bool __init port_exists(void)
{
	outb(0x5a, COM1 + UART_SCR);
	return inb(COM1 + UART_SCR) == 0x5a;
}

void __init early_console_init(void)
{
	const char *wanted = strstr(boot_command_line, "console=");

	if (!port_exists() || (wanted && !strstr(boot_command_line, "console=ttyS0")))
		return;
	register_console(&early_serial_console);
}
