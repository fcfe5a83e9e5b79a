/*
 * readdir.c: the names of a directory of an overlay.
 *
 * Idea:    the first read collects the names of all layers, from above, in a list; a name that is there already is skipped, a
 *          whiteout takes its place so that those below are skipped, too, and is not shown.  A position is a place in the list;
 *          going back to the beginning collects anew.
 * Locking: f_pos_lock over the list of one open directory.
 */
#include <weft/err.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/rbtree.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "overlayfs.h"

struct ovl_name {
	struct list_head	list;		/* in order of appearance */
	struct rb_node		node;		/* by name */
	u64			ino;
	unsigned int		type;		/* DT_* */
	bool			is_whiteout;
	bool			unsure;		/* a character device of the layer just read: perhaps a whiteout */
	int			len;
	char			name[];
};

/* The names of one directory, without "." and "..". */
struct ovl_names {
	struct list_head	list;
	struct rb_root		tree;
};

struct ovl_dir_file {
	struct ovl_names	names;
	bool			filled;
	loff_t			at_pos;		/* where `at` stands; positions 0 and 1 are the dots */
	struct list_head	*at;		/* the next to show */
};

struct collector {
	struct dir_context	ctx;
	struct ovl_names	*names;
	int			err;
	bool			any_unsure;
};

static void names_init(struct ovl_names *names)
{
	INIT_LIST_HEAD(&names->list);
	names->tree = RB_ROOT;
}

static void names_free(struct ovl_names *names)
{
	struct ovl_name *n, *next;

	list_for_each_entry_safe(n, next, &names->list, list)
		kfree(n);
	names_init(names);
}

static bool collect(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino, unsigned int type)
{
	struct collector *c = container_of(ctx, struct collector, ctx);
	struct rb_node **link = &c->names->tree.rb_node, *parent = NULL;
	struct ovl_name *n;

	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	while (*link) {
		int diff;

		parent = *link;
		n = rb_entry(parent, struct ovl_name, node);
		diff = memcmp(name, n->name, min(len, n->len)) ?: len - n->len;
		if (!diff)
			return true;		/* hidden by a layer above */
		link = diff < 0 ? &parent->rb_left : &parent->rb_right;
	}
	n = kmalloc(sizeof(*n) + len + 1, GFP_KERNEL);
	if (!n) {
		c->err = -ENOMEM;
		return false;
	}
	memcpy(n->name, name, len);
	n->name[len] = 0;
	n->len = len;
	n->ino = ino;
	n->type = type;
	n->is_whiteout = false;
	n->unsure = type == DT_CHR || type == DT_UNKNOWN;
	c->any_unsure |= n->unsure;
	list_add_tail(&n->list, &c->names->list);
	rb_link_node(&n->node, parent, link);
	rb_insert_color(&n->node, &c->names->tree);
	return true;
}

static void find_whiteouts(struct ovl_names *names, struct dentry *dir)
{
	struct ovl_name *n;

	list_for_each_entry(n, &names->list, list) {
		struct dentry *d;

		if (!n->unsure)
			continue;
		n->unsure = false;
		d = ovl_lookup_real(dir, n->name, n->len);
		if (IS_ERR_OR_NULL(d))
			continue;
		n->is_whiteout = ovl_is_whiteout(d);
		dput(d);
	}
}

/* Adds what one real directory has.  As the mounter. */
static int read_layer(struct ovl_names *names, const struct path *dir)
{
	struct collector c = { .ctx.actor = collect, .names = names };
	struct file *file = dentry_open(dir, O_RDONLY | O_DIRECTORY | O_LARGEFILE, current_cred());
	loff_t before;
	int err = 0;

	if (IS_ERR(file))
		return PTR_ERR(file);
	do {
		before = c.ctx.pos;
		err = iterate_dir(file, &c.ctx) ?: c.err;
	} while (!err && c.ctx.pos != before);
	fput(file);
	if (!err && c.any_unsure)
		find_whiteouts(names, dir->dentry);
	return err;
}

static int read_all(struct inode *inode, struct ovl_names *names)
{
	struct ovl_inode *oi = OVL_I(inode);
	struct path upper = { .mnt = OVL_FS(inode->i_sb)->upper_mnt, .dentry = ovl_upper(inode) };
	const struct cred *old = ovl_override_creds(inode->i_sb);
	int err = upper.dentry ? read_layer(names, &upper) : 0;

	for (unsigned int i = 0; i < oi->nr_lower && !err; i++)
		err = read_layer(names, &oi->lower[i]);
	revert_creds(old);
	if (err)
		names_free(names);
	return err;
}

