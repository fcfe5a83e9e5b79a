/*
 * xarray.c: sparse arrays of pointers, with marks.
 *
 * What:    see include/weft/xarray.h.
 * Idea:    a tree of 64-way nodes, 6 bits of the index a level; as high as the largest index needs, so an array with only
 *          index 0 has no node at all: xa_head is the entry itself.  Each node keeps five bitmaps over its slots: three
 *          for the callers' marks, FULL (no free index below) and PRESENT (something below).  A bit says "some entry
 *          below" (FULL: "all"), so a search skips what has none, 64 slots an instruction, and a change stops going up
 *          as soon as a parent's bit is right already.
 * Locking: xa_lock for changes.  Readers run under RCU: slots are published with rcu_assign_pointer, and a node that was
 *          taken out keeps its slots until a grace period has passed.  A reader inside it sees entries as they were when
 *          it began, never garbage.  Bitmaps may run ahead of or behind the slots for a reader; searches look at the
 *          slot itself last.
 * See:     spec.md §6 "page cache"
 */
#include <weft/xarray.h>
#include <weft/bitops.h>
#include <weft/kernel.h>
#include <weft/rcu.h>
#include <weft/slab.h>

#define XA_CHUNK_SHIFT	6
#define XA_CHUNK_SIZE	(1U << XA_CHUNK_SHIFT)
#define XA_CHUNK_MASK	(XA_CHUNK_SIZE - 1)

enum { XA_FULL = XA_MAX_MARKS, XA_HAS, XA_NR_MAPS };
#define XA_FLAGS_MARK(mark)	(1u << (24 + (mark)))	/* root's bit of XA_MARK_0..2 and XA_FULL in xa_flags */

struct xa_node {
	u8		shift;		/* [I] bits of the index below this node's slots */
	u8		offset;		/* [I] our slot in the parent, set again when the tree grows */
	struct xa_node	*parent;	/* [xa_lock] NULL at the root */
	u64		map[XA_NR_MAPS]; /* [r:xa_lock] one bit a slot */
	union {
		void		*slots[XA_CHUNK_SIZE];	/* [r:xa_lock] entries (shift 0) or node entries */
		struct xa_node	*next_free;		/* while in a caller's reserve */
	};
	struct rcu_head	rcu;
};

static struct kmem_cache *xa_node_cache;

/* Nodes as entries: bits 01, and not one of the small or negative internal ones. */
static inline bool is_node(const void *entry)
{
	return ((unsigned long)entry & 3) == 2 && (unsigned long)entry > 4096;
}
static inline struct xa_node *to_node(const void *entry) { return (struct xa_node *)((unsigned long)entry - 2); }
static inline void *node_entry(const struct xa_node *node) { return (void *)((unsigned long)node | 2); }
static inline unsigned int slot_of(const struct xa_node *node, unsigned long index)
{
	return (index >> node->shift) & XA_CHUNK_MASK;
}
/* The largest index below node, given its lowest bits; and the largest that a tree with this root can hold. */
static inline unsigned long node_last(const struct xa_node *node, unsigned long index)
{
	unsigned int bits = node->shift + XA_CHUNK_SHIFT;

	return bits >= BITS_PER_LONG ? ULONG_MAX : index | ((1UL << bits) - 1);
}
static inline void *xa_head(const struct xarray *xa) { return READ_ONCE(xa->xa_head); }
static inline void *hide_zero(void *entry) { return xa_is_zero(entry) ? NULL : entry; }

