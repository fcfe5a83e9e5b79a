/*
 * memory.c: a page fault: what an address needs to become usable.
 *
 * What:    handle_mm_fault() looks at the page-table entry and the area and does one of
 *            nothing there yet, anonymous    do_anonymous_page: the zero page to read, a fresh page to write
 *            nothing there yet, file         do_fault: read (map what is cached around it as well), private write (copy),
 *                                            shared write (tell the file system first)
 *            there, but not writable         do_wp_page: copy on write, or the last owner just writes
 *            there                           another thread was quicker: note the access, go on
 * Idea:    decide without the lock, allocate and read (may sleep), then take the table's lock, look whether the entry is
 *          still what it was, and write it.  Whoever loses the race throws his page away and retries by returning.
 * Locking: mmap_lock for reading (areas stand still), ptl for the entry.  Order: mmap_lock -> page lock -> ptl.
 *
 *              thread A: write fault                   thread B: write fault on the same page
 *              entry empty; allocates page 1           entry empty; allocates page 2
 *              ptl; still empty: page 1; unlock        ptl: waits
 *                                                      not empty any more: frees page 2, returns
 *
 *              CPU 0: child writes                     CPU 1: parent exits
 *              entry read-only, page_count 2
 *              takes a reference (3), drops ptl,
 *              copies                                  zap: drops its reference (2)
 *              ptl: entry the same; new page in        If CPU 1 had come first, page_count were 1, and
 *              drops two references: page freed        the child would just have made its entry writable.
 *
 *          page_count 1 under the ptl says that this entry is the only holder: the count cannot rise, since a new holder
 *          would have to get the page through this very entry (fork needs mmap_lock for writing, get_user_pages the ptl).
 *          A page that is also in the swap cache is looked at more closely: anon_page_is_ours() in swap_fault.c.
 * Cost:    O(log n) to find the area (caller), O(1) from there.
 * See:     spec.md §5 "demand", "COW"; doc/tour.md follows one fault
 */
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/huge_mm.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <weft/userfaultfd.h>
#include <weft/vmstat.h>
#include <weft/writeback.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "internal.h"

unsigned long empty_zero_page[PAGE_SIZE / sizeof(unsigned long)] __aligned(PAGE_SIZE);
unsigned long zero_pfn;				/* [I] */

static int __init zero_page_init(void)
{
	zero_pfn = __pa_symbol(empty_zero_page) >> PAGE_SHIFT;
	return 0;
}
core_initcall(zero_page_init);

/* Writable, if the area is: get_user_pages may break COW where the program itself may not write. */
static inline pte_t maybe_mkwrite(pte_t pte, const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_WRITE) ? pte_mkwrite(pte) : pte;
}

/* ---- anonymous memory ---- */

/* A page for the fault's address, charged to whose fault it is.  NULL: there is none, or its group may have no more. */
static __always_inline struct page *alloc_anon_page(struct vm_fault *vmf, gfp_t gfp)
{
	struct page *page = alloc_page_vma(gfp, vmf->vma, vmf->address);

	if (page && unlikely(mem_cgroup_charge(page, gfp))) {
		put_page(page);
		return NULL;
	}
	return page;
}

/* Puts a page that nobody else knows at the fault's address.  False: somebody was quicker. */
static bool map_new_anon_page(struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	pte_t entry = maybe_mkwrite(pte_mkdirty(mk_pte(page, vma->vm_page_prot)), vma);
	bool mapped = false;

	vmf->ptl = pte_lockptr(vma->vm_mm, vmf->pmd);
	spin_lock(vmf->ptl);
	if (likely(pte_none(*vmf->pte))) {
		inc_mm_counter(vma->vm_mm, MM_ANONPAGES);
		page_add_new_anon_rmap(page, vma, vmf->address);
		set_pte(vmf->pte, entry);
		mapped = true;
	}
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return mapped;
}

