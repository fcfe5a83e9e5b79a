/*
 * vma.c: the areas of an address space: finding, linking, splitting, merging.
 *
 * What:    an address space is a set of areas (vm_area_struct) that do not overlap.  They stand in a red-black tree by
 *          address (mm_rb), in a list (mmap), and, if they map a file, in the file's interval tree (i_mmap).
 * Idea:    all changes are made of four steps: link, unlink, resize, and absorb (the left neighbour takes over the right
 *          one).  An area with new properties is first split off whole and then merged with its neighbours; nothing else
 *          has to know about cases.  Each tree node knows the largest hole in its subtree (rb_subtree_gap), so a free
 *          range is found in O(log n).
 * Locking: mmap_lock for writing, to change; for reading, to look.  A change of bounds is made under the file's
 *          i_mmap_rwsem as well, because truncation walks areas without mmap_lock:
 *
 *              truncate (other process)            split_vma
 *              i_mmap_lock_read                    i_mmap_lock_write: waits
 *              finds [0, 8), unmaps page 6         ...
 *              i_mmap_unlock_read                  [0, 8) -> [0, 4) and a new [4, 8), both in the tree
 *                                                  i_mmap_unlock_write
 *          With the shrinking outside of the lock, page 6 would for a moment belong to no area of the tree and stay mapped
 *          behind the end of the file.
 * Cost:    find_vma, link, split, merge: O(log n).
 * See:     spec.md §5 "VMAs"; doc/address-spaces.md
 */
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/mempolicy.h>
#include <weft/mman.h>
#include <weft/rbtree_augmented.h>
#include <weft/rmap.h>
#include <weft/slab.h>
#include "internal.h"

static struct kmem_cache *vm_area_cachep;	/* [I] */

void __init vma_cache_init(void)
{
	vm_area_cachep = KMEM_CACHE(vm_area_struct, SLAB_PANIC);
}

struct vm_area_struct *vm_area_alloc(struct mm_struct *mm)
{
	struct vm_area_struct *vma = kmem_cache_zalloc(vm_area_cachep, GFP_KERNEL);

	if (!vma)
		return NULL;
	vma->vm_mm = mm;
	INIT_LIST_HEAD(&vma->vm_list);
	return vma;
}

struct vm_area_struct *vm_area_dup(const struct vm_area_struct *orig)
{
	struct vm_area_struct *vma = kmem_cache_alloc(vm_area_cachep, GFP_KERNEL);

	if (!vma)
		return NULL;
	*vma = *orig;
	mpol_get(vma->vm_policy);
	INIT_LIST_HEAD(&vma->vm_list);
	return vma;
}

void vm_area_free(struct vm_area_struct *vma)
{
	mpol_put(vma->vm_policy);
	kmem_cache_free(vm_area_cachep, vma);
}

/* What follows from the flags for page-table entries: an area is readable when it is writable, as the hardware has it. */
pgprot_t vm_get_page_prot(unsigned long vm_flags)
{
	unsigned long prot;

	if (!(vm_flags & VM_ACCESS_FLAGS))
		return PAGE_NONE;
	prot = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED;
	if ((vm_flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED))
		prot |= _PAGE_RW;	/* private pages become writable one by one, by copy on write */
	if (!(vm_flags & VM_EXEC))
		prot |= _PAGE_NX;
	return __pgprot(prot);
}

/* A shared area whose owner wants to hear of the first write to each page starts read-only. */
void vma_set_page_prot(struct vm_area_struct *vma)
{
	unsigned long flags = vma->vm_flags;

	if ((flags & VM_SHARED) && vma->vm_ops && vma->vm_ops->page_mkwrite)
		flags &= ~VM_SHARED;
	vma->vm_page_prot = vm_get_page_prot(flags);
}

/* ---- looking ---- */

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr)
{
	struct rb_node *node = mm->mm_rb.rb_node;
	struct vm_area_struct *found = NULL;

	mmap_assert_locked(mm);
	while (node) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct, vm_rb);

		if (vma->vm_end <= addr) {
			node = node->rb_right;
			continue;
		}
		found = vma;
		if (vma->vm_start <= addr)
			break;
		node = node->rb_left;
	}
	return found;
}

struct vm_area_struct *find_vma_prev(struct mm_struct *mm, unsigned long addr, struct vm_area_struct **prev)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	if (vma)
		*prev = vma_prev(vma);
	else
		*prev = list_empty(&mm->mmap) ? NULL : list_last_entry(&mm->mmap, struct vm_area_struct, vm_list);
	return vma;
}

