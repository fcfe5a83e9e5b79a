/*
 * capability.c: what a task may do beyond the plain rights of its user.
 *
 * What:    capable(), capget(2), capset(2), how the sets follow a change of user ids, and how execve computes new sets.
 * Idea:    five sets in each cred: effective (checked), permitted (may be made effective), inheritable and ambient (kept
 *          over execve), bounding (no execve gives more).  Files carry no capabilities of their own here: only set-uid
 *          root gives any, by the rule "root gets the bounding set".
 *          They hold in the cred's user namespace: user_namespace.c has the question whether something belongs to it.
 * See:     capabilities(7)
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/binfmts.h>
#include <weft/cred.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/mount.h>
#include <weft/personality.h>
#include "internal.h"

bool capable(int cap)
{
	return ns_capable(&init_user_ns, cap);
}

bool has_capability(struct task_struct *t, int cap)
{
	return has_ns_capability(t, &init_user_ns, cap);
}

/* ---- when ids change ---- */

/* The root of its namespace; INVALID_UID, which nobody has, when no user is root there. */
static kuid_t root_of(const struct cred *cred)
{
	return make_kuid(cred->user_ns, 0);
}

void cap_fix_setuid(struct cred *new, const struct cred *old)
{
	kuid_t root = root_of(old);
	bool had_root = old->uid == root || old->euid == root || old->suid == root;
	bool has_root = new->uid == root || new->euid == root || new->suid == root;

	if (old->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (had_root && !has_root) {
		if (!(old->securebits & SECBIT_KEEP_CAPS)) {
			cap_clear(new->cap_permitted);
			cap_clear(new->cap_effective);
		}
		cap_clear(new->cap_ambient);
	}
	if (old->euid == root && new->euid != root)
		cap_clear(new->cap_effective);
	if (old->euid != root && new->euid == root)
		new->cap_effective = new->cap_permitted;
}

void cap_fix_setfsuid(struct cred *new, const struct cred *old)
{
	kuid_t root = root_of(old);

	if (old->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (old->fsuid == root && new->fsuid != root)
		new->cap_effective = cap_drop(new->cap_effective, CAP_FS_SET);
	if (old->fsuid != root && new->fsuid == root)
		new->cap_effective = cap_combine(new->cap_effective, cap_intersect(new->cap_permitted, CAP_FS_SET));
}

/* ---- execve ---- */

/* The set-id bits of the file, unless something forbids to honour them. */
static void fill_set_ids(struct linux_binprm *bprm)
{
	struct inode *inode = file_inode(bprm->file);
	umode_t mode = READ_ONCE(inode->i_mode);
	kuid_t uid;
	kgid_t gid;

	if (!mnt_may_suid(bprm->file->f_path.mnt) || current->no_new_privs || !(mode & (S_ISUID | S_ISGID)))
		return;
	/* Mode and owner must belong together: chown clears the bits under this lock. */
	inode_lock(inode);
	mode = inode->i_mode;
	uid = inode->i_uid;
	gid = inode->i_gid;
	inode_unlock(inode);
	/* Ids that mean nothing here give nothing. */
	if (!kuid_has_mapping(bprm->cred->user_ns, uid) || !kgid_has_mapping(bprm->cred->user_ns, gid))
		return;

	if (mode & S_ISUID) {
		bprm->per_clear |= PER_CLEAR_ON_SETID;
		bprm->cred->euid = uid;
	}
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		bprm->per_clear |= PER_CLEAR_ON_SETID;
		bprm->cred->egid = gid;
	}
}

int cap_bprm_creds_from_file(struct linux_binprm *bprm)
{
	const struct cred *old = current_cred();
	struct cred *new = bprm->cred;
	kuid_t root = root_of(new);
	bool effective = false, is_setid, gained;

	fill_set_ids(bprm);
	cap_clear(new->cap_permitted);
	if (!(new->securebits & SECBIT_NOROOT) && (new->euid == root || new->uid == root)) {
		new->cap_permitted = cap_combine(old->cap_bset, old->cap_inheritable);
		effective = new->euid == root;
	}

	is_setid = new->euid != old->uid || new->egid != old->gid;
	gained = !cap_issubset(new->cap_permitted, old->cap_permitted);
	if ((is_setid || gained) && ((bprm->unsafe & ~LSM_UNSAFE_PTRACE) || !ptracer_capable(current, new->user_ns))) {
		/* Somebody could steer the program that is about to gain rights: then it gains none. */
		if (!ns_capable(new->user_ns, CAP_SETUID) || (bprm->unsafe & LSM_UNSAFE_NO_NEW_PRIVS)) {
			new->euid = new->uid;
			new->egid = new->gid;
		}
		new->cap_permitted = cap_intersect(new->cap_permitted, old->cap_permitted);
	}
	new->suid = new->fsuid = new->euid;
	new->sgid = new->fsgid = new->egid;

	if (is_setid)
		cap_clear(new->cap_ambient);
	new->cap_permitted = cap_combine(new->cap_permitted, new->cap_ambient);
	new->cap_effective = effective ? new->cap_permitted : new->cap_ambient;
	new->securebits &= ~SECBIT_KEEP_CAPS;

	bprm->secureexec = new->euid != old->uid || new->egid != old->gid || (new->uid != root && (effective || gained));
	return 0;
}

/* ---- capget, capset ---- */

/* How many 32-bit words the caller's structures have; a wrong version is told the right one. */
static int cap_words(cap_user_header_t header, unsigned int *words)
{
	u32 version;

	if (get_user(version, &header->version))
		return -EFAULT;
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = 2;
		return 0;
	}
	if (put_user((u32)_LINUX_CAPABILITY_VERSION_3, &header->version))
		return -EFAULT;
	return -EINVAL;
}

