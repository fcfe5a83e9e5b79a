/*
 * cred.h: who a task is: user and group ids, capabilities.
 *
 * Idea:    a struct cred never changes once a task points to it (so reading needs no lock): to change, prepare_creds()
 *          copies, the copy is edited, commit_creds() puts it in place.  Tasks share one cred until one of them changes.
 *          current->cred is what the task acts with; real_cred is what others see when they act upon it.
 * Counts:  get_cred/put_cred; put never sleeps (the free waits for a grace period).
 * Locking: own credentials: none.  Another task's: rcu_read_lock() and __task_cred(), or get_task_cred().
 * See:     credentials(7), capabilities(7); kernel/task/cred.c
 */
#ifndef WEFT_CRED_H
#define WEFT_CRED_H

#include <weft/types.h>
#include <weft/capability.h>
#include <weft/key.h>
#include <weft/refcount.h>
#include <weft/atomic.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/user_namespace.h>

#define NGROUPS_MAX	65536
#define SUID_DUMP_DISABLE	0	/* mm's dumpable value: nobody may look */
#define SUID_DUMP_USER		1	/* its owner may */
#define SUID_DUMP_ROOT		2	/* only root may */
extern int suid_dumpable;		/* for programs that changed ids: /proc/sys/fs/suid_dumpable */

struct landlock_ruleset;

/* What all tasks of one user share: counts against per-user limits. */
struct user_struct {
	refcount_t		__count;
	kuid_t			uid;		/* [I] */
	struct hlist_node	uidhash_node;	/* [uidhash_lock] */
	atomic_long_t		processes;	/* RLIMIT_NPROC */
	atomic_long_t		sigpending;	/* RLIMIT_SIGPENDING */
	atomic_long_t		epoll_watches;
	atomic_long_t		pipe_bufs;
	atomic_long_t		locked_vm;
	atomic_long_t		unix_inflight;
	atomic_long_t		mq_bytes;	/* RLIMIT_MSGQUEUE */
	atomic_long_t		inotify_instances, inotify_watches;
};
extern struct user_struct root_user;
struct user_struct *alloc_uid(kuid_t uid);	/* finds or makes; NULL when out of memory.  May sleep */
struct user_struct *find_user(kuid_t uid);	/* + reference, or NULL */
void free_uid(struct user_struct *up);		/* any context; NULL is fine */
static inline struct user_struct *get_uid(struct user_struct *u) { refcount_inc(&u->__count); return u; }

/* Supplementary groups, sorted. */
struct group_info {
	refcount_t	usage;
	int		ngroups;
	kgid_t		gid[];
};
struct group_info *groups_alloc(int n);		/* may sleep; NULL */
void groups_free(struct group_info *gi);
void groups_sort(struct group_info *gi);
int set_current_groups(struct group_info *gi);	/* kgid_t, not sorted; INVALID_GID among them: -EINVAL */
bool may_setgroups(void);
bool groups_search(const struct group_info *gi, kgid_t gid);
static inline struct group_info *get_group_info(struct group_info *gi) { refcount_inc(&gi->usage); return gi; }
static inline void put_group_info(struct group_info *gi)
{
	if (refcount_dec_and_test(&gi->usage))
		groups_free(gi);
}
bool in_group_p(kgid_t gid);			/* fsgid or a supplementary group of the running task */

struct cred {
	refcount_t		usage;
	kuid_t			uid;		/* real: who */
	kgid_t			gid;
	kuid_t			suid;		/* saved: what it may go back to */
	kgid_t			sgid;
	kuid_t			euid;		/* effective: what checks look at */
	kgid_t			egid;
	kuid_t			fsuid;		/* for files; follows euid */
	kgid_t			fsgid;
	unsigned int		securebits;
	kernel_cap_t		cap_inheritable;
	kernel_cap_t		cap_permitted;
	kernel_cap_t		cap_effective;
	kernel_cap_t		cap_bset;	/* no execve gives more than this */
	kernel_cap_t		cap_ambient;	/* kept over an execve without privileges */
	struct user_namespace	*user_ns;	/* where the capabilities hold; a reference (init_user_ns: none) */
	struct user_struct	*user;		/* of the real uid; a reference */
	struct group_info	*group_info;	/* a reference */
	struct cred_keys	keys;		/* keyrings; references */
	struct landlock_ruleset	*landlock;	/* what the task has restricted itself to; a reference, or NULL */
	struct rcu_head		rcu;
};
extern struct cred init_cred;

