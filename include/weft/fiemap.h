/*
 * fiemap.h: what ->fiemap() gives the runs of a file to.
 *
 * Idea:    the file system names its runs one after the other to fiemap_fill_next_extent(), which knows the program's
 *          buffer and when it is full.
 * See:     kernel/fs/fiemap.c
 */
#ifndef WEFT_FIEMAP_H
#define WEFT_FIEMAP_H

#include <weft/compiler.h>
#include <uapi/fiemap.h>

struct inode;

struct fiemap_extent_info {
	u32			flags;		/* FIEMAP_FLAG_* */
	u32			mapped;		/* extents given so far */
	u32			room;		/* 0: they are only counted */
	struct fiemap_extent __user *start;
};

/* 1: it was the last one, or there is no more room; 0: go on; -EFAULT. */
int fiemap_fill_next_extent(struct fiemap_extent_info *info, u64 logical, u64 physical, u64 len, u32 flags);
/* What is asked for is within the file's limits, and no flag but `supported` is set.  Cuts *len.  0, -EBADR, -EFBIG, ... */
int fiemap_prep(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 *len, u32 supported);

#endif
