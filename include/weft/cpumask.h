/*
 * cpumask.h: sets of CPUs.  At most 64, so a set is one word and most operations are one instruction.
 *
 * The four sets of the system: possible (has a per-CPU area) includes present, which includes online (runs), which includes
 * active (the scheduler may put tasks there).  Defined in lib/cpumask.c.
 */
#ifndef WEFT_CPUMASK_H
#define WEFT_CPUMASK_H

#include <weft/types.h>
#include <weft/bitops.h>
#include <weft/bitmap.h>

#define NR_CPUS			64

typedef struct cpumask { unsigned long bits[1]; } cpumask_t;
typedef struct cpumask cpumask_var_t[1];

extern unsigned int nr_cpu_ids;			/* [I] the highest possible CPU + 1 */
extern struct cpumask __cpu_possible_mask, __cpu_present_mask, __cpu_online_mask, __cpu_active_mask;
extern const struct cpumask __cpu_all_bits;
#define cpu_possible_mask	((const struct cpumask *)&__cpu_possible_mask)
#define cpu_present_mask	((const struct cpumask *)&__cpu_present_mask)
#define cpu_online_mask		((const struct cpumask *)&__cpu_online_mask)
#define cpu_active_mask		((const struct cpumask *)&__cpu_active_mask)
#define cpu_all_mask		(&__cpu_all_bits)
#define nr_cpumask_bits		nr_cpu_ids
#define cpumask_bits(m)		((m)->bits)
#define CPU_MASK_ALL		((cpumask_t){ { ~0UL } })
#define CPU_MASK_NONE		((cpumask_t){ { 0 } })

extern const struct cpumask cpu_bit_masks[NR_CPUS];	/* each with one CPU */
#define cpumask_of(cpu)		(&cpu_bit_masks[cpu])
void boot_cpu_init(void);

static inline void cpumask_set_cpu(unsigned int cpu, struct cpumask *m) { set_bit(cpu, m->bits); }
static inline void cpumask_clear_cpu(unsigned int cpu, struct cpumask *m) { clear_bit(cpu, m->bits); }
static inline void __cpumask_set_cpu(unsigned int cpu, struct cpumask *m) { __set_bit(cpu, m->bits); }
static inline void __cpumask_clear_cpu(unsigned int cpu, struct cpumask *m) { __clear_bit(cpu, m->bits); }
static inline bool cpumask_test_cpu(unsigned int cpu, const struct cpumask *m) { return test_bit(cpu, m->bits); }
static inline bool cpumask_test_and_set_cpu(unsigned int cpu, struct cpumask *m) { return test_and_set_bit(cpu, m->bits); }
static inline bool cpumask_test_and_clear_cpu(unsigned int cpu, struct cpumask *m) { return test_and_clear_bit(cpu, m->bits); }
static inline void cpumask_setall(struct cpumask *m) { m->bits[0] = nr_cpu_ids >= 64 ? ~0UL : (1UL << nr_cpu_ids) - 1; }
static inline void cpumask_clear(struct cpumask *m) { m->bits[0] = 0; }
static inline void cpumask_copy(struct cpumask *d, const struct cpumask *s) { d->bits[0] = s->bits[0]; }
static inline bool cpumask_and(struct cpumask *d, const struct cpumask *a, const struct cpumask *b)
{
	return (d->bits[0] = a->bits[0] & b->bits[0]) != 0;
}
static inline void cpumask_or(struct cpumask *d, const struct cpumask *a, const struct cpumask *b)
{
	d->bits[0] = a->bits[0] | b->bits[0];
}
static inline void cpumask_xor(struct cpumask *d, const struct cpumask *a, const struct cpumask *b)
{
	d->bits[0] = a->bits[0] ^ b->bits[0];
}
static inline bool cpumask_andnot(struct cpumask *d, const struct cpumask *a, const struct cpumask *b)
{
	return (d->bits[0] = a->bits[0] & ~b->bits[0]) != 0;
}
static inline bool cpumask_equal(const struct cpumask *a, const struct cpumask *b) { return a->bits[0] == b->bits[0]; }
static inline bool cpumask_intersects(const struct cpumask *a, const struct cpumask *b)
{
	return (a->bits[0] & b->bits[0]) != 0;
}
static inline bool cpumask_subset(const struct cpumask *a, const struct cpumask *b) { return !(a->bits[0] & ~b->bits[0]); }
static inline bool cpumask_empty(const struct cpumask *m) { return !READ_ONCE(m->bits[0]); }
static inline bool cpumask_full(const struct cpumask *m)
{
	return m->bits[0] == (nr_cpu_ids >= 64 ? ~0UL : (1UL << nr_cpu_ids) - 1);
}
static inline unsigned int cpumask_weight(const struct cpumask *m) { return hweight64(READ_ONCE(m->bits[0])); }

