/*
 * namei.c: the walk from a path name to a dentry.
 *
 * Idea:    first without any reference or lock: under RCU, each step validated by the d_seq of the dentry it leaves and the
 *          one it enters, mounts by mount_lock's sequence.  Such a walk writes no shared cache line.  Where it cannot go on
 *          (name not in the cache, a method that must sleep) it turns its position into references (unlazy) and goes on
 *          with those; where what it saw changed meanwhile it ends with -ECHILD and the caller begins anew, with
 *          references from the start.
 *          Symbolic links are followed without recursion: a stack keeps, for each link, the rest of the name behind it.
 * States:  flags & LOOKUP_RCU: path, root and links are borrowed, seq numbers count.  Otherwise: each is a reference.
 * Locking: i_rwsem of the directory around ->lookup().
 * Race:    a step from parent to child under RCU:
 *              walker                                   rename or unlink
 *              seq = child->d_seq                       write_seqcount_begin(child->d_seq)
 *              compare name, read d_inode               change it
 *              parent->d_seq still as it was?           write_seqcount_end()
 *              later: child->d_seq still seq?  -> no: -ECHILD
 * See:     spec.md §10; namei_step.c, namei_open.c, namei_ops.c; path_resolution(7), openat2(2); doc/files.md
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/uaccess.h>
#include "internal.h"
#include "nameidata.h"

/* ---- from borrowed to owned ---- */

static void drop_links(struct nameidata *nd)
{
	for (unsigned int i = nd->depth; i--; ) {
		do_delayed_call(&nd->stack[i].done);
		clear_delayed_call(&nd->stack[i].done);
	}
}

static void leave_rcu(struct nameidata *nd)
{
	nd->flags &= ~LOOKUP_RCU;
	rcu_read_unlock();
}

void terminate_walk(struct nameidata *nd)
{
	drop_links(nd);
	if (nd->flags & LOOKUP_RCU) {
		leave_rcu(nd);
	} else {
		path_put(&nd->path);
		for (unsigned int i = 0; i < nd->depth; i++)
			path_put(&nd->stack[i].link);
		if (nd->state & ND_ROOT_GRABBED) {
			path_put(&nd->root);
			nd->state &= ~ND_ROOT_GRABBED;
		}
	}
	nd->depth = 0;
	nd->path = (struct path){ };
}

/* True: both references taken, and the place is what it was.  Otherwise *path holds what must be put after RCU. */
bool legitimize_path(struct nameidata *nd, struct path *path, unsigned int seq)
{
	int res = __legitimize_mnt(path->mnt, nd->m_seq);

	if (unlikely(res)) {
		if (res > 0)
			path->mnt = NULL;
		path->dentry = NULL;
		return false;
	}
	if (unlikely(!lockref_get_not_dead(&path->dentry->d_lockref))) {
		path->dentry = NULL;
		return false;
	}
	return !read_seqcount_retry(&path->dentry->d_seq, seq);
}

static bool legitimize_links(struct nameidata *nd)
{
	for (unsigned int i = 0; i < nd->depth; i++) {
		struct saved_link *last = &nd->stack[i];

		if (unlikely(!legitimize_path(nd, &last->link, last->seq))) {
			drop_links(nd);
			nd->depth = i + 1;
			return false;
		}
	}
	return true;
}

static bool legitimize_root(struct nameidata *nd)
{
	/* Nothing to hold, or the caller of the walk holds it. */
	if (!nd->root.mnt || nd->state & ND_ROOT_PRESET)
		return true;
	nd->state |= ND_ROOT_GRABBED;
	return legitimize_path(nd, &nd->root, nd->root_seq);
}

/* The walk goes on with references: true.  False: the tree changed, the caller returns -ECHILD. */
bool try_to_unlazy(struct nameidata *nd)
{
	BUG_ON(!(nd->flags & LOOKUP_RCU));
	if (nd->flags & LOOKUP_CACHED) {
		drop_links(nd);
		nd->depth = 0;
		goto out_nothing;
	}
	if (unlikely(!legitimize_links(nd)))
		goto out_nothing;
	if (unlikely(!legitimize_path(nd, &nd->path, nd->seq)))
		goto out;
	if (unlikely(!legitimize_root(nd)))
		goto out;
	leave_rcu(nd);
	return true;

out_nothing:
	nd->path = (struct path){ };
out:
	leave_rcu(nd);
	return false;
}

