/*
 * signal.c: sending signals.
 *
 * What:    who may send (check_kill_permission), what a new signal does at once (prepare_signal: stop and continue cancel
 *          each other), queueing it, choosing a thread and waking it (complete_signal), and the ways in: to a thread, a
 *          process, a process group, from a fault.
 * Idea:    a set bit means "pending"; a sigqueue entry carries the details.  Signals below SIGRTMIN are pending once;
 *          real-time signals queue.  When memory or the limit ends, a plain signal is still sent, without its details.
 *          A signal that kills is turned into SIGKILL for every thread at once, so that no thread has to take it first.
 * Locking: all under the target's sighand->siglock, found by lock_task_sighand(), which fails once the task has passed
 *          release_task().  Groups: tasklist_lock (read) around.
 *
 *      sender                                          thread in a wait
 *      siglock                                         state = INTERRUPTIBLE
 *      pending |= bit                                  signal_pending()? no
 *      TIF_SIGPENDING = 1                              schedule()
 *      wake_up_state(INTERRUPTIBLE)                      (under rq lock: signal pending and state allows: stays running)
 *      either the flag is seen, or the task sleeps already and the wake-up finds it
 * See:     signal.h; signal_take.c, signal_sys.c; signal(7); doc/tasks.md
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/init.h>
#include <weft/posix-timers.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/signalfd.h>
#include <weft/slab.h>
#include <weft/pid_namespace.h>
#include <weft/trace.h>
#include "internal.h"

struct kmem_cache *sigqueue_cachep;

void __init signals_init(void)
{
	sigqueue_cachep = KMEM_CACHE(sigqueue, SLAB_PANIC);
}

/* ---- is it ignored ---- */

bool sig_task_ignored(struct task_struct *t, int sig, bool force)
{
	__sighandler_t handler = t->sighand->action[sig - 1].sa.sa_handler;

	/* Nobody kills or stops init; it takes no signal that it has no handler for. */
	if (is_global_init(t) && sig_kernel_only(sig))
		return true;
	if ((t->signal->flags & SIGNAL_UNKILLABLE) && handler == SIG_DFL && !(force && sig_kernel_only(sig)))
		return true;
	return handler == SIG_IGN || (handler == SIG_DFL && sig_kernel_ignore(sig));
}

/* A blocked signal is never ignored: the handler may have changed when it is unblocked. */
static bool sig_ignored(struct task_struct *t, int sig, bool force)
{
	if (sigismember(&t->blocked, sig) || sigismember(&t->real_blocked, sig))
		return false;
	/* A tracer wants to know of it all the same. */
	if (t->ptrace && sig != SIGKILL)
		return false;
	return sig_task_ignored(t, sig, force);
}

/* ---- TIF_SIGPENDING ---- */

static bool has_pending(const sigset_t *signal, const sigset_t *blocked)
{
	return (signal->sig[0] & ~blocked->sig[0]) != 0;
}

/* Sets the flag if there is something; never clears it: another task's flag may be set for a reason we do not see. */
bool recalc_sigpending_tsk(struct task_struct *t)
{
	if ((t->jobctl & (JOBCTL_PENDING_MASK | JOBCTL_TRAP_FREEZE)) || has_pending(&t->pending.signal, &t->blocked) ||
	    has_pending(&t->signal->shared_pending.signal, &t->blocked)) {
		set_tsk_thread_flag(t, TIF_SIGPENDING);
		return true;
	}
	return false;
}

void recalc_sigpending_and_wake(struct task_struct *t)
{
	if (recalc_sigpending_tsk(t))
		signal_wake_up(t, false);
}

void recalc_sigpending(void)
{
	if (!recalc_sigpending_tsk(current))
		clear_thread_flag(TIF_SIGPENDING);
}

void calculate_sigpending(void)
{
	spin_lock_irq(&current->sighand->siglock);
	set_thread_flag(TIF_SIGPENDING);
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
}

