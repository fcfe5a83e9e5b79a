/*
 * inode.c: files of a server: their attributes, and how long what is known of them is believed.
 *
 * Idea:    the server's files may be changed by others.  A name is asked for again when it was seen a second ago; attributes at
 *          each stat(2) and open(2); when size or time of change differ from what they were, the cached pages go.
 *          A file is found again by its qid.  Its fid follows the name by which it was seen last, so that a file whose other
 *          name has been removed can still be reached.
 * Locking: pi->lock over the fids.  Attributes: i_rwsem where the VFS holds it; a refresh may come at any time, as with any
 *          file that others change.
 * See:     p9.h
 */
#include <weft/err.h>
#include <weft/jiffies.h>
#include <weft/mm.h>
#include <weft/namei.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "p9.h"

#define BELIEVED	HZ		/* how long a name is, in ticks */

/* Tsetattr's bits */
enum {
	SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 0x10, SET_MTIME = 0x20, SET_CTIME = 0x40,
	SET_ATIME_TO = 0x80, SET_MTIME_TO = 0x100,
};

/* ---- fids ---- */

struct p9_fid *p9_inode_fid(struct inode *inode)
{
	struct p9_inode *pi = P9_I(inode);
	struct p9_fid *fid;

	mutex_lock(&pi->lock);
	fid = p9_get_fid(pi->fid);
	mutex_unlock(&pi->lock);
	return fid;
}

/* Takes the new one over. */
static void replace_fid(struct inode *inode, struct p9_fid *fid)
{
	struct p9_inode *pi = P9_I(inode);

	mutex_lock(&pi->lock);
	swap(pi->fid, fid);
	mutex_unlock(&pi->lock);
	p9_put_fid(fid);
}

/* ---- names ---- */

static int same_qid(struct inode *inode, void *data)
{
	const struct p9_qid *qid = data, *own = &P9_I(inode)->qid;

	return own->path == qid->path && own->type == qid->type;
}

/* Asks the server: is the name still that file's? */
static int same_as_before(struct dentry *dentry)
{
	struct dentry *parent = dget_parent(dentry);
	struct p9_fid *dir = p9_inode_fid(d_inode(parent)), *fid;
	struct inode *inode = d_inode(dentry);
	struct name_snapshot name;
	struct p9_qid qid;
	int same = 0;

	take_dentry_name_snapshot(&name, dentry);
	fid = p9_walk(dir, (const char *)name.name.name, name.name.len, &qid);
	release_dentry_name_snapshot(&name);
	if (!IS_ERR(fid)) {
		same = same_qid(inode, &qid);
		if (same)
			replace_fid(inode, fid);
		else
			p9_put_fid(fid);
	}
	p9_put_fid(dir);
	dput(parent);
	if (same)
		dentry->d_time = jiffies;
	return same;
}

/* Another name of the file was removed or replaced: the server knows its fid no more. */
void p9_find_again(struct dentry *dentry)
{
	struct p9_inode *pi = P9_I(d_inode(dentry));

	if (READ_ONCE(pi->lost) && !d_unlinked(dentry) && !IS_ROOT(dentry) && same_as_before(dentry))
		WRITE_ONCE(pi->lost, false);
}

/* ---- attributes ---- */

static dev_t rdev_of(const struct p9_attr *attr)
{
	return MKDEV((attr->rdev >> 8) & 0xfff, (attr->rdev & 0xff) | ((attr->rdev >> 12) & 0xfff00));
}

static void take_attr(struct inode *inode, const struct p9_attr *attr)
{
	inode->i_mode = (inode->i_mode & S_IFMT) | (attr->mode & ~S_IFMT);
	inode->i_uid = attr->uid;
	inode->i_gid = attr->gid;
	set_nlink(inode, attr->nlink);
	inode->i_atime = attr->atime;
	inode->i_mtime = attr->mtime;
	inode->i_ctime = attr->ctime;
	inode->i_blocks = attr->blocks;
	P9_I(inode)->last_blksize = attr->blksize;
	i_size_write(inode, attr->size);
}

int p9_refresh(struct inode *inode)
{
	struct p9_fid *fid = p9_inode_fid(inode);
	struct p9_attr attr;
	bool changed;
	int err = p9_read_attr(fid, &attr);

	p9_put_fid(fid);
	if (err)
		return err;
	changed = attr.size != (u64)i_size_read(inode) || !timespec64_equal(&attr.mtime, &inode->i_mtime);
	if (changed && S_ISREG(inode->i_mode) && inode->i_mapping->nrpages) {
		filemap_write_and_wait(inode->i_mapping);
		invalidate_inode_pages2(inode->i_mapping);
	}
	take_attr(inode, &attr);
	return 0;
}

int p9_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int err;

	p9_find_again(path->dentry);
	err = p9_refresh(inode);

	/* Of a file that has no name any more the server may know nothing. */
	if (err && !(err == -ENOENT && d_unlinked(path->dentry)))
		return err;
	generic_fillattr(inode, stat);
	stat->blksize = P9_I(inode)->last_blksize ?: PAGE_SIZE;
	return 0;
}

