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

/* fork.c */
DECLARE_PER_CPU(unsigned long, process_counts);
void put_signal_struct(struct signal_struct *sig);
struct task_struct *dup_task_struct(struct task_struct *orig);
void mm_release(struct task_struct *tsk, struct mm_struct *mm);
struct sighand_struct *alloc_sighand(void);
extern struct kmem_cache *sighand_cachep, *signal_cachep;

/* wait.c */
long kernel_wait4(pid_t upid, int *stat, int options, struct rusage *ru);

/* exit.c */
void exit_mm(void);			/* current gives up its address space */
bool is_current_pgrp_orphaned(void);
static inline bool is_global_init(const struct task_struct *t) { return t->tgid == 1; }

/* The next thread of t's group, round and round.  siglock, tasklist_lock or RCU. */
static inline struct task_struct *next_thread(const struct task_struct *t)
{
	const struct list_head *head = &t->signal->thread_head;
	struct list_head *next = READ_ONCE(t->thread_node.next);

	return list_entry(next == head ? READ_ONCE(head->next) : next, struct task_struct, thread_node);
}
static inline bool task_is_stopped(const struct task_struct *t) { return (READ_ONCE(t->__state) & __TASK_STOPPED) != 0; }

/* capability.c: the sets follow a change of ids */
struct cred;
void cap_fix_setuid(struct cred *new, const struct cred *old);
void cap_fix_setfsuid(struct cred *new, const struct cred *old);

/* signal.c (send), signal_take.c (take, stop), signal_sys.c: one story in three files.  siglock held unless said. */
bool recalc_sigpending_tsk(struct task_struct *t);
struct sigqueue *__sigqueue_alloc(struct task_struct *t, gfp_t gfp, bool override_rlimit);
void __sigqueue_free(struct sigqueue *q);
void flush_sigqueue_mask(const sigset_t *mask, struct sigpending *s);
int next_signal(const struct sigpending *pending, const sigset_t *mask);
void collect_signal(int sig, struct sigpending *list, kernel_siginfo_t *info, bool *resched_timer);
void retarget_shared_pending(struct task_struct *tsk, const sigset_t *which);
int __send_signal_locked(int sig, struct kernel_siginfo *info, struct task_struct *t, enum pid_type type, bool force);
int check_kill_permission(int sig, struct kernel_siginfo *info, struct task_struct *t);	/* RCU */
void prepare_kill_siginfo(int sig, struct kernel_siginfo *info, enum pid_type type);
int kill_something_info(int sig, struct kernel_siginfo *info, pid_t pid);
bool task_participate_group_stop(struct task_struct *task);
extern struct kmem_cache *sigqueue_cachep;

/* ---- kstack.c ---- */
void *alloc_thread_stack(void);
void free_thread_stack(void *stack);

/* A fork under way that group signals must also reach: see copy_process(). */
struct multiprocess_signals {
	sigset_t		signal;
	struct hlist_node	node;
};

#endif