struct vm_area_struct *find_vma_intersection(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	return vma && vma->vm_start < end ? vma : NULL;
}

/* ---- the tree with its gaps ---- */

static unsigned long vma_compute_gap(struct vm_area_struct *vma)
{
	const struct vm_area_struct *prev = vma_prev(vma);
	unsigned long low = prev ? prev->vm_end : 0, high = vm_start_gap(vma);

	return high > low ? high - low : 0;
}

RB_DECLARE_CALLBACKS_MAX(static, vma_gap_callbacks, struct vm_area_struct, vm_rb, unsigned long, rb_subtree_gap,
			 vma_compute_gap)

/* The hole below vma has changed.  NULL is allowed. */
static void vma_gap_update(struct vm_area_struct *vma)
{
	if (vma)
		vma_gap_callbacks.propagate(&vma->vm_rb, NULL);
}

static void tree_insert(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct rb_node **link = &mm->mm_rb.rb_node, *parent = NULL;
	struct vm_area_struct *prev = NULL;

	while (*link) {
		struct vm_area_struct *at = rb_entry(*link, struct vm_area_struct, vm_rb);

		parent = *link;
		if (vma->vm_end <= at->vm_start) {
			link = &parent->rb_left;
		} else {
			BUG_ON(vma->vm_start < at->vm_end);
			prev = at;
			link = &parent->rb_right;
		}
	}
	list_add(&vma->vm_list, prev ? &prev->vm_list : &mm->mmap);
	rb_link_node(&vma->vm_rb, parent, link);
	vma->rb_subtree_gap = 0;
	vma_gap_update(vma);
	rb_insert_augmented(&vma->vm_rb, &mm->mm_rb, &vma_gap_callbacks);
	vma_gap_update(vma_next(vma));
	mm->map_count++;
}

static void tree_erase(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct vm_area_struct *next = vma_next(vma);

	list_del_init(&vma->vm_list);
	rb_erase_augmented(&vma->vm_rb, &mm->mm_rb, &vma_gap_callbacks);
	vma_gap_update(next);
	mm->map_count--;
}

/* ---- the file's tree ---- */

static struct address_space *vma_mapping(const struct vm_area_struct *vma)
{
	return vma->vm_file ? vma->vm_file->f_mapping : NULL;
}

static void file_tree_insert(struct vm_area_struct *vma, struct address_space *mapping)
{
	if (vma->vm_flags & VM_SHARED)
		mapping_allow_writable(mapping);
	vma_interval_tree_insert(vma, &mapping->i_mmap);
}

static void file_tree_remove(struct vm_area_struct *vma, struct address_space *mapping)
{
	if (vma->vm_flags & VM_SHARED)
		mapping_unmap_writable(mapping);
	vma_interval_tree_remove(vma, &mapping->i_mmap);
}

/* ---- the family's tree (rmap.h) ---- */

/* A change of bounds is made under the trees' locks; between these two the area is in neither. */
static void anon_tree_lock(struct vm_area_struct *vma) __no_context_analysis	/* no lock without anonymous pages */
{
	if (vma->vm_has_anon)
		down_write(&vma->vm_mm->anon_vma->rwsem);
}

static void anon_tree_unlock(struct vm_area_struct *vma) __no_context_analysis	/* as above */
{
	if (vma->vm_has_anon)
		up_write(&vma->vm_mm->anon_vma->rwsem);
}

static void anon_tree_insert(struct vm_area_struct *vma)
{
	if (vma->vm_has_anon)
		anon_interval_tree_insert(vma, &vma->vm_mm->anon_vma->areas);
}

static void anon_tree_remove(struct vm_area_struct *vma)
{
	if (vma->vm_has_anon)
		anon_interval_tree_remove(vma, &vma->vm_mm->anon_vma->areas);
}

static void unlink_anon_vma(struct vm_area_struct *vma)
{
	if (!vma->vm_has_anon)
		return;
	anon_tree_lock(vma);
	anon_tree_remove(vma);
	anon_tree_unlock(vma);
	vma->vm_has_anon = false;
}

void vma_set_pgoff(struct vm_area_struct *vma, pgoff_t pgoff)
{
	mmap_assert_write_locked(vma->vm_mm);
	anon_tree_lock(vma);
	anon_tree_remove(vma);
	vma->vm_pgoff = pgoff;
	anon_tree_insert(vma);
	anon_tree_unlock(vma);
}

