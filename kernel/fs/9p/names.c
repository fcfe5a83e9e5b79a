/*
 * names.c: names in the server's directories.
 *
 * Idea:    each change is one message; what was made is then looked up like any other name.
 * Locking: the VFS holds the directories' i_rwsem; against others the server decides.
 */
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/jiffies.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "p9.h"

#define AT_REMOVEDIR	0x200		/* Tunlinkat's flag */

/* A call on a directory and a name in it, as most begin. */
static void begin_in(struct p9_call *call, enum p9_type type, const struct p9_fid *dir, const struct dentry *dentry)
{
	p9_begin(dir->client, call, type);
	p9_put_fid_nr(call, dir);
	p9_puts(call, (const char *)dentry->d_name.name, dentry->d_name.len);
}

static struct inode *lookup_inode(struct inode *dir, struct dentry *dentry)
{
	struct p9_fid *dfid = p9_inode_fid(dir), *fid;
	struct p9_qid qid;

	fid = p9_walk(dfid, (const char *)dentry->d_name.name, dentry->d_name.len, &qid);
	p9_put_fid(dfid);
	return IS_ERR(fid) ? ERR_CAST(fid) : p9_iget(dir->i_sb, fid);
}

static struct dentry *p9_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = dentry->d_name.len > NAME_MAX ? ERR_PTR(-ENAMETOOLONG) : lookup_inode(dir, dentry);
	struct dentry *res;

	if (inode == ERR_PTR(-ENOENT))
		inode = NULL;
	res = d_splice_alias(inode, dentry);
	if (!IS_ERR(res))
		(res ?: dentry)->d_time = jiffies;
	return res;
}

/* After a message that has made the name. */
static int made(struct inode *dir, struct dentry *dentry, int err)
{
	struct inode *inode = err ? ERR_PTR(err) : lookup_inode(dir, dentry);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_instantiate(dentry, inode);
	dentry->d_time = jiffies;
	p9_refresh(dir);
	return 0;
}

static int p9_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool excl)
{
	struct p9_fid *dfid = p9_inode_fid(dir), *fid = p9_walk(dfid, NULL, 0, NULL);
	struct p9_call call;
	int err = PTR_ERR_OR_ZERO(fid);

	if (!err) {
		begin_in(&call, P9_TLCREATE, fid, dentry);
		p9_put32(&call, O_RDWR | O_CREAT | O_EXCL);
		p9_put32(&call, mode);
		p9_put32(&call, current_fsgid());
		err = p9_run_end(&call);
		p9_put_fid(fid);		/* now the new file, open: whoever wants it opens it */
	}
	p9_put_fid(dfid);
	return made(dir, dentry, err);
}

static int p9_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	struct p9_fid *dfid = p9_inode_fid(dir);
	struct p9_call call;
	int err;

	begin_in(&call, P9_TMKDIR, dfid, dentry);
	p9_put32(&call, mode);
	p9_put32(&call, current_fsgid());
	err = p9_run_end(&call);
	p9_put_fid(dfid);
	return made(dir, dentry, err);
}

static int p9_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct p9_fid *dfid = p9_inode_fid(dir);
	struct p9_call call;
	int err;

	begin_in(&call, P9_TMKNOD, dfid, dentry);
	p9_put32(&call, mode);
	p9_put32(&call, MAJOR(rdev));
	p9_put32(&call, MINOR(rdev));
	p9_put32(&call, current_fsgid());
	err = p9_run_end(&call);
	p9_put_fid(dfid);
	return made(dir, dentry, err);
}

static int p9_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	struct p9_fid *dfid = p9_inode_fid(dir);
	struct p9_call call;
	int err;

	begin_in(&call, P9_TSYMLINK, dfid, dentry);
	p9_puts(&call, target, strlen(target));
	p9_put32(&call, current_fsgid());
	err = p9_run_end(&call);
	p9_put_fid(dfid);
	return made(dir, dentry, err);
}

static int p9_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct p9_fid *dfid = p9_inode_fid(dir), *fid;
	struct p9_call call;
	int err;

	p9_find_again(old);
	fid = p9_inode_fid(d_inode(old));

	p9_begin(dfid->client, &call, P9_TLINK);
	p9_put_fid_nr(&call, dfid);
	p9_put_fid_nr(&call, fid);
	p9_puts(&call, (const char *)dentry->d_name.name, dentry->d_name.len);
	err = p9_run_end(&call);
	p9_put_fid(fid);
	p9_put_fid(dfid);
	return made(dir, dentry, err);
}

static int remove_name(struct inode *dir, struct dentry *dentry, u32 flags)
{
	struct p9_fid *dfid = p9_inode_fid(dir);
	struct inode *inode = d_inode(dentry);
	struct p9_call call;
	int err;

	p9_begin(dfid->client, &call, P9_TUNLINKAT);
	p9_put_fid_nr(&call, dfid);
	p9_puts(&call, (const char *)dentry->d_name.name, dentry->d_name.len);
	p9_put32(&call, flags);
	err = p9_run_end(&call);
	p9_put_fid(dfid);
	if (err)
		return err;
	if (flags)
		clear_nlink(inode);
	else if (inode->i_nlink)
		drop_nlink(inode);
	P9_I(inode)->lost = true;
	p9_refresh(dir);
	return 0;
}

