/*
 * desc.h: per-CPU descriptor tables and their loading.
 */
#ifndef ASM_DESC_H
#define ASM_DESC_H

#include <weft/percpu.h>
#include <asm/desc_defs.h>
#include <asm/segment.h>

struct gdt_table {
	struct desc_struct desc[GDT_ENTRIES];
} __aligned(128);
DECLARE_PER_CPU(struct gdt_table, gdt_page);
DECLARE_PER_CPU(struct tss_struct, cpu_tss);

/* A code or data descriptor from its access byte and flags nibble; base 0, limit 4 GiB. */
#define GDT_FLAT(access, flags)	(0x000f00000000ffffULL | (u64)(access) << 40 | (u64)(flags) << 52)

void load_gdt_and_percpu(int cpu);	/* this CPU goes over to its own GDT and GS base */
void cpu_init_exception_handling(void);	/* TSS with its IST stacks, IDT */
void idt_setup_ist(void);
void load_idt(void);
void load_tls(const struct desc_struct *tls, int cpu);

static inline void load_tr(u16 sel) { asm volatile("ltr %w0" : : "r" (sel)); }
#define loadsegment(seg, value) asm volatile("mov %k0, %%" #seg : : "r" ((u32)(value)) : "memory")
#define savesegment(seg, value) asm("mov %%" #seg ", %w0" : "=r" (value))

#endif
