/*
 * landlock.h: the Linux ABI of Landlock, version 2.
 */
#ifndef UAPI_LANDLOCK_H
#define UAPI_LANDLOCK_H

#include <weft/types.h>

#define LANDLOCK_ABI			2
#define LANDLOCK_CREATE_RULESET_VERSION	1

struct landlock_ruleset_attr {
	u64	handled_access_fs;
};
_Static_assert(sizeof(struct landlock_ruleset_attr) == 8, "Linux ABI");

#define LANDLOCK_RULE_PATH_BENEATH	1

struct landlock_path_beneath_attr {
	u64	allowed_access;
	s32	parent_fd;
} __attribute__((packed));
_Static_assert(sizeof(struct landlock_path_beneath_attr) == 12, "Linux ABI");

#define LANDLOCK_ACCESS_FS_EXECUTE	(1U << 0)
#define LANDLOCK_ACCESS_FS_WRITE_FILE	(1U << 1)
#define LANDLOCK_ACCESS_FS_READ_FILE	(1U << 2)
#define LANDLOCK_ACCESS_FS_READ_DIR	(1U << 3)
#define LANDLOCK_ACCESS_FS_REMOVE_DIR	(1U << 4)
#define LANDLOCK_ACCESS_FS_REMOVE_FILE	(1U << 5)
#define LANDLOCK_ACCESS_FS_MAKE_CHAR	(1U << 6)
#define LANDLOCK_ACCESS_FS_MAKE_DIR	(1U << 7)
#define LANDLOCK_ACCESS_FS_MAKE_REG	(1U << 8)
#define LANDLOCK_ACCESS_FS_MAKE_SOCK	(1U << 9)
#define LANDLOCK_ACCESS_FS_MAKE_FIFO	(1U << 10)
#define LANDLOCK_ACCESS_FS_MAKE_BLOCK	(1U << 11)
#define LANDLOCK_ACCESS_FS_MAKE_SYM	(1U << 12)
#define LANDLOCK_ACCESS_FS_REFER	(1U << 13)
#define LANDLOCK_ACCESS_FS_BITS		14
#define LANDLOCK_ACCESS_FS_ALL		((1U << LANDLOCK_ACCESS_FS_BITS) - 1)

#endif
