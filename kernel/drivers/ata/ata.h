/*
 * ata.h: what IDE channels and AHCI ports have in common: the commands of a disk, and what it says of itself.
 *
 * See:     libata.c; ATA/ATAPI Command Set (ACS-3)
 */
#ifndef WEFT_DRIVERS_ATA_H
#define WEFT_DRIVERS_ATA_H

#include <weft/blkdev.h>
#include <weft/types.h>

#define ATA_SECTORS_28		256u		/* most in one command of each kind */
#define ATA_SECTORS_48		65536u
#define ATA_LIMIT_28		(1ull << 28)

/* Status register. */
#define ATA_BUSY		0x80
#define ATA_DF			0x20		/* device fault */
#define ATA_DRQ			0x08		/* wants or has data */
#define ATA_ERR			0x01

#define ATA_DEVICE_LBA		0x40

enum {
	ATA_CMD_READ_PIO = 0x20, ATA_CMD_READ_PIO_EXT = 0x24, ATA_CMD_READ_DMA_EXT = 0x25, ATA_CMD_WRITE_PIO = 0x30,
	ATA_CMD_WRITE_PIO_EXT = 0x34, ATA_CMD_WRITE_DMA_EXT = 0x35, ATA_CMD_READ_DMA = 0xc8, ATA_CMD_WRITE_DMA = 0xca,
	ATA_CMD_FLUSH = 0xe7, ATA_CMD_FLUSH_EXT = 0xea, ATA_CMD_IDENTIFY = 0xec,
};

#define ATA_ID_WORDS		256

/* What matters of the answer to IDENTIFY DEVICE. */
struct ata_identity {
	u64	sectors;
	bool	lba48, dma, write_cache;
	u8	physical_exp;			/* a physical sector is 512 << this */
	char	serial[21];
};

/* False when it is no disk that takes sector numbers. */
bool ata_parse_identity(const u16 *words, struct ata_identity *id);
/* The command that does op for a request; dma: not by the processor. */
u8 ata_command(enum req_op op, bool ext, bool dma);
/* Fills in name, numbers, capacity and limits of a disk whose queue is made, and adds it.  May sleep.  0 or -errno. */
int ata_add_disk(struct gendisk *disk, const struct ata_identity *id);

#endif
