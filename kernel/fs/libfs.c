/*
 * libfs.c: ready-made methods for file systems that live in the dentry cache: tmpfs, devtmpfs, sysfs.
 *
 * Idea:    each name is pinned by one extra reference on its dentry, so the cache is the directory.  A name that is not in
 *          the cache does not exist; that answer is cached as a negative dentry like any other.
 *          Reading a directory leaves a cursor among the children, so that names may come and go between two calls.
 * Locking: i_rwsem of the directory; the parent's d_lock over the list of children.
 * See:     spec.md §10 "memory file systems"
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/dcache.h>
#include <weft/mount.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/statfs.h>
#include <weft/pagemap.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <weft/cred.h>
#include <weft/fsnotify.h>
#include "internal.h"

/* ---- attributes ---- */

int simple_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);

	generic_fillattr(inode, stat);
	stat->blocks = inode->i_mapping->nrpages << (PAGE_SHIFT - 9);
	return 0;
}

int simple_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err = setattr_prepare(dentry, attr);

	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE)
		truncate_setsize(inode, attr->ia_size);
	setattr_copy(inode, attr);
	mark_inode_dirty(inode);
	return 0;
}

int simple_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	buf->f_fsid = u64_to_fsid(huge_encode_dev(dentry->d_sb->s_dev));
	buf->f_type = dentry->d_sb->s_magic;
	buf->f_bsize = PAGE_SIZE;
	buf->f_namelen = NAME_MAX;
	return 0;
}

const struct super_operations simple_super_operations = { .statfs = simple_statfs };

int always_delete_dentry(const struct dentry *dentry)
{
	return 1;
}

const struct dentry_operations simple_dentry_operations = { .d_delete = always_delete_dentry };

int simple_open(struct inode *inode, struct file *file)
{
	if (inode->i_private)
		file->private_data = inode->i_private;
	return 0;
}

int noop_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	return 0;
}

/* ---- names ---- */

struct dentry *simple_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	if (dentry->d_name.len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	d_add(dentry, NULL);
	return NULL;
}

static void touch_dirs(struct inode *a, struct inode *b, struct inode *inode)
{
	struct timespec64 now = current_time(a);

	a->i_ctime = a->i_mtime = now;
	b->i_ctime = b->i_mtime = now;
	inode->i_ctime = now;
}

int simple_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);

	touch_dirs(dir, dir, inode);
	inc_nlink(inode);
	ihold(inode);
	dget(dentry);
	d_instantiate(dentry, inode);
	return 0;
}

/* 1 when no name below it exists. */
int simple_empty(struct dentry *dentry)
{
	struct dentry *child;
	int ret = 1;

	spin_lock(&dentry->d_lock);
	list_for_each_entry(child, &dentry->d_subdirs, d_child) {
		spin_lock_nested(&child->d_lock, 1);
		if (simple_positive(child))
			ret = 0;
		spin_unlock(&child->d_lock);
		if (!ret)
			break;
	}
	spin_unlock(&dentry->d_lock);
	return ret;
}

int simple_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	touch_dirs(dir, dir, inode);
	drop_nlink(inode);
	dput(dentry);		/* the pin */
	return 0;
}

int simple_rmdir(struct inode *dir, struct dentry *dentry)
{
	if (!simple_empty(dentry))
		return -ENOTEMPTY;
	drop_nlink(d_inode(dentry));
	simple_unlink(dir, dentry);
	drop_nlink(dir);
	return 0;
}

int simple_rename_exchange(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry)
{
	bool old_is_dir = d_is_dir(old_dentry), new_is_dir = d_is_dir(new_dentry);

	if (old_dir != new_dir && old_is_dir != new_is_dir) {
		if (old_is_dir) {
			drop_nlink(old_dir);
			inc_nlink(new_dir);
		} else {
			drop_nlink(new_dir);
			inc_nlink(old_dir);
		}
	}
	touch_dirs(old_dir, new_dir, d_inode(old_dentry));
	d_inode(new_dentry)->i_ctime = old_dir->i_ctime;
	return 0;
}

int simple_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
		  unsigned int flags)
{
	bool is_dir = d_is_dir(old_dentry);

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (flags & RENAME_EXCHANGE)
		return simple_rename_exchange(old_dir, old_dentry, new_dir, new_dentry);
	if (!simple_empty(new_dentry))
		return -ENOTEMPTY;
	if (d_really_is_positive(new_dentry)) {
		simple_unlink(new_dir, new_dentry);
		if (is_dir) {
			drop_nlink(d_inode(new_dentry));
			drop_nlink(old_dir);
		}
	} else if (is_dir) {
		drop_nlink(old_dir);
		inc_nlink(new_dir);
	}
	touch_dirs(old_dir, new_dir, d_inode(old_dentry));
	return 0;
}

const struct inode_operations simple_dir_inode_operations = { .lookup = simple_lookup };

const char *simple_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	return inode->i_link;
}

const struct inode_operations simple_symlink_inode_operations = { .get_link = simple_get_link };

void kfree_link(void *p)
{
	kfree(p);
}

/* ---- reading directories ---- */

int dcache_dir_open(struct inode *inode, struct file *file)
{
	file->private_data = d_alloc_cursor(file_dentry(file));
	return file->private_data ? 0 : -ENOMEM;
}

