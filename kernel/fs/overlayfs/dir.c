/*
 * dir.c: making, removing and renaming names in an overlay.
 *
 * Idea:    names are changed on the upper layer only.  A name that a lower layer would show again is hidden by a whiteout, that
 *          takes its place by one rename from the work directory.  A new thing in a whiteout's place is made in the work
 *          directory, too, and changes places with the whiteout.  A renamed file leaves its whiteout in the same step
 *          (RENAME_WHITEOUT), which the upper file system must know.
 *          Directories that lie over lower ones are not renamed (EXDEV, as on Linux by default: mv(1) copies then).
 * Locking: the VFS holds i_rwsem of the overlay's directories; here those of the upper ones, by lock_rename() where two are
 *          concerned.
 */
#include <weft/err.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "overlayfs.h"

static const struct ovl_kind whiteout = { .mode = S_IFCHR };

/* The mounter's rights, but what is made belongs to the caller.  ERR_PTR(-ENOMEM); undone by revert_creds(). */
static const struct cred *override_as_maker(const struct super_block *sb)
{
	kuid_t uid = current_fsuid();
	kgid_t gid = current_fsgid();
	const struct cred *old = ovl_override_creds(sb);
	struct cred *maker = prepare_creds();

	if (!maker) {
		revert_creds(old);
		return ERR_PTR(-ENOMEM);
	}
	maker->fsuid = uid;
	maker->fsgid = gid;
	put_cred(override_creds(maker));	/* the mounter's */
	put_cred(maker);
	return old;
}

/* ---- the upper layer ---- */

static struct dentry *lookup_locked(struct dentry *dir, const struct qstr *name)
{
	return lookup_one_len((const char *)name->name, dir, name->len);
}

/* A name in a directory whose set-group-id bit says who owns it: the work directory's does not. */
static int take_group(struct dentry *dir, struct dentry *temp)
{
	const struct inode *inode = d_inode(dir);
	struct iattr attr = { .ia_valid = ATTR_GID | ATTR_FORCE, .ia_gid = inode->i_gid };
	int err;

	if (!(inode->i_mode & S_ISGID))
		return 0;
	inode_lock(d_inode(temp));
	err = notify_change(temp, &attr);
	if (!err && d_is_dir(temp)) {
		attr = (struct iattr){ .ia_valid = ATTR_MODE | ATTR_FORCE, .ia_mode = d_inode(temp)->i_mode | S_ISGID };
		err = notify_change(temp, &attr);
	}
	inode_unlock(d_inode(temp));
	return err;
}

/* In a whiteout's place.  + reference on what was made. */
static struct dentry *make_over_whiteout(struct ovl_fs *ofs, struct dentry *dir, const struct qstr *name,
					 const struct ovl_kind *kind)
{
	struct dentry *temp = ovl_make_temp(ofs, kind), *old;
	int err;

	if (IS_ERR(temp))
		return temp;
	err = kind->hardlink ? 0 : take_group(dir, temp);
	if (!err && d_is_dir(temp))
		err = ovl_set_opaque(temp);
	if (err)
		goto drop;
	lock_rename(ofs->workdir, dir);
	old = lookup_locked(dir, name);
	err = PTR_ERR_OR_ZERO(old);
	if (!err) {
		err = d_is_positive(old) && ovl_is_whiteout(old) ?
		      vfs_rename(d_inode(ofs->workdir), temp, d_inode(dir), old, RENAME_EXCHANGE) : -ESTALE;
		if (!err)
			vfs_unlink(d_inode(ofs->workdir), old);
		dput(old);
	}
	unlock_rename(ofs->workdir, dir);
	if (!err)
		return temp;
drop:
	ovl_drop_temp(ofs, temp);
	return ERR_PTR(err);
}

static struct dentry *make_upper(struct ovl_fs *ofs, struct dentry *dir, const struct qstr *name, const struct ovl_kind *kind)
{
	struct dentry *d;
	bool hidden;
	int err;

	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	d = lookup_locked(dir, name);
	hidden = !IS_ERR(d) && d_is_positive(d);
	err = IS_ERR(d) ? PTR_ERR(d) : hidden ? 0 : ovl_make_real(dir, d, kind);
	inode_unlock(d_inode(dir));
	if (!err && !hidden)
		return d;
	if (!IS_ERR(d))
		dput(d);
	return err ? ERR_PTR(err) : make_over_whiteout(ofs, dir, name, kind);
}

/* ---- making ---- */

static int ovl_make(struct inode *dir, struct dentry *dentry, const struct ovl_kind *kind)
{
	struct ovl_found found = { };
	const struct cred *old;
	struct inode *inode;
	int err = ovl_copy_up(dentry->d_parent, true);

	if (err)
		return err;
	old = override_as_maker(dir->i_sb);
	if (IS_ERR(old))
		return PTR_ERR(old);
	found.upper = make_upper(OVL_FS(dir->i_sb), ovl_upper(dir), &dentry->d_name, kind);
	revert_creds(old);
	if (IS_ERR(found.upper))
		return PTR_ERR(found.upper);
	ovl_copyattr(dir);
	inode = ovl_get_inode(dir->i_sb, &found);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_instantiate(dentry, inode);
	return 0;
}

