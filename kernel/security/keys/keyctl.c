/*
 * keyctl.c: add_key(2), request_key(2), and keyctl(2) with what it does to keys by number.
 *
 * Idea:    every command looks its keys up with the rights that it needs of them (lookup_user_key), then calls one function
 *          of the other files.  What is copied from the program is copied before that.
 * Locking: none of its own: each key that was looked up is held by a reference until the command is done.
 * See:     add_key(2), request_key(2), keyctl(2); instantiate.c (answers to requests)
 */
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/user_namespace.h>
#include <asm/page.h>
#include "keyctl.h"

#define DESC_MAX	4096
#define TYPE_MAX	32

/* ---- from user memory ---- */

static int copy_type(char *type, const char __user *utype)
{
	long len = strncpy_from_user(type, utype, TYPE_MAX);

	if (len < 0)
		return (int)len;
	if (len == 0 || len >= TYPE_MAX)
		return -EINVAL;
	return type[0] == '.' ? -EPERM : 0;	/* those are the kernel's own */
}

/* A copy of what the program wants to store, or NULL for nothing; ERR_PTR. */
void *copy_key_payload(const void __user *upayload, size_t len)
{
	void *payload;

	if (len > KEY_PAYLOAD_MAX)
		return ERR_PTR(-EINVAL);
	if (!len)
		return NULL;
	payload = kvmalloc(len, GFP_KERNEL);
	if (!payload)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_user(payload, upayload, len))
		return payload;
	kvfree(payload);
	return ERR_PTR(-EFAULT);
}

void free_key_payload(void *payload, size_t len)
{
	if (payload)
		memzero_explicit(payload, len);
	kvfree(payload);
}

/* The serial number, or the error; the reference goes. */
static long put_for_serial(struct key *key)
{
	long serial;

	if (IS_ERR(key))
		return PTR_ERR(key);
	serial = key->serial;
	key_put(key);
	return serial;
}

/* ---- add_key(2), request_key(2) ---- */

static long add_key(const char *type_name, const char *desc, const void *payload, size_t len, key_serial_t ringid)
{
	struct key_ref ring = lookup_user_key(ringid, KEY_LOOKUP_CREATE, KEY_WRITE), ref;
	const struct key_type *type;

	if (IS_ERR(ring.key))
		return PTR_ERR(ring.key);
	type = key_type_lookup(type_name);
	if (IS_ERR(type))
		ref = KEY_REF_ERR(-ENODEV);
	else if (!desc)
		ref = KEY_REF_ERR(-EINVAL);
	else
		ref = key_create_or_update(ring, type, desc, payload, len);
	key_put(ring.key);
	return put_for_serial(ref.key);
}

long sys_add_key(const char __user *utype, const char __user *udesc, const void __user *upayload, size_t len, int ringid)
{
	char type[TYPE_MAX], *desc = NULL;
	void *payload;
	long err;

	if (len > KEY_PAYLOAD_MAX)
		return -EINVAL;
	err = copy_type(type, utype);
	if (err)
		return err;
	if (udesc) {
		desc = strndup_user(udesc, DESC_MAX);
		if (IS_ERR(desc))
			return PTR_ERR(desc);
		err = -EPERM;
		if (desc[0] == '.' && !strcmp(type, "keyring"))
			goto free_desc;
	}
	payload = copy_key_payload(upayload, len);
	err = PTR_ERR(payload);
	if (!IS_ERR(payload)) {
		err = add_key(type, desc && desc[0] ? desc : NULL, payload, len, ringid);
		free_key_payload(payload, len);
	}
free_desc:
	kfree(desc);
	return err;
}

static long request_key(const char *type_name, const char *desc, const char *callout, key_serial_t ringid)
{
	struct key_ref dest = KEY_REF(NULL, false);
	const struct key_type *type;
	struct key *key;
	long err;

	if (ringid) {
		dest = lookup_user_key(ringid, KEY_LOOKUP_CREATE, KEY_WRITE);
		if (IS_ERR(dest.key))
			return PTR_ERR(dest.key);
	}
	type = key_type_lookup(type_name);
	key = IS_ERR(type) ? ERR_CAST(type) : request_key_and_link(type, desc, callout, dest.key);
	key_put(dest.key);
	if (IS_ERR(key))
		return PTR_ERR(key);
	err = wait_for_key_construction(key, true);
	if (!err)
		return put_for_serial(key);
	key_put(key);
	return err;
}

