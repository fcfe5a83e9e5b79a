/*
 * xattr.c: extended attributes: in the inode itself behind its fields, and in one block more.
 *
 * Idea:    both places have the same form: entries from the front, values from the back.  To change one attribute all are
 *          read into a list, the list is changed, and both places are written anew: those that fit into the inode, then the
 *          rest into the block.  A block that several inodes share (Linux does that) is left to the others.
 * Locking: xattr_sem, within a handle.
 * See:     ext_disk.h; kernel/fs/xattr.c
 */
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/list.h>
#include <weft/slab.h>
#include <weft/sort.h>
#include <weft/string.h>
#include <weft/xattr.h>
#include <uapi/limits.h>
#include <weft/posix_acl.h>
#include "ext.h"

#define PAD(n)		(((n) + 3) & ~3u)
#define ENTRY_LEN(n)	PAD((u32)sizeof(struct ext_xattr_entry) + (n))

struct attr {
	struct list_head link;
	u8		index, name_len;
	bool		in_block;		/* where it shall go */
	u32		size;
	char		*value;
	char		name[];
};

/* ---- a place: [entries, end), values counted from base ---- */
struct place {
	struct buffer_head	*bh;
	char			*entries, *base, *end;
};

static bool entry_ok(const struct place *p, const struct ext_xattr_entry *e)
{
	const char *at = (const char *)e;

	if (at + sizeof(*e) > p->end || at + ENTRY_LEN(e->e_name_len) + 4 > p->end || e->e_value_inum)
		return false;
	return !e->e_value_size || (e->e_value_size <= (u32)(p->end - p->base) &&
				    e->e_value_offs <= (u32)(p->end - p->base) - e->e_value_size);
}

static bool is_last(const struct place *p, const struct ext_xattr_entry *e)
{
	return (const char *)e + 4 > p->end || !get_unaligned((const u32 *)e);
}

static int add_attr(struct list_head *list, u8 index, const char *name, size_t name_len, const void *value, size_t size)
{
	struct attr *a = kmalloc(sizeof(*a) + name_len + 1, GFP_NOFS);

	if (!a)
		return -ENOMEM;
	*a = (struct attr){ .index = index, .name_len = (u8)name_len, .size = (u32)size };
	memcpy(a->name, name, name_len);
	a->name[name_len] = 0;
	a->value = kvmalloc(size + 1, GFP_NOFS);
	if (!a->value) {
		kfree(a);
		return -ENOMEM;
	}
	memcpy(a->value, value, size);
	list_add_tail(&a->link, list);
	return 0;
}

static void free_attr(struct attr *a)
{
	list_del(&a->link);
	kvfree(a->value);
	kfree(a);
}

static void free_list(struct list_head *list)
{
	struct attr *a, *next;

	list_for_each_entry_safe(a, next, list, link)
		free_attr(a);
}

static int read_place(struct inode *inode, const struct place *p, struct list_head *list)
{
	const struct ext_xattr_entry *e = (void *)p->entries;

	while (!is_last(p, e)) {
		int err;

		if (!entry_ok(p, e)) {
			ext_error(inode->i_sb, "inode %lu: broken extended attributes", inode->i_ino);
			return -EUCLEAN;
		}
		err = add_attr(list, e->e_name_index, e->e_name, e->e_name_len, p->base + e->e_value_offs, e->e_value_size);
		if (err)
			return err;
		e = (void *)((char *)e + ENTRY_LEN(e->e_name_len));
	}
	return 0;
}

/* The inode's own place; ->bh NULL: it has none. */
static int inode_place(struct inode *inode, struct place *p)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct ext_raw_inode *raw;
	u32 from = EXT_GOOD_OLD_INODE_SIZE + EXT_I(inode)->extra_isize;

	*p = (struct place){ };
	if (!EXT_I(inode)->extra_isize || from + 4 + ENTRY_LEN(1) > fs->inode_size)
		return 0;
	p->bh = ext_raw_inode(inode, &raw);
	if (IS_ERR(p->bh))
		return PTR_ERR(p->bh);
	p->base = p->entries = (char *)raw + from + 4;
	p->end = (char *)raw + fs->inode_size;
	return 0;
}

