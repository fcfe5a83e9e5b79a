/*
 * page_alloc.c: page frames for who asks: the lists of each CPU, watermarks, and what to do when there is nothing.
 *
 * Idea:    behind stands the buddy system (buddy.c).  Small orders pass through lists of each CPU, one for each order and kind
 *          of memory, which take and give `batch` pages at a time.
 *
 *          alloc_pages -> a zone above its watermark -> CPU list -> free_area -> split a larger block -> grow_zone
 *                      -> slow path: below the watermark, shrinkers, OOM killer, the reserves
 *          put_page, __free_pages -> CPU list -> free_area, joined with buddies
 *
 * States:  in a CPU list: no flags, count 0.  In use: count > 0.  A tail page of a compound block has PG_tail and names its
 *          head.
 * Locking: CPU lists need interrupts off.
 * Cost:    CPU list hit: no lock, about 60 instructions.  Else O(orders) under the zone lock.
 * See:     spec.md §6 "buddy system"; gfp.h for the contract; page_init.c for where the memory comes from
 */
#include <weft/kernel.h>
#include <weft/kasan.h>
#include <weft/memcontrol.h>
#include <weft/mutex.h>
#include <weft/oom.h>
#include <weft/pagemap.h>
#include <weft/percpu.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "page_alloc.h"

/* How far down a request may go, beside a WMARK_* number in the low bits. */
#define ALLOC_WMARK_MASK	0x03u
#define ALLOC_NO_WATERMARKS	0x04u
#define ALLOC_HIGH		0x10u		/* half of min */
#define ALLOC_HARDER		0x20u		/* a quarter less again */
#define ALLOC_OOM		0x40u		/* an OOM victim on its way out: half of what is left */

#define MAX_RECLAIM_ROUNDS	16

/* ---- the lists of each CPU; interrupts off ---- */

/* False: the zone has none. */
static noinline bool pcp_refill(struct zone *zone, struct per_cpu_pages *pcp, unsigned int order, enum migratetype kind)
{
	struct list_head *list = &pcp->lists[order][kind];
	unsigned int n = max(pcp->batch >> order, 1);

	pcp->count += (int)(take_blocks(zone, order, kind, n, list) << order);
	return !list_empty(list);
}

static __always_inline struct page *pcp_take(struct zone *zone, struct per_cpu_pages *pcp, unsigned int order,
					     enum migratetype kind)
{
	struct list_head *list = &pcp->lists[order][kind], *first = list->next;

	if (unlikely(first == list)) {
		if (!pcp_refill(zone, pcp, order, kind))
			return NULL;
		first = list->next;
	}
	__list_del_entry(first);
	pcp->count -= 1 << order;
	return list_entry(first, struct page, lru);
}

/* Up to n pages of one list; returns how many.  The one freed longest ago goes first. */
static int give_back_list(struct zone *zone, struct list_head *list, unsigned int order, int n) __must_hold(&zone->lock)
{
	int given = 0;

	for (; given < n && !list_empty(list); given += 1 << order) {
		struct page *page = list_last_entry(list, struct page, lru);

		__list_del_entry(&page->lru);
		__free_one_page(page, page_to_pfn(page), zone, order);
	}
	return given;
}

/* At least n pages, or all there are, go back to the zone: larger blocks first, of each size what moves last. */
static void pcp_give_back(struct zone *zone, struct per_cpu_pages *pcp, int n)
{
	static const enum migratetype turns[] = { MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE };

	spin_lock(&zone->lock);
	for (int order = PCP_ORDERS - 1; order >= 0; order--) {
		for (unsigned int i = 0; i < ARRAY_SIZE(turns) && n > 0; i++) {
			int given = give_back_list(zone, &pcp->lists[order][turns[i]], (unsigned int)order, n);

			pcp->count -= given;
			n -= given;
		}
	}
	spin_unlock(&zone->lock);
}

void drain_local_pages(void)
{
	struct zone *zone;
	unsigned long flags;

	local_irq_save(flags);
	for_each_populated_zone(zone) {
		struct per_cpu_pages *pcp = this_cpu_ptr(zone->pageset);

		if (pcp->count)
			pcp_give_back(zone, pcp, pcp->count);
	}
	local_irq_restore(flags);
}

static void drain_cpu(void *unused) { drain_local_pages(); }

void drain_all_pages(void)
{
	if (system_state == SYSTEM_BOOTING)
		drain_local_pages();
	else
		on_each_cpu(drain_cpu, NULL, 1);
}

/* ---- freeing ---- */

