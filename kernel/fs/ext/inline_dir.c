/*
 * inline_dir.c: directories whose entries lie in the inode itself.
 *
 * Idea:    i_block begins with the parent's number, which stands for ".."; two rows of entries follow: what is left of
 *          i_block, and the attribute's value (inline.c).  They are worked on in the inode table's buffer, as a directory's
 *          block would be.  When neither row has room and the value cannot grow, all goes into a block, each entry where a
 *          reader of the directory expects it: he may be half way through.
 * Locking: i_rwsem as for other directories; raw_lock while the buffer changes, because the inode's fields are copied there.
 * See:     dir.c; xattr.c
 */
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "inline.h"

#define DOT_DOTDOT	24			/* bytes of both in a block */
#define PARENT		4			/* bytes of the parent's number */

/* A row of entries. */
struct row {
	char	*start;
	u32	len;
	u32	pos;				/* of its first entry, as readdir counts */
};
struct rows {
	struct buffer_head	*bh;		/* of the inode table; with a reference */
	struct ext_raw_inode	*raw;
	struct ext_xattr_entry	*attr;		/* NULL: there is no second row */
	struct row		row[2];
};

#define for_each_in_row(de, r) \
	for (struct ext_dirent *de = (void *)(r)->start; (char *)de < (r)->start + (r)->len; \
	     de = (void *)((char *)de + de->rec_len))

static bool row_ok(const struct inode *dir, const struct row *r)
{
	u32 at = 0;

	while (at < r->len) {
		const struct ext_dirent *de = (void *)(r->start + at);

		if (r->len - at < 12 || de->rec_len < 12 || de->rec_len % 4 || de->rec_len > r->len - at ||
		    EXT_DIR_REC_LEN(de->name_len) > de->rec_len || de->inode > EXT_FS(dir->i_sb)->es->s_inodes_count)
			return false;
		at += de->rec_len;
	}
	return true;
}

/* Finds both rows, and that they are sound.  0 or -errno; rows->bh is to be put. */
static int get_rows(struct inode *dir, struct rows *rows)
{
	u32 size = 0;
	char *value;

	*rows = (struct rows){ };
	rows->bh = ext_raw_inode(dir, &rows->raw);
	if (IS_ERR(rows->bh))
		return PTR_ERR(rows->bh);
	rows->row[0] = (struct row){ (char *)rows->raw->i_block + PARENT, EXT_INLINE_MIN - PARENT, DOT_DOTDOT };
	value = ext_xattr_find_in_inode(dir, rows->raw, EXT_XATTR_SYSTEM, EXT_INLINE_NAME, &rows->attr, &size);
	if (value)
		rows->row[1] = (struct row){ value, size, DOT_DOTDOT + EXT_INLINE_MIN - PARENT };
	if (row_ok(dir, &rows->row[0]) && row_ok(dir, &rows->row[1]))
		return 0;
	ext_error(dir->i_sb, "directory %lu: broken entry in the inode", dir->i_ino);
	brelse(rows->bh);
	return -EUCLEAN;
}

/* ---- changing the buffer: between begin and end nothing sleeps ---- */

static int begin_change(struct jbd_handle *handle, struct inode *dir, struct rows *rows)
	__no_context_analysis	/* holds raw_lock if it returns 0 */
{
	int err = ext_access(handle, rows->bh);

	if (!err)
		spin_lock(&EXT_I(dir)->raw_lock);
	return err;
}

static int end_change(struct jbd_handle *handle, struct inode *dir, struct rows *rows)
	__no_context_analysis	/* begin_change() took raw_lock */
{
	struct ext_inode *ei = EXT_I(dir);

	memcpy(ei->data, rows->raw->i_block, sizeof(ei->data));
	if (rows->attr)
		rows->attr->e_hash = 0;		/* of a value that has changed: Linux has none here, either */
	spin_unlock(&ei->raw_lock);
	ext_dir_changed(dir);
	return ext_dirty(handle, rows->bh) ?: ext_write_inode_to(handle, dir);
}

/* ---- looking ---- */

struct buffer_head *ext_inline_find(struct inode *dir, const struct qstr *name, struct ext_dirent **found)
{
	struct rows rows;
	int err = get_rows(dir, &rows);

