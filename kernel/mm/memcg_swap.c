/*
 * memcg_swap.c: slots of swap are charged to groups, beside and independently of memory.
 *
 * Idea:    a page that gets a slot makes its group pay for the slot until the slot is free again, be the page in memory
 *          meanwhile or not.  swap_info->owner[slot] is the group's number: two bytes a slot, 0 for nobody.  A page that is
 *          read from a slot is charged to the slot's group, whoever reads it, so memory that swapoff brings back is not
 *          swapoff's; only a removed group's pages become those of who reads them.
 * Locking: owner[slot] belongs to whoever has the slot's cache bit, or frees the slot (si->lock).  A group that pays for a slot
 *          is alive, so its number is found under RCU.
 * See:     swap_state.c, swap_map.c; memcontrol.c; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/memcg.h>
#include <weft/rcu.h>
#include <weft/swap.h>
#include <weft/xarray.h>
#include "internal.h"
#include "memcg_internal.h"

static struct mem_cgroup *slot_owner(const struct swap_info_struct *si, pgoff_t slot)
{
	u16 id = READ_ONCE(si->owner[slot]);

	return id ? xa_load(&memcg_by_id, id) : NULL;
}

/* The page is to get this slot.  False: its group may have no more slots. */
bool __mem_cgroup_charge_swap(const struct page *page, swp_entry_t entry)
{
	struct mem_cgroup *full = memcg_try_charge(page->memcg, MEMCG_SWAP, 1);

	if (full) {
		memcg_event(full, MEMCG_SWAP_MAX);
		memcg_event(page->memcg, MEMCG_SWAP_FAIL);
		return false;
	}
	WRITE_ONCE(swap_info_of(entry)->owner[swp_offset(entry)], page->memcg->id);
	return true;
}

/* The slot is free. */
void mem_cgroup_uncharge_swap(struct swap_info_struct *si, pgoff_t slot)
{
	struct mem_cgroup *memcg;

	lockdep_assert_held(&si->lock);
	if (likely(!si->owner[slot]))
		return;
	rcu_read_lock();
	memcg = slot_owner(si, slot);
	WRITE_ONCE(si->owner[slot], 0);
	memcg_uncharge(memcg, MEMCG_SWAP, 1);
	rcu_read_unlock();
}

/* A fresh page for the slot's contents; the slot's cache bit is the caller's. */
int __mem_cgroup_charge_swapin(struct page *page, swp_entry_t entry, gfp_t gfp)
{
	struct mem_cgroup *memcg;
	int err;

	rcu_read_lock();
	memcg = slot_owner(swap_info_of(entry), swp_offset(entry));
	if (memcg && (READ_ONCE(memcg->offline) || !css_tryget(&memcg->css)))
		memcg = NULL;
	rcu_read_unlock();
	if (!memcg)
		return __mem_cgroup_charge(page, 1, gfp);
	err = memcg_charge_pages(memcg, page, 1, gfp);
	css_put(&memcg->css);
	return err;
}

void __mem_cgroup_no_slot(const struct page *page)
{
	memcg_event(page->memcg, MEMCG_SWAP_FAIL);
}

/* Slots that the group may still get: the least on the way up. */
unsigned long memcg_swap_room(const struct mem_cgroup *memcg)
{
	unsigned long room = MEMCG_NO_LIMIT;

	for (; memcg; memcg = memcg_parent(memcg)) {
		unsigned long max = READ_ONCE(memcg->counter[MEMCG_SWAP].max), used = memcg_pages(memcg, MEMCG_SWAP);

		room = min(room, max > used ? max - used : 0);
	}
	return room;
}

/* More than half of what the group may have is used: slots of pages that are in memory are worth more when free. */
bool __mem_cgroup_swap_full(const struct page *page)
{
	for (const struct mem_cgroup *memcg = page->memcg; memcg; memcg = memcg_parent(memcg))
		if (memcg_pages(memcg, MEMCG_SWAP) * 2 >= READ_ONCE(memcg->counter[MEMCG_SWAP].max))
			return true;
	return false;
}
