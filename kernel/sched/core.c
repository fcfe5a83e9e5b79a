/*
 * core.c: the scheduler: giving the processor away, taking it, and waking who sleeps.
 *
 * What:    schedule() and context_switch(), try_to_wake_up(), the start of new tasks, preemption, and the run-queue locks
 *          that the rest of the folder uses.  Which task is next is the classes' business (fair.c, rt.c, stop.c, idle.c);
 *          on which CPU, balance.c's.
 *
 * States:  a task is in one of these at any time; the arrows are functions, and each has a trace event.
 *
 *              sched_fork()            wake_up_new_task()
 *      (none) ----------> TASK_NEW -----------------------> ready  (on_rq = 1, on_cpu = 0)
 *                                                          |   ^
 *                        __schedule() picks it             |   | preempted, slice over, yield: __schedule()
 *                                                          v   |
 *      waiting <-------- __schedule(), state != RUNNING -- running (on_rq = 1, on_cpu = 1)
 *         |                                                    |
 *         +--- try_to_wake_up(): TASK_WAKING, then ready       | do_task_dead(): TASK_DEAD
 *                                                              v
 *                                        finish_task_switch() of the next task drops the last hold on it
 *
 *          __state != TASK_RUNNING alone does not take a task off: it only says that its next voluntary schedule() will.
 *          An involuntary one (preemption) leaves it ready whatever its state, so that a task preempted between
 *          set_current_state() and its test of the condition still gets to make that test.
 *
 * Locking: which lock covers a task changes with its state.
 *            ready, running      rq->lock of p->cpu: on_rq, cpu, class, sched entities
 *            waiting, new        p->pi_lock: who holds it may wake p, and choose its cpu
 *            TASK_WAKING         the waker alone, until p is on a run queue
 *            on_cpu              set by the CPU that switches to p, cleared (release) by that CPU when it has left p's
 *                                stack; a waker on another CPU must see 0 before p may run elsewhere
 *          To change policy or affinity take both: pi_lock, then the rq lock (task_rq_lock()).
 *          Order: p->pi_lock -> rq->lock -> rq->lock of a higher address.  Interrupts are off under all of them.
 *          __schedule() enters context_switch() with rq->lock held; it is released by whoever comes out of switch_to():
 *          finish_task_switch() in the next task's context.  At that point preempt_count is always 2 (schedule() and the
 *          lock), for new tasks too, which is why the count need not be saved with the task.
 *
 * active_mm: a task without mm (kernel thread, idle) goes on with the page tables that are loaded.  It borrows them:
 *          active_mm = the previous task's, with one mm_count (mmgrab), so that the pgd outlives the lender.  The borrower
 *          gives the count back when a task with an mm of its own comes after it - in finish_task_switch(), as the
 *          last mmdrop() frees memory, which must not happen under rq->lock.  From kernel thread to kernel thread the loan,
 *          count included, is handed on.
 *
 * See:     spec.md §5 "active_mm", §7; doc/sched.md
 */
#include "sched.h"
#include <weft/mm.h>
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/kthread.h>
#include <weft/membarrier.h>
#include <weft/printk.h>
#include <weft/rseq.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/tick.h>
#include <weft/uaccess.h>
#include <weft/wait_bit.h>
#include <weft/workqueue.h>
#include <weft/blk_plug.h>
#include <asm/mmu_context.h>

DEFINE_PER_CPU_SHARED_ALIGNED(struct rq, runqueues);

/* ---- Locks ---- */

/*
 * A task's run queue may change until its lock is held:
 *
 *      __task_rq_lock()                move_queued_task()
 *      rq = task_rq(p)
 *                                      p->on_rq = MIGRATING
 *                                      set_task_cpu(p)
 *                                      unlock(old rq)
 *      lock(rq)   (old)
 *      rq != task_rq(p): unlock, again
 */
struct rq *__task_rq_lock(struct task_struct *p) __no_context_analysis	/* which lock is known only when it is held */
{
	struct rq *rq;

	lockdep_assert_held(&p->pi_lock);
	for (;;) {
		rq = task_rq(p);
		spin_lock(&rq->lock);
		if (likely(rq == task_rq(p) && !task_on_rq_migrating(p)))
			return rq;
		spin_unlock(&rq->lock);
		while (unlikely(task_on_rq_migrating(p)))
			cpu_relax();
	}
}