static int ovl_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool excl)
{
	return ovl_make(dir, dentry, &(struct ovl_kind){ .mode = (mode & ~S_IFMT) | S_IFREG });
}

static int ovl_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	return ovl_make(dir, dentry, &(struct ovl_kind){ .mode = (mode & ~S_IFMT) | S_IFDIR });
}

static int ovl_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t rdev)
{
	if (S_ISCHR(mode) && !rdev)
		return -EPERM;			/* it would be a whiteout */
	return ovl_make(dir, dentry, &(struct ovl_kind){ .mode = mode, .rdev = rdev });
}

static int ovl_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	return ovl_make(dir, dentry, &(struct ovl_kind){ .mode = S_IFLNK, .target = target });
}

static int ovl_link(struct dentry *old_dentry, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old_dentry);
	const struct cred *old;
	struct dentry *d;
	int err = ovl_copy_up(old_dentry, true);

	if (!err)
		err = ovl_copy_up(dentry->d_parent, true);
	if (err)
		return err;
	old = ovl_override_creds(dir->i_sb);
	d = make_upper(OVL_FS(dir->i_sb), ovl_upper(dir), &dentry->d_name, &(struct ovl_kind){ .hardlink = ovl_upper(inode) });
	revert_creds(old);
	if (IS_ERR(d))
		return PTR_ERR(d);
	dput(d);
	ovl_copyattr(dir);
	ovl_copyattr(inode);
	ihold(inode);
	d_instantiate(dentry, inode);
	return 0;
}

/* ---- removing ---- */

/* Puts a whiteout in the place of what the upper layer has under this name, if it has something. */
static int hide_name(struct ovl_fs *ofs, struct dentry *dir, const struct qstr *name)
{
	struct dentry *temp = ovl_make_temp(ofs, &whiteout), *d;
	bool exchange = false;
	int err;

	if (IS_ERR(temp))
		return PTR_ERR(temp);
	lock_rename(ofs->workdir, dir);
	d = lookup_locked(dir, name);
	err = PTR_ERR_OR_ZERO(d);
	if (!err) {
		exchange = d_is_positive(d) && d_is_dir(d);
		err = vfs_rename(d_inode(ofs->workdir), temp, d_inode(dir), d, exchange ? RENAME_EXCHANGE : 0);
	}
	unlock_rename(ofs->workdir, dir);
	if (exchange && !err)
		ovl_drop_temp(ofs, dget(d));	/* the directory, which is in the work directory now */
	if (err)
		ovl_drop_temp(ofs, temp);
	else
		dput(temp);
	if (!IS_ERR(d))
		dput(d);
	return err;
}

static int remove_upper(struct ovl_fs *ofs, struct dentry *dir, const struct qstr *name, struct dentry *victim_dir)
{
	struct dentry *d;
	int err = victim_dir ? ovl_remove_whiteouts(ofs->upper_mnt, victim_dir) : 0;

	if (err)
		return err;
	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	d = lookup_locked(dir, name);
	err = PTR_ERR_OR_ZERO(d);
	if (!err) {
		if (d_is_negative(d))
			err = -ESTALE;
		else
			err = victim_dir ? vfs_rmdir(d_inode(dir), d) : vfs_unlink(d_inode(dir), d);
		dput(d);
	}
	inode_unlock(d_inode(dir));
	return err;
}

static int ovl_remove(struct inode *dir, struct dentry *dentry, bool is_dir)
{
	struct inode *inode = d_inode(dentry);
	const struct cred *old;
	int hide, err = ovl_copy_up(dentry->d_parent, true);

	if (err)
		return err;
	old = ovl_override_creds(dir->i_sb);
	err = is_dir ? ovl_check_empty(dentry) : 0;
	hide = err ?: ovl_lower_has(dir, &dentry->d_name);
	if (hide > 0)
		err = hide_name(OVL_FS(dir->i_sb), ovl_upper(dir), &dentry->d_name);
	else
		err = hide ?: remove_upper(OVL_FS(dir->i_sb), ovl_upper(dir), &dentry->d_name,
					   is_dir ? ovl_upper(inode) : NULL);
	revert_creds(old);
	if (err)
		return err;
	ovl_copyattr(dir);
	if (is_dir)
		clear_nlink(inode);
	else if (ovl_upper(inode))
		ovl_copyattr(inode);
	else if (inode->i_nlink)
		drop_nlink(inode);
	return 0;
}

static int ovl_unlink(struct inode *dir, struct dentry *dentry)
{
	return ovl_remove(dir, dentry, false);
}

static int ovl_rmdir(struct inode *dir, struct dentry *dentry)
{
	return ovl_remove(dir, dentry, true);
}

/* ---- renaming ---- */

