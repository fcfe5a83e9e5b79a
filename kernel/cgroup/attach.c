/*
 * attach.c: which task is in which group: fork, exit, and moving.
 *
 * Idea:    a task that is not in the root stands in its group's list, until it is released; as long as it lives it makes the
 *          group and all above populated.  Birth, death and release happen under tasklist_lock for writing, as they did
 *          before there were groups; whoever moves tasks holds it for reading.  So a process moves as a whole, and a task
 *          that is born or dies meanwhile does so before or after:
 *
 *              fork                                        write to cgroup.procs
 *              cgroup_can_fork(): counted where the
 *                parent is (pids.max)
 *                                                          tasklist_lock (read)
 *                                                            moves the parent with all its threads
 *              tasklist_lock (write): visible;
 *                cgroup_post_fork(): goes where the
 *                parent is now, and is counted there
 *
 *          cgroup.kill holds tasklist_lock, too: a child is in the list by then, or its parent sees that it was killed.
 * Locking: tasklist_lock -> cgroup_task_lock -> siglock, pi_lock.
 * See:     core.c; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/nsproxy.h>
#include <weft/pid.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/sort.h>
#include "cgroup.h"

DEFINE_SPINLOCK(cgroup_task_lock);

/* ---- populated or not ---- */

/* cgrp has n more (or fewer) living tasks.  Those above are told when that makes a difference. */
static void count_live(struct cgroup *cgrp, int n)
{
	bool was = cgroup_is_populated(cgrp), is;
	struct cgroup *parent;

	cgrp->nr_live += (unsigned int)n;
	for (; !cgroup_is_root(cgrp); cgrp = parent) {
		is = cgroup_is_populated(cgrp);
		if (is == was)
			return;
		cgroup_notify(cgrp, CGROUP_EVENT_CORE);
		parent = cgrp->parent;
		was = cgroup_is_populated(parent);
		if (cgroup_is_threaded(cgrp))
			parent->nr_populated_threaded += is ? 1U : -1U;
		else
			parent->nr_populated_domain += is ? 1U : -1U;
	}
}

static void tell_controllers(struct task_struct *p, struct cgroup *from, struct cgroup *to)
{
	struct cgroup_css *old, *new;

	for_each_controller(i) {
		old = rcu_dereference_protected(from->e_css[i], true);
		new = rcu_dereference_protected(to->e_css[i], true);
		if (old != new && cgroup_subsys[i]->move)
			cgroup_subsys[i]->move(p, old, new);
	}
}

/* tasklist_lock and cgroup_task_lock held. */
static void move_task(struct task_struct *p, struct cgroup *to)
{
	struct cgroup *from = p->cgroup;

	if (from == to)
		return;
	tell_controllers(p, from, to);
	cgroup_account(p, from);
	if (!cgroup_is_root(from))
		list_del_init(&p->cgroup_node);
	if (!cgroup_is_root(to)) {
		list_add_tail(&p->cgroup_node, &to->tasks);
		cgroup_get(to);
	}
	rcu_assign_pointer(p->cgroup, to);
	if (!p->exit_state) {
		if (!cgroup_is_root(to))
			count_live(to, 1);
		if (!cgroup_is_root(from))
			count_live(from, -1);
		cgroup_freezer_moved(p, from, to);
	}
	if (!cgroup_is_root(from))
		cgroup_put(from);
}

void cgroup_attach(struct cgroup *to, struct task_struct *tsk, bool whole)
{
	struct task_struct *t;

	read_lock(&tasklist_lock);
	spin_lock_irq(&cgroup_task_lock);
	if (pid_alive(tsk)) {
		if (whole)
			for_each_thread(tsk, t)
				move_task(t, to);
		else
			move_task(tsk, to);
	}
	spin_unlock_irq(&cgroup_task_lock);
	read_unlock(&tasklist_lock);
}

/* cgrp, and all below it without one of its own, get another part of a controller: their tasks are charged anew. */
void cgroup_move_effective(struct cgroup *cgrp, int i, struct cgroup_css *to)
{
	const struct cgroup_subsys *ss = cgroup_subsys[i];
	struct cgroup_css *from = rcu_dereference_protected(cgrp->e_css[i], true);
	struct cgroup *pos;
	struct task_struct *p;

	lockdep_assert_held(&cgroup_mutex);
	spin_lock_irq(&cgroup_task_lock);
	cgroup_for_each_pre(pos, cgrp) {
		if (rcu_access_pointer(pos->e_css[i]) != from)
			continue;
		if (ss->move)
			list_for_each_entry(p, &pos->tasks, cgroup_node)
				ss->move(p, from, to);
		rcu_assign_pointer(pos->e_css[i], to);
	}
	spin_unlock_irq(&cgroup_task_lock);
}

struct cgroup *task_get_cgroup(struct task_struct *p)
{
	struct cgroup *cgrp;

	spin_lock_irq(&cgroup_task_lock);
	cgrp = p->cgroup;
	cgroup_get(cgrp);
	spin_unlock_irq(&cgroup_task_lock);
	return cgrp;
}

