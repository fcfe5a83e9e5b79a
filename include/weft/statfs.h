/*
 * statfs.h: what ->statfs() fills in.
 */
#ifndef WEFT_STATFS_H
#define WEFT_STATFS_H

#include <weft/types.h>
#include <uapi/statfs.h>

struct kstatfs {
	long		f_type;
	long		f_bsize;
	u64		f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	__kernel_fsid_t	f_fsid;
	long		f_namelen;
	long		f_frsize;
	long		f_flags;
};

/* statfs.f_flags */
#define ST_RDONLY	0x0001
#define ST_NOSUID	0x0002
#define ST_NODEV	0x0004
#define ST_NOEXEC	0x0008
#define ST_SYNCHRONOUS	0x0010
#define ST_VALID	0x0020
#define ST_NOATIME	0x0400
#define ST_NODIRATIME	0x0800
#define ST_RELATIME	0x1000
#define ST_NOSYMFOLLOW	0x2000

static inline __kernel_fsid_t u64_to_fsid(u64 v) { return (__kernel_fsid_t){ { (int)v, (int)(v >> 32) } }; }

#endif
