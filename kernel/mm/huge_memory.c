/*
 * huge_memory.c: huge mappings: made by a fault, split, copied by fork, taken away.
 *
 * What:    the first write to an aligned 2 MiB range of anonymous memory, nothing of which is mapped, gets it whole.  All who
 *          walk page tables come here when they meet a leaf: they take all of it, or have it split.
 * Idea:    see huge_mm.h: 512 ordinary pages.  A split must not fail, so each huge mapping has put a page of entries aside
 *          when it was made (mm->spare_tables).
 * Split:   the processor may use and change the entry all the time, and must never have a small and the huge translation at
 *          once with different rights:
 *
 *              CPU 0: split (page_table_lock)          CPU 1: same program
 *              leaf: present -> not present            writes on through its TLB: the same pages
 *              flush: IPI                              forgets; next access: #PF, finds a leaf, waits for the lock
 *              512 entries with the leaf's rights
 *              leaf -> table; unlock                   finds a table: done
 *
 *          Never to "nothing" in between: who holds mmap_lock for reading would pass over it (munmap's zap, for one).
 * COW:     fork shares the leaf, read-only in both.  Who writes: if all 512 pages are his alone by now, the leaf becomes
 *          writable; else it is split, and one page is copied.  A leaf that was never shared says so (_PAGE_ALONE): mprotect
 *          makes it writable at once.
 * Locking: page_table_lock, inside ptl's place in the order; see huge_mm.h.
 * Cost:    a fault clears 2 MiB and adds 512 pages to the LRU list under one lock.  Those without huge pages pay one test of
 *          a bit that is in a register already.
 * See:     spec.md §6 "huge pages"; doc/memory.md; khugepaged.c makes them of small ones; huge_sysfs.c
 */
#include <weft/huge_mm.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>
#include "internal.h"

#define pmd_write(pmd)	(pmd_val(pmd) & _PAGE_RW)

int thp_enabled = THP_MADVISE;
int thp_defrag = THP_MADVISE;

bool area_may_be_huge(const struct vm_area_struct *vma, bool forced)
{
	unsigned long forbidden = VM_SPECIAL | VM_NOHUGEPAGE | VM_GROWSDOWN | VM_SHARED | VM_LOCKED | VM_UFFD_FLAGS;
	int mode = READ_ONCE(thp_enabled);

	if (!vma_is_anonymous(vma) || (vma->vm_flags & forbidden) || !(vma->vm_flags & VM_ACCESS_FLAGS))
		return false;
	if (vma->vm_mm->flags & MMF_DISABLE_THP_MASK)
		return false;
	return forced || mode == THP_ALWAYS || (mode == THP_MADVISE && (vma->vm_flags & VM_HUGEPAGE));
}

/* 512 single pages in a row, aligned, or NULL.  Memory is moved and reclaimed for it only where thp_defrag says so. */
struct page *alloc_huge_page(struct vm_area_struct *vma, unsigned long addr, gfp_t more)
{
	gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_NOMEMALLOC | __GFP_NOWARN | more;
	int mode = READ_ONCE(thp_defrag);
	struct page *page;

	if (!(more & __GFP_RETRY_MAYFAIL)) {
		gfp |= __GFP_NORETRY;
		if (!(mode == THP_ALWAYS || (mode == THP_MADVISE && (vma->vm_flags & VM_HUGEPAGE))))
			gfp &= ~__GFP_RECLAIM;
	}
	page = numa_enabled() ? alloc_pages_area(gfp, HPAGE_ORDER, vma, addr) : alloc_pages(gfp, HPAGE_ORDER);
	if (page)
		split_page(page, HPAGE_ORDER);
	return page;
}

static void free_huge_page(struct page *pages)
{
	for (unsigned long i = 0; i < HPAGE_NR; i++)
		put_page(pages + i);
}

/* ---- tables put aside; page_table_lock held ---- */

static void keep_table(struct mm_struct *mm, struct page *table)
{
	list_add(&table->lru, &mm->spare_tables);
	atomic_long_add(PAGE_SIZE, &mm->pgtables_bytes);
}

/* There is one for each leaf. */
static struct page *take_table(struct mm_struct *mm)
{
	struct page *table = list_first_entry(&mm->spare_tables, struct page, lru);

	list_del(&table->lru);
	return table;
}

/* ---- making one ---- */

