/*
 * rcu.c: read-copy-update: telling when every reader that might still see an old pointer has gone.
 *
 * What:    call_rcu(), synchronize_rcu(), rcu_barrier(), kfree_rcu(), and the hooks by which the scheduler, the tick and the
 *          idle loop say that a CPU is outside of any read-side section.
 * Idea:    a read-side section is code with preemption off.  A grace period writes down the CPUs that may be inside one
 *          (rcu.pending) and ends when each of them has been seen outside once: at a context switch, at a tick that came
 *          from user mode or from preemptible code, or on its way to idle.  An idle CPU is not waited for at all: the
 *          starter of the grace period looks at its `watching` word.
 *
 *          Callbacks sit in three lists per CPU: next (no grace period assigned), wait (for grace period wait_gp), done.
 *
 *          starter                                    CPU going idle
 *            pending |= cpu                             watching = 0
 *            full barrier                               full barrier
 *            watching == 0 ? pending &= ~cpu            pending & cpu ? report it
 *          One of the two sees the other, so a grace period never waits for a CPU that sleeps.
 * Locking: rcu.lock (interrupts off, innermost) guards the grace-period state; the lists are the CPU's own, interrupts off.
 * See:     spec.md §7; include/weft/rcu.h; doc/synchronisation.md
 */
#include <weft/rcu.h>
#include <weft/spinlock.h>
#include <weft/percpu.h>
#include <weft/cpumask.h>
#include <weft/smp.h>
#include <weft/sched.h>
#include <weft/softirq.h>
#include <weft/completion.h>
#include <weft/mutex.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include <weft/kernel.h>
#include <weft/init.h>

#define KICK_CALLBACKS	4096	/* so many waiting on one CPU: hurry the grace period */
#define BATCH		512	/* callbacks between two looks at need_resched() */

static struct {
	spinlock_t	lock;
	unsigned long	current_gp;	/* [lock] number of the newest grace period; racy reads of one word */
	unsigned long	completed_gp;	/* [lock] all up to here have ended; racy reads of one word */
	unsigned long	wanted_gp;	/* [lock] somebody waits for this one */
	cpumask_t	pending;	/* [lock] CPUs that the current one waits for; racy look at one's own bit */
	cpumask_t	cpus;		/* [lock] CPUs that take part */
} rcu = { .lock = __SPIN_LOCK_UNLOCKED(rcu.lock) };

struct cb_list {
	struct rcu_head	*head;
	struct rcu_head	**tail;
};

struct rcu_data {
	struct cb_list	next, wait, done;	/* [c] interrupts off */
	unsigned long	wait_gp;		/* [c] what `wait` waits for */
	unsigned long	nr;			/* [c] callbacks in all three */
	int		watching;		/* [o] this CPU may be in a read-side section; others read it */
	int		irq_nesting;		/* [c] interrupts that woke it from idle */
};
static DEFINE_PER_CPU(struct rcu_data, rcu_data) = { .watching = 1 };

static void cb_list_init(struct cb_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void cb_list_splice(struct cb_list *from, struct cb_list *to)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	cb_list_init(from);
}

/* ---- grace periods ---- */

/* [rcu.lock] */
static void start_gp(void)
{
	int cpu;

	WRITE_ONCE(rcu.current_gp, rcu.current_gp + 1);
	cpumask_copy(&rcu.pending, &rcu.cpus);
	smp_mb();
	for_each_cpu(cpu, &rcu.cpus)
		if (!READ_ONCE(per_cpu(rcu_data, cpu).watching))
			cpumask_clear_cpu(cpu, &rcu.pending);
}

/* [rcu.lock] Ends the current grace period if nobody is left to wait for, and starts the next if one is wanted. */
static void check_gp_end(void)
{
	while (rcu.completed_gp != rcu.current_gp && cpumask_empty(&rcu.pending)) {
		smp_mb();
		WRITE_ONCE(rcu.completed_gp, rcu.current_gp);
		if ((long)(rcu.wanted_gp - rcu.current_gp) > 0)
			start_gp();
	}
}

