/*
 * acpi.c: the firmware's static tables: processors, interrupt controllers, power-off, reset, timer.
 *
 * Idea:    no AML interpreter.  MADT lists CPUs and I/O APICs; FADT gives the registers for power-off and reset; the two
 *          things that only AML tells, the sleep type of S5 and where microvm's virtio devices are, are found by looking
 *          for their bytes in the DSDT.  All is read once, through the early direct map, which covers the first 4 GiB.
 * Locking: [I] everything is written by acpi_boot_init() on the boot CPU.
 * See:     spec.md §1 "SMP"; ACPI 6.4 §5.2.9 (FADT), §5.2.12 (MADT), §4.8.3.7 (hardware-reduced sleep registers)
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/io.h>
#include <asm/page.h>

#define EARLY_MAP_END		0x100000000ULL
#define ACPI_MAX_TABLES		32

#define FADT_RESET_SUPPORTED	(1 << 10)
#define FADT_HW_REDUCED		(1 << 20)
#define PM1_SLP_EN		(1 << 13)
#define PM1_SCI_EN		1
#define SLEEP_ENABLE		(1 << 5)

struct acpi_rsdp {
	char	signature[8];
	u8	checksum;
	char	oem_id[6];
	u8	revision;
	u32	rsdt_address;
	u32	length;
	u64	xsdt_address;
} __packed;

struct acpi_fadt {
	struct acpi_table_header header;
	u32	firmware_ctrl, dsdt;
	u8	reserved0, preferred_profile;
	u16	sci_int;
	u32	smi_cmd;
	u8	acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	u32	pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk, pm2_cnt_blk, pm_tmr_blk;
	u8	middle[28];
	u8	century;
	u16	boot_arch;
	u8	reserved1;
	u32	flags;
	struct acpi_gas reset_reg;
	u8	reset_value;
	u8	reserved2[3];
	u64	x_firmware_ctrl, x_dsdt;
	u8	x_blocks[96];
	struct acpi_gas sleep_control, sleep_status;
} __packed;
static_assert(offsetof(struct acpi_fadt, flags) == 112 && offsetof(struct acpi_fadt, sleep_control) == 244);

struct acpi_madt {
	struct acpi_table_header header;
	u32	lapic_address;
	u32	flags;
	u8	entries[];
} __packed;

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9 };
#define MADT_CPU_ENABLED	1

struct isa_irq_route isa_irq_routes[16] __ro_after_init;
phys_addr_t acpi_mcfg_base __ro_after_init;
u16 acpi_pm_timer_port __ro_after_init;
phys_addr_t acpi_hpet_base __ro_after_init;
struct acpi_mmio_device acpi_virtio_mmio[ACPI_MAX_MMIO] __ro_after_init;
unsigned int acpi_nr_virtio_mmio __ro_after_init;

static const struct acpi_table_header *tables[ACPI_MAX_TABLES] __initdata;
static unsigned int nr_tables __initdata;

/* What power-off and reset need. */
static struct {
	u16 pm1a_cnt, pm1b_cnt, smi_cmd;
	u8 acpi_enable;
	bool have_s5, have_reset;
	u8 slp_typa, slp_typb, reset_value;
	struct acpi_gas reset, sleep;
	void __iomem *reset_mem, *sleep_mem;	/* when they are in memory: mapped by map_power_registers() */
} power __ro_after_init;

/* Big tables on odd machines may lie above what is mapped now; they are passed over. */
static const void *__init early_table(u64 phys, u32 length)
{
	return phys && phys + length <= EARLY_MAP_END ? __va(phys) : NULL;
}

const struct acpi_table_header *__init acpi_find_table(const char *signature)
{
	for (unsigned int i = 0; i < nr_tables; i++)
		if (!memcmp(tables[i]->signature, signature, 4))
			return tables[i];
	return NULL;
}

static void __init list_tables(const struct acpi_rsdp *rsdp)
{
	bool xsdt = rsdp->revision >= 2 && rsdp->xsdt_address;
	u64 root_phys = xsdt ? rsdp->xsdt_address : rsdp->rsdt_address;
	const struct acpi_table_header *root = early_table(root_phys, sizeof(*root));
	unsigned int width = xsdt ? 8 : 4;

	if (!root || !early_table(root_phys, root->length))
		return;
	for (u32 at = sizeof(*root); at + width <= root->length && nr_tables < ACPI_MAX_TABLES; at += width) {
		u64 phys = 0;
		const struct acpi_table_header *t;

		memcpy(&phys, (const char *)root + at, width);
		t = early_table(phys, sizeof(*t));
		if (t && early_table(phys, t->length))
			tables[nr_tables++] = t;
	}
}

