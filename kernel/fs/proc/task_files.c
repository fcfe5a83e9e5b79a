/*
 * task_files.c: the small files of /proc/PID: limits, cmdline, environ, comm, wchan, stack, schedstat, oom_*, io ...
 *
 * Locking: a task's strings lie in its own memory and are read by access_remote_vm() under a reference to its mm; numbers
 *          of the group are read under siglock or as single words.
 * See:     proc(5); base.c holds the tables
 */
#include <weft/kernel.h>
#include <weft/cgroup.h>
#include <weft/vmstat.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/mm.h>
#include <weft/oom.h>
#include <weft/cred.h>
#include <weft/signal.h>
#include <weft/resource.h>
#include <weft/ptrace.h>
#include <weft/fs.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <weft/seq_file.h>
#include <weft/stacktrace.h>
#include "internal.h"

/* ---- show functions ---- */

static const struct { const char *name, *unit; } limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" }, [RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" }, [RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" }, [RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" }, [RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" }, [RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" }, [RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" }, [RLIMIT_NICE] = { "Max nice priority", "" },
	[RLIMIT_RTPRIO] = { "Max realtime priority", "" }, [RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void show_limit(struct seq_file *m, u64 value)
{
	if (value == RLIM_INFINITY)
		seq_printf(m, "%-20s ", "unlimited");
	else
		seq_printf(m, "%-20llu ", value);
}

int proc_pid_limits(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	struct rlimit64 rlim[RLIM_NLIMITS];
	unsigned long flags;

	if (!lock_task_sighand(task, &flags))
		return 0;
	memcpy(rlim, task->signal->rlim, sizeof(rlim));
	unlock_task_sighand(task, &flags);

	seq_printf(m, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(m, "%-25s ", limit_names[i].name);
		show_limit(m, rlim[i].rlim_cur);
		show_limit(m, rlim[i].rlim_max);
		seq_printf(m, "%-10s\n", limit_names[i].unit);
	}
	return 0;
}

int proc_pid_wchan(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	unsigned long wchan = 0;

	if (ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS))
		wchan = get_wchan(task);
	if (wchan)
		seq_printf(m, "%ps", (void *)wchan);
	else
		seq_putc(m, '0');
	return 0;
}

#define STACK_DEPTH	64

int proc_pid_stack(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	unsigned long *entries;
	unsigned int n;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	entries = kmalloc_array(STACK_DEPTH, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	n = stack_trace_save_tsk(task, entries, STACK_DEPTH, 0);
	for (unsigned int i = 0; i < n; i++)
		seq_printf(m, "[<0>] %pS\n", (void *)entries[i]);
	kfree(entries);
	return 0;
}

int proc_pid_schedstat(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	seq_printf(m, "%llu %llu %lu\n", task_sched_runtime(task), task->wait_sum, task->nvcsw + task->nivcsw);
	return 0;
}

int proc_pid_sched(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	proc_sched_show_task(task, m);
	return 0;
}

int proc_oom_score(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	unsigned long total = totalram_pages() + 1;
	long points = oom_badness(task, total);

	seq_printf(m, "%ld\n", points <= 0 ? 0 : points * 1000 / (long)total);
	return 0;
}

int proc_pid_personality(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	seq_printf(m, "%08x\n", task->personality);
	return 0;
}

int proc_pid_io(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	if (!ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS))
		return -EACCES;
	seq_printf(m, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: %lu\nwrite_bytes: %lu\ncancelled_write_bytes: 0\n",
		   task->inblock << 9, task->oublock << 9);
	return 0;
}

/* Which call the task sleeps in, with its arguments; "running" for a task that is on a processor. */
int proc_pid_syscall(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	struct pt_regs *regs = task_pt_regs(task);

	if (!ptrace_may_access(task, PTRACE_MODE_ATTACH_FSCREDS))
		return -EACCES;
	if (task_is_running(task)) {
		seq_puts(m, "running\n");
		return 0;
	}
	if ((long)regs->orig_ax < 0)
		seq_printf(m, "%ld 0x%lx 0x%lx\n", (long)regs->orig_ax, regs->sp, regs->ip);
	else
		seq_printf(m, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", (long)regs->orig_ax, regs->di, regs->si,
			   regs->dx, regs->r10, regs->r8, regs->r9, regs->sp, regs->ip);
	return 0;
}

int proc_pid_cgroup(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	return proc_cgroup_show(m, task);
}

int proc_pid_children(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	struct task_struct *child;

	read_lock(&tasklist_lock);
	list_for_each_entry(child, &task->children, sibling)
		seq_printf(m, "%d ", task_pid_nr_ns(child, seq_pid_ns(m)));
	read_unlock(&tasklist_lock);
	return 0;
}

/* ---- text that lies in the task's own memory ---- */

/* Copies [start+pos, end) of an mm to the reader.  Returns bytes, 0 at the end, or -errno. */
static ssize_t read_remote(struct mm_struct *mm, unsigned long start, unsigned long end, loff_t *pos, struct iov_iter *to)
{
	char *page = (char *)__get_free_page(GFP_KERNEL);
	ssize_t done = 0;

	if (!page)
		return -ENOMEM;
	while (iov_iter_count(to) && start + *pos < end) {
		size_t n = min3(iov_iter_count(to), (size_t)(end - start - *pos), (size_t)PAGE_SIZE);
		int got = access_remote_vm(mm, start + *pos, page, n, 0);

		if (got <= 0) {
			done = done ? done : -EIO;
			break;
		}
		n = copy_to_iter(page, got, to);
		if (!n) {
			done = done ? done : -EFAULT;
			break;
		}
		*pos += n;
		done += n;
	}
	free_page((unsigned long)page);
	return done;
}

static ssize_t cmdline_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct task_struct *task = get_proc_task(file_inode(iocb->ki_filp));
	struct mm_struct *mm;
	ssize_t n = 0;

	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (mm) {
		if (mm->env_end)
			n = read_remote(mm, mm->arg_start, mm->arg_end, &iocb->ki_pos, to);
		mmput(mm);
	}
	return n == -EIO ? 0 : n;
}

