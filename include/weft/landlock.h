/*
 * landlock.h: where the VFS, mounts and ptrace ask whether the running task has restricted itself.
 *
 * Idea:    a task's credentials point to its domain, or, nearly always, to none: one test of a pointer.
 * See:     kernel/security/landlock; doc/sandbox.md
 */
#ifndef WEFT_LANDLOCK_H
#define WEFT_LANDLOCK_H

#include <weft/compiler.h>
#include <weft/cred.h>
#include <weft/types.h>

struct dentry;
struct file;
struct landlock_ruleset;
struct path;
struct super_block;

static inline bool landlocked(void) { return unlikely(current_cred()->landlock != NULL); }

/* All of these: 0, or -EACCES, -EXDEV.  May sleep. */
int __landlock_open(const struct file *file);
int __landlock_make(const struct path *dir, umode_t mode);
int __landlock_remove(const struct path *dir, const struct dentry *dentry);
int __landlock_link(struct dentry *old, const struct path *dir);
int __landlock_rename(struct dentry *old, const struct path *new_dir, struct dentry *new, bool exchange);

/* May it be opened as file->f_mode and f_flags say? */
static inline int landlock_open(const struct file *file) { return landlocked() ? __landlock_open(file) : 0; }
/* May a name of that type be made in the directory? */
static inline int landlock_make(const struct path *dir, umode_t mode) { return landlocked() ? __landlock_make(dir, mode) : 0; }
static inline int landlock_remove(const struct path *dir, const struct dentry *dentry)
{
	return landlocked() ? __landlock_remove(dir, dentry) : 0;
}
/* Another name for `old` in the directory; both on one mount. */
static inline int landlock_link(struct dentry *old, const struct path *dir)
{
	return landlocked() ? __landlock_link(old, dir) : 0;
}
static inline int landlock_rename(struct dentry *old, const struct path *new_dir, struct dentry *new, bool exchange)
{
	return landlocked() ? __landlock_rename(old, new_dir, new, exchange) : 0;
}
/* Who has restricted himself to places must not change what is there. */
static inline int landlock_mount(void) { return landlocked() ? -EPERM : 0; }

/* May who has the credentials `tracer` look into and change who has `tracee`?  RCU or references. */
bool landlock_may_ptrace(const struct cred *tracer, const struct cred *tracee);

void get_landlock(struct landlock_ruleset *domain);	/* not NULL */
void put_landlock(struct landlock_ruleset *domain);	/* any context; not NULL */
void landlock_release_sb(const struct super_block *sb);	/* it is shut down: rules speak of its inodes no more */

#endif
