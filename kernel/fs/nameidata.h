/*
 * nameidata.h: where a path walk stands.  For namei*.c only.
 */
#ifndef WEFT_FS_NAMEIDATA_H
#define WEFT_FS_NAMEIDATA_H

#include <weft/namei.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include "internal.h"

#define EMBEDDED_LEVELS	2	/* links that need no allocation */

/* A link that is being walked. */
struct saved_link {
	struct path		link;	/* where it stands */
	struct delayed_call	done;	/* frees its text */
	const char		*name;	/* what follows it in the name where it stood */
	unsigned int		seq;	/* link.dentry's d_seq, under RCU */
};

struct nameidata {
	struct path	path;		/* the position */
	struct inode	*inode;		/* path.dentry's, as of seq */
	struct qstr	last;		/* the component to be walked next */
	struct path	root;		/* mnt NULL: not looked at yet */
	unsigned int	flags;		/* LOOKUP_* */
	unsigned int	state;		/* ND_* */
	unsigned int	seq;		/* path.dentry's d_seq, under RCU */
	unsigned int	m_seq;		/* mount_lock's at the start */
	unsigned int	r_seq;		/* rename_lock's, for LOOKUP_IS_SCOPED */
	unsigned int	root_seq;
	int		last_type;	/* LAST_* */
	unsigned int	depth;		/* of stack */
	int		total_link_count;
	struct saved_link *stack, internal[EMBEDDED_LEVELS];
	struct filename	*name;
	struct nameidata *saved;	/* the walk that this one interrupts */
	int		dfd;
	kuid_t		dir_uid;	/* of the last component's parent */
	umode_t		dir_mode;
};

#define ND_ROOT_PRESET	1	/* root was given by the caller, who holds it */
#define ND_ROOT_GRABBED	2	/* root is a reference */
#define ND_JUMPED	4	/* the position did not come from a look-up by name */

#define WALK_TRAILING	1	/* the last component of the whole name */
#define WALK_MORE	2	/* there is more of this name behind it */
#define WALK_NOFOLLOW	4

static inline void set_nameidata(struct nameidata *nd, int dfd, struct filename *name, const struct path *root)
{
	struct nameidata *old = current->nameidata;

	nd->stack = nd->internal;
	nd->depth = 0;
	nd->dfd = dfd;
	nd->name = name;
	nd->path = (struct path){ };
	nd->root = root ? *root : (struct path){ };
	nd->state = root ? ND_ROOT_PRESET : 0;
	nd->total_link_count = old ? old->total_link_count : 0;
	nd->saved = old;
	current->nameidata = nd;
}

static inline void restore_nameidata(void)
{
	struct nameidata *now = current->nameidata, *old = now->saved;

	current->nameidata = old;
	if (old)
		old->total_link_count = now->total_link_count;
	if (now->stack != now->internal)
		kfree(now->stack);
}

/* namei.c */
const char *path_init(struct nameidata *nd, unsigned int flags);
int link_path_walk(const char *name, struct nameidata *nd);
const char *walk_component(struct nameidata *nd, int flags);
const char *lookup_last(struct nameidata *nd);
bool try_to_unlazy(struct nameidata *nd);
int complete_walk(struct nameidata *nd);
void terminate_walk(struct nameidata *nd);
bool try_to_unlazy_next(struct nameidata *nd, struct dentry *dentry, unsigned int seq);
bool legitimize_path(struct nameidata *nd, struct path *path, unsigned int seq);
int set_root(struct nameidata *nd);
int nd_jump_root(struct nameidata *nd);

/* namei_step.c */
struct dentry *lookup_fast(struct nameidata *nd, unsigned int *seqp);
struct dentry *lookup_slow(const struct qstr *name, struct dentry *dir, unsigned int flags);
const char *step_into(struct nameidata *nd, int flags, struct dentry *dentry, unsigned int seq);
const char *handle_dots(struct nameidata *nd, int type);
void put_link(struct nameidata *nd);

#endif
