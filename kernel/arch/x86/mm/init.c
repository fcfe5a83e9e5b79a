/*
 * init.c: the kernel's own page tables.
 *
 * What:    swapper_pg_dir, whose upper half is the upper half of every address space: the direct map of all memory, the
 *          kernel image, and the tables below which vmalloc() and the array of struct page will be entered.
 * Idea:    nothing is mapped but memory, nothing is both writable and executable, and the upper half of the top level is
 *          complete when start-up ends: later mappings only change tables below it, which all address spaces share, so
 *          no pgd ever has to be brought up to date.
 *          The direct map uses the largest pages that fit; where it shows the kernel's text and constants, they are
 *          read-only there, too.
 * Rights:  text and init text r-x; constants rw- until mark_rodata_ro(), then r--; all else rw-.
 * Locking: one processor until mark_rodata_ro() and free_initmem(), which run in pid 1.
 * See:     spec.md §1 "privilege", §5 "kernel half"; asm/page.h shows the layout; pgtable.c
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/memblock.h>
#include <weft/mm.h>
#include <weft/string.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/pgtable.h>
#include <asm/sections.h>

/* Write-back, write-combining, uncached-minus, uncached; the same again for entries with the PAT bit. */
#define PAT_VALUE	0x0007010600070106UL

/* In the gigabyte of the kernel image, whose middle-level table exists anyway. */
#define EARLY_APIC_ADDR	0xffffffffbffff000UL

pgd_t swapper_pg_dir[PTRS_PER_PGD] __aligned(PAGE_SIZE);

static void *__init table_below(unsigned long *entry)
{
	if (!*entry)
		*entry = __pa(memblock_alloc(PAGE_SIZE, PAGE_SIZE)) | _KERNPG_TABLE;
	return __va(*entry & PTE_PFN_MASK);
}

static pud_t *__init make_pud(unsigned long addr)
{
	return (pud_t *)table_below(&pgd_offset_k(addr)->pgd) + pud_index(addr);
}

static pmd_t *__init make_pmd(unsigned long addr)
{
	return (pmd_t *)table_below(&make_pud(addr)->pud) + pmd_index(addr);
}

static pte_t *__init make_pte(unsigned long addr)
{
	return (pte_t *)table_below(&make_pmd(addr)->pmd) + pte_index(addr);
}

static bool __init fits(unsigned long addr, phys_addr_t phys, unsigned long end, unsigned long size)
{
	return IS_ALIGNED(addr | phys, size) && end - addr >= size;
}

/* Enters [addr, end) -> phys, all page aligned, with the largest pages that fit. */
static void __init map_range(unsigned long addr, unsigned long end, phys_addr_t phys, pgprot_t prot)
{
	unsigned long step;

	for (; addr < end; addr += step, phys += step) {
		if (boot_cpu_has(X86_FEATURE_GBPAGES) && fits(addr, phys, end, PUD_SIZE)) {
			set_pud(make_pud(addr), __pud(phys | pgprot_val(prot) | _PAGE_PSE));
			step = PUD_SIZE;
		} else if (fits(addr, phys, end, PMD_SIZE)) {
			set_pmd(make_pmd(addr), __pmd(phys | pgprot_val(prot) | _PAGE_PSE));
			step = PMD_SIZE;
		} else {
			set_pte(make_pte(addr), __pte(phys | pgprot_val(prot)));
			step = PAGE_SIZE;
		}
	}
}

/* Rights of the direct map at phys, and up to where they are the same. */
static pgprot_t __init direct_map_rights(phys_addr_t phys, phys_addr_t *until)
{
	const struct { phys_addr_t start, end; } read_only[] = {
		{ __pa_symbol(_text), PAGE_ALIGN(__pa_symbol(_etext)) },
		{ __pa_symbol(__start_rodata), __pa_symbol(__end_rodata) },
	};

	*until = MAX_PHYSMEM;
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
		if (phys >= read_only[i].start && phys < read_only[i].end) {
			*until = read_only[i].end;
			return PAGE_KERNEL_RO;
		}
		if (phys < read_only[i].start)
			*until = min(*until, read_only[i].start);
	}
	return PAGE_KERNEL;
}

