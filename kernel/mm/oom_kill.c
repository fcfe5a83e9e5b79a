/*
 * oom_kill.c: no memory is left and nothing more can be reclaimed: one process is killed, so that the others can go on.
 *
 * Idea:    the process that uses the most memory dies, its owner's wish (oom_score_adj) considered.  It may then use the
 *          page allocator's reserves (tsk_is_oom_victim), so that it gets to its exit, which frees its memory.  Nobody else
 *          is killed meanwhile, unless it has not ended after VICTIM_PATIENCE: then it is stuck, and given up.
 *
 *          victim:  chosen (signal->oom_mm, TIF_MEMDIE, SIGKILL) -> exit_mm() -> exit_oom_victim()
 *
 * Locking: oom_lock: one search at a time, always taken with trylock by the page allocator.  The search runs under RCU;
 *          task_lock holds a task's mm in place.  signal->oom_mm is set once, under task_lock of the thread that has the mm,
 *          and holds an mm_count until the signal_struct goes.
 * See:     spec.md §6 "OOM killer"; page_alloc.c kill_for_memory()
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/jiffies.h>
#include <weft/memcontrol.h>
#include <weft/mm.h>
#include <weft/mutex.h>
#include <weft/oom.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <weft/vmstat.h>

#define KB(pages)	((pages) << (PAGE_SHIFT - 10))
#define VICTIM_PATIENCE	(5 * HZ)

DEFINE_MUTEX(oom_lock);
static atomic_t nr_victims = ATOMIC_INIT(0);	/* tasks with TIF_MEMDIE that still have their mm */
static unsigned long last_kill;			/* [oom_lock] jiffies */

struct task_struct *find_lock_task_mm(struct task_struct *p) __no_context_analysis	/* locks the task that it returns */
{
	struct task_struct *t;

	rcu_read_lock();
	for_each_thread(p, t) {
		task_lock(t);
		if (t->mm)
			goto found;
		task_unlock(t);
	}
	t = NULL;
found:
	rcu_read_unlock();
	return t;
}

static bool is_unkillable(struct task_struct *p)
{
	return p->signal == init_task.signal || p->pid == 1 || (p->flags & PF_KTHREAD);
}

/* Resident and swapped pages and page tables, plus oom_score_adj thousandths of all memory. */
long oom_badness(struct task_struct *p, unsigned long totalpages)
{
	long points, adj;

	if (is_unkillable(p))
		return LONG_MIN;
	p = find_lock_task_mm(p);
	if (!p)
		return LONG_MIN;
	lockdep_assert_held(&p->alloc_lock);
	adj = p->signal->oom_score_adj;
	if (adj == OOM_SCORE_ADJ_MIN || (READ_ONCE(p->mm->flags) & (1UL << MMF_OOM_SKIP))) {
		task_unlock(p);
		return LONG_MIN;
	}
	points = (long)(get_mm_rss(p->mm) + get_mm_counter(p->mm, MM_SWAPENTS) + mm_pgtables_bytes(p->mm) / PAGE_SIZE);
	task_unlock(p);
	return points + adj * (long)(totalpages / 1000);
}

/* Marks the task, whose mm is held in place by task_lock, as the one that dies. */
static void mark_oom_victim(struct task_struct *t)
{
	lockdep_assert_held(&t->alloc_lock);
	if (test_and_set_tsk_thread_flag(t, TIF_MEMDIE))
		return;
	if (!cmpxchg(&t->signal->oom_mm, NULL, t->mm))
		mmgrab(t->mm);
	atomic_inc(&nr_victims);
}

void exit_oom_victim(void)
{
	clear_thread_flag(TIF_MEMDIE);
	atomic_dec(&nr_victims);
}

/* An earlier victim is still on its way out: true, so wait; false if it had time enough, and then it is not counted on. */
static bool victim_pending(struct task_struct *p)
{
	struct mm_struct *mm = p->signal->oom_mm;

	if (!mm || (READ_ONCE(mm->flags) & (1UL << MMF_OOM_SKIP)) || !atomic_read(&nr_victims))
		return false;
	if (time_before(jiffies, last_kill + VICTIM_PATIENCE))
		return true;
	set_bit(MMF_OOM_SKIP, &mm->flags);
	return false;
}

/* oc->chosen gets a reference.  False: an earlier victim is to be waited for. */
static bool select_victim(struct oom_control *oc)
{
	struct task_struct *p;
	bool found_pending = false;

	oc->chosen = NULL;
	oc->chosen_points = LONG_MIN;
	rcu_read_lock();
	for_each_process(p) {
		long points;

		if (oc->memcg && !mem_cgroup_has_task(oc->memcg, p))
			continue;
		found_pending = victim_pending(p);
		if (found_pending)
			break;
		points = oom_badness(p, oc->totalpages);
		if (points == LONG_MIN || points < oc->chosen_points)
			continue;
		oc->chosen = p;
		oc->chosen_points = points;
	}
	if (found_pending)
		oc->chosen = NULL;
	if (oc->chosen)
		get_task_struct(oc->chosen);
	rcu_read_unlock();
	return !found_pending;
}

