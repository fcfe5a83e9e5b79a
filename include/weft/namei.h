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
struct open_how;
struct statx;
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

bool follow_up(struct path *path);	/* from a mount's root to where it stands; false: nowhere */
struct dentry *lookup_one_len(const char *name, struct dentry *base, int len);	/* base's i_rwsem held */
struct dentry *lock_rename(struct dentry *p1, struct dentry *p2);
void unlock_rename(struct dentry *p1, struct dentry *p2);

/* The system calls on names that have been copied already.  None puts a name away. */
struct open_flags {
	int	open_flag;
	umode_t	mode;
	int	acc_mode;	/* MAY_* */
	int	intent;		/* LOOKUP_OPEN ... */
	int	lookup_flags;
};
int build_open_flags(const struct open_how *how, struct open_flags *op);
struct file *do_filp_open(int dfd, struct filename *name, const struct open_flags *op);
int do_rmdir(int dfd, struct filename *name);
int do_mkdirat(int dfd, struct filename *name, umode_t mode);
int do_symlinkat(struct filename *from, int newdfd, struct filename *to);
int do_linkat(int olddfd, struct filename *old, int newdfd, struct filename *new, int flags);
int do_renameat2(int olddfd, struct filename *from, int newdfd, struct filename *to, unsigned int flags);
int do_unlinkat(int dfd, struct filename *name);
struct open_how build_open_how(int flags, umode_t mode);
int do_statx(int dfd, struct filename *name, unsigned int flags, unsigned int mask, struct statx __user *buffer);

/* From ->get_link(): the walk goes on at *path, whose references are taken over.  "Magic" links of /proc. */
int nd_jump_link(const struct path *path);

#endif
