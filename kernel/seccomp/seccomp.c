/*
 * seccomp.c: seccomp: a task gives up system calls for good.
 *
 * What:    the look at each call (strict: four calls and no more; filter: the chain's verdict), carrying out the verdict,
 *          the system call and prctl that switch it on.
 * Idea:    a call that is refused never reaches its function: entry leaves ax as it is set here.
 * Order:   a tracer's stop comes first, then this, so that what the tracer made of the call is what is judged; and after
 *          RET_TRACE, where a tracer may have changed it again, it is judged again.
 * Locking: siglock where mode and filter are set, so that SECCOMP_FILTER_FLAG_TSYNC sees both; the task reads its own.
 * See:     seccomp(2); spec.md §8; filter.c, notify.c; entry/common.c
 */
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/errno.h>
#include <weft/err.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/printk.h>
#include <weft/proc_fs.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/seccomp.h>
#include <weft/signal.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/syscall.h>
#include <generated/nr_syscalls.h>
#include "internal.h"

#define MODE_DEAD	3U	/* a verdict killed it: no call more, whatever a tracer tries */

/* ---- what filters see and what is told of them ---- */

static void read_call(struct seccomp_data *data, const struct pt_regs *regs)
{
	data->nr = syscall_get_nr(regs);
	data->arch = syscall_get_arch(current);
	data->instruction_pointer = regs->ip;
	syscall_get_arguments(current, regs, (unsigned long *)data->args);
}

static const struct { const char *name; u32 action; } action_names[] = {
	{ "kill_process", SECCOMP_RET_KILL_PROCESS }, { "kill_thread", SECCOMP_RET_KILL_THREAD },
	{ "trap", SECCOMP_RET_TRAP }, { "errno", SECCOMP_RET_ERRNO }, { "user_notif", SECCOMP_RET_USER_NOTIF },
	{ "trace", SECCOMP_RET_TRACE }, { "log", SECCOMP_RET_LOG }, { "allow", SECCOMP_RET_ALLOW },
};

/* Bits of action_names that may be told of: the sysctl kernel.seccomp.actions_logged.  All but "allow" at first. */
static unsigned int actions_logged = 0x7f;

static bool may_log(u32 action)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(action_names); i++)
		if (action_names[i].action == action)
			return READ_ONCE(actions_logged) & 1U << i;
	return READ_ONCE(actions_logged) & 1;	/* an unknown verdict kills the process */
}

static void log_verdict(const struct seccomp_data *data, int sig, u32 action)
{
	if (!may_log(action))
		return;
	printk_ratelimited(KERN_NOTICE "seccomp: %s[%d]: sig=%d arch=%x syscall=%d ip=%#llx code=%#x\n", current->comm,
			   current->pid, sig, data->arch, data->nr, data->instruction_pointer, action);
}

/* ---- carrying out a verdict ---- */

/* SIGSYS of this call, with the registers as they were before it.  kill: no handler may take it. */
static void send_sigsys(const struct seccomp_data *data, int reason, bool kill)
{
	struct kernel_siginfo info = { .si_signo = SIGSYS, .si_code = SYS_SECCOMP, .si_errno = reason };
	struct pt_regs *regs = current_pt_regs();

	regs->ax = regs->orig_ax;
	info.si_call_addr = (void __user *)regs->ip;
	info.si_arch = data->arch;
	info.si_syscall = data->nr;
	if (kill)
		force_fatal_sig_info(&info);
	else
		force_sig_info(&info);
}

static void kill_task(const struct seccomp_data *data, u32 action, int reason)
{
	current->seccomp_mode = MODE_DEAD;
	log_verdict(data, SIGSYS, action);
	if (action == SECCOMP_RET_KILL_THREAD && !thread_group_empty(current))
		do_exit(SIGSYS);
	send_sigsys(data, reason, true);
}

static bool judge(struct pt_regs *regs, bool traced_already);

