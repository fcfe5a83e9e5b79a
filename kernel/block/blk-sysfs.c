/*
 * blk-sysfs.c: what /sys/block shows of a disk and its partitions: what lsblk, blkid and udev read.
 *
 * What:    device_create() has made /sys/devices/virtual/block/NAME, or NAME/PARTITION, with "dev" and "uevent"; this adds
 *          size, ro, stat, the queue's limits and the link /sys/block/NAME.
 * See:     spec.md §10; Linux's Documentation/ABI/stable/sysfs-block for the names
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/device.h>
#include <weft/err.h>
#include <weft/mm.h>
#include <weft/string.h>
#include <weft/sysfs.h>
#include "blk.h"

#define BDEV_ATTR(name, fmt, ...) \
static ssize_t name##_show(void *data, char *buf) \
{ \
	const struct block_device *bdev = data; \
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__); \
}
BDEV_ATTR(size, "%llu", (u64)bdev->bd_nr_sectors)
BDEV_ATTR(ro, "%d", bdev->bd_read_only)
BDEV_ATTR(start, "%llu", (u64)bdev->bd_start_sect)
BDEV_ATTR(partition, "%u", bdev->bd_partno)
BDEV_ATTR(range, "%d", bdev->bd_partno ? 1 : DISK_MAX_PARTS)
BDEV_ATTR(serial, "%s", bdev->bd_disk->serial)
BDEV_ATTR(zero, "%d", 0 * bdev->bd_partno)

static ssize_t put_group(const struct disk_stats *s, enum stat_group g, char *buf, ssize_t n)
{
	return scnprintf(buf + n, PAGE_SIZE - n, "%8llu %8llu %8llu %8llu ", (u64)atomic64_read(&s->ios[g]),
			 (u64)atomic64_read(&s->merges[g]), (u64)atomic64_read(&s->sectors[g]),
			 (u64)atomic64_read(&s->nsecs[g]) / 1000000);
}

static ssize_t stat_show(void *data, char *buf)
{
	const struct disk_stats *s = &((const struct block_device *)data)->bd_stats;
	u64 waited = 0;
	ssize_t n = 0;

	for (int g = 0; g < NR_STAT_GROUPS; g++)
		waited += (u64)atomic64_read(&s->nsecs[g]);
	n += put_group(s, STAT_READ, buf, n);
	n += put_group(s, STAT_WRITE, buf, n);
	n += scnprintf(buf + n, PAGE_SIZE - n, "%8d %8llu %8llu ", atomic_read(&s->in_flight),
		       (u64)atomic64_read(&s->io_nsecs) / 1000000, waited / 1000000);
	n += put_group(s, STAT_DISCARD, buf, n);
	return n + scnprintf(buf + n, PAGE_SIZE - n, "%8llu %8llu\n", (u64)atomic64_read(&s->ios[STAT_FLUSH]),
			     (u64)atomic64_read(&s->nsecs[STAT_FLUSH]) / 1000000);
}

#define LIMIT_ATTR(name, fmt, ...) \
static ssize_t name##_show(void *data, char *buf) \
{ \
	const struct queue_limits *lim = &((const struct request_queue *)data)->limits; \
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__); \
}
LIMIT_ATTR(logical_block_size, "%u", lim->logical_block_size)
LIMIT_ATTR(physical_block_size, "%u", lim->physical_block_size)
LIMIT_ATTR(max_sectors_kb, "%u", lim->max_sectors / 2)
LIMIT_ATTR(max_segments, "%u", lim->max_segments)
LIMIT_ATTR(max_segment_size, "%u", lim->max_segment_size)
LIMIT_ATTR(discard_max_bytes, "%llu", (u64)lim->max_discard_sectors << SECTOR_SHIFT)
LIMIT_ATTR(discard_granularity, "%u", lim->max_discard_sectors ? lim->logical_block_size : 0)
LIMIT_ATTR(write_cache, "%s", lim->write_cache ? "write back" : "write through")
LIMIT_ATTR(fua, "%d", lim->fua)
LIMIT_ATTR(rotational, "%d", 0 * (int)lim->write_cache)

static const struct sysfs_attr disk_attrs[] = {
	{ .name = "size", .show = size_show }, { .name = "ro", .show = ro_show }, { .name = "stat", .show = stat_show },
	{ .name = "range", .show = range_show }, { .name = "removable", .show = zero_show },
	{ .name = "serial", .show = serial_show }, { .name = "alignment_offset", .show = zero_show }, { }
};

static const struct sysfs_attr part_attrs[] = {
	{ .name = "size", .show = size_show }, { .name = "ro", .show = ro_show }, { .name = "stat", .show = stat_show },
	{ .name = "start", .show = start_show }, { .name = "partition", .show = partition_show },
	{ .name = "alignment_offset", .show = zero_show }, { }
};

static const struct sysfs_attr queue_attrs[] = {
	{ .name = "logical_block_size", .show = logical_block_size_show },
	{ .name = "hw_sector_size", .show = logical_block_size_show },
	{ .name = "physical_block_size", .show = physical_block_size_show },
	{ .name = "minimum_io_size", .show = physical_block_size_show },
	{ .name = "max_sectors_kb", .show = max_sectors_kb_show }, { .name = "max_segments", .show = max_segments_show },
	{ .name = "max_segment_size", .show = max_segment_size_show },
	{ .name = "discard_max_bytes", .show = discard_max_bytes_show },
	{ .name = "discard_granularity", .show = discard_granularity_show },
	{ .name = "write_cache", .show = write_cache_show }, { .name = "fua", .show = fua_show },
	{ .name = "rotational", .show = rotational_show }, { }
};

static int add_disk_files(struct dentry *dir, struct gendisk *disk)
{
	struct dentry *queue, *links;
	char target[80];
	int err = sysfs_create_files(dir, disk_attrs, disk->part0);

	queue = err ? ERR_PTR(err) : sysfs_mkdir(dir, "queue");
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	err = sysfs_create_files(queue, queue_attrs, disk->queue);
	links = err ? ERR_PTR(err) : sysfs_mkdir(NULL, "block");
	if (IS_ERR(links))
		return PTR_ERR(links);
	snprintf(target, sizeof(target), "../devices/virtual/block/%s", disk->disk_name);
	return sysfs_create_link(links, disk->disk_name, target);
}

int bdev_add_sysfs(struct block_device *bdev)
{
	struct dentry *dir = bdev->bd_device->sysfs_priv;

	if (!dir)
		return -ENOENT;
	return bdev->bd_partno ? sysfs_create_files(dir, part_attrs, bdev) : add_disk_files(dir, bdev->bd_disk);
}
