/*
 * smp.h: many CPUs: their start, and running a function on others.
 *
 * Context: smp_call_function*() may wait: never with interrupts off, nor from an interrupt, unless wait is false and the
 *          csd is the caller's own.  The function runs in an interrupt on the other CPU.
 * See:     kernel/arch/x86/kernel/smp.c, smpboot.c
 */
#ifndef WEFT_SMP_H
#define WEFT_SMP_H

#include <weft/types.h>
#include <weft/cpumask.h>
#include <weft/llist.h>
#include <weft/preempt.h>
#include <asm/smp.h>

typedef void (*smp_call_func_t)(void *info);

/* One call under way.  `busy` is set by the caller and cleared by the callee after the call (wait) or before it. */
struct call_single_data {
	struct llist_node	node;		/* in the target's queue */
	smp_call_func_t		func;
	void			*info;
	unsigned int		busy;		/* [a] */
	bool			wait;
};
typedef struct call_single_data call_single_data_t;

#define smp_processor_id()	raw_smp_processor_id()
#define get_cpu()		({ preempt_disable(); smp_processor_id(); })
#define put_cpu()		preempt_enable()

/* Runs func(info) on one CPU.  0, or -ENXIO if it is not online.  wait: returns after func did. */
int smp_call_function_single(int cpu, smp_call_func_t func, void *info, int wait);
/* The same without waiting and with the caller's csd, from any context; -EBUSY if the csd is still in use. */
int smp_call_function_single_async(int cpu, call_single_data_t *csd);
/* On all online CPUs of mask but this one.  Preemption must be off. */
void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait);
void smp_call_function(smp_call_func_t func, void *info, int wait);
void on_each_cpu(smp_call_func_t func, void *info, int wait);
void on_each_cpu_mask(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait);
typedef bool (*smp_cond_func_t)(int cpu, void *info);
void on_each_cpu_cond_mask(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait, const struct cpumask *mask);

void smp_send_reschedule(int cpu);	/* makes that CPU look at TIF_NEED_RESCHED; any context */
void smp_send_stop(void);		/* all others halt for good; returns when they did or after a while */
void smp_init(void);			/* brings all CPUs up; may sleep */
void smp_prepare_boot_cpu(void);

/* Topology, from CPUID: for /proc/cpuinfo, sysfs and the scheduler's choice of idle cores. */
int topology_physical_package_id(int cpu);
int topology_core_id(int cpu);
const struct cpumask *topology_sibling_cpumask(int cpu);	/* SMT siblings of a core, itself included */
const struct cpumask *topology_core_cpumask(int cpu);		/* all CPUs of its package */
#define cpu_smt_mask(cpu) topology_sibling_cpumask(cpu)

#endif
