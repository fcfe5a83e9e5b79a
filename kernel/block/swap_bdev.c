/*
 * swap_bdev.c: swap on a disk: a partition, or a file of a file system on one.
 *
 * Idea:    slots are pages; where each lies on the disk is asked once, at swapon (bmap), and kept as a sorted list of extents,
 *          so that nothing has to be read while memory is short.  From then on the area is used behind the back of the file
 *          system and of the page cache: the inode is marked, so nobody writes to the file or shortens it meanwhile.
 * Context: moving a page takes one small bio.  Writing may use the reserves: its completion gives memory back.  The ends run
 *          in interrupt context.
 * Locking: none: the list does not change until the area ends; a slot's page is locked or under write-back.
 * See:     swap.h struct swap_backend_ops; kernel/mm/swapfile.c; doc/reclaim.md
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include <weft/swap.h>
#include <weft/vmalloc.h>

#define PAGE_SECTORS	(PAGE_SIZE >> SECTOR_SHIFT)

struct swap_extent {
	pgoff_t		slot;			/* the first */
	pgoff_t		nr;
	sector_t	sector;
};

struct swap_bdev {
	struct swap_backend	backend;
	struct block_device	*bdev;		/* [I] */
	struct address_space	*mapping;	/* [I] of the partition or the file, whose cached pages grow stale */
	bool			exclusive;	/* [I] the partition is ours */
	unsigned int		nr_extents;	/* [I] */
	struct swap_extent	*extents;	/* [I] by slot */
};

static struct swap_bdev *to_swap_bdev(struct swap_backend *b)
{
	return container_of(b, struct swap_bdev, backend);
}

/* ---- moving pages ---- */

/* The extent with the slot, or the last one below it. */
static const struct swap_extent *find_extent(const struct swap_bdev *sb, pgoff_t slot)
{
	unsigned int low = 0, high = sb->nr_extents;

	while (high - low > 1) {
		unsigned int mid = low + (high - low) / 2;

		if (sb->extents[mid].slot <= slot)
			low = mid;
		else
			high = mid;
	}
	return &sb->extents[low];
}

static sector_t slot_sector(const struct swap_bdev *sb, pgoff_t slot)
{
	const struct swap_extent *extent = find_extent(sb, slot);

	return extent->sector + (slot - extent->slot) * PAGE_SECTORS;
}

static bool swap_bdev_usable(struct swap_backend *b, pgoff_t slot)
{
	const struct swap_extent *extent = find_extent(to_swap_bdev(b), slot);

	return slot >= extent->slot && slot - extent->slot < extent->nr;
}

static void read_end(struct bio *bio)
{
	swap_read_done(bio->bi_private, bio->bi_status);
	bio_put(bio);
}

static void write_end(struct bio *bio)
{
	swap_write_done(bio->bi_private, bio->bi_status);
	bio_put(bio);
}

/* bio_alloc() cannot fail where it may reclaim; GFP_NOIO: it must not wait for other pages to be swapped out. */
static void submit_page(struct swap_backend *b, pgoff_t slot, struct page *page, enum req_op op, bio_end_io_t *end)
{
	struct swap_bdev *sb = to_swap_bdev(b);
	struct bio *bio = bio_alloc(sb->bdev, 1, op, GFP_NOIO | __GFP_HIGH);

	bio->bi_sector = slot_sector(sb, slot);
	bio->bi_private = page;
	bio->bi_end_io = end;
	bio_add_page(bio, page, PAGE_SIZE, 0);
	submit_bio(bio);
}

static void swap_bdev_read(struct swap_backend *b, pgoff_t slot, struct page *page)
{
	submit_page(b, slot, page, REQ_OP_READ, read_end);
}

static void swap_bdev_write(struct swap_backend *b, pgoff_t slot, struct page *page)
{
	submit_page(b, slot, page, REQ_OP_WRITE, write_end);
}

