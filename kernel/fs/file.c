/*
 * file.c: descriptor tables: number -> file.
 *
 * Idea:    the first 64 descriptors lie in files_struct itself; a larger table is made aside, copied and published.
 *          Look-ups take no lock: with the table to oneself not even a reference on the file (fdget), otherwise one under
 *          RCU.  The lowest free number is found by a bitmap of full words above the bitmap of open ones.
 * Locking: files->file_lock for changes.  A table that is being enlarged is announced (resize_in_progress), because the
 *          lock is dropped while memory is allocated.
 * Race:    fd_install() of one thread against growing by another:
 *              fd_install (RCU, no lock)               expand_fdtable
 *              resize_in_progress? no                  resize_in_progress = true
 *              fdt = files->fdt                        synchronize_rcu(): waits for the section on the left
 *              fdt->fd[n] = file                       copies the table, publishes it
 *          if yes, it takes file_lock instead.
 * See:     fdtable.h; open(2), dup(2), close_range(2); doc/files.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/filelock.h>
#include <weft/slab.h>
#include <weft/bitops.h>
#include <weft/bitmap.h>
#include <weft/string.h>
#include <weft/sched.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/proc_fs.h>
#include <uapi/resource.h>
#include "internal.h"

unsigned int sysctl_nr_open __read_mostly = 1024 * 1024;
unsigned int sysctl_nr_open_min = BITS_PER_LONG;
unsigned int sysctl_nr_open_max = 1U << 30;

struct files_struct init_files = {
	.count		= ATOMIC_INIT(1),
	.fdt		= &init_files.fdtab,
	.fdtab		= {
		.max_fds	= NR_OPEN_DEFAULT,
		.fd		= &init_files.fd_array[0],
		.close_on_exec	= init_files.close_on_exec_init,
		.open_fds	= init_files.open_fds_init,
		.full_fds_bits	= init_files.full_fds_bits_init,
	},
	.file_lock	= __SPIN_LOCK_UNLOCKED(init_files.file_lock),
	.resize_wait	= __WAIT_QUEUE_HEAD_INITIALIZER(init_files.resize_wait),
};

static struct kmem_cache *files_cachep;

/* ---- tables ---- */

#define BITBIT_NR(nr)	DIV_ROUND_UP(nr, BITS_PER_LONG * BITS_PER_LONG)	/* words of full_fds_bits */

static void free_fdtable(struct fdtable *fdt)
{
	kvfree(fdt->fd);
	kvfree(fdt->open_fds);
	kfree(fdt);
}

static void free_fdtable_rcu(struct rcu_head *rcu)
{
	free_fdtable(container_of(rcu, struct fdtable, rcu));
}

/* The first `count` descriptors of ofdt into nfdt, nothing behind.  The pointers to files are copied by the callers. */
static void copy_fd_bitmaps(struct fdtable *nfdt, const struct fdtable *ofdt, unsigned int count)
{
	unsigned int words = count / BITS_PER_LONG, all = nfdt->max_fds / BITS_PER_LONG;
	unsigned int bit_words = BITBIT_NR(count), all_bit_words = BITBIT_NR(nfdt->max_fds);

	memcpy(nfdt->open_fds, ofdt->open_fds, words * sizeof(long));
	memset(nfdt->open_fds + words, 0, (all - words) * sizeof(long));
	memcpy(nfdt->close_on_exec, ofdt->close_on_exec, words * sizeof(long));
	memset(nfdt->close_on_exec + words, 0, (all - words) * sizeof(long));
	memset(nfdt->full_fds_bits, 0, all_bit_words * sizeof(long));
	memcpy(nfdt->full_fds_bits, ofdt->full_fds_bits, min(bit_words, all_bit_words) * sizeof(long));
	for (unsigned int i = words; i < bit_words * BITS_PER_LONG && i < all; i++)
		__clear_bit(i, nfdt->full_fds_bits);
}

/* With room for descriptor nr.  NULL without memory. */
static struct fdtable *alloc_fdtable(unsigned int nr)
{
	struct fdtable *fdt;
	unsigned long *bits;

