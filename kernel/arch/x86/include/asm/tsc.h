/*
 * tsc.h: the time-stamp counter as the machine's clock.
 * See:     kernel/arch/x86/kernel/tsc.c
 */
#ifndef ASM_TSC_H
#define ASM_TSC_H

#include <asm/msr.h>

typedef u64 cycles_t;
extern unsigned int tsc_khz;		/* [I] after time_init() */
extern unsigned int cpu_khz;

void tsc_calibrate_start(void);		/* as early as the tables are read: the work of start-up is the waiting */
void tsc_init(void);			/* the frequency, and the clock made of it */
u64 native_sched_clock(void);		/* ns since start-up; any context */
static inline cycles_t get_cycles(void) { return rdtsc(); }

#endif
