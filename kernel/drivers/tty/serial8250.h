/*
 * serial8250.h: the serial driver's early part, for console.c.
 */
#ifndef SERIAL8250_H
#define SERIAL8250_H

void serial8250_console_init(void);

#endif
