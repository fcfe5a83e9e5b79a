/*
 * p9.h: what the files of the 9p file system share.
 *
 * Idea:    9P2000.L: the client names things on the server by numbers of its own choice, "fids": one is got by walking from
 *          another, may be opened, and is given back ("clunked").  A qid tells which file it is, for all names of it.
 *          Each inode keeps one unopened fid, that of the name by which it was looked up last; each open file one of its own.
 * Locking: pi->lock over the inode's fids; a message needs no lock: it has one of the client's slots from begin to end.
 * See:     doc/9p.md; "9P2000.L" in diod's protocol.md; QEMU's hw/9pfs
 */
#ifndef WEFT_FS_9P_H
#define WEFT_FS_9P_H

#include <weft/9p.h>
#include <weft/fs.h>
#include <weft/idr.h>
#include <weft/kernel.h>
#include <weft/mutex.h>
#include <weft/refcount.h>
#include <weft/semaphore.h>

#define P9_MSIZE	65536		/* largest message */
#define P9_HEADER	7		/* size[4] type[1] tag[2] */
#define P9_IO_MAX	((P9_MSIZE - 24) & PAGE_MASK)	/* of one Tread or Twrite: whole pages */
#define P9_SLOTS	4
#define P9_NOFID	(~0u)

/* Messages: T has this number, the answer the next one. */
enum p9_type {
	P9_RLERROR = 7, P9_TSTATFS = 8, P9_TLOPEN = 12, P9_TLCREATE = 14, P9_TSYMLINK = 16, P9_TMKNOD = 18, P9_TREADLINK = 22,
	P9_TGETATTR = 24, P9_TSETATTR = 26, P9_TREADDIR = 40, P9_TFSYNC = 50, P9_TLINK = 70, P9_TMKDIR = 72,
	P9_TRENAMEAT = 74, P9_TUNLINKAT = 76, P9_TVERSION = 100, P9_TATTACH = 104, P9_TWALK = 110, P9_TREAD = 116,
	P9_TWRITE = 118, P9_TCLUNK = 120,
};

/* Room for one message and its answer. */
struct p9_slot {
	struct p9_request	rq;
	unsigned long		used;		/* bit 0: taken */
	u16			tag;
};

struct p9_client {
	struct p9_channel	*channel;
	struct semaphore	free_slots;
	struct p9_slot		slots[P9_SLOTS];
	struct ida		fids;
	struct p9_fid		*root;
	char			*tag;		/* for /proc/mounts */
};

struct p9_fid {
	struct p9_client	*client;
	u32			nr;
	refcount_t		count;		/* the last p9_put_fid() clunks it; may sleep */
};

struct p9_qid {
	u8	type;
	u32	version;
	u64	path;
};

/* A message being written, then its answer being read. */
struct p9_call {
	struct p9_client	*client;
	struct p9_slot		*slot;
	u8			*pos, *end;
	u8			type;
	int			err;		/* sticky: p9_run() returns it */
};

struct p9_attr {
	struct p9_qid		qid;
	u32			mode, uid, gid;
	u64			nlink, rdev, size, blksize, blocks;
	struct timespec64	atime, mtime, ctime;
};

struct p9_inode {
	struct inode	vfs_inode;
	struct mutex	lock;
	struct p9_fid	*fid;			/* [lock] not open */
	struct p9_fid	*write_fid;		/* [lock] open for writing, for pages that a mapping has made dirty; or NULL */
	struct p9_qid	qid;			/* [I] but for the version */
	bool		lost;			/* [-] the name that `fid` was got by is gone: see p9_find_again() */
	u64		last_blksize;		/* [-] as the server said last */
};

static inline struct p9_inode *P9_I(const struct inode *inode) { return container_of(inode, struct p9_inode, vfs_inode); }
static inline struct p9_client *P9_C(const struct super_block *sb) { return sb->s_fs_info; }

/* ---- client.c: messages ---- */
struct p9_client *p9_client_create(const char *tag);	/* ERR_PTR; speaks with the server */
void p9_client_destroy(struct p9_client *c);
/* A call: begin, put what the message has, run, get what the answer has, end.  begin and run may sleep. */
void p9_begin(struct p9_client *c, struct p9_call *call, enum p9_type type);
void p9_put8(struct p9_call *call, u8 v);
void p9_put16(struct p9_call *call, u16 v);
void p9_put32(struct p9_call *call, u32 v);
void p9_put64(struct p9_call *call, u64 v);
void p9_puts(struct p9_call *call, const char *s, size_t len);
void p9_put_fid_nr(struct p9_call *call, const struct p9_fid *fid);
int p9_run(struct p9_call *call);			/* 0 or -errno, the server's or ours */
u8 p9_get8(struct p9_call *call);
u16 p9_get16(struct p9_call *call);
u32 p9_get32(struct p9_call *call);
u64 p9_get64(struct p9_call *call);
void p9_get_qid(struct p9_call *call, struct p9_qid *qid);
void *p9_get_bytes(struct p9_call *call, size_t len);	/* in the answer; NULL if it is too short */
void p9_end(struct p9_call *call);
int p9_run_end(struct p9_call *call);			/* for answers that say nothing but yes */

struct p9_fid *p9_get_fid(struct p9_fid *fid);
void p9_put_fid(struct p9_fid *fid);			/* NULL is fine */
/* A new fid for a name in a directory, or, with name NULL, for the same thing once more.  ERR_PTR. */
struct p9_fid *p9_walk(struct p9_fid *from, const char *name, size_t len, struct p9_qid *qid);
int p9_lopen(struct p9_fid *fid, u32 flags);
int p9_read_attr(struct p9_fid *fid, struct p9_attr *attr);
ssize_t p9_read(struct p9_fid *fid, loff_t pos, void *buf, size_t len);	/* at most P9_IO_MAX */
ssize_t p9_write(struct p9_fid *fid, loff_t pos, const void *buf, size_t len);

/* ---- inode.c ---- */
struct p9_fid *p9_inode_fid(struct inode *inode);	/* + reference */
struct inode *p9_iget(struct super_block *sb, struct p9_fid *fid);	/* takes the fid over; ERR_PTR */
/* Asks the server for the attributes; pages go if the file has changed. */
int p9_refresh(struct inode *inode);
void p9_find_again(struct dentry *dentry);		/* before the inode's fid is used for this name */
int p9_setattr(struct dentry *dentry, struct iattr *attr);
int p9_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
extern const struct inode_operations p9_file_inode_operations, p9_symlink_inode_operations;
extern const struct dentry_operations p9_dentry_operations;

/* ---- names.c, file.c ---- */
extern const struct inode_operations p9_dir_inode_operations;
extern const struct file_operations p9_file_operations, p9_dir_operations;
extern const struct address_space_operations p9_aops;

#endif
