/* keys.c: keys and keyrings: add_key, request_key, keyctl, /proc/keys (man 7 keyrings, 2 keyctl). */
#include "t.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { K_THREAD = -1, K_PROCESS = -2, K_SESSION = -3, K_USER = -4, K_USER_SESSION = -5, K_GROUP = -6, K_REQKEY_AUTH = -7 };
enum { C_GET_ID, C_JOIN, C_UPDATE, C_REVOKE, C_CHOWN, C_SETPERM, C_DESCRIBE, C_CLEAR, C_LINK, C_UNLINK, C_SEARCH, C_READ,
       C_INSTANTIATE, C_NEGATE, C_SET_REQKEY, C_TIMEOUT, C_ASSUME, C_SECURITY, C_TO_PARENT, C_REJECT, C_IOV, C_INVALIDATE,
       C_PERSISTENT, C_RESTRICT = 29, C_MOVE, C_CAPS };

#define SKIP_WITHOUT_KEYS() do { \
	if (syscall(SYS_keyctl, C_JOIN, NULL) < 0) \
		SKIP("no keyrings here: %s", strerror(errno)); \
} while (0)

static int add(const char *type, const char *desc, const char *data, int ring)
{
	return syscall(SYS_add_key, type, desc, data, data ? strlen(data) : 0, ring);
}

static long ctl(int cmd, ...)
{
	unsigned long a[4];
	va_list ap;

	va_start(ap, cmd);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	return syscall(SYS_keyctl, cmd, a[0], a[1], a[2], a[3]);
}
#define CTL1(c, a)		ctl(c, (unsigned long)(a), 0UL, 0UL, 0UL)
#define CTL2(c, a, b)		ctl(c, (unsigned long)(a), (unsigned long)(b), 0UL, 0UL)
#define CTL3(c, a, b, d)	ctl(c, (unsigned long)(a), (unsigned long)(b), (unsigned long)(d), 0UL)
#define CTL4(c, a, b, d, e)	ctl(c, (unsigned long)(a), (unsigned long)(b), (unsigned long)(d), (unsigned long)(e))

static const char *contents(int key)
{
	static char buf[200];
	long n = CHECK_OK(CTL3(C_READ, key, buf, sizeof(buf) - 1));

	CHECK(n < (long)sizeof(buf));
	buf[n] = 0;
	return buf;
}

static const char *describe(int key)
{
	static char buf[300];

	CHECK_OK(CTL3(C_DESCRIBE, key, buf, sizeof(buf)));
	return buf;
}

/* A key that nobody holds any more: it has gone, or will soon, which Linux does a grace period later. */
#define CHECK_GONE(call) do { \
	errno = 0; \
	if ((call) != -1 || (errno != ENOKEY && errno != EACCES)) \
		FAIL("line %d: %s: errno %d", __LINE__, #call, errno); \
} while (0)

/* How many links the ring has; is that key among them? */
static int links(int ring, int key)
{
	int serials[100], n = CHECK_OK(CTL3(C_READ, ring, serials, sizeof(serials))) / 4, found = 0;

	for (int i = 0; i < n; i++)
		found |= serials[i] == key;
	return key ? found : n;
}

TEST(add_read_update)
{
	char small[3] = "zz";
	int key;

	SKIP_WITHOUT_KEYS();
	key = CHECK_OK(add("user", "mine", "hello", K_SESSION));
	CHECK(key > 0);
	CHECK_STR(contents(key), "hello");
	CHECK_EQ(CTL3(C_READ, key, NULL, 0), 5);
	CHECK_EQ(CTL3(C_READ, key, small, 2), 5);	/* all or nothing */
	CHECK_STR(small, "zz");
	CHECK(strstr(describe(key), "user;"));
	CHECK(strstr(describe(key), ";3f010000;mine"));
	CHECK_EQ(CTL3(C_DESCRIBE, key, NULL, 0), strlen(describe(key)) + 1);
	CHECK_EQ(add("user", "mine", "again", K_SESSION), key);	/* the same name: an update */
	CHECK_STR(contents(key), "again");
	CHECK_OK(CTL3(C_UPDATE, key, "third", 5));
	CHECK_STR(contents(key), "third");
	CHECK_ERR(CTL3(C_UPDATE, key, "x", 5000), EINVAL);
	CHECK_ERR(CTL3(C_UPDATE, key, NULL, 0), EINVAL);
	CHECK_ERR(CTL3(C_UPDATE, key, (void *)8, 5), EFAULT);
	CHECK_EQ(CTL3(C_SECURITY, key, small, 2), 1);
	CHECK_STR(small, "");
}

