/*
 * inode.c: life of an inode: made, found, used, put, evicted.
 *
 * Idea:    file systems with numbers of their own find inodes in a hash by (super block, number); memory file systems
 *          need only new_inode().  An inode that nobody uses but that still has a name on disk stays on an LRU list until
 *          memory is short; one without a name, or of a file system that says so (->drop_inode), goes at the last iput().
 * States:  I_NEW (being filled; others wait) -> in use -> unused (i_count 0, on the LRU) -> I_FREEING -> I_CLEAR -> freed
 *          after a grace period, for path walks read inodes under RCU.
 * Locking: inode_hash_lock -> i_lock; s_inode_list_lock -> i_lock; i_lock -> inode_lru_lock.
 * Cost:    look-up constant on average; creation touches the super block's list only when the file system wants it.
 * See:     spec.md §10; inode_attr.c for times, owners and link counts; doc/files.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/backing-dev.h>
#include <weft/fs.h>
#include <weft/posix_acl.h>
#include <weft/slab.h>
#include <weft/hash.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/filelock.h>
#include <weft/fsnotify.h>
#include <weft/wait_bit.h>
#include <weft/wait.h>
#include <weft/percpu.h>
#include <weft/sched.h>
#include <weft/rculist.h>
#include <weft/cred.h>
#include "internal.h"

const struct address_space_operations empty_aops = { };

static struct kmem_cache *inode_cachep;

#define INODE_HASH_BITS	12
static struct hlist_head inode_hashtable[1 << INODE_HASH_BITS];	/* [inode_hash_lock] */
static DEFINE_SPINLOCK(inode_hash_lock);

static DEFINE_SPINLOCK(inode_lru_lock);
static LIST_HEAD(inode_lru);			/* [inode_lru_lock] newest first */
static unsigned long nr_unused;			/* [inode_lru_lock] */
static DEFINE_PER_CPU(long, nr_inodes);

/* Those who wait for I_NEW or I_FREEING to end, for all inodes together: it is rare. */
static DECLARE_WAIT_QUEUE_HEAD(inode_wait);

/* ---- birth ---- */

static int no_open(struct inode *inode, struct file *file)
{
	return -ENXIO;
}

/* Sockets, and devices without a driver: they can be named but not opened. */
const struct file_operations no_open_fops = { .open = no_open };

void address_space_init_once(struct address_space *mapping)
{
	memset(mapping, 0, sizeof(*mapping));
	xa_init_flags(&mapping->i_pages, XA_FLAGS_LOCK_IRQ);
	init_rwsem(&mapping->i_mmap_rwsem);
	init_rwsem(&mapping->invalidate_lock);
	INIT_LIST_HEAD(&mapping->private_list);
	spin_lock_init(&mapping->private_lock);
	mapping->i_mmap = RB_ROOT_CACHED;
}

void inode_init_once(struct inode *inode)
{
	memset(inode, 0, sizeof(*inode));
	INIT_HLIST_NODE(&inode->i_hash);
	INIT_LIST_HEAD(&inode->i_devices);
	INIT_LIST_HEAD(&inode->i_io_list);
	INIT_LIST_HEAD(&inode->i_wb_list);
	INIT_LIST_HEAD(&inode->i_lru);
	INIT_LIST_HEAD(&inode->i_sb_list);
	INIT_HLIST_HEAD(&inode->i_fsnotify_marks);
	INIT_HLIST_HEAD(&inode->i_dnotify);
	address_space_init_once(&inode->i_data);
}

/* What has to be set at each allocation, whatever slab it came from.  0. */
int inode_init_always(struct super_block *sb, struct inode *inode)
{
	static const struct inode_operations empty_iops;
	struct address_space *mapping = &inode->i_data;

	inode->i_sb = sb;
	inode->i_blkbits = sb->s_blocksize_bits;
	inode->i_flags = 0;
	atomic64_set(&inode->i_version, 0);
	atomic_set(&inode->i_count, 1);
	inode->i_op = &empty_iops;
	inode->i_fop = &no_open_fops;
	inode->i_ino = 0;
	inode->__i_nlink = 1;
	inode->i_opflags = sb->s_xattr ? IOP_XATTR : 0;
	inode->i_uid = 0;
	inode->i_gid = 0;
	atomic_set(&inode->i_writecount, 0);
	atomic_set(&inode->i_readcount, 0);
	atomic_set(&inode->i_dio_count, 0);
	inode->i_size = 0;
	inode->i_blocks = 0;
	inode->i_bytes = 0;
	inode->i_generation = 0;
	inode->i_pipe = NULL;
	inode->i_rdev = 0;
	inode->i_mode = 0;
	inode->i_state = 0;
	inode->dirtied_when = 0;
	inode->i_flctx = NULL;
	inode->i_private = NULL;
	inode->i_fsnotify_mask = 0;
	inode->i_acl = inode->i_default_acl = ACL_NOT_CACHED;
	INIT_HLIST_HEAD(&inode->i_dentry);	/* it shares its room with i_rcu */
	spin_lock_init(&inode->i_lock);
	init_rwsem(&inode->i_rwsem);

	mapping->a_ops = &empty_aops;
	mapping->host = inode;
	mapping->flags = 0;
	mapping->wb_err = 0;
	atomic_set(&mapping->i_mmap_writable, 0);
	mapping_set_gfp_mask(mapping, GFP_HIGHUSER_MOVABLE);
	mapping->private_data = NULL;
	mapping->writeback_index = 0;
	inode->i_mapping = mapping;
	this_cpu_inc(nr_inodes);
	return 0;
}

