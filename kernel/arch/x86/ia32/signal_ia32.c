/*
 * signal_ia32.c: signal frames of 32-bit programs, their two kinds, and the way back from each.
 *
 * Frame:   from high to low:   FXSAVE or XSAVE image, 64-byte aligned
 *                              the same x87 registers in FSAVE's layout (112 bytes)
 *                              without SA_SIGINFO: struct sigframe_ia32; with it: struct rt_sigframe_ia32
 *          Handlers find their arguments on the stack, and, as some are compiled so, in eax, edx, ecx.
 * Return:  to SA_RESTORER's code, or without it to code in the frame itself (which needs an executable stack: there is no
 *          32-bit vDSO here; C libraries set SA_RESTORER then).
 * Trust:   as in kernel/arch/x86/kernel/signal.c: everything in the frame may have been changed.
 * Locking: none: the running task's own registers and stack.
 * See:     sigreturn(2), sigaction(2); kernel/arch/x86/kernel/signal.c
 */
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/rseq.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/fpu.h>
#include <asm/ia32.h>
#include <asm/segment.h>
#include <asm/signal.h>

struct sigcontext_32 {
	u16 gs, gsh, fs, fsh, es, esh, ds, dsh;
	u32 di, si, bp, sp, bx, dx, cx, ax, trapno, err, ip;
	u16 cs, csh;
	u32 flags, sp_at_signal;
	u16 ss, ssh;
	u32 fpstate, oldmask, cr2;
};

struct sigframe_ia32 {
	u32			pretcode;
	s32			sig;
	struct sigcontext_32	sc;
	u8			fpstate_unused[624];	/* where it lay long ago; programs know the offsets behind it */
	u32			extramask;
	u8			retcode[8];
};

struct ucontext_ia32 {
	u32				uc_flags, uc_link;
	struct compat_sigaltstack	uc_stack;
	struct sigcontext_32		uc_mcontext;
	u32				uc_sigmask[2];
};

struct rt_sigframe_ia32 {
	u32			pretcode;
	s32			sig;
	u32			pinfo, puc;
	struct compat_siginfo	info;
	struct ucontext_ia32	uc;
	u8			retcode[8];
};

_Static_assert(sizeof(struct sigcontext_32) == 88, "i386 ABI");
_Static_assert(offsetof(struct sigframe_ia32, extramask) == 720, "i386 ABI");
_Static_assert(offsetof(struct rt_sigframe_ia32, uc) == 144, "i386 ABI");

#define UC_FP_XSTATE	1

/* popl %eax; movl $119, %eax; int $0x80   and   movl $173, %eax; int $0x80 */
static const u8 sigreturn_code[8] = { 0x58, 0xb8, 0x77, 0, 0, 0, 0xcd, 0x80 };
static const u8 rt_sigreturn_code[8] = { 0xb8, 0xad, 0, 0, 0, 0xcd, 0x80, 0 };

/* ---- to the frame ---- */

static struct sigcontext_32 make_sigcontext(const struct pt_regs *regs, const void __user *fpstate, unsigned long mask)
{
	const struct thread_struct *t = &current->thread;
	struct sigcontext_32 sc = {
		.di = (u32)regs->di, .si = (u32)regs->si, .bp = (u32)regs->bp, .sp = (u32)regs->sp, .bx = (u32)regs->bx,
		.dx = (u32)regs->dx, .cx = (u32)regs->cx, .ax = (u32)regs->ax, .trapno = (u32)t->trap_nr,
		.err = (u32)t->error_code, .ip = (u32)regs->ip, .cs = (u16)regs->cs, .flags = (u32)regs->flags,
		.sp_at_signal = (u32)regs->sp, .ss = (u16)regs->ss, .fpstate = ptr_to_compat(fpstate), .oldmask = (u32)mask,
		.cr2 = (u32)t->cr2,
	};

	read_user_selectors(&sc.ds, &sc.es, &sc.fs, &sc.gs);
	return sc;
}

/* Room for a frame of `size` bytes; the floating-point part is written.  NULL: no room or no memory. */
static void __user *get_sigframe(struct ksignal *ksig, const struct pt_regs *regs, size_t size, void __user **fpstate)
{
	bool nested = on_sig_stack(regs->sp), entering = false;
	unsigned long sp = (u32)regs->sp, math_size, buf_fx;

	if ((ksig->ka.sa.sa_flags & SA_ONSTACK) && sas_ss_flags(regs->sp) == 0) {
		sp = current->sas_ss_sp + current->sas_ss_size;
		entering = true;
	}
	sp = fpu__alloc_mathframe(sp, 1, &buf_fx, &math_size);
	*fpstate = (void __user *)sp;
	/* The stack pointer at the entry of a function: 16n - 4, below the return address that a call pushed. */
	sp = ((sp - size + 4) & ~15UL) - 4;
	if ((nested || entering) && !__on_sig_stack(sp))
		return NULL;
	if (!copy_fpstate_to_sigframe(*fpstate, (void __user *)buf_fx, (int)math_size))
		return NULL;
	return (void __user *)sp;
}

static u32 return_address(const struct ksignal *ksig, const void __user *retcode)
{
	if (ksig->ka.sa.sa_flags & SA_RESTORER)
		return (u32)(unsigned long)ksig->ka.sa.sa_restorer;
	return ptr_to_compat(retcode);
}

static void enter_handler(const struct ksignal *ksig, struct pt_regs *regs, void __user *frame, u32 dx, u32 cx)
{
	regs->sp = (unsigned long)frame;
	regs->ip = (u32)(unsigned long)ksig->ka.sa.sa_handler;
	regs->ax = (unsigned long)ksig->sig;
	regs->dx = dx;
	regs->cx = cx;
	regs->cs = __USER32_CS;
	regs->ss = __USER_DS;
	{
		u16 ds, es, fs, gs;

		read_user_selectors(&ds, &es, &fs, &gs);
		load_user_selectors(__USER_DS, __USER_DS, fs, gs);
	}
}

