/*
 * overcommit.c: how much memory may be promised, and how much has been.
 *
 * Idea:    a private writable mapping is a promise: each of its pages may be touched one day.  vm_committed_as is the sum of
 *          all promises, kept in per-CPU parts that are added to the total when they grow too large.
 *          Mode 0 refuses only what could never be, mode 1 refuses nothing, mode 2 keeps the sum below vm_commit_limit().
 * Locking: the total is atomic; each per-CPU part is [c].
 * See:     man 5 proc, /proc/sys/vm/overcommit_memory
 */
#include <weft/capability.h>
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/minmax.h>
#include <weft/mman.h>
#include <weft/percpu.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>

#define COMMIT_BATCH	256			/* pages a processor may be off by */

int sysctl_overcommit_memory = OVERCOMMIT_GUESS;
int sysctl_overcommit_ratio = 50;
unsigned long sysctl_overcommit_kbytes;
unsigned long sysctl_admin_reserve_kbytes = 1 << 13;
unsigned long sysctl_user_reserve_kbytes = 1 << 17;

static atomic_long_t vm_committed_as;		/* [a] pages */
static DEFINE_PER_CPU(long, committed_part);	/* [c] not yet in the total */

void vm_acct_memory(long pages)
{
	long part;

	preempt_disable();
	part = this_cpu_read(committed_part) + pages;
	if (part >= COMMIT_BATCH || part <= -COMMIT_BATCH) {
		atomic_long_add(part, &vm_committed_as);
		part = 0;
	}
	this_cpu_write(committed_part, part);
	preempt_enable();
}

void vm_unacct_memory(long pages)
{
	vm_acct_memory(-pages);
}

/* Pages promised, off by at most COMMIT_BATCH for each processor that is just now at it. */
unsigned long vm_memory_committed(void)
{
	long sum = atomic_long_read(&vm_committed_as);
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(committed_part, cpu));
	return sum < 0 ? 0 : sum;
}

unsigned long vm_commit_limit(void)
{
	if (sysctl_overcommit_kbytes)
		return sysctl_overcommit_kbytes >> (PAGE_SHIFT - 10);
	return totalram_pages() * sysctl_overcommit_ratio / 100 + total_swap_pages();
}

/* Mode 2: the sum stays below the limit; some is kept back for root, and for a user to log in and kill. */
static bool commit_fits(struct mm_struct *mm, int cap_sys_admin)
{
	unsigned long allowed = vm_commit_limit();

	if (!cap_sys_admin)
		allowed -= min(allowed, sysctl_admin_reserve_kbytes >> (PAGE_SHIFT - 10));
	if (mm)
		allowed -= min3(allowed, mm->total_vm / 32, sysctl_user_reserve_kbytes >> (PAGE_SHIFT - 10));
	return vm_memory_committed() < allowed;
}

int __vm_enough_memory(struct mm_struct *mm, long pages, int cap_sys_admin)
{
	vm_acct_memory(pages);
	switch (READ_ONCE(sysctl_overcommit_memory)) {
	case OVERCOMMIT_ALWAYS:
		return 0;
	case OVERCOMMIT_GUESS:
		if (pages <= (long)(totalram_pages() + total_swap_pages()))
			return 0;
		break;
	default:
		if (commit_fits(mm, cap_sys_admin))
			return 0;
	}
	vm_unacct_memory(pages);
	return -ENOMEM;
}

static const int mode_min = OVERCOMMIT_GUESS, mode_max = OVERCOMMIT_NEVER, ratio_min;
static const struct ctl_table vm_table[] = {
	{ "overcommit_memory", &sysctl_overcommit_memory, sizeof(int), 0644, proc_dointvec_minmax, &mode_min, &mode_max },
	{ "overcommit_ratio", &sysctl_overcommit_ratio, sizeof(int), 0644, proc_dointvec_minmax, &ratio_min },
	{ "overcommit_kbytes", &sysctl_overcommit_kbytes, sizeof(long), 0644, proc_doulongvec_minmax },
	{ "admin_reserve_kbytes", &sysctl_admin_reserve_kbytes, sizeof(long), 0644, proc_doulongvec_minmax },
	{ "user_reserve_kbytes", &sysctl_user_reserve_kbytes, sizeof(long), 0644, proc_doulongvec_minmax },
	{ }
};

static int __init overcommit_sysctl_init(void)
{
	return register_sysctl("vm", vm_table);
}
fs_initcall(overcommit_sysctl_init);

int security_vm_enough_memory_mm(struct mm_struct *mm, long pages)
{
	return __vm_enough_memory(mm, pages, READ_ONCE(sysctl_overcommit_memory) == OVERCOMMIT_NEVER &&
				  capable(CAP_SYS_ADMIN));
}
