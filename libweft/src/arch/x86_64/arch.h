/*
 * arch.h (x86-64): the context switch, the way to the current worker, small processor things.
 *
 * What:  arch_switch() leaves one stack and continues on another.
 * Idea:  inline, so that gcc saves only the registers that are live here (the clobber list names the rest), and leaves by
 *        an indirect jump, not by ret: after a change of stacks the processor's return predictor would be wrong.
 *        A saved context is two words on its own stack: the place to continue, then rbp (so that back traces start).
 *        The library is built with -mno-red-zone, since the asm pushes below the frame.
 * Note:  mxcsr and the x87 control word are callee-saved by the ABI but not switched here; weft_config.fp_env does that.
 * See:   System V ABI AMD64 3.2.1; switch.S for the first entry and the bare coroutines.
 */
#ifndef WEFT_ARCH_H
#define WEFT_ARCH_H
#include <stdint.h>

static inline __attribute__((always_inline)) void arch_switch(void **save, void *to)
{
	__asm__ volatile(
		"pushq %%rbp\n\t"
		"leaq 1f(%%rip), %%rax\n\t"
		"pushq %%rax\n\t"
		"movq %%rsp, (%%rdi)\n\t"
		"movq %%rsi, %%rsp\n\t"
		"popq %%rax\n\t"
		"jmp *%%rax\n"
		"1:\tpopq %%rbp\n\t"
		: "+D"(save), "+S"(to)
		:
		: "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc",
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
		  "xmm12", "xmm13", "xmm14", "xmm15", "st", "mm0");
}

extern char weft__thread_entry[];

/* A stack that arch_switch can go to for the first time: weft__thread_entry pops t into rdi and calls thread_main. */
static inline void *arch_prepare(void *top, void *t)
{
	uintptr_t *sp = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15);

	*--sp = 0;
	*--sp = 0;
	*--sp = (uintptr_t)t;
	*--sp = (uintptr_t)weft__thread_entry;
	return sp;
}

/* Where a switched-out context stands: for back traces. */
static inline uintptr_t arch_saved_pc(void *sp) { return ((uintptr_t *)sp)[0]; }
static inline uintptr_t arch_saved_fp(void *sp) { return ((uintptr_t *)sp)[1]; }

/*
 * The current worker.  Not a plain __thread read: the compiler may keep the address of a thread-local across a switch,
 * after which it is another kernel task's.  The volatile asm computes it anew each time.
 */
#if !defined(WEFT_SIM)
extern __thread struct worker *weft__worker __attribute__((tls_model("initial-exec")));
static inline struct worker *this_worker(void)
{
	struct worker *w;

	__asm__ volatile("movq weft__worker@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(w) : : "memory");
	return w;
}
#endif

static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }

/* A system call as it is: -errno, not errno. */
static inline long arch_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return n;
}

struct fp_env { uint32_t mxcsr; uint16_t x87; };
static inline void fp_save(struct fp_env *e) { __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(e->mxcsr), "=m"(e->x87)); }
static inline void fp_load(struct fp_env *e) { __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(e->mxcsr), "m"(e->x87)); }

#define ARCH_UC_PC(uc)	((uintptr_t)(uc)->uc_mcontext.gregs[REG_RIP])
#endif
