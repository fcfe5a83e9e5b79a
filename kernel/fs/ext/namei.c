/*
 * namei.c: names: look-up, creation, links, removal, rename.
 *
 * Idea:    each is one handle: the inode, its entry and the counts change together.  A file that loses its last name joins
 *          the orphans in the same handle, and is freed when nobody has it open any more.
 * Locking: the VFS holds i_rwsem of the directories, and of the inode that loses a name.
 * See:     dir.c, orphan.c, ialloc.c
 */
#include <weft/err.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "inline.h"

#define MAX_LINKS	65000			/* a directory with more subdirectories counts as 1: dir_nlink */

static struct dentry *ext_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct ext_dirent *de;
	struct buffer_head *bh = ext_find_entry(dir, &dentry->d_name, &de);
	struct inode *inode = NULL;

	if (IS_ERR(bh))
		return ERR_CAST(bh);
	if (bh) {
		u32 ino = de->inode;

		brelse(bh);
		inode = ext_iget(dir->i_sb, ino);
		if (IS_ERR(inode) && PTR_ERR(inode) == -ESTALE) {
			ext_error(dir->i_sb, "directory %lu names inode %u, which is free", dir->i_ino, ino);
			return ERR_PTR(-EUCLEAN);
		}
	}
	return d_splice_alias(inode, dentry);
}

/* ---- counts ---- */

static bool dir_full(const struct inode *dir)
{
	return dir->i_nlink >= MAX_LINKS && !has_ro_compat(EXT_FS(dir->i_sb), RO_COMPAT_DIR_NLINK);
}

static void inc_dir(struct inode *dir)
{
	inc_nlink(dir);
	if (dir->i_nlink >= MAX_LINKS || dir->i_nlink == 2)
		set_nlink(dir, dir->i_nlink == 2 && !(EXT_I(dir)->flags & EXT_INDEX_FL) ? 2 : 1);
}

static void dec_dir(struct inode *dir)
{
	if (dir->i_nlink > 2)			/* 1: too many to be counted */
		drop_nlink(dir);
}

/* ---- creation ---- */

/* The new inode gets its name, or goes again.  Ends the handle. */
static int add_nondir(struct jbd_handle *handle, struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	int err = ext_add_entry(handle, dir, &dentry->d_name, inode);

	if (!err)
		err = ext_write_inode_to(handle, inode);
	if (err) {
		clear_nlink(inode);
		ext_orphan_add(handle, inode);
		ext_write_inode_to(handle, inode);
		unlock_new_inode(inode);
		ext_stop(dir->i_sb, handle);
		iput(inode);
		return err;
	}
	handle->sync |= IS_DIRSYNC(dir) != 0;
	ext_stop(dir->i_sb, handle);
	unlock_new_inode(inode);
	d_instantiate(dentry, inode);
	return 0;
}

static int ext_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev)
{
	struct jbd_handle *handle = ext_start(dir->i_sb, CREDITS_NAME + CREDITS_INODE * 2 + CREDITS_XATTR);
	struct inode *inode;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	inode = ext_new_inode(handle, dir, mode, &dentry->d_name);
	if (IS_ERR(inode)) {
		ext_stop(dir->i_sb, handle);
		return PTR_ERR(inode);
	}
	if (S_ISREG(mode))
		ext_inline_init(handle, inode);
	ext_set_ops(inode);
	if (!S_ISREG(mode))
		init_special_inode(inode, inode->i_mode, dev);
	return add_nondir(handle, dir, dentry, inode);
}

static int ext_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool excl)
{
	return ext_mknod(dir, dentry, mode | S_IFREG, 0);
}

static int ext_tmpfile(struct inode *dir, struct file *file, umode_t mode)
{
	static const struct qstr none = { };
	struct jbd_handle *handle = ext_start(dir->i_sb, CREDITS_INODE * 2 + CREDITS_XATTR);
	struct inode *inode;
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	inode = ext_new_inode(handle, dir, mode | S_IFREG, &none);
	err = PTR_ERR_OR_ZERO(inode);
	if (!err) {
		ext_inline_init(handle, inode);
		ext_set_ops(inode);
		d_tmpfile(file, inode);		/* no link any more */
		err = ext_orphan_add(handle, inode);
		if (!err)
			err = ext_write_inode_to(handle, inode);
		unlock_new_inode(inode);
	}
	ext_stop(dir->i_sb, handle);
	return finish_open_simple(file, err);
}

