/*
 * uid.c: the system calls that read and change user and group ids.
 *
 * Idea:    each call says which ids may become what without privilege, edits a copy, lets the capabilities follow
 *          (cap_fix_setuid), and commits.  A user id that changes also changes whose processes are counted.
 * See:     setuid(2), setreuid(2), setresuid(2), setfsuid(2); credentials(7)
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/cred.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/user_namespace.h>
#include "internal.h"

long sys_getuid(void) { return from_kuid_munged(current_user_ns(), current_uid()); }
long sys_geteuid(void) { return from_kuid_munged(current_user_ns(), current_euid()); }
long sys_getgid(void) { return from_kgid_munged(current_user_ns(), current_gid()); }
long sys_getegid(void) { return from_kgid_munged(current_user_ns(), current_egid()); }

/* The caller's number for a user becomes the kernel's.  -1 stays -1, "no change".  False: nothing is mapped there. */
static bool kuid_of(uid_t *uid)
{
	const uid_t asked = *uid;

	*uid = asked == (uid_t)-1 ? asked : make_kuid(current_user_ns(), asked);
	return uid_valid(*uid) || asked == (uid_t)-1;
}

static bool kgid_of(gid_t *gid)
{
	const gid_t asked = *gid;

	*gid = asked == (gid_t)-1 ? asked : make_kgid(current_user_ns(), asked);
	return gid_valid(*gid) || asked == (gid_t)-1;
}

/* The real uid changed: so does the user whose limits count. */
static int set_user(struct cred *new)
{
	struct user_struct *user = alloc_uid(new->uid);

	if (!user)
		return -EAGAIN;
	/* Programs forget to check setuid's result; so the limit strikes at the execve that usually follows. */
	if ((unsigned long)atomic_long_read(&user->processes) >= rlimit(RLIMIT_NPROC) && user != &root_user)
		current->flags |= PF_NPROC_EXCEEDED;
	else
		current->flags &= ~PF_NPROC_EXCEEDED;
	free_uid(new->user);
	new->user = user;
	return 0;
}

static long commit_uids(struct cred *new, const struct cred *old)
{
	int err = new->uid != old->uid ? set_user(new) : 0;

	if (err) {
		abort_creds(new);
		return err;
	}
	cap_fix_setuid(new, old);
	return commit_creds(new);
}

static long refuse(struct cred *new, int err)
{
	abort_creds(new);
	return err;
}

long sys_setuid(uid_t uid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!kuid_of(&uid) || !uid_valid(uid))
		return -EINVAL;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (ns_capable(old->user_ns, CAP_SETUID))
		new->suid = new->uid = uid;
	else if (uid != old->uid && uid != old->suid)
		return refuse(new, -EPERM);
	new->fsuid = new->euid = uid;
	return commit_uids(new, old);
}

long sys_setreuid(uid_t ruid, uid_t euid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!kuid_of(&ruid) || !kuid_of(&euid))
		return -EINVAL;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (uid_valid(ruid)) {
		new->uid = ruid;
		if (ruid != old->uid && ruid != old->euid && !ns_capable(old->user_ns, CAP_SETUID))
			return refuse(new, -EPERM);
	}
	if (uid_valid(euid)) {
		new->euid = euid;
		if (euid != old->uid && euid != old->euid && euid != old->suid && !ns_capable(old->user_ns, CAP_SETUID))
			return refuse(new, -EPERM);
	}
	if (uid_valid(ruid) || (uid_valid(euid) && euid != old->uid))
		new->suid = new->euid;
	new->fsuid = new->euid;
	return commit_uids(new, old);
}

static bool among_uids(const struct cred *c, kuid_t uid)
{
	return !uid_valid(uid) || uid == c->uid || uid == c->euid || uid == c->suid;
}

long sys_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!kuid_of(&ruid) || !kuid_of(&euid) || !kuid_of(&suid))
		return -EINVAL;
	if ((!among_uids(old, ruid) || !among_uids(old, euid) || !among_uids(old, suid)) &&
	    !ns_capable(old->user_ns, CAP_SETUID))
		return -EPERM;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (uid_valid(ruid))
		new->uid = ruid;
	if (uid_valid(euid))
		new->euid = euid;
	if (uid_valid(suid))
		new->suid = suid;
	new->fsuid = new->euid;
	return commit_uids(new, old);
}

