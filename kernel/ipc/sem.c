/*
 * sem.c: System V semaphores: sets of them, semget and semctl.  What is done with them is in sem_op.c.
 *
 * Locking: see sem.h; their sum: sem_ids()->rwsem.
 * See:     spec.md §8; man 2 semget, semctl
 */
#include <weft/err.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include "sem.h"

int sem_ctls[4] = { SEMMSL, SEMMNS, SEMOPM, SEMMNI };

/* ---- semget ---- */

static int sem_make(const struct ipc_params *params)
{
	int nsems = params->size, id;
	struct sem_set *set;

	if (!nsems)
		return -EINVAL;
	if ((long)sem_ids()->total + nsems > READ_ONCE(sem_ctls[1]))
		return -ENOSPC;
	set = kvzalloc(sizeof(*set) + nsems * sizeof(set->sems[0]), GFP_KERNEL);
	if (!set)
		return -ENOMEM;
	set->nsems = nsems;
	set->ctime = ktime_get_real_seconds();
	INIT_LIST_HEAD(&set->waiters);
	INIT_LIST_HEAD(&set->undos);
	id = ipc_add(sem_ids(), &set->perm, params, READ_ONCE(sem_ctls[3]));
	if (id < 0)
		kvfree(set);
	else
		sem_ids()->total += nsems;
	return id;
}

static int sem_fits(struct kern_ipc_perm *perm, const struct ipc_params *params)
{
	return params->size > (size_t)to_set(perm)->nsems ? -EINVAL : 0;
}

long sys_semget(key_t key, int nsems, int semflg)
{
	static const struct ipc_ops ops = { .make = sem_make, .fits = sem_fits };

	if (nsems < 0 || nsems > READ_ONCE(sem_ctls[0]))
		return -EINVAL;
	return ipcget(sem_ids(), &ops, &(struct ipc_params){ .key = key, .flg = semflg, .size = nsems });
}

/* ---- semctl: the set ---- */

/* rwsem held for writing; unlocks the set. */
static void destroy(struct sem_set *set)
{
	LIST_HEAD(undos);

	sem_drop_undos(set, &undos);
	sem_wake_all(set, -EIDRM);
	set->perm.ids->total -= set->nsems;
	ipc_remove(&set->perm);
	ipc_unlock_put(&set->perm);
	sem_free_undos(&undos);
}

static void destroy_perm(struct kern_ipc_perm *perm)
{
	destroy(to_set(perm));
}

void sem_exit_ns(struct ipc_namespace *ns)
{
	ipc_destroy_all(&ns->ids[IPC_SEM_IDS], destroy_perm);
}

static int sem_change(int semid, int cmd, const struct semid64_ds *in)
{
	struct kern_ipc_perm *perm;
	int err;

	down_write(&sem_ids()->rwsem);
	perm = ipc_lock_get(sem_ids(), semid);
	err = PTR_ERR_OR_ZERO(perm);
	if (err)
		goto up;
	err = ipc_may_control(perm);
	if (!err && cmd == IPC_SET) {
		err = ipc_set(perm, &in->sem_perm);
		if (!err)
			to_set(perm)->ctime = ktime_get_real_seconds();
	}
	if (err || cmd == IPC_SET)
		ipc_unlock(perm);
	else
		destroy(to_set(perm));
	ipc_put(perm);
up:
	up_write(&sem_ids()->rwsem);
	return err;
}

static int sem_stat(int semid, int cmd, struct semid64_ds __user *buf)
{
	struct kern_ipc_perm *perm = cmd == IPC_STAT ? ipc_lock_get(sem_ids(), semid) : ipc_lock_get_index(sem_ids(), semid);
	struct semid64_ds ds = { 0 };
	int ret = 0;

	if (IS_ERR(perm))
		return PTR_ERR(perm);
	if (cmd != SEM_STAT_ANY)
		ret = ipcperms(perm, S_IRUGO);
	if (!ret) {
		ipc_to_user(perm, &ds.sem_perm);
		ds.sem_otime = to_set(perm)->otime;
		ds.sem_ctime = to_set(perm)->ctime;
		ds.sem_nsems = to_set(perm)->nsems;
		ret = cmd == IPC_STAT ? 0 : perm->id;
	}
	ipc_unlock_put(perm);
	return ret >= 0 && semid_to_user(buf, &ds) ? -EFAULT : ret;
}

static int sem_info(int cmd, struct seminfo __user *buf)
{
	struct seminfo info = {
		.semmsl = sem_ctls[0], .semmns = sem_ctls[1], .semopm = sem_ctls[2], .semmni = sem_ctls[3],
		.semmap = SEMMNS, .semmnu = SEMMNS, .semume = SEMOPM, .semusz = 20, .semvmx = SEMVMX, .semaem = SEMAEM,
	};
	int max;

	down_read(&sem_ids()->rwsem);
	if (cmd == SEM_INFO) {
		info.semusz = sem_ids()->in_use;
		info.semaem = sem_ids()->total;
	}
	max = ipc_max_index(sem_ids());
	up_read(&sem_ids()->rwsem);
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : max;
}

/* ---- semctl: values ---- */

/* Waiters whose blocking operation is on this semaphore: for zero, or for more. */
static int count_waiters(struct sem_set *set, int semnum, bool for_zero)
{
	struct sem_waiter *w;
	int count = 0;

	list_for_each_entry(w, &set->waiters, list)
		count += w->blocking->sem_num == semnum && (w->blocking->sem_op == 0) == for_zero;
	return count;
}

