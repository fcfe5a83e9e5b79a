/*
 * ioremap.c: device memory in the kernel's address space.
 *
 * Idea:    an area of the vmalloc space whose entries name the device's addresses, uncached or write-combining.
 *          Memory that the page allocator knows is refused: it is mapped cached already, and two kinds of mapping of one
 *          address may see different values.
 * Context: may sleep.
 * See:     vmalloc.c; asm/io.h for reading and writing
 */
#include <weft/kernel.h>
#include <weft/io.h>
#include <weft/memblock.h>
#include <weft/mm.h>
#include <weft/vmalloc.h>

static void __iomem *map_device(phys_addr_t phys, size_t size, pgprot_t prot, const void *caller)
{
	phys_addr_t start = phys & PAGE_MASK, end = PAGE_ALIGN(phys + size);
	struct vm_struct *area;

	if (!size || end <= start)
		return NULL;
	if (WARN(memblock_is_memory(start) || memblock_is_memory(end - 1), "ioremap: %#llx is memory\n", phys))
		return NULL;
	area = get_vm_area_caller(end - start, VM_IOREMAP, caller);
	if (!area)
		return NULL;
	area->phys_addr = start;
	if (ioremap_page_range((unsigned long)area->addr, (unsigned long)area->addr + (end - start), start, prot)) {
		free_vm_area(area);
		return NULL;
	}
	return (char *)area->addr + (phys - start);
}

void __iomem *ioremap(phys_addr_t phys, size_t size)
{
	return map_device(phys, size, PAGE_KERNEL_NOCACHE, __builtin_return_address(0));
}

void __iomem *ioremap_wc(phys_addr_t phys, size_t size)
{
	return map_device(phys, size, PAGE_KERNEL_WC, __builtin_return_address(0));
}

void iounmap(volatile void __iomem *addr)
{
	if (addr)
		vunmap((void *)((unsigned long)addr & PAGE_MASK));
}