/* state: wakes from these as well as from interruptible waits. */
void signal_wake_up_state(struct task_struct *t, unsigned int state)
{
	lockdep_assert_held(&t->sighand->siglock);
	set_tsk_thread_flag(t, TIF_SIGPENDING);
	/* It runs in user mode on another CPU: make it enter the kernel. */
	if (!wake_up_state(t, state | TASK_INTERRUPTIBLE))
		kick_process(t);
}

struct sighand_struct *lock_task_sighand(struct task_struct *tsk, unsigned long *flags)
{
	struct sighand_struct *sighand;

	rcu_read_lock();
	for (;;) {
		sighand = rcu_dereference(tsk->sighand);
		if (!sighand)
			break;
		/* Typesafe by RCU: it is a lock, even if freed meanwhile; whether it is still ours is looked at again. */
		spin_lock_irqsave(&sighand->siglock, *flags);
		if (likely(sighand == READ_ONCE(tsk->sighand)))
			break;
		spin_unlock_irqrestore(&sighand->siglock, *flags);
	}
	rcu_read_unlock();
	return sighand;
}

/* ---- queue entries ---- */

/* Charged to the user of t.  NULL: no memory, or the user is over the limit (override: does not matter). */
struct sigqueue *__sigqueue_alloc(struct task_struct *t, gfp_t gfp, bool override_rlimit)
{
	struct user_struct *user;
	struct sigqueue *q = NULL;
	long pending;

	rcu_read_lock();
	user = get_uid(__task_cred(t)->user);
	rcu_read_unlock();
	pending = atomic_long_inc_return(&user->sigpending);
	if (override_rlimit || (unsigned long)pending <= task_rlimit(t, RLIMIT_SIGPENDING))
		q = kmem_cache_alloc(sigqueue_cachep, gfp);
	if (!q) {
		atomic_long_dec(&user->sigpending);
		free_uid(user);
		return NULL;
	}
	INIT_LIST_HEAD(&q->list);
	q->flags = 0;
	q->user = user;
	return q;
}

void __sigqueue_free(struct sigqueue *q)
{
	if (q->flags & SIGQUEUE_PREALLOC)
		return;		/* the timer's: it stays with it */
	atomic_long_dec(&q->user->sigpending);
	free_uid(q->user);
	kmem_cache_free(sigqueue_cachep, q);
}

void flush_sigqueue(struct sigpending *queue)
{
	struct sigqueue *q, *n;

	sigemptyset(&queue->signal);
	list_for_each_entry_safe(q, n, &queue->list, list) {
		list_del_init(&q->list);
		__sigqueue_free(q);
	}
}

/* All signals of mask go out of the set. */
void flush_sigqueue_mask(const sigset_t *mask, struct sigpending *s)
{
	struct sigqueue *q, *n;

	if (!(s->signal.sig[0] & mask->sig[0]))
		return;
	sigandnsets(&s->signal, &s->signal, mask);
	list_for_each_entry_safe(q, n, &s->list, list) {
		if (sigismember(mask, q->info.si_signo)) {
			list_del_init(&q->list);
			__sigqueue_free(q);
		}
	}
}

void flush_signals(struct task_struct *t)
{
	unsigned long flags;

	spin_lock_irqsave(&t->sighand->siglock, flags);
	clear_tsk_thread_flag(t, TIF_SIGPENDING);
	flush_sigqueue(&t->pending);
	flush_sigqueue(&t->signal->shared_pending);
	spin_unlock_irqrestore(&t->sighand->siglock, flags);
}

/* Expirations of timers that execve deletes: their signals mean nothing to the new program. */
static void flush_timer_signals(struct sigpending *pending)
{
	struct sigqueue *q, *n;
	sigset_t retain;

	sigemptyset(&retain);
	list_for_each_entry(q, &pending->list, list)
		if (q->info.si_code != SI_TIMER)
			sigaddset(&retain, q->info.si_signo);
	list_for_each_entry_safe(q, n, &pending->list, list) {
		if (q->info.si_code != SI_TIMER)
			continue;
		if (!sigismember(&retain, q->info.si_signo))
			sigdelset(&pending->signal, q->info.si_signo);
		list_del_init(&q->list);
		__sigqueue_free(q);
	}
}

