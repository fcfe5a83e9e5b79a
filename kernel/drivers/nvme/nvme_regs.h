/*
 * nvme_regs.h: registers, commands and answers of an NVMe controller.
 *
 * See:     NVM Express Base Specification 1.4, chapters 3-6
 */
#ifndef WEFT_NVME_REGS_H
#define WEFT_NVME_REGS_H

#include <weft/types.h>

/* Registers in BAR 0. */
enum {
	NVME_CAP = 0x00, NVME_CAP_HI = 0x04, NVME_CC = 0x14, NVME_CSTS = 0x1c, NVME_AQA = 0x24, NVME_ASQ = 0x28,
	NVME_ACQ = 0x30, NVME_DOORBELLS = 0x1000,
};
#define CAP_ENTRIES(lo)		((lo) & 0xffff)		/* most of a queue, less one */
#define CAP_TIMEOUT(lo)		((lo) >> 24)		/* to become ready, in half seconds */
#define CAP_STRIDE(hi)		((hi) & 0xf)		/* doorbells lie 4 << this bytes apart */
#define CAP_MIN_PAGE(hi)	((hi) >> 16 & 0xf)	/* smallest page: 4096 << this */
#define CC_ENABLE		1u
#define CC_SHUTDOWN		(1u << 14)
#define CC_SHUTDOWN_MASK	(3u << 14)
#define CC_ENTRY_SIZES		(6u << 16 | 4u << 20)	/* log2 of 64 and 16 bytes */
#define CSTS_READY		1u
#define CSTS_FATAL		2u
#define CSTS_SHUTDOWN_MASK	(3u << 2)
#define CSTS_SHUTDOWN_DONE	(2u << 2)

enum { ADMIN_CREATE_SQ = 1, ADMIN_CREATE_CQ = 5, ADMIN_IDENTIFY = 6, ADMIN_SET_FEATURES = 9 };
enum { IO_FLUSH = 0, IO_WRITE = 1, IO_READ = 2, IO_DATASET = 9 };
#define FEATURE_QUEUES		7
#define IDENTIFY_NAMESPACE	0
#define IDENTIFY_CONTROLLER	1
#define QUEUE_IN_ONE_PIECE	1u
#define QUEUE_INTERRUPT		2u
#define RW_FUA			(1u << 30)		/* in cdw12 */
#define DATASET_DISCARD		4u			/* in cdw11 */

struct nvme_command {
	u8	opcode, flags;
	__le16	id;
	__le32	nsid;
	__le64	reserved, metadata;
	__le64	prp1, prp2;			/* memory: the first page; the second, or a list of the others */
	__le32	cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
static_assert(sizeof(struct nvme_command) == 64);

struct nvme_completion {
	__le32	result, reserved;
	__le16	sq_head, sq_id;
	__le16	id;
	__le16	status;				/* bit 0: the phase, turns over with each round of the queue */
};
static_assert(sizeof(struct nvme_completion) == 16);
#define STATUS_CODE(s)		((s) >> 1 & 0x7ff)
#define STATUS_BAD_OPCODE	1

struct nvme_range {
	__le32	attributes, blocks;
	__le64	lba;
};

/* What we read of the 4096 bytes that describe a controller ... */
#define ID_SERIAL		4			/* 20 characters, filled up with blanks */
#define ID_SERIAL_LEN		20
#define ID_MAX_TRANSFER		77			/* log2 of pages; 0: any */
#define ID_NAMESPACES		516
#define ID_OPTIONAL		520
#define OPTIONAL_DATASET	4
#define ID_WRITE_CACHE		525
/* ... and a namespace. */
#define NS_SIZE			0
#define NS_FORMAT		26			/* which of the formats, bits 0-3 */
#define NS_FORMATS		128			/* 4 bytes each: metadata size, log2 of the block size, ... */

#endif
