/*
 * gfp.h: asking for page frames and giving them back.
 *
 * What:    the __GFP_* words that say where from and how hard to try, and the functions of the page allocator.
 * Context: a request with __GFP_DIRECT_RECLAIM may sleep; without it (GFP_ATOMIC, GFP_NOWAIT) any context but NMI may ask.
 *          Freeing never sleeps and is allowed everywhere but in NMI.
 * Rules:   orders 0-3 with GFP_KERNEL try for ever, that is, until the OOM killer found nobody or the caller was itself
 *          killed; larger ones, and __GFP_NORETRY and __GFP_RETRY_MAYFAIL, may fail early.  Every caller checks for NULL.
 * See:     spec.md §6; kernel/mm/page_alloc.c
 */
#ifndef WEFT_GFP_H
#define WEFT_GFP_H

#include <asm/page.h>
#include <weft/log2.h>
#include <weft/types.h>
#include <weft/mmzone.h>

#define __GFP_DMA		((gfp_t)0x01)		/* there is no such zone: taken as DMA32 */
#define __GFP_HIGHMEM		((gfp_t)0x02)		/* all memory is in the direct map: no effect */
#define __GFP_DMA32		((gfp_t)0x04)		/* below 4 GiB */
#define __GFP_MOVABLE		((gfp_t)0x08)
#define __GFP_RECLAIMABLE	((gfp_t)0x10)
#define __GFP_HIGH		((gfp_t)0x20)		/* may go below the low watermark */
#define __GFP_IO		((gfp_t)0x40)		/* reclaim may start I/O */
#define __GFP_FS		((gfp_t)0x80)		/* reclaim may call into file systems */
#define __GFP_ZERO		((gfp_t)0x100)
#define __GFP_ATOMIC		((gfp_t)0x200)
#define __GFP_DIRECT_RECLAIM	((gfp_t)0x400)		/* may sleep */
#define __GFP_KSWAPD_RECLAIM	((gfp_t)0x800)
#define __GFP_WRITE		((gfp_t)0x1000)
#define __GFP_NOWARN		((gfp_t)0x2000)		/* no message when it fails */
#define __GFP_RETRY_MAYFAIL	((gfp_t)0x4000)		/* try hard, but rather fail than kill */
#define __GFP_NOFAIL		((gfp_t)0x8000)		/* the caller cannot go on without: never NULL */
#define __GFP_NORETRY		((gfp_t)0x10000)	/* one round of reclaim, then fail */
#define __GFP_MEMALLOC		((gfp_t)0x20000)	/* may use all reserves: it frees more than it takes */
#define __GFP_COMP		((gfp_t)0x40000)	/* order > 0: head and tail pages */
#define __GFP_NOMEMALLOC	((gfp_t)0x80000)
#define __GFP_HARDWALL		((gfp_t)0x100000)
#define __GFP_THISNODE		((gfp_t)0x200000)
#define __GFP_ACCOUNT		((gfp_t)0x400000)
#define __GFP_RECLAIM		(__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)

#define GFP_ATOMIC		(__GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL		(__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT		(__GFP_KSWAPD_RECLAIM)
#define GFP_NOIO		(__GFP_RECLAIM)
#define GFP_NOFS		(__GFP_RECLAIM | __GFP_IO)
#define GFP_USER		(GFP_KERNEL | __GFP_HARDWALL)
#define GFP_DMA			__GFP_DMA
#define GFP_DMA32		__GFP_DMA32
#define GFP_HIGHUSER		(GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE	(GFP_HIGHUSER | __GFP_MOVABLE)
#define GFP_TRANSHUGE_LIGHT	((GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC | __GFP_NOWARN) & ~__GFP_RECLAIM)

static inline bool gfpflags_allow_blocking(gfp_t gfp) { return !!(gfp & __GFP_DIRECT_RECLAIM); }

/* 2^order frames in one piece, or NULL.  The first has one reference. */
struct page *alloc_pages(gfp_t gfp, unsigned int order);
#define alloc_page(gfp)				alloc_pages(gfp, 0)
/*
 * From nid's zonelist, and only from the nodes of the mask (0: all).  alloc_pages() itself asks for the running processor's
 * node, or for what the task's memory policy says.
 */
struct page *alloc_pages_nodemask(gfp_t gfp, unsigned int order, int nid, nodemask_t nodes);
/* nid NUMA_NO_NODE: the running processor's.  __GFP_THISNODE: from nowhere else. */
struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order);
/* For the page at addr of an area: as its policy, or the task's, says.  mempolicy.c */
struct vm_area_struct;
struct page *alloc_pages_area(gfp_t gfp, unsigned int order, struct vm_area_struct *vma, unsigned long addr);
static __always_inline struct page *alloc_page_vma(gfp_t gfp, struct vm_area_struct *vma, unsigned long addr)
{
	return numa_enabled() ? alloc_pages_area(gfp, 0, vma, addr) : alloc_pages(gfp, 0);
}
/* Fills the NULL slots of array[0..nr) with single pages; returns how many slots are filled from the start. */
unsigned long alloc_pages_bulk_array(gfp_t gfp, unsigned long nr, struct page **array);

/* The same as an address in the direct map, or 0. */
/* The order of the smallest block of pages that holds size bytes. */
static inline unsigned int get_order(size_t size)
{
	return size <= PAGE_SIZE ? 0 : (unsigned int)ilog2(size - 1) + 1 - PAGE_SHIFT;
}
unsigned long __get_free_pages(gfp_t gfp, unsigned int order);
#define __get_free_page(gfp)	__get_free_pages(gfp, 0)
unsigned long get_zeroed_page(gfp_t gfp);
/* `size` bytes of whole pages without the rest of the power of two. */

/* Drops one reference; the last frees. */
void __free_pages(struct page *page, unsigned int order);
void free_pages(unsigned long addr, unsigned int order);
#define __free_page(page)	__free_pages(page, 0)
#define free_page(addr)		free_pages(addr, 0)
/* Frees a page whose references have all gone (count 0). */
void free_unref_page(struct page *page, unsigned int order);
void free_unref_pages(struct page **pages, unsigned int nr);	/* order 0 */
void split_page(struct page *page, unsigned int order);	/* one non-compound block becomes 2^order single pages */

void drain_local_pages(void);			/* this CPU's lists go back to the buddy system */
void drain_all_pages(void);			/* all CPUs' lists; may sleep */
void free_reserved_area(void *start, void *end, const char *what);	/* boot memory that is not needed any more */

/* oom_kill.c, vmscan.c: what the slow path does. */
unsigned long try_to_free_pages(unsigned int order, gfp_t gfp, nodemask_t nodes);	/* pages freed; may sleep */

#endif
