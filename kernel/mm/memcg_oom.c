/*
 * memcg_oom.c: what the OOM killer asks about groups, and what it leaves behind there.
 *
 * Idea:    a limit that cannot be met kills in the group whose limit it is, or below it; oom_kill.c does it as for the machine,
 *          with fewer candidates.  With memory.oom.group the victim takes its group with it: a service of several processes
 *          goes down as a whole instead of living on without one of them.
 * Locking: oom_lock is held; groups of tasks are read under RCU.
 * See:     oom_kill.c; memcontrol.c calls out_of_memory()
 */
#include <weft/kernel.h>
#include <weft/cgroup.h>
#include <weft/memcg.h>
#include <weft/oom.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "memcg_internal.h"

#define KB(pages)	((pages) << (PAGE_SHIFT - 10))
#define PATH_SHOWN	160			/* bytes of a group's path in the log */

bool mem_cgroup_has_task(const struct mem_cgroup *memcg, const struct task_struct *p)
{
	return memcg_is_below(task_memcg(p), memcg);
}

/* What is left of the machine's memory and swap if every limit from here up is kept. */
unsigned long mem_cgroup_oom_pages(const struct mem_cgroup *memcg)
{
	unsigned long memory = totalram_pages(), swapped = total_swap_pages();

	for (; memcg; memcg = memcg_parent(memcg)) {
		memory = min(memory, READ_ONCE(memcg->counter[MEMCG_MEMORY].max));
		swapped = min(swapped, READ_ONCE(memcg->counter[MEMCG_SWAP].max));
	}
	return memory + swapped;
}

struct mem_cgroup *mem_cgroup_oom_group(struct mem_cgroup *memcg, const struct task_struct *victim)
{
	struct mem_cgroup *found = NULL;

	for (struct mem_cgroup *pos = task_memcg(victim); pos; pos = memcg_parent(pos)) {
		if (READ_ONCE(pos->oom_group))
			found = pos;
		if (pos == memcg)
			break;
	}
	if (found)
		memcg_event(found, MEMCG_OOM_GROUP_KILL);
	return found;
}

static const char *path_of(const struct mem_cgroup *memcg, char *buf)
{
	const struct cgroup *cgrp = memcg ? READ_ONCE(memcg->css.cgroup) : &cgroup_root;

	if (!cgrp)
		return "(removed)";
	return cgroup_path_ns(cgrp, &cgroup_root, buf, PATH_SHOWN) < 0 ? "(long path)" : buf;
}

static void report(const struct mem_cgroup *memcg, struct mem_cgroup *of_victim, const struct task_struct *victim)
{
	char limit_path[PATH_SHOWN], task_path[PATH_SHOWN];

	printk(KERN_ERR "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=%s,task_memcg=%s,task=%s,pid=%d\n",
	       path_of(memcg, limit_path), path_of(of_victim, task_path), victim->comm, victim->pid);
	printk(KERN_ERR "memory: usage %lukB, limit %lukB; swap: usage %lukB\n", KB(memcg_pages(memcg, MEMCG_MEMORY)),
	       KB(READ_ONCE(memcg->counter[MEMCG_MEMORY].max)), KB(memcg_pages(memcg, MEMCG_SWAP)));
}

void mem_cgroup_report_kill(struct mem_cgroup *memcg, struct task_struct *victim)
{
	struct mem_cgroup *of_victim;

	rcu_read_lock();
	of_victim = task_memcg(victim);
	if (memcg)
		report(memcg, of_victim, victim);
	if (of_victim)
		memcg_event(of_victim, MEMCG_OOM_KILL);
	rcu_read_unlock();
}
