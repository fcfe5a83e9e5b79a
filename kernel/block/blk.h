/*
 * blk.h: what the files of kernel/block share and nobody else sees.
 */
#ifndef WEFT_BLOCK_BLK_H
#define WEFT_BLOCK_BLK_H

#include <weft/blkdev.h>

/* blk-mq.c: the sector counts from the start of the disk.  May sleep. */
void blk_mq_submit_bio(struct bio *bio);

/* partitions.c: reads the table of a new disk and adds what it finds. */
void disk_scan_partitions(struct gendisk *disk);

/* blk-sysfs.c: /sys/block/NAME, and the folder of a partition in it. */
int disk_add_sysfs(struct gendisk *disk);
int part_add_sysfs(struct block_device *part);

/* genhd.c */
extern struct mutex bdev_mutex;

/* bdev.c: the device's inode. */
int bdev_new_inode(struct block_device *bdev);

#endif
