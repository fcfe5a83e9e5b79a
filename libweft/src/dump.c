/*
 * dump.c: seeing.  All threads with states and back traces, cycles of waits, statistics.
 *
 * What:  weft_dump(3), weft_find_deadlock(3), and what happens when every thread waits for ever.
 * Idea:  thread structures are never unmapped and the roster never shrinks, so everything can be looked at without
 *        stopping anybody: what is printed may be a moment old, but no pointer leads into nothing.  Waits are followed
 *        from a thread to what it waits for to who holds that: mutex and write lock name their owner, join its thread.
 * Back traces: along frame pointers, kept inside the thread's own stack; a packed thread's stack is away and says so.
 * See:   tools/weft-gdb.py for real unwinding.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "fd.h"

enum { FRAMES = 24, HOPS = 64 };
#define RACY __attribute__((no_sanitize("thread")))	/* looks at running threads on purpose */

static void out(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void out(int fd, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	(void)!syscall(SYS_write, fd, buf, n < (int)sizeof buf ? n : (int)sizeof buf - 1);
}

static void put_pc(int fd, uintptr_t pc)
{
	Dl_info i;

	if (dladdr((void *)pc, &i) && i.dli_fname)
		out(fd, "      %#lx %s+%#lx (%s)\n", (unsigned long)pc, i.dli_sname ? i.dli_sname : "?",
		    (unsigned long)(pc - (uintptr_t)(i.dli_saddr ? i.dli_saddr : i.dli_fbase)), i.dli_fname);
	else
		out(fd, "      %#lx\n", (unsigned long)pc);
}

static __attribute__((no_sanitize("address", "thread"))) void walk(int fd, uintptr_t fp, uintptr_t low, uintptr_t high)
{
	int n = 0;

	while (fp >= low && fp + 16 <= high && !(fp & 7) && n++ < FRAMES) {
		uintptr_t next = ((uintptr_t *)fp)[0], pc = ((uintptr_t *)fp)[1];

		if (!pc)
			break;
		put_pc(fd, pc);
		if (next <= fp)
			break;
		fp = next;
	}
}

static __attribute__((no_sanitize("address", "thread"))) void backtrace_of(int fd, struct weft_thread *t)
{
	uintptr_t low, high, sp = (uintptr_t)t->sp;

	if (t == this_thread()) {
		uintptr_t fp = (uintptr_t)__builtin_frame_address(0);

		walk(fd, fp, fp, t->stack ? (uintptr_t)t->stack + t->stack_size : fp + (8u << 20));
		return;
	}
	if (!t->stack && t != &rt.main)
		return;
	low = t->stack ? (uintptr_t)t->stack + t->guard : sp;
	high = t->stack ? (uintptr_t)t->stack + t->stack_size : sp + 65536;
	if (t->packed || sp < low || sp + 16 > high)
		return;
	put_pc(fd, arch_saved_pc(t->sp));
	walk(fd, arch_saved_fp(t->sp), low, high);
}

static int on_which_worker(struct weft_thread *t)
{
	int i;

	for (i = 0; i < a_load(&rt.ntotal); i++)
		if (a_peek(&rt.worker[i]->current) == t)
			return i;
	return -1;
}

/* Who must act for t's wait to end, if that is one thread. */
static RACY struct weft_thread *blocker(struct weft_thread *t)
{
	const char *what = a_peek(&t->what);
	const void *obj = a_peek(&t->what_obj);

	if (!what || !obj)
		return NULL;
	if (!strcmp(what, "mutex"))
		return a_peek(&((weft_mutex *)obj)->owner);
	if (!strcmp(what, "join"))
		return (struct weft_thread *)obj;
	if (!strcmp(what, "write lock") || !strcmp(what, "read lock"))
		return a_peek(&((weft_rwlock *)obj)->writer);
	return NULL;
}

static RACY int put_one(struct weft_thread *t, void *arg)
{
	int fd = *(int *)arg, w;
	const char *what = a_peek(&t->what);
	const void *obj = a_peek(&t->what_obj);
	struct weft_thread *b;

	if (t->life != LIFE_LIVE)
		return 0;
	w = on_which_worker(t);
	out(fd, "  thread %lu \"%s\" priority %d%s: ", t->id, t->name, t->prio, a_peek(&t->cancel) ? " cancelled" : "");
	if (what) {
		out(fd, "waits for %s", what);
		if (!strcmp(what, "input") || !strcmp(what, "output"))
			out(fd, " on descriptor %d", rt.model == WEFT_1_1 ? (int)(intptr_t)obj : ((struct fdent *)obj)->fd);
		else if (t->what_obj)
			out(fd, " %p", t->what_obj);
		if ((b = blocker(t)))
			out(fd, ", %s thread %lu \"%s\"", strcmp(what, "join") ? "held by" : "of", b->id, b->name);
		if (t->tm_index >= 0)
			out(fd, ", for at most %lld ms more", (long long)(t->deadline - weft_now()) / 1000000);
		out(fd, "\n");
	} else if (w >= 0) {
		out(fd, "running on worker %d\n", w);
	} else {
		out(fd, rt.model == WEFT_1_1 ? "running\n" : "ready\n");
	}
	if (rt.model != WEFT_1_1 || t == this_thread())
		if (w < 0 || t == this_thread())
			backtrace_of(fd, t);
	return 0;
}

void weft_dump(int fd)
{
	static const char *const model[] = { "", "1:1", "N:1", "M:N" };
	char cycle[1024];
	int i;

	if (!rt.running) {
		out(fd, "weft: not running\n");
		return;
	}
	out(fd, "weft: model %s, %d workers, %u idle\n", model[rt.model], rt.nworkers, a_peek(&rt.nidle));
	for (i = 0; rt.model != WEFT_1_1 && i < a_load(&rt.ntotal); i++) {
		struct worker *w = rt.worker[i];

		out(fd, "  worker %d (task %d): %s, %u ready, %llu switches, %llu stolen\n", i, a_peek(&w->tid),
		    a_peek(&w->sleeping) ? "asleep" : "awake", a_peek(&w->rq_len), (unsigned long long)w->switches,
		    (unsigned long long)w->steals);
	}
	thread_for_each(put_one, &fd);
	if (weft_find_deadlock(cycle, sizeof cycle))
		out(fd, "  DEADLOCK: %s\n", cycle);
}

static void append(char *buf, size_t size, size_t *n, const char *fmt, ...)
{
	va_list ap;

	if (*n >= size)
		return;
	va_start(ap, fmt);
	*n += vsnprintf(buf + *n, size - *n, fmt, ap);
	va_end(ap);
}

/* Follows t's wait; the length of the cycle if it comes back to t, else 0.  buf gets the description. */
RACY int deadlock_here(struct weft_thread *t, char *buf, size_t size)
{
	struct weft_thread *at = t, *next;
	size_t n = 0;
	int hops;

	buf[0] = 0;
	for (hops = 1; hops <= HOPS; hops++) {
		next = blocker(at);
		if (!next || next->life != LIFE_LIVE)
			return 0;
		append(buf, size, &n, "%sthread %lu \"%s\" waits for %s %p %s thread %lu \"%s\"", hops > 1 ? ", " : "", at->id, at->name,
		       at->what ? at->what : "?", at->what_obj, at->what && !strcmp(at->what, "join") ? "of" : "held by", next->id, next->name);
		if (next == t)
			return hops;
		at = next;
	}
	return 0;
}

struct search { char *buf; size_t size; int length; };

static RACY int search_one(struct weft_thread *t, void *arg)
{
	struct search *s = arg;

	if (t->life == LIFE_LIVE && a_peek(&t->what))
		s->length = deadlock_here(t, s->buf, s->size);
	return s->length;
}

int weft_find_deadlock(char *buf, size_t size)
{
	struct search s = { buf, size, 0 };

	thread_for_each(search_one, &s);
	return s.length;
}

/* Called by the last worker that falls asleep when nothing can wake any of them. */
void deadlock_report(void)
{
	char cycle[1024], text[1200];
	int n;

	if (os_foreign_tasks())
		return;		/* somebody else's kernel thread may still act */
	n = weft_find_deadlock(cycle, sizeof cycle);
	snprintf(text, sizeof text, "deadlock: %s", n ? cycle : "all threads wait, and for no cycle of mutexes, rw-locks and joins");
	if (rt.on_deadlock) {
		rt.on_deadlock(text);
		return;
	}
	out(2, "weft: %s\n", text);
	weft_dump(2);
	abort();
}

void weft_get_stats(struct weft_stats *s)
{
	int i;

	memset(s, 0, sizeof *s);
	s->workers = rt.nworkers;
	for (i = 0; i < a_load(&rt.ntotal); i++) {
		s->switches += a_peek(&rt.worker[i]->switches);
		s->steals += a_peek(&rt.worker[i]->steals);
		s->parks += a_peek(&rt.worker[i]->parks);
		s->preemptions += a_peek(&rt.worker[i]->preemptions);
		s->polls += a_peek(&rt.worker[i]->polls);
		s->threads += a_peek(&rt.worker[i]->idle.id);
	}
	s->helpers = a_peek(&rt.helpers);
	s->replaced = a_peek(&rt.replaced);
}
