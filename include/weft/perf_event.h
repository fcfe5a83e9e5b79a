/*
 * perf_event.h: what fork, exec and exit tell the counters of perf_event_open(2): kernel/task/perf_event.c.
 *
 * Idea:    a task that nobody counts has ->perf NULL, and then each of these is one test.
 */
#ifndef WEFT_PERF_EVENT_H
#define WEFT_PERF_EVENT_H

#include <weft/sched.h>

int __perf_event_fork(struct task_struct *child, u64 clone_flags);
void __perf_event_exec(void);
void __perf_event_exit(struct task_struct *tsk);

/* child is not known yet; its counters begin where it begins.  0 or -ENOMEM. */
static inline int perf_event_fork(struct task_struct *child, u64 clone_flags)
{
	return unlikely(current->perf) ? __perf_event_fork(child, clone_flags) : 0;
}

/* The running task has a new program. */
static inline void perf_event_exec(void)
{
	if (unlikely(current->perf))
		__perf_event_exec();
}

/* The task will not run much further, or never began to. */
static inline void perf_event_exit(struct task_struct *tsk)
{
	if (unlikely(tsk->perf))
		__perf_event_exit(tsk);
}

#endif
