/*
 * internal.h: what the files of seccomp share: a filter and who holds it.
 *
 * Idea:    a task points to the newest of its filters and each filter to the one before it; tasks that fork share the
 *          chain, and from there on each puts its own in front: a tree with the first filters as its roots.
 *
 *              task A ---> filter 3 ---> filter 1 <--- filter 2 <--- task B
 *
 * Counts:  refs: the memory: tasks, younger filters, the listener's file.  users: tasks that can still run it, directly or
 *          through a younger filter: at 0 the listener hears of the end (POLLHUP).
 * Locking: [siglock] of the task for its chain; [notify_lock] for what waits for a supervisor.
 */
#ifndef SECCOMP_INTERNAL_H
#define SECCOMP_INTERNAL_H

#include <weft/types.h>
#include <weft/bitmap.h>
#include <weft/mutex.h>
#include <weft/refcount.h>
#include <weft/wait.h>
#include <uapi/seccomp.h>
#include <generated/nr_syscalls.h>
#include "bpf.h"

struct file;
struct pt_regs;
struct seccomp_listener;

struct seccomp_filter {
	refcount_t		refs;
	refcount_t		users;
	bool			log;		/* [I] tell of every verdict but ALLOW */
	bool			wait_killable;	/* [I] once a supervisor has the call, only a deadly signal ends the wait */
	struct seccomp_filter	*prev;		/* [I] once attached; a reference */
	unsigned int		path;		/* [I] instructions from here to the root, and 4 a filter */
	unsigned int		depth;		/* [I] filters from here to the root */
	DECLARE_BITMAP(allow, NR_syscalls);	/* [I] calls that this and all older allow whatever their arguments */
	struct mutex		notify_lock;
	struct seccomp_listener	*listener;	/* [notify_lock] NULL: none, or closed */
	struct wait_queue_head	wqh;		/* the listener's */
	unsigned int		len;
	u16			start[NR_syscalls];	/* [I] by number: the instruction where the program begins to differ */
	struct sock_filter	insns[];	/* [I] */
};

static inline u32 seccomp_action(u32 verdict) { return verdict & SECCOMP_RET_ACTION_FULL; }

/* ---- filter.c ---- */
struct seccomp_filter *seccomp_load(const void __user *fprog);	/* a checked program, attached to nothing; ERR_PTR */
void seccomp_put(struct seccomp_filter *filter);		/* may sleep */
bool seccomp_always_allows(int nr);	/* all filters of current, whatever the arguments; nr of a 64-bit call */
u32 seccomp_run(const struct seccomp_data *data, struct seccomp_filter **match);	/* match: whose verdict it is */
int seccomp_attach(struct seccomp_filter *filter, unsigned int flags);	/* takes it over when it returns 0 */

/* ---- notify.c ---- */
struct file *seccomp_make_listener(struct seccomp_filter *filter);	/* ERR_PTR; its own reference */
void seccomp_drop_listener(struct file *file, struct seccomp_filter *filter);	/* the filter could not be attached */
/* Waits for the supervisor.  True: it wants the call to be made after all; false: ax is set. */
bool seccomp_notify(struct seccomp_filter *filter, const struct seccomp_data *data, struct pt_regs *regs);

#endif
