/*
 * fs.c: may the running task do that to that file, as far as its domain goes?
 *
 * Idea:    an access takes some rights.  Each layer of the domain that restricts one of them denies it at first; then one
 *          goes up from the file to the root of all, through mount points, and each rule on the way takes the layers that
 *          allow the right out of its set.  When no set has a layer left, it may be done.
 *          To move or link a file into another directory must not give it rights: besides the right "refer" on both sides
 *          it takes that, for each right and each layer, what denies it to the file where it is denies it where it goes,
 *          unless a rule on the file itself allows it.
 * Locking: none: a domain does not change.  References on the place where the walk stands.
 * See:     ruleset.c; landlock(7); <weft/landlock.h> (the callers)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/string.h>
#include "ruleset.h"

/* What a file, and not only a directory, can be asked for. */
#define FILE_ACCESS	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE)

/* For each right the layers (a bit each) that deny it still. */
struct denials {
	u16	by[LANDLOCK_ACCESS_FS_BITS];
};

/* ---- denials ---- */

/* All layers that restrict one of these rights deny it.  The right to refer is denied by each, said or not. */
static void deny_all(const struct landlock_ruleset *domain, u16 access, struct denials *d)
{
	memset(d, 0, sizeof(*d));
	for (unsigned int level = 0; level < domain->nr_layers; level++) {
		const u16 handled = domain->handled[level] | LANDLOCK_ACCESS_FS_REFER;

		for (unsigned int bit = 0; bit < LANDLOCK_ACCESS_FS_BITS; bit++) {
			if (access & handled & BIT(bit))
				d->by[bit] |= (u16)BIT(level);
		}
	}
}

static bool denies(const struct denials *d, u16 access)
{
	for (unsigned int bit = 0; bit < LANDLOCK_ACCESS_FS_BITS; bit++) {
		if (access & BIT(bit) && d->by[bit])
			return true;
	}
	return false;
}

/* What the rules on that dentry allow is denied no more. */
static void allow_by_rule(const struct landlock_ruleset *domain, const struct dentry *dentry, struct denials *d)
{
	const struct inode *inode = d_inode(dentry);
	const struct landlock_rule *rule = inode ? landlock_find_rule(domain, inode) : NULL;

	for (unsigned int i = 0; rule && i < rule->nr_layers; i++) {
		for (unsigned int bit = 0; bit < LANDLOCK_ACCESS_FS_BITS; bit++) {
			if (rule->layers[i].access & BIT(bit))
				d->by[bit] &= (u16)~BIT(rule->layers[i].level);
		}
	}
}

/* ---- the way up ---- */

/* Pipes, sockets and what else the kernel alone has mounted: not restricted. */
static bool has_no_place(const struct dentry *dentry)
{
	const struct inode *inode = d_inode(dentry);

	return dentry->d_sb->s_flags & SB_NOUSER || (inode && IS_PRIVATE(inode));
}

/* One step up, also through mount points; false at the root of all, where *path stays. */
static bool go_up(struct path *path)
{
	struct dentry *parent;

	while (path->dentry == path->mnt->mnt_root) {
		if (!follow_up(path))
			return false;
	}
	if (IS_ROOT(path->dentry))
		return false;		/* disconnected */
	parent = dget_parent(path->dentry);
	dput(path->dentry);
	path->dentry = parent;
	return true;
}

static int may_access(const struct landlock_ruleset *domain, const struct path *where, u16 access)
{
	struct path path = *where;
	struct denials d;
	bool denied;

	if (has_no_place(path.dentry))
		return 0;
	deny_all(domain, access, &d);
	path_get(&path);
	do {
		allow_by_rule(domain, path.dentry, &d);
		denied = denies(&d, access);
	} while (denied && go_up(&path));
	/* A file of the kernel's own mounts that has no way to a root. */
	if (denied && path.mnt->mnt_flags & MNT_INTERNAL)
		denied = false;
	path_put(&path);
	return denied ? -EACCES : 0;
}

/* ---- what needs which rights ---- */

static u16 make_access(umode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return LANDLOCK_ACCESS_FS_MAKE_SYM;
	case S_IFDIR:
		return LANDLOCK_ACCESS_FS_MAKE_DIR;
	case S_IFCHR:
		return LANDLOCK_ACCESS_FS_MAKE_CHAR;
	case S_IFBLK:
		return LANDLOCK_ACCESS_FS_MAKE_BLOCK;
	case S_IFIFO:
		return LANDLOCK_ACCESS_FS_MAKE_FIFO;
	case S_IFSOCK:
		return LANDLOCK_ACCESS_FS_MAKE_SOCK;
	}
	return LANDLOCK_ACCESS_FS_MAKE_REG;
}

static u16 remove_access(const struct dentry *dentry)
{
	if (d_is_negative(dentry))
		return 0;
	return d_is_dir(dentry) ? LANDLOCK_ACCESS_FS_REMOVE_DIR : LANDLOCK_ACCESS_FS_REMOVE_FILE;
}

int __landlock_open(const struct file *file)
{
	u16 access = 0;

	if (file->f_mode & FMODE_READ)
		access |= S_ISDIR(file_inode(file)->i_mode) ? LANDLOCK_ACCESS_FS_READ_DIR : LANDLOCK_ACCESS_FS_READ_FILE;
	if (file->f_mode & FMODE_WRITE)
		access |= LANDLOCK_ACCESS_FS_WRITE_FILE;
	if (file->f_flags & __FMODE_EXEC)
		access |= LANDLOCK_ACCESS_FS_EXECUTE;
	return may_access(current_cred()->landlock, &file->f_path, access);
}

