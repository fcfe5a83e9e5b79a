/*
 * vsprintf.h: what vsprintf.c and vsprintf_pointer.c share; for nobody else.
 */
#ifndef LIB_VSPRINTF_H
#define LIB_VSPRINTF_H

#include <weft/types.h>
#include <weft/stdarg.h>

/* The text so far.  pos may be behind end: what does not fit is counted, not stored. */
struct out {
	char	*start;
	char	*pos;
	char	*end;
};

#define SPEC_LEFT	0x01
#define SPEC_PLUS	0x02
#define SPEC_SPACE	0x04
#define SPEC_ALT	0x08
#define SPEC_ZERO	0x10
#define SPEC_UPPER	0x20
#define SPEC_NEGATIVE	0x40

struct spec {
	unsigned int	flags;
	int		width;
	int		precision;	/* -1: none given */
	unsigned int	base;
	unsigned int	size;		/* bytes of the argument */
};

/* A va_list that can be passed on by reference: va_list itself is an array type. */
struct va_box {
	va_list ap;
};

void out_char(struct out *o, char c);
void out_bytes(struct out *o, const char *s, int n, const struct spec *spec);
void out_string(struct out *o, const char *s, const struct spec *spec);
void out_number(struct out *o, unsigned long long num, const struct spec *spec);
/* fmt is behind the 'p'; returns behind the extension's letters. */
const char *out_pointer(struct out *o, const char *fmt, const void *p, struct spec *spec);

#endif
