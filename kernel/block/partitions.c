/*
 * partitions.c: the partition table of a disk: GPT, or the MBR of a PC with its chain of logical partitions.
 *
 * Idea:    sector 0 ends in 55 aa.  If its first entry is of type 0xee, a GPT follows: a header in the second block, and
 *          an array of entries; both carry a CRC.  When the first copy is broken, the one at the disk's end is taken.
 *          Otherwise the four entries are partitions 1..4; one of them may be "extended": a chain of tables, whose
 *          partitions count from 5.
 *          Nothing on the disk is believed: every number is checked against the disk before it is used.
 * Locking: scan_mutex, held by genhd.c while a disk is scanned.
 * See:     spec.md §10; UEFI Specification 2.10, chapter 5
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/crc32.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/unaligned.h>
#include "blk.h"

#define MBR_ENTRIES		446
#define MBR_DISK_ID		440
#define MBR_MAGIC_AT		510
#define MBR_MAGIC		0xaa55
#define MBR_TYPE_GPT		0xee
#define FIRST_LOGICAL		5
#define MAX_CHAIN		100		/* tables of logical partitions followed: they may form a circle */

#define GPT_SIGNATURE		0x5452415020494645ull	/* "EFI PART" */
#define GPT_ENTRY_MIN		128
#define GPT_ENTRIES_MAX		1024

struct mbr_entry {
	u8	boot, chs_first[3], type, chs_last[3];
	__le32	start, size;			/* sectors; of a logical one: from its table */
} __packed;

struct gpt_header {
	__le64	signature;
	__le32	revision, header_size, header_crc, reserved;
	__le64	my_lba, alternate_lba, first_usable, last_usable;
	u8	disk_guid[16];
	__le64	entries_lba;
	__le32	nr_entries, entry_size, entries_crc;
} __packed;

struct gpt_entry {
	u8	type[16], guid[16];
	__le64	first, last;			/* blocks, inclusive */
	__le64	attributes;
	__le16	name[36];
} __packed;
static_assert(sizeof(struct gpt_entry) == GPT_ENTRY_MIN);

/* Copies bytes [pos, pos + len) of the disk.  0 or -errno. */
static int read_disk(struct gendisk *disk, u64 pos, void *buf, size_t len)
{
	struct address_space *mapping = disk->part0->bd_inode->i_mapping;

	if (len > (u64)i_size_read(mapping->host) || pos > i_size_read(mapping->host) - len)
		return -EINVAL;
	while (len) {
		size_t off = offset_in_page(pos), now = min_t(size_t, len, PAGE_SIZE - off);
		struct page *page = read_mapping_page(mapping, pos >> PAGE_SHIFT, NULL);

		if (IS_ERR(page))
			return PTR_ERR(page);
		memcpy(buf, page_address(page) + off, now);
		put_page(page);
		buf += now;
		pos += now;
		len -= now;
	}
	return 0;
}

static void add_partition(struct gendisk *disk, unsigned int nr, u64 start, u64 len, const char *uuid)
{
	struct block_device *part;

	if (!len || start >= disk->capacity || len > disk->capacity - start) {
		pr_warn("%s: partition %u lies outside of the disk\n", disk->disk_name, nr);
		return;
	}
	part = bdev_add(disk, nr, start, len, uuid);
	if (IS_ERR(part))
		pr_warn("%s: partition %u: error %d\n", disk->disk_name, nr, (int)PTR_ERR(part));
}

/* ---- GPT ---- */

static bool guid_is_zero(const u8 *guid)
{
	return !memchr_inv(guid, 0, 16);
}

