/*
 * test_fair.c: the fair class, driven by a clock that is only a number: shares, waking, age (doc/sched.md).
 *
 * Idea:    one run queue and tasks that are nothing but their times: a hog always wants to run; a sleeper works for `work` ns,
 *          sleeps for `sleep` ns, and again.  run() goes from event to event (tick, wake-up, end of a burst) and calls the class
 *          as core.c does.  A minute takes a moment, and each run is the same.
 */
#include "../../kernel/sched/sched.h"
#include "unit.h"

#define MSEC		1000000ULL
#define SECOND		(1000 * MSEC)
#define TICK		(4 * MSEC)
#define TASKS		256

struct sim {
	struct task_struct	p;
	struct thread_info	ti;
	u64	work, sleep;		/* ns; no work: a hog */
	u64	left;			/* of the burst */
	u64	wake_at;		/* asleep until then; 0: awake */
	u64	ready_at;		/* since when it has not run */
	u64	ran, longest, bursts, late;	/* ns run; longest time not run; bursts; worst time from waking to running */
	bool	fresh;			/* has not run since it woke */
};

static struct rq rq;
static struct sim sims[TASKS], idle;
static int nr;
static u64 next_tick;

/* ---- what fair.c needs of the rest of the scheduler ---- */

static bool need_resched_now;
void resched_curr(struct rq *r) { need_resched_now = true; }
void check_preempt_curr(struct rq *r, struct task_struct *p, int flags) { fair_sched_class.check_preempt_curr(r, p, flags); }
int select_cpu_fork(struct task_struct *p, int cpu) { return cpu; }
int select_idle_cpu_near(struct task_struct *p, int target) { return target; }
static struct task_struct *pick_idle(struct rq *r) { return &idle.p; }
static void put_idle(struct rq *r, struct task_struct *p) { }
const struct sched_class idle_sched_class = { .pick_next_task = pick_idle, .put_prev_task = put_idle };

/* A group here is a queue, an entity and a weight: there is one processor, so the entity weighs what the group does. */
struct sim_group {
	struct cfs_rq		queue;
	struct sched_entity	se;
	unsigned long		weight;
};
void sched_group_load(struct cfs_rq *cfs, long delta) { }
unsigned long sched_group_weight(const struct cfs_rq *cfs) { return container_of(cfs, struct sim_group, queue)->weight; }
void sched_group_charge(struct rq *r, struct cfs_rq *cfs, u64 delta) { }
void sched_group_check_throttled(struct rq *r, struct task_struct *p) { }

/* ---- the simulated processor ---- */

static struct sim *sim_of(struct task_struct *p) { return container_of(p, struct sim, p); }

static void begin(void)
{
	memset(&rq, 0, sizeof(rq));
	memset(sims, 0, sizeof(sims));
	init_cfs_rq(&rq.cfs);
	INIT_LIST_HEAD(&rq.group_queues);
	rq.clock = SECOND;
	rq.curr = &idle.p;
	idle.p.sched_class = &idle_sched_class;
	idle.p.stack = &idle.ti;
	next_tick = rq.clock + TICK;
	nr = 0;
}

static void wake(struct sim *s, int flags)
{
	s->wake_at = 0;
	s->fresh = true;
	s->left = s->work;
	s->ready_at = rq.clock;
	s->p.on_rq = TASK_ON_RQ_QUEUED;
	fair_sched_class.enqueue_task(&rq, &s->p, flags);
	if (rq.curr == &idle.p)
		need_resched_now = true;
	else
		check_preempt_curr(&rq, &s->p, 0);
}

static struct sim *add(u32 weight, u64 work, u64 sleep)
{
	struct sim *s = &sims[nr++];

	s->p.sched_class = &fair_sched_class;
	s->p.policy = weight == WEIGHT_IDLEPRIO ? SCHED_IDLE : SCHED_NORMAL;
	s->p.stack = &s->ti;
	s->p.se.load = (struct load_weight){ .weight = weight, .inv_weight = (u32)(0xffffffffU / weight) };
	s->p.se.slice = SCHED_SLICE_NS;
	s->work = work;
	s->sleep = sleep;
	wake(s, ENQUEUE_INITIAL);
	return s;
}

static void schedule_now(void)
{
	struct task_struct *prev = rq.curr, *next = fair_pick_fast(&rq, prev);

	need_resched_now = false;
	rq.curr = next;
	if (prev != &idle.p && prev != next)
		sim_of(prev)->ready_at = rq.clock;
	if (next == &idle.p)
		return;
	if (prev != next)
		sim_of(next)->longest = max(sim_of(next)->longest, rq.clock - sim_of(next)->ready_at);
	if (sim_of(next)->fresh)
		sim_of(next)->late = max(sim_of(next)->late, rq.clock - sim_of(next)->ready_at);
	sim_of(next)->fresh = false;
}

