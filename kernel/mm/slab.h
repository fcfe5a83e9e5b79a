/*
 * slab.h: what slab.c, slab_common.c and slab_debug.c show to each other.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <weft/mm.h>
#include <weft/percpu.h>
#include <weft/slab.h>

/* Free objects at hand, chained through their free pointers. */
struct slab_chain {
	void		*first;
	unsigned int	count;
};

struct slab_cpu {
	struct slab_chain	task;		/* [c] tasks that may be interrupted by soft interrupts */
	struct slab_chain	irq;		/* [c] interrupts off: all others */
};

struct kmem_cache {
	/* For each allocation; [I] */
	struct slab_cpu __percpu *cpu;
	unsigned int		offset;		/* of the free pointer within an object's slot */
	unsigned int		object_size;	/* what the user may use */
	unsigned int		batch;		/* objects moved between a CPU and the slabs at a time */
	slab_flags_t		flags;
	void			(*ctor)(void *obj);

	/* For each slab; [I] */
	unsigned int		size;		/* from one object to the next */
	unsigned int		align;
	unsigned int		order;
	unsigned int		min_order;	/* when memory is fragmented: one object fits */
	const char		*name;

	spinlock_t		lock;		/* class: slab; irq-safe; nothing is taken under it */
	struct list_head	partial __guarded_by(&lock);	/* slabs with free objects; empty ones at the tail */
	unsigned int		nr_empty __guarded_by(&lock);
	unsigned long		nr_slabs __guarded_by(&lock);
	unsigned long		nr_objects __guarded_by(&lock);	/* in all slabs */
	unsigned long		inuse __guarded_by(&lock);	/* handed out, those in chains of CPUs among them */

	struct list_head	list;		/* slab_caches [slab_mutex] */
};

extern struct list_head slab_caches;
extern struct mutex slab_mutex;

/* ---- slab.c ---- */
int slab_setup(struct kmem_cache *s);		/* sizes, order, per-CPU part; 0 or -ENOMEM, -EINVAL */
void *slab_alloc(struct kmem_cache *s, gfp_t gfp, size_t size, unsigned long ip);
void slab_free(struct kmem_cache *s, void *obj, unsigned long ip);
/* To the per-CPU chain at once, past debug's quarantine. */
void slab_free_now(struct kmem_cache *s, void *obj);
void slab_flush_this_cpu(struct kmem_cache *s);	/* task context */
unsigned int slab_discard_empty(struct kmem_cache *s);	/* slabs that were given back */
unsigned long slab_cached_objects(struct kmem_cache *s);	/* in the chains of all CPUs: racy */

/* ---- slab_debug.c ---- */
#ifdef CONFIG_DEBUG
/* Behind each object.  Not covered by KASAN's unpoisoned range, so only touched by code that is not checked. */
struct slab_tail {
	void		*next;			/* the free pointer */
	unsigned long	red;			/* SLAB_RED_ACTIVE or _FREE */
	unsigned long	ip;			/* who allocated or freed it last */
	int		pid;
};
#define SLAB_TAIL_SIZE	sizeof(struct slab_tail)
void slab_debug_new_object(struct kmem_cache *s, void *obj);	/* its slab was just made; before the constructor */
void slab_debug_seal_object(struct kmem_cache *s, void *obj);	/* after the constructor */
void slab_debug_alloc(struct kmem_cache *s, void *obj, size_t size, unsigned long ip);
bool slab_debug_free(struct kmem_cache *s, void *obj, unsigned long ip);	/* false: must not go on */
bool slab_quarantine(struct kmem_cache *s, void *obj);		/* true: it was kept, maybe another one freed instead */
void slab_quarantine_flush(void);
unsigned long slab_quarantined(const struct kmem_cache *s);
#else
#define SLAB_TAIL_SIZE	sizeof(void *)
static inline void slab_debug_new_object(struct kmem_cache *s, void *obj) { }
static inline void slab_debug_seal_object(struct kmem_cache *s, void *obj) { }
static inline void slab_debug_alloc(struct kmem_cache *s, void *obj, size_t size, unsigned long ip) { }
static inline bool slab_debug_free(struct kmem_cache *s, void *obj, unsigned long ip) { return true; }
static inline bool slab_quarantine(struct kmem_cache *s, void *obj) { return false; }
static inline void slab_quarantine_flush(void) { }
static inline unsigned long slab_quarantined(const struct kmem_cache *s) { return 0; }
#endif

#endif