static noinline void bad_page(struct page *page, const char *why)
{
	printk(KERN_ALERT "bad page: frame %#lx, %s: flags %#lx count %d mapcount %d mapping %px\n", page_to_pfn(page), why,
	       page->flags, page_ref_count(page), page_mapcount(page), page->mapping);
	dump_stack();
}

static void dissolve_compound(struct page *head, unsigned int order)
{
	__ClearPageHead(head);
	for (struct page *p = head + 1; p < head + (1UL << order); p++) {
		__ClearPageTail(p);
		p->compound_head = NULL;
		p->mapping = NULL;
	}
}

/* A page that is charged to a group, or one that is still in use: false. */
static noinline bool uncharge_or_complain(struct page *page)
{
	if (page_mapped(page) || page_ref_count(page) || (page->flags & PAGE_FLAGS_CHECK_AT_FREE)) {
		bad_page(page, "freed while in use");
		return false;
	}
	mem_cgroup_uncharge(page);
	return true;
}

/* Takes the last user's traces off.  False: somebody still uses the page, so it must never be handed out again. */
static __always_inline bool free_pages_prepare(struct page *page, unsigned int order)
{
	trace_mm_page_free(page_to_pfn(page), order);
	if (PageHead(page))
		dissolve_compound(page, order);
	if (unlikely(page_mapped(page) || page_ref_count(page) ||
		     (page->flags & (PAGE_FLAGS_CHECK_AT_FREE | 1UL << PG_memcg)))) {
		if (!uncharge_or_complain(page))
			return false;
	}
	page->flags &= PAGE_FLAGS_ZONE_MASK;
	page->mapping = NULL;
	kasan_poison(page_address(page), PAGE_SIZE << order, KASAN_PAGE_FREE);
	debug_check_no_locks_freed(page_address(page), PAGE_SIZE << order);
	return true;
}

void free_unref_page(struct page *page, unsigned int order)
{
	struct zone *zone = page_zone(page);
	unsigned long flags;

	if (!free_pages_prepare(page, order))
		return;
	local_irq_save(flags);
	count_vm_events(PGFREE, 1L << order);
	if (likely(order < PCP_ORDERS)) {
		struct per_cpu_pages *pcp = this_cpu_ptr(zone->pageset);

		list_add(&page->lru, &pcp->lists[order][page_kind(page)]);
		pcp->count += 1 << order;
		if (pcp->count > pcp->high)
			pcp_give_back(zone, pcp, pcp->batch);
	} else {
		spin_lock(&zone->lock);
		__free_one_page(page, page_to_pfn(page), zone, order);
		spin_unlock(&zone->lock);
	}
	local_irq_restore(flags);
}

/* The same for many single pages, with one look at this CPU's lists. */
void free_unref_pages(struct page **pages, unsigned int nr)
{
	struct per_cpu_pages *pcp = NULL;
	struct zone *zone = NULL;
	unsigned long zone_id_held = ~0UL;	/* none yet */
	unsigned long flags;

	local_irq_save(flags);
	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = pages[i];

		if (!free_pages_prepare(page, 0))
			continue;
		if (unlikely(page_zone_id(page) != zone_id_held)) {
			zone_id_held = page_zone_id(page);
			zone = page_zone(page);
			pcp = this_cpu_ptr(zone->pageset);
		}
		list_add(&page->lru, &pcp->lists[0][page_kind(page)]);
		if (++pcp->count > pcp->high)
			pcp_give_back(zone, pcp, pcp->batch);
	}
	count_vm_events(PGFREE, nr);
	local_irq_restore(flags);
}

/* put_page()'s last: any kind of page may come here, see page_ref.h. */
void __put_page(struct page *page)
{
	if (unlikely(PageLRU(page)))
		lru_cache_del(page);
	if (unlikely(PageMlocked(page)))
		dec_node_state(NR_MLOCK);
	free_unref_page(page, compound_order(page));
}

/*
 * A look-up without locks may hold a reference to the first page of a block that is not compound; it only knows one page:
 *
 *   __free_pages(page, 2)            look-up
 *                                    get_page_unless_zero(page)     2
 *   count 2 -> 1: not the last
 *   frees pages 1, 2, 3
 *                                    not its page: put_page()       0, frees page 0 alone
 */
void __free_pages(struct page *page, unsigned int order)
{
	bool compound = PageHead(page);

	if (put_page_testzero(page))
		free_unref_page(page, order);
	else if (!compound)
		while (order-- > 0)
			free_unref_page(page + (1UL << order), order);
}

