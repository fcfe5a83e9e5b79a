/*
 * random.h: random bytes for the kernel and for programs.
 * Context: all of these may be called anywhere, from the first C function on.  Before the generator has enough
 *          entropy (rng_is_initialized) they are as good as the processor's RDRAND and the time make them.
 * See:     kernel/lib/random.c; random(7)
 */
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include <weft/types.h>

void get_random_bytes(void *buf, size_t len);
u32 get_random_u32(void);
u64 get_random_u64(void);
static inline unsigned long get_random_long(void) { return get_random_u64(); }
u32 get_random_u32_below(u32 ceil);			/* 0 <= result < ceil, each as likely */
/* A page-aligned address in [start, start + range). */

/* Mixes bytes in; credits no entropy. */
void add_device_randomness(const void *buf, size_t len);
void add_interrupt_randomness(int irq);
/* From a true source (virtio-rng): counts as `entropy` bits. */
void add_hwgenerator_randomness(const void *buf, size_t len, size_t entropy);
bool rng_is_initialized(void);
int wait_for_random_bytes(void);			/* 0 or -ERESTARTSYS */

#endif