struct rq *task_rq_lock(struct task_struct *p, struct rq_flags *rf) __no_context_analysis	/* see __task_rq_lock() */
{
	spin_lock_irqsave(&p->pi_lock, rf->flags);
	return __task_rq_lock(p);
}

void double_rq_lock(struct rq *rq1, struct rq *rq2) __no_context_analysis	/* two locks of one class, by address */
{
	if (rq1 == rq2) {
		spin_lock(&rq1->lock);
		return;
	}
	spin_lock(rq1 < rq2 ? &rq1->lock : &rq2->lock);
	spin_lock_nested(rq1 < rq2 ? &rq2->lock : &rq1->lock, SINGLE_DEPTH_NESTING);
}

void double_rq_unlock(struct rq *rq1, struct rq *rq2) __no_context_analysis	/* as above */
{
	spin_unlock(&rq1->lock);
	if (rq1 != rq2)
		spin_unlock(&rq2->lock);
}

void double_lock_balance(struct rq *this_rq, struct rq *busiest) __no_context_analysis	/* as above */
{
	lockdep_assert_held(&this_rq->lock);
	if (this_rq < busiest) {
		spin_lock_nested(&busiest->lock, SINGLE_DEPTH_NESTING);
	} else if (!spin_trylock(&busiest->lock)) {
		spin_unlock(&this_rq->lock);
		double_rq_lock(this_rq, busiest);
		lock_is_outer_again(&this_rq->lock);	/* it was taken as the inner one, and stays when busiest's goes */
	}
}

/* ---- On and off the run queue ---- */

void enqueue_task(struct rq *rq, struct task_struct *p, int flags)
{
	if (!(flags & ENQUEUE_RESTORE))
		p->wait_start = rq_clock(rq);
	p->sched_class->enqueue_task(rq, p, flags);
}

void dequeue_task(struct rq *rq, struct task_struct *p, int flags)
{
	p->sched_class->dequeue_task(rq, p, flags);
}

void activate_task(struct rq *rq, struct task_struct *p, int flags)
{
	lockdep_assert_held(&rq->lock);
	enqueue_task(rq, p, flags);
	WRITE_ONCE(p->on_rq, TASK_ON_RQ_QUEUED);
}

void deactivate_task(struct rq *rq, struct task_struct *p, int flags)
{
	lockdep_assert_held(&rq->lock);
	WRITE_ONCE(p->on_rq, (flags & DEQUEUE_SLEEP) ? 0 : TASK_ON_RQ_MIGRATING);
	dequeue_task(rq, p, flags);
}

/* The run queue's CPU shall call __schedule() soon.  rq->lock held. */
void resched_curr(struct rq *rq)
{
	struct task_struct *curr = rq->curr;

	lockdep_assert_held(&rq->lock);
	if (test_tsk_need_resched(curr))
		return;
	set_tsk_need_resched(curr);
	if (cpu_of(rq) == smp_processor_id())
		set_preempt_need_resched();
	else
		smp_send_reschedule(cpu_of(rq));
}

void resched_cpu(int cpu)
{
	struct rq *rq = cpu_rq(cpu);
	unsigned long flags;

	spin_lock_irqsave(&rq->lock, flags);
	if (cpu_online(cpu) || cpu == smp_processor_id())
		resched_curr(rq);
	spin_unlock_irqrestore(&rq->lock, flags);
}

/* p has become runnable: must it run instead of the running task? */
void check_preempt_curr(struct rq *rq, struct task_struct *p, int flags)
{
	if (p->sched_class == rq->curr->sched_class)
		rq->curr->sched_class->check_preempt_curr(rq, p, flags);
	else if (sched_class_above(p->sched_class, rq->curr->sched_class))
		resched_curr(rq);
}

/* p does not run and is on no queue but in our hands (pi_lock, or both run queues' locks). */
void set_task_cpu(struct task_struct *p, unsigned int cpu)
{
	if (task_cpu(p) == cpu)
		return;
	trace_sched_migrate_task(p->pid, p->prio, task_cpu(p), cpu);
	p->se.nr_migrations++;
	this_rq()->nr_migrations++;	/* preemption is off, and no other CPU writes it */
	/* After on_rq = MIGRATING, before the new queue is unlocked: see __task_rq_lock(). */
	smp_wmb();
	WRITE_ONCE(p->cpu, cpu);
	task_thread_info(p)->cpu = cpu;
	p->wake_cpu = cpu;
	if (unlikely(p->task_group))
		set_task_group_queue(p, (int)cpu);
}

