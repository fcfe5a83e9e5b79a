/*
 * mempolicy.c: which node a page comes from.
 *
 * What:    the policies of set_mempolicy(2): default and LOCAL (the running processor's node), PREFERRED (one node, else any),
 *          PREFERRED_MANY (these nodes, else any), BIND (these nodes only), INTERLEAVE (in turn).  An area's own policy
 *          (mbind) goes before the task's.
 * Idea:    each comes down to two things that the page allocator knows: from whose zonelist, and a mask of nodes.  On a
 *          machine with one node nobody asks: alloc_pages() does not come here.
 *          Turns: an area deals its pages by their offset, so the order of faults does not matter; a task by a counter.
 * Locking: see mempolicy.h.
 * See:     spec.md §6 "NUMA"; man 2 set_mempolicy, get_mempolicy; mbind.c: ranges, and pages that move; doc/memory.md
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/err.h>
#include <weft/mempolicy.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- policies ---- */

void __mpol_put(struct mempolicy *pol)
{
	if (refcount_dec_and_test(&pol->count))
		kfree(pol);
}

bool __mpol_equal(const struct mempolicy *a, const struct mempolicy *b)
{
	return a && b && a->mode == b->mode && a->flags == b->flags && a->home_node == b->home_node &&
	       a->user_nodes == b->user_nodes;
}

/* RELATIVE: bit n means the n-th node there is, counted round and round. */
static nodemask_t fold_nodes(nodemask_t nodes)
{
	nodemask_t folded = 0;

	for (int bit = 0; bit < MAX_NUMNODES; bit++)
		if (nodes >> bit & 1)
			folded |= 1UL << bit % nr_online_nodes;
	return folded;
}

/* May these go together?  Sets what an empty PREFERRED really is. */
static int check_policy(unsigned int *mode, unsigned int flags, nodemask_t nodes)
{
	bool moving_mask = flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);

	if (*mode >= MPOL_MAX || (flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)) ==
	    (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	if ((flags & MPOL_F_NUMA_BALANCING) && *mode != MPOL_BIND)
		return -EINVAL;
	switch (*mode) {
	case MPOL_DEFAULT:
		return nodes ? -EINVAL : 0;
	case MPOL_LOCAL:
		return nodes || moving_mask ? -EINVAL : 0;
	case MPOL_PREFERRED:
		if (nodes)
			return 0;
		*mode = MPOL_LOCAL;
		return moving_mask ? -EINVAL : 0;
	default:
		return nodes ? 0 : -EINVAL;
	}
}

struct mempolicy *mpol_new(unsigned int mode_and_flags, nodemask_t nodes)
{
	unsigned int flags = mode_and_flags & MPOL_MODE_FLAGS, mode = mode_and_flags & ~(unsigned int)MPOL_MODE_FLAGS;
	nodemask_t usable = ((flags & MPOL_F_RELATIVE_NODES) ? fold_nodes(nodes) : nodes) & node_online_map;
	struct mempolicy *pol;
	int err = check_policy(&mode, flags, nodes);

	if (err)
		return ERR_PTR(err);
	if (mode == MPOL_DEFAULT)
		return NULL;
	if (nodes && !usable)
		return ERR_PTR(-EINVAL);
	if (mode == MPOL_PREFERRED)
		usable &= -usable;		/* one node: the first */
	pol = kmalloc(sizeof(*pol), GFP_KERNEL);
	if (!pol)
		return ERR_PTR(-ENOMEM);
	*pol = (struct mempolicy){
		.count = REFCOUNT_INIT(1), .mode = (unsigned short)mode, .flags = (unsigned short)flags,
		.home_node = NUMA_NO_NODE, .nodes = usable, .user_nodes = nodes,
	};
	return pol;
}

bool mpol_allows_node(const struct mempolicy *pol, int nid)
{
	if (!pol || pol->mode == MPOL_LOCAL)
		return nid == numa_node_id();
	return pol->nodes >> nid & 1;
}

