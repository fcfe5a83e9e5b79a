/*
 * posix_acl.c: access control lists: the rules, and their form as extended attributes.
 *
 * Idea:    who asks is the owner, or a user that the list names, or in a group that it names, or somebody else: the first
 *          that fits decides.  All but owner and others are limited by the mask, which chmod shows and sets as the group's
 *          bits: so a program that knows only modes never gives more than it thinks.
 * Locking: see include/weft/posix_acl.h
 *
 *              reader: reads the old list from disk    setxattr
 *                                                      stores the new list, then i_acl = new
 *              cmpxchg(i_acl, not cached, old): fails, as it is not "not cached" any more
 *
 * See:     acl(5); POSIX 1003.1e draft 17
 */
#include <weft/byteorder.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/kernel.h>
#include <weft/posix_acl.h>
#include <weft/sched.h>
#include <weft/fs_struct.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/user_namespace.h>

#define XATTR_VERSION	2

struct xattr_header {
	__le32	version;
};

struct xattr_entry {
	__le16	tag, perm;
	__le32	id;
};

struct posix_acl *posix_acl_alloc(unsigned int count, gfp_t gfp)
{
	struct posix_acl *acl = kmalloc(struct_size(acl, e, count), gfp);

	if (acl) {
		refcount_set(&acl->refs, 1);
		acl->count = count;
	}
	return acl;
}

void posix_acl_put(struct posix_acl *acl)
{
	if (acl && refcount_dec_and_test(&acl->refs))
		kfree_rcu(acl, rcu);
}

static struct posix_acl *clone(const struct posix_acl *acl)
{
	struct posix_acl *copy = posix_acl_alloc(acl->count, GFP_NOFS);

	if (copy)
		memcpy(copy->e, acl->e, acl->count * sizeof(acl->e[0]));
	return copy;
}

static struct posix_acl_entry *find_tag(const struct posix_acl *acl, u16 tag)
{
	for (unsigned int i = 0; i < acl->count; i++)
		if (acl->e[i].tag == tag)
			return (struct posix_acl_entry *)&acl->e[i];
	return NULL;
}

/* One of each class of the mode, in order of tags; a mask if users or groups are named. */
int posix_acl_valid(const struct posix_acl *acl)
{
	bool named = false;
	u16 last = 0, seen = 0;

	for (unsigned int i = 0; i < acl->count; i++) {
		const struct posix_acl_entry *e = &acl->e[i];
		bool many = e->tag == ACL_USER || e->tag == ACL_GROUP;

		if (e->perm & ~7u || e->tag < last || e->tag > ACL_OTHER || !e->tag || e->tag & (e->tag - 1))
			return -EINVAL;
		if ((seen & e->tag && !many) || (many && e->id == (u32)-1))
			return -EINVAL;
		named |= many;
		seen |= e->tag;
		last = e->tag;
	}
	if ((seen & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) != (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER))
		return -EINVAL;
	return named && !(seen & ACL_MASK) ? -EINVAL : 0;
}

/* ---- the lists of an inode ---- */

static struct posix_acl **cache_of(struct inode *inode, int type)
{
	return type == ACL_TYPE_ACCESS ? &inode->i_acl : &inode->i_default_acl;
}

/* A reference to what is cached, NULL, or ACL_NOT_CACHED. */
static struct posix_acl *get_cached(struct inode *inode, int type)
{
	struct posix_acl *acl;

	rcu_read_lock();
	do {
		acl = rcu_dereference(*cache_of(inode, type));
	} while (acl && acl != ACL_NOT_CACHED && !refcount_inc_not_zero(&acl->refs));
	rcu_read_unlock();
	return acl;
}

struct posix_acl *get_inode_acl(struct inode *inode, int type)
{
	struct posix_acl *acl;

	if (!IS_POSIXACL(inode) || !inode->i_op->get_acl)
		return NULL;
	acl = get_cached(inode, type);
	if (acl != ACL_NOT_CACHED)
		return acl;
	acl = inode->i_op->get_acl(inode, type);
	if (IS_ERR(acl))
		return acl;
	if (acl)
		refcount_inc(&acl->refs);
	if (cmpxchg(cache_of(inode, type), ACL_NOT_CACHED, acl) != ACL_NOT_CACHED)
		posix_acl_put(acl);		/* somebody was faster, or has set another */
	return acl;
}

void set_cached_acl(struct inode *inode, int type, struct posix_acl *acl)
{
	struct posix_acl *old;

	if (acl)
		refcount_inc(&acl->refs);
	old = xchg(cache_of(inode, type), acl);
	if (old != ACL_NOT_CACHED)
		posix_acl_put(old);
}