/* ---- Waking ---- */

int select_task_rq(struct task_struct *p, int cpu, int wake_flags)
{
	lockdep_assert_held(&p->pi_lock);
	if (p->nr_cpus_allowed > 1 && !p->migration_disabled)
		cpu = p->sched_class->select_task_rq(p, cpu, wake_flags);
	else if (!p->migration_disabled)
		cpu = cpumask_any(&p->cpus_mask);
	if (unlikely(!is_cpu_allowed(p, cpu)))
		cpu = select_fallback_rq(p);
	return cpu;
}

static void ttwu_do_wakeup(struct rq *rq, struct task_struct *p, int wake_flags)
{
	check_preempt_curr(rq, p, wake_flags);
	WRITE_ONCE(p->__state, TASK_RUNNING);
	trace_sched_wakeup(p->pid, p->prio, cpu_of(rq));
}

static void ttwu_do_activate(struct rq *rq, struct task_struct *p, int wake_flags)
{
	lockdep_assert_held(&rq->lock);
	if (p->sched_contributes_to_load)
		rq->nr_uninterruptible--;
	rq->ttwu_count++;
	activate_task(rq, p, ENQUEUE_WAKEUP);
	ttwu_do_wakeup(rq, p, wake_flags);
}

/*
 * p set its state but has not left its run queue: setting it back is all.
 *
 *      p: __schedule(), rq->lock held          waker, pi_lock held
 *      state != RUNNING                        on_rq == 1: take rq->lock
 *      deactivate_task(): on_rq = 0            ... on_rq == 0 by now: the full way, wait for on_cpu == 0
 *      unlock in finish_task_switch()
 */
static bool ttwu_runnable(struct task_struct *p, int wake_flags)
{
	struct rq *rq = __task_rq_lock(p);
	bool queued = task_on_rq_queued(p);

	if (queued) {
		if (!task_on_cpu(rq, p)) {
			update_rq_clock(rq);
			check_preempt_curr(rq, p, wake_flags);
		}
		WRITE_ONCE(p->__state, TASK_RUNNING);
		trace_sched_wakeup(p->pid, p->prio, cpu_of(rq));
	}
	__task_rq_unlock(rq);
	return queued;
}

/* In the interrupt that ttwu_queue_wakelist() sends: takes over the tasks that others woke for this CPU. */
void sched_ttwu_pending(void)
{
	struct rq *rq = this_rq();
	struct llist_node *list = llist_del_all(&rq->wake_list);
	struct task_struct *p, *t;
	unsigned long flags;

	if (!list)
		return;
	spin_lock_irqsave(&rq->lock, flags);
	update_rq_clock(rq);
	list = llist_reverse_order(list);
	/* on_cpu is 0: it was this CPU that left their stacks, with interrupts off until it had. */
	llist_for_each_entry_safe(p, t, list, wake_entry)
		ttwu_do_activate(rq, p, 0);
	spin_unlock_irqrestore(&rq->lock, flags);
}

/*
 * Leaves p to its future CPU by interrupt, without touching that CPU's run queue.  Worth it when p is just going to
 * sleep over there (we would spin for on_cpu otherwise), or when the CPU is in another package.
 */
static bool ttwu_queue_wakelist(struct task_struct *p, int cpu, int wake_flags)
{
	struct rq *rq = cpu_rq(cpu);

	if (cpu == smp_processor_id() || !is_cpu_allowed(p, cpu))
		return false;
	if (!(wake_flags & WF_ON_CPU) &&
	    cpumask_test_cpu(cpu, topology_core_cpumask(smp_processor_id())))
		return false;
	if (llist_add(&p->wake_entry, &rq->wake_list))
		smp_send_reschedule(cpu);
	return true;
}

