/*
 * irq.c: from an interrupt vector to the functions that asked for it.
 *
 * What:    handle_vector(), called by every external interrupt's gate; request_irq() and its relatives; the counts that
 *          /proc/interrupts shows.
 * Idea:    a line gets a vector when it is first requested, and keeps it.  The vector is the same on all CPUs, so moving a
 *          line is nothing but writing another destination.  A new line goes to the CPU that has the fewest.
 *          A line's handlers are a short list that is only read from the interrupt; who changes it masks the line and waits
 *          until no handler runs.
 * Locking: irq_setup_lock: vectors, destinations, lines_on[].
 *          desc->lock (interrupts off) guards a line's depth and its list; the list's readers run with `running` > 0
 *          instead, and free_irq() waits for that to become 0.  vector_to_irq is [I] once the line is unmasked.
 * See:     spec.md §1 "interrupts and time"; entry_64.S; apic.c, ioapic.c, i8259.c
 */
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/irq.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <weft/trace.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/entry.h>
#include <asm/irq_vectors.h>
#include <asm/traps.h>

#define NR_ISA_IRQS	16
#define NO_IRQ		0xffff
#define MSI_ADDRESS	0xfee00000ull	/* bits 12-19: the APIC it is for */

struct irqaction {
	irq_handler_t		handler;
	void			*dev;
	const char		*name;
	unsigned long		flags;
	struct irqaction	*next;
};

struct irq_desc {
	spinlock_t		lock;
	struct irqaction	*action;	/* [r: running > 0, written under lock] */
	unsigned int		depth;		/* [lock] disable_irq() nesting; nobody listening counts as one */
	atomic_t		running;	/* [a] handlers at work */
	u8			vector;		/* [I] 0: none yet */
	u8			cpu;		/* [irq_setup_lock] where it goes, once it has a vector */
	struct cpumask		affinity;	/* [irq_setup_lock] what was asked for; empty: any */
	const struct msi_ops	*msi;		/* [I] NULL: a pin */
	void			*msi_dev;	/* [I] */
	unsigned int		msi_nr;		/* [I] */
};

static struct irq_desc irq_desc[NR_IRQS];
static u16 vector_to_irq[NR_VECTORS];
static unsigned int next_vector = FIRST_DEVICE_VECTOR;
static unsigned int next_msi = FIRST_MSI_IRQ;	/* [irq_setup_lock] */
static unsigned int lines_on[NR_CPUS];		/* [irq_setup_lock] how many lead to a CPU */
static DEFINE_MUTEX(irq_setup_lock);		/* request_irq() and free_irq(), one at a time */
void (*irq_first_request)(unsigned int irq);

DEFINE_PER_CPU(irq_cpustat_t, irq_stat);
static DEFINE_PER_CPU(unsigned int[NR_IRQS], kstat_irq_counts);
static DEFINE_PER_CPU(struct pt_regs *, irq_regs);

struct pt_regs *get_irq_regs(void)
{
	return this_cpu_read(irq_regs);
}

struct pt_regs *set_irq_regs(struct pt_regs *regs)
{
	struct pt_regs *old = this_cpu_read(irq_regs);

	this_cpu_write(irq_regs, regs);
	return old;
}

/* ---- how a line reaches this processor ---- */

static bool line_is_level(unsigned int irq)
{
	return irq >= NR_ISA_IRQS || isa_irq_routes[irq].level;
}

static u32 line_to_gsi(unsigned int irq)
{
	return irq < NR_ISA_IRQS ? isa_irq_routes[irq].gsi : irq;
}

static void mask_line(unsigned int irq)
{
	const struct irq_desc *desc = &irq_desc[irq];

	if (desc->msi)
		desc->msi->mask(desc->msi_dev, desc->msi_nr, true);
	else if (ioapic_present())
		ioapic_mask(line_to_gsi(irq));
	else
		i8259_mask(irq);
}

static void unmask_line(unsigned int irq)
{
	const struct irq_desc *desc = &irq_desc[irq];

	if (desc->msi)
		desc->msi->mask(desc->msi_dev, desc->msi_nr, false);
	else if (ioapic_present())
		ioapic_unmask(line_to_gsi(irq));
	else
		i8259_unmask(irq);
}

static void end_of_interrupt(unsigned int irq)
{
	if (!ioapic_present() && irq < NR_ISA_IRQS)
		i8259_eoi(irq);
	else
		apic_eoi();
}

/* ---- which CPU ---- */

/* Of those online in the mask the one with the fewest lines; of all, if it is empty.  -EINVAL: none. */
static int pick_cpu(const struct cpumask *mask)
{
	int cpu, best = -EINVAL;

	lockdep_assert_held(&irq_setup_lock);
	for_each_online_cpu(cpu)
		if (cpumask_empty(mask) || cpumask_test_cpu((unsigned int)cpu, mask))
			best = best < 0 || lines_on[cpu] < lines_on[best] ? cpu : best;
	return best;
}

