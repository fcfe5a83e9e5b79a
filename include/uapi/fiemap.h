/*
 * fiemap.h: ioctl(FS_IOC_FIEMAP): where the bytes of a file lie.
 */
#ifndef WEFT_UAPI_FIEMAP_H
#define WEFT_UAPI_FIEMAP_H

#include <weft/compiler.h>
#include <weft/types.h>

#define FIEMAP_MAX_OFFSET	(~0ULL)

/* fm_flags */
#define FIEMAP_FLAG_SYNC	0x00000001	/* write the file back first */
#define FIEMAP_FLAG_XATTR	0x00000002	/* the extended attributes' place instead */
#define FIEMAP_FLAG_CACHE	0x00000004

/* fe_flags */
#define FIEMAP_EXTENT_LAST		0x00000001
#define FIEMAP_EXTENT_NOT_ALIGNED	0x00000100
#define FIEMAP_EXTENT_DATA_INLINE	0x00000200	/* among metadata */
#define FIEMAP_EXTENT_UNWRITTEN		0x00000800	/* reads as zeroes */
#define FIEMAP_EXTENT_MERGED		0x00001000	/* from blocks that the file system keeps one by one */

struct fiemap_extent {
	__u64	fe_logical, fe_physical, fe_length;	/* bytes */
	__u64	fe_reserved64[2];
	__u32	fe_flags;
	__u32	fe_reserved[3];
};

struct fiemap {
	__u64	fm_start, fm_length;
	__u32	fm_flags;
	__u32	fm_mapped_extents;	/* out */
	__u32	fm_extent_count;	/* room in fm_extents; 0: only count */
	__u32	fm_reserved;
	struct fiemap_extent fm_extents[];
};
static_assert(sizeof(struct fiemap) == 32 && sizeof(struct fiemap_extent) == 56);

#endif