static int p9_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, 0);
}

static int p9_rmdir(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, AT_REMOVEDIR);
}

static int p9_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	struct p9_fid *from, *to;
	struct p9_call call;
	int err;

	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	from = p9_inode_fid(old_dir);
	to = p9_inode_fid(new_dir);
	begin_in(&call, P9_TRENAMEAT, from, old);
	p9_put_fid_nr(&call, to);
	p9_puts(&call, (const char *)new->d_name.name, new->d_name.len);
	err = p9_run_end(&call);
	p9_put_fid(to);
	p9_put_fid(from);
	if (err)
		return err;
	if (d_is_positive(new)) {
		if (d_inode(new)->i_nlink)
			drop_nlink(d_inode(new));
		P9_I(d_inode(new))->lost = true;
	}
	P9_I(d_inode(old))->lost = true;	/* its fid may be that of another name */
	p9_refresh(old_dir);
	p9_refresh(new_dir);
	return 0;
}

/* ---- reading a directory ---- */

static int p9_dir_open(struct inode *inode, struct file *file)
{
	struct p9_fid *own = p9_inode_fid(inode), *fid = p9_walk(own, NULL, 0, NULL);
	int err;

	p9_put_fid(own);
	if (IS_ERR(fid))
		return PTR_ERR(fid);
	err = p9_lopen(fid, O_RDONLY | O_DIRECTORY);
	if (err)
		p9_put_fid(fid);
	else
		file->private_data = fid;
	return err;
}

static int p9_dir_release(struct inode *inode, struct file *file)
{
	p9_put_fid(file->private_data);
	return 0;
}

/* One entry of the answer.  1: go on; 0: the reader's buffer is full; -EIO. */
static int emit_entry(struct p9_call *call, struct dir_context *ctx)
{
	struct p9_qid qid;
	const char *name;
	u64 next;
	u8 type;
	u16 len;

	p9_get_qid(call, &qid);
	next = p9_get64(call);
	type = p9_get8(call);
	len = p9_get16(call);
	name = p9_get_bytes(call, len);
	if (!name)
		return -EIO;
	if (!dir_emit(ctx, name, len, qid.path, type))
		return 0;
	ctx->pos = next;
	return 1;
}

/* The server's entries from `pos` on: a copy, *len bytes; NULL at the end; ERR_PTR. */
static void *fetch_entries(struct p9_fid *fid, loff_t pos, size_t *len)
{
	struct p9_call call;
	void *copy = NULL;
	int err;

	p9_begin(fid->client, &call, P9_TREADDIR);
	p9_put_fid_nr(&call, fid);
	p9_put64(&call, pos);
	p9_put32(&call, P9_IO_MAX);
	err = p9_run(&call);
	if (!err) {
		void *data;

		*len = p9_get32(&call);
		data = p9_get_bytes(&call, *len);
		err = data ? 0 : -EIO;
		if (!err && *len) {
			copy = kmemdup(data, *len, GFP_KERNEL);
			err = copy ? 0 : -ENOMEM;
		}
	}
	p9_end(&call);
	return err ? ERR_PTR(err) : copy;
}

/* The reader's memory may fault and need a slot, so none is held while it is written.  1: there may be more; 0; -errno. */
static int read_some(struct p9_fid *fid, struct dir_context *ctx)
{
	size_t len = 0;
	void *entries = fetch_entries(fid, ctx->pos, &len);
	struct p9_call reader = { .pos = entries, .end = entries + len };
	int res = 1;

	if (IS_ERR_OR_NULL(entries))
		return PTR_ERR_OR_ZERO(entries);
	while (res == 1 && reader.pos < reader.end)
		res = emit_entry(&reader, ctx);
	kfree(entries);
	return res;
}

static int p9_iterate(struct file *file, struct dir_context *ctx)
{
	int res;

	do
		res = read_some(file->private_data, ctx);
	while (res == 1);
	return res;
}

const struct file_operations p9_dir_operations = {
	.open		= p9_dir_open,
	.release	= p9_dir_release,
	.llseek		= generic_file_llseek,
	.iterate_shared	= p9_iterate,
	.fsync		= noop_fsync,
};

const struct inode_operations p9_dir_inode_operations = {
	.lookup		= p9_lookup,
	.create		= p9_create,
	.link		= p9_link,
	.unlink		= p9_unlink,
	.symlink	= p9_symlink,
	.mkdir		= p9_mkdir,
	.rmdir		= p9_rmdir,
	.mknod		= p9_mknod,
	.rename		= p9_rename,
	.setattr	= p9_setattr,
	.getattr	= p9_getattr,
};
