/*
 * asm/barrier.h: memory barriers.
 *
 * Idea:    x86 reorders only a store with a later load; so between CPUs just smp_mb() needs an instruction, and loads and
 *          stores are acquire and release by nature: the compiler alone must be held back.
 * See:     Intel SDM vol. 3, 9.2 "Memory ordering"
 */
#ifndef ASM_BARRIER_H
#define ASM_BARRIER_H

#include <weft/compiler.h>

#define mb()		__asm__ __volatile__("mfence" : : : "memory")	/* also against devices and write-combining memory */
#define rmb()		__asm__ __volatile__("lfence" : : : "memory")
#define wmb()		__asm__ __volatile__("sfence" : : : "memory")
#define dma_rmb()	barrier()
#define dma_wmb()	barrier()

#define smp_mb()	__asm__ __volatile__("lock; addl $0, -4(%%rsp)" : : : "memory", "cc")
#define smp_rmb()	barrier()
#define smp_wmb()	barrier()
#define smp_mb__before_atomic()		barrier()	/* locked instructions are full barriers */
#define smp_mb__after_atomic()		barrier()
#define smp_mb__after_spinlock()	barrier()
#define smp_mb__after_unlock_lock()	barrier()
#define smp_acquire__after_ctrl_dep()	barrier()

#define smp_load_acquire(p) ({ __value_typeof(*(p)) __la = READ_ONCE(*(p)); barrier(); __la; })
#define smp_store_release(p, v)	do { barrier(); WRITE_ONCE(*(p), v); } while (0)
#define smp_store_mb(var, v)	do { (void)__atomic_exchange_n(&(var), (v), __ATOMIC_SEQ_CST); } while (0)

/* Against speculation past a bounds check: 0 when index >= size, all ones otherwise. */
#define array_index_mask_nospec(index, size) ({						\
	unsigned long __nospec;								\
	__asm__ __volatile__("cmp %1, %2; sbb %0, %0"					\
		: "=r"(__nospec) : "g"((unsigned long)(size)), "r"((unsigned long)(index)) : "cc"); \
	__nospec; })
#define barrier_nospec()	__asm__ __volatile__("lfence" : : : "memory")

#endif