/* The tracer may look at the call and change it; without one that asked for it the call is absent. */
static bool let_tracer_decide(struct pt_regs *regs, u32 reason)
{
	if (!ptrace_event_enabled(current, PTRACE_EVENT_SECCOMP)) {
		syscall_set_return_value(regs, -ENOSYS, 0);
		return false;
	}
	ptrace_event(PTRACE_EVENT_SECCOMP, reason);
	if (fatal_signal_pending(current) || syscall_get_nr(regs) < 0)
		return false;
	return judge(regs, true);
}

/* True: the call is made. */
static bool carry_out(struct pt_regs *regs, const struct seccomp_data *data, u32 verdict, struct seccomp_filter *match,
		      bool traced_already)
{
	const u32 action = seccomp_action(verdict), reason = verdict & SECCOMP_RET_DATA;

	if (match && match->log && action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG)
		log_verdict(data, 0, action);
	switch (action) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		log_verdict(data, 0, action);
		return true;
	case SECCOMP_RET_ERRNO:
		syscall_set_return_value(regs, -(long)min(reason, (u32)MAX_ERRNO), 0);
		return false;
	case SECCOMP_RET_TRAP:
		send_sigsys(data, (int)reason, false);
		return false;
	case SECCOMP_RET_TRACE:
		return traced_already || let_tracer_decide(regs, reason);
	case SECCOMP_RET_USER_NOTIF:
		return seccomp_notify(match, data, regs);
	default:
		kill_task(data, action, (int)reason);
		return false;
	}
}

static bool judge(struct pt_regs *regs, bool traced_already)
{
	struct seccomp_filter *match = NULL;
	struct seccomp_data data;
	u32 verdict;

	read_call(&data, regs);
	verdict = seccomp_run(&data, &match);
	return carry_out(regs, &data, verdict, match, traced_already);
}

/* The short way of a 64-bit call that nobody traces: do the filters simply let it pass?  If not, the long way judges again. */
bool seccomp_passes(struct pt_regs *regs)
{
	struct seccomp_filter *match;
	struct seccomp_data data;

	if (current->seccomp_mode != SECCOMP_MODE_FILTER)
		return false;
	if (seccomp_always_allows(syscall_get_nr(regs)))
		return true;
	read_call(&data, regs);
	return seccomp_run(&data, &match) == SECCOMP_RET_ALLOW;
}

static bool strict_allows(int nr)
{
	if (in_compat_syscall())		/* i386's exit, read, write, sigreturn, rt_sigreturn */
		return nr == 1 || nr == 3 || nr == 4 || nr == 119 || nr == 173;
	return nr == __NR_read || nr == __NR_write || nr == __NR_exit || nr == __NR_rt_sigreturn;
}

bool __secure_computing(struct pt_regs *regs)
{
	if (unlikely(current->ptrace & PT_SUSPEND_SECCOMP))
		return true;
	if (current->seccomp_mode == SECCOMP_MODE_FILTER)
		return judge(regs, false);
	if (current->seccomp_mode == SECCOMP_MODE_STRICT && strict_allows(syscall_get_nr(regs)))
		return true;
	current->seccomp_mode = MODE_DEAD;
	do_exit(SIGKILL);
}

/* ---- switching it on ---- */

static long set_mode_strict(void)
{
	long err = -EINVAL;

	spin_lock_irq(&current->sighand->siglock);
	if (current->seccomp_mode == SECCOMP_MODE_DISABLED || current->seccomp_mode == SECCOMP_MODE_STRICT) {
		current->seccomp_mode = SECCOMP_MODE_STRICT;
		set_thread_flag(TIF_SECCOMP);
		err = 0;
	}
	spin_unlock_irq(&current->sighand->siglock);
	return err;
}

