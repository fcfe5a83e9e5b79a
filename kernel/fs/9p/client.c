/*
 * client.c: 9P2000.L messages: written, sent, their answers read.
 *
 * Idea:    a client has a few slots, each with room for the largest message and the largest answer, so that no message needs
 *          memory: write-back must work when it is short.  Who finds no free slot waits.  Numbers are little-endian.
 *          What an answer lacks reads as zero and makes the call fail: a server is not believed.
 * Locking: free_slots counts; a slot is taken by its `used` bit.
 * See:     p9.h
 */
#include <weft/bitops.h>
#include <weft/byteorder.h>
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "p9.h"

/* ---- channels ---- */

static DEFINE_MUTEX(p9_mutex);
static LIST_HEAD(channels);		/* [p9_mutex] */

void p9_register_channel(struct p9_channel *ch)
{
	mutex_lock(&p9_mutex);
	list_add_tail(&ch->node, &channels);
	mutex_unlock(&p9_mutex);
}

struct p9_channel *p9_get_channel(const char *tag)
{
	struct p9_channel *ch, *found = ERR_PTR(-ENOENT);

	mutex_lock(&p9_mutex);
	list_for_each_entry(ch, &channels, node)
		if (!strcmp(ch->tag, tag))
			found = ch->busy ? ERR_PTR(-EBUSY) : ch;
	if (!IS_ERR(found))
		found->busy = true;
	mutex_unlock(&p9_mutex);
	return found;
}

void p9_put_channel(struct p9_channel *ch)
{
	mutex_lock(&p9_mutex);
	ch->busy = false;
	mutex_unlock(&p9_mutex);
}

/* ---- writing and reading messages ---- */

static struct p9_slot *take_slot(struct p9_client *c)
{
	down(&c->free_slots);
	for (unsigned int i = 0;; i = (i + 1) % P9_SLOTS)	/* one is free, or about to be marked so */
		if (!test_and_set_bit(0, &c->slots[i].used))
			return &c->slots[i];
}

void p9_begin(struct p9_client *c, struct p9_call *call, enum p9_type type)
{
	*call = (struct p9_call){ .client = c, .slot = take_slot(c), .type = type };
	call->pos = call->slot->rq.out;
	call->end = call->pos + P9_MSIZE;
	p9_put32(call, 0);			/* the size, once it is known */
	p9_put8(call, type);
	p9_put16(call, type == P9_TVERSION ? 0xffff : call->slot->tag);
}

void p9_end(struct p9_call *call)
{
	clear_bit_unlock(0, &call->slot->used);
	up(&call->client->free_slots);
}

static void put_bytes(struct p9_call *call, const void *p, size_t len)
{
	if (len > (size_t)(call->end - call->pos)) {
		call->err = -EMSGSIZE;
		return;
	}
	memcpy(call->pos, p, len);
	call->pos += len;
}

void p9_put8(struct p9_call *call, u8 v)
{
	put_bytes(call, &v, sizeof(v));
}

void p9_put16(struct p9_call *call, u16 v)
{
	put_bytes(call, &(__le16){ cpu_to_le16(v) }, sizeof(v));
}

void p9_put32(struct p9_call *call, u32 v)
{
	put_bytes(call, &(__le32){ cpu_to_le32(v) }, sizeof(v));
}

void p9_put64(struct p9_call *call, u64 v)
{
	put_bytes(call, &(__le64){ cpu_to_le64(v) }, sizeof(v));
}

void p9_puts(struct p9_call *call, const char *s, size_t len)
{
	p9_put16(call, len);
	put_bytes(call, s, len);
}

void p9_put_fid_nr(struct p9_call *call, const struct p9_fid *fid)
{
	p9_put32(call, fid->nr);
}

void *p9_get_bytes(struct p9_call *call, size_t len)
{
	void *p = call->pos;

	if (len > (size_t)(call->end - call->pos)) {
		call->err = -EIO;
		return NULL;
	}
	call->pos += len;
	return p;
}

static u64 get_number(struct p9_call *call, size_t len)
{
	void *p = p9_get_bytes(call, len);
	__le64 v = 0;

	if (p)
		memcpy(&v, p, len);
	return le64_to_cpu(v);
}

u8 p9_get8(struct p9_call *call) { return get_number(call, 1); }
u16 p9_get16(struct p9_call *call) { return get_number(call, 2); }
u32 p9_get32(struct p9_call *call) { return get_number(call, 4); }
u64 p9_get64(struct p9_call *call) { return get_number(call, 8); }

void p9_get_qid(struct p9_call *call, struct p9_qid *qid)
{
	qid->type = p9_get8(call);
	qid->version = p9_get32(call);
	qid->path = p9_get64(call);
}

