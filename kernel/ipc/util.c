/*
 * util.c: numbers, keys, rights and life of System V objects; /proc/sysvipc.
 *
 * Idea:    see util.h.  A look-up takes no lock but the object's own, which it may take because the object is freed only
 *          after an RCU period; `deleted` then tells whether it came too late:
 *
 *              CPU 0: semop(id)                        CPU 1: semctl(id, IPC_RMID)
 *              rcu_read_lock; finds the object         rwsem, perm->lock
 *              spin_lock(perm->lock): waits            out of the idr, deleted = true
 *                                                      unlock; last reference: freed after an RCU period
 *              sees deleted: -EIDRM; rcu_read_unlock
 *
 *          A reference is taken only from an object that is not deleted, so its count is not zero.
 * Cost:    by number: a walk of the idr; by key: a hash chain.
 * See:     spec.md §8; sysvipc(7), proc(5)
 */
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include "util.h"

/* ---- making and removing ---- */

static struct kern_ipc_perm *find_key(struct ipc_ids *ids, key_t key)
{
	struct kern_ipc_perm *perm;

	hash_for_each_possible(ids->keys, perm, by_key, key)
		if (perm->key == key)
			return perm;
	return NULL;
}

/* The next index in turn; when the turn begins again, with a new sequence number. */
static int take_index(struct ipc_ids *ids, struct kern_ipc_perm *perm)
{
	int end = clamp(ids->in_use * 3 / 2, IPC_MIN_CYCLE, IPCMNI);
	int index = idr_alloc_cyclic(&ids->idr, perm, 0, end, GFP_KERNEL);

	if (index < 0)
		return index;
	if (index <= ids->last_index)
		ids->seq = (ids->seq + 1) & (INT_MAX >> IPCMNI_SHIFT);
	ids->last_index = index;
	return index;
}

int ipc_add(struct ipc_ids *ids, struct kern_ipc_perm *perm, const struct ipc_params *params, int limit)
{
	int index;

	if (ids->in_use >= min(limit, IPCMNI))
		return -ENOSPC;
	spin_lock_init(&perm->lock);
	refcount_set(&perm->refcount, 1);
	perm->deleted = true;			/* for who finds it between take_index() and the end */
	perm->id = -1;
	perm->key = params->key;
	perm->mode = params->flg & S_IRWXUGO;
	perm->uid = perm->cuid = current_euid();
	perm->gid = perm->cgid = current_egid();
	INIT_HLIST_NODE(&perm->by_key);
	index = take_index(ids, perm);
	if (index < 0)
		return index;
	if (perm->key != IPC_PRIVATE)
		hash_add(ids->keys, &perm->by_key, perm->key);
	ids->in_use++;
	spin_lock(&perm->lock);
	perm->seq = ids->seq;
	perm->ids = ids;
	perm->id = (ids->seq << IPCMNI_SHIFT) | index;
	perm->deleted = false;
	spin_unlock(&perm->lock);
	return perm->id;
}

void ipc_remove(struct kern_ipc_perm *perm)
{
	struct ipc_ids *ids = perm->ids;

	lockdep_assert_held(&perm->lock);
	idr_remove(&ids->idr, perm->id & (IPCMNI - 1));
	hash_del(&perm->by_key);
	ids->in_use--;
	perm->deleted = true;
}

void ipc_put(struct kern_ipc_perm *perm)
{
	if (refcount_dec_and_test(&perm->refcount))
		kvfree_rcu(perm, rcu);
}

static int check_found(struct kern_ipc_perm *perm, const struct ipc_ops *ops, const struct ipc_params *params)
{
	int err = 0;

	if ((params->flg & IPC_CREAT) && (params->flg & IPC_EXCL))
		return -EEXIST;
	spin_lock(&perm->lock);
	if (ops->fits)
		err = ops->fits(perm, params);
	if (!err)
		err = ipcperms(perm, params->flg);
	spin_unlock(&perm->lock);
	return err ? err : perm->id;
}

int ipcget(struct ipc_ids *ids, const struct ipc_ops *ops, const struct ipc_params *params)
{
	struct kern_ipc_perm *perm = NULL;
	int ret;

	down_write(&ids->rwsem);
	if (params->key != IPC_PRIVATE)
		perm = find_key(ids, params->key);
	if (perm)
		ret = check_found(perm, ops, params);
	else if (params->key == IPC_PRIVATE || (params->flg & IPC_CREAT))
		ret = ops->make(params);
	else
		ret = -ENOENT;
	up_write(&ids->rwsem);
	return ret;
}

/* ---- look-up ---- */

static struct kern_ipc_perm *lock_index(struct ipc_ids *ids, int index, int id) __no_context_analysis	/* see util.h */
{
	struct kern_ipc_perm *perm;

	rcu_read_lock();
	perm = idr_find(&ids->idr, index);
	if (!perm || (id >= 0 && READ_ONCE(perm->id) != id)) {
		perm = ERR_PTR(-EINVAL);
	} else {
		spin_lock(&perm->lock);
		if (!perm->deleted) {
			refcount_inc(&perm->refcount);
		} else {
			spin_unlock(&perm->lock);
			perm = ERR_PTR(-EIDRM);
		}
	}
	rcu_read_unlock();
	return perm;
}

