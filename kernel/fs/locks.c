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
#include <weft/string.h>
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

struct file_lock_context *locks_get_lock_context(struct inode *inode, bool create)
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
	INIT_LIST_HEAD(&ctx->flc_lease);
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

	WARN_ON(!list_empty(&ctx->flc_flock) || !list_empty(&ctx->flc_posix) || !list_empty(&ctx->flc_lease));
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
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(filp), false);
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

/* Same kind, overlapping or side by side.  No sums: fl_end may be the largest number. */
static bool touches(const struct file_lock *a, const struct file_lock *b)
{
	return overlap(a, b) || (b->fl_start && a->fl_end == b->fl_start - 1) || (a->fl_start && b->fl_end == a->fl_start - 1);
}

/* What of fl lies inside the request goes; fl may be cut in two, for which *spare is used.  flc_lock held. */
static void cut_out(struct file_lock *fl, const struct file_lock *request, struct file_lock **spare, struct list_head *dispose)
{
	bool head = fl->fl_start < request->fl_start, tail = fl->fl_end > request->fl_end;

	if (!head && !tail) {
		delete_lock(fl, dispose);
		return;
	}
	if (head && tail) {
		struct file_lock *right = *spare;

		*spare = NULL;
		copy_lock(right, fl);
		right->fl_start = request->fl_end + 1;
		list_add(&right->fl_list, &fl->fl_list);
	}
	if (head)
		fl->fl_end = request->fl_start - 1;
	else
		fl->fl_start = request->fl_end + 1;
	wake_waiters_of(fl);
}

/* The lists are sorted by owner (all of one stand together), then start. */
static void insert_posix(struct file_lock_context *ctx, struct file_lock *new)
{
	struct list_head *pos = &ctx->flc_posix;
	struct file_lock *fl;
	bool own = false;

	list_for_each_entry(fl, &ctx->flc_posix, fl_list) {
		own |= fl->fl_owner == new->fl_owner;
		if (own && (fl->fl_owner != new->fl_owner || fl->fl_start > new->fl_start)) {
			pos = &fl->fl_list;
			break;
		}
	}
	list_add_tail(&new->fl_list, pos);
}

/*
 * The request, which conflicts with nobody else's locks, among those of its owner: the same kind is joined, another kind
 * gives way.  *new and *spare are there for it; what is used becomes NULL.  flc_lock held; cannot fail.
 */
static void apply_request(struct file_lock_context *ctx, const struct file_lock *wanted, struct file_lock **new,
			  struct file_lock **spare, struct list_head *dispose, bool *found)
{
	struct file_lock request = *wanted, *fl, *next;

	list_for_each_entry_safe(fl, next, &ctx->flc_posix, fl_list) {
		if (fl->fl_owner != request.fl_owner)
			continue;
		if (fl->fl_type == request.fl_type) {
			if (!touches(fl, &request))
				continue;
			request.fl_start = min(request.fl_start, fl->fl_start);
			request.fl_end = max(request.fl_end, fl->fl_end);
			delete_lock(fl, dispose);
		} else if (overlap(fl, &request)) {
			*found = true;
			cut_out(fl, &request, spare, dispose);
		}
	}
	if (request.fl_type != F_UNLCK) {
		copy_lock(*new, &request);
		insert_posix(ctx, *new);
		*new = NULL;
	}
}

/* -EAGAIN when somebody's lock is in the way, which is copied to conflock; with FL_SLEEP queued at it: FILE_LOCK_DEFERRED. */
static int check_conflicts(struct file_lock_context *ctx, struct file_lock *request, struct file_lock *conflock)
{
	struct file_lock *fl;
	int err;

	if (request->fl_type == F_UNLCK)
		return 0;
	list_for_each_entry(fl, &ctx->flc_posix, fl_list) {
		if (!posix_conflict(request, fl))
			continue;
		if (conflock)
			copy_lock(conflock, fl);
		if (!(request->fl_flags & FL_SLEEP))
			return -EAGAIN;
		/* Look and queue in one: two that wait for each other cannot both see no deadlock. */
		spin_lock(&blocked_lock_lock);
		err = -EDEADLK;
		if (!would_deadlock(request, fl)) {
			err = FILE_LOCK_DEFERRED;
			insert_block(fl, request);
		}
		spin_unlock(&blocked_lock_lock);
		return err;
	}
	return 0;
}

