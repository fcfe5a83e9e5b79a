/*
 * keyring.c: keys that hold links to keys: links, searches, names.
 *
 * Idea:    a keyring is an array of references; of two keys of one type and description it holds the one linked last.
 *          Keyrings hold keyrings, never in a circle.
 * Locking: keyring_links (rwsem) over the links of all keyrings together: a search walks many, and a new link looks for a
 *          circle through all below, so a lock for each would have no order to be taken in; keyrings are changed seldom.
 *          keyring_names_lock over the lists of names.
 * Cost:    a search looks at every link; a user's quota keeps keyrings small.
 * See:     keyrings(7); process_keys.c (which keyrings are searched)
 */
#include <weft/kernel.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include <weft/user_namespace.h>
#include "internal.h"

#define MAX_DEPTH	6	/* keyrings within keyrings */
#define LINK_BYTES	4	/* what a link counts in its keyring's quota */

DECLARE_RWSEM(keyring_links);
static DEFINE_SPINLOCK(keyring_names_lock);

/* ---- names ---- */

static void publish_name(struct key *ring)
{
	struct user_namespace *ns = current_user_ns();

	if (!ring->description[0] || ring->description[0] == '.')
		return;
	spin_lock_bh(&keyring_names_lock);
	if (!ns->keyring_names.next)
		INIT_LIST_HEAD(&ns->keyring_names);
	list_add_tail(&ring->ring.name, &ns->keyring_names);
	spin_unlock_bh(&keyring_names_lock);
}

struct key *find_keyring_by_name(const char *name)
{
	struct user_namespace *ns = current_user_ns();
	struct key *ring, *found = ERR_PTR(-ENOKEY);

	spin_lock_bh(&keyring_names_lock);
	if (!ns->keyring_names.next)
		goto out;
	list_for_each_entry(ring, &ns->keyring_names, ring.name) {
		if (strcmp(ring->description, name) || test_bit(KEY_REVOKED, &ring->flags) ||
		    !kuid_has_mapping(ns, ring->uid) || key_permission(KEY_REF(ring, false), KEY_SEARCH))
			continue;
		if (!refcount_inc_not_zero(&ring->usage))
			continue;
		found = ring;
		break;
	}
out:
	spin_unlock_bh(&keyring_names_lock);
	return found;
}

void free_user_ns_keys(struct user_namespace *ns)
{
	struct key *ring, *next;

	if (ns->keyring_names.next) {
		spin_lock_bh(&keyring_names_lock);
		list_for_each_entry_safe(ring, next, &ns->keyring_names, ring.name)
			list_del_init(&ring->ring.name);
		spin_unlock_bh(&keyring_names_lock);
	}
	key_put(ns->keyring_register);
	key_put(ns->persistent_register);
}

/* ---- links ---- */

static struct key **find_link(struct key *ring, const struct key_type *type, const char *desc)
{
	for (unsigned int i = 0; i < ring->ring.nr; i++) {
		struct key *key = ring->ring.links[i];

		if (key->type == type && !strcmp(key->description, desc))
			return &ring->ring.links[i];
	}
	return NULL;
}

struct key *keyring_find(struct key *ring, const struct key_type *type, const char *desc)
{
	struct key **link = find_link(ring, type, desc);

	return link ? *link : NULL;
}

/* -EDEADLK: `ring` lies in the tree below `key`; -ELOOP: that tree is too deep. */
static int detect_circle(const struct key *ring, const struct key *key, int depth)
{
	int err = 0;

	if (key == ring)
		return -EDEADLK;
	if (depth > MAX_DEPTH)
		return -ELOOP;
	for (unsigned int i = 0; !err && i < key->ring.nr; i++) {
		if (key->ring.links[i]->type == &key_type_keyring)
			err = detect_circle(ring, key->ring.links[i], depth + 1);
	}
	return err;
}

static int make_room(struct key *ring)
{
	unsigned int room = ring->ring.room ? 2 * ring->ring.room : 4;
	struct key **links;

	if (ring->ring.nr < ring->ring.room)
		return 0;
	links = kvmalloc(room * sizeof(*links), GFP_KERNEL);
	if (!links)
		return -ENOMEM;
	memcpy(links, ring->ring.links, ring->ring.nr * sizeof(*links));
	kvfree(ring->ring.links);
	ring->ring.links = links;
	ring->ring.room = room;
	return 0;
}