/*
 * Any context.  The full barrier after pi_lock pairs with set_current_state(): the waker's condition is written before it
 * reads __state, the sleeper's __state is written before it reads the condition (wait.h draws it).
 *
 * Three reads must come in this order, or a task is lost or runs on two CPUs:
 *
 *      waker                                   p on CPU 1
 *      read __state  (sleeping)                state = INTERRUPTIBLE; __schedule(): on_rq = 0 ... on_cpu = 0
 *      smp_rmb
 *      read on_rq    (1: ttwu_runnable)
 *      acquire
 *      read on_cpu   (1: p has not yet left its stack: queue it there, or spin until it has)
 *      -> p's whole switch-out is visible: it may run on any CPU
 */
int try_to_wake_up(struct task_struct *p, unsigned int state, int wake_flags)
{
	unsigned long flags;
	int cpu, success = 0;

	preempt_disable();
	if (p == current) {
		/* Between set_current_state() and schedule(), by an interrupt or itself: it need not be locked out. */
		if (READ_ONCE(p->__state) & state) {
			success = 1;
			WRITE_ONCE(p->__state, TASK_RUNNING);
			trace_sched_wakeup(p->pid, p->prio, task_cpu(p));
		}
		goto out;
	}

	spin_lock_irqsave(&p->pi_lock, flags);
	smp_mb__after_spinlock();
	if (!(READ_ONCE(p->__state) & state))
		goto unlock;
	success = 1;

	smp_rmb();
	if (READ_ONCE(p->on_rq) && ttwu_runnable(p, wake_flags))
		goto unlock;

	smp_acquire__after_ctrl_dep();
	p->sched_contributes_to_load = (p->__state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) == TASK_UNINTERRUPTIBLE;
	WRITE_ONCE(p->__state, TASK_WAKING);
	if (p->in_iowait)
		atomic_dec(&task_rq(p)->nr_iowait);
	if (smp_load_acquire(&p->on_cpu) && ttwu_queue_wakelist(p, task_cpu(p), wake_flags | WF_ON_CPU))
		goto unlock;
	smp_cond_load_acquire(&p->on_cpu, !VAL);

	cpu = select_task_rq(p, p->wake_cpu, wake_flags | WF_TTWU);
	set_task_cpu(p, cpu);
	if (!ttwu_queue_wakelist(p, cpu, wake_flags)) {
		struct rq *rq = cpu_rq(cpu);

		spin_lock(&rq->lock);
		update_rq_clock(rq);
		ttwu_do_activate(rq, p, wake_flags);
		spin_unlock(&rq->lock);
	}
unlock:
	spin_unlock_irqrestore(&p->pi_lock, flags);
out:
	preempt_enable();
	return success;
}

int wake_up_process(struct task_struct *p)
{
	return try_to_wake_up(p, TASK_NORMAL, 0);
}

int wake_up_state(struct task_struct *p, unsigned int state)
{
	return try_to_wake_up(p, state, 0);
}

/* The reschedule interrupt: what the sender left us is in wake_list, in TIF_NEED_RESCHED or in nohz_kick. */
void scheduler_ipi(void)
{
	struct rq *rq = this_rq();

	if (test_tsk_need_resched(current))
		set_preempt_need_resched();
	if (likely(llist_empty(&rq->wake_list) && !READ_ONCE(rq->nohz_kick)))
		return;
	/* Real work: an idle CPU must tell the time again, and what is raised must be run. */
	irq_enter();
	sched_ttwu_pending();
	if (READ_ONCE(rq->nohz_kick))
		nohz_balance_kicked(rq);
	irq_exit();
}

/* Makes p, if it runs in user mode elsewhere, enter the kernel, where it will see its TIF_ flags. */
void kick_process(struct task_struct *p)
{
	preempt_disable();
	if (task_cpu(p) != smp_processor_id() && task_curr(p))
		smp_send_reschedule(task_cpu(p));
	preempt_enable();
}

/* ---- New tasks ---- */

static void init_sched_entities(struct task_struct *p)
{
	p->on_rq = 0;
	p->on_cpu = 0;
	memset(&p->se, 0, sizeof(p->se));
	RB_CLEAR_NODE(&p->se.run_node);
	p->se.slice = SCHED_SLICE_NS;
	INIT_LIST_HEAD(&p->rt.run_list);
	p->rt.time_slice = RR_TIMESLICE;
	p->rt.on_list = false;
	if (unlikely(p->dl.dl_timer.function))
		memset(&p->dl, 0, sizeof(p->dl));	/* the parent's contract is its own */
	p->wait_sum = 0;
	p->prev_utime = p->prev_stime = 0;
	p->nvcsw = p->nivcsw = 0;
	p->migration_disabled = 0;
	p->wake_next = NULL;
}

