/*
 * uapi/termios.h: the settings of a terminal line (Linux ABI, x86-64).  See termios(3), ioctl_tty(2).
 */
#ifndef UAPI_TERMIOS_H
#define UAPI_TERMIOS_H

#include <weft/types.h>
#include <weft/compiler.h>

typedef unsigned char	cc_t;
typedef unsigned int	speed_t;
typedef unsigned int	tcflag_t;

#define NCCS	19
#define NCC	8

struct termios {
	tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
	cc_t c_line;
	cc_t c_cc[NCCS];
};

struct termios2 {
	tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
	cc_t c_line;
	cc_t c_cc[NCCS];
	speed_t c_ispeed, c_ospeed;
};
#define ktermios termios2	/* what the kernel keeps is what TCGETS2 shows */

struct termio {
	unsigned short c_iflag, c_oflag, c_cflag, c_lflag;
	unsigned char c_line;
	unsigned char c_cc[NCC];
};

struct winsize {
	unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel;
};
_Static_assert(sizeof(struct termios) == 36 && sizeof(struct termios2) == 44 && sizeof(struct termio) == 18, "ABI");

/* c_cc */
#define VINTR		0
#define VQUIT		1
#define VERASE		2
#define VKILL		3
#define VEOF		4
#define VTIME		5
#define VMIN		6
#define VSWTC		7
#define VSTART		8
#define VSTOP		9
#define VSUSP		10
#define VEOL		11
#define VREPRINT	12
#define VDISCARD	13
#define VWERASE		14
#define VLNEXT		15
#define VEOL2		16

/* c_iflag */
#define IGNBRK		0x001
#define BRKINT		0x002
#define IGNPAR		0x004
#define PARMRK		0x008
#define INPCK		0x010
#define ISTRIP		0x020
#define INLCR		0x040
#define IGNCR		0x080
#define ICRNL		0x100
#define IUCLC		0x200
#define IXON		0x400
#define IXANY		0x800
#define IXOFF		0x1000
#define IMAXBEL		0x2000
#define IUTF8		0x4000

/* c_oflag */
#define OPOST		0x01
#define OLCUC		0x02
#define ONLCR		0x04
#define OCRNL		0x08
#define ONOCR		0x10
#define ONLRET		0x20
#define OFILL		0x40
#define OFDEL		0x80
#define TABDLY		0x1800
#define TAB0		0x0000
#define TAB3		0x1800
#define XTABS		0x1800

/* c_cflag */
#define CBAUD		0x100f
#define B0		0x0000
#define B50		0x0001
#define B75		0x0002
#define B110		0x0003
#define B134		0x0004
#define B150		0x0005
#define B200		0x0006
#define B300		0x0007
#define B600		0x0008
#define B1200		0x0009
#define B1800		0x000a
#define B2400		0x000b
#define B4800		0x000c
#define B9600		0x000d
#define B19200		0x000e
#define B38400		0x000f
#define CSIZE		0x0030
#define CS5		0x0000
#define CS6		0x0010
#define CS7		0x0020
#define CS8		0x0030
#define CSTOPB		0x0040
#define CREAD		0x0080
#define PARENB		0x0100
#define PARODD		0x0200
#define HUPCL		0x0400
#define CLOCAL		0x0800
#define CBAUDEX		0x1000
#define BOTHER		0x1000
#define B57600		0x1001
#define B115200		0x1002
#define B230400		0x1003
#define B460800		0x1004
#define CIBAUD		0x100f0000
#define CMSPAR		0x40000000
#define CRTSCTS		0x80000000
#define IBSHIFT		16

/* c_lflag */
#define ISIG		0x00001
#define ICANON		0x00002
#define XCASE		0x00004
#define ECHO		0x00008
#define ECHOE		0x00010
#define ECHOK		0x00020
#define ECHONL		0x00040
#define NOFLSH		0x00080
#define TOSTOP		0x00100
#define ECHOCTL		0x00200
#define ECHOPRT		0x00400
#define ECHOKE		0x00800
#define FLUSHO		0x01000
#define PENDIN		0x04000
#define IEXTEN		0x08000
#define EXTPROC		0x10000

/* tcflow, tcflush, tcsetattr */
#define TCOOFF		0
#define TCOON		1
#define TCIOFF		2
#define TCION		3
#define TCIFLUSH	0
#define TCOFLUSH	1
#define TCIOFLUSH	2
#define TCSANOW		0
#define TCSADRAIN	1
#define TCSAFLUSH	2

/* Modem lines, TIOCMGET */
#define TIOCM_LE	0x001
#define TIOCM_DTR	0x002
#define TIOCM_RTS	0x004
#define TIOCM_CTS	0x020
#define TIOCM_CAR	0x040
#define TIOCM_CD	TIOCM_CAR
#define TIOCM_RNG	0x080
#define TIOCM_DSR	0x100
#define TIOCM_OUT1	0x2000
#define TIOCM_OUT2	0x4000
#define TIOCM_LOOP	0x8000

#endif