/* After this, truncation and reclaim no longer find the area: before its page tables are freed. */
void unlink_file_vma(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma_mapping(vma);

	unlink_anon_vma(vma);
	if (!mapping)
		return;
	i_mmap_lock_write(mapping);
	file_tree_remove(vma, mapping);
	i_mmap_unlock_write(mapping);
}

/* ---- the four steps ---- */

void lock_mapping(struct address_space *mapping) __no_context_analysis	/* NULL: an anonymous area, no lock */
{
	if (mapping)
		i_mmap_lock_write(mapping);
}

void unlock_mapping(struct address_space *mapping) __no_context_analysis	/* as above */
{
	if (mapping)
		i_mmap_unlock_write(mapping);
}

void vma_link(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct address_space *mapping = vma_mapping(vma);

	mmap_assert_write_locked(mm);
	lock_mapping(mapping);
	anon_tree_lock(vma);
	tree_insert(mm, vma);
	if (mapping)
		file_tree_insert(vma, mapping);
	anon_tree_insert(vma);
	anon_tree_unlock(vma);
	unlock_mapping(mapping);
}

/* Out of the address space, but still in the file's tree while its pages are unmapped. */
void vma_unlink(struct mm_struct *mm, struct vm_area_struct *vma)
{
	mmap_assert_write_locked(mm);
	tree_erase(mm, vma);
}

static void set_bounds(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	vma->vm_pgoff += ((long)(start - vma->vm_start)) >> PAGE_SHIFT;
	vma->vm_start = start;
	vma->vm_end = end;
}

void vma_resize(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct address_space *mapping = vma_mapping(vma);

	mmap_assert_write_locked(vma->vm_mm);
	lock_mapping(mapping);
	anon_tree_lock(vma);
	if (mapping)
		vma_interval_tree_remove(vma, &mapping->i_mmap);
	anon_tree_remove(vma);
	set_bounds(vma, start, end);
	vma_gap_update(vma);
	vma_gap_update(vma_next(vma));
	if (mapping)
		vma_interval_tree_insert(vma, &mapping->i_mmap);
	anon_tree_insert(vma);
	anon_tree_unlock(vma);
	unlock_mapping(mapping);
}

/* `left` takes over `right`, its mergeable neighbour, which is freed. */
static void vma_absorb(struct vm_area_struct *left, struct vm_area_struct *right)
{
	struct address_space *mapping = vma_mapping(left);

	/* With right's pages left is in the family's tree as well, from now on. */
	if (right->vm_has_anon)
		anon_vma_prepare(left);
	lock_mapping(mapping);
	anon_tree_lock(left);
	anon_tree_remove(right);
	anon_tree_remove(left);
	if (mapping) {
		file_tree_remove(right, mapping);
		vma_interval_tree_remove(left, &mapping->i_mmap);
	}
	tree_erase(left->vm_mm, right);
	left->vm_end = right->vm_end;
	vma_gap_update(vma_next(left));
	if (mapping)
		vma_interval_tree_insert(left, &mapping->i_mmap);
	anon_tree_insert(left);
	anon_tree_unlock(left);
	unlock_mapping(mapping);
	if (right->vm_file)
		fput(right->vm_file);
	vm_area_free(right);
}

/* Ends an area that is in no tree any more.  May sleep. */
void vma_remove(struct vm_area_struct *vma)
{
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	if (vma->vm_file)
		fput(vma->vm_file);
	vm_area_free(vma);
}

/* ---- splitting ---- */

/* Splits without asking whether one more area is allowed: for those who take one away at once. */
int __split_vma(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long addr, int new_below)
{
	struct address_space *mapping = vma_mapping(vma);
	struct vm_area_struct *new;
	int err;

	if (vma->vm_ops && vma->vm_ops->may_split) {
		err = vma->vm_ops->may_split(vma, addr);
		if (err)
			return err;
	}
	new = vm_area_dup(vma);
	if (!new)
		return -ENOMEM;
	if (new_below)
		new->vm_end = addr;
	else
		set_bounds(new, addr, new->vm_end);
	if (new->vm_file)
		get_file(new->vm_file);
	if (new->vm_ops && new->vm_ops->open)
		new->vm_ops->open(new);

	lock_mapping(mapping);
	anon_tree_lock(vma);
	anon_tree_remove(vma);
	if (mapping)
		vma_interval_tree_remove(vma, &mapping->i_mmap);
	if (new_below)
		set_bounds(vma, addr, vma->vm_end);
	else
		vma->vm_end = addr;
	vma_gap_update(vma);
	tree_insert(mm, new);
	if (mapping) {
		vma_interval_tree_insert(vma, &mapping->i_mmap);
		file_tree_insert(new, mapping);
	}
	anon_tree_insert(vma);
	anon_tree_insert(new);
	anon_tree_unlock(vma);
	unlock_mapping(mapping);
	return 0;
}

