/*
 * generic.c: the registered part of /proc: everything that is not about one process.
 *
 * Idea:    a tree of proc_dir_entry, written at boot and read ever after.  Each folder keeps its children in an rbtree
 *          ordered by name length and then by name, so a look-up costs O(log n) and needs no hash table.
 * Locking: proc_subdir_lock guards the trees; an entry's other fields are set before it is linked, and an entry is never
 *          freed, so a found entry can be used without a lock.
 * See:     spec.md §10 "memory file systems"; include/weft/proc_fs.h
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/spinlock.h>
#include <weft/fs.h>
#include <weft/seq_file.h>
#include <weft/uio.h>
#include "internal.h"

static DEFINE_RWLOCK(proc_subdir_lock);
static unsigned int next_ino = PROC_FIRST_INO;	/* [proc_subdir_lock] */

struct proc_dir_entry proc_root = {
	.name = "/proc", .namelen = 5, .ino = PROC_ROOT_INO, .mode = S_IFDIR | 0555, .nlink = 2,
	.parent = &proc_root, .children = RB_ROOT,
};

static int name_cmp(const char *name, unsigned int len, const struct proc_dir_entry *de)
{
	if (len != de->namelen)
		return len < de->namelen ? -1 : 1;
	return memcmp(name, de->name, len);
}

static struct proc_dir_entry *subdir_find(struct proc_dir_entry *dir, const char *name, unsigned int len)
{
	struct rb_node *n = dir->children.rb_node;

	lockdep_assert_held(&proc_subdir_lock);
	while (n) {
		struct proc_dir_entry *de = rb_entry(n, struct proc_dir_entry, node);
		int c = name_cmp(name, len, de);

		if (!c)
			return de;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

static bool subdir_insert(struct proc_dir_entry *dir, struct proc_dir_entry *de)
{
	struct rb_node **link = &dir->children.rb_node, *parent = NULL;

	lockdep_assert_held(&proc_subdir_lock);
	while (*link) {
		int c = name_cmp(de->name, de->namelen, rb_entry(*link, struct proc_dir_entry, node));

		if (!c)
			return false;
		parent = *link;
		link = c < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&de->node, parent, link);
	rb_insert_color(&de->node, &dir->children);
	return true;
}

static struct proc_dir_entry *proc_register(const char *name, struct proc_dir_entry *parent,
					    const struct proc_dir_entry *template);

/* A folder that is missing on the way is made: who registers "sys/net/unix/..." need not care who came first. */
static struct proc_dir_entry *get_folder(struct proc_dir_entry *dir, const char *name, unsigned int len)
{
	struct proc_dir_entry *de;
	char word[32];

	read_lock(&proc_subdir_lock);
	de = subdir_find(dir, name, len);
	read_unlock(&proc_subdir_lock);
	if (de || len >= sizeof(word))
		return de;
	memcpy(word, name, len);
	word[len] = 0;
	return proc_register(word, dir, &(struct proc_dir_entry){ .mode = S_IFDIR | 0555 });
}

/* Follows the folders of a name with slashes; returns the last folder and moves *name to the last word. */
static struct proc_dir_entry *walk_to_folder(struct proc_dir_entry *dir, const char **name)
{
	const char *slash;

	while (dir && (slash = strchr(*name, '/'))) {
		dir = get_folder(dir, *name, slash - *name);
		*name = slash + 1;
	}
	return dir;
}

/* Makes an entry and links it; the caller's template has everything but name and tree set. */
static struct proc_dir_entry *proc_register(const char *name, struct proc_dir_entry *parent,
					    const struct proc_dir_entry *template)
{
	struct proc_dir_entry *dir = walk_to_folder(parent ? parent : &proc_root, &name), *de;
	bool linked;

	de = dir ? kmalloc(sizeof(*de), GFP_KERNEL) : NULL;
	if (!de)
		return NULL;
	*de = *template;
	de->children = RB_ROOT;
	de->parent = dir;
	de->nlink = S_ISDIR(de->mode) ? 2 : 1;
	de->name = kstrdup(name, GFP_KERNEL);
	if (!de->name)
		goto free;
	de->namelen = strlen(name);

	write_lock(&proc_subdir_lock);
	de->ino = next_ino++;
	linked = subdir_insert(dir, de);
	if (linked && S_ISDIR(de->mode))
		dir->nlink++;
	write_unlock(&proc_subdir_lock);
	if (linked)
		return de;
	WARN(1, "proc: %s/%s is registered already\n", dir->name, name);
	kfree(de->name);
free:
	kfree(de);
	return NULL;
}

struct proc_dir_entry *proc_mkdir(const char *name, struct proc_dir_entry *parent)
{
	return proc_register(name, parent, &(struct proc_dir_entry){ .mode = S_IFDIR | 0555 });
}

struct proc_dir_entry *proc_symlink(const char *name, struct proc_dir_entry *parent, const char *target)
{
	return proc_register(name, parent, &(struct proc_dir_entry){ .mode = S_IFLNK | 0777, .target = target });
}

static umode_t file_mode(umode_t mode)
{
	if (!(mode & S_IALLUGO))
		mode |= 0444;
	return mode & S_IFMT ? mode : mode | S_IFREG;
}

struct proc_dir_entry *proc_create_data(const char *name, umode_t mode, struct proc_dir_entry *parent,
					const struct proc_ops *ops, void *data)
{
	return proc_register(name, parent,
			     &(struct proc_dir_entry){ .mode = file_mode(mode), .ops = ops, .data = data });
}

struct proc_dir_entry *proc_create(const char *name, umode_t mode, struct proc_dir_entry *parent,
				   const struct proc_ops *ops)
{
	return proc_create_data(name, mode, parent, ops, NULL);
}

static int single_entry_open(struct inode *inode, struct file *file)
{
	return single_open(file, PDE(inode)->show, PDE(inode)->data);
}

static const struct proc_ops single_ops = {
	.proc_open = single_entry_open, .proc_read_iter = seq_read_iter, .proc_lseek = seq_lseek,
	.proc_release = single_release,
};

struct proc_dir_entry *proc_create_single_data(const char *name, umode_t mode, struct proc_dir_entry *parent,
					       int (*show)(struct seq_file *m, void *v), void *data)
{
	return proc_register(name, parent, &(struct proc_dir_entry){
		.mode = file_mode(mode), .ops = &single_ops, .show = show, .data = data });
}

static int seq_entry_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, PDE(inode)->seq_ops);

