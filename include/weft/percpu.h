/*
 * percpu.h: variables of which each CPU has its own copy.
 *
 * Idea:    DEFINE_PER_CPU puts the template into .data..percpu; setup_per_cpu_areas() copies it once for each CPU.  A
 *          pointer to the template plus per_cpu_offset[cpu] is that CPU's copy.  alloc_percpu() hands out pieces of the
 *          room that was left behind the template in each copy.
 * Locking: this_cpu_*() are single instructions, safe in any context.  this_cpu_ptr() and __this_cpu_*() are for callers
 *          who cannot be moved to another CPU: preemption off.
 * See:     kernel/mm/percpu.c, asm/percpu.h
 */
#ifndef WEFT_PERCPU_H
#define WEFT_PERCPU_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/percpu.h>

#define DEFINE_PER_CPU(type, name)		__section(".data..percpu") __typeof__(type) name
#define DECLARE_PER_CPU(type, name)		extern __typeof__(type) name
#define DEFINE_PER_CPU_ALIGNED(type, name)	DEFINE_PER_CPU(type, name) ____cacheline_aligned
#define DECLARE_PER_CPU_ALIGNED(type, name)	DECLARE_PER_CPU(type, name) ____cacheline_aligned
#define DEFINE_PER_CPU_SHARED_ALIGNED(type, name) DEFINE_PER_CPU_ALIGNED(type, name)
#define DECLARE_PER_CPU_SHARED_ALIGNED(type, name) DECLARE_PER_CPU_ALIGNED(type, name)
#define DEFINE_PER_CPU_PAGE_ALIGNED(type, name)	DEFINE_PER_CPU(type, name) __aligned(4096)
#define DECLARE_PER_CPU_PAGE_ALIGNED(type, name) DECLARE_PER_CPU(type, name) __aligned(4096)
#define DEFINE_PER_CPU_READ_MOSTLY(type, name)	DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_READ_MOSTLY(type, name)	DECLARE_PER_CPU(type, name)

extern unsigned long __per_cpu_offset[];	/* [I] by CPU; also called per_cpu_offset */
#define per_cpu_offset(cpu)	(__per_cpu_offset[cpu])
DECLARE_PER_CPU(unsigned long, this_cpu_off);	/* [I] this CPU's entry of it */

/* The compiler must not reason that the sum stays inside the template. */
#define SHIFT_PERCPU_PTR(ptr, off) ({						\
	unsigned long __pp;							\
	__asm__("" : "=r"(__pp) : "0"(ptr));					\
	(__typeof__(*(ptr)) *)(__pp + (off)); })
#define per_cpu_ptr(ptr, cpu)	SHIFT_PERCPU_PTR(ptr, per_cpu_offset(cpu))
#define per_cpu(var, cpu)	(*per_cpu_ptr(&(var), cpu))
#define raw_cpu_ptr(ptr)	SHIFT_PERCPU_PTR(ptr, raw_percpu_read_here(this_cpu_off))
#define this_cpu_ptr(ptr)	raw_cpu_ptr(ptr)
#define get_cpu_var(var)	(*({ preempt_disable(); this_cpu_ptr(&(var)); }))
#define put_cpu_var(var)	do { (void)&(var); preempt_enable(); } while (0)
#define get_cpu_ptr(ptr)	({ preempt_disable(); this_cpu_ptr(ptr); })
#define put_cpu_ptr(ptr)	do { (void)(ptr); preempt_enable(); } while (0)

#define this_cpu_read(var)		raw_percpu_read(var)
#define this_cpu_read_stable(var)	raw_percpu_read_stable(var)
#define this_cpu_write(var, v)		raw_percpu_op("mov", var, v)
#define this_cpu_add(var, v)		raw_percpu_op("add", var, v)
#define this_cpu_sub(var, v)		raw_percpu_op("sub", var, v)
#define this_cpu_and(var, v)		raw_percpu_op("and", var, v)
#define this_cpu_or(var, v)		raw_percpu_op("or", var, v)
#define this_cpu_inc(var)		this_cpu_add(var, 1)
#define this_cpu_dec(var)		this_cpu_sub(var, 1)
#define this_cpu_add_return(var, v)	({ __typeof__(var) __par = (v); raw_percpu_xadd(var, __par) + __par; })
#define this_cpu_sub_return(var, v)	this_cpu_add_return(var, -(__typeof__(var))(v))
#define this_cpu_inc_return(var)	this_cpu_add_return(var, 1)
#define this_cpu_dec_return(var)	this_cpu_add_return(var, -1)
#define this_cpu_xchg(var, v)		raw_percpu_xchg(var, v)
#define this_cpu_cmpxchg(var, o, n)	raw_percpu_cmpxchg(var, o, n)
#define this_cpu_cmpxchg_double(v1, v2, o1, o2, n1, n2) raw_percpu_cmpxchg_double(v1, v2, o1, o2, n1, n2)

#define __this_cpu_read(var)		this_cpu_read(var)
#define __this_cpu_write(var, v)	this_cpu_write(var, v)
#define __this_cpu_add(var, v)		this_cpu_add(var, v)
#define __this_cpu_sub(var, v)		this_cpu_sub(var, v)
#define __this_cpu_inc(var)		this_cpu_inc(var)
#define __this_cpu_dec(var)		this_cpu_dec(var)
#define __this_cpu_or(var, v)		this_cpu_or(var, v)
#define __this_cpu_and(var, v)		this_cpu_and(var, v)
#define __this_cpu_inc_return(var)	this_cpu_inc_return(var)
#define __this_cpu_dec_return(var)	this_cpu_dec_return(var)
#define __this_cpu_add_return(var, v)	this_cpu_add_return(var, v)
#define __this_cpu_xchg(var, v)		this_cpu_xchg(var, v)
#define __this_cpu_cmpxchg(var, o, n)	this_cpu_cmpxchg(var, o, n)
#define raw_cpu_read(var)		this_cpu_read(var)
#define raw_cpu_write(var, v)		this_cpu_write(var, v)
#define raw_cpu_add(var, v)		this_cpu_add(var, v)
#define raw_cpu_inc(var)		this_cpu_inc(var)
#define raw_cpu_dec(var)		this_cpu_dec(var)

/* ---- mm/percpu.c ---- */
void setup_per_cpu_areas(void);
/* Zeroed room on each possible CPU, or NULL.  Any context that may take a spin lock. */
void __percpu *__alloc_percpu(size_t size, size_t align);
void free_percpu(void __percpu *ptr);
#define alloc_percpu(type)	((__typeof__(type) __percpu *)__alloc_percpu(sizeof(type), __alignof__(type)))
#define alloc_percpu_gfp(type, gfp) alloc_percpu(type)
#define __alloc_percpu_gfp(size, align, gfp) __alloc_percpu(size, align)

#endif
