/*
 * asm/percpu.h: one instruction on this CPU's copy of a per-CPU variable.
 *
 * Idea:    the GS base in kernel mode is the distance from the template (the link address) to this CPU's copy, so
 *          %gs:variable is this CPU's.  A single instruction cannot be torn by an interrupt or a move to another CPU,
 *          which makes these safe without turning anything off, and no lock prefix is needed.
 */
#ifndef ASM_PERCPU_H
#define ASM_PERCPU_H

#include <weft/types.h>

#define __bad_percpu_size()	__builtin_unreachable()

#define raw_percpu_read(var) ({							\
	u64 __pr;								\
	switch (sizeof(var)) {							\
	case 1: { u8 __v; __asm__ __volatile__("movb %%gs:%1, %0" : "=q"(__v) : "m"(var)); __pr = __v; break; } \
	case 2: { u16 __v; __asm__ __volatile__("movw %%gs:%1, %0" : "=r"(__v) : "m"(var)); __pr = __v; break; } \
	case 4: { u32 __v; __asm__ __volatile__("movl %%gs:%1, %0" : "=r"(__v) : "m"(var)); __pr = __v; break; } \
	case 8: { u64 __v; __asm__ __volatile__("movq %%gs:%1, %0" : "=r"(__v) : "m"(var)); __pr = __v; break; } \
	default: __bad_percpu_size();						\
	}									\
	(__typeof__(var))(unsigned long)__pr; })

/* For what does not change while the caller can look: the compiler may keep the value. */
#define raw_percpu_read_stable(var) ({						\
	u64 __pr;								\
	switch (sizeof(var)) {							\
	case 4: { u32 __v; __asm__("movl %%gs:%P1, %0" : "=r"(__v) : "p"(&(var))); __pr = __v; break; } \
	case 8: { u64 __v; __asm__("movq %%gs:%P1, %0" : "=r"(__v) : "p"(&(var))); __pr = __v; break; } \
	default: __bad_percpu_size();						\
	}									\
	(__typeof__(var))(unsigned long)__pr; })

/*
 * For what changes only when the task moves to another CPU (the offset, the CPU's number): the compiler may merge reads,
 * but the memory operand keeps it from carrying one over a barrier(), such as preempt_disable().
 */
#define raw_percpu_read_here(var) ({						\
	u64 __pr;								\
	switch (sizeof(var)) {							\
	case 4: { u32 __v; __asm__("movl %%gs:%1, %0" : "=r"(__v) : "m"(var)); __pr = __v; break; } \
	case 8: { u64 __v; __asm__("movq %%gs:%1, %0" : "=r"(__v) : "m"(var)); __pr = __v; break; } \
	default: __bad_percpu_size();						\
	}									\
	(__typeof__(var))(unsigned long)__pr; })

/* op is mov, add, and, or, xor. */
#define raw_percpu_op(op, var, val) do {					\
	switch (sizeof(var)) {							\
	case 1: __asm__ __volatile__(op "b %1, %%gs:%0" : "+m"(var) : "qi"((u8)(unsigned long)(val)) : "cc"); break; \
	case 2: __asm__ __volatile__(op "w %1, %%gs:%0" : "+m"(var) : "ri"((u16)(unsigned long)(val)) : "cc"); break; \
	case 4: __asm__ __volatile__(op "l %1, %%gs:%0" : "+m"(var) : "ri"((u32)(unsigned long)(val)) : "cc"); break; \
	case 8: __asm__ __volatile__(op "q %1, %%gs:%0" : "+m"(var) : "re"((u64)(unsigned long)(val)) : "cc"); break; \
	default: __bad_percpu_size();						\
	}									\
} while (0)

#define raw_percpu_xadd(var, val) ({						\
	__typeof__(var) __px = (__typeof__(var))(val);				\
	switch (sizeof(var)) {							\
	case 4: __asm__ __volatile__("xaddl %0, %%gs:%1" : "+r"(__px), "+m"(var) : : "cc"); break; \
	case 8: __asm__ __volatile__("xaddq %0, %%gs:%1" : "+r"(__px), "+m"(var) : : "cc"); break; \
	default: __bad_percpu_size();						\
	}									\
	__px; })

/* xchg locks the bus whether asked or not; a cmpxchg loop without lock is cheaper. */
#define raw_percpu_cmpxchg(var, old, new) ({					\
	__typeof__(var) __pc = (old);						\
	switch (sizeof(var)) {							\
	case 4: __asm__ __volatile__("cmpxchgl %2, %%gs:%1" : "+a"(__pc), "+m"(var)	\
			: "r"((__typeof__(var))(new)) : "cc"); break;		\
	case 8: __asm__ __volatile__("cmpxchgq %2, %%gs:%1" : "+a"(__pc), "+m"(var)	\
			: "r"((__typeof__(var))(new)) : "cc"); break;		\
	default: __bad_percpu_size();						\
	}									\
	__pc; })
#define raw_percpu_xchg(var, new) ({						\
	__typeof__(var) __pxo, __pxn = (new);					\
	do {									\
		__pxo = raw_percpu_read(var);					\
	} while (raw_percpu_cmpxchg(var, __pxo, __pxn) != __pxo);		\
	__pxo; })

/* Two neighbouring words (16-byte aligned) at once; true when both were as expected. */
#define raw_percpu_cmpxchg_double(var1, var2, o1, o2, n1, n2) ({		\
	bool __pcd;								\
	__typeof__(var1) __po1 = (o1), __pn1 = (n1);				\
	__typeof__(var2) __po2 = (o2), __pn2 = (n2);				\
	__asm__ __volatile__("cmpxchg16b %%gs:%1"				\
		: "=@ccz"(__pcd), "+m"(var1), "+m"(var2), "+a"(__po1), "+d"(__po2) \
		: "b"(__pn1), "c"(__pn2));					\
	__pcd; })

/* Takes one off a 4-byte counter; true when it became 0. */
#define raw_percpu_dec_and_test(var) ({						\
	bool __pz;								\
	__asm__ __volatile__("decl %%gs:%1" : "=@cce"(__pz), "+m"(var));	\
	__pz; })

#endif
