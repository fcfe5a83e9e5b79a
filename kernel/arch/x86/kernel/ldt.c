/*
 * ldt.c: local descriptor tables: segments that a program defines for itself (modify_ldt(2): old threads libraries, wine).
 *
 * Idea:    a table never changes once it is in use: a change makes a new one, puts it in place, makes every processor that
 *          runs the mm load it, and frees the old one.  Nearly no program has a table, so a switch costs one comparison.
 *          At mm_users 0 the table goes at once, although lazy processors may still have its address in LDTR: they are
 *          told to drop it first.
 * Locking: mmap_lock for writing to replace mm->context.ldt; switch_ldt() reads it with interrupts off on the CPU that
 *          loads the mm, and the interrupt that announces a new table comes after that.
 * See:     spec.md §5 "two counts"; seeds 002; modify_ldt(2); Intel SDM vol. 3 §3.5
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/minmax.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/desc.h>
#include <asm/ia32.h>
#include <asm/mmu_context.h>
#include <asm/tlbflush.h>
#include <uapi/ldt.h>

struct ldt_struct {
	unsigned int		nr;		/* [I] */
	struct desc_struct	entries[];	/* [I] but for "accessed" bits, which the processor sets */
};

static DEFINE_PER_CPU(struct ldt_struct *, loaded_ldt);	/* [c] interrupts off */

/* ---- this processor ---- */

/* The system descriptor of type LDT takes two slots, as its base has 64 bits. */
static void load_ldt(struct ldt_struct *ldt)
{
	struct gdt_table *gdt = this_cpu_ptr(&gdt_page);
	unsigned long base = (unsigned long)ldt->entries;
	u64 limit = (u64)ldt->nr * LDT_ENTRY_SIZE - 1;

	gdt->desc[GDT_ENTRY_LDT].raw = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x82ull << 40 |
				       (limit & 0xf0000) << 32 | ((u64)base >> 24 & 0xff) << 56;
	gdt->desc[GDT_ENTRY_LDT + 1].raw = base >> 32;
	asm volatile("lldt %w0" : : "r" (GDT_ENTRY_LDT * 8) : "memory");
	this_cpu_write(loaded_ldt, ldt);
}

static void clear_ldt(void)
{
	asm volatile("lldt %w0" : : "r" (0) : "memory");
	this_cpu_write(loaded_ldt, NULL);
}

static void load_mm_ldt(struct mm_struct *mm)
{
	struct ldt_struct *ldt = READ_ONCE(mm->context.ldt);

	if (ldt)
		load_ldt(ldt);
	else
		clear_ldt();
}

void switch_ldt(struct mm_struct *prev, struct mm_struct *next)
{
	if (unlikely(this_cpu_read(loaded_ldt) != READ_ONCE(next->context.ldt)))
		load_mm_ldt(next);
}

/*
 * DS and ES hold what the user's thread loaded, kernel mode or not, and with it a copy of the old descriptor.  (CS and SS
 * are loaded anew on the way to user mode, FS and GS when the thread is next switched to, as on Linux.)
 */
static void refresh_segments(void)
{
	unsigned short sel;

	savesegment(ds, sel);
	if (sel & SEGMENT_TI_MASK)
		loadsegment(ds, sel);
	savesegment(es, sel);
	if (sel & SEGMENT_TI_MASK)
		loadsegment(es, sel);
}

/* On each processor that has the mm loaded, borrowed or not. */
static void reload_ldt(void *info)
{
	struct mm_struct *mm = info;
	unsigned long flags;

	local_irq_save(flags);
	if (this_cpu_read(cpu_tlbstate.loaded_mm) == mm) {
		load_mm_ldt(mm);
		refresh_segments();
	}
	local_irq_restore(flags);
}

/* ---- tables of an mm ---- */

static struct ldt_struct *alloc_ldt(unsigned int nr)
{
	struct ldt_struct *ldt = kvzalloc(sizeof(*ldt) + (size_t)nr * LDT_ENTRY_SIZE, GFP_KERNEL_ACCOUNT);

	if (ldt)
		ldt->nr = nr;
	return ldt;
}

/* From here on nobody uses the old table. */
static void install_ldt(struct mm_struct *mm, struct ldt_struct *ldt)
{
	struct ldt_struct *old = mm->context.ldt;

	smp_store_release(&mm->context.ldt, ldt);
	on_each_cpu_mask(mm_cpumask(mm), reload_ldt, mm, true);
	kvfree(old);
}

int ldt_dup_context(struct mm_struct *oldmm, struct mm_struct *mm)
{
	struct ldt_struct *old, *new;
	int err = 0;

	mm->context.ldt = NULL;
	if (!READ_ONCE(oldmm->context.ldt))
		return 0;
	mmap_read_lock(oldmm);
	old = oldmm->context.ldt;
	new = old ? alloc_ldt(old->nr) : NULL;
	if (new) {
		memcpy(new->entries, old->entries, (size_t)old->nr * LDT_ENTRY_SIZE);
		mm->context.ldt = new;
	} else if (old) {
		err = -ENOMEM;
	}
	mmap_read_unlock(oldmm);
	return err;
}

