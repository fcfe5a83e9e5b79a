/*
 * processor.h: what the kernel keeps of a processor and of a task's processor state.
 *
 * What:    thread_struct (inside task_struct: what a switch saves), cpuinfo_x86 (one a CPU: identity and topology), the
 *          user address-space limits, control registers.
 * Locking: thread_struct: [o] the owner, or the switch code while nobody runs it.  cpuinfo_x86: [I] written while its CPU
 *          comes up.
 * See:     spec.md §1 "CPU topology", §5; kernel/arch/x86/kernel/process.c, cpu.c
 */
#ifndef ASM_PROCESSOR_H
#define ASM_PROCESSOR_H

/* Control-register bits. */
#define X86_CR0_PE		(1UL << 0)
#define X86_CR0_MP		(1UL << 1)
#define X86_CR0_EM		(1UL << 2)
#define X86_CR0_TS		(1UL << 3)
#define X86_CR0_ET		(1UL << 4)
#define X86_CR0_NE		(1UL << 5)
#define X86_CR0_WP		(1UL << 16)
#define X86_CR0_AM		(1UL << 18)
#define X86_CR0_PG		(1UL << 31)
#define X86_CR4_PSE		(1UL << 4)
#define X86_CR4_PAE		(1UL << 5)
#define X86_CR4_MCE		(1UL << 6)
#define X86_CR4_PGE		(1UL << 7)
#define X86_CR4_OSFXSR		(1UL << 9)
#define X86_CR4_OSXMMEXCPT	(1UL << 10)
#define X86_CR4_UMIP		(1UL << 11)
#define X86_CR4_FSGSBASE	(1UL << 16)
#define X86_CR4_PCIDE		(1UL << 17)
#define X86_CR4_OSXSAVE		(1UL << 18)
#define X86_CR4_SMEP		(1UL << 20)
#define X86_CR4_SMAP		(1UL << 21)

#ifndef __ASSEMBLY__
#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/cpufeature.h>
#include <asm/desc_defs.h>
#include <asm/fpu_types.h>
#include <asm/ptrace.h>
#include <asm/thread_info.h>

struct io_bitmap;
struct task_struct;

#define TASK_SIZE_MAX		0x00007ffffffff000UL
/* A 32-bit program has all of 4 GiB but for its last two pages, or 3 GiB if it asked for that. */
#define IA32_PAGE_OFFSET	(current->personality & 0x8000000 ? 0xc0000000UL : 0xffffe000UL)
#define TASK_SIZE		(test_thread_flag(TIF_ADDR32) ? IA32_PAGE_OFFSET : TASK_SIZE_MAX)
#define STACK_TOP		TASK_SIZE
#define STACK_TOP_MAX		TASK_SIZE_MAX
/* Where PIE programs go: two thirds up, or low in 32 bits. */
#define ELF_ET_DYN_BASE		(test_thread_flag(TIF_ADDR32) ? 0x00400000UL : 0x0000555555554000UL)

struct thread_struct {
	unsigned long		sp;		/* the kernel stack pointer while it does not run */
	unsigned short		es, ds, fsindex, gsindex;
	unsigned long		fsbase, gsbase;
	struct desc_struct	tls_array[3];	/* set_thread_area(), for 32-bit programs */
	unsigned long		cr2;		/* of the last fault that became a signal: sigcontext shows them */
	unsigned long		trap_nr;
	unsigned long		error_code;
	unsigned long		debugreg[4];	/* hardware break and watch points: addresses ... */
	unsigned long		dr7;		/* ... and control; 0: none, and nothing is switched */
	unsigned long		virtual_dr6;	/* what hit, for the debugger */
	struct io_bitmap	*ports;		/* in force; NULL: no ports, and nothing is switched */
	struct io_bitmap	*io_bitmap;	/* what ioperm() gave */
	u8			iopl;		/* what iopl() gave: 3 is all ports */
	struct fpu		fpu;
};

struct cpuinfo_x86 {
	char			vendor[13];
	char			model_id[49];
	u8			family, model, stepping;
	u32			apicid;
	u32			phys_proc_id;	/* package */
	u32			cpu_core_id;	/* core within the package */
	u32			smt_id;		/* logical CPU within the core */
	u32			booted_cores;	/* cores of this package that run */
	u32			cache_size;	/* KiB, the last level */
	u32			phys_bits, virt_bits, cache_line, cpuid_level;
};
extern struct cpuinfo_x86 cpu_data_array[];
#define cpu_data(cpu)	(cpu_data_array[cpu])
extern struct cpuinfo_x86 boot_cpu_data;

static __always_inline void cpu_relax(void) { asm volatile("pause" : : : "memory"); }
static inline void prefetch(const void *p) { __builtin_prefetch(p); }
static inline void prefetchw(const void *p) { __builtin_prefetch(p, 1); }

#define BUILD_CR(n) \
static __always_inline unsigned long read_cr##n(void) \
{ unsigned long v; asm volatile("mov %%cr" #n ", %0" : "=r" (v) : : "memory"); return v; } \
static __always_inline void write_cr##n(unsigned long v) \
{ asm volatile("mov %0, %%cr" #n : : "r" (v) : "memory"); }
BUILD_CR(0)
BUILD_CR(2)
BUILD_CR(3)
BUILD_CR(4)
#undef BUILD_CR
#define native_read_cr3_pa()	(read_cr3() & 0x000ffffffffff000UL)

/* The registers with which t entered the kernel from user mode: at the top of its stack. */
#define task_top_of_stack(t)	((unsigned long)task_stack_page(t) + THREAD_SIZE)
#define task_pt_regs(t)		((struct pt_regs *)task_top_of_stack(t) - 1)
#define current_pt_regs()	((struct pt_regs *)((unsigned long)current_thread_info() + THREAD_SIZE) - 1)
#define KSTK_EIP(t)		(task_pt_regs(t)->ip)
#define KSTK_ESP(t)		(task_pt_regs(t)->sp)

/* Sets regs up so that the return to user mode starts a fresh program at ip with stack sp. */
void start_thread(struct pt_regs *regs, unsigned long ip, unsigned long sp);
void flush_ptrace_hw_breakpoint(struct task_struct *tsk);	/* fork, exec: not inherited */
void start_thread_ia32(struct pt_regs *regs, unsigned long ip, unsigned long sp);
/* execve: what the running task's addresses and its start depend on from now on. */
void arch_set_personality(bool ia32);
/* Where a task that does not run sleeps in the kernel, 0 if unknown: /proc/PID/wchan. */
unsigned long __get_wchan(struct task_struct *p);

#define ARCH_HAS_PREFETCH

#endif /* __ASSEMBLY__ */
#endif
