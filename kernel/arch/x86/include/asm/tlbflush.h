/*
 * tlbflush.h: what each processor knows about the translations it may hold, and how to make it forget some.
 *
 * Idea:    every change that a TLB must see raises mm->context.tlb_gen.  A processor remembers, for each of its address
 *          space identifiers (ASIDs), up to which generation of which mm it is clean.  A processor that is lazy (its
 *          loaded mm is only borrowed by a kernel thread) is not interrupted; it compares generations when it goes back to
 *          that mm.
 * Locking: cpu_tlbstate is [c] with interrupts off, but for is_lazy, which others read.
 * See:     spec.md §5 "active_mm"; kernel/arch/x86/mm/tlb.c; Intel SDM vol. 3 §4.10
 */
#ifndef ASM_TLBFLUSH_H
#define ASM_TLBFLUSH_H

#include <weft/types.h>
#include <weft/percpu.h>
#include <weft/mm_types.h>

#define TLB_NR_DYN_ASIDS	6
#define TLB_FLUSH_ALL		(~0UL)
/* More single pages than this are not worth their INVLPGs: the whole ASID goes. */
#define TLB_FLUSH_CEILING	33

struct tlb_context {
	u64	ctx_id;				/* mm->context.ctx_id; 0: nothing */
	u64	tlb_gen;			/* clean up to this generation */
};

struct tlb_state {
	struct mm_struct	*loaded_mm;	/* whose page tables are in CR3 */
	u16			loaded_mm_asid;
	u16			next_asid;	/* the one to take when none fits */
	struct tlb_context	ctxs[TLB_NR_DYN_ASIDS];

	/* statistics: /proc/weft/tlb */
	u64			cr3_loads;	/* CR3 written */
	u64			cr3_kept;	/* ... with the entries of the new tag kept (PCID) */
	u64			cr3_avoided;	/* switches that could go on with the loaded page tables */
	u64			flush_local, flush_ipi_sent, flush_ipi_received, flush_lazy_skipped;
};
DECLARE_PER_CPU(struct tlb_state, cpu_tlbstate);
DECLARE_PER_CPU(bool, cpu_tlb_is_lazy);		/* written by its own CPU, read by those who shoot */

struct flush_tlb_info {
	struct mm_struct	*mm;		/* NULL: kernel addresses */
	unsigned long		start, end;
	u64			new_tlb_gen;
	u8			stride_shift;
	bool			freed_tables;	/* page-table pages go too: lazy processors must let go as well */
};

void initialize_tlbstate_and_flush(void);	/* once on each processor, after its CR3 and CR4 are final */
void cpu_init_pcid(void);			/* turns PCID on where the processor has it, before the above */

/* Preemption may be on; returns when no processor that runs in user mode on mm can hold a stale entry. */
void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int stride_shift,
			bool freed_tables);
void flush_tlb_kernel_range(unsigned long start, unsigned long end);	/* interrupts on */
void flush_tlb_all(void);
void __flush_tlb_all(void);			/* this processor, global entries too */
void flush_tlb_local(void);			/* this processor, this ASID, but global entries */

#define flush_tlb_mm(mm)	flush_tlb_mm_range(mm, 0, TLB_FLUSH_ALL, PAGE_SHIFT, true)
#define flush_tlb_range(vma, start, end)	flush_tlb_mm_range((vma)->vm_mm, start, end, PAGE_SHIFT, false)
static inline void flush_tlb_page(struct vm_area_struct *vma, unsigned long a)
{
	flush_tlb_mm_range(vma->vm_mm, a, a + PAGE_SIZE, PAGE_SHIFT, false);
}

#endif
