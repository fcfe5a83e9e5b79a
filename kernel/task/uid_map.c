/*
 * uid_map.c: a user namespace's maps: from ids inside to ids of the first namespace and back.
 *
 * Idea:    a map is a short list of extents.  Written, its right side are ids of the writer's view (the parent namespace):
 *          they are translated at once to numbers of the first namespace, so that a look-up takes one step however deep
 *          the namespaces stand.  Read, they are shown as the reader's namespace sees them.
 * Rules:   a map is written once.  With CAP_SETUID (CAP_SETGID) over the parent any ids of the parent can be mapped; without,
 *          only the writer's own, on one line, and of groups only after "deny" was written to setgroups: else giving up a
 *          group would be a way into files whose mode refuses that group.
 * Locking: userns_state_mutex over writing; readers see nr_extents last (release, acquire).
 * See:     user_namespaces(7); kernel/fs/proc/uid_map.c has the files
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/ctype.h>
#include <weft/mutex.h>
#include <weft/slab.h>
#include <weft/sort.h>
#include <weft/string.h>
#include <weft/user_namespace.h>

#define NO_ID	((u32)-1)

int overflowuid = 65534, overflowgid = 65534;
static DEFINE_MUTEX(userns_state_mutex);	/* class: userns_state */

/* ---- look-up ---- */

static const struct uid_gid_extent *extents_of(const struct uid_gid_map *map, u32 *n)
{
	*n = smp_load_acquire(&map->nr_extents);
	return *n > 1 ? map->many : &map->one;
}

/* count ids from `id` on, all in one extent: the number of the first in the first namespace.  NO_ID: not mapped. */
static u32 map_id_range_down(const struct uid_gid_map *map, u32 id, u32 count)
{
	u32 n;
	const struct uid_gid_extent *e = extents_of(map, &n);

	for (; n; n--, e++) {
		if (id >= e->first && (u64)id + count <= (u64)e->first + e->count)
			return e->lower_first + (id - e->first);
	}
	return NO_ID;
}

static u32 map_id_up(const struct uid_gid_map *map, u32 kid)
{
	u32 n;
	const struct uid_gid_extent *e = extents_of(map, &n);

	for (; n; n--, e++) {
		if (kid >= e->lower_first && kid - e->lower_first < e->count)
			return e->first + (kid - e->lower_first);
	}
	return NO_ID;
}

/* The first namespace's maps are the identity: no need to look. */
kuid_t make_kuid(const struct user_namespace *ns, uid_t uid)
{
	return likely(ns == &init_user_ns) ? uid : map_id_range_down(&ns->uid_map, uid, 1);
}

kgid_t make_kgid(const struct user_namespace *ns, gid_t gid)
{
	return likely(ns == &init_user_ns) ? gid : map_id_range_down(&ns->gid_map, gid, 1);
}

uid_t from_kuid(const struct user_namespace *ns, kuid_t uid)
{
	return likely(ns == &init_user_ns) ? uid : map_id_up(&ns->uid_map, uid);
}

gid_t from_kgid(const struct user_namespace *ns, kgid_t gid)
{
	return likely(ns == &init_user_ns) ? gid : map_id_up(&ns->gid_map, gid);
}

uid_t from_kuid_munged(const struct user_namespace *ns, kuid_t uid)
{
	uid_t res = from_kuid(ns, uid);

	return res == (uid_t)-1 ? (uid_t)READ_ONCE(overflowuid) : res;
}

gid_t from_kgid_munged(const struct user_namespace *ns, kgid_t gid)
{
	gid_t res = from_kgid(ns, gid);

	return res == (gid_t)-1 ? (gid_t)READ_ONCE(overflowgid) : res;
}

bool userns_may_setgroups(const struct user_namespace *ns)
{
	bool may;

	mutex_lock(&userns_state_mutex);
	/* Without a map of groups nobody inside has any that could be set. */
	may = READ_ONCE(ns->gid_map.nr_extents) != 0 && ns->setgroups_allowed;
	mutex_unlock(&userns_state_mutex);
	return may;
}

static struct uid_gid_map *map_of(struct user_namespace *ns, enum map_kind kind)
{
	return kind == UID_MAP ? &ns->uid_map : kind == GID_MAP ? &ns->gid_map : &ns->projid_map;
}

/* The index-th line of a map as `reader` sees it: the lower ids are those of its namespace.  False: there is none. */
bool userns_map_line(struct user_namespace *ns, struct user_namespace *reader, enum map_kind kind, u32 index,
		     struct uid_gid_extent *line)
{
	u32 n;
	const struct uid_gid_extent *e = extents_of(map_of(ns, kind), &n);

	if (index >= n)
		return false;
	/* One's own map is shown with the parent's numbers. */
	if (reader == ns && ns->parent)
		reader = ns->parent;
	*line = e[index];
	line->lower_first = map_id_up(map_of(reader, kind), line->lower_first);
	return true;
}

/* ---- writing ---- */

/* A decimal number at *p, which moves on.  False: none, or too large. */
static bool read_number(char **p, u32 *res)
{
	u64 n = 0;

	while (**p == ' ' || **p == '\t')
		++*p;
	if (!isdigit(**p))
		return false;
	for (; isdigit(**p); ++*p) {
		n = n * 10 + (u64)(**p - '0');
		if (n > NO_ID)
			return false;
	}
	*res = (u32)n;
	return true;
}

