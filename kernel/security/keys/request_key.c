/*
 * request_key.c: a key that the caller does not have is asked for: request_key(2)'s inside.
 *
 * Idea:    first the caller's keyrings are searched.  If nothing is there and he gave something to say ("callout"), an
 *          empty key is made and /sbin/request-key is run, as root, with an authorisation key in its session; the caller
 *          waits till the program has ended.  If it has not given the key contents, or does not exist, the key becomes a
 *          negative one for a minute, so that who asks again is told at once.
 * Locking: requests_mutex over search and birth, so that two who ask for the same share one key.
 * See:     request_key(2), request-key(8); request_key_auth.c
 */
#include <weft/kernel.h>
#include <weft/pid.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/umh.h>
#include <weft/user_namespace.h>
#include <weft/wait.h>
#include "internal.h"

#define NEGATIVE_TIMEOUT	60	/* seconds */
#define HELPER			"/sbin/request-key"

static DEFINE_MUTEX(requests_mutex);

/* ---- the helper ---- */

struct helper_session {
	struct key	*ring;
	struct pid	*pid;		/* of the helper, + reference */
};

/* In the helper, before its execve. */
static int enter_session(void *data)
{
	struct helper_session *s = data;
	struct cred *new = prepare_creds();
	int err = new ? install_session_keyring(new, s->ring) : -ENOMEM;

	if (err) {
		put_cred(new);
		return err;
	}
	commit_creds(new);
	s->pid = get_pid(task_tgid(current));
	return 0;
}

static bool has_ended(struct pid *pid)
{
	struct task_struct *task;
	bool ended;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_PID);
	ended = !task || READ_ONCE(task->exit_state);
	rcu_read_unlock();
	return ended;
}

/* Runs it and waits for its end.  0: it ran; -errno. */
static int run_helper(struct key *key, struct key *session)
{
	const struct cred_keys *keys = &current_cred()->keys;
	static const char *const envp[] = { "HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL };
	struct helper_session s = { .ring = session };
	char number[16], uid[16], gid[16], rings[3][16];
	const char *argv[] = { HELPER, "create", number, uid, gid, rings[0], rings[1], rings[2], NULL };
	int err;

	snprintf(number, sizeof(number), "%d", key->serial);
	snprintf(uid, sizeof(uid), "%u", from_kuid(&init_user_ns, current_fsuid()));
	snprintf(gid, sizeof(gid), "%u", from_kgid(&init_user_ns, current_fsgid()));
	snprintf(rings[0], sizeof(rings[0]), "%d", keys->thread ? keys->thread->serial : 0);
	snprintf(rings[1], sizeof(rings[1]), "%d", keys->process ? keys->process->serial : 0);
	snprintf(rings[2], sizeof(rings[2]), "%d", keys->session ? keys->session->serial : 0);
	err = call_usermodehelper(HELPER, argv, envp, enter_session, &s);
	if (!err)
		wait_event(s.pid->wait_pidfd, has_ended(s.pid));
	put_pid(s.pid);
	return err;
}

/* 0: it has been answered, one way or the other. */
static int ask_helper(struct key *key, struct key *auth)
{
	char name[20];
	struct key *session;
	int err;

	snprintf(name, sizeof(name), "_req.%u", key->serial);
	session = keyring_alloc(name, current_fsuid(), current_fsgid(), KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW | KEY_READ),
				KEY_ALLOC_QUOTA_OVERRUN, NULL);
	if (IS_ERR(session))
		return PTR_ERR(session);
	err = key_link(session, auth);
	err = err ? err : run_helper(key, session);
	if (!err && (test_bit(KEY_CONSTRUCTING, &key->flags) || key_validate(key)))
		err = -ENOKEY;
	key_put(session);
	return err;
}

/* Gets contents for an empty key.  If that fails it is a negative one. */
static int construct(struct key *key, const char *callout, struct key *dest)
{
	struct key *auth = request_key_auth_new(key, callout, dest);
	int err = PTR_ERR(auth);

	if (!IS_ERR(auth)) {
		err = ask_helper(key, auth);
		key_revoke(auth);
		key_put(auth);
	}
	if (err)
		key_reject_and_link(key, NEGATIVE_TIMEOUT, -ENOKEY, NULL, NULL);
	return err;
}

