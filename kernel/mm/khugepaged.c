/*
 * khugepaged.c: small pages become a huge mapping: collapse, and the thread that looks for what is worth it.
 *
 * What:    an aligned range of an anonymous area whose pages came one by one (before they were 512, after a fork, by swap, by
 *          reading first) is copied to 512 pages in a row, and its table goes.  The thread does it in the background for
 *          programs that had or wanted a huge page; MADV_COLLAPSE does it at once.
 * Idea:    with mmap_lock and the family's lock for writing nobody faults, follows, forks, maps back or unmaps: the table is
 *          ours.  Each of its pages must have this one entry and no other user; its count is frozen, so that none can come.
 *          Then the table is taken out, the TLBs are flushed, the contents are copied, and the leaf is put in.
 *
 *              CPU 0: collapse                         CPU 1: reclaim
 *                                                      isolates a page: count 2
 *              freeze(1): fails: gives up
 *          or  freeze(1)                               get_page_unless_zero: fails: leaves the page where it is
 *              copied, leaf; unfreeze, put_page        ... which is not on the list any more
 *
 * Limits:  a range with a page in swap, or one that somebody shares, stays as it is.  At most max_ptes_none of the 512 may be
 *          missing: they become zeroes, and memory that the program has to pay for.
 * Locking: huge_list_lock for the list of address spaces; collapse: mmap_lock -> anon_vma->rwsem -> ptl, page_table_lock.
 * See:     huge_mm.h, huge_memory.c, huge_sysfs.c; doc/memory.md "Huge pages"
 */
#include <weft/huge_mm.h>
#include <weft/highmem.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <weft/wait.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "huge.h"
#include "internal.h"

unsigned int khugepaged_pages_to_scan = 4096;
unsigned int khugepaged_scan_sleep_ms = 10000, khugepaged_alloc_sleep_ms = 60000;
unsigned int khugepaged_max_ptes_none = HPAGE_NR - 1;
unsigned long khugepaged_pages_collapsed, khugepaged_full_scans;

static DEFINE_SPINLOCK(huge_list_lock);
static LIST_HEAD(huge_list);			/* [huge_list_lock] address spaces to look through */
DECLARE_WAIT_QUEUE_HEAD(khugepaged_wait);

/* ---- collapse ---- */

/* Has this entry a page that is only its own, or none? */
static bool entry_is_simple(struct vm_area_struct *vma, unsigned long addr, pte_t pte, bool *none)
{
	struct page *page;

	*none = pte_none(pte) || (pte_present(pte) && is_zero_pfn(pte_pfn(pte)));
	if (*none)
		return true;
	page = pte_present(pte) && !pte_protnone(pte) ? vm_normal_page(vma, addr, pte) : NULL;
	return page && PageAnon(page) && page_mapcount(page) == 1 && page_count(page) == 1 && !PageSwapCache(page) &&
	       PageSwapBacked(page);
}

static void unfreeze_pages(pte_t *pte, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		if (!pte_none(pte[i]) && !is_zero_pfn(pte_pfn(pte[i])))
			page_ref_unfreeze(pte_page(pte[i]), 1);
}

/* All 512, or none.  ptl held.  0; -EAGAIN: a page has another user; -EINVAL: too little is there. */
static int freeze_pages(struct vm_area_struct *vma, unsigned long start, pte_t *pte, bool forced)
{
	unsigned long missing = 0;

	for (unsigned long i = 0; i < HPAGE_NR; i++) {
		bool none;

		if (!entry_is_simple(vma, start + (i << PAGE_SHIFT), pte[i], &none) ||
		    (!none && !page_ref_freeze(pte_page(pte[i]), 1))) {
			unfreeze_pages(pte, i);
			return -EAGAIN;
		}
		missing += none;
	}
	if (missing < HPAGE_NR && (forced || missing <= READ_ONCE(khugepaged_max_ptes_none)))
		return 0;
	unfreeze_pages(pte, HPAGE_NR);
	return -EINVAL;
}

/* The old pages' contents are elsewhere: they go.  Returns how many there were. */
static unsigned long free_old_pages(pte_t *pte)
{
	unsigned long freed = 0;

	for (unsigned long i = 0; i < HPAGE_NR; i++) {
		pte_t old = pte[i];

		set_pte(pte + i, __pte(0));
		if (pte_none(old) || is_zero_pfn(pte_pfn(old)))
			continue;
		page_remove_rmap(pte_page(old));
		page_ref_unfreeze(pte_page(old), 1);
		put_page(pte_page(old));
		freed++;
	}
	return freed;
}

/* The new pages are of the group that has the first of the old ones. */
static void charge_new_pages(struct page *new, const pte_t *pte)
{
	while (pte_none(*pte) || is_zero_pfn(pte_pfn(*pte)))
		pte++;
	mem_cgroup_charge_as(new, HPAGE_NR, pte_page(*pte));
}

