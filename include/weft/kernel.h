/*
 * kernel.h: small things that everybody needs: sizes, rounding, container_of, printing into buffers, numbers from text,
 * might_sleep().
 */
#ifndef WEFT_KERNEL_H
#define WEFT_KERNEL_H

#include <weft/stdarg.h>
#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/bits.h>
#include <weft/minmax.h>
#include <weft/errno.h>
#include <weft/err.h>
#include <weft/bug.h>
#include <weft/container_of.h>
#include <weft/math.h>
#include <weft/log2.h>
#include <weft/limits.h>
#include <weft/main.h>
#include <weft/printk.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]) + BUILD_BUG_ON_ZERO(__same_type((a), &(a)[0])))
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)
#define upper_32_bits(n)	((u32)((u64)(n) >> 32))
#define lower_32_bits(n)	((u32)(n))

#define REPEAT_BYTE(x)		((~0ul / 0xff) * (x))
#define u64_to_user_ptr(x)	((void __user *)(unsigned long)(x))
#define PTR_ALIGN(p, a)		((__typeof__(p))ALIGN((unsigned long)(p), (a)))

/* ---- lib/vsprintf.c: all return the length the text would have had; scn* the length it has ---- */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args) __printf(3, 0);
int vscnprintf(char *buf, size_t size, const char *fmt, va_list args) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int sprintf(char *buf, const char *fmt, ...) __printf(2, 3);
int vsprintf(char *buf, const char *fmt, va_list args) __printf(2, 0);
char *kasprintf(gfp_t gfp, const char *fmt, ...) __printf(2, 3);	/* kfree() it */
char *kvasprintf(gfp_t gfp, const char *fmt, va_list args) __printf(2, 0);
int sscanf(const char *buf, const char *fmt, ...);
int vsscanf(const char *buf, const char *fmt, va_list args);

/*
 * The whole string must be a number (a newline may follow); base 0 takes 0x and 0 prefixes.
 * 0, -EINVAL (not a number) or -ERANGE (does not fit).
 */
int __must_check kstrtoull(const char *s, unsigned int base, unsigned long long *res);
int __must_check kstrtoll(const char *s, unsigned int base, long long *res);
int __must_check kstrtoul(const char *s, unsigned int base, unsigned long *res);
int __must_check kstrtol(const char *s, unsigned int base, long *res);
int __must_check kstrtouint(const char *s, unsigned int base, unsigned int *res);
int __must_check kstrtoint(const char *s, unsigned int base, int *res);
int __must_check kstrtou8(const char *s, unsigned int base, u8 *res);
int __must_check kstrtou16(const char *s, unsigned int base, u16 *res);
int __must_check kstrtou64(const char *s, unsigned int base, u64 *res);
int __must_check kstrtobool(const char *s, bool *res);
/* The older kind: stops at the first other character and tells where. */
unsigned long simple_strtoul(const char *s, char **endp, unsigned int base);
long simple_strtol(const char *s, char **endp, unsigned int base);
unsigned long long simple_strtoull(const char *s, char **endp, unsigned int base);
long long simple_strtoll(const char *s, char **endp, unsigned int base);
unsigned long long memparse(const char *ptr, char **retptr);	/* "64M", "1G": bytes */
/* Hexadecimal text of bytes. */
char *bin2hex(char *dst, const void *src, size_t count);
int hex_to_bin(unsigned char ch);
extern const char hex_asc[];
#define hex_asc_lo(x)	hex_asc[(x) & 0xf]
#define hex_asc_hi(x)	hex_asc[((x) >> 4) & 0xf]

/* ---- may this code sleep?  Debug builds check (locking/lockdep.c) ---- */
#ifdef CONFIG_DEBUG
void __might_sleep(const char *file, int line);
#define might_sleep()		__might_sleep(__FILE__, __LINE__)
void __might_fault(const char *file, int line);
#define might_fault()		__might_fault(__FILE__, __LINE__)
#else
#define might_sleep()		do { } while (0)
#define might_fault()		do { } while (0)
#endif
#define __might_sleep_here()	might_sleep()
#define might_sleep_if(cond)	do { if (cond) might_sleep(); } while (0)

bool core_kernel_text(unsigned long addr);

/* The size of *p with n elements in its last, open array; ULONG_MAX when that does not fit. */
#define struct_size(p, member, n) ({							\
	size_t __ss;									\
	__builtin_mul_overflow((size_t)(n), sizeof(*(p)->member), &__ss) ||		\
	__builtin_add_overflow(__ss, sizeof(*(p)), &__ss) ? ~0UL : __ss;		\
})

#endif
