/*
 * string.c: strings that end with a NUL, and the searches in blocks of bytes.
 *
 * What:    all of <weft/string.h> but memcpy, memmove and memset, which the processor does better (arch/x86/lib).
 * Idea:    plain byte loops, as most kernel strings are short; strlen, memcmp and memchr_inv, which also meet long
 *          ones, go word by word.  A word-wise read never crosses the end of a block.
 * Context: any; nothing here takes a lock or allocates.
 * See:     string(3)
 */
#include <weft/string.h>
#include <weft/ctype.h>
#include <weft/errno.h>
#include <weft/kernel.h>
#include <weft/unaligned.h>

#undef memcmp

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (; n >= 8; p += 8, q += 8, n -= 8) {
		u64 x = get_unaligned((const u64 *)p), y = get_unaligned((const u64 *)q);

		if (x != y)
			return swab64(x) < swab64(y) ? -1 : 1;
	}
	for (; n; p++, q++, n--)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const unsigned char *p = s; n; p++, n--)
		if (*p == (unsigned char)c)
			return (void *)p;
	return NULL;
}

void *memchr_inv(const void *s, int c, size_t n)
{
	const unsigned char *p = s;
	u64 word = REPEAT_BYTE((unsigned long)(unsigned char)c);

	while (n >= 8 && get_unaligned((const u64 *)p) == word) {
		p += 8;
		n -= 8;
	}
	for (; n; p++, n--)
		if (*p != (unsigned char)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--) {
		a++;
		b++;
	}
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

int strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && tolower((unsigned char)*a) == tolower((unsigned char)*b); n--) {
		a++;
		b++;
	}
	return n ? tolower((unsigned char)*a) - tolower((unsigned char)*b) : 0;
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, SIZE_MAX);
}

char *strchrnul(const char *s, int c)
{
	while (*s && *s != (char)c)
		s++;
	return (char *)s;
}

char *strchr(const char *s, int c)
{
	s = strchrnul(s, c);
	return *s == (char)c ? (char *)s : NULL;
}

char *strnchr(const char *s, size_t n, int c)
{
	for (; n; s++, n--) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			break;
	}
	return NULL;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++);
	return (char *)last;
}

char *strnstr(const char *s, const char *what, size_t n)
{
	size_t len = strlen(what);

	for (n = strnlen(s, n); n >= len; s++, n--)
		if (!memcmp(s, what, len))
			return (char *)s;
	return NULL;
}

char *strstr(const char *s, const char *what)
{
	return strnstr(s, what, SIZE_MAX);
}

char *strcpy(char *dst, const char *src)
{
	char *p = dst;

	while ((*p++ = *src++))
		;
	return dst;
}

/* The C function: fills up with NULs, and does not terminate when src is too long. */
char *strncpy(char *dst, const char *src, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		dst[i] = *src;
		if (*src)
			src++;
	}
	return dst;
}

ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t n = 0;

	if (!size)
		return -E2BIG;
	while (n < size - 1 && src[n]) {
		dst[n] = src[n];
		n++;
	}
	dst[n] = '\0';
	return src[n] ? -E2BIG : (ssize_t)n;
}

ssize_t strscpy_pad(char *dst, const char *src, size_t size)
{
	ssize_t n = strscpy(dst, src, size);

	if (n >= 0)
		memset(dst + n, 0, size - n);
	return n;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	strscpy(dst, src, size);
	return strlen(src);
}

size_t strlcat(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(dst, size);

	return n + strlcpy(dst + n, src, size - n);
}

size_t strspn(const char *s, const char *accept)
{
	size_t n = 0;

	while (s[n] && strchr(accept, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;

	while (s[n] && !strchr(reject, s[n]))
		n++;
	return n;
}

char *strpbrk(const char *s, const char *accept)
{
	s += strcspn(s, accept);
	return *s ? (char *)s : NULL;
}

/* Cuts the next word off *s: ends it with a NUL and moves *s behind; NULL when *s is NULL. */
char *strsep(char **s, const char *sep)
{
	char *word = *s, *end;

	if (!word)
		return NULL;
	end = strpbrk(word, sep);
	if (end)
		*end++ = '\0';
	*s = end;
	return word;
}

char *skip_spaces(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return (char *)s;
}

char *strim(char *s)
{
	size_t n;

	s = skip_spaces(s);
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

int match_string(const char *const *array, size_t n, const char *string)
{
	for (size_t i = 0; i < n && array[i]; i++)
		if (!strcmp(array[i], string))
			return (int)i;
	return -EINVAL;
}

bool sysfs_streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return true;
	return (*a == '\n' && !a[1] && !*b) || (*b == '\n' && !b[1] && !*a);
}
