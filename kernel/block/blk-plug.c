/*
 * blk-plug.c: bios held back for a moment, so that they reach the device together.
 *
 * Idea:    who is about to submit several bios puts a plug on its stack (blk_start_plug()); submit_bio() then only chains
 *          them.  They go when the plug is taken out, when there are many, or when the task goes to sleep: what it sleeps for
 *          may be among them.  Together they merge, take the channel's lock once, and ring the device's bell once: a bell is
 *          an exit from a virtual machine, the dearest step of a request there.
 * Locking: none: current->plug is used by its own task only, and never from interrupts.
 *          On the way to sleep the task's state is set already, so nothing may wait: see blk_mq_submit_chain().
 * See:     include/weft/blkdev.h; kernel/sched/core.c schedule()
 */
#include <weft/blkdev.h>
#include <weft/sched.h>
#include "blk.h"

/* Then they go: the device should not be idle for long, nor the channel's lock be held for long. */
#define MAX_PIECES	32
#define MAX_BIOS	128

/* Nested plugs are one: the outermost counts. */
void blk_start_plug(struct blk_plug *plug)
{
	*plug = (struct blk_plug){ };
	if (!current->plug)
		current->plug = plug;
}

static void flush(struct blk_plug *plug, bool may_sleep)
{
	struct bio *chain = plug->first;

	*plug = (struct blk_plug){ };
	if (chain)
		blk_mq_submit_chain(chain, may_sleep);
}

void blk_finish_plug(struct blk_plug *plug)
{
	if (current->plug != plug)
		return;
	current->plug = NULL;
	flush(plug, true);
}

void blk_flush_plug_to_sleep(struct blk_plug *plug)
{
	flush(plug, false);
}

/* Does it go on where the last one ends?  Then they will be one request. */
static bool continues(const struct blk_plug *plug, const struct bio *bio)
{
	const struct bio *last = plug->last;

	return last && last->bi_op == bio->bi_op && last->bi_bdev == bio->bi_bdev && bio_end_sector(last) == bio->bi_sector;
}

/* True: the plug has it. */
bool blk_plug_bio(struct bio *bio)
{
	struct blk_plug *plug = current->plug;

	if (!plug)
		return false;
	bio->bi_next = NULL;
	plug->pieces += !continues(plug, bio);
	if (plug->first)
		plug->last->bi_next = bio;
	else
		plug->first = bio;
	plug->last = bio;
	if (++plug->bios == MAX_BIOS || plug->pieces == MAX_PIECES)
		flush(plug, true);
	return true;
}
