/*
 * vdso.c: every program's two small areas [vvar] and [vdso]: data and code to tell the time without a system call.
 *
 * Idea:    both are pages of the kernel image, mapped read-only; the data page comes first, at a place that the code knows
 *          relative to itself.  The auxiliary vector's AT_SYSINFO_EHDR names the code's ELF header.
 * Locking: the page lists are [I]; vdso_data is written by kernel/time/vsyscall.c only.
 * See:     kernel/arch/x86/vdso/; include/weft/vdso_data.h
 */
#include <weft/binfmts.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/mman.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/vdso_data.h>
#include <asm/vdso.h>

#define MAX_VDSO_PAGES	4

extern char vdso_image_start[], vdso_image_end[];

static union {
	struct vdso_data	data;
	u8			page[PAGE_SIZE];
} vdso_data_store __aligned(PAGE_SIZE);
struct vdso_data *vdso_data = &vdso_data_store.data;

static struct page *vvar_pages[2];			/* NULL-terminated, like the next */
static struct page *vdso_pages[MAX_VDSO_PAGES + 1];

static int vdso_mremap(const struct vm_special_mapping *sm, struct vm_area_struct *new_vma)
{
	current->mm->context.vdso = new_vma->vm_start;
	return 0;
}

static const struct vm_special_mapping vvar_mapping = { .name = "[vvar]", .pages = vvar_pages };
static const struct vm_special_mapping vdso_mapping = { .name = "[vdso]", .pages = vdso_pages, .mremap = vdso_mremap };

static struct page *image_page(const void *addr)
{
	return pfn_to_page(__pa_symbol(addr) >> PAGE_SHIFT);
}

static int __init init_vdso(void)
{
	size_t n = DIV_ROUND_UP((size_t)(vdso_image_end - vdso_image_start), PAGE_SIZE);

	BUG_ON(n > MAX_VDSO_PAGES);
	vvar_pages[0] = image_page(&vdso_data_store);
	for (size_t i = 0; i < n; i++)
		vdso_pages[i] = image_page(vdso_image_start + i * PAGE_SIZE);
	return 0;
}
core_initcall(init_vdso);

/* A random place between the stack and the end of its last-level table, where nothing else is put. */
static unsigned long vdso_address_hint(unsigned long start)
{
	unsigned long end = min(ALIGN(start, PMD_SIZE) + PMD_SIZE, TASK_SIZE_MAX - (MAX_VDSO_PAGES + 1) * PAGE_SIZE);

	start = PAGE_ALIGN(start);
	if (start >= end)
		return start;
	return start + (get_random_u32() % ((end - start) >> PAGE_SHIFT) << PAGE_SHIFT);
}

int arch_setup_additional_pages(struct linux_binprm *bprm, int uses_interp)
{
	struct mm_struct *mm = current->mm;
	unsigned long len = PAGE_ALIGN((unsigned long)(vdso_image_end - vdso_image_start)), addr;
	struct vm_area_struct *vma;
	int err = 0;

	/* 32-bit programs do without. */
	if (test_thread_flag(TIF_ADDR32))
		return 0;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	addr = get_unmapped_area(NULL, vdso_address_hint(mm->start_stack), PAGE_SIZE + len, 0, 0);
	if (IS_ERR_VALUE(addr)) {
		err = (int)addr;
		goto out;
	}
	vma = _install_special_mapping(mm, addr, PAGE_SIZE, VM_READ | VM_MAYREAD | VM_DONTDUMP, &vvar_mapping);
	if (!IS_ERR(vma))
		vma = _install_special_mapping(mm, addr + PAGE_SIZE, len,
					       VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, &vdso_mapping);
	if (IS_ERR(vma)) {
		do_munmap(mm, addr, PAGE_SIZE);
		err = (int)PTR_ERR(vma);
		goto out;
	}
	mm->context.vdso = addr + PAGE_SIZE;
out:
	mmap_write_unlock(mm);
	return err;
}