int dcache_dir_close(struct inode *inode, struct file *file)
{
	struct dentry *cursor = file->private_data, *dir = file_dentry(file);

	spin_lock(&dir->d_lock);
	list_del_init(&cursor->d_child);
	spin_unlock(&dir->d_lock);
	dput(cursor);
	return 0;
}

/*
 * The count-th existing name behind p in dir's list, + reference, or NULL at the end; *last's reference is dropped.  A long
 * walk rests now and then: the cursor keeps the place.
 */
static struct dentry *scan_positives(struct dentry *cursor, struct list_head *p, loff_t count, struct dentry *last)
{
	struct dentry *dir = cursor->d_parent, *found = NULL, *d;

	spin_lock(&dir->d_lock);
	while ((p = p->next) != &dir->d_subdirs) {
		d = list_entry(p, struct dentry, d_child);
		if (d->d_flags & DCACHE_DENTRY_CURSOR)
			continue;
		if (simple_positive(d) && !--count) {
			spin_lock_nested(&d->d_lock, 1);
			if (simple_positive(d))
				found = dget_dlock(d);
			spin_unlock(&d->d_lock);
			if (likely(found))
				break;
			count = 1;
		}
		if (need_resched()) {
			list_move(&cursor->d_child, p);
			p = &cursor->d_child;
			spin_unlock(&dir->d_lock);
			cond_resched();
			spin_lock(&dir->d_lock);
		}
	}
	spin_unlock(&dir->d_lock);
	dput(last);
	return found;
}

loff_t dcache_dir_lseek(struct file *file, loff_t offset, int whence)
{
	struct dentry *dir = file_dentry(file), *cursor = file->private_data, *to = NULL;

	if (whence == SEEK_CUR)
		offset += file->f_pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	if (offset == file->f_pos)
		return offset;
	inode_lock_shared(d_inode(dir));
	if (offset > 2)
		to = scan_positives(cursor, &dir->d_subdirs, offset - 2, NULL);
	spin_lock(&dir->d_lock);
	if (to)
		list_move(&cursor->d_child, &to->d_child);
	else
		list_del_init(&cursor->d_child);
	spin_unlock(&dir->d_lock);
	dput(to);
	file->f_pos = offset;
	inode_unlock_shared(d_inode(dir));
	return offset;
}

int dcache_readdir(struct file *file, struct dir_context *ctx)
{
	struct dentry *dir = file_dentry(file), *cursor = file->private_data, *next = NULL;
	struct list_head *anchor = &dir->d_subdirs, *p;

	if (!dir_emit_dots(file, ctx))
		return 0;
	if (ctx->pos == 2)
		p = anchor;
	else if (!list_empty(&cursor->d_child))
		p = &cursor->d_child;
	else
		return 0;
	while ((next = scan_positives(cursor, p, 1, next)) != NULL) {
		if (!dir_emit(ctx, (const char *)next->d_name.name, next->d_name.len, d_inode(next)->i_ino,
			      dt_type(d_inode(next)->i_mode)))
			break;
		ctx->pos++;
		p = &next->d_child;
	}
	spin_lock(&dir->d_lock);
	if (next)
		list_move_tail(&cursor->d_child, &next->d_child);
	else
		list_del_init(&cursor->d_child);
	spin_unlock(&dir->d_lock);
	dput(next);
	return 0;
}

const struct file_operations simple_dir_operations = {
	.open = dcache_dir_open, .release = dcache_dir_close, .llseek = dcache_dir_lseek,
	.iterate_shared = dcache_readdir, .fsync = noop_fsync,
};

/* ---- links whose text is the first page of the file ---- */

void page_put_link(void *arg)
{
	put_page(arg);
}

const char *page_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	struct address_space *mapping = inode->i_mapping;
	struct page *page;
	char *text;

	if (!dentry) {
		page = find_get_page(mapping, 0);
		if (!page)
			return ERR_PTR(-ECHILD);
		if (!PageUptodate(page)) {
			put_page(page);
			return ERR_PTR(-ECHILD);
		}
	} else {
		page = read_mapping_page(mapping, 0, NULL);
		if (IS_ERR(page))
			return ERR_CAST(page);
	}
	set_delayed_call(done, page_put_link, page);
	text = page_address(page);
	text[min_t(loff_t, inode->i_size, PAGE_SIZE - 1)] = 0;
	return text;
}

const struct inode_operations page_symlink_inode_operations = { .get_link = page_get_link };

/* Writes the text of a new link through the page cache.  len without the zero byte. */
int page_symlink(struct inode *inode, const char *target, int len)
{
	struct address_space *mapping = inode->i_mapping;
	const struct address_space_operations *aops = mapping->a_ops;
	struct page *page;
	void *fsdata = NULL;
	int err;

	err = aops->write_begin(NULL, mapping, 0, len, &page, &fsdata);
	if (err)
		return err;
	memcpy(page_address(page), target, len);
	err = aops->write_end(NULL, mapping, 0, len, len, page, fsdata);
	if (err < 0)
		return err;
	if (err < len)
		return -EIO;
	mark_inode_dirty(inode);
	return 0;
}