void xarray_init(void)
{
	xa_node_cache = kmem_cache_create("xa_node", sizeof(struct xa_node), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
}

/* ---- nodes: allocation with the lock held, from a reserve if the caller filled one ---- */

/* A change under way. */
struct xa_change {
	struct xarray	*xa;
	unsigned long	index;
	struct xa_node	*node;		/* where the walk ended: the leaf node, or NULL for the head */
	struct xa_node	*reserve;	/* nodes that were allocated while the lock was not held */
};

static struct xa_node *node_alloc(struct xa_change *c)
{
	struct xa_node *node = c->reserve;

	if (node) {
		c->reserve = node->next_free;
		node->next_free = NULL;
		return node;
	}
	return kmem_cache_zalloc(xa_node_cache, GFP_NOWAIT | __GFP_NOWARN);
}

static void drop_reserve(struct xa_change *c)
{
	while (c->reserve) {
		struct xa_node *node = c->reserve;

		c->reserve = node->next_free;
		kmem_cache_free(xa_node_cache, node);
	}
}

/* The lock in the way that this array's flags say. */
static void lock_by_flags(struct xarray *xa) __acquires(&xa->xa_lock)
{
	if (xa->xa_flags & XA_FLAGS_LOCK_IRQ)
		xa_lock_irq(xa);
	else if (xa->xa_flags & XA_FLAGS_LOCK_BH)
		xa_lock_bh(xa);
	else
		xa_lock(xa);
}
static void unlock_by_flags(struct xarray *xa) __releases(&xa->xa_lock)
{
	if (xa->xa_flags & XA_FLAGS_LOCK_IRQ)
		xa_unlock_irq(xa);
	else if (xa->xa_flags & XA_FLAGS_LOCK_BH)
		xa_unlock_bh(xa);
	else
		xa_unlock(xa);
}

/* After a failure of node_alloc(): drops the lock to allocate one node in earnest.  True: there is one now, try again. */
static bool refill_reserve(struct xa_change *c, gfp_t gfp) __must_hold(&c->xa->xa_lock)
{
	struct xa_node *node;

	if (!gfpflags_allow_blocking(gfp))
		return false;
	unlock_by_flags(c->xa);
	node = kmem_cache_zalloc(xa_node_cache, gfp);
	lock_by_flags(c->xa);
	if (!node)
		return false;
	node->next_free = c->reserve;
	c->reserve = node;
	return true;
}

static void node_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(xa_node_cache, container_of(head, struct xa_node, rcu));
}

/* ---- bitmaps ---- */

static void set_in_map(struct xarray *xa, struct xa_node *node, unsigned int offset, unsigned int map)
{
	while (node) {
		u64 bit = 1ull << offset;

		if (node->map[map] & bit)
			return;
		WRITE_ONCE(node->map[map], node->map[map] | bit);
		if (map == XA_FULL && ~node->map[map])
			return;
		offset = node->offset;
		node = node->parent;
	}
	if (map != XA_HAS)
		xa->xa_flags |= XA_FLAGS_MARK(map);
}

static void clear_in_map(struct xarray *xa, struct xa_node *node, unsigned int offset, unsigned int map)
{
	while (node) {
		u64 bit = 1ull << offset;

		if (!(node->map[map] & bit))
			return;
		WRITE_ONCE(node->map[map], node->map[map] & ~bit);
		if (map != XA_FULL && node->map[map])
			return;
		offset = node->offset;
		node = node->parent;
	}
	if (map != XA_HAS)
		xa->xa_flags &= ~XA_FLAGS_MARK(map);
}

/* ---- shape of the tree ---- */

static void set_slot(struct xarray *xa, struct xa_node *node, unsigned int offset, void *entry)
{
	if (node)
		rcu_assign_pointer(node->slots[offset], entry);
	else
		rcu_assign_pointer(xa->xa_head, entry);
}

/* The shift of the lowest root that has index below it. */
static unsigned int shift_for(unsigned long index)
{
	unsigned int shift = 0;

	while (shift + XA_CHUNK_SHIFT < BITS_PER_LONG && index >> (shift + XA_CHUNK_SHIFT))
		shift += XA_CHUNK_SHIFT;
	return shift;
}

