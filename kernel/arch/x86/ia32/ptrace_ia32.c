/*
 * ptrace_ia32.c: the registers of a 32-bit task as debuggers see them, and what a 32-bit debugger asks.
 *
 * Idea:    which view of a task a register set shows follows the task: PTRACE_GETREGSET by a 64-bit debugger on a 32-bit
 *          tracee fills in i386's structures.  What the older requests (GETREGS, PEEKUSR, ...) show follows the debugger.
 *          Writing goes through the 64-bit structure: what i386 does not have stays as it is.
 * Values:  eax and orig_eax are widened with their sign, so that -1 and -ERESTART* a debugger puts back mean what they did.
 * Locking: the tracee is frozen for its tracer (kernel/task/ptrace.c).
 * See:     arch/x86/kernel/ptrace.c; ptrace(2); include/weft/ptrace.h
 */
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <uapi/elf.h>
#include <uapi/ldt.h>
#include <asm/fpu.h>
#include <asm/ia32.h>
#include <asm/segment.h>

#define USER32_SIZE	284		/* struct user32 */
#define USER32_DEBUGREG	252		/* u_debugreg[8] in it */

static_assert(sizeof(struct user_regs_struct32) == 68);

/* ---- general registers ---- */

void get_user_regs32(struct task_struct *child, struct user_regs_struct32 *u)
{
	struct user_regs_struct r;

	get_user_regs(child, &r);
	*u = (struct user_regs_struct32){
		.bx = (u32)r.bx, .cx = (u32)r.cx, .dx = (u32)r.dx, .si = (u32)r.si, .di = (u32)r.di, .bp = (u32)r.bp,
		.ax = (u32)r.ax, .ds = (u32)r.ds, .es = (u32)r.es, .fs = (u32)r.fs, .gs = (u32)r.gs,
		.orig_ax = (u32)r.orig_ax, .ip = (u32)r.ip, .cs = (u32)r.cs, .flags = (u32)r.flags, .sp = (u32)r.sp,
		.ss = (u32)r.ss,
	};
}

/* A selector brings its base along; the program's next switch in would take the one that was saved. */
static unsigned long base_of(struct task_struct *child, unsigned long selector, unsigned long old, unsigned long old_base)
{
	unsigned int idx = (unsigned int)selector >> 3;

	if (selector == old)
		return old_base;
	if ((selector & 4) || idx < GDT_ENTRY_TLS_MIN || idx >= GDT_ENTRY_TLS_MIN + GDT_ENTRY_TLS_ENTRIES)
		return 0;
	return desc_base(child->thread.tls_array[idx - GDT_ENTRY_TLS_MIN].raw);
}

static long set_user_regs32(struct task_struct *child, const struct user_regs_struct32 *u)
{
	struct user_regs_struct r;

	get_user_regs(child, &r);
	r.fs_base = base_of(child, u->fs, r.fs, r.fs_base);
	r.gs_base = base_of(child, u->gs, r.gs, r.gs_base);
	r.bx = u->bx;
	r.cx = u->cx;
	r.dx = u->dx;
	r.si = u->si;
	r.di = u->di;
	r.bp = u->bp;
	r.ax = (unsigned long)(long)(s32)u->ax;
	r.orig_ax = (unsigned long)(long)(s32)u->orig_ax;
	r.ds = u->ds;
	r.es = u->es;
	r.fs = u->fs;
	r.gs = u->gs;
	r.ip = u->ip;
	r.cs = u->cs;
	r.flags = u->flags;
	r.sp = u->sp;
	r.ss = u->ss;
	return set_user_regs(child, &r);
}

static long gp_regset32(struct task_struct *child, bool set, void __user *buf, size_t *len)
{
	struct user_regs_struct32 u;

	*len = min(*len, sizeof(u));
	get_user_regs32(child, &u);
	if (!set)
		return copy_to_user(buf, &u, *len) ? -EFAULT : 0;
	if (copy_from_user(&u, buf, *len))
		return -EFAULT;
	return set_user_regs32(child, &u);
}

/* ---- floating point ---- */

/* Without what signal frames add to FSAVE's image. */
void get_fpregs32(const struct xregs_state *state, void *buf)
{
	struct fregs_state env;

	fregs_from_fxregs(&env, &state->i387);
	memcpy(buf, &env, FPREGS32_SIZE);
}

static long fp_regset32(struct task_struct *child, bool set, void __user *buf, size_t *len)
{
	struct xregs_state *state;
	struct fregs_state env;
	long ret = 0;

	*len = min(*len, (size_t)FPREGS32_SIZE);
	if (!child->thread.fpu.state)
		return -ENODEV;
	state = kzalloc(max((size_t)fpu_user_xstate_size, sizeof(*state)) + 64, GFP_KERNEL);
	if (!state)
		return -ENOMEM;
	fpu_get_state(child, state);
	fregs_from_fxregs(&env, &state->i387);
	if (!set) {
		ret = copy_to_user(buf, &env, *len) ? -EFAULT : 0;
	} else if (copy_from_user(&env, buf, *len)) {
		ret = -EFAULT;
	} else {
		fregs_to_fxregs(&state->i387, &env);
		ret = fpu_set_state(child, state, sizeof(struct fxregs_state));
	}
	kfree(state);
	return ret;
}