/* Its first block: "." and ".."; or no block at all. */
static int init_new_dir(struct jbd_handle *handle, struct inode *dir, struct inode *inode)
{
	struct buffer_head *bh;
	int err;

	set_nlink(inode, 2);
	if (ext_inline_init(handle, inode)) {
		ext_inline_init_dir(inode, dir);
		return 0;
	}
	bh = ext_append(handle, inode, 0);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	inode->i_size = EXT_I(inode)->disksize = (loff_t)inode->i_sb->s_blocksize;
	ext_init_dir_block(inode, bh, 0);
	ext_put_dots(inode, bh, (u32)dir->i_ino, ext_dir_end(inode) - 12);
	err = ext_dirty_dir_block(handle, inode, bh);
	brelse(bh);
	return err;
}

static int ext_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	struct jbd_handle *handle;
	struct inode *inode;
	int err;

	if (dir_full(dir))
		return -EMLINK;
	handle = ext_start(dir->i_sb, CREDITS_NAME + CREDITS_INODE * 2 + CREDITS_XATTR + CREDITS_MAP);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	inode = ext_new_inode(handle, dir, S_IFDIR | mode, &dentry->d_name);
	if (IS_ERR(inode)) {
		ext_stop(dir->i_sb, handle);
		return PTR_ERR(inode);
	}
	ext_set_ops(inode);
	err = init_new_dir(handle, dir, inode);
	if (!err)
		err = ext_add_entry(handle, dir, &dentry->d_name, inode);
	if (!err) {
		inc_dir(dir);
		err = ext_write_inode_to(handle, inode) ?: ext_write_inode_to(handle, dir);
	}
	if (err) {
		clear_nlink(inode);
		ext_orphan_add(handle, inode);
		ext_write_inode_to(handle, inode);
	}
	handle->sync |= IS_DIRSYNC(dir) != 0;
	ext_stop(dir->i_sb, handle);
	unlock_new_inode(inode);
	if (err)
		iput(inode);
	else
		d_instantiate(dentry, inode);
	return err;
}

/* A longer target has a block of its own. */
static int put_target(struct jbd_handle *handle, struct inode *inode, const char *target, size_t len)
{
	struct ext_inode *ei = EXT_I(inode);
	struct buffer_head *bh;
	int err;

	if (len < sizeof(ei->data)) {
		memcpy(ei->data, target, len);
		inode->i_size = ei->disksize = (loff_t)len;
		return 0;
	}
	if (has_incompat(EXT_FS(inode->i_sb), INCOMPAT_EXTENTS))
		ext_ext_init(inode);
	bh = ext_append(handle, inode, 0);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	memcpy(bh->b_data, target, len);
	inode->i_size = ei->disksize = (loff_t)len;
	err = ext_dirty(handle, bh);
	brelse(bh);
	return err;
}

static int ext_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	size_t len = strlen(target);
	struct jbd_handle *handle;
	struct inode *inode;
	int err;

	if (len >= dir->i_sb->s_blocksize)
		return -ENAMETOOLONG;
	handle = ext_start(dir->i_sb, CREDITS_NAME + CREDITS_INODE * 2 + CREDITS_MAP);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	inode = ext_new_inode(handle, dir, S_IFLNK | 0777, &dentry->d_name);
	if (IS_ERR(inode)) {
		ext_stop(dir->i_sb, handle);
		return PTR_ERR(inode);
	}
	err = put_target(handle, inode, target, len);
	ext_set_ops(inode);
	if (!err)
		return add_nondir(handle, dir, dentry, inode);
	clear_nlink(inode);
	ext_orphan_add(handle, inode);
	ext_write_inode_to(handle, inode);
	unlock_new_inode(inode);
	ext_stop(dir->i_sb, handle);
	iput(inode);
	return err;
}

static int ext_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct jbd_handle *handle;
	int err;

	if (inode->i_nlink >= MAX_LINKS)
		return -EMLINK;
	handle = ext_start(dir->i_sb, CREDITS_NAME + CREDITS_INODE * 2);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	inode->i_ctime = current_time(inode);
	inc_nlink(inode);
	ihold(inode);
	err = ext_add_entry(handle, dir, &dentry->d_name, inode);
	if (!err) {
		if (inode->i_nlink == 1)	/* O_TMPFILE: it has a name now */
			ext_orphan_del(handle, inode);
		err = ext_write_inode_to(handle, inode);
		d_instantiate(dentry, inode);
	} else {
		drop_nlink(inode);
		iput(inode);
	}
	handle->sync |= IS_DIRSYNC(dir) != 0;
	ext_stop(dir->i_sb, handle);
	return err;
}

