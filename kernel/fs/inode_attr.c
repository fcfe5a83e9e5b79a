/*
 * inode_attr.c: the attributes of inodes: owners, link counts, sizes in blocks, times, set-id bits, the dirty state.
 *
 * Idea:    times come from the coarse clock of the last tick, so that a write costs no reading of the TSC.  Access times
 *          follow "relatime": they move when the file changed since, or once a day; so reading seldom dirties an inode.
 * Locking: i_rwsem for what callers change; i_lock for i_blocks, i_bytes and i_state.  Times are written without a lock:
 *          two words, a reader may see a mix of two instants.
 * See:     inode(7); mount(2) "MS_RELATIME"
 */
#include <weft/kernel.h>
#include <weft/backing-dev.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/percpu.h>
#include <weft/timekeeping.h>
#include <weft/capability.h>
#include <weft/jiffies.h>
#include "internal.h"

/* ---- numbers, owners, counts ---- */

#define INO_BATCH	1024
static DEFINE_PER_CPU(unsigned int, last_ino);

/* Each CPU takes a batch of numbers from the common counter.  Wraps after 2^32; 0 is never given. */
unsigned int get_next_ino(void)
{
	static atomic_t shared_last_ino;
	unsigned int *p = &get_cpu_var(last_ino);
	unsigned int res = *p;

	if (unlikely((res & (INO_BATCH - 1)) == 0))
		res = atomic_add_return(INO_BATCH, &shared_last_ino) - INO_BATCH;
	res++;
	if (unlikely(!res))
		res++;
	*p = res;
	put_cpu_var(last_ino);
	return res;
}

/* For a new inode in dir: a set-gid directory hands on its group, and to directories the bit itself. */
void inode_init_owner(struct inode *inode, const struct inode *dir, umode_t mode)
{
	inode->i_uid = current_fsuid();
	if (dir && dir->i_mode & S_ISGID) {
		inode->i_gid = dir->i_gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !in_group_p(dir->i_gid) &&
			 !ns_capable(current_user_ns(), CAP_FSETID))
			mode &= ~S_ISGID;
	} else {
		inode->i_gid = current_fsgid();
	}
	inode->i_mode = mode;
}

bool inode_owner_or_capable(const struct inode *inode)
{
	const struct user_namespace *ns = current_user_ns();

	return uid_eq(current_fsuid(), inode->i_uid) || (kuid_has_mapping(ns, inode->i_uid) && ns_capable(ns, CAP_FOWNER));
}

void inode_set_flags(struct inode *inode, unsigned int flags, unsigned int mask)
{
	WRITE_ONCE(inode->i_flags, (inode->i_flags & ~mask) | flags);
}

void set_nlink(struct inode *inode, unsigned int nlink)
{
	if (!inode->__i_nlink && nlink)
		atomic_long_dec(&inode->i_sb->s_remove_count);
	if (!nlink && inode->__i_nlink)
		atomic_long_inc(&inode->i_sb->s_remove_count);
	inode->__i_nlink = nlink;
}

void clear_nlink(struct inode *inode)
{
	set_nlink(inode, 0);
}

void inc_nlink(struct inode *inode)
{
	WARN_ON(!inode->i_nlink && !(inode->i_state & I_LINKABLE));
	set_nlink(inode, inode->i_nlink + 1);
}

void drop_nlink(struct inode *inode)
{
	if (WARN_ON(!inode->i_nlink))
		return;
	set_nlink(inode, inode->i_nlink - 1);
}

/* i_blocks counts units of 512 bytes, i_bytes the rest. */
static void add_bytes(struct inode *inode, loff_t bytes)
{
	loff_t sum = ((loff_t)inode->i_blocks << 9) + inode->i_bytes + bytes;

	inode->i_blocks = sum >> 9;
	inode->i_bytes = sum & 511;
}

void inode_add_bytes(struct inode *inode, loff_t bytes)
{
	spin_lock(&inode->i_lock);
	add_bytes(inode, bytes);
	spin_unlock(&inode->i_lock);
}

void inode_sub_bytes(struct inode *inode, loff_t bytes)
{
	inode_add_bytes(inode, -bytes);
}

loff_t inode_get_bytes(struct inode *inode)
{
	loff_t res;

	spin_lock(&inode->i_lock);
	res = ((loff_t)inode->i_blocks << 9) + inode->i_bytes;
	spin_unlock(&inode->i_lock);
	return res;
}

void inode_set_bytes(struct inode *inode, loff_t bytes)
{
	inode->i_blocks = bytes >> 9;
	inode->i_bytes = bytes & 511;
}

/* ---- two locks at once: by address ---- */

void lock_two_nondirectories(struct inode *a, struct inode *b) __no_context_analysis	/* not NULL, directories, doubles */
{
	if (a > b)
		swap(a, b);
	if (a && !S_ISDIR(a->i_mode))
		inode_lock(a);
	if (b && !S_ISDIR(b->i_mode) && b != a)
		inode_lock_nested(b, I_MUTEX_NONDIR2);
}

void unlock_two_nondirectories(struct inode *a, struct inode *b) __no_context_analysis	/* as above */
{
	if (a && !S_ISDIR(a->i_mode))
		inode_unlock(a);
	if (b && !S_ISDIR(b->i_mode) && b != a)
		inode_unlock(b);
}

/* ---- dirty ---- */

