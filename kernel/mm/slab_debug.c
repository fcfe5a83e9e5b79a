/*
 * slab_debug.c: debug builds: poison, red zones, double frees, and a quarantine for freed objects.
 *
 * Idea:    three nets behind each other.  KASAN's shadow says at once who touches a freed object or the bytes behind one.
 *          What KASAN cannot see (assembly, other devices) is found later: a freed object is filled with a pattern that must
 *          still be there when it is handed out, and the word behind each object says "active" or "free".
 *          A freed object waits in its CPU's quarantine before it can be handed out again, so that a stale pointer meets
 *          poison rather than somebody else's data.
 * Locking: quarantine: [c] interrupts off.
 * See:     spec.md §6 "slab"; kernel/lib/kasan.c
 */
#ifdef CONFIG_DEBUG

#include <weft/kernel.h>
#include <weft/kasan.h>
#include <weft/sched.h>
#include <weft/string.h>
#include "slab.h"

#define SLAB_RED_ACTIVE	0xac71febeefac71feUL
#define SLAB_RED_FREE	0xf4eef4eedeadf4eeUL
#define POISON_FREE	0x6b
#define POISON_NEW	0x5a		/* handed out and not yet written */
#define QUARANTINE_SLOTS 32

struct quarantined {
	struct kmem_cache	*s;
	void			*obj;
};
struct quarantine {
	unsigned int		next;	/* the oldest, and the next to be replaced */
	struct quarantined	slot[QUARANTINE_SLOTS];
};
static DEFINE_PER_CPU(struct quarantine, quarantine);

static struct slab_tail *tail_of(const struct kmem_cache *s, void *obj)
{
	return (struct slab_tail *)((char *)obj + s->offset);
}

static __no_sanitize void stamp(const struct kmem_cache *s, void *obj, unsigned long red, unsigned long ip)
{
	struct slab_tail *tail = tail_of(s, obj);

	tail->red = red;
	tail->ip = ip;
	tail->pid = current->pid;
}

static __no_sanitize struct slab_tail read_tail(const struct kmem_cache *s, void *obj)
{
	return *tail_of(s, obj);
}

static void report(const struct kmem_cache *s, void *obj, const char *what, unsigned long ip)
{
	struct slab_tail tail = read_tail(s, obj);

	printk(KERN_ALERT "slab %s: object %px: %s, at %pS\n", s->name, obj, what, (void *)ip);
	printk(KERN_ALERT "  red zone %#lx, last by pid %d at %pS\n", tail.red, tail.pid, (void *)tail.ip);
	add_taint(1u << 5);
	dump_stack();
}

/* May the contents be overwritten while the object is free? */
static bool may_poison(const struct kmem_cache *s)
{
	return !s->ctor && !(s->flags & SLAB_TYPESAFE_BY_RCU);
}

void slab_debug_new_object(struct kmem_cache *s, void *obj)
{
	kasan_poison(obj, s->size, KASAN_SLAB_REDZONE);
	kasan_unpoison(obj, s->object_size);
	if (may_poison(s))
		memset(obj, POISON_FREE, s->object_size);
	stamp(s, obj, SLAB_RED_FREE, 0);
}

void slab_debug_seal_object(struct kmem_cache *s, void *obj)
{
	if (!(s->flags & SLAB_TYPESAFE_BY_RCU))
		kasan_poison(obj, s->object_size, KASAN_SLAB_FREE);
}

void slab_debug_alloc(struct kmem_cache *s, void *obj, size_t size, unsigned long ip)
{
	kasan_unpoison(obj, s->object_size);
	if (read_tail(s, obj).red != SLAB_RED_FREE)
		report(s, obj, "handed out, but not marked free", ip);
	if (may_poison(s)) {
		if (memchr_inv(obj, POISON_FREE, s->object_size))
			report(s, obj, "written after it was freed", ip);
		memset(obj, POISON_NEW, s->object_size);
	}
	if (size < s->object_size) {
		kasan_poison(obj, s->object_size, KASAN_SLAB_REDZONE);
		kasan_unpoison(obj, size);
	}
	stamp(s, obj, SLAB_RED_ACTIVE, ip);
}

