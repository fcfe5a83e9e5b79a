/*
 * internal.h: what the files of kernel/fs share and nobody else sees.
 */
#ifndef WEFT_FS_INTERNAL_H
#define WEFT_FS_INTERNAL_H

#include <weft/fs.h>
#include <weft/dcache.h>
#include <weft/mount.h>
#include <weft/nsproxy.h>
#include <weft/path.h>
#include <weft/sched.h>
#include <weft/seqlock.h>
#include <weft/wait.h>
#include <weft/llist.h>
#include <weft/namei.h>

struct open_how;

/* ---- dcache.c, dcache_tree.c ---- */
void __d_rehash(struct dentry *dentry);
void __d_unhash(struct dentry *dentry);
void __d_set_inode(struct dentry *dentry, struct inode *inode);
bool dname_external(const struct dentry *dentry);
void dentry_free(struct dentry *dentry);
void get_external_name(const unsigned char *name);
void put_external_name(const unsigned char *name);
void dentry_unlink_inode(struct dentry *dentry) __releases(&dentry->d_inode->i_lock) __releases(&dentry->d_lock);
bool lock_for_kill(struct dentry *dentry);
struct dentry *dentry_kill(struct dentry *dentry);
void d_to_shrink_list(struct dentry *dentry, struct list_head *list);
void shrink_dentry_list(struct list_head *list);
void dput_to_list(struct dentry *dentry, struct list_head *list);	/* under spin locks; for shrink_dentry_list() */

/* ---- fcntl.c, inotify.c, dnotify.c ---- */
void send_sigio(struct fown_struct *fown, int fd, int band);	/* POLL_IN ...; any context */
void fsnotify_recalc_mask(struct inode *inode);		/* [i_lock] */
u32 dnotify_mask(struct inode *inode);			/* [i_lock] */
void dnotify_event(struct inode *inode, u32 mask);
void dnotify_flush(struct file *file, fl_owner_t owner);
long fcntl_dirnotify(int fd, struct file *file, unsigned long events);

/* ---- namespace.c, pnode.c ---- */

/* Changed on each CPU alone; only the sum over all CPUs means something. */
struct mnt_pcp {
	int	count;
	int	writers;
};

/* A dentry on which something is mounted.  Found by hash, so that a dentry needs only a flag. */
struct mountpoint {
	struct hlist_node	m_hash;		/* [mount_lock] */
	struct dentry		*m_dentry;	/* a reference */
	struct hlist_head	m_list;		/* [mount_lock] mounts here, in whatever tree */
	int			m_count;	/* [mount_lock] mounts, and who is about to mount */
};

/*
 * A mount.  Locking: namespace_sem (rwsem) over every change of the tree; mount_lock (seqlock) inside it over the fields
 * that a path walk reads.
 */
struct mount {
	struct hlist_node	mnt_hash;	/* [r:mount_lock] by (parent, mountpoint) */
	struct mount		*mnt_parent;	/* [mount_lock] itself for the root of a tree */
	struct dentry		*mnt_mountpoint;	/* [mount_lock] */
	struct vfsmount		mnt;
	struct rcu_head		mnt_rcu;	/* first for the deferred end, then for the grace period */
	struct llist_node	mnt_llist;	/* waiting for its end */
	struct mnt_pcp __percpu	*mnt_pcp;
	struct list_head	mnt_mounts;	/* [mount_lock] children */
	struct list_head	mnt_child;	/* [mount_lock] in the parent's mnt_mounts */
	struct list_head	mnt_instance;	/* [mount_lock] in s_mounts */
	struct list_head	mnt_list;	/* [namespace_sem] in the namespace, in order of mounting */
	struct list_head	mnt_private;	/* a private list of whoever changes the tree */
	struct list_head	mnt_share;	/* [namespace_sem] ring of peers, with MNT_SHARED */
	struct list_head	mnt_slave_list;	/* [namespace_sem] mounts that hear of what happens here */
	struct list_head	mnt_slave;	/* [namespace_sem] in the master's mnt_slave_list */
	struct mount		*mnt_master;	/* [namespace_sem] NULL: no slave */
	struct list_head	mnt_heard;	/* [namespace_sem] pnode.c: in the list of one propagation's receivers */
	struct mount		*mnt_model;	/* [namespace_sem] pnode.c: what copies in its group are made from meanwhile */
	struct mnt_namespace	*mnt_ns;	/* [namespace_sem + mount_lock] NULL: in no tree */
	struct mountpoint	*mnt_mp;	/* [mount_lock] */
	struct hlist_node	mnt_mp_list;	/* [mount_lock] in mnt_mp->m_list */
	const char		*mnt_devname;	/* [I] */
	int			mnt_id;		/* [I] */
	int			mnt_group_id;	/* [namespace_sem] of the peers; 0: none */
	bool			mnt_expired;	/* [mount_lock] MNT_EXPIRE: nobody came by since the last try */
};

