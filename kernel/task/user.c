/*
 * user.c: struct user_struct, one for each user id in use, and supplementary groups.
 *
 * Idea:    per-user limits need one place to count; it is found by uid in a hash table, made when the first cred with
 *          that uid is, and freed with the last.
 * Locking: uidhash_lock guards the table; the count reaches 0 only under it, so a look-up never meets a dying entry.
 * Cost:    look-up O(users / 128); a setuid only.
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/init.h>
#include <weft/cred.h>
#include <weft/hash.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/spinlock.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

#define UIDHASH_BITS	7
static struct hlist_head uidhash_table[1 << UIDHASH_BITS];	/* [uidhash_lock] */
static DEFINE_SPINLOCK(uidhash_lock);		/* class: uidhash */

struct user_struct root_user = {
	.__count	= REFCOUNT_INIT(1),
	.processes	= ATOMIC_LONG_INIT(1),
};

static struct hlist_head *uidhash(kuid_t uid)
{
	return &uidhash_table[hash_32(uid, UIDHASH_BITS)];
}

/* + reference.  uidhash_lock held. */
static struct user_struct *uid_hash_find(kuid_t uid)
{
	struct user_struct *up;

	if (uid == 0)
		return get_uid(&root_user);
	hlist_for_each_entry(up, uidhash(uid), uidhash_node)
		if (up->uid == uid)
			return get_uid(up);
	return NULL;
}

struct user_struct *find_user(kuid_t uid)
{
	struct user_struct *up;
	unsigned long flags;

	spin_lock_irqsave(&uidhash_lock, flags);
	up = uid_hash_find(uid);
	spin_unlock_irqrestore(&uidhash_lock, flags);
	return up;
}

struct user_struct *alloc_uid(kuid_t uid)
{
	struct user_struct *up = find_user(uid), *new;

	if (up)
		return up;
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return NULL;
	new->uid = uid;
	refcount_set(&new->__count, 1);

	spin_lock_irq(&uidhash_lock);
	up = uid_hash_find(uid);	/* somebody else may have been faster */
	if (!up)
		hlist_add_head(&new->uidhash_node, uidhash(uid));
	spin_unlock_irq(&uidhash_lock);
	if (!up)
		return new;
	kfree(new);
	return up;
}

void free_uid(struct user_struct *up)
{
	unsigned long flags;

	if (!up || up == &root_user) {
		if (up)
			refcount_dec(&up->__count);
		return;
	}
	if (!refcount_dec_and_lock_irqsave(&up->__count, &uidhash_lock, &flags))
		return;
	hlist_del(&up->uidhash_node);
	spin_unlock_irqrestore(&uidhash_lock, flags);
	kfree(up);
}

/* ---- groups ---- */

struct group_info *groups_alloc(int n)
{
	struct group_info *gi = kvmalloc(struct_size(gi, gid, n), GFP_KERNEL);

	if (gi) {
		refcount_set(&gi->usage, 1);
		gi->ngroups = n;
	}
	return gi;
}

void groups_free(struct group_info *gi)
{
	kvfree(gi);
}

/* Heap sort: in place, no worst case that a program could provoke. */
static void sift_down(kgid_t *a, int root, int n)
{
	for (int child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && a[child] < a[child + 1])
			child++;
		if (a[root] >= a[child])
			return;
		swap(a[root], a[child]);
	}
}

void groups_sort(struct group_info *gi)
{
	int n = gi->ngroups;

	for (int i = n / 2 - 1; i >= 0; i--)
		sift_down(gi->gid, i, n);
	for (int i = n - 1; i > 0; i--) {
		swap(gi->gid[0], gi->gid[i]);
		sift_down(gi->gid, 0, i);
	}
}

bool groups_search(const struct group_info *gi, kgid_t gid)
{
	int lo = 0, hi = gi->ngroups;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (gi->gid[mid] == gid)
			return true;
		if (gi->gid[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool in_group_p(kgid_t gid)
{
	const struct cred *cred = current_cred();

	return gid == cred->fsgid || groups_search(cred->group_info, gid);
}

long sys_getgroups(int gidsetsize, gid_t __user *grouplist)
{
	const struct group_info *gi = current_cred()->group_info;
	int n = gi->ngroups;

	if (gidsetsize < 0)
		return -EINVAL;
	if (!gidsetsize)
		return n;
	if (n > gidsetsize)
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		if (put_user(from_kgid_munged(current_user_ns(), gi->gid[i]), grouplist + i))
			return -EFAULT;
	}
	return n;
}

/* Takes over the caller's reference to gi, which need not be sorted.  0, -EINVAL, -ENOMEM. */
int set_current_groups(struct group_info *gi)
{
	struct cred *new;
	int err = -EINVAL;

	for (int i = 0; i < gi->ngroups; i++)
		if (!gid_valid(gi->gid[i]))
			goto out;
	groups_sort(gi);
	err = -ENOMEM;
	new = prepare_creds();
	if (!new)
		goto out;
	put_group_info(new->group_info);
	new->group_info = gi;
	return commit_creds(new);
out:
	put_group_info(gi);
	return err;
}

bool may_setgroups(void)
{
	const struct user_namespace *ns = current_user_ns();

	return ns_capable(ns, CAP_SETGID) && userns_may_setgroups(ns);
}

long sys_setgroups(int gidsetsize, gid_t __user *grouplist)
{
	struct group_info *gi;

	if (!may_setgroups())
		return -EPERM;
	if ((unsigned int)gidsetsize > NGROUPS_MAX)
		return -EINVAL;
	gi = groups_alloc(gidsetsize);
	if (!gi)
		return -ENOMEM;
	if (copy_from_user(gi->gid, grouplist, gidsetsize * sizeof(gid_t))) {
		put_group_info(gi);
		return -EFAULT;
	}
	for (int i = 0; i < gidsetsize; i++)
		gi->gid[i] = make_kgid(current_user_ns(), gi->gid[i]);	/* what is not mapped is refused below */
	return set_current_groups(gi);
}
