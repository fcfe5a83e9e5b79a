/*
 * stack.c: memory for threads and coroutines.  Stacks with guard pages, thread structures, their caches, packing.
 *
 * What:  thread_alloc gives a thread with its stack, thread_free takes it back for the next one; stack_map and
 *        stack_unmap do the same for coroutines; thread_pack and thread_unpack park a stack in a small heap block.
 * Idea:  the thread structure lies at the top of its own stack, so a parked thread touches one page and no more.  It is
 *        shifted by a colour of up to 1.4 KiB, or all threads' hot lines would fall into the same sets of the caches.
 *        Thread memory is never given back as long as the process lives (type-stable): a stale handle reads a
 *        generation number, not somebody's data.  A PACKED thread's structure is apart, so that its whole stack can go.
 * Guards: MADV_GUARD_INSTALL (Linux 6.13) puts a guard into the page table without a mapping of its own; else
 *        mprotect, which the kernel's limit of 65,530 mappings allows about 32,000 times; beyond that none.
 * Locking: depot_lock guards the depot, the roster and the chunks; a worker's own list needs no lock.
 * See:   madvise(2); weft_attr(3) for packing.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"
#include "san.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { NCLASSES = 40, CHUNK_STACKS = 64, ROSTER = 1022, CACHE_MAX = 512, CACHE_MOVE = 128, MPROTECT_MAX = 30000 };
enum { GUARD_UNKNOWN, GUARD_MADVISE, GUARD_MPROTECT, GUARD_NONE };

struct packed { size_t n; char *at; char data[]; };
struct raw_stack { struct raw_stack *next; };
struct roster { struct roster *next; int n; struct weft_thread *t[ROSTER]; };

static uint32_t depot_lock;			/* guards all of these */
static struct weft_thread *depot[2][NCLASSES];
static struct { char *at, *end; } chunk[NCLASSES];
static struct raw_stack *raw[NCLASSES];
static struct roster *roster;
static char *slab_at, *slab_end;
static int guard_kind, guards;

static void depot_enter(void)
{
	/* Not spin_lock: coroutines use this without a runtime, from any kernel task. */
	while (a_xchg(&depot_lock, 1))
		while (a_peek(&depot_lock))
			os_yield();
}

static void depot_leave(void)
{
	a_store(&depot_lock, 0);
}

static int class_of(size_t size)
{
	return 63 - __builtin_clzl(size);
}

size_t stack_class(size_t size)
{
	size_t c = 4 * PAGE;

	if (!size)
		size = rt.stack_size ? rt.stack_size : 65536;
	while (c < size)
		c *= 2;
	return c;
}

static int probe_guard(char *page)
{
	if (getenv("WEFT_NO_GUARD_INSTALL") == NULL && madvise(page, PAGE, MADV_GUARD_INSTALL) == 0)
		return GUARD_MADVISE;
	return GUARD_MPROTECT;
}

/* Returns the size of the guard: 0 when nothing can protect this stack. */
static size_t protect_lowest(char *stack)
{
	if (guard_kind == GUARD_UNKNOWN)
		guard_kind = probe_guard(stack);
	if (guard_kind == GUARD_MADVISE && madvise(stack, PAGE, MADV_GUARD_INSTALL) == 0)
		return PAGE;
	if (guard_kind != GUARD_NONE && guards < MPROTECT_MAX && mprotect(stack, PAGE, PROT_NONE) == 0) {
		guards++;
		return PAGE;
	}
	return 0;
}

void stack_say_protection(void)
{
	size_t guard;
	char *s = stack_map(4 * PAGE, &guard);

	if (s)
		stack_unmap(s, 4 * PAGE);
	if (guard_kind != GUARD_MADVISE)
		fprintf(stderr, "weft: no MADV_GUARD_INSTALL in this kernel: guard pages by mprotect for the first %d stacks, "
			"none for those beyond\n", MPROTECT_MAX);
}

/* depot_lock held. */
static char *carve(size_t size, size_t *guard)
{
	int c = class_of(size);
	size_t whole = size * (size < (1u << 20) ? CHUNK_STACKS : 1);
	char *s;

	if (chunk[c].at == chunk[c].end) {
		s = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (s == MAP_FAILED)
			return NULL;
		madvise(s, whole, MADV_NOHUGEPAGE);	/* or the first touch would take 2 MiB */
		chunk[c].at = s;
		chunk[c].end = s + whole;
	}
	s = chunk[c].at;
	chunk[c].at += size;
	*guard = protect_lowest(s);
	return s;
}

char *stack_map(size_t size, size_t *guard)
{
	int c = class_of(size);
	struct raw_stack *r;
	char *s;

	depot_enter();
	r = raw[c];
	if (r) {
		raw[c] = r->next;
		s = (char *)(r + 1) - size;
		*guard = guard_kind == GUARD_NONE ? 0 : PAGE;
	} else {
		s = carve(size, guard);
	}
	depot_leave();
	return s;
}

void stack_unmap(char *stack, size_t size)
{
	struct raw_stack *r = (struct raw_stack *)(stack + size) - 1;
	int c = class_of(size);

	depot_enter();
	r->next = raw[c];
	raw[c] = r;
	depot_leave();
}

