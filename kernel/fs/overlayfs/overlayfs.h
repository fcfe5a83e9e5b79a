/*
 * overlayfs.h: what the files of overlayfs share.
 *
 * Idea:    an overlay shows several trees ("layers") as one.  Each of its inodes knows the real objects behind it: `upper`, in
 *          the one layer that may be written, and a stack of `lower` ones.  A file has one real object: the upper, if there;
 *          a directory shows the names of all of its objects, those above hiding those below.
 *          Three marks on the upper layer, as on Linux: a whiteout (character device 0:0) hides a name; a directory with the
 *          attribute trusted.overlay.opaque="y" hides all below; what has neither lies over what is below.
 *          Before anything is changed it is copied up, made whole in `workdir` and then moved to its place by one rename.
 * Locking: oi->lock: one copies up.  Order: the overlay's i_rwsem -> oi->lock -> the layers' locks, which are other classes.
 *          All work on the layers is done with the rights of who mounted the overlay; the caller's rights are checked against
 *          the overlay's own inodes, which carry copies of the attributes (ovl_copyattr()).
 * See:     spec.md §10; doc/overlay.md
 */
#ifndef WEFT_OVERLAYFS_H
#define WEFT_OVERLAYFS_H

#include <weft/cred.h>
#include <weft/fs.h>
#include <weft/kernel.h>
#include <weft/mount.h>
#include <weft/mutex.h>

#define OVL_MAX_LOWER		64
#define OVL_MAX_DEPTH		2	/* overlays upon overlays */
#define OVL_XATTR_PREFIX	"trusted.overlay."
#define OVL_XATTR_OPAQUE	OVL_XATTR_PREFIX "opaque"
#define OVL_XATTR_NUMBER	OVL_XATTR_PREFIX "weft.ino"	/* u64: the inode number from before the file was copied up */

struct ovl_fs {
	struct vfsmount		*upper_mnt;	/* [I] a private mount; NULL: the overlay is read-only */
	struct dentry		*workdir;	/* [I] work/ in workdir=, on the upper layer */
	struct vfsmount		*lower_mnt[OVL_MAX_LOWER];	/* [I] private mounts, the uppermost first */
	unsigned int		nr_lower;
	const struct cred	*creds;		/* [I] of who mounted */
	char			*lowerdir, *upperdir, *workdir_name;	/* [I] as given */
	atomic_t		last_temp;	/* for names in the work directory */
};

struct ovl_inode {
	struct inode	vfs_inode;
	struct mutex	lock;			/* copying up */
	struct dentry	*upper;			/* [lock] set once; read by ovl_upper() */
	struct path	*lower;			/* [I] the uppermost first; the mounts are the ovl_fs's */
	unsigned int	nr_lower;		/* [I] */
	struct inode	*key;			/* [inode hash lock] the real inode it is hashed by, or NULL */
};

/* What a look-up found: references, until ovl_get_inode() takes them over. */
struct ovl_found {
	struct dentry	*upper;
	struct path	*lower;
	unsigned int	nr_lower;
};

/* Something to be made on the upper layer. */
struct ovl_kind {
	umode_t		mode;
	dev_t		rdev;
	const char	*target;		/* of a symbolic link */
	struct dentry	*hardlink;		/* make another name of this one instead */
};

static inline struct ovl_fs *OVL_FS(const struct super_block *sb) { return sb->s_fs_info; }
static inline struct ovl_inode *OVL_I(const struct inode *inode) { return container_of(inode, struct ovl_inode, vfs_inode); }
static inline struct dentry *ovl_upper(const struct inode *inode) { return smp_load_acquire(&OVL_I(inode)->upper); }
static inline struct dentry *ovl_real(const struct inode *inode)
{
	return ovl_upper(inode) ?: OVL_I(inode)->lower[0].dentry;
}
static inline bool ovl_is_whiteout(const struct dentry *d)
{
	return S_ISCHR(d_inode(d)->i_mode) && d_inode(d)->i_rdev == 0;
}
/* More than one directory shows through. */
static inline bool ovl_is_merged(const struct inode *inode)
{
	return S_ISDIR(inode->i_mode) && OVL_I(inode)->nr_lower + (ovl_upper(inode) ? 1 : 0) > 1;
}
/* Rights of the mounter; undone by revert_creds(). */
static inline const struct cred *ovl_override_creds(const struct super_block *sb)
{
	return override_creds(OVL_FS(sb)->creds);
}

/* lookup.c */
struct dentry *ovl_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags);
struct dentry *ovl_lookup_real(struct dentry *dir, const char *name, int len);	/* positive + reference, NULL, ERR_PTR */
bool ovl_is_opaque(struct dentry *real_dir);
int ovl_lower_has(struct inode *dir, const struct qstr *name);	/* would the name show through?  1, 0, -errno */

/* inode.c */
struct inode *ovl_get_inode(struct super_block *sb, struct ovl_found *found);	/* takes found over, also when it fails */
void ovl_put_found(struct ovl_found *found);
void ovl_copyattr(struct inode *inode);		/* after a change of the real one */
void ovl_real_path(const struct inode *inode, struct path *path);	/* borrowed */
void ovl_set_upper(struct inode *inode, struct dentry *upper);	/* oi->lock held; takes the reference over */
int ovl_setattr(struct dentry *dentry, struct iattr *attr);
int ovl_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
ssize_t ovl_listxattr(struct dentry *dentry, char *list, size_t size);
int ovl_fileattr_get(struct dentry *dentry, u32 *flags);
int ovl_fileattr_set(struct dentry *dentry, u32 flags);
extern const struct xattr_handler *ovl_xattr_handlers[];
extern const struct inode_operations ovl_dir_inode_operations;
extern const struct file_operations ovl_file_operations, ovl_dir_operations;

/* copy_up.c */
int ovl_copy_up(struct dentry *dentry, bool with_data);	/* and its directories.  0 when it is there already; -EROFS ... */
struct dentry *ovl_make_temp(struct ovl_fs *ofs, const struct ovl_kind *kind);	/* in the work directory */
/* A directory of the upper layer, its i_rwsem held. */
int ovl_make_real(struct dentry *dir, struct dentry *dentry, const struct ovl_kind *kind);
void ovl_drop_temp(struct ovl_fs *ofs, struct dentry *temp);	/* removes it, drops the reference */
int ovl_set_opaque(struct dentry *real_dir);

/* readdir.c */
int ovl_check_empty(struct dentry *dentry);	/* 0 or -ENOTEMPTY */
int ovl_remove_whiteouts(struct vfsmount *mnt, struct dentry *dir);	/* all of a directory of the upper layer */
int ovl_clean_workdir(struct vfsmount *mnt, struct dentry *workdir);

#endif
