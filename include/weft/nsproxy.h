/*
 * nsproxy.h: which namespaces a task is in.
 *
 * Idea:    a namespace is one instance of something that a kernel otherwise has once (the host's name, the tree of mounts).
 *          Tasks that share all of them share one struct nsproxy, so fork takes one count; whoever enters another
 *          namespace of any kind gets a new nsproxy.  A nsproxy does not change once a task points to it.
 *
 *              task --> nsproxy (count: tasks) --> uts_namespace   (count: nsproxies, open files of /proc/PID/ns)
 *                                              --> mnt_namespace
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
struct ns_common;
struct task_struct;
struct mnt_namespace;
struct uts_namespace;

/* A kind of namespace. */
struct ns_type {
	const char	*name;				/* in /proc/PID/ns */
	int		clone_flag;
	struct ns_common *(*of)(struct nsproxy *ns);
	void		(*put)(struct ns_common *ns);	/* may sleep */
	/* setns(): may the running task enter?  0 or -errno; if so *new gets it instead of what it has. */
	int		(*install)(struct nsproxy *new, struct ns_common *ns);
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

struct nsproxy {
	refcount_t		count;
	struct uts_namespace	*uts;
	struct mnt_namespace	*mnt;
};
extern struct nsproxy init_nsproxy;

/* The kinds that there can be more than one of. */
#define NS_KINDS	(CLONE_NEWUTS | CLONE_NEWNS)

int copy_namespaces(u64 flags, struct task_struct *p);	/* fork: p->fs is p's own already */
/* unshare(): new namespaces for what flags name; fs: the caller's own, or the copy that it will get.  NULL: none asked. */
int unshare_namespaces(u64 flags, struct fs_struct *fs, struct nsproxy **new);
void switch_namespaces(struct nsproxy *new);		/* the running task's; takes over the reference */
void exit_namespaces(struct task_struct *p);		/* may sleep */
void put_nsproxy(struct nsproxy *ns);
struct nsproxy *get_task_nsproxy(struct task_struct *p);	/* + reference; NULL: it has gone */

/* ---- uts: kernel/task/utsname.c ---- */
extern const struct ns_type uts_ns_type;
struct uts_namespace *copy_uts_ns(u64 flags, struct uts_namespace *old);	/* + reference; ERR_PTR */
void put_uts_ns(struct uts_namespace *ns);

/* ---- mnt: kernel/fs/mnt_namespace.c ---- */
extern const struct ns_type mnt_ns_type;
extern struct mnt_namespace init_mnt_ns;
/* fs: its root and working directory move to the copies of their mounts. */
struct mnt_namespace *copy_mnt_ns(u64 flags, struct mnt_namespace *old, struct fs_struct *fs);
void put_mnt_ns(struct mnt_namespace *ns);
bool mnt_ns_may_be_bound(const struct ns_common *ns);	/* does no circle of namespaces come of it? */
void mnt_ns_enter(struct mnt_namespace *ns);	/* the running task's root and working directory become its root */

/* kernel/fs/nsfs.c */
struct file;
struct ns_common *ns_of_file(struct file *file);	/* no new reference; ERR_PTR(-EINVAL): not such a file */
struct dentry;
struct ns_common *ns_of_dentry(const struct dentry *dentry);	/* no new reference; NULL: not such a file */

#endif
