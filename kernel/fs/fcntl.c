/*
 * fcntl.c: fcntl(2), and SIGIO: who is told when a file becomes ready.
 *
 * Idea:    a file with FASYNC set stands in its driver's list of fasync_structs; kill_fasync() walks that list and sends
 *          each file's owner a signal.
 * Locking: fasync_lock over all lists for changes, RCU and fa_lock for walking (from interrupts too); f_owner.lock over
 *          the owner.  Order: fasync_lock -> fa_lock -> f_owner.lock -> tasklist_lock.
 * See:     fcntl(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/filelock.h>
#include <weft/pipe_fs_i.h>
#include <weft/shmem_fs.h>
#include <weft/slab.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/poll.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include "internal.h"

/* ---- flags ---- */

static int setfl(int fd, struct file *filp, unsigned long arg)
{
	struct inode *inode = file_inode(filp);
	int err = 0;

	/* Append-only stays so; O_NOATIME is the owner's to ask for. */
	if (((arg ^ filp->f_flags) & O_APPEND) && IS_APPEND(inode))
		return -EPERM;
	if (arg & O_NOATIME && !(filp->f_flags & O_NOATIME) && !inode_owner_or_capable(inode))
		return -EPERM;
	if (arg & O_DIRECT && !filp->f_mapping->a_ops->direct_IO && !S_ISFIFO(inode->i_mode))
		return -EINVAL;
	if (((arg ^ filp->f_flags) & FASYNC) && filp->f_op->fasync) {
		err = filp->f_op->fasync(fd, filp, (arg & FASYNC) != 0);
		if (err < 0)
			return err;
	}
	spin_lock(&filp->f_lock);
	filp->f_flags = (arg & SETFL_MASK) | (filp->f_flags & ~SETFL_MASK);
	spin_unlock(&filp->f_lock);
	return 0;
}

/* ---- the owner ---- */

static void f_modown(struct file *filp, struct pid *pid, enum pid_type type, int force)
{
	write_lock_irq(&filp->f_owner.lock);
	if (force || !filp->f_owner.pid) {
		put_pid(filp->f_owner.pid);
		filp->f_owner.pid = get_pid(pid);
		filp->f_owner.pid_type = type;
		if (pid) {
			filp->f_owner.uid = current_uid();
			filp->f_owner.euid = current_euid();
		}
	}
	write_unlock_irq(&filp->f_owner.lock);
}

void __f_setown(struct file *filp, struct pid *pid, enum pid_type type, int force)
{
	f_modown(filp, pid, type, force);
}

/* As F_SETOWN: a process, or minus a process group; 0 nobody. */
int f_setown(struct file *filp, unsigned long arg, int force)
{
	int who = arg, err = 0;
	enum pid_type type = PIDTYPE_TGID;
	struct pid *pid = NULL;

	if (who < 0) {
		if (who == INT_MIN)
			return -EINVAL;
		type = PIDTYPE_PGID;
		who = -who;
	}
	rcu_read_lock();
	if (who) {
		pid = find_vpid(who);
		if (!pid)
			err = -ESRCH;
	}
	if (!err)
		__f_setown(filp, pid, type, force);
	rcu_read_unlock();
	return err;
}

void f_delown(struct file *filp)
{
	f_modown(filp, NULL, PIDTYPE_TGID, 1);
}

/* As F_GETOWN.  0 when nobody, or the one who was is gone. */
pid_t f_getown(struct file *filp)
{
	pid_t pid = 0;

	read_lock_irq(&filp->f_owner.lock);
	rcu_read_lock();
	if (filp->f_owner.pid && pid_task(filp->f_owner.pid, filp->f_owner.pid_type)) {
		pid = pid_vnr(filp->f_owner.pid);
		if (filp->f_owner.pid_type == PIDTYPE_PGID)
			pid = -pid;
	}
	rcu_read_unlock();
	read_unlock_irq(&filp->f_owner.lock);
	return pid;
}

static int f_setown_ex(struct file *filp, const struct f_owner_ex __user *uarg)
{
	struct f_owner_ex owner;
	enum pid_type type;
	struct pid *pid;
	int err = 0;

	if (copy_from_user(&owner, uarg, sizeof(owner)))
		return -EFAULT;
	switch (owner.type) {
	case F_OWNER_TID:
		type = PIDTYPE_PID;
		break;
	case F_OWNER_PID:
		type = PIDTYPE_TGID;
		break;
	case F_OWNER_PGRP:
		type = PIDTYPE_PGID;
		break;
	default:
		return -EINVAL;
	}
	rcu_read_lock();
	pid = find_vpid(owner.pid);
	if (owner.pid && !pid)
		err = -ESRCH;
	else
		__f_setown(filp, pid, type, 1);
	rcu_read_unlock();
	return err;
}

