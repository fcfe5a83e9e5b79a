/*
 * key.c: the life of a key: made, given contents, changed, revoked, put; and the quota it counts against.
 *
 * Idea:    keys are found by a random serial number in a tree that holds no references: who finds one there takes a count
 *          if it is not 0 yet.  A key is born without contents; these come once, with key_instantiate() by its maker or
 *          with the answer to a request, and may be an error in their place (a negative key).
 * Locking: keyring_links -> key_construction_mutex -> key->sem -> user->lock.  key_serial_lock over the tree, key_user_lock
 *          over the list of users; both are taken in softirqs too, by the end of credentials: key_put().
 * See:     keyrings(7), add_key(2); keyring.c, gc.c
 */
#include <weft/kernel.h>
#include <weft/random.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include <weft/wait.h>
#include "internal.h"

DEFINE_SPINLOCK(key_serial_lock);
struct rb_root key_serial_tree = RB_ROOT;	/* [key_serial_lock] */
DEFINE_SPINLOCK(key_user_lock);
LIST_HEAD(key_users);				/* [key_user_lock] */
DEFINE_MUTEX(key_construction_mutex);
static DECLARE_WAIT_QUEUE_HEAD(key_construction_wq);

/* [-] /proc/sys/kernel/keys */
int key_max_keys = 200, key_max_bytes = 20000, key_root_max_keys = 1000000, key_root_max_bytes = 25000000;
int key_gc_delay = 5 * 60;
int key_persistent_expiry = 3 * 24 * 60 * 60;

static const struct key_type *const key_types[] = {
	&key_type_keyring, &key_type_user, &key_type_logon, &key_type_big_key, &key_type_request_key_auth,
};

const struct key_type *key_type_lookup(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_types); i++) {
		if (!strcmp(key_types[i]->name, name))
			return key_types[i];
	}
	return ERR_PTR(-ENOKEY);
}

/* ---- users and their quota ---- */

static struct key_user *find_user_locked(kuid_t uid)
{
	struct key_user *user;

	list_for_each_entry(user, &key_users, node) {
		if (uid_eq(user->uid, uid)) {
			refcount_inc(&user->usage);
			return user;
		}
	}
	return NULL;
}

struct key_user *key_user_get(kuid_t uid)
{
	struct key_user *new, *user;

	spin_lock_bh(&key_user_lock);
	user = find_user_locked(uid);
	spin_unlock_bh(&key_user_lock);
	if (user)
		return user;
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return NULL;
	refcount_set(&new->usage, 1);
	new->uid = uid;
	spin_lock_init(&new->lock);
	spin_lock_bh(&key_user_lock);
	user = find_user_locked(uid);		/* somebody else may have been faster */
	if (!user)
		list_add_tail(&new->node, &key_users);
	spin_unlock_bh(&key_user_lock);
	if (!user)
		return new;
	kfree(new);
	return user;
}

void key_user_put(struct key_user *user)
{
	bool last;

	spin_lock_bh(&key_user_lock);
	last = refcount_dec_and_test(&user->usage);
	if (last)
		list_del(&user->node);
	spin_unlock_bh(&key_user_lock);
	if (last)
		kfree(user);
}

/* `keys` and `bytes` more; -EDQUOT when that is too much and `must` does not hold. */
static int charge(struct key_user *user, int keys, int bytes, bool must)
{
	const bool root = uid_eq(user->uid, GLOBAL_ROOT_UID);
	const int max_keys = root ? key_root_max_keys : key_max_keys, max_bytes = root ? key_root_max_bytes : key_max_bytes;
	int err = -EDQUOT;

	spin_lock_bh(&user->lock);
	if (must || keys + bytes <= 0 || (user->qnkeys + keys <= max_keys && user->qnbytes + bytes <= max_bytes)) {
		user->qnkeys += keys;
		user->qnbytes += bytes;
		err = 0;
	}
	spin_unlock_bh(&user->lock);
	return err;
}

