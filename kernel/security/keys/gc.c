/*
 * gc.c: keys go away: those without references are freed, those that are dead are taken out of all keyrings.
 *
 * Idea:    a worker, because a key's last reference may go in a softirq (the end of credentials) and because a keyring's
 *          end puts all that it holds.  A key is dead when it has been invalidated, or when it expired or was revoked
 *          gc_delay seconds ago: till then those who look for it hear why there is none.
 * Locking: gc_lock over the time of the next look; the look itself takes keyring_links for one keyring at a time.
 * See:     keyrings(7), "/proc/sys/kernel/keys/gc_delay"
 */
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/minmax.h>
#include <weft/slab.h>
#include <weft/timekeeping.h>
#include <weft/workqueue.h>
#include "internal.h"

#define LONGEST_WAIT	(24 * 60 * 60LL)	/* seconds; then it looks whether it is time */

static LLIST_HEAD(freed_keys);
static DEFINE_SPINLOCK(gc_lock);
static time64_t gc_next = TIME_NEVER;		/* [gc_lock] */

/* ---- without references ---- */

static void free_key(struct key *key)
{
	if (key->state == KEY_POSITIVE && key->type->destroy)
		key->type->destroy(key);
	spin_lock_bh(&key_serial_lock);
	rb_erase(&key->serial_node, &key_serial_tree);
	spin_unlock_bh(&key_serial_lock);
	atomic_dec(&key->user->nkeys);
	if (key->state != KEY_UNINSTANTIATED)
		atomic_dec(&key->user->nikeys);
	key_user_put(key->user);
	kfree(key->description);
	kfree(key);
}

static void free_keys(struct work_struct *unused)
{
	struct key *key, *next;

	llist_for_each_entry_safe(key, next, llist_del_all(&freed_keys), dead)
		free_key(key);
}
static DECLARE_WORK(free_work, free_keys);

void key_gc_free(struct key *key)
{
	if (llist_add(&key->dead, &freed_keys))
		schedule_work(&free_work);
}

/* ---- dead ---- */

/* When it is to be taken out of all keyrings; 0: now. */
static time64_t dies_at(const struct key *key)
{
	time64_t when = TIME_NEVER;

	if (test_bit(KEY_INVALIDATED, &key->flags))
		return 0;
	if (READ_ONCE(key->expiry) != TIME_NEVER)
		when = key->expiry + key_gc_delay;
	if (test_bit(KEY_REVOKED, &key->flags))
		when = min(when, key->revoked_at + key_gc_delay);
	return when;
}

static bool is_dead(const struct key *key, time64_t now)
{
	return dies_at(key) <= now;
}

static void collect(struct work_struct *unused)
{
	time64_t now = ktime_get_real_seconds(), when, next = TIME_NEVER;
	key_serial_t serial = 0;
	struct key *key;

	spin_lock_bh(&gc_lock);
	gc_next = TIME_NEVER;
	spin_unlock_bh(&gc_lock);
	while ((key = key_next(serial))) {
		serial = key->serial;
		if (key->type == &key_type_keyring)
			keyring_drop_dead(key, is_dead, now);
		when = dies_at(key);
		if (when > now)
			next = min(next, when);
		key_put(key);
	}
	if (next != TIME_NEVER)
		key_gc_at(next);
}
static DECLARE_DELAYED_WORK(gc_work, collect);

void key_gc_at(time64_t when)
{
	time64_t wait = clamp(when - ktime_get_real_seconds(), 0LL, LONGEST_WAIT);

	spin_lock_bh(&gc_lock);
	if (when < gc_next) {
		gc_next = when;
		mod_delayed_work(system_wq, &gc_work, (unsigned long)wait * HZ);
	}
	spin_unlock_bh(&gc_lock);
}
