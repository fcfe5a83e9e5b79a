/*
 * vsprintf.c: formatted text.
 *
 * What:    snprintf and its family.  Conversions of C without floating point; %p and its extensions are in
 *          vsprintf_pointer.c; scanning is in sscanf.c.
 * Idea:    the output is a struct out: a buffer with a limit, and a position that goes on counting behind the limit, so
 *          the length that the text would have comes for free.  A conversion's flags, width and precision are a
 *          struct spec, which every kind of value is printed with.
 * Context: any, including NMI: no locks, no memory.
 * See:     printf(3)
 */
#include <weft/kernel.h>
#include <weft/ctype.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <asm/page.h>
#include "vsprintf.h"

void out_char(struct out *o, char c)
{
	if (o->pos < o->end)
		*o->pos = c;
	o->pos++;
}

static void out_fill(struct out *o, char c, int n)
{
	while (n-- > 0)
		out_char(o, c);
}

void out_bytes(struct out *o, const char *s, int n, const struct spec *spec)
{
	if (!(spec->flags & SPEC_LEFT))
		out_fill(o, ' ', spec->width - n);
	for (int i = 0; i < n; i++)
		out_char(o, s[i]);
	if (spec->flags & SPEC_LEFT)
		out_fill(o, ' ', spec->width - n);
}

void out_string(struct out *o, const char *s, const struct spec *spec)
{
	if ((unsigned long)s < PAGE_SIZE)
		s = s ? "(efault)" : "(null)";
	out_bytes(o, s, (int)strnlen(s, spec->precision < 0 ? INT_MAX : (size_t)spec->precision), spec);
}

/* Digits of num into the end of buf[24]; returns where they start. */
static char *digits(char *end, unsigned long long num, unsigned int base, bool upper)
{
	const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do {
		*--end = alphabet[num % base];
		num /= base;
	} while (num);
	return end;
}

void out_number(struct out *o, unsigned long long num, const struct spec *spec)
{
	char buf[24], *end = buf + sizeof(buf), *start;
	const char *prefix = "";
	int n, zeroes, pad;

	if (spec->flags & SPEC_NEGATIVE)
		prefix = "-";
	else if (spec->flags & SPEC_PLUS)
		prefix = "+";
	else if (spec->flags & SPEC_SPACE)
		prefix = " ";
	else if ((spec->flags & SPEC_ALT) && spec->base == 16 && num)
		prefix = spec->flags & SPEC_UPPER ? "0X" : "0x";

	start = !num && !spec->precision ? end : digits(end, num, spec->base, spec->flags & SPEC_UPPER);
	if ((spec->flags & SPEC_ALT) && spec->base == 8 && (start == end || *start != '0'))
		*--start = '0';
	n = (int)(end - start);
	zeroes = spec->precision - n;
	if (spec->precision < 0 && (spec->flags & (SPEC_ZERO | SPEC_LEFT)) == SPEC_ZERO)
		zeroes = spec->width - n - (int)strlen(prefix);
	if (zeroes < 0)
		zeroes = 0;
	pad = spec->width - n - zeroes - (int)strlen(prefix);

	if (!(spec->flags & SPEC_LEFT))
		out_fill(o, ' ', pad);
	while (*prefix)
		out_char(o, *prefix++);
	out_fill(o, '0', zeroes);
	while (start < end)
		out_char(o, *start++);
	if (spec->flags & SPEC_LEFT)
		out_fill(o, ' ', pad);
}

/* An int from the format, or '*' from the arguments. */
static const char *parse_int(const char *fmt, int *value, struct va_box *args)
{
	if (*fmt == '*') {
		*value = va_arg(args->ap, int);
		return fmt + 1;
	}
	for (*value = 0; isdigit((unsigned char)*fmt); fmt++)
		if (*value < 1 << 24)
			*value = *value * 10 + *fmt - '0';
	return fmt;
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
	for (;; fmt++) {
		if (*fmt == '-')
			spec->flags |= SPEC_LEFT;
		else if (*fmt == '+')
			spec->flags |= SPEC_PLUS;
		else if (*fmt == ' ')
			spec->flags |= SPEC_SPACE;
		else if (*fmt == '#')
			spec->flags |= SPEC_ALT;
		else if (*fmt == '0')
			spec->flags |= SPEC_ZERO;
		else
			return fmt;
	}
}

