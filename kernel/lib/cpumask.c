/*
 * cpumask.c: the four sets of CPUs of the system, and the constant sets.
 *
 * Locking: the four sets change one bit at a time, atomically: possible and present during start-up only, online and
 *          active when a CPU comes or goes; readers take a copy or live with a change.
 * See:     include/weft/cpumask.h
 */
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/smp.h>

struct cpumask __cpu_possible_mask __read_mostly;
struct cpumask __cpu_present_mask __read_mostly;
struct cpumask __cpu_online_mask __read_mostly;
struct cpumask __cpu_active_mask __read_mostly;
const struct cpumask __cpu_all_bits = { { ~0UL } };
unsigned int nr_cpu_ids __read_mostly = NR_CPUS;	/* [I] cut down when the machine's CPUs have been counted */

#define ONE(n)		{ { 1UL << (n) } }
#define FOUR(n)		ONE(n), ONE((n) + 1), ONE((n) + 2), ONE((n) + 3)
#define SIXTEEN(n)	FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)

const struct cpumask cpu_bit_masks[NR_CPUS] = { SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48) };

/* The CPU that runs this is there. */
void __init boot_cpu_init(void)
{
	unsigned int cpu = smp_processor_id();

	set_cpu_possible(cpu, true);
	set_cpu_present(cpu, true);
	set_cpu_online(cpu, true);
	set_cpu_active(cpu, true);
}
