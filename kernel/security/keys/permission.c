/*
 * permission.c: may it?
 *
 * Idea:    a key has four sets of rights.  Of owner, group and others one applies, as for a file; the possessor's come on
 *          top, for who reaches the key through his own keyrings.
 * Locking: owner and rights are single words that may change while they are looked at: an answer is of its moment, as an
 *          open file's is.
 * See:     keyrings(7), "Access rights"
 */
#include "internal.h"

/* need: KEY_* rights, 0: none.  0 or -EACCES.  Any context: what it reads are single words. */
int key_task_permission(struct key_ref ref, const struct cred *cred, u32 need)
{
	const struct key *key = ref.key;
	const u32 perm = READ_ONCE(key->perm);
	u32 rights;

	if (uid_eq(key->uid, cred->fsuid))
		rights = perm >> 16;
	else if (gid_valid(key->gid) && perm & KEY_GRP(KEY_ALL) &&
		 (gid_eq(key->gid, cred->fsgid) || groups_search(cred->group_info, key->gid)))
		rights = perm >> 8;
	else
		rights = perm;
	if (ref.possessed)
		rights |= perm >> 24;
	return (rights & need) == need ? 0 : -EACCES;
}