void forget_all_cached_acls(struct inode *inode)
{
	for (int type = ACL_TYPE_ACCESS; type <= ACL_TYPE_DEFAULT; type++) {
		struct posix_acl *old = xchg(cache_of(inode, type), ACL_NOT_CACHED);

		if (old != ACL_NOT_CACHED)
			posix_acl_put(old);
	}
}

/* ---- may he? ---- */

static int allowed(const struct posix_acl *acl, const struct posix_acl_entry *e, unsigned int want)
{
	const struct posix_acl_entry *mask = find_tag(acl, ACL_MASK);
	unsigned int perm = mask ? e->perm & mask->perm : e->perm;

	return want & ~perm ? -EACCES : 0;
}

static int acl_permission(const struct inode *inode, const struct posix_acl *acl, unsigned int want)
{
	bool in_group = false;

	for (unsigned int i = 0; i < acl->count; i++) {
		const struct posix_acl_entry *e = &acl->e[i];

		switch (e->tag) {
		case ACL_USER_OBJ:
			if (uid_eq(inode->i_uid, current_fsuid()))
				return want & ~e->perm ? -EACCES : 0;
			break;
		case ACL_USER:
			if (uid_eq(e->id, current_fsuid()))
				return allowed(acl, e, want);
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!in_group_p(e->tag == ACL_GROUP ? e->id : inode->i_gid))
				break;
			in_group = true;
			if (!(want & ~e->perm))		/* any of his groups may give it */
				return allowed(acl, e, want);
			break;
		case ACL_OTHER:
			return in_group || want & ~e->perm ? -EACCES : 0;
		}
	}
	return -EIO;				/* posix_acl_valid() has seen the last entry */
}

int check_acl(struct inode *inode, int want)
{
	struct posix_acl *acl;
	int err;

	if (want & MAY_NOT_BLOCK) {
		if (!inode->i_op->get_acl)
			return -EAGAIN;
		acl = rcu_dereference(inode->i_acl);
		if (!acl || acl == ACL_NOT_CACHED)
			return acl ? -ECHILD : -EAGAIN;
		return acl_permission(inode, acl, want & 7u);
	}
	acl = get_inode_acl(inode, ACL_TYPE_ACCESS);
	if (IS_ERR_OR_NULL(acl))
		return acl ? (int)PTR_ERR(acl) : -EAGAIN;
	err = acl_permission(inode, acl, want & 7u);
	posix_acl_put(acl);
	return err;
}

/* ---- lists and modes ---- */

int posix_acl_equiv_mode(const struct posix_acl *acl, umode_t *mode)
{
	const struct posix_acl_entry *mask = find_tag(acl, ACL_MASK);
	unsigned int perm = find_tag(acl, ACL_USER_OBJ)->perm << 6u | find_tag(acl, ACL_OTHER)->perm |
			    (mask ? mask : find_tag(acl, ACL_GROUP_OBJ))->perm << 3u;

	*mode = (umode_t)((*mode & ~0777u) | perm);
	return acl->count > 3;
}

/* Owner, mask (or group) and others as the mode says, or (`only_less`) no more than it says. */
static void apply_mode(struct posix_acl *acl, umode_t mode, bool only_less)
{
	struct posix_acl_entry *mask = find_tag(acl, ACL_MASK);
	struct posix_acl_entry *e[3] = { find_tag(acl, ACL_OTHER), mask ? mask : find_tag(acl, ACL_GROUP_OBJ),
					 find_tag(acl, ACL_USER_OBJ) };

	for (unsigned int i = 0; i < 3; i++) {
		u16 bits = mode >> (3 * i) & 7;

		e[i]->perm = only_less ? e[i]->perm & bits : bits;
	}
}

int posix_acl_create(struct inode *dir, umode_t *mode, struct posix_acl **def, struct posix_acl **acl)
{
	struct posix_acl *p;

	*def = *acl = NULL;
	if (S_ISLNK(*mode) || !IS_POSIXACL(dir))
		return 0;
	p = get_inode_acl(dir, ACL_TYPE_DEFAULT);
	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	if (!p) {
		*mode &= (umode_t)~current_umask();
		return 0;
	}
	*acl = clone(p);
	if (!*acl) {
		posix_acl_put(p);
		return -ENOMEM;
	}
	apply_mode(*acl, *mode, true);
	if (!posix_acl_equiv_mode(*acl, mode)) {	/* the mode says it all */
		posix_acl_put(*acl);
		*acl = NULL;
	}
	if (S_ISDIR(*mode))
		*def = p;
	else
		posix_acl_put(p);
	return 0;
}

umode_t mode_strip_umask(const struct inode *dir, umode_t mode)
{
	return IS_POSIXACL(dir) ? mode : mode & (umode_t)~current_umask();
}