	/* In steps that fill pages: 128, 256, ... pointers of 8 bytes. */
	nr = roundup_pow_of_two(max(nr + 1, 128U));
	if (unlikely(nr > sysctl_nr_open))
		nr = round_up(sysctl_nr_open, BITS_PER_LONG);
	fdt = kmalloc(sizeof(*fdt), GFP_KERNEL);
	if (!fdt)
		return NULL;
	fdt->max_fds = nr;
	fdt->fd = kvmalloc_array(nr, sizeof(struct file *), GFP_KERNEL);
	bits = kvmalloc((2 * nr / BITS_PER_LONG + BITBIT_NR(nr)) * sizeof(long), GFP_KERNEL);
	if (!fdt->fd || !bits) {
		kvfree(fdt->fd);
		kvfree(bits);
		kfree(fdt);
		return NULL;
	}
	fdt->open_fds = bits;
	fdt->close_on_exec = bits + nr / BITS_PER_LONG;
	fdt->full_fds_bits = bits + 2 * (nr / BITS_PER_LONG);
	return fdt;
}

/* file_lock held, dropped meanwhile.  0, -ENOMEM, -EMFILE. */
static int expand_fdtable(struct files_struct *files, unsigned int nr) __must_hold(&files->file_lock)
{
	struct fdtable *new, *cur;

	spin_unlock(&files->file_lock);
	new = alloc_fdtable(nr);
	if (atomic_read(&files->count) > 1)
		synchronize_rcu();	/* see the picture at the top */
	spin_lock(&files->file_lock);
	if (!new)
		return -ENOMEM;
	if (unlikely(new->max_fds <= nr)) {	/* sysctl_nr_open went down meanwhile */
		free_fdtable(new);
		return -EMFILE;
	}
	cur = files->fdt;
	BUG_ON(nr < cur->max_fds);
	copy_fd_bitmaps(new, cur, cur->max_fds);
	memcpy(new->fd, cur->fd, cur->max_fds * sizeof(struct file *));
	memset(new->fd + cur->max_fds, 0, (new->max_fds - cur->max_fds) * sizeof(struct file *));
	rcu_assign_pointer(files->fdt, new);
	if (cur != &files->fdtab)
		call_rcu(&cur->rcu, free_fdtable_rcu);
	smp_wmb();		/* the table before the end of resize_in_progress: fd_install() */
	return 0;
}

/* Makes room for nr.  file_lock held; 1: it was dropped and the table changed, 0: there was room, or -errno. */
static int expand_files(struct files_struct *files, unsigned int nr) __must_hold(&files->file_lock)
{
	int ret = 0;

	for (;;) {
		if (nr < files->fdt->max_fds)
			return ret;
		if (nr >= sysctl_nr_open)
			return -EMFILE;
		if (!files->resize_in_progress)
			break;
		spin_unlock(&files->file_lock);
		wait_event(files->resize_wait, !READ_ONCE(files->resize_in_progress));
		spin_lock(&files->file_lock);
		ret = 1;
	}
	files->resize_in_progress = true;
	ret = expand_fdtable(files, nr);
	files->resize_in_progress = false;
	wake_up_all(&files->resize_wait);
	return ret ? ret : 1;
}

static inline void set_cloexec(unsigned int fd, struct fdtable *fdt, bool on)
{
	/* The word is written only when it changes: mostly it is clear. */
	if (on)
		__set_bit(fd, fdt->close_on_exec);
	else if (test_bit(fd, fdt->close_on_exec))
		__clear_bit(fd, fdt->close_on_exec);
}

static inline void mark_open(unsigned int fd, struct fdtable *fdt)
{
	__set_bit(fd, fdt->open_fds);
	if (!~fdt->open_fds[fd / BITS_PER_LONG])
		__set_bit(fd / BITS_PER_LONG, fdt->full_fds_bits);
}

static inline void mark_free(unsigned int fd, struct fdtable *fdt)
{
	__clear_bit(fd, fdt->open_fds);
	__clear_bit(fd / BITS_PER_LONG, fdt->full_fds_bits);
}