TEST(add_errors)
{
	char *big = calloc(1, 1 << 20), desc[5000];

	SKIP_WITHOUT_KEYS();
	CHECK_ERR(add("nosuchtype", "x", "y", K_SESSION), ENODEV);
	CHECK_ERR(add(".mine", "x", "y", K_SESSION), EPERM);
	CHECK_ERR(add("", "x", "y", K_SESSION), EINVAL);
	CHECK_ERR(add("a_type_whose_name_is_much_too_long", "x", "y", K_SESSION), EINVAL);
	CHECK_ERR(add((void *)8, "x", "y", K_SESSION), EFAULT);
	CHECK_ERR(add("user", (void *)8, "y", K_SESSION), EFAULT);
	CHECK_ERR(add("user", "", "y", K_SESSION), EINVAL);
	CHECK_ERR(add("user", NULL, "y", K_SESSION), EINVAL);
	CHECK_ERR(add("user", "x", NULL, K_SESSION), EINVAL);
	CHECK_ERR(add("keyring", ".x", NULL, K_SESSION), EPERM);
	CHECK_ERR(add("keyring", "x", "data", K_SESSION), EINVAL);
	CHECK_ERR(syscall(SYS_add_key, "user", "x", big, 32768, K_SESSION), EINVAL);
	CHECK_ERR(syscall(SYS_add_key, "user", "x", big, 1 << 20, K_SESSION), EINVAL);
	CHECK_ERR(syscall(SYS_add_key, "user", "x", (void *)8, 10, K_SESSION), EFAULT);
	CHECK_OK(syscall(SYS_add_key, "user", "x", big, 32767, K_SESSION));
	memset(desc, 'd', sizeof(desc));
	desc[4095] = 0;
	CHECK_OK(add("user", desc, "y", K_SESSION));
	desc[4095] = 'd';
	desc[4096] = 0;
	CHECK_ERR(add("user", desc, "y", K_SESSION), EINVAL);
	CHECK_ERR(add("user", "x", "y", K_GROUP), EINVAL);
	CHECK_ERR(add("user", "x", "y", -99), EINVAL);
	CHECK_ERR(add("user", "x", "y", 0), EINVAL);
	CHECK_ERR(add("user", "x", "y", 0x7ffffff1), ENOKEY);
	CHECK_ERR(add("user", "x", "y", add("user", "no_ring", "y", K_SESSION)), ENOTDIR);
	CHECK_ERR(CTL1(99, 0), EOPNOTSUPP);
}

TEST(logon_is_never_read)
{
	char buf[10];
	int key;

	SKIP_WITHOUT_KEYS();
	CHECK_ERR(add("logon", "noservice", "secret", K_SESSION), EINVAL);
	CHECK_ERR(add("logon", ":noservice", "secret", K_SESSION), EINVAL);
	key = CHECK_OK(add("logon", "svc:me", "secret", K_SESSION));
	CHECK_ERR(CTL3(C_READ, key, buf, sizeof(buf)), EOPNOTSUPP);
	CHECK(strstr(describe(key), ";3d010000;svc:me"));
	CHECK_OK(CTL3(C_UPDATE, key, "other", 5));
}

TEST(big_key)
{
	char *data = malloc(100000), *back = malloc(100000);
	int key;

	SKIP_WITHOUT_KEYS();
	for (int i = 0; i < 100000; i++)
		data[i] = i * 7;
	key = syscall(SYS_add_key, "big_key", "large", data, 100000, K_SESSION);
	if (key < 0 && errno == ENODEV)
		SKIP("no big keys here");
	CHECK(key > 0);
	CHECK_EQ(CTL3(C_READ, key, back, 100000), 100000);
	CHECK(!memcmp(data, back, 100000));
}

TEST(links_and_unlinks)
{
	int a, b, key, other;

	SKIP_WITHOUT_KEYS();
	a = CHECK_OK(add("keyring", "a", NULL, K_SESSION));
	b = CHECK_OK(add("keyring", "b", NULL, K_SESSION));
	key = CHECK_OK(add("user", "k", "1", a));
	CHECK_EQ(links(a, 0), 1);
	CHECK_OK(CTL2(C_LINK, key, b));
	CHECK_OK(CTL2(C_LINK, key, b));
	CHECK_EQ(links(b, 0), 1);
	CHECK_OK(CTL2(C_UNLINK, key, a));
	CHECK_ERR(CTL2(C_UNLINK, key, a), ENOENT);
	CHECK_STR(contents(key), "1");
	/* Of one name there is one: the last. */
	other = CHECK_OK(add("user", "k", "2", a));
	CHECK(other != key);
	CHECK_OK(CTL2(C_LINK, other, b));
	CHECK_EQ(links(b, 0), 1);
	CHECK(links(b, other));
	/* No circles. */
	CHECK_OK(CTL2(C_LINK, b, a));
	CHECK_ERR(CTL2(C_LINK, a, b), EDEADLK);
	CHECK_ERR(CTL2(C_LINK, a, a), EDEADLK);
	CHECK_GONE(CTL2(C_LINK, a, key));
	CHECK_ERR(CTL2(C_LINK, a, other), ENOTDIR);
	CHECK_ERR(CTL2(C_UNLINK, a, other), ENOTDIR);
	CHECK_OK(CTL1(C_CLEAR, a));
	CHECK_EQ(links(a, 0), 0);
	CHECK_ERR(CTL1(C_CLEAR, other), ENOTDIR);
	/* A keyring of the same name takes the place of the old one: there is no update of keyrings. */
	CHECK(add("keyring", "b", NULL, K_SESSION) != b);
}