/* Part of copy_process(): p, a copy of current, is nobody else's yet.  0, or -EAGAIN: a deadline is not inherited. */
int sched_fork(unsigned long clone_flags, struct task_struct *p)
{
	if (unlikely(task_has_dl_policy(p) && !p->sched_reset_on_fork))
		return -EAGAIN;
	init_sched_entities(p);
	p->task_group = NULL;		/* the controller says which when it is linked: cgroup_post_fork() */
	p->__state = TASK_NEW;		/* nobody can run or wake it before wake_up_new_task() */
	p->prio = current->normal_prio;	/* not a boosted one */
	if (unlikely(p->sched_reset_on_fork)) {
		if (task_has_rt_policy(p) || task_has_dl_policy(p)) {
			p->policy = SCHED_NORMAL;
			p->static_prio = DEFAULT_PRIO;
			p->rt_priority = 0;
		} else if (p->static_prio < DEFAULT_PRIO) {
			p->static_prio = DEFAULT_PRIO;
		}
		p->prio = p->normal_prio = p->static_prio;
		p->sched_reset_on_fork = false;
	}
	set_load_weight(p);
	p->sched_class = rt_prio(p->prio) ? &rt_sched_class : &fair_sched_class;
	p->cpu = p->wake_cpu = raw_smp_processor_id();
	p->recent_used_cpu = p->cpu;
	init_task_preempt_count(p);
	return 0;
}

void sched_post_fork(struct task_struct *p)
{
}

void sched_exit(struct task_struct *p)
{
	dl_exit(p);
}

void wake_up_new_task(struct task_struct *p)
{
	struct rq *rq;
	unsigned long flags;

	spin_lock_irqsave(&p->pi_lock, flags);
	WRITE_ONCE(p->__state, TASK_RUNNING);
	set_task_cpu(p, select_task_rq(p, task_cpu(p), WF_FORK));
	rq = __task_rq_lock(p);
	update_rq_clock(rq);
	task_thread_info(p)->cpu = cpu_of(rq);
	activate_task(rq, p, ENQUEUE_INITIAL);
	trace_sched_wakeup_new(p->pid, p->prio, cpu_of(rq));
	check_preempt_curr(rq, p, WF_FORK);
	__task_rq_unlock(rq);
	spin_unlock_irqrestore(&p->pi_lock, flags);
}

/* ---- The switch ---- */

/*
 * Runs in the context of the task that was switched to; prev is the one that this CPU left (switch_to's `last`).
 * prev->on_cpu must be cleared before rq->lock is released and after its state was read: from that moment a waker may run
 * prev on another CPU, and a dead prev may be freed by nobody but us.
 */
static struct rq *finish_task_switch(struct task_struct *prev) __no_context_analysis /* releases what prev took */
{
	struct rq *rq = this_rq();
	struct mm_struct *mm = rq->prev_mm;
	unsigned int prev_state = READ_ONCE(prev->__state);

	rq->prev_mm = NULL;
	smp_store_release(&prev->on_cpu, 0);
	lock_acquired_from_prev(&rq->lock);
	spin_unlock_irq(&rq->lock);

	if (mm) {
		membarrier_mm_sync_core_before_usermode(mm);
		mmdrop(mm);
	}
	if (unlikely(prev_state == TASK_DEAD)) {
		trace_sched_process_free(prev->pid);
		put_task_struct_rcu_user(prev);
	}
	return rq;
}

void schedule_tail(struct task_struct *prev) __no_context_analysis	/* see finish_task_switch() */
{
	finish_task_switch(prev);
	preempt_enable();
	if (current->set_child_tid)
		put_user(current->vpid, current->set_child_tid);
}

