/*
 * asm/uaccess.h: reading and writing user memory, one value or many bytes.
 *
 * Idea:    the address is checked to lie below TASK_SIZE_MAX, then touched with SMAP lifted (stac/clac), by instructions
 *          that have an exception-table entry: a fault that cannot be repaired goes on at the fixup and means EFAULT.
 *          stac and clac are noted in a table and overwritten by no-operations on processors without SMAP.
 * Context: may sleep (the page may have to be made), unless inside pagefault_disable().
 * See:     spec.md §2 "privilege"; kernel/arch/x86/lib/copy_user_64.S, usercopy.c
 */
#ifndef ASM_UACCESS_H
#define ASM_UACCESS_H

#include <asm/asm.h>

#ifdef __ASSEMBLY__
#define ASM_STAC 77: stac; .pushsection .smap_sites, "a"; .long 77b - .; .popsection
#define ASM_CLAC 77: clac; .pushsection .smap_sites, "a"; .long 77b - .; .popsection
#else
#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/errno.h>
#include <asm/processor.h>

#define SMAP_SITE ".pushsection .smap_sites,\"a\"\n.long 77b - .\n.popsection\n"
static __always_inline void stac(void) { asm volatile("77: stac\n" SMAP_SITE : : : "memory"); }
static __always_inline void clac(void) { asm volatile("77: clac\n" SMAP_SITE : : : "memory"); }
/* The fault came with SMAP lifted: true if the interrupted code was allowed to touch user memory. */
#define user_access_begin(ptr, len) (access_ok(ptr, len) ? (stac(), true) : false)
#define user_access_end() clac()

static __always_inline bool __access_ok(unsigned long addr, unsigned long size)
{
	return size <= TASK_SIZE_MAX && addr <= TASK_SIZE_MAX - size;
}
#define access_ok(addr, size) __access_ok((unsigned long)(addr), (size))

unsigned long copy_user_generic(void *to, const void *from, unsigned long len);	/* bytes not copied */
unsigned long clear_user_asm(void __user *to, unsigned long len);

/* What an instruction may touch, whatever the pointer's type says: keeps the compiler from caching around the asm. */
struct __user_bytes { unsigned char bytes[8]; };
#define __user_mem(ptr)	(*(struct __user_bytes __force *)(unsigned long)(ptr))

/* One load or store of 1, 2, 4 or 8 bytes (insn, register name by mod) that jumps to `label` when it faults. */
/* volatile: gcc 12 drops an asm goto whose outputs nobody uses, and a read for its fault alone is such (gup.c). */
#define __get_user_size(val, ptr, insn, mod, out, type, label) do { \
	type __gu_raw; \
	asm volatile goto("1: " insn " %1, %" mod "0\n" _ASM_EXTABLE(1b, %l2) \
		 : out (__gu_raw) : "m" (__user_mem(ptr)) : : label); \
	(val) = __gu_raw; \
} while (0)
#define __put_user_size(val, ptr, insn, mod, in, type, label) \
	asm volatile goto("1: " insn " %" mod "0, %1\n" _ASM_EXTABLE(1b, %l2) \
		 : : in ((type)(val)), "m" (__user_mem(ptr)) : "memory" : label)

/* Inside user_access_begin/end: no check, no stac; a fault goes to label. */
#define unsafe_get_user(x, ptr, label) do { \
	unsigned long __gu_v = 0; \
	switch (sizeof(*(ptr))) { \
	case 1: __get_user_size(__gu_v, ptr, "movb", "b", "=q", u8, label); break; \
	case 2: __get_user_size(__gu_v, ptr, "movw", "w", "=r", u16, label); break; \
	case 4: __get_user_size(__gu_v, ptr, "movl", "k", "=r", u32, label); break; \
	case 8: __get_user_size(__gu_v, ptr, "movq", "q", "=r", u64, label); break; \
	default: __bad_user_size(); \
	} \
	(x) = (__force __typeof__(*(ptr)))__gu_v; \
} while (0)

#define unsafe_put_user(x, ptr, label) do { \
	__typeof__(*(ptr)) __pu_v = (x); \
	switch (sizeof(*(ptr))) { \
	case 1: __put_user_size((unsigned long)__pu_v, ptr, "movb", "b", "iq", u8, label); break; \
	case 2: __put_user_size((unsigned long)__pu_v, ptr, "movw", "w", "ir", u16, label); break; \
	case 4: __put_user_size((unsigned long)__pu_v, ptr, "movl", "k", "ir", u32, label); break; \
	case 8: __put_user_size((unsigned long)__pu_v, ptr, "movq", "q", "er", u64, label); break; \
	default: __bad_user_size(); \
	} \
} while (0)

void __bad_user_size(void) __attribute__((error("get_user/put_user: 1, 2, 4 or 8 bytes only")));

/* get_user(x, ptr): 0 and x set, or -EFAULT and x = 0.  __get_user: the caller has done access_ok(). */
#define get_user(x, ptr) ({ \
	__label__ __gu_fault, __gu_done; \
	const __typeof__(*(ptr)) __user *__gu_p = (ptr); \
	int __gu_err = -EFAULT; \
	if (!access_ok(__gu_p, sizeof(*__gu_p))) { \
		(x) = (__force __typeof__(*(ptr)))0; \
		goto __gu_done; \
	} \
	stac(); \
	unsafe_get_user(x, __gu_p, __gu_fault); \
	clac(); \
	__gu_err = 0; \
	goto __gu_done; \
__gu_fault: \
	clac(); \
	(x) = (__force __typeof__(*(ptr)))0; \
__gu_done: \
	__gu_err; \
})
#define __get_user(x, ptr) get_user(x, ptr)

/* put_user(x, ptr): 0 or -EFAULT. */
#define put_user(x, ptr) ({ \
	__label__ __pu_fault, __pu_done; \
	__typeof__(*(ptr)) __user *__pu_p = (ptr); \
	__typeof__(*(ptr)) __pu_x = (x); \
	int __pu_err = -EFAULT; \
	if (!access_ok(__pu_p, sizeof(*__pu_p))) \
		goto __pu_done; \
	stac(); \
	unsafe_put_user(__pu_x, __pu_p, __pu_fault); \
	clac(); \
	__pu_err = 0; \
	goto __pu_done; \
__pu_fault: \
	clac(); \
__pu_done: \
	__pu_err; \
})
#define __put_user(x, ptr) put_user(x, ptr)

#endif /* __ASSEMBLY__ */
#endif
