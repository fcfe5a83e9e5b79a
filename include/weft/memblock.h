/*
 * memblock.h: the allocator of the first milliseconds: a list of the memory there is and a list of what is taken.
 *
 * Use:     setup_arch() calls memblock_add() for each range of RAM and memblock_reserve() for the kernel, the initramfs
 *          and what firmware needs; memblock_alloc() takes from the rest; mem_init() hands the rest to the buddy system,
 *          after which only memblock_free_late() may be called.
 * Locking: none: one processor, no interrupts.
 * See:     kernel/mm/memblock.c
 */
#ifndef WEFT_MEMBLOCK_H
#define WEFT_MEMBLOCK_H

#include <weft/types.h>
#include <weft/init.h>

struct memblock_region {
	phys_addr_t	base, size;
};

struct memblock_type {
	unsigned int		cnt;		/* regions, sorted, none touching another */
	const char		*name;
	struct memblock_region	*regions;
};

struct memblock {
	struct memblock_type	memory;
	struct memblock_type	reserved;
	phys_addr_t		current_limit;	/* allocations stay below: what the page tables map so far */
};
extern struct memblock memblock;

int memblock_add(phys_addr_t base, phys_addr_t size);		/* RAM; overlaps are merged */
int memblock_reserve(phys_addr_t base, phys_addr_t size);
int memblock_phys_free(phys_addr_t base, phys_addr_t size);
int memblock_free(void *ptr, size_t size);
bool memblock_is_memory(phys_addr_t addr);
bool memblock_overlaps_reserved(phys_addr_t base, phys_addr_t size);
void memblock_set_current_limit(phys_addr_t limit);
phys_addr_t memblock_end_of_DRAM(void);
phys_addr_t memblock_phys_mem_size(void);
phys_addr_t memblock_reserved_size(void);

/* Lowest free address in [start, end) first, above the first MiB; 0 when there is none. */
phys_addr_t memblock_phys_alloc_range(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end);
phys_addr_t memblock_phys_alloc(phys_addr_t size, phys_addr_t align);
/* Zeroed, as an address in the direct map; the _raw form is not zeroed.  Panics when there is none. */
void *memblock_alloc(phys_addr_t size, phys_addr_t align);
void *memblock_alloc_raw(phys_addr_t size, phys_addr_t align);

/* The next free range at or after *idx: false when there are no more. */
bool memblock_next_free(unsigned int *idx, phys_addr_t *start, phys_addr_t *end);
#define for_each_mem_region(r) \
	for (r = memblock.memory.regions; r < memblock.memory.regions + memblock.memory.cnt; r++)
#define for_each_reserved_mem_region(r) \
	for (r = memblock.reserved.regions; r < memblock.reserved.regions + memblock.reserved.cnt; r++)
#define for_each_free_mem_range(i, start, end) \
	for (i = 0; memblock_next_free(&i, start, end); )

#endif