static __always_inline void context_switch_mm(struct rq *rq, struct task_struct *prev, struct task_struct *next)
{
	if (!next->mm) {
		/* to a kernel thread: it borrows */
		enter_lazy_tlb(prev->active_mm, next);
		next->active_mm = prev->active_mm;
		if (prev->mm)
			mmgrab(prev->active_mm);
		else
			prev->active_mm = NULL;	/* the loan is handed on */
	} else {
		/* to user space: a barrier for membarrier(2) comes with the CR3 write or is made here */
		membarrier_switch_mm(rq->cpu, prev->active_mm, next->mm);
		switch_mm_irqs_off(prev->active_mm, next->mm, next);
		if (!prev->mm) {
			rq->prev_mm = prev->active_mm;
			prev->active_mm = NULL;
		}
	}
}

static __always_inline void context_switch(struct rq *rq, struct task_struct *prev, struct task_struct *next)
{
	rseq_preempt(prev);
	WRITE_ONCE(next->on_cpu, 1);
	context_switch_mm(rq, prev, next);
	lock_handed_to_next(&rq->lock);
	switch_to(prev, next, prev);
	barrier();
	finish_task_switch(prev);
}

/* Nearly always everything that is ready here is of the fair class: then no other need be asked. */
static __always_inline bool only_fair(const struct rq *rq, const struct task_struct *prev)
{
	return prev->sched_class->rank <= fair_sched_class.rank && rq->nr_running == rq->cfs.nr_running;
}

/*
 * Where the lock is dropped to look at other queues, prev may be given another class: it is still rq->curr, though it may
 * have left the queue.
 *
 *              CPU 0: __schedule(), prev sleeps         CPU 1: futex_lock_pi()
 *              prev off the queue; nothing else here
 *              newidle_balance(): drops the lock
 *                                                      prev owns the futex: rt_mutex_setprio(prev)
 *              has the lock again: prev is of the real-time class now, and not on the queue
 */
static struct task_struct *pick_next_task(struct rq *rq, struct task_struct *prev)
{
	struct task_struct *p;

	if (likely(only_fair(rq, prev))) {
		if (likely(rq->nr_running))
			return fair_pick_fast(rq, prev);
		newidle_balance(rq);
		if (likely(only_fair(rq, prev)))
			return fair_pick_fast(rq, prev);
	}
	sched_rt_pull(rq);
	if (!rq->nr_running)
		newidle_balance(rq);
	prev->sched_class->put_prev_task(rq, prev);
	p = stop_sched_class.pick_next_task(rq);
	if (!p)
		p = dl_sched_class.pick_next_task(rq);
	if (!p)
		p = rt_sched_class.pick_next_task(rq);
	if (!p)
		p = fair_sched_class.pick_next_task(rq);
	return p ? p : idle_sched_class.pick_next_task(rq);
}

/* Takes prev, which set its own state, off the run queue, unless a signal that it waits for is there already. */
static void prev_goes_to_sleep(struct rq *rq, struct task_struct *prev, unsigned int prev_state)
{
	if (signal_pending_state(prev_state, prev)) {
		WRITE_ONCE(prev->__state, TASK_RUNNING);
		return;
	}
	prev->sched_contributes_to_load =
		(prev_state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) == TASK_UNINTERRUPTIBLE;
	if (prev->sched_contributes_to_load)
		rq->nr_uninterruptible++;
	if (unlikely(prev->in_iowait))
		atomic_inc(&rq->nr_iowait);
	deactivate_task(rq, prev, DEQUEUE_SLEEP);
}

static void schedule_debug(struct task_struct *prev)
{
	if (unlikely(*end_of_stack(prev) != STACK_END_MAGIC))
		panic("kernel stack of %s (%d) ran over", prev->comm, prev->pid);
	if (unlikely(in_atomic_preempt_off())) {
		printk(KERN_ERR "BUG: scheduling while atomic: %s/%d/0x%08x\n", prev->comm, prev->pid, preempt_count());
		dump_stack();
		preempt_count_set(PREEMPT_DISABLED);
	}
}

/*
 * Preemption is off (depth 1), interrupts as they may.  `preempt`: the task did not ask for it, so its state is not looked
 * at.  Returns when the calling task has been given the processor again.
 */
