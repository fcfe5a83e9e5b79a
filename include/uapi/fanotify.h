/*
 * fanotify.h: fanotify(7): the Linux x86-64 ABI.
 */
#ifndef UAPI_FANOTIFY_H
#define UAPI_FANOTIFY_H

#include <weft/types.h>

/* Events: the lower bits are inotify's. */
#define FAN_ACCESS			0x00000001
#define FAN_MODIFY			0x00000002
#define FAN_CLOSE_WRITE			0x00000008
#define FAN_CLOSE_NOWRITE		0x00000010
#define FAN_OPEN			0x00000020
#define FAN_OPEN_EXEC			0x00001000
#define FAN_Q_OVERFLOW			0x00004000
#define FAN_EVENT_ON_CHILD		0x08000000
#define FAN_ONDIR			0x40000000

/* fanotify_init() */
#define FAN_CLOEXEC			0x00000001
#define FAN_NONBLOCK			0x00000002
#define FAN_UNLIMITED_QUEUE		0x00000010
#define FAN_UNLIMITED_MARKS		0x00000020
#define FAN_REPORT_TID			0x00000100

/* fanotify_mark() */
#define FAN_MARK_ADD			0x00000001
#define FAN_MARK_REMOVE			0x00000002
#define FAN_MARK_DONT_FOLLOW		0x00000004
#define FAN_MARK_ONLYDIR		0x00000008
#define FAN_MARK_MOUNT			0x00000010
#define FAN_MARK_IGNORED_MASK		0x00000020
#define FAN_MARK_IGNORED_SURV_MODIFY	0x00000040
#define FAN_MARK_FLUSH			0x00000080
#define FAN_MARK_FILESYSTEM		0x00000100

#define FANOTIFY_METADATA_VERSION	3
#define FAN_NOFD			(-1)

struct fanotify_event_metadata {
	u32	event_len;
	u8	vers;
	u8	reserved;
	u16	metadata_len;
	u64	mask;
	s32	fd;
	s32	pid;
};
_Static_assert(sizeof(struct fanotify_event_metadata) == 24, "struct fanotify_event_metadata");

#endif
