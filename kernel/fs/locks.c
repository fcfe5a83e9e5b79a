/*
 * locks.c: locks that programs put on files: record locks (owned by a process, or by an open file: OFD) and flock(2).
 *
 * Idea:    each inode that was ever locked has a file_lock_context with a list for either kind.  Record locks are sorted
 *          by owner and start; a new one of the same owner is merged with, cut out of or splits those it touches.
 *          A request that conflicts is queued at the lock it waits for; when that goes, all who wait are woken and try
 *          again.
 * Deadlock: before a process's record lock waits: does the owner of what blocks it wait, through others, for us?  -EDEADLK.
 *          OFD locks and flocks are not checked: their owners are not tasks.
 * Locking: flc_lock over a context's lists; blocked_lock_lock inside it over who waits for whom.
 * See:     fcntl(2) "Advisory record locking", flock(2), proc_locks(5)
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/filelock.h>
#include <weft/slab.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include "internal.h"

static struct kmem_cache *flctx_cache, *filelock_cache;

#define BLOCKED_HASH_SIZE	64
static struct hlist_head blocked_hash[BLOCKED_HASH_SIZE];	/* [blocked_lock_lock] waiting record locks, by owner */
static DEFINE_SPINLOCK(blocked_lock_lock);

/* ---- contexts and locks ---- */

static struct file_lock_context *get_context(struct inode *inode, bool create)
{
	struct file_lock_context *ctx = smp_load_acquire(&inode->i_flctx), *old;

	if (likely(ctx) || !create)
		return ctx;
	ctx = kmem_cache_alloc(flctx_cache, GFP_KERNEL);
	if (!ctx)
		return NULL;
	spin_lock_init(&ctx->flc_lock);
	INIT_LIST_HEAD(&ctx->flc_flock);
	INIT_LIST_HEAD(&ctx->flc_posix);
	old = cmpxchg(&inode->i_flctx, NULL, ctx);
	if (old) {
		kmem_cache_free(flctx_cache, ctx);
		return old;
	}
	return ctx;
}

void locks_free_lock_context(struct inode *inode)
{
	struct file_lock_context *ctx = inode->i_flctx;

	WARN_ON(!list_empty(&ctx->flc_flock) || !list_empty(&ctx->flc_posix));
	kmem_cache_free(flctx_cache, ctx);
	inode->i_flctx = NULL;
}

static void init_lock(struct file_lock *fl)
{
	memset(fl, 0, sizeof(*fl));
	INIT_LIST_HEAD(&fl->fl_list);
	INIT_HLIST_NODE(&fl->fl_link);
	INIT_LIST_HEAD(&fl->fl_blocked_requests);
	INIT_LIST_HEAD(&fl->fl_blocked_member);
	init_waitqueue_head(&fl->fl_wait);
}

static struct file_lock *alloc_lock(void)
{
	struct file_lock *fl = kmem_cache_alloc(filelock_cache, GFP_KERNEL);

	if (fl)
		init_lock(fl);
	return fl;
}

static void free_lock(struct file_lock *fl)
{
	if (!fl)
		return;
	BUG_ON(!list_empty(&fl->fl_list) || !list_empty(&fl->fl_blocked_requests) || !hlist_unhashed(&fl->fl_link));
	kmem_cache_free(filelock_cache, fl);
}

static void free_locks(struct list_head *dispose)
{
	struct file_lock *fl, *next;

	list_for_each_entry_safe(fl, next, dispose, fl_list) {
		list_del_init(&fl->fl_list);
		free_lock(fl);
	}
}

/* All but the links. */
static void copy_lock(struct file_lock *new, const struct file_lock *fl)
{
	new->fl_owner = fl->fl_owner;
	new->fl_pid = fl->fl_pid;
	new->fl_file = fl->fl_file;
	new->fl_flags = fl->fl_flags;
	new->fl_type = fl->fl_type;
	new->fl_start = fl->fl_start;
	new->fl_end = fl->fl_end;
}

/* ---- who waits for whom: blocked_lock_lock ---- */