/* Something is in memory that the disk does not know.  flags: I_DIRTY_*. */
void __mark_inode_dirty(struct inode *inode, int flags)
{
	const struct super_operations *op = inode->i_sb->s_op;

	if (flags & I_DIRTY_INODE && op->dirty_inode)
		op->dirty_inode(inode, flags & I_DIRTY_INODE);
	smp_mb();		/* the change before the look at i_state: pairs with write-back, which clears, then reads */
	if ((READ_ONCE(inode->i_state) & flags) == (unsigned long)flags)
		return;
	spin_lock(&inode->i_lock);
	inode->i_state |= flags;
	if (!(inode->i_state & (I_FREEING | I_WILL_FREE)))
		inode_io_list_add(inode);
	spin_unlock(&inode->i_lock);
}

/* ---- times ---- */

struct timespec64 timestamp_truncate(struct timespec64 t, struct inode *inode)
{
	struct super_block *sb = inode->i_sb;

	t.tv_sec = clamp(t.tv_sec, sb->s_time_min, sb->s_time_max);
	if (t.tv_sec == sb->s_time_max || t.tv_sec == sb->s_time_min)
		t.tv_nsec = 0;
	if (sb->s_time_gran > 1)
		t.tv_nsec -= t.tv_nsec % sb->s_time_gran;
	return t;
}

struct timespec64 current_time(struct inode *inode)
{
	struct timespec64 now;

	ktime_get_coarse_real_ts64(&now);
	return timestamp_truncate(now, inode);
}

int generic_update_time(struct inode *inode, struct timespec64 *time, int flags)
{
	if (flags & S_ATIME)
		inode->i_atime = *time;
	if (flags & S_CTIME)
		inode->i_ctime = *time;
	if (flags & S_MTIME)
		inode->i_mtime = *time;
	if (flags & S_VERSION)
		inode_inc_iversion(inode);
	__mark_inode_dirty(inode, I_DIRTY_SYNC);
	return 0;
}

static int update_time(struct inode *inode, struct timespec64 *time, int flags)
{
	if (inode->i_op->update_time)
		return inode->i_op->update_time(inode, time, flags);
	return generic_update_time(inode, time, flags);
}

/* relatime: is the access time older than the last change, or than a day? */
static bool relatime_need_update(const struct vfsmount *mnt, const struct inode *inode, time64_t now)
{
	if (!(mnt->mnt_flags & MNT_RELATIME))
		return true;
	return timespec64_compare(&inode->i_mtime, &inode->i_atime) >= 0 ||
	       timespec64_compare(&inode->i_ctime, &inode->i_atime) >= 0 ||
	       now - inode->i_atime.tv_sec >= 24 * 60 * 60;
}

bool atime_needs_update(const struct path *path, struct inode *inode)
{
	struct vfsmount *mnt = path->mnt;
	struct timespec64 now;

	if (inode->i_flags & S_NOATIME || IS_NOATIME(inode))
		return false;
	if (__IS_FLG(inode, SB_NODIRATIME) && S_ISDIR(inode->i_mode))
		return false;
	if (mnt->mnt_flags & MNT_NOATIME || (mnt->mnt_flags & MNT_NODIRATIME && S_ISDIR(inode->i_mode)))
		return false;
	now = current_time(inode);
	return relatime_need_update(mnt, inode, now.tv_sec) && !timespec64_equal(&inode->i_atime, &now);
}

void touch_atime(const struct path *path)
{
	struct inode *inode = d_inode(path->dentry);
	struct timespec64 now;

	if (!atime_needs_update(path, inode))
		return;
	if (mnt_get_write_access(path->mnt))
		return;
	now = current_time(inode);
	update_time(inode, &now, S_ATIME);
	mnt_put_write_access(path->mnt);
}

int file_update_time(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct timespec64 now;
	int flags = 0, err;

	if (IS_NOCMTIME(inode))
		return 0;
	now = current_time(inode);
	if (!timespec64_equal(&inode->i_mtime, &now))
		flags = S_MTIME;
	if (!timespec64_equal(&inode->i_ctime, &now))
		flags |= S_CTIME;
	if (!flags)
		return 0;
	if (file->f_mode & FMODE_WRITER)	/* it holds write access already */
		return update_time(inode, &now, flags);
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = update_time(inode, &now, flags);
	mnt_drop_write_file(file);
	return err;
}

/* ---- writing takes the set-id bits away ---- */

/* ATTR_KILL_*: what a write by somebody without CAP_FSETID takes from the mode. */
int should_remove_suid(struct dentry *dentry)
{
	umode_t mode = d_inode(dentry)->i_mode;
	int kill = 0;

	if (mode & S_ISUID)
		kill = ATTR_KILL_SUID;
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		kill |= ATTR_KILL_SGID;
	return kill && !capable_wrt_inode_uidgid(d_inode(dentry), CAP_FSETID) && S_ISREG(mode) ? kill : 0;
}

int file_remove_privs(struct file *file)
{
	struct dentry *dentry = file_dentry(file);
	struct inode *inode = file_inode(file);
	struct iattr attr = { };
	int kill, err;

	if (IS_NOSEC(inode) || !S_ISREG(inode->i_mode) || likely(!(inode->i_mode & (S_ISUID | S_ISGID))))
		return 0;
	kill = should_remove_suid(dentry);
	if (!kill)
		return 0;
	attr.ia_valid = ATTR_FORCE | kill;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = notify_change(dentry, &attr);
	mnt_drop_write_file(file);
	return err;
}

int file_modified(struct file *file)
{
	int err = file_remove_privs(file);

	if (err || unlikely(file->f_mode & FMODE_NONOTIFY))
		return err;
	return file_update_time(file);
}
