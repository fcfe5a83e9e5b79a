/*
 * extents.h: the extent tree as its files see it: nodes, paths from the root to a leaf, entries.
 *
 * Locking: data_sem of the inode, for writing to change anything.
 */
#ifndef WEFT_EXT_EXTENTS_H
#define WEFT_EXT_EXTENTS_H

#include "ext.h"

/* One node on the way down. */
struct ext_node {
	struct buffer_head	*bh;		/* NULL: the root, in the inode */
	struct ext_extent_header *eh;
	int			pos;		/* the entry taken; -1 in a leaf: before the first */
};
struct ext_path {
	int			depth;		/* node[depth] is the leaf */
	struct ext_node		node[EXT_MAX_DEPTH + 1];
};

static inline struct ext_extent_header *ext_root(const struct inode *inode)
{
	return (struct ext_extent_header *)EXT_I(inode)->data;
}
/* Entry i of a leaf, of an inner node. */
static inline struct ext_extent *eh_extent(struct ext_extent_header *eh, int i)
{
	return (struct ext_extent *)(eh + 1) + i;
}
static inline struct ext_extent_idx *eh_idx(struct ext_extent_header *eh, int i)
{
	return (struct ext_extent_idx *)(eh + 1) + i;
}

static inline bool ee_unwritten(const struct ext_extent *ee) { return ee->ee_len > EXT_INIT_MAX_LEN; }
static inline u32 ee_len(const struct ext_extent *ee)
{
	return ee_unwritten(ee) ? ee->ee_len - EXT_INIT_MAX_LEN : ee->ee_len;
}
static inline ext_pblk_t ee_start(const struct ext_extent *ee) { return make64(ee->ee_start_hi, ee->ee_start_lo); }
static inline u64 ee_end(const struct ext_extent *ee) { return (u64)ee->ee_block + ee_len(ee); }
static inline ext_pblk_t ei_leaf(const struct ext_extent_idx *ei) { return make64(ei->ei_leaf_hi, ei->ei_leaf_lo); }
static inline void ee_set(struct ext_extent *ee, ext_lblk_t lblk, ext_pblk_t pblk, u32 len, bool unwritten)
{
	ee->ee_block = lblk;
	ee->ee_start_lo = (u32)pblk;
	ee->ee_start_hi = (u16)(pblk >> 32);
	ee->ee_len = (u16)(len + (unwritten ? EXT_INIT_MAX_LEN : 0));
}
static inline void ei_set(struct ext_extent_idx *ei, ext_lblk_t lblk, ext_pblk_t pblk)
{
	*ei = (struct ext_extent_idx){ .ei_block = lblk, .ei_leaf_lo = (u32)pblk, .ei_leaf_hi = (u16)(pblk >> 32) };
}

/* The way to lblk.  0 or -errno; ext_path_put() in any case. */
int ext_path_find(struct inode *inode, ext_lblk_t lblk, struct ext_path *path);
void ext_path_put(struct ext_path *path);
static inline struct ext_node *path_leaf(struct ext_path *path) { return &path->node[path->depth]; }
/* The first block behind the path's place that has an entry of its own; EXT_MAX_LBLK + 1: none. */
u64 ext_path_next(const struct ext_path *path);
/* Room for entries in a node of a block of its own. */
u32 ext_node_capacity(const struct inode *inode);

#endif
