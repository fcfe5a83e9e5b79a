/*
 * aio_abi.h: what programs give to io_submit(2) and get from io_getevents(2).
 */
#ifndef UAPI_AIO_ABI_H
#define UAPI_AIO_ABI_H

#include <uapi/types.h>

enum {
	IOCB_CMD_PREAD = 0, IOCB_CMD_PWRITE = 1, IOCB_CMD_FSYNC = 2, IOCB_CMD_FDSYNC = 3, IOCB_CMD_POLL = 5, IOCB_CMD_NOOP = 6,
	IOCB_CMD_PREADV = 7, IOCB_CMD_PWRITEV = 8,
};
#define IOCB_FLAG_RESFD		(1 << 0)
#define IOCB_FLAG_IOPRIO	(1 << 1)

struct io_event {
	__u64	data;			/* iocb.aio_data */
	__u64	obj;			/* where the iocb was */
	__s64	res, res2;
};

struct iocb {
	__u64	aio_data;
	__u32	aio_key;		/* the kernel's; io_cancel() wants it back */
	__u32	aio_rw_flags;		/* RWF_* */
	__u16	aio_lio_opcode;
	__s16	aio_reqprio;
	__u32	aio_fildes;
	__u64	aio_buf, aio_nbytes;
	__s64	aio_offset;
	__u64	aio_reserved2;
	__u32	aio_flags, aio_resfd;
};
_Static_assert(sizeof(struct iocb) == 64, "ABI");

#endif