static void map_zero_page(struct vm_fault *vmf)
{
	pte_t entry = pte_mkspecial(pfn_pte(zero_pfn, vmf->vma->vm_page_prot));

	vmf->pte = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (pte_none(*vmf->pte))
		set_pte(vmf->pte, entry);
	pte_unmap_unlock(vmf->pte, vmf->ptl);
}

static vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct page *page;

	if (vmf->vma->vm_flags & VM_SHARED)
		return VM_FAULT_SIGBUS;
	if (unlikely(vmf->vma->vm_flags & VM_UFFD_MISSING))
		return handle_userfault(vmf, VM_UFFD_MISSING);
	if (!(vmf->flags & FAULT_FLAG_WRITE)) {
		map_zero_page(vmf);
		return 0;
	}
	page = alloc_anon_page(vmf, GFP_HIGHUSER_MOVABLE | __GFP_ZERO);
	if (!page)
		return VM_FAULT_OOM;
	anon_vma_prepare(vmf->vma);
	if (!map_new_anon_page(vmf, page))
		put_page(page);
	return 0;
}

/* ---- file mappings ---- */

/* Asks the file for the page.  On success vmf->page is locked and has a reference. */
static vm_fault_t __do_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = vmf->vma->vm_ops->fault(vmf);

	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
		return ret;
	if (!(ret & VM_FAULT_LOCKED))
		lock_page(vmf->page);
	return ret | VM_FAULT_LOCKED;
}

/* Maps `page`, whose reference it takes over, at addr; ptl held, vmf->pte is addr's entry, empty. */
static void do_set_pte(struct vm_fault *vmf, struct page *page, unsigned long addr)
{
	struct vm_area_struct *vma = vmf->vma;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	pte_t entry = mk_pte(page, vma->vm_page_prot);

	if (write)
		entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	if (write && !(vma->vm_flags & VM_SHARED)) {
		inc_mm_counter(vma->vm_mm, MM_ANONPAGES);
		page_add_new_anon_rmap(page, vma, addr);
	} else {
		inc_mm_counter(vma->vm_mm, mm_counter_file(page));
		page_add_file_rmap(page);
	}
	set_pte(vmf->pte, entry);
}

/* Maps `page`, taking over its reference.  VM_FAULT_NOPAGE: somebody was quicker, the reference is still the caller's. */
static vm_fault_t finish_fault(struct vm_fault *vmf, struct page *page)
{
	vm_fault_t ret = VM_FAULT_NOPAGE;

	vmf->pte = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (likely(pte_none(*vmf->pte))) {
		do_set_pte(vmf, page, vmf->address);
		ret = 0;
	}
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return ret;
}

/* The aligned window of FAULT_AROUND_PAGES about the address, cut to the area and to one page table. */
static void do_fault_around(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long window = (unsigned long)FAULT_AROUND_PAGES << PAGE_SHIFT;
	unsigned long from = max(vmf->address & ~(window - 1), vma->vm_start);
	unsigned long to = min((vmf->address & ~(window - 1)) + window, vma->vm_end);

	vma->vm_ops->map_pages(vmf, linear_page_index(vma, from), linear_page_index(vma, to - 1));
}

static bool pte_is_mapped(struct vm_fault *vmf)
{
	return !pte_none(*pte_offset_kernel(vmf->pmd, vmf->address));
}