void cred_init(void);
void __put_cred(struct cred *cred);
static inline const struct cred *get_cred(const struct cred *cred)
{
	if (cred)
		refcount_inc(&((struct cred *)cred)->usage);
	return cred;
}
static inline struct cred *get_new_cred(struct cred *cred) { refcount_inc(&cred->usage); return cred; }
static inline void put_cred(const struct cred *_cred)
{
	struct cred *cred = (struct cred *)_cred;

	if (cred && refcount_dec_and_test(&cred->usage))
		__put_cred(cred);
}
struct cred *prepare_creds(void);		/* a copy to edit; NULL when out of memory.  May sleep */
struct cred *prepare_exec_creds(void);
struct cred *prepare_kernel_cred(struct task_struct *daemon);
int commit_creds(struct cred *new);		/* consumes new; 0 */
bool cred_gains_rights(const struct cred *old, const struct cred *new);	/* new may do what old may not */
void abort_creds(struct cred *new);
const struct cred *override_creds(const struct cred *new);	/* for a while; returns the old for revert_creds() */
void revert_creds(const struct cred *old);
int copy_creds(struct task_struct *p, u64 clone_flags);	/* 0, or -errno with nothing held */
void exit_creds(struct task_struct *tsk);
const struct cred *get_task_cred(struct task_struct *task);	/* objective, + reference */

#define current_cred()		(current->cred)
#define get_current_cred()	get_cred(current_cred())
#define __task_cred(task)	rcu_dereference((task)->real_cred)
#define current_cred_xxx(x)	(current_cred()->x)
#define current_uid()		current_cred_xxx(uid)
#define current_gid()		current_cred_xxx(gid)
#define current_euid()		current_cred_xxx(euid)
#define current_egid()		current_cred_xxx(egid)
#define current_suid()		current_cred_xxx(suid)
#define current_sgid()		current_cred_xxx(sgid)
#define current_fsuid()		current_cred_xxx(fsuid)
#define current_fsgid()		current_cred_xxx(fsgid)
#define current_user()		current_cred_xxx(user)
#define task_cred_xxx(task, x)	({ __typeof__(((struct cred *)NULL)->x) __v; rcu_read_lock(); \
				   __v = __task_cred(task)->x; rcu_read_unlock(); __v; })
#define task_uid(task)		task_cred_xxx(task, uid)
#define task_euid(task)		task_cred_xxx(task, euid)

#define GLOBAL_ROOT_UID		((kuid_t)0)
#define GLOBAL_ROOT_GID		((kgid_t)0)
#define INVALID_UID		((kuid_t)-1)
#define INVALID_GID		((kgid_t)-1)
static inline bool uid_eq(kuid_t a, kuid_t b) { return a == b; }
static inline bool gid_eq(kgid_t a, kgid_t b) { return a == b; }
static inline bool uid_valid(kuid_t uid) { return uid != INVALID_UID; }
static inline bool gid_valid(kgid_t gid) { return gid != INVALID_GID; }

#define issecure(bit)		((current_cred()->securebits & (bit)) != 0)

/* How far others may look into mm: SUID_DUMP_*. */
void set_dumpable(struct mm_struct *mm, int value);
int get_dumpable(struct mm_struct *mm);

/* execve: what the file's set-id bits and the caller's capabilities make of bprm->cred. */
struct linux_binprm;
int cap_bprm_creds_from_file(struct linux_binprm *bprm);

#endif
