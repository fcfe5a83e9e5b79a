/*
 * ioprio.c: how urgent a task's input and output is, said by ioprio_set(2) and handed down by fork.
 *
 * Idea:    a class and a level in one word of the task.  Nothing queues requests by it while there are no disks; programs
 *          (ionice, backup scripts) set it all the same and expect to read back what they set.
 *          Class NONE means: what the nice value says.
 * Locking: the word is read and written whole; which tasks: sched_for_named() under tasklist_lock.
 * See:     ioprio_set(2)
 */
#include <weft/kernel.h>
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include <weft/ioprio.h>
#include <uapi/sched.h>
#include "sched.h"

#define IOPRIO_CLASS(v)	((v) >> IOPRIO_CLASS_SHIFT)
#define IOPRIO_LEVEL(v)	((v) & ((1 << IOPRIO_CLASS_SHIFT) - 1))

int ioprio_check_cap(int ioprio)
{
	switch (IOPRIO_CLASS(ioprio)) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		return IOPRIO_LEVEL(ioprio) < IOPRIO_BE_NR ? 0 : -EINVAL;
	case IOPRIO_CLASS_BE:
		return IOPRIO_LEVEL(ioprio) < IOPRIO_BE_NR ? 0 : -EINVAL;
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return IOPRIO_LEVEL(ioprio) ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int set_one_ioprio(struct task_struct *p, int ioprio, int err)
{
	/* Once somebody was refused nobody further is changed. */
	if (err && err != -ESRCH)
		return err;
	if (!uid_eq(task_uid(p), current_euid()) && !uid_eq(task_uid(p), current_uid()) && !capable(CAP_SYS_NICE))
		return -EPERM;
	WRITE_ONCE(p->ioprio, ioprio);
	return 0;
}

/* The word of one task as it was set. */
static int raw_ioprio(struct task_struct *p, int unused, int acc)
{
	return READ_ONCE(p->ioprio);
}

/* Of several tasks the most urgent: a lower word is more urgent; NONE counts as what the nice value makes of it. */
static int best_ioprio(struct task_struct *p, int unused, int best)
{
	int ioprio = READ_ONCE(p->ioprio);

	if (IOPRIO_CLASS(ioprio) == IOPRIO_CLASS_NONE)
		ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, (task_nice(p) + 20) / 5);
	return best == -ESRCH ? ioprio : min(best, ioprio);
}

/* IOPRIO_WHO_* are PRIO_* and one. */
long sys_ioprio_set(int which, int who, int ioprio)
{
	int err = ioprio_check_cap(ioprio);

	if (err)
		return err;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	return sched_for_named(which - IOPRIO_WHO_PROCESS, who, set_one_ioprio, ioprio, -ESRCH);
}

long sys_ioprio_get(int which, int who)
{
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	return sched_for_named(which - IOPRIO_WHO_PROCESS, who, which == IOPRIO_WHO_PROCESS ? raw_ioprio : best_ioprio, 0,
			       -ESRCH);
}