long sys_request_key(const char __user *utype, const char __user *udesc, const char __user *ucallout, int ringid)
{
	char type[TYPE_MAX], *desc, *callout = NULL;
	long err = copy_type(type, utype);

	if (err)
		return err;
	desc = strndup_user(udesc, DESC_MAX);
	if (IS_ERR(desc))
		return PTR_ERR(desc);
	if (ucallout)
		callout = strndup_user(ucallout, PAGE_SIZE);
	err = PTR_ERR(callout);
	if (!IS_ERR(callout)) {
		err = request_key(type, desc, callout, ringid);
		kfree(callout);
	}
	kfree(desc);
	return err;
}

/* ---- keyctl(2): keyrings ---- */

static long keyctl_get_keyring_id(key_serial_t id, bool create)
{
	return put_for_serial(lookup_user_key(id, create ? KEY_LOOKUP_CREATE : 0, KEY_SEARCH).key);
}

static long keyctl_join_session(const char __user *uname)
{
	char *name = NULL;
	long ret = -EPERM;

	if (uname) {
		name = strndup_user(uname, DESC_MAX);
		if (IS_ERR(name))
			return PTR_ERR(name);
	}
	if (!name || name[0] != '.')
		ret = join_session_keyring(name);
	kfree(name);
	return ret;
}

static long keyctl_clear(key_serial_t ringid)
{
	struct key_ref ring = lookup_user_key(ringid, KEY_LOOKUP_CREATE, KEY_WRITE);
	long err;

	if (IS_ERR(ring.key))
		return PTR_ERR(ring.key);
	err = keyring_clear(ring.key);
	key_put(ring.key);
	return err;
}

static long keyctl_link(key_serial_t id, key_serial_t ringid)
{
	struct key_ref ring = lookup_user_key(ringid, KEY_LOOKUP_CREATE, KEY_WRITE), key;
	long err;

	if (IS_ERR(ring.key))
		return PTR_ERR(ring.key);
	key = lookup_user_key(id, KEY_LOOKUP_CREATE, KEY_LINK);
	err = PTR_ERR(key.key);
	if (!IS_ERR(key.key)) {
		err = key_link(ring.key, key.key);
		key_put(key.key);
	}
	key_put(ring.key);
	return err;
}

static long keyctl_unlink(key_serial_t id, key_serial_t ringid)
{
	struct key_ref ring = lookup_user_key(ringid, 0, KEY_WRITE), key;
	long err;

	if (IS_ERR(ring.key))
		return PTR_ERR(ring.key);
	key = lookup_user_key(id, KEY_LOOKUP_PARTIAL | KEY_LOOKUP_NO_CHECK, 0);	/* it is only a name here */
	err = PTR_ERR(key.key);
	if (!IS_ERR(key.key)) {
		err = key_unlink(ring.key, key.key);
		key_put(key.key);
	}
	key_put(ring.key);
	return err;
}

static long keyctl_move(key_serial_t id, key_serial_t from_id, key_serial_t to_id, unsigned int flags)
{
	struct key_ref key, from, to;
	long err;

	if (flags & ~KEYCTL_MOVE_EXCL)
		return -EINVAL;
	key = lookup_user_key(id, KEY_LOOKUP_CREATE, KEY_LINK);
	if (IS_ERR(key.key))
		return PTR_ERR(key.key);
	from = lookup_user_key(from_id, 0, KEY_WRITE);
	err = PTR_ERR(from.key);
	if (IS_ERR(from.key))
		goto put_key;
	to = lookup_user_key(to_id, KEY_LOOKUP_CREATE, KEY_WRITE);
	err = PTR_ERR(to.key);
	if (!IS_ERR(to.key)) {
		err = key_move(key.key, from.key, to.key, flags & KEYCTL_MOVE_EXCL);
		key_put(to.key);
	}
	key_put(from.key);
put_key:
	key_put(key.key);
	return err;
}

/* A key below the ring, + reference, linked to dest unless that is 0; ERR_PTR. */
static struct key *search_and_link(key_serial_t ringid, const char *type_name, const char *desc, key_serial_t destid)
{
	struct key_ref ring, dest = KEY_REF(NULL, false), found;
	struct key_search what = { .desc = desc, .cred = current_cred() };
	int err;

