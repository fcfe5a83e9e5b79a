/*
 * slab.c: objects of one size, cut from slabs: runs of pages that hold nothing else.
 *
 * Idea:    each CPU has a chain of free objects at hand; most requests take its first or put one in front.  When it is empty
 *          or too long, `batch` objects are moved from or to the slabs under the cache's lock.
 *          A chain needs no lock, only the promise that nobody interrupts in the middle: tasks have one chain, which they
 *          use with preemption off; interrupts, soft ones among them, have another, which they use with interrupts off.
 *          An interrupt can then never meet a half-changed chain, and tasks need not turn interrupts off.
 *
 *          slab:  made -> partial <-> full (on no list) ;  partial -> empty (kept or given back)
 *
 * Layout:  a free object holds the pointer to the next one: in its first word, or behind it when its contents must
 *          survive being free (constructor, SLAB_TYPESAFE_BY_RCU, debug).  The slab's first struct page has the rest.
 * Locking: s->lock guards the slabs: partial list, page->freelist, page->inuse.  Pages are allocated and freed outside it.
 * Cost:    about 20 instructions; every `batch` times one lock and `batch` list steps.
 * See:     spec.md §6 "slab"; slab_common.c for kmalloc and for making caches
 */
#include <weft/kernel.h>
#include <weft/preempt.h>
#include <weft/rcu.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "slab.h"

#define MAX_SLAB_ORDER		3
#define MAX_EMPTY_SLABS		1		/* kept for the next request */

/* Not checked by KASAN: the object is free, so its bytes are poisoned. */
static __no_sanitize void *get_next(const struct kmem_cache *s, const void *obj)
{
	return *(void *const *)((const char *)obj + s->offset);
}

static __no_sanitize void set_next(const struct kmem_cache *s, void *obj, void *next)
{
	*(void **)((char *)obj + s->offset) = next;
}

static __always_inline void chain_push(const struct kmem_cache *s, struct slab_chain *chain, void *obj)
{
	set_next(s, obj, chain->first);
	chain->first = obj;
	chain->count++;
}

static __always_inline void *chain_pop(const struct kmem_cache *s, struct slab_chain *chain)
{
	void *obj = chain->first;

	if (likely(obj)) {
		chain->first = get_next(s, obj);
		chain->count--;
	}
	return obj;
}

/* ---- slabs ---- */

static enum node_stat_item stat_item(const struct kmem_cache *s)
{
	return s->flags & SLAB_RECLAIM_ACCOUNT ? NR_SLAB_RECLAIMABLE : NR_SLAB_UNRECLAIMABLE;
}

/* The caller's word may be that of the page cache, whose pages move: its nodes do not. */
static struct page *alloc_slab_pages(struct kmem_cache *s, gfp_t gfp)
{
	struct page *page = NULL;

	gfp = (gfp & ~(__GFP_ZERO | __GFP_DMA | __GFP_DMA32 | __GFP_MOVABLE)) | __GFP_COMP;
	if (s->flags & SLAB_RECLAIM_ACCOUNT)
		gfp |= __GFP_RECLAIMABLE;
	if (s->order > s->min_order)
		page = alloc_pages((gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL)) | __GFP_NOWARN, s->order);
	return page ? page : alloc_pages(gfp, s->min_order);
}

/* A slab whose objects are all free and constructed, on no list; NULL when out of memory. */
static struct page *new_slab(struct kmem_cache *s, gfp_t gfp)
{
	struct page *page = alloc_slab_pages(s, gfp);
	char *obj;

	if (!page)
		return NULL;
	__SetPageSlab(page);
	page->slab_cache = s;
	page->freelist = NULL;
	page->inuse = 0;
	page->objects = (u16)(page_size(page) / s->size);
	/* From the last to the first, so that they are handed out in the order of their addresses. */
	obj = (char *)page_address(page) + (unsigned long)page->objects * s->size;
	for (unsigned int i = 0; i < page->objects; i++) {
		obj -= s->size;
		slab_debug_new_object(s, obj);
		if (s->ctor)
			s->ctor(obj);
		slab_debug_seal_object(s, obj);
		set_next(s, obj, page->freelist);
		page->freelist = obj;
	}
	mod_node_state(stat_item(s), 1L << compound_order(page));
	return page;
}

static void free_slab(struct kmem_cache *s, struct page *page)
{
	unsigned int order = compound_order(page);

	mod_node_state(stat_item(s), -(1L << order));
	page->slab_cache = NULL;
	__ClearPageSlab(page);
	__free_pages(page, order);
}

static void free_slab_rcu(struct rcu_head *head)
{
	struct page *page = container_of(head, struct page, rcu);

	free_slab(page->slab_cache, page);
}

