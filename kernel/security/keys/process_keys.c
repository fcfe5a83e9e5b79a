/*
 * process_keys.c: the keyrings of a task, its user and its user namespace: found, made, searched, inherited.
 *
 * Idea:    credentials point to three keyrings.  A thread's own ends with execve and is not inherited; a process's is
 *          shared by its threads and ends with execve; a session's is inherited by all that is started in it.  A user's
 *          two, the user keyring and the one that stands in for a session, hang in a register of the user namespace.
 *          What is found through any of them is possessed.
 * Locking: credentials are changed as always: copied, edited, committed.  session_mutex over joining a session by name,
 *          so that two who join the same make one; register_mutex over the registers.
 * See:     keyrings(7), thread-keyring(7) and its neighbours; keyctl.c
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/task_work.h>
#include <weft/user_namespace.h>
#include <uapi/sched.h>
#include "internal.h"

static DEFINE_MUTEX(session_mutex);
static DEFINE_MUTEX(register_mutex);

/* ---- fork, execve, setuid ---- */

int fork_keys(struct cred *new, u64 clone_flags)
{
	const bool had = new->keys.thread;

	key_put(new->keys.thread);
	new->keys.thread = NULL;
	if (clone_flags & CLONE_THREAD)
		return had ? install_thread_keyring(new) : 0;
	key_put(new->keys.process);
	new->keys.process = NULL;
	return 0;
}

void exec_keys(struct cred *new)
{
	key_put(new->keys.thread);
	key_put(new->keys.process);
	new->keys.thread = new->keys.process = NULL;
}

void keys_fsid_changed(const struct cred *new)
{
	struct key *ring = new->keys.thread;

	down_write(&ring->sem);
	ring->uid = new->fsuid;
	ring->gid = new->fsgid;
	up_write(&ring->sem);
}

/* ---- made where there is none ---- */

#define OWN_PERM	(KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW))
#define SESSION_PERM	(KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW | KEY_READ))
#define USER_PERM	(KEY_POS(KEY_ALL & ~KEY_SETATTR) | KEY_USR(KEY_ALL))
#define REGISTER_PERM	(KEY_POS(KEY_WRITE | KEY_SEARCH) | KEY_USR(KEY_VIEW | KEY_READ))

static int install_own(struct cred *new, struct key **slot, const char *name)
{
	struct key *ring;

	if (*slot)
		return 0;
	ring = keyring_alloc(name, new->uid, new->gid, OWN_PERM, KEY_ALLOC_QUOTA_OVERRUN, NULL);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	*slot = ring;
	return 0;
}

int install_thread_keyring(struct cred *new)
{
	return install_own(new, &new->keys.thread, "_tid");
}

int install_process_keyring(struct cred *new)
{
	return install_own(new, &new->keys.process, "_pid");
}

int install_session_keyring(struct cred *new, struct key *ring)
{
	if (ring)
		key_get(ring);
	else
		ring = keyring_alloc("_ses", new->uid, new->gid, SESSION_PERM,
				     new->keys.session ? 0 : KEY_ALLOC_QUOTA_OVERRUN, NULL);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	key_put(new->keys.session);
	new->keys.session = ring;
	return 0;
}

/* One of the above for the running task. */
static int install(int (*how)(struct cred *new))
{
	struct cred *new = prepare_creds();
	int err;

	if (!new)
		return -ENOMEM;
	err = how(new);
	if (err) {
		abort_creds(new);
		return err;
	}
	return commit_creds(new);
}

struct key *register_keyring(struct key **slot, const char *name, const struct user_namespace *ns)
{
	struct key *ring = smp_load_acquire(slot);

	if (ring)
		return ring;
	mutex_lock(&register_mutex);
	ring = *slot;
	if (!ring) {
		ring = keyring_alloc(name, ns->owner, INVALID_GID, REGISTER_PERM, 0, NULL);
		if (!IS_ERR(ring))
			smp_store_release(slot, ring);
	}
	mutex_unlock(&register_mutex);
	return ring;
}

/* A keyring of that name in the register, or NULL; + reference. */
static struct key *find_registered(struct key *reg, const char *name)
{
	struct key *ring;

	down_read(&keyring_links);
	ring = key_get(keyring_find(reg, &key_type_keyring, name));
	up_read(&keyring_links);
	return ring;
}