/* The same, and with a reference on the child `dentry` whose d_seq was seq when it was found. */
bool try_to_unlazy_next(struct nameidata *nd, struct dentry *dentry, unsigned int seq)
{
	int res;

	if (nd->flags & LOOKUP_CACHED) {
		drop_links(nd);
		nd->depth = 0;
		goto out_nothing;
	}
	if (unlikely(!legitimize_links(nd)))
		goto out_nothing;
	res = __legitimize_mnt(nd->path.mnt, nd->m_seq);
	if (unlikely(res)) {
		if (res > 0)
			nd->path.mnt = NULL;
		nd->path.dentry = NULL;
		goto out;
	}
	if (unlikely(!lockref_get_not_dead(&nd->path.dentry->d_lockref))) {
		nd->path.dentry = NULL;
		goto out;
	}
	/* The parent had this child, at a time when both sequences held: then a reference on the child is good. */
	if (unlikely(!lockref_get_not_dead(&dentry->d_lockref)))
		goto out;
	if (read_seqcount_retry(&dentry->d_seq, seq) || !legitimize_root(nd)) {
		leave_rcu(nd);
		dput(dentry);
		return false;
	}
	leave_rcu(nd);
	return true;

out_nothing:
	nd->path = (struct path){ };
out:
	leave_rcu(nd);
	return false;
}

/* The walk came to its end: 0 with references, or -errno. */
int complete_walk(struct nameidata *nd)
{
	if (nd->flags & LOOKUP_RCU) {
		if (!(nd->state & ND_ROOT_PRESET) && !(nd->flags & LOOKUP_IS_SCOPED))
			nd->root.mnt = NULL;	/* nobody asks for the root any more */
		nd->flags &= ~LOOKUP_CACHED;
		if (!try_to_unlazy(nd))
			return -ECHILD;
	}
	/* openat2(): what the checks on the way allowed could have been moved out meanwhile. */
	if (unlikely(nd->flags & LOOKUP_IS_SCOPED) && !path_is_under(&nd->path, &nd->root))
		return -EXDEV;
	return 0;
}

/* ---- the root ---- */

int set_root(struct nameidata *nd)
{
	struct fs_struct *fs = current->fs;
	unsigned int seq;

	if (WARN_ON(nd->flags & LOOKUP_IS_SCOPED))
		return -ENOTRECOVERABLE;
	if (!(nd->flags & LOOKUP_RCU)) {
		get_fs_root(fs, &nd->root);
		nd->state |= ND_ROOT_GRABBED;
		return 0;
	}
	do {
		seq = read_seqcount_begin(&fs->seq);
		nd->root = fs->root;
		nd->root_seq = read_seqcount_begin(&nd->root.dentry->d_seq);
	} while (read_seqcount_retry(&fs->seq, seq));
	return 0;
}

/* The position becomes the root. */
int nd_jump_root(struct nameidata *nd)
{
	int err;

	if (unlikely(nd->flags & LOOKUP_BENEATH))
		return -EXDEV;
	if (!nd->root.mnt) {
		err = set_root(nd);
		if (err)
			return err;
	}
	if (unlikely(nd->flags & LOOKUP_NO_XDEV) && nd->path.mnt && nd->root.mnt != nd->path.mnt)
		return -EXDEV;
	if (nd->flags & LOOKUP_RCU) {
		nd->path = nd->root;
		nd->inode = nd->path.dentry->d_inode;
		nd->seq = nd->root_seq;
		if (read_seqcount_retry(&nd->path.dentry->d_seq, nd->seq))
			return -ECHILD;
	} else {
		path_put(&nd->path);
		nd->path = nd->root;
		path_get(&nd->path);
		nd->inode = nd->path.dentry->d_inode;
	}
	nd->state |= ND_JUMPED;
	return 0;
}