static vm_fault_t do_read_fault(struct vm_fault *vmf)
{
	vm_fault_t ret;

	if (vmf->vma->vm_ops->map_pages && !(vmf->vma->vm_flags & VM_LOCKED)) {
		do_fault_around(vmf);
		if (pte_is_mapped(vmf))
			return VM_FAULT_NOPAGE;
	}
	ret = __do_fault(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
		return ret;
	ret |= finish_fault(vmf, vmf->page);
	unlock_page(vmf->page);
	if (ret & VM_FAULT_NOPAGE)
		put_page(vmf->page);
	return ret;
}

/* First write to a page of a private file mapping: straight to a copy. */
static vm_fault_t do_cow_fault(struct vm_fault *vmf)
{
	struct page *copy = alloc_anon_page(vmf, GFP_HIGHUSER_MOVABLE);
	vm_fault_t ret;

	if (!copy)
		return VM_FAULT_OOM;
	vmf->cow_page = copy;
	anon_vma_prepare(vmf->vma);
	ret = __do_fault(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) {
		put_page(copy);
		return ret;
	}
	copy_user_highpage(copy, vmf->page, vmf->address, vmf->vma);
	ret |= finish_fault(vmf, copy);
	unlock_page(vmf->page);
	put_page(vmf->page);
	if (ret & VM_FAULT_NOPAGE)
		put_page(copy);
	return ret;
}

/*
 * Tells the file system that a shared page will be written (it may have to find a block for it).  The page comes unlocked
 * and returns locked.  VM_FAULT_NOPAGE: it was truncated meanwhile.
 */
static vm_fault_t do_page_mkwrite(struct vm_fault *vmf)
{
	struct page *page = vmf->page;
	vm_fault_t ret = vmf->vma->vm_ops->page_mkwrite(vmf);

	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE))
		return ret;
	if (ret & VM_FAULT_LOCKED)
		return ret;
	lock_page(page);
	if (!page->mapping) {
		unlock_page(page);
		return VM_FAULT_NOPAGE;
	}
	return ret | VM_FAULT_LOCKED;
}

/* A shared page is about to be written through the map: unlocks it. */
static void fault_dirty_shared_page(struct vm_fault *vmf)
{
	struct page *page = vmf->page;

	set_page_dirty(page);
	unlock_page(page);
	if (vmf->vma->vm_file) {
		file_update_time(vmf->vma->vm_file);
		balance_dirty_pages_ratelimited(vmf->vma->vm_file->f_mapping);
	}
}

static vm_fault_t do_shared_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = __do_fault(vmf), tmp;

	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
		return ret;
	if (vmf->vma->vm_ops->page_mkwrite) {
		unlock_page(vmf->page);
		tmp = do_page_mkwrite(vmf);
		if (tmp & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) {
			put_page(vmf->page);
			return tmp;
		}
	}
	tmp = finish_fault(vmf, vmf->page);
	if (tmp & VM_FAULT_NOPAGE) {
		unlock_page(vmf->page);
		put_page(vmf->page);
		return tmp;
	}
	fault_dirty_shared_page(vmf);
	return ret;
}

static vm_fault_t do_fault(struct vm_fault *vmf)
{
	if (!vmf->vma->vm_ops->fault)
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & FAULT_FLAG_WRITE))
		return do_read_fault(vmf);
	if (!(vmf->vma->vm_flags & VM_SHARED))
		return do_cow_fault(vmf);
	return do_shared_fault(vmf);
}

/* ---- copy on write ---- */

/* The page need not be copied: makes the entry writable.  ptl held, dropped here. */
static void wp_page_reuse(struct vm_fault *vmf) __releases(vmf->ptl)
{
	pte_t entry = maybe_mkwrite(pte_mkdirty(pte_mkyoung(pte_clear_uffd_wp(vmf->orig_pte))), vmf->vma);

	set_pte(vmf->pte, entry);	/* more rights than before: a stale TLB entry costs one more fault, no flush */
	pte_unmap_unlock(vmf->pte, vmf->ptl);
}

/* What the new page shall contain: a copy of old, or zeroes when old is the zero page. */
static struct page *alloc_cow_page(struct vm_fault *vmf, struct page *old)
{
	gfp_t gfp = old ? GFP_HIGHUSER_MOVABLE : GFP_HIGHUSER_MOVABLE | __GFP_ZERO;
	struct page *new = alloc_anon_page(vmf, gfp);

	if (new && old)
		copy_user_highpage(new, old, vmf->address, vmf->vma);
	return new;
}

