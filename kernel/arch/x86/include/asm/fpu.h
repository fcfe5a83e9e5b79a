/*
 * fpu.h: who owns the vector registers.
 *
 * Idea:    the kernel never uses them, so they stay the current user task's through system calls and interrupts.  A
 *          switch away saves them at once; a switch to a task only marks TIF_NEED_FPU_LOAD, and the restore happens on
 *          the way to user mode, and not at all when nobody else used the registers of this CPU in between.
 * Locking: [c] interrupts off in the switch and in the return path; fpregs_lock() elsewhere.
 * See:     kernel/arch/x86/kernel/fpu.c
 */
#ifndef ASM_FPU_H
#define ASM_FPU_H

#include <weft/types.h>
#include <weft/percpu.h>
#include <weft/preempt.h>
#include <asm/fpu_types.h>
#include <asm/thread_info.h>

struct task_struct;

/* The task whose state is in this CPU's registers, or NULL. */
DECLARE_PER_CPU(struct fpu *, fpu_fpregs_owner_ctx);

extern unsigned int fpu_user_xstate_size;	/* bytes of an XSAVE image [I] */
extern u64 fpu_user_xfeatures;			/* XCR0 [I] */

void fpu_init_cpu(void);			/* enables what fpu_init_system() chose, on this CPU */
void fpu_init_system(void);			/* boot CPU: chooses features and size */
void fpu_caches_init(void);			/* once kmem_cache_create() works */
void fpu_save_registers(struct fpu *fpu);	/* interrupts off */
void switch_fpu_return(void);			/* interrupts off: loads current's registers if they are not there */
int fpu_clone(struct task_struct *dst, bool kthread);	/* 0 or -ENOMEM; may sleep */
void fpu_free(struct task_struct *tsk);
void fpu_flush_thread(void);			/* execve: initial state */
void fpregs_mark_activate(void);
void fpu_get_state(struct task_struct *tsk, struct xregs_state *dst);	/* dst: fpu_user_xstate_size bytes */
int fpu_set_state(struct task_struct *tsk, const struct xregs_state *src, size_t size);

static inline void fpregs_lock(void) { preempt_disable(); }
static inline void fpregs_unlock(void) { preempt_enable(); }

/*
 * Signal frames (signal.c, owned by kernel/task).  All may sleep (user memory) and return false for a bad address.
 * fpu__alloc_mathframe: where below sp the frame goes; *buf_fx is its address, *size its length.
 */
unsigned long fpu__alloc_mathframe(unsigned long sp, int ia32_frame, unsigned long *buf_fx, unsigned long *size);
bool copy_fpstate_to_sigframe(void __user *buf, void __user *buf_fx, int size);
bool fpu__restore_sig(void __user *buf, int ia32_frame);	/* buf NULL: initial state */

#endif
