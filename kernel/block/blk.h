/*
 * blk.h: what the files of kernel/block share and nobody else sees.
 */
#ifndef WEFT_BLOCK_BLK_H
#define WEFT_BLOCK_BLK_H

#include <weft/blkdev.h>

/*
 * blk-mq.c: bios chained by bi_next, their sectors counted from the start of the disk.  Without may_sleep those for which
 * there is no request yet stay with the channel.
 */
void blk_mq_submit_chain(struct bio *chain, bool may_sleep);

/* blk-plug.c: true: held back. */
bool blk_plug_bio(struct bio *bio);

/* bio.c: a segment that begins at next_offset in its page cannot follow this one. */
bool bvec_gap(const struct queue_limits *lim, const struct bio_vec *last, unsigned int next_offset);

/* partitions.c: reads the table of a new disk and adds what it finds. */
void disk_scan_partitions(struct gendisk *disk);

/* blk-sysfs.c: fills the folder of a device, and links a disk's from /sys/block. */
int bdev_add_sysfs(struct block_device *bdev);

/* genhd.c */
extern struct mutex bdev_mutex;

/* bdev.c: the device's inode. */
int bdev_new_inode(struct block_device *bdev);

#endif