/*
 * Replaces the old page by `new`, if the entry is still the same.  The old translation must be gone from every TLB before
 * the new one can be used: otherwise one thread could still read the old page while another writes the new one.
 */
static bool cow_replace(struct vm_fault *vmf, struct page *old, struct page *new)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	pte_t entry = maybe_mkwrite(pte_mkdirty(mk_pte(new, vma->vm_page_prot)), vma);
	bool same;

	vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl);
	same = pte_same(*vmf->pte, vmf->orig_pte);
	if (same) {
		if (!old) {
			inc_mm_counter(mm, MM_ANONPAGES);
		} else if (!PageAnon(old)) {
			dec_mm_counter(mm, mm_counter_file(old));
			inc_mm_counter(mm, MM_ANONPAGES);
		}
		ptep_get_and_clear(mm, vmf->address, vmf->pte);
		flush_tlb_page(vma, vmf->address);
		page_add_new_anon_rmap(new, vma, vmf->address);
		set_pte(vmf->pte, entry);
		if (old && unlikely(vma->vm_flags & VM_LOCKED))
			munlock_page(old);
		if (old)
			page_remove_rmap(old);
	}
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return same;
}

/* ptl not held; old (if any) has a reference that is dropped here. */
static vm_fault_t wp_page_copy(struct vm_fault *vmf, struct page *old)
{
	struct page *new = alloc_cow_page(vmf, old);
	vm_fault_t ret = 0;

	anon_vma_prepare(vmf->vma);
	if (!new) {
		ret = VM_FAULT_OOM;
	} else if (cow_replace(vmf, old, new)) {
		trace_mm_cow(vmf->address, page_to_pfn(new));
		if (old)
			put_page(old);		/* the entry's reference */
	} else {
		put_page(new);
	}
	if (old)
		put_page(old);
	return ret;
}

/* A page of a shared file mapping that was read-only so that its first write is noticed.  ptl held, dropped here. */
static vm_fault_t wp_page_shared(struct vm_fault *vmf, struct page *page) __releases(vmf->ptl)
{
	vm_fault_t ret = 0;

	get_page(page);
	vmf->page = page;
	if (vmf->vma->vm_ops && vmf->vma->vm_ops->page_mkwrite) {
		pte_unmap_unlock(vmf->pte, vmf->ptl);
		ret = do_page_mkwrite(vmf);
		if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE))
			goto out;
		vmf->pte = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
		if (!pte_same(*vmf->pte, vmf->orig_pte)) {
			unlock_page(page);
			pte_unmap_unlock(vmf->pte, vmf->ptl);
			goto out;
		}
		wp_page_reuse(vmf);
	} else {
		wp_page_reuse(vmf);
		lock_page(page);
	}
	fault_dirty_shared_page(vmf);
out:
	put_page(page);
	return ret & ~VM_FAULT_LOCKED;
}

/* A write to a present, read-only entry.  ptl held, dropped here. */
static vm_fault_t do_wp_page(struct vm_fault *vmf) __releases(vmf->ptl)
{
	struct vm_area_struct *vma = vmf->vma;
	struct page *page = vm_normal_page(vma, vmf->address, vmf->orig_pte);

	if (vma->vm_flags & VM_SHARED) {
		if (page)
			return wp_page_shared(vmf, page);
		wp_page_reuse(vmf);
		return 0;
	}
	if (page && PageAnon(page) && anon_page_is_ours(page)) {
		trace_mm_cow_reuse(vmf->address, page_to_pfn(page));
		wp_page_reuse(vmf);
		return 0;
	}
	if (!page && !is_zero_pfn(pte_pfn(vmf->orig_pte))) {
		pte_unmap_unlock(vmf->pte, vmf->ptl);
		return VM_FAULT_SIGBUS;		/* a private copy of device memory is not offered */
	}
	if (page)
		get_page(page);
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return wp_page_copy(vmf, page);
}

/* ---- the fault ---- */

