/*
 * minmax.h: min, max and friends.  Each argument is evaluated once; the types of both sides must agree.
 */
#ifndef WEFT_MINMAX_H
#define WEFT_MINMAX_H

#include <weft/compiler.h>

#define __typecheck(a, b)	((void)((__typeof__(a) *)1 == (__typeof__(b) *)1))

#define __cmp_once(op, a, b, x, y) ({			\
	__value_typeof(a) x = (a);			\
	__value_typeof(b) y = (b);			\
	x op y ? x : y; })
#define __careful_cmp(op, a, b) \
	__builtin_choose_expr(__builtin_constant_p(a) && __builtin_constant_p(b), (a) op (b) ? (a) : (b), \
			      __cmp_once(op, a, b, __UNIQUE_ID(x), __UNIQUE_ID(y)))
#define min(a, b)		__careful_cmp(<, a, b)
#define max(a, b)		__careful_cmp(>, a, b)
#define min_t(type, a, b)	__careful_cmp(<, (type)(a), (type)(b))
#define max_t(type, a, b)	__careful_cmp(>, (type)(a), (type)(b))
#define min3(a, b, c)		min((__value_typeof(a))min(a, b), c)
#define max3(a, b, c)		max((__value_typeof(a))max(a, b), c)
#define min_not_zero(a, b) ({				\
	__value_typeof(a) __mna = (a);			\
	__value_typeof(b) __mnb = (b);			\
	__mna == 0 ? __mnb : (__mnb == 0 ? __mna : (__mna < __mnb ? __mna : __mnb)); })
#define clamp(v, lo, hi)	min((__value_typeof(v))max(v, lo), hi)
#define clamp_t(type, v, lo, hi) min_t(type, max_t(type, v, lo), hi)
#define clamp_val(v, lo, hi)	clamp_t(__value_typeof(v), v, lo, hi)
#define swap(a, b) \
	do { __value_typeof(a) __swp = (a); (a) = (b); (b) = __swp; } while (0)

#endif