static void __init map_memory(phys_addr_t start, phys_addr_t end)
{
	while (start < end) {
		phys_addr_t until;
		pgprot_t prot = direct_map_rights(start, &until);

		until = min(until, end);
		map_range((unsigned long)__va(start), (unsigned long)__va(until), start, prot);
		start = until;
	}
}

static void __init map_image_part(const char *start, const char *end, pgprot_t prot)
{
	for (unsigned long addr = (unsigned long)start; addr < (unsigned long)end; addr += PAGE_SIZE)
		set_pte(make_pte(addr), __pte(__pa_symbol(addr) | pgprot_val(prot)));
}

static void __init map_image(void)
{
	map_image_part(_text, _etext, PAGE_KERNEL_ROX);
	map_image_part(__inittext_begin, __inittext_end, PAGE_KERNEL_ROX);
	map_image_part((char *)PAGE_ALIGN((unsigned long)__inittext_end), __init_end, PAGE_KERNEL);
	map_image_part(__start_rodata, _end, PAGE_KERNEL);
}

/* The top level's entries for what will be mapped later. */
static void __init make_shared_tables(void)
{
	for (unsigned long addr = VMALLOC_START; addr < VMALLOC_END; addr += PGDIR_SIZE)
		make_pud(addr);
	make_pud(VMEMMAP_START);
}

void pat_cpu_init(void)
{
	wrmsrl(MSR_IA32_PAT, PAT_VALUE);
}

void __init init_mem_mapping(void)
{
	struct memblock_region *r;

	for_each_mem_region(r)
		map_memory(r->base, r->base + r->size);
	map_image();
	make_shared_tables();
	pat_cpu_init();
	asm volatile("mov %0, %%cr3" : : "r" (__pa_symbol(swapper_pg_dir)) : "memory");
	max_pfn = memblock_end_of_DRAM() >> PAGE_SHIFT;
	memblock_set_current_limit(memblock_end_of_DRAM());
}

void *__init early_ioremap_apic(phys_addr_t phys)
{
	set_pte(make_pte(EARLY_APIC_ADDR), __pte((phys & PAGE_MASK) | pgprot_val(PAGE_KERNEL_NOCACHE)));
	return (void *)(EARLY_APIC_ADDR + offset_in_page(phys));
}

/* ---- the array of struct page ---- */

void __init vmemmap_make_tables(unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long addr = (unsigned long)pfn_to_page(start_pfn) & PMD_MASK;

	for (; addr < (unsigned long)pfn_to_page(end_pfn); addr += PMD_SIZE)
		make_pte(addr);
}

void vmemmap_populate(unsigned long start_pfn, unsigned long end_pfn, unsigned long *from_pfn)
{
	unsigned long addr = (unsigned long)pfn_to_page(start_pfn);
	unsigned int level;

	for (; addr < (unsigned long)pfn_to_page(end_pfn); addr += PAGE_SIZE) {
		pte_t *pte = lookup_address(addr, &level);

		BUG_ON(!pte || level != 1 || !pte_none(*pte));
		clear_page(pfn_to_kaddr(*from_pfn));
		set_pte(pte, pfn_pte((*from_pfn)++, PAGE_KERNEL));
	}
}

/* ---- the end of start-up ---- */

void mark_rodata_ro(void)
{
	set_memory_ro((unsigned long)__start_rodata, (__end_rodata - __start_rodata) >> PAGE_SHIFT);
}

/* The frames go to the page allocator, which reaches them through the direct map; nothing may call there any more. */
void free_initmem(void)
{
	set_memory_np((unsigned long)__init_begin, (__init_end - __init_begin) >> PAGE_SHIFT);
	free_reserved_area(__va(__pa_symbol(__init_begin)), __va(__pa_symbol(__init_end)), "init code and data");
}
