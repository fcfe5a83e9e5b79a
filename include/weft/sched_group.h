/*
 * sched_group.h: task groups, as the controller cpu and the way to user mode see them.
 *
 * Idea:    a task's group is p->task_group, NULL for the root's: who is in none pays for a NULL test.
 * See:     kernel/sched/group.c; kernel/cgroup/cpu.c
 */
#ifndef WEFT_SCHED_GROUP_H
#define WEFT_SCHED_GROUP_H

#include <weft/sched.h>

struct task_group;

#define SCHED_NO_QUOTA		(~0ULL)

struct sched_group_bandwidth {	/* ns */
	u64 quota, period;	/* so much in each period, on all CPUs together */
	u64 burst;		/* so much more, if the periods before left it */
};

struct sched_group_stat {
	u64 nr_periods, nr_throttled, nr_bursts;
	u64 throttled_ns, burst_ns;
};

struct task_group *sched_create_group(struct task_group *parent);	/* NULL: no memory.  May sleep */
void sched_free_group(struct task_group *tg);		/* no task is in it, and a grace period is over.  May sleep */
void sched_move_task(struct task_struct *p, struct task_group *tg);	/* NULL: into none */
void sched_group_set_shares(struct task_group *tg, unsigned long shares);	/* 1024: as a task of nice 0 */
unsigned long sched_nice_weight(int nice);
void sched_group_set_bandwidth(struct task_group *tg, const struct sched_group_bandwidth *bandwidth);
void sched_group_get_bandwidth(struct task_group *tg, struct sched_group_bandwidth *bandwidth);
void sched_group_get_stat(struct task_group *tg, struct sched_group_stat *stat);

void __sched_throttle_wait(void);
/* On the way to user mode: waits while there is nothing left of what current's group may use. */
static inline void sched_throttle_wait(void)
{
	if (unlikely(current->task_group))
		__sched_throttle_wait();
}

#endif
