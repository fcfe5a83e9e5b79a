/*
 * smaps.c: /proc/PID/smaps and smaps_rollup: what each area really uses.
 *
 * Idea:    walks the page tables of an area and sorts each page: shared or private by the number of entries that map it,
 *          dirty or clean, anonymous or not.  "Pss" divides a shared page among those who map it; it is summed up in
 *          fractions of 2^-12 bytes, so that many thirds still make a whole.
 * Locking: mmap_lock for reading (task_mmu.c), ptl per table.
 * See:     man 5 proc, /proc/PID/smaps
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/minmax.h>
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/shmem_fs.h>
#include <weft/swap.h>
#include "internal.h"
#include "task_mmu.h"

#define PSS_SHIFT	12

/* Bytes; pss* in fractions. */
struct mem_size_stats {
	unsigned long	resident, shared_clean, shared_dirty, private_clean, private_dirty, referenced, anonymous;
	unsigned long	lazyfree, swap, anon_huge;
	u64		pss, pss_dirty, pss_anon, pss_file, pss_shmem, pss_locked, swap_pss;
};

static void smaps_page(struct mem_size_stats *mss, struct page *page, pte_t pte, bool locked)
{
	bool dirty = pte_dirty(pte) || PageDirty(page);
	int mapcount = max(page_mapcount(page), 1);
	u64 pss = ((u64)PAGE_SIZE << PSS_SHIFT) / mapcount;

	mss->resident += PAGE_SIZE;
	if (PageAnon(page)) {
		mss->anonymous += PAGE_SIZE;
		mss->lazyfree += PageSwapBacked(page) || dirty ? 0 : PAGE_SIZE;
		mss->pss_anon += pss;
	} else if (PageSwapBacked(page)) {
		mss->pss_shmem += pss;
	} else {
		mss->pss_file += pss;
	}
	if (pte_young(pte) || PageReferenced(page))
		mss->referenced += PAGE_SIZE;
	mss->pss += pss;
	if (dirty)
		mss->pss_dirty += pss;
	if (locked)
		mss->pss_locked += pss;
	if (mapcount > 1)
		*(dirty ? &mss->shared_dirty : &mss->shared_clean) += PAGE_SIZE;
	else
		*(dirty ? &mss->private_dirty : &mss->private_clean) += PAGE_SIZE;
}

static void smaps_swap(struct mem_size_stats *mss, pte_t pte)
{
	int count = max(swp_swapcount(pte_to_swp_entry(pte)), 1);

	mss->swap += PAGE_SIZE;
	mss->swap_pss += ((u64)PAGE_SIZE << PSS_SHIFT) / (u64)count;
}

static int smaps_table(struct vm_area_struct *vma, pte_t *pte, unsigned long addr, unsigned long end, void *arg)
{
	for (; pte && addr < end; addr += PAGE_SIZE, pte++) {
		struct page *page = pte_present(*pte) ? vm_normal_page(vma, addr, *pte) : NULL;

		if (page)
			smaps_page(arg, page, *pte, vma->vm_flags & VM_LOCKED);
		else if (is_swap_pte(*pte))
			smaps_swap(arg, *pte);
	}
	return 0;
}

static void gather(struct vm_area_struct *vma, struct mem_size_stats *mss)
{
	walk_area(vma, vma->vm_start, vma->vm_end, smaps_table, mss);
	mss->anon_huge += area_huge_bytes(vma);
	if (vma->vm_file && shmem_mapping(vma->vm_file->f_mapping))
		mss->swap += shmem_swap_usage(vma);
}

static void show_kb(struct seq_file *m, const char *name, unsigned long bytes)
{
	seq_printf(m, "%-16s%8lu kB\n", name, bytes >> 10);
}

static void show_stats(struct seq_file *m, const struct mem_size_stats *mss, bool rollup)
{
	show_kb(m, "Rss:", mss->resident);
	show_kb(m, "Pss:", mss->pss >> PSS_SHIFT);
	show_kb(m, "Pss_Dirty:", mss->pss_dirty >> PSS_SHIFT);
	if (rollup) {
		show_kb(m, "Pss_Anon:", mss->pss_anon >> PSS_SHIFT);
		show_kb(m, "Pss_File:", mss->pss_file >> PSS_SHIFT);
		show_kb(m, "Pss_Shmem:", mss->pss_shmem >> PSS_SHIFT);
	}
	show_kb(m, "Shared_Clean:", mss->shared_clean);
	show_kb(m, "Shared_Dirty:", mss->shared_dirty);
	show_kb(m, "Private_Clean:", mss->private_clean);
	show_kb(m, "Private_Dirty:", mss->private_dirty);
	show_kb(m, "Referenced:", mss->referenced);
	show_kb(m, "Anonymous:", mss->anonymous);
	show_kb(m, "LazyFree:", mss->lazyfree);
	show_kb(m, "AnonHugePages:", mss->anon_huge);
	show_kb(m, "ShmemPmdMapped:", 0);
	show_kb(m, "FilePmdMapped:", 0);
	show_kb(m, "Shared_Hugetlb:", 0);
	seq_puts(m, "Private_Hugetlb:       0 kB\n");
	show_kb(m, "Swap:", mss->swap);
	show_kb(m, "SwapPss:", mss->swap_pss >> PSS_SHIFT);
	show_kb(m, "Locked:", mss->pss_locked >> PSS_SHIFT);
}

