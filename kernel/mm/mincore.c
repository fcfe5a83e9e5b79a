/*
 * mincore.c: mincore(2): which pages of a range are in memory.
 *
 * Idea:    a present entry says yes, or a swapped page that is cached; without one, the page cache of a mapped file is
 *          asked.  Only of files that the caller
 *          could write or owns: otherwise he could watch what others read.
 * Locking: mmap_lock for reading, ptl per table.  The answer is old as soon as it is given.
 * See:     man 2 mincore
 */
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mman.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/pgalloc.h>
#include "internal.h"

static bool may_ask_file(struct vm_area_struct *vma)
{
	if (!vma->vm_file)
		return true;
	return inode_owner_or_capable(file_inode(vma->vm_file)) || !file_permission(vma->vm_file, MAY_WRITE);
}

static unsigned char cached(struct vm_area_struct *vma, unsigned long addr)
{
	struct page *page;
	unsigned char uptodate;

	if (!vma->vm_file || vma_is_anonymous(vma))
		return 0;
	page = find_get_incore_page(vma->vm_file->f_mapping, linear_page_index(vma, addr));
	if (!page)
		return 0;
	uptodate = PageUptodate(page);
	put_page(page);
	return uptodate;
}

static bool in_swap_cache(swp_entry_t entry)
{
	struct page *page = lookup_swap_cache(entry);

	if (!page)
		return false;
	put_page(page);
	return true;
}

/* Pages of [addr, end) of one area and one table. */
static void mincore_range(struct vm_area_struct *vma, unsigned long addr, unsigned long end, unsigned char *vec)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	unsigned long i, pages = (end - addr) >> PAGE_SHIFT;

	if (pmd && pmd_huge(pmd)) {
		memset(vec, 1, pages);
		return;
	}
	memset(vec, 0, pages);
	if (pmd && pmd_has_table(vma->vm_mm, pmd, addr)) {
		spinlock_t *ptl;
		pte_t *pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);

		for (i = 0; i < pages; i++)
			vec[i] = pte_present(pte[i]) || (is_swap_pte(pte[i]) && in_swap_cache(pte_to_swp_entry(pte[i])));
		pte_unmap_unlock(pte, ptl);
	}
	for (i = 0; i < pages; i++)
		if (!vec[i])
			vec[i] = cached(vma, addr + (i << PAGE_SHIFT));
}

/* Answers for at most `pages` pages, at most to the end of an area.  Pages done or -ENOMEM. */
static long do_mincore(unsigned long addr, unsigned long pages, unsigned char *vec)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, addr);
	unsigned long end, next, at;

	if (!vma)
		return -ENOMEM;
	end = min(vma->vm_end, addr + (pages << PAGE_SHIFT));
	if (!may_ask_file(vma)) {
		memset(vec, 1, (end - addr) >> PAGE_SHIFT);
		return (end - addr) >> PAGE_SHIFT;
	}
	for (at = addr; at < end; at = next) {
		next = pmd_boundary(at, end);
		mincore_range(vma, at, next, vec + ((at - addr) >> PAGE_SHIFT));
	}
	return (end - addr) >> PAGE_SHIFT;
}

long sys_mincore(unsigned long start, size_t len, unsigned char __user *vec)
{
	unsigned long pages;
	unsigned char *tmp;
	long done = 0;

	if (offset_in_page(start))
		return -EINVAL;
	if (!access_ok((void __user *)start, len))
		return -ENOMEM;
	pages = (len >> PAGE_SHIFT) + (offset_in_page(len) != 0);
	if (!access_ok(vec, pages))
		return -EFAULT;
	tmp = (void *)__get_free_page(GFP_USER);
	if (!tmp)
		return -EAGAIN;
	while (pages) {
		mmap_read_lock(current->mm);
		done = do_mincore(start, min(pages, PAGE_SIZE), tmp);
		mmap_read_unlock(current->mm);
		if (done <= 0)
			break;
		if (copy_to_user(vec, tmp, done)) {
			done = -EFAULT;
			break;
		}
		pages -= done;
		vec += done;
		start += done << PAGE_SHIFT;
		done = 0;
	}
	free_page((unsigned long)tmp);
	return done;
}
