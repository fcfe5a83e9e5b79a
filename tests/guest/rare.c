/* rare.c: calls that few programs make: handles of files, ustat, remap_file_pages, process_mrelease. */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* ---- handles ---- */

struct handle { unsigned int bytes; int type; unsigned char body[128]; };

static int name_to_handle(int dfd, const char *name, struct handle *h, int *mnt, int flags)
{
	return syscall(SYS_name_to_handle_at, dfd, name, h, mnt, flags);
}

static int open_handle(int dfd, const struct handle *h, int flags)
{
	return syscall(SYS_open_by_handle_at, dfd, h, flags);
}

static struct handle handle_of(const char *name)
{
	struct handle h = { .bytes = sizeof(h.body) };
	int mnt;

	CHECK_OK(name_to_handle(AT_FDCWD, name, &h, &mnt, 0));
	CHECK(mnt > 0 && h.bytes > 0 && h.bytes <= sizeof(h.body));
	return h;
}

/* On a tmpfs of our own: whose descriptor. */
static int own_tmpfs(void)
{
	char base[64];

	if (getuid() || unshare(CLONE_NEWNS))
		SKIP("not root");
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(base, "/tmp/rare%d", getpid());
	CHECK_OK(mkdir(base, 0700));
	CHECK_OK(mount("none", base, "tmpfs", 0, NULL));
	CHECK_OK(chdir(base));
	return CHECK_OK(open(".", O_RDONLY));
}