/* The pages of the list are in no other list any more.  A reader under RCU may still look at objects of such a cache. */
static void discard_slabs(struct kmem_cache *s, struct list_head *list)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, list, slab_list) {
		if (s->flags & SLAB_TYPESAFE_BY_RCU)
			call_rcu(&page->rcu, free_slab_rcu);
		else
			free_slab(s, page);
	}
}

static void unlink_slab(struct kmem_cache *s, struct page *page, struct list_head *to) __must_hold(&s->lock)
{
	list_move(&page->slab_list, to);
	s->nr_slabs--;
	s->nr_objects -= page->objects;
}

/* Moves objects of partial slabs into the chain until it has n, or there are no more. */
static void take_objects(struct kmem_cache *s, struct slab_chain *chain, unsigned int n) __must_hold(&s->lock)
{
	while (chain->count < n && !list_empty(&s->partial)) {
		struct page *page = list_first_entry(&s->partial, struct page, slab_list);

		if (!page->inuse)
			s->nr_empty--;
		while (chain->count < n && page->freelist) {
			void *obj = page->freelist;

			page->freelist = get_next(s, obj);
			page->inuse++;
			s->inuse++;
			chain_push(s, chain, obj);
		}
		if (!page->freelist)
			list_del_init(&page->slab_list);
	}
}

static void return_object(struct kmem_cache *s, void *obj, struct list_head *discard) __must_hold(&s->lock)
{
	struct page *page = virt_to_head_page(obj);
	bool was_full = !page->freelist;

	set_next(s, obj, page->freelist);
	page->freelist = obj;
	page->inuse--;
	s->inuse--;
	if (was_full)
		list_add(&page->slab_list, &s->partial);
	if (page->inuse)
		return;
	if (s->nr_empty >= MAX_EMPTY_SLABS) {
		unlink_slab(s, page, discard);
	} else {
		s->nr_empty++;
		list_move_tail(&page->slab_list, &s->partial);
	}
}

static void return_chain(struct kmem_cache *s, struct slab_chain *chain)
{
	unsigned long flags;
	LIST_HEAD(discard);
	void *obj;

	spin_lock_irqsave(&s->lock, flags);
	while ((obj = chain_pop(s, chain)))
		return_object(s, obj, &discard);
	spin_unlock_irqrestore(&s->lock, flags);
	discard_slabs(s, &discard);
}

unsigned int slab_discard_empty(struct kmem_cache *s)
{
	struct page *page, *prev;
	unsigned int n = 0;
	unsigned long flags;
	LIST_HEAD(discard);

	spin_lock_irqsave(&s->lock, flags);
	list_for_each_entry_safe_reverse(page, prev, &s->partial, slab_list) {
		if (!s->nr_empty)
			break;
		if (page->inuse)
			continue;
		s->nr_empty--;
		unlink_slab(s, page, &discard);
		n++;
	}
	spin_unlock_irqrestore(&s->lock, flags);
	discard_slabs(s, &discard);
	return n;
}

/* ---- chains of CPUs ---- */

/*
 * Runs with this CPU's chain for the present context; `chain` is its name within.  The task's chain only needs preemption
 * off: whatever interrupts has the other one.  A task with soft interrupts disabled counts as an interrupt here, which is
 * harmless.
 */
#define with_this_cpu_chain(s, chain, action) do {			\
	struct slab_chain *chain;					\
	preempt_disable();						\
	if (likely(!in_interrupt())) {					\
		chain = &this_cpu_ptr((s)->cpu)->task;			\
		action;							\
	} else {							\
		unsigned long __flags;					\
		local_irq_save(__flags);				\
		chain = &this_cpu_ptr((s)->cpu)->irq;			\
		action;							\
		local_irq_restore(__flags);				\
	}								\
	preempt_enable();						\
} while (0)

/* Moves all of `more` into the chain. */
static void chain_join(const struct kmem_cache *s, struct slab_chain *chain, struct slab_chain *more)
{
	void *obj;

	while ((obj = chain_pop(s, more)))
		chain_push(s, chain, obj);
}

/* The CPU's chain is empty: gets a batch, keeps the rest for later and returns one.  May sleep if gfp says so. */
static void *refill(struct kmem_cache *s, gfp_t gfp)
{
	struct slab_chain fresh = { NULL, 0 };
	unsigned long flags;
	void *obj;

	for (;;) {
		struct page *page;

		spin_lock_irqsave(&s->lock, flags);
		take_objects(s, &fresh, s->batch);
		spin_unlock_irqrestore(&s->lock, flags);
		if (fresh.first)
			break;
		page = new_slab(s, gfp);
		if (!page)
			return NULL;
		spin_lock_irqsave(&s->lock, flags);
		list_add(&page->slab_list, &s->partial);
		s->nr_slabs++;
		s->nr_objects += page->objects;
		s->nr_empty++;
		spin_unlock_irqrestore(&s->lock, flags);
	}
	obj = chain_pop(s, &fresh);
	with_this_cpu_chain(s, chain, chain_join(s, chain, &fresh));
	return obj;
}

