/*
 * events.c: the table of all events: switching them on and off, their text, and the dump after a panic.
 *
 * What:    names and formats come from the tables in kernel/trace/events through the generator.  The word "trace=" of the
 *          command line switches events on from trace_init() on, /proc/weft/trace later.
 * Locking: trace_event_on[] is one byte an event, written at any time: a CPU that sees it late records one event more or
 *          less.
 * See:     tools/gen_trace.py, proc.c
 */
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time64.h>
#include <asm/syscall.h>
#include "internal.h"

#define DUMP_RECORDS	64		/* of each CPU, after a panic */

const struct trace_event trace_events[NR_TRACE_EVENTS + 1] = {
#include <generated/trace_table.h>
	[NR_TRACE_EVENTS] = { .name = "text", .system = "trace", .format = "", .fields = "" },
};

static char boot_events[256];		/* [I] the value of "trace=" */

/* ---- on and off ---- */

/* Does a word mean this event: its name, "system:" (or "system:*", "system:name"), "all"? */
static bool matches(const struct trace_event *e, const char *word)
{
	size_t n = strlen(e->system);

	if (!strcmp(word, "all") || !strcmp(word, e->name))
		return true;
	if (strncmp(word, e->system, n) || word[n] != ':')
		return false;
	word += n + 1;
	return !*word || !strcmp(word, "*") || !strcmp(word, e->name);
}

/* One word; false when no event is meant. */
static bool set_matching(const char *word)
{
	bool on = *word != '!', found = false;

	word += !on;
	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++)
		if (matches(&trace_events[i], word)) {
			WRITE_ONCE(trace_event_on[i], on);
			found = true;
		}
	return found;
}

int trace_set_events(char *words)
{
	int err = trace_alloc_buffers();
	char *word;

	while (!err && (word = strsep(&words, " ,\t\n")))
		if (*word && !set_matching(word))
			err = -EINVAL;
	syscall_trace_switch(trace_event_on[TRACE_SYS_ENTER] || trace_event_on[TRACE_SYS_EXIT]);
	return err;
}

/* ---- text ---- */

/* "   42 [001] d.h2    12.345678: sched_switch: prev=42 next=7" */
int trace_format(char *buf, size_t size, const struct trace_record *r, int cpu)
{
	const struct trace_event *e = &trace_events[r->event];
	u64 us = r->ts / NSEC_PER_USEC;
	int n = scnprintf(buf, size, "%7d [%03d] %c%c%c%x %6llu.%06llu: ", (int)r->pid, cpu,
			  r->context & CONTEXT_IRQOFF ? 'd' : '.',
			  r->context & CONTEXT_NMI ? 'n' : r->context & CONTEXT_HARDIRQ ? 'h' : '.',
			  r->context & CONTEXT_SOFTIRQ ? 's' : '.', r->context & CONTEXT_PREEMPT,
			  us / USEC_PER_SEC, us % USEC_PER_SEC);

	if (r->event == TRACE_TEXT)
		return n + scnprintf(buf + n, size - n, "%.*s\n", (int)r->nr_args, (const char *)r->args);
	n += scnprintf(buf + n, size - n, "%s: ", e->name);
	/* A conversion takes what it needs of its 64-bit argument. */
	n += scnprintf(buf + n, size - n, e->format, r->args[0], r->args[1], r->args[2], r->args[3], r->args[4], r->args[5]);
	return n + scnprintf(buf + n, size - n, "\n");
}

/* ---- after a panic ---- */

static struct { unsigned long next, last; } dump_cursor[NR_CPUS];	/* [-] the panicking CPU alone */

/* The next record in order of time; its CPU, or -1 at the end. */
static int next_in_time(struct trace_record *oldest)
{
	struct trace_record r;
	int cpu, found = -1;

	for_each_possible_cpu(cpu) {
		while (dump_cursor[cpu].next < dump_cursor[cpu].last &&
		       !trace_ring_read(cpu, dump_cursor[cpu].next, &r))
			dump_cursor[cpu].next++;
		if (dump_cursor[cpu].next < dump_cursor[cpu].last && (found < 0 || r.ts < oldest->ts)) {
			*oldest = r;
			found = cpu;
		}
	}
	if (found >= 0)
		dump_cursor[found].next++;
	return found;
}

/* Without memory, locks or sleep: merges by looking at the next record of each CPU. */
void trace_dump(void)
{
	static char line[256];
	struct trace_record r;
	int cpu;

	tracing_off();
	if (!trace_ring_size())
		return;
	for_each_possible_cpu(cpu) {
		unsigned long first, last;

		trace_ring_span(cpu, &first, &last);
		dump_cursor[cpu].last = last;
		dump_cursor[cpu].next = last - min(last - first, (unsigned long)DUMP_RECORDS);
	}
	printk(KERN_EMERG "Latest trace events:\n");
	while ((cpu = next_in_time(&r)) >= 0) {
		trace_format(line, sizeof(line), &r, cpu);
		printk(KERN_EMERG "%s", line);
	}
}

/* ---- start-up ---- */

static int __init trace_setup(char *value)
{
	strscpy(boot_events, value, sizeof(boot_events));
	return 0;
}
early_param("trace", trace_setup);

void __init trace_init(void)
{
	panic_dump_hook = trace_dump;
	if (boot_events[0] && trace_set_events(boot_events))
		pr_warn("trace=: an event of this name does not exist, or there is no memory for the buffers\n");
}
