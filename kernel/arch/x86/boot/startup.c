/*
 * startup.c: the loader's message to us: memory map, command line, initramfs, ACPI root.
 *
 * What:    x86_start_kernel(), the first C function; copies what hvm_start_info points to, because those pages are
 *          ordinary memory that will be handed out; then start_kernel().
 * Idea:    the first 4 GiB are reachable through the direct map from the first instruction on, so physical addresses
 *          from the loader are just __va()'d.
 * See:     spec.md §1 "boot"; Xen's public/arch-x86/hvm/start_info.h describes the format; doc/boot.md
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/main.h>
#include <asm/page.h>
#include <asm/sections.h>
#include <asm/traps.h>
#include <asm/setup.h>

#define HVM_START_MAGIC		0x336ec578

struct hvm_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist_paddr, cmdline_paddr, rsdp_paddr;
	u64 memmap_paddr;		/* from version 1 on */
	u32 memmap_entries, reserved;
};

struct hvm_modlist_entry {
	u64 paddr, size, cmdline_paddr, reserved;
};

struct hvm_memmap_table_entry {
	u64 addr, size;
	u32 type, reserved;
};

struct boot_info boot_info;
char boot_command_line[COMMAND_LINE_SIZE];
char saved_command_line[COMMAND_LINE_SIZE];
phys_addr_t phys_initrd_start;
unsigned long phys_initrd_size;
unsigned long initrd_start, initrd_end;
bool initrd_in_ram = true;

static void __init copy_memory_map(const struct hvm_start_info *si)
{
	const struct hvm_memmap_table_entry *e = __va(si->memmap_paddr);
	u32 n = min_t(u32, si->memmap_entries, MAX_MEMORY_RANGES);

	for (u32 i = 0; i < n; i++)
		boot_info.ranges[i] = (struct memory_range){ e[i].addr, e[i].size, e[i].type };
	boot_info.nr_ranges = n;
}

static void __init copy_start_info(const struct hvm_start_info *si)
{
	if (si->cmdline_paddr)
		strscpy(boot_command_line, __va(si->cmdline_paddr), COMMAND_LINE_SIZE);
	memcpy(saved_command_line, boot_command_line, COMMAND_LINE_SIZE);
	boot_info.rsdp = si->rsdp_paddr;
	if (si->nr_modules) {
		const struct hvm_modlist_entry *mod = __va(si->modlist_paddr);

		phys_initrd_start = mod->paddr;
		phys_initrd_size = mod->size;
	}
	if (si->version >= 1 && si->memmap_entries)
		copy_memory_map(si);
}

/* Interrupts off, early page tables, on init_stack. */
void __init __noreturn x86_start_kernel(phys_addr_t start_info)
{
	const struct hvm_start_info *si = __va(start_info);

	/* The gates hold instructions that not every processor has: patched before the first fault may come. */
	identify_boot_cpu();
	smap_patch_sites();
	trap_init_early();
	if (si->magic == HVM_START_MAGIC)
		copy_start_info(si);
	if (!boot_info.nr_ranges)
		panic("the loader gave no memory map (start info at %#llx, magic %#x)", start_info, si->magic);
	start_kernel();
}
