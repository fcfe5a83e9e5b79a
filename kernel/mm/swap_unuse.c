/*
 * swap_unuse.c: swapoff: every page of an area comes back into memory.
 *
 * Idea:    all address spaces that may name slots are on mmlist (they join when the first entry is written, and leave when
 *          their user half is gone).  Each is taken in turn and its page tables searched for entries of the area.  While it
 *          is searched, mm_users is held ([002]): mm_count would keep the structure, but not the areas and page tables that
 *          are walked; and holding mm_users keeps mm_count from 0 as well.
 *
 *              CPU 0: try_to_unuse                     CPU 1: the last user exits
 *              mmlist_lock; mm found
 *              mmget_not_zero: 2 users
 *              unlock; walks the tables                mmput: 1 user left: nothing happens
 *              mmput: 0: the user half goes here, in swapoff's context
 *          or                                          mmput: 0 users: exit_mmap frees the slots itself
 *              mmget_not_zero: fails: next one         then leaves mmlist
 *
 *          The place in the list is kept by holding the mm just visited: it cannot leave the list while it has users.
 *          Entries can still spread by fork from where we have been not yet to where we have been already; hence rounds,
 *          until no slot is in use.
 * Locking: mmlist_lock (leaf) for the list; then as a fault: mmap_lock, page lock, ptl.
 *          Pages of tmpfs have their slots in their files: kernel/fs/tmpfs/shmem_swap.c walks those.
 * See:     spec.md §6 "swap"; seed 002; swapfile.c
 */
#include <weft/kernel.h>
#include <weft/huge_mm.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/shmem_fs.h>
#include <weft/signal.h>
#include <weft/swap.h>
#include <asm/pgalloc.h>
#include "internal.h"
#include "swap_internal.h"

static DEFINE_SPINLOCK(mmlist_lock);
static LIST_HEAD(mmlist);

void swap_note_mm(struct mm_struct *mm)
{
	if (!list_empty_careful(&mm->mmlist))
		return;
	spin_lock(&mmlist_lock);
	if (list_empty(&mm->mmlist))
		list_add_tail(&mm->mmlist, &mmlist);
	spin_unlock(&mmlist_lock);
}

void swap_forget_mm(struct mm_struct *mm)
{
	if (list_empty(&mm->mmlist))
		return;
	spin_lock(&mmlist_lock);
	list_del_init(&mm->mmlist);
	spin_unlock(&mmlist_lock);
}

/* ---- one address space; mmap_lock held for reading ---- */

/* Entry of the area in one table, from addr on: its address, or end. */
static unsigned long find_entry(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end,
				unsigned int type, pte_t *found)
{
	spinlock_t *ptl;
	pte_t *pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);

	for (; addr < end; addr += PAGE_SIZE, pte++) {
		if (is_swap_pte(*pte) && swp_type(pte_to_swp_entry(*pte)) == type) {
			*found = *pte;
			break;
		}
	}
	spin_unlock(ptl);
	return addr;
}

/* The entry at addr was `old`: gets its page back.  0, -ENOMEM, -EIO. */
static int unuse_one(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, pte_t old)
{
	swp_entry_t entry = pte_to_swp_entry(old);
	struct page *page = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, NULL, 0);
	spinlock_t *ptl;
	pte_t *pte;
	int err = 0;

	if (!page)				/* the slot was freed meanwhile, or no memory: the next look tells */
		return swp_swapcount(entry) ? -ENOMEM : 0;
	lock_page(page);
	wait_on_page_writeback(page);
	if (!PageSwapCache(page) || page->private != entry.val)
		goto out;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (pte_same(*pte, old)) {
		if (PageUptodate(page))
			swap_map_page(vma, addr, pte, page, false);
		else
			err = -EIO;
	}
	spin_unlock(ptl);
	try_to_free_swap(page);
out:
	unlock_page(page);
	put_page(page);
	return err;
}

static int unuse_table(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end, unsigned int type)
{
	int err = 0;

	while (addr < end && !err) {
		pte_t old = __pte(0);

		addr = find_entry(vma, pmd, addr, end, type, &old);
		if (addr == end)
			break;
		err = unuse_one(vma, pmd, addr, old);
		addr += PAGE_SIZE;
		cond_resched();
	}
	return err;
}

static int unuse_vma(struct vm_area_struct *vma, unsigned int type)
{
	unsigned long addr, next;
	int err = 0;

	if (!vma->vm_has_anon)
		return 0;
	for (addr = vma->vm_start; addr < vma->vm_end && !err; addr = next) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr), value = pmd ? pmdp_get(pmd) : __pmd(0);

		next = pmd_addr_end(addr, vma->vm_end);
		if (pmd && !pmd_none(value) && !pmd_leaf(value))	/* a leaf has no slots */
			err = unuse_table(vma, pmd, addr, next, type);
		cond_resched();
	}
	return err;
}

static int unuse_mm(struct mm_struct *mm, unsigned int type)
{
	struct vm_area_struct *vma;
	int err = 0;

	if (!get_mm_counter(mm, MM_SWAPENTS))
		return 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma_of(mm, vma) {
		err = unuse_vma(vma, type);
		if (err)
			break;
	}
	mmap_read_unlock(mm);
	return err;
}

/* ---- all of them ---- */

/* The next address space behind `mm` (NULL: the first) that has users, with mm_users raised; mm's are given back. */
static struct mm_struct *next_mm(struct mm_struct *mm)
{
	struct list_head *at = mm ? &mm->mmlist : &mmlist;
	struct mm_struct *next = NULL;

	spin_lock(&mmlist_lock);
	for (at = at->next; at != &mmlist; at = at->next) {
		struct mm_struct *candidate = list_entry(at, struct mm_struct, mmlist);

		if (mmget_not_zero(candidate)) {
			next = candidate;
			break;
		}
	}
	spin_unlock(&mmlist_lock);
	if (mm)
		mmput(mm);
	return next;
}

static int unuse_all_mms(unsigned int type)
{
	struct mm_struct *mm = NULL;
	int err;

	while ((mm = next_mm(mm))) {
		err = signal_pending(current) ? -EINTR : unuse_mm(mm, type);
		if (err) {
			mmput(mm);
			return err;
		}
	}
	return 0;
}

/*
 * Pages that are only in the cache: read ahead, or their last entry went while they were locked.  The cache's own array
 * says which; what it shows is not touched before it has been looked up again with a reference.
 */
static void unuse_cache(struct swap_info_struct *si)
{
	unsigned long slot;
	void *cached;

	xa_for_each(&si->cache, slot, cached) {
		struct page *page = lookup_swap_cache(swp_entry(si->type, slot));

		if (!page)
			continue;
		lock_page(page);
		wait_on_page_writeback(page);
		if (PageSwapCache(page) && page->private == swp_entry(si->type, slot).val)
			try_to_free_swap(page);
		unlock_page(page);
		put_page(page);
		cond_resched();
	}
}

int try_to_unuse(struct swap_info_struct *si)
{
	while (READ_ONCE(si->inuse_pages)) {
		int err = unuse_all_mms(si->type);

		if (!err)
			err = shmem_unuse(si->type);
		if (err)
			return err;
		unuse_cache(si);
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