/* The running task has done its work. */
static void fall_asleep(struct sim *s)
{
	s->bursts++;
	s->wake_at = rq.clock + s->sleep;
	s->p.on_rq = 0;
	fair_sched_class.dequeue_task(&rq, &s->p, DEQUEUE_SLEEP);
	schedule_now();
}

static u64 next_event(void)
{
	u64 next = next_tick;

	for (int i = 0; i < nr; i++)
		if (sims[i].wake_at)
			next = min(next, sims[i].wake_at);
	if (rq.curr != &idle.p && sim_of(rq.curr)->work)
		next = min(next, rq.clock + sim_of(rq.curr)->left);
	return next;
}

static void advance_to(u64 then)
{
	struct sim *s = sim_of(rq.curr);

	if (rq.curr != &idle.p) {
		s->ran += then - rq.clock;
		s->left -= s->work ? then - rq.clock : 0;
	}
	rq.clock = then;
	if (rq.curr != &idle.p && s->work && !s->left)
		fall_asleep(s);
}

static void run(u64 span)
{
	u64 end = rq.clock + span;

	while (rq.clock < end) {
		advance_to(next_event());
		for (int i = 0; i < nr; i++)
			if (sims[i].wake_at && sims[i].wake_at <= rq.clock)
				wake(&sims[i], ENQUEUE_WAKEUP);
		if (rq.clock >= next_tick) {
			next_tick += TICK;
			if (rq.curr != &idle.p)
				fair_sched_class.task_tick(&rq, rq.curr);
		}
		if (need_resched_now)
			schedule_now();
	}
	for (int i = 0; i < nr; i++)
		if (rq.curr != &sims[i].p && !sims[i].wake_at)
			sims[i].longest = max(sims[i].longest, rq.clock - sims[i].ready_at);
}

/* Did s get so many parts of `of`, within 3 % of that? */
static bool had_share(const struct sim *s, u64 of, u64 weight, u64 weights)
{
	u64 due = of * weight / weights;

	return s->ran * 100 > due * 97 && s->ran * 100 < due * 103;
}

/* ---- the tests ---- */

TEST(fair_shares_by_weight)
{
	static const u32 weights[] = { 9537, 3125, 1024, 336, 110 };
	u64 sum = 9537 + 3125 + 1024 + 336 + 110;

	begin();
	for (int i = 0; i < 5; i++)
		add(weights[i], 0, 0);
	run(20 * SECOND);
	for (int i = 0; i < 5; i++)
		EXPECT(had_share(&sims[i], 20 * SECOND, weights[i], sum));
}

TEST(fair_sleeper_wakes_at_once)
{
	struct sim *s;

	begin();
	for (int i = 0; i < 16; i++)
		add(1024, 0, 0);
	s = add(1024, MSEC / 10, 5 * MSEC);
	run(SECOND / 2);		/* its first slice is that of a new task */
	s->late = 0;
	run(10 * SECOND);
	EXPECT(s->bursts > 2000);
	EXPECT_EQ(s->late, 0);
}

TEST(fair_sleeping_gains_no_share)
{
	struct sim *s;

	/* It wants two thirds of the processor; a fifth is due to it. */
	begin();
	for (int i = 0; i < 4; i++)
		add(1024, 0, 0);
	s = add(1024, 2 * MSEC, MSEC);
	run(20 * SECOND);
	EXPECT(had_share(s, 20 * SECOND, 1, 5));
}

TEST(fair_nobody_starves)
{
	struct sim *nice_19, *idle_policy;
	u64 most = 0;

	begin();
	for (int i = 0; i < 8; i++)
		add(88818, 0, 0);
	nice_19 = add(15, 0, 0);
	idle_policy = add(WEIGHT_IDLEPRIO, 0, 0);
	run(60 * SECOND);
	EXPECT(nice_19->longest < 6 * SECOND && nice_19->ran >= 10 * SCHED_SLICE_NS);
	EXPECT(idle_policy->longest < 6 * SECOND && idle_policy->ran >= 10 * SCHED_SLICE_NS);
	for (int i = 0; i < 8; i++) {
		EXPECT(had_share(&sims[i], 60 * SECOND, 1, 8));
		most = max(most, sims[i].longest);
	}
	EXPECT(most < SECOND / 10);
}

