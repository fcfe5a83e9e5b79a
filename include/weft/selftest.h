/*
 * selftest.h: the kernel's tests of itself, run from a late point of kernel_init() when the boot parameter asks for them.
 * See: kernel/selftest/selftest.c
 */
#ifndef WEFT_SELFTEST_H
#define WEFT_SELFTEST_H

/* Runs what "selftest" (all) or "selftest=NAME,..." names; nothing without it.  In pid 1 before it becomes a program. */
void run_selftests(void);

#endif
