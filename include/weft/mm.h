/*
 * mm.h: what the memory manager shows to the rest of the kernel: references to pages and address spaces, areas and
 * their flags, faults, mapping and unmapping.  Allocation of pages is in gfp.h, of objects in slab.h.
 *
 * Counts:  page: get_page/put_page (put never sleeps).  mm_struct: mmget/mmput hold the contents (mmput may sleep),
 *          mmgrab/mmdrop hold the structure and its pgd (never sleep).
 * See:     spec.md §5; doc/address-spaces.md
 */
#ifndef WEFT_MM_H
#define WEFT_MM_H

#include <weft/types.h>
#include <weft/errno.h>
#include <weft/bug.h>
#include <weft/mm_types.h>
#include <weft/mmap_lock.h>
#include <weft/gfp.h>
#include <weft/page-flags.h>
#include <weft/page_ref.h>
#include <weft/atomic.h>
#include <weft/err.h>
#include <asm/page.h>
#include <asm/pgtable.h>

struct task_struct;
struct file;
struct inode;
struct address_space;
struct rlimit64;
struct pt_regs;

/* ---- vma->vm_flags: what is true of the area when the bit is set; values as in /proc/PID/smaps' reading tools ---- */
#define VM_NONE		0x00000000
#define VM_READ		0x00000001	/* may be read now ... */
#define VM_WRITE	0x00000002
#define VM_EXEC		0x00000004
#define VM_SHARED	0x00000008	/* writes reach the object behind it */
#define VM_MAYREAD	0x00000010	/* mprotect may turn VM_READ on ... */
#define VM_MAYWRITE	0x00000020
#define VM_MAYEXEC	0x00000040
#define VM_MAYSHARE	0x00000080	/* was asked for as MAP_SHARED */
#define VM_GROWSDOWN	0x00000100	/* a fault just below extends it */
#define VM_UFFD_MISSING	0x00000200	/* a program is told of pages that are not there ... */
#define VM_PFNMAP	0x00000400	/* bare frame numbers without struct page behind */
#define VM_UFFD_WP	0x00001000	/* ... and of writes to pages that it protected: userfaultfd.h */
#define VM_LOCKED	0x00002000	/* never taken away by reclaim */
#define VM_IO		0x00004000	/* a device: no get_user_pages, no dump */
#define VM_SEQ_READ	0x00008000
#define VM_RAND_READ	0x00010000
#define VM_DONTCOPY	0x00020000	/* fork leaves it out */
#define VM_DONTEXPAND	0x00040000	/* mremap may not make it longer, nor may it merge */
#define VM_LOCKONFAULT	0x00080000	/* VM_LOCKED, but not populated at once */
#define VM_ACCOUNT	0x00100000	/* its pages are promised: vm_committed_as */
#define VM_NORESERVE	0x00200000	/* its pages were not to be promised */
#define VM_WIPEONFORK	0x02000000	/* the child sees zeroes */
#define VM_DONTDUMP	0x04000000
#define VM_SOFTDIRTY	0x08000000
#define VM_MIXEDMAP	0x10000000	/* some entries have a struct page, some not */
#define VM_HUGEPAGE	0x20000000
#define VM_NOHUGEPAGE	0x40000000
#define VM_MERGEABLE	0x80000000

#define VM_ACCESS_FLAGS	(VM_READ | VM_WRITE | VM_EXEC)
#define VM_SPECIAL	(VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define VM_UFFD_FLAGS	(VM_UFFD_MISSING | VM_UFFD_WP)
#define VM_LOCKED_MASK	(VM_LOCKED | VM_LOCKONFAULT)
#define VM_STACK_FLAGS	(VM_GROWSDOWN | VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT)
#define VM_DATA_FLAGS_TSK_EXEC	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)
/* While execve shifts the half-made stack, it must not be found by others nor merge. */
#define VM_STACK_INCOMPLETE_SETUP	(VM_RAND_READ | VM_SEQ_READ)