static void __schedule(bool preempt) __no_context_analysis	/* the lock is released in another task's context */
{
	struct rq *rq = this_rq();
	struct task_struct *prev = rq->curr, *next;
	unsigned long *switch_count = &prev->nivcsw;
	unsigned int prev_state;

	schedule_debug(prev);
	local_irq_disable();
	rcu_note_context_switch(preempt);
	spin_lock(&rq->lock);
	/* Full barrier between the caller's write of __state and what the wake-up side reads; membarrier(2) needs it too. */
	smp_mb__after_spinlock();
	update_rq_clock(rq);

	prev_state = READ_ONCE(prev->__state);
	if (!preempt && prev_state) {
		prev_goes_to_sleep(rq, prev, prev_state);
		switch_count = &prev->nvcsw;
	}
	next = pick_next_task(rq, prev);
	if (test_tsk_need_resched(prev))
		clear_tsk_need_resched(prev);
	clear_preempt_need_resched();

	if (likely(prev != next)) {
		rq->nr_switches++;
		WRITE_ONCE(rq->curr, next);
		++*switch_count;
		if (next != rq->idle) {
			next->wait_sum += rq_clock(rq) - next->wait_start;
			rq->run_delay += rq_clock(rq) - next->wait_start;
			rq->pcount++;
		}
		prev->wait_start = rq_clock(rq);
		trace_sched_switch(prev->pid, prev->prio, preempt ? TASK_RUNNING : prev_state, next->pid, next->prio);
		context_switch(rq, prev, next);
	} else {
		spin_unlock_irq(&rq->lock);
	}
}

void schedule(void)
{
	struct task_struct *tsk = current;
	bool worker = unlikely(tsk->flags & PF_WQ_WORKER) && READ_ONCE(tsk->__state);

	if (unlikely(tsk->plug) && READ_ONCE(tsk->__state))
		blk_flush_plug_to_sleep(tsk->plug);
	if (worker)
		wq_worker_sleeping(tsk);	/* the pool may need another worker meanwhile */
	do {
		preempt_disable();
		__schedule(false);
		preempt_enable_no_resched();
	} while (need_resched());
	if (worker)
		wq_worker_running(tsk);
}

/* The idle loop's: with preemption off all the time. */
void schedule_idle(void)
{
	do {
		__schedule(false);
	} while (need_resched());
}

/* Called with preemption off (depth 1), returns so. */
void schedule_preempt_disabled(void)
{
	preempt_enable_no_resched();
	schedule();
	preempt_disable();
}

/* From preempt_enable() when the count is 0 and somebody wants us to reschedule. */
void preempt_schedule(void)
{
	if (likely(!preemptible()))
		return;
	do {
		preempt_disable();
		__schedule(true);
		preempt_enable_no_resched();
	} while (need_resched());
}

/* From the end of an interrupt that hit preemptible kernel code.  Interrupts off before and after. */
void preempt_schedule_irq(void)
{
	BUG_ON(preempt_count() || !irqs_disabled());
	do {
		preempt_disable();
		local_irq_enable();
		__schedule(true);
		local_irq_disable();
		preempt_enable_no_resched();
	} while (need_resched());
}

int __cond_resched(void)
{
	if (!should_resched(0))
		return 0;
	preempt_schedule();
	return 1;
}

/* The task's last act.  finish_task_switch() of the next one drops the reference that keeps stack and task_struct. */
void __noreturn do_task_dead(void)
{
	/*
	 * pi_lock: a waker that saw an older state must be done with us, or it would write TASK_RUNNING over TASK_DEAD:
	 *      try_to_wake_up(), pi_lock held      do_task_dead()
	 *      reads __state == TASK_INTERRUPTIBLE
	 *                                          __state = TASK_DEAD    (without the lock)
	 *      ttwu_runnable(): TASK_RUNNING       __schedule() returns: BUG
	 *
	 * Preemption off: finish_task_switch() frees whom it finds TASK_DEAD.  Preempted here we would be left on the run
	 * queue, and freed in it.
	 */
	preempt_disable();
	spin_lock_irq(&current->pi_lock);
	WRITE_ONCE(current->__state, TASK_DEAD);
	spin_unlock_irq(&current->pi_lock);
	__schedule(false);
	BUG();
}

void yield(void)
{
	set_current_state(TASK_RUNNING);
	do_sched_yield();
}

void do_sched_yield(void) __no_context_analysis	/* the rq lock is this CPU's */
{
	struct rq *rq;

	local_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	update_rq_clock(rq);
	rq->yld_count++;
	current->sched_class->yield_task(rq);
	preempt_disable();
	spin_unlock_irq(&rq->lock);
	preempt_enable_no_resched();
	schedule();
}

