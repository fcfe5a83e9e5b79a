/*
 * mm_types.h: struct page, vm_area_struct and mm_struct: a page frame, a range of an address space, an address space.
 *
 * Idea:    mm_struct lives as long as mm_count, its contents as long as mm_users.  All users together hold one mm_count;
 *          each kernel thread that borrows the page tables (active_mm) holds one more.  So a borrower keeps the pgd alive,
 *          never the user pages: at mm_users 0 the LDT, the areas and the user page tables go (__mmput), at mm_count 0 the
 *          structure and its pgd (__mmdrop).
 * Locking: mm->mmap_lock (rw_semaphore) guards the tree of areas and their fields; a page-table page's own spin lock
 *          (ptlock, page->ptl) guards its entries; mm->page_table_lock guards the making of page-table pages.
 *          Order: mmap_lock -> i_mmap_lock -> anon_vma lock -> page lock -> ptl -> lru/zone locks.
 * See:     spec.md §5, §6; doc/address-spaces.md
 */
#ifndef WEFT_MM_TYPES_H
#define WEFT_MM_TYPES_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/refcount.h>
#include <weft/list.h>
#include <weft/llist.h>
#include <weft/rbtree.h>
#include <weft/spinlock.h>
#include <weft/rwsem.h>
#include <weft/cpumask.h>
#include <weft/rcu.h>
#include <asm/page.h>

struct user_namespace;
struct address_space;
struct kmem_cache;
struct file;
struct vm_fault;
struct linux_binfmt;
struct anon_vma;
struct mempolicy;
struct mem_cgroup;

/*
 * A page frame.  64 bytes; what the middle words mean depends on who owns the page, which the flags tell.
 * _refcount: 0 free, otherwise the number of holders (page tables, page cache, get_page).
 * _mapcount: page-table entries that map it, minus one.
 */
struct page {
	unsigned long flags;			/* [a] PG_* and, in the top bits, zone and node */
	union {
		struct {			/* page cache and anonymous pages */
			struct list_head lru;	/* LRU, or the owner's list [lru lock] */
			struct address_space *mapping;	/* file; low bit set: struct anon_vma [page lock] */
			pgoff_t index;		/* in pages within the mapping [page lock] */
			unsigned long private;	/* buffers, swap entry; buddy: order [zone lock] */
			struct mem_cgroup *memcg;	/* whose charge it is; NULL: nobody's (memcontrol.h) */
		};
		struct {			/* a page of a slab (mm/slab.c) [cache node lock, or frozen by a CPU] */
			struct list_head slab_list;
			struct kmem_cache *slab_cache;
			void *freelist;
			u16 inuse;	/* objects handed out, those on lists of CPUs among them */
			u16 objects;
		};
		struct {			/* a page table */
			struct list_head pt_pad;
			struct mm_struct *pt_mm;
			spinlock_t ptl;		/* class: ptl; guards the entries in this page */
		};
		struct {			/* tail pages of a compound page */
			unsigned long compound_pad[3];
			unsigned int compound_order;	/* first tail page only */
			struct page *compound_head;
		};
		struct rcu_head rcu;
	};
	atomic_t _mapcount;			/* [a] */
	atomic_t _refcount;			/* [a] */
} __aligned(64);

/* One range of an address space with one set of rights and one backing.  Fields under mm->mmap_lock. */
/* What swap's read-ahead has learnt about an area or a file; hints, changed without a lock. */
struct swap_readahead {
	u16	last_page;		/* of the last fault that had to read, low bits */
	u8	window;			/* slots read then */
	u8	hits;			/* pages read ahead that were used since */
};

struct vm_area_struct {
	unsigned long		vm_start;	/* first byte */
	unsigned long		vm_end;		/* first byte behind */
	struct mm_struct	*vm_mm;		/* [I] */
	pgprot_t		vm_page_prot;
	unsigned long		vm_flags;	/* VM_* in mm.h */
	struct rb_node		vm_rb;		/* in mm->mm_rb, by address */
	unsigned long		rb_subtree_gap;	/* largest hole below an area of this subtree */
	struct list_head	vm_list;	/* in mm->mmap, by address */
	pgoff_t			vm_pgoff;	/* in the file, pages */
	struct file		*vm_file;	/* a reference, or NULL for anonymous memory */
	void			*vm_private_data;
	const struct vm_operations_struct *vm_ops;
	/* in file->f_mapping->i_mmap, an interval tree by page offset [i_mmap_lock] */
	struct {
		struct rb_node	rb;
		pgoff_t		rb_subtree_last;
	} shared;
	/* in mm->anon_vma->areas, by page offset, once vm_has_anon [anon_vma lock] */
	struct {
		struct rb_node	rb;
		pgoff_t		rb_subtree_last;
	} anon_shared;
	bool			vm_has_anon;	/* [anon_vma lock, read without] a private page was put here once: fork must
						 * copy, and reclaim finds the area; cleared when it leaves the tree */
	struct swap_readahead	swap_ra;
	struct mempolicy	*vm_policy;
	struct userfaultfd_ctx	*vm_uffd;	/* [mmap_lock] who handles its faults; set while a VM_UFFD_ flag is */
};

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

