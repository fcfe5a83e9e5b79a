/*
 * perf_event.c: counting for perf_event_open(2): software events of tasks and CPUs, groups, inheritance.
 *
 * Idea:    the kernel keeps all these numbers anyway: how long a task has run, its switches, migrations and page faults.
 *          So an event is a difference: what the number is now, less what it was when the event was switched on.  Nothing
 *          is added to the context switch or the page fault, whether somebody counts or not.
 *
 *              enable: base = number    disable: count += number - base    read: count + (counting ? number - base : 0)
 *
 * Inherit: fork gives the child an event of its own for each of the parent's that is inherited, whoever made it; all
 *          belong to the root, which a descriptor shows.  An exiting task's counts are added to the root.
 * Groups:  a member counts while it is on and its leader is: counting changes for all of a group at once.
 * Time:    of a task's event: how long the task has run while it counted, as Linux has it; of a CPU's: time.
 * Locking: perf_mutex over events, groups, families and task->perf; numbers of other tasks are read without a lock.
 * See:     perf_event.h; perf_event_sys.c; perf_event_open(2)
 */
#include <weft/err.h>
#include <weft/kernel.h>
#include <weft/perf_event.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/timekeeping.h>
#include <weft/vmstat.h>
#include "perf_event.h"

DEFINE_MUTEX(perf_mutex);
static u64 last_id;			/* [perf_mutex] */

/* ---- the numbers ---- */

static u64 number_of_task(struct task_struct *p, u64 config)
{
	switch (config) {
	case PERF_COUNT_SW_CPU_CLOCK:
	case PERF_COUNT_SW_TASK_CLOCK:
		return task_sched_runtime(p);
	case PERF_COUNT_SW_PAGE_FAULTS:
		return READ_ONCE(p->min_flt) + READ_ONCE(p->maj_flt);
	case PERF_COUNT_SW_PAGE_FAULTS_MIN:
		return READ_ONCE(p->min_flt);
	case PERF_COUNT_SW_PAGE_FAULTS_MAJ:
		return READ_ONCE(p->maj_flt);
	case PERF_COUNT_SW_CONTEXT_SWITCHES:
		return READ_ONCE(p->nvcsw) + READ_ONCE(p->nivcsw);
	case PERF_COUNT_SW_CPU_MIGRATIONS:
		return READ_ONCE(p->se.nr_migrations);
	default:
		return 0;		/* what this processor never does, and the dummy */
	}
}

static u64 number_of_cpu(int cpu, u64 config)
{
	const struct vm_counters *vm = per_cpu_ptr(&vm_counters, cpu);

	switch (config) {
	case PERF_COUNT_SW_CPU_CLOCK:
	case PERF_COUNT_SW_TASK_CLOCK:
		return ktime_get_ns();
	case PERF_COUNT_SW_PAGE_FAULTS:
		return READ_ONCE(vm->event[PGFAULT]);
	case PERF_COUNT_SW_PAGE_FAULTS_MIN:
		return READ_ONCE(vm->event[PGFAULT]) - READ_ONCE(vm->event[PGMAJFAULT]);
	case PERF_COUNT_SW_PAGE_FAULTS_MAJ:
		return READ_ONCE(vm->event[PGMAJFAULT]);
	case PERF_COUNT_SW_CONTEXT_SWITCHES:
		return nr_context_switches_cpu(cpu);
	case PERF_COUNT_SW_CPU_MIGRATIONS:
		return nr_migrations_cpu(cpu);
	default:
		return 0;
	}
}

/* Switches and migrations happen in the kernel: who leaves the kernel out sees none. */
static bool leaves_out(const struct perf_event_attr *attr)
{
	return attr->exclude_kernel &&
	       (attr->config == PERF_COUNT_SW_CONTEXT_SWITCHES || attr->config == PERF_COUNT_SW_CPU_MIGRATIONS);
}

static u64 number(const struct perf_event *e)
{
	if (leaves_out(&e->attr))
		return 0;
	return e->task ? number_of_task(e->task, e->attr.config) : number_of_cpu(e->cpu, e->attr.config);
}

static u64 clock(const struct perf_event *e)
{
	return e->task ? task_sched_runtime(e->task) : ktime_get_ns();
}

static u64 event_count(const struct perf_event *e)
{
	return e->count + (e->counting ? number(e) - e->count_base : 0);
}

static u64 event_time(const struct perf_event *e)
{
	return e->time + (e->counting ? clock(e) - e->time_base : 0);
}

void perf_total(struct perf_event *root, u64 *count, u64 *time)
{
	struct perf_event *child;

	lockdep_assert_held(&perf_mutex);
	*count = event_count(root) + root->child_count;
	*time = event_time(root) + root->child_time;
	list_for_each_entry(child, &root->children, by_root) {
		*count += event_count(child);
		*time += event_time(child);
	}
}

/* ---- on and off ---- */

static void set_counting(struct perf_event *e, bool counting)
{
	if (e->counting == counting)
		return;
	if (counting) {
		e->count_base = number(e);
		e->time_base = clock(e);
	} else {
		e->count = event_count(e);
		e->time = event_time(e);
	}
	e->counting = counting;
}

/* After a change of an event or its leader. */
static void update_event(struct perf_event *e)
{
	set_counting(e, e->on && e->leader->on && !e->gone);
}

static void update_group(struct perf_event *e)
{
	struct perf_event *member;

	update_event(e);
	if (e->leader == e)
		list_for_each_entry(member, &e->members, by_leader)
			update_event(member);
}

static void switch_one(struct perf_event *e, bool on)
{
	e->on = on;
	update_group(e);
}

void perf_switch(struct perf_event *root, bool on)
{
	struct perf_event *child;

	switch_one(root, on);
	list_for_each_entry(child, &root->children, by_root)
		switch_one(child, on);
}

