/*
 * dcache.c: the cache of names: life of a dentry, its look-up and its end.  Moving and pruning of trees: dcache_tree.c;
 * the names of an inode: dcache_alias.c; paths as text: d_path.c.
 *
 * Idea:    a hash table keyed by (parent, name) holds every name that was looked up, negative ones too.  Readers walk a
 *          chain under RCU and validate with d_seq; they write nothing shared.  A dentry that nobody uses stays where it
 *          is, on the LRU list, until memory is short or its name goes.
 * States:  in use (count > 0) -> unused (0, on the LRU) -> dead (count < 0, DCACHE_DENTRY_KILLED, out of hash, list of
 *          its parent and LRU) -> freed after a grace period.  A dead dentry that stands on a shrinker's private list
 *          is freed by that shrinker.
 * Locking: inode->i_lock -> parent's d_lock -> d_lock -> bucket lock, LRU lock.  dput() comes with only d_lock and needs
 *          i_lock first: it tries, and if that fails takes both in order and looks again (lock_for_kill).
 * Cost:    look-up: the hash chain, on average below one entry; dput: constant.
 * See:     spec.md §10; doc/files.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/fsnotify.h>
#include <weft/dcache.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/rculist.h>
#include <weft/percpu.h>
#include <weft/cpumask.h>
#include <weft/sched.h>
#include <weft/mm.h>
#include <weft/memblock.h>
#include <weft/vmstat.h>
#include "internal.h"

const struct qstr empty_name = QSTR_INIT("", 0);
const struct qstr slash_name = QSTR_INIT("/", 1);
const struct qstr dotdot_name = QSTR_INIT("..", 2);

__cacheline_aligned DEFINE_SEQLOCK(rename_lock);

static struct kmem_cache *dentry_cache __read_mostly;
static struct hlist_head *dentry_hashtable __read_mostly;
static unsigned int d_hash_shift __read_mostly;

/* One lock for each so many buckets: writers only. */
#define NR_BUCKET_LOCKS	64
static spinlock_t bucket_locks[NR_BUCKET_LOCKS];

static DEFINE_PER_CPU(long, nr_dentry);
static DEFINE_SPINLOCK(d_lru_lock);
static LIST_HEAD(d_lru_list);			/* [d_lru_lock] newest first */
static long nr_dentry_unused;			/* [d_lru_lock] */

/* A name too long for d_iname.  Shared after a rename that swapped names; count: dentries that point here. */
struct external_name {
	atomic_t	count;
	struct rcu_head	rcu;
	unsigned char	name[];
};

static inline struct external_name *external_name(const struct dentry *dentry)
{
	return container_of(dentry->d_name.name, struct external_name, name[0]);
}

bool dname_external(const struct dentry *dentry)
{
	return dentry->d_name.name != dentry->d_iname;
}

/* ---- names: hash and comparison ---- */

static inline u32 fold_hash(u64 h)
{
	return (h ^ (h >> 32)) * 0x9e3779b1u;
}

static inline u64 salted(const void *salt)
{
	return ((unsigned long)salt >> 5) * 0x9e3779b97f4a7c15ULL;
}

static inline u64 mix_char(u64 h, unsigned char c)
{
	return (h ^ c) * 0x100000001b3ULL;
}

/* The hash of a name below `salt`, its parent.  Same value as hashlen_string() gives. */
u32 full_name_hash(const void *salt, const char *name, unsigned int len)
{
	u64 h = salted(salt);

	while (len--)
		h = mix_char(h, *name++);
	return fold_hash(h);
}

/* Hash in the low, length in the high half, of the component that begins at name. */
u64 hashlen_string(const void *salt, const char *name)
{
	const unsigned char *s = (const unsigned char *)name;
	u64 h = salted(salt);
	unsigned char c;

	for (c = *s; c && c != '/'; c = *++s)
		h = mix_char(h, c);
	return (u64)(s - (const unsigned char *)name) << 32 | fold_hash(h);
}

/* Under RCU the name may change while it is read: d_seq tells later; its bytes stay readable for the old length. */
static inline bool name_differs(const struct dentry *dentry, const unsigned char *name, unsigned int len)
{
	const unsigned char *cs = READ_ONCE(dentry->d_name.name);

	for (; len >= 8; len -= 8, cs += 8, name += 8) {
		u64 a, b;

		__builtin_memcpy(&a, cs, 8);
		__builtin_memcpy(&b, name, 8);
		if (a != b)
			return true;
	}
	while (len--) {
		if (*cs++ != *name++)
			return true;
	}
	return false;
}

