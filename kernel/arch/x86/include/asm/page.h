/*
 * page.h: the size of a page, where physical memory appears in the kernel's address space, and the way between a virtual
 * address, a frame number and its struct page.
 *
 * Layout:  PAGE_OFFSET    all of physical memory, mapped one to one (the direct map), never executable
 *          VMALLOC_START  what vmalloc(), ioremap() and kernel stacks use; always followed by a guard page
 *          VMEMMAP_START  struct page of frame n at index n; only parts whose frames exist are mapped
 *          __START_KERNEL_map + physical load address: the kernel image as it was linked
 * Cost:    pfn_to_page, page_to_pfn, __va, __pa: a few instructions without memory access.
 * See:     spec.md §5 "kernel half", §6; kernel/arch/x86/mm/init.c
 */
#ifndef ASM_PAGE_H
#define ASM_PAGE_H

#define PAGE_SHIFT		12
#define PMD_SHIFT		21
#define PUD_SHIFT		30
#define PGDIR_SHIFT		39

#ifdef __ASSEMBLY__
#define PAGE_SIZE		(1 << PAGE_SHIFT)
#define __PAGE_OFFSET		0xffff888000000000
#define __START_KERNEL_map	0xffffffff80000000
#else
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define __PAGE_OFFSET		0xffff888000000000UL
#define __START_KERNEL_map	0xffffffff80000000UL
#endif
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define PAGE_OFFSET		__PAGE_OFFSET

/* Physical addresses from here on are not used: the direct map is one entry of the top level. */
#define MAX_PHYSMEM		(1UL << 38)

#ifndef __ASSEMBLY__
#include <weft/types.h>
#include <asm/pgtable_types.h>

#define PAGE_ALIGN(addr)	(((addr) + PAGE_SIZE - 1) & PAGE_MASK)
#define PAGE_ALIGNED(addr)	(((unsigned long)(addr) & (PAGE_SIZE - 1)) == 0)

/*
 * Physical address of a kernel address in the direct map or in the image.  Subtracting the image's base tells the two
 * apart: below it the subtraction wraps around and the result is larger than the address.
 */
static __always_inline unsigned long __phys_addr(unsigned long x)
{
	unsigned long y = x - __START_KERNEL_map;

	return x > y ? y : x - PAGE_OFFSET;
}
#define __pa(x)			__phys_addr((unsigned long)(x))
#define __pa_symbol(x)		((unsigned long)(x) - __START_KERNEL_map)
#define __va(x)			((void *)((unsigned long)(x) + PAGE_OFFSET))

#define VMEMMAP_START		0xffffea0000000000UL
#define vmemmap			((struct page *)VMEMMAP_START)

#define pfn_to_page(pfn)	(vmemmap + (unsigned long)(pfn))
#define page_to_pfn(page)	((unsigned long)((page) - vmemmap))
#define virt_to_page(kaddr)	pfn_to_page(__pa(kaddr) >> PAGE_SHIFT)
#define virt_to_pfn(kaddr)	(__pa(kaddr) >> PAGE_SHIFT)
#define pfn_to_kaddr(pfn)	__va((unsigned long)(pfn) << PAGE_SHIFT)
#define page_to_virt(page)	__va(page_to_pfn(page) << PAGE_SHIFT)
#define page_to_phys(page)	((phys_addr_t)page_to_pfn(page) << PAGE_SHIFT)
#define phys_to_page(phys)	pfn_to_page((phys) >> PAGE_SHIFT)
#define phys_to_virt(phys)	__va(phys)
#define virt_to_phys(kaddr)	((phys_addr_t)__pa(kaddr))
#define PFN_UP(x)		(((unsigned long)(x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x)		((unsigned long)(x) >> PAGE_SHIFT)
#define PFN_PHYS(x)		((phys_addr_t)(x) << PAGE_SHIFT)

bool pfn_valid(unsigned long pfn);		/* page_alloc.c: the frame is RAM and its struct page exists */
/* True for an address of the direct map whose frame is in use as memory. */
#define virt_addr_valid(kaddr)	((unsigned long)(kaddr) >= PAGE_OFFSET && pfn_valid(virt_to_pfn(kaddr)))

/* Whole pages, eight bytes a step.  Both pages are page aligned. */
static __always_inline void clear_page(void *page)
{
	unsigned long n = PAGE_SIZE / 8;

	asm volatile("rep stosq" : "+D" (page), "+c" (n) : "a" (0UL) : "memory");
}
static __always_inline void copy_page(void *to, const void *from)
{
	unsigned long n = PAGE_SIZE / 8;

	asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
}
#define clear_user_page(page, vaddr, pg)	clear_page(page)
#define copy_user_page(to, from, vaddr, pg)	copy_page(to, from)

#endif /* __ASSEMBLY__ */
#endif
