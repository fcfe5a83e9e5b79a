/*
 * mbind.c: policies of ranges, and pages that are to lie on other nodes.
 *
 * What:    mbind and set_mempolicy_home_node change areas' policies; mbind with MPOL_MF_MOVE, migrate_pages and move_pages
 *          send pages that are there already to other nodes.
 * Idea:    pages are collected from the page tables, some at a time and each with a reference, and moved when no lock of a
 *          table is held; so a range may be large.  What is to happen to each page is a function (struct placement).
 * Limits:  what migrate.c cannot move stays and is counted.  An area of shared memory has its policy like any other, but it
 *          belongs to the mapping, not to the object behind it.
 * Locking: mmap_lock: for writing while areas change, for reading while pages are collected.
 * See:     man 2 mbind, migrate_pages, move_pages; mempolicy.c, migrate.c
 */
#include <weft/kernel.h>
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/err.h>
#include <weft/huge_mm.h>
#include <weft/mempolicy.h>
#include <weft/mm.h>
#include <weft/pid.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- sending the pages of a range elsewhere ---- */

/* Where the pages of a range are to lie. */
struct placement {
	/* Where the page at addr, now on nid, shall go; nid itself: it may stay. */
	int		(*target)(const struct placement *p, int nid, unsigned long addr);
	const struct mempolicy *pol;
	nodemask_t	from, to;
	unsigned int	flags;			/* MPOL_MF_* */
	long		misplaced;		/* found on another node than wished, and left there */
};

#define COLLECT_MAX	32

struct collected {
	unsigned int	nr;
	struct page	*page[COLLECT_MAX];
	int		nid[COLLECT_MAX];	/* where it goes */
};

/* Pages that others use as well are moved only by who may, and says so. */
static bool may_move(const struct placement *p, struct page *page)
{
	return (p->flags & MPOL_MF_MOVE_ALL) || ((p->flags & MPOL_MF_MOVE) && page_mapcount(page) == 1);
}

/* One table, from addr on, until it ends or `c` is full.  Where it stopped. */
static unsigned long collect(struct vm_area_struct *vma, unsigned long addr, unsigned long end, struct placement *p,
			     struct collected *c)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	spinlock_t *ptl;
	pte_t *pte;

	if (!pmd || !pmd_has_table(vma->vm_mm, pmd, addr))
		return end;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	for (; addr < end && c->nr < COLLECT_MAX; addr += PAGE_SIZE, pte++) {
		struct page *page = pte_present(*pte) ? vm_normal_page(vma, addr, *pte) : NULL;
		int nid;

		if (!page)
			continue;
		nid = p->target(p, page_to_nid(page), addr);
		if (nid == page_to_nid(page))
			continue;
		if (!may_move(p, page)) {
			p->misplaced++;
			continue;
		}
		get_page(page);
		c->page[c->nr] = page;
		c->nid[c->nr++] = nid;
	}
	pte_unmap_unlock(pte, ptl);
	return addr;
}

static void move_collected(struct placement *p, struct collected *c)
{
	for (unsigned int i = 0; i < c->nr; i++) {
		if (migrate_page_to_node(c->page[i], c->nid[i]))
			p->misplaced++;
		put_page(c->page[i]);
	}
	c->nr = 0;
}

static void place_pages(struct vm_area_struct *vma, unsigned long start, unsigned long end, struct placement *p)
{
	struct collected c = { };

	for (unsigned long addr = start, stop = start; addr < end && !fatal_signal_pending(current); ) {
		if (addr >= stop)
			stop = pmd_boundary(addr, end);
		addr = collect(vma, addr, stop, p, &c);
		move_collected(p, &c);
		cond_resched();
	}
}

/* ---- mbind ---- */

/* On no node that the policy names: to one of these, in turn. */
static int policy_target(const struct placement *p, int nid, unsigned long addr)
{
	nodemask_t nodes = p->pol ? p->pol->nodes : 0;

	if (mpol_allows_node(p->pol, nid))
		return nid;
	if (!nodes)
		return numa_node_id();
	for (unsigned long n = (addr >> PAGE_SHIFT) % (unsigned long)hweight64(nodes); n; n--)
		nodes &= nodes - 1;
	return (int)__ffs(nodes);
}

/* Calls fn for each area's part of [start, end).  A hole: -EFAULT, unless `holes` are allowed.  fn returns the area that
 * covers the part afterwards, or ERR_PTR. */
typedef struct vm_area_struct *part_fn(struct vm_area_struct *vma, unsigned long start, unsigned long end,
				       struct placement *p);
