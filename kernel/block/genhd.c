/*
 * genhd.c: disks and partitions: numbers, names, finding them, /proc/partitions, /proc/diskstats.
 *
 * Idea:    a disk has DISK_MAX_PARTS minor numbers from first_minor on; its partition n has first_minor + n.  Partition
 *          names put a "p" between when the disk's name ends in a digit: vda1, nvme0n1p1.
 * Locking: bdev_mutex: the list, openers and holders.  scan_mutex, taken before it: what changes the set of partitions.
 * See:     spec.md §10 "block layer"; proc(5)
 */
#include <weft/kernel.h>
#include <weft/pagemap.h>
#include <weft/blkdev.h>
#include <weft/ctype.h>
#include <weft/device.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/mutex.h>
#include <weft/pagemap.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include "blk.h"

#define FIRST_FREE_MAJOR	254		/* majors nobody owns are given out from here down, as Linux does */
#define NR_MAJORS		255

DEFINE_MUTEX(bdev_mutex);
static LIST_HEAD(all_bdevs);			/* [bdev_mutex] */
static const char *major_names[NR_MAJORS];	/* [bdev_mutex] */
static DEFINE_MUTEX(scan_mutex);		/* one partition table at a time */
static int block_uevent(const struct device *dev, char *buf, size_t size);
static const struct class block_class = { .name = "block", .uevent = block_uevent };

/* ---- numbers ---- */

int register_blkdev(unsigned int major, const char *name)
{
	int ret = -EBUSY;

	if (major >= NR_MAJORS)
		return -EINVAL;
	mutex_lock(&bdev_mutex);
	if (!major)
		for (major = FIRST_FREE_MAJOR; major > 239 && major_names[major]; )
			major--;
	if (!major_names[major]) {
		major_names[major] = name;
		ret = major;
	}
	mutex_unlock(&bdev_mutex);
	return ret;
}

int blkdev_show(struct seq_file *m, void *v)
{
	mutex_lock(&bdev_mutex);
	for (unsigned int major = 0; major < NR_MAJORS; major++)
		if (major_names[major])
			seq_printf(m, "%3u %s\n", major, major_names[major]);
	mutex_unlock(&bdev_mutex);
	return 0;
}

/* ---- devices ---- */

static struct block_device *alloc_bdev(struct gendisk *disk, unsigned int partno)
{
	struct block_device *bdev = kzalloc(sizeof(*bdev), GFP_KERNEL);
	size_t name_len = strlen(disk->disk_name);
	int err;

	if (!bdev)
		return ERR_PTR(-ENOMEM);
	bdev->bd_disk = disk;
	bdev->bd_partno = partno;
	bdev->bd_read_only = disk->read_only;
	bdev->bd_dev = MKDEV(disk->major, disk->first_minor + partno);
	if (partno)
		snprintf(bdev->bd_name, sizeof(bdev->bd_name), "%s%s%u", disk->disk_name,
			 isdigit(disk->disk_name[name_len - 1]) ? "p" : "", partno);
	else
		strscpy(bdev->bd_name, disk->disk_name, sizeof(bdev->bd_name));
	err = bdev_new_inode(bdev);
	if (err) {
		kfree(bdev);
		return ERR_PTR(err);
	}
	disk->part_tbl[partno] = bdev;
	mutex_lock(&bdev_mutex);
	list_add_tail(&bdev->bd_list, &all_bdevs);
	mutex_unlock(&bdev_mutex);
	return bdev;
}

struct block_device *bdev_add(struct gendisk *disk, unsigned int partno, sector_t start, sector_t len, const char *uuid)
{
	struct block_device *bdev;

	if (partno >= DISK_MAX_PARTS)
		return ERR_PTR(-ENOSPC);
	bdev = disk->part_tbl[partno];
	if (bdev && bdev->bd_nr_sectors)
		return ERR_PTR(-EBUSY);
	if (!bdev)
		bdev = alloc_bdev(disk, partno);
	if (IS_ERR(bdev))
		return bdev;
	mutex_lock(&bdev_mutex);
	strscpy(bdev->bd_uuid, uuid, sizeof(bdev->bd_uuid));
	bdev->bd_start_sect = start;
	bdev->bd_nr_sectors = len;
	i_size_write(bdev->bd_inode, (loff_t)len << SECTOR_SHIFT);
	mutex_unlock(&bdev_mutex);
	return bdev;
}

/* ---- what user space sees of them ---- */

static struct block_device *find_bdev(dev_t dev);

static int block_uevent(const struct device *dev, char *buf, size_t size)
{
	const struct block_device *bdev;
	int n = 0;

	mutex_lock(&bdev_mutex);
	bdev = find_bdev(dev->devt);
	if (bdev && bdev->bd_partno)
		n = scnprintf(buf, size, "DEVTYPE=partition\nPARTN=%u\n", bdev->bd_partno);
	else if (bdev)
		n = scnprintf(buf, size, "DEVTYPE=disk\n");
	mutex_unlock(&bdev_mutex);
	return n;
}

