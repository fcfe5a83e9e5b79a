/*
 * tlb.c: changing the address space of a processor, and making processors forget translations.
 *
 * Idea:    three facts are kept apart: which mm the running task has (current->mm), which one its processor has borrowed or
 *          not (active_mm), and whose page tables CR3 points to (cpu_tlbstate.loaded_mm, the truth).  A switch to a kernel
 *          thread and back to the same program does not touch CR3 at all.
 *          Each mm has a generation (context.tlb_gen) that every change raises; each processor notes for each of its six
 *          ASIDs (tags of TLB entries, "PCID") which mm it holds and up to which generation it is clean.  So coming back to
 *          an mm needs no flush if nothing changed meanwhile, and two shoot-downs that arrive together need one flush.
 * Locking: cpu_tlbstate belongs to its CPU, interrupts off.  The order of two writes and two reads does the rest:
 *
 *              CPU 0: changes an entry                 CPU 1: switches to the same mm
 *              entry cleared                           sets its bit in mm_cpumask   (locked: full barrier)
 *              tlb_gen + 1       (locked: full barrier)
 *              reads mm_cpumask: IPI if CPU 1 is in    reads tlb_gen: flush if its ASID is older
 *          Either CPU 0 sees the bit, or CPU 1 sees the new generation, or both: then the second one has nothing to do.
 *
 *              CPU 0: changes an entry                 CPU 1: lazy, goes back to the same mm
 *              tlb_gen + 1                             is_lazy = false
 *              CPU 1 is lazy: no IPI                   full barrier; reads tlb_gen: older: flush
 *          A lazy processor is interrupted only when page tables themselves are freed: it could walk them speculatively.
 * See:     spec.md §5 "active_mm"; doc/address-spaces.md; Intel SDM vol. 3 §4.10
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/trace.h>
#include <asm/mmu_context.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

#define CR3_NOFLUSH	(1UL << 63)		/* with PCID: keep this tag's entries */

DEFINE_PER_CPU(struct tlb_state, cpu_tlbstate) = { .loaded_mm = &init_mm, .next_asid = 1 };
DEFINE_PER_CPU(bool, cpu_tlb_is_lazy);

static bool pcid_enabled;			/* [I] */
static atomic64_t last_mm_ctx_id = ATOMIC64_INIT(1);	/* 1 is init_mm's */

int init_new_context(struct task_struct *tsk, struct mm_struct *mm)
{
	mm->context.ctx_id = atomic64_inc_return(&last_mm_ctx_id);
	atomic64_set(&mm->context.tlb_gen, 1);
	return 0;
}

/* ---- CR3 ---- */

/* Tag 0 is what CR3 has before anybody thinks of tags. */
static unsigned long build_cr3(pgd_t *pgd, u16 asid)
{
	return __pa(pgd) | (pcid_enabled ? asid + 1UL : 0);
}

static void load_new_mm_cr3(struct mm_struct *mm, u16 asid, bool flush)
{
	unsigned long cr3 = build_cr3(mm->pgd, asid);

	this_cpu_inc(cpu_tlbstate.cr3_loads);
	if (pcid_enabled && !flush)
		this_cpu_inc(cpu_tlbstate.cr3_kept);
	trace_cr3_load((unsigned long)mm, asid, flush);
	write_cr3(pcid_enabled && !flush ? cr3 | CR3_NOFLUSH : cr3);
}

/* This processor, this ASID.  Entries of the kernel are global and stay. */
void flush_tlb_local(void)
{
	this_cpu_inc(cpu_tlbstate.flush_local);
	write_cr3(read_cr3());
}

static __always_inline void invlpg(unsigned long addr)
{
	asm volatile("invlpg (%0)" : : "r" (addr) : "memory");
}