/* One level more on top: the old head becomes slot 0 of a new root.  An empty array gets its full height at once. */
static bool grow(struct xa_change *c)
{
	struct xarray *xa = c->xa;
	void *head = xa->xa_head;
	struct xa_node *node = node_alloc(c);

	if (!node)
		return false;
	node->shift = is_node(head) ? to_node(head)->shift + XA_CHUNK_SHIFT : head ? 0 : shift_for(c->index);
	node->offset = 0;
	node->parent = NULL;
	node->slots[0] = head;
	for (unsigned int map = 0; map < XA_HAS; map++)
		node->map[map] = !!(xa->xa_flags & XA_FLAGS_MARK(map));
	node->map[XA_HAS] = head != NULL;
	xa->xa_flags &= ~XA_FLAGS_MARK(XA_FULL);
	if (is_node(head)) {
		to_node(head)->offset = 0;
		to_node(head)->parent = node;
	}
	rcu_assign_pointer(xa->xa_head, node_entry(node));
	return true;
}

/* A root with nothing but slot 0 is one level too many. */
static void shrink(struct xarray *xa)
{
	while (is_node(xa->xa_head)) {
		struct xa_node *root = to_node(xa->xa_head);
		void *first = root->slots[0];

		if (root->map[XA_HAS] != 1)
			return;
		if (is_node(first))
			to_node(first)->parent = NULL;
		if (root->map[XA_FULL] & 1)
			xa->xa_flags |= XA_FLAGS_MARK(XA_FULL);
		rcu_assign_pointer(xa->xa_head, first);
		call_rcu(&root->rcu, node_free_rcu);
	}
}

/* Takes out nodes from `node` upwards that hold nothing any more. */
static void prune(struct xarray *xa, struct xa_node *node)
{
	while (node && !node->map[XA_HAS]) {
		struct xa_node *parent = node->parent;

		set_slot(xa, parent, node->offset, NULL);
		if (parent)
			WRITE_ONCE(parent->map[XA_HAS], parent->map[XA_HAS] & ~(1ull << node->offset));
		call_rcu(&node->rcu, node_free_rcu);
		node = parent;
	}
	shrink(xa);
}

/* Goes to c->index without making anything.  False if its place does not exist (then there is no entry). */
static bool walk_existing(struct xa_change *c)
{
	void *entry = c->xa->xa_head;

	c->node = NULL;
	if (!is_node(entry))
		return c->index == 0;
	if (c->index > node_last(to_node(entry), 0))
		return false;
	while (is_node(entry)) {
		c->node = to_node(entry);
		if (!c->node->shift)
			return true;
		entry = c->node->slots[slot_of(c->node, c->index)];
	}
	return false;
}

/* Goes to c->index and makes what is missing.  False without memory; empty nodes may be left: prune(c->node). */
static bool walk_creating(struct xa_change *c)
{
	struct xa_node *node;
	void *entry;

	c->node = NULL;
	while (c->index > (is_node(c->xa->xa_head) ? node_last(to_node(c->xa->xa_head), 0) : 0))
		if (!grow(c))
			return false;
	for (entry = c->xa->xa_head; is_node(entry); entry = c->node->slots[slot_of(c->node, c->index)]) {
		c->node = to_node(entry);
		if (!c->node->shift)
			return true;
		if (c->node->slots[slot_of(c->node, c->index)])
			continue;
		node = node_alloc(c);
		if (!node)
			return false;
		node->shift = c->node->shift - XA_CHUNK_SHIFT;
		node->offset = slot_of(c->node, c->index);
		node->parent = c->node;
		set_in_map(c->xa, c->node, node->offset, XA_HAS);
		set_slot(c->xa, c->node, node->offset, node_entry(node));
	}
	return true;		/* index 0 of an array without nodes */
}

/* A failed walk_creating() may have left a chain of empty nodes; `XA_HAS` of their parents counts them. */
static void undo_walk(struct xa_change *c)
{
	struct xa_node *node = c->node;

	if (!node && is_node(c->xa->xa_head))
		node = to_node(c->xa->xa_head);
	if (node && !node->map[XA_HAS])
		prune(c->xa, node);
	else
		shrink(c->xa);
}

