/*
 * pagemap.c: /proc/PID/pagemap (one word for each virtual page) and clear_refs (forget which pages were used or written).
 *
 * Idea:    a word says whether the page is present, whether it is a file's or shared, whether only this process maps it, and
 *          whether it was written since clear_refs 4 ("soft dirty"): that makes all entries read-only and clears a bit in
 *          them, which the write fault sets again.  Frame numbers are for root only: they would help attacks on memory.
 * Locking: mmap_lock for reading, and for writing to clear soft-dirty of areas; ptl per table.
 * See:     man 5 proc, /proc/PID/pagemap, clear_refs
 */
#include <weft/kernel.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/minmax.h>
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/swap.h>
#include <weft/uio.h>
#include "internal.h"
#include "task_mmu.h"

/* A huge mapping is shown as the small ones that it stands for; what fn writes to them is lost. */
static int walk_huge(struct vm_area_struct *vma, pmd_t pmd, unsigned long addr, unsigned long end, pte_walk_fn *fn, void *arg)
{
	int err = 0;

	for (; addr < end && !err; addr += PAGE_SIZE) {
		pte_t pte = pmd_to_pte(pmd, (addr & ~PMD_MASK) >> PAGE_SHIFT);

		err = fn(vma, &pte, addr, addr + PAGE_SIZE, arg);
	}
	return err;
}

int walk_area(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_walk_fn *fn, void *arg)
{
	unsigned long addr, next;
	int err = 0;

	for (addr = start; addr < end && !err; addr = next) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
		spinlock_t *ptl;
		pmd_t huge;
		pte_t *pte;

		next = pmd_addr_end(addr, end);
		if (pmd && pmd_huge(pmd) && read_huge_pmd(vma->vm_mm, pmd, &huge)) {
			err = walk_huge(vma, huge, addr, next, fn, arg);
		} else if (!pmd || !pmd_has_table(vma->vm_mm, pmd, addr)) {
			err = fn(vma, NULL, addr, next, arg);
		} else {
			pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
			err = fn(vma, pte, addr, next, arg);
			pte_unmap_unlock(pte, ptl);
		}
		cond_resched();
	}
	return err;
}

/* ---- pagemap ---- */

#define PM_PFN_MASK	((1ull << 55) - 1)
#define PM_SOFT_DIRTY	(1ull << 55)
#define PM_EXCLUSIVE	(1ull << 56)
#define PM_FILE		(1ull << 61)
#define PM_SWAP		(1ull << 62)
#define PM_PRESENT	(1ull << 63)
#define PM_BATCH	512			/* words made at a time */

struct pagemap_window {
	u64		*words;
	unsigned long	start;			/* address of words[0] */
	bool		show_pfn;
};

static u64 pagemap_word(struct vm_area_struct *vma, unsigned long addr, pte_t pte, bool show_pfn)
{
	u64 word = (vma->vm_flags & VM_SOFTDIRTY) ? PM_SOFT_DIRTY : 0;
	struct page *page;

	if (is_swap_pte(pte)) {
		swp_entry_t entry = pte_to_swp_entry(pte);

		word |= PM_SWAP | (show_pfn ? (swp_type(entry) | swp_offset(entry) << MAX_SWAPFILES_SHIFT) & PM_PFN_MASK : 0);
		return pte_swp_soft_dirty(pte) ? word | PM_SOFT_DIRTY : word;
	}
	if (!pte_present(pte))
		return word;
	word |= PM_PRESENT | (show_pfn ? pte_pfn(pte) & PM_PFN_MASK : 0);
	if (pte_soft_dirty(pte))
		word |= PM_SOFT_DIRTY;
	page = vm_normal_page(vma, addr, pte);
	if (page && !PageAnon(page))
		word |= PM_FILE;
	if (page && page_mapcount(page) == 1)
		word |= PM_EXCLUSIVE;
	return word;
}

static int pagemap_table(struct vm_area_struct *vma, pte_t *pte, unsigned long addr, unsigned long end, void *arg)
{
	struct pagemap_window *w = arg;

	for (; addr < end; addr += PAGE_SIZE)
		w->words[(addr - w->start) >> PAGE_SHIFT] = pagemap_word(vma, addr, pte ? *pte++ : __pte(0), w->show_pfn);
	return 0;
}

/* Words of [start, start + n pages); holes are 0.  0 or -EINTR. */
static int fill_window(struct mm_struct *mm, struct pagemap_window *w, unsigned long n)
{
	unsigned long end = w->start + (n << PAGE_SHIFT);
	struct vm_area_struct *vma;

	memset(w->words, 0, n * sizeof(u64));
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for (vma = find_vma(mm, w->start); vma && vma->vm_start < end; vma = vma_next(vma))
		walk_area(vma, max(vma->vm_start, w->start), min(vma->vm_end, end), pagemap_table, w);
	mmap_read_unlock(mm);
	return 0;
}

