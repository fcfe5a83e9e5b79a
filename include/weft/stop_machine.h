/*
 * stop_machine.h: running a function on a given CPU in a kernel thread that beats every other task: migration/N.
 * It is the way to get hold of a task that runs: when the stopper runs, that task does not.
 */
#ifndef WEFT_STOP_MACHINE_H
#define WEFT_STOP_MACHINE_H

#include <weft/types.h>
#include <weft/list.h>

typedef int (*cpu_stop_fn_t)(void *arg);	/* must not sleep; preemption is off */
struct cpu_stop_done;

struct cpu_stop_work {
	struct list_head	list;		/* [stopper lock] */
	cpu_stop_fn_t		fn;
	void			*arg;
	struct cpu_stop_done	*done;
};

/* Runs fn(arg) on that CPU and waits.  fn's result, or -ENOENT.  May sleep. */
int stop_one_cpu(unsigned int cpu, cpu_stop_fn_t fn, void *arg);
/* Without waiting; work must live until fn runs.  false: no stopper.  Any context without an rq lock held. */
bool stop_one_cpu_nowait(unsigned int cpu, cpu_stop_fn_t fn, void *arg, struct cpu_stop_work *work);
void cpu_stop_init(void);

#endif