/* ---- thread areas ---- */

void get_thread_areas(struct task_struct *child, struct user_desc *areas)
{
	static_assert(NR_THREAD_AREAS == GDT_ENTRY_TLS_ENTRIES);
	for (unsigned int i = 0; i < NR_THREAD_AREAS; i++)
		areas[i] = get_thread_area_of(child, i);
}

static long tls_regset(struct task_struct *child, bool set, void __user *buf, size_t *len)
{
	struct user_desc __user *desc = buf;
	unsigned int n = (unsigned int)min_t(size_t, *len / sizeof(*desc), GDT_ENTRY_TLS_ENTRIES);
	long ret = 0;

	if (*len % sizeof(*desc))
		return -EINVAL;
	for (unsigned int i = 0; i < n && !ret; i++)
		ret = set ? do_set_thread_area(child, (int)(GDT_ENTRY_TLS_MIN + i), &desc[i], false) :
			    do_get_thread_area(child, (int)(GDT_ENTRY_TLS_MIN + i), &desc[i]);
	*len = n * sizeof(*desc);
	return ret;
}

long ptrace_thread_area(struct task_struct *child, bool set, unsigned long idx, void __user *desc)
{
	if ((int)idx < 0)
		return -EIO;
	return set ? do_set_thread_area(child, (int)idx, desc, false) : do_get_thread_area(child, (int)idx, desc);
}

/* ---- register sets ---- */

long ptrace_regset32(struct task_struct *child, bool set, unsigned long type, void __user *buf, size_t *len)
{
	switch (type) {
	case NT_PRSTATUS:
		return *len % 4 ? -EINVAL : gp_regset32(child, set, buf, len);
	case NT_PRFPREG:
		return *len % 4 ? -EINVAL : fp_regset32(child, set, buf, len);
	case NT_PRXFPREG:
		return *len % 4 ? -EINVAL : ptrace_fxregset(child, set, buf, len);
	case NT_386_TLS:
		return tls_regset(child, set, buf, len);
	default:
		return -EINVAL;
	}
}

/* ---- struct user32 ---- */

static long peek_user32(struct task_struct *child, u32 addr, u32 __user *to)
{
	struct user_regs_struct32 u;
	u32 value = 0;

	if ((addr & 3) || addr > USER32_SIZE - 3)
		return -EIO;
	if (addr < sizeof(u)) {
		get_user_regs32(child, &u);
		value = ((u32 *)&u)[addr / 4];
	} else if (addr >= USER32_DEBUGREG && addr < USER32_DEBUGREG + 32) {
		value = (u32)ptrace_get_debugreg(child, (addr - USER32_DEBUGREG) / 4);
	}
	return put_user(value, to);
}

static long poke_user32(struct task_struct *child, u32 addr, u32 value)
{
	struct user_regs_struct32 u;

	if ((addr & 3) || addr > USER32_SIZE - 3)
		return -EIO;
	if (addr >= USER32_DEBUGREG && addr < USER32_DEBUGREG + 32)
		return ptrace_set_debugreg(child, (addr - USER32_DEBUGREG) / 4, value);
	if (addr >= sizeof(u))
		return 0;		/* the rest of the structure is about a.out core files: nothing to change */
	get_user_regs32(child, &u);
	((u32 *)&u)[addr / 4] = value;
	return set_user_regs32(child, &u);
}

/* ---- requests of a 32-bit debugger ---- */

long compat_arch_ptrace(struct task_struct *child, long request, unsigned long addr, unsigned long data)
{
	size_t regs = sizeof(struct user_regs_struct32), fpregs = FPREGS32_SIZE, fxregs = sizeof(struct fxregs_state);
	void __user *udata = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKUSR:
		return peek_user32(child, (u32)addr, udata);
	case PTRACE_POKEUSR:
		return poke_user32(child, (u32)addr, (u32)data);
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		return gp_regset32(child, request == PTRACE_SETREGS, udata, &regs);
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		return fp_regset32(child, request == PTRACE_SETFPREGS, udata, &fpregs);
	case PTRACE_GETFPXREGS:
	case PTRACE_SETFPXREGS:
		return ptrace_fxregset(child, request == PTRACE_SETFPXREGS, udata, &fxregs);
	case PTRACE_GET_THREAD_AREA:
	case PTRACE_SET_THREAD_AREA:
		return ptrace_thread_area(child, request == PTRACE_SET_THREAD_AREA, addr, udata);
	default:
		return -EIO;
	}
}