/*
 * The address's entry: vmf->pte in its table, and what it says.  Nothing there yet: a huge page, or else a table.  False: the
 * fault has been served, *ret says how; or the access shall come again.
 */
static bool find_pte(struct vm_fault *vmf, vm_fault_t *ret)
{
	pmd_t pmd = pmdp_get(vmf->pmd);		/* once: it may change, see huge_mm.h */

	*ret = 0;
	if (unlikely(pmd_none(pmd))) {
		if (thp_enabled && do_huge_anonymous_page(vmf))
			return false;
		if (pte_alloc_failed(vmf->vma->vm_mm, vmf->pmd)) {
			*ret = VM_FAULT_OOM;
			return false;
		}
		pmd = pmdp_get(vmf->pmd);
		if (pmd_none(pmd) || pmd_leaf(pmd))
			return false;		/* another thread has put a huge page there */
	} else if (unlikely(pmd_leaf(pmd))) {
		do_huge_fault(vmf);
		return false;			/* if it was split, the access comes again */
	}
	vmf->pte = pte_offset_kernel(&pmd, vmf->address);
	vmf->orig_pte = READ_ONCE(*vmf->pte);
	return true;
}

static vm_fault_t handle_pte_fault(struct vm_fault *vmf)
{
	vm_fault_t ret;
	pte_t entry;

	if (!find_pte(vmf, &ret))
		return ret;
	if (pte_none(vmf->orig_pte))
		return vma_is_anonymous(vmf->vma) ? do_anonymous_page(vmf) : do_fault(vmf);
	if (!pte_present(vmf->orig_pte))
		return do_swap_page(vmf);

	vmf->ptl = pte_lockptr(vmf->vma->vm_mm, vmf->pmd);
	spin_lock(vmf->ptl);
	entry = vmf->orig_pte;
	if (!pte_same(*vmf->pte, entry)) {
		spin_unlock(vmf->ptl);
		return 0;
	}
	if (vmf->flags & FAULT_FLAG_WRITE) {
		if (unlikely(pte_uffd_wp(entry)) && (vmf->vma->vm_flags & VM_UFFD_WP)) {
			spin_unlock(vmf->ptl);
			return handle_userfault(vmf, VM_UFFD_WP);
		}
		if (!pte_write(entry))
			return do_wp_page(vmf);
		entry = pte_mkdirty(entry);
	}
	set_pte(vmf->pte, pte_mkyoung(entry));
	spin_unlock(vmf->ptl);
	return 0;
}

/*
 * Makes `address`, which lies in vma, usable for the access that flags tell.  The caller has checked the area's rights and
 * holds mmap_lock for reading (or writing).  Returns VM_FAULT_* bits; with VM_FAULT_RETRY mmap_lock has been dropped.
 * Counts a minor or major fault for the running task.  May sleep.
 */
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags, struct pt_regs *regs)
{
	/* All members, also the empty ones: else the compiler clears the whole by a string instruction first. */
	struct vm_fault vmf = {
		.vma		= vma,
		.address	= address & PAGE_MASK,
		.real_address	= address,
		.flags		= flags,
		.pgoff		= linear_page_index(vma, address),
		.pmd		= mm_alloc_pmd(vma->vm_mm, address),
		.pte		= NULL,
		.orig_pte	= __pte(0),
		.ptl		= NULL,
		.page		= NULL,
		.cow_page	= NULL,
	};
	vm_fault_t ret;

	__set_current_state(TASK_RUNNING);
	count_vm_event(PGFAULT);
	count_memcg_current(PGFAULT);
	if (!vmf.pmd)
		return VM_FAULT_OOM;
	ret = handle_pte_fault(&vmf);

	if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY))
		return ret;
	if (unlikely(vma->vm_flags & VM_LOCKED))
		mlock_faulted(&vmf);
	if ((ret & VM_FAULT_MAJOR) || (flags & FAULT_FLAG_TRIED))
		current->maj_flt++;
	else
		current->min_flt++;
	return ret;
}
