/*
 * compat.h: calls from 32-bit programs: the same functions of the kernel, smaller structures in user memory.
 *
 * Idea:    a 32-bit call goes to the same sys_* function as a 64-bit one.  What differs is how a structure lies in user
 *          memory, so that is decided where it is copied, and nowhere else: each such place asks in_compat_syscall().
 *          Only calls whose arguments themselves differ have functions of their own (kernel/arch/x86/ia32).
 * Time:    a 32-bit program passes times of 32 or of 64 bits, depending on the call's number.  The rows of syscall_32.tbl
 *          with the flag `time32` set TS_TIME32 for the length of the call, and get_timespec64() looks at it.
 *          `struct timeval` has 32 bits in any 32-bit call.
 * Locking: none: the flags are the running task's own.
 * See:     spec.md §2 "int 0x80"; kernel/arch/x86/entry/syscall_32.tbl
 */
#ifndef WEFT_COMPAT_H
#define WEFT_COMPAT_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/thread_info.h>

/* Is the running system call one of a 32-bit program (int 0x80)?  Process context. */
static inline bool in_compat_syscall(void)
{
	return unlikely(current_thread_info()->status & TS_COMPAT);
}

/* ... and are its `struct timespec` of the old kind? */
static inline bool in_time32_syscall(void)
{
	return unlikely(current_thread_info()->status & TS_TIME32);
}

typedef u32 compat_uptr_t;
typedef s32 compat_long_t;
typedef u32 compat_ulong_t;
typedef s32 compat_off_t;
typedef u32 compat_size_t;

/* i386 aligns 64-bit numbers to 4 bytes. */
typedef u64 __attribute__((aligned(4))) compat_u64;
typedef s64 __attribute__((aligned(4))) compat_s64;

static inline void __user *compat_ptr(compat_uptr_t uptr)
{
	return (void __user *)(unsigned long)uptr;
}

static inline compat_uptr_t ptr_to_compat(const void __user *ptr)
{
	return (u32)(unsigned long)ptr;
}

/* What a number of 64 bits becomes in a field of 32: the largest value when it does not fit. */
static inline u32 compat_clamp(u64 v)
{
	return v > 0xffffffffu ? 0xffffffffu : (u32)v;
}

/* Numbers of users and groups in the calls that know only 16 bits. */
#define low2highuid(id)		((u16)(id) == 0xffff ? 0xffffffffu : (u32)(u16)(id))
#define high2lowuid(id)		((id) & ~0xffffu ? (u16)65534 : (u16)(id))

struct old_timespec32	{ s32 tv_sec, tv_nsec; };
struct old_timeval32	{ s32 tv_sec, tv_usec; };
struct old_itimerval32	{ struct old_timeval32 it_interval, it_value; };
struct old_utimbuf32	{ s32 actime, modtime; };
struct old_timex32 {
	u32 modes;
	s32 offset, freq, maxerror, esterror, status, constant, precision, tolerance;
	struct old_timeval32 time;
	s32 tick, ppsfreq, jitter, shift, stabil, jitcnt, calcnt, errcnt, stbcnt, tai, pad[11];
};
struct compat_tms	{ s32 tms_utime, tms_stime, tms_cutime, tms_cstime; };
struct compat_rlimit	{ u32 rlim_cur, rlim_max; };
struct compat_iovec	{ compat_uptr_t iov_base; compat_size_t iov_len; };
struct compat_robust_list	{ compat_uptr_t next; };

struct compat_robust_list_head {
	struct compat_robust_list	list;
	compat_long_t			futex_offset;
	compat_uptr_t			list_op_pending;
};

struct compat_rusage {
	struct old_timeval32 ru_utime, ru_stime;
	compat_long_t ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock, ru_oublock,
		      ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};

struct compat_sysinfo {
	s32 uptime;
	u32 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u32 totalhigh, freehigh, mem_unit;
	char _f[8];
};

struct compat_stat {		/* stat, lstat, fstat */
	u32 st_dev, st_ino;
	u16 st_mode, st_nlink, st_uid, st_gid;
	u32 st_rdev, st_size, st_blksize, st_blocks;
	u32 st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
	u32 unused[2];
};

