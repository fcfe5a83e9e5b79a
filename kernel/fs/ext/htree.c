/*
 * htree.c: the index of a large directory: blocks of entries in order of the hash of their names.
 *
 * Idea:    block 0 is the root: behind "." and ".." an array of (least hash, block), each for a leaf or, in larger
 *          directories, for an inner node with such an array.  The least hash of the first is that of the whole node, so its
 *          place holds count and limit.  A leaf is a plain block of entries in no order; when it is full, the upper half of
 *          its hashes moves into a new one.  Names of one hash that had to be split: the second leaf's least hash has bit 0.
 *          To add, first every full node on the way gets room (from the top, each time looking again), then the leaf splits.
 * Locking: i_rwsem of the directory.
 * See:     hash.c, dir.c; ext_disk.h; the kernel.org wiki "Ext4 Disk Layout", "Hash Tree Directories"
 */
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/sort.h>
#include <weft/string.h>
#include "ext.h"

#define MAX_LEVELS	3			/* of nodes, the root included; with large_dir one more */
#define ROOT_INFO	24			/* behind "." and ".." */
#define NODE_ENTRIES	8			/* behind the unused entry */
#define BH_Summed	(BH_PrivateStart + 7)	/* a node whose checksum was right */

struct dx_frame {
	struct buffer_head	*bh;
	struct ext_dx_entry	*entries;	/* [0]'s hash is count and limit */
	u32			at;		/* the one taken */
};
struct dx_path {
	struct dx_frame		frame[MAX_LEVELS + 1];
	int			levels;		/* frames in use */
	u8			version;
	struct ext_hash		hash;
};

static struct ext_dx_countlimit *cl_of(struct ext_dx_entry *entries)
{
	return (struct ext_dx_countlimit *)entries;
}
static u32 dx_count(struct ext_dx_entry *e) { return cl_of(e)->count; }
static u32 dx_limit(struct ext_dx_entry *e) { return cl_of(e)->limit; }

static u32 max_entries(const struct inode *dir, u32 from)
{
	u32 tail = has_metadata_csum(EXT_FS(dir->i_sb)) ? sizeof(struct ext_dx_tail) : 0;

	return ((u32)dir->i_sb->s_blocksize - from - tail) / (u32)sizeof(struct ext_dx_entry);
}

static int max_levels(const struct inode *dir)
{
	return has_incompat(EXT_FS(dir->i_sb), INCOMPAT_LARGEDIR) ? MAX_LEVELS : MAX_LEVELS - 1;
}

static void put_path(struct dx_path *p)
{
	for (int i = 0; i < p->levels; i++)
		brelse(p->frame[i].bh);
	p->levels = 0;
}

/* ---- looking ---- */

/* The checksum only once, when the block comes from the disk. */
static bool node_ok(struct inode *dir, struct buffer_head *bh, struct ext_dx_entry *entries)
{
	u32 from = (u32)((char *)entries - bh->b_data);

	if (dx_limit(entries) != max_entries(dir, from) || !dx_count(entries) || dx_count(entries) > dx_limit(entries))
		return false;
	if (test_bit(BH_Summed, &bh->b_state))
		return true;
	if (!ext_dx_csum_ok(dir, bh->b_data, cl_of(entries)))
		return false;
	set_bit(BH_Summed, &bh->b_state);
	return true;
}

