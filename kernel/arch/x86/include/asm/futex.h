/*
 * asm/futex.h: the atomic operations on a user word that FUTEX_WAKE_OP and PI futexes need.
 *
 * Each returns 0 or -EFAULT (which the caller resolves by faulting the page in and trying again).  Page faults must be
 * disabled by the caller (pagefault_disable()).
 */
#ifndef ASM_FUTEX_H
#define ASM_FUTEX_H

#include <weft/errno.h>
#include <weft/uaccess.h>

/* *oval = *uaddr; *uaddr = oval OP oparg; op: FUTEX_OP_SET .. FUTEX_OP_XOR, -ENOSYS for another. */
int arch_futex_atomic_op_inuser(int op, int oparg, int *oval, u32 __user *uaddr);
/* If *uaddr == oldval then *uaddr = newval; *uval = what was there. */
int futex_atomic_cmpxchg_inatomic(u32 *uval, u32 __user *uaddr, u32 oldval, u32 newval);

#endif
