/* barrier.h: memory barriers, and waiting in a loop for a value. */
#ifndef WEFT_BARRIER_H
#define WEFT_BARRIER_H

#include <weft/compiler.h>
#include <weft/types.h>
#include <asm/barrier.h>

#define array_index_nospec(index, size) ({				\
	__value_typeof(index) __ni = (index);				\
	(__value_typeof(index))(__ni & array_index_mask_nospec(__ni, size)); })

/* Spins until cond, in which VAL is the value just read, holds; gives that value, ordered before what follows. */
#define smp_cond_load_relaxed(ptr, cond) ({				\
	__value_typeof(*(ptr)) VAL;					\
	for (;;) {							\
		VAL = READ_ONCE(*(ptr));				\
		if (cond)						\
			break;						\
		__builtin_ia32_pause();					\
	}								\
	VAL; })
#define smp_cond_load_acquire(ptr, cond) ({				\
	__value_typeof(*(ptr)) __cla = smp_cond_load_relaxed(ptr, cond); \
	barrier();							\
	__cla; })

#endif
