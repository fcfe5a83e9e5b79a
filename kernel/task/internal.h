/*
 * internal.h: what the files of kernel/task show to each other and to nobody else.
 */
#ifndef TASK_INTERNAL_H
#define TASK_INTERNAL_H

#include <weft/types.h>
#include <weft/sched.h>

struct rusage;
struct completion;

/* pid.c */
extern struct pid init_struct_pid;
int ksys_setsid(void);
void disable_pid_allocation(void);

/* fork.c */
extern int nr_threads, max_threads;		/* nr_threads [tasklist_lock] */
extern unsigned long total_forks;
DECLARE_PER_CPU(unsigned long, process_counts);
void put_signal_struct(struct signal_struct *sig);
int unshare_files_for_exec(void);

/* capability.c: the sets follow a change of ids */
struct cred;
void cap_fix_setuid(struct cred *new, const struct cred *old);
void cap_fix_setfsuid(struct cred *new, const struct cred *old);

/* init_task.c */
extern struct fs_struct init_fs;

/* signal.c, signal_take.c: the parts of one story in two files */
void recalc_sigpending_tsk_or_clear(struct task_struct *t);
bool has_pending_signals(const sigset_t *signal, const sigset_t *blocked);
bool recalc_sigpending_tsk(struct task_struct *t);
struct sigqueue *__sigqueue_alloc(struct task_struct *t, gfp_t gfp, bool override_rlimit, int flags);
void __sigqueue_free(struct sigqueue *q);
void flush_sigqueue_mask(const sigset_t *mask, struct sigpending *s);
void collect_signal(int sig, struct sigpending *list, kernel_siginfo_t *info, bool *resched_timer);
int next_signal(struct sigpending *pending, const sigset_t *mask);
int check_kill_permission(int sig, struct kernel_siginfo *info, struct task_struct *t);
void prepare_kill_siginfo(int sig, struct kernel_siginfo *info, enum pid_type type);
int kill_something_info(int sig, struct kernel_siginfo *info, pid_t pid);
bool wants_signal(int sig, struct task_struct *p);
extern struct kmem_cache *sigqueue_cachep, *sighand_cachep, *signal_cachep;
/* A fork under way that group signals must also reach: see copy_process(). */
struct multiprocess_signals {
	sigset_t		signal;
	struct hlist_node	node;
};

#endif
