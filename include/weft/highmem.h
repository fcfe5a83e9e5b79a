/*
 * highmem.h: the contents of a page.  All memory is in the direct map, so "mapping" a page is computing its address.
 */
#ifndef WEFT_HIGHMEM_H
#define WEFT_HIGHMEM_H

#include <weft/mm.h>
#include <weft/string.h>
#include <weft/uaccess.h>

static inline void *kmap(struct page *page) { return page_address(page); }
static inline void kunmap(struct page *page) { }
static inline void *kmap_local_page(struct page *page) { return page_address(page); }
#define kmap_atomic(page)	kmap_local_page(page)
#define kunmap_local(addr)	((void)(addr))
#define kunmap_atomic(addr)	((void)(addr))

static inline void clear_highpage(struct page *page) { clear_page(page_address(page)); }
static inline void copy_highpage(struct page *to, struct page *from) { copy_page(page_address(to), page_address(from)); }
static inline void clear_user_highpage(struct page *page, unsigned long vaddr) { clear_page(page_address(page)); }
static inline void copy_user_highpage(struct page *to, struct page *from, unsigned long vaddr, struct vm_area_struct *vma)
{
	copy_page(page_address(to), page_address(from));
}
static inline struct page *alloc_zeroed_user_highpage_movable(struct vm_area_struct *vma, unsigned long vaddr)
{
	return alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_ZERO);
}
/* Bytes [start, end) of the page become 0. */
static inline void zero_user_segment(struct page *page, unsigned int start, unsigned int end)
{
	memset(page_address(page) + start, 0, end - start);
}
static inline void zero_user_segments(struct page *page, unsigned int start1, unsigned int end1, unsigned int start2,
				      unsigned int end2)
{
	if (end1 > start1)
		zero_user_segment(page, start1, end1);
	if (end2 > start2)
		zero_user_segment(page, start2, end2);
}
static inline void zero_user(struct page *page, unsigned int start, unsigned int size)
{
	zero_user_segment(page, start, start + size);
}
static inline void memcpy_from_page(char *to, struct page *page, size_t offset, size_t len)
{
	memcpy(to, page_address(page) + offset, len);
}
static inline void memcpy_to_page(struct page *page, size_t offset, const char *from, size_t len)
{
	memcpy(page_address(page) + offset, from, len);
}
#define flush_dcache_page(page)	do { } while (0)
#define flush_icache_page(vma, page) do { } while (0)

#endif