/* ---- vm_fault.flags ---- */
#define FAULT_FLAG_WRITE		0x001	/* the access was a write */
#define FAULT_FLAG_ALLOW_RETRY		0x004	/* the handler may drop mmap_lock and answer VM_FAULT_RETRY */
#define FAULT_FLAG_RETRY_NOWAIT		0x008
#define FAULT_FLAG_KILLABLE		0x010	/* waiting ends when the task is killed */
#define FAULT_FLAG_TRIED		0x020	/* second round after VM_FAULT_RETRY */
#define FAULT_FLAG_USER			0x040	/* from user mode */
#define FAULT_FLAG_REMOTE		0x080	/* on behalf of another mm (ptrace, process_vm_*) */
#define FAULT_FLAG_INSTRUCTION		0x100
#define FAULT_FLAG_DEFAULT		(FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE)

/* ---- get_user_pages() ---- */
#define FOLL_WRITE	0x01	/* the pages will be written: copy on write first */
#define FOLL_DUMP	0x08	/* -EFAULT rather than a page of zeros for memory that nobody has touched */
#define FOLL_FORCE	0x10	/* as a debugger: against the area's rights, but never through a shared mapping */
#define FOLL_NOFAULT	0x40

#define DEFAULT_MAX_MAP_COUNT	65530
extern int sysctl_max_map_count;
extern unsigned long mmap_min_addr;
extern unsigned long stack_guard_gap;		/* bytes kept free below a VM_GROWSDOWN area */

/* ---- mm->flags: bits 0-1 say how far a dump may go, see prctl(PR_SET_DUMPABLE) ---- */
#define MMF_DUMPABLE_MASK	0x3ul
#define MMF_DUMP_FILTER_SHIFT	2	/* then what goes into a core file: /proc/PID/coredump_filter, core(5) */
#define MMF_DUMP_ANON_PRIVATE	2
#define MMF_DUMP_ANON_SHARED	3
#define MMF_DUMP_MAPPED_PRIVATE	4
#define MMF_DUMP_MAPPED_SHARED	5
#define MMF_DUMP_ELF_HEADERS	6
#define MMF_DUMP_FILTER_MASK	(0x1fful << MMF_DUMP_FILTER_SHIFT)
#define MMF_DUMP_FILTER_DEFAULT	(0x33ul << MMF_DUMP_FILTER_SHIFT)
#define MMF_DISABLE_THP		24	/* prctl(PR_SET_THP_DISABLE): no huge pages here */
#define MMF_DISABLE_THP_MASK	(1UL << MMF_DISABLE_THP)
#define MMF_OOM_SKIP		21	/* the OOM killer has nothing more to expect here */
#define MMF_INIT_MASK		(MMF_DUMPABLE_MASK | MMF_DUMP_FILTER_MASK | MMF_DISABLE_THP_MASK)

/* ---- pages ---- */
static inline struct page *virt_to_head_page(const void *p) { return compound_head(virt_to_page(p)); }
static __always_inline void *page_address(const struct page *page) { return __va(page_to_pfn(page) << PAGE_SHIFT); }
#define lowmem_page_address(page)	page_address(page)

void __put_page(struct page *page);		/* page_alloc.c: the last reference has gone */

static __always_inline void get_page(struct page *page)
{
	page_ref_inc(compound_head(page));
}
static __always_inline void put_page(struct page *page)
{
	page = compound_head(page);
	if (page_ref_dec_and_test(page))
		__put_page(page);
}
/* Page-table entries that map the page. */
static inline int page_mapcount(const struct page *page) { return atomic_read(&page->_mapcount) + 1; }
static inline bool page_mapped(const struct page *page) { return atomic_read(&page->_mapcount) >= 0; }
static inline void page_mapcount_reset(struct page *page) { atomic_set(&page->_mapcount, -1); }

/* The page that backs every untouched anonymous page that was only read. */
extern unsigned long empty_zero_page[PAGE_SIZE / sizeof(unsigned long)];
extern unsigned long zero_pfn;
static inline bool is_zero_pfn(unsigned long pfn) { return pfn == zero_pfn; }
#define my_zero_pfn(addr)	zero_pfn
#define ZERO_PAGE(addr)		pfn_to_page(zero_pfn)

#define offset_in_page(p)	((unsigned long)(p) & ~PAGE_MASK)

