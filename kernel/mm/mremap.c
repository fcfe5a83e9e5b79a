/*
 * mremap.c: making a mapping longer, shorter, or moving it with its pages.
 *
 * Idea:    to grow in place, extend the area if the room behind it is free.  Otherwise make a like area elsewhere and move
 *          the page-table entries over: no page is copied.
 * Locking: mmap_lock for writing.  While entries of a file mapping move, the file's i_mmap_rwsem is held for writing:
 *
 *              truncate                                mremap
 *              (without the lock)
 *              looks at the new place: still empty
 *                                                      moves the entry, old -> new
 *              looks at the old place: empty now
 *              frees the page                          new entry points to a free page
 * See:     spec.md §5 "VMAs"; man 2 mremap
 */
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mman.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include <weft/userfaultfd.h>
#include <asm/tlb.h>
#include <asm/pgalloc.h>
#include "internal.h"

/* ---- entries ---- */

/*
 * Moves entries within one old and one new table.  The flush comes before the old ptl is dropped: until then another
 * processor could use the old translation of a page that somebody may take away at its new place.
 */
static void move_ptes(struct vm_area_struct *vma, pmd_t *old_pmd, unsigned long old_addr, unsigned long old_end,
		      struct vm_area_struct *new_vma, pmd_t *new_pmd, unsigned long new_addr)
	__no_context_analysis	/* two tables may have one lock */
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long start = old_addr;
	spinlock_t *old_ptl, *new_ptl;
	pte_t *old_pte, *new_pte;
	bool moved = false;

	/* mmap_lock for writing: no other thread can take these two the other way round. */
	old_pte = pte_offset_map_lock(mm, old_pmd, old_addr, &old_ptl);
	new_ptl = pte_lockptr(mm, new_pmd);
	if (new_ptl != old_ptl)
		spin_lock_nested(new_ptl, SINGLE_DEPTH_NESTING);
	new_pte = pte_offset_kernel(new_pmd, new_addr);
	for (; old_addr < old_end; old_addr += PAGE_SIZE, old_pte++, new_pte++) {
		if (pte_none(*old_pte))
			continue;
		set_pte(new_pte, ptep_get_and_clear(mm, old_addr, old_pte));
		moved = true;
	}
	if (moved)
		flush_tlb_range(vma, start, old_end);
	if (new_ptl != old_ptl)
		spin_unlock(new_ptl);
	spin_unlock(old_ptl);
}

/* Moves the entries of [old_addr, + len).  Returns bytes done: less than len when out of memory for tables. */
unsigned long move_page_tables(struct vm_area_struct *vma, unsigned long old_addr, struct vm_area_struct *new_vma,
			       unsigned long new_addr, unsigned long len)
{
	struct address_space *mapping = vma->vm_file ? vma->vm_file->f_mapping : NULL;
	unsigned long done = 0;

	lock_mapping(mapping);
	while (done < len) {
		unsigned long from = old_addr + done, to = new_addr + done;
		unsigned long step = min(pmd_addr_end(from, old_addr + len) - from, pmd_addr_end(to, new_addr + len) - to);
		pmd_t *old_pmd = mm_find_pmd(vma->vm_mm, from), *new_pmd;

		if (old_pmd) {
			new_pmd = mm_alloc_pmd(vma->vm_mm, to);
			if (!new_pmd)
				break;
			if (pmd_huge(old_pmd)) {
				if (step == PMD_SIZE && move_huge_pmd(vma, from, old_pmd, to, new_pmd)) {
					done += step;
					continue;
				}
				split_huge_pmd(vma->vm_mm, old_pmd, from);
			}
			if (pte_alloc_failed(vma->vm_mm, new_pmd))
				break;
			move_ptes(vma, old_pmd, from, from + step, new_vma, new_pmd, to);
		}
		done += step;
		cond_resched();
	}
	unlock_mapping(mapping);
	return done;
}

/* execve: the stack was built at the top; shifts the area and its pages down by `shift` bytes.  0 or -ENOMEM, -EFAULT. */
int shift_arg_pages(struct vm_area_struct *vma, unsigned long shift)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long old_start = vma->vm_start, old_end = vma->vm_end, len = old_end - old_start;
	pgoff_t pgoff = vma->vm_pgoff;
	struct mmu_gather tlb;

	if (find_vma_intersection(mm, old_start - shift, old_start))
		return -EFAULT;
	vma_resize(vma, old_start - shift, old_end);
	if (move_page_tables(vma, old_start, vma, old_start - shift, len) != len)
		return -ENOMEM;
	tlb_gather_mmu(&tlb, mm);
	free_pgd_range(&tlb, max(old_start, old_end - shift), old_end, old_end - shift, 0);
	tlb_finish_mmu(&tlb);
	vma_resize(vma, old_start - shift, old_end - shift);
	vma_set_pgoff(vma, pgoff);
	return 0;
}

