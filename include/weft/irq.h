/*
 * irq.h: interrupt lines and the counters that /proc shows.
 *
 * Idea:    an irq number below 16 is an ISA line, routed as the firmware's overrides say; from 16 on it is the global
 *          number of an I/O APIC pin.  Vectors stay inside arch/.
 * See:     kernel/arch/x86/kernel/irq.c
 */
#ifndef WEFT_IRQ_H
#define WEFT_IRQ_H

#include <weft/types.h>
#include <weft/percpu.h>

#define NR_IRQS		224

struct seq_file;
struct pt_regs;

/* Counts of what has no line, per CPU [c]. */
typedef struct {
	unsigned int	timer;
	unsigned int	resched;
	unsigned int	call;
	unsigned int	spurious;
	unsigned int	errors;
	unsigned int	nmi;
} irq_cpustat_t;
DECLARE_PER_CPU(irq_cpustat_t, irq_stat);

void init_IRQ(void);
/* All interrupts of one CPU, for /proc/stat. */
u64 kstat_cpu_irqs_sum(unsigned int cpu);
/* Calls of one line on all CPUs. */
/* The whole of /proc/interrupts. */
int show_interrupts(struct seq_file *m, void *v);
/* Registers of the interrupted code, inside an interrupt handler; NULL elsewhere. */
struct pt_regs *get_irq_regs(void);
struct pt_regs *set_irq_regs(struct pt_regs *regs);

#endif