static void block_place(struct buffer_head *bh, struct place *p)
{
	*p = (struct place){ bh, bh->b_data + sizeof(struct ext_xattr_header), bh->b_data, bh->b_data + bh->b_size };
}

static struct buffer_head *read_block(struct inode *inode)
{
	u64 block = EXT_I(inode)->file_acl;
	struct buffer_head *bh = sb_bread(inode->i_sb, block);
	const struct ext_xattr_header *h;

	if (!bh)
		return ERR_PTR(-EIO);
	h = (void *)bh->b_data;
	if (h->h_magic == EXT_XATTR_MAGIC && h->h_blocks == 1 && h->h_refcount &&
	    (!has_metadata_csum(EXT_FS(inode->i_sb)) || h->h_checksum == ext_xattr_csum(inode, block, h)))
		return bh;
	ext_error(inode->i_sb, "inode %lu: attribute block %llu is broken", inode->i_ino, block);
	brelse(bh);
	return ERR_PTR(-EUCLEAN);
}

/* All attributes.  xattr_sem held. */
static int read_all(struct inode *inode, struct list_head *list)
{
	struct buffer_head *bh;
	struct place p;
	int err = 0;

	if (EXT_I(inode)->has_ibody_xattr) {
		err = inode_place(inode, &p);
		if (!err && p.bh) {
			err = read_place(inode, &p, list);
			brelse(p.bh);
		}
	}
	if (err || !EXT_I(inode)->file_acl)
		return err;
	bh = read_block(inode);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	block_place(bh, &p);
	err = read_place(inode, &p, list);
	brelse(bh);
	return err;
}

static bool is_named(const struct ext_xattr_entry *e, u8 index, const char *name)
{
	return e->e_name_index == index && e->e_name_len == strlen(name) && !memcmp(e->e_name, name, e->e_name_len);
}

/*
 * The largest value that this attribute could have in the inode itself, beside those that are there.  -ENOSPC: not even an
 * empty one; -errno.
 */
int ext_xattr_room(struct inode *inode, u8 index, const char *name)
{
	struct place p;
	int room, err = inode_place(inode, &p);

	if (err || !p.bh)
		return err ?: -ENOSPC;
	room = (int)(p.end - p.entries) - 4 - (int)ENTRY_LEN(strlen(name));
	down_read(&EXT_I(inode)->xattr_sem);
	if (EXT_I(inode)->has_ibody_xattr)
		for (struct ext_xattr_entry *e = (void *)p.entries; !is_last(&p, e) && entry_ok(&p, e);
		     e = (void *)((char *)e + ENTRY_LEN(e->e_name_len)))
			if (!is_named(e, index, name))
				room -= (int)(ENTRY_LEN(e->e_name_len) + PAD(e->e_value_size));
	up_read(&EXT_I(inode)->xattr_sem);
	brelse(p.bh);
	return room < 0 ? -ENOSPC : round_down(room, 4);
}

char *ext_xattr_find_in_inode(struct inode *inode, struct ext_raw_inode *raw, u8 index, const char *name,
			      struct ext_xattr_entry **entry, u32 *size)
{
	char *start = (char *)raw + EXT_GOOD_OLD_INODE_SIZE + EXT_I(inode)->extra_isize + 4;
	struct place p = { .entries = start, .base = start, .end = (char *)raw + EXT_FS(inode->i_sb)->inode_size };

	if (!EXT_I(inode)->has_ibody_xattr)
		return NULL;
	for (struct ext_xattr_entry *e = (void *)start; !is_last(&p, e) && entry_ok(&p, e);
	     e = (void *)((char *)e + ENTRY_LEN(e->e_name_len)))
		if (is_named(e, index, name)) {
			*entry = e;
			*size = e->e_value_size;
			return p.base + e->e_value_offs;
		}
	return NULL;
}