TEST(move)
{
	int a, b, key, other;

	SKIP_WITHOUT_KEYS();
	a = CHECK_OK(add("keyring", "a", NULL, K_SESSION));
	b = CHECK_OK(add("keyring", "b", NULL, K_SESSION));
	key = CHECK_OK(add("user", "k", "1", a));
	CHECK_ERR(CTL4(C_MOVE, key, a, b, 2), EINVAL);
	CHECK_OK(CTL4(C_MOVE, key, a, b, 0));
	CHECK(!links(a, key) && links(b, key));
	CHECK_ERR(CTL4(C_MOVE, key, a, b, 0), ENOENT);
	other = CHECK_OK(add("user", "k", "2", a));
	CHECK_ERR(CTL4(C_MOVE, other, a, b, 1), EEXIST);
	CHECK(links(a, other));
	CHECK_OK(CTL4(C_MOVE, other, a, b, 0));
	CHECK(links(b, other) && !links(b, key));
	CHECK_OK(CTL4(C_MOVE, other, b, b, 0));
}

TEST(search)
{
	int a, b, key, found, level[9];

	SKIP_WITHOUT_KEYS();
	a = CHECK_OK(add("keyring", "a", NULL, K_SESSION));
	b = CHECK_OK(add("keyring", "b", NULL, a));
	key = CHECK_OK(add("user", "deep", "1", b));
	CHECK_EQ(CTL4(C_SEARCH, K_SESSION, "user", "deep", 0), key);
	CHECK_EQ(CTL4(C_SEARCH, a, "user", "deep", K_SESSION), key);
	CHECK(links(CHECK_OK(CTL2(C_GET_ID, K_SESSION, 0)), key));
	CHECK_ERR(CTL4(C_SEARCH, a, "user", "nothing", 0), ENOKEY);
	CHECK_ERR(CTL4(C_SEARCH, a, "logon", "deep", 0), ENOKEY);
	CHECK_ERR(CTL4(C_SEARCH, a, "nosuchtype", "deep", 0), ENOKEY);
	CHECK_ERR(CTL4(C_SEARCH, key, "user", "deep", 0), ENOTDIR);
	CHECK_EQ(CTL4(C_SEARCH, K_SESSION, "keyring", "b", 0), b);
	/* A keyring that may not be searched hides what is in it. */
	found = CHECK_OK(add("user", "over", "2", a));
	CHECK_OK(CTL2(C_UNLINK, key, K_SESSION));
	CHECK_OK(CTL2(C_SETPERM, b, 0x37370000));
	CHECK_ERR(CTL4(C_SEARCH, a, "user", "deep", 0), ENOKEY);
	CHECK_EQ(CTL4(C_SEARCH, a, "user", "over", 0), found);
	/* Seven deep is too deep. */
	for (int i = 0; i < 9; i++) {
		char name[20];

		sprintf(name, "level%d", i);
		level[i] = CHECK_OK(add("keyring", name, NULL, K_SESSION));
	}
	CHECK_OK(add("user", "bottom", "3", level[8]));
	CHECK(CTL4(C_SEARCH, K_SESSION, "user", "bottom", 0) > 0);
	for (int i = 1; i < 9; i++)
		CHECK_OK(CTL2(C_LINK, level[i], level[i - 1]));
	for (int i = 1; i < 9; i++)
		CHECK_OK(CTL2(C_UNLINK, level[i], K_SESSION));
	CHECK_ERR(CTL4(C_SEARCH, K_SESSION, "user", "bottom", 0), ENOKEY);
}

TEST(permissions)
{
	char buf[10];
	int key, ring;

	SKIP_WITHOUT_KEYS();
	ring = CHECK_OK(add("keyring", "r", NULL, K_SESSION));
	key = CHECK_OK(add("user", "k", "1", ring));
	CHECK_ERR(CTL2(C_SETPERM, key, 0x40000000), EINVAL);
	CHECK_OK(CTL2(C_SETPERM, key, 0x20010000));		/* no search: not possessed any more */
	CHECK_ERR(CTL2(C_SETPERM, key, 0x3f3f0000), EACCES);
	CHECK_ERR(CTL3(C_READ, key, buf, 10), EACCES);
	CHECK_ERR(CTL3(C_UPDATE, key, "2", 1), EACCES);
	CHECK_ERR(CTL2(C_LINK, key, K_SESSION), EACCES);
	CHECK_ERR(CTL2(C_TIMEOUT, key, 10), EACCES);
	CHECK_ERR(CTL1(C_REVOKE, key), EACCES);
	CHECK_ERR(CTL1(C_INVALIDATE, key), EACCES);
	CHECK(strstr(describe(key), ";20010000;k"));
	CHECK_OK(CTL2(C_UNLINK, key, ring));			/* takes a right over the ring only */
	key = CHECK_OK(add("user", "k", "1", ring));
	CHECK_OK(CTL2(C_SETPERM, key, 0x2f3f0000 & ~0x02020000));	/* no right to read, but possessed */
	CHECK_STR(contents(key), "1");
	CHECK_OK(CTL2(C_SETPERM, ring, 0x3b3b0000));		/* no write */
	CHECK_ERR(add("user", "more", "1", ring), EACCES);
	CHECK_ERR(CTL2(C_UNLINK, key, ring), EACCES);
	CHECK_ERR(CTL1(C_CLEAR, ring), EACCES);
}

