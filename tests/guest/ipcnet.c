/* ipcnet.c: ipc, net and cgroup namespaces (spec §8; man 7 ipc_namespaces, network_namespaces, cgroup_namespaces). */
#include "t.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <mqueue.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define KEY	0x4e53

static void need_root(unsigned long flags)
{
	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS | flags))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

TEST(objects_are_ours_alone)
{
	int outer, fd, id, sem, msg;
	char *p;

	need_root(CLONE_NEWIPC);
	outer = CHECK_OK(open("/proc/self/ns/ipc", O_RDONLY));
	id = CHECK_OK(shmget(KEY, 4096, IPC_CREAT | 0600));
	sem = CHECK_OK(semget(KEY, 3, IPC_CREAT | 0600));
	msg = CHECK_OK(msgget(KEY, IPC_CREAT | 0600));
	p = shmat(id, NULL, 0);
	CHECK(p != (void *)-1);
	strcpy(p, "outer");
	CHECK_OK(unshare(CLONE_NEWIPC));
	CHECK_ERR(shmget(KEY, 4096, 0), ENOENT);
	CHECK_ERR(semget(KEY, 3, 0), ENOENT);
	CHECK_ERR(msgget(KEY, 0), ENOENT);
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
	CHECK_STR(p, "outer");				/* what is attached stays */
	CHECK_OK(shmget(KEY, 4096, IPC_CREAT | 0600));
	fd = CHECK_OK(open("/proc/self/ns/ipc", O_RDONLY));
	CHECK_OK(setns(outer, CLONE_NEWIPC));
	CHECK_EQ(shmget(KEY, 4096, 0), id);
	CHECK_EQ(semget(KEY, 3, 0), sem);
	CHECK_EQ(msgget(KEY, 0), msg);
	CHECK_OK(setns(fd, 0));
	CHECK_ERR(semget(KEY, 3, 0), ENOENT);
	CHECK_OK(shmget(KEY, 4096, 0));
}

/* A segment that is attached outlives its namespace. */
TEST(attached_segment_keeps_its_pages)
{
	struct shmid_ds ds;
	char *p;
	int id;

	need_root(CLONE_NEWIPC);
	id = CHECK_OK(shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600));
	p = shmat(id, NULL, 0);
	CHECK(p != (void *)-1);
	CHECK_OK(unshare(CLONE_NEWIPC));		/* nobody is in the old one */
	strcpy(p + 5000, "still here");
	CHECK_STR(p + 5000, "still here");
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_OK(shmdt(p));
}

TEST(message_queues)
{
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 16 };
	int outer;

	need_root(CLONE_NEWIPC);
	outer = CHECK_OK(open("/proc/self/ns/ipc", O_RDONLY));
	CHECK_OK(mq_close(CHECK_OK(mq_open("/nsq", O_CREAT | O_RDWR, 0600, &attr))));
	CHECK_OK(unshare(CLONE_NEWIPC));
	CHECK_ERR(mq_open("/nsq", O_RDWR), ENOENT);
	CHECK_OK(mq_close(CHECK_OK(mq_open("/other", O_CREAT | O_RDWR, 0600, &attr))));
	CHECK_OK(mount("mqueue", "/mnt", "mqueue", 0, NULL));
	CHECK_OK(access("/mnt/other", F_OK));
	CHECK_ERR(access("/mnt/nsq", F_OK), ENOENT);
	CHECK_OK(setns(outer, CLONE_NEWIPC));
	CHECK_OK(access("/mnt/other", F_OK));		/* the mount keeps it */
	CHECK_OK(mq_unlink("/nsq"));
	CHECK_OK(umount("/mnt"));
}

TEST(ipc_flags)
{
	need_root(0);
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(unshare(CLONE_NEWIPC), EPERM);
	CHECK_ERR(unshare(CLONE_NEWNET), EPERM);
	CHECK_ERR(unshare(CLONE_NEWCGROUP), EPERM);
}

static int abstract(const char *name, int (*fn)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), err;

	strcpy(sun.sun_path + 1, name);
	err = fn(fd, (void *)&sun, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	if (err) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static int connect_to(int fd, const struct sockaddr *a, socklen_t n) { return connect(fd, a, n); }
static int bind_to(int fd, const struct sockaddr *a, socklen_t n) { return bind(fd, a, n); }

TEST(abstract_names)
{
	int outer, fd;

	need_root(CLONE_NEWNET);
	outer = CHECK_OK(open("/proc/self/ns/net", O_RDONLY));
	fd = CHECK_OK(abstract("nsname", bind_to));
	CHECK_OK(listen(fd, 5));
	CHECK_ERR(abstract("nsname", bind_to), EADDRINUSE);
	CHECK_OK(close(CHECK_OK(abstract("nsname", connect_to))));
	CHECK_OK(unshare(CLONE_NEWNET));
	CHECK_ERR(abstract("nsname", connect_to), ECONNREFUSED);
	CHECK_OK(close(CHECK_OK(abstract("nsname", bind_to))));
	CHECK_OK(setns(outer, CLONE_NEWNET));
	CHECK_OK(close(CHECK_OK(abstract("nsname", connect_to))));
}

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		char room[100];
	};
};

