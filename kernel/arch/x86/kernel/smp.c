/*
 * smp.c: asking other CPUs to do something: run a function, look for work, stop.
 *
 * Idea:    each CPU has a lock-free list of calls to make.  Who puts the first call into an empty list sends the
 *          interrupt; further calls ride along.  For calls to many, each CPU owns one call structure per target, so
 *          nothing is allocated and two callers never share one.
 * Locking: csd->busy: set by the caller before it queues, cleared by the target with release order when the structure
 *          (wait: the work, too) is its own again.
 *
 *          caller                                     target
 *          func, info, busy = 1
 *          list was empty? -> IPI                     takes the whole list
 *          list was not: its IPI is still to come     ... func(info); busy = 0
 * Context: waiting with interrupts off could dead-lock: two CPUs that wait for each other take no interrupt.
 *          Calls to many only from tasks: an interrupt, soft ones too, could meet the task that it interrupted between
 *          prepare_csd() and send_call(), and wait for ever for a call that is not sent.
 * See:     spec.md §1 "SMP"; include/weft/smp.h
 */
#include <weft/irq.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/trace.h>
#include <asm/apic.h>
#include <asm/delay.h>
#include <asm/irq_vectors.h>
#include <asm/traps.h>

static DEFINE_PER_CPU_SHARED_ALIGNED(struct llist_head, call_queue);
static DEFINE_PER_CPU(call_single_data_t[NR_CPUS], call_data);	/* [c] mine, by target */
static int stopping_cpu = -1;		/* [a] the CPU that told all others to stop */

static void csd_wait(call_single_data_t *csd)
{
	while (smp_load_acquire(&csd->busy))
		cpu_relax();
}

static void csd_done(call_single_data_t *csd)
{
	smp_store_release(&csd->busy, 0);
}

static void send_call(int cpu, call_single_data_t *csd)
{
	if (llist_add(&csd->node, &per_cpu(call_queue, cpu)))
		apic_send_ipi(cpu_to_apicid[cpu], CALL_FUNCTION_VECTOR);
}

static void prepare_csd(call_single_data_t *csd, smp_call_func_t func, void *info, bool wait)
{
	csd->func = func;
	csd->info = info;
	csd->wait = wait;
	csd->busy = 1;
}

/* The interrupt: all calls in the order in which they came. */
void smp_call_function_interrupt(void)
{
	struct llist_node *node = llist_reverse_order(llist_del_all(this_cpu_ptr(&call_queue)));
	call_single_data_t *csd, *next;

	llist_for_each_entry_safe(csd, next, node, node) {
		smp_call_func_t func = csd->func;
		void *info = csd->info;

		trace_call_function_entry((unsigned long)func);
		if (csd->wait) {
			func(info);
			csd_done(csd);
		} else {
			csd_done(csd);
			func(info);
		}
	}
}

static void call_here(smp_call_func_t func, void *info)
{
	unsigned long flags;

	local_irq_save(flags);
	func(info);
	local_irq_restore(flags);
}

int smp_call_function_single(int cpu, smp_call_func_t func, void *info, int wait)
{
	call_single_data_t own, *csd = &own;
	int this_cpu = get_cpu(), err = 0;

	if (cpu == this_cpu) {
		call_here(func, info);
	} else if ((unsigned int)cpu >= nr_cpu_ids || !cpu_online(cpu)) {
		err = -ENXIO;
	} else {
		WARN_ON_ONCE(irqs_disabled() && !oops_in_progress);
		if (!wait) {
			csd = &(*this_cpu_ptr(&call_data))[cpu];
			csd_wait(csd);
		}
		prepare_csd(csd, func, info, wait);
		send_call(cpu, csd);
		if (wait)
			csd_wait(csd);
	}
	put_cpu();
	return err;
}

int smp_call_function_single_async(int cpu, call_single_data_t *csd)
{
	int err = 0;

	preempt_disable();
	if (READ_ONCE(csd->busy)) {
		err = -EBUSY;
	} else if (cpu == smp_processor_id()) {
		call_here(csd->func, csd->info);
	} else if ((unsigned int)cpu >= nr_cpu_ids || !cpu_online(cpu)) {
		err = -ENXIO;
	} else {
		csd->wait = false;
		csd->busy = 1;
		smp_wmb();
		send_call(cpu, csd);
	}
	preempt_enable();
	return err;
}

void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait)
{
	call_single_data_t *data = *this_cpu_ptr(&call_data);
	int this_cpu = smp_processor_id();
	struct cpumask sent = CPU_MASK_NONE;
	int cpu;

	WARN_ON_ONCE((irqs_disabled() || !in_task()) && !oops_in_progress && num_online_cpus() > 1);
	for_each_cpu_and(cpu, mask, cpu_online_mask) {
		if (cpu == this_cpu)
			continue;
		csd_wait(&data[cpu]);
		prepare_csd(&data[cpu], func, info, wait);
		send_call(cpu, &data[cpu]);
		__cpumask_set_cpu(cpu, &sent);
	}
	if (wait)
		for_each_cpu(cpu, &sent)
			csd_wait(&data[cpu]);
}

void smp_call_function(smp_call_func_t func, void *info, int wait)
{
	preempt_disable();
	smp_call_function_many(cpu_online_mask, func, info, wait);
	preempt_enable();
}

void on_each_cpu_cond_mask(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait, const struct cpumask *mask)
{
	struct cpumask chosen = CPU_MASK_NONE;
	int this_cpu = get_cpu(), cpu;

	for_each_cpu_and(cpu, mask, cpu_online_mask)
		if (!cond || cond(cpu, info))
			__cpumask_set_cpu(cpu, &chosen);
	smp_call_function_many(&chosen, func, info, wait);
	if (cpumask_test_cpu(this_cpu, &chosen))
		call_here(func, info);
	put_cpu();
}

void on_each_cpu_mask(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait)
{
	on_each_cpu_cond_mask(NULL, func, info, wait, mask);
}

void on_each_cpu(smp_call_func_t func, void *info, int wait)
{
	on_each_cpu_cond_mask(NULL, func, info, wait, cpu_online_mask);
}

void smp_send_reschedule(int cpu)
{
	apic_send_ipi(cpu_to_apicid[cpu], RESCHEDULE_VECTOR);
}

/* ---- the end ---- */

bool cpu_must_stop(void)
{
	int stopper = READ_ONCE(stopping_cpu);

	return stopper >= 0 && stopper != raw_smp_processor_id();
}

void stop_this_cpu(void)
{
	local_irq_disable();
	set_cpu_online(raw_smp_processor_id(), false);
	disable_local_apic();
	for (;;)
		halt();
}

static bool others_stopped_within(unsigned int ms)
{
	while (num_online_cpus() > 1 && ms--)
		udelay(1000);
	return num_online_cpus() <= 1;
}

void smp_send_stop(void)
{
	int expected = -1;

	if (num_online_cpus() <= 1)
		return;
	/* Two CPUs that panic at once: one stops the other. */
	if (!__atomic_compare_exchange_n(&stopping_cpu, &expected, raw_smp_processor_id(), false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		if (expected != raw_smp_processor_id())
			stop_this_cpu();
		return;
	}
	apic_send_ipi_all_but_self(REBOOT_VECTOR);
	if (others_stopped_within(100))
		return;
	/* One has its interrupts off for good: the NMI handler asks cpu_must_stop(). */
	oops_in_progress = true;
	apic_send_ipi_all_but_self(APIC_DM_NMI);
	others_stopped_within(100);
}
