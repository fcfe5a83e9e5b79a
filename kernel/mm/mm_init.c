/*
 * mm_init.c: the life of an mm_struct and its two counts.
 *
 * What:    mm_users counts who uses the user half: each thread, and whoever looks into it (get_task_mm).  mm_count counts who
 *          holds the structure and its pgd: all users together one, each processor that runs a kernel thread on borrowed
 *          page tables one, each mmgrab() one.
 * States:  users > 0            alive: areas, pages, page tables
 *          users 0, count > 0   empty: __mmput() has taken the LDT, the areas, the pages and the user page tables; the pgd
 *                               with its kernel half stays for borrowers
 *          count 0              gone: __mmdrop() frees the pgd and the structure
 *
 *              CPU 0: the last thread exits            CPU 1: kernel thread, active_mm = mm
 *              (mm_users 1, mm_count 2)                runs on mm's pgd, lazy
 *              mmput: users 0
 *              exit_mmap: entries cleared; tables      IPI (tables go): leaves for init_mm's pgd,
 *              are to be freed: IPI to lazy CPUs too   still holds the count
 *              tables and pages freed
 *              mmdrop: count 1
 *                                                      schedules; finish_task_switch: mmdrop: count 0
 *                                                      __mmdrop: pgd and structure freed
 *          With the counts the other way round (the borrower in mm_users), an idle CPU would keep a dead program's memory.
 * Locking: the counts are atomic.  mmput may sleep; mmdrop may not, and runs in finish_task_switch().
 * See:     spec.md §5 "two counts"; seeds 002 and 004; doc/address-spaces.md
 */
#include <weft/aio.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/llist.h>
#include <weft/mman.h>
#include <weft/ptrace.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <weft/userfaultfd.h>
#include <weft/workqueue.h>
#include <asm/mmu_context.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "internal.h"

struct mm_struct init_mm = {
	.mm_rb			= RB_ROOT,
	.mmap			= LIST_HEAD_INIT(init_mm.mmap),
	.pgd			= swapper_pg_dir,
	.mm_users		= REFCOUNT_INIT(2),
	.mm_count		= REFCOUNT_INIT(1),
	.mmap_lock		= __RWSEM_INITIALIZER(init_mm.mmap_lock),
	.page_table_lock	= __SPIN_LOCK_UNLOCKED(init_mm.page_table_lock),
	.mmlist			= LIST_HEAD_INIT(init_mm.mmlist),
	.huge_list		= LIST_HEAD_INIT(init_mm.huge_list),
	.spare_tables		= LIST_HEAD_INIT(init_mm.spare_tables),
	.context		= { .ctx_id = 1, .tlb_gen = ATOMIC64_INIT(1) },
};

static struct kmem_cache *mm_cachep;		/* [I] */

void __init mm_cache_init(void)
{
	mm_cachep = KMEM_CACHE(mm_struct, SLAB_PANIC);
	vma_cache_init();
}

/* ---- making ---- */

/*
 * Fills in a zeroed structure: counts 1, no areas, a pgd with the kernel's half; of this family, NULL: the first of one.
 * NULL: freed, out of memory.
 */
static struct mm_struct *mm_init(struct mm_struct *mm, struct task_struct *tsk, struct anon_vma *family)
{
	mm->mm_rb = RB_ROOT;
	INIT_LIST_HEAD(&mm->mmap);
	INIT_LIST_HEAD(&mm->mmlist);
	INIT_LIST_HEAD(&mm->huge_list);
	INIT_LIST_HEAD(&mm->spare_tables);
	INIT_LIST_HEAD(&mm->aio_contexts);
	refcount_set(&mm->mm_users, 1);
	refcount_set(&mm->mm_count, 1);
	mmap_init_lock(mm);
	spin_lock_init(&mm->page_table_lock);
	mm->task_size = TASK_SIZE_MAX;
	mm->flags = current->mm ? current->mm->flags & MMF_INIT_MASK : MMF_DUMP_FILTER_DEFAULT;
	mm->pgd = pgd_alloc(mm);
	if (!mm->pgd)
		goto free_mm;
	if (init_new_context(tsk, mm))
		goto free_pgd;
	mm->anon_vma = family ? anon_vma_get(family) : anon_vma_alloc();
	if (!mm->anon_vma)
		goto destroy_context;
	mm->user_ns = get_user_ns(current_user_ns());
	return mm;

destroy_context:
	destroy_context_ldt(mm);

free_pgd:
	pgd_free(mm, mm->pgd);
free_mm:
	kmem_cache_free(mm_cachep, mm);
	return NULL;
}