/* The head of the answer: what follows it can be read then. */
static int read_head(struct p9_call *call)
{
	u32 size, error;
	u8 type;

	call->pos = call->slot->rq.in;
	call->end = call->pos + P9_HEADER;
	size = p9_get32(call);
	type = p9_get8(call);
	p9_get16(call);
	if (size < P9_HEADER || size > P9_MSIZE)
		return -EIO;
	call->end = (u8 *)call->slot->rq.in + size;
	if (type == P9_RLERROR) {
		error = p9_get32(call);
		return error && error < MAX_ERRNO ? -(int)error : -EIO;
	}
	return type == call->type + 1 ? 0 : -EIO;
}

int p9_run(struct p9_call *call)
{
	struct p9_request *rq = &call->slot->rq;

	if (call->err)
		return call->err;
	rq->out_len = call->pos - (u8 *)rq->out;
	memcpy(rq->out, &(__le32){ cpu_to_le32(rq->out_len) }, 4);
	memset(rq->in, 0, P9_HEADER);
	reinit_completion(&rq->done);
	call->err = call->client->channel->send(call->client->channel, rq);
	if (!call->err) {
		wait_for_completion(&rq->done);
		call->err = read_head(call);
	}
	return call->err;
}

int p9_run_end(struct p9_call *call)
{
	int err = p9_run(call);

	p9_end(call);
	return err;
}

/* ---- fids ---- */

static struct p9_fid *new_fid(struct p9_client *c)
{
	struct p9_fid *fid = kmalloc(sizeof(*fid), GFP_KERNEL);
	int nr = fid ? ida_alloc(&c->fids, GFP_KERNEL) : -ENOMEM;

	if (nr < 0) {
		kfree(fid);
		return ERR_PTR(nr);
	}
	fid->client = c;
	fid->nr = nr;
	refcount_set(&fid->count, 1);
	return fid;
}

/* One that the server does not know. */
static void free_fid(struct p9_fid *fid)
{
	ida_free(&fid->client->fids, fid->nr);
	kfree(fid);
}

struct p9_fid *p9_get_fid(struct p9_fid *fid)
{
	refcount_inc(&fid->count);
	return fid;
}

void p9_put_fid(struct p9_fid *fid)
{
	struct p9_call call;

	if (!fid || !refcount_dec_and_test(&fid->count))
		return;
	p9_begin(fid->client, &call, P9_TCLUNK);
	p9_put_fid_nr(&call, fid);
	p9_run_end(&call);			/* whatever it says, the number is free */
	free_fid(fid);
}

struct p9_fid *p9_walk(struct p9_fid *from, const char *name, size_t len, struct p9_qid *qid)
{
	struct p9_fid *fid = new_fid(from->client);
	struct p9_call call;
	int err;

	if (IS_ERR(fid))
		return fid;
	p9_begin(from->client, &call, P9_TWALK);
	p9_put_fid_nr(&call, from);
	p9_put_fid_nr(&call, fid);
	p9_put16(&call, name ? 1 : 0);
	if (name)
		p9_puts(&call, name, len);
	err = p9_run(&call);
	if (!err && p9_get16(&call) != (name ? 1 : 0))
		err = -ENOENT;			/* a walk that ends early makes no fid */
	if (!err && name && qid)
		p9_get_qid(&call, qid);
	p9_end(&call);
	if (!err)
		return fid;
	free_fid(fid);
	return ERR_PTR(err);
}

/* ---- messages that several files need ---- */

int p9_lopen(struct p9_fid *fid, u32 flags)
{
	struct p9_call call;

	p9_begin(fid->client, &call, P9_TLOPEN);
	p9_put_fid_nr(&call, fid);
	p9_put32(&call, flags);
	return p9_run_end(&call);
}

static void get_time(struct p9_call *call, struct timespec64 *t)
{
	t->tv_sec = p9_get64(call);
	t->tv_nsec = p9_get64(call) % NSEC_PER_SEC;
}

int p9_read_attr(struct p9_fid *fid, struct p9_attr *attr)
{
	struct p9_call call;
	int err;

	p9_begin(fid->client, &call, P9_TGETATTR);
	p9_put_fid_nr(&call, fid);
	p9_put64(&call, 0x7ff);			/* all that stat(2) has */
	err = p9_run(&call);
	if (!err) {
		p9_get64(&call);		/* which of them it gave: they are what it could */
		p9_get_qid(&call, &attr->qid);
		attr->mode = p9_get32(&call);
		attr->uid = p9_get32(&call);
		attr->gid = p9_get32(&call);
		attr->nlink = p9_get64(&call);
		attr->rdev = p9_get64(&call);
		attr->size = p9_get64(&call);
		attr->blksize = p9_get64(&call);
		attr->blocks = p9_get64(&call);
		get_time(&call, &attr->atime);
		get_time(&call, &attr->mtime);
		get_time(&call, &attr->ctime);
		err = call.err;
	}
	p9_end(&call);
	return err;
}

