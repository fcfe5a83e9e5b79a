/*
 * user_namespace.h: user and group ids, and capabilities, that mean something only inside.
 *
 * Idea:    inside the kernel every id is a number of the first namespace (kuid_t, kgid_t).  A namespace's maps say which of
 *          them has which number inside: they are applied where ids come from user memory (make_kuid) and where they go
 *          there (from_kuid).  Each cred is in one namespace, and its capabilities hold for things that belong to that
 *          namespace or to one below: every other namespace (of mounts, pids, names...) belongs to a user namespace.
 *          Who made a namespace has all capabilities in it.
 *
 *              uid_map of ns:   0 1000 1     inside 0 <-> outside 1000, one id
 *
 * Counts:  each cred, child namespace, and namespace of another kind that belongs to it keeps one; init_user_ns is not
 *          counted (so fork and setuid stay as they were).
 * Locking: the maps are written once, under userns_state_mutex: nr_extents is stored last, with a barrier.
 * See:     user_namespaces(7); kernel/task/user_namespace.c, uid_map.c, capability.c
 */
#ifndef WEFT_USER_NAMESPACE_H
#define WEFT_USER_NAMESPACE_H

#include <weft/capability.h>
#include <weft/list.h>
#include <weft/nsproxy.h>
#include <weft/rcu.h>
#include <weft/types.h>

struct cred;
struct inode;
struct key;
struct seq_file;

#define MAX_USER_NS_LEVEL	32
#define UID_GID_MAX_EXTENTS	340		/* lines of a map, as Linux has it */

struct uid_gid_extent {
	u32	first;				/* inside */
	u32	lower_first;			/* as a number of the first namespace */
	u32	count;
};

struct uid_gid_map {
	u32			nr_extents;	/* 0: not written yet */
	struct uid_gid_extent	one;		/* the usual case: a single line */
	struct uid_gid_extent	*many;		/* [I] all lines when there are more, sorted by first; kmalloc'ed */
};

struct user_namespace {
	struct ns_common	ns;
	struct uid_gid_map	uid_map, gid_map, projid_map;
	struct user_namespace	*parent;	/* [I] + reference; NULL: the first */
	unsigned int		level;		/* [I] */
	kuid_t			owner;		/* [I] who made it */
	kgid_t			group;
	bool			setgroups_allowed;	/* [userns_state_mutex] */
	bool			parent_could_setfcap;	/* [I] its maker had CAP_SETFCAP: may map the parent's root */
	struct key		*keyring_register, *persistent_register;	/* set once: its users' keyrings */
	struct list_head	keyring_names;	/* kernel/security/keys/keyring.c: of sessions; zeroes: none yet */
	struct rcu_head		rcu;
};
extern struct user_namespace init_user_ns;
extern const struct ns_type userns_type;

static inline struct user_namespace *get_user_ns(struct user_namespace *ns)
{
	if (ns != &init_user_ns)
		refcount_inc(&ns->ns.count);
	return ns;
}
void put_user_ns(struct user_namespace *ns);	/* any context */

int create_user_ns(struct cred *new);		/* new is in a new namespace, with all capabilities there.  0 or -errno */
int unshare_userns(u64 flags, struct cred **new);	/* *new: credentials for current in a new one; NULL: not asked */
bool in_userns(const struct user_namespace *ancestor, const struct user_namespace *child);	/* or the same */
bool current_in_userns(const struct user_namespace *ns);
bool userns_may_setgroups(const struct user_namespace *ns);
#define current_user_ns()	(current_cred()->user_ns)

/* From a number inside ns: INVALID_UID when nothing is mapped there.  And back: (uid_t)-1. */
kuid_t make_kuid(const struct user_namespace *ns, uid_t uid);
kgid_t make_kgid(const struct user_namespace *ns, gid_t gid);
uid_t from_kuid(const struct user_namespace *ns, kuid_t uid);
gid_t from_kgid(const struct user_namespace *ns, kgid_t gid);
/* ... with the overflow id (nobody) for those that are not mapped. */
uid_t from_kuid_munged(const struct user_namespace *ns, kuid_t uid);
gid_t from_kgid_munged(const struct user_namespace *ns, kgid_t gid);
static inline bool kuid_has_mapping(const struct user_namespace *ns, kuid_t uid) { return from_kuid(ns, uid) != (uid_t)-1; }
static inline bool kgid_has_mapping(const struct user_namespace *ns, kgid_t gid) { return from_kgid(ns, gid) != (gid_t)-1; }
struct user_namespace *seq_user_ns(const struct seq_file *m);	/* of who opened the file */
extern int overflowuid, overflowgid;

/* The maps as text: kernel/fs/proc/uid_map.c.  opener: who opened the file. */
enum map_kind { UID_MAP, GID_MAP, PROJID_MAP };
bool userns_map_line(struct user_namespace *ns, struct user_namespace *reader, enum map_kind kind, u32 index,
		     struct uid_gid_extent *line);
int userns_set_map(const struct cred *opener, struct user_namespace *ns, enum map_kind kind, char *text);
int userns_set_setgroups(struct user_namespace *ns, bool allow);

/* Has the running task, or somebody else, the capability over what belongs to ns? */
bool ns_capable(const struct user_namespace *ns, int cap);
bool ns_capable_noaudit(const struct user_namespace *ns, int cap);
bool cap_over(const struct cred *cred, const struct user_namespace *ns, int cap);
bool has_ns_capability(struct task_struct *t, const struct user_namespace *ns, int cap);
/* Over an inode: in the caller's namespace, if the owner and group of the inode are known there. */
bool capable_wrt_inode_uidgid(const struct inode *inode, int cap);
bool privileged_wrt_inode_uidgid(const struct user_namespace *ns, const struct inode *inode);

#endif
