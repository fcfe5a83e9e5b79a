/*
 * desc.c: descriptor tables: the per-CPU GDT and TSS, the IDT that all CPUs share.
 *
 * Idea:    in long mode segments hardly matter: the GDT gives `syscall`/`sysret` and iret their selectors, holds the TSS
 *          (which gives the stacks), three TLS slots for 32-bit programs, and one segment whose limit is the CPU number.
 *          The IDT is one constant table, filled before the first fault may happen and read-only afterwards.
 * Locking: [c] each CPU writes its own tables; the IDT is [I].
 * See:     spec.md §1 "interrupts", §5 "segmentation"; asm/segment.h; Intel SDM 3A chapters 3, 6 and 8
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/numa.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <asm/irq_vectors.h>
#include <asm/msr.h>
#include <asm/thread_info.h>
#include <asm/traps.h>

#define EXCEPTION_STACK_SIZE	4096
#define GATE_INTERRUPT		0x8e	/* present, DPL 0, 64-bit interrupt gate: interrupts go off */
#define GATE_INTERRUPT_USER	0xee	/* ... DPL 3: a program may use the int instruction */

DEFINE_PER_CPU_PAGE_ALIGNED(struct gdt_table, gdt_page) = { {
	[GDT_ENTRY_KERNEL32_CS]	= { GDT_FLAT(0x9b, 0xc) },
	[GDT_ENTRY_KERNEL_CS]	= { GDT_FLAT(0x9b, 0xa) },
	[GDT_ENTRY_KERNEL_DS]	= { GDT_FLAT(0x93, 0xc) },
	[GDT_ENTRY_USER32_CS]	= { GDT_FLAT(0xfb, 0xc) },
	[GDT_ENTRY_USER_DS]	= { GDT_FLAT(0xf3, 0xc) },
	[GDT_ENTRY_USER_CS]	= { GDT_FLAT(0xfb, 0xa) },
} };
DEFINE_PER_CPU_ALIGNED(struct tss_struct, cpu_tss) = {
	.sp0 = (unsigned long)init_stack + THREAD_SIZE,
	.io_bitmap_base = IO_BITMAP_NONE,
	.io_bitmap_end = 0xff,
};
static DEFINE_PER_CPU_PAGE_ALIGNED(u8[NR_IST][EXCEPTION_STACK_SIZE], exception_stacks);

static struct gate_struct idt_table[NR_VECTORS] __aligned(4096) __ro_after_init;

static void __init set_gate(unsigned int vector, void (*handler)(void), u8 ist, u8 type)
{
	unsigned long addr = (unsigned long)handler;

	idt_table[vector] = (struct gate_struct){
		.offset_low = (u16)addr,
		.segment = __KERNEL_CS,
		.ist = ist,
		.type = type,
		.offset_middle = (u16)(addr >> 16),
		.offset_high = (u32)(addr >> 32),
	};
}

void load_idt(void)
{
	struct desc_ptr ptr = { sizeof(idt_table) - 1, (unsigned long)idt_table };

	asm volatile("lidt %0" : : "m" (ptr));
}

static void __init set_exception_gates(void)
{
	static const struct { u8 vector; void (*handler)(void); } gates[] __initconst = {
		{ X86_TRAP_DE, asm_exc_divide_error },		{ X86_TRAP_DB, asm_exc_debug },
		{ X86_TRAP_NMI, asm_exc_nmi },			{ X86_TRAP_BR, asm_exc_bounds },
		{ X86_TRAP_UD, asm_exc_invalid_op },		{ X86_TRAP_NM, asm_exc_device_not_available },
		{ X86_TRAP_DF, asm_exc_double_fault },		{ X86_TRAP_TS, asm_exc_invalid_tss },
		{ X86_TRAP_NP, asm_exc_segment_not_present },	{ X86_TRAP_SS, asm_exc_stack_segment },
		{ X86_TRAP_GP, asm_exc_general_protection },	{ X86_TRAP_PF, asm_exc_page_fault },
		{ X86_TRAP_MF, asm_exc_coprocessor_error },	{ X86_TRAP_AC, asm_exc_alignment_check },
		{ X86_TRAP_MC, asm_exc_machine_check },		{ X86_TRAP_XF, asm_exc_simd_coprocessor_error },
	};

	for (unsigned int v = 0; v < FIRST_EXTERNAL_VECTOR; v++)
		set_gate(v, asm_exc_reserved, 0, GATE_INTERRUPT);
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		set_gate(gates[i].vector, gates[i].handler, 0, GATE_INTERRUPT);
	set_gate(X86_TRAP_BP, asm_exc_int3, 0, GATE_INTERRUPT_USER);
	set_gate(X86_TRAP_OF, asm_exc_overflow, 0, GATE_INTERRUPT_USER);
}

