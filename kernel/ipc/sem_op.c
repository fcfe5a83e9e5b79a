/*
 * sem_op.c: System V semaphores: semop, who waits in it, and what is undone when a task ends.
 *
 * Idea:    the operations of one semop() happen all or not at all: they are done one after the other and taken back when one
 *          cannot be.  A waiter is completed by whoever makes that possible, with the set locked:
 *
 *              CPU 0: semop(-1), value 0               CPU 1: semop(+1)
 *              lock; cannot: queued; state = sleeping
 *              unlock                                  lock; value 1; tries the waiters: 1 - 1 = 0
 *              schedule()                              status = 0, off the queue; wakes; unlock
 *              lock; status is 0: done
 *
 *          The sleeper takes the lock before it looks and leaves, so the waker never touches a stack that is gone.
 * Cost:    a change tries each waiter of the set; the list of undos is searched for the set.
 * See:     sem.h; spec.md §8; man 2 semop
 */
#include <weft/err.h>
#include <weft/hrtimer.h>
#include <weft/ipc.h>
#include <weft/kernel.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include "sem.h"

#define OPS_ON_STACK	16

/* ---- operations ---- */

/* 0; SEM_WAITING: it must wait; -ERANGE. */
static int do_one(struct sem_set *set, const struct sembuf *op, struct sem_undo *undo)
{
	struct sem *sem = &set->sems[op->sem_num];
	int value = sem->value + op->sem_op, adjust;

	if (!op->sem_op)
		return sem->value ? SEM_WAITING : 0;
	if (value < 0)
		return SEM_WAITING;
	if (value > SEMVMX)
		return -ERANGE;
	if (op->sem_flg & SEM_UNDO) {
		adjust = undo->adjust[op->sem_num] - op->sem_op;
		if (adjust < -SEMAEM - 1 || adjust > SEMAEM)
			return -ERANGE;
		undo->adjust[op->sem_num] = adjust;
	}
	sem->value = value;
	return 0;
}

static void take_back(struct sem_set *set, const struct sembuf *op, struct sem_undo *undo)
{
	set->sems[op->sem_num].value -= op->sem_op;
	if (op->sem_op && (op->sem_flg & SEM_UNDO))
		undo->adjust[op->sem_num] += op->sem_op;
}

/* All operations or none.  0, SEM_WAITING, -EAGAIN (IPC_NOWAIT), -ERANGE. */
static int do_all(struct sem_set *set, struct sem_waiter *w)
{
	int i, ret = 0;

	for (i = 0; i < w->nops; i++) {
		ret = do_one(set, &w->ops[i], w->undo);
		if (ret)
			break;
	}
	if (!ret) {
		while (--i >= 0)
			set->sems[w->ops[i].sem_num].pid = task_tgid_nr(w->task);
		return 0;
	}
	w->blocking = &w->ops[i];
	while (--i >= 0)
		take_back(set, &w->ops[i], w->undo);
	return ret == SEM_WAITING && (w->blocking->sem_flg & IPC_NOWAIT) ? -EAGAIN : ret;
}

static void complete_waiter(struct sem_waiter *w, int status)
{
	list_del_init(&w->list);
	w->status = status;
	wake_up_process(w->task);
}

void sem_try_waiters(struct sem_set *set)
{
	struct sem_waiter *w, *n;
	bool again;

	lockdep_assert_held(&set->perm.lock);
	do {
		again = false;
		list_for_each_entry_safe(w, n, &set->waiters, list) {
			int ret = do_all(set, w);

			if (ret == SEM_WAITING)
				continue;
			complete_waiter(w, ret);
			if (!ret && w->alters) {
				again = true;	/* older waiters may have become possible */
				break;
			}
		}
	} while (again);
}

void sem_wake_all(struct sem_set *set, int status)
{
	struct sem_waiter *w, *n;

	list_for_each_entry_safe(w, n, &set->waiters, list)
		complete_waiter(w, status);
}

/* ---- undo ---- */

/* Set locked. */
static struct sem_undo *find_undo(struct sem_undo_list *ul, const struct sem_set *set)
{
	struct sem_undo *undo, *found = NULL;

	spin_lock(&ul->lock);
	list_for_each_entry(undo, &ul->undos, by_task) {
		if (undo->set == set) {
			found = undo;
			break;
		}
	}
	spin_unlock(&ul->lock);
	return found;
}

/* Set locked.  The caller then drops the set's reference and the memory with free_undo(), unlocked. */
static void unlink_undo(struct sem_undo *undo)
{
	list_del(&undo->by_set);
	spin_lock(&undo->tasks->lock);
	list_del(&undo->by_task);
	spin_unlock(&undo->tasks->lock);
}

