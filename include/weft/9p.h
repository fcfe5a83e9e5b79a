/*
 * 9p.h: between the 9p file system and who carries its messages.
 *
 * Idea:    a channel has a tag, by which it is mounted, and one operation: send this request.  The answer is written into the
 *          request's own buffer, and `done` says when.  A channel serves one mount at a time.
 * Locking: p9_mutex over the list of channels and `busy`.
 * See:     kernel/fs/9p; kernel/drivers/virtio/virtio_9p.c
 */
#ifndef WEFT_9P_H
#define WEFT_9P_H

#include <weft/types.h>
#include <weft/completion.h>
#include <weft/list.h>

#define P9_TAG_MAX	64

/* Both buffers are contiguous memory (kmalloc). */
struct p9_request {
	void			*out;
	u32			out_len;
	void			*in;
	u32			in_size;
	struct completion	done;
};

struct p9_channel {
	struct list_head	node;		/* [p9_mutex] */
	char			tag[P9_TAG_MAX];	/* [I] */
	bool			busy;		/* [p9_mutex] mounted */
	int (*send)(struct p9_channel *ch, struct p9_request *rq);	/* 0, or -errno and `done` is not going to come */
};

void p9_register_channel(struct p9_channel *ch);
struct p9_channel *p9_get_channel(const char *tag);	/* not busy before; ERR_PTR(-ENOENT, -EBUSY) */
void p9_put_channel(struct p9_channel *ch);

#endif
