/*
 * uapi/userfaultfd.h: userfaultfd(2), ioctl_userfaultfd(2) (Linux ABI).
 */
#ifndef UAPI_USERFAULTFD_H
#define UAPI_USERFAULTFD_H

#include <uapi/ioctl.h>
#include <uapi/types.h>

#define UFFD_USER_MODE_ONLY		1
#define USERFAULTFD_IOC_NEW		_IO(0xAA, 0)	/* on /dev/userfaultfd */

#define UFFD_API			0xAAULL
#define UFFD_FEATURE_PAGEFAULT_FLAG_WP	(1ULL << 0)
#define UFFD_FEATURE_SIGBUS		(1ULL << 7)
#define UFFD_FEATURE_THREAD_ID		(1ULL << 8)
#define UFFD_FEATURE_EXACT_ADDRESS	(1ULL << 11)

#define UFFD_EVENT_PAGEFAULT		0x12
#define UFFD_PAGEFAULT_FLAG_WRITE	1
#define UFFD_PAGEFAULT_FLAG_WP		2

struct uffd_msg {
	__u8	event, reserved1;
	__u16	reserved2;
	__u32	reserved3;
	struct {
		__u64	flags, address;
		__u32	ptid, unused;
	} pagefault;
};
_Static_assert(sizeof(struct uffd_msg) == 32, "ABI");

struct uffdio_api	{ __u64 api, features, ioctls; };
struct uffdio_range	{ __u64 start, len; };
struct uffdio_register {
	struct uffdio_range range;
	__u64	mode, ioctls;
};
#define UFFDIO_REGISTER_MODE_MISSING	1
#define UFFDIO_REGISTER_MODE_WP		2
#define UFFDIO_REGISTER_MODE_MINOR	4

struct uffdio_copy {
	__u64	dst, src, len, mode;
	__s64	copy;
};
#define UFFDIO_COPY_MODE_DONTWAKE	1
#define UFFDIO_COPY_MODE_WP		2

struct uffdio_zeropage {
	struct uffdio_range range;
	__u64	mode;
	__s64	zeropage;
};
#define UFFDIO_ZEROPAGE_MODE_DONTWAKE	1

struct uffdio_writeprotect {
	struct uffdio_range range;
	__u64	mode;
};
#define UFFDIO_WRITEPROTECT_MODE_WP	1
#define UFFDIO_WRITEPROTECT_MODE_DONTWAKE 2

#define UFFDIO_REGISTER		_IOWR(0xAA, 0x00, struct uffdio_register)
#define UFFDIO_UNREGISTER	_IOR(0xAA, 0x01, struct uffdio_range)
#define UFFDIO_WAKE		_IOR(0xAA, 0x02, struct uffdio_range)
#define UFFDIO_COPY		_IOWR(0xAA, 0x03, struct uffdio_copy)
#define UFFDIO_ZEROPAGE		_IOWR(0xAA, 0x04, struct uffdio_zeropage)
#define UFFDIO_WRITEPROTECT	_IOWR(0xAA, 0x06, struct uffdio_writeprotect)
#define UFFDIO_API		_IOWR(0xAA, 0x3f, struct uffdio_api)

#endif
