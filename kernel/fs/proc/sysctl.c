/*
 * sysctl.c: /proc/sys: the knobs of the kernel, each declared in a table where it belongs.
 *
 * Idea:    register_sysctl() makes ordinary registered entries whose data is the table row; one set of file operations
 *          turns a read or write of the whole value into a call of the row's handler with a kernel buffer.
 * Locking: a value is one aligned word, read and written whole; handlers that must act on a change take their own locks.
 * See:     proc(5); include/weft/proc_fs.h
 */
#include <weft/kernel.h>
#include <asm/page.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/dcache.h>
#include <weft/mount.h>
#include <weft/personality.h>
#include <weft/uio.h>
#include <weft/init.h>
#include <weft/utsname.h>
#include <weft/pid.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/ctype.h>
#include "internal.h"

/* One word of text as a number.  Advances *s; false when there is none. */
static bool next_number(char **s, long long *value)
{
	char *p = skip_spaces(*s), *end = p;

	if (*p == '-' || *p == '+')
		end++;
	if (!isdigit(*end))
		return false;
	while (isdigit(*end))
		end++;
	if (*end && !isspace(*end))
		return false;
	if (*end)
		*end++ = 0;
	if (kstrtoll(p, 10, value))
		return false;
	*s = end;
	return true;
}

static int store_int(const struct ctl_table *t, int i, long long v)
{
	if (v < INT_MIN || v > INT_MAX)
		return -EINVAL;
	if (t->extra1 && v < *(const int *)t->extra1)
		return -EINVAL;
	if (t->extra2 && v > *(const int *)t->extra2)
		return -EINVAL;
	WRITE_ONCE(((int *)t->data)[i], v);
	return 0;
}

int proc_dointvec_minmax(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	int n = t->maxlen / sizeof(int), used = 0;

	if (!write) {
		for (int i = 0; i < n; i++)
			used += scnprintf(buf + used, *len - used, "%s%d", i ? "\t" : "", READ_ONCE(((int *)t->data)[i]));
		*len = used + scnprintf(buf + used, *len - used, "\n");
		return 0;
	}
	for (int i = 0; i < n; i++) {
		long long v;
		int err;

		if (!next_number(&buf, &v))
			return i ? 0 : -EINVAL;
		err = store_int(t, i, v);
		if (err)
			return err;
	}
	return 0;
}

int proc_dointvec(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	return proc_dointvec_minmax(t, write, buf, len);
}

int proc_doulongvec_minmax(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	unsigned long *data = t->data;
	long long v;

	if (!write) {
		*len = scnprintf(buf, *len, "%lu\n", READ_ONCE(*data));
		return 0;
	}
	if (!next_number(&buf, &v) || v < 0)
		return -EINVAL;
	if (t->extra1 && (unsigned long)v < *(const unsigned long *)t->extra1)
		return -EINVAL;
	if (t->extra2 && (unsigned long)v > *(const unsigned long *)t->extra2)
		return -EINVAL;
	WRITE_ONCE(*data, v);
	return 0;
}

int proc_dostring(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	if (!write) {
		*len = scnprintf(buf, *len, "%s\n", (char *)t->data);
		return 0;
	}
	buf[strcspn(buf, "\n")] = 0;
	strscpy(t->data, buf, t->maxlen);
	return 0;
}

/* A name of the reader's own UTS namespace: the table has that of the first. */
static int uts_string(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	struct ctl_table own = *t;
	int err;

	own.data = (char *)utsname() + ((char *)t->data - (char *)&init_uts_ns.name);
	if (!write) {
		down_read(&uts_sem);
		err = proc_dostring(&own, 0, buf, len);
		up_read(&uts_sem);
		return err;
	}
	down_write(&uts_sem);
	err = proc_dostring(&own, 1, buf, len);
	up_write(&uts_sem);
	return err;
}

static ssize_t sysctl_read(struct kiocb *iocb, struct iov_iter *to)
{
	const struct ctl_table *t = pde_data(file_inode(iocb->ki_filp));
	size_t len = PAGE_SIZE, want;
	ssize_t err;
	char *buf;

	if (!(t->mode & 0444))
		return -EPERM;
	buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = t->handler(t, 0, buf, &len);
	if (!err && (size_t)iocb->ki_pos < len) {
		want = min(len - (size_t)iocb->ki_pos, iov_iter_count(to));
		err = copy_to_iter(buf + iocb->ki_pos, want, to);
		if (!err && want)
			err = -EFAULT;
		else
			iocb->ki_pos += err;
	}
	kfree(buf);
	return err;
}

static ssize_t sysctl_write(struct kiocb *iocb, struct iov_iter *from)
{
	const struct ctl_table *t = pde_data(file_inode(iocb->ki_filp));
	size_t len = iov_iter_count(from);
	ssize_t err;
	char *buf;

	if (!(t->mode & 0222))
		return -EPERM;
	if (len >= PAGE_SIZE)
		return -EINVAL;
	buf = kmalloc(len + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_iter(buf, len, from) == len) {
		buf[len] = 0;
		err = t->handler(t, 1, buf, &len);
		if (!err) {
			err = len;
			iocb->ki_pos += len;
		}
	}
	kfree(buf);
	return err;
}

static const struct proc_ops sysctl_ops = {
	.proc_read_iter = sysctl_read, .proc_write_iter = sysctl_write, .proc_lseek = default_llseek,
};

