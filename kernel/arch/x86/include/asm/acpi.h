/*
 * acpi.h: the few facts that Weft takes from the firmware's tables; no interpreter.
 * See:     kernel/arch/x86/kernel/acpi.c; ACPI 6.4 §5.2
 */
#ifndef ASM_ACPI_H
#define ASM_ACPI_H

#include <weft/types.h>

struct acpi_table_header {
	char	signature[4];
	u32	length;
	u8	revision, checksum;
	char	oem_id[6], oem_table_id[8];
	u32	oem_revision, creator_id, creator_revision;
} __attribute__((packed));

struct acpi_gas {			/* generic address */
	u8	space_id;		/* 0 memory, 1 I/O port */
	u8	bit_width, bit_offset, access_width;
	u64	address;
} __attribute__((packed));

/* How the 16 ISA lines reach the I/O APIC. */
struct isa_irq_route {
	u32	gsi;
	bool	level, active_low;
};
extern struct isa_irq_route isa_irq_routes[16];		/* [I] */

extern phys_addr_t acpi_mcfg_base;	/* PCI Express configuration space, 0 if none [I] */
extern u16 acpi_pm_timer_port;		/* 0 if none [I] */
extern phys_addr_t acpi_hpet_base;	/* 0 if none [I] */

/* Virtio devices in memory, which only the DSDT names (QEMU's microvm). */
struct acpi_mmio_device {
	phys_addr_t	base;
	u32		size, irq;
};
#define ACPI_MAX_MMIO	32
extern struct acpi_mmio_device acpi_virtio_mmio[ACPI_MAX_MMIO];	/* [I] */
extern unsigned int acpi_nr_virtio_mmio;			/* [I] */

void acpi_boot_init(phys_addr_t rsdp);	/* reads all tables; needs the direct map */
/* A table by its signature, mapped by the direct map, or NULL. */
const struct acpi_table_header *acpi_find_table(const char *signature);
void acpi_power_off(void);		/* returns when the firmware offers no way */
void acpi_reset(void);

#endif