int key_payload_reserve(struct key *key, size_t datalen)
{
	unsigned int want = key->desclen + 1U + (unsigned int)datalen;
	int err;

	err = test_bit(KEY_IN_QUOTA, &key->flags) ? charge(key->user, 0, (int)want - (int)key->quotalen, false) : 0;
	if (!err)
		key->quotalen = want;
	return err;
}

int key_change_user(struct key *key, kuid_t uid)
{
	struct key_user *new = key_user_get(uid), *old = key->user;
	int err;

	if (!new)
		return -ENOMEM;
	if (test_bit(KEY_IN_QUOTA, &key->flags)) {
		err = charge(new, 1, (int)key->quotalen, false);
		if (err) {
			key_user_put(new);
			return err;
		}
		charge(old, -1, -(int)key->quotalen, true);
	}
	atomic_dec(&old->nkeys);
	atomic_inc(&new->nkeys);
	if (key->state != KEY_UNINSTANTIATED) {
		atomic_dec(&old->nikeys);
		atomic_inc(&new->nikeys);
	}
	key->user = new;
	key->uid = uid;
	key_user_put(old);
	return 0;
}

/* ---- birth ---- */

/* A number of its own: random, so that it tells nothing about others'. */
static void insert_serial(struct key *key)
{
	struct rb_node **p, *parent;
	struct key *other;

	spin_lock_bh(&key_serial_lock);
retry:
	do {
		key->serial = (key_serial_t)(get_random_u32() >> 1);
	} while (key->serial < 3);
	parent = NULL;
	p = &key_serial_tree.rb_node;
	while (*p) {
		parent = *p;
		other = rb_entry(parent, struct key, serial_node);
		if (key->serial == other->serial)
			goto retry;
		p = key->serial < other->serial ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&key->serial_node, parent, p);
	rb_insert_color(&key->serial_node, &key_serial_tree);
	spin_unlock_bh(&key_serial_lock);
}

struct key *key_alloc(const struct key_type *type, const char *desc, kuid_t uid, kgid_t gid, u32 perm, unsigned int how)
{
	size_t desclen = strlen(desc);
	struct key *key;
	int err = -ENOMEM;

	key = kzalloc(sizeof(*key), GFP_KERNEL);
	if (!key)
		return ERR_PTR(-ENOMEM);
	key->description = kstrdup(desc, GFP_KERNEL);
	if (!key->description)
		goto free_key;
	key->user = key_user_get(uid);
	if (!key->user)
		goto free_desc;
	key->desclen = (u16)desclen;
	key->quotalen = (unsigned int)desclen + 1;
	if (!(how & KEY_ALLOC_NOT_IN_QUOTA)) {
		err = charge(key->user, 1, (int)key->quotalen, how & KEY_ALLOC_QUOTA_OVERRUN);
		if (err)
			goto put_user;
		set_bit(KEY_IN_QUOTA, &key->flags);
	}
	refcount_set(&key->usage, 1);
	init_rwsem(&key->sem);
	INIT_LIST_HEAD(&key->ring.name);
	key->type = type;
	key->uid = uid;
	key->gid = gid;
	key->perm = perm;
	key->expiry = TIME_NEVER;
	atomic_inc(&key->user->nkeys);
	insert_serial(key);
	return key;

put_user:
	key_user_put(key->user);
free_desc:
	kfree(key->description);
free_key:
	kfree(key);
	return ERR_PTR(err);
}

u32 key_default_perm(const struct key_type *type)
{
	u32 perm = KEY_POS(KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR) | KEY_USR(KEY_VIEW);

	perm |= type->read ? KEY_POS(KEY_READ) : 0;
	perm |= type == &key_type_keyring || type->update ? KEY_POS(KEY_WRITE) : 0;
	return perm;
}

struct key *key_get(struct key *key)
{
	if (key)
		refcount_inc(&key->usage);
	return key;
}