void *slab_alloc(struct kmem_cache *s, gfp_t gfp, size_t size, unsigned long ip)
{
	void *obj;

	might_sleep_if(gfpflags_allow_blocking(gfp));
	might_reclaim(gfp);
	with_this_cpu_chain(s, chain, obj = chain_pop(s, chain));
	if (unlikely(!obj)) {
		obj = refill(s, gfp);
		if (!obj)
			return NULL;
	}
	slab_debug_alloc(s, obj, size, ip);
	if (gfp & __GFP_ZERO)
		memset(obj, 0, size);
	return obj;
}

/* Too many at hand: the first `batch` of them are cut off. */
static void cut_batch(const struct kmem_cache *s, struct slab_chain *chain, struct slab_chain *cut)
{
	while (cut->count < s->batch)
		chain_push(s, cut, chain_pop(s, chain));
}

static __always_inline void push_object(const struct kmem_cache *s, struct slab_chain *chain, void *obj,
					struct slab_chain *cut)
{
	chain_push(s, chain, obj);
	if (unlikely(chain->count > 2 * s->batch))
		cut_batch(s, chain, cut);
}

void slab_free_now(struct kmem_cache *s, void *obj)
{
	struct slab_chain cut = { NULL, 0 };

	with_this_cpu_chain(s, chain, push_object(s, chain, obj, &cut));
	if (unlikely(cut.first))
		return_chain(s, &cut);
}

void slab_free(struct kmem_cache *s, void *obj, unsigned long ip)
{
	if (slab_debug_free(s, obj, ip) && !slab_quarantine(s, obj))
		slab_free_now(s, obj);
}

static void steal_chain(struct slab_chain *chain, struct slab_chain *stolen)
{
	*stolen = *chain;
	*chain = (struct slab_chain){ NULL, 0 };
}

/* The other CPUs' chains can be reached by nobody but them. */
void slab_flush_this_cpu(struct kmem_cache *s)
{
	struct slab_chain task, irq;
	unsigned long flags;

	might_sleep();
	preempt_disable();
	steal_chain(&this_cpu_ptr(s->cpu)->task, &task);
	local_irq_save(flags);
	steal_chain(&this_cpu_ptr(s->cpu)->irq, &irq);
	local_irq_restore(flags);
	preempt_enable();
	return_chain(s, &task);
	return_chain(s, &irq);
}

unsigned long slab_cached_objects(struct kmem_cache *s)
{
	unsigned long n = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct slab_cpu *c = per_cpu_ptr(s->cpu, cpu);

		n += READ_ONCE(c->task.count) + READ_ONCE(c->irq.count);
	}
	return n;
}

/* ---- the shape of a cache ---- */

/*
 * The smallest order that wastes at most an eighth and holds a few small objects.  A large object had better be alone in its
 * slab: then it pins no other memory while it waits in a chain.
 */
static unsigned int choose_order(unsigned int size, unsigned int min_order)
{
	unsigned int min_objects = size <= 1024 ? 4 : 1;

	for (unsigned int order = min_order; order < MAX_SLAB_ORDER; order++) {
		unsigned int bytes = (unsigned int)PAGE_SIZE << order;

		if (bytes / size >= min_objects && bytes % size <= bytes / 8)
			return order;
	}
	return max(min_order, (unsigned int)MAX_SLAB_ORDER);
}

static unsigned int choose_batch(unsigned int size)
{
	return size <= 256 ? 16 : size <= 1024 ? 8 : size <= 2048 ? 4 : 2;
}

int slab_setup(struct kmem_cache *s)
{
	unsigned int size = ALIGN(s->object_size, (unsigned int)sizeof(void *));

	if (s->flags & SLAB_HWCACHE_ALIGN)
		s->align = max(s->align, s->object_size > 32 ? 64u : 32u);
	s->align = max(s->align, (unsigned int)ARCH_SLAB_MINALIGN);
	if (SLAB_TAIL_SIZE > sizeof(void *) || s->ctor || (s->flags & SLAB_TYPESAFE_BY_RCU)) {
		s->offset = size;
		size += SLAB_TAIL_SIZE;
	}
	s->size = ALIGN(size, s->align);
	s->min_order = (unsigned int)order_base_2(PFN_UP(s->size));
	if (!is_power_of_2(s->align) || s->min_order > MAX_SLAB_ORDER + 1)
		return -EINVAL;
	s->order = choose_order(s->size, s->min_order);
	s->batch = choose_batch(s->size);
	spin_lock_init(&s->lock);
	INIT_LIST_HEAD(&s->partial);
	s->cpu = alloc_percpu(struct slab_cpu);
	return s->cpu ? 0 : -ENOMEM;
}
