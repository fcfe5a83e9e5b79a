/*
 * swap_fault.c: a fault on an entry that names a slot: the page comes back.
 *
 * Idea:    find the page in the swap cache or read it; lock it; look whether it is still the slot's page and the entry still
 *          names the slot; put the page in.  It stays in the cache, so the slot's contents remain good as long as nobody
 *          writes; the first writer who is alone gives the slot up (the contents are old from then on).
 * Who is alone: an anonymous page is this entry's only when no other reference but the cache's is left and no other entry
 *          names its slot.  Both are looked at under page lock and ptl:
 *
 *              CPU 0: write fault, parent              CPU 1: child, forked before, also names the slot
 *              page in the cache, count 2              (entry not present: holds no reference!)
 *              swp_swapcount: 1: not alone, copies
 *                                                      fault: finds the old contents in the cache: right
 *          With the count alone, the parent would have written into the page the child is yet to fetch.
 *
 * Locking: mmap_lock for reading; page lock -> ptl.
 * See:     memory.c handle_pte_fault(), do_wp_page(); swap_state.c
 */
#include <weft/kernel.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "swap_internal.h"

/*
 * May the holder of this entry write to its page without a copy?  ptl held.  Gives the page's slot up if only this entry is
 * left.
 */
bool anon_page_is_ours(struct page *page)
{
	if (page_count(page) > 1 + PageSwapCache(page))
		return false;
	if (PageSwapCache(page)) {
		if (!trylock_page(page))
			return false;
		try_to_free_swap(page);
		unlock_page(page);
	}
	return page_count(page) == 1 && !PageSwapCache(page);
}

void swap_map_page(struct vm_area_struct *vma, unsigned long addr, pte_t *pte, struct page *page, bool exclusive_write)
{
	pte_t old = *pte, new = mk_pte(page, vma->vm_page_prot);

	inc_mm_counter(vma->vm_mm, MM_ANONPAGES);
	dec_mm_counter(vma->vm_mm, MM_SWAPENTS);
	get_page(page);
	page_add_anon_rmap(page, vma, addr);
	if (exclusive_write && (vma->vm_flags & VM_WRITE))
		new = pte_mkwrite(pte_mkdirty(new));
	if (pte_swp_soft_dirty(old))
		new = pte_mksoft_dirty(new);
	if (unlikely(pte_swp_uffd_wp(old)))
		new = pte_mkuffd_wp(pte_wrprotect(new));
	set_pte(pte, new);
	swap_free(pte_to_swp_entry(old));
}

/* The page of the entry, not locked, with a reference; *major: it had to be read. */
static struct page *find_swap_page(struct vm_fault *vmf, swp_entry_t entry, bool *major)
{
	struct swap_readahead *ra = &vmf->vma->swap_ra;
	struct page *page = swap_cache_get_page(entry, ra);

	*major = !page;
	if (!page) {
		count_vm_event(PGMAJFAULT);
		count_memcg_current(PGMAJFAULT);
		page = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, ra, vmf->address >> PAGE_SHIFT);
	}
	return page;
}

/* Locks the page.  False: it is not (any more) the slot's page: the fault is to be taken again. */
static bool lock_swap_page(struct page *page, swp_entry_t entry)
{
	lock_page(page);
	if (PageSwapCache(page) && page->private == entry.val)
		return true;
	unlock_page(page);
	return false;
}

static bool entry_unchanged(struct vm_fault *vmf)
{
	bool same;

	vmf->pte = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	same = pte_same(*vmf->pte, vmf->orig_pte);
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return same;
}

/* Page locked, up to date.  What the fault comes to. */
static vm_fault_t install(struct vm_fault *vmf, struct page *page, swp_entry_t entry)
{
	struct vm_area_struct *vma = vmf->vma;
	bool alone;

	vmf->pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (!pte_same(*vmf->pte, vmf->orig_pte)) {
		pte_unmap_unlock(vmf->pte, vmf->ptl);
		return 0;
	}
	/* Mapped nowhere, named by this entry only; the references are the cache's and ours. */
	alone = !page_mapped(page) && swp_swapcount(entry) == 1 && page_count(page) == 2;
	swap_map_page(vma, vmf->address, vmf->pte, page, alone && (vmf->flags & FAULT_FLAG_WRITE));
	/* A writable entry means that the slot will be old; a full swap that its place is worth more than a second write. */
	if (alone && ((vmf->flags & FAULT_FLAG_WRITE) || (vma->vm_flags & VM_LOCKED) || page_swap_full(page)))
		try_to_free_swap(page);
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	activate_page(page);
	return 0;
}

vm_fault_t do_swap_page(struct vm_fault *vmf)
{
	swp_entry_t entry = pte_to_swp_entry(vmf->orig_pte);
	struct page *page;
	vm_fault_t ret = 0;
	bool major;

	anon_vma_prepare(vmf->vma);
	page = find_swap_page(vmf, entry, &major);
	if (!page)
		return entry_unchanged(vmf) ? VM_FAULT_OOM : 0;
	if (lock_swap_page(page, entry)) {
		ret = PageUptodate(page) ? install(vmf, page, entry) : VM_FAULT_SIGBUS;
		unlock_page(page);
	}
	put_page(page);
	return ret | (major && !(ret & VM_FAULT_ERROR) ? VM_FAULT_MAJOR : 0);
}