void free_pages(unsigned long addr, unsigned int order)
{
	if (addr)
		__free_pages(virt_to_page(addr), order);
}

/* ---- allocating: what was found becomes what was asked for ---- */

static void make_compound(struct page *head, unsigned int order)
{
	__SetPageHead(head);
	head[1].compound_order = order;
	for (struct page *p = head + 1; p < head + (1UL << order); p++) {
		__SetPageTail(p);
		p->compound_head = head;
	}
}

/* The block lies in one piece in the direct map, too. */
static __always_inline void clear_block(struct page *page, unsigned int order)
{
	char *at = page_address(page), *end = at + (PAGE_SIZE << order);

	for (; at < end; at += PAGE_SIZE)
		clear_page(at);
}

static __always_inline void prep_new_page(struct page *page, unsigned int order, gfp_t gfp)
{
	VM_BUG_ON_PAGE(page_ref_count(page) || page_mapped(page) || (page->flags & ~PAGE_FLAGS_ZONE_MASK) || page->memcg, page);
	page->private = 0;
	page->flags |= (unsigned long)raw_smp_processor_id() % LRU_SETS << LRU_SET_PGSHIFT;
	set_page_count(page, 1);
	kasan_unpoison(page_address(page), PAGE_SIZE << order);
	if (gfp & __GFP_ZERO)
		clear_block(page, order);
	if (order && (gfp & __GFP_COMP))
		make_compound(page, order);
	trace_mm_page_alloc(page_to_pfn(page), order, gfp);
}

/* Larger than the CPU's lists hold. */
static noinline struct page *take_large_block(struct zone *zone, unsigned int order, enum migratetype kind)
{
	LIST_HEAD(list);

	return take_blocks(zone, order, kind, 1, &list) ? list_first_entry(&list, struct page, lru) : NULL;
}

static __always_inline struct page *rmqueue(struct zone *zone, unsigned int order, enum migratetype kind)
{
	struct page *page;
	unsigned long flags;

	local_irq_save(flags);
	if (likely(order < PCP_ORDERS))
		page = pcp_take(zone, this_cpu_ptr(zone->pageset), order, kind);
	else
		page = take_large_block(zone, order, kind);
	if (page)
		count_vm_events(PGALLOC, 1L << order);
	local_irq_restore(flags);
	return page;
}

static enum zone_type gfp_zone(gfp_t gfp)
{
	return gfp & (__GFP_DMA | __GFP_DMA32) ? ZONE_DMA32 : ZONE_NORMAL;
}

/* Less than the mark would be left: may the request take some of what is kept back? */
static noinline bool may_take_reserve(long free, long min, unsigned int alloc_flags)
{
	if (alloc_flags & ALLOC_NO_WATERMARKS)
		return true;
	if (alloc_flags & ALLOC_HIGH)
		min -= min / 2;
	if (alloc_flags & ALLOC_HARDER)
		min -= min / 4;
	if (alloc_flags & ALLOC_OOM)
		min -= min / 2;
	return free > min;
}

/* Of whatever kind: a request may take from all. */
static noinline bool zone_has_free_block(const struct zone *zone, unsigned int order, enum migratetype kind)
{
	if (READ_ONCE(zone->fresh_pages))
		return true;
	for (unsigned int o = order; o < MAX_ORDER; o++)
		if (READ_ONCE(zone->free_area[o].nr_free))
			return true;
	return order < PCP_ORDERS && !list_empty(&raw_cpu_ptr(zone->pageset)->lists[order][kind]);
}

/* Would the zone still have its reserve after this request, and a block that is large enough? */
static __always_inline bool zone_watermark_ok(const struct zone *zone, unsigned int order, enum zone_type highest,
					      enum migratetype kind, unsigned int alloc_flags)
{
	long min = (long)zone->watermark[alloc_flags & ALLOC_WMARK_MASK];
	long free = (long)zone_free_pages(zone) - (1L << order) + 1 - (long)zone->lowmem_reserve[highest];

	if (unlikely(free <= min) && !may_take_reserve(free, min, alloc_flags))
		return false;
	return likely(!order) || zone_has_free_block(zone, order, kind);
}

static noinline void count_numa_allocation(const struct zone *first, nodemask_t nodes, const struct zone *zone)
{
	int wished = first->node, here = numa_node_id();

	if (nodes && !(nodes >> wished & 1))
		wished = zone->node;		/* the policy left no choice */
	count_numa_event(zone->node, zone->node == wished ? NUMA_HIT : NUMA_MISS);
	if (zone->node != wished)
		count_numa_event(wished, NUMA_FOREIGN);
	count_numa_event(zone->node, zone->node == here ? NUMA_LOCAL : NUMA_OTHER);
}