/* ---- removal ---- */

/* The entry, which must name the inode that the VFS thinks it does. */
static struct buffer_head *find_for(struct inode *dir, const struct dentry *dentry, struct ext_dirent **de)
{
	struct buffer_head *bh = ext_find_entry(dir, &dentry->d_name, de);

	if (!bh)
		return ERR_PTR(-ENOENT);
	if (!IS_ERR(bh) && (*de)->inode != (u32)d_inode(dentry)->i_ino) {
		brelse(bh);
		return ERR_PTR(-EUCLEAN);
	}
	return bh;
}

/* One name less: the last, and it is an orphan. */
static int drop_name(struct jbd_handle *handle, struct inode *inode)
{
	int err = 0;

	inode->i_ctime = current_time(inode);
	if (S_ISDIR(inode->i_mode))
		clear_nlink(inode);
	else if (inode->i_nlink)
		drop_nlink(inode);
	if (!inode->i_nlink)
		err = ext_orphan_add(handle, inode);
	return err ?: ext_write_inode_to(handle, inode);
}

/* The name goes, and with it one of the inode's; a directory's ".." no longer counts for its parent. */
static int ext_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct ext_dirent *de;
	struct buffer_head *bh = find_for(dir, dentry, &de);
	struct jbd_handle *handle;
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	handle = ext_start(dir->i_sb, CREDITS_NAME + CREDITS_INODE * 2);
	if (IS_ERR(handle)) {
		brelse(bh);
		return PTR_ERR(handle);
	}
	err = ext_delete_entry(handle, dir, bh, de);
	if (!err)
		err = drop_name(handle, inode);
	if (!err && S_ISDIR(inode->i_mode))
		dec_dir(dir);
	if (!err)
		err = ext_write_inode_to(handle, dir);
	handle->sync |= IS_DIRSYNC(dir) != 0;
	ext_stop(dir->i_sb, handle);
	brelse(bh);
	return err;
}

static int ext_rmdir(struct inode *dir, struct dentry *dentry)
{
	int err = ext_dir_empty(d_inode(dentry));

	return err > 0 ? ext_unlink(dir, dentry) : err ?: -ENOTEMPTY;
}

/* ---- rename ---- */

/* Makes an existing entry name another inode. */
static int set_entry_inode(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh, struct ext_dirent *de,
			   const struct inode *inode)
{
	int err;

	if (ext_has_inline(dir))
		return ext_inline_set_entry(handle, dir, de, inode);
	err = ext_access(handle, bh);
	if (err)
		return err;
	ext_set_entry_inode(dir, de, inode);
	ext_dir_changed(dir);
	return ext_dirty_dir_block(handle, dir, bh) ?: ext_write_inode_to(handle, dir);
}

/* A directory moves: its ".." names the new parent. */
static int set_dotdot(struct jbd_handle *handle, struct inode *inode, const struct inode *parent)
{
	struct buffer_head *bh;
	struct ext_dirent *de;
	int err;

	if (ext_has_inline(inode)) {
		ext_inline_set_parent(inode, parent);
		return ext_write_inode_to(handle, inode);
	}
	bh = ext_read_dir_block(inode, 0);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	de = (void *)(bh->b_data + ((struct ext_dirent *)bh->b_data)->rec_len);
	err = ext_access(handle, bh);
	if (!err) {
		de->inode = (u32)parent->i_ino;
		err = ext_dirty_root_block(handle, inode, bh);
	}
	brelse(bh);
	return err;
}

/* The old name, looked for again: adding the new one may have moved it. */
static int delete_old(struct jbd_handle *handle, struct inode *dir, const struct dentry *old)
{
	struct ext_dirent *de;
	struct buffer_head *bh = find_for(dir, old, &de);
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	err = ext_delete_entry(handle, dir, bh, de);
	brelse(bh);
	return err ?: ext_write_inode_to(handle, dir);
}

/* What bears the new name already loses it. */
static int replace_target(struct jbd_handle *handle, struct inode *dir, struct dentry *new, struct inode *inode)
{
	struct ext_dirent *de;
	struct buffer_head *bh = find_for(dir, new, &de);
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	err = set_entry_inode(handle, dir, bh, de, inode);
	brelse(bh);
	return err ?: drop_name(handle, d_inode(new));
}

