/*
 * ptrace.c: what a tracer sees and changes of the processor: registers, `struct user`, steps, debug registers.
 *
 * Idea:    the tracee is off its processor, so its registers are in memory: the general ones in pt_regs at the top of its
 *          kernel stack, segment bases and debug registers in thread_struct, vector registers in the XSAVE image.
 * Trust:   a tracer may be an unprivileged program: selectors keep ring 3, flags change only where a program could change
 *          them itself, addresses of bases and break points lie in user space.
 * Locking: none: the tracee is frozen (kernel/task/ptrace.c).
 * See:     ptrace(2); include/uapi/ptrace.h; Intel SDM vol. 3, 17 "Debug registers"
 */
#include <weft/coredump.h>
#include <weft/kernel.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <uapi/elf.h>
#include <asm/fpu.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/segment.h>

#ifndef X86_EFLAGS_TF
#define X86_EFLAGS_TF		0x100UL
#endif
/* CF PF AF ZF SF TF DF OF NT RF AC */
#define FLAG_MASK		0x54dd5UL
#define DR7_RESERVED		0xffffffff0000fc00UL	/* must stay 0; GD (13) would fault in the kernel */

static_assert(sizeof(struct user_regs_struct) == 27 * sizeof(long));

/* ---- single step ---- */

void user_enable_single_step(struct task_struct *child)
{
	struct pt_regs *regs = task_pt_regs(child);

	set_tsk_thread_flag(child, TIF_SINGLESTEP);
	if (!(regs->flags & X86_EFLAGS_TF))
		set_tsk_thread_flag(child, TIF_FORCED_TF);
	regs->flags |= X86_EFLAGS_TF;
}

void user_disable_single_step(struct task_struct *child)
{
	clear_tsk_thread_flag(child, TIF_SINGLESTEP);
	if (test_and_clear_tsk_thread_flag(child, TIF_FORCED_TF))
		task_pt_regs(child)->flags &= ~X86_EFLAGS_TF;
}

void ptrace_disable(struct task_struct *child)
{
	user_disable_single_step(child);
}

/* ---- general registers ---- */

void get_user_regs(struct task_struct *child, struct user_regs_struct *u)
{
	const struct thread_struct *t = &child->thread;
	const struct pt_regs *regs = task_pt_regs(child);

	static_assert(offsetof(struct user_regs_struct, fs_base) == sizeof(struct pt_regs));
	memcpy(u, regs, sizeof(*regs));
	if (test_tsk_thread_flag(child, TIF_FORCED_TF))
		u->flags &= ~X86_EFLAGS_TF;
	u->fs_base = t->fsbase;
	u->gs_base = t->gsbase;
	if (child == current) {
		rdmsrl(MSR_FS_BASE, u->fs_base);
		rdmsrl(MSR_KERNEL_GS_BASE, u->gs_base);
	}
	u->ds = t->ds;
	u->es = t->es;
	u->fs = t->fsindex;
	u->gs = t->gsindex;
}

/* A selector that a program could load: null or ring 3. */
static bool bad_selector(unsigned long value)
{
	return value > 0xffff || (value && (value & 3) != 3);
}

static void set_flags(struct task_struct *child, unsigned long value)
{
	struct pt_regs *regs = task_pt_regs(child);

	/* The program's own trap flag from now on; while we step it stays set and is no longer ours to clear. */
	if (value & X86_EFLAGS_TF)
		clear_tsk_thread_flag(child, TIF_FORCED_TF);
	else if (test_tsk_thread_flag(child, TIF_FORCED_TF))
		value |= X86_EFLAGS_TF;
	regs->flags = (regs->flags & ~FLAG_MASK) | (value & FLAG_MASK);
}

/* -EIO: a value that the processor would refuse. */
long set_user_regs(struct task_struct *child, const struct user_regs_struct *u)
{
	struct thread_struct *t = &child->thread;
	struct pt_regs *regs = task_pt_regs(child), old = *regs;

	if (bad_selector(u->cs) || !u->cs || bad_selector(u->ss) || !u->ss || bad_selector(u->ds) ||
	    bad_selector(u->es) || bad_selector(u->fs) || bad_selector(u->gs) ||
	    u->fs_base >= TASK_SIZE_MAX || u->gs_base >= TASK_SIZE_MAX)
		return -EIO;
	memcpy(regs, u, sizeof(*regs));
	regs->flags = old.flags;
	set_flags(child, u->flags);
	t->fsbase = u->fs_base;
	t->gsbase = u->gs_base;
	t->ds = (u16)u->ds;
	t->es = (u16)u->es;
	t->fsindex = (u16)u->fs;
	t->gsindex = (u16)u->gs;
	return 0;
}

/* ---- debug registers ---- */

static unsigned long get_debugreg(const struct thread_struct *t, unsigned int n)
{
	if (n < 4)
		return t->debugreg[n];
	if (n == 6)
		return t->virtual_dr6;
	return n == 7 ? t->dr7 : 0;
}

/* Does each break point that is on lie in user space, on a boundary of its length, and is it of a kind there is? */
static bool good_dr7(const struct thread_struct *t, unsigned long dr7)
{
	for (int i = 0; i < 4; i++) {
		unsigned long kind = dr7 >> (16 + 4 * i) & 3, len = dr7 >> (18 + 4 * i) & 3;
		static const unsigned char mask[] = { 0, 1, 7, 3 };

		if (!(dr7 >> (2 * i) & 3))
			continue;
		if (kind == 2 || (kind == 0 && len != 0) || t->debugreg[i] >= TASK_SIZE_MAX - 8 ||
		    (t->debugreg[i] & mask[len]))
			return false;
	}
	return true;
}

