/*
 * array.c: /proc/PID/stat and /proc/PID/status: one task in numbers.
 *
 * Idea:    gather first, under the locks that each number needs, then print without locks.  Fields of other processes that
 *          Linux hides from strangers (addresses) are shown as 0 unless the reader could ptrace the task.
 * Locking: sighand->siglock (lock_task_sighand) for signal sets and group sums; RCU for parents and credentials;
 *          get_task_mm() for sizes.
 * See:     proc(5)
 */
#include <weft/time_namespace.h>
#include <weft/kernel.h>
#include <weft/user_namespace.h>
#include <weft/fs_struct.h>
#include <weft/sched.h>
#include <weft/mm.h>
#include <weft/cred.h>
#include <weft/signal.h>
#include <weft/tty.h>
#include <weft/fdtable.h>
#include <weft/timekeeping.h>
#include <weft/cpumask.h>
#include <weft/string.h>
#include <weft/ptrace.h>
#include <weft/arch.h>
#include "internal.h"

#define NSEC_TO_TICKS(ns)	((ns) / 10000000)	/* USER_HZ is 100 */

/* The command name with what would break the format made visible. */
static void show_comm(struct seq_file *m, struct task_struct *p, const char *escape)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, p);
	seq_escape(m, comm, escape);
}

struct signal_sets {
	sigset_t pending, shared, blocked, ignored, caught;
	int threads;
	unsigned long queued, limit;
};

static void collect_signals(struct task_struct *p, struct signal_sets *s)
{
	unsigned long flags;

	memset(s, 0, sizeof(*s));
	if (!lock_task_sighand(p, &flags))
		return;
	s->pending = p->pending.signal;
	s->shared = p->signal->shared_pending.signal;
	s->blocked = p->blocked;
	for (int sig = 1; sig <= _NSIG; sig++) {
		__sighandler_t h = p->sighand->action[sig - 1].sa.sa_handler;

		if (h == SIG_IGN)
			sigaddset(&s->ignored, sig);
		else if (h != SIG_DFL)
			sigaddset(&s->caught, sig);
	}
	s->threads = p->signal->nr_threads;
	s->queued = atomic_long_read(&__task_cred(p)->user->sigpending);
	s->limit = p->signal->rlim[RLIMIT_SIGPENDING].rlim_cur;
	unlock_task_sighand(p, &flags);
}

static void show_set(struct seq_file *m, const char *name, const sigset_t *set)
{
	seq_printf(m, "%s:\t%016lx\n", name, set->sig[0]);
}

static unsigned int fd_table_size(struct task_struct *p)
{
	unsigned int size = 0;

	task_lock(p);
	if (p->files) {
		rcu_read_lock();
		size = files_fdtable(p->files)->max_fds;
		rcu_read_unlock();
	}
	task_unlock(p);
	return size;
}

static void show_umask(struct seq_file *m, struct task_struct *p)
{
	task_lock(p);
	if (p->fs)
		seq_printf(m, "Umask:\t%#04o\n", p->fs->umask);
	task_unlock(p);
}

/* One role's numbers in the namespace of this /proc and in those below, down to the task's own. */
static void ns_numbers(struct seq_file *m, const char *name, struct task_struct *p, enum pid_type type,
		       const struct pid *pid, unsigned int level)
{
	seq_puts(m, name);
	for (; pid && level <= pid->level; level++)
		seq_printf(m, "\t%d", __task_pid_nr_ns(p, type, pid->numbers[level].ns));
	seq_putc(m, '\n');
}

static void status_ns_numbers(struct seq_file *m, struct task_struct *p, const struct pid_namespace *ns)
{
	struct pid *pid = get_task_pid(p, PIDTYPE_PID);

	ns_numbers(m, "NStgid:", p, PIDTYPE_TGID, pid, ns->level);
	ns_numbers(m, "NSpid:", p, PIDTYPE_PID, pid, ns->level);
	ns_numbers(m, "NSpgid:", p, PIDTYPE_PGID, pid, ns->level);
	ns_numbers(m, "NSsid:", p, PIDTYPE_SID, pid, ns->level);
	put_pid(pid);
}