/* The node in /dev and the folder in /sys.  A device without them still works for who can name it. */
static void announce(struct block_device *bdev)
{
	char folder[64] = "devices/virtual/block";
	int err;

	lockdep_assert_held(&scan_mutex);
	if (bdev->bd_device) {
		device_add(bdev->bd_device);
	} else {
		if (bdev->bd_partno)
			snprintf(folder, sizeof(folder), "devices/virtual/block/%s", bdev->bd_disk->disk_name);
		bdev->bd_device = device_create_in(folder, &block_class, bdev->bd_dev, bdev->bd_name, S_IFBLK | 0660);
	}
	err = IS_ERR(bdev->bd_device) ? (int)PTR_ERR(bdev->bd_device) : bdev_add_sysfs(bdev);
	if (err)
		pr_warn("%s: not shown (error %d)\n", bdev->bd_name, err);
	if (IS_ERR(bdev->bd_device))
		bdev->bd_device = NULL;
}

static void scan_and_announce(struct gendisk *disk)
{
	disk_scan_partitions(disk);
	for (int i = 1; i < DISK_MAX_PARTS; i++)
		if (disk->part_tbl[i] && disk->part_tbl[i]->bd_nr_sectors)
			announce(disk->part_tbl[i]);
}

int add_disk(struct gendisk *disk)
{
	struct block_device *whole;
	int err;

	bdi_init(&disk->bdi);
	whole = bdev_add(disk, 0, 0, disk->capacity, "");
	if (IS_ERR(whole))
		return PTR_ERR(whole);
	disk->part0 = whole;
	pr_info("%s: %llu sectors of 512 bytes (%llu MiB)%s\n", disk->disk_name, (u64)disk->capacity, (u64)disk->capacity >> 11,
		disk->read_only ? ", read-only" : "");
	err = bdi_register(&disk->bdi, whole->bd_dev);
	if (err)
		pr_warn("%s: no flusher (error %d): only sync writes back\n", disk->disk_name, err);
	mutex_lock(&scan_mutex);
	announce(whole);
	scan_and_announce(disk);
	mutex_unlock(&scan_mutex);
	return 0;
}

/* Nobody can open a partition of the disk any more, unless one is open. */
static int close_partitions(struct gendisk *disk, struct block_device *gone[])
{
	int err = 0;

	mutex_lock(&bdev_mutex);
	for (int i = 1; i < DISK_MAX_PARTS && !err; i++)
		if (disk->part_tbl[i] && disk->part_tbl[i]->bd_openers)
			err = -EBUSY;
	for (int i = 1; i < DISK_MAX_PARTS && !err; i++) {
		gone[i] = disk->part_tbl[i];
		if (!gone[i] || !gone[i]->bd_nr_sectors)
			gone[i] = NULL;
		else
			gone[i]->bd_nr_sectors = 0;
	}
	mutex_unlock(&bdev_mutex);
	return err;
}

int disk_rescan(struct gendisk *disk)
{
	struct block_device *gone[DISK_MAX_PARTS] = { };
	int err;

	mutex_lock(&scan_mutex);
	err = close_partitions(disk, gone);
	if (!err) {
		for (int i = 1; i < DISK_MAX_PARTS; i++) {
			if (!gone[i])
				continue;
			truncate_inode_pages(gone[i]->bd_inode->i_mapping, 0);
			if (gone[i]->bd_device)
				device_del(gone[i]->bd_device);
		}
		scan_and_announce(disk);
	}
	mutex_unlock(&scan_mutex);
	return err;
}

int bdev_for_each(int (*fn)(struct block_device *bdev, void *data), void *data)
{
	struct block_device *bdev;
	int ret = 0;

	mutex_lock(&bdev_mutex);
	list_for_each_entry(bdev, &all_bdevs, bd_list) {
		if (!bdev->bd_nr_sectors && bdev->bd_partno)
			continue;
		ret = fn(bdev, data);
		if (ret)
			break;
	}
	mutex_unlock(&bdev_mutex);
	return ret;
}

static struct block_device *find_bdev(dev_t dev)
{
	struct block_device *bdev;

	lockdep_assert_held(&bdev_mutex);
	list_for_each_entry(bdev, &all_bdevs, bd_list)
		if (bdev->bd_dev == dev && (bdev->bd_nr_sectors || !bdev->bd_partno))
			return bdev;
	return NULL;
}

