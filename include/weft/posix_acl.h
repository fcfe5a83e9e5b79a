/*
 * posix_acl.h: access control lists: permissions for more users and groups than the mode bits name.
 *
 * Idea:    an inode keeps both its lists in memory once they have been asked for; a list never changes, a new one takes its
 *          place.  A file system stores them (get_acl, set_acl); all rules are here.
 * Locking: i_acl, i_default_acl: RCU; published by cmpxchg() when read from disk, replaced under i_rwsem.
 * See:     kernel/fs/posix_acl.c; acl(5); spec.md §10 "xattrs and ACLs"
 */
#ifndef WEFT_POSIX_ACL_H
#define WEFT_POSIX_ACL_H

#include <weft/rcu.h>
#include <weft/refcount.h>
#include <weft/types.h>
#include <weft/xattr.h>

struct inode;

enum { ACL_USER_OBJ = 1, ACL_USER = 2, ACL_GROUP_OBJ = 4, ACL_GROUP = 8, ACL_MASK = 16, ACL_OTHER = 32 };
enum { ACL_TYPE_ACCESS, ACL_TYPE_DEFAULT };	/* default: what new files in a directory get */

struct posix_acl_entry {
	u16	tag, perm;
	u32	id;			/* ACL_USER, ACL_GROUP: the kernel's number */
};

struct posix_acl {
	refcount_t	refs;
	struct rcu_head	rcu;
	unsigned int	count;
	struct posix_acl_entry e[];	/* in order of tags: acl(5) */
};

#define ACL_NOT_CACHED	((struct posix_acl *)-1l)	/* nobody has asked yet */

struct posix_acl *posix_acl_alloc(unsigned int count, gfp_t gfp);	/* NULL */
void posix_acl_put(struct posix_acl *acl);				/* or NULL */
int posix_acl_valid(const struct posix_acl *acl);			/* 0 or -EINVAL */
/* An inode's list with a reference; NULL: it has none; ERR_PTR.  May sleep. */
struct posix_acl *get_inode_acl(struct inode *inode, int type);
/* Stored: from now on this is the list.  Takes over no reference. */
void set_cached_acl(struct inode *inode, int type, struct posix_acl *acl);
void forget_all_cached_acls(struct inode *inode);			/* the inode goes */
/* What the list says of `want` (MAY_*): 0, -EACCES; -EAGAIN: there is none; -ECHILD: it would have to be read. */
int check_acl(struct inode *inode, int want);
/*
 * A new inode in dir, made with mode: umask or dir's default list applied to *mode, and the lists that it gets, each with a
 * reference, or NULL.  0 or -errno.
 */
int posix_acl_create(struct inode *dir, umode_t *mode, struct posix_acl **def, struct posix_acl **acl);
/* For the VFS: where lists are, the umask is posix_acl_create()'s, as a default list takes its place. */
umode_t mode_strip_umask(const struct inode *dir, umode_t mode);
/* The mode was changed by chmod: so is the list.  i_rwsem held. */
int posix_acl_chmod(struct inode *inode);
/* Which mode says the same: *mode's permissions are set.  1: none says all of it. */
int posix_acl_equiv_mode(const struct posix_acl *acl, umode_t *mode);

extern const struct xattr_handler posix_acl_access_xattr_handler, posix_acl_default_xattr_handler;

#endif