struct compat_stat64 {		/* stat64, lstat64, fstat64, fstatat64 */
	u64 st_dev;
	u8 pad0[4];
	u32 old_ino, st_mode, st_nlink, st_uid, st_gid;
	compat_u64 st_rdev;
	u8 pad3[4];
	compat_s64 st_size;
	u32 st_blksize;
	compat_s64 st_blocks;
	u32 st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
	compat_u64 st_ino;
} __attribute__((packed));

struct compat_statfs {
	u32 f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	s32 f_fsid[2];
	u32 f_namelen, f_frsize, f_flags, f_spare[4];
};

struct compat_statfs64 {
	u32 f_type, f_bsize;
	compat_u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	s32 f_fsid[2];
	u32 f_namelen, f_frsize, f_flags, f_spare[4];
} __attribute__((packed));

struct compat_linux_dirent {
	compat_ulong_t	d_ino, d_off;
	u16		d_reclen;
	char		d_name[];
};

struct compat_flock {
	s16 l_type, l_whence;
	compat_off_t l_start, l_len;
	s32 l_pid;
};

struct compat_flock64 {
	s16 l_type, l_whence;
	compat_s64 l_start, l_len;
	s32 l_pid;
} __attribute__((packed));

struct compat_sigaction {
	compat_uptr_t	sa_handler;
	compat_ulong_t	sa_flags;
	compat_uptr_t	sa_restorer;
	compat_u64	sa_mask;
} __attribute__((packed));

struct compat_old_sigaction {
	compat_uptr_t	sa_handler;
	u32		sa_mask;
	compat_ulong_t	sa_flags;
	compat_uptr_t	sa_restorer;
};

struct compat_sigaltstack {
	compat_uptr_t	ss_sp;
	s32		ss_flags;
	compat_size_t	ss_size;
};

struct compat_siginfo {
	s32 si_signo, si_errno, si_code;
	union {
		s32 _pad[29];
		struct { s32 _pid; u32 _uid; } _kill;
		struct { s32 _tid, _overrun; u32 _sigval; s32 _sys_private; } _timer;
		struct { s32 _pid; u32 _uid, _sigval; } _rt;
		struct { s32 _pid; u32 _uid; s32 _status, _utime, _stime; } _sigchld;
		struct { u32 _addr; s16 _addr_lsb; s16 _dummy; u32 _lower, _upper; } _sigfault;
		struct { s32 _band, _fd; } _sigpoll;
		struct { u32 _call_addr; s32 _syscall; u32 _arch; } _sigsys;
	};
};

struct compat_sigevent {
	u32 sigev_value;
	s32 sigev_signo, sigev_notify;
	s32 _tid;
	s32 _pad[12];
};

struct compat_msghdr {
	compat_uptr_t	msg_name;
	s32		msg_namelen;
	compat_uptr_t	msg_iov;
	compat_size_t	msg_iovlen;
	compat_uptr_t	msg_control;
	compat_size_t	msg_controllen;
	u32		msg_flags;
};

struct compat_mmsghdr {
	struct compat_msghdr	msg_hdr;
	u32			msg_len;
};

struct compat_cmsghdr {
	compat_size_t	cmsg_len;
	s32		cmsg_level, cmsg_type;
};

_Static_assert(sizeof(struct old_timex32) == 128, "i386 ABI");
_Static_assert(sizeof(struct compat_rusage) == 72, "i386 ABI");
_Static_assert(sizeof(struct compat_sysinfo) == 64, "i386 ABI");
_Static_assert(sizeof(struct compat_stat) == 64, "i386 ABI");
_Static_assert(sizeof(struct compat_stat64) == 96, "i386 ABI");
_Static_assert(sizeof(struct compat_statfs) == 64, "i386 ABI");
_Static_assert(sizeof(struct compat_statfs64) == 84, "i386 ABI");
_Static_assert(sizeof(struct compat_flock) == 16, "i386 ABI");
_Static_assert(sizeof(struct compat_flock64) == 24, "i386 ABI");
_Static_assert(sizeof(struct compat_sigaction) == 20, "i386 ABI");
_Static_assert(sizeof(struct compat_siginfo) == 128, "i386 ABI");
_Static_assert(sizeof(struct compat_sigevent) == 64, "i386 ABI");
_Static_assert(sizeof(struct compat_msghdr) == 28, "i386 ABI");

#endif
