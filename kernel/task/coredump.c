/*
 * coredump.c: a process that a signal kills leaves its memory and registers to debuggers.
 *
 * What:    do_coredump(), called by the thread that takes the signal; the waiting of the other threads until it is done;
 *          the file's name, or the program at the other end of a pipe, by /proc/sys/kernel/core_pattern.
 * Idea:    the group is condemned first (SIGNAL_GROUP_EXIT), so all other threads come to do_exit(); there each waits,
 *          before it gives anything back, with its user registers on its kernel stack.
 *
 *      dumper (siglock)                                another thread
 *      GROUP_EXIT, core_state, waiting = n             SIGKILL: get_signal() -> do_exit()
 *      sleeps on startup                               coredump_task_exit(), siglock: onto the list, --waiting == 0: complete
 *      dumps all on the list                           sleeps while core_state
 *      core_state = NULL, wakes all                    goes on with its exit
 *
 *          quick_threads counts, under siglock, who has not passed that point: nobody is waited for in vain.  A SIGKILL
 *          that comes meanwhile ends the dump: prepare_signal() lets it through to the dumper.
 * Who:     dumpable (prctl(2)) processes only.  With /proc/sys/fs/suid_dumpable 2 also those that changed ids: the file is
 *          then root's, in a place that only an absolute pattern names.
 * Locking: siglock for core_state and the list.
 * See:     core(5); elf_core.c; exit.c
 */
#include <weft/coredump.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fcntl.h>
#include <weft/fdtable.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/namei.h>
#include <weft/pipe_fs_i.h>
#include <weft/proc_fs.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include <weft/umh.h>
#include <weft/utsname.h>
#include "coredump.h"
#include "internal.h"

#define CORE_PATTERN_MAX	128
#define CORE_NAME_MAX	1024
#define CORE_ARGS_MAX	32

static char core_pattern[CORE_PATTERN_MAX] = "core";
static int core_uses_pid;

/* ---- the other threads ---- */

void coredump_task_exit(struct task_struct *tsk)
	__must_hold(&tsk->sighand->siglock)
{
	struct core_state *state = tsk->signal->core_state;
	struct core_thread self = { .task = tsk };

	if (likely(!state) || tsk == state->dumper.task)
		return;
	self.next = state->dumper.next;
	state->dumper.next = &self;
	if (!--state->waiting)
		complete(&state->startup);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (!tsk->signal->core_state)
			break;
		spin_unlock_irq(&tsk->sighand->siglock);
		schedule();
		spin_lock_irq(&tsk->sighand->siglock);
	}
	__set_current_state(TASK_RUNNING);
}

/* Condemns the group and waits for its threads.  False: somebody ends it already. */
static bool stop_threads(struct core_state *state, int signr)
{
	struct signal_struct *sig = current->signal;
	struct core_thread *t;

	*state = (struct core_state){ .dumper.task = current };
	init_completion(&state->startup);
	spin_lock_irq(&current->sighand->siglock);
	if ((sig->flags & SIGNAL_GROUP_EXIT) || sig->group_exec_task) {
		spin_unlock_irq(&current->sighand->siglock);
		return false;
	}
	sig->flags = SIGNAL_GROUP_EXIT;
	sig->group_exit_code = signr;
	zap_other_threads(current);
	state->waiting = sig->quick_threads - 1;
	sig->core_state = state;
	/* What was pending matters no more, and must not end waits of ours. */
	clear_thread_flag(TIF_SIGPENDING);
	current->flags |= PF_DUMPCORE;
	spin_unlock_irq(&current->sighand->siglock);

	if (state->waiting)
		wait_for_completion(&state->startup);
	/* They are on the list, but may still run: their registers are in memory once they have left their CPUs. */
	for (t = state->dumper.next; t; t = t->next)
		wait_task_inactive(t->task, 0);
	return true;
}

