/* math.h: rounding and division of whole numbers. */
#ifndef WEFT_MATH_H
#define WEFT_MATH_H

#include <weft/compiler.h>

/* a and y are powers of two in these. */
#define __ALIGN_MASK(x, mask)	(((x) + (mask)) & ~(mask))
#define ALIGN(x, a)		__ALIGN_MASK(x, (__typeof__(x))(a) - 1)
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define round_up(x, y)		((((x) - 1) | ((__typeof__(x))((y) - 1))) + 1)
#define round_down(x, y)	((x) & ~((__typeof__(x))((y) - 1)))

#define roundup(x, y) ({ __value_typeof(y) __ru_y = (y); (((x) + (__ru_y - 1)) / __ru_y) * __ru_y; })
#define rounddown(x, y) ({ __value_typeof(x) __rd_x = (x); __rd_x - (__rd_x % (y)); })
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d)	DIV_ROUND_UP((unsigned long long)(n), (unsigned long long)(d))
#define DIV_ROUND_CLOSEST(n, d) (((n) + ((d) / 2)) / (d))
#define abs(x) ({ __value_typeof(x) __abs_x = (x); __abs_x < 0 ? -__abs_x : __abs_x; })
#define abs_diff(a, b) ({ __value_typeof(a) __ad_a = (a), __ad_b = (b); __ad_a > __ad_b ? __ad_a - __ad_b : __ad_b - __ad_a; })

unsigned long int_sqrt(unsigned long x);		/* lib/sort.c: the largest r with r * r <= x */

#endif