int nd_jump_link(const struct path *path)
{
	struct nameidata *nd = current->nameidata;
	int err = -ELOOP;

	if (unlikely(nd->flags & LOOKUP_NO_MAGICLINKS))
		goto refuse;
	err = -EXDEV;
	if (unlikely(nd->flags & LOOKUP_NO_XDEV && nd->path.mnt != path->mnt))
		goto refuse;
	if (unlikely(nd->flags & LOOKUP_IS_SCOPED))
		goto refuse;
	path_put(&nd->path);
	nd->path = *path;
	nd->inode = nd->path.dentry->d_inode;
	nd->state |= ND_JUMPED;
	return 0;

refuse:
	path_put(path);
	return err;
}

/* ---- the walk ---- */

static inline int may_lookup(struct nameidata *nd)
{
	struct inode *inode = nd->inode;
	int err;

	/* What everybody may search, and no method wants to be asked: no look at credentials. */
	if (likely((inode->i_mode & S_IXUGO) == S_IXUGO && inode->i_opflags & IOP_FASTPERM))
		return 0;
	if (nd->flags & LOOKUP_RCU) {
		err = inode_permission(inode, MAY_EXEC | MAY_NOT_BLOCK);
		if (!err)
			return 0;
		/* It may be wrong: the inode could have changed.  With references the answer counts. */
		if (!try_to_unlazy(nd))
			return -ECHILD;
		if (err != -ECHILD)
			return err;
	}
	return inode_permission(nd->inode, MAY_EXEC);
}

const char *walk_component(struct nameidata *nd, int flags)
{
	struct dentry *dentry;
	unsigned int seq = 0;

	if (unlikely(nd->last_type != LAST_NORM)) {
		if (unlikely(nd->depth) && !(flags & WALK_MORE))
			put_link(nd);
		return handle_dots(nd, nd->last_type);
	}
	dentry = lookup_fast(nd, &seq);
	if (IS_ERR(dentry))
		return ERR_CAST(dentry);
	if (unlikely(!dentry)) {
		dentry = lookup_slow(&nd->last, nd->path.dentry, nd->flags);
		if (IS_ERR(dentry))
			return ERR_CAST(dentry);
	}
	if (!(flags & WALK_MORE) && nd->depth)
		put_link(nd);
	return step_into(nd, flags, dentry, seq);
}

