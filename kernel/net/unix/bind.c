/*
 * bind.c: names of local sockets: in the file system, abstract (a zero byte first), and automatic.
 *
 * Idea:    one hash table for both kinds: an abstract name hashes by its bytes and type, a name in the file system by its
 *          inode.  Sockets without a name stand in a bucket of their own, for /proc/net/unix.
 * Locking: bindlock over the naming of one socket; a bucket's lock for look-up and change.  A path's inode is found by the
 *          ordinary path walk first.
 * See:     unix(7) "address format"
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/err.h>
#include <weft/hash.h>
#include <weft/jhash.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/fs_struct.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/random.h>
#include "af_unix.h"

#define NAME_OFFSET	((int)offsetof(struct sockaddr_un, sun_path))

struct unix_bucket unix_table[UNIX_BUCKETS + 1];

/* ---- the table ---- */

static u32 abstract_hash(const struct sockaddr_un *name, int len, int type)
{
	return jhash(name, len, type) % UNIX_BUCKETS;
}

static u32 inode_hash(const struct inode *inode)
{
	return hash_ptr(inode, 8) % UNIX_BUCKETS;
}

void unix_insert_unbound(struct unix_sock *u)
{
	struct unix_bucket *b = &unix_table[UNIX_UNBOUND];

	spin_lock(&b->lock);
	u->bucket = UNIX_UNBOUND;
	hlist_add_head(&u->node, &b->head);
	spin_unlock(&b->lock);
}

/* bindlock held, or nobody else has the socket: the bucket does not change under us. */
void unix_remove_socket(struct unix_sock *u)
{
	struct unix_bucket *b = &unix_table[u->bucket];

	spin_lock(&b->lock);
	hlist_del_init(&u->node);
	spin_unlock(&b->lock);
}

/* bucket lock held.  Same type or another: two sockets may not share an abstract name of one type. */
static struct sock *find_abstract(const struct net *net, const struct sockaddr_un *name, int len, u32 hash, int type)
{
	struct unix_sock *u;

	lockdep_assert_held(&unix_table[hash].lock);
	hlist_for_each_entry(u, &unix_table[hash].head, node)
		if (u->sk.net == net && u->sk.type == type && u->addr && u->addr->len == len &&
		    !memcmp(&u->addr->name, name, len))
			return &u->sk;
	return NULL;
}

/* Moves u to a bucket with its name.  False: an abstract name is taken. */
static bool insert_named(struct unix_sock *u, struct unix_address *addr, u32 hash, bool abstract)
{
	struct unix_bucket *b = &unix_table[hash];
	bool taken;

	spin_lock(&b->lock);
	taken = abstract && find_abstract(u->sk.net, &addr->name, addr->len, hash, u->sk.type);
	spin_unlock(&b->lock);
	if (taken)
		return false;
	unix_remove_socket(u);
	spin_lock(&b->lock);
	taken = abstract && find_abstract(u->sk.net, &addr->name, addr->len, hash, u->sk.type);
	if (!taken) {
		addr->hash = hash;
		smp_store_release(&u->addr, addr);
		u->bucket = hash;
		hlist_add_head(&u->node, &b->head);
	}
	spin_unlock(&b->lock);
	if (taken)
		unix_insert_unbound(u);
	return !taken;
}

/* ---- addresses ---- */

static struct unix_address *make_address(const struct sockaddr_un *name, int len)
{
	struct unix_address *addr = kzalloc(sizeof(*addr), GFP_KERNEL);

	if (addr) {
		refcount_set(&addr->refcnt, 1);
		addr->len = len;
		memcpy(&addr->name, name, len);
	}
	return addr;
}

void unix_release_addr(struct unix_address *addr)
{
	if (addr && refcount_dec_and_test(&addr->refcnt))
		kfree(addr);
}

int unix_validate_addr(const struct sockaddr_un *sunaddr, int addr_len)
{
	if (addr_len <= NAME_OFFSET || addr_len > (int)sizeof(*sunaddr))
		return -EINVAL;
	return sunaddr->sun_family == AF_UNIX ? 0 : -EINVAL;
}

/* The path as a string that ends, in buf. */
static void path_string(const struct sockaddr_un *sunaddr, int addr_len, char buf[UNIX_PATH_MAX + 1])
{
	int n = addr_len - NAME_OFFSET;

	memcpy(buf, sunaddr->sun_path, n);
	buf[n] = 0;
}

/* ---- bind ---- */

/* "\0" and five hexadecimal digits, from a random place on. */
int unix_autobind(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	u32 first = get_random_u32() & 0xfffff, n = first;
	int len = NAME_OFFSET + 6, err;
	struct unix_address *addr;

	err = mutex_lock_interruptible(&u->bindlock);
	if (err)
		return -ERESTARTSYS;
	if (u->addr)
		goto out;
	addr = make_address(&name, len);
	err = -ENOMEM;
	if (!addr)
		goto out;
	do {
		snprintf(addr->name.sun_path + 1, 6, "%05x", n);
		if (insert_named(u, addr, abstract_hash(&addr->name, len, sk->type), true)) {
			err = 0;
			goto out;
		}
		n = (n + 1) & 0xfffff;
	} while (n != first);
	unix_release_addr(addr);
	err = -ENOSPC;
out:
	mutex_unlock(&u->bindlock);
	return err;
}