/* The counts of both parents, when a directory moves. */
static int move_dir(struct jbd_handle *handle, struct inode *inode, struct inode *old_dir, struct inode *new_dir, bool replaced)
{
	int err = old_dir != new_dir ? set_dotdot(handle, inode, new_dir) : 0;

	if (err)
		return err;
	if (old_dir != new_dir || replaced)
		dec_dir(old_dir);
	if (old_dir != new_dir && !replaced)
		inc_dir(new_dir);
	return ext_write_inode_to(handle, old_dir) ?: ext_write_inode_to(handle, new_dir);
}

static int rename_exchange(struct jbd_handle *handle, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			   struct dentry *new)
{
	struct inode *a = d_inode(old), *b = d_inode(new);
	struct ext_dirent *de_a, *de_b;
	struct buffer_head *bh_a = find_for(old_dir, old, &de_a), *bh_b = find_for(new_dir, new, &de_b);
	int err = PTR_ERR_OR_ZERO(bh_a) ?: PTR_ERR_OR_ZERO(bh_b);

	if (!err)
		err = set_entry_inode(handle, old_dir, bh_a, de_a, b) ?: set_entry_inode(handle, new_dir, bh_b, de_b, a);
	if (!err && old_dir != new_dir && S_ISDIR(a->i_mode))
		err = set_dotdot(handle, a, new_dir);
	if (!err && old_dir != new_dir && S_ISDIR(b->i_mode))
		err = set_dotdot(handle, b, old_dir);
	if (!err && S_ISDIR(a->i_mode) != S_ISDIR(b->i_mode)) {
		dec_dir(S_ISDIR(a->i_mode) ? old_dir : new_dir);
		inc_dir(S_ISDIR(a->i_mode) ? new_dir : old_dir);
		err = ext_write_inode_to(handle, old_dir) ?: ext_write_inode_to(handle, new_dir);
	}
	a->i_ctime = b->i_ctime = current_time(a);
	if (!err)
		err = ext_write_inode_to(handle, a) ?: ext_write_inode_to(handle, b);
	if (!IS_ERR_OR_NULL(bh_a))
		brelse(bh_a);
	if (!IS_ERR_OR_NULL(bh_b))
		brelse(bh_b);
	return err;
}

/* The old name stays, as a whiteout's. */
static int whiteout_old(struct jbd_handle *handle, struct inode *dir, const struct dentry *old, struct inode *whiteout)
{
	struct ext_dirent *de;
	struct buffer_head *bh = find_for(dir, old, &de);
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	err = set_entry_inode(handle, dir, bh, de, whiteout);
	brelse(bh);
	return err ?: ext_write_inode_to(handle, whiteout);
}

/* whiteout: what the old name is to mean, or NULL. */
static int rename_plain(struct jbd_handle *handle, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			struct dentry *new, struct inode *whiteout)
{
	struct inode *inode = d_inode(old);
	bool replaced = d_really_is_positive(new);
	int err = replaced ? replace_target(handle, new_dir, new, inode) : ext_add_entry(handle, new_dir, &new->d_name, inode);

	if (!err)
		err = whiteout ? whiteout_old(handle, old_dir, old, whiteout) : delete_old(handle, old_dir, old);
	if (!err && S_ISDIR(inode->i_mode))
		err = move_dir(handle, inode, old_dir, new_dir, replaced);
	inode->i_ctime = current_time(inode);
	return err ?: ext_write_inode_to(handle, inode);
}

/* RENAME_WHITEOUT: a character device 0:0, to come under the old name in the same handle.  For overlays. */
static struct inode *new_whiteout(struct jbd_handle *handle, struct inode *dir, const struct dentry *old)
{
	struct inode *inode = ext_new_inode(handle, dir, S_IFCHR, &old->d_name);

	if (IS_ERR(inode))
		return inode;
	ext_set_ops(inode);
	init_special_inode(inode, inode->i_mode, 0);
	return inode;
}

/* It did not get its name. */
static void drop_whiteout(struct jbd_handle *handle, struct inode *whiteout)
{
	clear_nlink(whiteout);
	ext_orphan_add(handle, whiteout);
	ext_write_inode_to(handle, whiteout);
}