/* The quota is given back at once; the worker does the rest. */
void key_put(struct key *key)
{
	if (!key || !refcount_dec_and_test(&key->usage))
		return;
	if (test_bit(KEY_IN_QUOTA, &key->flags))
		charge(key->user, -1, -(int)key->quotalen, true);
	key_gc_free(key);
}

struct key *key_lookup(key_serial_t serial)
{
	struct key *key, *found = ERR_PTR(-ENOKEY);
	struct rb_node *n;

	spin_lock_bh(&key_serial_lock);
	for (n = key_serial_tree.rb_node; n; ) {
		key = rb_entry(n, struct key, serial_node);
		if (serial == key->serial) {
			if (refcount_inc_not_zero(&key->usage))
				found = key;
			break;
		}
		n = serial < key->serial ? n->rb_left : n->rb_right;
	}
	spin_unlock_bh(&key_serial_lock);
	return found;
}

/* The next one by serial number, + reference; NULL at the end. */
struct key *key_next(key_serial_t after)
{
	struct key *key, *next = NULL;
	struct rb_node *n;

	spin_lock_bh(&key_serial_lock);
	for (n = key_serial_tree.rb_node; n; ) {
		key = rb_entry(n, struct key, serial_node);
		if (key->serial > after)
			next = key;
		n = key->serial > after ? n->rb_left : n->rb_right;
	}
	while (next && !refcount_inc_not_zero(&next->usage)) {
		n = rb_next(&next->serial_node);
		next = n ? rb_entry(n, struct key, serial_node) : NULL;
	}
	spin_unlock_bh(&key_serial_lock);
	return next;
}

int key_validate(const struct key *key)
{
	const unsigned long flags = READ_ONCE(key->flags);

	if (flags & BIT(KEY_INVALIDATED))
		return -ENOKEY;
	if (flags & BIT(KEY_REVOKED))
		return -EKEYREVOKED;
	return ktime_get_real_seconds() >= READ_ONCE(key->expiry) ? -EKEYEXPIRED : 0;
}

/* ---- contents ---- */

/* [key_construction_mutex] It has been answered, one way or the other. */
static void construction_ends(struct key *key, int state)
{
	atomic_inc(&key->user->nikeys);
	smp_store_release(&key->state, state);	/* the payload before it */
	if (test_and_clear_bit(KEY_CONSTRUCTING, &key->flags))
		wake_up_all(&key_construction_wq);
}

/* [key_construction_mutex, keyring_links if ring] */
static int finish_and_link(struct key *key, int state, struct key *ring, struct key *auth)
{
	construction_ends(key, state);
	if (auth)
		key_invalidate(auth);
	return ring ? key_link_locked(ring, key) : 0;
}

static int give_contents(struct key *key, const void *data, size_t len, struct key *ring, struct key *auth)
{
	int err = -EBUSY;

	mutex_lock(&key_construction_mutex);
	if (key->state == KEY_UNINSTANTIATED) {
		down_write(&key->sem);
		err = key->type->check ? key->type->check(key->description, data, len) : 0;
		if (!err)
			err = key->type->instantiate(key, data, len);
		up_write(&key->sem);
		if (!err)
			err = finish_and_link(key, KEY_POSITIVE, ring, auth);
	}
	mutex_unlock(&key_construction_mutex);
	return err;
}

int key_instantiate(struct key *key, const void *data, size_t len)
{
	return give_contents(key, data, len, NULL, NULL);
}

int key_instantiate_and_link(struct key *key, const void *data, size_t len, struct key *ring, struct key *auth)
{
	int err;

	down_write(&keyring_links);
	err = give_contents(key, data, len, ring, auth);
	up_write(&keyring_links);
	return err;
}

