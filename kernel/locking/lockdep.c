/*
 * lockdep.c: the lock checker of debug builds: finds deadlocks before they happen.
 *
 * What:    every lock has a class (lockdep.h).  Each task has a list of the locks it holds.  Taking b while holding a
 *          adds the edge a -> b to a graph of classes; an edge that would close a circle is reported with the circle,
 *          even if this run did not deadlock.  The same for a class that is taken in interrupts and also held with
 *          interrupts on, for a lock taken twice, given back by a stranger, held on the way to user mode, or freed while
 *          held.
 * Idea:    an edge is a bit in a matrix, so the common case (seen before) is one load.  New edges are rare; they pay for a
 *          breadth-first search.  Locks of different contexts (task, softirq, hardirq) are not ordered against each other;
 *          what can go wrong between contexts is what the usage bits are for: a class used in hard interrupts must never
 *          be held with them on, nor be followed by a class that is (task holds B, irq takes A; other CPU: A -> B).
 *          Readers that may recurse (rwlock) make no edges.
 * Locking: graph_lock, a bare spinlock with interrupts off, guards classes and edges; racy reads of single bits are meant.
 *          held_locks is the task's own.  The checker never takes a checked lock: lockdep_recursion keeps it out of itself.
 * See:     doc/locking.md; spec.md §7
 */
#ifdef CONFIG_DEBUG
#include <weft/lockdep.h>
#include <weft/lockdep_test.h>
#include <weft/spinlock.h>
#include <weft/sched.h>
#include <weft/bitmap.h>
#include <weft/printk.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/bug.h>
#include <weft/hash.h>

#define MAX_CLASSES	1024
#define HASH_BITS	11

enum { USED_IN_HARDIRQ = 1, USED_IN_SOFTIRQ = 2, HELD_WITH_HARDIRQS = 4, HELD_WITH_SOFTIRQS = 8, READ_SHIFT = 4 };

struct lock_class {
	const char	*name;
	const void	*key;
	u8		subclass;
	u8		usage;			/* [graph_lock] the bits above; << READ_SHIFT for readers */
	unsigned long	usage_ip[4];		/* who set each exclusive or reading bit first */
};

static arch_spinlock_t graph_lock = __ARCH_SPIN_LOCK_UNLOCKED;
static struct lock_class classes[MAX_CLASSES];			/* [graph_lock] entry 0 is not used */
static unsigned int nr_classes = 1;				/* [graph_lock] */
static u16 class_hash[1 << HASH_BITS];				/* [graph_lock] static locks, by address: class ids */
static DECLARE_BITMAP(edges[MAX_CLASSES], MAX_CLASSES);		/* [graph_lock] edges[a] has b: b was taken under a */
static u16 search_queue[MAX_CLASSES], search_parent[MAX_CLASSES];	/* [graph_lock] */
static DECLARE_BITMAP(search_seen, MAX_CLASSES);		/* [graph_lock] */

int debug_locks = 1;
unsigned int lockdep_reports;

int debug_locks_off(void)
{
	return __atomic_exchange_n(&debug_locks, 0, __ATOMIC_RELAXED);
}

void lockdep_off(void) { current->lockdep_recursion++; }
void lockdep_on(void) { current->lockdep_recursion--; }

static unsigned long graph_lock_irqsave(void)
{
	unsigned long flags;

	local_irq_save(flags);
	preempt_disable();
	arch_spin_lock(&graph_lock);
	return flags;
}

static void graph_unlock_irqrestore(unsigned long flags)
{
	arch_spin_unlock(&graph_lock);
	local_irq_restore(flags);
	preempt_enable_no_resched();
}

/* ---- classes ---- */

void lockdep_init_map(struct lockdep_map *map, const char *name, struct lock_class_key *key, int subclass)
{
	map->name = name;
	map->key = key;
}

void lockdep_set_class_id(struct lockdep_map *map, const char *name, struct lock_class_key *key)
{
	lockdep_init_map(map, name, key, 0);
}

/* [graph_lock] */
static u16 new_class(const struct lockdep_map *map, const void *key, unsigned int subclass)
{
	struct lock_class *class;

	if (nr_classes == MAX_CLASSES) {
		debug_locks_off();
		return 0;
	}
	class = &classes[nr_classes];
	class->name = map->name ?: "?";
	class->key = key;
	class->subclass = subclass;
	return nr_classes++;
}

