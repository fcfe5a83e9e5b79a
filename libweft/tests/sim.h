/*
 * sim.h: what sim.c offers to the tests that run on the simulated machine.
 *
 * What:  sim_run(seed, body) runs one schedule; sim_random is the schedule's own random numbers; sim_fail ends it.
 * Idea:  tests take all their choices from sim_random, so that a seed is the whole test case: interleaving and input.
 * Use:   CHECK(condition) in bodies; a false one prints the seed and the line and ends the program with status 1.
 * See:   sim.c, sim_test.c.
 */
#ifndef SIM_H
#define SIM_H
#include "internal.h"

extern unsigned long sim_seed, sim_switches;
void sim_run(unsigned long seed, void *(*body)(void *), void *arg);
uint32_t sim_random(uint32_t n);
void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define CHECK(c)	do { if (!(c)) sim_fail("%s:%d: %s", __FILE__, __LINE__, #c); } while (0)
#endif