static ssize_t read_words(struct mm_struct *mm, struct kiocb *iocb, struct iov_iter *to)
{
	struct pagemap_window w = { .show_pfn = capable(CAP_SYS_ADMIN) };
	u64 limit = (mm->task_size >> PAGE_SHIFT) * sizeof(u64);
	ssize_t done = 0;
	int err = 0;

	w.words = kmalloc_array(PM_BATCH, sizeof(u64), GFP_KERNEL);
	if (!w.words)
		return -ENOMEM;
	while (iov_iter_count(to) && (u64)iocb->ki_pos < limit) {
		unsigned long n = min3(iov_iter_count(to) / sizeof(u64), (limit - iocb->ki_pos) / sizeof(u64),
				       (unsigned long)PM_BATCH);
		size_t copied;

		w.start = (unsigned long)iocb->ki_pos / sizeof(u64) << PAGE_SHIFT;
		err = fill_window(mm, &w, n);
		if (err)
			break;
		copied = copy_to_iter(w.words, n * sizeof(u64), to);
		iocb->ki_pos += copied;
		done += copied;
		if (copied < n * sizeof(u64)) {
			err = -EFAULT;
			break;
		}
	}
	kfree(w.words);
	return done ? done : err;
}

static ssize_t pagemap_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct mm_struct *mm = iocb->ki_filp->private_data;
	ssize_t ret;

	if (!mm || !mmget_not_zero(mm))
		return 0;
	if (iocb->ki_pos % sizeof(u64) || iov_iter_count(to) % sizeof(u64))
		ret = -EINVAL;
	else
		ret = read_words(mm, iocb, to);
	mmput(mm);
	return ret;
}

static int pagemap_open(struct inode *inode, struct file *file)
{
	struct mm_struct *mm = proc_mem_open(inode);

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	file->private_data = mm;
	return 0;
}

static int pagemap_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		mmdrop(file->private_data);
	return 0;
}

static loff_t pagemap_lseek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += file->f_pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	return file->f_pos = offset;
}

const struct file_operations proc_pagemap_operations = {
	.open = pagemap_open, .read_iter = pagemap_read, .llseek = pagemap_lseek, .release = pagemap_release,
};

/* ---- clear_refs ---- */

enum clear_refs_types { CLEAR_REFS_ALL = 1, CLEAR_REFS_ANON, CLEAR_REFS_MAPPED, CLEAR_REFS_SOFT_DIRTY, CLEAR_REFS_HIWATER_RSS };

/* The entry is swapped for its changed self in one step: the processor may set bits meanwhile. */
static void clear_soft_dirty(struct vm_area_struct *vma, unsigned long addr, pte_t *pte)
{
	pte_t old = ptep_get_and_clear(vma->vm_mm, addr, pte);

	set_pte(pte, pte_clear_soft_dirty(pte_wrprotect(old)));
}

static int clear_refs_table(struct vm_area_struct *vma, pte_t *pte, unsigned long addr, unsigned long end, void *arg)
{
	enum clear_refs_types type = *(enum clear_refs_types *)arg;

	for (; pte && addr < end; addr += PAGE_SIZE, pte++) {
		struct page *page;

		if (is_swap_pte(*pte) && type == CLEAR_REFS_SOFT_DIRTY)
			set_pte(pte, pte_swp_clear_soft_dirty(*pte));
		if (!pte_present(*pte))
			continue;
		if (type == CLEAR_REFS_SOFT_DIRTY) {
			clear_soft_dirty(vma, addr, pte);
			continue;
		}
		page = vm_normal_page(vma, addr, *pte);
		if (page) {
			ptep_test_and_clear_young(vma, addr, pte);
			ClearPageReferenced(page);
		}
	}
	return 0;
}

static bool type_concerns(enum clear_refs_types type, const struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_PFNMAP)
		return false;
	return !(type == CLEAR_REFS_ANON && vma->vm_file) && !(type == CLEAR_REFS_MAPPED && !vma->vm_file);
}

static int clear_refs(struct mm_struct *mm, enum clear_refs_types type)
{
	struct vm_area_struct *vma;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (type == CLEAR_REFS_HIWATER_RSS) {
		mm->hiwater_rss = get_mm_rss(mm);
	} else {
		for_each_vma_of(mm, vma) {
			if (!type_concerns(type, vma))
				continue;
			if (type == CLEAR_REFS_SOFT_DIRTY)
				vma->vm_flags &= ~VM_SOFTDIRTY;
			split_area(vma, vma->vm_start, vma->vm_end);
			walk_area(vma, vma->vm_start, vma->vm_end, clear_refs_table, &type);
		}
		mm_flush_tlb(mm);
	}
	mmap_write_unlock(mm);
	return 0;
}

static ssize_t clear_refs_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct task_struct *task;
	struct mm_struct *mm;
	char buf[13] = { };
	size_t len = iov_iter_count(from);
	int type, err = 0;

	if (copy_from_iter(buf, min(len, sizeof(buf) - 1), from) != min(len, sizeof(buf) - 1))
		return -EFAULT;
	err = kstrtoint(strim(buf), 10, &type);
	if (err)
		return err;
	if (type < CLEAR_REFS_ALL || type > CLEAR_REFS_HIWATER_RSS)
		return -EINVAL;
	task = get_proc_task(file_inode(iocb->ki_filp));
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (mm) {
		err = clear_refs(mm, type);
		mmput(mm);
	}
	return err ? err : (ssize_t)len;
}

const struct file_operations proc_clear_refs_operations = { .write_iter = clear_refs_write, .llseek = noop_llseek };
