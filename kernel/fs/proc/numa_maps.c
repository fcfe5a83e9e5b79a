/*
 * numa_maps.c: /proc/PID/numa_maps: for each area its memory policy, and on which nodes its pages lie.
 *
 * Idea:    one line for an area: the policy by its name, then what a walk over its page tables counts: anonymous, dirty,
 *          mapped and active pages, and N0=…, N1=… for where they lie.
 * Locking: mmap_lock for reading (task_mmu.c), ptl per table.
 * See:     man 7 numa; smaps.c, which walks in the same way; kernel/mm/mempolicy.c
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/mempolicy.h>
#include <weft/minmax.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include "internal.h"
#include "task_mmu.h"

/* Pages. */
struct numa_counts {
	unsigned long	pages, anon, dirty, active, writeback, swapcache, node[MAX_NUMNODES];
	int		mapcount_max;
};

static int count_table(struct vm_area_struct *vma, pte_t *pte, unsigned long addr, unsigned long end, void *arg)
{
	struct numa_counts *c = arg;

	for (; pte && addr < end; addr += PAGE_SIZE, pte++) {
		struct page *page = pte_present(*pte) ? vm_normal_page(vma, addr, *pte) : NULL;

		if (!page || PageReserved(page))
			continue;
		c->pages++;
		c->anon += !!PageAnon(page);
		c->dirty += pte_dirty(*pte) || PageDirty(page);
		c->active += !!PageActive(page);
		c->writeback += !!PageWriteback(page);
		c->swapcache += !!PageSwapCache(page);
		c->mapcount_max = max(c->mapcount_max, page_mapcount(page));
		c->node[page_to_nid(page)]++;
	}
	return 0;
}

static void show_name(struct seq_file *m, const struct vm_area_struct *vma)
{
	const struct mm_struct *mm = vma->vm_mm;

	if (vma->vm_file) {
		seq_puts(m, " file=");
		seq_file_path(m, vma->vm_file, "\n\t= ");
	} else if (vma->vm_start <= mm->brk && vma->vm_end >= mm->start_brk) {
		seq_puts(m, " heap");
	} else if (vma->vm_start <= mm->start_stack && vma->vm_end >= mm->start_stack) {
		seq_puts(m, " stack");
	}
}

static void show_count(struct seq_file *m, const char *name, unsigned long n)
{
	if (n)
		seq_printf(m, " %s=%lu", name, n);
}

static void show_counts(struct seq_file *m, const struct numa_counts *c)
{
	int nid;

	show_count(m, "anon", c->anon);
	show_count(m, "dirty", c->dirty);
	if (c->pages != c->anon && c->pages != c->dirty)
		show_count(m, "mapped", c->pages);
	if (c->mapcount_max > 1)
		seq_printf(m, " mapmax=%d", c->mapcount_max);
	show_count(m, "swapcache", c->swapcache);
	if (c->active < c->pages)
		seq_printf(m, " active=%lu", c->active);
	show_count(m, "writeback", c->writeback);
	for_each_online_node(nid)
		if (c->node[nid])
			seq_printf(m, " N%d=%lu", nid, c->node[nid]);
	seq_printf(m, " kernelpagesize_kB=%lu", PAGE_SIZE >> 10);
}

/* The area's policy, or that of whoever owns the memory (any of its threads: they may differ). */
static void show_policy(struct seq_file *m, const struct vm_area_struct *vma, struct task_struct *task)
{
	struct mempolicy *pol = mpol_get(vma->vm_policy);

	if (!pol && task) {
		task_lock(task);
		pol = mpol_get(task->mempolicy);
		task_unlock(task);
	}
	mpol_show(m, pol);
	mpol_put(pol);
}

static int numa_maps_show(struct seq_file *m, void *v)
{
	struct task_struct *task = get_proc_task(file_inode(m->file));
	struct vm_area_struct *vma = v;
	struct numa_counts c = { };

	walk_area(vma, vma->vm_start, vma->vm_end, count_table, &c);
	seq_printf(m, "%08lx ", vma->vm_start);
	show_policy(m, vma, task);
	show_name(m, vma);
	if (c.pages)
		show_counts(m, &c);
	seq_putc(m, '\n');
	if (task)
		put_task_struct(task);
	return 0;
}

static const struct seq_operations numa_maps_op = {
	.start = maps_start, .next = maps_next, .stop = maps_stop, .show = numa_maps_show,
};

static int numa_maps_open(struct inode *inode, struct file *file)
{
	return proc_maps_open(inode, file, &numa_maps_op);
}

const struct file_operations proc_pid_numa_maps_operations = {
	.open = numa_maps_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = proc_maps_release,
};
