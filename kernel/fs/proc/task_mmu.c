/*
 * task_mmu.c: what /proc/PID says about memory: statm, mm, maps.  smaps.c goes into the pages, pagemap.c into the entries.
 *
 * Idea:    a list of areas is read over several calls, during which areas come and go.  The file position is the address
 *          behind the last area that was shown, so a reader sees each area at most once and in order, whatever happens.
 * Counts:  an open file holds the structure (mmgrab, as [004] tells), not the memory: a process can end while its maps are
 *          open.  Each read takes a user (mmget_not_zero) and mmap_lock for as long as it shows records.
 * See:     spec.md §5 "maps and smaps exact"; man 5 proc
 */
#include <weft/kernel.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include "internal.h"
#include "task_mmu.h"

int proc_pid_statm(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	unsigned long shared, text;

	if (!mm) {
		seq_puts(m, "0 0 0 0 0 0 0\n");
		return 0;
	}
	shared = get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_SHMEMPAGES);
	text = (PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) >> PAGE_SHIFT;
	seq_printf(m, "%lu %lu %lu %lu 0 %lu 0\n", mm->total_vm, shared + get_mm_counter(mm, MM_ANONPAGES), shared, text,
		   mm->data_vm + mm->stack_vm);
	mmput(mm);
	return 0;
}

/* Where its page tables are (for who may see physical addresses), which CPUs may have them loaded, and which borrow them. */
static void show_mm_cpus(struct seq_file *m, const struct mm_struct *mm)
{
	cpumask_t borrowers = CPU_MASK_NONE;
	int cpu;

	if (capable(CAP_SYS_ADMIN))
		seq_printf(m, "pgd: %#llx (%px)\n", (unsigned long long)__pa(mm->pgd), mm->pgd);
	for_each_online_cpu(cpu)
		if (sched_cpu_borrows_mm(cpu, mm))
			cpumask_set_cpu(cpu, &borrowers);
	seq_printf(m, "cpus: %*pbl\nactive_mm: %*pbl%s\n", nr_cpu_ids, cpumask_bits(&mm->cpu_bitmap), nr_cpu_ids,
		   cpumask_bits(&borrowers), cpumask_empty(&borrowers) ? "none" : "");
}

