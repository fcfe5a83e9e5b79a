/*
 * uapi/tty.h: numbers of line disciplines (Linux ABI).
 */
#ifndef UAPI_TTY_H
#define UAPI_TTY_H

#define NR_LDISCS	31
#define N_TTY		0

#endif