/* hh, h, l, ll, L, q, j, z, t: spec->size becomes the argument's size in bytes. */
static const char *parse_size(const char *fmt, struct spec *spec)
{
	char c = *fmt;

	spec->size = sizeof(int);
	if (c == 'h') {
		spec->size = fmt[1] == 'h' ? 1 : 2;
		return fmt + (fmt[1] == 'h' ? 2 : 1);
	}
	if (c == 'l' || c == 'L' || c == 'q' || c == 'j' || c == 'z' || c == 'Z' || c == 't') {
		spec->size = 8;
		return fmt + (c == 'l' && fmt[1] == 'l' ? 2 : 1);
	}
	return fmt;
}

/* Everything between '%' and the conversion letter. */
static const char *parse_spec(const char *fmt, struct spec *spec, struct va_box *args)
{
	*spec = (struct spec){ .precision = -1, .base = 10 };
	fmt = parse_flags(fmt, spec);
	fmt = parse_int(fmt, &spec->width, args);
	if (spec->width < 0) {
		spec->flags |= SPEC_LEFT;
		spec->width = -spec->width;
	}
	if (*fmt == '.')
		fmt = parse_int(fmt + 1, &spec->precision, args);
	return parse_size(fmt, spec);
}

static unsigned long long unsigned_arg(const struct spec *spec, struct va_box *args)
{
	if (spec->size == 8)
		return va_arg(args->ap, unsigned long long);
	if (spec->size == 1)
		return (unsigned char)va_arg(args->ap, unsigned int);
	if (spec->size == 2)
		return (unsigned short)va_arg(args->ap, unsigned int);
	return va_arg(args->ap, unsigned int);
}

static long long signed_arg(const struct spec *spec, struct va_box *args)
{
	if (spec->size == 8)
		return va_arg(args->ap, long long);
	if (spec->size == 1)
		return (signed char)va_arg(args->ap, int);
	if (spec->size == 2)
		return (short)va_arg(args->ap, int);
	return va_arg(args->ap, int);
}

static void out_signed(struct out *o, long long value, struct spec *spec)
{
	if (value < 0)
		spec->flags |= SPEC_NEGATIVE;
	out_number(o, value < 0 ? -(unsigned long long)value : (unsigned long long)value, spec);
}

static void out_unsigned(struct out *o, char conversion, struct spec *spec, struct va_box *args)
{
	spec->base = conversion == 'o' ? 8 : (conversion | 0x20) == 'x' ? 16 : 10;
	spec->flags &= ~(SPEC_PLUS | SPEC_SPACE);
	if (conversion == 'X')
		spec->flags |= SPEC_UPPER;
	out_number(o, unsigned_arg(spec, args), spec);
}

/* One conversion, fmt at its letter.  Returns behind it. */
static const char *convert(struct out *o, const char *fmt, struct spec *spec, struct va_box *args)
{
	char c = *fmt;

	switch (c) {
	case '%':
		out_char(o, '%');
		return fmt + 1;
	case 'c':
		c = (char)va_arg(args->ap, int);
		out_bytes(o, &c, 1, spec);
		return fmt + 1;
	case 's':
		out_string(o, va_arg(args->ap, const char *), spec);
		return fmt + 1;
	case 'd':
	case 'i':
		out_signed(o, signed_arg(spec, args), spec);
		return fmt + 1;
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		out_unsigned(o, c, spec, args);
		return fmt + 1;
	case 'p':
		return out_pointer(o, fmt + 1, va_arg(args->ap, const void *), spec);
	default:			/* not one that we know: show it as it stands */
		out_char(o, '%');
		if (!c)
			return fmt;
		out_char(o, c);
		return fmt + 1;
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { .start = buf, .pos = buf, .end = buf + size };
	struct va_box box;
	struct spec spec;

	if (size > INT_MAX)
		return 0;
	va_copy(box.ap, args);
	while (*fmt) {
		if (*fmt != '%') {
			out_char(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec, &box);
		fmt = convert(&o, fmt, &spec, &box);
	}
	va_end(box.ap);
	if (size)
		*(o.pos < o.end ? o.pos : o.end - 1) = '\0';
	return (int)(o.pos - o.start);
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	int n;

	if (!size)
		return 0;
	n = vsnprintf(buf, size, fmt, args);
	return n < (int)size ? n : (int)size - 1;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

int vsprintf(char *buf, const char *fmt, va_list args)
{
	return vsnprintf(buf, INT_MAX, fmt, args);
}

int sprintf(char *buf, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsprintf(buf, fmt, args);
	va_end(args);
	return n;
}

char *kvasprintf(gfp_t gfp, const char *fmt, va_list args)
{
	va_list again;
	int n;
	char *text;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	text = kmalloc((size_t)n + 1, gfp);
	if (text)
		vsnprintf(text, (size_t)n + 1, fmt, args);
	return text;
}

char *kasprintf(gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = kvasprintf(gfp, fmt, args);
	va_end(args);
	return text;
}
