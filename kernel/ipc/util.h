/*
 * util.h: what the three kinds of System V objects have in common; private to kernel/ipc.
 *
 * Idea:    an object begins with struct kern_ipc_perm.  Its number is (seq << 15) | index: the index finds it in an idr, seq
 *          tells it from others that had the index before, so a stale number finds nothing.
 * Counts:  refcount: 1 while the object can be found, +1 for who sleeps on it or keeps a pointer.  The last ipc_put() frees
 *          after an RCU period, so a look-up under rcu_read_lock() may always lock what it found.
 * Locking: ids->rwsem: written to add and remove, read to go through all.  perm->lock: everything in the object.
 *          mmap_lock -> rwsem -> perm->lock.
 * See:     spec.md §8; sysvipc(7)
 */
#ifndef IPC_UTIL_H
#define IPC_UTIL_H

#include <weft/hashtable.h>
#include <weft/idr.h>
#include <weft/nsproxy.h>
#include <weft/rcu.h>
#include <weft/refcount.h>
#include <weft/rwsem.h>
#include <weft/sched.h>
#include <weft/spinlock.h>
#include <uapi/ipc.h>

#define IPCMNI_SHIFT	15
#define IPCMNI		(1 << IPCMNI_SHIFT)
#define IPC_MIN_CYCLE	64			/* indices go round among at least so many: old numbers stay unknown for long */

/* The first member of each object, which starts at the same address. */
struct kern_ipc_perm {
	spinlock_t		lock;
	bool			deleted;	/* out of the idr: who slept on it leaves with -EIDRM */
	int			id;		/* [I] */
	key_t			key;		/* [rwsem] IPC_PRIVATE: found by number only */
	kuid_t			uid, cuid;	/* owner; maker [I] */
	kgid_t			gid, cgid;
	umode_t			mode;		/* rights, SHM_DEST, SHM_LOCKED */
	unsigned short		seq;		/* [I] */
	refcount_t		refcount;
	struct hlist_node	by_key;		/* [rwsem] */
	struct ipc_ids		*ids;		/* [I] where it is known */
	struct rcu_head		rcu;
};

enum ipc_kind { IPC_SEM_IDS, IPC_MSG_IDS, IPC_SHM_IDS, IPC_KINDS };

/* The objects of one kind in one namespace. */
struct ipc_ids {
	struct ipc_namespace	*ns;		/* [I] */
	struct rw_semaphore	rwsem;
	struct idr		idr;		/* [r:rwsem] */
	int			in_use;		/* [rwsem] */
	int			last_index;
	unsigned short		seq;
	struct hlist_head	keys[64];	/* [rwsem] */
	unsigned long		total;		/* [rwsem] pages of segments, semaphores of sets */
};

/* Namespaces of System V objects and of message queues: namespace.c. */
struct ipc_namespace {
	struct ns_common	ns;		/* + a count for each attached segment */
	struct user_namespace	*user_ns;	/* [I] it belongs to, + reference */
	struct ipc_ids		ids[IPC_KINDS];
	struct vfsmount		*mq_mnt;	/* [I] its mqueue file system */
};
static inline struct ipc_ids *current_ids(enum ipc_kind kind) { return &current->nsproxy->ipc->ids[kind]; }
static inline struct ipc_ids *sem_ids(void) { return current_ids(IPC_SEM_IDS); }
static inline struct ipc_ids *msg_ids(void) { return current_ids(IPC_MSG_IDS); }
static inline struct ipc_ids *shm_ids(void) { return current_ids(IPC_SHM_IDS); }
/* The namespace ends, nobody can reach its objects any more: all of them go. */
void sem_exit_ns(struct ipc_namespace *ns);
void msg_exit_ns(struct ipc_namespace *ns);
void shm_exit_ns(struct ipc_namespace *ns);
void ipc_destroy_all(struct ipc_ids *ids, void (*destroy)(struct kern_ipc_perm *perm));	/* called with the object locked */
int mq_init_ns(struct ipc_namespace *ns);	/* mqueue_fs.c: 0 or -errno */
void mq_exit_ns(struct ipc_namespace *ns);

