/*
 * membarrier.c: membarrier(2): a memory barrier on all CPUs that run certain threads, so that those threads themselves
 * need none.
 *
 * Idea:    an interrupt on a CPU is a full barrier there, and returning from it to user mode serialises the pipeline.  So
 *          it suffices to interrupt the CPUs whose running task has the mm (private) or has registered (global).  A CPU
 *          that switches to such a task later passes the rq lock's barrier instead.
 * Locking: none but RCU for rq->curr; membarrier_state is atomic and only gains bits until execve.
 * See:     membarrier(2); include/weft/membarrier.h
 */
#include "sched.h"
#include <weft/membarrier.h>
#include <weft/rcu.h>
#include <weft/syscalls.h>

#define ALL_COMMANDS	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |			\
			 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |	\
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | \
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

static void ipi_mb(void *info)
{
	smp_mb();
}

static bool runs_mm(struct task_struct *curr, struct mm_struct *mm)
{
	struct mm_struct *its = READ_ONCE(curr->mm);

	if (mm)
		return its == mm;
	return its && (atomic_read(&its->membarrier_state) & MEMBARRIER_STATE_GLOBAL_EXPEDITED);
}

/* mm: its threads; NULL: all that registered for global. */
static void barrier_on_cpus(struct mm_struct *mm)
{
	struct cpumask mask = CPU_MASK_NONE;
	int cpu;

	smp_mb();		/* the caller's accesses before, against those of CPUs that switch now */
	preempt_disable();
	for_each_online_cpu(cpu)
		if (cpu != smp_processor_id() && runs_mm(rcu_dereference(cpu_rq(cpu)->curr), mm))
			__cpumask_set_cpu(cpu, &mask);
	smp_call_function_many(&mask, ipi_mb, NULL, true);
	preempt_enable();
	smp_mb();
}

static long private_expedited(int registered)
{
	if (!(atomic_read(&current->mm->membarrier_state) & registered))
		return -EPERM;
	if (refcount_read(&current->mm->mm_users) > 1)
		barrier_on_cpus(current->mm);
	return 0;
}

static long register_for(int state)
{
	atomic_or(state, &current->mm->membarrier_state);
	/* Every CPU that runs us has switched since, or will pass a barrier when it does. */
	synchronize_rcu();
	return 0;
}

long sys_membarrier(int cmd, unsigned int flags, int cpu_id)
{
	if (flags)
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return ALL_COMMANDS;
	case MEMBARRIER_CMD_GLOBAL:
		if (num_online_cpus() > 1)
			synchronize_rcu();
		return 0;
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		barrier_on_cpus(NULL);
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
		return register_for(MEMBARRIER_STATE_GLOBAL_EXPEDITED);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return private_expedited(MEMBARRIER_STATE_PRIVATE_EXPEDITED);
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		return register_for(MEMBARRIER_STATE_PRIVATE_EXPEDITED);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return private_expedited(MEMBARRIER_STATE_SYNC_CORE);
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		return register_for(MEMBARRIER_STATE_SYNC_CORE);
	default:
		return -EINVAL;
	}
}