static struct mm_struct *allocate_mm(struct task_struct *tsk, struct anon_vma *family)
{
	struct mm_struct *mm = kmem_cache_zalloc(mm_cachep, GFP_KERNEL);

	return mm ? mm_init(mm, tsk, family) : NULL;
}

struct mm_struct *mm_alloc(void)
{
	return allocate_mm(current, NULL);
}

/* ---- fork ---- */

/* Where things lie is the same in the child; what is locked in memory is not. */
static void copy_layout(struct mm_struct *mm, const struct mm_struct *oldmm)
{
	mm->mmap_base = oldmm->mmap_base;
	mm->mmap_legacy_base = oldmm->mmap_legacy_base;
	mm->task_size = oldmm->task_size;
	mm->start_code = oldmm->start_code;
	mm->end_code = oldmm->end_code;
	mm->start_data = oldmm->start_data;
	mm->end_data = oldmm->end_data;
	mm->start_brk = oldmm->start_brk;
	mm->brk = oldmm->brk;
	mm->start_stack = oldmm->start_stack;
	mm->arg_start = oldmm->arg_start;
	mm->arg_end = oldmm->arg_end;
	mm->env_start = oldmm->env_start;
	mm->env_end = oldmm->env_end;
	memcpy(mm->saved_auxv, oldmm->saved_auxv, sizeof(mm->saved_auxv));
	mm->binfmt = oldmm->binfmt;
	mm->flags = oldmm->flags & MMF_INIT_MASK;
	mm->context.vdso = oldmm->context.vdso;
	mm->context.ia32 = oldmm->context.ia32;
}

/* The child's copy of one area, linked, with its page-table entries.  0 or -ENOMEM, then nothing of it is left. */
static int dup_area(struct mm_struct *mm, struct vm_area_struct *old)
{
	unsigned long charge = (old->vm_flags & VM_ACCOUNT) ? vma_pages(old) : 0;
	struct vm_area_struct *vma;

	if (charge && security_vm_enough_memory_mm(old->vm_mm, charge))
		return -ENOMEM;
	vma = vm_area_dup(old);
	if (!vma) {
		vm_unacct_memory(charge);
		return -ENOMEM;
	}
	vma->vm_mm = mm;
	vma->vm_flags &= ~VM_LOCKED_MASK;
	userfaultfd_forget(vma);
	if (vma->vm_flags & VM_WIPEONFORK)
		vma->vm_has_anon = false;
	if (vma->vm_file)
		get_file(vma->vm_file);
	if (vma->vm_ops && vma->vm_ops->open)
		vma->vm_ops->open(vma);
	vma_link(mm, vma);
	vm_stat_account(mm, vma->vm_flags, vma_pages(vma));
	return (vma->vm_flags & VM_WIPEONFORK) ? 0 : copy_page_range(vma, old);
}

static int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm)
{
	struct vm_area_struct *vma;
	int err = 0;

	if (mmap_write_lock_killable(oldmm))
		return -EINTR;
	mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);	/* nobody else knows it: for the asserts */
	for_each_vma_of(oldmm, vma) {
		if (vma->vm_flags & VM_DONTCOPY)
			continue;
		if (fatal_signal_pending(current))
			err = -EINTR;
		else
			err = dup_area(mm, vma);
		if (err)
			break;
	}
	mmap_write_unlock(mm);
	/* The parent's entries are read-only now; its threads must notice before the child can see their writes. */
	flush_tlb_mm_range(oldmm, 0, TLB_FLUSH_ALL, PAGE_SHIFT, false);
	mmap_write_unlock(oldmm);
	return err;
}

struct mm_struct *dup_mm(struct task_struct *tsk, struct mm_struct *oldmm)
{
	struct mm_struct *mm = allocate_mm(tsk, oldmm->anon_vma);

	if (!mm)
		return NULL;
	copy_layout(mm, oldmm);
	mm->exe_file = get_mm_exe_file(oldmm);
	if (mm->exe_file)
		deny_write_access(mm->exe_file);	/* the old one's denial holds: it cannot fail */
	if (ldt_dup_context(oldmm, mm) || dup_mmap(mm, oldmm)) {
		mmput(mm);
		return NULL;
	}
	mm->hiwater_rss = get_mm_rss(mm);
	mm->hiwater_vm = mm->total_vm;
	return mm;
}

/* ---- mm_users ---- */

void mmget(struct mm_struct *mm)
{
	refcount_inc(&mm->mm_users);
	trace_mm_get((unsigned long)mm, refcount_read(&mm->mm_users), refcount_read(&mm->mm_count));
}