	ring = lookup_user_key(ringid, 0, KEY_SEARCH);
	if (IS_ERR(ring.key))
		return ring.key;
	if (destid)
		dest = lookup_user_key(destid, KEY_LOOKUP_CREATE, KEY_WRITE);
	found.key = dest.key;
	if (IS_ERR(dest.key))
		goto put_ring;
	what.type = key_type_lookup(type_name);
	what.cred = current_cred();	/* looking up may have given us keyrings, and so new credentials */
	found = IS_ERR(what.type) ? KEY_REF(ERR_CAST(what.type), false) : keyring_search(ring, &what);
	if (found.key == ERR_PTR(-EAGAIN))
		found.key = ERR_PTR(-ENOKEY);
	if (!IS_ERR(found.key) && dest.key) {
		err = key_permission(found, KEY_LINK);
		err = err ? err : key_link(dest.key, found.key);
		if (err) {
			key_put(found.key);
			found.key = ERR_PTR(err);
		}
	}
	key_put(dest.key);
put_ring:
	key_put(ring.key);
	return found.key;
}

static long keyctl_search(key_serial_t ringid, const char __user *utype, const char __user *udesc, key_serial_t destid)
{
	char type[TYPE_MAX], *desc;
	long err = copy_type(type, utype);

	if (err)
		return err;
	desc = strndup_user(udesc, DESC_MAX);
	if (IS_ERR(desc))
		return PTR_ERR(desc);
	err = put_for_serial(search_and_link(ringid, type, desc, destid));
	kfree(desc);
	return err;
}

/* Only the restriction "nothing more"; those that judge by asymmetric keys are not there. */
static long keyctl_restrict(key_serial_t id, const char __user *utype)
{
	struct key_ref ring = lookup_user_key(id, 0, KEY_SETATTR);
	char type[TYPE_MAX];
	long err;

	if (IS_ERR(ring.key))
		return PTR_ERR(ring.key);
	err = utype ? copy_type(type, utype) : 0;
	if (!err)
		err = utype ? -ENOENT : keyring_restrict(ring.key);
	key_put(ring.key);
	return err;
}

/* ---- keyctl(2): one key ---- */

static long keyctl_update(key_serial_t id, const void __user *upayload, size_t len)
{
	struct key_ref key;
	void *payload;
	long err;

	if (len > PAGE_SIZE)
		return -EINVAL;
	payload = copy_key_payload(upayload, len);
	if (IS_ERR(payload))
		return PTR_ERR(payload);
	key = lookup_user_key(id, 0, KEY_WRITE);
	err = PTR_ERR(key.key);
	if (!IS_ERR(key.key)) {
		err = key_update(key.key, payload, len);
		key_put(key.key);
	}
	free_key_payload(payload, len);
	return err;
}

static long keyctl_revoke(key_serial_t id)
{
	struct key_ref key = lookup_user_key(id, 0, KEY_WRITE);

	if (key.key == ERR_PTR(-EACCES))
		key = lookup_user_key(id, 0, KEY_SETATTR);
	if (IS_ERR(key.key))
		return PTR_ERR(key.key);
	key_revoke(key.key);
	key_put(key.key);
	return 0;
}

static long keyctl_invalidate(key_serial_t id)
{
	struct key_ref key = lookup_user_key(id, 0, KEY_SEARCH);

	if (IS_ERR(key.key))
		return PTR_ERR(key.key);
	key_invalidate(key.key);
	key_put(key.key);
	return 0;
}

/* [key->sem] -1 leaves the owner, or the group, as it is. */
static int change_owner(struct key *key, uid_t uid, gid_t gid)
{
	kuid_t kuid = make_kuid(current_user_ns(), uid);
	kgid_t kgid = make_kgid(current_user_ns(), gid);
	int err = 0;

	if ((uid != (uid_t)-1 && !uid_valid(kuid)) || (gid != (gid_t)-1 && !gid_valid(kgid)))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN)) {
		if (uid != (uid_t)-1 && !uid_eq(key->uid, kuid))
			return -EACCES;
		if (gid != (gid_t)-1 && !gid_eq(kgid, key->gid) && !in_group_p(kgid))
			return -EACCES;
	}
	if (uid != (uid_t)-1 && !uid_eq(key->uid, kuid))
		err = key_change_user(key, kuid);
	if (!err && gid != (gid_t)-1)
		key->gid = kgid;
	return err;
}