static int get_caps_of(pid_t pid, kernel_cap_t *e, kernel_cap_t *p, kernel_cap_t *i)
{
	struct task_struct *task = current;
	const struct cred *cred;
	int err = -ESRCH;

	rcu_read_lock();
	if (pid)
		task = find_task_by_vpid(pid);
	if (task) {
		cred = __task_cred(task);
		*e = cred->cap_effective;
		*p = cred->cap_permitted;
		*i = cred->cap_inheritable;
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

long sys_capget(cap_user_header_t header, cap_user_data_t dataptr)
{
	struct __user_cap_data_struct data[2];
	kernel_cap_t e, p, i;
	unsigned int words;
	pid_t pid;
	int err;

	err = cap_words(header, &words);
	if (err)
		return err == -EINVAL && !dataptr ? 0 : err;
	if (get_user(pid, &header->pid))
		return -EFAULT;
	if (pid < 0)
		return -EINVAL;
	err = get_caps_of(pid, &e, &p, &i);
	if (err || !dataptr)
		return err;
	for (unsigned int w = 0; w < 2; w++) {
		data[w].effective = (u32)(e.val >> (32 * w));
		data[w].permitted = (u32)(p.val >> (32 * w));
		data[w].inheritable = (u32)(i.val >> (32 * w));
	}
	return copy_to_user(dataptr, data, words * sizeof(data[0])) ? -EFAULT : 0;
}

static int check_capset(const struct cred *old, kernel_cap_t e, kernel_cap_t p, kernel_cap_t i)
{
	if (!ns_capable(old->user_ns, CAP_SETPCAP) && !cap_issubset(i, cap_combine(old->cap_inheritable, old->cap_permitted)))
		return -EPERM;
	if (!cap_issubset(i, cap_combine(old->cap_inheritable, old->cap_bset)))
		return -EPERM;
	if (!cap_issubset(p, old->cap_permitted) || !cap_issubset(e, p))
		return -EPERM;
	return 0;
}

long sys_capset(cap_user_header_t header, const cap_user_data_t dataptr)
{
	struct __user_cap_data_struct data[2] = { };
	kernel_cap_t e, p, i;
	unsigned int words;
	struct cred *new;
	pid_t pid;
	int err;

	err = cap_words(header, &words);
	if (err)
		return err;
	if (get_user(pid, &header->pid))
		return -EFAULT;
	if (pid && pid != task_pid_vnr(current))
		return -EPERM;
	if (copy_from_user(data, dataptr, words * sizeof(data[0])))
		return -EFAULT;
	e.val = (data[0].effective | (u64)data[1].effective << 32) & CAP_VALID_MASK;
	p.val = (data[0].permitted | (u64)data[1].permitted << 32) & CAP_VALID_MASK;
	i.val = (data[0].inheritable | (u64)data[1].inheritable << 32) & CAP_VALID_MASK;
	err = check_capset(current_cred(), e, p, i);
	if (err)
		return err;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	new->cap_effective = e;
	new->cap_permitted = p;
	new->cap_inheritable = i;
	new->cap_ambient = cap_intersect(new->cap_ambient, cap_intersect(p, i));
	return commit_creds(new);
}