/* Makes sure that a grace period which begins after now will run; returns its number. */
static unsigned long request_gp(void)
{
	unsigned long flags, gp;

	spin_lock_irqsave(&rcu.lock, flags);
	gp = rcu.current_gp + 1;
	if ((long)(gp - rcu.wanted_gp) > 0)
		rcu.wanted_gp = gp;
	if (rcu.completed_gp == rcu.current_gp) {
		start_gp();
		check_gp_end();
	}
	spin_unlock_irqrestore(&rcu.lock, flags);
	return gp;
}

/* This CPU is outside of any section right now.  Interrupts off. */
static void report_quiescent(void)
{
	int cpu = smp_processor_id();

	if (likely(!cpumask_test_cpu(cpu, &rcu.pending)))
		return;
	spin_lock(&rcu.lock);
	cpumask_clear_cpu(cpu, &rcu.pending);
	check_gp_end();
	spin_unlock(&rcu.lock);
}

/* Moves lists on as far as grace periods have ended; true when there is something to run.  Interrupts off. */
static bool advance_callbacks(struct rcu_data *rd)
{
	if (rd->wait.head && (long)(READ_ONCE(rcu.completed_gp) - rd->wait_gp) >= 0)
		cb_list_splice(&rd->wait, &rd->done);
	if (!rd->wait.head && rd->next.head) {
		cb_list_splice(&rd->next, &rd->wait);
		rd->wait_gp = request_gp();
	}
	return rd->done.head != NULL;
}

static void kick_pending_cpus(void)
{
	int cpu;

	for_each_online_cpu(cpu)
		if (cpumask_test_cpu(cpu, &rcu.pending))
			resched_cpu(cpu);
}

/* ---- callbacks ---- */

/* Calls func(head) after a grace period, in a soft interrupt.  Any context. */
void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	struct rcu_data *rd;
	unsigned long flags;

	head->func = func;
	head->next = NULL;
	local_irq_save(flags);
	rd = this_cpu_ptr(&rcu_data);
	*rd->next.tail = head;
	rd->next.tail = &head->next;
	if (!rd->wait.head)
		advance_callbacks(rd);
	if (unlikely(++rd->nr % KICK_CALLBACKS == 0))
		set_tsk_need_resched(current), set_preempt_need_resched();
	local_irq_restore(flags);
}

/* kfree(ptr) after a grace period: func holds the distance of the head from the object, which no function's address is. */
void kvfree_call_rcu(struct rcu_head *head, void *ptr)
{
	call_rcu(head, (rcu_callback_t)((char *)head - (char *)ptr));
}

static void run_callback(struct rcu_head *head)
{
	unsigned long func = (unsigned long)head->func;

	if (func < PAGE_SIZE)
		kvfree((char *)head - func);
	else
		head->func(head);
}

/* The RCU soft interrupt: interrupts on, soft interrupts off. */
static void rcu_process_callbacks(struct softirq_action *unused)
{
	struct rcu_data *rd = this_cpu_ptr(&rcu_data);
	struct rcu_head *list, *next;
	struct cb_list ready;
	unsigned long count = 0;

	cb_list_init(&ready);
	local_irq_disable();
	advance_callbacks(rd);
	cb_list_splice(&rd->done, &ready);
	local_irq_enable();

	for (list = ready.head; list; list = next) {
		next = list->next;
		run_callback(list);
		if (++count % BATCH == 0 && need_resched())
			break;
	}

	local_irq_disable();
	rd->nr -= count;
	if (list && next) {			/* interrupted by the wish to reschedule: the rest goes back, in front */
		*ready.tail = rd->done.head;
		if (!rd->done.head)
			rd->done.tail = ready.tail;
		rd->done.head = next;
		raise_softirq_irqoff(RCU_SOFTIRQ);
	}
	local_irq_enable();
}

/* ---- waiting ---- */

struct rcu_synchronize {
	struct rcu_head		head;
	struct completion	done;
};

static void wakeme_after_rcu(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_synchronize, head)->done);
}

/*
 * Waits for a grace period.  May sleep.  With one CPU the call itself is one: we are not in a section, and nobody else
 * runs.
 */
void synchronize_rcu(void)
{
	struct rcu_synchronize rs;

	might_sleep();
	if (num_online_cpus() == 1)
		return;
	init_completion(&rs.done);
	call_rcu(&rs.head, wakeme_after_rcu);
	kick_pending_cpus();
	wait_for_completion(&rs.done);
}

