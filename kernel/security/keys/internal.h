/*
 * internal.h: what the files of kernel/security/keys share.
 *
 * Locking: key->sem over contents and links, the quota's own lock; each is stated where it is declared.
 * See:     keyrings(7)
 */
#ifndef KEYS_INTERNAL_H
#define KEYS_INTERNAL_H

#include <weft/cred.h>
#include <weft/err.h>
#include <weft/key.h>
#include <weft/list.h>
#include <weft/llist.h>
#include <weft/mutex.h>
#include <weft/rbtree.h>
#include <weft/refcount.h>
#include <weft/rwsem.h>
#include <weft/spinlock.h>
#include <weft/time64.h>
#include <weft/types.h>
#include <uapi/keyctl.h>

struct seq_file;

typedef s32 key_serial_t;
#define TIME_NEVER	((time64_t)S64_MAX)

/* ---- permissions: a byte each for the possessor, owner, group and others ---- */
#define KEY_VIEW	0x01
#define KEY_READ	0x02
#define KEY_WRITE	0x04
#define KEY_SEARCH	0x08
#define KEY_LINK	0x10
#define KEY_SETATTR	0x20
#define KEY_ALL		0x3f
#define KEY_POS(perm)	((u32)(perm) << 24)
#define KEY_USR(perm)	((u32)(perm) << 16)
#define KEY_GRP(perm)	((u32)(perm) << 8)
#define KEY_OTH(perm)	((u32)(perm))

/* What all keys of one user count against: /proc/key-users. */
struct key_user {
	struct list_head	node;		/* [key_user_lock] */
	refcount_t		usage;		/* keys, all of them */
	kuid_t			uid;		/* [I] */
	atomic_t		nkeys, nikeys;	/* [a] keys; of these, instantiated */
	spinlock_t		lock;		/* guards the two: what the quota counts */
	int			qnkeys, qnbytes;
};

/* struct key.flags: bit numbers */
#define KEY_REVOKED		0
#define KEY_INVALIDATED		1	/* to be forgotten at once */
#define KEY_IN_QUOTA		2
#define KEY_CONSTRUCTING	3	/* somebody is asked for its contents */
#define KEY_DEAD		4	/* the name in /proc/keys; no key of ours gets there */
#define KEY_RESTRICTED		5	/* a keyring that takes no more links */

/* struct key.state: < 0: the error that stands in its place */
#define KEY_UNINSTANTIATED	0
#define KEY_POSITIVE		1

struct key {
	refcount_t		usage;
	key_serial_t		serial;		/* [I] */
	struct rb_node		serial_node;	/* [key_serial_lock] */
	struct key_user		*user;		/* [sem] + usage */
	const struct key_type	*type;		/* [I] */
	char			*description;	/* [I] */
	struct rw_semaphore	sem;		/* guards the next two groups; reads of single words are free */
	kuid_t			uid;
	kgid_t			gid;
	u32			perm;
	time64_t		expiry;		/* seconds of real time, or TIME_NEVER */
	time64_t		revoked_at;
	u16			desclen;	/* [I] */
	unsigned int		quotalen;	/* [user->lock] bytes of the quota that it uses */
	int			state;		/* [key_construction_mutex] KEY_POSITIVE ... */
	unsigned long		flags;		/* [a] */
	void			*payload;	/* [sem] the type's */
	struct {				/* of a keyring */
		struct key	**links;	/* [keyring_links] each a reference */
		unsigned int	nr, room;	/* [keyring_links] */
		struct list_head name;		/* [keyring_names_lock] in its user namespace's names */
	} ring;
	struct llist_node	dead;		/* waiting for the worker that frees */
};

/* A key, and whether the caller possesses it.  key may be an ERR_PTR. */
struct key_ref {
	struct key	*key;
	bool		possessed;
};
#define KEY_REF(k, p)	((struct key_ref){ (k), (p) })
#define KEY_REF_ERR(e)	KEY_REF(ERR_PTR(e), false)

struct key_type {
	const char	*name;
	int	(*check)(const char *desc, const void *data, size_t len);	/* NULL: anything goes */
	int	(*instantiate)(struct key *key, const void *data, size_t len);	/* sem held for writing */
	int	(*update)(struct key *key, const void *data, size_t len);	/* likewise; NULL: cannot */
	void	(*revoke)(struct key *key);
	void	(*destroy)(struct key *key);
	/* As much as fits into a kernel buffer; returns the whole size.  NULL: cannot be read. */
	long	(*read)(struct key *key, char *buf, size_t len);
	void	(*describe)(const struct key *key, struct seq_file *m);
};
extern const struct key_type key_type_keyring, key_type_user, key_type_logon, key_type_big_key, key_type_request_key_auth;
const struct key_type *key_type_lookup(const char *name);	/* ERR_PTR(-ENOKEY) */

/* ---- key.c ---- */
extern spinlock_t key_serial_lock, key_user_lock;
extern struct rb_root key_serial_tree;
extern struct list_head key_users;
extern struct mutex key_construction_mutex;
extern int key_max_keys, key_max_bytes, key_root_max_keys, key_root_max_bytes, key_gc_delay, key_persistent_expiry;