const struct file_operations proc_pid_cmdline_ops = { .read_iter = cmdline_read, .llseek = generic_file_llseek };

/* Opening checks the right to read and keeps the structure (not its contents) alive: mmgrab, as [004] tells. */
static int mem_open_mode(struct inode *inode, struct file *file, unsigned int mode)
{
	struct task_struct *task = get_proc_task(inode);
	struct mm_struct *mm;

	if (!task)
		return -ESRCH;
	mm = mm_access(task, mode | PTRACE_MODE_FSCREDS);
	put_task_struct(task);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (mm) {
		mmgrab(mm);
		mmput(mm);
	}
	file->private_data = mm;
	return 0;
}

static int mem_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		mmdrop(file->private_data);
	return 0;
}

static int environ_open(struct inode *inode, struct file *file)
{
	return mem_open_mode(inode, file, PTRACE_MODE_READ);
}

static ssize_t environ_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct mm_struct *mm = iocb->ki_filp->private_data;
	ssize_t n;

	if (!mm || !mm->env_end || !mmget_not_zero(mm))
		return 0;
	n = read_remote(mm, mm->env_start, mm->env_end, &iocb->ki_pos, to);
	mmput(mm);
	return n;
}

const struct file_operations proc_environ_operations = {
	.open = environ_open, .read_iter = environ_read, .llseek = generic_file_llseek, .release = mem_release,
};

static ssize_t auxv_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct mm_struct *mm = iocb->ki_filp->private_data;
	u32 auxv32[ARRAY_SIZE(mm->saved_auxv)];
	const char *from;
	size_t words = 0, len, n;

	if (!mm)
		return 0;
	from = (const char *)mm->saved_auxv;
	do {
		words += 2;
	} while (mm->saved_auxv[words - 2] && words + 2 <= ARRAY_SIZE(mm->saved_auxv));
	len = words * sizeof(mm->saved_auxv[0]);
	if (mm->task_size <= U32_MAX) {		/* as a 32-bit program found it on its stack */
		for (size_t i = 0; i < words; i++)
			auxv32[i] = (u32)mm->saved_auxv[i];
		from = (const char *)auxv32;
		len = words * sizeof(auxv32[0]);
	}
	if ((size_t)iocb->ki_pos >= len)
		return 0;
	n = copy_to_iter(from + iocb->ki_pos, min(len - (size_t)iocb->ki_pos, iov_iter_count(to)), to);
	iocb->ki_pos += n;
	return n ? (ssize_t)n : -EFAULT;
}

