/*
 * path.h: a place in the tree of names: a dentry, and the mount it is seen through.
 */
#ifndef WEFT_PATH_H
#define WEFT_PATH_H

#include <weft/types.h>

struct dentry;
struct vfsmount;

struct path {
	struct vfsmount	*mnt;
	struct dentry	*dentry;
};

void path_get(const struct path *path);		/* one more reference on both */
void path_put(const struct path *path);		/* may sleep */
static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}
static inline void path_put_init(struct path *path)
{
	path_put(path);
	*path = (struct path){ };
}

#endif
