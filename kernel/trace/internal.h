/*
 * internal.h: what the files of the trace folder share.
 */
#ifndef TRACE_INTERNAL_H
#define TRACE_INTERNAL_H

#include <weft/trace.h>

#define TRACE_TEXT	NR_TRACE_EVENTS		/* not an event of the tables: 48 bytes of trace_printk()'s text */
#define TRACE_BUSY	0xffff			/* the slot is being written */

/* One event, one cache line. */
struct trace_record {
	u64	ts;			/* ns */
	u32	pid;
	u16	event;			/* written last */
	u8	nr_args;		/* TRACE_TEXT: bytes of text */
	u8	context;		/* CONTEXT_*, preemption depth in the low bits */
	u64	args[TRACE_MAX_ARGS];
};
#define TEXT_BYTES	(TRACE_MAX_ARGS * sizeof(u64))

#define CONTEXT_PREEMPT	0x0f
#define CONTEXT_IRQOFF	0x10
#define CONTEXT_SOFTIRQ	0x20
#define CONTEXT_HARDIRQ	0x40
#define CONTEXT_NMI	0x80

extern const struct trace_event trace_events[];

/* ring.c */
int trace_alloc_buffers(void);			/* once; 0 or -ENOMEM; may sleep */
void trace_clear(void);
unsigned long trace_ring_size(void);		/* records in one CPU's ring */
/* The numbers of the records that a CPU's ring holds: [*first, *last). */
void trace_ring_span(int cpu, unsigned long *first, unsigned long *last);
/* A copy of record nr; false if it has been overwritten or is not complete. */
bool trace_ring_read(int cpu, unsigned long nr, struct trace_record *copy);
bool trace_is_on(void);
void trace_text(const char *text, size_t len);

/* events.c */
int trace_format(char *buf, size_t size, const struct trace_record *r, int cpu);	/* one line */
/* "name", "!name", "system:", "all", separated by spaces or commas.  0 or -EINVAL at the first that is unknown. */
int trace_set_events(char *words);

#endif
