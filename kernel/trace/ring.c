/*
 * ring.c: where events are recorded: a ring of records for each CPU.
 *
 * Idea:    a record is 64 bytes, so the n-th of a CPU lies at n % size.  A writer takes its number with one instruction
 *          (xadd on its own CPU's counter), so an interrupt or NMI in the middle takes the next one and nobody waits.
 *          The record's event is written last; until then it says TRACE_BUSY.  A reader copies and then looks whether the
 *          counter has come round meanwhile:
 *
 *              reader of record n                      writer
 *              copies the slot
 *                                                      counter = n + size + 1   (before it writes the slot)
 *                                                      writes the slot
 *              counter > n + size: throws the copy away
 *
 * Locking: none for recording and reading.  buffer_lock for making the buffers, once.
 * Cost:    about 40 instructions an event that is on; one load and branch when it is off.  Memory only once an event has
 *          been switched on (trace_kb= KiB for each CPU).
 * See:     spec.md §11
 */
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/log2.h>
#include <weft/mutex.h>
#include <weft/percpu.h>
#include <weft/preempt.h>
#include <weft/sched.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include <weft/vmalloc.h>
#include "internal.h"

struct trace_ring {
	struct trace_record	*records;	/* [I] once not NULL */
	unsigned long		head;		/* [c] number of the next record */
	unsigned long		cleared;	/* [-] records before this one are not shown any more */
};

static DEFINE_PER_CPU(struct trace_ring, trace_rings);
static unsigned long ring_size __read_mostly;	/* [I] records, a power of two; 0: no buffers yet */
static bool tracing __read_mostly;		/* [-] recording at all? */
static DEFINE_MUTEX(buffer_lock);
static unsigned int buffer_kb = 256;		/* [I] a CPU */

u8 trace_event_on[NR_TRACE_EVENTS + 1] __read_mostly;

static_assert(sizeof(struct trace_record) == 64);

static u8 context_now(unsigned long irqflags)
{
	int depth = preempt_count() & PREEMPT_MASK;
	u8 context = (u8)min(depth, CONTEXT_PREEMPT);

	if (raw_irqs_disabled_flags(irqflags))
		context |= CONTEXT_IRQOFF;
	if (in_serving_softirq())
		context |= CONTEXT_SOFTIRQ;
	if (in_hardirq())
		context |= CONTEXT_HARDIRQ;
	if (in_nmi())
		context |= CONTEXT_NMI;
	return context;
}

/* Interrupts are off so that a record is not left half written for as long as this task may be kept from running. */
static void record(unsigned int event, unsigned int nr_args, const void *data, size_t len)
{
	unsigned long flags, nr;
	struct trace_record *r;

	if (!READ_ONCE(tracing))
		return;
	raw_local_irq_save(flags);
	nr = this_cpu_inc_return(trace_rings.head) - 1;
	r = &this_cpu_read(trace_rings.records)[nr & (ring_size - 1)];
	WRITE_ONCE(r->event, TRACE_BUSY);
	barrier();
	r->ts = sched_clock();
	r->pid = (u32)current->pid;
	r->nr_args = (u8)nr_args;
	r->context = context_now(flags);
	memcpy(r->args, data, len);
	smp_store_release(&r->event, (u16)event);
	raw_local_irq_restore(flags);
}

void trace_record(unsigned int event, unsigned int nr_args, const u64 *args)
{
	record(event, nr_args, args, nr_args * sizeof(u64));
}

/* As many records as the text needs. */
void trace_text(const char *text, size_t len)
{
	while (len) {
		size_t n = min(len, TEXT_BYTES);

		record(TRACE_TEXT, (unsigned int)n, text, n);
		text += n;
		len -= n;
	}
}

void trace_printk(const char *fmt, ...)
{
	char text[4 * TEXT_BYTES];
	va_list args;
	int len;

	if (!READ_ONCE(tracing))
		return;
	va_start(args, fmt);
	len = vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len && text[len - 1] == '\n')
		len--;
	trace_text(text, (size_t)len);
}

void tracing_on(void)
{
	if (ring_size)
		WRITE_ONCE(tracing, true);
}

void tracing_off(void)
{
	WRITE_ONCE(tracing, false);
}

bool trace_is_on(void)
{
	return READ_ONCE(tracing);
}

int trace_alloc_buffers(void)
{
	unsigned long size = roundup_pow_of_two(max(buffer_kb, 4u) * 1024ul / sizeof(struct trace_record));
	int cpu, err = 0;

	mutex_lock(&buffer_lock);
	if (ring_size)
		goto out;
	for_each_possible_cpu(cpu) {
		per_cpu(trace_rings, cpu).records = vzalloc(size * sizeof(struct trace_record));
		if (!per_cpu(trace_rings, cpu).records)
			err = -ENOMEM;
	}
	if (!err) {
		ring_size = size;
		smp_wmb();
		tracing_on();
		goto out;
	}
	for_each_possible_cpu(cpu) {
		vfree(per_cpu(trace_rings, cpu).records);
		per_cpu(trace_rings, cpu).records = NULL;
	}
out:
	mutex_unlock(&buffer_lock);
	return err;
}

unsigned long trace_ring_size(void)
{
	return ring_size;
}

void trace_clear(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu(trace_rings, cpu).cleared, READ_ONCE(per_cpu(trace_rings, cpu).head));
}

void trace_ring_span(int cpu, unsigned long *first, unsigned long *last)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_rings, cpu);

	*last = READ_ONCE(ring->head);
	*first = *last > ring_size ? *last - ring_size : 0;
	*first = max(*first, READ_ONCE(ring->cleared));
}

bool trace_ring_read(int cpu, unsigned long nr, struct trace_record *copy)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_rings, cpu);
	const struct trace_record *r = &ring->records[nr & (ring_size - 1)];

	if (smp_load_acquire(&r->event) == TRACE_BUSY)
		return false;
	*copy = *r;
	smp_rmb();
	return copy->event <= TRACE_TEXT && READ_ONCE(ring->head) <= nr + ring_size;
}

static int __init trace_kb_setup(char *value)
{
	return kstrtouint(value, 0, &buffer_kb);
}
early_param("trace_kb", trace_kb_setup);