/* May `key` be linked there, and is there room?  *old: the link that it will replace. */
static int prepare_link(struct key *ring, struct key *key, struct key ***old)
{
	int err;

	if (test_bit(KEY_REVOKED, &ring->flags))
		return -EKEYREVOKED;
	if (test_bit(KEY_RESTRICTED, &ring->flags))
		return -EPERM;
	err = key->type == &key_type_keyring ? detect_circle(ring, key, 0) : 0;
	if (err)
		return err;
	*old = find_link(ring, key->type, key->description);
	if (*old)
		return 0;
	err = make_room(ring);
	return err ? err : key_payload_reserve(ring, (ring->ring.nr + 1) * LINK_BYTES);
}

int key_link_locked(struct key *ring, struct key *key)
{
	struct key **old;
	int err = prepare_link(ring, key, &old);

	if (err || (old && *old == key))
		return err;
	if (old) {
		key_put(*old);
		*old = key_get(key);
	} else {
		ring->ring.links[ring->ring.nr++] = key_get(key);
	}
	return 0;
}

int key_link(struct key *ring, struct key *key)
{
	int err;

	if (ring->type != &key_type_keyring)
		return -ENOTDIR;
	down_write(&keyring_links);
	err = key_link_locked(ring, key);
	up_write(&keyring_links);
	return err;
}

/* [keyring_links] */
static void drop_link(struct key *ring, struct key **link)
{
	key_put(*link);
	*link = ring->ring.links[--ring->ring.nr];
	key_payload_reserve(ring, ring->ring.nr * LINK_BYTES);
}

static int unlink_locked(struct key *ring, struct key *key)
{
	struct key **link = find_link(ring, key->type, key->description);

	if (!link || *link != key)
		return -ENOENT;
	drop_link(ring, link);
	return 0;
}

int key_unlink(struct key *ring, struct key *key)
{
	int err;

	if (ring->type != &key_type_keyring)
		return -ENOTDIR;
	down_write(&keyring_links);
	err = unlink_locked(ring, key);
	up_write(&keyring_links);
	return err;
}

/* excl: -EEXIST rather than replace another of that name. */
int key_move(struct key *key, struct key *from, struct key *to, bool excl)
{
	struct key *there;
	int err;

	if (from == to)
		return 0;
	if (from->type != &key_type_keyring || to->type != &key_type_keyring)
		return -ENOTDIR;
	down_write(&keyring_links);
	err = -ENOENT;
	if (keyring_find(from, key->type, key->description) != key)
		goto out;
	there = keyring_find(to, key->type, key->description);
	err = excl && there && there != key ? -EEXIST : key_link_locked(to, key);
	if (!err)
		unlink_locked(from, key);
out:
	up_write(&keyring_links);
	return err;
}

static void clear_locked(struct key *ring)
{
	while (ring->ring.nr)
		key_put(ring->ring.links[--ring->ring.nr]);
	key_payload_reserve(ring, 0);
}

int keyring_clear(struct key *ring)
{
	if (ring->type != &key_type_keyring)
		return -ENOTDIR;
	down_write(&keyring_links);
	clear_locked(ring);
	up_write(&keyring_links);
	return 0;
}

/* From now on nothing is linked to it. */
int keyring_restrict(struct key *ring)
{
	int err;

	if (ring->type != &key_type_keyring)
		return -ENOTDIR;
	down_write(&keyring_links);
	err = test_and_set_bit(KEY_RESTRICTED, &ring->flags) ? -EEXIST : 0;
	up_write(&keyring_links);
	return err;
}

void keyring_drop_dead(struct key *ring, bool (*is_dead)(const struct key *key, time64_t now), time64_t now)
{
	down_write(&keyring_links);
	for (unsigned int i = ring->ring.nr; i-- > 0; ) {
		if (is_dead(ring->ring.links[i], now))
			drop_link(ring, &ring->ring.links[i]);
	}
	up_write(&keyring_links);
}

/* ---- search ---- */

static bool matches(const struct key *key, const struct key_search *what)
{
	if (!what->desc)
		return key == what->key;
	return key->type == what->type && !strcmp(key->description, what->desc);
}

/* It is what is looked for: may it be had?  0 or why not. */
static int judge(struct key *key, bool possessed, const struct key_search *what)
{
	int err = what->any_state ? 0 : key_validate(key);

	if (err == -EKEYEXPIRED && what->skip_expired)
		return -EAGAIN;
	if (err)
		return err == -ENOKEY ? -EKEYREVOKED : err;
	if (!what->no_perm && key_task_permission(KEY_REF(key, possessed), what->cred, KEY_SEARCH))
		return -EACCES;
	return !what->any_state && key->state < 0 ? key->state : 0;
}

