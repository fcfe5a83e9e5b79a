/*
 * printk_internal.h: what printk.c, console.c and panic.c say to each other.
 */
#ifndef LIB_PRINTK_INTERNAL_H
#define LIB_PRINTK_INTERNAL_H

#include <weft/types.h>
#include <weft/compiler.h>

struct console;

/* console.c: text as it is, to every console, without waiting for the lock.  For the last words. */
void console_write_direct(const char *text, unsigned int len);
/* console.c: whoever holds the console lock will not give it back: the panicking CPU goes on without. */
void console_break_lock(void);
/* printk.c: all other CPUs have stopped; if one of them holds the log's lock, it is ours now. */
void printk_break_lock(void);
/* early_console.c: the serial port at 0x3f8, polled; registered from the start. */
extern struct console early_serial_console;

#endif