static u32 set_bits(unsigned int ia_valid)
{
	static const struct { unsigned int attr; u32 set; } table[] = {
		{ ATTR_MODE, SET_MODE }, { ATTR_UID, SET_UID }, { ATTR_GID, SET_GID }, { ATTR_SIZE, SET_SIZE },
		{ ATTR_ATIME, SET_ATIME }, { ATTR_MTIME, SET_MTIME }, { ATTR_CTIME, SET_CTIME },
		{ ATTR_ATIME_SET, SET_ATIME_TO }, { ATTR_MTIME_SET, SET_MTIME_TO },
	};
	u32 bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (ia_valid & table[i].attr)
			bits |= table[i].set;
	return bits;
}

static int send_setattr(struct p9_fid *fid, const struct iattr *attr)
{
	struct p9_call call;

	p9_begin(fid->client, &call, P9_TSETATTR);
	p9_put_fid_nr(&call, fid);
	p9_put32(&call, set_bits(attr->ia_valid));
	p9_put32(&call, attr->ia_mode);
	p9_put32(&call, attr->ia_uid);
	p9_put32(&call, attr->ia_gid);
	p9_put64(&call, attr->ia_size);
	p9_put64(&call, attr->ia_atime.tv_sec);
	p9_put64(&call, attr->ia_atime.tv_nsec);
	p9_put64(&call, attr->ia_mtime.tv_sec);
	p9_put64(&call, attr->ia_mtime.tv_nsec);
	return p9_run_end(&call);
}

int p9_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct p9_fid *fid;
	int err = setattr_prepare(dentry, attr);

	if (!err && S_ISREG(inode->i_mode))
		err = filemap_write_and_wait(inode->i_mapping);
	if (err)
		return err;
	p9_find_again(dentry);
	fid = p9_inode_fid(inode);
	err = send_setattr(fid, attr);
	p9_put_fid(fid);
	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE && S_ISREG(inode->i_mode))
		truncate_setsize(inode, attr->ia_size);
	return p9_refresh(inode);
}

/* ---- symbolic links ---- */

static const char *p9_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	struct p9_call call;
	struct p9_fid *fid;
	char *text = NULL;
	int err;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	fid = p9_inode_fid(inode);
	p9_begin(fid->client, &call, P9_TREADLINK);
	p9_put_fid_nr(&call, fid);
	err = p9_run(&call);
	if (!err) {
		u16 len = p9_get16(&call);
		const char *target = p9_get_bytes(&call, len);

		text = target ? kmemdup_nul(target, len, GFP_KERNEL) : NULL;
		err = !target ? -EIO : !text ? -ENOMEM : 0;
	}
	p9_end(&call);
	p9_put_fid(fid);
	if (err)
		return ERR_PTR(err);
	set_delayed_call(done, kfree_link, text);
	return text;
}

/* ---- finding them ---- */

static int set_qid(struct inode *inode, void *data)
{
	P9_I(inode)->qid = *(const struct p9_qid *)data;
	return 0;
}

static void init_by_type(struct inode *inode, const struct p9_attr *attr)
{
	switch (attr->mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &p9_file_inode_operations;
		inode->i_fop = &p9_file_operations;
		inode->i_mapping->a_ops = &p9_aops;
		break;
	case S_IFDIR:
		inode->i_op = &p9_dir_inode_operations;
		inode->i_fop = &p9_dir_operations;
		break;
	case S_IFLNK:
		inode->i_op = &p9_symlink_inode_operations;
		break;
	default:
		inode->i_op = &p9_file_inode_operations;
		init_special_inode(inode, attr->mode, rdev_of(attr));
	}
}

struct inode *p9_iget(struct super_block *sb, struct p9_fid *fid)
{
	struct inode *inode;
	struct p9_attr attr;
	int err = p9_read_attr(fid, &attr);

	inode = err ? ERR_PTR(err) : iget5_locked(sb, attr.qid.path, same_qid, set_qid, &attr.qid);
	if (IS_ERR_OR_NULL(inode)) {
		p9_put_fid(fid);
		return inode ?: ERR_PTR(-ENOMEM);
	}
	if (!(inode->i_state & I_NEW)) {
		replace_fid(inode, fid);
		p9_refresh(inode);
		return inode;
	}
	P9_I(inode)->fid = fid;
	inode->i_ino = attr.qid.path;
	inode->i_mode = attr.mode;
	inode->i_flags |= S_NOATIME | S_NOCMTIME;	/* the server keeps the times */
	take_attr(inode, &attr);
	init_by_type(inode, &attr);
	unlock_new_inode(inode);
	return inode;
}

/* ---- how long a name is believed ---- */

static int p9_revalidate(struct dentry *dentry, unsigned int flags)
{
	bool negative = !READ_ONCE(dentry->d_inode);

	if (!negative && time_before(jiffies, READ_ONCE(dentry->d_time) + BELIEVED))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	return !negative && same_as_before(dentry) && !p9_refresh(d_inode(dentry));
}

const struct dentry_operations p9_dentry_operations = { .d_revalidate = p9_revalidate };

const struct inode_operations p9_file_inode_operations = { .setattr = p9_setattr, .getattr = p9_getattr };
const struct inode_operations p9_symlink_inode_operations = {
	.get_link = p9_get_link, .setattr = p9_setattr, .getattr = p9_getattr,
};
