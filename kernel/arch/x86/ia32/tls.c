/*
 * tls.c: a thread's own segments: set_thread_area(2), get_thread_area(2).
 *
 * Idea:    32-bit threads find their data through %gs, whose base comes from one of three GDT entries that every switch
 *          between tasks rewrites with the next one's (load_tls).  clone() with CLONE_SETTLS sets one for the child.
 * Locking: thread_struct is [o]; preemption off while the processor's own table is written.
 * See:     spec.md §5 "segmentation"; set_thread_area(2); asm/segment.h
 */
#include <weft/compat.h>
#include <weft/irqflags.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/desc.h>
#include <asm/ia32.h>
#include <asm/segment.h>
#include <uapi/ldt.h>

/* No code, none that is absent, nothing of 16 bits: those could be used to confuse the way back from the kernel. */
static bool desc_is_allowed(const struct user_desc *d)
{
	return d->seg_32bit && d->contents <= MODIFY_LDT_CONTENTS_STACK && !d->seg_not_present;
}

/* Base and limit may be zero with all flags clear but "read only" and "not present" too: some libraries clear so. */
static bool desc_is_clear(const struct user_desc *d)
{
	const struct user_desc zero = { .entry_number = d->entry_number };

	return desc_is_empty(d) || !memcmp(d, &zero, sizeof(zero));
}

static int find_free(const struct thread_struct *t)
{
	for (int i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		if (!t->tls_array[i].raw)
			return GDT_ENTRY_TLS_MIN + i;
	return -ESRCH;
}

/* A selector in use holds the old descriptor until it is loaded again. */
static void reload_selectors(unsigned int idx)
{
	u16 ds, es, fs, gs;

	read_user_selectors(&ds, &es, &fs, &gs);
	if (ds >> 3 == idx || es >> 3 == idx || fs >> 3 == idx || gs >> 3 == idx)
		load_user_selectors(ds, es, fs, gs);
}

int do_set_thread_area(struct task_struct *p, int idx, struct user_desc __user *u_info, bool may_allocate)
{
	struct user_desc info;

	if (copy_from_user(&info, u_info, sizeof(info)))
		return -EFAULT;
	if (!desc_is_clear(&info) && !desc_is_allowed(&info))
		return -EINVAL;
	if (idx == -1)
		idx = (int)info.entry_number;
	if (idx == -1 && may_allocate) {
		idx = find_free(&p->thread);
		if (idx < 0)
			return idx;
		if (put_user((unsigned int)idx, &u_info->entry_number))
			return -EFAULT;
	}
	if (idx < GDT_ENTRY_TLS_MIN || idx >= GDT_ENTRY_TLS_MIN + GDT_ENTRY_TLS_ENTRIES)
		return -EINVAL;
	preempt_disable();
	p->thread.tls_array[idx - GDT_ENTRY_TLS_MIN].raw = desc_is_clear(&info) ? 0 : pack_desc(&info);
	if (p == current) {
		load_tls(p->thread.tls_array, smp_processor_id());
		reload_selectors((unsigned int)idx);
	} else {	/* a child that has not run yet, or a tracee: the switch to it takes the bases from here */
		if (p->thread.fsindex >> 3 == idx)
			p->thread.fsbase = info.base_addr;
		if (p->thread.gsindex >> 3 == idx)
			p->thread.gsbase = info.base_addr;
	}
	preempt_enable();
	return 0;
}

long sys_set_thread_area(struct user_desc __user *u_info)
{
	return do_set_thread_area(current, -1, u_info, true);
}

static struct user_desc unpack_desc(u64 raw, unsigned int idx)
{
	unsigned int access = (unsigned int)(raw >> 40) & 0xff, flags = (unsigned int)(raw >> 52) & 0xf;

	return (struct user_desc){
		.entry_number = idx,
		.base_addr = desc_base(raw),
		.limit = (u32)(raw & 0xffff) | (u32)(raw >> 48 & 0xf) << 16,
		.seg_32bit = flags >> 2 & 1, .contents = access >> 2 & 3, .read_exec_only = !(access & 2),
		.limit_in_pages = flags >> 3 & 1, .seg_not_present = !(access & 0x80), .useable = flags & 1,
	};
}

struct user_desc get_thread_area_of(struct task_struct *p, unsigned int n)
{
	return unpack_desc(p->thread.tls_array[n].raw, GDT_ENTRY_TLS_MIN + n);
}

int do_get_thread_area(struct task_struct *p, int idx, struct user_desc __user *u_info)
{
	struct user_desc info;

	if (idx < GDT_ENTRY_TLS_MIN || idx >= GDT_ENTRY_TLS_MIN + GDT_ENTRY_TLS_ENTRIES)
		return -EINVAL;
	info = get_thread_area_of(p, (unsigned int)idx - GDT_ENTRY_TLS_MIN);
	return copy_to_user(u_info, &info, sizeof(info)) ? -EFAULT : 0;
}

long sys_get_thread_area(struct user_desc __user *u_info)
{
	int idx;

	if (get_user(idx, (int __user *)&u_info->entry_number))
		return -EFAULT;
	return do_get_thread_area(current, idx, u_info);
}
