/*
 * acct.c: acct(2): a record of 64 bytes for each process that ends, in a file that lastcomm(1) and sa(8) read.
 *
 * Idea:    the last thread of a process writes the record on its way through do_exit(), while it still has its memory and
 *          its terminal to tell of.  Where nothing is recorded that is one test.
 * Space:   /proc/sys/kernel/acct: when less than the second number of percent of the file's disk is free, recording is
 *          suspended until there is more than the first; looked at every third number of seconds.
 * Not:     a file of its own for each pid namespace: there is one, and it has the numbers of the first namespace.
 * Locking: acct_mutex over the file and the state; a record is written under it, so that records do not mix.
 * See:     acct(2), acct(5)
 */
#include <weft/acct.h>
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/mutex.h>
#include <weft/namei.h>
#include <weft/pid.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/statfs.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/tty.h>
#include <uapi/acct.h>

#define CLOCK_TICKS	100ULL		/* of the times in a record, a second */

struct file *acct_file;				/* [acct_mutex, read racily] NULL: nothing is recorded */
static DEFINE_MUTEX(acct_mutex);
static int acct_parm[3] = { 4, 2, 30 };		/* percent to resume, percent to suspend, seconds between looks */
static bool suspended;				/* [acct_mutex] */
static u64 next_look;				/* [acct_mutex] ns */

/* ---- numbers ---- */

/* comp_t: 13 bits and an exponent of base 8, rounded. */
static u16 compress(u64 value)
{
	unsigned int exponent = 0;
	bool up = false;

	while (value > 0x1fff) {
		up = value & 4;
		value >>= 3;
		exponent++;
	}
	if (up && ++value > 0x1fff) {
		value >>= 3;
		exponent++;
	}
	return exponent > 7 ? 0xffff : (u16)(exponent << 13 | value);
}

/* The bits of the number as a float of 32 bits: the kernel itself does not calculate with such. */
static u32 float_bits(u64 value)
{
	unsigned int top;

	if (!value)
		return 0;
	top = 63 - (unsigned int)__builtin_clzll(value);
	value <<= 63 - top;			/* the leading one, which is not kept, is bit 63 now */
	return (127 + top) << 23 | ((u32)(value >> 40) & 0x7fffff);
}

static u64 to_ticks(u64 ns)
{
	return ns / (NSEC_PER_SEC / CLOCK_TICKS);
}

/* ---- a record ---- */

static u8 flags_of(const struct task_struct *tsk)
{
	return (tsk->flags & PF_FORKNOEXEC ? AFORK : 0) | (tsk->flags & PF_SUPERPRIV ? ASU : 0) |
	       (tsk->flags & PF_DUMPCORE ? ACORE : 0) | (tsk->flags & PF_SIGNALED ? AXSIG : 0);
}

static u16 terminal_of(struct signal_struct *sig)
{
	struct tty_struct *tty;
	dev_t dev = 0;

	spin_lock_irq(&current->sighand->siglock);
	tty = sig->tty;
	if (tty)
		dev = tty_devnum(tty);
	spin_unlock_irq(&current->sighand->siglock);
	return old_encode_dev(dev);
}

static u64 memory_kib(const struct mm_struct *mm)
{
	return mm ? (u64)mm->total_vm << (PAGE_SHIFT - 10) : 0;
}