/* The lowest free number from start on; max_fds when there is none. */
static unsigned int find_next_fd(struct fdtable *fdt, unsigned int start)
{
	unsigned int max = fdt->max_fds, words = max / BITS_PER_LONG, word = start / BITS_PER_LONG;
	unsigned long free = ~fdt->open_fds[word] & (~0UL << (start % BITS_PER_LONG));

	if (likely(free))
		return word * BITS_PER_LONG + __ffs(free);
	word = find_next_zero_bit(fdt->full_fds_bits, words, word + 1);
	if (word >= words)
		return max;
	return word * BITS_PER_LONG + __ffs(~fdt->open_fds[word]);
}

/* Reserves the lowest free number in [start, end).  The number, -EMFILE or -ENOMEM. */
static int alloc_fd(unsigned int start, unsigned int end, unsigned int flags)
{
	struct files_struct *files = current->files;
	struct fdtable *fdt;
	unsigned int fd;
	int err;

	spin_lock(&files->file_lock);
	for (;;) {
		fdt = files->fdt;
		fd = max(start, files->next_fd);
		if (fd < fdt->max_fds)
			fd = find_next_fd(fdt, fd);
		err = -EMFILE;
		if (unlikely(fd >= end))
			goto out;
		if (likely(fd < fdt->max_fds))
			break;
		err = expand_files(files, fd);
		if (err < 0)
			goto out;
	}
	if (start <= files->next_fd)
		files->next_fd = fd + 1;
	mark_open(fd, fdt);
	set_cloexec(fd, fdt, flags & O_CLOEXEC);
	err = fd;
out:
	spin_unlock(&files->file_lock);
	return err;
}

int __get_unused_fd_flags(unsigned int flags, unsigned long nofile)
{
	return alloc_fd(0, min(nofile, (unsigned long)INT_MAX), flags);
}

int get_unused_fd_flags(unsigned int flags)
{
	return __get_unused_fd_flags(flags, rlimit(RLIMIT_NOFILE));
}

/* file_lock held. */
static void __put_unused_fd(struct files_struct *files, unsigned int fd)
{
	mark_free(fd, files->fdt);
	if (fd < files->next_fd)
		files->next_fd = fd;
}

void put_unused_fd(unsigned int fd)
{
	struct files_struct *files = current->files;

	spin_lock(&files->file_lock);
	__put_unused_fd(files, fd);
	spin_unlock(&files->file_lock);
}

void fd_install(unsigned int fd, struct file *file)
{
	struct files_struct *files = current->files;
	struct fdtable *fdt;

	rcu_read_lock();
	if (unlikely(READ_ONCE(files->resize_in_progress))) {
		rcu_read_unlock();
		spin_lock(&files->file_lock);
		rcu_assign_pointer(files->fdt->fd[fd], file);
		spin_unlock(&files->file_lock);
		return;
	}
	smp_rmb();
	fdt = rcu_dereference(files->fdt);
	rcu_assign_pointer(fdt->fd[fd], file);
	rcu_read_unlock();
}

/* ---- tables of tasks ---- */

struct files_struct *get_files_struct(struct task_struct *task)
{
	struct files_struct *files;

	task_lock(task);
	files = task->files;
	if (files)
		atomic_inc(&files->count);
	task_unlock(task);
	return files;
}

static void close_files(struct files_struct *files)
{
	struct fdtable *fdt = files->fdt;	/* the last user: nobody changes it any more */

	for (unsigned int word = 0; word * BITS_PER_LONG < fdt->max_fds; word++) {
		unsigned long set = fdt->open_fds[word];

		for (; set; set &= set - 1) {
			struct file *file = xchg(&fdt->fd[word * BITS_PER_LONG + __ffs(set)], NULL);

			if (file) {
				filp_close(file, files);
				cond_resched();
			}
		}
	}
	if (fdt != &files->fdtab)
		free_fdtable(fdt);
}

void put_files_struct(struct files_struct *files)
{
	if (!atomic_dec_and_test(&files->count))
		return;
	close_files(files);
	kmem_cache_free(files_cachep, files);
}

void exit_files(struct task_struct *tsk)
{
	struct files_struct *files = tsk->files;

	if (!files)
		return;
	task_lock(tsk);
	tsk->files = NULL;
	task_unlock(tsk);
	put_files_struct(files);
}

