/*
 * mount.h: flags of the calls that make mounts as open files (open_tree, fsopen, mount_setattr): the Linux ABI.
 */
#ifndef UAPI_MOUNT_H
#define UAPI_MOUNT_H

#include <weft/types.h>

#define OPEN_TREE_CLONE		1
#define OPEN_TREE_CLOEXEC	O_CLOEXEC
#define AT_RECURSIVE		0x8000

#define MOVE_MOUNT_F_SYMLINKS	0x00000001	/* follow a link at the end of the from path */
#define MOVE_MOUNT_F_AUTOMOUNTS	0x00000002
#define MOVE_MOUNT_F_EMPTY_PATH	0x00000004	/* an empty from path is the descriptor itself */
#define MOVE_MOUNT_T_SYMLINKS	0x00000010	/* the same for the to path */
#define MOVE_MOUNT_T_AUTOMOUNTS	0x00000020
#define MOVE_MOUNT_T_EMPTY_PATH	0x00000040
#define MOVE_MOUNT_SET_GROUP	0x00000100	/* move nothing: the to mount joins the peers of the from mount */
#define MOVE_MOUNT__MASK	0x00000177

#define FSOPEN_CLOEXEC		1
#define FSPICK_CLOEXEC		1
#define FSPICK_SYMLINK_NOFOLLOW	2
#define FSPICK_NO_AUTOMOUNT	4
#define FSPICK_EMPTY_PATH	8
#define FSMOUNT_CLOEXEC		1

enum fsconfig_command {
	FSCONFIG_SET_FLAG,
	FSCONFIG_SET_STRING,
	FSCONFIG_SET_BINARY,
	FSCONFIG_SET_PATH,
	FSCONFIG_SET_PATH_EMPTY,
	FSCONFIG_SET_FD,
	FSCONFIG_CMD_CREATE,
	FSCONFIG_CMD_RECONFIGURE,
};

#define MOUNT_ATTR_RDONLY	0x00000001
#define MOUNT_ATTR_NOSUID	0x00000002
#define MOUNT_ATTR_NODEV	0x00000004
#define MOUNT_ATTR_NOEXEC	0x00000008
#define MOUNT_ATTR__ATIME	0x00000070	/* one of the following three */
#define MOUNT_ATTR_RELATIME	0x00000000
#define MOUNT_ATTR_NOATIME	0x00000010
#define MOUNT_ATTR_STRICTATIME	0x00000020
#define MOUNT_ATTR_NODIRATIME	0x00000080
#define MOUNT_ATTR_IDMAP	0x00100000
#define MOUNT_ATTR_NOSYMFOLLOW	0x00200000

struct mount_attr {
	u64	attr_set;
	u64	attr_clr;
	u64	propagation;
	u64	userns_fd;
};
#define MOUNT_ATTR_SIZE_VER0	32
_Static_assert(sizeof(struct mount_attr) == MOUNT_ATTR_SIZE_VER0, "Linux ABI");

#endif
