/*
 * main.c: from the first C function to the first user program.
 *
 * What:    start_kernel() runs as init_task (pid 0) on the boot processor; rest_init() makes pid 1 (kernel_init) and
 *          pid 2 (kthreadd) and turns pid 0 into the idle task.  kernel_init() does the late start-up as a kernel
 *          thread and then becomes user space by execve, keeping its pid.
 * Idea:    each subsystem is brought up once, in the order of what it needs: memory, then tasks, then interrupts and
 *          time, then files.  What has no fixed place in that order is an initcall.
 * Locking: one processor with interrupts off until local_irq_enable(); no other task until rest_init().
 * See:     spec.md §4 "the first tasks"; doc/boot.md
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/pid_namespace.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/selftest.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fcntl.h>
#include <weft/irq.h>
#include <weft/interrupt.h>
#include <weft/hrtimer.h>
#include <weft/timer.h>
#include <weft/timekeeping.h>
#include <weft/kthread.h>
#include <weft/workqueue.h>
#include <weft/pid.h>
#include <weft/cred.h>
#include <weft/signal.h>
#include <weft/smp.h>
#include <weft/rcu.h>
#include <weft/percpu.h>
#include <weft/trace.h>
#include <weft/xarray.h>
#include <weft/string.h>
#include <weft/xarray.h>
#include <weft/console.h>
#include <weft/proc_fs.h>
#include <weft/utsname.h>
#include <weft/main.h>

static DECLARE_COMPLETION(kthreadd_done);

/* What to run as pid 1, and with which words: "init=" and the words of the command line that nobody else took. */
#define MAX_INIT_WORDS	32
static const char *execute_command;
static const char *argv_init[MAX_INIT_WORDS + 2] = { "init" };
static const char *envp_init[MAX_INIT_WORDS + 3] = { "HOME=/", "TERM=linux" };

static int __init init_setup(char *path)
{
	execute_command = path;
	return 1;
}
__setup("init=", init_setup);
__setup("rdinit=", init_setup);

/* Called by parse_args() for a word that is no kernel parameter: "a=b" goes into init's environment, "a" to its words. */
void __init pass_to_init(char *word, bool has_value)
{
	const char **list = has_value ? envp_init : argv_init;
	int n = 0;

	while (list[n])
		n++;
	if (n <= MAX_INIT_WORDS)
		list[n] = word;
}

static void __init do_initcalls(void)
{
	for (initcall_t *call = __initcall_start; call < __initcall_end; call++) {
		int err = (*call)();

		if (err)
			printk(KERN_WARNING "initcall %pS: error %d\n", *call, err);
	}
}

static int run_init_process(const char *path)
{
	argv_init[0] = path;
	return kernel_execve(path, argv_init, envp_init);
}

/* Turns this kernel thread into the first user process; only returns when there is none. */
static void run_first_program(void)
{
	static const char *const candidates[] = { "/init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
	int err;

	if (execute_command) {
		err = run_init_process(execute_command);
		if (!err)
			return;
		panic("init: cannot run %s (error %d)", execute_command, err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		err = run_init_process(candidates[i]);
		if (!err)
			return;
		if (err != -ENOENT)
			printk(KERN_ERR "init: %s exists but cannot be run (error %d)\n", candidates[i], err);
	}
	panic("init: no program to run; give an initramfs with /init, or init= on the command line");
}

/* Pid 1.  Starts as a kernel thread made by kernel_thread(), ends in user space. */
static int kernel_init(void *unused)
{
	wait_for_completion(&kthreadd_done);
	system_state = SYSTEM_SCHEDULING;

	smp_init();
	sched_init_smp();
	workqueue_init();
	do_initcalls();
	populate_rootfs();
	console_on_rootfs();
	prepare_root();

	rcu_barrier();
	free_initmem();
	mark_rodata_ro();
	system_state = SYSTEM_RUNNING;
	printk(KERN_INFO "weft: running init after %llu us\n", ktime_get_boottime_ns() / 1000);
	run_selftests();

	run_first_program();
	return 0;
}

/*
 * The order matters: pid 1 must be made first to get its number, but it may need kernel threads, so it waits for
 * kthreadd_done.  Pid 0 then has nothing more to do than to be the idle task of this processor.
 * Not inlined: it comes back from its first schedule() when start_kernel(), which called it, may have been freed.
 */
static noinline void __noreturn rest_init(void)
{
	pid_t pid;

	pid = kernel_thread(kernel_init, NULL, CLONE_FS);
	BUG_ON(pid != 1);
	pid = kernel_thread(kthreadd, NULL, CLONE_FS | CLONE_FILES);
	BUG_ON(pid != 2);
	kthreadd_task = find_task_by_pid_ns(pid, &init_pid_ns);
	complete(&kthreadd_done);

	schedule_preempt_disabled();
	cpu_startup_entry();
}

/* The first C function in the higher half: boot processor, interrupts off, early page tables. */
void __init __noreturn start_kernel(void)
{
	setup_arch();
	printk(KERN_NOTICE "%s", weft_banner);
	printk(KERN_INFO "command line: %s\n", boot_command_line);
	setup_per_cpu_areas();
	smp_prepare_boot_cpu();
	parse_args(boot_command_line);

	mm_core_init();
	xarray_init();
	sched_init();
	rcu_init();
	trace_init();

	init_IRQ();
	timekeeping_init();
	timers_init();
	hrtimers_init();
	softirq_init();
	time_init();
	local_irq_enable();
	console_init();

	pid_idr_init();
	cred_init();
	fork_init();
	proc_caches_init();
	signals_init();
	vfs_caches_init();
	pagecache_init();
	proc_root_init();

	rest_init();
}
