/*
 * kstrtox.c: numbers from text.
 *
 * What:    kstrto*(): the whole string must be a number, for what users write into files; simple_strto*(): the longest
 *          number at the start, for parsers; memparse(): sizes with a suffix; hexadecimal text of bytes.
 * Idea:    one scanner, parse_integer(), turns digits into 64 bits and notices overflow; all others are its callers.
 */
#include <weft/kernel.h>
#include <weft/ctype.h>
#include <weft/string.h>

const char hex_asc[] = "0123456789abcdef";

#define KSTRTOX_OVERFLOW	(1u << 31)

static int digit_value(char c)
{
	if (isdigit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* Skips a prefix and settles base 0: "0x" 16, "0" 8, otherwise 10. */
static const char *parse_prefix(const char *s, unsigned int *base)
{
	bool hex = s[0] == '0' && (s[1] | 0x20) == 'x' && isxdigit((unsigned char)s[2]);

	if (!*base)
		*base = hex ? 16 : s[0] == '0' ? 8 : 10;
	return *base == 16 && hex ? s + 2 : s;
}

/* Digits from s: their number, with KSTRTOX_OVERFLOW when the value did not fit. */
static unsigned int parse_integer(const char *s, unsigned int base, unsigned long long *res)
{
	unsigned long long value = 0;
	unsigned int n = 0, overflow = 0;

	for (; digit_value(s[n]) < (int)base; n++)
		if (__builtin_mul_overflow(value, (unsigned long long)base, &value) ||
		    __builtin_add_overflow(value, (unsigned long long)digit_value(s[n]), &value))
			overflow = KSTRTOX_OVERFLOW;
	*res = value;
	return n | overflow;
}

static int parse_whole(const char *s, unsigned int base, unsigned long long *res)
{
	unsigned long long value;
	unsigned int n;

	s = parse_prefix(s, &base);
	n = parse_integer(s, base, &value);
	if (n & KSTRTOX_OVERFLOW)
		return -ERANGE;
	if (!n)
		return -EINVAL;
	s += n;
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	*res = value;
	return 0;
}

int kstrtoull(const char *s, unsigned int base, unsigned long long *res)
{
	return parse_whole(*s == '+' ? s + 1 : s, base, res);
}

int kstrtoll(const char *s, unsigned int base, long long *res)
{
	unsigned long long value;
	bool negative = *s == '-';
	int err = negative ? parse_whole(s + 1, base, &value) : kstrtoull(s, base, &value);

	if (err)
		return err;
	if (value > (unsigned long long)LLONG_MAX + negative)
		return -ERANGE;
	*res = negative ? (long long)-value : (long long)value;
	return 0;
}

/* The narrower types: the same, and the value must come back unchanged. */
#define KSTRTO_NARROW(name, type, wide, wide_type)				\
int name(const char *s, unsigned int base, type *res)				\
{										\
	wide_type value;							\
	int err = wide(s, base, &value);					\
										\
	if (err)								\
		return err;							\
	if (value != (wide_type)(type)value)					\
		return -ERANGE;							\
	*res = (type)value;							\
	return 0;								\
}

KSTRTO_NARROW(kstrtoul, unsigned long, kstrtoull, unsigned long long)
KSTRTO_NARROW(kstrtol, long, kstrtoll, long long)
KSTRTO_NARROW(kstrtouint, unsigned int, kstrtoull, unsigned long long)
KSTRTO_NARROW(kstrtoint, int, kstrtoll, long long)
KSTRTO_NARROW(kstrtou8, u8, kstrtoull, unsigned long long)
KSTRTO_NARROW(kstrtou16, u16, kstrtoull, unsigned long long)
KSTRTO_NARROW(kstrtou64, u64, kstrtoull, unsigned long long)

/* y Y t T 1 on: true;  n N f F 0 off: false. */
int kstrtobool(const char *s, bool *res)
{
	char c = s ? *s | 0x20 : 0;
	char second = c == 'o' ? s[1] | 0x20 : 0;

	if (c == 'y' || c == 't' || (s && *s == '1') || second == 'n')
		*res = true;
	else if (c == 'n' || c == 'f' || (s && *s == '0') || second == 'f')
		*res = false;
	else
		return -EINVAL;
	return 0;
}

unsigned long long simple_strtoull(const char *s, char **endp, unsigned int base)
{
	unsigned long long value;

	s = parse_prefix(s, &base);
	s += parse_integer(s, base, &value) & ~KSTRTOX_OVERFLOW;
	if (endp)
		*endp = (char *)s;
	return value;
}

long long simple_strtoll(const char *s, char **endp, unsigned int base)
{
	return *s == '-' ? (long long)-simple_strtoull(s + 1, endp, base) : (long long)simple_strtoull(s, endp, base);
}

unsigned long simple_strtoul(const char *s, char **endp, unsigned int base)
{
	return simple_strtoull(s, endp, base);
}

long simple_strtol(const char *s, char **endp, unsigned int base)
{
	return simple_strtoll(s, endp, base);
}

unsigned long long memparse(const char *ptr, char **retptr)
{
	static const char suffixes[] = "kmgtpe";
	char *end;
	unsigned long long bytes = simple_strtoull(ptr, &end, 0);
	const char *suffix = *end ? strchr(suffixes, *end | 0x20) : NULL;

	if (suffix) {
		bytes <<= 10 * (suffix - suffixes + 1);
		end++;
	}
	if (retptr)
		*retptr = end;
	return bytes;
}

char *bin2hex(char *dst, const void *src, size_t count)
{
	for (const u8 *p = src; count; p++, count--) {
		*dst++ = hex_asc_hi(*p);
		*dst++ = hex_asc_lo(*p);
	}
	return dst;
}

int hex_to_bin(unsigned char ch)
{
	return isxdigit(ch) ? digit_value(ch) : -1;
}