const struct file_operations proc_auxv_operations = {
	.open = environ_open, .read_iter = auxv_read, .llseek = generic_file_llseek, .release = mem_release,
};

/* /proc/PID/mem: the position is the address. */
static int pid_mem_open(struct inode *inode, struct file *file)
{
	int err = mem_open_mode(inode, file, PTRACE_MODE_ATTACH);

	file->f_mode |= FMODE_UNSIGNED_OFFSET;
	return err;
}

static ssize_t mem_rw(struct kiocb *iocb, struct iov_iter *iter, bool write)
{
	struct mm_struct *mm = iocb->ki_filp->private_data;
	unsigned long addr = iocb->ki_pos;
	ssize_t done = 0;
	char *page;

	if (!mm)
		return 0;
	page = (char *)__get_free_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	if (!mmget_not_zero(mm))
		goto free;
	while (iov_iter_count(iter)) {
		size_t n = min(iov_iter_count(iter), (size_t)PAGE_SIZE);
		int got;

		if (write && copy_from_iter(page, n, iter) != n) {
			done = done ? done : -EFAULT;
			break;
		}
		got = access_remote_vm(mm, addr, page, n, FOLL_FORCE | (write ? FOLL_WRITE : 0));
		if (got <= 0) {
			done = done ? done : -EIO;
			break;
		}
		if (!write && copy_to_iter(page, got, iter) != (size_t)got) {
			done = done ? done : -EFAULT;
			break;
		}
		addr += got;
		done += got;
	}
	iocb->ki_pos = addr;
	mmput(mm);
free:
	free_page((unsigned long)page);
	return done;
}

static ssize_t mem_read(struct kiocb *iocb, struct iov_iter *to)
{
	return mem_rw(iocb, to, false);
}

static ssize_t mem_write(struct kiocb *iocb, struct iov_iter *from)
{
	return mem_rw(iocb, from, true);
}

static loff_t mem_lseek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += file->f_pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	file->f_pos = offset;
	return offset;
}

const struct file_operations proc_mem_operations = {
	.open = pid_mem_open, .read_iter = mem_read, .write_iter = mem_write, .llseek = mem_lseek, .release = mem_release,
};

/* ---- values that can be written ---- */

/* Reads a short text from the writer; the buffer ends up NUL-terminated and stripped.  Length or -errno. */
static ssize_t get_word(struct iov_iter *from, char *buf, size_t size)
{
	size_t len = iov_iter_count(from), n = min(len, size - 1);

	memset(buf, 0, size);
	if (copy_from_iter(buf, n, from) != n)
		return -EFAULT;
	return len;
}

static int comm_show(struct seq_file *m, void *v)
{
	struct task_struct *task = get_proc_task(m->private);
	char comm[TASK_COMM_LEN];

	if (!task)
		return -ESRCH;
	seq_printf(m, "%s\n", get_task_comm(comm, task));
	put_task_struct(task);
	return 0;
}

static int comm_open(struct inode *inode, struct file *file)
{
	return single_open(file, comm_show, inode);
}

static ssize_t comm_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct task_struct *task = get_proc_task(file_inode(iocb->ki_filp));
	char buf[TASK_COMM_LEN];
	ssize_t len;

	if (!task)
		return -ESRCH;
	len = get_word(from, buf, sizeof(buf));
	if (len >= 0 && !same_thread_group(current, task))
		len = -EINVAL;
	if (len >= 0) {
		buf[strcspn(buf, "\n")] = 0;
		__set_task_comm(task, buf, false);
	}
	put_task_struct(task);
	return len;
}