static void free_undo(struct sem_undo *undo)
{
	ipc_put(&undo->set->perm);
	kvfree(undo);
}

/* The running task's list, made when it is the first time; NULL: out of memory. */
static struct sem_undo_list *undo_list(void)
{
	struct sem_undo_list *ul = current->sysvsem_undo;

	if (ul)
		return ul;
	ul = kzalloc(sizeof(*ul), GFP_KERNEL);
	if (!ul)
		return NULL;
	refcount_set(&ul->users, 1);
	spin_lock_init(&ul->lock);
	INIT_LIST_HEAD(&ul->undos);
	current->sysvsem_undo = ul;
	return ul;
}

static struct sem_undo *new_undo(struct sem_undo_list *ul, struct sem_set *set)
{
	struct sem_undo *undo = kvzalloc(sizeof(*undo) + set->nsems * sizeof(undo->adjust[0]), GFP_KERNEL);

	if (undo) {
		undo->tasks = ul;
		undo->set = set;
	}
	return undo;
}

/*
 * The running task's undo for the set, found or made.  The set is locked, is unlocked for an allocation and locked again;
 * it may be deleted then (-EIDRM).  ERR_PTR on error.
 */
static struct sem_undo *get_undo(struct sem_undo_list *ul, struct sem_set *set)
{
	struct sem_undo *undo = find_undo(ul, set), *new;

	if (undo)
		return undo;
	ipc_unlock(&set->perm);
	new = new_undo(ul, set);
	ipc_lock(&set->perm);
	if (!new)
		return ERR_PTR(-ENOMEM);
	undo = find_undo(ul, set);		/* another thread may have been quicker */
	if (undo || set->perm.deleted) {
		kvfree(new);
		return undo ? undo : ERR_PTR(-EIDRM);
	}
	refcount_inc(&set->perm.refcount);
	list_add(&new->by_set, &set->undos);
	spin_lock(&ul->lock);
	list_add(&new->by_task, &ul->undos);
	spin_unlock(&ul->lock);
	return new;
}

void sem_clear_undos(struct sem_set *set, int from, int count)
{
	struct sem_undo *undo;

	list_for_each_entry(undo, &set->undos, by_set)
		memset(undo->adjust + from, 0, count * sizeof(undo->adjust[0]));
}

void sem_drop_undos(struct sem_set *set, struct list_head *dropped)
{
	struct sem_undo *undo, *n;

	list_for_each_entry_safe(undo, n, &set->undos, by_set) {
		unlink_undo(undo);
		list_add(&undo->by_set, dropped);
	}
}

void sem_free_undos(struct list_head *dropped)
{
	struct sem_undo *undo, *n;

	list_for_each_entry_safe(undo, n, dropped, by_set)
		free_undo(undo);
}

int copy_semundo(u64 clone_flags, struct task_struct *tsk)
{
	struct sem_undo_list *ul = NULL;

	if (clone_flags & CLONE_SYSVSEM) {
		ul = undo_list();
		if (!ul)
			return -ENOMEM;
		refcount_inc(&ul->users);
	}
	tsk->sysvsem_undo = ul;
	return 0;
}

static void apply_undo(struct sem_set *set, const struct sem_undo *undo, pid_t pid)
{
	bool changed = false;

	for (int i = 0; i < set->nsems; i++) {
		struct sem *sem = &set->sems[i];

		if (!undo->adjust[i])
			continue;
		sem->value = clamp(sem->value + undo->adjust[i], 0, SEMVMX);
		sem->pid = pid;
		changed = true;
	}
	if (changed) {
		set->otime = ktime_get_real_seconds();
		sem_try_waiters(set);
	}
}

/* A set that the list still has an undo for, with a reference, or NULL. */
static struct sem_set *next_set(struct sem_undo_list *ul)
{
	struct sem_undo *undo;
	struct sem_set *set = NULL;

	spin_lock(&ul->lock);
	undo = list_first_entry_or_null(&ul->undos, struct sem_undo, by_task);
	if (undo) {
		set = undo->set;		/* alive: while the undo is listed it has a reference */
		refcount_inc(&set->perm.refcount);
	}
	spin_unlock(&ul->lock);
	return set;
}

/*
 * The set's lock comes before the list's, so the undo must be looked for again:
 *
 *      CPU 0: exit_sem                         CPU 1: semctl(IPC_RMID)
 *      next_set(): the set, by its undo
 *                                              lock; the undo goes; unlock
 *      lock the set; find_undo(): none; on to the next
 */