/* [register_mutex] ... made when there is none. */
static struct key *find_or_register(struct key *reg, const char *name, struct key *inner)
{
	struct key *ring = find_registered(reg, name);
	int err;

	if (ring)
		return ring;
	ring = keyring_alloc(name, current_uid(), INVALID_GID, USER_PERM, 0, reg);
	if (IS_ERR(ring) || !inner)
		return ring;
	err = key_link(ring, inner);
	if (!err)
		return ring;
	key_put(ring);
	return ERR_PTR(err);
}

int user_keyrings(struct key **user, struct key **session)
{
	struct user_namespace *ns = current_user_ns();
	struct key *reg = register_keyring(&ns->keyring_register, ".user_reg", ns), *ring, *ses;
	char name[24];

	if (IS_ERR(reg))
		return PTR_ERR(reg);
	mutex_lock(&register_mutex);
	snprintf(name, sizeof(name), "_uid.%u", from_kuid(ns, current_uid()));
	ring = find_or_register(reg, name, NULL);
	snprintf(name, sizeof(name), "_uid_ses.%u", from_kuid(ns, current_uid()));
	ses = IS_ERR(ring) ? ring : find_or_register(reg, name, ring);
	mutex_unlock(&register_mutex);
	if (IS_ERR(ses)) {
		if (!IS_ERR(ring))
			key_put(ring);
		return PTR_ERR(ses);
	}
	if (user)
		*user = key_get(ring);
	if (session)
		*session = key_get(ses);
	key_put(ring);
	key_put(ses);
	return 0;
}

/* What stands in for a session that cred has not: + reference, or NULL.  Makes nothing. */
static struct key *find_user_session(const struct cred *cred)
{
	struct key *reg = smp_load_acquire(&cred->user_ns->keyring_register);
	char name[24];

	snprintf(name, sizeof(name), "_uid_ses.%u", from_kuid(cred->user_ns, cred->uid));
	return reg ? find_registered(reg, name) : NULL;
}

/* ---- sessions ---- */

long join_session_keyring(const char *name)
{
	struct cred *new = prepare_creds();
	struct key *ring = NULL;
	long err;

	if (!new)
		return -ENOMEM;
	mutex_lock(&session_mutex);
	if (name) {
		ring = find_keyring_by_name(name);
		if (ring == ERR_PTR(-ENOKEY))
			ring = keyring_alloc(name, new->uid, new->gid, SESSION_PERM | KEY_USR(KEY_LINK), 0, NULL);
	}
	err = PTR_ERR(ring);
	if (IS_ERR(ring))
		goto abort;
	err = ring && ring == new->keys.session ? 1 : install_session_keyring(new, ring);
	key_put(ring);
	if (err)
		goto abort;
	err = new->keys.session->serial;
	commit_creds(new);
	mutex_unlock(&session_mutex);
	return err;
abort:
	mutex_unlock(&session_mutex);
	abort_creds(new);
	return err > 0 ? 0 : err;	/* it is in that session: nothing done */
}

struct new_session {
	struct callback_head	work;
	struct key		*ring;
};

/* The parent, on its way to user mode.  Without memory it keeps what it has. */
static void change_session(struct callback_head *work)
{
	struct new_session *s = container_of(work, struct new_session, work);
	struct cred *new = prepare_creds();

	if (new) {
		install_session_keyring(new, s->ring);
		commit_creds(new);
	}
	key_put(s->ring);
	kfree(s);
}

/* May we give the parent another session?  Not to who is more able than we are.  [RCU] */
static bool may_change_parent(struct task_struct *parent, const struct cred *pcred, const struct cred *cred)
{
	if (parent->pid <= 1 || !parent->mm || !thread_group_empty(parent))
		return false;
	if (!uid_eq(pcred->uid, cred->euid) || !uid_eq(pcred->euid, cred->euid) || !uid_eq(pcred->suid, cred->euid) ||
	    !gid_eq(pcred->gid, cred->egid) || !gid_eq(pcred->egid, cred->egid) || !gid_eq(pcred->sgid, cred->egid))
		return false;
	return (!pcred->keys.session || uid_eq(pcred->keys.session->uid, cred->euid)) &&
	       uid_eq(cred->keys.session->uid, cred->euid);
}

