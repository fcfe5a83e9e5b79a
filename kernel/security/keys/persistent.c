/*
 * persistent.c: a keyring for each user that outlives his sessions for some days: keyctl(KEYCTL_GET_PERSISTENT).
 *
 * Idea:    it hangs in a register of the user namespace; every time it is asked for, its time begins anew.
 * Locking: persistent_mutex over looking and making.
 * See:     persistent-keyring(7)
 */
#include <weft/kernel.h>
#include <weft/user_namespace.h>
#include "internal.h"

static DEFINE_MUTEX(persistent_mutex);

/* [persistent_mutex] + reference; ERR_PTR. */
static struct key *find_or_make(struct key *reg, const char *name, kuid_t uid)
{
	struct key *ring;

	down_read(&keyring_links);
	ring = key_get(keyring_find(reg, &key_type_keyring, name));
	up_read(&keyring_links);
	if (ring && !key_validate(ring))
		return ring;
	key_put(ring);
	return keyring_alloc(name, uid, INVALID_GID, KEY_POS(KEY_ALL & ~KEY_SETATTR) | KEY_USR(KEY_VIEW | KEY_READ),
			     KEY_ALLOC_NOT_IN_QUOTA, reg);
}

static long link_persistent(struct user_namespace *ns, kuid_t uid, struct key *dest)
{
	struct key *reg = register_keyring(&ns->persistent_register, ".persistent_register", ns), *ring;
	char name[32];
	int err;

	if (IS_ERR(reg))
		return PTR_ERR(reg);
	snprintf(name, sizeof(name), "_persistent.%u", from_kuid(ns, uid));
	mutex_lock(&persistent_mutex);
	ring = find_or_make(reg, name, uid);
	mutex_unlock(&persistent_mutex);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	err = key_permission(KEY_REF(ring, true), KEY_LINK);
	err = err ? err : key_link(dest, ring);
	if (!err)
		key_set_timeout(ring, (unsigned int)key_persistent_expiry);
	key_put(ring);
	return err ? err : ring->serial;
}

/* uid -1: the caller's own.  Its serial number, or -errno. */
long keyctl_get_persistent(uid_t _uid, key_serial_t dest)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t uid = _uid == (uid_t)-1 ? current_uid() : make_kuid(ns, _uid);
	struct key_ref ref;
	long ret;

	if (!uid_valid(uid))
		return -EINVAL;
	if (!uid_eq(uid, current_uid()) && !uid_eq(uid, current_euid()) && !ns_capable(ns, CAP_SETUID))
		return -EPERM;
	ref = lookup_user_key(dest, KEY_LOOKUP_CREATE, KEY_WRITE);
	if (IS_ERR(ref.key))
		return PTR_ERR(ref.key);
	ret = ref.key->type == &key_type_keyring ? link_persistent(ns, uid, ref.key) : -ENOTDIR;
	key_put(ref.key);
	return ret;
}
