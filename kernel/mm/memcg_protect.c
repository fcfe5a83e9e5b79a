/*
 * memcg_protect.c: memory.min and memory.low: what reclaim leaves to a group.
 *
 * Idea:    a group that has no more than it is promised is passed over; of one that has more, a share is looked at that
 *          corresponds to what it has more.  A promise is worth as much as those above can give: the least of the values
 *          from the group up to where the pressure comes from (the group whose limit it is, or the machine).
 *          min always holds.  low holds as long as anything else can be reclaimed; that it did not is an event.
 * Locking: none: words that may change meanwhile.
 * See:     vmscan.c; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/memcg.h>
#include "internal.h"
#include "memcg_internal.h"
#include "vmscan.h"

struct protection {
	unsigned long	min, low;
};

static struct protection protection_of(const struct mem_cgroup *memcg, const struct mem_cgroup *pressed)
{
	struct protection p = { ULONG_MAX, ULONG_MAX };

	if (memcg == pressed)
		return (struct protection){ 0, 0 };
	for (; memcg != pressed; memcg = memcg_parent(memcg)) {
		p.min = min(p.min, READ_ONCE(memcg->min));
		p.low = min(p.low, READ_ONCE(memcg->low));
	}
	return p;
}

bool memcg_spared(struct mem_cgroup *memcg, struct scan_control *sc)
{
	struct protection p = protection_of(memcg, sc->memcg);
	unsigned long pages = memcg_pages(memcg, MEMCG_MEMORY), promised;

	sc->spared = 0;
	if (!p.min && !p.low)
		return false;
	if (pages <= p.min)
		return true;
	if (pages <= p.low) {
		if (!sc->reclaim_low) {
			sc->skipped_low = true;
			return true;
		}
		memcg_event(memcg, MEMCG_LOW);
	}
	promised = sc->reclaim_low ? p.min : max(p.min, p.low);
	sc->spared = (promised << SPARED_SHIFT) / (pages + 1);
	return false;
}