static int posix_lock_inode(struct inode *inode, struct file_lock *request, struct file_lock *conflock)
{
	struct file_lock_context *ctx = locks_get_lock_context(inode, request->fl_type != F_UNLCK);
	struct file_lock *new = NULL, *spare = NULL;
	bool found = false;
	LIST_HEAD(dispose);
	int err;

	if (!ctx)
		return request->fl_type == F_UNLCK ? 0 : -ENOMEM;
	/* Unlocking all needs no memory, so that exit never fails. */
	if (!(request->fl_type == F_UNLCK && request->fl_start == 0 && request->fl_end == OFFSET_MAX)) {
		new = alloc_lock();
		spare = alloc_lock();
		err = -ENOLCK;
		if (!new || !spare)
			goto out;
	}
	spin_lock(&ctx->flc_lock);
	err = check_conflicts(ctx, request, conflock);
	if (!err && !(request->fl_flags & FL_ACCESS))
		apply_request(ctx, request, &new, &spare, &dispose, &found);
	spin_unlock(&ctx->flc_lock);
	if (!err && request->fl_type == F_UNLCK && request->fl_flags & FL_EXISTS && !found)
		err = -ENOENT;
out:
	free_lock(new);
	free_lock(spare);
	free_locks(&dispose);
	return err;
}

int posix_lock_file(struct file *filp, struct file_lock *fl, struct file_lock *conflock)
{
	return posix_lock_inode(file_inode(filp), fl, conflock);
}

int vfs_cancel_lock(struct file *filp, struct file_lock *fl)
{
	return delete_block(fl);
}

/* Again and again until it is granted or a signal comes. */
static int posix_lock_wait(struct file *filp, struct file_lock *fl)
{
	int err;

	for (;;) {
		err = filp->f_op->lock ? filp->f_op->lock(filp, F_SETLKW, fl) : posix_lock_file(filp, fl, NULL);
		if (err != FILE_LOCK_DEFERRED)
			break;
		err = wait_event_interruptible(fl->fl_wait, list_empty(&fl->fl_blocked_member));
		if (err)
			break;
	}
	delete_block(fl);
	return err;
}

/* ---- fcntl ---- */

/* struct flock's start and length, which may be negative, into first and last byte. */
static int flock_to_lock(struct file *filp, struct file_lock *fl, const struct flock *l)
{
	loff_t base;

	switch (l->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = filp->f_pos;
		break;
	case SEEK_END:
		base = i_size_read(file_inode(filp));
		break;
	default:
		return -EINVAL;
	}
	if (l->l_start > OFFSET_MAX - base)
		return -EOVERFLOW;
	fl->fl_start = base + l->l_start;
	if (fl->fl_start < 0)
		return -EINVAL;
	if (l->l_len > 0) {
		if (l->l_len - 1 > OFFSET_MAX - fl->fl_start)
			return -EOVERFLOW;
		fl->fl_end = fl->fl_start + l->l_len - 1;
	} else if (l->l_len < 0) {
		if (fl->fl_start + l->l_len < 0)
			return -EINVAL;
		fl->fl_end = fl->fl_start - 1;
		fl->fl_start += l->l_len;
	} else {
		fl->fl_end = OFFSET_MAX;
	}
	if (l->l_type != F_RDLCK && l->l_type != F_WRLCK && l->l_type != F_UNLCK)
		return -EINVAL;
	fl->fl_type = l->l_type;
	fl->fl_owner = current->files;
	fl->fl_pid = current->tgid;
	fl->fl_file = filp;
	fl->fl_flags = FL_POSIX;
	return 0;
}

/* OFD locks belong to the open file, and have no process: l_pid must be 0 and is -1 when reported. */
static int make_ofd(struct file *filp, struct file_lock *fl, const struct flock *l)
{
	if (l->l_pid)
		return -EINVAL;
	fl->fl_flags |= FL_OFDLCK;
	fl->fl_owner = filp;
	fl->fl_pid = -1;
	return 0;
}

int fcntl_getlk(struct file *filp, unsigned int cmd, struct flock *flock)
{
	struct file_lock *fl = alloc_lock();
	int err;

	if (!fl)
		return -ENOMEM;
	err = -EINVAL;
	if (cmd != F_OFD_GETLK && flock->l_type != F_RDLCK && flock->l_type != F_WRLCK)
		goto out;
	err = flock_to_lock(filp, fl, flock);
	if (!err && cmd == F_OFD_GETLK)
		err = make_ofd(filp, fl, flock);
	if (err)
		goto out;
	posix_test_lock(filp, fl);
	flock->l_type = fl->fl_type;
	if (fl->fl_type != F_UNLCK) {
		flock->l_pid = fl->fl_flags & FL_OFDLCK ? -1 : pid_nr_vnr(fl->fl_pid);
		flock->l_start = fl->fl_start;
		flock->l_len = fl->fl_end == OFFSET_MAX ? 0 : fl->fl_end - fl->fl_start + 1;
		flock->l_whence = SEEK_SET;
	}
out:
	free_lock(fl);
	return err;
}

/*
 * A close() of another thread may have removed this process's locks just before ours was set, which would then outlive
 * the last descriptor:  we look whether the descriptor is still this file, and undo if not.
 */
