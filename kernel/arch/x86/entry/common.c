/*
 * common.c: the C side of entry and exit: work before user mode, tracing of system calls, calls that do not exist.
 *
 * Idea:    exit_to_user_mode() is the one gate to user mode: it loops, with interrupts off at each look, until no flag
 *          asks for anything, so a signal or a wish to reschedule that arrives late is still seen.
 * Locking: interrupts are off on entry and on return of every exit function here; work runs with them on.
 * See:     spec.md §2; entry_64.S
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/ptrace.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/seccomp.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include <weft/task_work.h>
#include <weft/trace.h>
#include <weft/string.h>
#include <weft/errno.h>
#include <asm/fpu.h>
#include <asm/syscall.h>
#include <asm/entry.h>
#include <generated/nr_syscalls.h>

static atomic_long_t unimplemented[NR_syscalls + 1];	/* [a] the last: numbers beyond the table */

/* The slow path of every task, or not: the trace events of system calls were switched.  Any context that may wait. */
void syscall_trace_switch(bool on)
{
	struct task_struct *p, *t;

	rcu_read_lock();
	if (on)
		set_tsk_thread_flag(&init_task, TIF_SYSCALL_TRACEPOINT);	/* from which all that follow copy it */
	else
		clear_tsk_thread_flag(&init_task, TIF_SYSCALL_TRACEPOINT);
	for_each_process_thread(p, t) {
		if (on)
			set_tsk_thread_flag(t, TIF_SYSCALL_TRACEPOINT);
		else
			clear_tsk_thread_flag(t, TIF_SYSCALL_TRACEPOINT);
	}
	rcu_read_unlock();
}

static void exit_work(struct pt_regs *regs, unsigned long flags)
{
	if (flags & _TIF_NEED_RESCHED)
		schedule();
	if (flags & (_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL))
		arch_do_signal_or_restart(regs);
	if (flags & _TIF_NOTIFY_RESUME)
		resume_user_mode_work(regs);
}

void exit_to_user_mode(struct pt_regs *regs)
{
	unsigned long flags;

	while ((flags = read_thread_flags()) & _TIF_USER_WORK) {
		local_irq_enable();
		exit_work(regs, flags);
		local_irq_disable();
	}
	if (flags & _TIF_NEED_FPU_LOAD)
		switch_fpu_return();
}

void syscall_exit_to_user_mode(struct pt_regs *regs)
{
	unsigned long flags = read_thread_flags();

	if (unlikely(flags & _TIF_SYSCALL_EXIT_WORK)) {
		local_irq_enable();
		trace_sys_exit(current->pid, regs->orig_ax, regs->ax);
		ptrace_syscall_exit(regs, flags);
		local_irq_disable();
	}
	exit_to_user_mode(regs);
}

/* Returns the number of the call to make, -1: none, and ax holds what the program gets. */
long syscall_trace_enter(struct pt_regs *regs)
{
	unsigned long args[6];

	if (!ptrace_syscall_enter(regs, read_thread_flags()) || !secure_computing(regs))
		return -1;
	syscall_get_arguments(current, regs, args);
	trace_sys_enter(current->pid, regs->orig_ax, args[0], args[1], args[2], args[3]);
	return (long)regs->orig_ax;
}

/* Every hole of the table: counted, so that /proc/weft/unimplemented shows what a program missed. */
long sys_unimplemented(void)
{
	unsigned long nr = min_t(unsigned long, current_pt_regs()->orig_ax, NR_syscalls);

	atomic_long_inc(&unimplemented[nr]);
	return -ENOSYS;
}

unsigned long unimplemented_count(unsigned int nr)
{
	return nr <= NR_syscalls ? (unsigned long)atomic_long_read(&unimplemented[nr]) : 0;
}

/* /proc/weft/unimplemented: number, name and count of each missing call that was made. */
static int unimplemented_show(struct seq_file *m, void *v)
{
	for (unsigned int nr = 0; nr <= NR_syscalls; nr++) {
		unsigned long n = unimplemented_count(nr);
		const char *name = nr < NR_syscalls && syscall_names[nr] ? syscall_names[nr] : "?";

		if (n)
			seq_printf(m, "%u %s %lu\n", nr, name, n);
	}
	return 0;
}

static int __init unimplemented_init(void)
{
	return proc_create_single("weft/unimplemented", 0444, NULL, unimplemented_show) ? 0 : -ENOMEM;
}
fs_initcall(unimplemented_init);

/*
 * An iretq to user mode faulted: the frame it wanted to load is what `regs->sp` points to.  Makes it look as if the
 * exception had come from user mode with that frame, at the top of the task's stack.
 */
struct pt_regs *fixup_bad_iret(struct pt_regs *regs)
{
	struct pt_regs *top = current_pt_regs();
	struct pt_regs fixed = *regs;

	memcpy(&fixed.ip, (void *)regs->sp, 5 * sizeof(unsigned long));
	*top = fixed;
	return top;
}