/* ---- address spaces: mm_init.c ---- */
struct mm_struct *mm_alloc(void);		/* empty, mm_users = mm_count = 1; NULL when out of memory.  May sleep */
struct mm_struct *dup_mm(struct task_struct *tsk, struct mm_struct *oldmm);	/* fork's copy, or NULL */
void mmput(struct mm_struct *mm);		/* may sleep */
void mmput_async(struct mm_struct *mm);		/* any context: the end is left to a kworker */
void __mmdrop(struct mm_struct *mm);
struct mm_struct *get_task_mm(struct task_struct *task);	/* + mm_users, NULL for a kernel thread or an exited task */
/* The same, after asking whether `mode` (PTRACE_MODE_*) is allowed.  NULL or ERR_PTR(-EACCES). */
struct mm_struct *mm_access(struct task_struct *task, unsigned int mode);
bool mmget_not_zero(struct mm_struct *mm);
void mmget(struct mm_struct *mm);
void mmgrab(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);
static inline void mmdrop_sched(struct mm_struct *mm) { mmdrop(mm); }
int set_mm_exe_file(struct mm_struct *mm, struct file *new_exe_file);
struct file *get_mm_exe_file(struct mm_struct *mm);	/* + reference, or NULL */
struct file *get_task_exe_file(struct task_struct *task);
void mm_cache_init(void);			/* slab caches of mm_struct and vm_area_struct */
void exit_mmap(struct mm_struct *mm);

/* Resident pages by kind. */
static inline void add_mm_counter(struct mm_struct *mm, int member, long value)
{
	atomic_long_add(value, &mm->rss_stat[member]);
}
static inline void inc_mm_counter(struct mm_struct *mm, int member) { atomic_long_inc(&mm->rss_stat[member]); }
static inline void dec_mm_counter(struct mm_struct *mm, int member) { atomic_long_dec(&mm->rss_stat[member]); }
static inline unsigned long get_mm_counter(struct mm_struct *mm, int member)
{
	long val = atomic_long_read(&mm->rss_stat[member]);

	return val < 0 ? 0 : val;
}
static inline unsigned long get_mm_rss(struct mm_struct *mm)
{
	return get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_ANONPAGES) + get_mm_counter(mm, MM_SHMEMPAGES);
}
static inline int mm_counter_file(const struct page *page)
{
	return PageSwapBacked(page) ? MM_SHMEMPAGES : MM_FILEPAGES;
}
static inline int mm_counter(const struct page *page)
{
	return PageAnon(page) ? MM_ANONPAGES : mm_counter_file(page);
}
static inline unsigned long get_mm_hiwater_rss(struct mm_struct *mm)
{
	unsigned long rss = get_mm_rss(mm);

	return mm->hiwater_rss > rss ? mm->hiwater_rss : rss;
}
static inline unsigned long get_mm_hiwater_vm(struct mm_struct *mm)
{
	return mm->hiwater_vm > mm->total_vm ? mm->hiwater_vm : mm->total_vm;
}
static inline void update_hiwater_rss(struct mm_struct *mm) { mm->hiwater_rss = get_mm_hiwater_rss(mm); }
static inline void update_hiwater_vm(struct mm_struct *mm) { mm->hiwater_vm = get_mm_hiwater_vm(mm); }
static inline void setmax_mm_hiwater_rss(unsigned long *maxrss, struct mm_struct *mm)
{
	unsigned long rss = get_mm_hiwater_rss(mm);

	if (*maxrss < rss)
		*maxrss = rss;
}
static inline unsigned long mm_pgtables_bytes(const struct mm_struct *mm)
{
	return atomic_long_read(&mm->pgtables_bytes);
}

