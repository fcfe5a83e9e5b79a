/*
 * instantiate.c: answers to who asked for a key: the commands of keyctl(2) for /sbin/request-key and its kind.
 *
 * Idea:    the authority over one key is assumed first (it comes to the credentials), then the key gets its contents, or
 *          the error that stands in their place; with that the authority ends.
 * Locking: the authority's contents under its sem, for reading, so that they do not go while they are read; the key's own
 *          change of state is key_instantiate_and_link()'s (key.c).
 * See:     keyctl_instantiate(3), keyctl_assume_authority(3); request_key_auth.c
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <weft/mm.h>
#include "keyctl.h"

/* auth NULL: none any more. */
static int set_authority(struct key *auth)
{
	struct cred *new = prepare_creds();

	if (!new)
		return -ENOMEM;
	key_put(new->keys.request_auth);
	new->keys.request_auth = key_get(auth);
	return commit_creds(new);
}

static long assume_authority(key_serial_t id)
{
	struct key *auth;
	long err;

	if (id < 0)
		return -EINVAL;
	if (!id)
		return set_authority(NULL);
	auth = get_instantiation_authkey(id);
	if (IS_ERR(auth))
		return PTR_ERR(auth);
	err = set_authority(auth);
	err = err ? err : auth->serial;
	key_put(auth);
	return err;
}

/* What may be answered now. */
struct authority {
	struct key	*auth, *target, *dest;	/* references; dest: the requestor's, or NULL */
};

static void put_authority(struct authority *a)
{
	key_put(a->auth);
	key_put(a->target);
	key_put(a->dest);
}

/* The authority over that key, if it is the one that the caller has assumed; -EPERM. */
static int get_authority(key_serial_t id, struct authority *a)
{
	const struct request_key_auth *rka;

	*a = (struct authority){ .auth = key_get(current_cred()->keys.request_auth) };
	if (!a->auth)
		return -EPERM;
	down_read(&a->auth->sem);
	rka = a->auth->payload;
	if (rka && rka->target->serial == id) {
		a->target = key_get(rka->target);
		a->dest = key_get(rka->dest);
	}
	up_read(&a->auth->sem);
	if (a->target)
		return 0;
	put_authority(a);
	return -EPERM;
}

/* Where else it is to be linked: + reference; NULL: nowhere; ERR_PTR. */
static struct key *destination(key_serial_t ringid, const struct authority *a)
{
	if (!ringid)
		return NULL;
	if (ringid > 0)
		return lookup_user_key(ringid, KEY_LOOKUP_CREATE, KEY_WRITE).key;
	if (ringid == KEY_SPEC_REQKEY_AUTH_KEY)
		return ERR_PTR(-EINVAL);
	if (ringid >= KEY_SPEC_REQUESTOR_KEYRING)
		return key_get(a->dest);
	return ERR_PTR(-ENOKEY);
}

/* data NULL and error < 0: there is no such key, for so many seconds. */
static long answer(key_serial_t id, const void *data, size_t len, int error, unsigned int timeout, key_serial_t ringid)
{
	struct authority a;
	struct key *ring;
	long err = get_authority(id, &a);

	if (err)
		return err;
	ring = destination(ringid, &a);
	err = PTR_ERR(ring);
	if (!IS_ERR(ring)) {
		err = -ENOTDIR;
		if (!ring || ring->type == &key_type_keyring)
			err = error ? key_reject_and_link(a.target, timeout, error, ring, a.auth) :
				      key_instantiate_and_link(a.target, data, len, ring, a.auth);
		key_put(ring);
	}
	put_authority(&a);
	if (!err)
		set_authority(NULL);
	return err;
}

static long instantiate(key_serial_t id, const void __user *upayload, size_t len, key_serial_t ringid)
{
	void *payload = copy_key_payload(upayload, len);
	long err;

	if (IS_ERR(payload))
		return PTR_ERR(payload);
	err = answer(id, payload, len, 0, 0, ringid);
	free_key_payload(payload, len);
	return err;
}

static long instantiate_iov(key_serial_t id, const struct iovec __user *uvec, unsigned int nr, key_serial_t ringid)
{
	struct iovec fast[UIO_FASTIOV], *vec = fast;
	struct iov_iter from;
	void *payload = NULL;
	size_t len;
	long err;

	if (!uvec)
		return instantiate(id, NULL, 0, ringid);
	err = import_iovec(ITER_SOURCE, uvec, nr, UIO_FASTIOV, &vec, &from);
	if (err < 0)
		return err;
	len = iov_iter_count(&from);
	err = -EINVAL;
	if (len > KEY_PAYLOAD_MAX)
		goto free_vec;
	err = -ENOMEM;
	if (len) {
		payload = kvmalloc(len, GFP_KERNEL);
		if (!payload)
			goto free_vec;
	}
	err = -EFAULT;
	if (!len || copy_from_iter(payload, len, &from) == len)
		err = answer(id, payload, len, 0, 0, ringid);
	free_key_payload(payload, len);
free_vec:
	kfree(vec);
	return err;
}

static long reject(key_serial_t id, unsigned int timeout, unsigned int error, key_serial_t ringid)
{
	/* It must be an error that a program may see. */
	if (error == 0 || error >= MAX_ERRNO || (error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK))
		return -EINVAL;
	return answer(id, NULL, 0, -(int)error, timeout, ringid);
}

long keyctl_answer(int cmd, key_serial_t id, unsigned long arg3, unsigned long arg4, unsigned long arg5)
{
	switch (cmd) {
	case KEYCTL_INSTANTIATE:
		return instantiate(id, (const void __user *)arg3, arg4, (key_serial_t)arg5);
	case KEYCTL_INSTANTIATE_IOV:
		return instantiate_iov(id, (const struct iovec __user *)arg3, (unsigned int)arg4, (key_serial_t)arg5);
	case KEYCTL_NEGATE:
		return reject(id, (unsigned int)arg3, ENOKEY, (key_serial_t)arg4);
	case KEYCTL_REJECT:
		return reject(id, (unsigned int)arg3, (unsigned int)arg4, (key_serial_t)arg5);
	case KEYCTL_ASSUME_AUTHORITY:
		return assume_authority(id);
	}
	return -EOPNOTSUPP;
}
