/*
 * file_table.c: struct file: allocation, the number of open files in the system, and the end at the last fput().
 *
 * Idea:    memory of a struct file is reused under RCU only for another one (SLAB_TYPESAFE_BY_RCU): a lockless look-up
 *          takes a reference if the count is not zero and then looks whether the table still says the same file.
 *          The last fput() may happen with any lock held: the real end waits for the return to user mode (task_work), or
 *          for a kernel thread.  close(2) itself calls __fput_sync(): it holds nothing.
 * Locking: nr_files is summed per CPU; the limit is looked at exactly only when it comes near.
 * See:     file.c (descriptors); open(2); doc/files.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/filelock.h>
#include <weft/fsnotify.h>
#include <weft/eventpoll.h>
#include <weft/mount.h>
#include <weft/slab.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/percpu.h>
#include <weft/pagemap.h>
#include <weft/task_work.h>
#include <weft/workqueue.h>
#include <weft/hardirq.h>
#include <weft/proc_fs.h>
#include <weft/vmstat.h>
#include "internal.h"

static struct kmem_cache *filp_cachep;
static DEFINE_PER_CPU(long, nr_files);
static unsigned long max_files = 8192;

/* ---- counting ---- */

long get_nr_files(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(nr_files, cpu);
	return sum < 0 ? 0 : sum;
}

unsigned long get_max_files(void)
{
	return max_files;
}

/* ---- birth ---- */

/* What never changes from one use of the memory to the next. */
static void file_init_once(void *p)
{
	struct file *f = p;

	memset(f, 0, sizeof(*f));
	spin_lock_init(&f->f_lock);
	mutex_init(&f->f_pos_lock);
	rwlock_init(&f->f_owner.lock);
}

/* Everything but the constructed part is set here, so that no memset of the whole is needed.  Count 1 at the end. */
struct file *alloc_empty_file_noaccount(int flags, const struct cred *cred)
{
	struct file *f = kmem_cache_alloc(filp_cachep, GFP_KERNEL);

	if (unlikely(!f))
		return ERR_PTR(-ENOMEM);
	f->f_mode = OPEN_FMODE(flags);
	f->f_flags = flags;
	f->f_op = NULL;
	f->f_inode = NULL;
	f->f_mapping = NULL;
	f->private_data = NULL;
	f->f_pos = 0;
	f->f_path = (struct path){ };
	f->f_cred = get_cred(cred);
	f->f_wb_err = f->f_sb_err = 0;
	f->f_owner.pid = NULL;
	f->f_owner.signum = 0;
	f->f_owner.uid = f->f_owner.euid = 0;
	f->f_ra = (struct file_ra_state){ .prev_pos = -1 };
	INIT_HLIST_HEAD(&f->f_ep);
	f->f_version = 0;
	/* Last: a look-up that still has the old pointer may take a reference from now on. */
	smp_store_release(&f->f_count.counter, 1);
	this_cpu_inc(nr_files);
	return f;
}

struct file *alloc_empty_file(int flags, const struct cred *cred)
{
	static unsigned long reported;

	/* This CPU's share alone says nothing; but unless it is large the sum can hardly be at the limit. */
	if (unlikely(this_cpu_read(nr_files) >= (long)(max_files / 64)) && get_nr_files() >= (long)max_files &&
	    !capable(CAP_SYS_ADMIN)) {
		if (!xchg(&reported, 1))
			pr_info("VFS: file-max limit %lu reached\n", max_files);
		return ERR_PTR(-ENFILE);
	}
	return alloc_empty_file_noaccount(flags, cred);
}

/* A file on a path that the caller gives away, opened without ->open(). */
struct file *alloc_file(const struct path *path, int flags, const struct file_operations *fops)
{
	struct file *file = alloc_empty_file(flags, current_cred());

	if (IS_ERR(file))
		return file;
	file->f_path = *path;
	file->f_inode = d_inode(path->dentry);
	file->f_mapping = file->f_inode->i_mapping;
	if (fops->llseek)
		file->f_mode |= FMODE_LSEEK;
	if (file->f_mode & FMODE_READ && fops->read_iter)
		file->f_mode |= FMODE_CAN_READ;
	if (file->f_mode & FMODE_WRITE && fops->write_iter)
		file->f_mode |= FMODE_CAN_WRITE;
	file->f_mode |= FMODE_OPENED | fops->fop_mode;
	file->f_op = fops;
	return file;
}

