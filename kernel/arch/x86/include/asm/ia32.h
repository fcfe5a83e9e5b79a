/*
 * asm/ia32.h: what 32-bit programs need of the processor's side: address space, start, segments, signal frames.
 *
 * See:     kernel/arch/x86/ia32; include/weft/compat.h
 */
#ifndef ASM_IA32_H
#define ASM_IA32_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/desc_defs.h>

struct fxregs_state;
struct ksignal;
struct pt_regs;
struct task_struct;
struct user_desc;

/* ---- fpu_ia32.c: the head of a 32-bit frame's floating-point part, as FSAVE writes it ---- */
struct fregs_state {
	u32	cwd, swd, twd, fip, fcs, foo, fos;
	u8	st[8][10];
	u16	status, magic;		/* magic 0: the FXSAVE image follows */
};
_Static_assert(sizeof(struct fregs_state) == 112, "i386 ABI");
void fregs_from_fxregs(struct fregs_state *env, const struct fxregs_state *fx);
void fregs_to_fxregs(struct fxregs_state *fx, const struct fregs_state *env);

/* ---- signal_ia32.c: both 0 or -EFAULT ---- */
int ia32_setup_frame(struct ksignal *ksig, struct pt_regs *regs);
int ia32_setup_rt_frame(struct ksignal *ksig, struct pt_regs *regs);

/* ---- tls.c ---- */
/* idx -1: the entry that u_info names (and if that is -1, too, and may_allocate: a free one, told in u_info).  -errno. */
int do_set_thread_area(struct task_struct *p, int idx, struct user_desc __user *u_info, bool may_allocate);
/* desc: filled in.  -EINVAL: idx is none of the three. */
struct user_desc get_thread_area_of(struct task_struct *p, unsigned int n);	/* the n-th, from 0 */
int do_get_thread_area(struct task_struct *p, int idx, struct user_desc __user *u_info);
/* ldt.c */
bool desc_is_empty(const struct user_desc *d);
u64 pack_desc(const struct user_desc *d);
static inline u32 desc_base(u64 raw)
{
	return (u32)(raw >> 16 & 0xffffff) | (u32)(raw >> 56) << 24;
}

/* ---- process.c ---- */
/* The running task goes over to other selectors; a bad one becomes null. */
void load_user_selectors(u16 ds, u16 es, u16 fs, u16 gs);
void read_user_selectors(u16 *ds, u16 *es, u16 *fs, u16 *gs);

#endif