TEST(fair_age_takes_little)
{
	/* 200 of the smallest weight, by which nothing would be due to them, all run in a minute, in one part of 64. */
	struct sim *hog;

	begin();
	for (int i = 0; i < 4; i++)
		add(88818, 0, 0);
	hog = &sims[0];
	for (int i = 0; i < 200; i++)
		add(WEIGHT_IDLEPRIO, 0, 0);
	run(60 * SECOND);
	EXPECT(had_share(hog, 60 * SECOND, 1, 4));
	for (int i = 4; i < nr; i++)
		EXPECT(sims[i].ran > 0);
}

TEST(fair_age_survives_changes)
{
	/* Whose nice value is changed again and again is as old as before. */
	struct sim *s;

	begin();
	for (int i = 0; i < 8; i++)
		add(88818, 0, 0);
	s = add(15, 0, 0);
	for (int i = 0; i < 60; i++) {
		run(SECOND);
		if (rq.curr == &s->p)
			continue;
		fair_sched_class.dequeue_task(&rq, &s->p, DEQUEUE_SAVE);
		fair_sched_class.enqueue_task(&rq, &s->p, ENQUEUE_RESTORE);
	}
	EXPECT(s->ran >= 10 * SCHED_SLICE_NS);
}

/* ---- groups ---- */

static void make_group(struct sim_group *g, unsigned long weight, struct sim_group *above)
{
	memset(g, 0, sizeof(*g));
	init_cfs_rq(&g->queue);
	g->weight = weight;
	g->se.slice = SCHED_SLICE_NS;
	g->se.load = (struct load_weight){ .weight = weight, .inv_weight = (u32)(0xffffffffU / weight) };
	g->se.my_q = &g->queue;
	g->se.parent = above ? &above->se : NULL;
}

static struct sim *add_in(struct sim_group *g, u32 weight, u64 work, u64 sleep)
{
	sims[nr].p.se.parent = &g->se;
	return add(weight, work, sleep);
}

TEST(fair_groups_share_by_weight)
{
	struct sim_group a, b, deep;
	u64 in_a = 0;

	/* One of a, three of b and one outside, three times as heavy as a: and below b two of a group within. */
	begin();
	make_group(&a, 1024, NULL);
	make_group(&b, 1024, NULL);
	make_group(&deep, 1024, &b);
	add_in(&a, 1024, 0, 0);
	for (int i = 0; i < 3; i++)
		add_in(&b, 1024, 0, 0);
	for (int i = 0; i < 2; i++)
		add_in(&deep, 1024, 0, 0);
	add(2048, 0, 0);
	run(40 * SECOND);
	EXPECT(had_share(&sims[0], 40 * SECOND, 1, 4));
	for (int i = 1; i < 4; i++)
		EXPECT(had_share(&sims[i], 40 * SECOND, 1, 16));
	for (int i = 4; i < 6; i++)
		EXPECT(had_share(&sims[i], 40 * SECOND, 1, 32));
	EXPECT(had_share(&sims[6], 40 * SECOND, 2, 4));
	/* Many in one group gain nothing over one in the other. */
	for (int i = 0; i < 100; i++)
		add_in(&a, 1024, 0, 0);
	for (int i = 0; i < nr; i++)
		in_a += sims[i].p.se.parent == &a.se ? sims[i].ran : 0;
	run(40 * SECOND);
	in_a = -in_a;
	for (int i = 0; i < nr; i++)
		in_a += sims[i].p.se.parent == &a.se ? sims[i].ran : 0;
	EXPECT(in_a > 97 * 10 * SECOND / 100 && in_a < 103 * 10 * SECOND / 100);
}

TEST(fair_sleeper_in_a_group_wakes_soon)
{
	struct sim_group a, b;
	struct sim *s;

	begin();
	make_group(&a, 1024, NULL);
	make_group(&b, 1024, NULL);
	for (int i = 0; i < 8; i++)
		add_in(&a, 1024, 0, 0);
	s = add_in(&b, 1024, MSEC / 10, 5 * MSEC);
	run(SECOND / 2);
	s->late = 0;
	run(10 * SECOND);
	EXPECT(s->bursts > 1900);
	EXPECT(s->late < 2 * MSEC);
}

TEST(fair_group_that_is_reweighted)
{
	struct sim_group a, b;
	u64 before;

	begin();
	make_group(&a, 1024, NULL);
	make_group(&b, 1024, NULL);
	add_in(&a, 1024, 0, 0);
	add_in(&b, 1024, 0, 0);
	run(10 * SECOND);
	a.weight = 4096;		/* the tick sees it */
	run(SECOND);
	before = sims[0].ran;
	run(20 * SECOND);
	EXPECT((sims[0].ran - before) * 100 > 77 * 20 * SECOND && (sims[0].ran - before) * 100 < 83 * 20 * SECOND);
}