int key_reject_and_link(struct key *key, unsigned int timeout, int error, struct key *ring, struct key *auth)
{
	int err = -EBUSY;

	down_write(&keyring_links);
	mutex_lock(&key_construction_mutex);
	if (key->state == KEY_UNINSTANTIATED) {
		WRITE_ONCE(key->expiry, ktime_get_real_seconds() + timeout);
		key_gc_at(key->expiry + key_gc_delay);
		err = finish_and_link(key, error, ring, auth);
	}
	mutex_unlock(&key_construction_mutex);
	up_write(&keyring_links);
	return err;
}

int wait_for_key_construction(struct key *key, bool interruptible)
{
	int state, err = 0;

	if (interruptible)
		err = wait_event_interruptible(key_construction_wq, !test_bit(KEY_CONSTRUCTING, &key->flags));
	else
		wait_event(key_construction_wq, !test_bit(KEY_CONSTRUCTING, &key->flags));
	if (err)
		return -ERESTARTSYS;
	state = smp_load_acquire(&key->state);
	return state < 0 ? state : key_validate(key);
}

/* ---- add_key(2) ---- */

int key_update(struct key *key, const void *data, size_t len)
{
	int err;

	if (!key->type->update)
		return -EOPNOTSUPP;
	err = key->type->check ? key->type->check(key->description, data, len) : 0;
	if (err)
		return err;
	mutex_lock(&key_construction_mutex);
	down_write(&key->sem);
	err = key->type->update(key, data, len);
	up_write(&key->sem);
	if (!err)
		smp_store_release(&key->state, KEY_POSITIVE);	/* also what was negative */
	mutex_unlock(&key_construction_mutex);
	return err;
}

/* [keyring_links] A new key in the ring, in the place of one of the same name. */
static struct key *create_in(struct key *ring, const struct key_type *type, const char *desc, const void *data, size_t len)
{
	struct key *key = key_alloc(type, desc, current_fsuid(), current_fsgid(), key_default_perm(type), 0);
	int err;

	if (IS_ERR(key))
		return key;
	err = give_contents(key, data, len, ring, NULL);
	if (!err)
		return key;
	key_put(key);
	return ERR_PTR(err);
}

struct key_ref key_create_or_update(struct key_ref ref, const struct key_type *type, const char *desc, const void *data,
				    size_t len)
{
	struct key *key = NULL, *ring = ref.key;
	int err = 0;

	if (ring->type != &key_type_keyring)
		return KEY_REF_ERR(-ENOTDIR);
	err = type->check ? type->check(desc, data, len) : 0;
	err = err ? err : key_permission(ref, KEY_WRITE);
	if (err)
		return KEY_REF_ERR(err);
	down_write(&keyring_links);
	if (type->update)
		key = key_get(keyring_find(ring, type, desc));
	if (!key) {
		key = create_in(ring, type, desc, data, len);
		up_write(&keyring_links);
		return KEY_REF(key, ref.possessed);
	}
	up_write(&keyring_links);
	err = key_permission(KEY_REF(key, ref.possessed), KEY_WRITE);
	err = err ? err : key_update(key, data, len);
	if (!err)
		return KEY_REF(key, ref.possessed);
	key_put(key);
	return KEY_REF_ERR(err);
}

/* ---- the end ---- */

void key_revoke(struct key *key)
{
	down_write(&key->sem);
	if (!test_and_set_bit(KEY_REVOKED, &key->flags)) {
		key->revoked_at = ktime_get_real_seconds();
		key_gc_at(key->revoked_at + key_gc_delay);
	}
	up_write(&key->sem);
	if (key->type->revoke)
		key->type->revoke(key);
}

void key_invalidate(struct key *key)
{
	if (!test_and_set_bit(KEY_INVALIDATED, &key->flags))
		key_gc_at(0);
}

/* 0: never. */
void key_set_timeout(struct key *key, unsigned int seconds)
{
	down_write(&key->sem);
	WRITE_ONCE(key->expiry, seconds ? ktime_get_real_seconds() + seconds : TIME_NEVER);
	if (seconds)
		key_gc_at(key->expiry + key_gc_delay);
	up_write(&key->sem);
}