struct kern_ipc_perm *ipc_lock_get(struct ipc_ids *ids, int id)
{
	return id < 0 ? ERR_PTR(-EINVAL) : lock_index(ids, id & (IPCMNI - 1), id);
}

struct kern_ipc_perm *ipc_lock_get_index(struct ipc_ids *ids, int index)
{
	return index < 0 ? ERR_PTR(-EINVAL) : lock_index(ids, index & (IPCMNI - 1), -1);
}

int ipc_max_index(struct ipc_ids *ids)
{
	struct kern_ipc_perm *perm;
	int index, max = 0;

	idr_for_each_entry(&ids->idr, perm, index)
		max = index;
	return max;
}

void ipc_destroy_all(struct ipc_ids *ids, void (*destroy)(struct kern_ipc_perm *perm))
{
	struct kern_ipc_perm *perm;
	int index;

	down_write(&ids->rwsem);
	idr_for_each_entry(&ids->idr, perm, index) {
		ipc_lock(perm);
		destroy(perm);
	}
	up_write(&ids->rwsem);
}

/* ---- rights ---- */

int ipcperms(const struct kern_ipc_perm *perm, int flg)
{
	int wanted = (flg >> 6) | (flg >> 3) | flg, granted = perm->mode;

	if (current_euid() == perm->cuid || current_euid() == perm->uid)
		granted >>= 6;
	else if (in_group_p(perm->cgid) || in_group_p(perm->gid))
		granted >>= 3;
	return (wanted & ~granted & 7) && !ns_capable(perm->ids->ns->user_ns, CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_may_control(const struct kern_ipc_perm *perm)
{
	if (current_euid() == perm->cuid || current_euid() == perm->uid ||
	    ns_capable(perm->ids->ns->user_ns, CAP_SYS_ADMIN))
		return 0;
	return -EPERM;
}

void ipc_to_user(const struct kern_ipc_perm *perm, struct ipc64_perm *out)
{
	const struct user_namespace *ns = current_user_ns();

	out->key = perm->key;
	out->uid = from_kuid_munged(ns, perm->uid);
	out->gid = from_kgid_munged(ns, perm->gid);
	out->cuid = from_kuid_munged(ns, perm->cuid);
	out->cgid = from_kgid_munged(ns, perm->cgid);
	out->mode = perm->mode;
	out->seq = perm->seq;
}

int ipc_set(struct kern_ipc_perm *perm, const struct ipc64_perm *in)
{
	kuid_t uid = make_kuid(current_user_ns(), in->uid);
	kgid_t gid = make_kgid(current_user_ns(), in->gid);

	if (!uid_valid(uid) || !gid_valid(gid))
		return -EINVAL;
	perm->uid = uid;
	perm->gid = gid;
	perm->mode = (perm->mode & ~S_IRWXUGO) | (in->mode & S_IRWXUGO);
	return 0;
}

/* ---- /proc/sysvipc ---- */

/* Position 0 is the heading, index + 1 the object with that index.  One reference is held between next and show. */
static void *proc_find(struct seq_file *m, loff_t *pos)
{
	struct ipc_ids *ids = current_ids(((const struct ipc_proc *)m->private)->kind);
	struct kern_ipc_perm *perm;
	int index = *pos - 1;

	for (; index < IPCMNI; index++) {
		rcu_read_lock();
		perm = idr_get_next(&ids->idr, &index);
		rcu_read_unlock();
		if (!perm)
			return NULL;
		perm = ipc_lock_get_index(ids, index);
		if (!IS_ERR(perm)) {
			*pos = index + 1;
			ipc_unlock(perm);
			return perm;
		}
	}
	return NULL;
}

static void *proc_start(struct seq_file *m, loff_t *pos)
{
	if (*pos < 0 || *pos > IPCMNI)
		return NULL;
	return *pos ? proc_find(m, pos) : SEQ_START_TOKEN;
}

static void proc_stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		ipc_put(v);
}

static void *proc_next(struct seq_file *m, void *v, loff_t *pos)
{
	proc_stop(m, v);
	++*pos;
	return *pos > IPCMNI ? NULL : proc_find(m, pos);
}

static int proc_show(struct seq_file *m, void *v)
{
	const struct ipc_proc *proc = m->private;
	struct kern_ipc_perm *perm = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, proc->heading);
		return 0;
	}
	spin_lock(&perm->lock);
	if (!perm->deleted)
		proc->show(m, perm);
	spin_unlock(&perm->lock);
	return 0;
}

static const struct seq_operations proc_sops = {
	.start = proc_start, .next = proc_next, .stop = proc_stop, .show = proc_show,
};

static int ipc_proc_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, &proc_sops);

	if (!err)
		((struct seq_file *)file->private_data)->private = pde_data(inode);
	return err;
}

static const struct proc_ops ipc_proc_ops = {
	.proc_open = ipc_proc_open, .proc_read_iter = seq_read_iter, .proc_lseek = seq_lseek, .proc_release = seq_release,
};

int __init ipc_proc_create(const char *name, const struct ipc_proc *proc)
{
	char path[32];

	snprintf(path, sizeof(path), "sysvipc/%s", name);
	return proc_create_data(path, 0444, NULL, &ipc_proc_ops, (void *)proc) ? 0 : -ENOMEM;
}