TEST(revoke_invalidate_expire)
{
	char buf[10];
	int ring, key, k2, k3;

	SKIP_WITHOUT_KEYS();
	ring = CHECK_OK(add("keyring", "r", NULL, K_SESSION));
	key = CHECK_OK(add("user", "k", "1", ring));
	CHECK_OK(CTL1(C_REVOKE, key));
	CHECK_ERR(CTL3(C_READ, key, buf, 10), EKEYREVOKED);
	CHECK_ERR(CTL1(C_REVOKE, key), EKEYREVOKED);
	CHECK_ERR(CTL4(C_SEARCH, ring, "user", "k", 0), EKEYREVOKED);
	CHECK_ERR(CTL3(C_DESCRIBE, key, NULL, 0), EKEYREVOKED);
	CHECK_OK(CTL2(C_UNLINK, key, ring));
	k2 = CHECK_OK(add("user", "k2", "1", ring));
	CHECK_OK(CTL1(C_INVALIDATE, k2));
	CHECK_GONE(CTL3(C_READ, k2, buf, 10));
	for (int i = 0; i < 6000 && links(ring, 0); i++)
		t_sleep_ms(10);
	CHECK_EQ(links(ring, 0), 0);				/* the collector has taken it out */
	k3 = CHECK_OK(add("user", "k3", "1", ring));
	CHECK_OK(CTL2(C_TIMEOUT, k3, 1));
	for (int i = 0; i < 6000 && CTL3(C_READ, k3, buf, 10) == 1; i++)
		t_sleep_ms(10);
	CHECK_ERR(CTL3(C_READ, k3, buf, 10), EKEYEXPIRED);
	CHECK_ERR(CTL4(C_SEARCH, ring, "user", "k3", 0), EKEYEXPIRED);
	CHECK_ERR(syscall(SYS_request_key, "user", "k3", NULL, 0), ENOKEY);	/* as if it were not there */
	/* A revoked keyring is empty and takes nothing. */
	key = CHECK_OK(add("user", "inside", "1", ring));
	CHECK_OK(CTL1(C_REVOKE, ring));
	CHECK_ERR(add("user", "x", "1", ring), EKEYREVOKED);
}

TEST(timeout_can_be_taken_back)
{
	int key;

	SKIP_WITHOUT_KEYS();
	key = CHECK_OK(add("user", "k", "1", K_SESSION));
	CHECK_OK(CTL2(C_TIMEOUT, key, 2));
	CHECK_OK(CTL2(C_TIMEOUT, key, 0));
	t_sleep_ms(2500);
	CHECK_STR(contents(key), "1");
}

TEST(special_keyrings)
{
	int t, p, s, u, us;

	SKIP_WITHOUT_KEYS();
	CHECK_ERR(CTL2(C_GET_ID, K_THREAD, 0), ENOKEY);
	CHECK_ERR(CTL2(C_GET_ID, K_PROCESS, 0), ENOKEY);
	t = CHECK_OK(CTL2(C_GET_ID, K_THREAD, 1));
	p = CHECK_OK(CTL2(C_GET_ID, K_PROCESS, 1));
	s = CHECK_OK(CTL2(C_GET_ID, K_SESSION, 0));
	u = CHECK_OK(CTL2(C_GET_ID, K_USER, 0));
	us = CHECK_OK(CTL2(C_GET_ID, K_USER_SESSION, 0));
	CHECK_EQ(CTL2(C_GET_ID, K_THREAD, 0), t);
	CHECK(t != p && p != s && s != u && u != us);
	CHECK(strstr(describe(t), ";3f010000;_tid"));
	CHECK(strstr(describe(p), ";3f010000;_pid"));
	CHECK(strstr(describe(s), ";3f030000;_ses"));
	CHECK(strstr(describe(u), ";1f3f0000;_uid."));
	CHECK(strstr(describe(us), ";1f3f0000;_uid_ses."));
	CHECK(links(us, u));
	CHECK_ERR(CTL2(C_GET_ID, K_GROUP, 0), EINVAL);
	CHECK_ERR(CTL2(C_GET_ID, K_REQKEY_AUTH, 0), ENOKEY);
	/* The thread's is searched first, then the process's, then the session's. */
	CHECK_OK(add("user", "order", "s", K_SESSION));
	CHECK_STR(contents(CHECK_OK(syscall(SYS_request_key, "user", "order", NULL, 0))), "s");
	CHECK_OK(add("user", "order", "p", K_PROCESS));
	CHECK_STR(contents(CHECK_OK(syscall(SYS_request_key, "user", "order", NULL, 0))), "p");
	CHECK_OK(add("user", "order", "t", K_THREAD));
	CHECK_STR(contents(CHECK_OK(syscall(SYS_request_key, "user", "order", NULL, 0))), "t");
}

static int in_thread[3];

static void *thread_main(void *arg)
{
	in_thread[0] = CTL2(C_GET_ID, K_THREAD, 0);
	in_thread[1] = CTL2(C_GET_ID, K_PROCESS, 0);
	in_thread[2] = CTL2(C_GET_ID, K_SESSION, 0);
	return NULL;
}