	if (err)
		return ERR_PTR(err);
	for (int i = 0; i < 2; i++)
		for_each_in_row(de, &rows.row[i])
			if (de->inode && de->name_len == name->len && !memcmp(de->name, name->name, name->len)) {
				*found = de;
				return rows.bh;
			}
	brelse(rows.bh);
	return NULL;
}

int ext_inline_dir_empty(struct inode *dir)
{
	struct rows rows;
	int empty = 1, err = get_rows(dir, &rows);

	if (err)
		return err;
	for (int i = 0; i < 2; i++)
		for_each_in_row(de, &rows.row[i])
			if (de->inode)
				empty = 0;
	brelse(rows.bh);
	return empty;
}

int ext_inline_readdir(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct rows rows;
	int err = get_rows(dir, &rows);

	if (err)
		return err;
	if (ctx->pos == 0) {
		if (!dir_emit(ctx, ".", 1, dir->i_ino, DT_DIR))
			goto out;
		ctx->pos = DOT_DOTDOT / 2;
	}
	if (ctx->pos < DOT_DOTDOT) {
		if (!dir_emit(ctx, "..", 2, rows.raw->i_block[0], DT_DIR))
			goto out;
		ctx->pos = DOT_DOTDOT;
	}
	for (int i = 0; i < 2; i++)
		for_each_in_row(de, &rows.row[i]) {
			u32 pos = rows.row[i].pos + (u32)((char *)de - rows.row[i].start);

			if (pos < ctx->pos)
				continue;
			ctx->pos = pos;
			if (de->inode && !dir_emit(ctx, de->name, de->name_len, de->inode, ext_d_type(dir, de->file_type)))
				goto out;
			ctx->pos = pos + de->rec_len;
		}
out:
	brelse(rows.bh);
	return 0;
}

/* ---- changing ---- */

/* A new directory, as inline.c has made it: no names. */
void ext_inline_init_dir(struct inode *dir, const struct inode *parent)
{
	struct ext_inode *ei = EXT_I(dir);
	struct ext_dirent *de = (void *)((char *)ei->data + PARENT);

	ei->data[0] = (u32)parent->i_ino;
	*de = (struct ext_dirent){ .rec_len = EXT_INLINE_MIN - PARENT };
	dir->i_size = ei->disksize = EXT_INLINE_MIN;
}

/* The caller writes the inode. */
void ext_inline_set_parent(struct inode *dir, const struct inode *parent)
{
	EXT_I(dir)->data[0] = (u32)parent->i_ino;
}

int ext_inline_delete(struct jbd_handle *handle, struct inode *dir, const struct ext_dirent *victim)
{
	struct rows rows;
	int err = get_rows(dir, &rows);

	if (err)
		return err;
	err = begin_change(handle, dir, &rows);
	if (err)
		goto out;
	for (int i = 0; i < 2; i++) {
		struct ext_dirent *prev = NULL;

		for_each_in_row(de, &rows.row[i]) {
			if (de == victim && prev)
				prev->rec_len = (u16)(prev->rec_len + de->rec_len);
			if (de == victim) {
				de->inode = 0;
				break;
			}
			prev = de;
		}
	}
	err = end_change(handle, dir, &rows);
out:
	brelse(rows.bh);
	return err;
}

/* The entry names another inode. */
int ext_inline_set_entry(struct jbd_handle *handle, struct inode *dir, struct ext_dirent *de, const struct inode *inode)
{
	struct rows rows;
	int err = get_rows(dir, &rows);

	if (err)
		return err;
	err = begin_change(handle, dir, &rows);
	if (!err) {
		ext_set_entry_inode(dir, de, inode);
		err = end_change(handle, dir, &rows);
	}
	brelse(rows.bh);
	return err;
}

static struct ext_dirent *find_room(struct rows *rows, u32 need)
{
	for (int i = 0; i < 2; i++)
		for_each_in_row(de, &rows->row[i])
			if (de->rec_len >= need + (de->inode ? EXT_DIR_REC_LEN(de->name_len) : 0))
				return de;
	return NULL;
}