static int undo_if_closed(unsigned int fd, struct file *filp, struct file_lock *fl)
{
	struct files_struct *files = current->files;
	struct file *f;

	spin_lock(&files->file_lock);
	f = files->fdt->max_fds > fd ? files->fdt->fd[fd] : NULL;
	spin_unlock(&files->file_lock);
	if (f == filp)
		return 0;
	fl->fl_type = F_UNLCK;
	posix_lock_file(filp, fl, NULL);
	return -EBADF;
}

int fcntl_setlk(unsigned int fd, struct file *filp, unsigned int cmd, struct flock *flock)
{
	bool ofd = cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	struct file_lock *fl = alloc_lock();
	int err;

	if (!fl)
		return -ENOLCK;
	err = flock_to_lock(filp, fl, flock);
	if (!err && ofd)
		err = make_ofd(filp, fl, flock);
	if (err)
		goto out;
	err = -EBADF;
	if ((fl->fl_type == F_RDLCK && !(filp->f_mode & FMODE_READ)) ||
	    (fl->fl_type == F_WRLCK && !(filp->f_mode & FMODE_WRITE)))
		goto out;
	if (cmd == F_SETLKW || cmd == F_OFD_SETLKW)
		fl->fl_flags |= FL_SLEEP;
	err = posix_lock_wait(filp, fl);
	if (!err && fl->fl_type != F_UNLCK && !ofd)
		err = undo_if_closed(fd, filp, fl);
out:
	free_lock(fl);
	return err;
}

/* ---- flock ---- */

/* One lock a file: a new kind replaces the old, not atomically: in between others may take it.  As flock_lock_inode. */
static int flock_request(struct inode *inode, struct file_lock *request)
{
	struct file_lock_context *ctx = locks_get_lock_context(inode, request->fl_type != F_UNLCK);
	struct file_lock *new = NULL, *fl;
	bool found = false;
	LIST_HEAD(dispose);
	int err = 0;

	if (!ctx)
		return request->fl_type == F_UNLCK ? 0 : -ENOMEM;
	if (request->fl_type != F_UNLCK) {
		new = alloc_lock();
		if (!new)
			return -ENOMEM;
	}
	spin_lock(&ctx->flc_lock);
	list_for_each_entry(fl, &ctx->flc_flock, fl_list) {
		if (fl->fl_file != request->fl_file)
			continue;
		if (fl->fl_type == request->fl_type)
			goto out;
		found = true;
		delete_lock(fl, &dispose);
		break;
	}
	if (request->fl_type == F_UNLCK)
		goto out;
	if (found) {
		/* Those who were woken get their chance first. */
		spin_unlock(&ctx->flc_lock);
		cond_resched();
		spin_lock(&ctx->flc_lock);
	}
	list_for_each_entry(fl, &ctx->flc_flock, fl_list) {
		if (fl->fl_file == request->fl_file || !types_conflict(request, fl))
			continue;
		err = -EAGAIN;
		if (request->fl_flags & FL_SLEEP) {
			err = FILE_LOCK_DEFERRED;
			spin_lock(&blocked_lock_lock);
			insert_block(fl, request);
			spin_unlock(&blocked_lock_lock);
		}
		goto out;
	}
	copy_lock(new, request);
	list_add_tail(&new->fl_list, &ctx->flc_flock);
	new = NULL;
out:
	spin_unlock(&ctx->flc_lock);
	free_lock(new);
	free_locks(&dispose);
	return err;
}

static int flock_wait(struct inode *inode, struct file_lock *fl)
{
	int err;

	for (;;) {
		err = flock_request(inode, fl);
		if (err != FILE_LOCK_DEFERRED)
			break;
		err = wait_event_interruptible(fl->fl_wait, list_empty(&fl->fl_blocked_member));
		if (err)
			break;
	}
	delete_block(fl);
	return err;
}

static void make_flock(struct file_lock *fl, struct file *filp, int type)
{
	init_lock(fl);
	fl->fl_file = filp;
	fl->fl_owner = filp;
	fl->fl_pid = current->tgid;
	fl->fl_flags = FL_FLOCK;
	fl->fl_type = type;
	fl->fl_end = OFFSET_MAX;
}