/* ---- areas ---- */

/* A new area like vma for [addr, addr + len), linked (or merged with a neighbour).  NULL: out of memory. */
static struct vm_area_struct *copy_vma(struct vm_area_struct *vma, unsigned long addr, unsigned long len, pgoff_t pgoff)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *new = vm_area_dup(vma);

	if (!new)
		return NULL;
	new->vm_start = addr;
	new->vm_end = addr + len;
	new->vm_pgoff = pgoff;
	userfaultfd_forget(new);
	if (new->vm_file)
		get_file(new->vm_file);
	if (new->vm_ops && new->vm_ops->open)
		new->vm_ops->open(new);
	vma_link(mm, new);
	return new;
}

/*
 * Moves [old_addr, + old_len) of vma to new_addr, where it is new_len long.  The pages move with it.
 * Returns new_addr or -ENOMEM: then everything is where it was.
 */
static unsigned long move_vma(struct vm_area_struct *vma, unsigned long old_addr, unsigned long old_len,
			      unsigned long new_len, unsigned long new_addr, unsigned long flags)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long vm_flags = vma->vm_flags, done;
	pgoff_t pgoff = vma->vm_pgoff + ((old_addr - vma->vm_start) >> PAGE_SHIFT);
	struct vm_area_struct *new;

	/* The old area may be split in three before one part goes. */
	if (mm->map_count >= sysctl_max_map_count - 3)
		return -ENOMEM;
	if (vma->vm_ops && vma->vm_ops->may_split && (vma->vm_start != old_addr || vma->vm_end != old_addr + old_len) &&
	    vma->vm_ops->may_split(vma, old_addr))
		return -EINVAL;
	if ((vm_flags & VM_ACCOUNT) && security_vm_enough_memory_mm(mm, new_len >> PAGE_SHIFT))
		return -ENOMEM;
	new = copy_vma(vma, new_addr, new_len, pgoff);
	if (!new) {
		if (vm_flags & VM_ACCOUNT)
			vm_unacct_memory(new_len >> PAGE_SHIFT);
		return -ENOMEM;
	}
	vm_stat_account(mm, vm_flags, new_len >> PAGE_SHIFT);
	if (vm_flags & VM_LOCKED)
		mm->locked_vm += new_len >> PAGE_SHIFT;
	done = move_page_tables(vma, old_addr, new, new_addr, old_len);
	if (done < old_len) {
		move_page_tables(new, new_addr, vma, old_addr, done);	/* tables exist: cannot fail */
		do_munmap(mm, new_addr, new_len);
		return -ENOMEM;
	}
	if (flags & MREMAP_DONTUNMAP) {
		if (vma->vm_flags & VM_LOCKED)
			mm->locked_vm -= vma_pages(vma);
		vma->vm_flags &= ~VM_LOCKED_MASK;
	} else {
		do_munmap(mm, old_addr, old_len);
	}
	vma_merge_neighbours(new);
	return new_addr;
}

