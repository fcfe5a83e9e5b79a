/*
 * oom.h: what is done when there is no memory left and reclaim finds nothing: one process is killed.
 *
 * See: spec.md §6 "OOM killer"; kernel/mm/oom_kill.c
 */
#ifndef WEFT_OOM_H
#define WEFT_OOM_H

#include <weft/sched.h>
#include <weft/gfp.h>

#define OOM_SCORE_ADJ_MIN	(-1000)		/* never killed */
#define OOM_SCORE_ADJ_MAX	1000

struct oom_control {
	gfp_t		gfp_mask;
	int		order;			/* -1: asked for by hand */
	struct mem_cgroup *memcg;		/* whose limit it is about, and whose tasks: NULL: the machine's */
	unsigned long	totalpages;
	struct task_struct *chosen;		/* a reference */
	long		chosen_points;
};

extern struct mutex oom_lock;			/* one search for a victim at a time */

/* True: somebody was killed, is being killed, or nothing may be done now: try again.  oom_lock held. */
bool out_of_memory(struct oom_control *oc);
void pagefault_out_of_memory(void);		/* a fault ended with VM_FAULT_OOM */
/* Points for the kill: pages that its death would free, moved by oom_score_adj; LONG_MIN: must not be killed. */
long oom_badness(struct task_struct *p, unsigned long totalpages);
struct task_struct *find_lock_task_mm(struct task_struct *p);	/* a thread of p's group with an mm; task_lock is held */

/* The task was chosen to die: the page allocator lets it use the reserves so that it can get to its end. */
static inline bool tsk_is_oom_victim(struct task_struct *tsk) { return READ_ONCE(tsk->signal->oom_mm) != NULL; }
void exit_oom_victim(void);			/* exit_mm(): current's memory has been given back */

#endif