static void *current_entry(struct xa_change *c)
{
	return c->node ? c->node->slots[slot_of(c->node, c->index)] : c->xa->xa_head;
}

/* Puts entry (NULL: nothing) where the walk ended. */
static void replace_entry(struct xa_change *c, void *entry)
{
	struct xarray *xa = c->xa;
	unsigned int offset = c->node ? slot_of(c->node, c->index) : 0;

	set_slot(xa, c->node, offset, entry);
	if (entry) {
		set_in_map(xa, c->node, offset, XA_HAS);
		set_in_map(xa, c->node, offset, XA_FULL);
		return;
	}
	for (unsigned int map = 0; map < XA_HAS; map++)
		clear_in_map(xa, c->node, offset, map);
	if (c->node) {
		WRITE_ONCE(c->node->map[XA_HAS], c->node->map[XA_HAS] & ~(1ull << offset));
		prune(xa, c->node);
	}
}

/* ---- changes ---- */

/* The one way in: stores entry if `any` or if `old` is there.  Returns what was there, or an error entry. */
static void *store(struct xarray *xa, unsigned long index, void *old, bool any, void *entry, gfp_t gfp)
	__no_context_analysis	/* may drop and take the lock in refill_reserve() */
{
	struct xa_change c = { .xa = xa, .index = index };
	void *was;

	if (WARN_ON_ONCE(is_node(entry) || xa_is_err(entry)))
		return xa_mk_err(-EINVAL);
	for (;;) {
		bool found = walk_existing(&c);

		was = found ? current_entry(&c) : NULL;
		if (!any && was != old)
			break;
		if (!entry) {
			if (was)
				replace_entry(&c, NULL);
			break;
		}
		if (found || walk_creating(&c)) {
			replace_entry(&c, entry);
			break;
		}
		undo_walk(&c);
		if (!refill_reserve(&c, gfp)) {
			was = xa_mk_err(-ENOMEM);
			break;
		}
	}
	drop_reserve(&c);
	return was;
}

void *__xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	return hide_zero(store(xa, index, NULL, true, entry, gfp));
}

void *__xa_erase(struct xarray *xa, unsigned long index)
{
	return hide_zero(store(xa, index, NULL, true, NULL, 0));
}

void *__xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp)
{
	return hide_zero(store(xa, index, old, false, entry, gfp));
}

int __xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	void *was = store(xa, index, NULL, false, entry ? entry : XA_ZERO_ENTRY, gfp);

	return xa_is_err(was) ? xa_err(was) : was ? -EBUSY : 0;
}

/* The lowest index in [min, max] without an entry; false when all are taken. */
static bool find_free(struct xarray *xa, unsigned long min, unsigned long max, unsigned long *found)
{
	unsigned long index = min;
	struct xa_node *node;

	if (!is_node(xa->xa_head)) {
		*found = index == 0 && xa->xa_head ? 1 : index;
		return *found <= max;
	}
	node = to_node(xa->xa_head);
	while (index <= node_last(to_node(xa->xa_head), 0)) {
		unsigned int offset = slot_of(node, index);
		u64 free = ~node->map[XA_FULL] & (~0ull << offset);

		if (!free) {			/* go on behind this node, from the root again */
			index = node_last(node, index) + 1;
			node = to_node(xa->xa_head);
			if (!index)
				return false;
			continue;
		}
		if (__ffs(free) != offset)
			index = (index & ~(node_last(node, 0))) | (unsigned long)__ffs(free) << node->shift;
		if (!node->shift || !node->slots[__ffs(free)])
			break;
		node = to_node(node->slots[__ffs(free)]);
	}
	*found = index;
	return index <= max;
}

