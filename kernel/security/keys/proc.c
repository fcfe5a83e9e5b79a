/*
 * proc.c: /proc/keys (what the reader may see), /proc/key-users (the quotas), /proc/sys/kernel/keys.
 *
 * Locking: none held between records: a reader goes on after the last serial number, or user, that it showed.
 * See:     keyrings(7), "/proc files"
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/timekeeping.h>
#include <weft/user_namespace.h>
#include "internal.h"

/* ---- /proc/keys ---- */

/* *pos is a serial number plus one: the key with it, or the next. */
static void *keys_start(struct seq_file *m, loff_t *pos)
{
	struct key *key = *pos > INT_MAX ? NULL : key_next((key_serial_t)(*pos ? *pos - 1 : 0));

	if (key)
		*pos = key->serial;
	return key;
}

static void *keys_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct key *key = v, *next = key_next(key->serial);

	*pos = next ? next->serial : INT_MAX + 1LL;
	key_put(key);
	return next;
}

static void keys_stop(struct seq_file *m, void *v)
{
	key_put(v);
}

static void show_timeout(char *buf, size_t size, const struct key *key)
{
	static const struct { u32 seconds; char unit; } units[] = {
		{ 7 * 24 * 3600, 'w' }, { 24 * 3600, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	const time64_t expiry = READ_ONCE(key->expiry), left = expiry - ktime_get_real_seconds();
	size_t i = 0;

	if (expiry == TIME_NEVER) {
		snprintf(buf, size, "perm");
		return;
	}
	if (left <= 0) {
		snprintf(buf, size, "expd");
		return;
	}
	while (left < units[i].seconds)
		i++;
	snprintf(buf, size, "%llu%c", (unsigned long long)left / units[i].seconds, units[i].unit);
}

static int keys_show(struct seq_file *m, void *v)
{
	struct key *key = v;
	const struct user_namespace *ns = seq_user_ns(m);
	const unsigned long flags = READ_ONCE(key->flags);
	const int state = READ_ONCE(key->state);
	char timeout[24];

	if (!kuid_has_mapping(ns, key->uid) || key_permission(KEY_REF(key, key_is_possessed(key)), KEY_VIEW))
		return 0;
	show_timeout(timeout, sizeof(timeout), key);
	seq_printf(m, "%08x %c%c%c%c%c%c%c %5d %4s %08x %5d %5d %-9.9s ", key->serial,
		   state != KEY_UNINSTANTIATED ? 'I' : '-',
		   flags & BIT(KEY_REVOKED) ? 'R' : '-',
		   flags & BIT(KEY_DEAD) ? 'D' : '-',
		   flags & BIT(KEY_IN_QUOTA) ? 'Q' : '-',
		   flags & BIT(KEY_CONSTRUCTING) ? 'U' : '-',
		   state < 0 ? 'N' : '-',
		   flags & BIT(KEY_INVALIDATED) ? 'i' : '-',
		   (int)refcount_read(&key->usage) - 1, timeout, key->perm,	/* our own count does not count */
		   (int)from_kuid_munged(ns, key->uid), (int)from_kgid_munged(ns, key->gid), key->type->name);
	key->type->describe(key, m);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations keys_ops = {
	.start = keys_start, .next = keys_next, .stop = keys_stop, .show = keys_show,
};

/* ---- /proc/key-users ---- */

static void show_user(struct seq_file *m, struct key_user *user)
{
	const bool root = uid_eq(user->uid, GLOBAL_ROOT_UID);

	seq_printf(m, "%5u: %5d %d/%d %d/%d %d/%d\n", from_kuid_munged(seq_user_ns(m), user->uid),
		   (int)refcount_read(&user->usage), atomic_read(&user->nkeys), atomic_read(&user->nikeys),
		   user->qnkeys, root ? key_root_max_keys : key_max_keys,
		   user->qnbytes, root ? key_root_max_bytes : key_max_bytes);
}

static int key_users_show(struct seq_file *m, void *v)
{
	struct key_user *user;

	spin_lock_bh(&key_user_lock);
	list_for_each_entry(user, &key_users, node) {
		if (kuid_has_mapping(seq_user_ns(m), user->uid))
			show_user(m, user);
	}
	spin_unlock_bh(&key_user_lock);
	return 0;
}

/* ---- limits ---- */

static const int zero, one = 1, max = INT_MAX;

static const struct ctl_table keys_table[] = {
	{ "gc_delay", &key_gc_delay, sizeof(int), 0644, proc_dointvec_minmax, &zero, &max },
	{ "maxbytes", &key_max_bytes, sizeof(int), 0644, proc_dointvec_minmax, &one, &max },
	{ "maxkeys", &key_max_keys, sizeof(int), 0644, proc_dointvec_minmax, &one, &max },
	{ "persistent_keyring_expiry", &key_persistent_expiry, sizeof(int), 0644, proc_dointvec_minmax, &zero, &max },
	{ "root_maxbytes", &key_root_max_bytes, sizeof(int), 0644, proc_dointvec_minmax, &one, &max },
	{ "root_maxkeys", &key_root_max_keys, sizeof(int), 0644, proc_dointvec_minmax, &one, &max },
	{ },
};

static int __init keys_proc_init(void)
{
	if (!proc_create_seq("keys", 0444, NULL, &keys_ops) || !proc_create_single("key-users", 0444, NULL, key_users_show))
		return -ENOMEM;
	return register_sysctl("kernel/keys", keys_table);
}
fs_initcall(keys_proc_init);