/*
 * Cuts vma in two at addr; vma itself keeps the upper part if new_below, else the lower one.
 * Returns 0 or -ENOMEM, then nothing has changed.  mmap_lock held for writing.
 */
int split_vma(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long addr, int new_below)
{
	if (mm->map_count >= sysctl_max_map_count)
		return -ENOMEM;
	return __split_vma(mm, vma, addr, new_below);
}

/* ---- merging ---- */

/* Could vma be part of an area with these properties?  (Where it lies is another question.) */
static bool is_mergeable(const struct vm_area_struct *vma, unsigned long vm_flags, const struct file *file,
			 const struct mempolicy *pol)
{
	if ((vma->vm_flags ^ vm_flags) & ~VM_SOFTDIRTY)
		return false;
	if ((vm_flags & (VM_SPECIAL | VM_UFFD_FLAGS)) || vma->vm_file != file || !mpol_equal(vma->vm_policy, pol))
		return false;
	return !(vma->vm_ops && vma->vm_ops->close);
}

static bool can_absorb(const struct vm_area_struct *left, const struct vm_area_struct *right)
{
	return left->vm_end == right->vm_start && left->vm_pgoff + vma_pages(left) == right->vm_pgoff &&
	       left->vm_ops == right->vm_ops && left->vm_private_data == right->vm_private_data &&
	       is_mergeable(left, right->vm_flags, right->vm_file, right->vm_policy) &&
	       is_mergeable(right, left->vm_flags, left->vm_file, left->vm_policy);
}

/* Merges vma with what touches it, if that is of the same kind.  Returns the area that covers it afterwards. */
struct vm_area_struct *vma_merge_neighbours(struct vm_area_struct *vma)
{
	struct vm_area_struct *prev = vma_prev(vma), *next = vma_next(vma);

	if (prev && can_absorb(prev, vma)) {
		vma_absorb(prev, vma);
		vma = prev;
	}
	if (next && can_absorb(vma, next))
		vma_absorb(vma, next);
	return vma;
}

struct vm_area_struct *vma_merge(struct mm_struct *mm, unsigned long addr, unsigned long end, unsigned long vm_flags,
				 struct file *file, pgoff_t pgoff)
{
	struct vm_area_struct *prev, *next = find_vma_prev(mm, addr, &prev);
	pgoff_t pages = (end - addr) >> PAGE_SHIFT;

	if (prev && prev->vm_end == addr && prev->vm_pgoff + vma_pages(prev) == pgoff &&
	    is_mergeable(prev, vm_flags, file, NULL)) {
		vma_resize(prev, prev->vm_start, end);
		if (next && can_absorb(prev, next))
			vma_absorb(prev, next);
		return prev;
	}
	if (next && next->vm_start == end && pgoff + pages == next->vm_pgoff && is_mergeable(next, vm_flags, file, NULL)) {
		vma_resize(next, addr, next->vm_end);
		return next;
	}
	return NULL;
}

struct vm_area_struct *vma_carve(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	int err;

	if (start > vma->vm_start) {
		err = split_vma(vma->vm_mm, vma, start, 1);
		if (err)
			return ERR_PTR(err);
	}
	if (end < vma->vm_end) {
		err = split_vma(vma->vm_mm, vma, end, 0);
		if (err)
			return ERR_PTR(err);
	}
	return vma;
}

/*
 * When the second split fails, the first one stays: two areas with equal properties are as right as one.
 */
struct vm_area_struct *vma_modify_flags(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					unsigned long newflags)
{
	vma = vma_carve(vma, start, end);
	if (IS_ERR(vma))
		return vma;
	vma->vm_flags = newflags;
	vma_set_page_prot(vma);
	return vma_merge_neighbours(vma);
}

/* Adds an area that somebody filled in (execve's stack, fork's copies).  0, or -ENOMEM when it overlaps or is too much. */
int insert_vm_struct(struct mm_struct *mm, struct vm_area_struct *vma)
{
	if (find_vma_intersection(mm, vma->vm_start, vma->vm_end))
		return -ENOMEM;
	if ((vma->vm_flags & VM_ACCOUNT) && security_vm_enough_memory_mm(mm, vma_pages(vma)))
		return -ENOMEM;
	if (vma_is_anonymous(vma))
		vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	vma_link(mm, vma);
	return 0;
}
