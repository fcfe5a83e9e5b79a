/*
 * page-flags.h: the flags of a page frame: what is true of it when the bit is set.
 *
 * Names:   PageX(page) asks, SetPageX / ClearPageX are atomic, TestSetPageX / TestClearPageX give the old value; the
 *          __ forms are plain and only for pages that nobody else can see.
 * Idea:    the lowest bits are the flags; the top bits hold node and zone.  "What kind of page is it" (buddy, slab, table) is a
 *          flag as well, so a dump of memory explains itself.
 * See:     kernel/mm/page_alloc.c, filemap.c
 */
#ifndef WEFT_PAGE_FLAGS_H
#define WEFT_PAGE_FLAGS_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/bitops.h>
#include <weft/mm_types.h>

enum pageflags {
	PG_locked,		/* somebody fills, writes or removes it; others wait: lock_page() */
	PG_waiters,		/* somebody sleeps until PG_locked or PG_writeback is cleared */
	PG_referenced,		/* used since reclaim looked at it last */
	PG_uptodate,		/* the contents are those of the file */
	PG_dirty,		/* the contents must be written back */
	PG_writeback,		/* they are being written */
	PG_lru,			/* on the LRU list */
	PG_active,
	PG_error,		/* reading or writing it failed */
	PG_private,		/* page->private belongs to the file system (buffers): call its releasepage */
	PG_owner_priv_1,	/* free for the owner */
	PG_swapbacked,		/* anonymous or tmpfs: its home is swap, not a disk file */
	PG_unevictable,		/* its list is that of pages that must stay [lru_lock] */
	PG_mlocked,		/* because an area with VM_LOCKED maps it; counted in NR_MLOCK */
	PG_readahead,		/* reading it starts the next read-ahead */
	PG_reserved,		/* not memory, or the kernel's from boot: never given out */
	PG_buddy,		/* head of a free block of order page->private */
	PG_slab,		/* head of a slab */
	PG_table,		/* a page table */
	PG_head,		/* first page of a compound page */
	PG_tail,		/* another page of a compound page: page->compound_head is the first */
	PG_anon_exclusive,	/* anonymous, mapped by one process only */
	PG_swapcache,		/* in the swap cache: page->private is its swap entry [page lock] */
	NR_PAGEFLAGS
};

/* The top bits: node and zone, as zone_id() in mmzone.h makes them. */
#define ZONES_PGSHIFT		59
#define PAGE_FLAGS_ZONE_MASK	(~0UL << ZONES_PGSHIFT)
/* Which of its zone's sets of LRU lists the page goes to: the CPU that allocated it (mmzone.h LRU_SETS).  Next to the zone,
 * so that both together are one number. */
#define LRU_SET_PGSHIFT		55
/* page->memcg is set.  Below the set: so the bits from here up tell whose lists a page is on, unless this one is set, and
 * pages that are nobody's cost nothing more when they are freed. */
#define PG_memcg		54
#define LRUVECS_BY_FLAGS	(1UL << (64 - LRU_SET_PGSHIFT))
/* Flags that no page may have when it is freed: whoever set them is still at work. */
#define PAGE_FLAGS_CHECK_AT_FREE \
	(1UL << PG_locked | 1UL << PG_lru | 1UL << PG_writeback | 1UL << PG_reserved | 1UL << PG_buddy | \
	 1UL << PG_slab | 1UL << PG_table | 1UL << PG_private | 1UL << PG_tail | 1UL << PG_swapcache)