int ovl_check_empty(struct dentry *dentry)
{
	struct ovl_names names;
	struct ovl_name *n;
	int err;

	names_init(&names);
	err = read_all(d_inode(dentry), &names);
	list_for_each_entry(n, &names.list, list)
		if (!err && !n->is_whiteout)
			err = -ENOTEMPTY;
	names_free(&names);
	return err;
}

/* ---- cleaning the upper layer ---- */

static int remove_one(struct dentry *dir, const struct ovl_name *n)
{
	struct inode *inode = d_inode(dir);
	struct dentry *d;
	int err;

	inode_lock_nested(inode, I_MUTEX_PARENT);
	d = lookup_one_len(n->name, dir, n->len);
	err = PTR_ERR_OR_ZERO(d);
	if (!err) {
		if (d_is_positive(d))
			err = d_is_dir(d) ? vfs_rmdir(inode, d) : vfs_unlink(inode, d);
		dput(d);
	}
	inode_unlock(inode);
	return err;
}

int ovl_remove_whiteouts(struct vfsmount *mnt, struct dentry *dir)
{
	struct path path = { .mnt = mnt, .dentry = dir };
	struct ovl_names names;
	struct ovl_name *n;
	int err;

	names_init(&names);
	err = read_layer(&names, &path);
	list_for_each_entry(n, &names.list, list)
		if (!err && n->is_whiteout)
			err = remove_one(dir, n);
	names_free(&names);
	return err;
}

/* What a crash left behind: files, and directories that are empty or hold whiteouts. */
int ovl_clean_workdir(struct vfsmount *mnt, struct dentry *workdir)
{
	struct path path = { .mnt = mnt, .dentry = workdir };
	struct ovl_names names;
	struct ovl_name *n;
	int err;

	names_init(&names);
	err = read_layer(&names, &path);
	list_for_each_entry(n, &names.list, list) {
		struct dentry *d = err ? NULL : ovl_lookup_real(workdir, n->name, n->len);

		if (!IS_ERR_OR_NULL(d)) {
			if (d_is_dir(d))
				err = ovl_remove_whiteouts(mnt, d);
			dput(d);
		}
		if (!err)
			err = remove_one(workdir, n);
	}
	names_free(&names);
	return err;
}

/* ---- an open directory ---- */

static int ovl_dir_open(struct inode *inode, struct file *file)
{
	struct ovl_dir_file *df = kzalloc(sizeof(*df), GFP_KERNEL);

	if (!df)
		return -ENOMEM;
	names_init(&df->names);
	file->private_data = df;
	return 0;
}

static int ovl_dir_release(struct inode *inode, struct file *file)
{
	struct ovl_dir_file *df = file->private_data;

	names_free(&df->names);
	kfree(df);
	return 0;
}

/* `at` to where pos says: mostly it stands there already. */
static void go_to(struct ovl_dir_file *df, loff_t pos)
{
	if (pos < df->at_pos || df->at_pos < 2) {
		df->at = df->names.list.next;
		df->at_pos = 2;
	}
	while (df->at_pos < pos && df->at != &df->names.list) {
		df->at = df->at->next;
		df->at_pos++;
	}
}

static int ovl_iterate(struct file *file, struct dir_context *ctx)
{
	struct ovl_dir_file *df = file->private_data;
	struct ovl_name *n;
	int err;

	if (!df->filled || ctx->pos == 0) {
		names_free(&df->names);
		df->at_pos = 0;
		err = read_all(file_inode(file), &df->names);
		if (err)
			return err;
		df->filled = true;
	}
	if (!dir_emit_dots(file, ctx))
		return 0;
	for (go_to(df, ctx->pos); df->at != &df->names.list; df->at = df->at->next, ctx->pos = ++df->at_pos) {
		n = list_entry(df->at, struct ovl_name, list);
		if (!n->is_whiteout && !dir_emit(ctx, n->name, n->len, n->ino, n->type))
			break;
	}
	return 0;
}

static loff_t ovl_dir_llseek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += file->f_pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	return vfs_setpos(file, offset, S64_MAX);
}

static int ovl_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct path upper = { .mnt = OVL_FS(inode->i_sb)->upper_mnt, .dentry = ovl_upper(inode) };
	const struct cred *old;
	struct file *real;
	int err;

	if (!upper.dentry)
		return 0;
	old = ovl_override_creds(inode->i_sb);
	real = dentry_open(&upper, O_RDONLY | O_DIRECTORY, current_cred());
	err = PTR_ERR_OR_ZERO(real);
	if (!err) {
		err = vfs_fsync_range(real, start, end, datasync);
		fput(real);
	}
	revert_creds(old);
	return err;
}

const struct file_operations ovl_dir_operations = {
	.open		= ovl_dir_open,
	.release	= ovl_dir_release,
	.llseek		= ovl_dir_llseek,
	.iterate_shared	= ovl_iterate,
	.fsync		= ovl_dir_fsync,
};