static struct msi_msg msi_message(const struct irq_desc *desc)
{
	return (struct msi_msg){ .address = MSI_ADDRESS | cpu_to_apicid[desc->cpu] << 12, .data = desc->vector };
}

/* The line has a vector: tells its source where to. */
static void set_destination(unsigned int irq, unsigned int cpu)
{
	struct irq_desc *desc = &irq_desc[irq];
	unsigned long flags;

	lockdep_assert_held(&irq_setup_lock);
	lines_on[desc->cpu]--;
	lines_on[cpu]++;
	spin_lock_irqsave(&desc->lock, flags);
	desc->cpu = (u8)cpu;
	if (desc->msi) {
		struct msi_msg msg = msi_message(desc);

		desc->msi->write_msg(desc->msi_dev, desc->msi_nr, &msg);
	} else {
		ioapic_set_cpu(line_to_gsi(irq), cpu_to_apicid[cpu]);
	}
	spin_unlock_irqrestore(&desc->lock, flags);
}

int irq_set_affinity(unsigned int irq, const struct cpumask *mask)
{
	struct irq_desc *desc = &irq_desc[irq];
	int cpu, err = 0;

	if (irq >= NR_IRQS)
		return -EINVAL;
	mutex_lock(&irq_setup_lock);
	cpu = pick_cpu(mask);
	if (cpu < 0 || cpumask_empty(mask))
		err = -EINVAL;
	else if (!ioapic_present() && !desc->msi)
		err = -EIO;			/* an 8259 knows the boot CPU only */
	if (!err) {
		cpumask_copy(&desc->affinity, mask);
		if (desc->vector && !cpumask_test_cpu(desc->cpu, mask))
			set_destination(irq, (unsigned int)cpu);
	}
	mutex_unlock(&irq_setup_lock);
	return err;
}

void irq_get_affinity(unsigned int irq, struct cpumask *asked, struct cpumask *effective)
{
	const struct irq_desc *desc = &irq_desc[irq];

	mutex_lock(&irq_setup_lock);
	cpumask_copy(asked, cpumask_empty(&desc->affinity) ? cpu_online_mask : &desc->affinity);
	cpumask_copy(effective, cpumask_of(desc->cpu));
	mutex_unlock(&irq_setup_lock);
}

bool irq_in_use(unsigned int irq)
{
	return irq < NR_IRQS && READ_ONCE(irq_desc[irq].action);
}

/* ---- vectors ---- */

int irq_alloc_msi(const struct msi_ops *ops, void *dev, unsigned int count)
{
	int first = -ENOSPC;

	if (!ioapic_present())
		return -ENODEV;
	mutex_lock(&irq_setup_lock);
	if (count <= NR_IRQS - next_msi && count <= LAST_DEVICE_VECTOR - next_vector) {
		first = (int)next_msi;
		for (unsigned int nr = 0; nr < count; nr++) {
			struct irq_desc *desc = &irq_desc[next_msi++];

			desc->msi = ops;
			desc->msi_dev = dev;
			desc->msi_nr = nr;
		}
	}
	mutex_unlock(&irq_setup_lock);
	return first;
}

static int assign_legacy_vector(unsigned int irq)
{
	if (irq >= NR_ISA_IRQS)
		return -ENODEV;
	irq_desc[irq].vector = (u8)(FIRST_EXTERNAL_VECTOR + irq);
	vector_to_irq[FIRST_EXTERNAL_VECTOR + irq] = (u16)irq;
	return 0;
}

/* First request of a line: a vector and a CPU. */
static int assign_vector(unsigned int irq)
{
	struct irq_desc *desc = &irq_desc[irq];
	bool active_low = irq >= NR_ISA_IRQS || isa_irq_routes[irq].active_low;
	int cpu, err = 0;

	lockdep_assert_held(&irq_setup_lock);
	if (desc->vector)
		return 0;
	if (!ioapic_present())
		return assign_legacy_vector(irq);
	if (next_vector == IA32_SYSCALL_VECTOR)
		next_vector++;
	if (next_vector > LAST_DEVICE_VECTOR)
		return -ENOMEM;
	cpu = pick_cpu(&desc->affinity);
	vector_to_irq[next_vector] = (u16)irq;
	if (!desc->msi)
		err = ioapic_set_route(line_to_gsi(irq), (u8)next_vector, cpu_to_apicid[cpu], line_is_level(irq), active_low);
	if (err)
		return err;
	desc->vector = (u8)next_vector++;
	desc->cpu = (u8)cpu;
	lines_on[cpu]++;
	if (desc->msi)
		set_destination(irq, (unsigned int)cpu);
	return 0;
}

