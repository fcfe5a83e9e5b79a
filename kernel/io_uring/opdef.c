/*
 * opdef.c: the table of operations.  What is not in it is EINVAL, and IORING_REGISTER_PROBE says so.
 *
 * Idea:    an operation is two functions and what the rest must know of it: does it need a file, what to poll for when it
 *          would block, may it be given a buffer.
 * Locking: none: constant.
 * See:     io_uring.h (struct io_op), ops.h
 */
#include "ops.h"
#include <weft/poll.h>

#define PLAIN(n)	.name = #n, .prep = io_##n##_prep, .issue = io_##n##_issue
#define RW(n, kind)	.name = n, .prep = io_##kind##_prep, .issue = io_##kind##_issue, .needs_file = true, \
			.cleanup = io_rw_cleanup, .ioprio = true, .iopoll = true
#define NAMES(n)	PLAIN(n), .cleanup = io_fs_cleanup

const struct io_op io_ops[IORING_OP_LAST] = {
	[IORING_OP_NOP]			= { PLAIN(nop), .iopoll = true },
	[IORING_OP_READV]		= { RW("readv", rwv), .poll = EPOLLIN, .buffer_select = true },
	[IORING_OP_WRITEV]		= { RW("writev", rwv), .poll = EPOLLOUT },
	[IORING_OP_READ]		= { RW("read", rw), .poll = EPOLLIN, .buffer_select = true },
	[IORING_OP_WRITE]		= { RW("write", rw), .poll = EPOLLOUT },
	[IORING_OP_READ_FIXED]		= { RW("read_fixed", rw), .poll = EPOLLIN, .fixed_buffer = true },
	[IORING_OP_WRITE_FIXED]		= { RW("write_fixed", rw), .poll = EPOLLOUT, .fixed_buffer = true },
	[IORING_OP_FSYNC]		= { PLAIN(fsync), .needs_file = true },
	[IORING_OP_SYNC_FILE_RANGE]	= { PLAIN(sync_range), .needs_file = true },
	[IORING_OP_FALLOCATE]		= { PLAIN(fallocate), .needs_file = true },
	[IORING_OP_FADVISE]		= { PLAIN(fadvise), .needs_file = true },
	[IORING_OP_MADVISE]		= { PLAIN(madvise) },
	[IORING_OP_SPLICE]		= { PLAIN(splice), .needs_file = true },
	[IORING_OP_TEE]			= { PLAIN(tee), .needs_file = true },

	[IORING_OP_POLL_ADD]		= { PLAIN(poll), .needs_file = true, .inline_only = true },
	[IORING_OP_POLL_REMOVE]		= { PLAIN(poll_remove), .inline_only = true },
	[IORING_OP_TIMEOUT]		= { PLAIN(timeout), .inline_only = true },
	[IORING_OP_TIMEOUT_REMOVE]	= { PLAIN(timeout_remove), .inline_only = true },
	[IORING_OP_LINK_TIMEOUT]	= { .name = "link_timeout", .prep = io_link_timeout_prep, .issue = io_timeout_issue,
					    .inline_only = true },
	[IORING_OP_ASYNC_CANCEL]	= { PLAIN(cancel), .inline_only = true },
	[IORING_OP_FILES_UPDATE]	= { PLAIN(files_update), .inline_only = true, .iopoll = true },
	[IORING_OP_PROVIDE_BUFFERS]	= { PLAIN(provide), .inline_only = true, .iopoll = true },
	[IORING_OP_REMOVE_BUFFERS]	= { PLAIN(remove_buffers), .inline_only = true, .iopoll = true },
	[IORING_OP_EPOLL_CTL]		= { PLAIN(epoll_ctl), .needs_file = true },
	[IORING_OP_MSG_RING]		= { PLAIN(msg_ring), .needs_file = true, .iopoll = true },

	[IORING_OP_SENDMSG]		= { PLAIN(sendmsg), .needs_file = true, .poll = EPOLLOUT, .ioprio = true },
	[IORING_OP_RECVMSG]		= { .name = "recvmsg", .prep = io_sendmsg_prep, .issue = io_recvmsg_issue,
					    .needs_file = true, .poll = EPOLLIN, .buffer_select = true, .ioprio = true },
	[IORING_OP_SEND]		= { PLAIN(send), .needs_file = true, .poll = EPOLLOUT, .ioprio = true },
	[IORING_OP_RECV]		= { .name = "recv", .prep = io_send_prep, .issue = io_recv_issue, .needs_file = true,
					    .poll = EPOLLIN, .buffer_select = true, .ioprio = true },
	[IORING_OP_ACCEPT]		= { PLAIN(accept), .needs_file = true, .poll = EPOLLIN, .ioprio = true },
	[IORING_OP_CONNECT]		= { PLAIN(connect), .needs_file = true, .poll = EPOLLOUT },
	[IORING_OP_SHUTDOWN]		= { PLAIN(shutdown), .needs_file = true },
	[IORING_OP_SOCKET]		= { PLAIN(socket) },

	[IORING_OP_OPENAT]		= { NAMES(openat) },
	[IORING_OP_OPENAT2]		= { NAMES(openat2) },
	[IORING_OP_CLOSE]		= { PLAIN(close) },
	[IORING_OP_STATX]		= { NAMES(statx) },
	[IORING_OP_RENAMEAT]		= { NAMES(renameat) },
	[IORING_OP_UNLINKAT]		= { NAMES(unlinkat) },
	[IORING_OP_MKDIRAT]		= { NAMES(mkdirat) },
	[IORING_OP_SYMLINKAT]		= { NAMES(symlinkat) },
	[IORING_OP_LINKAT]		= { NAMES(linkat) },
};