const struct file_operations proc_pid_set_comm_operations = {
	.open = comm_open, .read_iter = seq_read_iter, .write_iter = comm_write, .llseek = seq_lseek, .release = single_release,
};

/* Shows a short text at the file's position. */
static ssize_t give_text(struct kiocb *iocb, struct iov_iter *to, const char *text, size_t len)
{
	size_t n;

	if ((size_t)iocb->ki_pos >= len)
		return 0;
	n = copy_to_iter(text + iocb->ki_pos, min(len - (size_t)iocb->ki_pos, iov_iter_count(to)), to);
	iocb->ki_pos += n;
	return n ? (ssize_t)n : -EFAULT;
}

static ssize_t oom_read(struct kiocb *iocb, struct iov_iter *to, bool old)
{
	struct task_struct *task = get_proc_task(file_inode(iocb->ki_filp));
	char buf[12];
	int adj;

	if (!task)
		return -ESRCH;
	adj = READ_ONCE(task->signal->oom_score_adj);
	put_task_struct(task);
	if (old)
		adj = adj == OOM_SCORE_ADJ_MAX ? 15 : adj * 17 / OOM_SCORE_ADJ_MAX;
	return give_text(iocb, to, buf, snprintf(buf, sizeof(buf), "%d\n", adj));
}

static ssize_t oom_write(struct kiocb *iocb, struct iov_iter *from, bool old)
{
	struct task_struct *task;
	char buf[16];
	ssize_t len = get_word(from, buf, sizeof(buf));
	int adj, err = 0, limit = old ? 17 : OOM_SCORE_ADJ_MAX;

	if (len < 0)
		return len;
	err = kstrtoint(strim(buf), 0, &adj);
	if (err)
		return err;
	if (adj < -limit || adj > (old ? 15 : limit))
		return -EINVAL;
	if (old)
		adj = adj == 15 ? OOM_SCORE_ADJ_MAX : adj * OOM_SCORE_ADJ_MAX / 17;
	task = get_proc_task(file_inode(iocb->ki_filp));
	if (!task)
		return -ESRCH;
	if (adj < task->signal->oom_score_adj_min && !capable(CAP_SYS_RESOURCE)) {
		err = -EACCES;
	} else {
		WRITE_ONCE(task->signal->oom_score_adj, adj);
		if (capable(CAP_SYS_RESOURCE))
			task->signal->oom_score_adj_min = adj;
	}
	put_task_struct(task);
	return err ? err : len;
}

static ssize_t oom_score_adj_read(struct kiocb *iocb, struct iov_iter *to) { return oom_read(iocb, to, false); }
static ssize_t oom_score_adj_write(struct kiocb *iocb, struct iov_iter *from) { return oom_write(iocb, from, false); }
static ssize_t oom_adj_read(struct kiocb *iocb, struct iov_iter *to) { return oom_read(iocb, to, true); }
static ssize_t oom_adj_write(struct kiocb *iocb, struct iov_iter *from) { return oom_write(iocb, from, true); }

const struct file_operations proc_oom_score_adj_operations = {
	.read_iter = oom_score_adj_read, .write_iter = oom_score_adj_write, .llseek = default_llseek,
};
const struct file_operations proc_oom_adj_operations = {
	.read_iter = oom_adj_read, .write_iter = oom_adj_write, .llseek = default_llseek,
};

/* ---- what goes into a core file: bits of mm->flags ---- */

static ssize_t coredump_filter_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct task_struct *task = get_proc_task(file_inode(iocb->ki_filp));
	struct mm_struct *mm;
	char buf[12];
	int len = 0;

	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	if (mm) {
		len = snprintf(buf, sizeof(buf), "%08lx\n",
			       (READ_ONCE(mm->flags) & MMF_DUMP_FILTER_MASK) >> MMF_DUMP_FILTER_SHIFT);
		mmput(mm);
	}
	put_task_struct(task);
	return give_text(iocb, to, buf, (size_t)len);
}

