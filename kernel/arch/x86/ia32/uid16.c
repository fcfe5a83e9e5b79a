/*
 * uid16.c: the calls from the time when users and groups had 16-bit numbers.
 *
 * Idea:    0xffff means "leave as it is" and becomes -1; a number that does not fit is told as 65534, the overflow user.
 *          C libraries of today use the calls with 32 bits; these are for old static programs.
 * Locking: none: a task's credentials are changed by the task alone (cred.h).
 * See:     setuid(2) and its like, "C library/kernel differences"; syscall_32.tbl
 */
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/errno.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

long compat_sys_chown16(const char __user *filename, u16 user, u16 group)
{
	return sys_chown(filename, low2highuid(user), low2highuid(group));
}

long compat_sys_lchown16(const char __user *filename, u16 user, u16 group)
{
	return sys_lchown(filename, low2highuid(user), low2highuid(group));
}

long compat_sys_fchown16(unsigned int fd, u16 user, u16 group)
{
	return sys_fchown(fd, low2highuid(user), low2highuid(group));
}

long compat_sys_getuid16(void)	{ return high2lowuid(sys_getuid()); }
long compat_sys_getgid16(void)	{ return high2lowuid(sys_getgid()); }
long compat_sys_geteuid16(void)	{ return high2lowuid(sys_geteuid()); }
long compat_sys_getegid16(void)	{ return high2lowuid(sys_getegid()); }

long compat_sys_setuid16(u16 uid)		{ return sys_setuid(low2highuid(uid)); }
long compat_sys_setgid16(u16 gid)		{ return sys_setgid(low2highuid(gid)); }
long compat_sys_setfsuid16(u16 uid)		{ return sys_setfsuid(low2highuid(uid)); }
long compat_sys_setfsgid16(u16 gid)		{ return sys_setfsgid(low2highuid(gid)); }
long compat_sys_setreuid16(u16 ruid, u16 euid)	{ return sys_setreuid(low2highuid(ruid), low2highuid(euid)); }
long compat_sys_setregid16(u16 rgid, u16 egid)	{ return sys_setregid(low2highuid(rgid), low2highuid(egid)); }

long compat_sys_setresuid16(u16 ruid, u16 euid, u16 suid)
{
	return sys_setresuid(low2highuid(ruid), low2highuid(euid), low2highuid(suid));
}

long compat_sys_setresgid16(u16 rgid, u16 egid, u16 sgid)
{
	return sys_setresgid(low2highuid(rgid), low2highuid(egid), low2highuid(sgid));
}

static long put_three(u16 __user *a, u16 __user *b, u16 __user *c, u32 r, u32 e, u32 s)
{
	return put_user(high2lowuid(r), a) || put_user(high2lowuid(e), b) || put_user(high2lowuid(s), c) ? -EFAULT : 0;
}

long compat_sys_getresuid16(u16 __user *ruid, u16 __user *euid, u16 __user *suid)
{
	const struct cred *cred = current_cred();

	return put_three(ruid, euid, suid, from_kuid_munged(cred->user_ns, cred->uid),
			 from_kuid_munged(cred->user_ns, cred->euid), from_kuid_munged(cred->user_ns, cred->suid));
}

long compat_sys_getresgid16(u16 __user *rgid, u16 __user *egid, u16 __user *sgid)
{
	const struct cred *cred = current_cred();

	return put_three(rgid, egid, sgid, from_kgid_munged(cred->user_ns, cred->gid),
			 from_kgid_munged(cred->user_ns, cred->egid), from_kgid_munged(cred->user_ns, cred->sgid));
}

long compat_sys_getgroups16(int size, u16 __user *list)
{
	const struct group_info *groups = current_cred()->group_info;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return groups->ngroups;
	if (groups->ngroups > size)
		return -EINVAL;
	for (int i = 0; i < groups->ngroups; i++)
		if (put_user(high2lowuid(from_kgid_munged(current_user_ns(), groups->gid[i])), list + i))
			return -EFAULT;
	return groups->ngroups;
}

long compat_sys_setgroups16(int size, const u16 __user *list)
{
	struct group_info *groups;
	u16 gid;

	if (!may_setgroups())
		return -EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return -EINVAL;
	groups = groups_alloc(size);
	if (!groups)
		return -ENOMEM;
	for (int i = 0; i < size; i++) {
		if (get_user(gid, list + i)) {
			put_group_info(groups);
			return -EFAULT;
		}
		groups->gid[i] = make_kgid(current_user_ns(), gid);
	}
	return set_current_groups(groups);
}