/* ---- areas: vma.c.  mmap_lock held: for reading to look, for writing to change ---- */
struct vm_area_struct *vm_area_alloc(struct mm_struct *mm);	/* zeroed but for vm_mm; NULL when out of memory */
struct vm_area_struct *vm_area_dup(const struct vm_area_struct *orig);
void vm_area_free(struct vm_area_struct *vma);
struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr);	/* first area with vm_end > addr, or NULL */
struct vm_area_struct *find_vma_prev(struct mm_struct *mm, unsigned long addr, struct vm_area_struct **prev);
struct vm_area_struct *find_vma_intersection(struct mm_struct *mm, unsigned long start, unsigned long end);
static inline struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	return vma && vma->vm_start <= addr ? vma : NULL;
}
static inline struct vm_area_struct *vma_next(struct vm_area_struct *vma)
{
	return list_is_last(&vma->vm_list, &vma->vm_mm->mmap) ? NULL : list_next_entry(vma, vm_list);
}
static inline struct vm_area_struct *vma_prev(struct vm_area_struct *vma)
{
	return list_is_first(&vma->vm_list, &vma->vm_mm->mmap) ? NULL : list_prev_entry(vma, vm_list);
}
#define for_each_vma_of(mm, vma)	list_for_each_entry(vma, &(mm)->mmap, vm_list)
static inline bool vma_is_anonymous(const struct vm_area_struct *vma) { return !vma->vm_ops; }
static inline void vma_set_anonymous(struct vm_area_struct *vma) { vma->vm_ops = NULL; }
static inline unsigned long vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}
static inline bool is_cow_mapping(unsigned long flags) { return (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE; }
static inline pgoff_t linear_page_index(const struct vm_area_struct *vma, unsigned long addr)
{
	return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}
/* Where the area begins for those who look for room: a stack keeps its guard gap. */
static inline unsigned long vm_start_gap(const struct vm_area_struct *vma)
{
	unsigned long start = vma->vm_start;

	if (vma->vm_flags & VM_GROWSDOWN)
		start = start > stack_guard_gap ? start - stack_guard_gap : 0;
	return start;
}
int insert_vm_struct(struct mm_struct *mm, struct vm_area_struct *vma);	/* 0, or -ENOMEM: overlap or no promise */
int split_vma(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long addr, int new_below);
pgprot_t vm_get_page_prot(unsigned long vm_flags);
void vma_set_page_prot(struct vm_area_struct *vma);

/* ---- mmap.c ---- */
unsigned long do_mmap(struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
		      unsigned long flags, unsigned long pgoff, unsigned long *populate);	/* mmap_lock held for writing */
unsigned long vm_mmap_pgoff(struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
			    unsigned long flags, unsigned long pgoff);
unsigned long vm_mmap(struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
		      unsigned long flags, unsigned long offset);
int do_munmap(struct mm_struct *mm, unsigned long start, size_t len);	/* mmap_lock held for writing */
int vm_munmap(unsigned long start, size_t len);
int vm_brk_flags(unsigned long addr, unsigned long len, unsigned long flags);	/* anonymous memory for bss: VM_EXEC or 0 */
bool may_expand_vm(struct mm_struct *mm, unsigned long vm_flags, unsigned long npages);
void vm_stat_account(struct mm_struct *mm, unsigned long vm_flags, long npages);
int expand_stack(struct vm_area_struct *vma, unsigned long address);	/* mmap_lock held for writing */
/* Finds the area at addr and lets a stack grow to it; mmap_lock is held for reading and dropped when NULL is returned. */
struct vm_area_struct *lock_mm_and_find_vma(struct mm_struct *mm, unsigned long addr, bool user);
struct vm_special_mapping {
	const char	*name;			/* "[vdso]" */
	struct page	**pages;		/* [I] NULL-terminated, or NULL when ->fault is given */
	vm_fault_t	(*fault)(const struct vm_special_mapping *sm, struct vm_area_struct *vma, struct vm_fault *vmf);
	int		(*mremap)(const struct vm_special_mapping *sm, struct vm_area_struct *new_vma);
};
struct vm_area_struct *_install_special_mapping(struct mm_struct *mm, unsigned long addr, unsigned long len,
						unsigned long vm_flags, const struct vm_special_mapping *spec);
unsigned long get_unmapped_area(struct file *file, unsigned long addr, unsigned long len, unsigned long pgoff,
				unsigned long flags);	/* a free address, or -ENOMEM, -EINVAL, -EEXIST */
void arch_pick_mmap_layout(struct mm_struct *mm, const struct rlimit64 *rlim_stack);
int __mm_populate(unsigned long addr, unsigned long len, int ignore_errors);
static inline void mm_populate(unsigned long addr, unsigned long len) { (void)__mm_populate(addr, len, 1); }
int mprotect_fixup(struct vm_area_struct *vma, struct vm_area_struct **pprev, unsigned long start, unsigned long end,
		   unsigned long newflags);
unsigned long move_page_tables(struct vm_area_struct *vma, unsigned long old_addr, struct vm_area_struct *new_vma,
			       unsigned long new_addr, unsigned long len);
/* execve: moves the half-made stack [vma] down by shift bytes.  mmap_lock held for writing. */
int shift_arg_pages(struct vm_area_struct *vma, unsigned long shift);

/* ---- memory.c and its neighbours: faults and page tables ---- */
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags, struct pt_regs *regs);
int copy_page_range(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma);
void zap_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long size);
/* Takes pages [holebegin, +holelen) bytes of the file out of every address space; holelen 0: to the end of the file. */
void unmap_mapping_range(struct address_space *mapping, loff_t holebegin, loff_t holelen, int even_cows);
void unmap_mapping_pages(struct address_space *mapping, pgoff_t start, pgoff_t nr, bool even_cows);
struct page *vm_normal_page(struct vm_area_struct *vma, unsigned long addr, pte_t pte);
int remap_pfn_range(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn, unsigned long size, pgprot_t prot);
int vm_iomap_memory(struct vm_area_struct *vma, phys_addr_t start, unsigned long len);
int vm_insert_page(struct vm_area_struct *vma, unsigned long addr, struct page *page);
vm_fault_t vmf_insert_pfn(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn);
vm_fault_t vmf_insert_pfn_prot(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn, pgprot_t prot);
/* Bytes copied between buf and another task's memory; faults pages in.  May sleep. */
int access_process_vm(struct task_struct *tsk, unsigned long addr, void *buf, int len, unsigned int gup_flags);
int access_remote_vm(struct mm_struct *mm, unsigned long addr, void *buf, int len, unsigned int gup_flags);
long get_user_pages_remote(struct mm_struct *mm, unsigned long start, unsigned long nr_pages, unsigned int gup_flags,
			   struct page **pages, int *locked);
