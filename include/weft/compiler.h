/*
 * compiler.h: words for the compiler: attributes, READ_ONCE/WRITE_ONCE, and the lock annotations.
 *
 * Idea:    an annotation says what must hold and a tool checks it: clang-22 (-Wthread-safety) reads __guarded_by and
 *          its family, gcc sees nothing there.  READ_ONCE/WRITE_ONCE mark each access that races on purpose.
 * See:     doc/locking.md; `make lockcheck`
 */
#ifndef WEFT_COMPILER_H
#define WEFT_COMPILER_H

#define __always_inline		inline __attribute__((__always_inline__))
#define noinline		__attribute__((__noinline__))
#define __noreturn		__attribute__((__noreturn__))
#define __packed		__attribute__((__packed__))
#define __aligned(x)		__attribute__((__aligned__(x)))
#define __section(s)		__attribute__((__section__(s)))
#define __used			__attribute__((__used__))
#define __maybe_unused		__attribute__((__unused__))
#define __always_unused		__attribute__((__unused__))
#define __must_check		__attribute__((__warn_unused_result__))
#define __weak			__attribute__((__weak__))
#define __pure			__attribute__((__pure__))
#define __attribute_const__	__attribute__((__const__))
#define __cold			__attribute__((__cold__))
#define __malloc		__attribute__((__malloc__))
#define __printf(a, b)		__attribute__((__format__(printf, a, b)))
#define __alias(s)		__attribute__((__alias__(#s)))
#define __cleanup(f)		__attribute__((__cleanup__(f)))
#define __nonstring		__attribute__((__nonstring__))
#if defined(__GNUC__) && !defined(__clang__)
#define __no_sanitize		__attribute__((__no_sanitize__("address", "undefined")))
#define __flatten		__attribute__((__flatten__))
#else
#define __no_sanitize
#define __flatten
#endif
#define __no_sanitize_address	__no_sanitize
#define fallthrough		__attribute__((__fallthrough__))

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define unreachable()		__builtin_unreachable()
#define barrier()		__asm__ __volatile__("" : : : "memory")
#define barrier_data(ptr)	__asm__ __volatile__("" : : "r"(ptr) : "memory")
#define OPTIMIZER_HIDE_VAR(v)	__asm__("" : "=r"(v) : "0"(v))
#define __compiletime_assert(c, msg) _Static_assert(c, msg)
#define static_assert(e, ...)	_Static_assert(e, #e)

/* Kinds of pointer.  They are for readers; user memory is reached only through <weft/uaccess.h>. */
#define __user
#define __iomem
#define __percpu
#define __rcu
#define __force

#ifndef offsetof
#define offsetof(type, member)	__builtin_offsetof(type, member)
#endif
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define typeof_member(type, member) __typeof__(((type *)0)->member)
#define __same_type(a, b)	__builtin_types_compatible_p(__typeof__(a), __typeof__(b))
/* The type that an expression has as a value: without const and volatile. */
#define __value_typeof(x)	__typeof__(((void)0, (x)))

#define ___PASTE(a, b)		a##b
#define __PASTE(a, b)		___PASTE(a, b)
#define __UNIQUE_ID(prefix)	__PASTE(__PASTE(__unique_, prefix), __COUNTER__)
#define __stringify_1(x...)	#x
#define __stringify(x...)	__stringify_1(x)

#define _RET_IP_		((unsigned long)__builtin_return_address(0))
#define _THIS_IP_		({ __label__ __here; __here: (unsigned long)&&__here; })

/* One load or store that the compiler neither repeats, nor tears, nor leaves out. */
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	do { *(volatile __typeof__(x) *)&(x) = (v); } while (0)
/* Reads a value that races with a writer, where an old value does no harm; says so to the reader and to lockcheck. */
#if defined(__clang__) && __clang_major__ >= 22
#define data_race(expr) ({								\
	_Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wthread-safety\"")	\
	__typeof__(expr) __racy = (expr);						\
	_Pragma("clang diagnostic pop")							\
	__racy; })
#else
#define data_race(expr)		(expr)
#endif

#define L1_CACHE_SHIFT		6
#define L1_CACHE_BYTES		(1 << L1_CACHE_SHIFT)
#define SMP_CACHE_BYTES		L1_CACHE_BYTES
#define ____cacheline_aligned	__aligned(L1_CACHE_BYTES)
#define ____cacheline_aligned_in_smp ____cacheline_aligned
#define __cacheline_aligned	____cacheline_aligned __section(".data..cacheline_aligned")
#define __cacheline_aligned_in_smp __cacheline_aligned
#define __read_mostly		__section(".data..read_mostly")
#define __ro_after_init		__section(".data..ro_after_init")

/*
 * Lock annotations, with the names Linux gave them.  `x` is an expression for the lock's address.
 *   field __guarded_by(&lock)         touched only while lock is held
 *   f(...) __must_hold(&lock)         the caller holds it before and after
 *   f(...) __acquires(&lock), __releases(&lock), __cond_acquires(true, &lock), and _shared forms
 *   f(...) __no_context_analysis      the lock moves; a comment beside says why
 */
#if defined(__clang__) && __clang_major__ >= 22
#define context_lock_struct(n)	__attribute__((__capability__(#n)))
#define __guarded_by(x...)	__attribute__((__guarded_by__(x)))
#define __pt_guarded_by(x...)	__attribute__((__pt_guarded_by__(x)))
#define __must_hold(x...)	__attribute__((__requires_capability__(x)))
#define __must_hold_shared(x...) __attribute__((__requires_shared_capability__(x)))
#define __must_not_hold(x...)	__attribute__((__locks_excluded__(x)))
#define __acquires(x...)	__attribute__((__acquire_capability__(x)))
#define __acquires_shared(x...)	__attribute__((__acquire_shared_capability__(x)))
#define __releases(x...)	__attribute__((__release_capability__(x)))
#define __releases_shared(x...)	__attribute__((__release_shared_capability__(x)))
#define __releases_generic(x...) __attribute__((__release_generic_capability__(x)))
#define __cond_acquires(ret, x...) __attribute__((__try_acquire_capability__(ret, x)))
#define __cond_acquires_shared(ret, x...) __attribute__((__try_acquire_shared_capability__(ret, x)))
#define __assumes_held(x...)	__attribute__((__assert_capability__(x)))
#define __assumes_held_shared(x...) __attribute__((__assert_shared_capability__(x)))
#define __no_context_analysis	__attribute__((__no_thread_safety_analysis__))
/* For each kind of lock: what lockdep_assert_held() and its sisters tell the analysis. */
#define CONTEXT_LOCK_ASSERTS(type)							\
static inline void __attribute__((__overloadable__)) __assume_held(const type *lock) __assumes_held(lock) { }	\
static inline void __attribute__((__overloadable__)) __assume_held_shared(const type *lock) __assumes_held_shared(lock) { }
#else
#define context_lock_struct(n)
#define __guarded_by(x...)
#define __pt_guarded_by(x...)
#define __must_hold(x...)
#define __must_hold_shared(x...)
#define __must_not_hold(x...)
#define __acquires(x...)
#define __acquires_shared(x...)
#define __releases(x...)
#define __releases_shared(x...)
#define __releases_generic(x...)
#define __cond_acquires(ret, x...)
#define __cond_acquires_shared(ret, x...)
#define __assumes_held(x...)
#define __assumes_held_shared(x...)
#define __no_context_analysis
#define CONTEXT_LOCK_ASSERTS(type)
#define __assume_held(l)	do { (void)(l); } while (0)
#define __assume_held_shared(l)	do { (void)(l); } while (0)
#endif

#endif
