/*
 * memblock.c: the allocator of the first milliseconds.
 *
 * What:    two sorted lists of ranges: the memory that the firmware reported, and what of it is taken.
 * Idea:    free memory is the difference of the two lists; an allocation looks for the lowest gap that fits and adds it to
 *          the second list.  Low addresses first keeps everything that start-up takes close to the kernel image, so that the
 *          rest of memory stays in large untouched pieces (see "fresh chunks" in page_init.c).
 *          The list of memory is kept for good: it answers "is this frame RAM?".
 * Locking: none while it changes: one processor, no interrupts.  Afterwards it is only read.
 * Cost:    linear in the number of ranges, of which there are some dozens.
 * See:     spec.md §6 "page frames and zones"
 */
#include <weft/kernel.h>
#include <weft/memblock.h>
#include <weft/string.h>
#include <asm/page.h>

#define MAX_REGIONS	128
#define LOW_MEMORY_END	0x100000	/* below: for processors that start in real mode, and firmware */

static struct memblock_region memory_regions[MAX_REGIONS];
static struct memblock_region reserved_regions[MAX_REGIONS];

struct memblock memblock = {
	.memory		= { .name = "memory", .regions = memory_regions },
	.reserved	= { .name = "reserved", .regions = reserved_regions },
	.current_limit	= 1UL << 32,		/* what the boot page tables map */
};

static phys_addr_t region_end(const struct memblock_region *r) { return r->base + r->size; }

static void insert_region(struct memblock_type *type, unsigned int at, phys_addr_t base, phys_addr_t end)
{
	if (type->cnt == MAX_REGIONS)
		panic("memblock: more than %d ranges of %s", MAX_REGIONS, type->name);
	memmove(&type->regions[at + 1], &type->regions[at], (type->cnt - at) * sizeof(type->regions[0]));
	type->regions[at] = (struct memblock_region){ base, end - base };
	type->cnt++;
}

static void delete_regions(struct memblock_type *type, unsigned int at, unsigned int n)
{
	memmove(&type->regions[at], &type->regions[at + n], (type->cnt - at - n) * sizeof(type->regions[0]));
	type->cnt -= n;
}

/* Adds [base, end) and melts it together with all that it overlaps or touches. */
static void add_range(struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	unsigned int first = 0, last;

	while (first < type->cnt && region_end(&type->regions[first]) < base)
		first++;
	for (last = first; last < type->cnt && type->regions[last].base <= end; last++) {
		base = min(base, type->regions[last].base);
		end = max(end, region_end(&type->regions[last]));
	}
	delete_regions(type, first, last - first);
	insert_region(type, first, base, end);
}

static void remove_range(struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	for (unsigned int i = 0; i < type->cnt; i++) {
		struct memblock_region r = type->regions[i];

		if (region_end(&r) <= base || r.base >= end)
			continue;
		delete_regions(type, i, 1);
		if (region_end(&r) > end)
			insert_region(type, i, end, region_end(&r));
		if (r.base < base)
			insert_region(type, i++, r.base, base);
		i--;
	}
}

/* Only whole pages are memory: a broken page at either end is left out. */
int memblock_add(phys_addr_t base, phys_addr_t size)
{
	phys_addr_t end = min((base + size) & PAGE_MASK, (phys_addr_t)MAX_PHYSMEM);

	base = PAGE_ALIGN(base);
	if (base < end)
		add_range(&memblock.memory, base, end);
	return 0;
}

int memblock_reserve(phys_addr_t base, phys_addr_t size)
{
	if (size)
		add_range(&memblock.reserved, base, base + size);
	return 0;
}

int memblock_phys_free(phys_addr_t base, phys_addr_t size)
{
	remove_range(&memblock.reserved, base, base + size);
	return 0;
}

int memblock_free(void *ptr, size_t size)
{
	return ptr ? memblock_phys_free(__pa(ptr), size) : 0;
}

static bool type_contains(const struct memblock_type *type, phys_addr_t addr)
{
	for (unsigned int i = 0; i < type->cnt; i++)
		if (addr >= type->regions[i].base && addr < region_end(&type->regions[i]))
			return true;
	return false;
}

bool memblock_is_memory(phys_addr_t addr) { return type_contains(&memblock.memory, addr); }

bool memblock_overlaps_reserved(phys_addr_t base, phys_addr_t size)
{
	struct memblock_region *r;

	for_each_reserved_mem_region(r)
		if (base < region_end(r) && r->base < base + size)
			return true;
	return false;
}

void memblock_set_current_limit(phys_addr_t limit) { memblock.current_limit = limit; }

phys_addr_t memblock_end_of_DRAM(void)
{
	return memblock.memory.cnt ? region_end(&memblock.memory.regions[memblock.memory.cnt - 1]) : 0;
}

static phys_addr_t type_size(const struct memblock_type *type)
{
	phys_addr_t sum = 0;

	for (unsigned int i = 0; i < type->cnt; i++)
		sum += type->regions[i].size;
	return sum;
}

phys_addr_t memblock_phys_mem_size(void) { return type_size(&memblock.memory); }
phys_addr_t memblock_reserved_size(void) { return type_size(&memblock.reserved); }

/*
 * *idx holds where to go on: the memory range in its upper half, the gap before the n-th reserved range in its lower half.
 * Whichever of the two ends first is stepped over.
 */
bool memblock_next_free(unsigned int *idx, phys_addr_t *start, phys_addr_t *end)
{
	const struct memblock_type *mem = &memblock.memory, *res = &memblock.reserved;
	unsigned int m = *idx >> 16, g = *idx & 0xffff;

	while (m < mem->cnt && g <= res->cnt) {
		phys_addr_t gap_start = g ? region_end(&res->regions[g - 1]) : 0;
		phys_addr_t gap_end = g < res->cnt ? res->regions[g].base : ~0ULL;
		phys_addr_t mem_end = region_end(&mem->regions[m]);

		*start = max(gap_start, mem->regions[m].base);
		*end = min(gap_end, mem_end);
		if (mem_end <= gap_end)
			m++;
		else
			g++;
		if (*start < *end) {
			*idx = m << 16 | g;
			return true;
		}
	}
	return false;
}

phys_addr_t memblock_phys_alloc_range(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end)
{
	phys_addr_t free_start, free_end;
	unsigned int i = 0;

	end = min(end, memblock.current_limit);
	for_each_free_mem_range(i, &free_start, &free_end) {
		phys_addr_t base = ALIGN(max(free_start, start), align);

		if (base < min(free_end, end) && min(free_end, end) - base >= size) {
			memblock_reserve(base, size);
			return base;
		}
	}
	return 0;
}

phys_addr_t memblock_phys_alloc(phys_addr_t size, phys_addr_t align)
{
	return memblock_phys_alloc_range(size, align, LOW_MEMORY_END, ~0ULL);
}

void *memblock_alloc_raw(phys_addr_t size, phys_addr_t align)
{
	phys_addr_t addr = memblock_phys_alloc(size, max(align, (phys_addr_t)SMP_CACHE_BYTES));

	if (!addr)
		panic("memblock: no room for %llu bytes, %llu KiB of %llu KiB are taken", size,
		      memblock_reserved_size() >> 10, memblock_phys_mem_size() >> 10);
	return __va(addr);
}

void *memblock_alloc(phys_addr_t size, phys_addr_t align)
{
	return memset(memblock_alloc_raw(size, align), 0, size);
}