static int get_one(struct sem_set *set, int semnum, int cmd)
{
	if (semnum < 0 || semnum >= set->nsems)
		return -EINVAL;
	switch (cmd) {
	case GETVAL:
		return set->sems[semnum].value;
	case GETPID:
		return pid_nr_vnr(set->sems[semnum].pid);
	default:
		return count_waiters(set, semnum, cmd == GETZCNT);
	}
}

static void set_one(struct sem_set *set, int semnum, int value)
{
	set->sems[semnum].value = value;
	set->sems[semnum].pid = task_tgid_nr(current);
}

static int sem_setval(int semid, int semnum, int value)
{
	struct kern_ipc_perm *perm;
	struct sem_set *set;
	int err;

	if (value < 0 || value > SEMVMX)
		return -ERANGE;
	perm = ipc_lock_get(sem_ids(), semid);
	if (IS_ERR(perm))
		return PTR_ERR(perm);
	set = to_set(perm);
	err = semnum < 0 || semnum >= set->nsems ? -EINVAL : ipcperms(perm, S_IWUGO);
	if (!err) {
		sem_clear_undos(set, semnum, 1);
		set_one(set, semnum, value);
		set->ctime = ktime_get_real_seconds();
		sem_try_waiters(set);
	}
	ipc_unlock_put(perm);
	return err;
}

/* Set locked; unlocks it while it copies. */
static int sem_getall(struct sem_set *set, unsigned short __user *array)
{
	unsigned short *values;
	int err;

	ipc_unlock(&set->perm);
	values = kvmalloc_array(set->nsems, sizeof(*values), GFP_KERNEL);
	ipc_lock(&set->perm);
	if (!values)
		return -ENOMEM;
	err = set->perm.deleted ? -EIDRM : 0;
	for (int i = 0; i < set->nsems; i++)
		values[i] = set->sems[i].value;
	ipc_unlock(&set->perm);
	if (!err && copy_to_user(array, values, set->nsems * sizeof(*values)))
		err = -EFAULT;
	kvfree(values);
	ipc_lock(&set->perm);
	return err;
}

static int check_values(const unsigned short *values, int count)
{
	for (int i = 0; i < count; i++)
		if (values[i] > SEMVMX)
			return -ERANGE;
	return 0;
}

static int sem_setall(struct sem_set *set, const unsigned short __user *array)
{
	unsigned short *values;
	int err;

	ipc_unlock(&set->perm);
	values = vmemdup_user(array, set->nsems * sizeof(*values));
	err = IS_ERR(values) ? PTR_ERR(values) : check_values(values, set->nsems);
	ipc_lock(&set->perm);
	if (!err && set->perm.deleted)
		err = -EIDRM;
	if (!err) {
		sem_clear_undos(set, 0, set->nsems);
		for (int i = 0; i < set->nsems; i++)
			set_one(set, i, values[i]);
		set->ctime = ktime_get_real_seconds();
		sem_try_waiters(set);
	}
	ipc_unlock(&set->perm);
	if (!IS_ERR(values))
		kvfree(values);
	ipc_lock(&set->perm);
	return err;
}

static int sem_values(int semid, int semnum, int cmd, unsigned short __user *array)
{
	struct kern_ipc_perm *perm = ipc_lock_get(sem_ids(), semid);
	int ret;

	if (IS_ERR(perm))
		return PTR_ERR(perm);
	ret = ipcperms(perm, cmd == SETALL ? S_IWUGO : S_IRUGO);
	if (!ret) {
		if (cmd == GETALL)
			ret = sem_getall(to_set(perm), array);
		else if (cmd == SETALL)
			ret = sem_setall(to_set(perm), array);
		else
			ret = get_one(to_set(perm), semnum, cmd);
	}
	ipc_unlock_put(perm);
	return ret;
}

long sys_semctl(int semid, int semnum, int cmd, unsigned long arg)
{
	void __user *buf = (void __user *)arg;
	struct semid64_ds in = { 0 };

	if (semid < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return sem_info(cmd, buf);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return sem_stat(semid, cmd, buf);
	case GETALL:
	case SETALL:
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return sem_values(semid, semnum, cmd, buf);
	case SETVAL:
		return sem_setval(semid, semnum, (int)arg);
	case IPC_SET:
		if (semid_from_user(&in, buf))
			return -EFAULT;
		fallthrough;
	case IPC_RMID:
		return sem_change(semid, cmd, &in);
	default:
		return -EINVAL;
	}
}

/* ---- /proc ---- */

static void sem_show(struct seq_file *m, struct kern_ipc_perm *perm)
{
	const struct sem_set *set = to_set(perm);

	seq_printf(m, "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n", perm->key, perm->id, perm->mode, set->nsems,
		   perm->uid, perm->gid, perm->cuid, perm->cgid, (u64)set->otime, (u64)set->ctime);
}

static const struct ipc_proc sem_proc = {
	.heading = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
	.kind = IPC_SEM_IDS, .show = sem_show,
};
static const struct ctl_table sem_table[] = { { "sem", sem_ctls, sizeof(sem_ctls), 0644, proc_dointvec }, { } };

static int __init sem_init(void)
{
	int err = register_sysctl("kernel", sem_table);

	return err ? err : ipc_proc_create("sem", &sem_proc);
}
fs_initcall(sem_init);
