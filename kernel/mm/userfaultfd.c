/*
 * userfaultfd.c: page faults of anonymous memory that a program handles itself: the areas, the faults, filling pages in.
 *
 * Idea:    a fault in a registered area puts a message on its context's list and sleeps without mmap_lock; a handler reads
 *          the message, puts a page there with UFFDIO_COPY, and that wakes the fault, which is then simply tried again.
 * Race:    the faulting task must not sleep past the page:
 *
 *              faulting task                           handler
 *              onto the list
 *              looks at the entry again: still none    UFFDIO_COPY: entry set
 *              drops mmap_lock, sleeps                 wakes all on the list for this address
 *
 *          Whoever comes onto the list after the wake-up sees the entry; whoever came before is woken.
 * WP:      _PAGE_UFFD_WP in an entry says that the handler wants to know of the first write; the entry is read-only, too, so
 *          that the processor faults.  An entry of a page in swap keeps the bit, and a child's entries do not have it.
 * Locking: mmap_lock for reading around the look at entries and the filling in, for writing to register; ptl over entries;
 *          ctx->lock over the lists.
 * See:     weft/userfaultfd.h; fs/userfaultfd.c; memory.c; userfaultfd(2)
 */
#include <weft/err.h>
#include <weft/highmem.h>
#include <weft/huge_mm.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/swap.h>
#include <weft/swapops.h>
#include <weft/pid.h>
#include <weft/poll.h>
#include <weft/uaccess.h>
#include <weft/userfaultfd.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "internal.h"

void userfaultfd_ctx_put(struct userfaultfd_ctx *ctx)
{
	if (!refcount_dec_and_test(&ctx->refs))
		return;
	mmdrop(ctx->mm);
	kfree(ctx);
}

/* ---- a fault ---- */

/* Is there still something for the handler to do?  mmap_lock held: tables of entries do not go. */
static bool must_wait(const struct vm_fault *vmf, unsigned long reason)
{
	pmd_t *slot = mm_find_pmd(vmf->vma->vm_mm, vmf->address), pmd = slot ? pmdp_get(slot) : __pmd(0);
	pte_t pte;

	if (pmd_none(pmd))
		return reason == VM_UFFD_MISSING;
	if (pmd_leaf(pmd))
		return false;			/* from before it was registered: there, and not protected */
	pte = READ_ONCE(*pte_offset_kernel(slot, vmf->address));
	if (reason == VM_UFFD_MISSING)
		return pte_none(pte);
	return pte_present(pte) && pte_uffd_wp(pte);
}

static void fill_message(struct uffd_fault *f, const struct vm_fault *vmf, unsigned long reason, u64 features)
{
	f->msg = (struct uffd_msg){ .event = UFFD_EVENT_PAGEFAULT };
	f->msg.pagefault.address = features & UFFD_FEATURE_EXACT_ADDRESS ? vmf->real_address : vmf->address;
	if (vmf->flags & FAULT_FLAG_WRITE)
		f->msg.pagefault.flags |= UFFD_PAGEFAULT_FLAG_WRITE;
	if (reason == VM_UFFD_WP)
		f->msg.pagefault.flags |= UFFD_PAGEFAULT_FLAG_WP;
	if (features & UFFD_FEATURE_THREAD_ID)
		f->msg.pagefault.ptid = (u32)task_pid_vnr(current);
}

