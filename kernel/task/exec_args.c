/*
 * exec_args.c: the new program's stack: made, filled with arguments, and put where it belongs.
 *
 * Idea:    the strings go straight into pages of the new address space, from the top of its stack downwards, through the
 *          kernel's map of memory: the old program still runs on the old space.  At first the stack lies at the very top
 *          (the format, and so the layout, is not known yet); setup_arg_pages() moves it by moving page-table entries.
 * Locking: the new mm is ours alone, but its functions expect mmap_lock.
 * See:     execve(2) "Limits on size of arguments and environment"
 */
#include <weft/kernel.h>
#include <weft/binfmts.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/highmem.h>
#include <weft/mm.h>
#include <weft/mman.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include "exec.h"
#include "internal.h"

#define STACK_EXPAND	131072UL	/* room that a program finds below its arguments without a fault */

int bprm_mm_init(struct linux_binprm *bprm)
{
	struct mm_struct *mm = mm_alloc();
	struct vm_area_struct *vma;
	int err;

	if (!mm)
		return -ENOMEM;
	bprm->mm = mm;
	set_dumpable(mm, SUID_DUMP_DISABLE);	/* until begin_new_exec() knows whose it is */
	task_lock(current->group_leader);
	bprm->rlim_stack = current->signal->rlim[RLIMIT_STACK];
	task_unlock(current->group_leader);

	vma = vm_area_alloc(mm);
	if (!vma)
		return -ENOMEM;
	vma_set_anonymous(vma);
	vma->vm_end = STACK_TOP_MAX;
	vma->vm_start = vma->vm_end - PAGE_SIZE;
	vma->vm_flags = VM_STACK_FLAGS | VM_STACK_INCOMPLETE_SETUP;
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	mmap_write_lock(mm);
	err = insert_vm_struct(mm, vma);
	if (!err)
		mm->stack_vm = mm->total_vm = 1;
	mmap_write_unlock(mm);
	if (err) {
		vm_area_free(vma);
		return err;
	}
	bprm->vma = vma;
	bprm->p = vma->vm_end - sizeof(void *);
	return 0;
}

/* ---- one page of the new stack ---- */

/* With a reference, writable; NULL when there is no memory or the stack may not grow so far. */
static struct page *get_arg_page(struct linux_binprm *bprm, unsigned long pos)
{
	struct mm_struct *mm = bprm->mm;
	struct page *page = NULL;
	long n;

	if (pos < bprm->vma->vm_start) {
		int err;

		mmap_write_lock(mm);
		err = expand_stack(bprm->vma, pos);
		mmap_write_unlock(mm);
		if (err)
			return NULL;
	}
	mmap_read_lock(mm);
	n = get_user_pages_remote(mm, pos, 1, FOLL_WRITE, &page, NULL);
	mmap_read_unlock(mm);
	return n == 1 ? page : NULL;
}

/* Makes len bytes below bprm->p and fills them from the kernel's or the program's memory. */
static int push(struct linux_binprm *bprm, const void *kernel, const char __user *user, unsigned long len)
{
	if (len > bprm->p || bprm->p - len < bprm->argmin)
		return -E2BIG;
	bprm->p -= len;
	/* From the end to the beginning: the stack grows page by page. */
	while (len) {
		unsigned long end = bprm->p + len;
		unsigned long n = min(len, ((end - 1) & ~PAGE_MASK) + 1);
		struct page *page = get_arg_page(bprm, end - n);
		void *dst;
		unsigned long failed = 0;

		if (!page)
			return -E2BIG;
		len -= n;
		dst = page_address(page) + ((end - n) & ~PAGE_MASK);
		if (user)
			failed = copy_from_user(dst, user + len, n);
		else
			memcpy(dst, kernel + len, n);
		put_page(page);
		if (failed)
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -ERESTARTNOHAND;
		cond_resched();
	}
	return 0;
}

int copy_string_kernel(const char *arg, struct linux_binprm *bprm)
{
	return push(bprm, arg, NULL, strlen(arg) + 1);
}

static int copy_string_user(const char __user *str, struct linux_binprm *bprm)
{
	long len = strnlen_user(str, MAX_ARG_STRLEN);

	if (!len)
		return -EFAULT;
	return (unsigned long)len > MAX_ARG_STRLEN ? -E2BIG : push(bprm, NULL, str, len);
}

/* ---- lists ---- */

static int get_user_arg(struct arg_list list, int i, const char __user **str)
{
	u32 uptr;

	if (!in_compat_syscall())
		return get_user(*str, list.user + i) ? -EFAULT : 0;
	if (get_user(uptr, (const u32 __user *)list.user + i))
		return -EFAULT;
	*str = compat_ptr(uptr);
	return 0;
}