void synchronize_rcu_expedited(void)
{
	synchronize_rcu();
}

static DEFINE_MUTEX(barrier_mutex);
static atomic_t barrier_count;			/* [a] callbacks of the barrier under way that have not run */
static struct completion barrier_done;
static DEFINE_PER_CPU(struct rcu_head, barrier_head);

static void barrier_callback(struct rcu_head *head)
{
	if (atomic_dec_and_test(&barrier_count))
		complete(&barrier_done);
}

static void barrier_on_cpu(void *unused)
{
	atomic_inc(&barrier_count);
	call_rcu(this_cpu_ptr(&barrier_head), barrier_callback);
}

/* Waits until all callbacks queued before the call have run: each CPU's list is in order, so one more marks its end. */
void rcu_barrier(void)
{
	mutex_lock(&barrier_mutex);
	init_completion(&barrier_done);
	atomic_set(&barrier_count, 1);
	on_each_cpu(barrier_on_cpu, NULL, 1);
	kick_pending_cpus();
	if (!atomic_dec_and_test(&barrier_count))
		wait_for_completion(&barrier_done);
	mutex_unlock(&barrier_mutex);
}

bool poll_state_synchronize_rcu(unsigned long oldstate)
{
	return (long)(READ_ONCE(rcu.completed_gp) - oldstate) >= 0;
}

/* ---- what CPUs do ---- */

/* schedule() is about to switch.  Interrupts off. */
void rcu_note_context_switch(bool preempt)
{
	report_quiescent();
}

/* The tick.  What it interrupted was no section if it was user mode or could have been preempted. */
void rcu_sched_clock_irq(int user)
{
	struct rcu_data *rd = this_cpu_ptr(&rcu_data);

	if (user || (preempt_count() & ~HARDIRQ_MASK) == 0)
		report_quiescent();
	else if (cpumask_test_cpu(smp_processor_id(), &rcu.pending))
		set_tsk_need_resched(current), set_preempt_need_resched();
	if (rd->nr && advance_callbacks(rd))
		raise_softirq_irqoff(RCU_SOFTIRQ);
}

static void stop_watching(struct rcu_data *rd)
{
	WRITE_ONCE(rd->watching, 0);
	smp_mb();
	report_quiescent();
}

static void start_watching(struct rcu_data *rd)
{
	WRITE_ONCE(rd->watching, 1);
	smp_mb();
}

void rcu_idle_enter(void)
{
	stop_watching(this_cpu_ptr(&rcu_data));
}

void rcu_idle_exit(void)
{
	start_watching(this_cpu_ptr(&rcu_data));
}

void rcu_irq_enter(void)
{
	struct rcu_data *rd = this_cpu_ptr(&rcu_data);

	if (rd->irq_nesting || !rd->watching) {
		if (!rd->irq_nesting++)
			start_watching(rd);
	}
}

void rcu_irq_exit(void)
{
	struct rcu_data *rd = this_cpu_ptr(&rcu_data);

	if (rd->irq_nesting && !--rd->irq_nesting)
		stop_watching(rd);
}

/* A soft interrupt loop of ksoftirqd is between two runs: preemptible in all but name. */
void rcu_softirq_qs(void)
{
	unsigned long flags;

	local_irq_save(flags);
	report_quiescent();
	local_irq_restore(flags);
}

bool rcu_needs_cpu(void)
{
	return this_cpu_read(rcu_data.nr) != 0;
}

#ifdef CONFIG_DEBUG
bool rcu_read_lock_held(void)
{
	return preempt_count() || irqs_disabled();
}
#endif

/* On the CPU itself, before it is online: from now on grace periods wait for it. */
void rcu_cpu_starting(unsigned int cpu)
{
	struct rcu_data *rd = &per_cpu(rcu_data, cpu);
	unsigned long flags;

	cb_list_init(&rd->next);
	cb_list_init(&rd->wait);
	cb_list_init(&rd->done);
	spin_lock_irqsave(&rcu.lock, flags);
	cpumask_set_cpu(cpu, &rcu.cpus);
	spin_unlock_irqrestore(&rcu.lock, flags);
}

void __init rcu_init(void)
{
	rcu_cpu_starting(smp_processor_id());
	open_softirq(RCU_SOFTIRQ, rcu_process_callbacks);
}
