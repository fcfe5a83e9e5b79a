/*
 * lru.c: the lists of pages that reclaim may take, and the way onto and off them.
 *
 * What:    a set of lists is an active and an inactive one for anonymous pages and those of tmpfs, whose home is swap, the same
 *          for pages of files, and one for pages that must stay, of either kind.  Page tables, slabs and the kernel's own
 *          pages are on none.
 * Idea:    a list holds no reference: a page that is freed is taken off by the last put_page().
 *          PG_lru: on a list.  Whoever clears it (under lru_lock) owns the page's list links: reclaim and put_page() agree
 *          by that bit who takes it off.
 *          Each zone has LRU_SETS of them, and a page belongs to that of the CPU which allocated it, for good (bits of
 *          page->flags): so CPUs that fault do not meet at one lock, and reclaim takes from each set by its size.
 *          A page that is charged to a group is on the group's lists instead, one set for each zone: so reclaim for a group's
 *          limit finds its pages without looking at others.
 * Locking: lruvec.lru_lock, irq-safe.  page lock, ptl -> lru_lock.
 *
 *              CPU 0: reclaim, under lru_lock          CPU 1: the last put_page()
 *              page at the tail                        count 1 -> 0
 *              get_page_unless_zero: fails             __put_page: waits for lru_lock
 *              leaves it on the list
 *              unlock                                  PG_lru still set: off the list; frees it
 *          If CPU 0 is first, count is 2, CPU 1's put is not the last, and CPU 0's own put frees the page.
 *
 * Cost:    about 50 instructions to add a page, 20 to take it off with others.  (A batch of each CPU in front of one set, the
 *          first way it was done, cost three times as much, and the batch's reference made pages look shared.)
 * See:     spec.md §6 "LRU"; vmscan.c takes from the tails; doc/reclaim.md
 */
#include <weft/kernel.h>
#include <weft/memcg.h>
#include <weft/pagemap.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "vmscan.h"

/* [I] By the top bits of page->flags, node, zone and set: one load instead of three multiplications. */
static struct lruvec *lruvec_of[LRUVECS_BY_FLAGS];

/* Who asks has a reference, or is the last: page->memcg stays what it is. */
static __always_inline struct lruvec *page_lruvec(const struct page *page)
{
	if (unlikely(page->flags & 1UL << PG_memcg))
		return page->memcg->lruvec[page_zone_id(page)];
	return lruvec_of[page->flags >> LRU_SET_PGSHIFT];
}

static __always_inline enum lru_list flags_lru(unsigned long flags)
{
	if (unlikely(flags >> PG_unevictable & 1))
		return LRU_UNEVICTABLE;
	return (flags >> PG_swapbacked & 1 ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE) + (flags >> PG_active & 1);
}

static enum lru_list page_lru(const struct page *page)
{
	return flags_lru(READ_ONCE(page->flags));
}

static __always_inline void add_to_list(struct lruvec *lruvec, struct page *page)
{
	enum lru_list lru = page_lru(page);

	lockdep_assert_held(&lruvec->lru_lock);
	SetPageLRU(page);
	list_add(&page->lru, &lruvec->lists[lru]);
	lruvec->nr[lru]++;
}

static void del_from_list(struct lruvec *lruvec, struct page *page)
{
	lockdep_assert_held(&lruvec->lru_lock);
	ClearPageLRU(page);
	list_del(&page->lru);
	lruvec->nr[page_lru(page)]--;
}

void lruvec_init(struct lruvec *lruvec, struct mem_cgroup *memcg)
{
	enum lru_list lru;

	lruvec->memcg = memcg;
	spin_lock_init(&lruvec->lru_lock);
	for_each_lru(lru)
		INIT_LIST_HEAD(&lruvec->lists[lru]);
}