int __xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
{
	unsigned long index, min = limit.min;

	if (!min && (xa->xa_flags & XA_FLAGS_ALLOC1))
		min = 1;
	for (;;) {
		int err;

		if (!find_free(xa, min, limit.max, &index))
			return -EBUSY;
		err = __xa_insert(xa, index, entry, gfp);	/* -EBUSY: taken while the lock was dropped */
		if (err == -EBUSY)
			continue;
		if (!err)
			*id = (u32)index;
		return err;
	}
}

int __xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp)
{
	struct xa_limit upper = { .max = limit.max, .min = max(*next, limit.min) };
	int wrapped = 0, err = -EBUSY;

	if (upper.min <= limit.max)
		err = __xa_alloc(xa, id, entry, upper, gfp);
	if (err == -EBUSY && upper.min > limit.min) {
		wrapped = 1;
		err = __xa_alloc(xa, id, entry, limit, gfp);
	}
	if (err)
		return err;
	*next = *id + 1;
	return wrapped;
}

void __xa_set_mark(struct xarray *xa, unsigned long index, xa_mark_t mark)
{
	struct xa_change c = { .xa = xa, .index = index };

	if (walk_existing(&c) && current_entry(&c))
		set_in_map(xa, c.node, c.node ? slot_of(c.node, index) : 0, mark);
}

void __xa_clear_mark(struct xarray *xa, unsigned long index, xa_mark_t mark)
{
	struct xa_change c = { .xa = xa, .index = index };

	if (walk_existing(&c))
		clear_in_map(xa, c.node, c.node ? slot_of(c.node, index) : 0, mark);
}

/* The same with the lock taken here.  It may be held by others with interrupts off: irqsave serves every array. */
#define LOCKED(type, expr)							\
	unsigned long flags;							\
	type result;								\
										\
	if (xa->xa_flags & XA_FLAGS_LOCK_IRQ) {					\
		xa_lock_irqsave(xa, flags);					\
		result = (expr);						\
		xa_unlock_irqrestore(xa, flags);				\
	} else {								\
		lock_by_flags(xa);						\
		result = (expr);						\
		unlock_by_flags(xa);						\
	}									\
	return result;

#define LOCKED_IRQ(type, expr)							\
	type result;								\
										\
	xa_lock_irq(xa);							\
	result = (expr);							\
	xa_unlock_irq(xa);							\
	return result;

void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	LOCKED(void *, __xa_store(xa, index, entry, gfp))
}
void *xa_erase(struct xarray *xa, unsigned long index)
{
	LOCKED(void *, __xa_erase(xa, index))
}
void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp)
{
	LOCKED(void *, __xa_cmpxchg(xa, index, old, entry, gfp))
}
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	LOCKED(int, __xa_insert(xa, index, entry, gfp))
}
int xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
{
	LOCKED(int, __xa_alloc(xa, id, entry, limit, gfp))
}
int xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp)
{
	LOCKED(int, __xa_alloc_cyclic(xa, id, entry, limit, next, gfp))
}
int xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	LOCKED(int, xa_err(store(xa, index, NULL, false, XA_ZERO_ENTRY, gfp)))
}
static void *release_reserved(struct xarray *xa, unsigned long index)
{
	LOCKED(void *, store(xa, index, XA_ZERO_ENTRY, false, NULL, 0))
}
void xa_release(struct xarray *xa, unsigned long index)
{
	release_reserved(xa, index);
}
void xa_set_mark(struct xarray *xa, unsigned long index, xa_mark_t mark)
{
	unsigned long flags;

	xa_lock_irqsave(xa, flags);
	__xa_set_mark(xa, index, mark);
	xa_unlock_irqrestore(xa, flags);
}
void xa_clear_mark(struct xarray *xa, unsigned long index, xa_mark_t mark)
{
	unsigned long flags;

	xa_lock_irqsave(xa, flags);
	__xa_clear_mark(xa, index, mark);
	xa_unlock_irqrestore(xa, flags);
}

