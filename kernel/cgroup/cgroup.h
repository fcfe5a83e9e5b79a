/*
 * cgroup.h: what the files of kernel/cgroup share.
 *
 * Idea:    core.c has the tree and the controllers, attach.c which task is where, fs.c and file.c show it as files,
 *          base_files.c says what the files are that every group has, freezer.c and pids.c are controllers.
 * Locking: see <weft/cgroup.h> and doc/cgroups.md
 */
#ifndef KERNEL_CGROUP_CGROUP_H
#define KERNEL_CGROUP_CGROUP_H

#include <weft/cgroup.h>
#include <weft/mutex.h>
#include <weft/spinlock.h>

#define CGROUP_NAME_MAX	255

/* An open file of a group. */
struct cgroup_open {
	struct cgroup		*cgroup;	/* its inode holds it */
	const struct cftype	*cft;
	const struct cred	*cred;		/* the opener's, as the open file has them */
	struct cgroup_namespace	*ns;		/* [I] the opener's, + reference */
	atomic_t		seen;		/* events that were there when it was read last */
};

extern struct mutex cgroup_mutex;
extern spinlock_t cgroup_task_lock;
extern const struct cgroup_subsys *const cgroup_subsys[CGROUP_CONTROLLERS];
extern const struct cgroup_subsys cpu_subsys, memory_subsys, pids_subsys;
#define for_each_controller(i) for (int i = 0; i < CGROUP_CONTROLLERS; i++)

static inline bool cgroup_is_root(const struct cgroup *cgrp) { return !cgrp->parent; }
static inline bool cgroup_is_threaded(const struct cgroup *cgrp) { return cgrp->dom != cgrp; }
static inline bool cgroup_is_populated(const struct cgroup *cgrp)
{
	return cgrp->nr_live + cgrp->nr_populated_domain + cgrp->nr_populated_threaded > 0;
}

/* ---- core.c ---- */
/* cgrp and all below it, each before its children.  cgroup_mutex held. */
struct cgroup *cgroup_next_pre(struct cgroup *pos, struct cgroup *top);
#define cgroup_for_each_pre(pos, top) for (pos = (top); pos; pos = cgroup_next_pre(pos, (top)))
bool cgroup_is_below(const struct cgroup *cgrp, const struct cgroup *top);	/* or top itself */
struct cgroup *cgroup_common_ancestor(struct cgroup *a, struct cgroup *b);
int cgroup_lock_live(struct cgroup *cgrp) __cond_acquires(0, &cgroup_mutex);	/* 0, or -ENODEV and not locked */
/* All with cgroup_mutex held: 0 or -errno. */
struct cgroup *cgroup_create(struct cgroup *parent, const char *name, umode_t mode);	/* ERR_PTR */
int cgroup_remove(struct cgroup *cgrp);
struct cgroup *cgroup_find_child(const struct cgroup *cgrp, const char *name, size_t len);
u16 cgroup_available(const struct cgroup *cgrp);	/* controllers that it may hand on */
int cgroup_set_subtree_control(struct cgroup *cgrp, u16 enable, u16 disable);
int cgroup_make_threaded(struct cgroup *cgrp);
const char *cgroup_type_name(const struct cgroup *cgrp);
bool cgroup_is_thread_root(const struct cgroup *cgrp);
int cgroup_may_host_tasks(const struct cgroup *cgrp);	/* -EOPNOTSUPP, -EBUSY */

/* ---- attach.c ---- */
/* whole: the process that tsk leads, else only the thread.  cgroup_mutex held. */
void cgroup_attach(struct cgroup *to, struct task_struct *tsk, bool whole);
void cgroup_move_effective(struct cgroup *cgrp, int controller, struct cgroup_css *to);
struct cgroup *task_get_cgroup(struct task_struct *p);	/* + reference */
/* Numbers of the processes (or threads) in cgrp, in ascending order.  *n of them; the caller frees it; ERR_PTR. */
pid_t *cgroup_pids(struct cgroup *cgrp, bool threads, struct pid_namespace *ns, size_t *n);
void cgroup_kill_all(struct cgroup *cgrp);
/* -EBUSY: there are living tasks.  Else it is dead and its zombies are the parent's. */
int cgroup_empty_for_good(struct cgroup *cgrp);
/* May who opened the file move a task from one to the other?  0, -EACCES, -ENOENT. */
int cgroup_may_move(struct cgroup *from, struct cgroup *to, const struct cgroup_open *open, bool whole);

/* ---- freezer.c: cgroup_task_lock held, unless said ---- */
void cgroup_update_frozen(struct cgroup *cgrp);
void cgroup_freezer_moved(struct task_struct *p, struct cgroup *from, struct cgroup *to);
void cgroup_freezer_born(struct task_struct *p);
void cgroup_set_freeze(struct cgroup *cgrp, bool freeze);	/* takes it; cgroup_mutex held */

/* ---- fs.c ---- */
extern bool cgroup_nsdelegate;			/* mount option: a namespace's root is a border */
extern const struct cftype cgroup_base_files[];
struct cgroup *cgroup_of_file(struct file *file);	/* a group's folder; ERR_PTR(-EBADF) */
int cgroup_may_write_procs(struct cgroup *cgrp);	/* may the running task write its cgroup.procs?  cgroup_mutex held */
void cgroup_fs_removed(struct cgroup *cgrp);		/* its files have gone.  cgroup_mutex held */
void cgroup_fs_notify(struct cgroup *cgrp, unsigned int events);	/* inotify, for a set of events.  May sleep */

/* ---- file.c ---- */
extern const struct file_operations cgroup_file_operations;
const struct cftype *cgroup_cftype(unsigned int number, int *controller);	/* NULL: there are no more */
bool cgroup_file_visible(const struct cgroup *cgrp, unsigned int number);
int cgroup_find_file(const char *name, size_t len);	/* its number, -ENOENT */

/* ---- pids.c ---- */
int pids_try_charge(struct cgroup_css *css);	/* -EAGAIN */
void pids_charge(struct cgroup_css *css);
void pids_uncharge(struct cgroup_css *css);

/* ---- cpu.c ---- */
void cgroup_account(struct task_struct *p, struct cgroup *from);	/* p leaves `from`.  cgroup_task_lock held */
int cgroup_cpu_stat_show(struct seq_file *m, struct cgroup_css *css);

/* ---- what files are made of ---- */
int cgroup_parse_max(char *text, u64 limit, u64 *value);	/* a number, or "max": limit.  0, -EINVAL, -ERANGE */
void cgroup_show_max(struct seq_file *m, u64 value, u64 limit);

#endif
