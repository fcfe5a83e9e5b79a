/*
 * orphan_file.c: the other list of orphans: a file that holds their numbers (feature orphan_file).
 *
 * Idea:    Linux writes numbers there so that CPUs do not meet at the head of one list.  We keep to the list (orphan.c),
 *          which stays valid beside it; but what a Linux that was cut off has left in the file is cleaned up as the list is,
 *          and then the file is emptied.
 *          Each block is a row of numbers, 0 where there is none, and a tail with a magic number and a checksum.
 * Locking: while mounting, or s_umount for writing: nobody else is there.
 * See:     orphan.c; the kernel's documentation, filesystems/ext4/orphan.rst
 */
#include <weft/err.h>
#include "ext.h"

#define TAIL_MAGIC	0x0b10ca04

struct orphan_tail {
	__le32	magic, checksum;
};

/* Numbers in a block. */
static u32 numbers_of(const struct ext_fs *fs)
{
	return (u32)(fs->sb->s_blocksize - sizeof(struct orphan_tail)) / 4;
}

static struct orphan_tail *tail_of(const struct buffer_head *bh)
{
	return (void *)(bh->b_data + bh->b_size - sizeof(struct orphan_tail));
}

static u32 block_csum(const struct inode *file, const struct buffer_head *bh)
{
	const struct ext_fs *fs = EXT_FS(file->i_sb);
	__le64 nr = bh->b_blocknr;

	return ext_csum(ext_csum(EXT_I(file)->csum_seed, &nr, sizeof(nr)), bh->b_data, numbers_of(fs) * 4);
}

static bool block_ok(const struct inode *file, const struct buffer_head *bh)
{
	return tail_of(bh)->magic == TAIL_MAGIC &&
	       (!has_metadata_csum(EXT_FS(file->i_sb)) || tail_of(bh)->checksum == block_csum(file, bh));
}

/* Takes the numbers out of a block.  They are still on their way: the inodes themselves say what is to be done. */
static int empty_block(struct inode *file, struct buffer_head *bh)
{
	struct jbd_handle *handle = ext_start(file->i_sb, 1);
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	err = ext_access(handle, bh);
	if (!err) {
		memset(bh->b_data, 0, numbers_of(EXT_FS(file->i_sb)) * 4);
		tail_of(bh)->checksum = has_metadata_csum(EXT_FS(file->i_sb)) ? block_csum(file, bh) : 0;
		err = ext_dirty(handle, bh);
	}
	ext_stop(file->i_sb, handle);
	return err;
}

/* How many inodes of one block were cleaned up, or -errno. */
static int clean_block(struct ext_fs *fs, struct inode *file, struct buffer_head *bh)
{
	const __le32 *number = (void *)bh->b_data;
	int n = 0, err;

	if (!block_ok(file, bh)) {
		ext_error(fs->sb, "block %llu of the orphan file is broken", (u64)bh->b_blocknr);
		return -EUCLEAN;
	}
	for (u32 i = 0; i < numbers_of(fs); i++) {
		if (!number[i])
			continue;
		if (ext_orphan_clean_one(fs, number[i]))
			n++;
	}
	err = n ? empty_block(file, bh) : 0;
	return err ? err : n;
}

/* All of them.  How many, or -errno; then e2fsck has to look. */
int ext_orphan_file_cleanup(struct ext_fs *fs)
{
	struct inode *file;
	int n = 0;

	if (!has_compat(fs, COMPAT_ORPHAN_FILE) || !has_ro_compat(fs, RO_COMPAT_ORPHAN_PRESENT))
		return 0;
	file = ext_iget(fs->sb, fs->es->s_orphan_file_inum);
	if (IS_ERR(file))
		return PTR_ERR(file);
	for (u64 lblk = 0; lblk < blocks_of(fs->sb, (u64)file->i_size) && n >= 0; lblk++) {
		struct buffer_head *bh = S_ISREG(file->i_mode) ? ext_bread(file, (ext_lblk_t)lblk) : NULL;
		int more = IS_ERR_OR_NULL(bh) ? -EUCLEAN : clean_block(fs, file, bh);

		if (!IS_ERR_OR_NULL(bh))
			brelse(bh);
		n = more < 0 ? more : n + more;
	}
	iput(file);
	return n;
}