/* What ipcget() is to make or to find. */
struct ipc_params {
	key_t	key;
	int	flg;
	size_t	size;				/* bytes, or semaphores */
};
struct ipc_ops {
	/* Makes an object and returns its number; ids->rwsem is held for writing. */
	int	(*make)(const struct ipc_params *params);
	/* Is the object that has the key big enough?  0 or -EINVAL.  Object locked; may be NULL. */
	int	(*fits)(struct kern_ipc_perm *perm, const struct ipc_params *params);
};

/* The common part of shmget(), semget() and msgget(): the number or -errno. */
int ipcget(struct ipc_ids *ids, const struct ipc_ops *ops, const struct ipc_params *params);
/*
 * Fills perm in for the running task and makes the object, of which all else is ready, known; rwsem held for writing.
 * limit: how many there may be.  The number, -ENOSPC or -ENOMEM.
 */
int ipc_add(struct ipc_ids *ids, struct kern_ipc_perm *perm, const struct ipc_params *params, int limit);
/* rwsem held for writing, object locked: from here on nobody finds it.  The caller then unlocks and puts. */
void ipc_remove(struct kern_ipc_perm *perm);

/* The object with this number, locked and with a reference; ERR_PTR(-EINVAL): no such, (-EIDRM): just gone. */
struct kern_ipc_perm *ipc_lock_get(struct ipc_ids *ids, int id);
/* The same by index, for *_STAT and *_INFO. */
struct kern_ipc_perm *ipc_lock_get_index(struct ipc_ids *ids, int index);
void ipc_put(struct kern_ipc_perm *perm);

/*
 * The object's lock.  Not seen by the static analysis: it is held only if a look-up returned no error, and has two names,
 * perm->lock and queue->perm.lock.
 */
static inline void ipc_lock(struct kern_ipc_perm *perm) __no_context_analysis
{
	spin_lock(&perm->lock);
}
static inline void ipc_unlock(struct kern_ipc_perm *perm) __no_context_analysis
{
	spin_unlock(&perm->lock);
}
static inline void ipc_unlock_put(struct kern_ipc_perm *perm)
{
	ipc_unlock(perm);
	ipc_put(perm);
}

/* May the running task do what flg says (rights as in a mode, any of the three places)?  0 or -EACCES.  Object locked. */
int ipcperms(const struct kern_ipc_perm *perm, int flg);
/* IPC_SET, IPC_RMID: owner, maker or CAP_SYS_ADMIN.  0 or -EPERM. */
int ipc_may_control(const struct kern_ipc_perm *perm);
void ipc_to_user(const struct kern_ipc_perm *perm, struct ipc64_perm *out);
int ipc_set(struct kern_ipc_perm *perm, const struct ipc64_perm *in);	/* IPC_SET's part; 0 or -EINVAL */
int ipc_max_index(struct ipc_ids *ids);	/* highest index in use, 0 for none; rwsem held */

/* compat.c: the structures in user memory, as a 64-bit or a 32-bit program has them.  0 or -EFAULT. */
int semid_to_user(void __user *buf, const struct semid64_ds *ds);
int semid_from_user(struct semid64_ds *ds, const void __user *buf);
int msqid_to_user(void __user *buf, const struct msqid_ds *ds);
int msqid_from_user(struct msqid_ds *ds, const void __user *buf);
int shmid_to_user(void __user *buf, const struct shmid_ds *ds);
int shmid_from_user(struct shmid_ds *ds, const void __user *buf);
int shminfo_to_user(void __user *buf, const struct shminfo64 *info);
int shm_info_to_user(void __user *buf, const struct shm_info *info);
/* The type in front of a message: where the text is, or NULL (-EFAULT). */
char __user *msg_type_from_user(long *type, struct msgbuf __user *msgp);
char __user *msg_type_to_user(struct msgbuf __user *msgp, long type);

/* /proc/sysvipc/NAME: a heading, then show(m, perm) for each object, locked. */
struct seq_file;
struct ipc_proc {
	const char	*heading;
	enum ipc_kind	kind;
	void		(*show)(struct seq_file *m, struct kern_ipc_perm *perm);
};
int ipc_proc_create(const char *name, const struct ipc_proc *proc);

#endif
