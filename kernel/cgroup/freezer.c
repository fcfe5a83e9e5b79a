/*
 * freezer.c: cgroup.freeze: all tasks of a group rest, until they are let go or killed.
 *
 * What:    freezing marks every task (JOBCTL_TRAP_FREEZE) and makes it look for signals; on its way to user mode it finds the
 *          mark and sleeps.  The group is frozen when all have arrived, which cgroup.events tells.
 * Idea:    frozen is who will run no user code before somebody wakes it for that: who sleeps in the trap, but also who is
 *          stopped, traced and stopped, or waits for its vfork child.  Groups count them (nr_frozen); a group has come to
 *          rest when that is all its tasks and all its children have.  SIGKILL ends the rest: a frozen task can be killed.
 *
 *              freezer                                     task
 *              siglock: TRAP_FREEZE, TIF_SIGPENDING
 *                                                          get_signal(), siglock: sees the mark, INTERRUPTIBLE
 *                                                          cgroup_task_lock: nr_frozen + 1; told if it was the last
 *                                                          schedule()
 *              siglock: mark off, wakes it
 *                                                          no mark: nr_frozen - 1; goes on to user mode
 * Locking: cgroup_task_lock -> siglock.  cgroup_frozen of a task is written by itself, with cgroup_task_lock.
 * See:     kernel/task/signal_take.c; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/signal.h>
#include <weft/task_work.h>
#include "cgroup.h"

/* The state of cgrp may have changed, and with it of those above. */
void cgroup_update_frozen(struct cgroup *cgrp)
{
	lockdep_assert_held(&cgroup_task_lock);
	for (; !cgroup_is_root(cgrp); cgrp = cgrp->parent) {
		bool frozen = cgrp->e_freeze && cgrp->nr_frozen == cgrp->nr_live &&
			      cgrp->nr_frozen_children == cgrp->nr_children;

		if (frozen == cgrp->frozen)
			return;
		cgrp->frozen = frozen;
		cgrp->parent->nr_frozen_children += frozen ? 1U : -1U;
		cgroup_notify(cgrp, CGROUP_EVENT_CORE);
	}
}

/* ---- the running task ---- */

void __cgroup_enter_frozen(void)
{
	struct cgroup *cgrp;

	if (current->cgroup_frozen)
		return;
	spin_lock_irq(&cgroup_task_lock);
	cgrp = current->cgroup;
	if (!cgroup_is_root(cgrp)) {
		current->cgroup_frozen = true;
		cgrp->nr_frozen++;
		cgroup_update_frozen(cgrp);
	}
	spin_unlock_irq(&cgroup_task_lock);
}

void __cgroup_leave_frozen(bool always)
{
	struct cgroup *cgrp;

	spin_lock_irq(&cgroup_task_lock);
	cgrp = current->cgroup;
	/* It goes from one rest to the next: the trap is still there. */
	if ((always || !cgrp->e_freeze) && current->cgroup_frozen) {
		current->cgroup_frozen = false;
		cgrp->nr_frozen--;
		cgroup_update_frozen(cgrp);
	}
	spin_unlock_irq(&cgroup_task_lock);
}

void cgroup_freezer_trap(void)
{
	/* Signals wait.  Who sends one wakes us for nothing; SIGKILL is looked at before we come here again. */
	set_current_state(TASK_INTERRUPTIBLE);
	clear_thread_flag(TIF_SIGPENDING);
	spin_unlock_irq(&current->sighand->siglock);
	__cgroup_enter_frozen();
	/* Let go before we were counted: then nobody wakes us. */
	if (READ_ONCE(current->jobctl) & JOBCTL_TRAP_FREEZE)
		schedule();
	__set_current_state(TASK_RUNNING);
	clear_thread_flag(TIF_NOTIFY_SIGNAL);
	smp_mb__after_atomic();
	if (READ_ONCE(current->task_works))
		task_work_run();
}

/* ---- others' tasks ---- */

static void freeze_task(struct task_struct *p, bool freeze)
{
	unsigned long flags;

	if (!lock_task_sighand(p, &flags))
		return;
	if (freeze) {
		p->jobctl |= JOBCTL_TRAP_FREEZE;
		signal_wake_up(p, false);
	} else {
		p->jobctl &= ~JOBCTL_TRAP_FREEZE;
		if (p->cgroup_frozen)
			wake_up_state(p, TASK_INTERRUPTIBLE);
	}
	unlock_task_sighand(p, &flags);
}

void cgroup_freezer_moved(struct task_struct *p, struct cgroup *from, struct cgroup *to)
{
	if (p->cgroup_frozen && cgroup_is_root(to)) {
		freeze_task(p, false);
		from->nr_frozen--;
		p->cgroup_frozen = false;	/* the root counts nobody */
	} else {
		if (p->cgroup_frozen) {
			from->nr_frozen--;
			to->nr_frozen++;
		}
		if (!from->e_freeze != !to->e_freeze)
			freeze_task(p, to->e_freeze > 0);
	}
	cgroup_update_frozen(from);
	cgroup_update_frozen(to);
}

/* p is born into a group that is to be frozen: it rests before its first instruction. */
void cgroup_freezer_born(struct task_struct *p)
{
	if (p->cgroup->e_freeze)
		freeze_task(p, true);
	cgroup_update_frozen(p->cgroup);
}

void cgroup_set_freeze(struct cgroup *cgrp, bool freeze)
{
	struct task_struct *p;
	struct cgroup *pos;
	bool before;

	lockdep_assert_held(&cgroup_mutex);
	spin_lock_irq(&cgroup_task_lock);
	if (cgrp->freeze == freeze)
		goto out;
	cgrp->freeze = freeze;
	cgroup_for_each_pre(pos, cgrp) {
		before = pos->e_freeze > 0;
		pos->e_freeze += freeze ? 1U : -1U;
		if (before == (pos->e_freeze > 0))
			continue;
		list_for_each_entry(p, &pos->tasks, cgroup_node)
			freeze_task(p, freeze);
	}
	/* Where there are no tasks nobody else will look. */
	cgroup_for_each_pre(pos, cgrp)
		cgroup_update_frozen(pos);
out:
	spin_unlock_irq(&cgroup_task_lock);
}
