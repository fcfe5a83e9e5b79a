/*
 * pipe_fs_i.h: a pipe: a ring of pages between writers and readers.
 *
 * Locking: mutex guards everything; head and tail are also read without it, to sleep and to poll.
 * See:     kernel/fs/pipe.c, splice.c; pipe(7)
 */
#ifndef WEFT_PIPE_FS_I_H
#define WEFT_PIPE_FS_I_H

#include <weft/types.h>
#include <weft/mutex.h>
#include <weft/wait.h>

struct page;
struct file;
struct inode;
struct fasync_struct;
struct user_struct;

#define PIPE_DEF_BUFFERS	16
#define PIPE_MIN_DEF_BUFFERS	2

#define PIPE_BUF_FLAG_PACKET	0x08	/* one read takes this buffer and no more */
#define PIPE_BUF_FLAG_CAN_MERGE	0x10	/* a small write may be added behind */
#define PIPE_BUF_FLAG_GIFT	0x04

struct pipe_inode_info;
struct pipe_buffer;

struct pipe_buf_operations {
	int (*confirm)(struct pipe_inode_info *pipe, struct pipe_buffer *buf);	/* data there?  may sleep */
	void (*release)(struct pipe_inode_info *pipe, struct pipe_buffer *buf);
	bool (*get)(struct pipe_inode_info *pipe, struct pipe_buffer *buf);	/* one more reference (tee) */
};

struct pipe_buffer {
	struct page	*page;
	unsigned int	offset, len;
	const struct pipe_buf_operations *ops;
	unsigned int	flags;		/* PIPE_BUF_FLAG_* */
	unsigned long	private;
};

struct pipe_inode_info {
	struct mutex		mutex;
	struct wait_queue_head	rd_wait, wr_wait;
	unsigned int		head;		/* next slot to fill; free running */
	unsigned int		tail;		/* next slot to empty */
	unsigned int		max_usage;	/* slots that may be used */
	unsigned int		ring_size;	/* a power of two */
	unsigned int		nr_accounted;	/* slots charged to user */
	struct user_struct	*user;		/* who made it; a reference */
	unsigned int		readers, writers;
	unsigned int		files;		/* open files: [i_lock] */
	unsigned int		r_counter, w_counter;	/* opens ever: a FIFO's open waits for a change */
	bool			poll_usage;
	struct page		*tmp_page[2];	/* kept for the next write */
	struct fasync_struct	*fasync_readers, *fasync_writers;
	struct pipe_buffer	*bufs;
	struct pipe_buffer	inline_bufs[PIPE_DEF_BUFFERS];
};

static inline bool pipe_empty(unsigned int head, unsigned int tail) { return head == tail; }
static inline unsigned int pipe_occupancy(unsigned int head, unsigned int tail) { return head - tail; }
static inline bool pipe_full(unsigned int head, unsigned int tail, unsigned int limit) { return head - tail >= limit; }
static inline struct pipe_buffer *pipe_buf(const struct pipe_inode_info *pipe, unsigned int slot)
{
	return &pipe->bufs[slot & (pipe->ring_size - 1)];
}
static inline void pipe_buf_release(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	const struct pipe_buf_operations *ops = buf->ops;

	buf->ops = NULL;
	ops->release(pipe, buf);
}
static inline bool pipe_buf_get(struct pipe_inode_info *pipe, struct pipe_buffer *buf) { return buf->ops->get(pipe, buf); }
static inline int pipe_buf_confirm(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	return buf->ops->confirm ? buf->ops->confirm(pipe, buf) : 0;
}

#define PIPE_SIZE	PAGE_SIZE

void pipe_lock(struct pipe_inode_info *pipe) __acquires(&pipe->mutex);
void pipe_unlock(struct pipe_inode_info *pipe) __releases(&pipe->mutex);
void pipe_double_lock(struct pipe_inode_info *a, struct pipe_inode_info *b) __acquires(&a->mutex, &b->mutex);
void pipe_wait_readable(struct pipe_inode_info *pipe) __must_hold(&pipe->mutex);	/* mutex held, dropped while sleeping */
void pipe_wait_writable(struct pipe_inode_info *pipe) __must_hold(&pipe->mutex);
struct pipe_inode_info *alloc_pipe_info(void);
void free_pipe_info(struct pipe_inode_info *pipe);
struct pipe_inode_info *get_pipe_info(struct file *file, bool for_splice);	/* NULL: not a pipe */
int create_pipe_files(struct file **res, int flags);
long pipe_fcntl(struct file *file, unsigned int cmd, unsigned int arg);
int pipe_resize_ring(struct pipe_inode_info *pipe, unsigned int nr_slots);
unsigned int round_pipe_size(unsigned long size);
bool generic_pipe_buf_get(struct pipe_inode_info *pipe, struct pipe_buffer *buf);
void generic_pipe_buf_release(struct pipe_inode_info *pipe, struct pipe_buffer *buf);
extern const struct pipe_buf_operations nosteal_pipe_buf_ops, page_cache_pipe_buf_ops;
extern const struct file_operations pipefifo_fops;
extern unsigned int pipe_max_size;

#endif
