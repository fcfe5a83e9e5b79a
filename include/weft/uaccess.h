/*
 * uaccess.h: copying from and to user memory.
 *
 * Idea:    every pointer that a program gave goes through here and nothing else dereferences it.  The copies return the
 *          number of bytes that could NOT be copied (0 is success), as everybody expects from their names.
 * Context: may sleep, unless between pagefault_disable() and pagefault_enable(), where a missing page is a failure.
 * See:     spec.md §2 "privilege"; kernel/arch/x86/lib/usercopy.c
 */
#ifndef WEFT_UACCESS_H
#define WEFT_UACCESS_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/errno.h>
#include <weft/err.h>
#include <weft/string.h>
#include <weft/preempt.h>
#include <weft/sched.h>
#include <asm/uaccess.h>

/* What could not be read is zero in `to`. */
unsigned long copy_from_user(void *to, const void __user *from, unsigned long n);
unsigned long copy_to_user(void __user *to, const void *from, unsigned long n);
unsigned long __copy_from_user_inatomic(void *to, const void __user *from, unsigned long n);	/* no zeroing */
unsigned long __copy_to_user_inatomic(void __user *to, const void *from, unsigned long n);
#define __copy_from_user copy_from_user
#define __copy_to_user copy_to_user
#define raw_copy_from_user __copy_from_user_inatomic
#define raw_copy_to_user __copy_to_user_inatomic
unsigned long clear_user(void __user *to, unsigned long n);
#define __clear_user clear_user

/* Length without the NUL, or n when there is none in n bytes, or -EFAULT. */
long strncpy_from_user(char *dst, const char __user *src, long n);
/* Length with the NUL, or a number > n when it is longer, or 0 for a bad address. */
long strnlen_user(const char __user *s, long n);

/* Copies at most usize of ksize bytes, zeroing the rest; -E2BIG when the user's surplus is not zero; -EFAULT. */
int copy_struct_from_user(void *dst, size_t ksize, const void __user *src, size_t usize);
/* 1 all n bytes are zero, 0 not, -EFAULT. */
int check_zeroed_user(const void __user *from, size_t size);

/* Never sleep; 0 or -EFAULT.  For debugging and back traces: any address may be tried. */
long copy_from_kernel_nofault(void *dst, const void *src, size_t size);
long copy_from_user_nofault(void *dst, const void __user *src, size_t size);
#define get_kernel_nofault(val, ptr) copy_from_kernel_nofault(&(val), (ptr), sizeof(val))

static __always_inline void pagefault_disable(void)
{
	current->fault_disabled++;
	barrier();
}
static __always_inline void pagefault_enable(void)
{
	barrier();
	current->fault_disabled--;
}
static inline bool pagefault_disabled(void) { return current->fault_disabled != 0; }
/* Must a fault on user memory fail at once? */
#define faulthandler_disabled() (pagefault_disabled() || in_atomic())

/* A new kernel buffer with n bytes of user memory (mm/util.c); ERR_PTR. */
void *memdup_user(const void __user *src, size_t len);
void *memdup_user_nul(const void __user *src, size_t len);
char *strndup_user(const char __user *s, long n);
void *vmemdup_user(const void __user *src, size_t len);

#endif