long sys_flock(unsigned int fd, unsigned int cmd)
{
	struct file_lock fl;
	struct fd f;
	int type, err = -EBADF;

	switch (cmd & ~LOCK_NB) {
	case LOCK_SH:
		type = F_RDLCK;
		break;
	case LOCK_EX:
		type = F_WRLCK;
		break;
	case LOCK_UN:
		type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	f = fdget(fd);
	if (!f.file)
		return err;
	if (type == F_UNLCK || f.file->f_mode & (FMODE_READ | FMODE_WRITE)) {
		make_flock(&fl, f.file, type);
		if (!(cmd & LOCK_NB))
			fl.fl_flags |= FL_SLEEP;
		err = flock_wait(file_inode(f.file), &fl);
	}
	fdput(f);
	return err;
}

/* ---- closing ---- */

/* Any close() by a process drops all its record locks on the file: POSIX wants it so. */
void locks_remove_posix(struct file *filp, fl_owner_t owner)
{
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(filp), false);
	struct file_lock lock;

	if (likely(!ctx) || list_empty(&ctx->flc_posix))
		return;
	init_lock(&lock);
	lock.fl_type = F_UNLCK;
	lock.fl_flags = FL_POSIX | FL_CLOSE;
	lock.fl_end = OFFSET_MAX;
	lock.fl_owner = owner;
	lock.fl_pid = current->tgid;
	lock.fl_file = filp;
	posix_lock_file(filp, &lock, NULL);
}

void locks_remove_file(struct file *filp)
{
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(filp), false);
	struct file_lock fl;

	if (likely(!ctx))
		return;
	locks_remove_posix(filp, filp);		/* OFD locks */
	if (!list_empty(&ctx->flc_flock)) {
		make_flock(&fl, filp, F_UNLCK);
		flock_request(file_inode(filp), &fl);
	}
	locks_remove_lease(filp, ctx);
}

/* ---- /proc/locks ---- */

static void show_lock(struct seq_file *m, const struct file_lock *fl, int id, bool blocked)
{
	struct inode *inode = fl->fl_file ? file_inode(fl->fl_file) : NULL;

	seq_printf(m, "%d: %s%s ADVISORY  %s ", id, blocked ? "-> " : "",
		   fl->fl_flags & FL_OFDLCK ? "OFDLCK" : fl->fl_flags & FL_POSIX ? "POSIX " : "FLOCK ",
		   fl->fl_type == F_WRLCK ? "WRITE" : "READ ");
	if (inode)
		seq_printf(m, "%d %02x:%02x:%lu ", pid_nr_vnr(fl->fl_pid),
			   MAJOR(inode->i_sb->s_dev), MINOR(inode->i_sb->s_dev), inode->i_ino);
	else
		seq_printf(m, "%d <none>:0 ", pid_nr_vnr(fl->fl_pid));
	if (fl->fl_flags & FL_FLOCK)
		seq_puts(m, "0 EOF\n");
	else if (fl->fl_end == OFFSET_MAX)
		seq_printf(m, "%lld EOF\n", fl->fl_start);
	else
		seq_printf(m, "%lld %lld\n", fl->fl_start, fl->fl_end);
}

static void show_list(struct seq_file *m, struct list_head *list, int *id)
{
	struct file_lock *fl, *waiter;

	list_for_each_entry(fl, list, fl_list) {
		show_lock(m, fl, ++*id, false);
		spin_lock(&blocked_lock_lock);
		list_for_each_entry(waiter, &fl->fl_blocked_requests, fl_blocked_member)
			show_lock(m, waiter, *id, true);
		spin_unlock(&blocked_lock_lock);
	}
}

static void show_sb_locks(struct super_block *sb, void *arg)
{
	void **args = arg;
	struct inode *inode;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		struct file_lock_context *ctx = smp_load_acquire(&inode->i_flctx);

		if (!ctx)
			continue;
		spin_lock(&ctx->flc_lock);
		show_list(args[0], &ctx->flc_flock, args[1]);
		show_list(args[0], &ctx->flc_posix, args[1]);
		show_leases(args[0], ctx, NULL, "", args[1]);
		spin_unlock(&ctx->flc_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
}

int list_file_locks(struct seq_file *m, void *v)
{
	int id = 0;
	void *args[2] = { m, &id };

	iterate_supers(show_sb_locks, args);
	return 0;
}

/* /proc/PID/fdinfo: what the task, or the open file itself, has locked. */
void show_fd_locks(struct seq_file *m, struct file *filp, struct task_struct *task)
{
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(filp), false);
	struct list_head *lists[2];
	struct file_lock *fl;
	int id = 0;

	if (!ctx)
		return;
	lists[0] = &ctx->flc_flock;
	lists[1] = &ctx->flc_posix;
	spin_lock(&ctx->flc_lock);
	for (int i = 0; i < 2; i++) {
		list_for_each_entry(fl, lists[i], fl_list) {
			if (fl->fl_owner != filp && (fl->fl_file != filp || fl->fl_owner != READ_ONCE(task->files)))
				continue;
			seq_puts(m, "lock:\t");
			show_lock(m, fl, ++id, false);
		}
	}
	show_leases(m, ctx, filp, "lock:\t", &id);
	spin_unlock(&ctx->flc_lock);
}

void __init locks_init(void)
{
	flctx_cache = KMEM_CACHE(file_lock_context, SLAB_PANIC);
	filelock_cache = KMEM_CACHE(file_lock, SLAB_PANIC);
}