struct mnt_namespace {
	struct ns_common	ns;
	struct user_namespace	*user_ns;	/* [I] it belongs to, + reference */
	struct mount		*root;		/* [namespace_sem] */
	struct list_head	list;		/* [namespace_sem] all its mounts */
	wait_queue_head_t	poll;
	u64			seq;		/* [I] those made later have greater ones */
	u64			event;		/* [mount_lock] counts changes, for poll on /proc/mounts */
	unsigned int		mounts;		/* [namespace_sem] */
	bool			anon;		/* [I] nobody is in it: open_tree.c */
};

extern seqlock_t mount_lock;
extern struct rw_semaphore namespace_sem;

static inline struct mount *real_mount(struct vfsmount *mnt) { return container_of(mnt, struct mount, mnt); }
static inline bool mnt_has_parent(const struct mount *m) { return m != m->mnt_parent; }

struct mount *__lookup_mnt(struct vfsmount *mnt, struct dentry *dentry);	/* under RCU or mount_lock */
struct vfsmount *lookup_mnt(const struct path *path);			/* + reference */
int __legitimize_mnt(struct vfsmount *mnt, unsigned int seq);
void detach_mounts(struct dentry *dentry);	/* what is mounted on a name that goes away */
bool is_local_mountpoint(struct dentry *dentry);
int mnt_get_write_access(struct vfsmount *mnt);
void mnt_put_write_access(struct vfsmount *mnt);
int sb_prepare_remount_readonly(struct super_block *sb);

/* The tree: namespace_sem held for writing unless said. */
#define CL_JOIN_PEERS	1		/* clone_mnt(): a copy of a shared mount becomes its peer */
#define CL_COPY_UNBINDABLE 2		/* copy_tree(): for a namespace: all of it */
#define CL_SLAVE	4		/* clone_mnt(): a copy of a shared mount becomes its slave */
#define CL_MAKE_SHARED	8		/* clone_mnt(): the copy gets a group of its own */
bool path_reachable(struct mount *mnt, struct dentry *dentry, const struct path *root);	/* or mount_lock */
bool path_is_under(const struct path *path, const struct path *root);
struct mount *alloc_mount(const char *name);
struct mount *clone_mnt(struct mount *old, struct dentry *root, int flags);
struct mount *copy_tree(struct mount *mnt, struct dentry *dentry, int flags);
struct mount *next_mnt(struct mount *p, struct mount *root);
void lock_mnt_tree(struct mount *root);			/* mnt_lock.c: all below root came from a more able namespace */
bool can_change_locked_flags(const struct mount *mnt, int new_flags);
bool has_locked_children(struct mount *mnt, struct dentry *dentry);
bool mount_too_revealing(const struct super_block *sb, int *new_flags);	/* namespace_sem held for reading */
bool may_mount(void);
void mnt_set_mountpoint(struct mount *parent, struct mountpoint *mp, struct mount *child);	/* mount_lock */
void attach_mnt(struct mount *mnt, struct mount *parent, struct mountpoint *mp);		/* mount_lock */
void commit_tree(struct mount *mnt);								/* mount_lock */
struct mountpoint *unhash_mnt(struct mount *mnt);						/* mount_lock */
struct mountpoint *get_mountpoint(struct dentry *dentry);		/* ERR_PTR; not under mount_lock */
void put_mountpoint(struct mountpoint *mp);				/* mount_lock */
void umount_tree(struct mount *mnt, bool propagate);			/* mount_lock */
int attach_recursive_mnt(struct mount *source, struct mount *dest, struct mountpoint *mp, bool moving);
struct mountpoint *lock_mount(struct path *path);			/* takes namespace_sem and the i_rwsem */
void unlock_mount(struct mountpoint *mp);
void namespace_lock(void) __acquires(&namespace_sem);
void namespace_unlock(void) __releases(&namespace_sem);	/* ends what umount_tree() took out */
void touch_mnt_namespace(struct mnt_namespace *ns);			/* mount_lock */
int mnt_get_count(struct mount *mnt);					/* mount_lock */
int mnt_make_readonly(struct mount *mnt);				/* mount_lock; -EBUSY */
bool mnt_hold_writers(struct mount *mnt);		/* mount_lock; false: there are some.  Ended by the next in any case */
void mnt_release_writers(struct mount *mnt);				/* mount_lock */
static inline void lock_mount_hash(void) __acquires(&mount_lock) { write_seqlock(&mount_lock); }
static inline void unlock_mount_hash(void) __releases(&mount_lock) { write_sequnlock(&mount_lock); }
#define MNT_NS_INTERNAL	((struct mnt_namespace *)-1L)	/* kern_mount(): alive, in no tree */
/* Is it in the tree of some namespace? */
static inline bool is_mounted(const struct mount *mnt)
{
	const struct mnt_namespace *ns = READ_ONCE(mnt->mnt_ns);

	return ns && ns != MNT_NS_INTERNAL;
}
/* The namespace of a tree that hangs on an open file? */
static inline bool is_anon_ns(const struct mnt_namespace *ns) { return ns && ns != MNT_NS_INTERNAL && ns->anon; }
/* Is it in the tree of the running task? */
static inline bool check_mnt(struct mount *mnt) { return mnt->mnt_ns == current->nsproxy->mnt; }

