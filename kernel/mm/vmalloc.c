/*
 * vmalloc.c: kernel memory that is contiguous in virtual addresses only: vmalloc(), vmap(), and room for ioremap().
 *
 * Idea:    an area is a range of addresses in a tree, followed by an unmapped page, so that running over its end faults.
 *          The lowest hole that fits is taken, which keeps the page tables below few: they are never freed.
 *          Freeing clears the entries and gives the pages back at once, but other processors may still hold translations.
 *          So the addresses stay taken until many are worth one flush (purge).
 *
 *          area:  in use --vfree()--> dead: unmapped, still in the tree --purge: TLBs flushed--> gone
 *
 * Locking: vmap_lock guards the tree, VM_DEAD and the hint; never taken in interrupts.  purge_lock: one purge at a time.
 *          init_mm.page_table_lock guards the making of page tables; entries belong to the area's owner.
 * Cost:    O(areas) for a search in the worst case; one area of the same size after another is found at once.
 * See:     spec.md §6 "vmalloc"; kernel/task/fork.c keeps kernel stacks in such areas
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/mutex.h>
#include <weft/preempt.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/vmalloc.h>
#include <weft/vmstat.h>
#include <weft/workqueue.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>

#define VM_DEAD		0x80000000UL	/* freed, waits for the purge */
#define LAZY_MAX_PAGES	1024

static DEFINE_SPINLOCK(vmap_lock);
static struct rb_root vmap_root = RB_ROOT;	/* [vmap_lock] struct vm_struct by address */
/* No hole below `below` fits a request of at least that size and alignment. [vmap_lock] */
static struct { unsigned long below, size, align; } no_hole = { VMALLOC_START, 0, 0 };

static DEFINE_MUTEX(purge_lock);
static LLIST_HEAD(dead_areas);
static atomic_long_t nr_dead_pages;
static LLIST_HEAD(deferred);			/* vfree() from contexts that must not take vmap_lock */

/* ---- page tables ---- */

/* Makes the table below *entry exist.  0 or -ENOMEM. */
static int make_table(unsigned long *entry)
{
	unsigned long table;

	if (likely(READ_ONCE(*entry)))
		return 0;
	table = get_zeroed_page(GFP_PGTABLE_KERNEL);
	if (!table)
		return -ENOMEM;
	spin_lock(&init_mm.page_table_lock);
	if (!*entry) {
		WRITE_ONCE(*entry, __pa(table) | _KERNPG_TABLE);
		table = 0;
	}
	spin_unlock(&init_mm.page_table_lock);
	free_page(table);
	return 0;
}

static pte_t *make_pte(unsigned long addr)
{
	pud_t *pud = pud_offset(pgd_offset_k(addr), addr);
	pmd_t *pmd;

	if (make_table(&pud->pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	return make_table(&pmd->pmd) ? NULL : pte_offset_kernel(pmd, addr);
}

static void unmap_range(unsigned long addr, unsigned long end)
{
	for (; addr < end; addr += PAGE_SIZE) {
		unsigned int level;
		pte_t *pte = lookup_address(addr, &level);

		if (pte && level == 1)
			set_pte(pte, __pte(0));
	}
}

static int map_pages(unsigned long addr, struct page **pages, unsigned int nr, pgprot_t prot)
{
	for (unsigned int i = 0; i < nr; i++) {
		pte_t *pte = make_pte(addr + i * PAGE_SIZE);

		if (!pte) {
			unmap_range(addr, addr + i * PAGE_SIZE);
			return -ENOMEM;
		}
		VM_BUG_ON(!pte_none(*pte));
		set_pte(pte, mk_pte(pages[i], prot));
	}
	return 0;
}

int ioremap_page_range(unsigned long addr, unsigned long end, phys_addr_t phys, pgprot_t prot)
{
	for (unsigned long a = addr; a < end; a += PAGE_SIZE, phys += PAGE_SIZE) {
		pte_t *pte = make_pte(a);

		if (!pte) {
			unmap_range(addr, a);
			return -ENOMEM;
		}
		set_pte(pte, pfn_pte(PFN_DOWN(phys), prot));
	}
	return 0;
}

struct page *vmalloc_to_page(const void *addr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)addr, &level);

	return pte && level == 1 && pte_present(*pte) ? pte_page(*pte) : NULL;
}