static int f_getown_ex(struct file *filp, struct f_owner_ex __user *uarg)
{
	struct f_owner_ex owner = { };

	read_lock_irq(&filp->f_owner.lock);
	rcu_read_lock();
	if (filp->f_owner.pid && pid_task(filp->f_owner.pid, filp->f_owner.pid_type))
		owner.pid = pid_vnr(filp->f_owner.pid);
	rcu_read_unlock();
	owner.type = filp->f_owner.pid_type == PIDTYPE_PID ? F_OWNER_TID :
		     filp->f_owner.pid_type == PIDTYPE_PGID ? F_OWNER_PGRP : F_OWNER_PID;
	read_unlock_irq(&filp->f_owner.lock);
	return copy_to_user(uarg, &owner, sizeof(owner)) ? -EFAULT : 0;
}

static int f_getowner_uids(struct file *filp, uid_t __user *dst)
{
	uid_t src[2];

	read_lock_irq(&filp->f_owner.lock);
	src[0] = from_kuid(current_user_ns(), filp->f_owner.uid);
	src[1] = from_kuid(current_user_ns(), filp->f_owner.euid);
	read_unlock_irq(&filp->f_owner.lock);
	return copy_to_user(dst, src, sizeof(src)) ? -EFAULT : 0;
}

/* ---- sending ---- */

/* Could the one who set the owner have sent that task a signal himself? */
static bool sigio_perm(struct task_struct *p, const struct fown_struct *fown)
{
	const struct cred *cred;
	bool ok;

	rcu_read_lock();
	cred = __task_cred(p);
	ok = uid_eq(fown->euid, 0) || uid_eq(fown->euid, cred->suid) || uid_eq(fown->euid, cred->uid) ||
	     uid_eq(fown->uid, cred->suid) || uid_eq(fown->uid, cred->uid);
	rcu_read_unlock();
	return ok;
}

static void send_sigio_to_task(struct task_struct *p, struct fown_struct *fown, int fd, int reason, enum pid_type type)
{
	static const long band_events[] = {	/* by POLL_IN ... POLL_HUP */
		EPOLLIN | EPOLLRDNORM, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND, EPOLLIN | EPOLLRDNORM | EPOLLMSG,
		EPOLLERR, EPOLLPRI | EPOLLRDBAND, EPOLLHUP | EPOLLERR,
	};
	int signum = READ_ONCE(fown->signum);	/* F_SETSIG races are harmless: old or new */
	kernel_siginfo_t si;

	if (!sigio_perm(p, fown))
		return;
	if (signum) {
		clear_siginfo(&si);
		si.si_signo = signum;
		si.si_code = reason;
		si.si_band = band_events[reason - POLL_IN];
		si.si_fd = fd;
		if (!do_send_sig_info(signum, &si, p, type))
			return;
		/* The queue is full: plain SIGIO says at least that something is lost. */
	}
	do_send_sig_info(SIGIO, SEND_SIG_PRIV, p, type);
}

static void for_each_owner(struct fown_struct *fown,
			   void (*fn)(struct task_struct *, struct fown_struct *, int, int, enum pid_type),
			   int fd, int band)
{
	enum pid_type type = fown->pid_type;
	struct task_struct *p;

	if (type <= PIDTYPE_TGID) {
		rcu_read_lock();
		p = pid_task(fown->pid, PIDTYPE_PID);
		if (p)
			fn(p, fown, fd, band, type);
		rcu_read_unlock();
		return;
	}
	read_lock(&tasklist_lock);
	hlist_for_each_entry(p, &fown->pid->tasks[type], pid_links[type])
		fn(p, fown, fd, band, type);
	read_unlock(&tasklist_lock);
}

void send_sigio(struct fown_struct *fown, int fd, int band)
{
	unsigned long flags;

	read_lock_irqsave(&fown->lock, flags);
	if (fown->pid)
		for_each_owner(fown, send_sigio_to_task, fd, band);
	read_unlock_irqrestore(&fown->lock, flags);
}

static void send_sigurg_to_task(struct task_struct *p, struct fown_struct *fown, int fd, int band, enum pid_type type)
{
	if (sigio_perm(p, fown))
		do_send_sig_info(SIGURG, SEND_SIG_PRIV, p, type);
}

/* Out-of-band data came.  1 when somebody was told. */
int send_sigurg(struct fown_struct *fown)
{
	unsigned long flags;
	int ret = 0;

	read_lock_irqsave(&fown->lock, flags);
	if (fown->pid) {
		ret = 1;
		for_each_owner(fown, send_sigurg_to_task, 0, 0);
	}
	read_unlock_irqrestore(&fown->lock, flags);
	return ret;
}