/* How many descriptors a copy must have room for: full words, not beyond max_fds. */
static unsigned int sane_fdtable_size(struct fdtable *fdt, unsigned int max_fds)
{
	unsigned int count = fdt->max_fds;

	while (count > NR_OPEN_DEFAULT && !fdt->open_fds[count / BITS_PER_LONG - 1])
		count -= BITS_PER_LONG;
	max_fds = round_up(min(max_fds, (unsigned int)INT_MAX - BITS_PER_LONG), BITS_PER_LONG);
	return min(count, max(max_fds, (unsigned int)NR_OPEN_DEFAULT));
}

static struct files_struct *alloc_files(void)
{
	struct files_struct *newf = kmem_cache_alloc(files_cachep, GFP_KERNEL);

	if (!newf)
		return NULL;
	atomic_set(&newf->count, 1);
	spin_lock_init(&newf->file_lock);
	newf->resize_in_progress = false;
	init_waitqueue_head(&newf->resize_wait);
	newf->next_fd = 0;
	newf->fdtab = (struct fdtable){
		.max_fds = NR_OPEN_DEFAULT, .fd = newf->fd_array, .close_on_exec = newf->close_on_exec_init,
		.open_fds = newf->open_fds_init, .full_fds_bits = newf->full_fds_bits_init,
	};
	newf->fdt = &newf->fdtab;
	return newf;
}

/* The open files of one word of the bitmap, each with a reference for the new table. */
static void share_files(struct fdtable *new, struct fdtable *old, unsigned int word)
{
	for (unsigned long set = new->open_fds[word]; set; set &= set - 1) {
		unsigned int fd = word * BITS_PER_LONG + __ffs(set);
		struct file *f = old->fd[fd];

		if (f)
			new->fd[fd] = get_file(f);
		else
			mark_free(fd, new);	/* reserved by somebody who has not installed it yet */
	}
}

/* A copy of the table with descriptors below max_fds.  NULL and *errorp = -ENOMEM, -EMFILE on failure. */
struct files_struct *dup_fd(struct files_struct *oldf, unsigned int max_fds, int *errorp)
{
	struct files_struct *newf = alloc_files();
	struct fdtable *old, *new;
	unsigned int open;

	*errorp = -ENOMEM;
	if (!newf)
		return NULL;
	new = &newf->fdtab;
	spin_lock(&oldf->file_lock);
	old = oldf->fdt;
	open = sane_fdtable_size(old, max_fds);
	while (unlikely(open > new->max_fds)) {
		spin_unlock(&oldf->file_lock);
		if (new != &newf->fdtab)
			free_fdtable(new);
		new = alloc_fdtable(open - 1);
		if (!new)
			goto fail;
		if (unlikely(new->max_fds < open)) {
			free_fdtable(new);
			*errorp = -EMFILE;
			goto fail;
		}
		spin_lock(&oldf->file_lock);
		old = oldf->fdt;
		open = sane_fdtable_size(old, max_fds);
	}
	copy_fd_bitmaps(new, old, open);
	memset(new->fd, 0, new->max_fds * sizeof(struct file *));
	for (unsigned int word = 0; word < open / BITS_PER_LONG; word++)
		share_files(new, old, word);
	spin_unlock(&oldf->file_lock);
	rcu_assign_pointer(newf->fdt, new);
	*errorp = 0;
	return newf;

fail:
	kmem_cache_free(files_cachep, newf);
	return NULL;
}

int unshare_fd(unsigned long unshare_flags, unsigned int max_fds, struct files_struct **new_fdp)
{
	struct files_struct *files = current->files;
	int err = 0;

	if (unshare_flags & CLONE_FILES && files && atomic_read(&files->count) > 1) {
		*new_fdp = dup_fd(files, max_fds, &err);
		if (!*new_fdp)
			return err;
	}
	return 0;
}

int unshare_files(void)
{
	struct files_struct *old = current->files, *copy = NULL;
	int err = unshare_fd(CLONE_FILES, UINT_MAX, &copy);

	if (err || !copy)
		return err;
	task_lock(current);
	current->files = copy;
	task_unlock(current);
	put_files_struct(old);
	return 0;
}