void map_huge_pages(struct vm_area_struct *vma, pmd_t *pmd, unsigned long start, struct page *pages, struct page *table,
		    bool dirty)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long rights = pgprot_val(vma->vm_page_prot) | _PAGE_PSE | _PAGE_ALONE;
	unsigned long mapping = (unsigned long)mm->anon_vma | PAGE_MAPPING_ANON;
	pgoff_t index = linear_page_index(vma, start);

	lockdep_assert_held(&mm->page_table_lock);
	for (struct page *page = pages; page < pages + HPAGE_NR; page++) {
		page->index = index++;
		page->mapping = (struct address_space *)mapping;
		page->flags |= 1UL << PG_swapbacked | 1UL << PG_uptodate | 1UL << PG_active;
		atomic_set(&page->_mapcount, 0);
	}
	lru_cache_add_row(pages, HPAGE_NR);
	mod_page_state(pages, NR_ANON_MAPPED, HPAGE_NR);
	inc_node_state(NR_ANON_THPS);
	keep_table(mm, table);
	if (dirty)
		rights |= _PAGE_DIRTY | _PAGE_SOFT_DIRTY | ((vma->vm_flags & VM_WRITE) ? _PAGE_RW : 0);
	smp_wmb();				/* who sees the entry sees the pages' contents */
	set_pmd(pmd, __pmd(page_to_pfn(pages) << PAGE_SHIFT | rights));
}

/* Only to write: who reads untouched memory gets the one page of zeroes. */
bool do_huge_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct page *pages, *table;

	if (!(vmf->flags & FAULT_FLAG_WRITE) || !range_may_be_huge(vma, vmf->address, false))
		return false;
	khugepaged_enter(mm);
	table = pte_alloc_one(mm);
	pages = table ? alloc_huge_page(vma, vmf->address, __GFP_ZERO) : NULL;
	if (pages && mem_cgroup_charge_row(pages, HPAGE_NR, GFP_KERNEL | __GFP_NORETRY)) {
		free_huge_page(pages);
		pages = NULL;
	}
	if (!pages) {
		if (table)
			pte_free(mm, table);
		count_vm_event(THP_FAULT_FALLBACK);
		return false;
	}
	anon_vma_prepare(vma);
	spin_lock(&mm->page_table_lock);
	if (likely(pmd_none(*vmf->pmd))) {
		map_huge_pages(vma, vmf->pmd, vmf->address & PMD_MASK, pages, table, true);
		add_mm_counter(mm, MM_ANONPAGES, HPAGE_NR);
		pages = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (pages) {				/* another thread was quicker */
		free_huge_page(pages);
		pte_free(mm, table);
	} else {
		count_vm_event(THP_FAULT_ALLOC);
	}
	return true;
}

/* ---- splitting ---- */

static void flush_huge(struct mm_struct *mm, unsigned long addr)
{
	flush_tlb_mm_range(mm, addr & PMD_MASK, (addr & PMD_MASK) + PMD_SIZE, PMD_SHIFT, false);
}

/* Nobody uses the entry from here on; returns what it was, with the bits that processors set up to that moment. */
static pmd_t hide_pmd(pmd_t *pmd)
{
	return __pmd(__atomic_fetch_and(&pmd->pmd, ~_PAGE_PRESENT, __ATOMIC_SEQ_CST));
}

static void split_locked(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	struct page *table = take_table(mm);
	pmd_t old = hide_pmd(pmd);
	pte_t *pte = page_address(table);

	lockdep_assert_held(&mm->page_table_lock);
	flush_huge(mm, addr);
	for (unsigned long i = 0; i < HPAGE_NR; i++)
		set_pte(pte + i, pmd_to_pte(old, i));
	smp_wmb();				/* who sees the table sees its entries */
	pmd_populate(mm, pmd, table);
	dec_node_state(NR_ANON_THPS);
	count_vm_event(THP_SPLIT_PMD);
}

void split_huge_pmd(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	spin_lock(&mm->page_table_lock);
	if (pmd_huge(pmd))
		split_locked(mm, pmd, addr);
	spin_unlock(&mm->page_table_lock);
}

/* ---- a fault on one ---- */

static __always_inline int four_counts(const struct page *page)
{
	return data_race(page[0]._refcount.counter) | data_race(page[1]._refcount.counter) |
	       data_race(page[2]._refcount.counter) | data_race(page[3]._refcount.counter);
}

/*
 * No other entry, nobody who looks: a count of 1 can only rise through this entry, which needs our lock.  Each count is at
 * least 1, this entry's, so some are all 1 if none has another bit.
 */
static bool all_ours(pmd_t pmd)
{
	const struct page *page = pmd_page(pmd), *end = page + HPAGE_NR;

	if (pmd_val(pmd) & _PAGE_ALONE)
		return true;
	for (; page < end; page += 8)
		if ((four_counts(page) | four_counts(page + 4)) != 1)
			return false;
	return true;
}