/* A file with a pseudo name on an internal mount: pipes, sockets, anonymous inodes.  The inode's reference moves over. */
struct file *alloc_file_pseudo(struct inode *inode, struct vfsmount *mnt, const char *name, int flags,
			       const struct file_operations *fops)
{
	struct qstr this = QSTR(name);
	struct path path;
	struct file *file;

	path.dentry = d_alloc_pseudo(mnt->mnt_sb, &this);
	if (!path.dentry)
		return ERR_PTR(-ENOMEM);
	path.mnt = mntget(mnt);
	d_instantiate(path.dentry, inode);
	file = alloc_file(&path, flags, fops);
	if (IS_ERR(file)) {
		ihold(inode);	/* on failure it stays the caller's */
		path_put(&path);
	}
	return file;
}

struct file *alloc_file_clone(struct file *base, int flags, const struct file_operations *fops)
{
	struct file *f = alloc_file(&base->f_path, flags, fops);

	if (!IS_ERR(f)) {
		path_get(&f->f_path);
		f->f_mapping = base->f_mapping;
	}
	return f;
}

/* ---- the end ---- */

static void file_free(struct file *f)
{
	put_cred(f->f_cred);
	this_cpu_dec(nr_files);
	kmem_cache_free(filp_cachep, f);
}

void file_put_write_access(struct file *file)
{
	put_write_access(file_inode(file));
	mnt_put_write_access(file->f_path.mnt);
}

static void __fput(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct vfsmount *mnt = file->f_path.mnt;
	struct inode *inode = file->f_inode;

	if (unlikely(!(file->f_mode & FMODE_OPENED)))
		goto out;
	might_sleep();
	fsnotify_close(file);
	eventpoll_release(file);	/* before ->release(): it may look at the file's poll state */
	locks_remove_file(file);
	if (unlikely(file->f_flags & FASYNC) && file->f_op->fasync)
		file->f_op->fasync(-1, file, 0);
	if (file->f_op->release)
		file->f_op->release(inode, file);
	put_pid(file->f_owner.pid);
	if (file->f_mode & FMODE_WRITER)
		file_put_write_access(file);
	else if (file->f_mode & FMODE_READER)
		atomic_dec(&inode->i_readcount);
	dput(dentry);
	if (unlikely(file->f_mode & FMODE_NEED_UNMOUNT))
		dissolve_detached(mnt);
	mntput(mnt);
out:
	file_free(file);
}

static LLIST_HEAD(delayed_fput_list);

static void delayed_fput(struct work_struct *unused)
{
	struct llist_node *node = llist_del_all(&delayed_fput_list);
	struct file *f, *next;

	llist_for_each_entry_safe(f, next, node, f_llist)
		__fput(f);
}
static DECLARE_WORK(delayed_fput_work, delayed_fput);

static void ____fput(struct callback_head *work)
{
	__fput(container_of(work, struct file, f_rcuhead));
}

/* For kernel threads at start-up: what they have put is really closed. */
void flush_delayed_fput(void)
{
	delayed_fput(NULL);
}

void fput(struct file *file)
{
	struct task_struct *task = current;

	if (!atomic_long_dec_and_test(&file->f_count))
		return;
	if (unlikely(!(file->f_mode & FMODE_OPENED))) {
		file_free(file);		/* it never got so far that there is something to undo */
		return;
	}
	if (likely(!in_interrupt() && !(task->flags & PF_KTHREAD))) {
		init_task_work(&file->f_rcuhead, ____fput);
		if (!task_work_add(task, &file->f_rcuhead, TWA_RESUME))
			return;
	}
	if (llist_add(&file->f_llist, &delayed_fput_list))
		schedule_work(&delayed_fput_work);
}

void __fput_sync(struct file *file)
{
	if (atomic_long_dec_and_test(&file->f_count))
		__fput(file);
}

/* ---- start-up ---- */

static int proc_file_nr(const struct ctl_table *table, int write, char *buf, size_t *len)
{
	if (write)
		return -EPERM;
	*len = scnprintf(buf, *len, "%ld\t0\t%lu\n", get_nr_files(), max_files);
	return 0;
}

static const struct ctl_table file_table[] = {
	{ "file-nr", NULL, 0, 0444, proc_file_nr, NULL, NULL },
	{ "file-max", &max_files, sizeof(max_files), 0644, proc_doulongvec_minmax, NULL, NULL },
	{ },
};

static int __init file_sysctl_init(void)
{
	return register_sysctl("fs", file_table);
}
fs_initcall(file_sysctl_init);

/* At most a tenth of memory for open files, each with its dentry and inode about a KiB. */
void __init files_maxfiles_init(void)
{
	max_files = max(totalram_pages() * (PAGE_SIZE / 1024) / 10, 8192UL);
}

void __init files_init(void)
{
	filp_cachep = kmem_cache_create("filp", sizeof(struct file), 0,
					SLAB_TYPESAFE_BY_RCU | SLAB_HWCACHE_ALIGN | SLAB_PANIC, file_init_once);
}