bool mmget_not_zero(struct mm_struct *mm)
{
	if (!refcount_inc_not_zero(&mm->mm_users))
		return false;
	trace_mm_get((unsigned long)mm, refcount_read(&mm->mm_users), refcount_read(&mm->mm_count));
	return true;
}

/* The user half goes, now; then the users' one reference to the structure. */
static void __mmput(struct mm_struct *mm)
{
	exit_aio(mm);
	destroy_context_ldt(mm);
	khugepaged_exit(mm);
	exit_mmap(mm);
	swap_forget_mm(mm);
	set_mm_exe_file(mm, NULL);
	mmdrop(mm);
}

void mmput(struct mm_struct *mm)
{
	might_sleep();
	trace_mm_put((unsigned long)mm, refcount_read(&mm->mm_users) - 1, refcount_read(&mm->mm_count));
	if (refcount_dec_and_test(&mm->mm_users))
		__mmput(mm);
}

static LLIST_HEAD(mmput_list);			/* address spaces that ended where nobody could sleep */

static void mmput_work_fn(struct work_struct *work)
{
	struct llist_node *ended = llist_del_all(&mmput_list);
	struct mm_struct *mm, *n;

	llist_for_each_entry_safe(mm, n, ended, async_put)
		__mmput(mm);
}
static DECLARE_WORK(mmput_work, mmput_work_fn);

void mmput_async(struct mm_struct *mm)
{
	trace_mm_put((unsigned long)mm, refcount_read(&mm->mm_users) - 1, refcount_read(&mm->mm_count));
	if (!refcount_dec_and_test(&mm->mm_users))
		return;
	llist_add(&mm->async_put, &mmput_list);
	schedule_work(&mmput_work);
}

/* ---- mm_count ---- */

void mmgrab(struct mm_struct *mm)
{
	refcount_inc(&mm->mm_count);
	trace_mm_grab((unsigned long)mm, refcount_read(&mm->mm_users), refcount_read(&mm->mm_count));
}

void mmdrop(struct mm_struct *mm)
{
	trace_mm_drop((unsigned long)mm, refcount_read(&mm->mm_users), refcount_read(&mm->mm_count) - 1);
	if (refcount_dec_and_test(&mm->mm_count))
		__mmdrop(mm);
}

/* Nobody is left.  Must not be loaded on any processor: a borrower would still hold a count. */
void __mmdrop(struct mm_struct *mm)
{
	BUG_ON(mm == &init_mm);
	WARN_ON_ONCE(mm == current->active_mm);
	anon_vma_put(mm->anon_vma);
	pgd_free(mm, mm->pgd);
	put_user_ns(mm->user_ns);
	kmem_cache_free(mm_cachep, mm);
}

/* ---- from a task ---- */

struct mm_struct *get_task_mm(struct task_struct *task)
{
	struct mm_struct *mm;

	task_lock(task);
	mm = task->mm;
	if (mm && ((task->flags & PF_KTHREAD) || !mmget_not_zero(mm)))
		mm = NULL;
	task_unlock(task);
	return mm;
}

struct mm_struct *mm_access(struct task_struct *task, unsigned int mode)
{
	struct mm_struct *mm = get_task_mm(task);

	/* The look at the rights comes after: execve may have exchanged the mm, see commit_rights() in exec.c. */
	if (mm && mm != current->mm && !ptrace_may_access(task, mode)) {
		mmput(mm);
		return ERR_PTR(-EACCES);
	}
	return mm;
}

/* ---- the program's file ---- */

/*
 * new_exe_file gets a reference of its own and cannot be written as long as somebody runs it; NULL takes the old one away.
 * 0, or -ETXTBSY: somebody writes it.
 */
int set_mm_exe_file(struct mm_struct *mm, struct file *new_exe_file)
{
	struct file *old;

	if (new_exe_file) {
		int err = deny_write_access(new_exe_file);

		if (err)
			return err;
		get_file(new_exe_file);
	}
	mmap_write_lock(mm);
	old = mm->exe_file;
	rcu_assign_pointer(mm->exe_file, new_exe_file);
	mmap_write_unlock(mm);
	if (old) {
		allow_write_access(old);
		fput(old);
	}
	return 0;
}

struct file *get_mm_exe_file(struct mm_struct *mm)
{
	struct file *file;

	mmap_read_lock(mm);
	file = mm->exe_file;
	if (file)
		get_file(file);
	mmap_read_unlock(mm);
	return file;
}

struct file *get_task_exe_file(struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	struct file *file;

	if (!mm)
		return NULL;
	file = get_mm_exe_file(mm);
	mmput(mm);
	return file;
}