void exit_sem(struct task_struct *tsk)
{
	struct sem_undo_list *ul = tsk->sysvsem_undo;
	struct sem_set *set;

	tsk->sysvsem_undo = NULL;
	if (!ul || !refcount_dec_and_test(&ul->users))
		return;
	while ((set = next_set(ul)) != NULL) {
		struct sem_undo *undo;

		ipc_lock(&set->perm);
		undo = find_undo(ul, set);
		if (undo) {
			unlink_undo(undo);
			apply_undo(set, undo, task_tgid_nr(tsk));
		}
		ipc_unlock_put(&set->perm);
		if (undo)
			free_undo(undo);
		cond_resched();
	}
	kfree(ul);
}

/* ---- semop ---- */

/* Until somebody completes w, a signal, or the time.  Set locked, unlocked while it sleeps.  What semop() returns. */
static int wait_completed(struct sem_set *set, struct sem_waiter *w, ktime_t *expires)
{
	int timed_out = 0;

	w->status = SEM_WAITING;
	list_add_tail(&w->list, &set->waiters);
	while (w->status == SEM_WAITING && !timed_out && !signal_pending(current)) {
		set_current_state(TASK_INTERRUPTIBLE);
		ipc_unlock(&set->perm);
		timed_out = schedule_hrtimeout_range(expires, current->timer_slack_ns, HRTIMER_MODE_ABS) == 0;
		ipc_lock(&set->perm);
	}
	if (w->status != SEM_WAITING)
		return w->status;
	list_del(&w->list);
	return timed_out ? -EAGAIN : -EINTR;
}

/* Looks the set up and does w's operations or waits.  max: highest number of a semaphore in them. */
static int do_semop(int semid, struct sem_waiter *w, struct sem_undo_list *ul, int max, ktime_t *expires)
{
	struct kern_ipc_perm *perm = ipc_lock_get(sem_ids(), semid);
	struct sem_set *set;
	int ret;

	if (IS_ERR(perm))
		return PTR_ERR(perm);
	set = to_set(perm);
	ret = max >= set->nsems ? -EFBIG : ipcperms(perm, w->alters ? S_IWUGO : S_IRUGO);
	if (ret)
		goto out;
	if (ul) {
		w->undo = get_undo(ul, set);
		ret = PTR_ERR_OR_ZERO(w->undo);
		if (ret)
			goto out;
	}
	ret = do_all(set, w);
	if (!ret && w->alters)
		sem_try_waiters(set);
	else if (ret == SEM_WAITING)
		ret = wait_completed(set, w, expires);
	if (!ret)
		set->otime = ktime_get_real_seconds();
out:
	ipc_unlock_put(perm);
	return ret;
}

/* The operations are in the kernel: looks at them, and goes on. */
static int semop_copied(int semid, struct sembuf *ops, int nops, ktime_t *expires)
{
	struct sem_waiter w = { .task = current, .ops = ops, .nops = nops };
	struct sem_undo_list *ul = NULL;
	bool undo = false;
	int max = 0;

	for (int i = 0; i < nops; i++) {
		max = max(max, (int)ops[i].sem_num);
		w.alters |= ops[i].sem_op != 0;
		undo |= ops[i].sem_op && (ops[i].sem_flg & SEM_UNDO);
	}
	if (undo) {
		ul = undo_list();
		if (!ul)
			return -ENOMEM;
	}
	return do_semop(semid, &w, ul, max, expires);
}

static int copy_and_semop(int semid, const struct sembuf __user *sops, unsigned int nops, ktime_t *expires)
{
	struct sembuf on_stack[OPS_ON_STACK], *ops = on_stack;
	int ret;

	if (nops > OPS_ON_STACK) {
		ops = kvmalloc_array(nops, sizeof(*ops), GFP_KERNEL);
		if (!ops)
			return -ENOMEM;
	}
	if (copy_from_user(ops, sops, nops * sizeof(*ops)))
		ret = -EFAULT;
	else
		ret = semop_copied(semid, ops, nops, expires);
	if (ops != on_stack)
		kvfree(ops);
	return ret;
}

long sys_semtimedop(int semid, struct sembuf __user *sops, unsigned int nsops,
		    const struct __kernel_timespec __user *timeout)
{
	struct timespec64 ts;
	ktime_t expires;

	if (timeout && get_timespec64(&ts, timeout))
		return -EFAULT;
	if (nsops < 1 || semid < 0)
		return -EINVAL;
	if (nsops > (unsigned int)READ_ONCE(sem_ctls[2]))
		return -E2BIG;
	if (timeout && !timespec64_valid(&ts))
		return -EINVAL;
	if (timeout)
		expires = ktime_add_safe(ktime_get(), timespec64_to_ktime(ts));
	return copy_and_semop(semid, sops, nsops, timeout ? &expires : NULL);
}

long sys_semop(int semid, struct sembuf __user *sops, unsigned int nsops)
{
	return sys_semtimedop(semid, sops, nsops, NULL);
}
