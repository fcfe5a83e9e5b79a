/*
 * memcpy.c: in debug builds, memcpy, memmove and memset look at the shadow memory before they touch anything: what is
 * written in assembly has no checks of its own.
 *
 * See:     memcpy_64.S, kernel/lib/kasan.c
 */
#ifdef CONFIG_DEBUG
#include <weft/kasan.h>
#include <weft/kernel.h>
#include <weft/string.h>

void *__memcpy(void *dst, const void *src, size_t n);
void *__memmove(void *dst, const void *src, size_t n);
void *__memset(void *dst, int c, size_t n);

void *memcpy(void *dst, const void *src, size_t n)
{
	kasan_check_read(src, n);
	kasan_check_write(dst, n);
	return __memcpy(dst, src, n);
}

void *memmove(void *dst, const void *src, size_t n)
{
	kasan_check_read(src, n);
	kasan_check_write(dst, n);
	return __memmove(dst, src, n);
}

void *memset(void *dst, int c, size_t n)
{
	kasan_check_write(dst, n);
	return __memset(dst, c, n);
}
#endif
