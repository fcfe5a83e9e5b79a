/*
 * userfaultfd.h: page faults that a program handles itself: between kernel/mm/userfaultfd.c and kernel/fs/userfaultfd.c.
 *
 * Idea:    an area that is registered names its context (vma->vm_uffd) and what is to be told (VM_UFFD_MISSING, VM_UFFD_WP).
 * Counts:  refs: the descriptor, and each fault that waits.  Areas hold none: the descriptor's end walks them.
 * Locking: vm_uffd and the flags: mmap_lock.  ctx->lock: the lists of faults.  mmap_lock -> ctx->lock.
 * See:     userfaultfd(2)
 */
#ifndef WEFT_USERFAULTFD_H
#define WEFT_USERFAULTFD_H

#include <weft/list.h>
#include <weft/mm.h>
#include <weft/refcount.h>
#include <weft/spinlock.h>
#include <weft/wait.h>
#include <uapi/userfaultfd.h>

struct userfaultfd_ctx {
	refcount_t		refs;
	struct mm_struct	*mm;		/* [I] mmgrab() */
	unsigned int		flags;		/* [I] UFFD_USER_MODE_ONLY */
	bool			ready;		/* [a] UFFDIO_API was made */
	bool			released;	/* [a] the descriptor is closed */
	u64			features;	/* [I] once ready */
	spinlock_t		lock;
	struct list_head	pending, delivered;	/* [lock] struct uffd_fault, oldest first */
	wait_queue_head_t	wqh;		/* read(2) and poll(2) of the descriptor */
};

/* A task that waits for its page, on its stack; the waker is done with it when it has set `done`. */
struct uffd_fault {
	struct list_head	list;		/* [ctx->lock] */
	struct task_struct	*task;
	unsigned long		address;	/* of the page */
	struct uffd_msg		msg;
	bool			done;		/* [ctx->lock] */
};

void userfaultfd_ctx_put(struct userfaultfd_ctx *ctx);

/* ---- the fault's side: mmap_lock held for reading; dropped when the answer is VM_FAULT_RETRY ---- */
vm_fault_t handle_userfault(struct vm_fault *vmf, unsigned long reason);	/* VM_UFFD_MISSING, VM_UFFD_WP */

/* The copy of a registered area, for a child or another place, is an ordinary one. */
static inline void userfaultfd_forget(struct vm_area_struct *vma)
{
	vma->vm_uffd = NULL;
	vma->vm_flags &= ~VM_UFFD_FLAGS;
}

/* ---- the handler's side: the mm's users are held (mmget); 0 or -errno ---- */
int uffd_register(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end, unsigned long vm_flags);
int uffd_unregister(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end);
void uffd_unregister_all(struct userfaultfd_ctx *ctx);
void uffd_wake(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long end);
/* Bytes done, or -errno if not even a page was. */
long uffd_copy(struct userfaultfd_ctx *ctx, unsigned long dst, const char __user *src, unsigned long len, bool wp);
long uffd_zeropage(struct userfaultfd_ctx *ctx, unsigned long dst, unsigned long len);
int uffd_writeprotect(struct userfaultfd_ctx *ctx, unsigned long start, unsigned long len, bool on);

#endif