	if (!err)
		((struct seq_file *)file->private_data)->private = PDE(inode)->data;
	return err;
}

static const struct proc_ops seq_ops = {
	.proc_open = seq_entry_open, .proc_read_iter = seq_read_iter, .proc_lseek = seq_lseek,
	.proc_release = seq_release,
};

struct proc_dir_entry *proc_create_seq_data(const char *name, umode_t mode, struct proc_dir_entry *parent,
					    const struct seq_operations *ops, void *data)
{
	return proc_register(name, parent, &(struct proc_dir_entry){
		.mode = file_mode(mode), .ops = &seq_ops, .seq_ops = ops, .data = data });
}

void *pde_data(const struct inode *inode)
{
	return PDE(inode)->data;
}

/* Negative answers are not kept: an entry may be registered later. */
static int never_keep_negative(const struct dentry *dentry)
{
	return d_really_is_negative(dentry);
}

const struct dentry_operations proc_misc_dentry_ops = { .d_delete = never_keep_negative };

struct dentry *proc_lookup_de(struct inode *dir, struct dentry *dentry, struct proc_dir_entry *de)
{
	struct inode *inode;

	read_lock(&proc_subdir_lock);
	de = subdir_find(de, (const char *)dentry->d_name.name, dentry->d_name.len);
	read_unlock(&proc_subdir_lock);
	if (!de)
		return ERR_PTR(-ENOENT);
	inode = proc_get_inode(dir->i_sb, de);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	if (!dentry->d_op)
		d_set_d_op(dentry, &proc_misc_dentry_ops);
	return d_splice_alias(inode, dentry);
}

/* Positions 2, 3, ... are the children in tree order. */
int proc_readdir_de(struct file *file, struct dir_context *ctx, struct proc_dir_entry *de)
{
	struct rb_node *n;
	loff_t i = 2;

	if (!dir_emit_dots(file, ctx))
		return 0;
	read_lock(&proc_subdir_lock);
	for (n = rb_first(&de->children); n && i < ctx->pos; n = rb_next(n))
		i++;
	while (n) {
		struct proc_dir_entry *child = rb_entry(n, struct proc_dir_entry, node);
		bool more;

		/* dir_emit() may fault; the entry stays in the tree for ever, so the walk can go on from it. */
		read_unlock(&proc_subdir_lock);
		more = dir_emit(ctx, child->name, child->namelen, child->ino, child->mode >> 12);
		read_lock(&proc_subdir_lock);
		if (!more)
			break;
		ctx->pos++;
		n = rb_next(n);
	}
	read_unlock(&proc_subdir_lock);
	return 0;
}

bool proc_readdir_done(struct proc_dir_entry *de, loff_t pos)
{
	struct rb_node *n;
	loff_t end = 2;

	read_lock(&proc_subdir_lock);
	for (n = rb_first(&de->children); n; n = rb_next(n))
		end++;
	read_unlock(&proc_subdir_lock);
	return pos >= end;
}
