/*
 * extents_change.c: runs into and out of the extent tree.
 *
 * Idea:    what can fail, making room in the leaf, comes first; then entries change, which cannot.  make_room() does one step
 *          and looks the path up again: split the highest full node whose parent has room, or let the root grow.
 *          The entry of an inner node always names the first block of its subtree, so that of a leaf's first entry is
 *          carried up when it changes (fix_keys).
 * Locking: data_sem for writing; a handle.  The caller writes the inode, in which the root lies.
 * See:     extents.h, extents.c
 */
#include <weft/err.h>
#include "extents.h"

/* Blocks freed by one handle, of a file whose blocks are metadata: each is a buffer of the transaction. */
#define MAX_META_FREE	32

static int node_access(struct jbd_handle *handle, struct ext_node *n)
{
	return n->bh ? ext_access(handle, n->bh) : 0;
}

static int node_dirty(struct jbd_handle *handle, struct inode *inode, struct ext_node *n)
{
	if (!n->bh)
		return 0;
	ext_extent_csum_set(inode, n->bh->b_data);
	return ext_dirty(handle, n->bh);
}

/* An empty node in a new block. */
static int new_node(struct jbd_handle *handle, struct inode *inode, struct ext_node *n, u16 depth)
{
	struct buffer_head *bh = ext_new_meta_block(handle, inode, ext_inode_goal(inode));

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	*n = (struct ext_node){ .bh = bh, .eh = (struct ext_extent_header *)bh->b_data };
	*n->eh = (struct ext_extent_header){
		.eh_magic = EXT_EXTENT_MAGIC, .eh_max = (u16)ext_node_capacity(inode), .eh_depth = depth,
	};
	return 0;
}

/* ---- room ---- */

/* The root's entries move into a node below it. */
static int grow(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_extent_header *root = ext_root(inode);
	struct ext_node n;
	int err;

	if (root->eh_depth == EXT_MAX_DEPTH)
		return -ENOSPC;
	err = new_node(handle, inode, &n, root->eh_depth);
	if (err)
		return err;
	memcpy(n.eh + 1, root + 1, root->eh_entries * sizeof(struct ext_extent));
	n.eh->eh_entries = root->eh_entries;
	ei_set(eh_idx(root, 0), eh_extent(n.eh, 0)->ee_block, n.bh->b_blocknr);
	root->eh_entries = 1;
	root->eh_depth++;
	err = node_dirty(handle, inode, &n);
	brelse(n.bh);
	return err;
}

/* The upper half moves into a new node; of a leaf that grows at its end nothing does: so full leaves stay full. */
static int split(struct jbd_handle *handle, struct inode *inode, struct ext_path *path, int level, ext_lblk_t lblk)
{
	struct ext_node *n = &path->node[level], *parent = n - 1, right;
	bool append = level == path->depth && n->pos == n->eh->eh_entries - 1 && lblk >= ee_end(eh_extent(n->eh, n->pos));
	int keep = append ? n->eh->eh_entries : n->eh->eh_entries / 2, moved = n->eh->eh_entries - keep;
	ext_lblk_t key = append ? lblk : eh_extent(n->eh, keep)->ee_block;
	int err = node_access(handle, n);

	if (!err)
		err = node_access(handle, parent);
	if (!err)
		err = new_node(handle, inode, &right, n->eh->eh_depth);
	if (err)
		return err;
	memcpy(right.eh + 1, eh_extent(n->eh, keep), moved * sizeof(struct ext_extent));
	right.eh->eh_entries = (u16)moved;
	n->eh->eh_entries = (u16)keep;
	memmove(eh_idx(parent->eh, parent->pos + 2), eh_idx(parent->eh, parent->pos + 1),
		(parent->eh->eh_entries - parent->pos - 1) * sizeof(struct ext_extent_idx));
	ei_set(eh_idx(parent->eh, parent->pos + 1), key, right.bh->b_blocknr);
	parent->eh->eh_entries++;
	err = node_dirty(handle, inode, &right);
	brelse(right.bh);
	if (!err)
		err = node_dirty(handle, inode, n);
	return err ? err : node_dirty(handle, inode, parent);
}

static int room_of(const struct ext_node *n)
{
	return n->eh->eh_max - n->eh->eh_entries;
}

/* The way to lblk, with room for so many entries more in the leaf. */
static int make_room(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk, int need, struct ext_path *path)
{
	for (;;) {
		int err = ext_path_find(inode, lblk, path), level = path->depth;

		if (err || room_of(path_leaf(path)) >= need)
			return err;
		while (level > 0 && !room_of(&path->node[level - 1]))
			level--;
		err = level ? split(handle, inode, path, level, lblk) : grow(handle, inode);
		ext_path_put(path);
		if (err)
			return err;
	}
}

