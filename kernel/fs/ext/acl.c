/*
 * acl.c: access control lists on disk: attributes without a name, in a form of their own.
 *
 * Idea:    entries that name nobody are cut short.  A list that the mode says as well is not stored.  A list is read once and
 *          then kept with the inode; a change goes to both in one handle.
 * Locking: i_rwsem held by who changes a list, or the inode is new; xattr_sem (xattr.c) for what is read from the disk.
 * See:     kernel/fs/posix_acl.c; xattr.c
 */
#include <weft/byteorder.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/posix_acl.h>
#include <weft/slab.h>
#include "ext.h"

#define DISK_VERSION	1
#define SHORT_ENTRY	offsetof(struct disk_entry, id)

struct disk_entry {
	__le16	tag, perm;
	__le32	id;			/* not there unless the entry names somebody */
};

static bool names_somebody(u16 tag) { return tag == ACL_USER || tag == ACL_GROUP; }
static u8 index_of(int type) { return type == ACL_TYPE_ACCESS ? EXT_XATTR_ACL_ACCESS : EXT_XATTR_ACL_DEFAULT; }

/* value holds size bytes.  ERR_PTR(-EUCLEAN): this is no list. */
static struct posix_acl *from_disk(const u8 *value, size_t size)
{
	struct posix_acl *acl = posix_acl_alloc((unsigned int)(size / SHORT_ENTRY), GFP_NOFS);
	size_t at = sizeof(__le32);

	if (!acl)
		return ERR_PTR(-ENOMEM);
	acl->count = 0;
	while (size - at >= SHORT_ENTRY && size > at) {
		struct disk_entry d = { };
		u16 tag;

		memcpy(&d, value + at, SHORT_ENTRY);
		at += SHORT_ENTRY;
		tag = le16_to_cpu(d.tag);
		if (names_somebody(tag)) {
			if (size - at < sizeof(d.id))
				break;
			memcpy(&d.id, value + at, sizeof(d.id));
			at += sizeof(d.id);
		}
		acl->e[acl->count++] = (struct posix_acl_entry){
			tag, le16_to_cpu(d.perm), names_somebody(tag) ? le32_to_cpu(d.id) : (u32)-1,
		};
	}
	if (at == size && get_unaligned_le32(value) == DISK_VERSION && !posix_acl_valid(acl))
		return acl;
	posix_acl_put(acl);
	return ERR_PTR(-EUCLEAN);
}

/* kfree() it.  NULL without memory. */
static u8 *to_disk(const struct posix_acl *acl, size_t *size)
{
	u8 *value = kmalloc(sizeof(__le32) + acl->count * sizeof(struct disk_entry), GFP_NOFS), *at = value;

	if (!value)
		return NULL;
	put_unaligned_le32(DISK_VERSION, at);
	at += sizeof(__le32);
	for (unsigned int i = 0; i < acl->count; i++) {
		const struct posix_acl_entry *e = &acl->e[i];
		struct disk_entry d = { cpu_to_le16(e->tag), cpu_to_le16(e->perm), cpu_to_le32(e->id) };
		size_t len = names_somebody(e->tag) ? sizeof(d) : SHORT_ENTRY;

		memcpy(at, &d, len);
		at += len;
	}
	*size = (size_t)(at - value);
	return value;
}

struct posix_acl *ext_get_acl(struct inode *inode, int type)
{
	int size = ext_xattr_get(inode, index_of(type), "", NULL, 0);
	struct posix_acl *acl;
	u8 *value;

	if (size <= 0)
		return size == -ENODATA ? NULL : ERR_PTR(size ? size : -EUCLEAN);
	value = kmalloc((size_t)size, GFP_NOFS);
	if (!value)
		return ERR_PTR(-ENOMEM);
	size = ext_xattr_get(inode, index_of(type), "", value, (size_t)size);
	acl = size < (int)sizeof(__le32) ? ERR_PTR(size < 0 ? size : -EUCLEAN) : from_disk(value, (size_t)size);
	kfree(value);
	return acl == ERR_PTR(-ENODATA) ? NULL : acl;
}

/* As part of the handle; the inode is not written.  acl NULL: none any more. */
static int store(struct jbd_handle *handle, struct inode *inode, struct posix_acl *acl, int type)
{
	size_t size = 0;
	u8 *value = acl ? to_disk(acl, &size) : NULL;
	int err;

	if (acl && !value)
		return -ENOMEM;
	err = ext_xattr_set_in(handle, inode, index_of(type), "", value, size, 0);
	kfree(value);
	if (err == -ENODATA && !acl)
		err = 0;
	if (!err)
		set_cached_acl(inode, type, acl);
	return err;
}

int ext_set_acl(struct inode *inode, struct posix_acl *acl, int type)
{
	struct jbd_handle *handle = ext_start(inode->i_sb, CREDITS_XATTR + CREDITS_INODE);
	umode_t mode = inode->i_mode;
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	if (type == ACL_TYPE_ACCESS && acl) {
		if (!posix_acl_equiv_mode(acl, &mode))
			acl = NULL;
		if (!in_group_p(inode->i_gid) && !capable_wrt_inode_uidgid(inode, CAP_FSETID))
			mode &= (umode_t)~S_ISGID;
	}
	err = store(handle, inode, acl, type);
	if (!err) {
		inode->i_mode = mode;
		inode->i_ctime = current_time(inode);
		err = ext_write_inode_to(handle, inode);
	}
	ext_note_change(handle, inode, false);
	ext_stop(inode->i_sb, handle);
	return err;
}

/* What a new inode gets from its directory.  The references go. */
int ext_init_acls(struct jbd_handle *handle, struct inode *inode, struct posix_acl *def, struct posix_acl *acl)
{
	int err = 0;

	set_cached_acl(inode, ACL_TYPE_ACCESS, NULL);
	set_cached_acl(inode, ACL_TYPE_DEFAULT, NULL);
	if (def)
		err = store(handle, inode, def, ACL_TYPE_DEFAULT);
	if (!err && acl)
		err = store(handle, inode, acl, ACL_TYPE_ACCESS);
	posix_acl_put(def);
	posix_acl_put(acl);
	return err;
}