/* ---- lists of files that want to be told ---- */

static DEFINE_SPINLOCK(fasync_lock);
static struct kmem_cache *fasync_cache;

static void fasync_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(fasync_cache, container_of(head, struct fasync_struct, fa_rcu));
}

static int fasync_remove(struct file *filp, struct fasync_struct **fapp)
{
	struct fasync_struct *fa, **fp;
	int result = 0;

	spin_lock(&filp->f_lock);
	spin_lock(&fasync_lock);
	for (fp = fapp; (fa = *fp) != NULL; fp = &fa->fa_next) {
		if (fa->fa_file != filp)
			continue;
		write_lock_irq(&fa->fa_lock);
		fa->fa_file = NULL;
		write_unlock_irq(&fa->fa_lock);
		*fp = fa->fa_next;
		call_rcu(&fa->fa_rcu, fasync_free_rcu);
		filp->f_flags &= ~FASYNC;
		result = 1;
		break;
	}
	spin_unlock(&fasync_lock);
	spin_unlock(&filp->f_lock);
	return result;
}

static int fasync_add(int fd, struct file *filp, struct fasync_struct **fapp)
{
	struct fasync_struct *new = kmem_cache_alloc(fasync_cache, GFP_KERNEL), *fa;

	if (!new)
		return -ENOMEM;
	spin_lock(&filp->f_lock);
	spin_lock(&fasync_lock);
	for (fa = *fapp; fa; fa = fa->fa_next) {
		if (fa->fa_file != filp)
			continue;
		write_lock_irq(&fa->fa_lock);
		fa->fa_fd = fd;
		write_unlock_irq(&fa->fa_lock);
		break;
	}
	if (!fa) {
		rwlock_init(&new->fa_lock);
		new->fa_file = filp;
		new->fa_fd = fd;
		new->fa_next = *fapp;
		rcu_assign_pointer(*fapp, new);
		filp->f_flags |= FASYNC;
	}
	spin_unlock(&fasync_lock);
	spin_unlock(&filp->f_lock);
	if (!fa)
		return 1;
	kmem_cache_free(fasync_cache, new);
	return 0;
}

/* What a driver's ->fasync() calls.  1 something changed, 0 not, -ENOMEM. */
int fasync_helper(int fd, struct file *filp, int on, struct fasync_struct **fapp)
{
	return on ? fasync_add(fd, filp, fapp) : fasync_remove(filp, fapp);
}

void kill_fasync(struct fasync_struct **fp, int sig, int band)
{
	struct fasync_struct *fa;

	if (!READ_ONCE(*fp))
		return;
	rcu_read_lock();
	for (fa = rcu_dereference(*fp); fa; fa = rcu_dereference(fa->fa_next)) {
		unsigned long flags;

		read_lock_irqsave(&fa->fa_lock, flags);
		/* SIGURG comes by send_sigurg() to who did not set a signal of his own. */
		if (fa->fa_file && !(sig == SIGURG && fa->fa_file->f_owner.signum == 0))
			send_sigio(&fa->fa_file->f_owner, fa->fa_fd, band);
		read_unlock_irqrestore(&fa->fa_lock, flags);
	}
	rcu_read_unlock();
}

/* ---- fcntl(2) ---- */

static int get_flock(struct flock *l, const struct flock __user *ul)
{
	struct compat_flock l32;

	if (!in_compat_syscall())
		return copy_from_user(l, ul, sizeof(*l)) ? -EFAULT : 0;
	if (copy_from_user(&l32, ul, sizeof(l32)))
		return -EFAULT;
	*l = (struct flock){ .l_type = l32.l_type, .l_whence = l32.l_whence, .l_start = l32.l_start, .l_len = l32.l_len,
			     .l_pid = l32.l_pid };
	return 0;
}

static int put_flock(const struct flock *l, struct flock __user *ul)
{
	struct compat_flock l32 = { l->l_type, l->l_whence, (s32)l->l_start, (s32)l->l_len, l->l_pid };

	if (!in_compat_syscall())
		return copy_to_user(ul, l, sizeof(*l)) ? -EFAULT : 0;
	if (l->l_start > S32_MAX)
		return -EOVERFLOW;
	if (l->l_len > S32_MAX)
		l32.l_len = 0;		/* to the end, as far as the program can tell */
	return copy_to_user(ul, &l32, sizeof(l32)) ? -EFAULT : 0;
}

