/*
 * jbd_format.h: the log on disk, as Linux's jbd2 writes it.  All numbers are big-endian.
 *
 * See:     the kernel.org wiki "Ext4 Disk Layout", "Journal (jbd2)"
 */
#ifndef WEFT_JBD_FORMAT_H
#define WEFT_JBD_FORMAT_H

#include <weft/types.h>
#include <weft/compiler.h>

#define JBD_MAGIC		0xc03b3998u

#define JBD_DESCRIPTOR_BLOCK	1
#define JBD_COMMIT_BLOCK	2
#define JBD_SUPER_V1		3
#define JBD_SUPER_V2		4
#define JBD_REVOKE_BLOCK	5

#define JBD_INCOMPAT_REVOKE	0x01
#define JBD_INCOMPAT_64BIT	0x02
#define JBD_INCOMPAT_ASYNC	0x04
#define JBD_INCOMPAT_CSUM_V2	0x08
#define JBD_INCOMPAT_CSUM_V3	0x10
#define JBD_INCOMPAT_FAST	0x20
#define JBD_INCOMPAT_KNOWN	(JBD_INCOMPAT_REVOKE | JBD_INCOMPAT_64BIT | JBD_INCOMPAT_ASYNC | JBD_INCOMPAT_CSUM_V2 | \
				 JBD_INCOMPAT_CSUM_V3)
#define JBD_CRC32C		4		/* s_checksum_type */

struct jbd_header {
	__be32	h_magic, h_blocktype, h_sequence;
} __packed;

struct jbd_super {
	struct jbd_header s_header;
	__be32	s_blocksize, s_maxlen, s_first;
	__be32	s_sequence;			/* of the first transaction in the log */
	__be32	s_start;			/* its block; 0: the log is empty */
	__be32	s_errno;
	__be32	s_feature_compat, s_feature_incompat, s_feature_ro_compat;
	u8	s_uuid[16];
	__be32	s_nr_users, s_dynsuper, s_max_transaction, s_max_trans_data;
	u8	s_checksum_type, s_padding2[3];
	__be32	s_num_fc_blks, s_head, s_padding[40], s_checksum;
	u8	s_users[16 * 48];
} __packed;
static_assert(sizeof(struct jbd_super) == 1024);

/* One logged block.  With CSUM_V3 a tag is this; before it was smaller: see tag_bytes(). */
struct jbd_tag3 {
	__be32	t_blocknr, t_flags, t_blocknr_high, t_checksum;
} __packed;
struct jbd_tag {
	__be32	t_blocknr;
	__be16	t_checksum, t_flags;
	__be32	t_blocknr_high;			/* with 64BIT only */
} __packed;

#define JBD_TAG_ESCAPED		1		/* the block begins with JBD_MAGIC, which is replaced by 0 */
#define JBD_TAG_SAME_UUID	2		/* no uuid follows the tag */
#define JBD_TAG_LAST		8

struct jbd_block_tail {				/* of descriptor and revoke blocks, with checksums */
	__be32	t_checksum;
} __packed;

struct jbd_revoke_header {
	struct jbd_header r_header;
	__be32	r_count;			/* bytes in use, this header included */
} __packed;

struct jbd_commit_header {
	struct jbd_header h;
	u8	h_chksum_type, h_chksum_size, h_padding[2];
	__be32	h_chksum[8];
	__be64	h_commit_sec;
	__be32	h_commit_nsec;
} __packed;

#endif