void lruvecs_init(struct zone *zone)
{
	for (unsigned long set = 0; set < LRU_SETS; set++) {
		struct lruvec *lruvec = &zone->lruvec[set];

		lruvec_init(lruvec, NULL);
		lruvec_of[zone_id(zone) << (ZONES_PGSHIFT - LRU_SET_PGSHIFT) | set] = lruvec;
	}
}

/* ---- one lock for many pages ---- */

/* The lock of one set, held from page to page. */
struct lru_hold {
	struct lruvec	*lruvec;		/* NULL: none held */
	unsigned long	which;			/* flags of its pages from PG_memcg on */
	unsigned long	flags;			/* interrupts */
};

static __always_inline void let_go(struct lru_hold *hold) __no_context_analysis	/* conditional */
{
	if (hold->lruvec)
		spin_unlock_irqrestore(&hold->lruvec->lru_lock, hold->flags);
	hold->lruvec = NULL;
}

static noinline void hold_other(struct lru_hold *hold, const struct page *page)
	__no_context_analysis	/* returns with it locked */
{
	struct lruvec *lruvec = page_lruvec(page);

	if (lruvec == hold->lruvec)
		return;
	let_go(hold);
	hold->lruvec = lruvec;
	/* The flags do not tell one group from another: no page has these, so the next one comes here again. */
	hold->which = lruvec->memcg ? ~0UL : page->flags >> PG_memcg;
	spin_lock_irqsave(&hold->lruvec->lru_lock, hold->flags);
}

/* The count is 0, so nobody takes it off a list or changes its flags any more.  It was on one. */
static __always_inline void take_dead_page_off(struct lru_hold *hold, struct page *page, unsigned long flags)
{
	if (!hold->lruvec || flags >> PG_memcg != hold->which)
		hold_other(hold, page);
	hold->lruvec->nr[flags_lru(flags)]--;
	if (unlikely(flags & 1UL << PG_mlocked))
		dec_node_state(NR_MLOCK);
	page->flags = flags & ~(1UL << PG_lru);
	__list_del_entry(&page->lru);
}

/* Pages whose last reference is gone leave their lists and are freed; the array is used up. */
void release_pages(struct page **pages, unsigned int nr)
{
	struct lru_hold hold = { };
	unsigned int dead = 0;

	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = compound_head(pages[i]);
		unsigned long flags;

		if (!put_page_testzero(page))
			continue;
		flags = page->flags;
		if (flags & 1UL << PG_lru)
			take_dead_page_off(&hold, page, flags);
		if (likely(!(flags & 1UL << PG_head))) {
			pages[dead++] = page;
			continue;
		}
		let_go(&hold);
		free_unref_page(page, compound_order(page));
	}
	let_go(&hold);
	free_unref_pages(pages, dead);
}

/* What is left of a dead page are the bits of a free one. */
static __always_inline void forget_page(struct page *page, unsigned long flags)
{
	page->flags = flags & PAGE_FLAGS_ZONE_MASK;
	page->mapping = NULL;
	page_mapcount_reset(page);
}

/*
 * Of a row of dead pages, those from `first` on that lie on one list as they came there, each before the page of the lower
 * frame: they leave it as one piece.  Returns the page behind them.
 */
static struct page *take_run_off(struct lru_hold *hold, struct page *first, const struct page *end)
{
	unsigned long flags = first->flags;
	struct page *page = first;
	struct list_head *below;

	if (flags >> PG_memcg != hold->which || !hold->lruvec)
		hold_other(hold, first);
	for (below = first->lru.next; ; page++) {
		forget_page(page, flags);
		if (page + 1 == end || page[1].flags != flags || page->lru.prev != &page[1].lru)
			break;
	}
	below->prev = page->lru.prev;
	WRITE_ONCE(page->lru.prev->next, below);
	hold->lruvec->nr[flags_lru(flags)] -= (unsigned long)(page + 1 - first);
	if (unlikely(flags & 1UL << PG_mlocked))
		mod_node_state(NR_MLOCK, -(page + 1 - first));
	return page + 1;
}