void flush_itimer_signals(void)
{
	spin_lock_irq(&current->sighand->siglock);
	flush_timer_signals(&current->pending);
	flush_timer_signals(&current->signal->shared_pending);
	spin_unlock_irq(&current->sighand->siglock);
}

void ignore_signals(struct task_struct *t)
{
	for (int i = 0; i < _NSIG; i++)
		t->sighand->action[i].sa.sa_handler = SIG_IGN;
	flush_signals(t);
}

/* All handlers back to the default.  Ignored ones stay ignored (execve), unless forced. */
void flush_signal_handlers(struct task_struct *t, int force_default)
{
	struct k_sigaction *ka = t->sighand->action;

	for (int i = 0; i < _NSIG; i++, ka++) {
		bool keep = !force_default && ka->sa.sa_handler == SIG_IGN;

		ka->sa = (struct sigaction) { .sa_handler = keep ? SIG_IGN : SIG_DFL };
	}
}

/* ---- what a new signal does at once ---- */

static void flush_in_group(struct task_struct *p, unsigned long mask)
{
	struct task_struct *t;
	sigset_t flush;

	siginitset(&flush, mask);
	flush_sigqueue_mask(&flush, &p->signal->shared_pending);
	for_each_thread(p, t)
		flush_sigqueue_mask(&flush, &t->pending);
}

/* SIGCONT lets everything go on, even if it is blocked or ignored. */
static void continue_group(struct task_struct *p)
{
	struct signal_struct *signal = p->signal;
	unsigned int why = 0;
	struct task_struct *t;

	flush_in_group(p, SIG_KERNEL_STOP_MASK);
	for_each_thread(p, t) {
		task_clear_jobctl_pending(t, JOBCTL_STOP_PENDING);
		if (likely(!(t->ptrace & PT_SEIZED)))
			wake_up_state(t, __TASK_STOPPED);
		else
			ptrace_trap_notify(t);
	}
	/* The parent is told by the first thread that gets to get_signal(): it may want to know of a stop half way, too. */
	if (signal->flags & SIGNAL_STOP_STOPPED)
		why = SIGNAL_CLD_CONTINUED;
	else if (signal->group_stop_count)
		why = SIGNAL_CLD_STOPPED;
	if (why) {
		signal->flags = (signal->flags & ~SIGNAL_STOP_MASK) | why | SIGNAL_STOP_CONTINUED;
		signal->group_stop_count = 0;
		signal->group_exit_code = 0;
	}
}

/* False: the signal need not be queued. */
static bool prepare_signal(int sig, struct task_struct *p, bool force)
{
	/* Only a dump of the condemned group can still be cut short. */
	if (p->signal->flags & SIGNAL_GROUP_EXIT)
		return p->signal->core_state && sig == SIGKILL;
	if (sig_kernel_stop(sig))
		flush_in_group(p, sigmask(SIGCONT));
	else if (sig == SIGCONT)
		continue_group(p);
	return !sig_ignored(p, sig, force);
}

/* ---- who takes it ---- */

/* Not blocked, not exiting, and either running already or free of other signals. */
static bool wants_signal(int sig, struct task_struct *p)
{
	if (sigismember(&p->blocked, sig) || (p->flags & PF_EXITING))
		return false;
	if (sig == SIGKILL)
		return true;
	if (task_is_stopped(p) || task_is_traced(p))
		return false;
	return task_curr(p) || !task_sigpending(p);
}

static struct task_struct *choose_thread(int sig, struct task_struct *p, enum pid_type type)
{
	struct signal_struct *signal = p->signal;
	struct task_struct *t;

	if (wants_signal(sig, p))
		return p;
	if (type == PIDTYPE_PID || thread_group_empty(p))
		return NULL;
	t = signal->curr_target;
	while (!wants_signal(sig, t)) {
		t = next_thread(t);
		if (t == signal->curr_target)
			return NULL;	/* nobody now: whoever unblocks it first */
	}
	signal->curr_target = t;
	return t;
}

