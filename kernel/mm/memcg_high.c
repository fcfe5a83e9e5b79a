/*
 * memcg_high.c: memory.high: a group that has more than this is pressed and slowed down, but nobody is killed.
 *
 * Idea:    a charge is made wherever a page is wanted, often under locks that others wait for: no place to sleep long.  So it
 *          only notes that the group was above its mark, and the task pays on its way back to user mode, where it holds
 *          nothing: it reclaims as much as it has charged; if the group is above nevertheless, it sleeps, the longer the more
 *          the group is above (with the square, so that little costs little) and the more it has charged; 2 s at most.
 * Locking: none: what is noted is the task's own.
 * See:     memcontrol.c; kernel/task/task_work.c calls; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/jiffies.h>
#include <weft/memcg.h>
#include <weft/sched.h>
#include "internal.h"
#include "memcg_internal.h"

#define CHARGED_AT_ONCE	32UL			/* a note stands for so many pages */
#define SLEEP_MOST	(2UL * HZ)
#define SLEEP_LEAST	(HZ / 100)		/* less is not worth a timer */
#define PRECISION	20			/* bits behind the point of "how far above" */
#define SCALE		14			/* ... and how much of the square is slept */

static bool above_high(const struct mem_cgroup *memcg)
{
	return memcg_pages(memcg, MEMCG_MEMORY) > READ_ONCE(memcg->counter[MEMCG_MEMORY].high);
}

void note_over_high(struct mem_cgroup *memcg)
{
	for (; memcg; memcg = memcg_parent(memcg)) {
		if (!above_high(memcg))
			continue;
		current->memcg_over_high += CHARGED_AT_ONCE;
		set_thread_flag(TIF_NOTIFY_RESUME);
		break;
	}
}

/* The part of its mark by which the group is above it, with PRECISION bits behind the point. */
static u64 overage(const struct mem_cgroup *memcg)
{
	u64 pages = memcg_pages(memcg, MEMCG_MEMORY), high = READ_ONCE(memcg->counter[MEMCG_MEMORY].high);

	return pages > high ? ((pages - high) << PRECISION) / max(high, 1ULL) : 0;
}

static unsigned long ticks_to_sleep(const struct mem_cgroup *memcg, unsigned long charged)
{
	u64 most = 0, ticks;

	for (; memcg; memcg = memcg_parent(memcg))
		most = max(most, overage(memcg));
	most = min(most, 1ULL << 28);		/* its square shall not run over */
	ticks = most * most * HZ >> PRECISION >> SCALE;
	return (unsigned long)min(ticks * charged / CHARGED_AT_ONCE, (u64)SLEEP_MOST);
}

void __mem_cgroup_handle_over_high(void)
{
	struct mem_cgroup *memcg = get_current_memcg();
	unsigned long charged = current->memcg_over_high, ticks;

	current->memcg_over_high = 0;
	if (!memcg)
		return;
	for (struct mem_cgroup *pos = memcg; pos; pos = memcg_parent(pos)) {
		if (!above_high(pos))
			continue;
		memcg_event(pos, MEMCG_HIGH);
		try_to_free_mem_cgroup_pages(pos, charged, GFP_KERNEL, true);
	}
	ticks = ticks_to_sleep(memcg, charged);
	if (ticks > SLEEP_LEAST)
		schedule_timeout_killable((long)ticks);
	css_put(&memcg->css);
}
