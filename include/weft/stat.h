/*
 * stat.h: the attributes of a file on their way to stat(2).
 */
#ifndef WEFT_STAT_H
#define WEFT_STAT_H

#include <weft/types.h>
#include <weft/time64.h>
#include <uapi/stat.h>

struct kstat {
	u32		result_mask;	/* STATX_*: what is filled in */
	umode_t		mode;
	unsigned int	nlink;
	u32		blksize;
	u64		attributes;	/* STATX_ATTR_* */
	u64		attributes_mask;
	u64		ino;
	dev_t		dev;
	dev_t		rdev;
	kuid_t		uid;
	kgid_t		gid;
	loff_t		size;
	struct timespec64 atime, mtime, ctime, btime;
	u64		blocks;
	u64		mnt_id;
};

#endif
