/*
 * vmalloc.h: memory that is contiguous in the kernel's address space only, with an unmapped page behind it.
 *
 * Context: all may sleep but vfree(), which any context but NMI may call.
 * See:     spec.md §6 "vmalloc"; kernel/mm/vmalloc.c
 */
#ifndef WEFT_VMALLOC_H
#define WEFT_VMALLOC_H

#include <weft/types.h>
#include <weft/llist.h>
#include <weft/rbtree.h>
#include <weft/list.h>
#include <asm/pgtable.h>

#define VM_IOREMAP	0x00000001	/* device memory: no pages behind it */
#define VM_ALLOC	0x00000002	/* pages of its own */
#define VM_MAP		0x00000004	/* the caller's pages */
#define VM_USERMAP	0x00000008	/* may be mapped to user space */

/* A range of the vmalloc space in use.  Its address never changes, so it may be read without a lock by its owner. */
struct vm_struct {
	struct rb_node		rb;		/* [vmap_lock] by address */
	struct llist_node	free_node;	/* while vfree() or the purge waits */
	void			*addr;		/* [I] */
	unsigned long		size;		/* [I] bytes, with the guard page */
	unsigned long		flags;		/* [I] VM_ALLOC ... */
	struct page		**pages;	/* [I] what is mapped, or NULL */
	unsigned int		nr_pages;
	phys_addr_t		phys_addr;	/* VM_IOREMAP */
	const void		*caller;	/* for /proc/vmallocinfo */
};

void *vmalloc(unsigned long size) __malloc;
void *vzalloc(unsigned long size) __malloc;
void *__vmalloc(unsigned long size, gfp_t gfp) __malloc;
void *vmalloc_user(unsigned long size);		/* zeroed, and remap_vmalloc_range() may map it */
#define vmalloc_node(size, node)	vmalloc(size)
#define vzalloc_node(size, node)	vzalloc(size)
/* `align` a power of two, at least a page. */
void *__vmalloc_node_range(unsigned long size, unsigned long align, unsigned long start, unsigned long end, gfp_t gfp,
			   pgprot_t prot, unsigned long vm_flags, int node, const void *caller);
void vfree(const void *addr);			/* NULL is allowed */
void vfree_atomic(const void *addr);
void *vmap(struct page **pages, unsigned int count, unsigned long flags, pgprot_t prot);
void vunmap(const void *addr);
struct page *vmalloc_to_page(const void *addr);
unsigned long vmalloc_to_pfn(const void *addr);
bool is_vmalloc_addr(const void *x);
struct vm_struct *find_vm_area(const void *addr);
int remap_vmalloc_range(struct vm_area_struct *vma, void *addr, unsigned long pgoff);

/* For ioremap: room of `size` bytes (page multiple) plus a guard page, nothing mapped in it yet. */
struct vm_struct *get_vm_area_caller(unsigned long size, unsigned long flags, const void *caller);
void free_vm_area(struct vm_struct *area);	/* unmaps and gives the room back; not the pages */
struct vm_struct *remove_vm_area(const void *addr);
/* Enters [phys, +size) at addr.  0 or -ENOMEM (then nothing of it is mapped). */
int ioremap_page_range(unsigned long addr, unsigned long end, phys_addr_t phys, pgprot_t prot);

unsigned long vmalloc_nr_pages(void);

#endif