int __init register_sysctl(const char *path, const struct ctl_table *t)
{
	char name[64];

	for (; t->procname; t++) {
		snprintf(name, sizeof(name), "sys/%s/%s", path, t->procname);
		if (!proc_create_data(name, t->mode, NULL, &sysctl_ops, (void *)t))
			return -ENOMEM;
	}
	return 0;
}

/* ---- knobs without a better home ---- */

static int random_uuid(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	static u8 boot_id[16];
	static bool have_boot_id;
	u8 fresh[16], *u = fresh;

	if (write)
		return -EPERM;
	get_random_bytes(fresh, sizeof(fresh));
	if (!strcmp(t->procname, "boot_id")) {
		if (!have_boot_id)
			memcpy(boot_id, fresh, sizeof(boot_id));
		have_boot_id = true;
		u = boot_id;
	}
	*len = scnprintf(buf, *len, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
			 u[0], u[1], u[2], u[3], u[4], u[5], (u[6] & 0x0f) | 0x40, u[7], (u[8] & 0x3f) | 0x80, u[9],
			 u[10], u[11], u[12], u[13], u[14], u[15]);
	return 0;
}

/* The two limits of real-time tasks make sense only together: what does not is taken back. */
static int sched_rt_limits(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	int old = READ_ONCE(*(int *)t->data), err = proc_dointvec(t, write, buf, len);

	if (!write || err)
		return err;
	err = sched_rt_limits_ok();
	if (err)
		WRITE_ONCE(*(int *)t->data, old);
	return err;
}

/* maxlen numbers: inodes, of them unused (not counted), and zeroes. */
static int inode_counts(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	size_t n = (size_t)scnprintf(buf, *len, "%lu", get_nr_inodes());

	for (int i = 1; i < t->maxlen; i++)
		n += (size_t)scnprintf(buf + n, *len - n, "\t0");
	*len = n + (size_t)scnprintf(buf + n, *len - n, "\n");
	return 0;
}

/* Dentries, unused ones, the age at which they may go, pages wanted, negative ones (not counted), nothing. */
static int dentry_counts(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	*len = scnprintf(buf, *len, "%ld\t%ld\t45\t0\t0\t0\n", get_nr_dentry(), get_nr_dentry_unused());
	return 0;
}

static int cap_last_cap = 40, ngroups_max = 65536, entropy_avail = 256, poolsize = 256;
static const int zero, overflow_max = 65535, one = 1, pid_max_limit = PID_MAX_LIMIT, pid_max_min = 301;

static const struct ctl_table kernel_table[] = {
	{ "ostype", init_uts_ns.name.sysname, __NEW_UTS_LEN, 0444, proc_dostring },
	{ "osrelease", init_uts_ns.name.release, __NEW_UTS_LEN, 0444, proc_dostring },
	{ "version", init_uts_ns.name.version, __NEW_UTS_LEN, 0444, proc_dostring },
	{ "hostname", init_uts_ns.name.nodename, __NEW_UTS_LEN + 1, 0644, uts_string },
	{ "domainname", init_uts_ns.name.domainname, __NEW_UTS_LEN + 1, 0644, uts_string },
	{ "pid_max", &pid_max, sizeof(int), 0644, proc_dointvec_minmax, &pid_max_min, &pid_max_limit },
	{ "threads-max", &max_threads, sizeof(int), 0644, proc_dointvec_minmax, &one },
	{ "sched_rt_period_us", &sysctl_sched_rt_period, sizeof(int), 0644, sched_rt_limits },
	{ "sched_rt_runtime_us", &sysctl_sched_rt_runtime, sizeof(int), 0644, sched_rt_limits },
	{ "cap_last_cap", &cap_last_cap, sizeof(int), 0444, proc_dointvec },
	{ "overflowuid", &overflowuid, sizeof(int), 0644, proc_dointvec_minmax, &zero, &overflow_max },
	{ "overflowgid", &overflowgid, sizeof(int), 0644, proc_dointvec_minmax, &zero, &overflow_max },
	{ "ngroups_max", &ngroups_max, sizeof(int), 0444, proc_dointvec },
	{ "randomize_va_space", &randomize_va_space, sizeof(int), 0644, proc_dointvec },
	{ }
};

static const struct ctl_table fs_table[] = {
	{ "overflowuid", &overflowuid, sizeof(int), 0644, proc_dointvec_minmax, &zero, &overflow_max },
	{ "overflowgid", &overflowgid, sizeof(int), 0644, proc_dointvec_minmax, &zero, &overflow_max },
	{ "mount-max", &sysctl_mount_max, sizeof(int), 0644, proc_dointvec_minmax, &one },
	{ "inode-nr", NULL, 2, 0444, inode_counts },
	{ "inode-state", NULL, 7, 0444, inode_counts },
	{ "dentry-state", NULL, 0, 0444, dentry_counts },
	{ }
};

static const struct ctl_table random_table[] = {
	{ "boot_id", NULL, 0, 0444, random_uuid },
	{ "uuid", NULL, 0, 0444, random_uuid },
	{ "entropy_avail", &entropy_avail, sizeof(int), 0444, proc_dointvec },
	{ "poolsize", &poolsize, sizeof(int), 0444, proc_dointvec },
	{ }
};

void __init proc_sys_init(void)
{
	register_sysctl("kernel", kernel_table);
	register_sysctl("fs", fs_table);
	register_sysctl("kernel/random", random_table);
}