unsigned long vmalloc_to_pfn(const void *addr)
{
	return page_to_pfn(vmalloc_to_page(addr));
}

bool is_vmalloc_addr(const void *x)
{
	return (unsigned long)x >= VMALLOC_START && (unsigned long)x < VMALLOC_END;
}

/* ---- ranges of addresses ---- */

static unsigned long area_start(const struct vm_struct *area) { return (unsigned long)area->addr; }
static unsigned long area_end(const struct vm_struct *area) { return (unsigned long)area->addr + area->size; }

static struct vm_struct *rb_area(struct rb_node *node)
{
	return node ? rb_entry(node, struct vm_struct, rb) : NULL;
}

/* The lowest area that ends behind addr. */
static struct vm_struct *first_area_behind(unsigned long addr) __must_hold(&vmap_lock)
{
	struct rb_node *node = vmap_root.rb_node;
	struct vm_struct *best = NULL;

	while (node) {
		struct vm_struct *area = rb_area(node);

		if (area_end(area) > addr) {
			best = area;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/* The lowest aligned address of a hole of `size` bytes in [start, end), or 0. */
static unsigned long find_hole(unsigned long size, unsigned long align, unsigned long start, unsigned long end)
	__must_hold(&vmap_lock)
{
	bool whole_space = start == VMALLOC_START;
	struct vm_struct *area;
	unsigned long addr;

	if (whole_space && size >= no_hole.size && align >= no_hole.align)
		start = no_hole.below;
	addr = ALIGN(start, align);
	for (area = first_area_behind(addr); area && area_start(area) < addr + size; area = rb_area(rb_next(&area->rb)))
		addr = ALIGN(area_end(area), align);
	if (addr >= end || end - addr < size)
		return 0;
	if (whole_space) {
		no_hole.below = addr + size;
		no_hole.size = size;
		no_hole.align = align;
	}
	return addr;
}

static void insert_area(struct vm_struct *new) __must_hold(&vmap_lock)
{
	struct rb_node **link = &vmap_root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = area_start(new) < area_start(rb_area(parent)) ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->rb, parent, link);
	rb_insert_color(&new->rb, &vmap_root);
}

static void erase_area(struct vm_struct *area) __must_hold(&vmap_lock)
{
	struct vm_struct *prev = rb_area(rb_prev(&area->rb));

	no_hole.below = min(no_hole.below, prev ? area_end(prev) : VMALLOC_START);
	rb_erase(&area->rb, &vmap_root);
}

struct vm_struct *find_vm_area(const void *addr)
{
	struct vm_struct *area;

	spin_lock(&vmap_lock);
	area = first_area_behind((unsigned long)addr);
	if (area && (area_start(area) > (unsigned long)addr || (area->flags & VM_DEAD)))
		area = NULL;
	spin_unlock(&vmap_lock);
	return area;
}

static void purge_dead_areas(void)
{
	unsigned long start = ~0UL, end = 0, pages = 0;
	struct llist_node *list;
	struct vm_struct *area, *next;

	mutex_lock(&purge_lock);
	list = llist_del_all(&dead_areas);
	llist_for_each_entry(area, list, free_node) {
		start = min(start, area_start(area));
		end = max(end, area_end(area));
		pages += area->size >> PAGE_SHIFT;
	}
	if (list) {
		flush_tlb_kernel_range(start, end);
		atomic_long_sub((long)pages, &nr_dead_pages);
	}
	llist_for_each_entry_safe(area, next, list, free_node) {
		spin_lock(&vmap_lock);
		erase_area(area);
		spin_unlock(&vmap_lock);
		kfree(area);
	}
	mutex_unlock(&purge_lock);
}

static void purge_work_fn(struct work_struct *work) { purge_dead_areas(); }
static DECLARE_WORK(purge_work, purge_work_fn);

/* During start-up there are no workers yet; the next call does it. */
static void run_later(struct work_struct *work)
{
	if (likely(system_wq))
		schedule_work(work);
}

/* Room of `size` bytes and the guard page behind.  May sleep. */
static struct vm_struct *alloc_area(unsigned long size, unsigned long align, unsigned long start, unsigned long end,
				    unsigned long flags, gfp_t gfp, const void *caller)
{
	struct vm_struct *area;
	unsigned long addr;

	might_sleep();
	area = kzalloc(sizeof(*area), gfp & ~(__GFP_ZERO | __GFP_HIGHMEM | __GFP_COMP));
	if (!area)
		return NULL;
	area->size = size + PAGE_SIZE;
	area->flags = flags;
	area->caller = caller;
	for (bool purged = false; ; purged = true) {
		spin_lock(&vmap_lock);
		addr = find_hole(area->size, align, start, end);
		if (addr) {
			area->addr = (void *)addr;
			insert_area(area);
		}
		spin_unlock(&vmap_lock);
		if (addr)
			return area;
		if (purged)
			break;
		purge_dead_areas();
	}
	kfree(area);
	return NULL;
}

struct vm_struct *get_vm_area_caller(unsigned long size, unsigned long flags, const void *caller)
{
	return alloc_area(PAGE_ALIGN(size), PAGE_SIZE, VMALLOC_START, VMALLOC_END, flags, GFP_KERNEL, caller);
}

/* Nobody uses the area any more: no entries, and its addresses wait for the purge. */
static void kill_area(struct vm_struct *area)
{
	unsigned long pages = area->size >> PAGE_SHIFT;

	unmap_range(area_start(area), area_end(area) - PAGE_SIZE);
	llist_add(&area->free_node, &dead_areas);
	if (atomic_long_add_return((long)pages, &nr_dead_pages) > LAZY_MAX_PAGES)
		run_later(&purge_work);
}

void free_vm_area(struct vm_struct *area)
{
	spin_lock(&vmap_lock);
	area->flags |= VM_DEAD;
	spin_unlock(&vmap_lock);
	kill_area(area);
}

/* The live area that begins at addr, which from now on only the caller knows; NULL when there is none. */
static struct vm_struct *take_area(const void *addr)
{
	struct vm_struct *area;

	spin_lock(&vmap_lock);
	area = first_area_behind((unsigned long)addr);
	if (area && (area->addr != addr || (area->flags & VM_DEAD)))
		area = NULL;
	if (area)
		area->flags |= VM_DEAD;
	spin_unlock(&vmap_lock);
	return area;
}

struct vm_struct *remove_vm_area(const void *addr)
{
	struct vm_struct *area = take_area(addr);

	if (area)
		kill_area(area);
	return area;
}

/* ---- vmalloc ---- */

static void free_page_array(struct page **pages, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		__free_page(pages[i]);
	mod_node_state(NR_VMALLOC, -(long)nr);
	kvfree(pages);
}

/* area->pages, all or nothing. */
static int alloc_area_pages(struct vm_struct *area, gfp_t gfp)
{
	unsigned int nr = (unsigned int)((area->size - PAGE_SIZE) >> PAGE_SHIFT), got;
	struct page **pages = kvcalloc(nr, sizeof(*pages), gfp & ~(__GFP_ZERO | __GFP_HIGHMEM));

	if (!pages)
		return -ENOMEM;
	got = (unsigned int)alloc_pages_bulk_array(gfp, nr, pages);
	mod_node_state(NR_VMALLOC, (long)got);
	if (got < nr) {
		free_page_array(pages, got);
		return -ENOMEM;
	}
	area->pages = pages;
	area->nr_pages = nr;
	return 0;
}

void *__vmalloc_node_range(unsigned long size, unsigned long align, unsigned long start, unsigned long end, gfp_t gfp,
			   pgprot_t prot, unsigned long vm_flags, int node, const void *caller)
{
	struct vm_struct *area;

	size = PAGE_ALIGN(size);
	if (!size || size >> PAGE_SHIFT > totalram_pages())
		return NULL;
	area = alloc_area(size, max(align, PAGE_SIZE), start, end, VM_ALLOC | vm_flags, gfp, caller);
	if (!area)
		return NULL;
	if (alloc_area_pages(area, gfp))
		goto free_area;
	if (map_pages(area_start(area), area->pages, area->nr_pages, prot))
		goto free_pages;
	return area->addr;

free_pages:
	free_page_array(area->pages, area->nr_pages);
free_area:
	free_vm_area(area);
	return NULL;
}

static void *vmalloc_caller(unsigned long size, gfp_t gfp, unsigned long flags, const void *caller)
{
	return __vmalloc_node_range(size, PAGE_SIZE, VMALLOC_START, VMALLOC_END, gfp, PAGE_KERNEL, flags, NUMA_NO_NODE, caller);
}

void *vmalloc(unsigned long size) { return vmalloc_caller(size, GFP_KERNEL, 0, __builtin_return_address(0)); }
void *vzalloc(unsigned long size) { return vmalloc_caller(size, GFP_KERNEL | __GFP_ZERO, 0, __builtin_return_address(0)); }
void *__vmalloc(unsigned long size, gfp_t gfp) { return vmalloc_caller(size, gfp, 0, __builtin_return_address(0)); }
void *vmalloc_user(unsigned long size)
{
	return vmalloc_caller(size, GFP_KERNEL | __GFP_ZERO, VM_USERMAP, __builtin_return_address(0));
}

static void vfree_deferred(struct work_struct *work)
{
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, llist_del_all(&deferred))
		vfree(node);
}
static DECLARE_WORK(deferred_work, vfree_deferred);

/* The memory itself holds the link of the list. */
void vfree_atomic(const void *addr)
{
	if (!addr)
		return;
	llist_add((struct llist_node *)addr, &deferred);
	run_later(&deferred_work);
}

void vfree(const void *addr)
{
	struct vm_struct *area;
	struct page **pages;
	unsigned int nr;

	if (!addr)
		return;
	if (unlikely(in_interrupt() || irqs_disabled())) {
		vfree_atomic(addr);
		return;
	}
	area = take_area(addr);
	if (WARN(!area, "vfree: %px is not the start of an area\n", addr))
		return;
	pages = area->pages;
	nr = area->nr_pages;
	kill_area(area);
	if (pages)
		free_page_array(pages, nr);
}

void *vmap(struct page **pages, unsigned int count, unsigned long flags, pgprot_t prot)
{
	struct vm_struct *area;

	if (!count || count > totalram_pages())
		return NULL;
	area = get_vm_area_caller((unsigned long)count << PAGE_SHIFT, VM_MAP | flags, __builtin_return_address(0));
	if (!area)
		return NULL;
	if (map_pages(area_start(area), pages, count, prot)) {
		free_vm_area(area);
		return NULL;
	}
	return area->addr;
}

void vunmap(const void *addr)
{
	if (addr)
		WARN(!remove_vm_area(addr), "vunmap: %px is not the start of an area\n", addr);
}

int remap_vmalloc_range(struct vm_area_struct *vma, void *addr, unsigned long pgoff)
{
	struct vm_struct *area = find_vm_area(addr);
	unsigned long nr = vma_pages(vma);
	int err = 0;

	if (!area || !(area->flags & VM_USERMAP) || pgoff > area->nr_pages || nr > area->nr_pages - pgoff)
		return -EINVAL;
	/* VM_MIXEDMAP: no fault brings a page back, so fork copies the entries. */
	vma->vm_flags |= VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP;
	for (unsigned long i = 0; i < nr && !err; i++)
		err = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE, area->pages[pgoff + i]);
	return err;
}

