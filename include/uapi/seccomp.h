/*
 * seccomp.h: what a program may ask of the kernel: modes, filters' verdicts, a supervisor's requests.
 *
 * See:     seccomp(2), seccomp_unotify(2); kernel/seccomp/
 */
#ifndef UAPI_SECCOMP_H
#define UAPI_SECCOMP_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <uapi/ioctl.h>

#define SECCOMP_MODE_DISABLED	0
#define SECCOMP_MODE_STRICT	1
#define SECCOMP_MODE_FILTER	2

#define SECCOMP_SET_MODE_STRICT	0
#define SECCOMP_SET_MODE_FILTER	1
#define SECCOMP_GET_ACTION_AVAIL 2
#define SECCOMP_GET_NOTIF_SIZES	3

#define SECCOMP_FILTER_FLAG_TSYNC		0x01
#define SECCOMP_FILTER_FLAG_LOG			0x02
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW		0x04
#define SECCOMP_FILTER_FLAG_NEW_LISTENER	0x08
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH		0x10
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV	0x20

/* The verdict's upper half, the lower as a signed number the stronger. */
#define SECCOMP_RET_KILL_PROCESS	0x80000000U
#define SECCOMP_RET_KILL_THREAD		0x00000000U
#define SECCOMP_RET_TRAP		0x00030000U
#define SECCOMP_RET_ERRNO		0x00050000U
#define SECCOMP_RET_USER_NOTIF		0x7fc00000U
#define SECCOMP_RET_TRACE		0x7ff00000U
#define SECCOMP_RET_LOG			0x7ffc0000U
#define SECCOMP_RET_ALLOW		0x7fff0000U
#define SECCOMP_RET_ACTION_FULL		0xffff0000U
#define SECCOMP_RET_DATA		0x0000ffffU

/* What a filter sees. */
struct seccomp_data {
	int	nr;
	u32	arch;
	u64	instruction_pointer;
	u64	args[6];
};

struct seccomp_notif_sizes {
	u16	seccomp_notif;
	u16	seccomp_notif_resp;
	u16	seccomp_data;
};

struct seccomp_notif {
	u64	id;
	u32	pid;
	u32	flags;
	struct seccomp_data data;
};

/* PTRACE_SECCOMP_GET_METADATA: which filter is meant, and the flags it was attached with. */
struct seccomp_metadata {
	u64	filter_off;
	u64	flags;
};

#define SECCOMP_USER_NOTIF_FLAG_CONTINUE	1

struct seccomp_notif_resp {
	u64	id;
	s64	val;
	s32	error;
	u32	flags;
};

#define SECCOMP_ADDFD_FLAG_SETFD	1
#define SECCOMP_ADDFD_FLAG_SEND		2

struct seccomp_notif_addfd {
	u64	id;
	u32	flags;
	u32	srcfd;
	u32	newfd;
	u32	newfd_flags;
};

#define SECCOMP_IOCTL_NOTIF_RECV	_IOWR('!', 0, struct seccomp_notif)
#define SECCOMP_IOCTL_NOTIF_SEND	_IOWR('!', 1, struct seccomp_notif_resp)
#define SECCOMP_IOCTL_NOTIF_ID_VALID	_IOW('!', 2, u64)
#define SECCOMP_IOCTL_NOTIF_ID_VALID_OLD _IOR('!', 2, u64)	/* as it was first written down, in the wrong direction */
#define SECCOMP_IOCTL_NOTIF_ADDFD	_IOW('!', 3, struct seccomp_notif_addfd)

_Static_assert(sizeof(struct seccomp_data) == 64, "seccomp_data ABI");
_Static_assert(sizeof(struct seccomp_notif) == 80, "seccomp_notif ABI");
_Static_assert(sizeof(struct seccomp_notif_resp) == 24, "seccomp_notif_resp ABI");
_Static_assert(sizeof(struct seccomp_notif_addfd) == 24, "seccomp_notif_addfd ABI");

#endif