static void copy_pages(struct page *new, const pte_t *pte)
{
	for (unsigned long i = 0; i < HPAGE_NR; i++) {
		if (pte_none(pte[i]) || is_zero_pfn(pte_pfn(pte[i])))
			clear_highpage(new + i);
		else
			copy_highpage(new + i, pte_page(pte[i]));
		cond_resched();
	}
}

/* mmap_lock and the family's lock held for writing; the table's pages are frozen. */
static void replace_table(struct vm_area_struct *vma, pmd_t *pmd, unsigned long start, struct page *new)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page *table = pmd_page(*pmd);
	pte_t *pte = page_address(table);

	spin_lock(&mm->page_table_lock);
	pmd_clear(pmd);
	spin_unlock(&mm->page_table_lock);
	flush_tlb_mm_range(mm, start, start + PMD_SIZE, PAGE_SHIFT, true);
	charge_new_pages(new, pte);
	copy_pages(new, pte);
	add_mm_counter(mm, MM_ANONPAGES, (long)(HPAGE_NR - free_old_pages(pte)));
	spin_lock(&mm->page_table_lock);
	atomic_long_sub(PAGE_SIZE, &mm->pgtables_bytes);	/* map_huge_pages() counts it again, as put aside */
	map_huge_pages(vma, pmd, start, new, table, true);
	spin_unlock(&mm->page_table_lock);
}

/* mmap_lock held for writing.  0: `new` is used. */
static int collapse_locked(struct vm_area_struct *vma, unsigned long start, struct page *new, bool forced)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, start);
	spinlock_t *ptl;
	pte_t *pte;
	int err;

	if (!pmd || !vma->vm_has_anon)
		return -EINVAL;
	down_write(&vma->vm_mm->anon_vma->rwsem);
	if (pmd_huge(pmd)) {
		up_write(&vma->vm_mm->anon_vma->rwsem);
		return -EEXIST;
	}
	pte = pte_offset_map_lock(vma->vm_mm, pmd, start, &ptl);
	err = freeze_pages(vma, start, pte, forced);
	pte_unmap_unlock(pte, ptl);
	if (!err)
		replace_table(vma, pmd, start, new);
	up_write(&vma->vm_mm->anon_vma->rwsem);
	return err;
}

/* Pages on the lists of a CPU, on their way to one, have one more user for a moment: the caller may try again (-EAGAIN). */
int collapse_range(struct mm_struct *mm, unsigned long addr, bool forced)
{
	unsigned long start = addr & PMD_MASK;
	struct vm_area_struct *vma;
	struct page *new = NULL;
	int err = -EINVAL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, start);
	if (vma && range_may_be_huge(vma, start, forced)) {
		new = alloc_huge_page(vma, start, forced ? __GFP_RETRY_MAYFAIL : 0);
		count_vm_event(new ? THP_COLLAPSE_ALLOC : THP_COLLAPSE_ALLOC_FAILED);
		err = new ? 0 : -ENOMEM;
	}
	mmap_read_unlock(mm);
	if (err)
		return err;
	mmap_write_lock(mm);
	vma = vma_lookup(mm, start);
	err = vma && range_may_be_huge(vma, start, forced) ? collapse_locked(vma, start, new, forced) : -EINVAL;
	mmap_write_unlock(mm);
	if (err)
		for (unsigned long i = 0; i < HPAGE_NR; i++)
			put_page(new + i);
	return err;
}

/* ---- which address spaces ---- */

void khugepaged_enter(struct mm_struct *mm)
{
	if (!list_empty_careful(&mm->huge_list))
		return;
	spin_lock(&huge_list_lock);
	if (list_empty(&mm->huge_list))
		list_add_tail(&mm->huge_list, &huge_list);
	spin_unlock(&huge_list_lock);
	wake_up(&khugepaged_wait);
}

/* Its last user is gone: the thread cannot take it any more (mmget_not_zero), nor is it at work in it. */
void khugepaged_exit(struct mm_struct *mm)
{
	if (list_empty_careful(&mm->huge_list))
		return;
	spin_lock(&huge_list_lock);
	list_del_init(&mm->huge_list);
	spin_unlock(&huge_list_lock);
}

/* The one behind `mm` (NULL: the first), with mm_users raised; mm's are given back.  As swap_unuse.c does it. */
static struct mm_struct *next_mm(struct mm_struct *mm)
{
	struct list_head *at = mm ? &mm->huge_list : &huge_list;
	struct mm_struct *next = NULL;

	spin_lock(&huge_list_lock);
	for (at = at->next; at != &huge_list; at = at->next) {
		struct mm_struct *candidate = list_entry(at, struct mm_struct, huge_list);

		if (mmget_not_zero(candidate)) {
			next = candidate;
			break;
		}
	}
	spin_unlock(&huge_list_lock);
	if (mm)
		mmput(mm);
	return next;
}