/* ---- the hash table ---- */

static inline struct hlist_head *d_hash(u32 hash)
{
	return dentry_hashtable + (hash >> d_hash_shift);
}

static inline spinlock_t *bucket_lock(const struct hlist_head *b)
{
	return &bucket_locks[(b - dentry_hashtable) % NR_BUCKET_LOCKS];
}

/* d_lock held. */
void __d_rehash(struct dentry *dentry)
{
	struct hlist_head *b = d_hash(dentry->d_name.hash);

	spin_lock(bucket_lock(b));
	hlist_add_head_rcu(&dentry->d_hash, b);
	spin_unlock(bucket_lock(b));
}

/* Out of the hash; a walk under RCU that stands on it goes on.  d_lock held. */
void __d_unhash(struct dentry *dentry)
{
	struct hlist_head *b = d_hash(dentry->d_name.hash);

	spin_lock(bucket_lock(b));
	hlist_del_init_rcu(&dentry->d_hash);
	spin_unlock(bucket_lock(b));
}

void __d_drop(struct dentry *dentry)
{
	if (d_unhashed(dentry))
		return;
	__d_unhash(dentry);
	write_seqcount_invalidate(&dentry->d_seq);
}

void d_drop(struct dentry *dentry)
{
	spin_lock(&dentry->d_lock);
	__d_drop(dentry);
	spin_unlock(&dentry->d_lock);
}

void d_rehash(struct dentry *dentry)
{
	spin_lock(&dentry->d_lock);
	__d_rehash(dentry);
	spin_unlock(&dentry->d_lock);
}

/*
 * The child of parent with that name, without any reference; *seqp is for the caller's read_seqcount_retry(): until that
 * says "unchanged", nothing read from the result counts.  Under rcu_read_lock().  A miss may be wrong (the chain was left
 * because an entry moved): whoever cares looks again under rename_lock, see d_lookup().
 */
struct dentry *__d_lookup_rcu(const struct dentry *parent, const struct qstr *name, unsigned int *seqp)
{
	u64 hashlen = name->hash_len;
	struct dentry *dentry;

	if (unlikely(parent->d_flags & DCACHE_OP_COMPARE))
		return NULL;		/* ref-walk does that */
	hlist_for_each_entry_rcu(dentry, d_hash((u32)hashlen), d_hash) {
		unsigned int seq = raw_seqcount_begin(&dentry->d_seq);

		if (dentry->d_parent != parent || dentry->d_name.hash_len != hashlen || d_unhashed(dentry))
			continue;
		if (name_differs(dentry, name->name, hashlen_len(hashlen)))
			continue;
		*seqp = seq;
		return dentry;
	}
	return NULL;
}

static bool d_same_name(const struct dentry *dentry, const struct dentry *parent, const struct qstr *name)
{
	if (parent->d_flags & DCACHE_OP_COMPARE)
		return !parent->d_op->d_compare(dentry, dentry->d_name.len, (const char *)dentry->d_name.name, name);
	return dentry->d_name.len == name->len && !name_differs(dentry, name->name, name->len);
}

/* The child with that name, + reference, or NULL.  NULL may be wrong while a rename is under way. */
struct dentry *__d_lookup(const struct dentry *parent, const struct qstr *name)
{
	struct dentry *dentry, *found = NULL;

