/*
 * mmu_context.h: changing the address space of a processor.
 *
 * Idea:    switch_mm_irqs_off() loads the next task's page tables, unless they are loaded already.  A kernel thread has no
 *          address space: enter_lazy_tlb() only notes that the loaded one is borrowed.  The count that keeps a borrowed
 *          mm alive (mmgrab) is taken in context_switch() and given back in finish_task_switch().
 * See:     spec.md §5 "active_mm"; kernel/arch/x86/mm/tlb.c
 */
#ifndef ASM_MMU_CONTEXT_H
#define ASM_MMU_CONTEXT_H

#include <weft/mm_types.h>

struct task_struct;
struct vm_area_struct;
struct ldt_struct;

/* Interrupts off.  prev is only a hint; the truth is cpu_tlbstate.loaded_mm. */
void switch_mm_irqs_off(struct mm_struct *prev, struct mm_struct *next, struct task_struct *tsk);
void switch_mm(struct mm_struct *prev, struct mm_struct *next, struct task_struct *tsk);
void enter_lazy_tlb(struct mm_struct *mm, struct task_struct *tsk);
#define activate_mm(prev, next)	switch_mm(prev, next, NULL)
static inline void deactivate_mm(struct task_struct *tsk, struct mm_struct *mm) { }

int init_new_context(struct task_struct *tsk, struct mm_struct *mm);	/* 0 */
static inline cpumask_t *mm_cpumask(struct mm_struct *mm) { return &mm->cpu_bitmap; }

/* ldt.c: the local descriptor table of programs that call modify_ldt(2) */
int ldt_dup_context(struct mm_struct *oldmm, struct mm_struct *mm);	/* 0 or -ENOMEM, at fork */
void destroy_context_ldt(struct mm_struct *mm);				/* in __mmput: no user is left */
void switch_ldt(struct mm_struct *prev, struct mm_struct *next);	/* interrupts off */

#endif