long keyctl_session_to_parent(void)
{
	struct key_ref ref = lookup_user_key(KEY_SPEC_SESSION_KEYRING, 0, KEY_LINK);
	const struct cred *cred = current_cred(), *pcred;
	struct task_struct *parent;
	struct new_session *s;
	int err;

	if (IS_ERR(ref.key))
		return PTR_ERR(ref.key);
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s) {
		key_put(ref.key);
		return -ENOMEM;
	}
	s->ring = ref.key;
	init_task_work(&s->work, change_session);
	rcu_read_lock();
	parent = rcu_dereference(current->real_parent);
	pcred = __task_cred(parent);
	err = 0;
	if (pcred == cred || pcred->keys.session == cred->keys.session)
		goto not_needed;
	err = may_change_parent(parent, pcred, cred) ? task_work_add(parent, &s->work, TWA_RESUME) : -EPERM;
	if (!err)
		s = NULL;
not_needed:
	rcu_read_unlock();
	if (s) {
		key_put(s->ring);
		kfree(s);
	}
	return err;
}

long keyctl_set_request_default(int where)
{
	struct cred *new;
	int err = 0, old;

	if (where < KEY_REQKEY_DEFL_NO_CHANGE || where > KEY_REQKEY_DEFL_REQUESTOR_KEYRING ||
	    where == KEY_REQKEY_DEFL_GROUP_KEYRING)
		return -EINVAL;
	old = current_cred()->keys.request_default;
	if (where == KEY_REQKEY_DEFL_NO_CHANGE)
		return old;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	if (where == KEY_REQKEY_DEFL_THREAD_KEYRING)
		err = install_thread_keyring(new);
	else if (where == KEY_REQKEY_DEFL_PROCESS_KEYRING)
		err = install_process_keyring(new);
	if (err) {
		abort_creds(new);
		return err;
	}
	new->keys.request_default = where;
	commit_creds(new);
	return old;
}

/* ---- searches ---- */

/* The more telling of two reasons why there is no key: "none", then "a negative one", then whatever else. */
static int worse(int a, int b)
{
	if (a == -EAGAIN || (a == -ENOKEY && b != -EAGAIN))
		return b;
	return a;
}

/* The keyrings of cred, in their order. */
static struct key_ref search_cred_keyrings(const struct key_search *what)
{
	const struct cred *cred = what->cred;
	struct key *stand_in = cred->keys.session ? NULL : find_user_session(cred);
	struct key *rings[] = { cred->keys.thread, cred->keys.process, cred->keys.session ? cred->keys.session : stand_in };
	struct key_ref ref = KEY_REF_ERR(-EAGAIN);
	int err = -EAGAIN;

	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		if (!rings[i])
			continue;
		ref = keyring_search(KEY_REF(rings[i], true), what);
		if (!IS_ERR(ref.key))
			break;
		err = worse(err, PTR_ERR(ref.key));
		ref = KEY_REF_ERR(err);
	}
	key_put(stand_in);
	return ref;
}

/* Of who asked for the key that this authority is over: + reference; NULL: it has ended. */
static const struct cred *requestor_cred(struct key *auth)
{
	const struct request_key_auth *rka;
	const struct cred *cred = NULL;

	down_read(&auth->sem);
	rka = auth->payload;
	if (rka && !key_validate(auth))
		cred = get_cred(rka->cred);
	up_read(&auth->sem);
	return cred;
}

/* Also those of who asked for a key, while we make it for him. */
struct key_ref search_process_keyrings(const struct key_search *what)
{
	struct key_ref ref = search_cred_keyrings(what), other;
	struct key *auth = what->cred->keys.request_auth;
	struct key_search theirs = *what;

	if (!IS_ERR(ref.key) || !auth || what->cred != current_cred() || what->type == &key_type_request_key_auth)
		return ref;
	theirs.cred = requestor_cred(auth);
	if (theirs.cred) {
		other = search_cred_keyrings(&theirs);
		ref = IS_ERR(other.key) ? KEY_REF_ERR(worse(PTR_ERR(ref.key), PTR_ERR(other.key))) : other;
		put_cred(theirs.cred);
	}
	return ref;
}

bool key_is_possessed(struct key *key)
{
	struct key_search what = { .key = key, .cred = current_cred(), .any_state = true };
	struct key_ref ref = search_process_keyrings(&what);

	if (IS_ERR(ref.key))
		return false;
	key_put(ref.key);
	return true;
}