static void reset_one(struct perf_event *e)
{
	e->count = 0;
	if (e->counting)
		e->count_base = number(e);
}

void perf_reset(struct perf_event *root)
{
	struct perf_event *child;

	reset_one(root);
	root->child_count = 0;
	list_for_each_entry(child, &root->children, by_root)
		reset_one(child);
}

/* ---- life ---- */

struct perf_event *perf_new_event(const struct perf_event_attr *attr, struct task_struct *task, int cpu,
				  struct perf_event *leader)
{
	struct perf_event *e = kzalloc(sizeof(*e), GFP_KERNEL);

	lockdep_assert_held(&perf_mutex);
	if (!e)
		return NULL;
	e->attr = *attr;
	e->id = ++last_id;
	e->cpu = cpu;
	e->on = !attr->disabled;
	e->root = e;
	e->leader = leader ? leader : e;
	INIT_LIST_HEAD(&e->members);
	INIT_LIST_HEAD(&e->by_leader);
	INIT_LIST_HEAD(&e->children);
	INIT_LIST_HEAD(&e->by_root);
	INIT_LIST_HEAD(&e->by_task);
	if (task)
		e->task = get_task_struct(task);
	return e;
}

/* The task's list, made if it has none. */
static struct perf_task *perf_task_of(struct task_struct *task)
{
	if (!task->perf) {
		struct perf_task *pt = kmalloc(sizeof(*pt), GFP_KERNEL);

		if (!pt)
			return NULL;
		INIT_LIST_HEAD(&pt->events);
		WRITE_ONCE(task->perf, pt);
	}
	return task->perf;
}

/* Out of all lists but its task's, of which the caller knows. */
static void free_one(struct perf_event *e)
{
	list_del(&e->by_leader);
	list_del(&e->by_root);
	list_del(&e->by_task);
	if (e->task)
		put_task_struct(e->task);
	kfree(e);
}

int perf_attach(struct perf_event *e)
{
	if (e->task) {
		struct perf_task *pt;

		if (e->task->flags & PF_EXITING)
			return -ESRCH;		/* __perf_event_exit() is over, or waits for us to go */
		pt = perf_task_of(e->task);
		if (!pt)
			return -ENOMEM;
		list_add_tail(&e->by_task, &pt->events);
	}
	if (e->leader != e)
		list_add_tail(&e->by_leader, &e->leader->members);
	update_event(e);
	return 0;
}

/* Its members lead themselves from now on. */
static void dissolve_group(struct perf_event *leader)
{
	struct perf_event *member, *next;

	list_for_each_entry_safe(member, next, &leader->members, by_leader) {
		list_del_init(&member->by_leader);
		member->leader = member;
		update_event(member);
	}
}

void perf_free_event(struct perf_event *root)
{
	struct perf_event *child, *next;

	lockdep_assert_held(&perf_mutex);
	list_for_each_entry_safe(child, next, &root->children, by_root) {
		dissolve_group(child);
		free_one(child);
	}
	dissolve_group(root);
	free_one(root);
}

/* ---- fork, exec, exit ---- */

static bool is_inherited(const struct perf_event *e, u64 clone_flags)
{
	return e->attr.inherit && !(e->attr.inherit_thread && !(clone_flags & CLONE_THREAD));
}

/* The child's event for one of its parent's, on as that is. */
static struct perf_event *inherit_event(struct perf_event *e, struct task_struct *child, struct perf_event *leader)
{
	struct perf_event *new = perf_new_event(&e->attr, child, e->cpu, leader);

	if (!new)
		return NULL;
	new->on = e->on;
	new->root = e->root;
	list_add_tail(&new->by_root, &e->root->children);
	if (perf_attach(new)) {
		free_one(new);
		return NULL;
	}
	return new;
}

static int inherit_group(struct perf_event *leader, struct task_struct *child)
{
	struct perf_event *new = inherit_event(leader, child, NULL), *member;

	if (!new)
		return -ENOMEM;
	list_for_each_entry(member, &leader->members, by_leader)
		if (!inherit_event(member, child, new))
			return -ENOMEM;
	return 0;
}

int __perf_event_fork(struct task_struct *child, u64 clone_flags)
{
	struct perf_event *e;
	int err = 0;

	mutex_lock(&perf_mutex);
	list_for_each_entry(e, &current->perf->events, by_task) {
		if (e->leader != e || !is_inherited(e, clone_flags))
			continue;
		err = inherit_group(e, child);
		if (err)
			break;
	}
	mutex_unlock(&perf_mutex);
	if (err)
		perf_event_exit(child);
	return err;
}

void __perf_event_exec(void)
{
	struct perf_event *e;

	mutex_lock(&perf_mutex);
	list_for_each_entry(e, &current->perf->events, by_task) {
		if (!e->attr.enable_on_exec)
			continue;
		e->attr.enable_on_exec = 0;
		switch_one(e, true);
	}
	mutex_unlock(&perf_mutex);
}

/* A root stays for whoever has its descriptor; a child's count goes to its root. */
static void exit_event(struct perf_event *e)
{
	e->gone = true;
	update_event(e);
	list_del_init(&e->by_task);
	if (e->root == e) {
		put_task_struct(e->task);
		e->task = NULL;
		return;
	}
	e->root->child_count += e->count;
	e->root->child_time += e->time;
	dissolve_group(e);
	free_one(e);
}

void __perf_event_exit(struct task_struct *tsk)
{
	struct perf_event *e, *next;

	mutex_lock(&perf_mutex);
	list_for_each_entry_safe(e, next, &tsk->perf->events, by_task)
		exit_event(e);
	kfree(tsk->perf);
	WRITE_ONCE(tsk->perf, NULL);
	mutex_unlock(&perf_mutex);
}