static void status_ids(struct seq_file *m, struct task_struct *p)
{
	const struct pid_namespace *ns = seq_pid_ns(m);
	const struct user_namespace *uns = seq_user_ns(m);
	const struct cred *cred;
	struct group_info *gi;
	int ppid = 0, tracer = 0;

	rcu_read_lock();
	if (pid_alive(p)) {
		ppid = task_tgid_nr_ns(rcu_dereference(p->real_parent), ns);
		if (p->ptrace)
			tracer = task_pid_nr_ns(rcu_dereference(p->parent), ns);
	}
	rcu_read_unlock();
	cred = get_task_cred(p);
	seq_printf(m, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", task_tgid_nr_ns(p, ns),
		   task_pid_nr_ns(p, ns), ppid, tracer);
	seq_printf(m, "Uid:\t%u\t%u\t%u\t%u\n", from_kuid_munged(uns, cred->uid), from_kuid_munged(uns, cred->euid),
		   from_kuid_munged(uns, cred->suid), from_kuid_munged(uns, cred->fsuid));
	seq_printf(m, "Gid:\t%u\t%u\t%u\t%u\n", from_kgid_munged(uns, cred->gid), from_kgid_munged(uns, cred->egid),
		   from_kgid_munged(uns, cred->sgid), from_kgid_munged(uns, cred->fsgid));
	seq_printf(m, "FDSize:\t%u\nGroups:\t", fd_table_size(p));
	gi = cred->group_info;
	for (int i = 0; i < gi->ngroups; i++)
		seq_printf(m, "%u ", from_kgid_munged(uns, gi->gid[i]));
	seq_putc(m, '\n');
	status_ns_numbers(m, p, ns);
	put_cred(cred);
}

static void status_mm(struct seq_file *m, struct mm_struct *mm)
{
	unsigned long anon = get_mm_counter(mm, MM_ANONPAGES), file = get_mm_counter(mm, MM_FILEPAGES);
	unsigned long shmem = get_mm_counter(mm, MM_SHMEMPAGES), rss = anon + file + shmem;
	unsigned long text = (PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) >> 10;
	unsigned long lib = (mm->exec_vm << (PAGE_SHIFT - 10)) - min(text, mm->exec_vm << (PAGE_SHIFT - 10));

#define KB(pages) ((unsigned long)(pages) << (PAGE_SHIFT - 10))
	seq_printf(m, "VmPeak:\t%8lu kB\n", KB(max(mm->hiwater_vm, mm->total_vm)));
	seq_printf(m, "VmSize:\t%8lu kB\n", KB(mm->total_vm));
	seq_printf(m, "VmLck:\t%8lu kB\n", KB(mm->locked_vm));
	seq_printf(m, "VmPin:\t%8lu kB\n", KB(mm->pinned_vm));
	seq_printf(m, "VmHWM:\t%8lu kB\n", KB(max(mm->hiwater_rss, rss)));
	seq_printf(m, "VmRSS:\t%8lu kB\n", KB(rss));
	seq_printf(m, "RssAnon:\t%8lu kB\n", KB(anon));
	seq_printf(m, "RssFile:\t%8lu kB\n", KB(file));
	seq_printf(m, "RssShmem:\t%8lu kB\n", KB(shmem));
	seq_printf(m, "VmData:\t%8lu kB\n", KB(mm->data_vm));
	seq_printf(m, "VmStk:\t%8lu kB\n", KB(mm->stack_vm));
	seq_printf(m, "VmExe:\t%8lu kB\n", text);
	seq_printf(m, "VmLib:\t%8lu kB\n", lib);
	seq_printf(m, "VmPTE:\t%8lu kB\n", (unsigned long)atomic_long_read(&mm->pgtables_bytes) >> 10);
	seq_printf(m, "VmSwap:\t%8lu kB\n", KB(get_mm_counter(mm, MM_SWAPENTS)));
#undef KB
}