static int count(struct arg_list list)
{
	const char __user *str;
	int n = 0;

	if (list.kernel) {
		while (list.kernel[n])
			n++;
		return n;
	}
	if (!list.user)
		return 0;
	for (;; n++) {
		if (get_user_arg(list, n, &str))
			return -EFAULT;
		if (!str)
			return n;
		if (n >= MAX_ARG_STRINGS)
			return -E2BIG;
		if (fatal_signal_pending(current))
			return -ERESTARTNOHAND;
		cond_resched();
	}
}

/* The last string first, so that the first lies lowest. */
static int copy_strings(struct linux_binprm *bprm, struct arg_list list, int n)
{
	const char __user *str;
	int err = 0;

	while (n-- > 0 && !err) {
		if (list.kernel) {
			err = copy_string_kernel(list.kernel[n], bprm);
			continue;
		}
		err = get_user_arg(list, n, &str);
		if (!err)
			err = copy_string_user(str, bprm);
	}
	return err;
}

/* Strings and the pointers to them get at most a quarter of the stack, and never more than 6 MiB. */
static int set_limit(struct linux_binprm *bprm)
{
	unsigned long limit = min_t(u64, _STK_LIM / 4 * 3, bprm->rlim_stack.rlim_cur / 4);
	unsigned long pointers = (max(bprm->argc, 1) + (unsigned long)bprm->envc) * sizeof(void *);

	limit = max_t(unsigned long, limit, ARG_MAX_BYTES);
	if (limit <= pointers)
		return -E2BIG;
	bprm->argmin = bprm->p - (limit - pointers);
	return 0;
}

int copy_args(struct linux_binprm *bprm, struct arg_list argv, struct arg_list envp)
{
	int err;

	bprm->argc = count(argv);
	if (bprm->argc < 0)
		return bprm->argc;
	bprm->envc = count(envp);
	if (bprm->envc < 0)
		return bprm->envc;
	err = set_limit(bprm);
	if (err)
		return err;
	err = copy_string_kernel(bprm->filename, bprm);
	if (err)
		return err;
	bprm->exec = bprm->p;
	err = copy_strings(bprm, envp, bprm->envc);
	if (err)
		return err;
	err = copy_strings(bprm, argv, bprm->argc);
	if (err || bprm->argc)
		return err;
	/* Programs take argv[0] for granted, and would read the environment instead. */
	err = copy_string_kernel("", bprm);
	bprm->argc = 1;
	return err;
}

/* A script's name takes the place of argv[0]: goes over that string. */
int remove_arg_zero(struct linux_binprm *bprm)
{
	char c;

	if (!bprm->argc)
		return 0;
	do {
		struct page *page = get_arg_page(bprm, bprm->p);

		if (!page)
			return -EFAULT;
		c = *((char *)page_address(page) + (bprm->p & ~PAGE_MASK));
		put_page(page);
		bprm->p++;
	} while (c);
	bprm->argc--;
	return 0;
}

/* ---- the final place ---- */

static unsigned long stack_flags(struct mm_struct *mm, int executable_stack)
{
	unsigned long flags = VM_STACK_FLAGS;

	if (executable_stack == EXSTACK_ENABLE_X)
		flags |= VM_EXEC;
	else if (executable_stack == EXSTACK_DISABLE_X)
		flags &= ~VM_EXEC;
	return flags | mm->def_flags | VM_STACK_INCOMPLETE_SETUP;
}

/* A first piece of stack, so that not every page of it costs a fault that grows the area. */
static int expand_first(struct linux_binprm *bprm, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start, limit = bprm->rlim_stack.rlim_cur & PAGE_MASK;

	return expand_stack(vma, vma->vm_end - max(size, min(size + STACK_EXPAND, limit)));
}

/* Moves the stack below stack_top and gives it its rights.  After begin_new_exec().  0 or -errno. */
int setup_arg_pages(struct linux_binprm *bprm, unsigned long stack_top, int executable_stack)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma = bprm->vma, *prev = NULL;
	unsigned long shift;
	int err;

	stack_top = PAGE_ALIGN(stack_top);
	shift = vma->vm_end - stack_top;
	if (stack_top < mmap_min_addr || vma->vm_end - vma->vm_start >= stack_top - mmap_min_addr)
		return -ENOMEM;
	bprm->p -= shift;
	bprm->exec -= shift;
	mm->arg_start = bprm->p;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = mprotect_fixup(vma, &prev, vma->vm_start, vma->vm_end, stack_flags(mm, executable_stack));
	if (err)
		goto out;
	if (shift) {
		err = shift_arg_pages(vma, shift);
		if (err)
			goto out;
	}
	vma->vm_flags &= ~VM_STACK_INCOMPLETE_SETUP;
	mm->start_stack = bprm->p;
	err = expand_first(bprm, vma);
	if (err)
		err = -EFAULT;
out:
	mmap_write_unlock(mm);
	return err;
}