/* Other processes that share the victim's memory must go as well, or it will not be freed. */
static void kill_sharers(struct task_struct *victim, struct mm_struct *mm)
{
	struct task_struct *p;

	rcu_read_lock();
	for_each_process(p) {
		struct task_struct *t;
		bool shares;

		if (same_thread_group(p, victim) || is_unkillable(p))
			continue;
		t = find_lock_task_mm(p);
		if (!t)
			continue;
		lockdep_assert_held(&t->alloc_lock);
		shares = t->mm == mm;
		task_unlock(t);
		if (shares)
			do_send_sig_info(SIGKILL, SEND_SIG_PRIV, p, PIDTYPE_TGID);
	}
	rcu_read_unlock();
}

/* What the victim has: read before it is killed, since it may be gone when the line is printed. */
static void report_victim(const struct oom_control *oc, struct task_struct *victim, struct mm_struct *mm)
{
	printk(KERN_ERR "%s %d (%s) total-vm:%lukB, anon-rss:%lukB, "
	       "file-rss:%lukB, shmem-rss:%lukB, swap:%lukB, UID:%u pgtables:%lukB oom_score_adj:%d\n",
	       oc->memcg ? "Memory cgroup out of memory: Killed process" : "Out of memory: killing process",
	       victim->pid, victim->comm, KB(mm->total_vm), KB(get_mm_counter(mm, MM_ANONPAGES)),
	       KB(get_mm_counter(mm, MM_FILEPAGES)), KB(get_mm_counter(mm, MM_SHMEMPAGES)), KB(get_mm_counter(mm, MM_SWAPENTS)),
	       task_uid(victim), mm_pgtables_bytes(mm) >> 10, victim->signal->oom_score_adj);
}

static void kill_process(const struct oom_control *oc, struct task_struct *victim, long points)
{
	struct task_struct *t = find_lock_task_mm(victim);
	struct mm_struct *mm;
	unsigned long rss;

	if (!t)
		return;				/* it ended meanwhile */
	lockdep_assert_held(&t->alloc_lock);
	mm = t->mm;
	mmgrab(mm);
	rss = get_mm_rss(mm);
	report_victim(oc, victim, mm);
	mem_cgroup_report_kill(oc->memcg, victim);
	do_send_sig_info(SIGKILL, SEND_SIG_PRIV, victim, PIDTYPE_TGID);
	mark_oom_victim(t);
	task_unlock(t);
	last_kill = jiffies;
	count_vm_event(OOM_KILL);
	trace_oom_kill((u32)victim->pid, rss, points);
	kill_sharers(victim, mm);
	mmdrop(mm);
}

/* The chosen one; and if a group that it is in wants to live or die as a whole (memory.oom.group), all the others there. */
static void oom_kill_process(struct oom_control *oc)
{
	struct mem_cgroup *group;
	struct task_struct *p;

	rcu_read_lock();
	group = mem_cgroup_oom_group(oc->memcg, oc->chosen);
	kill_process(oc, oc->chosen, oc->chosen_points);
	if (group)
		for_each_process(p) {
			long points = oom_badness(p, oc->totalpages);

			if (p != oc->chosen && points != LONG_MIN && mem_cgroup_has_task(group, p))
				kill_process(oc, p, points);
		}
	rcu_read_unlock();
}

/* The caller itself is about to end: it only needs the reserves. */
static bool current_is_dying(void)
{
	return current->mm && (fatal_signal_pending(current) || (current->flags & PF_EXITING));
}

bool out_of_memory(struct oom_control *oc)
{
	lockdep_assert_held(&oom_lock);
	if (current_is_dying()) {
		task_lock(current);
		if (current->mm)
			mark_oom_victim(current);
		task_unlock(current);
		return true;
	}
	oc->totalpages = oc->memcg ? mem_cgroup_oom_pages(oc->memcg) : totalram_pages() + total_swap_pages();
	if (!select_victim(oc))
		return true;
	if (!oc->chosen) {
		if (oc->order == -1 || oc->memcg)
			return false;
		panic("Out of memory and no killable processes (order %d, gfp %#x, %lu pages free)", oc->order, oc->gfp_mask,
		      nr_free_pages());
	}
	oom_kill_process(oc);
	put_task_struct(oc->chosen);
	return true;
}

/*
 * The fault handler could not get a page although the allocator has tried all it can, so this task is most likely the one
 * that dies; if not, the fault is simply taken again.
 */
void pagefault_out_of_memory(void)
{
	struct oom_control oc = { .gfp_mask = GFP_KERNEL };

	if (mem_cgroup_fault_failed() || fatal_signal_pending(current))
		return;
	if (!mutex_trylock(&oom_lock)) {
		schedule_timeout_killable(1);
		return;
	}
	out_of_memory(&oc);
	mutex_unlock(&oom_lock);
	schedule_timeout_killable(1);
}