static long keyctl_chown(key_serial_t id, uid_t uid, gid_t gid)
{
	struct key_ref key;
	long err;

	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	key = lookup_user_key(id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR);
	if (IS_ERR(key.key))
		return PTR_ERR(key.key);
	down_write(&key.key->sem);
	err = change_owner(key.key, uid, gid);
	up_write(&key.key->sem);
	key_put(key.key);
	return err;
}

static long keyctl_setperm(key_serial_t id, u32 perm)
{
	struct key_ref key;
	long err = -EACCES;

	if (perm & ~(KEY_POS(KEY_ALL) | KEY_USR(KEY_ALL) | KEY_GRP(KEY_ALL) | KEY_OTH(KEY_ALL)))
		return -EINVAL;
	key = lookup_user_key(id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR);
	if (IS_ERR(key.key))
		return PTR_ERR(key.key);
	down_write(&key.key->sem);
	if (uid_eq(key.key->uid, current_fsuid()) || capable(CAP_SYS_ADMIN)) {
		WRITE_ONCE(key.key->perm, perm);
		err = 0;
	}
	up_write(&key.key->sem);
	key_put(key.key);
	return err;
}

/* The key, also for who has the authority to make it.  ERR_PTR. */
static struct key *lookup_or_authority(key_serial_t id, u32 need)
{
	struct key_ref key = lookup_user_key(id, KEY_LOOKUP_PARTIAL, need);
	struct key *auth;

	if (key.key != ERR_PTR(-EACCES))
		return key.key;
	auth = get_instantiation_authkey(id);
	if (IS_ERR(auth))
		return key.key;
	key_put(auth);
	return lookup_user_key(id, KEY_LOOKUP_PARTIAL | KEY_LOOKUP_NO_CHECK, 0).key;
}

static long keyctl_describe(key_serial_t id, char __user *buf, size_t len)
{
	struct key *key = lookup_or_authority(id, KEY_VIEW);
	char *text;
	long size = -ENOMEM;

	if (IS_ERR(key))
		return PTR_ERR(key);
	text = kasprintf(GFP_KERNEL, "%s;%d;%d;%08x;%s", key->type->name,
			 (int)from_kuid_munged(current_user_ns(), key->uid), (int)from_kgid_munged(current_user_ns(), key->gid),
			 key->perm, key->description);
	if (text) {
		size = (long)strlen(text) + 1;
		if (buf && len >= (size_t)size && copy_to_user(buf, text, (size_t)size))
			size = -EFAULT;
	}
	kfree(text);
	key_put(key);
	return size;
}

/* The whole size; copied only when all of it fits. */
static long read_key(struct key *key, char __user *ubuf, size_t len)
{
	long size = key->type->read(key, NULL, 0), got;
	size_t room;
	char *buf;

	if (!ubuf)
		return size;
	for (;;) {
		if (size <= 0 || (size_t)size > len)
			return size;
		room = (size_t)size;
		buf = kvzalloc(room, GFP_KERNEL);
		if (!buf)
			return -ENOMEM;
		got = size = key->type->read(key, buf, room);
		if (got > 0 && (size_t)got <= room && copy_to_user(ubuf, buf, (size_t)got))
			size = -EFAULT;
		free_key_payload(buf, room);
		if (got <= 0 || (size_t)got <= room)
			return size;
		/* It has grown meanwhile. */
	}
}

static long keyctl_read(key_serial_t id, char __user *buf, size_t len)
{
	struct key_ref key = lookup_user_key(id, KEY_LOOKUP_NO_CHECK, 0);
	long err;

	if (IS_ERR(key.key))
		return -ENOKEY;
	err = min(key.key->state, 0);
	if (err)
		goto put;
	/* With the right to read, or for who possesses it: what he may search he may read. */
	err = key_permission(key, KEY_READ);
	if (err && !key.possessed)
		goto put;
	err = -EOPNOTSUPP;
	if (!key.key->type->read)
		goto put;
	err = key_validate(key.key);
	if (!err)
		err = key.key->state == KEY_POSITIVE ? read_key(key.key, buf, len) : -ENOKEY;
put:
	key_put(key.key);
	return err;
}