/* ---- for drivers ---- */

static int add_action(struct irq_desc *desc, unsigned int irq, struct irqaction *new)
{
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&desc->lock, flags);
	if (desc->action && !(desc->action->flags & new->flags & IRQF_SHARED)) {
		err = -EBUSY;
	} else {
		bool first = !desc->action;

		new->next = desc->action;
		smp_store_release(&desc->action, new);
		if (first && --desc->depth == 0)
			unmask_line(irq);
	}
	spin_unlock_irqrestore(&desc->lock, flags);
	return err;
}

int request_irq(unsigned int irq, irq_handler_t handler, unsigned long flags, const char *name, void *dev)
{
	struct irqaction *new;
	bool first;
	int err;

	if (irq >= NR_IRQS || !handler || (flags & IRQF_SHARED && !dev))
		return -EINVAL;
	new = kmalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return -ENOMEM;
	*new = (struct irqaction){ .handler = handler, .dev = dev, .name = name, .flags = flags };

	mutex_lock(&irq_setup_lock);
	first = !irq_desc[irq].vector;
	err = assign_vector(irq);
	if (!err)
		err = add_action(&irq_desc[irq], irq, new);
	mutex_unlock(&irq_setup_lock);
	if (err)
		kfree(new);
	else if (first && irq_first_request)
		irq_first_request(irq);
	return err;
}

void free_irq(unsigned int irq, void *dev)
{
	struct irq_desc *desc = &irq_desc[irq];
	struct irqaction **link, *old = NULL;
	unsigned long flags;

	mutex_lock(&irq_setup_lock);
	spin_lock_irqsave(&desc->lock, flags);
	for (link = &desc->action; *link; link = &(*link)->next) {
		if ((*link)->dev != dev)
			continue;
		old = *link;
		WRITE_ONCE(*link, old->next);
		if (!desc->action && desc->depth++ == 0)
			mask_line(irq);
		break;
	}
	spin_unlock_irqrestore(&desc->lock, flags);
	synchronize_irq(irq);
	mutex_unlock(&irq_setup_lock);
	kfree(old);
}

void disable_irq_nosync(unsigned int irq)
{
	struct irq_desc *desc = &irq_desc[irq];
	unsigned long flags;

	spin_lock_irqsave(&desc->lock, flags);
	if (desc->depth++ == 0)
		mask_line(irq);
	spin_unlock_irqrestore(&desc->lock, flags);
}

void synchronize_irq(unsigned int irq)
{
	while (atomic_read(&irq_desc[irq].running))
		cpu_relax();
}

void disable_irq(unsigned int irq)
{
	disable_irq_nosync(irq);
	synchronize_irq(irq);
}

void enable_irq(unsigned int irq)
{
	struct irq_desc *desc = &irq_desc[irq];
	unsigned long flags;

	spin_lock_irqsave(&desc->lock, flags);
	if (!WARN_ON_ONCE(!desc->depth) && --desc->depth == 0)
		unmask_line(irq);
	spin_unlock_irqrestore(&desc->lock, flags);
}

/* ---- the interrupt itself ---- */

static void handle_irq(unsigned int irq)
{
	struct irq_desc *desc = &irq_desc[irq];
	bool handled = false;

	this_cpu_inc(kstat_irq_counts[irq]);
	trace_irq_handler_entry((int)irq);
	atomic_inc(&desc->running);
	smp_mb__after_atomic();
	for (struct irqaction *a = smp_load_acquire(&desc->action); a; a = READ_ONCE(a->next))
		handled |= a->handler((int)irq, a->dev) == IRQ_HANDLED;
	atomic_dec(&desc->running);
	trace_irq_handler_exit((int)irq, handled);
	end_of_interrupt(irq);
}

static void handle_device_vector(unsigned int vector)
{
	unsigned int irq = vector_to_irq[vector];

	if (irq != NO_IRQ) {
		handle_irq(irq);
		return;
	}
	/* An 8259 that was told to be quiet, or a line that was masked too late.  8259 vectors are not in service here. */
	this_cpu_inc(irq_stat.spurious);
	if (vector >= FIRST_DEVICE_VECTOR)
		apic_eoi();
}

static void handle_error_interrupt(void)
{
	this_cpu_inc(irq_stat.errors);
	apic_write(APIC_ESR, 0);
	printk_ratelimited(KERN_WARNING "local APIC error %#x on CPU %d\n", apic_read(APIC_ESR), smp_processor_id());
	apic_eoi();
}