static long set_debugreg(struct thread_struct *t, unsigned int n, unsigned long value)
{
	switch (n) {
	case 0 ... 3:
		if (value >= TASK_SIZE_MAX - 8)
			return -EINVAL;
		t->debugreg[n] = value;
		return 0;
	case 6:
		t->virtual_dr6 = value;
		return 0;
	case 7:
		value &= ~DR7_RESERVED;
		if (!good_dr7(t, value))
			return -EINVAL;
		t->dr7 = value & 0xff ? value | 0x400 : 0;	/* bit 10 reads as 1 */
		return 0;
	default:
		return -EIO;
	}
}

unsigned long ptrace_get_debugreg(struct task_struct *child, unsigned int n)
{
	return get_debugreg(&child->thread, n);
}

long ptrace_set_debugreg(struct task_struct *child, unsigned int n, unsigned long value)
{
	return set_debugreg(&child->thread, n, value);
}

/* ---- struct user ---- */

static bool bad_user_offset(unsigned long addr)
{
	return (addr & 7) || addr >= USER_STRUCT_SIZE;
}

static long peek_user(struct task_struct *child, unsigned long addr, unsigned long __user *to)
{
	struct user_regs_struct u;
	unsigned long value = 0;

	if (bad_user_offset(addr))
		return -EIO;
	if (addr < sizeof(u)) {
		get_user_regs(child, &u);
		value = ((unsigned long *)&u)[addr / 8];
	} else if (addr >= USER_DEBUGREG_OFFSET && addr < USER_DEBUGREG_OFFSET + 64) {
		value = get_debugreg(&child->thread, (unsigned int)(addr - USER_DEBUGREG_OFFSET) / 8);
	}
	return put_user(value, to);
}

static long poke_user(struct task_struct *child, unsigned long addr, unsigned long value)
{
	struct user_regs_struct u;

	if (bad_user_offset(addr))
		return -EIO;
	if (addr >= USER_DEBUGREG_OFFSET && addr < USER_DEBUGREG_OFFSET + 64)
		return set_debugreg(&child->thread, (unsigned int)(addr - USER_DEBUGREG_OFFSET) / 8, value);
	if (addr >= sizeof(u))
		return -EIO;
	get_user_regs(child, &u);
	((unsigned long *)&u)[addr / 8] = value;
	return set_user_regs(child, &u);
}

/* ---- register sets ---- */

static long gp_regset(struct task_struct *child, bool set, void __user *buf, size_t *len)
{
	struct user_regs_struct u;

	*len = min(*len, sizeof(u));
	get_user_regs(child, &u);
	if (!set)
		return copy_to_user(buf, &u, *len) ? -EFAULT : 0;
	if (copy_from_user(&u, buf, *len))
		return -EFAULT;
	return set_user_regs(child, &u);
}

/* size: how much of the image belongs to the set. */
static long fp_regset(struct task_struct *child, bool set, size_t size, void __user *buf, size_t *len)
{
	struct xregs_state *state;
	long ret = 0;

	if (!child->thread.fpu.state)
		return -ENODEV;
	state = kzalloc(max((size_t)fpu_user_xstate_size, sizeof(*state)) + 64, GFP_KERNEL);
	if (!state)
		return -ENOMEM;
	fpu_get_state(child, state);
	if (!set) {
		*len = min(*len, size);
		ret = copy_to_user(buf, state, *len) ? -EFAULT : 0;
	} else if (*len != size) {
		ret = -EFAULT;
	} else {
		ret = copy_from_user(state, buf, size) ? -EFAULT : fpu_set_state(child, state, size);
	}
	kfree(state);
	return ret;
}

long ptrace_fxregset(struct task_struct *child, bool set, void __user *buf, size_t *len)
{
	return fp_regset(child, set, sizeof(struct fxregs_state), buf, len);
}

/* The view follows the tracee's code segment, not its tracer. */
long ptrace_regset(struct task_struct *child, bool set, unsigned long type, void __user *buf, size_t *len)
{
	if (type != NT_X86_XSTATE && task_pt_regs(child)->cs == __USER32_CS)
		return ptrace_regset32(child, set, type, buf, len);
	if (*len % 8)
		return -EINVAL;
	switch (type) {
	case NT_PRSTATUS:
		return gp_regset(child, set, buf, len);
	case NT_PRFPREG:
		return ptrace_fxregset(child, set, buf, len);
	case NT_X86_XSTATE:
		if (fpu_user_xstate_size <= sizeof(struct fxregs_state))
			return -ENODEV;
		return fp_regset(child, set, fpu_user_xstate_size, buf, len);
	default:
		return -EINVAL;
	}
}

/* ---- requests of this processor ---- */

long arch_ptrace(struct task_struct *child, long request, unsigned long addr, unsigned long data)
{
	size_t regs = sizeof(struct user_regs_struct), fpregs = sizeof(struct fxregs_state);
	void __user *udata = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKUSR:
		return peek_user(child, addr, udata);
	case PTRACE_POKEUSR:
		return poke_user(child, addr, data);
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		return gp_regset(child, request == PTRACE_SETREGS, udata, &regs);
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		return fp_regset(child, request == PTRACE_SETFPREGS, fpregs, udata, &fpregs);
	case PTRACE_GET_THREAD_AREA:
	case PTRACE_SET_THREAD_AREA:
		return ptrace_thread_area(child, request == PTRACE_SET_THREAD_AREA, addr, udata);
	case PTRACE_ARCH_PRCTL:
		return do_arch_prctl_64(child, (int)data, addr);
	default:
		return -EIO;
	}
}