int cgroup_may_move(struct cgroup *from, struct cgroup *to, const struct cgroup_open *open, bool whole)
{
	const struct cred *saved;
	int err;

	/* A border may be crossed neither way from inside. */
	if (cgroup_nsdelegate && (!cgroup_is_below(from, open->ns->root) || !cgroup_is_below(to, open->ns->root)))
		return -ENOENT;
	saved = override_creds(open->cred);
	err = cgroup_may_write_procs(cgroup_common_ancestor(from, to));
	revert_creds(saved);
	if (err)
		return err;
	err = cgroup_may_host_tasks(to);
	if (err)
		return err;
	return !whole && from->dom != to->dom ? -EOPNOTSUPP : 0;
}

/* ---- fork ---- */

/* The group whose folder the descriptor is, if a child may be born into it.  Then cgroup_mutex is held. */
static struct cgroup *fork_target(int fd, bool thread) __no_context_analysis	/* locked if it succeeds */
{
	struct file *file = fget((unsigned int)fd);
	struct cgroup_open open = { .cred = current_cred(), .ns = current->nsproxy->cgroup };
	struct cgroup *cgrp, *from;
	int err;

	if (!file)
		return ERR_PTR(-EBADF);
	cgrp = cgroup_of_file(file);
	if (IS_ERR(cgrp)) {
		fput(file);
		return cgrp;
	}
	err = cgroup_lock_live(cgrp);
	if (!err) {
		cgroup_get(cgrp);
		from = task_get_cgroup(current);
		err = cgroup_may_write_procs(cgrp);
		if (!err)
			err = cgroup_may_move(from, cgrp, &open, !thread);
		cgroup_put(from);
		if (err) {
			mutex_unlock(&cgroup_mutex);
			cgroup_put(cgrp);
		}
	}
	fput(file);
	return err ? ERR_PTR(err) : cgrp;
}

int cgroup_can_fork(struct task_struct *p, const struct kernel_clone_args *args, struct cgroup_fork *fork)
	__no_context_analysis	/* keeps cgroup_mutex until cgroup_fork_done() for CLONE_INTO_CGROUP */
{
	struct cgroup *cgrp;
	int err;

	if (args->flags & CLONE_INTO_CGROUP) {
		cgrp = fork_target(args->cgroup, args->flags & CLONE_THREAD);
		if (IS_ERR(cgrp))
			return PTR_ERR(cgrp);
		fork->into = true;
		if (!cgroup_is_root(cgrp))
			p->cgroup = cgrp;	/* with the reference */
		else
			cgroup_put(cgrp);
	} else if (likely(READ_ONCE(current->cgroup) == &cgroup_root)) {
		return 0;
	}
	rcu_read_lock();
	fork->pids = task_css(fork->into ? p : current, CGROUP_PIDS);
	if (fork->pids && !css_tryget(fork->pids))
		fork->pids = NULL;		/* it is being disabled */
	rcu_read_unlock();
	if (!fork->pids)
		return 0;
	err = pids_try_charge(fork->pids);
	if (err) {
		css_put(fork->pids);
		fork->pids = NULL;
		cgroup_fork_done(fork);
	}
	return err;
}

void cgroup_fork_done(struct cgroup_fork *fork) __no_context_analysis	/* as above */
{
	if (fork->pids)
		css_put(fork->pids);
	if (unlikely(fork->into))
		mutex_unlock(&cgroup_mutex);
	*fork = (struct cgroup_fork){ 0 };
}

void cgroup_cancel_fork(struct task_struct *p, struct cgroup_fork *fork)
{
	if (fork->pids)
		pids_uncharge(fork->pids);
	cgroup_fork_done(fork);
}

/* From where it was counted to where it is.  cgroup_task_lock held. */
static void settle_pids(struct task_struct *p, struct cgroup_fork *fork)
{
	struct cgroup_css *css = rcu_dereference_protected(p->cgroup->e_css[CGROUP_PIDS], true);

	if (likely(css == fork->pids))
		return;
	if (css)
		pids_charge(css);
	if (fork->pids)
		pids_uncharge(fork->pids);
}

void cgroup_post_fork(struct task_struct *p, struct cgroup_fork *fork)
{
	struct cgroup *cgrp = fork->into ? p->cgroup : current->cgroup;

	if (likely(cgrp == &cgroup_root && !fork->pids))
		return;
	spin_lock(&cgroup_task_lock);
	if (cgrp != &cgroup_root) {
		if (!fork->into)
			cgroup_get(cgrp);
		rcu_assign_pointer(p->cgroup, cgrp);
		p->cgroup_since[0] = p->cgroup_since[1] = 0;
		list_add_tail(&p->cgroup_node, &cgrp->tasks);
		count_live(cgrp, 1);
		cgroup_freezer_born(p);
		for_each_controller(i)
			if (i != CGROUP_PIDS && cgroup_subsys[i]->move && rcu_access_pointer(cgrp->e_css[i]))
				cgroup_subsys[i]->move(p, NULL, rcu_dereference_protected(cgrp->e_css[i], true));
	}
	settle_pids(p, fork);
	spin_unlock(&cgroup_task_lock);
}

