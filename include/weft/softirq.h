/*
 * softirq.h: work that an interrupt leaves for the moment after it: run on the same CPU with interrupts on, before the
 * interrupted code goes on, or by the kernel thread ksoftirqd/N when there is too much of it.  kernel/sched/softirq.c
 *
 * An interrupt handler's duty (arch): irq_enter(); handler; irq_exit().  irq_exit() runs what was raised.
 */
#ifndef WEFT_SOFTIRQ_H
#define WEFT_SOFTIRQ_H

#include <weft/types.h>
#include <weft/percpu.h>
#include <weft/preempt.h>

enum {
	HI_SOFTIRQ,
	TIMER_SOFTIRQ,		/* timer wheel */
	NET_TX_SOFTIRQ,
	NET_RX_SOFTIRQ,
	BLOCK_SOFTIRQ,
	IRQ_POLL_SOFTIRQ,
	TASKLET_SOFTIRQ,
	SCHED_SOFTIRQ,		/* load balancing */
	HRTIMER_SOFTIRQ,
	RCU_SOFTIRQ,		/* call_rcu callbacks */
	NR_SOFTIRQS
};

extern const char *const softirq_to_name[NR_SOFTIRQS];

struct softirq_action {
	void (*action)(struct softirq_action *);
};

struct kernel_stat_irqs {
	unsigned int softirqs[NR_SOFTIRQS];	/* [c] how often each ran on this CPU: /proc/softirqs, /proc/stat */
};
DECLARE_PER_CPU(struct kernel_stat_irqs, softirq_stat);
DECLARE_PER_CPU(unsigned int, softirq_pending);		/* [c] one bit a softirq, interrupts off */

#define local_softirq_pending()	this_cpu_read(softirq_pending)
static inline unsigned int kstat_softirqs_cpu(unsigned int irq, int cpu)
{
	return per_cpu(softirq_stat, cpu).softirqs[irq];
}

void softirq_init(void);
void open_softirq(int nr, void (*action)(struct softirq_action *));
/* Marks it on this CPU; runs at the end of the interrupt, or in ksoftirqd when raised from a task. */
void raise_softirq(unsigned int nr);
void raise_softirq_irqoff(unsigned int nr);		/* interrupts are off */
void __raise_softirq_irqoff(unsigned int nr);		/* ... and an irq_exit() or local_bh_enable() will follow */
void do_softirq(void);
void spawn_ksoftirqd(void);			/* from sched_init_smp() */

void irq_enter(void);			/* hard interrupt: preempt_count += HARDIRQ_OFFSET, idle time keeping */
void irq_exit(void);			/* runs softirqs when this was the outermost level */
/* For interrupts that do so little that they need neither (reschedule IPI): only the preempt count. */
#define irq_enter_rcu() irq_enter()
#define irq_exit_rcu()  irq_exit()

/* local_bh_disable() and local_bh_enable(): preempt.h. */
void _local_bh_enable(void);

#endif