unsigned long vmalloc_nr_pages(void) { return global_node_page_state(NR_VMALLOC); }

/* ---- /proc/vmallocinfo ---- */

static int vmallocinfo_show(struct seq_file *m, void *v)
{
	spin_lock(&vmap_lock);
	for (struct rb_node *node = rb_first(&vmap_root); node; node = rb_next(node)) {
		struct vm_struct *area = rb_area(node);

		seq_printf(m, "0x%016lx-0x%016lx %7lu %pS%s%s%s%s", area_start(area), area_end(area), area->size, area->caller,
			   area->flags & VM_IOREMAP ? " ioremap" : "", area->flags & VM_ALLOC ? " vmalloc" : "",
			   area->flags & VM_MAP ? " vmap" : "", area->flags & VM_DEAD ? " unpurged" : "");
		if (area->nr_pages)
			seq_printf(m, " pages=%u", area->nr_pages);
		if (area->phys_addr)
			seq_printf(m, " phys=%#llx", area->phys_addr);
		seq_putc(m, '\n');
	}
	spin_unlock(&vmap_lock);
	return 0;
}

static int __init vmalloc_proc_init(void)
{
	proc_create_single("vmallocinfo", 0400, NULL, vmallocinfo_show);
	return 0;
}
fs_initcall(vmalloc_proc_init);