/* Boot processor, before anything may fault.  No TSS yet, so no stacks of their own: cpu_init_exception_handling(). */
void __init trap_init_early(void)
{
	set_exception_gates();
	for (unsigned int v = FIRST_EXTERNAL_VECTOR; v < NR_VECTORS; v++)
		set_gate(v, (void (*)(void))(irq_entries_start + 8 * (v - FIRST_EXTERNAL_VECTOR)), 0, GATE_INTERRUPT);
	set_gate(IA32_SYSCALL_VECTOR, entry_INT80_compat, 0, GATE_INTERRUPT_USER);
	load_idt();
}

/* Once the TSS is loaded: the exceptions that may find the stack pointer unusable get stacks of their own. */
void __init idt_setup_ist(void)
{
	idt_table[X86_TRAP_DF].ist = IST_INDEX_DF;
	idt_table[X86_TRAP_NMI].ist = IST_INDEX_NMI;
	idt_table[X86_TRAP_DB].ist = IST_INDEX_DB;
	idt_table[X86_TRAP_MC].ist = IST_INDEX_MCE;
}

static void set_tss_descriptor(struct desc_struct *gdt, const struct tss_struct *tss)
{
	u64 base = (unsigned long)tss;
	u64 limit = sizeof(*tss) - 1;

	gdt[GDT_ENTRY_TSS].raw = limit | (base & 0xffffff) << 16 | 0x89ULL << 40 | (base >> 24 & 0xff) << 56;
	gdt[GDT_ENTRY_TSS + 1].raw = base >> 32;
}

/*
 * This CPU goes over to its own GDT and per-CPU base.  Loading a null %gs selector would clear the base on some
 * processors, so the base is written last.
 */
void load_gdt_and_percpu(int cpu)
{
	struct gdt_table *gdt = per_cpu_ptr(&gdt_page, cpu);
	struct desc_ptr ptr = { sizeof(*gdt) - 1, (unsigned long)gdt };

	/* Expand-down or not does not matter to lsl: data, DPL 3, limit = CPU number, and from bit 12 on its node. */
	gdt->desc[GDT_ENTRY_CPUNODE].raw = 0x0040f50000000000ULL | (unsigned int)(cpu_to_node(cpu) << 12 | cpu);
	asm volatile("lgdt %0" : : "m" (ptr));
	loadsegment(ds, __KERNEL_DS);
	loadsegment(es, __KERNEL_DS);
	loadsegment(ss, __KERNEL_DS);
	loadsegment(fs, 0);
	loadsegment(gs, 0);
	wrmsrl(MSR_GS_BASE, per_cpu_offset(cpu));
	wrmsrl(MSR_KERNEL_GS_BASE, 0);
}

/* This CPU, on its own GDT: TSS with the exception stacks, IDT. */
void cpu_init_exception_handling(void)
{
	struct tss_struct *tss = this_cpu_ptr(&cpu_tss);
	struct gdt_table *gdt = this_cpu_ptr(&gdt_page);

	for (int i = 0; i < NR_IST; i++)
		tss->ist[i] = (unsigned long)(*this_cpu_ptr(&exception_stacks))[i] + EXCEPTION_STACK_SIZE;
	set_tss_descriptor(gdt->desc, tss);
	load_tr(GDT_ENTRY_TSS * 8);
	load_idt();
	asm volatile("lldt %w0" : : "r" (0));
}

void load_tls(const struct desc_struct *tls, int cpu)
{
	struct gdt_table *gdt = per_cpu_ptr(&gdt_page, cpu);

	for (int i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		gdt->desc[GDT_ENTRY_TLS_MIN + i] = tls[i];
}