TEST(inheritance)
{
	int t, p, s, status;
	pthread_t thread;
	pid_t pid;

	SKIP_WITHOUT_KEYS();
	t = CHECK_OK(CTL2(C_GET_ID, K_THREAD, 1));
	p = CHECK_OK(CTL2(C_GET_ID, K_PROCESS, 1));
	s = CHECK_OK(CTL2(C_GET_ID, K_SESSION, 0));
	CHECK(!pthread_create(&thread, NULL, thread_main, NULL));
	pthread_join(thread, NULL);
	CHECK(in_thread[0] > 0 && in_thread[0] != t);		/* one of its own, as its maker has one */
	CHECK_EQ(in_thread[1], p);
	CHECK_EQ(in_thread[2], s);
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_ERR(CTL2(C_GET_ID, K_THREAD, 0), ENOKEY);
		CHECK_ERR(CTL2(C_GET_ID, K_PROCESS, 0), ENOKEY);
		CHECK_EQ(CTL2(C_GET_ID, K_SESSION, 0), s);
		CHECK(CTL1(C_JOIN, NULL) != s);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(CTL2(C_GET_ID, K_SESSION, 0), s);
	CHECK_EQ(CTL2(C_GET_ID, K_THREAD, 0), t);
}

TEST(execve)
{
	char self[200], session[20];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	SKIP_WITHOUT_KEYS();
	CHECK(n > 0);
	self[n] = 0;
	sprintf(session, "%lld", CHECK_OK(CTL2(C_GET_ID, K_SESSION, 0)));
	CHECK_OK(CTL2(C_GET_ID, K_THREAD, 1));
	CHECK_OK(CTL2(C_GET_ID, K_PROCESS, 1));
	setenv("T_KEYS_SESSION", session, 1);
	execl(self, "keys", "after_execve", NULL);
	FAIL("execve: %s", strerror(errno));
}

/* Run by the case before this, too: what the new program has. */
TEST(after_execve)
{
	const char *session = getenv("T_KEYS_SESSION");

	if (!session)
		return;
	CHECK_ERR(CTL2(C_GET_ID, K_THREAD, 0), ENOKEY);
	CHECK_ERR(CTL2(C_GET_ID, K_PROCESS, 0), ENOKEY);
	CHECK_EQ(CTL2(C_GET_ID, K_SESSION, 0), atoi(session));
}