static bool is_object_of(struct kmem_cache *s, void *obj)
{
	struct page *page = virt_addr_valid(obj) ? virt_to_head_page(obj) : NULL;
	unsigned long at;

	if (!page || !PageSlab(page) || page->slab_cache != s)
		return false;
	at = (unsigned long)((char *)obj - (char *)page_address(page));
	return at % s->size == 0 && at / s->size < page->objects;
}

bool slab_debug_free(struct kmem_cache *s, void *obj, unsigned long ip)
{
	unsigned long red;

	if (!is_object_of(s, obj)) {
		printk(KERN_ALERT "slab %s: %px is freed at %pS but is none of its objects\n", s->name, obj, (void *)ip);
		dump_stack();
		return false;
	}
	red = read_tail(s, obj).red;
	if (red != SLAB_RED_ACTIVE) {
		report(s, obj, red == SLAB_RED_FREE ? "freed twice" : "written behind its end", ip);
		return false;
	}
	debug_check_no_locks_freed(obj, s->object_size);
	kasan_unpoison(obj, s->object_size);
	if (may_poison(s))
		memset(obj, POISON_FREE, s->object_size);
	stamp(s, obj, SLAB_RED_FREE, ip);
	if (!(s->flags & SLAB_TYPESAFE_BY_RCU))
		kasan_poison(obj, s->object_size, KASAN_SLAB_FREE);
	return true;
}

bool slab_quarantine(struct kmem_cache *s, void *obj)
{
	struct quarantined old;
	struct quarantine *q;
	unsigned long flags;

	if (s->flags & (SLAB_TYPESAFE_BY_RCU | SLAB_NO_QUARANTINE))
		return false;
	local_irq_save(flags);
	q = this_cpu_ptr(&quarantine);
	old = q->slot[q->next];
	q->slot[q->next] = (struct quarantined){ s, obj };
	q->next = (q->next + 1) % QUARANTINE_SLOTS;
	local_irq_restore(flags);
	if (old.obj)
		slab_free_now(old.s, old.obj);
	return true;
}

/* How many of a cache's objects wait in all CPUs' quarantines.  Racy: for statistics. */
unsigned long slab_quarantined(const struct kmem_cache *s)
{
	unsigned long n = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		for (unsigned int i = 0; i < QUARANTINE_SLOTS; i++)
			n += READ_ONCE(per_cpu(quarantine, cpu).slot[i].s) == s;
	return n;
}

/* This CPU's; before a cache goes away, and when memory is short. */
void slab_quarantine_flush(void)
{
	struct quarantine copy;
	unsigned long flags;

	local_irq_save(flags);
	copy = *this_cpu_ptr(&quarantine);
	memset(this_cpu_ptr(&quarantine), 0, sizeof(copy));
	local_irq_restore(flags);
	for (unsigned int i = 0; i < QUARANTINE_SLOTS; i++)
		if (copy.slot[i].obj)
			slab_free_now(copy.slot[i].s, copy.slot[i].obj);
}

/* For a KASAN report: whose memory addr is, and who had it last. */
void kasan_describe_slab(unsigned long addr)
{
	struct page *page = virt_addr_valid((void *)addr) ? virt_to_head_page((void *)addr) : NULL;
	struct kmem_cache *s = page && PageSlab(page) ? page->slab_cache : NULL;
	unsigned long offset;
	struct slab_tail tail;
	char *obj;

	if (!s)
		return;
	offset = addr - (unsigned long)page_address(page);
	obj = (char *)page_address(page) + offset / s->size * s->size;
	tail = read_tail(s, obj);
	printk(KERN_ERR "object %px of %s, offset %lu; last %s by pid %d at %pS\n", obj, s->name, offset % s->size,
	       tail.red == SLAB_RED_ACTIVE ? "allocated" : "freed", tail.pid, (void *)tail.ip);
}

#endif
