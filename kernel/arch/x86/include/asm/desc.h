/*
 * desc.h: per-CPU descriptor tables and their loading.
 */
#ifndef ASM_DESC_H
#define ASM_DESC_H

#include <weft/percpu.h>
#include <asm/asm.h>
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
/* A selector whose descriptor has gone (modify_ldt of another thread) faults: the null selector takes its place. */
#define loadsegment(seg, value) do { \
	__label__ __bad_selector; \
	asm volatile goto("1: mov %k0, %%" #seg "\n" _ASM_EXTABLE(1b, %l1) \
		 : : "r" ((u32)(value)) : "memory" : __bad_selector); \
	break; \
__bad_selector: \
	asm volatile("mov %k0, %%" #seg : : "r" (0) : "memory"); \
} while (0)
#define SEGMENT_TI_MASK	4	/* of a selector: it is one of the LDT */
#define savesegment(seg, value) asm("mov %%" #seg ", %w0" : "=r" (value))

#endif