static struct inode *alloc_inode(struct super_block *sb)
{
	const struct super_operations *ops = sb->s_op;
	struct inode *inode;

	if (ops->alloc_inode)
		inode = ops->alloc_inode(sb);
	else
		inode = kmem_cache_alloc(inode_cachep, GFP_KERNEL);
	if (inode)
		inode_init_always(sb, inode);
	return inode;
}

void free_inode_nonrcu(struct inode *inode)
{
	kmem_cache_free(inode_cachep, inode);
}

static void i_callback(struct rcu_head *head)
{
	struct inode *inode = container_of(head, struct inode, i_rcu);

	if (inode->free_inode)
		inode->free_inode(inode);
	else
		free_inode_nonrcu(inode);
}

static void destroy_inode(struct inode *inode)
{
	const struct super_operations *ops = inode->i_sb->s_op;

	BUG_ON(!list_empty(&inode->i_lru));
	if (inode->i_flctx)
		locks_free_lock_context(inode);
	forget_all_cached_acls(inode);
	if (!inode->i_nlink)			/* it counts no longer as removed but there */
		atomic_long_dec(&inode->i_sb->s_remove_count);
	this_cpu_dec(nr_inodes);
	if (ops->destroy_inode) {
		ops->destroy_inode(inode);
		if (!ops->free_inode)
			return;
	}
	inode->free_inode = ops->free_inode;
	call_rcu(&inode->i_rcu, i_callback);
}

struct inode *new_inode_pseudo(struct super_block *sb)
{
	return alloc_inode(sb);
}

static void inode_sb_list_add(struct inode *inode)
{
	spin_lock(&inode->i_sb->s_inode_list_lock);
	list_add(&inode->i_sb_list, &inode->i_sb->s_inodes);
	spin_unlock(&inode->i_sb->s_inode_list_lock);
}

static void inode_sb_list_del(struct inode *inode)
{
	if (list_empty(&inode->i_sb_list))
		return;
	spin_lock(&inode->i_sb->s_inode_list_lock);
	list_del_init(&inode->i_sb_list);
	spin_unlock(&inode->i_sb->s_inode_list_lock);
}

struct inode *new_inode(struct super_block *sb)
{
	struct inode *inode = alloc_inode(sb);

	if (inode)
		inode_sb_list_add(inode);
	return inode;
}

/* An inode for a file without a name: mode 0600, the caller's, marked dirty for ever so that nobody tries to write it. */
struct inode *alloc_anon_inode(struct super_block *sb)
{
	struct inode *inode = new_inode_pseudo(sb);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_ino = get_next_ino();
	inode->i_state = I_DIRTY;
	inode->i_mode = S_IRUSR | S_IWUSR;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_flags |= S_PRIVATE;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	return inode;
}

/* ---- the hash ---- */

static struct hlist_head *inode_head(struct super_block *sb, unsigned long hashval)
{
	return inode_hashtable + hash_long(hashval ^ ((unsigned long)sb >> 6), INODE_HASH_BITS);
}

void __insert_inode_hash(struct inode *inode, unsigned long hashval)
{
	spin_lock(&inode_hash_lock);
	spin_lock(&inode->i_lock);
	hlist_add_head_rcu(&inode->i_hash, inode_head(inode->i_sb, hashval));
	spin_unlock(&inode->i_lock);
	spin_unlock(&inode_hash_lock);
}

void __remove_inode_hash(struct inode *inode)
{
	spin_lock(&inode_hash_lock);
	spin_lock(&inode->i_lock);
	hlist_del_init_rcu(&inode->i_hash);
	spin_unlock(&inode->i_lock);
	spin_unlock(&inode_hash_lock);
}