void do_close_on_exec(struct files_struct *files)
{
	struct fdtable *fdt;

	spin_lock(&files->file_lock);
	for (unsigned int word = 0; ; word++) {
		unsigned long set;

		fdt = files->fdt;
		if (word * BITS_PER_LONG >= fdt->max_fds)
			break;
		set = fdt->close_on_exec[word];
		if (!set)
			continue;
		fdt->close_on_exec[word] = 0;
		for (; set; set &= set - 1) {
			unsigned int fd = word * BITS_PER_LONG + __ffs(set);
			struct file *file = fdt->fd[fd];

			if (!file)
				continue;
			rcu_assign_pointer(fdt->fd[fd], NULL);
			__put_unused_fd(files, fd);
			spin_unlock(&files->file_lock);
			filp_close(file, files);
			cond_resched();
			spin_lock(&files->file_lock);
			fdt = files->fdt;
		}
	}
	spin_unlock(&files->file_lock);
}

/* ---- look-up ---- */

/*
 * + reference.  The memory may be reused for another file between reading the pointer and taking the count: then the
 * table does not say the same any more.
 */
static struct file *fget_files_rcu(struct files_struct *files, unsigned int fd, fmode_t forbidden)
{
	for (;;) {
		struct fdtable *fdt = rcu_dereference_raw(files->fdt);
		struct file **slot, *file;

		if (unlikely(fd >= fdt->max_fds))
			return NULL;
		slot = fdt->fd + fd;
		file = rcu_dereference_raw(*slot);
		if (unlikely(!file))
			return NULL;
		if (unlikely(!get_file_rcu(file)))
			continue;
		if (unlikely(file != READ_ONCE(*slot) || fdt != READ_ONCE(files->fdt))) {
			fput(file);
			continue;
		}
		if (unlikely(file->f_mode & forbidden)) {
			fput(file);
			return NULL;
		}
		return file;
	}
}

static struct file *fget_files(struct files_struct *files, unsigned int fd, fmode_t forbidden)
{
	struct file *file;

	rcu_read_lock();
	file = fget_files_rcu(files, fd, forbidden);
	rcu_read_unlock();
	return file;
}

struct file *fget(unsigned int fd)
{
	return fget_files(current->files, fd, FMODE_PATH);
}

struct file *fget_raw(unsigned int fd)
{
	return fget_files(current->files, fd, 0);
}

struct file *fget_task(struct task_struct *task, unsigned int fd)
{
	struct file *file = NULL;

	task_lock(task);
	if (task->files)
		file = fget_files(task->files, fd, 0);
	task_unlock(task);
	return file;
}

/* The first open descriptor from *fd on; *fd is its number, or where the search ended. */
struct file *task_lookup_next_fd_rcu(struct task_struct *task, unsigned int *fd)
{
	struct files_struct *files;
	struct file *file = NULL;

	task_lock(task);
	files = task->files;
	if (files) {
		for (; *fd < files_fdtable(files)->max_fds; (*fd)++) {
			file = files_lookup_fd_rcu(files, *fd);
			if (file)
				break;
		}
	}
	task_unlock(task);
	return file;
}

/* Without a reference when the table is ours alone: nobody else can close the file while we use it. */
static __always_inline unsigned long fget_light(unsigned int fd, fmode_t forbidden)
{
	struct files_struct *files = current->files;
	struct file *file;

	if (likely(atomic_read(&files->count) == 1)) {
		struct fdtable *fdt = files->fdt;

		if (unlikely(fd >= fdt->max_fds))
			return 0;
		file = READ_ONCE(fdt->fd[fd]);
		return unlikely(!file || file->f_mode & forbidden) ? 0 : (unsigned long)file;
	}
	file = fget_files(files, fd, forbidden);
	return file ? (unsigned long)file | FDPUT_FPUT : 0;
}

unsigned long __fdget(unsigned int fd)
{
	return fget_light(fd, FMODE_PATH);
}

unsigned long __fdget_raw(unsigned int fd)
{
	return fget_light(fd, 0);
}