void destroy_context_ldt(struct mm_struct *mm)
{
	if (mm->context.ldt)
		install_ldt(mm, NULL);
}

/* ---- modify_ldt ---- */

/* An entry that describes nothing: it clears the slot. */
bool desc_is_empty(const struct user_desc *d)
{
	return !d->base_addr && !d->limit && !d->contents && d->read_exec_only && !d->seg_32bit && !d->limit_in_pages &&
	       d->seg_not_present && !d->useable && !d->lm;
}

u64 pack_desc(const struct user_desc *d)
{
	u64 access = 0x70 | (u64)d->contents << 2 | (d->read_exec_only ? 0 : 2) | (d->seg_not_present ? 0 : 0x80);
	u64 flags = (d->useable ? 1 : 0) | (d->seg_32bit ? 4 : 0) | (d->limit_in_pages ? 8 : 0);

	access |= 1;				/* "accessed" from the start: the processor need not write */
	return (d->limit & 0xffff) | (u64)(d->base_addr & 0xffffff) << 16 | access << 40 |
	       (u64)(d->limit >> 16 & 0xf) << 48 | flags << 52 | (u64)(d->base_addr >> 24) << 56;
}

static long read_ldt(void __user *ptr, unsigned long bytes)
{
	struct mm_struct *mm = current->mm;
	unsigned long size = 0;
	long ret = 0;

	bytes = min(bytes, (unsigned long)LDT_ENTRIES * LDT_ENTRY_SIZE);
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	if (mm->context.ldt) {
		void *copy;

		size = min(bytes, (unsigned long)mm->context.ldt->nr * LDT_ENTRY_SIZE);
		copy = kvmalloc(size, GFP_KERNEL);
		if (copy)
			memcpy(copy, mm->context.ldt->entries, size);
		mmap_read_unlock(mm);		/* the copy to user memory may need the lock itself */
		if (!copy)
			return -ENOMEM;
		if (copy_to_user(ptr, copy, size))
			ret = -EFAULT;
		kvfree(copy);
	} else {
		mmap_read_unlock(mm);
		return 0;
	}
	if (!ret && size < bytes && clear_user(ptr + size, bytes - size))
		ret = -EFAULT;
	return ret ? ret : (long)bytes;
}

/* The default table, of which nothing is left but zeroes. */
static long read_default_ldt(void __user *ptr, unsigned long bytes)
{
	bytes = min(bytes, 128ul);
	return clear_user(ptr, bytes) ? -EFAULT : (long)bytes;
}

static int check_desc(const struct user_desc *d, bool oldmode)
{
	if (d->entry_number >= LDT_ENTRIES)
		return -EINVAL;
	if (d->contents == 3 && (oldmode || !d->seg_not_present))
		return -EINVAL;			/* conforming code */
	return 0;
}

static long write_ldt(void __user *ptr, unsigned long bytes, bool oldmode)
{
	struct mm_struct *mm = current->mm;
	struct ldt_struct *old, *new;
	struct user_desc d;
	unsigned int old_nr;
	u64 raw = 0;
	int err;

	if (bytes != sizeof(d))
		return -EINVAL;
	if (copy_from_user(&d, ptr, sizeof(d)))
		return -EFAULT;
	err = check_desc(&d, oldmode);
	if (err)
		return err;
	if (!(oldmode && !d.base_addr && !d.limit) && !desc_is_empty(&d)) {
		d.useable = oldmode ? 0 : d.useable;
		raw = pack_desc(&d);
	}
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	old = mm->context.ldt;
	old_nr = old ? old->nr : 0;
	new = alloc_ldt(max(old_nr, d.entry_number + 1));
	if (new) {
		if (old)
			memcpy(new->entries, old->entries, (size_t)old_nr * LDT_ENTRY_SIZE);
		new->entries[d.entry_number].raw = raw;
		install_ldt(mm, new);
	} else {
		err = -ENOMEM;
	}
	mmap_write_unlock(mm);
	return err;
}

/* The result is 32 bits wide, as it always was: an error is not sign-extended for the caller. */
long sys_modify_ldt(int func, void __user *ptr, unsigned long bytecount)
{
	long ret = -ENOSYS;

	switch (func) {
	case 0:
		ret = read_ldt(ptr, bytecount);
		break;
	case 1:
		ret = write_ldt(ptr, bytecount, true);
		break;
	case 2:
		ret = read_default_ldt(ptr, bytecount);
		break;
	case 0x11:
		ret = write_ldt(ptr, bytecount, false);
		break;
	}
	return (unsigned int)ret;
}
