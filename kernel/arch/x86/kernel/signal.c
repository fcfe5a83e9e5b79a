/*
 * signal.c: running a handler: the frame on the user stack, and the way back.
 *
 * What:    arch_do_signal_or_restart() is called on the way to user mode when TIF_SIGPENDING is set: it takes a signal and
 *          builds a frame, or decides how an interrupted system call goes on.  rt_sigreturn(2) undoes the frame.
 * Frame:   from high to low:   the 128 bytes below sp that the ABI lets leaf functions use
 *                              XSAVE image, 64-byte aligned
 *                              siginfo, ucontext (registers, mask, alternate stack)
 *                              return address: SA_RESTORER's code, which calls rt_sigreturn     <- sp, 16n + 8
 * Restart: a system call that a signal broke returned -ERESTART*; ax still holds that.  Without a handler, and for
 *          SA_RESTART, ip goes back by the two bytes of `syscall` and ax gets the number again.
 * Trust:   everything in the frame may have been changed by the program: flags are masked, selectors are forced to
 *          ring 3, and what iretq still refuses becomes a signal (fixup_bad_iret).
 * 32 bits: signal_ia32.c.
 * See:     sigreturn(2), signal(7) "Interruption of system calls"; kernel/task/signal_take.c
 */
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/rseq.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/ucontext.h>
#include <asm/fpu.h>
#include <asm/ia32.h>
#include <asm/signal.h>
#include <asm/syscall.h>

struct rt_sigframe {
	char __user	*pretcode;
	struct ucontext	uc;
	struct siginfo	info;
};

#define NR_restart_syscall	219
#define NR_restart_syscall_ia32	0
#define REDZONE			128
#define FRAME_ALIGNMENT		16

/* The frame, the image, and what their alignments can cost. */
unsigned long get_sigframe_size(void)
{
	return round_up(sizeof(struct rt_sigframe) + fpu_user_xstate_size + sizeof(u32) + 63 + FRAME_ALIGNMENT - 1,
			FRAME_ALIGNMENT);
}

/* ---- to the frame ---- */

static bool save_sigcontext(struct sigcontext __user *usc, const struct pt_regs *regs, void __user *fpstate,
			    unsigned long mask)
{
	const struct thread_struct *t = &current->thread;
	struct sigcontext sc = {
		.r8 = regs->r8, .r9 = regs->r9, .r10 = regs->r10, .r11 = regs->r11,
		.r12 = regs->r12, .r13 = regs->r13, .r14 = regs->r14, .r15 = regs->r15,
		.di = regs->di, .si = regs->si, .bp = regs->bp, .bx = regs->bx,
		.dx = regs->dx, .ax = regs->ax, .cx = regs->cx, .sp = regs->sp,
		.ip = regs->ip, .flags = regs->flags,
		.cs = (u16)regs->cs, .ss = (u16)regs->ss,
		.err = t->error_code, .trapno = t->trap_nr, .cr2 = t->cr2,
		.oldmask = mask, .fpstate = (unsigned long)fpstate,
	};

	return !copy_to_user(usc, &sc, sizeof(sc));
}

/*
 * Where the frame goes; the XSAVE image is written there already.  NULL: there is no room, or no memory there.
 * On an alternate stack that is too small the frame would run below it, over something else: refused.
 */
static struct rt_sigframe __user *get_sigframe(struct ksignal *ksig, const struct pt_regs *regs, void __user **fpstate)
{
	unsigned long sp = regs->sp - REDZONE, math_size, buf_fx;
	bool nested = on_sig_stack(regs->sp), entering = false;

	if ((ksig->ka.sa.sa_flags & SA_ONSTACK) && sas_ss_flags(regs->sp) == 0) {
		sp = current->sas_ss_sp + current->sas_ss_size;
		entering = true;
	}
	sp = fpu__alloc_mathframe(sp, 0, &buf_fx, &math_size);
	*fpstate = (void __user *)sp;
	sp -= sizeof(struct rt_sigframe);
	sp = round_down(sp, FRAME_ALIGNMENT) - 8;	/* as after a call instruction */

	if ((nested || entering) && !__on_sig_stack(sp))
		return NULL;
	if (!copy_fpstate_to_sigframe(*fpstate, (void __user *)buf_fx, (int)math_size))
		return NULL;
	return (struct rt_sigframe __user *)sp;
}

static bool put_frame(struct rt_sigframe __user *frame, struct ksignal *ksig, const struct pt_regs *regs,
		      void __user *fpstate)
{
	const unsigned long uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
				       (boot_cpu_has(X86_FEATURE_XSAVE) ? UC_FP_XSTATE : 0);
	sigset_t *set = sigmask_to_save();

	return !put_user((char __user *)ksig->ka.sa.sa_restorer, &frame->pretcode) &&
	       !put_user(uc_flags, &frame->uc.uc_flags) &&
	       !put_user((struct ucontext __user *)NULL, &frame->uc.uc_link) &&
	       !__save_altstack(&frame->uc.uc_stack, regs->sp) &&
	       save_sigcontext(&frame->uc.uc_mcontext, regs, fpstate, set->sig[0]) &&
	       !copy_to_user(&frame->uc.uc_sigmask, set, sizeof(*set)) &&
	       !((ksig->ka.sa.sa_flags & SA_SIGINFO) && copy_siginfo_to_user64(&frame->info, &ksig->info));
}