/* 2^order single pages in a row whose counts are 0: off their lists, and free as one block. */
void free_row(struct page *pages, unsigned int order)
{
	struct page *page = pages, *end = pages + (1UL << order);
	struct lru_hold hold = { };

	while (page < end) {
		if (likely(PageLRU(page))) {
			page = take_run_off(&hold, page, end);
		} else {
			forget_page(page, page->flags);
			page++;
		}
	}
	let_go(&hold);
	if (unlikely(pages->memcg))
		__mem_cgroup_uncharge(pages, 1UL << order, true);
	free_unref_page(pages, order);
}

/* ---- on and off ---- */

static __always_inline void add_fresh(struct lruvec *lruvec, struct page *page)
{
	unsigned long flags;

	spin_lock_irqsave(&lruvec->lru_lock, flags);
	add_to_list(lruvec, page);
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
}

void lru_cache_add(struct page *page)
{
	add_fresh(page_lruvec(page), page);
}

/* A fresh anonymous page, mapped from now on.  A group counts that where it is looked for anyway: nobody else pays. */
void lru_cache_add_mapped(struct page *page)
{
	struct lruvec *lruvec = page_lruvec(page);

	inc_node_state(NR_ANON_MAPPED);
	if (unlikely(page->flags & 1UL << PG_memcg))
		__mod_memcg_state(page->memcg, NR_ANON_MAPPED, 1);
	add_fresh(lruvec, page);
}

/* `nr` fresh pages in a row, all of one CPU and one group. */
void lru_cache_add_row(struct page *pages, unsigned long nr)
{
	struct lruvec *lruvec = page_lruvec(pages);
	unsigned long flags;

	spin_lock_irqsave(&lruvec->lru_lock, flags);
	for (struct page *page = pages; page < pages + nr; page++)
		add_to_list(lruvec, page);
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
}

void lru_cache_del(struct page *page)
{
	struct lruvec *lruvec = page_lruvec(page);
	unsigned long flags;

	spin_lock_irqsave(&lruvec->lru_lock, flags);
	if (PageLRU(page))
		del_from_list(lruvec, page);
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
}

/* Pages on one kind of list, in all the sets of a zone and those of groups. */
unsigned long zone_lru_pages(const struct zone *zone, enum lru_list lru)
{
	const struct lruvec *lruvec;
	struct mem_cgroup *memcg;
	unsigned long sum = 0;

	for_each_lruvec(lruvec, zone)
		sum += READ_ONCE(lruvec->nr[lru]);
	for_each_memcg(memcg, NULL)
		sum += READ_ONCE(memcg->lruvec[zone_id(zone)]->nr[lru]);
	return sum;
}

/* The page was found used: its kind is worth more.  A count for a guess: lost updates do not matter. */
void note_rotated(const struct page *page)
{
	data_race(page_lruvec(page)->recent_rotated[!PageSwapBacked(page)]++);
}

/* ---- isolation: reclaim's hold on a page ---- */

/* The reference comes first: without one the page may be freed and become another's while we wait for its list's lock. */
bool isolate_lru_page(struct page *page)
{
	struct lruvec *lruvec;
	unsigned long flags;
	bool ok;

	if (!PageLRU(page) || !get_page_unless_zero(page))
		return false;
	lruvec = page_lruvec(page);
	spin_lock_irqsave(&lruvec->lru_lock, flags);
	ok = PageLRU(page);
	if (ok)
		del_from_list(lruvec, page);
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
	if (!ok)
		put_page(page);
	return ok;
}

