/*
 * slab_common.c: making and destroying caches, kmalloc's caches of sizes, and what /proc/slabinfo shows.
 *
 * Idea:    the caches of kmalloc and the cache of caches are static, so there is no order to untangle at start-up.
 *          A pointer finds its cache through its struct page; what is larger than the largest class is whole pages, which
 *          have no PG_slab.
 * Locking: slab_mutex guards the list of all caches.  slab_mutex -> s->lock.
 * Context: creating and destroying may sleep; the rest as slab.h says.
 * See:     spec.md §6 "slab"; slab.c
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/kasan.h>
#include <weft/mutex.h>
#include <weft/proc_fs.h>
#include <weft/rcu.h>
#include <weft/seq_file.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/vmstat.h>
#include <weft/workqueue.h>
#include "slab.h"

LIST_HEAD(slab_caches);
DEFINE_MUTEX(slab_mutex);

static const struct { unsigned int size; const char *name; } kmalloc_info[KMALLOC_NR_CLASSES] = {
	{ 8, "kmalloc-8" },	  { 16, "kmalloc-16" },	    { 32, "kmalloc-32" },     { 64, "kmalloc-64" },
	{ 96, "kmalloc-96" },	  { 128, "kmalloc-128" },   { 192, "kmalloc-192" },   { 256, "kmalloc-256" },
	{ 512, "kmalloc-512" },	  { 1024, "kmalloc-1k" },   { 2048, "kmalloc-2k" },   { 4096, "kmalloc-4k" },
	{ 8192, "kmalloc-8k" },
};

static struct kmem_cache kmalloc_cache_structs[KMALLOC_NR_CLASSES];
static struct kmem_cache cache_of_caches = {
	.name = "kmem_cache", .object_size = sizeof(struct kmem_cache), .align = SMP_CACHE_BYTES,
};
struct kmem_cache *kmalloc_caches[KMALLOC_NR_CLASSES];
static bool slab_ready;

/* ---- start-up ---- */

static void __init setup_static_cache(struct kmem_cache *s)
{
	if (slab_setup(s))
		panic("slab: no memory for the cache %s", s->name);
	list_add_tail(&s->list, &slab_caches);
}

void __init kmem_cache_init(void)
{
	setup_static_cache(&cache_of_caches);
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		struct kmem_cache *s = &kmalloc_cache_structs[i];
		unsigned int size = kmalloc_info[i].size;

		s->name = kmalloc_info[i].name;
		s->object_size = size;
		/* Powers of two are aligned to their size, up to a cache line (and, without debug's tails, beyond). */
		s->align = is_power_of_2(size) ? min(size, 64u) : size & -size;
		setup_static_cache(s);
		kmalloc_caches[i] = s;
	}
	slab_ready = true;
}

/* ---- caches ---- */

static struct kmem_cache *make_cache(const char *name, unsigned int size, unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *))
{
	struct kmem_cache *s = kmem_cache_zalloc(&cache_of_caches, GFP_KERNEL);

	if (!s)
		return NULL;
	s->name = kstrdup_const(name, GFP_KERNEL);
	s->object_size = size;
	s->align = align;
	s->flags = flags;
	s->ctor = ctor;
	if (!s->name || slab_setup(s)) {
		kfree_const(s->name);
		kmem_cache_free(&cache_of_caches, s);
		return NULL;
	}
	return s;
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *))
{
	struct kmem_cache *s = size ? make_cache(name, size, align, flags, ctor) : NULL;

	if (s) {
		mutex_lock(&slab_mutex);
		list_add_tail(&s->list, &slab_caches);
		mutex_unlock(&slab_mutex);
	} else if (flags & SLAB_PANIC) {
		panic("slab: cannot make the cache %s of objects of %u bytes", name, size);
	}
	return s;
}

/* Chains of a CPU are reached from that CPU only, so a worker goes round. */
struct flush_request {
	struct work_struct	work;
	struct kmem_cache	*s;
};

static void flush_cpu(struct work_struct *work)
{
	struct flush_request *req = container_of(work, struct flush_request, work);

	slab_quarantine_flush();
	slab_flush_this_cpu(req->s);
}

static void flush_all_cpus(struct kmem_cache *s)
{
	struct flush_request req = { .s = s };
	int cpu;

	for_each_online_cpu(cpu) {
		INIT_WORK_ONSTACK(&req.work, flush_cpu);
		schedule_work_on(cpu, &req.work);
		flush_work(&req.work);
		destroy_work_on_stack(&req.work);
	}
}

int kmem_cache_shrink(struct kmem_cache *s)
{
	flush_all_cpus(s);
	slab_discard_empty(s);
	return 0;
}

void kmem_cache_destroy(struct kmem_cache *s)
{
	bool busy;

	if (!s)
		return;
	mutex_lock(&slab_mutex);
	list_del(&s->list);
	mutex_unlock(&slab_mutex);
	kmem_cache_shrink(s);
	if (s->flags & SLAB_TYPESAFE_BY_RCU)
		rcu_barrier();			/* slabs that wait for their grace period still name us */
	spin_lock_irq(&s->lock);
	busy = s->nr_slabs != 0;
	spin_unlock_irq(&s->lock);
	if (WARN(busy, "slab: cache %s is destroyed while objects are in use\n", s->name))
		return;
	free_percpu(s->cpu);
	kfree_const(s->name);
	kmem_cache_free(&cache_of_caches, s);
}

/* From reclaim: whoever holds slab_mutex may be waiting for memory itself. */
void slab_reclaim(void)
{
	struct kmem_cache *s;

	if (!mutex_trylock(&slab_mutex))
		return;
	list_for_each_entry(s, &slab_caches, list) {
		slab_flush_this_cpu(s);
		slab_discard_empty(s);
	}
	mutex_unlock(&slab_mutex);
}