#define FILTER_FLAGS (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
		      SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | \
		      SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static bool flags_make_sense(unsigned int flags)
{
	if (flags & ~FILTER_FLAGS)
		return false;
	/* A positive result is either a thread's number or a descriptor. */
	if ((flags & SECCOMP_FILTER_FLAG_TSYNC) && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
	    !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return false;
	return !(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) || (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* With a descriptor for the supervisor.  It is what is returned. */
static long attach_with_listener(struct seccomp_filter *filter, unsigned int flags)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);
	long ret;

	if (fd < 0)
		return fd;
	file = seccomp_make_listener(filter);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	ret = seccomp_attach(filter, flags);
	if (ret) {
		put_unused_fd(fd);
		seccomp_drop_listener(file, filter);
		return ret;
	}
	fd_install(fd, file);
	return fd;
}

static long set_mode_filter(unsigned int flags, const void __user *uargs)
{
	struct seccomp_filter *filter;
	bool attached;
	long ret;

	if (!flags_make_sense(flags))
		return -EINVAL;
	filter = seccomp_load(uargs);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		ret = attach_with_listener(filter, flags);
		attached = ret >= 0;
	} else {
		ret = seccomp_attach(filter, flags);
		attached = !ret;
	}
	if (!attached)
		seccomp_put(filter);
	return ret;
}

static long action_avail(const u32 __user *uaction)
{
	u32 action;

	if (copy_from_user(&action, uaction, sizeof(action)))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	}
	return -EOPNOTSUPP;
}

static long notif_sizes(void __user *usizes)
{
	const struct seccomp_notif_sizes sizes = {
		sizeof(struct seccomp_notif), sizeof(struct seccomp_notif_resp), sizeof(struct seccomp_data),
	};

	return copy_to_user(usizes, &sizes, sizeof(sizes)) ? -EFAULT : 0;
}

long sys_seccomp(unsigned int op, unsigned int flags, void __user *uargs)
{
	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || uargs ? -EINVAL : set_mode_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_mode_filter(flags, uargs);
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_avail(uargs);
	case SECCOMP_GET_NOTIF_SIZES:
		return flags ? -EINVAL : notif_sizes(uargs);
	}
	return -EINVAL;
}

/* prctl(PR_SET_SECCOMP), the older way. */
long prctl_set_seccomp(unsigned long mode, void __user *filter)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return set_mode_strict();
	case SECCOMP_MODE_FILTER:
		return set_mode_filter(0, filter);
	}
	return -EINVAL;
}

/* ---- /proc/sys/kernel/seccomp ---- */

static char actions_avail[] = "kill_process kill_thread trap errno user_notif trace log allow";

/* Names in `text`, which is cut up, as bits of action_names.  -EINVAL: an unknown one, or "allow". */
static int parse_actions(char *text, unsigned int *bits)
{
	char *name;

	*bits = 0;
	while ((name = strsep(&text, " \t\n")) != NULL) {
		unsigned int i = 0;

		if (!*name)
			continue;
		while (i < ARRAY_SIZE(action_names) && strcmp(name, action_names[i].name))
			i++;
		if (i == ARRAY_SIZE(action_names) || action_names[i].action == SECCOMP_RET_ALLOW)
			return -EINVAL;
		*bits |= 1U << i;
	}
	return 0;
}

static void show_actions(char *text, size_t size, unsigned int bits)
{
	size_t len = 0;

	text[0] = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(action_names); i++)
		if (bits & 1U << i)
			len += scnprintf(text + len, size - len, "%s%s", len ? " " : "", action_names[i].name);
}

static int proc_actions_logged(const struct ctl_table *table, int write, char *buf, size_t *len)
{
	char text[sizeof(actions_avail)];
	unsigned int bits;
	int err;

	if (!write) {
		show_actions(text, sizeof(text), READ_ONCE(actions_logged));
		*len = scnprintf(buf, *len, "%s\n", text);
		return 0;
	}
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = parse_actions(buf, &bits);
	if (!err)
		WRITE_ONCE(actions_logged, bits);
	return err;
}

static const struct ctl_table seccomp_table[] = {
	{ "actions_avail", actions_avail, sizeof(actions_avail), 0444, proc_dostring },
	{ "actions_logged", NULL, sizeof(actions_avail), 0644, proc_actions_logged },
	{ }
};

static int __init seccomp_init(void)
{
	return register_sysctl("kernel/seccomp", seccomp_table);
}
fs_initcall(seccomp_init);
