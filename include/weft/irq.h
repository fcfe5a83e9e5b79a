/*
 * irq.h: interrupt lines and the counters that /proc shows.
 *
 * Idea:    an irq number below 16 is an ISA line, routed as the firmware's overrides say; from 16 on it is the global
 *          number of an I/O APIC pin; from FIRST_MSI_IRQ on, a message that a device sends.  Vectors stay inside arch/.
 * See:     kernel/arch/x86/kernel/irq.c
 */
#ifndef WEFT_IRQ_H
#define WEFT_IRQ_H

#include <weft/types.h>
#include <weft/percpu.h>

#define FIRST_MSI_IRQ	224
#define NR_IRQS		400

struct cpumask;
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
/* The whole of /proc/interrupts. */
int show_interrupts(struct seq_file *m, void *v);
/* Registers of the interrupted code, inside an interrupt handler; NULL elsewhere. */
struct pt_regs *get_irq_regs(void);
struct pt_regs *set_irq_regs(struct pt_regs *regs);

/* ---- which processor ---- */

/*
 * The line goes to one CPU of the mask that is online, the one with the fewest lines; *effective_cpu* says which.  A line that
 * nobody has listened to yet keeps it for then.  Linux's name and meaning.  May sleep.  0, -EINVAL: none is online, -EIO.
 */
int irq_set_affinity(unsigned int irq, const struct cpumask *mask);
bool irq_in_use(unsigned int irq);
void irq_get_affinity(unsigned int irq, struct cpumask *asked, struct cpumask *effective);
/* Called at the first request of each line from now on: /proc/irq.  Set once, at start-up. */
extern void (*irq_first_request)(unsigned int irq);

/* ---- messages instead of lines: for the bus that carries them ---- */

/* What the device writes, and where to. */
struct msi_msg {
	u64	address;
	u32	data;
};

struct msi_ops {
	const char *name;		/* "PCI-MSI" */
	/* Both: any context, interrupts off.  write_msg may come while it is not masked: then only the address changes. */
	void	(*write_msg)(void *dev, unsigned int nr, const struct msi_msg *msg);
	void	(*mask)(void *dev, unsigned int nr, bool masked);
};
/* count irq numbers in a row, for messages 0 ... of the device.  They stay.  The first, or -ENOSPC, -ENODEV: no APIC. */
int irq_alloc_msi(const struct msi_ops *ops, void *dev, unsigned int count);

#endif
