/*
 * dir.c: directories as rows of entries: looking through, adding, removing, readdir.
 *
 * Idea:    a block is a row of entries that fills it; a removed entry is joined to the one before it.  With checksums the
 *          last twelve bytes are an entry of inode 0 that holds the sum.  Readdir of a plain directory goes by place, of
 *          one with an index by hash: entries move between blocks when a block is split, but their hashes stay.
 * Locking: i_rwsem of the directory: writing to change, reading or writing to look.
 * See:     htree.c for the index; ext_disk.h
 */
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/sort.h>
#include <weft/string.h>
#include "inline.h"

#define BH_Checked	(BH_PrivateStart + 5)

u32 ext_dir_end(const struct inode *dir)
{
	return (u32)dir->i_sb->s_blocksize - (has_metadata_csum(EXT_FS(dir->i_sb)) ? sizeof(struct ext_dirent_tail) : 0);
}

u8 ext_file_type(umode_t mode)
{
	static const u8 type[16] = {
		[S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2, [S_IFCHR >> 12] = 3, [S_IFBLK >> 12] = 4, [S_IFIFO >> 12] = 5,
		[S_IFSOCK >> 12] = 6, [S_IFLNK >> 12] = 7,
	};

	return type[(mode & S_IFMT) >> 12];
}

unsigned int ext_d_type(const struct inode *dir, u8 file_type)
{
	static const u8 type[8] = { 0, S_IFREG >> 12, S_IFDIR >> 12, S_IFCHR >> 12, S_IFBLK >> 12, S_IFIFO >> 12,
				    S_IFSOCK >> 12, S_IFLNK >> 12 };

	return has_incompat(EXT_FS(dir->i_sb), INCOMPAT_FILETYPE) && file_type < 8 ? type[file_type] : 0;
}

/* ---- a block ---- */

bool ext_dirent_ok(const struct inode *dir, const struct ext_dirent *de, const struct buffer_head *bh)
{
	u32 at = (u32)((const char *)de - bh->b_data), room = (u32)bh->b_size - at;

	return room >= 12 && de->rec_len >= 12 && de->rec_len % 4 == 0 && de->rec_len <= room &&
	       EXT_DIR_REC_LEN(de->name_len) <= de->rec_len && de->inode <= EXT_FS(dir->i_sb)->es->s_inodes_count;
}

#define for_each_dirent(de, bh) \
	for (struct ext_dirent *de = (void *)(bh)->b_data; (char *)de < (bh)->b_data + (bh)->b_size; \
	     de = (void *)((char *)de + de->rec_len))

/* An inner node of the index looks like one unused entry. */
static bool looks_like_index(const struct inode *dir, const struct buffer_head *bh)
{
	const struct ext_dirent *de = (void *)bh->b_data;

	return EXT_I(dir)->flags & EXT_INDEX_FL && !de->inode && de->rec_len == bh->b_size;
}

static int check_block(struct inode *dir, struct buffer_head *bh, ext_lblk_t lblk)
{
	bool index = looks_like_index(dir, bh) || (!lblk && EXT_I(dir)->flags & EXT_INDEX_FL);

	for_each_dirent(de, bh)
		if (!ext_dirent_ok(dir, de, bh)) {
			ext_error(dir->i_sb, "directory %lu, block %u: broken entry", dir->i_ino, lblk);
			return -EUCLEAN;
		}
	if (!index && !ext_dirent_csum_ok(dir, bh->b_data)) {
		ext_error(dir->i_sb, "directory %lu, block %u: wrong checksum", dir->i_ino, lblk);
		return -EUCLEAN;
	}
	return 0;
}

struct buffer_head *ext_read_dir_block(struct inode *dir, ext_lblk_t lblk)
{
	struct buffer_head *bh = ext_bread(dir, lblk);
	int err;

	if (IS_ERR(bh))
		return bh;
	if (!bh) {
		ext_error(dir->i_sb, "directory %lu: a hole at block %u", dir->i_ino, lblk);
		return ERR_PTR(-EUCLEAN);
	}
	if (test_bit(BH_Checked, &bh->b_state))
		return bh;
	err = check_block(dir, bh, lblk);
	if (err) {
		brelse(bh);
		return ERR_PTR(err);
	}
	set_bit(BH_Checked, &bh->b_state);
	return bh;
}

static u32 dir_blocks(const struct inode *dir)
{
	return (u32)(dir->i_size >> dir->i_blkbits);
}

/* ---- finding ---- */

struct ext_dirent *ext_search_block(const struct inode *dir, struct buffer_head *bh, const struct qstr *name)
{
	for_each_dirent(de, bh)
		if (de->inode && de->name_len == name->len && !memcmp(de->name, name->name, name->len))
			return de;
	return NULL;
}

struct buffer_head *ext_find_linear(struct inode *dir, const struct qstr *name, struct ext_dirent **de, ext_lblk_t first,
				    ext_lblk_t end)
{
	for (ext_lblk_t lblk = first; lblk < end; lblk++) {
		struct buffer_head *bh = ext_read_dir_block(dir, lblk);

		if (IS_ERR(bh))
			return bh;
		*de = ext_search_block(dir, bh, name);
		if (*de)
			return bh;
		brelse(bh);
		cond_resched();
	}
	return NULL;
}

struct buffer_head *ext_find_entry(struct inode *dir, const struct qstr *name, struct ext_dirent **de)
{
	if (name->len > EXT_NAME_LEN)
		return ERR_PTR(-ENAMETOOLONG);
	if (ext_has_inline(dir))
		return ext_inline_find(dir, name, de);
	if (EXT_I(dir)->flags & EXT_INDEX_FL && has_compat(EXT_FS(dir->i_sb), COMPAT_DIR_INDEX)) {
		struct buffer_head *bh = ext_dx_find(dir, name, de);

		if (!IS_ERR(bh) || PTR_ERR(bh) != -EINVAL)
			return bh;
	}
	return ext_find_linear(dir, name, de, 0, dir_blocks(dir));
}

/* ---- changing ---- */

/* An empty row from byte `from` on. */
void ext_init_dir_block(const struct inode *dir, struct buffer_head *bh, u32 from)
{
	struct ext_dirent *de = (void *)(bh->b_data + from);

	*de = (struct ext_dirent){ };
	de->rec_len = (u16)(ext_dir_end(dir) - from);
	set_bit(BH_Checked, &bh->b_state);
	ext_dirent_csum_set(dir, bh->b_data);
}

int ext_dirty_dir_block(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh)
{
	ext_dirent_csum_set(dir, bh->b_data);
	return ext_dirty(handle, bh);
}

void ext_dir_changed(struct inode *dir)
{
	dir->i_mtime = dir->i_ctime = current_time(dir);
	inode_inc_iversion(dir);
}

void ext_set_entry_inode(const struct inode *dir, struct ext_dirent *de, const struct inode *inode)
{
	de->inode = (u32)inode->i_ino;
	if (has_incompat(EXT_FS(dir->i_sb), INCOMPAT_FILETYPE))
		de->file_type = ext_file_type(inode->i_mode);
}

void ext_fill_entry(const struct inode *dir, struct ext_dirent *de, const struct qstr *name, const struct inode *inode)
{
	if (de->inode) {
		u32 used = EXT_DIR_REC_LEN(de->name_len), rest = de->rec_len - used;

		de->rec_len = (u16)used;
		de = (void *)((char *)de + used);
		de->rec_len = (u16)rest;
	}
	de->name_len = (u8)name->len;
	de->file_type = 0;
	memcpy(de->name, name->name, name->len);
	ext_set_entry_inode(dir, de, inode);
}

/* "." and "..", at the begin of a directory's first block. */
void ext_put_dots(const struct inode *dir, struct buffer_head *bh, u32 parent, u32 dotdot_len)
{
	u8 type = has_incompat(EXT_FS(dir->i_sb), INCOMPAT_FILETYPE) ? ext_file_type(S_IFDIR) : 0;
	struct ext_dirent *de = (void *)bh->b_data;

	*de = (struct ext_dirent){ (u32)dir->i_ino, 12, 1, type };
	de->name[0] = '.';
	de = (void *)(bh->b_data + 12);
	*de = (struct ext_dirent){ parent, (u16)dotdot_len, 2, type };
	memcpy(de->name, "..", 2);
}

void ext_stretch_last(struct buffer_head *bh, u32 used, u32 end)
{
	for_each_dirent(de, bh) {
		u32 at = (u32)((char *)de - bh->b_data);

		if (at + de->rec_len < used)
			continue;
		de->rec_len = (u16)(end - at);
		return;
	}
}

/* An entry with room behind its own name for another. */
static struct ext_dirent *find_room(const struct inode *dir, struct buffer_head *bh, u32 need)
{
	u32 end = ext_dir_end(dir);

	for_each_dirent(de, bh) {
		if ((u32)((char *)de - bh->b_data) >= end)
			break;
		if (de->rec_len >= need + (de->inode ? EXT_DIR_REC_LEN(de->name_len) : 0))
			return de;
	}
	return NULL;
}

int ext_put_entry(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh, const struct qstr *name,
		  struct inode *inode)
{
	struct ext_dirent *de = find_room(dir, bh, EXT_DIR_REC_LEN(name->len));
	int err;

	if (!de)
		return -ENOSPC;
	err = ext_access(handle, bh);
	if (err)
		return err;
	ext_fill_entry(dir, de, name, inode);
	ext_dir_changed(dir);
	err = ext_dirty_dir_block(handle, dir, bh);
	return err ? err : ext_write_inode_to(handle, dir);
}

/* A block more at the end, with this entry. */
static int put_in_new_block(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode)
{
	struct buffer_head *bh = ext_append(handle, dir, dir_blocks(dir));
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	ext_init_dir_block(dir, bh, 0);
	i_size_write(dir, dir->i_size + (loff_t)dir->i_sb->s_blocksize);
	EXT_I(dir)->disksize = dir->i_size;
	err = ext_put_entry(handle, dir, bh, name, inode);
	brelse(bh);
	return err;
}

/* Rows of blocks, with an index or not. */
static int add_to_blocks(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode)
{
	u32 blocks = dir_blocks(dir);
	bool may_index = has_compat(EXT_FS(dir->i_sb), COMPAT_DIR_INDEX);

	if (EXT_I(dir)->flags & EXT_INDEX_FL) {
		if (may_index)
			return ext_dx_add(handle, dir, name, inode);
		EXT_I(dir)->flags &= ~EXT_INDEX_FL;	/* nobody keeps it up to date from here on */
	}
	for (ext_lblk_t lblk = 0; lblk < blocks; lblk++) {
		struct buffer_head *bh = ext_read_dir_block(dir, lblk);
		int err = IS_ERR(bh) ? (int)PTR_ERR(bh) : ext_put_entry(handle, dir, bh, name, inode);

		if (!IS_ERR(bh))
			brelse(bh);
		if (err != -ENOSPC)
			return err;
	}
	return blocks == 1 && may_index ? ext_dx_make(handle, dir, name, inode) : put_in_new_block(handle, dir, name, inode);
}

int ext_add_entry(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode)
{
	int err = 1;

	if (!name->len || name->len > EXT_NAME_LEN)
		return name->len ? -ENAMETOOLONG : -EINVAL;
	if (ext_has_inline(dir))
		err = ext_inline_add(handle, dir, name, inode);
	return err > 0 ? add_to_blocks(handle, dir, name, inode) : err;
}

int ext_delete_entry(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh, struct ext_dirent *de)
{
	struct ext_dirent *prev = NULL;
	int err;

	if (ext_has_inline(dir))
		return ext_inline_delete(handle, dir, de);
	err = ext_access(handle, bh);
	if (err)
		return err;
	for_each_dirent(at, bh) {
		if (at == de)
			break;
		prev = at;
	}
	if (prev)
		prev->rec_len = (u16)(prev->rec_len + de->rec_len);
	else
		de->inode = 0;
	ext_dir_changed(dir);
	return ext_dirty_dir_block(handle, dir, bh);
}

/* Nothing but "." and ".."? */
int ext_dir_empty(struct inode *dir)
{
	if (ext_has_inline(dir))
		return ext_inline_dir_empty(dir);
	for (ext_lblk_t lblk = 0; lblk < dir_blocks(dir); lblk++) {
		struct buffer_head *bh = ext_read_dir_block(dir, lblk);
		bool empty = true;

		if (IS_ERR(bh))
			return PTR_ERR(bh);
		for_each_dirent(de, bh)
			if (de->inode && !(de->name_len == 1 && de->name[0] == '.') &&
			    !(de->name_len == 2 && de->name[0] == '.' && de->name[1] == '.'))
				empty = false;
		brelse(bh);
		if (!empty)
			return 0;
	}
	return 1;
}

/* ---- readdir by place: the position is the byte ---- */

/* The first entry at or behind `offset`, when the row has changed since. */
static u32 resync(struct buffer_head *bh, u32 offset)
{
	for_each_dirent(de, bh)
		if ((u32)((char *)de - bh->b_data) >= offset)
			return (u32)((char *)de - bh->b_data);
	return (u32)bh->b_size;
}

static int readdir_linear(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	u32 mask = (u32)dir->i_sb->s_blocksize - 1;

	while (ctx->pos < dir->i_size) {
		struct buffer_head *bh = ext_read_dir_block(dir, (ext_lblk_t)(ctx->pos >> dir->i_blkbits));
		loff_t base = ctx->pos & ~(loff_t)mask;
		bool full = false;
		u32 at;

		if (IS_ERR(bh))
			return PTR_ERR(bh);
		at = resync(bh, (u32)ctx->pos & mask);
		while (at <= mask && !full) {
			struct ext_dirent *de = (void *)(bh->b_data + at);

			ctx->pos = base + at;
			full = de->inode && !dir_emit(ctx, de->name, de->name_len, de->inode, ext_d_type(dir, de->file_type));
			at += de->rec_len;
		}
		brelse(bh);
		if (full)
			return 0;
		ctx->pos = base + mask + 1;
	}
	return 0;
}

/* ---- readdir by hash: the position is the hash, its major half first; equal hashes are counted by position + 1 ---- */

#define POS_END		0x7fffffffffffffffLL

struct hashed {
	u64			pos;
	const struct ext_dirent	*de;
};

static u64 hash_pos(struct ext_hash h)
{
	return (u64)(h.major >> 1) << 32 | h.minor;
}

static int by_pos(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	return x->de < y->de ? -1 : x->de > y->de;
}

/* All entries of a leaf, sorted.  How many, or -errno. */
static int sort_leaf(struct inode *dir, struct buffer_head *bh, u8 version, struct hashed *out)
{
	int n = 0;

	for_each_dirent(de, bh) {
		struct ext_hash h;
		int err;

		if (!de->inode)
			continue;
		if (de->name_len <= 2 && de->name[0] == '.' && (de->name_len == 1 || de->name[1] == '.'))
			continue;
		err = ext_dirhash(EXT_FS(dir->i_sb), version, de->name, de->name_len, &h);
		if (err)
			return err;
		out[n++] = (struct hashed){ max(hash_pos(h), (u64)2), de };
	}
	sort(out, n, sizeof(*out), by_pos, NULL);
	return n;
}

/* Gives what lies at ctx->pos or behind.  1: all given, 0: full, -errno. */
static int emit_leaf(struct inode *dir, struct buffer_head *bh, u8 version, struct hashed *out, struct dir_context *ctx)
{
	int n = sort_leaf(dir, bh, version, out);
	u64 last = 0;

	for (int i = 0; i < n; i++) {
		const struct ext_dirent *de = out[i].de;
		u64 pos = max(out[i].pos, last);

		last = pos + 1;			/* two of the same hash get two positions */
		if (pos < (u64)ctx->pos)
			continue;
		ctx->pos = (loff_t)pos;
		if (!dir_emit(ctx, de->name, de->name_len, de->inode, ext_d_type(dir, de->file_type)))
			return 0;
		ctx->pos = (loff_t)pos + 1;
	}
	return n < 0 ? n : 1;
}

static int readdir_hashed(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct hashed *out;
	int more = 1;
	u32 hash;

	if (ctx->pos >= POS_END || !dir_emit_dots(file, ctx))
		return 0;
	out = kvmalloc_array(dir->i_sb->s_blocksize / 12, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	hash = (u32)((u64)ctx->pos >> 32) << 1;
	while (more > 0 && ctx->pos < POS_END) {
		u32 next;
		u8 version;
		struct buffer_head *bh = ext_dx_leaf(dir, hash, &next, &version);

		if (IS_ERR(bh)) {
			more = (int)PTR_ERR(bh);
			break;
		}
		more = next && next <= hash ? -EUCLEAN : emit_leaf(dir, bh, version, out, ctx);
		brelse(bh);
		if (more == -EUCLEAN) {			/* we would go round for ever */
			ext_error(dir->i_sb, "directory %lu: the index goes back from hash %x to %x", dir->i_ino, hash, next);
			break;
		}
		if (more > 0)
			ctx->pos = next ? max(ctx->pos, (loff_t)((u64)(next >> 1) << 32)) : POS_END;
		hash = next;			/* with the bit that says "the same hash goes on here" */
		cond_resched();
	}
	kvfree(out);
	return more < 0 ? more : 0;
}

static int ext_readdir(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);

	if (ext_has_inline(dir))
		return ext_inline_readdir(file, ctx);
	if (EXT_I(dir)->flags & EXT_INDEX_FL && has_compat(EXT_FS(dir->i_sb), COMPAT_DIR_INDEX)) {
		int err = readdir_hashed(file, ctx);

		if (err != -EINVAL)
			return err;
	}
	return readdir_linear(file, ctx);
}

static loff_t ext_dir_llseek(struct file *file, loff_t offset, int whence)
{
	return generic_file_llseek_size(file, offset, whence, POS_END, POS_END);
}

const struct file_operations ext_dir_fops = {
	.llseek		= ext_dir_llseek,
	.iterate_shared	= ext_readdir,
	.unlocked_ioctl	= ext_ioctl,
	.fsync		= ext_sync_file,
};
