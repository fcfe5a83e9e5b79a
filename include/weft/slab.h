/*
 * slab.h: memory for objects smaller than a page: caches of one kind of object, and kmalloc's caches of sizes.
 *
 * Cost:    an allocation or a free takes about 20 instructions from this CPU's list; every `batch` of them one lock.
 * Context: as in gfp.h: allocating may sleep when the flags say so; freeing is allowed everywhere but in NMI.
 * See:     spec.md §6 "slab"; kernel/mm/slab.c
 */
#ifndef WEFT_SLAB_H
#define WEFT_SLAB_H

#include <weft/types.h>
#include <weft/errno.h>
#include <weft/gfp.h>

#define SLAB_HWCACHE_ALIGN	((slab_flags_t)0x00002000)	/* objects start at cache lines */
#define SLAB_PANIC		((slab_flags_t)0x00040000)	/* kmem_cache_create() does not return without a cache */
/*
 * The memory of a freed object stays an object of this cache until a grace period has passed: a reader under RCU may
 * find it reused, but as the same type.  It must check the object's identity after it took a lock or reference.
 */
#define SLAB_TYPESAFE_BY_RCU	((slab_flags_t)0x00080000)
#define SLAB_RECLAIM_ACCOUNT	((slab_flags_t)0x00020000)	/* a shrinker can get these back: "SReclaimable" */
#define SLAB_ACCOUNT		((slab_flags_t)0x04000000)
#define SLAB_MEM_SPREAD		((slab_flags_t)0)
#define SLAB_NO_QUARANTINE	((slab_flags_t)0x10000000)	/* debug: reuse at once */

#define ARCH_KMALLOC_MINALIGN	8
#define ARCH_SLAB_MINALIGN	8
#define KMALLOC_MAX_CACHE_SIZE	8192ul				/* larger requests are whole pages */
#define KMALLOC_MAX_SIZE	(1ul << (MAX_ORDER - 1 + 12))
#define KMALLOC_MIN_SIZE	8
/* What kmalloc(0) returns: not NULL, and any use of it faults. */
#define ZERO_SIZE_PTR		((void *)16)
#define ZERO_OR_NULL_PTR(x)	((unsigned long)(x) <= (unsigned long)ZERO_SIZE_PTR)

struct kmem_cache;
struct list_lru;

/* `ctor` runs once for each object when its slab is made; objects are freed in the constructed state.  May sleep. */
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *));
#define kmem_cache_create_usercopy(name, size, align, flags, off, len, ctor) \
	kmem_cache_create(name, size, align, flags, ctor)
#define KMEM_CACHE(__struct, __flags) \
	kmem_cache_create(#__struct, sizeof(struct __struct), __alignof__(struct __struct), (__flags), NULL)
/* No object may be in use.  May sleep. */
void kmem_cache_destroy(struct kmem_cache *s);
int kmem_cache_shrink(struct kmem_cache *s);		/* gives empty slabs back; may sleep */

unsigned long kmem_cache_inuse(const char *name);	/* objects of the caches of this name that users hold; may sleep */
void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp) __malloc;
#define kmem_cache_alloc_node(s, gfp, node)	kmem_cache_alloc(s, gfp)
void kmem_cache_free(struct kmem_cache *s, void *obj);
static inline void *kmem_cache_zalloc(struct kmem_cache *s, gfp_t gfp) { return kmem_cache_alloc(s, gfp | __GFP_ZERO); }
/* All `size` objects or none: returns size or 0. */
int kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t size, void **p);
void kmem_cache_free_bulk(struct kmem_cache *s, size_t size, void **p);

/* 8 16 32 64 96 128 192 256 512 1024 2048 4096 8192 */
#define KMALLOC_NR_CLASSES	13
extern struct kmem_cache *kmalloc_caches[KMALLOC_NR_CLASSES];

/* The class for a size from 1 to KMALLOC_MAX_CACHE_SIZE; folds to a constant for a constant. */
static __always_inline unsigned int kmalloc_index(size_t size)
{
	if (size <= 8)
		return 0;
	if (size > 64 && size <= 96)
		return 4;
	if (size > 128 && size <= 192)
		return 6;
	if (size <= 64)
		return 61 - __builtin_clzl(size - 1);
	return size <= 128 ? 5 : 63 - __builtin_clzl(size - 1);
}

void *__kmalloc(size_t size, gfp_t gfp) __malloc;
#ifdef CONFIG_DEBUG
#define KMALLOC_BY_CLASS	0	/* KASAN is to know the exact size */
#else
#define KMALLOC_BY_CLASS	1
#endif
static __always_inline void *kmalloc(size_t size, gfp_t gfp)
{
	if (KMALLOC_BY_CLASS && __builtin_constant_p(size) && size && size <= KMALLOC_MAX_CACHE_SIZE)
		return kmem_cache_alloc(kmalloc_caches[kmalloc_index(size)], gfp);
	return __kmalloc(size, gfp);
}
#define kmalloc_node(size, gfp, node)	kmalloc(size, gfp)
#define __kmalloc_node(size, gfp, node)	__kmalloc(size, gfp)
#define kmalloc_track_caller(size, gfp)	__kmalloc(size, gfp)
static inline void *kzalloc(size_t size, gfp_t gfp) { return kmalloc(size, gfp | __GFP_ZERO); }
#define kzalloc_node(size, gfp, node)	kzalloc(size, gfp)
static inline void *kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc(bytes, gfp);
}
static inline void *kcalloc(size_t n, size_t size, gfp_t gfp) { return kmalloc_array(n, size, gfp | __GFP_ZERO); }
/* Keeps the contents up to the smaller size; NULL leaves p as it was.  krealloc(p, 0) frees. */
void *krealloc(const void *p, size_t new_size, gfp_t gfp);
static inline void *krealloc_array(void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return krealloc(p, bytes, gfp);
}
void kfree(const void *p);			/* NULL is allowed */
void kfree_sensitive(const void *p);		/* wiped first */
size_t ksize(const void *p);			/* bytes that are really there */

/* Memory in pages where kmalloc fails or would be silly; the result is virtually contiguous only.  May sleep. */
void *kvmalloc_node(size_t size, gfp_t gfp, int node);
static inline void *kvmalloc(size_t size, gfp_t gfp) { return kvmalloc_node(size, gfp, NUMA_NO_NODE); }
static inline void *kvzalloc(size_t size, gfp_t gfp) { return kvmalloc(size, gfp | __GFP_ZERO); }
static inline void *kvmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kvmalloc(bytes, gfp);
}
static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp) { return kvmalloc_array(n, size, gfp | __GFP_ZERO); }
void kvfree(const void *p);

/* Duplicates; kfree() them.  NULL when out of memory (or p is NULL). */
char *kstrdup(const char *s, gfp_t gfp);
const char *kstrdup_const(const char *s, gfp_t gfp);
void kfree_const(const void *p);
char *kstrndup(const char *s, size_t max, gfp_t gfp);
void *kmemdup(const void *src, size_t len, gfp_t gfp);
char *kmemdup_nul(const char *s, size_t len, gfp_t gfp);
/* From user memory; ERR_PTR(-ENOMEM), ERR_PTR(-EFAULT).  May sleep. */
void *memdup_user(const void __user *src, size_t len);
void *vmemdup_user(const void __user *src, size_t len);	/* kvfree() it */
void *memdup_user_nul(const void __user *src, size_t len);
char *strndup_user(const char __user *s, long n);	/* n with the NUL; ERR_PTR(-EINVAL) when longer */

void kmem_cache_init(void);
void slab_reclaim(void);			/* empty slabs of all caches go back; may sleep */

#endif
