/*
 * asm/setup.h: what the boot code tells setup_arch().
 */
#ifndef ASM_SETUP_H
#define ASM_SETUP_H

#include <weft/types.h>

#define E820_RAM		1
#define E820_RESERVED		2
#define E820_ACPI		3
#define E820_NVS		4
#define MAX_MEMORY_RANGES	64

struct memory_range {
	u64 addr, size;
	u32 type;		/* E820_* */
};

struct boot_info {
	phys_addr_t		rsdp;		/* 0: look for it */
	unsigned int		nr_ranges;
	struct memory_range	ranges[MAX_MEMORY_RANGES];
};
extern struct boot_info boot_info;		/* [I] */

void x86_start_kernel(phys_addr_t start_info) __attribute__((noreturn));
void early_console_init(void);

/* cpu.c */
void identify_boot_cpu(void);
void cpu_init_features(void);	/* this CPU: control registers as the boot CPU chose them */
void syscall_init(void);	/* this CPU: where `syscall` enters */
void print_cpu_info(void);
void smap_patch_sites(void);

/* smpboot.c: pages below 1 MiB for the code with which other CPUs start. */
void reserve_trampoline(void);

#endif