/* What a look-up asks: by number, or by the file system's own test. */
struct inode_key {
	unsigned long	ino;
	int		(*test)(struct inode *, void *);
	void		*data;
};

static bool key_matches(const struct inode_key *key, struct inode *inode)
{
	return key->test ? key->test(inode, key->data) : inode->i_ino == key->ino;
}

/*
 * The inode, + reference.  inode_hash_lock held; dropped, and *again set, when one that is just being freed had to be
 * waited for.
 */
static struct inode *find_inode(struct super_block *sb, struct hlist_head *head, const struct inode_key *key, bool *again)
	__no_context_analysis	/* *again says whether the lock was dropped */
{
	struct inode *inode;

	*again = false;
	hlist_for_each_entry(inode, head, i_hash) {
		DEFINE_WAIT(wait);

		if (inode->i_sb != sb || !key_matches(key, inode))
			continue;
		spin_lock(&inode->i_lock);
		if (!(inode->i_state & (I_FREEING | I_WILL_FREE))) {
			atomic_inc(&inode->i_count);
			spin_unlock(&inode->i_lock);
			return inode;
		}
		prepare_to_wait(&inode_wait, &wait, TASK_UNINTERRUPTIBLE);
		spin_unlock(&inode->i_lock);
		spin_unlock(&inode_hash_lock);
		schedule();
		finish_wait(&inode_wait, &wait);
		*again = true;
		return NULL;
	}
	return NULL;
}

/* Until whoever made it has filled it in. */
static void wait_on_inode(struct inode *inode)
{
	wait_event(inode_wait, !(READ_ONCE(inode->i_state) & I_NEW));
}

/* Finds; or inserts `fresh` (NULL: only find) after set().  Returns the inode with a reference, or NULL. */
static struct inode *find_or_insert(struct super_block *sb, unsigned long hashval, const struct inode_key *key,
				    struct inode *fresh, int (*set)(struct inode *, void *))
	__no_context_analysis	/* as above */
{
	struct hlist_head *head = inode_head(sb, hashval);
	struct inode *inode;
	bool again;

	do {
		spin_lock(&inode_hash_lock);
		inode = find_inode(sb, head, key, &again);
	} while (again);
	if (!inode && fresh && (!set || !set(fresh, key->data))) {
		spin_lock(&fresh->i_lock);
		fresh->i_state |= I_NEW;
		hlist_add_head_rcu(&fresh->i_hash, head);
		spin_unlock(&fresh->i_lock);
		inode = fresh;
	}
	spin_unlock(&inode_hash_lock);
	return inode;
}

static struct inode *iget_common(struct super_block *sb, unsigned long hashval, struct inode_key *key,
				 int (*set)(struct inode *, void *))
{
	struct inode *inode, *fresh = NULL;

	for (;;) {
		inode = find_or_insert(sb, hashval, key, fresh, set);
		if (inode == fresh && fresh) {
			inode_sb_list_add(fresh);
			return fresh;
		}
		if (inode) {
			if (fresh)
				destroy_inode(fresh);
			wait_on_inode(inode);
			if (likely(!inode_unhashed(inode)))
				return inode;
			iput(inode);		/* its maker gave up */
			fresh = NULL;
			continue;
		}
		if (fresh) {
			destroy_inode(fresh);	/* set() failed */
			return NULL;
		}
		fresh = alloc_inode(sb);
		if (!fresh)
			return NULL;
		fresh->i_ino = key->ino;
	}
}

struct inode *iget_locked(struct super_block *sb, unsigned long ino)
{
	struct inode_key key = { .ino = ino };

	return iget_common(sb, ino, &key, NULL);
}

struct inode *iget5_locked(struct super_block *sb, unsigned long hashval, int (*test)(struct inode *, void *),
			   int (*set)(struct inode *, void *), void *data)
{
	struct inode_key key = { .test = test, .data = data };

	return iget_common(sb, hashval, &key, set);
}

static struct inode *ilookup_common(struct super_block *sb, unsigned long hashval, struct inode_key *key)
{
	struct inode *inode = find_or_insert(sb, hashval, key, NULL, NULL);

	if (!inode)
		return NULL;
	wait_on_inode(inode);
	if (!inode_unhashed(inode))
		return inode;
	iput(inode);
	return NULL;
}

struct inode *ilookup(struct super_block *sb, unsigned long ino)
{
	struct inode_key key = { .ino = ino };

	return ilookup_common(sb, ino, &key);
}

struct inode *ilookup5(struct super_block *sb, unsigned long hashval, int (*test)(struct inode *, void *), void *data)
{
	struct inode_key key = { .test = test, .data = data };

