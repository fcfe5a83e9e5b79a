/*
 * uio.h: scattered I/O: the Linux x86-64 ABI.
 */
#ifndef UAPI_UIO_H
#define UAPI_UIO_H

#include <weft/types.h>

struct iovec {
	void __user	*iov_base;
	size_t		iov_len;
};

#define UIO_FASTIOV	8
#define UIO_MAXIOV	1024

#endif