/* The signal will kill the group whoever takes it: start at once. */
static bool kills_group(int sig, struct task_struct *p, struct task_struct *t)
{
	return sig_fatal(p, sig) && (p->signal->core_state || !(p->signal->flags & SIGNAL_GROUP_EXIT)) &&
	       !sigismember(&t->real_blocked, sig) &&
	       (sig == SIGKILL || !p->ptrace) && !sig_kernel_coredump(sig);
}

static void complete_signal(int sig, struct task_struct *p, enum pid_type type)
{
	struct signal_struct *signal = p->signal;
	struct task_struct *t = choose_thread(sig, p, type), *other;

	if (!t)
		return;
	if (kills_group(sig, p, t)) {
		signal->flags = SIGNAL_GROUP_EXIT;
		signal->group_exit_code = sig;
		signal->group_stop_count = 0;
		for_each_thread(p, other) {
			task_clear_jobctl_pending(other, JOBCTL_PENDING_MASK);
			sigaddset(&other->pending.signal, SIGKILL);
			signal_wake_up(other, true);
		}
		return;
	}
	signal_wake_up(t, sig == SIGKILL);
}

/* ---- queueing ---- */

static void fill_info(struct sigqueue *q, int sig, struct kernel_siginfo *info, struct task_struct *t)
{
	if (!is_si_special(info)) {
		q->info = *info;
		return;
	}
	clear_siginfo(&q->info);
	q->info.si_signo = sig;
	q->info.si_code = SI_KERNEL;
	if (info == SEND_SIG_NOINFO) {
		q->info.si_code = SI_USER;
		rcu_read_lock();
		q->info.si_pid = task_tgid_nr_ns(current, task_active_pid_ns(t));
		q->info.si_uid = from_kuid_munged(__task_cred(t)->user_ns, current_uid());
		rcu_read_unlock();
	}
}

/* Forks of this group that are under way: their children must get it, too. */
static void note_for_forks(int sig, struct signal_struct *signal)
{
	struct multiprocess_signals *delayed;

	hlist_for_each_entry(delayed, &signal->multiprocess, node) {
		if (sig == SIGCONT)
			sigdelsetmask(&delayed->signal, SIG_KERNEL_STOP_MASK);
		else if (sig_kernel_stop(sig))
			sigdelset(&delayed->signal, SIGCONT);
		sigaddset(&delayed->signal, sig);
	}
}

/* 0, or -EAGAIN: a real-time signal that could not be queued.  type: to this thread (PID), its process, or a group. */
int __send_signal_locked(int sig, struct kernel_siginfo *info, struct task_struct *t, enum pid_type type, bool force)
{
	struct sigpending *pending = type == PIDTYPE_PID ? &t->pending : &t->signal->shared_pending;
	struct sigqueue *q;

	lockdep_assert_held(&t->sighand->siglock);
	trace_signal_generate(sig, is_si_special(info) ? 0 : info->si_code, t->pid, type);
	if (!prepare_signal(sig, t, force))
		return 0;
	if (sig < SIGRTMIN && sigismember(&pending->signal, sig))
		return 0;
	/* SIGKILL's details are never looked at, and kernel threads look at none. */
	if (sig != SIGKILL && !(t->flags & PF_KTHREAD)) {
		bool override = sig < SIGRTMIN && (is_si_special(info) || info->si_code >= 0);

		q = __sigqueue_alloc(t, GFP_ATOMIC, override);
		if (q) {
			fill_info(q, sig, info, t);
			list_add_tail(&q->list, &pending->list);
		} else if (sig >= SIGRTMIN && !is_si_special(info) && info->si_code != SI_USER) {
			return -EAGAIN;
		}
	}
	signalfd_notify(t, sig);
	sigaddset(&pending->signal, sig);
	if (type > PIDTYPE_TGID)
		note_for_forks(sig, t->signal);
	complete_signal(sig, t, type);
	return 0;
}

/* Does the sender, current, stand in a pid namespace above t's, or beside it? */
static bool from_outside(struct task_struct *t)
{
	bool outside;

	rcu_read_lock();
	outside = !task_pid_nr_ns(current, task_active_pid_ns(t));
	rcu_read_unlock();
	return outside;
}