static long fcntl_lock(int fd, unsigned int cmd, struct file *filp, struct flock __user *uarg)
{
	struct flock flock;
	int err;

	err = get_flock(&flock, uarg);
	if (err)
		return err;
	if (cmd != F_GETLK && cmd != F_OFD_GETLK)
		return fcntl_setlk(fd, filp, cmd, &flock);
	err = fcntl_getlk(filp, cmd, &flock);
	return err ? err : put_flock(&flock, uarg);
}

static long do_fcntl(int fd, unsigned int cmd, unsigned long arg, struct file *filp)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case F_DUPFD:
		return f_dupfd(arg, filp, 0);
	case F_DUPFD_CLOEXEC:
		return f_dupfd(arg, filp, O_CLOEXEC);
	case F_GETFD:
		return get_close_on_exec(fd) ? FD_CLOEXEC : 0;
	case F_SETFD:
		set_close_on_exec(fd, arg & FD_CLOEXEC);
		return 0;
	case F_GETFL:
		return filp->f_flags;
	case F_SETFL:
		return setfl(fd, filp, arg);
	case F_GETLK: case F_SETLK: case F_SETLKW:
	case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
		return fcntl_lock(fd, cmd, filp, argp);
	case F_GETOWN:
		/* A negative number is a process group: the C library must not take it for an error. */
		force_successful_syscall_return();
		return f_getown(filp);
	case F_SETOWN:
		return f_setown(filp, arg, 1);
	case F_GETOWN_EX:
		return f_getown_ex(filp, argp);
	case F_SETOWN_EX:
		return f_setown_ex(filp, argp);
	case F_GETOWNER_UIDS:
		return f_getowner_uids(filp, argp);
	case F_GETSIG:
		return filp->f_owner.signum;
	case F_SETSIG:
		if (!valid_signal(arg))
			return -EINVAL;
		filp->f_owner.signum = arg;
		return 0;
	case F_SETLEASE:
		return fcntl_setlease(fd, filp, (int)arg);
	case F_GETLEASE:
		return fcntl_getlease(filp);
	case F_NOTIFY:
		return fcntl_dirnotify(fd, filp, arg);
	case F_SETPIPE_SZ: case F_GETPIPE_SZ:
		return pipe_fcntl(filp, cmd, arg);
	case F_ADD_SEALS: case F_GET_SEALS:
		return memfd_fcntl(filp, cmd, arg);
	}
	return -EINVAL;
}

/* What may be asked of an O_PATH descriptor. */
static bool check_fcntl_cmd(unsigned int cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD || cmd == F_GETFL;
}

/* fcntl64 of 32-bit programs: commands 12 to 14, and the OFD locks, have the structure with 64-bit offsets. */
static long fcntl_lock64(int fd, unsigned int cmd, struct file *filp, struct compat_flock64 __user *uarg)
{
	struct compat_flock64 l;
	struct flock flock;
	int err;

	if (copy_from_user(&l, uarg, sizeof(l)))
		return -EFAULT;
	flock = (struct flock){ .l_type = l.l_type, .l_whence = l.l_whence, .l_start = l.l_start, .l_len = l.l_len,
				.l_pid = l.l_pid };
	if (cmd >= F_GETLK64 && cmd <= F_SETLKW64)
		cmd = cmd - F_GETLK64 + F_GETLK;
	if (cmd != F_GETLK && cmd != F_OFD_GETLK)
		return fcntl_setlk(fd, filp, cmd, &flock);
	err = fcntl_getlk(filp, cmd, &flock);
	if (err)
		return err;
	l = (struct compat_flock64){ flock.l_type, flock.l_whence, flock.l_start, flock.l_len, flock.l_pid };
	return copy_to_user(uarg, &l, sizeof(l)) ? -EFAULT : 0;
}

long compat_sys_fcntl64(unsigned int fd, unsigned int cmd, unsigned long arg)
{
	struct fd f;
	long err = -EBADF;

	if (!(cmd >= F_GETLK64 && cmd <= F_SETLKW64) && !(cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW))
		return sys_fcntl(fd, cmd, arg);
	f = fdget(fd);
	if (f.file) {
		err = fcntl_lock64((int)fd, cmd, f.file, (void __user *)arg);
		fdput(f);
	}
	return err;
}

long sys_fcntl(unsigned int fd, unsigned int cmd, unsigned long arg)
{
	struct fd f = fdget_raw(fd);
	long err = -EBADF;

	if (!f.file)
		return err;
	if (likely(!(f.file->f_mode & FMODE_PATH)) || check_fcntl_cmd(cmd))
		err = do_fcntl(fd, cmd, arg, f.file);
	fdput(f);
	return err;
}

static int __init fcntl_init(void)
{
	fasync_cache = KMEM_CACHE(fasync_struct, SLAB_PANIC);
	return 0;
}
core_initcall(fcntl_init);