/* The first entry of node[level] has changed: the parents say so, too. */
static int fix_keys(struct jbd_handle *handle, struct inode *inode, struct ext_path *path, int level)
{
	ext_lblk_t key = eh_extent(path->node[level].eh, 0)->ee_block;

	while (level-- > 0) {
		struct ext_node *n = &path->node[level];
		int err = 0;

		if (eh_idx(n->eh, n->pos)->ei_block == key)
			return 0;
		err = node_access(handle, n);
		if (err)
			return err;
		eh_idx(n->eh, n->pos)->ei_block = key;
		err = node_dirty(handle, inode, n);
		if (err || n->pos)
			return err;
	}
	return 0;
}

/* ---- entries of a leaf ---- */

static void insert_at(struct ext_extent_header *eh, int pos)
{
	memmove(eh_extent(eh, pos + 1), eh_extent(eh, pos), (eh->eh_entries - pos) * sizeof(struct ext_extent));
	eh->eh_entries++;
}

static void delete_at(struct ext_extent_header *eh, int pos)
{
	memmove(eh_extent(eh, pos), eh_extent(eh, pos + 1), (eh->eh_entries - pos - 1) * sizeof(struct ext_extent));
	eh->eh_entries--;
}

/* Entries pos and pos + 1 become one, if they follow each other. */
static bool try_merge(struct ext_extent_header *eh, int pos)
{
	struct ext_extent *a, *b;
	u32 len;

	if (pos < 0 || pos + 1 >= eh->eh_entries)
		return false;
	a = eh_extent(eh, pos);
	b = eh_extent(eh, pos + 1);
	len = ee_len(a) + ee_len(b);
	if (ee_unwritten(a) != ee_unwritten(b) || ee_end(a) != b->ee_block || ee_start(a) + ee_len(a) != ee_start(b) ||
	    len > (ee_unwritten(a) ? EXT_UNWRITTEN_MAX_LEN : EXT_INIT_MAX_LEN))
		return false;
	ee_set(a, a->ee_block, ee_start(a), len, ee_unwritten(a));
	delete_at(eh, pos + 1);
	return true;
}

/* At most as long as an entry can be.  map is a hole so far. */
static int insert_one(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map)
{
	struct ext_path path;
	int err = make_room(handle, inode, map->lblk, 1, &path), pos;
	struct ext_node *leaf = path_leaf(&path);

	if (!err)
		err = node_access(handle, leaf);
	if (err)
		goto out;
	pos = leaf->pos + 1;
	if ((leaf->pos >= 0 && ee_end(eh_extent(leaf->eh, leaf->pos)) > map->lblk) ||
	    (u64)map->lblk + map->len > ext_path_next(&path)) {
		ext_error(inode->i_sb, "inode %lu: block %u has a place already", inode->i_ino, map->lblk);
		err = -EUCLEAN;
		goto out;
	}
	insert_at(leaf->eh, pos);
	ee_set(eh_extent(leaf->eh, pos), map->lblk, map->pblk, map->len, map->flags & EXT_MAP_UNWRITTEN);
	try_merge(leaf->eh, pos);
	try_merge(leaf->eh, pos - 1);
	err = node_dirty(handle, inode, leaf);
	if (!err && !pos)
		err = fix_keys(handle, inode, &path, path.depth);
out:
	ext_path_put(&path);
	return err;
}

int ext_ext_insert(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map)
{
	struct ext_map rest = *map;
	int err = 0;

	while (rest.len && !err) {
		struct ext_map piece = rest;

		piece.len = min(rest.len, (u32)EXT_UNWRITTEN_MAX_LEN);
		err = insert_one(handle, inode, &piece);
		rest.lblk += piece.len;
		rest.pblk += piece.len;
		rest.len -= piece.len;
	}
	return err;
}

