/*
 * perf_event.h: a counter of perf_event_open(2), between perf_event.c (counting) and perf_event_sys.c (the calls).
 *
 * Locking: perf_mutex over everything here.  Who counts nothing never takes it.
 */
#ifndef TASK_PERF_EVENT_H
#define TASK_PERF_EVENT_H

#include <weft/list.h>
#include <weft/mutex.h>
#include <weft/types.h>
#include <uapi/perf_event.h>

/* What task->perf points to: made with the task's first event, freed when it exits. */
struct perf_task {
	struct list_head	events;
};

/*
 * A counter of one task or one CPU.  Events form groups, which are switched on and off by their leader; and families: an
 * event that is inherited (the root, which a descriptor shows) has a child in each task that was forked since.
 */
struct perf_event {
	struct perf_event_attr	attr;
	u64			id;		/* [I] */
	struct task_struct	*task;		/* a reference; NULL: of a CPU, or the task has exited */
	int			cpu;		/* [I] -1: wherever the task runs */
	bool			on;		/* as enabled or disabled; it counts if its leader is on, too */
	bool			counting;
	bool			gone;		/* its task has exited */
	u64			count, time;	/* of finished stretches */
	u64			count_base, time_base;	/* where the stretch that is counting began */
	u64			child_count, child_time;	/* of children that have exited */

	struct perf_event	*leader;	/* itself, if it is one */
	struct list_head	members;	/* a leader's: struct perf_event.by_leader */
	struct list_head	by_leader;
	struct perf_event	*root;		/* itself, if it is one */
	struct list_head	children;	/* a root's: struct perf_event.by_root */
	struct list_head	by_root;
	struct list_head	by_task;	/* perf_task.events */
};

extern struct mutex perf_mutex;

/* All with perf_mutex held. */
/* Not in force yet.  task: a reference is taken.  leader NULL: it leads itself.  NULL: out of memory. */
struct perf_event *perf_new_event(const struct perf_event_attr *attr, struct task_struct *task, int cpu,
				  struct perf_event *leader);
int perf_attach(struct perf_event *event);		/* it begins to count, if it is on; 0, -ESRCH, -ENOMEM */
void perf_free_event(struct perf_event *root);		/* with its children; a leader's members go on by themselves */
void perf_switch(struct perf_event *root, bool on);	/* it and its children */
void perf_reset(struct perf_event *root);
void perf_total(struct perf_event *root, u64 *count, u64 *time);	/* with its children */

#endif
