/*
 * blk_plug.h: bios held back for a moment, so that they reach the device together.
 *
 * What:    a plug lies on the stack of who submits several bios, and is gone before he returns.
 * Context: process.  What is plugged is not under way: sleeping starts it, spinning for it does not.
 * See:     kernel/block/blk-plug.c
 */
#ifndef WEFT_BLK_PLUG_H
#define WEFT_BLK_PLUG_H

struct bio;

struct blk_plug {
	struct bio	*first, *last;		/* [o] */
	unsigned int	bios;
	unsigned int	pieces;			/* requests that they will make */
};

void blk_start_plug(struct blk_plug *plug);
void blk_finish_plug(struct blk_plug *plug);
void blk_flush_plug_to_sleep(struct blk_plug *plug);	/* schedule()'s: the task is about to sleep */

#endif