/* A program's own access ends its wait for any signal, and comes back after the handler of that; the kernel's only dies. */
static void wait_for_page(struct userfaultfd_ctx *ctx, struct uffd_fault *f, unsigned int state)
{
	for (;;) {
		set_current_state(state);
		if (READ_ONCE(f->done) || READ_ONCE(ctx->released) || signal_pending_state(state, current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* False: the fault is the program's own affair: SIGBUS. */
static bool may_wait(const struct userfaultfd_ctx *ctx, const struct vm_fault *vmf)
{
	if ((current->flags & (PF_EXITING | PF_DUMPCORE)) || (ctx->features & UFFD_FEATURE_SIGBUS))
		return false;
	if ((ctx->flags & UFFD_USER_MODE_ONLY) && !(vmf->flags & FAULT_FLAG_USER))
		return false;
	return vmf->flags & FAULT_FLAG_ALLOW_RETRY;
}

vm_fault_t handle_userfault(struct vm_fault *vmf, unsigned long reason)
	__no_context_analysis	/* drops mmap_lock */
{
	struct userfaultfd_ctx *ctx = vmf->vma->vm_uffd;
	struct uffd_fault f = { .task = current, .address = vmf->address };
	bool wait;

	if (!may_wait(ctx, vmf))
		return VM_FAULT_SIGBUS;
	refcount_inc(&ctx->refs);
	fill_message(&f, vmf, reason, ctx->features);
	spin_lock(&ctx->lock);
	list_add_tail(&f.list, &ctx->pending);
	spin_unlock(&ctx->lock);
	wait = must_wait(vmf, reason);
	mmap_read_unlock(vmf->vma->vm_mm);
	if (wait) {
		wake_up_poll(&ctx->wqh, EPOLLIN);
		wait_for_page(ctx, &f, vmf->flags & FAULT_FLAG_USER ? TASK_INTERRUPTIBLE : TASK_KILLABLE);
	}
	spin_lock(&ctx->lock);
	list_del(&f.list);
	spin_unlock(&ctx->lock);
	userfaultfd_ctx_put(ctx);
	return VM_FAULT_RETRY;
}

/* [ctx->lock] */
static void wake_list(struct list_head *faults, unsigned long start, unsigned long end)
{
	struct uffd_fault *f;

	list_for_each_entry(f, faults, list) {
		if (f->address < start || f->address >= end)
			continue;
		WRITE_ONCE(f->done, true);
		wake_up_process(f->task);
	}
}

void uffd_wake(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end)
{
	spin_lock(&ctx->lock);
	wake_list(&ctx->pending, start, end);
	wake_list(&ctx->delivered, start, end);
	spin_unlock(&ctx->lock);
}

/* ---- areas ---- */

/* Anonymous private memory only: pages of files belong to others, too. */
static bool can_register(const struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && !(vma->vm_flags & (VM_SHARED | VM_SPECIAL));
}

/* 0, or why not all of the range can be registered; mmap_lock held. */
static int check_range(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = find_vma(ctx->mm, start);

	if (!vma || vma->vm_start >= end)
		return -EINVAL;
	for (; vma && vma->vm_start < end; vma = vma_next(vma)) {
		if (!can_register(vma))
			return -EINVAL;
		if (!(vma->vm_flags & VM_MAYWRITE))
			return -EPERM;
		if (vma->vm_uffd && vma->vm_uffd != ctx)
			return -EBUSY;
	}
	return 0;
}

int uffd_register(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end, unsigned long vm_flags)
{
	struct vm_area_struct *vma;
	int err;

	mmap_write_lock(ctx->mm);
	err = check_range(ctx, start, end);
	for (vma = find_vma(ctx->mm, start); !err && vma && vma->vm_start < end; vma = vma_next(vma)) {
		vma = vma_modify_flags(vma, max(start, vma->vm_start), min(end, vma->vm_end),
				       (vma->vm_flags & ~VM_UFFD_FLAGS) | vm_flags);
		if (IS_ERR(vma)) {
			err = PTR_ERR(vma);
			break;
		}
		vma->vm_uffd = ctx;
	}
	mmap_write_unlock(ctx->mm);
	return err;
}

/* Entries of [start, end) of an area: with _PAGE_UFFD_WP and read-only, or without the bit. */
static void change_wp(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool on)
{
	unsigned long addr, next;

	for (addr = start; addr < end; addr = next) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
		spinlock_t *ptl;
		pte_t *pte, old;

		next = pmd_addr_end(addr, end);
		if (!pmd || !pmd_has_table(vma->vm_mm, pmd, addr))
			continue;
		pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
		for (; addr != next; pte++, addr += PAGE_SIZE) {
			if (is_swap_pte(*pte)) {
				set_pte(pte, on ? pte_swp_mkuffd_wp(*pte) : pte_swp_clear_uffd_wp(*pte));
			} else if (pte_present(*pte)) {
				old = ptep_get_and_clear(vma->vm_mm, addr, pte);
				set_pte(pte, on ? pte_mkuffd_wp(pte_wrprotect(old)) : pte_clear_uffd_wp(old));
			}
		}
		pte_unmap_unlock(pte, ptl);
		cond_resched();
	}
	if (on)
		flush_tlb_range(vma, start, end);
}

/* mmap_lock held for writing.  The part of vma in [start, end) becomes an ordinary area: the one that covers it now. */
static struct vm_area_struct *unregister_area(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct vm_area_struct *part;

	start = max(start, vma->vm_start);
	end = min(end, vma->vm_end);
	if (vma->vm_flags & VM_UFFD_WP)
		change_wp(vma, start, end, false);
	part = vma_modify_flags(vma, start, end, vma->vm_flags & ~VM_UFFD_FLAGS);
	if (!IS_ERR(part))
		part->vm_uffd = NULL;		/* the area may have taken neighbours in, or they it */
	return part;
}

int uffd_unregister(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;
	int err = 0;

	mmap_write_lock(ctx->mm);
	vma = find_vma(ctx->mm, start);
	if (!vma || vma->vm_start >= end)
		err = -EINVAL;
	for (; !err && vma && vma->vm_start < end; vma = vma_next(vma)) {
		if (!can_register(vma)) {
			err = -EINVAL;
			break;
		}
		if (vma->vm_uffd != ctx)
			continue;
		vma = unregister_area(vma, start, end);
		if (IS_ERR(vma)) {
			err = PTR_ERR(vma);
			break;
		}
	}
	mmap_write_unlock(ctx->mm);
	uffd_wake(ctx, start, end);
	return err;
}

void uffd_unregister_all(struct userfaultfd_ctx *ctx)
{
	struct vm_area_struct *vma;

	mmap_write_lock(ctx->mm);
	for_each_vma_of(ctx->mm, vma) {
		if (vma->vm_uffd != ctx)
			continue;
		if (vma->vm_flags & VM_UFFD_WP)
			change_wp(vma, vma->vm_start, vma->vm_end, false);
		userfaultfd_forget(vma);
	}
	mmap_write_unlock(ctx->mm);
}

/* ---- filling in ---- */

/* The registered area that has all of the range, or NULL; mmap_lock held. */
static struct vm_area_struct *registered_area(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long len)
{
	struct vm_area_struct *vma = vma_lookup(ctx->mm, start);

	return vma && vma->vm_uffd && start + len <= vma->vm_end ? vma : NULL;
}

/* Where addr's entry is to stand, locked and empty; NULL and *err. */
static pte_t *empty_entry(struct vm_area_struct *vma, unsigned long addr, spinlock_t **ptl, int *err)
	__no_context_analysis	/* locked when there is one */
{
	pmd_t *pmd = mm_alloc_pmd(vma->vm_mm, addr);
	pte_t *pte;

	*err = -ENOMEM;
	if (!pmd || pte_alloc_failed(vma->vm_mm, pmd))
		return NULL;
	*err = -EAGAIN;
	if (!pmd_has_table(vma->vm_mm, pmd, addr))
		return NULL;			/* a huge page from before went just now */
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, ptl);
	if (pte_none(*pte)) {
		*err = 0;
		return pte;
	}
	pte_unmap_unlock(pte, *ptl);
	*err = -EEXIST;
	return NULL;
}

/* Takes the page over when it returns 0. */
static int map_page(struct vm_area_struct *vma, unsigned long addr, struct page *page, bool wp)
	__no_context_analysis	/* ptl: locked when empty_entry() gives one */
{
	pte_t entry = pte_mkdirty(mk_pte(page, vma->vm_page_prot)), *pte;
	spinlock_t *ptl;
	int err;

	if (wp)
		entry = pte_mkuffd_wp(entry);
	else if (vma->vm_flags & VM_WRITE)
		entry = pte_mkwrite(entry);
	anon_vma_prepare(vma);
	pte = empty_entry(vma, addr, &ptl, &err);
	if (!pte)
		return err;
	inc_mm_counter(vma->vm_mm, MM_ANONPAGES);
	page_add_new_anon_rmap(page, vma, addr);
	set_pte(pte, entry);
	pte_unmap_unlock(pte, ptl);
	return 0;
}

/* The source is read before mmap_lock is taken: reading it may itself be a fault for a handler. */
static int copy_page_in(struct userfaultfd_ctx *ctx, unsigned long dst, const char __user *src, bool wp)
{
	struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);
	struct vm_area_struct *vma;
	int err;

	if (!page)
		return -ENOMEM;
	err = mem_cgroup_charge(page, GFP_KERNEL);
	if (!err && copy_from_user(page_address(page), src, PAGE_SIZE))
		err = -EFAULT;
	if (err) {
		put_page(page);
		return err;
	}
	err = -ENOENT;
	mmap_read_lock(ctx->mm);
	vma = registered_area(ctx, dst, PAGE_SIZE);
	if (vma)
		err = wp && !(vma->vm_flags & VM_UFFD_WP) ? -EINVAL : map_page(vma, dst, page, wp);
	mmap_read_unlock(ctx->mm);
	if (err)
		put_page(page);
	return err;
}

static int map_zeroes(struct userfaultfd_ctx *ctx, unsigned long addr)
	__no_context_analysis	/* ptl: likewise */
{
	struct vm_area_struct *vma;
	spinlock_t *ptl;
	int err = -ENOENT;
	pte_t *pte;

	mmap_read_lock(ctx->mm);
	vma = registered_area(ctx, addr, PAGE_SIZE);
	pte = vma ? empty_entry(vma, addr, &ptl, &err) : NULL;
	if (pte) {
		set_pte(pte, pte_mkspecial(pfn_pte(zero_pfn, vma->vm_page_prot)));
		pte_unmap_unlock(pte, ptl);
	}
	mmap_read_unlock(ctx->mm);
	return err;
}

long uffd_copy(struct userfaultfd_ctx *ctx, unsigned long dst, const char __user *src, unsigned long len, bool wp)
{
	unsigned long done = 0;
	int err = 0;

	while (done < len && !err) {
		err = fatal_signal_pending(current) ? -EINTR : copy_page_in(ctx, dst + done, src + done, wp);
		if (!err)
			done += PAGE_SIZE;
		cond_resched();
	}
	return done ? (long)done : err;
}

long uffd_zeropage(struct userfaultfd_ctx *ctx, unsigned long dst, unsigned long len)
{
	unsigned long done = 0;
	int err = 0;

	while (done < len && !err) {
		err = fatal_signal_pending(current) ? -EINTR : map_zeroes(ctx, dst + done);
		if (!err)
			done += PAGE_SIZE;
		cond_resched();
	}
	return done ? (long)done : err;
}

int uffd_writeprotect(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long len, bool on)
{
	struct vm_area_struct *vma;
	int err = -ENOENT;

	mmap_read_lock(ctx->mm);
	vma = registered_area(ctx, start, len);
	if (vma && (vma->vm_flags & VM_UFFD_WP)) {
		change_wp(vma, start, start + len, on);
		err = 0;
	}
	mmap_read_unlock(ctx->mm);
	return err;
}