	return ilookup_common(sb, hashval, &key);
}

/* A new inode whose number the file system has just chosen.  0, or -EBUSY when the number is in use already. */
int insert_inode_locked(struct inode *inode)
{
	struct inode_key key = { .ino = inode->i_ino };
	struct inode *old = find_or_insert(inode->i_sb, inode->i_ino, &key, inode, NULL);

	if (old == inode)
		return 0;
	iput(old);
	return -EBUSY;
}

void unlock_new_inode(struct inode *inode)
{
	spin_lock(&inode->i_lock);
	WARN_ON(!(inode->i_state & I_NEW));
	inode->i_state &= ~(I_NEW | I_CREATING);
	spin_unlock(&inode->i_lock);
	wake_up_all(&inode_wait);
}

/* It could not be filled or named: nobody shall find it. */
void discard_new_inode(struct inode *inode)
{
	remove_inode_hash(inode);
	unlock_new_inode(inode);
	iput(inode);
}

void iget_failed(struct inode *inode)
{
	discard_new_inode(inode);
}

/* ---- references ---- */

void ihold(struct inode *inode)
{
	WARN_ON(atomic_inc_return(&inode->i_count) < 2);
}

/* One more reference, or NULL when it is already being freed. */
struct inode *igrab(struct inode *inode)
{
	struct inode *res = NULL;

	spin_lock(&inode->i_lock);
	if (!(inode->i_state & (I_FREEING | I_WILL_FREE))) {
		atomic_inc(&inode->i_count);
		res = inode;
	}
	spin_unlock(&inode->i_lock);
	return res;
}

int generic_delete_inode(struct inode *inode)
{
	return 1;
}

int generic_drop_inode(const struct inode *inode)
{
	return !inode->i_nlink || inode_unhashed(inode);
}

static void inode_lru_add(struct inode *inode)
{
	spin_lock(&inode_lru_lock);
	if (list_empty(&inode->i_lru)) {
		list_add(&inode->i_lru, &inode_lru);
		nr_unused++;
	}
	spin_unlock(&inode_lru_lock);
}

static void inode_lru_del(struct inode *inode)
{
	spin_lock(&inode_lru_lock);
	if (!list_empty(&inode->i_lru)) {
		list_del_init(&inode->i_lru);
		nr_unused--;
	}
	spin_unlock(&inode_lru_lock);
}

void clear_inode(struct inode *inode)
{
	BUG_ON(inode->i_data.nrpages);
	BUG_ON(!(inode->i_state & I_FREEING));
	inode->i_state = I_FREEING | I_CLEAR;
}

/* The end.  I_FREEING set by the caller, which held i_lock then: nobody takes a reference any more. */
static void evict(struct inode *inode)
{
	const struct super_operations *op = inode->i_sb->s_op;

	inode_sb_list_del(inode);
	inode_io_list_del(inode);
	wait_on_bit(&inode->i_state, __I_SYNC, TASK_UNINTERRUPTIBLE);	/* the flusher lets go */
	/* ... with i_lock held, which it must have given back before the inode goes. */
	spin_lock(&inode->i_lock);
	spin_unlock(&inode->i_lock);
	if (op->evict_inode) {
		op->evict_inode(inode);
	} else {
		truncate_inode_pages_final(&inode->i_data);
		clear_inode(inode);
	}
	remove_inode_hash(inode);
	if (waitqueue_active(&inode_wait))
		wake_up_all(&inode_wait);
	destroy_inode(inode);
}

/* The last reference went; i_lock held, released. */
static void iput_final(struct inode *inode) __releases(&inode->i_lock)
{
	struct super_block *sb = inode->i_sb;
	const struct super_operations *op = sb->s_op;
	int drop = op->drop_inode ? op->drop_inode(inode) : generic_drop_inode(inode);

	if (!drop && sb->s_flags & SB_ACTIVE) {
		inode->i_state |= I_REFERENCED;
		inode_lru_add(inode);
		spin_unlock(&inode->i_lock);
		return;
	}
	if (!drop && inode->i_state & I_DIRTY_ALL) {
		inode->i_state |= I_WILL_FREE;
		spin_unlock(&inode->i_lock);
		filemap_write_and_wait(inode->i_mapping);
		sync_inode_metadata(inode, 1);
		spin_lock(&inode->i_lock);
		inode->i_state &= ~I_WILL_FREE;
	}
	inode->i_state |= I_FREEING;
	if (!list_empty(&inode->i_lru))
		inode_lru_del(inode);
	spin_unlock(&inode->i_lock);
	evict(inode);
}