unsigned long __fdget_pos(unsigned int fd) __no_context_analysis	/* FDPUT_POS_UNLOCK in the result says whether */
{
	unsigned long v = fget_light(fd, FMODE_PATH);
	struct file *file = (struct file *)(v & ~3UL);

	/* A position that others could move meanwhile: another descriptor or another thread has this file. */
	if (file && file->f_mode & FMODE_ATOMIC_POS && (v & FDPUT_FPUT || file_count(file) > 1)) {
		v |= FDPUT_POS_UNLOCK;
		mutex_lock(&file->f_pos_lock);
	}
	return v;
}

void __f_unlock_pos(struct file *f) __no_context_analysis	/* as above */
{
	mutex_unlock(&f->f_pos_lock);
}

/* ---- closing ---- */

/* file_lock held.  The file, whose reference is the caller's now, or NULL. */
static struct file *pick_file(struct files_struct *files, unsigned int fd)
{
	struct fdtable *fdt = files->fdt;
	struct file *file;

	if (fd >= fdt->max_fds)
		return NULL;
	file = fdt->fd[fd];
	if (file) {
		rcu_assign_pointer(fdt->fd[fd], NULL);
		__put_unused_fd(files, fd);
	}
	return file;
}

/* Takes the descriptor out of the table; the caller has to filp_close().  NULL when it is not open. */
struct file *close_fd_get_file(unsigned int fd)
{
	struct files_struct *files = current->files;
	struct file *file;

	spin_lock(&files->file_lock);
	file = pick_file(files, fd);
	spin_unlock(&files->file_lock);
	return file;
}

int close_fd(unsigned int fd)
{
	struct file *file = close_fd_get_file(fd);

	return file ? filp_close(file, current->files) : -EBADF;
}

static void range_close(struct files_struct *files, unsigned int fd, unsigned int max_fd)
{
	for (; fd <= max_fd; fd++) {
		struct file *file;

		spin_lock(&files->file_lock);
		/* Over what is not open in one stride. */
		fd = fd < files->fdt->max_fds ? find_next_bit(files->fdt->open_fds, files->fdt->max_fds, fd) : fd;
		if (fd > max_fd || fd >= files->fdt->max_fds) {
			spin_unlock(&files->file_lock);
			return;
		}
		file = pick_file(files, fd);
		spin_unlock(&files->file_lock);
		if (file)
			filp_close(file, files);
		cond_resched();
	}
}

static void range_cloexec(struct files_struct *files, unsigned int fd, unsigned int max_fd)
{
	struct fdtable *fdt;

	spin_lock(&files->file_lock);
	fdt = files->fdt;
	max_fd = min(max_fd, fdt->max_fds - 1);
	if (fd <= max_fd)
		bitmap_set(fdt->close_on_exec, fd, max_fd - fd + 1);
	spin_unlock(&files->file_lock);
}

long sys_close_range(unsigned int fd, unsigned int max_fd, unsigned int flags)
{
	int err;

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || fd > max_fd)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		err = unshare_files();
		if (err)
			return err;
	}
	if (flags & CLOSE_RANGE_CLOEXEC)
		range_cloexec(current->files, fd, max_fd);
	else
		range_close(current->files, fd, max_fd);
	return 0;
}

/* ---- flags and copies ---- */

void set_close_on_exec(unsigned int fd, int flag)
{
	struct files_struct *files = current->files;

	spin_lock(&files->file_lock);
	set_cloexec(fd, files->fdt, flag);
	spin_unlock(&files->file_lock);
}

bool get_close_on_exec(unsigned int fd)
{
	struct fdtable *fdt;
	bool res;

	rcu_read_lock();
	fdt = files_fdtable(current->files);
	res = fd < fdt->max_fds && close_on_exec(fd, fdt);
	rcu_read_unlock();
	return res;
}

