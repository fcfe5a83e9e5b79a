/*
 * string.h: bytes and NUL-terminated strings.  As in C, and strscpy() for bounded copies that always terminate.
 */
#ifndef WEFT_STRING_H
#define WEFT_STRING_H

#include <weft/types.h>
#include <weft/stdarg.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
void *memchr_inv(const void *s, int c, size_t n);	/* the first byte that differs from c, or NULL */

/* For the compiler's knowledge of small constant sizes; above those it calls the functions. */
#ifndef CONFIG_DEBUG
#define memcpy(d, s, n)		__builtin_memcpy(d, s, n)
#define memset(d, c, n)		__builtin_memset(d, c, n)
#define memcmp(a, b, n)		__builtin_memcmp(a, b, n)
#endif

/* Words of whole size: no tail to care for. */
static inline void *memset64(u64 *p, u64 v, size_t count)
{
	for (size_t i = 0; i < count; i++)
		p[i] = v;
	return p;
}
static inline void *memset32(u32 *p, u32 v, size_t count)
{
	for (size_t i = 0; i < count; i++)
		p[i] = v;
	return p;
}
static inline void *memset16(u16 *p, u16 v, size_t count)
{
	for (size_t i = 0; i < count; i++)
		p[i] = v;
	return p;
}
static inline void *memset_l(unsigned long *p, unsigned long v, size_t count) { return memset64((u64 *)p, v, count); }
/* A memset that the compiler may not leave out: for secrets. */
static inline void memzero_explicit(void *s, size_t n)
{
	memset(s, 0, n);
	__asm__ __volatile__("" : : "r"(s) : "memory");
}

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strchrnul(const char *s, int c);
char *strnchr(const char *s, size_t n, int c);
char *strstr(const char *s, const char *what);
char *strnstr(const char *s, const char *what, size_t n);
char *strcpy(char *dst, const char *src);
char *strncpy(char *dst, const char *src, size_t n);
char *strpbrk(const char *s, const char *accept);
char *strsep(char **s, const char *sep);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
/* Copies and always terminates (size > 0).  The length copied, or -E2BIG when src did not fit. */
ssize_t strscpy(char *dst, const char *src, size_t size);
ssize_t strscpy_pad(char *dst, const char *src, size_t size);	/* and zeroes the rest */
size_t strlcpy(char *dst, const char *src, size_t size);	/* returns strlen(src) */
size_t strlcat(char *dst, const char *src, size_t size);
char *skip_spaces(const char *s);
char *strim(char *s);					/* cuts white space at both ends, in place */
#define strstrip(s)	strim(s)
int match_string(const char *const *array, size_t n, const char *string);	/* index or -EINVAL */
bool sysfs_streq(const char *a, const char *b);		/* equal but for one trailing newline */
static inline size_t str_has_prefix(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? n : 0;
}
static inline bool strstarts(const char *s, const char *prefix) { return str_has_prefix(s, prefix) || !*prefix; }
static inline const char *kbasename(const char *path)
{
	const char *tail = strrchr(path, '/');

	return tail ? tail + 1 : path;
}

/* On the heap (lib/util of mm): kfree() them; NULL when there is no memory. */
char *kstrdup(const char *s, gfp_t gfp);
char *kstrndup(const char *s, size_t max, gfp_t gfp);
void *kmemdup(const void *src, size_t len, gfp_t gfp);
char *kmemdup_nul(const char *s, size_t len, gfp_t gfp);
const char *kstrdup_const(const char *s, gfp_t gfp);
void kfree_const(const void *x);
/* From user space: ERR_PTR(-EFAULT, -ENOMEM, -EINVAL). */
void *memdup_user(const void __user *src, size_t len);
void *vmemdup_user(const void __user *src, size_t len);
void *memdup_user_nul(const void __user *src, size_t len);
char *strndup_user(const char __user *s, long n);

#endif