/* "." and ".." are not looked up. */
static inline int component_type(const char *name, u32 len)
{
	if (likely(name[0] != '.') || len > 2)
		return LAST_NORM;
	if (len == 1)
		return LAST_DOT;
	return name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

/* Walks all but the last component, which is left in nd->last and nd->last_type.  0 or -errno. */
int link_path_walk(const char *name, struct nameidata *nd)
{
	unsigned int depth = 0;		/* links whose rest of the name is still to be walked */
	int err;

	nd->last_type = LAST_ROOT;
	nd->flags |= LOOKUP_PARENT;
	if (IS_ERR(name))
		return PTR_ERR(name);
	while (*name == '/')
		name++;
	if (!*name) {
		nd->dir_mode = 0;	/* "/" has no parent that could be sticky */
		return 0;
	}
	for (;;) {
		const char *link;
		u32 len;

		err = may_lookup(nd);
		if (unlikely(err))
			return err;
		nd->last.name = (const unsigned char *)name;
		nd->last.hash_len = hashlen_string(nd->path.dentry, name);
		len = hashlen_len(nd->last.hash_len);
		nd->last_type = component_type(name, len);
		if (likely(nd->last_type == LAST_NORM)) {
			nd->state &= ~ND_JUMPED;
			if (unlikely(len > NAME_MAX))
				return -ENAMETOOLONG;
			if (unlikely(nd->path.dentry->d_flags & DCACHE_OP_HASH)) {
				err = nd->path.dentry->d_op->d_hash(nd->path.dentry, &nd->last);
				if (err < 0)
					return err;
			}
		} else {
			nd->state |= nd->last_type == LAST_DOTDOT ? ND_JUMPED : 0;
		}
		name += len;
		while (unlikely(*name == '/'))
			name++;
		if (unlikely(!*name)) {
			if (!depth) {	/* the last of all: the caller's */
				nd->dir_uid = nd->inode->i_uid;
				nd->dir_mode = nd->inode->i_mode;
				nd->flags &= ~LOOKUP_PARENT;
				return 0;
			}
			name = nd->stack[--depth].name;
			link = walk_component(nd, 0);
		} else {
			link = walk_component(nd, WALK_MORE);
		}
		if (unlikely(link)) {
			if (IS_ERR(link))
				return PTR_ERR(link);
			nd->stack[depth++].name = name;
			name = link;
			continue;
		}
		if (unlikely(!d_can_lookup(nd->path.dentry))) {
			if (nd->flags & LOOKUP_RCU && !try_to_unlazy(nd))
				return -ECHILD;
			return -ENOTDIR;
		}
	}
}

static int start_at_cwd(struct nameidata *nd)
{
	struct fs_struct *fs = current->fs;
	unsigned int seq;

	if (!(nd->flags & LOOKUP_RCU)) {
		get_fs_pwd(fs, &nd->path);
		nd->inode = nd->path.dentry->d_inode;
		return 0;
	}
	do {
		seq = read_seqcount_begin(&fs->seq);
		nd->path = fs->pwd;
		nd->inode = nd->path.dentry->d_inode;
		nd->seq = read_seqcount_begin(&nd->path.dentry->d_seq);
	} while (read_seqcount_retry(&fs->seq, seq));
	return 0;
}

static int start_at_fd(struct nameidata *nd, const char *s)
{
	struct fd f = fdget_raw(nd->dfd);
	struct dentry *dentry;

	if (!f.file)
		return -EBADF;
	dentry = f.file->f_path.dentry;
	if (*s && unlikely(!d_can_lookup(dentry))) {
		fdput(f);
		return -ENOTDIR;
	}
	nd->path = f.file->f_path;
	if (nd->flags & LOOKUP_RCU) {
		nd->inode = dentry->d_inode;
		nd->seq = read_seqcount_begin(&dentry->d_seq);
	} else {
		path_get(&nd->path);
		nd->inode = nd->path.dentry->d_inode;
	}
	fdput(f);
	return 0;
}

static int start_at_root_preset(struct nameidata *nd, const char *s)
{
	struct dentry *root = nd->root.dentry;
	struct inode *inode = root->d_inode;

	if (*s && unlikely(!d_can_lookup(root)))
		return -ENOTDIR;
	nd->path = nd->root;
	nd->inode = inode;
	if (nd->flags & LOOKUP_RCU) {
		nd->seq = read_seqcount_begin(&nd->path.dentry->d_seq);
		nd->root_seq = nd->seq;
	} else {
		path_get(&nd->path);
	}
	return 0;
}

/* Sets the position where the name begins.  The name to be walked, or ERR_PTR; terminate_walk() in either case. */
const char *path_init(struct nameidata *nd, unsigned int flags)
{
	const char *s = nd->name->name;
	int err;

	nd->flags = flags;
	nd->depth = 0;
	nd->path = (struct path){ };
	/* RESOLVE_CACHED is of no use once references are taken. */
	if ((flags & (LOOKUP_RCU | LOOKUP_CACHED)) == LOOKUP_CACHED)
		return ERR_PTR(-EAGAIN);
	if (unlikely(!*s))
		nd->flags &= ~LOOKUP_RCU;
	if (nd->flags & LOOKUP_RCU)
		rcu_read_lock();
	nd->state &= ND_ROOT_PRESET;
	nd->state |= ND_JUMPED;
	nd->m_seq = read_seqbegin(&mount_lock);
	if (unlikely(flags & LOOKUP_IS_SCOPED))
		nd->r_seq = read_seqbegin(&rename_lock);

	if (unlikely(nd->state & ND_ROOT_PRESET)) {
		err = start_at_root_preset(nd, s);
		return err ? ERR_PTR(err) : s;
	}
	nd->root = (struct path){ };
	if (*s == '/' && !(flags & LOOKUP_IN_ROOT)) {
		err = nd_jump_root(nd);
		return err ? ERR_PTR(err) : s;
	}
	err = nd->dfd == AT_FDCWD ? start_at_cwd(nd) : start_at_fd(nd, s);
	if (unlikely(err))
		return ERR_PTR(err);
	if (unlikely(flags & LOOKUP_IS_SCOPED)) {
		nd->root = nd->path;
		if (nd->flags & LOOKUP_RCU) {
			nd->root_seq = nd->seq;
		} else {
			path_get(&nd->root);
			nd->state |= ND_ROOT_GRABBED;
		}
	}
	return s;
}

/* The last component as any other, but a trailing slash demands a directory and a link may be what is wanted. */
const char *lookup_last(struct nameidata *nd)
{
	if (nd->last_type == LAST_NORM && nd->last.name[nd->last.len])
		nd->flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
	return walk_component(nd, WALK_TRAILING);
}

static int walk_to_end(struct nameidata *nd, unsigned int flags)
{
	const char *s = path_init(nd, flags);
	int err;

	while (!(err = link_path_walk(s, nd)) && (s = lookup_last(nd)) != NULL)
		;
	return err;
}

static int path_lookupat(struct nameidata *nd, unsigned int flags, struct path *path)
{
	int err = walk_to_end(nd, flags);

	if (!err)
		err = complete_walk(nd);
	if (!err && nd->flags & LOOKUP_DIRECTORY && !d_can_lookup(nd->path.dentry))
		err = -ENOTDIR;
	if (!err) {
		*path = nd->path;
		nd->path = (struct path){ };
	}
	terminate_walk(nd);
	return err;
}

/* Runs a walk: lazily, then with references, then trusting no cache. */
#define WITH_RETRIES(walk, flags) ({					\
	int __err = walk((flags) | LOOKUP_RCU);				\
	if (unlikely(__err == -ECHILD))					\
		__err = walk(flags);					\
	if (unlikely(__err == -ESTALE))					\
		__err = walk((flags) | LOOKUP_REVAL);			\
	__err;								\
})