/* A lock without a key is its own key: found by its address. */
static u16 static_class(const struct lockdep_map *map, unsigned int subclass)
{
	unsigned long at = hash_64((unsigned long)map + subclass, HASH_BITS), flags;
	u16 id;

	for (;; at = (at + 1) & ((1 << HASH_BITS) - 1)) {
		id = READ_ONCE(class_hash[at]);
		if (!id)
			break;
		if (classes[id].key == map && classes[id].subclass == subclass)
			return id;
	}
	flags = graph_lock_irqsave();
	while ((id = class_hash[at]) && !(classes[id].key == map && classes[id].subclass == subclass))
		at = (at + 1) & ((1 << HASH_BITS) - 1);
	if (!id) {
		id = new_class(map, map, subclass);
		smp_store_release(&class_hash[at], id);
	}
	graph_unlock_irqrestore(flags);
	return id;
}

static u16 class_of(const struct lockdep_map *map, unsigned int subclass)
{
	unsigned long flags;
	u16 id;

	if (!map->key)
		return static_class(map, subclass);
	id = READ_ONCE(map->key->class_id[subclass]);
	if (likely(id))
		return id;
	flags = graph_lock_irqsave();
	id = map->key->class_id[subclass];
	if (!id) {
		id = new_class(map, map->key, subclass);
		WRITE_ONCE(map->key->class_id[subclass], id);
	}
	graph_unlock_irqrestore(flags);
	return id;
}

/* ---- reports ---- */

static void print_class(u16 id)
{
	printk(KERN_ERR "  %s%s%.0d", classes[id].name, classes[id].subclass ? "/" : "", 0);
	if (classes[id].subclass)
		printk(KERN_CONT "%d", classes[id].subclass);
}

static void print_held(const struct held_lock *h, int i)
{
	printk(KERN_ERR " #%d: %s/%d (%px)%s, taken at %pS\n", i, classes[h->class_id].name, h->subclass, h->instance,
	       h->read ? " shared" : "", (void *)h->ip);
}

void debug_show_held_locks(struct task_struct *task)
{
	int depth = READ_ONCE(task->lockdep_depth);

	if (!depth)
		return;
	printk(KERN_ERR "locks held by %s/%d:\n", task->comm, task->pid);
	for (int i = 0; i < depth && i < LOCKDEP_MAX_HELD; i++)
		print_held(&task->held_locks[i], i);
}

void debug_show_all_locks(void)
{
	struct task_struct *p, *t;

	rcu_read_lock();
	for_each_process_thread(p, t)
		debug_show_held_locks(t);
	rcu_read_unlock();
}

static struct lockdep_trap *trap;

void lockdep_set_trap(struct lockdep_trap *new) { WRITE_ONCE(trap, new); }

/* True: the task tests the checker, and this is what it is waiting for. */
static bool caught(const char *what)
{
	struct lockdep_trap *t = READ_ONCE(trap);

	if (likely(!t) || t->task != current)
		return false;
	t->what = what;
	t->reports++;
	return true;
}

static void print_head(const char *what)
{
	lockdep_reports++;
	printk(KERN_ERR "======= lock checker: %s\n", what);
	printk(KERN_ERR "%s/%d on cpu %d:\n", current->comm, current->pid, raw_smp_processor_id());
}

/* False when reports are off already, or caught.  The caller prints the particulars, then calls end_report(). */
static bool begin_report(const char *what)
{
	if (caught(what) || !debug_locks_off())
		return false;
	print_head(what);
	return true;
}

static void end_report(void)
{
	debug_show_held_locks(current);
	WARN(1, "lock checker report above; checking is now off\n");
}

void lockdep_assert_failed(const char *what, const char *file, int line)
{
	if (caught("assertion failed"))
		return;
	print_head("assertion failed");
	printk(KERN_ERR "%s:%d wants: %s\n", file, line, what);
	debug_show_held_locks(current);
	WARN(1, "lock checker report above\n");
}

/* ---- the graph ---- */

/*
 * Is there a way from class `from` to a class for which match() is true?  Returns that class or 0; search_parent[] tells the
 * way.  [graph_lock]
 */
static u16 search(u16 from, bool (*match)(u16 id, unsigned long arg), unsigned long arg)
{
	unsigned int head = 0, tail = 0, next;

	bitmap_zero(search_seen, MAX_CLASSES);
	__set_bit(from, search_seen);
	search_parent[from] = 0;
	search_queue[tail++] = from;
	while (head < tail) {
		u16 at = search_queue[head++];

		if (match(at, arg))
			return at;
		for_each_set_bit(next, edges[at], nr_classes) {
			if (__test_and_set_bit(next, search_seen))
				continue;
			search_parent[next] = at;
			search_queue[tail++] = next;
		}
	}
	return 0;
}

static bool is_class(u16 id, unsigned long arg) { return id == arg; }
static bool has_usage(u16 id, unsigned long arg) { return (classes[id].usage & arg) != 0; }

static void print_way_back(u16 id)
{
	for (; id; id = search_parent[id]) {
		print_class(id);
		printk(KERN_CONT "%s\n", search_parent[id] ? "  is taken under" : "");
	}
}