static ssize_t coredump_filter_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct task_struct *task;
	struct mm_struct *mm;
	char buf[16];
	ssize_t len = get_word(from, buf, sizeof(buf));
	unsigned int filter;
	int err;

	if (len < 0)
		return len;
	err = kstrtouint(strim(buf), 0, &filter);
	if (err)
		return err;
	task = get_proc_task(file_inode(iocb->ki_filp));
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (!mm)
		return len;
	for (int bit = MMF_DUMP_FILTER_SHIFT; MMF_DUMP_FILTER_MASK >> bit; bit++) {
		if (filter & (1u << (bit - MMF_DUMP_FILTER_SHIFT)))
			set_bit(bit, &mm->flags);
		else
			clear_bit(bit, &mm->flags);
	}
	mmput(mm);
	return len;
}

const struct file_operations proc_coredump_filter_operations = {
	.read_iter = coredump_filter_read, .write_iter = coredump_filter_write, .llseek = default_llseek,
};

/* ---- how late a sleeper may be woken; another's is for those who may change how it is scheduled ---- */

static struct task_struct *get_slack_task(struct kiocb *iocb)
{
	struct task_struct *task = get_proc_task(file_inode(iocb->ki_filp));

	if (!task)
		return ERR_PTR(-ESRCH);
	if (task == current || capable(CAP_SYS_NICE))
		return task;
	put_task_struct(task);
	return ERR_PTR(-EPERM);
}

static ssize_t timerslack_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct task_struct *task = get_slack_task(iocb);
	unsigned long ns;
	char buf[24];

	if (IS_ERR(task))
		return PTR_ERR(task);
	ns = READ_ONCE(task->timer_slack_ns);
	put_task_struct(task);
	return give_text(iocb, to, buf, snprintf(buf, sizeof(buf), "%lu\n", ns));
}

static ssize_t timerslack_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct task_struct *task;
	char buf[24];
	ssize_t len = get_word(from, buf, sizeof(buf));
	unsigned long ns;
	int err;

	if (len < 0)
		return len;
	err = kstrtoul(strim(buf), 10, &ns);
	if (err)
		return err;
	task = get_slack_task(iocb);
	if (IS_ERR(task))
		return PTR_ERR(task);
	WRITE_ONCE(task->timer_slack_ns, ns ? ns : DEFAULT_TIMER_SLACK);
	put_task_struct(task);
	return len;
}

const struct file_operations proc_timerslack_operations = {
	.read_iter = timerslack_read, .write_iter = timerslack_write, .llseek = default_llseek,
};

/* ---- who logged in: set once by the login program (pam_loginuid), handed down by fork ---- */

static ssize_t loginuid_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct task_struct *task = get_proc_task(file_inode(iocb->ki_filp));
	char buf[12];
	kuid_t uid;

	if (!task)
		return -ESRCH;
	uid = READ_ONCE(task->loginuid);
	put_task_struct(task);
	return give_text(iocb, to, buf, snprintf(buf, sizeof(buf), "%u", uid));
}

/* A task says it of itself only; once it is said, saying something else takes a capability.  A new uid is a new session. */
static ssize_t loginuid_write(struct kiocb *iocb, struct iov_iter *from)
{
	static atomic_t last_session = ATOMIC_INIT(0);
	char buf[16];
	unsigned int uid;
	ssize_t len;
	int err;

	if (proc_pid(file_inode(iocb->ki_filp)) != task_pid(current))
		return -EPERM;
	if (iocb->ki_pos)
		return -EINVAL;
	len = get_word(from, buf, sizeof(buf));
	if (len < 0)
		return len;
	err = kstrtouint(strim(buf), 10, &uid);
	if (err)
		return err;
	if (current->loginuid != INVALID_UID && !capable(CAP_AUDIT_CONTROL))
		return -EPERM;
	WRITE_ONCE(current->loginuid, uid);
	WRITE_ONCE(current->sessionid, uid == INVALID_UID ? ~0U : (unsigned int)atomic_inc_return(&last_session));
	return len;
}

const struct file_operations proc_loginuid_operations = {
	.read_iter = loginuid_read, .write_iter = loginuid_write, .llseek = default_llseek,
};

int proc_pid_sessionid(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	seq_printf(m, "%u", READ_ONCE(task->sessionid));
	return 0;
}
