/*
 * dumpstack.c: registers and back traces with names, and die(): the end of a kernel that broke its own rules.
 *
 * Idea:    all code keeps frame pointers, so a stack is a chain of (saved rbp, return address).  An entry from outside
 *          leaves rbp = address of its pt_regs + 1; the walk shows the interrupted ip and goes on with the saved rbp.
 * Locking: none: may run anywhere, even when everything is broken; every word is read with a fault-proof copy.
 * See:     issue 2 "a symbolised kernel back trace"
 */
#include <weft/kernel.h>
#include <weft/kallsyms.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/uaccess.h>
#include <asm/sections.h>
#include <asm/traps.h>
#include <asm/switch_to.h>

#define MAX_FRAMES	48

bool core_kernel_text(unsigned long addr)
{
	return (addr >= (unsigned long)_stext && addr < (unsigned long)_etext) ||
	       (system_state < SYSTEM_RUNNING && addr >= (unsigned long)__inittext_begin &&
		addr < (unsigned long)__inittext_end);
}

struct stack_walk {
	unsigned long	bp;
	unsigned long	ip;
};

/* Steps to the caller.  False at the end of the chain or at anything odd. */
static bool walk_next(struct stack_walk *w)
{
	unsigned long frame[2];

	if (w->bp & 1) {
		struct pt_regs regs;

		if (copy_from_kernel_nofault(&regs, (void *)(w->bp - 1), sizeof(regs)) || user_mode(&regs))
			return false;
		w->ip = regs.ip;
		w->bp = regs.bp;
		return true;
	}
	if (w->bp < TASK_SIZE_MAX || copy_from_kernel_nofault(frame, (void *)w->bp, sizeof(frame)))
		return false;
	if (!(frame[0] & 1) && frame[0] <= w->bp && frame[0])
		return false;		/* frames go up the stack, or it is not a stack */
	w->bp = frame[0];
	w->ip = frame[1];
	return core_kernel_text(w->ip);
}

static void print_trace(struct stack_walk w, const char *level)
{
	printk("%sCall trace:\n", level);
	if (w.ip)
		printk("%s  [<%px>] %pS\n", level, (void *)w.ip, (void *)w.ip);
	/* A return address may lie behind the end of a function whose last call does not return: name the call. */
	for (int i = 0; i < MAX_FRAMES && walk_next(&w); i++)
		printk("%s  [<%px>] %pS\n", level, (void *)w.ip, (void *)(w.ip - 1));
}

static struct stack_walk walk_of_task(struct task_struct *task)
{
	struct stack_walk w = { 0, 0 };
	struct inactive_task_frame frame;

	if (!task || task == current) {
		w.bp = (unsigned long)__builtin_frame_address(0);
	} else if (!READ_ONCE(task->on_cpu) &&
		   !copy_from_kernel_nofault(&frame, (void *)task->thread.sp, sizeof(frame))) {
		w.bp = frame.bp;
		w.ip = frame.ret_addr;
	}
	return w;
}

unsigned int stack_trace_save_tsk(struct task_struct *tsk, unsigned long *store, unsigned int size, unsigned int skip)
{
	struct stack_walk w = walk_of_task(tsk);
	unsigned int n = 0;

	if (w.ip && !skip && n < size)
		store[n++] = w.ip;
	while (n < size && walk_next(&w)) {
		if (skip)
			skip--;
		else
			store[n++] = w.ip;
	}
	return n;
}

void show_stack(struct task_struct *task)
{
	print_trace(walk_of_task(task), KERN_WARNING);
}

void dump_stack(void)
{
	printk(KERN_WARNING "CPU: %d pid: %d comm: %s\n", raw_smp_processor_id(), current->pid, current->comm);
	show_stack(NULL);
}

/* Where a sleeping task waits: the first function on its stack that is not the scheduler's own. */
unsigned long __get_wchan(struct task_struct *p)
{
	unsigned long ips[8];
	unsigned int n = stack_trace_save_tsk(p, ips, ARRAY_SIZE(ips), 0);
	char name[KSYM_NAME_LEN];

	for (unsigned int i = 0; i < n; i++) {
		const char *s = kallsyms_lookup(ips[i], NULL, NULL, name);

		if (s && !strstr(s, "schedule") && strncmp(s, "__switch_to", 11))
			return ips[i];
	}
	return 0;
}

/* A jump to nowhere: the call that did it left its return address on top of the stack. */
static void show_bad_call(const struct pt_regs *regs)
{
	unsigned long caller;

	if (core_kernel_text(regs->ip) || user_mode(regs))
		return;
	if (!copy_from_kernel_nofault(&caller, (void *)regs->sp, sizeof(caller)) && core_kernel_text(caller))
		printk(KERN_EMERG "Called from %pS\n", (void *)(caller - 1));
}

static void show_code(const struct pt_regs *regs)
{
	u8 code[24];
	char text[3 * sizeof(code) + 1];

	if (user_mode(regs) || copy_from_kernel_nofault(code, (void *)regs->ip, sizeof(code)))
		return;
	for (size_t i = 0; i < sizeof(code); i++)
		snprintf(text + 3 * i, 4, "%02x ", code[i]);
	printk(KERN_EMERG "Code: %s\n", text);
}

void show_regs(struct pt_regs *regs)
{
	printk(KERN_EMERG "RIP: %04lx:%pS  RSP: %04lx:%016lx  RFLAGS: %08lx\n",
	       regs->cs, (void *)regs->ip, regs->ss, regs->sp, regs->flags);
	printk(KERN_EMERG "RAX: %016lx RBX: %016lx RCX: %016lx\n", regs->ax, regs->bx, regs->cx);
	printk(KERN_EMERG "RDX: %016lx RSI: %016lx RDI: %016lx\n", regs->dx, regs->si, regs->di);
	printk(KERN_EMERG "RBP: %016lx R08: %016lx R09: %016lx\n", regs->bp, regs->r8, regs->r9);
	printk(KERN_EMERG "R10: %016lx R11: %016lx R12: %016lx\n", regs->r10, regs->r11, regs->r12);
	printk(KERN_EMERG "R13: %016lx R14: %016lx R15: %016lx\n", regs->r13, regs->r14, regs->r15);
	printk(KERN_EMERG "CR2: %016lx CR3: %016lx CR4: %016lx\n", read_cr2(), read_cr3(), read_cr4());
}

/* An exception inside of die(): say so once more, with the bare minimum, and then nothing. */
static void stop_if_recursive(const char *what, const struct pt_regs *regs)
{
	static int depth[NR_CPUS];
	int level = depth[raw_smp_processor_id()]++;

	if (!level)
		return;
	if (level == 1)
		printk(KERN_EMERG "Oops: %s at %px while reporting the first\n", what, (void *)regs->ip);
	for (;;)
		halt();
}

/*
 * An exception in the kernel that nothing foresaw.  The state of the kernel is unknown, so it ends here: registers,
 * trace, panic.
 */
void die(const char *what, struct pt_regs *regs, long error_code)
{
	struct stack_walk w = { regs->bp, regs->ip };

	local_irq_disable();
	oops_in_progress = true;
	stop_if_recursive(what, regs);
	printk(KERN_EMERG "Oops: %s, error code %04lx, CPU %d, pid %d (%s)\n", what, error_code & 0xffff,
	       raw_smp_processor_id(), current->pid, current->comm);
	show_regs(regs);
	show_code(regs);
	show_bad_call(regs);
	print_trace(w, KERN_EMERG);
	panic("%s in the kernel", what);
}