/* ---- exit ---- */

void __cgroup_exit(struct task_struct *p)
{
	struct cgroup *cgrp = p->cgroup;

	spin_lock(&cgroup_task_lock);
	if (p->cgroup_frozen) {
		p->cgroup_frozen = false;
		cgrp->nr_frozen--;
	}
	count_live(cgrp, -1);
	cgroup_update_frozen(cgrp);
	spin_unlock(&cgroup_task_lock);
}

void __cgroup_release(struct task_struct *p)
{
	spin_lock(&cgroup_task_lock);
	list_del_init(&p->cgroup_node);
	tell_controllers(p, p->cgroup, &cgroup_root);
	cgroup_account(p, p->cgroup);
	spin_unlock(&cgroup_task_lock);
}

int cgroup_empty_for_good(struct cgroup *cgrp)
{
	struct task_struct *p, *n;
	int err = 0;

	read_lock(&tasklist_lock);
	spin_lock_irq(&cgroup_task_lock);
	if (cgroup_is_populated(cgrp)) {
		err = -EBUSY;
	} else {
		cgrp->dead = true;
		list_for_each_entry_safe(p, n, &cgrp->tasks, cgroup_node)
			move_task(p, cgrp->parent);
		cgrp->parent->used[0] += cgrp->used[0];
		cgrp->parent->used[1] += cgrp->used[1];
	}
	spin_unlock_irq(&cgroup_task_lock);
	read_unlock(&tasklist_lock);
	return err;
}

/* ---- who is in a group ---- */

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

struct pid_list {
	pid_t			*pids;
	size_t			n, room;
	struct pid_namespace	*ns;
	bool			threads;
};

/* Those that fit; all are counted. */
static void list_task(struct pid_list *list, struct task_struct *p)
{
	pid_t nr;

	if (p->exit_state)
		return;
	nr = list->threads ? task_pid_nr_ns(p, list->ns) : task_tgid_nr_ns(p, list->ns);
	if (list->n < list->room)
		list->pids[list->n] = nr;
	list->n++;
}

static void list_cgroup(struct pid_list *list, struct cgroup *cgrp)
{
	struct task_struct *p, *t;

	if (!cgroup_is_root(cgrp)) {
		list_for_each_entry(p, &cgrp->tasks, cgroup_node)
			list_task(list, p);
		return;
	}
	for_each_process_thread(p, t)
		if (t->cgroup == cgrp)
			list_task(list, t);
}

/* Of a process that is spread over threaded groups the whole belongs to where its resources are counted. */
static void list_all(struct pid_list *list, struct cgroup *cgrp)
{
	struct cgroup *pos;

	list->n = 0;
	read_lock(&tasklist_lock);
	spin_lock_irq(&cgroup_task_lock);
	if (list->threads) {
		list_cgroup(list, cgrp);
	} else {
		cgroup_for_each_pre(pos, cgrp)
			if (pos->dom == cgrp)
				list_cgroup(list, pos);
	}
	spin_unlock_irq(&cgroup_task_lock);
	read_unlock(&tasklist_lock);
}

static size_t sort_unique(pid_t *pids, size_t n)
{
	size_t kept = 0;

	sort(pids, n, sizeof(*pids), compare_pids, NULL);
	for (size_t i = 0; i < n; i++)
		if (!kept || pids[i] != pids[kept - 1])
			pids[kept++] = pids[i];
	return kept;
}

pid_t *cgroup_pids(struct cgroup *cgrp, bool threads, struct pid_namespace *ns, size_t *n)
{
	struct pid_list list = { .ns = ns, .threads = threads, .room = 128 };

	for (;;) {
		list.pids = kvmalloc(list.room * sizeof(pid_t), GFP_KERNEL);
		if (!list.pids)
			return ERR_PTR(-ENOMEM);
		mutex_lock(&cgroup_mutex);
		list_all(&list, cgrp);
		mutex_unlock(&cgroup_mutex);
		if (list.n <= list.room)
			break;
		kvfree(list.pids);
		list.room = list.n + list.n / 2;	/* more may come meanwhile */
	}
	*n = sort_unique(list.pids, list.n);
	return list.pids;
}

void cgroup_kill_all(struct cgroup *cgrp)
{
	struct task_struct *p;
	struct cgroup *pos;

	lockdep_assert_held(&cgroup_mutex);
	read_lock(&tasklist_lock);
	spin_lock_irq(&cgroup_task_lock);
	cgroup_for_each_pre(pos, cgrp)
		list_for_each_entry(p, &pos->tasks, cgroup_node)
			if (!p->exit_state && !(p->signal->flags & SIGNAL_GROUP_EXIT))
				do_send_sig_info(SIGKILL, SEND_SIG_NOINFO, p, PIDTYPE_TGID);
	spin_unlock_irq(&cgroup_task_lock);
	read_unlock(&tasklist_lock);
}
