/*
 * sem.h: semaphore sets, between sem.c (sets and semctl) and sem_op.c (operations, waiters, undo).
 *
 * Idea:    one lock and one queue of waiters a set.  Who changes a value tries the waiters' operations itself and wakes those
 *          that it could complete: a woken task has nothing left to try.
 * Locking: perm.lock guards all of a set.  sem_ids.rwsem -> perm.lock -> sem_undo_list.lock.
 * See:     spec.md §8; man 2 semop, semctl
 */
#ifndef IPC_SEM_H
#define IPC_SEM_H

#include <weft/list.h>
#include "util.h"

struct sem {
	int	value;				/* 0 .. SEMVMX */
	pid_t	pid;				/* who changed it last */
};

struct sem_set {
	struct kern_ipc_perm	perm;
	int			nsems;		/* [I] */
	time64_t		otime, ctime;	/* last semop; made or last changed by semctl */
	struct list_head	waiters;	/* struct sem_waiter, oldest first */
	struct list_head	undos;		/* struct sem_undo */
	struct sem		sems[];
};

/* A task in semop(), on its stack. */
struct sem_waiter {
	struct list_head	list;
	struct task_struct	*task;		/* [I] it holds a reference on the set and leaves only with the lock */
	struct sem_undo		*undo;		/* [I] NULL: none of the operations has SEM_UNDO */
	struct sembuf		*ops, *blocking;	/* [I]; the one that cannot be done now */
	int			nops;		/* [I] */
	bool			alters;		/* [I] some operation is not "wait for zero" */
	int			status;		/* SEM_WAITING, or what semop() is to return */
};
#define SEM_WAITING	1

/* What a task's end gives back to one set. */
struct sem_undo {
	struct list_head	by_set;		/* [set's lock] */
	struct list_head	by_task;	/* [tasks->lock] */
	struct sem_undo_list	*tasks;		/* [I] */
	struct sem_set		*set;		/* [I] a reference */
	short			adjust[];	/* [set's lock] */
};

/* All undos of a task, or of tasks that share them (CLONE_SYSVSEM: the threads of a process). */
struct sem_undo_list {
	refcount_t		users;		/* tasks */
	spinlock_t		lock;
	struct list_head	undos;
};

extern int sem_ctls[4];				/* [-] one word each: SEMMSL, SEMMNS, SEMOPM, SEMMNI */

/* All of these with the set locked. */
void sem_try_waiters(struct sem_set *set);	/* values have changed: completes and wakes whom it can */
void sem_wake_all(struct sem_set *set, int status);
void sem_drop_undos(struct sem_set *set, struct list_head *dropped);	/* the set ends; free them when it is unlocked */
void sem_clear_undos(struct sem_set *set, int from, int count);	/* SETVAL, SETALL: what was is forgotten */

void sem_free_undos(struct list_head *dropped);	/* no lock held: may sleep */

static inline struct sem_set *to_set(struct kern_ipc_perm *perm)
{
	return container_of(perm, struct sem_set, perm);
}

#endif