void io_schedule(void)
{
	io_schedule_timeout(MAX_SCHEDULE_TIMEOUT);
}

long io_schedule_timeout(long timeout)
{
	int old = current->in_iowait;

	current->in_iowait = 1;
	timeout = schedule_timeout(timeout);
	current->in_iowait = old;
	return timeout;
}

/* From the tick of this CPU, interrupts off. */
void sched_tick(void)
{
	struct rq *rq = this_rq();

	spin_lock(&rq->lock);
	update_rq_clock(rq);
	rq->curr->sched_class->task_tick(rq, rq->curr);
	sched_rt_tick(rq);
	/* A real-time task that had to wait here may be better off elsewhere by now. */
	if (rq->rt.nr_running > 1)
		sched_rt_push(rq);
	if (rq->dl.nr_running > 1)
		sched_dl_push(rq);
	spin_unlock(&rq->lock);
	trigger_load_balance(rq);
}

/* Has that CPU borrowed mm, to go on with it until somebody with an mm of his own comes?  May change at once. */
bool sched_cpu_borrows_mm(int cpu, const struct mm_struct *mm)
{
	struct rq *rq = cpu_rq(cpu);
	unsigned long flags;
	bool borrows;

	spin_lock_irqsave(&rq->lock, flags);
	borrows = !rq->curr->mm && rq->curr->active_mm == mm;
	spin_unlock_irqrestore(&rq->lock, flags);
	return borrows;
}

/* ---- Start-up ---- */

static void init_rq(struct rq *rq, int cpu)
{
	spin_lock_init(&rq->lock);
	rq->cpu = cpu;
	init_cfs_rq(&rq->cfs);
	INIT_LIST_HEAD(&rq->group_queues);
	init_rt_rq(&rq->rt);
	init_dl_rq(&rq->dl);
	init_llist_head(&rq->wake_list);
	rq->next_balance = jiffies;
	rq->avg_idle = 2 * NSEC_PER_MSEC;
	atomic_set(&rq->nr_iowait, 0);
}

/* `idle` will be the idle task of that CPU, which does not run yet (or runs as idle: the boot CPU). */
void init_idle(struct task_struct *idle, int cpu)
{
	struct rq *rq = cpu_rq(cpu);
	unsigned long flags;

	spin_lock_irqsave(&idle->pi_lock, flags);
	spin_lock(&rq->lock);
	init_sched_entities(idle);
	idle->__state = TASK_RUNNING;
	idle->flags |= PF_IDLE | PF_NO_SETAFFINITY;
	idle->policy = SCHED_NORMAL;
	idle->prio = MAX_PRIO;
	idle->normal_prio = DEFAULT_PRIO;	/* what the tasks it forks start with */
	idle->static_prio = DEFAULT_PRIO;
	set_load_weight(idle);
	idle->sched_class = &idle_sched_class;
	cpumask_copy(&idle->cpus_mask, cpumask_of(cpu));
	idle->nr_cpus_allowed = 1;
	idle->cpu = idle->wake_cpu = cpu;
	task_thread_info(idle)->cpu = cpu;
	rq->idle = idle;
	WRITE_ONCE(rq->curr, idle);
	idle->on_rq = TASK_ON_RQ_QUEUED;
	idle->on_cpu = 1;
	spin_unlock(&rq->lock);
	spin_unlock_irqrestore(&idle->pi_lock, flags);
	if (cpu != smp_processor_id())
		init_idle_preempt_count(idle, cpu);
	snprintf(idle->comm, sizeof(idle->comm), "swapper/%d", cpu);
}

void __init sched_init(void)
{
	int cpu;

	wait_bit_init();
	for_each_possible_cpu(cpu)
		init_rq(cpu_rq(cpu), cpu);
	mmgrab(&init_mm);
	enter_lazy_tlb(&init_mm, current);
	current->active_mm = &init_mm;
	init_idle(current, smp_processor_id());
	init_balance();
}

/* All CPUs are up, kthreadd works. */
void __init sched_init_smp(void)
{
	cpu_stop_init();
	spawn_ksoftirqd();
	/* pid 1 and all made from it may run everywhere; it was confined to the boot CPU by its parent, pid 0. */
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}