TEST(named_sessions)
{
	char name[40];
	int s, other, status;
	pid_t pid;

	SKIP_WITHOUT_KEYS();
	sprintf(name, "t_session_%d", getpid());
	CHECK_ERR(CTL1(C_JOIN, ".mine"), EPERM);
	CHECK_ERR(CTL1(C_JOIN, (void *)8), EFAULT);
	s = CHECK_OK(CTL1(C_JOIN, name));
	CHECK_EQ(CTL2(C_GET_ID, K_SESSION, 0), s);
	CHECK(strstr(describe(s), ";3f130000;t_session_"));
	CHECK_OK(CTL2(C_SETPERM, s, 0x3f1f0000));		/* its owner may find it by name */
	CHECK_EQ(CTL1(C_JOIN, name), 0);			/* there already */
	pid = CHECK_OK(fork());
	if (!pid) {
		other = CHECK_OK(CTL1(C_JOIN, NULL));
		CHECK(other != s);
		CHECK_EQ(CTL1(C_JOIN, name), s);
		CHECK_OK(add("user", "left", "here", K_SESSION));
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK(CTL4(C_SEARCH, K_SESSION, "user", "left", 0) > 0);
}

TEST(session_to_parent)
{
	int s, theirs = 0, status, p[2];
	pid_t pid;

	SKIP_WITHOUT_KEYS();
	s = CHECK_OK(CTL2(C_GET_ID, K_SESSION, 0));
	CHECK_OK(pipe(p));
	pid = CHECK_OK(fork());
	if (!pid) {
		theirs = CHECK_OK(CTL1(C_JOIN, NULL));
		CHECK_OK(CTL2(C_SETPERM, theirs, 0x3f3f0000));
		CHECK_OK(CTL1(C_TO_PARENT, 0));
		CHECK_EQ(write(p[1], &theirs, 4), 4);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(read(p[0], &theirs, 4), 4);
	CHECK(theirs != s);
	CHECK_EQ(CTL2(C_GET_ID, K_SESSION, 0), theirs);
}

TEST(request_without_helper)
{
	int key, other;

	SKIP_WITHOUT_KEYS();
	if (!access("/sbin/request-key", F_OK))
		SKIP("there is a helper");
	key = CHECK_OK(add("user", "there", "1", K_SESSION));
	CHECK_EQ(syscall(SYS_request_key, "user", "there", NULL, 0), key);
	CHECK_EQ(syscall(SYS_request_key, "user", "there", "callout", 0), key);
	CHECK_ERR(syscall(SYS_request_key, "user", "absent", NULL, 0), ENOKEY);
	errno = 0;
	CHECK(syscall(SYS_request_key, "user", "absent", "callout", 0) == -1);
	CHECK(errno == ENOKEY || errno == ENOENT);	/* Linux says that there is no helper */
	CHECK_ERR(syscall(SYS_request_key, "user", "absent", "callout", 0), ENOKEY);	/* a negative key is there now */
	CHECK_ERR(syscall(SYS_request_key, "nosuchtype", "x", NULL, 0), ENOKEY);
	CHECK_ERR(syscall(SYS_request_key, ".type", "x", NULL, 0), EPERM);
	CHECK_ERR(syscall(SYS_request_key, "user", (void *)8, NULL, 0), EFAULT);
	CHECK_ERR(syscall(SYS_request_key, "user", "x", (void *)8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_request_key, "keyring", "x", "callout", 0), EPERM);
	/* What is found is linked to where the caller wants it. */
	other = CHECK_OK(add("keyring", "dest", NULL, K_SESSION));
	CHECK_EQ(syscall(SYS_request_key, "user", "there", NULL, other), key);
	CHECK(links(other, key));
}

/* As /sbin/request-key: the program itself.  What it is asked for says what it does. */
__attribute__((constructor)) static void be_the_helper(int argc, char **argv)
{
	char desc[300], callout[100], *name;
	int key, n;

	if (argc < 8 || strcmp(argv[0], "/sbin/request-key") || strcmp(argv[1], "create"))
		return;
	key = atoi(argv[2]);
	n = CTL3(C_DESCRIBE, key, desc, sizeof(desc));
	name = strrchr(desc, ';') + 1;
	if (n < 0 || CTL1(C_ASSUME, key) < 0 || !strcmp(name, "t:forget"))
		_exit(1);
	n = CTL3(C_READ, K_REQKEY_AUTH, callout, sizeof(callout));
	if (!strcmp(name, "t:reject"))
		_exit(CTL4(C_REJECT, key, 60, EKEYREJECTED, 0) < 0);
	if (!strcmp(name, "t:other"))		/* a key of who asks */
		n = CTL3(C_READ, syscall(SYS_request_key, "user", "t:his", NULL, 0), callout, sizeof(callout));
	if (n < 0)
		_exit(1);
	struct iovec parts[2] = { { "made of ", 8 }, { callout, n } };
	_exit(CTL4(C_IOV, key, parts, 2, 0) < 0);
}

TEST(request_with_helper)
{
	char self[300];
	int key, status;
	pid_t pid;

	SKIP_WITHOUT_KEYS();
	if (getuid() || !access("/sbin/request-key", F_OK) || (access("/proc/weft", F_OK) && !getenv("T_KEYS_HELPER")))
		SKIP("/sbin is not ours");
	sprintf(self, "cp /proc/%d/exe /sbin/request-key", getpid());
	CHECK_EQ(system(self), 0);
	pid = CHECK_OK(fork());
	if (!pid) {
		key = CHECK_OK(syscall(SYS_request_key, "user", "t:make", "it", K_SESSION));
		CHECK_STR(contents(key), "made of it");
		CHECK_EQ(syscall(SYS_request_key, "user", "t:make", NULL, 0), key);
		CHECK_ERR(syscall(SYS_request_key, "user", "t:reject", "it", K_SESSION), EKEYREJECTED);
		CHECK_ERR(syscall(SYS_request_key, "user", "t:reject", NULL, 0), EKEYREJECTED);
		CHECK_ERR(syscall(SYS_request_key, "user", "t:forget", "it", K_SESSION), ENOKEY);
		CHECK_OK(add("user", "t:his", "his own", K_SESSION));
		key = CHECK_OK(syscall(SYS_request_key, "user", "t:other", "it", K_SESSION));
		CHECK_STR(contents(key), "made of his own");
		/* Many at once, some of them for the same. */
		for (int i = 0; i < 8; i++) {
			char name[20];

			sprintf(name, "t:%d", i / 2);
			if (fork())
				continue;
			key = CHECK_OK(syscall(SYS_request_key, "user", name, "all", K_SESSION));
			CHECK_STR(contents(key), "made of all");
			_exit(0);
		}
		for (int i = 0; i < 8; i++) {
			CHECK_OK(wait(&status));
			CHECK_EQ(status, 0);
		}
		_exit(0);
	}
	status = t_wait(pid);
	unlink("/sbin/request-key");
	CHECK_EQ(status, 0);
}

TEST(request_default)
{
	SKIP_WITHOUT_KEYS();
	CHECK_EQ(CTL1(C_SET_REQKEY, -1), 0);
	CHECK_EQ(CTL1(C_SET_REQKEY, 3), 0);
	CHECK_EQ(CTL1(C_SET_REQKEY, 1), 3);
	CHECK_OK(CTL2(C_GET_ID, K_THREAD, 0));		/* made by that */
	CHECK_EQ(CTL1(C_SET_REQKEY, -1), 1);
	CHECK_ERR(CTL1(C_SET_REQKEY, 6), EINVAL);
	CHECK_ERR(CTL1(C_SET_REQKEY, 8), EINVAL);
	CHECK_ERR(CTL1(C_SET_REQKEY, -2), EINVAL);
}

/* Nobody has asked us for a key. */
TEST(no_authority)
{
	struct iovec v = { "x", 1 };
	int key;

	SKIP_WITHOUT_KEYS();
	key = CHECK_OK(add("user", "k", "1", K_SESSION));
	CHECK_ERR(CTL4(C_INSTANTIATE, key, "x", 1, 0), EPERM);
	CHECK_ERR(CTL4(C_IOV, key, &v, 1, 0), EPERM);
	CHECK_ERR(CTL3(C_NEGATE, key, 10, 0), EPERM);
	CHECK_ERR(CTL4(C_REJECT, key, 10, EACCES, 0), EPERM);
	CHECK_ERR(CTL4(C_REJECT, key, 10, 0, 0), EINVAL);
	CHECK_ERR(CTL4(C_REJECT, key, 10, 4095, 0), EINVAL);
	CHECK_ERR(CTL1(C_ASSUME, -1), EINVAL);
	CHECK_ERR(CTL1(C_ASSUME, key), ENOKEY);
	CHECK_OK(CTL1(C_ASSUME, 0));
}

TEST(restrict_keyring)
{
	int ring, key;

	SKIP_WITHOUT_KEYS();
	ring = CHECK_OK(add("keyring", "r", NULL, K_SESSION));
	key = CHECK_OK(add("user", "k", "1", ring));
	CHECK_ERR(CTL3(C_RESTRICT, key, NULL, NULL), ENOTDIR);
	CHECK_OK(CTL3(C_RESTRICT, ring, NULL, NULL));
	CHECK_ERR(add("user", "more", "1", ring), EPERM);
	CHECK_ERR(CTL2(C_LINK, K_USER, ring), EPERM);
	CHECK_OK(CTL2(C_UNLINK, key, ring));
	CHECK_ERR(CTL3(C_RESTRICT, ring, NULL, NULL), EEXIST);
}

TEST(capabilities)
{
	unsigned char caps[8];

	SKIP_WITHOUT_KEYS();
	memset(caps, 0xff, sizeof(caps));
	CHECK(CTL2(C_CAPS, caps, sizeof(caps)) >= 2);
	CHECK((caps[0] & 0xe1) == 0xe1);
	CHECK_EQ(caps[7], 0);
	CHECK_ERR(CTL2(C_CAPS, (void *)8, 1), EFAULT);
}

TEST(proc_keys)
{
	char line[400], want[20];
	int key, found = 0;
	FILE *f;

	SKIP_WITHOUT_KEYS();
	key = CHECK_OK(add("user", "in_proc", "four", K_SESSION));
	sprintf(want, "%08x ", key);
	CHECK((f = fopen("/proc/keys", "r")));
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, want, 9))
			continue;
		found++;
		CHECK(!strncmp(line + 9, "I--Q---     1 perm 3f010000 ", 28));
		CHECK(strstr(line, " user      in_proc: 4\n"));
	}
	fclose(f);
	CHECK_EQ(found, 1);
	CHECK_OK(CTL2(C_TIMEOUT, key, 7200));
	CHECK((f = fopen("/proc/keys", "r")));
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, want, 9))
			CHECK(strstr(line, "   1h 3f01") || strstr(line, "   2h 3f01"));
	}
	fclose(f);
}