void *xa_store_irq(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	LOCKED_IRQ(void *, __xa_store(xa, index, entry, gfp))
}
void *xa_erase_irq(struct xarray *xa, unsigned long index)
{
	LOCKED_IRQ(void *, __xa_erase(xa, index))
}
int xa_insert_irq(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	LOCKED_IRQ(int, __xa_insert(xa, index, entry, gfp))
}
int xa_alloc_irq(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
{
	LOCKED_IRQ(int, __xa_alloc(xa, id, entry, limit, gfp))
}
int xa_alloc_cyclic_irq(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp)
{
	LOCKED_IRQ(int, __xa_alloc_cyclic(xa, id, entry, limit, next, gfp))
}

/* Forgets everything below an entry. */
static void free_subtree(void *entry)
{
	struct xa_node *node;

	if (!is_node(entry))
		return;
	node = to_node(entry);
	if (node->shift)
		for (unsigned int i = 0; i < XA_CHUNK_SIZE; i++)
			free_subtree(node->slots[i]);
	call_rcu(&node->rcu, node_free_rcu);
}

void xa_destroy(struct xarray *xa)
{
	unsigned long flags;
	void *head;

	xa_lock_irqsave(xa, flags);
	head = xa->xa_head;
	RCU_INIT_POINTER(xa->xa_head, NULL);
	for (unsigned int map = 0; map < XA_HAS; map++)
		xa->xa_flags &= ~XA_FLAGS_MARK(map);
	xa_unlock_irqrestore(xa, flags);
	free_subtree(head);
}

/* ---- look-ups, under RCU ---- */

static void *load(const struct xarray *xa, unsigned long index)
{
	void *entry = rcu_dereference_raw(xa->xa_head);

	if (!is_node(entry))
		return index ? NULL : entry;
	if (index > node_last(to_node(entry), 0))
		return NULL;
	do {
		const struct xa_node *node = to_node(entry);

		entry = rcu_dereference_raw(node->slots[slot_of(node, index)]);
	} while (is_node(entry));
	return entry;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	void *entry;

	rcu_read_lock();
	entry = hide_zero(load(xa, index));
	rcu_read_unlock();
	return entry;
}

static bool root_passes(const struct xarray *xa, const void *entry, xa_mark_t filter)
{
	return entry && !xa_is_zero(entry) &&
	       (filter == XA_PRESENT || (READ_ONCE(xa->xa_flags) & XA_FLAGS_MARK(filter)));
}

/* The first entry at or after *indexp that the filter takes. */
static void *find_from(const struct xarray *xa, unsigned long *indexp, unsigned long max, xa_mark_t filter)
{
	unsigned int map = filter == XA_PRESENT ? XA_HAS : filter;
	unsigned long index = *indexp;
	const struct xa_node *root, *node;
	void *entry = rcu_dereference_raw(xa->xa_head);

	if (!is_node(entry))
		return index == 0 && root_passes(xa, entry, filter) ? entry : NULL;
	root = node = to_node(entry);
	while (index <= max && index <= node_last(root, 0)) {
		unsigned int offset = slot_of(node, index), next;
		u64 bits = READ_ONCE(node->map[map]) & (~0ull << offset);

		if (!bits) {
			index = node_last(node, index) + 1;
			if (!index)
				return NULL;
			node = root;
			continue;
		}
		next = __ffs(bits);
		if (next != offset)
			index = (index & ~node_last(node, 0)) | (unsigned long)next << node->shift;
		entry = rcu_dereference_raw(node->slots[next]);
		if (is_node(entry)) {
			node = to_node(entry);
		} else if (entry && !xa_is_zero(entry) && index <= max) {
			*indexp = index;
			return entry;
		} else {			/* erased just now, or reserved: the next slot */
			index = (index | ((1UL << node->shift) - 1)) + 1;
			node = root;
			if (!index)
				return NULL;
		}
	}
	return NULL;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, xa_mark_t filter)
{
	void *entry;

	rcu_read_lock();
	entry = find_from(xa, index, max, filter);
	rcu_read_unlock();
	return entry;
}

void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max, xa_mark_t filter)
{
	unsigned long next = *index + 1;
	void *entry;

	if (!next || next > max)
		return NULL;
	entry = xa_find(xa, &next, max, filter);
	if (entry)
		*index = next;
	return entry;
}

