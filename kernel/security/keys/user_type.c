/*
 * user_type.c: the types of keys whose contents are bytes that only programs understand.
 *
 *      user      up to 32767 bytes
 *      logon     the same, but never read back; its description begins with "SERVICE:"
 *      big_key   up to 1 MiB, counted as a few bytes against the quota
 *
 * Idea:    one payload (length and bytes) serves all three; they differ in their limits and in whether ->read() is there.
 * Locking: key->sem over the payload.
 * See:     keyrings(7)
 */
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "internal.h"

#define USER_MAX	32767
#define BIG_MAX		(1024 * 1024)
#define BIG_QUOTA	16

struct blob {
	size_t	len;
	char	data[];
};

static int user_check(const char *desc, const void *data, size_t len)
{
	return len && len <= USER_MAX && data ? 0 : -EINVAL;
}

static int logon_check(const char *desc, const void *data, size_t len)
{
	const char *colon = strchr(desc, ':');

	return !colon || colon == desc ? -EINVAL : user_check(desc, data, len);
}

static int big_check(const char *desc, const void *data, size_t len)
{
	return len && len <= BIG_MAX && data ? 0 : -EINVAL;
}

static void free_blob(struct blob *blob)
{
	if (!blob)
		return;
	memzero_explicit(blob->data, blob->len);
	kvfree(blob);
}

static int set_blob(struct key *key, const void *data, size_t len, size_t quota)
{
	struct blob *blob = kvmalloc(sizeof(*blob) + len, GFP_KERNEL);
	int err;

	if (!blob)
		return -ENOMEM;
	blob->len = len;
	memcpy(blob->data, data, len);
	err = key_payload_reserve(key, quota);
	if (err) {
		free_blob(blob);
		return err;
	}
	free_blob(key->payload);
	key->payload = blob;
	return 0;
}

static int user_set(struct key *key, const void *data, size_t len)
{
	return set_blob(key, data, len, len);
}

static int big_set(struct key *key, const void *data, size_t len)
{
	return set_blob(key, data, len, BIG_QUOTA);
}

static void blob_revoke(struct key *key)
{
	down_write(&key->sem);
	key_payload_reserve(key, 0);
	free_blob(key->payload);
	key->payload = NULL;
	up_write(&key->sem);
}

static void blob_destroy(struct key *key)
{
	free_blob(key->payload);
}

static long blob_read(struct key *key, char *buf, size_t len)
{
	const struct blob *blob;
	long size = -EKEYREVOKED;

	down_read(&key->sem);
	blob = key->payload;
	if (blob) {
		memcpy(buf, blob->data, min(len, blob->len));
		size = (long)blob->len;
	}
	up_read(&key->sem);
	return size;
}

/* Its length, once it has contents. */
static void user_describe(const struct key *key, struct seq_file *m)
{
	seq_puts(m, key->description);
	if (key->state == KEY_POSITIVE)
		seq_printf(m, ": %u", key->quotalen - key->desclen - 1);
}

static void big_describe(const struct key *key, struct seq_file *m)
{
	struct key *k = (struct key *)key;

	seq_puts(m, key->description);
	if (key->state != KEY_POSITIVE)
		return;
	down_read(&k->sem);
	if (k->payload)
		seq_printf(m, ": %zu [buff]", ((const struct blob *)k->payload)->len);
	up_read(&k->sem);
}

const struct key_type key_type_user = {
	.name		= "user",
	.check		= user_check,
	.instantiate	= user_set,
	.update		= user_set,
	.revoke		= blob_revoke,
	.destroy	= blob_destroy,
	.read		= blob_read,
	.describe	= user_describe,
};

const struct key_type key_type_logon = {
	.name		= "logon",
	.check		= logon_check,
	.instantiate	= user_set,
	.update		= user_set,
	.revoke		= blob_revoke,
	.destroy	= blob_destroy,
	.describe	= user_describe,
};

const struct key_type key_type_big_key = {
	.name		= "big_key",
	.check		= big_check,
	.instantiate	= big_set,
	.update		= big_set,
	.revoke		= blob_revoke,
	.destroy	= blob_destroy,
	.read		= blob_read,
	.describe	= big_describe,
};