int do_madvise(struct mm_struct *mm, unsigned long start, size_t len_in, int behavior);
long get_user_pages(unsigned long start, unsigned long nr_pages, unsigned int gup_flags, struct page **pages);
long get_user_pages_unlocked(unsigned long start, unsigned long nr_pages, struct page **pages, unsigned int gup_flags);
int get_user_pages_fast(unsigned long start, int nr_pages, unsigned int gup_flags, struct page **pages);
int fixup_user_fault(struct mm_struct *mm, unsigned long address, unsigned int fault_flags, bool *unlocked);
size_t fault_in_writeable(char __user *uaddr, size_t size);	/* bytes that could not be reached */
size_t fault_in_readable(const char __user *uaddr, size_t size);
bool can_do_mlock(void);

/* Page-table pages.  Each makes the next level exist below its argument; 0/entry or -ENOMEM/NULL.  May sleep. */
int __pte_alloc(struct mm_struct *mm, pmd_t *pmd);
int __pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long address);
int __pud_alloc(struct mm_struct *mm, pgd_t *pgd, unsigned long address);
static inline pud_t *pud_alloc(struct mm_struct *mm, pgd_t *pgd, unsigned long address)
{
	return pgd_none(*pgd) && __pud_alloc(mm, pgd, address) ? NULL : pud_offset(pgd, address);
}
static inline pmd_t *pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long address)
{
	return pud_none(*pud) && __pmd_alloc(mm, pud, address) ? NULL : pmd_offset(pud, address);
}
static inline bool pte_alloc_failed(struct mm_struct *mm, pmd_t *pmd)
{
	return pmd_none(*pmd) && __pte_alloc(mm, pmd);
}
pmd_t *mm_find_pmd(struct mm_struct *mm, unsigned long addr);	/* NULL when no table of entries covers addr */
void mm_flush_tlb(struct mm_struct *mm);	/* no processor keeps a translation of mm that was changed before */
/* The lock of the page-table page that *pmd points to. */
static inline spinlock_t *pte_lockptr(struct mm_struct *mm, pmd_t *pmd) { return &pmd_page(*pmd)->ptl; }
#define pte_offset_map_lock(mm, pmd, address, ptlp)	\
({							\
	*(ptlp) = pte_lockptr(mm, pmd);			\
	spin_lock(*(ptlp));				\
	pte_offset_kernel(pmd, address);		\
})
#define pte_unmap_unlock(pte, ptl)	spin_unlock(ptl)

#endif
