/*
 * self.c: /proc/self and /proc/thread-self: symbolic links whose target depends on who asks.
 *
 * Idea:    the target is the reader's number in the pid namespace of this mount of /proc, not in the reader's own.
 * Locking: none: a task's own numbers do not change while it looks.
 * See:     proc(5)
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/sched.h>
#include <weft/init.h>
#include "internal.h"

static const char *self_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	const struct pid_namespace *ns = proc_pid_ns(inode->i_sb);
	pid_t tgid = task_tgid_nr_ns(current, ns);
	char *name;

	if (!dentry)
		return ERR_PTR(-ECHILD);	/* an RCU walk may not sleep for the memory */
	if (!tgid)
		return ERR_PTR(-ENOENT);	/* in that /proc we are not */
	name = kmalloc(12, GFP_KERNEL);
	if (!name)
		return ERR_PTR(-ENOMEM);
	snprintf(name, 12, "%d", tgid);
	set_delayed_call(done, kfree_link, name);
	return name;
}

static const char *thread_self_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	const struct pid_namespace *ns = proc_pid_ns(inode->i_sb);
	pid_t tgid = task_tgid_nr_ns(current, ns);
	char *name;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	if (!tgid)
		return ERR_PTR(-ENOENT);
	name = kmalloc(32, GFP_KERNEL);
	if (!name)
		return ERR_PTR(-ENOMEM);
	snprintf(name, 32, "%d/task/%d", tgid, task_pid_nr_ns(current, ns));
	set_delayed_call(done, kfree_link, name);
	return name;
}

static const struct inode_operations self_inode_operations = { .get_link = self_get_link };
static const struct inode_operations thread_self_inode_operations = { .get_link = thread_self_get_link };

/* Looked up by the root's look-up before the registered entries.  NULL when the name is neither. */
struct inode *proc_self_inode(struct super_block *sb, const struct qstr *name)
{
	bool thread = name->len == 11 && !memcmp(name->name, "thread-self", 11);
	struct inode *inode;

	if (!thread && !(name->len == 4 && !memcmp(name->name, "self", 4)))
		return NULL;
	inode = new_inode(sb);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_ino = thread ? PROC_ROOT_INO + 2 : PROC_ROOT_INO + 1;
	inode->i_mode = S_IFLNK | 0777;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	inode->i_op = thread ? &thread_self_inode_operations : &self_inode_operations;
	return inode;
}
