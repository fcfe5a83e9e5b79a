/*
 * stop_machine.c: "run this on that CPU, above every task there": the stoppers, kernel threads migration/N.
 *
 * Idea:    each CPU has a list of work and a thread of the stop class that empties it.  While the function runs, no other
 *          task of that CPU does, so a task that was running there stands still and can be moved.
 * Locking: stopper->lock (irq) guards its list; order stopper->lock -> pi_lock -> rq->lock (it wakes under the lock).
 * See:     affinity.c and balance.c, the users
 */
#include "sched.h"
#include <weft/completion.h>
#include <weft/init.h>
#include <weft/kthread.h>
#include <weft/stop_machine.h>

struct cpu_stop_done {
	int			ret;
	struct completion	completion;
};

struct cpu_stopper {
	spinlock_t		lock;		/* class: cpu_stopper */
	struct list_head	works;		/* [lock] */
	struct task_struct	*thread;	/* [I] */
	bool			enabled;	/* [lock] the thread is there */
};

static DEFINE_PER_CPU(struct cpu_stopper, cpu_stopper);

static bool queue_stop_work(unsigned int cpu, struct cpu_stop_work *work)
{
	struct cpu_stopper *stopper = per_cpu_ptr(&cpu_stopper, cpu);
	unsigned long flags;
	bool enabled;

	/* Not before cpu_stop_init(): the lock itself is not there yet. */
	if (!READ_ONCE(stopper->thread))
		return false;
	spin_lock_irqsave(&stopper->lock, flags);
	enabled = stopper->enabled;
	if (enabled) {
		list_add_tail(&work->list, &stopper->works);
		wake_up_process(stopper->thread);
	}
	spin_unlock_irqrestore(&stopper->lock, flags);
	return enabled;
}

int stop_one_cpu(unsigned int cpu, cpu_stop_fn_t fn, void *arg)
{
	struct cpu_stop_done done = { .ret = -ENOENT };
	struct cpu_stop_work work = { .fn = fn, .arg = arg, .done = &done };

	might_sleep();
	init_completion(&done.completion);
	if (!queue_stop_work(cpu, &work))
		return -ENOENT;
	wait_for_completion(&done.completion);
	return done.ret;
}

bool stop_one_cpu_nowait(unsigned int cpu, cpu_stop_fn_t fn, void *arg, struct cpu_stop_work *work)
{
	*work = (struct cpu_stop_work){ .fn = fn, .arg = arg };
	return queue_stop_work(cpu, work);
}

static struct cpu_stop_work *take_work(struct cpu_stopper *stopper)
{
	struct cpu_stop_work *work;

	spin_lock_irq(&stopper->lock);
	work = list_first_entry_or_null(&stopper->works, struct cpu_stop_work, list);
	if (work)
		list_del_init(&work->list);
	spin_unlock_irq(&stopper->lock);
	return work;
}

static void run_work(struct cpu_stop_work *work)
{
	/* `work` may be gone or in use again as soon as fn runs: see active_balance_work. */
	struct cpu_stop_done *done = work->done;
	int ret;

	preempt_disable();
	ret = work->fn(work->arg);
	preempt_enable();
	if (done) {
		done->ret = ret;
		complete(&done->completion);
	}
}

static int cpu_stopper_thread(void *unused)
{
	struct cpu_stopper *stopper = this_cpu_ptr(&cpu_stopper);	/* bound: the CPU never changes */

	for (;;) {
		struct cpu_stop_work *work;

		set_current_state(TASK_INTERRUPTIBLE);
		work = take_work(stopper);
		if (!work) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		run_work(work);
	}
	return 0;
}

/* All CPUs are up. */
void __init cpu_stop_init(void)
{
	int cpu;

	for_each_online_cpu(cpu) {
		struct cpu_stopper *stopper = per_cpu_ptr(&cpu_stopper, cpu);
		struct task_struct *thread = kthread_create_on_cpu(cpu_stopper_thread, NULL, cpu, "migration/%u");

		if (IS_ERR(thread))
			panic("no memory for migration/%d", cpu);
		spin_lock_init(&stopper->lock);
		INIT_LIST_HEAD(&stopper->works);
		sched_set_stop_task(cpu, thread);
		stopper->enabled = true;
		WRITE_ONCE(stopper->thread, thread);
		wake_up_process(thread);
	}
}
