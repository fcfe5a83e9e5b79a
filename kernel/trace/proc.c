/*
 * proc.c: tracing from user space, in /proc/weft/trace.
 *
 *	trace		the records of all CPUs in order of time, as text; any write clears them
 *	events		one line an event: system:name, whether it is on, its fields; writing "name", "!name", "system:",
 *			"all" switches on and off
 *	tracing_on	0 or 1: recording at all
 *	marker		what is written becomes a record
 *
 * Idea:    opening `trace` takes a copy of all rings and sorts it, so that what is read is one moment's state, however
 *          slowly it is read.
 * Locking: the copy belongs to the open file.
 * See:     spec.md §11
 */
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/slab.h>
#include <weft/sort.h>
#include <weft/string.h>
#include <weft/uio.h>
#include <weft/vmalloc.h>
#include "internal.h"

/* A record in the copy, with where it came from. */
struct snapshot_record {
	struct trace_record	r;
	int			cpu;
};

struct snapshot {
	unsigned long		count;
	struct snapshot_record	records[];
};

/* ---- /proc/weft/trace/trace ---- */

static int by_time(const void *a, const void *b)
{
	const struct snapshot_record *x = a, *y = b;

	return x->r.ts < y->r.ts ? -1 : x->r.ts > y->r.ts;
}

static struct snapshot *take_snapshot(void)
{
	unsigned long room = 0, first, last;
	struct snapshot *s;
	int cpu;

	for_each_possible_cpu(cpu) {
		trace_ring_span(cpu, &first, &last);
		room += last - first;
	}
	s = kvmalloc(sizeof(*s) + room * sizeof(s->records[0]), GFP_KERNEL);
	if (!s)
		return NULL;
	s->count = 0;
	for_each_possible_cpu(cpu) {
		trace_ring_span(cpu, &first, &last);
		for (; first < last && s->count < room; first++)
			if (trace_ring_read(cpu, first, &s->records[s->count].r))
				s->records[s->count++].cpu = cpu;
	}
	sort(s->records, s->count, sizeof(s->records[0]), by_time, NULL);
	return s;
}

static void *trace_start(struct seq_file *m, loff_t *pos)
{
	struct snapshot *s = *(struct snapshot **)m->private;

	return *pos < (loff_t)s->count ? &s->records[*pos] : NULL;
}

static void *trace_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return trace_start(m, pos);
}

static void trace_stop(struct seq_file *m, void *v)
{
}

static int trace_show(struct seq_file *m, void *v)
{
	const struct snapshot_record *s = v;
	char line[256];

	trace_format(line, sizeof(line), &s->r, s->cpu);
	seq_puts(m, line);
	return 0;
}

static const struct seq_operations trace_seq_ops = {
	.start = trace_start, .next = trace_next, .stop = trace_stop, .show = trace_show,
};

static int trace_open(struct inode *inode, struct file *file)
{
	struct snapshot *s = take_snapshot(), **slot;

	if (!s)
		return -ENOMEM;
	slot = __seq_open_private(file, &trace_seq_ops, sizeof(*slot));
	if (!slot) {
		kvfree(s);
		return -ENOMEM;
	}
	*slot = s;
	return 0;
}

static int trace_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	kvfree(*(struct snapshot **)m->private);
	return seq_release_private(inode, file);
}

static ssize_t trace_write(struct kiocb *iocb, struct iov_iter *from)
{
	trace_clear();
	return (ssize_t)iov_iter_count(from);
}

static const struct proc_ops trace_ops = {
	.proc_open = trace_open, .proc_read_iter = seq_read_iter, .proc_write_iter = trace_write,
	.proc_lseek = seq_lseek, .proc_release = trace_release,
};

/* ---- the other files ---- */

static int events_show(struct seq_file *m, void *v)
{
	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++)
		seq_printf(m, "%s:%s %s\t%s\n", trace_events[i].system, trace_events[i].name,
			   trace_event_on[i] ? "on" : "off", trace_events[i].fields);
	return 0;
}

static int tracing_on_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%d\n", trace_is_on());
	return 0;
}

static int events_open(struct inode *inode, struct file *file)
{
	return single_open(file, events_show, NULL);
}

static int tracing_on_open(struct inode *inode, struct file *file)
{
	return single_open(file, tracing_on_show, NULL);
}

/* What a program wrote, as a string of at most max bytes: kfree() it.  ERR_PTR. */
static char *text_from(struct iov_iter *from, size_t max)
{
	size_t len = min(iov_iter_count(from), max);
	char *text = kmalloc(len + 1, GFP_KERNEL);

	if (!text)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_iter_full(text, len, from)) {
		kfree(text);
		return ERR_PTR(-EFAULT);
	}
	text[len] = '\0';
	return text;
}

static ssize_t events_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	char *text = text_from(from, PAGE_SIZE);
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	err = trace_set_events(text);
	kfree(text);
	return err ? err : (ssize_t)len;
}

static ssize_t tracing_on_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	char *text = text_from(from, 16);
	bool on;
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	err = kstrtobool(text, &on);
	kfree(text);
	if (!err && on)
		err = trace_alloc_buffers();
	if (err)
		return err;
	if (on)
		tracing_on();
	else
		tracing_off();
	return (ssize_t)len;
}

static ssize_t marker_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	char *text = text_from(from, 4 * TEXT_BYTES);

	if (IS_ERR(text))
		return PTR_ERR(text);
	trace_text(text, strcspn(text, "\n"));
	kfree(text);
	return (ssize_t)len;
}

static const struct proc_ops events_ops = {
	.proc_open = events_open, .proc_read_iter = seq_read_iter, .proc_write_iter = events_write,
	.proc_lseek = seq_lseek, .proc_release = single_release,
};
static const struct proc_ops tracing_on_ops = {
	.proc_open = tracing_on_open, .proc_read_iter = seq_read_iter, .proc_write_iter = tracing_on_write,
	.proc_lseek = seq_lseek, .proc_release = single_release,
};
static const struct proc_ops marker_ops = {
	.proc_write_iter = marker_write,
};

static int __init trace_proc_init(void)
{
	struct proc_dir_entry *dir = proc_mkdir("weft/trace", NULL);

	if (!dir)
		return -ENOMEM;
	proc_create("trace", 0600, dir, &trace_ops);
	proc_create("events", 0600, dir, &events_ops);
	proc_create("tracing_on", 0600, dir, &tracing_on_ops);
	proc_create("marker", 0222, dir, &marker_ops);
	return 0;
}
fs_initcall(trace_proc_init);