/* From the zones on the list (NULL ends it) that the request may use; nodes 0: all. */
static __always_inline struct page *take_from_zones(gfp_t gfp, unsigned int order, unsigned int alloc_flags,
						    struct zone *const *zonelist, nodemask_t nodes)
{
	enum zone_type highest = gfp_zone(gfp);
	struct zone *zone;

	for (struct zone *const *z = zonelist; (zone = *z); z++) {
		struct page *page;

		if (zone_idx(zone) > (int)highest || (nodes && !(nodes >> zone->node & 1)))
			continue;
		if (!zone_watermark_ok(zone, order, highest, gfp_kind(gfp), alloc_flags))
			continue;
		page = rmqueue(zone, order, gfp_kind(gfp));
		if (page) {
			prep_new_page(page, order, gfp);
			if (numa_enabled())
				count_numa_allocation(*zonelist, nodes, zone);
			return page;
		}
	}
	return NULL;
}

static noinline struct page *get_page_from_freelist(gfp_t gfp, unsigned int order, unsigned int alloc_flags,
						    struct zone *const *zonelist, nodemask_t nodes)
{
	return take_from_zones(gfp, order, alloc_flags, zonelist, nodes);
}

/* ---- the slow path ---- */

static unsigned int gfp_to_alloc_flags(gfp_t gfp)
{
	unsigned int alloc_flags = WMARK_MIN;

	if (gfp & __GFP_HIGH)
		alloc_flags |= ALLOC_HIGH;
	if (gfp & __GFP_ATOMIC)
		alloc_flags |= ALLOC_HARDER;
	if (gfp & __GFP_NOMEMALLOC)
		return alloc_flags;
	if (gfp & __GFP_MEMALLOC)
		return alloc_flags | ALLOC_NO_WATERMARKS;
	if (in_interrupt())
		return alloc_flags;
	if (current->flags & PF_MEMALLOC)
		return alloc_flags | ALLOC_NO_WATERMARKS;
	if (tsk_is_oom_victim(current))
		return alloc_flags | ALLOC_OOM;
	return alloc_flags;
}

/* Pages that were freed; they may still not make up a block of the order. */
static unsigned long direct_reclaim(gfp_t gfp, unsigned int order, nodemask_t nodes)
{
	unsigned int had;
	unsigned long freed;

	count_vm_event(ALLOCSTALL);
	had = memalloc_noreclaim_save();
	freed = try_to_free_pages(order, gfp, nodes);
	memalloc_noreclaim_restore(had);
	trace_mm_direct_reclaim(order, freed);
	return freed;
}

/* True: try again, since somebody was killed or another request is just seeing to that. */
static bool kill_for_memory(gfp_t gfp, unsigned int order)
{
	struct oom_control oc = { .gfp_mask = gfp, .order = (int)order };
	bool killed;

	if (!mutex_trylock(&oom_lock)) {
		schedule_timeout_uninterruptible(1);
		return true;
	}
	killed = out_of_memory(&oc);
	mutex_unlock(&oom_lock);
	if (killed && !tsk_is_oom_victim(current))
		schedule_timeout_uninterruptible(1);
	return killed;
}

static void warn_alloc(gfp_t gfp, unsigned int order)
{
	static int reports = 10;		/* [-] a few more or less do not matter */

	if ((gfp & __GFP_NOWARN) || reports <= 0)
		return;
	reports--;
	printk(KERN_WARNING "%s: page allocation failure: order %u, gfp %#x, %lu pages free\n", current->comm, order, gfp,
	       nr_free_pages());
	dump_stack();
}

/* Is it worth another round?  May kill somebody to make it so. */
static bool should_retry(gfp_t gfp, unsigned int order, unsigned int round, bool progress)
{
	if (gfp & __GFP_NORETRY)
		return false;
	/* What came free others have taken: with progress it is worth many more tries. */
	if (progress && round < 8 * MAX_RECLAIM_ROUNDS)
		return true;
	if (order > PAGE_ALLOC_COSTLY_ORDER || (gfp & __GFP_RETRY_MAYFAIL))
		return false;
	if (system_state == SYSTEM_BOOTING)
		return false;
	/* It has the reserves already, and is to end anyway. */
	if (tsk_is_oom_victim(current) && round)
		return false;
	/* Without file systems much could not be reclaimed: leave the killing to others and give them time. */
	if (!(gfp & __GFP_FS)) {
		schedule_timeout_uninterruptible(1);
		return round < 8 * MAX_RECLAIM_ROUNDS;
	}
	return kill_for_memory(gfp, order);
}