/* ---- the thread ---- */

/* Worth a copy of 2 MiB: enough is there, nothing of it is shared or in swap.  Only a look: no lock but the table's. */
static bool worth_collapsing(struct vm_area_struct *vma, pmd_t *pmd, unsigned long start)
{
	unsigned long missing = 0, i;
	bool none, used = false;
	spinlock_t *ptl;
	pte_t *pte;

	if (pmd_huge(pmd))
		return false;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, start, &ptl);
	for (i = 0; i < HPAGE_NR && entry_is_simple(vma, start + (i << PAGE_SHIFT), pte[i], &none); i++) {
		missing += none;
		used |= pte_young(pte[i]);
	}
	pte_unmap_unlock(pte, ptl);
	return i == HPAGE_NR && used && missing <= READ_ONCE(khugepaged_max_ptes_none);
}

/* The first range from addr on that is worth it, or 0.  *budget: pages that may still be looked at. */
static unsigned long find_candidate(struct mm_struct *mm, unsigned long addr, long *budget)
{
	struct vm_area_struct *vma;
	unsigned long found = 0;

	mmap_read_lock(mm);
	for (vma = find_vma(mm, addr); vma && !found && *budget > 0; vma = vma_next(vma)) {
		unsigned long start = ALIGN(max(addr, vma->vm_start), PMD_SIZE);

		if (!vma->vm_has_anon || !area_may_be_huge(vma, false))
			continue;
		for (; start + PMD_SIZE <= vma->vm_end && !found && *budget > 0; start += PMD_SIZE) {
			pmd_t *pmd = mm_find_pmd(mm, start);

			*budget -= pmd ? HPAGE_NR : 1;
			if (pmd && worth_collapsing(vma, pmd, start))
				found = start;
		}
	}
	mmap_read_unlock(mm);
	return found;
}

static bool khugepaged_on(void)
{
	return READ_ONCE(thp_enabled) != THP_NEVER && !list_empty_careful(&huge_list);
}

/* Sleeps, at the latest until the settings change. */
static void pause_for(unsigned int ms)
{
	DEFINE_WAIT(wait);

	prepare_to_wait(&khugepaged_wait, &wait, TASK_IDLE);
	if (!kthread_should_stop())
		schedule_timeout(msecs_to_jiffies(ms));
	finish_wait(&khugepaged_wait, &wait);
}

/*
 * We hold mm_users: were we to sleep with it, the memory of a program that ends would stay until we wake up.  False: the
 * program has ended meanwhile.
 */
static bool pause_in_mm(struct mm_struct *mm, unsigned int ms)
{
	bool alive;

	mmgrab(mm);
	mmput(mm);
	pause_for(ms);
	alive = mmget_not_zero(mm);
	mmdrop(mm);
	return alive;
}

/* One address space.  A range that cannot be had is passed over until the next round.  False: it has ended; it is put. */
static bool scan_mm(struct mm_struct *mm, long *budget)
{
	unsigned long addr = 0;
	int err = 0;

	while (!kthread_should_stop()) {
		if (err == -ENOMEM && !pause_in_mm(mm, READ_ONCE(khugepaged_alloc_sleep_ms)))
			return false;
		if (*budget <= 0) {
			if (!pause_in_mm(mm, READ_ONCE(khugepaged_scan_sleep_ms)))
				return false;
			*budget = READ_ONCE(khugepaged_pages_to_scan);
		}
		addr = find_candidate(mm, addr, budget);
		if (!addr)
			break;
		err = collapse_range(mm, addr, false);
		if (!err)
			WRITE_ONCE(khugepaged_pages_collapsed, khugepaged_pages_collapsed + 1);
		addr += PMD_SIZE;
	}
	return true;
}

static int khugepaged(void *unused)
{
	long budget = khugepaged_pages_to_scan;
	struct mm_struct *mm;

	set_user_nice(current, 19);
	while (!kthread_should_stop()) {
		wait_event_idle(khugepaged_wait, khugepaged_on() || kthread_should_stop());
		pause_for(READ_ONCE(khugepaged_scan_sleep_ms));
		for (mm = next_mm(NULL); mm; mm = next_mm(mm))
			if (!scan_mm(mm, &budget))
				mm = NULL;	/* its place in the list is gone: from the start */
		WRITE_ONCE(khugepaged_full_scans, khugepaged_full_scans + 1);
	}
	return 0;
}

static int __init khugepaged_init(void)
{
	struct task_struct *task = kthread_run(khugepaged, NULL, "khugepaged");

	return IS_ERR(task) ? PTR_ERR(task) : 0;
}
fs_initcall(khugepaged_init);