struct rename_plan {
	struct dentry	*old_dir, *new_dir;	/* on the upper layer */
	struct dentry	*old, *new;		/* the overlay's */
	unsigned int	flags;			/* RENAME_EXCHANGE or 0 */
	bool		hide_old;		/* a lower layer has the old name, too */
};

/* A directory moved to where lower layers have something must hide it. */
static int hide_below(struct inode *new_dir, struct dentry *new, struct dentry *moved)
{
	int below = d_is_dir(moved) ? ovl_lower_has(new_dir, &new->d_name) : 0;

	return below > 0 ? ovl_set_opaque(ovl_upper(d_inode(moved))) : below;
}

/* Both upper directories locked. */
static int rename_upper(const struct rename_plan *plan)
{
	struct dentry *old = lookup_locked(plan->old_dir, &plan->old->d_name), *new = NULL;
	unsigned int flags = plan->flags;
	bool swapped = false;
	int err = PTR_ERR_OR_ZERO(old);

	if (err)
		return err;
	err = -ESTALE;
	if (d_is_negative(old))
		goto out;
	new = lookup_locked(plan->new_dir, &plan->new->d_name);
	err = PTR_ERR_OR_ZERO(new);
	if (err)
		goto out;
	/* A directory does not replace a whiteout: they change places. */
	if (!flags && d_is_dir(old) && d_is_positive(new) && !d_is_dir(new)) {
		flags = RENAME_EXCHANGE;
		swapped = true;
	}
	if (plan->hide_old && !swapped)
		flags |= RENAME_WHITEOUT;
	err = vfs_rename(d_inode(plan->old_dir), old, d_inode(plan->new_dir), new, flags);
	if (!err && swapped && !plan->hide_old)
		err = vfs_unlink(d_inode(plan->old_dir), new);
out:
	if (!IS_ERR_OR_NULL(new))
		dput(new);
	dput(old);
	return err;
}

/* What must be on the upper layer before; refuses what would have to move a lower directory. */
static int prepare_rename(struct inode *new_dir, struct dentry *old, struct dentry *new, bool exchange)
{
	int err;

	if (d_is_dir(old) && OVL_I(d_inode(old))->nr_lower)
		return -EXDEV;
	if (exchange && d_is_dir(new) && OVL_I(d_inode(new))->nr_lower)
		return -EXDEV;
	err = ovl_copy_up(old, true);
	if (!err)
		err = ovl_copy_up(new->d_parent, true);
	if (!err && exchange)
		err = ovl_copy_up(new, true);
	return err;
}

/* As the mounter: a directory to be replaced is empty but for its whiteouts. */
static int empty_target(struct super_block *sb, struct dentry *new)
{
	int err = ovl_check_empty(new);

	if (!err && ovl_upper(d_inode(new)))
		err = ovl_remove_whiteouts(OVL_FS(sb)->upper_mnt, ovl_upper(d_inode(new)));
	return err;
}

static int ovl_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	bool exchange = flags & RENAME_EXCHANGE, positive = d_is_positive(new);
	struct rename_plan plan = { .old = old, .new = new, .flags = flags & RENAME_EXCHANGE };
	const struct cred *creds;
	int below, err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = prepare_rename(new_dir, old, new, exchange);
	if (err)
		return err;
	plan.old_dir = ovl_upper(old_dir);
	plan.new_dir = ovl_upper(new_dir);
	creds = ovl_override_creds(old_dir->i_sb);
	if (!exchange && positive && d_is_dir(new))
		err = empty_target(old_dir->i_sb, new);
	below = err ?: ovl_lower_has(old_dir, &old->d_name);
	err = min(below, 0);
	plan.hide_old = below > 0 && !exchange;
	if (!err)
		err = hide_below(new_dir, new, old);
	if (!err && exchange)
		err = hide_below(old_dir, old, new);
	if (!err) {
		lock_rename(plan.old_dir, plan.new_dir);
		err = rename_upper(&plan);
		unlock_rename(plan.old_dir, plan.new_dir);
	}
	revert_creds(creds);
	if (err)
		return err;
	ovl_copyattr(old_dir);
	ovl_copyattr(new_dir);
	ovl_copyattr(d_inode(old));
	if (positive && !exchange) {
		if (d_is_dir(new) || !ovl_upper(d_inode(new)))
			clear_nlink(d_inode(new));
		else
			ovl_copyattr(d_inode(new));
	}
	return 0;
}

const struct inode_operations ovl_dir_inode_operations = {
	.lookup		= ovl_lookup,
	.create		= ovl_create,
	.link		= ovl_link,
	.unlink		= ovl_unlink,
	.symlink	= ovl_symlink,
	.mkdir		= ovl_mkdir,
	.rmdir		= ovl_rmdir,
	.mknod		= ovl_mknod,
	.rename		= ovl_rename,
	.setattr	= ovl_setattr,
	.getattr	= ovl_getattr,
	.listxattr	= ovl_listxattr,
	.fileattr_get	= ovl_fileattr_get,
	.fileattr_set	= ovl_fileattr_set,
};
