/*
 * unmapped_area.c: where a new mapping goes when the program does not say.
 *
 * Idea:    top down from mmap_base, which lies a random distance below the stack; if that is full, bottom up from
 *          mmap_legacy_base.  A hole is found by the largest gap of each subtree (vma.c): descend where it is large enough.
 * Locking: mmap_lock held for writing.
 * Cost:    O(log n).
 * See:     man 2 mmap; man 2 personality, ADDR_COMPAT_LAYOUT; kernel/arch/x86/mm/mmap.c sets the bases
 */
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/mman.h>
#include <weft/sched.h>
#include "internal.h"

/* MAP_32BIT: the second gigabyte, as Linux has it. */
#define LOW_2GB_START	0x40000000ul
#define LOW_2GB_END	0x80000000ul

struct hole_request {
	unsigned long len, low, high;		/* the hole must lie in [low, high) */
};

static struct vm_area_struct *node_vma(struct rb_node *node)
{
	return rb_entry(node, struct vm_area_struct, vm_rb);
}

/* The part of the hole below vma that may be used; false when it is too small. */
static bool hole_below(struct vm_area_struct *vma, const struct hole_request *r, unsigned long *start, unsigned long *end)
{
	struct vm_area_struct *prev = vma_prev(vma);

	*start = max(prev ? prev->vm_end : 0, r->low);
	*end = min(vm_start_gap(vma), r->high);
	return *end > *start && *end - *start >= r->len;
}

/* Depth of recursion: the height of the tree, at most 34 for 65,530 areas. */
static unsigned long highest_hole(struct rb_node *node, const struct hole_request *r)
{
	unsigned long start, end, addr;

	while (node) {
		struct vm_area_struct *vma = node_vma(node);

		if (vma->rb_subtree_gap < r->len)
			break;
		if (vma->vm_end < r->high) {
			addr = highest_hole(node->rb_right, r);
			if (!IS_ERR_VALUE(addr))
				return addr;
		}
		if (hole_below(vma, r, &start, &end))
			return end - r->len;
		if (start <= r->low && vma->vm_start <= r->low)
			break;
		node = node->rb_left;
	}
	return -ENOMEM;
}

static unsigned long lowest_hole(struct rb_node *node, const struct hole_request *r)
{
	unsigned long start, end, addr;

	while (node) {
		struct vm_area_struct *vma = node_vma(node);

		if (vma->rb_subtree_gap < r->len)
			break;
		if (vma->vm_start > r->low) {
			addr = lowest_hole(node->rb_left, r);
			if (!IS_ERR_VALUE(addr))
				return addr;
		}
		if (hole_below(vma, r, &start, &end))
			return start;
		if (vma->vm_end >= r->high)
			break;
		node = node->rb_right;
	}
	return -ENOMEM;
}

/* The end of the last area: above it is one more hole, which the tree does not know. */
static unsigned long highest_end(struct mm_struct *mm)
{
	return list_empty(&mm->mmap) ? 0 : list_last_entry(&mm->mmap, struct vm_area_struct, vm_list)->vm_end;
}

unsigned long vm_unmapped_area_topdown(struct mm_struct *mm, unsigned long len, unsigned long low, unsigned long high)
{
	struct hole_request r = { len, low, high };
	unsigned long top = max(highest_end(mm), low);

	if (high > top && high - top >= len)
		return high - len;
	return highest_hole(mm->mm_rb.rb_node, &r);
}

unsigned long vm_unmapped_area_bottomup(struct mm_struct *mm, unsigned long len, unsigned long low, unsigned long high)
{
	struct hole_request r = { len, low, high };
	unsigned long addr = lowest_hole(mm->mm_rb.rb_node, &r), top;

	if (!IS_ERR_VALUE(addr))
		return addr;
	top = max(highest_end(mm), low);
	return high > top && high - top >= len ? top : -ENOMEM;
}

/* A hint is taken when [addr, addr + len) is free, guard gaps included. */
static bool hint_is_free(struct mm_struct *mm, unsigned long addr, unsigned long len)
{
	struct vm_area_struct *prev, *next;

	if (addr > mm->task_size - len || addr < mmap_min_addr)
		return false;
	next = find_vma_prev(mm, addr, &prev);
	return (!next || addr + len <= vm_start_gap(next)) && (!prev || addr >= prev->vm_end);
}

static unsigned long pick_area(struct mm_struct *mm, unsigned long len, unsigned long flags)
{
	unsigned long addr;

	/* A 64-bit program in a 32-bit call could not tell a higher address. */
	if ((flags & MAP_32BIT) || (in_compat_syscall() && mm->task_size > U32_MAX))
		return vm_unmapped_area_bottomup(mm, len, LOW_2GB_START, LOW_2GB_END);
	if (mm->mmap_base == mm->mmap_legacy_base)
		return vm_unmapped_area_bottomup(mm, len, mm->mmap_legacy_base, mm->task_size);
	addr = vm_unmapped_area_topdown(mm, len, max(PAGE_SIZE, mmap_min_addr), mm->mmap_base);
	if (IS_ERR_VALUE(addr))
		addr = vm_unmapped_area_bottomup(mm, len, mm->mmap_legacy_base, mm->task_size);
	return addr;
}

/*
 * Where to map len bytes (a multiple of the page size) of the running task.
 * Returns a page-aligned address, or -ENOMEM (no room), -EINVAL (MAP_FIXED, not aligned), -EPERM (below mmap_min_addr).
 */
unsigned long get_unmapped_area(struct file *file, unsigned long addr, unsigned long len, unsigned long pgoff,
				unsigned long flags)
{
	struct mm_struct *mm = current->mm;

	mmap_assert_write_locked(mm);
	if (len > mm->task_size)
		return -ENOMEM;
	if (flags & MAP_FIXED) {
		if (addr > mm->task_size - len)
			return -ENOMEM;
		if (offset_in_page(addr))
			return -EINVAL;
	} else if (file && file->f_op->get_unmapped_area) {
		addr = file->f_op->get_unmapped_area(file, addr, len, pgoff, flags);
	} else {
		addr = PAGE_ALIGN(addr);
		if (!addr || !hint_is_free(mm, addr, len) ||
		    ((flags & MAP_32BIT) && addr + len > LOW_2GB_END))
			addr = pick_area(mm, len, flags);
	}
	if (IS_ERR_VALUE(addr))
		return addr;
	if (addr < mmap_min_addr && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	return addr;
}
