/*
 * preempt.c: what each CPU has from the first instruction on: the count that forbids preemption, and its own place.
 *
 * Idea:    __preempt_count (layout in preempt.h) and this_cpu_off are per-CPU variables like others, but everything stands
 *          on them: locks count in the one, this_cpu_ptr() adds the other.  setup_per_cpu_areas() (mm/percpu.c) makes
 *          the areas and fills in the offsets; until then the boot CPU runs on the linked template, whose offset is 0.
 * See:     include/weft/preempt.h; include/weft/percpu.h
 */
#include <weft/cpumask.h>
#include <weft/percpu.h>
#include <weft/preempt.h>

unsigned long __per_cpu_offset[NR_CPUS];
DEFINE_PER_CPU(unsigned long, this_cpu_off);
/* Start-up runs with preemption off; sched_init() and the idle tasks take it from there. */
DEFINE_PER_CPU(int, __preempt_count) = (int)PREEMPT_DISABLED;
