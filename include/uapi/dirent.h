/*
 * dirent.h: what getdents(2) and getdents64(2) write: the Linux x86-64 ABI.
 */
#ifndef UAPI_DIRENT_H
#define UAPI_DIRENT_H

#include <weft/types.h>

struct linux_dirent {
	unsigned long	d_ino;
	unsigned long	d_off;
	unsigned short	d_reclen;
	char		d_name[];	/* then a zero byte and, as the record's last byte, the type */
};

struct linux_dirent64 {
	u64		d_ino;
	s64		d_off;
	unsigned short	d_reclen;
	unsigned char	d_type;
	char		d_name[];
};

#define DT_UNKNOWN	0
#define DT_FIFO		1
#define DT_CHR		2
#define DT_DIR		4
#define DT_BLK		6
#define DT_REG		8
#define DT_LNK		10
#define DT_SOCK		12
#define DT_WHT		14

#endif
