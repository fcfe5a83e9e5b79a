/*
 * nsfs.h: paths to namespaces, for /proc/PID/ns.
 *
 * See:     kernel/fs/nsfs.c
 */
#ifndef WEFT_NSFS_H
#define WEFT_NSFS_H

struct path;

/* The file of the namespace with that name ("mnt", "pid_for_children", ...); the caller puts the path.  May sleep; -errno. */
int ns_get_path(const char *name, struct path *path);

#endif
