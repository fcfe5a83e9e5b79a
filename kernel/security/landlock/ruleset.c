/*
 * ruleset.c: sets of rules: made, merged into domains, looked up, freed.
 *
 * Idea:    a rule says what is allowed beneath an inode.  A ruleset is one layer of rules; a domain is what a task has
 *          put on itself one after the other, up to 16 layers, each of which must allow what is done.  To put one more on
 *          copies the domain, so that a domain never changes and needs no lock when it is asked.
 *          A rule holds its inode in memory, but must not keep its file system from being unmounted: then the inode is
 *          let go, and the rule stays without meaning.  Its key is the address of an inode that was: a new inode at that
 *          address is told apart by the pin, which says NULL.
 * Locking: ruleset->lock over an open ruleset; pins_mutex over the list of pins, so that who unmounts waits for who lets
 *          an inode go.  s_umount -> pins_mutex.
 * See:     fs.c (who asks); landlock(7); doc/sandbox.md
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "ruleset.h"

static DEFINE_MUTEX(pins_mutex);
static LIST_HEAD(pins);			/* [pins_mutex] */

/* ---- pins ---- */

static struct landlock_pin *pin_inode(struct inode *inode)
{
	struct landlock_pin *pin = kmalloc(sizeof(*pin), GFP_KERNEL);

	if (!pin)
		return NULL;
	refcount_set(&pin->usage, 1);
	ihold(inode);
	pin->inode = inode;
	mutex_lock(&pins_mutex);
	list_add(&pin->node, &pins);
	mutex_unlock(&pins_mutex);
	return pin;
}

static void put_pin(struct landlock_pin *pin)
{
	if (!refcount_dec_and_test(&pin->usage))
		return;
	mutex_lock(&pins_mutex);
	list_del(&pin->node);
	if (pin->inode)
		iput(pin->inode);
	mutex_unlock(&pins_mutex);
	kfree(pin);
}

void landlock_release_sb(const struct super_block *sb)
{
	struct landlock_pin *pin;
	struct inode *inode;

	if (list_empty(&pins))
		return;
	mutex_lock(&pins_mutex);
	list_for_each_entry(pin, &pins, node) {
		inode = pin->inode;
		if (!inode || inode->i_sb != sb)
			continue;
		WRITE_ONCE(pin->inode, NULL);
		iput(inode);
	}
	mutex_unlock(&pins_mutex);
}

/* ---- rules ---- */

static void free_rule(struct landlock_rule *rule)
{
	put_pin(rule->pin);
	kfree(rule);
}

/* Room for one more layer than `old` has (NULL: none), whose layers and inode it takes over. */
static struct landlock_rule *extend_rule(const struct landlock_rule *old, struct landlock_pin *pin, struct landlock_layer layer)
{
	unsigned int nr = old ? old->nr_layers : 0;
	struct landlock_rule *rule = kmalloc(struct_size(rule, layers, nr + 1), GFP_KERNEL);

	if (!rule)
		return NULL;
	rule->key = pin->inode;
	rule->pin = pin;
	refcount_inc(&pin->usage);
	if (nr)
		memcpy(rule->layers, old->layers, nr * sizeof(layer));
	rule->layers[nr] = layer;
	rule->nr_layers = nr + 1;
	return rule;
}

/* The rule with that key, or NULL and where it would hang. */
static struct landlock_rule *find_place(struct landlock_ruleset *set, const struct inode *key, struct rb_node ***link,
					struct rb_node **parent)
{
	struct landlock_rule *rule;

	*link = &set->rules.rb_node;
	*parent = NULL;
	while (**link) {
		rule = rb_entry(**link, struct landlock_rule, node);
		if (rule->key == key)
			return rule;
		*parent = **link;
		*link = key < rule->key ? &(**link)->rb_left : &(**link)->rb_right;
	}
	return NULL;
}

/* A layer more for what the pin holds; of a layer that is there the rights are added.  [lock, or nobody else has it yet] */
static int add_layer(struct landlock_ruleset *set, struct landlock_pin *pin, struct landlock_layer layer)
{
	struct rb_node **link, *parent;
	struct landlock_rule *old, *rule;

	if (!pin->inode)
		return 0;		/* unmounted meanwhile: nothing that can be beneath it */
	old = find_place(set, pin->inode, &link, &parent);
	if (old && old->pin->inode == pin->inode && old->layers[old->nr_layers - 1].level == layer.level) {
		old->layers[old->nr_layers - 1].access |= layer.access;
		return 0;
	}
	if (!old && set->nr_rules == UINT_MAX)
		return -E2BIG;
	rule = extend_rule(old && old->pin->inode == pin->inode ? old : NULL, pin, layer);
	if (!rule)
		return -ENOMEM;
	if (old) {
		rb_replace_node(&old->node, &rule->node, &set->rules);
		free_rule(old);
	} else {
		rb_link_node(&rule->node, parent, link);
		rb_insert_color(&rule->node, &set->rules);
		set->nr_rules++;
	}
	return 0;
}

const struct landlock_rule *landlock_find_rule(const struct landlock_ruleset *set, const struct inode *inode)
{
	const struct rb_node *n = set->rules.rb_node;
	const struct landlock_rule *rule;

	while (n) {
		rule = rb_entry(n, struct landlock_rule, node);
		if (rule->key == inode)
			return READ_ONCE(rule->pin->inode) == inode ? rule : NULL;
		n = inode < rule->key ? n->rb_left : n->rb_right;
	}
	return NULL;
}

