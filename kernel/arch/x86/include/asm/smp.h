/*
 * asm/smp.h: which CPU this is, and the numbers by which the hardware knows the others.
 */
#ifndef ASM_SMP_H
#define ASM_SMP_H

#include <weft/types.h>
#include <weft/percpu.h>

DECLARE_PER_CPU(int, cpu_number);		/* [I] */

#define raw_smp_processor_id()	raw_percpu_read_here(cpu_number)

extern u32 cpu_to_apicid[];			/* [I] by CPU number, from the MADT */

void smp_register_cpu(u32 apicid);		/* a processor that the firmware names; start-up */
void smp_register_boot_cpu(void);		/* after all: the one we run on is CPU 0 */
void smp_call_function_interrupt(void);
void link_cpu_topology(int cpu);		/* once it is in cpu_online_mask */
void identify_cpu_topology(int cpu);		/* on that CPU: fills cpu_data(cpu) */

#endif
