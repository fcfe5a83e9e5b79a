/*
 * vdso.c: every program's two small areas [vvar] and [vdso]: data and code to tell the time without a system call.
 *
 * Idea:    both are pages of the kernel image, mapped read-only; the data pages come first, at a place that the code knows
 *          relative to itself: twice the clocks, or the offsets of the task's time namespace and then the clocks.  The
 *          auxiliary vector's AT_SYSINFO_EHDR names the code's ELF header.
 * Locking: the page lists are [I]; vdso_data is written by kernel/time/vsyscall.c only.
 * See:     kernel/arch/x86/vdso/; include/weft/vdso_data.h
 */
#include <weft/time_namespace.h>
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

#define VVAR_PAGES	2

static struct page *clocks_page;
static struct page *vdso_pages[MAX_VDSO_PAGES + 1];	/* NULL-terminated */

static int vdso_mremap(const struct vm_special_mapping *sm, struct vm_area_struct *new_vma)
{
	current->mm->context.vdso = new_vma->vm_start;
	return 0;
}

/* The first page is that of the task's time namespace, if it is in one; the second that of the clocks in any case. */
static vm_fault_t vvar_fault(const struct vm_special_mapping *sm, struct vm_area_struct *vma, struct vm_fault *vmf)
{
	struct page *page = clocks_page;

	if (unlikely(vma->vm_mm != current->mm) || vmf->pgoff >= VVAR_PAGES)
		return VM_FAULT_SIGBUS;		/* which page is for its own task to say */
	if (!vmf->pgoff && unlikely(current_time_ns()->vvar))
		page = current_time_ns()->vvar;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_special_mapping vvar_mapping = { .name = "[vvar]", .fault = vvar_fault };
static const struct vm_special_mapping vdso_mapping = { .name = "[vdso]", .pages = vdso_pages, .mremap = vdso_mremap };

static struct page *image_page(const void *addr)
{
	return pfn_to_page(__pa_symbol(addr) >> PAGE_SHIFT);
}

static int __init init_vdso(void)
{
	size_t n = DIV_ROUND_UP((size_t)(vdso_image_end - vdso_image_start), PAGE_SIZE);

	BUG_ON(n > MAX_VDSO_PAGES);
	clocks_page = image_page(&vdso_data_store);
	for (size_t i = 0; i < n; i++)
		vdso_pages[i] = image_page(vdso_image_start + i * PAGE_SIZE);
	return 0;
}
core_initcall(init_vdso);

void vdso_fill_time_ns(struct page *page, const struct timespec64 *monotonic, const struct timespec64 *boottime)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME };
	struct vdso_data *vd = page_address(page);
	const struct timespec64 *offset;

	vd->offsets = 1;
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		offset = clocks[i] == CLOCK_BOOTTIME ? boottime : monotonic;
		vd->clocks[clocks[i]].sec = (u64)offset->tv_sec;
		vd->clocks[clocks[i]].nsec = (u64)offset->tv_nsec;
	}
}

void vdso_time_ns_changed(struct mm_struct *mm)
{
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	for_each_vma_of(mm, vma)
		if (vma->vm_private_data == &vvar_mapping)
			zap_page_range(vma, vma->vm_start, vma->vm_end - vma->vm_start);
	mmap_read_unlock(mm);
}

/* A random place between the stack and the end of its last-level table, where nothing else is put. */
static unsigned long vdso_address_hint(unsigned long start)
{
	unsigned long end = min(ALIGN(start, PMD_SIZE) + PMD_SIZE,
				TASK_SIZE_MAX - (MAX_VDSO_PAGES + VVAR_PAGES) * PAGE_SIZE);

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
	addr = get_unmapped_area(NULL, vdso_address_hint(mm->start_stack), VVAR_PAGES * PAGE_SIZE + len, 0, 0);
	if (IS_ERR_VALUE(addr)) {
		err = (int)addr;
		goto out;
	}
	vma = _install_special_mapping(mm, addr, VVAR_PAGES * PAGE_SIZE, VM_READ | VM_MAYREAD | VM_DONTDUMP, &vvar_mapping);
	if (!IS_ERR(vma))
		vma = _install_special_mapping(mm, addr + VVAR_PAGES * PAGE_SIZE, len,
					       VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, &vdso_mapping);
	if (IS_ERR(vma)) {
		do_munmap(mm, addr, VVAR_PAGES * PAGE_SIZE);
		err = (int)PTR_ERR(vma);
		goto out;
	}
	mm->context.vdso = addr + VVAR_PAGES * PAGE_SIZE;
out:
	mmap_write_unlock(mm);
	return err;
}