static struct attr *find_attr(struct list_head *list, u8 index, const char *name)
{
	struct attr *a;

	list_for_each_entry(a, list, link)
		if (a->index == index && !strcmp(a->name, name))
			return a;
	return NULL;
}

/* ---- writing ---- */

static u32 entry_hash(const struct ext_xattr_entry *e, const char *value)
{
	u32 hash = 0;

	for (u32 i = 0; i < e->e_name_len; i++)
		hash = rol32(hash, 5) ^ (u8)e->e_name[i];
	for (u32 i = 0; i < PAD(e->e_value_size); i += 4)
		hash = rol32(hash, 16) ^ get_unaligned_le32(value + i);
	return hash;
}

/* Those of the list that belong here.  There is room. */
static void write_place(struct place *p, struct list_head *list, bool block)
{
	struct ext_xattr_entry *e = (void *)p->entries;
	char *value = p->end;
	struct attr *a;

	memset(p->entries, 0, (size_t)(p->end - p->entries));
	list_for_each_entry(a, list, link) {
		if (a->in_block != block)
			continue;
		value -= PAD(a->size);
		*e = (struct ext_xattr_entry){ .e_name_len = a->name_len, .e_name_index = a->index, .e_value_size = a->size,
					       .e_value_offs = a->size ? (u16)(value - p->base) : 0 };
		memcpy(e->e_name, a->name, a->name_len);
		memcpy(value, a->value, a->size);
		e->e_hash = a->index == EXT_XATTR_SYSTEM ? 0 : entry_hash(e, value);	/* inline_dir.c changes it in place */
		e = (void *)((char *)e + ENTRY_LEN(a->name_len));
	}
}

static u32 space_of(const struct attr *a)
{
	return ENTRY_LEN(a->name_len) + PAD(a->size);
}

/*
 * Which go into the inode: first inline data, which must; then the others as they come, as long as there is room.  True if
 * what is left fits a block.
 */
static bool distribute(struct list_head *list, u32 inode_room, u32 block_room)
{
	struct attr *data = find_attr(list, EXT_XATTR_SYSTEM, EXT_INLINE_NAME), *a;

	if (data) {
		data->in_block = false;
		if (space_of(data) > inode_room)
			return false;
		inode_room -= space_of(data);
	}
	list_for_each_entry(a, list, link) {
		u32 need = space_of(a);
		u32 *room = need <= inode_room ? &inode_room : &block_room;

		if (a == data)
			continue;
		a->in_block = room == &block_room;
		if (need > *room)
			return false;
		*room -= need;
	}
	return true;
}

/* In a block entries are in order of index, length and name. */
static int by_name(void *priv, const struct list_head *x, const struct list_head *y)
{
	const struct attr *a = list_entry(x, struct attr, link), *b = list_entry(y, struct attr, link);

	if (a->index != b->index)
		return a->index - b->index;
	return a->name_len != b->name_len ? a->name_len - b->name_len : memcmp(a->name, b->name, a->name_len);
}

static bool any_in_block(struct list_head *list)
{
	struct attr *a;

	list_for_each_entry(a, list, link)
		if (a->in_block)
			return true;
	return false;
}

static void finish_block(struct inode *inode, struct buffer_head *bh)
{
	struct ext_xattr_header *h = (void *)bh->b_data;
	struct place p;
	u32 hash = 0;

	block_place(bh, &p);
	for (struct ext_xattr_entry *e = (void *)p.entries; !is_last(&p, e); e = (void *)((char *)e + ENTRY_LEN(e->e_name_len)))
		hash = rol32(hash, 16) ^ e->e_hash;
	h->h_hash = hash;
	if (has_metadata_csum(EXT_FS(inode->i_sb)))
		h->h_checksum = ext_xattr_csum(inode, bh->b_blocknr, h);
}