/* depot_lock held. */
static int enroll(struct weft_thread *t)
{
	struct roster *r = roster;

	if (!r || r->n == ROSTER) {
		r = calloc(1, sizeof *r);
		if (!r)
			return -1;
		r->next = roster;
		roster = r;
	}
	r->t[r->n] = t;
	a_store(&r->n, r->n + 1);
	return 0;
}

/* depot_lock held. */
static struct weft_thread *apart(void)
{
	size_t size = (sizeof(struct weft_thread) + 63) & ~(size_t)63, whole = size * 256;
	char *s;

	if (slab_at == slab_end) {
		s = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (s == MAP_FAILED)
			return NULL;
		slab_at = s;
		slab_end = s + whole;
	}
	s = slab_at;
	slab_at += size;
	return (struct weft_thread *)s;
}

static struct weft_thread *fresh(size_t size, int is_apart)
{
	struct weft_thread *t = NULL;
	char *stack = NULL;
	size_t guard = 0;
	int colour;

	depot_enter();
	if (size)
		stack = carve(size, &guard);
	if (stack || !size) {
		colour = ((uintptr_t)stack / (size | 1)) % 16;
		t = is_apart ? apart() : (struct weft_thread *)(((uintptr_t)stack + size - sizeof *t - colour * 96) & ~(uintptr_t)63);
		if (t && enroll(t) < 0)
			t = NULL;
	}
	depot_leave();
	if (!t)
		return NULL;
	t->stack = stack;
	t->stack_size = size;
	t->guard = guard;
	t->gen = 1;
	t->cancel_fd = -1;
	if (stack)
		t->vg_id = VALGRIND_STACK_REGISTER(stack + guard, is_apart ? stack + size : (char *)t);
	return t;
}

static int is_common(size_t size, int is_apart)
{
	return size == rt.stack_size && !is_apart;
}

/* size 0: a structure without a stack (1:1, where the kernel's thread library maps it). */
struct weft_thread *thread_alloc(size_t size, int is_apart)
{
	struct worker *w = this_worker();
	struct weft_thread *t = NULL;
	int c = size ? class_of(size) : 0;

	if (likely(w && is_common(size, is_apart) && w->free)) {
		t = w->free;
		w->free = t->next;
		w->nfree--;
		return t;
	}
	if (a_peek(&depot[is_apart][c])) {
		depot_enter();
		t = depot[is_apart][c];
		if (t)
			a_set(&depot[is_apart][c], t->next);
		depot_leave();
	}
	return t ? t : fresh(size, is_apart);
}

static int is_apart(struct weft_thread *t)
{
	return (char *)t < t->stack || (char *)t >= t->stack + t->stack_size;
}

static __attribute__((noinline)) void free_to_depot(struct worker *w, struct weft_thread *t)
{
	int n = 1, c = t->stack_size ? class_of(t->stack_size) : 0, a = is_apart(t);
	struct weft_thread *last = t;

	t->next = NULL;
	if (w && is_common(t->stack_size, a))
		for (; n < CACHE_MOVE && w->free; n++) {
			last->next = w->free;
			last = w->free;
			w->free = last->next;
			w->nfree--;
		}
	depot_enter();
	last->next = depot[a][c];
	a_set(&depot[a][c], t);
	depot_leave();
}

void thread_free(struct weft_thread *t)
{
	struct worker *w = this_worker();

	if (likely(w && t->stack_size == rt.stack_size && !is_apart(t) && w->nfree < CACHE_MAX)) {
		t->next = w->free;
		w->free = t;
		w->nfree++;
		return;
	}
	free_to_depot(w, t);
}

/*
 * Copies the live part of a parked thread's stack into the heap and gives the pages back.  No memory: stays as it is.
 * Called on another stack, before the thread can be woken.
 */
void thread_pack(struct weft_thread *t)
{
	char *top = t->stack + t->stack_size, *low = t->sp;
	size_t n = top - low;
	struct packed *p;

	if (SANITIZED)
		return;		/* the tools keep notes about these bytes where they lie */
	if (n > 2 * PAGE || !(p = malloc(sizeof *p + n)))
		return;
	p->n = n;
	p->at = low;
	memcpy(p->data, low, n);
	madvise(t->stack + t->guard, t->stack_size - t->guard, MADV_DONTNEED);
	t->packed = p;
}

void thread_unpack(struct weft_thread *t)
{
	struct packed *p = t->packed;

	memcpy(p->at, p->data, p->n);
	t->packed = NULL;
	free(p);
}

/* Calls fn for each thread structure ever made (look at life) until it returns not 0. */
int thread_for_each(int (*fn)(struct weft_thread *, void *), void *arg)
{
	struct roster *r;
	int i, stop = 0;

	if (rt.running && !(stop = fn(&rt.main, arg)))
		for (r = a_load(&roster); r && !stop; r = r->next)
			for (i = 0; i < a_load(&r->n) && !stop; i++)
				stop = fn(r->t[i], arg);
	return stop;
}

/* Is addr in t's guard? */
int stack_overflow_check(uintptr_t addr, struct weft_thread *t)
{
	return t->stack && t->guard && addr >= (uintptr_t)t->stack && addr < (uintptr_t)t->stack + t->guard;
}
