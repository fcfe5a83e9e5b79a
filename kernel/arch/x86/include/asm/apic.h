/*
 * apic.h: the local APIC (memory-mapped or x2APIC) and the I/O APICs.
 * See:     kernel/arch/x86/kernel/apic.c, ioapic.c
 */
#ifndef ASM_APIC_H
#define ASM_APIC_H

#include <weft/types.h>

#define APIC_ID		0x20
#define APIC_LVR	0x30
#define APIC_TASKPRI	0x80
#define APIC_EOI	0xb0
#define APIC_LDR	0xd0
#define APIC_DFR	0xe0
#define APIC_SPIV	0xf0
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVTT	0x320
#define APIC_LVTTHMR	0x330
#define APIC_LVTPC	0x340
#define APIC_LVT0	0x350
#define APIC_LVT1	0x360
#define APIC_LVTERR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0

#define APIC_LVT_MASKED		(1 << 16)
#define APIC_TIMER_ONESHOT	(0 << 17)
#define APIC_TIMER_TSCDEADLINE	(2 << 17)
#define APIC_DM_FIXED		0x000
#define APIC_DM_NMI		0x400
#define APIC_DM_INIT		0x500
#define APIC_DM_STARTUP		0x600
#define APIC_DM_EXTINT		0x700
#define APIC_INT_ASSERT		0x4000
#define APIC_INT_LEVELTRIG	0x8000
#define APIC_ICR_BUSY		0x1000
#define APIC_DEST_ALLBUT	0xc0000
#define APIC_SPIV_ENABLED	0x100

extern bool x2apic_mode;			/* [I] */
extern phys_addr_t apic_phys_base;		/* [I] from the MADT, 0xfee00000 otherwise */

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
void apic_eoi(void);
u32 read_apic_id(void);
void apic_send_ipi(u32 apicid, u32 mode_and_vector);	/* any context; preemption off */
void apic_send_ipi_all_but_self(u32 mode_and_vector);
void apic_map(void);				/* makes the registers reachable */
void apic_setup_cpu(void);			/* enables this CPU's local APIC */
void apic_setup_timer(void);			/* this CPU's clock_event device */
void apic_timer_interrupt(void);
void apic_timer_calibrate_start(void);
void apic_timer_calibrate_end(void);
void disable_local_apic(void);

void ioapic_register(u32 id, phys_addr_t base, u32 gsi_base);
void ioapic_init(void);				/* masks all pins */
/* Routes a global interrupt line to a vector on one CPU, masked.  0 or -ENODEV. */
int ioapic_set_route(u32 gsi, u8 vector, u32 apicid, bool level, bool active_low);
void ioapic_set_cpu(u32 gsi, u32 apicid);	/* a pin with a route leads to another CPU */
void ioapic_mask(u32 gsi);
void ioapic_unmask(u32 gsi);
bool ioapic_present(void);

void i8259_init(void);				/* moves the 8259s out of the way and masks all their lines */
void i8259_mask(u32 line);
void i8259_unmask(u32 line);
void i8259_eoi(u32 line);

#endif