int ext_xattr_drop_block(struct jbd_handle *handle, struct inode *inode)
{
	u64 block = EXT_I(inode)->file_acl;
	struct ext_xattr_header *h;
	struct buffer_head *bh;
	int err;

	if (!block)
		return 0;
	bh = read_block(inode);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	h = (void *)bh->b_data;
	EXT_I(inode)->file_acl = 0;
	if (h->h_refcount == 1) {
		brelse(bh);
		return ext_free_blocks(handle, inode, block, 1, true);
	}
	err = ext_access(handle, bh);
	if (!err) {
		h->h_refcount--;
		finish_block(inode, bh);
		err = ext_dirty(handle, bh);
		inode_sub_bytes(inode, i_blocksize(inode));
	}
	brelse(bh);
	return err;
}

/* A block of our own, or none. */
static int write_block(struct jbd_handle *handle, struct inode *inode, struct list_head *list)
{
	struct ext_xattr_header *h;
	struct buffer_head *bh;
	struct place p;
	int err = ext_xattr_drop_block(handle, inode);

	if (err || !any_in_block(list))
		return err;
	if (!ext_has_free(EXT_FS(inode->i_sb), 1))
		return -ENOSPC;
	bh = ext_new_meta_block(handle, inode, ext_inode_goal(inode));
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	h = (void *)bh->b_data;
	*h = (struct ext_xattr_header){ .h_magic = EXT_XATTR_MAGIC, .h_refcount = 1, .h_blocks = 1 };
	block_place(bh, &p);
	write_place(&p, list, true);
	finish_block(inode, bh);
	EXT_I(inode)->file_acl = bh->b_blocknr;
	err = ext_dirty(handle, bh);
	brelse(bh);
	return err;
}

static int write_all(struct jbd_handle *handle, struct inode *inode, struct list_head *list)
{
	u32 block_room = (u32)inode->i_sb->s_blocksize - (u32)sizeof(struct ext_xattr_header) - 4;
	struct place p;
	int err = inode_place(inode, &p);

	if (err)
		return err;
	list_sort(NULL, list, by_name);
	err = distribute(list, p.bh ? (u32)(p.end - p.entries) - 4 : 0, block_room) ? 0 : -ENOSPC;
	if (!err)
		err = write_block(handle, inode, list);
	if (!err && p.bh) {
		err = ext_access(handle, p.bh);
		if (!err) {
			put_unaligned_le32(EXT_XATTR_MAGIC, p.entries - 4);
			write_place(&p, list, false);
			EXT_I(inode)->has_ibody_xattr = true;
			err = ext_dirty(handle, p.bh);
		}
	}
	brelse(p.bh);
	return err;
}

/* value NULL: remove. */
static int change(struct list_head *list, u8 index, const char *name, const void *value, size_t size, int flags)
{
	struct attr *old = find_attr(list, index, name);

	if (old && flags & XATTR_CREATE)
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE || !value))
		return -ENODATA;
	if (old)
		free_attr(old);
	return value ? add_attr(list, index, name, strlen(name), value, size) : 0;
}

/* As part of the handle (CREDITS_XATTR); the inode is not written. */
int ext_xattr_set_in(struct jbd_handle *handle, struct inode *inode, u8 index, const char *name, const void *value,
		     size_t size, int flags)
{
	LIST_HEAD(list);
	int err;

	if (size > inode->i_sb->s_blocksize)
		return -ENOSPC;
	down_write(&EXT_I(inode)->xattr_sem);
	err = read_all(inode, &list);
	if (!err)
		err = change(&list, index, name, value, size, flags);
	if (!err)
		err = write_all(handle, inode, &list);
	up_write(&EXT_I(inode)->xattr_sem);
	free_list(&list);
	return err;
}

static int set_xattr(struct inode *inode, u8 index, const char *name, const void *value, size_t size, int flags)
{
	struct jbd_handle *handle;
	int err;

	if (strlen(name) > 255)
		return -ERANGE;
	handle = ext_start(inode->i_sb, CREDITS_XATTR);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	err = ext_xattr_set_in(handle, inode, index, name, value, size, flags);
	if (!err) {
		inode->i_ctime = current_time(inode);
		err = ext_write_inode_to(handle, inode);
	}
	ext_stop(inode->i_sb, handle);
	return err;
}

