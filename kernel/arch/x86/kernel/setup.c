/*
 * setup.c: setup_arch(): what must be known of the machine before memory management starts.
 *
 * Idea:    early page tables already map the first 4 GiB, so the firmware's tables are read in place, before
 *          init_mem_mapping() builds the real tables that map nothing but memory.  What is needed later is copied.
 * Locking: one CPU, interrupts off.
 * See:     spec.md §1; boot/startup.c before, kernel/init/main.c after
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/main.h>
#include <weft/memblock.h>
#include <weft/mm.h>
#include <weft/numa.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/extable.h>
#include <asm/fpu.h>
#include <asm/page.h>
#include <asm/sections.h>
#include <asm/tlbflush.h>
#include <asm/setup.h>
#include <asm/traps.h>
#include <asm/tsc.h>

#define BIOS_AREA_START	0xe0000
#define BIOS_AREA_END	0x100000
#define EBDA_POINTER	0x40e

static u64 memory_limit __initdata = ~0ULL;

static int __init parse_mem(char *value)
{
	memory_limit = memparse(value, &value);
	return memory_limit ? 0 : -EINVAL;
}
early_param("mem", parse_mem);

/* The early tables reach 4 GiB; so does this. */
static phys_addr_t __init scan_for_rsdp(phys_addr_t start, phys_addr_t end)
{
	for (phys_addr_t p = start; p < end; p += 16)
		if (!memcmp(__va(p), "RSD PTR ", 8))
			return p;
	return 0;
}

static phys_addr_t __init find_rsdp(void)
{
	phys_addr_t ebda = (phys_addr_t)*(u16 *)__va(EBDA_POINTER) << 4;
	phys_addr_t rsdp = boot_info.rsdp;

	if (!rsdp && ebda >= 0x80000 && ebda < 0xa0000)
		rsdp = scan_for_rsdp(ebda, ebda + 1024);
	if (!rsdp)
		rsdp = scan_for_rsdp(BIOS_AREA_START, BIOS_AREA_END);
	return rsdp;
}

/*
 * SeaBIOS takes what its disk drivers need from the top of memory, after QEMU has put the archive there: the map then
 * calls its end reserved.  It must be mapped all the same, and is not given to the page allocator afterwards.
 */
static void __init reserve_initrd(void)
{
	phys_addr_t start = phys_initrd_start & PAGE_MASK, end = PAGE_ALIGN(phys_initrd_start + phys_initrd_size);

	for (phys_addr_t page = start; page < end; page += PAGE_SIZE)
		if (!memblock_is_memory(page))
			initrd_in_ram = false;
	if (!initrd_in_ram)
		memblock_add(start, end - start);
	memblock_reserve(start, end - start);
	initrd_start = (unsigned long)__va(phys_initrd_start);
	initrd_end = initrd_start + phys_initrd_size;
}

/* Hands the memory map to memblock: RAM in, then out again what is in use. */
static void __init setup_memory_map(void)
{
	for (unsigned int i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.ranges[i];

		if (r->type != E820_RAM || r->addr >= memory_limit)
			continue;
		memblock_add(r->addr, min(r->size, memory_limit - r->addr));
	}
	/* The first page holds the BIOS's data and makes physical address 0 a sign of error. */
	memblock_reserve(0, PAGE_SIZE);
	memblock_reserve(__pa_symbol(_text), (phys_addr_t)(_end - _text));
	if (phys_initrd_size)
		reserve_initrd();
	reserve_trampoline();
}

/* The boot processor in full dress: features, its own descriptor tables, exception stacks, vector registers. */
static void __init setup_boot_cpu(void)
{
	cpu_init_features();
	idt_setup_ist();
	load_gdt_and_percpu(0);
	cpu_init_exception_handling();
	syscall_init();
	fpu_init_system();
}

void __init setup_arch(void)
{
	sort_main_extable();
	setup_boot_cpu();
	parse_early_param();
	setup_memory_map();
	acpi_boot_init(find_rsdp());
	numa_init();
	tsc_calibrate_start();
	identify_cpu_topology(0);
	init_mem_mapping();
	apic_map();
}

/* The per-CPU areas exist now: from the template (base 0) over to our own copy. */
void __init smp_prepare_boot_cpu(void)
{
	int cpu;

	load_gdt_and_percpu(0);
	cpu_init_exception_handling();
	for_each_possible_cpu(cpu)
		per_cpu(cpu_number, cpu) = cpu;
	cpu_init_pcid();
	initialize_tlbstate_and_flush();
	link_cpu_topology(0);
}