long sys_getresuid(uid_t __user *ruid, uid_t __user *euid, uid_t __user *suid)
{
	const struct cred *cred = current_cred();
	const struct user_namespace *ns = cred->user_ns;

	if (put_user(from_kuid_munged(ns, cred->uid), ruid) || put_user(from_kuid_munged(ns, cred->euid), euid) ||
	    put_user(from_kuid_munged(ns, cred->suid), suid))
		return -EFAULT;
	return 0;
}

long sys_setgid(gid_t gid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!kgid_of(&gid) || !gid_valid(gid))
		return -EINVAL;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (ns_capable(old->user_ns, CAP_SETGID))
		new->gid = new->sgid = gid;
	else if (gid != old->gid && gid != old->sgid)
		return refuse(new, -EPERM);
	new->egid = new->fsgid = gid;
	return commit_creds(new);
}

long sys_setregid(gid_t rgid, gid_t egid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!kgid_of(&rgid) || !kgid_of(&egid))
		return -EINVAL;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (gid_valid(rgid)) {
		new->gid = rgid;
		if (rgid != old->gid && rgid != old->egid && !ns_capable(old->user_ns, CAP_SETGID))
			return refuse(new, -EPERM);
	}
	if (gid_valid(egid)) {
		new->egid = egid;
		if (egid != old->gid && egid != old->egid && egid != old->sgid && !ns_capable(old->user_ns, CAP_SETGID))
			return refuse(new, -EPERM);
	}
	if (gid_valid(rgid) || (gid_valid(egid) && egid != old->gid))
		new->sgid = new->egid;
	new->fsgid = new->egid;
	return commit_creds(new);
}

static bool among_gids(const struct cred *c, kgid_t gid)
{
	return !gid_valid(gid) || gid == c->gid || gid == c->egid || gid == c->sgid;
}

long sys_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!kgid_of(&rgid) || !kgid_of(&egid) || !kgid_of(&sgid))
		return -EINVAL;
	if ((!among_gids(old, rgid) || !among_gids(old, egid) || !among_gids(old, sgid)) &&
	    !ns_capable(old->user_ns, CAP_SETGID))
		return -EPERM;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (gid_valid(rgid))
		new->gid = rgid;
	if (gid_valid(egid))
		new->egid = egid;
	if (gid_valid(sgid))
		new->sgid = sgid;
	new->fsgid = new->egid;
	return commit_creds(new);
}

long sys_getresgid(gid_t __user *rgid, gid_t __user *egid, gid_t __user *sgid)
{
	const struct cred *cred = current_cred();
	const struct user_namespace *ns = cred->user_ns;

	if (put_user(from_kgid_munged(ns, cred->gid), rgid) || put_user(from_kgid_munged(ns, cred->egid), egid) ||
	    put_user(from_kgid_munged(ns, cred->sgid), sgid))
		return -EFAULT;
	return 0;
}

/* These two report no error, only the old value: setfsuid(2). */
long sys_setfsuid(uid_t uid)
{
	const struct cred *old = current_cred();
	long shown = from_kuid_munged(old->user_ns, old->fsuid);
	struct cred *new;

	if (!kuid_of(&uid) || !uid_valid(uid) || uid == old->fsuid)
		return shown;
	if (!among_uids(old, uid) && !ns_capable(old->user_ns, CAP_SETUID))
		return shown;
	new = prepare_creds();
	if (new) {
		new->fsuid = uid;
		cap_fix_setfsuid(new, old);
		commit_creds(new);
	}
	return shown;
}

long sys_setfsgid(gid_t gid)
{
	const struct cred *old = current_cred();
	long shown = from_kgid_munged(old->user_ns, old->fsgid);
	struct cred *new;

	if (!kgid_of(&gid) || !gid_valid(gid) || gid == old->fsgid)
		return shown;
	if (!among_gids(old, gid) && !ns_capable(old->user_ns, CAP_SETGID))
		return shown;
	new = prepare_creds();
	if (new) {
		new->fsgid = gid;
		commit_creds(new);
	}
	return shown;
}