static struct page *alloc_pages_slow(gfp_t gfp, unsigned int order, struct zone *const *zonelist, nodemask_t nodes)
{
	bool may_reclaim = gfpflags_allow_blocking(gfp) && !(current->flags & PF_MEMALLOC);
	struct page *page;

	if (gfp & __GFP_KSWAPD_RECLAIM)
		wakeup_kswapd(order, nodes);
	for (unsigned int round = 0; ; round++) {
		bool progress;

		page = get_page_from_freelist(gfp, order, gfp_to_alloc_flags(gfp), zonelist, nodes);
		if (page)
			return page;
		if (!may_reclaim)
			break;
		/* Moving a page may call into its file system. */
		if (order && (gfp & __GFP_FS) && try_to_compact(order, zonelist, nodes)) {
			page = get_page_from_freelist(gfp, order, gfp_to_alloc_flags(gfp), zonelist, nodes);
			if (page)
				return page;
		}
		/* A large block that the caller can do without is not worth that others lose their pages. */
		if (order > PAGE_ALLOC_COSTLY_ORDER && (gfp & __GFP_NORETRY))
			break;
		progress = direct_reclaim(gfp, order, nodes) > 0;
		page = get_page_from_freelist(gfp, order, gfp_to_alloc_flags(gfp), zonelist, nodes);
		if (!page) {			/* it may be in another processor's list */
			drain_all_pages();
			page = get_page_from_freelist(gfp, order, gfp_to_alloc_flags(gfp), zonelist, nodes);
		}
		if (page)
			return page;
		if (!should_retry(gfp, order, round, progress)) {
			if (!(gfp & __GFP_NOFAIL))
				break;
			schedule_timeout_uninterruptible(1);
		}
	}
	warn_alloc(gfp, order);
	return NULL;
}

static __always_inline void check_request(gfp_t gfp)
{
	VM_BUG_ON(gfp_kind(gfp) == MIGRATE_TYPES);	/* movable and reclaimable: which is it? */
	might_sleep_if(gfpflags_allow_blocking(gfp));
	might_reclaim(gfp);
}

static struct page *alloc_from(gfp_t gfp, unsigned int order, struct zone *const *zonelist, nodemask_t nodes)
{
	struct page *page;

	if (WARN_ON_ONCE(order >= MAX_ORDER))
		return NULL;
	check_request(gfp);
	page = get_page_from_freelist(gfp, order, WMARK_LOW, zonelist, nodes);
	return likely(page) ? page : alloc_pages_slow(gfp, order, zonelist, nodes);
}

/* What nearly all ask for: one page, of a machine with one node.  What else depends on both is gone, 50 instructions. */
static __always_inline struct page *alloc_single_page(gfp_t gfp)
{
	struct page *page;

	check_request(gfp);
	page = take_from_zones(gfp, 0, WMARK_LOW, first_node.zonelist, 0);
	return likely(page) ? page : alloc_pages_slow(gfp, 0, first_node.zonelist, 0);
}

struct page *alloc_pages_nodemask(gfp_t gfp, unsigned int order, int nid, nodemask_t nodes)
{
	return alloc_from(gfp, order, node_data[nid]->zonelist, nodes);
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	if (numa_enabled())
		return alloc_pages_area(gfp, order, NULL, 0);
	return likely(!order) ? alloc_single_page(gfp) : alloc_from(gfp, order, first_node.zonelist, 0);
}

struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	if (nid == NUMA_NO_NODE)
		nid = numa_node_id();
	return alloc_pages_nodemask(gfp, order, nid, (gfp & __GFP_THISNODE) ? 1UL << nid : 0);
}

/* ---- other shapes of the same ---- */

unsigned long alloc_pages_bulk_array(gfp_t gfp, unsigned long nr, struct page **array)
{
	for (unsigned long i = 0; i < nr; i++) {
		if (array[i])
			continue;
		array[i] = alloc_page(gfp);
		if (!array[i])
			return i;
	}
	return nr;
}

unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	return page ? (unsigned long)page_address(page) : 0;
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	return __get_free_pages(gfp | __GFP_ZERO, 0);
}

void split_page(struct page *page, unsigned int order)
{
	VM_BUG_ON_PAGE(PageCompound(page), page);
	for (unsigned long i = 1; i < 1UL << order; i++) {
		set_page_count(page + i, 1);
		page[i].flags = page->flags;	/* node, zone, LRU set */
	}
}