/* exitcode: as wait(2) gives it. */
static void fill(struct acct_v3 *r, struct task_struct *tsk, long exitcode)
{
	struct signal_struct *sig = tsk->signal;
	u64 elapsed = ktime_get_ns() - tsk->group_leader->start_time, ut, st;

	thread_group_cputime_adjusted(tsk, &ut, &st);
	*r = (struct acct_v3){
		.ac_flag = flags_of(tsk), .ac_version = ACCT_VERSION, .ac_tty = terminal_of(sig),
		.ac_exitcode = sig->flags & SIGNAL_GROUP_EXIT ? (u32)sig->group_exit_code : (u32)exitcode,
		.ac_uid = from_kuid(&init_user_ns, current_uid()), .ac_gid = from_kgid(&init_user_ns, current_gid()),
		.ac_pid = (u32)tsk->tgid, .ac_btime = (u32)(ktime_get_real_seconds() - (time64_t)(elapsed / NSEC_PER_SEC)),
		.ac_etime = float_bits(to_ticks(elapsed)), .ac_utime = compress(to_ticks(ut)),
		.ac_stime = compress(to_ticks(st)), .ac_mem = compress(memory_kib(tsk->mm)),
		.ac_minflt = compress(sig->min_flt + tsk->min_flt), .ac_majflt = compress(sig->maj_flt + tsk->maj_flt),
	};
	rcu_read_lock();
	r->ac_ppid = (u32)task_tgid_nr(rcu_dereference(tsk->real_parent));
	rcu_read_unlock();
	strscpy_pad(r->ac_comm, tsk->comm, sizeof(r->ac_comm));
}

/* [acct_mutex] Is there room to go on? */
static bool room_left(void)
{
	struct kstatfs st;
	u64 now = ktime_get_ns();

	if (now < next_look)
		return !suspended;
	next_look = now + (u64)max(acct_parm[2], 1) * NSEC_PER_SEC;
	if (vfs_statfs(&acct_file->f_path, &st) || !st.f_blocks)
		return !suspended;
	if (suspended)
		suspended = st.f_bavail < st.f_blocks * (u64)acct_parm[0] / 100;
	else
		suspended = st.f_bavail <= st.f_blocks * (u64)acct_parm[1] / 100;
	return !suspended;
}

/* A limit on the size of files is the program's, not the record's. */
static void write_record(const struct acct_v3 *r)
{
	unsigned long limit = rlimit(RLIMIT_FSIZE);
	loff_t pos = 0;				/* O_APPEND: to the end */

	current->signal->rlim[RLIMIT_FSIZE].rlim_cur = RLIM_INFINITY;
	kernel_write(acct_file, r, sizeof(*r), &pos);
	current->signal->rlim[RLIMIT_FSIZE].rlim_cur = limit;
}

void __acct_process(struct task_struct *tsk, long exitcode)
{
	struct acct_v3 record;

	fill(&record, tsk, exitcode);
	mutex_lock(&acct_mutex);
	if (acct_file && room_left())
		write_record(&record);
	mutex_unlock(&acct_mutex);
}

/* ---- acct(2) ---- */

static struct file *open_record(const char __user *name)
{
	struct filename *path = getname(name);
	struct file *file;
	int err = 0;

	if (IS_ERR(path))
		return ERR_CAST(path);
	file = file_open_name(path, O_WRONLY | O_APPEND | O_LARGEFILE, 0);
	putname(path);
	if (IS_ERR(file))
		return file;
	if (!S_ISREG(file_inode(file)->i_mode))
		err = -EACCES;
	else if (!(file->f_mode & FMODE_CAN_WRITE))
		err = -EIO;
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

long sys_acct(const char __user *name)
{
	struct file *file = NULL, *old;

	if (!capable(CAP_SYS_PACCT))
		return -EPERM;
	if (name)
		file = open_record(name);
	if (IS_ERR(file))
		return PTR_ERR(file);
	mutex_lock(&acct_mutex);
	old = acct_file;
	WRITE_ONCE(acct_file, file);
	suspended = false;
	next_look = 0;
	mutex_unlock(&acct_mutex);
	if (old)
		fput(old);
	return 0;
}

static const struct ctl_table acct_table[] = {
	{ "acct", acct_parm, sizeof(acct_parm), 0644, proc_dointvec },
	{ }
};

static int __init acct_init(void)
{
	return register_sysctl("kernel", acct_table);
}
fs_initcall(acct_init);
