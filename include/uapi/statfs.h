/*
 * statfs.h: statfs(2): the Linux x86-64 ABI.
 */
#ifndef UAPI_STATFS_H
#define UAPI_STATFS_H

#include <weft/types.h>


struct statfs {
	s64		f_type;
	s64		f_bsize;
	s64		f_blocks;
	s64		f_bfree;
	s64		f_bavail;
	s64		f_files;
	s64		f_ffree;
	__kernel_fsid_t	f_fsid;
	s64		f_namelen;
	s64		f_frsize;
	s64		f_flags;
	s64		f_spare[4];
};
_Static_assert(sizeof(struct statfs) == 120, "struct statfs");

#endif