/* The second row becomes as long as there is room: an unused entry is at its end.  -ENOSPC: it would be of no use. */
static int grow(struct jbd_handle *handle, struct inode *dir, const struct rows *rows, u32 need)
{
	const struct row *old = &rows->row[1];
	u32 room = ext_inline_room(dir), len, at = 0;
	struct ext_dirent *de;
	char *value;
	int err;

	len = room > EXT_INLINE_MIN ? round_down(room - EXT_INLINE_MIN, 4) : 0;
	if (len < old->len + need)
		return -ENOSPC;
	value = kzalloc(len, GFP_NOFS);
	if (!value)
		return -ENOMEM;
	memcpy(value, old->start, old->len);
	while (at < old->len)
		at += ((struct ext_dirent *)(value + at))->rec_len;
	de = (void *)(value + at);
	de->rec_len = (u16)(len - at);
	err = ext_xattr_set_in(handle, dir, EXT_XATTR_SYSTEM, EXT_INLINE_NAME, value, len, 0);
	kfree(value);
	if (!err) {
		i_size_write(dir, EXT_INLINE_MIN + len);
		EXT_I(dir)->disksize = dir->i_size;
	}
	return err;
}

/* One try. */
static int add_once(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, const struct inode *inode,
		    bool may_grow)
{
	u32 need = EXT_DIR_REC_LEN(name->len);
	struct ext_dirent *de;
	struct rows rows;
	int err = get_rows(dir, &rows);

	if (err)
		return err;
	de = find_room(&rows, need);
	if (!de) {
		err = may_grow ? grow(handle, dir, &rows, need) ?: -EAGAIN : -ENOSPC;
	} else {
		err = begin_change(handle, dir, &rows);
		if (!err) {
			ext_fill_entry(dir, de, name, inode);
			err = end_change(handle, dir, &rows);
		}
	}
	brelse(rows.bh);
	return err;
}

/* Both rows behind "." and "..".  The block's last entry reaches to its end. */
static void fill_block(struct inode *dir, struct buffer_head *bh, const struct rows *rows)
{
	u32 at = DOT_DOTDOT;

	ext_init_dir_block(dir, bh, 0);
	ext_put_dots(dir, bh, rows->raw->i_block[0], DOT_DOTDOT / 2);
	for (int i = 0; i < 2; i++) {
		memcpy(bh->b_data + at, rows->row[i].start, rows->row[i].len);
		at += rows->row[i].len;
	}
	ext_stretch_last(bh, at, ext_dir_end(dir));
}

/* All entries into a block.  What follows its allocation fails only if the disk does. */
static int to_block(struct jbd_handle *handle, struct inode *dir)
{
	struct ext_map map = { .lblk = 0, .len = 1, .flags = EXT_MAP_MAPPED };
	struct buffer_head *bh;
	struct rows rows;
	int err = get_rows(dir, &rows);

	if (err)
		return err;
	bh = ERR_PTR(-ENOSPC);
	if (DOT_DOTDOT + rows.row[0].len + rows.row[1].len <= ext_dir_end(dir) && ext_has_free(EXT_FS(dir->i_sb), 1))
		bh = ext_new_meta_block(handle, dir, ext_inode_goal(dir));
	if (!IS_ERR(bh))
		fill_block(dir, bh, &rows);
	brelse(rows.bh);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	map.pblk = bh->b_blocknr;
	inode_sub_bytes(dir, i_blocksize(dir));		/* counted again by the insertion */
	err = ext_inline_drop(handle, dir) ?: ext_map_insert(handle, dir, &map) ?: ext_dirty_dir_block(handle, dir, bh);
	brelse(bh);
	i_size_write(dir, (loff_t)dir->i_sb->s_blocksize);
	EXT_I(dir)->disksize = dir->i_size;
	ext_std_error(dir->i_sb, err);
	return err ?: ext_write_inode_to(handle, dir);
}

/* 0; 1: the directory has a block now, to which the name must be added; -errno. */
int ext_inline_add(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, const struct inode *inode)
{
	int err = add_once(handle, dir, name, inode, true);

	if (err == -EAGAIN)
		err = add_once(handle, dir, name, inode, false);
	return err == -ENOSPC ? to_block(handle, dir) ?: 1 : err;
}