/* ---- a number from user mode ---- */

static int install_stand_in(struct cred *new)
{
	struct key *ring;
	int err = user_keyrings(NULL, &ring);

	if (err)
		return err;
	err = install_session_keyring(new, ring);
	key_put(ring);
	return err;
}

/* The session's; where there is none the user's stands in for it, until one of its own is wanted to be made. */
static struct key *own_session(bool make)
{
	struct key *session = current_cred()->keys.session, *stand_in = NULL;
	bool its_own = session;
	long err;

	if (session && make) {
		stand_in = find_user_session(current_cred());
		its_own = session != stand_in;
		key_put(stand_in);
	}
	if (its_own)
		return key_get(session);
	err = make ? join_session_keyring(NULL) : install(install_stand_in);
	return err < 0 ? ERR_PTR(err) : key_get(current_cred()->keys.session);
}

static struct key *own_keyring(bool thread, bool make)
{
	const struct cred_keys *keys = &current_cred()->keys;
	int err;

	if (thread ? keys->thread : keys->process)
		return key_get(thread ? keys->thread : keys->process);
	if (!make)
		return ERR_PTR(-ENOKEY);
	err = install(thread ? install_thread_keyring : install_process_keyring);
	keys = &current_cred()->keys;
	return err ? ERR_PTR(err) : key_get(thread ? keys->thread : keys->process);
}

/* What the authority that we have assumed speaks of. */
static struct key *auth_keyring(bool requestor)
{
	struct key *auth = current_cred()->keys.request_auth, *dest = NULL;
	const struct request_key_auth *rka;

	if (!auth)
		return ERR_PTR(-ENOKEY);
	if (!requestor)
		return key_get(auth);
	down_read(&auth->sem);
	rka = auth->payload;
	if (rka && !test_bit(KEY_REVOKED, &auth->flags))
		dest = key_get(rka->dest);
	up_read(&auth->sem);
	return dest ? dest : ERR_PTR(-ENOKEY);
}

static struct key_ref special_key(key_serial_t id, bool make)
{
	struct key *key = ERR_PTR(-EINVAL);
	int err;

	switch (id) {
	case KEY_SPEC_THREAD_KEYRING:
	case KEY_SPEC_PROCESS_KEYRING:
		key = own_keyring(id == KEY_SPEC_THREAD_KEYRING, make);
		break;
	case KEY_SPEC_SESSION_KEYRING:
		key = own_session(make);
		break;
	case KEY_SPEC_USER_KEYRING:
	case KEY_SPEC_USER_SESSION_KEYRING:
		err = id == KEY_SPEC_USER_KEYRING ? user_keyrings(&key, NULL) : user_keyrings(NULL, &key);
		key = err ? ERR_PTR(err) : key;
		break;
	case KEY_SPEC_REQKEY_AUTH_KEY:
	case KEY_SPEC_REQUESTOR_KEYRING:
		key = auth_keyring(id == KEY_SPEC_REQUESTOR_KEYRING);
		break;
	}
	return KEY_REF(key, true);
}

static int check_state(struct key *key, unsigned int how)
{
	int err;

	if (how & KEY_LOOKUP_NO_CHECK)
		return 0;
	if (how & KEY_LOOKUP_PARTIAL)
		return key_validate(key);
	err = wait_for_key_construction(key, true);
	if (err)
		return err;
	return key->state == KEY_UNINSTANTIATED ? -EIO : 0;
}

/* how: KEY_LOOKUP_*; need: the rights that the caller must have, 0 none.  ERR_PTR in .key.  May sleep. */
struct key_ref lookup_user_key(key_serial_t id, unsigned int how, u32 need)
{
	struct key_ref ref;
	int err;

	if (id < 0) {
		ref = special_key(id, how & KEY_LOOKUP_CREATE);
	} else {
		ref.key = id ? key_lookup(id) : ERR_PTR(-EINVAL);
		ref.possessed = !IS_ERR(ref.key) && key_is_possessed(ref.key);
	}
	if (IS_ERR(ref.key))
		return ref;
	err = check_state(ref.key, how);
	if (!err && !(how & KEY_LOOKUP_NO_CHECK))
		err = key_permission(ref, need);
	if (!err)
		return ref;
	key_put(ref.key);
	return KEY_REF_ERR(err);
}
