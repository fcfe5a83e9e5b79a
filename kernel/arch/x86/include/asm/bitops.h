/*
 * asm/bitops.h: atomic bits of arrays of unsigned long, and finding bits in a word.
 *
 * Idea:    the compiler's atomic builtins become lock bts/btr/btc here; the plain __ forms are ordinary C.
 *          A bit number may be larger than 63: it then lies in a later word.
 */
#ifndef ASM_BITOPS_H
#define ASM_BITOPS_H

#include <weft/types.h>
#include <weft/bits.h>

#define __BITOP_WORD(nr, addr)	((unsigned long *)(addr) + ((unsigned long)(nr) / BITS_PER_LONG))

static __always_inline void set_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_or(__BITOP_WORD(nr, addr), BIT_MASK(nr), __ATOMIC_SEQ_CST);
}
static __always_inline void clear_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_and(__BITOP_WORD(nr, addr), ~BIT_MASK(nr), __ATOMIC_SEQ_CST);
}
static __always_inline void change_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_xor(__BITOP_WORD(nr, addr), BIT_MASK(nr), __ATOMIC_SEQ_CST);
}
static __always_inline bool test_and_set_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_or(__BITOP_WORD(nr, addr), BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}
static __always_inline bool test_and_clear_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_and(__BITOP_WORD(nr, addr), ~BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}
static __always_inline bool test_and_change_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_xor(__BITOP_WORD(nr, addr), BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr);
}
static __always_inline bool test_bit(long nr, const volatile unsigned long *addr)
{
	return (READ_ONCE(*__BITOP_WORD(nr, addr)) >> (nr & (BITS_PER_LONG - 1))) & 1;
}
static __always_inline bool test_bit_acquire(long nr, const volatile unsigned long *addr)
{
	return (__atomic_load_n(__BITOP_WORD(nr, addr), __ATOMIC_ACQUIRE) >> (nr & (BITS_PER_LONG - 1))) & 1;
}
static __always_inline bool test_and_set_bit_lock(long nr, volatile unsigned long *addr)
{
	return test_and_set_bit(nr, addr);
}
static __always_inline void clear_bit_unlock(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_and(__BITOP_WORD(nr, addr), ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

/* Not atomic: the caller has the word to itself. */
static __always_inline void __set_bit(long nr, volatile unsigned long *addr) { *__BITOP_WORD(nr, addr) |= BIT_MASK(nr); }
static __always_inline void __clear_bit(long nr, volatile unsigned long *addr) { *__BITOP_WORD(nr, addr) &= ~BIT_MASK(nr); }
static __always_inline void __change_bit(long nr, volatile unsigned long *addr) { *__BITOP_WORD(nr, addr) ^= BIT_MASK(nr); }
static __always_inline bool __test_and_set_bit(long nr, volatile unsigned long *addr)
{
	bool old = *__BITOP_WORD(nr, addr) & BIT_MASK(nr);

	__set_bit(nr, addr);
	return old;
}
static __always_inline bool __test_and_clear_bit(long nr, volatile unsigned long *addr)
{
	bool old = *__BITOP_WORD(nr, addr) & BIT_MASK(nr);

	__clear_bit(nr, addr);
	return old;
}

/* Word-wise searches; the word must not be 0 (or, for ffz, not all ones). */
static __always_inline unsigned long __ffs(unsigned long word) { return __builtin_ctzl(word); }
static __always_inline unsigned long ffz(unsigned long word) { return __builtin_ctzl(~word); }
static __always_inline unsigned long __fls(unsigned long word) { return 63 - __builtin_clzl(word); }
/* These count from 1, and give 0 for 0. */
static __always_inline int ffs(int x) { return __builtin_ffs(x); }
static __always_inline int fls(unsigned int x) { return x ? 32 - __builtin_clz(x) : 0; }
static __always_inline int fls64(u64 x) { return x ? 64 - __builtin_clzll(x) : 0; }
static __always_inline int fls_long(unsigned long x) { return fls64(x); }

#endif
