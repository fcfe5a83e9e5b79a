/*
 * fs_struct.c: a task's root, working directory and umask.
 *
 * Idea:    threads share one, a forked process gets a copy.  A path walk reads root and directory without a lock: fs->seq
 *          tells it when they changed meanwhile (namei.c).
 * Locking: fs->lock for a change and for taking references, inside task_lock(), which keeps task->fs; fs->seq for readers.
 * See: fs_struct.h; chdir(2), chroot(2), clone(2) "CLONE_FS"
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include "internal.h"

struct fs_struct init_fs = {
	.users	= 1,
	.lock	= __SPIN_LOCK_UNLOCKED(init_fs.lock),
	.umask	= 0022,
};

/* Replaces one of the two; the structure takes a reference of its own. */
static void set_path(struct fs_struct *fs, struct path *which, const struct path *path)
{
	struct path old;

	path_get(path);
	spin_lock(&fs->lock);
	write_seqcount_begin(&fs->seq);
	old = *which;
	*which = *path;
	write_seqcount_end(&fs->seq);
	spin_unlock(&fs->lock);
	if (old.dentry)
		path_put(&old);
}

void set_fs_root(struct fs_struct *fs, const struct path *path)
{
	set_path(fs, &fs->root, path);
}

void set_fs_pwd(struct fs_struct *fs, const struct path *path)
{
	set_path(fs, &fs->pwd, path);
}

void get_fs_root(struct fs_struct *fs, struct path *root)
{
	spin_lock(&fs->lock);
	*root = fs->root;
	path_get(root);
	spin_unlock(&fs->lock);
}

void get_fs_pwd(struct fs_struct *fs, struct path *pwd)
{
	spin_lock(&fs->lock);
	*pwd = fs->pwd;
	path_get(pwd);
	spin_unlock(&fs->lock);
}

static int replace_path(struct path *p, const struct path *old, const struct path *new)
{
	if (!path_equal(p, old))
		return 0;
	*p = *new;
	return 1;
}

/* After pivot_root(2): whoever was at the old root is at the new one. */
void chroot_fs_refs(const struct path *old_root, const struct path *new_root)
{
	struct task_struct *g, *p;
	int count = 0;

	read_lock(&tasklist_lock);
	for_each_process_thread(g, p) {
		struct fs_struct *fs;

		task_lock(p);
		fs = p->fs;
		if (fs) {
			int hits;

			spin_lock(&fs->lock);
			write_seqcount_begin(&fs->seq);
			hits = replace_path(&fs->root, old_root, new_root) + replace_path(&fs->pwd, old_root, new_root);
			write_seqcount_end(&fs->seq);
			for (; hits; hits--, count++)
				path_get(new_root);
			spin_unlock(&fs->lock);
		}
		task_unlock(p);
	}
	read_unlock(&tasklist_lock);
	while (count--)
		path_put(old_root);
}

void free_fs_struct(struct fs_struct *fs)
{
	path_put(&fs->root);
	path_put(&fs->pwd);
	kfree(fs);
}

void exit_fs(struct task_struct *tsk)
{
	struct fs_struct *fs = tsk->fs;
	bool last;

	if (!fs)
		return;
	task_lock(tsk);
	spin_lock(&fs->lock);
	tsk->fs = NULL;
	last = !--fs->users;
	spin_unlock(&fs->lock);
	task_unlock(tsk);
	if (last)
		free_fs_struct(fs);
}

struct fs_struct *copy_fs_struct(struct fs_struct *old)
{
	struct fs_struct *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	fs->users = 1;
	fs->in_exec = 0;
	spin_lock_init(&fs->lock);
	seqcount_init(&fs->seq);
	spin_lock(&old->lock);
	fs->umask = old->umask;
	fs->root = old->root;
	path_get(&fs->root);
	fs->pwd = old->pwd;
	path_get(&fs->pwd);
	spin_unlock(&old->lock);
	return fs;
}

/* Is the running task's root another place than that of its mount namespace? */
bool current_chrooted(void)
{
	struct path ns_root, root;
	bool chrooted;

	mnt_ns_root(current->nsproxy->mnt, &ns_root);
	get_fs_root(current->fs, &root);
	chrooted = !path_equal(&root, &ns_root);
	path_put(&root);
	path_put(&ns_root);
	return chrooted;
}

int current_umask(void)
{
	return current->fs->umask;
}
