/*
 * kasan.h: the address checker of debug builds.
 *
 * Idea:    the compiler calls __asan_loadN/__asan_storeN before each access; one shadow byte for 8 bytes of physical memory
 *          says how many of them may be touched.  Allocators poison what is free and unpoison what they hand out.
 *          Only addresses in the direct map and the kernel image are checked.
 * See:     kernel/lib/kasan.c
 */
#ifndef WEFT_KASAN_H
#define WEFT_KASAN_H

#include <weft/types.h>

/* Shadow values: 0 all eight bytes, 1-7 the first so many, these none. */
#define KASAN_PAGE_FREE		0xff	/* free in the page allocator */
#define KASAN_PAGE_REDZONE	0xfe
#define KASAN_SLAB_REDZONE	0xfc	/* between the object and the end of its slot */
#define KASAN_SLAB_FREE		0xfb	/* freed object */
#define KASAN_GLOBAL_REDZONE	0xf9
#define KASAN_VMALLOC_INVALID	0xf8

#ifdef CONFIG_DEBUG
void kasan_init(void);			/* once memblock knows all memory: takes 1/8 of it for the shadow; then checks begin */
/* Whole 8-byte granules from addr on; size is rounded up. */
void kasan_poison(const void *addr, size_t size, u8 value);
/* Opens exactly size bytes; addr is 8-byte aligned. */
void kasan_unpoison(const void *addr, size_t size);
/* For code that looks at poisoned memory on purpose. */
void kasan_disable_current(void);
void kasan_enable_current(void);
bool kasan_byte_accessible(const void *addr);
/* slab_debug.c: prints which object addr lies in and who had it last. */
void kasan_describe_slab(unsigned long addr);
void kasan_check_range(const void *addr, size_t size, bool write, unsigned long ip);
#define kasan_check_read(p, n)		kasan_check_range(p, n, false, _RET_IP_)
#define kasan_check_write(p, n)		kasan_check_range(p, n, true, _RET_IP_)
#else
static inline void kasan_init(void) { }
static inline void kasan_poison(const void *addr, size_t size, u8 value) { }
static inline void kasan_unpoison(const void *addr, size_t size) { }
static inline void kasan_disable_current(void) { }
static inline void kasan_enable_current(void) { }
static inline bool kasan_byte_accessible(const void *addr) { return true; }
#define kasan_check_read(p, n)		do { } while (0)
#define kasan_check_write(p, n)		do { } while (0)
#endif

#endif