static int for_each_part(struct mm_struct *mm, unsigned long start, unsigned long end, bool holes, struct placement *p,
			 part_fn *fn)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	for (; start < end; vma = vma_next(vma)) {
		if (!vma || vma->vm_start >= end)
			return holes ? 0 : -EFAULT;
		if (vma->vm_start > start && !holes)
			return -EFAULT;
		start = max(start, vma->vm_start);
		vma = fn(vma, start, min(end, vma->vm_end), p);
		if (IS_ERR(vma))
			return PTR_ERR(vma);
		start = vma->vm_end;
	}
	return 0;
}

static struct vm_area_struct *look_at_part(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					   struct placement *p)
{
	place_pages(vma, start, end, p);
	return vma;
}

static struct vm_area_struct *set_part_policy(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					      struct placement *p)
{
	if (mpol_equal(vma->vm_policy, p->pol))
		return vma;
	vma = vma_carve(vma, start, end);
	if (IS_ERR(vma))
		return vma;
	mpol_put(vma->vm_policy);
	vma->vm_policy = mpol_get((struct mempolicy *)p->pol);
	return vma_merge_neighbours(vma);
}

/* mmap_lock held for writing.  STRICT alone only looks, before anything changes. */
static int do_mbind(struct mm_struct *mm, unsigned long start, unsigned long end, const struct mempolicy *pol,
		    unsigned int flags)
{
	struct placement look = { .target = policy_target, .pol = pol };
	struct placement move = { .target = policy_target, .pol = pol, .flags = flags };
	bool moves = flags & (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL);
	int err = for_each_part(mm, start, end, !pol, &look, look_at_part);

	if (err)
		return err;
	if ((flags & MPOL_MF_STRICT) && !moves && look.misplaced)
		return -EIO;
	err = for_each_part(mm, start, end, !pol, &move, set_part_policy);
	if (!err && moves)
		err = for_each_part(mm, start, end, !pol, &move, look_at_part);
	return !err && (flags & MPOL_MF_STRICT) && move.misplaced ? -EIO : err;
}

long sys_mbind(unsigned long start, unsigned long len, unsigned long mode, const unsigned long __user *nmask,
	       unsigned long maxnode, unsigned int flags)
{
	struct mm_struct *mm = current->mm;
	unsigned long end = start + PAGE_ALIGN(len);
	struct mempolicy *pol;
	nodemask_t nodes;
	int err = get_user_nodes(&nodes, nmask, maxnode);

	if (err)
		return err;
	if ((flags & ~(unsigned int)MPOL_MF_VALID) || offset_in_page(start) || end < start || mode > UINT_MAX)
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	pol = mpol_new((unsigned int)mode, nodes);
	if (IS_ERR(pol))
		return PTR_ERR(pol);
	if (!pol)
		flags &= ~(unsigned int)MPOL_MF_STRICT;
	if (end > start) {
		mmap_write_lock(mm);
		err = do_mbind(mm, start, end, pol, flags);
		mmap_write_unlock(mm);
	}
	mpol_put(pol);
	return err;
}

/* ---- set_mempolicy_home_node ---- */

static struct vm_area_struct *set_part_home(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					    struct placement *p)
{
	const struct mempolicy *old = vma->vm_policy;
	struct placement with = { };
	struct mempolicy *pol;

	if (!old)
		return vma;
	if (old->mode != MPOL_BIND && old->mode != MPOL_PREFERRED_MANY)
		return ERR_PTR(-EOPNOTSUPP);
	p->misplaced++;				/* one that has a policy */
	pol = mpol_new((unsigned int)(old->mode | old->flags), old->user_nodes);
	if (IS_ERR(pol))
		return ERR_CAST(pol);
	pol->home_node = (int)__ffs(p->to);
	with.pol = pol;
	vma = set_part_policy(vma, start, end, &with);
	mpol_put(pol);
	return vma;
}