static bool same_namespaces(struct task_struct *t)
{
	bool same;

	rcu_read_lock();
	same = task_active_pid_ns(t) == task_active_pid_ns(current) && __task_cred(t)->user_ns == current_user_ns();
	rcu_read_unlock();
	return same;
}

/* What kill() and the like filled in about current, as the receiver's namespaces know it. */
static void translate_sender(struct kernel_siginfo *info, struct task_struct *t)
{
	rcu_read_lock();
	info->si_uid = from_kuid_munged(__task_cred(t)->user_ns, make_kuid(current_user_ns(), info->si_uid));
	if (info->si_code != SI_QUEUE || from_outside(t))
		info->si_pid = task_tgid_nr_ns(current, task_active_pid_ns(t));
	rcu_read_unlock();
}

/* From outside even an init can be killed, and stopped. */
int send_signal_locked(int sig, struct kernel_siginfo *info, struct task_struct *t, enum pid_type type)
{
	struct kernel_siginfo copy;

	if (info == SEND_SIG_PRIV)
		return __send_signal_locked(sig, info, t, type, true);
	if (info == SEND_SIG_NOINFO)
		return __send_signal_locked(sig, info, t, type, from_outside(t));
	if (SI_FROMKERNEL(info) || likely(same_namespaces(t)))
		return __send_signal_locked(sig, info, t, type, info->si_code == SI_KERNEL);
	copy = *info;
	if (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE)
		translate_sender(&copy, t);
	return __send_signal_locked(sig, &copy, t, type, from_outside(t));
}

/* ---- to one task ---- */

int do_send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *p, enum pid_type type)
{
	unsigned long flags;
	int ret = -ESRCH;

	if (lock_task_sighand(p, &flags)) {
		ret = send_signal_locked(sig, info, p, type);
		unlock_task_sighand(p, &flags);
	}
	return ret;
}

int send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *p)
{
	return valid_signal((unsigned long)sig) ? do_send_sig_info(sig, info, p, PIDTYPE_PID) : -EINVAL;
}

int send_sig(int sig, struct task_struct *p, int priv)
{
	return send_sig_info(sig, priv ? SEND_SIG_PRIV : SEND_SIG_NOINFO, p);
}

int zap_other_threads(struct task_struct *p)
{
	struct task_struct *t;
	int count = 0;

	p->signal->group_stop_count = 0;
	for_each_thread(p, t) {
		if (t == p)
			continue;
		task_clear_jobctl_pending(t, JOBCTL_PENDING_MASK);
		count++;
		if (t->exit_state)
			continue;	/* only the leader can be a zombie here */
		sigaddset(&t->pending.signal, SIGKILL);
		signal_wake_up(t, true);
	}
	return count;
}

/* ---- from faults: must be taken now ---- */

static int force_sig_info_to_task(struct kernel_siginfo *info, struct task_struct *t, bool reset_handler)
{
	int ret, sig = info->si_signo;
	struct k_sigaction *action;
	unsigned long flags;
	bool blocked, ignored;

	spin_lock_irqsave(&t->sighand->siglock, flags);
	action = &t->sighand->action[sig - 1];
	ignored = action->sa.sa_handler == SIG_IGN;
	blocked = sigismember(&t->blocked, sig);
	if (blocked || ignored || reset_handler)
		action->sa.sa_handler = SIG_DFL;
	if (blocked) {
		sigdelset(&t->blocked, sig);
		recalc_sigpending_and_wake(t);
	}
	/* Going on would fault again for ever: even init dies of it. */
	if (action->sa.sa_handler == SIG_DFL && !t->ptrace)
		t->signal->flags &= ~SIGNAL_UNKILLABLE;
	ret = send_signal_locked(sig, info, t, PIDTYPE_PID);
	spin_unlock_irqrestore(&t->sighand->siglock, flags);
	return ret;
}

int force_sig_info(struct kernel_siginfo *info)
{
	return force_sig_info_to_task(info, current, false);
}

