/* log2.h: logarithms to the base 2, rounded down; order of a size in powers of two. */
#ifndef WEFT_LOG2_H
#define WEFT_LOG2_H

#include <weft/types.h>

#define ilog2(n)		(63 - __builtin_clzll(n))	/* n > 0 */
#define is_power_of_2(n)	((n) != 0 && ((n) & ((n) - 1)) == 0)
#define __roundup_p2(n)		(1UL << ((n) <= 1 ? 0 : ilog2((unsigned long)(n) - 1) + 1))
#define roundup_pow_of_two(n)	__roundup_p2(n)
#define rounddown_pow_of_two(n)	(1UL << ilog2(n))
#define order_base_2(n)		((n) > 1 ? ilog2((n) - 1) + 1 : 0)

#endif