/* What the processor keeps for an address space. */
typedef struct {
	u64		ctx_id;			/* [I] never reused: tells two mms at one address apart */
	atomic64_t	tlb_gen;		/* [a] +1 for each change that a TLB must see */
	struct ldt_struct *ldt;			/* [r:lock] freed in __mmput by destroy_context_ldt() */
	struct mutex	*lock_unused;
	unsigned long	vdso;			/* user address of the vDSO */
	bool		ia32;			/* runs 32-bit code */
} mm_context_t;

struct mm_struct {
	/* Tree of areas [mmap_lock] */
	struct rb_root		mm_rb;
	struct list_head	mmap;		/* all areas in address order */
	int			map_count;
	struct rw_semaphore	mmap_lock;	/* class: mmap_lock */

	pgd_t			*pgd;		/* [I] */
	struct user_namespace	*user_ns;	/* [I] + reference: who may look in although it is not dumpable */
	refcount_t		mm_users;	/* tasks that use the user part + mmget; may sleep in mmput */
	refcount_t		mm_count;	/* holders of the structure: all users one, each active_mm one, mmgrab */
	atomic_long_t		pgtables_bytes;	/* [a] */
	spinlock_t		page_table_lock;	/* class: page_table: making a page-table page visible */

	/* Layout, as [000] and [001] draw it [mmap_lock; written once by execve] */
	unsigned long		mmap_base;	/* mmap grows down from here */
	unsigned long		mmap_legacy_base;
	unsigned long		task_size;
	unsigned long		start_code, end_code, start_data, end_data;
	unsigned long		start_brk, brk, start_stack;
	unsigned long		arg_start, arg_end, env_start, env_end;
	unsigned long		saved_auxv[52];
	struct file		*exe_file;	/* [r:mmap_lock] */

	struct list_head	aio_contexts;	/* kernel/fs/aio.c [aio_lock] */

	/* Pages by kind [mmap_lock], rss [a] */
	unsigned long		total_vm, locked_vm, pinned_vm, data_vm, exec_vm, stack_vm;
	unsigned long		hiwater_rss, hiwater_vm;
	unsigned long		def_flags;	/* mlockall(MCL_FUTURE) */
	atomic_long_t		rss_stat[NR_MM_COUNTERS];

	mm_context_t		context;
	cpumask_t		cpu_bitmap;	/* [a] CPUs that may hold translations of this mm */
	atomic_t		membarrier_state;
	struct list_head	spare_tables;	/* [page_table_lock] a page of entries for each huge mapping, if it is split */
	struct list_head	huge_list;	/* [khugepaged's lock] mms whose memory it looks through: khugepaged.c */
	struct list_head	mmlist;		/* [mmlist_lock] all mms that may have swap entries: swap_unuse.c */
	struct anon_vma		*anon_vma;	/* [I] the family: this mm, whom it was forked from, whom it forked; rmap.h */
	struct task_struct	*owner;		/* [r:task_lock] whose death charges whom */
	unsigned long		flags;		/* [a] MMF_*: dumpable bits */
	atomic_t		tlb_flush_pending;
	struct linux_binfmt	*binfmt;
	void			*uprobes_unused;
	struct llist_node	async_put;	/* in mmput_async()'s list */
	struct rcu_head		rcu;
};

extern struct mm_struct init_mm;		/* the kernel's own: pgd is swapper_pg_dir */

typedef unsigned int vm_fault_t;
#define VM_FAULT_OOM		0x0001u
#define VM_FAULT_SIGBUS		0x0002u
#define VM_FAULT_MAJOR		0x0004u
#define VM_FAULT_SIGSEGV	0x0040u
#define VM_FAULT_NOPAGE		0x0100u		/* the handler wrote the entry itself */
#define VM_FAULT_LOCKED		0x0200u		/* vmf->page is returned locked */
#define VM_FAULT_RETRY		0x0400u		/* mmap_lock was dropped */
#define VM_FAULT_ERROR		(VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)

/* One fault on its way through handle_mm_fault(). */
struct vm_fault {
	struct vm_area_struct	*vma;
	unsigned long		address;	/* page aligned */
	unsigned long		real_address;
	unsigned int		flags;		/* FAULT_FLAG_* in mm.h */
	pgoff_t			pgoff;		/* page offset in the file */
	pmd_t			*pmd;
	pte_t			*pte;		/* mapped and locked by ptl, when set */
	pte_t			orig_pte;
	spinlock_t		*ptl;
	struct page		*page;		/* the handler's answer, with a reference */
	struct page		*cow_page;
};

struct vm_operations_struct {
	void (*open)(struct vm_area_struct *vma);
	void (*close)(struct vm_area_struct *vma);
	int (*may_split)(struct vm_area_struct *vma, unsigned long addr);
	vm_fault_t (*fault)(struct vm_fault *vmf);		/* may sleep, mmap_lock held for reading */
	void (*map_pages)(struct vm_fault *vmf, pgoff_t start, pgoff_t end);	/* fault-around: cached pages only */
	vm_fault_t (*page_mkwrite)(struct vm_fault *vmf);
	const char *(*name)(struct vm_area_struct *vma);	/* "[vdso]" in /proc/PID/maps */
};

#endif
