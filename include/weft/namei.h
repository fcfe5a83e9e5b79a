/*
 * namei.h: from a path name to a dentry.
 *
 * See:     kernel/fs/namei.c; path_resolution(7)
 */
#ifndef WEFT_NAMEI_H
#define WEFT_NAMEI_H

#include <weft/types.h>
#include <weft/path.h>
#include <weft/fcntl.h>
#include <weft/dcache.h>

struct filename;
struct inode;

#define MAX_NESTED_LINKS	8
#define MAXSYMLINKS		40

enum { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };	/* what the last component is */

#define LOOKUP_FOLLOW		0x0001	/* follow a link at the end */
#define LOOKUP_DIRECTORY	0x0002	/* must end at a directory */
#define LOOKUP_AUTOMOUNT	0x0004
#define LOOKUP_EMPTY		0x4000	/* the empty path is the start itself */
#define LOOKUP_DOWN		0x8000
#define LOOKUP_MOUNTPOINT	0x0080	/* do not cross the last mount */
#define LOOKUP_REVAL		0x0020	/* trust no cache */
#define LOOKUP_RCU		0x0040	/* no references, no locks, no sleep */
#define LOOKUP_OPEN		0x0100	/* the intent, for ->d_revalidate */
#define LOOKUP_CREATE		0x0200
#define LOOKUP_EXCL		0x0400
#define LOOKUP_RENAME_TARGET	0x0800
#define LOOKUP_PARENT		0x0010	/* internal: stop before the last component */
#define LOOKUP_NO_SYMLINKS	0x010000	/* openat2's RESOLVE_* */
#define LOOKUP_NO_MAGICLINKS	0x020000
#define LOOKUP_NO_XDEV		0x040000
#define LOOKUP_BENEATH		0x080000
#define LOOKUP_IN_ROOT		0x100000
#define LOOKUP_CACHED		0x200000
#define LOOKUP_IS_SCOPED	(LOOKUP_BENEATH | LOOKUP_IN_ROOT)

/* All of these: 0 and *path with references, or -errno.  May sleep. */
int user_path_at(int dfd, const char __user *name, unsigned int flags, struct path *path);
int user_path_at_empty(int dfd, const char __user *name, unsigned int flags, struct path *path, int *empty);
int kern_path(const char *name, unsigned int flags, struct path *path);
int filename_lookup(int dfd, struct filename *name, unsigned int flags, struct path *path, const struct path *root);
static inline int user_path(const char __user *name, struct path *path)
{
	return user_path_at(AT_FDCWD, name, LOOKUP_FOLLOW, path);
}

/* The parent's i_rwsem is held and *path is the parent; the dentry is negative.  done_path_create() undoes both. */
struct dentry *kern_path_create(int dfd, const char *name, struct path *path, unsigned int flags);
void done_path_create(struct path *path, struct dentry *dentry);
struct dentry *kern_path_locked(const char *name, struct path *path);

struct dentry *lookup_one_len(const char *name, struct dentry *base, int len);	/* base's i_rwsem held */
struct dentry *lock_rename(struct dentry *p1, struct dentry *p2);
void unlock_rename(struct dentry *p1, struct dentry *p2);

/* From ->get_link(): the walk goes on at *path, whose references are taken over.  "Magic" links of /proc. */
int nd_jump_link(const struct path *path);

#endif
