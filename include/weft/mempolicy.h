/*
 * mempolicy.h: where the pages of a task or an area shall come from.
 *
 * Idea:    a policy never changes once it is set: who wants another one makes another.  So tasks and areas share it by a
 *          count, fork hands it on for nothing, and who holds a reference may read it without a lock.
 *          NULL is the default: near to the processor that asks.
 * Locking: task->mempolicy is changed by the task itself, under task_lock() because others may look; vma->vm_policy under
 *          mmap_lock for writing.
 * See:     kernel/mm/mempolicy.c; man 2 set_mempolicy; doc/memory.md "Nodes"
 */
#ifndef WEFT_MEMPOLICY_H
#define WEFT_MEMPOLICY_H

#include <weft/numa.h>
#include <weft/refcount.h>
#include <uapi/mempolicy.h>

struct mempolicy {
	refcount_t	count;
	unsigned short	mode;			/* MPOL_* */
	unsigned short	flags;			/* MPOL_MODE_FLAGS as they were given */
	int		home_node;		/* where BIND and PREFERRED_MANY begin to look, or NUMA_NO_NODE */
	nodemask_t	nodes;			/* that exist */
	nodemask_t	user_nodes;		/* as they were given */
};

struct page;
struct seq_file;
struct task_struct;
struct vm_area_struct;

void __mpol_put(struct mempolicy *pol);
static inline struct mempolicy *mpol_get(struct mempolicy *pol)
{
	if (pol)
		refcount_inc(&pol->count);
	return pol;
}
static inline void mpol_put(struct mempolicy *pol)
{
	if (pol)
		__mpol_put(pol);
}
bool __mpol_equal(const struct mempolicy *a, const struct mempolicy *b);
static inline bool mpol_equal(const struct mempolicy *a, const struct mempolicy *b)
{
	return a == b || __mpol_equal(a, b);
}
/* A new policy from what the user gave, NULL for the default, or ERR_PTR. */
struct mempolicy *mpol_new(unsigned int mode_and_flags, nodemask_t nodes);
/* From user space: a mask of maxnode - 1 bits (how libnuma counts).  0, -EINVAL, -EFAULT. */
int get_user_nodes(nodemask_t *nodes, const unsigned long __user *mask, unsigned long maxnode);
/* Would a page on this node be where the policy wants it? */
bool mpol_allows_node(const struct mempolicy *pol, int nid);
void mpol_show(struct seq_file *m, const struct mempolicy *pol);	/* as numa_maps has it */
void mpol_exit(struct task_struct *tsk);

/* migrate.c: the page moves to the node if it can: 0, -EBUSY, -ENOMEM.  A reference is held; it stays the caller's. */
int migrate_page_to_node(struct page *page, int nid);
/*
 * Moves what `page` holds to `new`, fresh from the allocator and used up by this.  page: isolated, locked.  0, -EBUSY.
 * may_wait: for the lock of the tree of areas; not from the allocator, whose caller may hold it.
 */
int migrate_page(struct page *page, struct page *new, bool may_wait);

#endif