/* The flusher is done with an inode that it marked I_SYNC; from here on the inode may go. */
void inode_sync_complete(struct inode *inode)
{
	spin_lock(&inode->i_lock);
	inode->i_state &= ~(unsigned long)I_SYNC;
	/* The shrinker took it off its list when it met it dirty. */
	if (!atomic_read(&inode->i_count) && !(inode->i_state & (I_DIRTY_ALL | I_FREEING | I_WILL_FREE)) &&
	    inode->i_sb->s_flags & SB_ACTIVE)
		inode_lru_add(inode);
	wake_up_bit(&inode->i_state, __I_SYNC);
	spin_unlock(&inode->i_lock);
}

void iput(struct inode *inode)
{
	if (!inode)
		return;
	BUG_ON(inode->i_state & I_CLEAR);
	if (atomic_dec_and_lock(&inode->i_count, &inode->i_lock))
		iput_final(inode);
}

/*
 * At umount: all inodes that nobody uses.  Of those that the shrinker has taken it is waited for the last:
 *
 *              umount                                  shrinker
 *                                                      i_lock; I_FREEING, s_evicting + 1
 *              i_lock; I_FREEING: passed over          evict(): off s_inodes
 *              nothing left on s_inodes                ... still uses the super block
 *              waits for s_evicting to be 0            s_evicting - 1, wakes
 */
void evict_inodes(struct super_block *sb)
{
	struct inode *inode;
	bool found;

	do {
		found = false;
		spin_lock(&sb->s_inode_list_lock);
		list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
			if (atomic_read(&inode->i_count))
				continue;
			spin_lock(&inode->i_lock);
			if (inode->i_state & (I_NEW | I_FREEING | I_WILL_FREE) || atomic_read(&inode->i_count)) {
				spin_unlock(&inode->i_lock);
				continue;
			}
			inode->i_state |= I_FREEING;
			inode_lru_del(inode);
			spin_unlock(&inode->i_lock);
			found = true;
			break;
		}
		spin_unlock(&sb->s_inode_list_lock);
		if (found)
			evict(inode);
		cond_resched();
	} while (found);
	wait_event(inode_wait, !atomic_read(&sb->s_evicting));
}

/* ---- memory pressure ---- */

static unsigned long inode_count(struct shrinker *s, struct shrink_control *sc)
{
	return READ_ONCE(nr_unused);
}

/* One unused inode off the old end, marked I_FREEING, or NULL; those used meanwhile go round once more. */
static struct inode *isolate_unused(void)
{
	struct inode *inode, *res = NULL;

	spin_lock(&inode_lru_lock);
	if (list_empty(&inode_lru))
		goto out;
	inode = list_last_entry(&inode_lru, struct inode, i_lru);
	if (!spin_trylock(&inode->i_lock)) {	/* the order is i_lock -> inode_lru_lock */
		list_move(&inode->i_lru, &inode_lru);
		goto out;
	}
	if (atomic_read(&inode->i_count) || inode->i_state & (I_DIRTY_ALL | I_FREEING | I_NEW | I_SYNC)) {
		list_del_init(&inode->i_lru);
		nr_unused--;
	} else if (inode->i_state & I_REFERENCED) {
		inode->i_state &= ~I_REFERENCED;
		list_move(&inode->i_lru, &inode_lru);
	} else {
		list_del_init(&inode->i_lru);
		nr_unused--;
		inode->i_state |= I_FREEING;
		atomic_inc(&inode->i_sb->s_evicting);
		res = inode;
	}
	spin_unlock(&inode->i_lock);
out:
	spin_unlock(&inode_lru_lock);
	return res;
}

static unsigned long inode_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long freed = 0;

	for (unsigned long i = 0; i < sc->nr_to_scan; i++) {
		struct inode *inode = isolate_unused();

		if (inode) {
			struct super_block *sb = inode->i_sb;

			evict(inode);
			if (atomic_dec_and_test(&sb->s_evicting))	/* here evict_inodes() may free sb */
				wake_up_all(&inode_wait);
			freed++;
		}
	}
	return freed;
}

static struct shrinker inode_shrinker = {
	.count_objects = inode_count, .scan_objects = inode_scan, .seeks = DEFAULT_SEEKS,
};

unsigned long get_nr_inodes(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(nr_inodes, cpu);
	return sum < 0 ? 0 : sum;
}

static void init_once(void *p)
{
	inode_init_once(p);
}

void __init inode_init(void)
{
	inode_cachep = kmem_cache_create("inode_cache", sizeof(struct inode), 0, SLAB_RECLAIM_ACCOUNT | SLAB_PANIC, init_once);
	register_shrinker(&inode_shrinker);
}
