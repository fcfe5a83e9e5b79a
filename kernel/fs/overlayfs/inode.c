/*
 * inode.c: an overlay's inodes: which is which, their attributes and extended attributes.
 *
 * Idea:    one inode for each real object, found by the real inode: names that are links of one file on the upper layer are so
 *          in the overlay.  Links on a lower layer are not: each of them is copied up by itself.
 *          The overlay gives the device number and its own inode numbers: the real one, and the layer in the highest bits.  A
 *          number outlives copying up: a directory's is that of its uppermost lower one, and a file's copy has it in an
 *          attribute.  Links on a lower layer lose it, because they become files of their own.
 * Locking: i_rwsem of the overlay's inode over changes; oi->lock when `upper` is set.
 */
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/xattr.h>
#include "overlayfs.h"

#define LAYER_SHIFT	56		/* inode numbers of ext have 32 bits, those of tmpfs too */

/* The layers' inodes are of other classes: an overlay's lock is held around theirs. */
static struct lock_class_key ovl_i_rwsem_key[OVL_MAX_DEPTH + 1];

void ovl_put_found(struct ovl_found *found)
{
	dput(found->upper);
	for (unsigned int i = 0; i < found->nr_lower; i++)
		dput(found->lower[i].dentry);
	kfree(found->lower);
	*found = (struct ovl_found){ };
}

void ovl_real_path(const struct inode *inode, struct path *path)
{
	struct dentry *upper = ovl_upper(inode);

	*path = upper ? (struct path){ .mnt = OVL_FS(inode->i_sb)->upper_mnt, .dentry = upper } : OVL_I(inode)->lower[0];
}

void ovl_copyattr(struct inode *inode)
{
	const struct inode *real = d_inode(ovl_real(inode));

	inode->i_mode = real->i_mode;
	inode->i_uid = real->i_uid;
	inode->i_gid = real->i_gid;
	inode->i_atime = real->i_atime;
	inode->i_mtime = real->i_mtime;
	inode->i_ctime = real->i_ctime;
	inode_set_flags(inode, real->i_flags & (S_IMMUTABLE | S_APPEND), S_IMMUTABLE | S_APPEND);
	i_size_write(inode, i_size_read(real));
	/* find(1) counts a directory's subdirectories by its links; 1 says that it must not. */
	set_nlink(inode, ovl_is_merged(inode) ? 1 : real->i_nlink);
}

/* ---- finding them ---- */

static int is_key(struct inode *inode, void *key)
{
	return OVL_I(inode)->key == key;
}

static int set_key(struct inode *inode, void *key)
{
	OVL_I(inode)->key = key;
	return 0;
}

void ovl_set_upper(struct inode *inode, struct dentry *upper)
{
	struct ovl_inode *oi = OVL_I(inode);

	lockdep_assert_held(&oi->lock);
	remove_inode_hash(inode);
	oi->key = d_inode(upper);
	smp_store_release(&oi->upper, upper);
	__insert_inode_hash(inode, (unsigned long)oi->key);
	ovl_copyattr(inode);
}

static const struct inode_operations ovl_file_inode_operations, ovl_symlink_inode_operations;

static u64 number_of_lower(const struct super_block *sb, const struct path *lower)
{
	u64 layer = 0;

	while (OVL_FS(sb)->lower_mnt[layer++] != lower->mnt)
		;
	return d_inode(lower->dentry)->i_ino | layer << LAYER_SHIFT;
}

static u64 number_of(const struct super_block *sb, const struct ovl_found *found)
{
	u64 kept;

	if (found->nr_lower)			/* of a directory, or there is no upper */
		return number_of_lower(sb, &found->lower[0]);
	if (!d_is_dir(found->upper) && vfs_getxattr(found->upper, OVL_XATTR_NUMBER, &kept, sizeof(kept)) == sizeof(kept))
		return kept;
	return d_inode(found->upper)->i_ino;
}

static void fill_inode(struct inode *inode, struct ovl_found *found)
{
	const struct inode *real = d_inode(found->upper ?: found->lower[0].dentry);
	struct ovl_inode *oi = OVL_I(inode);

	lockdep_set_class(&inode->i_rwsem, &ovl_i_rwsem_key[inode->i_sb->s_stack_depth]);
	inode->i_ino = number_of(inode->i_sb, found);
	inode->i_flags |= S_NOATIME | S_NOCMTIME;	/* the real one's times count */
	oi->upper = found->upper;
	oi->lower = found->lower;
	oi->nr_lower = found->nr_lower;
	inode->i_mode = real->i_mode;
	ovl_copyattr(inode);
	switch (real->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &ovl_file_inode_operations;
		inode->i_fop = &ovl_file_operations;
		break;
	case S_IFDIR:
		inode->i_op = &ovl_dir_inode_operations;
		inode->i_fop = &ovl_dir_operations;
		break;
	case S_IFLNK:
		inode->i_op = &ovl_symlink_inode_operations;
		break;
	default:
		inode->i_op = &ovl_file_inode_operations;
		init_special_inode(inode, real->i_mode, real->i_rdev);
	}
}

struct inode *ovl_get_inode(struct super_block *sb, struct ovl_found *found)
{
	struct inode *real = d_inode(found->upper ?: found->lower[0].dentry), *inode;
	bool shared = found->upper || S_ISDIR(real->i_mode) || real->i_nlink == 1;

