/*
 * request_key_auth.c: the type of keys that are the right to make another key.
 *
 * Idea:    who asks for a key that nobody has makes it, empty, and an authorisation key that names it.  The helper that is
 *          started finds that in its session, and by assuming it may give the empty key its contents, with the requestor's
 *          keyrings to search and to link to.  Its description is the target's serial number in hexadecimal.
 * Locking: key->sem over the payload, which goes when the key is revoked.
 * See:     request_key.c; request_key(2), keyctl_assume_authority(3)
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "internal.h"

static void free_auth(struct request_key_auth *rka)
{
	if (!rka)
		return;
	key_put(rka->target);
	key_put(rka->dest);
	put_cred(rka->cred);
	kfree(rka->callout);
	kfree(rka);
}

static int auth_instantiate(struct key *key, const void *data, size_t len)
{
	key->payload = (void *)data;	/* from request_key_auth_new() only: add_key() knows no type with a dot */
	return 0;
}

static void auth_revoke(struct key *key)
{
	struct request_key_auth *rka;

	down_write(&key->sem);
	rka = key->payload;
	key->payload = NULL;
	up_write(&key->sem);
	free_auth(rka);
}

static void auth_destroy(struct key *key)
{
	free_auth(key->payload);
}

static long auth_read(struct key *key, char *buf, size_t len)
{
	const struct request_key_auth *rka;
	long size = -EKEYREVOKED;

	down_read(&key->sem);
	rka = key->payload;
	if (rka) {
		memcpy(buf, rka->callout, min(len, rka->callout_len));
		size = (long)rka->callout_len;
	}
	up_read(&key->sem);
	return size;
}

static void auth_describe(const struct key *key, struct seq_file *m)
{
	struct key *k = (struct key *)key;
	const struct request_key_auth *rka;

	seq_printf(m, "key:%s", key->description);
	down_read(&k->sem);
	rka = k->payload;
	if (rka)
		seq_printf(m, " pid:%d ci:%zu", rka->pid, rka->callout_len);
	up_read(&k->sem);
}

const struct key_type key_type_request_key_auth = {
	.name		= ".request_key_auth",
	.instantiate	= auth_instantiate,
	.revoke		= auth_revoke,
	.destroy	= auth_destroy,
	.read		= auth_read,
	.describe	= auth_describe,
};

/* The right to make `target`, which `callout` says more about; + reference; ERR_PTR. */
struct key *request_key_auth_new(struct key *target, const char *callout, struct key *dest)
{
	const struct cred *cred = current_cred();
	struct request_key_auth *rka;
	struct key *auth;
	char desc[20];
	int err;

	rka = kzalloc(sizeof(*rka), GFP_KERNEL);
	if (!rka)
		return ERR_PTR(-ENOMEM);
	rka->target = key_get(target);
	rka->dest = key_get(dest);
	rka->cred = get_cred(cred);
	rka->pid = current->pid;
	rka->callout = kstrdup(callout, GFP_KERNEL);
	auth = ERR_PTR(-ENOMEM);
	if (!rka->callout)
		goto free_rka;
	rka->callout_len = strlen(callout);
	snprintf(desc, sizeof(desc), "%x", target->serial);
	auth = key_alloc(&key_type_request_key_auth, desc, cred->fsuid, cred->fsgid,
			 KEY_POS(KEY_VIEW | KEY_READ | KEY_SEARCH | KEY_LINK) | KEY_USR(KEY_VIEW), KEY_ALLOC_NOT_IN_QUOTA);
	if (IS_ERR(auth))
		goto free_rka;
	err = key_instantiate(auth, rka, 0);
	if (!err)
		return auth;
	key_put(auth);
	auth = ERR_PTR(err);
free_rka:
	free_auth(rka);
	return auth;
}

/* Among the caller's own keys, the right to make that one. */
struct key *get_instantiation_authkey(key_serial_t target)
{
	struct key_search what = { .type = &key_type_request_key_auth, .cred = current_cred() };
	struct key_ref ref;
	char desc[20];

	snprintf(desc, sizeof(desc), "%x", target);
	what.desc = desc;
	ref = search_process_keyrings(&what);
	if (ref.key == ERR_PTR(-EAGAIN))
		return ERR_PTR(-ENOKEY);
	return ref.key;
}