int ext_xattr_get(struct inode *inode, u8 index, const char *name, void *buf, size_t size)
{
	struct attr *a;
	LIST_HEAD(list);
	int ret;

	if (!EXT_I(inode)->has_ibody_xattr && !EXT_I(inode)->file_acl)
		return -ENODATA;
	down_read(&EXT_I(inode)->xattr_sem);
	ret = read_all(inode, &list);
	up_read(&EXT_I(inode)->xattr_sem);
	a = ret ? NULL : find_attr(&list, index, name);
	if (!ret)
		ret = !a ? -ENODATA : size && size < a->size ? -ERANGE : (int)a->size;
	if (ret > 0 && size)
		memcpy(buf, a->value, a->size);
	free_list(&list);
	return ret;
}

/* ---- handlers: flags is the index ---- */

static int handler_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
		       void *buf, size_t size)
{
	if (handler->flags == EXT_XATTR_USER && EXT_FS(inode->i_sb)->opt.nouser_xattr)
		return -EOPNOTSUPP;
	return ext_xattr_get(inode, (u8)handler->flags, name, buf, size);
}

static int handler_set(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
		       const void *value, size_t size, int flags)
{
	if (handler->flags == EXT_XATTR_USER && EXT_FS(inode->i_sb)->opt.nouser_xattr)
		return -EOPNOTSUPP;
	return set_xattr(inode, (u8)handler->flags, name, value, size, flags);
}

static const struct xattr_handler user_handler = {
	.prefix = XATTR_USER_PREFIX, .flags = EXT_XATTR_USER, .get = handler_get, .set = handler_set,
};
static const struct xattr_handler trusted_handler = {
	.prefix = XATTR_TRUSTED_PREFIX, .flags = EXT_XATTR_TRUSTED, .get = handler_get, .set = handler_set,
};
static const struct xattr_handler security_handler = {
	.prefix = XATTR_SECURITY_PREFIX, .flags = EXT_XATTR_SECURITY, .get = handler_get, .set = handler_set,
};
const struct xattr_handler *ext_xattr_handlers[] = {
	&user_handler, &trusted_handler, &security_handler,
	&posix_acl_access_xattr_handler, &posix_acl_default_xattr_handler, NULL
};

static const char *prefix_of(u8 index)
{
	if (index == EXT_XATTR_ACL_ACCESS)
		return posix_acl_access_xattr_handler.name;
	if (index == EXT_XATTR_ACL_DEFAULT)
		return posix_acl_default_xattr_handler.name;
	for (const struct xattr_handler **h = ext_xattr_handlers; *h; h++)
		if ((*h)->prefix && (*h)->flags == index)
			return (*h)->prefix;
	return NULL;				/* of a kind we do not show */
}

ssize_t ext_listxattr(struct dentry *dentry, char *buf, size_t size)
{
	struct inode *inode = d_inode(dentry);
	bool trusted = capable(CAP_SYS_ADMIN);
	ssize_t used = 0;
	struct attr *a;
	LIST_HEAD(list);
	int err;

	down_read(&EXT_I(inode)->xattr_sem);
	err = read_all(inode, &list);
	up_read(&EXT_I(inode)->xattr_sem);
	list_for_each_entry(a, &list, link) {
		const char *prefix = prefix_of(a->index);
		size_t len = prefix ? strlen(prefix) : 0;

		if (!prefix || (a->index == EXT_XATTR_TRUSTED && !trusted))
			continue;
		if (size && used + len + a->name_len + 1 > size) {
			err = -ERANGE;
			break;
		}
		if (size) {
			memcpy(buf + used, prefix, len);
			memcpy(buf + used + len, a->name, a->name_len + 1u);
		}
		used += (ssize_t)(len + a->name_len + 1);
	}
	free_list(&list);
	return err ? err : used;
}