static void swap_bdev_release(struct swap_backend *b)
{
	struct swap_bdev *sb = to_swap_bdev(b);

	invalidate_mapping_pages(sb->mapping, 0, ULONG_MAX);
	if (sb->exclusive)
		blkdev_put(sb->bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
	kvfree(sb->extents);
	kfree(sb);
}

static const struct swap_backend_ops partition_ops = {
	.type = "partition", .read_page = swap_bdev_read, .write_page = swap_bdev_write, .usable = swap_bdev_usable,
	.release = swap_bdev_release,
};
static const struct swap_backend_ops file_ops = {
	.type = "file", .read_page = swap_bdev_read, .write_page = swap_bdev_write, .usable = swap_bdev_usable,
	.release = swap_bdev_release,
};

/* ---- where the slots lie ---- */

/* Where one page of a file lies.  0; -EINVAL: nowhere; 1: in pieces. */
static int page_sector(struct address_space *mapping, pgoff_t index, sector_t *sector)
{
	unsigned int bits = mapping->host->i_blkbits, per_page = 1U << (PAGE_SHIFT - bits);
	sector_t first = mapping->a_ops->bmap(mapping, (sector_t)index << (PAGE_SHIFT - bits));

	if (!first)
		return -EINVAL;			/* a hole */
	for (unsigned int i = 1; i < per_page; i++)
		if (mapping->a_ops->bmap(mapping, ((sector_t)index << (PAGE_SHIFT - bits)) + i) != first + i)
			return 1;
	*sector = first << (bits - SECTOR_SHIFT);
	return 0;
}

/*
 * Lists the file's extents, or only counts them (list NULL).  A page in pieces (blocks smaller than pages) is in none of
 * them: its slot stays unused.  The number; -EINVAL: the file has a hole, or its first page, the header, is in pieces.
 */
static int list_extents(struct address_space *mapping, pgoff_t nr_pages, struct swap_extent *list)
{
	struct swap_extent now = { };
	unsigned int n = 0;

	for (pgoff_t index = 0; index < nr_pages; index++) {
		sector_t sector;
		int err = page_sector(mapping, index, &sector);

		if (err < 0 || (err && !index))
			return -EINVAL;
		if (err)
			continue;
		if (!n || index != now.slot + now.nr || sector != now.sector + now.nr * PAGE_SECTORS) {
			now = (struct swap_extent){ .slot = index, .sector = sector };
			n++;
		}
		now.nr++;
		if (list)
			list[n - 1] = now;
		cond_resched();
	}
	return (int)n;
}

static int map_file(struct swap_bdev *sb)
{
	int n = list_extents(sb->mapping, sb->backend.nr_pages, NULL);

	if (n < 0)
		return n;
	sb->extents = kvmalloc_array((size_t)n, sizeof(*sb->extents), GFP_KERNEL);
	if (!sb->extents)
		return -ENOMEM;
	n = list_extents(sb->mapping, sb->backend.nr_pages, sb->extents);
	sb->nr_extents = n < 0 ? 0 : (unsigned int)n;
	return n < 0 ? n : 0;
}

static int map_partition(struct swap_bdev *sb)
{
	sb->extents = kvmalloc_array(1, sizeof(*sb->extents), GFP_KERNEL);
	if (!sb->extents)
		return -ENOMEM;
	sb->extents[0] = (struct swap_extent){ .nr = sb->backend.nr_pages };
	sb->nr_extents = 1;
	return 0;
}

/* ---- swapon ---- */

static int open_partition(struct swap_bdev *sb, struct inode *inode)
{
	struct block_device *bdev = blkdev_get_by_dev(inode->i_rdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL, sb);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	sb->bdev = bdev;
	sb->exclusive = true;
	sb->backend.ops = &partition_ops;
	sb->backend.nr_pages = (pgoff_t)(bdev_nr_sectors(bdev) / PAGE_SECTORS);
	return map_partition(sb);
}

static int open_file(struct swap_bdev *sb, struct inode *inode)
{
	if (!inode->i_sb->s_bdev || !sb->mapping->a_ops->bmap)
		return -EINVAL;
	sb->bdev = inode->i_sb->s_bdev;
	sb->backend.ops = &file_ops;
	sb->backend.nr_pages = (pgoff_t)(i_size_read(inode) >> PAGE_SHIFT);
	return map_file(sb);
}

/* What mkswap wrote must be on the disk before it is read past the page cache. */
static int swap_bdev_open(struct file *file, struct swap_backend **b)
{
	struct inode *inode = file_inode(file);
	struct swap_bdev *sb;
	int err;

	if (!S_ISBLK(inode->i_mode) && !S_ISREG(inode->i_mode))
		return -ENODEV;
	sb = kzalloc(sizeof(*sb), GFP_KERNEL);
	if (!sb)
		return -ENOMEM;
	sb->mapping = file->f_mapping;
	err = filemap_write_and_wait(sb->mapping);
	if (!err)
		err = S_ISBLK(inode->i_mode) ? open_partition(sb, inode) : open_file(sb, inode);
	if (!err) {
		*b = &sb->backend;
		return 0;
	}
	swap_bdev_release(&sb->backend);
	return err;
}

static struct swap_backend_type swap_bdev_type = { .name = "disk", .open = swap_bdev_open };

static int __init swap_bdev_init(void)
{
	register_swap_backend(&swap_bdev_type);
	return 0;
}
fs_initcall(swap_bdev_init);