/* The last entry whose least hash is not above. */
static u32 find_at(struct ext_dx_entry *entries, u32 hash)
{
	u32 lo = 1, hi = dx_count(entries);

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (entries[mid].hash <= hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/* One node more onto the path. */
static int push(struct inode *dir, struct dx_path *p, struct buffer_head *bh, u32 from, u32 hash)
{
	struct ext_dx_entry *entries = (struct ext_dx_entry *)(bh->b_data + from);

	if (!node_ok(dir, bh, entries)) {
		brelse(bh);
		ext_error(dir->i_sb, "directory %lu: broken index", dir->i_ino);
		return -EINVAL;
	}
	p->frame[p->levels++] = (struct dx_frame){ bh, entries, find_at(entries, hash) };
	return 0;
}

/* From the root to the node above the leaf.  With a name its hash is computed, otherwise p->hash.major is given. */
static int probe(struct inode *dir, const struct qstr *name, struct dx_path *p)
{
	struct ext_fs *fs = EXT_FS(dir->i_sb);
	struct buffer_head *bh = ext_read_dir_block(dir, 0);
	struct ext_dx_info *info;
	int err, levels;

	p->levels = 0;
	if (IS_ERR(bh))
		return (int)PTR_ERR(bh);
	info = (struct ext_dx_info *)(bh->b_data + ROOT_INFO);
	levels = info->indirect_levels;
	p->version = info->hash_version + (info->hash_version <= DX_HASH_TEA ? fs->hash_unsigned : 0);
	err = info->info_length != sizeof(*info) || info->unused_flags & 1 || levels >= max_levels(dir) ? -EINVAL : 0;
	if (!err && name)
		err = ext_dirhash(fs, p->version, (const char *)name->name, name->len, &p->hash);
	if (err) {
		brelse(bh);
		return err;
	}
	err = push(dir, p, bh, ROOT_INFO + sizeof(*info), p->hash.major);
	while (!err && levels--) {
		struct dx_frame *f = &p->frame[p->levels - 1];

		bh = ext_read_dir_block(dir, f->entries[f->at].block);
		err = IS_ERR(bh) ? (int)PTR_ERR(bh) : push(dir, p, bh, NODE_ENTRIES, p->hash.major);
	}
	if (err)
		put_path(p);
	return err;
}

/* The least hash of the leaf behind the path's; 0: there is none. */
static u32 next_hash(const struct dx_path *p)
{
	for (int i = p->levels - 1; i >= 0; i--) {
		const struct dx_frame *f = &p->frame[i];

		if (f->at + 1 < dx_count(f->entries))
			return f->entries[f->at + 1].hash;
	}
	return 0;
}

static struct buffer_head *read_leaf(struct inode *dir, const struct dx_path *p)
{
	const struct dx_frame *f = &p->frame[p->levels - 1];

	return ext_read_dir_block(dir, f->entries[f->at].block);
}

struct buffer_head *ext_dx_leaf(struct inode *dir, u32 hash, u32 *next, u8 *version)
{
	struct dx_path p = { .hash.major = hash };
	struct buffer_head *bh;
	int err = probe(dir, NULL, &p);

	if (err)
		return ERR_PTR(err);
	bh = read_leaf(dir, &p);
	*next = next_hash(&p);
	*version = p.version;
	put_path(&p);
	return bh;
}

struct buffer_head *ext_dx_find(struct inode *dir, const struct qstr *name, struct ext_dirent **de)
{
	struct dx_path p = { };
	struct buffer_head *bh;
	u32 next;
	int err;

	if (name->len <= 2 && name->name[0] == '.' && (name->len == 1 || name->name[1] == '.'))
		return ext_find_linear(dir, name, de, 0, 1);
	err = probe(dir, name, &p);
	if (err)
		return ERR_PTR(err);
	for (;;) {
		bh = read_leaf(dir, &p);
		if (IS_ERR(bh))
			break;
		*de = ext_search_block(dir, bh, name);
		if (*de)
			break;
		brelse(bh);
		bh = NULL;
		next = next_hash(&p);
		put_path(&p);
		if ((next & ~1u) != p.hash.major || !(next & 1))
			break;
		p.hash.major = next;		/* the same hash goes on there */
		err = probe(dir, NULL, &p);
		if (err)
			return ERR_PTR(err);
		p.hash.major = next & ~1u;
	}
	put_path(&p);
	return bh;
}

/* ---- room in the nodes ---- */

static int dirty_node(struct jbd_handle *handle, struct inode *dir, struct dx_frame *f)
{
	ext_dx_csum_set(dir, f->bh->b_data, cl_of(f->entries));
	return ext_dirty(handle, f->bh);
}

/* The block with "." and "..", which has the root's checksum when there is an index. */
int ext_dirty_root_block(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh)
{
	struct dx_frame f = { .bh = bh, .entries = (void *)(bh->b_data + ROOT_INFO + sizeof(struct ext_dx_info)) };

	return EXT_I(dir)->flags & EXT_INDEX_FL ? dirty_node(handle, dir, &f) : ext_dirty_dir_block(handle, dir, bh);
}

/* Access got before.  There is room. */
static void insert_after(struct dx_frame *f, u32 hash, u32 block)
{
	u32 count = dx_count(f->entries);

	memmove(&f->entries[f->at + 2], &f->entries[f->at + 1], (count - f->at - 1) * sizeof(*f->entries));
	f->entries[f->at + 1] = (struct ext_dx_entry){ hash, block };
	cl_of(f->entries)->count = (u16)(count + 1);
}

/* A block more at the end of the directory. */
static struct buffer_head *new_block(struct jbd_handle *handle, struct inode *dir, u32 *lblk)
{
	struct buffer_head *bh;

	*lblk = (u32)(dir->i_size >> dir->i_blkbits);
	bh = ext_append(handle, dir, *lblk);
	if (IS_ERR(bh))
		return bh;
	i_size_write(dir, dir->i_size + (loff_t)dir->i_sb->s_blocksize);
	EXT_I(dir)->disksize = dir->i_size;
	return bh;
}

/* An empty inner node in a new block. */
static int new_node(struct jbd_handle *handle, struct inode *dir, struct dx_frame *f, u32 *lblk)
{
	struct ext_dirent *fake;

	f->bh = new_block(handle, dir, lblk);
	if (IS_ERR(f->bh))
		return (int)PTR_ERR(f->bh);
	fake = (void *)f->bh->b_data;
	fake->rec_len = (u16)dir->i_sb->s_blocksize;
	f->entries = (struct ext_dx_entry *)(f->bh->b_data + NODE_ENTRIES);
	cl_of(f->entries)->limit = (u16)max_entries(dir, NODE_ENTRIES);
	return 0;
}

/* The root is full: its entries move into one new node below it. */
static int grow_root(struct jbd_handle *handle, struct inode *dir, struct dx_path *p)
{
	struct dx_frame *root = &p->frame[0], child = { };
	struct ext_dx_info *info = (struct ext_dx_info *)(root->bh->b_data + ROOT_INFO);
	u32 lblk, count = dx_count(root->entries);
	int err;

	if (p->levels >= max_levels(dir))
		return -ENOSPC;
	err = ext_access(handle, root->bh);
	if (!err)
		err = new_node(handle, dir, &child, &lblk);
	if (err)
		return err;
	memcpy(child.entries + 1, root->entries + 1, (count - 1) * sizeof(*child.entries));
	child.entries[0].block = root->entries[0].block;
	cl_of(child.entries)->count = (u16)count;
	cl_of(root->entries)->count = 1;
	root->entries[0].block = lblk;
	info->indirect_levels++;
	err = dirty_node(handle, dir, &child);
	brelse(child.bh);
	return err ? err : dirty_node(handle, dir, root);
}

/* The upper half of a full node moves into a new one; the parent, which has room, learns of it. */
static int split_node(struct jbd_handle *handle, struct inode *dir, struct dx_frame *parent, struct dx_frame *f)
{
	u32 count = dx_count(f->entries), keep = count / 2, lblk;
	struct dx_frame right = { };
	int err = ext_access(handle, parent->bh);

	if (!err)
		err = ext_access(handle, f->bh);
	if (!err)
		err = new_node(handle, dir, &right, &lblk);
	if (err)
		return err;
	insert_after(parent, f->entries[keep].hash, lblk);
	memcpy(right.entries, f->entries + keep, (count - keep) * sizeof(*right.entries));
	cl_of(right.entries)->limit = (u16)max_entries(dir, NODE_ENTRIES);
	cl_of(right.entries)->count = (u16)(count - keep);
	cl_of(f->entries)->count = (u16)keep;
	err = dirty_node(handle, dir, &right);
	brelse(right.bh);
	if (!err)
		err = dirty_node(handle, dir, f);
	return err ? err : dirty_node(handle, dir, parent);
}

/* One step to room in the last node.  1: look again, 0: there is room; -errno. */
static int make_room(struct jbd_handle *handle, struct inode *dir, struct dx_path *p)
{
	int level = p->levels - 1, err;

	if (dx_count(p->frame[level].entries) < dx_limit(p->frame[level].entries))
		return 0;
	while (level > 0 && dx_count(p->frame[level - 1].entries) == dx_limit(p->frame[level - 1].entries))
		level--;
	err = level ? split_node(handle, dir, &p->frame[level - 1], &p->frame[level]) : grow_root(handle, dir, p);
	return err ? err : 1;
}

/* ---- splitting a leaf ---- */

struct dx_item {
	u32	hash;
	u16	offset, size;
};

static int by_hash(const void *a, const void *b)
{
	const struct dx_item *x = a, *y = b;

	return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : (int)x->offset - (int)y->offset;
}

/* What a leaf holds, in order of hash.  How many, or -errno. */
static int collect(struct inode *dir, struct buffer_head *bh, u8 version, struct dx_item *items)
{
	int n = 0;

	for (u32 at = 0; at < bh->b_size;) {
		struct ext_dirent *de = (void *)(bh->b_data + at);
		struct ext_hash h;
		int err = de->inode ? ext_dirhash(EXT_FS(dir->i_sb), version, de->name, de->name_len, &h) : 0;

		if (err)
			return err;
		if (de->inode)
			items[n++] = (struct dx_item){ h.major, (u16)at, (u16)EXT_DIR_REC_LEN(de->name_len) };
		at += de->rec_len;
	}
	sort(items, n, sizeof(*items), by_hash, NULL);
	return n;
}

/* Fills a block with these entries of `from`. */
static void pack(struct inode *dir, struct buffer_head *bh, const char *from, const struct dx_item *items, int n)
{
	struct ext_dirent *de = NULL;
	u32 at = 0;

	ext_init_dir_block(dir, bh, 0);
	for (int i = 0; i < n; i++) {
		de = (void *)(bh->b_data + at);
		memcpy(de, from + items[i].offset, items[i].size);
		de->rec_len = items[i].size;
		at += items[i].size;
	}
	if (de)
		de->rec_len = (u16)(de->rec_len + ext_dir_end(dir) - at);
}

/* How many stay: about half of the bytes. */
static int half_of(const struct dx_item *items, int n)
{
	u32 total = 0, sum = 0;
	int i;

	for (i = 0; i < n; i++)
		total += items[i].size;
	for (i = 0; i < n - 1 && sum + items[i].size <= total / 2; i++)
		sum += items[i].size;
	return max(i, 1);
}

/* The leaf is full, its node is not.  scratch: a block, then room for items. */
static int split_leaf(struct jbd_handle *handle, struct inode *dir, struct dx_path *p, struct buffer_head *leaf, char *scratch)
{
	struct dx_item *items = (struct dx_item *)(scratch + dir->i_sb->s_blocksize);
	struct dx_frame *f = &p->frame[p->levels - 1];
	int n = collect(dir, leaf, p->version, items), keep, err;
	struct buffer_head *right;
	u32 lblk, hash;

	if (n < 2)
		return n < 0 ? n : -ENOSPC;
	err = ext_access(handle, leaf);
	if (!err)
		err = ext_access(handle, f->bh);
	if (err)
		return err;
	right = new_block(handle, dir, &lblk);
	if (IS_ERR(right))
		return (int)PTR_ERR(right);
	keep = half_of(items, n);
	hash = items[keep].hash | (items[keep].hash == items[keep - 1].hash);
	memcpy(scratch, leaf->b_data, dir->i_sb->s_blocksize);
	pack(dir, right, scratch, items + keep, n - keep);
	pack(dir, leaf, scratch, items, keep);
	insert_after(f, hash, lblk);
	err = ext_dirty_dir_block(handle, dir, right);
	brelse(right);
	if (!err)
		err = ext_dirty_dir_block(handle, dir, leaf);
	return err ? err : dirty_node(handle, dir, f);
}

/* ---- adding ---- */

/* One try.  1: something was split, look again. */
static int add_once(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode, char *scratch)
{
	struct dx_path p = { };
	struct buffer_head *leaf;
	int err = probe(dir, name, &p);

	if (err)
		return err == -EINVAL ? -EUCLEAN : err;
	leaf = read_leaf(dir, &p);
	err = IS_ERR(leaf) ? (int)PTR_ERR(leaf) : ext_put_entry(handle, dir, leaf, name, inode);
	if (err == -ENOSPC) {
		err = make_room(handle, dir, &p);
		if (!err)
			err = split_leaf(handle, dir, &p, leaf, scratch) ?: 1;
	}
	if (!IS_ERR(leaf))
		brelse(leaf);
	put_path(&p);
	return err;
}

int ext_dx_add(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode)
{
	size_t bs = dir->i_sb->s_blocksize;
	char *scratch = kmalloc(bs + bs / 12 * sizeof(struct dx_item), GFP_NOFS);
	int err;

	if (!scratch)
		return -ENOMEM;
	do {
		err = add_once(handle, dir, name, inode, scratch);
	} while (err > 0);
	kfree(scratch);
	return err;
}

/* The directory's only block is full: its entries move into a leaf, and it becomes the root.  Then adds. */
int ext_dx_make(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode)
{
	struct buffer_head *root = ext_read_dir_block(dir, 0), *leaf;
	struct dx_frame f;
	struct ext_dirent *dot, *dotdot, *de, *to;
	struct ext_dx_info *info;
	u32 lblk = 0, end = ext_dir_end(dir), at;
	int err;

	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	err = ext_access(handle, root);
	leaf = err ? ERR_PTR(err) : new_block(handle, dir, &lblk);
	if (IS_ERR(leaf)) {
		brelse(root);
		return (int)PTR_ERR(leaf);
	}
	dot = (void *)root->b_data;
	dotdot = (void *)(root->b_data + dot->rec_len);
	at = dot->rec_len + dotdot->rec_len;
	memcpy(leaf->b_data, root->b_data + at, end - at);
	for (de = to = (void *)leaf->b_data; (char *)de < leaf->b_data + (end - at); de = (void *)((char *)de + de->rec_len))
		to = de;
	to->rec_len = (u16)(leaf->b_data + end - (char *)to);
	memset(root->b_data + ROOT_INFO, 0, dir->i_sb->s_blocksize - ROOT_INFO);
	dot->rec_len = 12;
	dotdot->rec_len = (u16)(dir->i_sb->s_blocksize - 12);
	info = (struct ext_dx_info *)(root->b_data + ROOT_INFO);
	info->hash_version = EXT_FS(dir->i_sb)->hash_version;
	info->info_length = sizeof(*info);
	f = (struct dx_frame){ root, (struct ext_dx_entry *)(info + 1), 0 };
	*cl_of(f.entries) = (struct ext_dx_countlimit){ (u16)max_entries(dir, ROOT_INFO + sizeof(*info)), 1 };
	f.entries[0].block = lblk;
	EXT_I(dir)->flags |= EXT_INDEX_FL;
	err = ext_dirty_dir_block(handle, dir, leaf);
	if (!err)
		err = dirty_node(handle, dir, &f);
	brelse(leaf);
	brelse(root);
	return err ? err : ext_dx_add(handle, dir, name, inode);
}