/* 0, or -EFAULT: the program cannot take the signal. */
static int setup_rt_frame(struct ksignal *ksig, struct pt_regs *regs)
{
	struct rt_sigframe __user *frame;
	void __user *fpstate;

	/* x86-64 has no code of its own to return through. */
	if (!(ksig->ka.sa.sa_flags & SA_RESTORER))
		return -EFAULT;
	rseq_signal_deliver(ksig, regs);
	frame = get_sigframe(ksig, regs, &fpstate);
	if (!frame || !put_frame(frame, ksig, regs, fpstate))
		return -EFAULT;

	regs->di = (unsigned long)ksig->sig;
	regs->ax = 0;				/* for handlers without a prototype */
	regs->si = (unsigned long)&frame->info;
	regs->dx = (unsigned long)&frame->uc;
	regs->ip = (unsigned long)ksig->ka.sa.sa_handler;
	regs->sp = (unsigned long)frame;
	regs->cs = __USER_CS;
	regs->ss = __USER_DS;
	return 0;
}

/* The kind of frame depends on the call that installed the handler. */
static int setup_frame(struct ksignal *ksig, struct pt_regs *regs)
{
	if (likely(!(ksig->ka.sa.sa_flags & SA_IA32_ABI)))
		return setup_rt_frame(ksig, regs);
	return ksig->ka.sa.sa_flags & SA_SIGINFO ? ia32_setup_rt_frame(ksig, regs) : ia32_setup_frame(ksig, regs);
}

/* ---- interrupted system calls ---- */

static void restart_syscall_at(struct pt_regs *regs, unsigned long nr)
{
	regs->ax = nr;
	regs->ip -= 2;
}

/* A handler will run. */
static void restart_after_handler(const struct ksignal *ksig, struct pt_regs *regs)
{
	if (syscall_get_nr(regs) == -1)
		return;
	switch ((long)regs->ax) {
	case -ERESTART_RESTARTBLOCK:
	case -ERESTARTNOHAND:
		regs->ax = -EINTR;
		break;
	case -ERESTARTSYS:
		if (!(ksig->ka.sa.sa_flags & SA_RESTART)) {
			regs->ax = -EINTR;
			break;
		}
		fallthrough;
	case -ERESTARTNOINTR:
		restart_syscall_at(regs, regs->orig_ax);
		break;
	}
}

/* No handler runs: nobody will notice that the call was interrupted. */
static void restart_now(struct pt_regs *regs)
{
	if (syscall_get_nr(regs) == -1)
		return;
	switch ((long)regs->ax) {
	case -ERESTARTNOHAND:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
		restart_syscall_at(regs, regs->orig_ax);
		break;
	case -ERESTART_RESTARTBLOCK:
		restart_syscall_at(regs, in_compat_syscall() ? NR_restart_syscall_ia32 : NR_restart_syscall);
		break;
	}
}

static void handle_signal(struct ksignal *ksig, struct pt_regs *regs)
{
	int failed;

	restart_after_handler(ksig, regs);
	failed = setup_frame(ksig, regs);
	if (!failed) {
		/* The ABI: direction flag clear at function entry.  A single step must not step through the handler. */
		regs->flags &= ~(X86_EFLAGS_DF | X86_EFLAGS_RF | X86_EFLAGS_TF);
		/* The handler begins with fresh vector registers. */
		fpu_flush_thread();
		/* It has no system call to restart when it is interrupted itself at its first instruction. */
		regs->orig_ax = -1UL;
	}
	signal_setup_done(failed, ksig, 0);
}

void arch_do_signal_or_restart(struct pt_regs *regs)
{
	struct ksignal ksig;

	if (get_signal(&ksig)) {
		handle_signal(&ksig, regs);
		return;
	}
	restart_now(regs);
	restore_saved_sigmask();
}

/* ---- back from the frame ---- */

static bool restore_sigcontext(struct pt_regs *regs, const struct sigcontext __user *usc)
{
	struct sigcontext sc;

	current->restart_block.fn = do_no_restart_syscall;
	if (copy_from_user(&sc, usc, offsetof(struct sigcontext, reserved1)))
		return false;
	regs->r8 = sc.r8;
	regs->r9 = sc.r9;
	regs->r10 = sc.r10;
	regs->r11 = sc.r11;
	regs->r12 = sc.r12;
	regs->r13 = sc.r13;
	regs->r14 = sc.r14;
	regs->r15 = sc.r15;
	regs->di = sc.di;
	regs->si = sc.si;
	regs->bp = sc.bp;
	regs->bx = sc.bx;
	regs->dx = sc.dx;
	regs->ax = sc.ax;
	regs->cx = sc.cx;
	regs->sp = sc.sp;
	regs->ip = sc.ip;
	regs->cs = sc.cs | 3;
	regs->ss = sc.ss | 3;
	regs->flags = (regs->flags & ~FIX_EFLAGS) | (sc.flags & FIX_EFLAGS);
	regs->orig_ax = -1UL;		/* what ax holds is no result of a call */
	return fpu__restore_sig((void __user *)sc.fpstate, 0);
}

/* Returns what ax was when the signal came. */
long sys_rt_sigreturn(void)
{
	struct pt_regs *regs = current_pt_regs();
	struct rt_sigframe __user *frame = (struct rt_sigframe __user *)(regs->sp - sizeof(long));
	sigset_t set;

	if (copy_from_user(&set, &frame->uc.uc_sigmask, sizeof(set)))
		goto badframe;
	set_current_blocked(&set);
	if (!restore_sigcontext(regs, &frame->uc.uc_mcontext))
		goto badframe;
	if (restore_altstack(&frame->uc.uc_stack))
		goto badframe;
	return (long)regs->ax;

badframe:
	force_sig(SIGSEGV);
	return 0;
}
