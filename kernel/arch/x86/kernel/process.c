/*
 * process.c: tasks as the processor sees them: making one, switching to one, starting a program, FS and GS bases, idle.
 *
 * Idea:    copy_thread() builds, at the top of the child's stack, the registers it will take to user mode, and below them
 *          a frame as if the child had called __switch_to_asm from ret_from_fork_asm.  The first switch to it "returns"
 *          there.
 * FS, GS:  with FSGSBASE a program may change its bases at any time, so the switch reads them from the processor;
 *          without, only arch_prctl() and selector loads change them and thread_struct is right.  While the kernel
 *          runs, the user's GS base waits in the register behind swapgs.
 * Locking: the switch runs with interrupts off and the run queue locked; thread_struct is [o] otherwise.
 * See:     spec.md §3 "creation", §5 "segmentation"; entry/entry_64.S; doc/tour.md
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/init.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/random.h>
#include <weft/mm.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <asm/fpu.h>
#include <asm/ia32.h>
#include <asm/ioport.h>
#include <asm/msr.h>
#include <asm/switch_to.h>

#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define ARCH_GET_FS	0x1003
#define ARCH_GET_GS	0x1004

static_assert(offsetof(struct thread_info, flags) == TI_flags);
static_assert(offsetof(struct pt_regs, bx) == PT_RBX && offsetof(struct pt_regs, ax) == PT_RAX);
static_assert(offsetof(struct pt_regs, di) == PT_RDI && offsetof(struct pt_regs, orig_ax) == PT_ORIG_RAX);
static_assert(offsetof(struct pt_regs, ss) == PT_SS && sizeof(struct pt_regs) == PT_SIZE);
static_assert(offsetof(struct tss_struct, sp0) == 4 && offsetof(struct tss_struct, sp2) == 20);

struct fork_frame {
	struct inactive_task_frame	frame;
	struct pt_regs			regs;
};

/* What this CPU has in the register that swapgs will bring back: the user's GS base.  Interrupts off. */
static unsigned long rdgsbase_inactive(void)
{
	unsigned long base;

	asm volatile("swapgs; rdgsbase %0; swapgs" : "=r" (base) : : "memory");
	return base;
}

static void wrgsbase_inactive(unsigned long base)
{
	if (fsgsbase_enabled)
		asm volatile("swapgs; wrgsbase %0; swapgs" : : "r" (base) : "memory");
	else
		wrmsrl(MSR_KERNEL_GS_BASE, base);
}

static void save_segments(struct thread_struct *t)
{
	savesegment(fs, t->fsindex);
	savesegment(gs, t->gsindex);
	savesegment(es, t->es);
	savesegment(ds, t->ds);
	if (fsgsbase_enabled) {
		asm volatile("rdfsbase %0" : "=r" (t->fsbase));
		t->gsbase = rdgsbase_inactive();
	} else if (unlikely(t->fsindex | t->gsindex)) {
		/* A selector's base came from its descriptor, past us. */
		rdmsrl(MSR_FS_BASE, t->fsbase);
		rdmsrl(MSR_KERNEL_GS_BASE, t->gsbase);
	}
}

/*
 * Loading a selector changes the base in force, which is the kernel's here.  Not on the user's side of swapgs: the load may
 * fault, and the handler needs the kernel's base.
 *
 *      a thread with %gs = an LDT selector, asleep     another thread
 *                                                      modify_ldt() clears the entry
 *      switched to: mov %gs: #GP; base unchanged,
 *      so the handler and the fixup work: null selector
 * Both bases are the kernel's meanwhile, so that an NMI in between finds it with swapgs and without.  Interrupts off; the
 * caller writes the user's base afterwards.  The base that the selector's descriptor has.
 */
static unsigned long load_user_gs(unsigned int selector)
{
	unsigned long base = per_cpu_offset(raw_smp_processor_id()), user;

	wrmsrl(MSR_KERNEL_GS_BASE, base);
	loadsegment(gs, selector);
	rdmsrl(MSR_GS_BASE, user);
	wrmsrl(MSR_GS_BASE, base);
	return user;
}

static void load_segments(const struct thread_struct *prev, const struct thread_struct *next)
{
	if (unlikely(next->es | prev->es))
		loadsegment(es, next->es);
	if (unlikely(next->ds | prev->ds))
		loadsegment(ds, next->ds);
	if (unlikely(next->fsindex | prev->fsindex))
		loadsegment(fs, next->fsindex);
	if (unlikely(next->gsindex | prev->gsindex))
		load_user_gs(next->gsindex);
	if (fsgsbase_enabled) {
		asm volatile("wrfsbase %0" : : "r" (next->fsbase));
		wrgsbase_inactive(next->gsbase);
	} else {
		wrmsrl(MSR_FS_BASE, next->fsbase);
		wrmsrl(MSR_KERNEL_GS_BASE, next->gsbase);
	}
}

static bool has_tls(const struct thread_struct *t)
{
	return t->tls_array[0].raw | t->tls_array[1].raw | t->tls_array[2].raw;
}

