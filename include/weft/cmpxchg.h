/* cmpxchg.h: exchange and compare-and-exchange on any scalar of 1, 2, 4 or 8 bytes.  Plain names are full barriers. */
#ifndef WEFT_CMPXCHG_H
#define WEFT_CMPXCHG_H

#include <weft/compiler.h>

#define __cmpxchg_order(ptr, old, new, order) ({				\
	__value_typeof(*(ptr)) __cx_old = (old);				\
	__atomic_compare_exchange_n(ptr, &__cx_old, (__value_typeof(*(ptr)))(new), 0, order, __ATOMIC_RELAXED); \
	__cx_old; })
#define __try_cmpxchg_order(ptr, oldp, new, order)				\
	__atomic_compare_exchange_n(ptr, oldp, (__value_typeof(*(ptr)))(new), 0, order, __ATOMIC_RELAXED)

#define xchg(ptr, v)			__atomic_exchange_n(ptr, v, __ATOMIC_SEQ_CST)
#define xchg_relaxed(ptr, v)		__atomic_exchange_n(ptr, v, __ATOMIC_RELAXED)
#define xchg_acquire(ptr, v)		__atomic_exchange_n(ptr, v, __ATOMIC_ACQUIRE)
#define xchg_release(ptr, v)		__atomic_exchange_n(ptr, v, __ATOMIC_RELEASE)
#define cmpxchg(ptr, o, n)		__cmpxchg_order(ptr, o, n, __ATOMIC_SEQ_CST)
#define cmpxchg_relaxed(ptr, o, n)	__cmpxchg_order(ptr, o, n, __ATOMIC_RELAXED)
#define cmpxchg_acquire(ptr, o, n)	__cmpxchg_order(ptr, o, n, __ATOMIC_ACQUIRE)
#define cmpxchg_release(ptr, o, n)	__cmpxchg_order(ptr, o, n, __ATOMIC_RELEASE)
#define cmpxchg64(ptr, o, n)		cmpxchg(ptr, o, n)
#define try_cmpxchg(ptr, oldp, n)	__try_cmpxchg_order(ptr, oldp, n, __ATOMIC_SEQ_CST)
#define try_cmpxchg_relaxed(ptr, oldp, n) __try_cmpxchg_order(ptr, oldp, n, __ATOMIC_RELAXED)
#define try_cmpxchg_acquire(ptr, oldp, n) __try_cmpxchg_order(ptr, oldp, n, __ATOMIC_ACQUIRE)
#define try_cmpxchg_release(ptr, oldp, n) __try_cmpxchg_order(ptr, oldp, n, __ATOMIC_RELEASE)
#define try_cmpxchg64(ptr, oldp, n)	try_cmpxchg(ptr, oldp, n)

#endif