/* May old_len bytes at addr become new_len?  The area, or ERR_PTR with what man 2 mremap says. */
static struct vm_area_struct *vma_to_resize(unsigned long addr, unsigned long old_len, unsigned long new_len,
					    unsigned long flags)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	unsigned long pgoff;

	if (!vma)
		return ERR_PTR(-EFAULT);
	/* old_len 0 makes a second mapping of the same pages: only shared ones can be in two places. */
	if (!old_len && !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return ERR_PTR(-EINVAL);
	if ((flags & MREMAP_DONTUNMAP) && (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return ERR_PTR(-EINVAL);
	if (old_len > vma->vm_end - addr)
		return ERR_PTR(-EFAULT);
	if (new_len == old_len)
		return vma;
	pgoff = ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
	if (pgoff + (new_len >> PAGE_SHIFT) < pgoff)
		return ERR_PTR(-EINVAL);
	if (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
		return ERR_PTR(-EFAULT);
	if (!mlock_future_ok(mm, vma->vm_flags, new_len - old_len))
		return ERR_PTR(-EAGAIN);
	if (!may_expand_vm(mm, vma->vm_flags, (new_len - old_len) >> PAGE_SHIFT))
		return ERR_PTR(-ENOMEM);
	return vma;
}

static bool vma_expandable(struct vm_area_struct *vma, unsigned long delta)
{
	struct vm_area_struct *next = vma_next(vma);
	unsigned long end = vma->vm_end + delta;

	return end > vma->vm_end && end <= vma->vm_mm->task_size && (!next || end <= vm_start_gap(next));
}

/* Lets the area reach delta bytes further; the caller has checked the room.  0 or -ENOMEM. */
static int expand_in_place(struct vm_area_struct *vma, unsigned long delta, bool *locked)
{
	struct mm_struct *mm = vma->vm_mm;
	long pages = delta >> PAGE_SHIFT;

	if ((vma->vm_flags & VM_ACCOUNT) && security_vm_enough_memory_mm(mm, pages))
		return -ENOMEM;
	vma_resize(vma, vma->vm_start, vma->vm_end + delta);
	vm_stat_account(mm, vma->vm_flags, pages);
	if (vma->vm_flags & VM_LOCKED) {
		mm->locked_vm += pages;
		*locked = true;
	}
	vma_merge_neighbours(vma);
	return 0;
}

/* MREMAP_FIXED or MREMAP_DONTUNMAP: to a place of the caller's or the kernel's choice. */
static unsigned long mremap_to(unsigned long addr, unsigned long old_len, unsigned long new_addr, unsigned long new_len,
			       unsigned long flags, bool *locked)
{
	struct mm_struct *mm = current->mm;
	unsigned long map_flags = 0, ret;
	struct vm_area_struct *vma;

	if (offset_in_page(new_addr) || new_len > mm->task_size || new_addr > mm->task_size - new_len)
		return -EINVAL;
	if (addr + old_len > new_addr && new_addr + new_len > addr)
		return -EINVAL;			/* old and new overlap */
	if (mm->map_count + 2 >= sysctl_max_map_count - 3)
		return -ENOMEM;
	if (flags & MREMAP_FIXED) {
		ret = do_munmap(mm, new_addr, new_len);
		if (ret)
			return ret;
		map_flags |= MAP_FIXED;
	}
	if (old_len > new_len) {
		ret = do_munmap(mm, addr + new_len, old_len - new_len);
		if (ret)
			return ret;
		old_len = new_len;
	}
	vma = vma_to_resize(addr, old_len, new_len, flags);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	if ((flags & MREMAP_DONTUNMAP) && !may_expand_vm(mm, vma->vm_flags, old_len >> PAGE_SHIFT))
		return -ENOMEM;
	if (vma->vm_flags & VM_MAYSHARE)
		map_flags |= MAP_SHARED;
	ret = get_unmapped_area(vma->vm_file, new_addr, new_len,
				vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT), map_flags);
	if (IS_ERR_VALUE(ret))
		return ret;
	*locked = vma->vm_flags & VM_LOCKED;
	return move_vma(vma, addr, old_len, new_len, ret, flags);
}

/* Longer than before: in place if there is room, else elsewhere if the caller allows. */
static unsigned long mremap_grow(unsigned long addr, unsigned long old_len, unsigned long new_len, unsigned long flags,
				 bool *locked)
{
	struct vm_area_struct *vma = vma_to_resize(addr, old_len, new_len, flags);
	unsigned long new_addr;

	if (IS_ERR(vma))
		return PTR_ERR(vma);
	if (old_len == vma->vm_end - addr && vma_expandable(vma, new_len - old_len)) {
		int err = expand_in_place(vma, new_len - old_len, locked);

		return err ? (unsigned long)err : addr;
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	new_addr = get_unmapped_area(vma->vm_file, 0, new_len, vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT),
				     (vma->vm_flags & VM_MAYSHARE) ? MAP_SHARED : 0);
	if (IS_ERR_VALUE(new_addr))
		return new_addr;
	*locked = vma->vm_flags & VM_LOCKED;
	return move_vma(vma, addr, old_len, new_len, new_addr, flags);
}

static unsigned long do_mremap(unsigned long addr, unsigned long old_len, unsigned long new_len, unsigned long flags,
			       unsigned long new_addr, bool *locked)
{
	int err;

	if (!vma_lookup(current->mm, addr))
		return -EFAULT;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return mremap_to(addr, old_len, new_addr, new_len, flags, locked);
	if (old_len >= new_len) {
		err = old_len > new_len ? do_munmap(current->mm, addr + new_len, old_len - new_len) : 0;
		return err ? (unsigned long)err : addr;
	}
	return mremap_grow(addr, old_len, new_len, flags, locked);
}

long sys_mremap(unsigned long addr, unsigned long old_len, unsigned long new_len, unsigned long flags,
		unsigned long new_addr)
{
	struct mm_struct *mm = current->mm;
	bool locked = false;
	unsigned long ret;

	if (flags & ~(unsigned long)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || PAGE_ALIGN(old_len) != PAGE_ALIGN(new_len)))
		return -EINVAL;
	if (offset_in_page(addr))
		return -EINVAL;
	old_len = PAGE_ALIGN(old_len);
	new_len = PAGE_ALIGN(new_len);
	if (!new_len || addr + old_len < addr)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = do_mremap(addr, old_len, new_len, flags, new_addr, &locked);
	mmap_write_unlock(mm);
	if (locked && new_len > old_len && !IS_ERR_VALUE(ret))
		mm_populate(ret + old_len, new_len - old_len);
	return ret;
}
