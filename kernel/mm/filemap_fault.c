/*
 * filemap_fault.c: pages of files in address spaces: faults, fault-around, the first write to a shared page.
 *
 * Idea:    filemap_map_pages() maps what is cached around the fault without waiting for anything; filemap_fault() reads the
 *          page that is missing and hands it over locked, so that truncation waits until it is mapped (and then finds it).
 * Locking: mmap_lock (reading), held by the caller, also while the page is read.  invalidate_lock for reading where the page
 *          may have to be read; then the page lock.
 *
 *              CPU 0: fault                            CPU 1: truncation
 *              page found, locked; index < size
 *              mapped, unlocked                        size made smaller
 *                                                      unmap_mapping_pages; truncate_inode_pages: locks the page,
 *                                                      still mapped: unmaps it again, removes it
 *          If CPU 1 locks first, CPU 0 finds page->mapping NULL after locking, looks again and finds index >= size: SIGBUS.
 * See:     spec.md §5 "demand"; memory.c
 */
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/vmstat.h>
#include "internal.h"

static pgoff_t pages_of_file(const struct inode *inode)
{
	return DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
}

/* Starts reading what is missing.  invalidate_lock not held: reading ahead takes it itself. */
static void fault_readahead(struct vm_fault *vmf, struct address_space *mapping, vm_fault_t *ret)
{
	struct file *file = vmf->vma->vm_file;
	struct page *page = find_get_page(mapping, vmf->pgoff);

	if (page) {
		if (file->f_ra.mmap_miss)
			file->f_ra.mmap_miss--;
		if (PageReadahead(page))
			page_cache_async_readahead(mapping, &file->f_ra, file, page, vmf->pgoff, 1);
		put_page(page);
		return;
	}
	*ret |= VM_FAULT_MAJOR;
	count_vm_event(PGMAJFAULT);
	count_memcg_current(PGMAJFAULT);
	if (vmf->vma->vm_flags & VM_SEQ_READ)
		page_cache_sync_readahead(mapping, &file->f_ra, file, vmf->pgoff, 1);
	else if (!(vmf->vma->vm_flags & VM_RAND_READ))
		page_cache_read_around(mapping, &file->f_ra, file, vmf->pgoff);
}

/* Reads the page again if it is not up to date.  0: it is, and locked.  Else its reference is gone;
 * AOP_TRUNCATED_PAGE: again. */
static int fault_read_page(struct file *file, struct address_space *mapping, struct page *page)
{
	int err;

	if (likely(PageUptodate(page)))
		return 0;
	err = filemap_read_page(file, mapping, page);
	put_page(page);
	return err ? err : AOP_TRUNCATED_PAGE;	/* read, but unlocked: look it up again */
}

vm_fault_t filemap_fault(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct address_space *mapping = file->f_mapping;
	vm_fault_t ret = 0;
	struct page *page;
	int err;

	do {
		if (vmf->pgoff >= pages_of_file(mapping->host))
			return VM_FAULT_SIGBUS;
		fault_readahead(vmf, mapping, &ret);
		filemap_invalidate_lock_shared(mapping);
		page = pagecache_get_page(mapping, vmf->pgoff, FGP_LOCK | FGP_CREAT | FGP_ACCESSED, mapping->gfp_mask);
		err = page ? fault_read_page(file, mapping, page) : -ENOMEM;
		filemap_invalidate_unlock_shared(mapping);
	} while (err == AOP_TRUNCATED_PAGE);
	if (err)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	if (unlikely(vmf->pgoff >= pages_of_file(mapping->host))) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return ret | VM_FAULT_LOCKED;
}

/* A reference and the lock, without waiting; false: leave it to a fault of its own.  nr: pages of the file. */
static bool take_mappable_page(struct page *page, struct address_space *mapping, pgoff_t index, pgoff_t nr)
{
	if (!PageUptodate(page) || PageReadahead(page) || !get_page_unless_zero(page))
		return false;
	if (!trylock_page(page))
		goto put;
	if (page->mapping == mapping && page->index == index && PageUptodate(page) && index < nr)
		return true;
	unlock_page(page);
put:
	put_page(page);
	return false;
}

/*
 * Maps what is cached of [start, end]; all of it lies in vmf's page table.  Never sleeps.
 * The size is looked at once: a page that truncation has not taken out of the mapping yet is unmapped again when it comes
 * to it, and it needs the page's lock for that.
 */
void filemap_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *mapping = vma->vm_file->f_mapping;
	unsigned long base = vma->vm_start + ((start - vma->vm_pgoff) << PAGE_SHIFT);
	pte_t *table = pte_offset_map_lock(vma->vm_mm, vmf->pmd, base, &vmf->ptl);
	struct page *pages[FAULT_AROUND_PAGES];
	pgoff_t nr = pages_of_file(mapping->host);
	unsigned int n, mapped = 0;
	int counter = MM_FILEPAGES;

	rcu_read_lock();
	n = xa_extract(&mapping->i_pages, (void **)pages, start, end, FAULT_AROUND_PAGES, XA_PRESENT);
	for (unsigned int i = 0; i < n; i++) {
		pgoff_t index;

		if (xa_is_value(pages[i]))
			continue;
		index = READ_ONCE(pages[i]->index);	/* looked at again under the page's lock */
		if (index < start || index > end || !pte_none(table[index - start]) ||
		    !take_mappable_page(pages[i], mapping, index, nr))
			continue;
		page_add_file_rmap(pages[i]);
		set_pte(&table[index - start], mk_pte(pages[i], vma->vm_page_prot));
		counter = mm_counter_file(pages[i]);		/* of one kind, all of them */
		mapped++;
		unlock_page(pages[i]);
	}
	if (mapped)
		add_mm_counter(vma->vm_mm, counter, mapped);
	rcu_read_unlock();
	pte_unmap_unlock(table, vmf->ptl);
	vmf->pte = NULL;
}

/* The first write to a shared page: it becomes dirty before the entry becomes writable. */
vm_fault_t filemap_page_mkwrite(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct page *page = vmf->page;

	file_update_time(file);
	lock_page(page);
	if (page->mapping != file->f_mapping) {
		unlock_page(page);
		return VM_FAULT_NOPAGE;
	}
	set_page_dirty(page);
	wait_for_stable_page(page);
	return VM_FAULT_LOCKED;
}

const struct vm_operations_struct generic_file_vm_ops = {
	.fault		= filemap_fault,
	.map_pages	= filemap_map_pages,
	.page_mkwrite	= filemap_page_mkwrite,
};

int generic_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!file->f_mapping->a_ops->readpage)
		return -ENOEXEC;
	file_accessed(file);
	vma->vm_ops = &generic_file_vm_ops;
	return 0;
}

/* For file systems that cannot write pages back. */
int generic_file_readonly_mmap(struct file *file, struct vm_area_struct *vma)
{
	if ((vma->vm_flags & VM_SHARED) && (vma->vm_flags & VM_MAYWRITE))
		return -EINVAL;
	return generic_file_mmap(file, vma);
}
