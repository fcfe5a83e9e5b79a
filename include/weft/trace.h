/*
 * trace.h: trace events: what happened, when, on which CPU, to which task.
 *
 * What:    an event is declared once, in kernel/trace/events/FOLDER.tbl, as "name | typed arguments | format"; the
 *          generator (tools/gen_trace.py) makes an inline trace_NAME(arguments) of it.
 * Idea:    when the event is off, the call is one load and one predicted branch.  When it is on, the arguments, the time
 *          and the task go into this CPU's ring buffer without a lock, from any context, the oldest records giving way.
 * See:     kernel/trace/ring.c, events.c, proc.c; spec.md §11
 */
#ifndef WEFT_TRACE_H
#define WEFT_TRACE_H

#include <weft/types.h>
#include <weft/compiler.h>

#define TRACE_MAX_ARGS	6

/* One row of the generated table. */
struct trace_event {
	const char	*name;
	const char	*system;		/* the .tbl file's name */
	const char	*format;		/* printf format over all arguments as long long */
	const char	*fields;		/* "u32 pid, u64 addr" */
	u8		nr_args;
};

void trace_record(unsigned int event, unsigned int nr_args, const u64 *args);	/* trace/ring.c */
void trace_init(void);			/* buffers, and the events that trace= names */
void trace_printk(const char *fmt, ...) __printf(1, 2);
void trace_dump(void);			/* all buffers to the console, oldest first: after a panic */
void tracing_on(void);
void tracing_off(void);

#include <generated/trace_events.h>

#endif