static bool read_extent(char **p, struct uid_gid_extent *e)
{
	if (!read_number(p, &e->first) || !isspace(**p) || !read_number(p, &e->lower_first) || !isspace(**p) ||
	    !read_number(p, &e->count))
		return false;
	while (**p == ' ' || **p == '\t')
		++*p;
	if (**p == '\n')
		++*p;
	else if (**p)
		return false;
	/* -1 is no id, nothing is not much, and no range goes around the end. */
	return e->count && (u64)e->first + e->count <= NO_ID && (u64)e->lower_first + e->count <= NO_ID;
}

static bool overlap(u32 a, u32 a_count, u32 b, u32 b_count)
{
	return a < (u64)b + b_count && b < (u64)a + a_count;
}

static bool overlaps_one(const struct uid_gid_extent *all, u32 n, const struct uid_gid_extent *e)
{
	for (u32 i = 0; i < n; i++) {
		if (overlap(all[i].first, all[i].count, e->first, e->count) ||
		    overlap(all[i].lower_first, all[i].count, e->lower_first, e->count))
			return true;
	}
	return false;
}

/* The lines of text.  Their number, or -EINVAL. */
static int parse_map(char *text, struct uid_gid_extent *all)
{
	u32 n = 0;

	while (*text) {
		if (n == UID_GID_MAX_EXTENTS || !read_extent(&text, &all[n]) || overlaps_one(all, n, &all[n]))
			return -EINVAL;
		n++;
	}
	return n ? (int)n : -EINVAL;
}

/* Without privilege: only oneself, and a group only when setgroups has been given up. */
static bool maps_only_oneself(const struct cred *opener, const struct user_namespace *ns, enum map_kind kind,
			      const struct uid_gid_extent *e, u32 n)
{
	if (n != 1 || e->count != 1 || !uid_eq(ns->owner, opener->euid))
		return false;
	if (kind == UID_MAP)
		return uid_eq(make_kuid(ns->parent, e->lower_first), opener->euid);
	return kind == GID_MAP && !ns->setgroups_allowed && gid_eq(make_kgid(ns->parent, e->lower_first), opener->egid);
}

/* Who makes files with capabilities inside must have been able to outside, if root is the same user in both. */
static bool maps_root_rightly(const struct cred *opener, const struct user_namespace *ns, const struct uid_gid_extent *e, u32 n)
{
	bool has_root = false;

	for (u32 i = 0; i < n; i++)
		has_root |= e[i].lower_first == 0;
	if (!has_root)
		return true;
	if (current_user_ns() == ns)
		return ns->parent_could_setfcap;
	return cap_over(opener, ns->parent, CAP_SETFCAP);
}

/* Both who opened the file and who writes must have the right. */
static bool new_idmap_permitted(const struct cred *opener, const struct user_namespace *ns, enum map_kind kind,
				const struct uid_gid_extent *e, u32 n)
{
	int cap = kind == UID_MAP ? CAP_SETUID : CAP_SETGID;

	if (kind == UID_MAP && !maps_root_rightly(opener, ns, e, n))
		return false;
	if (maps_only_oneself(opener, ns, kind, e, n))
		return true;
	if (kind == PROJID_MAP)
		return true;		/* nothing is decided by project ids */
	return ns_capable(ns->parent, cap) && cap_over(opener, ns->parent, cap);
}

static int by_first(const void *a, const void *b)
{
	const struct uid_gid_extent *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* The right sides become numbers of the first namespace; then the map is in force.  userns_state_mutex held. */
static int install_map(struct user_namespace *ns, enum map_kind kind, struct uid_gid_extent *all, u32 n)
{
	struct uid_gid_map *map = map_of(ns, kind);
	const struct uid_gid_map *parent = map_of(ns->parent, kind);

	for (u32 i = 0; i < n; i++) {
		all[i].lower_first = map_id_range_down(parent, all[i].lower_first, all[i].count);
		if (all[i].lower_first == NO_ID)
			return -EPERM;
	}
	if (n > 1) {
		sort(all, n, sizeof(*all), by_first, NULL);
		map->many = kmemdup(all, n * sizeof(*all), GFP_KERNEL);
		if (!map->many)
			return -ENOMEM;
	} else {
		map->one = all[0];
	}
	smp_store_release(&map->nr_extents, n);
	return 0;
}

static int set_map(const struct cred *opener, struct user_namespace *ns, enum map_kind kind, char *text)
{
	struct uid_gid_extent *all;
	int n, err = -EPERM;

	if (!ns->parent || map_of(ns, kind)->nr_extents || !cap_over(opener, ns, CAP_SYS_ADMIN))
		return -EPERM;
	all = kmalloc_array(UID_GID_MAX_EXTENTS, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	n = parse_map(text, all);
	if (n < 0)
		err = n;
	else if (new_idmap_permitted(opener, ns, kind, all, (u32)n))
		err = install_map(ns, kind, all, (u32)n);
	kfree(all);
	return err;
}

int userns_set_map(const struct cred *opener, struct user_namespace *ns, enum map_kind kind, char *text)
{
	int err;

	mutex_lock(&userns_state_mutex);
	err = set_map(opener, ns, kind, text);
	mutex_unlock(&userns_state_mutex);
	return err;
}

/* "deny" can be written until the map of groups is; "allow" changes nothing. */
static int set_setgroups(struct user_namespace *ns, bool allow)
{
	if (allow)
		return ns->setgroups_allowed ? 0 : -EPERM;
	if (ns->gid_map.nr_extents)
		return -EPERM;
	ns->setgroups_allowed = false;
	return 0;
}

int userns_set_setgroups(struct user_namespace *ns, bool allow)
{
	int err;

	mutex_lock(&userns_state_mutex);
	err = set_setgroups(ns, allow);
	mutex_unlock(&userns_state_mutex);
	return err;
}
