/*
 * dcache.h: the cache of names.
 *
 * Idea:    a dentry joins a parent, a name and an inode; without inode it is negative: "there is no such name", worth
 *          knowing too.  Look-ups walk hash chains under RCU and check d_seq, so that a walk takes no lock and no
 *          reference until its end.  Unused dentries stay on a list until memory is short.
 * Counts:  d_lockref: who uses it (dget/dput; dput may sleep).  Each child holds one on its parent.
 * Locking: rename_lock (seqlock) over every move; d_lock guards the fields marked so, parent before child; a dentry is
 *          moved (d_seq odd meanwhile) under rename_lock and both d_locks.  Order: inode->i_lock -> d_lock -> LRU lock,
 *          hash lock.
 * See:     kernel/fs/dcache.c
 */
#ifndef WEFT_DCACHE_H
#define WEFT_DCACHE_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/lockref.h>
#include <weft/seqlock.h>
#include <weft/spinlock.h>
#include <weft/rcu.h>
#include <weft/path.h>

struct inode;
struct super_block;
struct vfsmount;
struct file;

/* A name with its length and hash. */
struct qstr {
	union {
		struct {
			u32 hash;
			u32 len;
		};
		u64 hash_len;
	};
	const unsigned char *name;
};
#define QSTR_INIT(n, l)		{ { { .hash = 0, .len = (l) } }, .name = (const unsigned char *)(n) }
#define QSTR(n)			((struct qstr)QSTR_INIT(n, strlen(n)))
#define hashlen_hash(hl)	((u32)(hl))
#define hashlen_len(hl)		((u32)((hl) >> 32))

extern const struct qstr empty_name, slash_name, dotdot_name;

#define DNAME_INLINE_LEN	32	/* with the terminating zero */

struct dentry {
	/* What a walk under RCU reads. */
	unsigned int		d_flags;	/* [d_lock] DCACHE_* */
	seqcount_t		d_seq;		/* odd while name, parent or inode change */
	struct hlist_node	d_hash;		/* [r:bucket lock] */
	struct dentry		*d_parent;	/* [r:rename_lock + d_lock] */
	struct qstr		d_name;		/* ... */
	struct inode		*d_inode;	/* [r:d_lock + i_lock] NULL: negative */
	unsigned char		d_iname[DNAME_INLINE_LEN];	/* short names lie here */

	struct lockref		d_lockref;
	const struct dentry_operations *d_op;	/* [I] */
	struct super_block	*d_sb;		/* [I] */
	unsigned long		d_time;		/* for ->d_revalidate */
	void			*d_fsdata;
	struct list_head	d_lru;		/* [LRU lock; on a private list: its owner's] */
	struct list_head	d_child;	/* [parent's d_lock] in its d_subdirs */
	struct list_head	d_subdirs;	/* [d_lock] */
	union {
		struct hlist_node d_alias;	/* [i_lock] in inode->i_dentry */
		struct rcu_head	d_rcu;		/* once it is dead */
	} d_u;
};
#define d_lock	d_lockref.lock

struct dentry_operations {
	int (*d_revalidate)(struct dentry *dentry, unsigned int flags);	/* 1 valid, 0 not; LOOKUP_RCU: -ECHILD */
	int (*d_hash)(const struct dentry *dir, struct qstr *name);
	int (*d_compare)(const struct dentry *dentry, unsigned int len, const char *str, const struct qstr *name);
	int (*d_delete)(const struct dentry *dentry);	/* at the last dput: 1: do not keep */
	int (*d_init)(struct dentry *dentry);
	void (*d_release)(struct dentry *dentry);
	void (*d_prune)(struct dentry *dentry);
	void (*d_iput)(struct dentry *dentry, struct inode *inode);
	char *(*d_dname)(struct dentry *dentry, char *buf, int len);	/* "pipe:[7]" */
};

