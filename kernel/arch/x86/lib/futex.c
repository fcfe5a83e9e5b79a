/*
 * futex.c: atomic operations on a word in user memory, which may fault.
 *
 * Idea:    a fault jumps to the exception table's place and becomes -EFAULT; the caller, who holds spin locks, lets go of
 *          them, brings the page in and tries again.
 * Locking: any context; the word itself is changed by one locked instruction.
 * See:     asm/futex.h; kernel/task/futex.c
 */
#include <weft/kernel.h>
#include <asm/futex.h>
#include <uapi/futex.h>

int futex_atomic_cmpxchg_inatomic(u32 *uval, u32 __user *uaddr, u32 oldval, u32 newval)
{
	u32 seen = oldval;

	if (!user_access_begin(uaddr, sizeof(*uaddr)))
		return -EFAULT;
	asm goto("1: lock; cmpxchgl %2, %1\n" _ASM_EXTABLE(1b, %l[fault])
		 : "+a" (seen), "+m" (*(u32 __force *)uaddr) : "r" (newval) : "memory", "cc" : fault);
	user_access_end();
	*uval = seen;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

static int apply(int op, int oparg, u32 old, u32 *new)
{
	switch (op) {
	case FUTEX_OP_SET:
		*new = (u32)oparg;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + (u32)oparg;
		return 0;
	case FUTEX_OP_OR:
		*new = old | (u32)oparg;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~(u32)oparg;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ (u32)oparg;
		return 0;
	default:
		return -ENOSYS;
	}
}

/* Compare and exchange until nobody came between: one loop serves all five operations. */
int arch_futex_atomic_op_inuser(int op, int oparg, int *oval, u32 __user *uaddr)
{
	u32 old, seen, new;
	int err;

	if (copy_from_user_nofault(&seen, uaddr, sizeof(seen)))
		return -EFAULT;
	do {
		old = seen;
		err = apply(op, oparg, old, &new);
		if (!err)
			err = futex_atomic_cmpxchg_inatomic(&seen, uaddr, old, new);
		if (err)
			return err;
	} while (seen != old);
	*oval = (int)old;
	return 0;
}