int landlock_insert_rule(struct landlock_ruleset *set, struct inode *inode, u16 access)
{
	struct landlock_pin *pin = pin_inode(inode);
	int err;

	if (!pin)
		return -ENOMEM;
	/* What the layer does not restrict it allows: so layers can be compared. */
	access |= LANDLOCK_ACCESS_FS_ALL & ~(set->handled[0] | LANDLOCK_ACCESS_FS_REFER);
	mutex_lock(&set->lock);
	err = add_layer(set, pin, (struct landlock_layer){ .level = 0, .access = access });
	mutex_unlock(&set->lock);
	put_pin(pin);
	return err;
}

/* ---- rulesets ---- */

static void free_ruleset(struct landlock_ruleset *set)
{
	struct landlock_hierarchy *h = set->hierarchy, *parent;
	struct landlock_rule *rule, *next;

	rbtree_postorder_for_each_entry_safe(rule, next, &set->rules, node)
		free_rule(rule);
	for (; h && refcount_dec_and_test(&h->usage); h = parent) {
		parent = h->parent;
		kfree(h);
	}
	kfree(set);
}

static void free_ruleset_work(struct work_struct *work)
{
	free_ruleset(container_of(work, struct landlock_ruleset, free_work));
}

static struct landlock_ruleset *alloc_ruleset(unsigned int nr_layers)
{
	struct landlock_ruleset *set = kzalloc(sizeof(*set), GFP_KERNEL);

	if (!set)
		return ERR_PTR(-ENOMEM);
	mutex_init(&set->lock);
	set->rules = RB_ROOT;
	refcount_set(&set->usage, 1);
	set->nr_layers = nr_layers;
	INIT_WORK(&set->free_work, free_ruleset_work);
	return set;
}

struct landlock_ruleset *landlock_new_ruleset(u16 handled)
{
	struct landlock_ruleset *set = alloc_ruleset(1);

	if (!IS_ERR(set))
		set->handled[0] = handled;
	return set;
}

void get_landlock(struct landlock_ruleset *set)
{
	refcount_inc(&set->usage);
}

/* Credentials go in a softirq, letting an inode go may sleep. */
void put_landlock(struct landlock_ruleset *set)
{
	if (refcount_dec_and_test(&set->usage))
		schedule_work(&set->free_work);
}

static int copy_rules(struct landlock_ruleset *to, const struct landlock_ruleset *from)
{
	struct landlock_rule *rule;
	int err = 0;

	for (struct rb_node *n = rb_first(&from->rules); n && !err; n = rb_next(n)) {
		rule = rb_entry(n, struct landlock_rule, node);
		for (unsigned int i = 0; i < rule->nr_layers && !err; i++)
			err = add_layer(to, rule->pin, rule->layers[i]);
	}
	return err;
}

/* The rules of the open ruleset, as the layer `level`. */
static int copy_layer(struct landlock_ruleset *to, struct landlock_ruleset *from, unsigned int level)
{
	struct landlock_layer layer = { .level = (u16)level };
	struct landlock_rule *rule;
	int err = 0;

	mutex_lock(&from->lock);
	for (struct rb_node *n = rb_first(&from->rules); n && !err; n = rb_next(n)) {
		rule = rb_entry(n, struct landlock_rule, node);
		layer.access = rule->layers[0].access;
		err = add_layer(to, rule->pin, layer);
	}
	mutex_unlock(&from->lock);
	return err;
}

static struct landlock_hierarchy *make_hierarchy(const struct landlock_ruleset *parent)
{
	struct landlock_hierarchy *h = kmalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return NULL;
	refcount_set(&h->usage, 1);
	h->parent = parent ? parent->hierarchy : NULL;
	if (h->parent)
		refcount_inc(&h->parent->usage);
	return h;
}

struct landlock_ruleset *landlock_merge(const struct landlock_ruleset *parent, struct landlock_ruleset *ruleset)
{
	unsigned int level = parent ? parent->nr_layers : 0;
	struct landlock_ruleset *new;
	int err = -ENOMEM;

	if (level >= LANDLOCK_MAX_LAYERS)
		return ERR_PTR(-E2BIG);
	new = alloc_ruleset(level + 1);
	if (IS_ERR(new))
		return new;
	new->hierarchy = make_hierarchy(parent);
	if (!new->hierarchy)
		goto free_new;
	if (parent)
		memcpy(new->handled, parent->handled, sizeof(new->handled));
	new->handled[level] = ruleset->handled[0];
	err = parent ? copy_rules(new, parent) : 0;
	err = err ? err : copy_layer(new, ruleset, level);
	if (!err)
		return new;
free_new:
	free_ruleset(new);
	return ERR_PTR(err);
}

/* ---- who may look into whom ---- */

bool landlock_may_ptrace(const struct cred *tracer, const struct cred *tracee)
{
	const struct landlock_hierarchy *h;

	if (!tracer->landlock)
		return true;
	for (h = tracee->landlock ? tracee->landlock->hierarchy : NULL; h; h = h->parent) {
		if (h == tracer->landlock->hierarchy)
			return true;
	}
	return false;
}