static void __init add_cpu(u32 apicid, u32 flags)
{
	if (flags & MADT_CPU_ENABLED)
		smp_register_cpu(apicid);
}

static u16 __init get16(const u8 *p) { u16 v; memcpy(&v, p, 2); return v; }
static u32 __init get32(const u8 *p) { u32 v; memcpy(&v, p, 4); return v; }

/* Interrupt source override: ISA line p[3] is I/O APIC input get32(p + 4), with the polarity and trigger of the flags. */
static void __init parse_override(const u8 *p)
{
	u16 flags = get16(p + 8);

	if (p[3] >= 16)
		return;
	isa_irq_routes[p[3]] = (struct isa_irq_route){
		.gsi = get32(p + 4),
		.active_low = (flags & 3) == 3,
		.level = (flags >> 2 & 3) == 3,
	};
}

static void __init parse_madt_entry(const u8 *p)
{
	u64 address;

	switch (p[0]) {
	case MADT_LAPIC:
		add_cpu(p[3], get32(p + 4));
		break;
	case MADT_X2APIC:
		add_cpu(get32(p + 4), get32(p + 8));
		break;
	case MADT_IOAPIC:
		ioapic_register(p[2], get32(p + 4), get32(p + 8));
		break;
	case MADT_OVERRIDE:
		parse_override(p);
		break;
	case MADT_LAPIC_ADDRESS:
		memcpy(&address, p + 4, 8);
		apic_phys_base = address;
		break;
	}
}

static void __init parse_madt(void)
{
	const struct acpi_madt *madt = (const void *)acpi_find_table("APIC");
	const u8 *p, *end;

	if (!madt)
		return;
	apic_phys_base = madt->lapic_address;
	end = (const u8 *)madt + madt->header.length;
	for (p = madt->entries; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1])
		parse_madt_entry(p);
}

/* One integer of an AML package: a byte, word or dword constant, Zero, One or a bare byte. */
static bool __init aml_integer(const u8 **p, u8 *value)
{
	switch (**p) {
	case 0x0a:	/* BytePrefix */
	case 0x0b:	/* WordPrefix */
	case 0x0c:	/* DWordPrefix */
		*value = (*p)[1];
		*p += 1 + (1 << (**p - 0x0a));
		return true;
	case 0x00:
	case 0x01:
		*value = **p;
		*p += 1;
		return true;
	default:
		return false;
	}
}

/* Name(\_S5, Package() { type for PM1a, type for PM1b, ... }): NameOp "_S5_" PackageOp length count elements. */
static void __init find_s5(const struct acpi_table_header *dsdt)
{
	const u8 *p = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length - 16;

	for (; p < end; p++) {
		const u8 *q = p + 4;

		if (memcmp(p, "_S5_", 4) || *q++ != 0x12)
			continue;
		q += (*q >> 6) + 1;		/* package length: top bits of its first byte say how many follow */
		q++;				/* element count */
		if (aml_integer(&q, &power.slp_typa)) {
			if (!aml_integer(&q, &power.slp_typb))
				power.slp_typb = power.slp_typa;
			power.have_s5 = true;
		}
		return;
	}
}

/*
 * Device (VR..) { Name (_HID, "LNRO0005") ... Name (_CRS, a 32-bit memory range, an interrupt) }: the two descriptors of
 * the resources follow the name soon: 86 09 00 flags base size, 89 06 00 flags 01 irq.
 */
static void __init find_virtio_mmio(const struct acpi_table_header *dsdt)
{
	enum { NEAR = 96, LONGEST = 12 };
	const u8 *p = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length - LONGEST;

	for (; p < end && acpi_nr_virtio_mmio < ACPI_MAX_MMIO; p++) {
		struct acpi_mmio_device dev = { };

		if (memcmp(p, "LNRO0005", 8))
			continue;
		for (const u8 *q = p + 8; q < p + NEAR && q <= end; q++) {
			if (!memcmp(q, "\x86\x09\x00", 3)) {
				dev.base = get32(q + 4);
				dev.size = get32(q + 8);
			} else if (!memcmp(q, "\x89\x06\x00", 3) && q[4] == 1) {
				dev.irq = get32(q + 5);
			}
		}
		if (dev.base && dev.size && dev.irq)
			acpi_virtio_mmio[acpi_nr_virtio_mmio++] = dev;
	}
}