/* The structure itself, for lessons: its two counts (without the user that we are just now) and its layout. */
int proc_pid_mm(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	struct mm_struct *mm = mm_access(task, PTRACE_MODE_READ_FSCREDS);

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (!mm) {
		struct mm_struct *active = READ_ONCE(task->active_mm);	/* only compared */

		seq_printf(m, "mm: none\nactive_mm: %s\n", !active ? "none" : active == &init_mm ? "init_mm" : "borrowed");
		return 0;
	}
	seq_printf(m, "mm_users: %u\nmm_count: %u\n", refcount_read(&mm->mm_users) - 1, refcount_read(&mm->mm_count));
	seq_printf(m, "map_count: %d\npgtables_kb: %lu\n", mm->map_count, mm_pgtables_bytes(mm) >> 10);
	show_mm_cpus(m, mm);
	seq_printf(m, "tlb_gen: %lld\n", (long long)atomic64_read(&mm->context.tlb_gen));
	seq_printf(m, "code: %08lx-%08lx\ndata: %08lx-%08lx\nheap: %08lx-%08lx\n", mm->start_code, mm->end_code,
		   mm->start_data, mm->end_data, mm->start_brk, mm->brk);
	seq_printf(m, "mmap_base: %08lx\nstack: %08lx\narg: %08lx-%08lx\nenv: %08lx-%08lx\n", mm->mmap_base, mm->start_stack,
		   mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
	mmput(mm);
	return 0;
}

/* ---- an open list of areas ---- */

struct mm_struct *proc_mem_open(struct inode *inode)
{
	struct task_struct *task = get_proc_task(inode);
	struct mm_struct *mm;

	if (!task)
		return ERR_PTR(-ESRCH);
	mm = mm_access(task, PTRACE_MODE_READ_FSCREDS);
	put_task_struct(task);
	if (!IS_ERR_OR_NULL(mm)) {
		mmgrab(mm);
		mmput(mm);
	}
	return mm;
}

/* A user and mmap_lock for reading.  False: no memory is left, or the reader is being killed. */
bool proc_mm_get_locked(struct mm_struct *mm) __no_context_analysis	/* conditional */
{
	if (!mm || !mmget_not_zero(mm))
		return false;
	if (mmap_read_lock_killable(mm)) {
		mmput(mm);
		return false;
	}
	return true;
}

void proc_mm_put_locked(struct mm_struct *mm)
{
	mmap_read_unlock(mm);
	mmput(mm);
}

#define POS_END		(-1l)

void *maps_start(struct seq_file *m, loff_t *pos) __no_context_analysis	/* NULL: not locked */
{
	struct mm_struct *mm = m->private;
	struct vm_area_struct *vma;

	if (*pos == POS_END || !proc_mm_get_locked(mm))
		return NULL;
	vma = find_vma(mm, *pos);
	if (vma)
		return vma;
	*pos = POS_END;
	proc_mm_put_locked(mm);
	return NULL;
}

/* stop() is called with what this returns: at the end the lock must be dropped here, since NULL does not say whose. */
void *maps_next(struct seq_file *m, void *v, loff_t *pos) __no_context_analysis	/* as above */
{
	struct vm_area_struct *vma = v, *next = vma_next(vma);

	if (next) {
		*pos = next->vm_start;
		return next;
	}
	*pos = POS_END;
	proc_mm_put_locked(vma->vm_mm);
	return NULL;
}

void maps_stop(struct seq_file *m, void *v) __no_context_analysis	/* as above */
{
	if (v && !IS_ERR(v))
		proc_mm_put_locked(m->private);
}

int proc_maps_open(struct inode *inode, struct file *file, const struct seq_operations *ops)
{
	struct mm_struct *mm = proc_mem_open(inode);
	int err;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	err = seq_open(file, ops);
	if (err) {
		if (mm)
			mmdrop(mm);
		return err;
	}
	((struct seq_file *)file->private_data)->private = mm;
	return 0;
}

int proc_maps_release(struct inode *inode, struct file *file)
{
	struct mm_struct *mm = ((struct seq_file *)file->private_data)->private;

	if (mm)
		mmdrop(mm);
	return seq_release(inode, file);
}

/* ---- one line ---- */

static const char *anonymous_name(const struct vm_area_struct *vma)
{
	const struct mm_struct *mm = vma->vm_mm;

	if (vma->vm_start <= mm->brk && vma->vm_end >= mm->start_brk)
		return "[heap]";
	if (vma->vm_start <= mm->start_stack && vma->vm_end >= mm->start_stack)
		return "[stack]";
	return NULL;
}

/* Up to the column where the name begins. */
void show_area_prefix(struct seq_file *m, unsigned long start, unsigned long end, unsigned long flags, pgoff_t pgoff,
		      dev_t dev, unsigned long ino)
{
	seq_setwidth(m, 72);
	seq_printf(m, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %lu ", start, end, flags & VM_READ ? 'r' : '-',
		   flags & VM_WRITE ? 'w' : '-', flags & VM_EXEC ? 'x' : '-', flags & VM_MAYSHARE ? 's' : 'p',
		   (unsigned long long)pgoff << PAGE_SHIFT, MAJOR(dev), MINOR(dev), ino);
}

void show_area(struct seq_file *m, struct vm_area_struct *vma)
{
	struct inode *inode = vma->vm_file ? file_inode(vma->vm_file) : NULL;
	const char *name = NULL;

	show_area_prefix(m, vma->vm_start, vma->vm_end, vma->vm_flags, inode ? vma->vm_pgoff : 0,
			 inode ? inode->i_sb->s_dev : 0, inode ? inode->i_ino : 0);
	if (inode) {
		seq_pad(m, ' ');
		seq_file_path(m, vma->vm_file, "\n");
	} else {
		if (vma->vm_ops && vma->vm_ops->name)
			name = vma->vm_ops->name(vma);
		if (!name)
			name = anonymous_name(vma);
		if (name) {
			seq_pad(m, ' ');
			seq_puts(m, name);
		}
	}
	seq_putc(m, '\n');
}

static int maps_show(struct seq_file *m, void *v)
{
	show_area(m, v);
	return 0;
}

static const struct seq_operations maps_op = {
	.start = maps_start, .next = maps_next, .stop = maps_stop, .show = maps_show,
};

static int maps_open(struct inode *inode, struct file *file)
{
	return proc_maps_open(inode, file, &maps_op);
}

const struct file_operations proc_pid_maps_operations = {
	.open = maps_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = proc_maps_release,
};
