/*
 * sys_ia32.c: calls of 32-bit programs whose arguments differ from those of 64-bit programs.
 *
 * What:    arguments behind one pointer (old mmap, old select, socketcall), pages instead of bytes (mmap2), halves of
 *          64-bit numbers, another order (clone), and calls that only i386 has (waitpid, nice, stime, llseek).
 * Idea:    each only sorts its arguments and calls the function that a 64-bit program reaches.
 * Locking: none of its own: that of the functions that are called.
 * See:     syscall_32.tbl; syscalls(2), mmap2(2), socketcall(2), llseek(2)
 */
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/errno.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/namei.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <weft/statfs.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include <weft/utsname.h>
#include <uapi/fcntl.h>
#include <uapi/mman.h>

/* ---- memory ---- */

long compat_sys_mmap2(unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags, unsigned long fd,
		      unsigned long pgoff)
{
	return sys_mmap(addr, len, prot, flags, fd, pgoff << PAGE_SHIFT);
}

/* All arguments in memory; the offset in bytes. */
long compat_sys_old_mmap(const u32 __user *args)
{
	u32 a[6];

	if (copy_from_user(a, args, sizeof(a)))
		return -EFAULT;
	return sys_mmap(a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- tasks ---- */

long compat_sys_clone(unsigned long flags, unsigned long newsp, int __user *parent_tid, unsigned long tls,
		      int __user *child_tid)
{
	return sys_clone(flags, newsp, parent_tid, child_tid, tls);
}

long compat_sys_waitpid(pid_t pid, int __user *stat_addr, int options)
{
	return sys_wait4(pid, stat_addr, options, NULL);
}

/* Linux has no such call for x86-64, so this is the whole of it: getpriority's scale, errors of nice(2). */
long compat_sys_nice(int increment)
{
	long nice = clamp_t(long, task_nice(current) + (long)clamp_t(int, increment, -40, 40), MIN_NICE, MAX_NICE);

	if (increment < 0 && !can_nice(current, (int)nice))
		return -EPERM;
	set_user_nice(current, nice);
	return 0;
}

/* No control-flow enforcement and no features to ask for: what 64-bit programs set here, 32-bit ones set by segments. */
long compat_sys_arch_prctl(int option, unsigned long arg2)
{
	return -EINVAL;
}

/* Limits that do not fit look like the largest that fits, signed. */
long compat_sys_old_getrlimit(unsigned int resource, struct compat_rlimit __user *rlim)
{
	struct compat_rlimit r;
	struct rlimit64 value;
	int err = do_prlimit(current, resource, NULL, &value);

	if (err)
		return err;
	r.rlim_cur = min_t(u64, value.rlim_cur, S32_MAX);
	r.rlim_max = min_t(u64, value.rlim_max, S32_MAX);
	return copy_to_user(rlim, &r, sizeof(r)) ? -EFAULT : 0;
}

/* ---- names and time ---- */

/* Five fields, no domain name. */
long compat_sys_olduname(char __user *name)
{
	struct new_utsname copy;

	down_read(&uts_sem);
	copy = *utsname();
	up_read(&uts_sem);
	return copy_to_user(name, &copy, offsetof(struct new_utsname, domainname)) ? -EFAULT : 0;
}

long compat_sys_stime(const s32 __user *tptr)
{
	struct timespec64 ts = { 0 };
	s32 seconds;

	if (get_user(seconds, tptr))
		return -EFAULT;
	ts.tv_sec = seconds;
	return do_sys_settimeofday64(&ts, NULL);
}

/* ---- files ---- */

long compat_sys_oldumount(char __user *name)
{
	return sys_umount2(name, 0);
}

long compat_sys_llseek(unsigned int fd, u32 high, u32 low, loff_t __user *result, unsigned int whence)
{
	long pos = sys_lseek(fd, (off_t)((u64)high << 32 | low), whence);

	if (pos < 0)
		return pos;
	return put_user((loff_t)pos, result) ? -EFAULT : 0;
}

long compat_sys_sendfile(int out_fd, int in_fd, compat_off_t __user *offset, size_t count)
{
	compat_off_t off;
	loff_t pos;
	long n;

	if (!offset)
		return sys_sendfile64(out_fd, in_fd, NULL, count);
	if (get_user(off, offset))
		return -EFAULT;
	pos = off;
	n = do_sendfile(out_fd, in_fd, &pos, count);
	return n >= 0 && put_user((compat_off_t)pos, offset) ? -EFAULT : n;
}

long compat_sys_preadv(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, loff_t pos)
{
	return sys_preadv(fd, vec, vlen, (unsigned long)pos, 0);
}

long compat_sys_pwritev(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, loff_t pos)
{
	return sys_pwritev(fd, vec, vlen, (unsigned long)pos, 0);
}

long compat_sys_preadv2(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, loff_t pos, int flags)
{
	return sys_preadv2(fd, vec, vlen, (unsigned long)pos, 0, flags);
}

long compat_sys_pwritev2(unsigned long fd, const struct iovec __user *vec, unsigned long vlen, loff_t pos, int flags)
{
	return sys_pwritev2(fd, vec, vlen, (unsigned long)pos, 0, flags);
}

long compat_sys_fstatat64(int dfd, const char __user *filename, struct compat_stat64 __user *statbuf, int flag)
{
	struct kstat stat;
	int err = vfs_statx(dfd, filename, flag & ~AT_STATX_SYNC_TYPE, &stat, STATX_BASIC_STATS);

	return err ? err : cp_compat_stat64(&stat, statbuf);
}

long compat_sys_stat64(const char __user *filename, struct compat_stat64 __user *statbuf)
{
	return compat_sys_fstatat64(AT_FDCWD, filename, statbuf, 0);
}

long compat_sys_lstat64(const char __user *filename, struct compat_stat64 __user *statbuf)
{
	return compat_sys_fstatat64(AT_FDCWD, filename, statbuf, AT_SYMLINK_NOFOLLOW);
}

long compat_sys_fstat64(unsigned int fd, struct compat_stat64 __user *statbuf)
{
	struct kstat stat;
	int err = vfs_fstat((int)fd, &stat);

	return err ? err : cp_compat_stat64(&stat, statbuf);
}

/* C libraries pass the size with or without the padding of the last number. */
static bool statfs64_size_ok(compat_size_t size)
{
	return size == sizeof(struct compat_statfs64) || size == sizeof(struct compat_statfs64) + 4;
}

long compat_sys_statfs64(const char __user *pathname, compat_size_t size, struct compat_statfs64 __user *buf)
{
	struct kstatfs st;
	struct path path;
	int err;

	if (!statfs64_size_ok(size))
		return -EINVAL;
	err = user_path_at(AT_FDCWD, pathname, LOOKUP_FOLLOW, &path);
	if (err)
		return err;
	err = vfs_statfs(&path, &st);
	path_put(&path);
	return err ? err : put_compat_statfs64(&st, buf);
}

long compat_sys_fstatfs64(unsigned int fd, compat_size_t size, struct compat_statfs64 __user *buf)
{
	struct kstatfs st;
	struct fd f;
	int err;

	if (!statfs64_size_ok(size))
		return -EINVAL;
	f = fdget_raw(fd);
	if (!f.file)
		return -EBADF;
	err = vfs_statfs(&f.file->f_path, &st);
	fdput(f);
	return err ? err : put_compat_statfs64(&st, buf);
}

/* ---- calls behind one number ---- */

/* n, in, out, ex, timeval */
long compat_sys_old_select(const u32 __user *args)
{
	u32 a[5];

	if (copy_from_user(a, args, sizeof(a)))
		return -EFAULT;
	return sys_select((int)a[0], compat_ptr(a[1]), compat_ptr(a[2]), compat_ptr(a[3]), compat_ptr(a[4]));
}

/* Numbers of socketcall(2), in order, and how many words of arguments each has. */
enum { CALL_SOCKET = 1, CALL_BIND, CALL_CONNECT, CALL_LISTEN, CALL_ACCEPT, CALL_GETSOCKNAME, CALL_GETPEERNAME,
       CALL_SOCKETPAIR, CALL_SEND, CALL_RECV, CALL_SENDTO, CALL_RECVFROM, CALL_SHUTDOWN, CALL_SETSOCKOPT, CALL_GETSOCKOPT,
       CALL_SENDMSG, CALL_RECVMSG, CALL_ACCEPT4, CALL_RECVMMSG, CALL_SENDMMSG };
static const u8 socketcall_args[] = { 0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4 };

long compat_sys_socketcall(int call, const u32 __user *args)
{
	u32 a[6];

	if (call < CALL_SOCKET || call > CALL_SENDMMSG)
		return -EINVAL;
	if (copy_from_user(a, args, socketcall_args[call] * sizeof(u32)))
		return -EFAULT;
	switch (call) {
	case CALL_SOCKET:	return sys_socket((int)a[0], (int)a[1], (int)a[2]);
	case CALL_BIND:		return sys_bind((int)a[0], compat_ptr(a[1]), (int)a[2]);
	case CALL_CONNECT:	return sys_connect((int)a[0], compat_ptr(a[1]), (int)a[2]);
	case CALL_LISTEN:	return sys_listen((int)a[0], (int)a[1]);
	case CALL_ACCEPT:	return sys_accept4((int)a[0], compat_ptr(a[1]), compat_ptr(a[2]), 0);
	case CALL_GETSOCKNAME:	return sys_getsockname((int)a[0], compat_ptr(a[1]), compat_ptr(a[2]));
	case CALL_GETPEERNAME:	return sys_getpeername((int)a[0], compat_ptr(a[1]), compat_ptr(a[2]));
	case CALL_SOCKETPAIR:	return sys_socketpair((int)a[0], (int)a[1], (int)a[2], compat_ptr(a[3]));
	case CALL_SEND:		return sys_sendto((int)a[0], compat_ptr(a[1]), a[2], a[3], NULL, 0);
	case CALL_RECV:		return sys_recvfrom((int)a[0], compat_ptr(a[1]), a[2], a[3], NULL, NULL);
	case CALL_SENDTO:	return sys_sendto((int)a[0], compat_ptr(a[1]), a[2], a[3], compat_ptr(a[4]), (int)a[5]);
	case CALL_RECVFROM:
		return sys_recvfrom((int)a[0], compat_ptr(a[1]), a[2], a[3], compat_ptr(a[4]), compat_ptr(a[5]));
	case CALL_SHUTDOWN:	return sys_shutdown((int)a[0], (int)a[1]);
	case CALL_SETSOCKOPT:	return sys_setsockopt((int)a[0], (int)a[1], (int)a[2], compat_ptr(a[3]), (int)a[4]);
	case CALL_GETSOCKOPT:	return sys_getsockopt((int)a[0], (int)a[1], (int)a[2], compat_ptr(a[3]), compat_ptr(a[4]));
	case CALL_SENDMSG:	return sys_sendmsg((int)a[0], compat_ptr(a[1]), a[2]);
	case CALL_RECVMSG:	return sys_recvmsg((int)a[0], compat_ptr(a[1]), a[2]);
	case CALL_ACCEPT4:	return sys_accept4((int)a[0], compat_ptr(a[1]), compat_ptr(a[2]), (int)a[3]);
	case CALL_SENDMMSG:	return sys_sendmmsg((int)a[0], compat_ptr(a[1]), a[2], a[3]);
	}
	current_thread_info()->status |= TS_TIME32;	/* of a call as old as this */
	return sys_recvmmsg((int)a[0], compat_ptr(a[1]), a[2], a[3], compat_ptr(a[4]));
}
