/*
 * lookup.c: which real objects lie behind a name of an overlay.
 *
 * Idea:    the layers are asked from above: a file ends the search, a whiteout ends it, too, and so does an opaque directory;
 *          other directories pile up.  A directory hides a file below it, and a file in the pile is not entered.
 * Locking: i_rwsem of the overlay's directory (reading at least); of each real directory while it is asked.
 */
#include <weft/err.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/xattr.h>
#include "overlayfs.h"

struct dentry *ovl_lookup_real(struct dentry *dir, const char *name, int len)
{
	struct dentry *d;

	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	d = lookup_one_len(name, dir, len);
	inode_unlock(d_inode(dir));
	if (!IS_ERR(d) && d_is_negative(d)) {
		dput(d);
		d = NULL;
	}
	return d;
}

bool ovl_is_opaque(struct dentry *dir)
{
	char value;

	return vfs_getxattr(dir, OVL_XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}

/* Adds what one layer has.  1: look no further; 0 or -errno. */
static int add_lower(struct ovl_found *found, const struct path *dir, const struct qstr *name)
{
	struct dentry *d = ovl_lookup_real(dir->dentry, (const char *)name->name, name->len);

	if (IS_ERR_OR_NULL(d))
		return PTR_ERR_OR_ZERO(d);
	if (ovl_is_whiteout(d) || ((found->upper || found->nr_lower) && !d_is_dir(d))) {
		dput(d);
		return 1;
	}
	found->lower[found->nr_lower++] = (struct path){ .mnt = dir->mnt, .dentry = d };
	return !d_is_dir(d) || ovl_is_opaque(d);
}

static int find_layers(struct inode *dir, const struct qstr *name, struct ovl_found *found)
{
	struct ovl_inode *oi = OVL_I(dir);
	struct dentry *upper = ovl_upper(dir), *d;
	int done = 0;

	if (oi->nr_lower) {
		found->lower = kcalloc(oi->nr_lower, sizeof(*found->lower), GFP_KERNEL);
		if (!found->lower)
			return -ENOMEM;
	}
	if (upper) {
		d = ovl_lookup_real(upper, (const char *)name->name, name->len);
		if (IS_ERR(d))
			return PTR_ERR(d);
		if (d && ovl_is_whiteout(d)) {
			dput(d);
			return 0;
		}
		found->upper = d;
		done = d && (!d_is_dir(d) || ovl_is_opaque(d));
	}
	for (unsigned int i = 0; i < oi->nr_lower && !done; i++)
		done = add_lower(found, &oi->lower[i], name);
	return min(done, 0);
}

struct dentry *ovl_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	const struct cred *old = ovl_override_creds(dir->i_sb);
	struct ovl_found found = { };
	struct inode *inode = NULL;
	int err = find_layers(dir, &dentry->d_name, &found);

	if (err || !(found.upper || found.nr_lower))
		ovl_put_found(&found);
	else
		inode = ovl_get_inode(dir->i_sb, &found);
	revert_creds(old);
	return err ? ERR_PTR(err) : d_splice_alias(inode, dentry);
}

int ovl_lower_has(struct inode *dir, const struct qstr *name)
{
	struct ovl_inode *oi = OVL_I(dir);

	for (unsigned int i = 0; i < oi->nr_lower; i++) {
		struct dentry *d = ovl_lookup_real(oi->lower[i].dentry, (const char *)name->name, name->len);
		bool whiteout;

		if (IS_ERR(d))
			return PTR_ERR(d);
		if (!d)
			continue;
		whiteout = ovl_is_whiteout(d);
		dput(d);
		return !whiteout;
	}
	return 0;
}