int __landlock_make(const struct path *dir, umode_t mode)
{
	return may_access(current_cred()->landlock, dir, make_access(mode));
}

int __landlock_remove(const struct path *dir, const struct dentry *dentry)
{
	return may_access(current_cred()->landlock, dir, remove_access(dentry));
}

/* ---- another directory ---- */

/* One side of a move: the directory, and what of it comes to the other side. */
struct side {
	struct denials	dir;		/* what is denied in the directory */
	struct denials	child;		/* ... to what a rule on the file itself says nothing of */
	u16		access;		/* what is done in the directory */
	bool		moves;		/* a file goes from here to the other side */
	bool		is_dir;		/* that file is a directory */
};

/* Would what goes from a to b be allowed more there? */
static bool gains(const struct side *a, const struct side *b)
{
	for (unsigned int bit = 0; a->moves && bit < LANDLOCK_ACCESS_FS_BITS; bit++) {
		if (!a->is_dir && !(BIT(bit) & FILE_ACCESS))
			continue;
		if (a->dir.by[bit] & a->child.by[bit] & ~b->dir.by[bit])
			return true;
	}
	return false;
}

/* From the directory up to the root of its mount, without that root. */
static void collect(const struct landlock_ruleset *domain, const struct dentry *root, struct dentry *dir, struct denials *d)
{
	struct dentry *dentry = dget(dir), *parent;

	deny_all(domain, LANDLOCK_ACCESS_FS_ALL, d);
	while (dentry != root && !IS_ROOT(dentry)) {
		allow_by_rule(domain, dentry, d);
		parent = dget_parent(dentry);
		dput(dentry);
		dentry = parent;
	}
	dput(dentry);
}

/* What is denied counts no more, but for what is to be done. */
static void scope(struct side *s)
{
	for (unsigned int bit = 0; bit < LANDLOCK_ACCESS_FS_BITS; bit++) {
		if (!(s->access & BIT(bit)))
			s->dir.by[bit] = 0;
	}
}

/*
 * The rest of the way, which both sides have in common.  While nobody has shown yet that the move gives no rights, all rights
 * are followed; when it has been shown, only those that the move takes.
 */
static bool go_up_together(const struct landlock_ruleset *domain, struct path *path, struct side *from, struct side *to)
{
	bool shown = false;

	do {
		if (!shown && !gains(from, to) && !gains(to, from)) {
			shown = true;
			scope(from);
			scope(to);
		}
		if (shown && !denies(&from->dir, from->access) && !denies(&to->dir, to->access))
			return true;
		allow_by_rule(domain, path->dentry, &from->dir);
		allow_by_rule(domain, path->dentry, &to->dir);
		if (!denies(&from->dir, LANDLOCK_ACCESS_FS_ALL) && !denies(&to->dir, LANDLOCK_ACCESS_FS_ALL))
			return true;
	} while (go_up(path));
	return false;
}

/* What goes away from a side. */
static void set_moved(const struct landlock_ruleset *domain, const struct dentry *dentry, struct side *s)
{
	s->moves = true;
	s->is_dir = d_is_dir(dentry);
	deny_all(domain, LANDLOCK_ACCESS_FS_ALL, &s->child);
	allow_by_rule(domain, dentry, &s->child);
}

/* The file `old` gets a name in another directory (new: an exchange, and what comes back); sides' accesses are set. */
static int may_refer(const struct landlock_ruleset *domain, struct dentry *old, const struct path *dir, struct dentry *new,
		     struct side *from, struct side *to)
{
	struct path path = { .mnt = dir->mnt, .dentry = dir->mnt->mnt_root };
	bool allowed;

	if (has_no_place(dir->dentry))
		return 0;
	from->access |= LANDLOCK_ACCESS_FS_REFER;
	to->access |= LANDLOCK_ACCESS_FS_REFER;
	collect(domain, path.dentry, old->d_parent, &from->dir);
	collect(domain, path.dentry, dir->dentry, &to->dir);
	set_moved(domain, old, from);
	if (new)
		set_moved(domain, new, to);
	path_get(&path);
	allowed = go_up_together(domain, &path, from, to);
	path_put(&path);
	if (allowed)
		return 0;
	/* Who may not do this at all hears that; -EXDEV says "copy it instead". */
	if (denies(&from->dir, from->access & ~LANDLOCK_ACCESS_FS_REFER) ||
	    denies(&to->dir, to->access & ~LANDLOCK_ACCESS_FS_REFER))
		return -EACCES;
	return -EXDEV;
}

int __landlock_link(struct dentry *old, const struct path *dir)
{
	const struct landlock_ruleset *domain = current_cred()->landlock;
	struct side from = { }, to = { };

	if (d_is_negative(old))
		return -ENOENT;
	to.access = make_access(d_inode(old)->i_mode);
	if (old->d_parent == dir->dentry)
		return may_access(domain, dir, to.access);
	return may_refer(domain, old, dir, NULL, &from, &to);
}

int __landlock_rename(struct dentry *old, const struct path *new_dir, struct dentry *new, bool exchange)
{
	const struct landlock_ruleset *domain = current_cred()->landlock;
	struct side from = { }, to = { };

	if (d_is_negative(old) || (exchange && d_is_negative(new)))
		return -ENOENT;
	from.access = remove_access(old) | (exchange ? make_access(d_inode(new)->i_mode) : 0);
	to.access = remove_access(new) | make_access(d_inode(old)->i_mode);
	if (old->d_parent == new_dir->dentry)
		return may_access(domain, new_dir, from.access | to.access);
	return may_refer(domain, old, new_dir, exchange ? new : NULL, &from, &to);
}
