/*
 * arch.h: all that the rest of the kernel may know about the processor.
 *
 * Idea:    files outside kernel/arch/ include this, never <asm/...> of more than one purpose; what follows here is the
 *          list of what a port must offer.
 * See:     design.md "Layers"; doc/porting.md
 */
#ifndef WEFT_ARCH_H
#define WEFT_ARCH_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/irqflags.h>
#include <asm/ptrace.h>
#include <asm/thread_info.h>
#include <asm/processor.h>
#include <asm/switch_to.h>
#include <weft/stacktrace.h>

struct task_struct;
struct kernel_clone_args;
struct mm_struct;
struct pt_regs;

/* ---- tasks: kernel/arch/x86/kernel/process.c ---- */
void arch_task_cache_init(void);		/* start-up, once kmem_cache_create() works */
/* Copies *src into *dst, which must not share src's FPU memory.  0. */
int arch_dup_task_struct(struct task_struct *dst, struct task_struct *src);
void arch_release_task_struct(struct task_struct *tsk);
/* The child's registers and kernel stack: ret_from_fork will be its first code.  0 or -ENOMEM. */
int copy_thread(struct task_struct *p, const struct kernel_clone_args *args);
void flush_thread(void);			/* execve, past the point of no return */
void exit_thread(struct task_struct *tsk);
/* arch_prctl(ARCH_SET_FS ...) and clone's CLONE_SETTLS. */
long do_arch_prctl_64(struct task_struct *task, int option, unsigned long arg2);

/* Signal delivery on the way to user mode: kernel/arch/x86/kernel/signal.c. */
void arch_do_signal_or_restart(struct pt_regs *regs);
unsigned long get_sigframe_size(void);		/* the largest frame: AT_MINSIGSTKSZ */

/* ---- idle ---- */
void arch_cpu_idle(void);		/* called with interrupts off, returns with them on, after one interrupt */
void machine_halt(void);

/* ---- layout helpers for execve ---- */
unsigned long arch_align_stack(unsigned long sp);
unsigned long arch_randomize_brk(struct mm_struct *mm);

/* Whether a full barrier also orders memory for who plays a virtual device beside us. */
bool arch_barriers_reach_devices(void);

/* A number that is hard to guess, if the processor has one to give. */
bool arch_get_random_long(unsigned long *v);

#endif
