/*
 * tick.h: the periodic part of time: jiffies, accounting, time slices; stopped while a CPU idles.  kernel/time/tick.c
 */
#ifndef WEFT_TICK_H
#define WEFT_TICK_H

#include <weft/types.h>
#include <weft/ktime.h>

struct clock_event_device;

void tick_setup_device(struct clock_event_device *dev);	/* this CPU's timer is there: start its tick; interrupts off */
int tick_program_event(ktime_t expires, int force);

/* From the idle loop, interrupts off. */
void tick_nohz_idle_enter(void);
void tick_nohz_idle_update(void);		/* an interrupt came but nothing to run: a new timer may be earlier */
void tick_nohz_idle_exit(void);			/* restarts the tick if it was stopped */
/* From irq_enter() of an interrupt that hit the idle task: jiffies may be old. */
void tick_irq_enter(void);
/* The tick of an idle CPU is off: others must wake it for what is new. */
bool tick_nohz_tick_stopped(void);
bool tick_nohz_tick_stopped_cpu(int cpu);
/* Brings jiffies and wall time up to now.  Any CPU, interrupts off. */
void tick_update_jiffies(ktime_t now);

#endif
