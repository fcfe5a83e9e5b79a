/*
 * syscall_32.c: the system calls of 32-bit programs: `int 0x80`.
 *
 * Idea:    number in eax, arguments in ebx, ecx, edx, esi, edi, ebp.  Each row of syscall_32.tbl becomes a small function
 *          that takes the lower halves out of pt_regs, widens them as their types say, and calls the same function as a
 *          64-bit program would.  For the length of the call TS_COMPAT tells those who copy structures (compat.h).
 * Locking: none: thread_info->status is the running task's own.
 * See:     spec.md §2 "int 0x80"; syscall_32.tbl, from which <generated/syscall_table_32.h> is made
 */
#include <weft/compat.h>
#include <weft/init.h>
#include <weft/irqflags.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include <asm/entry.h>
#include <asm/syscall.h>

static long ia32_unimplemented(struct pt_regs *regs);

#include <generated/syscall_table_32.h>

#define COMPAT_SYSCALL(nr, function, name)	[nr] = function,
static long (*const ia32_call_table[NR_compat_syscalls])(struct pt_regs *) = { COMPAT_TABLE };
#undef COMPAT_SYSCALL

#define COMPAT_SYSCALL(nr, function, name)	[nr] = name,
static const char *const ia32_names[NR_compat_syscalls] = { COMPAT_TABLE };
#undef COMPAT_SYSCALL

static atomic_long_t unimplemented[NR_compat_syscalls + 1];	/* [a] the last: numbers beyond the table */

static long ia32_unimplemented(struct pt_regs *regs)
{
	atomic_long_inc(&unimplemented[min_t(u32, (u32)regs->orig_ax, NR_compat_syscalls)]);
	return -ENOSYS;
}

static long dispatch(struct pt_regs *regs)
{
	u32 nr = (u32)regs->orig_ax;

	if (nr >= NR_compat_syscalls || !ia32_call_table[nr])
		return ia32_unimplemented(regs);
	return ia32_call_table[nr](regs);
}

/* From entry_64.S, interrupts off in and out. */
void do_int80_syscall(struct pt_regs *regs)
{
	struct thread_info *ti = current_thread_info();

	local_irq_enable();
	ti->status |= TS_COMPAT;
	if (unlikely(read_thread_flags() & _TIF_SYSCALL_WORK)) {
		long nr = syscall_trace_enter(regs);

		if (nr != -1)
			regs->ax = (unsigned long)dispatch(regs);
	} else {
		regs->ax = (unsigned long)dispatch(regs);
	}
	local_irq_disable();
	syscall_exit_to_user_mode(regs);
	ti->status &= ~(TS_COMPAT | TS_TIME32);
}

/* /proc/weft/unimplemented32: number, name and count of each missing call that a 32-bit program made. */
static int unimplemented_show(struct seq_file *m, void *v)
{
	for (unsigned int nr = 0; nr <= NR_compat_syscalls; nr++) {
		const char *name = nr < NR_compat_syscalls && ia32_names[nr] ? ia32_names[nr] : "?";
		long n = atomic_long_read(&unimplemented[nr]);

		if (n)
			seq_printf(m, "%u %s %ld\n", nr, name, n);
	}
	return 0;
}

static int __init unimplemented_init(void)
{
	return proc_create_single("weft/unimplemented32", 0444, NULL, unimplemented_show) ? 0 : -ENOMEM;
}
fs_initcall(unimplemented_init);
