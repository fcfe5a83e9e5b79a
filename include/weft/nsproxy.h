/*
 * nsproxy.h: which namespaces a task is in.
 *
 * Idea:    a namespace is one instance of something that a kernel otherwise has once (the host's name, the tree of mounts).
 *          Tasks that share all of them share one struct nsproxy, so fork takes one count; whoever enters another
 *          namespace of any kind gets a new nsproxy.  A nsproxy does not change once a task points to it.
 *
 *              task --> nsproxy (count: tasks) --> uts_namespace   (count: nsproxies, open files of /proc/PID/ns)
 *                                              --> mnt_namespace
 *                                              --> pid_namespace of its children (its own: with its struct pid)
 *                   --> cred                   --> user_namespace
 *
 * Locking: one's own: none.  Another's: task_lock(); it is NULL when the task has gone.
 * See:     namespaces(7), setns(2), unshare(2); kernel/task/nsproxy.c, kernel/fs/nsfs.c
 */
#ifndef WEFT_NSPROXY_H
#define WEFT_NSPROXY_H

#include <weft/types.h>
#include <weft/refcount.h>
#include <uapi/sched.h>

struct fs_struct;
struct nsproxy;
struct cred;
struct ns_common;
struct pid_namespace;
struct task_struct;
struct user_namespace;
struct mnt_namespace;
struct uts_namespace;

/* What setns() is about to give to the running task. */
struct nsset {
	struct nsproxy	*nsproxy;		/* a copy of its own */
	struct cred	*cred;			/* of who will be in it: a copy to change when a user namespace is entered */
};

/* A kind of namespace. */
struct ns_type {
	const char	*name;				/* as the link in /proc/PID/ns reads */
	const char	*link;				/* the link's own name where it is another one */
	int		clone_flag;
	struct ns_common *(*of)(struct nsproxy *ns);	/* for those that a nsproxy has */
	struct ns_common *(*get)(struct task_struct *task);	/* for the others: + reference; NULL: the task has none */
	void		(*put)(struct ns_common *ns);	/* may sleep */
	/* setns(): may the running task enter?  0 or -errno; if so *set gets it instead of what it has. */
	int		(*install)(struct nsset *set, struct ns_common *ns);
	struct user_namespace *(*owner)(struct ns_common *ns);	/* it belongs to; NULL: none, for the first user namespace */
	struct ns_common *(*parent)(struct ns_common *ns);	/* + reference; ERR_PTR(-EPERM).  NULL: the kind has no tree */
};

/* What each namespace begins with. */
struct ns_common {
	refcount_t		count;
	unsigned int		inum;			/* [I] its number: inode of its file, unique while it lives */
	const struct ns_type	*type;			/* [I] */
};
static inline struct ns_common *ns_get(struct ns_common *ns) { refcount_inc(&ns->count); return ns; }
static inline void ns_put(struct ns_common *ns) { ns->type->put(ns); }
int ns_init(struct ns_common *ns, const struct ns_type *type);	/* count 1 and a number; 0 or -ENOSPC, -ENOMEM */
void ns_free_inum(struct ns_common *ns);			/* when the last count has gone */

/* Entering what belongs to `owner` takes CAP_SYS_ADMIN there and in the user namespace in which the task will be. */
bool may_install(const struct nsset *set, const struct user_namespace *owner);

struct nsproxy {
	refcount_t		count;
	struct uts_namespace	*uts;
	struct mnt_namespace	*mnt;
	struct pid_namespace	*pid_ns_for_children;
	struct ipc_namespace	*ipc;
	struct net		*net;
	struct cgroup_namespace	*cgroup;
	struct time_namespace	*time, *time_for_children;
};
extern struct nsproxy init_nsproxy;

/* The kinds that a nsproxy has, which are all but the user namespace. */
#define NS_KINDS	(CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP | \
			 CLONE_NEWTIME)

int copy_namespaces(u64 flags, struct task_struct *p);	/* fork: p->fs and p->cred are p's own already */
/*
 * unshare(): new namespaces for what flags name, owned by user_ns; fs: the caller's own, or the copy that it will get.
 * NULL: none asked.
 */
int unshare_namespaces(u64 flags, struct user_namespace *user_ns, struct fs_struct *fs, struct nsproxy **new);
void switch_namespaces(struct nsproxy *new);		/* the running task's; takes over the reference */
int exec_namespaces(void);	/* execve: the program is in what was unshared for children.  0 or -ENOMEM */
void exit_namespaces(struct task_struct *p);		/* may sleep */
void put_nsproxy(struct nsproxy *ns);
struct nsproxy *get_task_nsproxy(struct task_struct *p);	/* + reference; NULL: it has gone */
struct ns_common *ns_of_task(struct task_struct *task, const struct ns_type *type);	/* + reference; NULL: it has gone */

/* ---- uts: kernel/task/utsname.c ---- */
extern const struct ns_type uts_ns_type;
struct uts_namespace *copy_uts_ns(u64 flags, struct user_namespace *user_ns, struct uts_namespace *old);
void put_uts_ns(struct uts_namespace *ns);

/* ---- mnt: kernel/fs/mnt_namespace.c ---- */
extern const struct ns_type mnt_ns_type;
extern struct mnt_namespace init_mnt_ns;
/* fs: its root and working directory move to the copies of their mounts. */
struct mnt_namespace *copy_mnt_ns(u64 flags, struct user_namespace *user_ns, struct mnt_namespace *old, struct fs_struct *fs);
struct user_namespace *mnt_ns_owner(const struct mnt_namespace *ns);
void put_mnt_ns(struct mnt_namespace *ns);
bool mnt_ns_may_be_bound(const struct ns_common *ns);	/* does no circle of namespaces come of it? */
struct path;
void mnt_ns_root(struct mnt_namespace *ns, struct path *root);	/* + references; what is mounted over its first mount */
void mnt_ns_enter(struct mnt_namespace *ns);	/* the running task's root and working directory become its root */

/* ---- ipc: kernel/ipc/namespace.c ---- */
struct ipc_namespace;
extern const struct ns_type ipc_ns_type;
extern struct ipc_namespace init_ipc_ns;
struct ipc_namespace *copy_ipc_ns(u64 flags, struct user_namespace *user_ns, struct ipc_namespace *old);
void put_ipc_ns(struct ipc_namespace *ns);

/* ---- net: kernel/net/net_namespace.c ---- */
struct net;
extern const struct ns_type net_ns_type;
extern struct net init_net;
struct net *copy_net_ns(u64 flags, struct user_namespace *user_ns, struct net *old);
void put_net(struct net *net);			/* any context */

/* ---- cgroup: kernel/cgroup/namespace.c ---- */
struct cgroup_namespace;
extern const struct ns_type cgroup_ns_type;
extern struct cgroup_namespace init_cgroup_ns;
struct cgroup_namespace *copy_cgroup_ns(u64 flags, struct user_namespace *user_ns, struct cgroup_namespace *old);
void put_cgroup_ns(struct cgroup_namespace *ns);

/* kernel/fs/nsfs.c */
struct file;
struct ns_common *ns_of_file(struct file *file);	/* no new reference; ERR_PTR(-EINVAL): not such a file */
struct dentry;
struct ns_common *ns_of_dentry(const struct dentry *dentry);	/* no new reference; NULL: not such a file */

#endif
