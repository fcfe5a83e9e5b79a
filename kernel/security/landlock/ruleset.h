/*
 * ruleset.h: rules of Landlock, while they are collected and when they are in force.
 *
 * Idea:    both are the same structure; a domain is a ruleset that is never changed again.
 * See:     ruleset.c; doc/sandbox.md
 */
#ifndef LANDLOCK_RULESET_H
#define LANDLOCK_RULESET_H

#include <weft/err.h>
#include <weft/list.h>
#include <weft/mutex.h>
#include <weft/rbtree.h>
#include <weft/refcount.h>
#include <weft/types.h>
#include <weft/workqueue.h>
#include <uapi/landlock.h>

#define LANDLOCK_MAX_LAYERS	16

struct dentry;
struct inode;

/* An inode that rules speak of, held in memory until the last of them goes or its file system is unmounted. */
struct landlock_pin {
	refcount_t		usage;		/* rules */
	struct inode		*inode;		/* [pins_mutex, single reads free] + reference; NULL: unmounted */
	struct list_head	node;		/* [pins_mutex] */
};

struct landlock_layer {
	u16	level;				/* from 0 */
	u16	access;				/* LANDLOCK_ACCESS_FS_*: allowed beneath the inode */
};

/* What the layers of a ruleset allow beneath one inode. */
struct landlock_rule {
	struct rb_node		node;
	const struct inode	*key;		/* [I] the pin's inode, also when that has gone */
	struct landlock_pin	*pin;		/* + usage */
	unsigned int		nr_layers;
	struct landlock_layer	layers[];	/* by level */
};

/* The domains that one was made in: who stands above may trace who stands below. */
struct landlock_hierarchy {
	refcount_t		usage;
	struct landlock_hierarchy *parent;	/* [I] + reference */
};

/*
 * One layer while it is open as a file; as a domain all that a task has put on itself, which does not change any more.
 */
struct landlock_ruleset {
	struct mutex		lock;		/* guards the rules of an open one */
	struct rb_root		rules;		/* by key */
	refcount_t		usage;		/* files, credentials */
	unsigned int		nr_rules, nr_layers;
	struct landlock_hierarchy *hierarchy;	/* of a domain; else NULL */
	struct work_struct	free_work;
	u16			handled[LANDLOCK_MAX_LAYERS];	/* [I] by level: what it restricts */
};

struct landlock_ruleset *landlock_new_ruleset(u16 handled);	/* ERR_PTR */
int landlock_insert_rule(struct landlock_ruleset *ruleset, struct inode *inode, u16 access);
/* A new domain: `ruleset` on top of parent (or NULL).  ERR_PTR(-E2BIG): too many layers. */
struct landlock_ruleset *landlock_merge(const struct landlock_ruleset *parent, struct landlock_ruleset *ruleset);
const struct landlock_rule *landlock_find_rule(const struct landlock_ruleset *ruleset, const struct inode *inode);

#endif
