/*
 * blkdev.h: disks, their partitions, and the queues that requests wait in.
 *
 * Idea:    a driver makes a gendisk over a request_queue.  A queue has one hardware context (blk_mq_hw_ctx) for each channel
 *          of the device, and a CPU always uses the same one, so CPUs do not meet.  bios that continue one another become
 *          one request while it waits for room in the device.
 *          Each disk, and each of its partitions, is a block_device: it has an inode, whose pages are the cache of the
 *          device, for programs that open /dev/vda and for file systems' own blocks alike.
 * Locking: hctx->lock (interrupts off) guards a context and the driver's channel behind it; one after the other, never two.
 *          bdev_mutex: the list of devices and who holds them.  Disks are made at start-up and stay; a partition may go, and
 *          come back as another, while nobody has it open: its block_device stays, with a length of 0.
 *          scan_mutex -> bdev_mutex: reading a partition table.
 * See:     spec.md §10 "block layer"; doc/block.md
 */
#ifndef WEFT_BLKDEV_H
#define WEFT_BLKDEV_H

#include <weft/types.h>
#include <weft/backing-dev.h>
#include <weft/bio.h>
#include <weft/blk_plug.h>
#include <weft/fs.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/wait.h>

struct request_queue;
struct blk_mq_hw_ctx;
struct gendisk;
struct seq_file;
struct device;

/* ---- requests ---- */

/* What is given to the device at once: bios of adjacent sectors.  The driver's own data lie behind it. */
struct request {
	struct list_head	queuelist;	/* [hctx lock] free, waiting, or in the driver's hands */
	struct blk_mq_hw_ctx	*mq_hctx;	/* [I] */
	struct bio		*bio, *biotail;
	enum req_op		op;
	bool			fua;		/* of a write: it must last when it ends */
	int			status;		/* set by the driver before it ends: 0 or -errno */
	sector_t		sector;		/* of the disk */
	unsigned int		data_len;	/* bytes */
	unsigned short		nr_segments;
	unsigned short		tag;		/* [I] number within the context */
	u64			start_time;	/* ns */
};
static inline void *blk_mq_rq_to_pdu(struct request *rq) { return rq + 1; }

struct blk_mq_ops {
	/*
	 * Starts it.  hctx->lock held, interrupts off.  0; -EBUSY: no room, it is offered again after the next end of a
	 * request; any other -errno: it fails with that.
	 */
	int	(*queue_rq)(struct blk_mq_hw_ctx *hctx, struct request *rq);
	/* The same context: no more requests for now, ring the bell. */
	void	(*commit_rqs)(struct blk_mq_hw_ctx *hctx);
};

struct queue_limits {
	unsigned int	max_sectors;		/* in one request */
	unsigned short	max_segments;
	unsigned int	max_segment_size;	/* bytes */
	unsigned int	logical_block_size;	/* bytes: the smallest piece the device takes */
	unsigned int	physical_block_size;
	unsigned int	max_discard_sectors;	/* 0: it cannot */
	unsigned int	virt_boundary;		/* mask: between two segments both addresses have 0 there; 0: any will do */
	bool		write_cache;		/* a flush is needed before data last */
	bool		fua;			/* ... or a write that says so itself */
};

/* One channel of the device.  Counters are read without the lock. */
struct blk_mq_hw_ctx {
	spinlock_t		lock;
	struct list_head	waiting;	/* [lock] requests the driver has not taken, in order */
	struct list_head	free;		/* [lock] */
	struct wait_queue_head	free_wait;	/* for `free` to be filled */
	struct bio		*left, **left_tail;	/* [lock] from tasks that could not wait for that */
	unsigned int		inflight;	/* [lock] taken from free */
	struct request_queue	*queue;		/* [I] */
	unsigned int		queue_num;	/* [I] */
	void			*driver_data;	/* [I] */
} ____cacheline_aligned_in_smp;

struct request_queue {
	const struct blk_mq_ops	*mq_ops;	/* [I] */
	struct queue_limits	limits;		/* [I] once the disk is added */
	unsigned int		nr_hw_queues;	/* [I] */
	struct blk_mq_hw_ctx	*hctx;		/* [I] array */
	void			*queuedata;	/* [I] the driver's */
};

/* depth requests for each of nr contexts, each with pdu_size bytes for the driver.  May sleep.  ERR_PTR(-ENOMEM). */
struct request_queue *blk_mq_init_queue(const struct blk_mq_ops *ops, unsigned int nr, unsigned int depth,
					unsigned int pdu_size, void *queuedata);
/* The driver is done with the requests on `done` (rq->status set); gives it more.  Any context; hctx->lock not held. */
void blk_mq_end_requests(struct blk_mq_hw_ctx *hctx, struct list_head *done);
/* The driver has room for what it refused with -EBUSY though none of this queue's requests ended.  Any context. */
void blk_mq_run_hw_queue(struct blk_mq_hw_ctx *hctx);

/* ---- disks and partitions ---- */

