/*
 * key.h: what the rest of the kernel sees of keys: the keyrings that credentials hold.
 *
 * Idea:    a key is a named, typed piece of data with an owner and permissions; a keyring is a key that holds links to
 *          keys.  A task reaches keys through the keyrings that its credentials point to: its thread's, its process's and
 *          its session's.  What is reached through them, and may be searched, the task possesses.
 * Counts:  key_get/key_put; put never sleeps (a worker frees).
 * See:     keyrings(7); kernel/security/keys
 */
#ifndef WEFT_KEY_H
#define WEFT_KEY_H

#include <weft/types.h>
#include <uapi/sched.h>

struct cred;
struct key;
struct user_namespace;

struct key *key_get(struct key *key);	/* NULL is fine */
void key_put(struct key *key);		/* any context; NULL is fine */

/* In struct cred; each a reference, or NULL. */
struct cred_keys {
	struct key	*thread;
	struct key	*process;
	struct key	*session;
	struct key	*request_auth;		/* the right to make a key that somebody asked for */
	int		request_default;	/* KEY_REQKEY_DEFL_*: where keys go that are asked for */
};

static inline void get_cred_keys(struct cred_keys *keys)
{
	key_get(keys->thread);
	key_get(keys->process);
	key_get(keys->session);
	key_get(keys->request_auth);
}
static inline void put_cred_keys(struct cred_keys *keys)
{
	key_put(keys->thread);
	key_put(keys->process);
	key_put(keys->session);
	key_put(keys->request_auth);
}

/*
 * fork: may a child made with these flags share the credentials, as far as the keyrings go?  Threads have each their own
 * keyring, processes too: if there is one, then not.
 */
static inline bool fork_shares_keys(const struct cred_keys *keys, u64 clone_flags)
{
	return !keys->thread && (clone_flags & CLONE_THREAD || !keys->process);
}
int fork_keys(struct cred *new, u64 clone_flags);	/* if not: new is the child's.  0 or -errno */
void exec_keys(struct cred *new);			/* thread and process keyring end */
void keys_fsid_changed(const struct cred *new);		/* its own keyring belongs to a thread's fsuid */

/* What a user namespace has of its own: the registers of users' keyrings, and the names of sessions. */
void free_user_ns_keys(struct user_namespace *ns);	/* any context */

#endif
