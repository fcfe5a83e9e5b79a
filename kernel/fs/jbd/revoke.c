/*
 * revoke.c: blocks that were freed: what the log holds of them from before must not be replayed.
 *
 *      transaction 7           transaction 8               crash
 *      logs block 100          frees block 100, and        recovery sees "8 revokes 100" and leaves 7's copy of it alone:
 *                              revokes it; a file's data   the data are safe
 *                              are written to it
 *
 * Locking: the transaction's array has its own lock; handles that free and use a block again hold the locks of the file
 *          system that order this.
 * See:     commit.c writes them, recovery.c reads them
 */
#include <weft/err.h>
#include "jbd_internal.h"

int jbd_revoke_block(struct journal *j, struct transaction *t, u64 block)
{
	void *old = xa_store(&t->revokes, block, xa_mk_value(1), GFP_NOFS);

	if (xa_is_err(old))
		return xa_err(old);
	if (!old) {
		spin_lock(&j->j_lock);
		t->nr_revokes++;
		spin_unlock(&j->j_lock);
	}
	return 0;
}

void jbd_cancel_revoke(struct transaction *t, u64 block)
{
	if (!READ_ONCE(t->nr_revokes) || !xa_erase(&t->revokes, block))
		return;
	spin_lock(&t->journal->j_lock);
	t->nr_revokes--;
	spin_unlock(&t->journal->j_lock);
}
