/*
 * libata.c: a disk that speaks ATA, whatever it is plugged into: its identity, its commands, its name /dev/sdX.
 *
 * Locking: none: a disk's identity is written before the disk is added; numbers are counted atomically.
 * See:     ata.h; ide.c and ahci.c for the two ways to it
 */
#include <weft/kernel.h>
#include <weft/atomic.h>
#include <weft/init.h>
#include <weft/string.h>
#include "ata.h"

#define SD_MAJOR	8
#define MAX_DISKS	16			/* 256 minors */

static atomic_t nr_disks = ATOMIC_INIT(0);

/* Text in IDENTIFY has its bytes swapped within each word, and blanks around it. */
static void copy_text(char *to, const u16 *words, unsigned int nr)
{
	char *p = to;

	for (unsigned int i = 0; i < nr; i++) {
		*p++ = (char)(words[i] >> 8);
		*p++ = (char)words[i];
	}
	*p = 0;
	strscpy(to, strim(to), 2 * nr + 1);
}

bool ata_parse_identity(const u16 *w, struct ata_identity *id)
{
	*id = (struct ata_identity){ .dma = w[49] >> 8 & 1, .lba48 = w[83] >> 10 & 1, .write_cache = w[85] >> 5 & 1 };
	if (w[0] >> 15 || !(w[49] >> 9 & 1))
		return false;
	id->sectors = w[60] | (u32)w[61] << 16;
	if (id->lba48)
		id->sectors = w[100] | (u64)w[101] << 16 | (u64)w[102] << 32 | (u64)w[103] << 48;
	if ((w[106] >> 13 & 7) == 3)		/* word is valid and says: several logical sectors in a physical one */
		id->physical_exp = w[106] & 15;
	if ((w[106] >> 12 & 0xd) == 5)		/* logical sectors are longer than 512 bytes */
		return false;
	copy_text(id->serial, w + 10, 10);
	return id->sectors;
}

u8 ata_command(enum req_op op, bool ext, bool dma)
{
	if (op == REQ_OP_FLUSH)
		return ext ? ATA_CMD_FLUSH_EXT : ATA_CMD_FLUSH;
	if (op == REQ_OP_WRITE)
		return dma ? ext ? ATA_CMD_WRITE_DMA_EXT : ATA_CMD_WRITE_DMA : ext ? ATA_CMD_WRITE_PIO_EXT : ATA_CMD_WRITE_PIO;
	return dma ? ext ? ATA_CMD_READ_DMA_EXT : ATA_CMD_READ_DMA : ext ? ATA_CMD_READ_PIO_EXT : ATA_CMD_READ_PIO;
}

int ata_add_disk(struct gendisk *disk, const struct ata_identity *id)
{
	struct queue_limits *lim = &disk->queue->limits;
	int nr = atomic_inc_return(&nr_disks) - 1;

	if (nr >= MAX_DISKS)
		return -ENOSPC;
	snprintf(disk->disk_name, sizeof(disk->disk_name), "sd%c", 'a' + nr);
	strscpy(disk->serial, id->serial, sizeof(disk->serial));
	disk->major = SD_MAJOR;
	disk->first_minor = nr * DISK_MAX_PARTS;
	disk->capacity = id->sectors;
	lim->max_sectors = min(lim->max_sectors, id->lba48 ? ATA_SECTORS_48 : ATA_SECTORS_28);
	lim->physical_block_size = SECTOR_SIZE << min(id->physical_exp, (u8)3);
	lim->write_cache = id->write_cache;
	return add_disk(disk);
}

static int __init ata_init(void)
{
	int major = register_blkdev(SD_MAJOR, "sd");

	return min(major, 0);
}
subsys_initcall(ata_init);