/* What the holder side of an irq-safe class must never reach. */
static u16 find_irq_conflict(u16 held, u16 next)
{
	u8 u = classes[held].usage;
	u16 bad = 0;

	if (u & (USED_IN_HARDIRQ | USED_IN_HARDIRQ << READ_SHIFT))
		bad = search(next, has_usage, HELD_WITH_HARDIRQS);
	if (!bad && u & (USED_IN_SOFTIRQ | USED_IN_SOFTIRQ << READ_SHIFT))
		bad = search(next, has_usage, HELD_WITH_SOFTIRQS);
	return bad;
}

static void add_edge(u16 held, u16 next, unsigned long ip)
{
	unsigned long flags = graph_lock_irqsave();
	u16 circle, conflict = 0;

	if (test_bit(next, edges[held])) {
		graph_unlock_irqrestore(flags);
		return;
	}
	circle = search(next, is_class, held);
	if (!circle)
		conflict = find_irq_conflict(held, next);
	__set_bit(next, edges[held]);
	graph_unlock_irqrestore(flags);
	if (likely(!circle && !conflict))
		return;

	if (!begin_report(circle ? "possible deadlock: locks taken in different orders"
				 : "possible deadlock: an interrupt takes what a lock held with interrupts on waits for"))
		return;
	printk(KERN_ERR "now taking %s at %pS under %s, but:\n", classes[next].name, (void *)ip, classes[held].name);
	print_way_back(circle ?: conflict);
	end_report();
}

/* ---- usage: in interrupts, or with interrupts on ---- */

static u8 usage_now(const struct held_lock *h)
{
	u8 u = 0;

	if (in_hardirq())
		u |= USED_IN_HARDIRQ;
	else if (in_serving_softirq())
		u |= USED_IN_SOFTIRQ;
	if (!irqs_disabled()) {
		u |= HELD_WITH_HARDIRQS;
		if (!in_softirq())
			u |= HELD_WITH_SOFTIRQS;
	}
	return h->read ? u << READ_SHIFT : u;
}

static bool usage_conflict(u8 u)
{
	u8 excl = u & 15, read = u >> READ_SHIFT, both = excl | read;

	/* exclusive in an interrupt and held in any way with them on, or the other way round */
	return (excl & USED_IN_HARDIRQ && both & HELD_WITH_HARDIRQS) || (read & USED_IN_HARDIRQ && excl & HELD_WITH_HARDIRQS) ||
	       (excl & USED_IN_SOFTIRQ && both & HELD_WITH_SOFTIRQS) || (read & USED_IN_SOFTIRQ && excl & HELD_WITH_SOFTIRQS);
}

static const char *const usage_names[] = { "in hardirq", "in softirq", "hardirqs on", "softirqs on" };

static void mark_usage(const struct held_lock *h, u8 u)
{
	struct lock_class *class = &classes[h->class_id];
	u8 old = READ_ONCE(class->usage);
	unsigned long flags;

	if (likely((old & u) == u))
		return;
	flags = graph_lock_irqsave();
	old = class->usage;
	for (int bit = 0; bit < 8; bit++)
		if (u & ~old & (1 << bit))
			class->usage_ip[bit & 3] = h->ip;
	class->usage = old | u;
	graph_unlock_irqrestore(flags);
	if (likely(!usage_conflict(old | u) || usage_conflict(old)))
		return;
	if (!begin_report("a lock is taken in interrupts and held with interrupts on"))
		return;
	printk(KERN_ERR "%s/%d: usage %#x, now at %pS\n", class->name, class->subclass, class->usage, (void *)h->ip);
	for (int bit = 0; bit < 4; bit++)
		printk(KERN_ERR "  %s: %pS\n", usage_names[bit], (void *)class->usage_ip[bit]);
	end_report();
}

/* ---- taking and giving back ---- */

static u32 irq_context(void)
{
	return in_hardirq() ? 2 : in_serving_softirq() ? 1 : 0;
}

static void report_recursion(const struct held_lock *have, const struct held_lock *next)
{
	if (!begin_report("possible deadlock: a lock of this class is held already"))
		return;
	print_held(have, 0);
	print_held(next, 1);
	end_report();
}

/* next waits behind what is held already: new edges.  A trylock does not wait. */
static void check_order(struct task_struct *task, const struct held_lock *next, const struct lockdep_map *nest)
{
	if (next->read == 2)
		return;
	for (int i = task->lockdep_depth - 1; i >= 0; i--) {
		const struct held_lock *held = &task->held_locks[i];

		if (held->irq_context != next->irq_context)
			break;
		if (held->read == 2)
			continue;
		if (held->class_id == next->class_id) {
			if (!nest && !(held->read && next->read))
				report_recursion(held, next);
			continue;
		}
		if (!test_bit(next->class_id, edges[held->class_id]))
			add_edge(held->class_id, next->class_id, next->ip);
		if (!held->trylock)
			break;			/* what lies below has its edges to this one */
	}
}

