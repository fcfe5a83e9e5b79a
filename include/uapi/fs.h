/*
 * fs.h: ioctls of files, seek modes, mount and rename flags, per-call I/O flags: the Linux x86-64 ABI.
 */
#ifndef UAPI_FS_H
#define UAPI_FS_H

#include <weft/types.h>

#define SEEK_SET	0
#define SEEK_CUR	1
#define SEEK_END	2
#define SEEK_DATA	3
#define SEEK_HOLE	4
#define SEEK_MAX	SEEK_HOLE

#define RENAME_NOREPLACE	(1 << 0)
#define RENAME_EXCHANGE		(1 << 1)
#define RENAME_WHITEOUT		(1 << 2)

#define MS_RDONLY	1
#define MS_NOSUID	2
#define MS_NODEV	4
#define MS_NOEXEC	8
#define MS_SYNCHRONOUS	16
#define MS_REMOUNT	32
#define MS_MANDLOCK	64
#define MS_DIRSYNC	128
#define MS_NOSYMFOLLOW	256
#define MS_NOATIME	1024
#define MS_NODIRATIME	2048
#define MS_BIND		4096
#define MS_MOVE		8192
#define MS_REC		16384
#define MS_SILENT	32768
#define MS_POSIXACL	(1 << 16)
#define MS_UNBINDABLE	(1 << 17)
#define MS_PRIVATE	(1 << 18)
#define MS_SLAVE	(1 << 19)
#define MS_SHARED	(1 << 20)
#define MS_RELATIME	(1 << 21)
#define MS_KERNMOUNT	(1 << 22)
#define MS_I_VERSION	(1 << 23)
#define MS_STRICTATIME	(1 << 24)
#define MS_LAZYTIME	(1 << 25)
#define MS_NOUSER	(1U << 31)
#define MS_MGC_VAL	0xC0ED0000
#define MS_MGC_MSK	0xffff0000

#define MNT_FORCE	0x00000001
#define MNT_DETACH	0x00000002
#define MNT_EXPIRE	0x00000004
#define UMOUNT_NOFOLLOW	0x00000008

/* preadv2, pwritev2 */
#define RWF_HIPRI	0x00000001
#define RWF_DSYNC	0x00000002
#define RWF_SYNC	0x00000004
#define RWF_NOWAIT	0x00000008
#define RWF_APPEND	0x00000010
#define RWF_SUPPORTED	(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

/* sync_file_range */
#define SYNC_FILE_RANGE_WAIT_BEFORE	1
#define SYNC_FILE_RANGE_WRITE		2
#define SYNC_FILE_RANGE_WAIT_AFTER	4

#define BLOCK_SIZE_BITS	10
#define BLOCK_SIZE	(1 << BLOCK_SIZE_BITS)

/* ioctl numbers that any file may be asked */
#define FIGETBSZ		0x00000002
#define FIBMAP			0x00000001
#define FIFREEZE		0xc0045877
#define FITHAW			0xc0045878
#define FITRIM			0xc0185879
#define FS_IOC_GETFLAGS		0x80086601
#define FS_IOC_SETFLAGS		0x40086602
#define FS_IOC_GETVERSION	0x80087601
#define FS_IOC_SETVERSION	0x40087602
#define FS_IOC_FIEMAP		0xc020660b
#define FS_IOC_FSGETXATTR	0x801c581f
#define FS_IOC_FSSETXATTR	0x401c5820
#define FICLONE			0x40049409
#define FICLONERANGE		0x4020940d
#define FIDEDUPERANGE		0xc0189436
#ifndef FIONREAD
#define FIONREAD		0x541b
#define FIONBIO			0x5421
#define FIONCLEX		0x5450
#define FIOCLEX			0x5451
#define FIOASYNC		0x5452
#define FIOQSIZE		0x5460
#endif

struct fstrim_range {
	__u64	start, len, minlen;		/* bytes; out: len is what was discarded */
};

/* FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR */
struct fsxattr {
	__u32	fsx_xflags;			/* FS_XFLAG_* */
	__u32	fsx_extsize, fsx_nextents, fsx_projid, fsx_cowextsize;
	unsigned char fsx_pad[8];
};
#define FS_XFLAG_IMMUTABLE	0x00000008
#define FS_XFLAG_APPEND		0x00000010
#define FS_XFLAG_SYNC		0x00000020
#define FS_XFLAG_NOATIME	0x00000040
#define FS_XFLAG_NODUMP		0x00000080

/* FS_IOC_GETFLAGS */
#define FS_SYNC_FL		0x00000008
#define FS_IMMUTABLE_FL		0x00000010
#define FS_APPEND_FL		0x00000020
#define FS_NODUMP_FL		0x00000040
#define FS_NOATIME_FL		0x00000080
#define FS_JOURNAL_DATA_FL	0x00004000
#define FS_DIRSYNC_FL		0x00010000

#endif
