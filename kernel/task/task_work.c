/*
 * task_work.c: functions that a task runs on its way to user mode, or when it exits.
 *
 * Idea:    task->task_works is a lock-free stack: adding pushes with cmpxchg, running takes the whole stack at once and
 *          walks it in the order of arrival.  The mark work_exited, put in by the exit, says that nothing may be added.
 * Locking: none; see task_work.h for the context.
 */
#include <weft/sched_group.h>
#include <weft/task_work.h>
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/memcontrol.h>
#include <weft/sched.h>
#include <weft/rseq.h>

static struct callback_head work_exited;	/* only its address counts */

int task_work_add(struct task_struct *task, struct callback_head *twork, enum task_work_notify_mode mode)
{
	struct callback_head *head = READ_ONCE(task->task_works);

	do {
		if (unlikely(head == &work_exited))
			return -ESRCH;
		twork->next = head;
	} while (!try_cmpxchg(&task->task_works, &head, twork));

	if (mode == TWA_NONE)
		return 0;
	set_tsk_thread_flag(task, mode == TWA_SIGNAL ? TIF_NOTIFY_SIGNAL : TIF_NOTIFY_RESUME);
	if (task == current)
		return 0;
	if (mode == TWA_SIGNAL && wake_up_state(task, TASK_INTERRUPTIBLE))
		return 0;
	kick_process(task);
	return 0;
}

/* Takes all there is; an exiting task leaves the mark behind once there is nothing. */
static struct callback_head *take_all(struct task_struct *task)
{
	struct callback_head *head = READ_ONCE(task->task_works), *new;

	do {
		new = NULL;
		if (!head) {
			if (!(task->flags & PF_EXITING))
				return NULL;
			new = &work_exited;
		}
	} while (!try_cmpxchg(&task->task_works, &head, new));
	return head;
}

static struct callback_head *reverse(struct callback_head *work)
{
	struct callback_head *prev = NULL;

	while (work) {
		struct callback_head *next = work->next;

		work->next = prev;
		prev = work;
		work = next;
	}
	return prev;
}

void task_work_run(void)
{
	struct callback_head *work;

	while ((work = take_all(current)) != NULL) {
		work = reverse(work);
		do {
			struct callback_head *next = work->next;

			work->func(work);	/* may free it */
			work = next;
			cond_resched();
		} while (work);
	}
}

void exit_task_work(struct task_struct *task)
{
	task_work_run();
}

void resume_user_mode_work(struct pt_regs *regs)
{
	clear_thread_flag(TIF_NOTIFY_RESUME);
	sched_throttle_wait();
	/* The flag must be down before we look, so that who adds after our look sets it again. */
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(current->task_works)))
		task_work_run();
	mem_cgroup_handle_over_high();
	rseq_handle_notify_resume(NULL, regs);
}