void mpol_show(struct seq_file *m, const struct mempolicy *pol)
{
	static const char *const names[] = { "default", "prefer", "bind", "interleave", "local", "prefer (many)" };
	nodemask_t nodes = pol ? pol->nodes : 0;

	seq_puts(m, names[pol ? pol->mode : MPOL_DEFAULT]);
	if (pol && (pol->flags & MPOL_F_STATIC_NODES))
		seq_puts(m, "=static");
	if (pol && (pol->flags & MPOL_F_RELATIVE_NODES))
		seq_puts(m, "=relative");
	if (nodes)
		seq_printf(m, ":%*pbl", MAX_NUMNODES, &nodes);
}

void mpol_exit(struct task_struct *tsk)
{
	struct mempolicy *pol = tsk->mempolicy;

	task_lock(tsk);
	tsk->mempolicy = NULL;
	task_unlock(tsk);
	mpol_put(pol);
}

/* ---- placing a page ---- */

/* The n-th node of a mask that is not empty, counted round and round. */
static int nth_node(nodemask_t nodes, unsigned long n)
{
	for (n %= (unsigned long)hweight64(nodes); n; n--)
		nodes &= nodes - 1;
	return (int)__ffs(nodes);
}

/* Whose turn it is: by the page's place in its area, or by how often this task has asked. */
static int interleave_node(const struct mempolicy *pol, const struct vm_area_struct *vma, unsigned long addr)
{
	return nth_node(pol->nodes, vma && vma->vm_policy == pol ? linear_page_index(vma, addr) : current->interleave_turn++);
}

static struct page *alloc_by_policy(gfp_t gfp, unsigned int order, const struct mempolicy *pol,
				    const struct vm_area_struct *vma, unsigned long addr)
{
	int nid = pol->home_node != NUMA_NO_NODE ? pol->home_node : numa_node_id();
	struct page *page;

	switch (pol->mode) {
	case MPOL_PREFERRED:
		return alloc_pages_nodemask(gfp, order, (int)__ffs(pol->nodes), 0);
	case MPOL_BIND:
		return alloc_pages_nodemask(gfp, order, nid, pol->nodes);
	case MPOL_INTERLEAVE:
		nid = interleave_node(pol, vma, addr);
		page = alloc_pages_nodemask(gfp, order, nid, 0);
		if (page && page_to_nid(page) == nid)
			count_numa_event(nid, NUMA_INTERLEAVE_HIT);
		return page;
	case MPOL_PREFERRED_MANY:
		page = alloc_pages_nodemask((gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL)) | __GFP_NOWARN, order, nid,
					    pol->nodes);
		return page ? page : alloc_pages_nodemask(gfp, order, nid, 0);
	default:
		return alloc_pages_nodemask(gfp, order, numa_node_id(), 0);
	}
}

/* An interrupt, or a request for a certain node, has nothing to do with what the task wants. */
struct page *alloc_pages_area(gfp_t gfp, unsigned int order, struct vm_area_struct *vma, unsigned long addr)
{
	const struct mempolicy *pol = vma ? vma->vm_policy : NULL;

	if (!pol && !in_interrupt() && !(gfp & __GFP_THISNODE))
		pol = current->mempolicy;
	return pol ? alloc_by_policy(gfp, order, pol, vma, addr) : alloc_pages_node(numa_node_id(), gfp, order);
}

/* ---- masks from and to user space ---- */

/*
 * maxnode counts one more than the mask has bits.  Nodes beyond those that we can have must not be asked for.  A 32-bit
 * program's mask is of words half as long, which in memory is the same but for its length.
 */
int get_user_nodes(nodemask_t *nodes, const unsigned long __user *mask, unsigned long maxnode)
{
	unsigned long bytes, word_size = in_compat_syscall() ? 4 : 8, bits = maxnode - 1;
	u8 byte;

	*nodes = 0;
	if (!maxnode || !bits || !mask)
		return 0;
	if (bits > PAGE_SIZE * 8)
		return -EINVAL;
	bytes = ALIGN(bits, word_size * 8) / 8;
	for (unsigned long i = 0; i < bytes; i++) {
		if (get_user(byte, (const u8 __user *)mask + i))
			return -EFAULT;
		for (unsigned long bit = i * 8; bit < i * 8 + 8 && bit < bits; bit++) {
			if (!(byte >> (bit & 7) & 1))
				continue;
			if (bit >= MAX_NUMNODES)
				return -EINVAL;
			*nodes |= 1UL << bit;
		}
	}
	return 0;
}