ssize_t p9_read(struct p9_fid *fid, loff_t pos, void *buf, size_t len)
{
	struct p9_call call;
	ssize_t res;
	void *data;

	len = min_t(size_t, len, P9_IO_MAX);
	p9_begin(fid->client, &call, P9_TREAD);
	p9_put_fid_nr(&call, fid);
	p9_put64(&call, pos);
	p9_put32(&call, len);
	res = p9_run(&call);
	if (!res) {
		res = min_t(size_t, p9_get32(&call), len);
		data = p9_get_bytes(&call, res);
		if (data)
			memcpy(buf, data, res);
		else
			res = -EIO;
	}
	p9_end(&call);
	return res;
}

ssize_t p9_write(struct p9_fid *fid, loff_t pos, const void *buf, size_t len)
{
	struct p9_call call;
	ssize_t res;

	len = min_t(size_t, len, P9_IO_MAX);
	p9_begin(fid->client, &call, P9_TWRITE);
	p9_put_fid_nr(&call, fid);
	p9_put64(&call, pos);
	p9_put32(&call, len);
	put_bytes(&call, buf, len);
	res = p9_run(&call) ?: (ssize_t)min_t(size_t, p9_get32(&call), len);
	p9_end(&call);
	return res;
}

/* ---- birth and end ---- */

static int negotiate(struct p9_client *c)
{
	static const char version[] = "9P2000.L";
	struct p9_call call;
	int err;

	p9_begin(c, &call, P9_TVERSION);
	p9_put32(&call, P9_MSIZE);
	p9_puts(&call, version, strlen(version));
	err = p9_run(&call);
	if (!err) {
		u32 msize = p9_get32(&call);
		u16 len = p9_get16(&call);
		const char *answer = p9_get_bytes(&call, len);

		if (msize != P9_MSIZE || !answer || len != strlen(version) || memcmp(answer, version, len))
			err = -EPROTO;
	}
	p9_end(&call);
	return err;
}

static int attach(struct p9_client *c)
{
	struct p9_fid *root = new_fid(c);
	struct p9_call call;
	int err;

	if (IS_ERR(root))
		return PTR_ERR(root);
	p9_begin(c, &call, P9_TATTACH);
	p9_put_fid_nr(&call, root);
	p9_put32(&call, P9_NOFID);		/* no authentication */
	p9_puts(&call, "root", 4);
	p9_puts(&call, "", 0);
	p9_put32(&call, 0);			/* the user's number */
	err = p9_run_end(&call);
	if (err)
		free_fid(root);
	else
		c->root = root;
	return err;
}

static int make_slots(struct p9_client *c)
{
	sema_init(&c->free_slots, P9_SLOTS);
	for (unsigned int i = 0; i < P9_SLOTS; i++) {
		struct p9_slot *slot = &c->slots[i];

		slot->tag = i;
		init_completion(&slot->rq.done);
		slot->rq.in_size = P9_MSIZE;
		slot->rq.out = kmalloc(P9_MSIZE, GFP_KERNEL);
		slot->rq.in = kmalloc(P9_MSIZE, GFP_KERNEL);
		if (!slot->rq.out || !slot->rq.in)
			return -ENOMEM;
	}
	return 0;
}

void p9_client_destroy(struct p9_client *c)
{
	p9_put_fid(c->root);
	if (c->channel)
		p9_put_channel(c->channel);
	for (unsigned int i = 0; i < P9_SLOTS; i++) {
		kfree(c->slots[i].rq.out);
		kfree(c->slots[i].rq.in);
	}
	ida_destroy(&c->fids);
	kfree(c->tag);
	kfree(c);
}

struct p9_client *p9_client_create(const char *tag)
{
	struct p9_client *c = kzalloc(sizeof(*c), GFP_KERNEL);
	struct p9_channel *ch;
	int err;

	if (!c)
		return ERR_PTR(-ENOMEM);
	ida_init(&c->fids);
	ch = p9_get_channel(tag);
	err = PTR_ERR_OR_ZERO(ch);
	if (!err) {
		c->channel = ch;
		err = make_slots(c);
	}
	if (!err)
		err = negotiate(c);
	if (!err)
		err = attach(c);
	c->tag = kstrdup(tag, GFP_KERNEL);
	if (!err && !c->tag)
		err = -ENOMEM;
	if (!err)
		return c;
	p9_client_destroy(c);
	return ERR_PTR(err);
}