static int ext_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new,
		      unsigned int flags)
{
	struct inode *whiteout = NULL;
	struct jbd_handle *handle;
	int err = 0;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (!(flags & RENAME_EXCHANGE) && d_really_is_positive(new) && S_ISDIR(d_inode(new)->i_mode)) {
		err = ext_dir_empty(d_inode(new));
		if (err <= 0)
			return err ?: -ENOTEMPTY;
	}
	if (S_ISDIR(d_inode(old)->i_mode) && old_dir != new_dir && d_really_is_negative(new) && dir_full(new_dir))
		return -EMLINK;
	/* Programs that replace a file by renaming expect the data on disk before the name: they rarely call fsync. */
	if (d_really_is_positive(new) && S_ISREG(d_inode(old)->i_mode))
		filemap_flush(d_inode(old)->i_mapping);
	handle = ext_start(old_dir->i_sb, CREDITS_NAME * 2 + CREDITS_INODE * 5 + CREDITS_XATTR);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	if (flags & RENAME_WHITEOUT) {
		whiteout = new_whiteout(handle, old_dir, old);
		err = PTR_ERR_OR_ZERO(whiteout);
	}
	if (!err)
		err = flags & RENAME_EXCHANGE ? rename_exchange(handle, old_dir, old, new_dir, new) :
						rename_plain(handle, old_dir, old, new_dir, new, whiteout);
	if (err && !IS_ERR_OR_NULL(whiteout))
		drop_whiteout(handle, whiteout);
	handle->sync |= IS_DIRSYNC(old_dir) || IS_DIRSYNC(new_dir);
	ext_stop(old_dir->i_sb, handle);
	if (!IS_ERR_OR_NULL(whiteout)) {
		unlock_new_inode(whiteout);
		iput(whiteout);
	}
	return err;
}

/* ---- links ---- */

/* As e2fsprogs make them: the target lies in the inode, but does not fit where the block map would be. */
static const char *get_inline_link(struct inode *inode, struct delayed_call *done)
{
	size_t len = (size_t)inode->i_size;
	char *text = kmalloc(len + 1, GFP_KERNEL);
	int err = text ? ext_inline_read(inode, text, len) : -ENOMEM;

	if (err) {
		kfree(text);
		return ERR_PTR(err);
	}
	text[len] = 0;
	set_delayed_call(done, kfree_link, text);
	return text;
}

/* A long target: its block is metadata, so it is read through its buffer. */
static const char *ext_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	size_t len = (size_t)inode->i_size;
	struct buffer_head *bh;
	char *text;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	if (ext_has_inline(inode))
		return get_inline_link(inode, done);
	bh = ext_bread(inode, 0);
	if (IS_ERR_OR_NULL(bh))
		return bh ? ERR_CAST(bh) : ERR_PTR(-EUCLEAN);
	text = len < bh->b_size ? kmalloc(len + 1, GFP_KERNEL) : NULL;
	if (text) {
		memcpy(text, bh->b_data, len);
		text[len] = 0;
		set_delayed_call(done, kfree_link, text);
	}
	brelse(bh);
	return text ? text : ERR_PTR(len < i_blocksize(inode) ? -ENOMEM : -EUCLEAN);
}

const struct inode_operations ext_dir_iops = {
	.lookup		= ext_lookup,
	.create		= ext_create,
	.link		= ext_link,
	.unlink		= ext_unlink,
	.symlink	= ext_symlink,
	.mkdir		= ext_mkdir,
	.rmdir		= ext_rmdir,
	.mknod		= ext_mknod,
	.rename		= ext_rename,
	.tmpfile	= ext_tmpfile,
	.setattr	= ext_setattr,
	.getattr	= ext_getattr,
	.listxattr	= ext_listxattr,
	.get_acl	= ext_get_acl,
	.set_acl	= ext_set_acl,
	.fiemap		= ext_fiemap,
	.fileattr_get	= ext_fileattr_get,
	.fileattr_set	= ext_fileattr_set,
};

const struct inode_operations ext_symlink_iops = {
	.get_link	= ext_get_link,
	.setattr	= ext_setattr,
	.getattr	= ext_getattr,
	.listxattr	= ext_listxattr,
};

const struct inode_operations ext_fast_symlink_iops = {
	.get_link	= simple_get_link,
	.setattr	= ext_setattr,
	.getattr	= ext_getattr,
	.listxattr	= ext_listxattr,
};

const struct inode_operations ext_special_iops = {
	.setattr	= ext_setattr,
	.getattr	= ext_getattr,
	.listxattr	= ext_listxattr,
	.get_acl	= ext_get_acl,
	.set_acl	= ext_set_acl,
};