static kernel_siginfo_t kernel_info(int sig)
{
	return (kernel_siginfo_t){ .si_signo = sig, .si_code = SI_KERNEL };
}

void force_sig(int sig)
{
	kernel_siginfo_t info = kernel_info(sig);

	force_sig_info_to_task(&info, current, false);
}

/* Without a chance for a handler. */
void force_fatal_sig(int sig)
{
	kernel_siginfo_t info = kernel_info(sig);

	force_sig_info_to_task(&info, current, true);
}

int force_fatal_sig_info(struct kernel_siginfo *info)
{
	return force_sig_info_to_task(info, current, true);
}

void force_exit_sig(int sig)
{
	force_fatal_sig(sig);
}

/* No room for the frame of `sig`.  If that was SIGSEGV's own, its handler is of no use. */
void force_sigsegv(int sig)
{
	if (sig == SIGSEGV)
		force_fatal_sig(SIGSEGV);
	else
		force_sig(SIGSEGV);
}

static kernel_siginfo_t fault_info(int sig, int code, void __user *addr)
{
	kernel_siginfo_t info = { .si_signo = sig, .si_code = code };

	info.si_addr = addr;
	return info;
}

int force_sig_fault_to_task(int sig, int code, void __user *addr, struct task_struct *t)
{
	kernel_siginfo_t info = fault_info(sig, code, addr);

	return force_sig_info_to_task(&info, t, false);
}

int force_sig_fault(int sig, int code, void __user *addr)
{
	return force_sig_fault_to_task(sig, code, addr, current);
}

int send_sig_fault(int sig, int code, void __user *addr, struct task_struct *t)
{
	kernel_siginfo_t info = fault_info(sig, code, addr);

	return send_sig_info(sig, &info, t);
}

/* Would the signal kill it without a word from the program?  Then a message may help. */
bool unhandled_signal(struct task_struct *tsk, int sig)
{
	__sighandler_t handler = tsk->sighand->action[sig - 1].sa.sa_handler;

	return is_global_init(tsk) || handler == SIG_IGN || handler == SIG_DFL;
}

/* ---- to processes and groups, with permission ---- */

static bool same_user(struct task_struct *t)
{
	const struct cred *cred = current_cred(), *tcred = __task_cred(t);

	return cred->euid == tcred->suid || cred->euid == tcred->uid || cred->uid == tcred->suid ||
	       cred->uid == tcred->uid;
}

int check_kill_permission(int sig, struct kernel_siginfo *info, struct task_struct *t)
{
	if (!valid_signal((unsigned long)sig))
		return -EINVAL;
	if (info == SEND_SIG_PRIV || (!is_si_special(info) && SI_FROMKERNEL(info)))
		return 0;
	if (same_thread_group(current, t) || same_user(t) || ns_capable(__task_cred(t)->user_ns, CAP_KILL))
		return 0;
	/* A shell continues its jobs, whatever they have become. */
	if (sig == SIGCONT && task_session(t) == task_session(current))
		return 0;
	return -EPERM;
}

/* sig 0 only asks. */
int group_send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *p, enum pid_type type)
{
	int ret;

	rcu_read_lock();
	ret = check_kill_permission(sig, info, p);
	rcu_read_unlock();
	return ret || !sig ? ret : do_send_sig_info(sig, info, p, type);
}

/* 0 if one member got it. */
int __kill_pgrp_info(int sig, struct kernel_siginfo *info, struct pid *pgrp)
{
	struct task_struct *p;
	bool success = false;
	int ret = -ESRCH;

	do_each_pid_task(pgrp, PIDTYPE_PGID, p) {
		int err = group_send_sig_info(sig, info, p, PIDTYPE_PGID);

		success |= !err;
		ret = err;
	} while_each_pid_task(pgrp, PIDTYPE_PGID, p);
	return success ? 0 : ret;
}