/* [keyring_links] The keys of this ring first, then those of the rings in it.  *err: the last reason why one was not had. */
static struct key *search_ring(struct key *ring, bool possessed, const struct key_search *what, int depth, int *err)
{
	struct key *key, *found = NULL;

	for (unsigned int i = 0; i < ring->ring.nr; i++) {
		key = ring->ring.links[i];
		if (!matches(key, what))
			continue;
		*err = judge(key, possessed, what);
		if (!*err)
			return key;
	}
	for (unsigned int i = 0; !found && depth < MAX_DEPTH && i < ring->ring.nr; i++) {
		key = ring->ring.links[i];
		if (key->type != &key_type_keyring || READ_ONCE(key->flags) & (BIT(KEY_REVOKED) | BIT(KEY_INVALIDATED)))
			continue;
		if (!what->no_perm && key_task_permission(KEY_REF(key, possessed), what->cred, KEY_SEARCH))
			continue;
		found = search_ring(key, possessed, what, depth + 1, err);
	}
	return found;
}

struct key_ref keyring_search(struct key_ref ref, const struct key_search *what)
{
	struct key *ring = ref.key, *found = NULL;
	int err = -EAGAIN;

	if (ring->type != &key_type_keyring)
		return KEY_REF_ERR(-ENOTDIR);
	if (!what->no_perm) {
		err = key_task_permission(ref, what->cred, KEY_SEARCH);
		if (err)
			return KEY_REF_ERR(err);
		err = -EAGAIN;
	}
	down_read(&keyring_links);
	if (matches(ring, what)) {
		err = judge(ring, ref.possessed, what);
		found = err ? NULL : ring;
	} else if (!(READ_ONCE(ring->flags) & (BIT(KEY_REVOKED) | BIT(KEY_INVALIDATED)))) {
		found = search_ring(ring, ref.possessed, what, 0, &err);
	}
	key_get(found);
	up_read(&keyring_links);
	return found ? KEY_REF(found, ref.possessed) : KEY_REF_ERR(err);
}

/* ---- the type ---- */

static int keyring_check(const char *desc, const void *data, size_t len)
{
	return len ? -EINVAL : 0;
}

static int keyring_instantiate(struct key *ring, const void *data, size_t len)
{
	publish_name(ring);
	return 0;
}

static void keyring_revoke(struct key *ring)
{
	down_write(&keyring_links);
	clear_locked(ring);
	up_write(&keyring_links);
}

static void keyring_destroy(struct key *ring)
{
	spin_lock_bh(&keyring_names_lock);
	list_del_init(&ring->ring.name);
	spin_unlock_bh(&keyring_names_lock);
	while (ring->ring.nr)
		key_put(ring->ring.links[--ring->ring.nr]);
	kvfree(ring->ring.links);
}

/* The serial numbers of what is linked. */
static long keyring_read(struct key *ring, char *buf, size_t len)
{
	key_serial_t *serials = (key_serial_t *)buf;
	long size;

	down_read(&keyring_links);
	size = (long)(ring->ring.nr * sizeof(*serials));
	for (unsigned int i = 0; i < ring->ring.nr && (i + 1) * sizeof(*serials) <= len; i++)
		serials[i] = ring->ring.links[i]->serial;
	up_read(&keyring_links);
	return size;
}

static void keyring_describe(const struct key *ring, struct seq_file *m)
{
	unsigned int nr = READ_ONCE(ring->ring.nr);

	seq_puts(m, ring->description[0] ? ring->description : "[anon]");
	if (nr)
		seq_printf(m, ": %u", nr);
	else
		seq_puts(m, ": empty");
}

const struct key_type key_type_keyring = {
	.name		= "keyring",
	.check		= keyring_check,
	.instantiate	= keyring_instantiate,
	.revoke		= keyring_revoke,
	.destroy	= keyring_destroy,
	.read		= keyring_read,
	.describe	= keyring_describe,
};

/* + reference, linked to dest unless that is NULL; ERR_PTR.  May sleep. */
struct key *keyring_alloc(const char *desc, kuid_t uid, kgid_t gid, u32 perm, unsigned int how, struct key *dest)
{
	struct key *ring = key_alloc(&key_type_keyring, desc, uid, gid, perm, how);
	int err;

	if (IS_ERR(ring))
		return ring;
	err = dest ? key_instantiate_and_link(ring, NULL, 0, dest, NULL) : key_instantiate(ring, NULL, 0);
	if (!err)
		return ring;
	key_put(ring);
	return ERR_PTR(err);
}