/* Up to nr pages from the tail, each with a reference, to `to`, the oldest first.  Interrupts are on. */
unsigned int isolate_lru_pages(struct lruvec *lruvec, enum lru_list lru, unsigned int nr, struct list_head *to,
			       unsigned long *scanned)
{
	struct list_head *list = &lruvec->lists[lru];
	unsigned int taken = 0;

	spin_lock_irq(&lruvec->lru_lock);
	for (; nr && !list_empty(list); nr--) {
		struct page *page = list_last_entry(list, struct page, lru);

		++*scanned;
		if (!get_page_unless_zero(page)) {
			list_move(&page->lru, list);	/* its last user is about to take it off */
			continue;
		}
		del_from_list(lruvec, page);
		list_add_tail(&page->lru, to);
		taken++;
	}
	lruvec->recent_scanned[is_file_lru(lru)] += taken;
	spin_unlock_irq(&lruvec->lru_lock);
	return taken;
}

void putback_lru_page(struct page *page)
{
	struct lruvec *lruvec = page_lruvec(page);
	unsigned long flags;

	spin_lock_irqsave(&lruvec->lru_lock, flags);
	add_to_list(lruvec, page);
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
	put_page(page);
}

/* ---- age ---- */

static void move_page(struct page *page, bool active)
{
	struct lruvec *lruvec = page_lruvec(page);
	unsigned long flags;

	spin_lock_irqsave(&lruvec->lru_lock, flags);
	if (PageLRU(page) && !!PageActive(page) != active) {
		del_from_list(lruvec, page);
		if (active)
			SetPageActive(page);
		else
			ClearPageActive(page);
		add_to_list(lruvec, page);
		count_vm_event(active ? PGACTIVATE : PGDEACTIVATE);
		count_memcg_page_event(page, active ? PGACTIVATE : PGDEACTIVATE);
	}
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
}

void activate_page(struct page *page)
{
	move_page(page, true);
}

void deactivate_page(struct page *page)
{
	ClearPageReferenced(page);
	move_page(page, false);
}

/*
 * PG_unevictable changes under lru_lock only, so a page that is on no list just now comes back to the right one:
 *
 *              CPU 0: reclaim                          CPU 1: mlock
 *              isolates the page                       PG_unevictable on; not on a list: nothing to move
 *              putback_lru_page: by its flags: to the unevictable list
 */
static void set_evictable(struct page *page, bool evictable)
{
	struct lruvec *lruvec = page_lruvec(page);
	unsigned long flags;
	bool on_list;

	spin_lock_irqsave(&lruvec->lru_lock, flags);
	if (PageUnevictable(page) == evictable) {
		on_list = PageLRU(page);
		if (on_list)
			del_from_list(lruvec, page);
		if (evictable)
			ClearPageUnevictable(page);
		else
			SetPageUnevictable(page);
		if (on_list)
			add_to_list(lruvec, page);
		count_vm_event(evictable ? UNEVICTABLE_RESCUED : UNEVICTABLE_CULLED);
	}
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
}

void lru_make_unevictable(struct page *page)
{
	set_evictable(page, false);
}

void lru_make_evictable(struct page *page)
{
	set_evictable(page, true);
}

/* Without PG_swapbacked it is among the pages of files: it goes as easily as a clean page of one. */
void mark_page_lazyfree(struct page *page)
{
	struct lruvec *lruvec = page_lruvec(page);
	unsigned long flags;

	ClearPageReferenced(page);
	spin_lock_irqsave(&lruvec->lru_lock, flags);
	if (PageLRU(page) && PageSwapBacked(page)) {
		del_from_list(lruvec, page);
		ClearPageActive(page);
		ClearPageSwapBacked(page);
		add_to_list(lruvec, page);
		count_vm_event(PGLAZYFREE);
	}
	spin_unlock_irqrestore(&lruvec->lru_lock, flags);
}

/*
 * The first use sets "referenced", the second makes the page active: what was used twice is kept longer.  Then the flag
 * starts anew, so that an active page must be used again to stay.
 */
void mark_page_accessed(struct page *page)
{
	page = compound_head(page);
	if (!PageReferenced(page)) {
		SetPageReferenced(page);
	} else if (!PageActive(page) && PageLRU(page)) {
		activate_page(page);
		ClearPageReferenced(page);
		if (!PageSwapBacked(page))
			workingset_activation();
	}
}
