/*
 * nsfs.h: paths to namespaces, for /proc/PID/ns.
 *
 * See:     kernel/fs/nsfs.c
 */
#ifndef WEFT_NSFS_H
#define WEFT_NSFS_H

struct path;
struct task_struct;

/* The file of the task's namespace of that name ("mnt", "pid_for_children", ...); the caller puts the path.  May sleep;
 * -ENOENT: the task has gone. */
int ns_get_path(struct task_struct *task, const char *name, struct path *path);

#endif