/* Toggling "global pages" is what throws everything away, all tags and global entries included. */
void __flush_tlb_all(void)
{
	unsigned long flags, cr4;

	local_irq_save(flags);
	cr4 = read_cr4();
	if (cr4 & X86_CR4_PGE) {
		write_cr4(cr4 & ~X86_CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
	local_irq_restore(flags);
}

/* PCIDE may only be set while CR3's tag is 0, which the boot tables' is. */
void cpu_init_pcid(void)
{
	if (!boot_cpu_has(X86_FEATURE_PCID) || !boot_cpu_has(X86_FEATURE_PGE))
		return;
	write_cr4(read_cr4() | X86_CR4_PCIDE);
	pcid_enabled = true;
}

void initialize_tlbstate_and_flush(void)
{
	struct tlb_state *state = this_cpu_ptr(&cpu_tlbstate);

	state->loaded_mm = &init_mm;
	state->loaded_mm_asid = 0;
	state->next_asid = 1;
	memset(state->ctxs, 0, sizeof(state->ctxs));
	state->ctxs[0].ctx_id = init_mm.context.ctx_id;
	state->ctxs[0].tlb_gen = atomic64_read(&init_mm.context.tlb_gen);
	write_cr3(build_cr3(init_mm.pgd, 0));
	__flush_tlb_all();
}

/* ---- switching ---- */

/* The tag that still has entries of this mm, or the next one in turn, whose entries must go. */
static u16 choose_new_asid(struct tlb_state *state, struct mm_struct *next, u64 next_tlb_gen, bool *need_flush)
{
	u16 asid;

	*need_flush = true;
	if (!pcid_enabled)
		return 0;
	for (asid = 0; asid < TLB_NR_DYN_ASIDS; asid++) {
		if (state->ctxs[asid].ctx_id != next->context.ctx_id)
			continue;
		*need_flush = state->ctxs[asid].tlb_gen < next_tlb_gen;
		return asid;
	}
	asid = state->next_asid;
	if (asid >= TLB_NR_DYN_ASIDS)
		asid = 0;
	state->next_asid = asid + 1;
	return asid;
}

/* loaded_mm is next already.  The only question: did a shoot-down leave us out because we were lazy? */
static void resume_loaded_mm(struct tlb_state *state, struct mm_struct *next, bool was_lazy)
{
	struct tlb_context *ctx = &state->ctxs[state->loaded_mm_asid];
	u64 gen;

	if (was_lazy && next != &init_mm) {
		smp_mb();			/* is_lazy = false before the generation is read, see the head */
		gen = atomic64_read(&next->context.tlb_gen);
		if (ctx->tlb_gen != gen) {
			ctx->tlb_gen = gen;
			load_new_mm_cr3(next, state->loaded_mm_asid, true);
			return;
		}
	}
	state->cr3_avoided++;
	trace_cr3_avoided((unsigned long)next, was_lazy);
}

void switch_mm_irqs_off(struct mm_struct *prev, struct mm_struct *next, struct task_struct *tsk)
{
	struct tlb_state *state = this_cpu_ptr(&cpu_tlbstate);
	struct mm_struct *loaded = state->loaded_mm;
	bool was_lazy = this_cpu_read(cpu_tlb_is_lazy), need_flush;
	int cpu = smp_processor_id();
	u64 next_tlb_gen;
	u16 asid;

	if (was_lazy)
		this_cpu_write(cpu_tlb_is_lazy, false);
	if (loaded == next) {
		resume_loaded_mm(state, next, was_lazy);
		return;
	}
	/* From here on nobody needs to interrupt us for the old mm: its tag is checked when we come back. */
	if (loaded != &init_mm)
		cpumask_clear_cpu(cpu, mm_cpumask(loaded));
	if (next != &init_mm)
		cpumask_set_cpu(cpu, mm_cpumask(next));
	next_tlb_gen = atomic64_read(&next->context.tlb_gen);
	asid = choose_new_asid(state, next, next_tlb_gen, &need_flush);
	if (need_flush) {
		state->ctxs[asid].ctx_id = next->context.ctx_id;
		state->ctxs[asid].tlb_gen = next_tlb_gen;
	}
	load_new_mm_cr3(next, asid, need_flush);
	state->loaded_mm = next;
	state->loaded_mm_asid = asid;
	switch_ldt(loaded, next);
}

void switch_mm(struct mm_struct *prev, struct mm_struct *next, struct task_struct *tsk)
{
	unsigned long flags;

	local_irq_save(flags);
	switch_mm_irqs_off(prev, next, tsk);
	local_irq_restore(flags);
}

/* A kernel thread runs next: the loaded page tables stay, borrowed.  Interrupts off. */
void enter_lazy_tlb(struct mm_struct *mm, struct task_struct *tsk)
{
	if (this_cpu_read(cpu_tlbstate.loaded_mm) == &init_mm)
		return;
	this_cpu_write(cpu_tlb_is_lazy, true);
	trace_enter_lazy_tlb((unsigned long)mm);
}

/* ---- shoot-down of one mm ---- */

/*
 * One step of one generation can be done page by page.  If this processor is more than one generation behind, other
 * ranges are stale as well; everything goes, and the later messages find nothing left to do.
 */
static bool can_flush_pages(const struct flush_tlb_info *f, u64 local_gen, u64 mm_gen)
{
	return f->end != TLB_FLUSH_ALL && f->new_tlb_gen == local_gen + 1 && f->new_tlb_gen == mm_gen;
}

/* On each processor concerned, interrupts off. */
static void flush_tlb_func(void *info)
{
	const struct flush_tlb_info *f = info;
	struct tlb_state *state = this_cpu_ptr(&cpu_tlbstate);
	struct tlb_context *ctx = &state->ctxs[state->loaded_mm_asid];
	u64 mm_gen;

	if (state->loaded_mm != f->mm)
		return;				/* switched away while the message was under way */
	if (this_cpu_read(cpu_tlb_is_lazy)) {
		switch_mm_irqs_off(NULL, &init_mm, NULL);
		return;
	}
	mm_gen = atomic64_read(&f->mm->context.tlb_gen);
	if (ctx->tlb_gen == mm_gen)
		return;
	if (can_flush_pages(f, ctx->tlb_gen, mm_gen)) {
		for (unsigned long addr = f->start; addr < f->end; addr += 1UL << f->stride_shift)
			invlpg(addr);
		state->flush_local++;
	} else {
		flush_tlb_local();
	}
	ctx->tlb_gen = mm_gen;
}

static void flush_tlb_ipi(void *info)
{
	this_cpu_inc(cpu_tlbstate.flush_ipi_received);
	flush_tlb_func(info);
}

static void flush_tlb_others(struct flush_tlb_info *info, int self)
{
	cpumask_t targets = CPU_MASK_NONE;
	int cpu;

	for_each_cpu(cpu, mm_cpumask(info->mm)) {
		if (cpu == self)
			continue;
		if (info->freed_tables || !READ_ONCE(per_cpu(cpu_tlb_is_lazy, cpu)))
			__cpumask_set_cpu(cpu, &targets);
		else
			this_cpu_inc(cpu_tlbstate.flush_lazy_skipped);
	}
	trace_tlb_flush((unsigned long)info->mm, info->start, info->end, info->new_tlb_gen, targets.bits[0]);
	if (cpumask_empty(&targets))
		return;
	this_cpu_add(cpu_tlbstate.flush_ipi_sent, cpumask_weight(&targets));
	smp_call_function_many(&targets, flush_tlb_ipi, info, true);
}

void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int stride_shift,
			bool freed_tables)
{
	struct flush_tlb_info info = {
		.mm = mm, .start = start, .end = end, .stride_shift = stride_shift, .freed_tables = freed_tables,
	};
	unsigned long flags;
	int cpu = get_cpu();

	if (end == TLB_FLUSH_ALL || (end - start) >> stride_shift > TLB_FLUSH_CEILING) {
		info.start = 0;
		info.end = TLB_FLUSH_ALL;
	}
	info.new_tlb_gen = atomic64_inc_return(&mm->context.tlb_gen);	/* after the entries, before mm_cpumask */
	if (this_cpu_read(cpu_tlbstate.loaded_mm) == mm) {
		local_irq_save(flags);
		flush_tlb_func(&info);
		local_irq_restore(flags);
	}
	if (cpumask_any_but(mm_cpumask(mm), cpu) < nr_cpu_ids)
		flush_tlb_others(&info, cpu);
	put_cpu();
}

/* ---- kernel addresses: they are the same in every address space, so every processor has them ---- */

static void do_flush_tlb_all(void *info)
{
	__flush_tlb_all();
}

void flush_tlb_all(void)
{
	on_each_cpu(do_flush_tlb_all, NULL, 1);
}

static void do_kernel_range_flush(void *info)
{
	const struct flush_tlb_info *f = info;

	for (unsigned long addr = f->start; addr < f->end; addr += PAGE_SIZE)
		invlpg(addr);
}

void flush_tlb_kernel_range(unsigned long start, unsigned long end)
{
	struct flush_tlb_info info = { .start = start & PAGE_MASK, .end = end };

	if (end == TLB_FLUSH_ALL || (end - start) >> PAGE_SHIFT > TLB_FLUSH_CEILING)
		flush_tlb_all();
	else
		on_each_cpu(do_kernel_range_flush, &info, 1);
}

/* ---- /proc/weft/tlb ---- */

static int tlb_show(struct seq_file *m, void *v)
{
	int cpu;

	seq_printf(m, "pcid %d\n"
		      "cpu cr3_loads cr3_avoided flush_local ipi_sent ipi_received lazy_skipped lazy loaded_mm cr3_kept\n",
		   pcid_enabled);
	for_each_online_cpu(cpu) {
		const struct tlb_state *s = &per_cpu(cpu_tlbstate, cpu);

		seq_printf(m, "%d %llu %llu %llu %llu %llu %llu %d %s %llu\n", cpu,
			   s->cr3_loads, s->cr3_avoided, s->flush_local, s->flush_ipi_sent, s->flush_ipi_received,
			   s->flush_lazy_skipped, per_cpu(cpu_tlb_is_lazy, cpu),
			   s->loaded_mm == &init_mm ? "init_mm" : "user", s->cr3_kept);
	}
	return 0;
}

static int __init tlb_proc_init(void)
{
	return proc_create_single("weft/tlb", 0444, NULL, tlb_show) ? 0 : -ENOMEM;
}
fs_initcall(tlb_proc_init);