static int put_user_nodes(unsigned long __user *mask, unsigned long maxnode, nodemask_t nodes)
{
	unsigned long word_size = in_compat_syscall() ? 4 : 8, bytes = ALIGN(maxnode - 1, word_size * 8) / 8;
	unsigned long known = min(bytes, sizeof(nodes));

	if (bytes > PAGE_SIZE)
		return -EINVAL;
	if (copy_to_user(mask, &nodes, known))
		return -EFAULT;
	return clear_user((char __user *)mask + known, bytes - known) ? -EFAULT : 0;
}

/* ---- system calls about the task ---- */

long sys_set_mempolicy(int mode, const unsigned long __user *nmask, unsigned long maxnode)
{
	struct mempolicy *pol, *old;
	nodemask_t nodes;
	int err = get_user_nodes(&nodes, nmask, maxnode);

	if (err)
		return err;
	pol = mpol_new((unsigned int)mode, nodes);
	if (IS_ERR(pol))
		return PTR_ERR(pol);
	task_lock(current);
	old = current->mempolicy;
	current->mempolicy = pol;
	current->interleave_turn = 0;
	task_unlock(current);
	mpol_put(old);
	return 0;
}

/* The node of the page at addr, which is faulted in if need be. */
static int node_of_address(unsigned long addr)
{
	struct page *page;
	long ret = get_user_pages_unlocked(addr & PAGE_MASK, 1, &page, 0);

	if (ret != 1)
		return ret < 0 ? (int)ret : -EFAULT;
	ret = page_to_nid(page);
	put_page(page);
	return (int)ret;
}

/* With a reference; the area's, or the task's if it has none.  NULL: default; ERR_PTR(-EFAULT): there is no area. */
static struct mempolicy *policy_at(unsigned long addr)
{
	struct mempolicy *pol = ERR_PTR(-EFAULT);
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	if (vma)
		pol = mpol_get(vma->vm_policy ? vma->vm_policy : current->mempolicy);
	mmap_read_unlock(current->mm);
	return pol;
}

/* What get_mempolicy() gives as its first result for a policy. */
static int policy_value(const struct mempolicy *pol, unsigned long addr, unsigned long flags)
{
	if (!(flags & MPOL_F_NODE))
		return pol ? pol->mode | pol->flags : MPOL_DEFAULT;
	if (flags & MPOL_F_ADDR)
		return node_of_address(addr);
	if (!pol || pol->mode != MPOL_INTERLEAVE)
		return -EINVAL;
	return nth_node(pol->nodes, current->interleave_turn);
}

long sys_get_mempolicy(int __user *policy, unsigned long __user *nmask, unsigned long maxnode, unsigned long addr,
		       unsigned long flags)
{
	struct mempolicy *pol = NULL;
	nodemask_t nodes = 0;
	int value = 0, err = 0;

	if ((nmask && maxnode < (unsigned long)nr_online_nodes) ||
	    (flags & ~(unsigned long)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		nodes = node_online_map;
	} else {
		if (!(flags & MPOL_F_ADDR) && addr)
			return -EINVAL;
		pol = (flags & MPOL_F_ADDR) ? policy_at(addr) : mpol_get(current->mempolicy);
		if (IS_ERR(pol))
			return PTR_ERR(pol);
		value = policy_value(pol, addr, flags);
		if (pol)
			nodes = (pol->flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)) ? pol->user_nodes : pol->nodes;
		mpol_put(pol);
		if (value < 0)
			return value;
	}
	if (policy && put_user(value, policy))
		return -EFAULT;
	if (nmask)
		err = put_user_nodes(nmask, maxnode, nodes);
	return err;
}
