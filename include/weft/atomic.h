/*
 * atomic.h: counters that several CPUs change at once.
 *
 * Idea:    atomic_read and atomic_set are plain single accesses; operations without result promise no order (x86 gives
 *          it anyway); operations with a result are full barriers unless named _relaxed, _acquire or _release.
 *          atomic_t is an int, atomic64_t an s64, and atomic_long_t is atomic64_t.  For reference counts use refcount_t.
 *          The two families differ in nothing but the type, so one macro, ATOMIC_FAMILY, writes both.
 */
#ifndef WEFT_ATOMIC_H
#define WEFT_ATOMIC_H

#include <weft/types.h>
#include <weft/barrier.h>
#include <weft/cmpxchg.h>

/* The operations with a result, in one of the four orders. */
#define ATOMIC_ORDERED(name, type, T, suffix, order)								\
static __always_inline T name##_add_return##suffix(T i, type *v) { return __atomic_add_fetch(&v->counter, i, order); }	\
static __always_inline T name##_sub_return##suffix(T i, type *v) { return __atomic_sub_fetch(&v->counter, i, order); }	\
static __always_inline T name##_inc_return##suffix(type *v) { return __atomic_add_fetch(&v->counter, 1, order); }	\
static __always_inline T name##_dec_return##suffix(type *v) { return __atomic_sub_fetch(&v->counter, 1, order); }	\
static __always_inline T name##_fetch_add##suffix(T i, type *v) { return __atomic_fetch_add(&v->counter, i, order); }	\
static __always_inline T name##_fetch_sub##suffix(T i, type *v) { return __atomic_fetch_sub(&v->counter, i, order); }	\
static __always_inline T name##_fetch_and##suffix(T i, type *v) { return __atomic_fetch_and(&v->counter, i, order); }	\
static __always_inline T name##_fetch_or##suffix(T i, type *v) { return __atomic_fetch_or(&v->counter, i, order); }	\
static __always_inline T name##_fetch_xor##suffix(T i, type *v) { return __atomic_fetch_xor(&v->counter, i, order); }	\
static __always_inline T name##_fetch_andnot##suffix(T i, type *v)						\
{														\
	return __atomic_fetch_and(&v->counter, ~i, order);							\
}														\
static __always_inline T name##_fetch_inc##suffix(type *v) { return __atomic_fetch_add(&v->counter, 1, order); }	\
static __always_inline T name##_fetch_dec##suffix(type *v) { return __atomic_fetch_sub(&v->counter, 1, order); }	\
static __always_inline T name##_xchg##suffix(type *v, T n) { return __atomic_exchange_n(&v->counter, n, order); }	\
static __always_inline T name##_cmpxchg##suffix(type *v, T o, T n)						\
{														\
	return __cmpxchg_order(&v->counter, o, n, order);							\
}														\
static __always_inline bool name##_try_cmpxchg##suffix(type *v, T *o, T n)					\
{														\
	return __try_cmpxchg_order((T *)&v->counter, o, n, order);						\
}

#define ATOMIC_FAMILY(name, type, T)										\
static __always_inline T name##_read(const type *v) { return READ_ONCE(v->counter); }				\
static __always_inline T name##_read_acquire(const type *v) { return smp_load_acquire(&v->counter); }		\
static __always_inline void name##_set(type *v, T i) { WRITE_ONCE(v->counter, i); }				\
static __always_inline void name##_set_release(type *v, T i) { smp_store_release(&v->counter, i); }		\
static __always_inline void name##_add(T i, type *v) { __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_sub(T i, type *v) { __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_and(T i, type *v) { __atomic_and_fetch(&v->counter, i, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_or(T i, type *v) { __atomic_or_fetch(&v->counter, i, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_xor(T i, type *v) { __atomic_xor_fetch(&v->counter, i, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_andnot(T i, type *v) { __atomic_and_fetch(&v->counter, ~i, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_inc(type *v) { __atomic_add_fetch(&v->counter, 1, __ATOMIC_SEQ_CST); }	\
static __always_inline void name##_dec(type *v) { __atomic_sub_fetch(&v->counter, 1, __ATOMIC_SEQ_CST); }	\
ATOMIC_ORDERED(name, type, T, , __ATOMIC_SEQ_CST)								\
ATOMIC_ORDERED(name, type, T, _relaxed, __ATOMIC_RELAXED)							\
ATOMIC_ORDERED(name, type, T, _acquire, __ATOMIC_ACQUIRE)							\
ATOMIC_ORDERED(name, type, T, _release, __ATOMIC_RELEASE)							\
static __always_inline bool name##_sub_and_test(T i, type *v)							\
{														\
	return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST) == 0;					\
}														\
static __always_inline bool name##_dec_and_test(type *v)							\
{														\
	return __atomic_sub_fetch(&v->counter, 1, __ATOMIC_SEQ_CST) == 0;					\
}														\
static __always_inline bool name##_inc_and_test(type *v)							\
{														\
	return __atomic_add_fetch(&v->counter, 1, __ATOMIC_SEQ_CST) == 0;					\
}														\
static __always_inline bool name##_add_negative(T i, type *v)							\
{														\
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST) < 0;					\
}														\
/* Adds unless it is u; gives the value from before. */								\
static __always_inline T name##_fetch_add_unless(type *v, T a, T u)						\
{														\
	T c = name##_read(v);											\
														\
	while (c != u && !name##_try_cmpxchg(v, &c, c + a))							\
		;												\
	return c;												\
}														\
static __always_inline bool name##_add_unless(type *v, T a, T u) { return name##_fetch_add_unless(v, a, u) != u; }	\
static __always_inline bool name##_inc_not_zero(type *v) { return name##_add_unless(v, 1, 0); }			\
/* Takes one off unless that would go below 0; gives what it is or would be. */					\
static __always_inline T name##_dec_if_positive(type *v)							\
{														\
	T c = name##_read(v);											\
														\
	while (c > 0 && !name##_try_cmpxchg(v, &c, c - 1))							\
		;												\
	return c - 1;												\
}														\
/* For a count whose sign says which of two kinds of user there are. */						\
static __always_inline bool name##_inc_unless_negative(type *v)							\
{														\
	T c = name##_read(v);											\
														\
	while (c >= 0 && !name##_try_cmpxchg(v, &c, c + 1))							\
		;												\
	return c >= 0;												\
}														\
static __always_inline bool name##_dec_unless_positive(type *v)							\
{														\
	T c = name##_read(v);											\
														\
	while (c <= 0 && !name##_try_cmpxchg(v, &c, c - 1))							\
		;												\
	return c <= 0;												\
}

ATOMIC_FAMILY(atomic, atomic_t, int)
ATOMIC_FAMILY(atomic64, atomic64_t, s64)
ATOMIC_FAMILY(atomic_long, atomic_long_t, long)
#undef ATOMIC_FAMILY
#undef ATOMIC_ORDERED

#endif