#define PAGE_FLAG_READ(uname, lname) \
static __always_inline int Page##uname(const struct page *page) \
{ return !!(READ_ONCE(page->flags) & (1UL << PG_##lname)); }
#define PAGE_FLAG_ATOMIC(uname, lname) \
static __always_inline void SetPage##uname(struct page *page) { set_bit(PG_##lname, &page->flags); } \
static __always_inline void ClearPage##uname(struct page *page) { clear_bit(PG_##lname, &page->flags); } \
static __always_inline int TestSetPage##uname(struct page *page) { return test_and_set_bit(PG_##lname, &page->flags); } \
static __always_inline int TestClearPage##uname(struct page *page) { return test_and_clear_bit(PG_##lname, &page->flags); }
#define PAGE_FLAG_PLAIN(uname, lname) \
static __always_inline void __SetPage##uname(struct page *page) { page->flags |= 1UL << PG_##lname; } \
static __always_inline void __ClearPage##uname(struct page *page) { page->flags &= ~(1UL << PG_##lname); }
#define PAGE_FLAG(uname, lname) \
	PAGE_FLAG_READ(uname, lname) PAGE_FLAG_ATOMIC(uname, lname) PAGE_FLAG_PLAIN(uname, lname)

PAGE_FLAG(Locked, locked)
PAGE_FLAG(Waiters, waiters)
PAGE_FLAG(Referenced, referenced)
PAGE_FLAG_READ(UptodateBit, uptodate)
PAGE_FLAG(Dirty, dirty)
PAGE_FLAG(Writeback, writeback)
PAGE_FLAG(LRU, lru)
PAGE_FLAG(Active, active)
PAGE_FLAG(Error, error)
PAGE_FLAG(Private, private)
PAGE_FLAG(Checked, owner_priv_1)
PAGE_FLAG(SwapBacked, swapbacked)
PAGE_FLAG(Unevictable, unevictable)
PAGE_FLAG(Mlocked, mlocked)
PAGE_FLAG(Readahead, readahead)
PAGE_FLAG(Reserved, reserved)
PAGE_FLAG(Buddy, buddy)
PAGE_FLAG(Slab, slab)
PAGE_FLAG(Table, table)
PAGE_FLAG(Head, head)
PAGE_FLAG(Tail, tail)
PAGE_FLAG(AnonExclusive, anon_exclusive)
PAGE_FLAG(SwapCache, swapcache)

/* The contents were written before the bit was set, and whoever sees the bit sees them. */
static __always_inline int PageUptodate(const struct page *page)
{
	int ret = PageUptodateBit(page);

	if (ret)
		barrier();			/* loads are not reordered with loads on x86 */
	return ret;
}
static __always_inline void SetPageUptodate(struct page *page)
{
	barrier();
	set_bit(PG_uptodate, &page->flags);
}
static __always_inline void __SetPageUptodate(struct page *page)
{
	barrier();
	page->flags |= 1UL << PG_uptodate;
}
static __always_inline void ClearPageUptodate(struct page *page) { clear_bit(PG_uptodate, &page->flags); }

/* Set while page->mapping is an anon_vma, or stands for "anonymous" alone. */
#define PAGE_MAPPING_ANON	0x1
static __always_inline int PageAnon(const struct page *page)
{
	return ((unsigned long)READ_ONCE(page->mapping) & PAGE_MAPPING_ANON) != 0;
}

/* The page that stands for the whole compound page; a page that is not part of one is its own head. */
static __always_inline struct page *__compound_head(const struct page *page)
{
	if (unlikely(PageTail(page)))
		return READ_ONCE(page->compound_head);
	return (struct page *)page;
}
#define compound_head(page)	__compound_head(page)
static __always_inline int PageCompound(const struct page *page)
{
	return !!(READ_ONCE(page->flags) & (1UL << PG_head | 1UL << PG_tail));
}
static __always_inline unsigned int compound_order(const struct page *page)
{
	return PageHead(page) ? page[1].compound_order : 0;
}
static inline unsigned long compound_nr(const struct page *page) { return 1UL << compound_order(page); }
static inline unsigned long page_size(const struct page *page) { return PAGE_SIZE << compound_order(page); }

static __always_inline unsigned long page_zone_id(const struct page *page) { return page->flags >> ZONES_PGSHIFT; }
#define page_zone(page)		(zone_table[page_zone_id(page)])
#define page_to_nid(page)	((int)(page_zone_id(page) / MAX_NR_ZONES))

#endif