/* Of a task that a debugger gave break points, or of the next one after it: then all are off. */
static void load_debug_registers(const struct thread_struct *t)
{
	asm volatile("mov %0, %%db7" : : "r" (0UL));
	if (!t->dr7)
		return;
	asm volatile("mov %0, %%db0" : : "r" (t->debugreg[0]));
	asm volatile("mov %0, %%db1" : : "r" (t->debugreg[1]));
	asm volatile("mov %0, %%db2" : : "r" (t->debugreg[2]));
	asm volatile("mov %0, %%db3" : : "r" (t->debugreg[3]));
	asm volatile("mov %0, %%db7" : : "r" (t->dr7));
}

/* Break points are not handed down.  tsk: current, or one that does not run. */
void flush_ptrace_hw_breakpoint(struct task_struct *tsk)
{
	struct thread_struct *t = &tsk->thread;

	preempt_disable();
	if (tsk == current && t->dr7)
		asm volatile("mov %0, %%db7" : : "r" (0UL));
	memset(t->debugreg, 0, sizeof(t->debugreg));
	t->dr7 = t->virtual_dr6 = 0;
	preempt_enable();
}

/* On next's stack already; jumped to by __switch_to_asm.  What it returns is switch_to()'s `last`. */
struct task_struct *__switch_to(struct task_struct *prev, struct task_struct *next)
{
	struct thread_struct *pt = &prev->thread, *nt = &next->thread;

	/* Only user tasks have vector registers, and only if they are loaded there is something to save. */
	if (pt->fpu.state && !(prev->flags & PF_KTHREAD) && !test_tsk_thread_flag(prev, TIF_NEED_FPU_LOAD)) {
		fpu_save_registers(&pt->fpu);
		pt->fpu.last_cpu = raw_smp_processor_id();
	}
	save_segments(pt);
	if (unlikely(has_tls(pt) || has_tls(nt)))
		load_tls(nt->tls_array, raw_smp_processor_id());
	load_segments(pt, nt);
	if (unlikely(pt->dr7 | nt->dr7))
		load_debug_registers(nt);
	if (unlikely(pt->ports != nt->ports))
		load_io_bitmap(nt);

	this_cpu_write(current_task, next);
	this_cpu_write(cpu_tss.sp0, task_top_of_stack(next));
	task_thread_info(next)->cpu = (u32)raw_smp_processor_id();
	if (nt->fpu.state)
		set_tsk_thread_flag(next, TIF_NEED_FPU_LOAD);
	return prev;
}

void __init arch_task_cache_init(void)
{
	fpu_caches_init();
}

int arch_dup_task_struct(struct task_struct *dst, struct task_struct *src)
{
	*dst = *src;
	dst->thread.fpu = (struct fpu){ .last_cpu = -1 };
	dst->thread.ports = dst->thread.io_bitmap = NULL;
	dst->thread.iopl = 0;
	return 0;
}

void arch_release_task_struct(struct task_struct *tsk)
{
	io_bitmap_exit(tsk);
	fpu_free(tsk);
}

int copy_thread(struct task_struct *p, const struct kernel_clone_args *args)
{
	struct fork_frame *ff = (struct fork_frame *)task_top_of_stack(p) - 1;
	unsigned long flags;
	int err;

	memset(&ff->frame, 0, sizeof(ff->frame));
	ff->frame.ret_addr = (unsigned long)ret_from_fork_asm;
	ff->frame.bp = (unsigned long)&ff->regs + 1;
	p->thread.sp = (unsigned long)&ff->frame;
	flush_ptrace_hw_breakpoint(p);

	err = fpu_clone(p, args->kthread || args->io_thread);
	if (err)
		return err;
	if (args->kthread || args->io_thread) {
		memset(&ff->regs, 0, sizeof(ff->regs));
		ff->frame.bx = (unsigned long)args->fn;
		ff->frame.r12 = (unsigned long)args->fn_arg;
		p->thread.fsbase = p->thread.gsbase = 0;
		p->thread.fsindex = p->thread.gsindex = p->thread.ds = p->thread.es = 0;
		return 0;
	}
	local_irq_save(flags);
	save_segments(&current->thread);
	local_irq_restore(flags);
	p->thread.ds = current->thread.ds;
	p->thread.es = current->thread.es;
	p->thread.fsindex = current->thread.fsindex;
	p->thread.gsindex = current->thread.gsindex;
	p->thread.fsbase = current->thread.fsbase;
	p->thread.gsbase = current->thread.gsbase;
	ff->regs = *current_pt_regs();
	ff->regs.ax = 0;
	if (test_thread_flag(TIF_FORCED_TF))
		ff->regs.flags &= ~X86_EFLAGS_TF;	/* our tracer's step, not the child's */
	io_bitmap_share(p);
	if (args->stack)
		ff->regs.sp = args->stack;
	if (args->flags & CLONE_SETTLS)
		return in_compat_syscall() ? do_set_thread_area(p, -1, (struct user_desc __user *)args->tls, false) :
					     (int)do_arch_prctl_64(p, ARCH_SET_FS, args->tls);
	return 0;
}