static void put(const char *name, const char *text)
{
	int fd = CHECK_OK(open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

TEST(handles)
{
	struct handle h, dir;
	struct stat a, b;
	char buf[10] = "";
	int mnt = own_tmpfs(), fd;

	put("f", "hello");
	CHECK_OK(mkdir("d", 0700));
	put("d/g", "inner");
	h = handle_of("f");
	dir = handle_of("d");
	CHECK_OK(rename("f", "d/elsewhere"));		/* names do not matter */
	fd = CHECK_OK(open_handle(mnt, &h, O_RDONLY | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(fd, buf, 9), 5);
	CHECK_STR(buf, "hello");
	CHECK_OK(fstat(fd, &a));
	CHECK_OK(stat("d/elsewhere", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	close(fd);
	fd = CHECK_OK(open_handle(AT_FDCWD, &h, O_WRONLY | O_TRUNC));
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	CHECK_OK(stat("d/elsewhere", &b));
	CHECK_EQ(b.st_size, 1);
	fd = CHECK_OK(open_handle(mnt, &dir, O_RDONLY | O_DIRECTORY));
	close(CHECK_OK(openat(fd, "g", O_RDONLY)));
	close(fd);
	fd = CHECK_OK(open_handle(mnt, &h, O_PATH));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	close(fd);
	CHECK_ERR(open_handle(mnt, &h, O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open_handle(mnt, &dir, O_WRONLY), EISDIR);
	CHECK_OK(unlink("d/elsewhere"));
	CHECK_ERR(open_handle(mnt, &h, O_RDONLY), ESTALE);
	for (int i = 0; i < 50; i++)
		put("next", "other");			/* another file, whatever its number, is not that one */
	CHECK_ERR(open_handle(mnt, &h, O_RDONLY), ESTALE);
}

TEST(handle_errors)
{
	struct handle h = { .bytes = 0 }, good;
	int mnt = own_tmpfs(), id;

	put("f", "hello");
	CHECK_OK(symlink("f", "link"));
	CHECK_ERR(name_to_handle(AT_FDCWD, "f", &h, &id, 0), EOVERFLOW);	/* and says how many it needs */
	CHECK(h.bytes > 0 && h.bytes <= 128);
	CHECK_OK(name_to_handle(AT_FDCWD, "f", &h, &id, 0));
	good = h;
	CHECK_ERR(name_to_handle(AT_FDCWD, "f", &h, &id, 0x4000000), EINVAL);
	CHECK_ERR(name_to_handle(AT_FDCWD, "nosuch", &h, &id, 0), ENOENT);
	CHECK_ERR(name_to_handle(AT_FDCWD, "", &h, &id, 0), ENOENT);
	CHECK_ERR(name_to_handle(999, "f", &h, &id, 0), EBADF);
	CHECK_ERR(name_to_handle(AT_FDCWD, "f", (void *)8, &id, 0), EFAULT);
	CHECK_ERR(name_to_handle(AT_FDCWD, "f", &h, (void *)8, 0), EFAULT);
	h.bytes = 129;
	CHECK_ERR(name_to_handle(AT_FDCWD, "f", &h, &id, 0), EINVAL);
	h.bytes = 128;
	CHECK_OK(name_to_handle(AT_FDCWD, "link", &h, &id, 0));			/* the link itself */
	CHECK(memcmp(h.body, good.body, good.bytes));
	h.bytes = 128;
	CHECK_OK(name_to_handle(AT_FDCWD, "link", &h, &id, AT_SYMLINK_FOLLOW));
	CHECK(!memcmp(h.body, good.body, good.bytes));
	h.bytes = 128;
	CHECK_OK(name_to_handle(mnt, "", &h, &id, AT_EMPTY_PATH));
	CHECK_ERR(name_to_handle(AT_FDCWD, "/proc/self/fd", &h, &id, 0), EOPNOTSUPP);
	CHECK_ERR(open_handle(999, &good, O_RDONLY), EBADF);
	CHECK_ERR(open_handle(mnt, (void *)8, O_RDONLY), EFAULT);
	h = good;
	h.bytes = 0;
	CHECK_ERR(open_handle(mnt, &h, O_RDONLY), EINVAL);
	h.bytes = 129;
	CHECK_ERR(open_handle(mnt, &h, O_RDONLY), EINVAL);
	h = good;
	for (unsigned int i = 0; i < h.bytes; i++)
		h.body[i] ^= 0x5a;
	CHECK_ERR(open_handle(mnt, &h, O_RDONLY), ESTALE);
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(setresuid(61234, 61234, 61234));
	CHECK_ERR(open_handle(mnt, &good, O_RDONLY), EPERM);
}

/* ---- ustat ---- */

struct ustat_ { int tfree; unsigned long tinode; char fname[6], fpack[6]; };

TEST(ustat)
{
	struct ustat_ u;
	struct statfs fs;
	struct stat st;

	CHECK_ERR(syscall(SYS_ustat, 0xfffffU, &u), EINVAL);
	own_tmpfs();
	CHECK_OK(stat(".", &st));
	CHECK_OK(statfs(".", &fs));
	memset(&u, 0xff, sizeof(u));
	CHECK_OK(syscall(SYS_ustat, (unsigned int)st.st_dev, &u));
	CHECK_EQ(u.tfree, (int)fs.f_bfree);
	CHECK_EQ(u.tinode, fs.f_ffree);
	CHECK_EQ(u.fname[0], 0);
	CHECK_ERR(syscall(SYS_ustat, (unsigned int)st.st_dev, (void *)8), EFAULT);
}

/* ---- remap_file_pages ---- */

#define PAGE	4096UL

TEST(remap_file_pages)
{
	volatile char *p;
	char name[40];
	int fd;

	sprintf(name, "/tmp/remap%d", getpid());
	fd = CHECK_OK(open(name, O_CREAT | O_RDWR, 0600));
	unlink(name);
	CHECK_OK(ftruncate(fd, 8 * PAGE));
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = '0' + i;
	CHECK_OK(remap_file_pages((void *)p, PAGE, 0, 7, 0));
	CHECK_EQ(p[0], '7');
	CHECK_EQ(p[PAGE], '1');
	CHECK_OK(remap_file_pages((void *)p + 2 * PAGE, 3 * PAGE, 0, 0, 0));
	CHECK_EQ(p[2 * PAGE], '0');
	CHECK_EQ(p[4 * PAGE], '2');
	CHECK_EQ(p[5 * PAGE], '5');
	p[0] = 'x';				/* the same page of the file */
	CHECK_EQ(p[7 * PAGE], 'x');
	CHECK_OK(remap_file_pages((void *)p, 8 * PAGE, 0, 0, MAP_NONBLOCK));	/* over several areas */
	for (int i = 0; i < 7; i++)
		CHECK_EQ(p[i * PAGE], '0' + i);
	CHECK_ERR(remap_file_pages((void *)p, PAGE, PROT_READ, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages((void *)p, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages((void *)p, PAGE, 0, -1UL, 0), EINVAL);
	CHECK_ERR(remap_file_pages((void *)p, -PAGE, 0, 0, 0), EINVAL);
	CHECK_OK(munmap((void *)p + 3 * PAGE, PAGE));
	CHECK_ERR(remap_file_pages((void *)p, 8 * PAGE, 0, 0, 0), EINVAL);	/* a hole */
	CHECK_ERR(remap_file_pages((void *)p + 3 * PAGE, PAGE, 0, 0, 0), EINVAL);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK_ERR(remap_file_pages((void *)p, PAGE, 0, 0, 0), EINVAL);		/* not shared */
}

/* ---- process_mrelease ---- */

TEST(process_mrelease)
{
	int pidfd, p[2], up[2], status, n = 0;
	char c;
	pid_t pid;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(up));
	pid = CHECK_OK(fork());
	if (!pid) {
		char *m = mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(m, 1, 512 * PAGE);
		CHECK_EQ(write(up[1], "x", 1), 1);
		CHECK_EQ(read(p[0], &c, 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(up[0], &c, 1), 1);
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
	CHECK_ERR(syscall(SYS_process_mrelease, pidfd, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_mrelease, 999, 0), EBADF);
	CHECK_ERR(syscall(SYS_process_mrelease, p[0], 0), EBADF);
	CHECK_ERR(syscall(SYS_process_mrelease, pidfd, 0), EINVAL);	/* it lives */
	CHECK_OK(kill(pid, SIGKILL));
	/* Now, or it has been faster. */
	while (syscall(SYS_process_mrelease, pidfd, 0) && errno != ESRCH && n++ < 6000)
		t_sleep_ms(10);
	CHECK(n < 6000);
	status = t_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_ERR(syscall(SYS_process_mrelease, pidfd, 0), ESRCH);
}

/* Killed and freed by others while they fault and fork. */
TEST(mrelease_storm)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = CHECK_OK(fork());
		int pidfd;

		if (!pid) {
			char *m = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (;;) {
				for (int j = 0; j < 256; j++)
					m[j * PAGE]++;
				if (!fork())
					_exit(0);
				while (waitpid(-1, NULL, WNOHANG) > 0)
					;
			}
		}
		pidfd = CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
		t_sleep_ms(i);
		kill(pid, SIGKILL);
		while (!syscall(SYS_process_mrelease, pidfd, 0))
			;
		CHECK(WIFSIGNALED(t_wait(pid)));
		close(pidfd);
	}
}

/* ---- /proc/sys ---- */

/* The text, and the same text written back, if we may. */
static const char *knob(const char *name)
{
	static char path[100], text[200];
	struct stat st;
	int fd, n;

	sprintf(path, "/proc/sys/%s", name);
	fd = CHECK_OK(open(path, O_RDONLY));
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	close(fd);
	CHECK(n > 1 && text[n - 1] == '\n');
	CHECK_OK(stat(path, &st));
	fd = st.st_mode & 0222 ? open(path, O_WRONLY) : -1;
	if (fd >= 0) {
		CHECK_EQ(write(fd, text, n), n);
		close(fd);
	}
	return text;
}

static int refused(const char *name, const char *text)
{
	char path[100];
	int fd, err;

	sprintf(path, "/proc/sys/%s", name);
	fd = CHECK_OK(open(path, O_WRONLY));
	err = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return err;
}

TEST(sysctl)
{
	static const char *const words[] = {
		"kernel/randomize_va_space", "kernel/panic", "kernel/panic_on_oops", "kernel/panic_on_warn", "fs/overflowuid",
		"fs/overflowgid", "fs/mount-max", "fs/aio-max-nr", "vm/overcommit_memory", "vm/overcommit_ratio",
		"vm/overcommit_kbytes", "vm/admin_reserve_kbytes", "vm/user_reserve_kbytes", "vm/max_map_count", "vm/mmap_min_addr",
	};
	int a, b, c, d;

	for (unsigned int i = 0; i < sizeof(words) / sizeof(*words); i++)
		CHECK_EQ(sscanf(knob(words[i]), "%d %d", &a, &b), 1);
	CHECK_EQ(sscanf(knob("kernel/printk"), "%d\t%d\t%d\t%d", &a, &b, &c, &d), 4);
	CHECK_EQ(sscanf(knob("fs/inode-nr"), "%d\t%d", &a, &b), 2);
	CHECK(a > 0);
	CHECK_EQ(sscanf(knob("fs/dentry-state"), "%d\t%d\t%d\t%d", &a, &b, &c, &d), 4);
	CHECK(a > 0 && c == 45);
	CHECK_EQ(sscanf(knob("fs/aio-nr"), "%d", &a), 1);
	CHECK_EQ(sscanf(knob("kernel/tainted"), "%d", &a), 1);
	if (getuid())
		return;
	CHECK_EQ(refused("vm/overcommit_memory", "3"), EINVAL);
	CHECK_EQ(refused("fs/overflowuid", "65536"), EINVAL);
	CHECK_EQ(refused("kernel/panic_on_oops", "x"), EINVAL);
}
