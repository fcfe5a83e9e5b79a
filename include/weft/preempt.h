/*
 * preempt.h: the count that says in what context this CPU runs, and whether it may be preempted.
 *
 * Idea:    one per-CPU word: bits 0-7 preempt_disable() depth, 8-15 softirq (one step: serving; two: disabled), 16-19 hard
 *          interrupts, 20-23 NMI.  Bit 31 is set while NO reschedule is wanted: so "depth is 0 and somebody wants us to
 *          reschedule" is the word being 0, which preempt_enable() sees from the flags of its one decrement.
 * See:     kernel/sched/core.c preempt_schedule()
 */
#ifndef WEFT_PREEMPT_H
#define WEFT_PREEMPT_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/percpu.h>

#define PREEMPT_BITS		8
#define SOFTIRQ_BITS		8
#define HARDIRQ_BITS		4
#define NMI_BITS		4
#define PREEMPT_SHIFT		0
#define SOFTIRQ_SHIFT		(PREEMPT_SHIFT + PREEMPT_BITS)
#define HARDIRQ_SHIFT		(SOFTIRQ_SHIFT + SOFTIRQ_BITS)
#define NMI_SHIFT		(HARDIRQ_SHIFT + HARDIRQ_BITS)
#define __IRQ_MASK(x)		((1 << (x)) - 1)
#define PREEMPT_MASK		(__IRQ_MASK(PREEMPT_BITS) << PREEMPT_SHIFT)
#define SOFTIRQ_MASK		(__IRQ_MASK(SOFTIRQ_BITS) << SOFTIRQ_SHIFT)
#define HARDIRQ_MASK		(__IRQ_MASK(HARDIRQ_BITS) << HARDIRQ_SHIFT)
#define NMI_MASK		(__IRQ_MASK(NMI_BITS) << NMI_SHIFT)
#define PREEMPT_OFFSET		(1 << PREEMPT_SHIFT)
#define SOFTIRQ_OFFSET		(1 << SOFTIRQ_SHIFT)
#define HARDIRQ_OFFSET		(1 << HARDIRQ_SHIFT)
#define NMI_OFFSET		(1 << NMI_SHIFT)
#define SOFTIRQ_DISABLE_OFFSET	(2 * SOFTIRQ_OFFSET)
#define SOFTIRQ_LOCK_OFFSET	(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET)
#define PREEMPT_DISABLE_OFFSET	PREEMPT_OFFSET
#define PREEMPT_LOCK_OFFSET	PREEMPT_OFFSET
#define PREEMPT_NEED_RESCHED	0x80000000u		/* inverted: set means not needed */
#define PREEMPT_ENABLED		(0 + PREEMPT_NEED_RESCHED)
#define PREEMPT_DISABLED	(PREEMPT_DISABLE_OFFSET + PREEMPT_ENABLED)
#define INIT_PREEMPT_COUNT	PREEMPT_OFFSET
#define FORK_PREEMPT_COUNT	(2 * PREEMPT_DISABLE_OFFSET + PREEMPT_ENABLED)

DECLARE_PER_CPU(int, __preempt_count);			/* [c] mm/percpu.c */

static __always_inline int preempt_count(void)
{
	return this_cpu_read(__preempt_count) & ~PREEMPT_NEED_RESCHED;
}
static __always_inline void preempt_count_set(int pc)
{
	this_cpu_write(__preempt_count, (this_cpu_read(__preempt_count) & PREEMPT_NEED_RESCHED) | (pc & ~PREEMPT_NEED_RESCHED));
}
static __always_inline void preempt_count_add(int val) { this_cpu_add(__preempt_count, val); }
static __always_inline void preempt_count_sub(int val) { this_cpu_sub(__preempt_count, val); }
#define __preempt_count_add(val)	preempt_count_add(val)
#define __preempt_count_sub(val)	preempt_count_sub(val)
#define preempt_count_inc()		preempt_count_add(1)
#define preempt_count_dec()		preempt_count_sub(1)
#define preempt_count_dec_and_test()	raw_percpu_dec_and_test(__preempt_count)

static __always_inline void set_preempt_need_resched(void) { this_cpu_and(__preempt_count, ~PREEMPT_NEED_RESCHED); }
static __always_inline void clear_preempt_need_resched(void) { this_cpu_or(__preempt_count, PREEMPT_NEED_RESCHED); }
static __always_inline bool test_preempt_need_resched(void) { return !(this_cpu_read(__preempt_count) & PREEMPT_NEED_RESCHED); }
/* May and should this CPU reschedule now, if its preemption depth is offset? */
static __always_inline bool should_resched(int offset) { return this_cpu_read(__preempt_count) == offset; }

#define init_task_preempt_count(p)	do { } while (0)
#define init_idle_preempt_count(p, cpu)	do { per_cpu(__preempt_count, (cpu)) = PREEMPT_DISABLED; } while (0)

#define nmi_count()		(preempt_count() & NMI_MASK)
#define hardirq_count()		(preempt_count() & HARDIRQ_MASK)
#define softirq_count()		(preempt_count() & SOFTIRQ_MASK)
#define irq_count()		(preempt_count() & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_MASK))
#define in_nmi()		(nmi_count() != 0)
#define in_hardirq()		(hardirq_count() != 0)
#define in_irq()		in_hardirq()
#define in_softirq()		(softirq_count() != 0)		/* serving one, or they are disabled */
#define in_serving_softirq()	((softirq_count() & SOFTIRQ_OFFSET) != 0)
#define in_interrupt()		(irq_count() != 0)
#define in_task()		(!(preempt_count() & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET)))
#define in_atomic()		(preempt_count() != 0)
#define in_atomic_preempt_off()	(preempt_count() != PREEMPT_DISABLE_OFFSET)
#define preemptible()		(preempt_count() == 0 && !irqs_disabled())

void preempt_schedule(void);				/* sched/core.c */

static __always_inline void preempt_disable(void)
{
	preempt_count_add(1);
	barrier();
}
static __always_inline void preempt_enable_no_resched(void)
{
	barrier();
	preempt_count_sub(1);
}
static __always_inline void preempt_enable(void)
{
	barrier();
	if (unlikely(preempt_count_dec_and_test()))
		preempt_schedule();
}
static __always_inline void preempt_check_resched(void)
{
	if (unlikely(should_resched(0)))
		preempt_schedule();
}
#define sched_preempt_enable_no_resched() preempt_enable_no_resched()
#define preempt_disable_notrace()	preempt_disable()
#define preempt_enable_notrace()	preempt_enable()
#define preempt_enable_no_resched_notrace() preempt_enable_no_resched()

/* Soft interrupts of this CPU wait until the last enable, which runs what has become pending (sched/softirq.c). */
void __local_bh_enable_ip(unsigned long ip, unsigned int cnt);

static __always_inline void __local_bh_disable_ip(unsigned long ip, unsigned int cnt)
{
	preempt_count_add(cnt);
	barrier();
}
static __always_inline void local_bh_disable(void) { __local_bh_disable_ip(0, SOFTIRQ_DISABLE_OFFSET); }
static __always_inline void local_bh_enable(void) { __local_bh_enable_ip(_THIS_IP_, SOFTIRQ_DISABLE_OFFSET); }

#endif
