/* percpu.h for unit tests: one CPU, whose copy is the variable itself. */
#ifndef ASM_PERCPU_H
#define ASM_PERCPU_H

#include <weft/types.h>

#define raw_percpu_read(var)		(var)
#define raw_percpu_read_stable(var)	(var)
#define raw_percpu_read_here(var)	(var)
#define raw_percpu_op(op, var, val)	do {					\
	const char *__op = (op);						\
	if (*__op == 'm')							\
		(var) = (__typeof__(var))(val);					\
	else if (__op[1] == 'd')						\
		(var) += (val);							\
	else if (*__op == 's')							\
		(var) -= (val);							\
	else if (*__op == 'o')							\
		(var) = (__typeof__(var))((unsigned long)(var) | (unsigned long)(val));	\
	else									\
		(var) = (__typeof__(var))((unsigned long)(var) & (unsigned long)(val));	\
} while (0)
#define raw_percpu_xadd(var, val)	({ __typeof__(var) __old = (var); (var) += (val); __old; })
#define raw_percpu_cmpxchg(var, o, n)	({ __typeof__(var) __old = (var); if (__old == (o)) (var) = (n); __old; })
#define raw_percpu_xchg(var, n)		({ __typeof__(var) __old = (var); (var) = (n); __old; })
#define raw_percpu_dec_and_test(var)	(--(var) == 0)

#endif