static struct hlist_head *owner_hash(fl_owner_t owner)
{
	return &blocked_hash[((unsigned long)owner >> 6) % BLOCKED_HASH_SIZE];
}

static bool deadlock_checked(const struct file_lock *fl)
{
	return fl->fl_flags & FL_POSIX && !(fl->fl_flags & FL_OFDLCK);
}

static void unlink_blocked(struct file_lock *waiter)
{
	hlist_del_init(&waiter->fl_link);
	list_del_init(&waiter->fl_blocked_member);
}

/* Everybody who waits for it tries again. */
static void wake_up_blocks(struct file_lock *blocker)
{
	while (!list_empty(&blocker->fl_blocked_requests)) {
		struct file_lock *waiter = list_first_entry(&blocker->fl_blocked_requests, struct file_lock, fl_blocked_member);

		unlink_blocked(waiter);
		wake_up(&waiter->fl_wait);
		/* Last: a waiter that sees NULL here may go on without the lock, and free itself. */
		smp_store_release(&waiter->fl_blocker, NULL);
	}
}

static void wake_waiters_of(struct file_lock *fl)
{
	if (list_empty(&fl->fl_blocked_requests))
		return;
	spin_lock(&blocked_lock_lock);
	wake_up_blocks(fl);
	spin_unlock(&blocked_lock_lock);
}

/* A request that will not wait any more.  0, or -ENOENT when it was woken already. */
static int delete_block(struct file_lock *waiter)
{
	int status = -ENOENT;

	/* Not queued, nobody queued at it: then nobody else knows it. */
	if (!smp_load_acquire(&waiter->fl_blocker) && list_empty(&waiter->fl_blocked_requests))
		return status;
	spin_lock(&blocked_lock_lock);
	if (waiter->fl_blocker)
		status = 0;
	wake_up_blocks(waiter);
	unlink_blocked(waiter);
	smp_store_release(&waiter->fl_blocker, NULL);
	spin_unlock(&blocked_lock_lock);
	return status;
}

/* blocked_lock_lock held. */
static void insert_block(struct file_lock *blocker, struct file_lock *waiter)
{
	waiter->fl_blocker = blocker;
	list_add_tail(&waiter->fl_blocked_member, &blocker->fl_blocked_requests);
	if (deadlock_checked(waiter))
		hlist_add_head(&waiter->fl_link, owner_hash(waiter->fl_owner));
	wake_up_blocks(waiter);		/* who waited for the request itself waits for what is in its way now */
}

#define MAX_DEADLK_ITERATIONS	10

/* Would caller, waiting for `blocker`, wait for itself?  A chain that is longer than that is taken for none. */
static bool would_deadlock(const struct file_lock *caller, const struct file_lock *blocker)
{
	if (!deadlock_checked(caller))
		return false;
	for (int i = 0; i < MAX_DEADLK_ITERATIONS; i++) {
		const struct file_lock *fl, *next = NULL;

		hlist_for_each_entry(fl, owner_hash(blocker->fl_owner), fl_link) {
			if (fl->fl_owner == blocker->fl_owner) {
				next = fl->fl_blocker;
				break;
			}
		}
		if (!next)
			return false;
		if (next->fl_owner == caller->fl_owner)
			return true;
		blocker = next;
	}
	return false;
}

/* ---- conflicts ---- */

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
	return a->fl_end >= b->fl_start && b->fl_end >= a->fl_start;
}

static bool types_conflict(const struct file_lock *a, const struct file_lock *b)
{
	return a->fl_type == F_WRLCK || b->fl_type == F_WRLCK;
}

static bool posix_conflict(const struct file_lock *a, const struct file_lock *b)
{
	return a->fl_owner != b->fl_owner && overlap(a, b) && types_conflict(a, b);
}

