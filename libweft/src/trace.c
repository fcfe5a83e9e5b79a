/*
 * trace.c: switches, wakes, waits and steals as a file that Perfetto (ui.perfetto.dev) and chrome://tracing open.
 *
 * What:  trace_event() is called at each of them while a trace is open; trace_close() writes the file.
 * Idea:  each worker fills a ring of its own, the newest events win; nothing is formatted before the end.  A worker is a
 *        track on which slices named after threads lie; waits are instants that name what is waited for.
 * Format: the Trace Event JSON: "B"/"E" slices, "i" instants, "M" names.
 * See:   weft_init(3) (WEFT_TRACE), doc/libweft.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

enum { NEVENTS = 1 << 16 };

struct trace_record {
	weft_time_t	when;
	unsigned long	id;
	const char	*what;
	char		kind, name[WEFT_NAME_MAX];
};

struct trace_buffer {
	struct trace_buffer	*next;
	unsigned long		n;
	int			tid;
	struct trace_record	r[NEVENTS];
};

static struct trace_buffer *buffers;	/* [a] */
static char *path;

void trace_event(char kind, struct weft_thread *t, const char *what)
{
	struct worker *w = this_worker();
	struct trace_buffer *b = w ? w->trace : NULL;
	struct trace_record *r;

	if (!w)
		return;
	if (!b) {
		b = calloc(1, sizeof *b);
		if (!b)
			return;
		b->tid = w->tid;
		b->next = a_load(&buffers);
		while (!a_cas(&buffers, &b->next, b))
			;
		w->trace = b;
	}
	r = &b->r[b->n++ % NEVENTS];
	r->when = weft_now();
	r->kind = kind;
	r->id = !t || (t->flags & TF_IDLE) ? 0 : t->id;
	r->what = what;
	r->name[0] = 0;
	if (t && t->name[0])
		memcpy(r->name, t->name, WEFT_NAME_MAX);
}

int trace_open(const char *file)
{
	FILE *f = fopen(file, "w");	/* find out now whether it can be written */

	if (!f)
		return errno;
	fclose(f);
	path = strdup(file);
	rt.trace = path != NULL;
	return path ? 0 : ENOMEM;
}

static void put_name(FILE *f, const struct trace_record *r)
{
	if (!r->id)
		fputs("idle", f);
	else if (!r->name[0])
		fprintf(f, "thread %lu", r->id);
	else
		for (const char *p = r->name; *p; p++)
			fputc(*p == '"' || *p == '\\' || (unsigned char)*p < 32 ? '_' : *p, f);
}

static void put_record(FILE *f, int tid, const struct trace_record *r, int *open)
{
	static const struct { char kind; const char *label; } label[] = {
		{ 'W', "wake" }, { 'P', "wait" }, { 'N', "spawn" }, { 'E', "exit" }, { 'T', "steal" }, { 'X', "preempt" } };
	double us = r->when / 1000.0;
	size_t i;

	if (r->kind == 'S') {
		if (*open)
			fprintf(f, ",\n{\"ph\":\"E\",\"pid\":1,\"tid\":%d,\"ts\":%.3f}", tid, us);
		*open = r->id != 0;
		if (*open) {
			fprintf(f, ",\n{\"ph\":\"B\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"name\":\"", tid, us);
			put_name(f, r);
			fprintf(f, "\",\"args\":{\"id\":%lu}}", r->id);
		}
		return;
	}
	for (i = 0; i < sizeof label / sizeof *label; i++)
		if (label[i].kind == r->kind) {
			fprintf(f, ",\n{\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"name\":\"%s%s%s ", tid, us,
				label[i].label, r->what && r->kind == 'P' ? " for " : "", r->what && r->kind == 'P' ? r->what : "");
			put_name(f, r);
			fputs("\"}", f);
		}
}

void trace_close(void)
{
	struct trace_buffer *b, *next;
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!rt.trace)
		return;
	rt.trace = 0;
	if (f)
		fputs("{\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"libweft\"}}", f);
	for (b = buffers; b; b = next) {
		unsigned long i = b->n > NEVENTS ? b->n - NEVENTS : 0;
		int open = 0;

		next = b->next;
		if (f)
			fprintf(f, ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":\"worker %d\"}}", b->tid, b->tid);
		for (; f && i < b->n; i++)
			put_record(f, b->tid, &b->r[i % NEVENTS], &open);
		free(b);
	}
	buffers = NULL;
	if (f) {
		fputs("\n]}\n", f);
		fclose(f);
	}
	free(path);
	path = NULL;
}
