/*
 * dcache_alias.c: from an inode to its names: finding one, dropping the unused, tying a looked-up inode to its dentry.
 *
 * Idea:    each positive dentry stands on its inode's list i_dentry.  A file has as many as it has names in use; a
 *          directory never more than one, for a tree with two ways to a place would have two parents, and cycles.
 * Locking: inode->i_lock guards the list; a dentry on it is looked at under its d_lock.  i_lock -> d_lock.
 * See:     spec.md §10; dcache.c
 */
#include <weft/fs.h>
#include <weft/dcache.h>
#include <weft/err.h>
#include "internal.h"

/* Some name of the inode, + reference, or NULL.  i_lock held. */
static struct dentry *__d_find_alias(struct inode *inode, bool hashed_only)
{
	struct dentry *alias;

	hlist_for_each_entry(alias, &inode->i_dentry, d_u.d_alias) {
		spin_lock(&alias->d_lock);
		if (!__lockref_is_dead(&alias->d_lockref) && (!hashed_only || IS_ROOT(alias) || !d_unhashed(alias))) {
			dget_dlock(alias);
			spin_unlock(&alias->d_lock);
			return alias;
		}
		spin_unlock(&alias->d_lock);
	}
	return NULL;
}

struct dentry *d_find_any_alias(struct inode *inode)
{
	struct dentry *alias;

	spin_lock(&inode->i_lock);
	alias = __d_find_alias(inode, false);
	spin_unlock(&inode->i_lock);
	return alias;
}

struct dentry *d_find_alias(struct inode *inode)
{
	struct dentry *alias;

	spin_lock(&inode->i_lock);
	alias = __d_find_alias(inode, true);
	spin_unlock(&inode->i_lock);
	return alias;
}

/*
 * ->lookup() found `inode` (NULL: no such name, or an ERR_PTR to pass on) for `dentry`.  A directory has but one dentry:
 * if there is one already, it moves here and is returned with a reference.  Otherwise NULL: dentry itself is in use now.
 */
struct dentry *d_splice_alias(struct inode *inode, struct dentry *dentry)
{
	struct dentry *alias;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	if (inode && S_ISDIR(inode->i_mode)) {
		alias = d_find_any_alias(inode);
		if (unlikely(alias)) {
			if (d_ancestor(alias, dentry)) {
				dput(alias);
				iput(inode);
				return ERR_PTR(-ELOOP);
			}
			d_move(alias, dentry);
			iput(inode);
			return alias;
		}
	}
	d_add(dentry, inode);
	return NULL;
}

struct dentry *d_obtain_alias(struct inode *inode)
{
	struct dentry *alias;

	if (!inode)
		return ERR_PTR(-ESTALE);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	alias = d_find_any_alias(inode);
	if (alias) {
		iput(inode);
		return alias;
	}
	alias = d_make_root(inode);
	if (!alias)
		return ERR_PTR(-ENOMEM);
	spin_lock(&alias->d_lock);
	alias->d_flags |= DCACHE_DISCONNECTED;
	spin_unlock(&alias->d_lock);
	return alias;
}