/* Sends and reads one answer: the error it is, 0 for an acknowledgement. */
static int ask(int fd, struct request *r)
{
	struct { struct nlmsghdr h; struct nlmsgerr e; char rest[200]; } answer;

	CHECK_EQ(send(fd, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	CHECK(recv(fd, &answer, sizeof(answer), 0) >= (int)sizeof(answer.h) + 4);
	CHECK_EQ(answer.h.nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(answer.h.nlmsg_seq, r->h.nlmsg_seq);
	return -answer.e.error;
}

static short flags_of_lo(int fd)
{
	struct ifreq req = { .ifr_name = "lo" };

	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &req));
	return req.ifr_flags;
}

static void add_attr(struct request *r, int type, const void *data, int len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* What a program does that sets up a sandbox: bwrap, unshare's friends. */
TEST(loopback)
{
	struct request r;
	struct in_addr ip = { htonl(INADDR_LOOPBACK) };
	char buf[8192];
	int fd, n;

	need_root(CLONE_NEWNET);
	CHECK_EQ(if_nametoindex("lo"), 1);
	CHECK_EQ(if_nametoindex("none"), 0);
	fd = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	CHECK_EQ(flags_of_lo(fd) & (IFF_UP | IFF_LOOPBACK), IFF_LOOPBACK);
	r = (struct request){ { NLMSG_LENGTH(sizeof(r.addr)), RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1 } };
	r.addr = (struct ifaddrmsg){ AF_INET, 8, IFA_F_PERMANENT, RT_SCOPE_HOST, 1 };
	add_attr(&r, IFA_LOCAL, &ip, sizeof(ip));
	add_attr(&r, IFA_ADDRESS, &ip, sizeof(ip));
	CHECK_EQ(ask(fd, &r), 0);
	r = (struct request){ { NLMSG_LENGTH(sizeof(r.link)), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 2 } };
	r.link = (struct ifinfomsg){ AF_UNSPEC, 0, 0, 1, IFF_UP, IFF_UP };
	CHECK_EQ(ask(fd, &r), 0);
	CHECK_EQ(flags_of_lo(fd) & IFF_UP, IFF_UP);
	r.link.ifi_index = 77;
	r.h.nlmsg_seq = 3;
	CHECK_EQ(ask(fd, &r), ENODEV);
	r = (struct request){ { NLMSG_LENGTH(sizeof(r.link)), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 4 } };
	CHECK_EQ(send(fd, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	n = (int)CHECK_OK(recv(fd, buf, sizeof(buf), 0));
	CHECK(n > 16);
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, RTM_NEWLINK);
	CHECK(memmem(buf, n, "lo", 3));
	CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
}

TEST(loopback_needs_rights)
{
	struct request r = { { NLMSG_LENGTH(sizeof(r.link)), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 2 } };
	int fd;

	need_root(CLONE_NEWNET);
	CHECK_OK(setresuid(65534, 65534, 65534));
	fd = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	r.link = (struct ifinfomsg){ AF_UNSPEC, 0, 0, 1, IFF_UP, IFF_UP };
	CHECK_EQ(ask(fd, &r), EPERM);
}

TEST(cgroup_namespace)
{
	struct stat a, b;

	need_root(0);
	CHECK_OK(stat("/proc/self/ns/cgroup", &a));
	CHECK_OK(unshare(CLONE_NEWCGROUP));
	CHECK_OK(stat("/proc/self/ns/cgroup", &b));
	CHECK(a.st_ino != b.st_ino);
}

/* Many of each kind, one after the other: nothing of them stays (the kernel's own counts are looked at elsewhere). */
TEST(many)
{
	int status;
	pid_t pid;

	need_root(0);
	for (int i = 0; i < 50; i++) {
		pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWCGROUP |
			      CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
		CHECK_OK(pid);
		if (!pid) {
			CHECK_EQ(getpid(), 1);
			CHECK_OK(shmget(KEY, 4096, IPC_CREAT | 0600));
			_exit(0);
		}
		status = t_wait(pid);
		CHECK_EQ(status, 0);
	}
}