/* The next member after n (start with -1), or NR_CPUS, which is >= nr_cpu_ids. */
static inline unsigned int cpumask_next(int n, const struct cpumask *m)
{
	unsigned long w = n >= NR_CPUS - 1 ? 0 : READ_ONCE(m->bits[0]) & (~0UL << (n + 1));

	return w ? __ffs(w) : NR_CPUS;
}
static inline unsigned int cpumask_next_and(int n, const struct cpumask *a, const struct cpumask *b)
{
	unsigned long w = n >= NR_CPUS - 1 ? 0 : READ_ONCE(a->bits[0]) & READ_ONCE(b->bits[0]) & (~0UL << (n + 1));

	return w ? __ffs(w) : NR_CPUS;
}
static inline unsigned int cpumask_first(const struct cpumask *m) { return cpumask_next(-1, m); }
static inline unsigned int cpumask_first_and(const struct cpumask *a, const struct cpumask *b)
{
	return cpumask_next_and(-1, a, b);
}
static inline unsigned int cpumask_last(const struct cpumask *m) { return m->bits[0] ? __fls(m->bits[0]) : NR_CPUS; }
#define cpumask_any(m)			cpumask_first(m)
#define cpumask_any_and(a, b)		cpumask_first_and(a, b)
#define cpumask_any_and_distribute(a, b) cpumask_first_and(a, b)
static inline unsigned int cpumask_any_but(const struct cpumask *m, unsigned int cpu)
{
	unsigned int i = cpumask_first(m);

	return i == cpu ? cpumask_next(i, m) : i;
}
static inline unsigned int cpumask_next_zero(int n, const struct cpumask *m)
{
	struct cpumask inv = { { ~m->bits[0] } };

	return cpumask_next(n, &inv);
}

#define for_each_cpu(cpu, m)		for ((cpu) = cpumask_first(m); (cpu) < nr_cpu_ids; (cpu) = cpumask_next(cpu, m))
#define for_each_cpu_and(cpu, a, b) \
	for ((cpu) = cpumask_first_and(a, b); (cpu) < nr_cpu_ids; (cpu) = cpumask_next_and(cpu, a, b))
/* All members of m, beginning after start and going round. */
#define for_each_cpu_wrap(cpu, m, start)						\
	for (unsigned int __left = cpumask_weight(m),					\
	     __w = ((cpu) = cpumask_next_wrap((int)(start) - 1, m)); __left && (cpu) < nr_cpu_ids;	\
	     __left--, __w = ((cpu) = cpumask_next_wrap(cpu, m)), (void)__w)
static inline unsigned int cpumask_next_wrap(int n, const struct cpumask *m)
{
	unsigned int i = cpumask_next(n, m);

	return i < NR_CPUS ? i : cpumask_first(m);
}
#define for_each_possible_cpu(cpu)	for_each_cpu(cpu, cpu_possible_mask)
#define for_each_present_cpu(cpu)	for_each_cpu(cpu, cpu_present_mask)
#define for_each_online_cpu(cpu)	for_each_cpu(cpu, cpu_online_mask)
#define for_each_active_cpu(cpu)	for_each_cpu(cpu, cpu_active_mask)

#define num_possible_cpus()	cpumask_weight(cpu_possible_mask)
#define num_present_cpus()	cpumask_weight(cpu_present_mask)
#define num_online_cpus()	cpumask_weight(cpu_online_mask)
#define num_active_cpus()	cpumask_weight(cpu_active_mask)
#define cpu_possible(cpu)	cpumask_test_cpu(cpu, cpu_possible_mask)
#define cpu_present(cpu)	cpumask_test_cpu(cpu, cpu_present_mask)
#define cpu_online(cpu)		cpumask_test_cpu(cpu, cpu_online_mask)
#define cpu_active(cpu)		cpumask_test_cpu(cpu, cpu_active_mask)

#define __set_cpu_in(cpu, m, on) ((on) ? cpumask_set_cpu(cpu, m) : cpumask_clear_cpu(cpu, m))
static inline void set_cpu_possible(unsigned int cpu, bool on) { __set_cpu_in(cpu, &__cpu_possible_mask, on); }
static inline void set_cpu_present(unsigned int cpu, bool on) { __set_cpu_in(cpu, &__cpu_present_mask, on); }
static inline void set_cpu_online(unsigned int cpu, bool on) { __set_cpu_in(cpu, &__cpu_online_mask, on); }
static inline void set_cpu_active(unsigned int cpu, bool on) { __set_cpu_in(cpu, &__cpu_active_mask, on); }

/* Sets on the heap: there is nothing to allocate, one word is the variable itself. */
#define alloc_cpumask_var(mask, gfp)	((void)(mask), true)
#define zalloc_cpumask_var(mask, gfp)	(cpumask_clear(*(mask)), true)
#define free_cpumask_var(mask)		((void)(mask))
#define cpumask_size()			sizeof(struct cpumask)
#define cpumask_pr_args(m)		nr_cpu_ids, cpumask_bits(m)

#endif