dev_t blk_lookup_devt(const char *name)
{
	struct block_device *bdev;
	dev_t dev = 0;

	mutex_lock(&bdev_mutex);
	list_for_each_entry(bdev, &all_bdevs, bd_list)
		if (!strcmp(bdev->bd_name, name) && bdev->bd_nr_sectors)
			dev = bdev->bd_dev;
	mutex_unlock(&bdev_mutex);
	return dev;
}

/* Somebody has for himself this device, or the disk it lies on, or (a disk) a partition of it. */
static bool held_by_another(const struct block_device *bdev, const void *holder)
{
	const struct gendisk *disk = bdev->bd_disk;

	if (bdev->bd_holder)
		return bdev->bd_holder != holder;
	if (bdev->bd_partno)
		return disk->part0->bd_holder;
	for (int i = 1; i < DISK_MAX_PARTS; i++)
		if (disk->part_tbl[i] && disk->part_tbl[i]->bd_holder)
			return true;
	return false;
}

static int claim(struct block_device *bdev, fmode_t mode, void *holder)
{
	if (mode & FMODE_WRITE && bdev->bd_read_only)
		return -EACCES;
	if (mode & FMODE_EXCL) {
		if (held_by_another(bdev, holder))
			return -EBUSY;
		bdev->bd_holder = holder;
		bdev->bd_holders++;
	}
	bdev->bd_openers++;
	return 0;
}

struct block_device *blkdev_get_by_dev(dev_t dev, fmode_t mode, void *holder)
{
	struct block_device *bdev;
	int err;

	mutex_lock(&bdev_mutex);
	bdev = find_bdev(dev);
	err = bdev ? claim(bdev, mode, holder) : -ENXIO;
	mutex_unlock(&bdev_mutex);
	return err ? ERR_PTR(err) : bdev;
}

void blkdev_put(struct block_device *bdev, fmode_t mode)
{
	bool last;

	if (mode & FMODE_WRITE)
		sync_blockdev(bdev);
	mutex_lock(&bdev_mutex);
	last = !--bdev->bd_openers;
	if (mode & FMODE_EXCL && !--bdev->bd_holders)
		bdev->bd_holder = NULL;
	mutex_unlock(&bdev_mutex);
	if (last)			/* a file system may have written behind the back of the device's cache */
		invalidate_mapping_pages(bdev->bd_inode->i_mapping, 0, ULONG_MAX);
}

/* ---- /proc ---- */

static int show_partition(struct block_device *bdev, void *m)
{
	seq_printf(m, "%4d  %7d %10llu %s\n", MAJOR(bdev->bd_dev), MINOR(bdev->bd_dev), (u64)bdev->bd_nr_sectors >> 1,
		   bdev->bd_name);
	return 0;
}

static int partitions_show(struct seq_file *m, void *v)
{
	seq_puts(m, "major minor  #blocks  name\n\n");
	return bdev_for_each(show_partition, m);
}

static u64 msecs(const atomic64_t *nsecs)
{
	return (u64)atomic64_read(nsecs) / 1000000;
}

static int show_diskstat(struct block_device *bdev, void *m)
{
	struct disk_stats *s = &bdev->bd_stats;
	u64 all = 0, busy = (u64)atomic64_read(&s->io_nsecs);

	if (atomic_read(&s->in_flight))
		busy += ktime_get_ns() - READ_ONCE(s->busy_since);
	for (int g = 0; g < NR_STAT_GROUPS; g++)
		all += msecs(&s->nsecs[g]);
	seq_printf(m, "%4d %7d %s", MAJOR(bdev->bd_dev), MINOR(bdev->bd_dev), bdev->bd_name);
	for (int g = STAT_READ; g <= STAT_WRITE; g++)
		seq_printf(m, " %llu %llu %llu %llu", (u64)atomic64_read(&s->ios[g]), (u64)atomic64_read(&s->merges[g]),
			   (u64)atomic64_read(&s->sectors[g]), msecs(&s->nsecs[g]));
	seq_printf(m, " %d %llu %llu", atomic_read(&s->in_flight), busy / 1000000, all);
	seq_printf(m, " %llu 0 %llu %llu", (u64)atomic64_read(&s->ios[STAT_DISCARD]),
		   (u64)atomic64_read(&s->sectors[STAT_DISCARD]), msecs(&s->nsecs[STAT_DISCARD]));
	seq_printf(m, " %llu %llu\n", (u64)atomic64_read(&s->ios[STAT_FLUSH]), msecs(&s->nsecs[STAT_FLUSH]));
	return 0;
}

static int diskstats_show(struct seq_file *m, void *v)
{
	return bdev_for_each(show_diskstat, m);
}

static int __init genhd_init(void)
{
	proc_create_single("partitions", 0, NULL, partitions_show);
	proc_create_single("diskstats", 0, NULL, diskstats_show);
	return 0;
}
subsys_initcall(genhd_init);
