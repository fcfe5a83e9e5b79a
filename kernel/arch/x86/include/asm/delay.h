/*
 * delay.h: short busy waits.  Only for devices; who may sleep sleeps.
 */
#ifndef ASM_DELAY_H
#define ASM_DELAY_H

void udelay(unsigned long us);
void ndelay(unsigned long ns);
static inline void mdelay(unsigned long ms) { udelay(ms * 1000); }

#endif