/* The leaf node of index, or NULL.  Under RCU. */
static const struct xa_node *leaf_of(const struct xarray *xa, unsigned long index)
{
	void *entry = rcu_dereference_raw(xa->xa_head);

	if (!is_node(entry) || index > node_last(to_node(entry), 0))
		return NULL;
	while (is_node(entry) && to_node(entry)->shift)
		entry = rcu_dereference_raw(to_node(entry)->slots[slot_of(to_node(entry), index)]);
	return is_node(entry) ? to_node(entry) : NULL;
}

/* xa_extract()'s part from one leaf.  *index goes on behind it, or behind max; 0 if that is the end of all. */
static unsigned int extract_from_leaf(const struct xa_node *leaf, void **dst, unsigned long *index, unsigned long max,
				      unsigned int n, xa_mark_t filter)
{
	unsigned long first = *index & ~(unsigned long)XA_CHUNK_MASK, last = first | XA_CHUNK_MASK;
	u64 bits = READ_ONCE(leaf->map[filter == XA_PRESENT ? XA_HAS : filter]) & (~0ull << slot_of(leaf, *index));
	unsigned int found = 0;

	if (max < last)
		bits &= ~0ull >> (last - max);
	for (; bits && found < n; bits &= bits - 1) {
		void *entry = rcu_dereference_raw(leaf->slots[__ffs(bits)]);

		if (entry && !xa_is_zero(entry))
			dst[found++] = entry;
	}
	*index = last + 1;
	return found;
}

unsigned int xa_extract(struct xarray *xa, void **dst, unsigned long start, unsigned long max, unsigned int n,
			xa_mark_t filter)
{
	unsigned int found = 0;

	rcu_read_lock();
	while (found < n && start <= max) {
		void *entry = find_from(xa, &start, max, filter);
		const struct xa_node *leaf = leaf_of(xa, start);

		if (entry && !leaf)
			dst[found++] = entry;		/* the one entry of an array without nodes */
		if (!entry || !leaf)
			break;
		found += extract_from_leaf(leaf, dst + found, &start, max, n - found, filter);
		if (!start)
			break;
	}
	rcu_read_unlock();
	return found;
}

bool xa_get_mark(struct xarray *xa, unsigned long index, xa_mark_t mark)
{
	const struct xa_node *node;
	bool marked = false;

	rcu_read_lock();
	node = leaf_of(xa, index);
	if (node)
		marked = READ_ONCE(node->map[mark]) >> slot_of(node, index) & 1;
	else if (!index)
		marked = !is_node(xa_head(xa)) && xa_marked(xa, mark);
	rcu_read_unlock();
	return marked;
}

bool xa_marked(const struct xarray *xa, xa_mark_t mark)
{
	return READ_ONCE(xa->xa_flags) & XA_FLAGS_MARK(mark);
}

unsigned long xa_next_gap(struct xarray *xa, unsigned long index, unsigned long max)
{
	rcu_read_lock();
	while (index <= max) {
		const struct xa_node *node = leaf_of(xa, index);
		u64 free;

		if (!node) {		/* no node: nothing here, unless it is index 0 of an array without nodes */
			if (index || !load(xa, 0))
				break;
			index = 1;
			continue;
		}
		free = ~READ_ONCE(node->map[XA_HAS]) & (~0ull << slot_of(node, index));
		if (free) {
			index = (index & ~(unsigned long)XA_CHUNK_MASK) | __ffs(free);
			break;
		}
		index |= XA_CHUNK_MASK;
		if (index >= max) {
			index = max + 1;
			break;
		}
		index++;
	}
	rcu_read_unlock();
	return index > max ? max + 1 : index;
}