long sys_set_mempolicy_home_node(unsigned long start, unsigned long len, unsigned long home_node, unsigned long flags)
{
	unsigned long end = start + PAGE_ALIGN(len);
	struct placement p = { };
	int err;

	if (offset_in_page(start) || flags || home_node >= (unsigned long)nr_online_nodes || end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	p.to = 1UL << home_node;
	mmap_write_lock(current->mm);
	err = for_each_part(current->mm, start, end, true, &p, set_part_home);
	mmap_write_unlock(current->mm);
	return err ? err : p.misplaced ? 0 : -ENOENT;
}

/* ---- of another process ---- */

/* Whose memory is to move, with mm_users raised; pid 0 is the caller. */
static struct mm_struct *mm_to_move(pid_t pid)
{
	struct task_struct *task;
	struct mm_struct *mm;

	rcu_read_lock();
	task = pid ? find_task_by_vpid(pid) : current;
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (!task)
		return ERR_PTR(-ESRCH);
	if (ptrace_may_access(task, PTRACE_MODE_READ_REALCREDS))
		mm = get_task_mm(task);
	else
		mm = ERR_PTR(-EPERM);
	put_task_struct(task);
	return mm ? mm : ERR_PTR(-EINVAL);
}

/* The n-th node of `from` goes to the n-th of `to`, counted round and round. */
static int remap_target(const struct placement *p, int nid, unsigned long addr)
{
	nodemask_t to = p->to;

	if (!(p->from >> nid & 1))
		return nid;
	for (unsigned long n = (unsigned long)hweight64(p->from & ((1UL << nid) - 1)) % (unsigned long)hweight64(to); n; n--)
		to &= to - 1;
	return (int)__ffs(to);
}

/* Pages that could not be moved, or -errno. */
long sys_migrate_pages(pid_t pid, unsigned long maxnode, const unsigned long __user *from, const unsigned long __user *to)
{
	struct placement p = { .target = remap_target, .flags = MPOL_MF_MOVE };
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	int err = get_user_nodes(&p.from, from, maxnode);

	err = err ? err : get_user_nodes(&p.to, to, maxnode);
	if (err)
		return err;
	p.to &= node_online_map;
	if (!p.to)
		return -EINVAL;
	mm = mm_to_move(pid);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (capable(CAP_SYS_NICE))
		p.flags = MPOL_MF_MOVE_ALL;
	mmap_read_lock(mm);
	for_each_vma_of(mm, vma)
		if (!(vma->vm_flags & (VM_IO | VM_PFNMAP)))
			place_pages(vma, vma->vm_start, vma->vm_end, &p);
	mmap_read_unlock(mm);
	mmput(mm);
	return p.misplaced;
}

/* ---- move_pages ---- */

/* The page at addr with a reference, or ERR_PTR: what its status shall say. */
static struct page *page_at(struct mm_struct *mm, unsigned long addr) __no_context_analysis	/* `locked` */
{
	struct vm_area_struct *vma;
	struct page *page = ERR_PTR(-EFAULT);
	int locked = 1;
	long ret;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && !(vma->vm_flags & (VM_IO | VM_PFNMAP))) {
		ret = get_user_pages_remote(mm, addr & PAGE_MASK, 1, FOLL_NOFAULT | FOLL_FORCE, &page, &locked);
		if (ret != 1)
			page = ERR_PTR(-ENOENT);
	}
	if (locked)
		mmap_read_unlock(mm);
	if (!IS_ERR(page) && is_zero_pfn(page_to_pfn(page))) {
		put_page(page);
		page = ERR_PTR(-EFAULT);
	}
	return page;
}

/* The page's status: its node afterwards, or -errno.  nid -1: it is only looked at.  *failed counts those that stay. */
static int move_one(struct mm_struct *mm, unsigned long addr, int nid, bool all, long *failed)
{
	struct page *page = page_at(mm, addr);
	int status;

	if (IS_ERR(page))
		return PTR_ERR(page);
	status = page_to_nid(page);
	if (nid >= 0 && status != nid) {
		status = !all && page_mapcount(page) > 1 ? -EACCES : migrate_page_to_node(page, nid);
		*failed += status == -EBUSY || status == -ENOMEM;
		if (!status)
			status = nid;
	}
	put_page(page);
	return status;
}

static int get_page_address(const void __user *__user *pages, unsigned long i, unsigned long *addr)
{
	const void __user *p;
	u32 p32;

	if (in_compat_syscall()) {
		if (get_user(p32, (const u32 __user *)pages + i))
			return -EFAULT;
		*addr = p32;
		return 0;
	}
	if (get_user(p, pages + i))
		return -EFAULT;
	*addr = (unsigned long)p;
	return 0;
}

static long move_list(struct mm_struct *mm, unsigned long nr_pages, const void __user *__user *pages,
		      const int __user *nodes, int __user *status, bool all)
{
	long failed = 0;

	for (unsigned long i = 0; i < nr_pages; i++) {
		unsigned long addr;
		int nid = -1, state;

		if (get_page_address(pages, i, &addr) || (nodes && get_user(nid, nodes + i)))
			return -EFAULT;
		if (nodes && (nid < 0 || nid >= nr_online_nodes))
			return -ENODEV;
		state = move_one(mm, addr, nid, all, &failed);
		if (put_user(state, status + i))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return failed;
}

/* Pages that could not be moved, or -errno; each page's state is in status[]. */
long sys_move_pages(pid_t pid, unsigned long nr_pages, const void __user *__user *pages, const int __user *nodes,
		    int __user *status, int flags)
{
	struct mm_struct *mm;
	long ret;

	if (flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	mm = mm_to_move(pid);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	ret = move_list(mm, nr_pages, pages, nodes, status, flags & MPOL_MF_MOVE_ALL);
	mmput(mm);
	return ret;
}