/* Puts file at fd, closing what was there.  file_lock held, released.  fd or -EBUSY. */
static int do_dup2(struct files_struct *files, struct file *file, unsigned int fd, unsigned int flags)
	__releases(&files->file_lock)
{
	struct fdtable *fdt = files->fdt;
	struct file *old = fdt->fd[fd];

	/* Reserved by an open() that has not installed its file yet: what then?  Linux says EBUSY, so do we. */
	if (!old && fd_is_open(fd, fdt)) {
		spin_unlock(&files->file_lock);
		return -EBUSY;
	}
	get_file(file);
	rcu_assign_pointer(fdt->fd[fd], file);
	mark_open(fd, fdt);
	set_cloexec(fd, fdt, flags & O_CLOEXEC);
	spin_unlock(&files->file_lock);
	if (old)
		filp_close(old, files);
	return fd;
}

static int ksys_dup3(unsigned int oldfd, unsigned int newfd, int flags)
{
	struct files_struct *files = current->files;
	struct file *file;
	int err;

	if (flags & ~O_CLOEXEC || oldfd == newfd)
		return -EINVAL;
	if (newfd >= rlimit(RLIMIT_NOFILE))
		return -EBADF;
	spin_lock(&files->file_lock);
	err = expand_files(files, newfd);
	file = oldfd < files->fdt->max_fds ? files->fdt->fd[oldfd] : NULL;
	if (!file || err == -EMFILE)
		err = -EBADF;
	if (err < 0) {
		spin_unlock(&files->file_lock);
		return err;
	}
	return do_dup2(files, file, newfd, flags);
}

/* file NULL: close.  0 or fd, or -errno. */
int replace_fd(unsigned int fd, struct file *file, unsigned int flags)
{
	struct files_struct *files = current->files;
	int err;

	if (!file)
		return close_fd(fd);
	if (fd >= rlimit(RLIMIT_NOFILE))
		return -EBADF;
	spin_lock(&files->file_lock);
	err = expand_files(files, fd);
	if (err < 0) {
		spin_unlock(&files->file_lock);
		return err;
	}
	return do_dup2(files, file, fd, flags);
}

/* A file that came from elsewhere (SCM_RIGHTS, pidfd_getfd) gets a descriptor; its number also goes to *ufd. */
int receive_fd(struct file *file, int __user *ufd, unsigned int o_flags)
{
	int fd = get_unused_fd_flags(o_flags);

	if (fd < 0)
		return fd;
	if (ufd && put_user(fd, ufd)) {
		put_unused_fd(fd);
		return -EFAULT;
	}
	fd_install(fd, get_file(file));
	return fd;
}

int f_dupfd(unsigned int from, struct file *file, unsigned int flags)
{
	unsigned long nofile = rlimit(RLIMIT_NOFILE);
	int fd;

	if (from >= nofile)
		return -EINVAL;
	fd = alloc_fd(from, min(nofile, (unsigned long)INT_MAX), flags);
	if (fd >= 0)
		fd_install(fd, get_file(file));
	return fd;
}

long sys_dup(unsigned int fildes)
{
	struct file *file = fget_raw(fildes);
	int fd;

	if (!file)
		return -EBADF;
	fd = get_unused_fd_flags(0);
	if (fd >= 0)
		fd_install(fd, file);
	else
		fput(file);
	return fd;
}

long sys_dup2(unsigned int oldfd, unsigned int newfd)
{
	struct fd f;

	if (unlikely(oldfd == newfd)) {		/* does nothing, but the descriptor must be open */
		f = fdget_raw(oldfd);
		if (!f.file)
			return -EBADF;
		fdput(f);
		return oldfd;
	}
	return ksys_dup3(oldfd, newfd, 0);
}

long sys_dup3(unsigned int oldfd, unsigned int newfd, int flags)
{
	return ksys_dup3(oldfd, newfd, flags);
}

static const struct ctl_table fd_table[] = {
	{ "nr_open", &sysctl_nr_open, sizeof(int), 0644, proc_dointvec_minmax, &sysctl_nr_open_min, &sysctl_nr_open_max },
	{ },
};

static int __init fd_sysctl_init(void)
{
	return register_sysctl("fs", fd_table);
}
fs_initcall(fd_sysctl_init);

/* The cache of files_struct.  From vfs_caches_init(). */
void __init files_struct_init(void)
{
	files_cachep = kmem_cache_create("files_cache", sizeof(struct files_struct), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
}