static void status_signals_and_caps(struct seq_file *m, struct task_struct *p)
{
	const struct cred *cred = get_task_cred(p);
	struct signal_sets s;

	collect_signals(p, &s);
	seq_printf(m, "Threads:\t%d\nSigQ:\t%lu/%lu\n", s.threads, s.queued, s.limit);
	show_set(m, "SigPnd", &s.pending);
	show_set(m, "ShdPnd", &s.shared);
	show_set(m, "SigBlk", &s.blocked);
	show_set(m, "SigIgn", &s.ignored);
	show_set(m, "SigCgt", &s.caught);
	seq_printf(m, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		   cap_bits(cred->cap_inheritable), cap_bits(cred->cap_permitted), cap_bits(cred->cap_effective),
		   cap_bits(cred->cap_bset), cap_bits(cred->cap_ambient));
	seq_printf(m, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", p->no_new_privs, p->seccomp_mode,
		   p->seccomp_count);
	put_cred(cred);
}

int proc_pid_status(struct seq_file *m, struct pid *pid, struct task_struct *p)
{
	struct mm_struct *mm = get_task_mm(p);
	nodemask_t nodes = node_online_map;

	seq_puts(m, "Name:\t");
	show_comm(m, p, "\n\\");
	seq_putc(m, '\n');
	show_umask(m, p);
	seq_printf(m, "State:\t%s\n", task_state_name(p));
	status_ids(m, p);
	if (mm) {
		status_mm(m, mm);
		seq_printf(m, "CoreDumping:\t0\nTHP_enabled:\t%d\n", !(mm->flags & MMF_DISABLE_THP_MASK));
		mmput(mm);
	}
	status_signals_and_caps(m, p);
	seq_printf(m, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t%*pbl\n", cpumask_bits(&p->cpus_mask)[0],
		   cpumask_pr_args(&p->cpus_mask));
	seq_printf(m, "Mems_allowed:\t%lx\nMems_allowed_list:\t%*pbl\n", nodes, MAX_NUMNODES, &nodes);
	seq_printf(m, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", p->nvcsw, p->nivcsw);
	return 0;
}

/* What /proc/PID/stat needs from behind locks. */
struct task_stat {
	int ppid, pgid, sid, tty_nr, tty_pgrp, threads;
	unsigned long min_flt, maj_flt, cmin_flt, cmaj_flt, rsslim;
	u64 utime, stime, cutime, cstime;
	struct signal_sets sets;
};

static void collect_group(struct task_struct *p, struct task_stat *t, const struct pid_namespace *ns)
{
	struct signal_struct *sig = p->signal;
	struct task_struct *other;

	t->cmin_flt = sig->cmin_flt;
	t->cmaj_flt = sig->cmaj_flt;
	t->cutime = sig->cutime;
	t->cstime = sig->cstime;
	t->rsslim = READ_ONCE(sig->rlim[RLIMIT_RSS].rlim_cur);
	t->min_flt = sig->min_flt;
	t->maj_flt = sig->maj_flt;
	for_each_thread(p, other) {
		t->min_flt += other->min_flt;
		t->maj_flt += other->maj_flt;
	}
	if (sig->tty) {
		struct pid *pgrp = tty_get_pgrp(sig->tty);

		t->tty_nr = new_encode_dev(tty_devnum(sig->tty));
		t->tty_pgrp = pid_nr_ns(pgrp, ns);
		put_pid(pgrp);
	}
}

static void collect_stat(struct task_struct *p, struct task_stat *t, const struct pid_namespace *ns, bool whole)
{
	unsigned long flags;

	memset(t, 0, sizeof(*t));
	t->tty_pgrp = -1;
	collect_signals(p, &t->sets);
	if (lock_task_sighand(p, &flags)) {
		collect_group(p, t, ns);
		t->threads = p->signal->nr_threads;
		t->ppid = task_tgid_nr_ns(p->real_parent, ns);
		t->pgid = task_pgrp_nr_ns(p, ns);
		t->sid = task_session_nr_ns(p, ns);
		unlock_task_sighand(p, &flags);
	}
	if (whole) {
		thread_group_cputime_adjusted(p, &t->utime, &t->stime);
	} else {
		task_cputime_adjusted(p, &t->utime, &t->stime);
		t->min_flt = p->min_flt;
		t->maj_flt = p->maj_flt;
	}
}

/* When p began, in the reader's time namespace. */
static u64 start_time_seen(const struct task_struct *p)
{
	struct timespec64 start = ns_to_timespec64((s64)p->start_boottime);

	time_ns_add(CLOCK_BOOTTIME, &start);
	return (u64)timespec64_to_ns(&start);
}

static int do_task_stat(struct seq_file *m, struct task_struct *p, bool whole)
{
	const struct pid_namespace *ns = seq_pid_ns(m);
	struct mm_struct *mm = get_task_mm(p);
	/* After the mm was taken: as in mm_access(). */
	bool permitted = ptrace_may_access(p, PTRACE_MODE_READ_FSCREDS | PTRACE_MODE_NOAUDIT);
	struct task_stat t;
	unsigned long vsize = mm ? mm->total_vm << PAGE_SHIFT : 0, rss = mm ? get_mm_rss(mm) : 0;
	unsigned long sp = 0, ip = 0;

	collect_stat(p, &t, ns, whole);
	if (permitted && (p->flags & (PF_EXITING | PF_DUMPCORE)) && mm) {
		sp = KSTK_ESP(p);
		ip = KSTK_EIP(p);
	}
	seq_printf(m, "%d (", whole ? task_tgid_nr_ns(p, ns) : task_pid_nr_ns(p, ns));
	show_comm(m, p, "\n\\");
	seq_printf(m, ") %c %d %d %d %d %d %u", task_state_char(p), t.ppid, t.pgid, t.sid, t.tty_nr, t.tty_pgrp, p->flags);
	seq_printf(m, " %lu %lu %lu %lu", t.min_flt, t.cmin_flt, t.maj_flt, t.cmaj_flt);
	seq_printf(m, " %llu %llu %llu %llu", NSEC_TO_TICKS(t.utime), NSEC_TO_TICKS(t.stime),
		   NSEC_TO_TICKS(t.cutime), NSEC_TO_TICKS(t.cstime));
	seq_printf(m, " %d %d %d 0 %llu %lu %lu %lu", task_prio(p), task_nice(p), t.threads,
		   NSEC_TO_TICKS(start_time_seen(p)), vsize, rss, t.rsslim);
	seq_printf(m, " %lu %lu %lu %lu %lu", mm ? (permitted ? mm->start_code : 1) : 0,
		   mm ? (permitted ? mm->end_code : 1) : 0, permitted && mm ? mm->start_stack : 0, sp, ip);
	seq_printf(m, " %lu %lu %lu %lu", t.sets.pending.sig[0] & 0x7fffffffUL, t.sets.blocked.sig[0] & 0x7fffffffUL,
		   t.sets.ignored.sig[0] & 0x7fffffffUL, t.sets.caught.sig[0] & 0x7fffffffUL);
	seq_printf(m, " %d 0 0 %d %d %u %u 0 0 0", task_is_running(p) ? 0 : 1, p->exit_signal,
		   task_cpu(p), p->rt_priority, p->policy);
	if (mm && permitted)
		seq_printf(m, " %lu %lu %lu %lu %lu %lu %lu", mm->start_data, mm->end_data, mm->start_brk, mm->arg_start,
			   mm->arg_end, mm->env_start, mm->env_end);
	else
		seq_puts(m, " 0 0 0 0 0 0 0");
	seq_printf(m, " %d\n", permitted ? p->exit_code : 0);
	if (mm)
		mmput(mm);
	return 0;
}

int proc_tid_stat(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	return do_task_stat(m, task, false);
}

int proc_tgid_stat(struct seq_file *m, struct pid *pid, struct task_struct *task)
{
	return do_task_stat(m, task, true);
}