/* ---- objects ---- */

void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp)
{
	return slab_alloc(s, gfp, s->object_size, _RET_IP_);
}

void kmem_cache_free(struct kmem_cache *s, void *obj)
{
	if (likely(obj))
		slab_free(s, obj, _RET_IP_);
}

int kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t size, void **p)
{
	for (size_t i = 0; i < size; i++) {
		p[i] = slab_alloc(s, gfp, s->object_size, _RET_IP_);
		if (!p[i]) {
			kmem_cache_free_bulk(s, i, p);
			return 0;
		}
	}
	return (int)size;
}

void kmem_cache_free_bulk(struct kmem_cache *s, size_t size, void **p)
{
	for (size_t i = 0; i < size; i++)
		kmem_cache_free(s, p[i]);
}

/* ---- kmalloc ---- */

static void *kmalloc_pages(size_t size, gfp_t gfp)
{
	unsigned int order = (unsigned int)order_base_2(PFN_UP(size));
	struct page *page = size <= KMALLOC_MAX_SIZE ? alloc_pages(gfp | __GFP_COMP, order) : NULL;

	if (!page)
		return NULL;
	mod_node_state(NR_SLAB_UNRECLAIMABLE, 1L << order);
	kasan_poison(page_address(page), PAGE_SIZE << order, KASAN_PAGE_REDZONE);
	kasan_unpoison(page_address(page), size);
	return page_address(page);
}

static void kfree_pages(struct page *page)
{
	unsigned int order = compound_order(page);

	mod_node_state(NR_SLAB_UNRECLAIMABLE, -(1L << order));
	__free_pages(page, order);
}

void *__kmalloc(size_t size, gfp_t gfp)
{
	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE))
		return kmalloc_pages(size, gfp);
	if (unlikely(!size))
		return ZERO_SIZE_PTR;
	return slab_alloc(kmalloc_caches[kmalloc_index(size)], gfp, size, _RET_IP_);
}

void kfree(const void *p)
{
	struct page *page;

	if (unlikely(ZERO_OR_NULL_PTR(p)))
		return;
	DEBUG_ASSERT(virt_addr_valid(p));
	page = virt_to_head_page(p);
	if (likely(PageSlab(page)))
		slab_free(page->slab_cache, (void *)p, _RET_IP_);
	else
		kfree_pages(page);
}

size_t ksize(const void *p)
{
	struct page *page;

	if (ZERO_OR_NULL_PTR(p))
		return 0;
	page = virt_to_head_page(p);
	return PageSlab(page) ? page->slab_cache->object_size : page_size(page);
}

void *krealloc(const void *p, size_t new_size, gfp_t gfp)
{
	size_t old_size = ksize(p);
	void *new;

	if (!new_size) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	if (old_size >= new_size && old_size) {
		kasan_unpoison(p, new_size);
		return (void *)p;
	}
	new = __kmalloc(new_size, gfp);
	if (new && old_size) {
		kasan_unpoison(p, old_size);
		memcpy(new, p, old_size);
		kfree(p);
	}
	return new;
}

void kfree_sensitive(const void *p)
{
	size_t size = ksize(p);

	if (size) {
		kasan_unpoison(p, size);
		memzero_explicit((void *)p, size);
	}
	kfree(p);
}

/* ---- /proc/slabinfo ---- */

/* Objects that users hold, of all that are in its slabs (*objects). */
static unsigned long cache_inuse(struct kmem_cache *s, unsigned long *objects, unsigned long *slabs)
{
	unsigned long inuse;

	spin_lock_irq(&s->lock);
	inuse = s->inuse;
	*objects = s->nr_objects;
	*slabs = s->nr_slabs;
	spin_unlock_irq(&s->lock);
	return inuse - min(slab_cached_objects(s) + slab_quarantined(s), inuse);
}

unsigned long kmem_cache_inuse(const char *name)
{
	unsigned long inuse = 0, objects, slabs;
	struct kmem_cache *s;

	mutex_lock(&slab_mutex);
	list_for_each_entry(s, &slab_caches, list)
		if (!strcmp(s->name, name))
			inuse += cache_inuse(s, &objects, &slabs);
	mutex_unlock(&slab_mutex);
	return inuse;
}

static void *slabinfo_start(struct seq_file *m, loff_t *pos) __acquires(&slab_mutex)
{
	mutex_lock(&slab_mutex);
	return seq_list_start_head(&slab_caches, *pos);
}

static void *slabinfo_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &slab_caches, pos);
}

static void slabinfo_stop(struct seq_file *m, void *v) __releases(&slab_mutex)
{
	mutex_unlock(&slab_mutex);
}

static int slabinfo_show(struct seq_file *m, void *v)
{
	struct kmem_cache *s = list_entry((struct list_head *)v, struct kmem_cache, list);
	unsigned long inuse, objects, slabs;

	if (v == &slab_caches) {
		seq_puts(m, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
			    "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
			    "<num_slabs> <sharedavail>\n");
		return 0;
	}
	inuse = cache_inuse(s, &objects, &slabs);
	seq_printf(m, "%-17s %6lu %6lu %6u %4lu %4d : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n", s->name,
		   inuse, objects, s->size, (PAGE_SIZE << s->order) / s->size, 1 << s->order,
		   0, 0, 0, slabs, slabs, 0);
	return 0;
}

static const struct seq_operations slabinfo_op = {
	.start = slabinfo_start, .next = slabinfo_next, .stop = slabinfo_stop, .show = slabinfo_show,
};

static int __init slab_proc_init(void)
{
	proc_create_seq("slabinfo", 0400, NULL, &slabinfo_op);
	return 0;
}
fs_initcall(slab_proc_init);