void exit_thread(struct task_struct *tsk)
{
	io_bitmap_exit(tsk);
	fpu_free(tsk);
}

void flush_thread(void)
{
	struct thread_struct *t = &current->thread;

	memset(t->tls_array, 0, sizeof(t->tls_array));
	t->trap_nr = t->error_code = t->cr2 = 0;
	flush_ptrace_hw_breakpoint(current);
	fpu_flush_thread();
}

void arch_set_personality(bool ia32)
{
	if (ia32)
		set_thread_flag(TIF_ADDR32);
	else
		clear_thread_flag(TIF_ADDR32);
	/* The call that runs this returns to the new program, and is none of it. */
	current_thread_info()->status &= ~(TS_COMPAT | TS_TIME32);
}

void start_thread(struct pt_regs *regs, unsigned long ip, unsigned long sp)
{
	struct thread_struct *t = &current->thread;
	struct thread_struct clean = { 0 };
	unsigned long flags;

	memset(regs, 0, sizeof(*regs));
	regs->orig_ax = -1UL;
	regs->ip = ip;
	regs->sp = sp;
	regs->cs = __USER_CS;
	regs->ss = __USER_DS;
	regs->flags = X86_EFLAGS_IF;

	local_irq_save(flags);
	save_segments(t);
	load_segments(t, &clean);
	t->fsindex = t->gsindex = t->ds = t->es = 0;
	t->fsbase = t->gsbase = 0;
	load_tls(t->tls_array, raw_smp_processor_id());
	local_irq_restore(flags);
}

/* The same for a 32-bit program, in which data segments count. */
void start_thread_ia32(struct pt_regs *regs, unsigned long ip, unsigned long sp)
{
	start_thread(regs, ip, sp);
	regs->cs = __USER32_CS;
	load_user_selectors(__USER_DS, __USER_DS, 0, 0);
}

void load_user_selectors(u16 ds, u16 es, u16 fs, u16 gs)
{
	unsigned long flags, base;

	local_irq_save(flags);
	loadsegment(ds, ds);
	loadsegment(es, es);
	loadsegment(fs, fs);
	/* The base that the selector brings along is the user's; ours comes back into force. */
	base = load_user_gs(gs);
	wrgsbase_inactive(gs & ~3 ? base : 0);
	local_irq_restore(flags);
}

void read_user_selectors(u16 *ds, u16 *es, u16 *fs, u16 *gs)
{
	savesegment(ds, *ds);
	savesegment(es, *es);
	savesegment(fs, *fs);
	savesegment(gs, *gs);
}

static long set_base(struct task_struct *task, bool fs, unsigned long addr)
{
	struct thread_struct *t = &task->thread;
	unsigned long flags;

	if (addr >= TASK_SIZE_MAX)
		return -EPERM;
	local_irq_save(flags);
	if (fs) {
		t->fsindex = 0;
		t->fsbase = addr;
		if (task == current) {
			loadsegment(fs, 0);
			wrmsrl(MSR_FS_BASE, addr);
		}
	} else {
		t->gsindex = 0;
		t->gsbase = addr;
		if (task == current) {
			load_user_gs(0);
			wrgsbase_inactive(addr);
		}
	}
	local_irq_restore(flags);
	return 0;
}

static unsigned long get_base(struct task_struct *task, bool fs)
{
	if (task == current) {
		unsigned long flags;

		local_irq_save(flags);
		save_segments(&task->thread);
		local_irq_restore(flags);
	}
	return fs ? task->thread.fsbase : task->thread.gsbase;
}

long do_arch_prctl_64(struct task_struct *task, int option, unsigned long arg2)
{
	switch (option) {
	case ARCH_SET_FS:
		return set_base(task, true, arg2);
	case ARCH_SET_GS:
		return set_base(task, false, arg2);
	case ARCH_GET_FS:
		return put_user(get_base(task, true), (unsigned long __user *)arg2);
	case ARCH_GET_GS:
		return put_user(get_base(task, false), (unsigned long __user *)arg2);
	default:
		return -EINVAL;
	}
}

long sys_arch_prctl(int option, unsigned long arg2)
{
	return do_arch_prctl_64(current, option, arg2);
}

/* Interrupts off: hlt sleeps until one comes; sti lets it in only after hlt has begun. */
void arch_cpu_idle(void)
{
	safe_halt();
}

/* Linux's habit: the stack starts at a random place of its last 8 KiB, 16-byte aligned. */
unsigned long arch_align_stack(unsigned long sp)
{
	sp -= get_random_u32() % 8192;
	return sp & ~0xfUL;
}

/* The heap starts somewhere in the 32 MiB behind the program. */
unsigned long arch_randomize_brk(struct mm_struct *mm)
{
	return PAGE_ALIGN(mm->brk + get_random_u32() % 0x02000000);
}

bool arch_get_random_long(unsigned long *v)
{
	bool ok = false;

	if (boot_cpu_has(X86_FEATURE_RDRAND))
		asm volatile("rdrand %0" : "=r" (*v), "=@ccc" (ok));
	return ok;
}