static void show_flags(struct seq_file *m, unsigned long flags)
{
	static const struct { unsigned long flag; char name[3]; } names[] = {
		{ VM_READ, "rd" }, { VM_WRITE, "wr" }, { VM_EXEC, "ex" }, { VM_SHARED, "sh" }, { VM_MAYREAD, "mr" },
		{ VM_MAYWRITE, "mw" }, { VM_MAYEXEC, "me" }, { VM_MAYSHARE, "ms" }, { VM_GROWSDOWN, "gd" },
		{ VM_PFNMAP, "pf" }, { VM_LOCKED, "lo" }, { VM_IO, "io" }, { VM_SEQ_READ, "sr" }, { VM_RAND_READ, "rr" },
		{ VM_DONTCOPY, "dc" }, { VM_DONTEXPAND, "de" }, { VM_LOCKONFAULT, "lf" }, { VM_ACCOUNT, "ac" },
		{ VM_NORESERVE, "nr" }, { VM_WIPEONFORK, "wf" }, { VM_DONTDUMP, "dd" }, { VM_SOFTDIRTY, "sd" },
		{ VM_MIXEDMAP, "mm" }, { VM_HUGEPAGE, "hg" }, { VM_NOHUGEPAGE, "nh" }, { VM_MERGEABLE, "mg" },
	};

	seq_puts(m, "VmFlags: ");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			seq_printf(m, "%s ", names[i].name);
	seq_putc(m, '\n');
}

static int smaps_show(struct seq_file *m, void *v)
{
	struct mem_size_stats mss = { };
	struct vm_area_struct *vma = v;

	gather(vma, &mss);
	show_area(m, vma);
	show_kb(m, "Size:", vma->vm_end - vma->vm_start);
	show_kb(m, "KernelPageSize:", PAGE_SIZE);
	show_kb(m, "MMUPageSize:", PAGE_SIZE);
	show_stats(m, &mss, false);
	seq_printf(m, "THPeligible:    %d\n", vma->vm_end - ALIGN(vma->vm_start, PMD_SIZE) >= PMD_SIZE &&
		   ALIGN(vma->vm_start, PMD_SIZE) < vma->vm_end && area_may_be_huge(vma, false));
	show_flags(m, vma->vm_flags);
	return 0;
}

static const struct seq_operations smaps_op = {
	.start = maps_start, .next = maps_next, .stop = maps_stop, .show = smaps_show,
};

static int smaps_open(struct inode *inode, struct file *file)
{
	return proc_maps_open(inode, file, &smaps_op);
}

const struct file_operations proc_pid_smaps_operations = {
	.open = smaps_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = proc_maps_release,
};

/* ---- all areas together ---- */

static int rollup_show(struct seq_file *m, void *v)
{
	struct mem_size_stats mss = { };
	struct mm_struct *mm = m->private;
	struct vm_area_struct *vma;
	unsigned long start = 0, end = 0;

	if (!proc_mm_get_locked(mm))
		return -ESRCH;
	for_each_vma_of(mm, vma) {
		if (!end)
			start = vma->vm_start;
		end = vma->vm_end;
		gather(vma, &mss);
	}
	proc_mm_put_locked(mm);
	show_area_prefix(m, start, end, 0, 0, 0, 0);
	seq_pad(m, ' ');
	seq_puts(m, "[rollup]\n");
	show_stats(m, &mss, true);
	return 0;
}

static int rollup_open(struct inode *inode, struct file *file)
{
	struct mm_struct *mm = proc_mem_open(inode);
	int err;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	err = single_open(file, rollup_show, mm);
	if (err && mm)
		mmdrop(mm);
	return err;
}

static int rollup_release(struct inode *inode, struct file *file)
{
	struct mm_struct *mm = ((struct seq_file *)file->private_data)->private;

	if (mm)
		mmdrop(mm);
	return single_release(inode, file);
}

const struct file_operations proc_pid_smaps_rollup_operations = {
	.open = rollup_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = rollup_release,
};