/* read: 0 exclusive, 1 shared, 2 shared and may recurse.  Any context. */
void lock_acquire(struct lockdep_map *map, unsigned int subclass, int trylock, int read, int check,
		  struct lockdep_map *nest_lock, unsigned long ip)
{
	struct task_struct *task = current;
	unsigned long flags;
	struct held_lock *h;

	if (unlikely(!debug_locks || task->lockdep_recursion || in_nmi()))
		return;
	local_irq_save(flags);
	task->lockdep_recursion++;
	if (unlikely(task->lockdep_depth >= LOCKDEP_MAX_HELD)) {
		if (begin_report("a task holds too many locks"))
			end_report();
		goto out;
	}
	h = &task->held_locks[task->lockdep_depth];
	*h = (struct held_lock){
		.instance = map, .ip = ip, .class_id = class_of(map, subclass), .subclass = subclass,
		.read = read != 0, .trylock = trylock, .nested = nest_lock != NULL, .irq_context = irq_context(),
	};
	if (unlikely(!h->class_id))
		goto out;
	local_irq_restore(flags);	/* usage is about the caller's interrupt state */
	if (!trylock)
		mark_usage(h, usage_now(h));
	local_irq_save(flags);
	if (!trylock && check && !(read == 2))
		check_order(task, h, nest_lock);
	task->lockdep_depth++;
out:
	task->lockdep_recursion--;
	local_irq_restore(flags);
}

void lock_release(struct lockdep_map *map, unsigned long ip)
{
	struct task_struct *task = current;
	unsigned long flags;
	int i;

	if (unlikely(!debug_locks || task->lockdep_recursion || in_nmi()))
		return;
	local_irq_save(flags);
	task->lockdep_recursion++;
	for (i = task->lockdep_depth - 1; i >= 0; i--)
		if (task->held_locks[i].instance == map)
			break;
	if (likely(i >= 0)) {
		task->lockdep_depth--;
		memmove(&task->held_locks[i], &task->held_locks[i + 1],
			(task->lockdep_depth - i) * sizeof(struct held_lock));
	} else if (begin_report("a lock is given back that is not held")) {
		printk(KERN_ERR "%s (%px) at %pS\n", map->name, map, (void *)ip);
		end_report();
	}
	task->lockdep_recursion--;
	local_irq_restore(flags);
}

/* Interrupts are about to come on: what this context holds is then held with them on. */
void lockdep_hardirqs_on(unsigned long ip)
{
	struct task_struct *task = current;
	u8 u = HELD_WITH_HARDIRQS | (in_softirq() ? 0 : HELD_WITH_SOFTIRQS);

	if (likely(!task->lockdep_depth) || !debug_locks || task->lockdep_recursion || in_nmi())
		return;
	task->lockdep_recursion++;
	for (int i = task->lockdep_depth - 1; i >= 0; i--) {
		const struct held_lock *h = &task->held_locks[i];

		if (h->irq_context != irq_context())
			break;
		mark_usage(h, h->read ? (u8)(u << READ_SHIFT) : u);
	}
	task->lockdep_recursion--;
}

int lock_is_held_type(const struct lockdep_map *map, int read)
{
	const struct task_struct *task = current;

	if (task->lockdep_recursion || in_nmi())
		return 1;
	for (int i = task->lockdep_depth - 1; i >= 0; i--)
		if (task->held_locks[i].instance == map)
			return read < 0 || task->held_locks[i].read == read;
	return 0;
}

void lockdep_init_task(struct task_struct *task)
{
	task->lockdep_depth = 0;
	task->lockdep_recursion = 0;
}

/* On the way to user mode. */
void lockdep_sys_exit(void)
{
	if (unlikely(current->lockdep_depth && debug_locks) && begin_report("returning to user mode with locks held"))
		end_report();
}

void debug_check_no_locks_held(void)
{
	if (unlikely(current->lockdep_depth && debug_locks) && begin_report("a task ends with locks held"))
		end_report();
}

/* [mem, mem + len) is about to be freed. */
void debug_check_no_locks_freed(const void *mem, size_t len)
{
	struct task_struct *task = current;

	if (!debug_locks || task->lockdep_recursion)
		return;
	for (int i = 0; i < task->lockdep_depth; i++) {
		const void *lock = task->held_locks[i].instance;

		if (lock < mem || lock >= mem + len)
			continue;
		if (begin_report("memory with a held lock in it is freed"))
			end_report();
		return;
	}
}
#endif