/* mount.c, open_tree.c, mount_attr.c, mnt_namespace.c: mount(2)'s parts, for the calls that do them one by one. */
bool may_mount_type(const struct file_system_type *type);
struct mount *copy_for_bind(const struct path *old, bool recurse);	/* namespace_sem for writing; ERR_PTR */
int do_move_mount(struct path *from, struct path *to);
int attrs_to_mnt_flags(unsigned int attrs);
struct mnt_namespace *alloc_anon_mnt_ns(void);
void free_anon_mnt_ns(struct mnt_namespace *ns);
struct file *detached_file(struct mount *tree);
void dissolve_detached(struct vfsmount *mnt);
int install_file(struct file *file, bool cloexec);

/* pnode.c: peers and slaves of a mount.  namespace_sem held for writing. */
static inline bool is_mnt_shared(const struct mount *m) { return m->mnt.mnt_flags & MNT_SHARED; }
static inline bool is_mnt_slave(const struct mount *m) { return m->mnt_master != NULL; }
void change_mnt_propagation(struct mount *m, int type);			/* mount_lock */
int invent_group_ids(struct mount *tree, bool recurse);
void cleanup_group_ids(struct mount *tree, struct mount *end);
int mnt_alloc_group_id(struct mount *m);
void mnt_inherit_propagation(struct mount *copy, struct mount *old, int flags);
int get_dominating_id(const struct mount *m, const struct path *root);	/* or for reading */
int propagate_mnt(struct mount *dest, struct mountpoint *mp, struct mount *source, struct list_head *copies);
void propagate_umount(struct mount *m, struct list_head *list);		/* mount_lock */
bool propagate_mount_busy(struct mount *m, int refs);			/* mount_lock */

/* ---- super.c ---- */
extern spinlock_t sb_lock;
extern struct list_head super_blocks;
bool trylock_super(struct super_block *sb) __cond_acquires_shared(true, &sb->s_umount);

/* ---- inode.c ---- */
bool atime_needs_update(const struct path *path, struct inode *inode);
extern const struct file_operations no_open_fops;

/* ---- namei*.c ---- */
struct filename;
struct file *do_file_open_root(const struct path *root, const char *name, const struct open_flags *op);
struct dentry *lookup_one_qstr(const struct qstr *name, struct dentry *base, unsigned int flags);
/* Walks to the parent of the last component: *parent with references, *last in name's string, *type LAST_*. */
int filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr *last, int *type);
struct dentry *filename_create(int dfd, struct filename *name, struct path *path, unsigned int flags);
int do_mknodat(int dfd, struct filename *name, umode_t mode, unsigned int dev);
int may_delete(struct inode *dir, struct dentry *victim, bool isdir);
int may_create(struct inode *dir, struct dentry *child);
extern int sysctl_protected_symlinks, sysctl_protected_hardlinks, sysctl_protected_fifos, sysctl_protected_regular;

/*
 * A name of which short ones live on the caller's stack: no allocation for most calls.  putname() knows.
 */
#define SHORT_NAME_LEN	112
struct short_name {
	struct filename	filename;
	char		buf[SHORT_NAME_LEN];
};
struct filename *getname_short(const char __user *name, int flags, struct short_name *room);

/*
 * Walks and calls peek(path, inode, data) at the end: if all went well under RCU then still there and without any
 * reference, when it must not sleep and may return -ECHILD, to be called again with references; rcu tells.
 */
typedef int (*peek_fn)(const struct path *path, struct inode *inode, bool rcu, void *data);
int filename_peek(int dfd, struct filename *name, unsigned int flags, peek_fn peek, void *data);

/* ---- open.c, stat.c ---- */
int do_dentry_open(struct file *file, int (*open)(struct inode *, struct file *));	/* f_path is set: takes it over */
int chmod_common(const struct path *path, umode_t mode);
int chown_common(const struct path *path, uid_t user, gid_t group);

/* ---- file_table.c, file.c ---- */
void files_maxfiles_init(void);
void files_struct_init(void);
void file_put_write_access(struct file *file);

/* ---- others ---- */
int vfs_utimes(const struct path *path, struct timespec64 *times);
/* fiemap.c */
struct fiemap;
int ioctl_fiemap(struct file *file, struct fiemap __user *arg);
int ioctl_fibmap(struct file *file, int __user *arg);

int do_vfs_ioctl(struct file *file, unsigned int fd, unsigned int cmd, unsigned long arg);
void locks_init(void);

#endif