/* ---- the caller ---- */

/* Where the key goes when the caller names no keyring: + reference, or NULL. */
static struct key *default_destination(void)
{
	const struct cred_keys *keys = &current_cred()->keys;
	struct key *dest = NULL;

	switch (keys->request_default) {
	case KEY_REQKEY_DEFL_DEFAULT:
	case KEY_REQKEY_DEFL_REQUESTOR_KEYRING:
		if (keys->request_auth) {
			down_read(&keys->request_auth->sem);
			if (keys->request_auth->payload)
				dest = key_get(((struct request_key_auth *)keys->request_auth->payload)->dest);
			up_read(&keys->request_auth->sem);
		}
		if (dest)
			return dest;
		fallthrough;
	case KEY_REQKEY_DEFL_THREAD_KEYRING:
		if (keys->thread)
			return key_get(keys->thread);
		fallthrough;
	case KEY_REQKEY_DEFL_PROCESS_KEYRING:
		if (keys->process)
			return key_get(keys->process);
		fallthrough;
	case KEY_REQKEY_DEFL_SESSION_KEYRING:
		if (keys->session)
			return key_get(keys->session);
		fallthrough;
	case KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
		return user_keyrings(NULL, &dest) ? NULL : dest;
	case KEY_REQKEY_DEFL_USER_KEYRING:
		return user_keyrings(&dest, NULL) ? NULL : dest;
	}
	return NULL;
}

/* The key that somebody asks for already, or (*made) a new one; in dest. */
static struct key *find_or_make(const struct key_search *what, struct key *dest, bool *made)
{
	struct key_ref ref;
	struct key *key;
	int err;

	mutex_lock(&requests_mutex);
	ref = search_process_keyrings(what);
	key = ref.key;
	*made = key == ERR_PTR(-EAGAIN);
	if (*made) {
		key = key_alloc(what->type, what->desc, current_fsuid(), current_fsgid(), key_default_perm(what->type), 0);
		if (!IS_ERR(key)) {
			set_bit(KEY_CONSTRUCTING, &key->flags);
			err = dest ? key_link(dest, key) : 0;
			if (err) {
				key_put(key);
				key = ERR_PTR(err);
			}
		}
	}
	mutex_unlock(&requests_mutex);
	return key;
}

static struct key *construct_and_link(const struct key_search *what, const char *callout, struct key *given)
{
	struct key *key, *dest = given ? key_get(given) : default_destination();
	bool made;
	int err;

	if (dest && !given && key_permission(KEY_REF(dest, true), KEY_WRITE)) {
		key_put(dest);
		return ERR_PTR(-EACCES);
	}
	key = find_or_make(what, dest, &made);
	if (!IS_ERR(key) && made) {
		err = construct(key, callout, dest);
		if (err) {
			key_put(key);
			key = ERR_PTR(err == -ENOENT ? -ENOKEY : err);
		}
	}
	key_put(dest);
	return key;
}

/* + reference; ERR_PTR.  callout NULL: only what is there.  dest: also linked to it; NULL.  May sleep long. */
struct key *request_key_and_link(const struct key_type *type, const char *desc, const char *callout, struct key *dest)
{
	struct key_search what = { .type = type, .desc = desc, .cred = current_cred(), .skip_expired = true };
	struct key_ref ref = search_process_keyrings(&what);
	struct key *key = ref.key;
	int err;

	if (key == ERR_PTR(-EAGAIN)) {
		if (!callout)
			return ERR_PTR(-ENOKEY);
		return type == &key_type_keyring ? ERR_PTR(-EPERM) : construct_and_link(&what, callout, dest);
	}
	if (IS_ERR(key) || !dest)
		return key;
	err = key_link(dest, key);
	if (!err)
		return key;
	key_put(key);
	return ERR_PTR(err);
}