/* fl is given what stands in its way, or F_UNLCK. */
static void posix_test_lock(struct file *filp, struct file_lock *fl)
{
	struct file_lock_context *ctx = get_context(file_inode(filp), false);
	struct file_lock *cfl;

	if (ctx) {
		spin_lock(&ctx->flc_lock);
		list_for_each_entry(cfl, &ctx->flc_posix, fl_list) {
			if (posix_conflict(fl, cfl)) {
				copy_lock(fl, cfl);
				spin_unlock(&ctx->flc_lock);
				return;
			}
		}
		spin_unlock(&ctx->flc_lock);
	}
	fl->fl_type = F_UNLCK;
}

/* ---- record locks ---- */

static void delete_lock(struct file_lock *fl, struct list_head *dispose)
{
	list_move(&fl->fl_list, dispose);
	wake_waiters_of(fl);
}

/*
 * `request`, which conflicts with nobody else's, is merged into its owner's locks.  `new` and `right` are spare locks; used
 * ones become NULL.  flc_lock held; cannot fail.
 */
static void merge_lock(struct file_lock_context *ctx, struct file_lock *request, struct file_lock **new,
		       struct file_lock **right_spare, struct list_head *dispose, bool *found)
{
	struct file_lock *fl, *tmp, *left = NULL, *right = NULL;
	struct list_head *before = &ctx->flc_posix;
	bool added = false;

	list_for_each_entry(fl, &ctx->flc_posix, fl_list) {
		if (request->fl_owner == fl->fl_owner)
			break;
	}
	before = &fl->fl_list;
	list_for_each_entry_safe_from(fl, tmp, &ctx->flc_posix, fl_list) {
		before = &fl->fl_list;
		if (request->fl_owner != fl->fl_owner)
			break;
		if (request->fl_type == fl->fl_type) {
			/* Neighbours and overlaps of the same kind become one.  No sums: fl_end may be the largest number. */
			if (fl->fl_end < request->fl_start - 1)
				goto next;
			if (fl->fl_start - 1 > request->fl_end)
				break;
			request->fl_start = fl->fl_start = min(fl->fl_start, request->fl_start);
			request->fl_end = fl->fl_end = max(fl->fl_end, request->fl_end);
			if (added) {
				delete_lock(fl, dispose);
				goto next;
			}
			request = fl;
			added = true;
		} else {
			if (fl->fl_end < request->fl_start)
				goto next;
			if (fl->fl_start > request->fl_end)
				break;
			*found = true;
			if (fl->fl_start < request->fl_start)
				left = fl;
			if (fl->fl_end > request->fl_end) {
				right = fl;
				break;
			}
			if (fl->fl_start >= request->fl_start) {
				/* It lies inside: the new one takes its place, or the old one goes. */
				if (added || request->fl_type == F_UNLCK) {
					delete_lock(fl, dispose);
					goto next;
				}
				copy_lock(*new, request);
				list_add_tail(&(*new)->fl_list, &fl->fl_list);
				request = *new;
				*new = NULL;
				delete_lock(fl, dispose);
				added = true;
				before = &request->fl_list;
			}
		}
next:
		before = before == &fl->fl_list && fl->fl_list.next != LIST_POISON1 ? before : before;
		continue;
	}
	(void)before;
	/* Where it belongs when nothing took it up: before the first lock of the owner that begins later. */
	if (!added && request->fl_type != F_UNLCK) {
		struct list_head *pos = &ctx->flc_posix;
		bool own = false;

		list_for_each_entry(fl, &ctx->flc_posix, fl_list) {
			if (fl->fl_owner == request->fl_owner) {
				own = true;
				if (fl->fl_start > request->fl_start) {
					pos = &fl->fl_list;
					break;
				}
			} else if (own) {
				pos = &fl->fl_list;
				break;
			}
		}
		copy_lock(*new, request);
		list_add_tail(&(*new)->fl_list, pos);
		*new = NULL;
	}
	if (right) {
		if (left == right) {		/* cut in two */
			left = *right_spare;
			*right_spare = NULL;
			copy_lock(left, right);
			list_add_tail(&left->fl_list, &right->fl_list);
		}
		right->fl_start = request->fl_end + 1;
		wake_waiters_of(right);
	}
	if (left) {
		left->fl_end = request->fl_start - 1;
		wake_waiters_of(left);
	}
}