/* " qnkeys/max qnbytes/max" of this user in /proc/key-users. */
static void quota(int *keys, int *max_keys, int *bytes, int *max_bytes)
{
	char line[200];
	FILE *f = fopen("/proc/key-users", "r");
	unsigned int uid;
	int a, b, c;

	CHECK(f);
	*keys = -1;
	while (fgets(line, sizeof(line), f)) {
		int k, mk, by, mb;

		CHECK_EQ(sscanf(line, "%u: %d %d/%d %d/%d %d/%d", &uid, &a, &b, &c, &k, &mk, &by, &mb), 8);
		if (uid == getuid())
			*keys = k, *max_keys = mk, *bytes = by, *max_bytes = mb;
	}
	fclose(f);
	CHECK(*keys >= 0);
}

/* Waits until this user's keys count as before: Linux frees them a grace period later. */
static void quota_returns_to(int keys, int bytes)
{
	int k, mk, b, mb;

	for (int i = 0; i < 6000; i++) {
		quota(&k, &mk, &b, &mb);
		if (k <= keys && b <= bytes)
			return;
		t_sleep_ms(10);
	}
	FAIL("%d keys and %d bytes, not %d and %d", k, b, keys, bytes);
}

TEST(quota)
{
	int k0, k1, mk, b0, b1, mb, key, n = 0;
	char name[30];

	SKIP_WITHOUT_KEYS();
	if (!getuid())
		CHECK_OK(setresuid(61234, 61234, 61234));
	CHECK_OK(CTL1(C_JOIN, NULL));
	quota(&k0, &mk, &b0, &mb);
	key = CHECK_OK(add("user", "1234", "567", K_SESSION));
	quota(&k1, &mk, &b1, &mb);
	CHECK_EQ(k1 - k0, 1);
	CHECK_EQ(b1 - b0, 5 + 3 + 4);		/* description and its end, contents, the link */
	CHECK_OK(CTL3(C_UPDATE, key, "56789", 5));
	quota(&k1, &mk, &b1, &mb);
	CHECK_EQ(b1 - b0, 5 + 5 + 4);
	CHECK_EQ(mk, 200);
	CHECK_EQ(mb, 20000);
	/* Too many keys, and too many bytes. */
	for (; n < 300; n++) {
		sprintf(name, "n%d", n);
		if (add("user", name, "x", K_SESSION) < 0)
			break;
	}
	CHECK_EQ(errno, EDQUOT);
	CHECK(n < 200);
	CHECK_OK(CTL1(C_CLEAR, K_SESSION));
	quota_returns_to(k0, b0);
	CHECK_ERR(syscall(SYS_add_key, "user", "big", calloc(1, 25000), 25000, K_SESSION), EDQUOT);
	quota_returns_to(k0, b0);
}