#define DISK_MAX_PARTS	16			/* minors of a disk, itself included */
#define DISK_NAME_LEN	32

enum stat_group { STAT_READ, STAT_WRITE, STAT_DISCARD, STAT_FLUSH, NR_STAT_GROUPS };

struct disk_stats {				/* [a] */
	atomic64_t	ios[NR_STAT_GROUPS], merges[NR_STAT_GROUPS], sectors[NR_STAT_GROUPS], nsecs[NR_STAT_GROUPS];
	atomic_t	in_flight;
	atomic64_t	io_nsecs;		/* time during which something was in flight */
	u64		busy_since;		/* [-] */
};

struct block_device {
	sector_t		bd_start_sect, bd_nr_sectors;	/* [bdev_mutex, stable while open] length 0: it has gone */
	struct gendisk		*bd_disk;	/* [I] */
	struct inode		*bd_inode;	/* [I] its pages; i_size its length */
	dev_t			bd_dev;		/* [I] */
	u8			bd_partno;	/* [I] 0: the whole disk */
	bool			bd_read_only;
	int			bd_openers;	/* [bdev_mutex] */
	void			*bd_holder;	/* [bdev_mutex] who has it for himself: a mounted file system */
	int			bd_holders;	/* [bdev_mutex] how often */
	char			bd_name[DISK_NAME_LEN];	/* [I] "vda1" */
	char			bd_uuid[40];	/* [bdev_mutex] of the partition, or "" */
	struct device		*bd_device;	/* [scan_mutex] its node and its folder in /sys */
	struct disk_stats	bd_stats;
	struct list_head	bd_list;	/* [bdev_mutex] all, in order of creation */
};

struct gendisk {
	char			disk_name[DISK_NAME_LEN];	/* [I] "vda" */
	int			major, first_minor;	/* [I] */
	struct request_queue	*queue;		/* [I] */
	struct block_device	*part0;		/* [I] the whole disk */
	struct block_device	*part_tbl[DISK_MAX_PARTS];	/* [I] by number; [0] == part0 */
	sector_t		capacity;	/* [I] sectors of 512 bytes */
	bool			read_only;	/* [I] */
	char			serial[24];	/* [I] */
	struct backing_dev_info	bdi;		/* its dirty inodes and their flusher */
};

/* Registers a major number; 0 asks for one.  The number or -errno. */
int register_blkdev(unsigned int major, const char *name);
int blkdev_show(struct seq_file *m, void *v);	/* the block part of /proc/devices */
/* The disk, with name, numbers, queue and capacity set, becomes usable: reads its partition table.  May sleep.  0, -errno. */
int add_disk(struct gendisk *disk);
/* Reads the partition table again.  May sleep.  0, or -EBUSY: a partition is in use. */
int disk_rescan(struct gendisk *disk);
/* A device of the disk: partition partno or, 0, all of it.  May sleep.  ERR_PTR. */
struct block_device *bdev_add(struct gendisk *disk, unsigned int partno, sector_t start, sector_t len, const char *uuid);

/* Finds by number and opens.  FMODE_EXCL: only for this holder.  ERR_PTR(-ENXIO, -EBUSY, -EACCES). */
struct block_device *blkdev_get_by_dev(dev_t dev, fmode_t mode, void *holder);
struct block_device *blkdev_get_by_path(const char *path, fmode_t mode, void *holder);
void blkdev_put(struct block_device *bdev, fmode_t mode);	/* writes back what is dirty at the last */
dev_t blk_lookup_devt(const char *name);	/* "vda1" -> number, 0 when there is none */
int bdev_for_each(int (*fn)(struct block_device *bdev, void *data), void *data);

static inline struct request_queue *bdev_get_queue(const struct block_device *bdev) { return bdev->bd_disk->queue; }
static inline unsigned int bdev_logical_block_size(const struct block_device *bdev)
{
	return bdev_get_queue(bdev)->limits.logical_block_size;
}
static inline sector_t bdev_nr_sectors(const struct block_device *bdev) { return bdev->bd_nr_sectors; }
static inline bool bdev_read_only(const struct block_device *bdev) { return bdev->bd_read_only; }
struct block_device *I_BDEV(const struct inode *inode);
bool sb_is_blkdev_sb(const struct super_block *sb);	/* the one that holds the inodes of devices */

/* What was written before lasts.  May sleep.  0 or -errno. */
int blkdev_issue_flush(struct block_device *bdev);
int blkdev_issue_discard(struct block_device *bdev, sector_t sector, sector_t nr_sects);
int blkdev_issue_zeroout(struct block_device *bdev, sector_t sector, sector_t nr_sects);	/* writes zeros */
int sync_blockdev(struct block_device *bdev);	/* writes back the device's own pages and waits */

extern const struct file_operations def_blk_fops;
extern const struct address_space_operations def_blk_aops;

/* kernel/fs/super.c's for file systems on a device. */
struct dentry *mount_bdev(struct file_system_type *type, int flags, const char *dev_name, void *data, fill_super_t *fill);
void kill_block_super(struct super_block *sb);

#endif