int posix_acl_chmod(struct inode *inode)
{
	struct posix_acl *acl = S_ISLNK(inode->i_mode) ? NULL : get_inode_acl(inode, ACL_TYPE_ACCESS), *changed;
	int err;

	if (IS_ERR_OR_NULL(acl))
		return PTR_ERR_OR_ZERO(acl);
	changed = clone(acl);
	posix_acl_put(acl);
	if (!changed)
		return -ENOMEM;
	apply_mode(changed, inode->i_mode, false);
	err = inode->i_op->set_acl(inode, changed, ACL_TYPE_ACCESS);
	posix_acl_put(changed);
	return err;
}

/* ---- as extended attributes ---- */

static struct posix_acl *from_xattr(const void *value, size_t size)
{
	const struct xattr_header *h = value;
	const struct xattr_entry *x = (const void *)(h + 1);
	size_t count = (size - sizeof(*h)) / sizeof(*x);
	struct user_namespace *ns = current_user_ns();
	struct posix_acl *acl;

	if (size < sizeof(*h) || (size - sizeof(*h)) % sizeof(*x))
		return ERR_PTR(-EINVAL);
	if (le32_to_cpu(h->version) != XATTR_VERSION)
		return ERR_PTR(-EOPNOTSUPP);
	if (!count)
		return NULL;
	acl = posix_acl_alloc((unsigned int)count, GFP_KERNEL);
	if (!acl)
		return ERR_PTR(-ENOMEM);
	for (size_t i = 0; i < count; i++) {
		u16 tag = le16_to_cpu(x[i].tag);
		u32 id = le32_to_cpu(x[i].id);

		acl->e[i] = (struct posix_acl_entry){
			.tag = tag, .perm = le16_to_cpu(x[i].perm),
			.id = tag == ACL_USER ? make_kuid(ns, id) : tag == ACL_GROUP ? make_kgid(ns, id) : (u32)-1,
		};
	}
	if (!posix_acl_valid(acl))
		return acl;
	posix_acl_put(acl);
	return ERR_PTR(-EINVAL);
}

static int to_xattr(const struct posix_acl *acl, void *buf, size_t size)
{
	struct xattr_header *h = buf;
	struct xattr_entry *x = (void *)(h + 1);
	size_t need = sizeof(*h) + acl->count * sizeof(*x);
	struct user_namespace *ns = current_user_ns();

	if (!size)
		return (int)need;
	if (size < need)
		return -ERANGE;
	h->version = cpu_to_le32(XATTR_VERSION);
	for (unsigned int i = 0; i < acl->count; i++) {
		const struct posix_acl_entry *e = &acl->e[i];
		u32 id = e->tag == ACL_USER ? from_kuid(ns, e->id) : e->tag == ACL_GROUP ? from_kgid(ns, e->id) : (u32)-1;

		x[i] = (struct xattr_entry){ cpu_to_le16(e->tag), cpu_to_le16(e->perm), cpu_to_le32(id) };
	}
	return (int)need;
}

static int acl_xattr_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
			 void *buf, size_t size)
{
	struct posix_acl *acl;
	int ret;

	if (!IS_POSIXACL(inode) || S_ISLNK(inode->i_mode))
		return -EOPNOTSUPP;
	acl = get_inode_acl(inode, handler->flags);
	if (IS_ERR_OR_NULL(acl))
		return acl ? (int)PTR_ERR(acl) : -ENODATA;
	ret = to_xattr(acl, buf, size);
	posix_acl_put(acl);
	return ret;
}

/* i_rwsem held.  value NULL, or a list without entries: none any more. */
static int acl_xattr_set(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
			 const void *value, size_t size, int flags)
{
	int type = handler->flags;
	struct posix_acl *acl;
	int err;

	if (!IS_POSIXACL(inode) || !inode->i_op->set_acl || S_ISLNK(inode->i_mode))
		return -EOPNOTSUPP;
	if (!inode_owner_or_capable(inode))
		return -EPERM;
	acl = value ? from_xattr(value, size) : NULL;
	if (IS_ERR(acl))
		return (int)PTR_ERR(acl);
	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		err = acl ? -EACCES : 0;
	else
		err = inode->i_op->set_acl(inode, acl, type);
	posix_acl_put(acl);
	return err;
}

const struct xattr_handler posix_acl_access_xattr_handler = {
	.name = "system.posix_acl_access", .flags = ACL_TYPE_ACCESS, .get = acl_xattr_get, .set = acl_xattr_set,
};
const struct xattr_handler posix_acl_default_xattr_handler = {
	.name = "system.posix_acl_default", .flags = ACL_TYPE_DEFAULT, .get = acl_xattr_get, .set = acl_xattr_set,
};