static int bind_abstract(struct sock *sk, const struct sockaddr_un *sunaddr, int addr_len)
{
	struct unix_sock *u = unix_sk(sk);
	struct unix_address *addr = make_address(sunaddr, addr_len);
	int err;

	if (!addr)
		return -ENOMEM;
	err = mutex_lock_interruptible(&u->bindlock);
	if (err) {
		unix_release_addr(addr);
		return -ERESTARTSYS;
	}
	if (u->addr)
		err = -EINVAL;
	else if (!insert_named(u, addr, abstract_hash(sunaddr, addr_len, sk->type), true))
		err = -EADDRINUSE;
	mutex_unlock(&u->bindlock);
	if (err)
		unix_release_addr(addr);
	return err;
}

/* Makes the name in the file system and gives it to u.  bindlock held; u has no name. */
static int bind_made(struct unix_sock *u, struct unix_address *addr, struct path *parent, struct dentry *dentry)
{
	spin_lock(&u->sk.lock);
	u->path.mnt = mntget(parent->mnt);
	u->path.dentry = dget(dentry);
	spin_unlock(&u->sk.lock);
	insert_named(u, addr, inode_hash(d_inode(dentry)), false);
	return 0;
}

static int bind_path(struct sock *sk, const struct sockaddr_un *sunaddr, int addr_len)
{
	umode_t mode = S_IFSOCK | (SOCK_INODE(sk->socket)->i_mode & 0777 & ~current_umask());
	struct unix_sock *u = unix_sk(sk);
	char name[UNIX_PATH_MAX + 1];
	struct unix_address *addr;
	struct dentry *dentry;
	struct path parent;
	int err;

	path_string(sunaddr, addr_len, name);
	/* The name is kept with its NUL, whether it was given or not. */
	addr = make_address(sunaddr, min_t(int, NAME_OFFSET + strlen(name), sizeof(*sunaddr)));
	if (!addr)
		return -ENOMEM;
	addr->len = NAME_OFFSET + strlen(name) + 1;
	dentry = kern_path_create(AT_FDCWD, name, &parent, 0);
	if (IS_ERR(dentry)) {
		err = PTR_ERR(dentry);
		goto release;
	}
	err = landlock_make(&parent, mode);
	if (!err)
		err = vfs_mknod(d_inode(parent.dentry), dentry, mode, 0);
	if (err)
		goto done;
	mutex_lock(&u->bindlock);
	if (u->addr)
		err = -EINVAL;
	else
		err = bind_made(u, addr, &parent, dentry);
	mutex_unlock(&u->bindlock);
	if (err)
		vfs_unlink(d_inode(parent.dentry), dentry);
done:
	done_path_create(&parent, dentry);
release:
	if (err)
		unix_release_addr(addr);
	return err == -EEXIST ? -EADDRINUSE : err;
}

int unix_bind(struct socket *sock, struct sockaddr *uaddr, int addr_len)
{
	struct sockaddr_un *sunaddr = (struct sockaddr_un *)uaddr;
	int err;

	if (addr_len == NAME_OFFSET && sunaddr->sun_family == AF_UNIX)
		return unix_autobind(sock->sk);
	err = unix_validate_addr(sunaddr, addr_len);
	if (err)
		return err;
	return sunaddr->sun_path[0] ? bind_path(sock->sk, sunaddr, addr_len) : bind_abstract(sock->sk, sunaddr, addr_len);
}

/* ---- look-up ---- */

static struct sock *find_by_inode(struct inode *inode)
{
	struct unix_bucket *b = &unix_table[inode_hash(inode)];
	struct sock *found = NULL;
	struct unix_sock *u;

	spin_lock(&b->lock);
	hlist_for_each_entry(u, &b->head, node) {
		struct dentry *dentry = u->path.dentry;

		if (dentry && d_backing_inode(dentry) == inode) {
			sock_hold(&u->sk);
			found = &u->sk;
			break;
		}
	}
	spin_unlock(&b->lock);
	return found;
}

static struct sock *find_path(const struct sockaddr_un *sunaddr, int addr_len, int type)
{
	char name[UNIX_PATH_MAX + 1];
	struct inode *inode;
	struct path path;
	struct sock *sk;
	int err;

	path_string(sunaddr, addr_len, name);
	err = kern_path(name, LOOKUP_FOLLOW, &path);
	if (err)
		return ERR_PTR(err);
	inode = d_backing_inode(path.dentry);
	err = inode_permission(inode, MAY_WRITE);
	if (err)
		goto fail;
	err = -ECONNREFUSED;
	if (!S_ISSOCK(inode->i_mode))
		goto fail;
	sk = find_by_inode(inode);
	if (!sk)
		goto fail;
	if (sk->type != type) {
		sock_put(sk);
		err = -EPROTOTYPE;
		goto fail;
	}
	touch_atime(&path);
	path_put(&path);
	return sk;
fail:
	path_put(&path);
	return ERR_PTR(err);
}

struct sock *unix_find_other(const struct net *net, const struct sockaddr_un *sunaddr, int addr_len, int type)
{
	struct sock *sk;
	u32 hash;

	if (sunaddr->sun_path[0])
		return find_path(sunaddr, addr_len, type);
	hash = abstract_hash(sunaddr, addr_len, type);
	spin_lock(&unix_table[hash].lock);
	sk = find_abstract(net, sunaddr, addr_len, hash, type);
	if (sk)
		sock_hold(sk);
	spin_unlock(&unix_table[hash].lock);
	return sk ? sk : ERR_PTR(-ECONNREFUSED);
}