/* The part of one unwritten entry that lies in [lblk, lblk + len).  Blocks done, or -errno. */
static int convert_one(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk, u32 len)
{
	struct ext_path path;
	struct ext_node *leaf;
	struct ext_extent *ee, old;
	u32 head, n, tail;
	int err = make_room(handle, inode, lblk, 2, &path), pos;

	leaf = path_leaf(&path);
	if (!err)
		err = node_access(handle, leaf);
	if (err)
		goto out;
	pos = leaf->pos;
	ee = pos >= 0 ? eh_extent(leaf->eh, pos) : NULL;
	if (!ee || ee_end(ee) <= lblk) {
		err = -EUCLEAN;
		goto out;
	}
	old = *ee;
	n = (u32)min((u64)len, ee_end(ee) - lblk);
	head = lblk - old.ee_block;
	tail = (u32)(ee_end(&old) - lblk - n);
	if (!ee_unwritten(&old))
		goto done;
	if (head) {
		insert_at(leaf->eh, pos);
		ee_set(eh_extent(leaf->eh, pos++), old.ee_block, ee_start(&old), head, true);
	}
	ee_set(eh_extent(leaf->eh, pos), lblk, ee_start(&old) + head, n, false);
	if (tail) {
		insert_at(leaf->eh, pos + 1);
		ee_set(eh_extent(leaf->eh, pos + 1), lblk + n, ee_start(&old) + head + n, tail, true);
	}
	try_merge(leaf->eh, pos);
	try_merge(leaf->eh, pos - 1);
	err = node_dirty(handle, inode, leaf);
done:
	ext_path_put(&path);
	return err ? err : (int)n;
out:
	ext_path_put(&path);
	return err;
}

int ext_ext_convert(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk, u32 len)
{
	while (len) {
		int n = convert_one(handle, inode, lblk, len);

		if (n < 0)
			return n;
		lblk += n;
		len -= n;
	}
	return 0;
}

/* ---- out of the tree ---- */

/* Nodes that have become empty are freed, from the leaf up. */
static int drop_empty(struct jbd_handle *handle, struct inode *inode, struct ext_path *path)
{
	int level = path->depth, err = 0;

	while (level > 0 && !path->node[level].eh->eh_entries && !err) {
		struct ext_node *parent = &path->node[level - 1];

		err = node_access(handle, parent);
		if (err)
			return err;
		delete_at(parent->eh, parent->pos);	/* both kinds of entries are of a size */
		err = node_dirty(handle, inode, parent);
		if (!err)
			err = ext_free_blocks(handle, inode, path->node[level].bh->b_blocknr, 1, true);
		level--;
	}
	if (!level && !path->node[0].eh->eh_entries)
		path->node[0].eh->eh_depth = 0;
	else if (!err)
		err = fix_keys(handle, inode, path, level);
	return err;
}

/* Takes [s, e) out of the entry at the path's end, within which it lies; the leaf has room for one more. */
static int cut(struct jbd_handle *handle, struct inode *inode, struct ext_path *path, ext_lblk_t s, u64 e)
{
	struct ext_node *leaf = path_leaf(path);
	struct ext_extent *ee = eh_extent(leaf->eh, leaf->pos), old = *ee;
	u32 head = s - old.ee_block, tail = (u32)(ee_end(&old) - e), n = (u32)(e - s);
	bool uw = ee_unwritten(&old);
	int err = node_access(handle, leaf);

	if (err)
		return err;
	if (head)
		ee_set(ee, old.ee_block, ee_start(&old), head, uw);
	if (head && tail)
		insert_at(leaf->eh, leaf->pos + 1);
	if (tail)
		ee_set(ee + (head ? 1 : 0), (ext_lblk_t)e, ee_start(&old) + head + n, tail, uw);
	if (!head && !tail)
		delete_at(leaf->eh, leaf->pos);
	err = node_dirty(handle, inode, leaf);
	if (!err)
		err = drop_empty(handle, inode, path);
	return err ? err : ext_free_blocks(handle, inode, ee_start(&old) + head, n, ext_blocks_are_logged(inode));
}

int ext_ext_remove_some(struct jbd_handle *handle, struct inode *inode, ext_lblk_t from, u64 to)
{
	struct ext_map map = { .lblk = from, .len = UINT_MAX };
	struct ext_path path;
	u64 e;
	int err = ext_ext_lookup(inode, &map);

	if (!err && !map.flags) {		/* a hole: behind it */
		u64 next = (u64)from + map.len;

		if (next >= to || next > EXT_MAX_LBLK)
			return 0;
		from = map.lblk = (ext_lblk_t)next;
		map.len = UINT_MAX;
		err = ext_ext_lookup(inode, &map);
	}
	if (err || !map.flags || from >= to)
		return err;
	e = min((u64)from + map.len, to);
	if (!S_ISREG(inode->i_mode))
		e = min(e, (u64)from + MAX_META_FREE);
	err = make_room(handle, inode, from, 1, &path);
	if (!err)
		err = cut(handle, inode, &path, from, e);
	ext_path_put(&path);
	return err ? err : 1;
}