int kill_pid_info(int sig, struct kernel_siginfo *info, struct pid *pid)
{
	struct task_struct *p;
	int err = -ESRCH;

	for (;;) {
		rcu_read_lock();
		p = pid_task(pid, PIDTYPE_PID);
		if (p)
			err = group_send_sig_info(sig, info, p, PIDTYPE_TGID);
		rcu_read_unlock();
		/* It vanished under our hands.  An execve may have exchanged the leader: then there is another one. */
		if (!p || err != -ESRCH)
			return err;
	}
}

int kill_pid(struct pid *pid, int sig, int priv)
{
	return kill_pid_info(sig, priv ? SEND_SIG_PRIV : SEND_SIG_NOINFO, pid);
}

int kill_pgrp(struct pid *pgrp, int sig, int priv)
{
	unsigned long flags;
	int ret;

	read_lock_irqsave(&tasklist_lock, flags);
	ret = __kill_pgrp_info(sig, priv ? SEND_SIG_PRIV : SEND_SIG_NOINFO, pgrp);
	read_unlock_irqrestore(&tasklist_lock, flags);
	return ret;
}

/* All processes of the caller's pid namespace but its init and the caller's own. */
static int kill_all(int sig, struct kernel_siginfo *info)
{
	int ret = 0, count = 0;
	struct task_struct *p;

	for_each_process(p) {
		int err;

		if (task_pid_vnr(p) <= 1 || same_thread_group(p, current))
			continue;
		err = group_send_sig_info(sig, info, p, PIDTYPE_MAX);
		count++;
		if (err != -EPERM)
			ret = err;
	}
	return count ? ret : -ESRCH;
}

/* kill(2): pid > 0 a process, 0 the caller's group, -1 everybody, < -1 the group -pid. */
int kill_something_info(int sig, struct kernel_siginfo *info, pid_t pid)
{
	struct pid *target;
	int ret;

	if (pid > 0) {
		target = find_get_pid(pid);
		ret = target ? kill_pid_info(sig, info, target) : -ESRCH;
		put_pid(target);
		return ret;
	}
	if (pid == INT_MIN)
		return -ESRCH;
	read_lock(&tasklist_lock);
	if (pid == -1)
		ret = kill_all(sig, info);
	else
		ret = __kill_pgrp_info(sig, info, pid ? find_vpid(-pid) : task_pgrp(current));
	read_unlock(&tasklist_lock);
	return ret;
}

/* ---- preallocated entries: a timer's expiry must not fail for want of memory ---- */

struct sigqueue *sigqueue_alloc(void)
{
	struct sigqueue *q = __sigqueue_alloc(current, GFP_KERNEL, false);

	if (q)
		q->flags = SIGQUEUE_PREALLOC;
	return q;
}

/* The timer goes.  If the entry is queued right now, it is freed when it is taken. */
void sigqueue_free(struct sigqueue *q)
{
	spinlock_t *lock = &current->sighand->siglock;
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	q->flags &= ~SIGQUEUE_PREALLOC;
	if (!list_empty(&q->list))
		q = NULL;
	spin_unlock_irqrestore(lock, flags);
	if (q)
		__sigqueue_free(q);
}

int send_sigqueue(struct sigqueue *q, struct pid *pid, enum pid_type type)
{
	int sig = q->info.si_signo, ret = -1;
	struct sigpending *pending;
	struct task_struct *t;
	unsigned long flags;

	rcu_read_lock();
	t = pid_task(pid, type);
	if (!t || !lock_task_sighand(t, &flags))
		goto out;
	ret = 1;	/* ignored */
	if (!prepare_signal(sig, t, false))
		goto unlock;
	ret = 0;
	if (!list_empty(&q->list)) {
		/* The last one has not been taken yet: one more overrun. */
		q->info.si_overrun++;
		goto unlock;
	}
	q->info.si_overrun = 0;
	signalfd_notify(t, sig);
	pending = type != PIDTYPE_PID ? &t->signal->shared_pending : &t->pending;
	list_add_tail(&q->list, &pending->list);
	sigaddset(&pending->signal, sig);
	complete_signal(sig, t, type);
unlock:
	unlock_task_sighand(t, &flags);
out:
	rcu_read_unlock();
	return ret;
}