static void release_threads(struct core_state *state, bool dumped)
{
	struct signal_struct *sig = current->signal;
	struct core_thread *t, *next;

	spin_lock_irq(&current->sighand->siglock);
	if (dumped && !__fatal_signal_pending(current))
		sig->group_exit_code |= 0x80;
	sig->core_state = NULL;
	for (t = state->dumper.next; t; t = next) {
		next = t->next;			/* its stack: gone once it is awake and has the lock */
		wake_up_process(t->task);
	}
	spin_unlock_irq(&current->sighand->siglock);
}

/* ---- writing ---- */

static bool dump_interrupted(void)
{
	return fatal_signal_pending(current);
}

static bool dump_raw(struct core_dump *d, const void *data, size_t len)
{
	while (len) {
		ssize_t n = dump_interrupted() ? -EINTR : kernel_write(d->file, data, len, &d->pos);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* A file gets a hole, a pipe the zeros themselves. */
static bool dump_zeros(struct core_dump *d)
{
	u64 left = d->skipped;

	d->skipped = 0;
	if (d->seeks) {
		d->pos += (loff_t)left;
		return true;
	}
	while (left) {
		size_t len = min_t(u64, left, PAGE_SIZE);

		if (!dump_raw(d, empty_zero_page, len))
			return false;
		left -= len;
	}
	return true;
}

bool dump_emit(struct core_dump *d, const void *data, size_t len)
{
	if (d->written + len > d->limit || !dump_zeros(d) || !dump_raw(d, data, len))
		return false;
	d->written += len;
	return true;
}

void dump_skip(struct core_dump *d, u64 len)
{
	d->skipped += len;
}

/* The end may be a hole: the file is as long as its headers say all the same. */
static void dump_end(struct core_dump *d)
{
	if (dump_zeros(d) && d->seeks && i_size_read(file_inode(d->file)) < d->pos)
		do_truncate(d->file->f_path.dentry, d->pos, 0, d->file);
}

/* ---- the name ---- */

/* The pattern with everything filled in.  In a pipe's pattern blanks end words, and words follow each other with NULs. */
struct core_name {
	char	text[CORE_NAME_MAX];
	size_t	len;
	bool	fits;		/* nothing was cut off */
	bool	has_pid;
};

static void __printf(2, 3) add_to_name(struct core_name *n, const char *fmt, ...)
{
	size_t room = sizeof(n->text) - n->len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(n->text + n->len, room, fmt, args);
	va_end(args);
	if ((size_t)len >= room) {
		n->fits = false;
		return;
	}
	n->len += (size_t)len;
}

/* A word that users choose: no '/' in it, and it is neither "." nor ".." (which would leave the folder). */
static void add_tame(struct core_name *n, const char *word)
{
	size_t start = n->len;

	add_to_name(n, "%s", word);
	if (n->text[start] == '.' && (!word[1] || (word[1] == '.' && !word[2])))
		n->text[start] = '!';
	for (char *p = n->text + start; p < n->text + n->len; p++)
		if (*p == '/')
			*p = '!';
}

static void add_exe(struct core_name *n, bool whole_path)
{
	struct file *exe = get_mm_exe_file(current->mm);
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	const char *path = exe && buf ? d_path(&exe->f_path, buf, PATH_MAX) : ERR_PTR(-ENOENT);

	if (IS_ERR(path))
		path = current->comm;
	add_tame(n, whole_path ? path : kbasename(path));
	kfree(buf);
	if (exe)
		fput(exe);
}

static void add_specifier(struct core_name *n, char c, const kernel_siginfo_t *info)
{
	switch (c) {
	case '%':	add_to_name(n, "%%");						break;
	case 'p':
	case 'P':	add_to_name(n, "%d", task_tgid_vnr(current)); n->has_pid = true;	break;
	case 'i':
	case 'I':	add_to_name(n, "%d", task_pid_nr(current));			break;
	case 'u':	add_to_name(n, "%u", current_uid());				break;
	case 'g':	add_to_name(n, "%u", current_gid());				break;
	case 'd':	add_to_name(n, "%d", get_dumpable(current->mm));		break;
	case 's':	add_to_name(n, "%d", info->si_signo);				break;
	case 't':	add_to_name(n, "%lld", (long long)ktime_get_real_seconds());	break;
	case 'h':	add_tame(n, utsname()->nodename);				break;
	case 'e':	add_tame(n, current->comm);					break;
	case 'f':	add_exe(n, false);						break;
	case 'E':	add_exe(n, true);						break;
	case 'c':	add_to_name(n, "%lu", rlimit(RLIMIT_CORE));			break;
	case 'C':	add_to_name(n, "%d", raw_smp_processor_id());			break;
	default:	break;		/* unknown ones are left out */
	}
}

static void expand_pattern(struct core_name *n, const char *p, bool pipe, const kernel_siginfo_t *info)
{
	*n = (struct core_name){ .fits = true };
	for (; *p; p++) {
		if (pipe && (*p == ' ' || *p == '\t')) {
			if (n->len && n->text[n->len - 1] && n->len + 1 < sizeof(n->text))
				n->text[n->len++] = 0;
		} else if (*p != '%') {
			add_to_name(n, "%c", *p);
		} else if (!*++p) {
			break;
		} else {
			add_specifier(n, *p, info);
		}
	}
	if (!pipe && core_uses_pid && !n->has_pid)
		add_to_name(n, ".%d", task_tgid_vnr(current));
}

/* ---- to a file ---- */

/* Between our creating it and now somebody may have changed what the name stands for, or what it is. */
static bool acceptable(struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISREG(inode->i_mode) && inode->i_nlink == 1 && inode->i_uid == current_fsuid() &&
	       (inode->i_mode & 0677) == 0600;
}

/*
 * Always a new file: one that exists might be a link elsewhere, or open to others.  rooted: of a process that changed ids;
 * we have root's rights, and remove nothing with them.
 */
static struct file *open_core_file(const char *name, bool rooted)
{
	struct filename *old;
	struct file *file;

	if (rooted && name[0] != '/') {
		printk(KERN_WARNING "core: %s[%d] changed ids, and core_pattern is not absolute\n", current->comm,
		       task_tgid_nr(current));
		return ERR_PTR(-EPERM);
	}
	if (!rooted) {
		old = getname_kernel(name);
		if (IS_ERR(old))
			return ERR_CAST(old);
		do_unlinkat(AT_FDCWD, old);
		putname(old);
	}
	file = filp_open(name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE, 0600);
	if (!IS_ERR(file) && !acceptable(file)) {
		filp_close(file, NULL);
		return ERR_PTR(-EPERM);
	}
	return file;
}

static bool dump_to_file(struct core_dump *d, bool rooted)
{
	struct core_name *name;
	bool ok = false;

	d->limit = rlimit(RLIMIT_CORE);
	if (d->limit < PAGE_SIZE)
		return false;
	name = kmalloc(sizeof(*name), GFP_KERNEL);
	if (!name)
		return false;
	expand_pattern(name, core_pattern, false, d->info);
	d->file = name->fits && name->len ? open_core_file(name->text, rooted) : ERR_PTR(-ENAMETOOLONG);
	kfree(name);
	if (IS_ERR(d->file))
		return false;
	d->seeks = d->file->f_mode & FMODE_LSEEK;
	ok = elf_core_dump(d);
	dump_end(d);
	filp_close(d->file, NULL);
	return ok;
}

/* ---- to a program ---- */

/* In the helper, before its execve: the pipe becomes its standard input, and no core of its own calls it again. */
static int set_up_helper(void *arg)
{
	struct core_dump *d = arg;
	struct file *files[2];
	int err = create_pipe_files(files, 0);

	if (err)
		return err;
	d->file = files[1];
	err = replace_fd(0, files[0], 0);
	fput(files[0]);
	current->signal->rlim[RLIMIT_CORE] = (struct rlimit64){ 1, 1 };
	return err < 0 ? err : 0;
}

/* It reads /proc/PID while it reads the pipe: do not go before it has closed it. */
static void wait_for_reader(struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;

	pipe_lock(pipe);
	pipe->readers++;
	pipe->writers--;
	wake_up_interruptible_sync(&pipe->rd_wait);
	pipe_unlock(pipe);
	wait_event_interruptible(pipe->rd_wait, READ_ONCE(pipe->readers) == 1);
	pipe_lock(pipe);
	pipe->readers--;
	pipe->writers++;
	pipe_unlock(pipe);
}

/* The words of a pipe's pattern: as many as there are, at most CORE_ARGS_MAX. */
static void split_words(struct core_name *name, const char **argv)
{
	int n = 0;

	for (size_t at = 0; at < name->len && n < CORE_ARGS_MAX; at += strlen(name->text + at) + 1)
		argv[n++] = name->text + at;
	argv[n] = NULL;
}

static bool dump_to_program(struct core_dump *d)
{
	static const char *const envp[] = { "HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL };
	const char *argv[CORE_ARGS_MAX + 1];
	struct core_name *name;
	bool ok = false;

	/* 1: the helper itself, see above.  0 is no limit here: it is the program that decides. */
	if (rlimit(RLIMIT_CORE) == 1)
		return false;
	d->limit = RLIM_INFINITY;
	name = kmalloc(sizeof(*name), GFP_KERNEL);
	if (!name)
		return false;
	expand_pattern(name, core_pattern + 1, true, d->info);
	split_words(name, argv);
	if (name->fits && argv[0] && !call_usermodehelper(argv[0], argv, envp, set_up_helper, d))
		ok = elf_core_dump(d);
	if (d->file) {
		dump_end(d);
		if (ok)
			wait_for_reader(d->file);
		filp_close(d->file, NULL);
	}
	kfree(name);
	return ok;
}

/* ---- do_coredump ---- */

static bool write_core(struct core_dump *d, bool rooted)
{
	const struct cred *old;
	struct cred *cred;
	bool ok;

	if (core_pattern[0] == '|')
		return dump_to_program(d);
	if (!rooted)
		return dump_to_file(d, false);
	cred = prepare_creds();
	if (!cred)
		return false;
	cred->fsuid = GLOBAL_ROOT_UID;
	old = override_creds(cred);
	ok = dump_to_file(d, true);
	revert_creds(old);
	put_cred(cred);
	return ok;
}

bool do_coredump(const kernel_siginfo_t *info)
{
	struct mm_struct *mm = current->mm;
	int dumpable = mm ? get_dumpable(mm) : SUID_DUMP_DISABLE;
	struct core_state state;
	struct core_dump dump = { .info = info, .threads = &state.dumper };
	bool dumped;

	if (dumpable == SUID_DUMP_DISABLE || !core_pattern[0])
		return false;
	if (core_pattern[0] != '|' && rlimit(RLIMIT_CORE) < PAGE_SIZE)
		return false;
	if (!stop_threads(&state, info->si_signo))
		return false;
	dumped = write_core(&dump, dumpable == SUID_DUMP_ROOT);
	release_threads(&state, dumped);
	return dumped;
}

static const int zero, two = 2;
static const struct ctl_table kernel_sysctls[] = {
	{ "core_pattern", core_pattern, sizeof(core_pattern) - 1, 0644, proc_dostring },
	{ "core_uses_pid", &core_uses_pid, sizeof(int), 0644, proc_dointvec },
	{ },
};
static const struct ctl_table fs_sysctls[] = {
	{ "suid_dumpable", &suid_dumpable, sizeof(int), 0644, proc_dointvec_minmax, &zero, &two },
	{ },
};

static int __init coredump_init(void)
{
	int err = register_sysctl("kernel", kernel_sysctls);

	return err ? err : register_sysctl("fs", fs_sysctls);
}
fs_initcall(coredump_init);