void do_huge_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long bits = _PAGE_ACCESSED | (write ? _PAGE_DIRTY | _PAGE_SOFT_DIRTY : 0);

	spin_lock(&mm->page_table_lock);
	if (pmd_huge(vmf->pmd)) {
		if (write && !pmd_write(*vmf->pmd) && (vma->vm_flags & VM_WRITE) && all_ours(*vmf->pmd))
			bits |= _PAGE_RW | _PAGE_ALONE;
		if (write && !pmd_write(*vmf->pmd) && !(bits & _PAGE_RW))
			split_locked(mm, vmf->pmd, vmf->address);
		else
			__atomic_fetch_or(&vmf->pmd->pmd, bits, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&mm->page_table_lock);
}

/* ---- fork ---- */

static void lock_both(struct mm_struct *dst, struct mm_struct *src) __no_context_analysis	/* returns with both held */
{
	spin_lock(&dst->page_table_lock);
	spin_lock_nested(&src->page_table_lock, SINGLE_DEPTH_NESTING);
}

static void unlock_both(struct mm_struct *dst, struct mm_struct *src) __no_context_analysis	/* as above */
{
	spin_unlock(&src->page_table_lock);
	spin_unlock(&dst->page_table_lock);
}

int copy_huge_pmd(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma, pmd_t *dst_pmd, pmd_t *src_pmd)
{
	struct mm_struct *dst = dst_vma->vm_mm, *src = src_vma->vm_mm;
	struct page *table = pte_alloc_one(dst), *pages;
	pmd_t old;

	if (!table)
		return -ENOMEM;
	lock_both(dst, src);
	if (!pmd_huge(src_pmd)) {
		unlock_both(dst, src);
		pte_free(dst, table);
		return 0;
	}
	old = __pmd(__atomic_fetch_and(&src_pmd->pmd, ~(_PAGE_RW | _PAGE_ALONE), __ATOMIC_SEQ_CST));
	pages = pmd_page(old);
	for (struct page *page = pages; page < pages + HPAGE_NR; page++) {
		page_ref_inc(page);
		page_dup_rmap(page);
	}
	keep_table(dst, table);
	inc_node_state(NR_ANON_THPS);
	set_pmd(dst_pmd, __pmd(pmd_val(old) & ~(_PAGE_RW | _PAGE_ALONE | _PAGE_ACCESSED)));
	unlock_both(dst, src);
	add_mm_counter(dst, MM_ANONPAGES, HPAGE_NR);
	return 1;
}

/* ---- taking away ---- */

/*
 * Takes the last reference of all 512.  False: somebody else has one of some page, the swap cache for one; nothing has
 * changed.
 */
static bool freeze_row(struct page *pages)
{
	for (struct page *page = pages; page < pages + HPAGE_NR; page++) {
		if (likely(page_ref_freeze(page, 1)))
			continue;
		while (page-- > pages)
			page_ref_unfreeze(page, 1);
		return false;
	}
	return true;
}

/* The pages' references are ours now: noted in the gather, as one block if it can be one. */
static void gather_huge_pages(struct mmu_gather *tlb, struct page *pages)
{
	if (freeze_row(pages)) {
		mod_node_state(NR_ANON_MAPPED, -(long)HPAGE_NR);
		tlb_remove_row(tlb, pages, HPAGE_ORDER);
		return;
	}
	for (struct page *page = pages; page < pages + HPAGE_NR; page++) {
		page_remove_rmap(page);
		if (unlikely(__tlb_remove_page(tlb, page)))
			tlb_flush_mmu(tlb);
	}
}

bool zap_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end)
{
	struct mm_struct *mm = tlb->mm;
	struct page *table, *pages;

	if (end - addr != PMD_SIZE) {
		split_huge_pmd(mm, pmd, addr);
		return false;
	}
	spin_lock(&mm->page_table_lock);
	if (!pmd_huge(pmd)) {
		spin_unlock(&mm->page_table_lock);
		return false;
	}
	pages = pmd_page(__pmd(__atomic_exchange_n(&pmd->pmd, 0UL, __ATOMIC_SEQ_CST)));
	table = take_table(mm);
	spin_unlock(&mm->page_table_lock);
	atomic_long_sub(PAGE_SIZE, &mm->pgtables_bytes);
	pte_free(mm, table);			/* no processor has ever seen it */
	dec_node_state(NR_ANON_THPS);
	add_mm_counter(mm, MM_ANONPAGES, -(long)HPAGE_NR);
	tlb_track_range(tlb, addr, PMD_SIZE);
	gather_huge_pages(tlb, pages);
	return true;
}

/* ---- other rights, another place ---- */

/*
 * Whether the area's next write needs no fault: nobody shares the pages (fork needs mmap_lock, which we hold), and nobody waits
 * to hear of it.
 */
static bool writable_at_once(const struct vm_area_struct *vma, pmd_t old)
{
	unsigned long wanted = _PAGE_ALONE | _PAGE_DIRTY | _PAGE_SOFT_DIRTY;

	return (vma->vm_flags & VM_WRITE) && (pmd_val(old) & wanted) == wanted;
}

