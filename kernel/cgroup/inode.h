/*
 * inode.h: what an inode number of cgroup2 means: the group's id, and which of its files (0: the folder itself).
 *
 * Idea:    nothing is stored for a file of a group: its number alone says what it is, so a group has no inodes while nobody
 *          looks.
 * See:     fs.c
 */
#ifndef KERNEL_CGROUP_INODE_H
#define KERNEL_CGROUP_INODE_H

#include <weft/fs.h>
#include "cgroup.h"

#define INO_FILE_BITS	8

static inline unsigned long cgroup_ino(const struct cgroup *cgrp, int file)
{
	return cgrp->id << INO_FILE_BITS | (unsigned int)(file + 1);
}
static inline struct cgroup *cgroup_of_inode(const struct inode *inode) { return inode->i_private; }
static inline unsigned int file_number(const struct inode *inode)
{
	return (inode->i_ino & ((1 << INO_FILE_BITS) - 1)) - 1;
}

#endif