	rcu_read_lock();
	hlist_for_each_entry_rcu(dentry, d_hash(name->hash), d_hash) {
		if (dentry->d_name.hash != name->hash)
			continue;
		spin_lock(&dentry->d_lock);
		if (dentry->d_parent == parent && !d_unhashed(dentry) && d_same_name(dentry, parent, name)) {
			dentry->d_lockref.count++;
			found = dentry;
		}
		spin_unlock(&dentry->d_lock);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

/* The same, and NULL means that it is not there. */
struct dentry *d_lookup(const struct dentry *parent, const struct qstr *name)
{
	struct dentry *dentry;
	unsigned int seq;

	do {
		seq = read_seqbegin(&rename_lock);
		dentry = __d_lookup(parent, name);
	} while (!dentry && read_seqretry(&rename_lock, seq));
	return dentry;
}

/* Hashes the name first. */
struct dentry *d_hash_and_lookup(struct dentry *dir, struct qstr *name)
{
	name->hash = full_name_hash(dir, (const char *)name->name, name->len);
	if (dir->d_flags & DCACHE_OP_HASH) {
		int err = dir->d_op->d_hash(dir, name);

		if (err < 0)
			return ERR_PTR(err);
	}
	return d_lookup(dir, name);
}

/* ---- the list of unused dentries: d_lock held ---- */

static void d_lru_add(struct dentry *dentry)
{
	dentry->d_flags |= DCACHE_LRU_LIST;
	spin_lock(&d_lru_lock);
	list_add(&dentry->d_lru, &d_lru_list);
	nr_dentry_unused++;
	spin_unlock(&d_lru_lock);
}

static void d_lru_del(struct dentry *dentry)
{
	dentry->d_flags &= ~DCACHE_LRU_LIST;
	spin_lock(&d_lru_lock);
	list_del_init(&dentry->d_lru);
	nr_dentry_unused--;
	spin_unlock(&d_lru_lock);
}

static void d_shrink_del(struct dentry *dentry)
{
	list_del_init(&dentry->d_lru);
	dentry->d_flags &= ~(DCACHE_SHRINK_LIST | DCACHE_LRU_LIST);
}

/* From wherever it stands to a private list of the caller. */
void d_to_shrink_list(struct dentry *dentry, struct list_head *list)
{
	if (dentry->d_flags & DCACHE_SHRINK_LIST)
		return;			/* somebody else frees it */
	if (dentry->d_flags & DCACHE_LRU_LIST)
		d_lru_del(dentry);
	dentry->d_flags |= DCACHE_SHRINK_LIST | DCACHE_LRU_LIST;
	list_add(&dentry->d_lru, list);
}

/* ---- birth ---- */

static bool set_name(struct dentry *dentry, const struct qstr *name)
{
	unsigned char *text = dentry->d_iname;

	if (unlikely(name->len >= DNAME_INLINE_LEN)) {
		struct external_name *p = kmalloc(sizeof(*p) + name->len + 1, GFP_KERNEL);

		if (!p)
			return false;
		atomic_set(&p->count, 1);
		text = p->name;
	}
	dentry->d_name.len = name->len;
	dentry->d_name.hash = name->hash;
	memcpy(text, name->name, name->len);
	text[name->len] = 0;
	dentry->d_name.name = text;
	return true;
}

static struct dentry *__d_alloc(struct super_block *sb, const struct qstr *name)
{
	struct dentry *dentry = kmem_cache_alloc(dentry_cache, GFP_KERNEL);

	if (!dentry)
		return NULL;
	if (!set_name(dentry, name ? name : &slash_name)) {
		kmem_cache_free(dentry_cache, dentry);
		return NULL;
	}
	dentry->d_flags = 0;
	spin_lock_init(&dentry->d_lock);
	dentry->d_lockref.count = 1;
	seqcount_init(&dentry->d_seq);
	dentry->d_inode = NULL;
	dentry->d_parent = dentry;
	dentry->d_sb = sb;
	dentry->d_op = NULL;
	dentry->d_fsdata = NULL;
	dentry->d_time = 0;
	INIT_HLIST_NODE(&dentry->d_hash);
	INIT_LIST_HEAD(&dentry->d_lru);
	INIT_LIST_HEAD(&dentry->d_subdirs);
	INIT_LIST_HEAD(&dentry->d_child);
	INIT_HLIST_NODE(&dentry->d_u.d_alias);
	d_set_d_op(dentry, sb->s_d_op);
	if (dentry->d_op && dentry->d_op->d_init && dentry->d_op->d_init(dentry)) {
		if (dname_external(dentry))
			kfree(external_name(dentry));
		kmem_cache_free(dentry_cache, dentry);
		return NULL;
	}
	this_cpu_inc(nr_dentry);
	return dentry;
}

struct dentry *d_alloc(struct dentry *parent, const struct qstr *name)
{
	struct dentry *dentry = __d_alloc(parent->d_sb, name);

	if (!dentry)
		return NULL;
	spin_lock(&parent->d_lock);
	dget_dlock(parent);
	dentry->d_parent = parent;
	list_add(&dentry->d_child, &parent->d_subdirs);
	spin_unlock(&parent->d_lock);
	return dentry;
}

struct dentry *d_alloc_name(struct dentry *parent, const char *name)
{
	struct qstr q = QSTR(name);

	q.hash = full_name_hash(parent, name, q.len);
	return d_alloc(parent, &q);
}

struct dentry *d_alloc_anon(struct super_block *sb)
{
	return __d_alloc(sb, NULL);
}

/* A place mark for readdir: never hashed; the caller puts it into d_subdirs. */
struct dentry *d_alloc_cursor(struct dentry *parent)
{
	struct dentry *dentry = d_alloc_anon(parent->d_sb);

	if (dentry) {
		dentry->d_flags |= DCACHE_DENTRY_CURSOR;
		dentry->d_parent = dget(parent);
	}
	return dentry;
}

/* The name of a pipe or socket: never hashed nor found, so its memory needs no grace period. */
struct dentry *d_alloc_pseudo(struct super_block *sb, const struct qstr *name)
{
	struct dentry *dentry = __d_alloc(sb, name);

	if (dentry)
		dentry->d_flags |= DCACHE_NORCU;
	return dentry;
}

void d_set_d_op(struct dentry *dentry, const struct dentry_operations *op)
{
	dentry->d_op = op;
	if (!op)
		return;
	dentry->d_flags |= (op->d_hash ? DCACHE_OP_HASH : 0) | (op->d_compare ? DCACHE_OP_COMPARE : 0) |
			   (op->d_revalidate ? DCACHE_OP_REVALIDATE : 0) | (op->d_delete ? DCACHE_OP_DELETE : 0) |
			   (op->d_prune ? DCACHE_OP_PRUNE : 0);
}

static unsigned int flags_for_inode(struct inode *inode)
{
	if (!inode)
		return DCACHE_MISS_TYPE;
	if (S_ISDIR(inode->i_mode)) {
		inode->i_opflags |= IOP_LOOKUP;
		return DCACHE_DIRECTORY_TYPE;
	}
	if (inode->i_op->get_link)
		return DCACHE_SYMLINK_TYPE;
	return S_ISREG(inode->i_mode) ? DCACHE_REGULAR_TYPE : DCACHE_SPECIAL_TYPE;
}

/* The dentry turns positive (or stays negative).  d_lock and, with an inode, its i_lock held. */
void __d_set_inode(struct dentry *dentry, struct inode *inode)
{
	write_seqcount_begin(&dentry->d_seq);
	if (inode)
		hlist_add_head(&dentry->d_u.d_alias, &inode->i_dentry);
	dentry->d_inode = inode;
	WRITE_ONCE(dentry->d_flags, (dentry->d_flags & ~DCACHE_ENTRY_TYPE) | flags_for_inode(inode));
	write_seqcount_end(&dentry->d_seq);
}

void d_instantiate(struct dentry *dentry, struct inode *inode)
{
	if (!inode)
		return;
	spin_lock(&inode->i_lock);
	spin_lock(&dentry->d_lock);
	__d_set_inode(dentry, inode);
	spin_unlock(&dentry->d_lock);
	spin_unlock(&inode->i_lock);
}

void d_instantiate_new(struct dentry *dentry, struct inode *inode)
{
	d_instantiate(dentry, inode);
	unlock_new_inode(inode);
}

void d_add(struct dentry *dentry, struct inode *inode) __no_context_analysis /* i_lock if there is an inode */
{
	if (inode)
		spin_lock(&inode->i_lock);
	spin_lock(&dentry->d_lock);
	__d_set_inode(dentry, inode);
	__d_rehash(dentry);
	spin_unlock(&dentry->d_lock);
	if (inode)
		spin_unlock(&inode->i_lock);
}

struct dentry *d_make_root(struct inode *root_inode)
{
	struct dentry *root;

	if (!root_inode)
		return NULL;
	root = d_alloc_anon(root_inode->i_sb);
	if (root)
		d_instantiate(root, root_inode);
	else
		iput(root_inode);
	return root;
}

/* O_TMPFILE: the file's dentry gets an inode without a name. */
void d_tmpfile(struct file *file, struct inode *inode)
{
	struct dentry *dentry = file->f_path.dentry;

	drop_nlink(inode);
	d_instantiate(dentry, inode);
}

/* ---- end ---- */

static void __d_free(struct rcu_head *head)
{
	kmem_cache_free(dentry_cache, container_of(head, struct dentry, d_u.d_rcu));
}

void dentry_free(struct dentry *dentry)
{
	if (unlikely(dname_external(dentry))) {
		struct external_name *p = external_name(dentry);

		if (atomic_dec_and_test(&p->count))
			kfree_rcu(p, rcu);
	}
	this_cpu_dec(nr_dentry);
	if (dentry->d_flags & DCACHE_NORCU)
		__d_free(&dentry->d_u.d_rcu);
	else
		call_rcu(&dentry->d_u.d_rcu, __d_free);
}

/* For names that lie outside their dentry: one user more, one less. */
void get_external_name(const unsigned char *name)
{
	atomic_inc(&container_of(name, struct external_name, name[0])->count);
}

void put_external_name(const unsigned char *name)
{
	struct external_name *p = container_of(name, struct external_name, name[0]);

	if (atomic_dec_and_test(&p->count))
		kfree_rcu(p, rcu);
}

/* The dentry lets go of its inode and turns negative.  i_lock and d_lock held; both are released. */
void dentry_unlink_inode(struct dentry *dentry) __no_context_analysis /* d_inode is gone when i_lock goes */
{
	struct inode *inode = dentry->d_inode;

	write_seqcount_begin(&dentry->d_seq);
	WRITE_ONCE(dentry->d_flags, dentry->d_flags & ~DCACHE_ENTRY_TYPE);
	dentry->d_inode = NULL;
	hlist_del_init(&dentry->d_u.d_alias);
	write_seqcount_end(&dentry->d_seq);
	spin_unlock(&dentry->d_lock);
	spin_unlock(&inode->i_lock);
	if (!inode->i_nlink)
		fsnotify_inoderemove(inode);
	if (dentry->d_op && dentry->d_op->d_iput)
		dentry->d_op->d_iput(dentry, inode);
	else
		iput(inode);
}

/*
 * Out of the parent's list.  A tree walk that lost its locks may stand here and go on by d_child.next, under RCU: that
 * pointer stays, and must not lead to a cursor, which can move or go away meanwhile.  Parent's d_lock and d_lock held.
 */
static void dentry_unlist(struct dentry *dentry)
{
	struct list_head *next;

	dentry->d_flags |= DCACHE_DENTRY_KILLED;
	if (list_empty(&dentry->d_child))
		return;
	__list_del_entry(&dentry->d_child);
	for (next = dentry->d_child.next; next != &dentry->d_parent->d_subdirs; next = next->next) {
		if (!(list_entry(next, struct dentry, d_child)->d_flags & DCACHE_DENTRY_CURSOR))
			break;
	}
	dentry->d_child.next = next;
}

/*
 * Takes the inode's i_lock as well.  d_lock and rcu_read_lock held.  False (d_lock still held, i_lock not): somebody has
 * taken a reference, or has killed it.
 */
bool lock_for_kill(struct dentry *dentry) __no_context_analysis /* takes i_lock only if true, and there is one */
{
	struct inode *inode = dentry->d_inode;

	if (dentry->d_lockref.count)
		return false;
	if (!inode || spin_trylock(&inode->i_lock))
		return true;
	do {
		spin_unlock(&dentry->d_lock);
		spin_lock(&inode->i_lock);	/* freed at the earliest when our RCU section ends */
		spin_lock(&dentry->d_lock);
		if (inode == dentry->d_inode)
			break;
		spin_unlock(&inode->i_lock);
		inode = dentry->d_inode;
	} while (inode);
	if (!dentry->d_lockref.count)
		return true;
	if (inode)
		spin_unlock(&inode->i_lock);
	return false;
}

/*
 * Kills an unused dentry: count 0, d_lock and the inode's i_lock held, all released.  Returns the parent with its d_lock
 * held when that was its last reference, otherwise NULL.  May sleep.
 */
struct dentry *dentry_kill(struct dentry *dentry) __no_context_analysis /* releases what lock_for_kill() took */
{
	struct dentry *parent = NULL;
	bool free_it = true;

	lockref_mark_dead(&dentry->d_lockref);
	if (dentry->d_flags & DCACHE_OP_PRUNE)
		dentry->d_op->d_prune(dentry);
	if (dentry->d_flags & DCACHE_LRU_LIST && !(dentry->d_flags & DCACHE_SHRINK_LIST))
		d_lru_del(dentry);
	__d_drop(dentry);
	if (dentry->d_inode)
		dentry_unlink_inode(dentry);
	else
		spin_unlock(&dentry->d_lock);
	if (dentry->d_op && dentry->d_op->d_release)
		dentry->d_op->d_release(dentry);

	/* Dead and negative: nobody moves it any more, so d_parent is stable. */
	if (!IS_ROOT(dentry)) {
		parent = dentry->d_parent;
		spin_lock(&parent->d_lock);
	}
	spin_lock_nested(&dentry->d_lock, 1);
	dentry_unlist(dentry);
	if (dentry->d_flags & DCACHE_SHRINK_LIST)
		free_it = false;
	spin_unlock(&dentry->d_lock);
	if (free_it)
		dentry_free(dentry);
	if (parent && --parent->d_lockref.count) {
		spin_unlock(&parent->d_lock);
		return NULL;
	}
	return parent;
}

/* Shall an unused dentry stay in the cache?  d_lock held. */
static bool retain_dentry(struct dentry *dentry)
{
	if (d_unhashed(dentry))
		return false;
	if (dentry->d_flags & (DCACHE_OP_DELETE | DCACHE_DISCONNECTED)) {
		if (dentry->d_flags & DCACHE_DISCONNECTED || dentry->d_op->d_delete(dentry))
			return false;
	}
	if (unlikely(!(dentry->d_flags & DCACHE_LRU_LIST)))
		d_lru_add(dentry);
	else if (unlikely(!(dentry->d_flags & DCACHE_REFERENCED)))
		dentry->d_flags |= DCACHE_REFERENCED;
	return true;
}

/* Drops a reference; the last one on a name that is not kept frees it, and perhaps its parents.  May sleep. */
void dput(struct dentry *dentry) __no_context_analysis /* lockref_put_or_lock() */
{
	if (!dentry)
		return;
	might_sleep();
	if (lockref_put_or_lock(&dentry->d_lockref))
		return;
	dentry->d_lockref.count--;
	while (dentry) {
		if (retain_dentry(dentry)) {
			spin_unlock(&dentry->d_lock);
			return;
		}
		rcu_read_lock();
		if (!lock_for_kill(dentry)) {
			spin_unlock(&dentry->d_lock);
			rcu_read_unlock();
			return;
		}
		rcu_read_unlock();
		dentry = dentry_kill(dentry);
	}
}

/* As dput(), but a dentry that would be killed joins the list instead: it counts as being freed. */
void dput_to_list(struct dentry *dentry, struct list_head *list)
{
	spin_lock(&dentry->d_lock);
	if (!--dentry->d_lockref.count && !retain_dentry(dentry))
		d_to_shrink_list(dentry, list);
	spin_unlock(&dentry->d_lock);
}

/* Kills what stands on a private list and is still unused, with the parents that become unused by that. */
void shrink_dentry_list(struct list_head *list) __no_context_analysis /* lock_for_kill() */
{
	while (!list_empty(list)) {
		struct dentry *victim = list_last_entry(list, struct dentry, d_lru);
		bool killed_by_other;

		spin_lock(&victim->d_lock);
		rcu_read_lock();
		if (lock_for_kill(victim)) {
			d_shrink_del(victim);
			do {
				rcu_read_unlock();
				victim = dentry_kill(victim);
				rcu_read_lock();
			} while (victim && lock_for_kill(victim));
			if (victim)
				spin_unlock(&victim->d_lock);
			rcu_read_unlock();
			continue;
		}
		rcu_read_unlock();
		d_shrink_del(victim);
		killed_by_other = victim->d_flags & DCACHE_DENTRY_KILLED;
		spin_unlock(&victim->d_lock);
		if (killed_by_other)
			dentry_free(victim);
	}
}

/* The parent, + reference. */
struct dentry *dget_parent(struct dentry *dentry)
{
	struct dentry *parent;
	unsigned int seq;

	rcu_read_lock();
	seq = raw_seqcount_begin(&dentry->d_seq);
	parent = READ_ONCE(dentry->d_parent);
	if (lockref_get_not_zero(&parent->d_lockref)) {
		if (!read_seqcount_retry(&dentry->d_seq, seq)) {
			rcu_read_unlock();
			return parent;
		}
		rcu_read_unlock();
		dput(parent);
		rcu_read_lock();
	}
	for (;;) {
		parent = READ_ONCE(dentry->d_parent);
		spin_lock(&parent->d_lock);
		if (parent == dentry->d_parent)
			break;
		spin_unlock(&parent->d_lock);
	}
	rcu_read_unlock();
	dget_dlock(parent);
	spin_unlock(&parent->d_lock);
	return parent;
}

/*
 * The name was removed from the disk or the memory file system: if nobody else uses the dentry it turns negative and
 * stays, for "no such file" will be asked again; otherwise it leaves the hash.  The caller has a reference.
 */
void d_delete(struct dentry *dentry) __no_context_analysis /* dentry_unlink_inode() releases */
{
	struct inode *inode = dentry->d_inode;

	spin_lock(&inode->i_lock);
	spin_lock(&dentry->d_lock);
	if (dentry->d_lockref.count == 1) {
		dentry->d_flags &= ~DCACHE_CANT_MOUNT;
		dentry_unlink_inode(dentry);
		return;
	}
	__d_drop(dentry);
	spin_unlock(&dentry->d_lock);
	spin_unlock(&inode->i_lock);
}

/* ---- memory pressure ---- */

static unsigned long dcache_count(struct shrinker *s, struct shrink_control *sc)
{
	return READ_ONCE(nr_dentry_unused);
}

/* Takes up to nr unused dentries off the old end of the LRU; those used meanwhile get another round. */
static unsigned long dcache_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long nr = sc->nr_to_scan, freed = 0;
	LIST_HEAD(dispose);

	spin_lock(&d_lru_lock);
	while (nr-- && !list_empty(&d_lru_list)) {
		struct dentry *dentry = list_last_entry(&d_lru_list, struct dentry, d_lru);

		if (!spin_trylock(&dentry->d_lock)) {	/* the order is d_lock -> d_lru_lock */
			list_move(&dentry->d_lru, &d_lru_list);
			continue;
		}
		if (dentry->d_flags & DCACHE_REFERENCED && !dentry->d_lockref.count) {
			dentry->d_flags &= ~DCACHE_REFERENCED;
			list_move(&dentry->d_lru, &d_lru_list);
		} else {
			nr_dentry_unused--;
			list_del_init(&dentry->d_lru);
			dentry->d_flags &= ~DCACHE_LRU_LIST;
			if (!dentry->d_lockref.count) {
				dentry->d_flags |= DCACHE_SHRINK_LIST | DCACHE_LRU_LIST;
				list_add(&dentry->d_lru, &dispose);
				freed++;
			}
		}
		spin_unlock(&dentry->d_lock);
	}
	spin_unlock(&d_lru_lock);
	shrink_dentry_list(&dispose);
	return freed;
}

static struct shrinker dcache_shrinker = {
	.count_objects = dcache_count, .scan_objects = dcache_scan, .seeks = DEFAULT_SEEKS,
};

long get_nr_dentry(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(nr_dentry, cpu);
	return sum < 0 ? 0 : sum;
}

long get_nr_dentry_unused(void)
{
	return READ_ONCE(nr_dentry_unused);
}

/* One bucket for each four page frames, between 1 Ki and 256 Ki. */
void __init dcache_init(void)
{
	unsigned long buckets = roundup_pow_of_two(totalram_pages() / 4);

	buckets = clamp(buckets, 1024UL, 256UL * 1024);
	d_hash_shift = 32 - ilog2(buckets);
	dentry_hashtable = kvzalloc(buckets * sizeof(struct hlist_head), GFP_KERNEL);
	dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 0, SLAB_RECLAIM_ACCOUNT | SLAB_PANIC, NULL);
	if (!dentry_hashtable)
		panic("dcache: no memory for the hash table");
	for (int i = 0; i < NR_BUCKET_LOCKS; i++)
		spin_lock_init(&bucket_locks[i]);
	register_shrinker(&dcache_shrinker);
}