/* The flush is the caller's.  PROT_NONE has another bit for "present" than we test for: small entries have it. */
bool change_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	bool changed = false;
	pmd_t old;
	pte_t pte;

	if (end - addr != PMD_SIZE || !(pgprot_val(vma->vm_page_prot) & _PAGE_PRESENT)) {
		split_huge_pmd(mm, pmd, addr);
		return false;
	}
	spin_lock(&mm->page_table_lock);
	if (pmd_huge(pmd)) {
		old = hide_pmd(pmd);
		pte = pte_wrprotect(pte_modify(pmd_to_pte(old, 0), vma->vm_page_prot));
		if (writable_at_once(vma, old))
			pte = pte_mkwrite(pte);
		set_pmd(pmd, __pmd(pte_val(pte) | _PAGE_PSE | (pmd_val(old) & _PAGE_ALONE)));
		changed = true;
	}
	spin_unlock(&mm->page_table_lock);
	return changed;
}

/* Both places are aligned, and nothing is at the new one, not even an empty table. */
bool move_huge_pmd(struct vm_area_struct *vma, unsigned long from, pmd_t *old_pmd, unsigned long to, pmd_t *new_pmd)
{
	struct mm_struct *mm = vma->vm_mm;
	bool moved = false;

	spin_lock(&mm->page_table_lock);
	if (pmd_huge(old_pmd) && pmd_none(*new_pmd) && !((from | to) & ~PMD_MASK)) {
		set_pmd(new_pmd, __pmd(__atomic_exchange_n(&old_pmd->pmd, 0UL, __ATOMIC_SEQ_CST)));
		flush_huge(mm, from);
		moved = true;
	}
	spin_unlock(&mm->page_table_lock);
	return moved;
}

/* ---- looking ---- */

bool follow_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned int flags, struct page **page)
{
	struct mm_struct *mm = vma->vm_mm;
	bool huge;

	spin_lock(&mm->page_table_lock);
	huge = pmd_huge(pmd);
	*page = NULL;
	if (huge && (flags & FOLL_WRITE) && !pmd_write(*pmd)) {
		if (!(vma->vm_flags & VM_WRITE)) {	/* a debugger's copy must be of one page */
			split_locked(mm, pmd, addr);
			huge = false;
		}
	} else if (huge) {
		*page = pmd_page(*pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
		get_page(*page);
	}
	spin_unlock(&mm->page_table_lock);
	return huge;
}

bool read_huge_pmd(struct mm_struct *mm, pmd_t *pmd, pmd_t *value)
{
	bool huge;

	spin_lock(&mm->page_table_lock);
	*value = *pmd;
	huge = pmd_huge(pmd);
	spin_unlock(&mm->page_table_lock);
	return huge;
}

static bool maps_page(pmd_t pmd, const struct page *page)
{
	return (pmd_val(pmd) & _PAGE_PSE) && page >= pmd_page(pmd) && page < pmd_page(pmd) + HPAGE_NR;
}

bool huge_pmd_maps(struct mm_struct *mm, pmd_t *pmd, struct page *page)
{
	bool maps;

	spin_lock(&mm->page_table_lock);
	maps = maps_page(*pmd, page);
	spin_unlock(&mm->page_table_lock);
	return maps;
}

/*
 * One bit stands for 512 pages.  Were it cleared for the first of them that reclaim looks at, the others would seem unused;
 * so it is cleared only for the first page of the mapping: pages came to their list in this order and leave it so.
 */
bool huge_pmd_referenced(struct mm_struct *mm, pmd_t *pmd, struct page *page, bool *referenced)
{
	bool maps;

	spin_lock(&mm->page_table_lock);
	*referenced = false;
	maps = maps_page(*pmd, page);
	if (maps) {
		*referenced = pmd_val(*pmd) & _PAGE_ACCESSED;
		if (*referenced && page == pmd_page(*pmd))
			__atomic_fetch_and(&pmd->pmd, ~_PAGE_ACCESSED, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&mm->page_table_lock);
	return maps;
}

void split_area(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	for (unsigned long addr = start; vma_is_anonymous(vma) && addr < end; addr = pmd_addr_end(addr, end)) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);

		if (pmd)
			pmd_has_table(vma->vm_mm, pmd, addr);
	}
}

unsigned long area_huge_bytes(struct vm_area_struct *vma)
{
	unsigned long bytes = 0;

	if (!vma_is_anonymous(vma))
		return 0;
	for (unsigned long addr = vma->vm_start, next; addr < vma->vm_end; addr = next) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);

		next = pmd_addr_end(addr, vma->vm_end);
		if (pmd && pmd_huge(pmd))
			bytes += PMD_SIZE;
	}
	return bytes;
}