/* ---- d_flags ---- */
#define DCACHE_OP_HASH		0x00000001
#define DCACHE_OP_COMPARE	0x00000002
#define DCACHE_OP_REVALIDATE	0x00000004
#define DCACHE_OP_DELETE	0x00000008
#define DCACHE_OP_PRUNE		0x00000010
#define DCACHE_DISCONNECTED	0x00000020
#define DCACHE_REFERENCED	0x00000040	/* used since the shrinker came by last */
#define DCACHE_CANT_MOUNT	0x00000100	/* removed: no mount point any more */
#define DCACHE_GENOCIDE		0x00000200	/* d_genocide() took the pin away */
#define DCACHE_SHRINK_LIST	0x00000400	/* on some shrinker's private list */
#define DCACHE_DENTRY_KILLED	0x00008000
#define DCACHE_MOUNTED		0x00010000	/* something is mounted here, in some tree */
#define DCACHE_LRU_LIST		0x00080000
#define DCACHE_ENTRY_TYPE	0x00700000
#define DCACHE_MISS_TYPE	0x00000000	/* negative */
#define DCACHE_WHITEOUT_TYPE	0x00100000
#define DCACHE_DIRECTORY_TYPE	0x00200000	/* has ->lookup */
#define DCACHE_REGULAR_TYPE	0x00400000
#define DCACHE_SPECIAL_TYPE	0x00500000
#define DCACHE_SYMLINK_TYPE	0x00600000
#define DCACHE_DENTRY_CURSOR	0x02000000	/* a place mark of readdir, not a name */
#define DCACHE_NORCU		0x04000000	/* never in a hash: freed without a grace period */
#define DCACHE_PAR_LOOKUP	0x10000000

extern seqlock_t rename_lock;

static inline unsigned int __d_entry_type(const struct dentry *d) { return READ_ONCE(d->d_flags) & DCACHE_ENTRY_TYPE; }
static inline bool d_is_miss(const struct dentry *d) { return __d_entry_type(d) == DCACHE_MISS_TYPE; }
static inline bool d_can_lookup(const struct dentry *d) { return __d_entry_type(d) == DCACHE_DIRECTORY_TYPE; }
static inline bool d_is_dir(const struct dentry *d) { return d_can_lookup(d); }
static inline bool d_is_symlink(const struct dentry *d) { return __d_entry_type(d) == DCACHE_SYMLINK_TYPE; }
static inline bool d_is_reg(const struct dentry *d) { return __d_entry_type(d) == DCACHE_REGULAR_TYPE; }
static inline bool d_is_special(const struct dentry *d) { return __d_entry_type(d) == DCACHE_SPECIAL_TYPE; }
static inline bool d_is_negative(const struct dentry *d) { return d_is_miss(d); }
static inline bool d_flags_negative(unsigned int flags) { return (flags & DCACHE_ENTRY_TYPE) == DCACHE_MISS_TYPE; }
static inline bool d_is_positive(const struct dentry *d) { return !d_is_negative(d); }
static inline bool d_really_is_negative(const struct dentry *d) { return !d->d_inode; }
static inline bool d_really_is_positive(const struct dentry *d) { return d->d_inode; }
static inline bool d_mountpoint(const struct dentry *d) { return d->d_flags & DCACHE_MOUNTED; }
static inline bool cant_mount(const struct dentry *d) { return d->d_flags & DCACHE_CANT_MOUNT; }
static inline bool d_unhashed(const struct dentry *d) { return hlist_unhashed(&d->d_hash); }
static inline bool d_unlinked(const struct dentry *d) { return d_unhashed(d) && d != d->d_parent; }
#define IS_ROOT(d)	((d) == (d)->d_parent)
static inline struct inode *d_inode(const struct dentry *d) { return d->d_inode; }
static inline struct inode *d_inode_rcu(const struct dentry *d) { return READ_ONCE(d->d_inode); }
static inline struct inode *d_backing_inode(const struct dentry *d) { return d->d_inode; }
static inline struct dentry *d_real(struct dentry *d, const struct inode *inode) { return d; }
static inline struct inode *d_real_inode(const struct dentry *d) { return d->d_inode; }
static inline unsigned int d_count(const struct dentry *d) { return d->d_lockref.count; }
static inline int simple_positive(const struct dentry *d) { return d_really_is_positive(d) && !d_unhashed(d); }

