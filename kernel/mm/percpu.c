/*
 * percpu.c: a copy of every per-CPU variable for each CPU, and room in each copy for what is allocated later.
 *
 * Idea:    setup_per_cpu_areas() copies the linked template (.data..percpu) once for each CPU, with DYNAMIC_SIZE bytes of
 *          zeroes behind.  alloc_percpu() hands out pieces of those; the piece has the same offset in every copy, so a
 *          pointer into the (never used) room behind the template plus a CPU's offset is that CPU's piece, just as for
 *          linked variables.
 *          Until then the boot CPU runs on the template itself (offset 0), so its copy starts with the current values.
 * Layout:  copy of CPU n:  | variables | pieces of 16 bytes: DYNAMIC_SIZE |
 * Locking: pcpu_lock (irq-safe) guards the two bitmaps.
 * See:     include/weft/percpu.h; arch's smp_prepare_boot_cpu() goes over to the copy
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/memblock.h>
#include <weft/percpu.h>
#include <weft/smp.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <asm/page.h>
#include <asm/sections.h>

#define DYNAMIC_SIZE	(32 * 1024)
#define UNIT		16
#define NR_UNITS	(DYNAMIC_SIZE / UNIT)

static DEFINE_SPINLOCK(pcpu_lock);
static DECLARE_BITMAP(unit_used, NR_UNITS);	/* [pcpu_lock] */
static DECLARE_BITMAP(unit_last, NR_UNITS);	/* [pcpu_lock] the piece ends here */
static unsigned long area_size;			/* [I] of one copy */

/* The address, as of the template, of the first unit. */
static char *dynamic_start(void)
{
	return (char *)ALIGN((unsigned long)__per_cpu_end, SMP_CACHE_BYTES);
}

void __init setup_per_cpu_areas(void)
{
	int cpu;

	area_size = PAGE_ALIGN((unsigned long)(dynamic_start() - __per_cpu_start) + DYNAMIC_SIZE);
	for_each_possible_cpu(cpu) {
		char *area = memblock_alloc(area_size, PAGE_SIZE);

		memcpy(area, __per_cpu_start, (size_t)(__per_cpu_end - __per_cpu_start));
		__per_cpu_offset[cpu] = (unsigned long)area - (unsigned long)__per_cpu_start;
		per_cpu(this_cpu_off, cpu) = __per_cpu_offset[cpu];
		per_cpu(cpu_number, cpu) = cpu;
	}
}

static void zero_everywhere(char *ptr, size_t size)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(ptr, cpu), 0, size);
}

void __percpu *__alloc_percpu(size_t size, size_t align)
{
	unsigned int units = (unsigned int)DIV_ROUND_UP(max(size, (size_t)1), UNIT);
	unsigned long mask = align > UNIT ? align / UNIT - 1 : 0;
	unsigned long at, flags;

	if (WARN_ON_ONCE(align > SMP_CACHE_BYTES || !is_power_of_2(align)) || units > NR_UNITS)
		return NULL;
	spin_lock_irqsave(&pcpu_lock, flags);
	at = bitmap_find_next_zero_area(unit_used, NR_UNITS, 0, units, mask);
	if (at < NR_UNITS) {
		bitmap_set(unit_used, (unsigned int)at, units);
		__set_bit(at + units - 1, unit_last);
	}
	spin_unlock_irqrestore(&pcpu_lock, flags);
	if (at >= NR_UNITS) {
		printk_once(KERN_WARNING "percpu: no room for %zu bytes\n", size);
		return NULL;
	}
	zero_everywhere(dynamic_start() + at * UNIT, units * UNIT);
	return dynamic_start() + at * UNIT;
}

void free_percpu(void __percpu *ptr)
{
	unsigned long first, last, flags;

	if (!ptr)
		return;
	first = (unsigned long)((char *)ptr - dynamic_start()) / UNIT;
	if (WARN_ON(first >= NR_UNITS))
		return;
	spin_lock_irqsave(&pcpu_lock, flags);
	last = find_next_bit(unit_last, NR_UNITS, first);
	__clear_bit(last, unit_last);
	bitmap_clear(unit_used, (unsigned int)first, (unsigned int)(last - first + 1));
	spin_unlock_irqrestore(&pcpu_lock, flags);
}