#define KEY_ALLOC_QUOTA_OVERRUN	1	/* count it, but never say no */
#define KEY_ALLOC_NOT_IN_QUOTA	2
struct key *key_alloc(const struct key_type *type, const char *desc, kuid_t uid, kgid_t gid, u32 perm, unsigned int how);
struct key *key_lookup(key_serial_t serial);			/* + reference; ERR_PTR(-ENOKEY) */
struct key *key_next(key_serial_t after);
int key_instantiate(struct key *key, const void *data, size_t len);	/* one that nobody else sees yet */
/* The answer to a request: data, or (data NULL, error < 0) that there is none, for so many seconds.  ring may be NULL. */
int key_instantiate_and_link(struct key *key, const void *data, size_t len, struct key *ring, struct key *auth);
int key_reject_and_link(struct key *key, unsigned int timeout, int error, struct key *ring, struct key *auth);
struct key_ref key_create_or_update(struct key_ref ring, const struct key_type *type, const char *desc, const void *data,
				    size_t len);
int key_update(struct key *key, const void *data, size_t len);
void key_revoke(struct key *key);
void key_invalidate(struct key *key);
void key_set_timeout(struct key *key, unsigned int seconds);
int key_validate(const struct key *key);			/* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
int wait_for_key_construction(struct key *key, bool interruptible);	/* 0: it has contents; else what it has instead */
int key_payload_reserve(struct key *key, size_t datalen);	/* 0, or -EDQUOT */
struct key_user *key_user_get(kuid_t uid);			/* NULL without memory */
void key_user_put(struct key_user *user);
int key_change_user(struct key *key, kuid_t uid);		/* sem held: it counts for uid from now on */
u32 key_default_perm(const struct key_type *type);

/* ---- permission.c ---- */
int key_task_permission(struct key_ref ref, const struct cred *cred, u32 need);
static inline int key_permission(struct key_ref ref, u32 need) { return key_task_permission(ref, current_cred(), need); }

/* ---- gc.c ---- */
void key_gc_at(time64_t when);		/* look for dead keys then */
void key_gc_free(struct key *key);	/* its last reference has gone; any context */

/* ---- keyring.c ---- */
extern struct rw_semaphore keyring_links;
struct key *keyring_alloc(const char *desc, kuid_t uid, kgid_t gid, u32 perm, unsigned int how, struct key *dest);
int key_link(struct key *ring, struct key *key);
int key_link_locked(struct key *ring, struct key *key);		/* keyring_links held for writing */
int key_unlink(struct key *ring, struct key *key);		/* -ENOENT */
int key_move(struct key *key, struct key *from, struct key *to, bool excl);
int keyring_clear(struct key *ring);
int keyring_restrict(struct key *ring);
struct key *keyring_find(struct key *ring, const struct key_type *type, const char *desc);	/* keyring_links held; NULL */
struct key *find_keyring_by_name(const char *name);		/* + reference; ERR_PTR(-ENOKEY) */
void keyring_drop_dead(struct key *ring, bool (*is_dead)(const struct key *key, time64_t now), time64_t now);

/* What a search looks for: a key of a type by its description, or (desc NULL) that very key. */
struct key_search {
	const struct key_type	*type;
	const char		*desc;
	const struct key	*key;
	const struct cred	*cred;
	bool			any_state;	/* also revoked, expired and negative ones */
	bool			skip_expired;	/* those are as good as not there */
	bool			no_perm;	/* whatever their permissions say */
};
struct key_ref keyring_search(struct key_ref ring, const struct key_search *what);	/* + reference; -EAGAIN: nothing */

/* ---- process_keys.c ---- */
#define KEY_LOOKUP_CREATE	1	/* make a special keyring that is not there */
#define KEY_LOOKUP_PARTIAL	2	/* also what has no contents yet */
#define KEY_LOOKUP_NO_CHECK	4	/* neither state nor permission: the caller looks himself */
struct key_ref lookup_user_key(key_serial_t id, unsigned int how, u32 need);	/* + reference */
struct key_ref search_process_keyrings(const struct key_search *what);
bool key_is_possessed(struct key *key);
int user_keyrings(struct key **user, struct key **session);	/* of the caller; each may be NULL; + references */
int install_thread_keyring(struct cred *new);
int install_process_keyring(struct cred *new);
int install_session_keyring(struct cred *new, struct key *keyring);	/* NULL: a new one */
long join_session_keyring(const char *name);
long keyctl_session_to_parent(void);
long keyctl_set_request_default(int where);
/* The register in *slot, which is of ns; made when there is none.  No new reference; ERR_PTR. */
struct key *register_keyring(struct key **slot, const char *name, const struct user_namespace *ns);

/* ---- request_key.c, request_key_auth.c ---- */
struct request_key_auth {
	struct key		*target;	/* the key to be made; + reference */
	struct key		*dest;		/* where it is wanted, or NULL; + reference */
	const struct cred	*cred;		/* of who asked; + reference */
	char			*callout;
	size_t			callout_len;
	pid_t			pid;
};
struct key *request_key_and_link(const struct key_type *type, const char *desc, const char *callout, struct key *dest);
struct key *request_key_auth_new(struct key *target, const char *callout, struct key *dest);
struct key *get_instantiation_authkey(key_serial_t target);	/* + reference; ERR_PTR */

/* ---- persistent.c, proc.c ---- */
long keyctl_get_persistent(uid_t uid, key_serial_t dest);

#endif