static void format_guid(char *buf, size_t size, const u8 *g)
{
	snprintf(buf, size, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", get_unaligned_le32(g),
		 get_unaligned_le16(g + 4), get_unaligned_le16(g + 6), g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

static u32 gpt_crc(const void *p, size_t len)
{
	return crc32_le(~0u, p, len) ^ ~0u;
}

/* The header at block lba, if it is whole. */
static bool read_gpt_header(struct gendisk *disk, u64 lba, unsigned int block, struct gpt_header *h)
{
	struct gpt_header copy;

	if (read_disk(disk, lba * block, h, sizeof(*h)) || le64_to_cpu(h->signature) != GPT_SIGNATURE ||
	    le32_to_cpu(h->header_size) != sizeof(*h) || le64_to_cpu(h->my_lba) != lba)
		return false;
	copy = *h;
	copy.header_crc = 0;
	return gpt_crc(&copy, sizeof(copy)) == le32_to_cpu(h->header_crc) && le32_to_cpu(h->nr_entries) <= GPT_ENTRIES_MAX &&
	       le32_to_cpu(h->entry_size) >= GPT_ENTRY_MIN && le32_to_cpu(h->entry_size) <= PAGE_SIZE;
}

/* The whole array, checked; the caller frees it.  NULL when it is broken. */
static void *read_gpt_entries(struct gendisk *disk, const struct gpt_header *h, unsigned int block)
{
	size_t size = (size_t)le32_to_cpu(h->nr_entries) * le32_to_cpu(h->entry_size);
	u64 lba = le64_to_cpu(h->entries_lba);
	void *entries;

	if (!size || lba > disk->capacity)
		return NULL;
	entries = kvmalloc(size, GFP_KERNEL);
	if (entries && !read_disk(disk, lba * block, entries, size) && gpt_crc(entries, size) == le32_to_cpu(h->entries_crc))
		return entries;
	kvfree(entries);
	return NULL;
}

static bool try_gpt(struct gendisk *disk, u64 lba)
{
	unsigned int block = disk->queue->limits.logical_block_size, per = block / SECTOR_SIZE;
	struct gpt_header h;
	void *entries;

	if (!read_gpt_header(disk, lba, block, &h))
		return false;
	entries = read_gpt_entries(disk, &h, block);
	if (!entries)
		return false;
	for (u32 i = 0; i < le32_to_cpu(h.nr_entries); i++) {
		const struct gpt_entry *e = entries + (size_t)i * le32_to_cpu(h.entry_size);
		u64 first = le64_to_cpu(e->first), last = le64_to_cpu(e->last);
		char uuid[40];

		if (guid_is_zero(e->type))
			continue;
		if (first > last || last > disk->capacity) {
			pr_warn("%s: GPT entry %u makes no sense\n", disk->disk_name, i + 1);
			continue;
		}
		format_guid(uuid, sizeof(uuid), e->guid);
		add_partition(disk, i + 1, first * per, (last - first + 1) * per, uuid);
	}
	kvfree(entries);
	return true;
}

/* ---- MBR ---- */

static bool is_extended(u8 type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Each table: one partition, counted from the table, and the way to the next, counted from the first. */
static void walk_extended(struct gendisk *disk, u64 first, u32 disk_id)
{
	unsigned int nr = FIRST_LOGICAL;
	u64 table = first;

	for (int chain = 0; chain < MAX_CHAIN && nr < DISK_MAX_PARTS; chain++) {
		struct mbr_entry e[4];
		u64 next = 0;
		__le16 magic;
		char uuid[16];

		if (read_disk(disk, table * SECTOR_SIZE + MBR_ENTRIES, e, sizeof(e)) ||
		    read_disk(disk, table * SECTOR_SIZE + MBR_MAGIC_AT, &magic, sizeof(magic)) ||
		    le16_to_cpu(magic) != MBR_MAGIC)
			return;
		for (int i = 0; i < 4; i++) {
			if (is_extended(e[i].type)) {
				next = next ? next : first + le32_to_cpu(e[i].start);
			} else if (e[i].type && e[i].size && nr < DISK_MAX_PARTS) {
				snprintf(uuid, sizeof(uuid), "%08x-%02x", disk_id, nr);
				add_partition(disk, nr++, table + le32_to_cpu(e[i].start), le32_to_cpu(e[i].size), uuid);
			}
		}
		if (!next)
			return;
		table = next;
	}
}

static void read_mbr(struct gendisk *disk, const struct mbr_entry *entries, u32 disk_id)
{
	char uuid[16];

	for (unsigned int i = 0; i < 4; i++) {
		const struct mbr_entry *e = &entries[i];
		u64 start = le32_to_cpu(e->start), len = le32_to_cpu(e->size);

		if (!e->type || !len)
			continue;
		snprintf(uuid, sizeof(uuid), "%08x-%02x", disk_id, i + 1);
		/* An extended one shows two sectors only, so that nobody makes a file system over the tables. */
		add_partition(disk, i + 1, start, is_extended(e->type) ? min(len, 2ull) : len, uuid);
		if (is_extended(e->type))
			walk_extended(disk, start, disk_id);
	}
}

/* A file system may begin at sector 0 and carry the same magic: then the "entries" are its boot code. */
static bool plausible(const struct mbr_entry *entries)
{
	for (int i = 0; i < 4; i++)
		if (entries[i].boot & 0x7f)
			return false;
	return true;
}

void disk_scan_partitions(struct gendisk *disk)
{
	unsigned int block = disk->queue->limits.logical_block_size;
	struct mbr_entry entries[4];
	__le32 disk_id;
	__le16 magic;

	if (read_disk(disk, MBR_ENTRIES, entries, sizeof(entries)) || read_disk(disk, MBR_MAGIC_AT, &magic, sizeof(magic)) ||
	    read_disk(disk, MBR_DISK_ID, &disk_id, sizeof(disk_id)) || le16_to_cpu(magic) != MBR_MAGIC || !plausible(entries))
		return;
	for (int i = 0; i < 4; i++)
		if (entries[i].type == MBR_TYPE_GPT) {
			if (!try_gpt(disk, 1) && !try_gpt(disk, disk->capacity * SECTOR_SIZE / block - 1))
				pr_warn("%s: both copies of the GPT are broken\n", disk->disk_name);
			return;
		}
	read_mbr(disk, entries, le32_to_cpu(disk_id));
}