	inode = shared ? iget5_locked(sb, (unsigned long)real, is_key, set_key, real) : new_inode(sb);
	if (!inode) {
		ovl_put_found(found);
		return ERR_PTR(-ENOMEM);
	}
	if (shared && !(inode->i_state & I_NEW)) {
		ovl_put_found(found);
		return inode;
	}
	fill_inode(inode, found);
	*found = (struct ovl_found){ };
	if (shared)
		unlock_new_inode(inode);
	return inode;
}

/* ---- attributes ---- */

int ovl_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	const struct cred *old = ovl_override_creds(inode->i_sb);
	u64 mnt_id = stat->mnt_id, root = stat->attributes & STATX_ATTR_MOUNT_ROOT;
	struct path real;
	int err;

	ovl_real_path(inode, &real);
	err = vfs_getattr(&real, stat, mask, flags);
	revert_creds(old);
	if (err)
		return err;
	stat->mnt_id = mnt_id;
	stat->attributes = (stat->attributes & ~(u64)STATX_ATTR_MOUNT_ROOT) | root;
	stat->dev = inode->i_sb->s_dev;
	stat->ino = inode->i_ino;
	if (ovl_is_merged(inode))
		stat->nlink = 1;
	return 0;
}

int ovl_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	const struct cred *old;
	struct dentry *upper;
	int err = setattr_prepare(dentry, attr);

	if (!err)
		err = ovl_copy_up(dentry, !(attr->ia_valid & ATTR_SIZE) || attr->ia_size);
	if (err)
		return err;
	attr->ia_valid &= ~(ATTR_FILE | ATTR_OPEN);
	upper = ovl_upper(inode);
	old = ovl_override_creds(inode->i_sb);
	inode_lock(d_inode(upper));
	err = notify_change(upper, attr);
	inode_unlock(d_inode(upper));
	revert_creds(old);
	ovl_copyattr(inode);
	return err;
}

static const char *ovl_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	const struct cred *old;
	const char *target;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	old = ovl_override_creds(inode->i_sb);
	target = vfs_get_link(ovl_real(inode), done);
	revert_creds(old);
	return target;
}

int ovl_fileattr_get(struct dentry *dentry, u32 *flags)
{
	struct dentry *real = ovl_real(d_inode(dentry));
	const struct inode_operations *op = d_inode(real)->i_op;

	return op->fileattr_get ? op->fileattr_get(real, flags) : -ENOTTY;
}

int ovl_fileattr_set(struct dentry *dentry, u32 flags)
{
	struct inode *inode = d_inode(dentry);
	const struct cred *old;
	struct dentry *upper;
	int err = ovl_copy_up(dentry, true);

	if (err)
		return err;
	upper = ovl_upper(inode);
	if (!d_inode(upper)->i_op->fileattr_set)
		return -ENOTTY;
	old = ovl_override_creds(inode->i_sb);
	inode_lock(d_inode(upper));
	err = d_inode(upper)->i_op->fileattr_set(upper, flags);
	inode_unlock(d_inode(upper));
	revert_creds(old);
	ovl_copyattr(inode);
	return err;
}

/* ---- extended attributes: all name spaces go to the real object; the overlay's own marks are not seen ---- */

static bool is_own(const char *name)
{
	return !strncmp(name, OVL_XATTR_PREFIX, strlen(OVL_XATTR_PREFIX));
}

static int ovl_xattr_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
			 void *buffer, size_t size)
{
	const struct cred *old;
	ssize_t res;

	if (is_own(name))
		return -EOPNOTSUPP;
	old = ovl_override_creds(inode->i_sb);
	res = vfs_getxattr(ovl_real(inode), name, buffer, size);
	revert_creds(old);
	return res;
}

static int ovl_xattr_set(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
			 const void *value, size_t size, int flags)
{
	const struct cred *old;
	int err;

	if (is_own(name))
		return -EOPNOTSUPP;
	err = ovl_copy_up(dentry, true);
	if (err)
		return err;
	old = ovl_override_creds(inode->i_sb);
	err = value ? vfs_setxattr(ovl_upper(inode), name, value, size, flags) : vfs_removexattr(ovl_upper(inode), name);
	revert_creds(old);
	ovl_copyattr(inode);
	return err;
}

ssize_t ovl_listxattr(struct dentry *dentry, char *list, size_t size)
{
	bool trusted = capable(CAP_SYS_ADMIN);
	const struct cred *old = ovl_override_creds(dentry->d_sb);
	ssize_t res = vfs_listxattr(ovl_real(d_inode(dentry)), list, size), len;

	revert_creds(old);
	if (!size || res <= 0)
		return res;
	for (char *name = list; name < list + res; name += len) {
		len = strlen(name) + 1;
		if (is_own(name) || (!trusted && !strncmp(name, XATTR_TRUSTED_PREFIX, strlen(XATTR_TRUSTED_PREFIX)))) {
			res -= len;
			memmove(name, name + len, list + res - name);
			len = 0;
		}
	}
	return res;
}

static const struct xattr_handler ovl_handler = { .prefix = "", .get = ovl_xattr_get, .set = ovl_xattr_set };
const struct xattr_handler *ovl_xattr_handlers[] = { &ovl_handler, NULL };

static const struct inode_operations ovl_file_inode_operations = {
	.setattr	= ovl_setattr,
	.getattr	= ovl_getattr,
	.listxattr	= ovl_listxattr,
	.fileattr_get	= ovl_fileattr_get,
	.fileattr_set	= ovl_fileattr_set,
};

static const struct inode_operations ovl_symlink_inode_operations = {
	.get_link	= ovl_get_link,
	.setattr	= ovl_setattr,
	.getattr	= ovl_getattr,
	.listxattr	= ovl_listxattr,
};