TEST(chown)
{
	char buf[4];
	int key;

	SKIP_WITHOUT_KEYS();
	if (getuid())
		SKIP("not root");
	key = CHECK_OK(add("user", "k", "1", K_SESSION));
	CHECK_OK(CTL3(C_CHOWN, key, -1, -1));
	CHECK_OK(CTL3(C_CHOWN, key, 61235, 61236));
	CHECK(strstr(describe(key), "user;61235;61236;"));
	CHECK_OK(CTL3(C_CHOWN, key, 0, 0));
	CHECK_OK(CTL2(C_SETPERM, key, 0x3f3f0000));
	CHECK_OK(setresgid(61236, 61236, 61236));
	CHECK_OK(setresuid(61235, 61235, 61235));
	CHECK_ERR(CTL3(C_CHOWN, key, 61235, -1), EACCES);
	CHECK_ERR(CTL2(C_SETPERM, key, 0x3f3f3f3f), EACCES);
	CHECK_STR(contents(key), "1");			/* the session came along: possessed */
	CHECK_OK(CTL1(C_JOIN, NULL));
	CHECK_GONE(CTL3(C_READ, key, buf, 4));		/* nobody had it but that session */
}

/* Somebody else's key: only by its rights for others. */
TEST(other_users)
{
	char buf[10];
	int ring, key, status;
	pid_t pid;

	SKIP_WITHOUT_KEYS();
	if (getuid())
		SKIP("not root");
	ring = CHECK_OK(add("keyring", "r", NULL, K_SESSION));
	key = CHECK_OK(add("user", "k", "1", ring));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(setresgid(61236, 61236, 61236));
		CHECK_OK(setresuid(61235, 61235, 61235));
		CHECK_OK(CTL1(C_JOIN, NULL));
		CHECK_ERR(CTL3(C_READ, key, buf, 10), EACCES);
		CHECK_ERR(CTL3(C_DESCRIBE, key, buf, 10), EACCES);
		CHECK_ERR(CTL4(C_SEARCH, ring, "user", "k", 0), EACCES);
		CHECK_ERR(CTL2(C_LINK, key, K_SESSION), EACCES);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_OK(CTL2(C_SETPERM, key, 0x3f010003));	/* others may view and read */
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(setresgid(61236, 61236, 61236));
		CHECK_OK(setresuid(61235, 61235, 61235));
		CHECK_OK(CTL1(C_JOIN, NULL));
		CHECK_STR(contents(key), "1");
		CHECK_ERR(CTL3(C_UPDATE, key, "2", 1), EACCES);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(persistent)
{
	int ring, key;

	SKIP_WITHOUT_KEYS();
	ring = CTL2(C_PERSISTENT, -1, K_SESSION);
	if (ring < 0 && errno == EOPNOTSUPP)
		SKIP("no persistent keyrings here");
	CHECK(ring > 0);
	CHECK(strstr(describe(ring), ";1f030000;_persistent."));
	key = CHECK_OK(add("user", "stays", "1", ring));
	CHECK_OK(CTL1(C_JOIN, NULL));
	CHECK_EQ(CTL2(C_PERSISTENT, getuid(), K_SESSION), ring);
	CHECK_EQ(CTL4(C_SEARCH, K_SESSION, "user", "stays", 0), key);
	CHECK_OK(CTL2(C_UNLINK, key, ring));
	CHECK_GONE(CTL2(C_PERSISTENT, -1, key));
	if (!getuid())
		CHECK_OK(setresuid(61235, 61235, 61235));
	CHECK_ERR(CTL2(C_PERSISTENT, 61299, K_PROCESS), EPERM);
}

/* In a user namespace the user's keyrings are others. */
TEST(user_namespace)
{
	int u, status;
	pid_t pid;

	SKIP_WITHOUT_KEYS();
	u = CHECK_OK(CTL2(C_GET_ID, K_USER, 0));
	pid = CHECK_OK(fork());
	if (!pid) {
		if (unshare(CLONE_NEWUSER))
			_exit(77);
		CHECK(CHECK_OK(CTL2(C_GET_ID, K_USER, 0)) != u);
		CHECK_OK(CTL1(C_JOIN, NULL));
		CHECK_OK(CTL1(C_JOIN, "t_in_namespace"));
		_exit(0);
	}
	status = t_wait(pid);
	if (status == 77 << 8)
		SKIP("no user namespaces here");
	CHECK_EQ(status, 0);
}


static void *adder(void *arg)
{
	char name[30];

	for (int i = 0; i < 150; i++) {
		int key, ring;

		sprintf(name, "%ld.%d", (long)arg % 2, i % 7);
		ring = add("keyring", name, NULL, K_PROCESS);
		key = add("user", name, "x", ring > 0 ? ring : K_PROCESS);
		CTL2(C_LINK, key, K_PROCESS);
		CTL4(C_SEARCH, K_PROCESS, "user", name, 0);
		CTL1(i % 3 ? C_REVOKE : C_INVALIDATE, i % 2 ? key : ring);
		if (i % 10 == 9)
			CTL1(C_CLEAR, K_PROCESS);
	}
	return NULL;
}

/* Threads make, find, revoke and drop keys of the same names. */
TEST(storm)
{
	int k0, mk, b0, mb;
	pthread_t t[4];

	SKIP_WITHOUT_KEYS();
	CHECK_OK(CTL2(C_GET_ID, K_PROCESS, 1));
	quota(&k0, &mk, &b0, &mb);
	for (long i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, adder, (void *)i));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_OK(CTL1(C_CLEAR, K_PROCESS));
	quota_returns_to(k0, b0);
}
