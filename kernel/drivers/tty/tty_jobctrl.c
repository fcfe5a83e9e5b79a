/*
 * tty_jobctrl.c: sessions, process groups and the terminal that controls them.
 *
 * What:    who may read and write (the foreground group), who gets the terminal's signals, how a session gets its
 *          controlling terminal and loses it.
 * Idea:    tty->session and tty->pgrp say whose the terminal is; signal->tty says which terminal a process has.  The two
 *          directions change together, under siglock and ctrl_lock.
 * Locking: tasklist_lock -> siglock -> ctrl_lock.  A session does not change under tasklist_lock; signal->tty changes
 *          only under siglock, each with a reference on the tty.
 * See:     spec.md §7, §10; credentials(7), tcsetpgrp(3), ioctl_tty(2); doc/terminals.md
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/pid.h>
#include <weft/cred.h>
#include <weft/fs.h>
#include <weft/uaccess.h>
#include <weft/errno.h>
#include <uapi/ioctls.h>
#include "internal.h"

static bool is_ignored(int sig)
{
	return sigismember(&current->blocked, sig) || current->sighand->action[sig - 1].sa.sa_handler == SIG_IGN;
}

/* What a background process that wants the terminal gets. */
static int stop_background(struct pid *pgrp, int sig)
{
	if (is_ignored(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (is_current_pgrp_orphaned())
		return -EIO;		/* nobody could continue it */
	kill_pgrp(pgrp, sig, 1);
	set_thread_flag(TIF_SIGPENDING);
	return -ERESTARTSYS;
}

int __tty_check_change(struct tty_struct *tty, int sig)
{
	struct pid *pgrp, *foreground;
	int ret = 0;

	if (READ_ONCE(current->signal->tty) != tty)
		return 0;
	pgrp = get_task_pid(current, PIDTYPE_PGID);
	foreground = tty_get_pgrp(tty);
	if (foreground && pgrp != foreground)
		ret = stop_background(pgrp, sig);
	put_pid(foreground);
	put_pid(pgrp);
	return ret;
}

int tty_check_change(struct tty_struct *tty)
{
	return __tty_check_change(tty, SIGTTOU);
}

struct pid *tty_get_pgrp(struct tty_struct *tty)
{
	unsigned long flags;
	struct pid *pgrp;

	spin_lock_irqsave(&tty->ctrl_lock, flags);
	pgrp = get_pid(tty->pgrp);
	spin_unlock_irqrestore(&tty->ctrl_lock, flags);
	return pgrp;
}

/* ---- having a controlling terminal ---- */

struct tty_struct *get_current_tty(void)
{
	struct tty_struct *tty;
	unsigned long flags;

	spin_lock_irqsave(&current->sighand->siglock, flags);
	tty = tty_kref_get(current->signal->tty);
	spin_unlock_irqrestore(&current->sighand->siglock, flags);
	return tty;
}

void proc_clear_tty(struct task_struct *p)
{
	struct tty_struct *tty;
	unsigned long flags;

	spin_lock_irqsave(&p->sighand->siglock, flags);
	tty = p->signal->tty;
	p->signal->tty = NULL;
	spin_unlock_irqrestore(&p->sighand->siglock, flags);
	tty_kref_put(tty);
}

/* tasklist_lock held: no process of the session has it as controlling terminal any more. */
void session_clear_tty(struct pid *session)
{
	struct task_struct *p;

	do_each_pid_task(session, PIDTYPE_SID, p) {
		proc_clear_tty(p);
	} while_each_pid_task(session, PIDTYPE_SID, p);
}

/* The running task's session gets tty.  siglock held, interrupts off. */
static void __proc_set_tty(struct tty_struct *tty)
{
	lockdep_assert_held(&current->sighand->siglock);
	spin_lock(&tty->ctrl_lock);
	put_pid(tty->session);
	put_pid(tty->pgrp);
	tty->pgrp = get_pid(task_pgrp(current));
	tty->session = get_pid(task_session(current));
	spin_unlock(&tty->ctrl_lock);
	tty_kref_put(current->signal->tty);
	put_pid(current->signal->tty_old_pgrp);
	current->signal->tty = tty_kref_get(tty);
	current->signal->tty_old_pgrp = NULL;
}

/* open() without O_NOCTTY: a leader without a terminal gets one that is nobody's.  tty_lock held. */
void tty_open_proc_set_tty(struct file *filp, struct tty_struct *tty)
{
	read_lock(&tasklist_lock);
	spin_lock_irq(&current->sighand->siglock);
	if (current->signal->leader && !current->signal->tty && !tty->session && (filp->f_mode & FMODE_READ))
		__proc_set_tty(tty);
	spin_unlock_irq(&current->sighand->siglock);
	read_unlock(&tasklist_lock);
}

/*
 * Tells the session that its terminal is gone: SIGHUP and SIGCONT to the leader, with exit_session also SIGHUP to the
 * foreground group.  Takes the terminal from every process; returns the references that they held, for the caller to put.
 */
int tty_signal_session_leader(struct tty_struct *tty, int exit_session)
{
	struct pid *pgrp = NULL;
	struct task_struct *p;
	int refs = 0;

	read_lock(&tasklist_lock);
	do_each_pid_task(tty->session, PIDTYPE_SID, p) {
		spin_lock_irq(&p->sighand->siglock);
		if (p->signal->tty == tty) {
			p->signal->tty = NULL;
			refs++;
		}
		if (p->signal->leader) {
			send_signal_locked(SIGHUP, SEND_SIG_PRIV, p, PIDTYPE_TGID);
			send_signal_locked(SIGCONT, SEND_SIG_PRIV, p, PIDTYPE_TGID);
			put_pid(p->signal->tty_old_pgrp);
			put_pid(pgrp);
			spin_lock(&tty->ctrl_lock);
			pgrp = get_pid(tty->pgrp);
			p->signal->tty_old_pgrp = get_pid(tty->pgrp);
			spin_unlock(&tty->ctrl_lock);
		}
		spin_unlock_irq(&p->sighand->siglock);
	} while_each_pid_task(tty->session, PIDTYPE_SID, p);
	read_unlock(&tasklist_lock);

	if (pgrp && exit_session)
		kill_pgrp(pgrp, SIGHUP, exit_session);
	put_pid(pgrp);
	return refs;
}

/* The leader lets go of tty: its foreground group hears of it, or the whole line is hung up. */
static void leave_tty(struct tty_struct *tty, int on_exit)
{
	struct pid *pgrp;

	if (on_exit && tty->driver->type != TTY_DRIVER_TYPE_PTY) {
		tty_vhangup_session(tty);
		return;
	}
	pgrp = tty_get_pgrp(tty);
	if (pgrp) {
		kill_pgrp(pgrp, SIGHUP, on_exit);
		if (!on_exit)
			kill_pgrp(pgrp, SIGCONT, on_exit);
		put_pid(pgrp);
	}
}

static struct pid *take_old_pgrp(void)
{
	struct pid *old;

	spin_lock_irq(&current->sighand->siglock);
	old = current->signal->tty_old_pgrp;
	current->signal->tty_old_pgrp = NULL;
	spin_unlock_irq(&current->sighand->siglock);
	return old;
}

/* on_exit: the running session leader exits; else TIOCNOTTY.  May sleep. */
void disassociate_ctty(int on_exit)
{
	struct tty_struct *tty;
	struct pid *old;

	if (!current->signal->leader)
		return;
	tty = get_current_tty();
	if (tty) {
		leave_tty(tty, on_exit);
		tty_kref_put(tty);
	} else if (on_exit) {
		/* The terminal was hung up earlier; its foreground group of that time may still be there, stopped. */
		old = take_old_pgrp();
		if (old) {
			kill_pgrp(old, SIGHUP, on_exit);
			kill_pgrp(old, SIGCONT, on_exit);
			put_pid(old);
		}
		return;
	}
	put_pid(take_old_pgrp());
	tty = get_current_tty();
	if (tty) {
		tty_lock(tty);
		spin_lock_irq(&tty->ctrl_lock);
		put_pid(tty->session);
		put_pid(tty->pgrp);
		tty->session = NULL;
		tty->pgrp = NULL;
		spin_unlock_irq(&tty->ctrl_lock);
		tty_unlock(tty);
		tty_kref_put(tty);
	}
	read_lock(&tasklist_lock);
	session_clear_tty(task_session(current));
	read_unlock(&tasklist_lock);
}

void no_tty(void)
{
	disassociate_ctty(0);
	proc_clear_tty(current);
}

/* ---- ioctls ---- */

/* TIOCSCTTY.  arg 1 with the right for it: takes the terminal from another session. */
static int tiocsctty(struct tty_struct *tty, struct file *file, int arg)
{
	int ret = 0;

	tty_lock(tty);
	read_lock(&tasklist_lock);
	if (current->signal->leader && task_session(current) == tty->session)
		goto out;
	ret = -EPERM;
	if (!current->signal->leader || current->signal->tty)
		goto out;
	if (tty->session) {
		if (arg != 1 || !capable(CAP_SYS_ADMIN))
			goto out;
		session_clear_tty(tty->session);
	}
	if (!(file->f_mode & FMODE_READ) && !capable(CAP_SYS_ADMIN))
		goto out;
	spin_lock_irq(&current->sighand->siglock);
	__proc_set_tty(tty);
	spin_unlock_irq(&current->sighand->siglock);
	ret = 0;
out:
	read_unlock(&tasklist_lock);
	tty_unlock(tty);
	return ret;
}

static int tiocgpgrp(struct tty_struct *tty, struct tty_struct *real_tty, pid_t __user *p)
{
	struct pid *pid;
	int nr;

	if (tty == real_tty && current->signal->tty != real_tty)
		return -ENOTTY;
	pid = tty_get_pgrp(real_tty);
	nr = pid_vnr(pid);
	put_pid(pid);
	return put_user(nr, p);
}

/* The session of a group: any member tells.  RCU held. */
static struct pid *session_of_pgrp(struct pid *pgrp)
{
	struct task_struct *p = pid_task(pgrp, PIDTYPE_PGID);

	if (!p)
		p = pid_task(pgrp, PIDTYPE_PID);
	return p ? task_session(p) : NULL;
}

static int set_foreground(struct tty_struct *tty, pid_t nr)
{
	struct pid *pgrp;
	int ret = 0;

	rcu_read_lock();
	spin_lock_irq(&tty->ctrl_lock);
	pgrp = find_vpid(nr);
	if (current->signal->tty != tty || tty->session != task_session(current)) {
		ret = -ENOTTY;
	} else if (!pgrp) {
		ret = -ESRCH;
	} else if (session_of_pgrp(pgrp) != task_session(current)) {
		ret = -EPERM;
	} else {
		put_pid(tty->pgrp);
		tty->pgrp = get_pid(pgrp);
	}
	spin_unlock_irq(&tty->ctrl_lock);
	rcu_read_unlock();
	return ret;
}

static int tiocspgrp(struct tty_struct *real_tty, pid_t __user *p)
{
	int ret = tty_check_change(real_tty);
	pid_t nr;

	if (ret == -EIO)
		return -ENOTTY;
	if (ret)
		return ret;
	if (get_user(nr, p))
		return -EFAULT;
	return nr < 0 ? -EINVAL : set_foreground(real_tty, nr);
}

static int tiocgsid(struct tty_struct *tty, struct tty_struct *real_tty, pid_t __user *p)
{
	pid_t sid;

	if (tty == real_tty && current->signal->tty != real_tty)
		return -ENOTTY;
	spin_lock_irq(&real_tty->ctrl_lock);
	sid = pid_vnr(real_tty->session);
	spin_unlock_irq(&real_tty->ctrl_lock);
	return sid ? put_user(sid, p) : -ENOTTY;
}

/* real_tty: the slave, when tty is a pty's master.  -ENOIOCTLCMD: not one of these. */
long tty_jobctrl_ioctl(struct tty_struct *tty, struct tty_struct *real_tty, struct file *file,
		       unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case TIOCNOTTY:
		if (current->signal->tty != tty)
			return -ENOTTY;
		no_tty();
		return 0;
	case TIOCSCTTY:
		return tiocsctty(real_tty, file, arg);
	case TIOCGPGRP:
		return tiocgpgrp(tty, real_tty, p);
	case TIOCSPGRP:
		return tiocspgrp(real_tty, p);
	case TIOCGSID:
		return tiocgsid(tty, real_tty, p);
	default:
		return -ENOIOCTLCMD;
	}
}
