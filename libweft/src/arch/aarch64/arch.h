/*
 * arch.h (aarch64): the context switch, the way to the current worker, small processor things.
 *
 * What:  the same closed list as the x86-64 file; this is all that a third processor has to provide.
 * Idea:  inline asm with everything clobbered, so that gcc saves only what is live; a saved context is two words on its
 *        own stack: the place to continue and x29.  The stack pointer stays 16-byte aligned throughout.
 * Note:  x18 is the platform's register and not touched; fpcr is per kernel task unless weft_config.fp_env is set.
 * See:   AAPCS64 6.1; switch.S.
 */
#ifndef WEFT_ARCH_H
#define WEFT_ARCH_H
#include <stdint.h>

static inline __attribute__((always_inline)) void arch_switch(void **save, void *to)
{
	register void **x0 __asm__("x0") = save;
	register void *x1 __asm__("x1") = to;

	__asm__ volatile(
		"adr x9, 1f\n\t"
		"stp x9, x29, [sp, #-16]!\n\t"
		"mov x10, sp\n\t"
		"str x10, [x0]\n\t"
		"mov sp, x1\n\t"
		"ldp x9, x29, [sp], #16\n\t"
		"br x9\n"
		"1:\n\t"
		: "+r"(x0), "+r"(x1)
		:
		: "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
		  "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc",
		  "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
		  "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
		  "v31");
}

extern char weft__thread_entry[];

static inline void *arch_prepare(void *top, void *t)
{
	uintptr_t *sp = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15);

	*--sp = 0;
	*--sp = (uintptr_t)t;
	*--sp = 0;
	*--sp = (uintptr_t)weft__thread_entry;
	return sp;
}

static inline uintptr_t arch_saved_pc(void *sp) { return ((uintptr_t *)sp)[0]; }
static inline uintptr_t arch_saved_fp(void *sp) { return ((uintptr_t *)sp)[1]; }

#if !defined(WEFT_SIM)
extern __thread struct worker *weft__worker __attribute__((tls_model("initial-exec")));
static inline struct worker *this_worker(void)
{
	struct worker *w;
	uintptr_t tp;

	__asm__ volatile("mrs %1, tpidr_el0\n\t"
			 "adrp %0, :gottprel:weft__worker\n\t"
			 "ldr %0, [%0, #:gottprel_lo12:weft__worker]\n\t"
			 "ldr %0, [%1, %0]" : "=&r"(w), "=&r"(tp) : : "memory");
	return w;
}
#endif

static inline void cpu_relax(void) { __asm__ volatile("yield" ::: "memory"); }

/* A system call as it is: -errno, not errno. */
static inline long arch_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

struct fp_env { uint64_t fpcr; };
static inline void fp_save(struct fp_env *e) { __asm__ volatile("mrs %0, fpcr" : "=r"(e->fpcr)); }
static inline void fp_load(struct fp_env *e) { __asm__ volatile("msr fpcr, %0" : : "r"(e->fpcr)); }

#define ARCH_UC_PC(uc)	((uintptr_t)(uc)->uc_mcontext.pc)
#endif