static void dispatch_vector(unsigned int vector)
{
	switch (vector) {
	case LOCAL_TIMER_VECTOR:
		apic_eoi();
		apic_timer_interrupt();
		break;
	case CALL_FUNCTION_VECTOR:
		apic_eoi();
		this_cpu_inc(irq_stat.call);
		smp_call_function_interrupt();
		break;
	case REBOOT_VECTOR:
		apic_eoi();
		stop_this_cpu();
	case ERROR_APIC_VECTOR:
		handle_error_interrupt();
		break;
	case SPURIOUS_APIC_VECTOR:
		this_cpu_inc(irq_stat.spurious);	/* by definition not in service: no end of interrupt */
		break;
	default:
		handle_device_vector(vector);
	}
}

/* From entry_64.S, interrupts off, on the interrupted task's stack.  `pushed` is the gate's byte: vector - 0x80. */
void handle_vector(struct pt_regs *regs, unsigned long pushed)
{
	unsigned int vector = (unsigned int)(pushed + 0x80) & 0xff;
	struct pt_regs *old;

	if (vector == RESCHEDULE_VECTOR) {
		/* The way out of the interrupt does what was asked for; only queued wake-ups are left to do here. */
		apic_eoi();
		this_cpu_inc(irq_stat.resched);
		scheduler_ipi();
		return;
	}
	old = set_irq_regs(regs);
	irq_enter();
	dispatch_vector(vector);
	irq_exit();
	set_irq_regs(old);
}

void __init init_IRQ(void)
{
	for (unsigned int i = 0; i < NR_IRQS; i++) {
		spin_lock_init(&irq_desc[i].lock);
		irq_desc[i].depth = 1;
	}
	for (unsigned int v = 0; v < NR_VECTORS; v++)
		vector_to_irq[v] = NO_IRQ;
	ioapic_init();
	i8259_init();
	apic_setup_cpu();
	apic_timer_calibrate_start();
}

/* ---- counts ---- */

u64 kstat_cpu_irqs_sum(unsigned int cpu)
{
	const irq_cpustat_t *s = per_cpu_ptr(&irq_stat, cpu);
	u64 sum = (u64)s->timer + s->resched + s->call + s->spurious + s->errors + s->nmi;

	for (unsigned int irq = 0; irq < NR_IRQS; irq++)
		sum += per_cpu(kstat_irq_counts, cpu)[irq];
	return sum;
}

static void show_line(struct seq_file *m, unsigned int irq)
{
	struct irq_desc *desc = &irq_desc[irq];
	unsigned long flags;
	int cpu;

	seq_printf(m, "%4u:", irq);
	for_each_online_cpu(cpu)
		seq_printf(m, " %10u", per_cpu(kstat_irq_counts, cpu)[irq]);
	if (desc->msi)
		seq_printf(m, "  %s %3u-edge  ", desc->msi->name, desc->msi_nr);
	else
		seq_printf(m, "  %s %3u-%s  ", ioapic_present() ? "IO-APIC" : "XT-PIC", line_to_gsi(irq),
			   line_is_level(irq) ? "fasteoi" : "edge");
	spin_lock_irqsave(&desc->lock, flags);
	for (struct irqaction *a = desc->action; a; a = a->next)
		seq_printf(m, " %s%s", a->name, a->next ? "," : "");
	spin_unlock_irqrestore(&desc->lock, flags);
	seq_putc(m, '\n');
}

static void show_counts(struct seq_file *m, const char *tag, size_t offset, const char *what)
{
	int cpu;

	seq_printf(m, "%4s:", tag);
	for_each_online_cpu(cpu)
		seq_printf(m, " %10u", *(unsigned int *)((char *)per_cpu_ptr(&irq_stat, cpu) + offset));
	seq_printf(m, "  %s\n", what);
}

int show_interrupts(struct seq_file *m, void *v)
{
	int cpu;

	seq_puts(m, "     ");
	for_each_online_cpu(cpu)
		seq_printf(m, "       CPU%-2d", cpu);
	seq_putc(m, '\n');
	for (unsigned int irq = 0; irq < NR_IRQS; irq++)
		if (READ_ONCE(irq_desc[irq].action))
			show_line(m, irq);
	show_counts(m, "NMI", offsetof(irq_cpustat_t, nmi), "Non-maskable interrupts");
	show_counts(m, "LOC", offsetof(irq_cpustat_t, timer), "Local timer interrupts");
	show_counts(m, "SPU", offsetof(irq_cpustat_t, spurious), "Spurious interrupts");
	show_counts(m, "RES", offsetof(irq_cpustat_t, resched), "Rescheduling interrupts");
	show_counts(m, "CAL", offsetof(irq_cpustat_t, call), "Function call interrupts");
	show_counts(m, "ERR", offsetof(irq_cpustat_t, errors), "Local APIC errors");
	return 0;
}
