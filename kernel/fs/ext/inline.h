/*
 * inline.h: files and directories whose data lie in the inode itself.
 *
 * Locking: page 0 locked, or the inode new, or a directory's i_rwsem held.
 * See:     inline.c, inline_dir.c
 */
#ifndef WEFT_EXT_INLINE_H
#define WEFT_EXT_INLINE_H

#include "ext.h"

/* ---- inline.c ---- */
u32 ext_inline_room(struct inode *inode);
int ext_inline_read(struct inode *inode, void *buf, size_t size);
int ext_inline_store(struct jbd_handle *handle, struct inode *inode, const void *data, size_t size);
bool ext_inline_init(struct jbd_handle *handle, struct inode *inode);
int ext_inline_drop(struct jbd_handle *handle, struct inode *inode);
int ext_inline_to_blocks(struct inode *inode, struct page *page);
int ext_inline_make_room(struct inode *inode, loff_t size, bool force);	/* takes the page's lock */
int ext_inline_readpage(struct inode *inode, struct page *page);
int ext_inline_write_end(struct inode *inode, struct page *page, loff_t pos, unsigned int copied);
int ext_inline_set_size(struct inode *inode, loff_t size);	/* takes the page's lock */
int ext_inline_fiemap(struct inode *inode, struct fiemap_extent_info *info);

/* ---- inline_dir.c ---- */
struct buffer_head *ext_inline_find(struct inode *dir, const struct qstr *name, struct ext_dirent **found);
int ext_inline_dir_empty(struct inode *dir);
int ext_inline_readdir(struct file *file, struct dir_context *ctx);
void ext_inline_init_dir(struct inode *dir, const struct inode *parent);
void ext_inline_set_parent(struct inode *dir, const struct inode *parent);
int ext_inline_delete(struct jbd_handle *handle, struct inode *dir, const struct ext_dirent *victim);
int ext_inline_set_entry(struct jbd_handle *handle, struct inode *dir, struct ext_dirent *de, const struct inode *inode);
int ext_inline_add(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, const struct inode *inode);

#endif