int ia32_setup_frame(struct ksignal *ksig, struct pt_regs *regs)
{
	sigset_t *set = sigmask_to_save();
	struct sigframe_ia32 __user *frame;
	struct sigframe_ia32 head;
	void __user *fpstate;

	rseq_signal_deliver(ksig, regs);
	frame = get_sigframe(ksig, regs, sizeof(*frame), &fpstate);
	if (!frame)
		return -EFAULT;
	head.pretcode = return_address(ksig, frame->retcode);
	head.sig = ksig->sig;
	head.sc = make_sigcontext(regs, fpstate, set->sig[0]);
	if (copy_to_user(frame, &head, offsetof(struct sigframe_ia32, fpstate_unused)) ||
	    put_user((u32)(set->sig[0] >> 32), &frame->extramask) ||
	    copy_to_user(frame->retcode, sigreturn_code, sizeof(sigreturn_code)))
		return -EFAULT;
	enter_handler(ksig, regs, frame, 0, 0);
	return 0;
}

int ia32_setup_rt_frame(struct ksignal *ksig, struct pt_regs *regs)
{
	sigset_t *set = sigmask_to_save();
	struct rt_sigframe_ia32 __user *frame;
	struct ucontext_ia32 uc;
	void __user *fpstate;
	u32 head[4];

	rseq_signal_deliver(ksig, regs);
	frame = get_sigframe(ksig, regs, sizeof(*frame), &fpstate);
	if (!frame)
		return -EFAULT;
	head[0] = return_address(ksig, frame->retcode);
	head[1] = (u32)ksig->sig;
	head[2] = ptr_to_compat(&frame->info);
	head[3] = ptr_to_compat(&frame->uc);
	uc = (struct ucontext_ia32){
		.uc_flags = boot_cpu_has(X86_FEATURE_XSAVE) ? UC_FP_XSTATE : 0,
		.uc_stack = { (u32)current->sas_ss_sp, (s32)current->sas_ss_flags, (u32)current->sas_ss_size },
		.uc_mcontext = make_sigcontext(regs, fpstate, set->sig[0]),
		.uc_sigmask = { (u32)set->sig[0], (u32)(set->sig[0] >> 32) },
	};
	if (copy_to_user(frame, head, sizeof(head)) || copy_siginfo_to_user32(&frame->info, &ksig->info) ||
	    copy_to_user(&frame->uc, &uc, sizeof(uc)) ||
	    copy_to_user(frame->retcode, rt_sigreturn_code, sizeof(rt_sigreturn_code)))
		return -EFAULT;
	enter_handler(ksig, regs, frame, head[2], head[3]);
	return 0;
}

/* ---- back from the frame ---- */

static u16 user_selector(u16 sel)
{
	return sel & ~3 ? sel | 3 : sel;
}

static bool restore_sigcontext(struct pt_regs *regs, const struct sigcontext_32 __user *usc)
{
	struct sigcontext_32 sc;

	current->restart_block.fn = do_no_restart_syscall;
	if (copy_from_user(&sc, usc, sizeof(sc)))
		return false;
	load_user_selectors(user_selector(sc.ds), user_selector(sc.es), user_selector(sc.fs), user_selector(sc.gs));
	regs->di = sc.di;
	regs->si = sc.si;
	regs->bp = sc.bp;
	regs->sp = sc.sp;
	regs->bx = sc.bx;
	regs->dx = sc.dx;
	regs->cx = sc.cx;
	regs->ax = sc.ax;
	regs->ip = sc.ip;
	regs->cs = sc.cs | 3;
	regs->ss = sc.ss | 3;
	regs->flags = (regs->flags & ~FIX_EFLAGS) | (sc.flags & FIX_EFLAGS);
	regs->orig_ax = -1UL;		/* what ax holds is no result of a call */
	return fpu__restore_sig(compat_ptr(sc.fpstate), 1);
}

/* The restorer's popl took the signal number off the stack, and ret the return address. */
long compat_sys_sigreturn(void)
{
	struct pt_regs *regs = current_pt_regs();
	struct sigframe_ia32 __user *frame = (struct sigframe_ia32 __user *)((u32)regs->sp - 8UL);
	u32 low, high;
	sigset_t set;

	if (get_user(low, &frame->sc.oldmask) || get_user(high, &frame->extramask))
		goto badframe;
	set.sig[0] = (u64)high << 32 | low;
	set_current_blocked(&set);
	if (!restore_sigcontext(regs, &frame->sc))
		goto badframe;
	return (long)regs->ax;
badframe:
	force_sig(SIGSEGV);
	return 0;
}

long compat_sys_rt_sigreturn(void)
{
	struct pt_regs *regs = current_pt_regs();
	struct rt_sigframe_ia32 __user *frame = (struct rt_sigframe_ia32 __user *)((u32)regs->sp - 4UL);
	u32 mask[2];
	sigset_t set;

	if (copy_from_user(mask, frame->uc.uc_sigmask, sizeof(mask)))
		goto badframe;
	set.sig[0] = (u64)mask[1] << 32 | mask[0];
	set_current_blocked(&set);
	if (!restore_sigcontext(regs, &frame->uc.uc_mcontext))
		goto badframe;
	/* In a 32-bit call, so it reads the short structure. */
	if (restore_altstack((const stack_t __user *)&frame->uc.uc_stack))
		goto badframe;
	return (long)regs->ax;
badframe:
	force_sig(SIGSEGV);
	return 0;
}