int filename_lookup(int dfd, struct filename *name, unsigned int flags, struct path *path, const struct path *root)
{
	struct nameidata nd;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	set_nameidata(&nd, dfd, name, root);
#define LOOKUPAT(fl) path_lookupat(&nd, fl, path)
	err = WITH_RETRIES(LOOKUPAT, flags);
	restore_nameidata();
	return err;
}

static int path_parentat(struct nameidata *nd, unsigned int flags, struct path *parent)
{
	const char *s = path_init(nd, flags);
	int err = link_path_walk(s, nd);

	if (!err)
		err = complete_walk(nd);
	if (!err) {
		*parent = nd->path;
		nd->path = (struct path){ };
	}
	terminate_walk(nd);
	return err;
}

int filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr *last, int *type)
{
	struct nameidata nd;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	set_nameidata(&nd, dfd, name, NULL);
#define PARENTAT(fl) path_parentat(&nd, fl, parent)
	err = WITH_RETRIES(PARENTAT, flags);
	if (likely(!err)) {
		*last = nd.last;
		*type = nd.last_type;
	}
	restore_nameidata();
	return err;
}

static int path_peekat(struct nameidata *nd, unsigned int flags, peek_fn peek, void *data)
{
	int err = walk_to_end(nd, flags);

	if (err)
		goto out;
	if (nd->flags & LOOKUP_RCU && !(nd->flags & (LOOKUP_DIRECTORY | LOOKUP_IS_SCOPED))) {
		err = peek(&nd->path, nd->inode, true, data);
		if (err != -ECHILD) {
			if (unlikely(read_seqcount_retry(&nd->path.dentry->d_seq, nd->seq) ||
				     read_seqretry(&mount_lock, nd->m_seq)))
				err = -ECHILD;
			goto out;
		}
	}
	err = complete_walk(nd);
	if (!err && nd->flags & LOOKUP_DIRECTORY && !d_can_lookup(nd->path.dentry))
		err = -ENOTDIR;
	if (!err)
		err = peek(&nd->path, nd->inode, false, data);
out:
	terminate_walk(nd);
	return err;
}

int filename_peek(int dfd, struct filename *name, unsigned int flags, peek_fn peek, void *data)
{
	struct nameidata nd;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	set_nameidata(&nd, dfd, name, NULL);
#define PEEKAT(fl) path_peekat(&nd, fl, peek, data)
	err = WITH_RETRIES(PEEKAT, flags);
	restore_nameidata();
	return err;
}