static void __init parse_fadt(void)
{
	const struct acpi_fadt *fadt = (const void *)acpi_find_table("FACP");
	const struct acpi_table_header *dsdt = NULL;
	u32 length;

	if (!fadt)
		return;
	length = fadt->header.length;
	if (length >= offsetof(struct acpi_fadt, x_blocks) && fadt->x_dsdt)
		dsdt = early_table(fadt->x_dsdt, sizeof(*dsdt));
	if (!dsdt)
		dsdt = early_table(fadt->dsdt, sizeof(*dsdt));
	if (dsdt && !memcmp(dsdt->signature, "DSDT", 4)) {
		find_s5(dsdt);
		find_virtio_mmio(dsdt);
	}
	if (fadt->flags & FADT_RESET_SUPPORTED) {
		power.have_reset = true;
		power.reset = fadt->reset_reg;
		power.reset_value = fadt->reset_value;
	}
	if (fadt->flags & FADT_HW_REDUCED) {
		if (length >= sizeof(*fadt))
			power.sleep = fadt->sleep_control;
		return;
	}
	power.pm1a_cnt = (u16)fadt->pm1a_cnt_blk;
	power.pm1b_cnt = (u16)fadt->pm1b_cnt_blk;
	power.smi_cmd = (u16)fadt->smi_cmd;
	power.acpi_enable = fadt->acpi_enable;
	acpi_pm_timer_port = (u16)fadt->pm_tmr_blk;
}

static void __init parse_small_tables(void)
{
	const u8 *mcfg = (const u8 *)acpi_find_table("MCFG");
	const u8 *hpet = (const u8 *)acpi_find_table("HPET");

	if (mcfg)
		memcpy(&acpi_mcfg_base, mcfg + 44, 8);
	if (hpet)
		memcpy(&acpi_hpet_base, hpet + 44, 8);
}

void __init acpi_boot_init(phys_addr_t rsdp)
{
	const struct acpi_rsdp *r = early_table(rsdp, sizeof(*r));

	for (u32 i = 0; i < 16; i++)
		isa_irq_routes[i].gsi = i;
	if (r)
		list_tables(r);
	else
		pr_info("ACPI: no tables\n");
	parse_madt();
	parse_fadt();
	parse_small_tables();
	smp_register_boot_cpu();
}

/* Registers in memory must be reachable at the end, when nothing can be allocated any more. */
static int __init map_power_registers(void)
{
	if (power.have_reset && power.reset.space_id == 0)
		power.reset_mem = ioremap(power.reset.address, 8);
	if (power.sleep.address && power.sleep.space_id == 0)
		power.sleep_mem = ioremap(power.sleep.address, 8);
	return 0;
}
arch_initcall(map_power_registers);

static void write_register(const struct acpi_gas *reg, void __iomem *mem, u8 value)
{
	if (reg->space_id == 1)
		outb(value, (u16)reg->address);
	else if (mem)
		writeb(value, mem);
}

void acpi_power_off(void)
{
	if (!power.have_s5)
		return;
	if (power.sleep.address) {
		write_register(&power.sleep, power.sleep_mem, (u8)(power.slp_typa << 2 | SLEEP_ENABLE));
		return;
	}
	if (!power.pm1a_cnt)
		return;
	if (!(inw(power.pm1a_cnt) & PM1_SCI_EN) && power.smi_cmd && power.acpi_enable)
		outb(power.acpi_enable, power.smi_cmd);
	outw((u16)(power.slp_typa << 10 | PM1_SLP_EN | PM1_SCI_EN), power.pm1a_cnt);
	if (power.pm1b_cnt)
		outw((u16)(power.slp_typb << 10 | PM1_SLP_EN | PM1_SCI_EN), power.pm1b_cnt);
}

void acpi_reset(void)
{
	if (power.have_reset)
		write_register(&power.reset, power.reset_mem, power.reset_value);
}
