/*
 * task_mmu.h: what task_mmu.c, smaps.c and pagemap.c share: an open file on an address space.
 */
#ifndef PROC_TASK_MMU_H
#define PROC_TASK_MMU_H

#include <weft/mm.h>
#include <weft/seq_file.h>

/* The memory of the inode's task: the structure is held (mmdrop it), not its contents.  NULL: none.  ERR_PTR: not allowed. */
struct mm_struct *proc_mem_open(struct inode *inode);
bool proc_mm_get_locked(struct mm_struct *mm) __cond_acquires_shared(true, &mm->mmap_lock);
void proc_mm_put_locked(struct mm_struct *mm) __releases_shared(&mm->mmap_lock);

/* A list of areas: m->private is the mm. */
void *maps_start(struct seq_file *m, loff_t *pos);
void *maps_next(struct seq_file *m, void *v, loff_t *pos);
void maps_stop(struct seq_file *m, void *v);
int proc_maps_open(struct inode *inode, struct file *file, const struct seq_operations *ops);
int proc_maps_release(struct inode *inode, struct file *file);
void show_area_prefix(struct seq_file *m, unsigned long start, unsigned long end, unsigned long flags, pgoff_t pgoff,
		      dev_t dev, unsigned long ino);
void show_area(struct seq_file *m, struct vm_area_struct *vma);

/* pagemap.c: calls fn with the ptl held for each table of [start, end), pte NULL where there is none.  Stops when not 0. */
typedef int pte_walk_fn(struct vm_area_struct *vma, pte_t *pte, unsigned long addr, unsigned long end, void *arg);
int walk_area(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_walk_fn *fn, void *arg);

#endif