static inline struct dentry *dget_dlock(struct dentry *d)	/* d_lock held */
{
	if (d)
		d->d_lockref.count++;
	return d;
}
static inline struct dentry *dget(struct dentry *d)		/* the caller has a reference already */
{
	if (d)
		lockref_get(&d->d_lockref);
	return d;
}
struct dentry *dget_parent(struct dentry *dentry);
void dput(struct dentry *dentry);			/* may sleep */

struct dentry *d_alloc(struct dentry *parent, const struct qstr *name);	/* negative, unhashed; NULL without memory */
struct dentry *d_alloc_name(struct dentry *parent, const char *name);
struct dentry *d_alloc_anon(struct super_block *sb);
struct dentry *d_alloc_cursor(struct dentry *parent);
struct dentry *d_alloc_pseudo(struct super_block *sb, const struct qstr *name);
void d_set_d_op(struct dentry *dentry, const struct dentry_operations *op);
void d_instantiate(struct dentry *dentry, struct inode *inode);	/* takes over the reference on the inode */
void d_instantiate_new(struct dentry *dentry, struct inode *inode);	/* ... and unlocks a new inode */
void d_add(struct dentry *dentry, struct inode *inode);		/* instantiate and hash; inode NULL: negative */
void d_rehash(struct dentry *dentry);
void d_tmpfile(struct file *file, struct inode *inode);
struct dentry *d_make_root(struct inode *root_inode);		/* takes over the inode, also when it fails */
struct dentry *d_splice_alias(struct inode *inode, struct dentry *dentry);	/* what ->lookup() returns */
struct dentry *d_obtain_alias(struct inode *inode);
struct dentry *d_find_alias(struct inode *inode);
struct dentry *d_find_any_alias(struct inode *inode);

struct dentry *d_lookup(const struct dentry *parent, const struct qstr *name);
struct dentry *d_hash_and_lookup(struct dentry *dir, struct qstr *name);
struct dentry *__d_lookup(const struct dentry *parent, const struct qstr *name);
struct dentry *__d_lookup_rcu(const struct dentry *parent, const struct qstr *name, unsigned int *seq);

void d_drop(struct dentry *dentry);			/* out of the hash: look-ups find it no more */
void __d_drop(struct dentry *dentry);			/* d_lock held */
void d_delete(struct dentry *dentry);			/* the name was removed: turn negative, or unhash */
void d_invalidate(struct dentry *dentry);		/* drop it and all below, detach mounts */
void d_genocide(struct dentry *root);			/* drop the pins of simple_* file systems */
void d_move(struct dentry *dentry, struct dentry *target);
void d_exchange(struct dentry *a, struct dentry *b);
struct dentry *d_ancestor(struct dentry *p1, struct dentry *p2);
int is_subdir(struct dentry *dentry, struct dentry *ancestor);	/* 1 also when both are one */
void dont_mount(struct dentry *dentry);
int d_set_mounted(struct dentry *dentry);
void shrink_dcache_sb(struct super_block *sb);
void shrink_dcache_parent(struct dentry *parent);
void shrink_dcache_for_umount(struct super_block *sb);

u32 full_name_hash(const void *salt, const char *name, unsigned int len);
u64 hashlen_string(const void *salt, const char *name);	/* up to zero or '/': length and hash */

char *d_path(const struct path *path, char *buf, int buflen);	/* somewhere in buf, or ERR_PTR(-ENAMETOOLONG) */
char *__d_path(const struct path *path, const struct path *root, char *buf, int buflen);
char *dentry_path_raw(const struct dentry *dentry, char *buf, int buflen);
char *dentry_path(const struct dentry *dentry, char *buf, int buflen);
char *dynamic_dname(char *buf, int buflen, const char *fmt, ...) __printf(3, 4);

/* A name that stands still although the dentry may be renamed. */
struct name_snapshot {
	struct qstr	name;
	unsigned char	inline_name[DNAME_INLINE_LEN];
};
void take_dentry_name_snapshot(struct name_snapshot *snap, struct dentry *dentry);
void release_dentry_name_snapshot(struct name_snapshot *snap);

long get_nr_dentry(void);
long get_nr_dentry_unused(void);

#endif
