/*
 * page_ref.h: page->_refcount: how many hold a page frame.  0 is free, and nobody but the page allocator leaves 0.
 *
 * Idea:    a look-up without locks finds a page in the page cache and only then takes a reference; by then the page may
 *          have been freed, or even be somebody else's.  get_page_unless_zero() fails in the first case; in the second
 *          the caller looks up again and, seeing another page, gives the reference back.  So put_page() must be able to
 *          free any kind of page, and the allocator must not assume that it holds the only reference.
 */
#ifndef WEFT_PAGE_REF_H
#define WEFT_PAGE_REF_H

#include <weft/atomic.h>
#include <weft/mm_types.h>

static __always_inline int page_ref_count(const struct page *page) { return atomic_read(&page->_refcount); }
#define page_count(page)	page_ref_count(compound_head(page))
static __always_inline void set_page_count(struct page *page, int v) { atomic_set(&page->_refcount, v); }
static __always_inline void init_page_count(struct page *page) { set_page_count(page, 1); }
static __always_inline void page_ref_add(struct page *page, int nr) { atomic_add(nr, &page->_refcount); }
static __always_inline void page_ref_sub(struct page *page, int nr) { atomic_sub(nr, &page->_refcount); }
static __always_inline void page_ref_inc(struct page *page) { atomic_inc(&page->_refcount); }
static __always_inline void page_ref_dec(struct page *page) { atomic_dec(&page->_refcount); }
static __always_inline int page_ref_dec_and_test(struct page *page) { return atomic_dec_and_test(&page->_refcount); }
static __always_inline int page_ref_sub_and_test(struct page *page, int nr)
{
	return atomic_sub_and_test(nr, &page->_refcount);
}
static __always_inline bool page_ref_add_unless(struct page *page, int nr, int u)
{
	return atomic_add_unless(&page->_refcount, nr, u);
}
/* Takes a reference unless there is none left: the page is free then, or about to be. */
static __always_inline bool get_page_unless_zero(struct page *page) { return page_ref_add_unless(page, 1, 0); }
static __always_inline bool try_get_page(struct page *page) { return page_ref_add_unless(page, 1, 0); }
static __always_inline int put_page_testzero(struct page *page) { return page_ref_dec_and_test(page); }
/*
 * Locks others out: succeeds only if exactly `count` references exist, and leaves none, so that no look-up can take a new
 * one until page_ref_unfreeze().
 */
static __always_inline bool page_ref_freeze(struct page *page, int count)
{
	return atomic_cmpxchg(&page->_refcount, count, 0) == count;
}
static __always_inline void page_ref_unfreeze(struct page *page, int count)
{
	atomic_set_release(&page->_refcount, count);
}

#endif