static long keyctl_set_timeout(key_serial_t id, unsigned int seconds)
{
	struct key *key = lookup_or_authority(id, KEY_SETATTR);

	if (IS_ERR(key))
		return PTR_ERR(key);
	key_set_timeout(key, seconds);
	key_put(key);
	return 0;
}

/* No security modules with labels: the empty string. */
static long keyctl_get_security(key_serial_t id, char __user *buf, size_t len)
{
	struct key *key = lookup_or_authority(id, KEY_VIEW);

	if (IS_ERR(key))
		return PTR_ERR(key);
	key_put(key);
	return buf && len && put_user('\0', buf) ? -EFAULT : 1;
}

static long keyctl_capabilities(unsigned char __user *buf, size_t len)
{
	static const unsigned char caps[] = {
		KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_PERSISTENT_KEYRINGS | KEYCTL_CAPS0_BIG_KEY |
		KEYCTL_CAPS0_INVALIDATE | KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE,
		KEYCTL_CAPS1_NS_KEYRING_NAME,
	};
	size_t known = min(len, sizeof(caps));

	if (len && (copy_to_user(buf, caps, known) || clear_user(buf + known, len - known)))
		return -EFAULT;
	return sizeof(caps);
}

/* ---- the call ---- */

long sys_keyctl(int cmd, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)
{
	const key_serial_t id = (key_serial_t)arg2, id3 = (key_serial_t)arg3;

	switch (cmd) {
	case KEYCTL_GET_KEYRING_ID:
		return keyctl_get_keyring_id(id, (int)arg3);
	case KEYCTL_JOIN_SESSION_KEYRING:
		return keyctl_join_session((const char __user *)arg2);
	case KEYCTL_UPDATE:
		return keyctl_update(id, (const void __user *)arg3, arg4);
	case KEYCTL_REVOKE:
		return keyctl_revoke(id);
	case KEYCTL_CHOWN:
		return keyctl_chown(id, (uid_t)arg3, (gid_t)arg4);
	case KEYCTL_SETPERM:
		return keyctl_setperm(id, (u32)arg3);
	case KEYCTL_DESCRIBE:
		return keyctl_describe(id, (char __user *)arg3, arg4);
	case KEYCTL_CLEAR:
		return keyctl_clear(id);
	case KEYCTL_LINK:
		return keyctl_link(id, id3);
	case KEYCTL_UNLINK:
		return keyctl_unlink(id, id3);
	case KEYCTL_SEARCH:
		return keyctl_search(id, (const char __user *)arg3, (const char __user *)arg4, (key_serial_t)arg5);
	case KEYCTL_READ:
		return keyctl_read(id, (char __user *)arg3, arg4);
	case KEYCTL_SET_REQKEY_KEYRING:
		return keyctl_set_request_default(id);
	case KEYCTL_SET_TIMEOUT:
		return keyctl_set_timeout(id, (unsigned int)arg3);
	case KEYCTL_GET_SECURITY:
		return keyctl_get_security(id, (char __user *)arg3, arg4);
	case KEYCTL_SESSION_TO_PARENT:
		return keyctl_session_to_parent();
	case KEYCTL_INSTANTIATE:
	case KEYCTL_NEGATE:
	case KEYCTL_ASSUME_AUTHORITY:
	case KEYCTL_REJECT:
	case KEYCTL_INSTANTIATE_IOV:
		return keyctl_answer(cmd, id, arg3, arg4, arg5);
	case KEYCTL_INVALIDATE:
		return keyctl_invalidate(id);
	case KEYCTL_GET_PERSISTENT:
		return keyctl_get_persistent((uid_t)arg2, id3);
	case KEYCTL_RESTRICT_KEYRING:
		return keyctl_restrict(id, (const char __user *)arg3);
	case KEYCTL_MOVE:
		return keyctl_move(id, id3, (key_serial_t)arg4, (unsigned int)arg5);
	case KEYCTL_CAPABILITIES:
		return keyctl_capabilities((unsigned char __user *)arg2, arg3);
	}
	return -EOPNOTSUPP;
}
