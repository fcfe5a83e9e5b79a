/*
 * sscanf.c: values out of text, by a format.
 *
 * What:    %d %i %u %x %o with hh h l ll z, %s, %c, %[set], %n, %%, widths and '*' (read, do not store).
 * Idea:    as scanf(3): white space in the format matches any amount of it; the first mismatch ends the scan; the value is
 *          the number of conversions stored.
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/ctype.h>
#include <weft/string.h>

struct scan {
	int	width;		/* at most so many characters; 0: no limit */
	int	size;		/* of an integer, bytes */
	bool	skip;		/* '*' */
};

static const char *parse_scan(const char *fmt, struct scan *sc)
{
	*sc = (struct scan){ .size = 4 };
	if (*fmt == '*') {
		sc->skip = true;
		fmt++;
	}
	for (; isdigit((unsigned char)*fmt); fmt++)
		sc->width = sc->width * 10 + *fmt - '0';
	if (*fmt == 'h') {
		sc->size = fmt[1] == 'h' ? 1 : 2;
		fmt += fmt[1] == 'h' ? 2 : 1;
	} else if (*fmt == 'l' || *fmt == 'L' || *fmt == 'z' || *fmt == 'q') {
		sc->size = 8;
		fmt += *fmt == 'l' && fmt[1] == 'l' ? 2 : 1;
	}
	return fmt;
}

static void store_integer(void *p, int size, unsigned long long value)
{
	if (size == 1)
		*(u8 *)p = (u8)value;
	else if (size == 2)
		*(u16 *)p = (u16)value;
	else if (size == 4)
		*(u32 *)p = (u32)value;
	else
		*(u64 *)p = value;
}

/* A number of at most width characters.  Behind it, or NULL when there is none. */
static const char *scan_integer(const char *s, char conversion, int width, unsigned long long *value)
{
	unsigned int base = conversion == 'x' || conversion == 'X' ? 16 : conversion == 'o' ? 8 :
			    conversion == 'i' ? 0 : 10;
	char digits[72], *end;
	const char *number = digits;

	strscpy(digits, s, width > 0 && width < (int)sizeof(digits) ? (size_t)width + 1 : sizeof(digits));
	if (*number == '-' || *number == '+')
		number++;
	*value = simple_strtoull(number, &end, base);
	if (end == number)
		return NULL;
	if (*digits == '-')
		*value = -*value;
	return s + (end - digits);
}

/* "[a-z]" or "[^...]"; fmt is behind the '['.  Behind the ']', or NULL. */
static const char *parse_set(const char *fmt, unsigned long *set)
{
	bool invert = *fmt == '^';
	const char *start = fmt += invert;

	bitmap_zero(set, 256);
	for (; *fmt && (*fmt != ']' || fmt == start); fmt++) {
		unsigned char from = *fmt, to = from;

		if (fmt[1] == '-' && fmt[2] && fmt[2] != ']')
			to = *(fmt += 2);
		for (unsigned int c = from; c <= to; c++)
			__set_bit(c, set);
	}
	if (*fmt != ']')
		return NULL;
	if (invert)
		bitmap_complement(set, set, 256);
	__clear_bit(0, set);
	return fmt + 1;
}

/* Characters of the set from s on, to dst (NULL: nowhere), terminated.  NULL when there is not one. */
static const char *scan_chars(const char *s, const unsigned long *set, int width, char *dst)
{
	int n = 0;

	while (test_bit((unsigned char)s[n], set) && (!width || n < width)) {
		if (dst)
			dst[n] = s[n];
		n++;
	}
	if (dst && n)
		dst[n] = '\0';
	return n ? s + n : NULL;
}

static void not_space(unsigned long *set)
{
	bitmap_zero(set, 256);
	for (int c = 1; c < 256; c++)
		if (!isspace(c))
			__set_bit(c, set);
}

int vsscanf(const char *buf, const char *fmt, va_list args)
{
	DECLARE_BITMAP(set, 256);
	const char *s = buf;
	struct scan sc;
	int stored = 0;

	while (*fmt) {
		unsigned long long value;
		char c;

		if (isspace((unsigned char)*fmt)) {
			fmt = skip_spaces(fmt);
			s = skip_spaces(s);
			continue;
		}
		if (*fmt != '%' || fmt[1] == '%') {
			fmt += *fmt == '%';
			if (*s++ != *fmt++)
				break;
			continue;
		}
		fmt = parse_scan(fmt + 1, &sc);
		c = *fmt++;
		if (c == 'n') {
			*va_arg(args, int *) = (int)(s - buf);
			continue;
		}
		if (c != 'c' && c != '[')
			s = skip_spaces(s);
		if (!*s)
			break;
		if (c == 's' || c == '[') {
			if (c == 's')
				not_space(set);
			else
				fmt = parse_set(fmt, set);
			if (fmt)
				s = scan_chars(s, set, sc.width, sc.skip ? NULL : va_arg(args, char *));
			if (!fmt || !s)
				break;
		} else if (c == 'c') {
			char *dst = sc.skip ? NULL : va_arg(args, char *);

			for (int n = sc.width ? sc.width : 1; n && *s; n--, s++)
				if (dst)
					*dst++ = *s;
		} else if (c && strchr("diuxXo", c)) {
			s = scan_integer(s, c, sc.width, &value);
			if (!s)
				break;
			if (!sc.skip)
				store_integer(va_arg(args, void *), sc.size, value);
		} else {
			break;
		}
		stored += !sc.skip;
	}
	return stored;
}

int sscanf(const char *buf, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsscanf(buf, fmt, args);
	va_end(args);
	return n;
}
