/*
 * softirq.c: soft interrupts: what an interrupt handler leaves for right after it, with interrupts on.
 *
 * Idea:    a bit a softirq, per CPU.  The end of the outermost interrupt, or of the outermost local_bh_disable() section,
 *          runs what is pending, on the stack of whatever task was interrupted.  If it does not come to an end (ten
 *          rounds, 2 ms, or a task wants the CPU) the rest is left to ksoftirqd/N, which competes as any task.
 * Context: an action runs with interrupts on and preempt_count saying "serving": no other softirq of this CPU comes in
 *          between, and it must not sleep.
 * Locking: softirq_pending is this CPU's, changed with interrupts off.
 * See:     spec.md §1 "interrupts and time"; doc/synchronisation.md
 */
#include "sched.h"
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/kthread.h>
#include <weft/rcu.h>
#include <weft/softirq.h>
#include <weft/tick.h>

#define MAX_SOFTIRQ_NS		(2 * NSEC_PER_MSEC)
#define MAX_SOFTIRQ_ROUNDS	10

DEFINE_PER_CPU(struct kernel_stat_irqs, softirq_stat);
DEFINE_PER_CPU(unsigned int, softirq_pending);
static DEFINE_PER_CPU(struct task_struct *, ksoftirqd);

static struct softirq_action softirq_vec[NR_SOFTIRQS];	/* [I] */

const char *const softirq_to_name[NR_SOFTIRQS] = {
	"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU",
};

/* Interrupts are off. */
static void wakeup_softirqd(void)
{
	struct task_struct *task = this_cpu_read(ksoftirqd);

	if (task)
		wake_up_process(task);
}

static void run_pending(unsigned int pending)
{
	while (pending) {
		unsigned int nr = __ffs(pending);
		int count = preempt_count();

		pending &= pending - 1;
		this_cpu_inc(softirq_stat.softirqs[nr]);
		trace_softirq_entry(nr);
		softirq_vec[nr].action(&softirq_vec[nr]);
		trace_softirq_exit(nr);
		if (unlikely(count != preempt_count())) {
			pr_err("softirq %s: preempt_count %08x became %08x\n", softirq_to_name[nr], count, preempt_count());
			preempt_count_set(count);
		}
	}
}

/* Interrupts off before and after, something is pending. */
static void __do_softirq(void)
{
	u64 end = sched_clock() + MAX_SOFTIRQ_NS;
	int rounds = MAX_SOFTIRQ_ROUNDS;
	unsigned int pending = local_softirq_pending();

	__local_bh_disable_ip(_RET_IP_, SOFTIRQ_OFFSET);
	for (;;) {
		this_cpu_write(softirq_pending, 0);
		local_irq_enable();
		run_pending(pending);
		local_irq_disable();

		pending = local_softirq_pending();
		if (!pending)
			break;
		if (!--rounds || need_resched() || (s64)(sched_clock() - end) > 0) {
			wakeup_softirqd();
			break;
		}
	}
	preempt_count_sub(SOFTIRQ_OFFSET);
}

void do_softirq(void)
{
	unsigned long flags;

	if (in_interrupt())
		return;
	local_irq_save(flags);
	if (local_softirq_pending())
		__do_softirq();
	local_irq_restore(flags);
}

/* ---- the ends of sections ---- */

void __local_bh_enable_ip(unsigned long ip, unsigned int cnt)
{
	WARN_ON_ONCE(in_hardirq());
	/* Keep one level of preemption: between here and do_softirq() this task must not be moved to another CPU. */
	preempt_count_sub((int)cnt - 1);
	if (unlikely(!in_interrupt() && local_softirq_pending()))
		do_softirq();
	preempt_count_dec();
	preempt_check_resched();
}

/* Without running anything: interrupts are off and somebody else will. */
void _local_bh_enable(void)
{
	preempt_count_sub(SOFTIRQ_DISABLE_OFFSET);
}

/* An idle CPU stopped telling the time and reading under RCU: an interrupt does both. */
static inline bool interrupts_idle(void)
{
	return (current->flags & PF_IDLE) && !in_interrupt();
}

void irq_enter(void)
{
	bool idle = interrupts_idle();

	if (idle)
		rcu_irq_enter();
	preempt_count_add(HARDIRQ_OFFSET);
	if (idle)
		tick_irq_enter();
}

void irq_exit(void)
{
	preempt_count_sub(HARDIRQ_OFFSET);
	if (!in_interrupt() && local_softirq_pending())
		__do_softirq();
	if (interrupts_idle())
		rcu_irq_exit();
}

/* ---- raising ---- */

void __raise_softirq_irqoff(unsigned int nr)
{
	lockdep_assert_irqs_disabled();
	this_cpu_or(softirq_pending, 1u << nr);
}

void raise_softirq_irqoff(unsigned int nr)
{
	__raise_softirq_irqoff(nr);
	/* Inside an interrupt or a bh section its end will see the bit; from a task nothing would. */
	if (!in_interrupt())
		wakeup_softirqd();
}

void raise_softirq(unsigned int nr)
{
	unsigned long flags;

	local_irq_save(flags);
	raise_softirq_irqoff(nr);
	local_irq_restore(flags);
}

void open_softirq(int nr, void (*action)(struct softirq_action *))
{
	softirq_vec[nr].action = action;
}

/* ---- ksoftirqd ---- */

static int run_ksoftirqd(void *unused)
{
	for (;;) {
		local_irq_disable();
		set_current_state(TASK_INTERRUPTIBLE);
		if (!local_softirq_pending()) {
			local_irq_enable();
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		__do_softirq();
		rcu_softirq_qs();
		local_irq_enable();
		cond_resched();
	}
	return 0;
}

void __init spawn_ksoftirqd(void)
{
	int cpu;

	for_each_online_cpu(cpu) {
		struct task_struct *task = kthread_create_on_cpu(run_ksoftirqd, NULL, cpu, "ksoftirqd/%u");

		if (IS_ERR(task))
			panic("no memory for ksoftirqd/%d", cpu);
		per_cpu(ksoftirqd, cpu) = task;
		wake_up_process(task);
	}
}

static void softirq_not_opened(struct softirq_action *action)
{
	pr_err_once("softirq %s was raised but nobody serves it\n", softirq_to_name[action - softirq_vec]);
}

/* Whose actions are not set by now (rcu_init() and sched_init() came before) get one that complains. */
void __init softirq_init(void)
{
	for (int nr = 0; nr < NR_SOFTIRQS; nr++)
		if (!softirq_vec[nr].action)
			open_softirq(nr, softirq_not_opened);
}
