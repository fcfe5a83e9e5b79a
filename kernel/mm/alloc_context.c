/*
 * alloc_context.c: debug builds: could this request wait for itself?
 *
 * What:    a request that may reclaim may take every lock that reclaim takes.  So who holds such a lock must ask with flags
 *          that keep reclaim from it: GFP_NOFS, GFP_NOIO, GFP_NOWAIT (doc/reclaim.md has the table).
 * Idea:    the lock checker is told of locks that do not exist.  Reclaim "holds" one while it does something that only some
 *          requests allow; every request that allows it "takes" it for a moment, memory being short or not:
 *
 *              CPU 0, once: reclaim                    CPU 1, at any other time
 *              holds reclaim_fs                        takes lock L
 *              a shrinker takes lock L                 kmalloc(GFP_KERNEL): takes and gives back reclaim_fs
 *          reclaim_fs -> L and L -> reclaim_fs: a circle, reported at the second of the two, without a deadlock.
 *          A task that frees memory (PF_MEMALLOC) never reclaims: its requests take nothing.
 * Seen:    a mutex taken in a shrinker and held across a GFP_KERNEL request is reported at the first reclaim.
 * Locking: none of its own.
 * See:     kernel/locking/lockdep.c; vmscan.c
 */
#include <weft/kernel.h>
#include <weft/lockdep.h>
#include <weft/sched.h>
#include "internal.h"

#ifdef CONFIG_DEBUG

static struct lockdep_map reclaim_maps[] = {
	[RECLAIM_PAGES]	= { .name = "reclaim" },	/* clean pages, the lists: any request that may wait */
	[RECLAIM_IO]	= { .name = "reclaim_io" },	/* pages to swap: __GFP_IO */
	[RECLAIM_FS]	= { .name = "reclaim_fs" },	/* shrinkers: inodes, dentries: __GFP_FS */
};

void reclaim_enter(enum reclaim_kind kind)
{
	lock_acquire(&reclaim_maps[kind], 0, 0, 0, 1, NULL, _THIS_IP_);
}

void reclaim_exit(enum reclaim_kind kind)
{
	lock_release(&reclaim_maps[kind], _THIS_IP_);
}

static void touch(enum reclaim_kind kind)
{
	reclaim_enter(kind);
	reclaim_exit(kind);
}

/* Without a lock there is no order of locks, and nothing to look at. */
void might_reclaim(gfp_t gfp)
{
	if (!gfpflags_allow_blocking(gfp) || !current->lockdep_depth || (current->flags & PF_MEMALLOC))
		return;
	touch(RECLAIM_PAGES);
	if (gfp & __GFP_IO)
		touch(RECLAIM_IO);
	if (gfp & __GFP_FS)
		touch(RECLAIM_FS);
}

#endif
